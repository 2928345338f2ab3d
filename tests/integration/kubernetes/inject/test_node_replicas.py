# SPDX-License-Identifier: Apache-2.0
"""Two replicas of guardd as the chart makes them, on a real node over one PostgreSQL that wants a password: when the pod that leads is deleted
the other one goes on with what was learned and with the Guardians, and no request of the guarded service fails."""

import json
import os
import pathlib
import re
import sys
import tempfile
import threading

import pytest
import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
from injected import GUARD_IMAGE, images, injected_cluster, processes_of  # noqa: E402,F401
from installed import ATTACK, BENIGN, GUARDIAN, OURS, Installed  # noqa: E402
from kubernetes import apicluster, charts  # noqa: E402
from kubernetes.operators import condition  # noqa: E402
from kubernetes.shipped import known, one_of  # noqa: E402
from harness import end_process  # noqa: E402
from postgres import Postgres, missing  # noqa: E402
from waiting import wait_for as wait_closely  # noqa: E402

SECRET = "chorus-9-lantern"
# Deeper than the definition goes: only guardd sees it.
WRONG = {"patches": [{"id": "p", "when": {"not": {"not": {"not": {"in": ["body"], "contians": ["x"]}}}}}]}


def wait_for(look, what, timeout=120):
    return wait_closely(look, what, timeout=timeout, pause=0.1)


def skip(why):
    print(f"\n***** SKIPPED: several replicas of guardd did not run as pods: {why} *****", file=sys.__stderr__)
    pytest.skip(f"SKIPPED: {why}")


class Replicated(Installed):
    ADDRESS, REPLICAS, ours, shop = "10.96.77.2", 2, "guard-several", "cart"
    DATABASE = "10.96.77.3"

    def __init__(self, cluster, folder, renderer):
        super().__init__(cluster, folder)
        self.renderer, self.database = renderer, Postgres()

    def enter(self, *words):
        self.cluster.kit("exec", self.cluster.folder, *words)

    def prepare(self):
        super().prepare()
        self.enter("ip", "address", "replace", f"{self.DATABASE}/32", "dev", "lo")
        self.database.ask_for_password("guardd", SECRET)
        self.database.start(self.api.command())
        for name, words in {
                "guardd-store": [f"dsn=postgresql://guardd@{self.DATABASE}/postgres", f"password={SECRET}"],
                "guardd-signing": [f"policy.key={os.urandom(32).hex()}"]}.items():
            self.cluster.kubectl("create", "secret", "generic", name, "-n", self.ours, *(f"--from-literal={one}" for one in words))
        # The webhook of a test before this one may not write its own authority into the configuration of this one's.
        wait_for(lambda: not self.api.find("pods", namespace=OURS)["items"], f"{OURS} to be gone")

    def objects(self):
        repository, tag = GUARD_IMAGE.split(":")
        files = self.renderer.render({
            "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
            "guardd": {"replicas": self.REPLICAS, "store": {"secret": "guardd-store"}, "signingKey": {"secret": "guardd-signing"},
                       "extraArgs": ["--write-every", "1s", "--canary-every", "6s"]},
            "webhook": {"replicas": 1, "parent": f"https://{self.parent}:8443", "trust": "guard-trust"}}, namespace=self.ours)
        objects = known(charts.objects_of(files))
        assert SECRET not in json.dumps(objects)
        one_of(objects, "Deployment", "guard-webhook")["spec"]["template"]["spec"]["containers"][0]["args"] += ["--pull-policy", "Never"]
        one_of(objects, "Service", "guardd")["spec"]["clusterIP"] = self.ADDRESS
        for container in one_of(objects, "StatefulSet", "guardd")["spec"]["template"]["spec"]["containers"]:
            container["readinessProbe"]["periodSeconds"] = 1
        definitions = sorted((apicluster.CRDS / "crds-plain").glob("*.yaml"))
        return [yaml.load(path.read_text(), yaml.CSafeLoader) for path in definitions] + objects

    def stop(self):
        for one in self.helpers:
            end_process(one)
        for path in ("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/guard",
                     *(f"/api/v1/namespaces/{one}" for one in (self.shop, self.ours)),
                     *(f"/api/v1/persistentvolumes/{one}" for one in self.volume_names())):
            self.api.ask("DELETE", path)
        self.api.end_proxy()
        self.database.close()

    # --- what is seen ---

    def replica(self, number):
        return self.root(self.volumes[number])

    def others(self, number):
        return [one for one in range(self.REPLICAS) if one != number]

    def leader(self):
        """Who holds the Lease."""
        holder = self.api.get("lease", "guard-operator", "-n", self.ours)["spec"].get("holderIdentity") or ""
        found = re.search(r"guardd-(\d)", holder)
        return int(found.group(1)) if found else None

    def addresses(self):
        """Of replicas that the Service leads to."""
        subsets = self.api.find("endpoints", "guardd", self.ours).get("subsets") or []
        return {one["targetRef"]["name"] for subset in subsets for one in subset.get("addresses") or []}

    def log(self, pod, container, namespace=None):
        return self.cluster.kubectl("-n", namespace or self.ours, "logs", pod, "-c", container, check=False).stdout

    def guardian(self, name):
        return self.api.get("gd", name, "-n", self.shop)

    def refusals(self):
        return [one for one in self.api.get("events", "-n", self.shop)["items"] if one["reason"] == "GuardianRefused"]

    def say(self, spec):
        """A Guardian, until the status of just that is told."""
        self.apply([apicluster.resource("Guardian", self.shop, spec, self.shop)])

        def told():
            one = self.guardian(self.shop)
            return one["status"].get("observedGeneration") == one["metadata"]["generation"] and condition(one)["status"] == "True"
        wait_for(told, lambda: f"the Guardian to be told: {self.guardian(self.shop)}")

    def learned(self, number):
        return self.replica(number).get("role") == "learner" and self.replica(number)["exchanges"] == self.sent


