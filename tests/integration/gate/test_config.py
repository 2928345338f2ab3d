# SPDX-License-Identifier: Apache-2.0
"""Directives: what is refused and how it is said, and what is inherited."""

import pytest

from harness import Nginx

from .conftest import ATTACK_QUERY, GUARDED

FORMAT = """
    log_format guard '$uri|$status|$guard_service|$guard_verdict|$guard_action|$guard_generation|$guard_id|$guard_score|$guard_reason';
    access_log {prefix}/access.log guard;
"""


def access_log(nginx):
    """The lines of the access log as lists; nginx must have ended."""
    return [line.split("|", 8) for line in (nginx.prefix / "access.log").read_text().splitlines()]


@pytest.mark.parametrize("http,said", [
    ("guard svc;", '"guard" needs "guard_state"'),
    ("guard_state {state}; guard ../etc;", '"guard ../etc"'),
    ("guard_state {state}; guard .hidden;", '"guard .hidden"'),
    ("guard_state {state}; guard $host;", '"guard $host"'),
    ("guard_state {state}; guard 'a b';", '"guard a b"'),
    (f"guard_state {{state}}; guard {'x' * 65};", f'"guard {"x" * 65}"'),
    ("guard_state {state}; guard a; guard b;", '"guard" is duplicate'),
    ("guard_state {state}; guard_state {state};", '"guard_state" is duplicate'),
    ("guard_state '';", '"guard_state"'),
    ("guard_state /proc/nothing; guard svc;", '"guard_state": /proc/nothing'),
    ("guard_policy_key {state}/none;", '"guard_policy_key": '),
    ("guard_policy_key {state}/short;", '"guard_policy_key": '),
    ("guard_policy_key {state}/nothex;", '"guard_policy_key": '),
    ("guard_ring_size 100k;", '"guard_ring_size"'),
    ("guard_ring_size 32k;", '"guard_ring_size"'),
    ("guard_ring_size 128m;", '"guard_ring_size"'),
    ("guard_ring_size many;", '"guard_ring_size"'),
    ("guard_body_limit 0;", '"guard_body_limit"'),
    ("guard_body_limit -1;", '"guard_body_limit"'),
    ("guard_failure maybe;", 'invalid value "maybe"'),
    ("guard_client all;", 'invalid value "all"'),
    ("guard_revision $http_x_revision;", "no variables"),
    ("guard_revision 'a b';", "letters, digits"),
    (f"guard_revision {'x' * 65};", "1 to 64"),
    ("guard_revision file:{state}/none;", '"guard_revision file:'),
    ("guard_revision file:{state}/nothing;", "1 to 64"),
    ("guard_revision env:GUARD_TEST_NOT_SET;", "no such variable"),
    ("guard_revision v1; guard_revision v2;", "is duplicate"),
    ("server { guard_state {state}; }", '"guard_state" directive is not allowed here'),
    ("server { location / { guard_policy_key {state}/keys/policy.pub; } }", '"guard_policy_key" directive is not allowed'),
    ("server { location / { guard_ring_size 1m; } }", '"guard_ring_size" directive is not allowed'),
    ("server { location / { if ($arg_a) { guard off; } } }", '"guard" directive is not allowed here'),
])
def test_refused(tmp_path, state, http, said):
    (state.path / "short").write_bytes(b"ab" * 20)
    (state.path / "nothex").write_bytes(b"xy" * 32)
    (state.path / "nothing").write_bytes(b"\n")
    status, output = Nginx(tmp_path / "nginx", http.replace("{state}", str(state.path))).test()
    assert status != 0
    assert said in output, output
    assert "nginx.conf:" in output, "the place is missing"


@pytest.mark.parametrize("key", [b"0123456789abcdef" * 4, b"0123456789ABCDEF" * 4 + b"\n", bytes(range(32)), b"\n" * 32])
def test_forms_of_the_key(tmp_path, state, key):
    state.key.write_bytes(key)
    status, output = Nginx(tmp_path / "nginx", GUARDED.replace("{state}", str(state.path))).test()
    assert status == 0, output


