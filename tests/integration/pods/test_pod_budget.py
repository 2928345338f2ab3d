# SPDX-License-Identifier: Apache-2.0
"""The responder's books as guardd shows them: why nothing is done, and letting a stopped workload go on through the API and the command
line. Real guardd, real guard-responder, pods in real control groups."""

import json
import os
import pathlib
import shutil
import sys
import time

import pytest
from harness import wait_for
from kernel import Pod
from responders import Responder, cannot, version_2

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from talking import Api  # noqa: E402
from test_pod_decisions import audit, cli  # noqa: E402
from test_pod_learning import MEMFD, ODD, REPLICAS, Guardd, Sensors, of_pods, pod_writer  # noqa: E402, F401

WHY_NOT = cannot()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"SKIPPED: {WHY_NOT}")
NUMBERS = iter(range(os.getpid() * 16 + 6001, os.getpid() * 16 + 9000))
SAME = [{"kind": "process", "text": "runs /tmp/x by server", "hard": "dropped"}]


class Place:
    """guardd that has learned prod/web of shop, and a responder that freezes pods of it."""

    def __init__(self, folder, writer, root, options=(), **members):
        self.state = folder / "state"
        self.sensors = Sensors(writer, self.state)
        self.guardd = Guardd(self.state, options=options)
        self.sensors.live(1)
        self.guardd.start()
        wait_for(self.sensors.read, "benign days", 120)
        self.api = Api(self.state).ready()
        self.responder = Responder(folder, root, guard=self.state, workload={"namespace": "prod", "workload": "web"},
                                   containment={"by": "freeze", "holdSeconds": 3600}, **members)
        self.told = self.state / "pods" / "responder" / "state.json"
        self.resumes = self.state / "pods" / "resumes"

    def order(self, pod, **members):
        return self.responder.order(pod, service="shop", namespace="prod", workload="web", **{"evidence": SAME, **members})

    def shown(self):
        """Held against the document."""
        return self.api.get("/services/shop/pods")

    def books(self):
        [workload] = self.shown()["workloads"]
        return workload["responder"]

    def ask(self, workload="prod/web", reason="the hole is closed"):
        return self.api.ask("POST", "/services/shop/pods/resume", {"workload": workload, "reason": reason})

    def stop(self, pods):
        """Two pods show the same."""
        first = self.order(pods[0])
        assert self.responder.ended(first)["end"] == "kept", self.responder.lines(first)
        second = self.order(pods[1])
        assert "another pod of the workload" in self.responder.ended(second)["detail"]
        wait_for(lambda: self.books()["stopped"], "the stop to be shown")
        return first

    def end(self):
        self.responder.end()
        if self.guardd.process.poll() is None:
            self.guardd.stop()


@pytest.fixture
def root():
    folder = version_2() / f"guardtest{os.getpid()}b.slice"
    folder.mkdir(exist_ok=True)
    yield folder
    if folder.exists():
        wait_for(lambda: folder.rmdir() is None, "the root group to be removed")


@pytest.fixture
def pods(root):
    made = [Pod(root, next(NUMBERS)) for _ in range(3)]
    for pod in made:
        pod.start("/bin/sleep", "1000")
    yield made
    for pod in made:
        if pod.folder.exists():
            (pod.folder.parent / "cgroup.freeze").write_text("0")
        pod.end()


@pytest.fixture
def place(tmp_path, pod_writer, root):  # noqa: F811
    made = []

    def new(**members):
        made.append(Place(tmp_path, pod_writer, root, **members))
        return made[-1]

    yield new
    for one in made:
        one.end()


