# SPDX-License-Identifier: Apache-2.0
"""The exchanges that shipped patches are tested with: cases/ID.yaml, which `hits` name what the patch stops and `passes` what looks like
it and isn't it.

An exchange has `target`, and may have `method`, `headers`, and one of `body`, `form`, `json` (texts as they are sent, with the media type
that they have) and `parts` (of multipart: name, text, and `file` for a file's name). A text is bytes where all its characters are (so that
"\\xad" is one), UTF-8 else. `essential`: what no other way of writing the exploit may lose, for the mutator."""

import base64
import json
import os

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
SHIPPED = os.path.join(HERE, "..", "..", "..", "patches")
BOUNDARY = "----guardcases"
BROWSER = {"host": "service.example", "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0", "accept": "*/*"}


def octets(text):
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def multipart(parts):
    out = b""
    for part in parts:
        file = f'; filename="{part["file"]}"\r\nContent-Type: application/octet-stream' if "file" in part else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part["name"]}"{file}\r\n\r\n'
        out += octets(head) + octets(part["text"]) + b"\r\n"
    return out + f"--{BOUNDARY}--\r\n".encode()


def request(case):
    """{"method", "target", "headers": [[name, value]...], "body": bytes} of a case, as mutators take it."""
    unknown = set(case) - {"method", "target", "headers", "body", "form", "json", "parts"}
    assert not unknown, f"unknown members {unknown}"
    body, media = None, None
    if "parts" in case:
        body, media = multipart(case["parts"]), f"multipart/form-data; boundary={BOUNDARY}"
    for member, kind in (("body", None), ("form", "application/x-www-form-urlencoded"), ("json", "application/json")):
        if member in case:
            body, media = octets(case[member]), kind
    own = {name.lower() for name in case.get("headers", {})}
    headers = [[name, value] for name, value in BROWSER.items() if name not in own]
    headers += [[name, value] for name, value in case.get("headers", {}).items()]
    if media and "content-type" not in own:
        headers.append(["content-type", media])
    if body is not None:
        headers.append(["content-length", str(len(body))])
    return {"method": case.get("method", "GET"), "target": case["target"], "headers": headers, "body": body or b""}


def exchange(name, asked):
    """The line of an exchange (docs/api/exchange.md)."""
    out = {"method": asked["method"], "target": asked["target"], "version": "HTTP/1.1", "headers": asked["headers"]}
    if asked["body"]:
        out["body_b64"] = base64.b64encode(asked["body"]).decode()
    return json.dumps({"id": name, "request": out})


def load(cve):
    with open(os.path.join(HERE, "cases", cve + ".yaml"), encoding="utf-8") as file:
        return yaml.safe_load(file)


def document(cve):
    with open(os.path.join(SHIPPED, cve + ".yaml"), encoding="utf-8") as file:
        return yaml.safe_load(file)


def shipped():
    """Ids of all shipped patches, in order."""
    return sorted(name[:-5] for name in os.listdir(SHIPPED) if name.endswith(".yaml"))
