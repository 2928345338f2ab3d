# SPDX-License-Identifier: Apache-2.0
"""Defects of peers that would be the learner's: attacks that excuse themselves, false alarms, one profile for everything.
One test per row of docs/internals/peers-defects.md."""

import json
import subprocess
import time

import pytest

from harness import wait_for

from .conftest import drive, enforce, learn, statuses, told, wait_generation
from .shop import JSON, Connection, Traffic, get, order, post, request, send

ATTACK = "/users?username=tom%27%20or%201=1"
ODD = "/list?sort=" + "Zz9%7e%21%2a" * 30


def of_attack(world):
    """How often its client's attack was told or, beyond the client's quota, counted."""
    return sum(line["count"] - (line["findings"] == []) + line["suppressed"] for line in world.alerts()
               if line["client"] == "127.0.99.1")


def test_b05_what_was_alerted_is_not_learned(world, service):
    """In mode alert with learning on: attacks that one client repeats are told each time, also where they read like none, and benign
    traffic is learned."""
    gate = world.gate(service.port)
    learn(world, gate, 2400)
    wait_generation(gate, 1)
    with Connection(gate.port, "127.0.99.1") as attacker:
        for _ in range(200):
            assert attacker.send(get(ATTACK)).status == 200
            assert attacker.send(get(ODD)).status == 200
    assert statuses(drive(gate.port, Traffic(2).many(1200))) == [200]
    world.wait_exchanges(3600)  # with what was learned of the attacker
    world.guard("mode", "block", "--service", "shop")
    wait_for(lambda: world.service()["mode"] == "block", "block")
    wait_generation(gate, world.service()["generation"])
    wait_for(lambda: send(gate.port, get(ATTACK), "127.0.99.1").status == 403, "the attack to be blocked")
    assert send(gate.port, get(ATTACK), "127.0.3.1").status == 403
    assert send(gate.port, get(ODD), "127.0.99.1").status == 403
    assert statuses(drive(gate.port, Traffic(3).many(600))) == [200]
    gate.stop()  # tells how many were held back
    world.stop_guardd()  # writes the counts of what is folded
    assert of_attack(world) >= 200, "repetitions went silent"


def test_b09_forwarding_headers_are_learned(learned):
    """Wherever clients say they come from: addresses that never came before are no deviation, other texts are."""
    for address in ("8.8.8.8", "203.0.113.77", "1.2.3.4", "199.7.83.42"):
        learned.passes(get("/users?username=tom", ("X-Forwarded-For", address)))
    learned.blocks(get("/users?username=tom", ("X-Forwarded-For", "8.8.8.8' or 1=1")), "x-forwarded-for")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP"])
def test_b09_forged_forwarding_headers_choose_no_client(world, service, header):
    """One client that calls itself 200 stays one: it vouches for nothing alone, and it has one quota of alerts."""
    gate = world.gate(service.port)
    drive(gate.port, Traffic(4).many(240))
    with Connection(gate.port, "127.0.98.1") as forger:
        for i in range(200):
            value = f"for=198.51.{i}.7" if header == "Forwarded" else f"198.51.{i}.7"
            assert forger.send(get(f"/secret/{i % 7}?who=me", (header, value))).status == 200
    world.wait_exchanges(440)
    assert world.service()["clients"] <= 140  # estimated; 61, or 261 when believed


def test_b17_nothing_is_blocked_after_a_handful(world, service):
    """In mode block from the first request on: what is new in a young service is no attack."""
    gate = world.gate(service.port)
    drive(gate.port, [get("/users?username=tom")] * 3)
    world.wait_exchanges(3)
    enforce(world, gate, "mode: block")
    for round_of in range(4):
        known = world.service()["generation"]
        assert statuses(drive(gate.port, Traffic(10 + round_of).many(60))) == [200]
        world.wait_exchanges(60 * (round_of + 1))
        wait_for(lambda: world.service()["generation"] > known, "the next generation")
        wait_generation(gate, known + 1)


def test_b17_other_times_and_dates_are_no_deviation(learned):
    """The Date header of each answer differs, and this one takes longer than any before: no time limits out of the blue."""
    answer = learned.service.respond

    def slow(handler, body):
        time.sleep(1.5)  # the service is slow: it isn't the test that waits
        return answer(handler, body)

    learned.service.respond = slow
    try:
        learned.passes(get("/users?username=tom"))
        learned.passes(post("/orders", JSON, json.dumps(order())))
    finally:
        learned.service.respond = answer


def test_c01_unseen_benign_values_pass(learned):
    """New names, numbers and texts made as the known ones are: 2,000 requests of another seed, none refused."""
    assert statuses(drive(learned.port, Traffic(4711).many(2000))) == [200]
    for name in ("paula", "xaver77", "m.mustermann", "lia_p", "jean-luc"):
        learned.passes(get(f"/users?username={name}"))


