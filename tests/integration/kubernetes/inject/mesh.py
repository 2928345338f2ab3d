# SPDX-License-Identifier: Apache-2.0
"""A second mutating webhook, as of a mesh: adds a container of its own to every pod, once, and an environment variable to all others."""

import base64
import http.server
import json
import ssl
import sys


class Mesh(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        containers = review["request"]["object"]["spec"]["containers"]
        patch = []
        if not any(one["name"] == "zz-mesh" for one in containers):
            patch = [{"op": "add", "path": "/spec/containers/-", "value": {"name": "zz-mesh", "image": "localhost/mesh:1"}}]
            patch += [{"op": "add", "path": f"/spec/containers/{i}/env", "value": [{"name": "MESH", "value": "on"}]}
                      for i, one in enumerate(containers) if "env" not in one]
        response = {"uid": review["request"]["uid"], "allowed": True}
        if patch:
            response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


port, certificate, key = sys.argv[1:]
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Mesh)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
