# SPDX-License-Identifier: Apache-2.0
"""The web console as an operator uses it: headless Chromium, nginx, guardd, and the demo's service with its traffic and attacks, all
started by `make run`. What happens in the browser is said in ui/e2e."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

from harness import BIN, BUILD, ROOT, curl, end_process, free_port, wait_for

sys.path.insert(0, str(ROOT / "tests/integration/pods"))
from test_pod_learning import Sensors, pod_writer  # noqa: E402, F401

UI = ROOT / "ui"
LOG_LINES = 12
CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
       "form-action 'none'; frame-ancestors 'none'")


def missing():
    if not (BUILD / "console/index.html").exists():
        return "the console isn't built: make ui"
    if not (UI / "node_modules/playwright-core").exists():
        return "the packages of ui/ aren't there: tools/ui.sh check"
    if shutil.which("chromium") is None or shutil.which("node") is None:
        return "chromium or node isn't there"
    return None


pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def programs(folder):
    """Those of the build, but that guardd gives orders to replace pods: `guard run` has no option for it."""
    bin_folder = os.path.join(folder, "bin")
    os.mkdir(bin_folder)
    for name in ("console", "modules"):
        os.symlink(BUILD / name, os.path.join(folder, name))
    for path in BIN.iterdir():
        if path.name not in ("guard", "guardd"):
            os.symlink(path, os.path.join(bin_folder, path.name))
    shutil.copy(BIN / "guard", bin_folder)  # it looks for the others beside itself
    wrapper = os.path.join(bin_folder, "guardd")
    with open(wrapper, "w", encoding="utf-8") as script:
        script.write(f'#!/bin/sh\nexec "{BIN}/guardd" --pod-orders act "$@"\n')
    os.chmod(wrapper, 0o755)
    return bin_folder


class Demo:
    """`make run`, until it has learned and blocks."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.state = os.path.join(folder, "state")
        self.writer = ""  # of records of pods
        self.gate = f"http://127.0.0.1:{free_port()}"
        self.console = f"http://127.0.0.1:{free_port()}"
        self.output = os.path.join(folder, "output")
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen([ROOT / "tools/run.sh"], env={
                **os.environ, "TMPDIR": folder, "BIN": programs(folder), "GUARD_BUILD": str(BUILD), "SEED": "0", "STATE": self.state, "LISTEN": self.gate[7:],
                "CONSOLE": self.console[7:], "LEARN_SECONDS": "600"}, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        wait_for(lambda: "Guard keeps running" in self.text() or self.process.poll() is not None, "the demo", 700)
        assert self.process.poll() is None and "FAIL" not in self.text(), self.text()
        wait_for(lambda: "Ctrl-C" in self.text(), "the end of what it says")
        self.attack = re.search(r"curl -i '(\S+)'", self.text()).group(1)
        self.benign = re.search(r"curl '(\S+)'", self.text()).group(1)

    def learn_pods(self, writer):
        sensors = Sensors(writer, pathlib.Path(self.state), "demo")
        sensors.live()
        wait_for(sensors.read, "days of pods to be learned", 120)

    def text(self):
        with open(self.output, encoding="utf-8") as output:
            return output.read()

    def logs(self):
        """The ends of what guardd and nginx said."""
        paths = [*self.folder.glob("guard-run.*/guard.log"), self.folder / "state/nginx/error.log"]
        return "\n".join(f"{path.name}: {line}" for path in paths if path.exists() for line in path.read_text(errors="replace").splitlines()[-LOG_LINES:])

    def token(self, name, role):
        subprocess.run([BIN / "guard", "token", "remove", name, "--state", self.state], capture_output=True, check=False)
        done = subprocess.run([BIN / "guard", "token", "add", name, "--role", role, "--state", self.state], capture_output=True, text=True,
                              check=True)
        return done.stdout.strip()

    def login(self):
        done = subprocess.run(["curl", "-sS", "--unix-socket", "api.sock", "--json", '{"name":"cora"}',
                               "http://guardd/api/v1/session/codes"], cwd=self.state, capture_output=True, text=True, check=True)
        return f"{self.console}/console/#login={json.loads(done.stdout)['code']}"

    def drive(self, script, **more):
        self.token("cora", "admin")  # whose codes log in
        env = {**os.environ, "CONSOLE": self.console, "ATTACK": self.attack, "BENIGN": self.benign, "LOGIN": self.login(), "LOGIN_AGAIN": self.login(),
               "STATE": self.state, "PODS": os.path.join(self.state, "pods"), "POD_WRITER": str(self.writer), "VIEWER": self.token("vera", "viewer"), "OPERATOR": self.token("otto", "operator"), **more}
        browser = subprocess.Popen(["node", UI / "e2e" / script], cwd=UI, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, start_new_session=True)
        try:
            output = browser.communicate(timeout=600)[0]
        except subprocess.TimeoutExpired:
            os.killpg(browser.pid, signal.SIGKILL)  # the browser with it
            output = browser.communicate()[0]
        finally:
            if browser.poll() is None:
                os.killpg(browser.pid, signal.SIGKILL)
                browser.wait()
        if browser.returncode != 0:
            print(self.logs())
        print(output)
        assert browser.returncode == 0, output[-4000:]
        return output


@pytest.fixture(scope="module")
def demo(pod_writer):  # noqa: F811
    # Run by root, nginx's workers have another account.
    with tempfile.TemporaryDirectory(prefix="guard-ui.") as folder:
        os.chmod(folder, 0o711)
        made = None
        try:
            made = Demo(folder)
            made.writer = pod_writer
            made.learn_pods(pod_writer)
            yield made
        finally:
            if made is not None:
                end_process(made.process)


def test_make_run_says_where_the_console_is_and_a_login(demo):
    assert re.search(re.escape(demo.console) + r"/console/#login=[0-9a-f]{64}   \(good once", demo.text())


def test_pages_are_served_with_a_strict_policy(demo):
    page = curl(f"{demo.console}/console/")
    assert page.status == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    # Nothing of the page needs more: no scripts or styles stand in it.
    assert not re.search(rb"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page.body), page.body
    sources = re.findall(rb'(?:src|href)="([^"]+)"', page.body)
    assert sources and all(one.startswith(b"/console/") for one in sources)
    for path in ["/console/", "/console/nowhere", *(one.decode() for one in sources)]:
        answer = curl(demo.console + path)
        assert answer.status == (404 if path.endswith("nowhere") else 200)
        assert answer.headers["content-security-policy"] == CSP
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert curl(f"{demo.console}/console/../../../../etc/passwd", "--path-as-is").status in (400, 404)
    moved = curl(f"{demo.console}/")
    assert moved.status == 302 and moved.headers["location"] == "/console/"
    assert curl(f"{demo.console}/api/v1/services").status == 401


def ask(demo, path, *options, method="GET"):
    return curl(f"{demo.console}/api/v1{path}", "-X", method, *options)


def session(demo, token):
    answer = ask(demo, "/session", "-H", f"Authorization: Bearer {token}", method="POST")
    assert answer.status == 201, answer.body
    cookie = answer.headers["set-cookie"]
    assert re.fullmatch(r"__Host-guard=[0-9a-f]{64}; Path=/; Secure; HttpOnly; SameSite=Strict", cookie)
    return "Cookie: " + cookie.partition(";")[0]


def test_a_session_is_worth_nothing_to_other_sites(demo):
    cookie = session(demo, demo.token("olga", "operator"))
    mode = ["-H", "Content-Type: application/json", "--data", '{"mode":"block"}']
    assert ask(demo, "/session", "-H", cookie).json()["rights"] == ["read", "evidence", "operate"]
    assert ask(demo, "/services/demo/mode", "-H", cookie, *mode, method="PUT").status == 403
    header = ["-H", "X-Guard-Console: 1"]
    assert ask(demo, "/services/demo/mode", "-H", cookie, *header, *mode, method="PUT").status == 200
    for site in ("cross-site", "same-site"):
        foreign = ["-H", f"Sec-Fetch-Site: {site}"]
        assert ask(demo, "/services", "-H", cookie, *foreign).status == 403
        assert ask(demo, "/services/demo/mode", "-H", cookie, *header, *foreign, *mode, method="PUT").status == 403
    assert ask(demo, "/services", "-H", cookie, "-H", "Sec-Fetch-Site: same-origin").status == 200
    # No site is told that it may ask.
    asked = ask(demo, "/services", "-H", "Origin: http://evil.example", "-H", "Access-Control-Request-Headers: x-guard-console", method="OPTIONS")
    assert not [name for name in asked.headers if name.startswith("access-control")]
    assert ask(demo, "/session", "-H", cookie, *header, method="DELETE").json() == {"ended": True}
    assert ask(demo, "/services", "-H", cookie).status == 401


def test_a_removed_token_ends_its_sessions(demo):
    cookie = session(demo, demo.token("rosa", "viewer"))
    assert ask(demo, "/services", "-H", cookie).status == 200
    subprocess.run([BIN / "guard", "token", "remove", "rosa", "--state", demo.state], check=True, capture_output=True)
    assert ask(demo, "/services", "-H", cookie).status == 401


def test_codes_are_for_administrators_and_entries_of_the_list(demo):
    for name, role, status in (("vera", "viewer", 403), ("otto", "operator", 403), ("anna", "admin", 201)):
        token = demo.token(name, role)
        answer = ask(demo, "/session/codes", "-H", f"Authorization: Bearer {token}", "--json", '{"name":"vera"}', method="POST")
        assert answer.status == status, answer.body
    code = answer.json()["code"]
    nobody = ask(demo, "/session/codes", "-H", f"Authorization: Bearer {token}", "--json", '{"name":"nobody"}', method="POST")
    assert nobody.status == 404
    entered = ask(demo, "/session", "-H", f"Authorization: Login {code}", method="POST")
    assert entered.status == 201 and entered.json()["role"] == "viewer"
    assert ask(demo, "/session", "-H", f"Authorization: Login {code}", method="POST").status == 401


def test_a_misused_pod_is_named_and_decided_about(demo):
    demo.drive("pods.mjs")
    changes = [json.loads(line) for line in (pathlib.Path(demo.state) / "audit.jsonl").read_text().splitlines()]
    said = {(change["action"], change["via"], change["reason"]) for change in changes if change["action"].startswith("pods ")}
    assert {("pods approve", "api", "a nightly job"), ("pods refuse", "api", "nobody knows it"), ("pods session", "api", "a ticket")} <= said


def test_the_journey_of_an_operator(demo):
    demo.drive("journey.mjs")


def test_the_journey_by_keys_alone(demo):
    demo.drive("keys.mjs")


def test_what_attackers_send_stays_text(demo):
    demo.drive("hostile.mjs")


def test_roles_sessions_and_bad_answers(demo):
    demo.drive("access.mjs")


def test_every_page_can_be_read_in_both_schemes(demo):
    demo.drive("schemes.mjs")


def test_by_keys_alone_and_with_many_services(demo):
    demo.drive("keyboard.mjs")
