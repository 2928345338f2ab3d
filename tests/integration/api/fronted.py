# SPDX-License-Identifier: Apache-2.0
"""guardd behind the nginx that deploy/nginx/guardd.conf describes, with certificates made here, and clients that come by curl."""

import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import ROOT, Answer  # noqa: E402

CONF = ROOT / "deploy/nginx/guardd.conf"


def run(*command, cwd=None, data=None):
    done = subprocess.run([str(part) for part in command], cwd=cwd, input=data, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


class Certificates:
    """An authority with a server's certificate and those of clients, by name."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.authority("ca")
        self.issue("server", "/CN=guardd", "ca", "subjectAltName=IP:127.0.0.1")

    def path(self, name, kind="pem"):
        return self.folder / f"{name}.{kind}"

    def authority(self, name):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            f"/CN={name}", "-keyout", self.path(name, "key"), "-out", self.path(name))

    def issue(self, name, subject, authority="ca", extension="basicConstraints=CA:FALSE"):
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject, "-keyout",
            self.path(name, "key"), "-out", self.path(name, "csr"))
        self.path(name, "ext").write_text(extension + "\n")
        run("openssl", "x509", "-req", "-in", self.path(name, "csr"), "-CA", self.path(authority), "-CAkey",
            self.path(authority, "key"), "-CAcreateserial", "-days", "2", "-extfile", self.path(name, "ext"), "-out", self.path(name))
        return name


def parse(output, failure=""):
    head, _, body = output.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    words = lines[0].split(" ")
    return Answer(int(words[1]) if len(words) > 1 and words[1].isdigit() else 0, headers, body, failure)


class Front:
    """nginx with the shipped configuration; its paths and its port are the test's."""

    def __init__(self, nginx, state, certificates, front_token="", instead=()):
        # A socket's path may have only 107 bytes.
        self.short = tempfile.TemporaryDirectory(prefix="front")
        (pathlib.Path(self.short.name) / "s").symlink_to(state)
        self.certificates = certificates
        front = certificates.folder / "front.conf"
        front.write_text(f'proxy_set_header X-Guard-Front "{front_token}";\n')
        text = CONF.read_text()
        for old, new in (("/var/lib/guard/", f"{self.short.name}/s/"), ("/etc/guard/tls/clients.pem", str(certificates.path("ca"))),
                         ("/etc/guard/tls/", f"{certificates.folder}/"), ("/etc/guard/front.conf", str(front)),
                         ("listen 8443 ", "listen 127.0.0.1:{port} "), *instead):
            assert old in text, old
            text = text.replace(old, new)
        text, count = re.subn(r"^ *listen \[::\].*\n", "", text, flags=re.M)
        assert count == 1
        self.nginx = nginx(text, module=None)

    def command(self, path, *options, token=None, certificate=None):
        command = ["curl", "-sS", "-i", "--http2", "--globoff", "--path-as-is", "--max-time", "120", "--cacert",
                   str(self.certificates.path("ca"))]
        if token is not None:
            command += ["-H", f"Authorization: Bearer {token}"]
        if certificate is not None:
            command += ["--cert", str(self.certificates.path(certificate)), "--key", str(self.certificates.path(certificate, "key"))]
        return [*command, *options, f"https://127.0.0.1:{self.nginx.port}/api/v1{path}"]

    def ask(self, path, *options, method="GET", body=None, token=None, certificate=None):
        options = ["-X", method, *options]
        if body is not None:
            options += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
        done = subprocess.run(self.command(path, *options, token=token, certificate=certificate), capture_output=True, timeout=180,
                              check=False, input=json.dumps(body).encode() if body is not None else None)
        return parse(done.stdout, done.stderr.decode(errors="replace") if done.returncode != 0 else "")

    def connect(self):
        """A TLS connection for HTTP/1.1, whose client says what it likes."""
        context = ssl.create_default_context(cafile=str(self.certificates.path("ca")))
        return context.wrap_socket(socket.create_connection(("127.0.0.1", self.nginx.port), 120), server_hostname="127.0.0.1")

    def close(self):
        self.short.cleanup()


def raw(state, door="api-front.sock"):
    """A connection to guardd's own socket, without nginx."""
    here = os.open(state, os.O_RDONLY)
    try:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(60)
        sock.connect(f"/proc/self/fd/{here}/{door}")
        return sock
    finally:
        os.close(here)


def ask_raw(sock, path, *headers, method="GET"):
    """One request on a connection that is kept."""
    lines = [f"{method} /api/v1{path} HTTP/1.1", "Host: guardd", *headers]
    sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    got = b""
    while b"\r\n\r\n" not in got:
        piece = sock.recv(65536)
        assert piece, got
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    answer = parse(head + b"\r\n\r\n")
    while len(body) < int(answer.headers["content-length"]):
        piece = sock.recv(65536)
        assert piece, got
        body += piece
    return Answer(answer.status, answer.headers, body, "")
