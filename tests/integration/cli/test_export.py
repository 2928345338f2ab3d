# SPDX-License-Identifier: Apache-2.0
"""`guard export` and `guard import guardian`: OpenAPI documents are valid and true, and Guardians travel between environments."""

import copy
import json
import pathlib
import sys
import urllib.parse

import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from openapi_reader import Reader, complaints  # noqa: E402
from test_cli import guard  # noqa: E402
from traffic import Shop, write  # noqa: E402

COLOURS = ["red", "green", "blue"]


class Market(Shop):
    """A shop that answers, with forms, files, notes, prices, ids and cookies."""

    def answered(self, exchange, body=None, kind="application/json", status=200, **headers):
        named = [[name.replace("_", "-"), value] for name, value in headers.items()]
        exchange["response"].update(status=status, headers=[["cache-control", "no-store"], ["content-type", kind], *named])
        if body is not None:
            exchange["response"]["body"] = body if isinstance(body, str) else json.dumps(body)
        return exchange

    def product(self):
        uuid = "%08x-1111-4222-8333-%012x" % (self.random.randrange(1 << 32), self.random.randrange(1 << 48))
        item = {"id": self.random.randrange(1, 5000), "key": uuid, "price": round(self.random.randrange(100, 9999) / 100, 2),
                "stock": self.random.random() < 0.5, "note": None if self.random.random() < 0.3 else self.random.choice(COLOURS),
                "parts": [{"name": self.random.choice(COLOURS), "count": self.random.randrange(9)} for _ in range(self.random.randrange(4))]}
        target = f"/products/{item['id']}?page={self.random.randrange(1, 9)}"
        target += "".join(f"&colour={self.random.choice(COLOURS)}" for _ in range(self.random.randrange(3)))
        return self.answered(self.exchange("GET", target, [["cookie", f"lang={self.random.choice(['en', 'de'])}"]]), item,
                             x_total=str(self.random.randrange(100)))

    def login(self):
        body = f"user={self.name()}&pin={self.random.randrange(1000, 9999)}"
        kind = [["content-type", "application/x-www-form-urlencoded"]]
        if self.random.random() < 0.2:
            return self.answered(self.exchange("POST", "/login", kind, body), {"error": "refused"}, status=401)
        return self.answered(self.exchange("POST", "/login", kind, body), {"token": f"{self.random.randrange(1 << 60):015x}"})

    def upload(self):
        rows = "".join(f"{self.random.choice(COLOURS)};{self.random.randrange(99)}\n" for _ in range(self.random.randrange(1, 9)))
        body = ("--XX\r\ncontent-disposition: form-data; name=\"title\"\r\n\r\n" + self.name() + "\r\n--XX\r\n"
                "content-disposition: form-data; name=\"rows\"; filename=\"rows.csv\"\r\ncontent-type: text/csv\r\n\r\n" + rows +
                "\r\n--XX--\r\n")
        kind = [["content-type", "multipart/form-data; boundary=XX"]]
        return self.answered(self.exchange("POST", "/uploads", kind, body), "stored\n", "text/plain", 201)

    def note(self):
        day = f"2026-{self.random.randrange(1, 13):02}-{self.random.randrange(1, 29):02}"
        return self.answered(self.exchange("PUT", f"/notes/{day}", [["content-type", "text/plain"]],
                                           " ".join(self.random.choice(COLOURS) for _ in range(self.random.randrange(1, 9)))), status=204)

    def benign(self):
        made = self.random.choice([self.product, self.login, self.upload, self.note, None, None])
        exchange = made() if made is not None else super().benign()
        if made is None and "/products/" in exchange["request"]["target"]:
            return self.product()
        return exchange if made is not None else self.answered(exchange, {"ok": True})


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    train = Market(61).many(4000)
    guard("learn", "--pile", folder / "shop.pile", "--guardian", folder / "shop.yaml", write(folder / "t.jsonl", train))
    return folder, train


def export(*arguments):
    return json.loads(guard("export", "openapi", "--format", "json", *arguments).out)


@pytest.fixture(scope="module")
def document(learned):
    return export("--pile", learned[0] / "shop.pile")


