#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/internals/peers-defects.md promises a test and a mutant for each defect: both must exist, and no mutant may be stale.
docs/THREAT-MODEL.md promises tests and fuzz targets: they must exist.

A row is `| id | defect | tests | mutants | state |`. Tests are `FILE::NAME` below tests/integration or tests; mutants are names
in tests/mutants/*.toml, whose `rows` say the same. A row whose state begins with "held" must have both.
"""
import glob
import os
import re
import tomllib

from checklib import main, read

TABLE = "docs/internals/peers-defects.md"
THREATS = "docs/THREAT-MODEL.md"
ROW = re.compile(r"^\| ([A-Z]\d\d) \|(.*)\|$")


def mutants_of(root):
    """{name: mutant}"""
    found = {}
    for path in sorted(glob.glob(os.path.join(root, "tests", "mutants", "*.toml"))):
        with open(path, "rb") as file:
            for mutant in tomllib.load(file)["mutant"]:
                found[mutant["name"]] = {**mutant, "path": os.path.relpath(path, root)}
    return found


def test_exists(root, test):
    path, _, name = test.partition("::")
    for folder in ("tests/integration", "tests", "."):
        full = os.path.join(root, folder, path)
        if os.path.isfile(full):
            text = read(root, os.path.join(folder, path))
            name = name.split("[")[0]
            return not name or re.search(rf"\bdef {name}\(|^static void {name}\(", text, re.M) is not None
    return False


def check_row(root, row, cells, mutants):
    _, tests, planted, state = cells
    named = re.findall(r"`([^`]+)`", planted)
    for test in re.findall(r"`([^`]+)`", tests):
        if not test_exists(root, test):
            yield f"{row}: there is no test {test}"
    for name in named:
        if name not in mutants:
            yield f"{row}: there is no mutant {name}"
        elif row not in mutants[name]["rows"]:
            yield f"{row}: the mutant {name} doesn't name this row"
    for name, mutant in mutants.items():
        if row in mutant["rows"] and name not in named:
            yield f"{row}: the mutant {name} isn't named here"
    if state.startswith("held") and ("`" not in tests or not named):
        yield f"{row}: held, but without a test or a mutant"
    if not state.startswith(("held", "n/a", "open")):
        yield f"{row}: the state begins neither with held nor n/a nor open"


def check_threats(root):
    """Whatever looks like a test, alone or with its file."""
    if not os.path.exists(os.path.join(root, THREATS)):
        return
    for line, text in enumerate(read(root, THREATS).splitlines(), 1):
        for test in re.findall(r"`([\w/.-]*(?:test|prop|fuzz)_\w+\.(?:py|c)(?:::\w+)?)`", text):
            if not test_exists(root, test):
                yield THREATS, line, f"there is no test {test}"


def check(root):
    yield from check_threats(root)
    if not os.path.exists(os.path.join(root, TABLE)):
        return
    mutants = mutants_of(root)
    rows = set()
    for line, text in enumerate(read(root, TABLE).splitlines(), 1):
        match = ROW.match(text)
        if not match:
            continue
        cells = [cell.strip() for cell in match.group(2).split("|")]
        if len(cells) != 4:
            yield TABLE, line, f"{match.group(1)}: {len(cells) + 1} cells instead of 5"
            continue
        if match.group(1) in rows:
            yield TABLE, line, f"{match.group(1)}: is there twice"
        rows.add(match.group(1))
        for complaint in check_row(root, match.group(1), cells, mutants):
            yield TABLE, line, complaint
    for name, mutant in mutants.items():
        for row in mutant["rows"]:
            if row not in rows:
                yield mutant["path"], 1, f"{name}: there is no row {row}"
        for test in mutant["tests"]:
            if not test_exists(root, test):
                yield mutant["path"], 1, f"{name}: there is no test {test}"
        for edit in mutant["edit"]:
            path = os.path.join(root, edit["file"])
            found = read(root, edit["file"]).count(edit["find"]) if os.path.isfile(path) else 0
            if found != 1:
                yield mutant["path"], 1, f"{name}: in {edit['file']} the text to replace is there {found} times, not once"


MUTANT = '[[mutant]]\nname = "m"\nrows = ["B01"]\nplants = "x"\ntests = ["tests/t.py::test_a"]\n[[mutant.edit]]\nfile = "a.c"\nfind = "1"\nput = "2"\n'
GOOD = {TABLE: "| B01 | mixed | `t.py::test_a` | `m` | held |\n", "tests/t.py": "def test_a():\n", "a.c": "1\n", "tests/mutants/a.toml": MUTANT}
FIXTURES = [
    (GOOD, None),
    ({**GOOD, TABLE: GOOD[TABLE] + "| B02 | no such thing here | | | n/a: the pods issue |\n"}, None),
    ({**GOOD, "tests/t.py": "def test_b():\n"}, "there is no test"),
    ({**GOOD, "a.c": "1 1\n"}, "2 times"),
    ({**GOOD, TABLE: "| B01 | mixed | `t.py::test_a` | | held |\n"}, "isn't named here"),
    ({**GOOD, TABLE: GOOD[TABLE] + "| B02 | x | `t.py::test_a` | | held |\n"}, "without a test or a mutant"),
    ({**GOOD, TABLE: GOOD[TABLE].replace("`m`", "`m` `n`")}, "no mutant n"),
    ({**GOOD, TABLE: GOOD[TABLE].replace("B01", "B03")}, "doesn't name this row"),
    ({**GOOD, TABLE: GOOD[TABLE] * 2}, "twice"),
    ({**GOOD, TABLE: GOOD[TABLE].replace("held", "fine")}, "the state begins"),
    ({THREATS: "shown by `test_t.py::test_a`, `fuzz/fuzz_x.c`\n", "tests/test_t.py": "def test_a():\n", "fuzz/fuzz_x.c": "1\n"}, None),
    ({THREATS: "shown by `test_t.py::test_b`\n", "tests/test_t.py": "def test_a():\n"}, "there is no test test_t.py::test_b"),
    ({THREATS: "shown by `fuzz/fuzz_x.c`\n"}, "there is no test fuzz/fuzz_x.c"),
]

if __name__ == "__main__":
    main(check, FIXTURES)
