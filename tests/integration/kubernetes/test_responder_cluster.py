# SPDX-License-Identifier: Apache-2.0
"""guard-responder's steps by the API server, against a real one with its controllers: a Deployment's pod is taken out, replaced, evicted
within its disruption budget, by the rights that are shipped. No kubelet runs: the test says that pods are ready, and ends those on nodes."""

import datetime
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest
import yaml
from harness import wait_for as wait_closely
from kubernetes.apicluster import CRDS, KIT, Cluster
from kubernetes.conftest import skip
from kubernetes.operators import wait_for, wait_rights

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "pods"))
from responders import RESPONDER, Responder  # noqa: E402

EVICT = {"remove": {"evict": True, "seconds": 600}, "verify": {"watchSeconds": 1}}
RELABEL = {"outOfService": {"relabel": {"app": "", "seen-by": "people"}, "keep": 1, "denyPolicy": True, "seconds": 300},
           "waitReady": {"replacement": True, "everySeconds": 1, "seconds": 300}}
BUDGET = {"share": 0.5, "windowSeconds": 60, "backoffFirstSeconds": 1, "backoffMaxSeconds": 1, "calmSeconds": 1}
ACCOUNT = "guard-responder:guard-responder"
NOWHERE = "00000000-0000-4000-8000-000000000000"


