#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files have at most 800 lines and functions at most 100; longer ones hide more than one thing."""
import ast
import re

import checklib

FILE_MAX = 800
FUNCTION_MAX = 100


def c_functions(text):
    """(line, name, lines) of each function, signature and braces included: its braces stand in the first column."""
    lines = checklib.blank(text).split("\n")
    opened = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            opened = number
        elif line.startswith("}") and opened is not None:
            first = opened
            while first > 1 and lines[first - 2].strip() and not lines[first - 2].rstrip().endswith((";", "}")):
                if lines[first - 2].startswith("#"):
                    break
                first -= 1
            name = re.search(r"(\w+)\s*\(", "\n".join(lines[first - 1:opened]))
            yield first, name.group(1) if name else "?", number - first + 1
            opened = None


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.name, node.end_lineno - node.lineno + 1


def check(root):
    for path in checklib.files(root, ".c", ".h", ".py", ".sh", ".ts", ".svelte", "/run"):
        text = checklib.read(root, path)
        count = text.count("\n")
        if count > FILE_MAX:
            yield path, FILE_MAX, f"{count} lines, more than {FILE_MAX}"
        functions = c_functions(text) if path.endswith((".c", ".h")) else python_functions(text) if path.endswith(".py") else ()
        for line, name, length in functions:
            if length > FUNCTION_MAX:
                yield path, line, f"{name} has {length} lines, more than {FUNCTION_MAX}"


def function(lines):
    return "/* c */\nint f(void)\n{\n" + "    f();\n" * lines + "}\n"


FIXTURES = [
    ({"a.c": function(97)}, None),
    ({"a.c": function(98)}, "f has 101 lines"),
    ({"a.c": function(60) + "\n" + function(60)}, None),
    ({"a.c": "int x;\n" * 800}, None),
    ({"a.h": "int x;\n" * 801}, "801 lines"),
    ({"a.py": "def f():\n" + "    pass\n" * 100}, "f has 101 lines"),
]

if __name__ == "__main__":
    checklib.main(check, FIXTURES)
