# SPDX-License-Identifier: Apache-2.0
"""guardd's API under requests made of its own document: nearly right ones, whose one thing is wrong, and bytes that are no HTTP. guardd is the
one that is built with sanitizers where there is one. What it answers is in the document; nothing is a failure of the server, which lives on."""

import json
import os
import pathlib
import random
import signal
import sys
import urllib.parse

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from talking import Api, connect  # noqa: E402
from harness import ROOT  # noqa: E402
from test_guardd import GATE, Guardd, drive, gate, guardd, wait_in_force  # noqa: E402, F401
from traffic import Shop  # noqa: E402

CASES = int(os.environ.get("GUARD_FUZZ_CASES", "40"))  # of each operation
SEED = int(os.environ.get("GUARD_TEST_SEED", "1"))
SANITIZED = ROOT / "build-fuzz" / "guardd" / "guardd"
# Refusals before an operation is found, or of any: of the form and size of the request.
ALWAYS = {400, 403, 404, 405, 411, 413, 414, 415, 417, 431}
WORDS = ["", "shop", "none", "block", "alert", "on", "off", "true", "null", "0", "1", "-1", "18446744073709551616", "1e309", "NaN", "../../etc/passwd",
         "%00", "\u202e", "a" * 300, "'\"<>&", "\x7f", "shop\n", "{}", "[]", "30m", "99999999d", "2026-01-01T00:00:00Z", "*", "GET"]


def value(rng, schema, document, depth=0):
    """Something that the schema allows, or nearly."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return value(rng, document["components"]["schemas"][name], document, depth)
    if rng.random() < 0.08 or depth > 6:
        return rng.choice([None, True, -1, 1e308, 2**70, "", rng.choice(WORDS), [], {}, [[[]]], {"a": {"b": []}}])
    if "enum" in schema or "const" in schema:
        return rng.choice(schema.get("enum", [schema.get("const")]))
    for several in ("oneOf", "anyOf", "allOf"):
        if several in schema:
            return value(rng, rng.choice(schema[several]), document, depth + 1)
    kind = schema.get("type", "object")
    kind = rng.choice(kind) if isinstance(kind, list) else kind
    if kind == "object":
        members = schema.get("properties", {})
        made = {name: value(rng, members[name], document, depth + 1) for name in members
                if name in schema.get("required", []) or rng.random() < 0.5}
        if made and rng.random() < 0.15:
            del made[rng.choice(list(made))]
        if rng.random() < 0.1:
            made[rng.choice(WORDS)] = rng.choice(WORDS)
        return made
    if kind == "array":
        return [value(rng, schema.get("items", {}), document, depth + 1) for _ in range(rng.choice([0, 1, 2, 300]))]
    if kind in ("integer", "number"):
        return rng.choice([schema.get("minimum", 0), schema.get("maximum", 7), rng.randint(-2, 10), rng.random(), 2**53])
    return rng.choice([True, False]) if kind == "boolean" else rng.choice(WORDS)


def mutated(rng, data):
    """Some bytes of it are others, gone, or there twice."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        choice = rng.random()
        if choice < 0.4 and at < len(data):
            data[at] = rng.randrange(256)
        elif choice < 0.7:
            data[at:at + rng.randint(1, 9)] = b""
        else:
            data[at:at] = data[max(0, at - 9):at] or bytes([rng.randrange(256)])
    return bytes(data)


