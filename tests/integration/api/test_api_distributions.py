# SPDX-License-Identifier: Apache-2.0
"""How the numbers of an endpoint are spread: a real gate's traffic, of which all lengths are known, is told as it was sent."""

import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from talking import Api, wait_for  # noqa: E402
from harness import ROOT  # noqa: E402, F401
from test_guardd import drive, gate, guard, guardd  # noqa: E402, F401
from test_postgres import gate_of, make, missing, postgres, server  # noqa: E402, F401
from traffic import Shop  # noqa: E402

ENDPOINT = "/services/shop/endpoint?method=GET&template=/users"
# length: (exchanges, clients); buckets are single numbers up to 15, from there a quarter of an octave.
SENT = {3: (240, 12), 5: (120, 12), 9: (60, 12), 17: (24, 12), 18: (12, 12), 40: (9, 3), 200: (1, 1)}
BUCKETS = [{"lower": 3, "upper": 3, "exchanges": 240, "clients": 8}, {"lower": 5, "upper": 5, "exchanges": 120, "clients": 8},
           {"lower": 9, "upper": 9, "exchanges": 60, "clients": 8}, {"lower": 16, "upper": 19, "exchanges": 36, "clients": 8},
           {"lower": 40, "upper": 47, "exchanges": 9, "clients": 3}, {"lower": 192, "upper": 223, "exchanges": 1, "clients": 1}]
ALL = sum(number for number, _ in SENT.values())


def send(gate, shop, sent):
    for length, (number, clients) in sent.items():
        assert set(drive(gate.port, [shop.exchange("GET", f"/users?username={'a' * length}") for _ in range(number)], clients)) == {200}


def told(api):
    """The distributions of the parameter, and the endpoint."""
    answer = api.ask("GET", ENDPOINT)
    if answer.status != 200:
        return None, None
    endpoint = api.get(ENDPOINT)
    found = [one for one in endpoint["fields"] if one["name"] == "username"]
    return (found[0], endpoint) if found else (None, endpoint)


def of(thing, name):
    return next(one for one in thing["distributions"] if one["of"] == name)


def wait_all(api, number):
    wait_for(lambda: (told(api)[0] or {}).get("values") == number, f"{number} values to be learned")
    return told(api)


def check_lengths(field):
    length = of(field, "length")
    assert length["buckets"] == BUCKETS and length["exchanges"] == ALL and length["without"] == 0 and length["unit"] == "bytes"
    assert (length["p50"], length["p95"], length["p99"]) == (3, 19, 47)
    # Whoever sent 40 and more is one of three clients: the limit lies where a fourth reaches it.
    assert (length["upper"]["at"], length["upper"]["beyond"], length["lower"]["at"], length["lower"]["beyond"]) == (19, 10, 3, 0)
    assert [one["of"] for one in field["distributions"]] == ["length", "digits", "specials", "items"]
    assert of(field, "digits")["buckets"] == [{"lower": 0, "upper": 0, "exchanges": ALL, "clients": 8}]
    assert of(field, "items")["buckets"] == [{"lower": 1, "upper": 1, "exchanges": ALL, "clients": 8}]


def test_lengths_are_told_as_they_were_sent(guardd, gate):
    api = Api(guardd.state).ready()
    shop = Shop(801)
    send(gate, shop, SENT)
    field, endpoint = wait_all(api, ALL)
    check_lengths(field)
    assert "aaaa" not in json.dumps(endpoint) and "127.0" not in json.dumps(endpoint)
    time = of(endpoint, "time")
    assert time["unit"] == "milliseconds" and time["exchanges"] + time["without"] == ALL and time["exchanges"] > 0
    assert [one["of"] for one in endpoint["distributions"]] == ["time"]  # there was no body
    answers = endpoint["responses"]
    assert [one["status"] for one in answers] == [2] and of(answers[0], "body")["exchanges"] == ALL
    for one in field["distributions"] + endpoint["distributions"] + answers[0]["distributions"]:
        assert sum(bucket["exchanges"] for bucket in one["buckets"]) == one["exchanges"], one
        assert all(a["upper"] < b["lower"] for a, b in zip(one["buckets"], one["buckets"][1:])), one
    look = wait_for(lambda: [line for line in (guardd.state / "looks.jsonl").read_text().splitlines() if "/endpoint" in line], "the look")
    assert "shop" in look[0]

    # A ready service is published each minute at most, but at once when people change something.
    guard(guardd.state, "mode", "observe", "--service", "shop")
    # Longer ones of all clients, in two epochs, move the limit; gone back to an earlier generation, its limit is the one in force.
    kept = wait_for(lambda: [one for one in api.get("/services/shop/generations")["generations"] if one["exchanges"] == ALL], "a generation of that")
    for sent in ({100: (24, 12)}, {5: (540, 12)}, {100: (24, 12)}):
        send(gate, shop, sent)
    field, _ = wait_all(api, ALL + 588)
    length = of(field, "length")
    assert {"lower": 96, "upper": 111, "exchanges": 48, "clients": 8} in length["buckets"]
    assert (length["upper"]["at"], length["upper"]["beyond"]) == (111, 1)
    api.put("/services/shop/rollback", {"generation": kept[0]["generation"], "seconds": 600, "reason": "a test"})
    wait_for(lambda: api.get("/services/shop/rollback")["rolled_back_to"] == kept[0]["generation"], "the rollback")
    gone_back = wait_for(lambda: (one := of(told(api)[0], "length"))["upper"]["at"] == 19 and one, "the earlier limit")
    assert gone_back["upper"]["beyond"] == 58 and gone_back["buckets"] == length["buckets"]


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_a_root_on_postgresql_tells_the_same(make, gate_of):  # noqa: F811
    guardd = make("first")  # noqa: F811
    api = Api(guardd.state).ready()
    send(gate_of(guardd), Shop(802), SENT)
    check_lengths(wait_all(api, ALL)[0])

