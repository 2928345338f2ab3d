# SPDX-License-Identifier: Apache-2.0
"""WebSocket through the gate, by Debian's python3-websockets on both sides, and upgrades to other protocols."""

import asyncio
import base64
import os
import signal
import socket
import struct

import pytest

from gate.conftest import ATTACK, ATTACK_QUERY, wait_generation
from harness import wait_for
from waiting import stat_of

from .services import need


def servers(port, *directives, listen="listen 127.0.0.1:{port};"):
    return f"""
    server {{
        {listen}
        {" ".join(directives)}
        location / {{
            proxy_pass http://127.0.0.1:{port};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
        }}
    }}"""


def talk(nginx, conversation, path="/a", scheme="ws", **options):
    websockets = need("websockets")

    async def main():
        async with websockets.connect(f"{scheme}://127.0.0.1:{nginx.port}{path}", max_size=None, **options) as client:
            return await conversation(client)

    return asyncio.run(asyncio.wait_for(main(), 120))


def test_messages_pass(gate, websocket_service):
    nginx = gate(servers(websocket_service.port))
    sent = ["tom", "x" * 100, "z" * 2000, "y" * 300000, b"\x00\xff" * 5000, ""]

    async def conversation(client):
        for message in sent:
            await client.send(message)
            assert await client.recv() == message
        await client.ping()

    talk(nginx, conversation)
    assert websocket_service.messages == sent
    wait_for(lambda: websocket_service.ended == ["complete"], "the end")
    wait_for(lambda: [(head["status"], head["decision"]) for head in gate.state.heads()] == [(101, "pass")], "the record")


def test_compression_isnt_negotiated_where_messages_are_inspected(gate, websocket_service):
    async def conversation(client):
        await client.send("tom")
        assert await client.recv() == "tom"
        return client.response_headers.get("Sec-WebSocket-Extensions", "")

    assert "permessage-deflate" not in talk(gate(servers(websocket_service.port)), conversation)
    assert "permessage-deflate" in talk(gate(servers(websocket_service.port, "guard_websocket off;")), conversation)
    assert websocket_service.extensions[0] == "" and websocket_service.extensions[1] != ""


def test_handshake_is_judged(gate, websocket_service):
    websockets = need("websockets")
    nginx = gate(servers(websocket_service.port))

    async def conversation(client):
        raise AssertionError("it was let in")

    with pytest.raises(websockets.InvalidStatusCode) as caught:
        talk(nginx, conversation, f"/a?{ATTACK_QUERY}")
    assert caught.value.status_code == 403
    assert websocket_service.extensions == []


def test_running_connection_follows_the_policy(gate, websocket_service, make_policy):
    websockets = need("websockets")
    nginx = gate(servers(websocket_service.port), mode="alert")

    async def conversation(client):
        await client.send("one")
        assert await client.recv() == "one"
        wait_for(lambda: [alert["action"] for alert in gate.state.alerts()] == ["alert"], "the alert")
        gate.state.publish(make_policy(generation=2, mode="block"))
        wait_generation(nginx, 2)
        await client.send("two")
        with pytest.raises(websockets.ConnectionClosed):
            await client.recv()

    talk(nginx, conversation, f"/a?{ATTACK_QUERY}")
    wait_for(lambda: websocket_service.ended == ["aborted"], "the service's side to be cut")
    assert websocket_service.messages == ["one"]
    wait_for(lambda: [head["decision"] for head in gate.state.heads()] == ["block"], "the record")


def upgrade(path="/a", protocol="websocket", *lines, method="GET"):
    key = base64.b64encode(os.urandom(16)).decode()
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: a", f"Upgrade: {protocol}", "Connection: Upgrade",
                        "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *lines, "", ""]).encode()


def frame(text, mask=b"\x01\x02\x03\x04"):
    data = text.encode()
    head = struct.pack("!BB", 0x81, 0x80 | len(data)) if len(data) < 126 else struct.pack("!BBH", 0x81, 0xFE, len(data))
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


def test_messages_right_behind_the_handshake(gate, websocket_service):
    nginx = gate(servers(websocket_service.port))
    with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
        sock.sendall(upgrade() + frame("first") + frame("second"))
        wait_for(lambda: websocket_service.messages == ["first", "second"], "the messages")
    wait_for(lambda: [head["bytes"] for head in gate.state.heads()] == [len(frame("first") + frame("second"))],
             "the record to count them")


def test_single_bytes(gate, websocket_service):
    nginx = gate(servers(websocket_service.port))
    with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(upgrade())
        for byte in frame("in single bytes"):
            sock.sendall(bytes([byte]))
        wait_for(lambda: websocket_service.messages == ["in single bytes"], "the message")


def shake_hands_and_read(sock, service):
    """A service that only takes what comes after the handshake."""
    key = service.read_head(sock).lower().partition("sec-websocket-key: ")[2].partition("\r\n")[0]
    assert key
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    while more := service.receive(sock):
        service.bytes += more
    service.ended.append("aborted")


