# SPDX-License-Identifier: Apache-2.0
"""Who may do what by guardd's API: real nginx with the shipped configuration, real certificates, curl by HTTP/2."""

import grp
import json
import os
import pathlib
import pwd
import re
import stat
import subprocess
import sys
import tempfile
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from fronted import Certificates, Front, ask_raw, parse, raw  # noqa: E402
from talking import Api, wait_for  # noqa: E402
from test_guardd import BIN, GATE, Guardd, drive, gate, guard  # noqa: E402, F401
from traffic import Shop  # noqa: E402

SECRET = re.compile(r"guard_[0-9a-f]{16}_[A-Za-z0-9_-]{43}\n")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.issue("bob", "/O=shop/CN=bob")
    made.issue("eve", "/O=shop/CN=eve")
    made.authority("other")
    made.issue("forged", "/O=shop/CN=bob", "other")
    return made


@pytest.fixture
def guardd(tmp_path):
    state = tmp_path / "state"
    (state / "guardians").mkdir(parents=True)
    for name in ("shop", "other"):
        (state / f"guardians/{name}.yaml").write_text(f"apiVersion: guard/v1alpha1\nkind: Guardian\nservice: {name}\n")
    daemon = Guardd(state, options=["--api-front", "on"]).start()
    yield daemon
    daemon.stop()


@pytest.fixture
def api(guardd):
    api = Api(guardd.state).ready()
    wait_for(lambda: api.get("/services")["total"] == 2, "both services")
    return api


def token(state, name, role, *options):
    text = guard(state, "token", "add", name, "--role", role, *options)
    assert SECRET.fullmatch(text), text
    return text.strip()


@pytest.fixture
def front(guardd, api, nginx, certificates):
    made = Front(nginx, guardd.state, certificates, token(guardd.state, "nginx", "front"))
    yield made
    made.close()


def problem(api, answer, status, field=None):
    assert answer.status == status, (answer.status, answer.headers, answer.body, answer.failure)
    return api.problem(answer, status, field)


BEGIN_MS = int(time.time() * 1000) - 3600000  # guardd drops lines that are too old


def alert(id, service, time_ms=BEGIN_MS):
    return json.dumps({"time_ms": time_ms, "generation": 1, "status": 403, "score": 1.5, "id": id * 32, "service": service,
                       "verdict": "block", "action": "block", "method": "GET", "template": "/", "client": "127.0.1.0/24",
                       "explanation": "x", "findings": [], "suppressed": 0, "count": 1, "first_ms": time_ms, "last_ms": time_ms},
                      separators=(",", ":")) + "\n"


def test_roles_may_do_what_they_may(guardd, api, front):
    state = guardd.state
    viewer, operator = token(state, "v", "viewer"), token(state, "o", "operator")
    admin, reporter = token(state, "a", "admin"), token(state, "r", "reporter", "--service", "*")
    nobody = front.ask("/services")
    problem(api, nobody, 401, "Authorization")
    assert nobody.headers["www-authenticate"] == 'Bearer realm="guardd"'
    wrong = front.ask("/services", token=viewer[:-1] + ("A" if viewer[-1] != "A" else "B"))
    problem(api, wrong, 401, "Authorization")
    assert wrong.headers["www-authenticate"] == 'Bearer realm="guardd", error="invalid_token"'
    for path in ("/nothing", "/health/live", "/metrics", "/openapi.yaml"):
        problem(api, front.ask(path), 401, "Authorization")
    everybody = {"v": viewer, "o": operator, "a": admin, "r": reporter}
    mode, guardian = {"mode": "block"}, {"apiVersion": "guard/v1alpha1", "kind": "Guardian", "service": "shop"}
    for method, path, body, may in (
            ("GET", "/services", None, "voa"), ("GET", "/metrics", None, "voa"), ("GET", "/alerts", None, "voa"),
            ("GET", "/services/shop/review", None, "voa"), ("PUT", "/services/shop/mode", mode, "oa"),
            ("PUT", "/services/shop/guardian?dryRun=true", guardian, "a"), ("GET", "/audit", None, "a"),
            ("GET", "/audit/looks", None, "a"), ("PUT", "/services/shop/bypass", {"seconds": 1, "reason": "x"}, "oa")):
        for name, secret in everybody.items():
            extra = ["-H", "If-None-Match: *"] if "guardian" in path else []
            answer = front.ask(path, *extra, method=method, body=body, token=secret)
            if name in may:
                assert answer.status in (200, 412), (name, method, path, answer.body)
                api.check(method, path, answer)
            else:
                problem(api, answer, 403)
    for name, secret in everybody.items():
        answer = front.ask("/services/shop/pods/resume", method="POST", body={"workload": "prod/web", "reason": "x"}, token=secret)
        problem(api, answer, *((404, "workload") if name in "oa" else (403,)))
    # What somebody sends along doesn't matter.
    for secret, status, field in ((viewer, 403, None), (None, 401, "Authorization"), ("x", 401, "Authorization")):
        problem(api, front.ask("/services/shop/mode", method="PUT", body={"mode": "x" * 200000}, token=secret), status, field)


