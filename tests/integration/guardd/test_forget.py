# SPDX-License-Identifier: Apache-2.0
"""`guard forget`: what is kept of a client is gone from every file, what is kept of others stays byte by byte, with and without a
running guardd and through kills; what was learned of a service is gone from the store."""

import json
import random
import sqlite3
import subprocess
import sys
import pathlib
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN, wait_for  # noqa: E402
from test_guardd import GATE, Guardd, drive, gate, guard, guardd  # noqa: E402,F401 - fixtures
from traffic import Shop  # noqa: E402
from waiting import PATIENCE as WAIT  # noqa: E402

WHO = "203.0.113.77"
PREFIX = "203.0.113.0/24"
NOW = int(time.time() * 1000)  # guardd drops what is old
LOGS = ["alerts.jsonl", "alerts.jsonl.1", "alerts.jsonl.2", "alerts.jsonl.3", "alerts.jsonl.4"]


def alert(number, client, service="shop"):
    return json.dumps({"time_ms": NOW + number, "id": f"{number:032x}", "service": service, "client": client, "explanation": "BLOCK",
                       "findings": [], "count": 1})


def fill(state):
    """Logs in which every third line is of the client, in one of its spellings; returns the lines of others by file."""
    others = {}
    chance = random.Random(7)
    for age, name in enumerate(LOGS):
        lines = []
        for number in range(300):
            mine = number % 3 == 0
            client = chance.choice([WHO, PREFIX]) if mine else f"198.51.100.{number % 250}"
            lines.append((mine, alert(1000 * age + number, client)))
        (state / name).write_text("".join(text + "\n" for _, text in lines))
        others[name] = [text for mine, text in lines if not mine]
    until = int(time.time() * 1000) + 3600_000
    verdict = {"rule": "client-rate", "detail": 1, "expected": 1, "since_ms": 1, "until_ms": until, "why": "x"}
    (state / "guardians").mkdir(exist_ok=True)
    (state / "guardians" / "shop.yaml").write_text("service: shop\ncontrol:\n  mode: block\n")
    (state / "clients").mkdir(exist_ok=True)
    (state / "clients" / "shop.json").write_text(json.dumps({"service": "shop", "verdicts": [
        {"client": PREFIX, "code": f"{1:016x}", **verdict}, {"client": "198.51.100.0/24", "code": f"{2:016x}", **verdict}]}))
    (state / "clients" / "shop.lifts").write_text(json.dumps({"lifts": [
        {"client": PREFIX, "until_ms": 1, "reason": "r", "by": "b"},  # over: it would end the verdict
        {"client": "192.0.2.0/24", "until_ms": until, "reason": "r", "by": "b"}]}))
    for name in ("audit.jsonl", "audit.jsonl.2", "looks.jsonl.1"):
        (state / name).write_text(json.dumps({"action": "clients lift", "after": f"{PREFIX} for 60 s", "reason": f"asked by {WHO}."})
                                  + "\n" + json.dumps({"action": "mode", "after": "block", "reason": "1203.0.113.77 stays"}) + "\n")
    return others


def files_with(state, text):
    return sorted(str(path.relative_to(state)) for path in state.rglob("*")
                  if path.is_file() and "rings" not in path.parts and text.encode() in path.read_bytes())


def contents(state):
    return {name: (state / name).read_bytes() for name in [*LOGS, "audit.jsonl.2", "clients/shop.lifts"]}


def check_forgotten(state, others):
    for name, lines in others.items():
        assert (state / name).read_text().splitlines() == lines, name
    assert files_with(state, f'"{WHO}') + files_with(state, f" {WHO}") + files_with(state, PREFIX) == []
    audit = [json.loads(line) for line in (state / "audit.jsonl.2").read_text().splitlines()]
    assert audit[0]["after"] == "forgotten for 60 s" and audit[0]["reason"] == "asked by forgotten."
    assert audit[1]["reason"] == "1203.0.113.77 stays"
    assert "192.0.2.0/24" in (state / "clients" / "shop.lifts").read_text()
    assert "198.51.100.0/24" in (state / "clients" / "shop.json").read_text()
    assert list((state / "forget").iterdir()) == []
    assert '"action":"forget"' in (state / "audit.jsonl").read_text()


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def running(state):
    daemon = Guardd(state)
    yield daemon
    if daemon.process is not None:
        daemon.stop()


@pytest.mark.parametrize("runs", [True, False])
def test_a_client_is_gone_from_every_file(state, running, runs):
    others = fill(state)
    whole = (state / "clients" / "shop.lifts").read_text()
    if runs:
        running.start()
        wait_for(lambda: PREFIX in (state / "clients" / "shop.json").read_text() and (state / "verdicts" / "shop.table").exists(),
                 "the verdicts to be read", WAIT)
        # What is over goes by itself, soon after the start and then each hour: it is laid down again behind that.
        lifts = state / "clients" / "shop.lifts"
        wait_for(lambda: PREFIX not in lifts.read_text(), "what is over to be dropped", WAIT)
        lifts.write_text(whole)
    before = contents(state)
    said = guard(state, "forget", "--client", WHO, "--dry-run")
    assert "would be dropped" in said and "500 lines of alerts" in said and "1 verdicts" in said and "1 lifts" in said, said
    assert contents(state) == before
    said = guard(state, "forget", "--client", WHO, "--reason", "asked for")
    assert "500 lines of alerts" in said and "3 lines of the audit log" in said and "not dropped:" in said, said
    check_forgotten(state, others)
    again = guard(state, "forget", "--client", WHO, "--reason", "asked for")
    assert "lines of alerts" not in again, again
    check_forgotten(state, others)


