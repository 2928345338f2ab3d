# SPDX-License-Identifier: Apache-2.0
"""`guard` from elsewhere: guardd behind the shipped nginx, with TLS, tokens and certificates. What a verb says there is byte by byte what it
says on the files."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "outputs"))
from fronted import Certificates, Front  # noqa: E402
from receivers import Webhook, write_outputs  # noqa: E402
from servers import stop_accepting  # noqa: E402
from talking import Api, wait_for  # noqa: E402
import test_review  # noqa: E402
from test_api_reading import ATTACK, learn  # noqa: E402
from test_guardd import BIN, GATE, Guardd, drive, gate, guard  # noqa: E402, F401
from traffic import Shop  # noqa: E402


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.issue("bob", "/O=shop/CN=bob")
    made.authority("other")
    made.issue("forged", "/O=shop/CN=bob", "other")
    return made


@pytest.fixture
def guardd(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    daemon = Guardd(state, options=["--api-front", "on"]).start()
    yield daemon
    daemon.stop()


@pytest.fixture
def api(guardd):
    return Api(guardd.state).ready()


class Remote:
    """A user elsewhere: a home of their own, no state directory."""

    def __init__(self, guardd, front, certificates, home):
        self.guardd, self.front, self.certificates, self.home = guardd, front, certificates, home
        self.url = f"https://127.0.0.1:{front.nginx.port}"
        self.temporary = home / "tmp"
        self.temporary.mkdir(parents=True)
        self.tokens = {}

    def token_file(self, role, *options):
        if role not in self.tokens:
            path = self.home / f"{role}.token"
            path.write_text(guard(self.guardd.state, "token", "add", f"u-{role}", "--role", role, *options))
            path.chmod(0o600)
            self.tokens[role] = path
        return self.tokens[role]

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_") and not name.startswith("XDG_")}
        return {**kept, "HOME": str(self.home), "TMPDIR": str(self.temporary), "GUARD_STATE": "/nonexistent", **more}

    def place(self, role):
        return ["--server", self.url, "--ca", str(self.certificates.path("ca")), "--token-file", str(self.token_file(role))]

    def call(self, *arguments, role="viewer", place=None, status=0, **environment):
        """What it printed: on standard output when it succeeds."""
        options = self.place(role) if place is None else place
        done = subprocess.run([BIN / "guard", *map(str, arguments), *map(str, options)], capture_output=True, timeout=240, check=False,
                              env=self.environment(**environment))
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        assert not list(self.temporary.iterdir()), "nothing stays of what was fetched"
        return (done.stdout if status == 0 else done.stderr).decode()


@pytest.fixture
def remote(guardd, api, nginx, certificates, tmp_path):
    token = guard(guardd.state, "token", "add", "nginx", "--role", "front").strip()
    front = Front(nginx, guardd.state, certificates, token)
    yield Remote(guardd, front, certificates, tmp_path / "home")
    front.close()


def alerts(state):
    lines = (state / "alerts.jsonl").read_text().splitlines() if (state / "alerts.jsonl").exists() else []
    return [json.loads(line) for line in lines]


def test_every_verb_says_the_same_as_on_files(guardd, gate, remote, tmp_path):
    shop = Shop(903)
    state = guardd.state
    test_review.learn(guardd, gate, shop)
    test_review.novelties(gate, shop, "/new{}")
    test_review.set_mode(guardd, gate, shop, "block")
    test_review.wait_listed(guardd, "path", "element")
    drive(gate.port, [shop.exchange("GET", ATTACK)])
    wait_for(lambda: len(alerts(state)) >= 2, "alerts")
    ident = alerts(state)[0]["id"]

    def settled():
        """Nothing changes any more between two looks."""
        before = (state / "alerts.jsonl").read_bytes(), (state / "piles/shop.pile").read_bytes(), guardd.service()
        subprocess.run(["sleep", "3"], check=True)
        return before == ((state / "alerts.jsonl").read_bytes(), (state / "piles/shop.pile").read_bytes(), guardd.service())
    wait_for(settled, "guardd to have learned all", 120)
    assert remote.call("triage", ident, "false", "--reason", "it was me", role="operator").startswith("false: ")
    said = json.loads((state / "triage.jsonl").read_text().splitlines()[-1])
    assert (said["state"], said["by"], said["reason"]) == ("false", "u-operator", "it was me")

    verbs = [("mode", "--service", "shop"), ("learning", "--service", "shop"), ("alerts",), ("alerts", "--format", "jsonl"),
             ("alerts", "--format", "ecs"), ("alerts", "--service", "shop"), ("alerts", "--id", ident), ("explain", ident),
             ("show", "--service", "shop"), ("show", "--service", "shop", "--format", "json"), ("review",), ("review", "--format", "jsonl"), ("review", "--service", "shop"),
             ("export", "openapi", "--service", "shop"), ("export", "openapi", "--service", "shop", "--format", "json", "--pending"),
             ("export", "guardian", "--service", "shop"), ("rollback", "shop")]
    for verb in verbs:
        assert remote.call(*verb) == guard(state, *verb), verb
    assert "segment new" in remote.call("review")
    assert "[false]" in remote.call("alerts") and "it was me" in remote.call("explain", ident)
    # Counts of these move on by themselves, and those of clients are written to the file now and then only.
    for verb in (("status",), ("status", "--format", "json"), ("clients", "shop"), ("clients",)):
        texts = [re.sub(r"[0-9]+|(?<=shop: mode )[a-z]+", "N", text) for text in (remote.call(*verb), guard(state, *verb))]
        assert texts[0] == texts[1], verb
    reviews = tmp_path / "remote.json", tmp_path / "files.json"
    assert remote.call("export", "guardian", "--service", "shop", "--reviews", reviews[0]) == guard(
        state, "export", "guardian", "--service", "shop", "--reviews", reviews[1])
    assert reviews[0].read_bytes() == reviews[1].read_bytes()
    kept = wait_for(lambda: guardd.service().get("generations"), "a generation that is kept")
    assert "no difference" in remote.call("diff", "--service", "shop", kept[0]["generation"], kept[0]["generation"])


def test_changes_are_told_as_on_files_and_need_their_right(guardd, gate, remote, tmp_path):
    shop = Shop(904)
    state = guardd.state
    test_review.learn(guardd, gate, shop)
    test_review.novelties(gate, shop, "/new{}")
    test_review.set_mode(guardd, gate, shop, "alert")
    ident = next(iter(test_review.wait_listed(guardd, "path", "element").values()))["id"]
    for verb in (("mode", "block", "--service", "shop"), ("learning", "paused", "--service", "shop"),
                 ("bypass", "shop", "--for", "1m", "--reason", "x"), ("review", "accept", ident, "--why", "new in spring"),
                 ("rollback", "shop", "--end"), ("clients", "lift", "shop", "192.0.2.77", "--reason", "x")):
        assert "the right to operate" in remote.call(*verb, role="viewer", status=1), verb
    guardian = tmp_path / "shop.yaml"
    guardian.write_text(guard(state, "export", "guardian", "--service", "shop").replace("mode: alert", "mode: observe"))
    assert "the right to administer" in remote.call("import", "guardian", guardian, role="operator", status=1)
    assert remote.call("learning", "paused", "--service", "shop", role="operator") == "shop: learning on -> paused\n"
    wait_for(lambda: remote.call("learning", "--service", "shop") == "paused\n", "the pause")
    assert guard(state, "learning", "on", "--service", "shop") == "shop: learning paused -> on\n"
    accepted = remote.call("review", "accept", ident, "--why", "new in spring", role="operator")
    assert accepted.startswith(f"shop: accept {ident} ")
    assert json.loads((state / "reviews/shop.json").read_text())["decisions"][0]["by"] == "u-operator"
    wait_for(lambda: remote.call("review") == guard(state, "review"), "the decision to be known")
    assert "nothing has the id 0123456789ab" in remote.call("review", "reset", "0123456789ab", role="operator", status=1)
    assert "--by is for files" in remote.call("review", "reset", ident, "--by", "x", role="operator", status=2)
    for place in ([], ["--state", state]):
        said = remote.call("clients", "lift", "shop", "192.0.2.77", "--for", "2h", "--reason", "the auditor", role="operator",
                           place=place or None)
        assert said == "shop: 192.0.2.0/24 isn't blocked by how it behaves for 7200 s\n"
        kept = json.loads((state / "clients/shop.lifts").read_text())["lifts"]
        assert [(lift["client"], lift["reason"]) for lift in kept] == [("192.0.2.0/24", "the auditor")]
        if not place:
            assert kept[0]["by"] == "u-operator"
    dry = remote.call("clients", "block", "shop", "192.0.2.77", "--for", "2h", "--dry-run", role="operator")
    assert dry == "shop: 192.0.2.0/24 would be blocked for 7200 s\n  it wasn't seen lately, or isn't counted\n"
    assert "the right to operate" in remote.call("clients", "block", "shop", "192.0.2.77", "--reason", "x", role="viewer", status=1)
    assert "is too wide" in remote.call("clients", "block", "shop", "192.0.0.0/16", "--reason", "x", role="operator", status=2)
    said = remote.call("clients", "block", "shop", "192.0.2.77", "--reason", "no & auditor", role="operator")
    assert said.startswith("shop: 192.0.2.0/24 is blocked for 3600 s\n")
    kept = json.loads((state / "clients/shop.lifts").read_text())
    assert [(one["client"], one["reason"], one["by"]) for one in kept["blocks"]] == [("192.0.2.0/24", "no & auditor", "u-operator")]
    assert kept["lifts"] == [], "the last word on a client counts"
    said = remote.call("clients", "unblock", "shop", "192.0.2.77", "--reason", "a & b", role="operator")
    assert said == "shop: 192.0.2.0/24 isn't blocked by hand any more\n"
    assert json.loads((state / "clients/shop.lifts").read_text())["blocks"] == []
    assert json.loads((state / "audit.jsonl").read_text().splitlines()[-1])["reason"] == "a & b"
    # What an import would change is told alike, and it is refused when somebody was faster.
    dry = guard(state, "import", "guardian", guardian, "--dry-run")
    assert "observe" in dry and "nothing was changed yet" in dry
    assert remote.call("import", "guardian", guardian, "--dry-run") == dry
    done = remote.call("import", "guardian", guardian, "--reason", "for Ann & Bob", role="admin")
    assert done == dry.replace("nothing was changed yet", "in place")
    assert guard(state, "mode", "--service", "shop") == "observe\n"
    audited = [json.loads(line) for line in (state / "audit.jsonl").read_text().splitlines()]
    assert any(line["action"] == "guardian" and line["reason"] == "for Ann & Bob" and line["by"] == "u-admin" for line in audited)
    # Decisions of people go along: what would change is told alike, and who brought them is audited.
    reviews = tmp_path / "reviews.json"
    guard(state, "export", "guardian", "--service", "shop", "--reviews", reviews)
    guard(state, "review", "reset", ident)
    imported = ("import", "guardian", guardian, "--reviews", reviews)
    dry = guard(state, *imported, "--dry-run")
    assert "+ review: accept " in dry
    wait_for(lambda: remote.call(*imported, "--dry-run") == dry, "the server to know that the decision is gone")
    assert "the right to operate" in remote.call(*imported, role="viewer", status=1)
    done = remote.call(*imported, "--reason", "from the other shop", role="operator")
    assert done == dry.replace("nothing was changed yet", "in place")
    kept = json.loads((state / "reviews/shop.json").read_text())["decisions"]
    assert [(entry["by"], entry["why"]) for entry in kept] == [("u-operator", "new in spring")]
    newest = json.loads((state / "audit.jsonl").read_text().splitlines()[-1])
    assert (newest["action"], newest["by"], newest["reason"]) == ("review", "u-operator", "from the other shop")
    wait_for(lambda: "nothing changes" in remote.call(*imported, role="operator"), "the server to know of it")


def test_tokens_forgetting_and_outputs_are_the_same_elsewhere(guardd, gate, remote, tmp_path):
    state = guardd.state
    test_review.learn(guardd, gate, Shop(905))
    # Who may use the API.
    assert remote.call("token", "list", role="admin") == guard(state, "token", "list")
    for role in ("viewer", "operator"):
        assert "the right to administer" in remote.call("token", "list", role=role, status=1)
    secret = remote.call("token", "add", "ann", "--role", "operator", "--service", "sh*", "--expires", "1h", "--reason", "on call",
                         role="admin").strip()
    assert re.fullmatch(r"guard_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", secret)
    assert remote.call("token", "add", "bob", "--role", "viewer", "--subject", "CN=bob,O=shop", role="admin") == ""
    assert remote.call("token", "list", role="admin") == guard(state, "token", "list")
    assert "there is such a token already" in remote.call("token", "add", "ann", "--role", "viewer", role="admin", status=1)
    assert "secret" not in (state / "audit.jsonl").read_text() and secret not in (state / "audit.jsonl").read_text()
    held = tmp_path / "ann.token"
    held.write_text(secret)
    held.chmod(0o600)
    place = ["--server", remote.url, "--ca", str(remote.certificates.path("ca")), "--token-file", str(held)]
    wait_for(lambda: remote.call("mode", "--service", "shop", place=place), "the token to be known")
    assert "all services" in remote.call("outputs", "list", place=place, status=1)
    assert remote.call("token", "remove", "ann", "--reason", "no longer", role="admin") == ""
    wait_for(lambda: "401" in remote.call("mode", "--service", "shop", place=place, status=1) or True, "its end")
    remote.call("mode", "--service", "shop", place=place, status=1)
    assert "there is no such token" in remote.call("token", "remove", "ann", role="admin", status=1)
    actions = [json.loads(line) for line in (state / "audit.jsonl").read_text().splitlines()]
    assert [line["after"][:12] for line in actions if line["action"] == "token" and line["by"] == "u-admin"] == [
        "ann operator", "bob viewer C", "removed"]
    # Whoever administers one service only gives nothing away.
    part = tmp_path / "part.token"
    part.write_text(guard(state, "token", "add", "part", "--role", "admin", "--service", "shop"))
    part.chmod(0o600)
    place = place[:-1] + [str(part)]
    wait_for(lambda: remote.call("mode", "--service", "shop", place=place), "the token to be known")
    assert "all services" in remote.call("token", "add", "eve", "--role", "admin", place=place, status=1)
    assert "administers all of them" in remote.call("forget", "--client", "192.0.2.1", "--dry-run", place=place, status=1)
    # Forgetting.
    asked = ("forget", "--client", "192.0.2.1", "--service", "shop")
    assert remote.call(*asked, "--dry-run", role="admin") == guard(state, *asked, "--dry-run")
    assert "the right to administer" in remote.call(*asked, "--reason", "asked to", role="operator", status=1)
    done = remote.call(*asked, "--reason", "asked to", role="admin")
    assert done.startswith("dropped:\n") and "not dropped:" in done
    newest = json.loads((state / "audit.jsonl").read_text().splitlines()[-1])
    assert (newest["action"], newest["by"], newest["reason"]) == ("forget", "u-admin", "asked to") and "192.0.2" not in newest["after"]
    assert "no service of this name" in remote.call("forget", "--service", "nope", "--reason", "x", role="admin", status=1)
    # Outputs.
    assert remote.call("outputs", "list") == guard(state, "outputs", "list") == "no outputs\n"
    server = Webhook()
    try:
        write_outputs(state, [{"name": "siem", "type": "webhook", "url": f"http://127.0.0.1:{server.port}/hooks", "actions": ["block"], "services": ["shop"]}])
        wait_for(lambda: "siem" in remote.call("outputs", "list"), "the output")
        assert remote.call("outputs", "check") == guard(state, "outputs", "check")
        assert remote.call("outputs", "test", "siem", role="operator") == "siem: the test has arrived\n"
        assert "the right to operate" in remote.call("outputs", "test", "siem", role="viewer", status=1)
        assert "there is no such output" in remote.call("outputs", "test", "other", role="operator", status=1)
        wait_for(lambda: remote.call("outputs", "list") == guard(state, "outputs", "list"), "the same list")
    finally:
        server.close()
    # Who changed what.
    assert remote.call("audit", "--limit", "1000", role="admin") == guard(state, "audit", "--limit", "1000")
    assert remote.call("audit", "--action", "token", "--format", "jsonl", role="admin") == guard(
        state, "audit", "--action", "token", "--format", "jsonl")
    of_shop = remote.call("audit", "--service", "shop")
    assert of_shop == guard(state, "audit", "--service", "shop") and "forget of shop (api)" in of_shop
    assert "the right to administer" in remote.call("audit", role="viewer", status=1)
    # What if.
    log = tmp_path / "access.log"
    log.write_text('192.0.2.9 - - [27/Nov/2026:05:20:11 +0000] "GET /users?username=%27%20or%201=1 HTTP/1.1" 200 12 "-" "x"\n')
    said = remote.call("whatif", "--service", "shop", "--mode", "observe", log)
    assert said == guard(state, "whatif", "--service", "shop", "--mode", "observe", log)


def test_only_who_is_known_and_only_to_whom_is_known(guardd, remote, certificates, tmp_path):
    ca, url = certificates.path("ca"), remote.url
    (guardd.state / "guardians").mkdir(exist_ok=True)
    token = remote.token_file("viewer")
    assert "a token is needed" in remote.call("status", place=["--server", url, "--ca", ca], status=1)
    for place in (["--server", url, "--token-file", token],                                               # nobody vouches for it
                  ["--server", url, "--ca", certificates.path("other"), "--token-file", token],
                  ["--server", url.replace("127.0.0.1", "localhost"), "--ca", ca, "--token-file", token]):  # it isn't who is asked for
        told = remote.call("status", place=place, status=1)
        assert "certificate" in told or "SSL" in told, told
    # A certificate instead of a token.
    bob = ["--cert", certificates.path("bob"), "--key", certificates.path("bob", "key")]
    assert remote.call("status", place=["--server", url, "--ca", ca, *bob], status=1)
    guard(guardd.state, "token", "add", "bob", "--role", "viewer", "--subject", "CN=bob,O=shop")
    assert remote.call("status", place=["--server", url, "--ca", ca, *bob]).startswith("rings: ")
    forged = ["--cert", certificates.path("forged"), "--key", certificates.path("forged", "key")]
    assert "what answers isn't guardd (status 400)" in remote.call("status", place=["--server", url, "--ca", ca, *forged], status=1)
    # Files that others may read, and halves.
    loose = tmp_path / "loose"
    loose.write_bytes(token.read_bytes())
    loose.chmod(0o640)
    assert "others may read it" in remote.call("status", place=["--server", url, "--ca", ca, "--token-file", loose], status=2)
    loose.write_bytes(certificates.path("bob", "key").read_bytes())
    assert "others may read it" in remote.call("status", place=["--server", url, "--ca", ca, *bob[:3], loose], status=2)
    assert "belong together" in remote.call("status", place=["--server", url, *bob[:2]], status=2)
    for server in ("http://198.51.100.1", "http://localhost.example", "http://127.1.1.1.example:80", "ftp://x", "https://", "unix:",
                   "https://a/../b", "https://u:p@h", "http://127.0.0.1@198.51.100.1"):
        remote.call("status", place=["--server", server, "--token-file", token], status=2)
    assert "--insecure-http" in remote.call("status", place=["--server", "http://198.51.100.1"], status=2)
    assert "one of them" in remote.call("status", place=["--server", url, "--state", guardd.state], status=2)
    assert "are for --server" in remote.call("status", place=["--ca", ca], status=2)


def test_contexts_name_servers_and_hold_no_secrets(guardd, remote, certificates):
    ca, token = certificates.path("ca"), remote.token_file("viewer")
    kept = remote.home / ".config/guard/contexts.yaml"
    free = {"GUARD_STATE": ""}

    def context(*arguments, status=0, **environment):
        return remote.call("context", *arguments, place=[], status=status, **environment)
    assert context("list") == "no contexts\n"
    context("add", "front", "--server", remote.url + "/", "--ca", ca, "--token-file", token)
    context("add", "local", "--server", f"unix:{guardd.state}/api.sock")
    assert kept.stat().st_mode & 0o777 == 0o600 and kept.parent.stat().st_mode & 0o077 == 0
    assert token.read_text().strip() not in kept.read_text() and str(token) in kept.read_text()
    assert "there is one of this name" in context("add", "front", "--server", "unix:/x", status=1)
    assert "no context" in context("use", "nowhere", status=1) and "no context" in context("rm", "nowhere", status=1)
    whole = remote.call("status")
    for options, more in ((["--context", "front"], {}), ([], {"GUARD_CONTEXT": "front"}), (["--context", "local"], {}),
                          (["--context", "local"], {"GUARD_SERVER": "unix:/nonexistent"}),
                          ([], {"GUARD_SERVER": f"unix:{guardd.state}/api.sock", "GUARD_CONTEXT": "nowhere"})):
        assert remote.call("status", place=options, **more) == whole, (options, more)
    # Without any of these the files count, until a context is in use; a state directory that is named comes before that.
    assert "/var/lib/guard" in remote.call("mode", "--service", "x", place=[], status=1, **free)
    context("use", "front")
    assert remote.call("status", place=[], **free) == whole
    assert "/nonexistent" in remote.call("mode", "--service", "x", place=[], status=1)
    assert remote.call("status", place=["--state", guardd.state], **free) == whole
    assert context("list").splitlines()[0] == f"* front                {remote.url}/"
    assert "(in use)" in context("show") and str(ca) in context("show", "front")
    # The token of the environment isn't for contexts.
    context("add", "bare", "--server", remote.url, "--ca", ca)
    secret = token.read_text().strip()
    assert "a token is needed" in remote.call("status", place=["--context", "bare"], status=1, GUARD_TOKEN=secret)
    assert remote.call("status", place=["--server", remote.url, "--ca", ca], GUARD_TOKEN=secret) == whole
    assert remote.call("status", place=["--server", remote.url, "--ca", ca], GUARD_TOKEN_FILE=str(token)) == whole
    for verb in (("store", "check"), ("backup", "/x")):
        assert "works on files only" in remote.call(*verb, place=[], status=2, **free), verb
    remote.call("token", "list", place=["--state", guardd.state], **free)
    assert "works on files only" in remote.call("learn", "x", place=["--context", "front"], status=2)
    context("rm", "front")
    assert "no context is in use" in context("show", status=1)
    for text, where in (("current: x\n", "1:10: names no context"), ("contexts:\n- name: a\n  servr: unix:/x\n", "3:3: there is no such member"),
                        ("contexts:\n- name: a\n", "2:3: server: is needed"), ("contexts: [\n", "contexts.yaml:"), ("contexts: 5\n", "1:11")):
        kept.write_text(text)
        told = context("list", status=1)
        assert f"{kept}:" in told and where in told, told
    kept.chmod(0o666)
    assert "others may write it" in context("list", status=1)


class Lines:
    """What a command prints while it runs."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        self.got = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.got.append(line.decode().rstrip("\n"))

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        told = self.process.stderr.read().decode()
        self.process.wait(60)
        self.reader.join(60)
        return told


