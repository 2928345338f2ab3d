# SPDX-License-Identifier: Apache-2.0
"""GuardianProfiles at a real kube-apiserver: what was learned of real traffic, written when it changed and gone when nobody asks for it."""

import json
import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guardd"))
from kubernetes.apicluster import resource  # noqa: E402
from kubernetes.operators import Operator, condition, renewals, shipped_rights, wait_for  # noqa: E402
from test_guardd import drive  # noqa: E402
from traffic import Shop  # noqa: E402

BYTES_MAX = 256 << 10
EACH_S = 5  # at most one write


@pytest.fixture
def operator(api_cluster, tmp_path):
    started = Operator(api_cluster, tmp_path / "operator", shipped_rights(api_cluster, tmp_path / "rights"),
                       pace=("--write-every", f"{EACH_S}s"))
    yield started.start()
    started.stop()
    assert "forbidden" not in started.log() and not started.said("profile-not-written")


@pytest.fixture
def served(api_cluster, namespace, operator, nginx, echo):
    """A service behind a gate, whose Guardian asks for a profile."""
    apply(api_cluster, namespace, {"control": {"mode": "alert"}, "profile": "OnChange"})
    wait_for(lambda: (operator.state / "policies" / f"{namespace}.shop.policy").exists(), "a policy")
    return nginx(f"guard_state {operator.state}; guard_policy_key {operator.state}/keys/policy.pub;\n"
                 f"server {{ listen 127.0.0.1:{{port}}; guard {namespace}.shop; location / {{ proxy_pass http://127.0.0.1:{echo.port}; }} }}")


def apply(cluster, namespace, spec):
    done = cluster.apply(resource("Guardian", "shop", spec, namespace))
    assert done.status == 0, done.err


def profile(cluster, namespace):
    return cluster.find("guardianprofiles", "shop", namespace)


def endpoints(cluster, namespace):
    """{"GET /users": {parameter: what is said of it}}"""
    found = profile(cluster, namespace)
    return {f"{one['method']} {one['template']}": {each.get("name", ""): each for each in one.get("parameters", [])}
            for one in (found or {}).get("learned", {}).get("endpoints", [])}


def is_told(cluster, namespace):
    """The operator has nothing to add, although it might have written."""
    before = profile(cluster, namespace)["metadata"]["resourceVersion"]
    renewals(cluster, EACH_S // 2 + 2)
    return profile(cluster, namespace)["metadata"]["resourceVersion"] == before


def patches(cluster):
    """How often a profile was sent so far."""
    return cluster.requests("guardianprofiles", "PATCH", "APPLY")


def test_it_is_made_changed_and_not_written_without_need(api_cluster, namespace, operator, served):
    shop = Shop(77)
    begin, before = time.monotonic(), patches(api_cluster)
    assert set(drive(served.port, shop.many(1500))) == {200}
    wait_for(lambda: (profile(api_cluster, namespace) or {}).get("learned", {}).get("ready") and "POST /orders" in endpoints(api_cluster, namespace),
             "what was learned", timeout=180)
    # It may have been written in the midst of that, and be written anew between two looks at it.
    wait_for(lambda: is_told(api_cluster, namespace), "nothing to change any more", timeout=120)
    found = profile(api_cluster, namespace)
    learned = endpoints(api_cluster, namespace)
    assert {"GET /users", "GET /search", "POST /orders"} <= set(learned) and any(name.startswith("GET /products/{") for name in learned)
    assert learned["GET /users"]["username"]["in"] == "query" and learned["GET /users"]["username"]["clients"] >= 10
    assert learned["POST /orders"]["quantity"]["types"] == ["int"] and learned["POST /orders"]["quantity"]["required"]
    assert found["learned"]["endpointCount"] == len(learned) and found["learned"]["exchanges"] in (100, 1000)
    # Shapes, no values: not a single one of those that were sent.
    text = json.dumps(found)
    assert len(text) <= BYTES_MAX and not [word for word in ("tom", "anna", "umbrella", "Bern", "shop.example") if word in text]
    owner = found["metadata"]["ownerReferences"]
    assert [(one["kind"], one["name"], one["controller"]) for one in owner] == [("Guardian", "shop", True)]
    assert owner[0]["uid"] == api_cluster.get("gd", "shop", "-n", namespace)["metadata"]["uid"]
    assert "profile" not in operator.guardian(f"{namespace}.shop")  # it's no part of the document
    shown = api_cluster.kubectl("get", "gdp", "-n", namespace).out.splitlines()
    assert shown[0].split() == ["NAME", "READY", "ENDPOINTS", "AGE"] and shown[1].split()[:2] == ["shop", "true"]
    # Another operator begins with what it doesn't know of, and changes nothing by it, when all is said.
    operator.stop()
    sent, version = patches(api_cluster), profile(api_cluster, namespace)["metadata"]["resourceVersion"]
    operator.start()
    wait_for(lambda: patches(api_cluster) > sent, "the new one to say it again", timeout=120)
    assert profile(api_cluster, namespace)["metadata"]["resourceVersion"] == version
    # Something new, of many clients.
    new = [shop.exchange("GET", f"/wishes/{number}?sort={('name', 'price')[number % 2]}") for number in range(600)]
    assert set(drive(served.port, new)) == {200}
    wait_for(lambda: any(name.startswith("GET /wishes/") for name in endpoints(api_cluster, namespace)), "the new endpoint", timeout=240)
    # The first of each of two operators, and one in each such time.
    assert patches(api_cluster) - before <= 2 + (time.monotonic() - begin) / EACH_S
    # Nobody asks any more.
    apply(api_cluster, namespace, {"control": {"mode": "alert"}, "profile": "Never"})
    wait_for(lambda: profile(api_cluster, namespace) is None, "it to go", timeout=120)
    wait_for(lambda: "profile" not in api_cluster.get("gd", "shop", "-n", namespace)["status"], "the status to say so", timeout=120)


def test_what_it_may_say_is_refused_by_its_path(api_cluster, namespace):
    done = api_cluster.kubectl("create", "--validate=false", "-f", "-", text=json.dumps(resource("Guardian", "bad", {"profile": "Always"}, namespace)))
    assert done.status != 0 and "spec.profile" in done.err


def test_nothing_is_written_for_who_does_not_ask(api_cluster, namespace, operator):
    before = patches(api_cluster)
    apply(api_cluster, namespace, {})
    wait_for(lambda: condition(api_cluster.get("gd", "shop", "-n", namespace)).get("status") == "True", "the status", timeout=120)
    assert profile(api_cluster, namespace) is None and patches(api_cluster) == before
