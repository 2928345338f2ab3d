# SPDX-License-Identifier: Apache-2.0
"""What grows old goes, is told of, and nothing else does. And docs/guide/data.md names all that is kept: what a busy guardd leaves
in its directory is held against it, and the columns of its database."""

import fnmatch
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import pathlib
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import ROOT, wait_for  # noqa: E402
from test_guardd import GATE, Guardd, drive, gate, guard, guardd  # noqa: E402,F401 - fixtures
from traffic import Shop  # noqa: E402
from waiting import PATIENCE as WAIT  # noqa: E402

HOUR_MS = 3600_000
INVENTORY = (ROOT / "docs" / "guide" / "data.md").read_text()


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def keeping(state):
    """A factory of a guardd with options, stopped at the end."""
    made = []

    def start(*options):
        made.append(Guardd(state, options=options))
        return made[-1].start()

    yield start
    for one in made:
        if one.process.poll() is None:
            one.stop()


def line(time_ms, **more):
    return json.dumps({"time_ms": time_ms, **more}, separators=(",", ":"))


def told(guardd):
    return re.findall(r'"event":"retention".*?dropped: (\d+) lines of logs, (\d+) generations, (\d+) lifts, (\d+) files', guardd.log())


def test_what_is_older_than_it_may_be_goes_and_nothing_else(state, keeping):
    now = int(time.time() * 1000)
    old, young = now - 2 * HOUR_MS, now - HOUR_MS // 2
    (state / "guardians").mkdir()
    (state / "guardians" / "shop.yaml").write_text("service: shop\n")
    guardd = keeping("--keep", "30d")
    wait_for(lambda: guardd.service()["generation"] > 0, "the service", WAIT)
    assert guardd.stop() == 0
    with sqlite3.connect(state / "guard.db") as database:
        database.execute("DELETE FROM generation")
        for number, created in ((1, old), (2, old), (3, old), (4, young)):
            database.execute("INSERT INTO generation VALUES ('shop', ?, ?, 100, x'00')", (number, created))
    for name in ("alerts.jsonl", "alerts.jsonl.3", "audit.jsonl", "audit.jsonl.1", "triage.jsonl", "looks.jsonl"):
        (state / name).write_text("\n".join([line(old, id="a"), line(young, id="b"), '{"id":"no time"}', line(old), '{"time_ms": 1}', line(now)]) + "\n")
    (state / "alerts.jsonl.4").write_text(line(old) + "\n")
    (state / "clients" / "shop.lifts").write_text(json.dumps({"lifts": [
        {"client": "192.0.2.0/24", "until_ms": old, "reason": "r", "by": "b"},
        {"client": "198.51.100.0/24", "until_ms": now + HOUR_MS, "reason": "r", "by": "b"}]}))
    aside, fresh = state / "guard.db.damaged-1", state / "guard.db.damaged-2"
    for path in (aside, fresh):
        path.write_text("x")
    os.utime(aside, (old / 1000, old / 1000))
    others = ["notes.txt", "alerts.jsonl.bak", "guard.db.damaged", "policies/other.policy"]
    for name in others:
        (state / name).write_text("mine")
        os.utime(state / name, (1, 1))
    guardd = keeping("--keep", "1h")
    wait_for(lambda: told(guardd), "the end of a pass", WAIT)
    assert told(guardd)[0] == ("13", "2", "1", "1"), guardd.log()
    for name in ("alerts.jsonl", "alerts.jsonl.3", "audit.jsonl", "audit.jsonl.1", "triage.jsonl", "looks.jsonl"):
        assert (state / name).read_text().splitlines() == [line(young, id="b"), '{"id":"no time"}', '{"time_ms": 1}', line(now)], name
    assert not (state / "alerts.jsonl.4").exists() and not aside.exists() and fresh.exists()
    assert all((state / name).read_text() == "mine" for name in others)
    lifts = json.loads((state / "clients" / "shop.lifts").read_text())["lifts"]
    assert [lift["client"] for lift in lifts] == ["198.51.100.0/24"]
    assert guardd.stop() == 0
    with sqlite3.connect(state / "guard.db") as database:
        assert [row[0] for row in database.execute("SELECT number FROM generation ORDER BY number")][:2] == [3, 4]


