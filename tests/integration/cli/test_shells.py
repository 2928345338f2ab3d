# SPDX-License-Identifier: Apache-2.0
"""Completion in real shells, and that it offers exactly what the programs take."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import pathlib
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN  # noqa: E402
from test_cli import guard  # noqa: E402

SHELLS = ["bash", "zsh", "fish"]
TABLES = json.loads(subprocess.run([BIN / "guard", "help", "--machine"], check=True, stdout=subprocess.PIPE, timeout=60).stdout)
COMMANDS = {command["name"]: command for command in TABLES["commands"]}


def options_in_help(*command, program="guard"):
    """What a person is told: independent of the tables that --machine prints."""
    text = subprocess.run([BIN / program, *command, "--help"], check=True, capture_output=True, text=True, timeout=60).stdout
    return set(re.findall(r"^  (--[a-z-]+)", text, re.M))


def script(tmp_path, shell, program="guard"):
    path = tmp_path / f"{program}.{shell}"
    path.write_text(guard("completion", shell, program).out)
    return path


def bash(tmp_path, *words, program="guard"):
    """What bash offers for the last word."""
    code = f"""source {script(tmp_path, 'bash', program)}
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _{program}; printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "--norc", "-c", code, "bash", BIN / program, *words], capture_output=True, text=True, timeout=60,
                          check=True, cwd=tmp_path)
    assert done.stderr == "", done.stderr
    return set(done.stdout.split("\n")) - {""}


def fish(tmp_path, *words, program="guard"):
    line = " ".join([program, *words])
    env = {**os.environ, "HOME": str(tmp_path), "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(["fish", "--no-config", "-c", f"source {script(tmp_path, 'fish', program)}; complete -C '{line}'"], env=env,
                          capture_output=True, text=True, timeout=120, check=True, cwd=tmp_path)
    assert done.stderr == "", done.stderr
    return {candidate.split("\t")[0] for candidate in done.stdout.splitlines()}


class Terminal:
    """A zsh at a terminal: completion in it can't be asked for otherwise."""

    def __init__(self, folder):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            env = {**os.environ, "TERM": "dumb", "HOME": str(folder), "PATH": f"{BIN}:{os.environ['PATH']}", "PS1": "> "}
            os.execvpe("zsh", ["zsh", "-f", "-i"], env)
        self.say("unsetopt zle_bracketed_paste prompt_cr prompt_sp; LISTMAX=1000; unsetopt list_ambiguous; stty -echo cols 400 rows 500; autoload -U compinit; "
                 "compinit -u -D; echo ready''1", "ready1")

    def say(self, text, until):
        os.write(self.fd, text.encode() + b"\r")
        return self.read(until)

    def read(self, until):
        found = ""
        end = time.monotonic() + 120
        while not re.search(until, found):
            if time.monotonic() > end or not select.select([self.fd], [], [], 120)[0]:
                raise AssertionError(f"waited for {until!r}: {found!r}")
            found += os.read(self.fd, 65536).decode(errors="replace")
        return found

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zsh")
    for program in ("guard", "guardd"):
        (folder / f"_{program}_program").write_text(guard("completion", "zsh", program).out)
    found = Terminal(folder)
    found.say("fpath=($PWD $fpath); compinit -u -D; echo ready''2", "ready2")
    # Candidates are printed instead of shown: compadd is called by all there is in zsh.
    found.say("""compadd() { [[ ${@[1,(i)(-|--)]} == *-[OAD]' '* ]] || { local -a offered_words; builtin compadd -O offered_words "$@"
        print -rn -- " [" "${offered_words[@]}" "] " }; builtin compadd "$@" }
        complete_and_tell() { zle expand-or-complete; zle .kill-whole-line; print -rn -- "done""4" }
        zle -N complete_and_tell; bindkey '^T' complete_and_tell; echo ready''3""", "ready3")
    yield found
    found.close()


def zsh(terminal, line):
    """All words that were offered for the line's end. One key does it all: others that are typed ahead would be taken by the terminal
    itself while zsh isn't reading yet, and kill the line."""
    os.write(terminal.fd, f"{line}\x14".encode())
    found = terminal.read("done4")
    return set(re.findall(r"(?<![\w=-])--?[a-z][a-z-]*|[\w./-]+", " ".join(re.findall(r" \[ (.*?) \] ", found, re.S))))


@pytest.fixture
def state(tmp_path):
    (tmp_path / "st" / "guardians").mkdir(parents=True)
    (tmp_path / "st" / "piles").mkdir()
    for name in ("guardians/shop.yaml", "piles/shop.pile", "piles/shoes.pile", "guardians/orders.yaml", "guardians/.x.yaml.tmp"):
        (tmp_path / "st" / name).touch()
    (tmp_path / "traffic.jsonl").touch()
    return tmp_path / "st"


