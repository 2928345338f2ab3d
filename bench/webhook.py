#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long `guard webhook` takes for a review, by the clock and of processors: over the connection that an API server keeps, over a new one,
and what of it is the new connection. Each is asked after the other, by one client.

--p99-ms holds the first two to a bound, by the clock: for machines that do nothing else."""

import argparse
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "integration" / "kubernetes" / "inject"), str(ROOT / "tests" / "integration")]
from harness import end_process  # noqa: E402
from webhooks import Webhook, measure  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--p99-ms", type=float)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="guard-webhook.") as folder:
        webhook = Webhook(pathlib.Path(folder))
        try:
            took = measure(webhook, options.rounds)
        finally:
            end_process(webhook.process)
    for one in took:
        print(one)
    late = [one.name for one in took[:2] if options.p99_ms is not None and one.p99 > options.p99_ms]
    if late:
        sys.exit(f"later than {options.p99_ms:g} ms (p99): {', '.join(late)}")


if __name__ == "__main__":
    main()
