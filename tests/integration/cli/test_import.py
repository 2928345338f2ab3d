# SPDX-License-Identifier: Apache-2.0
"""A Guardian object of Knative becomes a Guardian that the other commands judge by."""
import json
import subprocess

import pytest

from harness import BIN

OBJECT = """\
apiVersion: guard.security.knative.dev/v1alpha1
kind: Guardian
metadata: {name: payments, namespace: default}
spec:
  control: {alert: true, auto: false, block: true, learn: true}
  configured:
    active: true
    req:
      proto: {set: ["HTTP/1.1"]}
      headers: {kv: {vals: {X-Tenant: {letters: [{min: 1, max: 8}]}}}}
      qs: {kv: {vals: {user: {letters: [{min: 0, max: 12}]}}, otherVals: null, otherKeynames: null}}
    resp: {contentlength: [{min: 0, max: 4}]}
"""


@pytest.fixture
def knative(tmp_path):
    path = tmp_path / "object.yaml"
    path.write_text(OBJECT)
    return path


def verdict(guardian, folder, target, headers=(), body="ok"):
    line = {"request": {"method": "GET", "target": target, "headers": [["host", "a"], *headers]},
            "response": {"status": 200, "headers": [["content-type", "text/plain"]], "body": body}}
    traffic = folder / "traffic.jsonl"
    traffic.write_text(json.dumps(line) + "\n")
    out = subprocess.run([f"{BIN}/guard", "check", "--guardian", guardian, "--configured-only", "--format", "jsonl", traffic],
                         capture_output=True, text=True, check=True).stdout
    return json.loads(out)


def test_a_knative_guardian_judges_as_it_did(knative, tmp_path):
    out = tmp_path / "payments.yaml"
    done = subprocess.run([f"{BIN}/guard", "import", "knative", knative, "--path", "/pay", "-o", out], capture_output=True, text=True, check=True)
    assert f"{knative}:9:14: left out: spec.configured.req.proto: " in done.stderr
    assert done.stderr.endswith(" left out\n") and done.stdout == ""
    assert verdict(out, tmp_path, "/pay?user=tom", [["x-tenant", "acme"]])["verdict"] == "pass"
    for target, headers, body, name in [("/pay?user=tom%20or%201", [], "ok", "user"), ("/pay?usr=tom", [], "ok", "usr"),
                                        ("/pay?user=averyveryverylongname", [], "ok", "user"), ("/pay", [["x-tenant", "a;b"]], "ok", "x-tenant"),
                                        ("/pay", [], "x" * 16, "")]:
        line = verdict(out, tmp_path, target, headers, body)
        assert line["verdict"] == "block" and line["findings"][0]["name"] == name, (target, line)


def test_an_object_that_is_none_is_refused_and_nothing_written(knative, tmp_path):
    out = tmp_path / "out.yaml"
    knative.write_text(OBJECT.replace("letters: [{min: 1, max: 8}]", "letters: [many]"))
    done = subprocess.run([f"{BIN}/guard", "import", "knative", knative, "-o", out], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and f"{knative}:10:" in done.stderr and "letters" in done.stderr
    assert not out.exists()
    done = subprocess.run([f"{BIN}/guard", "import", "other", knative], capture_output=True, text=True, check=False)
    assert done.returncode == 2
