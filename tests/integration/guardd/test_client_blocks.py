# SPDX-License-Identifier: Apache-2.0
"""A person blocks one client for a while: every gate does it within seconds, and to nobody else; it ends by hand or by time."""

import json
import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from talking import Api, wait_for  # noqa: E402
from test_guardd import GATE, Guardd, Shop, drive, guard, guardd  # noqa: E402, F401
from test_clients import PATIENCE, Visitor, address  # noqa: E402

THIEF, NEIGHBOUR, OTHER = 5000, 5001, 7
PREFIX = address(THIEF).rsplit(".", 1)[0] + ".0/24"


def statuses(port, number):
    visitor = Visitor(port, number)
    status = visitor.get("/cart")
    visitor.close()
    return status


@pytest.fixture
def world(guardd, nginx, fast_upstream):  # noqa: F811
    text = GATE.replace("{state}", str(guardd.state)).replace("{back}", str(fast_upstream.port))
    gates = [nginx(text), nginx(text)]
    for gate in gates:
        drive(gate.port, Shop(7).many(40))
    wait_for(lambda: guardd.service().get("generation", 0) > 0, "a policy", PATIENCE)
    return guardd, gates, Api(guardd.state).ready()


def wait_blocked(gates, number=THIEF):
    for gate in gates:
        wait_for(lambda gate=gate: statuses(gate.port, number) == 403, "the gate to block the client", PATIENCE)
        assert statuses(gate.port, OTHER) == 200 and statuses(gate.port, NEIGHBOUR) == 200, "others are served"


def wait_served(gates, number=THIEF):
    for gate in gates:
        wait_for(lambda gate=gate: statuses(gate.port, number) == 200, "the client to be served", PATIENCE)


def audit(state):
    return [json.loads(line) for line in (state / "audit.jsonl").read_text().splitlines()]


def test_blocked_at_all_gates_then_let_go(world):
    guardd, gates, api = world
    state = guardd.state
    for gate in gates:
        assert statuses(gate.port, THIEF) == 200
    # First what it would hit: nothing is changed by asking.
    wait_for(lambda: api.put("/services/shop/blocks?dryRun=true", {"client": address(THIEF), "seconds": 600},
                             method="POST")["lately"]["requests_day"] >= 2, "the client to be counted", PATIENCE)
    dry = api.put("/services/shop/blocks?dryRun=true", {"client": address(THIEF), "seconds": 600}, method="POST")
    assert dry["client"] == PREFIX and dry["applied"] is False and dry["lately"]["known"] and dry["lately"]["clients"] >= 1
    nobody = api.put("/services/shop/blocks?dryRun=true", {"client": "198.51.100.1", "seconds": 600}, method="POST")
    assert nobody["lately"]["known"] is False and nobody["lately"]["requests"] == 0
    assert api.get("/services/shop/clients")["verdicts"] == [] and not (state / "clients/shop.lifts").exists()
    done = api.put("/services/shop/blocks", {"client": address(THIEF), "seconds": 600, "reason": "she steals"}, "X-Guard-By: ann",
                   method="POST")
    assert done["applied"] is True and done["client"] == PREFIX
    wait_blocked(gates)
    # It is told as what it is.
    verdict, = api.get("/services/shop/clients")["verdicts"]
    assert verdict["client"] == PREFIX and verdict["rule"] == "client-manual" and verdict["why"] == "blocked by hand (ann): she steals"
    assert verdict["until_ms"] - verdict["since_ms"] == 600_000
    assert 'guard_service_clients_blocked_by_hand{service="shop"} 1' in api.ask("GET", "/metrics").body.decode()
    shown = guard(state, "clients", "shop")
    assert PREFIX in shown and "blocked by hand (ann)" in shown
    wait_for(lambda: api.get("/alerts?action=block")["alerts"], "the gate's alert", PATIENCE)
    alert = api.get("/alerts?action=block")["alerts"][0]
    assert alert["client"] == address(THIEF) and "a person blocked it for a while" in alert["explanation"]
    assert alert["findings"][0]["rule"] == "client-verdict" and alert["findings"][0]["observed"] == "client-manual"
    line = audit(state)[-1]
    assert (line["action"], line["by"], line["reason"], line["after"]) == ("clients block", "ann", "she steals", f"{PREFIX} for 600 s")
    # Dead or started again, guardd changes nothing of it.
    guardd.kill()
    wait_blocked(gates)
    guardd.start()
    api.ready()
    wait_for(lambda: [v["rule"] for v in api.get("/services/shop/clients")["verdicts"]] == ["client-manual"], "the block to be there",
             PATIENCE)
    wait_blocked(gates)
    # By the mode, then by hand.
    guard(state, "mode", "observe", "--service", "shop")
    wait_served(gates)
    answer = api.ask("POST", "/services/shop/blocks", {"client": "192.0.2.1", "seconds": 60, "reason": "x"})
    assert api.problem(answer, 409)["detail"].startswith("nothing is blocked in mode observe")
    guard(state, "mode", "alert", "--service", "shop")
    wait_blocked(gates)
    ended = api.ask("DELETE", f"/services/shop/blocks?client={address(THIEF)}&reason=paid")
    assert ended.status == 200 and ended.json()["seconds"] == 0
    wait_served(gates)
    assert audit(state)[-1]["action"] == "clients unblock" and audit(state)[-1]["reason"] == "paid"
    api.problem(api.ask("DELETE", f"/services/shop/blocks?client={address(THIEF)}"), 409, "client")


