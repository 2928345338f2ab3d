# SPDX-License-Identifier: Apache-2.0
"""guardd on PostgreSQL: the database goes away in every way, guardds take over from one another, and what gates saw is counted once.
All is judged from the clients' side and by totals against what was sent."""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import pathlib
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN, wait_for  # noqa: E402
from postgres import Postgres, missing  # noqa: E402
from servers import stop_accepting  # noqa: E402
from test_guardd import GATE, Client, Guardd, drive, guard, wait_in_force  # noqa: E402
from traffic import Shop  # noqa: E402
from waiting import PATIENCE as WAIT  # noqa: E402


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
    server.signal_all(signal.SIGCONT)


@pytest.fixture
def make(postgres, tmp_path):
    """A factory of guardds that share the database and the key; none is running at the end."""
    made = []

    def new(name):
        state = tmp_path / name
        state.mkdir()
        if made:
            (state / "keys").mkdir()
            shutil.copy(made[0].state / "keys" / "policy.key", state / "keys" / "policy.key")
        made.append(Guardd(state, log=tmp_path / f"{name}.log", options=("--store", postgres.url)))
        return made[-1].start()

    yield new
    for one in made:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGCONT)
            one.stop()


@pytest.fixture
def gate_of(nginx, fast_upstream):
    def new(guardd):
        return nginx(GATE.replace("{state}", str(guardd.state)).replace("{back}", str(fast_upstream.port)))
    return new


def role(guardd):
    return guardd.service().get("role")


def learns(guardd):
    wait_for(lambda: role(guardd) == "learner", "the learner", WAIT)


def unfed(postgres):
    return postgres.query("SELECT count(*) FROM guard.feed") == [["0"]]


def wait_roles(*guardds):
    """One learns, the others follow; which, a loaded machine may change."""
    wait_for(lambda: sorted(role(guardd) or "" for guardd in guardds) == ["follower"] * (len(guardds) - 1) + ["learner"], "the roles", WAIT)


def wait_total(postgres, count, *guardds):
    """All that was sent is in the learner's pile, and in the store. A total too high never becomes right."""
    def totals():
        return [guardd.service()["exchanges"] for guardd in guardds if role(guardd) == "learner"]
    wait_for(lambda: any(total >= count for total in totals()) and unfed(postgres), f"{count} exchanges", 2 * WAIT)

    saved_ms = time.time() * 1000

    def of_the_learner():
        """As it says after that: what was merged last may be a total too high. While one takes over there may be none or two."""
        found = [guardd.service()["exchanges"] for guardd in guardds if role(guardd) == "learner" and guardd.status()["time_ms"] > saved_ms]
        return found if len(found) == 1 and found[0] >= count else None
    assert wait_for(of_the_learner, lambda: f"{count} exchanges, not {totals()}", WAIT) == [count]


class Traffic:
    """Sends until it is ended; keeps the statuses and how long the slowest answer took."""

    def __init__(self, port, seed):
        self.port = port
        self.shop = Shop(seed)
        self.statuses = []
        self.slowest = 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ended.is_set():
            begin = time.monotonic()
            self.statuses += drive(self.port, self.shop.many(12))
            self.slowest = max(self.slowest, time.monotonic() - begin)
            time.sleep(0.05)

    def wait_more(self, count):
        goal = len(self.statuses) + count
        wait_for(lambda: len(self.statuses) >= goal or not self.thread.is_alive(), f"{count} more exchanges", 120)

    def end(self):
        self.ended.set()
        self.thread.join()
        assert set(self.statuses) == {200}
        return len(self.statuses)


def test_what_is_learned_survives_a_kill(postgres, make, gate_of):
    guardd = make("a")
    gate = gate_of(guardd)
    drive(gate.port, Shop(51).many(300))
    learns(guardd)
    wait_total(postgres, 300, guardd)
    guardd.kill()
    assert set(drive(gate.port, Shop(52).many(100))) == {200}
    guardd.start()
    learns(guardd)
    wait_total(postgres, 400, guardd)
    assert guardd.stop() == 0
    assert postgres.query("SELECT count(*), sum(sequence) FROM guard.position WHERE ring LIKE '%.ring'") == [["1", "400"]]
    assert not (guardd.state / "guard.db").exists()
    guardd.start()


