# SPDX-License-Identifier: Apache-2.0
"""Patches by guardd's API, and `guard patch` over it: in the Guardian as from the files, audited, all of a document or nothing."""

import json
import pathlib
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from talking import Api, curl, wait_for  # noqa: E402
from test_guardd import BIN, guard, guardd  # noqa: E402, F401

YAML = "application/yaml"
LOG4J = b"""- id: CVE-2021-44228
  title: "Names are looked up"
  references: [https://example.org/a]
  expires: 2020-01-31
  when: {in: header, contains: "${jndi:\\xff"}
- {id: other, mode: enforce, when: {in: query, names: id, regex: "a+"}}
"""


@pytest.fixture
def api(guardd):
    return Api(guardd.state).ready()


@pytest.fixture
def patches(guardd, api):
    guard(guardd.state, "mode", "alert", "--service", "shop", "--force")
    wait_for(lambda: curl(guardd.state, "/services/shop").status == 200, "the service")
    return "/services/shop/patches"


def document(guardd):
    return (guardd.state / "guardians" / "shop.yaml").read_bytes()


def audit(guardd):
    lines = [json.loads(line) for line in (guardd.state / "audit.jsonl").read_text().splitlines()]
    return [line for line in lines if line["action"] == "patch"]


def add(api, path, body, type=YAML, status=200):
    answer = api.ask("POST", path, body, type=type)
    assert answer.status == status, (answer.status, answer.body)
    if status == 200:
        api.check("POST", path, answer)
    return answer


def test_are_added_listed_switched_and_removed(guardd, api, patches):
    assert api.get(patches) == {"service": "shop", "total": 0, "patches": [], "next": None}
    changed = add(api, patches + "?reason=scanned", LOG4J).json()
    assert changed == {"service": "shop", "changed": True, "applied": True, "before": "",
                       "after": "CVE-2021-44228 shadow, other enforce"}
    listed = api.get(patches + "?limit=1")
    assert listed["total"] == 2 and listed["next"] == "CVE-2021-44228"
    first = listed["patches"][0]
    assert (first["mode"], first["standing"], first["reason"]) == ("shadow", "expired", "scanned")
    rest = api.get(patches + "?limit=1&cursor=" + listed["next"])
    assert [patch["id"] for patch in rest["patches"]] == ["other"] and rest["next"] is None
    answer = api.ask("GET", patches + "/CVE-2021-44228")
    api.check("GET", patches + "/CVE-2021-44228", answer)
    assert answer.headers["content-type"] == YAML and b'contains: "${jndi:\\xff"' in answer.body
    changed = api.put(patches + "/CVE-2021-44228", {"mode": "enforce", "reason": "seen"})
    assert (changed["before"], changed["after"]) == ("CVE-2021-44228 shadow", "CVE-2021-44228 enforce")
    assert api.put(patches + "/CVE-2021-44228", {"mode": "enforce"})["changed"] is False
    answer = api.ask("DELETE", patches + "/other?reason=gone")
    api.check("DELETE", patches + "/other", answer)
    assert answer.json()["after"] == ""
    assert [patch["id"] for patch in api.get(patches)["patches"]] == ["CVE-2021-44228"]
    assert [(line["via"], line["before"], line["after"], line["reason"]) for line in audit(guardd)] == [
        ("api", "", "CVE-2021-44228 shadow, other enforce", "scanned"),
        ("api", "CVE-2021-44228 shadow", "CVE-2021-44228 enforce", "seen"),
        ("api", "other enforce", "", "gone")]


def test_who_and_why_may_be_anything(guardd, api, patches):
    answer = api.ask("POST", patches + "?reason=two%0Alines%00%1b%ff", b"{id: a, when: {contains: x}}", ["X-Guard-By: anna \u00e4\x1b"], type=YAML)
    assert answer.status == 200, answer.body
    patch = api.get(patches)["patches"][0]
    assert patch["author"].startswith("anna ") and patch["reason"].startswith("two")
    assert not any(ord(character) < 32 for character in patch["author"] + patch["reason"])
    assert guard(guardd.state, "mode", "--service", "shop").strip() == "alert"


def test_what_would_change_is_told_and_nothing_done(guardd, api, patches):
    before = document(guardd)
    assert add(api, patches + "?dryRun=true", LOG4J).json()["applied"] is False
    assert document(guardd) == before and audit(guardd) == []
    add(api, patches, LOG4J)
    before = document(guardd)
    assert api.put(patches + "/other?dryRun=true", {"mode": "off"})["changed"] is True
    assert api.ask("DELETE", patches + "/other?dryRun=true").status == 200
    assert document(guardd) == before and len(audit(guardd)) == 1


@pytest.mark.parametrize("body, field", [
    (b"- {id: a, when: {contains: x}}\n- {id: b, when: {in: nowhere, contains: x}}\n", "[1].when.in"),
    (b"kind: Patches\npatches: [{id: a, when: {all: [{contains: x}, {}]}}]\n", "patches[0].when.all[1]"),
    (b"{id: -a, when: {contains: x}}", "id"),
    (b"{id: a}", None),
    (b"[{id: a, when: {contains: x}}, {id: a, when: {contains: x}}]", "[1].id"),
    (b"\xff", None),
    (b"[" * 100, None),
])
def test_bad_documents_name_the_field_and_apply_nothing(guardd, api, patches, body, field):
    add(api, patches, b"{id: there, when: {contains: x}}")
    before = document(guardd)
    problem = api.problem(api.ask("POST", patches, body, type=YAML), 422, field)
    assert problem["line"] >= 1
    assert document(guardd) == before and len(audit(guardd)) == 1


