# SPDX-License-Identifier: Apache-2.0
"""Bad responses are replaced while they are held and cut when they are under way; good ones pass, and what may not be held
isn't."""

import http.client
import socket
import subprocess
import time

import pytest

from harness import wait_for

from .conftest import GUARDED, HELD
from .service import BAD, Service, body_of

H2 = ["--http2-prior-knowledge"]

SERVERS = """
    proxy_cache_path {prefix}/cache keys_zone=zone:1m;
    proxy_http_version 1.1;
    server {
        listen 127.0.0.1:{port};
        location / { proxy_pass http://{service}; }
        location /direct/ { proxy_buffering off; proxy_pass http://{service}/; }
        location /small/ { guard_response_hold 4k 60s; proxy_pass http://{service}/; }
        location /long/ { guard_response_hold 64k 60s; proxy_pass http://{service}/; }
        location /never/ { guard_response_hold 0; proxy_pass http://{service}/; }
        location /off/ { guard_response off; proxy_pass http://{service}/; }
        location /page/ { error_page 403 /page.html; proxy_pass http://{service}/; }
        location = /page.html { internal; root {prefix}; }
        location /cached/ {
            proxy_cache zone; proxy_cache_valid 200 1m; proxy_ignore_headers Cache-Control Set-Cookie;
            add_header X-Cache $upstream_cache_status;
            proxy_pass http://{service}/;
        }
    }
    server { listen 127.0.0.1:{port2} http2; location / { proxy_pass http://{service}; }
        location /small/ { guard_response_hold 4k 60s; proxy_pass http://{service}/; } }
"""


@pytest.fixture
def service():
    server = Service()
    yield server
    server.close()


@pytest.fixture
def front(gate, service):
    """The gate before the service, with a policy that blocks bad responses."""
    def make(mode="block", http=HELD, servers=SERVERS, **options):
        instance = gate(servers.replace("{service}", f"127.0.0.1:{service.port}"), mode=mode, http=http,
                        leaks=True, **options)
        (instance.prefix / "page.html").write_text("our page\n")
        return instance
    return make


def assert_replaced(answer):
    assert answer.status == 403
    for name in ("etag", "set-cookie", "x-service", "content-encoding", "last-modified", "accept-ranges"):
        assert name not in answer.headers, name
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-guard-id"].encode() in answer.body
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert BAD not in answer.body


