#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gate's directives and variables are documented as they are: names, contexts and defaults in hosts/nginx against
docs/guide/nginx.md."""
import re

import checklib

MODULE = "hosts/nginx/module.c"
VARIABLES = "hosts/nginx/variables.c"
PAGE = "docs/guide/nginx.md"
CONTEXTS = (("NGX_HTTP_MAIN_CONF", "http"), ("NGX_HTTP_SRV_CONF", "server"), ("NGX_HTTP_LOC_CONF", "location"))


def multiplied(text):
    value = 1
    for factor in text.split("*"):
        value *= int(factor.strip().removesuffix("u").removesuffix("U"))
    return value


def bytes_of(text):
    match = re.fullmatch(r"(\d+)([kKmM]?)", text)
    return int(match[1]) * {"": 1, "k": 1024, "m": 1024 ** 2}[match[2].lower()] if match else None


def directives(text):
    """{name: (contexts, field or None, enumeration's words)} of the table `commands`."""
    macros = dict(re.findall(r"#define (\w+) \(([^\n]*)\)", text))
    words = {name: dict(re.findall(r'ngx_string\("([^"]+)"\), (\w+)', body))
             for name, body in re.findall(r"ngx_conf_enum_t (\w+)\[\] = \{(.*?)\n\};", text, re.S)}
    table = re.search(r"ngx_command_t commands\[\] = \{(.*?)\n\};", text, re.S)
    found = {}
    for entry in re.findall(r'\{ngx_string\("([^"]+)"\),(.*?)\},', table[1] if table else "", re.S):
        kind = re.sub(r"\w+", lambda word: macros.get(word[0], word[0]), entry[1].split(",")[0])
        field = re.search(r"offsetof\(\w+, (\w+)\)", entry[1])
        last = entry[1].split(",")[-1].strip()
        found[entry[0]] = (", ".join(name for flag, name in CONTEXTS if flag in kind), field[1] if field else None,
                           words.get(last, {}))
    return found


def defaults(text):
    """{field: default as written} of what is merged or initialised."""
    found = dict(re.findall(r"ngx_conf_merge_\w+\(conf->(\w+), outer->\w+,\s*([^;]+)\);", text))
    found.update(re.findall(r"ngx_conf_init_\w+\(conf->(\w+),\s*([^;]+)\);", text))
    return found


def documented(text):
    """{name: (line, default, contexts)}"""
    found = {}
    pattern = (r"^### (\w+)\n\n\| \| \|\n\|---\|---\|\n\| Syntax \| `(\w+)[^`\n]*;` \|\n\| Default \| ([^\n]+) \|\n"
               r"\| Context \| ([a-z, ]+) \|\n")
    for match in re.finditer(pattern, text, re.M):
        found[match[1]] = (text[:match.start()].count("\n") + 1, match[3].strip("`").removesuffix(";"), match[4], match[2])
    return found


def agrees(name, said, code, words):
    """Whether a default as documented is that of the code."""
    if code in (None, "NULL"):
        return said == "\N{EM DASH}"
    value = said.removeprefix(name + " ").split(" ")[0]
    if words:
        return words.get(value) == code
    if re.fullmatch(r"[\d *]+", code):
        number = multiplied(code)
        return bytes_of(value) == number or {"on": 1, "off": 0}.get(value) == number
    return True  # a name of the code's


def check(root):
    paths = list(checklib.files(root, ".c", ".md"))
    if MODULE not in paths:
        return
    module = checklib.read(root, MODULE)
    page = checklib.read(root, PAGE) if PAGE in paths else ""
    known, told, values = directives(module), documented(page), defaults(module)
    for name, (contexts, field, words) in known.items():
        if name not in told:
            yield PAGE, 1, f"{name} has no section with syntax, default and context"
            continue
        line, said, said_contexts, syntax = told[name]
        if syntax != name:
            yield PAGE, line, f"{name}: the syntax is that of {syntax}"
        if said_contexts != contexts:
            yield PAGE, line, f"{name}: the contexts are {contexts}"
        if field in values and not agrees(name, said, values[field], words):
            yield PAGE, line, f"{name}: the default is {values[field]}"
    for name in told.keys() - known.keys():
        yield PAGE, told[name][0], f"{name} is no directive"
    variables = set(re.findall(r'\{ngx_string\("(guard_\w+)"\)', checklib.read(root, VARIABLES))) if VARIABLES in paths else set()
    said_variables = set(re.findall(r"^\| `\$(guard_\w+)` \|", page, re.M))
    for name in sorted(variables ^ said_variables):
        yield PAGE, 1, f"${name} is " + ("not documented" if name in variables else "no variable")


CODE = """#define GATE_ANY (NGX_HTTP_MAIN_CONF | NGX_HTTP_LOC_CONF)
static ngx_conf_enum_t kinds[] = {
    {ngx_string("open"), KIND_OPEN},
    {ngx_string("closed"), KIND_CLOSED},
};
static ngx_command_t commands[] = {
    {ngx_string("one"), GATE_ANY | NGX_CONF_TAKE1, set, 0, offsetof(conf_t, one), kinds},
    {ngx_string("two"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, set, 0, offsetof(conf_t, two),
     NULL},
};
    ngx_conf_merge_uint_value(conf->one, outer->one, KIND_OPEN);
    ngx_conf_init_size_value(conf->two, 4 * 1024 * 1024);
"""


def section(name, default, contexts):
    return (f"### {name}\n\n| | |\n|---|---|\n| Syntax | `{name} X;` |\n| Default | {default} |\n"
            f"| Context | {contexts} |\n\nText.\n")


GOOD = [section("one", "`one open;`", "http, location"), section("two", "`two 4m;`", "http")]


def fixture(*sections, variables="", told=""):
    return {MODULE: CODE, PAGE: "\n".join(sections) + told, VARIABLES: variables}


FIXTURES = [
    (fixture(*GOOD), None),
    (fixture(GOOD[0]), "two has no section"),
    (fixture(*GOOD, section("three", "\N{EM DASH}", "http")), "three is no directive"),
    (fixture(section("one", "`one open;`", "http"), GOOD[1]), "one: the contexts are http, location"),
    (fixture(section("one", "`one closed;`", "http, location"), GOOD[1]), "one: the default is KIND_OPEN"),
    (fixture(GOOD[0], section("two", "`two 1m;`", "http")), "two: the default is 4"),
    (fixture(*GOOD, variables='{ngx_string("guard_id"), f}', told="\n| `$guard_id` | x |\n"), None),
    (fixture(*GOOD, variables='{ngx_string("guard_id"), f}'), "$guard_id is not documented"),
    (fixture(*GOOD, told="\n| `$guard_id` | x |\n"), "$guard_id is no variable"),
]
if __name__ == "__main__":
    checklib.main(check, FIXTURES)
