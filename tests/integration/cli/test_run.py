# SPDX-License-Identifier: Apache-2.0
"""What `guard run` refuses before it starts anything, with the reason that helps."""

import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN, accepts, end_process, free_port, wait_for  # noqa: E402

ACCOUNT = "www-data"  # of nginx's workers, by default


@pytest.fixture
def folder():
    """A folder that every account may enter; not below tmp_path, which is root's alone."""
    if os.geteuid() != 0:
        pytest.skip("only root starts workers under another account; run the tests as root to see this")
    with tempfile.TemporaryDirectory(prefix="guard-test.") as path:
        os.chmod(path, 0o711)
        yield pathlib.Path(path)


def run(state, port, *arguments, **options):
    return subprocess.Popen([BIN / "guard", "run", "--upstream", "http://127.0.0.1:9", "--listen", f"127.0.0.1:{port}",
                             "--workers", "1", "--state", state, *arguments], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


# 0750 root:root is open to who is of root's group: that of `guard run`, not of the workers.
@pytest.mark.parametrize("mode", [0o700, 0o750])
def test_a_state_folder_that_workers_cannot_enter_is_refused_by_name(folder, mode):
    closed = folder / "closed"
    closed.mkdir()
    os.chown(closed, 0, 0)
    os.chmod(closed, mode)
    port = free_port()
    process = run(closed / "state", port, extra_groups=[0])
    try:
        output, errors = process.communicate(timeout=30)
    finally:
        end_process(process)
    assert process.returncode == 1 and output == ""
    assert f"{closed}/state/rings: account {ACCOUNT} can't get there" in errors and "--user" in errors and "--state" in errors
    assert not (closed / "state" / "guard.db").exists(), "guardd was started"
    assert not accepts(port)


def test_the_same_folder_is_taken_once_it_is_open(folder):
    opened = folder / "opened"
    opened.mkdir()
    os.chmod(opened, 0o711)
    port = free_port()
    process = run(opened / "state", port)
    try:
        assert process.stdout.readline() == f"guard: listening on http://127.0.0.1:{port}\n", process.communicate()
        wait_for(lambda: list((opened / "state" / "rings").glob("*.ring")), "a ring that the worker made", 30)
    finally:
        end_process(process, timeout=30)
    assert process.returncode == 0