@pytest.mark.parametrize("how", ["immediate", "killed", "stopped"])
def test_the_database_goes_away_and_comes_back(postgres, make, gate_of, how):
    """Under load: no client notices, nothing that was acknowledged is lost, nothing is counted twice."""
    guardd = make("a")
    gate = gate_of(guardd)
    traffic = Traffic(gate.port, 53)
    try:
        learns(guardd)
        for turn in range(2):
            traffic.wait_more(200)
            if how == "stopped":
                postgres.signal_all(signal.SIGSTOP)
            else:
                postgres.stop({"immediate": signal.SIGQUIT, "killed": signal.SIGKILL}[how])
            wait_for(lambda: guardd.log().count('"event":"not-saved"') > turn, "the alarm", WAIT)
            traffic.wait_more(300)
            wait_for(lambda: role(guardd) in ("suspended", "follower"), "the role to be told", WAIT)
            if how == "stopped":
                postgres.signal_all(signal.SIGCONT)
            else:
                postgres.start()
            wait_for(lambda: guardd.log().count('"event":"saved-again"') > turn, "the end of the alarm", WAIT)
            learns(guardd)
    finally:
        sent = traffic.end()
    wait_total(postgres, sent, guardd)
    assert guardd.status()["rings"]["lost"] == 0
    guardd.kill()
    guardd.start()
    learns(guardd)
    wait_total(postgres, sent, guardd)


def test_what_is_seen_first_while_the_database_stands_still_waits_for_it(postgres, make, gate_of):
    """The service's key is made there: nobody knows the service yet, neither its exchanges nor its pods may be lost for that."""
    guardd = make("a")
    gate = gate_of(guardd)
    wait_for(lambda: guardd.status()["rings"]["count"] == 2, "its rings to be opened, which needs the database, too", WAIT)
    postgres.signal_all(signal.SIGSTOP)
    sent = len(drive(gate.port, Shop(50).many(60)))
    wait_for(lambda: '"event":"not-saved"' in guardd.log(), "it to be missed", WAIT)
    for _ in range(4):  # each at the end of a round in which rings were looked for, and read
        told = guardd.status()["time_ms"]
        wait_for(lambda: guardd.status()["time_ms"] > told, "guardd to look again", WAIT)
    postgres.signal_all(signal.SIGCONT)
    sent += len(drive(gate.port, Shop(49).many(60)))
    wait_total(postgres, sent, guardd)
    assert guardd.status()["rings"]["rejected"] == 0


def in_place(state):
    path = state / "policies" / "shop.policy"
    if not path.exists():
        return 0
    done = subprocess.run([BIN / "guard", "policy", "show", path], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"generation:? +(\d+)", done.stdout)
    return int(found.group(1)) if found else 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_another_guardd_takes_over(postgres, make, gate_of, number):
    first, second = make("a"), None
    gate_a = gate_of(first)
    traffic_a = Traffic(gate_a.port, 54)
    traffic_b = None
    try:
        learns(first)
        second = make("b")
        gate_b = gate_of(second)
        traffic_b = Traffic(gate_b.port, 55)
        wait_for(lambda: role(second) == "follower", "the follower", WAIT)
        wait_for(lambda: in_place(second.state) > 0, "the learner's policy at the follower", WAIT)
        traffic_b.wait_more(100)
        before = [in_place(first.state), in_place(second.state)]
        first.process.send_signal(number)
        begin = time.monotonic()
        learns(second)
        took = time.monotonic() - begin
        print(f"taken over after {signal.Signals(number).name}: {took:.1f} s")
        traffic_a.wait_more(100)
        wait_for(lambda: in_place(second.state) > max(before), "a newer policy", WAIT)
        if number == signal.SIGKILL:
            first.process.wait()
            first.start()
        else:
            first.process.send_signal(signal.SIGCONT)
        wait_roles(first, second)
        newest = in_place(second.state)
        wait_for(lambda: in_place(first.state) >= newest, "its gates to get what the second one learned", WAIT)
        traffic_a.wait_more(100)
    finally:
        sent = traffic_a.end() + (traffic_b.end() if traffic_b else 0)
    wait_total(postgres, sent, first, second)
    for guardd in (first, second):
        generations = [int(g) for g in re.findall(r'"event":"published".*?generation (\d+)', guardd.log())]
        assert generations == sorted(generations), generations
    assert "feed-refused" not in first.log() + second.log()
    assert "records-lost" not in first.log() + second.log()
    assert took < WAIT


