# SPDX-License-Identifier: Apache-2.0
"""What `guard run` refuses before it starts anything, with the reason that helps, and what it takes."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN, MODULE, accepts, curl, end_process, free_port, wait_for  # noqa: E402

ACCOUNT = "www-data"  # of nginx's workers, by default


@pytest.mark.parametrize("listen", ["127.0.0.1:{}", "0.0.0.0:{}", "[::]:{}", "*:{}"])
def test_the_console_has_an_address_of_its_own(folder, listen):
    port = free_port()
    (folder / "index.html").write_text("")
    done = subprocess.run([BIN / "guard", "run", "--upstream", "http://127.0.0.1:9", "--listen", listen.format(port), "--state", folder / "state",
                           "--console", f"127.0.0.1:{port}", "--console-files", folder], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2 and f"--console 127.0.0.1:{port} and --listen {listen.format(port)} are one address" in done.stderr, done.stderr


@pytest.fixture
def folder():
    """A folder that every account may enter; not below tmp_path, which is root's alone."""
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
    if os.geteuid() != 0:
        pytest.skip("only root starts workers under another account; run the tests as root to see this")
    closed = folder / "closed"
    closed.mkdir()
    os.chown(closed, 0, 0)
    os.chmod(closed, mode)
    port = free_port()
    process = run(closed / "state", port, extra_groups=[0])
    try:
        output, errors = process.communicate(timeout=60)
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
        wait_for(lambda: list((opened / "state" / "rings").glob("*.ring")), "a ring that the worker made")
    finally:
        end_process(process)
    assert process.returncode == 0


def listens(process, port):
    return process.stdout.readline() == f"guard: listening on http://127.0.0.1:{port}\n"


def test_paths_may_have_blanks_and_what_else_nginx_would_take_for_syntax(folder):
    odd = folder / "a folder; it's {here} #1 é"
    odd.mkdir()
    odd.chmod(0o711)
    module = odd / "gate of mine.so"
    shutil.copy(MODULE, module)
    port = free_port()
    process = run(odd / "state", port, "--module", module, "--access-log", odd / "access log")
    try:
        assert listens(process, port), process.communicate()
        accepts(port)
        wait_for(lambda: list((odd / "state" / "rings").glob("*.ring")), "a ring that the worker made")
        assert (odd / "access log").exists()
    finally:
        end_process(process)
    assert process.returncode == 0


@pytest.mark.parametrize("sign", ['"', "\\", "$", "\n"])
def test_paths_that_would_end_or_change_a_quoted_text_are_refused(folder, sign):
    process = run(folder / f"a{sign}b", free_port())
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 2 and output == "" and "can't stand in a configuration" in errors


@pytest.mark.parametrize("first", ["run", "guardd"])
def test_a_state_directory_in_use_is_refused_and_its_user_goes_on(folder, first):
    state = folder / "state"
    ports = free_port(), free_port()
    if first == "run":
        owner = run(state, ports[0])
        assert listens(owner, ports[0]), owner.communicate()
        conf = (state / "nginx" / "nginx.conf").read_text()
    else:
        owner = subprocess.Popen([BIN / "guardd", "--state", state], stderr=subprocess.DEVNULL)
        wait_for(lambda: (state / "status.json").exists(), "guardd to start")
    second = run(state, ports[1])
    try:
        output, errors = second.communicate(timeout=60)
        assert second.returncode == 1 and output == "" and "another `guard run` or guardd uses this directory" in errors
        assert owner.poll() is None
        if first == "run":
            assert accepts(ports[0]) and (state / "nginx" / "nginx.conf").read_text() == conf
    finally:
        end_process(second)
        end_process(owner)


def test_it_starts_again_at_once_after_it_was_killed(folder):
    ports = free_port(), free_port()
    first = run(folder / "state", ports[0])
    second = None
    try:
        assert listens(first, ports[0]), first.communicate()
        end_process(first, signal.SIGKILL)
        second = run(folder / "state", ports[1])
        assert listens(second, ports[1]), second.communicate()
    finally:
        end_process(first)
        if second is not None:
            end_process(second)


def test_an_ordinary_user_without_a_state_directory_is_told_of_one():
    """The default is root's; what helps is to name another."""
    environment = {name: value for name, value in os.environ.items() if name != "GUARD_STATE"}
    account = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    if os.path.exists("/var/lib/guard"):
        pytest.skip("/var/lib/guard exists")
    done = subprocess.run([BIN / "guard", "run", "--upstream", "http://127.0.0.1:9"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120, check=False, env=environment, cwd="/", **account)
    assert done.returncode == 2 and "/var/lib/guard" in done.stderr and "say --state DIR, or set GUARD_STATE" in done.stderr
    assert not os.path.exists("/var/lib/guard")


def test_no_page_of_the_console_can_be_framed(folder):
    files = folder / "files"
    files.mkdir()
    os.chmod(files, 0o755)
    for name in ("index.html", "a.js"):
        (files / name).write_text("x")
    port, console = free_port(), free_port()
    process = run(folder / "state", port, "--console", f"127.0.0.1:{console}", "--console-files", files)
    try:
        wait_for(lambda: accepts(console), "the console")
        for path, status in (("", 200), ("a.js", 200), ("none", 404)):
            answer = curl(f"http://127.0.0.1:{console}/console/{path}")
            assert answer.status == status, (path, answer.body)
            assert answer.headers["x-frame-options"] == "DENY", path
            policy = answer.headers["content-security-policy"].split("; ")
            assert "script-src 'self'" in policy and "style-src 'self'" in policy and "unsafe" not in " ".join(policy), path
            assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy and "form-action 'none'" in policy, path
    finally:
        end_process(process)
