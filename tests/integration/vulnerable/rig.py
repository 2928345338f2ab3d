# SPDX-License-Identifier: Apache-2.0
"""Runs each exploit against its victim: through an nginx without Guard, behind a gate that only observes, and behind the gate that has
learned the victim's benign traffic. One guardd and one gate serve all victims."""

import concurrent.futures
import dataclasses
import json
import math
import os
import re
import subprocess
import time

from harness import BIN, Nginx, accepts, end_process, free_port, settle, wait_for
from peers.shop import Connection, send

from .benign import traffic
from .catalogue import EXPLOITS
from .offline import exchange, judge
from .packages import VICTIMS
from .patched import exploit_patches, proposed

LEARNED, ASKED, CLIENTS = 2000, 500, 120
BUDGET = 0.001
ATTACKER = "127.0.250.1"
UPSTREAM = "upstream {name} {{ server 127.0.0.1:{port} max_fails=0; keepalive 32; }}\n"
SERVER = """server {{
    listen 127.0.0.1:{{port}};
    server_name {name}.example;
    {guard}
    location / {{ proxy_pass http://{name}; proxy_http_version 1.1; proxy_set_header Connection ""; }}
}}
"""
GATE = """
    guard_state {state};
    guard_policy_key {state}/keys/policy.pub;
    log_format told '$guard_generation $guard_verdict $guard_action $guard_id $status $guard_reason';
    keepalive_requests 1000000;
"""


class Victim:
    """A vulnerable service in a folder of its own, on a port that stays the same when it is started anew."""

    def __init__(self, exploit, folder, modules):
        self.exploit, self.folder, self.modules = exploit, folder / exploit.name, modules
        self.name, self.host = exploit.name, f"{exploit.name}.example"
        self.folder.mkdir()
        self.port, self.process = free_port(), None

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(["node", VICTIMS / self.name / "app.js", str(self.port)], cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env={**os.environ, "NODE_PATH": str(self.modules)})

    def wait(self):
        wait_for(lambda: accepts(self.port) or self.process.poll() is not None, f"{self.name} to listen")
        assert self.process.poll() is None, (self.folder / "log").read_text()

    def clean(self):
        """As if nothing had been done to it."""
        (self.folder / "proof").unlink(missing_ok=True)
        if self.exploit.stains:
            self.stop()
            self.start()
            self.wait()

    def stop(self):
        if self.process is not None:
            end_process(self.process)

    def ask(self, data):
        """The service itself, past all gates: what an exploit has done shows there, whatever a gate does about the answer."""
        return send(self.port, data)

    def attack(self, door):
        """(the answer to the exploit through this port, whether it worked)."""
        answer = send(door, self.exploit.data, ATTACKER)
        return answer, bool(self.exploit.worked(self, answer))


@dataclasses.dataclass
class Row:
    """What was measured of one exploit."""
    exploit: object
    plain: bool = False  # worked
    observed: bool = False  # worked, with the same answer
    verdict: str = ""  # behind the gate: blocked, withheld, reported, missed
    reason: str = ""
    novelty: str = ""  # what it were without likeness: blocked, reported, missed
    benign: int = 0
    refused: list = dataclasses.field(default_factory=list)  # of the benign: what the gate told
    patched: str = ""  # behind the gate, by its patch alone: blocked, missed, not enforceable
    mutations: int = 0
    mutations_stopped: int = 0  # by the patch, before the service saw them
    patched_refused: list = dataclasses.field(default_factory=list)  # of the benign, by the patch
    failed: list = dataclasses.field(default_factory=list)  # of the benign: statuses that neither gate nor victim should give