def test_following_goes_on_where_it_was(guardd, remote, certificates):
    """Across restarts of guardd, while alerts are written: each alert once, in order."""
    state = guardd.state
    (state / "alerts.jsonl").write_text("".join(alert(n) for n in range(230)))
    follower = Lines([BIN / "guard", "alerts", "--follow", "--format", "jsonl", *remote.place("viewer")], remote.environment())
    elsewhere = Lines([BIN / "guard", "alerts", "--follow", "--service", "other", *remote.place("viewer")], remote.environment())
    written = 230

    def more(count):
        nonlocal written
        with open(state / "alerts.jsonl", "a", encoding="ascii") as file:
            for _ in range(count):
                file.write(alert(written))
                file.flush()
                written += 1
    try:
        wait_for(lambda: len(follower.got) == 230, "what there was, of three pages", 60)
        more(3)
        wait_for(lambda: len(follower.got) == written, "what is new", 60)
        for kill in (False, True):
            guardd.kill() if kill else guardd.stop()
            more(4)
            guardd.start()
            more(3)
            wait_for(lambda: len(follower.got) >= written, "what came meanwhile", 60)
        numbers = [json.loads(line)["time_ms"] for line in follower.got]
        assert numbers == [BEGIN_MS + n for n in range(written)]
        assert not elsewhere.got
    finally:
        told = follower.end(), elsewhere.end(signal.SIGINT)
    assert not any("no longer kept" in text for text in told), told
    assert not list(remote.temporary.iterdir()), "signals leave nothing behind"


