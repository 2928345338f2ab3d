# SPDX-License-Identifier: Apache-2.0
"""Callers of a Service that go on while its pods come and go: some with a new connection for each request, some with one that they keep as long
as they may. They follow the endpoints as kube-proxy does. `callers.py PROXY NAMESPACE SERVICE TARGET`, in the cluster's network; ends when its
standard input does, and says what became of the requests. None is tried twice."""

import http.client
import json
import select
import sys
import threading
import time

from service_address import Endpoints

PAUSE = 0.02


class Caller(threading.Thread):
    def __init__(self, endpoints, target, keeps, over):
        super().__init__()
        self.endpoints, self.target, self.keeps, self.over = endpoints, target, keeps, over
        self.answered, self.failed, self.connections = 0, [], 0

    def run(self):
        connection, place = None, None
        while not self.over.wait(PAUSE):
            if connection is not None and (connection.sock is None or select.select([connection.sock], [], [], 0)[0]):
                connection.close()  # the server said that it closes it, or did
                connection = None
            if connection is None:
                place = self.endpoints.any()
                if place is None:
                    self.failed.append("nobody is ready")
                    continue
                connection = http.client.HTTPConnection(*place, timeout=20)
                self.connections += 1
            begun = time.strftime("%H:%M:%S")
            try:
                connection.request("GET", self.target, headers={} if self.keeps else {"Connection": "close"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.answered += 1
                else:
                    self.failed.append(f"{begun} {place}: {answer.status}")
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(f"{begun} {place}{' kept' if self.keeps else ''}: {error!r}")
                connection.close()
            if not self.keeps:
                connection.close()
                connection = None


def main():
    proxy, namespace, service, target = sys.argv[1:]
    endpoints, over = Endpoints(proxy, namespace, service), threading.Event()
    callers = [Caller(endpoints, target, keeps, over) for keeps in (False, True, True)]
    for one in callers:
        one.start()
    print("calls", flush=True)
    sys.stdin.read()
    over.set()
    for one in callers:
        one.join()
    print(json.dumps({"answered": sum(one.answered for one in callers), "failed": [text for one in callers for text in one.failed],
                      "kept": sum(one.answered for one in callers if one.keeps),
                      "connections": sum(one.connections for one in callers if one.keeps)}))


if __name__ == "__main__":
    main()