def test_a_prefix_names_all_its_addresses_and_an_address_only_itself(state, running):
    lines = [alert(1, "203.0.113.5"), alert(2, "203.0.113.9"), alert(3, "203.0.114.5"), alert(4, "203.0.113.5", "other")]
    (state / "guardians").mkdir()
    (state / "guardians" / "shop.yaml").write_text("service: shop\n")
    (state / "alerts.jsonl").write_text("".join(line + "\n" for line in lines))
    guard(state, "forget", "--client", "203.0.113.5", "--service", "shop", "--reason", "r")
    assert (state / "alerts.jsonl").read_text().splitlines() == lines[1:]
    guard(state, "forget", "--client", PREFIX, "--reason", "r")
    assert (state / "alerts.jsonl").read_text().splitlines() == [lines[2]]


def test_a_kill_leaves_the_old_file_or_the_new_one(state, running):
    """What was asked for is done after the restart, and no line of others is lost or doubled."""
    for turn in range(6):
        others = fill(state)
        padding = [alert(10**6 + i, f"198.51.100.{i % 250}") for i in range(20000)]
        with open(state / "alerts.jsonl.2", "a", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in padding))
        others["alerts.jsonl.2"] += padding
        running.start()
        request = state / "forget" / f"{turn:016x}.json"
        temporary = request.with_suffix(".tmp")
        temporary.write_text(json.dumps({"client": WHO, "service": "", "generations": False, "dry_run": False}))
        temporary.rename(request)
        time.sleep(0.05 * turn)
        running.kill()
        for name, lines in others.items():
            found = [line for line in (state / name).read_text().splitlines() if WHO not in line and PREFIX not in line]
            assert found == lines, name
        running.start()
        done = request.with_suffix(".done")
        wait_for(done.exists, "the report", WAIT)
        wait_for(lambda: not request.exists(), "the request to be gone", WAIT)
        assert json.loads(done.read_text())["done"] is True
        done.unlink()
        for name, lines in others.items():
            assert (state / name).read_text().splitlines() == lines, name
        assert running.stop() == 0


def test_what_is_no_request_changes_nothing(state, running):
    others = fill(state)
    before = contents(state)
    running.start()
    texts = ["", "{", "[]", '{"client":"nobody"}', '{"client":"","service":""}', '{"service":"../x"}', '{"client":["203.0.113.77"]}',
             "{\"client\":\"" + "1" * 5000 + "\"}"]
    for number, text in enumerate(texts):
        temporary = state / "forget" / "x.tmp"
        temporary.write_text(text)
        temporary.rename(state / "forget" / f"{number:016x}.json")
    for number in range(len(texts)):
        done = state / "forget" / f"{number:016x}.done"
        wait_for(done.exists, "the report", WAIT)
        report = json.loads(done.read_text())
        assert report["done"] is False and report["error"], report
    assert contents(state) == before and others
    wait_for(lambda: running.log().count('"event":"not-forgotten"') == len(texts), "all to be told of")
    wrong = subprocess.run([BIN / "guard", "forget", "--client", "nobody", "--reason", "r", "--state", state], capture_output=True,
                           text=True, timeout=60, check=False)
    assert wrong.returncode == 2


def test_what_was_learned_of_a_service_is_gone(guardd, gate):
    shop = Shop(91)
    drive(gate.port, shop.many(600))
    guardd.wait_exchanges(600)
    wait_for(lambda: guardd.service()["generation"] > 0, "a policy", WAIT)

    def pile_size():
        with sqlite3.connect(f"file:{guardd.state}/guard.db?mode=ro", uri=True) as database:
            return database.execute("SELECT length(pile), key FROM service WHERE name = 'shop'").fetchone()
    wait_for(lambda: (pile_size() or (0,))[0], "the pile", WAIT)
    size, key = pile_size()
    generation = guardd.service()["generation"]
    said = guard(guardd.state, "forget", "--service", "shop", "--reason", "moved away")
    assert "1 services" in said and "not dropped:" in said
    wait_for(lambda: guardd.service()["generation"] > generation and guardd.service()["exchanges"] == 0, "an empty policy", WAIT)
    # The gate takes it, as its number is higher.
    def taken():
        drive(gate.port, [shop.exchange("GET", "/users?username=tom")])
        return int((gate.prefix / "count.log").read_text().splitlines()[-1].split()[-1].replace("-", "0")) > generation
    wait_for(taken, "the gate to take it", WAIT)
    wait_for(lambda: guardd.service()["exchanges"] > 0, "learning to begin anew", WAIT)
    assert guardd.service()["exchanges"] < 600
    assert guardd.stop() == 0
    assert pile_size()[1] != key and pile_size()[0] < size
    guardd.start()
