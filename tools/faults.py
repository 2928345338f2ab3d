#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests that docs/internals/faults.md names, and prints its table with what they said. --check only looks whether there are such
tests. Exit status 1 when one failed or is missing."""
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests" / "integration"


def rows():
    """(fault, what holds, [test, ...]) for each row of the table."""
    found = []
    for line in (ROOT / "docs" / "internals" / "faults.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        tests = re.findall(r"`([\w/]+\.py::\w+)`", cells[-1]) if len(cells) == 3 else []
        if tests:
            found.append((cells[0], cells[1], tests))
    return found


def missing(tests):
    return [test for test in tests if not re.search(rf"^def {test.partition('::')[2]}\(", (TESTS / test.partition("::")[0]).read_text(
        encoding="utf-8") if (TESTS / test.partition("::")[0]).exists() else "", re.M)]


def run(tests):
    """What became of each: passed, failed, skipped; of one with parameters the worst."""
    said = {}
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *[str(TESTS / test) for test in tests]],
                       cwd=ROOT, stdout=sys.stderr, check=False)
        for case in xml.etree.ElementTree.parse(report).iter("testcase"):
            name = case.get("name").partition("[")[0]
            state = "failed" if case.find("failure") is not None or case.find("error") is not None else "skipped" if case.find("skipped") is not None else "passed"
            said[name] = max(said.get(name, ""), state, key=["", "passed", "skipped", "failed"].index)
    return said


def main():
    table = rows()
    tests = [test for row in table for test in row[2]]
    gone = missing(tests)
    for test in gone:
        print(f"faults.py: there is no {test}", file=sys.stderr)
    if gone or len(table) < 10:
        return 1
    if "--check" in sys.argv[1:]:
        return 0
    said = run(tests)
    for fault, holds, named in table:
        states = [said.get(test.partition("::")[2], "failed") for test in named]
        worst = max(states, key=["passed", "skipped", "failed"].index)
        print(f"{worst:8} {fault}\n         {holds} ({len(named)} tests)")
    return 1 if "failed" in [said.get(test.partition("::")[2], "failed") for test in tests] else 0


if __name__ == "__main__":
    sys.exit(main())
