# SPDX-License-Identifier: Apache-2.0
"""guardd as an operator against a real kube-apiserver, with the rights that are shipped and no others."""

import json
import os
import signal
import subprocess
import time

import pytest
import yaml
from harness import BIN
from kubernetes.apicluster import resource
from kubernetes.operators import Operator, condition, renewals, shipped_rights, wait_for


@pytest.fixture(scope="module")
def rights(api_cluster, tmp_path_factory):
    return shipped_rights(api_cluster, tmp_path_factory.mktemp("rights"))


@pytest.fixture
def operators(api_cluster, rights, tmp_path):
    started = []

    def make(**options):
        started.append(Operator(api_cluster, tmp_path / f"operator{len(started)}", rights, **options))
        return started[-1].start()

    yield make
    for operator in started:
        if operator.process.poll() is None:
            operator.process.send_signal(signal.SIGCONT)
        operator.stop()
    assert not any("forbidden" in operator.log()[operator.excused:] for operator in started)


def test_a_guardian_is_in_force_and_says_so(api_cluster, namespace, operators):
    operator = operators()
    assert api_cluster.apply(resource("Guardian", "shop", {"control": {"mode": "block"}}, namespace)).status == 0
    service = f"{namespace}.shop"
    wait_for(lambda: (operator.state / "policies" / f"{service}.policy").exists(), "a policy")
    assert operator.guardian(service)["control"]["mode"] == "block"
    stored = wait_for(lambda: (lambda it: condition(it).get("status") == "True" and it)(api_cluster.get("gd", "shop", "-n", namespace)),
                      "the status")
    assert stored["status"]["mode"] == "block" and stored["status"]["service"] == service
    assert condition(stored, "Enforcing")["status"] == "True" and condition(stored, "Learned")["status"] == "False"
    assert condition(stored, "NotInPath")["status"] == "Unknown" and condition(stored)["observedGeneration"] == 1
    assert stored["metadata"]["generation"] == 1
    # Gone: what the cluster says of services without one holds.
    assert api_cluster.kubectl("delete", "gd", "shop", "-n", namespace).status == 0
    wait_for(lambda: operator.guardian(service)["control"]["mode"] == "alert", "the default")
    # It came and went while no operator was there.
    operator.stop()
    assert api_cluster.apply(resource("Guardian", "shop", {"control": {"mode": "observe"}}, namespace)).status == 0
    operator.start()
    wait_for(lambda: operator.guardian(service)["control"]["mode"] == "observe", "the new one")


def test_what_is_refused_is_told_by_its_path_and_the_last_good_one_stays(api_cluster, namespace, operators):
    def nested(word):
        return {"patches": [{"id": "p", "when": {"not": {"not": {"not": {"in": ["body"], word: ["x"]}}}}}]}
    operator = operators()
    service = f"{namespace}.shop"
    assert api_cluster.apply(resource("Guardian", "shop", nested("contains"), namespace)).status == 0
    wait_for(lambda: operator.guardian(service)["patches"][0]["id"] == "p", "the good one")
    good = operator.guardian(service)
    # Deeper than the definition goes: only guardd sees it.
    assert api_cluster.apply(resource("Guardian", "shop", nested("contians"), namespace)).status == 0
    stored = wait_for(lambda: (lambda it: condition(it).get("reason") == "Refused" and it)(api_cluster.get("gd", "shop", "-n", namespace)),
                      "the refusal", timeout=120)
    assert condition(stored)["status"] == "False" and "contians" in condition(stored)["message"]
    assert condition(stored)["message"].startswith("spec.patches[0].when.not"), condition(stored)
    assert operator.guardian(service) == good
    told = wait_for(lambda: [item for item in api_cluster.get("events.events.k8s.io", "-n", namespace)["items"]
                             if item["reason"] == "GuardianRefused"], "the event")
    assert told[0]["regarding"]["name"] == "shop" and told[0]["type"] == "Warning" and "contians" in told[0]["note"]


