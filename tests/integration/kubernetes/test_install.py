# SPDX-License-Identifier: Apache-2.0
"""What deploy/kubernetes installs, at a real kube-apiserver: taken as it is, with rights that are enough and no more, kept by an upgrade,
gone without a trace. A server this old has no policy/v1 and no CEL: both are sent as it knows them, and that is printed."""

import base64
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest
import yaml
from harness import BIN, ROOT, end_process, free_port
from kubernetes.apicluster import resource
from kubernetes.operators import Operator, condition, shipped_rights, token_of, wait_for, wait_rights
from kubernetes.shipped import PART_OF, documents, known, one_of, read

sys.path.insert(0, str(ROOT / "tools"))
import install  # noqa: E402

INSTALL = ROOT / "tools" / "install.py"


def rendered(*options):
    return install.made(install.options_of(options))


@pytest.fixture(scope="module")
def shipped():
    return read("install.yaml")


def test_the_one_file_is_made_of_the_parts():
    done = subprocess.run([sys.executable, INSTALL, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pods_pass_the_restricted_standard(shipped):
    """By its rules as they are written; admission of Pod Security isn't in this server."""
    pods = [one["spec"]["template"]["spec"] for one in shipped if one["kind"] in ("StatefulSet", "Deployment")]
    assert len(pods) == 2
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all(set(volume) & {"configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim"} for volume in pod["volumes"])
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False and security["capabilities"] == {"drop": ["ALL"]}
            assert security["readOnlyRootFilesystem"] is True and "memory" in container["resources"]["limits"]
            assert security.get("runAsUser", pod["securityContext"].get("runAsUser", 0)) > 0
            assert "livenessProbe" in container and "readinessProbe" in container


def test_everything_is_labelled_and_no_secret_is_filled(shipped):
    for one in shipped:
        assert one["metadata"]["labels"][PART_OF] == "guard", one["metadata"]["name"]
        assert one["kind"] != "Secret" or not {"data", "stringData"} & set(one)
    for one in shipped:
        for rule in one.get("rules", []) if one["kind"] in ("ClusterRole", "Role") else []:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]


def test_variants():
    manager = rendered("--cert-manager", "--store", "--image", "registry.example/guard:9")
    args = one_of(manager, "Deployment", "guard-webhook")["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--certify" not in args and args[args.index("--image") + 1] == "registry.example/guard:9"
    assert not [one for one in manager if one["kind"] in ("Role", "ClusterRole") and one["metadata"]["name"] == "guard-webhook"]
    assert one_of(manager, "Certificate", "guard-webhook")["spec"]["secretName"] == "guard-webhook-tls"
    guardd = one_of(manager, "StatefulSet", "guardd")["spec"]["template"]["spec"]["containers"][0]
    assert guardd["args"][-2:] == ["--store", "$(GUARD_STORE)"] and guardd["env"][0]["valueFrom"]["secretKeyRef"]["name"] == "guardd-store"
    assert {container["image"] for one in manager if one["kind"] in ("StatefulSet", "Deployment")
            for container in one["spec"]["template"]["spec"]["containers"]} == {"registry.example/guard:9"}
    assert [one["name"] for one in guardd["env"]] == ["GUARD_STORE", "PGPASSWORD"]
    both = rendered("--store", "--podwatch")
    assert one_of(both, "DaemonSet", "guard-podwatch") and one_of(both, "StatefulSet", "guardd")["spec"]["template"]["spec"]["containers"][0]["env"]
    reviews = rendered("--access-reviews")
    assert one_of(reviews, "StatefulSet", "guardd")["spec"]["template"]["spec"]["containers"][0]["args"][-4:] == [
        "--access-reviews", "in-cluster", "--access-keep", "60s"]
    assert one_of(reviews, "ClusterRoleBinding", "guard-access-reviews")["subjects"] == [
        {"kind": "ServiceAccount", "name": "guardd", "namespace": "guard-system"}]


def test_podwatch_is_left_out_unless_asked_for_and_has_few_rights(api_cluster, shipped):
    assert "podwatch" not in {one["metadata"]["name"].removeprefix("guard-") for one in shipped}
    assert "--node-agents" not in one_of(shipped, "StatefulSet", "guardd")["spec"]["template"]["spec"]["containers"][0]["args"]
    made = rendered("--podwatch")
    assert one_of(made, "StatefulSet", "guardd")["spec"]["template"]["spec"]["containers"][0]["args"][-2:] == [
        "--node-agents", "guard-podwatch/guard-podwatch"]
    ours = [one for one in made if one["metadata"]["name"] == "guard-podwatch"]
    assert [one["kind"] for one in ours] == ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "NetworkPolicy", "DaemonSet"]
    assert ours[1]["automountServiceAccountToken"] is False
    assert ours[2]["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}]
    pod = ours[-1]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False and not {"hostNetwork", "hostIPC"} & set(pod) and pod["hostPID"] is True
    podwatch, names, agent = pod["containers"]
    for container in (podwatch, names, agent):
        security = container["securityContext"]
        assert "privileged" not in security and security["allowPrivilegeEscalation"] is False and security["readOnlyRootFilesystem"] is True
        assert "memory" in container["resources"]["limits"] and pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert podwatch["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["BPF", "PERFMON", "NET_ADMIN"]}
    assert podwatch["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (names, agent):
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]} and container["securityContext"]["runAsNonRoot"] is True
    users = [container["securityContext"]["runAsUser"] for container in pod["containers"]]
    assert len(set(users)) == 3 and not {65532, 65533} & set(users), "in the node's PID namespace nobody looks into another's processes"
    mounts = [{one["mountPath"]: one.get("readOnly", False) for one in container["volumeMounts"]} for container in pod["containers"]]
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert mounts == [
        {"/var/lib/guard/pods": False, "/run/guard-pods": True, "/run/guard-podwatch": False, "/sys/fs/cgroup": True, "/sys/kernel/tracing": True},
        {"/run/guard-pods": False, account: True},
        {"/var/lib/guard": False, "/var/lib/guard/pods": False, "/var/run/guard": True, "/etc/guard/trust": True}]
    assert [one["hostPath"]["path"] for one in pod["volumes"] if "hostPath" in one] == ["/sys/fs/cgroup", "/sys/kernel/tracing"]
    # Taken as it is: its namespace has to be there for the dry run of the rest.
    assert api_cluster.kubectl("apply", "-f", "-", text=documents(ours[:1])).status == 0
    done = api_cluster.kubectl("apply", "--dry-run=server", "-f", "-", text=documents(ours))
    assert done.status == 0 and len(done.out.splitlines()) == len(ours), done.err


@pytest.mark.parametrize("account, verb, what, namespace, allowed", [
    ("guardd", "create", "tokenreviews", "", True), ("guardd", "get", "pods", "prod", True),
    ("guardd", "patch", "guardians/status", "prod", True), ("guardd", "update", "leases/guard-operator", "guard-system", True),
    ("guardd", "update", "leases/other", "guard-system", False), ("guardd", "get", "secrets/guard-webhook-tls", "guard-system", False),
    ("guardd", "list", "pods", "", True), ("guardd", "watch", "pods", "", False),
    ("guardd", "list", "services", "", True), ("guardd", "list", "endpoints", "", False), ("guardd", "create", "pods/exec", "prod", False), ("guardd", "get", "pods/log", "prod", False),
    ("guardd", "patch", "mutatingwebhookconfigurations/guard", "", False), ("guardd", "create", "subjectaccessreviews", "", False),
    ("guard-webhook", "create", "tokenreviews", "", False), ("guard-webhook", "get", "pods", "prod", False),
    ("default", "get", "secrets/guard-webhook-tls", "guard-system", False),
])
def test_rights(api_cluster, tmp_path, shipped, account, verb, what, namespace, allowed):
    rights = ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
    if not getattr(test_rights, "applied", False):
        done = api_cluster.kubectl("apply", "-f", "-", text=documents([one for one in shipped if one["kind"] in rights]))
        assert done.status == 0, done.err
        wait_rights(api_cluster, "guard-system:guardd", ("create", "tokenreviews"), ("list", "services"), ("update", "leases/guard-operator", "guard-system"))
        test_rights.applied = True
    assert api_cluster.may(f"guard-system:{account}", verb, what, namespace) == allowed


class Pod:
    """The containers of the StatefulSet as processes: the shipped commands, arguments and configuration, with paths and port of this test.
    The kubelet's part (volumes, users) is played: both run as whoever runs the test."""

    def __init__(self, cluster, folder, shipped, kubeconfig):
        self.folder, self.state, self.port = folder, folder / "state", free_port()
        self.state.mkdir(parents=True)
        self.containers = {one["name"]: one for one in one_of(shipped, "StatefulSet", "guardd")["spec"]["template"]["spec"]["containers"]}
        (folder / "tmp").mkdir()
        (folder / "tls").mkdir()
        self.certificate("first")
        conf = one_of(shipped, "ConfigMap", "guardd-front")["data"]["nginx.conf"]
        paths = {"/tmp/": f"{folder}/tmp/", "/var/lib/guard": str(self.state), "/etc/guard/tls": str(folder / "tls"),
                 "listen 8443": f"listen 127.0.0.1:{self.port}", "events {": "user root; events {" if os.geteuid() == 0 else "events {"}
        for old, new in paths.items():
            assert old in conf
            conf = conf.replace(old, new)
        (folder / "nginx.conf").write_text(conf)
        args = [{"in-cluster": str(kubeconfig), "/var/lib/guard": str(self.state), "guard": "root"}.get(arg, arg)
                for arg in self.containers["guardd"]["args"]]
        self.guardd = subprocess.Popen(cluster.command(BIN / "guardd", *args), stderr=open(folder / "guardd.log", "wb"), env=cluster.env)
        self.front = subprocess.Popen(["/usr/sbin/nginx", "-c", folder / "nginx.conf", *self.containers["front"]["args"][2:]],
                                      stderr=open(folder / "front.log", "wb"))

    def certificate(self, name):
        for suffix, made in (("crt", "tls.crt"), ("key", "tls.key")):
            (self.folder / f"new.{suffix}").unlink(missing_ok=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:guardd.guard-system.svc", "-keyout",
                        self.folder / "new.key", "-out", self.folder / "new.crt"], check=True, capture_output=True)
        (self.folder / "new.key").replace(self.folder / "tls/tls.key")
        (self.folder / "new.crt").replace(self.folder / "tls/tls.crt")

    def curl(self, path, *options):
        done = subprocess.run(["curl", "-sS", "--cacert", self.folder / "tls/tls.crt", "--resolve",
                               f"guardd.guard-system.svc:{self.port}:127.0.0.1", "-w", "\n%{http_code}", *options,
                               f"https://guardd.guard-system.svc:{self.port}{path}"], capture_output=True, text=True, check=False)
        body, _, status = done.stdout.rpartition("\n")
        return int(status or 0), body

    def probe(self):
        words = self.containers["guardd"]["livenessProbe"]["exec"]["command"]
        words = [BIN / "guard", *[word.replace("/var/lib/guard", str(self.state)) for word in words[1:]]]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    def stop(self):
        end_process(self.front)
        end_process(self.guardd)


def test_the_shipped_pod_serves_agents_by_their_tokens(api_cluster, namespace, shipped, tmp_path):
    pod = Pod(api_cluster, tmp_path / "pod", shipped, shipped_rights(api_cluster, tmp_path / "rights"))
    try:
        wait_for(lambda: pod.probe().returncode == 0, "the probe to pass", timeout=120)
        wait_for(lambda: pod.curl("/healthz")[0] == 200, "the front")
        assert pod.curl("/policy.pub") == (200, (pod.state / "keys/policy.pub").read_text())
        assert pod.curl("/keys/policy.key")[0] == 404 and pod.curl("/policy.pub/../guard.db", "--path-as-is")[0] in (400, 404)
        api_cluster.kubectl("create", "serviceaccount", "default", "-n", namespace)
        made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop-1", "namespace": namespace}, "spec": {
            "nodeName": "nowhere", "automountServiceAccountToken": False,
            "containers": [{"name": "guard", "image": "g:1", "args": ["run", "--service", f"{namespace}.shop"]}]}}
        assert api_cluster.kubectl("create", "-f", "-", text=json.dumps(made)).status == 0
        token = token_of(api_cluster, namespace, "default", audience="guard.security", pod="shop-1")
        said = ("-H", f"Authorization: Bearer {token}")
        status, body = pod.curl(f"/api/v1/services/{namespace}.shop/key", *said)
        assert status == 200 and json.loads(body)["service"] == f"{namespace}.shop"
        assert pod.curl(f"/api/v1/services/{namespace}.pay/key", *said)[0] == 404
        assert pod.curl(f"/api/v1/services/{namespace}.shop/key")[0] == 401
        # What the front alone may say is nothing here.
        assert pod.curl("/api/v1/services", "-H", "X-Guard-Subject: CN=admin", "-H", "X-Guard-Front: x")[0] == 401
        # A renewed certificate is taken without anybody's help.
        pod.certificate("second")
        wait_for(lambda: pod.curl("/healthz")[0] == 200, "the new certificate")
    finally:
        pod.stop()
    assert pod.probe().returncode != 0  # liveness fails without it


