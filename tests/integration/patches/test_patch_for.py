# SPDX-License-Identifier: Apache-2.0
"""`guard patch for`: an inventory of really vulnerable packages asks for the patches of these vulnerabilities, one of repaired versions for
none; what can't be told is told; bad inventories are refused where they are bad, and nothing is half added."""

import json
import pathlib
import subprocess
import sys

import pytest
import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))
import cases  # noqa: E402
from harness import BIN  # noqa: E402

LOCK = HERE.parent / "vulnerable" / "victims" / "package-lock.json"
EXPLOITS = HERE.parent / "vulnerable" / "cves"
REPAIRED = {"ejs": "3.1.7", "express-fileupload": "1.1.10", "flat": "5.0.1", "handlebars": "4.5.3", "js-yaml": "2.0.5",
            "jsonpath-plus": "10.3.0", "lodash": "4.17.12", "pug": "3.0.1", "pug-code-gen": "3.0.2", "squirrelly": "9.0.0", "st": "0.2.5",
            "systeminformation": "5.3.1", "xml2js": "0.5.0", "node-serialize": None}


def guard(*arguments, status=0):
    done = subprocess.run([BIN / "guard", "patch", *map(str, arguments), "--patches", cases.SHIPPED], capture_output=True, timeout=120,
                          check=False, text=True)
    assert done.returncode == status, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done


def component(name, version):
    purl = "pkg:npm/" + name.replace("@", "%40") + (f"@{version}" if version else "")
    return {"type": "library", "name": name, **({"version": version} if version else {}), "purl": purl}


def packages():
    """(name, version) of all that the vulnerable services of the other tests install."""
    lock = json.loads(LOCK.read_text())
    return [(place.split("node_modules/")[-1], found["version"]) for place, found in lock["packages"].items() if "node_modules/" in place]


def inventory(folder, components, **more):
    path = folder / "sbom.json"
    path.write_text(json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components, **more}))
    return path


def answers(done):
    return {line["id"]: line["answer"] for line in map(json.loads, done.stdout.splitlines())}


def vulnerabilities():
    return {path.stem for path in EXPLOITS.glob("CVE-*.http")}


def test_vulnerable_packages_ask_for_their_patches(tmp_path):
    sbom = inventory(tmp_path, [component(*package) for package in packages()])
    done = guard("for", sbom, "--format", "json")
    assert set(answers(done).values()) == {"applies"}
    assert set(answers(done)) == vulnerabilities()
    text = guard("for", sbom).stdout
    assert "pkg:npm/lodash@4.17.11 at components[" in text and "(<4.17.12)" in text
    assert text.endswith(f"{len(packages())} components; of {len(cases.shipped())} patches {len(vulnerabilities())} apply, 0 can't be told\n")


def test_repaired_packages_ask_for_none(tmp_path):
    components = [component(name, REPAIRED.get(name, version)) for name, version in packages() if REPAIRED.get(name, version)]
    assert answers(guard("for", inventory(tmp_path, components), "--format", "json")) == {}


# Of each branch the last release that has the fault, and the first that hasn't.
BRANCHES = [
    ("CVE-2014-6271", {"purl": "pkg:generic/bash@{}"}, ["2.05b", "3.0.18", "3.1.19", "3.2.53", "4.0.40", "4.1.13", "4.2.49", "4.3", "4.3.26"],
     ["3.0.19", "3.1.20", "3.2.54", "4.0.41", "4.1.14", "4.2.50", "4.3.27", "4.4", "5.2.15"]),
    ("CVE-2014-6271", {"cpe": "cpe:2.3:a:gnu:bash:{}:*:*:*:*:*:*:*"}, ["4.3"], ["4.4", "5.0"]),
    ("CVE-2017-9841", {"purl": "pkg:composer/phpunit/phpunit@{}"}, ["4.8.19", "4.8.27", "5.0.10", "5.6.2"], ["3.7.38", "4.8.18", "4.8.28", "5.6.3", "6.0.0"]),
    ("CVE-2020-7699", {"purl": "pkg:npm/express-fileupload@{}"}, ["1.1.7", "1.1.8", "1.1.9"], ["1.1.10", "1.4.0"]),
    ("CVE-2024-21887", {"cpe": "cpe:2.3:a:ivanti:connect_secure:{}:*:*:*:*:*:*:*"},
     ["9.1R14.3", "9.1R17.1", "9.1R18.2", "22.4R2.1", "22.5R1", "22.5R2.1", "22.6R2.1"],
     ["9.1R14.4", "9.1R17.2", "9.1R18.3", "22.4R2.2", "22.5R1.1", "22.5R2.2", "22.6R2.2", "22.7R1"]),
]


@pytest.mark.parametrize("cve, named, faulty, repaired", BRANCHES, ids=[f"{cve}-{next(iter(named))}" for cve, named, *_ in BRANCHES])
def test_branches_end_where_each_was_repaired(tmp_path, cve, named, faulty, repaired):
    [(member, form)] = named.items()
    for version in faulty + repaired:
        sbom = inventory(tmp_path, [{"type": "application", "name": "it", "version": version, member: form.format(version)}])
        assert (answers(guard("for", sbom, "--format", "json")).get(cve) == "applies") == (version in faulty), version


