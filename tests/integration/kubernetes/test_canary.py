# SPDX-License-Identifier: Apache-2.0
"""Canaries of an operator against a real kube-apiserver, with the shipped rights; pods are real nginx with and without the gate, at
addresses of the cluster's network. There is no kube-proxy: where a Service's address has to lead somewhere, a test listens there."""

import pathlib
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from talking import Api  # noqa: E402

from harness import BIN, Nginx, end_process  # noqa: E402
from kubernetes.apicluster import resource  # noqa: E402
from kubernetes.operators import Operator, condition, shipped_rights, wait_for  # noqa: E402

PATH = "/.well-known/guard-canary"
subnets = iter(range(1, 250))


@pytest.fixture(scope="module")
def rights(api_cluster, tmp_path_factory):
    return shipped_rights(api_cluster, tmp_path_factory.mktemp("rights"))


@pytest.fixture
def operators(api_cluster, rights, tmp_path):
    started = []

    def make(state=None):
        started.append(Operator(api_cluster, tmp_path / f"operator{len(started)}", rights))
        if state is not None:
            started[-1].state = state  # one that takes over from another one, on the same volume
        return started[-1].start()

    yield make
    for operator in started:
        if operator.process.poll() is None:
            operator.process.send_signal(signal.SIGCONT)
        operator.stop()
    assert not any("forbidden" in operator.log() for operator in started)


class Shop:
    """A namespace with a Guardian, a Service and pods."""

    def __init__(self, cluster, namespace, folder, state):
        self.cluster, self.namespace, self.folder, self.state = cluster, namespace, folder, state
        self.subnet = next(subnets)
        self.servers = {}
        cluster.kubectl("create", "serviceaccount", "default", "-n", namespace)  # there is no controller

    def listen(self, address):
        done = self.cluster.kit("exec", self.cluster.folder, "ip", "addr", "replace", f"{address}/32", "dev", "lo")
        assert done.status == 0, done.err

    def serve(self, name, address, http):
        """An nginx on a machine of that name, instead of the one that was there."""
        self.end(name)
        self.listen(address)
        nginx = Nginx(self.folder / name, http)
        nginx.write()
        out = open(self.folder / name / "out", "ab")
        self.servers[name] = subprocess.Popen(
            self.cluster.command("unshare", "--uts", "sh", "-c", f"hostname {name} && exec \"$@\"", "sh", *nginx.command()),
            stdout=out, stderr=out, env=self.cluster.env)
        wait_for(lambda: self.cluster.kit("exec", self.cluster.folder, "curl", "-s", "-o", "/dev/null",
                                          f"http://{address}:8080/ready").status == 0, f"{name} to serve")

    def end(self, name):
        process = self.servers.pop(name, None)
        if process is not None:
            end_process(process)

    def pod_address(self, number):
        return f"10.99.{self.subnet}.{number}"

    def run_pod(self, number, guarded, called=None):
        """The gate or the application itself has port 8080, which is what the pod says."""
        name, address = f"shop-{number}", self.pod_address(number)
        app = (f"log_format seen '$request|$http_guard_canary'; server {{ listen {address}:9090; access_log {{prefix}}/seen seen;"
               "return 404 'the application'; }")
        if guarded:
            http = (f"guard_state {self.state}; guard_policy_key {self.state}/keys/policy.pub; {app}"
                    f"server {{ listen {address}:8080; location = /ready {{ guard off; return 204; }}"
                    f"location / {{ guard {self.namespace}.shop; proxy_pass http://{address}:9090; }} }}")
        else:
            http = app.replace(":9090", ":8080")
        self.serve(called or name, address, http)
        self.declare(number)

    def declare(self, number, ready=True):
        name, address = f"shop-{number}", self.pod_address(number)
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": self.namespace, "labels": {"app": "shop"}},
               "spec": {"automountServiceAccountToken": False, "containers": [
                   {"name": "app", "image": "localhost/app:1", "ports": [{"name": "http", "containerPort": 8080}]}]}}
        self.cluster.send("POST", f"/api/v1/namespaces/{self.namespace}/pods", pod)  # it may be there already
        stored = self.cluster.get("pod", name, "-n", self.namespace)
        stored["status"] = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
                            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
        self.cluster.ask("PUT", f"/api/v1/namespaces/{self.namespace}/pods/{name}/status", stored)

    def seen(self, name):
        path = self.folder / name / "seen"
        return path.read_text().splitlines() if path.exists() else []

    def path(self):
        return condition(self.cluster.get("gd", "shop", "-n", self.namespace), "NotInPath")

    def wait_path(self, status, reason, *words):
        def look():
            said = self.path()
            good = said.get("status") == status and said["reason"] == reason and all(word in said["message"] for word in words)
            return good and said
        try:
            return wait_for(look, f"NotInPath {status} {reason}", timeout=300)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.path()}") from error


