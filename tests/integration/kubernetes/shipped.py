# SPDX-License-Identifier: Apache-2.0
"""What deploy/kubernetes ships, as a server this old knows it."""

import json
import sys

import yaml
from kubernetes.apicluster import CRDS

PART_OF = "app.kubernetes.io/part-of"


def read(name):
    return [one for one in yaml.load_all((CRDS / name).read_text(), yaml.CSafeLoader) if one]


def one_of(objects, kind, name):
    return next(one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name)


def known(objects):
    """The same for the server that is here."""
    out = []
    for one in json.loads(json.dumps(objects)):
        if one["kind"] == "PodDisruptionBudget":
            one["apiVersion"] = "policy/v1beta1"
        if one["kind"] == "CustomResourceDefinition":
            plural = one["spec"]["names"]["plural"]
            one = yaml.load((CRDS / "crds-plain" / f"{plural}.yaml").read_text(), yaml.CSafeLoader)
            one["metadata"].setdefault("labels", {})[PART_OF] = "guard"
        out.append(one)
    print("***** policy/v1beta1 instead of policy/v1, definitions without CEL: this server is 1.20 *****", file=sys.__stderr__)
    return out


def documents(objects):
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
