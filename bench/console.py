#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The console and guardd's API under much: 500 services with a day of traffic and 100,000 alerts, in real guardd, nginx and Chromium.

usage: bench/console.py [--alerts N] [--services N] [--store postgresql] [--api-only | --browser-only | --first-only]

Prints how long pages of the API take, what the first view is made of and takes, and how long the browser takes from an input to the
paint. The figures of docs/guide/console.md.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))
from harness import BIN, BUILD, MODULE, end_process, free_port, wait_for  # noqa: E402
from postgres import Postgres, missing  # noqa: E402

NOW_MS = int(time.time() * 1000)


def write_alerts(path, count, services):
    """As guardd writes them, the oldest first, in two files as after a rotation."""
    for name, numbers in ((f"{path}.1", range(count // 2)), (path, range(count // 2, count))):
        with open(name, "w", encoding="utf-8") as log:
            for i in numbers:
                at = NOW_MS - (count - i) * 400
                finding = {"part": "request", "location": "query", "name": "username", "rule": "character", "observed": "=",
                           "expected": "letters and digits, 2..24 bytes", "p": 0.0003}
                log.write(json.dumps({
                    "time_ms": at, "generation": 7, "status": 403, "score": 9.5, "id": f"{i:032x}", "service": f"service-{i % services:03d}",
                    "verdict": "block", "action": "block" if i % 7 else "alert", "method": "GET", "template": "/users",
                    "client": f"10.{i % 200}.{i % 7}.0/24", "explanation": 'param username: character "=" never seen in 2,487 values',
                    "findings": [finding], "suppressed": 0, "count": 1 + i % 3, "first_ms": at, "last_ms": at, "seq": i + 1},
                    separators=(",", ":")) + "\n")


def write_services(state, count):
    (state / "guardians").mkdir(parents=True)
    for i in range(count):
        name = f"service-{i:03d}"
        mode = ("block", "alert", "observe")[i % 3]
        (state / "guardians" / f"{name}.yaml").write_text(
            f"apiVersion: guard/v1alpha1\nkind: Guardian\nservice: {name}\ncontrol: {{mode: {mode}}}\n", encoding="utf-8")


MINUTE = NOW_MS // 60000 * 60
COUNTS = bytes([1, 90, 4, 1, 0, 0, 80, 5, 7, 3, 1, 2, 4, 9, 20, 30, 20, 5, 3, 1, 0, 0, 95]) + bytes([0x80, 0x80, 0x40])


def fill_history(state, postgres, services):
    """A day of each service by the minute."""
    if postgres is None:
        rows = ((f"service-{i:03d}", MINUTE - 60 * k, COUNTS) for i in range(services) for k in range(1440))
        with sqlite3.connect(state / "guard.db") as database:
            database.executemany("INSERT OR IGNORE INTO history (service, node, at, counts) VALUES (?, '', ?, ?)", rows)
        database.close()
        return
    postgres.query("INSERT INTO guard.history (service, node, at, counts) SELECT 'service-' || lpad(i::text, 3, '0'), 'bench', "
                   f"{MINUTE} - 60 * k, '\\x{COUNTS.hex()}'::bytea FROM generate_series(0, {services - 1}) i, generate_series(0, 1439) k")


def ask(state, path):
    """Milliseconds, as curl measures them, and the answer."""
    done = subprocess.run(["curl", "-sS", "--unix-socket", state / "api.sock", "-w", "\n%{time_total}", f"http://guardd/api/v1{path}"],
                          capture_output=True, text=True, check=True)
    body, _, seconds = done.stdout.rpartition("\n")
    return float(seconds) * 1000, json.loads(body)


def measure_api(state, alerts):
    def say(what, path, times=15):
        taken = sorted(ask(state, path)[0] for _ in range(times))
        print(f"api: {what}: {taken[len(taken) // 2]:.1f} ms (at most {taken[-1]:.1f})")
    say("newest 100 alerts", "/alerts?limit=100")
    cursor = ""
    for _ in range(alerts // 200):
        cursor = "&cursor=" + ask(state, f"/alerts?limit=100{cursor}")[1]["next"]
    say(f"100 alerts behind {alerts // 2}", f"/alerts?limit=100{cursor}")
    say("one alert by its id, the oldest", f"/alerts/{0:032x}")
    say("the index of all alerts", "/alerts/index", 5)
    say("the index of one service's", "/alerts/index?service=service-007", 5)
    say("100 alerts of one service", "/alerts?limit=100&service=service-007")
    say("a filter that nothing meets", "/alerts?limit=100&client=192.0.2.1")
    say("100 services", "/services?limit=100")
    say("a day of one service by five minutes", "/services/service-007/history")
    say("the same by the minute", f"/services/service-007/history?step=60&since={NOW_MS - 80000000}")


def drive_browser(script, state, console, alerts, services):
    name = pathlib.Path(script).stem
    token = subprocess.run([BIN / "guard", "token", "add", f"bench-{name}", "--role", "operator", "--state", state], capture_output=True, text=True,
                           check=True).stdout.strip()
    with subprocess.Popen(["node", ROOT / "ui/e2e" / script], cwd=ROOT / "ui", start_new_session=True,
                          env={**os.environ, "CONSOLE": f"http://{console}", "OPERATOR": token, "ALERTS": str(alerts), "SERVICES": str(services),
                               "STATE": str(state)}) as browser:
        try:
            if browser.wait(timeout=600) != 0:
                raise RuntimeError(f"ui/e2e/{script} failed")
        finally:
            if browser.poll() is None:
                os.killpg(browser.pid, signal.SIGKILL)  # the browser with it


def run(alerts, services, measure, postgres=None):
    """measure: of "api", "first" and "browser" what is wanted."""
    with tempfile.TemporaryDirectory(prefix="guard-console.") as folder:
        os.chmod(folder, 0o711)
        state = pathlib.Path(folder) / "state"
        write_services(state, services)
        write_alerts(state / "alerts.jsonl", alerts, services)
        log = open(pathlib.Path(folder) / "log", "wb")
        console, listen = (f"127.0.0.1:{free_port()}" for _ in range(2))
        store = ["--store", postgres.url] if postgres else []
        command = ([BIN / "guard", "run", "--upstream", "http://127.0.0.1:9", "--listen", listen, "--state", state, "--workers", "1",
                    "--console", console, "--console-files", BUILD / "console"] if {"first", "browser"}.intersection(measure) else
                   [BIN / "guardd", "--state", state, *store])
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "GUARD_MODULE": str(MODULE)})
        try:
            wait_for(lambda: ask(state, "/services?limit=1")[1]["total"] >= services, "the services", 300)
            fill_history(state, postgres, services)
            if "api" in measure:
                measure_api(state, alerts)
            for what, script in (("first", "first.mjs"), ("browser", "scale.mjs")):
                if what in measure:
                    drive_browser(script, state, console, alerts, services)
        finally:
            end_process(process)
            log.close()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends, too
    parser = argparse.ArgumentParser()
    parser.add_argument("--alerts", type=int, default=100000)
    parser.add_argument("--services", type=int, default=500)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--api-only", action="store_true")
    parser.add_argument("--browser-only", action="store_true")
    parser.add_argument("--first-only", action="store_true")
    options = parser.parse_args()
    if options.store == "postgresql" and missing():
        sys.exit(missing())
    print(f"load {os.getloadavg()[0]:.1f}, {options.alerts} alerts, {options.services} services, {options.store}", flush=True)
    measure = set() if options.browser_only or options.first_only else {"api"}
    if options.store == "sqlite" and not options.api_only and shutil.which("chromium"):
        measure |= {"first"} if options.first_only else {"first", "browser"}
    postgres = Postgres().start() if options.store == "postgresql" else None
    try:
        run(options.alerts, options.services, measure, postgres)
    finally:
        if postgres:
            postgres.close()
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