def test_without_key_nothing_is_enforced(gate):
    nginx = gate(http="guard_state {state}; guard svc;")
    assert '"guard_policy_key" is missing' in (nginx.prefix / "stdout.log").read_text()
    assert nginx.curl(f"/a?{ATTACK_QUERY}").status == 200


def test_inheritance(gate, make_policy):
    gate.state.publish(make_policy("other", generation=7), "other")
    nginx = gate(FORMAT + """
    server {
        listen 127.0.0.1:{port};
        proxy_pass_request_body on;
        location / { proxy_pass http://{echo}; }
        location /off/ { guard off; proxy_pass http://{echo}; }
        location /off/on/ { guard svc; proxy_pass http://{echo}; }
        location /other/ { guard other; proxy_pass http://{echo};
            location /other/inner/ { proxy_pass http://{echo}; }
            location /other/off/ { guard off; proxy_pass http://{echo}; } }
    }
    server { listen 127.0.0.1:{port2}; guard off; location / { proxy_pass http://{echo}; } }
    """)
    wanted = {"/a": "svc", "/off/a": "-", "/off/on/a": "svc", "/other/a": "other", "/other/inner/a": "other",
              "/other/off/a": "-"}
    for path, service in wanted.items():
        assert nginx.curl(path).status == 200
        assert nginx.curl(f"{path}?{ATTACK_QUERY}").status == (200 if service == "-" else 403)
    assert nginx.curl(f"/a?{ATTACK_QUERY}", port="port2").status == 200
    nginx.stop()
    lines = access_log(nginx)
    assert [line[2] for line in lines] == [s for service in wanted.values() for s in (service, service)] + ["-"]
    assert len(gate.state.records()) == 8


def test_variables(gate):
    nginx = gate(FORMAT + """
    server {
        listen 127.0.0.1:{port};
        location / { proxy_set_header X-Id $guard_id; proxy_pass http://{echo}; }
        location /off { guard off; return 200; }
        location /return { return 200; }
    }""")
    passed = nginx.curl("/a?q=tom")
    blocked = nginx.curl(f"/a?{ATTACK_QUERY}")
    nginx.curl("/off")
    nginx.curl("/return")
    nginx.stop()
    first, second, off, returned = access_log(nginx)
    assert first[1:6] == ["200", "svc", "pass", "pass", "1"]
    assert ["X-Id", first[6]] in passed.json()["headers"]
    assert first[8] == "-"
    assert second[1:6] == ["403", "svc", "block", "block", "1"]
    assert second[6] == blocked.headers["x-guard-id"] and second[6] != first[6]
    assert float(second[7]) > float(first[7])
    assert second[8].startswith("BLOCK ")
    assert off[2:] == ["-"] * 7 and returned[2:] == ["-"] * 7


def test_body_limit(gate):
    """What lies beyond the limit isn't inspected, and served."""
    nginx = gate("""
    server {
        listen 127.0.0.1:{port};
        location / { guard_body_limit 1k; proxy_pass http://{echo}; }
        location /wide { proxy_pass http://{echo}; }
    }""", mode="block")
    text = "x=" + "y" * 2000 + "&q=needle%27"
    assert nginx.curl("/wide", "-d", text).status == 403
    assert nginx.curl("/a", "-d", text).status == 200
    assert nginx.curl("/a", "-d", "q=needle%27").status == 403


def test_guard_off_everywhere_adds_nothing(gate):
    nginx = gate("server { listen 127.0.0.1:{port}; location / { proxy_pass http://{echo}; } }", http="guard off;")
    assert nginx.curl(f"/a?{ATTACK_QUERY}").status == 200
    assert gate.state.rings() == []


def test_workers_that_are_not_root(gate, tmp_path):
    import os
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for path in [tmp_path, *tmp_path.parents]:
        if str(path).startswith("/tmp/") and path.stat().st_uid == 0:
            path.chmod(path.stat().st_mode | 0o755)
    nginx = gate(main="user nobody nogroup;")
    assert nginx.curl(f"/a?{ATTACK_QUERY}").status == 403
    nginx.stop()
    assert len(gate.state.records()) == 1
