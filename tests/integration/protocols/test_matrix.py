# SPDX-License-Identifier: Apache-2.0
"""The matrix protocol x direction x {pass, block, abort, reload, guardd dead}, by real clients. Each cell is a conversation
with the gate; the table of what was measured is printed and is the one in docs/guide/protocols.md."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from gate.conftest import GUARDED, State
from harness import BIN, ROOT, Nginx, processes_below, wait_for

from . import talkers

COLUMNS = ("pass", "block", "abort", "reload", "guardd dead")
DIRECTIONS = ("request", "response")

# What can't be, and why; the numbers are the notes below the table in the guide.
WHOLE = "1"     # judged before the other side sees a byte: nothing is under way that could be cut
NOT_HELD = "2"  # the response is never held: what is bad is cut, not replaced
ONE = "3"       # one message, which isn't passed on before it is judged
OTHER = "4"     # the request is that of an ordinary exchange, which other rows measure

ROWS = {
    "HTTP/1.0 (curl)": (talkers.Http(["--http1.0"]), {("request", "abort"): WHOLE}),
    "HTTP/1.1 (curl)": (talkers.Http([]), {("request", "abort"): WHOLE}),
    "HTTP/1.1 chunked (curl)": (talkers.Http(["-H", "Transfer-Encoding: chunked"], chunked=True), {("request", "abort"): WHOLE}),
    "HTTP/1.1 100-continue (curl)": (talkers.Http(["-H", "Expect: 100-continue"]), {("request", "abort"): WHOLE}),
    "HTTP/1.1 streamed upload (curl)": (talkers.Http([], port="port4"), {}),
    "HTTP/2 h2c (curl)": (talkers.Http(["--http2-prior-knowledge"], port="port2"), {("request", "abort"): WHOLE}),
    "HTTP/2 h2c, 32 streams (h2load)": (talkers.H2load(), {
        ("request", "abort"): WHOLE, ("response", "abort"): OTHER, ("request", "reload"): OTHER}),
    "HTTP/2 TLS (curl)": (talkers.Http(["--http2", "-k"], port="port3", scheme="https"), {("request", "abort"): WHOLE}),
    "server-sent events (curl)": (talkers.Events(), {
        **{("request", column): OTHER for column in COLUMNS}, ("response", "block"): NOT_HELD}),
    "gRPC unary (grpcio)": (talkers.Grpc("Unary"), {("request", "abort"): ONE, ("response", "block"): NOT_HELD}),
    "gRPC server stream (grpcio)": (talkers.Grpc("ServerStream"), {("request", "abort"): ONE, ("response", "block"): NOT_HELD}),
    "gRPC client stream (grpcio)": (talkers.Grpc("ClientStream"), {("response", "block"): NOT_HELD}),
    "gRPC bidirectional (grpcio)": (talkers.Grpc("Bidi"), {("response", "block"): NOT_HELD}),
    "WebSocket (websockets)": (talkers.Websocket(), {("response", "block"): NOT_HELD}),
}

SERVERS = """
    proxy_http_version 1.1;
    client_max_body_size 0;
    server {
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{port2} http2;
        listen 127.0.0.1:{port3} ssl http2;
        ssl_certificate {prefix}/cert.pem;
        ssl_certificate_key {prefix}/key.pem;
        location / { proxy_pass http://127.0.0.1:HTTP; }
        location /ws {
            proxy_pass http://127.0.0.1:WEBSOCKET;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }
    }
    server {
        listen 127.0.0.1:{port4};
        guard_body streamed;
        location / { proxy_request_buffering off; proxy_pass http://127.0.0.1:HTTP; }
    }
    server {
        listen 127.0.0.1:{port5} http2;
        location / { grpc_pass grpc://127.0.0.1:GRPC; }
    }
"""


class Place:
    """The gate before three services, all of it for the whole matrix."""

    def __init__(self, folder, gate_tool):
        talkers.need_all()
        self.state = State(folder / "state", gate_tool)
        key = folder / "gate.pub"
        shutil.copy(self.state.key, key)  # guardd has a key of its own
        self.state.key.unlink()
        self.policy = subprocess.run([gate_tool, "policy", "1", "svc", "1", "block", "0", "0", "leaks"], check=True,
                                      capture_output=True).stdout
        self.state.publish(self.policy)
        self.services = talkers.start_services()
        text = GUARDED.replace("{state}/keys/policy.pub", str(key)).replace("{state}", str(self.state.path)) + SERVERS
        for name, service in self.services.items():
            text = text.replace(name, str(service.port))
        self.nginx = Nginx(folder / "nginx", text)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-keyout", folder / "nginx" / "key.pem", "-out", folder / "nginx" / "cert.pem"],
                       check=True, capture_output=True)
        self.nginx.start()

    def reload_within(self, begin, go_on):
        """go_on() ends what begin() has begun in a worker that is already leaving."""
        running = begin()
        self.nginx.reload()
        leaving = set(processes_below(self.nginx.process.pid)) - set(self.nginx.workers())
        assert leaving, "nothing was under way"
        go_on(running)
        wait_for(lambda: not leaving & set(processes_below(self.nginx.process.pid)), "the old worker to end")

    def spooled(self):
        """Whether a body is on its way: what came of it is in a file."""
        for pid in self.nginx.workers():
            for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                try:
                    if "/temp_client_body/" in os.readlink(fd):
                        return True
                except OSError:
                    pass  # closed meanwhile
        return False

    def kill_guardd(self):
        """Dead in the middle of its work: it has seen the ring and leaves its files behind."""
        log = self.state.path.parent / "guardd.log"
        with open(log, "wb") as out:
            process = subprocess.Popen([BIN / "guardd", "--state", self.state.path], stderr=out)
        try:
            wait_for(lambda: b'"event":"started"' in log.read_bytes(), "guardd to start")
        finally:
            process.kill()
            process.wait()
        self.state.publish(self.policy)  # guardd's own has another key and was refused

    def close(self):
        self.nginx.stop()
        for service in self.services.values():
            service.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory, gate_tool):
    made = Place(tmp_path_factory.mktemp("matrix"), gate_tool)
    yield made
    made.close()


def check_reload(place, talker, direction):
    if direction == "request":
        place.reload_within(lambda: talker.begin_request(place), lambda running: talker.end_request(place, running))
    else:
        place.reload_within(lambda: talker.begin_response(place), lambda running: talker.end_response(place, running))


def check(place, talker, direction, column):
    if column == "reload":
        check_reload(place, talker, direction)
        return
    if column == "guardd dead":
        place.kill_guardd()
        getattr(talker, f"{direction}_pass")(place)
        bad = talker.bad_column(direction)
        getattr(talker, f"{direction}_{bad}")(place)
        return
    getattr(talker, f"{direction}_{column}")(place)


measured = {}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("protocol", ROWS)
def test_cell(place, protocol, direction, column):
    talker, impossible = ROWS[protocol]
    cell = (protocol, direction, column)
    if (direction, column) in impossible:
        measured[cell] = f"n/a {impossible[direction, column]}"
        return
    measured[cell] = "FAILED"
    check(place, talker, direction, column)
    measured[cell] = "yes"


def table():
    lines = ["| protocol | direction | " + " | ".join(COLUMNS) + " |", "|---" * (2 + len(COLUMNS)) + "|"]
    for protocol in ROWS:
        for direction in DIRECTIONS:
            cells = [measured.get((protocol, direction, column), "?") for column in COLUMNS]
            lines.append(f"| {protocol} | {direction} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def test_the_guide_shows_what_was_measured(capsys):
    if len(measured) < len(ROWS) * len(DIRECTIONS) * len(COLUMNS):
        pytest.skip("not all cells were measured in this run")
    with capsys.disabled():
        print("\n" + table())
    guide = (ROOT / "docs" / "guide" / "protocols.md").read_text()
    shown = re.search(r"(?m)(^\| protocol \| direction .*\n(?:^\|.*\n)+)", guide)
    assert shown and shown.group(1).strip() == table()
