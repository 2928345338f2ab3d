#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The custom resources of deploy/kubernetes/, made from the one schema of Guardians: docs/api/guardian.schema.json.

Two forms: crds/ with validations in CEL, for servers that know them (1.25 and later), and crds-plain/ without, since older servers
drop them silently or refuse server-side apply of the definition. --check: whether the files are what this would write.
A Guardian in the cluster is the document below `spec`, without `service` (it is NAMESPACE.NAME), `apiVersion` and `kind`."""

import copy
import json
import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
GROUP, VERSION = "guard.security", "v1alpha1"
HEADER = "# SPDX-License-Identifier: Apache-2.0\n# Made by tools/crds.py from docs/api/guardian.schema.json.\n"
CONDITION_LEVELS = 3  # of conditions in each other that the definition spells out; what is deeper guardd checks
OUTSIDE_SPEC = ("apiVersion", "kind", "service")
# What the schema bounds by a pattern or not at all.
LENGTHS = {"service": 64, "id": 64, "pile": 64, "created": 64, "expires": 64, "patches": 64}
# Said here and not in the schema: what guardd would refuse, too.
RULES = {
    "criterion": [
        ("has(self.name) || self.__in__ == 'body' || self.__in__ == 'websocket'", "name is required but for body and websocket"),
        ("!(has(self.required) && has(self.forbidden)) || !(self.required && self.forbidden)",
         "required and forbidden exclude each other"),
        ("!(has(self.minLength) && has(self.maxLength)) || self.minLength <= self.maxLength", "minLength must not exceed maxLength"),
    ],
    "endpoint": [("!self.path.contains('{*}') || self.path.endsWith('/{*}')", "{*} stands for the rest, so only at the end of path")],
    "bounds": [("!(has(self.min) && has(self.max)) || self.min <= self.max", "min must not exceed max")],
}
BOUNDED = ("learn", "falseAlarmBudget", "support")  # by the cluster's floor, beside parts and patches
NAMED = "self.metadata.name == '%s'"


def unsaid(node):
    """The form of what the schema gives by enum or const only: its type is that of the values."""
    values = node["enum"] if "enum" in node else [node["const"]]
    kinds = {type(value) for value in values}
    if kinds == {str}:
        return {"type": "string", "enum": values}
    if kinds == {bool}:
        return {"type": "boolean", "enum": values}
    # "on" without quotes is true in YAML: both are taken, and no type can say so.
    return {"x-kubernetes-preserve-unknown-fields": True, "enum": values}


def union(node, name, root, level):
    """Structural schemas know no "this or a list of these": lists are always lists there. Numbers or texts they know."""
    choices = node.get("oneOf") or node.get("anyOf")
    for choice in choices:
        if choice.get("type") == "array":
            return convert(choice, name, root, level)
    kinds = [choice["type"] for choice in choices]
    if sorted(kinds) != ["integer", "string"]:
        raise SystemExit(f"{name}: no structural form for {kinds}")
    merged = {key: value for choice in choices for key, value in choice.items() if key != "type"}
    # x-kubernetes-int-or-string in a list makes Kubernetes 1.20 treat every list of the resource as one value.
    return {"x-kubernetes-preserve-unknown-fields": True, "maxLength": 8, **merged}


def rules_of(name, properties):
    kind = "criterion" if "in" in properties and "types" in properties else \
        "endpoint" if "path" in properties and "methods" in properties else \
        "bounds" if set(properties) == {"min", "max"} else None
    return [{"rule": rule, "message": message, "reason": "FieldValueInvalid"} for rule, message in RULES.get(kind, [])]


def mapping(node, name, root, level):
    out = {"type": "object", "properties": {}}
    for key in ("required", "minProperties"):
        if key in node:
            out[key] = node[key]
    for member, child in node["properties"].items():
        out["properties"][member] = convert(child, member, root, level)
    rules = rules_of(name, node["properties"])
    if rules:
        out["x-kubernetes-validations"] = rules
    return out


def sequence(node, name, root, level):
    out = {"type": "array", "items": convert(node["items"], name, root, level),
           "maxItems": node.get("maxItems", len(node["items"].get("enum", [])))}
    if out["maxItems"] == 0:
        raise SystemExit(f"{name}: a list without a maximum")
    if "minItems" in node:
        out["minItems"] = node["minItems"]
    if "id" in out["items"].get("required", []):  # patches, exceptions
        out.update({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]})
    else:
        out["x-kubernetes-list-type"] = "atomic"
    return out


def scalar(node, name):
    out = {key: node[key] for key in ("type", "pattern", "minLength", "maxLength", "minimum", "maximum") if key in node}
    if node["type"] == "string" and "maxLength" not in out:
        if name not in LENGTHS:
            raise SystemExit(f"{name}: a text without a maximum")
        out["maxLength"] = LENGTHS[name]
    if node["type"] == "integer":
        out["format"] = "int64"
    return out


def convert(node, name, root, level=0):
    if "$ref" in node:
        target = root
        for part in node["$ref"][2:].split("/"):
            target = target[part]
        if node["$ref"] == "#/$defs/condition":
            if level == CONDITION_LEVELS:
                return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            level += 1
        return convert(target, name, root, level)
    if "oneOf" in node or "anyOf" in node:
        return union(node, name, root, level)
    if "enum" in node or "const" in node:
        return unsaid(node)
    if node["type"] == "object":
        return mapping(node, name, root, level)
    return sequence(node, name, root, level) if node["type"] == "array" else scalar(node, name)


# --- the resources ---

def text(length, **more):
    return {"type": "string", "maxLength": length, **more}


def whole():
    return {"type": "integer", "format": "int64", "minimum": 0}


def conditions():
    item = {
        "type": "object", "required": ["type", "status", "lastTransitionTime", "reason", "message"],
        "properties": {
            "type": text(64), "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "observedGeneration": whole(), "lastTransitionTime": text(64, format="date-time"),
            "reason": text(64, pattern="^[A-Za-z][A-Za-z0-9]*$"), "message": text(1024),
        }}
    return {"type": "array", "maxItems": 16, "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}


def status(**more):
    return {"type": "object", "properties": {"observedGeneration": whole(), **more, "conditions": conditions()}}


def column(name, path, kind="string", priority=0):
    return {"name": name, "type": kind, "jsonPath": path, "priority": priority}


def condition_column(name):
    return column(name, f'.status.conditions[?(@.type=="{name}")].status')


AGE = column("Age", ".metadata.creationTimestamp", "date")


def definition(kind, plural, short, scope, description, spec, status_schema, columns, rules):
    schema = {"type": "object", "description": description, "required": ["spec"],
              "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
                             "spec": spec, "status": status_schema}}
    if rules:
        schema["x-kubernetes-validations"] = [{"rule": rule, "message": message} for rule, message in rules]
    return resource(kind, plural, short, scope, schema, {"subresources": {"status": {}}, "additionalPrinterColumns": columns})


def resource(kind, plural, short, scope, schema, more):
    names = {"kind": kind, "listKind": kind + "List", "plural": plural, "singular": kind.lower(), "shortNames": [short],
             "categories": ["security"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "labels": {"app.kubernetes.io/name": "guard", "app.kubernetes.io/part-of": "guard"}},
        "spec": {"group": GROUP, "scope": scope, "names": names, "versions": [
            {"name": VERSION, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **more}]}}


# --- what was learned: written by guardd alone (guardd/operator/projection.h has the same bounds) ---

def list_of(items, most):
    return {"type": "array", "maxItems": most, "items": items, "x-kubernetes-list-type": "atomic"}


def counted(what):
    return {**whole(), "description": what + ": 0, or the power of ten that it has reached"}


def learned_parameters(most):
    return list_of({"type": "object", "required": ["in"], "properties": {
        "in": text(16), "name": text(256, minLength=1, description="None of the whole of a body"), "normal": text(1024), "types": list_of(text(16), 32), "readsLike": list_of(text(16), 32),
        "required": {"type": "boolean"}, "clients": counted("Clients that sent it")}}, most)


def profile():
    endpoint = {"type": "object", "required": ["method", "template"], "properties": {
        "method": text(64), "template": text(1024), "ready": list_of({"type": "string", "enum": ["request", "response", "time"]}, 3),
        "exchanges": counted("Exchanges"), "clients": counted("Clients"), "contentTypes": list_of(text(128), 32), "bodyMax": whole(),
        "statuses": list_of(text(3), 5), "parameters": learned_parameters(256), "moreParameters": whole()}}
    learned = {"type": "object", "required": ["service", "ready"], "properties": {
        "service": text(64), "ready": {"type": "boolean"}, "exchanges": counted("Exchanges"), "clients": counted("Clients"),
        "headers": learned_parameters(256), "moreHeaders": whole(), "endpoints": list_of(endpoint, 1024), "endpointCount": whole(),
        "moreEndpoints": whole()}}
    schema = {"type": "object", "required": ["learned"],
              "description": "What was learned of a service, as its Guardian asks for by spec.profile. guardd writes it; what is changed by hand is lost.",
              "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}, "learned": learned}}
    return resource("GuardianProfile", "guardianprofiles", "gdp", "Namespaced", schema, {"additionalPrinterColumns": [
        column("Ready", ".learned.ready", "boolean"), column("Endpoints", ".learned.endpointCount", "integer"),
        column("Left out", ".learned.moreEndpoints", "integer", 1), column("Service", ".learned.service", priority=1), AGE]})


def definitions(root):
    document = convert(root, "guardian", root)
    for member in OUTSIDE_SPEC:
        document["properties"].pop(member)
    document.pop("required")
    document["default"] = {}
    patch = document["properties"]["patches"]["items"]["properties"]
    for member, value in (("part", "request"), ("mode", "shadow"), ("action", "block")):
        patch[member]["default"] = value
    control = document["properties"]["control"]
    modes = control["properties"]["parts"]
    # Beside the document: what the cluster is told.
    document["properties"]["profile"] = {
        "type": "string", "enum": ["Never", "OnChange"],
        "description": "OnChange: what was learned is written as a GuardianProfile of the same name whenever it has changed."}
    guardian_status = status(service=text(64), mode=text(16), alerts=whole(), profile=text(16))
    floor = {"type": "object", "properties": {
        "parts": copy.deepcopy(modes), **{name: copy.deepcopy(control["properties"][name]) for name in BOUNDED},
        "patches": copy.deepcopy(document["properties"]["patches"])}}
    spec = {"type": "object", "default": {},
            "properties": {"defaults": {"type": "object", "properties": {"control": copy.deepcopy(control)}}, "floor": floor}}
    return {
        "guardians": definition(
            "Guardian", "guardians", "gd", "Namespaced",
            "What people say about one service: what the gate may do, and criteria that add to what was learned or override it.",
            document, guardian_status,
            [column("Mode", ".status.mode"), condition_column("Ready"), condition_column("Learned"),
             column("Alerts", ".status.alerts", "integer"), column("Service", ".status.service", priority=1), AGE],
            [("size(self.metadata.name) <= 62", "with its namespace the name must be a service's, of at most 64 characters")]),
        "guardiandefaults": definition(
            "GuardianDefault", "guardiandefaults", "gdd", "Namespaced",
            "What holds for the services of a namespace where their Guardian, or its absence, says nothing. Its name is default.",
            {"type": "object", "default": {}, "properties": {"control": copy.deepcopy(control)}}, status(), [condition_column("Ready"), AGE],
            [(NAMED % "default", "the one that holds is named default")]),
        "clusterguardians": definition(
            "ClusterGuardian", "clusterguardians", "cgd", "Cluster",
            "What holds where a namespace says nothing, and a floor that no namespace can go below. Its name is cluster.",
            spec, status(), [condition_column("Ready"), AGE], [(NAMED % "cluster", "the one that holds is named cluster")]),
        "guardianprofiles": profile(),
    }


def plain(node):
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items() if key != "x-kubernetes-validations"}
    return [plain(value) for value in node] if isinstance(node, list) else node


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def rendered():
    """{path: text} of all files."""
    root = json.loads((ROOT / "docs/api/guardian.schema.json").read_text(encoding="utf-8"))
    files = {}
    for name, one in definitions(root).items():
        for folder, form in (("crds", one), ("crds-plain", plain(one))):
            files[ROOT / "deploy/kubernetes" / folder / f"{name}.yaml"] = \
                HEADER + yaml.dump(form, Dumper=Dumper, sort_keys=False, width=130, allow_unicode=True)
    return files


def main():
    stale = []
    for path, content in rendered().items():
        if path.exists() and path.read_text(encoding="utf-8") == content:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.exit("not as tools/crds.py would write them: " + ", ".join(stale))


if __name__ == "__main__":
    main()
