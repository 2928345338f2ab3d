# SPDX-License-Identifier: Apache-2.0
"""What clients may leave out: selections of GraphQL, fields of protocol buffers at their default value."""

import base64
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from test_cli import guard, verdicts  # noqa: E402
from traffic import Shop, write  # noqa: E402


def query(shop, *, selected="name mail", argument="(id: $id)", variables=None):
    document = {"query": f"query Show($id: Int) {{ user{argument} {{ {selected} }} }}"}
    if variables is not False:
        document["variables"] = {"id": shop.random.randrange(1, 900)} if variables is None else variables
    return shop.exchange("POST", "/graphql", [["content-type", "application/json"]], json.dumps(document))


def message(shop, *, name=True, count=True):
    text = shop.random.choice(["hat", "coat", "scarf", "socks"]).encode()
    fields = (b"\x0a" + bytes([len(text)]) + text if name else b"") + (b"\x10" + bytes([shop.random.randrange(1, 99)]) if count else b"")
    exchange = shop.exchange("POST", "/stock.Stock/Get", [["content-type", "application/grpc+proto"]])
    exchange["request"]["body_b64"] = base64.b64encode(b"\0" + len(fields).to_bytes(4, "big") + fields).decode()
    return exchange


def missing(verdict):
    return {(finding["location"], finding["name"]) for finding in verdict["findings"] if finding["rule"] == "missing"}


def learned(tmp_path, exchanges):
    pile, guardian = tmp_path / "shop.pile", tmp_path / "shop.yaml"
    guard("learn", "--service", "shop", "--pile", pile, "--guardian", guardian, write(tmp_path / "learn.jsonl", exchanges))
    return lambda *asked: verdicts("--guardian", guardian, "--pile", pile, write(tmp_path / "ask.jsonl", list(asked)))


def test_selections_are_a_clients_choice_and_arguments_and_variables_are_not(tmp_path):
    shop = Shop(11)
    check = learned(tmp_path, [query(shop) for _ in range(1500)])
    usual, fewer, bare, unbound, unset = check(
        query(shop), query(shop, selected="name"), query(shop, argument=""), query(shop, variables={}), query(shop, variables=False))
    assert usual["findings"] == [] and missing(fewer) == set()
    assert ("graphql", "query.user(id)") in missing(bare)
    assert ("json", "variables.id") in missing(unbound)
    assert ("json", "variables") in missing(unset)


def test_fields_of_protocol_buffers_at_their_default_value_are_not_missing(tmp_path):
    shop = Shop(12)
    check = learned(tmp_path, [message(shop) for _ in range(1500)])
    for verdict in check(message(shop), message(shop, count=False), message(shop, name=False), message(shop, name=False, count=False)):
        assert missing(verdict) == set() and verdict["verdict"] == "pass", verdict
