# SPDX-License-Identifier: Apache-2.0
"""All of install.yaml on a real node: guardd with its volume behind its front, the webhook's two replicas, and a service whose pods the webhook
makes guarded and whose gates report to that guardd. Played are what the node hasn't: kube-proxy (service_address.py), names in DNS
(hostAliases) and a provisioner of volumes."""

import json
import os
import pathlib
import subprocess
import sys

from injected import APP_IMAGE, GUARD_IMAGE, KIT
from kubernetes import apicluster
from kubernetes.shipped import documents, known, one_of
from harness import ROOT, end_process
from waiting import wait_for

sys.path.insert(0, str(ROOT / "tools"))
import install  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
OURS, SHOP, NODE = "guard-system", "shop", "guard-podwatch"
PARENT = "guardd.guard-system.svc"
REPLICAS = 2
GUARDIAN = {
    "control": {"mode": "block", "support": 1},
    "configured": {"endpoints": [{"path": "/users", "parameters": [
        {"in": "query", "name": "username", "characters": ["lower", "digit", ".", "-"], "maxLength": 32}]}]}}
ATTACK, BENIGN = "/users?username=tom%20or%201=1", "/users?username=tom"


def of_nodes(one):
    return NODE in (one["metadata"]["name"], one["metadata"].get("namespace"))


def shipped_for_node(address):
    """With the image that the node has, and the webhook's parent; guardd writes status more often than each half minute. What runs on each
    node comes later."""
    objects = [one for one in known(install.made(install.options_of(["--podwatch", "--image", GUARD_IMAGE]))) if not of_nodes(one)]
    one_of(objects, "Deployment", "guard-webhook")["spec"]["template"]["spec"]["containers"][0]["args"] += [
        "--parent", f"https://{PARENT}:8443", "--trust", "guard-trust", "--pull-policy", "Never"]
    one_of(objects, "StatefulSet", "guardd")["spec"]["template"]["spec"]["containers"][0]["args"] += [
        "--write-every", "1s", "--canary-every", "6s"]
    one_of(objects, "Service", "guardd")["spec"]["clusterIP"] = address
    return objects


def sensor_for_node(address, authority):
    """podwatch, the list of pods and the agent, as they are shipped, with shorter intervals; the name that there is no DNS for; and whom to
    trust, as the guide says it."""
    objects = [one for one in install.made(install.options_of(["--podwatch", "--image", GUARD_IMAGE])) if of_nodes(one)]
    objects = json.loads(json.dumps(objects))
    pod = one_of(objects, "DaemonSet", NODE)["spec"]["template"]["spec"]
    pod["hostAliases"] = [{"ip": address, "hostnames": [PARENT]}]
    pod["containers"][0]["args"] += ["--interval", "2"]
    objects.insert(1, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "guard-trust", "namespace": NODE}, "data": {"ca.crt": authority}})
    return objects


def shop(address, name=SHOP, parent=PARENT, watched="true"):
    """A service as people write it; its pods go on for a moment when they are to end, as pods behind Services must."""
    app = {"name": "app", "image": APP_IMAGE, "imagePullPolicy": "Never", "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
           "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
           "lifecycle": {"preStop": {"exec": {"command": ["/app", "pause", "3"]}}}}
    labels = {"app": name}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": name}, "spec": {
            "selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": name}, "spec": {
            "replicas": REPLICAS, "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {"metadata": {"labels": labels, "annotations": {"guard.security/pod-sensor": watched}}, "spec": {
                "containers": [app], "hostAliases": [{"ip": address, "hostnames": [parent]}]}}}}]


