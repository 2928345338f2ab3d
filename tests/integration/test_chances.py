# SPDX-License-Identifier: Apache-2.0
"""One exploit, several chances to stop it: the irregular request, the irregular response, the irregular time. Each alone, with the
others off (what they observe isn't acted on), in front of the demo's really vulnerable service and its data store. The fourth, the service's own calls, is tested where
outbound calls are (gate/test_egress.py): this service doesn't talk HTTP to its store."""

import json
import os
import re
import subprocess
import tempfile
import urllib.parse

import pytest

from harness import BIN, accepts, curl, end_process, free_port, wait_for

TRAFFIC = BIN / "guard-demo-traffic"
SEED = "0"
# The store really computes this: it counts to eight million.
HEAVY = ("{name} or (with recursive c(x) as (select 1 union all select x+1 from c limit 8000000) select count(*) from c) = 0")


def words():
    text = subprocess.run([TRAFFIC, "--print-names", "--names-from-seed", SEED], capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


class Demo:
    """Store, service and `guard run`, with what 200 clients taught in mode observe."""

    def __init__(self, folder):
        self.folder, self.state = folder, f"{folder}/state"
        os.mkdir(self.state)
        self.words, self.processes = words(), []
        store = f"{folder}/store.sock"
        self.start("store", BIN / "guard-demo-store", "--socket", store, "--seed", SEED)
        wait_for(lambda: "listening on" in self.log("store"), "the store")
        self.start("service", BIN / "guard-demo-service", "--store", store,
                   *(part for name in ("users-path", "users-param", "orders-path", "orders-field")
                     for part in (f"--{name}", self.words[name.upper().replace("-", "_")])))
        wait_for(lambda: "listening on" in self.log("service"), "the service")
        self.service = re.search(r"listening on (\S+)", self.log("service")).group(1)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start("guard", BIN / "guard", "run", "--upstream", self.service, "--listen", f"127.0.0.1:{self.port}", "--state",
                   self.state, "--service", "demo", "--mode", "observe", "--access-log", f"{folder}/access.log")
        wait_for(lambda: accepts(self.port), "the gate")

    def log(self, name):
        with open(f"{self.folder}/{name}.log", encoding="utf-8") as file:
            return file.read()

    def start(self, name, *command):
        with open(f"{self.folder}/{name}.log", "wb") as out:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT))

    def stop(self):
        for process in reversed(self.processes):
            end_process(process)

    def status(self):
        text = subprocess.run([BIN / "guard", "status", "--state", self.state, "--format", "json"], capture_output=True, text=True,
                              check=False).stdout
        return json.loads(text)["services"][0] if text.startswith("{") else {}

    def learn(self):
        subprocess.run([TRAFFIC, "--url", self.url, "--names-from-seed", SEED, "--exchanges", "20000", "--clients", "200", "--seed", "1"],
                       check=True, capture_output=True, timeout=600)
        wait_for(lambda: self.status().get("ready") is True and self.status().get("exchanges", 0) >= 20000, "the profile", 300)

    def protect(self, **parts):
        """Mode block for these parts, observe for the others: in force within seconds, so what follows is waited for. Two hundred
        clients prove less of the time than the default budget asks for; a thousandth is what they do prove."""
        modes = ", ".join(f"{part}: {parts.get(part, 'observe')}" for part in ("request", "response", "time"))
        path = f"{self.state}/guardians/demo.yaml"
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"  mode: .*\n(  parts: .*\n)?", f"  mode: block\n  parts: {{{modes}}}\n", file.read())
        text = re.sub(r"falseAlarmBudget: .*", "falseAlarmBudget: 0.001", text)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def generation(self):
        self.look_up(self.words["BENIGN"])
        line = self.log_line()
        found = re.search(r"generation=(\d+)", line)
        return int(found.group(1)) if found else 0

    def log_line(self):
        with open(f"{self.folder}/access.log", encoding="utf-8") as file:
            lines = file.read().splitlines()
        return lines[-1] if lines else ""

    def look_up(self, value):
        query = urllib.parse.urlencode({self.words["USERS_PARAM"]: value})
        return curl(f"{self.url}{self.words['USERS_PATH']}?{query}")


@pytest.fixture(scope="module")
def demo():
    with tempfile.TemporaryDirectory(prefix="guard-test.") as folder:
        os.chmod(folder, 0o711)
        demo = Demo(folder)
        try:
            demo.learn()
            yield demo
        finally:
            demo.stop()


def alerts(demo):
    text = subprocess.run([BIN / "guard", "alerts", "--state", demo.state, "--format", "jsonl"], capture_output=True, text=True,
                          check=True).stdout
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def blocked_by(demo, answer, part):
    """403, and the alert with the answer's id names a finding of that part first."""
    assert answer.status == 403, answer.body[:300]
    number = re.search(rb"[0-9a-f]{32}", answer.body).group(0).decode()

    def of_answer():
        return next((alert for alert in alerts(demo) if alert["id"] == number), None)
    wait_for(of_answer, "the alert")
    acted = [finding for finding in of_answer()["findings"] if finding["part"] == part]
    assert acted, of_answer()
    return acted[0]


def attack(demo):
    return demo.look_up(demo.words["PAYLOAD"])


def refusal(request):
    """The answer of the request that is refused once the policy is in force."""
    answers = []

    def refused():
        answers.append(request())
        return answers[-1].status == 403
    wait_for(refused, "the refusal")
    return answers[-1]


def passes(request):
    wait_for(lambda: request().status == 200, "the answer of the service")


def test_the_service_is_vulnerable(demo):
    demo.protect()
    assert demo.generation() > 0
    one = demo.look_up(demo.words["BENIGN"]).json()
    all_users = attack(demo)
    assert one["count"] == 1 and all_users.status == 200 and all_users.json()["count"] > 100


def test_the_request_alone_stops_it(demo):
    demo.protect(request="block")
    finding = blocked_by(demo, refusal(lambda: attack(demo)), "request")
    assert finding["name"] == demo.words["USERS_PARAM"]
    assert demo.look_up(demo.words["BENIGN"]).status == 200


def test_the_response_alone_stops_it(demo):
    demo.protect()
    passes(lambda: attack(demo))
    demo.protect(response="block")
    answer = refusal(lambda: attack(demo))
    assert b"id: " in answer.body and b"full_name" not in answer.body
    assert demo.look_up(demo.words["BENIGN"]).status == 200


def test_the_time_alone_stops_one_of_its_class(demo):
    demo.protect()
    heavy = HEAVY.format(name=demo.words["BENIGN"])
    passes(lambda: demo.look_up(heavy))
    demo.protect(time="block")
    answer = refusal(lambda: demo.look_up(heavy))
    assert b"id: " in answer.body
    passes(lambda: demo.look_up(demo.words["BENIGN"]))  # once the store has counted to its end