def test_why_nothing_is_done_is_shown_and_people_let_it_go_on(place, pods):
    one = place()
    assert one.shown()["responder"] is None and one.books() is None
    one.api.problem(one.ask(), 409)  # nobody is there to take it
    one.responder.start()
    books = wait_for(one.books, "the responder's books")
    assert books["budget"] == {"allowed": 1, "spent": 0, "window_seconds": 600, "in_flight": False, "backoff_seconds": 0, "next_ms": None,
                               "permit": "permitted"}
    assert books["stopped"] is None and books["contained"] == [] and not books["dry_run"]
    told = one.shown()["responder"]
    assert told["lives"] and told["resumes"] and told["broken"] is None and told["hour"] == {"allowed": 10, "next_ms": None}
    assert "isn't stopped" in one.api.problem(one.ask(), 409)["detail"]
    before = int(time.time() * 1000)
    first = one.order(pods[0])
    assert one.responder.ended(first)["end"] == "kept", one.responder.lines(first)
    books = wait_for(lambda: one.books()["contained"] and one.books(), "the contained pod")
    [held] = books["contained"]
    assert (held["uid"], held["order"], held["frozen"]) == (pods[0].uid, first, True) and held["until_ms"] > before + 3500 * 1000
    budget = books["budget"]
    assert (budget["allowed"], budget["spent"], budget["permit"]) == (1, 1, "spent") and budget["backoff_seconds"] == 60
    assert before + 599 * 1000 < budget["next_ms"] < int(time.time() * 1000) + 601 * 1000
    second = one.order(pods[1])
    assert "another pod of the workload" in one.responder.ended(second)["detail"]
    stopped = wait_for(lambda: one.books()["stopped"], "the stop")
    assert stopped["reason"] == "same-evidence" and before < stopped["since_ms"] <= int(time.time() * 1000)
    assert one.books()["budget"]["permit"] == "stopped"
    for server in (False, True):
        text = wait_for(lambda server=server: "stopped since" in cli(one.state, "list", "shop", server=server) and
                        cli(one.state, "list", "shop", server=server), "the stop in what people read")
        assert "budget: 1 of 1 pods in 600 s: stopped" in text and "another pod showed the same" in text and "frozen: cart-1 until" in text
    metrics = one.api.ask("GET", "/metrics").body.decode()
    assert "guard_pod_workloads_stopped 1\n" in metrics and "guard_pod_contained 1\n" in metrics
    # What is asked for wrongly changes nothing.
    one.api.problem(one.ask("prod/other"), 404, "workload")
    one.api.problem(one.ask("prod"), 404, "workload")
    one.api.problem(one.api.ask("POST", "/services/shop/pods/resume", {"workload": "prod/web"}), 422, "reason")
    assert "--reason is needed" in cli(one.state, "resume", "shop", "prod/web", status=2)
    assert "no workload" in cli(one.state, "resume", "shop", "prod/other", "--reason", "x", status=1)
    assert one.books()["stopped"] and not (one.state / "audit.jsonl").exists()
    # By the API, then by files.
    answer = one.ask()
    assert (answer.status, answer.json()) == (202, {"service": "shop", "what": "prod/web", "resume": "asked"})
    wait_for(lambda: one.books()["stopped"] is None, "the responder to go on")
    assert not one.books()["resume_pending"] and list(one.resumes.iterdir()) == []
    assert one.responder.events("resumed") == [line for line in one.responder.events("resumed") if "the hole is closed" in line] != []
    [line] = audit(one.state, "pods resume")
    assert (line["via"], line["reason"], line["after"]) == ("api", "the hole is closed", "prod/web")
    third = one.order(pods[2], evidence=[{**SAME[0], "text": "runs /tmp/other"}])
    one.order(pods[1], evidence=[{**SAME[0], "text": "runs /tmp/other"}])
    wait_for(lambda: one.books()["stopped"], "the next stop")
    assert cli(one.state, "resume", "shop", "prod/web", "--reason", "again").startswith("shop: the responder is asked to go on with prod/web")
    wait_for(lambda: one.books()["stopped"] is None, "the responder to go on")
    assert [line["via"] for line in audit(one.state, "pods resume")] == ["api", "cli"] and third


