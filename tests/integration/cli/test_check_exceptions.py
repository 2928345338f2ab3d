# SPDX-License-Identifier: Apache-2.0
"""guard check judges with a Guardian's exceptions as gates do, by each exchange's own time."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from test_cli import guard, verdicts  # noqa: E402

DURING, AFTER = 1795000000, 1830000000  # 2026-11, 2027-12
GUARDIAN = """apiVersion: guard/v1alpha1
kind: Guardian
service: shop
control: {mode: block}
configured:
  endpoints:
    - path: /users/{}
      methods: [GET]
      parameters: [{in: query, name: username, characters: [lower]}, {in: query, name: sort, characters: [lower]}]
exceptions:
  - id: FP-1
    reason: a legacy client
    author: ann
    created: 2026-11-01
    expires: 2026-12-31
    scope: {endpoints: ["/users/{}"], in: [query], names: [username]}
"""


def exchange(query, time):
    return json.dumps({"time": time, "request": {"method": "GET", "target": f"/users/3?{query}", "headers": [["host", "x"]]}}) + "\n"


def test_what_is_covered_is_told_until_the_exception_ends(tmp_path):
    guardian, traffic = tmp_path / "shop.yaml", tmp_path / "ask.jsonl"
    guardian.write_text(GUARDIAN)
    traffic.write_text(exchange("username=a%3Db", DURING) + exchange("username=a%3Db", AFTER) + exchange("sort=a%3Db", DURING) +
                       exchange("username=a%3Db&sort=a%3Db", DURING) + exchange("username=ab", DURING))
    covered, late, other, both, usual = verdicts("--guardian", guardian, "--configured-only", traffic)
    assert covered["verdict"] == "alert" and covered["findings"][0]["exception"] == "FP-1"
    assert late["verdict"] == "block" and "exception" not in late["findings"][0]
    assert other["verdict"] == "block" and usual["verdict"] == "pass"
    assert both["verdict"] == "block" and both["findings"][0]["name"] == "sort", "what blocks stands first"
    guardian.write_text(GUARDIAN.replace("    expires: 2026-12-31\n", ""))
    assert "exceptions[0]" in guard("check", "--guardian", guardian, "--configured-only", traffic, status=1).err
