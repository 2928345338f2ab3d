# SPDX-License-Identifier: Apache-2.0
"""The unprivileged sensor in a network namespace of its own, as user 65534 without capabilities: connections too short for any poll,
closed by either side, reset or refused, against what was really done."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest
from harness import BIN, wait_for
from kernel import NO_PORT, read_records

HERE, PEER = "10.231.7.2", "10.231.7.1"
PORT = 4000  # of namespaces that nobody else is in

# Serves and calls with sockets that close in the wanted way: `who` closes first, by FIN or by RST.
SERVER = """
import socket, struct, sys
who, port = sys.argv[1], int(sys.argv[2])
server = socket.socket(); server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('', port)); server.listen(256); print('ready', flush=True)
while True:
    client, _ = server.accept()
    client.recv(100)
    client.sendall(b'y' * 200)
    if who == 'client':
        client.recv(1)
    client.close()
"""
CLIENT = """
import socket, struct, sys
who, to, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for _ in range(count):
    s = socket.socket()
    try:
        s.connect((to, port))
        s.sendall(b'x' * 100)
        got = 0
        while got < 200:
            got += len(s.recv(200))
        if who == 'server':
            s.recv(1)
        if who == 'reset':
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    except OSError:
        pass
    s.close()
"""


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)


def cannot():
    if os.geteuid() != 0 or not shutil.which("ip"):
        return "not root, or no ip (iproute2)"
    name = f"gt{os.getpid()}"
    try:
        run("ip", "netns", "add", name)
    except subprocess.CalledProcessError as error:
        return f"no network namespaces: {error.stderr.strip()}"
    run("ip", "netns", "delete", name)
    return None


WHY_NOT = cannot()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"SKIPPED: {WHY_NOT}")


class World:
    """Two namespaces with a cable: the pod's, and the world's."""

    def __init__(self):
        self.pod, self.outside = f"gtp{os.getpid()}", f"gto{os.getpid()}"
        self.processes = []
        for name in (self.pod, self.outside):
            run("ip", "netns", "add", name)
        run("ip", "-n", self.pod, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", self.outside)
        for name, address in ((self.pod, HERE), (self.outside, PEER)):
            run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                run("ip", "-n", name, "link", "set", device, "up")

    def start(self, where, *command, **options):
        process = subprocess.Popen(["ip", "netns", "exec", where, *[str(word) for word in command]], **options)
        self.processes.append(process)
        return process

    def python(self, where, code, *arguments, **options):
        return self.start(where, "/usr/bin/python3", "-c", code, *arguments, **options)

    def serve(self, where, who, port):
        server = self.python(where, SERVER, who, port, stdout=subprocess.PIPE, text=True)
        assert server.stdout.readline() == "ready\n"
        return server

    def call(self, where, who, to, port, count):
        assert self.python(where, CLIENT, who, to, port, count).wait(timeout=120) == 0

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        for name in (self.pod, self.outside):
            run("ip", "netns", "delete", name)


@pytest.fixture
def world():
    made = World()
    yield made
    made.end()


@pytest.fixture
def place():
    """Where user 65534 may go: pytest's folders are root's alone, and each run of pytest makes them so again."""
    with tempfile.TemporaryDirectory(prefix="guard-sensor-") as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


class Sensor:
    """Of short intervals, where a test doesn't have to be in time before one ends."""

    def __init__(self, world, place, more="", interval=2):
        self.state, self.records = place / "state", place / "records"
        for folder in [self.state, self.records]:
            folder.mkdir()
        for folder in [place, self.state, self.records]:
            os.chown(folder, 65534, 65534)
        # Where the repository lies user 65534 may not go.
        program = place / "guardd"
        shutil.copy(BIN / "guardd", program)
        self.log = place / "guardd.log"
        with self.log.open("wb") as log:
            self.process = world.start(world.pod, "setpriv", "--reuid", 65534, "--regid", 65534, "--clear-groups", "--inh-caps=-all",
                                       "--bounding-set=-all", program, "--state", self.state, "--api", "off", "--pod-sensor",
                                       f"namespace=shop,workload=cart,pod=cart-1,service=cart,records={self.records},interval={interval}{more}", stderr=log)
        wait_for(lambda: '"started"' in self.log.read_text() or self.process.poll() is not None, "guardd to start")
        assert self.process.poll() is None and "pod-not-watched" not in self.log.read_text(), self.log.read_text()

    def capabilities(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("CapEff", "CapPrm"))]

    def await_record(self, condition):
        """The kernel tells of ended sockets a little later than they end."""
        wait_for(lambda: condition(read_records(self.records)), lambda: f"what is wanted in {read_records(self.records)}")

    def end(self):
        """Ends it; what it told."""
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0, self.log.read_text()
        return read_records(self.records)


