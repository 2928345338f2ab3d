# SPDX-License-Identifier: Apache-2.0
"""Backups made while guardd writes are the store at one moment, and a fresh guardd goes on from them; the store's check tells sound
from damaged."""

import json
import shutil
import sqlite3
import subprocess
import sys
import pathlib
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN, wait_for  # noqa: E402
from test_guardd import Guardd, drive, gate, guard, guardd  # noqa: E402,F401 - fixtures
from traffic import Shop  # noqa: E402
from waiting import PATIENCE as WAIT  # noqa: E402


def run(state, *arguments):
    return subprocess.run([BIN / "guard", *map(str, arguments), "--state", state], capture_output=True, text=True, timeout=120,
                          check=False)


def read_to(folder):
    """How far rings were read, by the store in the folder."""
    with sqlite3.connect(f"file:{folder}/guard.db?mode=ro", uri=True) as database:
        return database.execute("SELECT coalesce(sum(sequence), 0) FROM position WHERE ring LIKE '%.ring'").fetchone()[0]


def test_backups_under_load_are_whole_and_a_fresh_guardd_goes_on_from_them(guardd, gate, tmp_path):
    guard(guardd.state, "mode", "block", "--service", "shop", "--reason", "r", "--force")
    ended = threading.Event()
    shop = Shop(97)

    def send():
        while not ended.is_set():
            drive(gate.port, shop.many(60))
    thread = threading.Thread(target=send)
    thread.start()
    folders = []
    try:
        wait_for(lambda: json.loads(run(guardd.state, "store", "check").stdout)["pile_bytes"] > 0, "the service to be saved", WAIT)
        for number in range(4):
            folders.append(tmp_path / f"backup{number}")
            said = guard(guardd.state, "backup", folders[-1])
            assert "without the key that signs policies" in said and not (folders[-1] / "keys").exists()
            last = read_to(folders[-1])
            wait_for(lambda last=last: read_to(guardd.state) > last, "guardd to save more", WAIT)
    finally:
        ended.set()
        thread.join()
    counts = [read_to(folder) for folder in folders]
    assert counts == sorted(counts) and counts[-1] > counts[0] > 0, counts
    for folder, count in zip(folders, counts):
        assert (folder / "guardians" / "shop.yaml").exists() and (folder / "guard.db").stat().st_mode & 0o777 == 0o600
        restored = tmp_path / f"restored-{folder.name}"
        shutil.copytree(folder, restored)
        other = Guardd(restored, log=tmp_path / f"{folder.name}.log").start()
        wait_for(lambda other=other: other.service()["generation"] > 0, "a policy", WAIT)
        # The pile and the positions are of one transaction.
        assert other.service()["exchanges"] == count and other.service()["mode"] == "block"
        assert other.stop() == 0
        assert "damaged" not in other.log()
    assert guardd.process.poll() is None and '"event":"not-saved"' not in guardd.log()


def test_keys_only_when_they_are_asked_for_and_never_over_something(guardd, tmp_path):
    out = tmp_path / "out"
    assert "keep it secret" in guard(guardd.state, "backup", out, "--with-keys")
    key = out / "keys" / "policy.key"
    assert key.read_bytes() == (guardd.state / "keys" / "policy.key").read_bytes() and key.stat().st_mode & 0o777 == 0o600
    again = run(guardd.state, "backup", out)
    assert again.returncode == 1 and "is there already" in again.stderr


def test_the_check_tells_sound_from_damaged(guardd, gate, tmp_path):
    drive(gate.port, Shop(98).many(200))
    guardd.wait_exchanges(200)
    wait_for(lambda: json.loads(run(guardd.state, "store", "check").stdout)["pile_bytes"] > 0, "the pile to be saved", WAIT)
    done = run(guardd.state, "store", "check")
    told = json.loads(done.stdout)
    assert done.returncode == 0 and told["sound"] is True and told["services"] == 1 and told["version"] == 7
    assert told["file_bytes"] > told["pile_bytes"] > 0
    out = tmp_path / "out"
    guard(guardd.state, "backup", out)
    whole = (out / "guard.db").read_bytes()
    (out / "guard.db").write_bytes(whole[:5000] + b"\xff" * 3000 + whole[8000:])
    damaged = run(out, "store", "check")
    assert damaged.returncode == 1 and (damaged.stdout == "" or json.loads(damaged.stdout)["sound"] is False)
    # Nor is a damaged store copied as if it were sound.
    copied = run(out, "backup", tmp_path / "copy")
    assert copied.returncode == 1 and not (tmp_path / "copy" / "guard.db").exists()
    assert run(tmp_path / "nowhere", "store", "check").returncode == 1
