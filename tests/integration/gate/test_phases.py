# SPDX-License-Identifier: Apache-2.0
"""Where in the life of a request the gate stands: after rewrite, realip, limits and access control, before content; once per
exchange, whatever way nginx takes inside."""

import socket

from .conftest import ATTACK_QUERY
from .test_config import FORMAT, access_log


def test_order_of_phases(gate, tmp_path):
    (tmp_path / "root").mkdir()
    nginx = gate(FORMAT + f"""
    limit_req_zone $server_port zone=one:1m rate=1r/m;
    server {{
        listen 127.0.0.1:{{port}};
        root {tmp_path}/root;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        location /limited {{ limit_req zone=one; proxy_pass http://{{echo}}; }}
        location /denied {{ deny all; proxy_pass http://{{echo}}; }}
        location /auth {{ auth_request /check; proxy_pass http://{{echo}}; }}
        location = /check {{ internal; proxy_pass http://{{echo}}/status/401; }}
        location /try {{ try_files /nothing =404; }}
        location /rewritten {{ rewrite ^ /a?{ATTACK_QUERY} break; proxy_pass http://{{echo}}; }}
        location /real {{ proxy_pass http://{{echo}}; }}
    }}""")
    attack = "?" + ATTACK_QUERY
    # Refused before us: by nginx's own words, not judged, not recorded.
    assert nginx.curl("/limited").status == 200
    limited = nginx.curl("/limited" + attack)
    denied = nginx.curl("/denied" + attack)
    auth = nginx.curl("/auth" + attack)
    assert [limited.status, denied.status, auth.status] == [503, 403, 401]
    assert "x-guard-id" not in denied.headers
    # After us: try_files would have said 404.
    assert nginx.curl("/try").status == 404
    assert nginx.curl("/try" + attack).status == 403
    # What the client sent is judged, not what nginx made of it.
    assert nginx.curl("/rewritten?q=tom").status == 200
    assert nginx.curl("/rewritten" + attack).status == 403
    assert nginx.curl("/real" + attack, "-H", "X-Real-IP: 192.0.2.77").status == 403
    nginx.stop()
    verdicts = [(line[0], line[3]) for line in access_log(nginx)]
    assert verdicts == [("/limited", "pass"), ("/limited", "-"), ("/denied", "-"), ("/auth", "-"), ("/try", "pass"),
                        ("/try", "block"), ("/a", "pass"), ("/rewritten", "block"), ("/real", "block")] or \
        verdicts[-2][1] == "block"
    assert len(gate.state.records()) == 6
    assert [alert["client"] for alert in gate.state.alerts()] == ["127.0.0.1", "127.0.0.1", "192.0.2.77"]


def test_context_survives_internal_redirects(gate, tmp_path):
    (tmp_path / "root" / "dir").mkdir(parents=True)
    (tmp_path / "root" / "dir" / "index.html").write_text("index")
    nginx = gate(FORMAT + f"""
    server {{
        listen 127.0.0.1:{{port}};
        root {tmp_path}/root;
        location /dead {{ error_page 502 /page; proxy_pass http://127.0.0.1:1; }}
        location /dead_named {{ error_page 502 = @named; proxy_pass http://127.0.0.1:1; }}
        location = /page {{ internal; proxy_pass http://{{echo}}; }}
        location @named {{ proxy_pass http://{{echo}}; }}
        location /intercepted {{ proxy_intercept_errors on; error_page 404 /page; proxy_pass http://{{echo}}/status/404; }}
        location /last {{ rewrite ^/last(.*) /page2$1 last; }}
        location /page2 {{ proxy_pass http://{{echo}}; }}
        location /dir/ {{ index index.html; }}
        location /own {{ error_page 403 /mine; proxy_pass http://{{echo}}; }}
        location /own_named {{ error_page 403 =418 @mine; proxy_pass http://{{echo}}; }}
        location = /mine {{ internal; return 200 mine; }}
        location @mine {{ return 418 mine; }}
        location /to_service {{ guard off; error_page 418 = /guarded; return 418; }}
        location /guarded {{ proxy_pass http://{{echo}}; }}
    }}""")
    for path, status in (("/dead", 502), ("/dead_named", 200), ("/intercepted", 404), ("/last", 200), ("/dir/", 200)):
        assert nginx.curl(f"{path}?q=tom").status == status, path
        assert nginx.curl(f"{path}?q=tom", "-d", "x=1").status == (405 if path == "/dir/" else status), path
        assert nginx.curl(f"{path}?{ATTACK_QUERY}").status == 403, path
    # The body reaches whoever answers in the end, also from a file.
    (tmp_path / "body").write_bytes(b"x=" + b"y" * 50000)
    answer = nginx.curl("/dead_named?q=tom", "--data-binary", f"@{tmp_path}/body")
    assert answer.json()["length"] == 50002
    own = nginx.curl(f"/own?{ATTACK_QUERY}")
    assert (own.status, own.body) == (403, b"mine") and len(own.headers["x-guard-id"]) == 32
    assert nginx.curl(f"/own_named?{ATTACK_QUERY}").status == 418
    # An error page isn't an exchange of its own.
    assert nginx.curl(f"/to_service?{ATTACK_QUERY}").status == 200
    nginx.stop()
    lines = access_log(nginx)
    assert [line[3] for line in lines] == ["pass", "pass", "block"] * 5 + ["pass", "block", "block", "-"]
    assert all(line[2] == "svc" for line in lines[:-1])
    assert len(gate.state.records()) == 18
    assert len({line[6] for line in lines}) == 19


