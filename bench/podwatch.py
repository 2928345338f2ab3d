#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Memory and processor time of guard-podwatch while a fake pod runs 1,100 programs and connections a second. As root.

usage: bench/podwatch.py [SECONDS]
"""
import os
import pathlib
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


def main():
    why = cannot()
    if why:
        print(f"podwatch: not measured: {why}")
        return
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    root = hierarchy()[0] / f"guardtest{os.getpid()}.slice"
    root.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        pod = Pod(root, os.getpid())
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
        finally:
            watching.end()
            pod.end()


main()
