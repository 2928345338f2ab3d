# SPDX-License-Identifier: Apache-2.0
"""The gate's fixtures, and what operators see: the status page and the access log."""

import pytest

from gate.conftest import gate, gate_tool, make_policy, state  # noqa: F401 - fixtures

STATUS = "location = /guard { guard_status; }"


class Status:
    """What guard_status tells of a service."""

    def __init__(self, answer, service):
        self.all = answer.json()
        self.service = next(entry for entry in self.all["services"] if entry["service"] == service)

    def __getitem__(self, name):
        return self.service["counts"][name]


def status_of(nginx, service="svc", path="/guard", port="port"):
    answer = nginx.curl(path, port=port)
    assert answer.status == 200, answer.body
    return Status(answer, service)


@pytest.fixture(autouse=True)
def nothing_alarming(request, tmp_path):
    """nginx says "alert" when it finds its own bookkeeping hurt: counts of requests, leaked connections."""
    yield
    for log in tmp_path.rglob("error.log"):
        text = log.read_text(errors="replace")
        allowed = request.node.get_closest_marker("dies") is not None
        bad = [line for line in text.splitlines() if "[alert]" in line or "[emerg]" in line or "[crit]" in line]
        assert allowed or not bad, "\n".join(bad)
