# SPDX-License-Identifier: Apache-2.0
"""How `guard show` tells numbers: drawn in a line each, in ASCII or in blocks, and as JSON."""

import json
import os
import pathlib
import pty
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from test_cli import BIN, guard  # noqa: E402
from traffic import Shop, write  # noqa: E402

NAME = "username\u202e\x1b[31m"
WORDS = "  half to 3, 99 of 100 to 19 bytes; limit 3..19; 1 of 457 beyond"


@pytest.fixture(scope="module")
def pile(tmp_path_factory):
    """Lengths 3, 5, 9 and 17 of twelve clients, 200 of one."""
    folder = tmp_path_factory.mktemp("show")
    shop = Shop(31)
    sent = [(length, f"10.1.{i % 12}.1") for length, number in ((3, 240), (5, 120), (9, 60), (17, 36), (200, 1)) for i in range(number)]
    shop.random.shuffle(sent)
    exchanges = [shop.exchange("GET", f"/users?username%E2%80%AE%1b%5b31m={'a' * length}", client=client) for length, client in sent]
    for exchange in exchanges:
        exchange["response"].update(headers=[["content-type", "text/plain"]], body="0123456789")
    guard("learn", "--pile", folder / "shop.pile", write(folder / "train.jsonl", exchanges))
    return folder / "shop.pile"


def at_terminal(*arguments, **variables):
    """What is printed at a terminal."""
    mine, theirs = pty.openpty()
    env = {key: value for key, value in os.environ.items() if key not in ("LANG", "LC_ALL", "LC_CTYPE")}
    with subprocess.Popen([BIN / "guard", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE,
                          env={**env, **variables}) as process:
        os.close(theirs)
        text = b""
        while True:
            try:
                more = os.read(mine, 65536)
            except OSError:  # the other side is closed
                break
            if not more:
                break
            text += more
        assert process.wait(60) == 0, process.stderr.read()
    os.close(mine)
    return text.decode()


def lengths(text):
    """Of the parameter; those of the response and of headers stand below it."""
    return [line.strip() for line in text.partition("  response ")[0].splitlines() if line.strip().startswith("length ")]


def test_lengths_are_drawn_in_a_line(pile):
    text = guard("show", "--pile", pile, env={"LC_ALL": "C.UTF-8"}).out
    assert lengths(text) == ["length    @ + - :|." + WORDS]
    of_users = text.partition("headers and cookies")[0].splitlines()
    assert not any(line.strip().startswith(("digits", "specials", "items")) for line in of_users)  # a limit tells all
    assert any(line.strip().startswith("time ") and "milliseconds" in line for line in of_users)
    assert any(line.strip() == "body      @  half to 10, 99 of 100 to 10 bytes; limit to 10" for line in of_users), of_users
    assert "\x1b" not in text and "\u202e" not in text


def test_blocks_are_for_terminals_that_have_them(pile):
    drawn = "length    \u2588 \u2585 \u2583 \u2582|\u2581" + WORDS
    assert lengths(at_terminal("show", "--pile", pile, LANG="en_US.UTF-8")) == [drawn]
    assert lengths(at_terminal("show", "--pile", pile, LC_CTYPE="C.utf8")) == [drawn]
    for variables in ({}, {"LANG": "C"}, {"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}):
        assert lengths(at_terminal("show", "--pile", pile, **variables)) == ["length    @ + - :|." + WORDS], variables


def test_all_of_it_is_one_json_document(pile):
    told = json.loads(guard("show", "--pile", pile, "--format", "json").out)
    assert (told["service"], told["exchanges"], told["clients"]) == ("shop", 457, 12)
    endpoint = told["endpoints"][0]
    assert (endpoint["method"], endpoint["template"]) == ("GET", "/users") and len(endpoint["fields"]) == 1
    field = endpoint["fields"][0]
    assert field["name"] == NAME and field["lacks"] == ""
    length = field["distributions"][0]
    assert [(one["lower"], one["upper"], one["exchanges"], one["clients"]) for one in length["buckets"]] == [
        (3, 3, 240, 8), (5, 5, 120, 8), (9, 9, 60, 8), (16, 19, 36, 8), (192, 223, 1, 1)]
    assert length["upper"] == {"at": 19, "armed": True, "beyond": 1} and length["lower"]["at"] == 3
    assert {one["name"] for one in told["headers_and_cookies"]} >= {"user-agent"}
    assert endpoint["distributions"][0]["of"] == "time" and [one["status"] for one in endpoint["responses"]] == [2]
    assert endpoint["responses"][0]["distributions"][0]["buckets"] == [{"lower": 10, "upper": 10, "exchanges": 457, "clients": 8}]
    assert "aaa" not in json.dumps(told)
    pending = json.loads(guard("show", "--pile", pile, "--format", "json", "--support", "1").out)
    assert pending["endpoints"][0]["fields"][0]["distributions"][0]["upper"]["at"] in (19, 223)


def test_what_makes_no_sense_is_refused(pile):
    assert "--format is text or json" in guard("show", "--pile", pile, "--format", "yaml", status=2).err
    assert "--format json" in guard("show", "--guardian", pile, "--format", "json", status=2).err
    full = subprocess.run(f"{BIN}/guard show --format json --pile {pile} > /dev/full", shell=True, capture_output=True, text=True, check=False)
    assert full.returncode == 1 and "can't write" in full.stderr
