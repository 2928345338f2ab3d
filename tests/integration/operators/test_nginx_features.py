# SPDX-License-Identifier: Apache-2.0
"""What nginx's own modules do goes on beside the gate, and every exchange is judged and recorded once."""

import json
import subprocess

from gate.conftest import ATTACK_QUERY, make_policy  # noqa: F401 - a fixture
from gate.test_config import FORMAT, access_log
from harness import free_port, wait_for

from .conftest import STATUS, status_of

ATTACK = "?" + ATTACK_QUERY


def test_limits_count_what_they_let_in(gate):
    nginx = gate(FORMAT + f"""
    limit_req_zone $binary_remote_addr zone=rate:1m rate=1r/m;
    limit_conn_zone $server_name zone=number:1m;
    server {{
        listen 127.0.0.1:{{port}};
        {STATUS}
        limit_req_status 429;
        location /rate {{ limit_req zone=rate burst=1 nodelay; proxy_pass http://{{echo}}; }}
        location /number {{ limit_conn number 1; proxy_pass http://{{echo}}; }}
    }}""")
    # A block costs its client one of the requests it may make.
    assert [nginx.curl(f"/rate{attack}").status for attack in (ATTACK, "", "", ATTACK)] == [403, 200, 429, 429]
    assert [nginx.curl("/number").status, nginx.curl(f"/number{ATTACK}").status] == [200, 403]
    assert status_of(nginx)["exchanges"] == 4 == len(gate.state.records())


def test_auth_request_names_the_client(gate, nginx):
    """Its variable is the unit of evidence; what a client says of itself isn't."""
    identity = nginx("""
    map $http_authorization $user { "Bearer one" one; "Bearer two" two; }
    server { listen 127.0.0.1:{port}; location / { if ($user = "") { return 401; } add_header X-User $user; return 204; } }""",
                     module=None, name="identity")
    front = gate(FORMAT + f"""
    server {{
        listen 127.0.0.1:{{port}};
        location / {{
            auth_request /check;
            auth_request_set $user $upstream_http_x_user;
            guard_subject $user;
            proxy_pass http://{{echo}};
        }}
        location = /check {{ internal; proxy_pass http://127.0.0.1:{identity.port}; proxy_pass_request_body off;
                             proxy_set_header Content-Length ""; }}
    }}""")
    assert front.curl("/a?q=tom").status == 401
    for name in ("one", "two", "one"):
        assert front.curl("/a?q=tom", "-H", f"Authorization: Bearer {name}", "-H", "X-User: three", "-d", "a=b").status == 200
    assert front.curl(f"/a{ATTACK}", "-H", "Authorization: Bearer one").status == 403
    heads = gate.state.heads()
    assert [head["unit"] for head in heads] == [3] * 4  # GUARD_UNIT_SUBJECT
    front.stop()
    assert [line[3] for line in access_log(front)] == ["-", "pass", "pass", "pass", "block"]


def test_subject_from_a_client_certificate(gate, tmp_path):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.crt")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=robot", "-keyout", "robot.key", "-out", "robot.csr")
    openssl("x509", "-req", "-in", "robot.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out",
            "robot.crt")
    nginx = gate(f"""
    server {{
        listen 127.0.0.1:{{port}} ssl http2;
        ssl_certificate {tmp_path}/ca.crt;
        ssl_certificate_key {tmp_path}/ca.key;
        ssl_client_certificate {tmp_path}/ca.crt;
        ssl_verify_client optional;
        guard_subject $ssl_client_s_dn;
        location / {{ proxy_pass http://{{echo}}; }}
    }}""")
    url = f"https://127.0.0.1:{nginx.port}/a?q=tom"
    for options in ([], ["--cert", f"{tmp_path}/robot.crt", "--key", f"{tmp_path}/robot.key"]):
        for version in ("--http1.1", "--http2"):
            done = subprocess.run(["curl", "-sk", version, *options, url], capture_output=True, check=True)
            assert json.loads(done.stdout)["target"] == "/a?q=tom"
    wait_for(lambda: len(gate.state.records()) == 4, "the records")
    assert [head["unit"] for head in gate.state.heads()] == [2, 2, 3, 3]


def test_realip_decides_who_the_client_is(gate):
    nginx = gate("""
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Forwarded-For;
    real_ip_recursive on;
    server { listen 127.0.0.1:{port}; location / { proxy_pass http://{echo}; } }
    server { listen 127.0.0.1:{port2}; set_real_ip_from 10.0.0.0/8; location / { proxy_pass http://{echo}; } }""")
    nginx.curl("/a", "-H", "X-Forwarded-For: 203.0.113.5, 192.0.2.9")
    nginx.curl("/a", "-H", "X-Forwarded-For: 2001:db8:1:2:3:4:5:6")
    nginx.curl("/a", "-H", "X-Forwarded-For: 192.0.2.9", port="port2")
    addresses = [head["address"] for head in gate.state.heads()]
    assert addresses[0].startswith("c00002") and addresses[1].startswith("20010db8000100") and addresses[2].startswith("7f0000")