def is_news(record):
    """Of no length: what it has the interval's record has again, with how often."""
    return record["from_ms"] == record["until_ms"] and record["counted"] == 0


def destinations(records):
    told = {}
    for record in filter(lambda record: not is_news(record), records):
        for feature in record["features"]:
            if feature["kind"] == "destination":
                key = (feature["address"], feature["port"], feature["transport"])
                told[key] = told.get(key, 0) + feature["count"]
    return told


def total(records, rate):
    return sum(record["rates"].get(rate, 0) for record in records)


def assert_counted_once(records, connections):
    """Of connections one after the other: each is told once in each interval in which it moved something, so one that went from an
    interval into the next may be told in both."""
    intervals = [record for record in records if not is_news(record)]
    assert total(intervals, "connections") == connections
    for record in intervals:
        begun, told = record["rates"].get("connections", 0), sum(destinations([record]).values())
        assert begun <= told <= begun + (record is not intervals[0]), record


@pytest.mark.parametrize("who", ["client", "server", "reset"])
def test_every_short_connection_is_told(world, place, who):
    world.serve(world.outside, who, PORT)
    sensor = Sensor(world, place)
    assert sensor.capabilities() == [0, 0]
    world.call(world.pod, who, PEER, PORT, 300)
    sensor.await_record(lambda records: total(records, "connections") >= 300)
    records = sensor.end()
    told = destinations(records)
    if who == "reset":  # the kernel forgets its port; one that a look met alive had it, and there are two looks in an interval
        assert told.pop((PEER, PORT, 6), 0) <= 2 * len(records) + 1
    assert set(told) == {(PEER, 0 if who == "reset" else PORT, 6)}, told
    assert_counted_once(records, 300)
    assert all(record["dropped"] == 0 for record in records)
    if who == "reset":
        assert all(f["flags"] & NO_PORT for r in records for f in r["features"] if f["kind"] == "destination" and not f["port"])
    else:
        assert total(records, "bytes_out") >= 300 * 100 and total(records, "bytes_in") >= 300 * 200
    first = records[0]
    assert (first["namespace"], first["workload"], first["pod"], first["service"], first["source"]) == ("shop", "cart", "cart-1", "cart", 1)
    assert "exec" in first["unseen"] and "destination" not in first["unseen"]


@pytest.mark.parametrize("who", ["client", "server", "reset"])
def test_who_connects_to_the_pod_is_no_destination(world, place, who):
    sensor = Sensor(world, place)
    world.serve(world.pod, who, PORT)
    world.call(world.outside, who, HERE, PORT, 100)
    world.call(world.pod, who, HERE, PORT, 10)  # nor is the pod itself
    world.call(world.pod, who, "127.0.0.1", PORT, 10)
    sensor.await_record(lambda records: records and (who == "reset" or total(records, "bytes_out") >= 100 * 200))
    records = sensor.end()
    assert destinations(records) == {} and total(records, "connections") == 0
    assert {f["port"] for r in records for f in r["features"] if f["kind"] == "listen"} == {PORT}
    if who != "reset":
        assert total(records, "bytes_out") >= 100 * 200


def test_refused_and_datagrams_and_what_was_there_before(world, place):
    world.serve(world.outside, "client", PORT)
    held = world.python(world.pod, f"import socket, time\ns = socket.create_connection(('{PEER}', {PORT}))\nprint('held', flush=True)\n"
                        "time.sleep(1000)", stdout=subprocess.PIPE, text=True)
    assert held.stdout.readline() == "held\n"
    sensor = Sensor(world, place)
    world.call(world.pod, "client", PEER, 4999, 20)
    assert world.python(world.pod, f"import socket\nfor _ in range(7):\n s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
                        f"s.connect(('{PEER}', 53)); s.close()").wait() == 0
    sensor.await_record(lambda records: total(records, "connections") >= 28)
    records = sensor.end()
    told = destinations(records)
    assert told.pop((PEER, PORT, 6)) == 1
    assert told.pop((PEER, 53, 17)) == 7
    assert set(told) <= {(PEER, 0, 6), (PEER, 4999, 6)} and sum(told.values()) == 20
    assert any(f["flags"] & 2 for r in records for f in r["features"] if f["port"] == PORT)


