# SPDX-License-Identifier: Apache-2.0
"""What stands beside podwatch on a node, at a real kube-apiserver with the rights that are shipped: the list of the node's pods, and the agent
that speaks for those pods and no others."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "api"), str(HERE.parent / "pods"), str(HERE.parent / "tree")]
from harness import BIN, end_process  # noqa: E402
from kubernetes.operators import shipped_rights, token_of, wait_for, wait_rights  # noqa: E402
from kubernetes.shipped import documents, read  # noqa: E402
from kubernetes.test_identity import AUDIENCE, Root  # noqa: E402
from talking import BASE, curl  # noqa: E402
from test_pod_learning import USUAL, Sensors, pod_writer  # noqa: E402, F401
from test_tree_pods import OCTETS, batch  # noqa: E402

OURS = "guard-podwatch"
NODES = ("node-1", "node-2")
# Passes on what comes, until it is killed: an API server that is away without ending the one of other tests.
RELAY = """
import socket, sys, threading
def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for one in (a, b):
        one.close()
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(server.getsockname()[1], flush=True)
while True:
    client = server.accept()[0]
    there = socket.create_connection(("127.0.0.1", 443))
    for pair in ((client, there), (there, client)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"""


def pod(namespace, name, node, account=None, **metadata):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, **metadata}, "spec": {
        "nodeName": node, "automountServiceAccountToken": False, "containers": [{"name": "app", "image": "a:1"}],
        **({"serviceAccountName": account} if account else {})}}


def web(namespace, number, node):
    """A replica of a Deployment, as records of pod_writer name it."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7f9c", "uid": "5f1c", "controller": True}
    return pod(namespace, f"web-7f9c-{number:05}", node, labels={"pod-template-hash": "7f9c"}, ownerReferences=[owner])


def make(cluster, one):
    """There is no controller that makes accounts."""
    namespace = one["metadata"]["namespace"]
    for account in ("default", OURS):
        cluster.send("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": account}})
    return cluster.ask("POST", f"/api/v1/namespaces/{namespace}/pods", one)["metadata"]["uid"]


def remove(cluster, namespace, name):
    cluster.ask("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}", {"gracePeriodSeconds": 0})


@pytest.fixture(scope="module")
def rights(api_cluster):
    """What is shipped for nodes, but the pods."""
    parts = [one for one in read("podwatch.yaml") if one["kind"] not in ("DaemonSet", "NetworkPolicy")]
    assert api_cluster.kubectl("apply", "-f", "-", text=documents(parts)).status == 0
    wait_rights(api_cluster, f"{OURS}:{OURS}", ("list", "pods"))
    return api_cluster


# --- the list ---

@pytest.mark.parametrize("verb, what, allowed", [
    ("list", "pods", True), ("watch", "pods", True), ("get", "pods", False), ("delete", "pods", False), ("create", "pods/exec", False),
    ("get", "pods/log", False), ("list", "secrets", False), ("list", "namespaces", False), ("create", "tokenreviews", False)])
def test_it_may_list_pods_and_nothing_else(rights, verb, what, allowed):
    assert rights.may(f"{OURS}:{OURS}", verb, what) == allowed


class Names:
    """guard node-pods, as the account that is shipped."""

    def __init__(self, cluster, folder, port=443, node=NODES[0]):
        self.cluster, self.out, self.log_path = cluster, folder / "pods.json", folder / "names.log"
        (folder / "token").write_text(token_of(cluster, OURS, OURS))
        (folder / "kubeconfig").write_text(json.dumps({
            "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": f"https://127.0.0.1:{port}",
                                                   "certificate-authority": str(cluster.folder / "pki/ca.crt")}}],
            "users": [{"name": "u", "user": {"tokenFile": "token"}}]}))
        self.command = cluster.command(BIN / "guard", "node-pods", "--node", node, "--out", self.out, "--kubernetes", folder / "kubeconfig")
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log, env=self.cluster.env)

    def log(self):
        return self.log_path.read_text()

    def pods(self):
        """{(namespace, name): what the list says}"""
        listed = json.loads(self.out.read_text())["items"] if self.out.exists() else []
        return {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in listed}

    def has(self, namespace, *names):
        return lambda: {name for space, name in self.pods() if space == namespace} == set(names)


@pytest.fixture
def relay(rights):
    made = []

    def start(port=0):
        made.append(subprocess.Popen(rights.command("/usr/bin/python3", "-c", RELAY, port), stdout=subprocess.PIPE, text=True, env=rights.env))
        return made[-1], int(made[-1].stdout.readline())
    yield start
    for one in made:
        one.kill()
        one.wait()


