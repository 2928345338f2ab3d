# SPDX-License-Identifier: Apache-2.0
"""Agents that show projected tokens of their pods, at a real kube-apiserver with the rights that are shipped."""

import base64
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from harness import BIN, end_process  # noqa: E402
from kubernetes.operators import shipped_rights, token_of, wait_for  # noqa: E402
from talking import curl  # noqa: E402

AUDIENCE = "guard.security"
KEEP_S = 4  # how long what the cluster said counts


class Root:
    def __init__(self, cluster, folder, kubeconfig, *options):
        self.cluster, self.state, self.kubeconfig = cluster, folder / "root", kubeconfig
        self.state.mkdir(parents=True)
        self.log_path = folder / "root.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                cluster.command(BIN / "guardd", "--state", self.state, "--role", "service", "--whole-piles", "*", "--token-reviews",
                                kubeconfig, "--token-keep", f"{KEEP_S}s", *options), stderr=log, env=cluster.env)
        wait_for(lambda: self.said("started") or self.process.poll() is not None, "guardd to start")
        assert self.process.poll() is None, self.log()

    def log(self):
        return self.log_path.read_text()

    def said(self, event):
        return [json.loads(line).get("detail", True) for line in self.log().splitlines() if f'"event":"{event}"' in line]

    def ask(self, token, path, *options):
        return curl(self.state, path, "-H", f"Authorization: Bearer {token}", *options)

    def status(self, token, service):
        return self.ask(token, f"/services/{service}/key").status


def make_pod(cluster, namespace, name, service=None, container="guard"):
    args = ["run", "--service", service] if service else []
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": {
        "nodeName": "nowhere", "automountServiceAccountToken": False, "containers": [{"name": "app", "image": "a:1"}, {"name": container, "image": "g:1", "args": args}]}}
    # There is no controller; it may be there already.
    cluster.send("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
    cluster.ask("POST", f"/api/v1/namespaces/{namespace}/pods", pod)


def pod_token(cluster, namespace, name, audience=AUDIENCE):
    return token_of(cluster, namespace, "default", audience=audience, pod=name)


@pytest.fixture(scope="module")
def root(api_cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp("identity")
    started = Root(api_cluster, folder, shipped_rights(api_cluster, folder / "rights"))
    yield started
    end_process(started.process)
    assert "forbidden" not in started.log()


def test_a_pod_reports_for_its_own_service_alone(api_cluster, namespace, root):
    make_pod(api_cluster, namespace, "shop-1", f"{namespace}.shop")
    token = pod_token(api_cluster, namespace, "shop-1")
    assert root.status(token, f"{namespace}.shop") == 200
    assert root.status(token, f"{namespace}.pay") == 404      # another one of the namespace
    assert root.status(token, "default.shop") == 404          # and of another namespace
    assert root.status(token, f"{namespace}x.shop") == 404
    assert root.ask(token, "/services").status == 403         # a reporter looks at nothing
    assert root.ask(token, "/audit").status == 403
    assert root.said("agent-known") == [f"{namespace}/shop-1 reports for {namespace}.shop"]
    # A pod that says to be of another namespace's service.
    make_pod(api_cluster, namespace, "thief", "default.shop")
    assert root.status(pod_token(api_cluster, namespace, "thief"), "default.shop") == 401
    assert "default.shop" in root.said("agent-refused")[-1]
    # One that has no gate of ours speaks for its namespace, by whatever its agent runs in.
    make_pod(api_cluster, namespace, "own", f"{namespace}.shop", container="mine")
    own = pod_token(api_cluster, namespace, "own")
    assert root.status(own, f"{namespace}.any") == 200 and root.status(own, "default.any") == 404


def test_what_the_cluster_does_not_say_so_of_is_refused(api_cluster, namespace, root):
    make_pod(api_cluster, namespace, "shop-1", f"{namespace}.shop")
    service = f"{namespace}.shop"
    good = pod_token(api_cluster, namespace, "shop-1")
    unbound = token_of(api_cluster, namespace, "default", audience=AUDIENCE)
    other = pod_token(api_cluster, namespace, "shop-1", audience="vault")
    of_the_api = pod_token(api_cluster, namespace, "shop-1", audience=None)
    head, payload, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    claims["kubernetes.io"]["namespace"] = "kube-system"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    for token in (unbound, other, of_the_api, f"{head}.{forged}.{signature}", f"{head}.{payload}.{signature[:-4]}AAAA"):
        assert root.status(token, service) == 401
    said = "\n".join(root.said("agent-refused"))
    assert "bound to no pod" in said and "the cluster doesn't know it" in said
    assert root.status(good, service) == 200
    for odd in ("a.b", "a.b.c.d", "eyJ.eyJ.x" + "y" * 9000, "..", good + "!"):
        assert root.status(odd, service) in (401, 431), odd
    assert good.split(".")[2] not in root.log()


def test_a_pod_that_is_gone_is_refused_soon(api_cluster, namespace, root):
    make_pod(api_cluster, namespace, "shop-1", f"{namespace}.shop")
    token = pod_token(api_cluster, namespace, "shop-1")
    assert root.status(token, f"{namespace}.shop") == 200
    assert api_cluster.kubectl("delete", "pod", "shop-1", "-n", namespace, "--grace-period=0", "--force").status == 0
    wait_for(lambda: root.status(token, f"{namespace}.shop") == 401, "it to be refused", timeout=60)
    # Another one of its name isn't it.
    make_pod(api_cluster, namespace, "shop-1", f"{namespace}.shop")
    assert root.status(pod_token(api_cluster, namespace, "shop-1"), f"{namespace}.shop") == 200
    assert root.status(token, f"{namespace}.shop") == 401


def test_many_that_show_one_token_are_one_question(api_cluster, namespace, root):
    def reviews():
        return api_cluster.requests("tokenreviews", "CREATE", "POST")
    make_pod(api_cluster, namespace, "shop-1", f"{namespace}.shop")
    token = pod_token(api_cluster, namespace, "shop-1")
    before, begin = reviews(), time.monotonic()
    asking = [subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", "api.sock", "-H",
                                f"Authorization: Bearer {token}", f"http://guardd/api/v1/services/{namespace}.shop/key"],
                               cwd=root.state, stdout=subprocess.PIPE, text=True) for _ in range(20)]
    assert {process.communicate(timeout=60)[0] for process in asking} == {"200"}
    assert reviews() - before <= max(3, 2 + (time.monotonic() - begin) / 2)  # one; another each two seconds on a slow machine


