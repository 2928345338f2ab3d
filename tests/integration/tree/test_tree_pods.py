# SPDX-License-Identifier: Apache-2.0
"""What pods do is said by the guardd beside each and learned at the root: nothing twice, nothing lost, and nobody speaks for another
pod."""

import http.server
import json
import pathlib
import signal
import struct
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "pods"))
from trees import agent_options, ask, key_of, root_options, tool, tree  # noqa: E402, F401
from test_pod_learning import HOUR, USUAL, ODD, REPLICAS, Sensors, of_pods, pod_writer, pods  # noqa: E402, F401
from test_tree_aggregator import aggregator_options  # noqa: E402
from waiting import wait_for  # noqa: E402

STEPS = 19  # hours of history


class Replicas:
    """A guardd beside each of four replicas, with what a sensor there would have written. All are of one test folder."""

    def __init__(self, tree, writer, parent, root=None, options=()):
        self.root = root or parent
        self.nodes, self.sensors = [], []
        for replica in range(REPLICAS):
            node = tree(f"pod{replica}", [*agent_options(parent, root=root), "--pod", f"prod/web-7f9c-{replica:05}/5f1c-{replica}",
                                          *options], start=False)
            self.nodes.append(node)
            self.sensors.append(Sensors(writer, node.state))

    def start(self):
        for node in self.nodes:
            node.start()
        return self

    def put(self, replica, features, until_ms=None, source="podwatch"):
        sensor = self.sensors[replica]
        sensor.put(sensor.encode([sensor.line(replica, until_ms or int(time.time() * 1000), features, source)]))

    def live(self):
        """Hours of the usual, ended now."""
        now = int(time.time() * 1000)
        for step in range(STEPS - 1, -1, -1):
            for replica in range(REPLICAS):
                self.put(replica, USUAL, now - 60000 - HOUR * step)

    def misuse(self, replica=2):
        sensor = self.sensors[replica]
        now = int(time.time() * 1000)
        sensor.put(sensor.encode([sensor.line(replica, now, [(12, "GET /lookup", "character never seen", "5f3a")], "gate"),
                                  sensor.line(replica, now, [(7, "/tmp/x", "/app/server", "5f3a")])]))

    def wait_sent(self):
        for sensor in self.sensors:
            wait_for(sensor.read, "the files to be taken by the parent", 120)

    def books(self):
        """What each counted itself, when nothing is under way."""
        return [node.parent.get("pods", {}) for node in self.nodes]


OCTETS = ("-H", "Content-Type: application/octet-stream", "--data-binary", "@-")


def batch(records, count, secret=b"f" * 16, version=1, dropped=0):
    return struct.pack("<4sHH16sQQII", b"GLPB", version, 0, secret, count, dropped, count, 0) + records


def report(node, records, count, **options):
    return ask(node, "POST", "/pods/records", *OCTETS, data=batch(records, count, **options))


def refused(root, why, count):
    """Status is written twice a second."""
    wait_for(lambda: root.status()["pods"]["refused"][why] == count, lambda: f"{count} {why}, not {root.status()['pods']['refused']}")


def learned(root, records):
    wait_for(lambda: pods(root)["records"] == records, lambda: f"{records} records at the root, not {pods(root)['records']}", 120)


def balanced(books):
    return all(one and one["counted"] == one["sent"] + one["refused"] + one["dropped"] + one["waiting"] for one in books)


def test_replicas_are_compared_at_the_root_and_the_odd_one_is_named(tree, pod_writer):  # noqa: F811
    root = tree("root", root_options())
    replicas = Replicas(tree, pod_writer, root)
    replicas.live()
    replicas.start()
    replicas.wait_sent()
    learned(root, STEPS * REPLICAS)
    assert pods(root)["ready"] and pods(root)["live_count"] == REPLICAS and of_pods(root) == []
    replicas.misuse()
    wait_for(lambda: of_pods(root), "the alert", 120)
    replicas.wait_sent()
    [alert] = of_pods(root)
    assert alert["findings"][0]["name"] == f"prod/{ODD}" and alert["findings"][0]["rule"] == "pod-dropped"
    wait_for(lambda: [one.get("sent") for one in replicas.books()] == [STEPS + 2 * (replica == 2) for replica in range(REPLICAS)],
             "the agents' books")
    assert balanced(replicas.books()) and all(one["dropped"] == one["refused"] == one["waiting"] == 0 for one in replicas.books())
    # Agents judge nothing themselves: their one replica has nobody to be compared with.
    assert all(of_pods(node) == [] and not node.service("shop").get("pods") for node in replicas.nodes)