def test_the_list_has_the_nodes_pods_and_outlives_the_server(rights, relay, namespace, tmp_path):
    uid = make(rights, web(namespace, 1, NODES[0]))
    make(rights, web(namespace, 2, NODES[1]))
    away, port = relay()
    names = Names(rights, tmp_path, port)
    try:
        wait_for(names.has(namespace, "web-7f9c-00001"), lambda: f"the node's pod: {names.pods()} {names.log()}")
        told = names.pods()[namespace, "web-7f9c-00001"]
        assert told["service"] == f"{namespace}.web" and told["metadata"]["uid"] == uid and set(told) == {"service", "metadata", "status"}
        assert (names.out.stat().st_mode & 0o777) == 0o640
        make(rights, web(namespace, 3, NODES[0]))
        wait_for(names.has(namespace, "web-7f9c-00001", "web-7f9c-00003"), "a pod that comes")
        # Away: what was listed stays, also when whoever lists begins anew.
        os.kill(away.pid, signal.SIGKILL)
        wait_for(lambda: '"cluster-away"' in names.log(), "it to be said")
        before = names.out.read_bytes()
        make(rights, web(namespace, 4, NODES[0]))
        os.kill(names.process.pid, signal.SIGKILL)
        names.process.wait()
        names.start()
        wait_for(lambda: names.log().count('"cluster-away"') == 2, "the new one to find nobody")
        assert names.out.read_bytes() == before
        # Back: what came meanwhile is there.
        relay(port)
        wait_for(lambda: (namespace, "web-7f9c-00004") in names.pods(), lambda: f"the pod that came meanwhile: {names.log()}", timeout=120)
        wait_for(lambda: '"cluster-back"' in names.log(), "it to be said")
    finally:
        end_process(names.process)
    assert names.process.returncode == 0


# --- the agent ---

