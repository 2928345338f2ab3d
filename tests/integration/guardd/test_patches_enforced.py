# SPDX-License-Identifier: Apache-2.0
"""Patches of a Guardian in a real gate behind a real guardd: what each mode does with a hit, with a database of patterns and without,
under expressions that are hard to match, and while policies and databases change."""

import json
import pathlib
import shutil
import socket
import subprocess
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
import talking  # noqa: E402
from harness import BIN, wait_for  # noqa: E402
from test_guardd import Guardd  # noqa: E402

GATE = """
    guard_state {state};
    guard_policy_key {state}/keys/policy.pub;
    upstream back { server 127.0.0.1:{port2}; keepalive 32; }
    server {
        listen 127.0.0.1:{port2};
        keepalive_requests 10000000;
        location / { return 200 "served\\n"; }
        location /streamed { proxy_pass http://127.0.0.1:{port2}/; }  # which is asked when the body is complete
        location /file { default_type application/octet-stream; return 200 "PK\\x03 the secret of the archive"; }
    }
    server {
        listen 127.0.0.1:{port};
        guard shop;
        keepalive_requests 10000000;
        location = /guard { guard off; guard_status; }
        location /streamed { guard_body streamed; proxy_request_buffering off; proxy_pass http://back; proxy_http_version 1.1; }
        location / { proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }"""
PATCHES = r"""
- {id: jndi, title: looks up names, mode: enforce, when: {contains: "${jndi:", ignoreCase: true}}
- {id: told, title: is only told, mode: enforce, action: alert, when: {in: query, names: told, contains: "only told"}}
- {id: shade, title: in shadow, when: {in: query, names: shade, contains: "in shadow"}}
- {id: code, title: code in a member, mode: enforce, when: {in: json, names: "a.b[].c", regex: "require\\s*\\("}}
- {id: pair, title: a command in a form, mode: enforce, when: {in: form, names: cmd, contains: ";id"}}
- {id: leaves, title: leaves its folder, mode: enforce, when: {in: query, names: file, traversal: true}}
- {id: either, title: one of two, mode: enforce, when: {any: [{in: query, names: either, contains: "the first way"}, {in: query, names: either, contains: "other"}]}}
- {id: hard, title: hard to match, mode: enforce, when: {in: query, names: hard, regex: "^(a+)+b?$"}}
"""
PATTERNS = 9
JSON = ("-H", "Content-Type: application/json")
EXPLOITS = {
    "jndi": ("/?q=$%7BJndi:ldap://a%7D",),
    "jndi in a header": ("/", "-H", "X-Api-Version: ${jndi:ldap://a}"),
    "jndi, encoded again": ("/?q=%2524%257bjndi:ldap://a%257d",),
    "code": ("/", *JSON, "-d", '{"a": {"b": [{"c": 1}, {"c": "x = require (1)"}]}}'),
    "pair": ("/", "-d", "other=1&cmd=ls%3bid"),
    "leaves": ("/?file=../../secret",),
    "the first way": ("/?either=the+first+way",),
    "the other way": ("/?either=other",),
}
BENIGN = {
    "plain": ("/?q=jndi",),
    "another member": ("/", *JSON, "-d", '{"a": {"d": "x = require (1)"}}'),
    "another name": ("/", "-d", "other=;id"),
    "dots": ("/?file=a..b",),
    "neither": ("/?either=way",),
    "easy": ("/?hard=hello",),
}
TOLD = {"told": ("/?told=only%20told",), "shade": ("/?shade=in+shadow",)}


