# SPDX-License-Identifier: Apache-2.0
"""The requests that a pod answered, of a real gate beside its sensor, and learned as bytes for each request."""

import json
import pathlib
import re
import sys

from harness import settle, wait_for
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
    daemon = Guardd(state, options=("--pod-sensor", f"namespace=prod,workload=shop,pod=shop-1,interval=2,records={folder}")).start()
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


def of_gate(folder):
    return [feature for record in read_records(folder) if record["source"] == 4 for feature in record["features"]]


def judges_by(gate, daemon, mode):
    """Whether exchanges are judged by a policy of that mode; more generations are learned meanwhile."""
    assert gate.curl("/cart?item=7").status == 200
    settle()
    published = re.findall(rf"generation (\d+), mode {mode}", daemon.log())
    judged = (gate.prefix / "count.log").read_text().split()[-1]
    return published != [] and judged.isdigit() and int(judged) >= int(published[-1])


def test_what_the_gate_found_is_in_records_of_the_pod(tmp_path, nginx, fast_upstream):
    """A request that deviates and passes, and a response; not a request that was blocked."""
    state, folder = tmp_path / "state", tmp_path / "records"
    (state / "guardians").mkdir(parents=True)
    folder.mkdir()

    def guardian(mode):
        path = state / "guardians" / "shop.yaml"
        path.with_suffix(".new").write_text(f"""
service: shop
control: {{mode: {mode}}}
configured:
  endpoints:
    - {{path: /cart, parameters: [{{in: query, name: item, types: [int]}}]}}
    - {{path: /odd, response: {{contentTypes: [text/html]}}}}
""")
        path.with_suffix(".new").rename(path)

    guardian("alert")
    daemon = Guardd(state, options=("--pod-sensor", f"namespace=prod,workload=web,service=shop,pod=web-1,records={folder}")).start()
    try:
        gate = nginx(GATE.replace("{state}", str(state)).replace("{back}", str(fast_upstream.port)))
        wait_for(lambda: judges_by(gate, daemon, "alert"), "the gate to have the policy", 120)
        assert gate.curl("/cart?item=abc").status == 200 and gate.curl("/odd").status == 200
        wait_for(lambda: {feature["kind"] for feature in of_gate(folder)} == {"request", "response"}, "both to be told", 60)
        guardian("block")
        wait_for(lambda: judges_by(gate, daemon, "block"), "the gate to have the next policy", 120)
        before = len(of_gate(folder))
        assert gate.curl("/cart?item=abc").status == 403 and gate.curl("/odd").status == 403
        wait_for(lambda: len(of_gate(folder)) > before, "the response to be told", 60)
        told = of_gate(folder)
    finally:
        assert daemon.stop() == 0
    alerts = [json.loads(line) for line in (state / "alerts.jsonl").read_text().splitlines()]
    ids = {alert["action"]: set() for alert in alerts}
    for alert in alerts:
        ids[alert["action"]] |= {*alert["ids"]} if "ids" in alert else {alert["id"]}
    assert {(feature["kind"], feature["text"]) for feature in told} == {("request", "GET /cart"), ("response", "GET /odd")}
    assert all(feature["request"] for feature in told)
    assert not {feature["request"] for feature in told if feature["kind"] == "request"} & ids["block"]
