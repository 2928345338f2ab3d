# SPDX-License-Identifier: Apache-2.0
"""`guard pods` and the API's pods, on files and over a server: who does what no other does, and what people decide of it holds."""

import json
import pathlib
import subprocess
import sys
import time

import pytest
from harness import BIN, wait_for

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from talking import Api  # noqa: E402
from test_pod_learning import EXEC, ODD, REPLICAS, Guardd, Sensors, of_pods, pod_writer  # noqa: E402, F401

TOOL = [(EXEC, "/usr/bin/rsync", "/app/server", "-")]


def cli(state, *arguments, server=False, status=0):
    more = ["--server", f"unix:{state}/api.sock"] if server else ["--state", state]
    done = subprocess.run([BIN / "guard", "pods", *arguments, *map(str, more)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, (arguments, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr


@pytest.fixture
def place(tmp_path, pod_writer):  # noqa: F811
    state = tmp_path / "state"
    sensors = Sensors(pod_writer, state)
    guardd = Guardd(state)
    sensors.live()
    guardd.start()
    wait_for(sensors.read, "benign days", 120)
    yield guardd, sensors, Api(state).ready()
    guardd.stop()


def do(sensors, replica, features):
    """One more record of the replica, learned."""
    sensors.put(sensors.encode([sensors.line(replica, int(time.time() * 1000), features)]))


def audit(state, action):
    return [line for line in map(json.loads, (state / "audit.jsonl").read_text().splitlines()) if line["action"] == action]


def test_what_is_told_can_be_approved_on_files_and_refused_over_a_server(place):
    guardd, sensors, api = place
    do(sensors, 2, TOOL)
    wait_for(lambda: of_pods(guardd), "the alert")
    told = wait_for(lambda: api.get("/services/shop/pods")["cases"], "the case")  # held against the document
    assert told[0]["pod"] == ODD and told[0]["decision"] == "alert" and told[0]["evidence"][0]["kind"] == "exec"
    thing = told[0]["evidence"][0]["id"]
    wait_for(lambda: thing in cli(guardd.state, "show", "shop"), "the file for people")
    for server in (False, True):
        text = cli(guardd.state, "show", "shop", server=server)
        assert f"  {ODD}: " in text and f"{thing}  runs /usr/bin/rsync" in text, text
        assert "prod/web app: compares, " in cli(guardd.state, "list", "shop", server=server)
    assert "--reason is needed" in cli(guardd.state, "approve", "shop", thing, status=2)
    assert "has the id" in cli(guardd.state, "approve", "shop", "0" * 16, "--reason", "x", status=1)
    assert "no pod of the service" in cli(guardd.state, "approve", "shop", "0" * 16, "--reason", "x", server=True, status=1)
    assert "sixteen" in cli(guardd.state, "approve", "shop", "rsync", "--reason", "x", status=2)
    assert cli(guardd.state, "approve", "shop", thing, "--reason", "nightly").startswith("shop: approve runs /usr/bin/rsync")

    def review():
        [workload] = api.get("/services/shop/pods")["workloads"]
        return {thing["id"]: thing["review"] for replica in workload["replicas"] for thing in replica["alone"]}
    wait_for(lambda: review().get(thing) == "approved", "it to be in force")
    do(sensors, 1, TOOL)
    wait_for(sensors.read, "another one that does it", 120)
    assert len(of_pods(guardd)) == 1  # it is normal now
    cli(guardd.state, "refuse", "shop", thing, "--reason", "nobody knows it", server=True)
    wait_for(lambda: guardd.log().count("pod-decisions-read") == 2, "the other decision")
    do(sensors, 3, TOOL)
    wait_for(lambda: len(of_pods(guardd)) == 2, "what is refused to be told")
    listed = api.get("/services/shop/pods/decisions")
    assert (listed["total"], listed["next"]) == (1, None)  # the later one took the place of the one before
    [decision] = listed["decisions"]
    assert (decision["id"], decision["decision"], decision["reason"]) == (thing, "refuse", "nobody knows it"), decision
    assert decision["what"] == "runs /usr/bin/rsync by /app/server"
    [approved], [refused] = audit(guardd.state, "pods approve"), audit(guardd.state, "pods refuse")
    assert (approved["via"], approved["reason"], approved["after"][:16]) == ("cli", "nightly", thing)
    assert (refused["via"], refused["reason"], refused["after"][:16]) == ("api", "nobody knows it", thing)


def test_while_somebody_debugs_nothing_is_to_be_replaced(place):
    guardd, sensors, api = place
    assert "NAMESPACE/POD" in cli(guardd.state, "session", "shop", ODD, "--reason", "x", status=2)
    assert cli(guardd.state, "session", "shop", f"prod/{ODD}", "--for", "30m", "--reason", "ticket") == (
        f"shop: somebody debugs in prod/{ODD}\n")
    wait_for(lambda: [s["pod"] for s in api.get("/services/shop/pods")["sessions"]] == [ODD], "the session")
    sensors.put(sensors.misuse())
    wait_for(lambda: of_pods(guardd), "the alert")
    [alert] = of_pods(guardd)
    assert "not replaced: somebody debugs" in alert["explanation"] and "would REPLACE" not in alert["explanation"]
    cli(guardd.state, "session", "shop", f"prod/{ODD}", "--for", "0s", "--reason", "done", server=True)
    wait_for(lambda: api.get("/services/shop/pods")["sessions"] == [], "its end")
    assert len(audit(guardd.state, "pods session")) == 2


def test_a_broken_file_of_decisions_is_told_and_what_was_read_stays(place):
    guardd, sensors, api = place
    cli(guardd.state, "session", "shop", f"prod/{ODD}", "--reason", "ticket")
    wait_for(lambda: api.get("/services/shop/pods")["sessions"], "the session")
    path = guardd.state / "pods" / "shop.decisions"
    path.with_suffix(".tmp").write_text('{"decisions":[{"id":"zz"}]}')
    path.with_suffix(".tmp").rename(path)
    wait_for(lambda: "pod-decisions-refused" in guardd.log(), "the refusal")
    assert api.get("/services/shop/pods")["sessions"]
    assert REPLICAS == len(api.get("/services/shop/pods")["workloads"][0]["replicas"])
    assert 'guard_pod_records_refused_total{reason="ahead"} 0' in api.ask("GET", "/metrics").body.decode()


def test_those_that_deviate_stand_first_and_are_counted(place):
    guardd, sensors, api = place

    def summary():
        [service] = [one for one in api.get("/services")["services"] if one["service"] == "shop"]
        return service["pods"]
    assert summary() == {"workloads": 1, "told": 0, "replace": 0}
    do(sensors, 3, TOOL)
    wait_for(lambda: summary()["told"] == 1, "the one that was told of")
    sensors.put(sensors.misuse())
    wait_for(lambda: summary() == {"workloads": 1, "told": 2, "replace": 1}, "the one that is to be replaced")
    do(sensors, 3, [(EXEC, "/usr/bin/wget", "/app/server", "-")])
    wait_for(lambda: len(of_pods(guardd)) == 3, "another alert of the same pod")
    assert summary() == {"workloads": 1, "told": 2, "replace": 1}
    [workload] = api.get("/services/shop/pods")["workloads"]
    assert [replica["alone_count"] for replica in workload["replicas"]] == sorted(
        (replica["alone_count"] for replica in workload["replicas"]), reverse=True)
    assert workload["replicas"][0]["alone_count"] >= 2 and workload["replicas"][-1]["alone_count"] == 0
    assert workload["live_count"] == REPLICAS and all(replica["blind"] == [] for replica in workload["replicas"])
    of_one = api.get("/services/shop/pods?pod=00002")
    assert [replica["pod"] for replica in of_one["workloads"][0]["replicas"]] == [ODD] and of_one["workloads"][0]["live_count"] == 1
    assert {case["pod"] for case in of_one["cases"]} == {ODD}
    nothing = api.get("/services/shop/pods?pod=nowhere")
    assert nothing["cases"] == [] and nothing["workloads"][0]["replicas"] == [] and nothing["workloads"][0]["live_count"] == 0
    assert api.ask("GET", "/services/shop/pods?node=x").status == 400
    assert api.ask("GET", "/services/shop/pods/decisions?limit=x").status == 400


def test_decisions_come_in_pages_and_a_broken_file_is_said(place):
    guardd, sensors, api = place
    path = guardd.state / "pods" / "shop.decisions"
    entries = [{"id": f"{i:016x}", "decision": "approve", "what": f"runs /bin/{i}", "time_ms": 1000 + i, "by": "ann", "reason": "x" * 200} for i in range(250)]

    def lay(text):
        path.with_suffix(".tmp").write_text(text)
        path.with_suffix(".tmp").rename(path)
    assert api.get("/services/shop/pods/decisions") == {"service": "shop", "total": 0, "decisions": [], "next": None}
    lay(json.dumps({"version": 1, "decisions": entries, "sessions": []}))
    found, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/services/shop/pods/decisions?limit=100{cursor}")
        found += [one["what"] for one in page["decisions"]]
        cursor = f"&cursor={page['next']}" if page["next"] else None
    assert found == [one["what"] for one in entries]
    lay('{"decisions":[{"id":"zz"}]}')
    answer = api.ask("GET", "/services/shop/pods/decisions")
    assert answer.status == 500 and "id" in json.loads(answer.body)["detail"], answer.body
