# SPDX-License-Identifier: Apache-2.0
"""Neighbours of other versions (docs/guide/upgrading.md): what is older is taken where the rule says so; all else is refused by its
version, and what is in force stays."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from test_tree_trust import generation_in, problem, relay  # noqa: E402, F401
from trees import agent_options, gate_of, key_of, offline_pile, root_options, send_pile, tree  # noqa: E402, F401
from test_guardd import drive, guard  # noqa: E402
from traffic import Shop  # noqa: E402
from waiting import wait_for  # noqa: E402


def with_version(data, offset, number):
    return data[:offset] + bytes([number]) + data[offset + 1:]


def test_piles_of_older_versions_are_taken_and_others_refused(tree, tmp_path):
    root = tree("root", root_options())
    exchanges = [{key: value for key, value in exchange.items() if key != "time"} for exchange in Shop(730).many(50)]
    pile = offline_pile(tmp_path / "a", key_of(root), exchanges)
    assert pile[:4] == b"GPIL"
    for other in (1, 99):
        assert f"a pile of version {other}; this program reads 2 to " in problem(send_pile(root, with_version(pile, 4, other)), 422, "bad-pile")
    assert pile[4] == 2  # of what it holds a program of four versions ago knew all: nothing says when names were first seen
    assert send_pile(root, pile).json()["outcome"] == "added"
    root.wait_exchanges(50)


def test_policies_of_other_versions_are_refused_and_the_last_one_stays(tree, nginx, fast_upstream, relay):  # noqa: F811
    root = tree("root", root_options())
    between = relay(root.state)
    options = agent_options(root)
    options[options.index("--parent") + 1] = f"http://127.0.0.1:{between.port}"
    agent = tree("agent", options)
    gate = gate_of(nginx, agent, fast_upstream)
    drive(gate.port, Shop(731).many(100))
    place, path = agent.state / "policies" / "shop.policy", "/api/v1/services/shop/policy"
    wait_for(lambda: agent.service()["generation"] > 0 and place.exists(), "a policy")
    good = place.read_bytes()
    modes = ["alert", "block"]
    for turn, other in enumerate((good[4] - 1, good[4] + 1)):
        foreign = with_version(place.read_bytes(), 4, other)
        seen = len(agent.events("policy-refused"))
        between.swap[path] = foreign
        guard(root.state, "mode", modes[turn], "--service", "shop")  # ends a wait that is under way
        wait_for(lambda: len(agent.events("policy-refused")) > seen, "the alarm")
        assert f"the policy has version {other}, this program reads {good[4]}" in agent.events("policy-refused")[-1]["detail"]
        assert place.read_bytes()[4] == good[4] and generation_in(place) > 0
        assert set(drive(gate.port, Shop(732 + turn).many(20))) == {200}
        del between.swap[path]
        wait_for(lambda: place.read_bytes() == (root.state / "policies" / "shop.policy").read_bytes(), "the root's own")
    assert "policy refused" not in gate.log_text()


def test_a_ring_of_another_version_is_told_and_left_alone(tree, nginx, fast_upstream):
    root = tree("root", root_options())
    gate = gate_of(nginx, root, fast_upstream)
    drive(gate.port, Shop(735).many(50))
    root.wait_exchanges(50)
    ring = next((root.state / "rings").glob("*.ring"))
    (root.state / "rings" / "elsewhere.ring").write_bytes(with_version(ring.read_bytes(), 8, 9))
    wait_for(lambda: root.events("ring-refused"), "the alarm")
    assert "elsewhere.ring: a ring of version 9" in root.events("ring-refused")[0]["detail"]
    drive(gate.port, Shop(736).many(50))
    root.wait_exchanges(100)
    assert root.service()["exchanges"] == 100 and len(root.events("ring-refused")) == 1
