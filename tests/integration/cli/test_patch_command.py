# SPDX-License-Identifier: Apache-2.0
"""`guard patch` on the files of a state directory: what people wrote stays, and nothing is half applied."""

import json
import os
import pathlib
import subprocess
import time

import pytest

BIN = pathlib.Path(os.environ["GUARD_BIN"])
SHOP = """# of the shop team
service: shop # not the old one
control: {mode: block}
patches:
- id: CVE-2017-5638 # Struts
  mode: shadow
  when: {in: header, names: content-type, contains: "%{"}
# behind it
"""


class State:
    def __init__(self, path):
        self.path = path
        self.document = path / "guardians" / "shop.yaml"
        self.document.parent.mkdir(parents=True)
        self.document.write_text(SHOP)

    def patch(self, *arguments, status=0, service="shop"):
        done = subprocess.run([str(BIN / "guard"), "patch", *arguments, *(["--service", service] if service else []), "--state", str(self.path)],
                              capture_output=True, check=False)
        assert done.returncode == status, done.stderr
        return (done.stdout if status == 0 else done.stderr).decode()

    def audit(self):
        file = self.path / "audit.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "state")


@pytest.fixture
def write(tmp_path):
    def write(text, name="p.yaml"):
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(file)
    return write


def test_changes_only_what_is_asked_for(state, write):
    assert state.patch("enable", "CVE-2017-5638", "--reason", "seen") == "shop: CVE-2017-5638 shadow -> CVE-2017-5638 enforce\n"
    assert state.document.read_text() == SHOP.replace("mode: shadow", "mode: enforce")
    assert state.patch("enable", "CVE-2017-5638") == "shop: nothing changes\n"
    state.patch("add", write('{id: b, when: {contains: "\\x00\\xff"}}'), "--author", "anna", "--reason", "why")
    text = state.document.read_text()
    assert text.startswith(SHOP.replace("mode: shadow", "mode: enforce").removesuffix("# behind it\n"))
    assert 'contains: "\\x00\\xff"' in text and 'author: "anna"' in text and 'reason: "why"' in text and text.endswith("# behind it\n")
    state.patch("rm", "b")
    state.patch("shadow", "CVE-2017-5638")
    assert state.document.read_text() == SHOP
    state.patch("rm", "CVE-2017-5638")
    assert state.document.read_text() == SHOP.split("patches:")[0] + "# behind it\n"
    assert [(line["action"], line["before"], line["after"]) for line in state.audit()] == [
        ("patch", "CVE-2017-5638 shadow", "CVE-2017-5638 enforce"), ("patch", "", "b shadow"), ("patch", "b shadow", ""),
        ("patch", "CVE-2017-5638 enforce", "CVE-2017-5638 shadow"), ("patch", "CVE-2017-5638 shadow", "")]


def test_lists_and_shows(state, write):
    state.patch("add", write("- {id: old, title: \"Old \u00e9 one\", expires: 2020-01-31, mode: enforce, when: {contains: x}}\n"
                             f"- {{id: soon, expires: {time.strftime('%Y-%m-%d', time.gmtime(time.time() + 2 * 86400))}, when: {{contains: x}}}}\n"))
    listed = state.patch("list").splitlines()
    assert [line.split()[:3] for line in listed] == [
        ["CVE-2017-5638", "shadow", "block"], ["old", "enforce", "block"], ["soon", "shadow", "block"]]
    assert "EXPIRED: 2020-01-31" in listed[1] and "expires soon" in listed[2]
    lines = [json.loads(line) for line in state.patch("list", "--format", "json").splitlines()]
    assert [line["standing"] for line in lines] == ["in-force", "expired", "expires-soon"]
    shown = state.patch("show", "old")
    assert shown.startswith('id: "old"\n') and "expires: 2020-01-31T00:00:00.000Z" in shown
    state.patch("add", write(shown, "again.yaml"), "--replace")
    assert state.patch("show", "old") == shown


