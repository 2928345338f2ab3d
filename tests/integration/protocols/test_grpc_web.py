# SPDX-License-Identifier: Apache-2.0
"""gRPC-Web through the gate, in both of its forms, by a client and a service made here: what browsers send."""

import base64
import socket

import pytest

from gate.conftest import ATTACK
from harness import wait_for

from .services import LEAK, proto

WEB, TEXT = "application/grpc-web+proto", "application/grpc-web-text"
TRAILERS = b"grpc-status:0\r\ngrpc-message:fine\r\n"


def frame(content, flag=0):
    return bytes([flag]) + len(content).to_bytes(4, "big") + content


def wire(kind, *frames):
    """As text each frame is a piece of its own."""
    return b"".join(base64.b64encode(one) if "text" in kind else one for one in frames)


def unwire(kind, body):
    """[(flag, content)]"""
    if "text" in kind:
        body = b"".join(base64.b64decode(body[at:at + 4], validate=True) for at in range(0, len(body), 4))
    frames = []
    while body:
        length = int.from_bytes(body[1:5], "big")
        assert len(body) >= 5 + length, body
        frames.append((body[0], body[5:5 + length]))
        body = body[5 + length:]
    return frames


def serve(answers, kind):
    """Notes what came and answers with these frames."""
    def handler(sock, service):
        head = service.read_head(sock)
        if head is not None and service.read_body(sock, head):
            body = wire(kind, *answers)
            sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode())
            sock.sendall(body)
    return handler


def servers(upstream, *directives):
    return f"""
    server {{
        listen 127.0.0.1:{{port}};
        listen 127.0.0.1:{{port2}} http2;
        {" ".join(directives)}
        location / {{ proxy_pass http://127.0.0.1:{upstream.port}; proxy_http_version 1.1; }}
    }}"""


def call(nginx, kind, *frames, options=(), tmp_path):
    (tmp_path / "body").write_bytes(wire(kind, *frames))
    return nginx.curl("/t.T/Unary", "-H", f"Content-Type: {kind}", "-H", "X-Grpc-Web: 1", "--data-binary", f"@{tmp_path / 'body'}",
                      *options, port="port2" if options else "port")


GOOD_ANSWER = (frame(proto("fine")), frame(TRAILERS, 0x80))


@pytest.mark.parametrize("kind", [WEB, TEXT])
@pytest.mark.parametrize("options", [(), ("--http2-prior-knowledge",)], ids=["h1", "h2"])
def test_calls_pass_and_block(gate, raw_service, tmp_path, kind, options):
    upstream = raw_service(serve(GOOD_ANSWER, kind))
    nginx = gate(servers(upstream), leaks=True)
    answer = call(nginx, kind, frame(proto("tom")), options=options, tmp_path=tmp_path)
    assert answer.status == 200 and answer.body == wire(kind, *GOOD_ANSWER)
    before = bytes(upstream.bytes)
    assert before == wire(kind, frame(proto("tom")))
    answer = call(nginx, kind, frame(proto("eve")), frame(proto(ATTACK)), options=options, tmp_path=tmp_path)
    assert answer.status == 200 and answer.headers["content-type"].startswith("application/grpc-web")
    assert ("text" in answer.headers["content-type"]) == ("text" in kind)
    assert unwire(kind, answer.body) == [(0x80, b"grpc-status:7\r\ngrpc-message:Forbidden\r\n")]
    assert len(answer.headers["x-guard-id"]) == 32
    assert wire(kind, frame(proto(ATTACK))) not in upstream.bytes
    wait_for(lambda: [head["decision"] for head in gate.state.heads()] == ["pass", "block"], "the records")
    alert, = gate.state.alerts()
    assert [(finding["location"], finding["name"]) for finding in alert["findings"]] == [("protobuf", "1")]


@pytest.mark.parametrize("kind", [WEB, TEXT])
def test_pieces_end_anywhere(gate, raw_service, kind):
    """In single bytes, and as text in pieces that are padded in the middle of a frame."""
    upstream = raw_service(serve(GOOD_ANSWER, kind))
    nginx = gate(servers(upstream, "proxy_request_buffering off;"))
    for message, good in (("tom", True), (ATTACK, False)):
        one = frame(proto(message))
        body = wire(kind, one[:1], one[1:3], one[3:])
        with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
            sock.settimeout(60)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(f"POST /t.T/Unary HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                         "Connection: close\r\n\r\n".encode())
            for byte in body:
                sock.sendall(bytes([byte]))
            answer = b""
            while more := sock.recv(65536):
                answer += more
        content = answer.partition(b"\r\n\r\n")[2]
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert (content == wire(kind, *GOOD_ANSWER)) == good
        if not good:
            assert unwire(kind, content)[-1][0] == 0x80 and b"grpc-status:7" in unwire(kind, content)[-1][1]


@pytest.mark.parametrize("kind", [WEB, TEXT])
def test_answers_are_judged(gate, raw_service, tmp_path, kind):
    """Its messages, and its trailers though they come in the body."""
    for answer in ((frame(proto(LEAK)), frame(TRAILERS, 0x80)), (frame(proto("fine")), frame(TRAILERS + b"x-q:needle'\r\n", 0x80))):
        nginx = gate(servers(raw_service(serve(answer, kind))), leaks=True)
        before = len(gate.state.alerts())
        call(nginx, kind, frame(proto("tom")), tmp_path=tmp_path)
        alert = wait_for(lambda: gate.state.alerts()[before:], "the alert")[0]
        assert alert["action"] == "block" and alert["findings"][0]["part"] == "response"
        assert (alert["findings"][0]["location"], alert["findings"][0]["name"]) == \
            (("header", "x-q") if b"x-q" in b"".join(answer) else ("body", ""))


@pytest.mark.parametrize("body", [b"AAAA\nAAMKA3RvbQ==", b"AAAAAAUKA3RvbQ", b"!", b"AAAAAAMKA3Rv"])
def test_what_isnt_base64_is_a_fault(gate, raw_service, tmp_path, body):
    """Blanks, letters missing, other bytes: found, whoever forgives it. It is no crash and no wait."""
    nginx = gate(servers(raw_service(serve(GOOD_ANSWER, TEXT))))
    (tmp_path / "body").write_bytes(body)
    assert nginx.curl("/t.T/Unary", "-H", f"Content-Type: {TEXT}", "--data-binary", f"@{tmp_path / 'body'}").status == 200
    wait_for(lambda: len(gate.state.heads()) == 1, "the record")
