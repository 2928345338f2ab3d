# SPDX-License-Identifier: Apache-2.0
"""What deviates in an exchange that goes on for long is told while it goes on, with its findings, and nothing is told twice."""

import os
import signal
import socket
import threading

import pytest

from gate.conftest import ATTACK, ATTACK_QUERY, wait_generation
from harness import wait_for
from waiting import stat_of

from .services import LEAK, need, proto
from .talkers import Messages
from .test_websocket import frame, talk
from .test_websocket import servers as websocket_servers

SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\nConnection: close\r\n\r\n"
LEAKING_EVENT = b"data: " + LEAK.encode() + b"\n\n"


def servers(upstream, *directives):
    return f"""
    server {{
        listen 127.0.0.1:{{port}};
        listen 127.0.0.1:{{port2}} http2;
        {" ".join(directives)}
        location / {{ proxy_pass http://127.0.0.1:{upstream.port}; proxy_http_version 1.1; }}
        location /t.T/ {{ grpc_pass grpc://127.0.0.1:{upstream.port}; }}
    }}"""


def rules(alert):
    return [(finding["part"], finding["rule"]) for finding in alert["findings"]]


def the_alert(gate, count=1):
    """The newest of so many."""
    return wait_for(lambda: (lambda alerts: alerts[-1] if len(alerts) == count else None)(gate.state.alerts()), f"alert {count}")


def step_by_step(steps, *parts):
    """A service that sends a head, and each further part when `steps` says so."""
    def serve(sock, service):
        if service.read_head(sock) is None:
            return
        for part in parts:
            sock.sendall(part)
            service.answering = True
            steps.wait(60)
            steps.clear()
        service.ended.append("complete")
    return serve


class Reader:
    """A client that reads on."""

    def __init__(self, nginx, path="/events"):
        self.sock = socket.create_connection(("127.0.0.1", nginx.port))
        self.sock.settimeout(60)
        self.sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        self.got = b""

    def until(self, text, times=1):
        while self.got.count(text) < times:
            more = self.sock.recv(65536)
            assert more, f"the end came before {text}: {self.got}"
            self.got += more

    def rest(self):
        try:
            while more := self.sock.recv(65536):
                self.got += more
        except ConnectionResetError:
            pass
        self.sock.close()
        return self.got


@pytest.fixture
def steps():
    return threading.Event()


def test_event_stream_is_told_of_while_it_is_open(gate, raw_service, steps):
    upstream = raw_service(step_by_step(steps, SSE + b"data: fine\n\n", LEAKING_EVENT, LEAKING_EVENT, b"data: last\n\n"))
    nginx = gate(servers(upstream), mode="alert", leaks=True)
    reader = Reader(nginx)
    reader.until(b"fine")
    assert gate.state.alerts() == []
    steps.set()
    reader.until(LEAK.encode())
    alert = the_alert(gate)
    assert ("response", "leak") in rules(alert) and alert["action"] == "alert" and alert["status"] == 200
    assert "password-file" in alert["explanation"] and alert["findings_total"] == len(alert["findings"])
    assert upstream.ended == []
    steps.set()
    reader.until(LEAKING_EVENT, 2)
    steps.set()
    reader.until(b"last")
    steps.set()
    reader.rest()
    wait_for(lambda: gate.state.heads(), "the record")
    assert [told["id"] for told in gate.state.alerts()] == [alert["id"]], "told twice"


def test_event_stream_follows_the_policy(gate, raw_service, make_policy, steps):
    """When alert becomes block, what was told is told as what it is now, and the stream ends."""
    upstream = raw_service(step_by_step(steps, SSE + LEAKING_EVENT, b"data: more\n\n", b"data: last\n\n"))
    nginx = gate(servers(upstream), mode="alert", leaks=True)
    reader = Reader(nginx)
    reader.until(LEAK.encode())
    first = the_alert(gate)
    gate.state.publish(make_policy(generation=2, mode="block", leaks=True))
    wait_generation(nginx, 2)
    steps.set()
    assert b"more" not in reader.rest()
    second = the_alert(gate, 2)
    assert (first["action"], second["action"], second["generation"]) == ("alert", "block", 2)
    assert first["id"] == second["id"] and rules(first) == rules(second) != []


def test_stream_that_began_unobserved_follows_the_policy(gate, raw_service, make_policy, steps):
    upstream = raw_service(step_by_step(steps, SSE + LEAKING_EVENT, b"data: more\n\n", b"data: last\n\n"))
    nginx = gate(servers(upstream), mode="observe", leaks=True)
    reader = Reader(nginx)
    reader.until(LEAK.encode())
    gate.state.publish(make_policy(generation=2, mode="alert", leaks=True))
    wait_generation(nginx, 2)
    assert gate.state.alerts() == []
    steps.set()
    reader.until(b"more")
    assert ("response", "leak") in rules(the_alert(gate))
    steps.set()
    reader.until(b"last")
    steps.set()
    reader.rest()


