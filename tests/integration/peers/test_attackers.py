# SPDX-License-Identifier: Apache-2.0
"""Attacks on the learner that need a gate: victims who share an address or follow a link, identities that are forged, clocks that
jump. The rows of docs/guide/detection.md, "Attacks on the learner"; those by exchange files are in cli/test_attacks.py."""

import glob
import json
import os
import subprocess

import pytest

from harness import BIN, wait_for

from .conftest import GATE, World, drive, enforce, learn, statuses
from .shop import FORM, JSON, Connection, Traffic, get, multipart, order, post, request

ATTACK = "/users?username=tom%27%20or%201=1"
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
YEARS = 10 * 365 * 86400
needs_faketime = pytest.mark.skipif(not FAKETIME or "LD_PRELOAD" in os.environ,
                                    reason="libfaketime isn't installed, or another library is preloaded")


def test_victims_of_attackers_are_served(world, service):
    """In mode block, learning on: one attacks a hundred times from an address prefix with 30 honest users, and 20 clients are sent a link
    that attacks. Each attack is blocked, nothing else of any of them; what is learned meanwhile doesn't change that."""
    gate = world.gate(service.port)
    learn(world, gate, 2400)
    enforce(world, gate, "mode: block")
    honest, blocked = [], []
    traffic = Traffic(50)
    users = [Connection(gate.port, f"127.0.70.{i}") for i in range(1, 31)]
    linked = [Connection(gate.port, f"127.0.{i}.1") for i in range(71, 91)]
    with Connection(gate.port, "127.0.70.66") as attacker:
        for i in range(300):
            if i % 3 == 0:
                blocked.append(attacker.send(get(ATTACK)))
            if i % 15 == 0:
                blocked.append(linked[i // 15].send(get(ATTACK, ("Referer", "http://evil.example/"))))
            honest += [users[i % 30].send(request) for request in traffic.many(2)]
            honest.append(linked[i % 20].send(traffic.many(1)[0]))
    for connection in users + linked:
        connection.close()
    assert statuses(blocked) == [403] and statuses(honest) == [200]
    world.wait_exchanges(2400 + 900 + 120)
    enforce(world, gate, "mode: block")  # by a generation that was learned from it
    assert statuses(drive(gate.port, Traffic(52).many(200), clients=20, first=71)) == [200]
    assert statuses(drive(gate.port, Traffic(53).many(100), clients=1, first=70)) == [200]
    assert statuses(drive(gate.port, [get(ATTACK)] * 21, clients=21, first=70)) == [403]


def test_what_was_learned_cannot_be_read_off_blocks(learned):
    """Whatever rule it was, known or unknown: one answer, byte by byte but for id and date, again at the second attempt."""
    probes = [get(ATTACK), get("/users?username=tom&debug=%27"), get("/no/such/%27%20or%201=1"), request("DELETE", "/users?username=tom%27"),
              get("/list?sort=" + "Zz9%7e%21%2a" * 30), get("/users?username=tom", ("X-Odd", "' or 1=1 --")),
              get("/users?username=tom", ("Cookie", "a=' or 1=1 --")), get("/users?username=%zz%27"),
              post("/orders", JSON, json.dumps(order(city="' OR 1=1--"))), post("/orders", JSON, '{"a":"\'"}x'),
              post("/login", FORM, "user=tom&city=%27%20or%201=1&remember=yes"), multipart(title="' or 1=1 --")]
    seen = set()
    for probe in probes * 2:
        probe = probe.replace(b"User-Agent:", b"Accept: text/plain\r\nUser-Agent:", 1)
        answer = learned.blocks(probe)
        number = answer.headers.pop("x-guard-id")
        answer.headers.pop("date")
        seen.add((answer.status, tuple(answer.headers.items()), answer.body.replace(number.encode(), b"#" * 32)))
    assert len(seen) == 1, seen


def clients(world):
    """As many as the pile holds; the status tells those of the model that was learned last."""
    world.stop_guardd()
    shown = subprocess.run([BIN / "guard", "pile", "show", world.state / "piles" / "shop.pile"], capture_output=True, text=True, check=True,
                           timeout=120).stdout
    world.start_guardd()
    return int(next(line.split()[1] for line in shown.splitlines() if line.startswith("clients")))


TRUSTING = GATE.replace("guard shop;", "guard shop; set_real_ip_from 127.0.200.1; real_ip_header X-Forwarded-For; real_ip_recursive on;")


def test_a_trusted_hop_brings_its_clients_and_nobody_else_does(world, service):
    """Behind the proxy that nginx trusts the clients count, by the address that the proxy added, whatever stands before it. Who claims
    the same without being that proxy is one client."""
    gate = world.gate(service.port, TRUSTING)
    with Connection(gate.port, "127.0.200.1") as proxy, Connection(gate.port, "127.0.201.1") as forger:
        for i in range(1000):
            claims = ", ".join(f"203.{i % 250}.{j}.9" for j in range(i % 3))
            answer = forger.send(get("/users?username=tom", ("X-Forwarded-For", f"198.18.{i % 250}.{i // 250}")))
            assert answer.status == 200
            if i < 300:  # one client behind the proxy, who writes an address more each time
                answer = proxy.send(get("/users?username=tom", ("X-Forwarded-For", f"{claims}{', ' if claims else ''}192.0.2.7")))
                assert answer.status == 200
    world.wait_exchanges(1300)
    assert clients(world) == 2
    with Connection(gate.port, "127.0.200.1") as proxy:
        for i in range(300):
            assert proxy.send(get("/users?username=tom", ("X-Forwarded-For", f"9.9.9.9, 100.{i % 100}.{i // 100}.1"))).status == 200
    world.wait_exchanges(1600)
    assert 150 <= clients(world) <= 600  # estimated: 302


# Clocks.

# nginx takes its environment away from its workers, but for these.
FAKED = "".join(f"env {name};\n" for name in ("FAKETIME_TIMESTAMP_FILE", "FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC"))


def shifted(folder):
    """What makes a process take its time from a file in the folder: (its environment, a function that sets the shift in seconds)."""
    clock = folder / "clock"

    def shift(seconds):
        new = clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.rename(clock)

    shift(0)
    return {**os.environ, "LD_PRELOAD": FAKETIME[0], "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}, shift


class ShiftedWorld(World):
    """guardd's clock is that of the environment."""

    def start_guardd(self, env=None):
        with open(self.log_path, "ab") as log:
            self.guardd = subprocess.Popen([BIN / "guardd", "--state", self.state], stderr=log, env=env)
        wait_for(lambda: '"event":"started"' in self.log() or self.guardd.poll() is not None, "guardd to start")
        assert self.guardd.poll() is None, self.log()
        return self


def knows(gate):
    """That what was learned is in force and whole."""
    assert statuses(drive(gate.port, Traffic(70).many(300))) == [200]
    assert statuses(drive(gate.port, [get(ATTACK), get("/list?sort=%27%20or%201=1"), get("/search?q=%27;drop%20table&limit=10")])) == [403]


@needs_faketime
def test_a_gate_whose_clock_is_ahead_teaches_nothing_and_is_told(world, service, tmp_path):
    """Records of a time to come aren't learned, else they would push all other epochs out; the gate with the right clock goes on."""
    env, shift = shifted(tmp_path)
    shift(YEARS)
    gate, wrong = world.gate(service.port), world.gate(service.port, env=env, main=FAKED)
    learn(world, gate, 2400)
    for _ in range(3):
        assert statuses(drive(wrong.port, Traffic(71).many(200))) == [200]
        shift(YEARS * 2)
    wait_for(lambda: world.service()["refused"] >= 600, "the records to be refused")
    assert world.log().count('"event":"clock-ahead"') == 1
    assert world.service()["exchanges"] == 2400
    enforce(world, gate)
    knows(gate)


@needs_faketime
def test_a_clock_that_jumps_for_all_costs_no_knowledge(service, tmp_path):
    """The machine's clock: ten years ahead, back, ten years behind, back; records at each time. One client attacks at each."""
    env, shift = shifted(tmp_path)
    world = ShiftedWorld(tmp_path).start_guardd(env)
    try:
        gate = world.gate(service.port, env=env, main=FAKED)
        learn(world, gate, 2400)
        count = 2400
        for seconds in (YEARS, 0, -YEARS, 0, 5 * 3600, -5 * 3600, 0):
            shift(seconds)
            assert statuses(drive(gate.port, Traffic(80 + count).many(60))) == [200]
            drive(gate.port, [get(ATTACK)] * 5, clients=1, first=99)
            count += 65
            world.wait_exchanges(count)
        assert world.service()["epochs"] <= 32
        enforce(world, gate)
        knows(gate)
        assert "learning-stopped" not in world.log() and world.guardd.poll() is None
    finally:
        world.close()


@needs_faketime
def test_forgetting_goes_on_after_a_clock_was_ahead(service, tmp_path):
    """What nobody does any more is forgotten with the days also when there was a day ten years ahead."""
    env, shift = shifted(tmp_path)
    world = ShiftedWorld(tmp_path).start_guardd(env)
    try:
        gate = world.gate(service.port, env=env, main=FAKED)
        drive(gate.port, [get("/legacy?old=1")] * 5)
        count = 5
        for seconds in [YEARS, 0] + [day * 86400 for day in range(1, 41)]:
            shift(seconds)
            drive(gate.port, [get("/users?username=tom")] * 3)
            count += 3
            world.wait_exchanges(count)
        world.stop_guardd()
        pile = (world.state / "piles" / "shop.pile").read_bytes()
        assert b"username" in pile and b"legacy" not in pile
    finally:
        world.close()
