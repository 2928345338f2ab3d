# SPDX-License-Identifier: Apache-2.0
"""The first request of a gate that has just begun: judged by the parent's policy where that comes in time, else passed on and counted."""

import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from trees import agent_options, ask, root_options, tree  # noqa: E402, F401
from harness import BIN, end_process  # noqa: E402
from ports import free_port  # noqa: E402
from waiting import wait_for  # noqa: E402

GUARDIAN = """apiVersion: guard/v1alpha1
kind: Guardian
service: shop
control: {mode: block}
configured: {headers: [{in: header, name: x-debug, forbidden: true}]}
"""


class Run:
    """`guard run` as it stands in a pod."""

    def __init__(self, folder, upstream, *options):
        self.port, self.state, self.log = free_port(), folder / "run", folder / "run.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [BIN / "guard", "run", "--upstream", f"http://127.0.0.1:{upstream.port}", "--listen", f"127.0.0.1:{self.port}", "--service",
                 "shop", "--workers", "1", "--state", self.state, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                text=True)
        assert self.process.stdout.readline().startswith("guard: listening"), self.log.read_text()

    def attack(self):
        done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "x-debug: 1", f"http://127.0.0.1:{self.port}/"],
                              capture_output=True, text=True, check=True)
        return done.stdout

    def passed_unjudged(self):
        return [line.rpartition(" ")[2] for line in ask(self, "GET", "/metrics").body.decode().splitlines()
                if line.startswith("guard_gate_without_policy_total{") and 'service="shop"' in line]


@pytest.fixture
def run(fast_upstream):
    made = []
    with tempfile.TemporaryDirectory(prefix="guard-test.") as folder:
        os.chmod(folder, 0o711)  # nginx's workers are others

        def make(*options):
            made.append(Run(pathlib.Path(folder), fast_upstream, *options))
            return made[-1]

        yield make
        for one in made:
            end_process(one.process)


def test_a_policy_is_fetched_before_there_is_a_gate(tree):
    root = tree("root", root_options())
    (root.state / "guardians").mkdir(exist_ok=True)
    (root.state / "guardians/shop.yaml").write_text(GUARDIAN)
    wait_for(lambda: (root.state / "policies/shop.policy").exists(), "the root's policy")
    agent = tree("agent", [*agent_options(root), "--follow", "shop,cart"])
    policy = agent.state / "policies/shop.policy"
    wait_for(lambda: policy.exists() and policy.read_bytes() == (root.state / "policies/shop.policy").read_bytes(), "the agent's")
    assert not list((agent.state / "rings").glob("*")), "no gate has said anything"


def test_the_first_request_is_judged_by_the_own_policy(run, tmp_path):
    (tmp_path / "guardian.yaml").write_text(GUARDIAN)
    running = run("--guardian", tmp_path / "guardian.yaml")
    assert running.attack() == "403" and "begins-without-policy" not in running.log.read_text()


def test_without_the_parent_it_begins_all_the_same_and_counts_what_passes(tree, run, tmp_path):
    root = tree("root", root_options())
    (root.state / "guardians").mkdir(exist_ok=True)
    (root.state / "guardians/shop.yaml").write_text(GUARDIAN)
    wait_for(lambda: (root.state / "policies/shop.policy").exists(), "the root's policy")
    key = tmp_path / "policy.pub"
    key.write_bytes((root.state / "keys/policy.pub").read_bytes())
    root.stop()
    running = run("--parent", f"unix:{root.state}/api.sock", "--policy-key", key)
    assert '"begins-without-policy"' in running.log.read_text()
    passed = [running.attack()]
    assert passed == ["200"]
    # Once the parent is back they are blocked, and how many weren't is known.
    root.start()

    def blocked():
        passed.append(running.attack())
        return passed[-1] == "403"
    wait_for(blocked, "the policy", timeout=120, pause=0.2)
    wait_for(lambda: running.passed_unjudged() == [str(passed.count("200"))], lambda: f"{passed} to be counted: {running.passed_unjudged()}")
