# SPDX-License-Identifier: Apache-2.0
"""What a learner does with piles, for a service of 64 endpoints with 8 parameters: how large pile and policy become, how long merging a
gate's minute and learning a policy take."""
import json
import os
import random
import subprocess

import gate
import workload
from server import BenchError

ENDPOINTS, PARAMETERS, CLIENTS = 64, 8, 400
WEEKS = 6  # so that all epochs of a pile are there
MINUTE = 600  # exchanges of a gate in a minute: there are thousands of gates
LIMITS = {"policy_bytes": 2**20, "policy_bytes_per_parameter": 1229, "pile_bytes": 4 * 2**20, "merge_ms": 1, "learn_ms": 200}


def _value(rng, number):
    """A number, a word out of a set, a text, an id by turns."""
    if number % 4 == 0:
        return str(rng.randint(1, 5000))
    if number % 4 == 1:
        return rng.choice(workload.WORDS[:12])
    if number % 4 == 2:
        return "+".join(rng.choice(workload.WORDS) for _ in range(rng.randint(1, 5)))
    return f"{rng.getrandbits(128):032x}"


def _exchange(rng, number, time):
    endpoint = rng.randrange(ENDPOINTS)
    query = "&".join(f"parameter-{i}={_value(rng, i)}" for i in range(PARAMETERS))
    request = workload.Request("GET", f"/things-{endpoint}?{query}", agent=rng.choice(workload.AGENTS))
    client = rng.randrange(CLIENTS)
    return request.exchange(number, f"10.{client // 200}.{client % 200}.7", round(time, 3))


def _write(path, rng, count, start, seconds):
    with open(path, "w", encoding="utf-8") as out:
        for number in range(count):
            out.write(json.dumps(_exchange(rng, number, start + number * seconds / count), separators=(",", ":")) + "\n")


def _learn(program, folder, name, path, producer):
    pile = f"{folder}/{name}.pile"
    gate.command(program, "learn", "--service", gate.SERVICE, "--key", f"{folder}/service.key", "--pile", pile, "--guardian",
                 f"{folder}/{name}.yaml", "--as", f"{producer}:1:1", path)
    return pile


def _policy_bytes(program, folder):
    policy = f"{folder}/whole.policy"
    gate.command(program, "policy", "key", "--output", f"{folder}/policy")
    gate.command(program, "policy", "compile", "--guardian", f"{folder}/whole.yaml", "--pile", f"{folder}/whole.pile", "--key",
                 f"{folder}/policy", "--generation", "1", "--output", policy)
    return os.path.getsize(policy)


def learner(rig):
    program, folder, rng = f"{rig.arguments.build}/bin/guard", rig.folder("learner"), random.Random("learner")
    with open(f"{folder}/service.key", "w", encoding="ascii") as out:
        out.write("5a" * 32 + "\n")
    seconds = WEEKS * 7 * 86400
    _write(f"{folder}/whole.jsonl", rng, 40000 if rig.arguments.smoke else 200000, workload.START, seconds)
    _write(f"{folder}/minute.jsonl", rng, MINUTE, workload.START + seconds, 60)
    whole = _learn(program, folder, "whole", f"{folder}/whole.jsonl", 1)
    minute = _learn(program, folder, "minute", f"{folder}/minute.jsonl", 2)
    ran = subprocess.run([f"{rig.arguments.build}/bench/guard-bench-learner", whole, minute], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise BenchError(ran.stderr)
    figures = {name: float(value) for name, value in map(str.split, ran.stdout.splitlines())}
    size = _policy_bytes(program, folder)
    figures |= {"pile_bytes": os.path.getsize(whole), "policy_bytes": size,
                "policy_bytes_per_parameter": round(size / (ENDPOINTS * PARAMETERS))}
    print(f"\nLearner, {ENDPOINTS} endpoints with {PARAMETERS} parameters, {WEEKS} weeks (limits in brackets)")
    print(f"pile {figures['pile_bytes'] / 2**20:.2f} MiB (4), policy {size / 2**20:.2f} MiB (1), {figures['policy_bytes_per_parameter']} bytes "
          f"each parameter (1229)\nmerging a gate's minute of {MINUTE} exchanges {figures['merge_ms']:.2f} ms of one core (1), learning and "
          f"compiling a policy {figures['learn_ms']:.0f} ms (200)")
    for name, limit in LIMITS.items():
        if figures[name] > limit:
            (rig.miss if name.endswith("_ms") else rig.fail)(f"learner: {name} is {figures[name]:,}, {limit:,} are allowed")
    return figures
