# SPDX-License-Identifier: Apache-2.0
"""Five hundred agents whose root was away come back at once: simulated ones that wait by guardd's own rule (bench/returning.c), and real
ones with gates among them."""

import json
import math
import pathlib
import re
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from trees import agent_options, ask, environment, gate_of, root_options, served, tree  # noqa: E402, F401
from harness import BUILD  # noqa: E402
from test_guardd import drive  # noqa: E402
from traffic import Shop  # noqa: E402
from waiting import end_process, wait_for  # noqa: E402

AGENTS = environment("GUARD_AGENTS", 500)
SERVICES, DELTAS, RECORDS = 20, 3, 100
AWAY = 12  # s, at least
MIB_MAX = 512
RETRY_AFTER = 2

FRONT = """
    upstream root {{ server unix:{state}/api.sock max_fails=0; }}
    server {{
        listen 127.0.0.1:{{port}} backlog=2048;
        client_max_body_size 8m;
        access_log off;
        location / {{ proxy_pass http://root; proxy_http_version 1.1; error_page 502 504 =503 @away; }}
        location @away {{ add_header Retry-After {after} always; return 503; }}
    }}"""


def start_fleet(url):
    """Each agent has its key and its deltas, and waits for a word."""
    fleet = subprocess.Popen([BUILD / "bench" / "guard-bench-returning", "-s", url, "-a", str(AGENTS), "-n", str(SERVICES), "-d",
                              str(DELTAS), "-t", "400"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert fleet.stdout.readline() == "ready\n", fleet.stderr.read()
    return fleet


class Health:
    """Asks the root how it is, again and again."""

    def __init__(self, root):
        self.root = root
        self.answers = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ended.is_set():
            self.answers.append(ask(self.root, "GET", "/health/live").status)
            time.sleep(0.05)

    def end(self):
        self.ended.set()
        self.thread.join()
        return self.answers


def held(root):
    return sum(service["exchanges"] for service in root.status()["services"] if service["service"].startswith("bench-"))


def peak_mib(node):
    text = pathlib.Path(f"/proc/{node.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) / 1024


@pytest.mark.parametrize("how", ["unreachable", "told to wait"])
def test_five_hundred_agents_come_back_at_once(tree, nginx, fast_upstream, how):
    root = tree("root", root_options())
    options = agent_options(root)
    url = f"unix:{root.state}/api.sock"
    if how == "told to wait":
        front = nginx(FRONT.format(state=root.state, after=RETRY_AFTER), name="front", connections=4096)
        url = f"http://127.0.0.1:{front.port}"
        options[options.index("--parent") + 1] = url
    agents = [tree(f"agent{i}", options) for i in (1, 2)]
    gates = [gate_of(nginx, agent, fast_upstream) for agent in agents]
    for gate, agent in zip(gates, agents):
        drive(gate.port, Shop(710).many(20))
        wait_for(lambda: agent.service()["generation"] > 0, "a policy")
    fleet = start_fleet(url)
    health = None
    try:
        root.kill()
        begin = time.monotonic()
        fleet.stdin.write("go\n")
        fleet.stdin.flush()
        assert fleet.stdout.readline() == "tried\n", fleet.stderr.read()
        for number, gate in enumerate(gates):
            assert set(drive(gate.port, Shop(711 + number).many(100))) == {200}
        time.sleep(max(0, AWAY - (time.monotonic() - begin)))
        root.start()
        away = time.monotonic() - begin
        health = Health(root)
        said = json.loads(fleet.stdout.readline())
        assert fleet.wait(60) == 0, fleet.stderr.read()
    finally:
        answers = health.end() if health else []
        end_process(fleet)
    print(f"{how}: away for {away:.1f} s, {said}, root at most {peak_mib(root):.0f} MiB, {len(answers)} answers on its health")
    assert said["finished"] == AGENTS and said["refused"] == 0
    assert len(answers) >= 3 and set(answers) == {200}
    assert peak_mib(root) < MIB_MAX
    # How often: each pause is twice the one before, or what was asked for; and some of it while the root was starting.
    most = away / RETRY_AFTER + 2 if how == "told to wait" else math.log2(away / 0.125 + 1) + 2
    assert said["most_failures"] <= most, most
    assert said["early"] == 0
    assert (said["asked_to_wait"] > 0) == (how == "told to wait")
    # How spread: what all waited after they had all failed the same times.
    for made, distinct in said["pauses"][1:4]:
        assert made == AGENTS and distinct > AGENTS / 5, said["pauses"]
    total = AGENTS * DELTAS * RECORDS
    wait_for(lambda: held(root) >= total, "what the fleet had collected")
    count = served(*gates)
    root.wait_exchanges(count)
    for _ in range(2):  # and once more, from the store
        assert held(root) == total and root.service()["exchanges"] == count
        root.kill()
        (root.state / "status.json").unlink()
        root.start()
        wait_for(lambda: held(root) >= total and root.service()["exchanges"] >= count, "what is stored")
    for agent in agents:
        assert agent.stop() == 0 and agent.piles() == []
