# SPDX-License-Identifier: Apache-2.0
"""Guardds that share a PostgreSQL share what people decided: a change at one holds at all, survives the one that took it, and of two at once
one holds and the other is told."""

import json
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from conftest import BIN, wait_for  # noqa: E402
from talking import Api  # noqa: E402
from test_guardd import drive, guard  # noqa: E402
from test_postgres import gate_of, in_place, make, postgres, role, server, wait_roles  # noqa: E402, F401
from traffic import Shop  # noqa: E402
from waiting import PATIENCE as WAIT  # noqa: E402

GUARDIAN = "apiVersion: guard/v1alpha1\nkind: Guardian\nservice: shop\ncontrol: {{mode: {mode}}} # {comment}\n"


def guardian(mode, comment="by people"):
    return GUARDIAN.format(mode=mode, comment=comment).encode()


@pytest.fixture
def pair(make, gate_of):
    """Two guardds with a gate each: the first one learns."""
    first = make("a")
    first.gate = gate_of(first)
    drive(first.gate.port, Shop(90).many(60))
    wait_for(lambda: role(first) == "learner", "the learner", WAIT)
    second = make("b")
    second.gate = gate_of(second)
    drive(second.gate.port, Shop(91).many(60))
    wait_for(lambda: role(second) == "follower", "the follower", WAIT)
    for one in (first, second):
        one.api = Api(one.state).ready()
    return first, second


def learner(pair):
    return next(one for one in pair if role(one) == "learner")


def document(guardd, kind="guardians/shop.yaml"):
    path = guardd.state / kind
    return path.read_bytes() if path.exists() else None


def etag(guardd):
    return guardd.api.ask("GET", "/services/shop/guardian").headers["etag"]


def apply(guardd, body, *headers, query=""):
    return guardd.api.ask("PUT", f"/services/shop/guardian{query}", body, headers, type="application/yaml")


def wait_document(guardd, body, kind="guardians/shop.yaml"):
    wait_for(lambda: document(guardd, kind) == body, lambda: f"the document, not {document(guardd, kind)}", WAIT)


def published_mode(guardd):
    done = subprocess.run([BIN / "guard", "policy", "show", guardd.state / "policies" / "shop.policy"], capture_output=True, text=True,
                          timeout=60, check=False)
    return next((line.split()[1] for line in done.stdout.splitlines() if line.startswith("mode")), done.stdout + done.stderr)


def revisions(postgres, kind="guardian"):
    return postgres.query(f"SELECT revision, who, why FROM guard.change WHERE kind = '{kind}' ORDER BY revision")


def test_what_one_takes_holds_at_all(postgres, pair):
    """And who knows only what was before is told so, wherever they ask."""
    for at, other in (pair, reversed(pair)):
        mode = "block" if at is pair[0] else "observe"
        old = etag(other)
        answer = apply(at, guardian(mode), f"If-Match: {etag(at)}", query="?reason=release%20week")
        assert answer.status in (200, 201), answer.body
        # The other one has it in the moment in which it matters, long before it looks by itself.
        refused = apply(other, guardian("alert"), f"If-Match: {old}")
        other.api.problem(refused, 412, "If-Match")
        wait_document(other, guardian(mode))
        wait_for(lambda: other.api.get("/services/shop/mode")["mode"] == mode, "its mode", WAIT)
        wait_for(lambda: [published_mode(one) for one in pair] == [mode] * 2, lambda: f"{[published_mode(one) for one in pair]}", WAIT)
        assert etag(other) == etag(at)
    assert [row[2] for row in revisions(postgres)] == ["release week"] * 2
    assert "change-refused" not in pair[0].log() + pair[1].log()
    # Who doesn't learn takes modes, pauses and ends of rollbacks as the learner does.
    pair[1].api.put("/services/shop/learning", {"learn": "paused", "reason": "a test"})
    wait_for(lambda: pair[0].service()["learn"] == "paused", "the pause", WAIT)


def test_it_survives_the_one_that_took_it(pair):
    first, second = pair
    answer = apply(first, guardian("block", "taken before the kill"), f"If-Match: {etag(first)}")
    assert answer.status in (200, 201)
    first.kill()
    wait_document(second, guardian("block", "taken before the kill"))
    wait_for(lambda: role(second) == "learner", "the next learner", WAIT)
    wait_for(lambda: published_mode(second) == "block", "its policy", WAIT)
    # Meanwhile it goes on; who comes back takes that, and doesn't bring back its own.
    second.api.put("/services/shop/mode", {"mode": "alert", "reason": "while the first one was down"})
    second.kill()
    first.start()
    wait_document(first, document(second))
    wait_for(lambda: first.service()["mode"] == "alert", "the newer one", WAIT)
    second.start()
    wait_roles(first, second)
    assert not list(first.state.glob("*/*.refused"))


