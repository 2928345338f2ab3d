# SPDX-License-Identifier: Apache-2.0
"""The command line as people and programs call it: learn, check, pile, show, diff, mode, bypass."""

import gzip
import hashlib
import json
import os
import random
import re
import struct
import subprocess
import sys
import pathlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN  # noqa: E402
from peak import peak_kib  # noqa: E402
from traffic import Shop, write  # noqa: E402


def guard(*arguments, status=0, data=None, env=None):
    done = subprocess.run([BIN / "guard", *map(str, arguments)], input=data, capture_output=True, timeout=120,
                          env={**os.environ, **(env or {})}, check=False)
    assert done.returncode == status, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    return done


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verdicts(*arguments):
    return [json.loads(line) for line in guard("check", "--format", "jsonl", *arguments).out.splitlines()]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learned")
    train = write(folder / "train.jsonl", Shop(1).many(3000))
    guard("learn", "--pile", folder / "shop.pile", "--guardian", folder / "shop.yaml", train)
    return folder


def test_benign_passes_and_an_injection_is_blocked_with_its_place(learned, tmp_path):
    shop = Shop(2)
    benign = write(tmp_path / "benign.jsonl", shop.many(500))
    attack = write(tmp_path / "attack.jsonl", [
        shop.exchange("GET", "/users?username=tom%20or%201=1"),
        shop.exchange("GET", "/users?username=tom%27--"),
        shop.exchange("POST", "/orders", [["content-type", "application/json"]],
                      '{"item":"hat","quantity":1,"address":{"city":"Bern\' OR \'a\'=\'a","zip":"3000"},"tags":[]}')])
    passed = verdicts("--guardian", learned / "shop.yaml", benign)
    assert [v["id"] for v in passed] == [json.loads(line)["id"] for line in benign.read_text().splitlines()]
    assert sum(v["verdict"] == "block" for v in passed) == 0
    blocked = verdicts("--guardian", learned / "shop.yaml", attack)
    assert [v["verdict"] for v in blocked] == ["block"] * 3
    assert [(v["findings"][0]["location"], v["findings"][0]["name"]) for v in blocked] == [
        ("query", "username"), ("query", "username"), ("json", "address.city")]
    for verdict in blocked:
        assert set(verdict["findings"][0]) >= {"part", "location", "name", "rule", "observed", "expected", "p"}
        assert verdict["score"] > 0 and "tom" not in json.dumps(verdict)
    text = guard("check", "--guardian", learned / "shop.yaml", attack).out
    assert "BLOCK GET /users param username" in text.splitlines()[0]