BEGIN_MS = int(time.time() * 1000)  # what is old is dropped


def alert(n):
    return json.dumps({"time_ms": BEGIN_MS + n, "generation": 1, "status": 403, "score": 1.5, "id": f"{n:032x}", "service": "shop",
                       "verdict": "block", "action": "block", "method": "GET", "template": "/", "client": "127.0.1.0/24",
                       "explanation": "x", "findings": [], "suppressed": 0, "count": 1, "first_ms": BEGIN_MS + n, "last_ms": BEGIN_MS + n},
                      separators=(",", ":")) + "\n"


class Hostile:
    """A server that answers whatever comes with the same, and remembers what came."""

    def __init__(self, answer):
        self.answer = answer
        self.seen = []
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.sock.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                client, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        with client, contextlib.suppress(OSError):
            self.seen.append(client.recv(65536))
            for piece in self.answer():
                client.sendall(piece)

    def close(self):
        stop_accepting(self.sock, self.thread)


def whole(body, kind="application/json", status="200 OK", *headers):
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return [("\r\n".join(head) + "\r\n\r\n").encode() + body]


def endless(kind, piece=b"x" * 65536):
    yield f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode()
    while True:
        yield piece


def endless_head():
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        yield b"X-More: " + b"y" * 1000 + b"\r\n"