def test_a_pile_of_a_newer_guardd_is_left_to_it(postgres, pair):
    """One that was updated learned meanwhile, and goes: who doesn't read its piles doesn't begin anew in their place."""
    first, second = pair
    first.stop()
    wait_for(lambda: role(second) == "learner", "the second to learn", WAIT)
    first.start()
    wait_for(lambda: role(first) == "follower", "the first to follow", WAIT)
    second.process.send_signal(signal.SIGSTOP)
    postgres.query("UPDATE guard.service SET pile = set_byte(pile, 4, 99) WHERE name = 'shop'")
    stored = postgres.query("SELECT md5(pile) FROM guard.service WHERE name = 'shop'")
    second.kill()
    wait_for(lambda: '"not-taken-over"' in first.log(), "the refusal", WAIT)
    assert "a pile of version 99; this program reads" in first.log() and "learning starts anew" not in first.log()
    drive(first.gate.port, Shop(92).many(60))
    wait_for(lambda: postgres.query("SELECT count(*) FROM guard.feed WHERE service = 'shop'") != [["0"]], "what it takes in to wait", WAIT)
    assert role(first) != "learner" and first.log().count('"not-taken-over"') == 1
    assert postgres.query("SELECT md5(pile) FROM guard.service WHERE name = 'shop'") == stored


def test_edits_of_files_are_changes(postgres, pair):
    """While guardd runs and while it doesn't."""
    first, second = pair
    (second.state / "guardians" / "shop.yaml").write_bytes(guardian("block", "by an editor"))
    wait_document(first, guardian("block", "by an editor"))
    guard(first.state, "mode", "alert", "--service", "shop")
    wait_for(lambda: second.service()["mode"] == "alert", "the command's mode", WAIT)
    assert second.stop() == 0
    (second.state / "guardians" / "shop.yaml").write_bytes(guardian("observe", "while it was down"))
    second.start()
    wait_document(first, guardian("observe", "while it was down"))
    # What nobody can read isn't given to others, and is overwritten by nothing but a good one.
    (second.state / "guardians" / "shop.yaml").write_bytes(b"kind: nonsense\n")
    wait_for(lambda: '"event":"not-shared"' in second.log(), "the alarm", WAIT)
    assert document(first) == guardian("observe", "while it was down")
    assert len(revisions(postgres)) == 3
    # A Guardian that is gone comes back.
    (first.state / "guardians" / "shop.yaml").unlink()
    wait_document(first, guardian("observe", "while it was down"))


def test_of_two_edits_at_once_one_holds_and_the_other_is_told(postgres, pair):
    first, second = pair
    base = guardian("alert", "agreed")
    assert apply(first, base, f"If-Match: {etag(first)}").status in (200, 201)
    wait_document(second, base)
    texts = {first: guardian("block", "the first one's"), second: guardian("observe", "the second one's")}
    for one, text in texts.items():
        (one.state / "guardians" / "shop.yaml").write_bytes(text)
    wait_for(lambda: any('"event":"change-refused"' in one.log() for one in pair), "one to be told", WAIT)
    wait_for(lambda: document(first) == document(second) in texts.values(), "one of them at both", WAIT)
    won = next(one for one in pair if texts[one] == document(first))
    lost = first if won is second else second
    assert document(lost, "guardians/shop.yaml.refused") == texts[lost]
    assert document(won, "guardians/shop.yaml.refused") is None
    audit = [json.loads(line) for line in (lost.state / "audit.jsonl").read_text().splitlines()]
    assert [line["action"] for line in audit if line["action"] == "refused"] == ["refused"]
    assert [int(row[0]) for row in revisions(postgres)] == [1, 2]
    wait_for(lambda: [published_mode(one) for one in pair] == ["block" if won is first else "observe"] * 2, "its mode", WAIT)


