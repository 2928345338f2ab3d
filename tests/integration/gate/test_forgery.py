# SPDX-License-Identifier: Apache-2.0
"""What a client can write chooses neither who it is nor by what it is judged: each request that claims to be another's gets the record
and the verdict that it gets without."""

import pytest

from .conftest import ATTACK_QUERY

SERVERS = """
    log_format told '$guard_service $guard_generation $guard_verdict $guard_action';
    access_log {prefix}/told.log told;
    server {
        listen 127.0.0.1:{port} default_server;
        listen 127.0.0.1:{port2} http2 default_server;
        location / { proxy_pass http://{echo}; }
    }
    server {
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{port2} http2;
        server_name other.example;
        location / { proxy_pass http://{echo}; }
    }"""
CLAIMS = [
    ("X-Forwarded-For", "203.0.113.9"), ("X-Real-IP", "203.0.113.9"), ("X-Client-IP", "203.0.113.9"), ("True-Client-IP", "203.0.113.9"),
    ("CF-Connecting-IP", "203.0.113.9"), ("X-Cluster-Client-IP", "203.0.113.9"), ("Forwarded", 'for=203.0.113.9;by=10.0.0.1;host=admin'),
    ("Authorization", "Basic YWRtaW46YWRtaW4="), ("Authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."),
    ("Cookie", "session=admin; user=root; subject=cn=admin"), ("X-User", "admin"), ("X-Remote-User", "admin"), ("X-SSL-Client-S-DN", "CN=admin"),
    ("X-Request-Id", "00000000000000000000000000000000"), ("X-Guard-Id", "00000000000000000000000000000000"),
    ("X-Guard-Service", "other"), ("X-Guard-Mode", "observe"), ("X-Guard-Revision", "2"), ("X-Guard-Client", "203.0.113.9"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("tracestate", "guard=trusted"), ("baggage", "service=other"),
    ("User-Agent", "kube-probe/1.27"), ("X-Forwarded-Host", "other.example"), ("X-Forwarded-Proto", "https"), ("Via", "1.1 proxy.example"),
    ("Host", "other.example"), ("Host", "127.0.0.1"), ("Host", "svc"),
]
BY = {"h1": ("port", []), "h2": ("port2", ["--http2-prior-knowledge"])}
OF_ITSELF = ("time_ms", "latency_us")


@pytest.mark.parametrize("version", BY)
def test_no_header_chooses_client_service_or_policy(gate, make_policy, version):
    """Another service's policy is there, which blocks nothing: nobody gets under it."""
    port, options = BY[version]
    gate.state.publish(make_policy("other", 7, "observe"), "other")
    nginx = gate(SERVERS)
    for name, value in [("X-Plain", "1"), *CLAIMS]:
        claim = [*options, "-H", f"{name}: {value}"]
        assert nginx.curl("/a?q=tom", *claim, port=port).status == 200, name
        assert nginx.curl(f"/a?{ATTACK_QUERY}", *claim, port=port).status == 403, name
    nginx.stop()
    assert set((nginx.prefix / "told.log").read_text().splitlines()) == {"svc 1 pass pass", "svc 1 block block"}
    heads = [{key: value for key, value in head.items() if key not in OF_ITSELF} for head in gate.state.heads()]
    assert len(heads) == 2 * (1 + len(CLAIMS))
    assert heads[0]["service"] == "svc" and heads[0]["address"] == "7f000000" and heads[0]["unit"] == 2
    for number, (name, value) in enumerate(CLAIMS, 1):
        assert heads[2 * number:2 * number + 2] == heads[:2], (name, value)


def test_absolute_targets_choose_no_service(gate):
    """The authority in the request line, as a proxy is asked."""
    nginx = gate(SERVERS)
    for authority in ("other.example", "svc", "203.0.113.9:80"):
        assert nginx.curl("/a", "--request-target", f"http://{authority}/a?q=tom").status == 200
        assert nginx.curl("/a", "--request-target", f"http://{authority}/a?{ATTACK_QUERY}").status == 403
    nginx.stop()
    assert {(head["service"], head["address"], head["unit"]) for head in gate.state.heads()} == {("svc", "7f000000", 2)}