def test_the_shipped_configuration_speaks_h2_and_tls_1_3_only(guardd, api, front):
    secret = token(guardd.state, "v", "viewer")
    done = subprocess.run(front.command("/health/live", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", token=secret),
                          capture_output=True, text=True, timeout=180, check=False)
    assert done.stdout == "2 200", done
    old = subprocess.run(front.command("/health/live", "--tls-max", "1.2", token=secret), capture_output=True, timeout=180, check=False)
    assert old.returncode == 35 and old.stdout == b""  # no handshake
    large = front.ask("/services/shop/mode", method="PUT", body={"mode": "x" * 300000}, token=secret)
    assert large.status == 413 and "nginx" in large.headers["server"]
    outside = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", front.certificates.path("ca"),
                              f"https://127.0.0.1:{front.nginx.port}/"], capture_output=True, text=True, timeout=180, check=False)
    assert outside.stdout == "404"


def test_slow_clients_are_cut_off_by_nginx(guardd, api, front):
    """In the midst of headers, and of a body; guardd hears of neither."""
    secret = token(guardd.state, "o", "operator")
    body = f"PUT /api/v1/services/shop/mode HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\nContent-Length: 100\r\n\r\n{{"
    slow = [front.connect(), front.connect()]
    try:
        for sock, text in zip(slow, ("GET /api/v1/services HTTP/1.1\r\nHost:", body)):
            sock.sendall(text.encode())
        assert front.ask("/services", token=secret).status == 200
        for sock in slow:  # until it ends: the connection's own patience is longer
            answer = b""
            while piece := sock.recv(4096):
                answer += piece
            assert answer == b"" or b" 408 " in answer.split(b"\r\n")[0], answer
    finally:
        for sock in slow:
            sock.close()
    assert api.get("/services/shop/mode")["mode"] == "alert"


def test_floods_are_limited_by_nginx(guardd, api, nginx, certificates):
    front = Front(nginx, guardd.state, certificates, instead=(("rate=50r/s", "rate=1r/m"), ("burst=100", "burst=5")))
    try:
        statuses = [front.ask("/services").status for _ in range(12)]
        assert statuses[:6] == [401] * 6 and 429 in statuses, statuses
    finally:
        front.close()


