# SPDX-License-Identifier: Apache-2.0
"""The gate answers a canary that has a proof, and nobody else: what looks like one is a request like all others."""

import os
import socket
import subprocess
import time

import pytest

from gate import h2client
from harness import BIN, Nginx
from learned import Learned
from ports import free_port
from traffic import Shop

from .canaries import PATH, WINDOW_S, Canary, key_of
from .conftest import STATUS, status_of

SERVERS = f"""
    server {{
        listen 127.0.0.1:{{port}};
        {STATUS}
        guard_revision v7;
        location / {{ proxy_pass http://{{echo}}; }}
        location /api/ {{ proxy_pass http://{{echo}}; }}
        location /open/ {{ guard off; proxy_pass http://{{echo}}; }}
    }}
    server {{ listen 127.0.0.1:{{port2}} http2; location / {{ proxy_pass http://{{echo}}; }} }}"""


A_SECOND = 64  # of one service and worker


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    return Learned(tmp_path_factory.mktemp("learned"), Shop(5, clients=60, service="svc").many(3000))


class Front:
    def __init__(self, gate, learned, mode):
        learned.publish(gate.state, mode, request=mode)
        self.state, self.echo = gate.state, gate.echo
        self.key = key_of(gate.state.policy_file().read_bytes())
        self.nginx = gate(SERVERS, publish=False)
        self.generation = learned.generation

    def ask(self, canary, path=PATH, *options, port="port"):
        return self.nginx.curl(path, *canary.header, *options, port=port)

    def traces(self):
        """What an exchange leaves behind."""
        status = status_of(self.nginx)
        return (status["exchanges"], len(self.state.records()), len(self.state.alerts()), len(self.echo.seen))


@pytest.fixture(params=["block", "alert", "observe"])
def any_front(request, gate, learned):
    return Front(gate, learned, request.param)


@pytest.fixture
def front(gate, learned):
    return Front(gate, learned, "block")


def test_it_is_answered_by_the_gate_and_leaves_no_trace(any_front):
    front = any_front
    before = front.traces()
    canary = Canary(front.key)
    answer = front.ask(canary)
    assert answer.status == 200 and answer.headers["cache-control"] == "no-store"
    assert canary.answered(answer.body) == {"pod": socket.gethostname().lower(), "revision": "v7",
                                            "generation": str(front.generation)}
    for path in ("/api" + PATH, "/any/where" + PATH):
        assert canary.answered(front.ask(canary, path).body)  # again: as often as one likes within its time
    assert front.traces() == before and status_of(front.nginx)["canaries"] == 3


def test_by_http_2_too(front):
    canary = Canary(front.key)
    before = front.traces()
    told, = h2client.fetch_all(front.nginx.ports["port2"], [PATH], 1, [("guard-canary", canary.proof)])
    assert told[0] == 200 and told[2]
    done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", *canary.header, front.nginx.url(PATH, "port2")],
                          capture_output=True, check=True)
    assert canary.answered(done.stdout) and front.traces() == before


def forged(key):
    good = Canary(key)
    yield "no proof", []
    yield "junk", ["-H", "Guard-Canary: 1"]
    yield "empty", ["-H", "Guard-Canary;"]
    yield "another key", Canary(os.urandom(32)).header
    yield "another service", Canary(key, "other").header
    yield "too old", Canary(key, age_s=WINDOW_S + 5).header
    yield "of the future", Canary(key, age_s=-WINDOW_S - 5).header
    yield "changed", ["-H", "Guard-Canary: " + good.proof[:-1] + ("0" if good.proof[-1] != "0" else "1")]
    yield "in capitals", ["-H", "Guard-Canary: " + good.proof.upper()]
    yield "longer", ["-H", "Guard-Canary: " + good.proof + "0"]
    yield "twice", good.header + good.header
    yield "with a body", good.header + ["-X", "GET", "-d", "x"]
    yield "by POST", good.header + ["-X", "POST"]
    yield "by HEAD", good.header + ["-I"]


@pytest.mark.parametrize("what", [name for name, _ in forged(b"k" * 32)])
def test_anything_else_is_a_request_like_all_others(front, what):
    for _ in range(10):
        before, canaries, begun = front.traces(), status_of(front.nginx)["canaries"], time.monotonic()
        options = dict(forged(front.key))[what]
        named = front.nginx.curl(PATH, *options)
        if time.monotonic() - begun < 4:  # one of the future is of now when a machine stood still
            break
    exchanges, records, alerts, seen = (now - then for now, then in zip(front.traces(), before))
    assert (exchanges, records, alerts) == (1, 1, 1), "judged, recorded and told"
    assert named.status == 403 and seen == 0  # as any path that nobody asks for
    assert status_of(front.nginx)["canaries"] == canaries
    # The name of the header is as good as any other one: no oracle.
    other = front.nginx.curl(PATH, *[text.replace("Guard-Canary", "Other-Header") for text in options])
    assert other.status == named.status and set(other.headers) == set(named.headers)


