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
import time

import pytest
from harness import wait_for
from kernel import Pod, programs_held, programs_there
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
        wait_for(lambda: folder.rmdir() is None, "the root group to be removed")


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
    held = programs_held(serving.process)
    assert any(name.startswith("contain_") for name in programs_there(held))
    serving.end()
    assert bad.ask("connect", *outside) == "connected" and bad.ask("exec", "/bin/true") == "0"
    wait_for(lambda: not programs_there(held), "the kernel to have no programs of it")


def test_who_is_there_before_guardd_waits_for_it(pods, agents, tmp_path, root):
    """The folders of orders are guardd's to make; a pod that ended for want of them would be started anew ever later."""
    responder = Responder(tmp_path / "early", root)
    for folder in (responder.orders, responder.reports):
        folder.rmdir()
    responder.config.write_text(json.dumps(responder.document))
    responder.config.chmod(0o600)
    try:
        for ends in (True, False):
            with responder.log.open("wb") as log:
                responder.process = subprocess.Popen([RESPONDER, "--config", responder.config], stderr=log, stdin=subprocess.DEVNULL)
            wait_for(lambda: responder.events("guardd-awaited"), "it to say what it waits for")
            assert responder.process.poll() is None
            if ends:
                responder.end()
                assert responder.process.returncode == 0 and not responder.events("not-started"), responder.log.read_text()
        for folder in (responder.orders, responder.reports):
            folder.mkdir()
        wait_for(lambda: responder.events("started"), "it to start")
        assert len(responder.events("guardd-awaited")) == 1
        assert responder.did(responder.order(pods[0]), "contain")
    finally:
        responder.end()


def test_a_killed_responder_contains_nothing_and_the_next_one_does_again(pods, agents, responder, outside):
    serving = responder()
    order = serving.order(pods[0])
    contained(serving, order)
    serving.ended(order)
    held = programs_held(serving.process)
    serving.kill()
    assert held
    wait_for(lambda: not programs_there(held), "the kernel to take the programs away")
    assert agents[0].ask("connect", *outside) == "connected"
    serving.start()
    wait_for(lambda: agents[0].ask("exec", "/bin/true") == "-9", "the pod to be contained again")
    assert [line for line in serving.lines(order) if "end" in line] == [serving.ended(order)]


def test_listed_destinations_stay_open(pods, agents, responder, outside):
    serving = responder(containment={"by": "deny", "allow": [f"{outside[0]}/32:{outside[1]}", "[2001:db8::/32]:53"], "holdSeconds": 600})
    order = serving.order(pods[0])
    contained(serving, order)
    assert agents[0].ask("connect", *outside) == "connected"
    assert agents[0].ask("connect", outside[0], 1) == "error 1"
    assert agents[0].ask("sendto", "2001:db8::1", 54) == "error 1" and agents[0].ask("sendto", "2001:db8::1", 53) != "error 1"
    assert agents[0].ask("exec", "/bin/true") == "-9"


def test_what_is_contained_is_let_go_when_its_time_ends(pods, agents, responder):
    serving = responder(containment={"by": "deny", "holdSeconds": 15})  # long enough to be met, whatever stands still meanwhile
    contained(serving, serving.order(pods[0]))
    assert agents[0].ask("exec", "/bin/true") == "-9"
    let_go = wait_for(lambda: serving.events("pod-let-go"), "the pod to be let go")
    assert "1 programs" in let_go[0], let_go
    assert agents[0].ask("exec", "/bin/true") == "0"


