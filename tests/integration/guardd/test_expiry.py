# SPDX-License-Identifier: Apache-2.0
"""Policies say until when a newer one is to be expected: guardd renews them in time, and a gate from which they are kept back says so, and
goes on with the one it has."""

import pathlib
import re
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN, wait_for  # noqa: E402
from test_guardd import GATE, Guardd  # noqa: E402

GUARDIAN = """
apiVersion: guard/v1alpha1
service: shop
control: {mode: block}
configured: {headers: [{in: header, name: x-bad, forbidden: true}]}
"""
EXPIRED = "service shop: generation %d expired and no newer one came; it stays in force"


@pytest.fixture
def renewed(tmp_path, nginx, fast_upstream):
    """A factory: guardd with these options, and a gate that has its first policy."""
    started = []

    def make(*options):
        state = tmp_path / "state"
        (state / "guardians").mkdir(parents=True)
        (state / "guardians" / "shop.yaml").write_text(GUARDIAN)
        guardd = Guardd(state, options=options).start()
        started.append(guardd)
        gate = nginx(GATE.replace("{state}", str(state)).replace("{back}", str(fast_upstream.port)))
        wait_for(lambda: in_force(gate) > 0, "the first policy")
        return guardd, gate
    yield make
    for guardd in started:
        guardd.process.send_signal(signal.SIGCONT)
        guardd.stop()


def in_force(gate):
    return max([int(number) for number in re.findall(r"service shop: generation (\d+) is in force", gate.log_text())], default=0)


def blocks(gate):
    return gate.curl("/users", "-H", "X-Bad: 1").status == 403 and gate.curl("/users").status == 200


def shown(guardd):
    path = guardd.state / "policies" / "shop.policy"
    return subprocess.run([BIN / "guard", "policy", "show", path], capture_output=True, text=True, check=True).stdout


def test_guardd_renews_and_a_gate_that_gets_nothing_says_so(renewed):
    guardd, gate = renewed("--policy-valid", "4s")
    first = in_force(gate)
    wait_for(lambda: in_force(gate) >= first + 2, "two renewals, though nothing changed")
    guardd.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: EXPIRED % in_force(gate) in gate.log_text(), "the alarm")
    assert blocks(gate)
    last = in_force(gate)
    guardd.process.send_signal(signal.SIGCONT)
    wait_for(lambda: in_force(gate) > last, "a newer policy")
    assert blocks(gate)
    assert gate.log_text().count(EXPIRED % last) == 1


def test_a_gate_starts_with_an_expired_policy_and_says_so(renewed):
    guardd, gate = renewed("--policy-valid", "2s")
    guardd.stop()
    wait_for(lambda: EXPIRED % in_force(gate) in gate.log_text(), "the alarm")
    last = in_force(gate)
    assert "(it has)" in shown(guardd)
    before = gate.log_text().count(EXPIRED % last)
    gate.reload()
    wait_for(lambda: gate.log_text().count(EXPIRED % last) > before, "the alarm of the new worker")
    assert blocks(gate)
    guardd.start()


def test_policies_may_stay_for_ever(renewed):
    guardd, gate = renewed("--policy-valid", "0s")
    assert re.search(r"^expires +never$", shown(guardd), re.M) and blocks(gate)
