# SPDX-License-Identifier: Apache-2.0
"""What all services of the tests are made of: an HTTP server with a thread for each connection, which begins to listen before it is
returned, keeps many connections waiting, and keeps nobody from ending."""

import hashlib
import http.server
import json
import socket
import threading

BACKLOG = 1024


def stop_accepting(listener, thread):
    """Ends a thread that accepts, and closes its socket. Closing alone wakes no accept: when a signal restarted it, it would take
    connections of whatever has the number of the socket by then, which is the next test's service."""
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(60)
    assert not thread.is_alive(), "accept wasn't woken"
    listener.close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one packet, else delayed acknowledgements make each answer take 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True

    def read_body(self):
        """(what came of the request's body, whether that is all of it)."""
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            return body, len(body) == length
        body = []
        while True:
            line = self.rfile.readline()
            if not line.strip():
                return b"".join(body), False
            size = int(line.split(b";")[0], 16)
            piece = self.rfile.read(size)
            body.append(piece)
            if len(piece) < size or self.rfile.readline() != b"\r\n":
                return b"".join(body), False
            if size == 0:
                return b"".join(body), True

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = BACKLOG

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.prepare()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def prepare(self):
        """What handlers find in the server."""
        self.seen = []

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, request, client_address):
        pass  # clients that leave are part of tests

    def close(self):
        self.shutdown()
        self.server_close()


class Echo(Handler):
    """Answers with what came: JSON of method, target, body length and digest. /status/N answers N."""

    def answer(self):
        body, whole = self.read_body()  # what broke off is answered and counted, too
        self.server.seen.append((self.command, self.path, len(body)))
        if whole:
            self.server.whole.append(len(body))
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


class EchoServer(Server):
    """`seen` holds (method, target, body length), in order; `whole` the lengths of the bodies among them that came to their end: of
    chunked ones all bytes may come without it."""

    def __init__(self):
        self.whole = []
        super().__init__(Echo)
