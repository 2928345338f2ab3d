# SPDX-License-Identifier: Apache-2.0
"""Sessions of browsers at guardd's front door: how they begin and end, and what a cookie may do there."""

import json
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from fronted import ask_raw, raw  # noqa: E402
from talking import Api, wait_for  # noqa: E402
from test_guardd import Guardd, guard  # noqa: E402

HEADER = "X-Guard-Console: 1"


@pytest.fixture
def guardd(tmp_path):
    state = tmp_path / "state"
    (state / "guardians").mkdir(parents=True)
    (state / "guardians/shop.yaml").write_text("apiVersion: guard/v1alpha1\nkind: Guardian\nservice: shop\n")
    daemon = Guardd(state, options=["--api-front", "on"]).start()
    api = Api(state).ready()
    wait_for(lambda: api.get("/services")["total"] == 1, "the service")
    yield daemon
    daemon.stop()


def ask(guardd, path, *headers, method="GET"):
    with raw(guardd.state) as sock:
        return ask_raw(sock, path, *headers, method=method)


def token(guardd, name, role="operator"):
    return guard(guardd.state, "token", "add", name, "--role", role).strip()


def cookie_of(answer):
    assert answer.status == 201, answer.body
    found = re.fullmatch(r"(__Host-guard=[0-9a-f]{64}); Path=/; Secure; HttpOnly; SameSite=Strict", answer.headers["set-cookie"])
    return "Cookie: " + found.group(1)


def login(guardd, *headers):
    return cookie_of(ask(guardd, "/session", *headers, method="POST"))


def test_a_cookie_of_another_sites_page_is_worth_nothing(guardd):
    cookie = login(guardd, f"Authorization: Bearer {token(guardd, 'ann')}")
    assert ask(guardd, "/services", cookie).status == 200
    assert ask(guardd, "/services", cookie, "Sec-Fetch-Site: same-origin").status == 200
    for site in ("cross-site", "same-site"):
        assert ask(guardd, "/services", cookie, f"Sec-Fetch-Site: {site}").status == 403
        assert ask(guardd, "/services", cookie, HEADER, f"Sec-Fetch-Site: {site}").status == 403
    end = "/services/shop/bypass"
    assert ask(guardd, end, cookie, method="DELETE").status == 403
    assert ask(guardd, end, cookie, HEADER, method="DELETE").status == 200
    assert ask(guardd, "/session", cookie, method="DELETE").status == 403
    assert ask(guardd, "/services", cookie).status == 200


def test_a_planted_cookie_never_becomes_a_session(guardd):
    planted = "Cookie: __Host-guard=" + "f" * 64
    assert ask(guardd, "/services", planted).status == 401
    cookie = login(guardd, planted, f"Authorization: Bearer {token(guardd, 'ann')}")
    assert cookie != planted
    assert ask(guardd, "/services", planted).status == 401


def test_a_renewed_session_replaces_the_one_before_it(guardd):
    first = login(guardd, f"Authorization: Bearer {token(guardd, 'ann')}")
    left = ask(guardd, "/session", first).json()["seconds"]
    assert ask(guardd, "/session", first, method="POST").status == 403
    second = login(guardd, first, HEADER)
    assert ask(guardd, "/session", first).status == 401
    assert 0 < ask(guardd, "/session", second).json()["seconds"] <= left


def test_a_session_ends_with_its_entry_and_at_logout(guardd):
    bearer = f"Authorization: Bearer {token(guardd, 'ann')}"
    one, other = login(guardd, bearer), login(guardd, bearer)
    out = ask(guardd, "/session", one, HEADER, method="DELETE")
    assert out.json() == {"ended": True} and out.headers["set-cookie"].startswith("__Host-guard=; ") and "Max-Age=0" in out.headers["set-cookie"]
    assert ask(guardd, "/services", one).status == 401
    assert ask(guardd, "/services", other).status == 200
    guard(guardd.state, "token", "remove", "ann")
    assert ask(guardd, "/services", other).status == 401
    token(guardd, "ann")  # of the same name, and another
    assert ask(guardd, "/services", other).status == 401


def test_a_login_code_is_good_once_and_audited(guardd):
    token(guardd, "ann", "viewer")
    made = Api(guardd.state).ready().ask("POST", "/session/codes", {"name": "ann"}, headers=["X-Guard-By: root"])
    assert made.status == 201, made.body
    code = made.json()["code"]
    audit = (guardd.state / "audit.jsonl").read_text()
    line = json.loads(audit.splitlines()[-1])
    assert (line["action"], line["after"]) == ("login-code", "ann")
    assert ask(guardd, "/session", f"Authorization: Login {code[:-1]}{'0' if code[-1] != '0' else '1'}", method="POST").status == 401
    answer = ask(guardd, "/session", f"Authorization: Login {code}", method="POST")
    cookie = cookie_of(answer)
    assert answer.json()["role"] == "viewer"
    line = json.loads((guardd.state / "audit.jsonl").read_text().splitlines()[-1])
    assert (line["action"], line["by"], line["after"]) == ("login-code-used", "ann", "ann")
    assert ask(guardd, "/session", f"Authorization: Login {code}", method="POST").status == 401
    for secret in (code, cookie.partition("=")[2]):  # nothing of guardd's holds them
        assert not [path for path in guardd.state.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
