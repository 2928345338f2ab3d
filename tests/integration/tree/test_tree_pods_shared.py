# SPDX-License-Identifier: Apache-2.0
"""Roots that share a PostgreSQL learn pods as one root does: whichever takes a record in, the one that learns the service compares it, and
neither a kill nor a database that goes away loses one, or tells a thing twice."""

import json
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "pods"))
from shared_roots import learner_of, postgres, role, roots, server  # noqa: E402, F401
from test_tree_withdrawals import JSON  # noqa: E402
from test_tree_pods import STEPS, Replicas, balanced, refused, report  # noqa: E402
from trees import agent_options, ask, tool, tree  # noqa: E402, F401
from test_pod_learning import DROPPED, EXEC, HOUR, ODD, REPLICAS, USUAL, Sensors, of_pods, pod_writer, pods  # noqa: E402, F401
from waiting import wait_for  # noqa: E402

NOBODY = ("--pod-orders", "off")  # of the options: no reporter is believed


def waiting(postgres, service=None):  # noqa: F811
    where = f" WHERE service = '{service}'" if service else ""
    return int(postgres.query(f"SELECT count(*) FROM guard.pod_records{where}")[0][0])



class Pair:
    """Two roots, and four agents of which each has one of them as its parent: the odd one's is the second."""

    def __init__(self, roots, tree, writer, options=(), start=True):  # noqa: F811
        self.roots = [roots("a", *options), roots("b", *options)]
        assert ask(self.roots[0], "GET", "/services/shop/key").status == 200
        self.learner = learner_of(self.roots)
        self.other = next(root for root in self.roots if root is not self.learner)
        self.nodes, self.sensors = [], []
        for replica in range(REPLICAS):
            parent = (self.learner, self.other)[replica in (1, 2)]
            node = tree(f"pod{replica}", [*agent_options(parent, root=self.roots[0]), "--pod", f"prod/web-7f9c-{replica:05}/5f1c-{replica}"],
                        start=False)
            self.nodes.append(node)
            self.sensors.append(Sensors(writer, node.state))
        if start:
            self.live()
            for node in self.nodes:
                node.start()
            self.learned(STEPS * REPLICAS)

    put, live, misuse, wait_sent, books = Replicas.put, Replicas.live, Replicas.misuse, Replicas.wait_sent, Replicas.books

    def learned(self, count, root=None):
        root = root or self.learner
        wait_for(lambda: pods(root)["records"] == count, lambda: f"{count} records, not {pods(root)['records']}", 120)

    def parent(self, replica):
        return (self.learner, self.other)[replica in (1, 2)]

    def alerts(self):
        return [alert for root in self.roots for alert in of_pods(root)]


def shown(root):
    answer = ask(root, "GET", "/services/shop/pods")
    assert answer.status == 200, answer.body
    return answer.json()


def test_the_odd_one_is_found_though_its_records_came_by_the_other_root(roots, tree, pod_writer, postgres):  # noqa: F811
    pair = Pair(roots, tree, pod_writer)
    assert pods(pair.learner)["live_count"] == REPLICAS and pair.alerts() == []
    # Agents judge nothing themselves, whichever of the roots is theirs.
    assert all(node.service("shop").get("pods") is None for node in pair.nodes)
    pair.misuse()
    wait_for(lambda: of_pods(pair.learner), "the alert", 120)
    pair.wait_sent()
    wait_for(lambda: waiting(postgres) == 0, "what was learned to be dropped", 60)
    [alert] = pair.alerts()
    assert alert["findings"][0]["name"] == f"prod/{ODD}" and alert["findings"][0]["rule"] == "pod-dropped"
    wait_for(lambda: [one.get("sent") for one in pair.books()] == [STEPS + 2 * (replica == 2) for replica in range(REPLICAS)],
             "the agents' books")
    assert balanced(pair.books()) and all(one["dropped"] == one["refused"] == one["waiting"] == 0 for one in pair.books())
    # Who doesn't learn it shows what the learner saved, and says who knows the rest.
    told = shown(pair.learner)
    assert "learned_by" not in told and [one["pod"] for one in told["cases"]] == [ODD]
    wait_for(lambda: [one["records"] for one in shown(pair.other)["workloads"]] == [STEPS * REPLICAS + 2], "the other one to show it", 60)
    there = shown(pair.other)
    assert there["learned_by"] == (pair.learner.state / "node.id").read_text().strip() and there["cases"] == []
    def listed(root):
        return tool("pods", "list", "shop", "--server", f"unix:{root.state}/api.sock")

    assert f"doesn't learn the service, {there['learned_by']} does" in listed(pair.other) and "learns the service" not in listed(pair.learner)
    # What is decided there holds at the learner.
    [thing] = [one for one in told["cases"][0]["evidence"] if one["kind"] == "dropped"]
    answer = ask(pair.other, "POST", "/services/shop/pods/decisions", *JSON,
                 data=json.dumps({"id": thing["id"], "decision": "approve", "reason": "ours"}).encode())
    assert answer.status == 200, answer.body


