# SPDX-License-Identifier: Apache-2.0
"""`guard inject` on files: what it makes, byte by byte; what it keeps; what it refuses, and where that stands."""

import json
import pathlib
import subprocess
import sys

import pytest
import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1])]
from harness import BIN, ROOT  # noqa: E402

DATA = ROOT / "tests" / "data" / "inject"
GOLDEN = ROOT / "tests" / "golden"


def inject(*arguments, text=None):
    return subprocess.run([BIN / "guard", "inject", "--image", "localhost/guard:1", *arguments], input=text, capture_output=True,
                          text=True, timeout=120, check=False)


def injected(*arguments, text=None):
    done = inject(*arguments, text=text)
    assert done.returncode == 0, done.stderr
    return done.stdout


def deployment(pod, name="app", kind="Deployment", version="apps/v1"):
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": {"template": pod}})


def pod(*ports, labels=None, annotations=None, **spec):
    return {"metadata": {"labels": labels or {}, "annotations": annotations or {}},
            "spec": {"containers": [{"name": "app", "image": "a:1", "ports": list(ports)}], **spec}}


# guard inject -f tests/data/inject/NAME --image localhost/guard:1 [...] > tests/golden/inject-NAME accepts a change.
@pytest.mark.parametrize("name,options", [("shop.yaml", []), ("kinds.yaml", []), ("knative.yaml", []),
                                          ("list.json", ["--rewrite-services"])])
def test_what_it_makes_is_what_it_made(name, options):
    golden = GOLDEN / f"inject-{name}"
    assert injected("-f", DATA / name, *options) == golden.read_text()
    assert injected("-f", golden, *options) == golden.read_text(), "done again it gives something else"


