# SPDX-License-Identifier: Apache-2.0
"""One deviating request per kind of micro-rule. After measuring, the measured server must answer 403 to each: a gate that
is fast because it lets everything pass is not what the figures are about."""
import json
import random

from workload import MAKERS, Request, order_document


def _order(change):
    document = order_document(random.Random("probe"))
    change(document)
    return Request("POST", "/orders", json.dumps(document).encode(), "application/json")


def _query(name, value):
    """The benign search with one parameter changed (or added)."""
    target = MAKERS["get5"](random.Random("probe")).target
    path, pairs = target.split("?")
    kept = [pair for pair in pairs.split("&") if not pair.startswith(name + "=")]
    return Request("GET", path + "?" + "&".join(kept + ([f"{name}={value}"] if value is not None else [])))


def probes():
    """(kind, request) pairs."""
    def put(name, value):
        return _order(lambda document: document.__setitem__(name, value))

    def line(name, value):
        return _order(lambda document: document["lines"][3].__setitem__(name, value))

    deep = "x"
    for _ in range(20):
        deep = [deep]
    return [
        ("method", Request("DELETE", "/orders")),
        ("path", Request("GET", "/catalog/%252e%252e/etc/passwd")),
        ("endpoint", Request("GET", "/admin/console")),
        ("content type", Request("POST", "/orders", b"id=1&email=a%40example.com", "application/x-www-form-urlencoded")),
        ("unknown parameter", _query("debug", "1")),
        ("missing parameter", _query("session", None)),
        ("characters in query", _query("q", "mug%27+or+%271%27%3D%271")),
        ("length in query", _query("q", "mug+" * 400)),
        ("type int", _query("page", "1e9x")),
        ("type uuid", _query("session", "none")),
        ("enumeration", _query("category", "weapons")),
        ("unknown JSON name", put("isAdmin", True)),
        ("missing JSON name", _order(lambda document: document.pop("email"))),
        ("JSON type", put("total", {"$gt": 0})),
        ("JSON type in list", line("count", "two")),
        ("characters in JSON", put("currency", "<script>alert(1)</script>")),
        ("type email", put("email", "$(id)")),
        ("length in JSON", put("currency", "EUR" * 2000)),
        ("number range", line("count", 10 ** 30)),
        ("item count", _order(lambda document: document.__setitem__("lines", document["lines"] * 60))),
        ("depth", put("note", deep)),
        ("malformed JSON", Request("POST", "/orders", b'{"id":"1","lines":[{]}', "application/json")),
        ("header", Request("GET", MAKERS["get5"](random.Random("probe")).target,
                           headers=[("X-Original-Url", "/admin/${jndi:ldap://a}")])),
        ("header value", Request("GET", MAKERS["get5"](random.Random("probe")).target,
                                 headers=[("Cookie", "a=() { :;}; /bin/id")])),
    ]