def test_below_an_aggregator_it_is_the_same(tree, pod_writer):  # noqa: F811
    root = tree("root", root_options())
    middle = tree("middle", aggregator_options(root))
    replicas = Replicas(tree, pod_writer, middle, root=root)
    replicas.live()
    replicas.start()
    replicas.wait_sent()
    learned(root, STEPS * REPLICAS)
    replicas.misuse()
    wait_for(lambda: of_pods(root), "the alert", 120)
    [alert] = of_pods(root)
    assert alert["findings"][0]["name"] == f"prod/{ODD}"
    wait_for(lambda: middle.parent["pods"]["sent"] == STEPS * REPLICAS + 2, "the aggregator's books")
    assert balanced([middle.parent["pods"], *replicas.books()]) and of_pods(middle) == []


def test_a_parent_that_is_killed_again_and_again_loses_nothing_and_learns_nothing_twice(tree, pod_writer):  # noqa: F811
    root = tree("root", root_options())
    replicas = Replicas(tree, pod_writer, root)
    replicas.live()
    replicas.start()
    learned(root, STEPS * REPLICAS)
    # The children's answers are lost, too: their files lie there and are sent again.
    count = STEPS * REPLICAS
    for _ in range(3):
        for replica in range(REPLICAS):
            replicas.put(replica, USUAL)
        count += REPLICAS
        replicas.nodes[1].kill()
        root.kill()
        for replica in range(REPLICAS):
            replicas.put(replica, USUAL)
        count += REPLICAS
        # One dies with what it read, and wasn't answered for.
        for _ in range(4):
            replicas.put(2, USUAL)
        count += 4
        wait_for(lambda: replicas.nodes[2].parent["pods"]["waiting"] >= 5, "records to be under way", 60)
        replicas.nodes[2].kill()
        root.start()
        replicas.nodes[1].start()
        replicas.nodes[2].start()
        learned(root, count)
    replicas.wait_sent()
    # What was answered for and sent once more all the same is known.
    sensor = replicas.sensors[0]
    whole = sensor.encode([sensor.line(0, int(time.time() * 1000), USUAL)])
    sensor.put(whole)
    learned(root, count + 1)
    before = root.status()["pods"]["repeated"]
    sensor.put(whole)
    wait_for(lambda: root.status()["pods"]["repeated"] > before, "the repeated one to be seen")
    replicas.wait_sent()
    assert pods(root)["records"] == count + 1 and balanced(replicas.books()) and of_pods(root) == []
    refused(root, "foreign", 0)
    refused(root, "flood", 0)


def test_nobody_speaks_for_another_pod(tree, pod_writer):  # noqa: F811
    """Without tokens of a cluster all agents here are one user: their state directories tell them apart."""
    root = tree("root", root_options(None))
    replicas = Replicas(tree, pod_writer, root)
    replicas.live()
    replicas.start()
    replicas.wait_sent()
    learned(root, STEPS * REPLICAS)
    forger = Sensors(pod_writer, root.state.parent / "forger")
    now = int(time.time() * 1000)
    framed = forger.encode([forger.line(2, now, [(7, "/tmp/x", "/app/server", "5f3a")])])
    answer = report(root, framed, 1)
    assert answer.status == 200 and answer.json() == {"taken": 0, "refused": 1}, answer.body
    refused(root, "foreign", 1)
    assert "another one speaks for the pod" in root.log()
    # Also behind a restart of the root.
    root.stop()
    root.start()
    assert report(root, framed, 1).json() == {"taken": 0, "refused": 1}
    # Nor does it use up the sequences of the pod's own sensor, whose number it knows.
    forger.sequences["thief", 9] = 4000
    assert report(root, forger.encode([forger.line(9, now, USUAL, "thief")]), 1).json() == {"taken": 1, "refused": 0}
    learned(root, STEPS * REPLICAS + 1)
    replicas.put(2, USUAL)
    learned(root, STEPS * REPLICAS + 2)
    assert of_pods(root) == []
    # Sent by the agent beside the pod it is believed.
    replicas.misuse()
    wait_for(lambda: of_pods(root), "the alert", 120)


