# SPDX-License-Identifier: Apache-2.0
"""The gate adds no system call to a request, whatever happens to guardd and its files."""

import functools
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness import wait_for

from .conftest import ATTACK_QUERY

LESS, MORE = 200, 1700


def count_calls(nginx, during, out):
    """System calls of the worker meanwhile, and how many seconds that took."""
    worker, = nginx.workers()
    tracer = subprocess.Popen(["strace", "-f", "-c", "-U", "calls,name", "-o", str(out), "-p", str(worker)],
                              stderr=subprocess.PIPE, text=True)
    try:
        line = tracer.stderr.readline()
        if "attached" not in line:
            pytest.skip(f"strace can't attach: {line}")
        begin = time.monotonic()
        during()
        seconds = time.monotonic() - begin
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(60)
    calls = {name: int(count) for count, name in re.findall(r"^\s*(\d+)\s+(\w+)\s*$", out.read_text(), re.M)}
    return calls.get("total", 0), seconds


def per_request(nginx, path, out):
    """Without what the gate's timer calls in that time, which is as much while nobody asks."""
    def requests(number):
        done = subprocess.run(["h2load", "--h1", "-n", str(number), "-c", "1", nginx.url(path)], capture_output=True,
                              text=True, timeout=300, check=True)
        assert f"{number} succeeded" in done.stdout

    idle, idle_seconds = count_calls(nginx, lambda: time.sleep(2), out)
    (less, less_seconds), (more, more_seconds) = (count_calls(nginx, functools.partial(requests, number), out) for number in (LESS, MORE))
    return (more - less - idle / idle_seconds * (more_seconds - less_seconds)) / (MORE - LESS)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing")
def test_no_added_system_call(gate, tmp_path, fast_upstream):
    nginx = gate(f"""
    upstream fast {{ server 127.0.0.1:{fast_upstream.port}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{{port}};
        keepalive_requests 1000000;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        location / {{ proxy_pass http://fast; }}
        location /off {{ guard off; proxy_pass http://fast; }}
    }}""", http="""
    guard_state {state}; guard_policy_key {state}/keys/policy.pub; guard svc; access_log off;""")
    out = tmp_path / "calls"
    per_request(nginx, "/a?q=tom", out)  # warm-up
    plain = per_request(nginx, "/off?q=tom", out)
    guarded = per_request(nginx, "/a?q=tom", out)
    # The machine may stand still meanwhile.
    if guarded - plain >= 0.1:
        guarded = min(per_request(nginx, "/a?q=tom", out) for _ in range(3))
    assert guarded - plain < 0.1, (plain, guarded)

    def added():
        return min(per_request(nginx, "/a?q=tom", out) for _ in range(2)) - plain

    def garble(folder):
        for file in (gate.state.path / folder).iterdir():
            file.write_bytes(b"garbage" * 1000)

    garble("policies")
    garble("rings")
    wait_for(lambda: "policy refused" in nginx.log_text(), "the refusal")
    assert added() < 0.1
    assert nginx.curl(f"/a?{ATTACK_QUERY}").status == 403
    gate.state.path.rename(tmp_path / "gone")  # at once: while it is emptied the gate may put new files there
    wait_for(lambda: "aren't handed out" in nginx.log_text(), "the notice")
    assert added() < 0.1
    assert nginx.curl(f"/a?{ATTACK_QUERY}").status == 403
