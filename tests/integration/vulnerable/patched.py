# SPDX-License-Identifier: Apache-2.0
"""What `guard patch from` makes of each exploit: its patch alone, without anything learned, is held against the exploit, against mutations of
it and against the benign traffic of its service, by `guard check`."""

import pathlib
import sys
import tempfile

from .benign import traffic
from .catalogue import HERE

sys.path.insert(0, str(HERE.parents[2] / "tools"))
import exploit_patches  # noqa: E402

ASKED, CLIENTS = 500, 120


def as_request(data):
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    return {"method": method, "target": target, "headers": [line.split(": ", 1) for line in lines], "body": body}


def patched(exploit, seed=1):
    """The outcome for one exploit of the catalogue, and how many benign requests were asked."""
    outcome = exploit_patches.measure(HERE / "cves" / f"{exploit.number}.http", seed)
    asked = [as_request(data) for _, data in traffic(exploit.name, seed + 3).many(ASKED, CLIENTS)]
    with tempfile.TemporaryDirectory(prefix="guard-exploits.") as folder:
        path = pathlib.Path(folder) / "benign.jsonl"
        path.write_text("".join(exploit_patches.line_of(str(number), request) for number, request in enumerate(asked)))
        of = exploit_patches.against_benign([outcome], [path])
    return outcome, of