def test_what_was_fed_when_the_learner_went_counts_for_who_takes_over(postgres, make, gate_of):
    """It lies in the database, not yet in the pile, and who fed it learns on of the same gate before it is merged."""
    first = make("a")
    sent = len(drive(gate_of(first).port, Shop(85).many(40)))
    learns(first)
    second = make("b")
    gate = gate_of(second)
    sent += len(drive(gate.port, Shop(88).many(40)))
    wait_for(lambda: role(second) == "follower", "the follower", WAIT)
    wait_total(postgres, sent, first, second)
    first.process.send_signal(signal.SIGSTOP)
    sent += len(drive(gate.port, Shop(86).many(40)))
    wait_for(lambda: not unfed(postgres), "it to be fed", WAIT)
    shop, after = Shop(87), []

    def taken_over():
        after.extend(drive(gate.port, shop.many(4), clients=2))
        return role(second) == "learner"
    wait_for(taken_over, "the next learner", WAIT, pause=0.1)
    after.extend(drive(gate.port, shop.many(40)))
    first.kill()
    wait_total(postgres, sent + len(after), second)


def test_what_was_let_in_as_a_release_is_let_in_by_the_next_learner(postgres, make, gate_of):
    first = make("a")
    shop, fresh = Shop(61), "/users?username=tom&coupon=summer26"
    gates = [gate_of(first)]
    drive(gates[0].port, shop.many(20))
    learns(first)
    second = make("b")
    wait_for(lambda: role(second) == "follower", "the follower", WAIT)
    gates.append(gate_of(second))
    for guardd in (first, second):
        (guardd.state / "guardians").mkdir(exist_ok=True)
        (guardd.state / "guardians" / "shop.yaml").write_text(
            "apiVersion: guard/v1alpha1\nkind: Guardian\nservice: shop\ncontrol: {mode: alert, falseAlarmBudget: 0.01}\n")

    def send(gate, number):
        client = Client(gate.port, f"127.0.{number + 1}.1")
        try:
            return client.send(shop.exchange("GET", fresh))
        finally:
            client.close()
    drive(gates[0].port, shop.many(2400), clients=40)
    wait_for(lambda: first.service().get("ready"), "the service to be ready")
    for guardd in (first, second):
        guard(guardd.state, "mode", "block", "--service", "shop")
    wait_for(lambda: first.service()["mode"] == "block", "the mode")
    wait_in_force(first, gates[0], shop)
    for gate in gates:
        wait_for(lambda: send(gate, 50) == 403, "what is new to be blocked")
    for number in range(10):
        send(gates[0], number)
    for gate in gates:
        wait_for(lambda: send(gate, 50) == 200, "it to be let in, at the follower's gate, too")
    before = in_place(second.state)
    first.kill()
    learns(second)
    wait_for(lambda: in_place(second.state) > before, "a policy of the next learner", WAIT)
    wait_in_force(second, gates[1], shop)
    assert [send(gates[1], 50) for _ in range(3)] == [200] * 3
    assert second.service()["releases"]["let_in"] == 1


