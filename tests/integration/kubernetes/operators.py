# SPDX-License-Identifier: Apache-2.0
"""guardd as an operator of the cluster, with the service account and the rights that are shipped."""

import functools
import json
import pathlib
import subprocess

import yaml
from kubernetes.apicluster import CRDS
from harness import BIN, end_process
from harness import wait_for as wait_closely

# Some looks are a run of kubectl.
wait_for = functools.partial(wait_closely, pause=0.1)
# Tests don't wait as long as clusters may; () for what is shipped.
BRISK = ("--write-every", "1s", "--canary-every", "6s")


def token_of(cluster, namespace, account, audience=None, pod=None, seconds=3600):
    """A token by TokenRequest, as kubelets get them."""
    spec = {"expirationSeconds": seconds, **({"audiences": [audience]} if audience else {})}
    if pod:
        spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod}
    made = cluster.ask("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})
    assert made is not None, f"{namespace}/{account} or its pod isn't there"
    return made["status"]["token"]


def wait_rights(cluster, account, *rights):
    """Until the API server goes by what was bound: it hears of each binding a moment after it has taken it."""
    for right in rights:
        wait_for(lambda asked=right: cluster.may(account, *asked), f"{account} to have the right {right}")


def shipped_rights(cluster, folder):
    """A kubeconfig of the operator's service account."""
    done = cluster.kubectl("apply", "-f", CRDS / "rbac.yaml")
    assert done.status == 0, done.err
    wait_rights(cluster, "guard-system:guardd", ("list", "guardians"), ("create", "tokenreviews"), ("update", "leases/guard-operator", "guard-system"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token").write_text(wait_for(lambda: token_of(cluster, "guard-system", "guardd"), "a token"))
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "guard-system"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:443", "certificate-authority": str(cluster.folder / "pki/ca.crt")}}],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}]}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def renewals(cluster, count, look=lambda: None):
    """Until the leader has renewed its Lease so often, each 2 s by its own clock: what was due before them it has done."""
    seen = set()

    def renewed():
        look()
        seen.add(cluster.get("lease", "guard-operator", "-n", "guard-system")["spec"]["renewTime"])
        return len(seen) > count
    wait_for(renewed, f"{count} renewals")


class Operator:
    def __init__(self, cluster, folder, kubeconfig, *options, program=(BIN / "guardd",), pace=BRISK):
        self.program, self.pace = program, pace
        self.cluster, self.state, self.kubeconfig, self.options = cluster, pathlib.Path(folder) / "state", kubeconfig, options
        self.state.mkdir(parents=True, exist_ok=True)
        self.log_path = self.state.parent / "guardd.log"
        self.process = None
        self.begun = 0  # so much of its log is of processes before this one
        self.excused = 0  # so much of its log tells of a server that refused everybody

    def start(self):
        self.begun = len(self.log())
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.cluster.command(*self.program, "--state", self.state, "--kubernetes", self.kubeconfig, *self.pace, *self.options),
                stderr=log, env=self.cluster.env)
        wait_for(lambda: self.says("started") or self.process.poll() is not None, "guardd to start")
        assert self.process.poll() is None, self.log()
        return self

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def said(self, event):
        return self.log().count(f'"event":"{event}"')

    def says(self, event):
        """The same of this process."""
        return self.log()[self.begun:].count(f'"event":"{event}"')

    def leads(self):
        """One that was killed told nobody that it doesn't any more."""
        return self.process.poll() is None and self.says("operator-leads") > self.says("operator-follows")

    def identity(self):
        """What it was called when it led last."""
        told = [json.loads(line) for line in self.log().splitlines() if '"event":"operator-leads"' in line]
        return told[-1]["detail"] if told else None

    def guardian(self, service):
        path = self.state / "guardians" / f"{service}.yaml"
        return yaml.safe_load(path.read_text()) if path.exists() else None

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            end_process(self.process)


def condition(resource, kind="Ready"):
    found = {item["type"]: item for item in resource.get("status", {}).get("conditions", [])}
    return found.get(kind, {})
