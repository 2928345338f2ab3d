# SPDX-License-Identifier: Apache-2.0
"""guard-podwatch on the real kernel, with fake pods: what they do is told of the right one, with nothing lost unreported."""

import json
import os
import pathlib
import shutil
import socket
import subprocess

import pytest
from harness import wait_for
from kernel import SESSION, SNAPSHOT, Pod, Podwatch, cannot, hierarchy, programs_held, programs_there, read_records

WHY_NOT = cannot()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"SKIPPED: {WHY_NOT}")

NUMBERS = iter(range(os.getpid() * 16 + 1, os.getpid() * 16 + 10000))


@pytest.fixture
def root():
    folder = hierarchy()[0] / f"guardtest{os.getpid()}.slice"
    folder.mkdir(exist_ok=True)
    yield folder
    if folder.exists():
        wait_for(lambda: folder.rmdir() is None, "the root group to be removed")


@pytest.fixture
def pods(root):
    made = [Pod(root, next(NUMBERS)) for _ in range(3)]
    yield made
    for pod in made:
        pod.end()


@pytest.fixture
def watch(tmp_path, root, request):
    started = []

    def start(*options, **more):
        watching = Podwatch(tmp_path, root.name, *options, **more)
        started.append(watching)
        if watching.refused():
            print("refused by this kernel:", watching.refused())
        return watching

    yield start
    for watching in started:
        watching.end()


def seen_or_skip(watching, kind):
    if kind in watching.status()["unseen"]:
        pytest.skip(f"SKIPPED: this kernel refuses what tells of {kind}: {watching.refused()}")


def balanced(status):
    for counts in status["events"].values():
        assert counts["counted"] == counts["sent"] + counts["deduplicated"] + counts["dropped"], status
        assert counts["sent"] == counts["received"], status
    assert status["events_lost"] == 0 and status["events_unbalanced"] == 0 and status["records_lost"] == 0, status


def test_what_one_pod_does_is_told_of_that_one(pods, watch, tmp_path):
    quiet, busy, other = pods
    quiet.start("sleep", "1000")
    watching = watch()
    tool = tmp_path / "dropped"
    busy.run("sh", "-c", f"cp /bin/true {tool}; {tool}")
    run = wait_for(lambda: [f for f in watching.features(busy) if f["text"].endswith("/cp")], "cp to be told")[0]
    assert run["kind"] == "exec" and run["detail"] in ("dash", "sh", "bash") and run["user"] == 0 and run["flags"] & 1
    assert watching.await_feature(busy, "dropped", text=str(tool))["container"] == busy.container
    watching.intervals(2)
    texts = {feature["text"] for feature in watching.features(quiet)} | {feature["text"] for feature in watching.features(other)}
    assert not any("dropped" in text or text.endswith("/cp") for text in texts), texts
    # The hard one came at once, in a record of its own beside that of the interval.
    assert any(feature["kind"] == "dropped" for record in read_records(watching.records) if record["pod"] == busy.uid
               for feature in record["features"])
    assert {record["uid"] for record in read_records(watching.records) if record["pod"] == busy.uid} == {busy.uid}
    balanced(watching.status())


def test_programs_of_the_image_are_not_dropped(pods, watch):
    watching = watch()
    pods[0].run("sh", "-c", "ls / >/dev/null; id >/dev/null")
    wait_for(lambda: [f for f in watching.features(pods[0]) if f["text"].endswith("/id")], "id to be told")
    assert not watching.find(pods[0], "dropped") and not watching.find(pods[0], "memfd")


def test_a_program_in_memory_is_told_as_such(pods, watch):
    watching = watch()
    code = ("import os; fd = os.memfd_create('kworker'); os.write(fd, open('/bin/true','rb').read());"
            "os.execve(fd, ['x'], {})")
    pods[0].run("sh", "-c", '"$@"; true', "sh", "/usr/bin/python3", "-c", code)
    assert watching.await_feature(pods[0], "memfd")["text"].startswith("/dev/fd/")