def test_who_goes_on_after_a_kill_learns_what_waits_once_and_tells_nothing_again(roots, tree, pod_writer, postgres):  # noqa: F811
    pair = Pair(roots, tree, pod_writer, ("--pod-orders", "dry-run", "--whole-piles", "*"))
    wait_for(lambda: waiting(postgres) == 0, "what was learned to be dropped", 60)
    pair.misuse()
    wait_for(lambda: of_pods(pair.learner), "the alert", 120)
    pair.learned(STEPS * REPLICAS + 2)
    wait_for(lambda: postgres.query("SELECT count(*) FROM guard.note WHERE kind = 'pod-told'") == [["1"]], "it to be known that it was told")
    count = STEPS * REPLICAS + 2
    # It is killed with what it learned and didn't save yet.
    pair.learner.process.send_signal(signal.SIGSTOP)
    while waiting(postgres) == 0:
        pair.learner.process.send_signal(signal.SIGCONT)
        pair.put(0, USUAL)
        count += 1
        pair.learned(count)
        pair.learner.process.send_signal(signal.SIGSTOP)
    pair.learner.kill()
    wait_for(lambda: role(pair.other) == "learner", "the other one to go on", 60)
    pair.learned(count, pair.other)
    wait_for(lambda: waiting(postgres) == 0, "what was learned to be dropped", 60)
    # Its judgement is the same, and was told; so was the order given.
    assert of_pods(pair.other) == [] and len(of_pods(pair.learner)) == 1
    assert len(list((pair.learner.state / "pods" / "given").glob("*.json"))) == 1
    # Other evidence of the same pod is told, and is no reason to order once more.
    pair.put(2, [(DROPPED, "/tmp/y", "/app/server", "-")])
    wait_for(lambda: of_pods(pair.other), "the other evidence to be told", 120)
    assert list((pair.other.state / "pods" / "given").glob("*.json")) == []
    assert "another root gave an order" in of_pods(pair.other)[0]["explanation"]
    # The records of those whose parent was killed wait beside them, and go on when it comes again.
    for replica in range(REPLICAS):
        pair.put(replica, USUAL)
    pair.learner.start()
    pair.wait_sent()
    pair.learned(count + 1 + REPLICAS, pair.other)


def test_who_stood_still_and_lost_its_claim_changes_nothing(roots, tree, pod_writer, postgres):  # noqa: F811
    pair = Pair(roots, tree, pod_writer)
    stood, other = pair.learner, pair.other
    wait_for(lambda: waiting(postgres) == 0, "what was learned to be dropped", 60)
    pair.put(1, USUAL)
    pair.learned(STEPS * REPLICAS + 1)
    stood.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: role(other) == "learner", "the other one to go on", 60)
    pair.put(2, USUAL)
    pair.learned(STEPS * REPLICAS + 2, other)
    wait_for(lambda: waiting(postgres) == 0, "what was learned to be dropped", 60)
    saved = postgres.query("SELECT md5(value) FROM guard.note WHERE kind = 'pods'")
    stood.process.send_signal(signal.SIGCONT)
    wait_for(lambda: role(stood) == "follower", "the first one to know that it isn't the learner any more", 60)
    assert postgres.query("SELECT md5(value) FROM guard.note WHERE kind = 'pods'") == saved
    for replica in range(REPLICAS):
        pair.put(replica, USUAL)
    pair.wait_sent()
    pair.learned(STEPS * REPLICAS + 2 + REPLICAS, other)
    # It would go on with what the other one saved, not with what it knew.
    wait_for(lambda: waiting(postgres) == 0, "what was learned to be dropped", 60)
    other.kill()
    wait_for(lambda: role(stood) == "learner", "the first one to go on", 60)
    pair.learned(STEPS * REPLICAS + 2 + REPLICAS, stood)
    assert pair.alerts() == []


