# SPDX-License-Identifier: Apache-2.0
"""What a fleet of agents costs its root: simulated agents that send a delta per period over the Unix socket, and an agent beside a
gate that has nothing to do."""
import json
import os
import subprocess
import sys
import time

from server import BenchError, cpu_nanoseconds, resident_bytes, wait_for

# agents, services, period (ms), seconds
SMOKE = [(200, 20, 5000, 10)]
FULL = [(200, 200, 60000, 60), (2000, 200, 60000, 120), (5000, 200, 60000, 60)]


def _start(rig, name, *options):
    state = f"{rig.work}/{name}"
    os.makedirs(state, exist_ok=True)
    log = open(f"{state}.log", "wb")
    process = subprocess.Popen([f"{rig.arguments.build}/bin/guardd", "--state", state, *options], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=log)
    wait_for(lambda: b'"event":"started"' in open(f"{state}.log", "rb").read() or process.poll() is not None, 60, "guardd to start")
    if process.poll() is not None:
        raise BenchError(open(f"{state}.log", encoding="utf-8").read())
    return process, state


def _end(process):
    process.terminate()
    process.wait(60)


def _row(rig, agents, services, period, seconds):
    process, state = _start(rig, f"root-{agents}", "--role", "service", "--whole-piles", "*")
    try:
        before, begin = cpu_nanoseconds(process.pid), time.monotonic()
        done = subprocess.run([f"{rig.arguments.build}/bench/guard-bench-agents", "-s", f"unix:{state}/api.sock", "-a", str(agents), "-n",
                               str(services), "-p", str(period), "-t", str(seconds)], capture_output=True, text=True, timeout=seconds + 300,
                              check=False)
        if done.returncode != 0:
            raise BenchError(done.stderr)
        took = time.monotonic() - begin
        row = json.loads(done.stdout)
        row |= {"services": services, "period_ms": period, "cores": round((cpu_nanoseconds(process.pid) - before) / 1e9 / took, 3),
                "rss_mib": round(resident_bytes(process.pid) / 2**20, 1)}
    finally:
        _end(process)
    if row["held"] != row["sent"] or row["refused"]:
        rig.fail(f"tree: of {row['sent']} deltas {row['held']} were held")
    return row


def _idle_agent(rig):
    root, state = _start(rig, "idle-root", "--role", "service")
    try:
        agent, _ = _start(rig, "idle-agent", "--role", "agent", "--parent", f"unix:{state}/api.sock", "--policy-key",
                          f"{state}/keys/policy.pub")
        try:
            time.sleep(2)
            return round(resident_bytes(agent.pid) / 2**20, 1)
        finally:
            _end(agent)
    finally:
        _end(root)


def tree(rig):
    idle = _idle_agent(rig)
    print(f"\nan agent with nothing to do: {idle} MiB", flush=True)
    if idle > 16:
        rig.fail(f"tree: an idle agent takes {idle} MiB (16)")
    rows = []
    print("agents services period  delta  cores   MiB  p50   p99   max (ms until held)", flush=True)
    for case in SMOKE if rig.arguments.smoke else FULL:
        row = _row(rig, *case)
        lag = row["lag_ms"]
        print(f"{row['agents']:6} {row['services']:8} {row['period_ms'] // 1000:4} s {row['delta_bytes']:6} {row['cores']:6} {row['rss_mib']:5} "
              f"{lag['p50']:4} {lag['p99']:5} {lag['max']:5}", flush=True)
        rows.append(row)
        if row["agents"] == 2000 and (row["cores"] > 1 or row["rss_mib"] > 512 or lag["p99"] >= 5000):
            rig.miss(f"tree: 2,000 agents take {row['cores']} cores, {row['rss_mib']} MiB, {lag['p99']} ms")
    return {"idle_agent_mib": idle, "rows": rows}


if __name__ == "__main__":
    sys.exit("run by bench.py --only tree")
