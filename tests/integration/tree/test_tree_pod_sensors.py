# SPDX-License-Identifier: Apache-2.0
"""Sidecars alone: four replicas in network namespaces of their own, a gate and a guardd with its unprivileged sensor beside each, and
nothing beside the root. The replica that connects where the others don't is found at the root and withdrawn at its own gate."""

import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "pods"))
from trees import agent_options, gate_of, root_options, tree  # noqa: E402, F401
from talking import Api  # noqa: E402
from test_guardd import drive  # noqa: E402
from test_pod_learning import HOUR, ODD, REPLICAS, Sensors, of_pods, pod_writer, pods  # noqa: E402, F401
from test_sensor import SERVER, WHY_NOT, run  # noqa: E402
from traffic import Shop  # noqa: E402
from waiting import wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"SKIPPED: {WHY_NOT}")
USUAL, STRANGE = "10.231.99.1", "10.231.98.9"
PORT = 4000
CONNECT = ("import socket, sys\ns = socket.create_connection((sys.argv[1], int(sys.argv[2])), 30)\ns.sendall(b'x' * 100)\n"
           "s.recv(200)\ns.close()\n")
GUARDIAN = """
service: shop
control: {mode: block}
pods: {orders: act, withdrawSeconds: 3600}
configured: {endpoints: [{path: /lookup, response: {contentTypes: [text/html]}}]}
"""


class Networks:
    """A namespace for each replica, each with a cable to the world's, where both addresses are."""

    def __init__(self):
        self.outside = f"gto{os.getpid()}"
        self.pods = [f"gtp{os.getpid()}x{replica}" for replica in range(REPLICAS)]
        self.servers = []
        for name in (self.outside, *self.pods):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        for address in (USUAL, STRANGE):
            run("ip", "-n", self.outside, "addr", "add", f"{address}/32", "dev", "lo")
        for replica, name in enumerate(self.pods):
            cable = f"pod{replica}"
            run("ip", "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", cable, "netns", self.outside)
            for where, device, host in ((name, "eth0", 2), (self.outside, cable, 1)):
                run("ip", "-n", where, "addr", "add", f"10.231.{replica}.{host}/24", "dev", device)
                run("ip", "-n", where, "link", "set", device, "up")
            run("ip", "-n", name, "route", "add", "default", "via", f"10.231.{replica}.1")
        server = subprocess.Popen(["ip", "netns", "exec", self.outside, "/usr/bin/python3", "-c", SERVER, "server", str(PORT)],
                                  stdout=subprocess.PIPE, text=True)
        self.servers.append(server)
        assert server.stdout.readline() == "ready\n"

    def connect(self, replica, to):
        run("ip", "netns", "exec", self.pods[replica], "/usr/bin/python3", "-c", CONNECT, to, PORT)

    def end(self):
        for server in self.servers:
            server.kill()
            server.wait()
            server.stdout.close()
        for name in (self.outside, *self.pods):
            run("ip", "netns", "delete", name)


@pytest.fixture
def networks():
    made = Networks()
    yield made
    made.end()


def responses(agent):
    path = agent.state / "alerts.jsonl"
    alerts = map(json.loads, path.read_text().splitlines()) if path.exists() else []
    return [alert for alert in alerts if alert["findings"] and alert["findings"][0]["part"] == "response"]


class Clients:
    """Ask all gates again and again; by gate what isn't 200."""

    def __init__(self, gates):
        self.gates, self.failed, self.asked, self.over = gates, {pod: [] for pod in gates}, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over.is_set():
            for pod, gate in self.gates.items():
                status = gate.curl("/p").status
                if status != 200:
                    self.failed[pod].append(status)
            self.asked += 1
            self.over.wait(0.05)

    def end(self):
        self.over.set()
        self.thread.join()


def test_sidecars_alone_find_the_odd_replica_and_withdraw_it(tree, nginx, fast_upstream, pod_writer, networks):  # noqa: F811
    root = tree("root", root_options(None), start=False)
    (root.state / "guardians").mkdir()
    (root.state / "guardians" / "shop.yaml").write_text(GUARDIAN)
    root.start()
    agents, sensors, gates = [], [], {}
    now = int(time.time() * 1000)
    for replica in range(REPLICAS):
        pod = f"web-7f9c-{replica:05}"
        agent = tree(pod, [*agent_options(root), "--pod", f"prod/{pod}/5f1c-{replica}", "--pod-sensor",
                           f"service=shop,namespace=prod,workload=web,pod={pod},container=app,hash=7f9c,uid=5f1c-{replica}"],
                     wrapper=("ip", "netns", "exec", networks.pods[replica]), start=False)
        agents.append(agent)
        sensors.append(Sensors(pod_writer, agent.state))
        # The hours before, in which nobody can wait here.
        for step in range(19):
            line = sensors[-1].line(replica, now - 60000 - HOUR * (18 - step), [(0, f"{USUAL}:{PORT}", "-", "-")])
            sensors[-1].put(sensors[-1].encode([line]))
        agent.start()
        gates[pod] = gate_of(nginx, agent, fast_upstream)
        assert drive(gates[pod].port, Shop(7).many(1)) == [200]
    wait_for(lambda: pods(root)["records"] >= 19 * REPLICAS and pods(root)["ready"], "the hours before to be learned", 120)
    # What the real sensors see from now on: all do the usual.
    for replica in range(REPLICAS):
        networks.connect(replica, USUAL)
    before = pods(root)["records"]
    wait_for(lambda: pods(root)["records"] >= before + 2 * REPLICAS, "two intervals of real sensors", 120)
    assert of_pods(root) == [], of_pods(root)
    clients = Clients(gates)
    # Its gate sees a response of one that deviates, and a node's sensor a program: by these alone nothing is done.
    wait_for(lambda: gates[ODD].curl("/lookup").status == 403, "a response that deviates", 60)
    [found] = wait_for(lambda: responses(agents[2]), "the gate's alert", 60)[:1]
    sensors[2].put(sensors[2].encode([sensors[2].line(2, int(time.time() * 1000), [(2, "/bin/sh", "/app/server", found["id"])])]))
    wait_for(lambda: any("/bin/sh" in alert["explanation"] for alert in of_pods(root)), "the program to be told", 60)
    assert "pod-withdrawn" not in root.log()
    # It connects where nobody does: its own sensor, without any privilege, sees that.
    networks.connect(2, STRANGE)
    wait_for(lambda: gates[ODD].curl("/p").status == 503, "the odd one's gate to be withdrawn", 120)
    asked = clients.asked
    wait_for(lambda: clients.asked > asked + 20, "clients to go on", 60)
    clients.end()
    assert all(failed == [] for pod, failed in clients.failed.items() if pod != ODD) and set(clients.failed[ODD]) == {503}
    alerts = of_pods(root)
    assert alerts and {finding["name"] for alert in alerts for finding in alert["findings"]} == {f"prod/{ODD}"}
    assert any(f"connects to tcp {STRANGE}:{PORT}" in alert["explanation"] for alert in alerts)
    api = Api(root.state).ready()
    [one] = api.get("/services/shop/pods")["withdrawals"]
    assert (one["pod"], one["ordered"], one["by"]) == (ODD, True, "guardd")
    # Who says so.
    [workload] = api.get("/services/shop/pods")["workloads"]
    assert {replica["reporter"] for replica in workload["replicas"]} == {f"uid:{os.getuid()}"}
    assert all(of_pods(agent) == [] for agent in agents)