def test_defaults_are_inherited_and_the_floor_holds(api_cluster, namespace, operators):
    operator = operators()
    patch = {"id": "cluster-wide", "mode": "enforce", "mandatory": True, "when": {"in": ["body"], "contains": ["x"]}}
    mine = {"id": "cluster-wide", "mode": "off", "when": {"in": ["body"], "contains": ["y"]}}
    service = f"{namespace}.shop"
    try:
        assert api_cluster.apply([
            resource("GuardianDefault", "default", {"control": {"mode": "observe", "support": 2}}, namespace),
            resource("Guardian", "shop", {"control": {"failure": "closed"}}, namespace)]).status == 0
        wait_for(lambda: (operator.guardian(service) or {}).get("control", {}).get("mode") == "observe", "the namespace's mode")
        assert operator.guardian(service)["control"]["support"] == 2 and operator.guardian(service)["control"]["failure"] == "closed"
        floor = {"floor": {"parts": {"request": "block", "response": "alert"}, "patches": [patch]}}
        assert api_cluster.apply([
            resource("ClusterGuardian", "cluster", floor), resource("ClusterGuardian", "other", {}),
            resource("Guardian", "shop", {"control": {"mode": "observe"}, "patches": [mine], "configured": {"endpoints": [
                {"path": "/a", "mode": "observe"}]}}, namespace)]).status == 0
        wait_for(lambda: len(operator.guardian(service).get("patches", [])) == 1 and "configured" in operator.guardian(service), "the floor")
        held = operator.guardian(service)
        assert held["control"]["parts"]["request"] == "block" and held["control"]["parts"]["response"] == "alert"
        assert held["configured"]["endpoints"][0]["mode"] == "block"
        assert held["patches"][0]["mode"] == "enforce"
        wait_for(lambda: condition(api_cluster.get("cgd", "cluster")).get("status") == "True", "the floor's status")
        assert wait_for(lambda: condition(api_cluster.get("cgd", "other")).get("message"), "the other's") == \
            "metadata.name: only the one named cluster holds"
    finally:
        api_cluster.kubectl("delete", "cgd", "--all")
    wait_for(lambda: "block" not in operator.guardian(service)["control"].get("parts", {}).values(), "no floor")


def test_a_guardian_that_is_refused_is_no_way_below_the_floor(api_cluster, namespace, operators):
    operator = operators()
    wrong = {"control": {"mode": "observe"}, "patches": [{"id": "p", "when": {"not": {"not": {"not": {"in": ["body"], "contians": ["x"]}}}}}]}
    patch = {"id": "cluster-wide", "mode": "enforce", "when": {"in": ["body"], "contains": ["x"]}}
    last, fresh = f"{namespace}.last", f"{namespace}.fresh"
    try:
        assert api_cluster.apply(resource("Guardian", "last", {"control": {"mode": "observe", "support": 2}}, namespace)).status == 0
        wait_for(lambda: operator.guardian(last), "the good one")
        assert api_cluster.apply([resource("Guardian", name, wrong, namespace) for name in ("last", "fresh")]).status == 0
        wait_for(lambda: operator.said("guardian-refused") >= 2, "the refusals")
        assert operator.guardian(last)["control"]["mode"] == "observe"
        floor = {"floor": {"parts": {"request": "block"}, "patches": [patch]}}
        assert api_cluster.apply(resource("ClusterGuardian", "cluster", floor)).status == 0
        for service in (last, fresh):
            wait_for(lambda name=service: (operator.guardian(name) or {}).get("patches"), f"the floor of {service}")
            held = operator.guardian(service)
            assert held["control"]["parts"]["request"] == "block" and [it["id"] for it in held["patches"]] == ["cluster-wide"]
        assert operator.guardian(last)["control"]["support"] == 2  # the last good one goes on otherwise
    finally:
        api_cluster.kubectl("delete", "cgd", "--all")


