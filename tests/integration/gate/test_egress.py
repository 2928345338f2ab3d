# SPDX-License-Identifier: Apache-2.0
"""The outbound gate: whose exchange a call is attributed to, that calls are records of a service of their own, and that it
blocks what a service is made to call, alone: with the inbound gate in mode observe."""

import http.client
import json
import os
import pathlib
import re
import secrets
import sqlite3
import subprocess
import tempfile
import threading
import urllib.parse

import pytest

import harness
from harness import BIN, Nginx, end_process, free_port, settle, wait_for

from .conftest import ATTACK_QUERY

ANONYMOUS, SLICE, PREFIX, SUBJECT = range(4)
TRACE = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class Server(harness.Server):
    """Its answers are handle(request) -> (status, text); `seen` keeps (method, target, headers)."""

    def __init__(self, handle):
        outer = self

        class Answering(harness.Handler):
            def answer(self):
                self.body, _ = self.read_body()
                outer.seen.append((self.command, self.path, self.headers))
                status, text = handle(self)
                self.send_response_only(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())
                self.wfile.flush()

            do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer

        super().__init__(Answering)


def call(port, target, headers=None, method="GET", host=None):
    """One call as a service makes it, to a proxy (target in absolute form) or a base URL: (status, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host or urllib.parse.urlsplit(target).netloc or f"127.0.0.1:{port}")
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


class Service:
    """A service that makes one call for each request: /call?how=same|child|none|foreign&hold=NAME. With hold it waits before
    its call until the test lets that name go on."""

    def __init__(self):
        self.server = Server(self.handle)
        self.egress = None  # port
        self.gates = {}
        self.waiting = []

    def let_go(self, name):
        self.gates[name].set()

    def hold(self, name):
        self.gates[name] = threading.Event()

    def handle(self, request):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.path).query))
        name = query.get("hold")
        if name:
            self.waiting.append(name)
            assert self.gates[name].wait(120)
        parent = request.headers.get("traceparent")
        headers = {}
        if query["how"] == "same" and parent:
            headers["traceparent"] = parent
        elif query["how"] == "child" and parent:
            headers["traceparent"] = f"00-{TRACE.fullmatch(parent)[1]}-{secrets.token_hex(8)}-01"
        elif query["how"] == "foreign":
            headers["traceparent"] = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
        status, _ = call(self.egress, query.get("target", "/charge/17"), headers, host="payments:8443")
        return 200, json.dumps({"traceparent": parent, "status": status})


EGRESS = """
    guard_state {state};
    guard_policy_key {state}/keys/policy.pub;
    server {
        listen 127.0.0.1:{port};
        guard svc;
        guard_trace TRACE;
        location / { proxy_pass http://127.0.0.1:SERVICE; }
        location /slice { guard_client slice; proxy_pass http://127.0.0.1:SERVICE; }
        location /subject { guard_subject $http_x_user; proxy_pass http://127.0.0.1:SERVICE; }
    }
    server {
        listen 127.0.0.1:{port2};
        guard svc.egress;
        guard_outbound on OUTBOUND;
        location / { proxy_pass http://{echo}; }
    }"""


@pytest.fixture
def egress(gate):
    """A factory: a service between an inbound and an egress gate, which leads to the echo service."""
    services = []

    def make(trace="on", outbound="", **options):
        service = Service()
        services.append(service)
        text = EGRESS.replace("SERVICE", str(service.server.port)).replace("TRACE", trace).replace("OUTBOUND", outbound)
        nginx = gate("", http=text, publish=False, **options)
        service.egress = nginx.ports["port2"]
        nginx.service = service
        return nginx

    yield make
    for service in services:
        service.server.close()


def ask(nginx, path, client, *options):
    settle()  # what ended for its client is in flight until its worker has done the rest
    answer = nginx.curl(path, "--interface", f"127.0.{client}.1", *options)
    assert answer.status == 200, answer.status
    return answer.json()


def calls(state):
    """(unit, address) of the records of calls."""
    return [(head["unit"], head["address"][:6]) for head in state.heads() if head["service"] == "svc.egress"]


def of(client):
    return PREFIX, f"7f00{client:02x}"


CALLER = (SLICE, "7f0000")


@pytest.mark.parametrize("how", ["same", "child"])
def test_a_call_is_joined_by_the_trace_that_the_gate_gave(egress, gate, how):
    nginx = egress()
    nginx.service.hold("other")
    other = threading.Thread(target=ask, args=(nginx, "/call?how=none&hold=other", 9))
    other.start()
    wait_for(lambda: nginx.service.waiting, "the other to be in flight")
    given = [ask(nginx, f"/call?how={how}", client)["traceparent"] for client in (1, 2, 3)]
    nginx.service.let_go("other")
    other.join()
    nginx.stop()
    assert len({TRACE.fullmatch(parent)[1] for parent in given}) == 3
    assert calls(gate.state) == [of(1), of(2), of(3), of(9)], "the last one is alone in flight: joined by time"
    services = [head["service"] for head in gate.state.heads()]
    assert services.count("svc") == 4 and services.count("svc.egress") == 4


def test_a_client_keeps_its_trace_and_never_its_span(egress, gate):
    nginx = egress()
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    given = ask(nginx, "/call?how=child", 1, "-H", f"traceparent: 00-{trace}-{span}-01")["traceparent"]
    match = TRACE.fullmatch(given)
    assert match[1] == trace and match[2] != span and match[3] == "01"
    for bad in (f"00-{trace.upper()}-{span}-01", f"00-{'0' * 32}-{span}-01", "x", ""):
        given = TRACE.fullmatch(ask(nginx, "/call?how=same", 2, "-H", f"traceparent;" if not bad else f"traceparent: {bad}")
                                ["traceparent"])
        assert given and given[1].lower() != trace.lower() and given[3] == "00"
    # Two of them are none; the service gets the gate's only.
    ask(nginx, "/call?how=same", 3, "-H", f"traceparent: 00-{trace}-{span}-01", "-H", f"traceparent: 00-{trace}-{span}-01")
    *_, headers = nginx.service.server.seen[-1]
    values = set(headers.get_all("traceparent"))
    assert len(values) == 1 and trace not in values.pop()
    nginx.stop()
    assert calls(gate.state) == [of(1)] + [of(2)] * 4 + [of(3)]


def test_sampled_traces_and_no_traces(egress, gate):
    nginx = egress(trace="sampled")
    assert TRACE.fullmatch(ask(nginx, "/call?how=same", 1)["traceparent"])[3] == "01"
    nginx.stop()
    nginx = egress(trace="off")
    parent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    assert ask(nginx, "/call?how=same", 2)["traceparent"] is None
    assert ask(nginx, "/call?how=same", 3, "-H", f"traceparent: {parent}")["traceparent"] == parent
    nginx.stop()


def two_in_flight(nginx, first, second, **headers):
    """Both requests are in flight when each makes its call, the first one first. A request: (path, client)."""
    threads = []
    for name, (path, client) in (("a", first), ("b", second)):
        nginx.service.hold(name)
        options = [text for key, value in headers.items() for text in ("-H", f"{key}: {value}")]
        threads.append(threading.Thread(target=ask, args=(nginx, f"{path}&hold={name}", client, *options)))
        threads[-1].start()
        wait_for(lambda name=name: name in nginx.service.waiting, "the request to be in flight")
    for name, thread in zip("ab", threads):
        nginx.service.let_go(name)
        thread.join()
        nginx.service.waiting.remove(name)


def test_without_a_trace_time_tells_only_when_one_is_in_flight(egress, gate):
    nginx = egress(trace="off")
    ask(nginx, "/call?how=none", 1)
    two_in_flight(nginx, ("/call?how=none", 2), ("/call?how=foreign", 3))
    call(nginx.service.egress, "/charge/1", host="payments:8443")  # of the service's own accord
    nginx.stop()
    assert calls(gate.state) == [of(1), CALLER, of(3), CALLER]


def test_join_trace_leaves_time_out(egress, gate):
    nginx = egress(outbound="join=trace")
    ask(nginx, "/call?how=none", 1)
    ask(nginx, "/call?how=same", 2)
    nginx.stop()
    assert calls(gate.state) == [CALLER, of(2)]


def test_a_forged_trace_id_moves_no_evidence(egress, gate):
    """Client 2 knows the trace id of client 1 and sends it, too."""
    parent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    nginx = egress()
    two_in_flight(nginx, ("/call?how=same", 1), ("/call?how=same", 2), traceparent=parent)
    two_in_flight(nginx, ("/call?how=child", 1), ("/call?how=child", 2), traceparent=parent)
    nginx.stop()
    assert calls(gate.state) == [of(1), of(2), CALLER, CALLER]


def test_with_traces_left_to_clients_a_whole_forged_header_moves_none(egress, gate):
    parent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    nginx = egress(trace="off")
    two_in_flight(nginx, ("/call?how=same", 1), ("/call?how=same", 2), traceparent=parent)
    nginx.stop()
    assert calls(gate.state) == [CALLER, CALLER]


def test_units_are_those_of_the_inbound_exchange(egress, gate):
    nginx = egress()
    ask(nginx, "/slice/call?how=same", 1)
    ask(nginx, "/subject/call?how=same", 2, "-H", "X-User: cn=tom")
    nginx.stop()
    assert calls(gate.state) == [(SLICE, "7f0001"), (SUBJECT, "7f0002")]
    assert b"cn=tom" not in b"".join(record for record in gate.state.records() if b"svc.egress" in record)


def test_two_workers_and_a_reload_share_what_is_in_flight(egress, gate):
    nginx = egress(workers=2)
    for client in range(1, 17):
        ask(nginx, f"/call?how={'same' if client % 2 else 'none'}", client)
    nginx.service.hold("old")
    old = threading.Thread(target=ask, args=(nginx, "/call?how=child&hold=old", 20))
    old.start()
    wait_for(lambda: nginx.service.waiting, "a request in flight")
    nginx.reload()
    ask(nginx, "/call?how=same", 21)
    nginx.service.let_go("old")  # begun by a worker of before, its call goes through one of after
    old.join()
    ask(nginx, "/call?how=none", 22)
    nginx.stop()
    assert sorted(calls(gate.state)) == [of(client) for client in [*range(1, 17), 20, 21, 22]]


def test_a_killed_worker_leaves_nothing_in_flight(egress, gate):
    nginx = egress()
    nginx.service.hold("lost")
    lost = threading.Thread(target=nginx.curl, args=("/call?how=none&hold=lost",))
    lost.start()
    wait_for(lambda: nginx.service.waiting, "a request in flight")
    before = nginx.workers()
    os.kill(before[0], 9)
    wait_for(lambda: nginx.workers() and nginx.workers() != before, "another worker")
    seen = []

    def joined():
        ask(nginx, "/call?how=none", 5)
        seen.append(1)
        return of(5) in calls(gate.state)

    wait_for(joined, "the dead worker's places to be swept")
    nginx.service.let_go("lost")
    lost.join()
    nginx.stop()


def test_a_blocked_call_never_reaches_its_destination(egress, gate, make_policy):
    gate.state.publish(make_policy(service="svc.egress"), "svc.egress")
    nginx = egress()
    assert ask(nginx, "/call?how=same", 1)["status"] == 200
    seen = len(gate.echo.seen)
    answer = ask(nginx, "/call?how=same&target=" + urllib.parse.quote(f"/a?{ATTACK_QUERY}", safe=""), 1)
    assert answer["status"] == 403 and len(gate.echo.seen) == seen
    nginx.stop()
    alert, = gate.state.alerts()
    assert alert["service"] == "svc.egress" and alert["action"] == "block" and alert["client"] == "127.0.1.1"
    assert alert["caused_by"] == TRACE.fullmatch(answer["traceparent"])[1]
    assert {finding["part"] for finding in alert["findings"]} == {"outbound"}


@pytest.mark.parametrize("what, text", [
    ("guard shop; guard_outbound on;", "name it \"NAME.egress\" or say for=NAME"),
    ("guard shop; guard_outbound on for=shop;", "name it \"NAME.egress\" or say for=NAME"),
    ("guard .egress; guard_outbound on;", "a service's name is"),
    ("guard shop.egress; guard_outbound yes;", 'must be "on" or "off"'),
    ("guard shop.egress; guard_outbound off for=shop;", "off takes no parameters"),
    ("guard shop.egress; guard_outbound on to=a/b;", "is none of for=SERVICE"),
    ("guard shop.egress; guard_outbound on for=$host;", "is none of for=SERVICE"),
    ("guard shop.egress; guard_outbound on join=never;", "is none of for=SERVICE"),
    ("guard shop.egress; guard_outbound on; guard_outbound on;", "is duplicate"),
    ("guard shop.egress; guard_trace maybe;", "invalid value"),
])
def test_mistakes_in_the_configuration_are_named(tmp_path, state, what, text):
    nginx = Nginx(tmp_path / "bad", f"guard_state {state.path}; server {{ listen 127.0.0.1:{{port}}; {what} }}")
    code, output = nginx.test()
    assert code != 0 and text in output, output


@pytest.mark.parametrize("size, good", [("64k", True), ("1k", False), ("65m", False)])
def test_the_size_of_the_join_zone(tmp_path, state, size, good):
    nginx = Nginx(tmp_path / "zone", f"""guard_state {state.path}; guard_join_zone {size};
        server {{ listen 127.0.0.1:{{port}}; guard shop.egress; guard_outbound on; }}""")
    assert (nginx.test()[0] == 0) == good


def test_a_full_zone_joins_by_time_nobody(egress, gate):
    """64k hold some hundreds; more are in flight at once."""
    nginx = egress(trace="off")
    nginx.reload("guard_join_zone 64k;\n" + nginx.http)
    nginx.service.hold("all")
    import socket
    idle = []
    for _ in range(460):
        connection = socket.create_connection(("127.0.0.1", nginx.port))
        connection.sendall(b"GET /call?how=none&hold=all HTTP/1.1\r\nHost: a\r\n\r\n")
        idle.append(connection)
    wait_for(lambda: len(nginx.service.waiting) == 460, "all to be in flight")
    call(nginx.service.egress, "/charge/1", host="payments:8443")
    for connection in idle:
        connection.close()
    nginx.service.let_go("all")
    wait_for(lambda: len(calls(gate.state)) == 461, "all calls")
    assert calls(gate.state)[0] == CALLER
    ask(nginx, "/call?how=none", 7)
    nginx.stop()
    assert calls(gate.state)[-1] == of(7)


PROXY = """
    guard_state {state};
    guard_policy_key {state}/keys/policy.pub;
    server {
        listen 127.0.0.1:{port};
        guard svc.egress;
        guard_outbound on;
        location / { proxy_pass http://$guard_destination$request_uri; proxy_set_header Host $guard_destination; }
    }"""


def test_what_is_judged_is_what_is_called(gate, echo):
    """A proxy that looks at one name and connects to another is none."""
    other = Server(lambda request: (200, "{}"))
    nginx = gate("", http=PROXY, publish=False)
    # The target counts, whatever Host says.
    assert call(nginx.port, f"http://127.0.0.1:{other.port}/a/b?c=d", host=f"127.0.0.1:{echo.port}")[0] == 200
    method, target, headers = other.seen.pop()
    assert (method, target, headers["Host"]) == ("GET", "/a/b?c=d", f"127.0.0.1:{other.port}") and not echo.seen
    assert call(nginx.port, "/in/origin/form", host=f"127.0.0.1:{echo.port}")[0] == 200
    assert echo.seen[-1][1] == "/in/origin/form"
    seen = len(echo.seen)
    for host in (f"x@127.0.0.1:{echo.port}", f"127.0.0.1:{echo.port}@x", f"127.0.0.1:{echo.port}%2f", "", "a b", "$host"):
        assert call(nginx.port, "/", host=host)[0] >= 400, host
    assert len(echo.seen) == seen and not other.seen
    nginx.stop()
    records = gate.state.records()
    assert f"127.0.0.1:{other.port}".encode() in records[0] and f"127.0.0.1:{echo.port}".encode() not in records[0]
    assert f"127.0.0.1:{echo.port}".encode() in records[1]
    other.close()


def test_a_destination_that_is_configured_counts_whatever_host_says(gate, echo):
    nginx = gate("", http="""
    guard_state {state};
    guard_policy_key {state}/keys/policy.pub;
    server {
        listen 127.0.0.1:{port};
        guard svc.egress;
        guard_outbound on to=Payments.Example:8443;
        location / { proxy_pass http://{echo}; proxy_set_header Host $guard_destination; }
    }""", publish=False)
    assert call(nginx.port, "/a", host="elsewhere")[0] == 200
    assert call(nginx.port, "http://elsewhere/a", host="elsewhere")[0] == 200
    headers = dict(json.loads(call(nginx.port, "/a")[1])["headers"])
    assert headers["Host"] == "Payments.Example:8443"
    nginx.stop()
    for record in gate.state.records():
        assert b"payments.example:8443" in record and b"elsewhere" not in record


# --- The whole: `guard run --egress`, a vulnerable service, its data store, and what it can be made to call.

NAMES = ["hat", "blue shirt", "socks", "coat", "umbrella", "scarf", "boots", "gloves", "belt", "tie"]


class Store:
    """A data store with an HTTP interface, which trusts its caller completely."""

    def __init__(self):
        self.server = Server(self.handle)
        self.lock = threading.Lock()
        self.base = sqlite3.connect(":memory:", check_same_thread=False)
        self.base.execute("create table items (name text, price int)")
        self.base.executemany("insert into items values (?, ?)", [(name, 10 + i) for i, name in enumerate(NAMES)])

    def handle(self, request):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.path).query))
        with self.lock:
            rows = self.base.execute(f"select name, price from items where name = '{query['name']}'").fetchall()
        return 200, json.dumps(rows)


class Shop:
    """Vulnerable twice: what it is asked goes into the store's query as it came, and it fetches what URL it is given."""

    def __init__(self, store_port, proxy_port):
        self.server = Server(self.handle)
        self.store_port = store_port
        self.proxy_port = proxy_port

    def handle(self, request):
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        parent = request.headers.get("traceparent", "")
        trace = TRACE.fullmatch(parent)
        headers = {"User-Agent": "shop/1.0"}
        if url.path == "/items":
            if trace:  # as tracing libraries do it
                headers["traceparent"] = f"00-{trace[1]}-{secrets.token_hex(8)}-{trace[3]}"
            target = "/select?name=" + urllib.parse.quote(query["name"])
            status, body = call(self.store_port, target, headers)
        else:
            if trace:  # as services without one do it
                headers["traceparent"] = parent
            status, body = call(self.proxy_port, query["url"], headers)
        return (200 if status == 200 else 502), json.dumps({"trace": trace[1] if trace else None, "body": body.decode()})


class Running:
    def __init__(self, state, log, *arguments):
        self.state = state
        self.log = open(log, "wb")
        self.process = subprocess.Popen([BIN / "guard", "run", "--state", state, "--workers", "2", *arguments],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)

    def guard(self, *arguments):
        done = subprocess.run([BIN / "guard", *arguments, "--state", self.state], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def service(self, name):
        try:
            services = json.loads((pathlib.Path(self.state) / "status.json").read_text())["services"]
        except (OSError, ValueError):
            services = []
        return next((s for s in services if s["service"] == name), {"exchanges": 0, "generation": 0})

    def wait_blocking(self, service):
        """Until each of the two workers has said that it judges by a policy in mode block: they look for one in turns of their own."""
        said = re.compile(rf"(\d+)#\d+: guard: service {re.escape(service)}: generation \d+ is in force, mode block")
        log = pathlib.Path(self.state) / "nginx" / "error.log"
        wait_for(lambda: len(set(said.findall(log.read_text()))) == 2, "both workers to block")

    def alerts(self, service):
        return [json.loads(line) for line in self.guard("alerts", "--format", "jsonl", "--service", service).splitlines()]

    def stop(self):
        status = end_process(self.process)
        self.process.stdout.close()
        self.log.close()
        return status


@pytest.fixture
def folder():
    """Open to nginx's workers, which have another account when root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="guard-test.") as path:
        os.chmod(path, 0o711)
        yield pathlib.Path(path)


@pytest.fixture
def shop(folder):
    store, images, inside = Store(), Server(lambda request: (200, "{}")), Server(lambda request: (200, '"the key"'))
    ports = {name: free_port() for name in ("listen", "store", "proxy")}
    app = Shop(ports["store"], ports["proxy"])
    running = Running(folder / "state", folder / "log", "--upstream", f"http://127.0.0.1:{app.server.port}",
                      "--listen", f"127.0.0.1:{ports['listen']}", "--service", "shop", "--mode", "observe",
                      "--egress", f"{ports['store']}=http://127.0.0.1:{store.server.port}",
                      "--egress-proxy", f"127.0.0.1:{ports['proxy']}")
    running.store, running.images, running.inside, running.ports = store, images, inside, ports
    assert running.process.stdout.readline().startswith("guard: listening on"), (folder / "log").read_text()
    yield running
    running.stop()
    for server in (store.server, images, inside, app.server):
        server.close()


def shop_ask(running, path, client):
    """The answer's status. Asks as curl does, without a process for each of a thousand requests."""
    connection = http.client.HTTPConnection("127.0.0.1", running.ports["listen"], timeout=120, source_address=(f"127.0.{client}.1", 0))
    connection.putrequest("GET", path, skip_accept_encoding=True)
    connection.putheader("User-Agent", "curl/7.88.1")
    connection.putheader("Accept", "*/*")
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def items(name):
    return "/items?name=" + urllib.parse.quote(name)


def preview(port, path):
    return "/preview?url=" + urllib.parse.quote(f"http://127.0.0.1:{port}{path}", safe="")


CLIENTS = range(1, 61)


def teach(running, rounds):
    for turn in range(rounds):
        for client in CLIENTS:
            assert shop_ask(running, items(NAMES[(client * 7 + turn) % len(NAMES)]), client) == 200
            assert shop_ask(running, preview(running.images.port, f"/img/{(client * 3 + turn) % 10}.png"), client) == 200


def blocked_with(running, text):
    """The first blocking alert of the outbound gate whose explanation holds the text, or None while there is none."""
    return next((alert for alert in running.alerts("shop.egress")
                 if alert["action"] == "block" and text in alert["explanation"]), None)


def test_the_outbound_gate_alone_stops_what_a_service_is_made_to_call(shop):
    rounds = 7
    teach(shop, rounds)
    calls_made = rounds * len(CLIENTS) * 2
    wait_for(lambda: shop.service("shop.egress")["exchanges"] >= calls_made, "the calls to be learned")
    wait_for(lambda: shop.service("shop")["exchanges"] >= calls_made, "the requests that made them to be learned")
    shop.guard("mode", "block", "--service", "shop.egress")
    shop.wait_blocking("shop.egress")
    injection = items("hat' or '1'='1")
    ssrf = preview(shop.inside.port, "/latest/meta-data/credentials")
    seen = len(shop.inside.seen), len(shop.store.server.seen)
    for client in (70, 71, 72):
        assert shop_ask(shop, injection, client) == 502
        assert shop_ask(shop, ssrf, client) == 502
    assert (len(shop.inside.seen), len(shop.store.server.seen)) == seen, "a blocked call reached its destination"
    # What is normal goes on.
    teach(shop, 1)
    # Alerts come from one ring per worker, in no order between the workers: each that is asked for is waited for.
    destination = wait_for(lambda: blocked_with(shop, f'"127.0.0.1:{shop.inside.port}" never called in'), "the alert of the SSRF")
    query = wait_for(lambda: blocked_with(shop, " param name: "), "the alert of the injection")
    alerts = [alert for alert in shop.alerts("shop.egress") if alert["action"] == "block"]
    assert destination["findings"][0]["rule"] == "destination"
    assert query["template"] == f"/127.0.0.1:{shop.store.server.port}/select"
    assert {finding["part"] for alert in alerts for finding in alert["findings"]} == {"outbound"}
    assert all(alert["caused_by"] for alert in alerts)
    # The inbound gate let all pass.
    assert all(alert["action"] != "block" for alert in shop.alerts("shop"))
    assert shop.stop() == 0


def refused(state, *arguments):
    done = subprocess.run([BIN / "guard", "run", "--upstream", "http://127.0.0.1:9", "--state", state, *arguments],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments, text", [
    (["--egress", "9101"], "--egress is LISTEN=URL"),
    (["--egress", "9101=ftp://a"], "--egress is LISTEN=http://"),
    (["--egress", "9101=http://"], "names no host"),
    (["--egress", "9101=http://127.0.0.1/path"], "paths aren't allowed"),
    (["--egress", "9101=http://user@127.0.0.1"], "paths aren't allowed"),
    (["--egress", "9101=http://127.0.0.1:0"], "paths aren't allowed"),
    (["--egress", "9101=http://127.0.0.1;}"], "paths aren't allowed"),
    (["--egress", "9101=http://no-such-host.invalid"], "no-such-host.invalid"),
    (["--egress", "70000=http://127.0.0.1"], "is no address:port"),
    (["--egress", "a b:1=http://127.0.0.1"], "is no address:port"),
    (["--egress", "0.0.0.0:9101=http://127.0.0.1"], "listen on 127.0.0.1, or say by --egress-allow"),
    (["--egress-proxy", "0.0.0.0:9101"], "listen on 127.0.0.1, or say by --egress-allow"),
    (["--egress-proxy", "9101", "--egress-allow", "any;"], "is no CIDR"),
    (["--egress-proxy", "9101", "--egress-trace", "maybe"], "--egress-trace is"),
    (["--egress-proxy", "9101", "--service", "s" * 60], "at most 57"),
    (["--egress-proxy", "9101"] * 17, "more than 16"),
])
def test_egress_options_that_make_no_sense_are_refused(tmp_path, arguments, text):
    status, errors = refused(tmp_path / "state", *arguments)
    assert status == 2 and text in errors, errors


def egress_run(folder, *arguments):
    listen = free_port()
    running = Running(folder / "state", folder / "log", "--upstream", "http://127.0.0.1:9",
                      "--listen", f"127.0.0.1:{listen}", "--service", "shop", *arguments)
    first = running.process.stdout.readline()
    if not first.startswith("guard: listening on"):
        running.stop()
        raise AssertionError((folder / "log").read_text())
    return running


def test_a_proxy_does_not_call_itself_for_ever(folder, echo):
    port = free_port()
    running = egress_run(folder, "--egress-proxy", str(port), "--egress-proxy", f"127.0.0.1:{free_port()}")
    try:
        assert call(port, f"http://127.0.0.1:{echo.port}/a", {"Proxy-Authorization": "Basic eDp5"})[0] == 200
        assert call(port, f"http://127.0.0.1:{port}/a")[0] == 508
        # A tunnel isn't HTTP that could be looked at.
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("CONNECT", "127.0.0.1:1")
        assert connection.getresponse().status in (400, 405)
        headers = dict(json.loads(call(port, f"http://127.0.0.1:{echo.port}/a", {"Proxy-Authorization": "Basic eDp5"})[1])["headers"])
        assert "Proxy-Authorization" not in headers and headers["Via"] == "1.1 guard-egress"
        guardians = sorted(path.stem for path in (folder / "state" / "guardians").iterdir())
        assert guardians == ["shop", "shop.egress"]
    finally:
        assert running.stop() == 0


@pytest.fixture
def tls_destination(folder, echo):
    """An nginx that speaks TLS for localhost, and the certificate to trust: (port, file)."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-keyout", key, "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                   check=True, capture_output=True)
    instance = Nginx(folder / "tls", f"""server {{ listen 127.0.0.1:{{port}} ssl; ssl_certificate {certificate};
        ssl_certificate_key {key}; location / {{ proxy_pass http://127.0.0.1:{echo.port}; proxy_set_header Host $http_host; }} }}""",
                     module=None)
    yield instance.start().port, certificate
    instance.stop()


def test_https_destinations_are_verified(folder, echo, tls_destination):
    port, certificate = tls_destination
    trusted, other_name, untrusted = free_port(), free_port(), free_port()
    running = egress_run(folder, "--egress", f"{trusted}=https://localhost:{port}",
                         "--egress", f"{other_name}=https://127.0.0.1:{port}", "--egress-ca", certificate)
    try:
        status, body = call(trusted, "/a")
        assert status == 200 and dict(json.loads(body)["headers"])["Host"] == f"localhost:{port}"
        assert call(other_name, "/a")[0] == 502, "the certificate names another host"
    finally:
        assert running.stop() == 0
    running = egress_run(folder, "--egress", f"{untrusted}=https://localhost:{port}")
    try:
        seen = len(echo.seen)
        assert call(untrusted, "/a")[0] == 502 and len(echo.seen) == seen
    finally:
        assert running.stop() == 0


def test_recorded_calls_are_learned_and_checked(tmp_path):
    """guard learn and check --outbound: the destination is in the target or in Host. All clients fetch all images: where a third of
    all calls were to images that hardly anyone fetched, an unknown destination would prove less."""
    def exchange(number, target, host, **more):
        return {"id": f"x{number}", "time": 1_750_000_000 + number, "service": "shop.egress", "client": f"10.0.{number % 59}.7",
                "request": {"method": "GET", "target": target, "headers": [["host", host], ["user-agent", "shop/1"]]}, **more}

    calls_made = [exchange(i, f"/charge/{i}", "Payments:8443") if i % 2 else
                  exchange(i, f"http://images/{'abcdefghij'[i // 2 % 10]}.png", "images") for i in range(900)]
    traffic, pile, guardian = tmp_path / "calls.jsonl", tmp_path / "pile", tmp_path / "guardian.yaml"
    traffic.write_text("".join(json.dumps(each) + "\n" for each in calls_made))
    subprocess.run([BIN / "guard", "learn", "--outbound", "--pile", pile, "--guardian", guardian, traffic], check=True,
                   capture_output=True)
    traffic.write_text("".join(json.dumps(each) + "\n" for each in [
        exchange(1, "/charge/17", "PAYMENTS.:8443"), exchange(2, "http://images:80/c.png", "images:80"),
        exchange(3, "/charge/17", "payments:8444"), exchange(4, "http://images@evil/c.png", "images"),
        exchange(5, "/charge/1%20or%201=1", "payments:8443")]))
    done = subprocess.run([BIN / "guard", "check", "--outbound", "--guardian", guardian, "--pile", pile, "--format", "jsonl", traffic],
                          check=True, capture_output=True, text=True)
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    rules = [[finding["rule"] for finding in verdict["findings"]] for verdict in verdicts]
    assert [verdict["verdict"] for verdict in verdicts] == ["pass", "pass", "block", "block", "block"], verdicts
    assert rules[2][0] == "destination" and "destination" in rules[3] and "destination" not in rules[4]
    assert verdicts[2]["findings"][0]["observed"] == "payments:8444"
    assert verdicts[3]["findings"][rules[3].index("destination")]["observed"] == "evil"
    assert all(finding["part"] == "outbound" for verdict in verdicts for finding in verdict["findings"])