# What runtimes do: a copy of themselves without a name, already in the container's group; then the container's files.
RUNTIME = """
import ctypes, os, sys
code = "import ctypes, os; assert ctypes.CDLL(None).unshare(0x20000) == 0; os.execv('/bin/sh', ['sh', '-c', %r])" % sys.argv[1]
fd = os.memfd_create("runc_cloned:/proc/self/exe")
os.write(fd, open("/usr/bin/python3", "rb").read())
os.execve(fd, ["python3", "-c", code], {})
"""
MEMFD = "import os; fd = os.memfd_create('kworker'); os.write(fd, open('/bin/true','rb').read()); os.execve(fd, ['x'], {})"


def test_a_runtime_that_runs_from_memory_is_no_sign(pods, watch):
    watching = watch()
    for _ in range(2):  # the container itself, and what is sent in
        pods[0].run("/usr/bin/python3", "-c", RUNTIME, "/usr/bin/id >/dev/null; true")
    wait_for(lambda: [f for f in watching.features(pods[0]) if f["text"].endswith("/id")], "id to be told")
    pods[1].run("id")
    wait_for(lambda: watching.find(pods[1], "exec"), "what came later to be told")
    assert not watching.find(pods[0], "memfd"), watching.features(pods[0])
    # The same by what runs in the container, and by what was sent in and has the container's files.
    pods[1].run("/usr/bin/python3", "-c", RUNTIME, f'/usr/bin/python3 -c "{MEMFD}"; true')
    assert watching.await_feature(pods[1], "memfd")
    pods[2].run("/usr/bin/python3", "-c", RUNTIME, f'exec /usr/bin/python3 -c "{MEMFD}"')
    assert watching.await_feature(pods[2], "memfd")


# A container as runc begins it: the runtime once more by a descriptor of its own file, already in the container's group; a task of a task of that
# one, whose parents have ended by then, takes the container's files and becomes its program.
BEGUN = """
import ctypes, os, sys
code = '''
import ctypes, os
if os.fork(): os.wait(); os._exit(0)
first = os.getpid()
if os.fork(): os._exit(0)
while os.getppid() == first: pass
assert ctypes.CDLL(None).unshare(0x20000) == 0
os.execv("/bin/sh", ["sh", "-c", %r])
''' % sys.argv[1]
os.execve(os.open("/usr/bin/python3", os.O_RDONLY), ["python3", "-c", code], {})
"""


def test_the_program_that_a_runtime_begins_a_container_with_is_no_session(pods, watch):
    watching = watch()
    pods[0].start("/usr/bin/python3", "-c", BEGUN, "/usr/bin/id >/dev/null; exec sleep 1000")
    found = wait_for(lambda: [f for f in watching.features(pods[0]) if f["text"].endswith("/id")], "id to be told")[0]
    assert not found["flags"] & SESSION, "it is the container's own"
    # What is sent in later is one, by the same runtime.
    pods[0].run("/usr/bin/python3", "-c", BEGUN, "/usr/bin/env >/dev/null; true")
    found = wait_for(lambda: [f for f in watching.features(pods[0]) if f["text"].endswith("/env")], "env to be told")[0]
    assert found["flags"] & SESSION
    own = [f for f in watching.features(pods[0]) if f["text"].startswith("/dev/fd/")]
    assert not own, "the runtime's own"


# A container whose first program is newer than the container: only a clock that was set back does that.
SET_BACK = """
import ctypes, os, shutil, sys
first, second = sys.argv[1:]
shutil.copy("/bin/sh", first)
assert ctypes.CDLL(None).unshare(0x20000) == 0
os.execv(first, ["sh", "-c", f"cp /bin/true {second}; {second}; /usr/bin/id >/dev/null; true"])
"""


