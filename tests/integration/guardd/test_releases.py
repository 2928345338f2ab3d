# SPDX-License-Identifier: Apache-2.0
"""Releases in mode block, with a real gate and guardd: what is new in a declared revision passes from its first request on, nothing
else does, no client has a say in it, and it ends by itself."""

import json
import pathlib
import re
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import wait_for  # noqa: E402
from test_guardd import GATE, Client, Guardd, drive, guard, wait_in_force  # noqa: E402
from traffic import Shop  # noqa: E402

GUARDIAN = "apiVersion: guard/v1alpha1\nkind: Guardian\nservice: shop\ncontrol: {mode: alert, falseAlarmBudget: 0.01}\n"
SERVICE = """
    server {
        listen 127.0.0.1:{port} backlog=1024;
        location = /gone { return 404; }
        location / { default_type application/json; return 200 '{"ok":true,"items":[1,2,3]NEW}'; }
    }"""
KNOWN = "/users?username=tom%27%20or%20%271%27=%271"  # an injection where the parameter is known
LIKE = "/users?username=tom&coupon=1%27%20union%20select%20password%20from%20users--"  # where it is new
FRESH = ["/users?username=tom&coupon=summer26", "/coupons?code=summer26", "/search?q=hat&limit=10&sort=price"]


class Released:
    """A gate, its guardd and a service behind it, of which all know the revision (None: nobody says one)."""

    def __init__(self, tmp_path, nginx, options=()):
        self.state = tmp_path / "state"
        self.state.mkdir()
        self.guardd = Guardd(self.state, options=options).start()
        self.service = nginx(SERVICE.replace("NEW", ""), module=None, name="service")
        self.gate = nginx(self.configuration("v1"), name="gate")
        self.shop = Shop(91)
        (self.state / "guardians" / "shop.yaml").write_text(GUARDIAN)

    def configuration(self, revision):
        text = GATE.replace("{state}", str(self.state)).replace("{back}", str(self.service.port))
        return text.replace("guard shop;", f"guard shop; guard_revision {revision};" if revision else "guard shop;")

    def learn(self, mode="block", count=2400):
        drive(self.gate.port, self.shop.many(count), clients=40)
        self.guardd.wait_exchanges(count)
        wait_for(lambda: self.guardd.service().get("ready"), "the service to be ready")
        guard(self.state, "mode", mode, "--service", "shop")
        wait_for(lambda: self.guardd.service()["mode"] == mode, "the mode")
        wait_in_force(self.guardd, self.gate, self.shop)

    def release(self, revision):
        self.service.reload(SERVICE.replace("NEW", ',"loyalty":{"points":7}'))
        self.gate.reload(self.configuration(revision))

    def get(self, target, headers=(), client=0):
        return self.each([client], target, headers)[0]

    def each(self, clients, target, headers=(), body=None):
        """The target once from each of these clients, by the numbers that drive() gives them."""
        statuses = []
        for client in clients:
            connection = Client(self.gate.port, f"127.0.{client + 1}.1")
            method = "GET" if body is None else "POST"
            statuses.append(connection.send(self.shop.exchange(method, target, headers, body)))
            connection.close()
        return statuses

    def releases(self):
        return self.guardd.service()["releases"]


@pytest.fixture
def released(tmp_path, nginx):
    made = []

    def make(*options):
        made.append(Released(tmp_path, nginx, options))
        return made[-1]

    yield make
    for one in made:
        one.guardd.stop()


