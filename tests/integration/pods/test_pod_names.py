# SPDX-License-Identifier: Apache-2.0
"""Names of destinations: a real DNS server in a network of the test's own, real look-ups by the C library, guard-podwatch's records."""

import os
import pathlib
import shutil
import signal
import subprocess
import textwrap

import pytest
from harness import wait_for
from kernel import ANSWERED, Pod, Podwatch, cannot, hierarchy

DNSMASQ = shutil.which("dnsmasq", path=os.environ["PATH"] + ":/usr/sbin")
WHY_NOT = cannot() or (None if DNSMASQ else "dnsmasq isn't installed (dnsmasq-base)")
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"SKIPPED: {WHY_NOT}")

NUMBERS = iter(range(os.getpid() * 16 + 1, os.getpid() * 16 + 10000))
RESOLVER, ADDRESS = "10.96.0.10", "10.96.0.77"


def run(*command):
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


class Network:
    """Two network namespaces and a cable: a pod's, and one with the resolver and all the world. No process is in them for it."""

    def __init__(self, folder):
        self.pod, self.world = f"gtp{os.getpid()}", f"gtw{os.getpid()}"
        self.folder, self.server = folder, None
        for name in (self.pod, self.world):
            run("ip", "netns", "add", name)
        run("ip", "link", "add", "eth0", "netns", self.pod, "type", "veth", "peer", "name", "eth0", "netns", self.world)
        for name, address in ((self.pod, f"{ADDRESS}/24"), (self.world, f"{RESOLVER}/24")):
            run("ip", "-n", name, "address", "add", address, "dev", "eth0")
            for device in ("lo", "eth0"):
                run("ip", "-n", name, "link", "set", device, "up")
        run("ip", "-n", self.pod, "route", "add", "default", "via", RESOLVER)
        (folder / "resolv.conf").write_text(f"nameserver {RESOLVER}\noptions timeout:5 attempts:5\n")

    def serve(self, *records):
        """Replaces the server by one that knows these."""
        self.stop()
        log = self.folder / "dnsmasq.log"
        self.server = subprocess.Popen(
            ["ip", "netns", "exec", self.world, DNSMASQ, "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
             "--pid-file", "--user=root", "--log-queries", f"--log-facility={log}", "--local=/example/", "--local-ttl=1", *records],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: ":0035 " in subprocess.run(["ip", "netns", "exec", self.world, "cat", "/proc/net/udp"], capture_output=True,
                                                    text=True, check=True).stdout, "dnsmasq to listen")

    def stop(self):
        if self.server is not None:
            self.server.send_signal(signal.SIGTERM)
            self.server.wait()
            self.server = None

    def end(self):
        self.stop()
        for name in (self.pod, self.world):
            run("ip", "netns", "del", name)


@pytest.fixture
def network(tmp_path):
    made = Network(tmp_path)
    yield made
    made.end()


@pytest.fixture
def pod():
    root = hierarchy()[0] / f"guardtest{os.getpid()}.slice"
    root.mkdir(exist_ok=True)
    made = Pod(root, next(NUMBERS))
    yield made
    made.end()
    if root.exists():
        wait_for(lambda: root.rmdir() is None, "the root group to be removed")


@pytest.fixture
def watch(tmp_path, pod):
    watching = Podwatch(tmp_path, f"guardtest{os.getpid()}.slice")
    if "dns" in watching.status()["unseen"]:
        watching.end()
        pytest.skip(f"SKIPPED: this kernel refuses what sees answers: {watching.refused()}")
    yield watching
    watching.end()


CALLER = textwrap.dedent("""
    import socket, sys
    def call(host, port):
        s = socket.socket(); s.setblocking(False)
        try:
            s.connect((host, port))
        except BlockingIOError:
            pass
        s.close()
    for line in sys.stdin:
        name, port = line.split()
        try:
            for address in sorted({a[4][0] for a in socket.getaddrinfo(name, int(port), socket.AF_INET, socket.SOCK_STREAM)}):
                call(address, int(port))
            print("called", flush=True)
        except socket.gaierror as error:
            print(error, flush=True)
""")


