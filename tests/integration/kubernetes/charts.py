# SPDX-License-Identifier: Apache-2.0
"""Renders the chart: by Helm itself where it is installed (GUARD_HELM, or helm in PATH), else by the same template language without Helm.

Helm isn't among Debian's packages. Its language is Go's text/template with the functions of sprig, and Debian's caddy has just these, in a
module that serves files as templates. What Helm alone does isn't played: it checks values by the schema (jsonschema does it here), merges
them, and keeps releases."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.request

import jsonschema
import yaml
from harness import ROOT, end_process, free_port
from waiting import wait_for

CHART = ROOT / "deploy" / "helm" / "guard"
CADDYFILE = """{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  root * {folder}
  templates {{
    mime text/plain
  }}
  file_server
}}
"""


class Refused(Exception):
    """By the schema, or by a template."""


def merged(base, over):
    """As Helm merges what is said into the defaults: mappings by members, all else whole."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {name: merged(base[name], over[name]) if name in base and name in over else over.get(name, base.get(name))
            for name in list(base) + [name for name in over if name not in base]}


def check(values):
    """By the schema; with the path of what is wrong, as Helm says it."""
    validator = jsonschema.Draft7Validator(json.loads((CHART / "values.schema.json").read_text()))
    faults = [f"{'.'.join(map(str, one.absolute_path)) or '(root)'}: {one.message}" for one in validator.iter_errors(values)]
    if faults:
        raise Refused("\n".join(faults))


class ByTemplates:
    name = "caddy (text/template and sprig, without Helm)"

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        (folder / "root").mkdir(parents=True)
        (folder / "Caddyfile").write_text(CADDYFILE.format(port=self.port, folder=folder / "root"))
        env = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen(["caddy", "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"], stderr=log, stdout=log,
                                            env=env)
        wait_for(lambda: self.fetch("none.txt", 404), "caddy")

    def fetch(self, name, want=200, data=""):
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}/{name}", headers={"X-Data": data})
        try:
            with urllib.request.urlopen(asked) as answer:
                return answer.read().decode() if want == 200 else ""
        except urllib.error.HTTPError as error:
            if error.code == want:
                return "x"
            raise Refused(self.said()) from error
        except OSError:
            return ""

    def said(self):
        """What the template failed by, as caddy's log tells it before all that was asked."""
        last = json.loads((self.folder / "log").read_text().splitlines()[-1])
        return str(last.get("msg", last))

    def text(self, name, data):
        """One template, with the helpers before it, and the data as Helm hands it over."""
        helpers = (CHART / "templates/_helpers.tpl").read_text()
        template = (CHART / "templates" / name).read_text()
        (self.folder / "root/one.txt").write_text(
            f'{helpers}{{{{ define "main" }}}}{template}{{{{ end }}}}{{{{ template "main" (fromJson (.Req.Header.Get "X-Data")) }}}}')
        return self.fetch("one.txt", data=json.dumps(data))

    def render(self, over, namespace="guard-system"):
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        values = merged(yaml.safe_load((CHART / "values.yaml").read_text()), over)
        check(values)
        data = {"Values": values, "Release": {"Name": "guard", "Namespace": namespace, "Service": "Helm"},
                "Chart": {"Name": chart["name"], "Version": chart["version"], "AppVersion": chart["appVersion"]}}
        out = {}
        for path in sorted((CHART / "templates").glob("[!_]*")):
            out[path.name] = self.text(path.name, data)
        return out

    def stop(self):
        end_process(self.process)


class ByHelm:
    def __init__(self, program, folder):
        self.program, self.folder, self.name = program, folder, f"Helm itself ({program})"
        folder.mkdir(parents=True)

    def render(self, over, namespace="guard-system"):
        (self.folder / "values.yaml").write_text(yaml.safe_dump(over))
        done = subprocess.run([self.program, "template", "guard", CHART, "--namespace", namespace, "--values", self.folder / "values.yaml",
                               "--kube-version", "1.30.0"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Refused(done.stderr)
        return {"all": done.stdout}

    def stop(self):
        pass


def renderer(folder):
    """None: nothing is here that can."""
    helm = os.environ.get("GUARD_HELM") or shutil.which("helm")
    made = ByHelm(helm, pathlib.Path(folder)) if helm else ByTemplates(pathlib.Path(folder)) if shutil.which("caddy") else None
    print(f"***** the chart is rendered by {made.name if made else 'nothing'} *****", file=sys.__stderr__)
    return made


def objects_of(files):
    return [one for name, text in files.items() if name != "NOTES.txt" for one in yaml.load_all(text, yaml.CSafeLoader) if one]