def fetch(instance, path, port="port"):
    """(status, body, whole?) by HTTP/1.1: an abort is told from an end."""
    connection = http.client.HTTPConnection("127.0.0.1", instance.ports[port], timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        try:
            return response.status, response.read(), True
        except (http.client.IncompleteRead, ConnectionError, ValueError) as error:
            return response.status, getattr(error, "partial", b""), False
    finally:
        connection.close()


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("port,options", [("port", []), ("port2", H2)], ids=["h1", "h2"])
@pytest.mark.parametrize("query", ["bad=start&size=100", "bad=end&size=30000"])
def test_held_response_is_replaced(front, framing, port, options, query):
    instance = front()
    good = query.replace("bad", "good")
    answer = instance.curl(f"/a?{good}&framing={framing}", *options, port=port)
    assert answer.status == 200 and answer.body == body_of(good)
    assert_replaced(instance.curl(f"/a?{query}&framing={framing}", *options, port=port))


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("path", ["/direct/a", "/small/a", "/never/a"])
def test_response_under_way_is_cut(front, framing, path):
    instance = front()
    query = "size=200000"
    assert fetch(instance, f"{path}?{query}&framing={framing}") == (200, body_of(query), True)
    status, body, whole = fetch(instance, f"{path}?{query}&bad=end&framing={framing}")
    assert (status, whole) == (200, False)
    # Without a length all there was is known only when the end comes; with one the last bytes are kept.
    assert framing != "length" or len(body) < 200000


def test_response_under_way_is_cut_for_http10(front):
    """Without a length its end is the connection's: only a reset tells that something is missing."""
    instance = front()
    with socket.create_connection(("127.0.0.1", instance.port)) as sock:
        sock.sendall(b"GET /small/a?size=200000&bad=end&framing=chunked HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            while sock.recv(65536):
                pass


def test_stream_under_way_is_reset(front):
    instance = front()
    done = subprocess.run(["curl", "-sS", *H2, "-o", "/dev/null", instance.url("/small/a?size=200000&bad=end", "port2")],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 92, done.stderr  # the stream wasn't closed cleanly
    assert instance.curl("/a?size=10", *H2, port="port2").status == 200


def test_connection_lives_on_after_a_replaced_response(front):
    instance = front()
    connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=60)
    for framing in ("length", "chunked"):
        connection.request("GET", f"/a?bad=start&framing={framing}")
        response = connection.getresponse()
        assert response.status == 403 and response.read()
        connection.request("GET", f"/a?size=500&framing={framing}")
        response = connection.getresponse()
        assert response.status == 200 and response.read() == body_of("size=500")
    connection.close()


@pytest.mark.parametrize("mode", ["alert", "observe"])
def test_nothing_is_held_where_nothing_is_blocked(front, service, mode):
    instance = front(mode=mode)
    with socket.create_connection(("127.0.0.1", instance.port)) as sock:
        sock.settimeout(50)
        sock.sendall(b"GET /long/a?size=20000&framing=chunked&wait=x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200")  # while the service still waits
        service.let_go("x")
    assert instance.curl("/a?bad=start").status == 200


def test_slow_response_is_released_by_time(front, service):
    instance = front(http=GUARDED)
    with socket.create_connection(("127.0.0.1", instance.port)) as sock:
        sock.settimeout(50)
        sock.sendall(b"GET /a?size=20000&framing=chunked&wait=x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        service.let_go("x")
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            part = sock.recv(65536)
            assert part
            data += part
    # Released, then found to be bad.
    service.release.clear()
    with socket.create_connection(("127.0.0.1", instance.port)) as sock:
        sock.settimeout(50)
        sock.sendall(b"GET /a?size=20000&bad=end&framing=chunked&wait=y HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        service.let_go("y")
        data = b""
        while part := sock.recv(65536):
            data += part
        assert not data.endswith(b"0\r\n\r\n")


def test_bad_beginning_is_replaced_when_the_time_is_over(front, service):
    instance = front(http=GUARDED + "guard_response_hold 64k 4s;")
    answer = instance.curl("/a?size=20000&bad=start&framing=chunked&wait=x")
    assert_replaced(answer)
    service.let_go("x")


def test_bad_beginning_of_a_large_response_is_replaced(front):
    instance = front()
    assert_replaced(instance.curl("/a?size=3000000&bad=start"))
    assert_replaced(instance.curl("/a?size=3000000&bad=start", *H2, port="port2"))


@pytest.mark.parametrize("path,query", [
    ("/events", "wait=x&field=X-Accel-Buffering:no"),
    ("/events", "wait=x&type=application/json&field=X-Accel-Buffering:no"),
    ("/direct/events", "wait=x"),
    ("/direct/events", "wait=x&type=application/json"),
], ids=["events-accel", "json-accel", "events-unbuffered", "json-unbuffered"])
def test_first_bytes_of_streams_arrive_at_once(front, service, path, query):
    instance = front()
    with socket.create_connection(("127.0.0.1", instance.port)) as sock:
        sock.settimeout(50)  # less than the time that a response may be held
        sock.sendall(f"GET {path}?{query} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        data = b""
        while b"data: first" not in data:
            part = sock.recv(65536)
            assert part
            data += part
        service.let_go("x")
        while b"data: last" not in data:
            part = sock.recv(65536)
            assert part
            data += part


@pytest.mark.parametrize("options", [["-I"], []], ids=["head", "get"])
@pytest.mark.parametrize("status", [200, 204, 304, 404, 500])
def test_responses_without_bodies(front, options, status):
    instance = front()
    answer = instance.curl(f"/a?status={status}&size=10", *options)
    assert answer.status == status
    answer = instance.curl(f"/a?status={status}&size=10&header=X-Q:needle%27", *options)
    assert answer.status == 403
    assert "etag" not in answer.headers


def test_ranges_of_what_is_cached(front):
    instance = front()
    whole = body_of("size=5000")
    target = "/cached/a?size=5000&header=Accept-Ranges:bytes"
    for _ in range(2):
        answer = instance.curl(target, "-r", "100-199")
        assert (answer.status, answer.body) == (206, whole[100:200])
    assert fetch(instance, target) == (200, whole, True)
    answer = instance.curl(f"{target}&bad=start", "-r", "0-4999")
    assert BAD not in answer.body  # under way; but nothing of it is complete
    assert_replaced(instance.curl(f"{target}&bad=start"))


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("size", [200, 200000])
def test_blocked_response_is_never_cached(front, service, framing, size):
    instance = front()
    query = f"size={size}&bad=start&framing={framing}"
    for count in (1, 2):
        assert_replaced(instance.curl(f"/cached/a?{query}"))
        assert len(service.seen) == count, "it was stored"
    query = f"size={size}&bad=end&framing={framing}"
    fetch(instance, f"/cached/a?{query}")
    count = len(service.seen)
    fetch(instance, f"/cached/a?{query}")
    assert len(service.seen) == count + 1, "it was stored"
    assert not [path for path in (instance.prefix / "cache").rglob("*") if path.is_file()]
    good = f"size={size}&framing={framing}"
    assert fetch(instance, f"/cached/a?{good}") == (200, body_of(good), True)
    count = len(service.seen)
    assert fetch(instance, f"/cached/a?{good}") == (200, body_of(good), True)
    assert len(service.seen) == count, "a good one wasn't stored"


def test_hits_are_judged(front, state, make_policy, service):
    from .conftest import wait_generation
    instance = front(mode="alert")
    assert instance.curl("/cached/a?bad=start").status == 200
    assert instance.curl("/cached/a?bad=start").headers["x-cache"] == "HIT"
    state.publish(make_policy(generation=2, mode="block", leaks=True))
    wait_generation(instance, 2)
    assert_replaced(instance.curl("/cached/a?bad=start"))
    assert len(service.seen) == 1


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_compressed_responses_are_decoded(front, coding, framing):
    from .service import encode
    instance = front()
    query = f"size=20000&framing={framing}&coding={coding}"
    answer = instance.curl(f"/a?{query}")
    assert answer.status == 200 and answer.body == encode(body_of(query), coding)
    assert_replaced(instance.curl(f"/a?{query}&bad=end"))


def test_error_page(front):
    instance = front()
    answer = instance.curl("/page/a?bad=start")
    assert (answer.status, answer.body) == (403, b"our page\n")
    assert instance.curl("/page/a?size=10").body == body_of("size=10")


def test_switched_off(front):
    instance = front()
    assert instance.curl("/off/a?bad=start").status == 200


def test_bypass(front, state):
    instance = front()
    state.bypass({"until_ms": int(time.time() * 1000) + 60000, "reason": "test", "by": "me"})
    wait_for(lambda: "bypassed" in instance.log_text(), "the bypass")
    assert instance.curl("/a?bad=start").status == 200


def test_budget_of_a_worker(front, service):
    """Beyond it responses are released, not refused."""
    instance = front(http=HELD + "guard_response_hold_budget 64k;")
    socks = []
    for i in range(12):
        sock = socket.create_connection(("127.0.0.1", instance.port))
        sock.settimeout(50)
        sock.sendall(f"GET /a?size=20000&framing=chunked&wait=x{i} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        socks.append(sock)
    # Four chunks hold what came of four; the others have begun to go out.
    for sock in socks[6:]:
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
    for i, sock in enumerate(socks):
        service.let_go(f"x{i}")
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            part = sock.recv(65536)
            assert part
            data += part
        sock.close()


def test_service_that_breaks_off(front):
    instance = front()
    status, body, whole = fetch(instance, "/a?size=20000&framing=chunked&short=1")
    assert (status, whole) == (200, False) and body_of("size=20000").startswith(body)


def test_latency_is_the_service_s(front, state, service):
    instance = front(mode="observe")
    with socket.create_connection(("127.0.0.1", instance.port)) as sock:
        sock.sendall(b"GET /a?size=100 HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: state.heads(), "a record")
        latency = state.heads()[-1]["latency_us"]
    assert 0 <= latency < 60_000_000
    with socket.create_connection(("127.0.0.1", instance.port)) as sock:
        sock.sendall(b"GET /events?wait=y HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: "/events?wait=y" in service.seen, "the request at the service")  # which then never ends its answer
    wait_for(lambda: len(state.heads()) == 2, "a record")
    assert state.heads()[-1]["latency_us"] == 0xffffffff
