# SPDX-License-Identifier: Apache-2.0
"""guard-responder beside fake pods: its configuration, orders as guardd lays them down, and its reports."""

import datetime
import itertools
import json
import os
import pathlib
import signal
import subprocess

from harness import BIN, end_process, wait_for
from kernel import Pod

RESPONDER = BIN / "guard-responder"
STEPS = ["contain", "capture", "outOfService", "waitReady", "remove", "verify", "tell"]


def version_2():
    """The root of the second version's hierarchy; None: there is none."""
    for folder in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if pathlib.Path(folder, "cgroup.controllers").exists():
            return pathlib.Path(folder)
    return None


def cannot():
    """Why there can be no responder here; None: there can."""
    if not RESPONDER.exists():
        return "guard-responder isn't built"
    if os.geteuid() != 0:
        return "not root"
    root = version_2()
    if root is None:
        return "there is no hierarchy of the second version's control groups"
    probe = root / f"guard-test-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return f"no control groups can be made: {error}"
    return None


class Responder:
    """Started by start(); ended, with all that it started, by end()."""

    def __init__(self, folder, root, *, guard=None, workload=None, **members):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.state, self.guard = self.folder / "responder", guard or self.folder / "guard"
        self.orders, self.reports = self.guard / "pods" / "orders", self.guard / "pods" / "reports"
        for path in (self.orders, self.reports):
            path.mkdir(parents=True, exist_ok=True)
        self.config, self.log = self.folder / "responder.yaml", self.folder / "responder.log"
        self.process = None
        self.numbers = itertools.count(1)
        self.document = {"apiVersion": "guard/v1alpha1", "kind": "Responder", "state": str(self.state), "guardState": str(self.guard),
                         "cgroupRoot": str(root), "dryRun": False, "workloads": [{
                             "namespace": "shop", "workload": "cart", "dryRun": False, "steps": {"contain": {}}, **(workload or {})}],
                         **members}

    def start(self):
        self.config.write_text(json.dumps(self.document))
        self.config.chmod(0o600)
        with self.log.open("ab") as log:
            before = self.log.stat().st_size
            self.process = subprocess.Popen([RESPONDER, "--config", self.config], stderr=log, stdin=subprocess.DEVNULL)
        wait_for(lambda: b'"started"' in self.log.read_bytes()[before:] or self.process.poll() is not None, "the responder to start")
        assert self.process.poll() is None, self.log.read_text()
        return self

    def events(self, name):
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line]
        return [line.get("detail", "") for line in lines if line["event"] == name]

    def order(self, of, **members):
        """An order as guardd writes it; returns its id."""
        number = next(self.numbers)
        now = datetime.datetime.now(datetime.timezone.utc)
        document = {"version": 1, "id": f"order-{number}", "decided": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z",
                    "service": "cart", "namespace": "shop", "workload": "cart", "container": "app",
                    "pod": {"name": f"cart-{number}", "uid": of.uid if isinstance(of, Pod) else of}, "replicas": 4, "ready": 3,
                    "dryRun": False, "reason": "runs what no other does",
                    "evidence": [{"kind": "process", "text": f"runs /tmp/{chr(96 + number)} by server", "hard": "dropped"}],
                    "exchange": None, **members}
        path = self.orders / f"{document['id']}.json"
        path.with_suffix(".tmp").write_text(json.dumps(document))
        path.with_suffix(".tmp").rename(path)
        return document["id"]

    def lines(self, order):
        path = self.reports / f"{order}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def outcome(self, order, step):
        found = [line for line in self.lines(order) if line.get("step") == step]
        assert len(found) <= 1 or found[0]["outcome"] == "later", f"{step} was reported twice: {found}"
        return found[-1] if found else None

    def ended(self, order):
        """The last line, waited for."""
        def last():
            found = self.lines(order)
            return found and "end" in found[-1] and found[-1]
        line = wait_for(last, lambda: f"{order} to end: {self.lines(order)}\n{self.log.read_text()[-2000:]}")
        assert [one for one in self.lines(order) if "end" in one] == [line]
        return line

    def did(self, order, step):
        return wait_for(lambda: self.outcome(order, step), lambda: f"{step} of {order}: {self.lines(order)}\n{self.log.read_text()[-2000:]}")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        if self.process is not None:
            end_process(self.process)
