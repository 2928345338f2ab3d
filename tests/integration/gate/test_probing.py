# SPDX-License-Identifier: Apache-2.0
"""Who probes for what is learned by being blocked learns nothing from the answers: they are the same bytes whatever the reason was, but
for the random id and nginx's date. How long an answer takes isn't claimed: bodies are judged when they are there."""

import json
import re
import subprocess

import pytest

from peers.shop import Connection, request
from .conftest import ATTACK, ATTACK_QUERY, HELD
from .service import Service

MASKED = re.compile(rb"[0-9a-f]{32}|Date: [^\r]*")
JSON, FORM = ("Content-Type", "application/json"), ("Content-Type", "application/x-www-form-urlencoded")
BODY = json.dumps({"q": ATTACK})
REASONS = {  # (method, target, headers, body)
    "query": ("GET", f"/a?{ATTACK_QUERY}", [], None),
    "many": ("GET", f"/a?{ATTACK_QUERY}&" + "&".join(f"q=%27{i}" for i in range(300)), [], None),
    "another-path": ("GET", f"/secret/admin/7?{ATTACK_QUERY}", [], None),
    "header": ("GET", "/a", [("X-Q", ATTACK)], None),
    "cookie": ("GET", "/a", [("Cookie", f"q={ATTACK}")], None),
    "method": ("DELETE", f"/a?{ATTACK_QUERY}", [], None),
    "form": ("POST", "/a", [FORM], "q=needle%27"),
    "json": ("POST", "/a", [JSON], BODY),
    "chunked": ("POST", "/a", [JSON], BODY),
    "head-before-body": ("POST", f"/a?{ATTACK_QUERY}", [JSON], BODY),
    "long-body": ("POST", "/a", [JSON], json.dumps({"filler": "x" * 60000, "q": ATTACK})),
    "answer": ("GET", "/a?bad=start", [], None),
    "end-of-answer": ("GET", "/a?bad=end&size=9000", [], None),
    "chunked-answer": ("GET", "/a?bad=start&framing=chunked", [], None),
}
KINDS = {"text": "text/plain", "page": "text/html", "problem": "application/json"}


@pytest.fixture
def front(gate):
    service = Service()
    yield gate(f"""
        server {{ listen 127.0.0.1:{{port}}; location / {{ proxy_pass http://127.0.0.1:{service.port}; }} }}
        server {{ listen 127.0.0.1:{{port2}} http2; location / {{ proxy_pass http://127.0.0.1:{service.port}; }} }}
        """, http=HELD, leaks=True)
    service.close()


def raw(connection, reason, kind):
    """All bytes of the answer."""
    method, target, headers, body = REASONS[reason]
    sent = request(method, target, [*headers, ("Accept", KINDS[kind])], body, chunked=reason == "chunked")
    connection.sock.sendall(sent)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = connection.file.readline()
        assert line, head
        head += line
    length = int(re.search(rb"Content-Length: (\d+)", head)[1])
    return head + connection.file.read(length)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_tell_nothing_of_the_reason(front, kind):
    """Each reason at the first attempt, at the second one, and on a connection that was blocked for another reason before."""
    answers, ids = set(), []
    for reason in REASONS:
        for _ in range(2):
            with Connection(front.port, "127.0.1.1") as connection:
                for which in (reason, reason, "query"):
                    answer = raw(connection, which, kind)
                    assert answer.startswith(b"HTTP/1.1 403 "), (which, answer)
                    ids += set(re.findall(rb"[0-9a-f]{32}", answer))
                    answers.add(MASKED.sub(lambda found: b"#" * len(found[0]) if b" " not in found[0] else b"Date: #", answer))
    assert len(answers) == 1, answers
    assert len(set(ids)) == len(ids) == 6 * len(REASONS)


def fields(log):
    """What nghttp tells of an answer: its frames and header fields, without times, ids and dates."""
    log = re.sub(r"\x1b\[[0-9;]*m|\[ *[0-9.]+\]", "", log)
    lines = [line.strip() for line in log.splitlines()]
    kept = [line for line in lines if line.startswith(("recv (stream_id", "recv HEADERS", "recv DATA"))]
    return tuple(re.sub(r"[0-9a-f]{32}|date: .*|stream_id=\d+|length=\d+", "#", line) for line in kept)


def test_grpc_answers_tell_nothing_of_the_reason(front, tmp_path):
    (tmp_path / "good").write_bytes(b"\0\0\0\0\5\n\3tom")
    (tmp_path / "bad").write_bytes(b"\0\0\0\0\x09\n\7needle'")
    seen = set()
    for path, message, *headers in ((f"/a?{ATTACK_QUERY}", "good"), ("/a", "bad"), ("/a", "good", "-H", f"x-q: {ATTACK}"),
                                    ("/a?bad=start", "good"), (f"/s.T/Other?{ATTACK_QUERY}", "bad")):
        for _ in range(2):
            done = subprocess.run(["nghttp", "-nv", "-H", "content-type: application/grpc", *headers, "-d", tmp_path / message,
                                   front.url(path, "port2")], capture_output=True, text=True, timeout=120, check=True)
            assert "grpc-status: 7" in done.stdout, (path, done.stdout)
            seen.add(fields(done.stdout))
    assert len(seen) == 1, seen