def test_what_is_new_in_a_revision_is_not_blocked_and_all_else_is(released):
    it = released()
    it.learn()
    assert it.guardd.service()["revision"] == {**it.guardd.service()["revision"], "text": "v1", "new_until_ms": 0}
    wait_for(lambda: [it.get(target) for target in FRESH] == [403] * 3, "what is new to be blocked before the release")
    # No client says which revision it meets.
    for name in ("guard-revision", "x-guard-revision", "revision", "guard_revision"):
        assert it.get(FRESH[0], [(name, "v2")]) == 403
    assert it.get(FRESH[0] + "&revision=v2") == 403 and it.guardd.service()["revision"]["text"] == "v1"

    begin = time.monotonic()
    it.release("v2")
    # The first ones, before guardd can know of it.
    assert [it.get(target) for target in FRESH] == [200] * 3
    assert [it.get(KNOWN), it.get(LIKE)] == [403] * 2
    wait_for(lambda: it.guardd.service()["revision"]["text"] == "v2", "guardd to see the revision")
    wait_in_force(it.guardd, it.gate, it.shop)
    mixed = [it.shop.exchange("GET", FRESH[i % 3]) if i % 2 else it.shop.benign() for i in range(240)]
    assert set(drive(it.gate.port, mixed, clients=40)) == {200}
    assert [it.get(KNOWN), it.get(LIKE)] == [403] * 2
    assert it.guardd.service()["mode"] == "block" and it.guardd.service()["rolled_back_to"] == 0
    left = int(re.search(r"revision v2, new for (\d+) min more", guard(it.state, "status")).group(1))
    assert 360 - 1 - (time.monotonic() - begin) / 60 <= left <= 360
    wait_for(lambda: "not blocked, as the revision is new" in guard(it.state, "alerts"), "the alerts of it")

    # A restart of guardd neither begins it anew nor forgets it.
    until = it.guardd.service()["revision"]["new_until_ms"]
    it.guardd.stop()
    it.guardd.start()
    drive(it.gate.port, it.shop.many(60))
    wait_for(lambda: it.guardd.service().get("revision"), "guardd to be back")
    assert (it.guardd.service()["revision"]["text"], it.guardd.service()["revision"]["new_until_ms"]) == ("v2", until)


def test_the_newness_of_a_revision_ends_by_itself(released):
    it = released("--release-window", "5s")
    it.learn()
    it.release("v2")
    number = iter(range(100000))

    def unheard_of():
        return it.get(f"/users?username=tom&never{next(number)}=1")
    assert unheard_of() == 200
    wait_for(lambda: it.guardd.service()["revision"]["text"] == "v2", "guardd to see the revision")
    wait_for(lambda: unheard_of() == 403, "the end of it")
    assert [unheard_of() for _ in range(3)] == [403] * 3
    # Neither a reload nor the revision before begins it again.
    wait_in_force(it.guardd, it.gate, it.shop)
    it.gate.reload(it.configuration("v2"))
    assert unheard_of() == 403
    it.gate.reload(it.configuration("v1"))
    assert unheard_of() == 403
    records = [line for line in it.guardd.log().splitlines() if json.loads(line)["event"] == "revision-found"]
    assert len(records) == 2


@pytest.mark.parametrize("form,found", [("file:{state}/revision", "v7-file"), ("env:GUARD_TEST_REVISION", "v7-env"), ("v7+text:1", "v7+text:1")])
def test_where_a_revision_comes_from(released, nginx, monkeypatch, form, found):
    monkeypatch.setenv("GUARD_TEST_REVISION", "v7-env")
    it = released()
    (it.state / "revision").write_text("v7-file \nignored\n")
    other = nginx(it.configuration(form.replace("{state}", str(it.state))), name="other")
    drive(other.port, it.shop.many(20))
    wait_for(lambda: it.guardd.service().get("revision", {}).get("text") == found, "guardd to see the revision", 60)


