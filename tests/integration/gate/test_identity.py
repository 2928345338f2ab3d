# SPDX-License-Identifier: Apache-2.0
"""What passes is what the service sent, byte by byte: all sizes and framings, many clients at once, whether responses are
held or not."""

import hashlib
import os
import signal
import subprocess
import threading

import pytest

from harness import settle, wait_for

from . import h2client
from .conftest import GUARDED
from .service import Service, body_of, encode

CLIENTS = 64
H2 = ("h2",)
SIZES = [0, 1, 2, 100, 4095, 4096, 4097, 16000, 16384, 20000, 65000, 65535, 65536, 65537, 70000, 200000, 262144, 1048576]
SERVERS = """
    proxy_cache_path {prefix}/cache keys_zone=zone:8m max_size=1g;
    proxy_http_version 1.1;
    proxy_ignore_headers Cache-Control Set-Cookie;
    server {
        listen 127.0.0.1:{port} backlog=1024;
        listen 127.0.0.1:{port2} http2 backlog=1024;
        location / { proxy_pass http://{service}; }
        location /direct/ { proxy_buffering off; proxy_pass http://{service}/; }
        location /few/ { proxy_buffers 2 4k; proxy_busy_buffers_size 4k; proxy_pass http://{service}/; }
        location /disk/ { proxy_buffers 2 4k; proxy_busy_buffers_size 4k; limit_rate 20m; proxy_pass http://{service}/; }
        location /copy/ { sendfile off; output_buffers 1 8k; proxy_cache zone; proxy_cache_valid 200 1h; proxy_pass http://{service}/; }
        location /cached/ { sendfile on; proxy_cache zone; proxy_cache_valid 200 1h; proxy_pass http://{service}/; }
    }
"""


@pytest.fixture
def service():
    server = Service()
    yield server
    server.close()


@pytest.fixture(params=["none", "block", "tiny", "alert"])
def front(request, gate, service):
    """The gate without a policy, with one that holds responses, with one that holds hardly any, with one that only looks."""
    http = GUARDED + ("guard_response_hold 1k 1ms;" if request.param == "tiny" else "")
    return gate(SERVERS.replace("{service}", f"127.0.0.1:{service.port}"), http=http, leaks=True, workers=2,
                mode={"none": None, "alert": "alert"}.get(request.param, "block"))


