# SPDX-License-Identifier: Apache-2.0
"""A name whose address changes with each answer, from a real DNS server over guard-podwatch to what guardd learns: the same destination;
an address that nobody named, and a name that one replica alone asks for, are told."""

import json
import os

import pytest
from kernel import Pod, Podwatch, hierarchy
from harness import wait_for
from test_pod_learning import of_pods
from test_pod_names import NUMBERS, WHY_NOT, Caller, Network
from test_pod_replaced import Learner, collect, pod_replay  # noqa: F401

pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"SKIPPED: {WHY_NOT}")

REPLICAS, HISTORY = 3, 8  # half hours of learning
ROTATED = ["203.0.113.41", "192.0.2.42", "198.51.100.43", "203.0.113.144", "192.0.2.145"]


def described(pod, number):
    return {"metadata": {"name": f"cart-{number}", "namespace": "shop", "uid": pod.uid, "labels": {"pod-template-hash": "7f9c"},
                         "ownerReferences": [{"kind": "ReplicaSet", "name": "cart-7f9c", "controller": True}]},
            "status": {"containerStatuses": [{"name": "app", "containerID": f"containerd://{pod.container}", "imageID": "sha256:0123"}]}}


@pytest.fixture
def place(tmp_path, pod_replay):  # noqa: F811
    """Replicas in one network, watched; what is learned of them."""
    root = hierarchy()[0] / f"guardtest{os.getpid()}.slice"
    root.mkdir(exist_ok=True)
    network, pods = Network(tmp_path), [Pod(root, next(NUMBERS)) for _ in range(REPLICAS)]
    listed = tmp_path / "pods.json"
    listed.write_text(json.dumps({"kind": "PodList", "items": [described(pod, number) for number, pod in enumerate(pods)]}))
    watching = Podwatch(tmp_path, root.name, "--pods", listed)
    learner = Learner(tmp_path / "learner", pod_replay)
    yield network, pods, watching, learner
    learner.guardd.stop()
    watching.end()
    for pod in pods:
        pod.end()
    network.end()
    if root.exists():
        wait_for(lambda: root.rmdir() is None, "the root group to be removed")


def test_a_rotating_address_is_one_destination(place, tmp_path):
    network, pods, watching, learner = place
    if "dns" in watching.status()["unseen"]:
        pytest.skip(f"SKIPPED: this kernel refuses what sees answers: {watching.refused()}")
    network.serve("--host-record=api.example,203.0.113.7")
    callers = [Caller(pod, network) for pod in pods]
    for caller in callers:
        assert caller.call("api.example") == "called"
    wait_for(lambda: len({one["pod"] for one in watching.find(None, "destination", address="203.0.113.7", text="api.example")}) == REPLICAS,
             "all replicas to be seen")
    watching.intervals(2)
    benign = collect(watching, tmp_path / "benign")
    for half_hours in range(HISTORY, 0, -1):
        learner.hand_over(benign, half_hours)
    # Each address once, from one replica alone.
    for number, address in enumerate(ROTATED):
        network.serve(f"--host-record=api.example,{address}")
        assert callers[number % REPLICAS].call("api.example") == "called"
        watching.await_feature(None, "destination", address=address, text="api.example")
    watching.intervals(2)
    learner.hand_over(collect(watching, tmp_path / "rotated"))
    learner.learned()
    assert of_pods(learner.guardd) == []
    # An address without a name, on one; on another a name of the intruder's own, asked of the same resolver.
    network.serve("--host-record=evil.example,198.51.100.66")
    assert callers[1].call("192.0.2.200") == "called"
    assert callers[2].call("evil.example") == "called"
    watching.await_feature(None, "destination", address="192.0.2.200")
    watching.await_feature(None, "destination", address="198.51.100.66", text="evil.example")
    watching.intervals(2)
    learner.hand_over(collect(watching, tmp_path / "attack"))

    def told():
        return "\n".join(json.dumps(alert) for alert in of_pods(learner.guardd))

    wait_for(lambda: "192.0.2.200:443" in told() and "evil.example" in told(), lambda: f"both to be told: {told()}")
    assert not any(address in told() for address in [*ROTATED, "203.0.113.7"]), told()
    for caller in callers:
        caller.end()