def test_what_many_tenured_clients_begin_is_a_release_though_nobody_declares_one(released):
    it = released()
    it.gate.reload(it.configuration(None))
    it.learn()
    wait_for(lambda: it.get(FRESH[0]) == 403, "what is new to be blocked")
    # Any number of clients that weren't there before: no release.
    assert set(it.each(range(60, 90), "/botnet?code=7")) == {403}
    # Who was there, but with what reads like an attack; and too few with what doesn't.
    assert set(it.each(range(20), LIKE)) == {403}
    assert set(it.each(range(5), "/users?username=tom&few=1")) == {403}
    wait_for(lambda: it.releases()["waiting"] >= 3, "guardd to have seen all of it")
    assert it.releases() == {"let_in": 0, "waiting": 3, "refused": 0}

    assert set(it.each(range(8), FRESH[0])) == {403}
    wait_for(lambda: it.releases()["let_in"] == 1, "the release to be found")
    wait_for(lambda: it.get(FRESH[0]) == 200, "it to be let in")
    assert set(it.each(range(60, 70), FRESH[0])) == {200}
    assert set(it.each(range(60, 70), "/botnet?code=7")) == {403}
    assert [it.get(target) for target in (KNOWN, LIKE, FRESH[0] + "&sort=price", FRESH[1])] == [403] * 4
    assert "1 let in as a release" in guard(it.state, "status")
    wait_for(lambda: "not blocked, as many clients began it together" in guard(it.state, "alerts"), "the alert of it")

    # What the service refuses is no release.
    assert set(it.each(range(10), "/gone")) == {403}
    wait_for(lambda: it.releases()["let_in"] == 2, "the second one to be found")
    wait_for(lambda: it.get("/gone") == 404, "it to be let in")

    def refused():
        it.each(range(10), "/gone")
        return it.releases() == {**it.releases(), "let_in": 1, "refused": 1}
    wait_for(refused, "guardd to see that the service refuses it")
    wait_for(lambda: it.get("/gone") == 403, "it to be blocked again")
    assert set(it.each(range(20), "/gone")) == {403} and it.get(FRESH[0]) == 200


GONE = "/search?limit=10"  # without what everybody searches for
ODD = "/search?limit=10%27%20or%20%271%27=%271"
ORDER = '{"item":"hat","quantity":2,"address":{"city":"Bern","zip":"3000"},"tags":[]}'
BAD_ORDER = ORDER.replace("hat", "hat' union select password from users--")
TYPE = "application/vnd.shop.v2+json"
MOVED = 'location = /users { return 303 /accounts; }'


def changes(it, clients):
    """What a release may change, each once from each of the clients: a name that isn't sent any more, another type of a body."""
    return (it.each(clients, GONE), it.each(clients, "/orders", [("content-type", TYPE)], ORDER))


def attacks(it):
    return [it.get(ODD), *it.each([0], "/orders", [("content-type", TYPE)], BAD_ORDER),
            *it.each([0], "/orders", [("content-type", "application/octet-stream")], ORDER)]  # nobody reads what is in it


def test_what_a_revision_no_longer_sends_and_sends_otherwise_is_not_blocked(released):
    it = released()
    it.learn()
    wait_for(lambda: changes(it, [0]) == ([403], [403]), "it to be blocked before the release")
    it.service.reload(SERVICE.replace("NEW", "").replace("location = /gone", MOVED + " location = /gone"))
    assert it.get("/users?username=tom") == 403  # nobody answered so
    it.gate.reload(it.configuration("v2"))
    assert changes(it, range(3)) == ([200] * 3, [200] * 3)
    assert it.get("/users?username=tom") == 303
    assert attacks(it) == [403] * 3
    wait_for(lambda: it.guardd.service()["revision"]["text"] == "v2", "guardd to see the revision")
    wait_for(lambda: "not blocked, as the revision is new" in guard(it.state, "alerts"), "the alerts of it")
    wait_for(lambda: changes(it, [0]) == ([200], [200]) and attacks(it) == [403] * 3, "the same by guardd's word")