def request(rng, document, template, method, operation, known):
    path = template
    while "{" in path:
        before, _, rest = path.partition("{")
        name, _, after = rest.partition("}")
        text = rng.choice([known.get(name, "shop")] * 6 + WORDS)
        path = before + urllib.parse.quote(text, safe="" if rng.random() < 0.9 else "/%") + after
    query = []
    for parameter in operation.get("parameters", []):
        if "$ref" in parameter:
            parameter = document["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
        if parameter["in"] == "query" and rng.random() < 0.5:
            query.append((parameter["name"], rng.choice([str(value(rng, parameter.get("schema", {}), document))] * 2 + WORDS)))
    if rng.random() < 0.05:
        query.append((rng.choice(WORDS), rng.choice(WORDS)))
    if query:
        path += "?" + urllib.parse.urlencode(query)
    headers = [("Host", "guardd"), ("Connection", "close")]
    for name, texts in (("If-Match", ["*", '"x"', "", '"' + "a" * 400 + '"']), ("X-Guard-By", ["ann", "\x01", "a" * 500]), ("If-None-Match", ["*", '"x"']),
                        ("Last-Event-ID", ["0", "-1", "x" * 90]), ("Authorization", ["Bearer x", "Bearer ", "Basic \xff"]), ("Expect", ["100-continue", "x"])):
        if rng.random() < 0.12:
            headers.append((name, rng.choice(texts)))
    body = b""
    content = operation.get("requestBody", {}).get("content")
    if content is not None or rng.random() < 0.05:
        kind = rng.choice(list(content or {"application/json": {}}))
        made = value(rng, (content or {}).get(kind, {}).get("schema", {}), document)
        body = json.dumps(made).encode()
        if rng.random() < 0.4:
            body = mutated(rng, body)
        if rng.random() < 0.9:
            headers.append(("Content-Type", kind if rng.random() < 0.9 else rng.choice(WORDS).replace("\n", "")))
    if body or rng.random() < 0.3:
        length = len(body) if rng.random() < 0.97 else rng.choice([0, len(body) + 1, 2**63, -1])
        headers.append(("Content-Length", str(length)))
    else:
        length = 0
    lines = [f"{method.upper()} /api/v1{path} HTTP/1.1"] + [f"{name}: {text}" for name, text in headers]
    whole = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body
    return (mutated(rng, whole), False) if rng.random() < 0.1 else (whole, length == len(body))


def answer_of(state, data, stream=False, whole=False):
    """What was answered: head and as much of the body as there is; of a stream its head. What isn't whole may never be answered."""
    got = b""
    with connect(state) as sock:
        sock.settimeout(60 if whole else 0.3)
        try:
            sock.sendall(data)
            while not (stream and b"\r\n\r\n" in got) and len(got) < 1 << 22:
                part = sock.recv(65536)
                if not part:
                    break
                got += part
                while got[9:12] == b"100" and b"\r\n\r\n" in got:
                    got = got.partition(b"\r\n\r\n")[2]
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            assert not whole, data  # else it had heard enough, or not all
    return got


@pytest.fixture
def sanitized(monkeypatch):
    """Before guardd is started."""
    if SANITIZED.exists():
        monkeypatch.setattr(Guardd, "program", SANITIZED)
    else:
        print("no guardd with sanitizers was built: the usual one is tried")


def test_what_the_document_nearly_allows_never_fails_the_server(sanitized, guardd, gate):
    rng = random.Random(SEED)
    shop = Shop(601)
    drive(gate.port, shop.many(400))
    guardd.wait_exchanges(400)
    api = Api(guardd.state).ready()
    known = {"service": "shop", "id": "0" * 32}
    seen, finished = set(), set()
    for template, methods in api.document["paths"].items():
        for method, operation in methods.items():
            if method not in ("get", "put", "post", "delete", "patch"):
                continue
            documented = {int(status) for status in operation["responses"] if status.isdigit()}
            for case in range(CASES):
                data, whole = request(rng, api.document, template, method, operation, known)
                whole = whole and not template.endswith("/policy")  # which waits for a newer one
                got = answer_of(guardd.state, data, template.endswith("/stream"), whole)
                assert guardd.process.poll() is None, (case, data, guardd.log()[-4000:])
                assert got or not whole, data
                if not got:
                    continue
                status = int(got[9:12])
                seen.add(status)
                assert status < 500 or status in documented or status in (501, 505), (data, got[:2000])
                assert status in documented | ALWAYS | {304, 412, 409, 501, 505}, (data, got[:2000])
                if status in documented:
                    finished.add((template, method))
    # Not all is refused at the door.
    assert {200, 400, 404} <= seen and len(finished) > len(api.document["paths"]) // 2, (seen, finished)
    os.kill(guardd.process.pid, signal.SIGTERM)
    assert guardd.process.wait(60) == 0, guardd.log()[-4000:]
    assert "ERROR: " not in guardd.log() and "runtime error" not in guardd.log()


def test_bytes_that_are_no_request_harm_nobody(sanitized, guardd):
    rng = random.Random(SEED + 1)
    api = Api(guardd.state).ready()
    for _ in range(300):
        data = rng.choice([rng.randbytes(rng.randint(1, 2000)), b"GET " + b"/" * 70000 + b" HTTP/1.1\r\n\r\n",
                           mutated(rng, b"GET /api/v1/services HTTP/1.1\r\nHost: a\r\n\r\n" * rng.randint(1, 40)),
                           b"POST /api/v1/services/shop/mode HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + rng.randbytes(40)])
        answer_of(guardd.state, data)
    assert api.get("/health/live") and guardd.process.poll() is None
    os.kill(guardd.process.pid, signal.SIGTERM)
    assert guardd.process.wait(60) == 0, guardd.log()[-4000:]
    assert "ERROR: " not in guardd.log() and "runtime error" not in guardd.log()