def test_attacks_are_events_and_counted(api_cluster, namespace, operators, nginx, echo):
    operator = operators()
    service = f"{namespace}.shop"
    spec = {"control": {"mode": "block"}, "configured": {"headers": [{"in": "header", "name": "x-debug", "forbidden": True}]}}
    assert api_cluster.apply(resource("Guardian", "shop", spec, namespace)).status == 0
    wait_for(lambda: (operator.state / "policies" / f"{service}.policy").exists(), "a policy")
    gate = nginx(f"guard_state {operator.state}; guard_policy_key {operator.state}/keys/policy.pub;\n"
                 f"server {{ listen 127.0.0.1:{{port}}; guard {service}; location / {{ proxy_pass http://127.0.0.1:{echo.port}; }} }}")
    wait_for(lambda: gate.curl("/", "-H", "x-debug: 1").status == 403, "the block")
    wait_for(lambda: api_cluster.get("gd", "shop", "-n", namespace)["status"].get("alerts", 0) > 0, "the count", timeout=120)
    def events():
        return [item for item in api_cluster.get("events.events.k8s.io", "-n", namespace)["items"] if item["reason"] == "AttackBlocked"]
    wait_for(events, "the event")
    for _ in range(5):
        assert gate.curl("/", "-H", "x-debug: 1").status == 403
    # The same one goes on as a series, when events may be written again.
    def series():
        return (events()[0].get("series") or {}).get("count", 0)
    wait_for(lambda: series() >= 5, lambda: f"five of the series: {events()}", timeout=120)
    assert len(events()) == 1


def test_the_floor_holds_for_what_learning_needs(api_cluster, namespace, operators):
    operator = operators()
    service = f"{namespace}.shop"
    mine = {"mode": "block", "learn": "paused", "falseAlarmBudget": 1e-9, "support": 1}
    try:
        floor = {"floor": {"parts": {"request": "block"}, "learn": "on", "falseAlarmBudget": 1e-5, "support": 3}}
        assert api_cluster.apply([resource("ClusterGuardian", "cluster", floor), resource("Guardian", "shop", {"control": mine}, namespace)]).status == 0
        held = wait_for(lambda: (lambda it: it and it["control"]["support"] == 3 and it["control"])(operator.guardian(service)), "the floor")
        assert held["learn"] in ("on", True) and float(held["falseAlarmBudget"]) == 1e-5, held
    finally:
        api_cluster.kubectl("delete", "cgd", "--all")
    wait_for(lambda: operator.guardian(service)["control"]["support"] == 1, "what the Guardian says without a floor")
    assert operator.guardian(service)["control"]["learn"] == "paused"


def test_a_namespace_that_makes_too_many_is_told_and_others_have_theirs(api_cluster, namespace, operators):
    operator = operators()
    share = 256
    other = f"{namespace[:40]}-z"
    assert api_cluster.kubectl("create", "namespace", other).status == 0
    many = [resource("Guardian", f"shop-{number:03}", {"control": {"mode": "block"}}, namespace) for number in range(share + 2)]
    for one in many:
        api_cluster.ask("POST", f"/apis/guard.security/v1alpha1/namespaces/{namespace}/guardians", one)
    assert api_cluster.apply(resource("Guardian", "shop", {"control": {"mode": "block"}}, other)).status == 0
    wait_for(lambda: operator.guardian(f"{other}.shop"), "the other namespace's", timeout=120)
    wait_for(lambda: len(list((operator.state / "guardians").glob(f"{namespace}.*.yaml"))) == share, "the share", timeout=120)

    def beyond():
        found = [condition(item) for item in api_cluster.get("gd", "-n", namespace)["items"]]
        return [it for it in found if it.get("reason") == "BeyondShare"]
    wait_for(lambda: len(beyond()) == 2, "the others to be told", timeout=120)
    assert beyond()[0]["status"] == "False" and "at most 256 services" in beyond()[0]["message"]
    for one in many:
        api_cluster.ask("DELETE", f"/apis/guard.security/v1alpha1/namespaces/{namespace}/guardians/{one['metadata']['name']}")


