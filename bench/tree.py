# SPDX-License-Identifier: Apache-2.0
"""What a fleet of agents costs its root: simulated agents that send a delta per period over the Unix socket, and an agent beside a
gate that has nothing to do."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from server import BenchError, cpu_nanoseconds, resident_bytes, wait_for
from postgres import Postgres, missing

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


# agents in all, services, period (ms), seconds; half of the agents at each of two roots
SMOKE_SHARED = (200, 20, 5000, 10)
FULL_SHARED = (2000, 200, 60000, 120)
# agents in all, aggregators, services, period (ms), seconds
SMOKE_AGGREGATED = (200, 2, 20, 5000, 10)
FULL_AGGREGATED = (5000, 5, 200, 60000, 60)


def _cpu(pids):
    total = 0
    for pid in pids:
        try:
            total += cpu_nanoseconds(pid)
        except (OSError, BenchError):
            pass  # a server's worker that has ended
    return total


def _own_mib(pids):
    """What the processes take together, shared memory once."""
    total = 0
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
            total += int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1])
        except (OSError, StopIteration):
            pass
    return round(total / 1024, 1)


def _two_roots(rig, postgres):
    first, state = _start(rig, "shared-0", "--role", "service", "--whole-piles", "*", "--store", postgres.url)
    try:
        os.makedirs(f"{rig.work}/shared-1/keys", exist_ok=True)
        shutil.copy(f"{state}/keys/policy.key", f"{rig.work}/shared-1/keys/policy.key")
        second, other = _start(rig, "shared-1", "--role", "service", "--whole-piles", "*", "--store", postgres.url)
    except BaseException:
        _end(first)
        raise
    return [first, second], [state, other]


def _load(rig, states, agents, services, period, seconds):
    """What the agents of each root say."""
    each = agents // len(states)
    running = [subprocess.Popen([f"{rig.arguments.build}/bench/guard-bench-agents", "-s", f"unix:{state}/api.sock", "-a", str(each), "-n",
                                 str(services), "-p", str(period), "-t", str(seconds), "-f", str(number * each)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True) for number, state in enumerate(states)]
    said = [process.communicate(timeout=seconds + 300) for process in running]
    for process, (_, error) in zip(running, said):
        if process.returncode != 0:
            raise BenchError(error)
    return [json.loads(text) for text, _ in said]


def _learned(states, exchanges):
    """Until whoever learns has all of it."""
    def total():
        found = 0
        for state in states:
            with open(f"{state}/status.json", encoding="utf-8") as file:
                found += sum(s["exchanges"] for s in json.load(file)["services"] if s.get("role") == "learner")
        return found
    wait_for(lambda: total() >= exchanges, 120, "the learner to have all that was held")
    return total()


def _shared(rig):
    """Two roots over one PostgreSQL that writes through; half of the agents at each."""
    why = missing()
    if why:
        return {"skipped": why}
    agents, services, period, seconds = SMOKE_SHARED if rig.arguments.smoke else FULL_SHARED
    postgres = Postgres()
    with open(postgres.data / "postgresql.conf", "a", encoding="utf-8") as conf:
        conf.write("fsync = on\nshared_buffers = 128MB\n")
    try:
        postgres.start()
        roots, states = _two_roots(rig, postgres)
        try:
            database = postgres.processes()
            before = [_cpu([root.pid]) for root in roots], _cpu(database)
            begin = time.monotonic()
            said = _load(rig, states, agents, services, period, seconds)
            took = time.monotonic() - begin
            rows = [{"cores": round((_cpu([root.pid]) - used) / 1e9 / took, 3), "rss_mib": round(resident_bytes(root.pid) / 2**20, 1),
                     "sent": one["sent"], "held": one["held"], "lag_ms": one["lag_ms"]}
                    for root, used, one in zip(roots, before[0], said)]
            server = {"cores": round((_cpu(database) - before[1]) / 1e9 / took, 3), "mib": _own_mib(postgres.processes())}
            exchanges = sum(one["sent"] for one in said) * 100
            learned = _learned(states, exchanges)
        finally:
            for root in roots:
                _end(root)
    finally:
        postgres.stop(signal.SIGINT)
        postgres.close()
    if learned != exchanges or any(row["held"] != row["sent"] for row in rows):
        rig.fail(f"tree: of {exchanges} exchanges that two roots were sent {learned} were learned")
    return {"agents": agents, "services": services, "period_ms": period, "roots": rows, "postgres": server}


def _aggregated(rig):
    """Agents that report to aggregators, which report to the root: of services this young each five seconds."""
    agents, count, services, period, seconds = SMOKE_AGGREGATED if rig.arguments.smoke else FULL_AGGREGATED
    processes = []
    try:
        root, state = _start(rig, "above", "--role", "service", "--whole-piles", "*")
        processes.append(root)
        states = []
        for number in range(count):
            process, below = _start(rig, f"between-{number}", "--role", "aggregator", "--parent", f"unix:{state}/api.sock", "--whole-piles", "*",
                                    "--policy-key", f"{state}/keys/policy.pub")
            processes.append(process)
            states.append(below)
        before, begin = [_cpu([process.pid]) for process in processes], time.monotonic()
        said = _load(rig, states, agents, services, period, seconds)
        took = time.monotonic() - begin
        cores = [round((_cpu([process.pid]) - used) / 1e9 / took, 3) for process, used in zip(processes, before)]
        memory = [round(resident_bytes(process.pid) / 2**20, 1) for process in processes]
        with open(f"{state}/status.json", encoding="utf-8") as file:
            reports = json.load(file)["reports"]["added"]
    finally:
        for process in reversed(processes):
            _end(process)
    if any(one["held"] != one["sent"] or one["refused"] for one in said):
        rig.fail("tree: aggregators didn't hold all that was sent")
    return {"agents": agents, "aggregators": count, "services": services, "period_ms": period, "cores": cores[0], "rss_mib": memory[0],
            "aggregator_cores": cores[1:], "aggregator_mib": memory[1:], "deltas_per_s": round(reports / took, 1),
            "lag_ms": {name: max(one["lag_ms"][name] for one in said) for name in ("p50", "p99", "max")}}


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
    shared = _shared(rig)
    print(f"two roots over PostgreSQL: {json.dumps(shared)}", flush=True)
    worst = max((row["lag_ms"]["p99"] for row in shared.get("roots", [])), default=0)
    used = sum(row["cores"] for row in shared.get("roots", []))
    if not rig.arguments.smoke and shared.get("roots") and (used > 1 or worst >= 5000 or max(row["rss_mib"] for row in shared["roots"]) > 512):
        rig.miss(f"tree: 2,000 agents at two roots take {used} cores, {worst} ms")
    aggregated = _aggregated(rig)
    print(f"with aggregators: {json.dumps(aggregated)}", flush=True)
    return {"idle_agent_mib": idle, "rows": rows, "shared": shared, "aggregated": aggregated}


if __name__ == "__main__":
    sys.exit("run by bench.py --only tree")