JSON = "application/json"
ANSWERS = {
    "nothing": lambda: [], "garbage": lambda: [os.urandom(4096)], "no-json": lambda: whole(b"<html>"), "half": lambda: whole(b'{"services":['),
    "list": lambda: whole(b"[]"), "text": lambda: whole(b'"x"'), "wrong-type": lambda: whole(b"{}", "text/html"),
    "no-type": lambda: whole(b"{}", ""), "deep": lambda: whole(b"[" * 100000), "nul": lambda: whole(b'{"a":"\\u0000","services":"\\u0000"}'),
    "long": lambda: whole(b'{"services":"' + b"x" * (6 << 20) + b'"}'),
    "endless": lambda: endless(JSON), "endless-binary": lambda: endless("application/octet-stream"),
    "endless-stream": lambda: endless("text/event-stream"), "endless-head": endless_head,
    "short": lambda: [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{}"],
    "many-pages": lambda: whole(json.dumps({"alerts": [], "triage": [], "services": [], "verdicts": [], "next": "again"}).encode()),
    "names": lambda: whole(json.dumps({"services": [{"service": "../../x"}], "alerts": [], "triage": [], "next": None}).encode()),
    "control": lambda: whole(json.dumps({"detail": "\x1b[2J", "field": "\x1b]0;x"}).encode(), "application/problem+json", "422 No"),
    "problem": lambda: whole(b"<>", "application/problem+json", "500 No"), "busy": lambda: whole(b"", "text/html", "503 Busy", "Retry-After: 4000000000"),
    "interim": lambda: [b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + whole(b"{}")[0]], "nothing-at-all": lambda: whole(b""),
    "no-content": lambda: [b"HTTP/1.1 204 No Content\r\n\r\n"], "teapot": lambda: whole(b"", status="999 X"),
}
VERBS = [("status",), ("mode", "block", "--service", "shop"), ("alerts", "--follow"), ("triage", "1", "true"), ("show", "--service", "shop"),
         ("review",), ("export", "guardian", "--service", "shop"), ("diff", "1", "2", "--service", "shop")]


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_a_server_answers_the_command_ends(name, tmp_path):
    """Each verb, by a program that sanitizers watch when the build has them."""
    hostile = Hostile(ANSWERS[name])
    environment = {**os.environ, "TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": "", "GUARD_STATE": "", "HOME": str(tmp_path)}
    try:
        for verb in VERBS:
            done = subprocess.run([BIN / "guard", *verb, "--server", hostile.url], capture_output=True, timeout=120, check=False, env=environment)
            assert done.returncode in (0, 1) and b"Sanitizer" not in done.stderr, (verb, done.returncode, done.stderr)
            assert b"\x1b" not in done.stdout + done.stderr, (verb, done.stdout, done.stderr)
            if name not in ("interim", "nul", "many-pages", "names"):
                assert done.returncode == 1 and done.stderr and not done.stdout, (verb, done.stdout, done.stderr)
            if name == "long" and verb[0] == "status":
                assert b"the answer is too long" in done.stderr
            assert not list(tmp_path.iterdir())
    finally:
        hostile.close()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent", "300 Choices"])
def test_a_token_goes_nowhere_else(status, tmp_path):
    other = Hostile(lambda: whole(b"{}"))
    hostile = Hostile(lambda: whole(b"", "text/html", status, f"Location: {other.url}/api/v1/status"))
    token = tmp_path / "token"
    token.write_text("guard_" + "0" * 16 + "_" + "A" * 43 + "\n")
    token.chmod(0o600)
    environment = {**os.environ, "HOME": str(tmp_path), "http_proxy": other.url, "https_proxy": other.url, "ALL_PROXY": other.url}
    try:
        done = subprocess.run([BIN / "guard", "status", "--server", hostile.url + "/pre/fix/", "--token-file", token], capture_output=True,
                              text=True, timeout=120, check=False, env=environment)
        assert done.returncode == 1 and "that isn't followed" in done.stderr, done.stderr
        assert len(hostile.seen) == 1 and hostile.seen[0].startswith(b"GET /pre/fix/api/v1/status HTTP/1.1\r\n")
        assert b"Authorization: Bearer guard_0" in hostile.seen[0] and not other.seen
    finally:
        hostile.close()
        other.close()


def test_an_import_replaces_what_it_was_compared_with(tmp_path):
    """And nothing that somebody else wrote meanwhile: the server is told which one was seen."""
    text = "apiVersion: guard/v1alpha1\nkind: Guardian\nservice: shop\ncontrol:\n  mode: {}\n"
    guardian = tmp_path / "new.yaml"
    guardian.write_text(text.format("block"))

    def answer():
        if hostile.seen[-1].startswith(b"GET"):
            return whole(text.format("alert").encode(), "application/yaml", "200 OK", 'ETag: "seen-yaml"')
        return whole(b'{"detail":"the document in place is another one: read it again","field":"If-Match"}', "application/problem+json",
                     "412 Precondition Failed")
    hostile = Hostile(answer)
    try:
        done = subprocess.run([BIN / "guard", "import", "guardian", guardian, "--reason", "a b", "--server", hostile.url], capture_output=True,
                              text=True, timeout=120, check=False, env={**os.environ, "HOME": str(tmp_path)})
        assert done.returncode == 1 and "If-Match: the document in place is another one" in done.stderr, done
        assert "in place" not in done.stdout
        put = hostile.seen[-1].decode()
        assert put.startswith("PUT /api/v1/services/shop/guardian?reason=a%20b HTTP/1.1") and 'If-Match: "seen-yaml"\r\n' in put
    finally:
        hostile.close()
