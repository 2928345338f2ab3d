# SPDX-License-Identifier: Apache-2.0
"""What guardd's API tells, of a real gate's traffic: every answer to GET is held against the schemas of the served document."""

import contextlib
import grp
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from talking import Api, connect, curl, wait_for  # noqa: E402
from harness import ROOT  # noqa: E402
from test_guardd import BIN, GATE, Guardd, drive, gate, guard, guardd, wait_in_force  # noqa: E402, F401
from traffic import Shop  # noqa: E402

BEGIN_MS = int(time.time() * 1000) - 3600000  # guardd drops lines that are too old
ATTACK = "/users?username=tom%27%20or%20%27a%27=%27a"


@pytest.fixture
def api(guardd):
    return Api(guardd.state).ready()


def learn(guardd, gate, shop):
    drive(gate.port, shop.many(1500))
    wait_for(lambda: guardd.service().get("ready"), "readiness")
    wait_in_force(guardd, gate, shop)


def block(guardd, gate, shop):
    guard(guardd.state, "mode", "block", "--service", "shop")
    wait_for(lambda: drive(gate.port, [shop.exchange("GET", ATTACK)]) == [403], "the gate to block")


def sockets_of(pid):
    """The process's sockets as /proc names them; it may close others of its files meanwhile."""
    names = set()
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.add(os.readlink(link))
    found = {name for name in names if name.startswith("socket:")}
    assert found, names
    return found


class Stream:
    """Reads server-sent events by a curl of its own."""

    def __init__(self, state, path, *options):
        self.out = open(state.parent / f"stream{time.monotonic_ns()}", "w+b")  # noqa: SIM115
        self.process = subprocess.Popen(["curl", "-sSN", "--unix-socket", "api.sock", *options, "http://guardd/api/v1" + path],
                                        cwd=state, stdout=self.out)

    def text(self):
        return pathlib.Path(self.out.name).read_text()

    def events(self):
        return [json.loads(line[6:]) for line in self.text().splitlines() if line.startswith("data: ")]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.out.close()


def streams(api):
    text = api.ask("GET", "/metrics").body.decode()
    return int(re.search(r"^guard_api_streams (\d+)", text, re.M)[1])


# --- what takes its time, which passes while the other tests run: the first tests of this file begin it, the last ones look at it ---


def begun(tmp_path_factory, name):
    state = tmp_path_factory.mktemp(name) / "state"
    state.mkdir()
    return Guardd(state).start()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """(a guardd where nothing happens, as many streams as it serves)"""
    daemon, several = begun(tmp_path_factory, "quiet"), []
    try:
        Api(daemon.state).ready()
        several += [Stream(daemon.state, "/alerts/stream") for _ in range(8)]
        yield daemon, several
    finally:
        for stream in several:
            stream.close()
        daemon.stop()


def test_streams_are_bounded(quiet):
    api = Api(quiet[0].state).ready()
    wait_for(lambda: streams(api) == 8, "eight streams")
    answer = api.ask("GET", "/alerts/stream")
    api.problem(answer, 503)
    assert answer.headers["retry-after"] == "30"
    api.problem(api.ask("GET", "/alerts/stream", headers=["Last-Event-ID: x"]), 400, "Last-Event-ID")


class Slow:
    """Clients that say nothing, too little, or a byte now and then, and one that reads no stream."""

    def __init__(self, guardd):
        self.guardd, self.over = guardd, threading.Event()
        self.sockets = [connect(guardd.state) for _ in range(60)]
        for i, sock in enumerate(self.sockets):
            sock.sendall([b"G", b"GET /api/v1/services HTTP/1.1\r\nHost: x\r\nX:", b"",
                          b"PUT /api/v1/services/shop/mode HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{"][i % 4])
        self.stopped = subprocess.Popen(["curl", "-sSN", "--unix-socket", "api.sock", "http://guardd/api/v1/alerts/stream"], cwd=guardd.state,
                                        stdout=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self.trickle)
        self.thread.start()

    def trickle(self):
        while not self.over.wait(0.5):
            for sock in self.sockets:
                try:
                    sock.sendall(b" ")
                except OSError:
                    pass

    def close(self):
        self.over.set()
        self.thread.join()
        self.stopped.kill()
        self.stopped.wait()
        for sock in self.sockets:
            sock.close()


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    daemon, clients = begun(tmp_path_factory, "slow"), None
    try:
        Api(daemon.state).ready()
        clients = Slow(daemon)
        yield clients
    finally:
        if clients is not None:
            clients.close()
        daemon.stop()