def test_report_counts_hits_of_the_log(state, write):
    state.patch("add", write("- {id: idle, fixedIn: \"2.1\", scope: {endpoints: [\"/gone\", \"/a/{}\"]}, when: {contains: x}}\n"
                             "- {id: known, scope: {endpoints: \"/users/{}\"}, when: {contains: x}}\n"))
    now = int(time.time() * 1000)
    long_ago = now - 100 * 86400000

    def alert(time_ms, count, patch, shadow, service="shop"):
        return json.dumps({"time_ms": time_ms, "service": service, "count": count, "last_ms": time_ms,
                           "findings": [{"rule": "patch", "patch": patch, "shadow": shadow}]}) + "\n"

    (state.path / "alerts.jsonl").write_text(
        alert(long_ago, 1, "idle", False) + alert(now, 1, "CVE-2017-5638", True) + alert(now, 41, "CVE-2017-5638", False) +
        alert(now, 7, "CVE-2017-5638", False, "other") + "broken\n" + alert(now, 3, "unknown", False))
    (state.path / "status.json").write_text(json.dumps({"services": [
        {"service": "shop", "revision": {"text": "2.1"}, "endpoints": [{"template": "/users/{int}"}, {"template": "/a"}]}]}))
    lines = {line["id"]: line for line in map(json.loads, state.patch("report", "--format", "json").splitlines())}
    assert (lines["CVE-2017-5638"]["hits"], lines["CVE-2017-5638"]["shadow_hits"], lines["CVE-2017-5638"]["last_ms"]) == (41, 1, now)
    assert lines["idle"]["idle"] and lines["idle"]["fixed"] and lines["idle"]["no_endpoint"]
    assert not lines["known"]["no_endpoint"] and lines["known"]["idle"] and not lines["CVE-2017-5638"]["idle"]
    text = state.patch("report")
    assert "not needed: the service runs the revision with the fix, no hit in 90 days, no such endpoint" in text


@pytest.mark.parametrize("text, told", [
    ("id: a\n", "p.yaml:1:1: a patch needs \"when\""),
    ("- {id: a, when: {contains: x}}\n- {id: b, when: {regex: \"\"}}\n", "p.yaml:2:25: [1].when.regex: must have 1 to 4096 bytes"),
    ("{id: CVE-2017-5638, when: {contains: x}}\n", "patches[0].id: the service has a patch CVE-2017-5638 already"),
    ("- {id: a, when: {contains: x}}\n- {id: CVE-2017-5638, when: {contains: x}}\n", "patches[1].id: the service has a patch"),
    ("", "p.yaml:1:1: the document is empty"),
    ("a: &x 1\n", "anchors, aliases and tags are not allowed"),
    ("{id: a, when: {not: {not: {not: {not: {not: {not: {not: {not: {not: {contains: x}}}}}}}}}}}\n", "p.yaml:1:"),
    ("{id: a, when: {contains: [" + ",".join("x" * 65) + "]}}\n", "when.contains: must have 1 to 64 elements"),
    (b"\xff\xfe", "p.yaml:1:1: "),
    pytest.param("x" * (1 << 20) + "y", "p.yaml", id="too large"),
])
def test_bad_files_apply_nothing(state, write, text, told):
    assert told in state.patch("add", write(text), status=1)
    assert state.document.read_text() == SHOP and state.audit() == []


def test_wrong_use_is_told(state, write):
    file = write("{id: a, when: {contains: x}}")
    for arguments in ([], ["nothing"], ["show"], ["show", "a", "b"], ["list", "a"], ["add"], ["enable", ".x"], ["list", "--format", "xml"],
                      ["add", file, "--author", ""]):
        state.patch(*arguments, status=2)
    state.patch("list", status=2, service=None)
    state.patch("list", status=2, service="../x")
    state.patch("list", status=1, service="none")
    state.patch("add", file, status=1, service="none")
    assert state.patch("add", file, "--force", service="none") == "none: none -> a shadow\n"
    assert "nothing was changed yet" in state.patch("rm", "CVE-2017-5638", "--dry-run")
    assert state.document.read_text() == SHOP


