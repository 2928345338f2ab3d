#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What watching pods costs beside a container, and how long it takes from what a pod does to the alert. As root.

sensor: processor time and memory of a guardd with --pod-sensor less those of one without, while the pod holds so many connections and
makes some new ones each second.
alert: guard-podwatch tells of four fake pods with its shipped interval to a guardd that has learned what they normally do; then one of
them writes a program and runs it (a hard sign, told at once), or calls out (told with the next record).

usage: /usr/bin/python3 bench/pods.py [--sockets N] [--seconds N] [--rounds N] [sensor] [alert]
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
for folder in ("", "pods", "guardd"):
    sys.path.insert(0, str(ROOT / "tests" / "integration" / folder))

import test_sensor  # noqa: E402
from harness import BIN, BUILD, wait_for  # noqa: E402
from kernel import Pod, Podwatch, cannot, hierarchy  # noqa: E402
from test_guardd import Guardd  # noqa: E402
from test_pod_learning import of_pods  # noqa: E402

SERVE = """
import asyncio, sys
async def serve(reader, writer):
    try:
        while await reader.read(100):
            pass
    finally:
        writer.close()
async def main():
    server = await asyncio.start_server(serve, '0.0.0.0', 4000, backlog=4096)
    print('ready', flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
# Holds so many connections and makes ten new ones a second.
HOLD = """
import socket, sys, time
to, count = sys.argv[1], int(sys.argv[2])
held = [socket.create_connection((to, 4000)) for _ in range(count)]
print('ready', flush=True)
while True:
    for _ in range(10):
        with socket.create_connection((to, 4000)) as s:
            s.sendall(b'x' * 100)
    time.sleep(1)
"""
# What a pod does all day.
USUAL = """
import os, time
while True:
    os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)
    time.sleep(0.2)
"""
HISTORY = 8  # half hours


def processor(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    return int(pathlib.Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def sensor(options):
    if test_sensor.WHY_NOT:
        print(f"pods: the sensor wasn't measured: {test_sensor.WHY_NOT}")
        return
    world = test_sensor.World()
    used = {}
    try:
        server = world.python(world.outside, SERVE, stdout=subprocess.PIPE, text=True)
        assert server.stdout.readline() == "ready\n"
        client = world.python(world.pod, HOLD, test_sensor.PEER, options.sockets, stdout=subprocess.PIPE, text=True)
        assert client.stdout.readline() == "ready\n"
        with tempfile.TemporaryDirectory() as folder:
            daemons = {}
            for name, more in (("without", ()), ("with", ("--pod-sensor", "namespace=shop,workload=cart,pod=cart-1,service=cart"))):
                state = pathlib.Path(folder) / name
                state.mkdir()
                daemons[name] = world.start(world.pod, BIN / "guardd", "--state", state, "--api", "off", *more,
                                            stderr=subprocess.DEVNULL)
                wait_for((state / "status.json").exists, "guardd's status")
            wait_for(lambda: '"pods"' in (state / "status.json").read_text() or list((state / "pods").iterdir()), "the sensor's first record")
            before = {name: processor(process.pid) for name, process in daemons.items()}
            time.sleep(options.seconds)  # of the measurement, not a wait for something
            for name, process in daemons.items():
                used[name] = (processor(process.pid) - before[name]) / options.seconds, resident(process.pid)
    finally:
        world.end()
    more = [now - then for now, then in zip(used["with"], used["without"])]
    print(f"pods: {options.sockets} sockets, {options.seconds} s: the sensor takes {100 * more[0]:.2f} % of a core and {more[1]:.1f} MiB "
          f"(guardd without it {100 * used['without'][0]:.2f} %, {used['without'][1]:.1f} MiB)")


def pod_list(pods):
    return json.dumps({"kind": "PodList", "items": [
        {"metadata": {"name": f"cart-7f9c-{n:05}", "namespace": "shop", "uid": pod.uid, "labels": {"app": "cart", "pod-template-hash": "7f9c"},
                      "ownerReferences": [{"kind": "ReplicaSet", "name": "cart-7f9c", "controller": True}]},
         "spec": {"containers": [{"name": "app", "image": "cart:1"}]},
         "status": {"containerStatuses": [{"name": "app", "containerID": f"containerd://{pod.container}", "imageID": "sha256:0123"}]}}
        for n, pod in enumerate(pods)]})


def learned_state(folder, root, pods_list):
    """A state whose records are of what the pods did, told as if they had done it for hours."""
    replay, state = folder / "pod_replay", folder / "state"
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-I", ROOT / "include", "-o", replay,
                    ROOT / "tests/integration/pods/pod_replay.c", BUILD / "lib" / "libguard.a", "-lsodium", "-lm"], check=True)
    (folder / "first").mkdir()
    watching = Podwatch(folder / "first", root.name, "--pods", pods_list)
    watching.intervals(3)
    watching.end()
    (state / "pods").mkdir(parents=True)
    for n in range(HISTORY, 0, -1):
        data = subprocess.run([replay, watching.records, str(n)], capture_output=True, check=True).stdout
        (state / "pods" / f"00000000000000aa-0000000000000001-{HISTORY - n + 1:020}.pods").write_bytes(data)
    return state


def await_alert(guardd, name, begin):
    """Seconds from `begin` until guardd wrote an alert of that pod."""
    while time.monotonic() < begin + 120:
        if any(alert["findings"][0]["name"] == name for alert in of_pods(guardd)):
            return time.monotonic() - begin
        time.sleep(0.005)
    raise SystemExit(f"pods: no alert of {name}: {guardd.log()}")


def one_alert(folder, root, code):
    """Seconds from what one of four pods does to the alert: a second one that did the same would be no news."""
    pods, watching, guardd = [Pod(root, os.getpid() * 16 + n) for n in range(4)], None, None
    try:
        for pod in pods:
            pod.start(sys.executable, "-c", USUAL)
        (folder / "pods.json").write_text(pod_list(pods))
        state = learned_state(folder, root, folder / "pods.json")
        guardd = Guardd(state).start()
        wait_for(lambda: not list((state / "pods").glob("*.pods")), "what is usual to be learned", 120)
        watching = Podwatch(folder, root.name, "--pods", folder / "pods.json", interval=10, records=state / "pods")
        watching.intervals(1)
        begin = time.monotonic()
        pods[2].run("bash", "-c", code.format(tool=folder / "tool"))
        return await_alert(guardd, "shop/cart-7f9c-00002", begin)
    finally:
        if watching:
            watching.end()
        if guardd:
            guardd.stop()
        for pod in pods:
            pod.end()


def alert(options):
    why = cannot()
    if why:
        print(f"pods: alerts weren't measured: {why}")
        return
    for name, code in (("a program written and run", "cp /bin/true {tool} && {tool}"),
                       ("a call to where nobody calls", "echo x > /dev/udp/192.0.2.1/4444")):
        times = []
        for _ in range(options.rounds):
            root = hierarchy()[0] / f"guardtest{os.getpid()}b.slice"
            root.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory() as folder:
                times.append(one_alert(pathlib.Path(folder), root, code))
        print(f"pods: {name}: alert after {statistics.median(times):.2f} s (median of {len(times)}), {max(times):.2f} s at most")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("parts", nargs="*", metavar="sensor|alert")
    options = parser.parse_args()
    for name, part in (("sensor", sensor), ("alert", alert)):
        if not options.parts or name in options.parts:
            part(options)


main()