def test_it_ends_by_itself_and_by_a_lift(world):
    guardd, gates, api = world
    said = guard(guardd.state, "clients", "block", "shop", address(THIEF), "--for", "20s", "--reason", "she steals")
    assert said == f"shop: {PREFIX} is blocked for 20 s\n"
    began = time.time()
    wait_blocked(gates[:1])
    guardd.kill()  # gates end it alone
    wait_served(gates)
    assert time.time() - began >= 19, "not before its time"
    guardd.start()
    api.ready()
    guard(guardd.state, "clients", "block", "shop", address(THIEF), "--reason", "again")
    wait_blocked(gates)
    guard(guardd.state, "clients", "lift", "shop", address(THIEF), "--reason", "it wasn't her")
    wait_served(gates)
    guard(guardd.state, "clients", "block", "shop", address(THIEF), "--reason", "it was")
    wait_blocked(gates)
    assert guard(guardd.state, "clients", "unblock", "shop", address(THIEF)) == f"shop: {PREFIX} isn't blocked by hand any more\n"
    wait_served(gates)


def test_never_everybody(world):
    guardd, _, api = world
    for client, seconds, reason, field in (
            ("0.0.0.0/0", 60, "x", "client"), ("::/0", 60, "x", "client"), ("0.0.0.0", 60, "x", "client"), ("10.0.0.0/8", 60, "x", "client"),
            ("192.0.2.0/23", 60, "x", "client"), ("2001:db8::/48", 60, "x", "client"), ("::ffff:0:0/96", 60, "x", "client"),
            ("", 60, "x", "client"), ("tom", 60, "x", "client"), ("subject tom", 60, "x", "client"), ("224.0.0.1", 60, "x", "client"),
            ("192.0.2.1", 0, "x", "seconds"), ("192.0.2.1", 2592001, "x", "seconds"), ("192.0.2.1", -1, "x", "seconds"),
            ("192.0.2.1", 60, "", "reason"), ("192.0.2.1", 60, "r" * 1025, "reason")):
        answer = api.ask("POST", "/services/shop/blocks", {"client": client, "seconds": seconds, "reason": reason})
        api.problem(answer, 422, field)
    api.problem(api.ask("DELETE", "/services/shop/blocks"), 400, "client")
    api.problem(api.ask("DELETE", "/services/shop/blocks?client=10.0.0.0/8"), 422, "client")
    api.problem(api.ask("POST", "/services/none/blocks", {"client": "192.0.2.1", "seconds": 60, "reason": "x"}), 404, "service")
    assert not (guardd.state / "clients/shop.lifts").exists()
    # What somebody writes by hand is held to the same.
    (guardd.state / "clients/shop.lifts").write_text(json.dumps({"blocks": [
        {"client": "0.0.0.0/0", "until_ms": int(time.time() * 1000) + 60_000, "reason": "all", "by": "eve"}]}))
    wait_for(lambda: "client-blocks-refused" in guardd.log(), "the alarm", PATIENCE)
    assert api.get("/services/shop/clients")["verdicts"] == []
