# SPDX-License-Identifier: Apache-2.0
"""Traffic over time: each exchange is counted once, whatever is killed and however far up it goes."""

import json
import pathlib
import random
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from shared_roots import postgres, server  # noqa: E402, F401
from test_tree_aggregator import aggregator_options  # noqa: E402
from trees import agent_options, ask, gate_of, root_options, served, tree  # noqa: E402, F401
from test_guardd import drive, guard, load  # noqa: E402
from traffic import Shop  # noqa: E402
from waiting import wait_for  # noqa: E402

HOUR = 3600
ATTACK = "/users?username=tom%27%20or%20%27a%27=%27a"


def points(node, query=""):
    answer = ask(node, "GET", f"/services/shop/history{query}")
    assert answer.status == 200, answer.body
    return answer.json()["points"]


def total(node, query=""):
    return sum(point["pass"] + point["alert"] + point["block"] for point in points(node, query))


def wait_history(node, count):
    wait_for(lambda: ask(node, "GET", "/services/shop/history").status == 200 and total(node) >= count, f"{count} exchanges over time")
    assert total(node) == count


def test_what_was_done_is_told_by_time_and_survives_kills(tree, nginx, fast_upstream):
    guardd = tree("alone", [])
    gate = gate_of(nginx, guardd, fast_upstream)
    failures = []
    threads = load(gate.port, 2000, failures)
    for pause in (0.3, 0.6):
        time.sleep(pause)
        guardd.kill()
        guardd.start()
    for thread in threads:
        thread.join()
    assert not failures
    wait_history(guardd, served(gate))
    point = points(guardd, "?step=86400")[-1]
    assert point["responses"]["2xx"] > 0 and point["timed"] > 0 and 0 < point["p50_s"] <= point["p95_s"] <= point["p99_s"] <= 10
    hours = ask(guardd, "GET", "/services").json()["services"][0]["hours"]
    assert len(hours) == 24 and sum(hours) == served(gate) and sum(hours[-2:]) == sum(hours)
    # Learning may be paused, and what is blocked isn't learned: traffic it was all the same.
    guard(guardd.state, "learning", "paused", "--service", "shop")
    wait_for(lambda: guardd.service().get("learn") == "paused", "the pause")
    drive(gate.port, Shop(7).many(40))
    wait_history(guardd, served(gate))
    assert sum(ask(guardd, "GET", "/services").json()["services"][0]["hours"]) == served(gate)
    for query in ("?step=61", "?step=0", "?step=60&since=1", "?since=x", "?until=5", "?since=99999999999999", "?limit=5"):
        assert ask(guardd, "GET", f"/services/shop/history{query}").status == 400, query
    assert ask(guardd, "GET", "/services/none/history").status == 404


def test_minutes_become_hours_and_hours_end(tree):
    """The clock isn't ours to turn: rows of other days are put into the store instead."""
    guardd = tree("alone", [])
    (guardd.state / "guardians" / "shop.yaml").write_text("apiVersion: guard/v1alpha1\nkind: Guardian\nservice: shop\n")
    wait_for(lambda: ask(guardd, "GET", "/services/shop").status == 200, "the service")
    assert guardd.stop() == 0
    hour = int(time.time()) // HOUR * HOUR
    counts = bytes([1, 5] + [0] * 22)
    ages = {"day": hour - 25 * HOUR, "kept": hour - 80 * 24 * HOUR, "gone": hour - 91 * 24 * HOUR, "young": hour - 2 * HOUR}
    with sqlite3.connect(guardd.state / "guard.db", isolation_level=None) as database:
        for at in (ages["day"] + 60, ages["day"] + 120, ages["day"], ages["kept"], ages["gone"], ages["young"] + 60, ages["young"] + 120):
            database.execute("INSERT INTO history VALUES ('shop', '', ?, ?)", (at, counts))
        database.execute("INSERT INTO history VALUES ('shop', '', ?, ?)", (ages["young"] + 180, b"\x02?"))
        guardd.start()

        def rows():
            return [at for at, in database.execute("SELECT at FROM history WHERE node = '' ORDER BY at")]
        wait_for(lambda: ages["gone"] not in rows() and ages["day"] + 60 not in rows(), "what is old to be dropped")
        assert rows() == [ages["kept"], ages["day"], *(ages["young"] + 60 * i for i in (1, 2, 3))]
    database.close()
    assert total(guardd, f"?since={ages['gone'] * 1000}") == 5 * 6
    assert total(guardd) == 10
    point = points(guardd, f"?since={ages['day'] * 1000}&until={(ages['day'] + HOUR - 1) * 1000}&step=3600")
    assert [(one["at_ms"], one["pass"], one["p50_s"]) for one in point] == [(ages["day"] * 1000, 15, None)]