def test_a_broken_guardian_is_left_alone(state, write):
    state.document.write_text(SHOP + "nonsense: 1\n")
    assert "shop.yaml:9:1" in state.patch("add", write("{id: a, when: {contains: x}}"), status=1)
    assert state.document.read_text() == SHOP + "nonsense: 1\n"


LINES = """{"id":"attack","request":{"method":"GET","target":"/?q=%24%7Bjndi:x%7D","headers":[["host","shop"]]}}
{"request":{"method":"GET","target":"/?q=hello","headers":[["host","shop"]]}}
"""
LOOKUP = '- {id: lookup, mode: off, expires: 2020-01-31, when: {in: query, contains: "${jndi:"}}\n'


def test_holds_one_patch_against_traffic(state, write):
    lines, document = write(LINES, "lines.jsonl"), write(LOOKUP)
    said = state.patch("test", document, lines, service=None).splitlines()
    assert said[0].startswith("hit    attack  param q: patch lookup: contains \"${jndi:\"")
    assert said[1:] == [f"pass   {lines}:2", "lookup: 1 of 2 exchanges hit (95 %: 1.26 % to 98.74 %)"]
    told = [json.loads(line) for line in state.patch("test", document, lines, "--format", "json", service=None).splitlines()]
    assert [line["outcome"] for line in told[:2]] == ["hit", "pass"] and told[0]["line"] == 1 and told[0]["file"] == lines
    assert (told[2]["patch"], told[2]["hits"], told[2]["exchanges"], told[2]["unseen"]) == ("lookup", 1, 2, 0)
    state.patch("add", document)
    before = state.document.read_text()
    assert state.patch("test", "lookup", lines) == "\n".join(said) + "\n"  # of the service, whatever its mode
    assert state.document.read_text() == before


def test_what_is_expected_of_traffic_is_the_exit_status(state, write):
    attack, both = write(LINES.splitlines()[0] + "\n", "attack.jsonl"), write(LINES, "both.jsonl")
    document, several = write(LOOKUP), write(LOOKUP + "- {id: other, when: {in: query, contains: hello}}\n", "several.yaml")
    state.patch("test", document, attack, "--expect", "hit", service=None)
    assert "1 of 1 exchanges aren't a pass" in state.patch("test", document, attack, "--expect", "pass", service=None, status=1)
    assert "1 of 2 exchanges aren't a hit" in state.patch("test", document, both, "--expect", "hit", service=None, status=1)
    assert "no exchange" in state.patch("test", document, write("", "none.jsonl"), "--expect", "hit", service=None, status=1)
    state.patch("test", several, "--id", "other", attack, "--expect", "pass", service=None)
    assert "say which with --id ID" in state.patch("test", several, attack, service=None, status=2)
    assert "no patch missing" in state.patch("test", several, "--id", "missing", attack, service=None, status=1)
    assert "has no patch lookup" in state.patch("test", "lookup", attack, status=1)
    state.patch("test", document, attack, "--expect", "both", service=None, status=2)
    state.patch("test", document, service=None, status=2)
    assert "p.yaml:1:" in state.patch("test", write("- {id: x, when: {contains: []}}\n"), attack, service=None, status=1)


def test_check_counts_patches_unless_they_are_switched_off(write, tmp_path):
    document = write('service: shop\npatches:\n- {id: a, mode: enforce, when: {in: query, regex: "ev[i]l"}}\n'
                     "- {id: b, when: {in: query, contains: shade}}\n", "shop.yaml")
    traffic = tmp_path / "t.jsonl"
    traffic.write_text("".join(json.dumps({"request": {"method": "GET", "target": f"/?a={text}"}}) + "\n"
                               for text in ("evil", "shade", "good")))

    def verdicts(*options):
        done = subprocess.run([BIN / "guard", "check", "--guardian", document, "--configured-only", "--format", "jsonl", *options, traffic],
                              capture_output=True, text=True, check=True)
        return [json.loads(line)["verdict"] for line in done.stdout.splitlines()]
    assert verdicts() == verdicts("--signatures", "on") == ["block", "alert", "pass"]
    assert verdicts("--signatures", "off") == ["pass"] * 3
