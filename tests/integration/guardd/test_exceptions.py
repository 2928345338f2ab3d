# SPDX-License-Identifier: Apache-2.0
"""Exceptions in a real gate behind a real guardd: a false alarm that is let pass and told, until it ends, also when guardd is dead; a
mandatory patch and what another scope covers block all the same; over the API with the command line's verbs."""

import datetime
import json
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
import talking  # noqa: E402
from harness import BIN, wait_for  # noqa: E402
from test_guardd import Guardd  # noqa: E402
from test_patches_enforced import GATE  # noqa: E402

GUARDIAN = """# written by hand
service: shop
control: {mode: block}
configured:
  endpoints:
  - path: /search
    parameters:
    - {in: query, name: q, characters: [lower]}
    - {in: query, name: n, types: [int]}
patches:
- {id: soft, mode: enforce, when: {in: header, names: x-a, contains: evil}}
- {id: hard, mode: enforce, mandatory: true, when: {in: header, names: x-b, contains: evil}}
"""
ALARM = ("/search?q=O'Neil",)
SOFT = ("/", "-H", "X-A: evil")
HARD = ("/", "-H", "X-B: evil")


def guard(world, *arguments, check=True):
    return subprocess.run([BIN / "guard", "exception", *arguments, "--service", "shop"], capture_output=True, text=True, check=check)


class World:
    def __init__(self, folder, nginx):
        self.state = folder / "state"
        (self.state / "guardians").mkdir(parents=True)
        self.guardian = self.state / "guardians" / "shop.yaml"
        self.guardian.write_text(GUARDIAN)
        self.daemon = Guardd(self.state).start()
        wait_for((self.state / "policies" / "shop.policy").exists, "a policy")
        self.gate = nginx(GATE.replace("{state}", str(self.state)))
        wait_for(lambda: self.status(ALARM) == 403, "the false alarm")

    def status(self, request):
        return self.gate.curl(*request).status

    def add(self, *arguments, check=True):
        return guard(self, "add", *arguments, "--state", str(self.state), "--reason", "names have apostrophes", check=check)

    def all_alerts(self):
        path = self.state / "alerts.jsonl"
        return list(map(json.loads, path.read_text().splitlines())) if path.exists() else []

    def alerts(self, exception):
        return [alert for alert in self.all_alerts() if alert.get("exception") == exception]


@pytest.fixture
def world(tmp_path, nginx):
    made = World(tmp_path, nginx)
    yield made
    made.daemon.stop()


