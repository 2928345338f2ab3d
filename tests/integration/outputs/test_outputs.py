# SPDX-License-Identifier: Apache-2.0
"""Alerts leave guardd for other systems: nothing is lost, nothing is counted twice, nothing holds guardd up."""

import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guardd"))
from harness import BIN, end_process, free_port, wait_for  # noqa: E402
from receivers import NOW, Webhook, from_the_begin, line, secret_file, signed, write_log, write_outputs  # noqa: E402
from test_guardd import GATE, Guardd, drive  # noqa: E402

GUARDIAN = """apiVersion: guard/v1alpha1
kind: Guardian
service: shop
control: {mode: block, learn: paused}
configured:
  endpoints:
    - path: /users
      parameters: [{in: query, name: username, characters: [lower]}]
"""


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    (folder / "guardians").mkdir(parents=True)
    return folder


@pytest.fixture
def webhook():
    server = Webhook()
    yield server
    server.close()


@pytest.fixture
def guardd(state):
    """Not started yet."""
    daemon = Guardd(state)
    yield daemon
    if daemon.process is not None:
        daemon.stop()


def hook(server, secret=None, name="siem", **members):
    output = {"name": name, "type": "webhook", "url": f"http://127.0.0.1:{server.port}/hooks/guard?x=1", **members}
    if secret is not None:
        output["secretFile"] = str(secret)
    return output


def cursor(state, name="siem"):
    try:
        return json.loads((state / "outputs" / f"{name}.json").read_text())
    except FileNotFoundError:
        return {}


def exchange(target):
    return {"request": {"method": "GET", "target": target, "headers": [["Host", "shop"]]}}


