# SPDX-License-Identifier: Apache-2.0
"""Metrics, and what is made of them: the names that dashboard and rules use are exported, the rules say what they shall, and each has
its page."""

import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guardd"))
from harness import ROOT, wait_for  # noqa: E402
from receivers import Webhook, write_outputs  # noqa: E402
from talking import curl as ask  # noqa: E402
from test_guardd import GATE, Guardd, drive  # noqa: E402
from test_outputs import GUARDIAN, exchange, hook  # noqa: E402

RULES = ROOT / "deploy/prometheus/guard.rules.yaml"
DASHBOARD = ROOT / "deploy/grafana/guard.json"
RUNBOOKS = ROOT / "docs/guide/runbooks"
SAMPLE = re.compile(r'([a-z_]+)(?:\{([^{}]*)\})? ([0-9.e+-]+|\+Inf)')


def promtool(*arguments, data=None):
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool isn't installed")
    return subprocess.run([program, *map(str, arguments)], input=data, capture_output=True, cwd=RULES.parent, timeout=120, check=False)


def parse(text):
    """{name: {labels: value}}"""
    found = {}
    for entry in text.splitlines():
        if not entry.startswith("#"):
            name, labels, value = SAMPLE.fullmatch(entry).groups()
            found.setdefault(name, {})[labels or ""] = float(value)
    return found


def whole_of(found, name, part):
    """The sum over gates of what has no label of its own beside them, or the value of the first that has."""
    return next((value for labels, value in sorted(found.get(name, {}).items()) if part in labels and "lost" not in labels), 0)


def check_gates(found):
    assert found["guard_gates"][""] == 1 and sum(found["guard_gate_workers"].values()) >= 1
    gate, = {re.search(r'gate="([0-9a-f]{16})"', labels)[1] for labels in found["guard_gate_exchanges_total"]}
    of_shop = f'gate="{gate}",service="shop"'
    actions = found["guard_gate_actions_total"]
    assert sum(actions.values()) == found["guard_gate_exchanges_total"][of_shop]
    assert actions[of_shop + ',action="block"'] > 0
    assert set(found["guard_gate_not_inspected_total"]) == {f'{of_shop},reason="{reason}"' for reason in ("memory", "file", "opaque_upgrade")}
    generations = found["guard_gate_generation"]
    assert generations[of_shop + ',worker="oldest"'] == generations[of_shop + ',worker="newest"'] == \
        found["guard_service_generation"]['service="shop"'] > 0
    assert found["guard_gate_mode"] == {of_shop + ',mode="block"': 1}
    buckets = [value for labels, value in found["guard_gate_overhead_seconds_bucket"].items() if of_shop in labels]
    assert buckets == sorted(buckets) and buckets[-1] == found["guard_gate_overhead_seconds_count"][of_shop] > 0
    assert 0 < found["guard_gate_overhead_seconds_sum"][of_shop] / buckets[-1] < 0.1


@pytest.fixture
def running(tmp_path, nginx, fast_upstream):
    state = tmp_path / "state"
    (state / "guardians").mkdir(parents=True)
    (state / "guardians/shop.yaml").write_text(GUARDIAN)
    server = Webhook()
    write_outputs(state, [hook(server)])
    daemon = Guardd(state).start()
    gate = nginx(GATE.replace("{state}", str(state)).replace("{back}", str(fast_upstream.port))
                 .replace("'$request_id $guard_generation'", "'$status $guard_action'")
                 .replace("location / {", "location = /guard { guard off; guard_status; } location / {"))
    wait_for(lambda: drive(gate.port, [exchange("/users?username=%3D")], 1) == [403], "the gate to block")
    yield state, gate, server
    daemon.stop()
    server.close()


