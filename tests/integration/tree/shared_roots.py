# SPDX-License-Identifier: Apache-2.0
"""Several roots over one PostgreSQL, behind one address."""

import pathlib
import select
import shutil
import socket
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from postgres import Postgres, missing  # noqa: E402
from servers import stop_accepting  # noqa: E402
from waiting import wait_for  # noqa: E402


@pytest.fixture(scope="module")
def server():
    why = missing()
    if why:
        pytest.skip(why)
    postgres = Postgres().start()
    yield postgres
    postgres.close()


@pytest.fixture
def postgres(server):
    """Without tables, and running."""
    server.query("DROP SCHEMA IF EXISTS guard CASCADE")
    yield server
    if server.process is None:
        server.start()
    server.signal_all(18)  # SIGCONT


class Balancer:
    """One address for all roots: each connection goes to the next one that takes it."""

    def __init__(self, path):
        self.path = path
        self.doors = []
        self.turn = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1024)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def connect(self):
        doors = list(self.doors)
        self.turn += 1
        for i in range(len(doors)):
            root = socket.socket(socket.AF_UNIX)
            try:
                root.connect(str(doors[(self.turn + i) % len(doors)]))
                return root
            except OSError:
                root.close()
        return None

    def serve(self, client):
        root = self.connect()
        try:
            while root is not None:
                for sock in select.select([client, root], [], [])[0]:
                    data = sock.recv(1 << 16)
                    if not data:
                        return
                    (root if sock is client else client).sendall(data)
        except OSError:
            return
        finally:
            client.close()
            if root is not None:
                root.close()

    def close(self):
        stop_accepting(self.listener, self.thread)


@pytest.fixture
def roots(tree, postgres, tmp_path):
    """make(name, *options) starts one more root of the database; make.url is the address of all."""
    balancer = Balancer(tmp_path / "roots.sock")
    made = []

    def make(name, *options):
        root = tree(name, ["--role", "service", "--store", postgres.url, *(options or ("--whole-piles", "*"))], start=False)
        if made:
            (root.state / "keys").mkdir()
            shutil.copy(made[0].state / "keys" / "policy.key", root.state / "keys" / "policy.key")
        made.append(root)
        balancer.doors.append(root.state / "api.sock")
        return root.start()

    make.url = f"unix:{balancer.path}"
    make.all = made
    yield make
    balancer.close()


def agent_of(roots, every="1s"):
    """Options of an agent that knows the address of all."""
    return ["--role", "agent", "--parent", roots.url, "--report-every", every,
            "--policy-key", roots.all[0].state / "keys" / "policy.pub"]


def role(root, service="shop"):
    return root.service(service).get("role")


def learner_of(nodes, service="shop"):
    """The one that learns; waits until there is just one."""
    found = []

    def one():
        found[:] = [node for node in nodes if node.process.poll() is None and role(node, service) == "learner"]
        return len(found) == 1
    wait_for(one, "one learner")
    return found[0]


def wait_learned(postgres, nodes, count, service="shop"):
    """All that was sent is in the learner's pile, once. A total too high never becomes right."""
    def totals():
        return [node.service(service)["exchanges"] for node in nodes if role(node, service) == "learner"]
    wait_for(lambda: any(total >= count for total in totals()), lambda: f"{count} exchanges, not {totals()}", 180)
    wait_for(lambda: totals() == [count], lambda: f"{count} exchanges, not {totals()}")
    # What it tells it has merged; that no feed is left to be merged is the database's a moment later, at the transaction's end.
    untaken = "SELECT count(*) FROM guard.feed JOIN guard.learner USING (service) WHERE taken <> fence"
    wait_for(lambda: postgres.query(untaken) == [["0"]], lambda: f"no feed to be left, not {postgres.query(untaken)}")