def test_of_many_requests_at_once_each_is_told_what_became_of_it(postgres, pair):
    """With the same ETag one of them is taken, at whichever guardd."""
    assert apply(pair[0], guardian("alert", "0"), f"If-Match: {etag(pair[0])}").status in (200, 201)
    wait_document(pair[1], guardian("alert", "0"))
    taken = 0
    for turn in range(8):
        tag = etag(pair[turn % 2])
        answers = {}

        def send(index):
            answers[index] = apply(pair[index % 2], guardian("alert", f"{turn}.{index}"), f"If-Match: {tag}").status

        threads = [threading.Thread(target=send, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        good = [index for index, status in answers.items() if status == 200]
        # 409: at the same guardd somebody was at it just then.
        assert len(good) == 1 and set(answers.values()) <= {200, 409, 412}, answers
        taken += 1
        for one in pair:
            wait_document(one, guardian("alert", f"{turn}.{good[0]}"))
    assert len(revisions(postgres)) == 1 + taken


def test_rollbacks_and_bypasses_begin_and_end_anywhere(postgres, pair):
    first, second = pair
    second.api.put("/services/shop/bypass", {"seconds": 600, "reason": "an incident"})
    wait_for(lambda: document(first, "bypass/shop.json"), "the bypass", WAIT)
    assert json.loads(document(first, "bypass/shop.json"))["reason"] == "an incident"
    guard(first.state, "bypass", "shop", "--end")
    wait_for(lambda: document(second, "bypass/shop.json") is None, "its end", WAIT)
    assert [row[2] for row in revisions(postgres, "bypass")] == ["an incident", "its file was removed"]

    for _ in range(2):
        drive(first.gate.port, Shop(92).many(1200))
    wait_for(lambda: first.service().get("ready") and second.api.get("/services/shop/generations")["generations"],
             "a generation that both know of", 120)
    generation = second.api.get("/services/shop/generations")["generations"][-1]["generation"]
    second.api.put("/services/shop/rollback", {"generation": generation, "reason": "learned a mistake"})
    wait_for(lambda: first.service()["rolled_back_to"] == generation, "the rollback at the learner", WAIT)
    newest = first.service()["generation"]
    wait_for(lambda: in_place(second.state) >= newest, "its policy", WAIT)
    first.api.ask("DELETE", "/services/shop/rollback?reason=over")
    wait_for(lambda: second.service()["rolled_back_to"] == 0 and document(second, "rollback/shop.json") is None, "its end", WAIT)
    assert revisions(postgres, "rollback")[-1][2] == "over"


def test_who_doesnt_learn_shows_and_decides_what_waits(pair):
    first, second = pair
    drive(first.gate.port, Shop(93).many(900), clients=30)
    shop = Shop(94)
    # Of so many few can lie in two epochs, which would be enough for them to be trusted.
    for i in range(6):
        drive(second.gate.port, [shop.exchange("GET", f"/novelty{i}") for _ in range(5)], clients=5)

    def waits(guardd):
        items = guardd.api.get("/services/shop/review?limit=100")["items"]
        return {item["element"]: item for item in items if item["state"] == "waiting" and item.get("element", "").startswith("novelty")}

    def both():
        seen = [waits(one) for one in pair]
        return len(seen[0]) >= 2 and sorted(seen[0]) == sorted(seen[1]) and seen
    seen = wait_for(both, lambda: f"the same to wait: {[sorted(waits(one)) for one in pair]}", 120)
    accepted, refused = sorted(seen[1])[:2]
    item = seen[1][accepted]
    assert item["id"] == seen[0][accepted]["id"]
    second.api.put("/services/shop/review", {"decision": "accept", "ids": [item["id"]], "why": "the new page"}, method="POST")
    wait_for(lambda: first.service()["review"] == {"accepted": 1, "refused": 0}, "the learner to read it", WAIT)
    wait_for(lambda: all(accepted not in waits(one) for one in pair), "it to wait no more", WAIT)
    wait_for(lambda: refused in waits(second), "the other one to wait still", WAIT)
    # Both may decide one after the other: each has what the other one decided.
    other = waits(second)[refused]
    first.api.put("/services/shop/review", {"decision": "refuse", "ids": [other["id"]], "why": "never seen"}, method="POST")
    wait_for(lambda: second.service()["review"] == {"accepted": 1, "refused": 1}, "both decisions", WAIT)
    # What was decided goes with what was learned, everywhere.
    guard(learner(pair).state, "forget", "--service", "shop", "--reason", "a test")
    wait_for(lambda: all(one.service()["review"] == {"accepted": 0, "refused": 0} for one in pair), "nothing decided", WAIT)
    assert all(document(one, "reviews/shop.json") is None for one in pair)


def test_while_the_database_is_away_files_hold_and_the_api_promises_nothing(postgres, pair):
    first, second = pair
    assert apply(first, guardian("alert", "agreed"), f"If-Match: {etag(first)}").status in (200, 201)
    wait_document(second, guardian("alert", "agreed"))
    postgres.stop()
    wait_for(lambda: all('"event":"not-saved"' in one.log() for one in pair), "the alarm", WAIT)
    answer = apply(first, guardian("block"), f"If-Match: {etag(first)}")
    first.api.problem(answer, 503)
    assert document(first) == guardian("alert", "agreed")
    (first.state / "guardians" / "shop.yaml").write_bytes(guardian("block", "in an emergency"))
    wait_for(lambda: published_mode(first) == "block", "the learner's gates to follow its file", WAIT)
    postgres.start()
    wait_document(second, guardian("block", "in an emergency"))


def test_a_database_that_lost_it_gets_it_again(postgres, pair):
    first, second = pair
    for comment in ("one", "two"):
        assert apply(first, guardian("block", comment), f"If-Match: {etag(first)}").status in (200, 201)
    wait_document(second, guardian("block", "two"))
    postgres.query("DELETE FROM guard.document; DELETE FROM guard.change")
    wait_for(lambda: postgres.query("SELECT kind, revision FROM guard.document") == [["guardian", "1"]], "it to be offered again", WAIT)
    assert document(first) == document(second) == guardian("block", "two")
    assert "change-refused" not in first.log() + second.log()
