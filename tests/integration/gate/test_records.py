# SPDX-License-Identifier: Apache-2.0
"""What a record says of the exchange around it: client, time, status, latency, size."""

import time

from .conftest import ATTACK_QUERY

ANONYMOUS, SLICE, PREFIX, SUBJECT = range(4)


def test_clients(gate):
    nginx = gate("""
    map $http_x_user $user { default ""; tom cn=tom; }
    server {
        listen 127.0.0.1:{port};
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        location / { proxy_pass http://{echo}; }
        location /slice { guard_client slice; proxy_pass http://{echo}; }
        location /subject { guard_subject $user; proxy_pass http://{echo};
            location /subject/inner { proxy_pass http://{echo}; } }
    }
    server { listen unix:{prefix}/socket; location / { proxy_pass http://{echo}; } }""")
    nginx.curl("/a", "-H", "X-Real-IP: 192.0.2.77")
    nginx.curl("/a", "-H", "X-Real-IP: 2001:db8:1:2ff:3:4:5:6")
    nginx.curl("/a", "-H", "X-Real-IP: ::ffff:198.51.100.9")
    nginx.curl("/a", "-H", "X-Forwarded-For: 203.0.113.1")
    nginx.curl("/slice", "-H", "X-Real-IP: 192.0.2.77")
    nginx.curl("/subject", "-H", "X-User: tom")
    nginx.curl("/subject/inner", "-H", "X-User: tom")
    nginx.curl("/subject", "-H", "X-User: other")
    nginx.curl("/a", "--unix-socket", f"{nginx.prefix}/socket")
    nginx.stop()
    heads = gate.state.heads()
    assert [head["unit"] for head in heads] == [PREFIX] * 4 + [SLICE, SUBJECT, SUBJECT, PREFIX, ANONYMOUS]
    assert heads[0]["address"] == "c0000200"
    assert heads[1]["address"].startswith("20010db8000102") and heads[1]["address"].endswith("0" * 16)
    assert heads[2]["address"] == "c6336400"
    assert heads[3]["address"] == "7f000000", "a header that nobody vouches for was believed"
    assert b"cn=tom" not in b"".join(gate.state.records())


def test_times_sizes_and_status(gate):
    nginx = gate()
    before = time.time() * 1000
    nginx.curl("/status/404")
    nginx.curl("/a", "-X", "PUT", "-d", "x" * 1234)
    nginx.curl(f"/a?{ATTACK_QUERY}")
    after = time.time() * 1000
    nginx.stop()
    heads = gate.state.heads()
    assert [head["status"] for head in heads] == [404, 200, 403]
    assert [head["method"] for head in heads] == ["GET", "PUT", "GET"]
    assert [head["decision"] for head in heads][2] == "block"
    assert heads[1]["bytes"] == 1234
    for head in heads:
        assert head["service"] == "svc"
        assert before - 1000 <= head["time_ms"] <= after + 1000
    assert all(head["latency_us"] < 60_000_000 for head in heads[:2])
    assert heads[2]["latency_us"] == 0xffffffff  # the service wasn't asked


def test_latency_is_that_of_the_exchange(gate, nginx):
    slow = nginx("""
    server { listen 127.0.0.1:{port}; location / { limit_rate 1000; return 200 '""" + "x" * 1500 + """'; } }""",
                 module=None, name="slow")
    front = gate(f"server {{ listen 127.0.0.1:{{port}}; location / {{ proxy_pass http://127.0.0.1:{slow.port}; }} }}")
    assert front.curl("/a").status == 200
    front.stop()
    head, = gate.state.heads()
    assert 400_000 < head["latency_us"] < 60_000_000
