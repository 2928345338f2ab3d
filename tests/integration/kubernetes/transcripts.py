# SPDX-License-Identifier: Apache-2.0
"""What an API server answers to what our client asks, as tests/data/kubernetes/ keeps it: with numbers in place of what differs each
time, and without tokens. Run by itself it asks a server and writes the file anew:
GUARD_SHARED=FOLDER /usr/bin/python3 tests/integration/kubernetes/transcripts.py"""

import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from harness import ROOT  # noqa: E402
from kubernetes.apicluster import Cluster, Socket  # noqa: E402
from kubernetes.operators import token_of, wait_for  # noqa: E402

FILE = ROOT / "tests" / "data" / "kubernetes" / "transcripts.json"
NAMESPACE = "recorded"  # what it is called in the file
AUDIENCE = "guard.security"
TOKEN_REVIEWS, ACCESS_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews", "/apis/authorization.k8s.io/v1/subjectaccessreviews"


class Recorder:
    def __init__(self, cluster, namespace):
        self.cluster, self.namespace = cluster, namespace
        self.leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self.pods = f"/api/v1/namespaces/{namespace}/pods"
        self.exchanges, self.tokens = {}, []

    def ask(self, name, method, path, body=None, account=None):
        """Asks, and keeps it under that name; as an account of the namespace, else as an administrator. The answer's object."""
        self.cluster.ask("GET", "/version")  # the proxy is there
        connection = Socket(self.cluster.socket)
        headers = {"Content-Type": "application/json",
                   **({"Impersonate-User": f"system:serviceaccount:{self.namespace}:{account}"} if account else {})}
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
        finally:
            connection.close()
        self.exchanges[name] = {"method": method, "path": path, "body": json.dumps(body, separators=(",", ":")) if body is not None else "",
                                "status": answer.status, "retry_after_s": int(answer.headers.get("Retry-After", 0)), "answer": said}
        return said

    def review(self, name, token, ours=True):
        self.tokens.append(token)
        return self.ask(name, "POST", TOKEN_REVIEWS, {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": {"token": token, **({"audiences": [AUDIENCE]} if ours else {})}})

    def access(self, name, user, verb, part=None):
        """The user as a TokenReview said it."""
        return self.ask(name, "POST", ACCESS_REVIEWS, {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": user["username"], "uid": user["uid"], "groups": user["groups"], **({"extra": user["extra"]} if "extra" in user else {}),
                     "resourceAttributes": {"group": AUDIENCE, "resource": "guardians", **({"subresource": part} if part else {}), "verb": verb,
                                            "namespace": self.namespace, "name": "shop"}}})

    def lease(self, holder, version=None, transitions=0):
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": "guard-operator", "namespace": self.namespace, **({"resourceVersion": version} if version else {})},
                "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "acquireTime": "2026-01-01T00:00:00.000000Z",
                         "renewTime": f"{datetime.datetime.utcnow():%Y-%m-%dT%H:%M:%S.%fZ}", "leaseTransitions": transitions}}

    def eviction(self, name, pod, uid):
        return self.ask(name, "POST", f"{self.pods}/{pod}/eviction", {
            "apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": pod, "namespace": self.namespace},
            "deleteOptions": {"preconditions": {"uid": uid}}})

    # --- in the file ---

    def same_each_time(self):
        text = json.dumps(self.exchanges)
        for token in self.tokens:
            text = text.replace(token, "TOKEN")
        text = text.replace(self.namespace, NAMESPACE)
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", lambda found: f"2026-01-01T00:00:00{'.000000' if found.group(1) else ''}Z", text)
        for pattern, form in ((r"(?!00000000)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "00000000-0000-4000-8000-{:012}"),
                              (r'(?<=resourceVersion\\": \\")\d+|(?<=resourceVersion": ")\d+|(?<=resourceVersion\\":\\")\d+', "{}")):
            numbers = {}
            text = re.sub(pattern, lambda found: form.format(numbers.setdefault(found.group(), 1 + len(numbers))), text)
        return {"server": self.cluster.ask("GET", "/version")["gitVersion"], "exchanges": json.loads(text)}


def make(cluster, namespace):
    """Two accounts and two pods, one of them with a gate for the service NAMESPACE.shop; ann may look at its Guardian
    and decide."""
    metadata = {"namespace": namespace}
    rules = [{"apiGroups": [AUDIENCE], "resources": [resource], "verbs": [verb], "resourceNames": ["shop"]}
             for resource, verb in (("guardians", "get"), ("guardians/decisions", "update"))]
    items = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**metadata, "name": name}} for name in ("default", "ann")]
    items += [{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {**metadata, "name": "look"}, "rules": rules},
              {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {**metadata, "name": "look"},
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look"},
               "subjects": [{"kind": "ServiceAccount", "name": "ann", "namespace": namespace}]},
              {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {**metadata, "name": "tight"},
               "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "tight"}}}}]
    done = cluster.kubectl("create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    assert done.status == 0, done.err
    uids = {}
    for name, app in (("shop-1", "shop"), ("tight-1", "tight")):
        pod = cluster.ask("POST", f"/api/v1/namespaces/{namespace}/pods", {
            "apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "name": name, "labels": {"app": app}},
            "spec": {"nodeName": "none", "automountServiceAccountToken": False, "containers": [
                {"name": "app", "image": "localhost/app:1"},
                {"name": "guard", "image": "localhost/guard:1", "args": ["run", "--service", f"{namespace}.shop"]}]}})
        uids[name] = pod["metadata"]["uid"]
        pod["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        cluster.ask("PUT", f"/api/v1/namespaces/{namespace}/pods/{name}/status", pod)
    budget = cluster.find("poddisruptionbudgets", "tight", namespace)
    budget["status"] = {"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1,
                        "observedGeneration": budget["metadata"]["generation"]}
    cluster.ask("PUT", f"/apis/policy/v1beta1/namespaces/{namespace}/poddisruptionbudgets/tight/status", budget)
    return uids


def record(cluster, namespace):
    """What FILE should hold. The namespace is there, and empty."""
    uids = make(cluster, namespace)
    recorder = Recorder(cluster, namespace)
    # Whose a token is, and what they may.
    recorder.review("agent", token_of(cluster, namespace, "default", AUDIENCE, "shop-1"))
    recorder.ask("agent-pod", "GET", f"{recorder.pods}/shop-1")
    recorder.ask("agent-pod-gone", "GET", f"{recorder.pods}/shop-9")
    recorder.review("agent-of-no-pod", token_of(cluster, namespace, "default", AUDIENCE))
    recorder.review("token-of-others", token_of(cluster, namespace, "default"))
    recorder.review("token-of-nobody", "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDB9.c2lnbmF0dXJl", ours=False)
    user = recorder.review("user", token_of(cluster, namespace, "ann"), ours=False)["status"]["user"]
    wait_for(lambda: recorder.access("user-may-look", user, "get")["status"]["allowed"], "the role to hold")
    recorder.access("user-may-not-change", user, "update")
    recorder.access("user-may-decide", user, "update", "decisions")
    recorder.access("user-may-not-administer", user, "administer")
    recorder.ask("review-by-who-may-not", "POST", ACCESS_REVIEWS, {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                                                                   "spec": {"user": "x"}}, account="ann")
    # One that leads, and another that comes second.
    recorder.ask("lease-absent", "GET", f"{recorder.leases}/guard-operator")
    made = recorder.ask("lease-made", "POST", recorder.leases, recorder.lease("one", transitions=1))
    recorder.ask("lease-made-twice", "POST", recorder.leases, recorder.lease("two", transitions=1))
    recorder.ask("lease-read", "GET", f"{recorder.leases}/guard-operator")
    version = made["metadata"]["resourceVersion"]
    recorder.ask("lease-renewed", "PUT", f"{recorder.leases}/guard-operator", recorder.lease("one", version, 1))
    other = recorder.lease("two", version, 2)
    recorder.ask("lease-written-too-late", "PUT", f"{recorder.leases}/guard-operator", other)
    # Evictions.
    recorder.ask("tight-pod", "GET", f"{recorder.pods}/tight-1")
    recorder.eviction("eviction-of-another", "shop-1", "00000000-0000-4000-8000-000000000000")
    recorder.eviction("eviction-beyond-the-budget", "tight-1", uids["tight-1"])
    recorder.eviction("eviction", "shop-1", uids["shop-1"])
    recorder.eviction("eviction-of-nobody", "shop-9", uids["shop-1"])
    return recorder.same_each_time()


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="guard-transcripts."))
    cluster = Cluster(folder / "cluster")
    done = cluster.up()
    assert done.status == 0, done.out + done.err
    try:
        cluster.ask("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "to-be-recorded"}})
        recorded = record(cluster, "to-be-recorded")
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(json.dumps(recorded, indent=1) + "\n")
    finally:
        cluster.down()
        subprocess.run(["rm", "-rf", str(folder)], check=False)


if __name__ == "__main__":
    main()
