# SPDX-License-Identifier: Apache-2.0
"""A real Kubernetes with a node for the tests of this folder, made of Debian's packages by the kit that GUARD_SHARED has; and what
runs in it: images, objects, requests to pods. Without the kit, or on a machine that can't run it, tests are skipped, and say so."""

import json
import os
import pathlib
import subprocess
import tempfile

import pytest

from harness import BUILD, ROOT
from waiting import wait_for

SHARED = pathlib.Path(os.environ.get("GUARD_SHARED", ROOT.parent / "shared"))
KIT = SHARED / "k8s" / "cluster"
CANNOT = 3  # the kit's exit status: not on this machine
GUARD_IMAGE = "localhost/guard:test"
APP_IMAGE = "localhost/guard-test-app:1"


def skip(why):
    if os.environ.get("K8S_REQUIRED") == "1":
        pytest.fail(f"Kubernetes is required: {why}")
    pytest.skip(f"SKIPPED: tests on a real Kubernetes did not run: {why}")


class Cluster:
    """GUARD_K8S_DIR names one that is up already, and stays so."""

    def __init__(self, folder):
        self.kept = "GUARD_K8S_DIR" in os.environ
        self.folder = pathlib.Path(os.environ.get("GUARD_K8S_DIR", folder))
        # Without kube-proxy webhooks behind a Service are reached by its endpoints only.
        self.env = {**os.environ, "K8S_CACHE": os.environ.get("K8S_CACHE", str(pathlib.Path.home() / ".cache/k8s-test")),
                    "K8S_APISERVER_ARGS": "--enable-aggregator-routing=true"}

    def kit(self, *arguments, text=None, check=True, timeout=600):
        done = subprocess.run([KIT, *map(str, arguments)], input=text, capture_output=True, text=True, env=self.env, timeout=timeout,
                              check=False)
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done

    def start(self):
        if not KIT.exists():
            skip(f"{KIT} isn't there")
        if os.geteuid() != 0:
            skip("root is needed")
        done = self.kit("up", "--node", self.folder, check=False)
        if done.returncode == CANNOT:
            skip(done.stderr.strip().splitlines()[-1])
        assert done.returncode == 0, done.stderr[-4000:]

    def stop(self):
        if not self.kept and KIT.exists():
            self.kit("down", "--all", self.folder, check=False)

    def load_images(self, folder):
        subprocess.run(["gcc", "-O2", "-static", "-o", folder / "app", pathlib.Path(__file__).with_name("app.c")], check=True)
        self.kit("make-image", self.folder, folder / "app.tar", APP_IMAGE, folder / "app")
        self.load_image(folder / "app.tar")
        made = subprocess.run([ROOT / "tools" / "image.py", BUILD, folder / "guard.tar", "--name", GUARD_IMAGE], check=True,
                              capture_output=True, text=True).stdout
        self.load_image(folder / "guard.tar")
        return made.strip()

    def load_image(self, archive):
        """The kit waits five seconds for the kubelet to learn of it, which a busy machine may not keep."""
        wait_for(lambda: self.kit("load-image", self.folder, archive, check=False).returncode == 0, f"the node to take {archive}")

    def kubectl(self, *arguments, text=None, check=True, timeout=600):
        return self.kit("kubectl", self.folder, *arguments, text=text, check=check, timeout=timeout)

    def get(self, *arguments):
        return json.loads(self.kubectl("get", "-o", "json", *arguments).stdout)

    def namespace(self, name, labels=None):
        self.kubectl("create", "namespace", name)
        for key, value in (labels or {}).items():
            self.kubectl("label", "namespace", name, f"{key}={value}")
        wait_for(lambda: self.kubectl("-n", name, "get", "serviceaccount", "default", check=False).returncode == 0,
                 f"the account of {name}")

    def curl(self, *arguments, check=True):
        return self.kit("exec", self.folder, "curl", "-s", "--max-time", "20", *arguments, check=check).stdout

    def delete(self, namespace):
        self.kubectl("delete", "namespace", namespace, "--wait=false")


def processes_of(container_id):
    """[(pid, name)] of a container, as the machine sees them."""
    plain = container_id.rsplit("/", 1)[-1]
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if plain in (folder / "cgroup").read_text():
                found.append((int(folder.name), (folder / "comm").read_text().strip()))
        except OSError:
            continue
    return sorted(found)


def memory(pid):
    """(RSS, PSS) in bytes."""
    sizes = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        sizes[name] = int(value.split()[0]) << 10
    return sizes["Rss"], sizes["Pss"]


def started_ticks(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])


running, loaded = [], []  # test files that import the fixtures share one cluster, and what it was given


@pytest.fixture(scope="session")
def injected_cluster():
    if running:
        yield running[0]
        return
    with tempfile.TemporaryDirectory(prefix="guard-k8s.") as folder:
        cluster = Cluster(pathlib.Path(folder) / "cluster")
        try:
            cluster.start()
            running.append(cluster)
            yield cluster
        finally:
            running.clear()
            loaded.clear()
            cluster.stop()


@pytest.fixture(scope="session")
def images(injected_cluster):
    if loaded:
        return
    with tempfile.TemporaryDirectory(prefix="guard-images.") as folder:
        loaded.append(injected_cluster.load_images(pathlib.Path(folder)))
        print(loaded[0])