def test_slow_and_stalled_clients_hold_nothing_up(slow, nginx, fast_upstream):
    guardd, api, shop = slow.guardd, Api(slow.guardd.state).ready(), Shop(504)
    gate = nginx(GATE.replace("{state}", str(guardd.state)).replace("{back}", str(fast_upstream.port)))
    wait_for(lambda: streams(api) == 1, "the stream")
    slow.stopped.send_signal(signal.SIGSTOP)
    drive(gate.port, shop.many(400))
    guardd.wait_exchanges(400)
    wait_for(lambda: api.get("/services/shop")["exchanges"] >= 400, "the API to tell of them")


# --- what is read ---


def test_the_socket_is_its_owners_alone_and_nothing_else_listens(guardd, api):
    mode = (guardd.state / "api.sock").stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    inodes = sockets_of(guardd.process.pid)
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in pathlib.Path(f"/proc/{guardd.process.pid}/net/{table}").read_text().splitlines()[1:]:
            assert f"socket:[{line.split()[9]}]" not in inodes, line


def test_the_served_document_is_the_one_of_the_repository(api):
    served = api.ask("GET", "/openapi.yaml")
    assert served.body == (ROOT / "docs/api/openapi.yaml").read_bytes()
    assert served.headers["content-type"] == "application/yaml"
    assert api.document["openapi"] == "3.1.0" and len(api.document["paths"]) > 15


def test_everything_that_is_read_has_the_form_that_the_document_tells(guardd, api, gate):
    shop = Shop(501)
    gate.reload(gate.http.replace("guard shop;", "guard shop; guard_revision v1;"))
    learn(guardd, gate, shop)
    block(guardd, gate, shop)
    # Sent again: those before may have used up the quota of their client.
    alerts = wait_for(lambda: drive(gate.port, [shop.exchange("GET", ATTACK)]) and api.get("/alerts?action=block")["alerts"], "the alert")
    guard(guardd.state, "triage", alerts[0]["id"], "true", "--reason", "an attack")
    guard(guardd.state, "bypass", "shop", "--for", "60s", "--reason", "a \"test\"")
    wait_for(lambda: api.get("/services/shop/generations")["generations"], "a generation that is kept")
    kept = api.get("/services/shop/generations")["generations"][0]["generation"]
    paths = {
        "/health/live": None, "/health/ready": None, "/status": None, "/build": None, "/services": None, "/services/{service}": None,
        "/services/{service}/guardian": None, "/services/{service}/mode": None, "/services/{service}/learning": None,
        "/services/{service}/bypass": None, "/services/{service}/generations": None,
        "/services/{service}/diff": f"/services/shop/diff?from={kept}", "/services/{service}/rollback": None,
        "/services/{service}/patches": None, "/services/{service}/review": None, "/services/{service}/clients": None, "/alerts": None, "/alerts/index": None,
        "/alerts/{id}": None, "/alerts/{id}/triage": None, "/audit": None, "/audit/looks": None, "/openapi.json": None,
        "/triage": None, "/services/{service}/decisions": None, "/services/{service}/changes": None, "/tokens": None, "/outputs": None,
        "/session": None, "/services/{service}/exceptions": None, "/services/{service}/history": None,
        "/services/{service}/endpoint": "/services/shop/endpoint?method=GET&template=/users", "/services/{service}/pods": None,
        "/services/{service}/pods/decisions": None, "/alerts/{id}/review": None,
        "/services/{service}/preview": "/services/shop/preview?mode=alert",
    }
    text = {"/metrics", "/openapi.yaml", "/alerts/stream",  # in the other tests
            "/forget/{id}", "/services/{service}/patches/{id}", "/services/{service}/pile", "/services/{service}/key", "/services/{service}/policy", "/services/{service}/verdicts",
            "/services/{service}/withdrawals"}
    assert set(paths) | text == {path for path, methods in api.document["paths"].items() if "get" in methods}
    for template, path in paths.items():
        api.get(path or template.replace("{service}", "shop").replace("{id}", alerts[0]["id"]))
    service = api.get("/services/shop")
    assert service["mode"] == "block" and service["ready"] and service["bypass"]["reason"] == 'a "test"'
    assert service["revision"]["text"] == "v1" and service["growth"]["trusted"] > 0 and service["releases"]["let_in"] == 0
    assert service["coverage"]["ready"] > 0 and service["endpoints"][0]["exchanges"] > 0
    listed = api.get("/services")["services"][0]
    assert listed["bypassed"] and "path" not in listed  # nobody sent canaries
    # Some thousand exchanges prove no more than their number, whatever the budget is.
    assert listed["false_blocks"] == service["false_blocks"] and service["false_blocks"]["budget"] == 1e-4
    expected, most = (service["false_blocks"][name] for name in ("expected", "proved"))
    assert 1e-4 < expected < 0.1 and expected < most < 2 * expected, service["false_blocks"]
    assert api.get(f"/alerts/{alerts[0]['id']}/triage")["state"] == "true"
    same = wait_for(lambda: (answer := api.ask("GET", f"/services/shop/diff?from={kept}&to={kept}")).status == 200 and answer,
                    "its turn to compare again")
    assert same.json()["differences"] == []
    assert "tom" not in json.dumps(api.get("/alerts"))


