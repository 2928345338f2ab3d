# SPDX-License-Identifier: Apache-2.0
"""Guard as install.yaml installs it, on a real node: pods that the webhook guards serve, an attack is an event and a condition, and neither a
rollout, a drain, a killed learner nor an eviction by the responder loses a request or what was learned of one."""

import json
import os
import pathlib
import signal
import sys
import tempfile

import pytest
import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1]), str(HERE.parents[1] / "pods")]
from injected import GUARD_IMAGE, images, injected_cluster, processes_of  # noqa: E402,F401
from installed import ATTACK, BENIGN, OURS, REPLICAS, SHOP, Installed  # noqa: E402
from kubernetes.operators import condition  # noqa: E402
from kubernetes.shipped import one_of, read  # noqa: E402
from responders import Responder  # noqa: E402
from waiting import wait_for as wait_closely  # noqa: E402


def wait_for(look, what, timeout=120):
    return wait_closely(look, what, timeout=timeout, pause=0.1)


@pytest.fixture(scope="module")
def installed(injected_cluster, images):  # noqa: F811
    with tempfile.TemporaryDirectory(prefix="guard-installed.") as folder:
        os.chmod(folder, 0o711)
        made = Installed(injected_cluster, pathlib.Path(folder))
        try:
            made.start()
            made.guard_shop()
            wait_for(lambda: made.status(ATTACK) == "403", "the policy to be at the gates")
            yield made
        finally:
            made.stop()


def guardian(installed):
    return installed.api.get("gd", SHOP, "-n", SHOP)


def all_is_learned(installed):
    """Each request that a gate answered is in guardd's count, and once; agents report each few seconds at first."""
    wait_for(lambda: installed.root()["exchanges"] >= installed.sent, lambda: f"{installed.sent} to be learned: {installed.root()}")
    assert installed.root()["exchanges"] == installed.sent, "each is learned once"


def test_an_attack_is_an_event_and_a_condition(installed):
    pods = installed.pods()
    assert len(pods) == REPLICAS
    assert all([one["name"] for one in pod["spec"]["containers"]] == ["app", "guard"] for pod in pods.values()), "the webhook made them"
    assert installed.status(BENIGN) == "200"
    for pod in pods.values():
        wait_for(lambda gate=f"http://{pod['status']['podIP']}:14080": installed.status(ATTACK, gate) == "403", "each to block it")
    event = wait_for(lambda: [one for one in installed.api.get("events", "-n", SHOP)["items"] if one["reason"] == "AttackBlocked"],
                     "the event")[0]
    assert event["regarding"]["kind"] == "Guardian" and event["regarding"]["name"] == SHOP, event
    wait_for(lambda: guardian(installed)["status"].get("alerts", 0) >= 1, "it to be counted")
    stored = guardian(installed)
    assert condition(stored)["status"] == "True" and condition(stored, "Enforcing")["status"] == "True", stored["status"]
    wait_for(lambda: condition(guardian(installed), "NotInPath").get("reason") in ("Proved", "PodsProved"),
             lambda: f"the gates to be proved to be in the path: {guardian(installed)['status']}")


def test_what_pods_do_is_compared_at_the_root(installed):
    """Of the sensors in the injected containers alone, which have no privilege; the cluster says whose tokens they show."""
    def workloads():
        return {(one["namespace"], one["workload"]): one["live_count"] for one in installed.root().get("pods", [])}

    wait_for(lambda: workloads() == {(SHOP, SHOP): REPLICAS}, lambda: f"a record of each pod: {installed.root().get('pods')}")


def test_a_rollout_and_a_drain_lose_no_request_and_nothing_learned(installed):
    callers = installed.callers()
    old = installed.pods()
    installed.cluster.kubectl("-n", SHOP, "rollout", "restart", f"deployment/{SHOP}")
    installed.cluster.kubectl("-n", SHOP, "rollout", "status", f"deployment/{SHOP}", "--timeout=180s")
    wait_for(lambda: not set(old) & {one["metadata"]["name"] for one in installed.api.find("pods", namespace=SHOP)["items"]},
             "the old pods to be gone")
    # A node is drained by evictions.
    evicted = next(iter(installed.pods()))
    installed.api.ask("POST", f"/api/v1/namespaces/{SHOP}/pods/{evicted}/eviction", {
        "apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": evicted, "namespace": SHOP}})
    wait_for(lambda: installed.api.find("pods", evicted, SHOP) is None, "the evicted pod to be gone")
    told = installed.end_callers(callers)
    print(f"rollout and drain: {told['answered']} requests answered, {told['kept']} of them over {told['connections']} kept connections")
    assert told["failed"] == [], told
    assert told["kept"] > told["connections"] > 2, "connections were kept, and given up when pods ended"
    # The pods that learned it are gone, and so are their volumes: it was handed on before they ended.
    all_is_learned(installed)


