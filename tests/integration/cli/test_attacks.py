# SPDX-License-Identifier: Apache-2.0
"""Attacks on the learner by exchange files: victims who are tainted, clocks that jump, replays, false releases. The rows of
docs/guide/detection.md, "Attacks on the learner"; those that need a gate are in peers/test_attackers.py."""

import json
import random
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from test_cli import guard, verdicts  # noqa: E402
from traffic import Shop, write  # noqa: E402

SLOT = 3 * 3600  # a slot of time: one epoch at least
START = 1_750_000_000 // SLOT * SLOT
ELSEWHERE = ["/search?q=%27%20or%201=1&limit=10", "/products/7%27--?page=1"]  # what nobody tried while it was learned
ATTACKS = ["/users?username=tom%27%20or%201=1", "/users?username=%3Cscript%3Ealert(1)%3C/script%3E"]
YEAR = 365 * 86400


def day(shop, epoch, count=300, nat=None):
    """Benign traffic of one slot; a third of it by the address `nat`."""
    exchanges = shop.many(count)
    for number, exchange in enumerate(exchanges):
        exchange["time"] = START + epoch * SLOT + number * 30
        if nat is not None and number % 3 == 0:
            exchange["client"] = nat
    return exchanges


def at(shop, epoch, second, target, client, **options):
    return {**shop.exchange("GET", target, client=client, **options), "time": START + epoch * SLOT + second}


def learn(folder, exchanges, *options):
    for name in ("shop.pile", "shop.yaml"):
        (folder / name).unlink(missing_ok=True)
    guard("learn", "--pile", folder / "shop.pile", "--guardian", folder / "shop.yaml", *options, write(folder / "train.jsonl", exchanges))
    return folder / "shop.yaml"


def judge(guardian, *targets, client="10.99.9.9", alpha="1e-3"):
    shop = Shop(77)
    path = write(guardian.parent / "judged.jsonl", [shop.exchange("GET", target, client=client) for target in targets])
    return verdicts("--guardian", guardian, "--alpha", alpha, path)


def false_blocks(guardian, client=None):
    shop = Shop(78)
    benign = shop.many(300)
    for exchange in benign:
        exchange["client"] = client or exchange["client"]
    judged = verdicts("--guardian", guardian, "--alpha", "1e-3", write(guardian.parent / "benign.jsonl", benign))
    return sum(verdict["verdict"] == "block" for verdict in judged)


# Tainting a victim. NEW is what honest users begin to send in epoch 2.

NAT, NAT_ATTACKER = "203.0.113.9", "203.0.113.66"  # one prefix
NEW = "/users?username=ann~lee"
USERS = [NAT] + [f"198.51.{i}.1" for i in range(3)]  # D of them: each one is needed
NEVER = 99
BYSTANDERS = [f"198.51.{i}.1" for i in range(50, 54)]


def tainted(epochs, attackers, users, status, new=NEW):
    """`users` send what is new in each epoch from 2 on, and `attackers` attack in each, each attack answered with `status`."""
    shop, exchanges = Shop(1), []
    for epoch in range(epochs):
        exchanges += day(shop, epoch, nat=NAT)
        if epoch >= 2:
            exchanges += [at(shop, epoch, 9000 + i, new, user) for i in range(3) for user in users]
            exchanges += [at(shop, epoch, 9100 + i, ATTACKS[i % 2], attacker, status=status) for i in range(10) for attacker in attackers]
    return sorted(exchanges, key=lambda exchange: exchange["time"])


def learned_after(folder, *arguments, new=NEW):
    """Of how many epochs it takes to know what is new. Until then and afterwards nothing of the victims is blocked, and each attack is."""
    for epochs in range(3, 8):
        guardian = learn(folder, tainted(epochs, *arguments, new=new))
        assert false_blocks(guardian) == 0 and false_blocks(guardian, NAT) == 0
        assert [verdict["verdict"] for verdict in judge(guardian, *ATTACKS, client=NAT)] == ["block"] * 2
        found = judge(guardian, new, client=NAT)[0]
        if not found["findings"]:
            return epochs
    return NEVER


@pytest.mark.parametrize("attackers", [[NAT_ATTACKER], USERS], ids=["behind-the-same-nat", "drive-by-link"])
def test_blocked_attacks_taint_no_victim(tmp_path, attackers):
    """In mode block: honest users share an address with one who attacks, or all follow a link that attacks. They are needed, each of
    them, for what they teach to be learned; it takes no epoch more."""
    assert learned_after(tmp_path, attackers, USERS, 403) <= learned_after(tmp_path, [], USERS, 200) + 1
    assert learned_after(tmp_path, [], USERS[1:], 200) == NEVER