def soon(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_a_false_alarm_passes_and_is_told(world):
    assert {world.status(SOFT) for _ in range(20)} == {403}  # what is blocked has a quota of its own
    world.add("--id", "FP-1", "--days", "30", "--endpoint", "/search", "--in", "query", "--name", "q")
    assert world.guardian.read_text().startswith(GUARDIAN)
    wait_for(lambda: world.status(ALARM) == 200, "the exception")
    assert world.status(("/search?q=O'Neil&n=x",)) == 403, "another finding of the same exchange"
    assert world.status(("/search?n=x",)) == 403 and world.status(SOFT) == 403
    alert = wait_for(lambda: world.alerts("FP-1"), "its alert")[0]
    assert (alert["verdict"], alert["action"], alert["status"]) == ("alert", "alert", 200)
    assert alert["findings"][0]["exception"] == "FP-1" and alert["explanation"].endswith("; not blocked, by exception FP-1")
    line = wait_for(lambda: [text for text in talking.curl(world.state, "/metrics").body.decode().splitlines()
                             if text.startswith('guard_exception_hits_total{service="shop",exception="FP-1"}')], "its hits")[0]
    assert int(line.rsplit(" ", 1)[1]) > 0
    listed = [json.loads(text) for text in guard(world, "list", "--state", str(world.state), "--format", "json").stdout.splitlines()]
    assert [(one["id"], one["standing"]) for one in listed] == [("FP-1", "in-force")]
    assert listed[0]["scope"] == {"endpoints": ["/search"], "in": ["query"], "names": ["q"]}
    guard(world, "rm", "FP-1", "--state", str(world.state))
    assert world.guardian.read_text() == GUARDIAN
    wait_for(lambda: world.status(ALARM) == 403, "no exception")
    audit = [json.loads(text) for text in (world.state / "audit.jsonl").read_text().splitlines()]
    assert [(one["before"] != "", one["after"] != "") for one in audit if one["action"] == "exception"] == [(False, True), (True, False)]


def test_patches_are_named_and_a_mandatory_one_blocks(world):
    assert (world.status(SOFT), world.status(HARD)) == (403, 403)
    world.add("--id", "all", "--days", "1", "--patch", "soft", "--patch", "hard")
    wait_for(lambda: world.status(SOFT) == 200, "the exception")
    assert world.status(HARD) == 403 and world.status((*SOFT, "-H", "X-B: evil")) == 403
    assert world.status(ALARM) == 403


def test_it_ends_by_itself_with_guardd_dead(world):
    world.add("--id", "short", "--expires", soon(12), "--name", "q")
    wait_for(lambda: world.status(ALARM) == 200, "the exception")
    world.daemon.stop()
    wait_for(lambda: world.status(ALARM) == 403, "its end")


@pytest.mark.parametrize("arguments, complaint", [
    (("--name", "q"), "say when it ends"),
    (("--expires", "2001-01-01", "--name", "q"), "expires"),
    (("--expires", "2999-01-01", "--name", "q"), "expires: is more than 366 days after"),
    (("--days", "1"), "must say endpoints"),
    (("--days", "1", "--rule", "patch"), "scope.rules[0]: must be a rule"),
    (("--days", "1", "--client", "10.0.0.1/8"), "scope.clients[0]: must be an address"),
    (("--days", "1", "--client", "0.0.0.0/0"), "scope.clients[0]: must be an address"),
    (("--days", "1", "--patch", "soft", "--name", "q"), "scope.patches: stands without"),
])
def test_bad_input_is_refused_and_changes_nothing(world, arguments, complaint):
    answer = world.add("--id", "bad", *arguments, check=False)
    assert answer.returncode != 0 and complaint in answer.stderr, answer.stderr
    assert world.guardian.read_text() == GUARDIAN


def test_by_the_api(world):
    server = ("--server", f"unix:{world.state}/api.sock")
    guard(world, "add", *server, "--reason", "a test", "--id", "FP-2", "--days", "2", "--name", "q")
    wait_for(lambda: world.status(ALARM) == 200, "the exception")
    assert "FP-2" in guard(world, "list", *server).stdout
    again = guard(world, "add", *server, "--reason", "a test", "--id", "FP-2", "--days", "2", "--name", "q", check=False)
    assert again.returncode != 0 and "exceptions[0].id" in again.stderr, again.stderr
    guard(world, "rm", "FP-2", *server)
    assert guard(world, "rm", "FP-2", *server, check=False).returncode != 0
    wait_for(lambda: world.status(ALARM) == 403, "no exception")


def test_one_dated_ahead_is_refused(world):
    document = world.state / "ahead.yaml"
    document.write_text(json.dumps({"id": "ahead", "created": soon(400 * 86400), "expires": soon(700 * 86400), "scope": {"names": "q"}}))
    answer = world.add(str(document), check=False)
    assert answer.returncode != 0 and "exceptions[0].created: lies in the future" in answer.stderr, answer.stderr
    assert world.guardian.read_text() == GUARDIAN


def test_the_audit_log_names_all_that_were_added(world):
    ids = [f"{i:02}".ljust(64, "x") for i in range(64)]
    document = world.state / "many.yaml"
    document.write_text(json.dumps([{"id": one, "expires": soon(86400), "scope": {"names": "q"}} for one in ids]))
    world.add(str(document))
    entry, = (one for one in map(json.loads, (world.state / "audit.jsonl").read_text().splitlines()) if one["action"] == "exception")
    assert [text.split(" until ")[0] for text in entry["after"].split(", ")] == ids and entry["after"].endswith("Z")


def guardd_says(world, event):
    return [entry for entry in map(json.loads, world.daemon.log().splitlines()) if entry.get("event") == event]


def test_guardd_tells_of_their_ends(world):
    world.add("--id", "soon", "--expires", soon(15), "--name", "q")
    said = wait_for(lambda: guardd_says(world, "exception-expires"), "the warning")
    assert "exception soon expires" in json.dumps(said[0])
    rule = wait_for(lambda: [alert for alert in world.all_alerts() if alert["findings"][0]["rule"] == "exception-expiry"], "its alert")[0]
    assert (rule["findings"][0]["name"], rule["action"]) == ("soon", "pass")
    wait_for(lambda: world.status(ALARM) == 200, "the exception")
    wait_for(lambda: world.status(ALARM) == 403, "its end")
    world.daemon.stop()
    world.daemon.start()
    said = wait_for(lambda: guardd_says(world, "exception-expired"), "that it expired")
    assert "what it covered blocks again" in json.dumps(said[0])


def test_a_viewer_may_read_and_an_operator_change(world):
    secrets = {}
    for role in ("viewer", "operator"):
        made = subprocess.run([BIN / "guard", "token", "add", f"u-{role}", "--role", role, "--state", world.state], capture_output=True, text=True,
                              check=True)
        secrets[role] = made.stdout.strip()

    def ask(role, *options, path=""):
        return talking.curl(world.state, f"/services/shop/exceptions{path}", "-H", f"Authorization: Bearer {secrets[role]}", *options)

    body = json.dumps({"id": "FP-3", "reason": "a test", "expires": soon(86400), "scope": {"names": "q"}})
    post = ("-X", "POST", "-H", "Content-Type: application/json", "--data-binary", body)
    assert ask("viewer").status == 200
    assert ask("viewer", *post).status == 403 and ask("viewer", "-X", "DELETE", path="/FP-3").status == 403
    assert world.guardian.read_text() == GUARDIAN
    assert ask("operator", *post).status == 200
    assert ask("viewer", "-X", "DELETE", path="/FP-3").status == 403
    assert [one["id"] for one in json.loads(ask("viewer").body)["exceptions"]] == ["FP-3"]
    assert ask("operator", "-X", "DELETE", path="/FP-3").status == 200
    assert world.guardian.read_text() == GUARDIAN
    entries = [one for one in map(json.loads, (world.state / "audit.jsonl").read_text().splitlines()) if one["action"] == "exception"]
    assert [one["by"] for one in entries] == ["u-operator", "u-operator"]
    assert entries[0]["before"] == "" and entries[0]["after"].startswith("FP-3 until ")
    assert entries[1]["before"] == entries[0]["after"] and entries[1]["after"] == ""
