# SPDX-License-Identifier: Apache-2.0
"""guardd learns from files of pod records what the replicas of a workload normally do, and tells of the one that does more: once, also
when it is killed between telling and saving."""

import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest
from harness import BUILD, ROOT, wait_for
from postgres import Postgres, missing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guardd"))
from test_guardd import Guardd  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from talking import curl  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
EXEC, WRITE, DROPPED, MEMFD, REQUEST = 2, 4, 7, 8, 12
USUAL = [(EXEC, "/usr/bin/convert", "/app/server", "-"), (WRITE, "/var/cache/app/1234.bin", "-", "-")]
HOUR = 3600 * 1000
REPLICAS = 4
ODD = "web-7f9c-00002"


@pytest.fixture(scope="session")
def pod_writer(tmp_path_factory):
    out = tmp_path_factory.mktemp("pod_writer") / "pod_writer"
    subprocess.run(
        [os.environ.get("CC", "cc"), "-std=gnu17", "-I", ROOT / "include", "-I", ROOT / "tests", "-o", out, HERE / "pod_writer.c",
         BUILD / "lib" / "libguard.a", "-lsodium", "-lm"], check=True)
    return out


class Sensors:
    """Of four replicas: days of the usual, ended now."""

    def __init__(self, writer, state, service="shop"):
        self.writer, self.folder, self.service = writer, state / "pods", service
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sequences, self.files = {}, 0

    def line(self, replica, until_ms, features, source="podwatch"):
        sequence = self.sequences[(source, replica)] = self.sequences.get((source, replica), 0) + 1
        return "\t".join([str(replica), str(sequence), str(until_ms), source] + [str(word) for feature in features for word in feature])

    def encode(self, lines):
        text = "\n".join(lines) + "\n"
        return subprocess.run([self.writer, self.service], input=text.encode(), capture_output=True, check=True).stdout

    def put(self, data):
        self.files += 1
        path = self.folder / f"00000000000000aa-0000000000000001-{self.files:020}.pods"
        path.with_suffix(".tmp").write_bytes(data)
        path.with_suffix(".tmp").rename(path)
        return path

    def live(self, days=5):
        now = int(time.time() * 1000)
        steps = [now - 60000 - 6 * HOUR * step for step in range(days * 4, -1, -1)]
        for until_ms in steps:
            self.put(self.encode([self.line(replica, until_ms, USUAL) for replica in range(REPLICAS)]))

    def misuse(self):
        now = int(time.time() * 1000)
        return self.encode([self.line(2, now, [(REQUEST, "GET /lookup", "character never seen", "5f3a")], "gate"),
                            self.line(2, now, [(DROPPED, "/tmp/x", "/app/server", "5f3a")])])

    def read(self):
        return not list(self.folder.glob("*.pods"))


@pytest.fixture
def place(tmp_path, pod_writer):
    state = tmp_path / "state"
    sensors = Sensors(pod_writer, state)
    guardd = Guardd(state)
    yield guardd, sensors
    if guardd.process is not None and guardd.process.poll() is None:
        guardd.stop()


def pods(guardd):
    return (guardd.service("shop").get("pods") or [{"records": 0}])[0]


def of_pods(guardd):
    path = guardd.state / "alerts.jsonl"
    alerts = map(json.loads, path.read_text().splitlines()) if path.exists() else []
    return [alert for alert in alerts if alert["findings"][0]["part"] == "pod"]


def test_benign_days_are_no_alert_and_survive_a_restart(place):
    guardd, sensors = place
    sensors.live()
    guardd.start()
    wait_for(sensors.read, "the files to be learned and removed")
    wait_for(lambda: pods(guardd)["records"] == 21 * REPLICAS, "all records in the status")
    assert pods(guardd)["ready"] and pods(guardd)["live_count"] == REPLICAS
    guardd.stop()
    guardd.start()
    wait_for(lambda: guardd.service("shop").get("pods"), "what was saved")
    assert pods(guardd)["records"] == 21 * REPLICAS and of_pods(guardd) == []


def test_the_one_that_does_more_is_told_once_through_a_kill(place):
    guardd, sensors = place
    sensors.live()
    guardd.start()
    wait_for(sensors.read, "benign days")
    with sqlite3.connect(guardd.state / "guard.db", isolation_level=None, timeout=60) as database:
        database.execute("BEGIN IMMEDIATE")  # nothing can be saved: it is told and not saved when the kill comes
        path = sensors.put(sensors.misuse())
        wait_for(lambda: of_pods(guardd), "the alert")
        guardd.kill()
        database.execute("ROLLBACK")
    database.close()
    assert path.exists(), "it was removed before it was saved"
    guardd.start()
    wait_for(sensors.read, "what was told and not saved to come again")
    [alert] = of_pods(guardd)
    assert alert["service"] == "shop" and alert["total"] == 1
    assert alert["findings"][0]["name"] == f"prod/{ODD}" and alert["findings"][0]["rule"] == "pod-dropped"
    assert alert["explanation"].startswith(f"dry run, would REPLACE pod prod/{ODD}: "), alert["explanation"]
    assert guardd.log().count("pod-would-be-replaced") == 1
    wait_for(lambda: pods(guardd)["records"] >= 21 * REPLICAS + 2, "the status to say so")
    assert pods(guardd)["records"] == 21 * REPLICAS + 2  # nothing lost, nothing twice


def saves(guardd):
    """How often it has saved what it learned."""
    return int(re.search(r"^guard_store_saves_total (\d+)", curl(guardd.state, "/metrics").body.decode(), re.M)[1])