def test_what_could_not_be_written_and_comes_again_is_no_flood(tree, pod_writer):  # noqa: F811
    root = tree("root", root_options(None))
    key_of(root)
    sender = Sensors(pod_writer, root.state.parent / "sender")
    now = int(time.time() * 1000)
    records = sender.encode([sender.line(0, now, []) for _ in range(1000)])
    (root.state / "pods").rename(root.state / "pods.away")
    (root.state / "pods").write_text("")
    for _ in range(6):
        assert report(root, records, 1000).status == 503
    (root.state / "pods").unlink()
    (root.state / "pods.away").rename(root.state / "pods")
    assert report(root, records, 1000).json() == {"taken": 1000, "refused": 0}
    refused(root, "flood", 0)


def test_a_flood_is_bounded_and_counted(tree, pod_writer):  # noqa: F811
    root = tree("root", root_options(None))
    key_of(root)
    forger = Sensors(pod_writer, root.state.parent / "forger")
    now = int(time.time() * 1000)
    taken = 0
    for _ in range(6):
        records = forger.encode([forger.line(0, now, []) for _ in range(1000)])
        answer = report(root, records, 1000).json()
        assert answer["taken"] + answer["refused"] == 1000
        taken += answer["taken"]
    assert 4096 <= taken < 4096 + 2 * 120, taken  # and what time gave room for
    refused(root, "flood", 6000 - taken)
    # One that isn't believed speaks for 64 pods at most.
    pods_taken = sum(report(root, forger.encode([forger.line(replica, now, USUAL)]), 1).json()["taken"] for replica in range(1, 80))
    assert pods_taken == 63 and "it speaks for too many pods" not in root.log()  # said once a day for each reason
    learned(root, taken + 63)


@pytest.mark.parametrize("data, status", [
    (b"", 422), (b"GLPB", 422), (batch(b"", 0), 422), (batch(b"", 1), 422), (batch(b"x" * 400, 1), 422), (batch(b"", 1, version=2), 422),
    (batch(b"", 1, dropped=2), 422), (batch(b"", 5000), 413), (batch(b"x" * 300000, 1), 413)], ids=range(9))
def test_what_is_no_batch_is_refused_whole(tree, data, status):  # noqa: F811
    root = tree("root", root_options())
    # Who sends a body that is refused by its length alone may find the connection closed before it reads why: it asks before.
    assert ask(root, "POST", "/pods/records", *OCTETS, "-H", "Expect: 100-continue", data=data).status == status
    assert not list((root.state / "pods").glob("*.pods"))


def test_records_of_another_time_or_service_are_refused(tree, pod_writer):  # noqa: F811
    root = tree("root", root_options())
    key_of(root)
    sensors = Sensors(pod_writer, root.state.parent / "sensors")
    now = int(time.time() * 1000)
    good = sensors.encode([sensors.line(0, now, USUAL)])
    for until_ms, why in ((now + HOUR, "ahead"), (now - 26 * HOUR, "old")):
        assert report(root, sensors.encode([sensors.line(0, until_ms, USUAL)]), 1).json() == {"taken": 0, "refused": 1}
        refused(root, why, 1)
    # A damaged record behind a good one: nothing of the batch is taken.
    assert report(root, good + good[:-1] + b"x", 2).status == 422
    assert report(root, good, 1).json() == {"taken": 1, "refused": 0}
    learned(root, 1)
    # What an unprivileged sensor can't see stays told as unseen.
    assert report(root, sensors.encode([sensors.line(5, now, [(0, "10.1.2.3:80", "-", "-")], "sidecar")]), 1).json()["taken"] == 1
    learned(root, 2)
    blind = {replica["pod"][-1]: replica["blind"] for replica in pods(root)["live"]}
    assert blind["0"] == [] and "exec" in blind["5"] and "destination" not in blind["5"], blind
    # Whose token is of another service.
    secret = tool("token", "add", "edge", "--role", "reporter", "--service", "cart", "--state", root.state).split()[-1]
    header = ("-H", f"Authorization: Bearer {secret}")
    wait_for(lambda: ask(root, "GET", "/services/cart/key", *header).status == 200, "the token to be read")
    answer = ask(root, "POST", "/pods/records", *OCTETS, *header, data=batch(good, 1))
    assert answer.json() == {"taken": 0, "refused": 1}, answer.body
    refused(root, "foreign", 1)