def test_a_learner_that_was_replaced_saves_nothing_over_the_next_ones(postgres, make, gate_of):
    """The fence counts, not what a guardd believes: its connection lives on, and still it may not save."""
    guardd = make("a")
    gate = gate_of(guardd)
    drive(gate.port, Shop(56).many(200))
    learns(guardd)
    wait_total(postgres, 200, guardd)
    # As if another one had become the learner and saved.
    postgres.query("UPDATE guard.learner SET fence = fence + 1, node = 'other'; "
                   "UPDATE guard.service SET generation = 5000")
    drive(gate.port, Shop(57).many(50))
    # It goes on from what is stored: the other one's generation, and its own records as a feed.
    learns(guardd)
    wait_total(postgres, 250, guardd)
    wait_for(lambda: in_place(guardd.state) > 5000, "a newer policy", WAIT)
    assert int(postgres.query("SELECT min(generation) FROM guard.service")[0][0]) >= 5000


class Cutter:
    """Stands between guardd and the database, and ends a connection when a commit comes: before the database gets it, or before
    guardd gets the answer. guardd can't tell which. Or the database gets it late."""

    def __init__(self, postgres, folder):
        self.target = f"{postgres.folder}/.s.PGSQL.5432"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{folder}/.s.PGSQL.5432")
        self.listener.listen(8)
        self.url = f"postgresql://guard@/postgres?host={folder}"
        self.cut = None  # "before", "after" or "late": the next commit
        self.go_on = threading.Event()
        self.cuts = 0
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.target)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self.serve, args=(client, server), daemon=True).start()

    def serve(self, client, server):
        try:
            while True:
                for sock in select.select([client, server], [], [])[0]:
                    data = sock.recv(1 << 16)
                    if not data:
                        return
                    how = self.cut if sock is client and b"COMMIT\0" in data else None
                    if how == "before":
                        self.cut = None
                        self.cuts += 1
                        return
                    if how == "late":
                        self.cut = None
                        self.go_on.wait()
                        server.sendall(data)
                        return
                    (server if sock is client else client).sendall(data)
                    if how == "after":
                        server.recv(1 << 16)  # the answer
                        self.cut = None
                        self.cuts += 1
                        return
        except OSError:
            return
        finally:
            client.close()
            server.close()

    def close(self):
        stop_accepting(self.listener, self.thread)


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_commit_without_an_answer_is_neither_lost_nor_counted_twice(postgres, make, gate_of, tmp_path, how):
    """Nor when another guardd takes over just then, to which what isn't saved is fed."""
    first = make("a")
    sent = len(drive(gate_of(first).port, Shop(59).many(40)))
    learns(first)
    cutter = Cutter(postgres, tmp_path)
    state = tmp_path / "cut"
    (state / "keys").mkdir(parents=True)
    shutil.copy(first.state / "keys" / "policy.key", state / "keys" / "policy.key")
    second = Guardd(state, log=tmp_path / "cut.log", options=("--store", cutter.url)).start()
    gate = gate_of(second)
    try:
        for turn in range(2):  # as one who follows, and as the learner
            for i in range(4):
                cutter.cut = how
                sent += len(drive(gate.port, Shop(60 + i).many(40)))
                wait_for(lambda: cutter.cut is None, "the cut", WAIT)
                sent += len(drive(gate.port, Shop(70 + i).many(40)))
            if turn == 0:
                wait_total(postgres, sent, first, second)
                assert first.stop() == 0
                learns(second)
        # The learner's commit has no answer, and when it is back it isn't the learner any more.
        cutter.cut = how
        sent += len(drive(gate.port, Shop(80).many(40)))
        wait_for(lambda: cutter.cut is None, "the cut", WAIT)
        first.start()
        sent += len(drive(gate.port, Shop(81).many(40)))
        wait_roles(first, second)
        wait_total(postgres, sent, first, second)
        assert cutter.cuts == 9 and "feed-refused" not in first.log() + second.log()
    finally:
        assert second.stop() == 0
        cutter.close()


