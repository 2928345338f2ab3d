# SPDX-License-Identifier: Apache-2.0
"""Fake pods on the real kernel: control groups named as the kubelet names them, tasks in them, and guard-podwatch beside. Nothing of
it is left behind. Also a reader of pod records, written a second time from docs/internals/pod-records.md."""

import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess

from harness import BIN, end_process, wait_for

PODWATCH = BIN / "guard-podwatch"
KINDS = ["destination", "listen", "exec", "user", "write", "secret", "dns", "dropped", "memfd", "root", "outbound", "response", "request"]
RATES = ["bytes_out", "bytes_in", "connections", "cpu_us", "memory_bytes", "pressure_us", "requests", "calls_out", "calls_in"]
SESSION, SNAPSHOT, BY_SHELL, NO_PORT, ANSWERED = 16, 2, 1, 4, 32


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def bytes(self, count):
        self.at += count
        assert self.at <= len(self.data), "a record that is cut"
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.bytes(struct.calcsize("<" + form)))[0]

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.number("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def text(self):
        return self.bytes(self.varint()).decode("latin-1")


def read_feature(reader, version):
    feature = {"kind": KINDS[reader.number("B")], "flags": reader.varint(), "text": reader.text(), "detail": reader.text(),
               "request": reader.text()}
    address = reader.bytes(reader.number("B"))
    feature["address"] = ".".join(map(str, address)) if len(address) == 4 else address.hex()
    feature |= {"port": reader.number("H"), "transport": reader.number("B"), "user": reader.varint(), "count": reader.varint(),
                "first_ms": reader.varint()}
    if version == 3 and feature["kind"] == "destination":
        feature |= {"bytes_out": reader.varint(), "bytes_in": reader.varint()}
    return feature


def read_record(data):
    reader = Reader(data)
    assert reader.number("I")
    version = reader.number("H")
    assert version in (1, 2, 3) and reader.number("H") == 0
    assert reader.number("I") == len(data) and reader.number("I") == 0
    names = ["service", "namespace", "workload", "pod", "container", "image", "template_hash", "node"]
    record = {name: reader.text() for name in names}
    record["source"] = reader.number("B")
    record |= {"producer": reader.number("Q"), "incarnation": reader.number("Q")}
    for name in ["sequence", "blind", "started_ms", "from_ms", "until_ms", "counted", "received", "deduplicated", "dropped"]:
        record[name] = reader.varint()
    known = reader.varint()
    record["rates"] = {name: reader.varint() for i, name in enumerate(RATES) if known >> i & 1}
    record["features"] = [read_feature(reader, version) for _ in range(reader.varint())]
    record["uid"] = reader.text() if reader.at < len(data) - 8 else ""
    record["unseen"] = [kind for i, kind in enumerate(KINDS) if record["blind"] >> i & 1]
    assert record["counted"] == record["received"] + record["deduplicated"] + record["dropped"]
    return record


def read_records(folder):
    """All records of a directory, in their order."""
    records = []
    for path in sorted(pathlib.Path(folder).glob("*.pods")):
        data = path.read_bytes()
        while data:
            size = struct.unpack_from("<I", data, 8)[0]
            records.append(read_record(data[:size]))
            data = data[size:]
    return records


def hierarchy():
    """Where control groups of pods are made, and whether it is the second version's."""
    root = pathlib.Path("/sys/fs/cgroup")
    if (root / "cgroup.procs").exists():
        return root, True
    return root / "memory", False


def cannot():
    """Why there can be no fake pods and no podwatch here; None: there can."""
    if not PODWATCH.exists():
        return "guard-podwatch isn't built (libbpf or clang was missing)"
    if os.geteuid() != 0:
        return "not root"
    folder, _ = hierarchy()
    probe = folder / f"guard-test-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return f"no control groups can be made: {error}"
    return None


class Pod:
    """A container's control group below a root of its own, by either driver."""

    def __init__(self, root, number, systemd=False):
        self.uid = f"{number:08x}-1111-4222-8333-{number:012x}"
        self.container = f"{number:064x}"
        if systemd:
            slice_name = f"{root.name.removesuffix('.slice')}-pod{self.uid.replace('-', '_')}.slice"
            self.folder = root / slice_name / f"cri-containerd-{self.container}.scope"
        else:
            self.folder = root / "burstable" / f"pod{self.uid}" / self.container
        self.folder.mkdir(parents=True)
        self.processes = []

    def start(self, *command, **options):
        """A process that is in the group before the program runs."""
        enter = ["sh", "-c", f'echo $$ > "{self.folder}/cgroup.procs"; exec "$@"', "sh"]
        process = subprocess.Popen(enter + [str(word) for word in command], **options)
        self.processes.append(process)
        return process

    def run(self, *command, **options):
        return self.start(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options).communicate()[0]

    def pids(self):
        return [int(pid) for pid in (self.folder / "cgroup.procs").read_text().split()]

    def end(self):
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in self.processes:
            process.wait()
        wait_for(lambda: not self.pids(), "the pod's tasks to end")
        folder = self.folder
        while folder.name and (folder / "cgroup.procs").exists() and "guardtest" in str(folder):
            if any(path.is_dir() for path in folder.iterdir()):
                break  # others are in it
            try:
                wait_for(lambda: folder.rmdir() is None, "the group to be removed")
            except AssertionError:
                break
            folder = folder.parent


class Podwatch:
    def __init__(self, folder, root, *options, interval=1, tracefs=True, records=None):
        self.records, self.status_file, self.log = records or folder / "records", folder / "status.json", folder / "podwatch.log"
        self.records.mkdir(exist_ok=records is not None)
        command = [str(PODWATCH), "--records", str(self.records), "--status", str(self.status_file), "--interval", str(interval),
                   "--root", root, "--node", "node-1", *map(str, options)]
        if tracefs:  # in a mount namespace of its own: nothing stays mounted
            mount = 'mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing || true; exec "$@"'
            command = ["unshare", "-m", "sh", "-c", mount, "sh", *command]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
        wait_for(lambda: '"started"' in self.log.read_text() or self.process.poll() is not None, "podwatch to start")
        assert self.process.poll() is None, self.log.read_text()

    def status(self):
        return json.loads(self.status_file.read_text())

    def intervals(self, count=1):
        """Waits until so many intervals are over."""
        begin = self.status()["interval"]
        wait_for(lambda: self.status()["interval"] >= begin + count, "podwatch's next interval")

    def refused(self):
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line["detail"] for line in lines if line["event"] == "program-refused"]

    def features(self, pod=None):
        return [dict(feature, pod=record["pod"], container=record["container"])
                for record in read_records(self.records) for feature in record["features"]
                if pod is None or record["pod"] == pod.uid]

    def find(self, pod, kind, **members):
        return [feature for feature in self.features(pod)
                if feature["kind"] == kind and all(feature[name] == value for name, value in members.items())]

    def await_feature(self, pod, kind, **members):
        return wait_for(lambda: self.find(pod, kind, **members), lambda: f"{kind} {members} in {self.features(pod)}")[0]

    def end(self):
        return end_process(self.process)


def programs_held(process):
    """Of a process that runs: numbers of the programs in the kernel that it holds. Names aren't enough, others run podwatch, too."""
    found = set()
    for path in pathlib.Path(f"/proc/{process.pid}/fdinfo").iterdir():
        found |= set(map(int, re.findall(r"^prog_id:\s+(\d+)", path.read_text(), re.M)))
    return found


def programs_there(numbers):
    """Names of those among them that the kernel still has."""
    tool = shutil.which("bpftool", path=os.environ["PATH"] + ":/usr/sbin")
    programs = json.loads(subprocess.run([tool, "-j", "prog", "list"], capture_output=True, check=True).stdout or "[]")
    return [program.get("name", "") for program in programs if program["id"] in numbers]
