# SPDX-License-Identifier: Apache-2.0
"""What the root learns of its agents' traffic beside piles, and what it does with it at all gates."""

import json
import pathlib
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from trees import agent_options, ask, gate_of, root_options, tree  # noqa: E402, F401
from test_clients import SCRAPER, World, address, blocked, scrape  # noqa: E402
from test_guardd import Client, drive, guard  # noqa: E402
from traffic import Shop  # noqa: E402
from waiting import wait_for  # noqa: E402

ATTACK = "/users?username=tom%27%20or%20%27a%27=%27a"


def alerts_of(node):
    path = node.state / "alerts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def told_all(agent, service="shop"):
    """The parent has answered for all that stands in the agent's log, and the agent has noted that."""
    with sqlite3.connect(agent.state / "guard.db", isolation_level=None) as database:
        found = database.execute("SELECT value FROM note WHERE kind = 'alerts' AND name = ?", (service,)).fetchone()
    log = (agent.state / "alerts.jsonl").stat()
    inode, _, offset = found[0].decode().split("-") if found else ("0", "0", "0")
    return (int(inode, 16), int(offset, 16)) == (log.st_ino, log.st_size)


def count(alerts):
    return sum(line["count"] + line["suppressed"] for line in alerts if line["findings"] and line["findings"][0]["name"] == "username")


def test_alerts_of_agents_are_told_at_the_root_once_and_with_their_counts(tree, nginx, fast_upstream):
    root = tree("root", root_options())
    agents = [tree(f"agent{i}", agent_options(root)) for i in (1, 2)]
    gates = [gate_of(nginx, agent, fast_upstream) for agent in agents]
    for number, gate in enumerate(gates):
        drive(gate.port, Shop(970 + number).many(900))
    wait_for(lambda: root.service().get("ready"), "readiness")
    guard(root.state, "mode", "block", "--service", "shop")
    attack = Shop(972).exchange("GET", ATTACK)
    for gate in gates:
        wait_for(lambda: drive(gate.port, [attack]) == [403], "the gate to block")
    first = wait_for(lambda: [line for line in alerts_of(root) if line["action"] == "block"], "the alert at the root")
    assert first[0]["agent"].startswith("uid:") and first[0]["service"] == "shop"
    assert ask(root, "GET", f"/alerts/{first[0]['id']}").json()["id"] == first[0]["id"]
    for agent in agents:  # a kill between a line and the answer would have it told again
        wait_for(lambda: told_all(agent), "the root to have answered for all")
    root.kill()
    drive(gates[0].port, [attack] * 30)  # told when it is back
    root.start()
    for agent in agents:
        assert agent.stop() == 0  # ends the windows, and tells
    assert root.stop() == 0
    told = sum(count(alerts_of(agent)) for agent in agents)
    # A kill of the root loses what it had folded in memory; nothing is told twice.
    assert told >= 30 and told - 5 <= count(alerts_of(root)) <= told, (told, alerts_of(root))
    assert root.status()["alerts"]["hostile"] == 0


def test_revisions_that_agents_see_are_the_roots(tree, nginx, fast_upstream):
    root = tree("root", root_options())
    agent = tree("agent", agent_options(root))
    gate = gate_of(nginx, agent, fast_upstream)
    gate.reload(gate.http.replace("guard shop;", "guard shop; guard_revision v1;"))
    drive(gate.port, Shop(973).many(50))
    wait_for(lambda: root.service().get("revision", {}).get("text") == "v1", "the first revision")
    gate.reload(gate.http.replace("guard_revision v1;", "guard_revision v2;"))
    drive(gate.port, Shop(974).many(50))
    revision = wait_for(lambda: root.service()["revision"] if root.service()["revision"]["text"] == "v2" else None, "the second")
    assert revision["new_until_ms"] > revision["seen_ms"]


