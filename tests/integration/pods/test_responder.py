# SPDX-License-Identifier: Apache-2.0
"""guard-responder on the real kernel, with fake pods: it does to the one pod what it is ordered and configured to, and nothing else."""

import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import sys

import pytest
from harness import wait_for
from kernel import Pod, programs_of
from responders import RESPONDER, Responder, cannot, version_2

WHY_NOT = cannot()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"SKIPPED: {WHY_NOT}")
NUMBERS = iter(range(os.getpid() * 16 + 1, os.getpid() * 16 + 10000))
BUDGET = {"share": 0.5, "windowSeconds": 60, "backoffFirstSeconds": 1, "backoffMaxSeconds": 1, "calmSeconds": 1}

# A service in a pod that does on each line of its standard input what stands there and says how it went.
AGENT = r"""
import os, signal, socket, subprocess, sys
held = {}
def run(words):
    if words[0] == "connect":
        held[words[1] + words[2]] = socket.create_connection((words[1], int(words[2])), timeout=20)
        return "connected"
    if words[0] == "send":
        s = held[words[1] + words[2]]; s.sendall(b"ping"); return s.recv(4).decode()
    if words[0] == "sendto":
        family = socket.AF_INET6 if ":" in words[1] else socket.AF_INET
        socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", (words[1], int(words[2]))); return "sent"
    if words[0] == "raw":
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close(); return "made"
    if words[0] == "exec":
        return str(subprocess.run(words[1:]).returncode)
    return "?"
print("ready", flush=True)
for line in sys.stdin:
    try:
        print(run(line.split()), flush=True)
    except OSError as error:
        print("error", error.errno, flush=True)
"""


class Agent:
    def __init__(self, pod):
        self.pod = pod
        self.process = pod.start(sys.executable, "-c", AGENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def root():
    folder = version_2() / f"guardtest{os.getpid()}r.slice"
    folder.mkdir(exist_ok=True)
    yield folder
    if folder.exists():
        wait_for(lambda: folder.rmdir() is None, "the root group to be removed", timeout=10)


@pytest.fixture
def pods(root):
    made = [Pod(root, next(NUMBERS)) for _ in range(3)]
    yield made
    for pod in made:
        (pod.folder.parent / "cgroup.freeze").write_text("0") if pod.folder.exists() else None
        pod.end()


@pytest.fixture
def agents(pods):
    made = [Agent(pod) for pod in pods]
    yield made
    for agent in made:
        agent.close()


@pytest.fixture
def responder(tmp_path, root):
    made = []

    def make(**members):
        made.append(Responder(tmp_path, root, **members))
        return made[-1].start()

    yield make
    for one in made:
        one.end()


@pytest.fixture
def outside():
    """Echoes what it gets, outside of all pods; several connections."""
    code = ("import socketserver, sys\n"
            "class H(socketserver.BaseRequestHandler):\n"
            "    def handle(self):\n"
            "        while (data := self.request.recv(100)): self.request.sendall(data)\n"
            "class S(socketserver.ThreadingTCPServer):\n    daemon_threads = True\n"
            "s = S((sys.argv[1], 0), H); print(s.server_address[1], flush=True); s.serve_forever()\n")
    address = own_address()
    process = subprocess.Popen([sys.executable, "-c", code, address], stdout=subprocess.PIPE, text=True)
    yield address, int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()


def own_address():
    """Of this machine, and not loopback: nothing leaves it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            pytest.skip("SKIPPED: no address besides loopback")


def contained(responder, order):
    line = responder.did(order, "contain")
    if line["outcome"] == "failed" and "kernel takes no programs" in line["detail"]:
        pytest.skip(f"SKIPPED: {line['detail']}")
    assert line["outcome"] == "done", line


def test_one_pod_is_contained_and_others_are_not(pods, agents, responder, outside):
    serving = responder()
    bad, good = agents[0], agents[1]
    assert bad.ask("connect", *outside) == "connected"
    order = serving.order(pods[0])
    contained(serving, order)
    assert bad.ask("send", *outside) == "ping"  # what is open goes on
    assert bad.ask("connect", *outside) == "error 1"  # EPERM
    assert bad.ask("connect", "::ffff:" + outside[0], outside[1]) == "error 1"
    assert bad.ask("sendto", "192.0.2.9", 53) == "error 1" and bad.ask("sendto", "2001:db8::1", 53) == "error 1"
    assert bad.ask("raw") in ("error 1", "error 13")
    assert bad.ask("sendto", "127.0.0.1", 9) == "sent"  # itself
    assert bad.ask("exec", "/bin/true") == "-9"
    assert good.ask("connect", *outside) == "connected" and good.ask("exec", "/bin/true") == "0"
    assert serving.ended(order)["end"] == "kept"
    assert bad.ask("exec", "/bin/true") == "-9"  # it stays so
    assert programs_of("contain_")
    serving.end()
    assert bad.ask("connect", *outside) == "connected" and bad.ask("exec", "/bin/true") == "0"
    wait_for(lambda: not programs_of("contain_"), "the kernel to have no programs of it")


def test_a_killed_responder_contains_nothing_and_the_next_one_does_again(pods, agents, responder, outside):
    serving = responder()
    order = serving.order(pods[0])
    contained(serving, order)
    serving.ended(order)
    serving.kill()
    wait_for(lambda: not programs_of("contain_"), "the kernel to take the programs away")
    assert agents[0].ask("connect", *outside) == "connected"
    serving.start()
    wait_for(lambda: agents[0].ask("exec", "/bin/true") == "-9", "the pod to be contained again")
    assert [line for line in serving.lines(order) if "end" in line] == [serving.ended(order)]


def test_listed_destinations_stay_open_and_the_time_ends(pods, agents, responder, outside):
    serving = responder(containment={"by": "deny", "allow": [f"{outside[0]}/32:{outside[1]}", "[2001:db8::/32]:53"], "holdSeconds": 3})
    order = serving.order(pods[0])
    contained(serving, order)
    assert agents[0].ask("connect", *outside) == "connected"
    assert agents[0].ask("connect", outside[0], 1) == "error 1"
    assert agents[0].ask("sendto", "2001:db8::1", 54) == "error 1" and agents[0].ask("sendto", "2001:db8::1", 53) != "error 1"
    assert agents[0].ask("exec", "/bin/true") == "-9"
    let_go = wait_for(lambda: serving.events("pod-let-go"), "the pod to be let go")
    assert "1 programs" in let_go[0], let_go
    assert agents[0].ask("exec", "/bin/true") == "0"
