# SPDX-License-Identifier: Apache-2.0
"""Injected pods on a real node: they serve through the gate, stop an attack, keep their probes, and have no way to the API."""

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
from injected import (APP_IMAGE, GUARD_IMAGE, images, injected_cluster, memory, processes_of,  # noqa: E402,F401
                      started_ticks)
from harness import BIN, ROOT  # noqa: E402
from waiting import wait_for  # noqa: E402

QUICKSTART = ROOT / "deploy" / "kubernetes" / "quickstart"
MEMORY_MAX = 40 << 20


def quickstart(name):
    return (QUICKSTART / name).read_text().replace("localhost/shop:1", APP_IMAGE)


def inject(text, *options):
    return subprocess.run([BIN / "guard", "inject", "-f", "-", "--image", GUARD_IMAGE, "--pull-policy", "Never", *options], input=text,
                          capture_output=True, text=True, check=True, timeout=60).stdout


def endpoints(cluster, namespace, service):
    """[address:port] that a Service leads to."""
    subsets = cluster.get("-n", namespace, "endpoints", service).get("subsets", [])
    return [f"{address['ip']}:{port['port']}" for one in subsets for address in one.get("addresses", []) for port in one["ports"]]


def status_of(cluster, url):
    return cluster.curl("-o", "/dev/null", "-w", "%{http_code}", url)


def measure(pod):
    """Prints what the gate's container takes, and how long it took to be ready; its memory, shared pages counted once."""
    state = next(one for one in pod["status"]["containerStatuses"] if one["name"] == "guard")
    processes = processes_of(state["containerID"])
    sizes = [memory(pid) for pid, _ in processes]
    rss, pss = sum(one[0] for one in sizes), sum(one[1] for one in sizes)
    tick = 1000 // os.sysconf("SC_CLK_TCK")
    starts = sorted(started_ticks(pid) for pid, _ in processes)
    print(f"gate and guardd: {', '.join(name for _, name in processes)}; RSS {rss / 2**20:.1f} MiB, PSS {pss / 2**20:.1f} MiB; "
          f"first process to nginx's worker {(starts[-1] - starts[0]) * tick} ms")
    return pss


@pytest.mark.usefixtures("images")
def test_five_commands_from_nothing_to_a_blocked_attack(injected_cluster):
    cluster, name = injected_cluster, "quickstart"
    cluster.namespace(name)
    try:
        # One client is enough to wait for trust: the test is the only one.
        guardian = quickstart("guardian.yaml").replace("  mode: block\n", "  mode: block\n  support: 1\n")
        assert "support: 1" in guardian
        cluster.kubectl("-n", name, "create", "configmap", "shop-guardian", "--from-literal", "guardian.yaml=" + guardian)
        cluster.kubectl("-n", name, "apply", "-f", "-", text=inject(quickstart("shop.yaml"), "--guardian", "shop-guardian"))
        cluster.kubectl("-n", name, "rollout", "status", "deployment/shop", "--timeout=180s")
        gates = endpoints(cluster, name, "shop")
        assert len(gates) == 2 and all(one.endswith(":14080") for one in gates), "the Service leads elsewhere"
        gate, app = gates[0], gates[0].replace(":14080", ":8080")
        assert cluster.curl(f"http://{gate}/users?username=tom") == "/users?username=tom"
        wait_for(lambda: status_of(cluster, f"http://{gate}/users?username=tom%20or%201=1") == "403", "the attack to be blocked")
        seen = cluster.curl(f"http://{app}/seen").split()
        assert "/users?username=tom" in seen
        before = seen.count("/users?username=tom%20or%201=1")  # while the policy was on its way
        assert status_of(cluster, f"http://{gate}/users?username=tom%20or%201=1") == "403"
        assert cluster.curl(f"http://{app}/seen").split().count("/users?username=tom%20or%201=1") == before
        check_pod(cluster, name, gate)
    finally:
        cluster.delete(name)


def waiting(cluster, namespace, pod):
    """What the pod's guardd has seen; nothing is trusted, and in an export, before its second epoch."""
    return cluster.kubectl("-n", namespace, "exec", pod["metadata"]["name"], "-c", "guard", "--", "/usr/bin/guard", "review", "--service",
                           "shop", "--state", "/var/lib/guard/state").stdout


def learned(cluster, namespace, pod):
    """All that the pod's guardd knows of: exchanges that were counted, what is trusted, what waits."""
    words = [cluster.kubectl("-n", namespace, "exec", pod["metadata"]["name"], "-c", "guard", "--", "/usr/bin/guard", word,
                             "--state", "/var/lib/guard/state").stdout for word in ("status", "alerts")]
    return "\n".join([*words, waiting(cluster, namespace, pod)])


def check_probes(cluster, namespace, pod):
    """Probes reach the application, go on while requests are learned, and nothing of them is learned."""
    address = pod["status"]["podIP"]

    def probes():
        return int(cluster.curl(f"http://{address}:8080/probes"))
    begun = wait_for(probes, "the kubelet's probes")
    wait_for(lambda: probes() >= begun + 2, "two more")
    # In order, from one worker: who has learned of a later request has learned of all probes before it, if it learns of any.
    cluster.curl(f"http://{address}:14080/after-probes")
    wait_for(lambda: "/after-probes" in waiting(cluster, namespace, pod), "a request behind them to be learned")
    assert "healthz" not in learned(cluster, namespace, pod), "a probe was learned"


def check_pod(cluster, namespace, gate):
    pods = cluster.get("-n", namespace, "pods", "-l", "app=shop")["items"]
    pod = next(one for one in pods if one["status"]["podIP"] == gate.split(":")[0])
    containers = {one["name"]: one for one in pod["spec"]["containers"]}
    mounts = {one["mountPath"]: one["name"] for one in containers["guard"]["volumeMounts"]}
    assert mounts["/var/run/secrets/kubernetes.io/serviceaccount"] == "guard-no-api", "the gate has a token for the API"
    assert any("serviceaccount" in one["mountPath"] for one in containers["app"]["volumeMounts"]), "the application has lost its own"
    assert all(one["restartCount"] == 0 for one in pod["status"]["containerStatuses"])
    status = cluster.kubectl("-n", namespace, "exec", pod["metadata"]["name"], "-c", "guard", "--", "/usr/bin/guard", "status", "--state",
                             "/var/lib/guard/state").stdout
    assert "shop" in status
    wait_for(lambda: "/users: " in waiting(cluster, namespace, pod), "the request to be learned")
    check_probes(cluster, namespace, pod)
    assert measure(pod) <= MEMORY_MAX
