# SPDX-License-Identifier: Apache-2.0
"""What a root believes of agents, and agents of what comes down: hostile piles, stolen identities, replayed and swapped policies."""

import collections
import http.client
import http.server
import itertools
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from trees import (Node, agent_options, ask, gate_of, key_of, offline_pile, root_options, send_pile, tool, tree)  # noqa: E402, F401
from harness import BIN  # noqa: E402
from servers import Server  # noqa: E402
from test_guardd import drive, guard  # noqa: E402
from traffic import Shop  # noqa: E402
from waiting import wait_for  # noqa: E402


@pytest.mark.parametrize("options, names", [
    (["--role", "boss"], '--role: "boss" is not standalone|agent'),
    (["--role", "agent"], "--parent"),
    (["--parent", "unix:/x"], "--parent"),
    (["--role", "service", "--parent", "unix:/x"], "--parent"),
    (["--role", "agent", "--parent", "ftp://x"], "--parent"),
    (["--role", "agent", "--parent", "http://x/path"], "--parent"),
    (["--role", "agent", "--parent", "unix:/x", "--parent-ca", "x"], "--parent-ca"),
    (["--role", "agent", "--parent", "http://x", "--parent-token", "x"], "--parent-token"),
    (["--parent-token", "x"], "--parent-token"),
    (["--policy-key", "x"], "--policy-key"),
    (["--role", "service", "--report-every", "5s"], "--report-every"),
    (["--write-every", "999"], '--write-every: "999" is no time of 1 s to 1 days'),
    (["--canary-every", "25h"], '--canary-every: "25h" is no time of 1 s to 1 days'),
    (["--role", "agent", "--parent", "unix:/x", "--report-every", "0s"], '--report-every: "0s" is no time of 1 s to 30 days'),
    (["--role", "service", "--spool", "5M"], "--spool"),
    (["--role", "agent", "--parent", "unix:/x", "--spool", "1K"], "--spool"),
    (["--role", "agent", "--parent", "unix:/x", "--whole-piles", "*"], "--whole-piles"),
    (["--role", "service", "--api", "off"], "--api"),
    (["--role", "service", "--follow", "shop"], "--follow: --role service has no parent"),
    (["--role", "agent", "--parent", "unix:/x", "--follow", "shop,a/b"], '--follow: "a/b" is no service'),
    (["--role", "agent", "--parent", "unix:/x", "--follow", ",".join(f"s{i}" for i in range(65))], "--follow: at most 64"),
    (["--keep-size", "4294967295t"], "--keep-size"),
    (["--api", "yes"], '--api: "yes" is not on|off'),
    (["more"], "Usage"),
])
def test_options_that_make_no_sense_are_refused_by_name(tmp_path, options, names):
    done = subprocess.run([BIN / "guardd", "--state", tmp_path / "state", *options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and names in done.stderr, done.stderr
    assert not (tmp_path / "state").exists()


def test_an_agent_needs_the_roots_key_and_never_replaces_it(tree, tmp_path):
    root = tree("root", root_options())
    other = tree("other", root_options())
    agent = Node(tmp_path, "agent", agent_options(root)[:-2])
    done = subprocess.run([BIN / "guardd", "--state", agent.state, *agent.options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "--policy-key" in done.stderr
    agent = tree("agent", agent_options(root))
    placed = (agent.state / "keys" / "policy.pub").read_bytes()
    assert placed == (root.state / "keys" / "policy.pub").read_bytes()
    agent.stop()
    done = subprocess.run([BIN / "guardd", "--state", agent.state, *agent_options(root, root=other)], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 1 and "another key" in done.stderr
    assert (agent.state / "keys" / "policy.pub").read_bytes() == placed
    agent.start()


def problem(answer, status, kind):
    assert answer.status == status, (answer.status, answer.body)
    assert answer.json()["type"] == "urn:guard:problem:" + kind, answer.json()
    return answer.json()["detail"]


def test_hostile_piles_are_refused_by_name(tree, tmp_path):
    root = tree("root", root_options(whole=None))
    key = key_of(root)
    shop = Shop(950, start=time.time() - 3600)
    first, rest = shop.many(50), shop.many(50)
    pile = offline_pile(tmp_path / "a", key, first)
    problem(send_pile(root, b""), 422, "bad-pile")
    problem(send_pile(root, os.urandom(3000)), 422, "bad-pile")
    for place in (5, len(pile) // 2, len(pile) - 1):
        problem(send_pile(root, pile[:place] + bytes([pile[place] ^ 1]) + pile[place + 1:]), 422, "bad-pile")
    problem(send_pile(root, offline_pile(tmp_path / "b", "5" * 64, first)), 422, "bad-pile")
    key_of(root, "cart")
    problem(send_pile(root, pile, service="cart"), 422, "bad-pile")
    problem(send_pile(root, pile, service="unknown"), 404, "no-such-service")
    future = Shop(951, start=time.time() + 10 * 86400)
    assert "time to come" in problem(send_pile(root, offline_pile(tmp_path / "c", key, future.many(20), "bb:7:1")), 422, "bad-pile")
    problem(ask(root, "POST", "/services/shop/piles", "-H", "Content-Type: text/plain", "--data-binary", "@-", data=pile), 415, "bad-type")
    problem(send_pile(root, bytes(5 << 20)), 413, "too-large")
    assert root.service()["exchanges"] == 0
    answer = send_pile(root, pile)
    assert answer.status == 200 and answer.json()["outcome"] == "added"
    assert send_pile(root, pile).json()["outcome"] == "contained"
    assert send_pile(root, offline_pile(tmp_path / "d", key, first, "00000000000000cc:7:1")).json()["outcome"] == "added"
    # More of the same producer from the same number on: a part of it is held.
    problem(send_pile(root, offline_pile(tmp_path / "e", key, first + rest)), 409, "overlap")
    root.wait_exchanges(100)
    root.kill()
    root.start()
    root.wait_exchanges(100)
    assert send_pile(root, pile).json()["outcome"] == "contained"
    assert root.service()["exchanges"] == 100


def test_what_one_agent_sends_teaches_nothing_alone(tree, tmp_path):
    """40 clients, four days: a standalone would be ready. Of one who may be anybody's it is one share."""
    exchanges = Shop(952, start=time.time() - 4 * 86400).many(3000)
    step = 4 * 86400 / len(exchanges)
    for number, exchange in enumerate(exchanges):
        exchange["time"] = round(time.time() - 4 * 86400 + number * step, 3)
    believed = tree("believed", root_options())
    assert send_pile(believed, offline_pile(tmp_path / "a", key_of(believed), exchanges)).status == 200
    wait_for(lambda: believed.service().get("ready"), "readiness")
    root = tree("root", root_options(whole="somebody,else"))
    assert send_pile(root, offline_pile(tmp_path / "b", key_of(root), exchanges)).status == 200
    root.wait_exchanges(3000)
    wait_for(lambda: root.service().get("clients"), "it to be learned from")
    assert not root.service()["ready"] and root.service()["clients"] <= 4 and root.service()["endpoints"] == [], root.service()
    assert believed.service()["clients"] >= 30 and believed.service()["endpoints"]


def token(root, name, *options):
    return tool("token", "add", name, "--role", "reporter", *options, "--state", root.state).split()[-1]


def front(root, secret, pile, service="shop"):
    return send_pile(root, pile, "--unix-socket", "api-front.sock", "-H", f"Authorization: Bearer {secret}", service=service)


def test_a_stolen_identity_writes_nobody_elses_history(tree, tmp_path):
    root = tree("root", root_options() + ["--api-front", "on"])
    one, two = token(root, "one", "--service", "*"), token(root, "two", "--service", "shop")
    key = key_of(root)
    shop = Shop(953, start=time.time() - 3600)
    first = offline_pile(tmp_path / "a", key, shop.many(30))
    later = offline_pile(tmp_path / "b", key, shop.many(30), "00000000000000aa:7:31")
    reborn = offline_pile(tmp_path / "c", key, shop.many(30), "00000000000000aa:9:1")
    own = offline_pile(tmp_path / "d", key, shop.many(30), "00000000000000cc:7:1")
    wait_for(lambda: front(root, one, first).status == 200, "the token to be known")
    for stolen in (first, later, reborn):
        assert "another reporter" in problem(front(root, two, stolen), 422, "bad-pile")
    assert front(root, two, own).json()["outcome"] == "added"
    assert front(root, one, later).json()["outcome"] == "added"
    root.kill()  # who it belongs to survives
    root.start()
    assert "another reporter" in problem(front(root, two, reborn), 422, "bad-pile")
    assert front(root, one, reborn).json()["outcome"] == "added"
    key_of(root, "cart")
    problem(front(root, two, own, service="cart"), 404, "no-such-service")
    assert front(root, "guard_x_" + "a" * 43, own).status == 401
    root.wait_exchanges(120)
    assert root.service()["exchanges"] == 120


def test_an_agent_reports_with_its_token(tree, nginx, fast_upstream, tmp_path):
    root = tree("root", root_options(whole="edge") + ["--api-front", "on"])
    (tmp_path / "token").write_text(token(root, "edge", "--service", "shop") + "\n")
    (tmp_path / "token").chmod(0o600)
    options = agent_options(root)
    options[options.index("--parent") + 1] = f"unix:{root.state}/api-front.sock"
    agent = tree("agent", options + ["--parent-token", tmp_path / "token"])
    gate = gate_of(nginx, agent, fast_upstream)
    foreign = gate_of(nginx, agent, fast_upstream, "other")
    drive(foreign.port, Shop(955).many(20))
    drive(gate.port, Shop(954).many(200))
    root.wait_exchanges(200)
    wait_for(lambda: agent.service()["generation"] > 0, "a policy")
    wait_for(lambda: agent.events("service-refused"), "the alarm")  # not its service
    assert agent.parent["state"] == "there" and root.service("other")["exchanges"] == 0


class Relay(http.server.BaseHTTPRequestHandler):
    """Between an agent and its parent: passes on what it is asked for, or answers with what `swap` has for a path."""
    protocol_version = "HTTP/1.1"

    def relay(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        swapped = self.server.swap.get(self.path.partition("?")[0])
        status, headers, answer = (200, {"ETag": '"9-0"'}, swapped) if swapped is not None else self.forward(body)
        if swapped is not None:
            self.server.swapped[self.path.partition("?")[0]] += 1
            time.sleep(0.2)
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() in ("etag", "retry-after", "content-type"):
                self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if status != 304:
            self.wfile.write(answer)

    def forward(self, body):
        here = os.open(self.server.state, os.O_RDONLY)
        connection = http.client.HTTPConnection("guardd", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(f"/proc/self/fd/{here}/api.sock")
        os.close(here)
        headers = {name: value for name, value in self.headers.items() if name.lower() in ("content-type",)}
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        result = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return result

    do_GET = do_POST = relay

    def log_message(self, *args):
        pass


@pytest.fixture
def relay():
    servers = []

    def make(state):
        server = Server(Relay)
        server.state, server.swap, server.swapped = state, {}, collections.Counter()
        servers.append(server)
        return server
    yield make
    for server in servers:
        server.close()


def generation_in(path):
    """As docs/internals/policy.md lays the header out."""
    return struct.unpack_from("<Q", path.read_bytes(), 16)[0]


def test_policies_that_are_replayed_swapped_or_forged_are_refused(tree, nginx, fast_upstream, relay):
    root = tree("root", root_options())
    between = relay(root.state)
    options = agent_options(root)
    options[options.index("--parent") + 1] = f"http://127.0.0.1:{between.port}"
    agent = tree("agent", options)
    gates = [gate_of(nginx, agent, fast_upstream), gate_of(nginx, agent, fast_upstream, "cart")]
    for number, gate in enumerate(gates):
        drive(gate.port, Shop(956 + number).many(100))
    for service in ("shop", "cart"):
        wait_for(lambda: agent.service(service)["generation"] > 0, "policies")
    place, path = agent.state / "policies" / "shop.policy", "/api/v1/services/shop/policy"
    old, generation = place.read_bytes(), agent.service()["generation"]
    guard(root.state, "mode", "block", "--service", "shop")
    wait_for(lambda: agent.service()["generation"] > generation, "a later generation")
    wait_for(lambda: agent.service()["generation"] == root.service()["generation"], "no more of them")
    forged = bytearray(place.read_bytes())
    forged[-1] ^= 1

    modes = itertools.cycle(["alert", "block"])

    def refused(bytes_, why):
        before = generation_in(place)
        seen = len(agent.events("policy-refused"))
        between.swap[path] = bytes_
        guard(root.state, "mode", next(modes), "--service", "shop")  # ends a wait that is under way
        wait_for(lambda: len(agent.events("policy-refused")) > seen, "the alarm")
        assert why in agent.events("policy-refused")[-1]["detail"], agent.events("policy-refused")
        # One that was asked for before may have come.
        assert generation_in(place) >= before and place.read_bytes() != bytes_
        del between.swap[path]
        wait_for(lambda: place.read_bytes() == (root.state / "policies" / "shop.policy").read_bytes(), "the root's own")

    refused(old, "replay")
    refused((agent.state / "policies" / "cart.policy").read_bytes(), "cart")
    refused(bytes(forged), "sign")
    refused(b"", "")
    # A restart forgets nothing, nor does a file that is lost.
    agent.kill()
    place.unlink()
    between.swap[path] = old
    agent.start()
    wait_for(lambda: agent.events("policy-refused")[-1]["detail"].count("replay"), "the alarm")
    assert not place.exists()
    del between.swap[path]
    wait_for(place.exists, "the root's own")
    for gate in gates:
        assert "policy refused" not in gate.log_text()


def test_tables_of_clients_are_the_roots_and_of_the_service(tree, nginx, fast_upstream, relay):
    root = tree("root", root_options())
    between = relay(root.state)
    options = agent_options(root)
    options[options.index("--parent") + 1] = f"http://127.0.0.1:{between.port}"
    agent = tree("agent", options)
    gate = gate_of(nginx, agent, fast_upstream)
    drive(gate.port, Shop(958).many(50))
    root.wait_exchanges(50)
    place = agent.state / "verdicts" / "shop.table"
    wait_for(lambda: place.exists() and place.read_bytes() == (root.state / "verdicts" / "shop.table").read_bytes(), "the table")
    before = place.read_bytes()
    between.swap["/api/v1/services/shop/verdicts"] = before[:-1] + bytes([before[-1] ^ 1])
    root.stop()
    root.start()  # writes a newer one
    wait_for(lambda: agent.events("client-verdicts-refused"), "the alarm")
    assert place.read_bytes() == before


def test_a_table_that_cannot_be_kept_is_told_by_that_name_and_comes_again(tree, nginx, fast_upstream):
    root = tree("root", root_options())
    agent = tree("agent", agent_options(root))
    place = agent.state / "verdicts"
    gate = gate_of(nginx, agent, fast_upstream)
    place.rename(place.with_name("elsewhere"))
    place.write_text("in its place\n")
    drive(gate.port, Shop(959).many(50))
    root.wait_exchanges(50)
    wait_for(lambda: agent.events("client-verdicts-not-written"), "the alarm")
    assert agent.events("client-verdicts-refused") == []
    place.unlink()
    place.with_name("elsewhere").rename(place)
    table = root.state / "verdicts" / "shop.table"
    wait_for(lambda: (place / "shop.table").exists() and (place / "shop.table").read_bytes() == table.read_bytes(), "the table")
