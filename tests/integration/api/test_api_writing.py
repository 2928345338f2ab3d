# SPDX-License-Identifier: Apache-2.0
"""What people change through guardd's API: in force like the command line's changes, audited, never half-written."""

import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from talking import Api, curl, wait_for  # noqa: E402
import test_review  # noqa: E402
from test_guardd import BIN, GATE, Guardd, drive, gate, guard, guardd, wait_in_force  # noqa: E402, F401
from test_api_reading import ATTACK, block, learn  # noqa: E402
from traffic import Shop  # noqa: E402

YAML = "application/yaml"


@pytest.fixture
def api(guardd):
    return Api(guardd.state).ready()


def audit(guardd):
    return [json.loads(line) for line in (guardd.state / "audit.jsonl").read_text().splitlines()]


@pytest.fixture
def shop(guardd, api):
    """A service that nobody uses yet."""
    guard(guardd.state, "mode", "alert", "--service", "shop", "--force")
    wait_for(lambda: curl(guardd.state, "/services/shop").status == 200, "the service")
    return "/services/shop"


def test_mode_and_learning_are_in_force_and_audited(guardd, api, shop):
    for path, member, words in (("/mode", "mode", ("block", "observe", "alert")), ("/learning", "learn", ("paused", "on"))):
        for word in words:
            api.put(shop + path, {member: word, "reason": "because \"we\"\n"}, "X-Guard-By: anna \u00e4\x1b")
            wait_for(lambda: api.get(shop + path)[member] == word, f"{member} {word}")
            assert guardd.service()["mode" if member == "mode" else "learn"] == word or wait_for(
                lambda: guardd.service()["mode" if member == "mode" else "learn"] == word, "the status to say so")
    assert guard(guardd.state, "mode", "--service", "shop").strip() == "alert"
    lines = audit(guardd)[1:]
    assert [(line["action"], line["before"], line["after"]) for line in lines] == [
        ("mode", "alert", "block"), ("mode", "block", "observe"), ("mode", "observe", "alert"),
        ("learning", "on", "paused"), ("learning", "paused", "on")]
    for line in lines:
        assert line["by"].startswith("anna ") and "\x1b" not in line["by"]
        assert (line["uid"], line["via"], line["reason"]) == (os.getuid(), "api", "because \"we\"\n")
    api.put(shop + "/mode", {"mode": "alert"})
    assert audit(guardd)[-1]["by"] == f"uid {os.getuid()}"
    assert audit(guardd)[0]["via"] == "cli"
    listed = api.get("/audit?action=learning&limit=1")
    assert listed["changes"][0]["after"] == "on" and listed["next"]


def test_bad_changes_name_the_field_and_change_nothing(guardd, api, shop):
    before = (guardd.state / "guardians/shop.yaml").read_bytes(), len(audit(guardd))
    for path, body, status, field in (
            ("/mode", {"mode": "off"}, 422, "mode"), ("/mode", {}, 422, "mode"), ("/mode", {"mode": "block", "x": 1}, 422, "x"),
            ("/mode", {"mode": ["block"]}, 422, "mode"), ("/mode", b"{", 400, None), ("/mode", b"", 400, None), ("/mode", [], 400, None),
            ("/mode", {"mode": "block", "reason": "r" * 1025}, 422, "reason"),
            ("/learning", {"learn": True}, 422, "learn"), ("/bypass", {"seconds": 60}, 422, "reason"),
            ("/bypass", {"seconds": 86401, "reason": "x"}, 422, "seconds"), ("/bypass", {"seconds": 0, "reason": "x"}, 422, "seconds"),
            ("/bypass", {"seconds": 1e3, "reason": ""}, 422, "seconds"), ("/rollback", {"reason": "x"}, 422, "generation"),
            ("/rollback", {"generation": 7, "reason": "x"}, 422, "generation"),
            ("/rollback", {"time_ms": 7, "reason": "x"}, 422, "time_ms"),
            ("/rollback", {"time_ms": 7, "generation": 1, "reason": "x"}, 422, "generation")):
        answer = api.ask("PUT", shop + path, body)
        assert answer.status == status, (path, body, answer.body)
        assert api.problem(answer, status, answer.json().get("field")).get("field") == field, (path, body, answer.body)
    for body, field in (({"decision": "accept", "ids": ["123456789abc"]}, "why"),
                        ({"decision": "accept", "ids": ["123456789abc"], "why": "x"}, "ids[0]"),
                        ({"decision": "accept", "ids": [], "why": "x"}, "ids"), ({"decision": "reset"}, "ids"),
                        ({"decision": "yes", "ids": ["1"], "why": "x"}, "decision")):
        api.problem(api.ask("POST", shop + "/review", body), 422, field)
    api.problem(api.ask("PUT", shop + "/mode", {"mode": "block"}, type="text/plain"), 415, "Content-Type")
    api.problem(api.ask("PUT", "/services/other/mode", {"mode": "block"}), 404, "service")
    api.problem(api.ask("DELETE", shop + "/rollback"), 409)
    api.problem(api.ask("PUT", "/alerts/none/triage", {"state": "true"}), 404, "id")
    assert before == ((guardd.state / "guardians/shop.yaml").read_bytes(), len(audit(guardd)))
    assert not list((guardd.state / "bypass").iterdir()) and not list((guardd.state / "rollback").iterdir())


