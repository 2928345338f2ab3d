# SPDX-License-Identifier: Apache-2.0
"""The bypasses of docs/internals/peers-defects.md: what hides where a peer doesn't look is blocked before the service sees
it, and its benign twin passes. One test per row, named by the row."""

import gzip
import json

import pytest

from .shop import BOUNDARY, JSON, Traffic, get, multipart, order, post, request
from .conftest import drive, statuses

SQL = "' OR 1=1--"
SAFE = "%27%20OR%201=1--"
ORDER = json.dumps(order())


def with_city(city):
    return json.dumps(order(city=city))


def test_p00_benign_traffic_passes(learned):
    """What the other tests of this file are worth: none of what the shop's clients send is refused."""
    assert statuses(drive(learned.port, Traffic(77).many(1000))) == [200]


def test_p01_semicolon_pairs(learned):
    learned.passes(get("/list?sort=name"))
    learned.blocks(get(f"/users?username=tom;x={SAFE}"), "param username")
    learned.blocks(get("/users?username=tom;admin=yes"), "param username")
    learned.blocks(get(f"/users?username=tom&b=1;x={SAFE}"), "GET /users")
    learned.blocks(post("/login", "application/x-www-form-urlencoded", "user=tom&city=Bern&remember=yes;admin=yes"), "remember")


@pytest.mark.parametrize("escape", ["%zz", "%", "%4", "%u0027", "%%27"])
def test_p02_bad_escapes(learned, escape):
    learned.passes(get("/users?username=t%6Fm"))
    learned.blocks(get(f"/list?sort=name&cmd={escape}$(reboot)"), "GET /list")
    learned.blocks(get(f"/users?username=tom{escape}"), "GET /users")


@pytest.mark.parametrize("host", ["evil.example", "shop.example.evil.test", "shop.example:8081"])
def test_p03_host(learned, host):
    learned.passes(get("/list?sort=name", host="shop.example"))
    learned.blocks(get("/list?sort=name", host=host), "header host")


def test_p04_chunked_json(learned):
    learned.passes(post("/orders", JSON, ORDER, chunked=True))
    learned.blocks(post("/orders", JSON, with_city("Bern" + SQL), chunked=True), "address.city")


@pytest.mark.parametrize("tail", [" x", ORDER, SQL, "\x00", "}"])
def test_p05_trailing_bytes_after_json(learned, tail):
    learned.passes(post("/orders", JSON, ORDER + "\n"))
    learned.blocks(post("/orders", JSON, ORDER + tail), "json: malformed")


def test_p06_duplicate_keys(learned):
    """Which of the two the service takes isn't known: both are looked at, and that there are two is told."""
    learned.passes(post("/orders", JSON, ORDER))
    learned.blocks(post("/orders", JSON, ORDER[:-1] + ',"item":"hat"}'), "json-duplicate")
    learned.blocks(post("/orders", JSON, ORDER[:-1] + f',"item":"hat{SQL}"}}'), "item")
    learned.blocks(post("/orders", JSON, f'{{"item":"hat{SQL}",' + ORDER[1:]), "item")
    learned.blocks(get("/users?username=tom&username=anna"), "duplicate-name")


def test_p07_unknown_key_with_null(learned):
    learned.passes(post("/orders", JSON, ORDER))
    learned.blocks(post("/orders", JSON, ORDER[:-1] + ',"admin":null}'), "admin")


@pytest.mark.parametrize("name,value", [
    ("TE", "trailers" + SQL), ("Connection", "keep-alive, X-Real-User"), ("Proxy-Authorization", "Basic " + SQL), ("Keep-Alive", SQL),
    ("Upgrade", "h2c" + SQL), ("Proxy-Connection", SQL), ("Trailer", SQL)])
def test_p08_hop_by_hop_headers(learned, name, value):
    learned.passes(get("/list?sort=name"))
    learned.blocks(get("/list?sort=name", (name, value)), name.lower())


def test_p09_multipart_files(learned):
    learned.passes(multipart("report7.txt", content="hat socks coat"))
    learned.blocks(multipart(content="<?php system($_GET['c']); ?>"), "part file")
    learned.blocks(multipart(name="../../etc/cron.d/x.txt"), "file.filename")
    learned.blocks(multipart(name="report7.txt\x00.php"), "file.filename")
    learned.blocks(multipart(media_type="application/x-php"), "file.type")
    second = multipart().replace(f"--{BOUNDARY}--".encode(), (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"hidden\"; filename=\"a.txt\"\r\n\r\nall is well\r\n"
        f"--{BOUNDARY}--").encode())
    body = second.partition(b"\r\n\r\n")[2]
    learned.blocks(post("/files", f"multipart/form-data; boundary={BOUNDARY}", body), "hidden")


def test_p10_compressed_bodies(learned):
    """Where no client ever compressed, that one does is a deviation by itself, whatever lies inside."""
    learned.passes(post("/orders", JSON, ORDER))
    learned.blocks(post("/orders", JSON, gzip.compress(with_city("Bern" + SQL).encode()), ("Content-Encoding", "gzip")), "address.city")
    learned.blocks(post("/orders", JSON, gzip.compress(ORDER.encode()), ("Content-Encoding", "gzip")), "content-encoding")
    learned.blocks(post("/orders", JSON, ORDER, ("Content-Encoding", "gzip")), "POST /orders")