def everything(cluster):
    """{kind and name: uid} of all objects that there are, but events and what the server itself keeps anew."""
    kinds = [line.split()[0] for line in cluster.kubectl("api-resources", "--verbs=list", "-o", "name").out.splitlines()]
    left_out = ("events", "componentstatuses", "leases.coordination", "flowschemas", "prioritylevel", "apiservices", "endpoints",
                "controllerrevisions")
    kinds = [kind for kind in kinds if not kind.startswith(left_out)]
    done = cluster.kubectl("get", ",".join(kinds), "-A", "-o", "jsonpath={range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name}\n{end}")
    assert done.status == 0, done.err
    return set(done.out.split())


def prune_namespace(cluster, name):
    """What controllers do that aren't here: of claims nobody uses, and of the namespace, which deletes what is in it, and then it."""
    for claim in cluster.get("pvc", "-n", name)["items"]:
        cluster.kubectl("patch", "pvc", claim["metadata"]["name"], "-n", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    namespaced = [line for line in cluster.kubectl("api-resources", "--verbs=delete", "--namespaced", "-o", "name").out.split()
                  if not line.startswith(("events", "endpoints"))]
    cluster.kubectl("delete", ",".join(namespaced), "--all", "-n", name, "--wait=false", "--grace-period=0", "--force")
    done = cluster.kubectl("get", "namespace", name, "-o", "json")
    if done.status == 0:
        stored = json.loads(done.out)
        stored["spec"]["finalizers"] = []
        cluster.kubectl("replace", "--raw", f"/api/v1/namespaces/{name}/finalize", "-f", "-", text=json.dumps(stored))


def guide_commands(heading):
    """The shell lines of a section of the guide."""
    text = (ROOT / "docs/guide/kubernetes.md").read_text()
    section = text.split(f"\n### {heading}\n")[1].split("\n##")[0]
    return [line for line in section.split("```sh\n")[1].split("```")[0].splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory):
    """One of its own: everything that is in it is compared."""
    from kubernetes.apicluster import KIT, Cluster
    from kubernetes.conftest import skip
    if not KIT.exists() or os.geteuid() != 0:
        skip("it needs the kit and root")
    cluster = Cluster(tmp_path_factory.mktemp("install") / "api")
    done = cluster.up()
    if done.status == 3:
        skip(done.out + done.err)
    assert done.status == 0, done.out + done.err
    yield cluster
    cluster.down()


def test_installed_upgraded_and_gone_without_a_trace(own_cluster, shipped, tmp_path):
    cluster = own_cluster
    wait_for(lambda: cluster.kubectl("get", "namespace", "default", "kube-system", "kube-public", "kube-node-lease").status == 0,
             "the server's own objects")
    before = everything(cluster)
    path = tmp_path / "install.yaml"
    path.write_text(yaml.dump_all(known(shipped), Dumper=yaml.CSafeDumper))

    def applied():
        done = cluster.kubectl("apply", "--server-side", "-f", path)
        return done.status == 0 or print(done.err)
    wait_for(applied, "everything to be taken", timeout=120)
    wait_for(lambda: cluster.kubectl("get", "guardians", "-A").status == 0, "guardians to be served")
    installed = everything(cluster)
    for one in shipped:
        name = f"{one['kind']}/{one['metadata'].get('namespace', '')}/{one['metadata']['name']}"
        assert name in installed, name
    # --- somebody uses it ---
    assert cluster.kubectl("create", "namespace", "prod").status == 0
    assert cluster.kubectl("create", "configmap", "guard-trust", "-n", "prod", "--from-literal=ca.crt=x").status == 0
    spec = {"control": {"mode": "block"}, "patches": [{"id": "p", "when": {"in": ["body"], "contains": ["x"]}}]}
    assert cluster.apply(resource("Guardian", "shop", spec, "prod")).status == 0
    filled = json.dumps({"data": {"authority.crt": base64.b64encode(b"kept").decode()}})
    assert cluster.kubectl("patch", "secret", "guard-webhook-tls", "-n", "guard-system", "--type=merge", "-p", filled).status == 0
    trusted = json.dumps({"webhooks": [{"name": name, "clientConfig": {"caBundle": base64.b64encode(b"kept").decode()}}
                                       for name in ("namespace.guard.security", "pod.guard.security")]})
    done = cluster.kubectl("patch", "mutatingwebhookconfiguration", "guard", "--type=strategic", "-p", trusted)
    assert done.status == 0, done.err
    folder = tmp_path / "operator"
    kubeconfig = shipped_rights(cluster, tmp_path / "rights")
    operator = Operator(cluster, folder, kubeconfig).start()
    wait_for(lambda: condition(cluster.get("gd", "shop", "-n", "prod")).get("status") == "True", "the Guardian to be in force", timeout=120)
    operator.stop()
    policy = (operator.state / "policies/prod.shop.policy").read_bytes()
    key = (operator.state / "keys/policy.key").read_bytes()
    # --- the next version: another image, a definition that knows a member more ---
    newer = known(shipped)
    for one in newer:
        if one["kind"] in ("StatefulSet", "Deployment"):
            for container in one["spec"]["template"]["spec"]["containers"]:
                container["image"] = "guard:0.2.0"
        if one["kind"] == "CustomResourceDefinition" and one["spec"]["names"]["kind"] == "Guardian":
            schema = one["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
            schema["newer"] = {"type": "string", "maxLength": 10}
    path.write_text(yaml.dump_all(newer, Dumper=yaml.CSafeDumper))
    wait_for(applied, "the next version to be taken", timeout=120)
    stored = cluster.get("gd", "shop", "-n", "prod")
    assert stored["spec"]["control"]["mode"] == "block" and stored["spec"]["patches"][0]["id"] == "p" and condition(stored)["status"] == "True"
    secret = cluster.get("secret", "guard-webhook-tls", "-n", "guard-system")
    assert base64.b64decode(secret["data"]["authority.crt"]) == b"kept"
    webhooks = cluster.get("mutatingwebhookconfiguration", "guard")["webhooks"]
    assert {base64.b64decode(one["clientConfig"].get("caBundle", "")) for one in webhooks} == {b"kept"}
    image = cluster.get("statefulset", "guardd", "-n", "guard-system")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "guard:0.2.0"
    # The same state folder, as the volume is.
    operator.start()
    wait_for(operator.leads, "it to lead again", timeout=60)
    assert (operator.state / "keys/policy.key").read_bytes() == key
    assert (operator.state / "policies/prod.shop.policy").exists() and len(policy) > 0
    assert operator.guardian("prod.shop")["patches"][0]["id"] == "p"
    operator.stop()
    # --- and gone, by the guide's own words ---
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim",  # as the StatefulSet's controller makes it
             "metadata": {"name": "state-guardd-0", "namespace": "guard-system", "labels": {PART_OF: "guard"}},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    assert cluster.kubectl("create", "-f", "-", text=json.dumps(claim)).status == 0
    path.write_text(yaml.dump_all(newer, Dumper=yaml.CSafeDumper))
    for line in guide_commands("Uninstalling"):
        words = line.split("#")[0].split()
        assert words[0] == "kubectl", line
        words = [str(path) if word == "install.yaml" else word for word in words[1:]]
        done = cluster.kubectl(*words, *(["--wait=false"] if words[0] == "delete" else []))
        assert done.status == 0, (line, done.err)
    for name in ("guard-system", "prod"):
        cluster.kubectl("delete", "namespace", name, "--wait=false")
        prune_namespace(cluster, name)
    for one in list(cluster.get("crd")["items"]):  # finalizers of definitions are the controller's in the API server
        assert "guard.security" not in one["metadata"]["name"] or one["metadata"].get("deletionTimestamp")
    wait_for(lambda: everything(cluster) == before, lambda: f"nothing to be left: {sorted(everything(cluster) ^ before)}", timeout=120)
