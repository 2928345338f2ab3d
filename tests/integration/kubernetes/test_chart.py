# SPDX-License-Identifier: Apache-2.0
"""deploy/helm/guard: with its defaults the same objects as install.yaml; each value does what it says and nothing else; what is wrong is
refused by its path; what comes of it is taken by a real kube-apiserver."""

import copy
import json
import subprocess
import sys

import pytest
import yaml
from harness import ROOT
from kubernetes import charts
from kubernetes.apicluster import CRDS

sys.path.insert(0, str(ROOT / "tools"))
import install  # noqa: E402

PART_OF = "app.kubernetes.io/part-of"


@pytest.fixture(scope="module")
def chart(tmp_path_factory):
    made = charts.renderer(tmp_path_factory.mktemp("chart") / "renderer")
    if made is None:
        print("\n***** SKIPPED: the chart isn't rendered: neither helm nor caddy is installed *****", file=sys.__stderr__)
        pytest.skip("neither helm nor caddy is installed")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def default(chart):
    return by_key(charts.objects_of(chart.render({})))


def key(one):
    return one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]


def by_key(objects):
    out = {key(one): one for one in objects}
    assert len(out) == len(objects), "an object is there twice"
    return out


def rendered(chart, over, **more):
    return by_key(charts.objects_of(chart.render(over, **more)))


def installed(*options):
    """What tools/install.py makes with those options; with none what it made."""
    if options:
        return by_key(install.made(install.options_of(options)))
    return by_key([one for one in yaml.load_all((CRDS / "install.yaml").read_text(), yaml.CSafeLoader) if one])


def container(objects, kind, name, at=0):
    return objects[kind, "guard-system", name]["spec"]["template"]["spec"]["containers"][at]


def guardd(objects):
    return container(objects, "StatefulSet", "guardd")


def webhook(objects):
    return container(objects, "Deployment", "guard-webhook")


def same_but_defined(have, want):
    """Definitions are in crds/, and the Namespace is made by Helm."""
    want = {one: value for one, value in want.items() if one[0] not in ("CustomResourceDefinition", "Namespace") or one[2] in ("guard-responder", "guard-podwatch")}
    assert have.keys() == want.keys()
    for one, value in want.items():
        assert have[one] == value, one


