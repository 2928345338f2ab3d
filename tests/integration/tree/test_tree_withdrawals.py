# SPDX-License-Identifier: Apache-2.0
"""The root says which pod is withdrawn, and the gate of that pod alone answers with 503: by a person or by an order, for a while, and
whatever becomes of guardd."""

import http.client
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "pods"))
from trees import agent_options, ask, gate_of, key_of, root_options, tool, tree  # noqa: E402, F401
from harness import BIN  # noqa: E402
from test_tree_aggregator import aggregator_options  # noqa: E402
from test_tree_trust import relay  # noqa: E402, F401
from test_guardd import drive  # noqa: E402
from talking import Api  # noqa: E402
from test_pod_learning import ODD, Sensors, pod_writer  # noqa: E402, F401
from traffic import Shop  # noqa: E402
from waiting import wait_for  # noqa: E402

JSON = ("-H", "Content-Type: application/json", "--data-binary", "@-")
OTHER = ODD[:-1] + "1"
GUARDIAN = "service: shop\ncontrol: {{mode: {mode}}}\npods: {{orders: {orders}{withdraw}}}\n"


class Pods:
    """A root, and a pod each for the odd one and another: an agent and its gate."""

    def __init__(self, tree, nginx, upstream, guardian=None, middle=False, options=()):
        self.tree = tree
        self.root = tree("root", [*root_options(), *options], start=False)
        if guardian:
            (self.root.state / "guardians").mkdir()
            (self.root.state / "guardians" / "shop.yaml").write_text(guardian)
        self.root.start()
        above = tree("middle", aggregator_options(self.root)) if middle else self.root
        self.agents = {pod: tree(pod, agent_options(above, root=self.root) + ["--pod", f"prod/{pod}/5f1c-{pod[-1]}"]) for pod in (ODD, OTHER)}
        self.gates = {pod: gate_of(nginx, agent, upstream) for pod, agent in self.agents.items()}
        for gate in self.gates.values():
            assert drive(gate.port, Shop(7).many(1)) == [200]
        self.root.wait_exchanges(2)
        self.api = Api(self.root.state).ready()

    def status(self, pod):
        return self.gates[pod].curl("/p").status

    def withdrawn(self):
        """Held against the document of the API."""
        return self.api.get("/services/shop/pods")["withdrawals"]

    def withdraw(self, pod=ODD, seconds=600, reason="misused", name_space="prod"):
        return ask(self.root, "POST", "/services/shop/pods/withdrawals", *JSON,
                   data=json.dumps({"pod": f"{name_space}/{pod}", "seconds": seconds, "reason": reason}).encode())

    def lift(self, which):
        return ask(self.root, "DELETE", f"/services/shop/pods/withdrawals/{which}?reason=looked")

    def wait(self, status, pod=ODD):
        """The other one serves all the time."""
        other = OTHER if pod == ODD else ODD

        def is_so():
            assert self.status(other) == 200
            return self.status(pod) == status
        wait_for(is_so, f"the pod's gate to answer {status}")
        assert self.status(other) == 200


@pytest.fixture
def pods(tree, nginx, fast_upstream):  # noqa: F811
    return lambda guardian=None, **how: Pods(tree, nginx, fast_upstream, guardian, **how)


def test_one_gate_is_withdrawn_by_hand_obeyed_renewed_and_lifted(pods):
    shop = pods()
    answer = shop.withdraw()
    assert answer.status == 201, answer.body
    which = answer.json()["id"]
    shop.wait(503)
    refused = shop.gates[ODD].curl("/p")
    assert refused.headers["retry-after"] == "1"
    wait_for(lambda: [one["obeyed"] for one in shop.withdrawn()] == [True], "the agent to say so")
    [one] = shop.withdrawn()
    assert (one["id"], one["namespace"], one["pod"], one["uid"], one["ordered"], one["reason"]) == (
        which, "prod", ODD, f"5f1c-{ODD[-1]}", False, "misused")
    # Again: it is the same one, and lasts longer.
    assert shop.withdraw(seconds=3600).json()["id"] == which
    gate_file = shop.agents[ODD].state / "withdrawn" / "shop.json"
    wait_for(lambda: json.loads(gate_file.read_text())["until_ms"] > (time.time() + 3000) * 1000, "the gate to be told")
    assert not (shop.agents[OTHER].state / "withdrawn" / "shop.json").exists()
    # Killed while it lasts, at both ends: it stays, and ends when it is lifted.
    shop.agents[ODD].kill()
    shop.root.kill()
    assert shop.status(ODD) == 503
    shop.root.start()
    shop.agents[ODD].start()
    assert [one["id"] for one in shop.withdrawn()] == [which]
    assert shop.status(ODD) == 503
    assert shop.lift(which).status == 200 and shop.withdrawn() == []
    shop.wait(200)
    assert not gate_file.exists()
    assert shop.lift(which).status == 404
    told = [line["action"] for line in map(json.loads, (shop.root.state / "audit.jsonl").read_text().splitlines())]
    assert told.count("pods withdraw") == 3


