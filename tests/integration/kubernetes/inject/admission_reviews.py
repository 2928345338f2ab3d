# SPDX-License-Identifier: Apache-2.0
"""AdmissionReviews of pods as an API server sends them, and what its JSON Patch makes of an object (RFC 6902: add, replace, remove)."""

import base64
import copy
import json


def pod(*ports, name=None, owner="shop", hash="7c9f8d5b6c", labels=None, annotations=None):
    metadata = {"labels": {"app": "shop", "pod-template-hash": hash, **(labels or {})}, "annotations": annotations or {},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{owner}-{hash}", "uid": "u",
                                     "controller": True}],
                **({"name": name} if name else {"generateName": f"{owner}-{hash}-"})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {"containers": [{"name": "app", "image": "a:1", "ports": list(ports),
                                     "volumeMounts": [{"name": "default-token-x", "readOnly": True,
                                                       "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}],
                     "volumes": [{"name": "default-token-x", "secret": {"secretName": "default-token-x"}}],
                     "terminationGracePeriodSeconds": 30}, "status": {}}


def review(thing, operation="CREATE"):
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": {"group": "", "version": "v1", "kind": "Pod"},
                        "operation": operation, "namespace": "default", "object": thing, "oldObject": None, "dryRun": False}}


def patch_of(answer):
    return json.loads(base64.b64decode(answer["response"]["patch"]))


def patched(thing, operations):
    made = copy.deepcopy(thing)
    for one in operations:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")[1:]]
        at = made
        for part in parts[:-1]:
            at = at[int(part)] if isinstance(at, list) else at[part]
        if isinstance(at, list):
            if one["op"] == "add":
                at.insert(len(at) if parts[-1] == "-" else int(parts[-1]), one["value"])
            else:
                at[int(parts[-1])] = one["value"]
        elif one["op"] == "remove":
            del at[parts[-1]]
        else:
            assert (parts[-1] in at) == (one["op"] == "replace"), one
            at[parts[-1]] = one["value"]
    return made
