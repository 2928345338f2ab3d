# SPDX-License-Identifier: Apache-2.0
"""What is new and reads like an attack is blocked after some hundred requests, at the default budget; where clients write such
text every day it passes, and so does what is new alone."""

import json
import subprocess
import urllib.parse

import pytest

from harness import BIN
from learned import Learned
from traffic import Shop, write

from .conftest import wait_generation

CODE = ["select * from orders where id = 5 and 1=1", "' or '1'='1", "update users set name = 'x' where id = 3",
        "; drop table carts", "x' union select name from users -- "]
WORDS = "the order of my cart was lost when I paid it, please look (again) why: it's \"late\"; thanks & bye = 5 < 7 > 3".split()
INJECTED = "tom' or '1'='1"


def ticket(random, code):
    words = random.choices(WORDS, k=random.randrange(6, 14))
    return " ".join(words[:4] + ([code] if code else []) + words[4:])


def target(path, **values):
    return f"{path}?{urllib.parse.urlencode(values)}"


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Names, which are words, and tickets, of which every second one holds code."""
    shop = Shop(11, service="svc", clients=60)
    exchanges = []
    for i in range(1200):
        code = shop.random.choice(CODE) if i % 4 == 1 else None
        path = target("/tickets", text=ticket(shop.random, code)) if i % 2 else target("/users", username=shop.name())
        exchange = shop.exchange("GET", path)
        exchange["request"]["headers"].append(["accept", "*/*"])
        exchanges.append(exchange)
    return Learned(tmp_path_factory.mktemp("learned"), exchanges)


def status(instance, path):
    return instance.curl(path, "-H", "Host: shop.example", "-A", "shop-app/1.4").status


def test_novel_and_like_an_attack_is_blocked_and_usual_code_passes(gate, learned):
    learned.publish(gate.state, request="block")
    instance = gate(publish=False)
    wait_generation(instance, learned.generation)
    shop = Shop(12)
    assert status(instance, target("/users", username="tom")) == 200
    assert status(instance, target("/users", username=INJECTED)) == 403
    assert status(instance, target("/users", username="<script>alert(1)</script>")) == 403
    for code in CODE:
        assert status(instance, target("/tickets", text=ticket(shop.random, code))) == 200


def test_the_verdict_says_what_it_looks_like_and_can_do_without(learned, tmp_path):
    shop = Shop(13, service="svc")
    traffic = write(tmp_path / "asked.jsonl", [shop.exchange("GET", target("/users", username=INJECTED))])

    def check(*options):
        arguments = [BIN / "guard", "check", "--guardian", learned.guardian, *options, traffic]
        return subprocess.run(list(map(str, arguments)), capture_output=True, text=True, timeout=120, check=True).stdout

    text = check()
    assert "param username: looks like SQL: a tautology after a quote, never seen in " in text
    [verdict] = map(json.loads, check("--format", "jsonl").splitlines())
    assert verdict["findings"][0]["likeness"] == {"class": "sql", "degree": 3}
    [alone] = map(json.loads, check("--format", "jsonl", "--likeness", "off").splitlines())
    assert all(finding["rule"] != "likeness" for finding in alone["findings"])
    assert alone["score"] < verdict["score"]


PLACES = ("first", "last", "town", "street", "trade", "nation", "title", "mother", "father", "pet", "team", "school")


def person(shop, **values):
    return target("/people", **({name: shop.name() for name in PLACES} | values))


def verdicts(learned, folder, shop, paths):
    traffic = write(folder / "asked.jsonl", [shop.exchange("GET", path) for path in paths])
    done = subprocess.run(list(map(str, [BIN / "guard", "check", "--guardian", learned.guardian, "--format", "jsonl", traffic])),
                          capture_output=True, text=True, timeout=120, check=True)
    return [json.loads(line)["verdict"] for line in done.stdout.splitlines()]


def outlier(shop, i):
    """Someone whose names are like nobody's: long, of a script, digits and signs of their own. Nothing of an attack."""
    sign, letter = "!*~^+?@#,:"[i % 10], "žшλ京éअ"[i % 6]
    return person(shop, **{name: f"{letter * (2 + i)}{sign} {i * 7919} {sign}{shop.name().upper()}" for name in PLACES})


def test_outliers_in_shape_excuse_nothing_that_reads_like_an_attack(tmp_path):
    """Of 1,200 learned requests seven are unlike all others, so that what is merely new proves little at the default budget."""
    shop = Shop(14, service="svc", clients=60)
    paths = [outlier(shop, i // 170) if i % 170 == 60 else person(shop) for i in range(1200)]
    learned = Learned(tmp_path, [shop.exchange("GET", path) for path in paths])
    asked = [person(shop, first=INJECTED), outlier(shop, 4), person(shop)]
    assert verdicts(learned, tmp_path, shop, asked) == ["block", "pass", "pass"]


def test_twenty_who_attack_while_it_is_learned_excuse_nothing(tmp_path):
    """One request in fifty is an attack, of twenty clients, all through the time of learning. Where one writes names they teach nothing;
    where one writes text they may."""
    shop = Shop(15, service="svc", clients=400)
    exchanges = []
    for i in range(2400):
        attack = i % 50 == 7
        path = target("/users", username=INJECTED) if attack else target("/users", username=shop.name())
        exchanges.append(shop.exchange("GET", path, client=f"172.16.{i // 50 % 20}.7" if attack else None))
        text = ticket(shop.random, shop.random.choice(CODE) if attack else None)
        exchanges.append(shop.exchange("GET", target("/tickets", text=text), client=f"172.16.{i // 50 % 20}.7" if attack else None))
    learned = Learned(tmp_path, exchanges)
    asked = [target("/users", username=INJECTED), target("/users", username="' or 1=1 --"), target("/users", username=shop.name()),
             *(target("/tickets", text=ticket(shop.random, code)) for code in CODE)]
    attacks, usual = [one == "block" for one in verdicts(learned, tmp_path, shop, asked[:2])], verdicts(learned, tmp_path, shop, asked[2:])
    assert attacks == [True, True] and "block" not in usual


def test_who_attacks_is_not_believed_beside_it(tmp_path):
    """The same twenty, at two places: what they do with each attack looks harmless (a sign in another name), and where one writes text
    they write code. Nobody else does either."""
    shop = Shop(16, service="svc", clients=400)
    exchanges = []
    for i in range(2400):
        attack = i % 50 == 7
        client = f"172.16.{i // 50 % 20}.7" if attack else None
        exchanges.append(shop.exchange("GET", target("/users", username=INJECTED if attack else shop.name()), client=client))
        beside = {"first": INJECTED, "last": shop.name() + "~"} if attack else {}
        exchanges.append(shop.exchange("GET", person(shop, **beside), client=client))
        text = ticket(shop.random, shop.random.choice(CODE) if attack else None)
        exchanges.append(shop.exchange("GET", target("/tickets", text=text), client=client))
    learned = Learned(tmp_path, exchanges)
    asked = [person(shop), target("/tickets", text=ticket(shop.random, None)), person(shop, last=shop.name() + "~"),
             *(target("/tickets", text=ticket(shop.random, code)) for code in CODE)]
    told = verdicts(learned, tmp_path, shop, asked)
    assert told[:2] == ["pass", "pass"] and "pass" not in told[2:], told
