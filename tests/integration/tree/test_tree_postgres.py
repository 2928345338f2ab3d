# SPDX-License-Identifier: Apache-2.0
"""A root that is several guardds over one PostgreSQL: each takes in what agents send, one learns, and what any of them said it has is
there, once, whoever is killed and whatever becomes of the database."""

import json
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from shared_roots import agent_of, learner_of, postgres, role, roots, server, wait_learned  # noqa: E402, F401
from test_tree_trust import front, problem, token  # noqa: E402
from trees import ask, environment, gate_of, key_of, offline_pile, send_pile, served, tree  # noqa: E402, F401
from harness import BIN  # noqa: E402
from test_clients import CROWD, SCRAPER, World, address, blocked, scrape, visit  # noqa: E402
from test_guardd import drive, guard, load  # noqa: E402
from traffic import Shop  # noqa: E402
from waiting import wait_for  # noqa: E402


def follower_of(nodes):
    learner = learner_of(nodes)
    return learner, next(node for node in nodes if node is not learner)


def test_any_of_them_takes_deltas_and_one_learns_them(roots, tmp_path, postgres):  # noqa: F811
    nodes = [roots("a"), roots("b")]
    key = key_of(nodes[0])
    assert key_of(nodes[1]) == key
    learner, follower = follower_of(nodes)
    shop = Shop(700, start=time.time() - 3600)
    first = offline_pile(tmp_path / "1", key, shop.many(50))
    second = offline_pile(tmp_path / "2", key, shop.many(50), "00000000000000aa:7:51")
    third = offline_pile(tmp_path / "3", key, shop.many(50), "00000000000000aa:7:101")
    assert send_pile(follower, first).json()["outcome"] == "added"
    follower.kill()  # at once: what was acknowledged is the database's
    wait_learned(postgres, nodes, 50)
    follower.start()
    # Each goes to another one than the one before, and to both, as one whose answer was lost does.
    assert send_pile(learner, second).json()["outcome"] == "added"
    assert send_pile(follower, second).status == 200
    assert send_pile(follower, third).status == 200
    assert send_pile(learner, first).json()["outcome"] == "contained"
    wait_learned(postgres, nodes, 150)
    learner.kill()  # what it had merged, and not saved in a pile yet
    wait_for(lambda: role(follower) == "learner", "the other one to learn")
    wait_learned(postgres, [follower], 150)
    learner.start()
    for pile in (third, first, second):
        assert send_pile(learner, pile).status == 200
        assert send_pile(follower, pile).status == 200
    time.sleep(3)  # nothing shall happen
    wait_learned(postgres, nodes, 150)
    assert "feed-refused" not in learner.log() + follower.log()


def wait_policies(agents):
    for agent in agents:
        wait_for(lambda: agent.service()["generation"] > 0, "a policy")


def hurt(rnd, nodes, database):
    """One of them is killed or stopped for a while, or the database is."""
    choice = rnd.random()
    if choice < 0.2:
        database.stop(rnd.choice([signal.SIGINT, signal.SIGQUIT, signal.SIGKILL]))
        time.sleep(rnd.uniform(0.1, 2))
        database.start()
        return
    node = rnd.choice(nodes)
    if choice < 0.4:
        node.process.send_signal(signal.SIGSTOP)
        time.sleep(rnd.uniform(0.1, 3))
        node.process.send_signal(signal.SIGCONT)
    else:
        node.kill()
        time.sleep(rnd.choice([0, 0, rnd.uniform(0.1, 2)]))
        node.start()