def test_a_flood_is_one_growing_alert_and_its_counts_are_exact(guardd, state, webhook, nginx, fast_upstream, tmp_path):
    """Each request that nginx says was blocked is counted once at the webhook, in a file, and over syslog."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(0.01)
    (state / "guardians/shop.yaml").write_text(GUARDIAN)
    write_outputs(state, [hook(webhook, secret_file(tmp_path)),
                          {"name": "file", "type": "file", "path": str(tmp_path / "ecs.jsonl"), "form": "ecs"},
                          {"name": "log", "type": "syslog", "address": f"udp://127.0.0.1:{receiver.getsockname()[1]}"}], fold=2)
    guardd.start()
    gate = nginx(GATE.replace("{state}", str(state)).replace("{back}", str(fast_upstream.port))
                 .replace("'$request_id $guard_generation'", "'$status $guard_action'"))
    attack = exchange("/users?username=%3D")
    wait_for(lambda: drive(gate.port, [attack], 1) == [403], "the gate to block")
    for _ in range(10):
        assert set(drive(gate.port, [attack] * 60 + [exchange("/users?username=tom")] * 12)) == {200, 403}

    def counts(alerts, number=lambda alert, name: alert.get(name, 0)):
        return (sum(number(alert, "count") for alert in alerts if alert.get("findings") or number(alert, "findings"))
                + sum(number(alert, "suppressed") for alert in alerts))

    def blocked():
        return (gate.prefix / "count.log").read_text().splitlines().count("403 block")
    wait_for(lambda: blocked() == 1 + 600 or blocked() > 601, "the log of the gate")
    total = blocked()
    wait_for(lambda: counts(webhook.alerts()) == total, lambda: f"{total} at the webhook: {counts(webhook.alerts())}")
    mine = [alert for alert in webhook.alerts() if alert["findings"]]
    wait_for(lambda: len([a for a in webhook.alerts() if a["findings"] and a["state"] == "end"]) ==
             len({a["series"] for a in webhook.alerts() if a["findings"]}), "the end of each series")
    assert counts(webhook.alerts()) == total  # the end adds nothing
    mine = [alert for alert in webhook.alerts() if alert["findings"]]
    for series in {alert["series"] for alert in mine}:
        lines = sorted((alert for alert in mine if alert["series"] == series), key=lambda alert: alert["seq"])
        assert [entry["state"] for entry in lines] == ["first"] + ["more"] * (len(lines) - 2) + ["end"], lines
        assert [entry["total"] for entry in lines] == [sum(e["count"] for e in lines[:i + 1]) for i in range(len(lines))]
    assert len(mine) < 60  # one alert that grows, not hundreds
    assert all(signed(post) for post in webhook.taken())

    def of_file():
        return [json.loads(text) for text in (tmp_path / "ecs.jsonl").read_text().splitlines()]
    sent = webhook.alerts()
    wait_for(lambda: len(of_file()) >= len(sent), "all lines in the file")
    assert sum(a["guard"]["count"] for a in of_file() if a["guard"]["findings"]) + \
        sum(a["guard"].get("suppressed", 0) for a in of_file()) == total
    messages = []

    def all_messages():
        try:
            while True:
                messages.append(receiver.recv(65536).decode())
        except socket.timeout:
            return len(messages) >= len(sent)
    wait_for(all_messages, "all messages")
    receiver.close()

    def of_message(text, name):
        found = re.search(rf' {name}="(\d+)"', text)
        return int(found.group(1)) if found else 0
    assert sum(of_message(text, "count") for text in messages if ' rule="' in text) + \
        sum(of_message(text, "suppressed") for text in messages) == total


def test_nothing_is_lost_while_the_receiver_is_away_or_guardd_is_killed(guardd, state, webhook, tmp_path):
    lines = [line(seq) for seq in range(1, 701)]
    write_log(state, lines)
    from_the_begin(state, "siem")
    webhook.answers = [503, 500, 429]
    write_outputs(state, [hook(webhook, secret_file(tmp_path))])
    guardd.start()
    wait_for(lambda: len(webhook.posts) >= 2, "attempts")
    assert cursor(state).get("sequence", 0) == 0  # nothing was acknowledged
    guardd.kill()
    port = webhook.port
    webhook.close()
    guardd.start()
    wait_for(lambda: '"output-failing"' in guardd.log(), "the alarm")
    guardd.kill()
    guardd.start()
    again = Webhook(port)
    try:
        for _ in range(3):
            before = len(again.taken())
            wait_for(lambda: len(again.taken()) > before or len(again.alerts()) == 700, "a batch")
            guardd.kill()
            guardd.start()
        wait_for(lambda: len(again.alerts()) == 700, lambda: f"all alerts: {len(again.alerts())}")
        assert sorted(alert["seq"] for alert in again.alerts()) == list(range(1, 701))
        wait_for(lambda: cursor(state).get("sequence") == 700, "the cursor")
        assert cursor(state)["skipped"] == 0
        assert all(signed(post) for post in again.posts)
        # What is sent again after a kill has the same name, by which it can be known.
        names = {}
        for post in again.taken():
            names.setdefault(post["headers"]["x-guard-delivery"], set()).add(json.dumps(post["body"]["alerts"]))
        assert all(len(bodies) == 1 for bodies in names.values())
    finally:
        again.close()


def test_what_the_rotation_took_is_counted_and_told(guardd, state, webhook):
    write_log(state, [line(seq) for seq in range(101, 111)])
    from_the_begin(state, "siem", sequence=7, position="ffff-1-100")  # in a file that is no more
    write_outputs(state, [hook(webhook)])
    guardd.start()
    wait_for(lambda: len(webhook.alerts()) == 11, "the alerts")
    post = webhook.taken()[0]
    assert post["body"]["skipped"] == 93 and post["body"]["alerts"][0]["skipped"] == 93
    assert "93 lines of alerts were lost" in post["body"]["alerts"][0]["explanation"]
    assert '"alerts-skipped"' in guardd.log()
    wait_for(lambda: cursor(state).get("skipped") == 93, "the cursor")
    assert "x-guard-signature" not in post["headers"]


def test_secrets_that_others_may_read_sign_nothing(guardd, state, webhook, tmp_path):
    secret = secret_file(tmp_path, 0o644)
    write_log(state, [line(1)])
    from_the_begin(state, "siem")
    write_outputs(state, [hook(webhook, secret)])
    guardd.start()
    wait_for(lambda: "only its owner may read" in guardd.log(), "the alarm")
    assert webhook.posts == []
    secret.chmod(0o600)
    wait_for(lambda: webhook.taken(), "the batch")
    assert signed(webhook.taken()[0])
    wait_for(lambda: '"output-works-again"' in guardd.log(), "the log to say so")


def test_a_receiver_that_hangs_holds_up_nobody(guardd, state, webhook):
    write_log(state, [line(1)])
    from_the_begin(state, "siem")
    webhook.hang.clear()
    with socket.socket() as deaf:  # takes connections and never says a word
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        from_the_begin(state, "deaf")
        from_the_begin(state, "file")
        write_outputs(state, [hook(webhook), {"name": "deaf", "type": "webhook", "url": f"http://127.0.0.1:{deaf.getsockname()[1]}/"},
                              {"name": "file", "type": "file", "path": str(state / "out.jsonl")}])
        guardd.start()
        wait_for(lambda: (state / "out.jsonl").read_text().count("\n") == 1, "the other output")
        seen = guardd.status().get("time_ms", 0)
        wait_for(lambda: guardd.status().get("time_ms", 0) > seen + 1000, "guardd to go on")
        assert webhook.posts == []
        webhook.hang.set()
        wait_for(lambda: webhook.taken(), "the answer")


def test_filters(guardd, state, webhook):
    write_log(state, [line(1, service="other"), line(2, action="alert"), line(3, score=1.5), line(4), line(5, service="cart")])
    from_the_begin(state, "siem")
    write_outputs(state, [hook(webhook, services=["shop", "cart"], actions=["block"], leastScore=2)])
    guardd.start()
    wait_for(lambda: cursor(state).get("sequence") == 5, "the cursor to pass over the others")
    wait_for(lambda: len(webhook.alerts()) == 2, "the alerts")
    assert [alert["seq"] for alert in webhook.alerts()] == [4, 5]


def test_alerts_that_a_receiver_never_takes_stand_in_no_ones_way(guardd, state, webhook):
    write_log(state, [line(seq) for seq in range(1, 4)])
    from_the_begin(state, "siem")
    webhook.answers = [413, 400]  # three, then one, which is passed over
    write_outputs(state, [hook(webhook, batch=3)])
    guardd.start()
    wait_for(lambda: cursor(state).get("sequence") == 3, "the cursor")
    wait_for(lambda: cursor(state).get("refused") == 1, "the count")
    assert len(webhook.alerts()) == 2 and '"alert-refused-by-output"' in guardd.log()


def test_a_bad_document_is_refused_with_its_place_and_the_last_good_one_stays(guardd, state, webhook):
    from_the_begin(state, "siem")
    write_outputs(state, [hook(webhook)])
    write_log(state, [line(1)])
    guardd.start()
    wait_for(lambda: len(webhook.alerts()) == 1, "the alert")
    (state / "outputs.yaml").write_text("apiVersion: guard/v1alpha1\nkind: Outputs\noutputs:\n  - {name: x, type: webhook}\n")
    wait_for(lambda: '"outputs-refused"' in guardd.log(), "the alarm")
    assert re.search(r"outputs\.yaml:4:5: url: is needed", guardd.log())
    from_the_begin(state, "other")
    write_outputs(state, [hook(webhook), hook(webhook, name="other")])
    wait_for(lambda: "2 in force" in guardd.log(), "the next good one")
    wait_for(lambda: len([post for post in webhook.taken() if post["body"]["output"] == "other"]) == 1, "its alert")
    assert len([post for post in webhook.taken() if post["body"]["output"] == "siem"]) == 1  # not again
    assert stat.S_IMODE((state / "outputs/siem.json").stat().st_mode) == 0o640


def test_files_are_rotated_and_hold_the_words_of_ecs(guardd, state, tmp_path):
    write_log(state, [line(seq, ids=[f"{i:032x}" for i in range(64)]) for seq in range(1, 700)])
    from_the_begin(state, "file")
    write_outputs(state, [{"name": "file", "type": "file", "path": str(tmp_path / "out.jsonl"), "maxMiB": 1}])
    guardd.start()
    wait_for(lambda: cursor(state, "file").get("sequence") == 699, "the cursor")
    files = sorted(tmp_path.glob("out.jsonl*"))
    assert len(files) >= 2
    sequences = sorted(json.loads(text)["seq"] for path in files for text in path.read_text().splitlines())
    assert sequences == list(range(1, 700))


def test_syslog_over_tcp_survives_the_end_of_the_connection(guardd, state):
    """Octets are counted; what the other side's kernel didn't acknowledge comes again over the next connection."""
    write_log(state, [line(seq, explanation=f'A "quoted" ] and \\ text {seq}') for seq in range(1, 4)])
    from_the_begin(state, "log")
    port = free_port()
    write_outputs(state, [{"name": "log", "type": "syslog", "address": f"tcp://127.0.0.1:{port}", "facility": "local4"}])
    guardd.start()
    wait_for(lambda: '"output-failing"' in guardd.log(), "the alarm")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(4)
        listener.settimeout(60)
        taken, _ = listener.accept()
        taken.settimeout(60)
        data = b""
        while data.count(b"guardd") < 3:
            data += taken.recv(65536)
        messages = []
        while data:
            length, _, data = data.partition(b" ")
            messages.append(data[:int(length)].decode())
            data = data[int(length):]
        assert len(messages) == 3
        form = (r'<164>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ guardd \d+ BLOCK '
                r'\[guard@32473( [a-z]+="([^"\\\]]|\\["\\\]])*")+\] \ufeffA "quoted" \] and \\ text \d')
        for message in messages:
            assert re.fullmatch(form, message), message
        wait_for(lambda: cursor(state, "log").get("sequence") == 3, "the cursor")
        taken.close()


def test_a_syslog_that_takes_nothing_and_a_pipe_are_told(guardd, state, tmp_path):
    """Nobody reads: guardd goes on, says so after its time, and sends all when somebody does."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(tmp_path / "log.sock"))
    receiver.settimeout(0.01)
    os.mkfifo(tmp_path / "pipe")
    write_log(state, [line(seq) for seq in range(1, 401)])
    from_the_begin(state, "log")
    from_the_begin(state, "pipe")
    write_outputs(state, [{"name": "log", "type": "syslog", "address": f"unix:{tmp_path}/log.sock"},
                          {"name": "pipe", "type": "file", "path": str(tmp_path / "pipe")}])
    guardd.start()
    wait_for(lambda: "pipe: not a regular file" in guardd.log(), "the alarm of the pipe")
    wait_for(lambda: "log.sock: takes nothing" in guardd.log(), "the alarm")
    found = set()

    def all_seen():
        try:
            while True:
                found.add(int(re.search(r' seq="(\d+)"', receiver.recv(65536).decode()).group(1)))
        except socket.timeout:
            return found == set(range(1, 401))
    wait_for(all_seen, lambda: f"all: {len(found)}")
    receiver.close()


