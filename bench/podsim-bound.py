#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the best detector could find of those who take data to usual places in guard-podsim: how many raise what a pod sends there
so many times, by the distributions in bench/podsim.params alone, without noise.

usage: bench/podsim-bound.py [DRAWS]
"""
import math
import pathlib
import random
import sys

PARAMS = {}
for line in (pathlib.Path(__file__).parent / "podsim.params").read_text(encoding="utf-8").splitlines():
    words = line.split("#")[0].split()
    if words:
        PARAMS[words[0]] = float(words[1])
ANSWER_BYTES = 3000  # podsim_load.c
TIMES = (1.2, 1.5, 2, 3, 5)
RANDOM = random.Random(1)


def spread(median, sigma):
    return median * math.exp(sigma * RANDOM.gauss(0, 1))


def one():
    """(bytes of places are known, there are others, bytes a second to the place, of all, bytes that are taken)"""
    p = PARAMS
    beside = RANDOM.random() < p["sidecar_only"] or RANDOM.random() < p["beside"]
    others = RANDOM.random() >= p["replicas_1"]
    skew = p["skew"] if RANDOM.random() < p["sticky"] else p["skew_balanced"]
    demand = (1 + 0.8 * math.sin(2 * math.pi * RANDOM.random())) * spread(1, skew)
    places = [spread(p["volume"], p["volume_spread"]) / 60 * demand for _ in range(1 + RANDOM.randrange(int(p["places_max"])))]
    requests = spread(p["requests_per_day"], p["requests_spread"]) / 86400 * demand
    return beside, others, places[0], sum(places) + ANSWER_BYTES * requests, spread(p["taken_bytes"], p["taken_spread"])


def main():
    drawn = [one() for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 60000)]
    print("| taken within | what is known |", " | ".join(f"{times} times" for times in TIMES), "|")
    for name in ("taken_at_once", "taken_hour", "taken_day"):
        seconds = PARAMS[name]
        for label, known in (("bytes of places, with others", lambda b, o, to, total: to if b and o else math.inf),
                             ("bytes of places, else of the pod", lambda b, o, to, total: to if b else total)):
            shares = [sum(row[4] / max(seconds, 3600) / known(*row[:4]) > times - 1 for row in drawn) / len(drawn) for times in TIMES]
            print(f"| {seconds:.0f} s | {label} |", " | ".join(f"{100 * share:.0f} %" for share in shares), "|")
    exports = [spread(PARAMS["export_bytes"], PARAMS["export_spread"]) for _ in drawn]
    for least in (5e7, 1e8, 2e8, 4e8):
        taken = sum(row[4] > least for row in drawn) / len(drawn)
        told = 1000 * PARAMS["exports"] * sum(size > least for size in exports) / len(exports)
        print(f"above {least / 1e6:.0f} MB: {100 * taken:.0f} % of what is taken, {told:.1f} exports per 1,000 pod-days")


if __name__ == "__main__":
    main()
