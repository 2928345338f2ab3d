#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the really vulnerable services of tests/integration/vulnerable and prints the table of what became of each exploit; --write puts it
into docs/guide/patches.md. --check only looks whether that page's table has exactly the exploits that there are. Exit status 1 when an exploit
doesn't work, or the page is behind."""
import os
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "guide" / "patches.md"
BEGIN, END = "<!-- vulnerable: made by tools/vulnerable.py -->", "<!-- vulnerable: end -->"
CATALOGUE = ROOT / "tests" / "integration" / "vulnerable" / "catalogue.py"
HEAD = ("| package | exploit | what | plain nginx | observing gate | what was learned alone | without likeness | benign blocked (95 %) | patch by `guard patch from` | mutations | benign by the patch |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|\n")


def known():
    """(package, number) of each exploit, read as text: looking needs no build and no packages."""
    return re.findall(r'^    Exploit\("\w+", "([\w-]+)", "([^"]+)"', CATALOGUE.read_text(encoding="utf-8"), re.M)


def shown(text):
    found = re.search(re.escape(BEGIN) + r"\n(.*?)" + re.escape(END), text, re.S)
    return re.findall(r"^\| ([^|]+) \| ([\w-]+) \|", found[1], re.M)[1:] if found else []


def check():
    told = [(number, package) for package, number in shown(PAGE.read_text(encoding="utf-8"))] if PAGE.exists() else []
    behind = sorted(set(known()) ^ set(told))
    for number, package in behind:
        print(f"vulnerable.py: {number} ({package}) is in only one of {PAGE.relative_to(ROOT)} and {CATALOGUE.relative_to(ROOT)}", file=sys.stderr)
    return 1 if behind or len(told) < 8 else 0


def why(row):
    """The reason without what differs from run to run: who vouches, and how often."""
    return re.sub(r" in [\d,]+ (requests|values) from.*", "", row.reason.partition(" ")[2]).replace("|", "\\|").replace("\\x22", '"')


def line(row, interval):
    low, high = interval(len(row.refused), row.benign)
    cells = [row.exploit.package, row.exploit.number, row.exploit.what, "works" if row.plain else "FAILS", "works, same answer" if row.observed else "DIFFERS",
             f"{row.verdict}: `{why(row)}`" if row.verdict != "missed" else "missed", row.novelty, f"{len(row.refused)} of {row.benign} ({low:.1%} to {high:.1%})", row.patched,
             f"{row.mutations_stopped} of {row.mutations}", f"{len(row.patched_refused)} of {row.benign}"]
    return "| " + " | ".join(cells) + " |\n"


def measure():
    sys.path.insert(0, str(ROOT / "tests" / "integration"))
    from vulnerable.packages import Unreachable, installed
    from vulnerable.rig import Rig, interval
    try:
        modules = installed()
    except Unreachable as reason:
        sys.exit(f"vulnerable.py: {reason}")
    with tempfile.TemporaryDirectory(prefix="guard-exploits.") as folder:
        os.chmod(folder, 0o711)
        with Rig(pathlib.Path(folder), modules) as rig:
            rows = rig.measure()
    refused, of = sum(len(row.refused) for row in rows), sum(row.benign for row in rows)
    low, high = interval(refused, of)
    stopped = sum(row.verdict == "blocked" for row in rows)
    novel = sum(row.novelty == "blocked" for row in rows)
    text = HEAD + "".join(line(row, interval) for row in rows)
    return rows, text + f"\nWhat was learned alone blocks {stopped} of {len(rows)}, without likeness {novel}; of the benign requests {refused} of {of} ({low:.2%} to {high:.2%}).\n"


def main():
    if "--check" in sys.argv[1:]:
        return check()
    rows, text = measure()
    print(text, end="")
    if "--write" in sys.argv[1:]:
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")
    return 0 if all(row.plain and row.observed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
