# SPDX-License-Identifier: Apache-2.0
"""`guard webhook` without a cluster, and what its answers take: of clocks, and of processors, which other programs on the machine don't
change."""

import http.client
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
import admission_reviews as reviews  # noqa: E402
from harness import BIN, accepts, free_port, wait_for  # noqa: E402

HTTP = {"name": "http", "containerPort": 8080, "protocol": "TCP"}
ACCOUNT = 65532


def certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "new.key", "-out",
                    folder / "new.crt"], check=True, capture_output=True)
    (folder / "new.key").chmod(0o644)
    (folder / "new.key").rename(folder / "tls.key")
    (folder / "new.crt").rename(folder / "tls.crt")


class Webhook:
    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        certificate(folder, "first")
        # It wants no root; what it is made of may lie where only root gets.
        shutil.copy(BIN / "guard", folder / "guard")
        account = {}
        if os.geteuid() == 0:
            account = {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []}
            folder.chmod(0o711)
            (folder / "state").mkdir()
            os.chown(folder / "state", ACCOUNT, ACCOUNT)
        self.process = subprocess.Popen([folder / "guard", "webhook", "--listen", f"127.0.0.1:{self.port}", "--certificate",
                                         folder / "tls.crt", "--key", folder / "tls.key", "--state", folder / "state", "--image",
                                         "localhost/guard:1"], stderr=subprocess.DEVNULL, **account)
        wait_for(lambda: accepts(self.port), "the webhook")

    def post(self, body, path="/inject", method="POST"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        context = ssl.create_default_context(cafile=self.folder / "tls.crt")
        request = urllib.request.Request(f"https://localhost:{self.port}{path}", data=data if method == "POST" else None, method=method,
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return json.loads(answer.read() or b"null")

    def status(self, body, **options):
        try:
            self.post(body, **options)
            return 200
        except urllib.error.HTTPError as error:
            return error.code

    def subject(self):
        text = ssl.get_server_certificate(("127.0.0.1", self.port))
        return subprocess.run(["openssl", "x509", "-noout", "-subject"], input=text, capture_output=True, text=True, check=True).stdout

    def processes(self):
        """guard, nginx and its worker."""
        found = [self.process.pid]
        for pid in found:
            for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
        return found


# --- what it takes ---

def used_ms(pids):
    """Of processors, by those processes so far. Each has one thread."""
    return sum(int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e6


class Took:
    """Of so many rounds: times by the clock in ms, and the webhook's processor time for each."""

    def __init__(self, name, webhook, rounds, once):
        for _ in range(20):
            once()  # nobody was there before
        pids = webhook.processes()
        before, times = used_ms(pids), []
        for _ in range(rounds):
            begin = time.monotonic()
            once()
            times.append(1000 * (time.monotonic() - begin))
        self.cpu = (used_ms(pids) - before) / rounds
        times.sort()
        self.median, self.p99, self.name = times[rounds // 2], times[rounds * 99 // 100], name

    def __str__(self):
        return (f"{self.name}: median {self.median:.2f} ms, p99 {self.p99:.2f} ms by the clock, {self.cpu:.2f} ms of processor time, "
                f"load {os.getloadavg()[0]:.1f}")


def measure(webhook, rounds):
    """A review over a connection that is kept; one over a new connection; the connection alone, which is the handshake. The API server
    makes new ones as this client does: it reads its authority once, and resumes no sessions."""
    body = json.dumps(reviews.review(reviews.pod(HTTP)))
    context = ssl.create_default_context(cafile=webhook.folder / "tls.crt")
    kept = http.client.HTTPSConnection("localhost", webhook.port, context=context, timeout=30)

    def ask(connection):
        connection.request("POST", "/inject", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200 and json.loads(answer.read())["response"]["allowed"] is True

    def anew():
        connection = http.client.HTTPSConnection("localhost", webhook.port, context=context, timeout=30)
        ask(connection)
        connection.close()

    def handshake():
        with socket.create_connection(("127.0.0.1", webhook.port), timeout=30) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                assert connection.version() == "TLSv1.3"
    try:
        return [Took("a review over a connection that is kept", webhook, rounds, lambda: ask(kept)),
                Took("a review over a new TLS connection", webhook, rounds, anew),
                Took("a new TLS connection alone", webhook, rounds, handshake)]
    finally:
        kept.close()
