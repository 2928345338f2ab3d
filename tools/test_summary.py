#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up what the stages of a test run left in a folder and ends with `N passed, N failed[, N skipped]`.

*.testlog.json  meson's, one test per line          *.junit.xml    pytest's
*.summary.log   text with `N passed, N failed`      stages.tsv     kind, name, exit status and seconds of each stage
Exit status 1 when anything failed or nothing ran. usage: tools/test_summary.py FOLDER | --self-test
"""
import glob
import json
import os
import re
import sys
import tempfile
import xml.etree.ElementTree

LINE = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
MESON = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.names = []

    def add(self, outcome, name):
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome == "failed":
            self.names.append(name)

    def line(self):
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


def add_meson(counts, path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            test = json.loads(line)
            counts.add(MESON.get(test["result"], "failed"), test["name"])


def add_junit(counts, path):
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        tags = {child.tag for child in case}
        outcome = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
        counts.add(outcome, f"{case.get('classname')}::{case.get('name')}")


def add_text(counts, path):
    """The last such line counts: a script that runs others ends with their sum."""
    with open(path, encoding="utf-8", errors="replace") as file:
        found = [match for match in map(LINE.match, map(str.strip, file)) if match]
    if not found:
        counts.add("failed", f"{os.path.basename(path)}: no summary line")
        return
    passed, failed, skipped = (int(number or 0) for number in found[-1].groups())
    counts.passed += passed
    counts.skipped += skipped
    for _ in range(failed):
        counts.add("failed", os.path.basename(path).split(".")[0])


def add_stages(counts, path):
    with open(path, encoding="utf-8") as file:
        stages = [line.rstrip("\n").split("\t") for line in file]
    counted_failed = bool(counts.failed)
    for kind, name, status, _ in stages:
        if kind in ("one", "leg"):
            counts.add("passed" if status == "0" else "skipped" if kind == "leg" and status == "77" else "failed", name)
        elif status != "0" and not counted_failed:
            counts.add("failed", name)


def summarize(folder):
    counts = Counts()
    readers = [("*.testlog.json", add_meson), ("*.junit.xml", add_junit), ("*.summary.log", add_text), ("stages.tsv", add_stages)]
    for pattern, reader in readers:
        for path in sorted(glob.glob(os.path.join(folder, pattern))):
            try:
                reader(counts, path)
            except (ValueError, KeyError, xml.etree.ElementTree.ParseError) as error:
                counts.add("failed", f"{os.path.basename(path)}: {error}")
    return counts


def self_test():
    cases = [
        ({"a.testlog.json": '{"name":"x","result":"OK"}\n{"name":"y","result":"TIMEOUT"}\n'}, "1 passed, 1 failed"),
        ({"a.testlog.json": '{"name":"x","result":"SKIP"}\n'}, "0 passed, 0 failed, 1 skipped"),
        ({"a.testlog.json": "{"}, "0 passed, 1 failed"),
        ({"a.junit.xml": "<a><testcase name='x'/><testcase name='y'><failure/></testcase></a>"}, "1 passed, 1 failed"),
        ({"a.summary.log": "3 passed, 0 failed\nx\n5 passed, 2 failed, 1 skipped\n"}, "5 passed, 2 failed, 1 skipped"),
        ({"a.summary.log": "Segmentation fault\n"}, "0 passed, 1 failed"),
        ({"stages.tsv": "one\tbuild\t0\t3\none\tcheck\t1\t3\ncounted\ttests\t1\t2\n"}, "1 passed, 2 failed"),
        ({"stages.tsv": "leg\tx\t0\t3\nleg\ty\t77\t3\nleg\tz\t1\t3\none\tv\t77\t1\n"}, "1 passed, 2 failed, 1 skipped"),
        ({"a.summary.log": "5 passed, 1 failed\n", "stages.tsv": "counted\ttests\t1\t2\n"}, "5 passed, 1 failed"),
    ]
    failed = 0
    for files, expected in cases:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(content)
            line = summarize(folder).line()
        if line != expected:
            failed += 1
            print(f"self-test: {files}: {line}, not {expected}", file=sys.stderr)
    print(f"test_summary: self-test: {len(cases) - failed} of {len(cases)}")
    return 1 if failed else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    counts = summarize(sys.argv[1])
    print()
    for name in counts.names:
        print(f"FAILED {name}")
    print(counts.line(), flush=True)
    return 1 if counts.failed or not counts.passed else 0


if __name__ == "__main__":
    sys.exit(main())