def test_a_clock_that_was_set_back_drops_no_image(pods, watch, tmp_path):
    watching = watch()
    pods[0].run("/usr/bin/python3", "-c", SET_BACK, tmp_path / "first", tmp_path / "second")
    wait_for(lambda: [f for f in watching.features(pods[0]) if f["text"].endswith("/id")], "id to be told")
    told = {f["text"] for f in watching.find(pods[0], "exec")}
    assert str(tmp_path / "first") in told and str(tmp_path / "second") in told, told
    assert not watching.find(pods[0], "dropped")
    # One that starts with what was there before is judged by times.
    pods[1].run("/usr/bin/python3", "-c", RUNTIME, f"cp /bin/true {tmp_path}/third; {tmp_path}/third; true")
    assert watching.await_feature(pods[1], "dropped", text=f"{tmp_path}/third")


def test_what_a_pod_never_did_is_told_before_its_interval_ends(pods, watch):
    """In a record of no length and without counts, and again in the interval's with all that came of it. What comes at the very end of an
    interval is told with it alone, so some are tried."""
    watching = watch(interval=3)
    seen_or_skip(watching, "exec")
    pods[0].start("sleep", "1000")
    pods[1].start("sh", "-c", "while :; do /bin/true; sleep 0.1; done")
    watching.await_feature(pods[0], "exec")
    watching.await_feature(pods[1], "exec", text="/bin/true")
    watching.intervals(2)

    def early():
        return [record for record in read_records(watching.records) if record["from_ms"] == record["until_ms"]]

    def whole(program):
        """How often the records of intervals say that it ran."""
        return sum(feature["count"] for record in read_records(watching.records) if record["from_ms"] != record["until_ms"]
                   for feature in record["features"] if feature["text"] == program)

    before = len(early())
    for program in ("/usr/bin/id", "/usr/bin/env", "/bin/date", "/usr/bin/nproc", "/usr/bin/tty", "/usr/bin/who", "/usr/bin/groups", "/bin/pwd"):
        for _ in range(2):
            pods[0].run(program)
        wait_for(lambda program=program: whole(program) == 2, lambda program=program: f"{program} to be told twice: {watching.features(pods[0])}")
        if any(feature["text"] == program for record in early() for feature in record["features"]):
            break
    told = early()[before:]
    assert told and {record["pod"] for record in told} == {pods[0].uid}  # the other does what it always did
    assert all(record["counted"] == 0 and record["rates"] == {} for record in told)
    assert [feature["count"] for record in told for feature in record["features"] if feature["text"] == program] == [1]


def test_a_flood_of_hard_signs_is_few_files(pods, watch, tmp_path):
    watching = watch(interval=10)
    names = " ".join(str(tmp_path / f"hard{i}") for i in range(100))  # all are there before the first begins: they come as fast as they can
    script = f"tee {names} < /bin/true > /dev/null; chmod 755 {names}; for name in {names}; do $name; done"
    pods[0].run("sh", "-c", script)

    def told():
        """Of each the name: one that was told early is told again with its interval."""
        return {feature["text"] for feature in watching.find(pods[0], "dropped")}

    wait_for(lambda: told() == set(names.split()), lambda: f"each of them to be told: {told()}")
    files = len(list(watching.records.glob("*.pods")))
    watching.intervals(1)
    status = watching.status()
    assert status["urgent_waited"] > 0 and files <= 4 + 10 * (status["interval"] + 1), (files, status)
    assert files < 60 and status["records_lost"] == 0


def test_a_flood_does_not_hide_a_hard_sign(pods, watch, tmp_path):
    (tmp_path / "flood.c").write_text(FLOOD)
    subprocess.run(["cc", "-O2", "-o", tmp_path / "flood", tmp_path / "flood.c"], check=True)
    watching = watch(interval=600)
    seen_or_skip(watching, "destination")
    pods[0].run("sh", "-c", f"{tmp_path}/flood 2000 2000; cp /bin/true {tmp_path}/hidden; {tmp_path}/hidden")
    assert watching.await_feature(pods[0], "dropped", text=f"{tmp_path}/hidden")