def test_what_is_exported_is_well_formed_and_right(running):
    state, gate, server = running
    drive(gate.port, [exchange("/users?username=tom"), exchange("/users?username=%3Cb%3E")] * 30)

    def metrics():
        return parse(ask(state, "/metrics").body.decode())

    def counted():
        lines = (gate.prefix / "count.log").read_text().splitlines()
        verdicts = metrics()["guard_service_verdicts_total"]
        return (verdicts['service="shop",verdict="block"'] == sum("403" in entry for entry in lines) and
                verdicts['service="shop",verdict="pass"'] == sum("200" in entry for entry in lines) > 0)
    wait_for(counted, lambda: f"the counts: {metrics()['guard_service_verdicts_total']}")
    wait_for(lambda: server.alerts() and metrics()["guard_output_delivered_total"]['output="siem",type="webhook"'] > 0, "the output")
    answer = ask(state, "/metrics")
    checked = promtool("check", "metrics", data=answer.body)
    assert checked.returncode == 0 and checked.stderr == b"", checked.stderr.decode()
    found = metrics()
    assert found["guard_alerts_received_total"]['action="block",part="request"'] > 0
    buckets = [value for labels, value in found["guard_service_duration_seconds_bucket"].items() if 'service="shop"' in labels]
    assert buckets == sorted(buckets) and buckets[-1] == found["guard_service_duration_seconds_count"]['service="shop"'] > 0
    assert found["guard_service_policy_timestamp_seconds"]['service="shop"'] > 1.6e9
    assert found["process_resident_memory_bytes"][""] > 1e6
    wait_for(lambda: metrics()["guard_store_saves_total"][""] > 0, "the store to be saved")

    def told_by_gate():  # as its own page says, some seconds later
        now, gates = parse(gate.curl("/guard?format=prometheus").body.decode()), metrics()
        return all(whole_of(gates, name, '') == whole_of(now, own, 'service="shop"') > 0 for name, own in (
            ("guard_gate_exchanges_total", "guard_exchanges_total"), ("guard_gate_records_total", "guard_records_total"),
            ("guard_gate_overhead_seconds_count", "guard_overhead_seconds_count"), ("guard_gate_generation", "guard_generation")))
    wait_for(told_by_gate, lambda: f"the gate's counts: { {name: labels for name, labels in metrics().items() if '_gate_' in name} }")
    check_gates(metrics())
    assert found["guard_ring_lag_bytes"]['kind="records"'] >= 0
    # Nothing that clients send, and few labels.
    text = answer.body.decode()
    assert "username" not in text and "/users" not in text and "127.0." not in text
    found = metrics()
    names = {label for series in found.values() for labels in series for label in re.findall(r'([a-z]+)="', labels)}
    assert names <= {"service", "mode", "verdict", "class", "le", "action", "part", "kind", "output", "type", "version", "status",
                     "gate", "reason", "state", "limit", "outcome", "worker"}, names


def used_names(expression):
    return set(re.findall(r"\b((?:guard|process)_[a-z_]+)\b", expression))


def test_dashboard_and_rules_use_what_is_exported(running):
    state, gate, _ = running
    wait_for(lambda: "guard_gate_overhead_seconds_bucket" in parse(ask(state, "/metrics").body.decode()), "what the gate tells")
    of_guardd = set(parse(ask(state, "/metrics").body.decode()))
    of_gates = set(parse(gate.curl("/guard?format=prometheus").body.decode()))
    assert not of_guardd & of_gates  # else sums would mix them
    dashboard = json.loads(DASHBOARD.read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = RULES.read_text()
    used = set().union(*(used_names(text) for text in expressions), used_names(re.sub(r"(?m)^\s*#.*$", "", rules)))
    used -= {"guard_status"}  # a directive
    # A counter that nothing was sent to has no series yet, but its name.
    declared = {entry.split()[2] for entry in ask(state, "/metrics").body.decode().splitlines() if entry.startswith("# TYPE")}
    assert len(used) > 25 and used <= of_guardd | of_gates | declared, used - of_guardd - of_gates - declared
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_each_rule_has_its_page_and_each_page_its_rule():
    alerts = re.findall(r"(?m)^\s+- alert: (\w+)$", RULES.read_text())
    assert len(alerts) == len(set(alerts)) > 10
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == set(alerts)
    for alert in alerts:
        text = (RUNBOOKS / f"{alert}.md").read_text()
        assert text.startswith(f"# {alert}\n") and f"runbook: docs/guide/runbooks/{alert}.md" in RULES.read_text()
        for part in ("## What it means\n", "## What to look at\n", "## What to do\n"):
            assert len(text.partition(part)[2].partition("##")[0].strip()) > 20, (alert, part)


def test_rules_say_what_they_shall():
    checked = promtool("check", "rules", RULES.name)
    assert checked.returncode == 0, checked.stderr.decode()
    tested = promtool("test", "rules", "guard.rules.test.yaml")
    assert tested.returncode == 0, tested.stdout.decode() + tested.stderr.decode()
    # Each rule is tried, and by each once that it speaks.
    text = (RULES.parent / "guard.rules.test.yaml").read_text()
    for alert in re.findall(r"(?m)^\s+- alert: (\w+)$", RULES.read_text()):
        assert re.search(rf"alertname: {alert}\n\s+exp_alerts:\n\s+- exp_labels", text), alert