def test_nothing_is_answered_before_it_is_committed(roots, tree, pod_writer, postgres):  # noqa: F811
    pair = Pair(roots, tree, pod_writer, start=False)
    one = pair.sensors[0].encode([pair.sensors[0].line(0, int(time.time() * 1000), USUAL)])
    postgres.query("ALTER TABLE guard.pod_records ADD CONSTRAINT none CHECK (size < 0)")
    for root in pair.roots:
        answer = report(root, one, 1)
        assert answer.status == 503 and b"couldn't be written" in answer.body, answer.body
    # What is sent again and again for that isn't taken for a flood when there is room.
    many = pair.sensors[1].encode([pair.sensors[1].line(1, int(time.time() * 1000), []) for _ in range(1000)])
    assert [report(pair.other, many, 1000).status for _ in range(6)] == [503] * 6
    # Nor are rows dropped before what they taught is there.
    postgres.query("ALTER TABLE guard.pod_records DROP CONSTRAINT none")
    wait_for(lambda: len(pair.learner.events("saved-again")) == len(pair.learner.events("not-saved")), "it to be saved again", 60)
    failed = len(pair.learner.events("not-saved"))
    postgres.query("ALTER TABLE guard.note ADD CONSTRAINT none CHECK (kind <> 'pods')")
    assert report(pair.other, many, 1000).json() == {"taken": 1000, "refused": 0}
    assert report(pair.other, one, 1).json() == {"taken": 1, "refused": 0}
    pair.learned(1001)
    wait_for(lambda: len(pair.learner.events("not-saved")) > failed, "it not to be saved", 60)
    assert waiting(postgres) == 2
    postgres.query("ALTER TABLE guard.note DROP CONSTRAINT none")
    wait_for(lambda: waiting(postgres) == 0, "it to be saved", 60)
    assert postgres.query("SELECT count(*) FROM guard.note WHERE kind = 'pods'") == [["1"]]


def test_while_the_database_is_away_records_stay_with_who_has_them(roots, tree, pod_writer, postgres):  # noqa: F811
    pair = Pair(roots, tree, pod_writer)
    postgres.stop()
    for root in pair.roots:
        wait_for(lambda root=root: "not-saved" in root.log(), "it to be missed", 60)
    stranger = Sensors(pod_writer, pair.roots[0].state.parent / "stranger")
    one = stranger.encode([stranger.line(7, int(time.time() * 1000), USUAL)])
    for root in pair.roots:
        answer = report(root, one, 1)
        assert answer.status == 503 and "retry-after" in answer.headers, answer.body
    for replica in range(REPLICAS):
        pair.put(replica, USUAL)
    wait_for(lambda: all(one["waiting"] == 1 for one in pair.books()), "the records to be under way", 60)
    assert not any(sensors.read() for sensors in pair.sensors)
    postgres.start()
    pair.wait_sent()
    learner = learner_of(pair.roots)
    pair.learned((STEPS + 1) * REPLICAS, learner)
    assert report(pair.other, one, 1).json() == {"taken": 1, "refused": 0}
    pair.learned((STEPS + 1) * REPLICAS + 1, learner)
    assert balanced(pair.books()) and pair.alerts() == []
    assert all(one["dropped"] == one["refused"] == 0 for one in pair.books())


def test_nobody_speaks_for_another_pod_by_the_other_root(roots, tree, pod_writer, postgres):  # noqa: F811
    pair = Pair(roots, tree, pod_writer, NOBODY)
    forger = Sensors(pod_writer, pair.roots[0].state.parent / "forger")
    framed = forger.encode([forger.line(2, int(time.time() * 1000), [(EXEC, "/bin/sh", "/app/server", "-"), (DROPPED, "/tmp/x", "/app/server", "-")])])
    # Of replica 2 speaks an agent of the other root.
    assert report(pair.learner, framed, 1).status == 200
    refused(pair.learner, "foreign", 1)
    assert "another one speaks for the pod" in pair.learner.log()
    assert report(pair.other, framed, 1).status == 200
    refused(pair.learner, "foreign", 2)
    # An agent that goes to the other root is still who it was, and the forger, who was there before, isn't.
    pair.nodes[2].stop()
    pair.nodes[2].options = tuple(agent_options(pair.learner, root=pair.roots[0])) + pair.nodes[2].options[-2:]
    pair.nodes[2].start()
    pair.put(2, USUAL)
    pair.learned(STEPS * REPLICAS + 1)
    # Nor does it help him that another root learns it now.
    wait_for(lambda: waiting(postgres) == 0, "what was learned to be dropped", 60)
    pair.learner.kill()
    wait_for(lambda: role(pair.other) == "learner", "the other one to go on", 60)
    assert report(pair.other, framed, 1).status == 200
    refused(pair.other, "foreign", 1)
    assert pods(pair.other)["records"] == STEPS * REPLICAS + 1 and pair.alerts() == []