def test_what_is_of_others_is_not_there(guardd, api, front):
    state = guardd.state
    secret = token(state, "v", "admin", "--service", "sh*")
    (state / "alerts.jsonl").write_text("".join(alert("ab"[i % 2], ("shop", "other")[i % 2], BEGIN_MS + i) for i in range(50)))
    (state / "triage.jsonl").write_text("".join(
        json.dumps({"time_ms": BEGIN_MS, "by": "x", "id": i * 32, "service": s, "state": "true", "reason": ""}, separators=(",", ":")) + "\n"
        for i, s in (("a", "shop"), ("b", "other"))))
    for service in ("shop", "other"):
        assert api.ask("PUT", f"/services/{service}/learning", {"learn": "paused"}).status == 200

    def get(path):
        answer = front.ask(path, token=secret)
        assert answer.status == 200, (path, answer.status, answer.body)
        return answer
    services = get("/services").json()
    assert [s["service"] for s in services["services"]] == ["shop"] and services["total"] == 1 and services["next"] is None
    status = get("/status").json()
    assert [s["service"] for s in status["services"]] == ["shop"] and status["service_count"] == 1
    metrics = get("/metrics").body.decode()
    assert 'service="shop"' in metrics and 'service="other"' not in metrics and "\nguard_services 1\n" in metrics
    assert get("/health/ready").json()["services"] == 1
    page = get("/alerts").json()
    assert len(page["alerts"]) == 25 and {a["service"] for a in page["alerts"]} == {"shop"} and page["next"] is None
    # Nothing but others' lines is left: there is no further page.
    assert get("/alerts?limit=25").json()["next"] is None
    assert get("/alerts?service=other").json()["alerts"] == []
    assert {c["service"] for c in get("/audit").json()["changes"]} == {"shop"}
    assert get("/alerts/" + "a" * 32).json()["service"] == "shop"
    assert get("/alerts/" + "a" * 32 + "/triage").json()["service"] == "shop"
    problem(api, front.ask("/alerts/" + "b" * 32, token=secret), 404, "id")
    problem(api, front.ask("/alerts/" + "b" * 32 + "/triage", token=secret), 404, "id")
    problem(api, front.ask("/alerts/" + "b" * 32 + "/triage", method="PUT", body={"state": "true"}, token=secret), 404, "id")
    # Whatever there is of a service is as for one that isn't there.
    tried = 0
    for path, methods in api.document["paths"].items():
        for method, operation in methods.items():
            if "{service}" not in path or operation["x-guard-right"] == "report":
                continue
            answers = [front.ask(path.replace("{service}", name), method=method.upper(), body={} if method != "get" else None,
                                 token=secret) for name in ("other", "nosuch")]
            problem(api, answers[0], 404, "service")
            if method == "get":
                assert answers[0].body == answers[1].body, path
            tried += 1
    assert tried > 15
    assert api.get("/services/other/mode")["mode"] == "alert"


class Stream:
    """Events that come to a curl of its own, through nginx."""

    def __init__(self, front, out, secret):
        self.path = out
        with open(out, "wb") as file:
            self.process = subprocess.Popen(front.command("/alerts/stream", "-N", "--max-time", "600", token=secret), stdout=file,
                                            stderr=subprocess.DEVNULL)

    def text(self):
        return self.path.read_text()

    def services(self):
        """Of whole lines: the last one may still be coming."""
        return [json.loads(line[6:])["service"] for line in self.text().rpartition("\n")[0].splitlines() if line.startswith("data: ")]

    def ended(self):
        return self.process.poll() is not None

    def close(self):
        self.process.kill()
        self.process.wait()


def test_a_removed_token_stops_at_once_and_its_stream_too(guardd, api, front, tmp_path):
    state = guardd.state
    bound, whole = token(state, "bound", "viewer", "--service", "shop"), token(state, "whole", "viewer")
    streams = [Stream(front, tmp_path / f"stream{i}", secret) for i, secret in enumerate((bound, whole))]
    try:
        wait_for(lambda: all("200" in stream.text() for stream in streams), "both streams")

        def send():
            with open(state / "alerts.jsonl", "a") as log:
                log.write(alert("b", "other") + alert("a", "shop"))
            return all("shop" in stream.services() for stream in streams)
        wait_for(send, "the events", pause=0.2)
        assert set(streams[0].services()) == {"shop"} and set(streams[1].services()) == {"shop", "other"}
        assert front.ask("/services", token=bound).status == 200
        guard(state, "token", "remove", "bound")
        problem(api, front.ask("/services", token=bound), 401, "Authorization")  # no waiting
        wait_for(streams[0].ended, "the stream of who was removed to end")
        assert not streams[1].ended()
        assert front.ask("/services", token=whole).status == 200
    finally:
        for stream in streams:
            stream.close()


