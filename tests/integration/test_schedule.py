# SPDX-License-Identifier: Apache-2.0
"""How tests are shared among processes: schedule.py names files that are there, once, and all of a unit go to one process."""

import itertools
import pathlib
import subprocess
import sys

import pytest
import schedule

HERE = pathlib.Path(__file__).resolve().parent


def test_files_are_there_and_named_once():
    names = list(itertools.chain(*schedule.LONGEST))
    assert [name for name in names if not (HERE / name).exists()] == []
    assert len(names) == len(set(names))


def test_what_is_named_comes_first_and_the_rest_as_it_was():
    class Item:
        def __init__(self, nodeid):
            self.nodeid = nodeid
    (last, *_), (first, second, *_) = schedule.LONGEST[1], schedule.LONGEST[0]
    given = [f"tests/integration/{name}::test_{number}" for name in ("api/a.py", last, "b.py", second, first) for number in (1, 2)]
    items = [Item(name) for name in given]
    schedule.order(items)
    assert [item.nodeid for item in items] == [*given[6:8], *given[8:10], *given[2:4], *given[0:2], *given[4:6]]


def test_a_unit_is_of_one_process(tmp_path):
    """Two processes, a unit of two files beside two files that are none."""
    pytest.importorskip("xdist")
    folder = tmp_path / "tests" / "integration"
    files = [*schedule.LONGEST[0][:2], "one.py", "two.py"]
    for name in files:
        path = folder / pathlib.Path(name).parent / f"test_{pathlib.Path(name).stem.removeprefix('test_')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("import os, pathlib, pytest\n@pytest.mark.parametrize('number', range(4))\ndef test(number):\n"
                        "    with open(pathlib.Path(os.environ['SEEN']), 'a') as file:\n"
                        "        file.write(f\"{__name__.rpartition('.')[2]} {os.environ['PYTEST_XDIST_WORKER']}\\n\")\n")
    (folder / "conftest.py").write_text(f"import sys\nsys.path.insert(0, {str(HERE)!r})\nimport schedule\n"
                                        "def pytest_xdist_make_scheduler(config, log):\n    return schedule.scheduler(config, log)\n")
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile", "tests/integration"],
                          cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SEEN": str(tmp_path / "seen")})
    assert done.returncode == 0, done.stdout + done.stderr
    seen = [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
    assert len(seen) == 16
    assert len({process for name, process in seen if name in [pathlib.Path(name).stem for name in files[:2]]}) == 1