def test_kills_between_books_and_what_is_told_of_them(place, pods):
    one = place()
    one.responder.start()
    wait_for(one.books, "the responder's books")
    old = one.told.read_bytes()
    one.stop(pods)
    stopped = one.books()["stopped"]
    one.responder.kill()
    one.told.with_suffix(".tmp").write_bytes(old)  # as if it had been killed before it told of it
    one.told.with_suffix(".tmp").rename(one.told)
    wait_for(lambda: one.books()["stopped"] is None, "what is old to be read")
    one.responder.start()
    assert wait_for(lambda: one.books()["stopped"], "the books to be told again") == stopped
    assert [held["uid"] for held in one.books()["contained"]] == [pods[0].uid]
    # Killed while what was asked for lies there, and between its books and taking it away.
    one.responder.kill()
    assert one.ask().status == 202  # it was seen a moment ago
    assert one.books()["resume_pending"]
    [asked] = one.resumes.iterdir()
    copy = one.state / "copy.json"
    shutil.copy2(asked, copy)
    one.responder.start()
    wait_for(lambda: one.books()["stopped"] is None and not asked.exists(), "it to be taken")
    one.responder.kill()
    shutil.copy2(copy, asked)
    one.responder.start()
    wait_for(lambda: not asked.exists(), "what was taken already to be taken away")
    assert len(one.responder.events("resumed")) == 1 and "isn't stopped" in one.responder.events("resume-refused")[0]
    # One that has ended contains nothing, and takes nothing.
    one.responder.end()
    wait_for(lambda: not one.shown()["responder"]["lives"], "its end to be told")
    assert one.books()["contained"] == []
    one.api.problem(one.ask(), 409)
    # One that says nothing for a minute doesn't live, whatever it said.
    one.responder.start()
    wait_for(lambda: one.shown()["responder"]["lives"], "its start to be told")
    one.responder.kill()
    os.utime(one.told, (time.time() - 61, time.time() - 61))
    wait_for(lambda: not one.shown()["responder"]["lives"], "it to be missed")
    assert "the responder doesn't answer, seen at " in cli(one.state, "list", "shop", server=True)


def test_neither_side_believes_the_others_bytes(place, pods):
    one = place()
    one.responder.start()
    wait_for(one.books, "the responder's books")
    one.stop(pods)
    good = {"version": 1, "id": "a1", "askedMs": int(time.time() * 1000), "service": "shop", "namespace": "prod", "workload": "web",
            "by": "x", "reason": "y"}

    def put(name, document, mode=0o640, owner=0):
        path = one.resumes / name
        path.with_suffix(".tmp").write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        path.with_suffix(".tmp").chmod(mode)
        os.chown(path.with_suffix(".tmp"), owner, owner)
        path.with_suffix(".tmp").rename(path)

    (one.state / "outside.json").write_text(json.dumps({**good, "id": "link"}))
    wrong = {"a1": b"{", "a2": {**good}, "a3": {**good, "id": "a3", "unless": "x"}, "a4": {**good, "id": "a4", "askedMs": 1},
             "a5": {**good, "id": "a5", "version": 2}, "a6": {**good, "id": "a6", "askedMs": good["askedMs"] + 10 ** 7},
             "a7": {**good, "id": "a7", "workload": "../web"}, "a8": b" " * 20000, "a9": {**good, "id": "a9", "workload": "other"}}
    for name, document in wrong.items():
        put(f"{name}.json", document)
    put("b1.json", {**good, "id": "b1"}, 0o666)
    put("b2.json", {**good, "id": "b2"}, owner=12345)
    (one.resumes / "link.json").symlink_to(one.state / "outside.json")
    os.mkfifo(one.resumes / "pipe.json")
    names = [f"{name}.json" for name in wrong] + ["b1.json", "b2.json", "link.json", "pipe.json"]
    wait_for(lambda: not any((one.resumes / name).is_symlink() or (one.resumes / name).exists() for name in names), "all to be refused")
    refused = "\n".join(one.responder.events("resume-refused"))
    for name in names:
        assert f"pods/resumes/{name}: " in refused, (name, refused)
    assert one.books()["stopped"] and one.shown()["responder"]["lives"]
    # guardd reads what isn't the responder's as well as it can: as nothing.
    one.responder.kill()
    for bad in (b"{", b"\xff" * 100, b'{"version":1}', b" " * 500000):
        one.told.with_suffix(".tmp").write_bytes(bad)
        one.told.with_suffix(".tmp").rename(one.told)
        wait_for(lambda: one.shown()["responder"] is None, "what is damaged to be nothing")
        assert one.books() is None
    assert "pod-responder-unreadable" in one.guardd.log()
    one.told.unlink()
    one.responder.start()
    wait_for(one.books, "the books to be told again")


