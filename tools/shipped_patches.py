#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tables of docs/guide/shipped-patches.md: what each patch does, from the documents in patches/ and their tests; and with --benign
how many exchanges of a folder without attacks all of them together, enforced, hit, measured with `guard check`.

usage: tools/shipped_patches.py [--benign FOLDER] [--write]

Without --write it only tells whether the first table is up to date (exit status 1: it isn't), and prints the other. FOLDER has recordings in
folders, lines of exchanges (*/*.jsonl.gz); those named for attacks or for calls to others than the service are left out. The exit status is 1 when
something is hit. Programs are taken from $GUARD_BIN or build/bin."""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "docs", "guide", "shipped-patches.md")
BEGIN = "<!-- shipped: made by tools/shipped_patches.py -->\n"
END = "<!-- shipped: end -->\n"
BENIGN_BEGIN = "<!-- benign: made by tools/shipped_patches.py -->\n"
BENIGN_END = "<!-- benign: end -->\n"
BIN = pathlib.Path(os.environ.get("GUARD_BIN", os.path.join(ROOT, "build", "bin")))
NOT_BENIGN = ("attacks", "transplant", "egress", "payloads")  # in names of files; egress: calls that the service makes, which aren't held against these


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


def documents():
    """Names of the files, by year and number."""
    return sorted((name for name in os.listdir(os.path.join(ROOT, "patches")) if name.endswith(".yaml")),
                  key=lambda name: [int(part) for part in name[4:-5].split("-")])


def table():
    names = documents()
    return "| id | title | what it does | for | references | exploits tested | look-alikes tested |\n|---|---|---|---|---|---|---|\n" \
        + "".join(map(row, names)) + f"\n{len(names)} patches.\n"


def enforced(folder):
    """A Guardian that has all of them in force, and nothing else."""
    patches = [{**patch, "mode": "enforce"} for name in documents() for patch in load("patches", name)["patches"]]
    path = os.path.join(folder, "shop.yaml")
    with open(path, "w", encoding="utf-8") as out:
        yaml.safe_dump({"apiVersion": "guard/v1alpha1", "kind": "Guardian", "service": "svc", "patches": patches}, out, sort_keys=False)
    return path


def benign_files(folder):
    return sorted(path for path in pathlib.Path(folder).glob("*/*.jsonl.gz") if not any(word in path.name for word in NOT_BENIGN))


def held_against(guardian, file):
    """(exchanges, [(id, patches that hit it)])."""
    done = subprocess.run([BIN / "guard", "check", "--guardian", guardian, "--configured-only", "--clients", "off", "--format", "jsonl", file],
                          stdout=subprocess.PIPE, timeout=1800, check=True)
    total, hit = 0, []
    for line in done.stdout.splitlines():
        verdict = json.loads(line)
        patches = sorted({finding["patch"] for finding in verdict["findings"] if "patch" in finding})
        total += 1
        if patches:
            hit.append((verdict["id"], patches))
    return total, hit


def benign(folder):
    """The table, and what was hit."""
    sys.path[:0] = [os.path.join(ROOT, "tests", "integration")]
    from vulnerable.rig import interval
    counts, hits, everything = collections.Counter(), collections.Counter(), []
    with tempfile.TemporaryDirectory() as work:
        guardian = enforced(work)
        for file in benign_files(folder):
            total, hit = held_against(guardian, file)
            counts[file.parent.name] += total
            hits[file.parent.name] += len(hit)
            everything += [(file.name, *one) for one in hit]
    text = f"| recordings | exchanges | hit by one of {len(documents())} patches | share (95 %) |\n|---|---|---|---|\n"
    for name, total in [*sorted(counts.items()), ("all", sum(counts.values()))]:
        hit = hits[name] if name != "all" else sum(hits.values())
        low, high = interval(hit, total)
        text += f"| {name} | {total:,} | {hit} | {hit / total:.3%} ({low:.3%} to {high:.3%}) |\n"
    return text, everything


def replaced(page, begin, end, new):
    before, rest = page.split(begin)
    old, after = rest.split(end)
    return before + begin + new + end + after, old != new


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benign", metavar="FOLDER")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with open(PAGE, encoding="utf-8") as file:
        page, stale = replaced(file.read(), BEGIN, END, table())
    hit = []
    if given.benign is not None:
        text, hit = benign(given.benign)
        page, _ = replaced(page, BENIGN_BEGIN, BENIGN_END, text)
        print(text + "".join(f"{name} {exchange}: {', '.join(patches)}\n" for name, exchange, patches in hit), end="")
    if given.write:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(page)
    elif stale:
        sys.exit("docs/guide/shipped-patches.md isn't what the patches say: tools/shipped_patches.py --write")
    if hit:
        sys.exit(1)


main()
