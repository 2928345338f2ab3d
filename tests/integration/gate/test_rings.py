# SPDX-License-Identifier: Apache-2.0
"""Records and alerts leave the gate through rings; nothing that happens to their files touches a client."""

import http.client
import os
import re
import subprocess
import threading
import time

import pytest

from harness import wait_for

from .conftest import ATTACK_QUERY, read_ring


def h2load(url, number, connections=8):
    done = subprocess.run(["h2load", "--h1", "-n", str(number), "-c", str(connections), url], capture_output=True, text=True,
                          timeout=300, check=True)
    return int(re.search(r"status codes: (\d+) 2xx", done.stdout).group(1)), done.stdout


@pytest.fixture
def fast_gate(gate, fast_upstream):
    def make(**options):
        return gate(f"""
        upstream fast {{ server 127.0.0.1:{fast_upstream.port}; keepalive 16; }}
        server {{
            listen 127.0.0.1:{{port}} backlog=1024;
            keepalive_requests 10000000;
            location / {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://fast; }}
        }}""", **options)
    make.state = gate.state
    return make


class Load:
    """Clients in the background, each request a connection of its own; counts what wasn't 200."""

    def __init__(self, nginx, threads=4):
        self.nginx = nginx
        self.stopping = threading.Event()
        self.sent = 0
        self.wrong = []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def ask(self):
        """The status; 0: there was no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.nginx.port, timeout=60)
        try:
            connection.request("GET", "/a?q=tom")
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def run(self):
        while not self.stopping.wait(0.01):  # in turns: what the rings hold is read behind the test
            status = self.ask()
            with self.lock:
                self.sent += 1
                if status != 200:
                    self.wrong.append(status)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *args):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def wait_more(self, number=30):
        wanted = self.sent + number
        wait_for(lambda: self.sent >= wanted, "more requests", timeout=120)


def test_every_exchange_is_recorded_once(fast_gate):
    nginx = fast_gate(workers=2)
    good, _ = h2load(nginx.url("/a?q=tom"), 3000)
    assert good == 3000
    nginx.stop()
    assert len(fast_gate.state.rings()) == 2
    assert len(fast_gate.state.records()) == 3000


def test_reload_under_load(fast_gate):
    """Two generations of workers at once: each has its slots, no record is lost or doubled."""
    nginx = fast_gate(workers=2)
    with Load(nginx) as load:
        for _ in range(4):
            load.wait_more()
            nginx.reload()
        load.wait_more()
    nginx.stop()
    assert load.wrong == []
    assert len(fast_gate.state.records()) == load.sent


def test_killed_worker(fast_gate):
    nginx = fast_gate()
    for _ in range(10):
        assert nginx.curl("/a?q=tom").status == 200
    wait_for(lambda: len(fast_gate.state.records()) == 10, "the records, which come behind the answers")
    worker, = nginx.workers()
    os.kill(worker, 9)
    wait_for(lambda: nginx.workers() not in ([], [worker]), "another worker")
    for _ in range(5):
        assert nginx.curl("/a?q=tom").status == 200
    nginx.stop()
    # What the dead one wrote is still there: the new one took another slot.
    assert sorted(len(read_ring(ring)) for ring in fast_gate.state.rings()) == [5, 10]


def garble(file):
    with open(file, "r+b") as ring:
        ring.write(os.urandom(8192))


def replace(file):
    temporary = file.with_suffix(".new")
    temporary.write_bytes(os.urandom(5000))
    temporary.rename(file)


@pytest.mark.parametrize("harm", [
    lambda file: os.truncate(file, 0), lambda file: os.truncate(file, 4096), lambda file: os.truncate(file, 100000), garble,
    replace, os.unlink,
], ids=["truncated", "truncated-to-head", "truncated-to-half", "garbled", "replaced", "removed"])
@pytest.mark.parametrize("suffix", [".ring", ".alerts"])
def test_harmed_files_under_load(fast_gate, harm, suffix):
    nginx = fast_gate(workers=1)
    worker = nginx.workers()
    expected = nginx.curl("/a?q=tom").body
    with Load(nginx) as load:
        load.wait_more(10)
        for file in fast_gate.state.rings(suffix):
            harm(file)
        blocked = [nginx.curl(f"/a?{ATTACK_QUERY}").status for _ in range(20)]
        load.wait_more()
        wait_for(lambda: "a new one is begun" in nginx.log_text(), "the notice")
        load.wait_more()
    assert load.wrong == [] and blocked == [403] * 20
    assert nginx.curl("/a?q=tom").body == expected
    assert nginx.workers() == worker, "the worker died"
    count = len(fast_gate.state.records())
    nginx.curl("/a?q=tom")
    wait_for(lambda: len(fast_gate.state.records()) == count + 1, "records again")


def test_no_place_for_rings(fast_gate):
    """The folder is gone: clients don't notice, operators do, once; it heals by itself."""
    nginx = fast_gate()
    (fast_gate.state.path / "rings").rename(fast_gate.state.path / "gone")  # at once: while it is emptied the gate may put new ones there
    wait_for(lambda: "exchanges aren't handed out" in nginx.log_text(), "the notice")
    assert nginx.curl("/a?q=tom").status == 200
    assert nginx.curl(f"/a?{ATTACK_QUERY}").status == 403
    time.sleep(1.2)  # two more looks
    assert nginx.log_text().count("exchanges aren't handed out") == 1
    (fast_gate.state.path / "rings").mkdir()
    wait_for(lambda: "handed out again" in nginx.log_text(), "the notice of its end")
    nginx.curl("/a?q=tom")
    nginx.stop()
    assert len(fast_gate.state.records()) == 1