class Installed:
    """In the namespace `ours`, for the service `shop` of a namespace that is called so."""
    ADDRESS, REPLICAS, ours, shop = "10.96.77.1", 1, OURS, SHOP

    def __init__(self, cluster, folder):
        self.cluster, self.folder, self.helpers = cluster, folder, []
        self.sent = 0  # requests that gates answered
        self.api = apicluster.Cluster(cluster.folder)
        self.parent = f"guardd.{self.ours}.svc"
        self.volumes = [folder / f"volume{number}" for number in range(self.REPLICAS)]
        self.volume = self.volumes[0]
        for volume in self.volumes:
            volume.mkdir()
            os.chown(volume, 65532, 65532)
            volume.chmod(0o2770)

    def apply(self, objects):
        self.cluster.kubectl("apply", "--server-side", "-f", "-", text=documents(objects))

    def inside(self, script, *words, **options):
        made = subprocess.Popen([KIT, "exec", self.cluster.folder, "/usr/bin/python3", HERE / script, self.api.socket, *words],
                                env=self.cluster.env, stdout=subprocess.PIPE, text=True, **options)
        self.helpers.append(made)
        assert made.stdout.readline() != "", script
        return made

    def volume_names(self):
        return [f"{self.ours}-state-{number}" for number in range(self.REPLICAS)]

    def objects(self):
        return shipped_for_node(self.ADDRESS)

    def prepare(self):
        """The namespace with what people make in it, and volumes."""
        self.api.begin_proxy()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=guardd", "-addext", f"subjectAltName=DNS:{self.parent}", "-keyout", self.folder / "tls.key", "-out",
                        self.folder / "tls.crt"], check=True, capture_output=True)
        self.cluster.namespace(self.ours)
        self.cluster.kubectl("create", "secret", "tls", "guardd-tls", "-n", self.ours, f"--cert={self.folder / 'tls.crt'}",
                             f"--key={self.folder / 'tls.key'}")
        self.apply([{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": {
            "capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": str(volume)},
            "claimRef": {"namespace": self.ours, "name": f"state-guardd-{number}"}}}
            for number, (name, volume) in enumerate(zip(self.volume_names(), self.volumes))])

    def start(self):
        """guardd and the webhook, until they are ready."""
        self.prepare()
        objects = self.objects()
        wait_for(lambda: self.apply(objects) or True, "everything to be taken", timeout=120, pause=0.5)
        self.inside("service_address.py", self.ours, "guardd", self.ADDRESS, "8443")
        self.cluster.kubectl("-n", self.ours, "rollout", "status", "statefulset/guardd", "--timeout=180s")
        self.cluster.kubectl("-n", self.ours, "rollout", "status", "deployment/guard-webhook", "--timeout=180s")

    def watch_node(self):
        self.apply(sensor_for_node(self.ADDRESS, (self.folder / "tls.crt").read_text()))

    def guard_shop(self, watched="true"):
        self.cluster.namespace(self.shop, {"guard.security/inject": "enabled"})
        public = self.cluster.curl("--cacert", self.folder / "tls.crt", "--resolve", f"{self.parent}:8443:{self.ADDRESS}",
                                   f"https://{self.parent}:8443/policy.pub")
        self.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "guard-trust", "namespace": self.shop}, "data": {
            "ca.crt": (self.folder / "tls.crt").read_text(), "policy.pub": public}},
            apicluster.resource("Guardian", self.shop, GUARDIAN, self.shop)])
        self.apply(shop(self.ADDRESS, self.shop, self.parent, watched))
        self.cluster.kubectl("-n", self.shop, "rollout", "status", f"deployment/{self.shop}", "--timeout=180s")

    def stop(self):
        for one in self.helpers:
            end_process(one)
        namespaces = [("namespace", one) for one in (self.shop, self.ours, "guard-responder", NODE, "podwatched", "prod")]
        for kind, name in (("mutatingwebhookconfiguration", "guard"), *namespaces, *(("persistentvolume", one) for one in self.volume_names())):
            self.cluster.kubectl("delete", kind, name, "--wait=false", check=False)
        self.api.end_proxy()

    # --- what is seen ---

    def pods(self, namespace=None):
        """{name: pod}, without those that end."""
        return {one["metadata"]["name"]: one for one in self.api.find("pods", namespace=namespace or self.shop)["items"]
                if "deletionTimestamp" not in one["metadata"]}

    def gate(self):
        return f"http://{next(iter(self.pods().values()))['status']['podIP']}:14080"

    def status(self, target, gate=None):
        answered = self.cluster.curl("-o", "/dev/null", "-w", "%{http_code}", f"{gate or self.gate()}{target}", check=False)
        self.sent += answered in ("200", "403")
        return answered

    def root(self, volume=None):
        """What guardd says of the service in its volume."""
        told = json.loads(((volume or self.volume) / "status.json").read_text())
        return next((one for one in told["services"] if one["service"] == f"{self.shop}.{self.shop}"), {"exchanges": 0, "generation": 0})

    def callers(self):
        return self.inside("callers.py", self.shop, self.shop, BENIGN, stdin=subprocess.PIPE)

    def end_callers(self, callers):
        told = json.loads(callers.communicate(timeout=120)[0])
        self.helpers.remove(callers)
        self.sent += told["answered"]
        return told
