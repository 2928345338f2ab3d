# SPDX-License-Identifier: Apache-2.0
"""Clients that a person blocks where others make what gates follow: at the root of a tree, whose agents and aggregators say so, and at any
of the roots that share a database."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from shared_roots import agent_of, postgres, roots, server  # noqa: E402, F401
from test_tree_aggregator import aggregator_options  # noqa: E402
from test_tree_postgres import clients_of, follower_of_new  # noqa: E402
from trees import agent_options, ask, gate_of, root_options, tree  # noqa: E402, F401
from test_clients import address, blocked, visit  # noqa: E402
from test_guardd import guard  # noqa: E402
from waiting import wait_for  # noqa: E402

THIEF, OTHER = 300, 301
PREFIX = address(THIEF).rsplit(".", 1)[0] + ".0/24"


def block(node, query="", client=address(THIEF), seconds=3600):
    return ask(node, "POST", f"/services/shop/blocks{query}", "--json", json.dumps({"client": client, "seconds": seconds, "reason": "stolen cards"}))


def known(root, nodes, gates):
    """Until the service is served by a policy everywhere; then in mode alert, in which people's blocks hold."""
    for gate in gates:
        visit(gate.port, OTHER, 2)
    for node in nodes:
        wait_for(lambda node=node: node.service()["generation"] > 0, f"a policy at {node.state.name}")
    guard(root.state, "mode", "alert", "--service", "shop")


def wait_blocked(gates):
    for gate in gates:
        wait_for(lambda gate=gate: blocked(gate.port, THIEF), "the gate to block the client")
        assert not blocked(gate.port, OTHER), "another client is served"


def wait_served(gates):
    for gate in gates:
        wait_for(lambda gate=gate: not blocked(gate.port, THIEF), "the client to be served")


def test_a_client_that_the_root_blocks_is_blocked_at_all_gates_below(tree, nginx, fast_upstream):
    root = tree("root", root_options())
    middle = tree("middle", aggregator_options(root))
    agents = [tree("near", agent_options(root)), tree("far", agent_options(middle, root=root))]
    gates = [gate_of(nginx, agent, fast_upstream) for agent in agents]
    known(root, agents, gates)
    wait_served(gates)
    # Below the root it is refused, and told where: one step up at a time.
    for node, parent in ((agents[1], middle), (middle, root), (agents[0], root)):
        answer = block(node)
        assert answer.status == 409 and answer.json()["type"] == "urn:guard:problem:done-at-the-parent", answer.body
        assert answer.json()["detail"].endswith(f"do it at unix:{parent.state}/api.sock"), answer.body
        assert ask(node, "DELETE", f"/services/shop/blocks?client={address(THIEF)}").status == 409
    assert block(root, "?dryRun=true").json()["applied"] is False
    wait_served(gates)
    guard(root.state, "clients", "block", "shop", address(THIEF), "--for", "1h", "--reason", "stolen cards")
    wait_blocked(gates)
    assert clients_of(root) == [PREFIX]
    # Whoever is killed: gates go on, and so does who is back.
    root.kill()
    for agent in agents:
        agent.kill()
    wait_blocked(gates)
    for node in (*agents, root):
        node.start()
    wait_for(lambda: clients_of(root) == [PREFIX], "the root to know it")
    wait_blocked(gates)
    tables = [(node.state / "verdicts" / "shop.table").read_bytes for node in (root, middle, *agents)]
    wait_for(lambda: len({read() for read in tables}) == 1, "the root's table everywhere")
    guard(root.state, "clients", "unblock", "shop", address(THIEF), "--reason", "it was us")
    wait_served(gates)
    wait_for(lambda: clients_of(root) == [], "the root to forget it")


def test_what_is_written_at_an_agent_is_not_followed_and_said(tree, nginx, fast_upstream):
    """By the command line on its files, which knows of no parent."""
    root = tree("root", root_options())
    agent = tree("agent", agent_options(root))
    gate = gate_of(nginx, agent, fast_upstream)
    known(root, [agent], [gate])
    guard(agent.state, "clients", "block", "shop", address(THIEF), "--for", "1h", "--reason", "x")
    wait_for(lambda: agent.events("client-blocks-not-followed"), "the alarm")
    guard(root.state, "clients", "block", "shop", address(OTHER), "--for", "1h", "--reason", "x")
    wait_for(lambda: blocked(gate.port, OTHER), "what the root says to hold")
    assert not blocked(gate.port, THIEF)


def test_any_of_the_roots_that_share_a_database_blocks_for_all(roots, tree, nginx, fast_upstream, postgres):  # noqa: F811
    nodes = [roots("a"), roots("b")]
    learner, follower = follower_of_new(nodes)
    agents = [tree(f"agent{i}", agent_of(roots)) for i in (1, 2)]
    gates = [gate_of(nginx, agent, fast_upstream) for agent in agents]
    known(learner, agents, gates)
    for node in nodes:
        wait_for(lambda node=node: node.service().get("mode") == "alert", f"the mode at {node.state.name}")
    assert block(follower).status == 200
    for node in nodes:
        wait_for(lambda node=node: clients_of(node) == [PREFIX], f"the block at {node.state.name}")
    wait_blocked(gates)
    # The one that learned is gone: the other one makes the tables, and ends it.
    learner.kill()
    follower.kill()
    follower.start()
    wait_for(lambda: follower.service().get("role") == "learner", "the other one to learn")
    wait_for(lambda: clients_of(follower) == [PREFIX], "it to know the block")
    wait_blocked(gates)
    # Ended at one, it stays so at the one that knew it and was away.
    assert ask(follower, "DELETE", f"/services/shop/blocks?client={address(THIEF)}&reason=over").status == 200
    wait_served(gates)
    learner.start()
    for node in nodes:
        wait_for(lambda node=node: clients_of(node) == [], f"the end at {node.state.name}")
    wait_served(gates)
    assert block(learner).status == 200
    wait_blocked(gates)
    # Both say at once: the last word on a client counts, and no other's is lost.
    assert block(learner, client=address(OTHER)).status == 200
    assert ask(follower, "DELETE", f"/services/shop/blocks?client={address(THIEF)}&reason=over").status == 200
    other = address(OTHER).rsplit(".", 1)[0] + ".0/24"
    for node in nodes:
        wait_for(lambda node=node: clients_of(node) == [other], f"the other's block alone at {node.state.name}, not {clients_of(node)}")