def removed(before, after, path=""):
    """Paths of what was there and isn't as it was; what was added is not looked at."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [line for key in before for line in
                (removed(before[key], after[key], f"{path}.{key}") if key in after else [f"{path}.{key}"])]
    if isinstance(before, list) and isinstance(after, list) and len(before) <= len(after):
        return [line for i, one in enumerate(before) for line in removed(one, after[i], f"{path}[{i}]")]
    return [] if before == after and type(before) is type(after) else [path]


def test_nothing_is_lost_but_what_moves_to_the_gate():
    before = list(yaml.safe_load_all((DATA / "shop.yaml").read_text()))
    after = list(yaml.safe_load_all(injected("-f", DATA / "shop.yaml")))
    container = "[1].spec.template.spec.containers[0]"
    assert removed(before, after) == [f"{container}.ports[0].name", f"{container}.ports[0].hostPort",
                                      f"{container}.readinessProbe.httpGet.port",
                                      f"{container}.lifecycle.preStop.httpGet.port"]
    gate = after[1]["spec"]["template"]["spec"]["containers"][1]
    assert gate["ports"] == [{"name": "http", "containerPort": 14080, "hostPort": 18080}]


@pytest.mark.parametrize("grace, said, drain", [(None, None, "5s"), (5, None, "1s"), (6, None, "5s"), (300, "2m", "2m")])
def test_it_ends_before_it_is_killed(grace, said, drain):
    members = {"terminationGracePeriodSeconds": grace} if grace else {}
    made = pod({"name": "http", "containerPort": 80}, annotations={"guard.security/drain": said} if said else {}, **members)
    gate = next(one for one in yaml.safe_load(injected("-f", "-", text=deployment(made)))["spec"]["template"]["spec"]["containers"]
                if one["name"] == "guard")
    assert gate["args"][gate["args"].index("--drain") + 1] == drain


def test_what_is_no_workload_passes_byte_by_byte():
    other = "# a comment\nkind:   ConfigMap\napiVersion: v1\ndata:   {a:   'x'}\n"
    assert injected("-f", "-", text=other) == other
    both = other + "---\n# second\n" + other
    assert injected("-f", "-", text=both) == both


def test_a_later_version_builds_the_gate_anew_and_nothing_else():
    first = injected("-f", DATA / "shop.yaml")
    other = subprocess.run([BIN / "guard", "inject", "--image", "localhost/guard:2", "--mode", "block", "-f", "-"], input=first,
                           capture_output=True, text=True, check=True).stdout
    changed = [line for line in other.splitlines() if line not in first.splitlines()]
    assert changed == ["        image: localhost/guard:2", "        - --mode", "        - block"]


def test_files_folders_and_check(tmp_path):
    (tmp_path / "b.yaml").write_text((DATA / "shop.yaml").read_text())
    (tmp_path / "a.json").write_text(deployment(pod({"name": "http", "containerPort": 80}), "first"))
    (tmp_path / "notes.txt").write_text("no manifest")
    both = list(yaml.safe_load_all(injected("-f", tmp_path)))
    assert [one["metadata"]["name"] for one in both] == ["first", "shop", "shop"]
    told = injected("-f", tmp_path, "--check").splitlines()
    assert told == ['Deployment/first: guarded as "first": the gate has port http, 14080, the application 80',
                    'Deployment/shop: guarded as "shop": the gate has port http, 14080, the application 8080']
    out = tmp_path / "out.yaml"
    assert injected("-f", tmp_path / "b.yaml", "-o", out) == "" and out.read_text() == (GOLDEN / "inject-shop.yaml").read_text()


def test_a_service_in_another_file_that_leads_past_the_gate_is_refused(tmp_path):
    (tmp_path / "app.json").write_text(deployment(pod({"name": "http", "containerPort": 80}, labels={"app": "x"})))
    (tmp_path / "service.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec:\n  selector: {app: x}\n"
                                           "  ports:\n  - port: 80\n")
    refused = inject("-f", tmp_path)
    assert refused.returncode == 1 and refused.stdout == ""
    assert "service.yaml:7:5: spec.ports[0]: 80 leads past the gate of Deployment/app" in refused.stderr
    led = list(yaml.safe_load_all(injected("-f", tmp_path, "--rewrite-services")))
    assert led[1]["spec"]["ports"] == [{"port": 80, "targetPort": "http"}]
    # One of another namespace, and one that selects others, are left alone.
    (tmp_path / "service.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: other}\nspec:\n"
                                           "  selector: {app: x}\n  ports:\n  - port: 80\n---\napiVersion: v1\nkind: Service\n"
                                           "metadata: {name: y}\nspec:\n  selector: {app: y}\n  ports:\n  - port: 80\n")
    assert inject("-f", tmp_path).returncode == 0


HTTP = {"name": "http", "containerPort": 80}


@pytest.mark.parametrize("text,where", [
    (deployment(pod(HTTP, hostNetwork=True)), "spec.template.spec.hostNetwork: a pod in its node's network"),
    (deployment(pod(HTTP, hostNetwork=True)).replace("true", "True"), "a pod in its node's network"),
    (deployment(pod(HTTP, hostNetwork=True)).replace("true", "on"), "a pod in its node's network"),
    (deployment(pod({"containerPort": 1}, {"containerPort": 2})), "several ports, and none is called http or web"),
    (deployment(pod({"name": "https", "containerPort": 443})), 'ports[0]: port "https": the gate speaks HTTP/1.1'),
    (deployment(pod({"name": "http", "containerPort": 70000})), "ports[0].containerPort: containerPort must be 1 to 65535"),
    (deployment(pod(HTTP), kind="Job", version="batch/v1"), "Job/app: standard input:1:"),
    (deployment({"spec": {"containers": 5}}), "spec.template.spec.containers: must be a list"),
    (deployment({"spec": {"containers": [5]}}), "spec.template.spec.containers[0]: must be a mapping"),
    (deployment({"spec": {"containers": [{"name": "guard", "image": "g"}]}}), 'a container is called "guard" and isn\'t ours'),
    (deployment(pod(HTTP, annotations={"guard.security/mode": "always"})), "guard.security/mode: must be observe, alert or block"),
    (deployment(pod(HTTP, annotations={"guard.security/service": "a b"})), "guard.security/service: must be 1 to 64 letters"),
    (deployment(pod(HTTP, annotations={"guard.security/port": "web"})), 'no TCP port "web"'),
    (deployment(pod(HTTP, annotations={"guard.security/drain": "5"})), "guard.security/drain: must be 1s to 60m"),
    (deployment(pod(HTTP, annotations={"guard.security/drain": "30s"})), "drain: must be less than the pod's terminationGracePeriodSeconds (30)"),
    (deployment(pod(HTTP, annotations={"guard.security/drain": "2m"}, terminationGracePeriodSeconds=60)), "terminationGracePeriodSeconds (60)"),
    (deployment(pod(HTTP, annotations={"guard.security/status": "{}"})), "marked as guarded, and has no such container"),
    (deployment(pod(HTTP, volumes=[{"name": "guard-state", "persistentVolumeClaim": {"claimName": "data"}}])),
     'spec.template.spec.volumes[0]: a volume is called "guard-state" and isn\'t ours'),
    (deployment(pod(HTTP, volumes=[{"name": "guard-guardian", "emptyDir": {}}])), 'a volume is called "guard-guardian"'),
    (deployment(pod(HTTP, volumes={})), "spec.template.spec.volumes: must be a list"),
    (json.dumps({"apiVersion": "v1", "kind": "PodList", "items": [pod(HTTP)]}), "List: standard input:1:"),
    ("kind: Deployment\napiVersion: apps/v1\nmetadata: {name: x}\n", "has no spec"),
    ("a: &x 1\n", "anchors, aliases and tags are not allowed"),
    ("a: [1\n", "standard input:"),
])
def test_what_it_refuses_is_named_and_nothing_is_written(text, where):
    done = inject("-f", "-", text="---\n" + text if not text.startswith("{") else text)
    assert done.returncode == 1 and done.stdout == "", done.stdout
    assert where in done.stderr, done.stderr


@pytest.mark.parametrize("arguments,where", [
    ([], "say -f FILE"),
    (["-f", "/nonexistent/x"], "/nonexistent/x"),
    (["--mode", "always", "-f", "-"], "--mode must be"),
    (["--parent", "https://guard:8443", "-f", "-"], "--parent and --trust go together"),
    (["--image", "a b", "-f", "-"], "--image must be"),
])
def test_options_that_make_no_sense(arguments, where):
    done = inject(*arguments, text="")
    assert done.returncode != 0 and where in done.stderr


def test_a_pod_is_watched_where_its_annotation_says_so():
    parent = ["-f", "-", "--parent", "https://g", "--trust", "t"]
    wanted = {"guard.security/pod-sensor": "true"}

    def watched(text):
        args = yaml.safe_load(injected(*parent, text=text))["spec"]["template"]["spec"]["containers"][1]["args"]
        return args[args.index("--pod-sensor") + 1] if "--pod-sensor" in args else None

    who = "service=app,namespace=$(GUARD_POD_NAMESPACE),workload=app,pod=$(GUARD_POD),uid=$(GUARD_POD_UID),hash=$(GUARD_REVISION)"
    assert watched(deployment(pod(HTTP, annotations=wanted))) == who
    assert watched(deployment(pod(HTTP, annotations=wanted, shareProcessNamespace=True))) == who + ",processes=yes"
    assert watched(deployment(pod(HTTP))) is None
    for text, options, why in ((deployment(pod(HTTP, annotations=wanted)), ["-f", "-"], "needs a parent"),
                               (deployment(pod(HTTP, annotations={"guard.security/pod-sensor": "yes"})), parent, '"true" or "false"')):
        refused = inject(*options, text=text)
        assert refused.returncode == 1 and why in refused.stderr, refused.stderr
    knative = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "app"},
               "spec": {"template": {"metadata": {"annotations": wanted}, "spec": {"containers": [{"name": "app", "image": "app"}]}}}}
    refused = inject(*parent, text=json.dumps(knative))
    assert refused.returncode == 1 and "Knative lets no pod be named" in refused.stderr, refused.stderr


def test_pods_with_a_parent_show_it_a_token_of_their_own():
    made = yaml.safe_load(injected("-f", "-", "--parent", "https://guard.guard-system:8443", "--trust", "guard-trust", text=deployment(
        pod(HTTP))))
    spec = made["spec"]["template"]["spec"]
    args = spec["containers"][1]["args"]
    assert args[args.index("--parent") + 1] == "https://guard.guard-system:8443" and "--policy-key" in args
    assert args[args.index("--pod") + 1] == "$(GUARD_POD_NAMESPACE)/$(GUARD_POD)/$(GUARD_POD_UID)"
    fields = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in spec["containers"][1]["env"]}
    assert {"GUARD_POD_NAMESPACE": "metadata.namespace", "GUARD_POD": "metadata.name", "GUARD_POD_UID": "metadata.uid"}.items() <= fields.items()
    assert spec["containers"][1]["readinessProbe"]["httpGet"] == {"path": "/.guard/ready", "port": 14080}
    sources = next(one for one in spec["volumes"] if one["name"] == "guard-parent")["projected"]["sources"]
    assert sources[0]["serviceAccountToken"] == {"audience": "guard.security", "expirationSeconds": 3600, "path": "token"}
    assert args[args.index("--service") + 1] == made["metadata"]["name"], "the namespace isn't known"
    there = json.loads(deployment(pod(HTTP))) | {"metadata": {"name": "shop", "namespace": "front"}}
    args = yaml.safe_load(injected("-f", "-", "--parent", "https://g", "--trust", "t", text=json.dumps(there)))["spec"]["template"]["spec"]["containers"][1]["args"]
    assert args[args.index("--service") + 1] == "front.shop", "as the operator calls it"
    refused = inject("-f", "-", "--parent", "https://g", "--trust", "t", "--mode", "block", text=deployment(pod(HTTP)))
    assert refused.returncode == 1 and "are the parent's" in refused.stderr
