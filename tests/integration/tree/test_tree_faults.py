# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to agents and to the root, when it happens: no client notices, nothing is lost, nothing counts twice."""

import pathlib
import random
import signal
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from trees import agent_options, environment, gate_of, key_of, offline_pile, root_options, send_pile, served, tree  # noqa: E402, F401
from test_guardd import drive, load  # noqa: E402
from traffic import Shop  # noqa: E402
from waiting import wait_for  # noqa: E402


def wait_total(root, total):
    """Until the root has so many; more would stay more."""
    root.wait_exchanges(total)
    assert root.service()["exchanges"] == total


def test_kills_and_stops_at_random_times_lose_and_double_nothing(tree, nginx, fast_upstream):
    """GUARD_KILLS and GUARD_EXCHANGES make it as long as one likes."""
    kills = environment("GUARD_KILLS", 12)
    total = environment("GUARD_EXCHANGES", 16000) // 16 * 16
    seed = random.randrange(1 << 32)
    rnd = random.Random(seed)
    print(f"seed {seed}")
    root = tree("root", root_options())
    agents = [tree(f"agent{i}", agent_options(root)) for i in (1, 2)]
    gates = [gate_of(nginx, agent, fast_upstream) for agent in agents]
    nodes = [root, *agents]
    failures = []
    for gate, agent in zip(gates, agents):  # the service's key is known
        drive(gate.port, Shop(940).many(16))
        wait_for(lambda: agent.service()["generation"] > 0, "a policy")
    threads = [thread for gate in gates for thread in load(gate.port, total // 2, failures)]
    for number in range(kills):
        node = rnd.choice(nodes)
        time.sleep(rnd.uniform(0.05, 0.8))
        if rnd.random() < 0.3:
            node.process.send_signal(signal.SIGSTOP)
            time.sleep(rnd.uniform(0.1, 2))
            node.process.send_signal(signal.SIGCONT)
        else:
            node.kill()
            if rnd.random() < 0.3:
                time.sleep(rnd.uniform(0.1, 2))
            node.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    count = served(*gates)
    assert count == total + 32
    wait_total(root, count)
    for node in nodes:
        node.kill()  # what isn't saved yet is read, or sent, again
    for node in nodes:
        node.start()
    wait_total(root, count)
    for agent in agents:
        assert agent.stop() == 0
        assert agent.piles() == [] and not list((agent.state / "spool" / "refused").iterdir()), agent.log()
    wait_total(root, count)
    assert root.status()["reports"]["refused"] == 0, f"seed {seed}"


def test_nothing_is_acknowledged_before_it_is_committed(tree, tmp_path):
    """Somebody else holds the database: the root can't commit, and says so to who reports."""
    root = tree("root", root_options())
    pile = offline_pile(tmp_path / "a", key_of(root), Shop(990, start=time.time() - 3600).many(50))
    with sqlite3.connect(root.state / "guard.db", isolation_level=None) as database:
        database.execute("BEGIN IMMEDIATE")
        answer = send_pile(root, pile)
        assert answer.status == 503 and int(answer.headers["retry-after"]) > 0, answer.body
        root.kill()
        database.execute("ROLLBACK")
    database.close()
    root.start()
    wait_for(lambda: root.status()["pid"] == root.process.pid, "the new process's own status")
    assert root.service()["exchanges"] == 0
    assert send_pile(root, pile).json()["outcome"] == "added"
    root.kill()  # at once: what was acknowledged is there
    root.start()
    root.wait_exchanges(50)
    assert send_pile(root, pile).json()["outcome"] == "contained"


def test_what_cannot_be_spooled_stays_and_is_told(tree, nginx, fast_upstream):
    root = tree("root", root_options())
    agent = tree("agent", agent_options(root))
    gate = gate_of(nginx, agent, fast_upstream)
    drive(gate.port, Shop(991).many(50))
    root.wait_exchanges(50)
    place = agent.state / "spool" / "s.shop"
    wait_for(lambda: not agent.piles(), "the spool to be empty")
    place.rename(place.with_name("elsewhere"))
    drive(gate.port, Shop(992).many(50))
    wait_for(lambda: agent.events("not-spooled") and agent.parent["spool"]["failing"], "the alarm")
    agent.kill()
    place.with_name("elsewhere").rename(place)
    agent.start()
    wait_total(root, served(gate))


def test_a_root_that_lost_its_store_is_followed_and_nobody_is_silent_about_it(tree, nginx, fast_upstream):
    root = tree("root", root_options())
    agent = tree("agent", agent_options(root))
    gate = gate_of(nginx, agent, fast_upstream)
    drive(gate.port, Shop(993).many(100))
    root.wait_exchanges(100)
    generation = wait_for(lambda: agent.service()["generation"], "a policy")
    root.stop()
    for file in root.state.glob("guard.db*"):
        file.unlink()
    root.start()
    drive(gate.port, Shop(994).many(50))
    wait_for(lambda: agent.events("service-key-changed"), "the new key")
    drive(gate.port, Shop(995).many(50))
    wait_for(lambda: root.service()["exchanges"] > 0, "reports under the new key")
    wait_for(lambda: agent.service()["generation"] > generation, "policies that go on")