class Caller:
    """A program in the pod: it enters the network before the group, as a runtime has it."""

    def __init__(self, pod, network, code=CALLER):
        enter = f'mount --bind {network.folder}/resolv.conf /etc/resolv.conf; echo $$ > "{pod.folder}/cgroup.procs"; exec "$@"'
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{network.pod}", "unshare", "-m", "sh", "-c", enter, "sh", "/usr/bin/python3", "-c", code],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        pod.processes.append(self.process)

    def call(self, name, port=443):
        self.process.stdin.write(f"{name} {port}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def packed(address):
    return "".join(chr(int(part)) for part in address.split("."))


def test_destinations_have_the_names_that_were_asked_for(network, pod, watch):
    network.serve("--host-record=api.example,203.0.113.7", "--cname=www.example,api.example", "--host-record=Evil.Example,198.51.100.66")
    caller = Caller(pod, network)
    assert caller.call("www.example") == "called" and caller.call("evil.example", 4444) == "called"
    assert "called" not in caller.call("nobody.example")
    told = watch.await_feature(pod, "destination", address="203.0.113.7", port=443, transport=6)
    assert (told["text"], told["detail"], told["flags"] & ANSWERED) == ("www.example", packed(RESOLVER), ANSWERED)
    told = watch.await_feature(pod, "destination", address="198.51.100.66", port=4444, transport=6)
    assert told["text"] == "evil.example"
    for name in ("www.example", "evil.example", "nobody.example"):
        watch.await_feature(pod, "dns", text=name)
    # The same name behind another address, and a server that nobody resolved.
    network.serve("--host-record=www.example,203.0.113.200")
    assert caller.call("www.example") == "called" and caller.call("192.0.2.1") == "called"
    assert watch.await_feature(pod, "destination", address="203.0.113.200", port=443, transport=6)["text"] == "www.example"
    assert watch.await_feature(pod, "destination", address="192.0.2.1")["text"] == ""
    caller.end()
    watch.intervals(1)
    answers = watch.status()["events"]["answer"]
    assert answers["counted"] == answers["sent"] + answers["deduplicated"] + answers["dropped"] and answers["sent"] == answers["received"]


# An answer that somebody in the pod makes up: "api.example" is 198.51.100.66.
LIAR = textwrap.dedent("""
    import ctypes, os, socket, struct, subprocess, sys, threading
    name = b"\\3api\\7example\\0"
    def answer(question):
        return question[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0" + name + b"\\0\\1\\0\\1" + \\
            b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4" + socket.inet_aton("198.51.100.66")
    def ask(server, source=None):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(20)
        s.connect((server, 53))
        s.send(b"\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + name + b"\\0\\1\\0\\1")
        return s
    def serve(address):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((address, 53))
        return server
    def own_loopback():
        server = serve("127.0.0.1")
        asked = ask("127.0.0.1")
        question, who = server.recvfrom(512)
        server.sendto(answer(question), who)
        return asked.recv(512)
    def own_address():
        server = serve("10.96.0.77")
        asked = ask("10.96.0.77")
        question, who = server.recvfrom(512)
        server.sendto(answer(question), who)
        return asked.recv(512)
    def raw():  # as if the resolver had said it
        asked = ask("10.96.0.10")
        port = asked.getsockname()[1]
        data = answer(b"\\x12\\x34")
        udp = struct.pack(">HHHH", 53, port, 8 + len(data), 0) + data
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton("10.96.0.10"),
                         socket.inet_aton("10.96.0.77"))
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        s.sendto(ip + udp, ("10.96.0.77", 0))
        try:
            return asked.recv(512)
        except ConnectionRefusedError:  # what the real one says: nobody listens there
            return asked.recv(512)
    def own_network():  # in which it is the resolver
        assert ctypes.CDLL(None).unshare(0x40000000) == 0
        for command in ("ip link add va type veth peer name vb", "ip address add 10.96.0.77/24 dev va", "ip link set va up"):
            subprocess.run(command.split(), check=True)
        child = subprocess.Popen(["unshare", "-n", sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        child.stdout.readline()
        subprocess.run(["ip", "link", "set", "vb", "netns", str(child.pid)], check=True)
        child.stdin.write(b"\\n"); child.stdin.flush()
        child.stdout.readline()
        got = ask("10.96.0.10").recv(512)
        child.stdin.close(); child.wait()
        return got
    HOLD = '''
    import socket, subprocess, sys
    print(flush=True); sys.stdin.readline()
    for command in ("ip address add 10.96.0.10/24 dev vb", "ip link set vb up"):
        subprocess.run(command.split(), check=True)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.bind(("10.96.0.10", 53)); print(flush=True)
    question, who = server.recvfrom(512)
    server.sendto(question[:2] + bytes.fromhex("818000010001000000000361706907" + b"example".hex() + "0000010001c00c00010001"
                                               "0000003c0004c6336442"), who)
    sys.stdin.read()
    '''
    for line in sys.stdin:
        assert b"\\xc6\\x33\\x64\\x42" in globals()[line.strip()]()
        s = socket.socket(); s.setblocking(False)
        try:
            s.connect(("198.51.100.66", 443))
        except OSError:
            pass
        print("called", flush=True)
""")


@pytest.mark.parametrize("how", ["own_loopback", "own_address", "raw", "own_network"])
def test_a_pod_that_answers_itself_names_nothing(network, pod, watch, how):
    liar = Caller(pod, network, LIAR)
    liar.process.stdin.write(how + "\n")
    liar.process.stdin.flush()
    assert liar.process.stdout.readline().strip() == "called"
    told = watch.await_feature(pod, "destination", address="198.51.100.66", port=443)
    assert told["text"] == "" and not told["flags"] & ANSWERED
    assert not watch.find(pod, "dns")
    liar.end()


def test_a_flood_of_answers_takes_nothing_from_the_books(network, pod, watch):
    network.serve("--address=/flood.example/203.0.113.7")
    caller = Caller(pod, network)
    for number in range(300):
        assert caller.call(f"n{number}.flood.example") == "called"
    caller.end()
    watch.intervals(2)
    status = watch.status()
    answers = status["events"]["answer"]
    assert answers["counted"] >= 300 and answers["counted"] == answers["sent"] + answers["deduplicated"] + answers["dropped"]
    assert status["events_lost"] == 0 and status["events_unbalanced"] == 0