@pytest.mark.parametrize("mode", ["alert", "block"])
def test_flood_of_events_is_judged_though_nothing_follows(gate, raw_service, steps, mode):
    """The worker finds everything at once when it wakes, so that no time passes and there is no credit for the last event."""
    flood = b"".join(b"data: %s\n\n" % (b"word" * 120) for _ in range(24)) + LEAKING_EVENT
    upstream = raw_service(step_by_step(steps, SSE + b"data: fine\n\n", flood, b"data: last\n\n"))
    nginx = gate(servers(upstream, "proxy_buffer_size 1k;", "proxy_read_timeout 1h;"), mode=mode, leaks=True)
    reader = Reader(nginx)
    reader.until(b"fine")
    worker, = nginx.workers()
    wait_for(lambda: upstream.answering, "the first part to be sent")
    upstream.answering = False
    os.kill(worker, signal.SIGSTOP)
    try:
        wait_for(lambda: stat_of(worker)[1] == "T", "the worker to stand")
        steps.set()
        wait_for(lambda: upstream.answering, "the flood to be sent")
    finally:
        os.kill(worker, signal.SIGCONT)
    if mode == "block":
        # It went out before it was judged, and the stream ends behind it.
        assert LEAKING_EVENT in reader.rest() and not reader.got.endswith(b"0\r\n\r\n")
    alert = the_alert(gate)
    assert ("response", "leak") in rules(alert) and alert["action"] == mode
    assert upstream.ended == []
    if mode == "alert":
        steps.set()
        reader.until(b"last")
    steps.set()


def test_long_download_is_told_of_while_it_lasts(gate, raw_service):
    def slow(sock, service):
        if service.read_head(sock) is None:
            return
        head = b'{"q":"' + LEAK.encode() + b'","fill":["'
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n" + head)
        while not service.closing.wait(0.05):  # until the test has seen enough
            sock.sendall(b"x" * 1000)

    nginx = gate(servers(raw_service(slow), "proxy_buffering off;"), mode="alert", leaks=True)
    reader = Reader(nginx, "/download")
    reader.until(b"fill")
    alert = the_alert(gate)
    assert ("response", "leak") in rules(alert) and alert["status"] == 200
    reader.sock.close()


def test_call_is_told_of_while_it_is_open(gate, grpc_service, make_policy):
    grpc = need("grpc")
    nginx = gate(servers(grpc_service), mode="alert", leaks=True)
    with grpc.insecure_channel(f"127.0.0.1:{nginx.ports['port2']}") as channel:
        sender = Messages(proto("one"))
        answers = channel.stream_stream("/t.T/Bidi")(sender, timeout=120)
        assert next(answers) == proto("one")
        assert gate.state.alerts() == []
        sender.send(proto(ATTACK))
        assert next(answers) == proto(ATTACK)
        first = the_alert(gate)
        assert rules(first) == [("request", "character")] and first["findings"][0]["name"] == "1"
        sender.send(proto("say bad"))
        assert next(answers) == proto(LEAK)
        for message in ("two", ATTACK, "three"):
            sender.send(proto(message))
            assert next(answers) == proto(message)
        gate.state.publish(make_policy(generation=2, mode="block", leaks=True))
        wait_generation(nginx, 2)
        sender.send(proto("four"))
        with pytest.raises(grpc.RpcError):
            next(answers)
        sender.close()
    last = wait_for(lambda: [alert for alert in gate.state.alerts() if alert["action"] == "block"], "the block to be told")[-1]
    assert {("request", "character"), ("response", "leak")} <= set(rules(last))
    assert {alert["id"] for alert in gate.state.alerts()} == {first["id"]}
    for alert in gate.state.alerts():
        places = [(finding["part"], finding["rule"], finding["location"], finding["name"]) for finding in alert["findings"]]
        assert len(places) == len(set(places)), "a finding twice"


def test_connection_is_told_of_while_it_is_open(gate, websocket_service):
    """In both directions."""
    nginx = gate(websocket_servers(websocket_service.port), mode="alert", leaks=True)

    async def from_client(client):
        await client.send(ATTACK)
        assert await client.recv() == ATTACK
        alert = the_alert(gate)
        assert rules(alert) == [("request", "character")] and alert["status"] == 101
        for _ in range(3):
            await client.send(ATTACK)
            await client.recv()

    async def from_service(client):
        await client.send("say bad")
        assert await client.recv() == LEAK
        assert ("response", "leak") in rules(the_alert(gate, 2))
        assert websocket_service.ended == ["complete"]

    talk(nginx, from_client)
    wait_for(lambda: len(gate.state.heads()) == 1, "the record")
    talk(nginx, from_service)
    wait_for(lambda: len(gate.state.heads()) == 2, "the record")
    alerts = gate.state.alerts()
    assert len(alerts) == 2 and len({alert["id"] for alert in alerts}) == 2


def test_nothing_is_told_early_in_mode_observe(gate, websocket_service):
    nginx = gate(websocket_servers(websocket_service.port), mode="observe", leaks=True)

    async def conversation(client):
        for message in (ATTACK, "say bad", "tom"):
            await client.send(message)
            await client.recv()

    talk(nginx, conversation, f"/a?{ATTACK_QUERY}")
    wait_for(lambda: [head["decision"] for head in gate.state.heads()] == ["block"], "the record")
    assert gate.state.alerts() == []
