# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of the test's own: a cluster in a temporary folder, reached by a Unix socket only (or in a network that a test made), run by an
unprivileged user (it refuses root) and stopped by its process id. As a program it runs another one with the cluster's URI in GUARD_TEST_POSTGRES."""

import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIPPED = 77  # meson's
WAIT = 60


def programs():
    """The folder of the server's programs, which Debian keeps out of PATH; None: there are none."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    if found:
        return pathlib.Path(found[-1]).parent
    initdb = shutil.which("initdb")
    return pathlib.Path(initdb).resolve().parent if initdb else None


def missing():
    """Why there can be no PostgreSQL; None: there can."""
    if programs() is None:
        return "PostgreSQL's server isn't installed (Debian: postgresql-15)"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "PostgreSQL refuses root, and there is no user postgres"
    return None


class Postgres:
    def __init__(self):
        self.bin = programs()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="guard-postgres-", dir="/tmp"))
        self.as_user = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.data = self.folder / "data"
        self.log_path = self.folder / "log"
        self.process, self.users = None, []
        done = self.call("initdb", "--auth=trust", "--username=guard", "--encoding=UTF8", "--locale=C", "--no-sync", "-D", self.data)
        assert done.returncode == 0, done.stdout + done.stderr
        # Nothing here survives a power cut, and nothing is cut.
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(f"listen_addresses = ''\nunix_socket_directories = '{self.folder}'\nfsync = off\nmax_connections = 40\n"
                       "shared_buffers = 32MB\ndynamic_shared_memory_type = mmap\n")

    @property
    def url(self):
        return f"postgresql://guard@/postgres?host={self.folder}"

    def call(self, program, *arguments, timeout=600):
        return subprocess.run([self.bin / program, *map(str, arguments)], capture_output=True, text=True, cwd="/", timeout=timeout,
                              check=False, **self.as_user)

    def ask_for_password(self, user, password):
        """Of who comes by the network: a user that may make a schema in the database, and no more. Before start()."""
        with open(self.data / "pg_hba.conf", "a", encoding="utf-8") as rules:
            rules.write(f"host postgres {user} 0.0.0.0/0 scram-sha-256\n")
        self.users = [f"CREATE ROLE {user} LOGIN PASSWORD '{password}'; GRANT CREATE ON DATABASE postgres TO {user}"]

    def start(self, enter=()):
        """enter: a command that runs another one in a network, in which it listens at all addresses then. It needs root."""
        command, options = [self.bin / "postgres", "-D", self.data], self.as_user
        if enter:
            as_user = ["setpriv", f"--reuid={self.as_user['user']}", f"--regid={self.as_user['group']}", "--clear-groups"]
            command, options = [*enter, *as_user, *command, "-c", "listen_addresses=0.0.0.0"], {}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", stdin=subprocess.DEVNULL, **options)
        until = time.monotonic() + WAIT
        while self.call("pg_isready", "-h", self.folder).returncode != 0:
            assert self.process.poll() is None and time.monotonic() < until, self.log_path.read_text()
            time.sleep(0.05)
        while self.users:
            self.query(self.users.pop())
        return self

    def query(self, sql):
        """The rows, as lists of texts."""
        done = self.call("psql", "-X", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c", sql)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def processes(self):
        """Of the server with its sessions."""
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False).stdout
        return [self.process.pid, *map(int, children.split())]

    def signal_all(self, number):
        for pid in self.processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def stop(self, number=signal.SIGINT):
        """SIGINT: fast; SIGQUIT: immediate, as after a crash; SIGKILL: with all its children."""
        if self.process is None:
            return
        if number == signal.SIGKILL:
            self.signal_all(number)
        else:
            self.process.send_signal(number)
        try:
            self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.signal_all(signal.SIGKILL)
            self.process.wait(WAIT)
        self.process = None

    def close(self):
        if self.process is not None:
            self.signal_all(signal.SIGCONT)
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    why = missing()
    if why:
        print(f"skipped: {why}", file=sys.stderr)
        return SKIPPED
    postgres = Postgres()
    try:
        postgres.start()
        return subprocess.run(sys.argv[1:], env={**os.environ, "GUARD_TEST_POSTGRES": postgres.url}, check=False).returncode
    finally:
        postgres.close()


if __name__ == "__main__":
    sys.exit(main())
