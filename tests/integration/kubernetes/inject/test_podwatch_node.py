# SPDX-License-Identifier: Apache-2.0
"""guard-podwatch as the DaemonSet that is shipped, on a real node: it starts with its few rights and tells what another pod does, by the
names that the API server's list gives it."""

import json
import os
import pathlib
import sys

import pytest
import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1]), str(HERE.parents[1] / "pods")]
from injected import APP_IMAGE, GUARD_IMAGE, images, injected_cluster, memory, processes_of  # noqa: E402,F401
from harness import ROOT  # noqa: E402
from kernel import cannot, programs_loaded, read_records  # noqa: E402
from waiting import wait_for  # noqa: E402

WHY_NOT = cannot()
NAME = "guard-podwatch"
SHOP = """
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: podwatched}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {name: app, image: IMAGE, imagePullPolicy: Never}
"""


def shipped(folder):
    """What is shipped, with the test's image and folders of the machine that the test may write to."""
    objects = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "podwatch.yaml").read_text()))
    pod = next(one for one in objects if one["kind"] == "DaemonSet")["spec"]["template"]["spec"]
    pod["containers"][0] |= {"image": GUARD_IMAGE, "imagePullPolicy": "Never"}
    pod["containers"][0]["args"] += ["--interval", "2"]
    for volume in pod["volumes"]:
        path = volume["hostPath"]["path"]
        if not path.startswith("/sys/"):
            volume["hostPath"]["path"] = str(folder / path.rpartition("/")[2])
    return objects, pod


def state_of(cluster):
    pods = cluster.get("-n", NAME, "pods")["items"]
    return pods[0]["status"]["containerStatuses"][0] if pods and pods[0]["status"].get("containerStatuses") else {}


def log_of(cluster):
    done = cluster.kubectl("-n", NAME, "logs", f"daemonset/{NAME}", check=False)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def told(cluster):
    events = [line["event"] for line in log_of(cluster)]
    return "started" in events or "not-started" in events or state_of(cluster).get("restartCount", 0) > 0


@pytest.mark.skipif(WHY_NOT is not None, reason=f"SKIPPED: {WHY_NOT}")
@pytest.mark.usefixtures("images")
def test_the_daemonset_tells_what_another_pod_does(injected_cluster, tmp_path):
    cluster = injected_cluster
    objects, pod = shipped(tmp_path)
    tracing = pathlib.Path("/sys/kernel/tracing/events")
    if not tracing.exists():
        print("tracefs isn't mounted on this machine: files that are opened stay unseen")
    for folder in ("pods", NAME):
        (tmp_path / folder).mkdir(mode=0o2770)
        os.chown(tmp_path / folder, 0, 65532)
    cluster.namespace("podwatched")
    try:
        cluster.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        wait_for(lambda: told(cluster), lambda: f"podwatch to start: {log_of(cluster)} {state_of(cluster)}", timeout=240)
        refused = [line["detail"] for line in log_of(cluster) if line["event"] == "not-started"]
        if refused:
            pytest.skip(f"SKIPPED: this node's runtime or kernel refuses guard-podwatch what it may: {refused[0]}")
        print("not taken here:", [line["detail"] for line in log_of(cluster) if line["event"] == "program-refused"])
        cluster.kubectl("apply", "-f", "-", text=SHOP.replace("IMAGE", APP_IMAGE))
        wait_for(lambda: cluster.get("-n", "podwatched", "pod", "cart-1")["status"]["phase"] == "Running", "the pod to run", timeout=240)
        listed = json.dumps(cluster.get("-A", "pods"))
        (tmp_path / NAME / "new").write_text(listed)
        (tmp_path / NAME / "new").rename(tmp_path / NAME / "pods.json")

        def records():
            return [record for record in read_records(tmp_path / "pods") if (record["namespace"], record["pod"]) == ("podwatched", "cart-1")]

        wait_for(records, "records by the pod's name", timeout=120)
        uid = cluster.get("-n", "podwatched", "pod", "cart-1")["metadata"]["uid"]
        features = [feature for record in read_records(tmp_path / "pods") if record["uid"] == uid for feature in record["features"]]
        assert {"exec", "listen"} <= {feature["kind"] for feature in features}, features
        assert not [line for line in log_of(cluster) if line["event"] == "events-lost"]
        check_process(cluster, tmp_path)
    finally:
        cluster.delete("podwatched")
        cluster.kubectl("delete", "namespace", NAME, "--wait=true", "--timeout=120s", check=False)
    wait_for(lambda: not [name for name in programs_loaded() if name == "watch_exec"] or os.environ.get("PYTEST_XDIST_WORKER"),
             "its programs to be gone")


def check_process(cluster, folder):
    container = state_of(cluster)["containerID"]
    (pid, name), = [one for one in processes_of(container) if one[1].startswith("guard-podwatch")]
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 1 << 12 | 1 << 38 | 1 << 39
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    print(f"{name}: RSS {memory(pid)[0] / 2**20:.1f} MiB as a pod")
    said = json.loads((folder / NAME / "status.json").read_text())
    assert said["events_lost"] == said["events_unbalanced"] == said["records_lost"] == 0 and said["listed_pods"] > 0
    for path in (folder / "pods").glob("*.pods"):
        assert (path.stat().st_gid, path.stat().st_mode & 0o777) == (65532, 0o640)  # guardd reads them
