# SPDX-License-Identifier: Apache-2.0
"""An API server that has just begun: before the real one, it refuses as long as a real one does that hasn't read its roles.
usage: starting_server.py FOLDER PORT UNREADY REFUSED  (so many questions after readiness and for pods; each is written to stdout)"""

import http.client
import http.server
import json
import ssl
import sys

FOLDER, PORT, UNREADY, REFUSED = sys.argv[1], *map(int, sys.argv[2:])
REFUSAL = json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "pods is forbidden", "code": 403}).encode()


class Starting(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    left = {"ready": UNREADY, "pods": REFUSED}

    def count(self, what):
        self.left[what] -= 1
        return self.left[what] >= 0

    def answer(self, status, body):
        print(self.command, self.path.partition("?")[0].rpartition("/")[2], status, flush=True)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/readyz" and self.count("ready"):
            return self.answer(500, b"[-]informer-sync failed")
        if "/pods/" in self.path and self.count("pods"):
            return self.answer(403, REFUSAL)
        real = http.client.HTTPSConnection("127.0.0.1", 443, context=ssl.create_default_context(cafile=FOLDER + "/pki/ca.crt"))
        real.request(self.command, self.path, body, {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")})
        there = real.getresponse()
        return self.answer(there.status, there.read())

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Starting)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(FOLDER + "/pki/apiserver.crt", FOLDER + "/pki/apiserver.key")
server.socket = tls.wrap_socket(server.socket, server_side=True)
print("listens", flush=True)
server.serve_forever()
