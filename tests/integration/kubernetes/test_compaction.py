# SPDX-License-Identifier: Apache-2.0
"""What an operator can't be told any more, since etcd has dropped it: a real kube-apiserver says 410 as an event of a watch, and as the
answer to the rest of a list. Nothing is missed after either, and nothing is told twice."""

import json
import os
import signal
import subprocess

import pytest
from kubernetes.api_relay import Relay
from kubernetes.apicluster import OURS, resource
from kubernetes.operators import Operator, condition, renewals, shipped_rights, wait_for

# Deeper than the definition goes: only guardd sees it.
WRONG = {"patches": [{"id": "p", "when": {"not": {"not": {"not": {"in": ["body"], "contians": ["x"]}}}}}]}
PAGE = 200  # objects of a page of a list


@pytest.fixture
def relayed(api_cluster, tmp_path):
    """An operator with a network of its own, not begun yet."""
    relay = Relay(api_cluster, tmp_path / "relay", shipped_rights(api_cluster, tmp_path / "rights"))
    operator = Operator(api_cluster, tmp_path / "operator", relay.kubeconfig)
    operator.relay = relay
    try:
        yield operator
    finally:
        operator.stop()
        relay.stop()


def etcd(cluster, path, body):
    done = subprocess.run(cluster.command("curl", "-sS", "--fail-with-body", "-d", json.dumps(body), f"http://127.0.0.1:2379/v3/{path}"),
                          capture_output=True, text=True, env=cluster.env, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def compact(cluster):
    """etcd forgets all that was before now."""
    revision = etcd(cluster, "kv/range", {"key": "AA=="})["header"]["revision"]
    etcd(cluster, "kv/compaction", {"revision": revision, "physical": True})
    return int(revision)


def restart(cluster):
    """The API server, which kept some of what etcd forgot."""
    os.kill(int((cluster.folder / "pids/kube-apiserver").read_text().split()[0]), signal.SIGKILL)
    cluster.end_proxy()
    done = cluster.up()
    assert done.status == 0, done.err
    wait_for(lambda: cluster.find("guardians") is not None, "it to serve", timeout=120)


def watched_over(cluster, port):
    """How many connections to that port the kernel asks after while nothing comes."""
    done = subprocess.run(cluster.command("cat", "/proc/net/tcp"), capture_output=True, text=True, env=cluster.env, check=True)
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "01" and row[5].startswith("02:") for row in rows)


def put(cluster, namespace, name, mode):
    done = cluster.apply(resource("Guardian", name, {"control": {"mode": mode}}, namespace))
    assert done.status == 0, done.err


def test_a_watch_that_is_too_old_misses_and_doubles_nothing(api_cluster, namespace, relayed):
    operator, relay = relayed.start(), relayed.relay

    def mode(name):
        document = operator.guardian(f"{namespace}.{name}")
        return document and document.get("control", {}).get("mode")
    for name in ("stays", "changes", "goes"):
        put(api_cluster, namespace, name, "block")
    bad = resource("Guardian", "wrong", WRONG, namespace)
    assert api_cluster.apply(bad).status == 0
    wait_for(lambda: all(mode(name) == "block" for name in ("stays", "changes", "goes")), "their files")
    wait_for(lambda: condition(api_cluster.get("gd", "wrong", "-n", namespace)).get("reason") == "Refused", "the refusal")
    wait_for(lambda: all(condition(api_cluster.get("gd", name, "-n", namespace)).get("status") == "True" for name in ("stays", "changes", "goes")), "statuses")
    # And that of its first canaries, which come by their own time.
    wait_for(lambda: condition(api_cluster.get("gd", "stays", "-n", namespace), "NotInPath")["message"] != "no gate saw an exchange", "what canaries found")
    renewals(api_cluster, 2)
    assert watched_over(api_cluster, int((relay.folder / "port").read_text())) >= 3  # one of each kind
    stays = api_cluster.get("gd", "stays", "-n", namespace)["metadata"]["resourceVersion"]
    relay.cut()
    try:
        put(api_cluster, namespace, "changes", "alert")
        put(api_cluster, namespace, "changes", "observe")
        put(api_cluster, namespace, "comes", "alert")
        api_cluster.ask("DELETE", f"/{OURS}/namespaces/{namespace}/guardians/goes")
        compact(api_cluster)
        restart(api_cluster)
        compact(api_cluster)
        seen = len(relay.passed())
    finally:
        relay.heal(lost=True)  # no event of before comes any more
    wait_for(lambda: mode("changes") == "observe" and mode("comes") == "alert" and mode("goes") != "block", "what it missed", timeout=120)
    gone = [one for one in relay.passed()[seen:] if "/guardians?watch=1" in one["path"] and '"code":410' in one["answer"]]
    assert gone and gone[0]["status"] == 200 and '"type":"ERROR"' in gone[0]["answer"], relay.passed()[seen:]
    wait_for(lambda: condition(api_cluster.get("gd", "comes", "-n", namespace)).get("status") == "True", "its status", timeout=120)
    wait_for(lambda: operator.said("cluster-back") or not operator.said("cluster-away"), "it to be well")
    renewals(api_cluster, 2)
    assert mode("stays") == "block"
    events = [one for one in api_cluster.get("events", "-n", namespace)["items"] if one["reason"] == "GuardianRefused"]
    assert len(events) == 1, events
    # It may say the same again after it was cut off, which changes nothing.
    assert api_cluster.get("gd", "stays", "-n", namespace)["metadata"]["resourceVersion"] == stays
    operator.excused = len(operator.log())


def test_the_rest_of_a_list_that_is_gone_is_listed_from_its_begin(api_cluster, namespace, relayed):
    names = [f"g-{number:03}" for number in range(PAGE + 20)]
    for name in names:
        api_cluster.ask("POST", f"/{OURS}/namespaces/{namespace}/guardians", resource("Guardian", name, {"control": {"mode": "alert"}}, namespace))
    relay = relayed.relay
    relay.hold("GET", "continue=")
    operator = relayed.start()
    try:
        wait_for(relay.held, "the rest of the list to be asked for")
        last = names[-1]
        api_cluster.ask("DELETE", f"/{OURS}/namespaces/{namespace}/guardians/{names[0]}")
        api_cluster.ask("PATCH", f"/{OURS}/namespaces/{namespace}/guardians/{last}", {"spec": {"control": {"mode": "block"}}},
                        "application/merge-patch+json")
        compact(api_cluster)
        relay.release()
        files = operator.state / "guardians"
        wait_for(lambda: len(list(files.glob(f"{namespace}.*.yaml"))) >= len(names) - 1, "all that are there", timeout=180)
        lists = relay.passed("GET", "/guardians?limit=")
        assert [one["status"] for one in lists if "continue=" in one["path"]][0] == 410, [(one["path"], one["status"]) for one in lists]
        wait_for(lambda: (operator.guardian(f"{namespace}.{last}") or {}).get("control", {}).get("mode") == "block", "the last one")
        assert sorted(file.name for file in files.glob(f"{namespace}.*.yaml")) == [f"{namespace}.{name}.yaml" for name in names[1:]]
    finally:
        relay.release()
        for name in names:
            api_cluster.send("DELETE", f"/{OURS}/namespaces/{namespace}/guardians/{name}")