def test_the_lease_is_given_up_at_the_end_also_in_the_middle_of_a_renewal(api_cluster, operators):
    operator = operators()
    wait_for(operator.leads, "it to lead")
    server = int((api_cluster.folder / "pids/kube-apiserver").read_text().split()[0])

    def asked():
        """Something that the stopped server hasn't read yet."""
        done = subprocess.run(api_cluster.command("cat", "/proc/net/tcp", "/proc/net/tcp6"), capture_output=True, text=True, env=api_cluster.env, check=True)
        rows = [line.split() for line in done.stdout.splitlines()]
        return any(len(row) > 4 and row[1].endswith(":01BB") and row[3] == "01" and int(row[4].split(":")[1], 16) > 0 for row in rows)
    os.kill(server, signal.SIGSTOP)
    try:
        wait_for(asked, "a renewal to be under way")
        operator.process.terminate()
    finally:
        os.kill(server, signal.SIGCONT)
    operator.stop()
    assert api_cluster.get("lease", "guard-operator", "-n", "guard-system")["spec"].get("holderIdentity", "") == ""


def test_one_of_two_leads_and_the_other_takes_over(api_cluster, namespace, operators):
    first = operators()
    wait_for(first.leads, "the first to lead")
    second = operators()
    service = f"{namespace}.shop"
    assert api_cluster.apply(resource("Guardian", "shop", {"control": {"mode": "block"}}, namespace)).status == 0
    wait_for(lambda: first.guardian(service), "the leader's file")
    assert not second.leads() and second.guardian(service) is None
    first.process.send_signal(signal.SIGSTOP)
    wait_for(second.leads, "the second to lead")
    wait_for(lambda: second.guardian(service), "its file")
    assert api_cluster.apply(resource("Guardian", "shop", {"control": {"mode": "observe"}}, namespace)).status == 0
    wait_for(lambda: second.guardian(service)["control"]["mode"] == "observe", "the change")
    first.process.send_signal(signal.SIGCONT)
    wait_for(lambda: not first.leads(), "the first to follow")
    assert first.guardian(service)["control"]["mode"] == "block"  # it wrote nothing after its time
    second.process.kill()
    second.process.wait()
    wait_for(first.leads, "the first to lead again")
    wait_for(lambda: first.guardian(service)["control"]["mode"] == "observe", "what it missed")
    begin = time.monotonic()
    first.stop()
    third = operators()
    wait_for(third.leads, "the third to lead")
    assert time.monotonic() - begin < 15 or os.getloadavg()[0] > 2  # the lease was given up, not waited for


def test_one_that_follows_asks_as_often_as_the_leader_renews(api_cluster, operators):
    first = operators()
    wait_for(first.leads, "the first to lead")
    second = operators()
    wait_for(lambda: second.said("started"), "the second")
    looks, renewals = 0, set()

    def reads():
        return api_cluster.requests("leases", "GET")

    def renewed():
        nonlocal looks
        looks += 1
        renewals.add(api_cluster.get("lease", "guard-operator", "-n", "guard-system")["spec"]["renewTime"])
        return len(renewals) > 3
    before = reads()
    wait_for(renewed, "three renewals")
    assert not second.leads()
    # A read in two seconds of each that doesn't lead, and those of the server's own that are there.
    assert reads() - before - looks <= 30


