# SPDX-License-Identifier: Apache-2.0
"""A service whose answers are as the query says, byte by byte, for tests of the gate's response path. Every answer can be
computed by the client too: body_of(...)."""

import asyncio
import functools
import gzip
import threading
import urllib.parse
import zlib

from harness import BACKLOG

BAD = b"root:x:0:0:root:/root:/bin/bash"  # what may leave no service


@functools.lru_cache(maxsize=512)
def body_of(query):
    """What a target's query asks for: size, seed, bad=at (the bad value's place: start, end), type."""
    args = dict(urllib.parse.parse_qsl(query))
    size, seed = int(args.get("size", 100)), args.get("seed", "0")
    value = BAD if "bad" in args else b"tom"
    lead = b'{"q":"' + value + b'","fill":"' if args.get("bad") != "end" else b'{"fill":"'
    tail = b'"}' if args.get("bad") != "end" else b'","q":"' + value + b'"}'
    pattern = (seed.encode() + b"abcdefghijklmnopqrstuvwxyz") * 3
    room = max(0, size - len(lead) - len(tail))
    if size < len(lead) + len(tail) and "bad" not in args:
        return (b"1" * size)
    return lead + (pattern * (room // len(pattern) + 1))[:room] + tail


@functools.lru_cache(maxsize=64)
def encode(body, coding):
    if coding == "gzip":
        return gzip.compress(body, mtime=0)
    if coding == "deflate":
        return zlib.compress(body)
    return body


class Service:
    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.seen = []  # targets
        self.release = {}  # name: event; answers that wait for the test
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.ready = threading.Event()
        self.thread.start()
        assert self.ready.wait(60)

    def run(self):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=BACKLOG))
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        self.loop.run_forever()

    def close(self):
        asyncio.run_coroutine_threadsafe(self.cancel(), self.loop).result(60)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(60)

    async def cancel(self):
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def let_go(self, name):
        self.loop.call_soon_threadsafe(self.gate(name).set)

    def gate(self, name):
        return self.release.setdefault(name, asyncio.Event())

    async def serve(self, reader, writer):
        try:
            while await self.exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def exchange(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        length = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")), 0)
        await reader.readexactly(length)
        self.seen.append(target)
        path, _, query = target.partition("?")
        args = dict(urllib.parse.parse_qsl(query))
        if path == "/events":
            return await self.events(writer, args)
        return await self.answer(writer, method, query, args)

    async def events(self, writer, args):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: " + args.get("type", "text/event-stream").encode()
                     + b"\r\n" + args.get("field", "X-A:1").encode() + b"\r\n\r\ndata: first\n\n")
        await writer.drain()
        await self.gate(args["wait"]).wait()
        writer.write(b"data: last\n\n")
        await writer.drain()
        return False

    async def answer(self, writer, method, query, args):
        body = encode(body_of(query), args.get("coding"))
        framing = args.get("framing", "length")
        head = [f"HTTP/1.1 {args.get('status', '200')} Fine", f"Content-Type: {args.get('type', 'application/json')}",
                'ETag: "abc"', "Set-Cookie: session=1", "X-Service: yes", f"Cache-Control: {args.get('cache', 'no-cache')}"]
        if "header" in args:
            head.append(args["header"])
        if "coding" in args:
            head.append(f"Content-Encoding: {args['coding']}")
        if framing == "length":
            head.append(f"Content-Length: {len(body)}")
        elif framing == "chunked":
            head.append("Transfer-Encoding: chunked")
        else:
            head.append("Connection: close")
        writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
        if method == "HEAD" or args.get("status") in ("204", "304"):
            await writer.drain()
            return framing != "close"
        step = int(args.get("step", 7001))
        for at in range(0, len(body), step):
            part = body[at:at + step]
            writer.write(b"%x\r\n%s\r\n" % (len(part), part) if framing == "chunked" else part)
            if "wait" in args and at == 0:
                await writer.drain()
                await self.gate(args["wait"]).wait()
            if (at // step) % 16 == 15:
                await writer.drain()
        if "short" in args:  # ends too early
            return False
        if framing == "chunked":
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return framing != "close"
