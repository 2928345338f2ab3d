# SPDX-License-Identifier: Apache-2.0
"""Measures instructions per request, throughput, memory and learning of Guard, beside plain nginx and ModSecurity."""
import argparse
import glob
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import gate
import learner
import patches
import publish
import tree
import workload
from probes import probes
from server import (BenchError, Connection, Server, cpu_nanoseconds, free_port, resident_bytes, wait_for, write_proxy,
                    unpack_modsecurity, write_upstream)

# Instructions per request over plain nginx, its response viewed: the aims once set, and what is allowed. Why get5 is allowed more:
# docs/adr/0008-instructions-of-small-exchanges.md.
AIMS = {"get5": 10000, "json2k": 68750, "json20k": 350000}
LIMITS = AIMS | {"get5": 27500}
# The handler of the gate's timer: policies, reports and files are looked after by the clock, which stands nearly still under callgrind.
TIMER = "on_tick"
# A worker enters it once for each request: callgrind's counts are split there.
END_OF_REQUEST = "ngx_http_free_request"
# What CI holds: what was measured, and a little room. To be lowered with every gain.
RATCHET = {"get5": 27300, "json2k": 68000, "json20k": 267000}
PARTS = ["instructions", "patches", "throughput", "memory", "learn", "learner", "publishing", "tree"]
VARIANTS = ["nginx", "guard", "modsecurity"]
# Requests that are counted. ModSecurity needs up to 10^9 instructions for one.
COUNTS = {"nginx": 400, "guard": 400, "modsecurity": 8}
COUNTS_LONG = {"modsecurity": 2}  # json20k
COUNT_SMOKE = 200


class Rig:
    def __init__(self, arguments, work):
        self.arguments, self.work, self.made = arguments, work, 0
        self.failures = []
        self.upstream_port = free_port()
        prefix = self.folder("upstream")
        write_upstream(prefix, self.upstream_port)
        self.upstream = Server(prefix, self.upstream_port)
        self.modsecurity = f"{os.path.abspath(arguments.build)}/modsecurity"
        self.guard = None
        try:
            self.guard = gate.learned(arguments.build, f"{work}/guard", 9000)
        except BenchError as error:
            self.fail(f"guard is not measured: {error}")

    def fail(self, text):
        self.failures.append(text)
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def miss(self, text):
        """A figure that the clock made, which says nothing in a smoke run."""
        if not self.arguments.smoke:
            self.fail(text)

    def folder(self, name):
        self.made += 1
        path = f"{self.work}/{self.made}-{name}"
        os.mkdir(path)
        return path

    def variants(self):
        without = {"guard": self.guard is None, "modsecurity": self.arguments.no_modsecurity or self.arguments.smoke}
        return [variant for variant in VARIANTS if not without.get(variant)]

    def serve(self, variant, workers=1, before=(), h2=False, guard=None, log="error"):
        prefix, port, h2_port = self.folder(variant), free_port(), free_port() if h2 else None
        settings = (guard or self.guard).directives(prefix) if variant == "guard" else None
        write_proxy(prefix, port, self.upstream_port, workers, settings, self.modsecurity if variant == "modsecurity" else None, h2_port, log)
        server = Server(prefix, port, before, h2_port)
        if variant == "guard":
            try:
                wait_for(lambda: gate.enforces(port), 300 if before else 120, "the gate to enforce the policy")
            except BenchError as error:
                server.stop()
                raise BenchError(f"{error}; {server.errors()[-2000:]}") from error
        return server


def probe_all(rig, port):
    """The kinds of deviation that the server let pass."""
    missed = []
    for kind, request in probes():
        connection = Connection(port)
        status = connection.status(request.raw())
        connection.close()
        if status != 403:
            missed.append(f"{kind} ({status})")
    return missed


def least(parts, kinds):
    """Instructions per request: of each kind the least. The clock and chance only add (the second in which a Date changes, how a body is cut
    into reads), and more on a slower machine."""
    return statistics.mean(min(parts[kind::kinds]) for kind in range(kinds))