def test_satisfy_any(gate, tmp_path):
    (tmp_path / "users").write_text("tom:{PLAIN}secret\n")
    nginx = gate(f"""
    server {{
        listen 127.0.0.1:{{port}};
        {STATUS}
        location / {{
            satisfy any;
            allow 127.0.0.9;
            deny all;
            auth_basic closed;
            auth_basic_user_file {tmp_path}/users;
            guard_subject $remote_user;
            proxy_pass http://{{echo}};
        }}
    }}""")
    assert nginx.curl(f"/a{ATTACK}").status == 401  # not let in, not inspected
    assert nginx.curl("/a?q=x", "--interface", "127.0.0.9").status == 200
    assert nginx.curl("/a?q=x", "-u", "tom:secret").status == 200
    assert nginx.curl(f"/a{ATTACK}", "-u", "tom:secret").status == 403
    assert status_of(nginx)["exchanges"] == 3
    # The name of a user who wasn't asked for a password isn't verified.
    assert [head["unit"] for head in gate.state.heads()] == [2, 3, 3]


def test_error_pages(gate):
    nginx = gate(FORMAT + f"""
    server {{
        listen 127.0.0.1:{{port}};
        {STATUS}
        location /internal/ {{ error_page 403 /pages/denied; proxy_pass http://{{echo}}; }}
        location /proxied/ {{ error_page 403 @pages; proxy_pass http://{{echo}}; }}
        location /other/ {{ error_page 403 =200 /pages/denied; proxy_pass http://{{echo}}; }}
        location /elsewhere/ {{ error_page 403 https://other.example/; proxy_pass http://{{echo}}; }}
        location /theirs/ {{ error_page 403 /pages/denied; proxy_intercept_errors on; proxy_pass http://{{echo}}/status/403/; }}
        location /pages/ {{ internal; proxy_pass http://{{echo}}; }}
        location @pages {{ proxy_pass http://{{echo}}; proxy_method GET; }}
    }}""")
    for path, status, target in (("/internal/", 403, "/pages/denied"), ("/proxied/", 403, "/proxied/a"),
                                 ("/other/", 200, "/pages/denied")):
        answer = nginx.curl(f"{path}a{ATTACK}", "-d", "x=1")
        assert (answer.status, answer.json()["target"].split("?")[0]) == (status, target)
        assert len(answer.headers["x-guard-id"]) == 32
    moved = nginx.curl(f"/elsewhere/a{ATTACK}")
    assert (moved.status, moved.headers["location"]) == (302, "https://other.example/")
    theirs = nginx.curl("/theirs/a?q=tom")
    assert theirs.status == 403 and "x-guard-id" not in theirs.headers
    status = status_of(nginx)
    assert (status["exchanges"], status["done_block"]) == (5, 4) and len(gate.state.records()) == 5


def test_internal_ways(gate, tmp_path):
    """try_files, index, rewrite, map and return: one exchange each, of the service that serves it in the end."""
    root = tmp_path / "root"
    (root / "dir").mkdir(parents=True)
    (root / "dir" / "index.html").write_text("index")
    (root / "file.txt").write_text("file")
    nginx = gate(FORMAT + f"""
    map $arg_way $way {{ default /back; b /file.txt; }}
    server {{
        listen 127.0.0.1:{{port}};
        {STATUS}
        root {root};
        location / {{ try_files $uri $uri/ @back; }}
        location @back {{ proxy_pass http://{{echo}}; }}
        location /mapped {{ rewrite ^ $way last; }}
        location /back {{ proxy_pass http://{{echo}}; }}
        location /said {{ return 200 said; }}
    }}""")
    for path, body in (("/file.txt?q=tom", b"file"), ("/dir/?q=tom", b"index"), ("/mapped?way=b&q=tom", b"file")):
        assert nginx.curl(path).body == body
        assert nginx.curl(path.replace("q=tom", ATTACK_QUERY)).status == 403
    assert nginx.curl("/nowhere?q=tom").json()["target"] == "/nowhere?q=tom"
    assert nginx.curl("/mapped?q=tom").json()["target"] == "/back?q=tom"
    assert nginx.curl("/said" + ATTACK).body == b"said"  # nobody is asked, nothing is inspected
    assert status_of(nginx)["exchanges"] == 8 == len(gate.state.records())
    nginx.stop()
    assert [line[3] for line in access_log(nginx) if line[0] != "/guard"] == ["pass", "block"] * 3 + ["pass", "pass", "-"]


