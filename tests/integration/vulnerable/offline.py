# SPDX-License-Identifier: Apache-2.0
"""The same learning without a gate, from the same requests and answers: a running gate has no switch for likeness, `guard check` has. It
tells what novelty alone makes of an exploit."""

import base64
import json
import subprocess

from harness import BIN


def exchange(data, answer, address, moment):
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    said = [list(answer.headers.items()), answer.body] if answer is not None else [[], b""]
    return {"time": round(moment, 3), "client": address,
            "request": {"method": method, "target": target, "version": version, "headers": [line.split(": ", 1) for line in lines],
                        "body_b64": base64.b64encode(body).decode()},
            "response": {"status": answer.status if answer is not None else 200, "headers": said[0], "body_b64": base64.b64encode(said[1]).decode()}}


def write(path, exchanges):
    path.write_text("".join(json.dumps(one) + "\n" for one in exchanges))
    return path


def run(*arguments):
    done = subprocess.run([BIN / "guard", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def judge(folder, name, learned, asked, budget, likeness):
    """The verdict on the exchange that is asked, by what the others taught: blocked, reported or missed."""
    pile, guardian = folder / f"{name}.pile", folder / f"{name}.yaml"
    if not pile.exists():
        run("learn", "--service", name, "--pile", pile, "--guardian", guardian, write(folder / f"{name}.jsonl", learned))
    text = run("check", "--guardian", guardian, "--alpha", budget, "--likeness", likeness, "--format", "jsonl", write(folder / f"{name}.asked", [asked]))
    return {"block": "blocked", "alert": "reported", "pass": "missed"}[json.loads(text.splitlines()[0])["verdict"]]