def test_what_is_larger_than_it_may_be_goes_the_oldest_first(state, keeping):
    now = int(time.time() * 1000)
    for number in range(4):
        path = state / f"guard.db.damaged-{number}"
        path.write_bytes(b"\0" * (1 << 20))
        os.utime(path, (time.time() - 100 + number,) * 2)
    for number in range(1, 5):
        (state / f"alerts.jsonl.{number}").write_text((line(now, pad="x" * 1000) + "\n") * 500)
    guardd = keeping("--keep-size", "3500k")
    wait_for(lambda: told(guardd), "the end of a pass", WAIT)
    assert sorted(path.name for path in state.glob("guard.db.damaged-*")) == ["guard.db.damaged-3"]
    assert len(list(state.glob("alerts.jsonl.*"))) == 4
    assert guardd.stop() == 0
    guardd = keeping("--keep-size", "1m")
    wait_for(lambda: len(told(guardd)) > 1, "the end of a pass", WAIT)
    assert not list(state.glob("guard.db.damaged-*"))
    assert sorted(path.name for path in state.glob("alerts.jsonl.*")) == ["alerts.jsonl.1", "alerts.jsonl.2"]


@pytest.mark.parametrize("options", [["--keep", "0d"], ["--keep", "x"], ["--keep-size", "1q"], ["--keep-size", "-1"]])
def test_limits_that_are_none_are_refused(state, options):
    guardd = Guardd(state, options=options)
    with pytest.raises(AssertionError):
        guardd.start()
    assert guardd.process.wait(WAIT) == 2


def patterns():
    """Names of files in the first column of the tables, without their placeholders."""
    names = []
    for row in re.findall(r"^\| (`[^|]*) \|", INVENTORY, re.M):
        names += re.findall(r"`([^`]+)`", row)
    return [re.sub(r"[A-Z]{3,}", "*", name) for name in names]


def test_the_inventory_names_each_file_that_a_busy_guardd_leaves(guardd, gate):
    shop = Shop(95)
    drive(gate.port, shop.many(900))
    guardd.wait_exchanges(900)
    guard(guardd.state, "mode", "block", "--service", "shop", "--reason", "r")
    guard(guardd.state, "bypass", "shop", "--for", "1s", "--reason", "r")
    guard(guardd.state, "clients", "lift", "shop", "192.0.2.7", "--reason", "r")
    guard(guardd.state, "token", "add", "ann", "--role", "viewer")
    subprocess.run(["curl", "-sS", "--unix-socket", "api.sock", "http://guardd/api/v1/alerts"], cwd=guardd.state, timeout=WAIT, check=True,
                   capture_output=True)
    assert (guardd.state / "looks.jsonl").exists()
    wait_for(lambda: (guardd.state / "verdicts" / "shop.table").exists() and (guardd.state / "guard.db-wal").exists(), "files", WAIT)
    guard(guardd.state, "forget", "--client", "192.0.2.9", "--reason", "r")
    known = patterns()
    unknown = [name for name in (str(path.relative_to(guardd.state)) for path in guardd.state.rglob("*") if not path.is_dir())
               if not any(fnmatch.fnmatchcase(name, pattern) for pattern in known) and not name.endswith(".tmp")]
    assert unknown == []


def test_the_inventory_names_each_column_of_the_database(guardd):
    with sqlite3.connect(f"file:{guardd.state}/guard.db?mode=ro", uri=True) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {f"{table}.{row[1]}" for table in tables for row in database.execute(f"PRAGMA table_info({table})")}
    assert columns <= set(re.findall(r"`([a-z_]+\.[a-z_]+)`", INVENTORY)), "docs/guide/data.md"


def test_the_inventory_names_each_column_of_a_shared_database():
    source = (ROOT / "guardd" / "store" / "postgres.c").read_text()
    setup = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', source[source.index("setup[]"):source.index("struct postgres_store {")]))
    columns = set()
    for table, body in re.findall(r"CREATE TABLE IF NOT EXISTS guard\.(\w+) \((.*?)\);", setup):
        body = re.sub(r"PRIMARY KEY \([^)]*\)", "", body)
        columns |= {f"{table}.{part.split()[0]}" for part in body.split(",") if part.split()}
    assert len(columns) > 30
    assert columns <= set(re.findall(r"`([a-z_]+\.[a-z_]+)`", INVENTORY)), "docs/guide/data.md"
