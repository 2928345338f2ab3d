# SPDX-License-Identifier: Apache-2.0
"""Programs as the unprivileged sensor sees them where containers share a process namespace, as a pod with shareProcessNamespace has it:
number 1 is nobody's, each container's first process has no parent. guardd is user 65534 without capabilities."""

import os
import pathlib
import shutil
import subprocess

import pytest
from harness import BIN, wait_for
from kernel import SNAPSHOT, read_records
from test_sensor import place  # noqa: F401

APP = """
import os, subprocess, sys
print('ready', flush=True)
for line in sys.stdin:
    subprocess.Popen(line, shell=True)
"""


def cannot():
    if os.geteuid() != 0 or not all(shutil.which(name) for name in ("unshare", "nsenter", "setpriv")):
        return "not root, or no unshare, nsenter, setpriv (util-linux)"
    done = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "--net", "true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"no process namespaces: {done.stderr.strip()}"


WHY_NOT = cannot()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"SKIPPED: {WHY_NOT}")


class SharedPod:
    def __init__(self, place):
        self.place, self.processes = place, []
        self.log, self.records = place / "guardd.log", place / "records"
        self.pause = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--net", "sleep", "1000000"])
        children = pathlib.Path(f"/proc/{self.pause.pid}/task/{self.pause.pid}/children")
        self.first = wait_for(lambda: children.read_text().split(), "the pod's first process")[0]
        program = pathlib.Path(f"/proc/{self.first}/exe")
        wait_for(lambda: program.resolve().name == "sleep", "it to be a pause")

    def start(self, user, *command, **options):
        """A container: what is first in it has no parent in the pod."""
        process = subprocess.Popen(["nsenter", "-t", self.first, "--pid", "--mount", "--net", "setpriv", f"--reuid={user}", f"--regid={user}",
                                    "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", *map(str, command)], **options)
        self.processes.append(process)
        return process

    def app(self, user):
        process = self.start(user, "/usr/bin/python3", "-c", APP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        return process

    def guardd(self, *start):
        state = self.place / "state"
        for folder in (state, self.records):
            folder.mkdir()
        for folder in (self.place, state, self.records):
            os.chown(folder, 65534, 65534)
        shutil.copy(BIN / "guardd", self.place / "guardd")
        with self.log.open("wb") as log:
            process = self.start(65534, *start, self.place / "guardd", "--state", state, "--api", "off", "--pod-sensor",
                                 f"namespace=shop,workload=cart,pod=cart-1,service=cart,processes=yes,interval=2,records={self.records}", stderr=log)
        wait_for(lambda: '"started"' in self.log.read_text() or process.poll() is not None, "guardd to start")
        return process

    def programs(self, **flags):
        return {(feature["text"], feature["detail"]) for record in read_records(self.records) for feature in record["features"]
                if feature["kind"] == "exec" and (not flags or bool(feature["flags"] & SNAPSHOT) == flags["snapshot"])}

    def end(self):
        for process in (*self.processes, self.pause):
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()


@pytest.fixture
def pod(place):  # noqa: F811
    made = SharedPod(place)
    yield made
    made.end()


def test_programs_of_the_other_containers_are_told_with_their_parents(pod):
    other, same = pod.app(65533), pod.app(65534)
    # The gate's container has a process of its own beside guardd.
    guardd = pod.guardd("sh", "-c", 'sleep 999999 & "$@" & wait', "sh")
    assert "pod-not-watched" not in pod.log.read_text(), pod.log.read_text()
    wait_for(lambda: pod.programs(), "a first record", timeout=60)
    python = os.path.realpath("/usr/bin/python3")
    assert pod.programs() == {("[python3]", "-"), (python, "-")} and pod.programs(snapshot=False) == set()

    for app in (other, same):
        app.stdin.write("sleep 300; true\n")
        app.stdin.flush()
    shell, sleeper = os.path.realpath("/bin/sh"), os.path.realpath("/usr/bin/sleep")
    new = {("[sh]", "[python3]"), ("[sleep]", "[sh]"), (shell, python), (sleeper, shell)}
    wait_for(lambda: pod.programs(snapshot=False) >= new, lambda: pod.programs(), timeout=60)
    assert pod.programs(snapshot=False) == new
    # A process that runs something else is news, its number isn't.
    other.stdin.write("sleep 4; exec tail -f /dev/null\n")
    other.stdin.flush()
    wait_for(lambda: ("[tail]", "[python3]") in pod.programs(), lambda: pod.programs(), timeout=60)
    records = read_records(pod.records)
    assert all("exec" not in record["unseen"] and record["dropped"] == 0 for record in records)
    assert {"write", "dropped", "memfd"} <= set(records[0]["unseen"])
    assert guardd.poll() is None


def test_a_hostile_name_is_taken_as_it_is(pod):
    app = pod.app(65533)
    pod.guardd()
    tool = pod.place / "a) S 1 (\n%s"
    shutil.copy("/usr/bin/sleep", tool)
    tool.chmod(0o755)
    wait_for(lambda: pod.programs(), "a first record", timeout=60)
    app.stdin.write(f"exec {str(pod.place)}/a*  300\n")
    app.stdin.flush()
    wait_for(lambda: ("[a) S 1 (\n%s]", "[python3]") in pod.programs(), lambda: pod.programs(), timeout=60)


def test_without_a_shared_namespace_the_rest_is_told(place):  # noqa: F811
    state, log = place / "state", place / "guardd.log"
    state.mkdir()
    with log.open("wb") as out:
        process = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--net", BIN / "guardd", "--state", state,
                                    "--api", "off", "--pod-sensor", f"workload=a,pod=b,processes=yes,interval=2,records={place}"], stderr=out)
    try:
        wait_for(lambda: read_records(place), "a record", timeout=60)
        assert "share no process namespace" in log.read_text()
        record = read_records(place)[0]
        assert "exec" in record["unseen"] and "destination" not in record["unseen"]
    finally:
        process.kill()
        process.wait()