def test_people_do_it_from_the_command_line(pods):
    shop = pods()
    server = f"unix:{shop.root.state}/api.sock"

    def guard(*words, status=0):
        done = subprocess.run([BIN / "guard", "pods", *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stdout + done.stderr
    name = f"prod/{ODD}"
    assert "--server" in guard("withdraw", "shop", name, "--for", "5m", "--reason", "x", "--state", str(shop.root.state), status=2)
    assert "1s to 1h" in guard("withdraw", "shop", name, "--for", "2h", "--reason", "x", "--server", server, status=2)
    guard("withdraw", "shop", name, "--for", "5m", "--reason", "it's mis&used", "--server", server)
    shop.wait(503)
    wait_for(lambda: f"its gate answers with 503: {name} until " in guard("list", "shop", "--server", server), "the agent to say so")
    assert "isn't withdrawn" in guard("withdraw", "shop", f"prod/{OTHER}", "--for", "0s", "--reason", "x", "--server", server, status=1)
    guard("withdraw", "shop", name, "--for", "0s", "--reason", "looked & closed", "--server", server)
    shop.wait(200)
    reasons = [line["reason"] for line in map(json.loads, (shop.root.state / "audit.jsonl").read_text().splitlines())]
    assert reasons[-2:] == ["it's mis&used", "looked & closed"]


def test_it_ends_by_itself_with_guardd_dead_and_is_taken_away_when_it_is_back(pods):
    shop = pods()
    assert shop.withdraw(seconds=8).status == 201
    shop.wait(503)
    shop.agents[ODD].kill()
    shop.root.kill()
    shop.wait(200)  # by the file's own end
    shop.agents[ODD].start()
    wait_for(lambda: not (shop.agents[ODD].state / "withdrawn" / "shop.json").exists(), "the file to be taken away")
    assert shop.status(ODD) == 200


def test_what_people_did_at_the_gate_itself_stays(pods):
    shop = pods()
    gate_file = shop.agents[ODD].state / "withdrawn" / "shop.json"
    by_hand = {"until_ms": int((time.time() + 7200) * 1000), "reason": "mine", "by": "anna"}
    gate_file.write_text(json.dumps(by_hand))
    shop.wait(503)
    which = shop.withdraw().json()["id"]
    wait_for(lambda: shop.withdrawn()[0]["obeyed"], "the agent to see it")
    shop.lift(which)
    wait_for(lambda: shop.agents[ODD].log().count("gate-") == 0 and not shop.withdrawn(), "the lift")
    assert json.loads(gate_file.read_text()) == by_hand and shop.status(ODD) == 503
    # Ended at the gate: it doesn't begin anew, also not after a restart.
    gate_file.unlink()
    shop.wait(200)
    shop.withdraw()
    shop.wait(503)
    gate_file.unlink()
    shop.wait(200)
    shop.agents[ODD].kill()
    shop.agents[ODD].start()
    wait_for(lambda: shop.withdrawn()[0]["obeyed"], "the agent to ask again")
    assert not gate_file.exists() and shop.status(ODD) == 200


def metric(node, name):
    lines = ask(node, "GET", "/metrics").body.decode().splitlines()
    return float(next(line for line in lines if line.startswith(name + " ")).split()[-1])


def tried(node, more=3):
    """So many tries more have failed."""
    before = metric(node, FAILURES)
    wait_for(lambda: metric(node, FAILURES) >= before + more, "it to be tried again")


FAILURES, UNWRITTEN = "guard_pod_withdrawal_write_failures_total", "guard_pod_withdrawals_unwritten"


@pytest.fixture
def mount(tmp_path):
    """A file system of its own at a folder, of one page: full with one file."""
    mounted = []

    def make(folder):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "guard-test", folder], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"SKIPPED: nothing can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder
    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_told_once_and_the_gate_when_there_is_room(pods, mount):
    shop = pods()
    agent = shop.agents[ODD]
    folder = mount(agent.state / "withdrawn")
    (folder / "full").write_bytes(bytes(4096))
    which = shop.withdraw().json()["id"]
    wait_for(lambda: agent.events("gate-not-withdrawn"), "the alarm")
    tried(agent)
    assert metric(agent, UNWRITTEN) == 1 and not shop.withdrawn()[0]["obeyed"]
    assert shop.status(ODD) == 200 and len(agent.events("gate-not-withdrawn")) == 1
    (folder / "full").unlink()
    shop.wait(503)
    wait_for(lambda: metric(agent, UNWRITTEN) == 0, "it to be over")
    assert len(agent.events("gate-withdrawn")) == 1
    # Its end can't be written: told once, and done when it can.
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    shop.lift(which)
    wait_for(lambda: agent.events("gate-not-served"), "the alarm")
    tried(agent)
    assert shop.status(ODD) == 503 and len(agent.events("gate-not-served")) == 1
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    shop.wait(200)
    wait_for(lambda: len(agent.events("gate-serves-again")) == 1 and metric(agent, UNWRITTEN) == 0, "it to be over")
    # One that ends before there was room.
    (folder / "full").write_bytes(bytes(4096))
    which = shop.withdraw().json()["id"]
    wait_for(lambda: len(agent.events("gate-not-withdrawn")) == 2, "the alarm of the next one")
    shop.lift(which)
    wait_for(lambda: agent.events("gate-was-not-withdrawn"), "it to be over")
    assert shop.status(ODD) == 200 and metric(agent, UNWRITTEN) == 0


def test_a_text_that_cant_be_written_is_in_force_and_told_once(pods):
    """A file stands where the folder was, so that this is seen also where nothing can be mounted."""
    shop = pods()
    agent = shop.agents[ODD]
    (agent.state / "pods").rename(agent.state / "pods.away")
    (agent.state / "pods").write_text("")
    shop.withdraw()
    shop.wait(503)
    tried(agent)
    wait_for(lambda: shop.withdrawn()[0]["obeyed"], "the agent to say so")
    assert len(agent.events("pod-withdrawals-not-written")) == 1 and metric(agent, UNWRITTEN) == 1
    (agent.state / "pods").unlink()
    (agent.state / "pods.away").rename(agent.state / "pods")
    wait_for(lambda: (agent.state / "pods" / "shop.withdrawals").exists(), "the text to be written")
    wait_for(lambda: metric(agent, UNWRITTEN) == 0, "it to be over")
    assert len(agent.events("pod-withdrawals-written")) == 1 and shop.status(ODD) == 503


def test_a_root_that_cant_write_withdraws_nobody(pods, pod_writer):  # noqa: F811
    shop = pods(GUARDIAN.format(mode="block", orders="act", withdraw=", withdrawSeconds: 3600"))
    (shop.root.state / "pods" / "shop.withdrawals").mkdir(parents=True)  # nothing can take its place
    assert shop.withdraw().status == 507
    misused(shop, pod_writer)
    wait_for(lambda: shop.root.events("pod-not-withdrawn"), "the alarm")
    tried(shop.root)
    assert len(shop.root.events("pod-not-withdrawn")) == 1
    assert shop.withdrawn() == [] and shop.status(ODD) == 200
    (shop.root.state / "pods" / "shop.withdrawals").rmdir()
    shop.wait(503)


def test_what_isnt_signed_by_the_root_or_is_older_moves_no_gate(pods):
    shop = pods()
    which = shop.withdraw().json()["id"]
    shop.wait(503)
    before = (shop.root.state / "pods" / "shop.withdrawals").read_bytes()
    shop.lift(which)
    shop.wait(200)
    agent = shop.agents[ODD]
    for forged, why in ((before, "replay"), (before.replace(b"hand-", b"order"), "not signed"), (b"0" * 300, "no signature")):
        agent.stop()
        parent = HostileParent(forged)  # one that was taken over, without the root's key
        agent.options = tuple(parent.url if str(option).startswith(("unix:", "http:")) else option for option in agent.options)
        agent.start()
        try:
            wait_for(lambda: why in agent.log(), "the refusal")
            asked = parent.asked
            wait_for(lambda: parent.asked > asked + 1, "it to be asked for again")  # another root may stand there meanwhile
            assert agent.log().count(why) == 1
        finally:
            parent.close()
        assert shop.status(ODD) == 200 and shop.status(OTHER) == 200


def test_a_root_that_is_behind_keeps_no_pod_in_service(pods, relay):  # noqa: F811
    """One of several roots says what there is, and another one, which doesn't have it yet, is asked for it."""
    shop = pods()
    agent, between = shop.agents[ODD], relay(shop.root.state)
    path = "/api/v1/services/shop/withdrawals"
    shop.lift(shop.withdraw().json()["id"])
    shop.wait(200)
    agent.stop()
    agent.options = tuple(f"http://127.0.0.1:{between.port}" if str(option).startswith(("unix:", "http:")) else option
                          for option in agent.options)
    between.swap[path] = (shop.root.state / "pods" / "shop.withdrawals").read_bytes()
    agent.start()
    assert shop.withdraw().status == 201
    wait_for(lambda: between.swapped[path] > 1, "the older ones to be fetched, and fetched again")
    assert shop.status(ODD) == 200 and agent.events("pod-withdrawals-refused") == []
    del between.swap[path]
    shop.wait(503)


class HostileParent:
    """Says that there are newer withdrawals, and which."""

    asked = 0

    def __init__(self, text):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = text if self.path.endswith("/withdrawals") else b""
                outer.asked += len(body) > 0
                self.send_response(200 if body else 304)
                self.send_header("ETag", '"0-0-9999999999999"')
                if body:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                body = b'{"generation":0,"young":false,"client_mode":"alert","withdrawals":9999999999999}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize("body, status", [
    ({"pod": "prod", "seconds": 60, "reason": "x"}, 422), ({"pod": "prod/a b", "seconds": 60, "reason": "x"}, 422),
    ({"pod": "prod/a", "seconds": 3601, "reason": "x"}, 422), ({"pod": "prod/a", "seconds": 0, "reason": "x"}, 422),
    ({"pod": "prod/a", "reason": "x"}, 422), ({"pod": "prod/a", "seconds": 60}, 422)])
