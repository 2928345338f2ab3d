#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Renders the parts of deploy/kubernetes into one list of objects: tools/install.py [--cert-manager] [--store] [--access-reviews] [--responder] [--podwatch] [--image REF] [--check].

Without options it writes deploy/kubernetes/install.yaml (--check: only tells whether that is what it would write); with some, to standard
output. Definitions of kinds come first, each object once, each with the label that uninstalling goes by; no Secret's content is in it."""
import argparse
import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "deploy/kubernetes"
OUT = FOLDER / "install.yaml"
IMAGE = "guard:0.1.0"
PART_OF = "app.kubernetes.io/part-of"
ORDER = ["Namespace", "CustomResourceDefinition", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Secret",
         "ConfigMap", "Service", "NetworkPolicy", "PodDisruptionBudget", "StatefulSet", "Deployment", "DaemonSet", "Issuer", "Certificate",
         "MutatingWebhookConfiguration"]
HEADER = """# SPDX-License-Identifier: Apache-2.0
# Made by tools/install.py of the files beside it; don't edit. kubectl apply --server-side -f install.yaml
"""


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def text(dumper, value):
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


Dumper.add_representer(str, text)


def parts(names):
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [one for name in names for path in sorted(FOLDER.glob(name)) for one in yaml.load_all(path.read_text(encoding="utf-8"), loader) if one]


def key(one):
    return one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]


def named(objects, kind, name):
    return next(one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name)


def containers(objects):
    return [container for one in objects if one["kind"] in ("Deployment", "StatefulSet", "DaemonSet")
            for container in one["spec"]["template"]["spec"]["containers"]]


def by_cert_manager(objects):
    """The webhook with a certificate of cert-manager's: it needs no rights and no token then."""
    rights = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Secret")
    objects = [one for one in objects if not (one["kind"] in rights and one["metadata"]["name"] in ("guard-webhook", "guard-webhook-tls"))]
    pod = named(objects, "Deployment", "guard-webhook")["spec"]["template"]["spec"]
    pod["automountServiceAccountToken"] = False
    container = pod["containers"][0]
    at = container["args"].index("--certify")
    container["args"][at:at + 2] = ["--certificate", "/etc/guard/tls/tls.crt", "--key", "/etc/guard/tls/tls.key"]
    container["volumeMounts"].append({"name": "tls", "mountPath": "/etc/guard/tls", "readOnly": True})
    pod["volumes"].append({"name": "tls", "secret": {"secretName": "guard-webhook-tls", "defaultMode": 0o440}})
    configuration = named(objects, "MutatingWebhookConfiguration", "guard")
    configuration["metadata"]["annotations"] = {"cert-manager.io/inject-ca-from": "guard-system/guard-webhook"}
    named(objects, "NetworkPolicy", "guard-webhook")["spec"]["egress"] = []
    return objects + parts(["cert-manager.yaml"])


def store_env(secret, address, password):
    """The address is an argument, which others read, so it can't have the password (guardd refuses it); libpq reads a file with one only when
    nobody but the owner may, which no file of a Secret is."""
    return [{"name": "GUARD_STORE", "valueFrom": {"secretKeyRef": {"name": secret, "key": address}}},
            {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": secret, "key": password, "optional": True}}}]


def store_volume(secret, authority):
    """(volume, mount) of who signs the database's certificate."""
    return ({"name": "store", "secret": {"secretName": secret, "defaultMode": 0o440, "optional": True, "items": [{"key": authority, "path": "ca.crt"}]}},
            {"name": "store", "mountPath": "/etc/guard/store", "readOnly": True})


def with_store(objects):
    """guardd on PostgreSQL: the Secret guardd-store has its address as "dsn", and may have "password" and "ca.crt"."""
    pod = named(objects, "StatefulSet", "guardd")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    volume, mount = store_volume("guardd-store", "ca.crt")
    container["env"] = store_env("guardd-store", "dsn", "password")
    container["volumeMounts"].append(mount)
    pod["volumes"].append(volume)
    container["args"] += ["--store", "$(GUARD_STORE)"]
    named(objects, "NetworkPolicy", "guardd")["spec"]["egress"].append({"ports": [{"port": 5432, "protocol": "TCP"}]})
    return objects


def with_podwatch(objects):
    """The agents on nodes, to the root."""
    account = named(objects, "ServiceAccount", "guard-podwatch")["metadata"]
    args = named(objects, "StatefulSet", "guardd")["spec"]["template"]["spec"]["containers"][0]["args"]
    args += ["--node-agents", f"{account['namespace']}/{account['name']}"]
    return objects


def with_access_reviews(objects):
    """The cluster's users at guardd's API, by what they may do with Guardians."""
    args = named(objects, "StatefulSet", "guardd")["spec"]["template"]["spec"]["containers"][0]["args"]
    args += ["--access-reviews", "in-cluster", "--access-keep", "60s"]
    return objects + parts(["access-reviews.yaml"])


def made(options):
    """All objects, in the order in which they are applied."""
    objects = {}
    for one in parts(["crds/*.yaml", "rbac.yaml", "guardd.yaml", "webhook.yaml"] + (["responder.yaml"] if options.responder else []) +
                     (["podwatch.yaml"] if options.podwatch else [])):
        if key(one) in objects and one["kind"] != "Namespace":
            sys.exit(f"install.py: {key(one)} is there twice")
        objects.setdefault(key(one), one)
    objects = list(objects.values())
    if options.cert_manager:
        objects = by_cert_manager(objects)
    if options.podwatch:
        objects = with_podwatch(objects)
    if options.access_reviews:
        objects = with_access_reviews(objects)
    if options.store:
        objects = with_store(objects)
    for one in objects:
        one["metadata"].setdefault("labels", {})[PART_OF] = "guard"
    for container in containers(objects):
        container["image"] = options.image
        if "--image" in container.get("args", []):
            container["args"][container["args"].index("--image") + 1] = options.image
    return sorted(objects, key=lambda one: ORDER.index(one["kind"]))


def rendered(options):
    return HEADER + yaml.dump_all(made(options), Dumper=Dumper, sort_keys=False, width=130, allow_unicode=True, explicit_start=True)


def options_of(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cert-manager", action="store_true", help="the webhook's certificate is cert-manager's")
    parser.add_argument("--store", action="store_true", help="guardd's store is PostgreSQL")
    parser.add_argument("--access-reviews", action="store_true", help="the cluster's users may ask guardd's API by their tokens")
    parser.add_argument("--responder", action="store_true", help="guard-responder on each node, a dry run that may act nowhere yet")
    parser.add_argument("--podwatch", action="store_true", help="guard-podwatch on each node, and what passes its records on")
    parser.add_argument("--image", default=IMAGE)
    parser.add_argument("--check", action="store_true")
    return parser.parse_args(words)


def main():
    options = options_of(sys.argv[1:])
    content = rendered(options)
    if options.cert_manager or options.store or options.access_reviews or options.responder or options.podwatch or options.image != IMAGE:
        sys.stdout.write(content)
    elif options.check:
        if not OUT.exists() or OUT.read_text(encoding="utf-8") != content:
            sys.exit("deploy/kubernetes/install.yaml isn't what tools/install.py would write")
    else:
        OUT.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