class Generations(threading.Thread):
    """Which number of the service's policy each replica tells, one after the other, all the while."""

    def __init__(self, several):
        super().__init__(daemon=True)
        self.several, self.over = several, threading.Event()
        self.seen = [[] for _ in several.volumes]

    def run(self):
        while not self.over.wait(0.05):
            for number, seen in enumerate(self.seen):
                now = self.several.replica(number)["generation"]
                if not seen or seen[-1] != now:
                    seen.append(now)

    def end(self):
        self.over.set()
        self.join()
        return self.seen


@pytest.fixture(scope="module")
def several(injected_cluster, images):  # noqa: F811
    if missing() is not None:
        skip(missing())
    with tempfile.TemporaryDirectory(prefix="guard-several.") as folder:
        os.chmod(folder, 0o711)
        renderer = charts.renderer(pathlib.Path(folder) / "renderer")
        if renderer is None:
            skip("neither helm nor caddy is installed")
        made = Replicated(injected_cluster, pathlib.Path(folder), renderer)
        try:
            made.start()
            made.guard_shop(watched="false")
            wait_for(lambda: made.status(ATTACK) == "403", "the policy to be at the gates")
            yield made
        finally:
            made.stop()
            renderer.stop()


def test_both_serve_with_one_key_and_show_no_password(several):
    assert several.addresses() == {"guardd-0", "guardd-1"}
    keys = {(volume / "keys/policy.pub").read_text() for volume in several.volumes}
    assert len(keys) == 1 and not [volume for volume in several.volumes if (volume / "keys/policy.key").exists()]
    for name, pod in several.pods(several.ours).items():
        for state in pod["status"]["containerStatuses"]:
            assert SECRET not in several.log(name, state["name"])
            for pid, _ in processes_of(state["containerID"]):
                assert SECRET not in pathlib.Path(f"/proc/{pid}/cmdline").read_text()


def test_the_leaders_pod_is_deleted_and_the_other_one_goes_on(several):
    several.apply([apicluster.resource("Guardian", "wrong", WRONG, several.shop)])
    wait_for(lambda: condition(several.guardian("wrong")).get("reason") == "Refused" and several.refusals(), "the refusal to be told")
    leader = wait_for(lambda: [one for one in [several.leader()] if one is not None], "a leader")[0]
    learner = wait_for(lambda: [one for one in range(several.REPLICAS) if several.learned(one)], lambda: f"{several.sent} to be learned")[0]
    other, = several.others(leader)
    generations = Generations(several)
    generations.start()
    callers = several.callers()
    was = several.pods(several.ours)[f"guardd-{leader}"]["metadata"]["uid"]
    several.cluster.kubectl("-n", several.ours, "delete", "pod", f"guardd-{leader}", "--wait=false")
    wait_for(lambda: several.leader() == other, lambda: f"the other one to lead: {several.log(f'guardd-{other}', 'guardd')[-2000:]}")
    wait_for(lambda: several.replica(other).get("role") == "learner", "the other one to learn")
    # It tells and publishes what is said now.
    assert several.status("/users?username=tom&debug=1") == "200"
    said = json.loads(json.dumps(GUARDIAN))
    said["configured"]["endpoints"][0]["parameters"].append({"in": "query", "name": "debug", "forbidden": True})
    several.say(said)
    wait_for(lambda: several.status("/users?username=tom&debug=1") == "403", "the gates to have it")
    assert several.status(ATTACK) == "403" and several.status(BENIGN) == "200"
    wait_for(lambda: several.addresses() == {"guardd-0", "guardd-1"} and several.pods(several.ours)[f"guardd-{leader}"]["metadata"]["uid"] != was,
             "the deleted one to serve again")
    told = several.end_callers(callers)
    print(f"guardd-{leader} led, guardd-{learner} learned; {told['answered']} requests answered meanwhile")
    assert told["failed"] == [] and told["answered"] > 0, told
    wait_for(lambda: several.learned(other), lambda: f"{several.sent} to be learned: {[several.replica(one) for one in range(several.REPLICAS)]}")
    wait_for(lambda: several.replica(leader)["generation"] >= several.replica(other)["generation"], "the one that is back to have the policy")
    for seen in generations.end():
        assert seen == sorted(seen), f"numbers of policies never go back: {seen}"
    assert len(several.refusals()) == 1, "what was told is told once, whoever leads"
    for pod in several.pods():
        assert "policy-refused" not in several.log(pod, "guard", several.shop)