def test_components_lie_in_components_and_in_the_described_one(tmp_path):
    inner = [{"name": "war", "type": "application", "components": [
        {"type": "library", "group": "org.apache.logging.log4j", "name": "log4j-core", "version": "2.14.1",
         "purl": "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1?type=jar"}]}]
    described = {"component": {"name": "bigip", "version": "16.1.0", "cpe": "cpe:2.3:a:f5:big-ip_local_traffic_manager:16.1.0:*:*:*:*:*:*:*"}}
    done = guard("for", inventory(tmp_path, inner, metadata=described))
    assert "at components[0].components[0] (" in done.stdout and "at metadata.component (" in done.stdout
    assert "CVE-2021-44228 " in done.stdout and "CVE-2022-1388 " in done.stdout


def test_what_cannot_be_told_is_told(tmp_path):
    done = guard("for", inventory(tmp_path, [component("lodash", None), component("ejs", "workspace:x"), {"name": "home-made", "version": "1"},
                                             {"name": "odd", "purl": "npm/odd@1"}]))
    assert "CVE-2019-10744           can't be told" in done.stdout and "no version; affected: <4.17.12" in done.stdout
    assert "CVE-2022-29078           can't be told" in done.stdout and "no version that can be compared" in done.stdout
    assert "0 apply, 2 can't be told" in done.stdout
    assert 'compared with nothing: "home-made"' in done.stderr
    assert "components[3].purl: a package URL begins with" in done.stderr


def test_they_are_added_in_shadow(tmp_path):
    state = tmp_path / "state"
    sbom = inventory(tmp_path, [component("lodash", "4.17.11"), component("ejs", "3.1.6"), component("next", None)])
    asked = ["for", sbom, "--add", "--service", "shop", "--state", state, "--reason", "inventory", "--force"]
    state.mkdir()
    guard(*asked, "--dry-run")
    assert not any(state.rglob("*shop*"))
    guard(*asked)
    listed = guard("list", "--service", "shop", "--state", state).stdout
    lines = [line.split() for line in listed.splitlines() if line.startswith("CVE-")]
    assert sorted((line[0], line[1], line[2]) for line in lines) == [("CVE-2019-10744", "shadow", "block"), ("CVE-2022-29078", "shadow", "block")]


BAD = {
    "no JSON": ("bomFormat: CycloneDX", ":1:1: a JSON value is missing"),
    "another document": ('{"spdxVersion": "SPDX-2.3"}', "no CycloneDX document"),
    "another version": ('{"bomFormat": "CycloneDX",\n "specVersion": "9.9"}', ':2:23: "specVersion" isn\'t one of'),
    "cut": ('{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"name": "a"', ":1:"),
    "components of another kind": ('{"bomFormat":"CycloneDX","specVersion":"1.5",\n"components":{"a":1}}', ":2:14: components are a list"),
    "nested": ('{"bomFormat":"CycloneDX","specVersion":"1.5"' + ',"components":[{"a":1' * 40 + "}]" * 40 + "}", "nested too deeply"),
    "a component of another kind": ('{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"name":"lodash","version":"4.17.11",'
                                    '"purl":"pkg:npm/lodash@4.17.11"},\n"x"]}', ":2:1: a component is an object in components[1]"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_inventories_add_nothing(tmp_path, name):
    text, words = BAD[name]
    path, state = tmp_path / "sbom.json", tmp_path / "state"
    state.mkdir()
    path.write_text(text)
    done = guard("for", path, "--add", "--service", "shop", "--state", state, "--force", "--reason", "x", status=1)
    assert str(path) in done.stderr and words in done.stderr, done.stderr
    assert not any(state.rglob("*shop*"))


def test_a_missing_service_is_asked_for(tmp_path):
    done = guard("for", inventory(tmp_path, []), "--add", status=2)
    assert "--add needs --service" in done.stderr


def test_the_set_is_shown():
    assert [line.split()[0] for line in guard("shipped").stdout.splitlines() if not line.startswith(" ")] == cases.shipped()
    assert yaml.safe_load(guard("shipped", "CVE-2021-44228").stdout) == cases.document("CVE-2021-44228")
    assert "no shipped patch has that id" in guard("shipped", "CVE-1999-0001", status=1).stderr


def test_a_misspelt_document_is_refused(tmp_path):
    (tmp_path / "X-1.yaml").write_text("kind: Patches\naffects:\n- {package: 'pkg:npm/x', version: '<1'}\npatches:\n- {id: X-1, title: x}\n")
    done = subprocess.run([BIN / "guard", "patch", "shipped", "--patches", tmp_path], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1 and "X-1.yaml:3:" in done.stderr


def test_the_table_of_the_guide_is_what_they_say():
    subprocess.run([sys.executable, HERE.parents[2] / "tools" / "shipped_patches.py"], check=True, timeout=60)
