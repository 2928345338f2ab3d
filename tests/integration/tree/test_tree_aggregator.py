# SPDX-License-Identifier: Apache-2.0
"""An aggregator between agents and the root: one source above, however many are below, with the same faults."""

import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from trees import agent_options, ask, gate_of, key_of, offline_pile, root_options, send_pile, served, tool, tree  # noqa: E402, F401
from test_guardd import drive, guard, load  # noqa: E402
from test_tree_faults import wait_total  # noqa: E402
from traffic import Shop  # noqa: E402
from waiting import wait_for  # noqa: E402


def aggregator_options(root):
    options = agent_options(root)
    options[1] = "aggregator"
    return options + ["--whole-piles", "*"]


def test_an_aggregator_passes_everything_on_once(tree, nginx, fast_upstream):
    seed = random.randrange(1 << 32)
    rnd = random.Random(seed)
    print(f"seed {seed}")
    root = tree("root", root_options())
    middle = tree("middle", aggregator_options(root))
    agents = [tree(f"agent{i}", agent_options(middle, root=root)) for i in (1, 2)]
    gates = [gate_of(nginx, agent, fast_upstream) for agent in agents]
    failures = []
    for gate, agent in zip(gates, agents):
        drive(gate.port, Shop(980).many(16))
        wait_for(lambda: agent.service()["generation"] > 0, "a policy by way of the aggregator")
    threads = [thread for gate in gates for thread in load(gate.port, 4000, failures)]
    for node in (middle, root, middle, agents[0], middle, root):
        time.sleep(rnd.uniform(0.05, 0.8))
        node.kill()
        node.start()
    for thread in threads:
        thread.join()
    assert not failures
    count = served(*gates)
    wait_total(root, count)
    for node in (root, middle, *agents):
        node.kill()
    for node in (root, middle, *agents):
        node.start()
    wait_total(root, count)
    assert root.status()["reports"]["refused"] == middle.status()["reports"]["refused"] == 0
    # Policies go down through it, changes by people with them.
    guard(root.state, "mode", "block", "--service", "shop")
    for node in (middle, *agents):
        wait_for(lambda: (node.state / "policies" / "shop.policy").read_bytes() == (root.state / "policies" / "shop.policy").read_bytes(),
                 "the root's policy")
    assert root.stop() == 0
    text = tool("pile", "show", root.state / "piles" / "shop.pile")
    assert len([line for line in text.splitlines() if line.startswith("interval ")]) == 1, text


def test_what_came_before_isnt_passed_on_again(tree, tmp_path):
    """A child whose answer was lost sends again what the aggregator has long passed on, or a part of it with more."""
    root = tree("root", root_options())
    middle = tree("middle", aggregator_options(root))
    key = wait_for(lambda: key_of(middle), "the key")
    assert key == key_of(root)
    shop = Shop(981, start=time.time() - 3600)
    first, rest = shop.many(40), shop.many(20)
    pile = offline_pile(tmp_path / "a", key, first)
    assert send_pile(middle, pile).json()["outcome"] == "added"
    root.wait_exchanges(40)
    middle.kill()
    middle.start()
    assert send_pile(middle, pile).json()["outcome"] == "contained"
    assert send_pile(middle, offline_pile(tmp_path / "b", key, first + rest)).status == 409
    assert send_pile(middle, offline_pile(tmp_path / "c", key, rest, "00000000000000aa:7:41")).json()["outcome"] == "added"
    root.wait_exchanges(60)
    assert middle.stop() == 0
    assert root.service()["exchanges"] == 60