def test_a_frozen_pod_stands_still_and_is_thawed_at_the_end(pods, agents, responder):
    serving = responder(containment={"by": "freeze", "holdSeconds": 600})
    frozen = pods[0].folder.parent / "cgroup.freeze"
    order = serving.order(pods[0])
    assert serving.ended(order)["end"] == "kept" and frozen.read_text() == "1\n"
    assert (pods[1].folder.parent / "cgroup.freeze").read_text() == "0\n"
    serving.kill()
    assert frozen.read_text() == "1\n"  # the kernel doesn't undo that
    subprocess.run([RESPONDER, "--config", serving.config, "--let-go"], check=True, stderr=subprocess.DEVNULL)
    assert frozen.read_text() == "0\n"
    serving.start()
    wait_for(lambda: frozen.read_text() == "1\n", "what is held to be held again")
    serving.end()
    assert frozen.read_text() == "0\n" and agents[0].ask("exec", "/bin/true") == "0"


def test_a_capture_of_hostile_processes_is_whole_and_private(pods, agents, responder, tmp_path):
    serving = responder(workload={"steps": {"contain": {}, "capture": {}}}, capture={"mebibytes": 16, "processes": 64})
    tool, long = tmp_path / "tool", "A" * 100000
    tool.write_bytes(pathlib.Path(sys.executable).resolve().read_bytes())
    tool.chmod(0o755)
    hostile = pods[0].start(tool, "-c", "import sys; print('up', flush=True); sys.stdin.read()", "\x1b[2J\"\n{}", long, "\udcff",
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    hostile.stdout.readline()
    tool.unlink()
    order = serving.order(pods[0])
    assert serving.did(order, "capture")["outcome"] == "done", serving.lines(order)
    folder = serving.state / "captures" / order
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and folder.stat().st_uid == 0
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    lines = [json.loads(line) for line in (folder / "processes.jsonl").read_text().splitlines()]
    assert {line["pid"] for line in lines} == set(pods[0].pids())
    process = next(line for line in lines if line["pid"] == hostile.pid)
    assert process["unlinked"] and process["arguments"][3] == "\x1b[2J\"\n{}" and process["argumentsCut"]
    assert "A" * 1000 in process["arguments"][4] and "\x1b" not in (folder / "processes.jsonl").read_text()
    kept = folder / process["sha256"]  # the file has no other name any more
    assert subprocess.run(["sha256sum", kept], capture_output=True, text=True, check=True).stdout.split()[0] == process["sha256"]
    assert json.loads((folder / "order.json").read_text())["id"] == order
    assert str(pods[0].folder.parent) in (folder / "cgroup.txt").read_text() and "== net/tcp\n" in (folder / "sockets.txt").read_text()
    assert not json.loads((folder / "summary.json").read_text())["cut"]
    audit = [json.loads(line) for line in (serving.state / "audit.jsonl").read_text().splitlines()]
    assert [(line["action"], line["after"]) for line in audit] == [("pod-capture", str(folder))]
    hostile.stdin.close()
    hostile.stdout.close()


def test_a_capture_is_bounded_and_says_so(pods, agents, responder, tmp_path):
    serving = responder(workload={"steps": {"contain": {}, "capture": {}}}, capture={"mebibytes": 1, "processes": 2, "keep": 1})
    for _ in range(3):
        pods[0].start("sleep", "1000")
    wait_for(lambda: len(pods[0].pids()) == 4, "four processes")
    order = serving.order(pods[0])
    line = serving.did(order, "capture")
    assert line["outcome"] == "done" and "2 processes" in line["detail"] and "not all found room" in line["detail"]
    serving.ended(order)
    # Evidence isn't thrown away for newer one.
    serving.document["workloads"][0]["budget"] = BUDGET
    serving.end()
    serving.start()
    second = serving.order(pods[1])
    assert serving.did(second, "capture")["outcome"] == "failed" and "1 captures already" in serving.outcome(second, "capture")["detail"]
    assert [path.name for path in (serving.state / "captures").iterdir()] == [order]


@pytest.mark.parametrize("uid", ["../../../system.slice", "burstable", "", "0" * 32, "self"])
def test_what_is_no_pod_is_never_touched(pods, agents, responder, root, uid):
    serving = responder(workload={"steps": {"contain": {}, "remove": {"kill": True}}})
    if uid == "self":  # the responder itself runs in that pod
        (pods[0].folder / "cgroup.procs").write_text(str(serving.process.pid))
        uid = pods[0].uid
    order = serving.order(uid)
    line = serving.ended(order)
    assert line["end"] == "untouched", serving.lines(order)
    assert serving.process.poll() is None and all(len(pod.pids()) >= 1 for pod in pods)
    assert all(agent.ask("exec", "/bin/true") == "0" for agent in agents)


def test_two_groups_that_claim_one_uid_are_not_told_apart(pods, agents, responder, root):
    serving = responder()
    other = root / f"kubepods-pod{pods[0].uid.replace('-', '_')}.slice"
    other.mkdir()
    order = serving.order(pods[0])
    assert serving.ended(order)["end"] == "untouched" and "2 control groups claim" in serving.outcome(order, "contain")["detail"]
    other.rmdir()


def test_a_pod_can_not_name_another_one_below_itself(pods, agents, responder):
    """An intruder who may make groups makes one with another pod's name: that one is found where the kubelet put it only."""
    inner = pods[0].folder / f"pod{pods[1].uid}"
    inner.mkdir()
    serving = responder()
    order = serving.order(pods[1])
    contained(serving, order)
    assert agents[1].ask("exec", "/bin/true") == "-9" and agents[0].ask("exec", "/bin/true") == "0"
    inner.rmdir()


def test_a_dry_run_says_what_it_would_do(pods, agents, responder, tmp_path):
    mark = tmp_path / "mark"
    serving = responder(dryRun=True, workload={"steps": {"contain": {}, "outOfService": {"command": ["/usr/bin/touch", str(mark)]},
                                                         "remove": {"kill": True}}})
    order = serving.order(pods[0])
    assert serving.ended(order)["end"] == "untouched"
    assert [line["outcome"] for line in serving.lines(order)[:-1]] == ["dryRun"] * 4
    assert str(pods[0].folder.parent) in serving.outcome(order, "contain")["detail"]
    assert not mark.exists() and agents[0].ask("exec", "/bin/true") == "0"


def everything(tmp_path, **steps):
    """All steps, by commands that write down that they ran and then wait for a file."""
    script = tmp_path / "step.sh"
    script.write_text('#!/bin/sh\necho "$GUARD_POD_UID $GUARD_WORKLOAD" >> "$1/ran.$GUARD_STEP"\n'
                      'while [ -e "$1/hold.$GUARD_STEP" ]; do sleep 0.05; done\necho "$GUARD_STEP is done"\n')
    script.chmod(0o755)
    command = {"command": [str(script), str(tmp_path)]}
    return {"steps": {"contain": {}, "capture": {}, "outOfService": command, "waitReady": {**command, "everySeconds": 1},
                      "remove": {"kill": True}, "verify": {"watchSeconds": 1, **command}, "tell": command, **steps}, "budget": BUDGET}


def test_a_pod_is_replaced_step_by_step(pods, agents, responder, tmp_path):
    serving = responder(workload=everything(tmp_path))
    order = serving.order(pods[0], exchange="5f3a")
    assert serving.ended(order)["end"] == "replaced", serving.lines(order)
    assert [(line["step"], line["outcome"]) for line in serving.lines(order)[:-1]] == [
        (step, "done") for step in ["contain", "capture", "outOfService", "waitReady", "remove", "verify", "tell"]]
    assert "exchange 5f3a opened the door" in serving.outcome(order, "tell")["detail"]
    wait_for(lambda: not pods[0].pids(), "the pod's processes to be gone")
    assert all(agent.ask("exec", "/bin/true") == "0" for agent in agents[1:])
    assert (tmp_path / "ran.outOfService").read_text() == f"{pods[0].uid} cart\n"
    wait_for(lambda: not list(serving.orders.iterdir()) and not list((serving.state / "orders").iterdir()), "the order to be forgotten")


@pytest.mark.parametrize("step", ["outOfService", "waitReady", "verify", "tell"])
def test_a_kill_in_the_middle_of_a_step_never_makes_it_act_twice(pods, agents, responder, tmp_path, step):
    serving = responder(workload=everything(tmp_path))
    (tmp_path / f"hold.{step}").touch()
    order = serving.order(pods[0])
    wait_for(lambda: (tmp_path / f"ran.{step}").exists(), lambda: f"{step} to begin: {serving.lines(order)}")
    serving.kill()
    (tmp_path / f"hold.{step}").unlink()
    serving.start()
    end = serving.ended(order)["end"]
    runs = {path.name[4:]: len(path.read_text().splitlines()) for path in tmp_path.glob("ran.*")}
    if step in ("outOfService", "tell"):  # they change something: not again
        assert "whether it was done isn't known" in serving.outcome(order, step)["detail"] and runs[step] == 1
    if step == "outOfService":
        assert end == "kept" and "remove" not in runs and agents[0].ask("exec", "/bin/true") == "-9"
    else:
        assert end == "replaced" and runs["outOfService"] == 1
    for name in STEPS_TOLD:
        serving.outcome(order, name)  # asserts that none was told twice


def child_of(process):
    found = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(found[0]) if found else None


def stopped_in_capture(serving, partial, named):
    """The capture's process, stopped after it began a file of that name and before it was done."""
    def stopped():
        child = child_of(serving.process)
        if child is None:
            return None
        os.kill(child, signal.SIGSTOP)
        if (partial / named).exists() and not (partial / "summary.json").exists():
            return child
        os.kill(child, signal.SIGCONT)
        return None
    return wait_for(stopped, f"the capture to have {named}", pause=0)


@pytest.mark.parametrize("named", ["order.json", "processes.jsonl"])
def test_a_kill_in_the_middle_of_a_capture_leaves_half_of_one_and_says_so(pods, agents, responder, tmp_path, named):
    tool = tmp_path / "large"
    tool.write_bytes(pathlib.Path("/bin/sleep").read_bytes())
    os.truncate(tool, 1 << 30)  # it takes a while to hash it, and is stopped before
    tool.chmod(0o755)
    pods[0].start(tool, "1000")
    serving = responder(workload=everything(tmp_path))
    folder = serving.state / "captures"
    (tmp_path / "hold.outOfService").touch()
    order = serving.order(pods[0])
    child = stopped_in_capture(serving, folder / f"{order}.partial", named)
    serving.kill()
    wait_for(lambda: not pathlib.Path(f"/proc/{child}").exists(), "the capture to end with the responder")
    (tmp_path / "hold.outOfService").unlink()
    serving.start()
    assert serving.ended(order)["end"] == "replaced", serving.lines(order)
    line = serving.outcome(order, "capture")
    assert line["outcome"] == "failed" and "was interrupted" in line["detail"] and f"{order}.partial" in line["detail"]
    assert not (folder / order).exists() and not (folder / f"{order}.partial" / "summary.json").exists()
    assert [one["step"] for one in serving.lines(order)[:-1]] == STEPS_TOLD


def test_a_kill_behind_a_capture_makes_no_second_one(pods, agents, responder, tmp_path):
    serving = responder(workload=everything(tmp_path))
    (tmp_path / "hold.outOfService").touch()
    order = serving.order(pods[0])
    whole = serving.state / "captures" / order
    wait_for(whole.exists, "the capture to be whole", pause=0)
    serving.kill()
    before = (whole / "summary.json").read_bytes()
    (tmp_path / "hold.outOfService").unlink()
    serving.start()
    serving.ended(order)
    assert serving.outcome(order, "capture")["outcome"] == "done"
    assert (whole / "summary.json").read_bytes() == before and [path.name for path in whole.parent.iterdir()] == [order]


def test_a_kill_in_the_middle_of_the_kill_spares_who_came_after(pods, agents, responder, tmp_path):
    """A kubelet starts the pod's containers anew as soon as they are gone, in the same group."""
    serving = responder(workload=everything(tmp_path), containment={"by": "denyOrFreeze", "holdSeconds": 600})
    (tmp_path / "hold.verify").touch()
    (tmp_path / "hold.waitReady").touch()
    order = serving.order(pods[0])
    wait_for(lambda: (tmp_path / "ran.waitReady").exists(), "the wait for a replacement")
    (tmp_path / "hold.waitReady").unlink()
    wait_for(lambda: not pods[0].pids(), "the pod's processes to be gone", pause=0)
    serving.kill()
    younger = pods[0].start("/bin/sleep", "1000")
    wait_for(lambda: pods[0].pids() == [younger.pid], "it to be in the group")
    (tmp_path / "hold.verify").unlink()
    serving.start()
    assert serving.ended(order)["end"] == "replaced", serving.lines(order)
    assert serving.outcome(order, "remove")["outcome"] == "done" and younger.poll() is None
    assert all(agent.ask("exec", "/bin/true") == "0" for agent in agents[1:])


def test_a_kill_between_freezing_and_its_note_leaves_nothing_frozen(pods, agents, responder):
    """Whoever finds the books thaws it: they were written before."""
    serving = responder(containment={"by": "freeze", "holdSeconds": 600})
    frozen = pods[0].folder.parent / "cgroup.freeze"
    serving.order(pods[0])
    wait_for(lambda: frozen.read_text() == "1\n", "it to be frozen", pause=0)
    serving.kill()
    subprocess.run([RESPONDER, "--config", serving.config, "--let-go"], check=True, stderr=subprocess.DEVNULL)
    assert frozen.read_text() == "0\n"
    assert agents[0].ask("exec", "/bin/true") == "0"


def test_a_kill_does_not_lengthen_what_is_frozen(pods, agents, responder):
    serving = responder(containment={"by": "freeze", "holdSeconds": 3})
    frozen = pods[0].folder.parent / "cgroup.freeze"
    order = serving.order(pods[0])
    serving.did(order, "contain")
    for _ in range(2):
        serving.kill()
        serving.start()
    wait_for(lambda: frozen.read_text() == "0\n", "it to be let go")
    assert [line["end"] for line in serving.lines(order) if "end" in line] == ["kept"]
    assert agents[0].ask("exec", "/bin/true") == "0"


STEPS_TOLD = ["contain", "capture", "outOfService", "waitReady", "remove", "verify", "tell"]


def test_an_order_that_is_laid_down_again_is_not_carried_out_again(pods, agents, responder, tmp_path):
    serving = responder(workload=everything(tmp_path))
    order = serving.order(pods[0])
    serving.ended(order)
    (serving.reports / f"{order}.jsonl").unlink()
    wait_for(lambda: not pods[0].pids(), "the pod to end")
    serving.order(pods[1], id=order)
    wait_for(lambda: not list(serving.orders.glob("*.json")), "the order to be taken away")
    assert agents[1].ask("exec", "/bin/true") == "0" and not serving.lines(order)


def test_framed_pods_exhaust_the_budget_and_no_more(pods, agents, responder):
    """Three pods with evidence of three kinds at once: one is answered to, the others wait and are refused, also by the next run."""
    serving = responder(orderSeconds=12, containment={"by": "denyOrFreeze", "holdSeconds": 600})  # the first is to be met in it
    orders = [serving.order(pod) for pod in pods]
    ends = [serving.ended(order) for order in orders]
    assert [end["end"] for end in ends] == ["kept", "untouched", "untouched"]
    assert all("no budget was left in time" in end["detail"] for end in ends[1:])
    serving.kill()
    serving.start()
    late = serving.order(pods[1])
    assert serving.ended(late)["end"] == "untouched"
    assert agents[1].ask("exec", "/bin/true") == "0" and agents[2].ask("exec", "/bin/true") == "0"


def test_the_last_replica_that_serves_is_left_alone(pods, agents, responder):
    serving = responder()
    order = serving.order(pods[0], ready=0)
    assert serving.ended(order)["end"] == "untouched" and "too few replicas" in serving.ended(order)["detail"]
    assert agents[0].ask("exec", "/bin/true") == "0"


def test_what_two_pods_do_is_a_change_and_stops_until_a_person_says_so(pods, agents, responder, tmp_path):
    serving = responder(workload=everything(tmp_path))
    (tmp_path / "hold.waitReady").touch()
    same = [{"kind": "process", "text": "runs /tmp/x17 by server", "hard": "dropped"}]
    first = serving.order(pods[0], evidence=same)
    wait_for(lambda: (tmp_path / "ran.waitReady").exists(), "the first to be under way")
    second = serving.order(pods[1], evidence=[{**same[0], "text": "runs /tmp/x18 by server"}])
    assert serving.ended(second)["end"] == "untouched" and "another pod of the workload" in serving.ended(second)["detail"]
    assert serving.ended(first)["end"] == "kept" and pods[0].pids()  # contained, not removed
    serving.kill()
    serving.start()
    third = serving.order(pods[2])
    assert "until a person says so" in serving.ended(third)["detail"]
    subprocess.run([RESPONDER, "--config", serving.config, "--resume", "shop/cart"], check=True)
    wait_for(lambda: serving.events("resumed"), "the workload to be resumed")
    (tmp_path / "hold.waitReady").unlink()
    fourth = serving.order(pods[2])
    assert serving.ended(fourth)["end"] == "replaced", serving.lines(fourth)


def test_a_replacement_that_does_the_same_ends_it(pods, agents, responder, tmp_path):
    serving = responder(workload=everything(tmp_path, verify={"watchSeconds": 30}))
    order = serving.order(pods[0])
    serving.did(order, "remove")
    number = int(order.split("-")[1])
    again = serving.order(pods[1], evidence=[{"kind": "process", "text": f"runs /tmp/{chr(96 + number)} by server", "hard": "dropped"}])
    assert serving.ended(again)["end"] == "untouched"
    assert serving.did(order, "verify")["outcome"] == "sameAgain" and serving.ended(order)["end"] == "useless"


def test_what_guardd_tells_of_the_replacement_is_seen(pods, agents, responder, tmp_path):
    """guardd gives no order for what a second pod does too: it tells of a change."""
    serving = responder(workload=everything(tmp_path, verify={"watchSeconds": 30}))
    order = serving.order(pods[0])
    serving.did(order, "remove")
    finding = {"part": "pod", "location": "pod evidence 0", "name": "shop/cart-2", "rule": "pod-dropped", "observed": "runs /tmp/a by server"}
    alert = {"time_ms": int(time.time() * 1000), "service": "cart", "explanation": "CHANGE", "findings": [finding]}
    log = serving.guard / "alerts.jsonl"
    with log.open("a") as file:
        file.write("no JSON\n" + json.dumps(alert, separators=(",", ":")) + "\n")
    assert serving.did(order, "verify")["outcome"] == "sameAgain" and serving.ended(order)["end"] == "useless"


def test_damaged_books_stop_the_acting_and_are_told(pods, agents, responder):
    serving = responder()
    serving.ended(serving.order(pods[0]))
    serving.end()
    ledger = serving.state / "ledger"
    text = ledger.read_bytes()
    ledger.write_bytes(text.replace(b'"streak":1', b'"streak":0'))
    assert ledger.read_bytes() != text
    serving.start()
    assert "is damaged" in serving.events("acting-stopped")[0]
    order = serving.order(pods[1])
    assert serving.ended(order)["end"] == "untouched" and "is damaged" in serving.ended(order)["detail"]
    assert agents[1].ask("exec", "/bin/true") == "0" and b'"streak":0' in ledger.read_bytes()


def test_a_person_stops_everything_by_a_file(pods, agents, responder):
    serving = responder()
    (serving.state / "stop").touch()
    wait_for(lambda: serving.events("stopped-by-a-person"), "the file to be seen")
    assert "stopped by a person" in serving.ended(serving.order(pods[0]))["detail"]
    assert agents[0].ask("exec", "/bin/true") == "0"


def test_links_in_guards_folders_are_not_followed(pods, agents, responder, tmp_path):
    """guardd's folders belong to another user, who must not make this program write elsewhere."""
    serving = responder(orderSeconds=3)
    victims = [tmp_path / "victim-1", tmp_path / "victim-2"]
    for victim in victims:
        victim.write_text("mine\n")
    (serving.reports / "order-1.jsonl").symlink_to(victims[0])
    (serving.reports / "order-2.jsonl").hardlink_to(victims[1])
    for pod in pods[:2]:
        serving.order(pod)
    wait_for(lambda: serving.events("pod-response-ended"), "the first to end")
    wait_for(lambda: any(detail.startswith("order-1:") for detail in serving.events("not-reported"))
             or victims[0].read_text() != "mine\n", "its report to be refused")
    wait_for(lambda: any(detail.startswith("order-2:") for detail in serving.events("not-reported"))
             or victims[1].read_text() != "mine\n", "the second's, too")
    assert [victim.read_text() for victim in victims] == ["mine\n"] * 2


def test_a_step_that_hangs_is_given_up_with_all_it_started(pods, agents, responder, tmp_path):
    pid = tmp_path / "pid"
    script = tmp_path / "hang.sh"
    script.write_text(f"#!/bin/sh\nsleep 1000 &\necho $! > {pid}.new; mv {pid}.new {pid}\nwait\n")
    script.chmod(0o755)
    serving = responder(workload={"steps": {"contain": {}, "outOfService": {"command": [str(script)], "seconds": 10}}})
    order = serving.order(pods[0])
    assert serving.ended(order)["end"] == "kept" and "longer than 10 s" in serving.outcome(order, "outOfService")["detail"]
    wait_for(lambda: not pathlib.Path(f"/proc/{pid.read_text().strip()}").exists(), "what it started to be gone")


@pytest.mark.parametrize("change, complaint", [
    ({"perHour": 0}, "perHour: must be a number from 1"),
    ({"containment": {"allow": ["10.0.0.0/33"]}}, "allow[0]: must be an address"),
    ({"workloads": [{"namespace": "shop", "workload": "cart", "steps": {"contain": {"command": ["/bin/true"]}}}]}, 'unknown member "command"'),
    ({"workloads": [{"namespace": "shop", "workload": "cart", "steps": {"remove": {}}}]}, "one of command, kill"),
    ({"workloads": [{"namespace": "shop", "workload": "cart", "budget": {"share": 0.9}}]}, "at most 0.5"),
    ({"workloads": [{"namespace": "shop", "workload": "cart"}] * 2}, "is there twice"),
    ({"what": 1}, 'unknown member "what"'),
])
def test_what_is_wrong_in_the_configuration_is_named_with_its_place(tmp_path, change, complaint):
    one = Responder(tmp_path, "/sys/fs/cgroup", **change)
    one.config.write_text(json.dumps(one.document, indent=1))
    done = subprocess.run([RESPONDER, "--config", one.config, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and complaint in done.stderr and f"{one.config}:" in done.stderr, done.stderr


def test_a_configuration_that_others_may_write_is_refused(tmp_path):
    one = Responder(tmp_path, "/sys/fs/cgroup")
    one.config.write_text(json.dumps(one.document))
    one.config.chmod(0o666)
    done = subprocess.run([RESPONDER, "--config", one.config], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "others may write it" in done.stderr
