# SPDX-License-Identifier: Apache-2.0
"""Roots that share a PostgreSQL withdraw pods as one: whichever is asked, all gates follow, and they have one budget."""

import json
import pathlib
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "pods"))
from shared_roots import agent_of, learner_of, postgres, role, roots, server  # noqa: E402, F401
from test_tree_withdrawals import GUARDIAN, JSON, OTHER  # noqa: E402
from trees import ask, gate_of, tree  # noqa: E402, F401
from test_guardd import drive  # noqa: E402
from test_pod_learning import DROPPED, ODD, REQUEST, Sensors, pod_writer  # noqa: E402, F401
from traffic import Shop  # noqa: E402
from waiting import wait_for  # noqa: E402


class Pods:
    """Two roots behind one address, and a pod each for the odd one and another."""

    def __init__(self, roots, tree, nginx, upstream):  # noqa: F811
        self.roots = [roots("a"), roots("b")]
        (self.roots[0].state / "guardians").mkdir(exist_ok=True)
        (self.roots[0].state / "guardians" / "shop.yaml").write_text(
            GUARDIAN.format(mode="block", orders="act", withdraw=", withdrawSeconds: 3600"))
        self.agents = {pod: tree(pod, agent_of(roots) + ["--pod", f"prod/{pod}/5f1c-{pod[-1]}"]) for pod in (ODD, OTHER)}
        self.gates = {pod: gate_of(nginx, agent, upstream) for pod, agent in self.agents.items()}
        for gate in self.gates.values():
            assert drive(gate.port, Shop(7).many(1)) == [200]
        for root in self.roots:
            wait_for(lambda root=root: root.service().get("mode") == "block", "the Guardian at both")

    def status(self, pod):
        return self.gates[pod].curl("/p").status

    def wait(self, pod, status):
        wait_for(lambda: self.status(pod) == status, f"the gate of {pod} to answer {status}")

    def withdraw(self, root, pod=ODD):
        return ask(root, "POST", "/services/shop/pods/withdrawals", *JSON,
                   data=json.dumps({"pod": f"prod/{pod}", "seconds": 600, "reason": "misused"}).encode())

    def lift(self, root, which):
        return ask(root, "DELETE", f"/services/shop/pods/withdrawals/{which}?reason=looked")

    def withdrawn(self, root):
        return ask(root, "GET", "/services/shop/pods").json()["withdrawals"]

    def wait_list(self, *ids):
        for root in self.roots:
            if root.process.poll() is None:
                wait_for(lambda root=root: sorted(one["id"] for one in self.withdrawn(root)) == sorted(ids), f"{ids} at {root.state.name}")


@pytest.fixture
def shop(roots, tree, nginx, fast_upstream, postgres):  # noqa: F811
    return Pods(roots, tree, nginx, fast_upstream)


def test_whichever_root_is_asked_all_follow(shop, postgres):  # noqa: F811
    one, two = shop.roots
    answer = shop.withdraw(one)
    assert answer.status == 201, answer.body
    which = answer.json()["id"]
    shop.wait(ODD, 503)
    shop.wait_list(which)
    assert shop.status(OTHER) == 200
    for root in shop.roots:  # whichever its agent asked last
        wait_for(lambda root=root: shop.withdrawn(root)[0]["obeyed"], f"{root.state.name} to know that it is obeyed")
    assert shop.withdraw(two).json()["id"] == which  # the same one, renewed elsewhere
    assert shop.lift(two, which).status == 200
    assert shop.lift(one, which).status == 404  # at once, and not when it looks the next time
    shop.wait(ODD, 200)
    shop.wait_list()
    # Both at once: neither is lost.
    answers = []
    asking = [threading.Thread(target=lambda root=root, pod=pod: answers.append(shop.withdraw(root, pod)))
              for root, pod in ((one, ODD), (two, OTHER), (two, "web-3"), (one, "web-4"))]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert [answer.status for answer in answers] == [201] * 4, [answer.body for answer in answers]
    ids = [answer.json()["id"] for answer in answers]
    shop.wait_list(*ids)
    shop.wait(ODD, 503)
    shop.wait(OTHER, 503)
    # Killed, and forgetful: it is the database's.
    one.kill()
    (one.state / "pods" / "shop.withdrawals").unlink()
    one.start()
    shop.wait_list(*ids)
    # Nobody knows what others withdraw.
    postgres.stop()
    answer = shop.withdraw(two)
    assert answer.status == 503 and answer.json()["type"] == "urn:guard:problem:store-away", answer.body
    assert shop.status(ODD) == 503
    postgres.start()
    wait_for(lambda: shop.withdraw(two).status == 201, "the database to be back")


def misuse(writer, root, replica, request, program):
    sensors = Sensors(writer, root.state)
    sensors.live()
    wait_for(sensors.read, "benign days", 120)
    until_ms = int(time.time() * 1000)
    sensors.put(sensors.encode([sensors.line(replica, until_ms, [(REQUEST, f"GET /{request}", "character never seen", request)], "gate"),
                                sensors.line(replica, until_ms, [(DROPPED, program, "/app/server", request)])]))
    orders = root.state / "pods" / "orders"
    wait_for(lambda: list(orders.glob("*.json")), "the order")
    return json.loads(next(orders.glob("*.json")).read_text())


def test_the_budget_is_one_over_both(shop, pod_writer):  # noqa: F811
    """What one withdrew by an order counts for the other, that goes on when it is gone, also after a person ended it."""
    first = learner_of(shop.roots)
    second = next(root for root in shop.roots if root is not first)
    order = misuse(pod_writer, first, 2, "5f3a", "/tmp/x")
    shop.wait(ODD, 503)
    shop.wait_list(order["id"])
    assert shop.status(OTHER) == 200
    first.kill()
    wait_for(lambda: role(second) == "learner", "the other one to learn", 60)
    later = misuse(pod_writer, second, 1, "6a4b", "/tmp/y")
    assert later["id"] != order["id"] and not later["dryRun"] and later["pod"]["name"] == OTHER
    wait_for(lambda: second.events("pod-not-withdrawn"), "the refusal")
    assert shop.status(OTHER) == 200
    assert shop.lift(second, order["id"]).status == 200
    shop.wait(ODD, 200)
    wait_for(lambda: ": spent" in second.log(), lambda: f"the budget to be spent: {second.events('pod-not-withdrawn')}")
    assert shop.withdrawn(second) == [] and shop.status(OTHER) == 200
