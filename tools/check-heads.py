#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every source says its licence in one line and why it exists; no text names a place of one machine."""
import os
import re

import checklib

SOURCES = (".c", ".h", ".py", ".sh", ".ts", ".svelte", "meson.build", "Makefile", ".ci/run")
BINARY = (".png", ".ico", ".gz", ".pile", ".policy", ".woff2", ".jpg")
DATA = ("fuzz/corpus/", "tests/golden/", "tests/data/")
LICENCE = "SPDX-License-Identifier: " + "Apache-2.0"
# Spelled so that this file doesn't contain what it looks for.
PLACES = re.compile("|".join(["/wor" + "k/", "/far" + "m/", "/tmp/bash_" + "jobs", "/tmp/te" + "am", "/home/" + r"[a-z]",
                              "/ro" + r"ot/\w"]))


def check(root):
    for path in checklib.files(root):
        if path.startswith(DATA) or path.endswith(BINARY):
            continue
        text = checklib.read(root, path)
        if path.endswith(SOURCES) and text.strip():
            head = text.split("\n")[:6]
            if not any(LICENCE in line for line in head[:3]):
                yield path, 1, f"no line '{LICENCE}' at its head"
            elif path.endswith((".c", ".h")) and not any(line.startswith("/* ") for line in head[1:4]):
                yield path, 2, "no comment that says why the file exists"
        for match in PLACES.finditer(text):
            yield path, checklib.line_of(text, match.start()), f"names a place of one machine: {match.group()}"
        if os.path.basename(path) not in ("LICENSE",) and re.search(r"^(<<<<<<<|>>>>>>>) ", text, re.M):
            yield path, 1, "an unresolved merge"


HEAD = f"/* {LICENCE} */\n/* Why. */\n"
FIXTURES = [
    ({"a.c": HEAD}, None),
    ({"a.c": f"/* {LICENCE} */\nint x;\n"}, "why the file exists"),
    ({"a.c": "/* Why. */\nint x;\n"}, "no line"),
    ({"a.sh": "#!/bin/sh\n# " + LICENCE + "\n"}, None),
    ({"meson.build": "x = 1\n"}, "no line"),
    ({"a.c": HEAD + "/* see /wor" + "k/x */\n"}, "one machine"),
    ({"README.md": "cd /home/" + "jim/guard\n"}, "one machine"),
]

if __name__ == "__main__":
    checklib.main(check, FIXTURES)
