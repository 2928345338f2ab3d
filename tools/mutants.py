#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants the defects of tests/mutants/*.toml one after the other in a copy of the sources, builds what changed and runs the
tests named there, of pytest, of the console's components (ui/tests/NAME.test.ts) or a whole program's source in C: they must go red. A mutant that no longer applies or builds is an error, one that survives a failure.

usage: tools/mutants.py [--list | --check | --sample N] [--green] [NAME...]
  --check      only whether each mutant applies, without building
  --sample N   N of them, others after each commit
  --green      the tests were just seen green without a mutant: that isn't tried first
The build folder ($GUARD_BUILD, default build/) must be built; it is copied, never changed. Ends with `N passed, N failed`.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("GUARD_BUILD", ROOT / "build")).resolve()
TEST_SECONDS = 300  # a mutant that hangs for so long was noticed, too
CONSOLE = ROOT / "ui" / "node_modules"
PYTEST_RED = 1      # others: nothing found, wrong use, interrupted
TESTS_IN_C = ("tests/unit", "tests/prop", "tests/golden", "tests/oom", "fuzz")  # folders of the build


def load(folder):
    mutants = []
    for path in sorted(folder.glob("*.toml")):
        with open(path, "rb") as file:
            for mutant in tomllib.load(file)["mutant"]:
                mutants.append({**mutant, "origin": path.name})
    names = [mutant["name"] for mutant in mutants]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        sys.exit(f"mutants.py: names that are used twice: {', '.join(sorted(doubled))}")
    return mutants


def planted(root, mutant):
    """The changed contents of files: {path: text}. ValueError tells what doesn't apply."""
    contents = {}
    for edit in mutant["edit"]:
        path = edit["file"]
        if path not in contents:
            try:
                contents[path] = (root / path).read_text(encoding="utf-8")
            except OSError:
                raise ValueError(f"there is no {path}") from None
        found = contents[path].count(edit["find"])
        if found != 1:
            raise ValueError(f"{path}: the text to replace is there {found} times, not once")
        contents[path] = contents[path].replace(edit["find"], edit["put"])
    return contents


def check(root, mutants):
    """What is stale: [(name, text)]."""
    stale = []
    for mutant in mutants:
        try:
            planted(root, mutant)
        except ValueError as error:
            stale.append((mutant["name"], str(error)))
        for test in mutant["tests"]:
            path, _, name = test.partition("::")
            file = root / path
            if not file.is_file() or (name and f"def {name.split('[')[0]}(" not in file.read_text(encoding="utf-8")):
                stale.append((mutant["name"], f"there is no test {test}"))
    return stale


def copy_tree(target):
    """Sources and build folder with their times, so that nothing is built again but what a mutant changes."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, check=False)
    if listed.returncode == 0:
        for name in listed.stdout.decode().split("\0"):
            if name and (ROOT / name).is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target / name)
    else:
        shutil.copytree(ROOT, target, dirs_exist_ok=True, symlinks=True,
                        ignore=lambda folder, names: [n for n in names if n.startswith("build") or n == ".git"])
    if CONSOLE.is_dir():
        (target / "ui/node_modules").symlink_to(CONSOLE)
    shutil.copytree(BUILD, target / "build", symlinks=True, ignore=shutil.ignore_patterns("run", "*.log"))
    # What meson wrote down with its whole path: where the copy's own things are.
    for name in ("build.ninja", "meson-info/intro-targets.json"):
        path = target / "build" / name
        times = path.stat()
        text = path.read_text(encoding="utf-8").replace(str(BUILD), str(target / "build")).replace(str(ROOT), str(target))
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def run(command, tree, seconds, env=None):
    """(exit status or None when it took too long, output)."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, cwd=tree, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.terminate()  # pytest then ends what its tests have started
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            status = None
        out.seek(0)
        return status, out.read().decode(errors="replace")


def targets_of(tree):
    return json.loads((tree / "build" / "meson-info" / "intro-targets.json").read_text(encoding="utf-8"))


def with_tests(tree):
    """The release build has no tests in C; the copy learns to build them, with the objects that are there."""
    for command in (["meson", "configure", "build", "-Dtests=true"], ["ninja", "-C", "build", "build.ninja"]):
        status, text = run(command, tree, 300)
        if status != 0:
            sys.exit(f"mutants.py: {' '.join(command)}: {text[-2000:]}")


def programs(tree, tests):
    """What these tests run: programs and modules, and of the tests in C their own. Pages and completions are made by running the
    programs, which a mutant may break."""
    of_tests = tuple(str(tree / "build" / folder) + "/" for folder in TESTS_IN_C)
    found = [name for target in targets_of(tree) if target["type"] in ("executable", "shared module", "shared library")
             for name in target["filename"] if not name.startswith(of_tests)]
    found += [program_of(tree, test) for test in tests if test.endswith(".c")]
    return [os.path.relpath(name, tree / "build") for name in found]


def build(tree, tests):
    status, text = run(["ninja", "-C", "build", *programs(tree, tests)], tree, 900)
    if status == 0:
        status, text = run([sys.executable, "tools/stage.py", "build"], tree, 60)
    return status == 0, "\n".join(line for line in text.splitlines() if "error" in line)[:2000] or text[-2000:]


def program_of(tree, source):
    """The program of a test that is written in C."""
    for target in targets_of(tree):
        sources = [os.path.normpath(name) for part in target["target_sources"] for name in part.get("sources", ())]
        if target["type"] == "executable" and str(tree / source) in sources:
            return target["filename"][0]
    raise ValueError(f"no program is made of {source}")