def test_bad_message_in_a_flood_is_found_though_nothing_follows(gate, raw_service):
    """Too many reads to judge each: then the timer does. The worker finds everything when it wakes and reads it by 1 KiB in one go,
    so that no time passes: the eighth read takes the last credit, and the bad message isn't among the 16 KiB that are judged
    without any. It must have reached the service, or this proves nothing."""
    upstream = raw_service(shake_hands_and_read)
    nginx = gate(servers(upstream.port, "proxy_buffer_size 1k;", "proxy_read_timeout 1h;"))
    flood = frame("word" * 120) * 24 + frame(ATTACK)
    assert 10 * 1024 < len(flood) < 16 * 1024
    with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
        sock.settimeout(60)
        sock.sendall(upgrade())
        assert sock.recv(1000).startswith(b"HTTP/1.1 101 ")
        worker, = nginx.workers()
        os.kill(worker, signal.SIGSTOP)
        try:
            wait_for(lambda: stat_of(worker)[1] == "T", "the worker to stand")
            sock.sendall(flood)
        finally:
            os.kill(worker, signal.SIGCONT)
        try:
            assert sock.recv(1000) == b""
        except ConnectionResetError:
            pass
    wait_for(lambda: upstream.ended == ["aborted"], "the service's side to be cut")
    assert bytes(upstream.bytes) == flood
    wait_for(lambda: [head["decision"] for head in gate.state.heads()] == ["block"], "the record")


def test_bad_message_within_credit_reaches_nobody(gate, websocket_service):
    nginx = gate(servers(websocket_service.port), leaks=True)
    for inner in ("say bad", ATTACK):
        with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
            sock.sendall(upgrade() + frame("tom") + frame(inner) if inner == ATTACK else upgrade() + frame(inner))
            sock.settimeout(60)
            got = b""
            try:
                while True:
                    more = sock.recv(65536)
                    if not more:
                        break
                    got += more
            except ConnectionResetError:
                pass
            assert b"root:x" not in got
    assert ATTACK not in websocket_service.messages


def test_tls_on_both_sides(gate, websocket_service, tmp_path):
    """TLS has reading functions of its own."""
    import ssl
    import subprocess
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
    tls = f"ssl_certificate {tmp_path}/cert.pem; ssl_certificate_key {tmp_path}/key.pem;"
    inner = servers(websocket_service.port, "guard off;", tls, listen="listen 127.0.0.1:{port2} ssl;")
    outer = servers("{port2}", tls, listen="listen 127.0.0.1:{port} ssl;").replace("proxy_pass http:", "proxy_pass https:")
    nginx = gate(outer + inner)
    context = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    context.check_hostname = False

    async def conversation(client):
        for message in ("tom", "z" * 100000):
            await client.send(message)
            assert await client.recv() == message

    talk(nginx, conversation, scheme="wss", ssl=context)
    wait_for(lambda: [head["bytes"] > 100000 for head in gate.state.heads()] == [True], "the record to count them")


def test_other_upgrades_are_opaque(gate, raw_service):
    def other(sock, service):
        service.read_head(sock)
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\nhello")
        while True:
            data = sock.recv(1000)
            if not data:
                return
            service.bytes += data
            sock.sendall(data.upper())

    upstream = raw_service(other)
    nginx = gate(servers(upstream.port))
    with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
        sock.sendall(upgrade(protocol="other"))
        got = b""
        while not got.endswith(b"hello"):
            got += sock.recv(1000)
        sock.sendall(b"q=needle'")
        assert sock.recv(1000) == b"Q=NEEDLE'"
    wait_for(lambda: [(head["status"], head["bytes"]) for head in gate.state.heads()] == [(101, 0)], "the record")


def test_refused_upgrade_is_an_ordinary_exchange(gate):
    nginx = gate(servers(gate.echo.port))
    assert nginx.curl("/a", "-H", "Upgrade: websocket", "-H", "Connection: Upgrade").status == 200
    assert nginx.curl(f"/a?{ATTACK_QUERY}", "-H", "Upgrade: websocket", "-H", "Connection: Upgrade").status == 403
    wait_for(lambda: [head["decision"] for head in gate.state.heads()] == ["pass", "block"], "records")


def test_body_isnt_hidden_by_asking_for_an_upgrade(gate):
    nginx = gate(servers(gate.echo.port))
    for options in ([], ["-H", "Transfer-Encoding: chunked"]):
        answer = nginx.curl("/a", "-H", "Upgrade: websocket", "-H", "Connection: Upgrade", "-d", '{"q":"%s"}' % ATTACK,
                            "-H", "Content-Type: application/json", *options)
        assert answer.status == 403
    assert gate.echo.seen == []


def test_connection_survives_a_reload_and_follows_policies_in_the_old_worker(gate, websocket_service, make_policy):
    websockets = need("websockets")
    nginx = gate(servers(websocket_service.port), mode="alert")

    async def conversation(client):
        await client.send("one")
        assert await client.recv() == "one"
        nginx.reload()
        await client.send("two")
        assert await client.recv() == "two"
        gate.state.publish(make_policy(generation=2, mode="block"))
        wait_generation(nginx, 2, workers=2)
        await client.send("three")
        with pytest.raises(websockets.ConnectionClosed):
            await client.recv()

    talk(nginx, conversation, f"/a?{ATTACK_QUERY}")
    assert websocket_service.messages == ["one", "two"]