class World:
    def __init__(self, folder, nginx):
        self.state = folder / "state"
        (self.state / "guardians").mkdir(parents=True)
        self.write("block")
        self.daemon = Guardd(self.state).start()
        wait_for((self.state / "policies" / "shop.policy").exists, "a policy")
        self.gate = nginx(GATE.replace("{state}", str(self.state)))

    def write(self, mode, more=""):
        path = self.state / "guardians" / "shop.yaml"
        path.with_suffix(".new").write_text(f"service: shop\ncontrol: {{mode: {mode}}}\npatches:{PATCHES}{more}")
        path.with_suffix(".new").rename(path)

    def status(self, request):
        return self.gate.curl(*request).status

    def wait_mode(self, mode, expected):
        self.write(mode)
        wait_for(lambda: self.status(EXPLOITS["jndi"]) == expected, f"mode {mode}")

    def alerts(self, patch):
        path = self.state / "alerts.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [alert for alert in map(json.loads, lines) if any(f.get("patch") == patch for f in alert["findings"])]

    def wait_patterns(self, count):
        def seen():
            patterns = self.gate.curl("/guard").json()["patterns"]
            return patterns if patterns["patterns"] == count and patterns["database"] else None
        return wait_for(seen, f"{count} patterns")


@pytest.fixture
def world(tmp_path, nginx):
    made = World(tmp_path, nginx)
    yield made
    made.daemon.stop()


def test_each_mode_does_what_it_says(world):
    for mode, expected in (("block", 403), ("observe", 200), ("alert", 403)):
        world.wait_mode(mode, expected)
        for name, request in EXPLOITS.items():
            assert world.status(request) == expected, (mode, name)
        for name, request in (BENIGN | TOLD).items():
            assert world.status(request) == 200, (mode, name)
    for patch, action, shadow in (("jndi", "block", False), ("told", "alert", False), ("shade", "alert", True), ("code", "block", False)):
        alerts = wait_for(lambda patch=patch, action=action: [a for a in world.alerts(patch) if a["action"] == action], f"alerts of {patch}")
        finding = next(f for f in alerts[0]["findings"] if f.get("patch") == patch)
        assert finding["rule"] == "patch" and finding.get("shadow", False) is shadow, finding
        assert alerts[0]["status"] == (403 if action == "block" else 200), alerts[0]
    hits = wait_for(lambda: [line for line in talking.curl(world.state, "/metrics").body.decode().splitlines()
                             if line.startswith('guard_patch_hits_total{service="shop"')], "hits in the metrics")
    counted = {line.split(" ")[0].split("{")[1]: int(line.split(" ")[1]) for line in hits}
    assert counted['service="shop",patch="jndi",shadow="false"}'] > 0
    assert counted['service="shop",patch="shade",shadow="true"}'] > 0
    assert counted['service="shop",patch="shade",shadow="false"}'] == 0
    # Hits and cost stand in the list as well, for who has no command line there.
    api = talking.Api(world.state).ready()

    def costs():
        patches = {one["id"]: one for one in api.get("/services/shop/patches")["patches"]}
        return patches if patches["jndi"]["cost"]["tried"] > 0 else None
    listed = wait_for(costs, "the gate's own counts")  # which it tells now and then
    assert listed["jndi"]["hits"]["hits"] >= counted['service="shop",patch="jndi",shadow="false"}']
    assert listed["shade"]["hits"]["hits"] == 0 and listed["shade"]["hits"]["shadow_hits"] > 0
    assert (listed["hard"]["hits"]["hits"], listed["hard"]["hits"]["shadow_hits"]) == (0, 0) and 0 < listed["hard"]["hits"]["since_ms"]
    report = subprocess.run([BIN / "guard", "patch", "report", "--service", "shop", "--state", world.state], capture_output=True, text=True,
                            check=True).stdout
    rows = {line.split()[0]: line.split() for line in report.splitlines() if line.strip()}
    assert int(rows["jndi"][2]) > 0 and rows["shade"][2] == "0" and int(rows["shade"][3]) > 0, report
    assert rows["hard"][2:4] == ["0", "0"], report


def report_of(world, *more):
    text = subprocess.run([BIN / "guard", "patch", "report", "--service", "shop", "--format", "json", *more], capture_output=True, text=True,
                          check=True).stdout
    return {patch["id"]: patch for patch in map(json.loads, text.splitlines())}