def test_with_a_query_it_is_no_canary(front):
    assert front.ask(Canary(front.key), PATH + "?a=1").status == 403
    assert front.ask(Canary(front.key), PATH + "/").status == 403
    assert front.ask(Canary(front.key), "/.well-known/guard-canar").status == 403
    assert status_of(front.nginx)["canaries"] == 0


def test_where_no_gate_stands_the_service_answers(front):
    canary = Canary(front.key)
    answer = front.ask(canary, "/open" + PATH)
    assert answer.status == 200 and canary.answered(answer.body) is None and len(front.echo.seen) == 1


def test_a_flood_of_one_proof_is_bounded(front):
    """What is beyond the rate is traffic, with all that follows from that."""
    urls = front.state.path.parent / "urls"
    urls.write_text(f'url = "{front.nginx.url(PATH)}"\noutput = "/dev/null"\n' * 600)
    begun = time.monotonic()
    done = subprocess.run(["curl", "-sS", "-w", "%{http_code}\n", *Canary(front.key).header, "-K", str(urls)], capture_output=True,
                          text=True, check=True)
    seconds = int(time.monotonic() - begun) + 2  # that it touched
    answered, refused = (done.stdout.split().count(code) for code in ("200", "403"))
    assert 0 < answered <= A_SECOND * seconds and answered + refused == 600
    status = status_of(front.nginx)
    assert (status["canaries"], status["exchanges"]) == (answered, refused)


def test_without_a_policy_that_was_learned_there_is_none(gate):
    nginx = gate(f"server {{ listen 127.0.0.1:{{port}}; {STATUS} location / {{ proxy_pass http://{{echo}}; }} }}")
    policy = gate.state.policy_file().read_bytes()
    assert policy[64:80] == bytes(16), "made without a model"
    for key in (key_of(policy), bytes(32)):
        canary = Canary(key)
        assert canary.answered(nginx.curl(PATH, *canary.header).body) is None
    status = status_of(nginx)
    assert (status["canaries"], status["exchanges"]) == (0, 2)


# --- guard canary ---

def guard(front, *arguments):
    return subprocess.run([BIN / "guard", "canary", "--state", front.state.path, *arguments], capture_output=True, text=True, timeout=60,
                          check=False)


def test_by_hand(front):
    done = guard(front, front.nginx.url(""))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"gate of {socket.gethostname().lower()}, revision v7, policy of generation {front.generation}\n"
    assert guard(front, "--service", "svc", front.nginx.url("/api/")).returncode == 0
    done = guard(front, "--times", "20", front.nginx.url("/open"))
    assert done.returncode == 1 and "    20  NOT IN PATH: status 200 without a proof" in done.stdout
    assert "20 of 20 without a proof, 0 without an answer" in done.stderr
    done = guard(front, f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1 and done.stdout.startswith("no answer: ")


def test_one_backend_of_several_has_no_gate(front):
    balancer = Nginx(front.state.path.parent / "balancer", f"""
        upstream behind {{ server 127.0.0.1:{front.nginx.port}; server 127.0.0.1:{front.echo.port}; }}
        server {{ listen 127.0.0.1:{{port}}; location / {{ proxy_pass http://behind; }} }}""", module=None).start()
    try:
        done = guard(front, "--times", "10", balancer.url(""))
    finally:
        balancer.stop()
    assert done.returncode == 1 and "     5  gate of " in done.stdout and "     5  NOT IN PATH: status 200" in done.stdout


def test_by_hand_over_tls_that_nobody_verified(front, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", tmp_path / "k",
                    "-out", tmp_path / "c", "-subj", "/CN=somebody", "-days", "1"], check=True, capture_output=True)
    tls = Nginx(tmp_path / "tls", f"""
        server {{ listen 127.0.0.1:{{port}} ssl; ssl_certificate {tmp_path}/c; ssl_certificate_key {tmp_path}/k;
                  location / {{ proxy_pass http://127.0.0.1:{front.nginx.port}; }} }}""", module=None).start()
    try:
        done = guard(front, tls.url("").replace("http://", "https://"))
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        tls.stop()


@pytest.mark.parametrize("wrong, told", [
    (["ftp://a"], "one operand"), (["http://a/%2e"], "one operand"), (["http://a", "http://b"], "one operand"),
    (["--times", "0", "http://a"], "--times"), (["--service", "none", "http://127.0.0.1:1"], "none.policy"),
    (["--service", "../svc", "http://127.0.0.1:1"], "name")])
def test_what_makes_no_sense_is_refused(front, wrong, told):
    done = guard(front, *wrong)
    assert done.returncode != 0 and told in done.stderr, done.stderr