def test_an_endpoint_is_told_with_its_parameters(guardd, api, gate):
    learn(guardd, gate, Shop(502))
    secret = "s3cr3tvalue"
    shop = Shop(503)
    # Three new names, each from five clients at once: two of them at least lie in one epoch.
    for i in range(3):
        drive(gate.port, [shop.exchange("GET", f"/users?username=tom&extra{i}={secret}")] * 5, clients=5)

    def fields(query=""):
        return api.get(f"/services/shop/endpoint?method=GET&template=/users{query}")
    told = wait_for(lambda: (told := fields()) and len([one for one in told["fields"] if one["lacks"]]) >= 2 and told, "what waits")
    named = {one["name"]: one for one in told["fields"] if one["location"] == "query"}
    assert told["request"] == {"ready": True, "lacks": ""} and told["exchanges"] > 0 and told["clients"] >= 4
    known, new = named["username"], next(one for one in named.values() if one["lacks"])
    assert known["trusted"] and known["lacks"] == "" and known["required"] and "word" in known["types"] and known["clients"] >= 4
    assert 1 <= known["length_min"] <= known["length_max"] <= 64 and '"="' not in known["characters"]
    assert any(rule["rule"] == "character" and rule["strength"] > 1 for rule in known["rules"]), known["rules"]
    assert not new["trusted"] and new["values"] == 5 and new["lacks"] == "1 more epoch" and new["normal"] == "pending"
    assert {rule["rule"] for rule in new["rules"]} <= {"likeness"}
    assert secret not in json.dumps(told) and "tom" not in json.dumps(told)
    pages, cursor = [], ""
    while cursor is not None:
        page = fields(f"&limit=1{cursor and '&cursor=' + cursor}")
        pages += page["fields"]
        cursor = page["next"]
    assert pages == told["fields"] and len(pages) == told["total"]
    for query, status in (("?method=GET", 400), ("?template=/users", 400), ("?method=GET&template=/none", 404), ("?method=PUT&template=/users", 404),
                          ("?method=GET&template=/users&cursor=x", 400)):
        assert api.ask("GET", f"/services/shop/endpoint{query}").status == status, query