def test(tree, tests, stop_early):
    """(exit status as pytest's, output): programs first, then what pytest runs."""
    for name in (name for name in tests if name.endswith(".c")):
        status, text = run([program_of(tree, name)], tree, TEST_SECONDS)
        if status != 0:
            return status and PYTEST_RED, "FAILED " + "\nFAILED ".join(
                dict.fromkeys(f"{name}::{line.split()[-1]}" for line in text.splitlines() if line.startswith("[  FAILED  ] test_")) or [name])
    pages = [name.removeprefix("ui/") for name in tests if name.endswith(".ts")]
    if pages:
        status, text = run(["node_modules/.bin/vitest", "run", "--reporter=json", *pages], tree / "ui", TEST_SECONDS)
        if status != 0:
            return status and PYTEST_RED, "FAILED " + "\nFAILED ".join(reds_of_pages(text) or pages)
    tests = [name for name in tests if not name.endswith((".c", ".ts"))]
    if not tests:
        return 0, ""
    env = {**os.environ, "GUARD_BUILD": str(tree / "build"), "GUARD_BIN": str(tree / "build" / "bin"),
           "GUARD_MODULE": str(tree / "build" / "modules" / "ngx_http_guard_module.so"), "PYTHONDONTWRITEBYTECODE": "1"}
    if stop_early:  # what should come and doesn't need not be waited for as long as on a machine that stands still
        env["GUARD_TEST_PATIENCE"] = "20"
    return run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", *(["-x"] if stop_early else []), *tests], tree,
               TEST_SECONDS if stop_early else 1800, env)


def reds_of_pages(text):
    """As one word each, as pytest's are."""
    try:
        files = json.loads(text[text.index("{\"num"):])["testResults"]
    except ValueError:
        return []
    return ["console::" + one["fullName"].strip().replace(" ", "_") for file in files for one in file["assertionResults"] if one["status"] == "failed"]


def as_of_system(path):
    """What a file of C begins with so that the compiler doesn't warn of it: a defect may leave something unused, and
    continuous integration takes warnings for errors."""
    return f'# 1 "{path}" 3\n' if path.endswith((".c", ".h")) else ""


def judge(tree, mutant):
    """(outcome, detail): noticed, SURVIVED or STALE."""
    try:
        changed = planted(tree, mutant)
    except ValueError as error:
        return "STALE", str(error)
    before = {path: (tree / path).read_text(encoding="utf-8") for path in changed}
    try:
        for path, text in changed.items():
            (tree / path).write_text(as_of_system(path) + text, encoding="utf-8")
        built, text = build(tree, mutant["tests"])
        if not built:
            return "STALE", "doesn't build: " + text
        status, text = test(tree, mutant["tests"], True)
    finally:
        for path, original in before.items():
            (tree / path).write_text(original, encoding="utf-8")
    if status is None:
        return "noticed", "by never ending"
    if status == PYTEST_RED:
        red = [line.split(" ")[1].rpartition("::")[2] for line in text.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return "noticed", "by " + (", ".join(red) or text[-500:])
    if status == 0:
        return "SURVIVED", ", ".join(mutant["tests"])
    return "STALE", f"pytest ended with {status}: {text[-1000:]}"


def sample(mutants, count):
    """Evenly over the list, and others after each commit."""
    done = subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    begin = int(done.stdout) if done.returncode == 0 else 0
    step = max(1, len(mutants) // max(1, count))
    return [mutants[(begin + i * step) % len(mutants)] for i in range(min(count, len(mutants)))]


def run_all(mutants, green):
    failed = 0
    with tempfile.TemporaryDirectory(prefix="guard-mutants.") as folder:
        os.chmod(folder, 0o711)  # `guard run` gives its workers another account
        tree = pathlib.Path(folder) / "tree"
        tree.mkdir()
        copy_tree(tree)
        tests = sorted({test for mutant in mutants for test in mutant["tests"]})
        if any(test.endswith(".c") for test in tests):
            with_tests(tree)
        built, text = build(tree, tests)
        if not built:
            sys.exit(f"mutants.py: the sources don't build: {text}")
        status, text = (0, "") if green else test(tree, tests, False)
        if status != 0:
            sys.exit(f"mutants.py: tests are red without any mutant:\n{text[-4000:]}")
        for number, mutant in enumerate(mutants, 1):
            begin = time.monotonic()
            outcome, detail = judge(tree, mutant)
            failed += outcome != "noticed"
            print(f"{number:3}/{len(mutants)} {mutant['name']:44} {outcome:9} {time.monotonic() - begin:4.0f} s  {detail}", flush=True)
    print(f"{len(mutants) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--green", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    mutants = load(ROOT / "tests" / "mutants")
    unknown = set(options.names) - {mutant["name"] for mutant in mutants}
    if unknown:
        sys.exit(f"mutants.py: no such mutants: {', '.join(sorted(unknown))}")
    if options.names:
        mutants = [mutant for mutant in mutants if mutant["name"] in options.names]
    if not CONSOLE.is_dir() and not options.check and not options.list:
        left_out = [mutant["name"] for mutant in mutants if any(test.endswith(".ts") for test in mutant["tests"])]
        if left_out:
            print(f"mutants.py: left out, the console's packages aren't there (tools/ui.sh check): {', '.join(left_out)}")
        mutants = [mutant for mutant in mutants if mutant["name"] not in left_out]
    if options.list:
        for mutant in mutants:
            print(f"{mutant['name']:44} {' '.join(mutant['rows']):16} {mutant['plants']}")
        return 0
    stale = check(ROOT, mutants)
    for name, text in stale:
        print(f"mutants.py: {name}: {text}", file=sys.stderr)
    if options.check or stale:
        return 1 if stale else 0
    if not (BUILD / "build.ninja").exists():
        sys.exit(f"mutants.py: {BUILD} isn't built: make build")
    return run_all(sample(mutants, options.sample) if options.sample else mutants, options.green)


sys.exit(main())
