# SPDX-License-Identifier: Apache-2.0
"""A fast client through real gates while agents and root are killed and stopped at random times: as short as CI wants it, or a million
exchanges (`make soak`)."""

import pathlib
import random
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from trees import agent_options, environment, gate_of, root_options, served, tree  # noqa: E402, F401
from test_guardd import drive  # noqa: E402
from traffic import Shop  # noqa: E402
from waiting import wait_for  # noqa: E402

CLIENTS = 8


class Storm:
    """h2load with so many exchanges, spread over about so long a time; what it says is of the clients' side."""

    def __init__(self, gate, total, seconds, folder):
        urls = folder / f"urls-{gate.port}"
        urls.write_text("".join(f"http://127.0.0.1:{gate.port}/items/{i % 97}?page={i % 7}\n" for i in range(97)))
        self.total = total
        self.process = subprocess.Popen(["h2load", "--h1", "-n", str(total), "-c", str(CLIENTS), "-t", "1", "--rps",
                                         str(max(1, round(total / seconds / CLIENTS))), "-i", str(urls)],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.said = ""
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        self.said = self.process.stdout.read()

    def end(self):
        self.thread.join()
        assert self.process.wait() == 0, self.said
        good = re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", self.said)
        assert good and int(good[1]) == self.total and re.search(r" 0 failed, 0 errored, 0 timeout", self.said), self.said
        return re.search(r"time for request:\s+\S+\s+(\S+)", self.said)[1]


def test_a_storm_of_kills_and_stops_loses_and_doubles_nothing(tree, nginx, fast_upstream, tmp_path):
    kills = environment("GUARD_STORM_KILLS", 6)
    stops = environment("GUARD_STORM_STOPS", 6)
    total = environment("GUARD_STORM_EXCHANGES", 20000) // 2
    seed = random.randrange(1 << 32)
    rnd = random.Random(seed)
    root = tree("root", root_options())
    agents = [tree(f"agent{i}", agent_options(root)) for i in (1, 2)]
    gates = [gate_of(nginx, agent, fast_upstream) for agent in agents]
    for gate, agent in zip(gates, agents):
        gate.reload("guard_ring_size 16m;" + gate.http)
        drive(gate.port, Shop(720).many(16))
        wait_for(lambda: agent.service()["generation"] > 0, "a policy")
    warm = served(*gates)
    acts = ["kill"] * kills + ["stop"] * stops
    rnd.shuffle(acts)
    begin = time.monotonic()
    storms = [Storm(gate, total, len(acts) * 0.7, tmp_path) for gate in gates]
    for act in acts:
        node = rnd.choice([root, *agents])
        time.sleep(rnd.uniform(0.05, 0.7))
        if act == "stop":
            node.process.send_signal(signal.SIGSTOP)
            time.sleep(rnd.uniform(0.05, 0.6))
            node.process.send_signal(signal.SIGCONT)
        else:
            node.kill()
            time.sleep(rnd.choice([0, 0, rnd.uniform(0.05, 0.6)]))
            node.start()
    hurt = time.monotonic() - begin
    slowest = [storm.end() for storm in storms]
    took = time.monotonic() - begin
    count = served(*gates)
    assert count == 2 * total + warm
    root.wait_exchanges(count, timeout=300)
    assert root.service()["exchanges"] == count, f"seed {seed}"
    for node in (root, *agents):
        node.kill()
    for node in (root, *agents):
        (node.state / "status.json").unlink()
        node.start()
    root.wait_exchanges(count, timeout=300)
    for agent in agents:
        assert agent.status()["rings"]["lost"] == 0
        assert agent.stop() == 0
        assert agent.piles() == [] and not list((agent.state / "spool" / "refused").iterdir()), agent.log()
    assert root.service()["exchanges"] == count, f"seed {seed}"
    assert root.status()["reports"]["refused"] == 0, f"seed {seed}"
    print(f"seed {seed}: {count} exchanges in {took:.0f} s under {kills} kills and {stops} stops ({hurt:.0f} s), all at the root, once; "
          f"the slowest answers of the gates took {' and '.join(slowest)}")
