# SPDX-License-Identifier: Apache-2.0
"""The clients of the matrix and the services that they talk to. A talker knows one protocol: how something good goes through,
how something bad is blocked or cut in each direction, and how an exchange is begun and ended in two steps."""

import asyncio
import hashlib
import json
import queue
import re
import subprocess
import threading

from harness import Handler, Server, wait_for

from .services import LEAK, GrpcService, WebsocketService, need, proto

GOOD = "tom"
BAD = "needle'"
LEAKY = "leaky"
LONG = 120  # seconds; nothing that goes well takes as long
BLOCK_TEXT = re.compile(rb"403.*[0-9a-f]{32}", re.DOTALL)


def need_all():
    need("grpc")
    need("websockets")


def fill(size):
    return {"fill": ["word" * 500] * (size // 2000)}


def document(value, size=100):
    """JSON of about this size; "q" comes last. LEAKY stands for what can't be written into a target."""
    return json.dumps({**fill(size), "q": LEAK if value == LEAKY else value}).encode()


class HttpHandler(Handler):
    """POST: what came. GET /SIZE/VALUE: a document. GET /slow/...: its first half, the rest on release. GET /events/VALUE/...:
    server-sent events, one for each value; the last waits for release."""

    wbufsize = 0

    def do_POST(self):
        self.server.begun.append(self.path)
        body, whole = self.read_body()
        self.server.ended.append("complete" if whole else "aborted")
        if not whole:
            self.close_connection = True
            return
        self.server.bodies.append(body)
        self.answer(json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode())

    def do_GET(self):
        words = self.path.partition("?")[0].strip("/").split("/")
        if words[0] == "events":
            self.events(words[1:])
        elif words[0] == "slow":
            self.answer(document(words[2], int(words[1])), slow=True)
        else:
            self.answer(document(words[1], int(words[0])))

    def answer(self, text, slow=False):
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        half = len(text) // 2
        self.wfile.write(text[:half])
        if slow:
            self.server.halves.append(self.path)
            self.server.release.get(timeout=LONG)
        self.wfile.write(text[half:])

    def events(self, values):
        self.send_response_only(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("X-Accel-Buffering", "no")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for i, value in enumerate(values):
            if i == len(values) - 1:
                self.server.halves.append(self.path)
                self.server.release.get(timeout=LONG)
            self.wfile.write(b'data: {"q":"%s"}\n\n' % (LEAK if value == LEAKY else value).encode())


class HttpService(Server):
    def __init__(self):
        super().__init__(HttpHandler)

    def prepare(self):
        self.begun, self.bodies, self.ended, self.halves = [], [], [], []
        self.release = queue.Queue()


def start_services():
    return {"HTTP": HttpService(), "GRPC": GrpcService(), "WEBSOCKET": WebsocketService()}


class Curl:
    """A running curl: what it printed so far, and how it ended."""

    def __init__(self, url, *options, data=None):
        self.process = subprocess.Popen(["curl", "-sS", "-N", "--max-time", str(LONG), "-w", "\nSTATUS %{http_code}", *options, url],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.output = b""
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        if data is not None:
            self.process.stdin.write(data)
            self.process.stdin.close()

    def read(self):
        while True:
            more = self.process.stdout.read1(65536)
            if not more:
                return
            self.output += more

    def end(self):
        """(status, body, whole?)"""
        self.process.wait(LONG + 60)
        self.thread.join(LONG)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
        body, _, status = self.output.rpartition(b"\nSTATUS ")
        return int(status), body, self.process.returncode == 0


class Talker:
    def bad_column(self, direction):
        return "block"


class Http(Talker):
    def __init__(self, options, *, port="port", scheme="http", chunked=False):
        self.options, self.port, self.scheme, self.streamed = options, port, scheme, port == "port4"
        self.up = ["-H", "Content-Type: application/json"]

    def url(self, place, path):
        return f"{self.scheme}://127.0.0.1:{place.nginx.ports[self.port]}{path}"

    def get(self, place, path):
        options = [option for option in self.options if "chunked" not in option and "Expect" not in option]
        return Curl(self.url(place, path), *(options if len(options) == len(self.options) else [])).end()

    def post(self, place, body):
        return Curl(self.url(place, "/up"), *self.options, *self.up, "--data-binary", "@-", data=body).end()

    def request_pass(self, place):
        for size in (0, 5000, 300000):
            body = document(GOOD, size)
            status, answer, whole = self.post(place, body)
            assert (status, whole) == (200, True)
            assert json.loads(answer)["sha256"] == hashlib.sha256(body).hexdigest()

    def request_block(self, place):
        bodies = place.services["HTTP"].bodies
        for size in (0, 5000, 300000):
            before = len(bodies)
            status, answer, whole = self.post(place, document(BAD, size))
            assert (status, whole) == (403, True) and BLOCK_TEXT.search(answer), (status, answer)
            assert len(bodies) == before

    def request_abort(self, place):
        """The service has seen the head and the first bytes, and then never the end."""
        service = place.services["HTTP"]
        before = len(service.begun), service.ended.count("aborted"), len(service.bodies)
        status, _, _ = self.post(place, document(BAD, 900000))
        assert status == 403
        wait_for(lambda: service.ended.count("aborted") == before[1] + 1, "the service's side to be cut")
        assert len(service.begun) == before[0] + 1 and len(service.bodies) == before[2]

    def response_pass(self, place):
        for size in (0, 5000, 300000):
            assert self.get(place, f"/{size}/{GOOD}") == (200, document(GOOD, size), True)

    def response_block(self, place):
        for size in (0, 5000, 40000):
            status, answer, whole = self.get(place, f"/{size}/{LEAKY}")
            assert (status, whole) == (403, True) and BLOCK_TEXT.search(answer), (status, answer[:200])

    def response_abort(self, place):
        """Longer than what is held."""
        status, answer, whole = self.get(place, f"/200000/{LEAKY}")
        assert (status, whole) == (200, False)
        assert LEAK.encode() not in answer

    def begin_request(self, place):
        """curl waits with the last bytes for its standard input, or is slow where it has to know the length: its body must last until
        nginx has reloaded."""
        body = document(GOOD, 100000)
        begun = place.services["HTTP"].begun
        before = len(begun)
        if "--http1.0" not in self.options and "Expect: 100-continue" not in self.options:
            curl = Curl(self.url(place, "/up"), *self.options, *self.up, "-X", "POST", "-T", "-")
            curl.process.stdin.write(body[:50000])
            curl.process.stdin.flush()
        else:
            curl = Curl(self.url(place, "/up"), *self.options, *self.up, "--limit-rate", "15k", "--data-binary", "@-", data=body)
        if self.streamed:
            wait_for(lambda: len(begun) > before, "the request at the service")
        else:
            wait_for(place.spooled, "the first bytes at the gate")
        return curl, body

    def end_request(self, place, running):
        curl, body = running
        if not curl.process.stdin.closed:
            curl.process.stdin.write(body[50000:])
            curl.process.stdin.close()
        status, answer, whole = curl.end()
        assert (status, whole) == (200, True)
        assert json.loads(answer)["sha256"] == hashlib.sha256(body).hexdigest()

    def begin_response(self, place):
        halves = place.services["HTTP"].halves
        before = len(halves)
        options = [option for option in self.options if option not in ("-H", "Transfer-Encoding: chunked", "Expect: 100-continue")]
        curl = Curl(self.url(place, f"/slow/100000/{GOOD}"), *options)
        wait_for(lambda: len(halves) > before, "the first half")
        return curl

    def end_response(self, place, curl):
        place.services["HTTP"].release.put(True)
        assert curl.end() == (200, document(GOOD, 100000), True)


class H2load(Talker):
    """Many streams on few connections at once."""

    def load(self, place, path, requests=320):
        done = subprocess.run(["h2load", "-n", str(requests), "-c", "4", "-m", "32", "-T", str(LONG),
                               f"http://127.0.0.1:{place.nginx.ports['port2']}{path}"],
                              capture_output=True, text=True, timeout=LONG + 60, check=True)
        codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", done.stdout)
        failed = re.search(r"(\d+) failed, (\d+) errored", done.stdout)
        return int(codes[1]), int(codes[3]), int(failed[2])

    def request_pass(self, place):
        assert self.load(place, f"/100/{GOOD}?q=tom") == (320, 0, 0)

    def request_block(self, place):
        assert self.load(place, f"/100/{GOOD}?q=needle%27") == (0, 320, 0)

    def response_pass(self, place):
        assert self.load(place, f"/5000/{GOOD}") == (320, 0, 0)

    def response_block(self, place):
        assert self.load(place, f"/5000/{LEAKY}") == (0, 320, 0)

    def begin_response(self, place):
        halves = place.services["HTTP"].halves
        before = len(halves)
        result = queue.Queue()
        threading.Thread(target=lambda: result.put(self.load(place, f"/slow/5000/{GOOD}", 32)), daemon=True).start()
        wait_for(lambda: len(halves) >= before + 32, "all first halves")
        return result

    def end_response(self, place, result):
        for _ in range(32):
            place.services["HTTP"].release.put(True)
        assert result.get(timeout=LONG) == (32, 0, 0)


class Events(Talker):
    """Each event is there as soon as it was sent."""

    def bad_column(self, direction):
        return "abort"

    def begin_response(self, place, *values):
        curl = Curl(f"http://127.0.0.1:{place.nginx.port}/events/" + "/".join(values or ("one", "two", "three")))
        first = b'data: {"q":"%s"}\n\n' % (values or ("one",))[0].encode()
        wait_for(lambda: first in curl.output, "the first event, while the last isn't sent")
        return curl

    def end_response(self, place, curl):
        place.services["HTTP"].release.put(True)
        assert curl.end() == (200, b"".join(b'data: {"q":"%s"}\n\n' % value for value in (b"one", b"two", b"three")), True)

    def response_pass(self, place):
        self.end_response(place, self.begin_response(place))

    def response_abort(self, place):
        curl = self.begin_response(place, "one", LEAKY)
        place.services["HTTP"].release.put(True)
        status, body, whole = curl.end()
        assert (status, body, whole) == (200, b'data: {"q":"one"}\n\n', False)


class Messages:
    """Requests of a call, sent one by one."""

    def __init__(self, *messages):
        self.queue = queue.Queue()
        for message in messages:
            self.send(message)

    def __iter__(self):
        return self

    def __next__(self):
        message = self.queue.get()
        if message is None:
            raise StopIteration
        return message

    def send(self, message):
        self.queue.put(message)

    def close(self):
        self.queue.put(None)


class Grpc(Talker):
    def __init__(self, kind):
        self.kind = kind
        self.many_up, self.many_down = kind in ("ClientStream", "Bidi"), kind in ("ServerStream", "Bidi")

    def bad_column(self, direction):
        return "block" if direction == "request" else "abort"

    def channel(self, place):
        grpc = need("grpc")
        # One connection for each cell: they must not live on a worker that is leaving.
        return grpc.insecure_channel(f"127.0.0.1:{place.nginx.ports['port5']}", [("grpc.use_local_subchannel_pool", 1)])

    def method(self, channel):
        make = {"Unary": channel.unary_unary, "ServerStream": channel.unary_stream, "ClientStream": channel.stream_unary,
                "Bidi": channel.stream_stream}[self.kind]
        return make("/t.T/" + self.kind)

    def call(self, place, *values):
        """(answers, status code)"""
        grpc = need("grpc")
        answers = []
        with self.channel(place) as channel:
            try:
                request = iter([proto(value) for value in values]) if self.many_up else proto(values[0])
                answer = self.method(channel)(request, timeout=LONG)
                for one in answer if self.many_down else [answer]:
                    answers.append(one)
            except grpc.RpcError as error:
                return answers, error.code().name
        return answers, "OK"

    def expected(self, *values):
        texts = [proto(value) for value in values]
        return {"Unary": texts[:1], "ServerStream": texts[:1] * 3, "ClientStream": [b"".join(texts)],
                "Bidi": texts}[self.kind]

    def request_pass(self, place):
        for values in (("tom", "eve", "bob"), ("x" * 100, "y")):
            assert self.call(place, *values) == (self.expected(*values), "OK")

    response_pass = request_pass

    def request_block(self, place):
        messages = place.services["GRPC"].messages
        before = len(messages)
        assert self.call(place, BAD) == ([], "PERMISSION_DENIED")
        assert len(messages) == before

    def request_abort(self, place):
        """After a good message that the service has already."""
        grpc = need("grpc")
        service = place.services["GRPC"]
        before = len(service.messages), len(service.ended)
        with self.channel(place) as channel:
            messages = Messages(proto("tom"))
            answer = self.method(channel).future(messages, timeout=LONG) if not self.many_down \
                else self.method(channel)(messages, timeout=LONG)
            wait_for(lambda: len(service.messages) == before[0] + 1, "the first message at the service")
            messages.send(proto(BAD))
            try:
                list(answer) if self.many_down else answer.result()
                raise AssertionError("the call went well")
            except grpc.RpcError:
                pass
            messages.close()
            wait_for(lambda: len(service.ended) > before[1], "the service's side to be cut")
        assert len(service.messages) == before[0] + 1

    def response_abort(self, place):
        answers, code = self.call(place, "say bad")
        assert code != "OK" and not any(LEAK.encode() in answer for answer in answers)

    def begin_request(self, place):
        messages = place.services["GRPC"].messages
        before = len(messages)
        channel = self.channel(place)
        first = "hold" if self.many_up else "wait"
        requests = Messages(proto(first))
        result = queue.Queue()

        def run():
            try:
                answer = self.method(channel)(requests if self.many_up else proto(first), timeout=LONG)
                result.put(list(answer) if self.many_down else [answer])
            except need("grpc").RpcError as error:
                result.put(error)

        threading.Thread(target=run, daemon=True).start()
        wait_for(lambda: len(messages) > before, "the first message at the service")
        return channel, requests, first, result

    def end_request(self, place, running):
        channel, requests, first, result = running
        requests.send(proto("tom"))
        requests.close()
        if not self.many_up:
            for _ in self.expected(first):
                place.services["GRPC"].release.put(True)
        answers = result.get(timeout=LONG)
        channel.close()
        assert answers == self.expected(first, "tom"), answers

    begin_response, end_response = begin_request, end_request


class Websocket(Talker):
    def bad_column(self, direction):
        return "block" if direction == "request" else "abort"

    def talk(self, place, conversation, path="/ws"):
        websockets = need("websockets")

        async def main():
            async with websockets.connect(f"ws://127.0.0.1:{place.nginx.port}{path}", max_size=None) as client:
                await conversation(client)

        asyncio.run(asyncio.wait_for(main(), LONG))

    def request_pass(self, place):
        async def conversation(client):
            for message in ("tom", "x" * 60000, "eve", ""):
                await client.send(message)
                assert await client.recv() == message
        self.talk(place, conversation)

    response_pass = request_pass

    def request_block(self, place):
        """At the handshake."""
        websockets = need("websockets")

        async def conversation(client):
            raise AssertionError("it was let in")
        try:
            self.talk(place, conversation, "/ws?q=needle%27")
        except websockets.InvalidStatusCode as error:
            assert error.status_code == 403

    async def cut(self, client):
        websockets = need("websockets")
        try:
            answer = await client.recv()
            raise AssertionError(f"{answer} came")
        except websockets.ConnectionClosed:
            pass

    def request_abort(self, place):
        service = place.services["WEBSOCKET"]
        before = service.ended.count("aborted")

        async def conversation(client):
            await client.send("tom")
            assert await client.recv() == "tom"
            await client.send(BAD)
            await self.cut(client)
        self.talk(place, conversation)
        wait_for(lambda: service.ended.count("aborted") == before + 1, "the service's side to be cut")
        assert BAD not in service.messages

    def response_abort(self, place):
        async def conversation(client):
            await client.send("tom")
            assert await client.recv() == "tom"
            await client.send("say bad")
            await self.cut(client)
        self.talk(place, conversation)

    def begin_request(self, place):
        """A conversation that the test goes on with from another thread."""
        steps, done = queue.Queue(), queue.Queue()

        async def conversation(client):
            await client.send("tom")
            assert await client.recv() == "tom"
            done.put("first")
            await asyncio.get_running_loop().run_in_executor(None, steps.get)
            await client.send("eve")
            assert await client.recv() == "eve"

        def run():
            try:
                self.talk(place, conversation)
                done.put("second")
            except BaseException as error:
                done.put(error)

        threading.Thread(target=run, daemon=True).start()
        assert done.get(timeout=LONG) == "first"
        return steps, done

    def end_request(self, place, running):
        steps, done = running
        steps.put(True)
        assert done.get(timeout=LONG) == "second"

    begin_response, end_response = begin_request, end_request
