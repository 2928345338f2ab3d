# SPDX-License-Identifier: Apache-2.0
"""The requests that a pod answered, of a real gate beside its sensor, and learned as bytes for each request."""

import pathlib
import sys

from harness import wait_for
from kernel import read_records

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guardd"))
from test_guardd import GATE, Guardd, guard  # noqa: E402

REQUESTS = 30


def requests(records):
    return [record["rates"]["requests"] for record in records if "requests" in record["rates"]]


def test_requests_of_the_gate_are_in_the_records(tmp_path, nginx, fast_upstream):
    state, folder = tmp_path / "state", tmp_path / "records"
    for made in (state, folder):
        made.mkdir()
    daemon = Guardd(state, options=("--pod-sensor", f"namespace=prod,workload=shop,pod=shop-1,records={folder}")).start()
    try:
        gate = nginx(GATE.replace("{state}", str(state)).replace("{back}", str(fast_upstream.port)))
        for number in range(REQUESTS):
            assert gate.curl(f"/cart?item={number}").status == 200
        wait_for(lambda: sum(requests(read_records(folder))) >= REQUESTS, "the gate to tell what it answered", 120)
        after = len(read_records(folder))
        wait_for(lambda: len(read_records(folder)) > after, "a record more", 60)
    finally:
        assert daemon.stop() == 0
    told = requests(read_records(folder))
    assert sum(told) == REQUESTS and told[-1] == 0, told  # each once


def test_what_replicas_send_is_shown(tmp_path):
    """From real records of the sensor to what people see; the sensor is of this machine, whatever it does."""
    state = tmp_path / "state"
    state.mkdir()
    daemon = Guardd(state, options=("--api", "off", "--pod-sensor", "namespace=prod,workload=shop,pod=shop-1")).start()
    try:
        wait_for(lambda: daemon.service("shop").get("pods"), "a record to be learned", 60)
        wait_for(lambda: "bytes out" in guard(state, "pods", "show", "shop"), "what the replica sends", 60)
    finally:
        assert daemon.stop() == 0