def test_destinations_by_connect_and_sendto_and_both_families(pods, watch):
    watching = watch()
    seen_or_skip(watching, "destination")
    code = """
import socket
for family, kind, call, to in [(socket.AF_INET, socket.SOCK_STREAM, 'connect', ('192.0.2.7', 4444)),
                               (socket.AF_INET, socket.SOCK_DGRAM, 'sendto', ('192.0.2.8', 53)),
                               (socket.AF_INET6, socket.SOCK_STREAM, 'connect', ('2001:db8::9', 443)),
                               (socket.AF_INET6, socket.SOCK_STREAM, 'connect', ('::ffff:192.0.2.10', 80)),
                               (socket.AF_INET6, socket.SOCK_DGRAM, 'sendto', ('2001:db8::11', 123)),
                               (socket.AF_INET, socket.SOCK_STREAM, 'connect', ('127.0.0.1', 9))]:
    s = socket.socket(family, kind)
    s.setblocking(False)
    try:
        s.connect(to) if call == 'connect' else s.sendto(b'x', to)
    except OSError:
        pass
"""
    pods[1].run("/usr/bin/python3", "-c", code)
    watching.await_feature(pods[1], "destination", address="192.0.2.7", port=4444, transport=6)
    watching.await_feature(pods[1], "destination", address="192.0.2.8", port=53, transport=17)
    watching.await_feature(pods[1], "destination", address="20010db8000000000000000000000009", port=443, transport=6)
    watching.await_feature(pods[1], "destination", address="192.0.2.10", port=80, transport=6)
    watching.await_feature(pods[1], "destination", address="20010db8000000000000000000000011", port=123, transport=17)
    assert not watching.find(pods[1], "destination", port=9)
    assert not watching.find(pods[0], "destination")


def test_listening_and_bytes_and_who_only_answers_has_no_destination(pods, watch):
    watching = watch()
    server = pods[0].start("/usr/bin/python3", "-c", """
import socket
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); print(s.getsockname()[1], flush=True)
c, _ = s.accept(); c.sendall(b'x' * 1000); c.close()
""", stdout=subprocess.PIPE, text=True)
    port = int(server.stdout.readline())
    with socket.create_connection(("127.0.0.1", port)) as client:
        while client.recv(4096):
            pass
    server.stdout.close()
    assert watching.await_feature(pods[0], "listen", port=port)["transport"] == 6
    watching.intervals(2)
    assert not watching.find(pods[0], "destination")


def test_files_written_where_programs_lie_and_secrets(pods, watch, tmp_path):
    secret, programs = tmp_path / "secret", tmp_path / "bin"
    if len(str(secret)) > 30:
        short = pathlib.Path("/tmp") / f"gt{os.getpid()}"
        secret, programs = short / "s", short / "bin"
    secret.mkdir(parents=True)
    programs.mkdir(parents=True)
    (secret / "token").write_text("x")
    try:
        watching = watch("--secret", f"{secret}/", "--write", f"{programs}/")
        seen_or_skip(watching, "secret")
        pods[2].run("sh", "-c", f"cat {secret}/token >/dev/null; echo x > {programs}/tool; cat {programs}/tool > /dev/null")
        watching.await_feature(pods[2], "secret", text=f"{secret}/token")
        watching.await_feature(pods[2], "write", text=f"{programs}/tool")
        watching.intervals(1)
        assert not watching.find(pods[1], "secret")
        assert len({f["text"] for f in watching.features(pods[2]) if f["kind"] == "write"}) == 1
    finally:
        shutil.rmtree(secret.parent if secret.parent.name.startswith("gt") else secret)


