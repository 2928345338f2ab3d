# SPDX-License-Identifier: Apache-2.0
"""A root, its agents and their gates: what goes up and what comes down."""

import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from trees import agent_options, gate_of, key_of, offline_pile, root_options, served, tool, tree  # noqa: E402, F401
from harness import BIN  # noqa: E402
from test_guardd import drive, guard, wait_in_force  # noqa: E402
from traffic import Shop  # noqa: E402
from talking import Api  # noqa: E402
from waiting import settle, wait_for  # noqa: E402


def test_two_agents_teach_one_root_whose_policy_their_gates_follow(tree, nginx, fast_upstream):
    root = tree("root", root_options())
    agents = [tree(f"agent{i}", agent_options(root)) for i in (1, 2)]
    gates = [gate_of(nginx, agent, fast_upstream) for agent in agents]
    shops = [Shop(900 + i) for i in range(2)]
    for gate, shop in zip(gates, shops):
        assert set(drive(gate.port, shop.many(900))) == {200}
    root.wait_exchanges(1800)
    wait_for(lambda: root.service().get("ready"), "readiness")
    guard(root.state, "mode", "block", "--service", "shop")
    attack = shops[0].exchange("GET", "/users?username=tom%20or%201=1")
    for gate, shop in zip(gates, shops):
        wait_for(lambda: drive(gate.port, [attack]) == [403], "both gates to block")
        assert set(drive(gate.port, shop.many(100))) == {200}
    for agent in agents:
        wait_for(lambda: agent.parent["state"] == "there" and agent.service()["generation"] > 0, "the agent to say so")
        assert agent.status()["role"] == "agent"
        assert not (agent.state / "keys" / "policy.key").exists()
    wait_for(lambda: root.service()["exchanges"] >= served(*gates) - 20, "the rest")


def test_an_agent_makes_the_database_of_the_policies_that_come_down(tree, nginx, fast_upstream):
    root = tree("root", root_options())
    agent = tree("agent", agent_options(root))
    gate = gate_of(nginx, agent, fast_upstream)
    drive(gate.port, Shop(930).many(10))
    root.wait_exchanges(10)
    (root.state / "guardians").mkdir(exist_ok=True)
    (root.state / "guardians" / "shop.yaml").write_text(
        'service: shop\ncontrol: {mode: alert}\npatches:\n- {id: a, mode: enforce, when: {in: query, contains: "ex ploit"}}\n')
    attack = Shop(930).exchange("GET", "/users?username=ex%20ploit")
    wait_for(lambda: drive(gate.port, [attack]) == [403], "the agent's gate to block")
    wait_for((agent.state / "patterns" / "patterns.db").exists, "the agent's database")
    assert not (agent.state / "guardians" / "shop.yaml").exists()


def test_sigterm_flushes_what_is_open(tree, nginx, fast_upstream):
    root = tree("root", root_options())
    agent = tree("agent", agent_options(root, every="1h"))
    gate = gate_of(nginx, agent, fast_upstream)
    drive(gate.port, Shop(910).many(10))  # a service that is young reports soon
    root.wait_exchanges(10)
    drive(gate.port, Shop(911).many(321))
    settle()  # a record is written behind its answer
    assert agent.stop() == 0
    assert agent.piles() == []
    root.wait_exchanges(331)
    assert root.service()["exchanges"] == served(gate) == 331


def test_a_parent_that_is_away_for_long_gets_everything_when_it_is_back(tree, nginx, fast_upstream):
    root = tree("root", root_options())
    agent = tree("agent", agent_options(root))
    gate = gate_of(nginx, agent, fast_upstream)
    drive(gate.port, Shop(920).many(200))
    root.wait_exchanges(200)
    generation = agent.service()["generation"]
    root.kill()
    for seed in range(6):
        drive(gate.port, Shop(921 + seed).many(50))
        wait_for(lambda: len(agent.piles()) > seed, "another delta in the spool")
    wait_for(lambda: agent.parent["state"] == "away" and agent.parent["lag_ms"] > 0 and agent.parent["spool"]["files"] >= 6
             and agent.parent["spool"]["bytes"] > 0, "the agent to say so")
    text = guard(agent.state, "status")
    assert "parent" in text and "away" in text and "spool" in text, text
    assert len(agent.events("parent-away")) == 1  # said once
    assert agent.service()["generation"] >= generation  # what is in force stays
    agent.kill()  # the spool survives
    agent.start()
    root.start()
    root.wait_exchanges(500)
    wait_for(lambda: agent.parent["state"] == "there" and agent.piles() == [], "the spool to be empty")
    assert root.service()["exchanges"] == served(gate) == 500
    assert root.status()["reports"]["refused"] == 0 and agent.parent["refused"] == 0