def test_the_templates_are_made_of_the_parts():
    done = subprocess.run([sys.executable, ROOT / "tools/chart.py", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_with_its_defaults_it_is_what_install_yaml_has(default):
    shipped = installed()
    same_but_defined(default, shipped)
    defined = by_key([yaml.load(path.read_text(), yaml.CSafeLoader) for path in sorted((charts.CHART / "crds").glob("*.yaml"))])
    for one, value in shipped.items():
        if one[0] == "CustomResourceDefinition":
            defined[one]["metadata"].setdefault("labels", {})[PART_OF] = "guard"
            assert defined.pop(one) == value
    assert not defined


@pytest.mark.parametrize("over, options", [
    ({"webhook": {"certificate": {"mode": "cert-manager"}}}, ["--cert-manager"]), ({"guardd": {"store": {"secret": "guardd-store"}}}, ["--store"]),
    ({"guardd": {"accessReviews": {"enabled": True}}}, ["--access-reviews"]), ({"responder": {"enabled": True}}, ["--responder"]),
    ({"podwatch": {"enabled": True}}, ["--podwatch"]),
    ({"image": {"repository": "registry.example/guard", "tag": "9"}}, ["--image", "registry.example/guard:9"])])
def test_what_both_know_is_the_same(chart, over, options):
    same_but_defined(rendered(chart, over), installed(*options))


def changed(default, have):
    """{object: what of it is other}, of those that differ."""
    return {one[0] + "/" + one[2] for one in default.keys() | have.keys() if default.get(one) != have.get(one)}


def is_podwatch(objects):
    pod = objects["DaemonSet", "guard-podwatch", "guard-podwatch"]["spec"]["template"]["spec"]
    main, names, agent = pod["containers"]
    at = agent["args"].index("--parent")
    return (main["args"][-2:] == ["--root", "{{ x }}"] and main["resources"]["limits"] == {"memory": "64Mi"} and pod["tolerations"] == [] and
            main["securityContext"]["seccompProfile"] == {"type": "Unconfined"} and agent["args"][at + 1:at + 3] == ["https://p:1", "--parent-token"] and
            names["resources"]["limits"] == {"memory": "65Mi"} and agent["resources"]["limits"] == {"memory": "66Mi"} and
            pod["volumes"][-1]["configMap"]["name"] == "mine" and
            guardd(objects)["args"][-2:] == ["--node-agents", "guard-podwatch/guard-podwatch"])


def pod_of(objects):
    return objects["StatefulSet", "guard-system", "guardd"]["spec"]["template"]["spec"]


def mounted(objects, volume):
    """By which of guardd's containers."""
    return [one["name"] for one in pod_of(objects)["containers"] if volume in [mount["name"] for mount in one["volumeMounts"]]]


def is_on_postgresql(objects):
    """Its password is no argument, and in no object but the Secret."""
    address, password = guardd(objects)["env"]
    ca, = [one["secret"] for one in pod_of(objects)["volumes"] if one["name"] == "store"]
    return (address["valueFrom"]["secretKeyRef"] == {"name": "db", "key": "url"} and password["name"] == "PGPASSWORD" and
            password["valueFrom"]["secretKeyRef"] == {"name": "db", "key": "word", "optional": True} and
            (ca["secretName"], ca["items"], ca["optional"]) == ("db", [{"key": "who", "path": "ca.crt"}], True) and
            mounted(objects, "store") == ["guardd"] and
            objects["NetworkPolicy", "guard-system", "guardd"]["spec"]["egress"][-1]["ports"][0]["port"] == 6432)


def has_signing_key(objects):
    """guardd alone, not what faces the network."""
    key, = [one["secret"] for one in pod_of(objects)["volumes"] if one["name"] == "signing"]
    return (key == {"secretName": "mine", "defaultMode": 0o440, "items": [{"key": "own", "path": "policy.key"}]} and
            guardd(objects)["args"][-2:] == ["--signing-key", "/etc/guard/signing/policy.key"] and mounted(objects, "signing") == ["guardd"])


SWITCHES = [
    ({"image": {"digest": "sha256:" + "a" * 64}}, {"StatefulSet/guardd", "Deployment/guard-webhook"},
     lambda o: guardd(o)["image"] == "guard@sha256:" + "a" * 64 and webhook(o)["args"][-1] == guardd(o)["image"]),
    ({"image": {"pullPolicy": "Always", "pullSecrets": [{"name": "mine"}]}}, {"StatefulSet/guardd", "Deployment/guard-webhook"},
     lambda o: webhook(o)["imagePullPolicy"] == "Always" and
     o["StatefulSet", "guard-system", "guardd"]["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "mine"}]),
    ({"guardd": {"operator": False}}, {"StatefulSet/guardd", "ClusterRole/guard-operator", "ClusterRoleBinding/guard-operator",
                                       "Role/guard-operator-lease", "RoleBinding/guard-operator-lease"}, lambda o: "--kubernetes" not in guardd(o)["args"]),
    ({"guardd": {"tlsSecret": "mine"}}, {"StatefulSet/guardd"}, lambda o: '"secretName": "mine"' in json.dumps(o["StatefulSet", "guard-system", "guardd"])),
    ({"guardd": {"resources": {"limits": {"memory": "2Gi"}}, "front": {"resources": {"limits": {"cpu": 1}}}}}, {"StatefulSet/guardd"},
     lambda o: guardd(o)["resources"]["limits"] == {"memory": "2Gi"} and
     container(o, "StatefulSet", "guardd", 1)["resources"]["limits"] == {"memory": "128Mi", "cpu": 1}),
    ({"guardd": {"storage": {"size": "20Gi", "className": "fast"}}}, {"StatefulSet/guardd"},
     lambda o: o["StatefulSet", "guard-system", "guardd"]["spec"]["volumeClaimTemplates"][0]["spec"] == {
         "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}, "storageClassName": "fast"}),
    ({"guardd": {"store": {"secret": "db", "key": "url", "port": 6432, "passwordKey": "word", "caKey": "who"}}},
     {"StatefulSet/guardd", "NetworkPolicy/guardd"}, is_on_postgresql),
    ({"guardd": {"signingKey": {"secret": "mine", "key": "own"}}}, {"StatefulSet/guardd"}, has_signing_key),
    ({"guardd": {"replicas": 3, "store": {"secret": "db"}, "signingKey": {"secret": "mine"}}}, {"StatefulSet/guardd", "NetworkPolicy/guardd"},
     lambda o: o["StatefulSet", "guard-system", "guardd"]["spec"]["replicas"] == 3 and "--signing-key" in guardd(o)["args"] and
     guardd(o)["readinessProbe"]["exec"]["command"][-1] == "--ready" and "--ready" not in guardd(o)["livenessProbe"]["exec"]["command"]),
    ({"guardd": {"learner": {"wholePiles": "a,b", "release": "1h", "valid": "2d", "keep": "90d", "keepSize": "2G"}}}, {"StatefulSet/guardd"},
     lambda o: guardd(o)["args"][-9:] == ["a,b", "--release", "1h", "--valid", "2d", "--keep", "90d", "--keep-size", "2G"]),
    ({"guardd": {"podOrders": "dry-run", "extraArgs": ["--report-every", "30s: # {{ x }}"]}}, {"StatefulSet/guardd"},
     lambda o: guardd(o)["args"][-4:] == ["--pod-orders", "dry-run", "--report-every", "30s: # {{ x }}"]),
    ({"guardd": {"accessReviews": {"enabled": True, "keep": "10s"}}}, {"StatefulSet/guardd", "ClusterRole/guard-access-reviews",
                                                                      "ClusterRoleBinding/guard-access-reviews"},
     lambda o: guardd(o)["args"][-4:] == ["--access-reviews", "in-cluster", "--access-keep", "10s"]),
    ({"webhook": {"enabled": False}}, {f"{kind}/guard-webhook" for kind in (
        "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy")} |
     {"Secret/guard-webhook-tls", "MutatingWebhookConfiguration/guard"}, lambda o: not [one for one in o if "webhook" in one[2]]),
    ({"webhook": {"replicas": 5, "resources": {"limits": {"memory": "1Gi"}}, "parent": "https://guardd.guard-system.svc:8443", "trust": "guard-trust"}},
     {"Deployment/guard-webhook"}, lambda o: o["Deployment", "guard-system", "guard-webhook"]["spec"]["replicas"] == 5 and
     webhook(o)["args"][-4:] == ["--parent", "https://guardd.guard-system.svc:8443", "--trust", "guard-trust"]),
    ({"webhook": {"failurePolicy": "Ignore", "timeoutSeconds": 2}}, {"MutatingWebhookConfiguration/guard"},
     lambda o: {(one["failurePolicy"], one["timeoutSeconds"]) for one in o["MutatingWebhookConfiguration", "", "guard"]["webhooks"]} == {("Ignore", 2)}),
    ({"webhook": {"namespaces": {"excluded": ["kube-system", "db"], "only": ["prod", "test"]}}}, {"MutatingWebhookConfiguration/guard"},
     lambda o: all(one["namespaceSelector"]["matchExpressions"][1:] == [
         {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", "db", "guard-system"]},
         {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["prod", "test"]}]
         for one in o["MutatingWebhookConfiguration", "", "guard"]["webhooks"])),
    ({"webhook": {"certificate": {"mode": "secret", "secret": "mine", "caBundle": "eA=="}}},
     {f"{kind}/guard-webhook" for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Deployment", "NetworkPolicy")} |
     {"Secret/guard-webhook-tls", "MutatingWebhookConfiguration/guard"},
     lambda o: {one["clientConfig"]["caBundle"] for one in o["MutatingWebhookConfiguration", "", "guard"]["webhooks"]} == {"eA=="} and
     "--certify" not in webhook(o)["args"] and o["Deployment", "guard-system", "guard-webhook"]["spec"]["template"]["spec"]["volumes"][-1]["secret"]["secretName"] == "mine"),
    ({"networkPolicy": {"enabled": False}}, {"NetworkPolicy/guardd", "NetworkPolicy/guard-webhook"}, lambda o: True),
    ({"podDisruptionBudget": {"enabled": False}}, {"PodDisruptionBudget/guardd", "PodDisruptionBudget/guard-webhook"}, lambda o: True),
    ({"serviceMonitor": {"enabled": True, "interval": "1m"}}, {"ServiceMonitor/guardd"},
     lambda o: o["ServiceMonitor", "guard-system", "guardd"]["spec"]["endpoints"][0]["interval"] == "1m"),
    ({"cluster": {"floor": {"learn": "on"}}, "namespaceDefaults": [{"namespace": "prod", "spec": {"control": {"mode": "block"}}}]},
     {"ClusterGuardian/cluster", "GuardianDefault/default"},
     lambda o: o["ClusterGuardian", "", "cluster"]["spec"] == {"floor": {"learn": "on"}} and
     o["GuardianDefault", "prod", "default"]["spec"] == {"control": {"mode": "block"}}),
    ({"responder": {"enabled": True, "config": "a: '{{ x }}'\n"}}, {
        "Namespace/guard-responder", "ServiceAccount/guard-responder", "ClusterRole/guard-responder", "ClusterRole/guard-responder-relabel",
        "ConfigMap/guard-responder", "DaemonSet/guard-responder"},
     lambda o: o["ConfigMap", "guard-responder", "guard-responder"]["data"]["responder.yaml"] == "a: '{{ x }}'\n"),
    ({"podwatch": {"enabled": True, "seccompProfile": {"type": "Unconfined"}, "tolerations": [], "resources": {"limits": {"memory": "64Mi"}},
                   "extraArgs": ["--root", "{{ x }}"], "names": {"resources": {"limits": {"memory": "65Mi"}}},
                   "agent": {"parent": "https://p:1", "trust": "mine", "resources": {"limits": {"memory": "66Mi"}}}}},
     {"Namespace/guard-podwatch", "ServiceAccount/guard-podwatch", "ClusterRole/guard-podwatch", "ClusterRoleBinding/guard-podwatch",
      "NetworkPolicy/guard-podwatch", "DaemonSet/guard-podwatch", "StatefulSet/guardd"}, is_podwatch),
]


@pytest.mark.parametrize("over, objects, holds", SWITCHES, ids=[json.dumps(one[0])[:60] for one in SWITCHES])
def test_each_value_does_what_it_says_and_nothing_else(chart, default, over, objects, holds):
    have = rendered(chart, over)
    assert changed(default, have) == objects
    assert holds(have)


def paths(values, before=()):
    for name, one in values.items():
        if isinstance(one, dict) and one and name not in ("requests", "limits"):
            yield from paths(one, (*before, name))
        else:
            yield (*before, name)


def test_every_value_is_switched_above_and_known_to_the_schema():
    values = yaml.safe_load((charts.CHART / "values.yaml").read_text())
    charts.check(values)
    used = {path[:2] for one in SWITCHES + [({"image": {"repository": "", "tag": ""}},)] for path in paths(one[0])}
    assert not [path for path in paths(values) if path[:2] not in {one[:len(path)] for one in used}]
    schema = json.loads((charts.CHART / "values.schema.json").read_text())
    for path in paths(values):
        at = schema
        for name in path:
            at = at["properties"][name] if "properties" in at else at
        assert at


@pytest.mark.parametrize("over, said", [
    ({"webhook": {"replicas": "two"}}, "webhook.replicas"), ({"webhook": {"replicas": 0}}, "webhook.replicas"),
    ({"webhook": {"failurePolicy": "fail"}}, "webhook.failurePolicy"), ({"webhok": {}}, "webhok"),
    ({"guardd": {"learner": {"keep": "a week"}}}, "guardd.learner.keep"), ({"guardd": {"resources": {"limits": {"memory": "lots"}}}}, "guardd.resources"),
    ({"webhook": {"certificate": {"mode": "secret"}}}, "webhook.certificate.caBundle"),
    ({"webhook": {"namespaces": {"only": ["Prod"]}}}, "webhook.namespaces.only.0"), ({"image": {"digest": "sha256:1"}}, "image.digest"),
    ({"webhook": {"parent": "http://guardd"}}, "webhook.parent"), ({"namespaceDefaults": [{"namespace": "a"}]}, "namespaceDefaults.0"), ({"cluster": {"flor": {}}}, "cluster"),
    ({"guardd": {"accessReviews": {"keep": ""}}}, "guardd.accessReviews.keep"),
    ({"guardd": {"replicas": 0}}, "guardd.replicas"), ({"guardd": {"replicas": 2.5}}, "guardd.replicas"), ({"guardd": {"replicas": 10}}, "guardd.replicas"),
    ({"guardd": {"replicas": 2}}, "guardd.replicas: more than one needs guardd.store.secret"),
    ({"guardd": {"replicas": 2, "store": {"secret": "db"}}}, "guardd.replicas: more than one needs guardd.signingKey.secret"),
    ({"guardd": {"replicas": 2, "signingKey": {"secret": "mine"}}}, "guardd.replicas: more than one needs guardd.store.secret"),
    ({"guardd": {"store": {"secret": "db"}, "podOrders": "act"}}, "guardd.podOrders: over PostgreSQL the guardd that gives orders changes")])
def test_a_wrong_value_is_refused_by_its_path(chart, over, said):
    with pytest.raises(charts.Refused) as refused:
        chart.render(over)
    assert said in str(refused.value)


def test_another_namespace_is_everywhere(chart):
    texts = chart.render({"webhook": {"certificate": {"mode": "cert-manager"}}, "serviceMonitor": {"enabled": True}}, namespace="security")
    assert not [name for name, text in texts.items() if "guard-system" in text]
    have = by_key(charts.objects_of(texts))
    assert {one[1] for one in have} == {"security", ""}
    assert have["Certificate", "security", "guard-webhook"]["spec"]["dnsNames"] == ["guard-webhook.security.svc"]
    for one in have.values():
        for subject in one.get("subjects", []):
            assert subject["namespace"] == "security"


def test_the_apiserver_takes_it(api_cluster, chart):
    """Server-side apply as a dry run, in a namespace that is there; and the whole for good in another."""
    for name in ("security", "guard-responder", "guard-podwatch"):  # other tests may have made them
        done = api_cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        assert done.status == 0, done.err
    several = {"guardd": {"replicas": 3, "store": {"secret": "db"}, "signingKey": {"secret": "mine"}}}
    over = {"guardd": {"accessReviews": {"enabled": True}}, "responder": {"enabled": True}, "podwatch": {"enabled": True}, "cluster": {"defaults": {"control": {"mode": "alert"}}, "floor": {"learn": "on"}},
            "namespaceDefaults": [{"namespace": "security", "spec": {"control": {"mode": "alert"}}}], "image": {"pullSecrets": [{"name": "mine"}]},
            "webhook": {"namespaces": {"only": ["prod"]}, "parent": "https://guardd.security.svc:8443", "trust": "guard-trust"}}
    print("***** policy/v1beta1 instead of policy/v1: this server is 1.20 *****", file=sys.__stderr__)
    for values in ({}, several, over):
        objects = copy.deepcopy(charts.objects_of(chart.render(values, namespace="security")))
        for one in objects:
            if one["kind"] == "PodDisruptionBudget":
                one["apiVersion"] = "policy/v1beta1"
        done = api_cluster.apply(objects, "--dry-run=server")
        assert done.status == 0, done.err
        assert len(done.out.splitlines()) == len(objects)