def test_filters_pages_and_ids_of_alerts(guardd, api):
    with open(guardd.state / "alerts.jsonl", "w") as log:
        for i in range(230):
            line = {"time_ms": BEGIN_MS + i, "generation": 1, "status": 403, "score": 1.5, "id": f"{i:032x}", "service": "ab"[i % 2],
                    "verdict": "block", "action": "block" if i % 3 else "alert", "method": "GET", "template": "/", "client": "127.0.1.0/24",
                    "explanation": "x\u202e\x1b[31m", "findings": [], "suppressed": 0, "count": 1, "first_ms": BEGIN_MS + i,
                    "last_ms": BEGIN_MS + i}
            if i == 7:
                line["ids"] = [f"{7:032x}", "f" * 32]
            log.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
            if i == 100:
                log.write("no line of ours\n{\"id\":\n")

    def pages(query):
        found, cursor, count = [], "", 0
        while cursor is not None:
            page = api.get(f"/alerts?{query}{cursor and '&cursor=' + cursor}")
            assert len(page["alerts"]) <= 20
            found += page["alerts"]
            cursor, count = page["next"], count + 1
        return found, count
    everything, count = pages("limit=20")
    assert [alert["time_ms"] for alert in everything] == [BEGIN_MS + i for i in range(229, -1, -1)] and count == 12
    some, _ = pages(f"limit=20&service=a&action=alert&since={BEGIN_MS + 100}")
    assert [alert["time_ms"] for alert in some] == [BEGIN_MS + i for i in range(229, 99, -1) if i % 6 == 0]
    around, _ = pages(f"limit=20&since={BEGIN_MS + 100}&until={BEGIN_MS + 102}")
    assert [alert["time_ms"] for alert in around] == [BEGIN_MS + i for i in (102, 101, 100)]
    assert pages("limit=20&client=127.0.2.0/24")[0] == []
    assert api.get("/alerts/" + "f" * 32)["time_ms"] == BEGIN_MS + 7
    api.problem(api.ask("GET", "/alerts/" + "e" * 32), 404, "id")
    api.problem(api.ask("GET", "/alerts/" + "%22" * 70), 404, "id")
    api.problem(api.ask("GET", "/alerts/" + "e" * 32 + "/triage"), 404, "id")
    raw = api.ask("GET", "/alerts?limit=1").body
    assert b"\x1b" not in raw and "\u202e".encode() not in raw
    for query, field in (("limit=101", "limit"), ("limit=x", "limit"), ("since=-1", "since"), ("until=x", "until"), ("cursor=zz", "cursor"),
                         ("service=" + "a" * 500, "service"), ("limits=1", "limits"), ("limit=1&limit=2", "limit")):
        api.problem(api.ask("GET", "/alerts?" + query), 400, field)