def test_what_makes_no_sense_is_refused(tree, body, status):  # noqa: F811
    root = tree("root", root_options())
    key_of(root)
    answer = ask(root, "POST", "/services/shop/pods/withdrawals", *JSON, data=json.dumps(body).encode())
    assert answer.status == status, answer.body
    assert ask(root, "GET", "/services/shop/pods").json()["withdrawals"] == []


def test_agents_decide_nothing_and_other_services_are_told_nothing(pods):
    shop = pods()
    assert shop.withdraw().status == 201
    answer = ask(shop.agents[OTHER], "POST", "/services/shop/pods/withdrawals", *JSON,
                 data=json.dumps({"pod": f"prod/{ODD}", "seconds": 60, "reason": "x"}).encode())
    assert answer.status == 409, answer.body
    key_of(shop.root, "cart")
    assert ask(shop.root, "GET", "/services/cart/withdrawals").status == 503  # there is none
    assert ask(shop.root, "GET", "/services/shop/withdrawals").status == 200
    assert ask(shop.root, "GET", "/services/shop/policy?after=0&pod=a%20b").status == 400


def test_it_arrives_below_an_aggregator(tree, nginx, fast_upstream):  # noqa: F811
    root = tree("root", root_options())
    middle = tree("middle", aggregator_options(root))
    agent = tree("agent", agent_options(middle, root=root) + ["--pod", f"prod/{ODD}"])
    gate = gate_of(nginx, agent, fast_upstream)
    drive(gate.port, Shop(7).many(1))
    root.wait_exchanges(1)
    answer = ask(root, "POST", "/services/shop/pods/withdrawals", *JSON,
                 data=json.dumps({"pod": f"prod/{ODD}", "seconds": 600, "reason": "x"}).encode())
    wait_for(lambda: gate.curl("/p").status == 503, "the gate to be withdrawn")
    ask(root, "DELETE", f"/services/shop/pods/withdrawals/{answer.json()['id']}?reason=x")
    wait_for(lambda: gate.curl("/p").status == 200, "it to serve again")


