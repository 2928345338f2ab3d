# SPDX-License-Identifier: Apache-2.0
"""A real kube-apiserver for tests, from the kit below GUARD_SHARED/k8s. It has a network of its own: what talks to it runs by command().
It is asked through one proxy: a run of kubectl for each look costs more than all else here."""

import http.client
import json
import os
import pathlib
import socket
import subprocess
import threading

from harness import ROOT, end_process, wait_for

KIT = pathlib.Path(os.environ.get("GUARD_SHARED", ROOT.parent / "shared")) / "k8s" / "cluster"
CRDS = ROOT / "deploy" / "kubernetes"
OURS = "apis/guard.security/v1alpha1"
# Where the kinds are that tests look at, by their plural and by what else tests call them.
PLACES = {
    "guardians": OURS, "guardiandefaults": OURS, "clusterguardians": OURS, "guardianprofiles": OURS,
    "pods": "api/v1", "secrets": "api/v1", "services": "api/v1", "namespaces": "api/v1", "serviceaccounts": "api/v1",
    "configmaps": "api/v1", "endpoints": "api/v1", "persistentvolumeclaims": "api/v1", "events": "apis/events.k8s.io/v1",
    "statefulsets": "apis/apps/v1", "deployments": "apis/apps/v1", "leases": "apis/coordination.k8s.io/v1",
    "networkpolicies": "apis/networking.k8s.io/v1", "poddisruptionbudgets": "apis/policy/v1beta1",
    "tokenreviews": "apis/authentication.k8s.io/v1", "subjectaccessreviews": "apis/authorization.k8s.io/v1",
    "mutatingwebhookconfigurations": "apis/admissionregistration.k8s.io/v1", "customresourcedefinitions": "apis/apiextensions.k8s.io/v1",
    "clusterroles": "apis/rbac.authorization.k8s.io/v1",
}
SHORT = {"gd": "guardians", "cgd": "clusterguardians", "gdp": "guardianprofiles", "crd": "customresourcedefinitions",
         "pvc": "persistentvolumeclaims", "networkpolicy": "networkpolicies"}
SUBRESOURCES = ("status", "exec", "log", "eviction")


def place(kind):
    """(where its group is, its plural)"""
    kind = kind.partition(".")[0]
    plural = SHORT.get(kind, kind if kind in PLACES else f"{kind}s")
    return PLACES[plural], plural


class Socket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self.path))


class Done:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.Lock()
        self.proxy = None
        self.env = {**os.environ, "K8S_CACHE": os.environ.get("K8S_CACHE", os.path.expanduser("~/.cache/k8s-test"))}

    def kit(self, *words, timeout=600, text=None):
        done = subprocess.run([str(KIT), *map(str, words)], capture_output=True, text=True, input=text, env=self.env, timeout=timeout,
                              check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def up(self, *flags):
        return self.kit("up", "--api", *flags, self.folder)

    def down(self):
        self.end_proxy()
        self.kit("down", "--all", self.folder)

    def command(self, *words):
        """What to start to run a program in the cluster's network."""
        return [str(KIT), "exec", str(self.folder), *map(str, words)]

    def kubectl(self, *words, text=None):
        return self.kit("kubectl", self.folder, *words, text=text)

    # --- by the proxy ---

    def begin_proxy(self):
        self.socket = self.folder / f"proxy-{os.getpid()}"
        self.proxy = subprocess.Popen(self.command("kubectl", "--kubeconfig", self.kubeconfig, "proxy", "--unix-socket", self.socket,
                                                   "--reject-methods", "^$"), env=self.env, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)

        def listens():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.connect(str(self.socket))
            return True
        wait_for(listens, "the proxy to listen")

    def end_proxy(self):
        if self.proxy is not None:
            end_process(self.proxy)
            self.proxy = None
            self.socket.unlink(missing_ok=True)

    def send(self, method, path, body=None, kind="application/json"):
        """(status, text)"""
        with self.lock:
            if self.proxy is None:
                self.begin_proxy()
        connection = Socket(self.socket)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def ask(self, method, path, body=None, kind="application/json"):
        """The answer's object; None for what isn't there. Others than 2xx and 404 fail."""
        status, text = self.send(method, path, body, kind)
        assert status < 300 or status == 404, (method, path, status, text)
        return json.loads(text) if status < 300 else None

    def find(self, kind, name=None, namespace=None):
        """An object, or with no name a list; None: it isn't there."""
        root, plural = place(kind)
        return self.ask("GET", "/".join(["", root, *(["namespaces", namespace] if namespace else []), plural, *([name] if name else [])]))

    def get(self, kind, *words):
        """As kubectl is asked: get("pod", "one", "-n", "default")."""
        name = words[0] if words and words[0] != "-n" else None
        found = self.find(kind, name, words[-1] if "-n" in words else None)
        assert found is not None, f"there is no {kind} {words}"
        return found

    def requests(self, plural, *verbs, subresource=""):
        """How many the API server was sent so far."""
        status, text = self.send("GET", "/metrics")
        assert status == 200, text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("apiserver_request_total{")
                   and f',resource="{plural}"' in line and f'subresource="{subresource}"' in line and any(f'verb="{verb}"' in line for verb in verbs))

    def may(self, account, verb, what, namespace=""):
        """Whether a service account, "namespace:name", may: "plural", "plural/subresource" or "plural/name", in all namespaces or one."""
        plural, _, rest = what.partition("/")
        group = PLACES[plural].split("/")[1] if PLACES[plural] != "api/v1" else ""
        asked = {"verb": verb, "group": group, "resource": plural, "namespace": namespace}
        asked["subresource" if rest in SUBRESOURCES else "name"] = rest
        answer = self.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": f"system:serviceaccount:{account}", "resourceAttributes": asked}})
        return answer["status"]["allowed"]

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
