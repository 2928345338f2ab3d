# SPDX-License-Identifier: Apache-2.0
"""Three operators of one cluster, each with a network of its own to a real kube-apiserver: whatever happens to the one that leads, one at a
time writes, and what it writes is there once."""

import glob
import itertools
import os
import signal

import pytest
from kubernetes.api_relay import Relay
from kubernetes.apicluster import resource
from kubernetes.operators import Operator, condition, renewals, shipped_rights, wait_for

LEASE = ("lease", "guard-operator", "-n", "guard-system")
# Deeper than the definition goes: only guardd sees it.
WRONG = {"patches": [{"id": "p", "when": {"not": {"not": {"not": {"in": ["body"], "contians": ["x"]}}}}}]}
# Clocks of others are hours ahead: none is compared with another.
CLOCKS = ("", "+2h", "+26h")
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")


pytestmark = pytest.mark.skipif(not FAKETIME or "LD_PRELOAD" in os.environ, reason="libfaketime isn't installed, or another library is preloaded")


class Trio:
    def __init__(self, cluster, folder, kubeconfig):
        self.cluster = cluster
        self.relays = [Relay(cluster, folder / f"relay{number}", kubeconfig) for number in range(3)]
        self.operators = []
        for number, (relay, clock) in enumerate(zip(self.relays, CLOCKS)):
            # Not by faketime(1), which would stand between this process and guardd.
            wrapper = ("env", f"LD_PRELOAD={FAKETIME[0]}", f"FAKETIME={clock}", "FAKETIME_DONT_FAKE_MONOTONIC=1") if clock else ()
            self.operators.append(Operator(cluster, folder / f"operator{number}", relay.kubeconfig))
            self.operators[-1].program = (*wrapper, *self.operators[-1].program)

    def start(self):
        for operator in self.operators:
            operator.start()
        return self

    def leader(self):
        """The number of the only one that leads, as they say."""
        leads = [number for number, operator in enumerate(self.operators) if operator.leads()]
        return leads[0] if len(leads) == 1 else None

    def wait_leader(self):
        return wait_for(lambda: (lambda it: it is not None and [it])(self.leader()), "one to lead", timeout=120)[0]

    def wait_other(self, first):
        """Until another one leads than `first`, whose log ended in the middle."""
        def other():
            return [number for number, operator in enumerate(self.operators) if number != first and operator.leads()]
        return wait_for(other, "another one to lead", timeout=120)[0]

    def writes(self, method="PATCH", part="/status"):
        """(when, who, what was asked) of all that the server took, in its order."""
        found = [(one["at"], number, one) for number, relay in enumerate(self.relays) for one in relay.passed(method, part) if one["status"] < 300]
        return sorted(found, key=lambda it: it[0])

    def turns(self):
        """Who wrote, one after the other."""
        return [who for who, _ in itertools.groupby(who for _, who, _ in self.writes())]

    def transitions(self):
        return self.cluster.get(*LEASE)["spec"]["leaseTransitions"]

    def apply(self, namespace, name, spec):
        done = self.cluster.apply(resource("Guardian", name, spec, namespace))
        assert done.status == 0, done.err

    def wait_told(self, namespace, name, **wanted):
        """Until its status says that, of its present generation."""
        def told():
            one = self.cluster.get("gd", name, "-n", namespace)
            status = one.get("status", {})
            return status.get("observedGeneration") == one["metadata"]["generation"] and all(status.get(key) == value for key, value in wanted.items()) and one
        return wait_for(told, f"the status of {name}", timeout=120)

    def refusals(self, namespace):
        return [one for one in self.cluster.get("events", "-n", namespace)["items"] if one["reason"] == "GuardianRefused"]

    def mend(self):
        """Whatever a test that failed left: the next one has three again. None ends by itself."""
        ended = [operator for operator in self.operators if operator.process.poll() is not None]
        for operator, relay in zip(self.operators, self.relays):
            relay.release()
            relay.heal()
            if operator in ended:
                operator.start()
            else:
                operator.process.send_signal(signal.SIGCONT)
        assert not ended, [operator.log()[-2000:] for operator in ended]

    def stop(self):
        for operator in self.operators:
            operator.stop()
        for relay in self.relays:
            relay.stop()