def test_guardians_are_replaced_by_who_knows_them(guardd, api, shop):
    path = shop + "/guardian"
    shown = api.ask("GET", path, headers=[f"Accept: {YAML}"])
    assert shown.status == 200 and shown.headers["content-type"] == YAML
    assert shown.body == (guardd.state / "guardians/shop.yaml").read_bytes()
    tag = shown.headers["etag"]
    assert api.ask("GET", path, headers=[f"If-None-Match: {tag}"]).status == 304
    changed = shown.body.replace(b"mode: alert", b"mode: block # why\n", 1)
    assert changed != shown.body
    api.problem(api.ask("PUT", path, changed, type=YAML), 428, "If-Match")
    api.problem(api.ask("PUT", path, changed, ['If-Match: "0123456789abcdef0123456789abcdef"'], YAML), 412, "If-Match")
    api.problem(api.ask("PUT", path, changed, ["If-None-Match: *"], YAML), 412, "If-None-Match")
    assert (guardd.state / "guardians/shop.yaml").read_bytes() == shown.body
    count = len(audit(guardd))
    dry = api.ask("PUT", path + "?dryRun=true", changed, [f"If-Match: {tag}"], YAML)
    assert dry.status == 200 and dry.json()["applied"] is False
    assert {line[:2] for line in dry.json()["differences"]} == {"- ", "+ "} and any("block" in line for line in dry.json()["differences"])
    assert (guardd.state / "guardians/shop.yaml").read_bytes() == shown.body and len(audit(guardd)) == count
    done = api.ask("PUT", path + "?reason=ready", changed, [f"If-Match: {tag}", "X-Guard-By: anna"], YAML)
    assert done.status == 200 and done.json()["applied"] is True and done.headers["etag"] != tag
    assert (guardd.state / "guardians/shop.yaml").read_bytes() == changed  # comments and all
    wait_for(lambda: api.get(shop + "/mode")["mode"] == "block", "guardd to follow")
    line = audit(guardd)[-1]
    assert (line["action"], line["by"], line["reason"]) == ("guardian", "anna", "ready")
    assert "alert" in line["before"] and "block" in line["after"]
    api.problem(api.ask("PUT", path, shown.body, [f"If-Match: {tag}"], YAML), 412, "If-Match")  # it was read before
    # As JSON there and back: the same Guardian.
    text = api.get(path)
    tag = api.ask("GET", path).headers["etag"]
    back = api.ask("PUT", path, json.dumps(text).encode(), [f"If-Match: {tag}"])
    assert back.status == 200 and back.json()["differences"] == [], back.body


def test_bad_guardians_are_told_by_line_and_member(guardd, api, shop):
    path = shop + "/guardian"
    good = (guardd.state / "guardians/shop.yaml").read_text()
    tag = api.ask("GET", path).headers["etag"]
    bad = good.replace("mode: alert", "mode: sometimes", 1)
    line = next(i for i, text in enumerate(bad.splitlines(), 1) if "sometimes" in text)
    answer = api.ask("PUT", path + "?dryRun=true", bad.encode(), [f"If-Match: {tag}"], YAML)
    problem = api.problem(answer, 422, answer.json().get("field"))
    assert problem["line"] == line and problem["column"] > 0 and "mode" in problem["field"]
    answer = api.ask("PUT", path, good.replace("shop", "soap").encode(), [f"If-Match: {tag}"], YAML)
    api.problem(answer, 422, "service")
    for body in (b"", b"{", b"- a", b"a: &x b", b"\xff\xfe", b"[" * 100):
        assert api.ask("PUT", path, body, [f"If-Match: {tag}"], YAML).status == 422, body
    assert (guardd.state / "guardians/shop.yaml").read_text() == good
    # One that somebody broke in its file is shown as it stands, and can be replaced.
    (guardd.state / "guardians/shop.yaml").write_text("mode: [")
    wait_for(lambda: api.get(shop)["guardian_error"], "guardd to refuse it")
    broken = api.ask("GET", path, headers=[f"Accept: {YAML}"])
    assert broken.body == b"mode: ["
    api.problem(api.ask("GET", path), 422)
    done = api.ask("PUT", path, good.encode(), [f"If-Match: {broken.headers['etag']}"], YAML)
    assert done.status == 200, done.body
    wait_for(lambda: api.get(shop)["guardian_error"] == "", "guardd to take it")


