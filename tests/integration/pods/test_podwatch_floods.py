# SPDX-License-Identifier: Apache-2.0
"""Many containers that flood guard-podwatch at once: it stays small, tells of each what it left out, and of who doesn't flood all."""

import os
import pathlib
import subprocess

import pytest
from harness import wait_for
from kernel import Pod, Podwatch, cannot, hierarchy, read_records

WHY_NOT = cannot()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"SKIPPED: {WHY_NOT}")

FOLDER = pathlib.Path(__file__).resolve().parent
FLOODERS = 192
RESIDENT_MAX = 30 << 10  # KiB
PER_CGROUP = 224  # EVENTS_PER_CGROUP of podwatch/event.h


@pytest.fixture
def root():
    folder = hierarchy()[0] / f"guardtest{os.getpid()}.slice"
    folder.mkdir(exist_ok=True)
    yield folder
    if folder.exists():
        wait_for(lambda: folder.rmdir() is None, "the root group to be removed")


@pytest.fixture
def pods(root):
    made = [Pod(root, os.getpid() * 4096 + number) for number in range(FLOODERS + 1)]
    yield made
    for pod in made:
        pod.end()


def resident(process, what):
    return int(pathlib.Path(f"/proc/{process.pid}/status").read_text().split(f"{what}:")[1].split()[0])


class Flood:
    """All flooders' processes, which wait until release()."""

    def __init__(self, folder, files, destinations, pause_us):
        subprocess.run(["cc", "-O2", "-o", folder / "flood", FOLDER / "pod_flood.c"], check=True)
        self.process = subprocess.Popen([folder / "flood", str(files), str(destinations), "0", str(pause_us)], stdin=subprocess.PIPE, text=True)

    def release(self, pods):
        self.process.stdin.write("".join(f"{pod.folder}\n" for pod in pods))
        self.process.stdin.close()

    def over(self):
        return self.process.poll() is not None

    def end(self):
        if not self.over():
            self.process.kill()
        self.process.wait()


def seen_or_skip(watching):
    if {"destination", "write"} & set(watching.status()["unseen"]):
        pytest.skip(f"SKIPPED: this kernel refuses what tells of floods: {watching.refused()}")


def balanced(status):
    for counts in status["events"].values():
        assert counts["counted"] == counts["sent"] + counts["deduplicated"] + counts["dropped"], status
        assert counts["sent"] == counts["received"], status
    assert status["events_lost"] == status["events_unbalanced"] == status["records_lost"] == 0, status


def of_pod(records, pod):
    """Each says counted = received + deduplicated + dropped, or it wouldn't have been read."""
    return [record for record in records if record["pod"] == pod.uid]


def test_what_a_burst_of_many_loses_is_told_of_each(pods, root, tmp_path):
    *flooders, quiet = pods
    quiet.start("sleep", "1000")
    watching = Podwatch(tmp_path, root.name, interval=600)
    flood = Flood(tmp_path, 300, 0, 0)
    try:
        seen_or_skip(watching)
        flood.release(flooders)
        wait_for(flood.over, "the flood to end", timeout=240)
    finally:
        flood.end()
        watching.end()
    status, records = watching.status(), read_records(watching.records)
    balanced(status)
    for pod in flooders:
        own = of_pod(records, pod)
        assert sum(record["counted"] for record in own) >= 300, f"{pod.uid}: {own}"
    assert all(record["dropped"] == 0 for record in of_pod(records, quiet)) and of_pod(records, quiet)
    # Whatever was dropped, or had no room, is in somebody's record.
    for name in ("counted", "deduplicated"):
        assert sum(record[name] for record in records) == sum(counts[name] for kind, counts in status["events"].items() if kind != "answer")
    assert sum(record["dropped"] for record in records) > sum(record["received"] for record in records) > FLOODERS


def test_many_that_flood_at_once_are_bounded_and_hide_nobody(pods, root, tmp_path):
    *flooders, quiet = pods
    watching = Podwatch(tmp_path, root.name, interval=600)  # one interval: its end is the end of podwatch
    flood = Flood(tmp_path, 400, 100, 10000)
    peak = before = resident(watching.process, "VmRSS")
    try:
        seen_or_skip(watching)
        flood.release(flooders)

        def takes_room():
            nonlocal peak
            peak = max(peak, resident(watching.process, "VmRSS"))
            return peak > before + 3072 or flood.over()

        wait_for(takes_room, "what floods to take room")
        # Who does little in the middle of it.
        quiet.run("sh", "-c", f"id >/dev/null; cp /bin/true {tmp_path}/tool; {tmp_path}/tool; ls / >/dev/null")
        wait_for(flood.over, "the flood to end", timeout=240)
        at_most = resident(watching.process, "VmHWM")
    finally:
        flood.end()
        watching.end()
    print(f"resident at most {at_most} KiB while {FLOODERS} flooded")
    assert at_most < RESIDENT_MAX
    status = watching.status()
    balanced(status)
    assert status["features_unkept"] > 0, status
    records = read_records(watching.records)
    of_quiet = of_pod(records, quiet)
    told = {feature["text"].rpartition("/")[2] for record in of_quiet for feature in record["features"]}
    assert {"id", "cp", "tool", "ls"} <= told and any(f["kind"] == "dropped" for r in of_quiet for f in r["features"]), told
    assert all(record["dropped"] == 0 for record in of_quiet), of_quiet
    kept = {}
    for pod in flooders:
        own = of_pod(records, pod)
        assert own, f"{pod.uid} has no record"
        kept[pod.uid] = sum(len(record["features"]) for record in own)
        assert sum(record["received"] for record in own) >= kept[pod.uid] > 0
        assert sum(record["counted"] for record in own) >= 500 > sum(record["received"] for record in own)
        assert sum(record["dropped"] for record in own) >= 500 - PER_CGROUP
    # Nobody takes what the others want: each has about what is its part.
    shares = sorted(kept.values())
    print("features kept of each:", shares[0], "to", shares[-1])
    assert shares[0] >= 8 and shares[len(shares) // 2] <= PER_CGROUP