def test_subjects_are_those_that_nginx_verified(guardd, api, front):
    state = guardd.state
    guard(state, "token", "add", "bob", "--role", "operator", "--subject", "CN=bob,O=shop", "--service", "shop")
    forged = ["-H", "X-Guard-Subject: CN=bob,O=shop"]
    assert front.ask("/services", certificate="bob").json()["total"] == 1
    assert front.ask("/services/shop/mode", method="PUT", body={"mode": "block"}, certificate="bob").status == 200
    problem(api, front.ask("/services/other/mode", method="PUT", body={"mode": "block"}, certificate="bob"), 404, "service")
    problem(api, front.ask("/audit", certificate="bob"), 403)
    # Without a certificate, with one of nobody, with one that somebody else signed.
    problem(api, front.ask("/services", *forged), 401, "Authorization")
    problem(api, front.ask("/services", *forged, "-H", "X_Guard_Subject: CN=bob,O=shop"), 401, "Authorization")
    problem(api, front.ask("/services", *forged, certificate="eve"), 401, "Authorization")
    assert front.ask("/services", *forged, certificate="forged").status == 400
    # A token is what counts when there is one.
    problem(api, front.ask("/services", token="guard_" + "0" * 16 + "_" + "A" * 43, certificate="bob"), 401, "Authorization")
    changes = [c for c in api.get("/audit")["changes"] if c["action"] == "mode"]
    assert [(c["by"], c["subject"], c["service"], c["after"]) for c in changes] == [("bob", "CN=bob,O=shop", "shop", "block")]


def test_without_nginx_nobody_is_believed(guardd, api, front):
    """Whoever may open the sockets is neither nginx nor a subject by that."""
    state = guardd.state
    guard(state, "token", "add", "bob", "--role", "admin", "--subject", "CN=bob,O=shop")
    viewer = token(state, "v", "viewer")
    subject = "X-Guard-Subject: CN=bob,O=shop"
    with raw(state) as sock:
        for headers in ((), (subject,), (subject, f"X-Guard-Front: {viewer}"), (subject, "X-Guard-Front: x"), ("X-Guard-By: root",)):
            assert ask_raw(sock, "/services", *headers).status == 401, headers
    with raw(state, "api.sock") as sock:
        # At the local door a subject gives nothing, and takes nothing from guardd's own user.
        assert ask_raw(sock, "/audit", subject).status == 200
        assert ask_raw(sock, "/audit", subject, f"Authorization: Bearer {viewer}").status == 403


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_the_local_door_is_for_guardds_user_and_root():
    """Who is only in the group needs a token."""
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="door") as folder:
        os.chmod(folder, 0o755)
        state = pathlib.Path(folder) / "state"
        state.mkdir()
        os.chmod(state, 0o755)
        daemon = Guardd(state, options=["--api-group", grp.getgrgid(nobody.pw_gid).gr_name]).start()

        def ask(*options, user=nobody.pw_uid):
            done = subprocess.run(["curl", "-sS", "-i", "--unix-socket", "api.sock", *options, "http://guardd/api/v1/services"],
                                  cwd=state, capture_output=True, timeout=120, check=False, user=user, group=nobody.pw_gid,
                                  extra_groups=[])
            return parse(done.stdout).status
        try:
            wait_for(lambda: ask(user=0) == 200, "the API")
            secret = token(state, "v", "viewer")
            assert ask() == 401
            assert ask("-H", "X-Guard-Subject: CN=bob") == 401
            assert ask("-H", f"Authorization: Bearer {secret}") == 200
            assert ask(user=0) == 200
        finally:
            daemon.stop()


def test_a_kept_connection_carries_no_rights_over(guardd, api):
    state = guardd.state
    viewer, admin = token(state, "v", "viewer"), token(state, "a", "admin")
    with raw(state) as sock:
        for secret, status in ((admin, 200), (None, 401), (viewer, 403), (admin, 200), ("x", 401), (viewer, 403), (None, 401)):
            headers = [f"Authorization: Bearer {secret}"] if secret is not None else []
            answer = ask_raw(sock, "/audit", *headers)
            assert answer.status == status, (secret, answer.status)


