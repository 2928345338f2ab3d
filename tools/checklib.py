# SPDX-License-Identifier: Apache-2.0
"""What the check-*.py scripts share: which files there are, C without its comments, the report, and the self-test.

A checker is a function check(root) that yields (path, line, text) for each violation, and a list of fixtures: small trees
that must be accepted, or refused for the reason given. `--self-test` runs those.
"""
import os
import re
import subprocess
import sys
import tempfile

SKIPPED = {".git", "build", "node_modules", "__pycache__"}


def files(root, *suffixes):
    """Paths relative to root of the files that belong to the repository; without suffixes all of them."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=root, capture_output=True, check=False)
    if listed.returncode == 0 and os.path.exists(os.path.join(root, ".git")):
        found = [path for path in listed.stdout.decode().split("\0") if path]
    else:
        found = []
        for folder, folders, names in os.walk(root):
            folders[:] = [f for f in folders if f not in SKIPPED and not f.startswith("build-")]
            found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(path for path in set(found)
                  if (not suffixes or path.endswith(suffixes)) and os.path.isfile(os.path.join(root, path)))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(text, strings=True):
    """C source with comments (and the contents of strings) blanked out; line numbers stay."""
    def replace(match):
        token = match.group()
        if token[0] == "/":
            return re.sub(r"[^\n]", " ", token)
        return token[0] + " " * (len(token) - 2) + token[0] if strings else token
    return TOKEN.sub(replace, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def self_test(check, fixtures):
    failed = 0
    for tree, expected in fixtures:
        with tempfile.TemporaryDirectory() as root:
            for path, content in tree.items():
                target = os.path.join(root, path)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(target, "w", encoding="utf-8") as file:
                    file.write(content)
            found = [f"{path}:{line}: {text}" for path, line, text in check(root)]
        if expected is None and found:
            failed += 1
            print(f"self-test: should be accepted: {sorted(tree)}: {found}", file=sys.stderr)
        if expected is not None and not any(expected in text for text in found):
            failed += 1
            print(f"self-test: should be refused ({expected}): {sorted(tree)}: {found}", file=sys.stderr)
    return failed


def main(check, fixtures):
    name = os.path.basename(sys.argv[0]).removesuffix(".py")
    if sys.argv[1:] == ["--self-test"]:
        failed = self_test(check, fixtures)
        print(f"{name}: self-test: {len(fixtures) - failed} of {len(fixtures)}")
        sys.exit(1 if failed else 0)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    count = 0
    for path, line, text in check(root):
        count += 1
        print(f"{path}:{line}: {text}", file=sys.stderr)
    print(f"{name}: {'ok' if count == 0 else f'{count} violations'}")
    sys.exit(1 if count else 0)