def test_what_lay_there_at_the_start_is_saved_with_the_next_save(place):
    """Else one that is killed every few seconds reads it each time, and never comes to its end."""
    guardd, sensors = place
    sensors.live()
    guardd.start()
    wait_for(lambda: guardd.status()["pods"]["files"] == 21, "all files to be read")
    before = saves(guardd)
    wait_for(lambda: saves(guardd) >= before + 2, "one that began after that")
    guardd.kill()
    assert sensors.read()
    guardd.start()
    wait_for(lambda: guardd.service("shop").get("pods"), "what was saved")
    assert pods(guardd)["records"] == 21 * REPLICAS


def test_a_burst_is_learned_whole_and_once_through_kills(place):
    """Four sensors write as fast as they can while guardd lists what lies there, and is killed twice."""
    guardd, sensors = place
    each, now = 800, int(time.time() * 1000)
    lines = [[sensors.line(replica, now - HOUR + 1000 * step, USUAL) for step in range(each)] for replica in range(REPLICAS)]
    guardd.start()
    writers = [subprocess.Popen([sensors.writer, sensors.service, sensors.folder], stdin=subprocess.PIPE, text=True)
               for _ in range(REPLICAS)]

    def write(begin, end):
        for writer, text in zip(writers, lines):
            writer.stdin.write("\n".join(text[begin:end]) + "\n")  # what doesn't fit into the pipe is read as the writer goes on
            writer.stdin.flush()

    write(0, each // 2)
    for turn in range(2):
        # For each there is enough to read, however much the one before had read.
        write(each // 2 + turn * each // 4, each // 2 + (turn + 1) * each // 4)
        wait_for(lambda: guardd.status().get("pods", {"files": 0})["files"] > 100, "some of it to be read")
        guardd.kill()
        (guardd.state / "status.json").unlink()  # what the one that was killed said
        guardd.start()
    for writer in writers:
        writer.stdin.close()
    assert [writer.wait(timeout=60) for writer in writers] == [0] * REPLICAS
    wait_for(sensors.read, "all of it to be learned and removed", timeout=120)
    assert pods(guardd)["records"] == REPLICAS * each
    assert "damaged" not in guardd.log()


def test_damaged_files_are_told_and_the_rest_is_learned(place):
    guardd, sensors = place
    sensors.live(1)
    whole = sensors.encode([sensors.line(1, int(time.time() * 1000) - 30000, USUAL)])
    sensors.put(whole + whole[:50])
    sensors.put(b"no record at all" * 100)
    (sensors.folder / "link.pods").symlink_to("/etc/passwd")
    (sensors.folder / "folder.pods").mkdir()
    os.mkfifo(sensors.folder / "pipe.pods")
    sensors.live(0)
    guardd.start()
    wait_for(lambda: [path.name for path in sensors.folder.glob("*.pods")] == ["folder.pods"], "all else to be removed")
    wait_for(lambda: pods(guardd)["records"] == (5 + 1) * REPLICAS + 1, "the rest to be learned")
    assert guardd.log().count("pod-records-damaged") == 5
    assert guardd.log().count("pod-records-stay") == 1
    guardd.stop()


def test_records_of_another_time_teach_nothing_and_are_counted(place):
    guardd, sensors = place
    now = int(time.time() * 1000)
    sensors.live(1)
    for until_ms in (now + HOUR, now - 91 * 24 * HOUR, 10000):  # 10000: the clock of a node that was never set
        sensors.put(sensors.encode([sensors.line(replica, until_ms, USUAL) for replica in range(REPLICAS)]))
    guardd.start()
    wait_for(sensors.read, "all files to be read")
    wait_for(lambda: guardd.status()["pods"]["files"] == 8, "the status of all of them")
    counts = guardd.status()["pods"]
    assert (counts["refused"]["ahead"], counts["refused"]["old"]) == (REPLICAS, 2 * REPLICAS), counts
    assert counts["records"] == pods(guardd)["records"] == 5 * REPLICAS and counts["files"] == 8 and counts["damaged_files"] == 0
    assert guardd.log().count("pod-record-refused") == 2  # once for each reason
    assert pods(guardd)["live"][0]["first_ms"] > now - 2 * 24 * HOUR


def test_what_postgresql_keeps_is_gone_on_with(tmp_path, pod_writer):
    why = missing()
    if why:
        pytest.skip(f"SKIPPED: {why}")
    server = Postgres().start()
    try:
        guardd = Guardd(tmp_path / "state", options=("--store", server.url))
        sensors = Sensors(pod_writer, guardd.state)
        sensors.live()
        guardd.start()
        wait_for(sensors.read, "the files to be learned and removed", 120)
        guardd.kill()
        # Another one with the same key, that never saw these files.
        other = Guardd(tmp_path / "other", log=tmp_path / "other.log", options=("--store", server.url))
        (other.state / "keys").mkdir(parents=True)
        shutil.copy(guardd.state / "keys" / "policy.key", other.state / "keys" / "policy.key")
        sensors.folder = other.state / "pods"
        sensors.folder.mkdir()
        other.start()
        try:
            wait_for(lambda: pods(other)["records"] == 21 * REPLICAS, "what was saved", 120)
            path = sensors.put(sensors.misuse())
            wait_for(lambda: of_pods(other), "the alert", 120)
            assert of_pods(other)[0]["explanation"].startswith(f"dry run, would REPLACE pod prod/{ODD}: ")
            wait_for(lambda: not path.exists(), "it to be saved", 120)
            wait_for(lambda: pods(other)["records"] >= 21 * REPLICAS + 2, "the status to say so")
            assert pods(other)["records"] == 21 * REPLICAS + 2
        finally:
            other.stop()
    finally:
        server.close()