RSYSLOG = """module(load="imudp") module(load="imtcp") module(load="imuxsock" SysSock.Use="off")
input(type="imudp" address="127.0.0.1" port="{udp}")
input(type="imtcp" address="127.0.0.1" port="{tcp}")
input(type="imuxsock" Socket="{folder}/log.sock" UseSpecialParser="off" ParseHostname="on")
template(name="all" type="string" string="%syslogfacility-text%.%syslogseverity-text% %app-name% %msgid% %structured-data% %msg%\\n")
action(type="omfile" file="{folder}/out.log" template="all")
"""


def test_rsyslog_reads_what_is_sent(guardd, state, tmp_path):
    program = "/usr/sbin/rsyslogd"
    if not pathlib.Path(program).exists():
        pytest.skip("rsyslogd isn't installed")
    folder = tmp_path / "rsyslog"
    folder.mkdir()
    ports = {"udp": free_port(), "tcp": free_port()}
    (folder / "rsyslog.conf").write_text(RSYSLOG.format(folder=folder, **ports))
    with open(folder / "messages", "wb") as out:
        process = subprocess.Popen([program, "-n", "-f", folder / "rsyslog.conf", "-i", folder / "pid"], stdout=out, stderr=out)
    try:
        wait_for(lambda: (folder / "log.sock").exists() or process.poll() is not None, "rsyslogd")
        assert process.poll() is None, (folder / "messages").read_text()
        outputs = []
        for name, address in (("udp", f"udp://127.0.0.1:{ports['udp']}"), ("tcp", f"tcp://127.0.0.1:{ports['tcp']}"),
                              ("local", f"unix:{folder}/log.sock")):
            outputs.append({"name": name, "type": "syslog", "address": address, "facility": f"local{len(outputs)}"})
            from_the_begin(state, name)
        write_log(state, [line(1, template='/a"b]c\\d'), line(2, action="alert")])
        write_outputs(state, outputs)
        guardd.start()

        def lines():
            return (folder / "out.log").read_text().splitlines()
        wait_for(lambda: len(lines()) >= 6, "six messages")
        for i in range(3):
            mine = [text for text in lines() if text.startswith(f"local{i}.")]
            assert len(mine) == 2, lines()
            assert re.match(rf'local{i}\.warning guardd BLOCK \[guard@32473 id="0{{31}}1" service="shop" .* template='
                            r'"/a\\"b\\\]c\\\\d"', mine[0]), mine[0]
            assert mine[1].startswith(f"local{i}.notice guardd ALERT [guard@32473 "), mine[1]
            assert 'rule="character"' in mine[0] and "never seen" in mine[0]
    finally:
        end_process(process)


