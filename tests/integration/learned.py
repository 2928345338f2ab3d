# SPDX-License-Identifier: Apache-2.0
"""Policies that were really learned, from made traffic, and published into a state directory as guardd would."""

import re
import subprocess

from harness import BIN
from traffic import write


class Learned:
    """What was learned of one service's traffic; publish() compiles it for a mode and the modes of the parts."""

    def __init__(self, folder, exchanges, service="svc"):
        self.folder = folder
        self.service = service
        self.generation = 0
        self.pile = folder / f"{service}.pile"
        self.guardian = folder / f"{service}.yaml"
        folder.mkdir(exist_ok=True)
        traffic = write(folder / f"{service}.jsonl", exchanges)
        self.run("learn", "--service", service, "--pile", self.pile, "--guardian", self.guardian, traffic)
        self.run("policy", "--output", folder / "policy.key", "key")

    @staticmethod
    def run(*arguments):
        done = subprocess.run([BIN / "guard", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def publish(self, state, mode="block", *, budget=0.0001, **parts):
        """Parts not named are in mode observe. budget: of false alarms."""
        self.generation += 1
        said = {"request": "observe", "response": "observe", "time": "observe", **parts}
        text = self.guardian.read_text()
        text = re.sub(r"(?m)^  mode: .*$", f"  mode: {mode}\n  parts: {{{', '.join(f'{k}: {v}' for k, v in said.items())}}}",
                      text, count=1)
        text = re.sub(r"(?m)^  falseAlarmBudget: .*$", f"  falseAlarmBudget: {budget}", text)
        changed = self.folder / "changed.yaml"
        changed.write_text(text)
        output = self.folder / "out.policy"
        self.run("policy", "--guardian", changed, "--pile", self.pile, "--key", self.folder / "policy.key", "--generation",
                 self.generation, "--output", output, "compile")
        state.key.write_bytes((self.folder / "policy.key.pub").read_bytes())
        state.publish(output.read_bytes(), self.service)
