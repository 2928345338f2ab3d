# SPDX-License-Identifier: Apache-2.0
"""The webhook's own authority at a real kube-apiserver, with the rights that are shipped: two replicas agree, and a new authority comes
under load without a review that fails."""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading

import pytest
import yaml
from harness import BIN, ROOT, end_process
from kubernetes.operators import token_of, wait_for, wait_rights

ACCOUNT = "65532"
PORTS = (8453, 8454)  # in the cluster's own network
MANIFEST = ROOT / "deploy" / "kubernetes" / "webhook.yaml"
SECRET = "guard-webhook-tls"


def shipped(*kinds):
    return [one for one in yaml.safe_load_all(MANIFEST.read_text()) if one["kind"] in kinds]


def subjects(bundle):
    """Of all certificates of a PEM text, in order."""
    parts = [part + "-----END CERTIFICATE-----\n" for part in bundle.split("-----END CERTIFICATE-----\n") if part.strip()]
    return [subprocess.run(["openssl", "x509", "-noout", "-subject"], input=part, capture_output=True, text=True, check=True).stdout.strip()
            for part in parts]


def bundles_of(configuration):
    return {base64.b64decode(one["clientConfig"].get("caBundle", "")).decode() for one in configuration["webhooks"]}


class Replica:
    def __init__(self, webhooks, number):
        self.webhooks, self.port = webhooks, PORTS[number]
        self.folder = webhooks.folder / f"replica{number}"
        self.folder.mkdir(mode=0o755)
        os.chown(self.folder, int(ACCOUNT), int(ACCOUNT))
        self.log_path = webhooks.folder / f"replica{number}.log"
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.webhooks.cluster.command(
                    "setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", self.webhooks.folder / "guard", "webhook",
                    "--listen", f"127.0.0.1:{self.port}", "--certify", SECRET, "--kubernetes", self.webhooks.kubeconfig,
                    "--names", "guard-webhook.guard-system.svc,127.0.0.1", "--overlap", "4s", "--state", self.folder,
                    "--image", "localhost/guard:1"), stderr=log, env=self.webhooks.cluster.env)

    def log(self):
        return self.log_path.read_text()

    def issuer(self):
        path = self.folder / "tls.crt"
        return subprocess.run(["openssl", "x509", "-noout", "-issuer", "-in", path], capture_output=True, text=True,
                              check=True).stdout.strip().replace("issuer=", "subject=") if path.exists() else None

    def stop(self):
        if self.process.poll() is None:
            end_process(self.process)


class Webhooks:
    def __init__(self, cluster, folder):
        self.cluster, self.folder = cluster, folder
        folder.chmod(0o711)
        shutil.copy(BIN / "guard", folder / "guard")
        done = cluster.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(shipped(
            "Namespace", "ServiceAccount", "Secret", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")))
        assert done.status == 0, done.err
        wait_rights(cluster, "guard-system:guard-webhook", ("get", f"secrets/{SECRET}", "guard-system"), ("patch", "mutatingwebhookconfigurations/guard"))
        self.kubeconfig = self.account()
        self.configure(0)
        self.replicas = [Replica(self, number) for number in (0, 1)]

    def account(self):
        (self.folder / "token").write_text(wait_for(lambda: token_of(self.cluster, "guard-system", "guard-webhook"), "a token"))
        shutil.copy(self.cluster.folder / "pki/ca.crt", self.folder / "ca.crt")
        path = self.folder / "kubeconfig"
        path.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "guard-system"}}],
            "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:443", "certificate-authority": "ca.crt"}}],
            "users": [{"name": "u", "user": {"tokenFile": "token"}}]}))
        for name in ("token", "ca.crt", "kubeconfig"):
            (self.folder / name).chmod(0o644)
        return path

    def configure(self, replica):
        """The shipped configuration, led to one of them: there is nobody here who spreads calls to a Service."""
        configuration = shipped("MutatingWebhookConfiguration")[0]
        for one in configuration["webhooks"]:
            one["clientConfig"] = {"url": f"https://127.0.0.1:{PORTS[replica]}/inject"}
        done = self.cluster.kubectl("apply", "-f", "-", text=json.dumps(configuration))
        assert done.status == 0, done.err

    def configuration(self):
        return self.cluster.get("mutatingwebhookconfiguration", "guard")

    def bundles(self):
        return bundles_of(self.configuration())

    def since(self, version):
        """What the configuration was after that version, one after the other: nobody who looks now and then sees each."""
        path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
        status, text = self.cluster.send("GET", f"{path}?watch=1&timeoutSeconds=2&fieldSelector=metadata.name%3Dguard&resourceVersion={version}")
        assert status == 200, text
        return [json.loads(line)["object"] for line in text.splitlines()]

    def secret(self, name):
        data = self.cluster.get("secret", SECRET, "-n", "guard-system").get("data", {})
        return base64.b64decode(data.get(name, "")).decode()

    def injected(self):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": "authority"}, "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "app", "image": "a:1", "ports": [{"name": "http", "containerPort": 8080}]}]}}
        done = self.cluster.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", text=json.dumps(pod))
        return done.status == 0 and "guard" in [one["name"] for one in json.loads(done.out)["spec"]["containers"]], done.err

    def stop(self):
        for replica in self.replicas:
            replica.stop()
        self.cluster.kubectl("delete", "mutatingwebhookconfiguration", "guard")
        self.cluster.kubectl("delete", "namespace", "authority", "--wait=false")