@pytest.fixture(scope="module")
def root(rights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents")
    started = Root(rights, folder, shipped_rights(rights, folder / "rights"), "--node-agents", f"{OURS}/{OURS}")
    for node in NODES:
        make(rights, pod(OURS, f"agent-{node}", node, account=OURS))
    yield started
    end_process(started.process)
    assert "forbidden" not in started.log()


def token(cluster, node):
    return token_of(cluster, OURS, OURS, audience=AUDIENCE, pod=f"agent-{node}")


def agents_token(cluster, node, folder):
    path = folder / f"token-{node}"
    path.write_text(token(cluster, node))
    return path


def counts(root):
    return json.loads((root.state / "status.json").read_text())["pods"]


def record(writer, uid, service, number):
    """Of a pod, by a sensor."""
    return records(writer, uid, service, [number])


def records(writer, uid, service, numbers):
    now = int(time.time() * 1000)
    lines = ["\t".join([str(number), str(now % 1000000), str(now), "podwatch", *map(str, USUAL[0])]) + "\n" for number in numbers]
    return subprocess.run([writer, service, "-", uid], input="".join(lines).encode(), capture_output=True, check=True).stdout


def send(root, who, data):
    answer = curl(root.state, "/pods/records", "-H", f"Authorization: Bearer {who}", *OCTETS, data=batch(data, 1))
    return answer.status, json.loads(answer.body)


@pytest.fixture(scope="module")
def replicas(rights):
    """{number: uid} of replicas in the namespace that pod_writer knows, the odd ones on the first node."""
    rights.send("POST", "/api/v1/namespaces", {"metadata": {"name": "prod"}})
    return {number: make(rights, web("prod", number, NODES[(number + 1) % 2])) for number in (1, 2, 3)}


def test_an_agent_speaks_for_the_pods_of_its_node_alone(rights, root, replicas, pod_writer):  # noqa: F811
    first, second = token(rights, NODES[0]), token(rights, NODES[1])
    own = record(pod_writer, replicas[1], "prod.web", 1)
    assert send(root, first, own) == (200, {"taken": 1, "refused": 0})
    # A compromised node frames another's pod: by its true name, as being here.
    assert send(root, second, own) == (200, {"taken": 0, "refused": 1})
    assert send(root, first, record(pod_writer, replicas[2], "prod.web", 2)) == (200, {"taken": 0, "refused": 1})
    # Or a pod of its own as another service's, or one that there isn't.
    assert send(root, first, record(pod_writer, replicas[1], "prod.pay", 1)) == (200, {"taken": 0, "refused": 1})
    assert send(root, first, record(pod_writer, replicas[2], "prod.web", 1)) == (200, {"taken": 0, "refused": 1})
    assert send(root, first, record(pod_writer, "5f1c0000-0000-4000-8000-000000000000", "prod.web", 9)) == (200, {"taken": 0, "refused": 1})
    wait_for(lambda: counts(root)["refused"]["foreign"] == 5, lambda: f"five to be counted: {counts(root)}")
    # And it has no service: neither key nor policy nor piles.
    for path in ("/services/prod.web/key", "/services/guard-podwatch.x/key", "/services/prod.web/policy"):
        assert root.ask(first, path).status in (403, 404), path
    said = [line for line in root.said("agent-known") if NODES[0] in line]
    assert said == [f"{OURS}/agent-{NODES[0]} reports for the pods of node {NODES[0]}"]


def test_a_guardd_of_the_role_node_passes_records_on(rights, root, replicas, pod_writer, tmp_path):  # noqa: F811
    state = tmp_path / "agent"
    state.mkdir()
    log_path = tmp_path / "agent.log"
    with open(log_path, "wb") as log:
        agent = subprocess.Popen(rights.command(
            BIN / "guardd", "--state", state, "--role", "node", "--parent", f"unix:{root.state / 'api.sock'}", "--parent-token",
            agents_token(rights, NODES[0], tmp_path)), stderr=log, env=rights.env)
    try:
        sensors = Sensors(pod_writer, state)
        before = counts(root)
        sensors.put(record(pod_writer, replicas[3], "prod.web", 3) + record(pod_writer, replicas[2], "prod.web", 2))
        wait_for(sensors.read, lambda: f"the file to be taken: {log_path.read_text()}")
        own = wait_for(lambda: (told := json.loads((state / "status.json").read_text()))["parent"]["pods"]["sent"] > 0 and
                       told["parent"]["pods"]["waiting"] == 0 and told, "its books")
        assert own["role"] == "node" and own["services"] == [] and own["parent"]["pods"] == {
            "counted": 2, "sent": 1, "refused": 1, "dropped": 0, "waiting": 0}
        wait_for(lambda: counts(root)["records"] == before["records"] + 1, lambda: f"the record to be learned: {counts(root)}")
        shown = curl(root.state, "/services/prod.web/pods").json()["workloads"][0]
        assert (shown["namespace"], shown["workload"]) == ("prod", "web")
        replica, = [one for one in shown["replicas"] if one["pod"] == "web-7f9c-00003"]
        assert replica["node"] == NODES[0] and replica["reporter"] == f"node:{NODES[0]}"
    finally:
        end_process(agent)
    assert agent.returncode == 0
    assert not list((state / "policies").iterdir()) and "alarm" not in log_path.read_text().replace("pod-record", "")


def test_what_a_node_needs_no_key_for_is_refused():
    for option in (["--policy-key", "k"], ["--follow", "a"], ["--report-every", "1m"], ["--spool", "2M"]):
        done = subprocess.run([BIN / "guardd", "--state", "/nowhere", "--role", "node", "--parent", "unix:/p", *option], capture_output=True,
                              text=True, check=False)
        assert done.returncode == 2 and option[0] in done.stderr, done.stderr
    for words in (["--node-agents", "a/b"], ["--node-agents", "a", "--token-reviews", "in-cluster"]):
        done = subprocess.run([BIN / "guardd", "--state", "/nowhere", "--role", "service", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "--node-agents" in done.stderr, done.stderr


def test_of_a_nodes_batches_the_last_one_waits_for_the_cluster(rights, root, pod_writer, tmp_path):  # noqa: F811
    """Each names hundreds of pods that there aren't, which the root asks for one by one. An agent sends one at a time."""
    (tmp_path / "batch").write_bytes(batch(records(pod_writer, "5f1c-9", "prod.web", range(1000, 1400)), 400))
    bearer = f"Authorization: Bearer {token(rights, NODES[1])}"
    sent = [subprocess.Popen(["curl", "-sS", "--unix-socket", "api.sock", "-H", bearer, *OCTETS, BASE + "/pods/records"], cwd=root.state,
                             stdin=open(tmp_path / "batch", "rb"), stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        wait_for(lambda: len([one for one in sent if one.poll() is not None]) == 2, "two to be sent away")
        ended = [json.loads(one.stdout.read())["detail"] for one in sent if one.poll() is not None]
        assert ended == ["a later batch of the node waits in its place"] * 2
    finally:
        for one in sent:
            one.kill()
            one.wait()
