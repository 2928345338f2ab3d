# SPDX-License-Identifier: Apache-2.0
"""The services behind the gate in tests of protocols: gRPC, WebSocket, and raw HTTP that answers while it reads. Each notes
what reached it. A package that is missing is a reason to skip, which importorskip names."""

import asyncio
import concurrent.futures
import queue
import socket
import threading

import pytest

from harness import BACKLOG
from servers import stop_accepting

LEAK = "root:x:0:0:root:/root:/bin/bash"  # what may leave no service


def need(module):
    return pytest.importorskip(module, reason=f"Debian's python3-{ {'grpc': 'grpcio'}.get(module, module) } isn't installed")


def proto(value):
    """A protobuf message whose field 1 is this text."""
    return b"\x0a" + bytes([len(value)]) + value.encode()


class GrpcService:
    """/t.T/Unary, ServerStream, ClientStream, Bidi: sends back what came; notes messages and that a
    call ended: whether by its client or by a cut, grpcio can't always tell. To
    "say bad" it answers what no policy of these tests lets pass, and "wait" waits for `release`."""

    def __init__(self):
        grpc = need("grpc")
        self.messages = []  # as they arrive
        self.ended = []     # one for each call
        self.release = queue.Queue()
        service = self

        def note(requests, context):
            context.add_callback(lambda: service.ended.append(True))
            for message in requests:
                service.messages.append(message)
                if message == proto("say bad at last"):
                    context.set_trailing_metadata((("x-q", "needle'"),))
                if message == proto("wait"):
                    service.release.get(timeout=120)
                yield proto(LEAK) if message == proto("say bad") else message

        class Handler(grpc.GenericRpcHandler):
            def service(self, details):
                return {
                    "/t.T/Unary": grpc.unary_unary_rpc_method_handler(
                        lambda message, context: next(note([message], context))),
                    "/t.T/ServerStream": grpc.unary_stream_rpc_method_handler(
                        lambda message, context: note([message] * 3, context)),
                    "/t.T/ClientStream": grpc.stream_unary_rpc_method_handler(
                        lambda requests, context: b"".join(note(requests, context))),
                    "/t.T/Bidi": grpc.stream_stream_rpc_method_handler(note),
                }.get(details.method)

        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers((Handler(),))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def close(self):
        self.server.stop(0).wait(60)


class WebsocketService:
    """Sends messages back; to "say bad" it answers what no policy of these tests lets pass."""

    def __init__(self):
        self.websockets = need("websockets")
        self.messages = []
        self.ended = []
        self.extensions = []
        self.port = None
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(ready,), daemon=True)
        self.thread.start()
        assert ready.wait(60)

    async def serve(self, socket_, path=None):
        self.extensions.append(socket_.request_headers.get("Sec-WebSocket-Extensions", ""))
        try:
            async for message in socket_:
                self.messages.append(message)
                await socket_.send(LEAK if message == "say bad" else message)
            self.ended.append("complete")
        except self.websockets.ConnectionClosedError:
            self.ended.append("aborted")

    def run(self, ready):
        asyncio.set_event_loop(self.loop)

        async def main():
            self.stop = asyncio.Event()
            async with self.websockets.serve(self.serve, "127.0.0.1", 0, max_size=None, backlog=BACKLOG) as server:
                self.port = server.sockets[0].getsockname()[1]
                ready.set()
                await self.stop.wait()

        self.loop.run_until_complete(main())

    def close(self):
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(60)


class RawService:
    """Takes connections and hands each to handler(sock, service) in a thread: what HTTP libraries won't do. The handler may
    use read_head and body_until_end."""

    def __init__(self, handler):
        self.handler = handler
        self.bytes = bytearray()  # of all bodies
        self.heads = []
        self.ended = []           # "complete" or "aborted", per request
        self.answering = False
        self.closing = threading.Event()
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.port = self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def __str__(self):
        return f"heads {self.heads}, bytes {bytes(self.bytes)[-1000:]}, ended {self.ended}"

    def run(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock:
            try:
                self.handler(sock, self)
            except OSError:
                pass

    def read_head(self, sock):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = sock.recv(1)
            if not byte:
                return None
            head += byte
        self.heads.append(head.decode("latin-1"))
        return self.heads[-1]

    @staticmethod
    def receive(sock):
        """What came; nothing when the other side has left, in whichever way."""
        try:
            return sock.recv(65536)
        except ConnectionResetError:
            return b""

    def read_body(self, sock, head):
        """Notes bytes as they come; True when the body was complete."""
        lower = head.lower()
        if "transfer-encoding: chunked" in lower:
            text = b""
            while not text.endswith(b"0\r\n\r\n"):
                more = self.receive(sock)
                if not more:
                    self.ended.append("aborted")
                    return False
                text += more
                self.bytes += more
            self.ended.append("complete")
            return True
        left = int(lower.partition("content-length: ")[2].partition("\r\n")[0] or 0)
        while left > 0:
            more = self.receive(sock)
            if not more:
                self.ended.append("aborted")
                return False
            self.bytes += more
            left -= len(more)
        self.ended.append("complete")
        return True

    def close(self):
        self.closing.set()
        stop_accepting(self.sock, self.thread)


def sink(sock, service):
    """Reads a request to its end and answers 200."""
    while True:
        head = service.read_head(sock)
        if head is None or not service.read_body(sock, head):
            return
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n")


def early(sock, service):
    """Answers the head at once and the rest when the body ended."""
    head = service.read_head(sock)
    if head is None:
        return
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nbegun\n\r\n")
    service.answering = True
    if service.read_body(sock, head):
        sock.sendall(b"4\r\nend\n\r\n0\r\n\r\n")


def silent(sock, service):
    """Reads everything and never answers."""
    head = service.read_head(sock)
    if head is not None and service.read_body(sock, head):
        service.closing.wait()