def test_c04_mode_alert_blocks_nothing(world, service):
    gate = world.gate(service.port)
    learn(world, gate, 2400)
    wait_generation(gate, 1)
    attacks = [get(ATTACK), post("/orders", JSON, json.dumps(order(city="' OR 1=1--"))), get("/x/%2e%2e/etc/passwd"),
               get("//users"), post("/orders", JSON, '{"a":1}x'), get("/users?username=%zz"), request("DELETE", "/users")]
    assert statuses(drive(gate.port, attacks * 3)) == [200]
    assert len(service.seen) >= 2400 + len(attacks) * 3


def test_c05_what_people_say_counts(world, service):
    """A criterion that allows what was never seen lets it pass, there and only there."""
    gate = world.gate(service.port)
    learn(world, gate, 2400)
    world.guardian("""control: {mode: block, learn: paused}
configured:
  endpoints:
    - path: /users
      methods: [GET]
      parameters:
        - {in: query, name: username, characters: [lower, upper, digit, ".", "-", "_", "'", space, "="], types: [string, text, word, token],
           maxLength: 64}
""")
    wait_generation(gate, world.service()["generation"])
    service.respond = lambda handler, body: (200, JSON, b'{"users": [{"id": 7, "name": "tom"}]}')
    assert send(gate.port, get("/users?username=miles%20o%27brien")).status in (200, 403)
    line = wait_for(lambda: told(gate)[-1:], "the line")[0]
    assert "param username" not in line[-1], line
    assert send(gate.port, post("/orders", JSON, json.dumps(order(city="o'brien' OR 1=1")))).status == 403


def test_l01_an_outlier_widens_nothing(world, service):
    """One client's odd values while the service is learned, among 3,800 requests of 60: blocked afterwards all the same."""
    gate = world.gate(service.port)
    odd = [get(ATTACK), get("/list?sort=" + "x" * 200), post("/orders", JSON, json.dumps(order(city="' OR 1=1--")))]
    traffic = Traffic(20).many(1200)
    assert statuses(drive(gate.port, traffic)) == [200]
    drive(gate.port, odd * 5, clients=1, first=97)
    learn(world, gate, 2600, seed=21, before=1215)
    enforce(world, gate)
    assert [answer.status for answer in drive(gate.port, odd, clients=1, first=97)] == [403] * 3
    assert statuses(drive(gate.port, Traffic(22).many(300))) == [200]


def test_l02_fewer_than_four_clients_vouch_for_nothing(world, service):
    """Three clients that agree are no quorum, whatever it reads like."""
    gate = world.gate(service.port)
    assert statuses(drive(gate.port, Traffic(30).many(1200))) == [200]
    drive(gate.port, [get(ATTACK)] * 60 + [get(ODD)] * 60, clients=3, first=95)
    learn(world, gate, 2600, seed=31, before=1320)
    drive(gate.port, [get(ATTACK)] * 60 + [get(ODD)] * 60, clients=3, first=95)
    world.wait_exchanges(4040)
    enforce(world, gate)
    assert statuses(drive(gate.port, [get(ATTACK)] * 3 + [get(ODD)] * 3, clients=3, first=95)) == [403]


def test_l05_every_endpoint_has_its_own_profile(learned):
    """What is normal in one place is none in another: values, names, methods, kinds of bodies."""
    learned.passes(get("/search?q=blue+shirt&limit=10"))
    learned.blocks(get("/users?username=blue+shirt"), "param username")
    learned.blocks(get("/list?sort=name&limit=10"), "limit")
    learned.blocks(request("PUT", "/users?username=tom", [("Content-Type", "text/plain")], "remember the hat"))
    learned.blocks(post("/login", JSON, json.dumps(order())))


def saves(world):
    """How often guardd saved all that it had learned."""
    text = subprocess.run(["curl", "-sS", "--max-time", "60", "--unix-socket", world.state / "api.sock", "http://guardd/api/v1/metrics"], check=True,
                          capture_output=True, text=True).stdout
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("guard_store_saves_total "))


def test_r03_what_was_learned_is_kept(world, service):
    """After guardd was killed and started again it knows what it knew, and goes on from there."""
    gate = world.gate(service.port)
    learn(world, gate, 2400)
    before = saves(world)
    wait_for(lambda: saves(world) > before, "it to be saved: what isn't is read again from the rings, kept or not")
    world.guardd.kill()
    world.guardd.wait()
    world.start_guardd()
    world.wait_exchanges(2400)
    assert world.service()["exchanges"] == 2400
    drive(gate.port, Traffic(40).many(100))
    world.wait_exchanges(2500)
    enforce(world, gate)
    assert send(gate.port, get(ATTACK)).status == 403 and send(gate.port, get("/users?username=tom")).status == 200
