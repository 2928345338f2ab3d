# SPDX-License-Identifier: Apache-2.0
"""Policies and bypasses come in beside the traffic; whatever is wrong with a file, what was in force stays."""

import os
import subprocess
import threading
import time

import pytest

from harness import wait_for

from .conftest import ATTACK_QUERY, wait_generation


def blocks(nginx):
    return nginx.curl(f"/a?{ATTACK_QUERY}").status == 403


def test_switch_without_reload(gate, make_policy):
    nginx = gate(mode="observe", workers=2)
    workers = nginx.workers()
    assert not blocks(nginx)
    for generation, mode in ((2, "block"), (3, "alert"), (4, "block")):
        gate.state.publish(make_policy(generation=generation, mode=mode))
        wait_generation(nginx, generation, workers=2)
        assert all(blocks(nginx) == (mode == "block") for _ in range(8))
    assert nginx.workers() == workers


def test_first_policy_comes_later(gate, make_policy):
    nginx = gate(publish=False)
    assert not blocks(nginx)
    gate.state.publish(make_policy(mode="block"))
    wait_for(lambda: blocks(nginx), "the policy")


def test_in_force_from_the_first_request(gate):
    """A worker that begins, by reload or after a crash, never serves without the policy that is there."""
    nginx = gate()
    for _ in range(5):
        worker, = nginx.workers()
        os.kill(worker, 9)
        wait_for(lambda old=worker: nginx.workers() not in ([], [old]), "another worker")
        assert blocks(nginx)
    for _ in range(3):
        nginx.reload()
        assert blocks(nginx)


