# SPDX-License-Identifier: Apache-2.0
"""The custom resources: what they say is what the schema of Guardians says, and a real apiserver holds objects to it."""

import functools
import json
import subprocess
import sys

import pytest
import yaml
from kubernetes.apicluster import CRDS, resource
from harness import ROOT

KINDS = ("guardians", "guardiandefaults", "clusterguardians", "guardianprofiles")
FULL = {
    "control": {"mode": "block", "parts": {"request": "block", "response": "alert", "time": "alert", "client": "alert"}, "learn": "on",
                "falseAlarmBudget": 0.0001, "support": 4, "failure": "open"},
    "learned": {"pile": "a" * 64},
    "configured": {
        "endpoints": [{"path": "/users/{}", "methods": ["GET"], "mode": "alert", "maxBody": 100, "contentTypes": ["application/json"],
                       "closed": True, "parameters": [{"in": "query", "name": "q", "types": ["int"], "maxLength": 9}],
                       "response": {"statuses": [200, "4xx"], "failures": {"leaks": {"forbidden": ["sql-error"]}}}}],
        "headers": [{"in": "header", "name": "x-debug", "forbidden": True}],
        "response": {"leaks": {"forbidden": ["private-key"]}}},
    "patches": [{"id": "p1", "expires": "2027-01-01", "references": ["CVE-1"], "scope": {"methods": ["POST"]},
                 "when": {"all": [{"in": ["query"], "contains": ["x"]}, {"not": {"in": ["json"], "regex": "a+"}}]}}],
}


