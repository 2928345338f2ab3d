# SPDX-License-Identifier: Apache-2.0
"""Streamed requests: which they are, what the service gets to see of a blocked one, and what the client gets."""

import json
import re
import socket
import threading
import time

import pytest

from gate.conftest import ATTACK, ATTACK_QUERY
from harness import wait_for

from .services import RawService, early, silent, sink

BLOCK_BODY = re.compile(rb'\{"type":"about:blank","title":"Forbidden","status":403,"id":"[0-9a-f]{32}"\}\n')
H2 = ["--http2-prior-knowledge"]


def servers(upstream, *directives, port="{port}"):
    return f"""
    server {{
        listen 127.0.0.1:{{port}};
        listen 127.0.0.1:{{port2}} http2;
        client_max_body_size 0;
        {" ".join(directives)}
        location / {{
            proxy_pass http://127.0.0.1:{upstream.port};
            proxy_http_version 1.1;
        }}
    }}"""


STREAMED = ("guard_body streamed;", "proxy_request_buffering off;")


def json_body(text, size=100):
    """Of about this size and with few values; "q" is at the end."""
    word = "word" * (25 if size < 100000 else 2500)
    return json.dumps({"filler": [word] * (size // len(word)), "q": text}).encode()


def head(length=None, path="/a", *lines):
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: a", "Content-Type: application/json", framing, *lines, "", ""]).encode()


def chunk(data):
    return b"%x\r\n" % len(data) + data + b"\r\n"


def read_all(sock, timeout=60):
    sock.settimeout(timeout)
    text = b""
    try:
        while True:
            more = sock.recv(65536)
            if not more:
                return text
            text += more
    except ConnectionResetError:
        return text


@pytest.mark.parametrize("port,options", [
    ("port", []),
    ("port", ["-H", "Transfer-Encoding: chunked"]),
    ("port", ["-H", "Expect: 100-continue"]),
    ("port", ["--http1.0"]),
    ("port2", H2),
    ("port2", H2 + ["-H", "Content-Length:"]),
], ids=["h1", "chunked", "continue", "http10", "h2", "h2-no-length"])
@pytest.mark.parametrize("size", [10, 6000, 200000, 3000000], ids=["small", "preread", "large", "beyond"])
@pytest.mark.parametrize("unbuffered", [True, False], ids=["unbuffered", "buffered-by-nginx"])
def test_streamed_bodies_pass_and_block(gate, tmp_path, port, options, size, unbuffered):
    nginx = gate(servers(gate.echo, "guard_body streamed;", "guard_body_limit 16m;",
                         "proxy_request_buffering off;" if unbuffered else ""))
    send = ["--data-binary", f"@{tmp_path}/body", "-H", "Content-Type: application/json", *options]
    body = json_body("tom", size)
    (tmp_path / "body").write_bytes(body)
    answer = nginx.curl("/a", *send, port=port)
    assert answer.status == 200 and answer.json()["length"] == len(body)
    bad = json_body(ATTACK, size)
    (tmp_path / "body").write_bytes(bad)
    answer = nginx.curl("/a", *send, port=port)
    assert answer.status == 403
    assert BLOCK_BODY.fullmatch(answer.body)
    assert answer.headers["x-guard-id"].encode() in answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert nginx.curl("/a").status == 200
    # All bytes may have come to the service, when the end of a chunked body comes by itself: but not that end.
    assert gate.echo.whole == [len(body), 0], f"the service got the blocked request: {gate.echo.seen}"
    wait_for(lambda: [head["decision"] for head in gate.state.heads()] == ["pass", "block", "pass"], "records")
    assert [alert["status"] for alert in gate.state.alerts()] == [403]


def test_closed_service_takes_no_connections():
    """Those it took would be another test's."""
    upstream = RawService(sink)
    upstream.close()
    assert not upstream.thread.is_alive()


def test_first_bytes_reach_the_service_before_the_last_are_sent(gate, raw_service):
    upstream = raw_service(sink)
    nginx = gate(servers(upstream, *STREAMED))
    with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
        sock.sendall(head() + chunk(b'{"a":"first",'))
        wait_for(lambda: b"first" in upstream.bytes, "the first bytes at the service")
        sock.sendall(chunk(b'"q":"tom"}') + b"0\r\n\r\n")
        wait_for(lambda: upstream.ended == ["complete"], "the end")


def test_service_never_sees_a_complete_blocked_request(gate, raw_service):
    upstream = raw_service(sink)
    nginx = gate(servers(upstream, *STREAMED))
    first, rest = b'{"a":"first",', b'"q":"%s"}' % ATTACK.encode()
    for framing in (None, len(first + rest)):
        upstream.bytes.clear()
        with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
            sock.sendall(head(framing) + (chunk(first) if framing is None else first))
            wait_for(lambda: b"first" in upstream.bytes, lambda: f"the first bytes at the service, framing {framing}: {upstream}", 60)
            sock.sendall(chunk(rest) + b"0\r\n\r\n" if framing is None else rest)
            text = read_all(sock)
        assert text.startswith(b"HTTP/1.1 403 ")
        assert b"Connection: close" in text
        assert ATTACK.encode() not in upstream.bytes
    wait_for(lambda: upstream.ended == ["aborted"] * 2, lambda: f"both to be cut: {upstream}", 60)


def test_block_after_the_response_began_cuts_both_sides(gate, raw_service):
    upstream = raw_service(early)
    nginx = gate(servers(upstream, *STREAMED, "proxy_buffering off;"))
    with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
        sock.sendall(head() + chunk(b'{"a":"first",'))
        got = b""
        while b"begun" not in got:
            got += sock.recv(65536)
        sock.sendall(chunk(b'"q":"%s"}' % ATTACK.encode()) + b"0\r\n\r\n")
        got += read_all(sock)
    assert got.startswith(b"HTTP/1.1 200 ")
    assert not got.endswith(b"0\r\n\r\n"), "the client takes it for complete"
    wait_for(lambda: upstream.ended == ["aborted"], "the service's side to be cut")


def test_block_while_the_response_is_held_is_answered(gate, raw_service):
    """Nothing of the service's answer went out yet, although nginx thinks so."""
    upstream = raw_service(early)
    nginx = gate(servers(upstream, *STREAMED, "guard_response_hold 64k 20s;"))
    with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
        sock.sendall(head() + chunk(b'{"a":"first",'))
        wait_for(lambda: upstream.answering, "the response to begin")
        sock.sendall(chunk(b'"q":"%s"}' % ATTACK.encode()) + b"0\r\n\r\n")
        text = read_all(sock)
    assert text.startswith(b"HTTP/1.1 403 ") and b"begun" not in text, text
    wait_for(lambda: upstream.ended == ["aborted"], "the service's side to be cut")
    wait_for(lambda: [head["decision"] for head in gate.state.heads()] == ["block"], "the record")


def test_what_follows_a_blocked_stream_is_no_request(gate, raw_service):
    """The body's rest, which nobody read, looks like a request."""
    upstream = raw_service(sink)
    for directives in (STREAMED, ("guard_body streamed;",)):
        nginx = gate(servers(upstream, *directives))
        inner = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
            sock.sendall(head() + chunk(b'{"q":"%s"}' % ATTACK.encode()) + b"0\r\n\r\n" + inner)
            text = read_all(sock)
        assert text.count(b"HTTP/1.1 ") == 1 and text.startswith(b"HTTP/1.1 403 ")
        assert not [head for head in upstream.heads if "smuggled" in head]


def test_upstream_connections_stay_usable_after_a_block(gate):
    """One kept alive to the service isn't given back in the middle of a request."""
    nginx = gate(f"""
    upstream echo {{ server 127.0.0.1:{gate.echo.port}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{{port}};
        guard_body streamed;
        proxy_request_buffering off;
        location / {{ proxy_pass http://echo; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}""")
    for _ in range(5):
        assert nginx.curl("/a", "-d", '{"q":"tom"}', "-H", "Content-Type: application/json").status == 200
        answer = nginx.curl("/a", "-d", '{"q":"%s"}' % ATTACK, "-H", "Content-Type: application/json")
        assert answer.status == 403
    assert sum(length == len('{"q":"tom"}') for _, _, length in gate.echo.seen) == 5


def test_auto_buffers_what_it_can_inspect(gate, raw_service, tmp_path):
    """Below the limit and of known length: judged before the service sees a byte. Beyond it or chunked: streamed."""
    upstream = raw_service(sink)
    nginx = gate(servers(upstream, "proxy_request_buffering off;", "guard_body_limit 64k;"))
    with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
        sock.sendall(head(1000) + b'{"a":"first",')
        time.sleep(0.3)  # that nothing happens can't be waited for
        assert not upstream.heads
    for framing in (None, 1000000):
        with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
            sock.sendall(head(framing) + chunk(b'{"a":"first",'))
            wait_for(lambda: b"first" in upstream.bytes, "the first bytes at the service")
        upstream.bytes.clear()


@pytest.mark.parametrize("options", [[], ["-X", "POST"], ["-d", ""], ["-I"], H2, H2 + ["-d", ""], H2 + ["-I"]])
def test_no_body(gate, options):
    nginx = gate(servers(gate.echo, *STREAMED))
    port = "port2" if H2[0] in options else "port"
    assert nginx.curl("/a", *options, port=port).status == 200
    assert nginx.curl(f"/a?{ATTACK_QUERY}", *options, port=port).status == 403
    assert len(gate.echo.seen) == 1


def test_error_page_of_a_late_block(gate, raw_service):
    upstream = raw_service(sink)
    nginx = gate(servers(upstream, *STREAMED, f"error_page 403 /sorry; location = /sorry {{ guard off; "
                         f"proxy_pass http://127.0.0.1:{gate.echo.port}; }}"))
    with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
        sock.sendall(head() + chunk(b'{"q":"%s"}' % ATTACK.encode()) + b"0\r\n\r\n")
        text = read_all(sock)
    assert text.startswith(b"HTTP/1.1 403 ") and b'"target": "/sorry"' in text
    assert b'"length": 0' in text
    assert b"X-Guard-Id: " in text


def test_client_that_leaves_and_service_that_hangs(gate, raw_service):
    """Nothing is recorded of what broke off, and nothing stays."""
    upstream = raw_service(silent)
    nginx = gate(servers(upstream, *STREAMED, "proxy_read_timeout 300ms;"))
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
            sock.sendall(head() + chunk(b'{"a":"first",'))
            wait_for(lambda: b"first" in upstream.bytes, "the first bytes at the service")
        upstream.bytes.clear()
    wait_for(lambda: upstream.ended == ["aborted"] * 3, "the service to be told")
    assert nginx.curl("/a", "-d", '{"q":"tom"}', "-H", "Content-Type: application/json").status == 504
    wait_for(lambda: [head["status"] for head in gate.state.heads()] == [504], "the record of what was complete")


def test_single_bytes(gate):
    nginx = gate(servers(gate.echo, *STREAMED))
    for text, status in (("tom", 200), (ATTACK, 403)):
        with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(head(None, "/a", "Connection: close"))
            for byte in json_body(text):
                sock.sendall(b"1\r\n%c\r\n" % byte)
            try:
                sock.sendall(b"0\r\n\r\n")
            except OSError:
                pass
            assert read_all(sock).startswith(b"HTTP/1.1 %d " % status)


def test_pipelined(gate):
    """A blocked buffered request doesn't take the next one on its connection with it; streamed ones follow each other."""
    nginx = gate(servers(gate.echo, *STREAMED))
    good = json_body("tom")
    one = head(len(good)) + good
    with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
        sock.sendall(one + one + head(len(good), "/last", "Connection: close") + good)
        text = read_all(sock)
    assert text.count(b"HTTP/1.1 200 ") == 3
    assert [target for _, target, _ in gate.echo.seen] == ["/a", "/a", "/last"]


def test_many_at_once(gate, raw_service):
    nginx = gate(servers(gate.echo, *STREAMED))
    results = []

    def run(i):
        text = ATTACK if i % 2 else "tom"
        answer = nginx.curl("/a", "-d", json_body(text, 20000).decode(), "-H", "Content-Type: application/json")
        results.append((i % 2, answer.status))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [(0, 200)] * 8 + [(1, 403)] * 8
