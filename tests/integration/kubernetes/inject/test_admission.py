# SPDX-License-Identifier: Apache-2.0
"""The webhook at a real API server, with the shipped configuration, beside another webhook that changes the same pods."""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest
import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
from injected import KIT, injected_cluster  # noqa: E402,F401
from harness import BIN, ROOT, end_process, wait_for  # noqa: E402

PORT, MESH_PORT = 8443, 8444  # in the cluster's own network
ACCOUNT = "65532"
MANIFEST = ROOT / "deploy" / "kubernetes" / "webhook.yaml"


def pod(name, port, **metadata):
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": {
        "nodeName": "nowhere", "containers": [{"name": "app", "image": "localhost/a:1", "ports": [port]}]}})


class Hooks:
    """Both webhooks, run in the cluster's network, and what tells the API server of them."""

    def __init__(self, cluster, folder):
        self.cluster, self.folder = cluster, folder
        told = cluster.kit("env", cluster.folder).stdout.replace(";", " ").split()
        env = {name: value.strip("'\"") for name, _, value in (word.partition("=") for word in told)}
        self.authority = pathlib.Path(env["K8S_CA"])
        for name, source in (("tls.crt", env["K8S_WEBHOOK_CERT"]), ("tls.key", env["K8S_WEBHOOK_KEY"])):
            shutil.copy(source, folder / name)
            os.chmod(folder / name, 0o644)
        shutil.copy(BIN / "guard", folder / "guard")
        folder.chmod(0o711)
        (folder / "state").mkdir()
        os.chown(folder / "state", int(ACCOUNT), int(ACCOUNT))
        self.mesh = self.inside("/usr/bin/python3", HERE / "mesh.py", MESH_PORT, folder / "tls.crt", folder / "tls.key")
        self.start()
        self.configure()

    def inside(self, *command):
        return subprocess.Popen([KIT, "exec", self.cluster.folder, *map(str, command)], env=self.cluster.env,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        self.guard = self.inside("setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", self.folder / "guard",
                                 "webhook", "--listen", f"127.0.0.1:{PORT}", "--certificate", self.folder / "tls.crt", "--key",
                                 self.folder / "tls.key", "--state", self.folder / "state", "--image", "localhost/guard:1")
        for port in (PORT, MESH_PORT):
            wait_for(lambda port=port: self.cluster.kit("exec", self.cluster.folder, "curl", "-sko", "/dev/null",
                                                        f"https://127.0.0.1:{port}/healthz", check=False).returncode == 0, "a webhook")

    def configure(self):
        bundle = base64.b64encode(self.authority.read_bytes()).decode()
        shipped = next(one for one in yaml.safe_load_all(MANIFEST.read_text()) if one["kind"] == "MutatingWebhookConfiguration")
        for one in shipped["webhooks"]:
            one["clientConfig"] = {"url": f"https://127.0.0.1:{PORT}/inject", "caBundle": bundle}
        mesh = json.loads(json.dumps(shipped))
        mesh["metadata"]["name"] = "zz-mesh"  # comes after ours
        mesh["webhooks"] = [{**mesh["webhooks"][0], "name": "mesh.example.org", "clientConfig": {
            "url": f"https://127.0.0.1:{MESH_PORT}/", "caBundle": bundle}}]
        self.cluster.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": [shipped, mesh]}))

    def stop(self):
        self.cluster.kubectl("delete", "mutatingwebhookconfiguration", "guard", "zz-mesh", check=False)
        end_process(self.guard)
        end_process(self.mesh)


@pytest.fixture(scope="module")
def hooks(injected_cluster):
    with tempfile.TemporaryDirectory(prefix="guard-hooks.") as folder:
        made = Hooks(injected_cluster, pathlib.Path(folder))
        for name, labels in (("guarded", {"guard.security/inject": "enabled"}), ("plain", {})):
            injected_cluster.namespace(name, labels)
        # A configuration is in force some time after it was stored.
        wait_for(lambda: {"guard", "zz-mesh"} <= set(containers(made, "guarded", "probe", HTTP)), "both webhooks to be asked")
        yield made
        made.stop()
        for name in ("guarded", "plain"):
            injected_cluster.delete(name)


HTTP = {"name": "http", "containerPort": 8080}


def create(hooks, namespace, name, port, **metadata):
    return hooks.cluster.kubectl("-n", namespace, "create", "--dry-run=server", "-o", "json", "-f", "-", text=pod(name, port, **metadata),
                                 check=False)


def containers(hooks, namespace, name, port, **metadata):
    done = create(hooks, namespace, name, port, **metadata)
    assert done.returncode == 0, done.stderr
    return [one["name"] for one in json.loads(done.stdout)["spec"]["containers"]]


def test_each_webhook_comes_once_and_the_gate_keeps_what_the_other_gave_it(hooks):
    made = json.loads(create(hooks, "guarded", "one", HTTP).stdout)
    by_name = {one["name"]: one for one in made["spec"]["containers"]}
    assert sorted(by_name) == ["app", "guard", "zz-mesh"] and len(made["spec"]["containers"]) == 3
    assert by_name["guard"]["ports"] == [{"name": "http", "containerPort": 14080, "protocol": "TCP"}]
    assert {"name": "MESH", "value": "on"} in by_name["app"]["env"]
    mounts = [one["mountPath"] for one in by_name["guard"]["volumeMounts"]]
    assert mounts.count("/var/run/secrets/kubernetes.io/serviceaccount") == 1


def test_who_asks_for_it(hooks):
    asked = {"labels": {"guard.security/inject": "enabled"}}
    left = {"labels": {"guard.security/inject": "disabled"}}
    assert "guard" in containers(hooks, "plain", "two", HTTP, **asked)
    assert "guard" not in containers(hooks, "plain", "three", HTTP)
    assert "guard" not in containers(hooks, "guarded", "four", HTTP, **left)


def test_a_port_without_a_name_is_refused_with_its_place(hooks):
    done = create(hooks, "guarded", "five", {"containerPort": 8080})
    assert done.returncode != 0 and "spec.containers[0].ports[0]: port 8080 has no name" in done.stderr, done.stderr


def test_without_the_webhook_no_pod_begins_unguarded_and_others_do_begin(hooks):
    end_process(hooks.guard)
    try:
        done = create(hooks, "guarded", "six", HTTP)
        assert done.returncode != 0 and "failed calling webhook" in done.stderr
        assert containers(hooks, "plain", "seven", HTTP) == ["app"]
    finally:
        hooks.start()
    wait_for(lambda: "guard" in containers(hooks, "guarded", "eight", HTTP), "the webhook to be asked again")


def test_what_files_become_is_taken_by_the_api_server(hooks):
    for name in ("shop.yaml", "list.json"):
        text = subprocess.run([BIN / "guard", "inject", "-f", ROOT / "tests" / "data" / "inject" / name, "--rewrite-services", "--image",
                               "localhost/guard:1"], capture_output=True, text=True, check=True).stdout
        objects = [one for one in yaml.safe_load_all(text) if one]
        for one in objects[0]["items"] if objects[0]["kind"] == "List" else objects:
            one["metadata"].pop("x-unknown", None)
            if one["kind"] == "Deployment":
                one["spec"]["selector"] = {"matchLabels": {"app": "shop"}}
                one["spec"]["template"]["spec"]["containers"][0]["args"] = []
            if one["kind"] == "Service" and len(one["spec"]["ports"]) > 1:
                one["spec"]["ports"][0]["name"] = "first"
            done = hooks.cluster.kubectl("-n", "plain", "apply", "--dry-run=server", "-f", "-", text=json.dumps(one), check=False)
            assert done.returncode == 0, done.stderr