def test_what_many_tenured_clients_do_no_longer_or_otherwise_is_a_release(released):
    it = released()
    it.gate.reload(it.configuration(None))
    it.learn()
    wait_for(lambda: changes(it, [0]) == ([403], [403]), "it to be blocked")
    # Any number of clients that weren't there before, and too few that were.
    assert changes(it, range(60, 90)) == ([403] * 30, [403] * 30)
    assert changes(it, range(6)) == ([403] * 6, [403] * 6)
    wait_for(lambda: it.releases()["waiting"] >= 2, "guardd to have seen it")
    assert it.releases()["let_in"] == 0
    changes(it, range(6, 10))
    wait_for(lambda: it.releases()["let_in"] == 2, "both to be found")
    wait_for(lambda: changes(it, [60]) == ([200], [200]), "both to be let in")
    assert attacks(it) == [403] * 3
    assert it.get("/search?q=hat") == 403  # another name that is missing
    # A service that answers otherwise is one, too: its clients see that it does.
    it.service.reload(SERVICE.replace("NEW", "").replace("location = /gone", MOVED + " location = /gone"))
    assert set(it.each(range(7), "/users?username=tom")) == {403}
    assert it.releases()["let_in"] == 2
    it.each(range(7, 10), "/users?username=tom")
    wait_for(lambda: it.get("/users?username=tom", client=60) == 303, "the new status to be let in")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_what_was_let_in_is_let_in_after_a_restart(released, how):
    """Whether guardd ends cleanly or is killed at once when it is let in: nobody is blocked for it again, nothing else passes."""
    it = released()
    it.gate.reload(it.configuration(None))
    it.learn()
    wait_for(lambda: it.get(FRESH[0]) == 403, "what is new to be blocked")
    assert set(it.each(range(6), "/users?username=tom&few=1")) == {403}
    wait_for(lambda: it.releases()["waiting"] == 2, "guardd to have seen both")
    assert set(it.each(range(8), FRESH[0])) == {403}
    wait_for(lambda: it.get(FRESH[0]) == 200, "it to be let in")
    before = it.guardd.service()["generation"]
    getattr(it.guardd, how)()
    it.guardd.start()
    wait_for(lambda: it.guardd.service()["generation"] > before, "a generation after the restart")
    wait_in_force(it.guardd, it.gate, it.shop)
    assert set(it.each(range(60, 70), FRESH[0])) == {200}
    assert [it.get(KNOWN), it.get(FRESH[1]), it.get("/users?username=tom&few=1", client=50)] == [403] * 3
    # What waited waits on: two more make eight of those six.
    assert it.releases() == {"let_in": 1, "waiting": it.releases()["waiting"], "refused": 0}
    it.each((6, 7), "/users?username=tom&few=1")
    wait_for(lambda: it.get("/users?username=tom&few=1", client=50) == 200, "the second one to be let in")

    # What guardd forgets is blocked again, also after another restart.
    guard(it.state, "forget", "--service", "shop", "--reason", "test")
    wait_for(lambda: it.releases()["let_in"] == 0, "guardd to forget it")
    it.guardd.stop()
    it.guardd.start()
    wait_for(lambda: "releases" in it.guardd.service(), "guardd to be back")
    assert it.releases()["let_in"] == 0


def test_no_number_of_clients_teaches_without_bound_at_once(released):
    it = released()
    it.learn(mode="alert", count=6000)
    wait_for(lambda: any(kept["exchanges"] >= 5000 for kept in it.guardd.service()["generations"]), "a generation that is kept")
    number = iter(range(100000))

    def held():
        """Sixty new names, by clients that were there before, in epoch after epoch."""
        new = [it.shop.exchange("GET", f"/users?username=tom&new{i}=1") for _ in range(6) for i in range(60)]
        it.shop.random.shuffle(new)
        drive(it.gate.port, new + it.shop.many(300 + next(number)), clients=40)
        return it.guardd.service()["growth"]["held"] > 0
    wait_for(held, "growth to be held")
    growth = it.guardd.service()["growth"]
    assert growth["grown"] <= max(16, growth["trusted"] // 4)
    assert growth["first_held"][0]["name"].startswith("new") and len(growth["first_held"][0]["id"]) == 12
    assert "GROWTH HELD" in guard(it.state, "status")
    assert sum(json.loads(line)["event"] == "growth-held" for line in it.guardd.log().splitlines()) == 1

    # People let in what they know.
    def listed():
        first, text = it.guardd.service()["growth"]["first_held"][0], guard(it.state, "review")
        return first["id"] in text and "its turn: too much is new at once" in text and first
    it_is = wait_for(listed, "it to be listed")
    guard(it.state, "review", "accept", it_is["id"], "--by", "tom", "--why", "the new form")
    wait_for(lambda: it_is["id"] not in [held["id"] for held in it.guardd.service()["growth"]["first_held"]], "it to be let in")
    assert it.guardd.service()["growth"]["held"] > 0

    # A restart doesn't let it in.
    it.guardd.stop()
    it.guardd.start()
    drive(it.gate.port, it.shop.many(60))
    wait_for(lambda: "growth" in it.guardd.service() and it.guardd.service()["growth"]["held"] > 0, "it to be held again")
