# SPDX-License-Identifier: Apache-2.0
"""What pods do is said by the guardd beside each and learned at the root: nothing twice, nothing lost, and nobody speaks for another
pod."""

import json
import pathlib
import struct
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "pods"))
from trees import agent_options, ask, key_of, root_options, tool, tree  # noqa: E402, F401
from test_pod_learning import HOUR, USUAL, ODD, REPLICAS, Sensors, of_pods, pod_writer, pods  # noqa: E402, F401
from test_tree_aggregator import aggregator_options  # noqa: E402
from waiting import wait_for  # noqa: E402

STEPS = 19  # hours of history


class Replicas:
    """A guardd beside each of four replicas, with what a sensor there would have written. All are of one test folder."""

    def __init__(self, tree, writer, parent, root=None, options=()):
        self.root = root or parent
        self.nodes, self.sensors = [], []
        for replica in range(REPLICAS):
            node = tree(f"pod{replica}", [*agent_options(parent, root=root), "--pod", f"prod/web-7f9c-{replica:05}/5f1c-{replica}",
                                          *options], start=False)
            self.nodes.append(node)
            self.sensors.append(Sensors(writer, node.state))

    def start(self):
        for node in self.nodes:
            node.start()
        return self

    def put(self, replica, features, until_ms=None, source="podwatch"):
        sensor = self.sensors[replica]
        sensor.put(sensor.encode([sensor.line(replica, until_ms or int(time.time() * 1000), features, source)]))

    def live(self):
        """Hours of the usual, ended now."""
        now = int(time.time() * 1000)
        for step in range(STEPS - 1, -1, -1):
            for replica in range(REPLICAS):
                self.put(replica, USUAL, now - 60000 - HOUR * step)

    def misuse(self, replica=2):
        sensor = self.sensors[replica]
        now = int(time.time() * 1000)
        sensor.put(sensor.encode([sensor.line(replica, now, [(12, "GET /lookup", "character never seen", "5f3a")], "gate"),
                                  sensor.line(replica, now, [(7, "/tmp/x", "/app/server", "5f3a")])]))

    def wait_sent(self):
        for sensor in self.sensors:
            wait_for(sensor.read, "the files to be taken by the parent", 120)

    def books(self):
        """What each counted itself, when nothing is under way."""
        return [node.parent.get("pods", {}) for node in self.nodes]


def learned(root, records):
    wait_for(lambda: pods(root)["records"] == records, lambda: f"{records} records at the root, not {pods(root)['records']}", 120)


def balanced(books):
    return all(one and one["counted"] == one["sent"] + one["refused"] + one["dropped"] + one["waiting"] for one in books)


def test_replicas_are_compared_at_the_root_and_the_odd_one_is_named(tree, pod_writer):  # noqa: F811
    root = tree("root", root_options())
    replicas = Replicas(tree, pod_writer, root)
    replicas.live()
    replicas.start()
    replicas.wait_sent()
    learned(root, STEPS * REPLICAS)
    assert pods(root)["ready"] and pods(root)["live_count"] == REPLICAS and of_pods(root) == []
    replicas.misuse()
    wait_for(lambda: of_pods(root), "the alert", 120)
    replicas.wait_sent()
    [alert] = of_pods(root)
    assert alert["findings"][0]["name"] == f"prod/{ODD}" and alert["findings"][0]["rule"] == "pod-dropped"
    wait_for(lambda: [one.get("sent") for one in replicas.books()] == [STEPS + 2 * (replica == 2) for replica in range(REPLICAS)],
             "the agents' books")
    assert balanced(replicas.books()) and all(one["dropped"] == one["refused"] == one["waiting"] == 0 for one in replicas.books())
    # Agents judge nothing themselves: their one replica has nobody to be compared with.
    assert all(of_pods(node) == [] and not node.service("shop").get("pods") for node in replicas.nodes)
