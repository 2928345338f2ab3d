# SPDX-License-Identifier: Apache-2.0
"""Trees of real guardds: a root, agents below it, each with a state directory and a gate of its own."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guardd"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from talking import curl  # noqa: E402
from harness import BIN  # noqa: E402
from traffic import write  # noqa: E402
from test_guardd import GATE, Guardd  # noqa: E402
from waiting import settle, wait_for  # noqa: E402


class Node(Guardd):
    """wrapper: words before the program, as to run it as another user."""

    def __init__(self, folder, name, options=(), wrapper=()):
        state = folder / name
        state.mkdir(exist_ok=True)
        super().__init__(state, folder / f"{name}.log", tuple(options))
        self.wrapper = tuple(wrapper)

    def start(self):
        before = self.started()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.wrapper, BIN / "guardd", "--state", self.state, *self.options], stderr=log)
        wait_for(lambda: self.started() > before or self.process.poll() is not None, "guardd to start")
        assert self.process.poll() is None, self.log()
        return self

    def events(self, name):
        return [json.loads(line) for line in self.log().splitlines() if f'"event":"{name}"' in line]

    @property
    def parent(self):
        return self.status().get("parent", {})

    def stop(self):
        return super().stop() if self.process is not None else 0

    def piles(self, service="shop"):
        """Files of the spool."""
        return sorted((self.state / "spool" / f"s.{service}").glob("*-*"))


def root_options(whole="*"):
    return ["--role", "service", *(["--whole-piles", whole] if whole else [])]


def agent_options(parent, every="1s", root=None):
    """root: whose key signs, when that isn't the parent."""
    return ["--role", "agent", "--parent", f"unix:{parent.state}/api.sock", "--report-every", every,
            "--policy-key", (root or parent).state / "keys" / "policy.pub"]


@pytest.fixture
def tree(tmp_path):
    """make(name, options) starts a node; all are stopped at the end, the last first."""
    nodes = []

    def make(name, options, wrapper=(), start=True):
        node = Node(tmp_path, name, options, wrapper)
        nodes.append(node)
        return node.start() if start else node

    yield make
    for node in reversed(nodes):
        if node.process is not None and node.process.poll() is None:
            node.process.send_signal(18)  # SIGCONT: a stopped one can't end
        node.stop()


def gate_of(nginx, node, upstream, service="shop"):
    return nginx(GATE.replace("{state}", str(node.state)).replace("{back}", str(upstream.port)).replace("guard shop;", f"guard {service};"),
                 name=f"nginx-{node.state.name}-{service}")


def served(*gates):
    """What gates counted themselves, behind their answers."""
    settle()
    return sum(len((gate.prefix / "count.log").read_text().splitlines()) for gate in gates)


def tool(*arguments, **options):
    done = subprocess.run([BIN / "guard", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment(name, default):
    return int(os.environ.get(name, str(default)))


def ask(node, method, path, *options, data=None, timeout=60):
    """One request to the API of a node, at its local door."""
    return curl(node.state, path, "-X", method, *options, data=data, timeout=timeout)


def send_pile(node, pile, *options, service="shop"):
    return ask(node, "POST", f"/services/{service}/piles", "-H", "Content-Type: application/octet-stream", "--data-binary", "@-", *options,
               data=pile)


def offline_pile(folder, key, exchanges, source="00000000000000aa:7:1", service="shop"):
    """What `guard learn` makes of the exchanges, as if the producer had written them."""
    folder.mkdir(exist_ok=True)
    (folder / "key").write_text(key)
    tool("learn", "--service", service, "--key", folder / "key", "--as", source, "--pile", folder / "offline.pile",
         write(folder / "offline.jsonl", exchanges))
    return (folder / "offline.pile").read_bytes()


def key_of(node, service="shop"):
    return ask(node, "GET", f"/services/{service}/key").json()["key"]
