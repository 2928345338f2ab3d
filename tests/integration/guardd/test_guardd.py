# SPDX-License-Identifier: Apache-2.0
"""guardd with a real gate: learning, publishing, surviving kills, and the identity of what is learned here and offline."""

import hashlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN, end_process, wait_for  # noqa: E402
from harness import BUILD, ROOT, curl, settle  # noqa: E402
from traffic import Shop, write  # noqa: E402

GATE = """
    guard_state {state};
    guard_policy_key {state}/keys/policy.pub;
    log_format count '$request_id $guard_generation';
    upstream back { server 127.0.0.1:{back}; keepalive 32; }
    server {
        listen 127.0.0.1:{port};
        guard shop;
        keepalive_requests 10000000;
        access_log {prefix}/count.log count;
        location / { proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }"""


class Guardd:
    program = BIN / "guardd"

    def __init__(self, state, log=None, options=()):
        self.state = state
        self.options = options
        self.log_path = log or state.parent / "guardd.log"
        self.process = None

    def start(self):
        before = self.started()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.program, "--state", self.state, *self.options], stderr=log)
        wait_for(lambda: self.started() > before or self.process.poll() is not None, "guardd to start")
        assert self.process.poll() is None, self.log()
        return self

    def started(self):
        return self.log().count('"event":"started"') if self.log_path.exists() else 0

    def log(self):
        return self.log_path.read_text()

    def status(self):
        try:
            return json.loads((self.state / "status.json").read_text())
        except FileNotFoundError:
            return {"services": []}

    def service(self, name="shop"):
        return next((s for s in self.status()["services"] if s["service"] == name), {"exchanges": 0, "generation": 0})

    def wait_exchanges(self, count, name="shop", timeout=120):
        wait_for(lambda: self.service(name)["exchanges"] >= count, f"{count} exchanges", timeout)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        return end_process(self.process)


