# SPDX-License-Identifier: Apache-2.0
"""guardd is killed in a flood: each alert of the gates is told once, whether it was folded, told already, or still in a ring."""

import json
import pathlib
import random
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guardd"))
from harness import wait_for  # noqa: E402
from receivers import write_outputs  # noqa: E402
from test_guardd import GATE, Client, Guardd, drive  # noqa: E402
from test_outputs import GUARDIAN, exchange  # noqa: E402
from waiting import PATIENCE as WAIT  # noqa: E402

OTHERS = """    - path: /search
      parameters: [{in: query, name: term, characters: [lower]}]
"""


def told(state):
    """By all lines of the log: alerts, and those that gates only counted."""
    lines = [json.loads(text) for path in sorted(state.glob("alerts.jsonl*")) for text in path.read_text().splitlines()]
    sequences = sorted(line["seq"] for line in lines)
    assert sequences == sorted(set(sequences)), "a number twice"
    return sum(line["count"] for line in lines if line["findings"]) + sum(line["suppressed"] for line in lines)


class Flood:
    """Each client sends less than gates tell of one. A ring of alerts holds some 400: of what comes while guardd is down it holds all."""

    def __init__(self, port, targets):
        self.port = port
        self.targets = targets
        self.statuses = set()
        self.left = 1 << 30
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        for number in range(1, 250 * 100):
            while self.left <= 0 and not self.ended.is_set():
                time.sleep(0.01)
            if self.ended.is_set():
                return
            client = Client(self.port, f"127.{1 + number // 250}.{1 + number % 250}.1")
            self.statuses |= {client.send(exchange(target)) for target in self.targets * 2}
            client.close()
            self.left -= 2 * len(self.targets)
            time.sleep(0.04)

    def end(self):
        self.ended.set()
        self.thread.join()
        assert self.statuses == {403}


@pytest.mark.parametrize("fold", [1, 600])
def test_a_kill_loses_no_repetitions_and_tells_none_twice(tmp_path, nginx, fast_upstream, fold):
    """fold 1: lines are written all the time; 600: what is folded is told at the end alone."""
    state = tmp_path / "state"
    (state / "guardians").mkdir(parents=True)
    (state / "guardians/shop.yaml").write_text(GUARDIAN + OTHERS)
    write_outputs(state, [{"name": "file", "type": "file", "path": str(tmp_path / "ecs.jsonl"), "form": "ecs"}], fold=fold)
    guardd = Guardd(state).start()
    gate = nginx(GATE.replace("{state}", str(state)).replace("{back}", str(fast_upstream.port))
                 .replace("'$request_id $guard_generation'", "'$status $guard_action'"))
    attack = exchange("/users?username=%3D")
    wait_for(lambda: drive(gate.port, [attack], 1) == [403], "the gate to block")

    def blocked():
        return (gate.prefix / "count.log").read_text().splitlines().count("403 block")
    chances = random.Random(7 + fold)
    flood = Flood(gate.port, ["/users?username=%3D", "/search?term=%3D"])
    try:
        for _ in range(10):
            goal = blocked() + chances.randrange(1, 60)
            wait_for(lambda: blocked() >= goal, "more of the flood", WAIT)
            time.sleep(chances.random() * 2.5)  # anywhere between two times of saving
            flood.left = 100
            guardd.kill()
            guardd.start()
            flood.left = 1 << 30
    finally:
        flood.end()
    # One more, of which nothing came meanwhile.
    guardd.kill()
    guardd.start()
    # What gates had only counted they tell later, by a timer.
    if fold == 1:
        wait_for(lambda: told(state) == blocked(), lambda: f"{blocked()} to be told, not {told(state)}", WAIT)
        assert guardd.stop() == 0
    else:
        assert told(state) < blocked() // 2, (told(state), blocked())

        def all_told():
            """The end tells what is folded."""
            guardd.stop()
            if told(state) != blocked():
                guardd.start()
            return told(state) == blocked()
        wait_for(all_told, lambda: f"{blocked()} to be told, not {told(state)}", WAIT)
    assert told(state) == blocked()
    assert "series-not-read" not in guardd.log() and "hostile" not in guardd.log()
