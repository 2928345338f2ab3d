# SPDX-License-Identifier: Apache-2.0
"""What another mode or another budget would have blocked, by the alerts that are kept, as guardd's API tells it: counted over all rotated
files, of this service alone, and honest about what isn't known."""

import json
import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from talking import Api, curl, wait_for  # noqa: E402
from test_guardd import guard, guardd  # noqa: E402, F401

PATH = "/services/shop/preview"


@pytest.fixture
def api(guardd):
    for name in ("shop", "other"):
        guard(guardd.state, "mode", "alert", "--service", name, "--force")
    api = Api(guardd.state).ready()
    wait_for(lambda: all(curl(guardd.state, f"/services/{name}").status == 200 for name in ("shop", "other")), "the services")
    return api


def alert(i, age_ms, verdict="block", action="alert", service="shop", rule="character", score=9.0, count=1, **more):
    now = int(time.time() * 1000)
    return json.dumps({"time_ms": now - age_ms, "generation": 1, "status": 200, "score": score, "id": f"a{i}", "service": service,
                       "verdict": verdict, "action": action, "method": "GET", "template": "/a", "client": f"192.0.2.{i % 7}",
                       "explanation": f"BLOCK GET /a <b>{i}\u202e", "findings": [{
                           "part": "request", "location": "query", "name": "q", "rule": rule, "observed": "x", "expected": "y", "p": 1e-7, **more}],
                       "suppressed": 0, "count": count, "first_ms": now - age_ms, "last_ms": now - age_ms}, separators=(",", ":"), ensure_ascii=False) + "\n"


def write(guardd, name, lines):
    (guardd.state / name).write_text("".join(lines))


HOUR, DAY = 3_600_000, 86_400_000


def test_a_mode_is_counted_over_all_files_of_the_service(guardd, api):
    write(guardd, "alerts.jsonl.1", [alert(99, 9 * DAY), *(alert(i, 2 * DAY - i, count=2) for i in range(20))])
    write(guardd, "alerts.jsonl", [alert(i, HOUR - i, verdict="alert") for i in range(5)] +
          [alert(50, 1000, action="block"), alert(51, 900, service="other")])
    told = api.get(PATH + "?mode=block")
    assert told["would_block"] == {"least": 41, "most": 41, "clients_least": 7, "clients_most": 7}
    assert told["blocked"] == {"requests": 1, "clients": 1} and told["alerts"] == 46
    assert (told["mode"], told["now"]["mode"], told["alpha"]) == ("block", "alert", 0.0001)
    assert [one["id"] for one in told["examples"]][:2] == ["a50", "a19"] and len(told["examples"]) == 10
    # Nothing was learned: what isn't known is no number.
    assert told["exchanges"] is told["budget_per_day"] is told["clients"] is None and told["unknown"] == ["unlearned"]
    assert api.get(PATH + f"?mode=block&since={int(time.time() * 1000) - DAY}")["would_block"]["most"] == 1
    assert api.get(PATH + f"?mode=block&since={int(time.time() * 1000) - 20 * DAY}")["would_block"]["most"] == 42
    assert api.get(PATH)["would_block"]["most"] == 0  # as it is set: alert


def test_a_budget_has_bounds_and_says_what_it_cannot_know(guardd, api):
    write(guardd, "alerts.jsonl", [alert(1, 5000, score=4.5), alert(2, 4000, score=6.5), alert(3, 3000, score=1, rule="length", configured=True),
                                   alert(4, 2000, verdict="alert", score=3.5)])
    # Without a model a score is what it says: of 1e-6, 6 blocks.
    tighter = api.get(PATH + "?mode=block&alpha=0.000001")
    assert (tighter["would_block"]["least"], tighter["would_block"]["most"], "wider" in tighter["unknown"]) == (2, 2, False)
    wider = api.get(PATH + "?mode=block&alpha=0.001")
    assert (wider["would_block"]["least"], wider["would_block"]["most"], "wider" in wider["unknown"]) == (3, 4, True)
    guard(guardd.state, "mode", "observe", "--service", "shop")
    wait_for(lambda: "observed" in api.get(PATH + "?mode=block")["unknown"], "the mode")


def test_bad_parameters_roles_and_looks(guardd, api):
    write(guardd, "alerts.jsonl", [alert(1, 5000)])
    for query, field in [("mode=all", "mode"), ("alpha=1", "alpha"), ("alpha=1e-3x", "alpha"), ("alpha=nan", "alpha"), ("alpha=", "alpha"), ("since=-1", "since"), ("x=1", "x")]:
        api.problem(api.ask("GET", f"{PATH}?{query}"), 400, field)
    for role, status in (("viewer", 200), ("reporter", 403)):
        options = ["--service", "shop"] if role == "reporter" else []
        token = guard(guardd.state, "token", "add", role, "--role", role, *options).strip()
        assert api.ask("GET", PATH, headers=[f"Authorization: Bearer {token}"]).status == status
    assert any(json.loads(line)["what"].startswith("/services/shop/preview") for line in (guardd.state / "looks.jsonl").read_text().splitlines())


def test_damaged_and_large_logs_hold_nobody_up(guardd, api):
    lines = [alert(i, 4 * HOUR - i) for i in range(30_000)]  # some 13 MiB: more than one step
    write(guardd, "alerts.jsonl", ["{\"service\":\"shop\",\n", "\0" * 100 + "\n", *lines, "{\"service\":\"shop\",\"count\":\"x\",\"last_ms\":9\n"[:-1]])
    told = api.get(PATH + "?mode=block")
    assert told["would_block"]["most"] == 30_000 and told["would_block"]["clients_most"] == 7
