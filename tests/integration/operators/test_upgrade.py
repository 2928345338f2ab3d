# SPDX-License-Identifier: Apache-2.0
"""Reload and binary upgrade while traffic runs: no request fails, no record is lost or doubled."""

import os
import pathlib
import signal
import subprocess
import threading

import pytest

from gate.conftest import GUARDED, read_ring
from harness import Nginx, accepts, processes_below, running, wait_for

from .conftest import STATUS, status_of

SERVERS = """
    upstream back {{ server 127.0.0.1:{back}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{{port}} backlog=4096;
        listen 127.0.0.1:{{port2}} http2 backlog=4096;
        keepalive_requests 100000;
        {status}
        location / {{ proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}"""


class Daemon(Nginx):
    """nginx as a daemon: only then it takes USR2."""

    def write(self):
        conf = super().write()
        conf.write_text(conf.read_text().replace("daemon off;", "daemon on;"))
        return conf

    def start(self):
        self.write()
        subprocess.run(self.command(), check=True, timeout=120)
        running.append(self)
        wait_for(lambda: self.master() and accepts(self.port), "nginx to listen")
        wait_for(lambda: len(workers_of(self.master())) == self.workers_wanted, "the workers")
        return self

    def masters(self):
        return [pid for pid in (self.master(), self.master(".oldbin")) if pid and pathlib.Path(f"/proc/{pid}").exists()]

    def master(self, suffix=""):
        try:
            return int((self.prefix / f"nginx.pid{suffix}").read_text())
        except (OSError, ValueError):
            return None

    def stop(self, number=signal.SIGQUIT):
        if self in running:
            running.remove(self)
        for pid in {self.master(), self.master(".oldbin")} - {None}:
            os.kill(pid, number)
            wait_for(lambda gone=pid: not pathlib.Path(f"/proc/{gone}").exists(), "nginx to end")


def workers_of(master):
    return {pid for pid in processes_below(master) if "worker process" in name_of(pid)}


def untouched(answer):
    """Whether nginx said that it hasn't looked at the request: it says GOAWAY to connections of HTTP/2 that a leaving worker has
    taken and not yet read from, and the last stream that it names is 0. Clients may send it again (RFC 9113, 6.8); curl 7.88 doesn't."""
    return answer.status == 0 and "GOAWAY, error=0, last_stream=0" in answer.failure


class Counter:
    """Single requests over connections of their own, as fast as they go: each must be answered."""

    def __init__(self, nginx):
        self.nginx = nginx
        self.statuses = []
        self.failures = []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(4)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        while not self.stopped.is_set() and self.nginx.prefix.exists() and len(self.statuses) < 20000:
            port = "port2" if number % 2 else "port"
            options = ["--http2-prior-knowledge", "-v"] if number % 2 else []
            answer = self.nginx.curl("/a?q=tom", *options, port=port)
            if untouched(answer):
                continue
            if answer.status != 200:
                self.failures.append(answer.failure or str(answer.status))
            self.statuses.append(answer.status)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        return self.statuses


@pytest.fixture
def front(gate, fast_upstream):
    def make(**options):
        nginx = gate(SERVERS.format(back=fast_upstream.port, status=STATUS), **options)
        nginx.state = gate.state
        return nginx
    return make


def records_of(state):
    return sum(len(read_ring(ring)) for ring in state.rings())


def test_reloads_under_load(front):
    nginx = front(workers=2)
    counter = Counter(nginx)
    for _ in range(3):
        seen = len(counter.statuses)
        wait_for(lambda: len(counter.statuses) > seen + 20, "requests")
        nginx.reload()
    statuses = counter.stop()
    assert set(statuses) == {200}, counter.failures
    wait_for(lambda: status_of(nginx)["exchanges"] == len(statuses), "the exchanges")
    assert status_of(nginx)["records"] == len(statuses) == records_of(nginx.state)
    wait_for(lambda: status_of(nginx).all["workers"] == {"running": 2, "leaving": 0}, "old workers to end")


def test_binary_upgrade_under_load(tmp_path, state, make_policy, fast_upstream):
    """USR2 starts another master, WINCH ends the workers of the first, QUIT the first itself."""
    state.publish(make_policy())
    text = GUARDED + SERVERS.format(back=fast_upstream.port, status=STATUS)
    nginx = Daemon(tmp_path / "nginx", text.replace("{state}", str(state.path)), workers=2).start()
    counter = Counter(nginx)
    try:
        wait_for(lambda: len(counter.statuses) > 5, "requests at the first master")
        first = nginx.master()
        os.kill(first, signal.SIGUSR2)
        wait_for(lambda: nginx.master() not in (None, first), "the second master")
        second = nginx.master()
        wait_for(lambda: len(workers_of(second)) == 2, "its workers")
        os.kill(first, signal.SIGWINCH)
        wait_for(lambda: not workers_of(first), "the first workers to end")
        os.kill(first, signal.SIGQUIT)
        wait_for(lambda: not pathlib.Path(f"/proc/{first}").exists(), "the first master to end")
        seen = len(counter.statuses)
        wait_for(lambda: len(counter.statuses) > seen + 20, "requests at the second master")
        statuses = counter.stop()
        assert set(statuses) == {200}, counter.failures
        # The second master counts from its own start on; the rings know all.
        assert 20 < status_of(nginx)["exchanges"] < len(statuses)
        wait_for(lambda: records_of(state) == len(statuses), "each record once")
        assert not [line for line in nginx.log_text().splitlines() if "guard:" in line and "[error]" in line]
    finally:
        counter.stop()
        nginx.stop()


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_h2load_over_reloads(front):
    """Streams of connections that the old workers still have are finished by them."""
    nginx = front(workers=1)
    load = subprocess.Popen(["h2load", "-n", "20000", "-c", "4", "-m", "8", nginx.url("/a?q=tom", "port2")], stdout=subprocess.PIPE,
                            text=True)
    wait_for(lambda: status_of(nginx)["exchanges"] > 500, "the load")
    nginx.reload()
    out, _ = load.communicate(timeout=600)
    done = next(line for line in out.splitlines() if line.startswith("requests:"))
    words = done.replace(",", "").split()
    answered, failed = int(words[words.index("succeeded") - 1]), int(words[words.index("failed") - 1])
    # nginx says GOAWAY to connections of the old worker: h2load doesn't open others and counts what it didn't send as errored.
    assert answered > 500 and "0 4xx, 0 5xx" in out
    assert failed == int(words[words.index("errored") - 1])
    wait_for(lambda: status_of(nginx).all["workers"]["leaving"] == 0, "the old worker to end")
    status = status_of(nginx)
    assert answered <= status["exchanges"] <= answered + 32
    assert status["records"] == status["exchanges"]
