# SPDX-License-Identifier: Apache-2.0
"""One real kube-apiserver for all tests of a run that need it."""

import os
import sys

import pytest

from kubernetes.apicluster import CRDS, KIT, Cluster
from waiting import wait_for


def skip(reason):
    print(f"\n***** SKIPPED: tests against a real Kubernetes did not run: {reason} *****", file=sys.__stderr__)
    if os.environ.get("K8S_REQUIRED") == "1":
        pytest.fail(f"K8S_REQUIRED=1, and {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def api_cluster(tmp_path_factory):
    """A cluster that has our resources; tests use namespaces of their own."""
    if not KIT.exists():
        skip(f"{KIT} isn't there")
    if os.geteuid() != 0:
        skip("a network namespace needs root")
    cluster = Cluster(tmp_path_factory.mktemp("kubernetes") / "api")
    done = cluster.up()
    if done.status == 3:
        skip(done.out + done.err)
    assert done.status == 0, done.out + done.err
    try:
        done = cluster.kubectl("apply", "--server-side", "-f", CRDS / "crds-plain")
        assert done.status == 0, done.err
        for plural in ("guardians", "guardiandefaults", "clusterguardians", "guardianprofiles"):
            wait_for(lambda name=plural: cluster.find(name) is not None, f"{plural} to be served")
        yield cluster
    finally:
        cluster.down()


@pytest.fixture
def namespace(api_cluster, request):
    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "").lower()[:50].strip("-")
    api_cluster.ask("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name
