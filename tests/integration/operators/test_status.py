# SPDX-License-Identifier: Apache-2.0
"""guard_status: what it counts, for whom, and that it goes on over workers and reloads."""

import json
import os
import re
import signal
import subprocess

import pytest

from gate.conftest import ATTACK_QUERY, GUARDED
from harness import wait_for

from .conftest import STATUS, status_of

SERVERS = f"server {{ listen 127.0.0.1:{{port}}; {STATUS} location / {{ proxy_pass http://{{echo}}; }} }}"


def test_counts(gate):
    nginx = gate(SERVERS)
    for _ in range(3):
        assert nginx.curl("/a?q=tom").status == 200
    for _ in range(2):
        assert nginx.curl(f"/a?{ATTACK_QUERY}").status == 403
    status = status_of(nginx)
    expected = {"exchanges": 5, "decided_pass": 3, "decided_block": 2, "done_pass": 3, "done_block": 2, "records": 5,
                "alerts": 2, "alerts_suppressed": 0, "alerts_lost": 0, "bypassed": 0, "not_inspected": 0, "hold_bytes": 0}
    assert {name: status[name] for name in expected} == expected
    assert {name: status.all["counts"][name] for name in expected} == expected
    service = status.service
    assert (service["generation"], service["mode"], service["policy_refused"], service["slow"]) == (1, "block", False, False)
    assert status.all["workers"] == {"running": 1, "leaving": 0}


def test_modes_decide_what_is_done(gate, make_policy):
    nginx = gate(SERVERS, mode="observe")
    assert nginx.curl(f"/a?{ATTACK_QUERY}").status == 200
    status = status_of(nginx)
    assert (status["decided_block"], status["done_pass"], status["bypassed"]) == (1, 1, 0)
    gate.state.publish(make_policy(generation=2, mode="alert"))
    wait_for(lambda: status_of(nginx).service["mode"] == "alert", "mode alert")
    assert nginx.curl(f"/a?{ATTACK_QUERY}").status == 200
    assert status_of(nginx)["done_alert"] == 1


def test_states_of_a_service(gate, make_policy):
    nginx = gate(SERVERS, publish=False)
    assert status_of(nginx).service["mode"] == "none"
    gate.state.publish(b"nonsense" * 100)
    wait_for(lambda: status_of(nginx).service["policy_refused"], "the refusal")
    gate.state.publish(make_policy(generation=7))
    wait_for(lambda: status_of(nginx).service["generation"] == 7, "the policy")
    assert not status_of(nginx).service["policy_refused"]
    gate.state.bypass({"until_ms": 10**14})
    wait_for(lambda: status_of(nginx).service["bypass_seconds"] > 1000, "the bypass")
    assert nginx.curl(f"/a?{ATTACK_QUERY}").status == 200
    status = status_of(nginx)
    assert (status["bypassed"], status["decided_block"], status["done_pass"]) == (1, 1, 1)


def test_who_looks_is_no_client_of_the_service(gate):
    nginx = gate(SERVERS)
    for _ in range(3):
        status = status_of(nginx)
    assert status["exchanges"] == 0
    assert gate.state.records() == []


def test_answers_only_reading(gate):
    nginx = gate(SERVERS)
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert nginx.curl("/guard", "-X", method).status == 405
    head = nginx.curl("/guard", "-I")
    assert (head.status, head.headers["cache-control"], head.body) == (200, "no-store", b"")
    assert nginx.curl("/guard?format=xml").status == 400
    assert nginx.curl("/guard").headers["content-type"] == "application/json"


METRIC = re.compile(r'guard_[a-z_]+(\{[a-z]+="[a-zA-Z0-9._-]+"(,[a-z]+="[a-zA-Z0-9.+]+")?\})? [0-9.]+')


