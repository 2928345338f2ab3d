# SPDX-License-Identifier: Apache-2.0
"""What patches cost a request: instructions with none, 40, 400 and 2,000 of them, their patterns in one database."""
import json
import os
import random
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import gate
from server import BenchError, wait_for

COUNTS = (0, 40, 400, 2000)
WORKLOADS = ("get5", "json2k")
# Instructions over none at 400 patches: the aims, what is allowed, and the share by which 400 -> 2,000 may grow.
AIMS = {"get5": 8000, "json2k": 12000}
LIMITS = {"get5": 8000, "json2k": 12000}
GROWTH = 0.25
COMPILE_SECONDS = 5
SEED = "patches"

FUNCTIONS = ["exec", "system", "passthru", "assert", "eval", "popen", "proc_open", "shell_exec", "call_user_func"]


def _word(rng, length=8):
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(length))


def _expression(rng):
    """As people write them for one product: a name of its own and what code, statements or paths look like."""
    own = _word(rng)
    return rng.choice([
        rf"{own}\s*\(\s*['\"]?\w{{0,32}}{rng.choice(FUNCTIONS)}\b",
        rf"(?:union|select)\s[^;]{{0,64}}\b{own}_(?:users|sessions)\b",
        rf"\$\{{[^}}]{{0,40}}{own}[.:]",
        rf"<{own}[^>]{{0,80}}\son\w+\s*=",
        rf"\.\./{{1,4}}(?:etc|var|proc)/{own}",
    ])


def _condition(rng):
    """Half of them look everywhere, as those for libraries must; the others at a parameter or header of their product."""
    kind = rng.randrange(8)
    if kind < 2:
        return {"regex": _expression(rng), "ignoreCase": True}
    if kind == 2:
        return {"contains": f"{_word(rng, 5)}:{_word(rng)}", "ignoreCase": True}
    if kind == 3:
        return {"of": "name", "contains": f"{_word(rng)}.{_word(rng)}"}
    if kind == 4:
        return {"in": "header", "names": f"x-{_word(rng)}", "regex": _expression(rng)}
    if kind == 5:
        return {"all": [{"in": ["query", "form", "json"], "names": _word(rng), "regex": _expression(rng), "ignoreCase": True},
                        {"not": {"in": "header", "names": f"x-{_word(rng)}", "present": True}}]}
    if kind == 6:
        return {"in": ["query", "form"], "names": _word(rng), "traversal": True}
    return {"in": ["query", "form", "json"], "names": _word(rng), "length": {"min": 256}}


def made(count):
    """The first patches are the same whatever the count is."""
    rng = random.Random(SEED)
    patches = []
    for number in range(count):
        condition = _condition(rng)
        scope = {"endpoints": [f"/{_word(rng)}/{_word(rng)}", f"/{_word(rng)}/{{*}}"]} if rng.random() < 0.6 else None
        patches.append({"id": f"BENCH-{number}", "title": f"A vulnerability of product {number}", "mode": "enforce",
                        "when": condition} | ({"scope": scope} if scope else {}))
    return patches


def _write_guardian(path, base, patches):
    with open(path, "w", encoding="utf-8") as out:
        out.write(base)
        if patches:
            out.write("patches:\n" + "".join(f"- {json.dumps(patch)}\n" for patch in patches))


def database(build, folder, services, patches):
    """A state directory in which guardd has made the database of these patches in each of the services; its bytes, and the seconds of the
    processor that guardd and its builder took for it, start and end included."""
    os.makedirs(f"{folder}/guardians")
    for number in range(services):
        _write_guardian(f"{folder}/guardians/bench-{number}.yaml", f"service: bench-{number}\n", patches)
    path = f"{folder}/patterns/patterns.db"
    with open(f"{folder}.log", "wb") as log:
        daemon = subprocess.Popen([f"{build}/bin/guardd", "--state", folder, "--api", "off"], stderr=log)
    try:
        wait_for(lambda: os.path.exists(path), 180, "the database of patterns")
    finally:
        daemon.terminate()
        _, status, usage = os.wait4(daemon.pid, 0)
        daemon.returncode = os.waitstatus_to_exitcode(status)
    if not os.path.exists(path):
        raise BenchError(f"guardd made no database of patterns: {open(f'{folder}.log', encoding='utf-8').read()[-2000:]}")
    return os.path.getsize(path), usage.ru_utime + usage.ru_stime


def patched(rig, count):
    """The gate of the other figures with this many patches in its Guardian, and what the database is like."""
    folder = rig.folder(f"patches-{count}")
    learned, state = os.path.dirname(rig.guard.state), f"{folder}/state"
    shutil.copytree(rig.guard.state, state)
    with open(f"{learned}/{gate.SERVICE}.yaml", encoding="utf-8") as file:
        _write_guardian(f"{folder}/{gate.SERVICE}.yaml", file.read(), made(count))
    gate.command(f"{rig.guard.build}/bin/guard", "policy", "compile", "--guardian", f"{folder}/{gate.SERVICE}.yaml", "--pile",
                 f"{learned}/{gate.SERVICE}.pile", "--key", f"{state}/keys/policy", "--generation", "2", "--mode", "block", "--output",
                 f"{state}/policies/{gate.SERVICE}.policy")
    told = None
    if count > 0:
        told = database(rig.guard.build, f"{folder}/guardd", 1, made(count))
        shutil.copytree(f"{folder}/guardd/patterns", f"{state}/patterns")
        shutil.copy(f"{folder}/guardd/keys/node.pub", f"{state}/keys/node.pub")
    return gate.Gate(rig.guard.build, state), told


def _judge(rig, name, figures):
    none, some, most = (figures[count][name] for count in (COUNTS[0], 400, COUNTS[-1]))
    growth = (most - some) / some
    print(f"{name}: 400 patches take {some - none:,} over none ({AIMS[name]:,} are the aim, {LIMITS[name]:,} allowed); 400 -> 2,000 grows by {growth:.1%} "
          f"({GROWTH:.0%})")
    if some - none > LIMITS[name] or growth > GROWTH:
        rig.fail(f"{name}: patches take more than is allowed")


def measure(rig, count_run, requests):
    """requests: so many are counted each time."""
    figures = {}
    print("\nPatches: instructions per request (callgrind, worker only) with their patterns in one database")
    print(f"{'patches':>8}" + "".join(f"{name:>12}{'over none':>12}" for name in WORKLOADS) + f"{'database':>14}{'CPU':>10}")
    for count in COUNTS:
        guard, told = patched(rig, count)
        with ThreadPoolExecutor(2) as pool:
            runs = {name: pool.submit(count_run, rig, "guard", name, requests, guard=guard, patterns=count > 0) for name in WORKLOADS}
            figures[count] = {name: run.result()[0] for name, run in runs.items()}
        row = "".join(f"{figures[count][name]:>12,}{figures[count][name] - figures[0][name]:>12,}" for name in WORKLOADS)
        print(f"{count:>8,}{row}" + (f"{told[0]:>8,} bytes{told[1]:>8.2f} s" if told else ""), flush=True)
        if told and told[1] > COMPILE_SECONDS:
            rig.miss(f"the database of {count} patches took {told[1]:.1f} s, {COMPILE_SECONDS} are allowed")
    for name in WORKLOADS:
        _judge(rig, name, figures)
    size, _ = database(rig.guard.build, f"{rig.folder('services')}/guardd", 200, made(400))
    print(f"200 services with the same 400 patches share a database of {size:,} bytes")
    return figures
