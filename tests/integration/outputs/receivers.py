# SPDX-License-Identifier: Apache-2.0
"""What guardd sends alerts to, as far as tests play it themselves: a receiver of webhooks that checks signatures, and logs with lines
in them before guardd is started."""

import hashlib
import hmac
import http.server
import json
import threading
import time

NOW = int(time.time()) * 1000  # what is old is dropped by guardd
SECRET = b"not-a-secret-but-long-enough"


class Webhook(http.server.ThreadingHTTPServer):
    """Keeps what was posted. `answers` are the next statuses, then 200; `hang`: doesn't answer while it is clear."""
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port=0):
        self.posts, self.answers, self.lock = [], [], threading.Lock()
        self.hang = threading.Event()
        self.hang.set()
        super().__init__(("127.0.0.1", port), Receiver)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.hang.set()
        self.shutdown()
        self.server_close()

    def taken(self):
        """Those that were answered with 200."""
        with self.lock:
            return [post for post in self.posts if post["status"] == 200]

    def alerts(self):
        """Each line once: what wasn't answered in time comes again."""
        found = {}
        for post in self.taken():
            for alert in post["body"]["alerts"]:
                found[alert.get("seq", ("own", json.dumps(alert)))] = alert
        return list(found.values())


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        server = self.server
        server.hang.wait(120)
        with server.lock:
            status = server.answers.pop(0) if server.answers else 200
            server.posts.append({"status": status, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                                 "raw": body, "body": json.loads(body)})
        try:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        except OSError:
            pass

    def log_message(self, *_):
        pass


def signed(post, secret=SECRET):
    """Whether the post is signed as docs/guide/alerting.md says."""
    headers = post["headers"]
    mac = hmac.new(secret, headers["x-guard-timestamp"].encode() + b"." + post["raw"], hashlib.sha256).hexdigest()
    return hmac.compare_digest(headers.get("x-guard-signature", ""), f"v1={mac}")


def line(seq, **members):
    """A line of alerts.jsonl."""
    alert = {"time_ms": NOW + seq, "generation": 3, "status": 403, "score": 9.5, "id": f"{seq:032x}", "service": "shop",
             "verdict": "block", "action": "block", "method": "GET", "template": "/users", "client": "192.0.2.7",
             "explanation": 'BLOCK GET /users param username: character "=" never seen',
             "findings": [{"part": "request", "location": "query", "name": "username", "rule": "character", "observed": '"="',
                           "expected": "lower", "p": 1e-06}],
             "suppressed": 0, "count": 1, "first_ms": NOW + seq, "last_ms": NOW + seq, "seq": seq,
             "series": f"{seq:x}-0", "state": "first", "since_ms": NOW + seq, "total": 1}
    alert.update(members)
    return json.dumps(alert, separators=(",", ":")) + "\n"


def write_log(state, lines, name="alerts.jsonl"):
    (state / name).write_text("".join(lines))


def from_the_begin(state, name, sequence=0, position="0-0-0"):
    """A cursor before all that is in the log; without one an output begins with what comes from now on."""
    (state / "outputs").mkdir(exist_ok=True)
    (state / "outputs" / f"{name}.json").write_text(json.dumps({"position": position, "sequence": sequence}))


def write_outputs(state, outputs, fold=None):
    text = "apiVersion: guard/v1alpha1\nkind: Outputs\n" + (f"foldSeconds: {fold}\n" if fold else "")
    text += "outputs:\n" + "".join(f"  - {json.dumps(output)}\n" for output in outputs)
    (state / "outputs.new").write_text(text)
    (state / "outputs.new").rename(state / "outputs.yaml")


def secret_file(folder, mode=0o600):
    path = folder / "webhook.secret"
    path.write_bytes(SECRET + b"\n")
    path.chmod(mode)
    return path