def test_alerts(gate):
    nginx = gate()
    answer = nginx.curl(f"/users?x=1&{ATTACK_QUERY}")
    nginx.curl("/users?q=tom")
    nginx.stop()
    alert, = gate.state.alerts()
    assert alert["id"] == answer.headers["x-guard-id"]
    assert abs(alert["time_ms"] - time.time() * 1000) < 600000
    assert (alert["service"], alert["generation"], alert["verdict"], alert["action"]) == ("svc", 1, "block", "block")
    assert (alert["method"], alert["client"], alert["status"]) == ("GET", "127.0.0.1", 403)
    assert alert["explanation"].startswith("BLOCK ")
    assert "target" not in alert, "it may hold secrets"
    assert alert["suppressed"] == 0 and alert["findings_total"] >= 1
    finding = alert["findings"][0]
    assert set(finding) == {"part", "location", "name", "rule", "observed", "expected", "p", "configured"}


def test_alerts_hold_no_raw_values(gate):
    nginx = gate()
    nginx.curl("/users?q=needle%27hunter2secret", "-H", "Authorization: Bearer hunter2secret")
    nginx.stop()
    content = b"".join(ring.read_bytes() for ring in gate.state.rings(".alerts") + gate.state.rings())
    assert b"hunter2secret" not in content


def test_alert_quota_of_a_client(gate):
    nginx = gate("""
    server {
        listen 127.0.0.1:{port};
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        location / { proxy_pass http://{echo}; }
    }""")
    begun = time.monotonic()
    for i in range(50):
        assert nginx.curl(f"/a?{ATTACK_QUERY}", "-H", f"X-Real-IP: 192.0.2.{i}").status == 403
    for _ in range(3):
        assert nginx.curl(f"/a?{ATTACK_QUERY}", "-H", "X-Real-IP: 198.51.100.1").status == 403
    windows = 2 + (time.monotonic() - begun) // 10
    nginx.stop()
    alerts = gate.state.alerts()
    loud = [alert for alert in alerts if alert["client"].startswith("192.0.2.")]
    quiet = [alert for alert in alerts if alert["client"] == "198.51.100.1"]
    told = [alert for alert in loud if alert["id"]]
    assert len(quiet) == 3
    assert 16 <= len(told) <= 16 * windows  # the quota is one of time
    assert len(told) + sum(alert["suppressed"] for alert in alerts) == 50
    assert len(gate.state.records()) == 53


def test_lapped_ring_serves_on(gate, fast_upstream):
    nginx = gate(f"""
    guard_ring_size 64k;
    server {{ listen 127.0.0.1:{{port}}; location / {{ proxy_pass http://127.0.0.1:{fast_upstream.port}; }} }}""")
    good, output = h2load(nginx.url("/a?q=tom"), 2000)
    assert good == 2000, output
    assert nginx.curl(f"/a?{ATTACK_QUERY}").status == 403