def test_becoming_root_is_told(pods, watch):
    watching = watch()
    code = "import os; os.setresuid(1000, 1000, 0); child = os.fork(); os.setresuid(0, 0, 0); child and os.wait()"
    pods[0].run("/usr/bin/python3", "-c", code)
    found = watching.await_feature(pods[0], "root")
    assert found["user"] == 1000
    # Who gives it up is told as the user that it becomes.
    pods[1].run("/usr/bin/python3", "-c", "import os; os.setresuid(1000, 1000, 1000)")
    assert watching.await_feature(pods[1], "user")["user"] == 1000 and not watching.find(pods[1], "root")


def test_a_start_with_pods_that_run_already(pods, watch):
    sleeper = pods[0].start("sleep", "1000")
    listener = pods[1].start("/usr/bin/python3", "-c", "import socket, time\ns = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()\n"
                             "print(s.getsockname()[1], flush=True); time.sleep(1000)", stdout=subprocess.PIPE, text=True)
    port = int(listener.stdout.readline())
    wait_for(lambda: pathlib.Path(f"/proc/{sleeper.pid}/comm").read_text().strip() == "sleep", "the sleeper to run")
    watching = watch()
    assert watching.await_feature(pods[0], "exec")["flags"] & SNAPSHOT
    assert watching.await_feature(pods[1], "listen", port=port)["flags"] & SNAPSHOT
    listener.stdout.close()
    # It lives, so there are records even when nothing happens.
    before = len([r for r in read_records(watching.records) if r["pod"] == pods[0].uid])
    watching.intervals(3)
    assert len([r for r in read_records(watching.records) if r["pod"] == pods[0].uid]) > before


def test_what_the_runtime_sends_in_is_a_session_and_its_children_are(pods, watch):
    pods[0].start("sleep", "1000")
    watching = watch()
    pods[0].run("sh", "-c", "/usr/bin/id >/dev/null; true")  # from outside of the group, as a runtime's exec
    found = wait_for(lambda: [f for f in watching.features(pods[0]) if f["text"].endswith("/id")], "id to be told")[0]
    assert found["flags"] & SESSION


def test_both_drivers_and_a_pod_within_a_pod(root, watch):
    pod = Pod(root, next(NUMBERS), systemd=True)
    watching = watch()
    try:
        inner = pod.folder / "kubepods" / "burstable" / "podabcdefab-1111-4222-8333-00000000abcd" / ("f" * 64)
        inner.mkdir(parents=True)
        subprocess.run(["sh", "-c", f'echo $$ > "{inner}/cgroup.procs"; exec /bin/true'], check=True)
        pod.run("id")
        wait_for(lambda: [f for f in watching.features(pod) if f["text"].endswith("/id")], "the systemd driver's pod")
        found = wait_for(lambda: [r for r in read_records(watching.records) if r["pod"] == "abcdefab-1111-4222-8333-00000000abcd"],
                         "the inner pod")
        assert found[0]["container"] == "f" * 64
    finally:
        for folder in [inner, *list(inner.parents)[:3]]:
            folder.rmdir()
        pod.end()


def listed(pod):
    return json.dumps({"kind": "PodList", "items": [{
        "metadata": {"uid": pod.uid, "name": "cart-7d9f-x1", "namespace": "shop", "labels": {"pod-template-hash": "7d9f"},
                     "ownerReferences": [{"kind": "ReplicaSet", "name": "cart-7d9f"}]},
        "status": {"containerStatuses": [{"name": "app", "containerID": f"containerd://{pod.container}",
                                          "imageID": "registry/cart@sha256:" + "a" * 64}]}}]})


def test_pods_get_their_names_from_a_list(pods, watch, tmp_path):
    (tmp_path / "pods.json").write_text(listed(pods[0]))
    watching = watch("--pods", tmp_path / "pods.json")
    pods[0].run("id")
    record = wait_for(lambda: [r for r in read_records(watching.records) if r["pod"] == "cart-7d9f-x1"], "the name")[0]
    assert (record["namespace"], record["workload"], record["container"], record["template_hash"], record["node"]) == \
        ("shop", "cart", "app", "7d9f", "node-1")
    assert record["image"] == "sha256:" + "a" * 64


