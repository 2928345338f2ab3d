# SPDX-License-Identifier: Apache-2.0
"""The patches that come with Guard: each stops its exploit in several ways of writing, and nothing that only looks like it; all of them
together, enforced, stop nothing of recorded benign traffic, and hold at a real gate."""

import gzip
import itertools
import json
import os
import pathlib
import socket
import subprocess
import sys
import tarfile

import pytest
import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "exploits")]
import cases  # noqa: E402
import mutator  # noqa: E402
from harness import BIN, ROOT, EchoServer, Nginx  # noqa: E402

SHARED = pathlib.Path(os.environ.get("GUARD_SHARED", ROOT.parent / "shared"))
DATA = SHARED / "data"
SEED = 20140624
MUTATIONS = 10
EVERY = 5  # of generated exchanges one in so many


def guardian(folder, ids):
    """A Guardian with these patches enforced and nothing else."""
    patches = [{**patch, "mode": "enforce"} for cve in ids for patch in cases.document(cve)["patches"]]
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "guard/v1alpha1", "kind": "Guardian", "service": "svc", "patches": patches},
                                   sort_keys=False, allow_unicode=True))
    return path


def check(document, *traffic):
    """{id: verdict} of guard check, by the Guardian alone."""
    done = subprocess.run([BIN / "guard", "check", "--guardian", document, "--configured-only", "--clients", "off", "--format", "jsonl",
                           *traffic], capture_output=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def hits(verdict):
    return {finding["patch"] for finding in verdict["findings"] if "patch" in finding}


def written(folder, named):
    path = folder / "lines.jsonl"
    path.write_text("".join(cases.exchange(name, asked) + "\n" for name, asked in named))
    return path


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    return guardian(tmp_path_factory.mktemp("all"), cases.shipped())


@pytest.mark.parametrize("cve", cases.shipped())
def test_it_stops_its_exploit_and_nothing_alike(cve, tmp_path):
    case = cases.load(cve)
    assert len(case["hits"]) >= 2 and len(case["passes"]) >= 2
    named = [(f"hit {i}", cases.request(one)) for i, one in enumerate(case["hits"])]
    named += [(f"pass {i}", cases.request(one)) for i, one in enumerate(case["passes"])]
    for verdict in check(guardian(tmp_path, [cve]), written(tmp_path, named)):
        if verdict["id"].startswith("hit"):
            assert verdict["verdict"] == "block" and hits(verdict) == {cve}, verdict
        else:
            assert verdict["verdict"] != "block" and hits(verdict) == set(), verdict


@pytest.mark.parametrize("cve", [cve for cve in cases.shipped() if "essential" in cases.load(cve)])
def test_it_stops_the_exploit_written_otherwise(cve, tmp_path):
    case = cases.load(cve)
    essential = case["essential"].encode()
    named = []
    for i, one in enumerate(case["hits"]):
        asked = cases.request(one)
        if mutator.loose(essential) in mutator.loose(mutator.flat(mutator.understood(asked))):
            named += [(f"{i} {how}", other) for how, other in mutator.mutations(asked, essential, SEED + i, MUTATIONS)]
    assert named
    missed = [verdict["id"] for verdict in check(guardian(tmp_path, [cve]), written(tmp_path, named)) if cve not in hits(verdict)]
    print(f"{cve}: {len(named) - len(missed)} of {len(named)} mutations")
    assert missed == []


def test_nothing_alike_is_stopped_by_another(everything, tmp_path):
    named = [(f"{cve} {i}", cases.request(one)) for cve in cases.shipped() for i, one in enumerate(cases.load(cve)["passes"])]
    stopped = {verdict["id"]: hits(verdict) for verdict in check(everything, written(tmp_path, named)) if hits(verdict)}
    assert stopped == {}


def needs(path):
    if not path.exists():
        print(f"SKIPPED: {path} isn't beside the checkout, so nothing was compared with it")
        pytest.skip(f"{path} isn't there")


def benign_files():
    """Recordings without attacks. What clients sent to others than the service isn't the gate's."""
    kinds = ("attacks", "transplant", "egress", "payloads")
    return sorted(path for path in DATA.glob("*/*.jsonl.gz") if not any(kind in path.name for kind in kinds))


def part_of(path, folder):
    """All that people's clients sent. Of what a generator wrote, which is long and much alike, each so-manieth exchange."""
    if path.parent.name != "gen":
        return path
    part = folder / path.name.removesuffix(".gz")
    with gzip.open(path, "rb") as lines, open(part, "wb") as out:
        out.writelines(itertools.islice(lines, 0, None, EVERY))
    return part


def test_all_of_them_stop_nothing_benign(everything, tmp_path):
    needs(DATA)
    total, stopped = 0, []
    for path in benign_files():
        verdicts = check(everything, part_of(path, tmp_path))
        found = [(verdict["id"], sorted(hits(verdict))) for verdict in verdicts if hits(verdict)]
        print(f"{path.parent.name}/{path.name}: {len(found)} of {len(verdicts)} hit")
        total += len(verdicts)
        stopped += [(path.name, *one) for one in found]
    print(f"{len(stopped)} of {total} benign exchanges hit by {len(cases.shipped())} patches")
    assert total > 10000 and stopped == []


# Their descriptions send nothing that exploits: they only ask for a version, or aren't HTTP.
ONLY_LOOKING = {"CVE-2021-21972", "CVE-2024-23897"}


def described(archive, folder):
    """{id: file} of the archive's exploits of shipped ids, each a file of its own."""
    out = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            cve, suffix = os.path.splitext(os.path.basename(member.name))
            if member.isfile() and suffix in (".yaml", ".yml") and cve.upper() in cases.shipped():
                out[cve.upper()] = folder / f"{cve.upper()}.yaml"
                out[cve.upper()].write_bytes(tar.extractfile(member).read())
    return out


def test_they_stop_public_exploits(everything, tmp_path):
    archive = DATA / "cve" / "afrog-dev.tar.gz"
    needs(archive)
    descriptions = described(archive, tmp_path)
    stopped, missed = [], []
    for cve in sorted(set(cases.shipped()) & set(descriptions)):
        lines = tmp_path / "exploit.jsonl"
        done = subprocess.run([BIN / "guard", "exploit", "--as", "jsonl", descriptions[cve]], capture_output=True, timeout=60, check=False)
        lines.write_bytes(done.stdout)
        found = [cve in hits(verdict) for verdict in check(everything, lines)] if done.stdout else []
        print(f"{cve}: {sum(found)} of {len(found)} requests")
        (stopped if any(found) else missed).append(cve)
    print(f"{len(stopped)} of {len(stopped) + len(missed)} public exploits stopped; not: {' '.join(missed) or 'none'}")
    assert len(stopped) >= 15 and set(missed) <= ONLY_LOOKING


def ask(port, asked):
    """The status of one request, sent byte by byte as it is written."""
    own = {name.lower() for name, _ in asked["headers"]}
    closing = [] if "connection" in own else [["connection", "close"]]
    head = "".join(f"{name}: {value}\r\n" for name, value in asked["headers"] + closing)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(f"{asked['method']} {asked['target']} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + asked["body"])
        return int(connection.makefile("rb").readline().split()[1])


@pytest.fixture
def gate(tmp_path, everything):
    state = tmp_path / "state"
    (state / "policies").mkdir(parents=True)
    key = tmp_path / "key"
    for arguments in (["--output", key, "key"],
                      ["--guardian", everything, "--configured-only", "--mode", "block", "--key", key, "--output",
                       state / "policies" / "svc.policy", "compile"]):
        subprocess.run([BIN / "guard", "policy", *arguments], check=True, timeout=120)
    service = EchoServer()
    nginx = Nginx(tmp_path / "nginx", f"""
    guard_state {state};
    guard_policy_key {key}.pub;
    guard svc;
    underscores_in_headers on;
    ignore_invalid_headers off;
    server {{
        listen 127.0.0.1:{{port}};
        location / {{ proxy_pass http://127.0.0.1:{service.port}; }}
    }}
""").start()
    yield nginx
    nginx.stop()
    service.close()


def test_all_of_them_hold_at_a_gate(gate):
    """What nginx itself refuses (400) never gets to a service either; it is counted apart."""
    refused = {403: 0, 400: 0}
    for cve in cases.shipped():
        for one in cases.load(cve)["hits"]:
            status = ask(gate.port, cases.request(one))
            assert status in refused, (cve, one, status)
            refused[status] += 1
        for one in cases.load(cve)["passes"]:
            status = ask(gate.port, cases.request(one))
            assert status != 403, (cve, one, status)
    print(f"{refused[403]} exploits stopped by the gate, {refused[400]} by nginx before it")
    assert refused[403] > 10 * refused[400]