def test_it_goes_up_by_way_of_an_aggregator_once(tree, nginx, fast_upstream):
    seed = random.randrange(1 << 32)
    rnd = random.Random(seed)
    print(f"seed {seed}")
    root = tree("root", root_options())
    middle = tree("middle", aggregator_options(root))
    agents = [tree(f"agent{i}", agent_options(middle, root=root)) for i in (1, 2)]
    gates = [gate_of(nginx, agent, fast_upstream) for agent in agents]
    for gate, agent in zip(gates, agents):
        drive(gate.port, Shop(980).many(16))
        wait_for(lambda: agent.service()["generation"] > 0, "a policy by way of the aggregator")
    failures = []
    threads = [thread for gate in gates for thread in load(gate.port, 2000, failures)]
    for node in (middle, root, agents[0], middle, root, agents[1]):
        time.sleep(rnd.uniform(0.05, 0.8))
        node.kill()
        node.start()
    for thread in threads:
        thread.join()
    assert not failures
    count = served(*gates)
    wait_history(root, count)
    for node in (root, middle, *agents):
        node.kill()
    for node in (root, middle, *agents):
        node.start()
    # An agent that ends leaves nothing behind.
    drive(gates[0].port, Shop(981).many(16))
    wait_history(agents[0], served(gates[0]))
    assert agents[0].stop() == 0
    wait_history(root, count + 16)
    assert total(middle) == count + 16
    wait_history(agents[1], served(gates[1]))  # it may still be reading what it hadn't saved


def test_roots_of_one_database_count_a_batch_once(tree, nginx, fast_upstream, postgres, tmp_path):
    roots = [tree(f"root{i}", [*root_options(), "--store", postgres.url]) for i in (1, 2)]
    (roots[1].state / "keys" / "policy.key").write_bytes((roots[0].state / "keys" / "policy.key").read_bytes())
    wait_for(lambda: ask(roots[0], "GET", "/services/shop/key").status == 200, "the key")
    wait_for(lambda: ask(roots[1], "GET", "/services/shop/key").status == 200, "the key at the other one")
    minute = int(time.time()) // 60 * 60
    batch = {"node": "0123456789abcdef", "history": {"number": 7, "bins": [[minute, 3, *[0] * 22], [minute - 60, 2, *[0] * 22]]}}

    def tell(root, document):
        return ask(root, "POST", "/services/shop/summary", "-H", "Content-Type: application/json", "--data-binary", "@-",
                   data=json.dumps(document).encode()).status
    for root in (*roots, *roots):
        assert tell(root, batch) == 200
    for root in roots:
        assert total(root) == 5
        wait_for(lambda: sum(ask(root, "GET", "/services").json()["services"][0]["hours"]) == 5, "the hours of both")
    batch["history"]["number"] = 8
    assert tell(roots[1], batch) == 200 and total(roots[0]) == 10
    batch["node"] = "fedcba9876543210"  # another source has numbers of its own
    assert tell(roots[0], batch) == 200 and total(roots[1]) == 15


def test_hostile_histories_change_nothing(tree):
    root = tree("root", root_options())
    ask(root, "GET", "/services/shop/key")
    minute = int(time.time()) // 60 * 60
    zeros = [0] * 22

    def tell(history, node="0123456789abcdef"):
        return ask(root, "POST", "/services/shop/summary", "-H", "Content-Type: application/json", "--data-binary", "@-",
                   data=json.dumps({"node": node, "history": history}).encode())
    for bad in ("x", [], {}, {"number": 1}, {"number": -1, "bins": []}, {"number": 1, "bins": 5}, {"number": 1, "bins": [5]},
                {"number": 1, "bins": [[]]}, {"number": 1, "bins": [[minute, 1]]}, {"number": 1, "bins": [[minute + 1, 1, *zeros]]},
                {"number": 1, "bins": [[minute, 1, *zeros, 1]]}, {"number": 1, "bins": [[minute, -1, *zeros]]},
                {"number": 1, "bins": [[minute, 1 << 60, *zeros]]}, {"number": 1, "bins": [[minute, {}, *zeros]]},
                {"number": 1, "bins": [[minute, 1, *zeros]] * 65}):
        answer = tell(bad)
        assert answer.status == 422 and "history" in answer.json()["detail"], (bad, answer.body)
    assert tell({"number": 1, "bins": []}, node="x" * 17).status == 422
    # Of no time that is kept: the rest of the batch counts.
    assert tell({"number": 2, "bins": [[minute + 86400, 1, *zeros], [60, 1, *zeros], [minute, 1, *zeros]]}).status == 200
    assert total(root, f"?since={(minute - 89 * 86400) * 1000}") == 1
    assert root.process.poll() is None
