# SPDX-License-Identifier: Apache-2.0
"""What a Guardian says a response must be holds at the gate: replaced while it is held, cut when it is under way, only told in the
other modes; per endpoint, and for every response of the service. Nothing is learned here."""

import functools
import subprocess

import pytest

from harness import BIN, wait_for

from .conftest import HELD
from .service import Service, body_of
from .test_responses import assert_replaced, fetch

GUARDIAN = """
service: svc
control: {mode: MODE}
configured:
  endpoints:
    - path: /strict/{*}
      response:
        statuses: [200, 404]
        contentTypes: [application/json]
        maxBody: 1000
        closed: true
        parameters:
          - {in: json, name: q, types: [text], required: true}
          - {in: json, name: fill}
          - {in: header, name: cache-control, values: [no-cache]}
        failures: {contentTypes: [application/problem+json], maxBody: 200}
    - path: /shut/{*}
      response: {closed: true, parameters: [{in: json, name: fill}]}
    - path: /vault/{*}
      response: {leaks: {allowed: [password-file]}}
    - path: /small/{*}
      response: {maxBody: 100000}
  response:
    contentTypes: [application/json, text/html]
    leaks: {forbidden: [password-file]}
    parameters: [{in: header, name: x-powered-by, forbidden: true}]
"""

SERVERS = """
    proxy_http_version 1.1;
    server {
        listen 127.0.0.1:{port};
        location / { proxy_pass http://{service}; }
        location /small/ { guard_response_hold 4k 60s; proxy_pass http://{service}; }
    }
"""

PROBLEM = "type=application/problem%2Bjson"

GOOD = ["/strict/a?size=900", f"/strict/a?status=404&{PROBLEM}", "/vault/a?bad=start", "/vault/a?bad=end&size=30000", "/a?status=500",
        "/shut/a?size=3&type=application/json", "/shut/a?status=404", "/a?size=5000&type=text/html"]
# What violates, and by which rule, at which name.
BAD_ONES = {
    "/strict/a?status=202": ("status", ""),
    f"/strict/a?status=500&{PROBLEM}": ("status", ""),
    "/strict/a?type=text/html": ("content-type", ""),
    "/strict/a?status=404": ("content-type", ""),
    f"/strict/a?status=404&size=300&{PROBLEM}": ("size", ""),
    "/strict/a?size=1500": ("size", ""),
    "/strict/a?size=30000": ("size-far", ""),
    "/strict/a?size=3": ("missing", "q"),
    "/strict/a?cache=public": ("literal", "cache-control"),
    "/shut/a?size=100": ("name", "q"),
    "/strict/a?bad=start": ("leak", ""),
    "/a?bad=start": ("leak", ""),
    "/a?type=text/csv": ("content-type", ""),
    "/vault/a?type=text/csv": ("content-type", ""),
    "/a?bad=end&size=30000&status=404": ("leak", ""),
    "/vault/a?header=X-Powered-By:x": ("name", "x-powered-by"),
    "/a?header=X-Powered-By:x&status=500": ("name", "x-powered-by"),
}


@pytest.fixture
def service():
    server = Service()
    yield server
    server.close()


@pytest.fixture
def front(gate, service, state, tmp_path):
    """The gate before the service, with a policy of the Guardian alone, compiled by hand."""
    def make(mode="block"):
        guardian, key, policy = tmp_path / "svc.yaml", tmp_path / "policy.key", tmp_path / "svc.policy"
        guardian.write_text(GUARDIAN.replace("MODE", mode))
        for arguments in (["--output", key, "key"],
                          ["--guardian", guardian, "--configured-only", "--key", key, "--output", policy, "compile"]):
            subprocess.run([BIN / "guard", "policy", *arguments], check=True, timeout=120)
        state.key.write_bytes((tmp_path / "policy.key.pub").read_bytes())
        state.publish(policy.read_bytes())
        return gate(SERVERS.replace("{service}", f"127.0.0.1:{service.port}"), http=HELD, publish=False)
    return make


def findings(state):
    return [finding for alert in state.alerts() for finding in alert["findings"]]


def says(state, rule, name):
    """An alert has this finding, of the response and of a person."""
    return any((finding["part"], finding["rule"], finding["name"], finding["configured"]) == ("response", rule, name, True)
               for finding in findings(state))


def body_wanted(target):
    return body_of(target.partition("?")[2])


def test_what_is_allowed_passes(front, state):
    instance = front()
    for target in GOOD:
        answer = instance.curl(target)
        assert answer.body == body_wanted(target), target
        assert "x-guard-id" not in answer.headers, target
    assert state.alerts() == []


@pytest.mark.parametrize("target", BAD_ONES)
def test_what_violates_is_replaced(front, state, target):
    instance = front()
    assert_replaced(instance.curl(target))
    wait_for(lambda: says(state, *BAD_ONES[target]), "an alert that names it")
    alert, = state.alerts()
    assert alert["action"] == "block"
    assert "response" in alert["explanation"] and "(configured)" in alert["explanation"]


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_under_way_it_is_cut(front, framing):
    instance = front()
    good = f"/small/a?size=90000&framing={framing}"
    assert fetch(instance, good) == (200, body_wanted(good), True)
    status, body, whole = fetch(instance, f"/small/a?size=200000&framing={framing}")
    assert (status, whole) == (200, False)
    assert len(body) < 200000


@pytest.mark.parametrize("mode", ["alert", "observe"])
def test_other_modes_only_say_it(front, state, mode):
    instance = front(mode)
    # Each from a client of its own: of one client only so many alerts are told at once.
    for number, (target, (rule, name)) in enumerate(BAD_ONES.items()):
        answer = instance.curl(target, "--interface", f"127.0.0.{2 + number}")
        assert answer.body == body_wanted(target), target
        if mode == "alert":
            wait_for(functools.partial(says, state, rule, name), f"an alert on {target}")
    if mode == "alert":
        assert {alert["action"] for alert in state.alerts()} == {"alert"}
        assert {alert["verdict"] for alert in state.alerts()} == {"block"}
    # Recorded as what would have been blocked, whatever the mode.
    wait_for(lambda: len(state.heads()) >= len(BAD_ONES), "records of all")
    assert {head["decision"] for head in state.heads()} == {"block"}