def test_hostile_summaries_do_nothing(tree):
    root = tree("root", root_options())
    ask(root, "GET", "/services/shop/key")

    def send(document, *options):
        text = document if isinstance(document, bytes) else json.dumps(document).encode()
        return ask(root, "POST", "/services/shop/summary", "-H", "Content-Type: application/json", "--data-binary", "@-", *options, data=text)
    for bad in (b"", b"[]", b"{", b"\xff\xfe", b"null", b"[" * 1000):
        assert send(bad).status == 422, bad
    # Answered before it is sent: who sends it all the same may find the connection closed before the answer is read.
    assert send(b'{"a":"' + b"x" * (300 << 10) + b'"}', "-H", "Expect: 100-continue").status == 413
    odd = {"node": 5, "revisions": {"a": 1}, "novel": [1, None, {"elements": "x"}, {"elements": ["zz", "00" * 8], "address": "0" * 99}],
           "breaker": [], "clients": [{"code": "0"}, {"code": "f" * 40, "until_ms": "x"}, 7], "alerts": {"lines": [1, {}, {"service": "other"}]},
           "gates": [1, None, {}, {"pod": "x"}, {"pod": "0" * 16, "by": "1" * 16, "obeys": "2" * 16, "uid": "a/b\u0007" * 20},
                     {"pod": "0" * 16, "by": "1" * 16, "obeys": "2" * 16, "uid": "", "ago_ms": 9 << 50}]}
    assert send(odd).status == 200
    for member, value in odd.items():
        assert send({member: value}).status == 200
    far = [{"client": f"10.0.{i}.0/24", "code": f"{i + 1:x}", "rule": "client-rate", "until_ms": 9 << 50, "why": "w" * 500} for i in range(200)]
    assert send({"clients": far, "revisions": ["\x1b[31m", "a" * 100, "ok"] * 20, "breaker": {"generation": 1, "in_force": {"seen": 1 << 40}}}).status == 200
    gates = [{"pod": f"{i:016x}", "by": "1" * 16, "obeys": "0" * 16, "uid": "u1", "attested": True, "ago_ms": -1} for i in range(600)]
    metrics = ask(root, "GET", "/metrics").body.decode()
    assert 'guard_pod_gate_claims_total{outcome="taken"} 0\n' in metrics  # none of the odd ones
    assert send({"gates": gates}).status == 200
    assert 'guard_pod_gate_claims_total{outcome="taken"} 512\n' in ask(root, "GET", "/metrics").body.decode()
    assert ask(root, "GET", "/services/shop/clients").json()["verdicts"] == []  # the mode isn't block
    assert root.process.poll() is None and not alerts_of(root)
    wait_for(lambda: root.status()["alerts"]["hostile"] >= 6, "the count of what was refused")
    assert root.status()["alerts"]["hostile"] == 6


def test_a_client_that_one_agent_finds_is_blocked_at_the_gates_of_all(tree, nginx, fast_upstream):
    root = tree("root", root_options())
    agents = [tree(f"agent{i}", agent_options(root)) for i in (1, 2)]
    world = World(root, [gate_of(nginx, agent, fast_upstream) for agent in agents])
    world.learn()
    for agent in agents:
        wait_for(lambda: agent.service()["generation"] == root.service()["generation"], "the policy")
    scrape(world.gates[0].port, SCRAPER, 40)
    wait_for(lambda: world.alerts("client-ids"), "an alert at the root")
    for gate in world.gates:
        wait_for(lambda: blocked(gate.port, SCRAPER), "the gate to block the client")
        assert not blocked(gate.port, 7), "another client is served"
    client = world.alerts("client-ids")[0]["client"]
    assert [verdict["client"] for verdict in world.counted()["verdicts"]] == [client]
    tables = [(node.state / "verdicts" / "shop.table").read_bytes for node in (root, *agents)]
    wait_for(lambda: len({read() for read in tables}) == 1, "the root's table everywhere")  # it may just have written a newer one
    # People lift it at the root, and an agent that still finds it can't bring it back.
    guard(root.state, "clients", "lift", "shop", address(SCRAPER), "--reason", "our own index")
    for gate in world.gates:
        wait_for(lambda: not blocked(gate.port, SCRAPER), "the client to be served")


def test_a_release_that_clients_of_two_agents_begin_is_let_in_at_both(tree, nginx, fast_upstream):
    """Nobody declared it. Each agent sees fewer clients than make a release, the root sees all of them."""
    root = tree("root", root_options())
    agents = [tree(f"agent{i}", agent_options(root)) for i in (1, 2)]
    gates = [gate_of(nginx, agent, fast_upstream) for agent in agents]
    (root.state / "guardians" / "shop.yaml").write_text(
        "apiVersion: guard/v1alpha1\nkind: Guardian\nservice: shop\ncontrol: {mode: alert, falseAlarmBudget: 0.01}\n")
    shop = Shop(976)
    for gate in gates:
        drive(gate.port, shop.many(1200), clients=40)
    wait_for(lambda: root.service().get("ready"), "readiness")
    guard(root.state, "mode", "block", "--service", "shop")
    fresh = "/users?username=tom&coupon=summer26"

    def send(gate, number):
        client = Client(gate.port, f"127.0.{number + 1}.1")
        try:
            return client.send(shop.exchange("GET", fresh))
        finally:
            client.close()
    for gate in gates:
        wait_for(lambda: send(gate, 0) == 403, "what is new to be blocked")
    # Whoever asks all the time is one of them, however much of it there is between two reports.
    for _ in range(100):
        for gate in gates:
            send(gate, 0)
    for number in range(6):
        send(gates[0], 1 + number)
        send(gates[1], 20 + number)
    wait_for(lambda: root.service()["releases"]["let_in"] > 0, "the release to be found")
    for gate in gates:
        wait_for(lambda: send(gate, 30) == 200, "it to be let in")

    # It was in an answer that the root gave, so a kill of the root and a restart of an agent change nothing.
    before = root.service()["generation"]
    root.kill()
    assert agents[0].stop() == 0
    root.start()
    agents[0].start()
    wait_for(lambda: root.service()["generation"] > before, "a generation of the root that is back")
    for agent in agents:
        wait_for(lambda: agent.service()["generation"] == root.service()["generation"], "the policy")
    for gate in gates:
        wait_for(lambda: send(gate, 31) == 200, "it to be let in still")
        assert [send(gate, 31) for _ in range(4)] == [200] * 4
    assert root.service()["releases"]["let_in"] == 1