def test_the_document_is_valid_and_the_same_in_both_forms(learned, document):
    assert complaints(document) == []
    done = guard("export", "openapi", "--pile", learned[0] / "shop.pile")
    assert yaml.safe_load(done.out) == document
    assert done.out == guard("export", "openapi", "--pile", learned[0] / "shop.pile").out
    assert document["x-guard"]["leftOut"] == {"headers": done.err.count("OpenAPI ignores it")}


def test_the_check_of_documents_can_fail(document):
    for spoil in (lambda d: d["info"].pop("version"),
                  lambda d: d["paths"]["/users"]["get"]["responses"]["2XX"].pop("description"),
                  lambda d: d["paths"]["/users"]["get"]["parameters"][0].update({"in": "body"}),
                  lambda d: d["paths"]["/users"]["get"]["parameters"][0]["schema"].update({"type": "text"}),
                  lambda d: d["paths"]["/products/{seg1}"]["get"]["parameters"].pop(0),
                  lambda d: d["paths"].update({"/products/{id}": {}})):
        spoiled = copy.deepcopy(document)
        spoil(spoiled)
        assert complaints(spoiled) != []


def test_all_that_was_learned_is_there(document):
    operations = {(method, path) for path, item in document["paths"].items() for method in item if method != "parameters"}
    assert operations == {("get", "/users"), ("get", "/search"), ("post", "/orders"), ("get", "/products/{seg1}"),
                          ("post", "/login"), ("post", "/uploads"), ("put", "/notes/{seg1}")}
    product = document["paths"]["/products/{seg1}"]["get"]
    places = {(each["in"], each["name"]): each for each in product["parameters"]}
    assert places["path", "seg1"]["schema"]["type"] == "integer" and places["path", "seg1"]["required"]
    assert places["query", "page"]["required"] and places["query", "page"]["schema"]["maximum"] == 9
    assert places["query", "colour"]["schema"]["type"] == "array" and "required" not in places["query", "colour"]
    answer = product["responses"]["2XX"]["content"]["application/json"]["schema"]
    assert answer["properties"]["key"] == {"type": "string", **answer["properties"]["key"], "format": "uuid"}
    assert answer["properties"]["price"]["type"] == "number" and answer["properties"]["stock"]["type"] == "boolean"
    assert answer["properties"]["note"]["type"] == ["null", "string"]
    assert answer["properties"]["parts"]["items"]["required"] == ["count", "name"]
    assert set(answer["required"]) == {"id", "key", "note", "parts", "price", "stock"}
    assert document["paths"]["/notes/{seg1}"]["put"]["parameters"][0]["schema"]["format"] == "date"
    upload = document["paths"]["/uploads"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert upload["properties"]["rows"] == {"contentMediaType": "application/octet-stream"} and set(upload["properties"]) == {"title", "rows"}
    assert set(document["paths"]["/login"]["post"]["responses"]) == {"2XX", "4XX"}
    assert product["x-guard"]["ready"] and product["x-guard"]["exchanges"] > 100 and product["x-guard"]["clients"] > 20


def test_benign_traffic_is_by_the_document(learned, document):
    reader = Reader(document)
    wrong = [(exchange["id"], found) for exchange in learned[1] for found in [reader.request(exchange) + reader.response(exchange)] if found]
    assert wrong == [], (len(wrong), wrong[:20])
    # What fewer than four clients did isn't learned: the longest and shortest of random values may be longer and shorter later.
    later = Market(62).many(1500)
    wrong = [found for exchange in later for found in [reader.request(exchange) + reader.response(exchange)] if found]
    assert len(wrong) <= len(later) * 0.005, (len(wrong), wrong[:20])


ATTACKS = [
    ("GET", "/users?username=tom%20or%201=1", None, None), ("GET", "/users?username=%3Cscript%3E", None, None),
    ("GET", "/products/7%20or%201=1?page=1", None, None), ("GET", "/products/7?page=1;sleep%205", None, None),
    ("GET", "/products/7?page=1&colour=red'--", None, None), ("PUT", "/notes/..%2f..%2fetc", "text/plain", "red"),
    ("POST", "/login", "application/x-www-form-urlencoded", "user=tom'%20or%20'1'='1&pin=1234"),
    ("POST", "/login", "application/x-www-form-urlencoded", "user=tom&pin=1234%7C%7Cid"),
    ("POST", "/orders", "application/json", '{"item":"hat","quantity":"1 or 1=1","address":{"city":"Rome","zip":"3000"},"tags":[]}'),
    ("POST", "/orders", "application/json", '{"item":{"$ne":1},"quantity":1,"address":{"city":"Rome","zip":"3000"},"tags":[]}'),
    ("POST", "/orders", "application/json", '{"item":"hat","quantity":1,"address":{"city":"Rome\' or","zip":"3000"},"tags":[]}'),
]


@pytest.mark.parametrize("method, target, kind, body", ATTACKS)
def test_attacks_are_not_by_the_document(document, method, target, kind, body):
    exchange = Market(63).exchange(method, target, [["content-type", kind]] if kind else [], body)
    assert Reader(document).request(exchange) != []


ODD = ["a b", "\u00e4", "\u65e5\u672c", "{id}", "[]", "a.b", "null", "yes", "$ref", "properties", "required", "e\u202ex", '"q"', "\\", "---", "#",
       "a" * 80, "12", "\U0001f600", "\x01", "{int}", "- x: y", "~", "%41"]


def test_odd_names_make_a_valid_document_in_both_forms(tmp_path):
    shop = Shop(67)
    exchanges = []
    for number in range(1500):
        name, other = ODD[number % len(ODD)], ODD[(number // len(ODD)) % len(ODD)]
        target = f"/odd/{urllib.parse.quote(name, safe='')}?{urllib.parse.quote(name)}={urllib.parse.quote(other)}"
        body = json.dumps({name: {other: [{name: 1}]}, "x": other})
        exchanges.append(shop.exchange(["POST", "PUT", "PURGE", "patch"][number % 4], target, [["content-type", "application/json"],
                                       [f"x-{number % 5}!", "1"]], body))
    guard("learn", "--pile", tmp_path / "odd.pile", write(tmp_path / "t.jsonl", exchanges))
    for extra in ([], ["--pending"]):
        document = export("--pile", tmp_path / "odd.pile", *extra)
        done = guard("export", "openapi", "--pile", tmp_path / "odd.pile", *extra)
        assert complaints(document) == [] and yaml.safe_load(done.out) == document
        assert document["paths"] and document["x-guard"]["leftOut"]["methods"] > 0 and document["x-guard"]["leftOut"]["names"] > 0
        assert "\x1b" not in done.out + done.err and "\u202e" not in done.out + done.err


# --- what people say, and what waits ---

CRITERIA = """
configured:
  endpoints:
    - path: /users
      methods: [GET]
      closed: true
      parameters:
        - {in: query, name: username, types: [word], characters: [lower], maxLength: 9}
        - {in: query, name: sort, values: [up, down], required: true}
        - {in: query, name: debug, forbidden: true}
      response: {statuses: [200, 4xx], contentTypes: [application/json], parameters: [{in: json, name: "rows[].id", types: [int], required: true}]}
    - {path: "/reports/{}", methods: [GET, PURGE], parameters: [{in: path, name: seg1, types: [word], maxLength: 5}]}
    - {path: "/static/{*}", methods: [GET]}
    - {path: /search, methods: [POST]}
  headers:
    - {in: header, name: x-tenant, types: [token], required: true}
"""


def test_what_people_say_overrides_what_was_learned(learned, tmp_path):
    (tmp_path / "g.yaml").write_text((learned[0] / "shop.yaml").read_text() + CRITERIA)
    done = guard("export", "openapi", "--pile", learned[0] / "shop.pile", "--guardian", tmp_path / "g.yaml", "--format", "json")
    document = json.loads(done.out)
    assert complaints(document) == []
    users = document["paths"]["/users"]["get"]
    places = {each["name"]: each for each in users["parameters"]}
    assert set(places) == {"username", "sort"} and places["sort"]["required"]
    assert places["sort"]["schema"] == {"type": "string", "enum": ["up", "down"]}
    assert places["username"]["schema"]["pattern"] == "^[a-z]*$" and places["username"]["schema"]["maxLength"] == 9
    assert users["x-guard"]["forbidden"] == [{"in": "query", "name": "debug"}] and users["x-guard"]["configured"]
    assert set(users["responses"]) == {"200", "4XX"}
    row = users["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["rows"]["items"]
    assert row["properties"]["id"]["type"] == "integer" and row["required"] == ["id"]
    assert document["paths"]["/reports/{seg1}"]["get"]["parameters"][0]["schema"]["maxLength"] == 5
    assert "get" not in document["paths"]["/search"] and "post" in document["paths"]["/search"]
    assert document["components"]["parameters"]["header.x-tenant"]["required"]
    assert document["x-guard"]["leftOut"].items() >= {"methods": 1, "paths": 1, "forbidden": 1}.items()
    for word in ("PURGE /reports/{}: OpenAPI has no such method", "GET /static/{*}: OpenAPI has no such path",
                 "GET /search: people forbid it"):
        assert f"left out: {word}" in done.err


def test_what_waits_is_left_out_unless_it_is_wanted(tmp_path):
    shop = Market(66)
    exchanges = shop.many(1200) + [shop.exchange(method, target, client=shop.clients[i])
                                   for i in range(6) for method, target in (("DELETE", "/users"), ("GET", "/users?username=tom&filter=~x"))]
    guard("learn", "--pile", tmp_path / "shop.pile", write(tmp_path / "t.jsonl", exchanges))
    usual, whole = export("--pile", tmp_path / "shop.pile"), export("--pile", tmp_path / "shop.pile", "--pending")
    assert complaints(usual) == [] and complaints(whole) == []
    assert "delete" not in usual["paths"]["/users"] and "filter" not in json.dumps(usual["paths"]) and "pending" not in json.dumps(usual["paths"])
    assert whole["paths"]["/users"]["delete"]["x-guard-pending"] is True
    waiting = next(each for each in whole["paths"]["/users"]["get"]["parameters"] if each["name"] == "filter")
    assert waiting["schema"]["x-guard-pending"] is True
    assert usual["x-guard"]["pendingLeftOut"] >= 2 and whole["x-guard"]["pendingShown"] >= 2


def test_a_running_service_with_its_guardian_and_decisions(learned, tmp_path):
    state = tmp_path / "state"
    for folder, name, text in (("piles", "shop.pile", (learned[0] / "shop.pile").read_bytes()),
                               ("guardians", "shop.yaml", (learned[0] / "shop.yaml").read_bytes() + CRITERIA.encode())):
        (state / folder).mkdir(parents=True)
        (state / folder / name).write_bytes(text)
    guard("export", "openapi", "--service", "shop", "--state", state, "-o", tmp_path / "shop.openapi.yaml")
    document = yaml.safe_load((tmp_path / "shop.openapi.yaml").read_text())
    assert complaints(document) == [] and document["paths"]["/users"]["get"]["x-guard"]["configured"]


def test_wrong_use_is_told(learned, tmp_path):
    pile = learned[0] / "shop.pile"
    for arguments in ([], ["openapi"], ["openapi", "--pile", pile, "--service", "shop"], ["openapi", "--pile", pile, "--format", "xml"],
                      ["guardian"], ["guardian", "--service", "shop", "--pile", pile], ["swagger", "--pile", pile]):
        assert "guard export: " in guard("export", *arguments, status=2).err
    (tmp_path / "other.yaml").write_text("service: other\n")
    done = guard("export", "openapi", "--pile", pile, "--guardian", tmp_path / "other.yaml", status=1)
    assert "of service" in done.err and done.out == ""
    assert "no service" in guard("export", "guardian", "--service", "nobody", "--state", tmp_path, status=1).err


# --- Guardians between environments ---

@pytest.fixture
def staging(tmp_path):
    state = tmp_path / "staging"
    (state / "guardians").mkdir(parents=True)
    (state / "reviews").mkdir()
    (state / "guardians" / "shop.yaml").write_text(
        "service: shop\ncontrol: {mode: block}\nlearned: {pile: " + "ab" * 32 + "}\n" + CRITERIA)
    (state / "reviews" / "shop.json").write_text(json.dumps({
        "apiVersion": "guard/v1alpha1", "kind": "Review", "service": "shop",
        "decisions": [{"decision": "accept", "kind": "path", "path": "", "element": "later", "by": "ann", "why": "soon"},
                      {"decision": "refuse", "kind": "method", "path": "/users", "element": "DELETE", "by": "ann", "why": "never"}]}))
    return state


def test_a_guardian_goes_to_another_environment_under_another_name(staging, tmp_path):
    target = tmp_path / "production"
    guard("export", "guardian", "--service", "shop", "--state", staging, "-o", tmp_path / "g.yaml", "--reviews", tmp_path / "r.json")
    text = (tmp_path / "g.yaml").read_text()
    assert "learned" not in text and "abab" not in text
    arguments = ["import", "guardian", tmp_path / "g.yaml", "--service", "shop2", "--reviews", tmp_path / "r.json", "--state", target]
    looked = guard(*arguments, "--dry-run").out
    assert "- control.mode: alert" in looked and "+ control.mode: block" in looked and "+ review: accept" in looked
    assert looked.endswith("shop2: nothing was changed yet\n") and not target.exists()
    done = guard(*arguments, "--reason", "release 7").out
    assert done == looked.replace("nothing was changed yet", "in place")
    placed = (target / "guardians" / "shop2.yaml").read_text()
    assert placed == text.replace('service: "shop"', 'service: "shop2"')
    decisions = json.loads((target / "reviews" / "shop2.json").read_text())
    assert decisions["service"] == "shop2"
    assert [(each["decision"], each["element"], each["by"]) for each in decisions["decisions"]] == [
        ("accept", "later", "ann"), ("refuse", "DELETE", "ann")]
    audit = [json.loads(line) for line in (target / "audit.jsonl").read_text().splitlines()]
    assert [(line["action"], line["service"], line["reason"]) for line in audit] == [
        ("guardian", "shop2", "release 7"), ("review", "shop2", "release 7"), ("review", "shop2", "release 7")]
    assert "control.mode: alert" in audit[0]["before"] and "control.mode: block" in audit[0]["after"]
    assert guard(*arguments).out == "shop2: nothing changes\n"
    assert len((target / "audit.jsonl").read_text().splitlines()) == 3


def test_only_what_differs_changes_and_what_is_bad_changes_nothing(staging, tmp_path):
    target = tmp_path / "production"
    guard("export", "guardian", "--service", "shop", "--state", staging, "-o", tmp_path / "g.yaml", "--reviews", tmp_path / "r.json")
    (target / "guardians").mkdir(parents=True)
    (target / "guardians" / "shop.yaml").write_text("service: shop\ncontrol: {mode: observe}\nlearned: {pile: " + "cd" * 32 + "}\n")
    before = (target / "guardians" / "shop.yaml").read_text()
    good = (tmp_path / "g.yaml").read_text()
    for spoiled, place in ((good.replace("mode: block", "mode: maybe"), "g.yaml:5:"), (good + "extra: 1\n", "g.yaml:")):
        (tmp_path / "g.yaml").write_text(spoiled)
        assert place in guard("import", "guardian", tmp_path / "g.yaml", "--state", target, status=1).err
    (tmp_path / "g.yaml").write_text(good)
    (tmp_path / "bad.json").write_text((tmp_path / "r.json").read_text().replace('"refuse"', '"perhaps"'))
    done = guard("import", "guardian", tmp_path / "g.yaml", "--reviews", tmp_path / "bad.json", "--state", target, status=1)
    assert "bad.json:" in done.err
    assert (target / "guardians" / "shop.yaml").read_text() == before and not (target / "audit.jsonl").exists()
    guard("import", "guardian", tmp_path / "g.yaml", "--state", target)
    placed = (target / "guardians" / "shop.yaml").read_text()
    assert "mode: block" in placed and "cd" * 32 in placed and "ab" * 32 not in placed
    assert guard("mode", "--service", "shop", "--state", target).out == "block\n"


def test_kinds_have_options_of_their_own(staging, tmp_path):
    guard("export", "guardian", "--service", "shop", "--state", staging, "-o", tmp_path / "g.yaml")
    for arguments in (["guardian", tmp_path / "g.yaml", "-o", "x"], ["guardian"], ["knative", tmp_path / "g.yaml", "--dry-run"]):
        assert "guard import: " in guard("import", *arguments, status=2).err