@functools.cache
def load(folder, kind):
    return yaml.load((CRDS / folder / f"{kind}.yaml").read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def schema_of(folder, kind):
    return load(folder, kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def walk(node, path=""):
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    if "items" in node:
        yield from walk(node["items"], path + "[]")


def test_files_are_as_made():
    done = subprocess.run([sys.executable, str(ROOT / "tools/crds.py"), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def members(node, root, levels=0):
    """Paths of all members of a JSON schema, conditions as deep as the definition has them."""
    if "$ref" in node:
        if node["$ref"].endswith("/condition"):
            levels += 1
            if levels > 3:
                return set()
        target = root
        for part in node["$ref"][2:].split("/"):
            target = target[part]
        return members(target, root, levels)
    found = set()
    for name, child in node.get("properties", {}).items():
        found |= {name} | {f"{name}.{below}" for below in members(child, root, levels)}
    for choice in [node.get("items", {}), *node.get("oneOf", []), *node.get("anyOf", [])]:
        if choice:
            found |= members(choice, root, levels)
    return found


@pytest.mark.parametrize("folder", ["crds", "crds-plain"])
def test_every_member_of_a_guardian_is_there(folder):
    root = json.loads((ROOT / "docs/api/guardian.schema.json").read_text())
    wanted = members(root, root) - {"apiVersion", "kind", "service"} | {"profile"}
    spec = schema_of(folder, "guardians")["properties"]["spec"]
    assert members(spec, spec) == wanted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("folder", ["crds", "crds-plain"])
def test_all_that_grows_is_bounded(folder, kind):
    for path, node in walk(schema_of(folder, kind)):
        if path in ("", ".apiVersion", ".kind", ".metadata"):
            continue
        if node.get("type") == "array":
            assert node["maxItems"] <= 2048 and node["x-kubernetes-list-type"] in ("map", "atomic"), path
        if node.get("type") == "string":
            assert "enum" in node or node["maxLength"] <= 4096, path
        for rule in node.get("x-kubernetes-validations", []):
            assert rule["message"], path
    text = json.dumps(load(folder, kind))
    assert ("x-kubernetes-validations" in text) == (folder == "crds" and kind != "guardianprofiles")  # which people don't write


def test_the_forms_differ_by_validations_alone():
    def plain(node):
        if isinstance(node, dict):
            return {key: plain(value) for key, value in node.items() if key != "x-kubernetes-validations"}
        return [plain(item) for item in node] if isinstance(node, list) else node
    for kind in KINDS:
        assert plain(load("crds", kind)) == load("crds-plain", kind)


def test_a_full_guardian_is_taken_as_it_is(api_cluster, namespace):
    done = api_cluster.apply(resource("Guardian", "shop", FULL, namespace))
    assert done.status == 0, done.err
    stored = api_cluster.get("gd", "shop", "-n", namespace)["spec"]
    assert stored["patches"][0].pop("part") == "request" and stored["patches"][0].pop("mode") == "shadow"
    assert stored["patches"][0].pop("action") == "block"
    assert stored == FULL


@pytest.mark.parametrize("spec, where", [
    ({"control": {"mode": "off"}}, "spec.control.mode"),
    ({"control": {"support": 5}}, "spec.control.support"),
    ({"control": {"falseAlarmBudget": 1}}, "spec.control.falseAlarmBudget"),
    ({"configured": {"endpoints": [{"path": "/a"}, {"path": "b"}]}}, "spec.configured.endpoints.path"),
    ({"configured": {"endpoints": [{"methods": ["GET"]}]}}, "spec.configured.endpoints.path"),
    ({"configured": {"headers": [{"in": "query", "name": "q"}]}}, "spec.configured.headers.in"),
    ({"configured": {"response": {"statuses": ["6xx"]}}}, "spec.configured.response.statuses"),
    ({"patches": [{"id": "a"}]}, "spec.patches.when"),
    ({"patches": [{"id": "a", "when": {}}, {"id": "a", "when": {}}]}, "spec.patches[1]"),
    ({"patches": [{"id": "a", "when": {"regex": "a" * 5000}}]}, "spec.patches.when.regex"),
    ({"learned": {"pile": "xyz"}}, "spec.learned.pile"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_bad_members_are_refused_by_their_path(api_cluster, spec, where):
    done = api_cluster.kubectl("create", "--validate=false", "-f", "-", text=json.dumps(resource("Guardian", "bad", spec, "default")))
    assert done.status != 0 and where in done.err, done.err


def test_on_without_quotes_is_taken(api_cluster, namespace):
    text = f"apiVersion: guard.security/v1alpha1\nkind: Guardian\nmetadata: {{name: a, namespace: {namespace}}}\n" \
           "spec:\n  control: {learn: on}\n"
    assert api_cluster.kubectl("create", "-f", "-", text=text).status == 0
    assert api_cluster.get("gd", "a", "-n", namespace)["spec"]["control"]["learn"] is True


def test_two_managers_own_patches_of_their_own(api_cluster, namespace):
    def patch(name, mode):
        return resource("Guardian", "shop", {"patches": [{"id": name, "mode": mode, "when": {"present": True, "in": ["body"]}}]}, namespace)
    assert api_cluster.apply(patch("a", "shadow"), "--field-manager=one").status == 0
    done = api_cluster.apply(patch("b", "shadow"), "--field-manager=two")
    assert done.status == 0, done.err
    assert [item["id"] for item in api_cluster.get("gd", "shop", "-n", namespace)["spec"]["patches"]] == ["a", "b"]
    done = api_cluster.apply(patch("a", "enforce"), "--field-manager=two")
    assert done.status != 0 and "conflict with \"one\"" in done.err and ".spec.patches" in done.err, done.err


def test_status_is_apart_from_the_spec_and_shown(api_cluster, namespace):
    assert api_cluster.apply(resource("Guardian", "shop", {}, namespace)).status == 0
    body = {"spec": {"control": {"mode": "block"}}, "status": {"mode": "alert", "alerts": 3, "conditions": [
                {"type": "Ready", "status": "True", "reason": "Published", "message": "in force", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}
    path = f"/apis/guard.security/v1alpha1/namespaces/{namespace}/guardians/shop/status?fieldManager=test"
    done = api_cluster.kit("exec", api_cluster.folder, "curl", "-sS", "--cacert", api_cluster.folder / "pki/ca.crt", "--cert",
                           api_cluster.folder / "pki/admin.crt", "--key", api_cluster.folder / "pki/admin.key", "-X", "PATCH", "-H",
                           "Content-Type: application/merge-patch+json", "-d", json.dumps(body), "https://127.0.0.1" + path)
    stored = json.loads(done.out)
    assert stored["spec"] == {} and stored["metadata"]["generation"] == 1 and stored["status"]["alerts"] == 3, done.out
    shown = api_cluster.kubectl("get", "gd", "-n", namespace).out.split("\n")
    assert shown[0].split() == ["NAME", "MODE", "READY", "LEARNED", "ALERTS", "AGE"] and shown[1].split()[:4] == ["shop", "alert", "True", "3"]