class Rig:
    def __init__(self, folder, modules, exploits=EXPLOITS, learned=LEARNED, asked=ASKED, seed=1):
        self.folder, self.learned, self.asked, self.seed = folder, learned, asked, seed
        self.state = folder / "state"
        self.state.mkdir()
        self.victims = [Victim(exploit, folder, modules) for exploit in exploits]
        self.rows = {exploit.name: Row(exploit) for exploit in exploits}
        self.exchanges = {}  # that were learned
        self.answers = {}  # to the exploits, of the plain nginx
        self.guardd = self.plain = self.gate = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def start(self):
        for victim in self.victims:
            victim.start()
        with open(self.folder / "guardd.log", "ab") as log:
            self.guardd = subprocess.Popen([BIN / "guardd", "--state", self.state], stderr=log)
        wait_for(lambda: '"event":"started"' in self.log() or self.guardd.poll() is not None, "guardd to start")
        assert self.guardd.poll() is None, self.log()
        upstreams = "".join(UPSTREAM.format(name=victim.name, port=victim.port) for victim in self.victims)
        self.plain = Nginx(self.folder / "plain", upstreams + self.servers(""), module=None).start()
        self.gate = Nginx(self.folder / "gate", GATE.replace("{state}", str(self.state)) + upstreams
                          + self.servers("guard {name}; access_log {{prefix}}/{name}.told told;")).start()
        for victim in self.victims:
            victim.wait()
        return self

    def servers(self, guard):
        return "".join(SERVER.format(name=victim.name, guard=guard.format(name=victim.name)) for victim in self.victims)

    def stop(self):
        for nginx in (self.gate, self.plain):
            if nginx is not None:
                nginx.stop()
        if self.guardd is not None:
            end_process(self.guardd)
        for victim in self.victims:
            victim.stop()

    def log(self):
        return (self.folder / "guardd.log").read_text()

    def told(self, name):
        """What the gate said of each exchange: [generation, verdict, action, id, status, reason]."""
        settle()
        return [line.split(" ", 5) for line in (self.gate.prefix / f"{name}.told").read_text().splitlines()]

    def status(self):
        return {one["service"]: one for one in json.loads((self.state / "status.json").read_text())["services"]}

    def drive(self, seed, count):
        """Benign traffic to all victims through the gate: (request, answer, client, time) of each."""
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            return dict(zip((victim.name for victim in self.victims), pool.map(lambda victim: self.drive_one(victim, seed, count), self.victims)))

    def drive_one(self, victim, seed, count):
        connections = [Connection(self.gate.port, f"127.0.{i + 1}.1") for i in range(CLIENTS)]
        try:
            asked = traffic(victim.name, seed).many(count, CLIENTS)
            return [(data, connections[client].send(data), f"127.0.{client + 1}.1", time.time()) for client, data in asked]
        finally:
            for connection in connections:
                connection.close()

    def attack_plain(self):
        for victim in self.victims:
            row = self.rows[victim.name]
            self.answers[victim.name], row.plain = victim.attack(self.plain.port)
            victim.clean()

    def learn(self):
        self.exchanges = self.drive(self.seed, self.learned)
        for name, exchanges in self.exchanges.items():
            self.rows[name].failed += [answer.status for _, answer, _, _ in exchanges if answer.status not in (200, 201)]
        wait_for(lambda: all(self.status()[victim.name]["exchanges"] >= self.learned for victim in self.victims), "what was learned")

    def control(self, text, patches=None):
        """Replaces all Guardians and waits until the gate judges by them. patches: by the victim's name, documents that are enforced."""
        before = len(self.log())
        (self.state / "guardians").mkdir(exist_ok=True)
        for victim in self.victims:
            temporary = self.state / "guardians" / f"{victim.name}.tmp"
            plain = f"service: {victim.name}\ncontrol: {{{text}}}\n"
            if patches is None:
                temporary.write_text(plain)
            else:
                enforced = exploit_patches.guardian(temporary, [patches[victim.name]]).read_text()
                temporary.write_text(plain + enforced.partition("\n")[2])
            temporary.rename(temporary.with_suffix(".yaml"))
        for victim in self.victims:
            wait_for(lambda name=victim.name: self.in_force(name, before), f"the Guardian of {victim.name}")
        wait_for(lambda: all(self.status()[victim.name]["ready"] for victim in self.victims), "readiness")

    def in_force(self, name, before):
        read = re.compile(rf'"event":"guardian-read","service":"{name}".*\n(?:.*\n)*?.*"event":"published","service":"{name}".*generation (\d+)')
        wanted = int(read.search(self.log(), before)[1])
        return any(int(said) >= wanted for said in re.findall(rf"service {name}: generation (\d+) is in force", self.gate.log_text()))

    def attack_protected(self):
        for victim in self.victims:
            row = self.rows[victim.name]
            before = len(self.told(victim.name))
            answer, worked = victim.attack(self.gate.port)
            first = wait_for(lambda name=victim.name, told=before: self.told(name)[told:], "the line of the access log")[0]
            row.reason = first[5]
            refused = answer.status == 403 and "x-guard-id" in answer.headers
            row.verdict = ("withheld" if worked else "blocked") if refused else "reported" if first[1] != "pass" else "missed"
            assert refused or worked, f"{victim.name}: let through, and without effect: {answer.status} {answer.body[:300]}"
            victim.clean()

    def attack_observed(self):
        for victim in self.victims:
            row, plain = self.rows[victim.name], self.answers[victim.name]
            answer, worked = victim.attack(self.gate.port)
            row.observed = worked and (answer.status, answer.body) == (plain.status, plain.body)
            victim.clean()

    def benign(self):
        before = {victim.name: len(self.told(victim.name)) for victim in self.victims}
        for name, exchanges in self.drive(self.seed + 1, self.asked).items():
            row = self.rows[name]
            row.benign = len(exchanges)
            wait_for(lambda name=name, count=before[name] + len(exchanges): len(self.told(name)) >= count, f"the access log of {name}")
            row.refused = [told[5] for told in self.told(name)[before[name]:] if told[2] == "block"]
            row.failed += [answer.status for _, answer, _, _ in exchanges if answer.status not in (200, 201, 403)]

    def attack_patched(self):
        """By each patch alone: in the mode alert what was learned blocks nothing, and what is enforced does."""
        made = {victim.name: proposed(self.folder, victim.exploit, self.seed) for victim in self.victims}
        self.control("mode: alert, learn: paused", {name: document for name, (document, _) in made.items()})
        for victim in self.victims:
            row = self.rows[victim.name]
            document, others = made[victim.name]
            row.patched = "blocked" if self.stopped(victim, victim.exploit.data) else "not enforceable" if "NOT ENFORCEABLE" in document else "missed"
            row.mutations = len(others)
            row.mutations_stopped = sum(self.stopped(victim, data) for _, data in others)
        before = {victim.name: len(self.told(victim.name)) for victim in self.victims}
        for name, exchanges in self.drive(self.seed + 3, self.asked).items():
            wait_for(lambda name=name, count=before[name] + len(exchanges): len(self.told(name)) >= count, f"the access log of {name}")
            self.rows[name].patched_refused = [told[5] for told in self.told(name)[before[name]:] if told[2] == "block"]

    def stopped(self, victim, data):
        """Whether the service didn't get it: refused by the gate for the patch, and without effect."""
        before = len(self.told(victim.name))
        answer = send(self.gate.port, data, ATTACKER)
        worked = bool(victim.exploit.worked(victim, answer))
        first = wait_for(lambda: self.told(victim.name)[before:], "the line of the access log")[0]
        if answer.status != 403 or worked:
            victim.clean()
        return answer.status == 403 and first[2] == "block" and victim.exploit.number in first[5] and not worked

    def judge_novelty(self):
        for victim in self.victims:
            learned = [exchange(*one) for one in self.exchanges[victim.name]]
            benign = [data for _, data in traffic(victim.name, self.seed + 2).many(20, CLIENTS)]
            asked = [exchange(data, None, ATTACKER, time.time()) for data in [victim.exploit.data, *benign]]
            row = self.rows[victim.name]
            row.novelty, *others = judge(self.folder, victim.name, learned, asked, BUDGET, "off")
            assert others.count("blocked") < 5, f"{victim.name}: benign requests are blocked, so that it says nothing of the exploit"

    def measure(self):
        self.attack_plain()
        self.learn()
        self.control(f"mode: block, learn: paused, falseAlarmBudget: {BUDGET}")
        self.benign()
        self.attack_protected()
        self.control("mode: observe, learn: paused")
        self.attack_observed()
        self.attack_patched()
        self.judge_novelty()
        return [self.rows[exploit.name] for exploit in (victim.exploit for victim in self.victims)]


def interval(count, of):
    """The exact (Clopper-Pearson) 95 % interval of a share."""
    def at_most(k, p):
        return sum(math.comb(of, i) * p ** i * (1 - p) ** (of - i) for i in range(k + 1))

    def solve(holds):
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if holds(middle) else (low, middle)
        return low
    lower = 0.0 if count == 0 else solve(lambda p: 1 - at_most(count - 1, p) < 0.025)
    upper = 1.0 if count == of else solve(lambda p: at_most(count, p) > 0.025)
    return lower, upper
