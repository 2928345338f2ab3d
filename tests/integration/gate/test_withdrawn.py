# SPDX-License-Identifier: Apache-2.0
"""A service that is withdrawn: its gate answers nobody, what is under way ends as it would, and it ends by itself."""

import json
import socket
import subprocess
import time

import pytest
from harness import BIN, wait_for
from operators.conftest import STATUS, status_of

SERVERS = f"""
    server {{ listen 127.0.0.1:{{port}}; {STATUS} location / {{ proxy_pass http://{{echo}}; }}
              location /open/ {{ guard off; proxy_pass http://{{echo}}; }} }}
    server {{ listen 127.0.0.1:{{port2}} http2; location / {{ proxy_pass http://{{echo}}; }} }}"""


def until(seconds):
    return {"until_ms": int((time.time() + seconds) * 1000), "reason": "\"until_ms\":0 }", "by": "me"}


def withdrawn(gate, nginx, seconds=600):
    gate.state.withdraw(until(seconds))
    wait_for(lambda: nginx.curl("/a").status == 503, "it to be withdrawn")


def test_it_answers_503_and_serves_again(gate):
    nginx = gate(SERVERS)
    assert nginx.curl("/a").status == 200
    withdrawn(gate, nginx)
    judged = status_of(nginx)["exchanges"]
    answer = nginx.curl("/a")
    assert answer.headers["retry-after"] == "1" and answer.headers["connection"] == "close"
    assert nginx.curl("/a", "--http2-prior-knowledge", port="port2").status == 503
    assert nginx.curl("/a", "-X", "POST", "-d", "x" * 100000).status == 503
    assert nginx.curl("/open/a").status == 200  # no matter of the gate's
    status = status_of(nginx)
    assert status.service["withdrawn_seconds"] > 500 and status["withdrawn"] >= 4 and status["exchanges"] == judged
    assert f"guard_withdrawn_total{{service=\"svc\"}} {status['withdrawn']}" in nginx.curl("/guard?format=prometheus").body.decode()
    gate.state.withdraw(None)
    wait_for(lambda: nginx.curl("/a").status == 200, "it to serve again")
    assert nginx.log_text().count("withdrawn, it is answered with 503") == 1 and "it is served again" in nginx.log_text()


def test_who_asks_whether_it_is_ready_is_told_and_never_learned(gate):
    nginx = gate(SERVERS.replace("location / {", "location = /.guard/ready { guard_ready; } location / {", 1))
    assert nginx.curl("/.guard/ready").status == 200
    withdrawn(gate, nginx)
    judged = status_of(nginx)
    answer = nginx.curl("/.guard/ready")
    assert answer.status == 503 and answer.body == b"withdrawn\n"
    assert nginx.curl("/.guard/ready", "-X", "POST", "-d", "x").status == 405
    assert nginx.curl("/.guard/ready/").status == 503  # the service's, as everything else
    status = status_of(nginx)
    assert status["exchanges"] == judged["exchanges"] and status["withdrawn"] == judged["withdrawn"] + 1
    gate.state.withdraw(None)
    wait_for(lambda: nginx.curl("/.guard/ready").status == 200, "it to be ready again")
    assert status_of(nginx)["exchanges"] == judged["exchanges"]


def test_it_ends_by_itself_without_a_word_of_anybody(gate):
    nginx = gate(SERVERS)
    seen = []

    def was():
        """Asked for again until one is seen: it may be over before anybody looks."""
        gate.state.withdraw(until(2))
        end = time.monotonic() + 2
        while time.monotonic() < end and 503 not in seen:
            seen.append(nginx.curl("/a").status)
        return 503 in seen
    wait_for(was, "it to be withdrawn")
    wait_for(lambda: nginx.curl("/a").status == 200, "it to serve again")
    assert status_of(nginx).service["withdrawn_seconds"] == 0


def test_it_lasts_over_a_reload(gate):
    nginx = gate(SERVERS)
    withdrawn(gate, nginx)
    nginx.reload()
    assert all(nginx.curl("/a").status == 503 for _ in range(20))


def test_what_is_under_way_ends_and_its_connection_with_it(gate):
    nginx = gate(SERVERS)
    with socket.create_connection(("127.0.0.1", nginx.port), timeout=60) as client:
        client.sendall(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")  # the gate has it, the service not yet
        wait_for(lambda: status_of(nginx), "the gate to look at others, too")
        withdrawn(gate, nginx)
        client.sendall(b"cde")
        answer = client.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        client.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        client.settimeout(60)
        rest = b""
        while piece := client.recv(65536):
            rest += piece
        assert b"HTTP/1.1 503" in rest and b"Connection: close" in rest


@pytest.mark.parametrize("content", [b"", b"{", b'{"until_ms": "soon"}', b'{"until_ms": -1}', b"\0" * 5000])
def test_what_is_no_withdrawal_is_told_and_serves_on(gate, content):
    nginx = gate(SERVERS)
    gate.state.withdraw(content)
    wait_for(lambda: "is no withdrawal" in nginx.log_text(), "the notice")
    assert nginx.curl("/a").status == 200


def test_no_client_can_cause_it(gate):
    nginx = gate(SERVERS)
    for path in ("/a?withdrawn=1", "/guard?withdrawn=1", "/a/../withdrawn/svc.json"):
        nginx.curl(path, "-H", "Retry-After: 1", "-H", "X-Guard-Withdrawn: 1", "-X", "PUT", "-d", json.dumps(until(600)), "--path-as-is")
    assert nginx.curl("/a").status == 200 and not list((gate.state.path / "withdrawn").iterdir())


def test_people_begin_and_end_it_with_guardd_dead(gate):
    nginx = gate(SERVERS)

    def guard(*words):
        return subprocess.run([BIN / "guard", "withdraw", "svc", "--state", gate.state.path, *words], capture_output=True, text=True, check=False)
    assert guard("--for", "10m").returncode == 2  # without a reason
    assert guard("--for", "25h", "--reason", "x").returncode == 2
    done = guard("--for", "10m", "--reason", "misused", "--force")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: nginx.curl("/a").status == 503, "it to be withdrawn")
    audit = [json.loads(line) for line in (gate.state.path / "audit.jsonl").read_text().splitlines()]
    assert audit[-1]["action"] == "withdraw" and audit[-1]["reason"] == "misused", audit
    assert guard("--end").returncode == 0
    wait_for(lambda: nginx.curl("/a").status == 200, "it to serve again")