def test_what_a_parent_that_is_away_gets_is_bounded_and_the_books_balance(tree, pod_writer):  # noqa: F811
    root = tree("root", root_options())
    key_of(root)
    node = tree("pod0", [*agent_options(root), "--pod", "prod/web-7f9c-00000/5f1c-0"])
    sensors = Sensors(pod_writer, node.state)
    now = int(time.time() * 1000)
    sensors.put(sensors.encode([sensors.line(0, now, USUAL)]))
    learned(root, 1)
    root.kill()
    node.process.send_signal(signal.SIGSTOP)  # sensors write more slowly: a folder that is listed meanwhile may show a later file alone
    records, at = sensors.encode([sensors.line(0, now, []) for _ in range(2200)]), 0
    while at < len(records):
        length = struct.unpack_from("<I", records, at + 8)[0]
        sensors.put(records[at:at + length])
        at += length
    node.process.send_signal(signal.SIGCONT)
    wait_for(lambda: len(list(sensors.folder.glob("*.pods"))) <= 2048, "the oldest to be given up", 60)
    wait_for(lambda: "pod-records-dropped" in node.log(), "it to be said")
    root.start()
    wait_for(sensors.read, "the rest to be taken", 120)
    wait_for(lambda: node.parent["pods"]["waiting"] == 0 and node.parent["pods"]["counted"] == 2201, "the books", 60)
    books = node.parent["pods"]
    assert books["dropped"] >= 2200 - 2048 and books["sent"] == 2201 - books["dropped"] and books["refused"] == 0, books
    learned(root, books["sent"])


def test_an_older_parent_is_left_alone(tree, pod_writer):  # noqa: F811
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, body):
            asked.append(self.path)
            self.send_response(200 if body else 304)
            if body:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            key = json.dumps({"service": "shop", "key": "ab" * 32, "generation": 0, "young": False, "client_mode": "alert"}).encode()
            if "/policy" in self.path:
                time.sleep(1)  # it waits for something to tell
            self.answer(key if self.path.endswith("/key") else b"")

        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.answer(b'{"generation":0,"young":false,"client_mode":"alert","outcome":"added"}')

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        root = tree("root", root_options(), start=False)
        (root.state / "keys").mkdir()
        (root.state / "keys" / "policy.pub").write_text("01" * 32)
        options = [f"http://127.0.0.1:{server.server_port}" if str(word).startswith("unix:") else word for word in agent_options(root)]
        node = tree("pod0", options, start=False)
        sensors = Sensors(pod_writer, node.state)
        sensors.live(1)
        node.start()
        wait_for(lambda: pods(node)["records"] == 5 * REPLICAS, "the agent to learn for itself", 60)
        assert not [path for path in asked if "/pods/" in path] and node.parent["pods"]["counted"] == 0
    finally:
        server.shutdown()
        server.server_close()


def test_a_pod_that_falls_silent_while_it_serves_is_told(tree, pod_writer):  # noqa: F811
    root = tree("root", root_options())
    replicas = Replicas(tree, pod_writer, root)
    now = int(time.time() * 1000)
    for replica in range(REPLICAS):
        replicas.put(replica, USUAL, now - HOUR // 4 + 45000 if replica in (0, 3) else now)
    replicas.nodes.pop()  # of the last one there is no gate any more, as of a pod that was removed
    replicas.sensors[0].put(replicas.sensors.pop().folder.glob("*.pods").__next__().read_bytes())
    replicas.start()
    wait_for(lambda: "pod-silent" in root.log(), "it to be told", 180)
    [told] = root.events("pod-silent")
    assert told["detail"].startswith("prod/web-7f9c-00000, "), told