def test_what_killed_guardds_left_crowds_no_resume_out(place, pods):
    """More than may lie there, of guardds that were killed while they wrote; what isn't theirs, and what may still be written, stays."""
    one = place()
    one.responder.start()
    wait_for(one.books, "the responder's books")
    one.stop(pods)
    left = [one.resumes / f"{number:016x}.json.{4000 + number}.tmp" for number in range(400)]
    stays = [one.resumes / "00000000000000aa.json.77.tmp", one.resumes / "notes.txt", one.resumes / "00000000000000ab.json.78.tmp",
             one.resumes / "00000000000000ac.json.79.tmp"]
    for path in left + stays:
        path.write_bytes(b'{"version":1')
        path.chmod(0o640)
    stays[3].unlink()
    stays[3].symlink_to(one.state / "elsewhere")
    for path in left + stays[1:3]:
        os.utime(path, (0, 0))
    os.chown(stays[2], 12345, 12345)
    wait_for(lambda: not any(path.exists() for path in left), "what was left to be removed")
    wait_for(lambda: sum(int(detail.split()[1]) for detail in one.responder.events("resume-leftovers")) == len(left), "it to say so")
    assert one.ask().status == 202
    wait_for(lambda: one.books()["stopped"] is None, "the responder to go on")
    assert sorted(one.resumes.iterdir()) == sorted(stays) and stays[3].is_symlink()


def test_one_that_takes_no_resumes_from_guardd(place, pods):
    one = place(resumes=False)
    one.responder.start()
    wait_for(one.books, "the responder's books")
    one.stop(pods)
    assert not one.shown()["responder"]["resumes"]
    assert "takes no resumes" in one.api.problem(one.ask(), 409)["detail"]
    now = int(time.time() * 1000)
    (one.resumes / "a1.tmp").write_text(json.dumps({"version": 1, "id": "a1", "askedMs": now, "service": "shop", "namespace": "prod",
                                                    "workload": "web", "by": "x", "reason": "y"}))
    (one.resumes / "a1.tmp").chmod(0o640)
    (one.resumes / "a1.tmp").rename(one.resumes / "a1.json")
    wait_for(lambda: one.responder.events("resume-refused"), "the refusal")
    assert "none is taken" in one.responder.events("resume-refused")[0] and one.books()["stopped"]


def test_what_was_a_dry_run_is_carried_out_once_the_guardian_says_act(place):
    """Without an option of guardd: the Guardian alone says it."""
    one = place()
    one.responder.document["orderSeconds"] = 600
    one.responder.start()
    guardian = one.state / "guardians" / "shop.yaml"

    def say(orders):
        guardian.with_suffix(".tmp").write_text(f"service: shop\ncontrol:\n  mode: block\npods:\n  orders: {orders}\n")
        guardian.with_suffix(".tmp").rename(guardian)
        wait_for(lambda: one.shown()["orders_mode"] == orders, f"{orders} to be in force")

    assert one.shown()["orders_mode"] == "off"
    say("dry-run")
    one.sensors.put(one.sensors.misuse())
    [dry] = wait_for(lambda: one.shown()["orders"], "the dry run")
    assert dry["dry_run"] and dry["pod"] == ODD
    wait_for(lambda: one.shown()["orders"][0]["end"], "its end")
    say("act")
    now = int(time.time() * 1000)
    one.sensors.put(one.sensors.encode([one.sensors.line(2, now, [(MEMFD, "memfd:y", "/tmp/x", "5f3a")])]))
    act, still = wait_for(lambda: len(one.shown()["orders"]) == 2 and one.shown()["orders"], "the order that may act")
    assert not act["dry_run"] and act["pod"] == ODD and still["id"] == dry["id"] != act["id"]
    end = wait_for(lambda: one.shown()["orders"][0]["end"], "its end")
    assert "replay" not in end["detail"] and "dry run" not in end["detail"], end
    # More of the same: no third.
    one.sensors.put(one.sensors.encode([one.sensors.line(2, now + 2000, [(MEMFD, "memfd:z", "/tmp/x", "5f3a")])]))
    wait_for(lambda: len(of_pods(one.guardd)) >= 3, "what is new to be told")
    assert len(one.shown()["orders"]) == 2 and REPLICAS == 4
    say("off")