def fetch_all(instance, targets, folder, *options):
    """Fetches all targets, 64 at once: the digests of their bodies. options: curl's, or those of HTTP/2."""
    if options == H2:
        answers = h2client.fetch_all(instance.ports["port2"], targets, CLIENTS // h2client.STREAMS)
        assert all(status == 200 and clean for status, _, clean in answers)
        return [digest for _, digest, _ in answers]
    folder.mkdir(exist_ok=True)
    config = []
    for i, target in enumerate(targets):
        config += [f'url = "{instance.url(target)}"', f'output = "{folder}/{i}"']
    done = subprocess.run(
        ["curl", "-sS", "--globoff", "--parallel", "--parallel-immediate", "--parallel-max", str(CLIENTS), "--max-time", "120",
         *options, "--config", "-"], input="\n".join(config), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    digests = []
    for i in range(len(targets)):
        file = folder / str(i)
        digests.append(hashlib.sha256(file.read_bytes() if file.exists() else b"").hexdigest())
        file.unlink(missing_ok=True)
    return digests


def expected(query, coding=None):
    return hashlib.sha256(encode(body_of(query), coding)).hexdigest()


def check(instance, folder, paths, queries, *options):
    targets = [f"{path}?{query}" for query in queries for path in paths]
    wanted = [expected(query, "gzip" if "coding=gzip" in query else None) for query in queries for _ in paths]
    got = fetch_all(instance, targets, folder, *options)
    assert [target for target, a, b in zip(targets, wanted, got) if a != b] == []


@pytest.mark.parametrize("options", [["--http1.1"], H2, ["--http1.0"]], ids=["h1", "h2", "h10"])
def test_sizes_and_framings(front, tmp_path, options):
    queries = [f"size={size}&seed={i}&framing={framing}" for i, size in enumerate(SIZES)
               for framing in ("length", "chunked", "close")]
    check(front, tmp_path / "out", ["/a", "/direct/a", "/few/a"], queries, *options)


@pytest.mark.parametrize("options", [["--http1.1"], H2], ids=["h1", "h2"])
def test_large(front, tmp_path, options):
    paths = {"/a": "length", "/direct/a": "chunked", "/disk/a": "close", "/cached/a": "chunked"}
    for path, framing in paths.items():
        check(front, tmp_path / "out", [path], [f"size={16 << 20}&seed=large&framing={framing}&step=200000"], *options)


def test_many_clients(front, tmp_path):
    """16 KiB and a bit, each another: nobody gets a byte of another's."""
    queries = [f"size={16000 + 7 * i}&seed=client{i}x&framing={('length', 'chunked', 'close')[i % 3]}&step={1 + i * 37 % 9000}"
               for i in range(400)]
    check(front, tmp_path / "out", ["/a"], queries)
    check(front, tmp_path / "out", ["/direct/a"], queries, *H2)


def test_compressed(front, tmp_path):
    queries = [f"size={size}&seed={i}&framing={framing}&coding=gzip" for i, size in enumerate(SIZES)
               for framing in ("length", "chunked")]
    check(front, tmp_path / "out", ["/a", "/cached/a"], queries)


@pytest.mark.parametrize("path", ["/cached/a", "/copy/a"])
def test_cache(front, tmp_path, service, path):
    queries = [f"size={size}&seed={i}&framing={framing}" for i, size in enumerate(SIZES)
               for framing in ("length", "chunked", "close")]
    check(front, tmp_path / "out", [path], queries)
    settle()  # what a client has is stored when its worker has done the rest, and the other one may be asked next
    count = len(service.seen)
    check(front, tmp_path / "out", [path], queries)
    check(front, tmp_path / "out", [path], queries, *H2)
    assert len(service.seen) == count, "no hits"


def test_ranges(front, tmp_path):
    for size in (5000, 100000, 1000000):
        query = f"size={size}&header=Accept-Ranges:bytes"
        body = body_of(query)
        for first, last in ((0, 0), (0, size - 1), (1, 4095), (size // 2, size - 1)):
            for _ in range(2):
                got = fetch_all(front, [f"/cached/a?{query}"] * 4, tmp_path / "out", "-r", f"{first}-{last}")
                assert set(got) == {hashlib.sha256(body[first:last + 1]).hexdigest()}


def test_reload_and_killed_worker_under_load(front, tmp_path):
    """Old workers finish what they began; clients of a killed one see an error, never other bytes."""
    queries = [f"size={30000 + i}&seed={i}&framing=chunked" for i in range(300)]
    stop = threading.Event()

    def disturb():
        while not stop.is_set():
            front.process.send_signal(signal.SIGHUP)
            stop.wait(0.3)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        check(front, tmp_path / "out", ["/a"], queries)
    finally:
        stop.set()
        thread.join()
    wait_for(lambda: len(front.workers()) == 2, "two workers")
    killer = threading.Timer(0.2, lambda: os.kill(front.workers()[0], signal.SIGKILL))
    killer.start()
    folder = tmp_path / "killed"
    folder.mkdir()
    config = []
    for i, query in enumerate(queries):
        config += [f'url = "{front.url(f"/a?{query}")}"', f'output = "{folder}/{i}"']
    subprocess.run(["curl", "-sS", "--parallel", "--parallel-max", str(CLIENTS), "--config", "-"], input="\n".join(config),
                   capture_output=True, text=True, check=False, timeout=120)
    killer.join()
    for i, query in enumerate(queries):
        file = folder / str(i)
        assert body_of(query).startswith(file.read_bytes() if file.exists() else b"")
    wait_for(lambda: len(front.workers()) == 2, "a new worker")
    check(front, tmp_path / "out", ["/a"], queries[:64])
