# SPDX-License-Identifier: Apache-2.0
"""What alpha means: of benign traffic with an endless tail of rare things that many clients send, at most twice alpha is
blocked, counted in whole exchanges. tests/prop/prop_calibration.c has more kinds of streams."""

import json
import random
import string
import subprocess

from harness import BIN

MARKS = "-._'~!*()$@:,;/"
FIELDS = 12
ALPHA = 0.001


def value(rng):
    length = rng.randint(3, 8)
    while length < 60 and rng.randrange(25) == 0:
        length *= 2
    text = [rng.choice(string.ascii_lowercase) for _ in range(length)]
    if rng.randrange(30) == 0:
        text[length // 2] = rng.choice(string.digits)
    if rng.randrange(300) == 0:
        text[rng.randrange(length)] = next((mark for mark in MARKS if rng.randrange(2)), MARKS[-1])
    return "".join(text)


def exchanges(rng, first, count):
    for number in range(first, first + count):
        client = rng.randrange(300)
        yield {"id": str(number), "time": 1_700_000_000 + 15 * number, "service": "shop", "client": f"10.{client >> 8}.{client & 255}.1",
               "request": {"method": "GET", "headers": [["host", "shop"]],
                           "target": rng.choice(["/find", "/orders", "/notes"]) + "?" +
                           "&".join(f"f{i:02}={value(rng)}" for i in range(FIELDS))},
               "response": {"status": 200}}


def write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_alpha_is_the_rate_of_exchanges_blocked_in_vain(tmp_path):
    rng = random.Random(4711)
    learned, later = write(tmp_path / "a.jsonl", exchanges(rng, 1, 4000)), write(tmp_path / "b.jsonl", exchanges(rng, 4001, 4000))
    pile, guardian = tmp_path / "shop.pile", tmp_path / "shop.yaml"
    subprocess.run([BIN / "guard", "learn", "--service", "shop", "--pile", pile, "--guardian", guardian, learned], check=True,
                   capture_output=True)
    done = subprocess.run([BIN / "guard", "check", "--guardian", guardian, "--pile", pile, "--alpha", str(ALPHA), "--format", "jsonl",
                           later], check=True, capture_output=True, text=True)
    blocked = sum(json.loads(line)["verdict"] == "block" for line in done.stdout.splitlines())
    assert blocked <= 20, "at twice alpha 8 are expected, and more than 20 once in ten thousand times"