@pytest.mark.parametrize("attackers", [[NAT_ATTACKER], USERS], ids=["behind-the-same-nat", "drive-by-link"])
def test_attacks_that_are_let_through_taint_where_they_were(tmp_path, attackers):
    """While a service is learned: what the victims alone say of this field isn't believed any more, but what others say, too."""
    users = USERS + BYSTANDERS
    assert learned_after(tmp_path, attackers, users, 200) <= learned_after(tmp_path, [], users, 200) + 1


def test_a_key_with_much_traffic_is_not_tainted_as_a_whole(tmp_path):
    """A third of all traffic comes by one address, attacks among it; elsewhere it vouches as anybody does, needed as the fourth."""
    new = "/search?q=hat&limit=10&lang=de"
    assert learned_after(tmp_path, [NAT_ATTACKER], USERS, 200, new=new) <= learned_after(tmp_path, [], USERS, 200, new=new) + 1
    assert learned_after(tmp_path, [], USERS[1:], 200, new=new) == NEVER


# Clocks, replays, order.

def usual(epochs=6, seed=3):
    shop = Shop(seed)
    return [exchange for epoch in range(epochs) for exchange in day(shop, epoch)]


@pytest.mark.parametrize("jumps", [[0, 3600], [0, 10 * YEAR], [0, -10 * YEAR], [0, -START + 1], [i * SLOT * 8 for i in range(-20, 20)],
                                   [i * YEAR for i in range(-50, 0)]])
def test_epochs_made_by_a_clock_that_jumps_vouch_for_nobody(tmp_path, jumps):
    """What three clients do at many times is still what three clients do, and the others' traffic isn't forgotten for it."""
    exchanges, shop = usual(), Shop(4)
    for jump in jumps:
        for client in range(3):
            for attack in ATTACKS:
                exchanges.append({**at(shop, 3, 9000, attack, f"192.0.{client}.9"), "time": START + 3 * SLOT + jump})
    guardian = learn(tmp_path, exchanges)
    shown = guard("pile", "show", tmp_path / "shop.pile").out
    assert int(next(line.split()[1] for line in shown.splitlines() if line.startswith("epochs"))) <= 32
    assert [verdict["verdict"] for verdict in judge(guardian, *ATTACKS, *ELSEWHERE)] == ["block"] * 4
    assert false_blocks(guardian) == 0


def test_a_clock_that_was_wrong_for_a_while_costs_no_knowledge(tmp_path):
    """Two slots of all traffic ten years ahead, then the right time again: what came before is known, what came since is learned."""
    shop, exchanges = Shop(5), []
    for number, epoch in enumerate([0, 1, 2, 29200, 29201, 3, 4, 5]):
        exchanges += day(shop, epoch)
        if number >= 5:
            exchanges += [at(shop, epoch, 9000 + i, NEW, user) for i, user in enumerate(USERS * 3)]
    guardian = learn(tmp_path, exchanges)
    assert judge(guardian, NEW)[0]["findings"] == []
    assert false_blocks(guardian) == 0
    assert [verdict["verdict"] for verdict in judge(guardian, *ATTACKS)] == ["block"] * 2


def test_replayed_and_reordered_records_teach_what_they_taught_once(tmp_path):
    """Lines of one client that come a hundred times stay one client's; lines in any order teach who did what and when; a file that was
    learned before is held already."""
    exchanges, shop = usual(), Shop(6)
    exchanges += [at(shop, epoch, 9000, attack, "192.0.2.9") for attack in ATTACKS for epoch in (2, 4)] * 100
    random.Random(7).shuffle(exchanges)
    guardian = learn(tmp_path, exchanges)
    assert [verdict["verdict"] for verdict in judge(guardian, *ATTACKS)] == ["block"] * 2
    assert false_blocks(guardian) == 0
    before = (tmp_path / "shop.pile").read_bytes()
    guard("pile", "merge", tmp_path / "shop.pile", tmp_path / "shop.pile", tmp_path / "shop.pile", "--output", tmp_path / "twice.pile")
    assert (tmp_path / "twice.pile").read_bytes() == before


# A false release.

NOVELTY = ["/users?username=tom&verbose=yes", "/beta"]


@pytest.mark.parametrize("mode,attacks,released", [
    ("alert", [], [True, True]), ("alert", ATTACKS, [False, True]), ("block", [], [False, False]), ("block", ATTACKS, [False, False])],
    ids=["let-through", "let-through-with-attacks", "blocked", "blocked-with-attacks"])