def count_run(rig, variant, name, count, expected=200, guard=None, patterns=False):
    """Instructions of a request in a worker, and for Guard the probes that passed at its end. patterns: nothing is counted unless
    a database of patterns is in force."""
    out = f"{rig.folder('callgrind')}/out"
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", f"--dump-before={END_OF_REQUEST}"]
    missed = []
    with rig.serve(variant, workers=0, before=tool, guard=guard, log="notice" if patterns else "error") as server:
        if patterns and "patterns is in force" not in server.errors():
            raise BenchError("no database of patterns is in force: " + server.errors()[-600:])
        raws = [request.raw() for request in workload.requests(name)]
        kinds = len(raws) if count >= 2 * len(raws) else 1
        connection = Connection(server.port)
        before = len(glob.glob(f"{out}.*"))  # one fewer when the last answer before is still to be cleared away
        for number in range(kinds + count + 1):
            status = connection.status(raws[number % len(raws)])
            if status != expected:
                raise BenchError(f"{variant} answered {status} to a {name}, not {expected}: {server.errors()[-600:]}")
        connection.close()
        if variant == "guard":
            missed = probe_all(rig, server.port)
        server.stop()
    # The first of each kind are those that nothing remembers.
    numbers = range(before + kinds + 1, before + kinds + 1 + count)
    return round(least([instructions_in(f"{out}.{number}") for number in numbers], kinds)), missed