def test_what_patches_cost_is_told(world):
    """By the gate's own counts, over a reload, in the report of files and of the server, and in the metrics."""
    world.wait_mode("block", 403)
    world.wait_patterns(PATTERNS)
    files = ("--state", str(world.state))
    before = wait_for(lambda: (costs := report_of(world, *files)) and costs["jndi"]["cost"]["tried"] > 0 and costs, "the gate's first counts")
    for request, expected in ((EXPLOITS["pair"], 403), (BENIGN["plain"], 200)):
        for _ in range(20):  # one in sixteen is timed
            assert world.status(request) == expected
    after = wait_for(lambda: (costs := report_of(world, *files)) and costs["pair"]["cost"]["tried"] >= before["pair"]["cost"]["tried"] + 20 and costs,
                     "the next counts")
    pair = after["pair"]["cost"]
    assert pair["held"] >= 20 and pair["bytes"] >= 20 * len("ls;id") and 0 < pair["timed"] < pair["tried"] and pair["timed_ns"] > 0, pair
    assert after["hard"]["cost"]["tried"] == before["hard"]["cost"]["tried"], "what the scan finds no sign of costs nothing"
    world.gate.reload()
    assert world.status(EXPLOITS["pair"]) == 403
    again = wait_for(lambda: (costs := report_of(world, *files)) and costs["pair"]["cost"]["tried"] == pair["tried"] + 1 and costs,
                     "what was counted before the reload goes on")
    socket = ("--server", f"unix:{world.state}/api.sock")
    assert {name: patch["cost"] for name, patch in report_of(world, *socket).items()} == {name: patch["cost"] for name, patch in again.items()}
    shown = subprocess.run([BIN / "guard", "patch", "report", "--service", "shop", *files], capture_output=True, text=True, check=True).stdout
    row = next(line.split() for line in shown.splitlines() if line.startswith("pair "))
    assert int(row[4]) == pair["tried"] + 1 and float(row[5]) > 0, shown
    metrics = talking.curl(world.state, "/metrics").body.decode()
    assert f'service="shop",patch="pair"}} {pair["tried"] + 1}\n' in metrics.partition("# TYPE guard_gate_patch_tried_total")[2], metrics
    assert 'guard_gate_patch_seconds_total{' in metrics and 'guard_gate_patch_bytes_total{' in metrics


def test_the_revision_with_the_fix_ends_a_patch_loudly(world):
    world.write("block", '\n- {id: fixed, mode: enforce, fixedIn: "2.0", when: {in: query, names: x, contains: "until it is fixed"}}\n')
    request = ("/?x=until%20it%20is%20fixed",)
    wait_for(lambda: world.status(request) == 403, "the patch")
    world.gate.reload(world.gate.http.replace("guard shop;", "guard shop; guard_revision 2.0;"))
    assert world.status(request) == 200
    wait_for(lambda: '"event":"patch-fixed"' in world.daemon.log() and "revision 2.0 carries the fix" in world.daemon.log(), "the log")
    wait_for(lambda: "revision 2.0 carries the fix" in (world.state / "alerts.jsonl").read_text(), "an alert")
    shown = ["guard", "status", "--state", world.state]
    wait_for(lambda: "has the fix of, they block nothing there: fixed (" in subprocess.run(
        [BIN / shown[0], *shown[1:]], capture_output=True, text=True, check=True).stdout, "the status")
    assert report_of(world, "--state", str(world.state))["fixed"]["fixed"] is True


def test_the_database_changes_no_answer(tmp_path, world, nginx):
    world.wait_mode("block", 403)
    world.wait_patterns(PATTERNS)
    bare = tmp_path / "bare"
    shutil.copytree(world.state, bare, ignore=shutil.ignore_patterns("patterns", "rings", "node.*", "*.sock", "*.lock", "guard.db*"))
    without = nginx(GATE.replace("{state}", str(bare)))
    assert without.curl("/guard").json()["patterns"]["database"] == ""
    for name, request in (EXPLOITS | BENIGN | TOLD).items():
        answers = {gate.curl(*request).status for gate in (world.gate, without)}
        assert answers == {403 if name in EXPLOITS else 200}, name


