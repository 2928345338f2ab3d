# SPDX-License-Identifier: Apache-2.0
"""Says where the gate's instructions go: the functions of a worker by their own and by their whole cost, per request.

usage: bench/profile.py [--build BUILD] [--variant guard|nginx] [--top N] [--lines] [--parts] [--patches N] [WORKLOAD]..."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

import bench
import patches
import workload
from callgrind import costs_of
from server import BenchError, Connection

COUNT = 200
# What an exchange consists of, by the calls of libguard that don't hold one another; the rest is the host's.
PARTS = [
    ("beginning: two builders, arena", ["guard_txn_begin", "guard_txn_response_begin", "guard_arena_reset"]),
    ("request line: decoding, features of values", ["guard_txn_request"]),
    ("request's headers", ["guard_txn_header", "guard_txn_headers_end"]),
    ("request's body", ["guard_txn_body"]),
    ("request's end and decision", ["guard_txn_request_end"]),
    ("response's headers", ["guard_txn_response_header", "guard_txn_response_headers_end"]),
    ("response's body: JSON, features of values, leaks", ["guard_txn_response_body"]),
    ("response's end and decision", ["guard_txn_response_end"]),
    ("record", ["guard_txn_record"]),
    ("ring", ["ring_writer_put"]),
]


def collect(rig, variant, name, out):
    """Counts requests only: the start is over when counting is switched on."""
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--instr-atstart=no"]
    with rig.serve(variant, workers=0, before=tool) as server:
        raws = [request.raw() for request in workload.requests(name)]
        connection = Connection(server.port)
        for number in range(COUNT):
            if number == len(raws):
                subprocess.run(["callgrind_control", "-i", "on", str(server.process.pid)], check=True, capture_output=True)
            if connection.status(raws[number % len(raws)]) != 200:
                raise BenchError("a benign request was refused")
        subprocess.run(["callgrind_control", "-i", "off", str(server.process.pid)], check=True, capture_output=True)
        connection.close()
    return COUNT - len(raws)


def annotate(out, inclusive, requests, top):
    costs, files = costs_of(out, inclusive)
    print(f"  {costs.pop('PROGRAM TOTALS') / requests:>12,.0f}  all")
    named = [item for item in costs.items() if not item[0].startswith("0x")]  # nginx has no names for its own statics
    for function, count in sorted(named, key=lambda item: -item[1])[:top]:
        print(f"  {count / requests:>12,.0f}  {function}  {files.get(function, '')}")


def print_parts(out, requests, over):
    costs = {function: count / requests for function, count in costs_of(out, "yes")[0].items()}
    rest = over
    for title, functions in PARTS:
        count = sum(costs.get(function, 0) for function in functions)
        rest -= count
        print(f"  {count:>12,.0f}  {title}")
    print(f"  {rest:>12,.0f}  the gate's handlers, filters, feeding, counters, and what they make nginx do\n  {over:>12,.0f}  all over nginx")


def parts(rig, name, work):
    figures = {}
    for variant in ("nginx", "guard"):
        requests = collect(rig, variant, name, f"{work}/{name}-{variant}.out")
        figures[variant] = costs_of(f"{work}/{name}-{variant}.out", "no")[0]["PROGRAM TOTALS"] / requests
    print(f"\n{name}: instructions per request over plain nginx, by parts")
    print_parts(f"{work}/{name}-guard.out", requests, figures["guard"] - figures["nginx"])


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(prog="bench/profile.py", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=os.path.abspath, default=f"{root}/build")
    parser.add_argument("--variant", default="guard", choices=["guard", "nginx"])
    parser.add_argument("--top", type=int, default=30)
    parser.add_argument("--lines", action="store_true", help="the sources with the cost of each line")
    parser.add_argument("--no-response", action="store_true", help="with guard_response off: requests alone")
    parser.add_argument("--parts", action="store_true", help="what an exchange's parts cost over plain nginx, instead of functions")
    parser.add_argument("--patches", type=int, default=0, metavar="N", help="with so many patches, their patterns in one database")
    parser.add_argument("workloads", nargs="*", default=workload.NAMES, metavar="WORKLOAD")
    arguments = parser.parse_args()
    work = tempfile.mkdtemp(prefix="guard-profile.")
    rig = None
    try:
        rig = bench.Rig(arguments, work)
        if arguments.no_response and rig.guard is not None:
            rig.guard.further = "guard_response off;"
        if arguments.patches > 0 and rig.guard is not None:
            rig.guard, _ = patches.patched(rig, arguments.patches)
        for name in arguments.workloads:
            if arguments.parts:
                parts(rig, name, work)
                continue
            requests = collect(rig, arguments.variant, name, f"{work}/{name}.out")
            for inclusive, title in (("no", "own"), ("yes", "whole")):
                print(f"\n{name}, {arguments.variant}: instructions per request, {title} cost of each function")
                annotate(f"{work}/{name}.out", inclusive, requests, arguments.top)
            if arguments.lines:
                subprocess.run(["callgrind_annotate", "--auto=yes", "--threshold=95", "--context=2", f"{work}/{name}.out"],
                               check=True)
    finally:
        if rig is not None:
            rig.upstream.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