def test_alertmanager_shows_one_alert_for_a_series_and_its_end(guardd, state, tmp_path):
    program = "/usr/bin/prometheus-alertmanager"
    if not pathlib.Path(program).exists():
        pytest.skip("prometheus-alertmanager isn't installed")
    port = free_port()
    (tmp_path / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    with open(tmp_path / "am.log", "wb") as out:
        process = subprocess.Popen([program, f"--config.file={tmp_path}/am.yml", f"--storage.path={tmp_path}/am",
                                    f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="], stdout=out, stderr=out)

    def shown():
        done = subprocess.run(["curl", "-sS", f"http://127.0.0.1:{port}/api/v2/alerts"], capture_output=True, timeout=60, check=True)
        return json.loads(done.stdout)
    try:
        wait_for(lambda: shown() == [] or process.poll() is not None, "Alertmanager")
        assert process.poll() is None, (tmp_path / "am.log").read_text()
        write_log(state, [line(1, series="a-1", count=1), line(2, series="b-1"),
                          line(3, series="a-1", count=41, total=42, state="more", since_ms=NOW + 1)])
        from_the_begin(state, "pager")
        write_outputs(state, [{"name": "pager", "type": "alertmanager", "url": f"http://127.0.0.1:{port}"}])
        guardd.start()
        wait_for(lambda: len(shown()) == 2, "the alerts")
        alert = next(alert for alert in shown() if alert["labels"]["series"] == "a-1")
        assert alert["labels"]["alertname"] == "GuardBlocked" and alert["labels"]["service"] == "shop"
        assert alert["annotations"]["total"] == "42" and "never seen" in alert["annotations"]["summary"]
        assert alert["startsAt"] == time.strftime("%Y-%m-%dT%H:%M:%S.001Z", time.gmtime(NOW // 1000)) and alert["status"]["state"] == "active"
        guardd.stop()
        with open(state / "alerts.jsonl", "a") as log:
            log.write(line(4, series="a-1", count=0, total=42, state="end", since_ms=NOW + 1))
        guardd.start()
        wait_for(lambda: [alert["labels"]["series"] for alert in shown()] == ["b-1"], "the end of the series")
    finally:
        end_process(process, signal.SIGTERM)


def command(state, *arguments):
    return subprocess.run([BIN / "guard", "outputs", *map(str, arguments), "--state", state], capture_output=True, text=True,
                          timeout=120, check=False)


def test_the_command_checks_lists_and_tests(guardd, state, webhook, tmp_path):
    done = command(state, "list")
    assert (done.returncode, done.stdout) == (0, "no outputs\n")
    assert command(state, "check").returncode == 1 and command(state, "no").returncode == 2
    write_outputs(state, [hook(webhook, secret_file(tmp_path), actions=["block"], services=["shop"], leastScore=2),
                          {"name": "gone", "type": "webhook", "url": f"http://127.0.0.1:{free_port()}/"}], fold=7)
    done = command(state, "check")
    assert (done.returncode, done.stdout) == (0, "2 outputs, repetitions are told every 7 s\n"), done.stderr
    bad = tmp_path / "bad.yaml"
    bad.write_text("apiVersion: guard/v1alpha1\nkind: Outputs\noutputs: [{name: x, type: syslog, address: 'udp://host:1'}]\n")
    done = command(state, "check", "--file", bad)
    assert done.returncode == 1 and re.search(r"bad\.yaml:3:\d+: address: must be udp://ADDRESS:PORT", done.stderr), done.stderr
    assert command(state, "test", "none").returncode == 1
    write_log(state, [line(1)])
    from_the_begin(state, "siem")
    guardd.start()
    done = command(state, "test", "siem")
    assert (done.returncode, done.stdout) == (0, "siem: the test has arrived\n"), done.stderr
    tests = [alert for alert in webhook.alerts() if alert["explanation"].startswith("a test of the output siem")]
    assert len(tests) == 1
    done = command(state, "test", "gone")
    assert done.returncode == 1 and "onnect" in done.stderr, done.stderr
    wait_for(lambda: "siem: webhook http://127.0.0.1" in (shown := command(state, "list").stdout) and "sent 1, waiting 0" in shown
             and "; only block shop score >= 2" in shown, lambda: command(state, "list").stdout)
    assert len([alert for alert in webhook.alerts() if alert.get("seq") == 1]) == 1  # the test moved no cursor
