# SPDX-License-Identifier: Apache-2.0
"""How clients behave: guardd finds who is far from the others, and every gate of the service blocks that client, and nobody else."""

import json
import pathlib
import socket
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import wait_for  # noqa: E402
from test_guardd import GATE, Guardd, guard, guardd  # noqa: E402,F401

PATIENCE = 120
CROWD = 320
GUARDIAN = """apiVersion: guard/v1alpha1
kind: Guardian
service: shop
control:
  mode: {mode}
  parts: {{request: observe, response: observe, client: {client}}}
  falseAlarmBudget: 0.001
"""


def address(number):
    """Each in a /24 of its own."""
    return f"127.{10 + number // 200}.{1 + number % 200}.7"


class Visitor:
    """One kept connection."""

    def __init__(self, port, number):
        self.sock = socket.create_connection(("127.0.0.1", port), source_address=(address(number), 0), timeout=60)
        self.file = self.sock.makefile("rb")

    def get(self, target):
        self.sock.sendall(f"GET {target} HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: visitor/1.0\r\n\r\n".encode())
        status = int(self.file.readline().split()[1])
        length = 0
        while line := self.file.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.file.read(length)
        return status

    def close(self):
        self.file.close()
        self.sock.close()


def visit(port, number, orders, base=None):
    """What somebody does who wants only its own."""
    visitor = Visitor(port, number)
    base = 100000 + 10 * number if base is None else base
    statuses = [visitor.get("/search?q=lamp"), *(visitor.get(f"/orders/{base + i}") for i in range(orders)), visitor.get("/cart")]
    visitor.close()
    return statuses


class World:
    def __init__(self, daemon, gates):
        self.daemon = daemon
        self.state = daemon.state
        self.gates = gates
        self.sent = 0

    def guardian(self, mode="alert", client="block"):
        path = self.state / "guardians" / "shop.yaml"
        new = path.with_suffix(".new")
        new.write_text(GUARDIAN.format(mode=mode, client=client))
        new.rename(path)

    def crowd(self, count=CROWD):
        for number in range(count):
            assert set(visit(self.gates[number % 2].port, number, 1 + number % 3)) == {200}

    def counted(self):
        path = self.state / "clients" / "shop.json"
        return json.loads(path.read_text()) if path.exists() else {"exchanges": 0, "verdicts": []}

    def alerts(self, rule=None):
        path = self.state / "alerts.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [alert for alert in lines if any(f["part"] == "client" and rule in (None, f["rule"]) for f in alert["findings"])]

    def learn(self):
        """Until the policy knows the endpoints, and the norm the clients of these."""
        self.guardian()
        self.crowd(40)
        wait_for(lambda: self.daemon.service()["endpoint_count"] >= 3 if "endpoint_count" in self.daemon.service() else False,
                 "the endpoints to be learned", PATIENCE)
        generation = self.daemon.service()["generation"]
        visit(self.gates[0].port, 1, 2)
        wait_for(lambda: self.daemon.service()["generation"] > generation, "a policy that knows them", PATIENCE)
        self.crowd()
        wait_for(lambda: self.daemon.service()["exchanges"] >= 4 * (40 + CROWD), "the crowd to be counted", PATIENCE)


@pytest.fixture
def world(guardd, nginx, fast_upstream):  # noqa: F811
    text = GATE.replace("{state}", str(guardd.state)).replace("{back}", str(fast_upstream.port))
    world = World(guardd, [nginx(text), nginx(text)])
    world.learn()
    return world


def scrape(port, number, count, first=500000):
    """Statuses of so many orders, one after the other."""
    visitor = Visitor(port, number)
    statuses = [visitor.get(f"/orders/{first + i}") for i in range(count)]
    visitor.close()
    return statuses


def blocked(port, number):
    visitor = Visitor(port, number)
    status = visitor.get("/cart")
    visitor.close()
    return status == 403


SCRAPER, NAT = 5000, 6000


