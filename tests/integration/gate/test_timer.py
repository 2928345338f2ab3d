# SPDX-License-Identifier: Apache-2.0
"""The time alone stops an exploit: a service whose query can be made to work for seconds by SQL injection, its endpoint
learned from fast answers. All other parts are in mode observe."""

import json
import pathlib
import re
import sqlite3
import subprocess
import threading
import time
import urllib.parse

import pytest

from harness import Handler, Server, end_process, processes_below, wait_for
from learned import Learned
from traffic import Shop

# Answers are learned that take SLOWEST at most: twice that is the deadline. An ordinary answer has that long before a machine that stands
# still makes it late.
SLOWEST = 1500
DEADLINE = 2 * SLOWEST / 1000
# What blind injection measures: the data store works for as long as it is told. Where it is cut it never ends by itself.
INJECTED = "tom' AND sleep(600) AND 'a'='a"
SLOWED = f"tom' AND sleep({DEADLINE + 1}) AND 'a'='a"


class Users(Handler):
    """/users?username= answers with what the query finds; /stream sends its head and a part before it asks."""

    wbufsize = 0

    def find(self, name):
        database = sqlite3.connect(":memory:", check_same_thread=False)
        database.create_function("sleep", 1, lambda seconds: self.server.interrupted.wait(seconds) or 1)
        database.execute("CREATE TABLE users(name TEXT)")
        database.execute("INSERT INTO users VALUES('tom')")
        self.server.open.add(database)
        try:
            return database.execute(f"SELECT name FROM users WHERE name='{name}'").fetchall()
        finally:
            self.server.open.discard(database)
            database.close()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def do_GET(self):
        target = urllib.parse.urlsplit(self.path)
        name = urllib.parse.parse_qs(target.query).get("username", [""])[0]
        self.server.connections.add(self.connection)
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        if target.path == "/stream":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.chunk(b'{"users":[' + b" " * 5000)
            self.chunk(json.dumps(self.find(name)).encode())
            self.chunk(b"]}")
            self.wfile.write(b"0\r\n\r\n")
            return
        text = json.dumps(self.find(name)).encode()
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class UserServer(Server):
    def __init__(self):
        super().__init__(Users)

    def prepare(self):
        self.open = set()
        self.connections = set()
        self.interrupted = threading.Event()

    def interrupt(self):
        """Ends all queries, and lets none of later ones last."""
        self.interrupted.set()

    def close(self):
        self.interrupt()
        wait_for(lambda: not self.open, "the queries to end")
        super().close()


