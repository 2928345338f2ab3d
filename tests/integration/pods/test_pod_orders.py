# SPDX-License-Identifier: Apache-2.0
"""guardd gives one order for a pod that alone is misused, only where that is wanted, and tells what the responder reports of it. The test
plays the responder: it takes orders and writes reports, also such as no responder should."""

import json
import pathlib
import subprocess
import sys
import time

import pytest
from harness import BIN, wait_for

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from test_pod_learning import ODD, Guardd, Sensors, of_pods, pod_writer  # noqa: E402, F401

MEMFD = 8


class Place:
    def __init__(self, tmp_path, writer, word, mode=None):
        self.state = tmp_path / "state"
        self.sensors = Sensors(writer, self.state)
        if mode:
            (self.state / "guardians").mkdir()
            (self.state / "guardians" / "shop.yaml").write_text(f"service: shop\ncontrol:\n  mode: {mode}\n")
        self.guardd = Guardd(self.state, options=("--pod-orders", word) if word else ())

    def learn(self):
        self.sensors.live()
        self.guardd.start()
        wait_for(self.sensors.read, "benign days", 120)
        return self

    def orders(self):
        return [json.loads(path.read_text()) for path in sorted((self.state / "pods" / "orders").glob("*.json"))]

    def report(self, order, **members):
        with (self.state / "pods" / "reports" / f"{order}.jsonl").open("a") as file:
            file.write(json.dumps({"version": 1, "id": order, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **members}) + "\n")

    def told(self, rule):
        return [alert for alert in of_pods(self.guardd) if alert["findings"][0]["rule"] == rule]


@pytest.fixture
def place(tmp_path, pod_writer):  # noqa: F811
    made = []

    def new(word, mode=None):
        made.append(Place(tmp_path, pod_writer, word, mode))
        return made[-1].learn()

    yield new
    for one in made:
        if one.guardd.process is not None and one.guardd.process.poll() is None:
            one.guardd.stop()


def test_without_the_option_there_is_none(place):
    one = place(None)
    one.sensors.put(one.sensors.misuse())
    wait_for(lambda: of_pods(one.guardd), "the alert")
    assert of_pods(one.guardd)[0]["explanation"].startswith(f"dry run, would REPLACE pod prod/{ODD}: ")
    assert not (one.state / "pods" / "orders").exists()


@pytest.mark.parametrize("word, mode, dry", [("dry-run", "block", True), ("act", None, True), ("act", "block", False)])
def test_one_order_for_a_case_and_only_block_may_act(place, word, mode, dry):
    one = place(word, mode)
    now = int(time.time() * 1000)
    one.sensors.put(one.sensors.misuse())
    wait_for(lambda: one.told("pod-dropped"), "the alert")
    [order] = one.orders()
    assert order["dryRun"] is dry
    assert (order["service"], order["namespace"], order["workload"], order["container"]) == ("shop", "prod", "web", "app")
    assert order["pod"] == {"name": ODD, "uid": "5f1c-2"} and (order["replicas"], order["ready"]) == (4, 3)
    assert order["exchange"] == "5f3a" and order["reason"].startswith(f"REPLACE pod prod/{ODD}: ")
    assert {"kind": "process", "hard": "dropped"}.items() <= order["evidence"][0].items(), order
    [alert] = of_pods(one.guardd)
    assert alert["explanation"].startswith(f"dry run, order {order['id']}, would REPLACE" if dry else f"order {order['id']}: REPLACE"), alert
    # More of the same case is told, and is no further order; neither is it after a kill.
    one.sensors.put(one.sensors.encode([one.sensors.line(2, now + 20000, [(MEMFD, "memfd:y", "/tmp/x", "5f3a")])]))
    wait_for(lambda: one.told("pod-memfd"), "the second alert")
    one.guardd.kill()
    one.guardd.start()
    wait_for(one.sensors.read, "what wasn't saved to come again", 120)
    assert one.orders() == [order]
    assert len(of_pods(one.guardd)) == 2


def test_what_is_reported_is_told_once_and_nothing_else(place):
    one = place("act", "block")
    one.sensors.put(one.sensors.misuse())
    wait_for(one.orders, "the order")
    wait_for(lambda: one.told("pod-dropped"), "the alert")
    [order] = one.orders()
    (one.state / "pods" / "orders" / f"{order['id']}.json").unlink()  # taken
    reports = one.state / "pods" / "reports"
    (reports / "unknown.jsonl").write_text("{}\n")
    one.report(order["id"], step="contain", outcome="done", detail="no new connections")
    with (reports / f"{order['id']}.jsonl").open("ab") as file:
        file.write(b'{"version":1,"id":"other","at":"2026-01-01T00:00:00Z","end":"replaced","detail":""}\n\xff\n' + b"x" * 5000 + b"\n")
    wait_for(lambda: "pod-report-damaged" in one.guardd.log(), "the damage to be told")
    assert not one.told("pod-order-replaced")
    one.guardd.kill()
    one.report(order["id"], step="remove", outcome="done", detail="")
    one.report(order["id"], end="replaced", detail='a new one "serves"')
    one.report(order["id"], end="useless", detail="behind the end nothing counts")
    one.guardd.start()
    wait_for(lambda: one.told("pod-order-replaced"), "the end")
    [alert] = one.told("pod-order-replaced")
    assert alert["findings"][0]["name"] == f"prod/{ODD}" and alert["findings"][0]["observed"] == 'a new one "serves"'
    assert alert["explanation"] == f"order {order['id']}, pod prod/{ODD}: replaced: a new one \"serves\""
    wait_for(lambda: one.guardd.status()["pods"]["order_ends"]["replaced"] == 1, "the count")
    wait_for(one.sensors.read, "all that was learned to be saved", 120)
    one.guardd.stop()
    one.guardd.start()
    one.sensors.put(one.sensors.misuse())
    wait_for(one.sensors.read, "the same again to be learned", 120)
    assert len(one.told("pod-order-replaced")) == 1 and one.told("pod-order-useless") == []
    assert one.orders() == []  # it has a report: it was given before


def test_a_wrong_word_is_refused(tmp_path):
    ended = subprocess.run([BIN / "guardd", "--state", tmp_path, "--pod-orders", "yes"], capture_output=True, text=True)
    assert ended.returncode == 2 and "--pod-orders" in ended.stderr