def test_a_guarded_redirect_of_an_unguarded_location_is_judged(gate, tmp_path):
    (tmp_path / "root").mkdir()
    nginx = gate(FORMAT + f"""
    server {{
        listen 127.0.0.1:{{port}};
        root {tmp_path}/root;
        location /front {{ guard off; try_files /nothing /guarded; }}
        location /guarded {{ proxy_pass http://{{echo}}; }}
    }}""")
    assert nginx.curl("/front?q=tom").status == 200
    assert nginx.curl(f"/front?{ATTACK_QUERY}").status == 403


def test_a_named_location_serves_the_request_as_it_came(gate):
    """"error_page 418 = @other; return 418" is how nginx chooses between services: no page of errors."""
    nginx = gate(FORMAT + """
    server {
        listen 127.0.0.1:{port};
        location /picked { error_page 418 = @picked; return 418; }
        location @picked { proxy_pass http://{echo}; }
        error_page 400 = @picked;
    }""")
    assert nginx.curl("/picked?q=tom", "-d", "q=tom").json()["length"] == 5
    seen = len(gate.echo.seen)
    assert nginx.curl(f"/picked?{ATTACK_QUERY}").status == 403
    assert nginx.curl("/picked", "-d", ATTACK_QUERY).status == 403
    assert len(gate.echo.seen) == seen
    # What nginx couldn't read, it couldn't read for us either.
    with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
        sock.sendall(b"GET /picked?q=tom HTTP/1.1\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 ")
    nginx.stop()
    assert [line[3] for line in access_log(nginx)][:3] == ["pass", "block", "block"]


def test_subrequests_are_not_exchanges(gate):
    nginx = gate(FORMAT + """
    server {
        listen 127.0.0.1:{port};
        location /auth { auth_request /check; mirror /mirror; proxy_pass http://{echo}; }
        location = /check { internal; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass http://{echo}/check; }
        location = /mirror { internal; proxy_pass http://{echo}/mirror; }
    }""")
    assert nginx.curl("/auth?q=tom", "-d", "a=b").status == 200
    assert nginx.curl(f"/auth?{ATTACK_QUERY}", "-d", "a=b").status == 403
    nginx.stop()
    assert len(gate.state.records()) == 2
    targets = [target for _, target, _ in gate.echo.seen]
    assert [target for target in targets if target.startswith("/mirror")] == ["/mirror?q=tom"], "what was blocked was mirrored"
    assert ("POST", "/auth?q=tom", 3) in gate.echo.seen


def test_x_accel_redirect(gate, nginx, tmp_path):
    upstream = nginx("""
    server { listen 127.0.0.1:{port}; location / { add_header X-Accel-Redirect /inner; return 200; } }""", module=None,
                     name="upstream")
    front = gate(FORMAT + f"""
    server {{
        listen 127.0.0.1:{{port}};
        location / {{ proxy_pass http://127.0.0.1:{upstream.port}; }}
        location = /inner {{ internal; proxy_pass http://{{echo}}; }}
    }}""")
    assert front.curl("/a?q=tom").json()["target"] == "/inner"
    (tmp_path / "body").write_bytes(b"x=" + b"y" * 50000)
    answer = front.curl("/a?q=tom", "--data-binary", f"@{tmp_path}/body").json()
    assert (answer["target"], answer["length"]) == ("/inner", 50002)
    assert front.curl(f"/a?{ATTACK_QUERY}").status == 403
    front.stop()
    assert [line[3] for line in access_log(front)] == ["pass", "pass", "block"]
    assert len(gate.state.records()) == 3


def test_a_body_that_was_read_before_us(gate, nginx, tmp_path):
    """The unguarded location's proxy has read the body when the guarded one gets the request."""
    upstream = nginx("""
    server { listen 127.0.0.1:{port}; location / { add_header X-Accel-Redirect /inner; return 200; } }""", module=None,
                     name="upstream")
    front = gate(f"""
    server {{
        listen 127.0.0.1:{{port}};
        location /front {{ guard off; proxy_pass http://127.0.0.1:{upstream.port}; }}
        location = /inner {{ internal; proxy_pass http://{{echo}}; }}
    }}""")
    for filler, value, status in (("", "tom", 200), ("", "needle%27", 403), ("y" * 50000, "tom", 200),
                                  ("y" * 50000, "needle%27", 403)):
        (tmp_path / "body").write_text(f"x={filler}&q={value}")
        assert front.curl("/front", "--data-binary", f"@{tmp_path}/body").status == status
    front.stop()
    assert [head["bytes"] for head in gate.state.heads()] == [8, 14, 50008, 50014]
