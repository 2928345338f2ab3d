# SPDX-License-Identifier: Apache-2.0
"""Stands in for kube-proxy, of which no package of Debian is: takes a Service's address and hands each connection to one of its ready
endpoints, which it follows as kube-proxy does. `service_address.py PROXY NAMESPACE SERVICE ADDRESS PORT`, in the cluster's network, PROXY a
socket of `kubectl proxy`."""

import http.client
import itertools
import json
import random
import select
import socket
import subprocess
import sys
import threading
import time


class Endpoints:
    """[(address, port)] that are ready, as the API server's watch tells of them."""

    def __init__(self, proxy, namespace, service):
        self.proxy, self.namespace, self.service = proxy, namespace, service
        self.ready, self.seen = [], threading.Event()
        threading.Thread(target=self.follow, daemon=True).start()

    def take(self, found):
        self.ready = [(one["ip"], port["port"]) for subset in found.get("subsets") or [] for one in subset.get("addresses") or []
                      for port in subset["ports"]]
        self.seen.set()

    def ask(self, query):
        connection = http.client.HTTPConnection("localhost", timeout=600)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.connect(self.proxy)
        connection.request("GET", f"/api/v1/namespaces/{self.namespace}/endpoints?fieldSelector=metadata.name%3D{self.service}{query}")
        return connection.getresponse()

    def follow(self):
        while True:
            try:
                found = json.loads(self.ask("").read())
                for one in found["items"]:
                    self.take(one)
                for line in self.ask(f"&watch=1&resourceVersion={found['metadata']['resourceVersion']}"):
                    self.take(json.loads(line)["object"])
            except (OSError, ValueError, KeyError, http.client.HTTPException):
                time.sleep(0.1)

    def any(self):
        self.seen.wait(60)
        return random.choice(self.ready) if self.ready else None


def pass_on(client, endpoints):
    for _ in range(50):
        place = endpoints.any()
        try:
            server = socket.create_connection(place, 5) if place else None
        except OSError:
            server = None
        if server is not None:
            break
        time.sleep(0.1)
    else:
        client.close()
        return
    pair = {client: server, server: client}
    open_ends = {client, server}
    while open_ends:
        for one in select.select(list(open_ends), [], [])[0]:
            try:
                data = one.recv(65536)
                pair[one].sendall(data) if data else pair[one].shutdown(socket.SHUT_WR)
            except OSError:
                data = b""
            if not data:
                open_ends.discard(one)
    client.close()
    server.close()


def main():
    proxy, namespace, service, address, port = sys.argv[1:]
    subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=False, capture_output=True)
    endpoints = Endpoints(proxy, namespace, service)
    listener = socket.create_server((address, int(port)), backlog=64)
    print("listens", flush=True)
    for _ in itertools.count():
        threading.Thread(target=pass_on, args=(listener.accept()[0], endpoints), daemon=True).start()


if __name__ == "__main__":
    main()