def test_expired_tokens_are_refused(guardd, api):
    secret = token(guardd.state, "v", "viewer", "--expires", "30d")
    bearer = f"Authorization: Bearer {secret}"
    path = guardd.state / "access.json"

    def expire(at):
        """As time would, which a test doesn't wait for."""
        text, count = re.subn(r'"expires_ms":\d+', f'"expires_ms":{at}', path.read_text())
        assert count == 1
        (guardd.state / "new").write_text(text)
        os.chmod(guardd.state / "new", 0o600)
        os.rename(guardd.state / "new", path)
    with raw(guardd.state) as sock:
        assert ask_raw(sock, "/services", bearer).status == 200
        expire(int(time.time() * 1000) - 1)
        assert ask_raw(sock, "/services", bearer).status == 401
        expire(int(time.time() * 1000) + 3600000)
        assert ask_raw(sock, "/services", bearer).status == 200
        path.write_text('{"entries":[\n{"name":"v","role":"king"}]}')
        assert ask_raw(sock, "/services", bearer).status == 200  # the last good list stays
    assert re.search(r'access-list-refused.*access.json:2:20: must be viewer', guardd.log())
    guardd.stop()
    guardd.start()  # without any good list: for its own user alone
    api.ready()
    with raw(guardd.state) as sock:
        assert ask_raw(sock, "/services", bearer).status == 401
    assert api.get("/services")["total"] == 2


def checks(api):
    return int(re.search(r"^guard_api_token_checks_total (\d+)", api.ask("GET", "/metrics").body.decode(), re.M)[1])


def test_wrong_tokens_hold_up_nothing(guardd, api, gate):
    """Two clients hammer while the service is learned: guardd publishes, knows who comes with a good token, and spends little."""
    state = guardd.state
    good, victim = token(state, "good", "viewer"), token(state, "victim", "viewer")
    wrong = victim[:-4] + "AAAA"
    with raw(state) as sock:
        assert ask_raw(sock, "/services", f"Authorization: Bearer {good}").status == 200
    ended, seen = threading.Event(), []

    def hammer(secret):
        with raw(state) as sock:
            while not ended.is_set():
                answer = ask_raw(sock, "/services", f"Authorization: Bearer {secret}")
                seen.append((answer.status, answer.headers.get("retry-after")))
    before, begin = checks(api), time.monotonic()
    threads = [threading.Thread(target=hammer, args=(secret,)) for secret in (wrong, "guard_" + "0" * 16 + "_" + "A" * 43)]
    for thread in threads:
        thread.start()
    try:
        drive(gate.port, Shop(511).many(1500))
        wait_for(lambda: guardd.service().get("ready") and guardd.service()["generation"] > 0, "readiness while they hammer", 120)
        wait_for(lambda: len(seen) > 100 and {status for status, _ in seen} == {401, 429}, "many of them to be refused")
        with raw(state) as sock:
            for _ in range(20):
                assert ask_raw(sock, "/services", f"Authorization: Bearer {good}").status == 200
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)
    spent, elapsed = checks(api) - before, time.monotonic() - begin
    assert {status for status, _ in seen} == {401, 429}
    assert all(retry is not None and int(retry) >= 1 for status, retry in seen if status == 429)
    assert spent <= 5 + elapsed / 2 + 2, (spent, elapsed, len(seen))
    print(f"{len(seen)} wrong tokens in {elapsed:.1f} s, {spent} costly checks")


