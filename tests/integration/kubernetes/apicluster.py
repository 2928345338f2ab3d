# SPDX-License-Identifier: Apache-2.0
"""A real kube-apiserver for tests, from the kit below GUARD_SHARED/k8s. It has a network of its own: what talks to it runs by run()."""

import json
import os
import pathlib
import subprocess

from harness import ROOT

KIT = pathlib.Path(os.environ.get("GUARD_SHARED", ROOT.parent / "shared")) / "k8s" / "cluster"
CRDS = ROOT / "deploy" / "kubernetes"


class Done:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        self.env = {**os.environ, "K8S_CACHE": os.environ.get("K8S_CACHE", os.path.expanduser("~/.cache/k8s-test"))}

    def kit(self, *words, timeout=600, text=None):
        done = subprocess.run([str(KIT), *map(str, words)], capture_output=True, text=True, input=text, env=self.env, timeout=timeout,
                              check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def up(self, *flags):
        return self.kit("up", "--api", *flags, self.folder)

    def down(self):
        self.kit("down", "--all", self.folder)

    def command(self, *words):
        """What to start to run a program in the cluster's network."""
        return [str(KIT), "exec", str(self.folder), *map(str, words)]

    def kubectl(self, *words, text=None):
        return self.kit("kubectl", self.folder, *words, text=text)

    def get(self, *words):
        done = self.kubectl("get", *words, "-o", "json")
        assert done.status == 0, done.err
        return json.loads(done.out)

    def apply(self, resource, *flags):
        """Server-side apply of one resource or a list of them."""
        if isinstance(resource, list):
            resource = {"apiVersion": "v1", "kind": "List", "items": resource}
        return self.kubectl("apply", "--server-side", *flags, "-f", "-", text=json.dumps(resource))

    @property
    def kubeconfig(self):
        return self.folder / "admin.kubeconfig"


def resource(kind, name, spec, namespace=None):
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "guard.security/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