def test_an_agent_reports_with_it(api_cluster, namespace, root, nginx, echo, tmp_path):
    service = f"{namespace}.shop"
    make_pod(api_cluster, namespace, "shop-1", service)
    (tmp_path / "token").write_text(pod_token(api_cluster, namespace, "shop-1"))
    state = tmp_path / "agent"
    state.mkdir()
    with open(tmp_path / "agent.log", "wb") as log:
        agent = subprocess.Popen([BIN / "guardd", "--state", state, "--role", "agent", "--parent", f"unix:{root.state}/api.sock",
                                  "--report-every", "1s", "--policy-key", root.state / "keys/policy.pub", "--parent-token",
                                  tmp_path / "token"], stderr=log)
    try:
        wait_for(lambda: (state / "keys/policy.pub").exists(), "the agent")
        gate = nginx(f"guard_state {state}; guard_policy_key {state}/keys/policy.pub;\n"
                     f"server {{ listen 127.0.0.1:{{port}}; guard {service}; location / {{ proxy_pass http://127.0.0.1:{echo.port}; }} }}")
        for i in range(20):
            assert gate.curl(f"/?item={i}").status == 200

        def learned():
            status = json.loads((root.state / "status.json").read_text())
            return [one for one in status["services"] if one["service"] == service and one["exchanges"] >= 20]
        wait_for(learned, "the root to have what the gate saw", timeout=120)
        wait_for(lambda: (state / "policies" / f"{service}.policy").exists(), "the root's policy at the agent", timeout=120)
    finally:
        end_process(agent)


def test_while_the_apiserver_is_away_who_is_known_goes_on_and_nobody_new_comes(api_cluster, namespace, root):
    service = f"{namespace}.shop"
    for name in ("known", "late"):
        make_pod(api_cluster, namespace, name, service)
    known, late = (pod_token(api_cluster, namespace, name) for name in ("known", "late"))
    assert root.status(known, service) == 200
    os.kill(int((api_cluster.folder / "pids/kube-apiserver").read_text().split()[0]), signal.SIGKILL)
    try:
        answer = root.ask(late, f"/services/{service}/key")
        assert answer.status == 503 and answer.json()["type"] == "urn:guard:problem:token-not-checked"
        assert int(answer.headers["retry-after"]) > 0
        wait_for(lambda: root.said("token-reviews-away"), "it to be told")
        # Until what was said of it had to be asked again, and beyond.
        seen = len(root.said("agent-known"))
        wait_for(lambda: root.status(known, service) == 200 and age(root) > 2 * KEEP_S,
                 "it to be known for longer than an answer counts")
        assert root.status(known, service) == 200 and len(root.said("agent-known")) == seen
    finally:
        done = api_cluster.up()
        assert done.status == 0, done.err
    wait_for(lambda: root.status(late, service) == 200, "the new one to be let in", timeout=60)
    wait_for(lambda: root.said("token-reviews-back"), "it to be told")


def age(root):
    """Seconds since it was told that the cluster is away, by the log's own times."""
    told = [line["time_ms"] for line in map(json.loads, root.log().splitlines()) if line["event"] == "token-reviews-away"]
    return time.time() - told[-1] / 1000