def test_a_restart_of_guardd_loses_nothing(installed):
    key = (installed.volume / "keys/policy.key").read_bytes()
    callers = installed.callers()
    # Beside a gate: killed.
    state = next(one for one in next(iter(installed.pods().values()))["status"]["containerStatuses"] if one["name"] == "guard")
    killed = next(pid for pid, name in processes_of(state["containerID"]) if name == "guardd")
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: [pid for pid, name in processes_of(state["containerID"]) if name == "guardd" and pid != killed], "it to be there again")
    # And the cluster's own, whose pod is deleted.
    was = installed.pods(OURS)["guardd-0"]["metadata"]["uid"]
    installed.cluster.kubectl("-n", OURS, "delete", "pod", "guardd-0", "--wait=false")
    wait_for(lambda: installed.api.find("pods", "guardd-0", OURS) is None or installed.api.find("pods", "guardd-0", OURS)["metadata"]["uid"] != was,
             "it to be made anew")
    assert installed.status(ATTACK) == "403", "gates go on with the policy that they have"
    installed.cluster.kubectl("-n", OURS, "rollout", "status", "statefulset/guardd", "--timeout=180s")
    told = installed.end_callers(callers)
    assert told["failed"] == [], told
    all_is_learned(installed)
    assert (installed.volume / "keys/policy.key").read_bytes() == key
    wait_for(lambda: condition(guardian(installed)).get("status") == "True", "the Guardian to be in force")


def respond(installed, folder):
    """guard-responder as its DaemonSet, with evictions alone; what lays orders down is played."""
    shipped = json.loads(json.dumps(read("responder.yaml")).replace("guard:0.1.0", GUARD_IMAGE))
    data = one_of(shipped, "ConfigMap", "guard-responder")["data"]
    config = {**yaml.safe_load(data["responder.yaml"]), "cgroupRoot": "/sys/fs/cgroup", "dryRun": False, "workloads": [{
        "namespace": SHOP, "workload": SHOP, "dryRun": False, "tries": 20, "retrySeconds": 1,
        "steps": {"remove": {"evict": True, "seconds": 600}, "verify": {"watchSeconds": 1}}}]}
    data["responder.yaml"] = yaml.safe_dump(config)
    # As the guide says it: a namespace binds the role.
    shipped.append({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {
        "name": "guard-responder", "namespace": SHOP}, "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "guard-responder"}, "subjects": [
                {"kind": "ServiceAccount", "name": "guard-responder", "namespace": "guard-responder"}]})
    installed.apply(shipped)
    try:
        installed.cluster.kubectl("-n", "guard-responder", "rollout", "status", "daemonset/guard-responder", "--timeout=180s")
    except AssertionError as error:
        told = installed.cluster.kubectl("-n", "guard-responder", "describe", "pods")
        logs = installed.cluster.kubectl("-n", "guard-responder", "logs", "-l", "app.kubernetes.io/name=guard-responder", "--tail=50")
        raise AssertionError(f"{error}\n{told}\n{logs}") from error
    return Responder(folder, "/sys/fs/cgroup", guard=installed.cluster.folder / "host/lib/guard")


def test_a_misused_pod_is_evicted_within_its_budget_while_the_others_serve(installed, tmp_path):
    budget = f"/apis/policy/v1beta1/namespaces/{SHOP}/poddisruptionbudgets"
    installed.apply([{"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": SHOP, "namespace": SHOP}, "spec": {
        "minAvailable": REPLICAS, "selector": {"matchLabels": {"app": SHOP}}}}])
    wait_for(lambda: installed.api.ask("GET", f"{budget}/{SHOP}")["status"].get("currentHealthy") == REPLICAS, "the budget to be counted")
    responder = respond(installed, tmp_path)
    callers = installed.callers()
    name, pod = next(iter(installed.pods().items()))
    order = responder.order(pod["metadata"]["uid"], id=f"order-{pod['metadata']['uid']}", service=f"{SHOP}.{SHOP}", namespace=SHOP, workload=SHOP,
                            pod={"name": name, "uid": pod["metadata"]["uid"]})

    def later():
        return [line for line in responder.lines(order) if line.get("step") == "remove" and line["outcome"] == "later"]
    assert "disruption budget is spent" in wait_for(later, lambda: f"the budget to hold it back: {responder.lines(order)}")[0]["detail"]
    assert name in installed.pods()
    installed.api.ask("PATCH", f"{budget}/{SHOP}", {"spec": {"minAvailable": REPLICAS - 1}}, "application/merge-patch+json")
    end = wait_for(lambda: [line for line in responder.lines(order) if "end" in line], lambda: f"it to end: {responder.lines(order)}")[0]
    assert end["end"] == "replaced", responder.lines(order)
    assert installed.api.find("pods", name, SHOP) is None
    wait_for(lambda: len(installed.pods()) == REPLICAS and name not in installed.pods(), "another one in its place")
    told = installed.end_callers(callers)
    assert told["failed"] == [] and told["answered"] > 0, told
    all_is_learned(installed)