def test_pages_of_services_may_be_longer_than_others(guardd, api):
    """As many as fit into an answer: none is missed, whatever is asked for."""
    names = [f"svc-{number:03d}" for number in range(230)]
    for name in names:
        path = guardd.state / "guardians" / f"{name}.yaml"
        path.write_text(f"apiVersion: guard/v1alpha1\nkind: Guardian\nservice: {name}\n")
    wait_for(lambda: api.get("/services?limit=0")["total"] >= len(names), "the services")

    def listed(limit):
        pages, cursor = [], ""
        while cursor is not None:
            page = api.get(f"/services?limit={limit}{cursor and '&cursor=' + cursor}")
            pages.append([one["service"] for one in page["services"]])
            cursor = page["next"]
        return pages
    for limit in (500, 229, 100):
        pages = listed(limit)
        assert sum(pages, []) == sorted(names) and len(pages) == -(-len(names) // limit), [len(page) for page in pages]
    api.problem(api.ask("GET", "/services?limit=1025"), 400, "limit")


def test_the_index_of_alerts_leads_anywhere_among_them(guardd, api):
    """Over rotated files: each cursor is that of its page, for all, for a filter, and for who has some of the services."""
    def line(i):
        return json.dumps({"time_ms": BEGIN_MS + i, "generation": 1, "status": 403, "score": 1.5, "id": f"{i:032x}", "service": ["a", "b", "c"][i % 3],
                           "verdict": "block", "action": "block", "method": "GET", "template": "/", "client": "127.0.1.0/24",
                           "explanation": 'says "service":"a"', "findings": [], "suppressed": 0, "count": 1 + i % 2, "first_ms": BEGIN_MS + i,
                           "last_ms": BEGIN_MS + i, "seq": i + 1}, separators=(",", ":")) + "\n"
    count = 1050
    for name, numbers in (("alerts.jsonl.2", range(300)), ("alerts.jsonl.1", range(300, 301)), ("alerts.jsonl", range(301, count))):
        (guardd.state / name).write_text("no line of ours\n" + "".join(map(line, numbers)) + '{"torn":')

    def agrees(wanted, query="", begin=""):
        index = api.get(f"/alerts/index?{query or begin}".rstrip("?"))
        assert index["lines"] == len(wanted) and index["alerts"] == sum(1 + i % 2 for i in wanted) == sum(index["bins"])
        assert index["step"] == 100 and len(index["cursors"]) == (len(wanted) + 99) // 100
        assert index["until_ms"] == (BEGIN_MS + wanted[0] if wanted else 0)
        for part, cursor in enumerate(index["cursors"]):
            page = api.get(f"/alerts?limit=100&cursor={cursor}&{query}".rstrip("&"))
            assert [alert["seq"] - 1 for alert in page["alerts"]] == wanted[part * 100:part * 100 + 100]
        return index
    everything = list(range(count - 1, -1, -1))
    agrees(everything)
    agrees([i for i in everything if i % 3 == 1], "service=b")
    agrees([i for i in everything if i >= 700], f"since={BEGIN_MS + 700}")
    agrees([77], f"id={77:032x}")
    agrees([], "client=127.0.2.0/24")
    newest = api.get("/alerts?limit=1")["newest"]
    with open(guardd.state / "alerts.jsonl", "a", encoding="ascii") as log:
        log.write("\n" + line(count))
    agrees(everything, begin=f"cursor={newest}")  # what came since moves nothing
    agrees([count, *everything])
    token = subprocess.run([BIN / "guard", "token", "add", "bea", "--role", "viewer", "--service", "b", "--state", guardd.state],
                           capture_output=True, text=True, check=True).stdout.strip()
    bound = curl(guardd.state, "/alerts/index", "-H", f"Authorization: Bearer {token}").json()
    assert bound["lines"] == len([i for i in everything if i % 3 == 1])
    for query, field in (("cursor=zz", "cursor"), ("since=-1", "since"), ("limit=1", "limit"), ("id=", "id")):
        api.problem(api.ask("GET", "/alerts/index?" + query), 400, field)


def test_unknown_paths_and_methods(api):
    for path in ("/", "/nothing", "/services/none", "/services/none/mode", "/services/..%2f..%2fetc", "/services/none/guardian"):
        assert api.ask("GET", path).status == 404, path
    api.problem(api.ask("GET", "/services/none"), 404, "service")
    answer = api.ask("PATCH", "/services/none/mode")
    api.problem(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD, PUT"
    head = curl(api.state, "/services", "--head")
    assert head.status == 200 and head.body == b""


def test_metrics_follow_the_grammar_and_tell_of_no_client(guardd, api, gate):
    shop = Shop(502)
    drive(gate.port, shop.many(300))
    guardd.wait_exchanges(300)
    answer = api.ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    typed, seen = {}, set()
    for line in answer.body.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in typed and kind in ("gauge", "counter", "histogram")
            typed[name] = kind
        elif not line.startswith("# HELP "):
            label = r'[a-z]+="(?:[A-Za-z0-9._-]*|\+Inf)"'
            match = re.fullmatch(rf'((?:guard|process)_[a-z_]+)((?:\{{{label}(?:,{label})*\}})?) ([-+.0-9e]+)', line)
            assert match and (match[1], match[2]) not in seen, line
            family = match[1] if match[1] in typed else re.sub("_(bucket|sum|count)$", "", match[1])
            assert (family == match[1]) != (typed[family] == "histogram"), line
            assert (typed[family] == "counter") == match[1].endswith("_total"), line
            seen.add((match[1], match[2]))
    assert ("guard_service_exchanges", '{service="shop"}') in seen
    exchanges = next(float(line.split()[1]) for line in answer.body.decode().splitlines()
                     if line.startswith('guard_service_exchanges{service="shop"}'))
    assert exchanges >= 300


def test_a_stream_tells_of_a_request_that_was_just_blocked(guardd, api, gate):
    shop = Shop(503)
    learn(guardd, gate, shop)
    block(guardd, gate, shop)
    wait_for(lambda: api.get("/alerts?service=shop&action=block")["alerts"], "what was blocked before to be told")
    stream = Stream(guardd.state, "/alerts/stream?service=shop&action=block")
    other = Stream(guardd.state, "/alerts/stream?service=other")
    try:
        wait_for(lambda: streams(api) == 2, "the streams to be open")
        # Another kind than before: that one's window is still open.
        attack = shop.exchange("GET", "/search?q=%3Cscript%3Ealert(1)%3C/script%3E&limit=10")
        event = wait_for(lambda: drive(gate.port, [attack]) == [403] and stream.events(), "the event")[0]
        api.validate(event, {"$ref": "#/components/schemas/Alert"})
        assert event["service"] == "shop" and event["action"] == "block" and event["template"] == "/search"
        assert api.get(f"/alerts/{event['id']}")["id"] == event["id"]
        assert other.events() == []
        # Readers that come back miss nothing, and get nothing twice.
        place = wait_for(lambda: re.search(r"^id: (\S+)\n", stream.text(), re.M), "the event's place")[1]
        stream.close()
        wait_for(lambda: streams(api) == 1, "the stream to be closed", 60)
        known = len((guardd.state / "alerts.jsonl").read_text().splitlines())
        attack = shop.exchange("GET", "/products/1%20or%201=1?page=1")
        wait_for(lambda: drive(gate.port, [attack]) and len((guardd.state / "alerts.jsonl").read_text().splitlines()) > known,
                 "another alert")
        again = Stream(guardd.state, "/alerts/stream", "-H", f"Last-Event-ID: {place}")
        try:
            events = wait_for(lambda: again.events(), "the alerts meanwhile")
            lines = [json.loads(line) for line in (guardd.state / "alerts.jsonl").read_text().splitlines()]
            behind = [line["time_ms"] for line in lines[[line["id"] for line in lines].index(event["id"]) + 1:]]
            assert [alert["time_ms"] for alert in events] == behind[:len(events)]
        finally:
            again.close()
    finally:
        stream.close()
        other.close()


def test_64_clients_at_once(guardd, api):
    several = []
    for i in range(64):
        sock = connect(guardd.state)
        sock.sendall(b"GET /api/v1/services HTTP/1.1\r\nHost: x\r\n" + (b"Connection: close\r\n\r\n" if i % 2 else b"X: y\r\n"))
        several.append(sock)
    for sock in several[::2]:
        sock.sendall(b"Connection: close\r\n\r\n")
    for sock in several:
        answer = b""
        while (some := sock.recv(65536)):
            answer += some
        assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"}"), answer
        sock.close()


def test_sizes_are_bounded(guardd, api):
    def sent(head, body=b""):
        sock = connect(guardd.state)
        try:
            sock.sendall(head + body)
            answer = sock.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            answer = b"HTTP/1.1 000 "
        sock.close()
        return int(answer[9:12] or 0)
    head = b"PUT /api/v1/services/x/mode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    assert sent(head + b"Content-Length: 262145\r\n\r\n") == 413
    assert sent(head + b"Content-Length: 99999999999999999999\r\n\r\n") in (400, 413)
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    assert sent(head + b"Transfer-Encoding: chunked\r\n\r\n", chunk * 5 + b"0\r\n\r\n") == 413
    assert sent(head + b"Content-Length: 262144\r\n\r\n", b" " * 262144) == 404  # the service is asked for first
    assert sent(b"GET /api/v1/services HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n") in (0, 413, 414, 431)
    assert sent(b"GET /api/v1/services?" + b"&".join(b"a%d=1" % i for i in range(40)) + b" HTTP/1.1\r\nHost: x\r\n\r\n") == 400
    # The library ends a path at a zero byte: what stands behind it reaches nobody.
    assert sent(b"GET /api/v1/services\0/x HTTP/1.1\r\nHost: x\r\n\r\n") in (0, 200, 400)
    api.get("/services")


def test_it_can_be_off_and_comes_back(guardd, api, tmp_path):
    guardd.kill()
    assert (guardd.state / "api.sock").exists()
    guardd.start()  # over the socket that the kill left
    api.ready().get("/services")
    assert guardd.stop() == 0 and not (guardd.state / "api.sock").exists()
    quiet = tmp_path / "quiet"
    quiet.mkdir()
    with open(tmp_path / "quiet.log", "wb") as log:
        process = subprocess.Popen([BIN / "guardd", "--state", quiet, "--api", "off"], stderr=log)
    wait_for(lambda: (quiet / "status.json").exists(), "its status")
    assert not (quiet / "api.sock").exists()
    process.terminate()
    assert process.wait(60) == 0
    bad = subprocess.run([BIN / "guardd", "--state", quiet, "--api", "maybe"], capture_output=True, check=False, timeout=60)
    assert bad.returncode == 2
    # Something else has the name: it is left alone, and guardd does without.
    (quiet / "api.sock").write_text("mine")
    daemon = Guardd(quiet, tmp_path / "again.log").start()
    wait_for(lambda: "api-not-served" in daemon.log(), "the alarm")
    assert daemon.stop() == 0 and (quiet / "api.sock").read_text() == "mine"


def test_a_group_may_use_it(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    group = grp.getgrgid(os.getgid()).gr_name  # one that we may give things to
    process = subprocess.Popen([BIN / "guardd", "--state", state, "--api-group", group], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: curl(state, "/health/live").status == 200, "the API")
        info = (state / "api.sock").stat()
        assert stat.S_IMODE(info.st_mode) == 0o660 and grp.getgrgid(info.st_gid).gr_name == group
    finally:
        process.terminate()
        process.wait(60)


# --- what the first tests began ---


def test_slow_clients_are_cut_off(slow):
    """Even those that send a byte now and then have had their time."""
    api = Api(slow.guardd.state).ready()

    def all_cut_off():
        text = api.ask("GET", "/metrics").body.decode()
        return int(re.search(r"^guard_api_connections (\d+)", text, re.M)[1]) <= 2
    wait_for(all_cut_off, "slow clients to be cut off", 120, pause=0.5)


def test_quiet_streams_live(quiet):
    guardd, several = quiet
    api = Api(guardd.state).ready()
    wait_for(lambda: all(stream.text().count(": nothing new") >= 4 for stream in several), "signs of life", 120)
    assert all(stream.process.poll() is None for stream in several)
    # One that no longer reads keeps nobody from anything, and guardd ends in time.
    several[0].process.send_signal(signal.SIGSTOP)
    with open(guardd.state / "alerts.jsonl", "a") as log:
        for i in range(3000):
            log.write(json.dumps({"time_ms": BEGIN_MS + i, "service": "shop", "id": str(i), "explanation": "x" * 1000}) + "\n")
    wait_for(lambda: all(len(stream.events()) == 3000 for stream in several[1:]), "all events", 120)
    api.get("/services")
    assert guardd.stop() == 0
