# SPDX-License-Identifier: Apache-2.0
"""Going back to what an older generation had learned: by people, and by guardd itself when a new one would block its old clients."""

import glob
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
from urllib.parse import quote

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN, wait_for  # noqa: E402
from test_guardd import GATE, Guardd, drive, gate, guard, guardd, wait_in_force  # noqa: E402, F401
from traffic import Shop  # noqa: E402

FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
NEW = "/users?username=tom%20or%201=1"  # what comes later; not what anybody ought to learn


def refused(state, *arguments):
    done = subprocess.run([BIN / "guard", *map(str, arguments), "--state", state], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def kept(guardd):
    return [generation["generation"] for generation in guardd.service().get("generations", [])]


def learn_until_ready(guardd, gate, shop):
    drive(gate.port, shop.many(2400))
    wait_for(lambda: guardd.service().get("ready"), "the service to be ready")
    wait_for(lambda: kept(guardd), "a generation that is kept")


def decisions(gate, shop, target):
    """What the gate thinks of a request, by the score that it logs."""
    return drive(gate.port, [shop.exchange("GET", target)])[0]


def test_people_go_back_and_forth(guardd, gate, tmp_path):
    shop = Shop(71)
    learn_until_ready(guardd, gate, shop)
    guard(guardd.state, "mode", "block", "--service", "shop")
    wait_for(lambda: guardd.service()["mode"] == "block", "mode block")
    wait_in_force(guardd, gate, shop)
    first = kept(guardd)[-1]
    assert decisions(gate, shop, NEW) == 403
    # It becomes normal: many clients, for long enough that epochs close. Blocked novelty still collects support.
    def learned():
        drive(gate.port, [shop.exchange("GET", NEW) if i % 3 == 0 else shop.benign() for i in range(720)])
        return decisions(gate, shop, NEW) == 200
    guard(guardd.state, "mode", "alert", "--service", "shop")
    wait_for(lambda: guardd.service()["mode"] == "alert", "mode alert")
    wait_for(lambda: drive(gate.port, [shop.exchange("GET", NEW)])[0] == 200, "the gate to let it pass")
    for _ in range(6):
        drive(gate.port, [shop.exchange("GET", NEW) if i % 3 == 0 else shop.benign() for i in range(720)])
    guard(guardd.state, "mode", "block", "--service", "shop")
    wait_for(lambda: guardd.service()["mode"] == "block", "mode block")
    wait_for(lambda: decisions(gate, shop, NEW) == 200 and learned(), "it to be normal")
    listed = guard(guardd.state, "rollback", "shop")
    assert str(first) in listed and "in force" not in listed

    before = guardd.service()["generation"]
    guard(guardd.state, "rollback", "shop", first, "--reason", "learned a mistake")
    wait_for(lambda: decisions(gate, shop, NEW) == 403, "the gate to know nothing of it any more")
    wait_for(lambda: guardd.service()["rolled_back_to"] == first, "the status to say so")  # written behind the policy
    assert guardd.service()["generation"] > before
    assert "in force" in guard(guardd.state, "rollback", "shop")
    # The Guardian of now holds, and learning goes on; a restart changes nothing.
    exchanges = guardd.service()["exchanges"]
    guardd.stop()
    guardd.start()
    drive(gate.port, shop.many(60))
    guardd.wait_exchanges(exchanges + 60)
    wait_for(lambda: guardd.service().get("rolled_back_to") == first, "the rollback after the restart")
    assert decisions(gate, shop, NEW) == 403

    guard(guardd.state, "rollback", "shop", "--end")
    wait_for(lambda: decisions(gate, shop, NEW) == 200, "what was learned last to be enforced again")
    audit = [json.loads(line) for line in (guardd.state / "audit.jsonl").read_text().splitlines()]
    assert [line["after"] for line in audit if line["action"] == "rollback"] == [str(first), "ended"]


def test_what_cant_be_followed_changes_nothing(guardd, gate):
    shop = Shop(72)
    learn_until_ready(guardd, gate, shop)
    assert "isn't kept" in refused(guardd.state, "rollback", "shop", 999999, "--reason", "x")
    assert "--reason" in refused(guardd.state, "rollback", "shop", kept(guardd)[0])
    assert "--for" in refused(guardd.state, "rollback", "shop", kept(guardd)[0], "--reason", "x", "--for", "31d")
    assert "no rollback" in refused(guardd.state, "rollback", "shop", "--end")
    assert "knows no service" in refused(guardd.state, "rollback", "till")
    document = guardd.state / "rollback" / "shop.json"
    for text, complaint in [("{", "shop.json:"), ('{"generation": 999999}', "isn't kept"), ('{"generation": "many"}', "must be a number"),
                            ('{"generation": [1]}', "must be a scalar"), ("[]", "must be an object"), ("x" * 20000, "shop.json")]:
        document.write_text(text)
        wait_for(lambda: any(complaint in line for line in guardd.log().splitlines() if "rollback-refused" in line), complaint)
    assert guardd.service()["rolled_back_to"] == 0
    document.write_text(json.dumps({"generation": kept(guardd)[0], "until_ms": 1}))
    wait_in_force(guardd, gate, shop)
    assert guardd.service()["rolled_back_to"] == 0 and guardd.process.poll() is None


def test_a_store_of_the_version_before_is_kept(guardd, gate):
    shop = Shop(73)
    drive(gate.port, shop.many(300))
    guardd.wait_exchanges(300)
    guardd.stop()
    with sqlite3.connect(guardd.state / "guard.db") as database:
        database.execute("DROP TABLE generation")
        database.execute("PRAGMA user_version=1")
    guardd.start()
    wait_for(lambda: guardd.service()["exchanges"] == 300, "what was learned")
    guardd.stop()
    with sqlite3.connect(guardd.state / "guard.db") as database:
        assert database.execute("PRAGMA user_version").fetchone() == (7,)
    assert "damaged" not in guardd.log()


# What no value was before, each of another kind: what all did once is soon normal.
STRANGE = ["tom' or '1'='1", "<script>alert(1)</script>", "../../../../etc/passwd", "${jndi:ldap://x.example/a}", "{{7*7}}", "tom;cat /etc/passwd",
           "*)(uid=*))(|(uid=*", '{"$gt": ""}', "<!DOCTYPE a SYSTEM 'http://x.example'>", "http://169.254.169.254/latest", "%n%n%s%s%x",
           "tom|id||whoami", "$(id)`id`", "\\\\x\\c$\\", "~^~^~^~^", "####!!!!####"]


class FastGuardd(Guardd):
    """Its clock runs so that an hour takes half a minute: clients are established only after one."""

    def start(self):
        before = self.started()
        with open(self.log_path, "ab") as log:
            # Not by faketime(1), which would stand between this process and guardd.
            self.process = subprocess.Popen([BIN / "guardd", "--state", self.state], stderr=log,
                                            env={**os.environ, "LD_PRELOAD": FAKETIME[0], "FAKETIME": "+0 x120"})
        wait_for(lambda: self.started() > before or self.process.poll() is not None, "guardd to start")
        assert self.process.poll() is None, self.log()
        return self


@pytest.mark.skipif(not FAKETIME or "LD_PRELOAD" in os.environ, reason="libfaketime isn't installed, or another library is preloaded")
def test_a_generation_that_would_block_established_clients_reverts_by_itself(tmp_path, nginx, fast_upstream):
    state = tmp_path / "state"
    state.mkdir()
    daemon = FastGuardd(state).start()
    try:
        (state / "guardians" / "shop.yaml").write_text(
            "apiVersion: guard/v1alpha1\nkind: Guardian\nservice: shop\ncontrol: {mode: alert, falseAlarmBudget: 0.001}\n")
        front = nginx(GATE.replace("{state}", str(state)).replace("{back}", str(fast_upstream.port)))
        shop = Shop(74, clients=80)
        everybody = 80
        strange = iter(STRANGE)

        def established():
            drive(front.port, [shop.benign() for _ in range(2 * everybody)], clients=everybody)
            first = daemon.service().get("generations", [])[:1]
            return first and daemon.status()["time_ms"] - first[0]["created_ms"] > 3700 * 1000

        wait_for(established, "clients that have been served for an hour of guardd's", timeout=240)

        def reverted():
            generation = daemon.service()["generation"]
            drive(front.port, [shop.benign() for _ in range(2 * everybody)], clients=everybody)
            if "generation-reverted" in daemon.log():
                return True
            if daemon.service()["generation"] == generation or len(kept(daemon)) < 2:
                return False
            # Not before it has settled: 15 s of guardd's.
            published = daemon.service()["generations"][-1]["created_ms"]
            wait_for(lambda: daemon.status()["time_ms"] - published > 20_000, "the generation to settle")
            value = quote(next(strange), safe="")
            # All at once do something new, another thing each time: a release that nobody told of.
            drive(front.port, [shop.exchange("GET", f"/users?username={value}") for _ in range(everybody)], clients=everybody)
            return "generation-reverted" in daemon.log()

        wait_for(reverted, "the breaker", timeout=240)
        wait_for(lambda: daemon.service()["rolled_back_to"] > 0, "the rollback")
        said = json.loads((state / "rollback" / "shop.json").read_text())
        assert said["by"] == "guardd" and "established clients" in said["reason"]
        assert said["generation"] == daemon.service()["rolled_back_to"] in kept(daemon)
        assert "by guardd" in guard(state, "rollback", "shop")
        guard(state, "rollback", "shop", "--end")
        wait_for(lambda: daemon.service()["rolled_back_to"] == 0, "its end")
    finally:
        daemon.stop()
