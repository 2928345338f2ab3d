# SPDX-License-Identifier: Apache-2.0
"""What a responder may do to pods, against a real kube-apiserver: eviction within a disruption budget, relabelling, a NetworkPolicy that
denies all. No controllers run here: the budget's status is what the test says. The server knows policy/v1beta1 only."""

import json
import pathlib
import subprocess

import pytest
from harness import BUILD

ACTOR = pathlib.Path(BUILD) / "tests/integration/kubernetes/guard-test-pod-actor"


def pod(name, namespace, app):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
            "spec": {"nodeName": "none", "automountServiceAccountToken": False, "containers": [{"name": "app", "image": "localhost/app:1"}]}}


class Actions:
    def __init__(self, cluster, namespace):
        self.cluster, self.namespace = cluster, namespace

    def act(self, verb, name="-", uid="-", label="-", value="-"):
        done = subprocess.run(self.cluster.command(ACTOR, self.cluster.kubeconfig, verb, self.namespace, name, uid, label, value),
                              capture_output=True, text=True, env=self.cluster.env, timeout=120, check=True)
        outcome, retry_after, budget, message = done.stdout.split(" ", 3)
        return outcome, int(retry_after), budget == "1", message.strip()

    def pod(self, name, app="shop"):
        """Made, and running as far as the server can see; its uid."""
        self.cluster.ask("POST", f"/api/v1/namespaces/{self.namespace}/pods", pod(name, self.namespace, app))
        return self.tell("pods", "v1", name, {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})["metadata"]["uid"]

    def tell(self, plural, group, name, status):
        """Writes a status, as the controller would."""
        what = self.cluster.get(plural, name, "-n", self.namespace)
        what["status"] = status(what) if callable(status) else status
        root = "/api/v1" if group == "v1" else f"/apis/{group}"
        return self.cluster.ask("PUT", f"{root}/namespaces/{self.namespace}/{plural}/{name}/status", what)

    def there(self, name):
        found = self.cluster.find("pod", name, self.namespace)
        return found is not None and "deletionTimestamp" not in found["metadata"]


@pytest.fixture
def actions(api_cluster, namespace):
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}}
    assert api_cluster.kubectl("apply", "-f", "-", text=json.dumps(account)).status == 0
    return Actions(api_cluster, namespace)


def test_a_pod_is_evicted_when_its_budget_allows_it(api_cluster, namespace, actions):
    uid = actions.pod("one")
    budget = {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "shop", "namespace": namespace},
              "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "shop"}}}}
    assert api_cluster.kubectl("create", "-f", "-", text=json.dumps(budget)).status == 0

    def allow(count):
        actions.tell("poddisruptionbudgets", "policy/v1beta1", "shop", lambda it: {
            "observedGeneration": it["metadata"]["generation"], "disruptionsAllowed": count, "currentHealthy": 1 + count, "desiredHealthy": 1,
            "expectedPods": 1 + count})
    allow(0)
    outcome, retry_after, by_budget, message = actions.act("evict-v1beta1", "one", uid)
    assert (outcome, by_budget) == ("later", True) and retry_after > 0 and "disruption budget" in message, message
    assert actions.there("one")
    allow(1)
    assert actions.act("evict-v1beta1", "one", "00000000-0000-0000-0000-000000000000")[0] == "gone"  # another pod of that name
    assert actions.there("one")
    allow(1)
    assert actions.act("evict-v1beta1", "one", uid)[0] == "done"
    assert not actions.there("one")


def test_what_is_not_there_or_not_known(actions):
    assert actions.act("evict-v1beta1", "none", "u")[0] == "gone"
    uid = actions.pod("one")
    outcome, _, _, message = actions.act("evict-v1", "one", uid)  # of servers from 1.22 on
    assert outcome in ("refused", "done"), message


def test_a_pod_leaves_its_services_and_is_cut_off(api_cluster, namespace, actions):
    uid = actions.pod("one")
    assert actions.act("relabel", "one", uid, "guard.security/quarantine", "q1")[0] == "done"
    assert actions.act("relabel", "one", uid, "app", "")[0] == "done"
    labels = api_cluster.get("pod", "one", "-n", namespace)["metadata"]["labels"]
    assert labels == {"guard.security/quarantine": "q1"}
    # Another pod of that name; this server says that a uid can't be changed.
    assert actions.act("relabel", "one", "00000000-0000-0000-0000-000000000000", "app", "x")[0] in ("gone", "refused")
    assert api_cluster.get("pod", "one", "-n", namespace)["metadata"]["labels"] == labels
    for _ in range(2):  # what is there is as good
        assert actions.act("deny", label="guard.security/quarantine", value="q1")[0] == "done"
    spec = api_cluster.get("networkpolicy", "guard-deny-q1", "-n", namespace)["spec"]
    assert spec["podSelector"]["matchLabels"] == {"guard.security/quarantine": "q1"}
    assert sorted(spec["policyTypes"]) == ["Egress", "Ingress"] and not spec.get("ingress") and not spec.get("egress")
    assert actions.act("undeny", label="guard.security/quarantine", value="q1")[0] == "done"
    assert actions.act("undeny", label="guard.security/quarantine", value="q1")[0] == "gone"


def test_what_is_no_name_is_not_asked_for(actions):
    assert actions.act("evict-v1", "a/../b", "u")[0] == "wrong"
    assert actions.act("deny", label="a", value="B c")[0] == "wrong"