def test_kills_of_roots_agents_and_database_lose_and_double_nothing(roots, tree, nginx, fast_upstream, postgres):  # noqa: F811
    """GUARD_KILLS and GUARD_EXCHANGES make it as long as one likes."""
    kills = environment("GUARD_KILLS", 12)
    total = environment("GUARD_EXCHANGES", 16000) // 16 * 16
    seed = random.randrange(1 << 32)
    rnd = random.Random(seed)
    print(f"seed {seed}")
    nodes = [roots("a"), roots("b")]
    agents = [tree(f"agent{i}", agent_of(roots)) for i in (1, 2)]
    gates = [gate_of(nginx, agent, fast_upstream) for agent in agents]
    for gate in gates:  # the service's key is known
        drive(gate.port, Shop(701).many(16))
    wait_policies(agents)
    failures = []
    threads = [thread for gate in gates for thread in load(gate.port, total // 2, failures)]
    for _ in range(kills):
        time.sleep(rnd.uniform(0.05, 0.8))
        hurt(rnd, [*nodes, *nodes, *agents], postgres)
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    count = served(*gates)
    assert count == total + 32
    wait_learned(postgres, nodes, count)
    for node in [*nodes, *agents]:
        node.kill()  # what isn't saved yet is sent, or read from feeds, again
    for node in [*nodes, *agents]:
        node.start()
    wait_learned(postgres, nodes, count)
    for agent in agents:
        assert agent.stop() == 0
        assert agent.piles() == [] and not list((agent.state / "spool" / "refused").iterdir()), agent.log()
    wait_learned(postgres, nodes, count)
    logs = "".join(node.log() for node in nodes)
    assert not re.search("feed-refused|records-lost|delta-lost|pile-damaged", logs), f"seed {seed}"
    for agent in agents:
        assert not agent.events("policy-refused"), agent.log()


def test_what_one_is_told_the_others_know(roots, postgres):  # noqa: F811
    """Revisions, which no pile holds: the learner publishes for one that only the other one was told of."""
    nodes = [roots("a"), roots("b")]
    key_of(nodes[0])
    learner, follower = follower_of(nodes)
    wait_for(lambda: learner.service()["generation"] > 0, "a policy")
    answer = ask(follower, "POST", "/services/shop/summary", "-H", "Content-Type: application/json", "--data-binary", "@-",
                 data=b'{"revisions": ["r-77"]}')
    assert answer.status == 200, answer.body
    wait_for(lambda: any("r-77" in str(event) for event in learner.events("revision-found")), "the learner to know of it")
    assert len(follower.events("revision-found")) == 1
    newest = wait_for(lambda: learner.service()["generation"], "a generation")
    wait_for(lambda: follower.service()["generation"] >= newest, "the policy at the other one")


def test_an_identity_that_was_stolen_is_held_off_by_all_of_them(roots, tmp_path):
    nodes = [roots("a", "--api-front", "on"), roots("b", "--api-front", "on")]
    key = key_of(nodes[0])
    shop = Shop(702, start=time.time() - 3600)
    secrets = {}
    for node in nodes:
        for name in ("one", "two"):
            secrets[node, name] = token(node, name, "--service", "*")
    pile = offline_pile(tmp_path / "a", key, shop.many(30))
    later = offline_pile(tmp_path / "b", key, shop.many(30), "00000000000000aa:7:31")
    wait_for(lambda: front(nodes[0], secrets[nodes[0], "one"], pile).status == 200, "the token to be known")
    wait_for(lambda: front(nodes[1], secrets[nodes[1], "two"], later).status != 401, "the token to be known")
    assert "another reporter" in problem(front(nodes[1], secrets[nodes[1], "two"], later), 422, "bad-pile")
    assert front(nodes[1], secrets[nodes[1], "one"], later).json()["outcome"] == "added"


def test_agents_and_aggregators_need_a_store_of_their_own(postgres, tmp_path):  # noqa: F811
    for number, what in enumerate(("agent", "aggregator")):
        done = subprocess.run([BIN / "guardd", "--state", tmp_path / str(number), "--role", what, "--parent", "unix:/nowhere", "--store",
                               postgres.url], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert f"--role {what} needs a store of its own" in done.stderr or "--policy-key" in done.stderr, done.stderr


def test_a_client_that_one_agent_finds_is_blocked_at_all_whichever_root_was_told(roots, tree, nginx, fast_upstream, postgres):  # noqa: F811
    nodes = [roots("a"), roots("b")]
    learner, follower = follower_of_new(nodes)
    agents = [tree(f"agent{i}", agent_of(roots)) for i in (1, 2)]
    world = World(learner, [gate_of(nginx, agent, fast_upstream) for agent in agents])
    world.guardian()
    world.crowd(40)
    wait_for(lambda: learner.service().get("endpoint_count", 0) >= 3, "the endpoints to be learned")
    known = learner.service()["generation"]
    visit(world.gates[0].port, 1, 2)
    wait_for(lambda: learner.service()["generation"] > known, "a policy that knows them")
    for agent in agents:  # which takes longer by way of the other root
        wait_for(lambda: agent.service()["generation"] > known, "that policy at the agent")
    world.crowd()
    wait_for(lambda: learner.service()["exchanges"] >= 4 * (40 + CROWD), "the crowd to be counted")
    scrape(world.gates[0].port, SCRAPER, 40)
    for node in nodes:
        wait_for(lambda: clients_of(node), f"the verdict at {node.state.name}")
    for gate in world.gates:
        wait_for(lambda: blocked(gate.port, SCRAPER), "the gate to block the client")
        assert not blocked(gate.port, 7), "another client is served"
    assert clients_of(learner) == clients_of(follower)
    # Lifted at the one that doesn't learn, it is lifted at all, and no agent brings it back.
    guard(follower.state, "clients", "lift", "shop", address(SCRAPER), "--reason", "our own index")
    for gate in world.gates:
        wait_for(lambda: not blocked(gate.port, SCRAPER), "the client to be served")
    for node in nodes:
        wait_for(lambda: not clients_of(node), f"the verdict to be gone at {node.state.name}")


def clients_of(node):
    path = node.state / "clients" / "shop.json"
    return [verdict["client"] for verdict in json.loads(path.read_text())["verdicts"]] if path.exists() else []


def follower_of_new(nodes):
    key_of(nodes[0])
    return follower_of(nodes)


def test_what_roots_tell_each_other_of_a_client_is_forgotten(roots, postgres):  # noqa: F811
    nodes = [roots("a"), roots("b")]
    learner, follower = follower_of_new(nodes)

    def tell(service):
        document = {"clients": [{"client": "192.0.2.0/24", "code": "0123456789abcdef", "until_ms": 1, "rule": "client-ids", "why": "x"}]}
        answer = ask(follower, "POST", f"/services/{service}/summary", "-H", "Content-Type: application/json", "--data-binary", "@-",
                     data=json.dumps(document).encode())
        assert answer.status == 200, answer.body

    def told(service):
        return int(postgres.query(f"SELECT count(*) FROM guard.told WHERE service = '{service}'")[0][0])
    for service in ("shop", "cart"):
        key_of(follower, service)
        tell(service)
        wait_for(lambda: told(service) > 0, "the summary to be kept for the other root")
    wait_for(lambda: (follower.state / "piles" / "shop.pile").exists() or (follower.state / "policies" / "shop.policy").exists(), "shop to be known")
    for action in ("--dry-run", "--reason=asked to"):
        guard(follower.state, "forget", "--client", "192.0.2.9", "--service", "shop", action)
        assert (told("shop") > 0) == (action == "--dry-run") and told("cart") > 0
