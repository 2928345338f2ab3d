#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the table of docs/guide/shipped-patches.md from the documents in patches/ and their tests.

usage: tools/shipped_patches.py [--write]; without --write it only tells whether the table is up to date (exit status 1: it isn't).
"""
import os
import sys

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "docs", "guide", "shipped-patches.md")
BEGIN = "<!-- shipped: made by tools/shipped_patches.py -->\n"
END = "<!-- shipped: end -->\n"


def load(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return yaml.safe_load(file)


def cell(text):
    return text.replace("|", "\\|")


def affected(document):
    """Packages as `type name versions`, each name once; products in the words of their CPE."""
    found = {}
    for entry in document["affects"]:
        name = entry["package"][4:].replace("/", " ", 1) if "package" in entry else entry["cpe"].split(":", 1)[1].replace(":", " ")
        found.setdefault(entry["versions"], []).append(name)
    return "; ".join(f"{', '.join(names)}: `{versions.replace('||', 'or')}`" for versions, names in found.items())


def row(name):
    document, cases = load("patches", name), load("tests", "integration", "patches", "cases", name)
    patch = document["patches"][0]
    references = ", ".join(f"[{i + 1}]({url})" for i, url in enumerate(patch["references"]))
    return f"| {patch['id']} | {cell(patch['title'])} | {cell(patch['reason'])} | {cell(affected(document))} | {references} " \
           f"| {len(cases['hits'])} | {len(cases['passes'])} |\n"


def table():
    names = sorted((name for name in os.listdir(os.path.join(ROOT, "patches")) if name.endswith(".yaml")),
                   key=lambda name: [int(part) for part in name[4:-5].split("-")])
    return "| id | title | what it does | for | references | exploits tested | look-alikes tested |\n|---|---|---|---|---|---|---|\n" \
        + "".join(map(row, names)) + f"\n{len(names)} patches.\n"


def main():
    with open(PAGE, encoding="utf-8") as file:
        before, rest = file.read().split(BEGIN)
    old, after = rest.split(END)
    new = table()
    if sys.argv[1:] == ["--write"]:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(before + BEGIN + new + END + after)
    elif sys.argv[1:]:
        sys.exit(__doc__)
    elif old != new:
        sys.exit("docs/guide/shipped-patches.md isn't what the patches say: tools/shipped_patches.py --write")


main()
