# SPDX-License-Identifier: Apache-2.0
"""`guard --server`: the same verbs by guardd's API, with the same words as on files."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from talking import Api, wait_for  # noqa: E402
from test_guardd import BIN, GATE, Guardd, drive, gate, guard, guardd, wait_in_force  # noqa: E402, F401
from test_api_reading import learn  # noqa: E402
from traffic import Shop  # noqa: E402


@pytest.fixture
def api(guardd):
    return Api(guardd.state).ready()


def run(guardd, *arguments, status=0, env=None, server=True):
    """Where no state directory is: nothing can come from files."""
    more = ["--server", f"unix:{guardd.state}/api.sock"] if server else []
    done = subprocess.run([BIN / "guard", *map(str, arguments), *more], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "GUARD_STATE": "/nonexistent", **(env or {})})
    assert done.returncode == status, (done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr


def test_verbs_say_the_same_as_on_files(guardd, gate, api):
    learn(guardd, gate, Shop(701))
    kept = wait_for(lambda: api.get("/services/shop/generations")["generations"], "a generation that is kept")[0]["generation"]
    assert run(guardd, "mode", "--service", "shop") == guard(guardd.state, "mode", "--service", "shop") == "alert\n"
    assert run(guardd, "mode", "block", "--service", "shop", "--reason", "a \"b\"") == "shop: alert -> block\n"
    wait_for(lambda: run(guardd, "mode", "--service", "shop") == "block\n", "the mode")
    assert run(guardd, "bypass", "shop", "--for", "30m", "--reason", "incident") == "shop: nothing is blocked for 1800 s\n"
    wait_for(lambda: guardd.service()["mode"] == "block", "the status to say so")

    def alike(*verb):
        """Numbers that move on by themselves aside."""
        texts = [re.sub(r"[0-9]+", "N", text) for text in (run(guardd, *verb), guard(guardd.state, *verb))]
        return texts[0] == texts[1]
    wait_for(lambda: alike("status"), "the same status")
    assert "BYPASSED" in run(guardd, "status") and "shop: mode block" in run(guardd, "status")
    assert json.loads(run(guardd, "status", "--format", "json"))["services"][0]["service"] == "shop"
    assert run(guardd, "bypass", "shop", "--end") == "shop: no bypass\n"
    assert "BYPASSED" not in guard(guardd.state, "status")
    assert "is enforced, under a new number" in run(guardd, "rollback", "shop", kept, "--for", "1h", "--reason", "a mistake")
    wait_for(lambda: "in force" in run(guardd, "rollback", "shop"), "the rollback")
    wait_for(lambda: alike("rollback", "shop"), "the same list")
    assert "a mistake" in run(guardd, "rollback", "shop")
    assert run(guardd, "rollback", "shop", "--end") == "shop: what was learned last is enforced\n"
    lines = [json.loads(line) for line in (guardd.state / "audit.jsonl").read_text().splitlines()]
    user = json.loads(json.dumps(lines[0]["by"]))
    assert [(line["action"], line["via"], line["by"]) for line in lines] == [
        (action, "api", user) for action in ("mode", "bypass", "bypass", "rollback", "rollback")]
    guard(guardd.state, "mode", "alert", "--service", "shop")
    assert json.loads((guardd.state / "audit.jsonl").read_text().splitlines()[-1])["by"] == user
    server = {"GUARD_SERVER": f"unix:{guardd.state}/api.sock"}
    wait_for(lambda: run(guardd, "mode", "--service", "shop", env=server, server=False) == "alert\n", "the variable to count")


def test_what_goes_wrong_is_said(guardd, api, tmp_path):
    assert "no service of this name" in run(guardd, "mode", "block", "--service", "shop", status=1)
    assert "no service of this name" in run(guardd, "rollback", "shop", status=1)
    assert "--reason is needed" in run(guardd, "bypass", "shop", "--for", "1m", status=2)
    assert "a service's name" in run(guardd, "mode", "--service", "../x", status=1)
    for server, status in (("unix:", 2), ("http://x", 2), ("unix:/nonexistent/api.sock", 1), (f"unix:{tmp_path}", 1)):
        run(guardd, "status", "--server", server, status=status, server=False)
    guardd.stop()
    assert "does guardd run?" in run(guardd, "status", status=1)