def test_what_cannot_be_done_is_refused(guardd, api, patches):
    add(api, patches, LOG4J)
    before = document(guardd)
    api.problem(api.ask("POST", patches, LOG4J, type=YAML), 422, "patches[0].id")
    api.problem(api.ask("POST", patches, b"x", type="text/plain"), 415, "Content-Type")
    api.problem(api.ask("PUT", patches + "/other", {"mode": "on"}), 422, "mode")
    api.problem(api.ask("PUT", patches + "/nope", {"mode": "off"}), 404, "id")
    api.problem(api.ask("DELETE", patches + "/nope"), 404, "id")
    api.problem(api.ask("GET", patches + "/nope"), 404, "id")
    api.problem(api.ask("GET", patches + "?cursor=a&x=y"), 400, "x")
    api.problem(api.ask("GET", "/services/none/patches"), 404, "service")
    assert document(guardd) == before
    assert add(api, patches + "?replace=true", LOG4J.replace(b"Names", b"Titles")).json()["changed"] is True
    assert api.get(patches)["total"] == 2


def verb(guardd, *arguments, status=0):
    """The same on the files and by the API."""
    answers = []
    for place in (["--state", str(guardd.state)], ["--server", f"unix:{guardd.state}/api.sock"]):
        done = subprocess.run([str(BIN / "guard"), "patch", *arguments, "--service", "shop", *place], capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        answers.append((done.stdout, done.stderr))
    return answers


def test_the_command_says_the_same_by_the_api(guardd, api, patches, tmp_path):
    file = tmp_path / "p.yaml"
    file.write_bytes(LOG4J)
    for arguments in (["list"], ["report"], ["list", "--format", "json"]):
        files, server = verb(guardd, *arguments)
        assert files == server
    files, server = verb(guardd, "add", str(file), "--replace", "--reason", "two words & more")
    assert files[0] == "shop: none -> CVE-2021-44228 shadow, other enforce\n"
    assert server[0] == "shop: CVE-2021-44228 shadow, other enforce -> CVE-2021-44228 shadow, other enforce\n"
    assert [line["reason"] for line in audit(guardd)] == ["two words & more"] * 2
    for arguments in (["list"], ["list", "--format", "json"], ["show", "other"], ["show", "CVE-2021-44228"], ["report"],
                      ["report", "--format", "json"], ["enable", "CVE-2021-44228", "--dry-run"], ["rm", "other", "--dry-run"]):
        files, server = verb(guardd, *arguments)
        assert files == server and files[0] != ""
    for mode, word in (("enable", "enforce"), ("disable", "off"), ("shadow", "shadow")):
        files, server = verb(guardd, mode, "other")
        assert server[0] == "shop: nothing changes\n"
        assert f'mode: {word}' in verb(guardd, "show", "other")[0][0]
    verb(guardd, "show", "nope", status=1)
    verb(guardd, "rm", "nope", status=1)
    file.write_bytes(b"{id: a, when: {regex: a, contains: b}}")
    for _, told in verb(guardd, "add", str(file), status=1):
        assert "p.yaml:1:36: when.contains: a condition has one operator" in told


def test_what_expires_is_told_loudly(guardd, api, tmp_path):
    """In the log, as an alert, by the status, and by the metrics no name that isn't in the Guardian."""
    soon = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 3 * 86400))
    (guardd.state / "guardians").mkdir(exist_ok=True)
    (guardd.state / "guardians" / "shop.yaml").write_text(
        f"service: shop\npatches:\n- {{id: old, expires: 2020-01-31, mode: enforce, when: {{contains: x}}}}\n"
        f"- {{id: soon, expires: {soon}, when: {{contains: x}}}}\n- {{id: good, when: {{contains: x}}}}\n"
        "- {id: off, mode: off, expires: 2020-01-31, when: {contains: x}}\n")
    wait_for(lambda: guardd.log().count('"event":"patch-expire') == 2, "the log")
    assert '"event":"patch-expired"' in guardd.log() and "patch old expired 2020-01-31" in guardd.log()
    alerts = guardd.state / "alerts.jsonl"  # each alert is written after its line of the log
    wait_for(lambda: alerts.exists() and alerts.read_text().count('"rule":"patch-expiry"') == 2, "the alerts")
    assert f"patch soon expires {soon}" in alerts.read_text()
    status = api.get("/services/shop")["patches"]
    assert status == {"count": 4, "enforced": 1, "expired": ["old"], "expires_soon": ["soon"], "fixed": []}
    shown = wait_for(lambda: (text := guard(guardd.state, "status")) and "PATCHES EXPIRED" in text and text, "the status")
    assert "4 patches, 1 enforced" in shown and "they block nothing: old (" in shown and "within a week: soon (" in shown
    assert "guard_patch_hits_total{" not in curl(guardd.state, "/metrics").body.decode()
    assert "patch-expiry" not in guard(guardd.state, "patch", "report", "--service", "shop")