def test_twenty_who_agree_release_what_is_harmless_and_no_attack(tmp_path, mode, attacks, released):
    """Twenty clients send a new parameter, a new endpoint and perhaps attacks, in two epochs. Harmless novelty of so many is what a
    release is: where it is let through it is learned, but for what stands beside their attack. Where it was blocked it isn't learned
    from this, and no attack ever is."""
    status = 200 if mode == "alert" else 403
    shop, exchanges = Shop(8, clients=400), []  # the twenty are far less than an eighth of all
    for epoch in range(6):
        exchanges += day(shop, epoch)
        if epoch in (3, 4):
            exchanges += [at(shop, epoch, 9000 + i, target, f"192.0.{client}.9", status=status)
                          for i, target in enumerate(NOVELTY + attacks) for client in range(20) for _ in range(3)]
    guardian = learn(tmp_path, exchanges)
    assert [not verdict["findings"] for verdict in judge(guardian, *NOVELTY)] == released
    assert [verdict["verdict"] for verdict in judge(guardian, *ATTACKS)] == ["block"] * 2
    assert false_blocks(guardian) == 0


# Piles of gates or agents that are taken over. What a forged pile can say: prop/prop_hostile_pile.c

def pile_of(folder, name, exchanges):
    guard("learn", "--pile", folder / f"{name}.pile", write(folder / f"{name}.jsonl", exchanges))
    return folder / f"{name}.pile"


def judged_by(folder, pile, *targets):
    shop = Shop(79)
    exchanges = write(folder / "targets.jsonl", [shop.exchange("GET", target) for target in targets])
    guard("learn", "--pile", folder / "copy.pile", "--guardian", folder / "copy.yaml", write(folder / "none.jsonl", day(Shop(80), 0, 10)))
    out = guard("check", "--pile", pile, "--guardian", folder / "copy.yaml", "--alpha", "1e-3", "--format", "jsonl", exchanges).out
    return [json.loads(line) for line in out.splitlines()]


def test_a_pile_of_one_gate_teaches_nothing_alone(tmp_path):
    """Five gates of one service. One invents twenty clients who, in each epoch, send what nobody sends and do what reads like nothing."""
    gates = [pile_of(tmp_path, f"gate{i}", [exchange for epoch in range(6) for exchange in day(Shop(90 + i), epoch)]) for i in range(4)]
    shop, invented = Shop(95), []
    for epoch in range(6):
        invented += day(shop, epoch)
        invented += [at(shop, epoch, 9000 + i, target, f"192.0.{client}.9") for i, target in enumerate([NEW, "/users?username=tom&verbose=yes"])
                     for client in range(20) for _ in range(5)]
    hostile = pile_of(tmp_path, "hostile", invented)
    guard("pile", "merge", *gates, hostile, "--output", tmp_path / "trusting.pile")
    guard("pile", "merge", *gates, hostile, "--shares", "--output", tmp_path / "shares.pile")
    known = "/users?username=anna"
    assert [verdict["findings"] for verdict in judged_by(tmp_path, tmp_path / "trusting.pile", NEW, "/users?username=tom&verbose=yes", known)] \
        == [[], [], []]
    found = judged_by(tmp_path, tmp_path / "shares.pile", NEW, "/users?username=tom&verbose=yes", known)
    assert [bool(verdict["findings"]) for verdict in found] == [True, True, False]
    guard("pile", "merge", hostile, *reversed(gates), "--shares", "--output", tmp_path / "again.pile")
    assert (tmp_path / "again.pile").read_bytes() == (tmp_path / "shares.pile").read_bytes()


def test_a_pile_speaks_for_nobody_else(tmp_path):
    """Records under another's name would make those pass for held already: refused, and the others merge without that pile."""
    files = [write(tmp_path / f"{i}.jsonl", day(Shop(96 + i), i)) for i in range(3)]
    guard("learn", "--pile", tmp_path / "a.pile", files[0])
    guard("learn", "--pile", tmp_path / "b.pile", files[1])
    guard("learn", "--pile", tmp_path / "claims.pile", files[0], files[2])
    said = guard("pile", "merge", tmp_path / "claims.pile", tmp_path / "a.pile", "--output", tmp_path / "c.pile").out
    assert "a.pile was held already" in said
    refused = guard("pile", "merge", tmp_path / "claims.pile", tmp_path / "a.pile", "--shares", "--output", tmp_path / "d.pile", status=1)
    assert "holds records of producer" in refused.err and not (tmp_path / "d.pile").exists()
    guard("pile", "merge", tmp_path / "a.pile", tmp_path / "b.pile", "--shares", "--output", tmp_path / "d.pile")
    ahead = pile_of(tmp_path, "ahead", [{**exchange, "time": exchange["time"] + 50 * YEAR} for exchange in day(Shop(99), 0)])
    assert "time to come" in guard("pile", "merge", tmp_path / "a.pile", ahead, "--shares", "--output", tmp_path / "e.pile", status=1).err