def test_what_is_new_is_told_before_its_interval_ends(world, place):
    world.serve(world.outside, "server", PORT)
    sensor = Sensor(world, place, interval=10)
    sensor.await_record(lambda records: records)  # the first interval, in which all is new
    world.call(world.pod, "server", PEER, PORT, 2)
    sensor.await_record(lambda records: any(map(is_news, records)))
    world.call(world.pod, "server", PEER, PORT, 2)
    sensor.await_record(lambda records: total(records, "connections") == 4)
    records = sensor.end()
    [news] = filter(is_news, records)
    assert [(f["kind"], f["address"], f["port"], f["count"]) for f in news["features"]] == [("destination", PEER, PORT, 1)]
    assert news["rates"] == {} and news["dropped"] == 0
    later = records[records.index(news) + 1:]
    assert destinations(later) == destinations(records)
    assert set(destinations(records)) == {(PEER, PORT, 6)}
    assert_counted_once(records, 4)
    assert [record["sequence"] for record in records] == list(range(1, len(records) + 1))


# Sends and receives so much over one connection, in steps that are ordered by a line each.
BULK = """
import socket, sys
to, port = sys.argv[1], int(sys.argv[2])
s = socket.create_connection((to, port)); print('open', flush=True)
for line in sys.stdin:
    out, back = map(int, line.split())
    s.sendall(f"{out:015} {back:015}\\n".encode() + b"x" * out)
    while back:
        back -= len(s.recv(min(back, 65536)))
    print('done', flush=True)
s.close()
"""
BULK_HEAD = 32  # bytes of what is ordered
BULK_SERVER = """
import socket, sys, threading
server = socket.socket(); server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('', int(sys.argv[1]))); server.listen(256); print('ready', flush=True)
def serve(client):
    stream = client.makefile('rb')
    while line := stream.readline():
        out, back = map(int, line.split())
        while out:
            out -= len(stream.read(min(out, 65536)))
        client.sendall(b'y' * back)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
"""


