# SPDX-License-Identifier: Apache-2.0
"""What guardds of earlier commits kept (states/, made by make_states.py), taken over by this one: nothing of it is lost, or it is refused
in words and left as it is."""

import datetime
import glob
import hashlib
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tarfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guardd"))
from harness import BIN, wait_for  # noqa: E402
from older.make_states import COMMITS, STATES  # noqa: E402
from test_guardd import Guardd  # noqa: E402

TAKEN = ["releases"]  # "first" has piles of a version that nobody reads any more

FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
pytestmark = pytest.mark.skipif(not FAKETIME or "LD_PRELOAD" in os.environ, reason="libfaketime isn't installed, or another library is preloaded")


@pytest.fixture
def state(request, tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    with tarfile.open(STATES / f"{request.param}.tar.xz") as archive:
        archive.extractall(folder)
    return folder


class Aged(Guardd):
    """guardd a minute after the state was left: what is kept for days is still of use."""

    def __init__(self, state):
        super().__init__(state)
        self.facts = json.loads((state / "facts.json").read_text())
        # Not by faketime(1), which would stand between this process and guardd.
        moment = datetime.datetime.fromtimestamp(self.facts["at"] + 60)
        self.clock = ["env", f"LD_PRELOAD={FAKETIME[0]}", f"FAKETIME=@{moment:%Y-%m-%d %H:%M:%S}", "FAKETIME_DONT_FAKE_MONOTONIC=1"]

    def start(self):
        before = self.started()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.clock, BIN / "guardd", "--state", self.state], stderr=log)
        wait_for(lambda: self.started() > before or self.process.poll() is not None, "guardd to start")
        return self

    def guard(self, *words):
        done = subprocess.run([*self.clock, BIN / "guard", *words, "--state", self.state], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def elements(shown):
    """(endpoint, where, name) of all that a text of `guard show` says is known, whatever else it says of it."""
    found, endpoint = set(), ""
    for line in shown.splitlines():
        if re.match(r"(GET|POST) /", line):
            endpoint = line.strip()
        elif line and not line.startswith(" "):
            endpoint = "" if line.startswith(("headers", "cookies")) else endpoint
        found_line = re.match(r" {4}(\w+) +(\S+) {2,}\S", line)
        if found_line and found_line.group(1) in ("query", "path", "json", "form", "header", "cookie"):
            found.add((endpoint, *found_line.groups()))
    return found


def contents(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*")
            if path.is_file() and path.name not in ("guardd.lock", "node.id", "guard.db-shm", "guard.db-wal") and "node." not in path.name}


def piles(state):
    with sqlite3.connect(f"file:{state}/guard.db?mode=ro", uri=True) as db:
        return (db.execute("PRAGMA user_version").fetchone()[0],
                [(name, bytes(pile)) for name, pile in db.execute("SELECT name, pile FROM service")])


def test_there_is_a_state_for_each_commit_that_is_named():
    assert {path.name for path in STATES.iterdir()} == {f"{name}.tar.xz" for name in COMMITS}
    assert sum(path.stat().st_size for path in STATES.iterdir()) < 200 * 1024


@pytest.mark.parametrize("state", TAKEN, indirect=True)
def test_what_was_learned_and_decided_is_there(state):
    guardd = Aged(state)
    facts, document = guardd.facts, (state / "guardians" / "shop.yaml").read_text()
    alerts = (state / "alerts.jsonl").read_text()
    before = elements(facts["shown"])
    assert len(before) > 10, facts["shown"]
    guardd.start()
    try:
        assert guardd.process.poll() is None, guardd.log()
        wait_for(lambda: guardd.service()["generation"] > facts["generation"], "a policy of this version")
        service = guardd.service()
        assert service["exchanges"] == facts["exchanges"]  # each record that was read then, and none a second time
        assert service["ready"] and service["mode"] == facts["mode"] == "block"
        after = elements(guardd.guard("show", "--service", "shop"))
        assert before <= after, before - after
        assert (state / "guardians" / "shop.yaml").read_text() == document
        assert (state / "alerts.jsonl").read_text().startswith(alerts)
        if "patch add" in facts["did"]:
            assert "no-dots" in guardd.guard("patch", "list", "--service", "shop")
        if "clients block" in facts["did"]:
            assert "203.0.113" in guardd.guard("clients")
        assert not re.search("damaged|refused|skipped|not-read-whole|lost", guardd.log()), guardd.log()
    finally:
        guardd.stop()
    # Once more: what this one wrote of it is as good.
    guardd.start()
    try:
        wait_for(lambda: guardd.service()["generation"] > 0, "it to be back")
        assert guardd.service()["exchanges"] == facts["exchanges"]
    finally:
        guardd.stop()


@pytest.mark.parametrize("state", ["first"], indirect=True)
def test_piles_that_nobody_reads_any_more_are_refused_and_left(state):
    before, stored = contents(state), piles(state)
    guardd = Aged(state).start()
    assert guardd.process.wait(60) != 0
    assert "store: service shop: a pile of version 1; this program reads 2 to 5. Nothing was changed" in guardd.log()
    assert piles(state) == stored and stored[0] == 1  # still that guardd's
    assert {name: digest for name, digest in contents(state).items() if name in before} == before


@pytest.mark.parametrize("state", TAKEN, indirect=True)
@pytest.mark.parametrize("ours", [False, True])
def test_piles_of_a_newer_one_are_refused_and_left(state, ours):
    """Of an older store and of one of this guardd's own, where one of the piles is of a version that comes after ours."""
    if ours:
        guardd = Aged(state).start()
        guardd.stop()
    with sqlite3.connect(state / "guard.db") as db:
        name, pile = db.execute("SELECT name, pile FROM service").fetchone()
        newer = bytes(pile[:4]) + bytes([99]) + bytes(pile[5:])
        db.execute("UPDATE service SET pile = ? WHERE name = ?", (newer, name))
    stored = piles(state)
    guardd = Aged(state).start()
    assert guardd.process.wait(60) != 0
    assert "a pile of version 99; this program reads 2 to 5" in guardd.log()
    assert piles(state) == stored


@pytest.mark.parametrize("state", TAKEN, indirect=True)
def test_a_store_of_a_newer_one_is_refused_and_left(state):
    with sqlite3.connect(state / "guard.db") as db:
        db.execute("PRAGMA user_version = 99")
    stored = piles(state)
    guardd = Aged(state).start()
    assert guardd.process.wait(60) != 0
    assert "store: written by a newer guardd (version 99)" in guardd.log()
    assert piles(state) == stored
