# SPDX-License-Identifier: Apache-2.0
"""Talking with guardd's API by the curl program, and holding its answers against the document that guardd itself serves."""

import json
import os
import pathlib
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guardd"))
import jsonschema  # noqa: E402
from harness import Answer  # noqa: E402
from waiting import wait_for  # noqa: E402

BASE = "http://guardd/api/v1"


def curl(state, path, *options, data=None, timeout=60):
    """From inside the state directory: a socket's path may have only 107 bytes."""
    done = subprocess.run(["curl", "-sS", "-i", "--globoff", "--path-as-is", "--max-time", str(timeout), "--unix-socket", "api.sock",
                           *options, BASE + path], cwd=state, capture_output=True, input=data, timeout=timeout + 60, check=False)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    while head[9:12] == b"100":
        head, _, body = body.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    status = int(lines[0].split(" ")[1]) if lines[0].startswith("HTTP/") else 0
    return Answer(status, headers, body, done.stderr.decode(errors="replace") if done.returncode != 0 else "")


class Api:
    def __init__(self, state):
        self.state = pathlib.Path(state)
        self.document = None

    def ready(self):
        wait_for(lambda: curl(self.state, "/health/live").status == 200, "the API")
        self.document = curl(self.state, "/openapi.json").json()
        return self

    def ask(self, method, path, body=None, headers=(), type="application/json"):
        options = ["-X", method]
        for header in headers:
            options += ["-H", header]
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            options += ["-H", f"Content-Type: {type}", "--data-binary", "@-"]
        return curl(self.state, path, *options, data=data)

    def get(self, path, *headers, status=200):
        """The document at the path, after it was held against its schema."""
        answer = self.ask("GET", path, headers=headers)
        assert answer.status == status, (path, answer.status, answer.body, answer.failure)
        self.check("GET", path, answer)
        return answer.json()

    def put(self, path, body, *headers, status=200, method="PUT"):
        answer = self.ask(method, path, body, headers)
        assert answer.status == status, (path, answer.status, answer.body, answer.failure)
        self.check(method, path, answer)
        return answer.json()

    def problem(self, answer, status, field=None):
        assert answer.status == status, (answer.status, answer.body, answer.failure)
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        self.validate(problem, {"$ref": "#/components/schemas/Problem"})
        assert problem["status"] == status and problem.get("field") == field, problem
        return problem

    def validate(self, value, schema):
        resolver = jsonschema.RefResolver("", self.document)
        jsonschema.Draft202012Validator(schema, resolver=resolver).validate(value)

    def operation(self, method, path):
        want = path.partition("?")[0].strip("/").split("/")
        found = []
        for template, methods in self.document["paths"].items():
            have = template.strip("/").split("/")
            if len(have) == len(want) and all(a == b or a.startswith("{") for a, b in zip(have, want)):
                found.append((template.count("{"), template, methods))
        return min(found)[2][method.lower()]

    def check(self, method, path, answer):
        operation = self.operation(method, path)
        response = operation["responses"][str(answer.status)]
        if "$ref" in response:
            response = self.document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in response["content"], (path, kind)
        if kind.endswith("json"):
            self.validate(answer.json(), response["content"][kind]["schema"])


def connect(state):
    """A raw connection, by a short path."""
    here = os.open(state, os.O_RDONLY)
    try:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(60)
        sock.connect(f"/proc/self/fd/{here}/api.sock")
        return sock
    finally:
        os.close(here)