class ControlPlane(Cluster):
    def up(self, *flags):
        return self.kit("up", "--control-plane", *flags, self.folder)

    def apiserver(self):
        return int((self.folder / "pids/kube-apiserver").read_text().split()[0])

    def bind(self, namespace, *roles):
        for role in ("guard-responder", *roles):
            self.ask("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings", {
                "metadata": {"name": role}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": "guard-responder", "namespace": "guard-responder"}]})
        wait_rights(self, ACCOUNT, ("create", "pods/eviction", namespace), *[("patch", "pods", namespace)] * len(roles))

    def token(self):
        """As kubelets get it."""
        return self.ask("POST", "/api/v1/namespaces/guard-responder/serviceaccounts/guard-responder/token", {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}})["status"]["token"]


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    if not KIT.exists():
        skip(f"{KIT} isn't there")
    if os.geteuid() != 0:
        skip("a network namespace needs root")
    kept = "GUARD_K8S_PLANE" in os.environ  # one that is up already, and stays so
    folder = tmp_path_factory.mktemp("kubernetes")
    cluster = ControlPlane(pathlib.Path(os.environ.get("GUARD_K8S_PLANE", folder / "plane")))
    done = cluster.up()
    if done.status == 3:
        skip(done.out + done.err)
    assert done.status == 0, done.out + done.err
    try:
        shipped = [one for one in yaml.safe_load_all((CRDS / "responder.yaml").read_text()) if one["kind"] != "DaemonSet"]
        done = cluster.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": shipped}))
        assert done.status == 0, done.err
        node = Node(cluster)
        yield cluster
        node.end()
    finally:
        cluster.end_proxy()
        if not kept:
            cluster.down()


class Node:
    """What a kubelet says so that pods are sent to it and stay ready."""

    def __init__(self, cluster):
        self.cluster, self.over = cluster, threading.Event()
        if cluster.ask("GET", "/api/v1/nodes/none") is None:
            cluster.ask("POST", "/api/v1/nodes", {"metadata": {"name": "none"}})
        self.renew()
        self.thread = threading.Thread(target=self.go_on, daemon=True)
        self.thread.start()

    def renew(self):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        status = {"allocatable": {"cpu": "8", "memory": "8Gi", "pods": "100"}, "capacity": {"cpu": "8", "memory": "8Gi", "pods": "100"},
                  "conditions": [{"type": "Ready", "status": "True", "reason": "Test", "lastHeartbeatTime": now, "lastTransitionTime": now}]}
        self.cluster.ask("PATCH", "/api/v1/nodes/none/status", {"status": status}, "application/merge-patch+json")

    def go_on(self):
        while not self.over.wait(5):
            try:
                self.renew()
            except (AssertionError, OSError, ValueError, http.client.HTTPException):
                pass  # the server is away

    def end(self):
        self.over.set()
        self.thread.join()


class Shop:
    """A Deployment of three behind a Service; its pods become ready as a kubelet would say it."""

    def __init__(self, cluster, namespace):
        self.cluster, self.namespace, self.over = cluster, namespace, threading.Event()
        self.hold = threading.Event()  # nothing becomes ready any more
        app = {"app": "cart"}
        cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        self.make({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart"}, "spec": {"selector": app, "ports": [{"port": 80}]}})
        self.make({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cart"}, "spec": {
            "replicas": 3, "selector": {"matchLabels": app}, "template": {"metadata": {"labels": app}, "spec": {
                "terminationGracePeriodSeconds": 0, "containers": [{"name": "app", "image": "localhost/app:1"}]}}}})
        self.thread = threading.Thread(target=self.play_kubelet, daemon=True)
        self.thread.start()
        self.names = wait_for(lambda: len(self.serving()) == 3 and sorted(self.serving()), "three pods to serve")

    def make(self, one):
        places = {"Pod": "api/v1/namespaces/%s/pods", "Service": "api/v1/namespaces/%s/services",
                  "Deployment": "apis/apps/v1/namespaces/%s/deployments",
                  "PodDisruptionBudget": "apis/policy/v1beta1/namespaces/%s/poddisruptionbudgets"}
        self.cluster.ask("POST", "/" + places[one["kind"]] % self.namespace, one)

    def pods(self, selector=""):
        items = self.cluster.ask("GET", f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={selector}")["items"]
        return {one["metadata"]["name"]: one for one in items}

    def pod(self, name):
        return self.cluster.ask("GET", f"/api/v1/namespaces/{self.namespace}/pods/{name}")

    def serving(self):
        """Who gets requests."""
        found = self.cluster.ask("GET", f"/api/v1/namespaces/{self.namespace}/endpoints/cart") or {}
        return {address["targetRef"]["name"] for subset in found.get("subsets", []) for address in subset.get("addresses", [])}

    def play_kubelet(self):
        number = 0
        while not self.over.wait(0.2):
            try:
                for one in [] if self.hold.is_set() else self.pods().values():
                    if one["spec"].get("nodeName") and one["status"].get("phase") != "Running" and "deletionTimestamp" not in one["metadata"]:
                        number += 1
                        self.say_ready(one, number)
            except (AssertionError, OSError, ValueError, http.client.HTTPException):
                pass  # the server is away, or another one wrote

    def say_ready(self, one, number):
        one["status"] = {"phase": "Running", "podIP": f"10.1.0.{number}", "podIPs": [{"ip": f"10.1.0.{number}"}],
                         "conditions": [{"type": "Ready", "status": "True"}]}
        self.cluster.ask("PUT", f"/api/v1/namespaces/{self.namespace}/pods/{one['metadata']['name']}/status", one)

    def budget(self, least):
        self.make({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "cart"}, "spec": {
            "minAvailable": least, "selector": {"matchLabels": {"app": "cart"}}}})
        path = f"/apis/policy/v1beta1/namespaces/{self.namespace}/poddisruptionbudgets/cart"
        wait_for(lambda: self.cluster.ask("GET", path)["status"].get("expectedPods") == 3, "the budget to be counted")

    def end(self):
        self.over.set()
        self.thread.join()
        self.cluster.ask("DELETE", f"/api/v1/namespaces/{self.namespace}")


@pytest.fixture
def shop(plane, request):
    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "").lower()
    made = Shop(plane, f"{name[:45].strip('-')}-{os.getpid()}")
    yield made
    made.end()


class ClusterResponder(Responder):
    """In the cluster's network, as the shipped service account."""

    def __init__(self, cluster, shop, folder, steps, **workload):
        super().__init__(folder, "/sys/fs/cgroup", kubernetes=str(folder / "kubeconfig"), workload={
            "namespace": shop.namespace, "steps": steps, "budget": BUDGET, "retrySeconds": 1, "tries": 20, **workload})
        self.cluster, self.shop = cluster, shop
        self.token = folder / "token"
        self.good = cluster.token()
        self.token.write_text(self.good)
        (folder / "kubeconfig").write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:443", "certificate-authority": str(cluster.folder / "pki/ca.crt")}}],
            "users": [{"name": "u", "user": {"tokenFile": "token"}}]}))

    def start(self):
        self.config.write_text(json.dumps(self.document))
        self.config.chmod(0o600)
        before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.cluster.command(RESPONDER, "--config", self.config), stderr=log, stdin=subprocess.DEVNULL,
                                            env=self.cluster.env)
        wait_closely(lambda: b'"started"' in self.log.read_bytes()[before:] or self.process.poll() is not None, "the responder to start")
        assert self.process.poll() is None, self.log.read_text()
        return self

    def order_for(self, name, uid=None):
        one = self.shop.pod(name)
        return self.order(uid or one["metadata"]["uid"], namespace=self.shop.namespace, pod={"name": name, "uid": uid or one["metadata"]["uid"]})