def test_what_is_hard_to_match_keeps_nobody_waiting(world):
    world.wait_mode("block", 403)
    world.wait_patterns(PATTERNS)
    attack = "/?hard=" + "a" * 4000 + "!"
    answers = []

    def attacks():
        answers.extend(world.gate.curl(attack).status for _ in range(40))

    threads = [threading.Thread(target=attacks) for _ in range(2)]
    for thread in threads:
        thread.start()
    others = [world.status(BENIGN["plain"])]
    while any(thread.is_alive() for thread in threads):
        others.append(world.status(BENIGN["plain"]))
    for thread in threads:
        thread.join()
    assert set(others) == {200}
    # Without the "b" or the end it isn't in the value, so that a database may say so; else it counts as found. Never no answer.
    assert len(answers) == 80 and set(answers) <= {200, 403}
    assert world.gate.curl("/?hard=" + "a" * 20).status == 403


def test_files_that_the_service_hands_out_are_looked_at(world):
    world.wait_mode("block", 403)
    answer = world.gate.curl("/file")
    assert answer.status == 200 and b"secret" in answer.body
    world.write("block", "- {id: leak, title: hands it out, mode: enforce, part: response, when: {in: body, contains: secret of the}}\n")
    wait_for(lambda: world.status(("/file",)) == 403, "the patch of responses")
    assert b"secret" not in world.gate.curl("/file").body
    assert world.status(BENIGN["plain"]) == 200


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def rest_of(stream):
    """What comes until the gate closes; a reset is an end, too."""
    text = b""
    try:
        while more := stream.recv(65536):
            text += more
    except ConnectionResetError:
        pass
    return text


@pytest.mark.parametrize("when, value, blocked", [
    ("{in: form, names: second, contains: bad}", b"bad", True),  # of places that were looked at all the time
    ("{in: form, names: second, contains: bad}", b"fine", False),
    ("{in: header, names: x-kind, contains: odd}", b"fine", True),  # as those that other patches look at
])
def test_a_patch_that_comes_in_the_middle_of_a_request_is_held_against_it(world, when, value, blocked):
    world.wait_mode("block", 403)
    with socket.create_connection(("127.0.0.1", world.gate.port), timeout=60) as stream:
        stream.sendall(b"POST /streamed HTTP/1.1\r\nHost: a\r\nX-Kind: odd\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                       b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunk(b"first=1"))
        wait_for(lambda: world.gate.curl("/guard").json()["services"][0]["counts"]["streams"] == 1, "the stream")
        world.write("block", f"- {{id: late, mode: enforce, when: {when}}}\n- {{id: sign, mode: enforce, when: {{contains: it is in force}}}}\n")
        wait_for(lambda: world.status(("/?q=it%20is%20in%20force",)) == 403, "the new policy")
        stream.sendall(chunk(b"&second=" + value) + b"0\r\n\r\n")
        answer = rest_of(stream)
    assert (b"served" not in answer) is blocked and (b" 403 " in answer or not blocked), answer
    assert bool(wait_for(lambda: world.alerts("late"), "an alert") if blocked else world.alerts("late")) is blocked


def test_switching_loses_no_request(world):
    world.wait_mode("block", 403)
    world.wait_patterns(PATTERNS)
    ended = threading.Event()
    runs = []

    def load():
        while not ended.is_set():
            runs.append(subprocess.run(["h2load", "--h1", "-c4", "-t1", "-n2000", world.gate.url("/?q=hello")], capture_output=True,
                                       text=True, check=False).stdout)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for number in range(1, 5):
            world.write("block", f'- {{id: more-{number}, title: more, mode: enforce, when: {{contains: "more than {number}"}}}}\n')
            wait_for(lambda number=number: world.status((f"/?q=more%20than%20{number}",)) == 403, f"patch {number}")
            wait_for(lambda number=number: number == 1 or world.status((f"/?q=more%20than%20{number - 1}",)) == 200, f"patch {number} alone")
            world.wait_patterns(PATTERNS + 1)
    finally:
        ended.set()
        thread.join()
    assert runs
    for run in runs:
        assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in run and "status codes: 2000 2xx" in run, run
