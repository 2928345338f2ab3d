# SPDX-License-Identifier: Apache-2.0
"""Private nginx processes for the benchmark: an upstream, and the variants in front of it."""
import glob
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import workload

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "integration"))
from ports import free_port  # noqa: E402,F401 - which nobody else takes

NGINX = "/usr/sbin/nginx"
MODSECURITY_PACKAGE = "libnginx-mod-http-modsecurity"


class BenchError(Exception):
    """Something that makes a figure worthless; the text says what."""


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise BenchError(f"waited {seconds} s for {what}")


class Connection:
    """A keep-alive connection that sends raw requests one after the other and reads answers with a length."""

    def __init__(self, port):
        self.port, self.socket, self.rest, self.head = port, None, b"", b""

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket, self.rest = None, b""

    def status(self, raw, timeout=600):
        """Sends a request and gives the status of its answer."""
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(raw)
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head).group(1))
        while len(self.rest) < length:
            self._more()
        self.rest = self.rest[length:]
        if re.search(rb"(?i)\r\nconnection: *close", head):
            self.close()
        self.head = head
        return int(head.split(b" ", 2)[1])

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            self.close()
            raise BenchError("the server closed a connection")
        self.rest += data


def _common(prefix, workers, log="error"):
    user = "user root;" if os.geteuid() == 0 and workers else ""
    return f"""{user}
worker_processes {max(workers, 1)};
{'' if workers else 'master_process off;'}
daemon off;
pid {prefix}/nginx.pid;
error_log {prefix}/error.log {log};
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
"""


def _http(prefix):
    paths = "\n".join(f"{name}_temp_path {prefix}/{name};" for name in
                      ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"""{paths}
access_log off;
client_body_buffer_size 128k;
client_max_body_size 4m;
keepalive_requests 10000000;
keepalive_timeout 600s;
server_tokens off;
"""


def write_upstream(prefix, port):
    with open(f"{prefix}/nginx.conf", "w", encoding="ascii") as out:
        out.write(_common(prefix, 1) + "http {" + _http(prefix) +
                  f"server {{ listen 127.0.0.1:{port}; default_type application/json; return 200 '{workload.ANSWER}'; }} }}\n")


def unpack_modsecurity(folder):
    """Debian's module, unpacked below the folder: installed, it would enable itself in a system nginx."""
    if os.path.exists(f"{folder}/usr/lib/nginx/modules/ngx_http_modsecurity_module.so"):
        return
    with tempfile.TemporaryDirectory(prefix="guard-bench-package.") as cache:
        os.chmod(cache, 0o755)  # apt gets packages under an account of its own
        run = subprocess.run(["apt-get", "-q", "download", MODSECURITY_PACKAGE], cwd=cache, stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, check=False)
        packages = glob.glob(f"{cache}/*.deb")
        if run.returncode != 0 or len(packages) != 1:
            raise BenchError(f"{MODSECURITY_PACKAGE} can't be had: {(run.stderr or run.stdout)[-500:]}")
        subprocess.run(["dpkg-deb", "-x", packages[0], folder], check=True)


def write_modsecurity(prefix, folder):
    with open(f"{folder}/etc/nginx/modsecurity.conf", encoding="utf-8") as source:
        text = source.read()
    text = re.sub(r"(?m)^SecRuleEngine .*", "SecRuleEngine On", text)
    text = re.sub(r"(?m)^SecStatusEngine .*", "SecStatusEngine Off", text)
    text = re.sub(r"(?m)^SecAuditLog .*", f"SecAuditLog {prefix}/audit.log", text)
    text = text.replace("unicode.mapping", f"{folder}/etc/nginx/unicode.mapping")
    text += "\nInclude /etc/modsecurity/crs/crs-setup.conf\nInclude /usr/share/modsecurity-crs/rules/*.conf\n"
    with open(f"{prefix}/modsecurity.conf", "w", encoding="utf-8") as out:
        out.write(text)


def _proxy_server(port, h2_port, name, location):
    return f"""
server {{
    listen 127.0.0.1:{port};
    {f'listen 127.0.0.1:{h2_port} http2;' if h2_port else ''}
    server_name {name};
    location / {{
        {location}
        proxy_pass http://service;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
    }}
}}"""


def write_proxy(prefix, port, upstream, workers, guard=None, modsecurity=None, h2_port=None, log="error"):
    """guard: None or {'module', directives for 'http' and 'location', those of further 'servers' by name}; modsecurity: None or
    where its package was unpacked; workers 0: one process without a master; h2_port: one more, for HTTP/2."""
    load, http, location, servers = "", "", "", {}
    if guard is not None:
        load, http, location = f"load_module \"{guard['module']}\";", guard["http"], guard["location"]
        servers = guard["servers"]
    if modsecurity is not None:
        write_modsecurity(prefix, modsecurity)
        load = f"load_module \"{modsecurity}/usr/lib/nginx/modules/ngx_http_modsecurity_module.so\";"
        http = f"modsecurity on; modsecurity_rules_file {prefix}/modsecurity.conf;"
    with open(f"{prefix}/nginx.conf", "w", encoding="ascii") as out:
        out.write(load + _common(prefix, workers, log) + "http {" + _http(prefix) + http + f"""
server_names_hash_max_size 4096;
upstream service {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 10000000; keepalive_timeout 600s; }}
""" + "".join(_proxy_server(port, h2_port, name, text) for name, text in [("_", location), *servers.items()]) + "\n}\n")


class Server:
    """An nginx of our own; stop() waits for its end and gives what it wrote to standard error."""

    def __init__(self, prefix, port, before=(), h2_port=None):
        self.prefix, self.port, self.h2_port = prefix, port, h2_port
        self.log = open(f"{prefix}/output", "wb")
        self.process = subprocess.Popen([*before, NGINX, "-p", prefix, "-c", f"{prefix}/nginx.conf", "-e", f"{prefix}/error.log"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            wait_for(self._listens, 300 if before else 120, f"nginx in {prefix}")
        except BenchError:
            self.stop()
            raise

    def _listens(self):
        if self.process.poll() is not None:
            raise BenchError("nginx ended: " + self.output() + self.errors())
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def worker(self):
        """The process id of the only worker."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            return int(children.read().split()[0])

    def output(self):
        with open(f"{self.prefix}/output", encoding="utf-8", errors="replace") as text:
            return text.read()

    def errors(self):
        try:
            with open(f"{self.prefix}/error.log", encoding="utf-8", errors="replace") as text:
                return text.read()
        except FileNotFoundError:
            return ""

    def stop(self):
        """An nginx without a master may sleep through a signal that comes between its check and its wait: ask again."""
        for _ in range(30):
            if self.process.poll() is not None:
                break
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                continue
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        return self.output()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()


def cpu_nanoseconds(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stat:
            total += int(stat.read().split()[0])
    return total


def resident_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return int(re.search(r"Rss:\s+(\d+) kB", rollup.read()).group(1)) * 1024