def test_a_full_spool_merges_its_oldest_and_loses_nothing(tree, nginx, fast_upstream):
    root = tree("root", root_options())
    agent = tree("agent", agent_options(root) + ["--spool", "1M"])
    gate = gate_of(nginx, agent, fast_upstream)
    drive(gate.port, Shop(930).many(100))
    root.wait_exchanges(100)
    root.kill()
    shop = Shop(931)
    sent = 100
    # Each delta holds many names, and the same: merging makes them fewer.
    names = [shop.exchange("GET", f"/p{shop.random.randrange(1 << 30):x}?" + "&".join(
        f"n{shop.random.randrange(1 << 30):x}=1" for _ in range(6))) for _ in range(150)]
    while not agent.parent["spool"]["merged"]:
        before = agent.parent["spool"]
        drive(gate.port, names)
        sent += len(names)
        wait_for(lambda: agent.parent["spool"] != before, "another delta")
        assert agent.parent["spool"]["bytes"] <= 1 << 20
    root.start()
    root.wait_exchanges(sent)
    wait_for(lambda: agent.piles() == [], "the spool to be empty")
    assert root.service()["exchanges"] == served(gate) == sent
    wait_for(lambda: agent.parent["spool"]["files"] == 0, "the agent to say so")
    assert agent.parent["refused"] == 0 and not agent.events("not-spooled")


def recorded(gate, exchanges):
    """The exchanges as the gate saw them, from its log."""
    answer = '{"ok":true,"items":[1,2,3]}'
    settle()
    rows = [line.split() for line in (gate.prefix / "count.log").read_text().splitlines()]
    assert len(rows) == len(exchanges)
    for exchange, (msec, took, address, status, latency) in zip(exchanges, rows):
        exchange["time"] = round(float(msec) - float(took), 3)
        exchange["client"] = address
        exchange["response"] = {"status": int(status), "latency_ms": round(1000 * float(latency)), "body": answer,
                                "headers": [["content-type", "application/json"], ["content-length", str(len(answer))]]}
        body = exchange["request"].get("body", "")
        if body:
            exchange["request"]["headers"].append(["content-length", str(len(body.encode()))])
    return exchanges


def test_what_agents_teach_is_byte_by_byte_what_offline_piles_do(tree, nginx, fast_upstream, tmp_path):
    """Each agent sends one delta, when it ends. `guard learn` of the same exchanges gives the same pile, and `guard pile merge` of both the root's."""
    root = tree("root", root_options())
    piles = []
    for number in (1, 2):
        agent = tree(f"agent{number}", [*agent_options(root, every="1h"), "--follow", "shop"])
        wait_for(lambda: any(one["service"] == "shop" for one in agent.status()["services"]), "the key")
        gate = gate_of(nginx, agent, fast_upstream)
        gate.reload(gate.http.replace("log_format count '$request_id $guard_generation'",
                                      "log_format count '$msec $request_time $remote_addr $status $upstream_response_time'"))
        shop = Shop(960 + number)
        exchanges = shop.many(151)
        # A service that is young reports after some seconds: it reads all of it when it goes on, to end.
        agent.process.send_signal(signal.SIGSTOP)
        drive(gate.port, exchanges)
        settle()
        agent.process.send_signal(signal.SIGTERM)
        agent.process.send_signal(signal.SIGCONT)
        assert agent.stop() == 0
        root.wait_exchanges(151 * number)
        text = tool("pile", "show", last_pile(root))
        source = next(line.split()[1] for line in text.splitlines() if line.startswith("interval ") and line.split()[1] not in piles)
        piles.append(source)
        offline_pile(tmp_path / f"offline{number}", key_of(root), recorded(gate, exchanges), source + ":1")
    tool("pile", "merge", tmp_path / "offline1" / "offline.pile", tmp_path / "offline2" / "offline.pile", "-o", tmp_path / "both.pile")
    assert root.stop() == 0
    assert (root.state / "piles" / "shop.pile").read_bytes() == (tmp_path / "both.pile").read_bytes()


def last_pile(root):
    """The root's pile as its store has it, by way of its file: that is written at each publication and at the end."""
    root.stop()
    root.start()
    return root.state / "piles" / "shop.pile"


def test_an_agent_names_its_parent_for_what_only_that_can_do(tree, nginx, fast_upstream):
    """By its API and on its directory; what its own gates follow it does itself."""
    root = tree("root", root_options())
    agent = tree("agent", agent_options(root))
    gate = gate_of(nginx, agent, fast_upstream)
    drive(gate.port, Shop(990).many(60))
    wait_for(lambda: agent.service()["generation"] > 0, "a policy")
    api = Api(agent.state).ready()
    asked = 0
    for path, item in api.document["paths"].items():
        for method, operation in item.items():
            if operation.get("x-guard-at") != "learner":
                continue
            answer = api.ask(method.upper(), path.replace("{service}", "shop"), {"mode": "block"}, ["If-Match: *"])
            problem = api.problem(answer, 409)
            assert problem["type"] == "urn:guard:problem:done-at-the-parent" and f"unix:{root.state}/api.sock" in problem["detail"], problem
            asked += 1
    assert asked == 12
    api.put("/services/shop/bypass", {"seconds": 60, "reason": "its gates are here"})
    for words in (["mode", "block", "--service", "shop"], ["review", "accept", "0123456789ab", "--why", "x"],
                  ["rollback", "shop", "1", "--reason", "x"], ["rollback", "shop", "--end"]):
        done = subprocess.run([BIN / "guard", *words, "--state", agent.state], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1 and "its parent learns" in done.stderr and f"unix:{root.state}/api.sock" in done.stderr, (words, done)
    assert not list((agent.state / "guardians").iterdir()) + list((agent.state / "reviews").iterdir())
    assert guard(agent.state, "mode", "--service", "shop").strip() == "alert"
    assert Api(root.state).ready().ask("PUT", "/services/shop/mode", {"mode": "block"}).status == 200