def misused(shop, writer):
    sensors = Sensors(writer, shop.root.state)
    sensors.live()
    wait_for(sensors.read, "benign days", 120)
    sensors.put(sensors.misuse())
    orders = shop.root.state / "pods" / "orders"
    wait_for(lambda: list(orders.glob("*.json")), "the order")
    return [json.loads(path.read_text()) for path in orders.glob("*.json")][0]


def test_an_order_withdraws_one_gate_and_its_end_lets_it_serve_again(pods, pod_writer):  # noqa: F811
    shop = pods(GUARDIAN.format(mode="block", orders="act", withdraw=", withdrawSeconds: 3600"))
    order = misused(shop, pod_writer)
    shop.wait(503)
    [one] = shop.withdrawn()
    assert one["id"] == order["id"] and one["ordered"] and one["by"] == "guardd" and one["workload"] == "web"
    wait_for(lambda: shop.withdrawn()[0]["obeyed"], "the agent to say so")
    ended(shop, order)
    shop.wait(200)
    assert shop.withdrawn() == []
    # One order is carried out once.
    shop.root.kill()
    shop.root.start()
    assert shop.withdrawn() == [] and shop.status(ODD) == 200


def test_an_order_reaches_a_gate_below_an_aggregator(pods, pod_writer):  # noqa: F811
    shop = pods(GUARDIAN.format(mode="block", orders="act", withdraw=", withdrawSeconds: 3600"), middle=True)
    order = misused(shop, pod_writer)
    shop.wait(503)
    [one] = shop.withdrawn()
    assert one["id"] == order["id"] and one["ordered"]
    wait_for(lambda: shop.withdrawn()[0]["obeyed"], "the aggregator to say so")
    ended(shop, order)
    shop.wait(200)