@pytest.fixture
def shop(api_cluster, namespace, operators, tmp_path):
    operator = operators()
    made = Shop(api_cluster, namespace, tmp_path, operator.state)
    made.operator = operator
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "front", "namespace": namespace}, "spec": {
        "selector": {"app": "shop"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}
    api_cluster.ask("POST", f"/api/v1/namespaces/{namespace}/services", service)
    assert api_cluster.apply(resource("Guardian", "shop", {"control": {"mode": "block"}}, namespace)).status == 0
    yield made
    for name in list(made.servers):
        made.end(name)


def annotate(shop):
    """Whose pods they are, as people say it where no object made them."""
    assert shop.cluster.kubectl("annotate", "pod", "--all", "-n", shop.namespace, "--overwrite",
                                f"guard.security/service={shop.namespace}.shop").status == 0


def api_of(shop):
    return Api(shop.state).ready()


def events(shop):
    return [item for item in shop.cluster.get("events.events.k8s.io", "-n", shop.namespace)["items"]
            if item["reason"] in ("NotInPath", "InPath")]


def test_the_one_replica_without_a_gate_is_named(api_cluster, shop, operators):
    wait_for(lambda: (shop.state / "policies" / f"{shop.namespace}.shop.policy").exists(), "a policy")
    shop.run_pod(1, guarded=True)
    shop.run_pod(2, guarded=False)
    shop.declare(3, ready=False)  # takes no requests, so it isn't asked
    annotate(shop)
    said = shop.wait_path("True", "PodsUnguarded", "1 of 2 pods", "shop-2 (port 8080, status 404)")
    assert "shop-1" not in said["message"] and "shop-3" not in said["message"]
    # The list of services tells it too, for the console's overview.
    told = api_of(shop).get("/services")["services"]
    one = next(one for one in told if one["service"] == f"{shop.namespace}.shop")
    assert one["path"]["not_in_path"] and one["path"]["bare"] == 1 and "shop-2" in one["path"]["message"]
    told = wait_for(lambda: events(shop), "the event")
    assert told[0]["reason"] == "NotInPath" and told[0]["type"] == "Warning" and "shop-2" in told[0]["note"]
    # To the application it is a harmless request, to the gate none at all.
    assert set(line.split("|")[0] for line in shop.seen("shop-2")) <= {f"GET {PATH} HTTP/1.1", "GET /ready HTTP/1.1"}
    assert shop.seen("shop-1") == []
    def status():
        return subprocess.run([BIN / "guard", "status", "--state", shop.state], capture_output=True, text=True, check=True).stdout
    told = wait_for(lambda: "NOT IN PATH: 1 of 2 pods" in status() and status(), lambda: f"the status to say so: {status()}")
    assert ": mode block, learning on" in told and " 0 exchanges" in told
    # Another leader knows it from the object, and goes on with it; the second operator has no volume of its own.
    shop.operator.process.send_signal(signal.SIGKILL)
    shop.operator.process.wait()
    later = operators(state=shop.state)
    wait_for(later.leads, "the next leader", timeout=120)
    again = shop.wait_path("True", "PodsUnguarded", "shop-2")
    assert again["lastTransitionTime"] == said["lastTransitionTime"]
    # The gate comes.
    shop.run_pod(2, guarded=True)
    said = shop.wait_path("False", "PodsProved", "gates of 2 of 2 pods", "the Service's address gave no answer")
    wait_for(lambda: [item for item in events(shop) if item["reason"] == "InPath" and item["type"] == "Normal"], "the event")


def test_a_pod_that_passes_canaries_on_is_found_and_so_is_a_service_that_leads_past(api_cluster, shop):
    wait_for(lambda: (shop.state / "policies" / f"{shop.namespace}.shop.policy").exists(), "a policy")
    shop.run_pod(1, guarded=True)
    relay = shop.pod_address(2)
    shop.serve("shop-2", relay, f"server {{ listen {relay}:8080; location / {{ proxy_pass http://{shop.pod_address(1)}:8080; }} }}")
    shop.declare(2)
    annotate(shop)
    shop.wait_path("True", "PodsUnguarded", "1 of 2 pods", "shop-2 (another pod's gate answered)")
    # Both pods are guarded now, but what listens at the Service's address leads elsewhere.
    shop.run_pod(2, guarded=True)
    address = api_cluster.get("service", "front", "-n", shop.namespace)["spec"]["clusterIP"]
    shop.serve("proxy", address, f"server {{ listen {address}:80; listen {address}:8080; return 200 'past'; }}")
    shop.wait_path("True", "ServiceLeadsPast", "Service front")
    # And to a gate in the end.
    shop.serve("proxy", address, f"server {{ listen {address}:80; listen {address}:8080; location / {{"
                                 f" proxy_pass http://{shop.pod_address(1)}:8080; }} }}")
    shop.wait_path("False", "Proved", "gates of 2 of 2 pods", "so did one behind the Service's address")