@pytest.fixture(scope="module")
def three(api_cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trio")
    made = Trio(api_cluster, folder, shipped_rights(api_cluster, folder / "rights"))
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def trio(three):
    yield three
    three.mend()


def begin(trio, namespace):
    """A Guardian that holds and one that is refused, both told; the leader."""
    trio.apply(namespace, "shop", {"control": {"mode": "block"}})
    trio.apply(namespace, "wrong", WRONG)
    leader = trio.wait_leader()
    trio.wait_told(namespace, "shop", mode="block")
    wait_for(lambda: condition(trio.cluster.get("gd", "wrong", "-n", namespace)).get("reason") == "Refused", "the refusal")
    wait_for(lambda: trio.refusals(namespace), "its Event")
    trio.begun = trio.transitions()
    return leader


def check_once(trio, namespace, turns, changes=1):
    """The leaders wrote one after the other, the Lease had so many new holders, also none, and the refusal was told once."""
    renewals(trio.cluster, 2)  # what a new leader would tell again it has told
    assert trio.transitions() == trio.begun + changes
    assert len(trio.refusals(namespace)) == 1
    assert trio.turns() == turns


def test_a_killed_leader_is_followed_by_one(trio, api_cluster, namespace):
    first = begin(trio, namespace)
    before = trio.turns()
    assert before[-1] == first
    since = condition(api_cluster.get("gd", "shop", "-n", namespace))["lastTransitionTime"]
    trio.operators[first].process.kill()
    trio.operators[first].process.wait()
    trio.apply(namespace, "shop", {"control": {"mode": "observe"}})
    trio.apply(namespace, "late", {"control": {"mode": "alert"}})  # made while nobody leads
    second = trio.wait_other(first)
    trio.operators[first].start()
    trio.wait_told(namespace, "late", mode="alert")
    stored = trio.wait_told(namespace, "shop", mode="observe")
    assert condition(stored)["lastTransitionTime"] == since  # a change of leaders is no transition
    check_once(trio, namespace, [*before, second])
    assert not any(operator.said("cluster-away") for operator in trio.operators)  # nor trouble for those that didn't get it


def test_an_answer_that_is_older_than_what_was_watched_changes_nothing(trio, namespace):
    """The status of a version is answered when the next one is known: what follows is of that."""
    first = begin(trio, namespace)
    relay = trio.relays[first]
    relay.hold("PATCH", f"/namespaces/{namespace}/guardians/shop/status", "answer")
    trio.apply(namespace, "shop", {"control": {"mode": "alert"}})
    wait_for(relay.held, "the answer to be on its way")
    trio.apply(namespace, "shop", {"control": {"mode": "observe"}})
    wait_for(lambda: trio.operators[first].guardian(f"{namespace}.shop")["control"]["mode"] == "observe", "it to be seen")
    relay.release()
    trio.wait_told(namespace, "shop", mode="observe")
    assert trio.leader() == first


def test_what_a_leader_wrote_before_it_stood_still_changes_nothing_after(trio, api_cluster, namespace):
    """Its last status is on its way while it is stopped, and arrives when another one has told a newer one."""
    first = begin(trio, namespace)
    before = trio.turns()
    relay = trio.relays[first]
    relay.hold("PATCH", f"/namespaces/{namespace}/guardians/shop/status")
    trio.apply(namespace, "shop", {"control": {"mode": "alert"}})
    wait_for(relay.held, "its status to be on its way")
    trio.operators[first].process.send_signal(signal.SIGSTOP)
    second = trio.wait_other(first)
    trio.apply(namespace, "shop", {"control": {"mode": "observe"}})
    trio.wait_told(namespace, "shop", mode="observe")
    answered = len(relay.passed("PATCH", f"/namespaces/{namespace}/guardians/shop/status"))
    relay.release()
    wait_for(lambda: len(relay.passed("PATCH", f"/namespaces/{namespace}/guardians/shop/status")) > answered, "it to arrive")
    assert relay.passed("PATCH", f"/namespaces/{namespace}/guardians/shop/status")[-1]["status"] == 409
    trio.operators[first].process.send_signal(signal.SIGCONT)
    wait_for(lambda: not trio.operators[first].leads(), "the first to follow")
    assert trio.cluster.get("gd", "shop", "-n", namespace)["status"]["mode"] == "observe"
    check_once(trio, namespace, [*before, second])
    assert trio.leader() == second


def test_one_that_is_cut_off_leaves_it_to_others(trio, api_cluster, namespace):
    first = begin(trio, namespace)
    before = trio.turns()
    relay = trio.relays[first]
    relay.cut()
    try:
        wait_for(lambda: not trio.operators[first].leads(), "it to give up", timeout=60)
        second = trio.wait_other(first)
        trio.apply(namespace, "shop", {"control": {"mode": "observe"}})
        api_cluster.ask("DELETE", f"/apis/guard.security/v1alpha1/namespaces/{namespace}/guardians/wrong")
        trio.wait_told(namespace, "shop", mode="observe")
        looked = len(relay.passed("GET", "/leases/"))
    finally:
        relay.heal()
    wait_for(lambda: any(one["status"] == 200 for one in relay.passed("GET", "/leases/")[looked:]), "it to be back", timeout=120)
    check_once(trio, namespace, [*before, second])
    # It has followed all the while it couldn't, for when it leads again. Nobody holds what the second gave up: started at once it may take it again.
    trio.operators[second].stop()
    third = trio.wait_other(second)
    trio.operators[second].start()
    trio.wait_told(namespace, "shop", mode="observe")
    wait_for(lambda: trio.turns()[-1] == third, "it to write")
    check_once(trio, namespace, [*before, second, third], 3)  # the second gave it up


def test_restarted_one_after_the_other_they_lose_nothing(trio, api_cluster, namespace):
    begin(trio, namespace)
    modes = ("alert", "observe", "block")
    lease = trio.transitions()
    for number, (operator, mode) in enumerate(zip(trio.operators, modes)):
        led = operator.leads() and operator.identity()
        operator.stop()
        assert not led or api_cluster.get(*LEASE)["spec"].get("holderIdentity", "") != led  # given up; another one may have it by now
        trio.apply(namespace, "shop", {"control": {"mode": mode}})
        trio.apply(namespace, f"new-{number}", {"control": {"mode": mode}})
        operator.start()
        trio.wait_leader()
        trio.wait_told(namespace, "shop", mode=mode)
        trio.wait_told(namespace, f"new-{number}", mode=mode)
    assert len(trio.refusals(namespace)) == 1
    assert trio.transitions() <= lease + 2 * len(modes)  # each gave it up and another one took it
    service = f"{namespace}.shop"
    leader = trio.operators[trio.wait_leader()]
    assert leader.guardian(service)["control"]["mode"] == modes[-1]
    wait_for(lambda: any(operator.said("operator-apart") for operator in trio.operators), "that each has a store of its own to be told")
    assert all(leader.guardian(f"{namespace}.new-{number}")["control"]["mode"] == mode for number, mode in enumerate(modes))
