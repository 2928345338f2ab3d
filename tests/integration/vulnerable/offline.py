# SPDX-License-Identifier: Apache-2.0
"""The same learning without a gate, from the same requests and answers: a running gate has no switch for likeness, `guard check` has. It
tells what novelty alone makes of an exploit."""

import base64
import json
import subprocess

from harness import BIN


def exchange(data, answer, address, moment):
    """Without an answer only the request is judged: an answer that lacks what answers always have would be an anomaly of its own."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    made = {"time": round(moment, 3), "client": address,
            "request": {"method": method, "target": target, "version": version, "headers": [line.split(": ", 1) for line in lines],
                        "body_b64": base64.b64encode(body).decode()}}
    if answer is not None:
        made["response"] = {"status": answer.status, "headers": list(answer.headers.items()), "body_b64": base64.b64encode(answer.body).decode()}
    return made


def write(path, exchanges):
    path.write_text("".join(json.dumps(one) + "\n" for one in exchanges))
    return path


def run(*arguments):
    done = subprocess.run([BIN / "guard", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def judge(folder, name, learned, asked, budget, likeness):
    """The verdicts on the exchanges that are asked, by what the others taught: blocked, reported or missed."""
    pile, guardian = folder / f"{name}.pile", folder / f"{name}.yaml"
    run("learn", "--service", name, "--pile", pile, "--guardian", guardian, write(folder / f"{name}.jsonl", learned))
    text = run("check", "--guardian", guardian, "--alpha", budget, "--likeness", likeness, "--format", "jsonl", write(folder / f"{name}.asked", asked))
    return [{"block": "blocked", "alert": "reported", "pass": "missed"}[json.loads(line)["verdict"]] for line in text.splitlines()]
