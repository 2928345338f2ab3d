# SPDX-License-Identifier: Apache-2.0
"""Guard as install.yaml installs it, on a real node: pods that the webhook guards serve, an attack is an event and a condition, and neither a
rollout, a drain, a killed learner nor an eviction by the responder loses a request or what was learned of one."""

import json
import os
import pathlib
import signal
import stat
import sys
import tempfile

import pytest
import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1]), str(HERE.parents[1] / "api"), str(HERE.parents[1] / "pods")]
from injected import APP_IMAGE, GUARD_IMAGE, images, injected_cluster, memory, processes_of  # noqa: E402,F401
from installed import ATTACK, BENIGN, NODE, OURS, REPLICAS, SHOP, Installed  # noqa: E402
from kernel import cannot  # noqa: E402
from kubernetes import apicluster  # noqa: E402
from kubernetes.operators import condition  # noqa: E402
from kubernetes.shipped import one_of, read  # noqa: E402
from kubernetes.operators import token_of  # noqa: E402
from responders import Responder  # noqa: E402
from test_pod_learning import Sensors, pod_writer  # noqa: E402,F401
from talking import curl  # noqa: E402
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


def respond(installed, folder, namespace=SHOP, workload=SHOP, orders=None):
    """guard-responder as its DaemonSet, with evictions alone. orders: the folder that guardd lays them down below; without it that is played."""
    shipped = json.loads(json.dumps(read("responder.yaml")).replace("guard:0.1.0", GUARD_IMAGE))
    data = one_of(shipped, "ConfigMap", "guard-responder")["data"]
    config = {**yaml.safe_load(data["responder.yaml"]), "cgroupRoot": "/sys/fs/cgroup", "dryRun": False, "workloads": [{
        "namespace": namespace, "workload": workload, "dryRun": False, "tries": 20, "retrySeconds": 1,
        "steps": {"remove": {"evict": True, "seconds": 600}, "verify": {"watchSeconds": 1}}}]}
    if orders:
        volumes = one_of(shipped, "DaemonSet", "guard-responder")["spec"]["template"]["spec"]["volumes"]
        next(one for one in volumes if one["name"] == "orders")["hostPath"]["path"] = str(orders)
    data["responder.yaml"] = yaml.safe_dump(config)
    # As the guide says it: a namespace binds the role.
    shipped.append({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {
        "name": "guard-responder", "namespace": namespace}, "roleRef": {
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


# --- what the node sees ---

CART = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cart-1", "namespace": "podwatched"}, "spec": {
    "terminationGracePeriodSeconds": 1, "containers": [{"name": "app", "image": APP_IMAGE, "imagePullPolicy": "Never"}]}}


def node_states(installed):
    """{container: its status} of the pod on the node."""
    pods = list(installed.pods(NODE).values())
    return {one["name"]: one for pod in pods for one in pod["status"].get("containerStatuses") or []}


def node_log(installed, container):
    done = installed.cluster.kubectl("-n", NODE, "logs", f"daemonset/{NODE}", "-c", container, check=False)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def watch_the_node(installed):
    """Until podwatch runs; skips where this node lets it not."""
    installed.watch_node()

    def told():
        events = [line["event"] for line in node_log(installed, "podwatch")]
        return "started" in events or "not-started" in events or node_states(installed).get("podwatch", {}).get("restartCount", 0) > 0
    wait_for(told, lambda: f"podwatch to start: {node_log(installed, 'podwatch')} {node_states(installed)} {describe(installed)}", timeout=240)
    refused = [line["detail"] for line in node_log(installed, "podwatch") if line["event"] == "not-started"]
    if refused:
        pytest.skip(f"SKIPPED: this node's runtime or kernel refuses guard-podwatch what it may: {refused[0]}")
    installed.cluster.kubectl("-n", NODE, "rollout", "status", f"daemonset/{NODE}", "--timeout=180s")


def describe(installed):
    return installed.cluster.kubectl("-n", NODE, "describe", "pods", check=False).stdout[-2000:]


def learned(installed, service):
    """{container: what the root knows of it} of the service's workload."""
    answer = curl(installed.volume, f"/services/{service}/pods")
    return {one["container"]: one for one in answer.json()["workloads"]} if answer.status == 200 else {}


def root_counts(installed):
    return json.loads((installed.volume / "status.json").read_text())["pods"]


def refused(installed):
    """The root's words of it."""
    done = installed.cluster.kubectl("-n", OURS, "logs", "guardd-0", "-c", "guardd", check=False)
    return [line for line in done.stdout.splitlines() if "pod-record-refused" in line]


def of_node(installed, name):
    return f"{name}: {node_log(installed, 'guardd')} {node_log(installed, 'names')} {root_counts(installed)} {describe(installed)}"


@pytest.mark.skipif(cannot() is not None, reason=f"SKIPPED: {cannot()}")
def test_what_the_node_sees_is_at_the_root_by_the_pods_names(installed):
    """Nothing is laid anywhere by hand: a program that is run in a pod is known at the root as that pod's."""
    before = root_counts(installed)["refused"]
    watch_the_node(installed)
    installed.cluster.namespace("podwatched")
    installed.apply([CART])
    wait_for(lambda: installed.pods("podwatched")["cart-1"]["status"]["phase"] == "Running", "the pod to run")
    installed.cluster.kubectl("-n", "podwatched", "exec", "cart-1", "--", "/app", "pause", "0")

    def has_run():
        known = learned(installed, "podwatched.cart-1").get("app", {})
        done = [one for replica in known.get("replicas", []) for one in replica["alone"]]
        return [one for one in done if one["kind"] == "exec" and "/app" in one["text"]] and known
    app = wait_for(has_run, lambda: of_node(installed, "the program to be known"), timeout=240)
    replica, = app["replicas"]
    assert (app["namespace"], app["workload"], replica["pod"]) == ("podwatched", "cart-1", "cart-1")
    node = installed.pods("podwatched")["cart-1"]["spec"]["nodeName"]
    assert replica["node"] == node and replica["reporter"] == f"node:{node}"
    # Beside what each guarded pod says of itself: by its gate's service, and all of its containers.
    wait_for(lambda: {"app", "guard", "POD"} <= set(learned(installed, f"{SHOP}.{SHOP}")), lambda: of_node(installed, "the shop's containers"))
    assert not set(learned(installed, "podwatched.cart-1")) - {"app", "POD"}, "no container is known by its number"
    assert root_counts(installed)["refused"] == before, f"all of it was the node's to say: {refused(installed)}"
    check_rights(installed, node)


# --- and what comes of it ---

WEB, WEB_REPLICAS = "prod", 3  # the namespace and the workload that pod_writer knows


def replicas_of_web():
    """As a Deployment makes them, with the template's hash that pod_writer knows."""
    labels = {"app": "web", "pod-template-hash": "7f9c"}
    return [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web-7f9c", "namespace": WEB, "labels": labels}, "spec": {
            "replicas": WEB_REPLICAS, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
                "terminationGracePeriodSeconds": 1, "containers": [{"name": "app", "image": APP_IMAGE, "imagePullPolicy": "Never"}]}}}},
        {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "web", "namespace": WEB}, "spec": {
            "minAvailable": WEB_REPLICAS, "selector": {"matchLabels": labels}}}]


