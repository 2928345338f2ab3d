# SPDX-License-Identifier: Apache-2.0
"""`guard whatif`: what other settings would have done to recorded traffic."""

import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from test_cli import guard  # noqa: E402
from traffic import Shop, write  # noqa: E402

ATTACKS = ["/users?username=tom%20or%201=1", "/users?username=x%27--", "/search?q=%3Cscript%3E&limit=10"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whatif")
    made = Shop(31)
    guard("learn", "--pile", folder / "shop.pile", "--guardian", folder / "shop.yaml", write(folder / "t.jsonl", made.many(2500)))
    later = made.many(300)
    later += [made.exchange("GET", target, client="192.0.2.9") for target in ATTACKS for _ in range(4)]
    write(folder / "later.jsonl", later)
    return folder


def compared(shop, *options, traffic="later.jsonl"):
    lines = guard("whatif", "--guardian", shop / "shop.yaml", "--format", "jsonl", *options, shop / traffic).out.splitlines()
    objects = [json.loads(line) for line in lines]
    return objects[:-1], objects[-1]["summary"]


def test_mode_block_shows_whom_it_would_have_blocked_and_why(shop):
    changes, summary = compared(shop, "--mode", "block")
    assert summary["exchanges"] == 312 and summary["clients"] == 41
    assert summary["before"]["block"] == 0 and summary["before"]["clients_blocked"] == 0
    assert summary["after"]["block"] == 12 and summary["after"]["clients_blocked"] == 1
    assert summary["changed"] == len(changes) == 12
    assert {(change["before"], change["after"]) for change in changes} == {("alert", "block")}
    assert {change["because"]["findings"][0]["name"] for change in changes} == {"username", "q"}
    text = guard("whatif", "--guardian", shop / "shop.yaml", "--mode", "block", shop / "later.jsonl").out
    assert "12 of 312 exchanges would be treated otherwise" in text
    assert "alert -> block  GET /users param username" in text and "1 of 41 clients" in text


def test_the_same_settings_change_nothing(shop):
    changes, summary = compared(shop, "--mode", "alert")
    assert changes == [] and summary["before"] == summary["after"] and summary["before"]["alert"] >= 12
    text = guard("whatif", "--guardian", shop / "shop.yaml", "--other", shop / "shop.yaml", shop / "later.jsonl").out
    assert "No exchange would be treated otherwise." in text


def test_another_budget_and_another_guardian(shop, tmp_path):
    narrow = compared(shop, "--mode", "block", "--alpha", "1e-9")[1]
    assert narrow["after"]["block"] < 12
    observing = tmp_path / "observing.yaml"
    observing.write_text((shop / "shop.yaml").read_text().replace("mode: alert", "mode: observe", 1))
    changes, summary = compared(shop, "--other", observing, "--other-pile", shop / "shop.pile")
    assert {(change["before"], change["after"]) for change in changes} == {("alert", "pass")}
    assert summary["after"]["alert"] == 0 and summary["before"]["alert"] == summary["changed"] >= 12


def test_wrong_use_is_told(shop, tmp_path):
    traffic = shop / "later.jsonl"
    assert "say what changes" in guard("whatif", "--guardian", shop / "shop.yaml", traffic, status=2).err
    assert "a mode is" in guard("whatif", "--guardian", shop / "shop.yaml", "--mode", "loud", traffic, status=2).err
    assert "--alpha" in guard("whatif", "--guardian", shop / "shop.yaml", "--alpha", "2", traffic, status=2).err
    other = tmp_path / "other.yaml"
    other.write_text((shop / "shop.yaml").read_text().replace("shop", "till"))
    assert 'of service "till", not "shop"' in guard("whatif", "--guardian", shop / "shop.yaml", "--other", other, traffic, status=1).err
    other.write_text("control: {mode: loud}\n")
    assert f"{other}:1:" in guard("whatif", "--guardian", shop / "shop.yaml", "--other", other, traffic, status=1).err
    assert "1 exchanges" not in guard("whatif", "--guardian", shop / "shop.yaml", "--mode", "block", tmp_path / "no.jsonl", status=1).out
