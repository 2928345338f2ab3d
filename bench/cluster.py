#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""guardd as the operator of a large cluster, against a real kube-apiserver: 1,000 Guardians in 50 namespaces, 1,000 Services of them and
5,000 pods (which it doesn't watch: they are there for the server's sake).

Printed: the time until all files are written and until all have a status, resident memory at its highest, processor time while nothing
changes, and what it asks of the server then. Without the kit (GUARD_SHARED) it says that it is skipped."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "integration")]
from kubernetes.apicluster import CRDS, KIT, Cluster, resource  # noqa: E402
from kubernetes.operators import Operator, shipped_rights, wait_for  # noqa: E402

LONG_S = 1800


def create(cluster, items):
    if not items:
        return
    done = cluster.kubectl("create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    assert done.status == 0, done.err[-2000:]


def fill(cluster, guardians, pods, namespaces):
    names = [f"scale-{os.getpid()}-{number:03}" for number in range(namespaces)]
    create(cluster, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names])
    spec = {"control": {"mode": "block"}, "configured": {"headers": [{"in": "header", "name": "x-debug", "forbidden": True}]}}
    for part, name in enumerate(names):
        own = range(part, guardians, namespaces)
        create(cluster, [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}] +
               [resource("Guardian", f"shop-{number}", spec, name) for number in own] +
               [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"shop-{number}", "namespace": name},
                 "spec": {"ports": [{"name": "http", "port": 80}]}} for number in own])
        create(cluster, [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"shop-{number}", "namespace": name},
                          "spec": {"nodeName": "none", "automountServiceAccountToken": False,
                                   "containers": [{"name": "app", "image": "localhost/app:1"}]}}
                         for number in range(part, pods, namespaces)])


def process_of(operator):
    """The guardd itself: what was started may be a chain of programs that enter the cluster's network."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"/guardd") and str(operator.state).encode() in words:
                return folder
        except OSError:
            continue
    raise SystemExit("no guardd")


def memory_mib(process, name):
    lines = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return int(lines[name].split()[0]) / 1024


def cpu_s(process):
    fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def asked(cluster):
    """{(verb, resource): requests} so far, of what an operator asks for."""
    counts = {}
    for line in cluster.kubectl("get", "--raw", "/metrics").out.splitlines():
        if not line.startswith("apiserver_request_total{"):
            continue
        labels = dict(word.split("=", 1) for word in line[line.index("{") + 1:line.rindex("}")].split(",") if "=" in word)
        kind = labels.get("resource", "").strip('"')
        if "guardian" in kind or kind in ("leases", "events"):
            key = (labels["verb"].strip('"'), kind)
            counts[key] = counts.get(key, 0) + float(line.rsplit(" ", 1)[1])
    return counts


def told(cluster):
    done = cluster.kubectl("get", "guardians", "-A", "-o", 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}')
    return done.out.split().count("True")


def measure(cluster, folder, guardians, quiet_s):
    operator = Operator(cluster, folder / "operator", shipped_rights(cluster, folder / "rights"), pace=())
    begin = time.monotonic()
    operator.start()
    try:
        process = process_of(operator)
        wait_for(lambda: any((operator.state / "guardians").glob("*.yaml")), "the first file", timeout=LONG_S)
        first = time.monotonic() - begin
        wait_for(lambda: len(list((operator.state / "policies").glob("*.policy"))) >= guardians, "all policies", timeout=LONG_S)
        written, written_cpu = time.monotonic() - begin, cpu_s(process)
        wait_for(lambda: told(cluster) >= guardians, "all statuses", timeout=LONG_S, pause=0.5)
        print(f"first file after {first:.1f} s, all {guardians} policies after {written:.1f} s ({written_cpu:.1f} s of processor time), "
              f"all statuses after {time.monotonic() - begin:.1f} s")
        time.sleep(35)  # what is written at most once in 30 s has been
        before, cpu, start = asked(cluster), cpu_s(process), time.monotonic()
        time.sleep(quiet_s)
        took = time.monotonic() - start
        after = asked(cluster)
        used = cpu_s(process) - cpu
        writes = sum(after[key] - before.get(key, 0) for key in after if key[0] in ("PATCH", "PUT", "POST", "APPLY") and key[1] != "leases")
        print(f"while nothing changes, in {took:.0f} s: {writes:.0f} writes of statuses and events, processor {100 * used / took:.1f} % of one")
        print(f"resident memory: {memory_mib(process, 'VmRSS'):.1f} MiB, at its highest {memory_mib(process, 'VmHWM'):.1f} MiB")
        print("asked meanwhile: " + ", ".join(f"{verb} {kind} {after[verb, kind] - before.get((verb, kind), 0):.0f}" for verb, kind in sorted(after)
                                              if after[verb, kind] != before.get((verb, kind), 0)))
    finally:
        operator.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guardians", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=5000)
    parser.add_argument("--namespaces", type=int, default=50)
    parser.add_argument("--quiet-s", type=int, default=60)
    options = parser.parse_args()
    if not KIT.exists() or os.geteuid() != 0:
        sys.exit(f"SKIPPED: needs {KIT} and root")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="guard-operator."))
    cluster = Cluster(pathlib.Path(os.environ.get("GUARD_K8S_DIR", folder / "cluster")))
    done = cluster.up()
    if done.status != 0:
        sys.exit(f"SKIPPED: no cluster: {done.out[-500:]}{done.err[-500:]}")
    try:
        done = cluster.kubectl("apply", "--server-side", "-f", CRDS / "crds-plain")
        assert done.status == 0, done.err
        wait_for(lambda: cluster.kubectl("get", "guardians").status == 0, "Guardians to be served")
        begin = time.monotonic()
        fill(cluster, options.guardians, options.pods, options.namespaces)
        print(f"{options.guardians} Guardians and {options.pods} pods made in {time.monotonic() - begin:.0f} s; load {os.getloadavg()[0]:.1f}", flush=True)
        measure(cluster, folder, options.guardians, options.quiet_s)
    finally:
        cluster.end_proxy()
        if "GUARD_K8S_DIR" not in os.environ:
            cluster.down()
        subprocess.run(["rm", "-rf", str(folder)], check=False)


if __name__ == "__main__":
    main()