def test_a_container_that_ended_before_it_was_listed_has_its_name_all_the_same(pods, watch, tmp_path):
    """Kubelets tell of containers late, of those that end at once behind their end."""
    (tmp_path / "pods.json").write_text('{"kind": "PodList", "items": []}')
    watching = watch("--pods", tmp_path / "pods.json")
    pods[0].run("id")
    watching.intervals(4)  # without a name it would be forgotten after two
    assert not read_records(watching.records), "by its number it would be another container's"
    (tmp_path / "new").write_text(listed(pods[0]))
    (tmp_path / "new").rename(tmp_path / "pods.json")
    record = wait_for(lambda: read_records(watching.records), "the record")[0]
    assert (record["pod"], record["container"]) == ("cart-7d9f-x1", "app")
    assert {"exec"} <= {feature["kind"] for feature in record["features"]}


def test_hostile_names_and_long_arguments(pods, watch, tmp_path):
    pods[1].start("sleep", "1000")
    watching = watch()
    watching.await_feature(pods[1], "exec")
    hostile = tmp_path / "a\n\x1b[31m\"'\\\xff"
    shutil.copy("/bin/true", hostile)
    pods[0].run(hostile, *["x" * 100000] * 8)
    watching.intervals(2)
    assert any("\x1b" in feature["text"] for feature in watching.features(pods[0]))
    deep = tmp_path / ("d" * 200) / ("e" * 200)
    deep.mkdir(parents=True)
    shutil.copy("/bin/true", deep / "tool")
    pods[1].run(deep / "tool")
    found = watching.await_feature(pods[1], "dropped")
    assert len(found["text"]) == 255
    balanced(watching.status())


