# SPDX-License-Identifier: Apache-2.0
"""Programs that nobody trains: probes, OPTIONS, ACME challenges. What a client can say of itself exempts nobody."""

import pytest

from gate.conftest import ATTACK_QUERY
from learned import Learned
from traffic import Shop

from .conftest import STATUS, status_of

KUBELET = ["-A", "kube-probe/1.29"]
SERVERS = f"""
    geo $probing {{ default 0; 127.0.0.9 1; }}
    server {{
        listen 127.0.0.1:{{port}};
        {STATUS}
        location / {{ guard_exempt $probing; proxy_pass http://{{echo}}; }}
    }}
    server {{
        listen 127.0.0.1:{{port2}};
        guard_exempt probes;
        location / {{ proxy_pass http://{{echo}}; }}
    }}"""


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    return Learned(tmp_path_factory.mktemp("learned"), Shop(5, clients=60, service="svc").many(3000))


@pytest.fixture
def front(gate, learned):
    def make(servers=SERVERS, **options):
        learned.publish(gate.state, request="block")
        return gate(servers, publish=False, **options)
    make.state = gate.state
    return make


def test_a_probe_by_its_address_is_neither_blocked_nor_learned(front):
    nginx = front()
    forged = nginx.curl("/healthz", *KUBELET)
    assert forged.status == 403, "a header isn't what makes a probe"
    assert len(front.state.records()) == 1
    for _ in range(3):
        assert nginx.curl("/healthz", *KUBELET, "--interface", "127.0.0.9").status == 200
    assert len(front.state.records()) == 1
    status = status_of(nginx)
    assert (status["exchanges"], status["exempt"], status["decided_block"], status["done_block"]) == (4, 3, 4, 1)
    # They are told, though: somebody may sit where the probes come from.
    assert [alert["action"] for alert in front.state.alerts()] == ["block", "alert", "alert", "alert"]


def test_a_listener_of_probes(front):
    nginx = front()
    assert nginx.curl("/healthz", *KUBELET, port="port2").status == 200
    assert nginx.curl("/healthz", *KUBELET).status == 403


def test_configured_criteria_hold_for_probes(gate):
    nginx = gate(SERVERS)
    assert nginx.curl(f"/healthz?{ATTACK_QUERY}", "--interface", "127.0.0.9").status == 403
    assert status_of(nginx)["exempt"] == 1
    assert nginx.curl("/healthz", "--interface", "127.0.0.9").status == 200
    assert gate.state.records() == []


@pytest.mark.parametrize("value,exempt", [("''", 0), ("0", 0), ("1", 1), ("yes", 1), ("00", 1), ("$arg_a$arg_b", 0)])
def test_values(front, value, exempt):
    nginx = front(f"server {{ listen 127.0.0.1:{{port}}; {STATUS} location / {{ guard_exempt {value}; "
                  "proxy_pass http://{echo}; } }")
    assert nginx.curl("/never").status == (200 if exempt else 403)
    assert status_of(nginx)["exempt"] == exempt


def test_preflights_pass_as_what_they_ask_for(front, learned):
    """To whatever clients send, from anywhere and for anything; but a value that no method lets pass is one here, too."""
    nginx = front()
    preflight = ["-X", "OPTIONS", "-H", "Origin: https://x.example", "-H", "Access-Control-Request-Method: PATCH",
                 "-H", "Access-Control-Request-Headers: x-a'b, content-type"]
    seen = {}
    for exchange in Shop(5, clients=60, service="svc").many(300):  # the first that were learned
        target = exchange["request"]["target"]
        seen.setdefault((exchange["request"]["method"], target.partition("?")[0].split("/")[1]), target)
    assert len(seen) >= 4
    for target in seen.values():
        assert nginx.curl(target, *preflight).status == 200, target
    alerts = [alert for alert in front.state.alerts() if alert["method"] == "OPTIONS"]
    assert alerts == []
    assert nginx.curl("/users?username=tom%27%20or%201%3D1").status == 403
    assert nginx.curl("/users?username=tom%27%20or%201%3D1", *preflight).status == 403


@pytest.mark.parametrize("path,options", [
    ("/users?username=tom", ["-X", "OPTIONS", "-H", "Access-Control-Request-Method: DELETE", "-H", "Origin: https://x.example"]),
    ("/", ["-X", "OPTIONS"]),
    ("/.well-known/acme-challenge/Zm9v-YmFyLWJheg_x1", []),
])
def test_never_blocked_by_learned_rules(front, path, options):
    nginx = front()
    answer = nginx.curl(path, *options, "-A", "Mozilla/5.0 (compatible; Let's Encrypt validation server)")
    assert answer.status == 200
    assert nginx.curl(path, *options, "-H", "X-Odd: (select 1)").status == 200
    assert nginx.curl("/.well-known/other/1").status == 403
    assert status_of(nginx)["done_block"] == 1
