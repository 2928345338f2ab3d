# SPDX-License-Identifier: Apache-2.0
"""What `guard patch from` makes of each exploit and of benign traffic of its service: that patch alone, without anything learned, is held
against the exploit, against mutations of it and against other benign traffic, by `guard check` here and by real gates in rig.py."""

import pathlib
import sys
import tempfile

from .benign import traffic
from .catalogue import HERE

sys.path.insert(0, str(HERE.parents[2] / "tools"))
import exploit_patches  # noqa: E402

ASKED, CLIENTS, SHOWN = 500, 120, 2000


def as_request(data):
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    return {"method": method, "target": target, "headers": [line.split(": ", 1) for line in lines], "body": body}


def as_bytes(request):
    """To be sent: with the length that the body has."""
    headers = [(name, value) for name, value in request["headers"] if name.lower() != "content-length"]
    if request["body"] or request["method"] not in ("GET", "HEAD"):
        headers.append(("Content-Length", str(len(request["body"]))))
    head = "\r\n".join([f"{request['method']} {request['target']} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)])
    return head.encode("latin-1") + b"\r\n\r\n" + request["body"]


def write_benign(path, name, seed, count):
    asked = [as_request(data) for _, data in traffic(name, seed).many(count, CLIENTS)]
    path.write_text("".join(exploit_patches.line_of(str(number), request) for number, request in enumerate(asked)))
    return path


def proposed(folder, exploit, seed=1):
    """(the document that `guard patch from` makes of the exploit and of what its service gets, the exploit's other writings)."""
    file = HERE / "cves" / f"{exploit.number}.http"
    shown = write_benign(folder / f"{exploit.name}.jsonl", exploit.name, seed, SHOWN)
    done = exploit_patches.run("patch", "from", file, "--traffic", shown, "--id", exploit.number)
    assert done.returncode == 0, done.stderr
    return done.stdout, [(steps, as_bytes(request)) for _, steps, request in exploit_patches.asked_of(file, done.stdout, seed) if steps]


def patched(exploit, seed=1):
    """The outcome for one exploit of the catalogue, and how many benign requests were asked."""
    with tempfile.TemporaryDirectory(prefix="guard-exploits.") as name:
        folder = pathlib.Path(name)
        outcome = exploit_patches.measure(HERE / "cves" / f"{exploit.number}.http", seed, write_benign(folder / "shown.jsonl", exploit.name, seed, SHOWN))
        of = exploit_patches.against_benign([outcome], [write_benign(folder / "benign.jsonl", exploit.name, seed + 3, ASKED)])
    return outcome, of