@pytest.mark.parametrize("times, attackers", [(0, 1), (1, 1), (10, 1), (1000, 1), (3, 3), (1000, 3)])
def test_what_fewer_than_four_clients_do_while_learning_excuses_nothing(tmp_path, times, attackers):
    """A young service of 24 clients, and an injection among its traffic, spread over the epochs."""
    attacks = ["/users?username=tom%20or%201=1", "/search?q=%3Cscript%3E&limit=10"]
    shop = Shop(21, clients=24)
    train = shop.many(800)
    times_of = [exchange["time"] for exchange in train]
    for i in range(times):
        attack = shop.exchange("GET", attacks[i % 2] if times > 1 else attacks[0], client=f"192.0.{2 + i % attackers}.9")
        train.append({**attack, "time": times_of[i * len(times_of) // times]})
    train.sort(key=lambda exchange: exchange["time"])
    guard("learn", "--pile", tmp_path / "shop.pile", "--guardian", tmp_path / "shop.yaml", write(tmp_path / "t.jsonl", train))
    later = Shop(22, clients=24)
    again = write(tmp_path / "again.jsonl", [later.exchange("GET", target) for target in attacks])
    judged = verdicts("--guardian", tmp_path / "shop.yaml", "--alpha", "1e-4", again)
    assert [v["verdict"] for v in judged] == ["block", "block"], [v["score"] for v in judged]
    benign = verdicts("--guardian", tmp_path / "shop.yaml", "--alpha", "1e-4", write(tmp_path / "b.jsonl", later.many(300)))
    assert sum(v["verdict"] == "block" for v in benign) == 0


def test_nothing_from_traffic_or_gates_reaches_the_terminal_raw(learned, tmp_path):
    exchange = Shop(12).exchange("GET", "/users?username=tom")
    exchange["id"] = "a\x1b]0;owned\x07b"
    out = guard("check", "--guardian", learned / "shop.yaml", write(tmp_path / "x.jsonl", [exchange])).stdout
    assert out.startswith(b"a?]0;owned?b\t")
    hostile = {"time_ms": 1, "service": "s", "explanation": "x\x1b[2Jy", "client": "c\x9b\x1bc", "id": "i\r\n", "count": 1}
    (tmp_path / "alerts.jsonl").write_text(json.dumps(hostile) + "\n")
    out = guard("alerts", "--state", tmp_path).stdout
    assert b"x?[2Jy" in out and b"\x1b" not in out and b"\r" not in out


def test_no_name_that_clients_chose_steers_the_terminal(tmp_path):
    """Names and paths are kept as they were sent: a parameter that nobody vouches for is shown, too."""
    shop = Shop(14)

    def sent(*targets):
        found = []
        for number in range(64):
            for target in targets:
                found.append(dict(shop.exchange("GET", target), client=f"10.1.{number % 16}.1",
                                  time=1700000000 + number // 16 * 20000 + number))
        return found

    names = "%1b]0;owned%07=1&%c2%9b31m=2&%e2%80%aeabc=3&%9b=4&%e4%bd%a0=5"
    guard("learn", "--pile", tmp_path / "first.pile", write(tmp_path / "first.jsonl", sent("/users?username=tom")))
    guard("learn", "--pile", tmp_path / "second.pile",
          write(tmp_path / "second.jsonl", sent("/users?username=tom", "/users?username=tom&" + names, "/%1b[2J")))
    for out in (guard("show", "--support", "1", "--pile", tmp_path / "second.pile").stdout,
                guard("diff", tmp_path / "first.pile", tmp_path / "second.pile").stdout):
        assert b"?]0;owned?" in out and b"?31m" in out and b"?abc" in out and "\u4f60".encode() in out
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae", out)
    endpoint = {"method": "GET", "template": "/\x1b[2J\u009b", "exchanges": 1, "clients": 1, "lacks": ""}
    (tmp_path / "status.json").write_text(json.dumps(
        {"time_ms": 1, "services": [{"service": "shop", "endpoints": [endpoint]}]}))
    out = guard("status", "--state", tmp_path).stdout
    assert b"/?[2J?" in out and b"\x1b" not in out and b"\xc2\x9b" not in out


def closed_values(policy):
    """How many values the closed sets of a policy hold (docs/internals/policy.md): the count of its section LITERALS."""
    return struct.unpack_from("<I", policy.read_bytes(), 352 + 7 * 8 + 4)[0]


def test_closed_sets_are_known_wherever_a_pile_is_opened(learned, tmp_path):
    """A pile without a secret is keyed by its service's name. Opened without that key its values can't be compared, and
    check, show and policy compile judged by looks alone: 21 looks like 20."""
    shown = guard("show", "--pile", learned / "shop.pile").out
    assert re.search(r"limit .*; one of 3 values", shown), shown
    shop = Shop(13)
    asked = write(tmp_path / "asked.jsonl", [shop.exchange("GET", f"/search?q=hat&limit={limit}") for limit in (20, 50, 21)])
    judged = verdicts("--guardian", learned / "shop.yaml", asked)
    assert [[f["rule"] for f in v["findings"]] for v in judged] == [[], [], ["literal"]]
    policy = tmp_path / "shop.policy"
    guard("policy", "key", "--output", tmp_path / "key")
    guard("policy", "compile", "--guardian", learned / "shop.yaml", "--key", tmp_path / "key", "--output", policy)
    assert closed_values(policy) == sum(map(int, re.findall(r"; one of (\d+) values", shown))) > 0


def test_closed_sets_of_a_pile_with_a_secret_of_its_own_stay_closed_to_who_lacks_it(tmp_path):
    """The opposite: no key is made up for such a pile."""
    (tmp_path / "secret").write_text("5c" * 32 + "\n")
    train = write(tmp_path / "train.jsonl", Shop(14).many(3000))
    guard("learn", "--key", tmp_path / "secret", "--pile", tmp_path / "p.pile", train)
    shown = guard("show", "--pile", tmp_path / "p.pile").out
    assert "limit" in shown and "one of" not in shown


def test_learning_again_changes_nothing(learned, tmp_path):
    train = write(tmp_path / "t.jsonl", Shop(3).many(300))
    pile = tmp_path / "a.pile"
    guard("learn", "--pile", pile, train)
    before = digest(pile)
    assert "300 held already" in guard("learn", "--pile", pile, train).out
    assert digest(pile) == before


def test_plain_gzip_and_standard_input_give_the_same_verdicts(tmp_path):
    exchanges = Shop(4).many(400)
    plain = write(tmp_path / "t.jsonl", exchanges)
    packed = tmp_path / "t.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    source = ["--as", "a1:1:1"]
    guard("learn", *source, "--pile", tmp_path / "plain.pile", plain)
    guard("learn", *source, "--pile", tmp_path / "packed.pile", packed)
    guard("learn", *source, "--pile", tmp_path / "stdin.pile", "-", data=plain.read_bytes())
    assert digest(tmp_path / "plain.pile") == digest(tmp_path / "packed.pile") == digest(tmp_path / "stdin.pile")


def test_merging_is_independent_of_order_and_refuses_half_known_piles(tmp_path):
    parts = []
    shop = Shop(5)
    for i in range(4):
        train = write(tmp_path / f"{i}.jsonl", shop.many(200))
        parts.append(tmp_path / f"{i}.pile")
        guard("learn", "--pile", parts[-1], train)
    results = set()
    for i, order in enumerate(([0, 1, 2, 3], [3, 1, 0, 2], [2, 2, 3, 0, 1, 1])):
        out = tmp_path / f"merged{i}.pile"
        guard("pile", "merge", *[parts[k] for k in order], "-o", out)
        results.add(digest(out))
    assert len(results) == 1
    nested = tmp_path / "nested.pile"
    guard("pile", "merge", parts[0], parts[1], "-o", tmp_path / "left.pile")
    guard("pile", "merge", parts[2], parts[3], "-o", tmp_path / "right.pile")
    guard("pile", "merge", tmp_path / "right.pile", tmp_path / "left.pile", "-o", nested)
    assert digest(nested) in results
    guard("pile", "merge", parts[1], parts[2], "-o", tmp_path / "other.pile")
    refused = guard("pile", "merge", tmp_path / "left.pile", tmp_path / "other.pile", "-o", tmp_path / "no.pile", status=1)
    assert "GUARD_E_OVERLAP" in refused.err and not (tmp_path / "no.pile").exists()


def test_unreadable_lines_are_named_and_the_rest_is_learned(tmp_path):
    lines = [json.dumps(x) for x in Shop(6).many(50)]
    lines[3] = '{"request": {"method": "GET", "target": '
    lines[10] = "not json at all"
    lines[20] = '{"request":{"target":"/x"}}'
    lines[30] = '{"request":{"method":"GET","target":"/x","headers":[["a"]]}}'
    train = tmp_path / "bad.jsonl"
    train.write_text("\n".join(lines) + "\n\n")
    done = guard("learn", "--service", "shop", "--pile", tmp_path / "p.pile", train)
    for number in (4, 11, 21, 31):
        assert f"{train}:{number}: unreadable" in done.err
    assert "46 learned" in done.out and "4 unreadable" in done.out


@pytest.mark.parametrize("cut", [10, 200, -1])
def test_truncated_garbled_and_foreign_piles_are_refused_by_name(learned, tmp_path, cut):
    good = (learned / "shop.pile").read_bytes()
    bad = tmp_path / "bad.pile"
    bad.write_bytes(good[:cut])
    assert "GUARD_E_" in guard("pile", "show", bad, status=1).err
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 0x40
    bad.write_bytes(flipped)
    assert "GUARD_E_" in guard("pile", "show", bad, status=1).err
    train = write(tmp_path / "other.jsonl", Shop(7, service="other").many(60))
    guard("learn", "--pile", tmp_path / "other.pile", train)
    before = digest(tmp_path / "other.pile")
    foreign = guard("pile", "merge", tmp_path / "other.pile", learned / "shop.pile", "-o", tmp_path / "x.pile", status=1)
    assert "GUARD_E_FOREIGN" in foreign.err
    assert digest(tmp_path / "other.pile") == before


def test_a_guardian_without_its_pile_needs_configured_only(learned, tmp_path):
    lone = tmp_path / "lone.yaml"
    lone.write_text((learned / "shop.yaml").read_text() + "configured:\n  endpoints:\n    - path: /users\n      parameters:\n"
                    "        - {in: query, name: username, maxLength: 5}\n")
    probe = write(tmp_path / "probe.jsonl", [Shop(8).exchange("GET", "/users?username=abcdefgh"),
                                            Shop(8).exchange("GET", "/users?username=abc")])
    assert "--configured-only" in guard("check", "--guardian", lone, probe, status=1).err
    judged = verdicts("--guardian", lone, "--configured-only", probe)
    assert [v["verdict"] for v in judged] == ["block", "pass"]
    assert judged[0]["findings"][0]["configured"] is True


def test_key_flood_stays_bounded_and_learning_goes_on(tmp_path):
    rnd = random.Random(9)
    shop = Shop(9)
    flood = [shop.exchange("GET", "/users?" + "&".join(f"k{rnd.getrandbits(64):x}=1" for _ in range(250)), client="203.0.113.9")
             for _ in range(1000)]
    benign = shop.many(1500)
    mixed = [x for pair in zip(benign[:1000], flood) for x in pair] + benign[1000:]
    train = write(tmp_path / "flood.jsonl", mixed)
    pile = tmp_path / "flood.pile"
    peak = peak_kib("--pile", pile, "--guardian", tmp_path / "flood.yaml", train)
    assert pile.stat().st_size <= 4 << 20
    assert peak < 200 * 1024, f"{peak} KiB"
    probe = write(tmp_path / "probe.jsonl", [shop.exchange("GET", "/users?username=tom%20or%201=1"), shop.benign()])
    assert [v["verdict"] for v in verdicts("--guardian", tmp_path / "flood.yaml", probe)] == ["block", "pass"]


def test_memory_does_not_grow_with_the_input(tmp_path):
    sizes = [peak_kib("--pile", tmp_path / f"{count}.pile", write(tmp_path / f"{count}.jsonl", Shop(10).many(count)))
             for count in (2000, 20000)]
    assert sizes[1] < sizes[0] * 2, sizes


def test_show_and_diff(learned, tmp_path):
    text = guard("show", "--pile", learned / "shop.pile").out
    assert "GET /users" in text and "username" in text and "POST /orders" in text and "address.city" in text
    assert "no difference" in guard("diff", learned / "shop.pile", learned / "shop.pile").out
    shop = Shop(11)
    more = [x for i in range(1500) for x in (shop.benign(), shop.exchange("GET", f"/coupons?code=C{i % 90 + 10}"))]
    train = write(tmp_path / "more.jsonl", more)
    guard("learn", "--pile", tmp_path / "more.pile", train)
    assert any(line.startswith("+") and "/coupons" in line
               for line in guard("diff", learned / "shop.pile", tmp_path / "more.pile").out.splitlines())


RESPONSES = """service: shop
configured:
  endpoints:
    - path: /users
      methods: [GET]
      response:
        statuses: [200, 4xx]
        closed: true
        parameters: [{in: json, name: "[].id", types: [int]}]
  response: {leaks: {forbidden: [stack-trace]}}
"""


def test_show_and_diff_of_what_services_answer(tmp_path):
    piles = []
    for name in ("id", "number"):
        exchanges = Shop(12).many(600)
        for exchange in exchanges:
            exchange["response"] = {"status": 200, "headers": [["content-type", "application/json"]], "body": f'{{"{name}":7}}'}
        piles.append(tmp_path / f"{name}.pile")
        guard("learn", "--pile", piles[-1], write(tmp_path / f"{name}.jsonl", exchanges))
    shown = guard("show", "--pile", piles[0]).out
    assert "  response 2xx\n    content type application/json" in shown and "whatever is asked" in shown
    changed = guard("diff", *piles).out.splitlines()
    assert any(line.startswith("- GET /users response 2xx json id:") for line in changed)
    assert any(line.startswith("+ GET /users response 2xx json number:") for line in changed)


def test_what_people_say_of_responses(learned, tmp_path):
    """check, show and diff know it, and recorded traffic is judged by it."""
    one, other, wrong = tmp_path / "one.yaml", tmp_path / "other.yaml", tmp_path / "wrong.yaml"
    one.write_text(RESPONSES)
    other.write_text(RESPONSES.replace("4xx", "404").replace("stack-trace", "private-key"))
    wrong.write_text(RESPONSES.replace("4xx", "4x4"))
    assert "is good: 1 endpoints" in guard("policy", "check", "--guardian", one).out
    assert "is good" in guard("policy", "check", "--guardian", one, "--pile", learned / "shop.pile").out
    refused = guard("policy", "check", "--guardian", wrong, status=1).err
    assert f"{wrong}:7:25: statuses: " in refused and "(at configured.endpoints[0].response.statuses[1])" in refused
    shown = guard("show", "--guardian", one).out
    assert "statuses: [200, 4xx]" in shown and "forbidden: [stack-trace]" in shown
    shown = guard("show", "--guardian", one, "--pile", learned / "shop.pile").out
    assert "GET /users" in shown and "statuses: [200, 4xx]" in shown
    changed = guard("diff", one, other).out.splitlines()
    assert set(changed) == {"- configured.endpoints[GET /users].response.statuses: 200, 4xx",
                            "+ configured.endpoints[GET /users].response.statuses: 200, 404",
                            "- configured.response.leaks.forbidden: stack-trace",
                            "+ configured.response.leaks.forbidden: private-key"}
    assert "no difference in what people say" in guard("diff", one, one).out
    guard("diff", one, learned / "shop.pile", status=2)

    def answered(status, body):
        return {"service": "shop", "request": {"method": "GET", "target": "/users", "headers": [["host", "shop"]]},
                "response": {"status": status, "headers": [["content-type", "application/json"]], "body": body}}
    traffic = write(tmp_path / "t.jsonl", [answered(200, '[{"id":1}]'), answered(404, '{"error":1}'), answered(201, '[{"id":1}]'),
                                           answered(200, '[{"id":1,"password":"x"}]')])
    judged = verdicts("--guardian", one, "--configured-only", traffic)
    assert [v["verdict"] for v in judged] == ["pass", "pass", "block", "block"]
    assert [(v["findings"][0]["part"], v["findings"][0]["rule"], v["findings"][0]["name"]) for v in judged[2:]] == \
        [("response", "status", ""), ("response", "name", "[].password")]


def test_mode_and_bypass_without_guardd_are_audited(tmp_path):
    state = tmp_path / "state"
    for folder in ("guardians", "bypass"):
        (state / folder).mkdir(parents=True)
    assert "which holds none yet" in guard("mode", "--service", "a", "--state", state, status=1).err
    assert guard("mode", "--force", "--service", "a", "--state", state).out.strip() == "alert"
    assert "which holds none yet" in guard("mode", "block", "--service", "a", "--state", state, status=1).err
    assert "alert -> block" in guard("mode", "block", "--force", "--service", "a", "--state", state, "--reason", "ready").out
    assert guard("mode", "--service", "a", env={"GUARD_STATE": str(state)}).out.strip() == "block"
    guard("bypass", "a", "--for", "10m", "--reason", "incident 7", "--state", state)
    assert json.loads((state / "bypass" / "a.json").read_text())["reason"] == "incident 7"
    guard("bypass", "a", "--end", "--state", state)
    assert not (state / "bypass" / "a.json").exists()
    audit = [json.loads(line) for line in (state / "audit.jsonl").read_text().splitlines()]
    assert [line["action"] for line in audit] == ["mode", "bypass", "bypass"]
    assert audit[0]["before"] == "alert" and audit[0]["after"] == "block" and audit[0]["reason"] == "ready"


def test_a_mistyped_service_is_refused_by_mode_and_bypass(tmp_path):
    for path in ("guardians/shop.yaml", "piles/orders.pile", "policies/users.policy"):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).touch()
    (tmp_path / "bypass").mkdir()
    (tmp_path / "bypass" / "gone.json").write_text("{}")
    for arguments in (["mode", "block", "--service", "shpo"], ["mode", "--service", "shpo"], ["bypass", "shpo", "--end"],
                      ["bypass", "shpo", "--for", "1m", "--reason", "x"]):
        done = guard(*arguments, "--state", tmp_path, status=1)
        assert 'no service "shpo"' in done.err and "there are: orders, shop, users" in done.err
    assert not (tmp_path / "guardians" / "shpo.yaml").exists() and not (tmp_path / "bypass" / "shpo.json").exists()
    assert not (tmp_path / "audit.jsonl").exists()
    guard("bypass", "gone", "--end", "--state", tmp_path)  # what is in force can always be ended
    assert not (tmp_path / "bypass" / "gone.json").exists()
    guard("bypass", "orders", "--for", "1m", "--reason", "x", "--state", tmp_path)


def test_gates_can_read_a_bypass_whatever_the_umask(tmp_path):
    (tmp_path / "bypass").mkdir()
    subprocess.run([BIN / "guard", "bypass", "a", "--force", "--for", "10m", "--reason", "x", "--state", tmp_path], umask=0o077, check=True,
                   stdout=subprocess.DEVNULL)
    assert (tmp_path / "bypass" / "a.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("arguments", [
    [], ["nonsense"], ["learn"], ["learn", "--nonsense", "x"], ["check", "x"], ["pile"], ["pile", "merge"], ["mode", "loud", "--service", "a"],
    ["mode"], ["bypass", "a"], ["bypass", "../a", "--for", "1m", "--reason", "x"], ["bypass", "a", "--for", "99h", "--reason", "x"],
    ["run"], ["run", "--upstream", "ftp://x"], ["show"], ["diff", "a"], ["status", "x"], ["learn", "--support", "7", "x"],
    ["check", "--guardian", "g", "--alpha", "2", "x"], ["check", "--guardian", "g", "--format", "xml", "x"], ["learn", "--pile"],
    ["alerts", "--format", "xml"], ["explain"], ["triage"], ["triage", "x"], ["triage", "x", "maybe"],
])
def test_wrong_use_exits_with_2_and_says_why(arguments):
    done = guard(*arguments, status=2)
    assert done.err.startswith(("guard", "Usage")) and done.out == ""


def test_help_of_every_command_names_its_options():
    overview = guard("--help").out
    for name in ("run", "status", "alerts", "explain", "triage", "mode", "bypass", "learn", "check", "show", "diff", "pile", "policy", "completion"):
        assert f"  {name} " in overview
        assert "--help" in guard(name, "--help").out
    assert guard("--version").out.startswith("guard ")


def test_alerts_of_all_kept_files_are_found_and_no_line_spoils_the_others(tmp_path):
    def line(number, **more):
        return json.dumps({"time_ms": 1764000000000, "id": f"{number:032x}", "service": "shop", "verdict": "block", "action": "alert",
                           "method": "GET", "template": "/a", "client": "10.0.0.1", "explanation": f"WOULD BLOCK {number}",
                           "findings": [{"part": "request", "location": "query", "name": "q", "rule": "character", "observed": "=",
                                         "expected": "abc", "p": 1e-5}], **more}) + "\n"
    (tmp_path / "alerts.jsonl.3").write_text(line(3, ids=[f"{n:032x}" for n in (31, 32, 3)], count=3, first_ms=1, last_ms=2))
    (tmp_path / "alerts.jsonl").write_text("nonsense\n" + line(1) + '{"id":["x"],"findings":7}\n' + line(2)[:-20])
    text = guard("explain", f"{31:032x}", "--state", tmp_path).out
    assert "WOULD BLOCK 3" in text and "3 of this kind" in text and "1 in 100000" in text and "not blocked: the mode" in text
    assert "characters" in text
    assert "WOULD BLOCK 1" in guard("alerts", "--id", f"{1:032x}", "--state", tmp_path).out
    assert guard("alerts", "--state", tmp_path).out.count("WOULD BLOCK") == 1  # the last line isn't finished
    guard("explain", f"{2:032x}", "--state", tmp_path, status=1)
    for state in ("true", "false"):
        guard("triage", f"{1:032x}", state, "--state", tmp_path)
    assert "[false]" in guard("alerts", "--state", tmp_path).out  # the last word counts
    words = [json.loads(word) for word in (tmp_path / "triage.jsonl").read_text().splitlines()]
    assert [word["state"] for word in words] == ["true", "false"] and words[0]["service"] == "shop" and words[0]["by"]
    assert (tmp_path / "triage.jsonl").stat().st_mode & 0o007 == 0
    # Neither an id of a gate nor a word in the file steers the terminal.
    odd = json.loads(line(4, caused_by="turn"))
    (tmp_path / "alerts.jsonl").write_text(json.dumps({**odd, "id": "x\x1b[31m"}) + "\n")
    (tmp_path / "triage.jsonl").write_text(json.dumps({"id": "x\x1b[31m", "state": "\x1b[32m", "by": "a"}) + "\n")
    for arguments in (["explain", "turn"], ["alerts"]):
        out = guard(*arguments, "--state", tmp_path).out
        assert "WOULD BLOCK 4" in out and "\x1b" not in out, out
    assert "no alerts" in guard("explain", "1", "--state", tmp_path / "none", status=1).err


def test_missing_files_exit_with_1(tmp_path):
    assert guard("learn", tmp_path / "none.jsonl", status=1).err
    assert guard("check", "--guardian", tmp_path / "none.yaml", tmp_path / "none.jsonl", status=1).err
    assert guard("pile", "show", tmp_path / "none.pile", status=1).err
    assert guard("status", "--state", tmp_path, status=1).err