def test_prometheus(gate):
    nginx = gate(SERVERS)
    nginx.curl("/a?q=tom")
    by_argument = nginx.curl("/guard?format=prometheus")
    accepted = ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1")
    by_header = nginx.curl("/guard", "-H", f"Accept: {accepted}")
    assert by_argument.body == by_header.body
    assert by_argument.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert nginx.curl("/guard?format=json", "-H", f"Accept: {accepted}").headers["content-type"] == "application/json"
    assert nginx.curl("/guard", "-H", "Accept: application/json, text/plain").headers["content-type"] == "application/json"
    text = by_argument.body.decode()
    declared, seen = set(), set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in declared and kind in ("counter", "gauge", "histogram")
            assert (kind == "counter") == name.endswith("_total")
            declared.add(name)
            continue
        assert METRIC.fullmatch(line), line
        seen.add(re.sub("_seconds_(bucket|sum|count)$", "_seconds", line.split("{")[0].split(" ")[0]))
    assert declared == seen
    assert 'guard_exchanges_total{service="svc"} 1\n' in text
    assert 'guard_mode{service="svc",mode="block"} 1\n' in text
    # Every count of the JSON text is there.
    counts = {f"guard_{name}" for name in status_of(nginx).all["counts"]}
    steps = {name for name in counts if name.startswith("guard_overhead_")}
    assert counts - steps <= {name.removesuffix("_total") for name in declared} and len(steps) == 11
    # The first exchange is measured, and one in sixteen after it.
    assert 'guard_overhead_seconds_count{service="svc"} 1\n' in text
    buckets = [int(count) for count in re.findall(r'guard_overhead_seconds_bucket{service="svc",le="[^"]+"} (\d+)', text)]
    assert len(buckets) == 10 and buckets == sorted(buckets) and buckets[-1] == 1


def test_many_services(gate):
    """More than the table has room for at first; the names are as long as they may be."""
    names = [f"{'s' * 60}{i:03}" for i in range(150)]
    locations = "".join(f"location /{name}/ {{ guard {name}; proxy_pass http://{{echo}}; }}" for name in names)
    nginx = gate(f"server {{ listen 127.0.0.1:{{port}}; {STATUS} {locations} }}", publish=False)
    nginx.curl(f"/{names[149]}/")
    status = status_of(nginx, names[149])
    assert status["exchanges"] == 1 and len(status.all["services"]) == 151
    text = nginx.curl("/guard?format=prometheus").body.decode()
    assert f'guard_exchanges_total{{service="{names[149]}"}} 1\n' in text


def test_all_workers_are_summed_and_reloads_forget_nothing(gate, fast_upstream):
    nginx = gate(SERVERS.replace("{echo}", f"127.0.0.1:{fast_upstream.port}"), workers=3)
    done = 0
    for round_number in range(3):
        load = subprocess.run(["h2load", "--h1", "-n", "2000", "-c", "30", nginx.url("/a?q=tom")], check=True,
                              capture_output=True, text=True, timeout=120)
        assert "2000 succeeded" in load.stdout
        done += 2000
        wait_for(lambda: status_of(nginx)["exchanges"] == done, "the count")
        if round_number < 2:
            nginx.reload()
    assert status_of(nginx).all["workers"]["running"] == 3
    wait_for(lambda: status_of(nginx).all["workers"]["leaving"] == 0, "old workers to go")


def test_counts_outlive_a_killed_worker(gate):
    nginx = gate(SERVERS)
    nginx.curl("/a?q=tom")
    wait_for(lambda: status_of(nginx)["exchanges"] == 1, "it to be counted, which comes behind the answer")
    worker, = nginx.workers()
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: nginx.workers() not in ([], [worker]), "a new worker")
    nginx.curl("/a?q=tom")
    assert status_of(nginx)["exchanges"] == 2
    log = nginx.error_log
    # The master says of the dead one what it should.
    log.write_text(log.read_text().replace("[alert]", "[said]"))