@pytest.fixture(scope="module")
def webhooks(api_cluster):
    api_cluster.kubectl("create", "namespace", "authority")
    api_cluster.kubectl("create", "serviceaccount", "default", "-n", "authority")
    assert api_cluster.kubectl("label", "namespace", "authority", "guard.security/inject=enabled").status == 0
    with tempfile.TemporaryDirectory(prefix="guard-authority.") as folder:  # where other users get, too
        made = Webhooks(api_cluster, pathlib.Path(folder))
        yield made
        made.stop()
        assert not any("forbidden" in replica.log() for replica in made.replicas)


def test_two_replicas_make_one_authority_and_tell_the_api_server(webhooks):
    wait_for(lambda: webhooks.injected()[0], "a pod to be injected", timeout=120)
    wait_for(lambda: all(replica.issuer() for replica in webhooks.replicas), "both to have a certificate")
    assert webhooks.replicas[0].issuer() == webhooks.replicas[1].issuer()
    bundles = webhooks.bundles()
    assert len(bundles) == 1 and subjects(bundles.pop()) == [webhooks.replicas[0].issuer()]
    for replica in webhooks.replicas:
        assert (replica.folder / "tls.key").stat().st_mode & 0o777 == 0o600
    # The other one serves by it, too.
    webhooks.configure(1)
    wait_for(lambda: webhooks.injected()[0], "the other one to answer")
    webhooks.configure(0)


def test_a_new_authority_comes_without_a_review_that_fails(webhooks):
    wait_for(lambda: webhooks.injected()[0], "a pod to be injected", timeout=120)
    before = webhooks.replicas[0].issuer()
    version = webhooks.configuration()["metadata"]["resourceVersion"]
    stop, failures, count = threading.Event(), [], [0]

    def load():
        while not stop.is_set():
            good, trouble = webhooks.injected()
            count[0] += 1
            if not good:
                failures.append(trouble)
    asking = threading.Thread(target=load)
    asking.start()
    try:
        assert webhooks.cluster.kubectl("annotate", "secret", SECRET, "-n", "guard-system", "guard.security/renew=now").status == 0

        def renewed():
            trusted = [subjects(bundle) for bundle in webhooks.bundles()]
            return all(replica.issuer() != before for replica in webhooks.replicas) and len(trusted) == 1 and len(trusted[0]) == 1 and trusted[0][0] != before
        wait_for(renewed, "the new authority alone", timeout=180)
        done = count[0]
        wait_for(lambda: count[0] > max(done + 2, 5), "reviews behind it")
    finally:
        stop.set()
        asking.join()
    assert not failures, (len(failures), count, failures[0], [(replica.folder / "webhook.log").read_text()[-600:] for replica in webhooks.replicas])
    # Trusted before it was used, and the one before for as long as it may be.
    after = webhooks.replicas[0].issuer()
    seen = [tuple(subjects(bundle)) for one in webhooks.since(version) for bundle in bundles_of(one)]
    assert (before, after) in seen and (after, before) in seen and seen[-1] == (after,)
    assert webhooks.secret("next.crt") == "" and webhooks.secret("before.crt") == ""
    annotations = webhooks.cluster.get("secret", SECRET, "-n", "guard-system")["metadata"].get("annotations", {})
    assert "guard.security/renew" not in annotations


def test_what_others_break_is_made_whole(webhooks):
    wait_for(lambda: webhooks.injected()[0], "a pod to be injected", timeout=120)
    patch = json.dumps({"data": {"authority.key": base64.b64encode(b"nonsense").decode()}})
    before = webhooks.replicas[0].issuer()
    assert webhooks.cluster.kubectl("patch", "secret", SECRET, "-n", "guard-system", "--type=merge", "-p", patch).status == 0
    wait_for(lambda: webhooks.replicas[0].issuer() not in (None, before), "another authority")
    wait_for(lambda: webhooks.injected()[0], "a pod to be injected", timeout=120)
    # The configuration applied anew, as an upgrade does.
    assert webhooks.cluster.kubectl("delete", "mutatingwebhookconfiguration", "guard").status == 0
    webhooks.configure(0)
    wait_for(lambda: webhooks.injected()[0], "a pod to be injected", timeout=120)


@pytest.mark.parametrize("verb, what, namespace, allowed", [
    ("get", f"secrets/{SECRET}", "guard-system", True), ("patch", f"secrets/{SECRET}", "guard-system", True),
    ("get", "secrets/other", "guard-system", False), ("list", "secrets", "guard-system", False),
    ("create", "secrets", "guard-system", False), ("get", f"secrets/{SECRET}", "default", False),
    ("patch", "mutatingwebhookconfigurations/guard", "", True), ("patch", "mutatingwebhookconfigurations/other", "", False),
    ("delete", "mutatingwebhookconfigurations/guard", "", False), ("list", "mutatingwebhookconfigurations", "", False),
    ("get", "pods", "default", False),
])
def test_the_shipped_rights_are_the_least(webhooks, verb, what, namespace, allowed):
    assert webhooks.cluster.may("guard-system:guard-webhook", verb, what, namespace) == allowed