@pytest.mark.parametrize("media_type", ["application/xml", "text/plain", "application/octet-stream", "application/vnd.shop+json",
                                        "text/html", "application/x-www-form-urlencoded", "nonsense"])
def test_p11_other_media_types(learned, media_type):
    learned.passes(post("/orders", JSON, ORDER))
    learned.blocks(post("/orders", media_type, ORDER))
    learned.blocks(post("/orders", media_type, "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>"))


def test_p11_no_media_type(learned):
    learned.blocks(request("POST", "/orders", (), ORDER), "content type")


@pytest.mark.parametrize("target", ["/admins?username=tom", "/products/admin?page=1", "/products/7/delete?page=1", "/user?username=tom",
                                    "/orders?username=tom"])
def test_p12_paths_are_more_than_counts(learned, target):
    """As many segments of the same lengths and classes as known paths have."""
    learned.passes(get("/products/4711?page=1"))
    learned.blocks(get(target))


@pytest.mark.parametrize("value", ["tom%EF%BC%87%20or%201%EF%BC%9D1", "tom%C0%A7", "tom%E2%80%99", "%D1%82om", "tom%2527", "to%CC%88m"],
                         ids=["full-width", "overlong", "typographic", "homoglyph", "twice-encoded", "combining"])
def test_p13_unicode_forms(learned, value):
    learned.passes(get("/users?username=%74om"))
    learned.blocks(get(f"/users?username={value}"), "GET /users")


def test_p14_letters_only(learned):
    """Of parameters whose few values are known each other value deviates, though it is made of the same letters."""
    learned.passes(get("/list?sort=price"))
    learned.blocks(get("/list?sort=passwd"), "param sort")
    learned.blocks(post("/orders", JSON, with_city("Admin")), "address.city")


def test_p15_case(learned):
    learned.passes(get("/list?sort=name"))
    learned.blocks(get("/list?sort=NAME"), "param sort")
    learned.blocks(get("/List?sort=name"), "path")
    learned.blocks(get("/list?Sort=name"), "GET /list")


def test_p16_missing_parameters(learned):
    learned.passes(get("/users?username=tom"))
    learned.blocks(get("/users"), "missing")
    learned.blocks(post("/login", "application/x-www-form-urlencoded", "user=tom&city=Bern"), "remember: missing")
    incomplete = order()
    del incomplete["address"]["zip"]
    learned.blocks(post("/orders", JSON, json.dumps(incomplete)), "address.zip: missing")
    learned.blocks(post("/orders", JSON, ""))


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "PURGE"])
def test_p16_methods(learned, method):
    learned.blocks(request(method, "/users?username=tom"), "method")


def answering(learned, status, media_type, content, data):
    """The answer to a request that the service answers in this way."""
    usual = learned.service.respond
    learned.service.respond = lambda handler, body: (status, media_type, content)
    try:
        return learned.send(data)
    finally:
        learned.service.respond = usual


@pytest.mark.parametrize("status", [302, 500, 503])
def test_p17_status(learned, status):
    """A service that breaks, or succeeds in another way than ever, is no success of the attacker's; what it refuses passes."""
    content = json.dumps({"users": [{"id": 7, "name": "tom"}]}).encode()
    assert answering(learned, 200, JSON, content, get("/users?username=tom")).status == 200
    assert answering(learned, 404, JSON, b"{}", get("/users?username=tom")).status == 404
    answer = answering(learned, status, JSON, content, get("/users?username=tom"))
    assert answer.status == 403 and "status" in answer.reason, (answer.status, answer.reason)


def test_p17_content_of_answers(learned):
    """All users instead of one, other members, another type."""
    users = [{"id": i, "name": "tom"} for i in range(300)]
    for media_type, content in ((JSON, json.dumps({"users": users}).encode()),
                                (JSON, b'{"users":[{"id":7,"name":"tom","password":"$2y$10$abc"}]}'),
                                ("text/html", b"<pre>root:x:0:0:root:/root:/bin/bash</pre>")):
        answer = answering(learned, 200, media_type, content, get("/users?username=tom"))
        assert answer.status == 403 and "x-guard-id" in answer.headers, (content[:50], answer.status, answer.reason)
        assert b"tom" not in answer.body and b"root" not in answer.body


@pytest.mark.parametrize("size", [8 << 10, 64 << 10, 128 << 10, 1 << 20, 3 << 20])
def test_p18_padding(learned, size):
    """Within the limit the attack is seen behind any padding; beyond it the length itself is told."""
    def padded(filler, city):
        text = with_city(city)
        return post("/orders", JSON, text[:1] + filler * size + text[1:])

    if size < 1 << 20:
        learned.blocks(padded(" ", "Bern" + SQL), "address.city")
    else:
        learned.blocks(padded(" ", "Bern" + SQL), "body: malformed (body-length)")
        learned.blocks(padded(" ", "Bern"), "body: malformed (body-length)")


@pytest.mark.parametrize("size", [200 << 10, 3 << 20])
def test_p18_padding_of_one_value(learned, size):
    learned.blocks(post("/orders", JSON, json.dumps(order(item="hat" * (size // 3)))), "POST /orders")
    learned.blocks(request("PUT", "/notes", [("Content-Type", "text/plain")], "hat and " * (size // 8)), "PUT /notes")