def test_reloads_that_need_more_room_keep_the_counts(gate):
    def servers(names):
        locations = "".join(f"location /{name}/ {{ guard {name}; proxy_pass http://{{echo}}; }}" for name in names)
        text = f"server {{ listen 127.0.0.1:{{port}}; {STATUS} {locations} location / {{ proxy_pass http://{{echo}}; }} }}"
        return (GUARDED + text).replace("{state}", str(gate.state.path)).replace("{echo}", f"127.0.0.1:{gate.echo.port}")

    nginx = gate(SERVERS)
    nginx.curl("/a?q=tom")
    nginx.reload(servers([f"a{i}" for i in range(40)]))
    nginx.curl("/a7/")
    assert (status_of(nginx)["exchanges"], status_of(nginx, "a7")["exchanges"]) == (1, 1)
    # Other names in place of those, again and again: what isn't configured any more is forgotten some day.
    for round_number in range(4):
        nginx.reload(servers([f"b{round_number}x{i}" for i in range(40)]))
        nginx.curl("/a?q=tom")
        assert status_of(nginx)["exchanges"] == 2 + round_number
        assert status_of(nginx, f"b{round_number}x7")["exchanges"] == 0
    assert status_of(nginx).all["workers"]["running"] == 1


def test_report_names_each_of_many_services(gate):
    """guardd's metrics come from the gate's file, which is put together in slices."""
    locations = "".join(f"location /a{i}/ {{ guard a{i}; proxy_pass http://{{echo}}; }}" for i in range(70))
    nginx = gate(SERVERS.replace("location / {", locations + " location / {"))
    wanted = {service["service"] for service in status_of(nginx).all["services"]}
    files = wait_for(lambda: list((gate.state.path / "rings").glob("*.counts")), "the gate's report")
    lines = [json.loads(line) for line in files[0].read_text().splitlines()]
    assert lines[-1] == {"end": True}
    assert len(wanted) == 71 and {line["service"] for line in lines if "service" in line} == wanted


def test_single_process(gate):
    nginx = gate(SERVERS, main="master_process off;")
    nginx.curl("/a?q=tom")
    assert status_of(nginx)["exchanges"] == 1


def test_lost_alerts_are_counted_and_told_later(gate):
    """While the ring can't be opened, what was held back isn't forgotten."""
    nginx = gate(SERVERS)
    rings = gate.state.path / "rings"
    aside = gate.state.path / "aside"
    rings.rename(aside)
    rings.write_text("no folder")
    wait_for(lambda: "exchanges aren't handed out" in nginx.log_text(), "the loss of the rings")
    for _ in range(3):
        assert nginx.curl(f"/a?{ATTACK_QUERY}").status == 403
    status = status_of(nginx)
    assert (status["alerts"], status["alerts_lost"], status["records_lost"], status.all["rings_failed"]) == (0, 3, 3, True)
    rings.unlink()
    rings.mkdir()
    wait_for(lambda: not status_of(nginx).all["rings_failed"], "new rings")
    assert nginx.curl(f"/a?{ATTACK_QUERY}").status == 403
    # With the next one, or by themselves when the time of the quota is over before.
    told = gate.state.alerts()
    assert len([alert for alert in told if alert["id"]]) == 1 and sum(alert["suppressed"] for alert in told) == 3, told
    assert status_of(nginx)["alerts"] == len(told)


@pytest.mark.parametrize("http,said", [
    ("location / { guard_status on; }", 'invalid number of arguments in "guard_status"'),
    ("location / { guard_status; guard_status; }", '"guard_status" is duplicate'),
    ("guard_status;", '"guard_status" directive is not allowed here'),
    ("guard_time never;", 'invalid value "never"'),
    ("guard_exempt $nosuch;", 'unknown "nosuch" variable'),
])
def test_refused(tmp_path, http, said):
    from harness import Nginx
    status, output = Nginx(tmp_path / "nginx", f"server {{ {http} }}").test()
    assert status != 0 and said in output
    (tmp_path / "nginx" / "error.log").unlink(missing_ok=True)
