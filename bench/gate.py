# SPDX-License-Identifier: Apache-2.0
"""How the benchmark gets a gate with a learned policy in mode block, and how it runs `guard learn`."""
import os
import re
import resource
import shutil
import signal
import subprocess
import time

import workload
from server import BenchError, Connection

SERVICE = "bench"


def ending(status):
    """How a program ended, for people: one that is killed says nothing itself."""
    if status >= 0:
        return f"status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def command(program, *arguments):
    """Runs one of our programs to its end and gives its standard output."""
    run = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        said = run.stderr[-2000:].strip() or "no message; it printed last: " + run.stdout[-200:].strip()
        raise BenchError(f"{os.path.basename(program)} {' '.join(arguments)}: {ending(run.returncode)}: {said}")
    return run.stdout


def publisher(build, state, services, generations, first=1, endpoints=64, parameters=8):
    """The command that publishes this many generations of made policies of services bench-0, bench-1..."""
    return [f"{build}/bench/guard-bench-publisher", "--key", f"{state}/keys/policy", "--policies", f"{state}/policies",
            "--services", str(services), "--generations", str(generations), "--first-generation", str(first),
            "--endpoints", str(endpoints), "--parameters", str(parameters)]


class Gate:
    """A state directory with policies, and the directives that use it."""

    def __init__(self, build, state, others=0):
        self.build, self.state, self.others = build, state, others
        self.further = ""  # directives of the location

    def directives(self, prefix):
        """Each server gets a copy of the state, so that no two gates share their rings."""
        state = f"{prefix}/state"
        shutil.copytree(self.state, state)
        return {"module": f"{self.build}/modules/ngx_http_guard_module.so",
                "http": f"guard_state {state}; guard_policy_key {state}/keys/policy.pub;\n",
                "location": f"guard {SERVICE}; {self.further}",
                "servers": {f"bench-{i}.example": f"guard bench-{i}; add_header X-Generation $guard_generation always;"
                            for i in range(self.others)}}

    def with_services(self, count):
        """The same with this many further services, each with a policy of 64 endpoints with 8 parameters."""
        state = f"{self.state}-{count}"
        if not os.path.exists(state):
            shutil.copytree(self.state, state)
            command(*publisher(self.build, state, count, 1))
        return Gate(self.build, state, count)

    def policy_bytes(self, service=SERVICE):
        return os.path.getsize(f"{self.state}/policies/{service}.policy")


def _allow(guardian, budget):
    """With the default budget the rules of whole endpoints need ten times the traffic until they are proved. What a request
    costs is the same: the budget only moves the threshold."""
    with open(guardian, encoding="utf-8") as file:
        text = re.sub(r"falseAlarmBudget: \S+", f"falseAlarmBudget: {budget}", file.read())
    with open(guardian, "w", encoding="utf-8") as file:
        file.write(text)


def learned(build, folder, exchanges):
    """Learns the benign workloads and has the policy compiled, signed and set to block."""
    guard = f"{build}/bin/guard"
    for path in (guard, f"{build}/modules/ngx_http_guard_module.so"):
        if not os.path.exists(path):
            raise BenchError(f"{path} is missing")
    state = f"{folder}/state"
    for name in ("keys", "policies"):
        os.makedirs(f"{state}/{name}")
    # The long bodies teach in a few hundred exchanges what the short ones do; both endpoints need thousands to be proved.
    workload.write_training(f"{folder}/train.jsonl", exchanges, names=["get5", "json2k"] * 4 + ["json20k"])
    pile, guardian = f"{folder}/{SERVICE}.pile", f"{folder}/{SERVICE}.yaml"
    told = command(guard, "learn", "--service", SERVICE, "--pile", pile, "--guardian", guardian, f"{folder}/train.jsonl")
    if "still learning" in told:
        shown = subprocess.run([guard, "show", "--pile", pile], capture_output=True, text=True, check=False).stdout
        raise BenchError("the training is not enough: " + told + shown[-3000:])
    _allow(guardian, "0.001")
    command(guard, "policy", "key", "--output", f"{state}/keys/policy")
    command(guard, "policy", "compile", "--guardian", guardian, "--pile", pile, "--key", f"{state}/keys/policy",
            "--generation", "1", "--mode", "block", "--output", f"{state}/policies/{SERVICE}.policy")
    return Gate(build, state)


def made_request(service, endpoint):
    """A benign request to a service whose policy was made by the publisher."""
    request = workload.Request("GET", f"/things-{endpoint}?parameter-0={endpoint}&parameter-2=blue+mug&parameter-4=12&"
                               "parameter-6=Hello")
    request.headers[0] = ("Host", f"bench-{service}.example")
    return request


def enforces(port):
    """True when the gate blocks what no policy allows."""
    connection = Connection(port)
    try:
        return connection.status(workload.Request("GET", "/nowhere/at/all").raw()) == 403
    finally:
        connection.close()


def run_learn(program, files, folder):
    """Seconds and peak memory of one `guard learn`, pinned to one core."""
    core = min(os.sched_getaffinity(0))
    arguments = [program, "learn", "--service", SERVICE, "--pile", f"{folder}/bench.pile", "--guardian",
                 f"{folder}/bench.yaml", *files]
    start = time.monotonic()
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    text = process.stderr.read().decode(errors="replace")
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise BenchError(f"guard learn: {ending(process.returncode)}: {text[-2000:]}")
    assert isinstance(usage, resource.struct_rusage)
    return {"seconds": time.monotonic() - start, "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_bytes": usage.ru_maxrss * 1024}