def instructions_in(path):
    """All of one of callgrind's files but those of the gate's timer."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        total = int(re.search(r"(?m)^totals: (\d+)$", text).group(1))
    except (OSError, AttributeError) as error:
        raise BenchError(f"callgrind gave no count for each request: {path}") from error
    timer = {number for number, name in re.findall(r"fn=\((\d+)\) (\S+)", text) if name == TIMER}
    calls = re.findall(r"cfn=\((\d+)\).*\ncalls=.*\n\S+ (\d+)", text)
    return total - sum(int(cost) for number, cost in calls if number in timer)


def instructions(rig):
    figures = {name: dict.fromkeys(VARIANTS) for name in workload.NAMES}
    jobs = []
    with ThreadPoolExecutor(2) as pool:
        for variant in reversed(rig.variants()):  # the longest first
            for name in reversed(workload.NAMES):
                count = COUNTS_LONG.get(variant, COUNTS[variant]) if name == "json20k" else COUNTS[variant]
                if rig.arguments.smoke:
                    count = COUNT_SMOKE
                jobs.append((variant, name, pool.submit(count_run, rig, variant, name, count)))
        for variant, name, run in jobs:
            try:
                figure, missed = run.result()
            except BenchError as error:
                rig.fail(f"{name} {variant}: {error}")
                continue
            if missed:
                rig.fail(f"{name} {variant}: not counted, these probes were not blocked: " + ", ".join(missed))
            else:
                figures[name][variant] = figure
    return figures


def print_novel(rig):
    """What deviates everywhere costs a decision most: five values, a header, an alert and the block answer, but no upstream."""
    figure, _ = count_run(rig, "guard", "novel5", COUNT_SMOKE if rig.arguments.smoke else COUNTS["guard"], 403)
    print(f"novel5, in which nothing is as usual, refused: {figure:,} in all")


def print_instructions(rig, figures):
    print("\nInstructions per request (callgrind, worker only)")
    print(f"{'':10}{'nginx':>12}{'guard':>12}{'over nginx':>12}{'aim':>10}{'allowed':>10}{'modsecurity':>16}")
    for name, row in figures.items():
        over = row["guard"] - row["nginx"] if row["guard"] and row["nginx"] else None
        cells = [row["nginx"], row["guard"], over, AIMS[name], LIMITS[name]]
        print(f"{name:10}" + "".join(f"{'-' if c is None else format(c, ','):>{w}}" for c, w in
                                     zip(cells + [row["modsecurity"]], (12, 12, 12, 10, 10, 16))))
        bound = RATCHET[name] if rig.arguments.smoke else LIMITS[name]
        if over is not None and over > AIMS[name]:
            print(f"{name}: the aim of {AIMS[name]:,} is missed by {over / AIMS[name] - 1:.0%}")
        if over is not None and over > bound:
            rig.fail(f"{name}: {over:,} instructions over nginx, {bound:,} are allowed")


def wrk(rig, server, script, seconds):
    run = subprocess.run(["wrk", "-t1", "-c4", f"-d{seconds}s", "--latency", "-s", script, f"http://127.0.0.1:{server.port}/"],
                         capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in run or "Socket errors" in run:
        raise BenchError("wrk met errors: " + run)
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", run).groups()
    return {"requests": int(re.search(r"(\d+) requests in", run).group(1)),
            "rps": float(re.search(r"Requests/sec:\s+([\d.]+)", run).group(1)),
            "p99_ms": float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]}


def wrk_pairs(rig, name, rounds, seconds):
    """Interleaved runs of all variants."""
    script = f"{rig.work}/{name}.lua"
    workload.write_lua(workload.requests(name), script)
    results = {variant: [] for variant in rig.variants()}
    servers = {}
    try:
        for variant in results:
            servers[variant] = rig.serve(variant)
        for number in range(rounds):
            for variant, server in servers.items():
                if variant == "modsecurity" and number > 0:
                    continue
                before = cpu_nanoseconds(server.worker())
                result = wrk(rig, server, script, seconds)
                result["cpu_us"] = (cpu_nanoseconds(server.worker()) - before) / 1000 / max(result["requests"], 1)
                results[variant].append(result)
    finally:
        for server in servers.values():
            server.stop()
    return results


def throughput(rig):
    ratios = {}
    rounds, seconds = (2, 1) if rig.arguments.smoke else (8, 2)
    print(f"\nThroughput, one worker (wrk -t1 -c4, {rounds} interleaved runs of {seconds} s, medians; CPU also [minimum])")
    for name in workload.NAMES:
        results = wrk_pairs(rig, name, rounds, seconds)
        for variant, runs in results.items():
            cpu = [run["cpu_us"] for run in runs]
            print(f"{name:10}{variant:12}{statistics.median(r['rps'] for r in runs):10,.0f} requests/s   p99 "
                  f"{statistics.median(r['p99_ms'] for r in runs):8.2f} ms   CPU {statistics.median(cpu):8.1f} "
                  f"[{min(cpu):.1f}] µs/request")
        if "guard" in results:
            ratio = statistics.median(g["rps"] / p["rps"] for g, p in zip(results["guard"], results["nginx"]))
            least = {v: min(run["cpu_us"] for run in results[v]) for v in ("guard", "nginx")}
            print(f"{name:10}guard/nginx {ratio:.3f} by the clock, {least['nginx'] / least['guard']:.3f} by CPU minima")
            if name != "json20k":
                ratios[name] = round(ratio, 3)
        elif name != "json20k":
            ratios[name] = None
    return ratios


def h2load(rig, server, name, seconds):
    request = workload.requests(name)[0]
    command = ["h2load", "-c4", "-m8", "-t1", f"-D{seconds}"]
    for header, value in request.headers:
        if header not in ("Host", "Content-Length"):
            command += ["-H", f"{header}: {value}"]
    if request.body is not None:
        with open(f"{rig.work}/{name}.body", "wb") as out:
            out.write(request.body)
        command += ["-d", f"{rig.work}/{name}.body"]
    command += ["-H", f":authority: {workload.HOST}", f"http://127.0.0.1:{server.h2_port}{request.target}"]
    run = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    done, bad = re.search(r"status codes: (\d+) 2xx, (.*)", run).groups()
    if int(done) == 0 or re.search(r"[1-9]", re.sub(r"\dxx", "", bad)):
        raise BenchError("h2load met errors: " + run)
    return float(re.search(r"finished in [\d.a-z]+, ([\d.]+) req/s", run).group(1))


def throughput_h2(rig):
    rounds, seconds = (1, 1) if rig.arguments.smoke else (4, 2)
    variants = [v for v in rig.variants() if v != "modsecurity"]
    print(f"\nHTTP/2 (h2load -c4 -m8, {rounds} interleaved runs of {seconds} s, medians)")
    for name in workload.NAMES[:2]:
        servers, results = {}, {variant: [] for variant in variants}
        try:
            for variant in variants:
                servers[variant] = rig.serve(variant, h2=True)
            for _ in range(rounds):
                for variant in variants:
                    results[variant].append(h2load(rig, servers[variant], name, seconds))
        finally:
            for server in servers.values():
                server.stop()
        line = "   ".join(f"{variant} {statistics.median(runs):,.0f} requests/s" for variant, runs in results.items())
        if "guard" in results:
            pairs = zip(results["guard"], results["nginx"])
            line += f"   guard/nginx {statistics.median(g / p for g, p in pairs):.3f}"
        print(f"{name:10}{line}")


def memory_of(rig, variant, guard=None):
    """RSS of the only worker after some traffic, without and with 64 open connections."""
    raws = [request.raw() for name in workload.NAMES for request in workload.requests(name)]
    with rig.serve(variant, guard=guard) as server:
        connection = Connection(server.port)
        for raw in raws * 4:
            connection.status(raw)
        connection.close()
        idle = resident_bytes(server.worker())
        connections = [Connection(server.port) for _ in range(64)]
        for number, connection in enumerate(connections):
            connection.status(raws[number % len(raws)])
        loaded = resident_bytes(server.worker())
        for connection in connections:
            connection.close()
    return idle, loaded


def memory(rig):
    print("\nMemory of a worker over plain nginx (RSS after traffic)")
    plain = memory_of(rig, "nginx")
    print(f"plain nginx: {plain[0] / 2**20:.2f} MiB idle, {plain[1] / 2**20:.2f} MiB with 64 connections")
    if rig.guard is None:
        return None
    guard = memory_of(rig, "guard")
    print(f"guard, 1 service: +{(guard[0] - plain[0]) / 2**20:.2f} MiB idle (8 allowed), "
          f"+{(guard[1] - plain[1]) / 2**20:.2f} MiB with 64 connections")
    if guard[0] - plain[0] > 8 * 2**20:
        rig.fail("a worker with one service takes more than 8 MiB over plain nginx")
    services = 20 if rig.arguments.smoke else 200
    try:
        many = memory_of(rig, "guard", rig.guard.with_services(services))
        each = (many[0] - plain[0]) / services
        print(f"guard, {services} services: +{(many[0] - plain[0]) / 2**20:.2f} MiB, {each / 2**20:.3f} MiB each (1 allowed)")
        if each > 2**20:
            rig.fail("a service takes more than 1 MiB in a worker")
    except BenchError as error:
        rig.fail(f"memory of {services} services: {error}")
    return guard[0] - plain[0]


def learn_instructions(program, path, rig):
    """Per byte: steady where seconds are not."""
    output = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, "learn", "--service",
                             gate.SERVICE, "--pile", f"{rig.folder('learn')}/bench.pile", path],
                            capture_output=True, text=True, check=True).stderr
    return int(re.search(r"Collected : (\d+)", output).group(1)) / os.path.getsize(path)


def loop_file(path, times):
    """Copies that differ in their first line, so that none counts as held already. The first is the file itself."""
    paths = [path]
    with open(path, encoding="utf-8") as source:
        text = source.read()
    for number in range(1, times):
        paths.append(f"{path}.{number}")
        with open(paths[-1], "w", encoding="utf-8") as out:
            out.write(json.dumps({"id": f"copy {number}", "request": {"method": "GET", "target": "/"}}) + "\n" + text)
    return paths


def learn_size(rig, program, kind, names, count, times):
    """Speed, memory and instructions for one size of exchanges."""
    path, short = f"{rig.work}/{kind}.jsonl", f"{rig.work}/{kind}-short.jsonl"
    size = workload.write_training(path, count, names=names)
    workload.write_training(short, max(count // 10, 600), names=names)
    per_byte = learn_instructions(program, short, rig)
    paths = loop_file(path, times)
    once = gate.run_learn(program, paths[:1], rig.folder("learn"))
    runs = [gate.run_learn(program, paths, rig.folder("learn")) for _ in range(1 if rig.arguments.smoke else 3)]
    cpu = min(run["cpu_seconds"] for run in runs) / times
    wall = min(run["seconds"] for run in runs) / times
    peak = max(run["peak_bytes"] for run in runs)
    figures = {"mb_per_s": round(size / 1e6 / cpu, 1), "exchanges_per_s": round(count / cpu),
               "instructions_per_byte": round(per_byte, 1)}
    print(f"  {size / count / 1000:.1f} kB an exchange: {figures['mb_per_s']} MB/s of CPU time (80 asked; {size / 1e6 / wall:.1f} "
          f"MB/s of the clock), {figures['exchanges_per_s']:,} exchanges/s, {per_byte:.1f} instructions per byte; "
          f"{size * times / 1e6:.0f} MB in {times} files,\n    peak memory {once['peak_bytes'] / 2**20:.0f} MiB for the first, "
          f"{peak / 2**20:.0f} MiB for all", flush=True)
    if figures["mb_per_s"] < 80:
        rig.miss(f"guard learn is slower than 80 MB/s with {kind} exchanges")
    if peak > once["peak_bytes"] + (8 << 20):
        rig.fail("guard learn needs more memory for a longer input")
    return figures


def learn(rig):
    program = f"{rig.arguments.build}/bin/guard"
    if not os.path.exists(program):
        return None
    print("\nguard learn, one core")
    smoke = rig.arguments.smoke
    figures = learn_size(rig, program, "large", workload.NAMES, *((600, 2) if smoke else (6000, 6)))
    figures["small"] = learn_size(rig, program, "small", ["browse"], *((2000, 2) if smoke else (36000, 6)))
    return figures


def measure(rig):
    parts = rig.arguments.only or PARTS
    if "modsecurity" in rig.variants() and set(parts) & {"instructions", "throughput"}:
        try:
            unpack_modsecurity(rig.modsecurity)
        except BenchError as error:
            rig.fail(f"modsecurity is not measured: {error}")
            rig.arguments.no_modsecurity = True
    results = {"instructions_per_request": {name: dict.fromkeys(VARIANTS) for name in workload.NAMES},
               "throughput_ratio": {"get5": None, "json2k": None}, "worker_rss_over_nginx_bytes": None,
               "learn": {"mb_per_s": None, "exchanges_per_s": None, "small": None},
               "learner": None,
               "publishing": {"client_errors": None, "longest_slice_instructions": None},
               "tree": None}

    def part(name, key, function):
        if name in parts:
            begin = time.monotonic()
            try:
                value = function(rig)
                if value is not None:
                    results[key] = value
            except subprocess.CalledProcessError as error:
                rig.fail(f"{name}: {error}; {str(error.stderr or error.output)[-2000:]}")
            except Exception as error:  # one part that breaks hides neither the others nor why
                rig.fail(f"{name}: {type(error).__name__}: {error}")
                if not isinstance(error, BenchError):
                    traceback.print_exc()
            print(f"  [{name}: {time.monotonic() - begin:.0f} s]", flush=True)

    def counted(rig):
        figures = instructions(rig)
        print_instructions(rig, figures)
        if rig.guard is not None:
            print_novel(rig)
        return figures

    part("instructions", "instructions_per_request", counted)
    part("patches", "patches", lambda rig: patches.measure(rig, count_run, COUNT_SMOKE if rig.arguments.smoke else COUNTS["guard"]))
    part("throughput", "throughput_ratio", throughput)
    part("throughput", None, throughput_h2)
    part("memory", "worker_rss_over_nginx_bytes", memory)
    part("learn", "learn", learn)
    part("learner", "learner", learner.learner)
    part("publishing", "publishing", publish.publishing)
    part("tree", "tree", tree.tree)
    return results


def parse():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(prog="bench/run.sh", description=__doc__)
    parser.add_argument("--build", type=os.path.abspath, default=f"{root}/build", help="where bin/ and modules/ are")
    parser.add_argument("--out", help="the JSON file (default BUILD/bench.json; with --smoke BUILD/bench-smoke.json)")
    parser.add_argument("--smoke", action="store_true", help="tiny counts, without ModSecurity: checks the rig; only instructions mean something")
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument("--no-modsecurity", action="store_true")
    parser.add_argument("--keep", action="store_true", help="keep the working directory")
    return parser.parse_args()


def main():
    arguments = parse()
    work = tempfile.mkdtemp(prefix="guard-bench.")
    rig = None
    try:
        rig = Rig(arguments, work)
        results = measure(rig)
    finally:
        if rig is not None:
            rig.upstream.stop()
        if arguments.keep:
            print(f"kept: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    out = arguments.out or f"{arguments.build}/{'bench-smoke' if arguments.smoke else 'bench'}.json"
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    with open(out, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=2)
        file.write("\n")
    print(f"\nwritten: {out}")
    for failure in rig.failures:
        print(f"MISSED {failure}")
    return 1 if rig.failures else 0


if __name__ == "__main__":
    sys.exit(main())
