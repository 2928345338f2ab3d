#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Memory and processor time of guard-podwatch while a fake pod runs 1,100 programs and connections a second, and what the kernel says that
its programs take: for each packet that comes in, and for each answer of DNS (with dnsmasq). With --floods instead: what 1, 256 and 1,024
pods cost that flood at once. As root.

usage: /usr/bin/python3 bench/podwatch.py [SECONDS | --floods]
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "integration"))
sys.path.insert(0, str(ROOT / "tests" / "integration" / "pods"))

from kernel import Pod, Podwatch, cannot, hierarchy  # noqa: E402

LOAD = """
import os, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end, n = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < end:
    due = time.monotonic()
    for _ in range(100):
        s.sendto(b'x', ('192.0.2.1', 1 + n % 200))
        n += 1
    for _ in range(10):
        os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)
    time.sleep(max(0, due + 0.1 - time.monotonic()))
"""


# Asks for so many names, each of its own, and sends as many datagrams to a port that isn't DNS's.
ASK = """
import socket, sys
to, count = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.connect((to, 53))
for n in range(count):
    name = b''.join(bytes([len(part)]) + part for part in (b'n%d' % n, b'flood', b'example')) + b'\\0'
    s.send(n.to_bytes(2, 'big') + bytes.fromhex('01000001000000000000') + name + b'\\0\\1\\0\\1')
    s.recv(512)
"""
STATS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")


def costs():
    """By program: (runs, nanoseconds)."""
    tool = shutil.which("bpftool", path=os.environ["PATH"] + ":/usr/sbin")
    programs = json.loads(subprocess.run([tool, "-j", "prog", "list"], capture_output=True, check=True).stdout)
    return {program["name"]: (program.get("run_cnt", 0), program.get("run_time_ns", 0)) for program in programs
            if program.get("name", "").startswith("watch_")}


def tell_costs(before, after):
    for name in sorted(after):
        runs, ns = (now - then for now, then in zip(after[name], before.get(name, (0, 0))))
        if runs >= 100:
            print(f"podwatch: {name}: {ns / runs:.0f} ns for each of {runs} runs")


def dns(watching, pod, folder):
    from test_pod_names import WHY_NOT, Caller, Network
    if WHY_NOT:
        print(f"podwatch: answers not measured: {WHY_NOT}")
        return
    network = Network(folder)
    enabled = STATS.read_text()
    try:
        network.serve("--address=/flood.example/203.0.113.7")
        STATS.write_text("1")
        for words, count in (("answers of DNS", 5000), ("their program when nothing comes of DNS", 0)):
            before = costs()
            code = ASK.replace("sys.argv[1], int(sys.argv[2])", f"'10.96.0.10', {count}") if count else OTHER
            caller = Caller(pod, network, code)
            caller.end()
            print(f"podwatch: {words}:")
            tell_costs(before, costs())
    finally:
        STATS.write_text(enabled)
        network.end()
    watching.intervals(2)
    answers = watching.status()["events"]["answer"]
    print(f"podwatch: {answers['counted']} answers, {answers['received']} told, {answers['dropped']} dropped")


# Datagrams of another port, to a program in the pod: what every packet pays.
OTHER = """
import socket
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('127.0.0.1', 9999))
b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); b.connect(('127.0.0.1', 9999))
for _ in range(20000):
    b.send(b'x'); a.recv(8)
"""


def processor_time(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(process, what="VmRSS"):
    return int(pathlib.Path(f"/proc/{process.pid}/status").read_text().split(f"{what}:")[1].split()[0]) / 1024


def flood(count, folder):
    """So many pods, each with 250 files by long paths and 100 destinations, a thing in 20 ms."""
    root = hierarchy()[0] / f"guardtest{os.getpid()}.slice"
    pods = [Pod(root, os.getpid() * 4096 + number) for number in range(count)]
    watching = Podwatch(folder, root.name, interval=10)
    process = watching.process
    try:
        before = processor_time(process)
        flooding = subprocess.Popen([folder.parent / "flood", "250", "100", "0", "20000"], stdin=subprocess.PIPE, text=True)
        flooding.stdin.write("".join(f"{pod.folder}\n" for pod in pods))
        flooding.stdin.close()
        peak = 0
        while flooding.poll() is None:
            peak = max(peak, resident(process))
            time.sleep(0.1)
        watching.intervals(2)
        spent, status = processor_time(process) - before, watching.status()
        events = status["events"].values()
        received, dropped, counted = (sum(kind[name] for kind in events) for name in ("received", "dropped", "counted"))
        print(f"podwatch: {count} flood: {peak:.1f} MiB while they do, {resident(process, 'VmHWM'):.1f} at most; of {counted} events {received} told, "
              f"{dropped} dropped, {status['features_unkept']} without room; {spent:.2f} s, {1e6 * spent / max(received, 1):.1f} us an event told", flush=True)
    finally:
        watching.end()
        for pod in pods:
            pod.end()


def floods():
    with tempfile.TemporaryDirectory() as folder:
        source = ROOT / "tests" / "integration" / "pods" / "pod_flood.c"
        subprocess.run(["cc", "-O2", "-o", f"{folder}/flood", source], check=True)
        for count in (1, 256, 1024):
            own = pathlib.Path(folder) / str(count)
            own.mkdir()
            flood(count, own)


def main():
    why = cannot()
    if why:
        print(f"podwatch: not measured: {why}")
        return
    if sys.argv[1:] == ["--floods"]:
        floods()
        return
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    root = hierarchy()[0] / f"guardtest{os.getpid()}.slice"
    root.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        pod, asking = Pod(root, os.getpid()), Pod(root, os.getpid() + 1)  # the network of its first program is the pod's
        watching = Podwatch(pathlib.Path(folder), root.name)
        try:
            ticks = pathlib.Path(f"/proc/{watching.process.pid}/stat")

            def used():
                fields = ticks.read_text().rpartition(")")[2].split()
                return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

            before, begin = used(), time.monotonic()
            pod.run("/usr/bin/python3", "-c", LOAD, seconds)
            spent, wall = used() - before, time.monotonic() - begin
            watching.intervals(2)
            status = pathlib.Path(f"/proc/{watching.process.pid}/status").read_text()
            memory = int(status.split("VmHWM:")[1].split()[0]) / 1024
            events = watching.status()["events"]
            counted = sum(kind["counted"] for kind in events.values())
            dropped = sum(kind["dropped"] for kind in events.values())
            print(f"podwatch: {counted / wall:.0f} events/s, {dropped} dropped, {spent / wall:.4f} of a core, {memory:.1f} MiB at most")
            dns(watching, asking, pathlib.Path(folder))
        finally:
            watching.end()
            asking.end()
            pod.end()


main()
