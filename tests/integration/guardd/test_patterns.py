# SPDX-License-Identifier: Apache-2.0
"""The database of patterns: made by guardd from the patches of all services, believed by gates only when their own guardd made it."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import wait_for  # noqa: E402
from test_guardd import Guardd  # noqa: E402

GATE = """
    guard_state {state};
    guard_policy_key {state}/keys/policy.pub;
    server {
        listen 127.0.0.1:{port};
        guard shop;
        location = /guard { guard_status; }
        location / { return 200 "served\\n"; }
    }"""
GUARDIAN = """apiVersion: guard/v1alpha1
kind: Guardian
service: SERVICE
patches:
- {id: jndi, title: looks up names, author: alice, reason: tests, when: {contains: "${jndi:", ignoreCase: true}}
- {id: dots, title: leaves its folder, author: alice, reason: tests, when: {in: path, regex: "\\\\.\\\\./.{0,64}passwd"}}
"""


def write_guardian(state, service, more=""):
    (state / "guardians").mkdir(exist_ok=True)
    path = state / "guardians" / f"{service}.yaml"
    path.with_suffix(".new").write_text(GUARDIAN.replace("SERVICE", service) + more)
    path.with_suffix(".new").rename(path)


def patterns_of(nginx):
    answer = nginx.curl("/guard")
    assert answer.status == 200, answer.body
    return answer.json()["patterns"]


def put(path, content):
    path.with_suffix(".new").write_bytes(content)
    path.with_suffix(".new").rename(path)


def wait_patterns(nginx, count):
    wait_for(lambda: patterns_of(nginx)["patterns"] == count and not patterns_of(nginx)["refused"], f"{count} patterns")
    return patterns_of(nginx)


def test_services_share_one_database(tmp_path, nginx):
    state = tmp_path / "state"
    state.mkdir()
    for number in range(200):
        write_guardian(state, f"s{number}")
    daemon = Guardd(state).start()
    try:
        gate = nginx(GATE.replace("{state}", str(state)))
        of_all = wait_patterns(gate, 2)
        print(f"200 services share a database of {of_all['bytes']} bytes")
        write_guardian(state, "shop", '- {id: own, title: t, author: a, reason: r, when: {contains: "only of the shop"}}\n')
        changed = wait_patterns(gate, 3)
        assert changed["database"] != of_all["database"]
        assert (changed["unfiltered"], changed["expressions_refused"]) == (0, 0)
        assert changed["bytes"] < 2 * of_all["bytes"]
        assert (state / "keys" / "node.key").stat().st_mode & 0o777 == 0o600
    finally:
        daemon.stop()


def test_what_guardd_did_not_make_is_refused(tmp_path, nginx):
    states = [tmp_path / "state", tmp_path / "other"]
    for state in states:
        state.mkdir()
        write_guardian(state, "shop")
        daemon = Guardd(state, log=tmp_path / f"{state.name}.log").start()
        wait_for((state / "patterns" / "patterns.db").exists, "a database")
        daemon.stop()
    file = states[0] / "patterns" / "patterns.db"
    good, foreign = file.read_bytes(), (states[1] / "patterns" / "patterns.db").read_bytes()
    gate = nginx(GATE.replace("{state}", str(states[0])))
    before = wait_patterns(gate, 2)
    bad = {"foreign": foreign, "truncated": good[:-1], "longer": good + b"\0", "head": good[:100], "empty": b"",
           "flipped-in-head": good[:20] + bytes([good[20] ^ 1]) + good[21:], "flipped-at-end": good[:-1] + bytes([good[-1] ^ 1])}
    for count, (name, content) in enumerate(bad.items(), 1):
        put(file, content)
        wait_for(lambda told=count: gate.log_text().count("database of patterns refused: GUARD_E_") == told, f"{name} refused")
        now = patterns_of(gate)
        assert now["refused"] and now["database"] == before["database"] and now["patterns"] == 2, name
        assert gate.curl("/").status == 200
    assert gate.log_text().count("the one before stays in force") == len(bad)
    file.unlink()
    wait_for(lambda: "the database of patterns is gone; its content stays in force" in gate.log_text(), "the loss")
    put(file, good)
    assert wait_patterns(gate, 2)["database"] == before["database"]


def test_guardd_replaces_what_is_not_its_own(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    write_guardian(state, "shop")
    daemon = Guardd(state).start()
    file = state / "patterns" / "patterns.db"
    try:
        wait_for(file.exists, "a database")
        good = file.read_bytes()
        for content in (b"nonsense", good[:-1] + bytes([good[-1] ^ 1])):
            put(file, content)
            wait_for(lambda: file.read_bytes() == good, "the database again")
        os.unlink(file)
        wait_for(file.exists, "the database again")
    finally:
        daemon.stop()


def test_what_cannot_be_written_is_built_again(tmp_path):
    """As on a full disk: no pattern is to blame, so none is given up."""
    state = tmp_path / "state"
    state.mkdir()
    write_guardian(state, "shop")
    daemon = Guardd(state).start()
    try:
        folder, away = state / "patterns", state / "away"
        wait_for((folder / "patterns.db").exists, "a database")
        before = (folder / "patterns.db").read_bytes()
        folder.rename(away)
        folder.write_text("no folder")
        write_guardian(state, "shop", '- {id: own, title: t, author: a, reason: r, when: {contains: "only of the shop"}}\n')
        wait_for(lambda: daemon.log().count('"event":"patterns-not-built"') > 4, "more attempts than a bad pattern gets")
        assert "without expressions" not in daemon.log() and "tried alone" not in daemon.log()
        folder.unlink()
        away.rename(folder)
        wait_for(lambda: (folder / "patterns.db").read_bytes() != before, "the database of today")
    finally:
        daemon.stop()


def test_a_gate_that_was_there_before_its_guardd(tmp_path, nginx):
    """The node's key comes later than the gate: no reload is needed."""
    state = tmp_path / "state"
    state.mkdir()
    write_guardian(state, "shop")
    gate = nginx(GATE.replace("{state}", str(state)).replace("guard_policy_key {state}/keys/policy.pub;".replace("{state}", str(state)), ""))
    assert patterns_of(gate)["patterns"] == 0 and not (state / "keys" / "node.pub").exists()
    daemon = Guardd(state).start()
    try:
        wait_patterns(gate, 2)
        assert "the node's key came" in gate.log_text()
    finally:
        daemon.stop()


def test_a_key_that_could_not_be_made_is_made_later(tmp_path):
    """As on a full disk at the start."""
    state = tmp_path / "state"
    state.mkdir()
    write_guardian(state, "shop")
    (state / "keys").mkdir()
    key = state / "keys" / "node.key"
    key.write_text("no key")
    daemon = Guardd(state).start()
    try:
        wait_for(lambda: '"event":"patterns-not-built"' in daemon.log(), "that there is no key")
        key.unlink()
        wait_for((state / "patterns" / "patterns.db").exists, "a database")
        assert daemon.log().count('"event":"patterns-not-built"') == 1
    finally:
        daemon.stop()
