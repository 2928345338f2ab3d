#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""guardd as the operator of a large cluster, against a real kube-apiserver: 1,000 Guardians in 50 namespaces, 1,000 Services of them and
5,000 pods, which it doesn't watch but asks by canaries. All pods are one nginx with the gate at one address (they say that they are in
their node's network, so that its name is no matter), and Services' addresses lead to it.

Printed: the time until all files are written, until all have a status, and until the gates of all are proved; resident memory and its
highest; then, while nothing changes, processor time, canaries, and what is asked of the server; and the same when no pod runs any more, so
that what a canary takes can be told from the rest. Without the kit (GUARD_SHARED) it says that it is skipped."""

import argparse
import http.client
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "integration")]
from harness import Nginx, end_process  # noqa: E402
from kubernetes.apicluster import CRDS, KIT, Cluster, resource  # noqa: E402
from kubernetes.operators import Operator, shipped_rights, wait_for  # noqa: E402

LONG_S = 1800
ADDRESS, SERVICES_NET = "10.99.0.1", "10.96.128.0/17"
HTTP, HTTP_OF_PODS = 80, 8080


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
                 "spec": {"clusterIP": f"10.96.{128 + number // 250}.{1 + number % 250}", "selector": {"app": f"shop-{number}"},
                          "ports": [{"name": "http", "port": HTTP, "targetPort": HTTP_OF_PODS}]}} for number in own])
        create(cluster, [{"apiVersion": "v1", "kind": "Pod",
                          "metadata": {"name": f"shop-{number}", "namespace": name, "labels": {"app": f"shop-{number % guardians}"},
                                       "annotations": {"guard.security/service": f"{name}.shop-{number % guardians}"}},
                          "spec": {"nodeName": "none", "automountServiceAccountToken": False, "hostNetwork": True,
                                   "containers": [{"name": "app", "image": "localhost/app:1"}]}}
                         for number in range(part, pods, namespaces)])
    return [(name, number) for part, name in enumerate(names) for number in range(part, guardians, namespaces)]


# --- pods that run ---

def api_connection():
    """To the apiserver, from inside its network."""
    context = ssl.create_default_context(cafile=os.environ["K8S_CA"])
    context.load_cert_chain(os.environ["K8S_CLIENT_CERT"], os.environ["K8S_CLIENT_KEY"])
    return http.client.HTTPSConnection("127.0.0.1", 443, context=context)


def set_phase(phase, paths):
    """Inside the cluster's network: says of pods what a kubelet would."""
    connection = api_connection()
    status = json.dumps({"status": {"phase": phase, "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}],
                                    "conditions": [{"type": "Ready", "status": "True"}]}})
    for path in paths:
        connection.request("PATCH", f"{path}/status", status, {"Content-Type": "application/merge-patch+json"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text[:500]


def set_pods(cluster, phase):
    found = cluster.kubectl("get", "pods", "-A", "-o", 'jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name}{"\\n"}{end}')
    paths = [f"/api/v1/namespaces/{line.split()[0]}/pods/{line.split()[1]}" for line in found.out.splitlines() if line.startswith("scale-")]
    done = subprocess.run(cluster.command(sys.executable, __file__, "--phase", phase), input="\n".join(paths),
                          text=True, env=cluster.env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def start_gate(cluster, folder, state, shops):
    """All pods and Services at once."""
    for words in (("addr", "replace", f"{ADDRESS}/32", "dev", "lo"), ("route", "replace", "local", SERVICES_NET, "dev", "lo")):
        done = cluster.kit("exec", cluster.folder, "ip", *words)
        assert done.status == 0, done.err
    servers = "".join(f"server {{ listen {HTTP}; listen {HTTP_OF_PODS}; server_name shop-{number}.{name}.svc;"
                      f" location / {{ guard {name}.shop-{number}; root {{prefix}}/none; log_not_found off; }} }}\n" for name, number in shops)
    nginx = Nginx(folder / "gate", f"server_names_hash_max_size 65536; server_names_hash_bucket_size 128; guard_state {state};"
                                   f" guard_policy_key {state}/keys/policy.pub;"
                                   f" log_format one '$status'; access_log {{prefix}}/seen one;\n{servers}")
    nginx.write()
    with open(folder / "gate" / "out", "ab") as out:
        return subprocess.Popen(cluster.command(*nginx.command()), stdout=out, stderr=out, env=cluster.env)


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
        if "guardian" in kind or kind in ("leases", "events", "pods", "services"):
            key = (labels["verb"].strip('"'), kind)
            counts[key] = counts.get(key, 0) + float(line.rsplit(" ", 1)[1])
    return counts


def told(cluster, kind="Ready", word="status"):
    """{word: Guardians whose condition says it}."""
    done = cluster.kubectl("get", "guardians", "-A", "-o",
                           f'jsonpath={{range .items[*]}}{{.status.conditions[?(@.type=="{kind}")].{word}}}{{"\\n"}}{{end}}')
    words = done.out.split()
    return {word: words.count(word) for word in set(words)}


def canaries_answered(folder):
    with open(folder / "gate" / "seen", "rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def measure_quiet(cluster, operator, folder, quiet_s):
    """(seconds of processor time, canaries), each in one second."""
    process = process_of(operator)
    before, cpu, start, canaries = asked(cluster), cpu_s(process), time.monotonic(), canaries_answered(folder)
    time.sleep(quiet_s)
    took = time.monotonic() - start
    after, used, canaries = asked(cluster), cpu_s(process) - cpu, canaries_answered(folder) - canaries
    writes = sum(after[key] - before.get(key, 0) for key in after if key[0] in ("PATCH", "PUT", "POST", "APPLY") and key[1] != "leases")
    print(f"while nothing changes, in {took:.0f} s: {writes:.0f} writes of statuses and events, {canaries / took:.1f} canaries a second, "
          f"processor {100 * used / took:.1f} % of one")
    print(f"resident memory: {memory_mib(process, 'VmRSS'):.1f} MiB, at its highest {memory_mib(process, 'VmHWM'):.1f} MiB")
    print("asked meanwhile: " + ", ".join(f"{verb} {kind} {after[verb, kind] - before.get((verb, kind), 0):.0f}" for verb, kind in sorted(after)
                                          if after[verb, kind] != before.get((verb, kind), 0)), flush=True)
    return used / took, canaries / took


def measure(cluster, folder, shops, quiet_s):
    guardians, gate = len(shops), None
    operator = Operator(cluster, folder / "operator", shipped_rights(cluster, folder / "rights"), pace=())
    begin = time.monotonic()
    operator.start()
    try:
        process = process_of(operator)
        wait_for(lambda: any((operator.state / "guardians").glob("*.yaml")), "the first file", timeout=LONG_S)
        first = time.monotonic() - begin
        wait_for(lambda: len(list((operator.state / "policies").glob("*.policy"))) >= guardians, "all policies", timeout=LONG_S)
        written, written_cpu = time.monotonic() - begin, cpu_s(process)
        gate = start_gate(cluster, folder, operator.state, shops)
        wait_for(lambda: told(cluster).get("True", 0) >= guardians, "all statuses", timeout=LONG_S, pause=0.5)
        print(f"first file after {first:.1f} s, all {guardians} policies after {written:.1f} s ({written_cpu:.1f} s of processor time), "
              f"all statuses after {time.monotonic() - begin:.1f} s", flush=True)
        wait_for(lambda: told(cluster, "NotInPath", "reason").get("Proved", 0) >= guardians, "all gates to be proved", timeout=LONG_S)
        print(f"gates of all proved after {time.monotonic() - begin:.1f} s ({cpu_s(process):.1f} s of processor time)", flush=True)
        time.sleep(35)  # what is written at most once in 30 s has been
        used, canaries = measure_quiet(cluster, operator, folder, quiet_s)
        set_pods(cluster, "Pending")
        wait_for(lambda: told(cluster, "NotInPath", "reason").get("Proved", 0) == 0, "that there are no pods to be told", timeout=LONG_S, pause=2)
        time.sleep(35)
        print("no pod runs:", flush=True)
        without = measure_quiet(cluster, operator, folder, quiet_s)[0]
        print(f"the difference is {1000 * (used - without) / max(canaries, 1):.2f} ms of processor time for each canary", flush=True)
    finally:
        if gate is not None:
            end_process(gate)
        operator.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guardians", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=5000)
    parser.add_argument("--namespaces", type=int, default=50)
    parser.add_argument("--quiet-s", type=int, default=180)
    parser.add_argument("--phase", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        set_phase(options.phase, sys.stdin.read().split())
        return
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
        shops = fill(cluster, options.guardians, options.pods, options.namespaces)
        set_pods(cluster, "Running")
        print(f"{options.guardians} Guardians and {options.pods} pods made in {time.monotonic() - begin:.0f} s; "
              f"load {os.getloadavg()[0]:.1f}", flush=True)
        measure(cluster, folder, shops, options.quiet_s)
    finally:
        cluster.end_proxy()
        if "GUARD_K8S_DIR" not in os.environ:
            cluster.down()
        subprocess.run(["rm", "-rf", str(folder)], check=False)


if __name__ == "__main__":
    main()