def bad_contents(make_policy):
    good = make_policy(generation=10)
    return {
        "empty": b"", "one-byte": b"x", "text": b"mode: block\n" * 100, "zeros": bytes(len(good)),
        "truncated-head": good[:20], "truncated-half": good[:len(good) // 2], "truncated-one": good[:-1],
        "longer": good + b"\0", "flipped-first": bytes([good[0] ^ 1]) + good[1:],
        "flipped-middle": good[:len(good) // 2] + bytes([good[len(good) // 2] ^ 0x80]) + good[len(good) // 2 + 1:],
        "flipped-last": good[:-1] + bytes([good[-1] ^ 1]), "huge": bytes(17 << 20),
        "foreign-service": make_policy("other", generation=10), "foreign-key": make_policy(generation=10, seed=2),
        "replayed": make_policy(generation=4),
    }


def test_bad_files_change_nothing(gate, make_policy):
    gate.state.publish(make_policy(generation=5))
    nginx = gate(publish=False)
    passed, blocked = nginx.curl("/a?q=tom"), nginx.curl(f"/a?{ATTACK_QUERY}")
    assert (passed.status, blocked.status) == (200, 403)
    refusals = 0
    for name, content in bad_contents(make_policy).items():
        gate.state.publish(content)
        refusals += 1
        wait_for(lambda: nginx.log_text().count("service svc: policy refused: GUARD_E_") == refusals, f"{name} refused")
        again = nginx.curl("/a?q=tom")
        assert (again.status, again.body) == (200, passed.body), name
        again = nginx.curl(f"/a?{ATTACK_QUERY}")
        assert (again.status, len(again.body)) == (403, len(blocked.body)), name
    assert nginx.log_text().count("the one before stays in force") == refusals
    for word in ("SIGNATURE", "FOREIGN", "REPLAY"):
        assert f"GUARD_E_{word}" in nginx.log_text()
    gate.state.publish(make_policy(generation=6, mode="observe"))
    wait_generation(nginx, 6)
    assert not blocks(nginx)


def test_odd_files_change_nothing(gate, make_policy):
    """No file, a folder, a pipe that nobody writes to, a file written in place."""
    nginx = gate()
    file = gate.state.policy_file()
    file.unlink()
    wait_for(lambda: "file is gone; its content stays in force" in nginx.log_text(), "the notice")
    assert blocks(nginx)
    file.mkdir()
    wait_for(lambda: nginx.log_text().count("policy refused") == 1, "the folder refused")
    assert blocks(nginx)
    file.rmdir()
    os.mkfifo(file)
    wait_for(lambda: nginx.log_text().count("policy refused") == 2, "the pipe refused")
    assert blocks(nginx)
    file.unlink()
    file.write_bytes(b"half a pol")
    wait_for(lambda: nginx.log_text().count("policy refused") == 3, "the half refused")
    assert blocks(nginx)
    file.write_bytes(make_policy(generation=2, mode="observe"))
    wait_generation(nginx, 2)
    assert not blocks(nginx)


def test_signed_rollback(gate, make_policy):
    gate.state.publish(make_policy(generation=9))
    nginx = gate(publish=False)
    gate.state.publish(make_policy(generation=3, mode="observe", replaces=9))
    wait_generation(nginx, 3)
    assert not blocks(nginx)
    # What was rolled back doesn't come again by itself.
    gate.state.publish(make_policy(generation=9))
    wait_for(lambda: "GUARD_E_REPLAY" in nginx.log_text(), "the replay refused")
    assert not blocks(nginx)
    gate.state.publish(make_policy(generation=10))
    wait_generation(nginx, 10)
    assert blocks(nginx)


def test_same_file_again_is_silent(gate):
    nginx = gate()
    content = gate.state.policy_file().read_bytes()
    before = nginx.log_text().count("guard:")
    for _ in range(3):
        gate.state.publish(content)
        time.sleep(0.7)  # more than one look; nothing can be waited for
    assert nginx.log_text().count("guard:") == before
    assert blocks(nginx)


def test_bypass(gate):
    nginx = gate()
    assert blocks(nginx)

    def bypassed():
        """Asked for again until one is seen: it may be over before anybody looks."""
        gate.state.bypass({"until_ms": int(time.time() * 1000) + 3000, "reason": "\"until_ms\":0 }", "by": "me"})
        time.sleep(0.7)  # more than one look
        return not blocks(nginx)

    wait_for(bypassed, "the bypass")
    assert "bypassed, nothing is blocked for" in nginx.log_text()
    wait_for(lambda: blocks(nginx), "its end")
    wait_for(lambda: "the bypass has ended" in nginx.log_text(), "its notice")
    nginx.stop()
    alerts = gate.state.alerts()
    assert {alert["verdict"] for alert in alerts} <= {"block", "alert"}
    assert {alert["action"] for alert in alerts} == {"block", "pass"}


def test_bypass_can_be_taken_back(gate):
    nginx = gate()
    gate.state.bypass({"reason": "x", "until_ms": int(time.time() * 1000) + 600000})
    wait_for(lambda: not blocks(nginx), "the bypass")
    gate.state.bypass(None)
    wait_for(lambda: blocks(nginx), "its end")


@pytest.mark.parametrize("content", [b"", b"{", b'{"until_ms": "soon"}', b'{"until_ms": -1}', b'{"reason":"until_ms"}',
                                     b'{"until_ms": 99999999999999999999}', b"\0" * 5000])
def test_bad_bypass(gate, content):
    nginx = gate()
    gate.state.bypass(content)
    wait_for(lambda: "is no bypass" in nginx.log_text(), "the notice")
    assert blocks(nginx)


def test_bypass_that_is_over(gate):
    nginx = gate(publish=False)
    gate.state.bypass({"until_ms": 1000})
    assert "bypassed" not in nginx.log_text()


def test_publishing_under_load(gate, make_policy, fast_upstream):
    """Many generations for many services in a row: no client sees any of it. GUARD_SOAK makes it long."""
    services, generations = (200, 50) if os.environ.get("GUARD_SOAK") else (20, 5)
    policies = [[make_policy(f"s{s}", generation=g + 1, mode="block", padding=200) for g in range(generations)]
                for s in range(services)]
    locations = "".join(f"location /s{s}/ {{ guard s{s}; proxy_pass http://127.0.0.1:{fast_upstream.port}; }}\n"
                        for s in range(services))
    nginx = gate(f"""
    upstream fast {{ server 127.0.0.1:{fast_upstream.port}; keepalive 64; }}
    server {{ listen 127.0.0.1:{{port}}; keepalive_requests 10000000; {locations} }}""", publish=False)
    urls = nginx.prefix / "urls"
    urls.write_text("".join(nginx.url(f"/s{s}/a?q=tom\n") for s in range(services)))
    stop, good, bad = threading.Event(), [], []

    def load():
        while not stop.is_set():
            done = subprocess.run(["h2load", "--h1", "-n", "5000", "-c", "64", "-i", str(urls)], capture_output=True,
                                  text=True, timeout=300, check=False)
            whole = "5000 succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout and "5000 2xx" in done.stdout
            (good if whole else bad).append(done.stdout)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        wait_for(lambda: good or bad, "the load", timeout=120)
        for generation in range(generations):
            for s in range(services):
                gate.state.publish(policies[s][generation], f"s{s}")
        for s in range(services):
            wait_generation(nginx, generations, f"s{s}")
    finally:
        stop.set()
        thread.join()
    assert bad == [] and good
    assert "refused" not in nginx.log_text()
    for s in range(services):
        assert nginx.curl(f"/s{s}/a?{ATTACK_QUERY}").status == 403


def test_publishing_while_requests_are_in_flight(gate, make_policy):
    """An exchange keeps the policy with which it began until its end."""
    nginx = gate(mode="block")
    stop = threading.Event()
    wrong = []

    def client():
        while not stop.is_set():
            answer = nginx.curl(f"/a?{ATTACK_QUERY}", "-d", "x=" + "y" * 30000)
            if answer.status != 403:
                wrong.append(answer.status)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for generation in range(2, 8):
            gate.state.publish(make_policy(generation=generation))
            wait_generation(nginx, generation)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
