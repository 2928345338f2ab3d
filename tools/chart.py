#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the templates of deploy/helm/guard of the parts in deploy/kubernetes: tools/chart.py [--check].

The parts are the one source: what install.py renders and what the chart renders with its default values are the same objects (but the
Namespace, which Helm makes itself). Here stands only where a value goes. All is text/template with toJson, so that no value can break a
line's form. --check only tells whether the templates are what would be written."""
import argparse
import json
import pathlib
import re
import sys

import install
import yaml

CHART = install.ROOT / "deploy/helm/guard"
BEGIN, END = "\ue000", "\ue001"
HEADER = "# SPDX-License-Identifier: Apache-2.0\n# Made by tools/chart.py of the files in deploy/kubernetes; don't edit.\n"
MANAGED = 'eq .Values.webhook.certificate.mode "self"'
SEVERAL = "gt (int .Values.guardd.replicas) 1"


def put(expression):
    """A value that a template writes."""
    return f"{BEGIN}{{{{ {expression} }}}}{END}"


def value(path):
    return put(f"toJson .Values.{path}")


def control(words):
    """A line of its own, among the items of a list or the members of a mapping."""
    return f"{BEGIN}{{{{- {words} }}}}{END}"


def items_if(condition, *items):
    return [control(f"if {condition}"), *items, control("end")]


def members_if(condition, members):
    return {control(f"if {condition}"): None, **members, control(f"end /* {condition} */"): None}


def option_if(path, name):
    return items_if(f".Values.{path}", name, value(path))


def text(one):
    """YAML of an object, its marks taken out. A control stands where the item or the member was."""
    dumped = yaml.dump(one, Dumper=install.Dumper, sort_keys=False, width=100000, allow_unicode=True)
    lines = []
    for line in dumped.splitlines():
        mark = re.fullmatch(rf"\s*(?:- )?'?{BEGIN}(\{{\{{-.*?){END}'?(?:: null)?", line)
        if mark:
            lines.append(re.sub(r"end /\*.*\*/", "end", mark.group(1).replace("''", "'")))
        else:
            lines.append(re.sub(rf"'?{BEGIN}(.*?){END}'?", lambda found: found.group(1).replace("''", "'"), line))
    done = "\n".join(lines)
    assert BEGIN not in done and END not in done, done
    return done.replace("guard-system", "{{ .Release.Namespace }}")


def images(objects):
    for container in install.containers(objects):
        container["image"] = put('template "guard.image" .')
        container["imagePullPolicy"] = None
        if "--image" in container.get("args", []):
            container["args"][container["args"].index("--image") + 1] = put('template "guard.image" .')
    for container in install.containers(objects):
        container.pop("imagePullPolicy")
        policy = members_if(".Values.image.pullPolicy", {"imagePullPolicy": value("image.pullPolicy")})
        rest = dict(container)
        container.clear()
        container.update({"name": rest.pop("name"), "image": rest.pop("image"), **policy, **rest})
    for one in objects:
        if one["kind"] in ("Deployment", "StatefulSet", "DaemonSet"):
            pod = one["spec"]["template"]["spec"]
            pod.update(members_if(".Values.image.pullSecrets", {"imagePullSecrets": value("image.pullSecrets")}))


