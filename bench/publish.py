# SPDX-License-Identifier: Apache-2.0
"""New policies under load: what clients notice of thousands of them, and how long a worker is busy with one at a time."""
import glob
import os
import re
import shutil
import subprocess
import time

import gate
import workload
from server import BenchError, Connection, wait_for

SLICE_LIMIT = 1_000_000  # instructions
TICK = "on_tick"  # the handler of the gate's timer: every slice of work on policies is one call of it
POLICY_LIMIT = 16 * 2**20  # bytes that a gate takes


def _generation(port, service):
    """In force, as the gate says it to a request that is refused."""
    request = workload.Request("GET", "/nowhere/at/all")
    request.headers[0] = ("Host", f"bench-{service}.example")
    connection = Connection(port)
    status = connection.status(request.raw())
    connection.close()
    found = re.search(rb"(?i)\r\nx-generation: *(\d+)", connection.head)
    return int(found.group(1)) if found and status == 403 else 0


def _load(rig, server, services):
    """wrk with 64 connections that asks every service in turn, until it is ended."""
    requests = [gate.made_request(service, service % 64) for service in range(services)]
    for request in requests[:: max(services // 10, 1)]:
        connection = Connection(server.port)
        status = connection.status(request.raw())
        connection.close()
        if status != 200:
            raise BenchError(f"a benign request to a made policy got {status}: {server.errors()[-600:]}")
    script = f"{rig.work}/publish.lua"
    workload.write_lua(requests + workload.requests("get5"), script)
    return subprocess.Popen(["wrk", "-t1", "-c64", "-d3600s", "--latency", "-s", script, f"http://127.0.0.1:{server.port}/"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _end_load(process):
    process.send_signal(2)  # wrk then prints what it has counted
    text = process.communicate(timeout=300)[0]
    if "requests in" not in text:
        raise BenchError(f"wrk ended ({process.returncode}): {text}")
    requests = int(re.search(r"(\d+) requests in", text).group(1))
    errors = sum(int(n) for line in re.findall(r"Socket errors: (.*)", text) for n in re.findall(r"\d+", line))
    errors += sum(int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", text))
    p99 = re.search(r"99%\s+(\S+)", text)
    return requests, errors, p99.group(1) if p99 else "?"


def run(rig):
    """All generations in a row for all services while clients ask; the number of their errors."""
    services, generations = (20, 3) if rig.arguments.smoke else (200, 50)
    many = rig.guard.with_services(services)
    last = generations + 1  # the first is there already
    with rig.serve("guard", guard=many, log="notice") as server:
        state = f"{server.prefix}/state"
        load = _load(rig, server, services)
        start = time.monotonic()
        try:
            gate.command(*gate.publisher(rig.arguments.build, state, services, generations, first=2))
            published = time.monotonic() - start
            wait_for(lambda: _generation(server.port, services - 1) == last and all(
                _generation(server.port, service) == last for service in range(services)), 120,
                     f"generation {last} of {services} services")
        finally:
            requests, errors, p99 = _end_load(load)
        seconds = time.monotonic() - start
        taken = server.errors().count("is in force")
        if "policy refused" in server.errors():
            rig.fail("publishing: a policy was refused: " + server.errors()[-600:])
    print(f"\nPublishing: {generations} generations of {services} services ({many.policy_bytes('bench-0') / 1e3:.0f} kB each) in "
          f"{published:.0f} s, all in force after {seconds:.0f} s ({taken - services - 1} switches)\n"
          f"  {requests:,} requests over 64 connections meanwhile, {errors} errors, p99 {p99}")
    if errors:
        rig.fail(f"publishing: {errors} of {requests} requests failed")
    return errors


def _largest(rig):
    """Endpoints and parameters of a policy just below the limit."""
    endpoints, parameters = 1000, 64
    while True:
        folder = rig.folder("largest")
        os.makedirs(f"{folder}/policies")
        shutil.copytree(f"{rig.guard.state}/keys", f"{folder}/keys")
        gate.command(*gate.publisher(rig.arguments.build, folder, 1, 1, 1, endpoints, parameters))
        size = os.path.getsize(f"{folder}/policies/bench-0.policy")
        if size <= POLICY_LIMIT:
            return endpoints, parameters
        endpoints = endpoints * POLICY_LIMIT * 99 // size // 100


def _in_force(server):
    if "policy refused" in server.errors():
        raise BenchError(server.errors()[-600:])
    return _generation(server.port, 0) == 2


def _slices(rig, endpoints, parameters):
    """Bytes, and the most instructions of one slice while one service gets this policy. callgrind counts inside of the timer's
    handler only and writes a file at the end of each call."""
    one = rig.guard.with_services(1)
    out = rig.folder("slices")
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}/slice", f"--toggle-collect={TICK}",
            f"--dump-after={TICK}"]
    with rig.serve("guard", workers=0, before=tool, guard=one) as server:
        told = gate.command(*gate.publisher(rig.arguments.build, f"{server.prefix}/state", 1, 1, 2, endpoints, parameters))
        wait_for(lambda: _in_force(server), 600, "the policy under callgrind")
    costs = []
    for path in glob.glob(f"{out}/slice*"):
        with open(path, encoding="utf-8", errors="replace") as file:
            found = re.search(r"(?m)^totals: (\d+)", file.read())
        if found:
            costs.append(int(found.group(1)))
    if len(costs) < 5 or max(costs) == 0:
        raise BenchError(f"no slices were counted in {TICK}")
    return int(re.search(r"policy (\d+) bytes", told).group(1)), len(costs), max(costs)


def longest_slice(rig):
    longest = 0
    kinds = {"typical": (64, 8)}
    if not rig.arguments.smoke:
        kinds["largest"] = _largest(rig)
    for kind, (endpoints, parameters) in kinds.items():
        size, slices, cost = _slices(rig, endpoints, parameters)
        longest = max(longest, cost)
        print(f"  longest slice, {kind} policy ({endpoints} endpoints x {parameters} parameters, {size / 1e6:.2f} MB): "
              f"{cost:,} instructions of {slices} slices ({SLICE_LIMIT:,} allowed)", flush=True)
        if cost > SLICE_LIMIT * (1.5 if rig.arguments.smoke else 1):
            rig.fail(f"a slice of work on the {kind} policy takes {cost:,} instructions, {SLICE_LIMIT:,} are allowed")
    return longest


def publishing(rig):
    if rig.guard is None:
        return None
    errors = run(rig)
    return {"client_errors": errors, "longest_slice_instructions": longest_slice(rig)}
