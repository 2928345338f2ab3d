# SPDX-License-Identifier: Apache-2.0
"""`guard review` without guardd: the queue of a pile, decisions in a file, and what they do to offline learning and checking."""

import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from test_cli import guard  # noqa: E402
from traffic import Shop, write  # noqa: E402

PATH, ODD, ATTACK = "/reports", "/users?username=tom|ann~", "/users?username=tom&filter=tom%20or%201=1"


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """2,400 benign exchanges; then three new things by five clients, all within the last epoch."""
    folder = tmp_path_factory.mktemp("review")
    made = Shop(91)
    exchanges = made.many(2400)
    exchanges += [made.exchange("GET", target, client=made.clients[i]) for i in range(5) for target in (PATH, ODD, ATTACK)]
    guard("learn", "--service", "shop", "--pile", folder / "shop.pile", "--guardian", folder / "shop.yaml",
          write(folder / "t.jsonl", exchanges))
    write(folder / "later.jsonl", [made.exchange("GET", target) for target in (PATH, ODD)])
    return folder


@pytest.fixture
def state(learned, tmp_path):
    for folder, name in (("piles", "shop.pile"), ("guardians", "shop.yaml")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes((learned / name).read_bytes())
    return tmp_path


def queue(state, word="waiting"):
    items = [json.loads(line) for line in guard("review", "--state", state, "--format", "jsonl").out.splitlines()]
    return [item for item in items if item["state"] == word]


def verdicts(learned, *options):
    lines = guard("check", "--guardian", learned / "shop.yaml", "--alpha", "0.05", "--format", "jsonl", *options,
                  learned / "later.jsonl").out.splitlines()
    return [json.loads(line)["verdict"] for line in lines]


def test_what_reads_like_an_attack_is_accepted_by_name_only(state):
    items = queue(state)
    assert {(item["kind"], item["element"] or item["name"]) for item in items} >= {
        ("path", "reports"), ("character", "|"), ("character", "~"), ("type", "text"), ("name", "filter")}
    bad = next(item for item in items if item["name"] == "filter")
    assert bad["likeness"] == ["sql"] and all(not item["likeness"] for item in items if item is not bad)
    assert "READS LIKE AN ATTACK: SQL" in guard("review", "--state", state).out
    said = guard("review", "accept", "--all", "--service", "shop", "--why", "all good", "--state", state).out
    assert f"left out, reads like an attack: {bad['id']}" in said
    assert [item["id"] for item in queue(state)] == [bad["id"]]
    assert len(queue(state, "accept")) == len(items) - 1
    guard("review", "accept", bad["id"], "--why", "a search language", "--by", "ann", "--state", state)
    # The field is known from now on; what its values read like waits by itself.
    assert [(item["kind"], item["element"]) for item in queue(state)] == [("likeness", "sql")]
    assert "ann" in [item["by"] for item in queue(state, "accept")]
    # One word takes the place of the other, and none is left.
    guard("review", "refuse", bad["id"], "--why", "no", "--state", state)
    assert [item["id"] for item in queue(state, "refuse")] == [bad["id"]]
    guard("review", "reset", bad["id"], "--state", state)
    assert [item["id"] for item in queue(state)] == [bad["id"]]
    audit = [json.loads(line) for line in (state / "audit.jsonl").read_text().splitlines()]
    assert [(line["before"], line["after"].split()[0]) for line in audit[-3:]] == [
        ("waiting", "accept"), ("accept", "refuse"), ("refuse", "reset")]


def test_decisions_hold_offline(state, learned):
    review = state / "reviews" / "shop.json"
    assert verdicts(learned) == ["block", "block"]
    guard("review", "accept", "--all", "--service", "shop", "--why", "x", "--state", state)
    assert verdicts(learned, "--review", review) == ["pass", "pass"]
    shown = guard("show", "--pile", learned / "shop.pile", "--review", review).out
    assert "GET /reports" in shown and "GET /reports" not in guard("show", "--pile", learned / "shop.pile").out
    users = next(item["id"] for item in queue(state, "accept") if item["element"] == "reports")
    guard("review", "refuse", users, "--why", "x", "--state", state)
    assert verdicts(learned, "--review", review) == ["block", "pass"]
    guard("policy", "check", "--guardian", learned / "shop.yaml", "--pile", learned / "shop.pile", "--review", review)
    guard("learn", "--service", "shop", "--pile", state / "piles" / "shop.pile", "--review", review, learned / "t.jsonl")


def test_what_is_wrong_is_refused(state, learned):
    other = state / "other.json"
    other.write_text('{"service": "till", "decisions": []}')
    assert "names another service" in guard("check", "--guardian", learned / "shop.yaml", "--review", other,
                                            learned / "later.jsonl", status=1).err
    other.write_text('{"service": "shop", "decisions": [{"decision": "accept"}]}')
    assert "other.json:1:35: kind: must be" in guard("check", "--guardian", learned / "shop.yaml", "--review", other,
                                                     learned / "later.jsonl", status=1).err
    an_id = queue(state)[0]["id"]
    for arguments, complaint in [(("accept", an_id), "--why"), (("accept", "--why", "x"), "ID..."), (("allow", an_id), "accept|refuse"),
                                 (("accept", "--all", "--why", "x"), "--service"), (("reset", "--all", "--service", "shop"), "reset"),
                                 (("accept", an_id, "--why", "x" * 300), "256 bytes"), (("--format", "xml"), "text or jsonl")]:
        assert complaint in guard("review", *arguments, "--state", state, status=2).err
    assert "no service" in guard("review", "--service", "till", "--state", state, status=1).err
    assert not (state / "reviews" / "shop.json").exists()
