# SPDX-License-Identifier: Apache-2.0
"""Tools of integration tests: nginx instances on free loopback ports, and the programs under test; from ports.py, servers.py and
waiting.py ports that nobody else takes, services, and waiting on conditions instead of time. GUARD_BIN and GUARD_MODULE say where
the programs are (default: build/), GUARD_NGINX which nginx loads the module (default: the one that is installed)."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess

from ports import free_port
from servers import BACKLOG, Echo, EchoServer, Handler, Server  # noqa: F401 - part of these tools
from waiting import (describe, end_process, end_process_of, processes_below, running, settle, state_of,  # noqa: F401
                     wait_for)

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GUARD_BUILD", ROOT / "build"))
BIN = pathlib.Path(os.environ.get("GUARD_BIN", BUILD / "bin"))
MODULE = pathlib.Path(os.environ.get("GUARD_MODULE", BUILD / "modules" / "ngx_http_guard_module.so"))
NGINX = os.environ.get("GUARD_NGINX") or shutil.which(
    "nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


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
        done = subprocess.run(self.command() + ["-t"], capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    def masters(self):
        """Ids of the processes whose children are workers."""
        return [self.process.pid] if self.process is not None and self.process.poll() is None else []

    def start(self):
        self.write()
        with open(self.prefix / "stdout.log", "ab") as out:
            self.process = subprocess.Popen(self.wrapper + self.command(), stdout=out, stderr=out, env=self.env)
        running.append(self)
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
        if self in running:
            running.remove(self)
        if self.process is not None:
            end_process(self.process, number)

    def url(self, path="/", port="port"):
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    def curl(self, path="/", *options, port="port", timeout=60):
        return curl(self.url(path, port), *options, timeout=timeout)


class Answer:
    def __init__(self, status, headers, body, failure=""):
        self.status = status
        self.headers = headers
        self.body = body
        self.failure = failure  # why there is none: curl's exit code and messages

    def json(self):
        return json.loads(self.body)


def curl(url, *options, timeout=60, data=None):
    """One request by the curl program: Answer; status 0 when there was none."""
    done = subprocess.run(
        ["curl", "-sS", "--path-as-is", "--globoff", "-i", "--max-time", str(timeout), *options, url],
        capture_output=True, input=data, timeout=timeout + 60, check=False)
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