def guardd(objects):
    pod = install.named(objects, "StatefulSet", "guardd")["spec"]
    pod["replicas"] = value("guardd.replicas")
    main, front = pod["template"]["spec"]["containers"]
    # Others serve while one can't save.
    main["readinessProbe"]["exec"]["command"] += items_if(SEVERAL, "--ready")
    args = main["args"]
    at = args.index("--kubernetes")
    args[at:at + 2] = items_if(".Values.guardd.operator", *args[at:at + 2])
    args[args.index("--whole-piles") + 1] = value("guardd.learner.wholePiles")
    for path, name in (("release", "--release"), ("valid", "--valid"), ("keep", "--keep"), ("keepSize", "--keep-size")):
        args += option_if(f"guardd.learner.{path}", name)
    args += option_if("guardd.podOrders", "--pod-orders")
    args += items_if(".Values.podwatch.enabled", "--node-agents", "guard-podwatch/guard-podwatch")
    args += items_if(".Values.guardd.accessReviews.enabled", "--access-reviews", "in-cluster", "--access-keep",
                     value("guardd.accessReviews.keep"))
    args += items_if(".Values.guardd.store.secret", "--store", "$(GUARD_STORE)")
    args += items_if(".Values.guardd.signingKey.secret", "--signing-key", "/etc/guard/signing/policy.key")
    args += [control("range .Values.guardd.extraArgs"), put("toJson ."), control("end")]
    main.update(members_if(".Values.guardd.store.secret", {
        "env": install.store_env(*(value(f"guardd.store.{name}") for name in ("secret", "key", "passwordKey")))}))
    volume, mount = install.store_volume(value("guardd.store.secret"), value("guardd.store.caKey"))
    secret = {"secretName": value("guardd.signingKey.secret"), "defaultMode": 0o440,
              "items": [{"key": value("guardd.signingKey.key"), "path": "policy.key"}]}
    # Not for the front, which shall not read it.
    main["volumeMounts"] += items_if(".Values.guardd.store.secret", mount) + items_if(
        ".Values.guardd.signingKey.secret", {"name": "signing", "mountPath": "/etc/guard/signing", "readOnly": True})
    pod["template"]["spec"]["volumes"] += items_if(".Values.guardd.store.secret", volume) + items_if(
        ".Values.guardd.signingKey.secret", {"name": "signing", "secret": secret})
    main["resources"] = value("guardd.resources")
    front["resources"] = value("guardd.front.resources")
    next(one for one in pod["template"]["spec"]["volumes"] if one["name"] == "tls")["secret"]["secretName"] = value("guardd.tlsSecret")
    claim = pod["volumeClaimTemplates"][0]["spec"]
    claim["resources"]["requests"]["storage"] = value("guardd.storage.size")
    claim.update(members_if(".Values.guardd.storage.className", {"storageClassName": value("guardd.storage.className")}))
    egress = install.named(objects, "NetworkPolicy", "guardd")["spec"]["egress"]
    egress += items_if(".Values.guardd.store.secret", {"ports": [{"port": value("guardd.store.port"), "protocol": "TCP"}]})


def webhook(objects):
    deployment = install.named(objects, "Deployment", "guard-webhook")["spec"]
    deployment["replicas"] = value("webhook.replicas")
    pod = deployment["template"]["spec"]
    pod["automountServiceAccountToken"] = put(MANAGED)
    container = pod["containers"][0]
    container["resources"] = value("webhook.resources")
    args = container["args"]
    at = args.index("--certify")
    args[at:at + 2] = [control(f"if {MANAGED}"), *args[at:at + 2], control("else"), "--certificate", "/etc/guard/tls/tls.crt", "--key",
                       "/etc/guard/tls/tls.key", control("end")]
    args += option_if("webhook.parent", "--parent") + option_if("webhook.trust", "--trust")
    container["volumeMounts"] += items_if(f"not ({MANAGED})", {"name": "tls", "mountPath": "/etc/guard/tls", "readOnly": True})
    tls = {"name": "tls", "secret": {"secretName": value("webhook.certificate.secret"), "defaultMode": 0o440}}
    pod["volumes"] += items_if(f"not ({MANAGED})", tls)
    policy = install.named(objects, "NetworkPolicy", "guard-webhook")["spec"]
    egress = json.dumps(policy["egress"])
    policy["egress"] = put(f"if {MANAGED} }}}}{egress}{{{{ else }}}}[]{{{{ end")
    configuration = install.named(objects, "MutatingWebhookConfiguration", "guard")
    manager = 'eq .Values.webhook.certificate.mode "cert-manager"'
    configuration["metadata"].update(members_if(manager, {
        "annotations": {"cert-manager.io/inject-ca-from": "guard-system/guard-webhook"}}))
    for one in configuration["webhooks"]:
        one["failurePolicy"] = value("webhook.failurePolicy")
        one["timeoutSeconds"] = value("webhook.timeoutSeconds")
        one["clientConfig"].update(members_if('eq .Values.webhook.certificate.mode "secret"', {
            "caBundle": value("webhook.certificate.caBundle")}))
        rules = one["namespaceSelector"]["matchExpressions"]
        excluded = next(rule for rule in rules if rule["operator"] == "NotIn" and rule["key"] == "kubernetes.io/metadata.name")
        assert excluded["values"] == ["kube-system", "guard-system"]
        excluded["values"] = put("toJson (append .Values.webhook.namespaces.excluded .Release.Namespace)")
        rules += items_if(".Values.webhook.namespaces.only", {"key": "kubernetes.io/metadata.name", "operator": "In",
                                                              "values": value("webhook.namespaces.only")})