class Bulk:
    def __init__(self, world, where, to, port):
        self.process = world.python(where, BULK, to, port, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "open\n"

    def move(self, out, back):
        self.process.stdin.write(f"{out} {back}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == 0


def moved(records):
    """Bytes by destination: (sent, received)."""
    by = {}
    for record in records:
        for feature in record["features"]:
            if feature["kind"] == "destination":
                key = (feature["address"], feature["port"])
                out, back = by.get(key, (0, 0))
                by[key] = (out + feature.get("bytes_out", 0), back + feature.get("bytes_in", 0))
    return by


def assert_near(told, really, connections):
    """The kernel counts a connection's SYN and FIN as a byte each."""
    assert really <= told <= really + 2 * connections, (told, really)


def test_bytes_are_told_by_destination_and_way(world, place):
    server = world.python(world.outside, BULK_SERVER, PORT, stdout=subprocess.PIPE, text=True)
    other = world.python(world.outside, BULK_SERVER, PORT + 1, stdout=subprocess.PIPE, text=True)
    inside = world.python(world.pod, BULK_SERVER, PORT + 2, stdout=subprocess.PIPE, text=True)
    assert [process.stdout.readline() for process in (server, other, inside)] == ["ready\n"] * 3
    before = Bulk(world, world.pod, PEER, PORT)
    before.move(700_000, 50_000)  # nobody watches yet
    sensor = Sensor(world, place)
    before.move(300_000, 20_000)
    two = [Bulk(world, world.pod, PEER, PORT + 1) for _ in range(2)]
    for bulk in two:
        bulk.move(1_000_000, 0)
        bulk.move(0, 200_000)
    client = Bulk(world, world.outside, HERE, PORT + 2)  # a client of the pod: what it is answered is no call
    client.move(10_000, 3_000_000)
    two[0].close()
    client.close()
    sensor.await_record(lambda records: total(records, "bytes_out") >= 5_300_000)
    before.move(40_000, 0)  # in a later interval, over connections that were told
    two[1].move(60_000, 0)
    records = sensor.end()
    by = moved(records)
    assert set(by) == {(PEER, PORT), (PEER, PORT + 1)}, by
    assert_near(by[(PEER, PORT)][0], 340_000 + 2 * BULK_HEAD, 1)
    assert_near(by[(PEER, PORT)][1], 20_000, 1)
    assert_near(by[(PEER, PORT + 1)][0], 2_060_000 + 5 * BULK_HEAD, 2)
    assert_near(by[(PEER, PORT + 1)][1], 400_000, 2)
    assert total(records, "calls_out") == sum(out for out, _ in by.values())
    assert total(records, "calls_in") == sum(back for _, back in by.values())
    assert_near(total(records, "bytes_out") - total(records, "calls_out"), 3_000_000, 1)
    assert_near(total(records, "bytes_in") - total(records, "calls_in"), 10_000 + BULK_HEAD, 1)
    assert total(records, "connections") == 3
    assert all("requests" not in record["rates"] for record in records)  # no gate is there to say


def test_a_connection_that_goes_on_counts_once_in_each_interval(world, place):
    """It is looked at twice in each, and moved something each time."""
    server = world.python(world.outside, BULK_SERVER, PORT, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "ready\n"
    sensor = Sensor(world, place)
    held, told = Bulk(world, world.pod, PEER, PORT), []
    while len(told) < 3:
        held.move(1000, 1000)
        time.sleep(0.2)
        told = [record for record in read_records(sensor.records) if not is_news(record) and destinations([record])]
    records = sensor.end()
    assert {sum(destinations([record]).values()) for record in told} == {1}, told
    assert total(records, "connections") == 1


def test_a_reset_connection_hides_what_it_moved_since_the_last_look(world, place):
    """The kernel forgets it: what was seen by then stays told, and nothing is counted twice or below zero."""
    server = world.python(world.outside, BULK_SERVER, PORT, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "ready\n"
    sensor = Sensor(world, place)
    held = Bulk(world, world.pod, PEER, PORT)
    held.move(500_000, 0)
    sensor.await_record(lambda records: total(records, "calls_out") >= 500_000)
    held.move(100_000, 0)
    held.process.kill()  # unread bytes or not, the peer sees an end; then a real reset
    held.process.wait()
    world.serve(world.outside, "reset", PORT + 1)
    world.call(world.pod, "reset", PEER, PORT + 1, 50)
    sensor.await_record(lambda records: total(records, "connections") >= 51)
    records = sensor.end()
    assert_near(moved(records)[(PEER, PORT)][0], 600_000 + 2 * BULK_HEAD, 1)
    assert total(records, "calls_out") < 700_000
    assert all(record["dropped"] == 0 for record in records)


def gate_counts(state, name, exchanges, gate="0123456789abcdef"):
    """As a gate's worker writes it."""
    rings = state / "rings"
    path = rings / f"{gate}.counts"
    path.with_suffix(".new").write_text(f'{{"service":"{name}","mode":"observe","counts":{{"exchanges":{exchanges}}}}}\n')
    path.with_suffix(".new").rename(path)


def test_the_use_of_a_control_group_is_told(world, place):
    group = place / "group"
    group.mkdir()
    (group / "cpu.stat").write_text("usage_usec 1000\nuser_usec 1\n")
    (group / "memory.current").write_text("4096\n")
    (group / "cpu.pressure").write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n")
    sensor = Sensor(world, place, f",cgroup={group}")

    def becomes(name, text):
        """At once, as the kernel's: one that is empty for a moment would say nothing."""
        (place / name).write_text(text)
        (place / name).rename(group / name)
    becomes("cpu.stat", "usage_usec 51000\nuser_usec 1\n")
    becomes("cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=30\n")
    records = sensor.end()
    assert total(records, "cpu_us") == 50000 and total(records, "pressure_us") == 25
    assert records[-1]["rates"]["memory_bytes"] == 4096


def test_a_wrong_option_is_refused_by_name(tmp_path):
    for spec, why in [("workload=a", "workload and pod must be said"), ("workload=a,pod=b,colour=c", 'there is no "colour"'),
                      ("workload=a/b,pod=c", "workload can't be"), ("workload=a,pod=b,pod=c", "pod is said twice"), ("x", "not key=value"),
                      ("workload=a,pod=b,processes=all", "processes can't be"), ("workload=a,pod=b,interval=0", "interval can't be"),
                      ("workload=a,pod=b,interval=601", "1 to 600 seconds"), ("workload=a,pod=b,interval=+5", "interval can't be")]:
        ended = subprocess.run([BIN / "guardd", "--state", tmp_path, "--pod-sensor", spec], capture_output=True, text=True)
        assert ended.returncode == 2 and why in ended.stderr, (spec, ended.stderr)