def test_a_scraper_is_found_within_20_requests_and_blocked_at_all_gates(world):
    assert set(scrape(world.gates[0].port, SCRAPER, 20)) <= {200, 403}
    wait_for(lambda: world.alerts("client-ids"), "an alert", PATIENCE)
    alert = world.alerts("client-ids")[0]
    assert alert["template"] == "/orders/{int}" and alert["client"] == address(SCRAPER).rsplit(".", 1)[0] + ".0/24"
    assert "different values at /orders/{int} in 10 min" in alert["explanation"]
    for gate in world.gates:
        wait_for(lambda gate=gate: blocked(gate.port, SCRAPER), "the gate to block the client", PATIENCE)
        assert not blocked(gate.port, 7), "another client is served"
    shown = guard(world.state, "clients", "shop")
    assert alert["client"] in shown and "orders" in shown
    # The gate's own alert names what it blocked for.
    wait_for(lambda: world.alerts("client-verdict"), "the gate's alert", PATIENCE)
    assert world.alerts("client-verdict")[0]["action"] == "block"

    # It survives guardd, and is lifted by people.
    world.daemon.kill()
    assert blocked(world.gates[0].port, SCRAPER)
    world.daemon.start()
    wait_for(lambda: world.counted()["verdicts"], "the verdict to be there again", PATIENCE)
    assert blocked(world.gates[1].port, SCRAPER)
    guard(world.state, "clients", "lift", "shop", address(SCRAPER), "--reason", "our own index")
    for gate in world.gates:
        wait_for(lambda gate=gate: not blocked(gate.port, SCRAPER), "the client to be served", PATIENCE)
    assert "clients lift" in (world.state / "audit.jsonl").read_text()


def test_many_users_behind_one_address_are_served(world):
    for user in range(40):
        assert set(visit(world.gates[user % 2].port, NAT, 1 + user % 3, base=900000 + 10 * user)) == {200}
    scrape(world.gates[0].port, SCRAPER, 60)
    wait_for(lambda: blocked(world.gates[0].port, SCRAPER), "guardd to be past them", PATIENCE)
    assert not blocked(world.gates[0].port, NAT)
    assert [v["client"] for v in world.counted()["verdicts"]] == [address(SCRAPER).rsplit(".", 1)[0] + ".0/24"]


def test_bypass_and_mode_let_the_client_pass(world):
    gate = world.gates[0]
    scrape(gate.port, SCRAPER, 60)
    wait_for(lambda: blocked(gate.port, SCRAPER), "the client to be blocked", PATIENCE)
    guard(world.state, "bypass", "shop", "--for", "10m", "--reason", "test")
    wait_for(lambda: not blocked(gate.port, SCRAPER), "the bypass", PATIENCE)
    guard(world.state, "bypass", "shop", "--end")
    wait_for(lambda: blocked(gate.port, SCRAPER), "its end", PATIENCE)
    # Nobody is blocked any more once the Guardian only wants to be told.
    world.guardian(client="alert")
    wait_for(lambda: not blocked(gate.port, SCRAPER), "the verdict to end", PATIENCE)
    before = len(world.alerts("client-ids"))
    scrape(gate.port, SCRAPER + 1, 60)
    wait_for(lambda: len(world.alerts("client-ids")) > before, "an alert on another one", PATIENCE)
    assert not blocked(gate.port, SCRAPER + 1)


def test_a_table_that_is_no_table_changes_nothing(world):
    gate = world.gates[0]
    scrape(gate.port, SCRAPER, 60)
    wait_for(lambda: blocked(gate.port, SCRAPER), "the client to be blocked", PATIENCE)
    world.daemon.stop()
    path = world.state / "verdicts" / "shop.table"
    good = path.read_bytes()
    def said(what):
        return gate.log_text().count(what)

    new = path.with_suffix(".new")
    for bad in (b"", b"x" * 500, good[:-1], good[:200] + bytes([good[200] ^ 1]) + good[201:], good + good):
        refused, again = said("verdicts on clients refused"), said("verdicts on clients hold again")
        new.write_bytes(bad)
        new.rename(path)
        wait_for(lambda n=refused: said("verdicts on clients refused") > n, "the refusal", PATIENCE)
        assert blocked(gate.port, SCRAPER) and not blocked(gate.port, 7)
        new.write_bytes(good)
        new.rename(path)
        wait_for(lambda n=again: said("verdicts on clients hold again") > n, "the good one to be taken", PATIENCE)
    assert blocked(gate.port, SCRAPER)