@pytest.fixture
def responder(plane, shop, tmp_path):
    made = []

    def make(steps, **workload):
        made.append(ClusterResponder(plane, shop, tmp_path, steps, **workload))
        return made[-1]

    yield make
    for one in made:
        one.end()


def test_what_is_shipped_is_a_dry_run_that_may_act_nowhere(tmp_path):
    ours = list(yaml.load_all((CRDS / "responder.yaml").read_text(), yaml.CSafeLoader))
    assert sorted(one["kind"] for one in ours) == ["ClusterRole", "ClusterRole", "ConfigMap", "DaemonSet", "Namespace", "ServiceAccount"]
    assert "guard-responder" not in (CRDS / "install.yaml").read_text()
    config = tmp_path / "responder.yaml"
    config.write_text(next(one for one in ours if one["kind"] == "ConfigMap")["data"]["responder.yaml"])
    config.chmod(0o600)
    read = yaml.safe_load(config.read_text())
    assert read["dryRun"] is True and all(one["dryRun"] is True for one in read["workloads"])
    done = subprocess.run([RESPONDER, "--config", config, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_pod_is_taken_out_replaced_and_evicted(plane, shop, responder):
    plane.bind(shop.namespace, "guard-responder-relabel")
    serving = responder({**RELABEL, **EVICT}).start()
    bad, uid = shop.names[0], shop.pod(shop.names[0])["metadata"]["uid"]
    shop.hold.set()
    order = serving.order_for(bad)
    assert serving.did(order, "outOfService")["outcome"] == "done", serving.lines(order)
    wait_for(lambda: bad not in shop.serving(), "it to get no requests")
    labels = shop.pod(bad)["metadata"]["labels"]
    assert "app" not in labels and labels["seen-by"] == "people" and labels["guard.security/quarantined"] == uid
    policy = plane.ask("GET", f"/apis/networking.k8s.io/v1/namespaces/{shop.namespace}/networkpolicies/guard-deny-{uid}")
    assert policy["spec"]["podSelector"] == {
        "matchLabels": {"guard.security/quarantined": uid}}
    wait_for(lambda: len(shop.pods("app=cart")) == 3, "its ReplicaSet to begin another one")
    assert not serving.outcome(order, "waitReady") and shop.pod(bad)  # nothing is removed before a replacement serves
    shop.hold.clear()
    assert serving.ended(order)["end"] == "replaced", serving.lines(order)
    new = serving.outcome(order, "waitReady")["detail"].removeprefix("ready: ")
    assert new not in shop.names and new in shop.pods()
    assert shop.pod(bad) is None
    wait_for(lambda: shop.serving() == {*shop.names[1:], new}, "the replacement to serve")


def test_a_disruption_budget_holds_for_evictions_and_for_relabelling(plane, shop, responder):
    plane.bind(shop.namespace, "guard-responder-relabel")
    shop.budget(3)
    serving = responder({**RELABEL, **EVICT}).start()
    order = serving.order_for(shop.names[0])
    line = serving.did(order, "outOfService")
    assert line["outcome"] == "later" and "disruption budget is spent" in line["detail"]
    assert shop.serving() == set(shop.names) and "guard.security/quarantined" not in shop.pod(shop.names[0])["metadata"]["labels"]
    plane.ask("PATCH", f"/apis/policy/v1beta1/namespaces/{shop.namespace}/poddisruptionbudgets/cart", {"spec": {"minAvailable": 2}},
              "application/merge-patch+json")
    assert serving.ended(order)["end"] == "replaced", serving.lines(order)


def test_the_servers_time_for_another_try_is_kept(plane, shop, responder):
    """Our own pause is 1 s; the server says 10 of a spent budget, or says nothing, which is 10, too."""
    plane.bind(shop.namespace)
    shop.budget(3)
    serving = responder(EVICT, tries=2).start()
    order = serving.order_for(shop.names[0])
    assert serving.ended(order)["end"] == "untouched", serving.lines(order)
    first, second = [datetime.datetime.fromisoformat(line["at"].rstrip("Z")) for line in serving.lines(order) if line.get("step") == "remove"]
    assert (second - first).total_seconds() >= 10
    assert shop.serving() == set(shop.names)


def test_another_pod_of_the_name_is_never_touched(plane, shop, responder):
    plane.bind(shop.namespace, "guard-responder-relabel")
    serving = responder({**RELABEL, **EVICT}).start()
    order = serving.order_for(shop.names[0], uid=NOWHERE)
    serving.ended(order)
    assert "another pod has its name" in serving.outcome(order, "outOfService")["detail"]
    assert shop.serving() == set(shop.names)


def test_what_is_not_of_the_workload_is_not_touched(plane, shop, responder):
    """guardd isn't believed: an order may name whatever pod under the name of a workload that is configured."""
    plane.bind(shop.namespace)
    shop.make({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "data", "labels": {"app": "data"}}, "spec": {
        "containers": [{"name": "app", "image": "localhost/app:1"}]}})
    serving = responder(EVICT).start()
    order = serving.order_for("data")
    assert serving.ended(order)["end"] == "untouched" and "it is of data" in serving.outcome(order, "remove")["detail"]
    assert "deletionTimestamp" not in shop.pod("data")["metadata"]


def test_no_more_pods_are_kept_than_may_be(plane, shop, responder):
    plane.bind(shop.namespace, "guard-responder-relabel")
    serving = responder({"outOfService": {**RELABEL["outOfService"], "denyPolicy": False}, "waitReady": RELABEL["waitReady"]}).start()
    first = serving.order_for(shop.names[0])
    assert serving.ended(first)["end"] == "kept", serving.lines(first)
    second = serving.order_for(shop.names[1])
    assert "1 pods of the workload are kept already" in serving.did(second, "outOfService")["detail"]
    assert serving.ended(second)["end"] == "untouched" and shop.names[1] in shop.serving()


def test_without_the_right_it_fails_once_and_says_so(plane, shop, responder):
    plane.bind(shop.namespace)  # and not the other
    serving = responder({**RELABEL, **EVICT}).start()
    order = serving.order_for(shop.names[0])
    assert serving.ended(order)["end"] == "untouched"
    lines = [line for line in serving.lines(order) if line.get("step") == "outOfService"]
    assert [line["outcome"] for line in lines] == ["failed"] and "403" in lines[0]["detail"] and "forbidden" in lines[0]["detail"]
    assert shop.serving() == set(shop.names)
    assert plane.may(ACCOUNT, "create", "pods/eviction", shop.namespace) and not plane.may(ACCOUNT, "create", "pods/eviction", "default")
    for verb, what in [("delete", "pods"), ("create", "pods"), ("get", "secrets"), ("create", "pods/exec"), ("patch", "deployments"),
                       ("delete", "networkpolicies")]:
        assert not plane.may(ACCOUNT, verb, what, shop.namespace), (verb, what)


def test_a_server_that_is_away_and_a_token_that_is_renewed(plane, shop, responder):
    plane.bind(shop.namespace)
    serving = responder(EVICT).start()
    serving.token.write_text("of-yesterday")
    uid = NOWHERE.replace("4000", "4001")
    order = serving.order(uid, namespace=shop.namespace, pod={"name": shop.names[0], "uid": uid})

    def told(words):
        return [line for line in serving.lines(order) if line.get("step") == "remove" and line["outcome"] == "later" and words in line["detail"]]
    wait_closely(lambda: told("401"), lambda: f"the token to be refused: {serving.lines(order)}")
    os.kill(plane.apiserver(), signal.SIGKILL)
    serving.token.write_text(serving.good)  # read anew for each try
    wait_closely(lambda: told("no answer of use"), lambda: f"the server to be missed: {serving.lines(order)}")
    plane.up()
    assert serving.ended(order)["end"] == "replaced"
    assert "another pod has its name" in [line for line in serving.lines(order) if line.get("step") == "remove"][-1]["detail"]
    assert len(shop.serving()) == 3


@pytest.mark.parametrize("unready,refused,end", [(0, 1, "replaced"), (2, 3, "replaced"), (0, 2, "untouched")])
def test_a_young_server_refuses_for_now(plane, shop, responder, tmp_path, unready, refused, end):
    """Before it was ready its refusal is no answer, also where it is ready a moment later; after it, the second is."""
    plane.bind(shop.namespace)
    output = tmp_path / "starting"
    with output.open("wb") as told:
        starting = subprocess.Popen(plane.command("/usr/bin/python3", pathlib.Path(__file__).with_name("starting_server.py"), plane.folder, 8443,
                                                  unready, refused), stdout=told, stdin=subprocess.DEVNULL, env=plane.env)
    try:
        wait_closely(lambda: b"listens" in output.read_bytes() or starting.poll() is not None, "the server to listen")
        serving = responder(EVICT)
        config = tmp_path / "kubeconfig"
        config.write_text(config.read_text().replace("127.0.0.1:443", "127.0.0.1:8443"))
        order = serving.start().order_for(shop.names[0])
        assert serving.ended(order)["end"] == end, (serving.lines(order), output.read_text())
        assert output.read_text().count("GET readyz 500") == unready and output.read_text().count(" 403") == refused
    finally:
        starting.terminate()
        starting.wait()


@pytest.mark.parametrize("step", ["outOfService", "waitReady", "remove"])
def test_a_kill_in_a_step_is_gone_on_from(plane, shop, responder, step):
    """The responder is killed as soon as the cluster shows that the step has begun, or before its answer came; the next run ends it."""
    plane.bind(shop.namespace, "guard-responder-relabel")
    serving = responder({**RELABEL, **EVICT}).start()
    bad = shop.names[0]
    shop.hold.set()
    if step == "outOfService":  # the call is under way when it dies
        order = serving.order_for(bad)
        wait_closely(lambda: b'"acting":true' in (serving.state / "ledger").read_bytes(), "the step to begin")
        serving.kill()
    else:
        order = serving.order_for(bad)
        serving.did(order, "outOfService")
        wait_for(lambda: len(shop.pods("app=cart")) == 3, "a replacement to begin")
        if step == "remove":
            shop.hold.clear()
            serving.did(order, "waitReady")
        serving.kill()
    shop.hold.clear()
    serving.start()
    assert serving.ended(order)["end"] == "replaced", serving.lines(order)
    for name in ("outOfService", "waitReady", "remove"):
        assert serving.outcome(order, name)["outcome"] == "done"
    assert shop.pod(bad) is None
    wait_for(lambda: len(shop.serving()) == 3 and len(shop.pods()) == 3, "three to serve, and no more")


def test_an_evicted_pod_is_waited_for_until_it_is_gone(plane, shop, responder):
    """On a node it ends when the kubelet says so: until then it is contained, so the step isn't over."""
    plane.bind(shop.namespace)
    shop.make({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cart", "labels": {"app": "other"}}, "spec": {
        "nodeName": "none", "containers": [{"name": "app", "image": "localhost/app:1"}]}})
    serving = responder(EVICT).start()
    order = serving.order_for("cart")
    wait_for(lambda: "deletionTimestamp" in shop.pod("cart")["metadata"], "it to be evicted")
    assert serving.outcome(order, "remove") is None
    serving.kill()
    serving.start()
    assert serving.outcome(order, "remove") is None
    plane.ask("DELETE", f"/api/v1/namespaces/{shop.namespace}/pods/cart?gracePeriodSeconds=0")
    assert serving.ended(order)["end"] == "replaced" and "gone" in serving.outcome(order, "remove")["detail"]