FLOOD = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
int main(int count, char **arguments)
{
    long sends = count > 1 ? strtol(arguments[1], NULL, 10) : 0, different = strtol(arguments[2], NULL, 10);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    for (long i = 0; i < sends; i++) {
        to.sin_port = htons((unsigned short)(1 + i % different));
        sendto(fd, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
    }
    return 0;
}
"""


@pytest.mark.parametrize("different", [100, 60000])
def test_a_flood_loses_nothing_that_isnt_told(pods, watch, tmp_path, different):
    (tmp_path / "flood.c").write_text(FLOOD)
    subprocess.run(["cc", "-O2", "-o", tmp_path / "flood", tmp_path / "flood.c"], check=True)
    watching = watch()
    seen_or_skip(watching, "destination")
    sends = 60000
    pods[0].run(tmp_path / "flood", sends, different)
    pods[1].run("id")
    wait_for(lambda: watching.status()["events"]["connect"]["counted"] >= sends, "the flood to be counted")
    watching.intervals(2)
    status = watching.status()
    assert status["events"]["connect"]["counted"] == sends
    balanced(status)
    records = [r for r in read_records(watching.records) if r["pod"] == pods[0].uid]
    told = sum(f["count"] for r in records for f in r["features"] if f["kind"] == "destination")
    dropped = sum(r["dropped"] for r in records)
    assert sum(r["counted"] for r in records) == sum(r["received"] + r["deduplicated"] + r["dropped"] for r in records) >= sends
    if different == 100:
        assert dropped == 0 and len({f["port"] for r in records for f in r["features"] if f["kind"] == "destination"}) == 100
        assert told <= sends
    else:
        assert dropped > 0  # one that floods is told incompletely, and says so
    # Others aren't touched by it.
    assert watching.find(pods[1], "exec") and all(r["dropped"] == 0 for r in read_records(watching.records) if r["pod"] == pods[1].uid)


def test_who_comes_back_after_being_forgotten_has_its_name_and_books(pods, watch):
    watching = watch()
    for round_of in (1, 2):
        pods[0].run("id")
        wait_for(lambda: len(watching.find(pods[0], "exec")) >= round_of, f"{round_of} programs to be told")
        wait_for(lambda: watching.status()["containers"] == 0, "the container to be forgotten")
    balanced(watching.status())
    assert {record["pod"] for record in read_records(watching.records)} == {pods[0].uid}


def test_falcos_events_become_records_of_their_own(pods, watch, tmp_path):
    falco = tmp_path / "falco.jsonl"
    falco.write_text("")
    watching = watch("--falco", falco)
    pods[0].run("id")
    wait_for(lambda: watching.features(pods[0]), "the pod to be known")
    event = {"time": "2024-05-01T10:00:00.123456789Z", "rule": "any", "priority": "Critical", "output": "...", "output_fields": {
        "container.id": pods[0].container, "evt.type": "execve", "proc.exepath": "/tmp/miner", "proc.pname": "sh", "user.uid": 33,
        "proc.is_exe_upper_layer": True}}
    with falco.open("a") as file:
        file.write(json.dumps(event) + "\nnonsense\n")
    record = wait_for(lambda: [r for r in read_records(watching.records) if r["source"] == 3], "Falco's record")[0]
    assert record["pod"] == pods[0].uid and record["container"] == pods[0].container
    assert [(f["kind"], f["text"], f["user"]) for f in record["features"]] == [("dropped", "/tmp/miner", 33)]
    wait_for(lambda: watching.status()["falco"] == {"lines": 2, "refused": 1, "elsewhere": 0}, "the line that is none to be counted")


def test_nothing_is_left_behind_and_capabilities_are_few(pods, watch):
    watching = watch()
    status = pathlib.Path(f"/proc/{watching.process.pid}/status").read_text()
    lines = dict(line.split(":\t", 1) for line in status.splitlines())
    assert int(lines["CapEff"], 16) == int(lines["CapPrm"], 16) == int(lines["CapBnd"], 16) == 1 << 12 | 1 << 38 | 1 << 39
    assert lines["NoNewPrivs"] == "1"
    held = programs_held(watching.process)
    assert len(held) >= watching.status()["programs"] and "watch_exec" in programs_there(held)
    assert watching.end() == 0
    wait_for(lambda: not programs_there(held), "the programs to be unloaded")
    assert not list(watching.records.glob("*.tmp"))


def test_without_a_capability_the_rest_works(pods, watch, tmp_path, root):
    """NET_ADMIN is missing: the hooks of control groups are refused and named, processes and TCP are told."""
    from kernel import PODWATCH
    records, log = tmp_path / "records", tmp_path / "log"
    records.mkdir()
    with log.open("wb") as file:
        process = subprocess.Popen(["capsh", "--drop=cap_net_admin,cap_sys_admin", "--", "-c",
                                    f'exec {PODWATCH} --records {records} --root {root.name} --interval 1'], stderr=file)
    try:
        wait_for(lambda: '"started"' in log.read_text() or process.poll() is not None, "podwatch to start")
        assert process.poll() is None, log.read_text()
        events = [json.loads(line) for line in log.read_text().splitlines()]
        assert any(event["event"] == "capability-missing" and "NET_ADMIN" in event["detail"] for event in events)
        assert any(event["event"] == "program-refused" and event["detail"].startswith("watch_connect4") for event in events)
        pods[0].run("/usr/bin/python3", "-c", "import socket\ns = socket.socket(); s.setblocking(False)\ntry: s.connect(('192.0.2.9', 81))\n"
                    "except OSError: pass")
        wait_for(lambda: [f for r in read_records(records) for f in r["features"]
                          if f["kind"] == "destination" and (f["address"], f["port"]) == ("192.0.2.9", 81)],
                 lambda: f"the destination in {read_records(records)}")
    finally:
        process.terminate()
        process.wait()
