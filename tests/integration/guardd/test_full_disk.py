# SPDX-License-Identifier: Apache-2.0
"""A disk without room: guardd alarms once and goes on, gates don't notice, and nothing is lost once there is room again."""

import json
import sqlite3
import subprocess
import time

import pytest

from conftest import BIN, wait_for
from test_guardd import GATE, Guardd, drive, wait_in_force
from traffic import Shop

ROOM = "24m"  # two rings of 4 MiB, alerts, the store with its log


class Disk:
    """A file system of its own in memory, which a file of any content can fill."""

    def __init__(self, path):
        self.path = path
        self.filler = path / "filler"
        path.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=0755", "guard-test", path], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"a small file system needs root that may mount: {done.stderr.strip()}")

    def fill(self):
        with open(self.filler, "ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    continue

    def empty(self):
        self.filler.unlink()

    def close(self):
        subprocess.run(["umount", "--lazy", self.path], check=False)


@pytest.fixture
def disk(tmp_path):
    small = Disk(tmp_path / "small")
    yield small
    small.close()


@pytest.fixture
def guardd(disk, tmp_path):
    state = disk.path / "state"
    state.mkdir()
    daemon = Guardd(state, log=tmp_path / "guardd.log")
    yield daemon.start()
    daemon.stop()


@pytest.fixture
def gate(guardd, nginx, fast_upstream):
    return nginx(GATE.replace("{state}", str(guardd.state)).replace("{back}", str(fast_upstream.port)))


def alarms(guardd, name):
    return guardd.log().count(f'"event":"{name}"')


def saved_exchanges(state):
    """What the store would give a guardd that starts now: the positions up to which rings were read."""
    with sqlite3.connect(f"file:{state}/guard.db?mode=ro", uri=True) as database:
        return sum(row[0] for row in database.execute("SELECT sequence FROM position WHERE ring LIKE '%.ring'"))


def learn_then_fill(guardd, gate, disk, shop):
    drive(gate.port, shop.many(200))
    guardd.wait_exchanges(200)
    wait_for(lambda: saved_exchanges(guardd.state) == 200, "the first exchanges to be saved")
    disk.fill()
    assert set(drive(gate.port, shop.many(400))) == {200}
    wait_for(lambda: alarms(guardd, "not-saved") > 0, "the alarm")


def test_saving_goes_on_when_there_is_room_again(guardd, gate, disk):
    shop = Shop(41)
    learn_then_fill(guardd, gate, disk, shop)
    wait_for(lambda: alarms(guardd, "not-published") and alarms(guardd, "status-not-written"), "the other alarms")
    time.sleep(5)  # it tries every two seconds
    for name in ("not-saved", "status-not-written"):
        assert alarms(guardd, name) == 1, guardd.log()
    assert alarms(guardd, "not-published") == 1, guardd.log()[-3000:]
    assert guardd.process.poll() is None
    assert saved_exchanges(guardd.state) == 200
    assert set(drive(gate.port, shop.many(100))) == {200}
    published = guardd.log().count('"event":"published"')
    disk.empty()
    wait_for(lambda: alarms(guardd, "saved-again") == 1, "the end of the alarm")
    wait_for(lambda: guardd.log().count('"event":"published"') > published, "the policy that couldn't be written")
    guardd.wait_exchanges(700)
    guardd.kill()
    guardd.start()
    guardd.wait_exchanges(700)
    assert guardd.stop() == 0
    assert guardd.service()["exchanges"] == 700
    assert saved_exchanges(guardd.state) == 700
    guardd.start()


def test_a_kill_while_the_disk_is_full_loses_nothing(guardd, gate, disk):
    shop = Shop(42)
    learn_then_fill(guardd, gate, disk, shop)
    guardd.kill()
    # It may start or not, but must take a full disk for nothing else.
    with open(guardd.log_path, "ab") as log:
        process = subprocess.Popen(["timeout", "3", BIN / "guardd", "--state", guardd.state], stderr=log)
    process.wait(60)
    assert set(drive(gate.port, shop.many(100))) == {200}
    assert alarms(guardd, "store-damaged") == 0 and not list(guardd.state.glob("*.damaged-*")), guardd.log()
    disk.empty()
    guardd.start()
    guardd.wait_exchanges(700)
    assert guardd.stop() == 0
    assert guardd.service()["exchanges"] == 700
    guardd.start()


def test_alerts_wait_for_room(guardd, gate, disk):
    """Counted in full once they can be written, in whole lines, and said aloud once."""
    names = [f"p{i}" for i in range(20)]  # their lines are more than fits into what the last block has left
    (guardd.state / "guardians" / "shop.yaml").write_text(
        "service: shop\nconfigured:\n  endpoints:\n    - path: /users\n      parameters:\n" +
        "".join(f"        - {{in: query, name: {name}, maxLength: 1}}\n" for name in names))
    shop = Shop(43)
    wait_in_force(guardd, gate, shop, ready=False)
    kinds = [shop.exchange("GET", f"/users?{name}=12") for name in names]
    drive(gate.port, kinds[:1])
    wait_for(lambda: (guardd.state / "alerts.jsonl").exists(), "the first alert")
    disk.fill()
    drive(gate.port, kinds)
    wait_for(lambda: alarms(guardd, "alerts-not-written") == 1, "the alarm")
    drive(gate.port, kinds)
    wait_for(lambda: alarms(guardd, "not-saved") == 1, "the next alarm")
    disk.empty()
    wait_for(lambda: alarms(guardd, "alerts-written-again") == 1, "the end of the alarm")
    assert guardd.stop() == 0  # ends the windows
    assert alarms(guardd, "alerts-not-written") == 1
    lines = [json.loads(line) for line in (guardd.state / "alerts.jsonl").read_text().splitlines()]
    said = [line["findings"][0]["name"] for line in lines for _ in range(line["count"] + line["suppressed"])]
    assert sorted(said) == sorted(names[:1] + 2 * names), lines
    guardd.start()