def test_a_new_service_must_be_called_new(guardd, api):
    known = guard(guardd.state, "mode", "alert", "--service", "fresh2", "--force") and (
        guardd.state / "guardians/fresh2.yaml").read_bytes()
    text = known.replace(b"fresh2", b"fresh")
    api.problem(api.ask("PUT", "/services/fresh/guardian", text, ["If-Match: *"], YAML), 404, "service")
    done = api.ask("PUT", "/services/fresh/guardian", text, ["If-None-Match: *"], YAML)
    assert done.status == 201, done.body
    wait_for(lambda: curl(guardd.state, "/services/fresh").status == 200, "guardd to know it")
    for name in ("..", ".x", "a b", "a" * 65):
        answer = api.ask("PUT", f"/services/{name.replace(' ', '%20')}/guardian", text, ["If-None-Match: *"], YAML)
        assert answer.status in (404, 422), (name, answer.body)


def test_of_many_who_replace_one_document_one_wins(guardd, api, shop):
    path = shop + "/guardian"
    text = (guardd.state / "guardians/shop.yaml").read_bytes()
    tag = api.ask("GET", path).headers["etag"]
    results = []

    def put(number):
        body = text.replace(b"\n", b" # %d\n" % number, 1)
        results.append((number, api.ask("PUT", path, body, [f"If-Match: {tag}"], YAML).status))
    threads = [threading.Thread(target=put, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [number for number, status in results if status == 200]
    assert len(won) == 1 and {status for _, status in results} <= {200, 409, 412}, results
    assert b" # %d\n" % won[0] in (guardd.state / "guardians/shop.yaml").read_bytes()


def test_a_document_that_somebody_is_changing_is_left_alone(guardd, api, shop):
    import fcntl
    lock = os.open(guardd.state / "guardians", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    api.problem(api.ask("PUT", shop + "/mode", {"mode": "block"}), 409)
    os.close(lock)
    api.put(shop + "/mode", {"mode": "block"})


def test_a_change_that_cannot_be_audited_is_not_made(guardd, api, shop):
    (guardd.state / "audit.jsonl").rename(guardd.state / "audit.old")
    (guardd.state / "audit.jsonl").mkdir()
    before = (guardd.state / "guardians/shop.yaml").read_bytes()
    api.problem(api.ask("PUT", shop + "/mode", {"mode": "block"}), 507)
    api.problem(api.ask("PUT", shop + "/bypass", {"seconds": 60, "reason": "x"}), 507)
    tag = api.ask("GET", shop + "/guardian").headers["etag"]
    answer = api.ask("PUT", shop + "/guardian", before.replace(b"alert", b"block"), [f"If-Match: {tag}"], YAML)
    assert b"guardians" not in api.ask("PUT", shop + "/mode", {"mode": "block"}).body
    api.problem(answer, 507)
    assert (guardd.state / "guardians/shop.yaml").read_bytes() == before and not list((guardd.state / "bypass").iterdir())


def test_the_gate_follows_bypass_rollback_and_review(guardd, api, gate):
    shop = Shop(601)
    learn(guardd, gate, shop)
    api.put("/services/shop/mode", {"mode": "block", "reason": "ready"})
    wait_for(lambda: drive(gate.port, [shop.exchange("GET", ATTACK)]) == [403], "the gate to block")
    api.put("/services/shop/bypass", {"seconds": 600, "reason": "a release"})
    wait_for(lambda: drive(gate.port, [shop.exchange("GET", ATTACK)]) == [200], "the bypass")
    assert "BYPASSED" in guard(guardd.state, "status")
    api.put("/services/shop/bypass", None, method="DELETE")
    wait_for(lambda: drive(gate.port, [shop.exchange("GET", ATTACK)]) == [403], "its end")
    kept = wait_for(lambda: api.get("/services/shop/generations")["generations"], "a generation that is kept")
    first = kept[0]
    api.put("/services/shop/rollback", {"time_ms": first["created_ms"], "seconds": 600, "reason": "to the begin"})
    wait_for(lambda: api.get("/services/shop/rollback")["rolled_back_to"] == first["generation"], "the rollback")
    wait_for(lambda: "in force" in guard(guardd.state, "rollback", "shop"), "the status to say so")
    assert api.get("/services/shop/rollback")["rollback"]["reason"] == "to the begin"
    api.put("/services/shop/rollback", None, method="DELETE")
    wait_for(lambda: api.get("/services/shop/rollback")["rolled_back_to"] == 0, "its end")
    alert = wait_for(lambda: api.get("/alerts")["alerts"], "an alert")[0]
    api.put(f"/alerts/{alert['id']}/triage", {"state": "false", "reason": "a test"}, "X-Guard-By: anna")
    assert "[false]" in guard(guardd.state, "alerts", "--id", alert["id"])
    said = api.get(f"/alerts/{alert['id']}/triage")
    assert (said["by"], said["state"], said["reason"]) == ("anna", "false", "a test")
    api.problem(api.ask("PUT", f"/alerts/{alert['id']}/triage", {"state": "maybe"}), 422, "state")
    assert [line["action"] for line in audit(guardd)] == ["mode", "bypass", "bypass", "rollback", "rollback", "triage"]


def test_the_review_is_decided_as_by_the_command_line(guardd, api, gate):
    shop = Shop(602)
    test_review.learn(guardd, gate, shop)
    test_review.novelties(gate, shop, "/new{}")

    def of(state):
        items, cursor = [], ""
        while cursor is not None:
            page = api.get("/services/shop/review?limit=3" + cursor)
            items, cursor = items + page["items"], page["next"] and "&cursor=" + page["next"]
        return [item for item in items if item["state"] == state and item["kind"] == "path" and item["element"].startswith("new")]
    item = wait_for(lambda: of("waiting"), "something that waits")[0]
    assert item["clients"] >= 4 and item["lacks"] == "1 more epoch" and 0 < item["first_ms"] <= time.time() * 1000
    body = {"decision": "accept", "ids": [item["id"]], "why": "the new report"}
    assert api.put("/services/shop/review", body, "X-Guard-By: anna", method="POST")["decided"] == 1
    wait_for(lambda: guardd.service()["review"]["accepted"] == 1, "guardd to follow")
    assert item["id"] not in [other["id"] for other in of("waiting")]
    decided = of("accept")
    assert [(other["id"], other["by"], other["why"]) for other in decided] == [(item["id"], "anna", "the new report")]
    wait_for(lambda: drive(gate.port, [shop.exchange("GET", "/" + item["element"])]) == [200], "the gate to let it pass")
    line = audit(guardd)[-1]
    assert (line["action"], line["before"], line["after"].split()[:2]) == ("review", "waiting", ["accept", item["id"]])
    text = guard(guardd.state, "review", "--service", "shop")
    assert item["id"] in text and "anna" in text and "the new report" in text
    api.put("/services/shop/review", {"decision": "reset", "ids": [item["id"]]}, method="POST")
    wait_for(lambda: guardd.service()["review"]["accepted"] == 0, "it to be taken back")
    assert audit(guardd)[-1]["before"] == "accept"


def test_killed_in_the_middle_of_writes_nothing_is_half_written(guardd, api, shop):
    dice = random.Random(603)
    text = (guardd.state / "guardians/shop.yaml").read_bytes()
    sizes = [text + b"#" + b"x" * 200_000 + b"\n", text + b"#" + b"y" * 3 + b"\n"]
    kills = 12
    for _ in range(kills):
        stop = threading.Event()
        before = len((guardd.state / "audit.jsonl").read_text().splitlines())

        def write():
            number = 0
            while not stop.is_set():
                number += 1
                curl(guardd.state, shop + "/guardian", "-X", "PUT", "-H", f"Content-Type: {YAML}", "-H", "If-Match: *", "--data-binary",
                     "@-", data=sizes[number % 2])
        threads = [threading.Thread(target=write) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len((guardd.state / "audit.jsonl").read_text().splitlines()) > before + 1, "writes under way")
        time.sleep(dice.random() * 0.05)
        guardd.kill()
        stop.set()
        for thread in threads:
            thread.join()
        assert (guardd.state / "guardians/shop.yaml").read_bytes() in sizes
        guardd.start()
        api.ready()
        assert api.get(shop)["guardian_error"] == ""
    # The kernel may have cut the line that was being appended: each kill costs one at most, and none of the others.
    bad = 0
    for line in (guardd.state / "audit.jsonl").read_text().splitlines():
        try:
            json.loads(line)
        except ValueError:
            bad += 1
    assert bad <= kills and api.get("/audit?limit=100")["changes"], bad
