# SPDX-License-Identifier: Apache-2.0
"""What the learner holds back, and people's decisions about it, from the queue to what the gate does."""

import itertools
import json
import pathlib
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from conftest import BIN, wait_for  # noqa: E402
from talking import Api  # noqa: E402
from test_guardd import Client, drive, gate, guard, guardd, wait_in_force  # noqa: E402, F401
from traffic import Shop  # noqa: E402

# So much may be blocked in vain that what is only half proved (it waits) is blocked, too.
GUARDIAN = "apiVersion: guard/v1alpha1\nkind: Guardian\nservice: shop\ncontrol: {mode: alert, falseAlarmBudget: 0.05}\n"


def queue(state, *options):
    return [json.loads(line) for line in guard(state, "review", "--service", "shop", "--format", "jsonl", *options).splitlines()]


def waiting(state):
    return {item["id"]: item for item in queue(state) if item["state"] == "waiting"}


def refused(state, *arguments):
    done = subprocess.run([BIN / "guard", "review", *map(str, arguments), "--state", state], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def set_mode(guardd, gate, shop, mode):
    """Publishes, so that what was learned up to now is exported, too."""
    guard(guardd.state, "mode", mode, "--service", "shop")
    wait_for(lambda: guardd.service()["mode"] == mode, f"mode {mode}")
    wait_in_force(guardd, gate, shop, ready=False)  # what was just accepted isn't ready yet


def get(gate, shop, target):
    return drive(gate.port, [shop.exchange("GET", target)])[0]


def five(gate, shop, targets):
    """Each target once from each of five clients: enough in number, not in epochs."""
    for target in targets:
        assert set(drive(gate.port, [shop.exchange("GET", target) for _ in range(5)], clients=5)) == {200}


def learn(guardd, gate, shop):
    (guardd.state / "guardians" / "shop.yaml").write_text(GUARDIAN)
    drive(gate.port, shop.many(2400), clients=40)
    guardd.wait_exchanges(2400)
    wait_for(lambda: guardd.service().get("ready"), "the service to be ready")
    wait_in_force(guardd, gate, shop)


def novelties(gate, shop, form):
    """Three new things; at most one of them can lie in two epochs, each of which has more records."""
    for i in range(3):
        five(gate, shop, [form.format(i)])


def wait_listed(guardd, kind, member):
    def listed():
        return [item for item in waiting(guardd.state).values() if item["kind"] == kind and item[member].startswith("new")]
    found = wait_for(lambda: len(listed()) >= 2 and listed(), f"two things of kind {kind} that wait")
    return {item[member]: item for item in found}


def test_what_waits_is_accepted_and_stays_so(guardd, gate):
    shop = Shop(81)
    learn(guardd, gate, shop)
    begin = time.time()
    novelties(gate, shop, "/new{}")
    novelties(gate, shop, "/users?username=tom&new{}=7")
    end = time.time()
    set_mode(guardd, gate, shop, "block")
    paths = wait_listed(guardd, "path", "element")
    fields = wait_listed(guardd, "name", "name")
    name, item = next(iter(paths.items()))
    other = next(path for path in paths if path != name)
    assert item["clients"] >= 4 and item["epochs"] == 1 and item["lacks"] == "1 more epoch" and item["likeness"] == []
    wait_for(lambda: get(gate, shop, f"/{name}") == 403 and get(gate, shop, f"/{other}") == 403, "what waits to be blocked")
    text = guard(guardd.state, "review")
    assert f"{item['id']}  /{name}: segment {name}" in text and "lacks 1 more epoch; first at " in text
    assert begin - 2 <= item["first_ms"] / 1000 <= end, "the gate's clock said when it was first seen"

    field = next(iter(fields.values()))
    assert (field["method"], field["path"], field["in"]) == ("GET", "/users", "query")
    assert "--why" in refused(guardd.state, "accept", item["id"])
    assert "nothing has the id" in refused(guardd.state, "accept", item["id"], "0123456789ab", "--why", "x")
    assert not (guardd.state / "reviews" / "shop.json").exists()  # one of them was wrong: none was accepted
    guard(guardd.state, "review", "accept", item["id"], field["id"], "--by", "tom", "--why", "the new report")
    wait_for(lambda: guardd.service()["review"] == {"accepted": 2, "refused": 0}, "guardd to read it")
    wait_for(lambda: get(gate, shop, f"/{name}") == 200, "what was accepted to pass")
    assert get(gate, shop, f"/users?username=tom&{field['name']}=7") == 200
    assert get(gate, shop, f"/{other}") == 403
    assert "the new report" in guard(guardd.state, "review") and item["id"] not in waiting(guardd.state)
    audit = [json.loads(line) for line in (guardd.state / "audit.jsonl").read_text().splitlines()]
    assert [line["reason"] for line in audit if line["action"] == "review"] == ["the new report"] * 2

    # Neither does a kill as soon as the decision was answered: it is in force when guardd is back.
    guard(guardd.state, "review", "accept", paths[other]["id"], "--by", "tom", "--why", "the other report")
    guardd.kill()
    before = guardd.service()["generation"]
    guardd.start()
    wait_for(lambda: guardd.service()["generation"] > before, "a generation after the kill")
    wait_for(lambda: get(gate, shop, f"/{other}") == 200, "what was accepted last to pass")
    assert get(gate, shop, f"/{name}") == 200 and get(gate, shop, f"/users?username=tom&{field['name']}=7") == 200
    guard(guardd.state, "review", "reset", paths[other]["id"])
    wait_for(lambda: get(gate, shop, f"/{other}") == 403, "it to be taken back")

    # A restart changes nothing, and neither does a document that can't be read.
    guardd.stop()
    before = guardd.service()["generation"]
    guardd.start()
    wait_for(lambda: guardd.service()["generation"] > before, "a generation after the restart")
    wait_in_force(guardd, gate, shop, ready=False)
    assert get(gate, shop, f"/{name}") == 200 and get(gate, shop, f"/{other}") == 403
    document = guardd.state / "reviews" / "shop.json"
    good = document.read_text()
    document.write_text(good.replace('"decision":"accept"', '"decision":"allow"', 1))
    complaint = "shop.json:3:37: decision: must be accept or refuse (at decisions[0].decision)"
    wait_for(lambda: complaint in guardd.service()["review_error"], "the complaint")
    assert any(complaint in line and "the last good one stays in force" in line for line in guardd.log().splitlines())
    assert complaint in refused(guardd.state, "accept", item["id"], "--why", "x") and complaint in refused(guardd.state)
    assert "Review refused" in guard(guardd.state, "status")
    set_mode(guardd, gate, shop, "alert")
    set_mode(guardd, gate, shop, "block")
    assert get(gate, shop, f"/{name}") == 200 and get(gate, shop, f"/{other}") == 403
    document.write_text(good)
    wait_for(lambda: guardd.service()["review_error"] == "", "the good document")


def test_what_is_refused_is_never_learned_by_being_repeated(guardd, gate):
    shop = Shop(82)
    learn(guardd, gate, shop)
    novelties(gate, shop, "/new{}")
    set_mode(guardd, gate, shop, "block")
    paths = wait_listed(guardd, "path", "element")
    bad, item = next(iter(paths.items()))
    guard(guardd.state, "review", "refuse", "--all", "--service", "shop", "--why", "old pages, to be closed")
    wait_for(lambda: guardd.service()["review"]["refused"] >= 2, "guardd to read it")

    set_mode(guardd, gate, shop, "alert")
    # The gate must let it pass: what is blocked teaches nothing.
    wait_for(lambda: get(gate, shop, f"/{bad}") == 200, "mode alert in the gate")
    for _ in range(4):
        drive(gate.port, [shop.exchange("GET", f"/{bad}") if i % 3 == 0 else shop.benign() for i in range(720)], clients=40)
    wait_for(lambda: guardd.service()["exchanges"] >= 2400 + 4 * 720, "what was repeated")
    set_mode(guardd, gate, shop, "block")
    wait_for(lambda: get(gate, shop, f"/{bad}") == 403, "what is refused to be blocked")
    guardd.stop()
    before = guardd.service()["generation"]
    guardd.start()
    wait_for(lambda: guardd.service()["generation"] > before, "a generation after the restart")
    wait_in_force(guardd, gate, shop, ready=False)
    assert get(gate, shop, f"/{bad}") == 403
    assert bad in [item["element"] for item in queue(guardd.state) if item["state"] == "refuse"]

    # Without the refusal all of this had been enough to learn it.
    guard(guardd.state, "review", "reset", item["id"])
    wait_for(lambda: get(gate, shop, f"/{bad}") == 200, "what isn't refused any more to be learned")


@pytest.mark.parametrize("state_word", ["rare", "false"])
def test_what_is_reported_where_nothing_waits(tmp_path, state_word):
    """Without guardd: the log of alerts and the words on them are all that is needed."""
    state = tmp_path / "state"
    (state / "guardians").mkdir(parents=True)
    (state / "guardians" / "shop.yaml").write_text(GUARDIAN)
    finding = {"part": "request", "location": "query", "name": "username", "rule": "character", "observed": '"=" in aaa=0',
               "expected": "as seen before", "p": 0.001}
    alerts = [{"time_ms": 1795782679000 + i, "id": f"{i:016x}", "service": service, "verdict": "block", "action": action,
               "method": "GET", "template": "/users", "status": 403, "client": "10.0.0.1", "explanation": "BLOCK \x1b[31m",
               "findings": [finding], "count": count}
              for i, (service, action, count) in enumerate([("shop", "block", 3), ("shop", "alert", 1), ("till", "block", 1)])]
    (state / "alerts.jsonl").write_text("".join(json.dumps(alert) + "\n" for alert in alerts))
    guard(state, "triage", f"{0:016x}", state_word)
    items = queue(state)
    assert [(item["state"], item["reported"], item["blocked"], item["triage"], item["alert"]) for item in items] == [
        ("reported", 4, 3, state_word, f"{1:016x}")]
    text = guard(state, "review", "--service", "shop")
    assert f"triaged: {state_word}" in text and "blocked 3 times" in text and "\x1b" not in text
    guard(state, "triage", f"{1:016x}", "true")
    assert queue(state) == []  # an attack isn't to be let in


def test_of_an_alert_just_what_it_tells_is_accepted(guardd, gate):
    shop = Shop(83)
    learn(guardd, gate, shop)
    novelties(gate, shop, "/users?username=tom&new{}=7")
    novelties(gate, shop, "/new{}")
    set_mode(guardd, gate, shop, "block")
    fields = wait_listed(guardd, "name", "name")
    names = sorted(fields)
    api = Api(guardd.state).ready()

    probes = itertools.count()

    def told(name, after=-1):
        """Its alert, once there is one behind that time; each time from another address, as one of them has a quota of alerts."""
        client = Client(gate.port, f"127.3.{next(probes) % 250}.1")
        client.send(shop.exchange("GET", f"/users?username=tom&{name}=7"))
        client.close()
        return next((alert for alert in api.get("/alerts?limit=100")["alerts"] if alert["last_ms"] > after and
                     [(finding["name"], finding["rule"]) for finding in alert["findings"]] == [(name, "name")]), None)
    alert = wait_for(lambda: told(names[0]), "its alert")
    # What would teach it, and nothing else.
    said = api.get(f"/alerts/{alert['id']}/review")
    assert said["taught"] == 1 and said["findings"][0]["why_not"] == ""
    assert [item["id"] for item in said["findings"][0]["items"]] == [fields[names[0]]["id"]]
    assert not said["findings"][0]["items"][0]["attack"]
    dry = guard(guardd.state, "review", "accept", "--alert", alert["id"], "--dry-run")
    assert dry.startswith(f"shop: would accept {fields[names[0]]['id']} GET /users query {names[0]}") and len(dry.splitlines()) == 1
    ids = {"decision": "accept", "ids": [fields[names[0]]["id"]]}
    assert api.put("/services/shop/review?dryRun=true", ids, method="POST")["decided"] == 1
    assert not (guardd.state / "reviews" / "shop.json").exists() and "--why" in refused(guardd.state, "accept", "--alert", alert["id"])
    guard(guardd.state, "review", "accept", "--alert", alert["id"], "--why", "the new form")
    wait_for(lambda: guardd.service()["review"] == {"accepted": 1, "refused": 0}, "guardd to read it")
    wait_in_force(guardd, gate, shop, ready=False)
    assert fields[names[0]]["id"] not in waiting(guardd.state) and fields[names[1]]["id"] in waiting(guardd.state), "just this one"
    quiet = int(time.time() * 1000)
    get(gate, shop, f"/users?username=tom&{names[0]}=7")
    wait_for(lambda: told("unheardof", quiet), "an alert of what nobody sent before")
    assert not [one for one in api.get("/alerts?limit=100")["alerts"] if one["last_ms"] > quiet and one["findings"][0]["name"] == names[0]]
    # Now it says why there is nothing any more, and of what a person decides by other means as well.
    said = api.get(f"/alerts/{alert['id']}/review")
    assert said["taught"] == 0 and said["findings"][0]["items"] == [] and "nothing waits there" in said["findings"][0]["why_not"]
    assert "nothing waits of what alert" in refused(guardd.state, "accept", "--alert", alert["id"], "--why", "x")
    assert "no alert that is kept" in refused(guardd.state, "accept", "--alert", "0" * 32, "--why", "x")
    api.problem(api.ask("GET", f"/alerts/{'0' * 32}/review"), 404, "id")
    assert "--alert says what is meant" in refused(guardd.state, "accept", fields[names[1]]["id"], "--alert", alert["id"], "--why", "x")
    # A path is told by its shape: each of the same shape is named, none is accepted unasked.
    paths = {item["element"]: item["id"] for item in waiting(guardd.state).values() if item["kind"] == "path"}
    name = next(iter(paths))
    assert get(gate, shop, "/" + name) == 403
    path_alert = wait_for(lambda: next((one for one in api.get("/alerts?action=block&limit=100")["alerts"]
                                        if one["findings"][0]["rule"] == "path"), None), "the alert of a path")
    said = api.get(f"/alerts/{path_alert['id']}/review")
    assert {item["id"] for item in said["findings"][0]["items"]} == set(paths.values())
    if len(paths) > 1:
        assert "guard review accept ID" in refused(guardd.state, "accept", "--alert", path_alert["id"], "--why", "x")
    # It is taken back as every decision; going back to an older generation would keep it.
    guard(guardd.state, "review", "reset", fields[names[0]]["id"])
    wait_for(lambda: guardd.service()["review"] == {"accepted": 0, "refused": 0}, "it to be taken back")