def podwatch(objects):
    pod = install.named(objects, "DaemonSet", "guard-podwatch")["spec"]["template"]["spec"]
    main, names, agent = pod["containers"]
    main["resources"] = value("podwatch.resources")
    main["securityContext"]["seccompProfile"] = value("podwatch.seccompProfile")
    main["args"] += [control("range .Values.podwatch.extraArgs"), put("toJson ."), control("end")]
    names["resources"] = value("podwatch.names.resources")
    agent["resources"] = value("podwatch.agent.resources")
    args = agent["args"]
    at = args.index("--parent") + 1
    args[at:at + 1] = [control("if .Values.podwatch.agent.parent"), value("podwatch.agent.parent"), control("else"), args[at], control("end")]
    trust = next(one for one in pod["volumes"] if one["name"] == "trust")["configMap"]
    trust["name"] = value("podwatch.agent.trust")
    pod["tolerations"] = value("podwatch.tolerations")


def condition_of(one):
    """When an object is there; \"\": always."""
    kind, name = one["kind"], one["metadata"]["name"]
    conditions = []
    if name.startswith("guard-webhook") or kind == "MutatingWebhookConfiguration":
        conditions.append(".Values.webhook.enabled")
        if kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Secret"):
            conditions.append(f"({MANAGED})")
        if kind in ("Issuer", "Certificate"):
            conditions.append('(eq .Values.webhook.certificate.mode "cert-manager")')
    if name.startswith("guard-operator"):
        conditions.append(".Values.guardd.operator")
    if name == "guard-access-reviews":
        conditions.append(".Values.guardd.accessReviews.enabled")
    if name.startswith("guard-responder"):
        conditions.append(".Values.responder.enabled")
    if name.startswith("guard-podwatch"):
        conditions.append(".Values.podwatch.enabled")
    for kind_of, path in (("NetworkPolicy", "networkPolicy"), ("PodDisruptionBudget", "podDisruptionBudget"), ("ServiceMonitor", "serviceMonitor")):
        if kind == kind_of:
            conditions.append(f".Values.{path}.enabled")
    return f"and {' '.join(conditions)}" if len(conditions) > 1 else "".join(conditions)


def rendered():
    """{name of a template: its text}"""
    files = {}
    for name, parts in (("rbac", ["rbac.yaml", "access-reviews.yaml"]), ("guardd", ["guardd.yaml"]), ("webhook", ["webhook.yaml", "cert-manager.yaml"]),
                        ("servicemonitor", ["servicemonitor.yaml"]), ("responder", ["responder.yaml"]),
                        ("podwatch", ["podwatch.yaml"])):
        objects = [one for one in install.parts(parts) if (one["kind"], one["metadata"]["name"]) != ("Namespace", "guard-system")]
        for one in objects:
            one["metadata"].setdefault("labels", {})[install.PART_OF] = "guard"
        images(objects)
        if name == "guardd":
            guardd(objects)
        elif name == "webhook":
            webhook(objects)
        elif name == "servicemonitor":
            objects[0]["spec"]["endpoints"][0]["interval"] = value("serviceMonitor.interval")
        elif name == "responder":
            config = install.named(objects, "ConfigMap", "guard-responder")
            config["data"] = {"responder.yaml": put("toJson .Values.responder.config")}
        elif name == "podwatch":
            podwatch(objects)
        out = HEADER + ('{{- template "guard.check" . }}\n' if name == "guardd" else "")
        for one in objects:
            condition = condition_of(one)
            out += f"{{{{- if {condition} }}}}\n---\n{text(one)}\n{{{{- end }}}}\n" if condition else f"---\n{text(one)}\n"
        files[f"{name}.yaml"] = out
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    for name, content in rendered().items():
        path = CHART / "templates" / name
        if not options.check:
            path.write_text(content, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != content:
            sys.exit(f"{path.relative_to(install.ROOT)} isn't what tools/chart.py would write")


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    main()
