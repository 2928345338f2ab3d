# SPDX-License-Identifier: Apache-2.0
"""Manual pages: right by mandoc, and about exactly what the programs take; what `make install` puts where."""

import json
import os
import re
import subprocess
import sys
import pathlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN, BUILD, ROOT  # noqa: E402
from test_cli import guard  # noqa: E402

TABLES = json.loads(subprocess.run([BIN / "guard", "help", "--machine"], check=True, stdout=subprocess.PIPE, timeout=60).stdout)
COMMANDS = sorted(command["name"] for command in TABLES["commands"])
PAGES = ["guard.1", "guard-podwatch.8", "guard-responder.8", "guardd.8", "ngx_http_guard_module.8"] + [f"guard-{name}.1" for name in COMMANDS]
MAN = BUILD / "docs" / "man"


def rendered(page):
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=200", MAN / page], capture_output=True, text=True, check=True, timeout=60, env=env)
    return re.sub(r".\x08", "", done.stdout)


def test_there_is_a_page_for_each_command_and_no_other():
    assert sorted(path.name for path in MAN.glob("*.[1-8]")) == sorted(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_mandoc_finds_nothing_wrong(page):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", MAN / page], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0 and done.stdout == "", done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_is_documented_and_no_other(name):
    told = {**dict(re.findall(r"^  (--[a-z-]+)(.*)", guard(name, "--help").out, re.M))}
    text = rendered(f"guard-{name}.1")
    assert set(re.findall(r"^ +(?:-o [A-Za-z.]+, )?(--[a-z-]+)", text, re.M)) == set(told)
    flat = " ".join(text.split())
    for option in next(command for command in TABLES["commands"] if command["name"] == name)["options"]:
        assert f"--{option['name']} {option.get('argument', '')}".strip() in flat
        assert " ".join(option["help"].split()) in flat.replace(". ", ". "), option
    # What is written by hand names only what there is.
    known = set(told) | {"--version"} | {f"--{option['name']}" for command in TABLES["commands"] for option in command["options"]}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) <= known


def test_the_overview_and_the_daemon_are_complete():
    overview = rendered("guard.1")
    assert set(re.findall(r"guard-([a-z-]+)\(1\)", overview)) == set(COMMANDS)
    daemon = subprocess.run([BIN / "guardd", "--help"], check=True, capture_output=True, text=True, timeout=60).stdout
    assert set(re.findall(r"^ +(--[a-z-]+)", rendered("guardd.8"), re.M)) == set(re.findall(r"^ +(--[a-z-]+)", daemon, re.M))


def test_the_module_page_tells_of_each_directive_and_no_other():
    sources = "".join(path.read_text() for path in (ROOT / "hosts" / "nginx").glob("*.c"))
    tables = "".join(re.findall(r"ngx_command_t \w+\[\] = \{(.*?)ngx_null_command", sources, re.S))
    directives = set(re.findall(r'ngx_string\("(guard\w*)"\)', tables))
    assert "guard_state" in directives
    text = re.search(r"^DIRECTIVES\n(.*?)(?=^[A-Z])", rendered("ngx_http_guard_module.8"), re.M | re.S)[1]
    assert set(re.findall(r"^ {1,6}(guard\w*)", text, re.M)) == directives
    variables = set(re.findall(r'ngx_string\("(guard_\w+)"\), \w+_text\}', sources))
    assert "guard_reason" in variables
    assert all("$" + name in rendered("ngx_http_guard_module.8") for name in variables), variables


def test_installed_are_programs_pages_and_completions(tmp_path):
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", tmp_path], check=True, capture_output=True, timeout=120)
    there = {path.name: path for path in tmp_path.rglob("*") if path.is_file()}
    for page in PAGES:
        assert there[page].parent.name == "man" + page[-1]
    prefix = there["guardd.8"].parents[3]
    for program in ("guard", "guardd"):
        assert (prefix / "bin" / program).is_file()
        assert (prefix / "share" / "bash-completion" / "completions" / program).is_file()
        assert (prefix / "share" / "zsh" / "site-functions" / f"_{program}_program").is_file()
        assert (prefix / "share" / "fish" / "vendor_completions.d" / f"{program}.fish").is_file()
    shells = {"bash": prefix / "share/bash-completion/completions/guard", "zsh": prefix / "share/zsh/site-functions/_guard_program",
              "fish": prefix / "share/fish/vendor_completions.d/guard.fish"}
    for shell, path in shells.items():
        assert path.read_text() == guard("completion", shell).out