def test_many_new_tokens_at_once_wait_their_turn(guardd, api):
    """As after a restart: each is checked once, who can't wait is told to come again, and guardd goes on with its own work."""
    state = guardd.state
    count = 40  # more than may wait
    secrets = [token(state, f"n{i}", "viewer") for i in range(count)]
    before, statuses, moments = checks(api), [[] for _ in secrets], []
    start = threading.Barrier(count)

    def come(secret, seen):
        with raw(state) as sock:
            start.wait(60)
            while not seen or seen[-1] == 503:
                answer = ask_raw(sock, "/services", f"Authorization: Bearer {secret}")
                seen.append(answer.status)
                if answer.status == 503:
                    time.sleep(int(answer.headers["retry-after"]))
    threads = [threading.Thread(target=come, args=pair) for pair in zip(secrets, statuses)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        moments.append(guardd.status()["time_ms"])
        time.sleep(0.05)
    assert all(seen and seen[-1] == 200 and set(seen) <= {200, 503} for seen in statuses), statuses
    assert checks(api) - before == count
    assert len(set(moments)) > 3  # the status was written again and again meanwhile


def test_who_floods_the_front_leaves_the_local_door_open(guardd, api):
    state = guardd.state
    bearer = f"Authorization: Bearer {token(state, 'v', 'viewer')}"
    held = []
    try:
        for i in range(7):
            held.append(raw(state))
            held[-1].sendall(f"GET /api/v1/alerts/stream HTTP/1.1\r\nHost: x\r\n{bearer}\r\n\r\n".encode())
            head = held[-1].recv(4096)
            assert (b" 200 " if i < 6 else b" 503 ") in head.split(b"\r\n")[0] and (i < 6 or b"Retry-After" in head), (i, head)
        with raw(state, "api.sock") as own:
            own.sendall(b"GET /api/v1/alerts/stream HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in own.recv(4096).split(b"\r\n")[0]
        held += [raw(state) for _ in range(110)]  # more than guardd takes at a time
        assert api.get("/health/live")["status"] == "live"
    finally:
        for sock in held:
            sock.close()


def test_looks_at_evidence_are_audited_and_folded(guardd, api):
    state = guardd.state
    (state / "alerts.jsonl").write_text(alert("a", "shop"))
    secret = token(state, "ann", "viewer")
    bearer = f"Authorization: Bearer {secret}"
    with raw(state) as sock:
        for _ in range(50):
            assert ask_raw(sock, "/alerts?service=shop&limit=10", bearer, "X-Guard-By: somebody").status == 200
        assert ask_raw(sock, "/alerts?client=127.0.1.0/24", bearer).status == 200
        assert ask_raw(sock, "/alerts/" + "a" * 32, bearer).status == 200
        assert ask_raw(sock, "/services/shop/review", bearer).status == 200
        assert ask_raw(sock, "/services/shop/clients", bearer).status == 200
        assert ask_raw(sock, "/services", bearer).status == 200  # no evidence
        assert ask_raw(sock, "/alerts/" + "c" * 32, bearer).status == 404
    looks = api.get("/audit/looks")["looks"]
    assert {look["by"] for look in looks} == {"ann"} and {look["token"] for look in looks} == {secret[6:22]}
    assert [(look["what"], look["service"], look["count"]) for look in reversed(looks)] == [
        ("/alerts service=shop", "", 1), ("/alerts of a client", "", 1), ("/alerts/" + "a" * 32, "shop", 1), ("/services/shop/review", "shop", 1),
        ("/services/shop/clients", "shop", 1)]
    assert api.get("/audit/looks?service=shop")["looks"][0]["what"] == "/services/shop/clients"
    guardd.stop()
    lines = [json.loads(line) for line in (state / "looks.jsonl").read_text().splitlines()]
    polled = [line for line in lines if line["what"] == "/alerts service=shop"]
    assert [line["count"] for line in polled] == [1, 49], polled


def test_a_look_that_cannot_be_audited_is_refused(guardd, api):
    state = guardd.state
    secret = token(state, "ann", "viewer")
    (state / "alerts.jsonl").write_text(alert("a", "shop"))
    (state / "looks.jsonl").mkdir()
    with raw(state) as sock:
        answer = ask_raw(sock, "/alerts", f"Authorization: Bearer {secret}")
        problem(api, answer, 507)
        assert b"127.0.1.0" not in answer.body
        assert ask_raw(sock, "/services", f"Authorization: Bearer {secret}").status == 200
    assert len(api.get("/alerts")["alerts"]) == 1  # its own user reads the files anyway


def test_tokens_are_told_once_and_kept_as_hashes(guardd, api):
    state = guardd.state
    secret = token(state, "ann", "operator", "--service", "shop", "--service", "sh*", "--expires", "30d", "--reason", "new here")
    kept = (state / "access.json").read_text()
    assert secret not in kept and secret[23:] not in kept and "$argon2id$v=19$m=8192,t=1,p=1$" in kept
    assert stat.S_IMODE((state / "access.json").stat().st_mode) == 0o600
    listed = guard(state, "token", "list")
    assert re.search(r"^ann +operator +20\d\d-\d\d-\d\dT\S+ +" + secret[6:22] + ", shop sh\\*$", listed, re.M), listed
    assert secret[23:] not in listed
    for arguments, status, told in (
            (["add", "ann", "--role", "viewer"], 1, "remove it first"), (["add", "x"], 2, "--role"), (["add", "x", "--role", "king"], 2, "--role"),
            (["add", "x", "--role", "local"], 2, "--role"), (["add", "x/y", "--role", "viewer"], 2, "a name is"),
            (["add", "x", "--role", "reporter"], 2, "bound to services"), (["add", "x", "--role", "viewer", "--service", "a/b"], 2, "pattern"),
            (["add", "x", "--role", "viewer", "--expires", "soon"], 2, "--expires"), (["remove", "x"], 1, "no such token"), ([], 2, "say"),
            (["add", "x", "--role", "front", "--subject", "CN=x"], 2, "a front is")):
        done = subprocess.run([BIN / "guard", "token", *arguments, "--state", state], capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == status and told in done.stderr, (arguments, done)
    if os.geteuid() == 0:  # what root adds is for whom the directory is
        os.chown(state, 65534, 65534)
        token(state, "tmp", "viewer")
        assert (state / "access.json").stat().st_uid == 65534
        guard(state, "token", "remove", "tmp")
        os.chown(state, 0, 0)
    guard(state, "token", "remove", "ann")
    assert '"name":"ann"' not in (state / "access.json").read_text()
    changes = [c for c in api.get("/audit")["changes"] if c["action"] == "token" and "tmp" not in c["before"] + c["after"]]
    assert [(c["before"] == "", c["after"] == "removed", c["reason"]) for c in changes] == [(False, True, ""), (True, False, "new here")]
    assert "ann operator " + secret[6:22] + " of shop,sh*" in changes[1]["after"] and secret[23:] not in json.dumps(changes)


def test_a_token_that_cannot_be_is_no_matter_of_time(api):
    """Making one costs time, and the next has to wait; what can't be made is refused for that, not put off."""
    wanted = {"name": "ann", "role": "viewer"}
    assert api.ask("POST", "/tokens", wanted).status == 201
    problem(api, api.ask("POST", "/tokens", wanted), 409)
    for number in range(3):
        wait_for(lambda n=number: api.ask("POST", "/tokens", {"name": f"bob-{n}", "role": "viewer"}).status == 201, "the next to be made")
        problem(api, api.ask("POST", "/tokens", wanted), 409)


def test_the_command_line_comes_with_a_token(guardd, api, tmp_path):
    state = guardd.state
    secret = token(state, "v", "viewer", "--service", "shop")
    file = tmp_path / "token"
    file.write_text(secret + "\n")
    file.chmod(0o600)

    def run(*arguments, **environment):
        done = subprocess.run([BIN / "guard", *arguments, "--server", f"unix:{state}/api-front.sock"], capture_output=True, text=True,
                              timeout=120, check=False, env={**os.environ, **environment})
        return done.returncode, done.stdout + done.stderr
    for environment in ({"GUARD_TOKEN": secret}, {"GUARD_TOKEN_FILE": str(file)}):
        assert run("mode", "--service", "shop", **environment) == (0, "alert\n")
        status, told = run("mode", "block", "--service", "shop", **environment)
        assert status == 1 and "the right to operate" in told
        status, told = run("mode", "--service", "other", **environment)
        assert status == 1 and "no service of this name" in told
    status, told = run("mode", "--service", "shop")
    assert status == 1 and "a token is needed" in told
    status, told = run("mode", "--service", "shop", GUARD_TOKEN="nonsense")
    assert status == 2 and "holds no token" in told
    file.chmod(0o644)
    status, told = run("mode", "--service", "shop", GUARD_TOKEN_FILE=str(file))
    assert status == 2 and "chmod 600" in told


def test_the_front_door_is_opened_only_when_it_is_said(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    daemon = Guardd(state).start()
    try:
        wait_for(lambda: (state / "api.sock").exists(), "the API")
        assert not (state / "api-front.sock").exists()
    finally:
        daemon.stop()
    done = subprocess.run([BIN / "guardd", "--state", state, "--api", "off", "--api-front", "on"], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 2 and "--api-front" in done.stderr
