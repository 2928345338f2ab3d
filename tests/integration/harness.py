# SPDX-License-Identifier: Apache-2.0
"""Tools of integration tests: nginx instances and upstreams of their own on free loopback ports, waiting on conditions
instead of time, and the programs under test. GUARD_BIN and GUARD_MODULE say where these are (default: build/), GUARD_NGINX which nginx
loads the module (default: the one that is installed)."""

import hashlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GUARD_BUILD", ROOT / "build"))
BIN = pathlib.Path(os.environ.get("GUARD_BIN", BUILD / "bin"))
MODULE = pathlib.Path(os.environ.get("GUARD_MODULE", BUILD / "modules" / "ngx_http_guard_module.so"))
NGINX = os.environ.get("GUARD_NGINX") or shutil.which(
    "nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def wait_for(condition, what, timeout=15.0, pause=0.01):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s for {what}")
        time.sleep(pause)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def end_process(process, number=signal.SIGTERM, timeout=15):
    """Ends a process that we started, by its id, and insists when it doesn't."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def processes_below(parent):
    """Ids of the children of a process."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(entry.name))
    return sorted(found)


class Nginx:
    """An nginx with a prefix of its own. `http` is the text inside the http block; {port} is replaced by the listening port,
    {port2}... by further free ones, {prefix} by the folder. The guard module is loaded when `module` is set."""

    def __init__(self, prefix, http, *, module=MODULE, workers=1, main="", events="", connections=1024, env=None, wrapper=()):
        self.prefix = pathlib.Path(prefix)
        self.prefix.mkdir(parents=True, exist_ok=True)
        self.ports = {"port": free_port()}
        for i in range(2, 10):
            if f"{{port{i}}}" in http:
                self.ports[f"port{i}"] = free_port()
        self.http = http
        self.module = module
        self.workers_wanted = workers
        self.main = main
        self.events = events
        self.connections = connections
        self.env = env
        self.wrapper = list(wrapper)
        self.process = None

    @property
    def port(self):
        return self.ports["port"]

    @property
    def error_log(self):
        return self.prefix / "error.log"

    def log_text(self):
        return self.error_log.read_text(errors="replace") if self.error_log.exists() else ""

    def expand(self, text):
        for name, port in self.ports.items():
            text = text.replace("{" + name + "}", str(port))
        return text.replace("{prefix}", str(self.prefix))

    def write(self):
        temps = "\n".join(
            f"    {kind}_temp_path {self.prefix}/temp_{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        load = f'load_module "{self.module}";\n' if self.module else ""
        user = "user root;\n" if os.geteuid() == 0 and "user " not in self.main else ""
        quiet = "" if "access_log" in self.http else "    access_log off;\n"
        conf = self.prefix / "nginx.conf"
        conf.write_text(
            f"{load}{user}worker_processes {self.workers_wanted};\ndaemon off;\npid {self.prefix}/nginx.pid;\n"
            f"error_log {self.error_log} notice;\n{self.expand(self.main)}\n"
            f"events {{ worker_connections {self.connections}; {self.events} }}\n"
            f"http {{\n{temps}\n{quiet}{self.expand(self.http)}\n}}\n"
        )
        return conf

    def command(self):
        return [NGINX, "-p", str(self.prefix), "-c", str(self.prefix / "nginx.conf"), "-e", str(self.error_log)]

    def test(self):
        """nginx -t: (return code, output)."""
        self.write()
        done = subprocess.run(self.command() + ["-t"], capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout + done.stderr

    def start(self):
        self.write()
        with open(self.prefix / "stdout.log", "ab") as out:
            self.process = subprocess.Popen(self.wrapper + self.command(), stdout=out, stderr=out, env=self.env)
        wait_for(lambda: accepts(self.port) or self.process.poll() is not None, "nginx to listen")
        assert self.process.poll() is None, self.log_text() + (self.prefix / "stdout.log").read_text()
        if not self.wrapper and "master_process off" not in self.main:
            # A worker has its name when it has initialized all modules.
            wait_for(lambda: len(self.workers()) == self.workers_wanted, "the workers")
        return self

    def workers(self):
        """Ids of the workers that take requests; those that are shutting down say so in their name."""
        found = []
        for pid in processes_below(self.process.pid):
            try:
                name = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
            except OSError:
                continue
            if "worker process" in name and "shutting down" not in name:
                found.append(pid)
        return found

    def reload(self, http=None):
        """Returns when workers of the new configuration took over; old ones may still be finishing."""
        before = set(self.workers())
        if http is not None:
            self.http = http
            self.write()
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(set(self.workers()) - before) >= self.workers_wanted
                 and not before & set(self.workers()), "new workers")

    def stop(self, number=signal.SIGQUIT):
        if self.process is not None:
            end_process(self.process, number)

    def url(self, path="/", port="port"):
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    def curl(self, path="/", *options, port="port", timeout=30):
        return curl(self.url(path, port), *options, timeout=timeout)


class Answer:
    def __init__(self, status, headers, body, failure=""):
        self.status = status
        self.headers = headers
        self.body = body
        self.failure = failure  # why there is none: curl's exit code and messages

    def json(self):
        return json.loads(self.body)


def curl(url, *options, timeout=30, data=None):
    """One request by the curl program: Answer; status 0 when there was none."""
    done = subprocess.run(
        ["curl", "-sS", "--path-as-is", "--globoff", "-i", "--max-time", str(timeout), *options, url],
        capture_output=True, input=data, timeout=timeout + 10, check=False)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    while head[:12].split(b" ")[1:2] in ([b"100"], [b"101"]):
        head, _, body = body.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    failure = f"curl: {done.returncode}\n{done.stderr.decode(errors='replace')}" if done.returncode != 0 else ""
    return Answer(int(words[1]) if len(words) > 1 and words[1].isdigit() else 0, headers, body, failure)


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what came: JSON of method, target, body length and digest. /status/N answers N."""

    protocol_version = "HTTP/1.1"
    # Head and body in one packet, else delayed acknowledgements make each answer take 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if size == 0:
                    return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self):
        body = self.read_body()
        self.server.seen.append((self.command, self.path, len(body)))
        status = 200
        if self.path.startswith("/status/"):
            status = int(self.path.split("/")[2].split("?")[0])
        text = json.dumps({
            "method": self.command, "target": self.path, "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(), "headers": list(self.headers.items()),
        }).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = answer

    def log_message(self, *args):
        pass


class EchoServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Echo)
        self.seen = []  # (method, target, body length), in order
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, request, client_address):
        pass  # clients that leave are part of tests

    def close(self):
        self.shutdown()
        self.server_close()