def test_a_commit_that_comes_after_a_kill_is_waited_for_by_the_next_one(postgres, make, gate_of, tmp_path):
    """A session may stand still with it. Where guardd is to read on is known behind it alone; else what it saved would be counted again."""
    cutter = Cutter(postgres, tmp_path)
    (tmp_path / "cut").mkdir()
    guardd = Guardd(tmp_path / "cut", log=tmp_path / "cut.log", options=("--store", cutter.url)).start()
    gate = gate_of(guardd)
    again = threading.Thread(target=guardd.start)
    try:
        sent = len(drive(gate.port, Shop(82).many(40)))
        learns(guardd)
        wait_total(postgres, sent, guardd)
        guardd.process.send_signal(signal.SIGSTOP)
        sent += len(drive(gate.port, Shop(83).many(40)))
        cutter.cut = "late"
        guardd.process.send_signal(signal.SIGCONT)
        wait_for(lambda: cutter.cut is None, "the commit", WAIT)
        guardd.kill()
        guardd.options = ("--store", postgres.url)
        again.start()
        waiting = set()

        def tried_again():
            waiting.update(map(tuple, postgres.query("SELECT pid, xact_start FROM pg_stat_activity WHERE wait_event_type = 'Lock'")))
            return len(waiting) >= 2
        wait_for(tried_again, "the next one to wait for it, longer than it waits for an answer", WAIT)
        cutter.go_on.set()
        again.join()
        sent += len(drive(gate.port, Shop(84).many(40)))
        learns(guardd)
        # All of these are read and saved: else what was counted twice would stand for them.
        wait_for(lambda: postgres.query("SELECT sequence FROM guard.position") == [[str(sent)]], "all to be read", WAIT)
        wait_total(postgres, sent, guardd)
        assert "feed-refused" not in guardd.log()
    finally:
        cutter.go_on.set()
        if again.is_alive():
            again.join()
        assert guardd.stop() == 0
        cutter.close()


def test_a_database_of_a_newer_guardd_is_refused(postgres, make):
    guardd = make("a")
    assert guardd.stop() == 0
    postgres.query("UPDATE guard.version SET number = 99")
    done = subprocess.run([BIN / "guardd", "--state", guardd.state, "--store", postgres.url], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 1 and "written by a newer guardd (version 99)" in done.stderr
    postgres.query("UPDATE guard.version SET number = 6")
    guardd.start()


def test_passwords_stay_where_they_are(tmp_path):
    done = subprocess.run([BIN / "guardd", "--state", tmp_path, "--store", "postgresql://guard:hunter2@/db"], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 1 and "hunter2" not in done.stderr and "passfile" in done.stderr


def test_a_password_comes_from_a_file(postgres, make, tmp_path):
    """With a server that wants one."""
    conf = postgres.data / "pg_hba.conf"
    trusting = conf.read_text()
    secret = tmp_path / "password"
    secret.write_text("*:*:*:keeper:hunter2\n")
    os.chmod(secret, 0o600)
    postgres.query("DROP ROLE IF EXISTS keeper; CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'hunter2'")
    conf.write_text("local all keeper scram-sha-256\n" + trusting)
    postgres.query("SELECT pg_reload_conf()")
    state = tmp_path / "kept"
    state.mkdir()
    url = postgres.url.replace("guard@", "keeper@")
    try:
        guardd = Guardd(state, log=tmp_path / "kept.log", options=("--store", f"{url}&passfile={secret}")).start()
        assert guardd.stop() == 0
        done = subprocess.run([BIN / "guardd", "--state", state, "--store", url], capture_output=True, text=True, timeout=60,
                              check=False, env={**os.environ, "PGPASSFILE": "/dev/null"})
        assert done.returncode == 1 and "hunter2" not in done.stderr + guardd.log()
    finally:
        conf.write_text(trusting)
        postgres.query("SELECT pg_reload_conf()")
