# SPDX-License-Identifier: Apache-2.0
"""`make run` as a newcomer runs it: the demo from start to end, with its words and attack drawn from a seed, and Guard in
front of a service that isn't ours."""

import os
import pathlib
import random
import signal
import subprocess
import tempfile

import pytest

from harness import BIN, ROOT, accepts, curl, end_process, free_port, wait_for

RUN = ROOT / "tools" / "run.sh"


def environment(**settings):
    return {**os.environ, "BIN": str(BIN), **{name: str(value) for name, value in settings.items()}}


@pytest.fixture
def state():
    """Not below tmp_path: run by root, nginx's workers have another account, which may not enter that."""
    with tempfile.TemporaryDirectory(prefix="guard-test.") as path:
        os.chmod(path, 0o711)
        yield os.path.join(path, "state")


def demo(state, seed):
    process = subprocess.Popen([str(RUN)], env=environment(ONCE=1, SEED=seed, STATE=state), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output = process.communicate(timeout=300)[0]
    finally:
        end_process(process)  # run.sh then ends what it has started
    print(output)
    return process.returncode, output


@pytest.mark.parametrize("seed", [0, random.SystemRandom().randrange(1, 1 << 31)])
def test_the_demo_learns_and_blocks(state, seed):
    status, output = demo(state, seed)
    assert status == 0 and "FAIL" not in output, f"SEED={seed}"
    assert output.count("PASS") == 5, f"SEED={seed}"
    assert "403 Forbidden" in output and " BLOCK GET " in output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's temporary folder can be closed to nginx's workers")
def test_a_temporary_folder_that_workers_cannot_enter_does_no_harm(tmp_path, echo):
    tmp_path.chmod(0o700)
    port = free_port()
    process = subprocess.Popen([str(RUN)], env=environment(LISTEN=f"127.0.0.1:{port}", TMPDIR=tmp_path), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: accepts(port), "Guard to listen", 60)
    finally:
        end_process(process, timeout=60)
    assert not list(tmp_path.iterdir())


def processes_with(text):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and text.encode() in (entry / "cmdline").read_bytes():
                found.append(entry.name)
        except OSError:
            pass
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_service_of_ones_own_is_protected(state, echo, number):
    port = free_port()
    process = subprocess.Popen([str(RUN)], env=environment(UPSTREAM=f"http://127.0.0.1:{echo.port}", LISTEN=f"127.0.0.1:{port}",
                                                           STATE=state),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               # ignored when the tests run in the background, and what is ignored can't be trapped
                               preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    try:
        wait_for(lambda: accepts(port), "Guard to listen", 60)
        assert curl(f"http://127.0.0.1:{port}/users?username=tom").json()["target"] == "/users?username=tom"
        wait_for(lambda: " 1 exchanges " in guard_status(state), "the exchange to be learned", 60)
        assert len(processes_with(state)) >= 3, "guard run, guardd, nginx"
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert not accepts(port) and not processes_with(state)
    finally:
        end_process(process, timeout=60)


def guard_status(state):
    return subprocess.run([str(BIN / "guard"), "status", "--state", state], capture_output=True, text=True,
                          check=False).stdout


def test_wrong_use_is_refused(tmp_path):
    assert subprocess.run([str(RUN), "--nonsense"], capture_output=True, check=False).returncode == 2
    result = subprocess.run([str(RUN)], env=environment(BIN=tmp_path / "nothing"), capture_output=True, text=True, check=False)
    assert result.returncode == 1 and "make build" in result.stderr
