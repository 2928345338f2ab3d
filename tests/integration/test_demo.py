# SPDX-License-Identifier: Apache-2.0
"""`make run` as a newcomer runs it: the demo from start to end, with its words and attack drawn from a seed, and Guard in
front of a service that isn't ours."""

import os
import pathlib
import random
import re
import select
import signal
import socket
import subprocess
import tempfile
import time

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
    process = subprocess.Popen([str(RUN)], env=environment(ONCE=1, SEED=seed, STATE=state, LISTEN=f"127.0.0.1:{free_port()}",
                                                           LEARN_SECONDS=600), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output = process.communicate(timeout=800)[0]
    finally:
        end_process(process)  # run.sh then ends what it has started
    print(output)
    return process.returncode, output


@pytest.mark.parametrize("words", ["known", "any"])
def test_the_demo_learns_and_blocks(state, words):
    seed = 0 if words == "known" else random.SystemRandom().randrange(1, 1 << 31)
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
        wait_for(lambda: accepts(port), "Guard to listen")
    finally:
        end_process(process)
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
        wait_for(lambda: accepts(port), "Guard to listen")
        assert curl(f"http://127.0.0.1:{port}/users?username=tom").json()["target"] == "/users?username=tom"
        wait_for(lambda: " 1 exchanges " in guard_status(state), "the exchange to be learned")
        assert len(processes_with(state)) >= 3, "guard run, guardd, nginx"
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert not accepts(port) and not processes_with(state)
    finally:
        end_process(process)


@pytest.fixture
def demo_service(tmp_path):
    """The demo's service with its store, as a process with a port."""
    started = []
    try:
        for name, *options in (("store", "--socket", tmp_path / "s"), ("service", "--store", tmp_path / "s")):
            log = tmp_path / f"{name}.log"
            with open(log, "wb") as out:
                started.append(subprocess.Popen([BIN / f"guard-demo-{name}", *options], stdin=subprocess.DEVNULL, stdout=out))
            wait_for(lambda: b"listening on" in log.read_bytes(), f"the {name}", 60)
        started[-1].port = int(re.search(rb":([0-9]+)\n", log.read_bytes()).group(1))
        yield started[-1]
    finally:
        for process in reversed(started):
            end_process(process)


def stopped(process):
    with open(f"/proc/{process.pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


def answered(clients):
    """How many of them get an answer: all, or as many as come until the time is over."""
    waiting = set(clients)
    end = time.monotonic() + 60
    while waiting and time.monotonic() < end:
        for sock in select.select(list(waiting), [], [], 1)[0]:
            if not sock.recv(65536):
                return len(clients) - len(waiting)
            waiting.remove(sock)
    return len(clients) - len(waiting)


def test_the_service_answers_any_number_of_requests_at_once(demo_service):
    """Its library's epoll loop went to sleep over requests when as many as it fetches at a time (128) came together: what was
    behind it then got no answer until another request came. They come together while it is stopped, as on a busy machine."""
    request = b"GET /users?username=tom HTTP/1.1\r\nHost: a\r\n\r\n"
    for count in [*range(126, 131)] * 2:
        clients = [socket.create_connection(("127.0.0.1", demo_service.port)) for _ in range(count)]
        try:
            for sock in clients:
                sock.sendall(request)
            assert answered(clients) == count, f"{count} of which each comes by itself"
            demo_service.send_signal(signal.SIGSTOP)
            wait_for(lambda: stopped(demo_service), "the service to stop", 60)
            for sock in clients:
                sock.sendall(request)
            demo_service.send_signal(signal.SIGCONT)
            assert answered(clients) == count, f"{count} at once"
        finally:
            for sock in clients:
                sock.close()


def guard_status(state):
    return subprocess.run([str(BIN / "guard"), "status", "--state", state], capture_output=True, text=True,
                          check=False).stdout


def test_it_finds_a_port_of_its_own():
    text = subprocess.run([str(BIN / "guard-demo-traffic"), "--free-port"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert 1024 <= int(text) < 65536 and not accepts(int(text))


def test_wrong_use_is_refused(tmp_path):
    assert subprocess.run([str(RUN), "--nonsense"], capture_output=True, check=False).returncode == 2
    result = subprocess.run([str(RUN)], env=environment(BIN=tmp_path / "nothing"), capture_output=True, text=True, check=False)
    assert result.returncode == 1 and "make build" in result.stderr