@pytest.fixture
def users():
    server = UserServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Answers of 2 ms to SLOWEST."""
    shop = Shop(3, service="svc", clients=1000)
    exchanges = []
    for i in range(8000):
        path = ("/users", "/users", "/stream", "/static")[i % 4]
        exchange = shop.exchange("GET", f"{path}?username={shop.name()}")
        exchange["request"]["headers"].append(["accept", "*/*"])
        exchange["response"]["latency_ms"] = round(shop.random.uniform(2, SLOWEST), 1)
        exchanges.append(exchange)
    exchanges[0]["response"]["latency_ms"] = exchanges[2]["response"]["latency_ms"] = SLOWEST
    return Learned(tmp_path_factory.mktemp("learned"), exchanges)


SERVERS = """
    proxy_cache_path {prefix}/cache keys_zone=cache:1m;
    server {
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{port2} http2;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Client;
        root {prefix};
        location = /guard { guard_status; }
        location / { proxy_pass http://{users}; LOCATION }
        location /unbuffered/ { proxy_buffering off; proxy_pass http://{users}/; }
        location /static { limit_rate 150; }
    }"""


@pytest.fixture
def front(gate, learned, users):
    def make(time="block", location="", servers=SERVERS, publish=True, **options):
        if publish:
            learned.publish(gate.state, time=time, budget=0.001)
        text = servers.replace("LOCATION", location).replace("{users}", f"127.0.0.1:{users.port}")
        return gate(text, publish=False, **options)
    make.state = gate.state
    return make


def path_of(name, path="/users"):
    return path + "?" + urllib.parse.urlencode({"username": name})


def ask(nginx, name=INJECTED, path="/users", *options, port="port"):
    """(answer, seconds)."""
    begun = time.monotonic()
    answer = nginx.curl(path_of(name, path), "-H", "Host: shop.example", "-A", "shop-app/1.4", *options, port=port)
    return answer, time.monotonic() - begun


def counts(nginx):
    return nginx.curl("/guard").json()["services"][0]["counts"]


def late_alerts(front):
    """The request is odd as well; that it is late is what counts here."""
    return [alert for alert in front.state.alerts() if "latency" in [finding["rule"] for finding in alert["findings"]]]


def fine(nginx):
    for _ in range(3):
        answer, _ = ask(nginx, "tom")
        assert (answer.status, answer.body) == (200, b'[["tom"]]')


@pytest.mark.parametrize("port,options", [("port", []), ("port2", ["--http2-prior-knowledge"])])
def test_what_is_late_is_cut(front, users, port, options):
    nginx = front()
    fine(nginx)
    answer, seconds = ask(nginx, INJECTED, "/users", *options, port=port)
    assert answer.status == 403 and len(answer.headers["x-guard-id"]) == 32
    assert DEADLINE * 0.9 <= seconds
    assert users.open, "the query was over by itself: it proves nothing"
    alert, = late_alerts(front)
    assert (alert["verdict"], alert["action"], alert["id"]) == ("block", "block", answer.headers["x-guard-id"])
    status = counts(nginx)
    assert (status["late"], status["late_cut"], status["late_spared"], status["done_block"]) == (1, 1, 0, 1)
    # nginx has let go of the service.
    pid, = nginx.workers()
    wait_for(lambda: users.port not in peers_of(pid), "the connection to be closed")
    fine(nginx)
    nginx.stop()
    assert [head["decision"] for head in front.state.heads()].count("block") == 1
    assert "[alert]" not in nginx.log_text()


def peers_of(pid):
    """Ports at the other end of a process's established IPv4 connections."""
    own = set()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            own.add(entry.readlink().name.removeprefix("socket:[").removesuffix("]"))
        except OSError:
            pass
    lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(line[2].split(":")[1], 16) for line in lines if line[3] == "01" and line[9] in own]


@pytest.mark.parametrize("path", ["/stream", "/unbuffered/stream"])
@pytest.mark.parametrize("port,options", [("port", []), ("port2", ["--http2-prior-knowledge"])])
def test_what_is_under_way_is_aborted(front, users, path, port, options):
    nginx = front()
    for _ in range(3):
        answer, _ = ask(nginx, "tom", path, *options, port=port)
        assert (answer.status, json.loads(answer.body)) == (200, {"users": [[["tom"]]]})
    if path != "/stream":
        return  # its template wasn't learned; it only mustn't be harmed
    begun = time.monotonic()
    done = subprocess.run(["curl", "-sS", "-N", *options, "-H", "Host: shop.example", "-A", "shop-app/1.4",
                           nginx.url(path_of(INJECTED, path), port)], capture_output=True, timeout=120, check=False)
    assert done.returncode in (18, 92), done.stderr  # the transfer was cut; the stream was reset
    assert done.stdout.startswith(b'{"users":[') and not done.stdout.endswith(b"}")
    assert DEADLINE * 0.9 <= time.monotonic() - begun
    assert users.open
    assert counts(nginx)["late_cut"] == 1
    fine(nginx)
    assert "[alert]" not in nginx.log_text()


def test_only_the_stream_is_reset(front, users, tmp_path):
    """Others of the same connection go on, and the reset isn't kept until one of them has something to say."""
    nginx = front()
    late = nginx.url(path_of(INJECTED, "/stream"), "port2")
    slow = nginx.url(path_of(INJECTED, "/other"), "port2")  # unknown, so it may take as long as it likes
    out = tmp_path / "frames"

    def resets():
        # "[  0.123] recv RST_STREAM frame <length=4, flags=0x00, stream_id=13>" and below it the code
        return re.findall(r"\[ *([0-9.]+)\] recv RST_STREAM frame .*\n *\(error_code=INTERNAL_ERROR", out.read_text())
    with open(out, "wb") as told:
        client = subprocess.Popen(["nghttp", "-nv", "--no-dep", late, slow], stdout=told)
    try:
        wait_for(resets, "the reset, while the other one is silent")
        assert client.poll() is None and users.open
        users.interrupt()
        client.wait(120)
    finally:
        end_process(client)
    assert len(resets()) == 1 and DEADLINE * 0.9 <= float(resets()[0]), out.read_text()
    assert out.read_text().count(":status: 200") == 2


@pytest.mark.parametrize("mode,alerts", [("alert", 1), ("observe", 0)])
def test_modes(front, mode, alerts):
    nginx = front(mode)
    answer, seconds = ask(nginx, SLOWED)
    assert (answer.status, answer.body) == (200, b'[["tom"]]')
    assert seconds > DEADLINE
    told = late_alerts(front)
    assert [(alert["verdict"], alert["action"]) for alert in told] == [("block", "alert")] * alerts
    assert counts(nginx)["late_cut"] == 0


def test_an_alert_comes_when_it_is_late(front, users):
    """Not when the response is complete, which may be never."""
    nginx = front("alert")
    thread = threading.Thread(target=ask, args=(nginx, INJECTED))
    thread.start()
    wait_for(lambda: late_alerts(front), "the alert")
    assert users.open
    users.interrupt()
    thread.join()
    wait_for(lambda: counts(nginx)["exchanges"] == 1, "the exchange's end")
    assert len(front.state.alerts()) == 1


@pytest.mark.parametrize("directive,status,alerts", [("off", 200, 0), ("alert", 200, 1), ("abort", 403, 1)])
def test_the_directive_limits_the_guardian(front, directive, status, alerts):
    nginx = front(location=f"guard_time {directive};")
    answer, _ = ask(nginx, SLOWED)
    assert answer.status == status
    assert counts(nginx)["late"] == alerts


def test_a_bypass_lets_late_ones_through(front):
    front.state.bypass({"until_ms": 10**14})
    nginx = front()
    assert ask(nginx, SLOWED)[0].status == 200


def test_the_page_of_the_operator(front):
    nginx = front(location="error_page 403 @mine;", servers=SERVERS.replace(
        "location /static", "location @mine { return 403 'mine'; } location /static"))
    answer, _ = ask(nginx)
    assert (answer.status, answer.body) == (403, b"mine")
    assert "[alert]" not in nginx.log_text()


def test_slow_clients_are_not_slow_services(front, tmp_path):
    """Static files have no timer; nor does a cache's hit; and who reads slowly makes no service late."""
    nginx = front(location="proxy_cache cache; proxy_cache_valid 1h; proxy_ignore_headers Cache-Control; limit_rate 50;")
    (nginx.prefix / "static").write_bytes(b"x" * 900)
    assert nginx.curl("/static?username=tom", "-H", "Host: shop.example", "-A", "shop-app/1.4").status == 200
    for _ in range(2):  # a miss and a hit
        answer, seconds = ask(nginx, "tom")
        assert answer.status == 200 and answer.body == b'[["tom"]]'
    status = counts(nginx)
    assert status["late"] == 0 and status["exchanges"] == 3


def test_when_everything_is_slow_nothing_is_cut(front, users):
    nginx = front()
    statuses = [None] * 20

    def one(i):
        statuses[i] = ask(nginx, SLOWED, "/users", "-H",
                          f"X-Client: 192.0.2.{i}")[0].status

    threads = [threading.Thread(target=one, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    status = counts(nginx)
    assert statuses.count(403) == status["late_cut"] == 10, "10 of 200 may be late; from the 11th on none is cut"
    assert status["late_spared"] == 20 - status["late_cut"]
    assert nginx.curl("/guard").json()["services"][0]["slow"] is True
    log = nginx.log_text()
    assert log.count("as long as everything is slow, none is cut") == 1
    load = subprocess.run(["h2load", "--h1", "-n", "250", "-c", "1", nginx.url(path_of("tom"))], check=True, capture_output=True,
                          text=True, timeout=120)
    assert "250 succeeded" in load.stdout
    assert nginx.curl("/guard").json()["services"][0]["slow"] is False
    assert nginx.log_text().count("in time again") == 1
    assert ask(nginx)[0].status == 403


def test_a_client_that_leaves_takes_its_timer_along(front, users):
    nginx = front()
    for number in range(1, 6):
        client = subprocess.Popen(["curl", "-s", "-H", "Host: shop.example", "-A", "shop-app/1.4", nginx.url(path_of(INJECTED))],
                                  stdout=subprocess.DEVNULL)
        wait_for(lambda: len(users.open) == number, "the query")
        client.kill()
        client.wait()
    users.interrupt()
    wait_for(lambda: counts(nginx)["exchanges"] == 5, "the exchanges")
    late = counts(nginx)["late"]  # a machine that stands still may leave too late
    time_over = time.monotonic() + DEADLINE + 0.5
    wait_for(lambda: time.monotonic() > time_over, "deadlines that were")
    assert counts(nginx)["late"] == late
    fine(nginx)


def test_graceful_shutdown_still_cuts(front, users):
    nginx = front()
    result = []
    thread = threading.Thread(target=lambda: result.append(ask(nginx)))
    thread.start()
    wait_for(lambda: users.open, "the query")
    before = set(nginx.workers())
    nginx.reload()
    thread.join()
    assert result[0][0].status == 403
    wait_for(lambda: not before & set(processes_below(nginx.process.pid)), "the old worker to end")