def of_web(installed):
    told = json.loads((installed.volume / "status.json").read_text())
    known = next((one.get("pods") or [] for one in told["services"] if one["service"] == f"{WEB}.web"), [])
    return next((one for one in known if one["container"] == "app"), {"records": 0, "ready": False, "live": []})


def live_on_node(installed, names):
    return set(names) <= {one["pod"] for one in learned(installed, f"{WEB}.web").get("app", {}).get("replicas", [])}


def pod_alerts(installed):
    path = installed.volume / "alerts.jsonl"
    alerts = map(json.loads, path.read_text().splitlines()) if path.exists() else []
    return [one for one in alerts if one["service"] == f"{WEB}.web" and one["findings"][0]["part"] == "pod"]


def replaced_by(installed):
    """Whom the root has replaced, or would."""
    return {one["findings"][0]["name"] for one in pod_alerts(installed) if "REPLACE" in one["explanation"]}


def lay_days_down(installed, writer):
    """What other replicas did for five days; all that comes later is seen on the node."""
    sensors = Sensors(writer, installed.volume, f"{WEB}.web")
    sensors.live()
    for path in sensors.folder.glob("*.pods"):
        path.chmod(0o644)
    wait_for(sensors.read, "the days to be learned")


@pytest.mark.skipif(cannot() is not None, reason=f"SKIPPED: {cannot()}")
def test_what_the_node_sees_has_the_misused_pod_replaced_within_its_budget(installed, pod_writer, tmp_path):  # noqa: F811
    """An intruder's program in one replica: podwatch tells of it, the root orders, guard-responder evicts, as they are shipped. Nothing is played
    but the days before."""
    watch_the_node(installed)
    installed.cluster.namespace(WEB)
    installed.apply([apicluster.resource("Guardian", "web", {"control": {"mode": "block"}, "pods": {"orders": "act"}}, WEB), *replicas_of_web()])
    wait_for(lambda: [one["status"]["phase"] for one in installed.pods(WEB).values()] == ["Running"] * WEB_REPLICAS, "the replicas to run")
    before = installed.pods(WEB)
    lay_days_down(installed, pod_writer)
    wait_for(lambda: of_web(installed)["ready"] and live_on_node(installed, before), lambda: of_node(installed, f"all replicas: {of_web(installed)}"))
    assert not replaced_by(installed), "what all of them do that is new is told, and no more"
    respond(installed, tmp_path, WEB, "web", orders=installed.volume / "pods")
    name, pod = next(iter(before.items()))
    installed.cluster.curl(f"http://{pod['status']['podIP']}:8080/intrude")

    def reported():
        lines = [json.loads(line) for path in (installed.volume / "pods/reports").glob("*.jsonl") for line in path.read_text().splitlines()]
        return [line for line in lines if line.get("step") == "remove" and line["outcome"] == "later"]
    held = wait_for(reported, lambda: of_node(installed, f"the budget to hold it back: {pod_alerts(installed)}"), timeout=240)
    assert "disruption budget is spent" in held[0]["detail"]
    alert, = [one for one in pod_alerts(installed) if one["findings"][0]["rule"] == "pod-memfd"]
    assert alert["findings"][0]["name"] == f"{WEB}/{name}" and f"REPLACE pod {WEB}/{name}: " in alert["explanation"], alert
    assert set(installed.pods(WEB)) == set(before)
    budget = f"/apis/policy/v1beta1/namespaces/{WEB}/poddisruptionbudgets/web"
    installed.api.ask("PATCH", budget, {"spec": {"minAvailable": WEB_REPLICAS - 1}}, "application/merge-patch+json")
    wait_for(lambda: [one for one in pod_alerts(installed) if one["findings"][0]["rule"] == "pod-order-replaced"],
             lambda: f"the root to know that it was replaced: {pod_alerts(installed)}")
    assert installed.api.find("pods", name, WEB) is None
    wait_for(lambda: len(installed.pods(WEB)) == WEB_REPLICAS, "another one in its place")
    assert set(before) - set(installed.pods(WEB)) == {name}, "the others went on"
    assert replaced_by(installed) == {f"{WEB}/{name}"} and len(list((installed.volume / "pods/reports").glob("*.jsonl"))) == 1, "nobody else is"


def check_rights(installed, node):
    states = node_states(installed)
    wanted = {"podwatch": ("guard-podwatch", 0, 1 << 12 | 1 << 38 | 1 << 39), "names": ("guard", 65530, 0), "guardd": ("guardd", 65531, 0)}
    for container, (program, user, rights) in wanted.items():
        pid = next(pid for pid, name in processes_of(states[container]["containerID"]) if name == program)
        status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == rights and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert status["Uid"].split()[0] == str(user) and status["Gid"].split()[0] == "65532"
        print(f"{container} on {node}: RSS {memory(pid)[0] / 2**20:.1f} MiB")
        assert states[container]["restartCount"] == 0
        if container != "names":
            records = pathlib.Path("/proc", str(pid), "root", "var/lib/guard/pods").stat()
            assert records.st_gid == 65532 and records.st_mode & stat.S_ISGID, "guardd's, which removes what it has read, whoever wrote it"
    # Who passes records on has nothing that the API server takes.
    pod = next(iter(installed.pods(NODE)))
    token = token_of(installed.api, NODE, NODE, audience="guard.security", pod=pod)
    assert installed.cluster.curl("-k", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Authorization: Bearer {token}",
                                  "https://127.0.0.1/api/v1/pods") == "401"