def ended(shop, order, end="replaced"):
    """As the responder reports it."""
    with (shop.root.state / "pods" / "reports" / f"{order['id']}.jsonl").open("a") as file:
        file.write(json.dumps({"version": 1, "id": order["id"], "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                               "end": end, "detail": "a new one serves"}) + "\n")


class Books:
    """What a responder says of itself, as docs/internals/pod-orders.md has it; test_pod_budget.py has a real one."""

    def __init__(self, state):
        self.path = state / "pods" / "responder" / "state.json"
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def say(self, stopped):
        now = int(time.time() * 1000)
        workload = {"namespace": "prod", "workload": "web", "dryRun": False, "share": 0.1, "windowMs": 600000, "backoffFirstMs": 60000,
                    "backoffMaxMs": 1800000, "calmMs": 21600000, "replicasMax": 100, "streak": 1, "lastMs": now, "inFlight": False,
                    "stopped": stopped, "stoppedMs": now if stopped else 0, "begunMs": [now]}
        told = {"version": 1, "writtenMs": now, "running": True, "dryRun": False, "stopped": False, "resumes": True, "broken": "",
                "perHour": 10, "hourUntilMs": 0, "workloads": [workload], "contained": []}
        self.path.with_suffix(".tmp").write_text(json.dumps(told))
        self.path.with_suffix(".tmp").rename(self.path)
        return True

    def shown(self, shop):
        [workload] = [one for one in shop.api.get("/services/shop/pods")["workloads"] if one["workload"] == "web"]
        return workload["responder"]


def test_a_workload_that_goes_on_serves_again_but_for_what_people_withdrew(pods, pod_writer):  # noqa: F811
    shop = pods(GUARDIAN.format(mode="block", orders="act", withdraw=", withdrawSeconds: 3600"))
    books = Books(shop.root.state)
    books.say("")
    order = misused(shop, pod_writer)
    shop.wait(503)
    by_hand = shop.withdraw("web-of-mine").json()["id"]
    # The responder works on it: that it was stopped and isn't any more is nothing yet.
    books.say("same-evidence")
    wait_for(lambda: books.shown(shop)["stopped"], "the stop to be read")
    looked(shop)
    books.say("")
    wait_for(lambda: books.shown(shop)["stopped"] is None, "it to be read")
    looked(shop)
    assert shop.status(ODD) == 503
    books.say("same-evidence")
    ended(shop, order, "kept")
    wait_for(lambda: books.say("same-evidence") and shop.root.events("pod-order-ended"), "the end to be read")
    looked(shop)
    assert shop.status(ODD) == 503 and sorted(one["id"] for one in shop.withdrawn()) == sorted([order["id"], by_hand])
    books.say("")  # however it was told to
    shop.wait(200)
    assert [one["id"] for one in shop.withdrawn()] == [by_hand]


def looked(shop):
    """guardd went over all of them since: what is asked of it comes behind that."""
    before = shop.root.status()["time_ms"]
    wait_for(lambda: shop.root.status()["time_ms"] > before + 2000, "two looks at what is over")


class Reporter:
    """Who has a token that may report, and says what it likes."""

    def __init__(self, root, name):
        self.path = str(root.state / "api-front.sock")
        self.secret = tool("token", "add", name, "--role", "reporter", "--service", "shop", "--state", root.state).split()[-1]
        self.connection = None
        wait_for(lambda: self.claim("prod/probe") != 401, "the token to be known")

    def claim(self, pod, obeys=""):
        """Of what is asked with each question: answered at once, since there are withdrawals."""
        kept = self.connection is not None
        try:
            return self.ask(pod, obeys)
        except ConnectionError:
            if not kept:
                raise
            self.connection = None  # it was idle for longer than guardd keeps one
            return self.ask(pod, obeys)

    def ask(self, pod, obeys):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("localhost", timeout=60)
            self.connection.sock = socket.socket(socket.AF_UNIX)
            self.connection.sock.connect(self.path)
        self.connection.request("GET", f"/api/v1/services/shop/policy?after={10**12}&withdrawals=0&pod={pod}" + (f"&obeys={obeys}" if obeys else ""),
                                headers={"Authorization": f"Bearer {self.secret}"})
        answer = self.connection.getresponse()
        answer.read()
        if answer.will_close:
            self.connection = None
        return answer.status


def claims(root, outcome):
    return metric(root, f'guard_pod_gate_claims_total{{outcome="{outcome}"}}')


def test_a_stolen_token_keeps_no_order_from_withdrawing_and_none_obeyed(pods, pod_writer):  # noqa: F811
    shop = pods(GUARDIAN.format(mode="block", orders="act", withdraw=", withdrawSeconds: 3600"), options=["--api-front", "on"])
    assert shop.withdraw("web-of-mine").status == 201
    thief = Reporter(shop.root, "thief")
    for number in range(600):
        assert thief.claim(f"prod/made-up-{number}") == 304
    assert claims(shop.root, "too-many") == 600 + 1 - 512  # and the one that was asked with first
    assert len(shop.root.events("pod-gate-claimed")) == 1
    # What isn't its own: told, and neither of the two is believed alone.
    other = Reporter(shop.root, "another")
    contested = claims(shop.root, "contested")
    assert other.claim(f"prod/{ODD}", "hand-1") == 304
    assert claims(shop.root, "contested") == contested + 1
    order = misused(shop, pod_writer)
    shop.wait(503)
    one = next(one for one in shop.withdrawn() if one["pod"] == ODD)
    assert one["id"] == order["id"] and not one["obeyed"]
    shop.lift(order["id"])
    shop.wait(200)
    # And by hand: it isn't withdrawn as the one that was made up.
    assert other.claim(f"prod/{ODD}/made-up", "hand-1") == 304
    assert shop.withdraw().status == 201
    shop.wait(503)
    # Who says that a pod obeys says so for its own claim only.
    which = next(one for one in shop.withdrawn() if one["pod"] == ODD)["id"]
    wait_for(lambda: other.claim(f"prod/{ODD}/made-up", which) == 304 and next(one for one in shop.withdrawn() if one["pod"] == ODD)["obeyed"],
             "both to say so")


def test_no_order_withdraws_more_than_the_budget(pods, pod_writer):  # noqa: F811
    """Of two gates one may be out: the other one was withdrawn by a person."""
    shop = pods(GUARDIAN.format(mode="block", orders="act", withdraw=", withdrawSeconds: 3600"))
    which = shop.withdraw(OTHER).json()["id"]
    shop.wait(503, OTHER)
    misused(shop, pod_writer)
    wait_for(lambda: "too few replicas" in shop.root.log(), "the refusal")
    assert shop.status(ODD) == 200
    shop.lift(which)
    shop.wait(503)  # within the order's time


@pytest.mark.parametrize("guardian", [GUARDIAN.format(mode="block", orders="dry-run", withdraw=", withdrawSeconds: 3600"),
                                      GUARDIAN.format(mode="alert", orders="act", withdraw=", withdrawSeconds: 3600")])
def test_a_dry_run_touches_nothing(pods, pod_writer, guardian):  # noqa: F811
    shop = pods(guardian)
    order = misused(shop, pod_writer)
    assert order["dryRun"]
    wait_for(lambda: "dry run, its gate would answer with 503" in shop.root.log(), "it to be told")
    assert shop.withdrawn() == [] and shop.status(ODD) == 200 and not (shop.root.state / "pods" / "shop.withdrawals").exists()
