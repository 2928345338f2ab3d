# SPDX-License-Identifier: Apache-2.0
"""A staged rollout over two namespaces at a real kube-apiserver, with real gates: observe, alert, block, one namespace after the other,
held in the middle and taken up again."""

import json

import pytest
from kubernetes.apicluster import resource
from kubernetes.operators import Operator, condition, shipped_rights, wait_for

FORBIDDEN = {"headers": [{"in": "header", "name": "x-debug", "forbidden": True}]}


class Stage:
    """A namespace with one service behind a gate."""

    def __init__(self, cluster, operator, namespace, nginx, echo):
        self.cluster, self.operator, self.namespace, self.service = cluster, operator, namespace, f"{namespace}.shop"
        assert cluster.kubectl("create", "namespace", namespace).status == 0
        self.to("observe")
        wait_for(lambda: (operator.state / "policies" / f"{self.service}.policy").exists(), "a policy")
        self.gate = nginx(f"guard_state {operator.state}; guard_policy_key {operator.state}/keys/policy.pub;\n"
                          f"server {{ listen 127.0.0.1:{{port}}; guard {self.service}; location / {{ proxy_pass http://127.0.0.1:{echo.port}; }} }}")

    def to(self, mode, learn="on"):
        spec = {"control": {"mode": mode, "learn": learn}, "configured": FORBIDDEN}
        done = self.cluster.apply(resource("Guardian", "shop", spec, self.namespace))
        assert done.status == 0, done.err

    def told(self):
        return self.cluster.get("gd", "shop", "-n", self.namespace)

    def reached(self, mode):
        """The stage is one that people see, and what the gate does."""
        wait_for(lambda: self.told().get("status", {}).get("mode") == mode, f"{self.namespace} to be told {mode}", timeout=120)
        wait_for(lambda: self.attack() == (403 if mode == "block" else 200), f"{self.namespace} to {mode}", timeout=120)
        assert condition(self.told(), "Enforcing")["status"] == ("True" if mode == "block" else "False")
        assert self.benign() == 200

    def attack(self):
        return self.gate.curl("/", "-H", "x-debug: 1").status

    def benign(self):
        return self.gate.curl("/").status

    def alerts(self):
        return self.told().get("status", {}).get("alerts", 0)

    def events(self):
        return [one for one in self.cluster.get("events.events.k8s.io", "-n", self.namespace)["items"] if one["reason"] == "AttackBlocked"]

    def status(self):
        """guardd's own: (its member of the service, records of gates that were read)."""
        told = json.loads((self.operator.state / "status.json").read_text())
        return next(one for one in told["services"] if one["service"] == self.service), told["rings"]["records"]


@pytest.fixture
def operator(api_cluster, tmp_path):
    started = Operator(api_cluster, tmp_path / "operator", shipped_rights(api_cluster, tmp_path / "rights"))
    yield started.start()
    started.stop()
    assert "forbidden" not in started.log()


def test_two_namespaces_one_after_the_other(api_cluster, namespace, operator, nginx, echo):
    first, second = (Stage(api_cluster, operator, f"{namespace[:40]}-{name}", nginx, echo) for name in ("a", "b"))
    first.reached("observe")
    second.reached("observe")
    # The first goes ahead, and nothing of the second changes by that.
    first.to("alert")
    first.reached("alert")
    assert first.attack() == 200
    wait_for(lambda: first.alerts() > 0, "what would have been blocked to be told", timeout=120)
    first.to("block")
    first.reached("block")
    wait_for(first.events, "the event", timeout=120)
    assert second.attack() == 200 and second.told()["status"]["mode"] == "observe" and not second.events()
    # Held: no operator is there. Gates go on with what they have, also when somebody asks for the next stage.
    second.to("alert")
    second.reached("alert")
    operator.stop()
    second.to("block")
    assert second.attack() == 200 and first.attack() == 403 and first.benign() == 200
    assert condition(second.told(), "Enforcing")["status"] == "False"
    operator.start()
    second.reached("block")
    assert first.attack() == 403
    # Back, and on again.
    first.to("observe")
    first.reached("observe")
    assert second.attack() == 403
    first.to("block")
    first.reached("block")


def test_learning_is_held_and_goes_on(api_cluster, namespace, operator, nginx, echo):
    stage = Stage(api_cluster, operator, f"{namespace[:40]}-c", nginx, echo)
    stage.reached("observe")
    wait_for(lambda: stage.status()[0]["exchanges"] > 0, "something to be learned")
    stage.to("observe", learn="paused")
    wait_for(lambda: stage.status()[0]["learn"] == "paused", "the pause", timeout=120)
    (held, records) = (stage.status()[0]["exchanges"], stage.status()[1])
    for _ in range(5):
        assert stage.benign() == 200
    wait_for(lambda: stage.status()[1] >= records + 5, "the records to be read")
    assert stage.status()[0]["exchanges"] == held
    stage.to("observe")
    wait_for(lambda: stage.benign() == 200 and stage.status()[0]["exchanges"] > held, "learning to go on", timeout=120)
