# SPDX-License-Identifier: Apache-2.0
"""`kubectl guard` with the real kubectl and a real kube-apiserver. Status is written by the test: that of a running operator is in
test_operator.py."""

import json
import subprocess

import pytest
from harness import BIN, ROOT
from kubernetes.apicluster import resource

PLUGIN = ROOT / "deploy" / "kubernetes"
MOMENT = "2026-01-01T00:00:00Z"


@pytest.fixture
def plugin(api_cluster, tmp_path):
    """Runs `kubectl WORDS` where the plugin and guard are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for path in (PLUGIN / "kubectl-guard", PLUGIN / "kubectl_complete-guard", BIN / "guard"):
        (folder / path.name).symlink_to(path)
    kubectl = subprocess.run(api_cluster.command("sh", "-c", "command -v kubectl"), capture_output=True, text=True, env=api_cluster.env,
                             check=True).stdout.strip()
    if not kubectl:
        pytest.skip("the kit's kubectl isn't in the path of its programs")

    def run(*words, program="kubectl"):
        return subprocess.run(api_cluster.command("env", f"PATH={folder}:{kubectl.rsplit('/', 1)[0]}:/usr/sbin:/usr/bin:/sbin:/bin",
                                                  f"KUBECONFIG={api_cluster.kubeconfig}", program, *words),
                              capture_output=True, text=True, env=api_cluster.env, timeout=120, check=False)
    return run


def tell(cluster, namespace, name, **conditions):
    what = cluster.get("gd", name, "-n", namespace)
    what["status"] = {"mode": "block", "alerts": 7, "conditions": [
        {"type": kind, "status": status, "reason": "Said", "message": message, "lastTransitionTime": MOMENT}
        for kind, (status, message) in conditions.items()]}
    done = cluster.kubectl("replace", "--raw", f"/apis/guard.security/v1alpha1/namespaces/{namespace}/guardians/{name}/status", "-f", "-",
                           text=json.dumps(what))
    assert done.status == 0, done.err


def test_status_says_who_is_not_in_force_and_whom_no_gate_saw(api_cluster, namespace, plugin):
    assert api_cluster.apply([resource("Guardian", name, {}, namespace) for name in ("good", "refused", "new")]).status == 0
    tell(api_cluster, namespace, "good", Ready=("True", "it is"), Learned=("True", "x"), NotInPath=("False", "x"))
    tell(api_cluster, namespace, "refused", Ready=("False", "spec.x: \x1b[31mwrong"), Learned=("False", "x"), NotInPath=("Unknown", "x"))
    done = plugin("guard", "-n", namespace)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[1]: line.split()[2:] for line in done.stdout.splitlines() if line.startswith(namespace)}
    assert rows == {"good": ["block", "True", "True", "seen", "7"], "refused": ["block", "False", "False", "?", "7"],
                    "new": ["-", "-", "-", "?", "-"]}
    assert "3 Guardians" in done.stdout and "\x1b" not in done.stdout
    wrong, unseen = done.stdout.split("not in force:\n")[1].split("not known to be in the path:\n")
    assert sorted(wrong.split("\n")[:-1]) == [f"  {namespace}/new: no operator has taken it in", f"  {namespace}/refused: spec.x: [31mwrong"]
    assert sorted(unseen.split("\n")[:-1]) == [f"  {namespace}/new: nobody has asked", f"  {namespace}/refused: x"]
    tell(api_cluster, namespace, "good", Ready=("True", "it is"), Learned=("True", "x"), NotInPath=("True", "2 of 3 \x1b[31mpods"))
    done = plugin("guard", "-n", namespace)
    assert f"NOT IN PATH, requests may reach these without a gate:\n  {namespace}/good: 2 of 3 [31mpods\n" in done.stdout
    assert [line.split()[5] for line in done.stdout.splitlines() if line.split()[1:2] == ["good"]] == ["no"]
    why = plugin("guard", "why", "refused", "-n", namespace)
    assert "Ready      False    Said               spec.x:" in why.stdout, why.stdout + why.stderr


def test_unguarded_lists_pods_without_a_gate(api_cluster, namespace, plugin):
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}}
    assert api_cluster.kubectl("apply", "-f", "-", text=json.dumps(account)).status == 0

    def pod(name, annotations):
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
                "spec": {"nodeName": "none", "automountServiceAccountToken": False, "containers": [{"name": "a", "image": "localhost/a:1"}]}}
    pods = [pod("with", {"guard.security/status": "{}"}), pod("without", {})]
    assert api_cluster.kubectl("create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": pods})).status == 0
    done = plugin("guard", "unguarded", "-n", namespace)
    assert done.returncode == 1 and done.stdout == f"{namespace}/without\n1 of 2 pods have no gate\n", done.stdout + done.stderr
    assert api_cluster.kubectl("delete", "pod", "without", "-n", namespace, "--force", "--grace-period=0").status == 0
    assert plugin("guard", "unguarded", "-n", namespace).returncode == 0


def test_other_commands_are_those_of_guard(plugin):
    done = plugin("guard", "inject", "--help")
    assert "Usage: guard inject" in done.stdout, done.stdout + done.stderr
    assert plugin("guard", "nonsense").returncode == 2
    assert "unguarded" in plugin("guard", "--help").stdout
    assert plugin("", program="kubectl_complete-guard").stdout.splitlines() == ["status", "why", "unguarded", "inject", ":4"]
