# SPDX-License-Identifier: Apache-2.0
"""One signing key for several guardds: given to each as a file that it only reads, never beside another one, and taken out of a state
directory when one guardd becomes several. And whether one of them can serve."""

import os
import pathlib
import pty
import shutil
import stat
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN, wait_for  # noqa: E402
from test_guardd import Guardd, drive  # noqa: E402
from test_postgres import gate_of, postgres, server, wait_roles  # noqa: E402, F401
from traffic import Shop  # noqa: E402
from waiting import PATIENCE as WAIT  # noqa: E402


def new_key(path):
    """As people make one: openssl rand -hex 32."""
    path.write_text(os.urandom(32).hex() + "\n")
    path.chmod(0o440)
    return path


@pytest.fixture
def guardds(tmp_path):
    """make(name, *options): one that isn't started; none runs at the end."""
    made = []

    def new(name, *options):
        state = tmp_path / name
        state.mkdir()
        made.append(Guardd(state, log=tmp_path / f"{name}.log", options=options))
        return made[-1]

    yield new
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.stop()


def fails(guardd):
    done = subprocess.run([BIN / "guardd", "--state", guardd.state, *guardd.options], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def guard(*words, **more):
    return subprocess.run([BIN / "guard", *map(str, words)], capture_output=True, text=True, timeout=60, check=False, **more)


def public(guardd):
    return (guardd.state / "keys/policy.pub").read_text()


def test_several_with_one_key_take_each_others_policies(postgres, guardds, gate_of, tmp_path):  # noqa: F811
    options = ("--store", postgres.url, "--signing-key", new_key(tmp_path / "given"))
    pair = [guardds("a", *options).start(), guardds("b", *options).start()]
    assert public(pair[0]) == public(pair[1])
    drive(gate_of(pair[0]).port, Shop(801).many(60))
    wait_roles(*pair)
    wait_for(lambda: all(one.service()["generation"] > 0 and (one.state / "policies/shop.policy").exists() for one in pair), "the policy at both", WAIT)
    for one in pair:
        assert "policy-not-taken" not in one.log()
        assert not (one.state / "keys/policy.key").exists(), "it is only read"
    assert (tmp_path / "given").read_text().strip() not in "".join(one.log() for one in pair)


def test_another_key_than_the_one_in_the_directory_is_refused(guardds, tmp_path):
    first = guardds("a").start()
    first.stop()
    followed, key = public(first), first.state / "keys/policy.key"
    first.options = ("--signing-key", new_key(tmp_path / "other"))
    status, told = fails(first)
    assert status == 1 and "policy.key is another key" in told, told
    assert public(first) == followed, "gates follow the one that they have"
    shutil.copy(key, tmp_path / "same")
    first.options = ("--signing-key", tmp_path / "same")
    first.start()
    assert public(first) == followed
    first.stop()
    key.unlink()  # with the file alone it is the same
    first.start()
    assert public(first) == followed and not key.exists()


@pytest.mark.parametrize("content", [None, b"", b"0" * 63, b"0" * 65, b"g" * 64, b"0" * 64 + b"\n\0", b"0" * 4096], ids=repr)
def test_what_is_no_key_is_refused(guardds, tmp_path, content):
    if content is not None:
        (tmp_path / "given").write_bytes(content)
    guardd = guardds("a", "--signing-key", tmp_path / "given")
    status, told = fails(guardd)
    assert status == 1 and "not-started" in told and "given" in told, told
    assert not list((guardd.state / "keys").glob("policy.*")), "no key is made in its place"


def test_who_signs_nothing_takes_none(guardds, tmp_path):
    status, told = fails(guardds("a", "--role", "agent", "--parent", "unix:/none", "--signing-key", new_key(tmp_path / "given")))
    assert status == 2 and "--signing-key: --role agent signs nothing" in told, told


def test_the_key_is_taken_out_for_others(guardds, tmp_path):
    guardd = guardds("a").start()
    key = (guardd.state / "keys/policy.key").read_text()
    done = guard("export", "policy-key", "--state", guardd.state)
    assert (done.returncode, done.stdout) == (0, key), done.stderr
    out = tmp_path / "out"
    done = guard("export", "policy-key", "--state", guardd.state, "-o", out)
    assert (done.returncode, done.stdout) == (0, "") and out.read_text() == key
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    second = guardds("b", "--signing-key", out).start()
    assert public(second) == public(guardd)
    for words in (["--server", f"unix:{guardd.state}/api.sock"], ["--state", guardd.state, "--service", "shop"]):
        done = guard("export", "policy-key", *words)
        assert (done.returncode, done.stdout) == (2, ""), words
    done = guard("export", "policy-key", "--state", second.state)
    assert (done.returncode, done.stdout) == (1, "") and "policy.key" in done.stderr
    master, terminal = pty.openpty()
    try:
        done = subprocess.run([BIN / "guard", "export", "policy-key", "--state", guardd.state], stdout=terminal, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
        assert done.returncode == 2 and "--output" in done.stderr
        os.set_blocking(master, False)
        with pytest.raises(BlockingIOError):
            os.read(master, 1)
    finally:
        os.close(master)
        os.close(terminal)


def ready(guardd):
    return guard("status", "--ready", "--server", f"unix:{guardd.state}/api.sock")


def test_who_cannot_save_is_not_ready(postgres, guardds):  # noqa: F811
    """As a probe asks, which waits five seconds at most."""
    guardd = guardds("a", "--store", postgres.url).start()
    wait_for(lambda: ready(guardd).returncode == 0, "it to be ready", WAIT)
    postgres.stop()
    wait_for(lambda: ready(guardd).returncode == 1, "it not to be", WAIT)
    begun = time.monotonic()
    done = ready(guardd)
    assert done.returncode == 1 and '"saves":false' in done.stderr and time.monotonic() - begun < 4, done.stderr
    postgres.start()
    wait_for(lambda: ready(guardd).returncode == 0, "it to be ready again", WAIT)
    assert guard("status", "--ready", "--state", guardd.state).returncode == 2, "files tell nothing of it"


def test_from_one_file_to_a_database_for_several(postgres, guardds, gate_of, tmp_path):  # noqa: F811
    """What was learned stays in the file; gates go on with the policy that they have, and take the next ones, whose numbers go on."""
    first = guardds("a").start()
    gate = gate_of(first)
    drive(gate.port, Shop(802).many(200))
    first.wait_exchanges(200)
    wait_for(lambda: first.service()["generation"] > 0, "a policy", WAIT)
    guardian = first.state / "guardians/shop.yaml"
    guardian.parent.mkdir(exist_ok=True)
    for mode in ("observe", "alert") * 4:  # more policies than what comes after will make by itself
        guardian.write_text(f"apiVersion: guard/v1alpha1\nkind: Guardian\nservice: shop\ncontrol: {{mode: {mode}}}\n")
        wait_for(lambda: first.service().get("mode") == mode, "the Guardian", WAIT)
    assert guard("export", "policy-key", "--state", first.state, "-o", tmp_path / "given").returncode == 0
    first.stop()
    before = first.service()["generation"]
    assert before >= 8
    first.options = ("--store", postgres.url, "--signing-key", tmp_path / "given")
    first.start()
    drive(gate.port, Shop(803).many(200))
    wait_for(lambda: first.service()["generation"] > before, lambda: f"a generation above {before}: {first.service()}", WAIT)
    second = guardds("b", *first.options).start()
    wait_for(lambda: second.service()["generation"] > before and second.service().get("mode") == "alert",
             lambda: f"the other one to have it: {second.service()}", WAIT)
