# SPDX-License-Identifier: Apache-2.0
"""`guard run` beside an application in its pod: further ports, a probe of which nothing is a client's, a Guardian from a file that is
replaced, an end that goes on for a while."""

import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN, Handler, Server, end_process, free_port, wait_for  # noqa: E402

GUARDIAN = """apiVersion: guard/v1alpha1
kind: Guardian
service: {service}
control: {{mode: block}}
configured:
  endpoints:
  - path: /users
    parameters: [{{in: query, name: {name}, characters: [lower]}}]
"""


def ask(port, target, method="GET", headers=None, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, target, headers=headers or {}, body=body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class App(Server):
    def prepare(self):
        self.probes = []


class Answer(Handler):
    def do_GET(self):
        if "health" in self.path or self.path.startswith("/.guard"):
            self.server.probes.append((self.command, self.path, dict(self.headers)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET


class Sidecar:
    def __init__(self, folder, *options):
        self.app, self.port, self.second = App(Answer), free_port(), free_port()
        self.guardian = folder / "guardian.yaml"
        self.guardian.write_text(GUARDIAN.format(service="shop", name="first"))
        upstream = f"http://127.0.0.1:{self.app.port}"
        self.log = folder / "log"
        self.process = subprocess.Popen(
            [BIN / "guard", "run", "--upstream", upstream, "--listen", f"127.0.0.1:{self.port}", "--also",
             f"127.0.0.1:{self.second}={upstream}", "--service", "shop", "--workers", "1", "--state", folder / "state", "--guardian",
             self.guardian, "--probe", "/healthz", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.log.open("w"), text=True)
        assert self.process.stdout.readline().startswith("guard: listening"), self.log.read_text()

    def stop(self):
        end_process(self.process)
        self.app.close()


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="guard-test.") as path:
        os.chmod(path, 0o711)
        yield pathlib.Path(path)


@pytest.fixture
def sidecar(folder):
    made = Sidecar(folder, "--drain", "2s")
    yield made
    made.stop()


def blocked(port, name):
    return ask(port, f"/users?{name}=1+or+1")[0] == 403


def test_both_ports_are_guarded_and_a_new_guardian_is_taken(sidecar):
    wait_for(lambda: blocked(sidecar.port, "first"), "the Guardian to be in force")
    assert blocked(sidecar.second, "first") and ask(sidecar.second, "/users?first=tom")[0] == 200
    # What is no Guardian leaves the last one in force.
    other = sidecar.guardian.with_suffix(".new")
    other.write_text(GUARDIAN.format(service="others", name="second"))
    other.rename(sidecar.guardian)
    wait_for(lambda: "guardian-refused" in sidecar.log.read_text(), "the refusal")
    assert blocked(sidecar.port, "first")
    other.write_text(GUARDIAN.format(service="shop", name="second"))
    other.rename(sidecar.guardian)
    wait_for(lambda: blocked(sidecar.port, "second"), "the second Guardian to be in force")
    assert ask(sidecar.port, "/users?first=1+or+1")[0] == 200


def test_the_probe_brings_nothing_of_the_client_to_the_service(sidecar):
    assert ask(sidecar.port, "/.guard/probe?x=1", headers={"X-Evil": "1", "Cookie": "a=b"})[0] == 200
    probe = sidecar.app.probes[-1]
    assert probe[0] == "GET" and probe[1] == "/healthz"
    assert not {"x-evil", "cookie"} & {name.lower() for name in probe[2]}
    assert ask(sidecar.port, "/.guard/probe", "POST", body="x")[0] == 403
    assert len(sidecar.app.probes) == 1
    assert ask(sidecar.port, "/.guard/ready")[0] == 200 and len(sidecar.app.probes) == 1  # the gate's own


def test_its_pod_is_watched_where_that_is_asked_for(folder):
    made = Sidecar(folder, "--pod-sensor", "namespace=prod,workload=web,service=shop,pod=web-1,container=app")
    try:
        assert ask(made.port, "/users?first=tom")[0] == 200

        def workloads():
            services = json.loads((folder / "state" / "status.json").read_text())["services"]
            return [(workload["workload"], workload["live_count"]) for service in services for workload in service.get("pods", [])]

        wait_for(lambda: workloads() == [("web", 1)], "a record of the pod to be learned", 60)
    finally:
        made.stop()


def test_after_the_signal_it_goes_on_for_a_while_and_then_ends(folder):
    made = Sidecar(folder, "--drain", "10s")  # a machine may stand still for a part of it
    try:
        made.process.send_signal(signal.SIGTERM)
        assert ask(made.port, "/still")[0] == 200
        assert made.process.wait(timeout=120) == 0
    finally:
        made.stop()


def test_after_the_signal_who_kept_a_connection_is_told_to_leave_it(folder):
    """Else the last request into it would meet one that is just being closed."""
    sidecar = Sidecar(folder, "--drain", "1m")
    kept = http.client.HTTPConnection("127.0.0.1", sidecar.port, timeout=30)

    def kept_on():
        kept.request("GET", "/still")
        answer = kept.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok")
        return answer.headers.get("Connection") != "close"
    try:
        assert kept_on() and kept_on()
        sidecar.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not kept_on(), "the connection to be given up")
        assert ask(sidecar.port, "/.guard/ready") == (503, "draining\n") and ask(sidecar.port, "/still")[0] == 200
        sidecar.process.send_signal(signal.SIGTERM)  # at once
        assert sidecar.process.wait(timeout=120) == 0 and not (folder / "state/draining").exists()
    finally:
        kept.close()
        sidecar.stop()


@pytest.mark.parametrize("options,why", [
    (["--also", "x"], "--also is LISTEN=http://host:port"),
    (["--also", "127.0.0.1:1=http://a;b"], "--also is LISTEN=http://host:port"),
    (["--drain", "x"], "--drain is a time"),
    (["--probe", "/a b"], "--probe is a path"),
    (["--probe", "/a;}"], "--probe is a path"),
    (["--policy-key", "x"], "go with --parent"),
    (["--parent", "https://x"], "--parent needs --policy-key"),
    (["--parent", "https://x", "--policy-key", "k", "--mode", "block"], "the mode is the parent's"),
])
def test_what_makes_no_sense_is_refused_before_anything_starts(folder, options, why):
    done = subprocess.run([BIN / "guard", "run", "--upstream", "http://127.0.0.1:9", "--state", folder / "state", *options],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and why in done.stderr, done.stderr
    assert not (folder / "state" / "guard.db").exists()