def test_several_services_and_servers(gate, make_policy):  # noqa: F811
    gate.state.publish(make_policy("second", mode="alert"), "second")
    nginx = gate(FORMAT + f"""
    server {{ listen 127.0.0.1:{{port}}; server_name first.example; {STATUS} location / {{ proxy_pass http://{{echo}}; }} }}
    server {{
        listen 127.0.0.1:{{port}};
        server_name second.example;
        guard second;
        location / {{ proxy_pass http://{{echo}}; }}
        location /first {{ guard svc; proxy_pass http://{{echo}}; }}
        location /none {{ guard off; proxy_pass http://{{echo}}; }}
    }}""")
    second = ["-H", "Host: second.example"]
    answers = [nginx.curl(f"/a{ATTACK}").status, nginx.curl(f"/a{ATTACK}", *second).status,
               nginx.curl(f"/first{ATTACK}", *second).status, nginx.curl(f"/none{ATTACK}", *second).status]
    assert answers == [403, 200, 403, 200]
    assert (status_of(nginx)["exchanges"], status_of(nginx, "second")["exchanges"]) == (2, 1)
    assert sorted(head["service"] for head in gate.state.heads()) == ["second", "svc", "svc"]
    nginx.stop()
    assert [line[2] for line in access_log(nginx) if line[0] != "/guard"] == ["svc", "second", "svc", "-"]


def test_another_upstream_is_tried_once_recorded(gate):
    dead = free_port()
    nginx = gate(FORMAT + f"""
    upstream back {{ server 127.0.0.1:{dead} max_fails=0; server {{echo}} backup; }}
    server {{
        listen 127.0.0.1:{{port}};
        {STATUS}
        location / {{ proxy_pass http://back; proxy_next_upstream error http_500 non_idempotent; }}
    }}""")
    for _ in range(4):
        assert nginx.curl("/a?q=tom", "-d", "x=1").json()["length"] == 3
    assert status_of(nginx)["exchanges"] == 4 == len(gate.state.records())
    assert all(head["latency_us"] < 60_000_000 and head["status"] == 200 for head in gate.state.heads())


def test_subrequests_are_part_of_their_request(gate):
    nginx = gate(f"""
    server {{
        listen 127.0.0.1:{{port}};
        {STATUS}
        location / {{ add_before_body /head; add_after_body /foot; addition_types *; mirror /copy; proxy_pass http://{{echo}}; }}
        location /ssi {{ ssi on; ssi_types *; return 200 '<!--#include virtual="/foot?{ATTACK_QUERY}" -->'; }}
        location ~ ^/(head|foot|copy) {{ proxy_pass http://{{echo}}; }}
    }}""")
    answer = nginx.curl("/a?q=tom")
    assert answer.status == 200 and answer.body.count(b'"method"') == 3
    assert nginx.curl(f"/a{ATTACK}").status == 403
    assert nginx.curl("/ssi").body.count(b'"method"') == 1
    assert status_of(nginx)["exchanges"] == 2 == len(gate.state.records())
    assert [target for _, target, _ in gate.echo.seen if target.startswith("/copy")] == ["/copy?q=tom"]


def test_http2_exchanges_are_each_their_own(gate):
    nginx = gate(FORMAT + f"""
    server {{ listen 127.0.0.1:{{port}}; {STATUS} }}
    server {{ listen 127.0.0.1:{{port2}} http2; location / {{ proxy_pass http://{{echo}}; }} }}""")
    urls = [nginx.url(f"/a?n={i}&" + (ATTACK_QUERY if i % 3 == 0 else "q=tom"), "port2") for i in range(30)]
    done = subprocess.run(["nghttp", "-nv", *urls], capture_output=True, text=True, timeout=120, check=True)
    assert [done.stdout.count(f":status: {status}") for status in (200, 403)] == [20, 10]
    assert status_of(nginx)["exchanges"] == 30 == len(gate.state.records())


def test_a_thousand_blocks_are_no_news(gate):
    """The error log tells changes of state; what was blocked is in the access log and the alerts."""
    nginx = gate(FORMAT + f"server {{ listen 127.0.0.1:{{port}}; {STATUS} location / {{ proxy_pass http://{{echo}}; }} }}")
    nginx.curl("/a?q=tom")
    before = nginx.log_text()
    load = subprocess.run(["h2load", "--h1", "-n", "1000", "-c", "10", nginx.url(f"/a{ATTACK}")], capture_output=True, text=True,
                          timeout=120, check=True)
    assert "1000 4xx" in load.stdout
    status = status_of(nginx)
    assert status["done_block"] == 1000 and status["alerts"] + status["alerts_suppressed"] == 1000
    assert nginx.log_text() == before