def test_a_flood_is_bounded_however_many_roots_take_it(roots, tree, pod_writer, postgres):  # noqa: F811
    pair = Pair(roots, tree, pod_writer, NOBODY, start=False)
    forger = Sensors(pod_writer, pair.roots[0].state.parent / "forger")
    now = int(time.time() * 1000)
    taken, begin = 0, time.monotonic()
    for turn in range(12):
        records = forger.encode([forger.line(0, now, []) for _ in range(1000)])
        answer = report(pair.roots[turn % 2], records, 1000).json()
        assert answer["taken"] + answer["refused"] == 1000
        taken += answer["taken"]
    assert 2 * 4096 <= taken < 12000, taken
    counted = pair.learner.status
    wait_for(lambda: pods(pair.learner)["records"] + counted()["pods"]["refused"]["flood"] + sum(
        root.status()["pods"]["refused"]["flood"] for root in (pair.other,)) == 12000, "all of it to be judged", 120)
    gone_s = time.monotonic() - begin
    assert 4096 <= pods(pair.learner)["records"] <= 4096 + 2 * gone_s + 2
    wait_for(lambda: waiting(postgres) == 0, "what was learned to be dropped", 60)


def test_what_finds_no_room_in_the_database_stays_with_who_has_it(roots, tree, pod_writer, postgres):  # noqa: F811
    pair = Pair(roots, tree, pod_writer, start=False)
    # Rows of a service that no root of this version learns.
    postgres.query("INSERT INTO guard.pod_records (service, node, size, bytes) VALUES ('elsewhere', 'old', 300000000, '\\x00')")
    for root in pair.roots:
        wait_for(lambda root=root: len(root.events("pod-records-wait")) == 1, "it to be said", 60)
    one = pair.sensors[0].encode([pair.sensors[0].line(0, int(time.time() * 1000), USUAL)])
    for root in pair.roots:
        answer = report(root, one, 1)
        assert answer.status == 503 and b"wait to be learned" in answer.body, answer.body
    postgres.query("DELETE FROM guard.pod_records")
    for root in pair.roots:
        wait_for(lambda root=root: report(root, one, 1).status == 200, "room", 60)
    pair.learned(1)
    assert all(len(root.events("pod-records-wait")) == 1 for root in pair.roots)


def test_what_is_damaged_in_the_database_is_told_and_the_rest_is_learned(roots, tree, pod_writer, postgres):  # noqa: F811
    pair = Pair(roots, tree, pod_writer, start=False)
    for damage in ("", "474c5052", "474c505202000000", "474c505201000000" + "ff" * 40, "00" * 64):
        postgres.query(f"INSERT INTO guard.pod_records (service, node, size, bytes) VALUES ('shop', 'x', 1, '\\x{damage}')")
    one = pair.sensors[0].encode([pair.sensors[0].line(0, int(time.time() * 1000), USUAL)])
    assert report(pair.other, one, 1).json() == {"taken": 1, "refused": 0}
    pair.learned(1)
    wait_for(lambda: waiting(postgres) == 0, "all to be dropped", 60)
    assert len(pair.learner.events("pod-records-damaged")) == 5


def test_what_is_forgotten_is_gone_from_the_database(roots, tree, pod_writer, postgres):  # noqa: F811
    pair = Pair(roots, tree, pod_writer)
    pair.put(0, USUAL)
    pair.learned(STEPS * REPLICAS + 1)
    answer = ask(pair.learner, "POST", "/forget", *JSON,
                 data=json.dumps({"service": "shop", "reason": "anew"}).encode())
    assert answer.status == 202, answer.body
    wait_for(lambda: not pair.learner.service("shop").get("pods"), "it to be forgotten", 60)
    assert waiting(postgres, "shop") == 0
    assert postgres.query("SELECT count(*) FROM guard.note WHERE kind = 'pods'") == [["0"]]