def test_it_goes_on_after_the_apiserver_was_away(api_cluster, namespace, operators):
    operator = operators()
    service = f"{namespace}.shop"
    assert api_cluster.apply(resource("Guardian", "shop", {"control": {"mode": "block"}}, namespace)).status == 0
    wait_for(lambda: operator.guardian(service), "its file")
    assert "forbidden" not in operator.log()
    os.kill(int((api_cluster.folder / "pids/kube-apiserver").read_text().split()[0]), signal.SIGKILL)
    wait_for(lambda: operator.said("cluster-away"), "it to notice")
    done = api_cluster.up()
    assert done.status == 0, done.err
    wait_for(lambda: api_cluster.apply(resource("Guardian", "shop", {"control": {"mode": "observe"}}, namespace)).status == 0, "the change")
    wait_for(lambda: operator.guardian(service)["control"]["mode"] == "observe", "it to follow", timeout=120)
    wait_for(lambda: operator.said("cluster-back"), "it to say so")
    operator.excused = len(operator.log())  # a server that has just begun refuses everybody until it has read its roles


def test_many_changes_are_few_writes(api_cluster, namespace, operators):
    """As shipped: one in half a minute."""
    seen = set()

    def look():
        status = api_cluster.get("gd", "shop", "-n", namespace).get("status", {})
        seen.add(json.dumps(status, sort_keys=True))
        return status
    operator = operators(pace=())
    wait_for(operator.leads, "it to lead")
    begin = time.monotonic()
    for mode in ("block", "alert", "block", "observe"):
        assert api_cluster.apply(resource("Guardian", "shop", {"control": {"mode": mode}}, namespace)).status == 0
        wait_for(lambda: look() and operator.guardian(f"{namespace}.shop")["control"]["mode"] == mode, "the change", timeout=120)
    renewals(api_cluster, 5, look)  # it would have told the last change by now
    assert len(seen) <= 2 + (time.monotonic() - begin) / 30  # none, the first, one each half minute


@pytest.mark.parametrize("verb, what, allowed", [
    ("list", "guardians", True), ("patch", "guardians/status", True),
    ("patch", "guardianprofiles", True), ("create", "guardianprofiles", True),
    ("delete", "guardianprofiles", True), ("list", "guardianprofiles", False),
    ("create", "events", True), ("create", "tokenreviews", True),
    ("update", "guardians", False), ("delete", "guardians", False), ("patch", "guardians", False),
    ("get", "secrets", False), ("get", "pods", True), ("list", "pods", True), ("watch", "pods", False),
    ("list", "services", True), ("get", "services", False), ("list", "endpoints", False), ("delete", "pods", False), ("create", "pods", False),
    ("get", "configmaps", False), ("update", "clusterguardians", False), ("create", "clusterroles", False),
])
def test_the_shipped_rights_are_the_least(api_cluster, rights, verb, what, allowed):
    assert api_cluster.may("guard-system:guardd", verb, what) == allowed


def test_it_trusts_no_other_authority_than_the_one_it_is_told(api_cluster, rights, tmp_path):
    """The cluster's own is among those that the system trusts, and the kubeconfig names another one."""
    system, other = tmp_path / "certs", tmp_path / "other.crt"
    system.mkdir()
    own = (api_cluster.folder / "pki/ca.crt").read_text()
    name = subprocess.run(["openssl", "x509", "-noout", "-subject_hash"], input=own, capture_output=True, text=True, check=True).stdout.strip()
    (system / f"{name}.0").write_text(own)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other",
                    "-keyout", tmp_path / "other.key", "-out", other], capture_output=True, check=True)
    config = yaml.safe_load(rights.read_text())
    config["clusters"][0]["cluster"]["certificate-authority"] = str(other)
    config["users"][0]["user"]["tokenFile"] = str(rights.parent / "token")
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    operator = Operator(api_cluster, tmp_path / "operator", tmp_path / "kubeconfig",
                        program=("unshare", "-m", "sh", "-c", f'mount --bind {system} /etc/ssl/certs && exec "$@"', "sh", BIN / "guardd"))
    operator.start()
    try:
        wait_for(lambda: operator.said("cluster-away") or operator.leads(), "it to try")
        assert "certificate" in operator.log() and not operator.leads()
    finally:
        operator.stop()
