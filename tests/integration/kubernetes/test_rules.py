# SPDX-License-Identifier: Apache-2.0
"""The validations in CEL that the definitions carry, evaluated by an implementation of CEL, since the API server that is here knows none: each
parses, says yes to what is right and no to what isn't, and as guardd itself does. The API server's own estimate of what rules cost, and its
types, aren't in it."""

import json
import shutil
import subprocess
import sys

import pytest
import yaml
from harness import BIN, ROOT
from kubernetes.test_crds import FULL, KINDS, schema_of

PACKAGE = ROOT / "ui" / "package.json"
EVALUATOR = ROOT / "tests" / "integration" / "kubernetes" / "cel.mjs"
RANGE = "min must not exceed max"


@pytest.fixture(scope="module")
def cel():
    if shutil.which("node") is None or not (PACKAGE.parent / "node_modules/@bufbuild/cel").exists():
        print("***** SKIPPED: no rule of CEL was evaluated: node or its package isn't there (tools/ui.sh) *****", file=sys.__stderr__)
        pytest.skip("node or the package @bufbuild/cel isn't there")

    node = subprocess.Popen(["node", EVALUATOR, PACKAGE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def evaluate(asked):
        """[true, false or what is wrong] of (rule, self)."""
        node.stdin.write(json.dumps([{"rule": rule, "self": of} for rule, of in asked]) + "\n")
        node.stdin.flush()
        return json.loads(node.stdout.readline())
    yield evaluate
    node.stdin.close()
    assert node.wait(timeout=60) == 0


def rules_of(schema, value, path=""):
    """(path, rule, message, what it is asked of) of all rules that hold for a value, as the API server finds them."""
    for rule in schema.get("x-kubernetes-validations", []):
        yield path, rule["rule"], rule["message"], value
    if isinstance(value, dict):
        for name, child in value.items():
            yield from rules_of(schema.get("properties", {}).get(name, {}), child, f"{path}.{name}")
    elif isinstance(value, list):
        for i, child in enumerate(value):
            yield from rules_of(schema.get("items", {}), child, f"{path}[{i}]")


def refused(cel, kind, document):
    """[(path, message)] of what doesn't hold."""
    asked = list(rules_of(schema_of("crds", kind), document))
    said = cel([(rule, of) for _, rule, _, of in asked])
    assert all(isinstance(one, bool) for one in said), [(asked[i], one) for i, one in enumerate(said) if not isinstance(one, bool)]
    return [(path, message) for (path, _, message, _), holds in zip(asked, said) if not holds]


def endpoint(**members):
    return {"configured": {"endpoints": [{"path": "/a", **members}]}}


def parameter(**members):
    return endpoint(parameters=[{"in": "query", "name": "q", **members}])


def condition(*levels, **length):
    """A patch whose condition of a length lies below so many others."""
    made = {"in": ["query"], "length": length}
    for level in reversed(levels):
        made = {level: made if level == "not" else [made]}
    return {"patches": [{"id": "p", "when": made}]}


SPECS = [
    (endpoint(path="/a/{*}"), endpoint(path="/a/{*}/b"), "{*} stands for the rest, so only at the end of path"),
    (endpoint(path="/{*}"), endpoint(path="/a{*}"), "{*} stands for the rest, so only at the end of path"),
    (endpoint(parameters=[{"in": "body", "maxLength": 4}]), endpoint(parameters=[{"in": "query", "maxLength": 4}]),
     "name is required but for body and websocket"),
    (endpoint(parameters=[{"in": "websocket", "maxLength": 4}]), endpoint(parameters=[{"in": "json", "maxLength": 4}]),
     "name is required but for body and websocket"),
    (parameter(required=True), parameter(required=True, forbidden=True), "required and forbidden exclude each other"),
    (parameter(required=True, forbidden=False), parameter(required=True, forbidden=True), "required and forbidden exclude each other"),
    (parameter(minLength=3, maxLength=3), parameter(minLength=4, maxLength=3), "minLength must not exceed maxLength"),
    (condition(min=2, max=2), condition(min=3, max=2), RANGE),
    (condition("all", min=2), condition("all", min=3, max=2), RANGE),
    (condition("any", "not", max=2), condition("any", "not", min=3, max=2), RANGE),
]
OBJECTS = [
    ("guardians", {"metadata": {"name": "s" * 62}}, {"metadata": {"name": "s" * 63}},
     "with its namespace the name must be a service's, of at most 64 characters"),
    ("guardiandefaults", {"metadata": {"name": "default"}}, {"metadata": {"name": "other"}}, "the one that holds is named default"),
    ("clusterguardians", {"metadata": {"name": "cluster"}}, {"metadata": {"name": "default"}}, "the one that holds is named cluster"),
]


def of_spec(spec):
    return {"metadata": {"name": "shop"}, "spec": spec}


@pytest.mark.parametrize("good, bad, message", SPECS)
def test_a_rule_says_yes_and_no_as_guardd_does(cel, tmp_path, good, bad, message):
    for spec, says in ((good, set()), (bad, {message})):
        assert {one for _, one in refused(cel, "guardians", of_spec(spec))} == says, spec
        path = tmp_path / "guardian.yaml"
        path.write_text(yaml.safe_dump({"apiVersion": "guard/v1alpha1", "kind": "Guardian", "service": "shop", **spec}))
        done = subprocess.run([BIN / "guard", "policy", "check", "--guardian", path], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == (not says), (spec, done.stderr)


@pytest.mark.parametrize("kind, good, bad, message", OBJECTS)
def test_a_rule_of_names_says_yes_and_no(cel, kind, good, bad, message):
    assert refused(cel, kind, {**good, "spec": {}}) == [] and refused(cel, kind, {**bad, "spec": {}}) == [("", message)]


def test_a_full_guardian_breaks_none(cel):
    assert refused(cel, "guardians", of_spec(FULL)) == []


def all_rules(schema):
    yield from ((rule["rule"], rule["message"]) for rule in schema.get("x-kubernetes-validations", []))
    for child in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from all_rules(child)


def test_each_rule_that_is_shipped_was_tried():
    shipped = {one for kind in KINDS for one in all_rules(schema_of("crds", kind))}
    tried = {message for *_, message in [*SPECS, *OBJECTS]}
    assert {message for _, message in shipped} == tried and len(shipped) == len(tried)