@pytest.fixture
def guardd(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    daemon = Guardd(state).start()
    yield daemon
    daemon.stop()


@pytest.fixture
def gate(guardd, nginx, fast_upstream):
    return nginx(GATE.replace("{state}", str(guardd.state)).replace("{back}", str(fast_upstream.port)))


def guard(state, *arguments):
    done = subprocess.run([BIN / "guard", *map(str, arguments), "--state", state], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Client:
    """Raw requests over one kept connection from an address of its own, so that each loopback /24 is a client."""

    def __init__(self, port, address):
        self.sock = socket.create_connection(("127.0.0.1", port), source_address=(address, 0), timeout=60)
        self.file = self.sock.makefile("rb")

    def send(self, exchange):
        request = exchange["request"]
        body = request.get("body", "").encode()
        head = f"{request['method']} {request['target']} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in request["headers"])
        if body:
            head += f"content-length: {len(body)}\r\n"
        self.sock.sendall(head.encode() + b"\r\n" + body)
        status = int(self.file.readline().split()[1])
        length = 0
        while (line := self.file.readline().strip()):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.file.read(length)
        return status

    def close(self):
        self.file.close()
        self.sock.close()


def drive(port, exchanges, clients=12):
    """Sends each exchange from one of the clients in turn; returns the statuses."""
    open_clients = [Client(port, f"127.0.{i + 1}.1") for i in range(clients)]
    statuses = [open_clients[i % clients].send(exchange) for i, exchange in enumerate(exchanges)]
    for client in open_clients:
        client.close()
    return statuses


def wait_in_force(guardd, gate, shop, ready=True):
    """Until the gate judges by the last policy, of a service that is ready: an attack before that would be learned as traffic of its
    client, or be judged by what the first few hundred exchanges proved."""
    def in_force():
        drive(gate.port, [shop.exchange("GET", "/users?username=tom")])
        lines = (gate.prefix / "count.log").read_text().splitlines()  # written after the answer
        service = guardd.service()
        generation = lines and lines[-1].split()[-1] or "-"
        return (service.get("ready") or not ready) and generation not in ("-", "0") and int(generation) == service["generation"]
    wait_for(in_force, "the gate to take the last policy")


def test_learns_and_blocks_in_front_of_a_service(guardd, gate):
    shop = Shop(21)
    assert set(drive(gate.port, shop.many(1500))) == {200}
    guardd.wait_exchanges(1500)
    wait_for(lambda: guardd.service().get("ready"), "readiness")
    wait_in_force(guardd, gate, shop)
    attack = shop.exchange("GET", "/users?username=tom%20or%201=1")
    assert drive(gate.port, [attack]) == [200]  # mode alert: reported only
    guard(guardd.state, "mode", "block", "--service", "shop")
    generation = guardd.service()["generation"]
    wait_for(lambda: guardd.service()["generation"] > generation or guardd.service()["mode"] == "block", "the new mode")
    wait_for(lambda: drive(gate.port, [attack]) == [403], "the gate to block")
    assert set(drive(gate.port, shop.many(300))) == {200}
    # Sent again: those before may have used up the quota of their client.
    wait_for(lambda: drive(gate.port, [attack]) == [403]
             and re.search("(?<!WOULD )BLOCK GET /users param username", guard(guardd.state, "alerts")), "the alert")
    lines = [json.loads(line) for line in guard(guardd.state, "alerts", "--format", "jsonl").splitlines()]
    assert lines[0]["action"] == "alert"
    assert "username" in [line["findings"][0]["name"] for line in lines if line["action"] == "block"]
    assert "tom" not in json.dumps(lines)
    text = guard(guardd.state, "status")
    assert "shop: mode block" in text and "ready" in text


def test_repeated_alerts_are_folded_with_counts(guardd, gate):
    shop = Shop(22)
    drive(gate.port, shop.many(1200))
    wait_for(lambda: guardd.service().get("ready"), "readiness")
    wait_in_force(guardd, gate, shop)
    attack = shop.exchange("GET", "/users?username=tom%27%20or%20%27a%27=%27a")
    wait_for(lambda: drive(gate.port, [attack] * 4) and (guardd.state / "alerts.jsonl").exists(), "the first alert")
    drive(gate.port, [attack] * 40)
    time.sleep(0.5)
    assert guardd.stop() == 0  # ends the windows
    lines = [json.loads(line) for line in (guardd.state / "alerts.jsonl").read_text().splitlines()]
    same = [line for line in lines if line["findings"] and line["findings"][0]["name"] == "username"]
    assert len(same) <= 4, len(same)
    assert sum(line["count"] + line["suppressed"] for line in same) >= 20


def test_whatever_id_a_client_quotes_its_alert_is_found_and_can_be_triaged(guardd, gate):
    shop = Shop(34)
    drive(gate.port, shop.many(1200))
    wait_for(lambda: guardd.service().get("ready"), "readiness", 60)
    guard(guardd.state, "mode", "block", "--service", "shop")
    attack = shop.exchange("GET", "/users?username=tom%27%20or%20%27a%27=%27a")
    wait_for(lambda: drive(gate.port, [attack]) == [403], "the gate to block", 60)
    url = f"http://127.0.0.1:{gate.port}/users?username=tom%27%20or%20%27a%27=%27a"
    # From an address of their own, of which nothing was held back yet.
    answers = [curl(url, "--interface", "127.0.201.1") for _ in range(6)]
    ids = [re.search(rb"[0-9a-f]{32}", answer.body).group().decode() for answer in answers]
    assert [answer.status for answer in answers] == [403] * 6 and len(set(ids)) == 6

    # What was folded is told at the end. The gate tells of an exchange after its answer: what guardd didn't see then waits for the next.
    def all_told():
        assert guardd.stop() == 0
        told = (guardd.state / "alerts.jsonl").read_text()
        return all(number in told for number in ids) or not guardd.start()
    wait_for(all_told, "the alerts of all ids", 60)
    for number in ids:
        text = guard(guardd.state, "explain", number)
        assert "username" in text and "blocked, by generation" in text and "Nobody said yet" in text, text
        assert "guardians/shop.yaml" in text
    for number, state in ((ids[1], "rare"), (ids[4], "false")):
        guard(guardd.state, "triage", number, state, "--reason", f"is \x1b[31m{state}")
    text = guard(guardd.state, "explain", ids[4])
    assert "it was    false, said by" in text and "is ?[31mfalse" in text and "Nobody said yet" not in text
    assert "[false]" in guard(guardd.state, "alerts") and "[false]" in guard(guardd.state, "alerts", "--id", ids[4])
    lines = [json.loads(line) for line in guard(guardd.state, "alerts", "--format", "ecs").splitlines()]
    line = next(line for line in lines if line["guard"].get("triage") == "false")
    assert line["event"]["kind"] == "alert" and line["event"]["action"] == "block" and line["event"]["type"] == ["denied"]
    assert line["service"]["name"] == "shop" and line["http"]["response"]["status_code"] == 403
    assert line["source"]["address"] == "127.0.201.1" and line["guard"]["findings"][0]["name"] == "username"
    assert line["@timestamp"].endswith("Z") and line["rule"]["name"] == line["guard"]["findings"][0]["rule"]
    for arguments in (["triage", "0" * 32, "true"], ["explain", "0" * 32], ["alerts", "--id", "0" * 32]):
        done = subprocess.run([BIN / "guard", *arguments, "--state", guardd.state], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1 and "no alert has this id" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("odd", ["%c2%80", "%ef%bf%bf", "%e2%80%a8", "%00%1b%ff"])
def test_no_name_keeps_its_alert_from_being_told(guardd, gate, odd):
    """Alerts are read as documents: what these refuse must not stand in them raw."""
    shop = Shop(33)
    drive(gate.port, shop.many(1200))
    wait_for(lambda: guardd.service().get("ready"), "readiness")
    wait_in_force(guardd, gate, shop)
    attack = shop.exchange("GET", f"/users?username=tom%27%20or%20%27a%27=%27a&x{odd}=1")
    drive(gate.port, [attack])
    wait_for(lambda: "\n" in (guardd.state / "alerts.jsonl").read_text() or guardd.status()["alerts"]["hostile"], "the alert")
    assert guardd.status()["alerts"]["hostile"] == 0
    found = [json.loads(line) for line in (guardd.state / "alerts.jsonl").read_text().splitlines()]
    assert any(finding["name"].startswith("x") for line in found for finding in line["findings"])
    assert "param username" in guard(guardd.state, "alerts")
    assert guard(guardd.state, "status")


def test_a_bad_guardian_leaves_the_last_good_one_in_force(guardd, gate):
    drive(gate.port, Shop(23).many(50))
    guardd.wait_exchanges(50)
    guard(guardd.state, "mode", "block", "--service", "shop")
    wait_for(lambda: guardd.service()["mode"] == "block", "block")
    document = guardd.state / "guardians" / "shop.yaml"
    document.write_text(document.read_text() + "surprise: 1\n")
    wait_for(lambda: "surprise" in guardd.service()["guardian_error"], "the refusal")
    assert guardd.service()["mode"] == "block"
    assert "shop.yaml:" in guardd.service()["guardian_error"]
    assert "Guardian refused" in guard(guardd.state, "status")


def test_bypass_works_with_guardd_dead(guardd, gate):
    shop = Shop(24)
    drive(gate.port, shop.many(1200))
    wait_for(lambda: guardd.service().get("ready"), "readiness")
    wait_in_force(guardd, gate, shop)
    guard(guardd.state, "mode", "block", "--service", "shop")
    attack = shop.exchange("GET", "/users?username=tom%20or%201=1")
    wait_for(lambda: drive(gate.port, [attack]) == [403], "the gate to block")
    guardd.kill()
    guard(guardd.state, "bypass", "shop", "--for", "1h", "--reason", "test")
    wait_for(lambda: drive(gate.port, [attack]) == [200], "the bypass")
    guard(guardd.state, "bypass", "shop", "--end")
    wait_for(lambda: drive(gate.port, [attack]) == [403], "the end of the bypass")

    def passes():
        """Asked for again until one is seen: it may be over before anybody looks."""
        guard(guardd.state, "bypass", "shop", "--for", "2s", "--reason", "test")
        time.sleep(0.7)  # the gate looks twice a second
        return drive(gate.port, [attack]) == [200]

    wait_for(passes, "the short bypass")
    wait_for(lambda: drive(gate.port, [attack]) == [403], "its end by itself")
    guardd.start()


def test_a_damaged_store_is_put_aside_and_generations_go_on(guardd, gate):
    drive(gate.port, Shop(25).many(200))
    guardd.wait_exchanges(200)
    wait_for(lambda: guardd.service()["generation"] >= 1, "a generation")
    guardd.stop()
    before = guardd.service()["generation"]
    for name in ("guard.db", "guard.db-wal"):
        path = guardd.state / name
        if path.exists():
            path.write_bytes(os.urandom(4096))
    guardd.start()
    wait_for(lambda: "store-damaged" in guardd.log(), "the alarm")
    drive(gate.port, Shop(25).many(200))
    wait_for(lambda: guardd.service()["generation"] > before, "a later generation")


def test_nobody_else_reads_the_store(guardd, gate):
    """It holds the keys of services; the folder is the gate's, too, and passes its group on."""
    guardd.stop()
    for file in guardd.state.glob("guard.db*"):
        file.chmod(0o644)
    guardd.state.chmod(0o2775)
    guardd.start()
    drive(gate.port, Shop(26).many(50))
    guardd.wait_exchanges(50)
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in guardd.state.glob("guard.db*")}
    assert "guard.db-wal" in modes and set(modes.values()) == {"0o600"}, modes


@pytest.mark.parametrize("tables", ["service", "service, position"])
def test_a_store_that_was_never_finished_is_set_up_again(guardd, tables):
    """As one that was killed between its tables and their version left it."""
    guardd.stop()
    columns = {"service": "name TEXT PRIMARY KEY, key BLOB NOT NULL, generation INTEGER NOT NULL, pile BLOB",
               "position": "ring TEXT PRIMARY KEY, incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL"}
    for file in guardd.state.glob("guard.db*"):
        file.unlink()
    with sqlite3.connect(guardd.state / "guard.db") as database:
        for table in tables.split(", "):
            database.execute(f"CREATE TABLE {table} ({columns[table]}) STRICT")
    guardd.start()
    guardd.stop()
    with sqlite3.connect(guardd.state / "guard.db") as database:
        assert database.execute("PRAGMA user_version").fetchone() == (7,)
        assert database.execute("SELECT count(*) FROM position").fetchone() == (0,)
    assert "damaged" not in guardd.log()


def test_only_one_guardd_per_directory(guardd):
    second = subprocess.run([BIN / "guardd", "--state", guardd.state], capture_output=True, text=True, timeout=120, check=False)
    assert second.returncode == 1 and "another guardd" in second.stderr


def ring_identity(state):
    """Producer and incarnation of the only ring, as docs/internals/ring.md lays the header out."""
    rings = sorted((state / "rings").glob("*.ring"))
    with sqlite3.connect(f"file:{state}/guard.db?mode=ro", uri=True) as database:
        rows = dict(database.execute("SELECT ring, incarnation FROM position").fetchall())
        key = database.execute("SELECT key FROM service WHERE name = 'shop'").fetchone()[0]
    used = [ring for ring in rings if ring.name in rows]
    assert len(used) == 1, (rings, rows)
    header = used[0].read_bytes()[:64]
    return header, rows[used[0].name], key


def find_producer(header, state):
    """The producer is the 8-byte word of the header for which the exported pile knows a position: read by `guard pile show`."""
    text = subprocess.run([BIN / "guard", "pile", "show", state / "piles" / "shop.pile"], capture_output=True, text=True,
                          timeout=120, check=True).stdout
    interval = next(line.split() for line in text.splitlines() if line.startswith("interval "))
    producer, incarnation = interval[1].split(":")
    assert struct.pack("<Q", int(producer, 16)) in header
    return producer, int(incarnation)


def test_offline_and_gate_piles_are_byte_identical(guardd, nginx, fast_upstream, tmp_path):
    http = GATE.replace("{state}", str(guardd.state)).replace("{back}", str(fast_upstream.port)).replace(
        "log_format count '$request_id $guard_generation'", "log_format count '$msec $request_time $remote_addr $status $upstream_response_time'")
    gate = nginx(http)
    shop = Shop(26)
    odd = [shop.exchange("GET", "/a/%2e%2e/b?x=%zz&x=2;y=3"), shop.exchange("POST", "/orders", [["content-type", "application/json"]],
           '{"item":"h\\u00e4t","item":1,"deep":[[[{"a":null}]]],"long":"' + "x" * 3000 + '"} trailing'),
           shop.exchange("POST", "/form", [["content-type", "application/x-www-form-urlencoded"]], "a=1&b=%C3%A4+c&a=2"),
           shop.exchange("GET", "/users?username=%F1&username=", [["cookie", 'sid=abc123; theme="dark"']])]
    exchanges = shop.many(400) + odd + shop.many(100)
    drive(gate.port, exchanges)
    guardd.wait_exchanges(len(exchanges))
    assert guardd.stop() == 0
    settle()
    rows = [line.split() for line in (gate.prefix / "count.log").read_text().splitlines()]
    assert len(rows) == len(exchanges)
    answer = '{"ok":true,"items":[1,2,3]}'
    for exchange, (msec, took, address, status, latency) in zip(exchanges, rows):
        exchange["time"] = round(float(msec) - float(took), 3)
        exchange["client"] = address
        exchange["response"] = {"status": int(status), "latency_ms": round(1000 * float(latency)), "body": answer,
                                "headers": [["content-type", "application/json"], ["content-length", str(len(answer))]]}
        body = exchange["request"].get("body", "")
        if body:
            exchange["request"]["headers"].append(["content-length", str(len(body.encode()))])
    header, incarnation, key = ring_identity(guardd.state)
    producer, incarnation_shown = find_producer(header, guardd.state)
    assert incarnation_shown == incarnation
    (tmp_path / "key").write_text(key.hex())
    train = write(tmp_path / "same.jsonl", exchanges)
    offline = tmp_path / "offline.pile"
    subprocess.run([BIN / "guard", "learn", "--service", "shop", "--key", tmp_path / "key", "--as", f"{producer}:{incarnation}:1",
                    "--pile", offline, train], check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert hashlib.sha256(offline.read_bytes()).hexdigest() == \
        hashlib.sha256((guardd.state / "piles" / "shop.pile").read_bytes()).hexdigest()
    guardd.start()


def test_what_nobody_does_any_more_is_forgotten_with_the_days(guardd, gate, tmp_path):
    """A pile of 40 days, where /legacy was used on the first one only, in the store of a guardd that then sees a record of today."""
    shop = Shop(27, start=time.time() - 42 * 86400)
    traffic = [shop.exchange("GET", "/legacy?old=1") for _ in range(20)]
    for _ in range(40):
        shop.time += 86400
        traffic += shop.many(3)
    drive(gate.port, Shop(28).many(1))
    guardd.wait_exchanges(1)
    assert guardd.stop() == 0
    with sqlite3.connect(guardd.state / "guard.db") as database:
        (tmp_path / "key").write_text(database.execute("SELECT key FROM service WHERE name = 'shop'").fetchone()[0].hex())
        pile = tmp_path / "old.pile"
        subprocess.run([BIN / "guard", "learn", "--service", "shop", "--key", tmp_path / "key", "--pile", pile,
                        write(tmp_path / "t.jsonl", traffic)], check=True, timeout=60, stdout=subprocess.DEVNULL)
        assert b"legacy" in pile.read_bytes()
        database.execute("UPDATE service SET pile = ? WHERE name = 'shop'", (pile.read_bytes(),))
    database.close()
    guardd.start()
    drive(gate.port, Shop(29).many(5))
    guardd.wait_exchanges(len(traffic) + 5)
    assert guardd.stop() == 0
    kept = (guardd.state / "piles" / "shop.pile").read_bytes()
    assert b"legacy" not in kept and b"users" in kept
    guardd.start()


def load(port, total, failures, connections=8):
    """total exchanges over several connections, in threads; every answer must be 200."""
    def work(index, count):
        client = Client(port, f"127.0.{index + 1}.1")
        for number in range(count):
            request = f"GET /items/{number % 97}?page={number % 7} HTTP/1.1\r\nhost: shop.example\r\n\r\n".encode()
            client.sock.sendall(request)
            status = client.file.readline()
            length = 0
            while (line := client.file.readline().strip()):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            client.file.read(length)
            if b" 200 " not in status:
                failures.append(status)
        client.close()

    threads = [threading.Thread(target=work, args=(i, total // connections)) for i in range(connections)]
    for thread in threads:
        thread.start()
    return threads


def test_kill_at_random_times_loses_and_doubles_nothing(guardd, gate):
    """GUARD_KILLS and GUARD_EXCHANGES make it as long as one likes (the soak: 100 kills in 100,000 exchanges)."""
    kills = int(os.environ.get("GUARD_KILLS", "12"))
    total = int(os.environ.get("GUARD_EXCHANGES", "16000")) // 8 * 8
    seed = random.randrange(1 << 32)
    rnd = random.Random(seed)
    print(f"seed {seed}")
    failures = []
    killed = 0
    threads = load(gate.port, total, failures)
    while killed < kills or any(thread.is_alive() for thread in threads):
        time.sleep(rnd.uniform(0.02, 0.5))
        if killed < kills:
            guardd.kill()
            killed += 1
            guardd.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    # The gate's own count, not ours.
    settle()
    served = len((gate.prefix / "count.log").read_text().splitlines())
    assert served == total
    guardd.wait_exchanges(served)
    guardd.kill()  # what is not saved yet is read from the rings again
    guardd.start()
    guardd.wait_exchanges(served)
    assert guardd.stop() == 0
    assert guardd.service()["exchanges"] == served, f"seed {seed}: {guardd.service()['exchanges']} of {served}"
    guardd.start()


def test_learning_can_be_paused(guardd, gate):
    drive(gate.port, Shop(27).many(100))
    guardd.wait_exchanges(100)
    document = guardd.state / "guardians" / "shop.yaml"
    document.write_text("service: shop\ncontrol: {learn: paused}\n")
    wait_for(lambda: guardd.service()["learn"] == "paused", "the pause")
    drive(gate.port, Shop(28).many(100))
    wait_for(lambda: guardd.status()["rings"]["records"] >= 200, "the records to be read")
    assert guardd.service()["exchanges"] == 100


def test_hostile_rings_are_counted_and_hurt_nobody(guardd, gate):
    drive(gate.port, Shop(29).many(100))
    guardd.wait_exchanges(100)
    rnd = random.Random(5)
    good = next((guardd.state / "rings").glob("*.ring")).read_bytes()
    for i in range(20):
        bad = bytearray(good)
        for _ in range(200):
            bad[rnd.randrange(len(bad))] = rnd.randrange(256)
        (guardd.state / "rings" / f"bad-{i}.ring").write_bytes(bad)
        (guardd.state / "rings" / f"short-{i}.ring").write_bytes(good[:rnd.randrange(5000)])
        (guardd.state / "rings" / f"noise-{i}.alerts").write_bytes(os.urandom(100000))
    time.sleep(1.5)
    drive(gate.port, Shop(30).many(100))
    guardd.wait_exchanges(200)
    assert guardd.process.poll() is None, guardd.log()


def test_a_ring_that_never_ends_doesnt_keep_guardd_from_ending(guardd, gate, tmp_path):
    """Records come faster than they can be read: what is left stays in the ring."""
    drive(gate.port, Shop(32).many(50))
    guardd.wait_exchanges(50)
    flood = tmp_path / "flood"
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-I", ROOT / "include", "-I", ROOT, "-o", flood,
                    pathlib.Path(__file__).with_name("flood.c"), BUILD / "common" / "libcommon.a",
                    BUILD / "lib" / "libguard.a", "-lsodium", "-lyaml", "-lm"], check=True, timeout=300)
    writer = subprocess.Popen([flood, guardd.state / "rings"])
    try:
        wait_for(lambda: guardd.status()["rings"]["rejected"] > 10000, "the flood to be read")
        guardd.process.send_signal(signal.SIGTERM)
        assert guardd.process.wait(60) == 0
        assert guardd.service()["exchanges"] == 50
    finally:
        end_process(writer)


def test_positions_of_rings_that_are_gone_are_forgotten(guardd, gate):
    """Whoever may make rings could else fill the store with their names."""
    drive(gate.port, Shop(34).many(50))
    guardd.wait_exchanges(50)
    good = next((guardd.state / "rings").glob("*.ring")).read_bytes()
    rings = [guardd.state / "rings" / f"short-lived-{i}.ring" for i in range(20)]

    def positions():
        with sqlite3.connect(f"file:{guardd.state}/guard.db?mode=ro", uri=True) as database:
            return [name for (name,) in database.execute("SELECT ring FROM position") if name.startswith("short")]

    for ring in rings:
        ring.write_bytes(good)
    wait_for(lambda: len(positions()) == 20, "their positions")
    for ring in rings:
        ring.unlink()
    wait_for(lambda: not positions(), "them to be forgotten")
    drive(gate.port, Shop(35).many(50))
    wait_for(lambda: guardd.service()["exchanges"] >= 100, "the gate's own ring to be read")


def at_rest(gate):
    """Workers write records behind the answer: all are written once they sleep again."""
    return all(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S" for pid in gate.workers())


def test_sigterm_saves_everything_at_once(guardd, gate):
    drive(gate.port, Shop(31).many(321))
    wait_for(lambda: len((gate.prefix / "count.log").read_text().splitlines()) == 321 and at_rest(gate), "the last record to be written")
    guardd.process.send_signal(signal.SIGTERM)
    assert guardd.process.wait(60) == 0
    assert guardd.service()["exchanges"] == 321
    guardd.start()
    guardd.wait_exchanges(321)