@pytest.mark.parametrize("program", ["guard", "guardd"])
@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_have_no_syntax_errors(tmp_path, shell, program):
    assert shutil.which(shell), f"{shell} is in tools/packages.txt"
    done = subprocess.run([shell, "-n", script(tmp_path, shell, program)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and done.stderr == ""


def test_the_tables_are_what_help_tells(tmp_path):
    for name, command in COMMANDS.items():
        assert {"--" + option["name"] for option in command["options"]} | {"--help"} == options_in_help(name)
    assert {"--" + option["name"] for option in TABLES["guardd"]["options"]} == options_in_help(program="guardd")
    listed = set(re.findall(r"^  ([a-z-]+) ", guard("--help").out, re.M))
    assert listed == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_bash_and_fish_offer_exactly_the_options_there_are(tmp_path, name):
    assert bash(tmp_path, name, "--") == options_in_help(name)
    assert fish(tmp_path, name, "--") == options_in_help(name)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_zsh_offers_exactly_the_options_there_are(terminal, name):
    assert {word for word in zsh(terminal, f"guard {name} --") if word.startswith("--")} == options_in_help(name)


def test_commands_are_offered_first(tmp_path, terminal):
    assert bash(tmp_path, "") == set(COMMANDS) == fish(tmp_path, "")
    assert bash(tmp_path, "-") == {"--help", "--version"} == fish(tmp_path, "--")
    assert bash(tmp_path, "sta") == {"status"} == fish(tmp_path, "sta")
    assert set(COMMANDS) <= zsh(terminal, "guard ")
    assert options_in_help(program="guardd") == bash(tmp_path, "--", program="guardd") == fish(tmp_path, "--", program="guardd")
    assert options_in_help(program="guardd") == {word for word in zsh(terminal, "guardd --") if word.startswith("--")}


@pytest.mark.parametrize("words, expected", [
    (["run", "--mode", ""], {"observe", "alert", "block"}), (["mode", "b"], {"block"}), (["check", "--format", ""], {"text", "jsonl"}),
    (["pile", ""], {"merge", "show"}), (["mode", "--service", "x", "a"], {"alert"}), (["completion", "fish", ""], {"guard", "guardd"}),
    (["mode", "block", ""], set()), (["run", "--upstream", ""], set()), (["learn", "--support", ""], set())])
def test_values_and_operands(tmp_path, terminal, words, expected):
    assert bash(tmp_path, *words) == expected
    assert fish(tmp_path, *words[:-1], words[-1]) == expected
    if expected:
        assert expected <= zsh(terminal, " ".join(["guard", *words]))


def test_services_come_from_the_state_directory(tmp_path, state, terminal):
    assert guard("completion", "services", "--state", state).out == "orders\nshoes\nshop\n"
    assert guard("completion", "services", "--state", tmp_path / "none").out == ""
    assert bash(tmp_path, "mode", "--state", str(state), "--service", "sh") == {"shop", "shoes"}
    assert bash(tmp_path, "bypass", "--state", "=", str(state), "") == {"shop", "shoes", "orders"}
    assert fish(tmp_path, "mode", "--state", str(state), "--service", "sh") == {"shop", "shoes"}
    assert fish(tmp_path, "bypass", f"--state={state}", "") == {"shop", "shoes", "orders"}
    assert {"shop", "shoes"} <= zsh(terminal, f"guard mode --state {state} --service sh")
    assert "orders" in zsh(terminal, f"guard bypass --state={state} or")


def test_files_and_folders(tmp_path, state, terminal):
    (tmp_path / "two words.har").touch()
    assert bash(tmp_path, "learn", "tr") == {"traffic.jsonl"} == fish(tmp_path, "learn", "tr")
    assert bash(tmp_path, "learn", "traffic.jsonl", "tw") == {"two words.har"}
    assert bash(tmp_path, "status", "--state", "s") == {"st"}
    assert fish(tmp_path, "status", "--state", "s") == {"st/"}
    assert bash(tmp_path, "pile", "merge", "-o", "tr") == {"traffic.jsonl"}
    assert "traffic.jsonl" in zsh(terminal, f"guard check {tmp_path}/tr")


@pytest.mark.parametrize("arguments", [[], ["tcsh"], ["bash", "nginx"], ["bash", "guard", "x"], ["services", "x"]])
def test_wrong_use_is_refused(arguments):
    assert "completion bash|zsh|fish" in guard("completion", *arguments, status=2).err
