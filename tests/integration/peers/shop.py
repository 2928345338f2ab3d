# SPDX-License-Identifier: Apache-2.0
"""A small shop as the tests of the peers' defects need it: a service that answers each kind of request, its benign traffic
from many clients (query, path, JSON objects and arrays, chunked and not, forms, files, texts), and raw requests."""

import json
import random
import socket
import threading
import urllib.parse

from harness import Answer, Handler, Server

NAMES = ["tom", "anna", "j.smith", "marie-claire", "user42", "li", "olga_k", "bob", "zoe9", "max.power", "Sven", "Ivan.P"]
ITEMS = ["hat", "blue shirt", "socks", "coat", "umbrella", "scarf"]
SORTS = ["name", "price", "rating"]
CITIES = ["Bern", "Oslo", "Rome"]
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
BOUNDARY = "----shop7d3f"
BLANKS = 2300


def request(method, target, headers=(), body=None, *, host="shop.example", chunked=False, version="1.1"):
    """The bytes of a request. `body` None: none is announced; chunked: in pieces of 50 bytes."""
    head = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        head.append(f"Host: {host}")
    head.append("User-Agent: shop-app/1.4")
    head += [f"{name}: {value}" for name, value in headers]
    data = body.encode("utf-8", "surrogateescape") if isinstance(body, str) else body
    if data is not None and chunked:
        head.append("Transfer-Encoding: chunked")
        data = b"".join(b"%x\r\n%s\r\n" % (len(data[i:i + 50]), data[i:i + 50]) for i in range(0, len(data), 50)) + b"0\r\n\r\n"
    elif data is not None:
        head.append(f"Content-Length: {len(data)}")
    return "\r\n".join(head).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + (data or b"")


def get(target, *headers, **options):
    return request("GET", target, headers, **options)


def post(target, media_type, body, *headers, **options):
    return request("POST", target, [("Content-Type", media_type), *headers], body, **options)


def multipart(name="report7.txt", media_type="text/plain", content="all is well", title="monthly"):
    return post("/files", f"multipart/form-data; boundary={BOUNDARY}",
                f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n{title}\r\n"
                f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n"
                f"Content-Type: {media_type}\r\n\r\n{content}\r\n--{BOUNDARY}--\r\n")


def order(item="hat", quantity=2, city="Bern", zip_code="3000", tags=("new",)):
    return {"item": item, "quantity": quantity, "address": {"city": city, "zip": zip_code}, "tags": list(tags)}


class Traffic:
    """What the shop's clients send; all of it follows from the seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.kinds = [self.user, self.product, self.search, self.listing, self.order, self.chunked_order, self.bulk, self.login,
                      self.file, self.note]

    def pick(self, values):
        return self.random.choice(values)

    def name(self):
        return self.pick(NAMES) + (str(self.random.randrange(100)) if self.random.random() < 0.3 else "")

    def forwarded(self):
        """Some clients say where they come from, each from somewhere else."""
        if self.random.random() < 0.7:
            return []
        return [("X-Forwarded-For", ".".join(str(self.random.randrange(1, 250)) for _ in range(4)))]

    def user(self):
        return get(f"/users?username={self.name()}", *self.forwarded())

    def product(self):
        return get(f"/products/{self.random.randrange(1, 5000)}?page={self.random.randrange(1, 9)}")

    def search(self):
        return get(f"/search?q={self.pick(ITEMS).replace(' ', '+')}&limit={self.pick([10, 20, 50])}")

    def listing(self):
        return get(f"/list?sort={self.pick(SORTS)}")

    def an_order(self):
        return order(self.pick(ITEMS), self.random.randrange(1, 9), self.pick(CITIES), str(self.random.randrange(1000, 9999)),
                     [self.pick(["new", "gift", "sale"]) for _ in range(self.random.randrange(3))])

    def order(self):
        """Some clients send theirs with many blanks."""
        text = json.dumps(self.an_order())
        return post("/orders", JSON, text if self.random.random() < 0.8 else text[:-1] + " " * BLANKS + "}")

    def chunked_order(self):
        return post("/orders", JSON, json.dumps(self.an_order()), chunked=True)

    def bulk(self):
        return post("/bulk", JSON, json.dumps([self.an_order() for _ in range(self.random.randrange(1, 4))]))

    def login(self):
        return post("/login", FORM, f"user={self.name()}&city={self.pick(CITIES)}&remember={self.pick(['yes', 'no'])}")

    def file(self):
        return multipart(self.pick(["report.txt", f"report{self.random.randrange(100)}.txt"]), content=" ".join(self.pick(ITEMS) for _ in range(9)), title=self.pick(["monthly", "weekly", "yearly"]))

    def note(self):
        return request("PUT", "/notes", [("Content-Type", "text/plain")],
                       "remember the " + " and the ".join(self.pick(ITEMS) for _ in range(self.random.randrange(1, 5))))

    def many(self, count):
        return [self.pick(self.kinds)() for _ in range(count)]


class Connection:
    """Raw requests over a connection that is kept, from an address of its own: each loopback /24 is a client."""

    def __init__(self, port, address="127.0.1.1", timeout=120):
        self.sock = socket.create_connection(("127.0.0.1", port), source_address=(address, 0), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")

    def send(self, data):
        self.sock.sendall(data)
        return self.answer(data.startswith(b"HEAD "))

    def answer(self, head=False):
        """The next answer; status 0 when the connection ends before one."""
        line = self.file.readline().split()
        if len(line) < 2:
            return Answer(0, {}, b"")
        headers = {}
        while (text := self.file.readline().strip()):
            name, _, value = text.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return Answer(int(line[1]), headers, b"" if head else self.body(headers))

    def body(self, headers):
        if headers.get("transfer-encoding") != "chunked":
            return self.file.read(int(headers.get("content-length", 0)))
        parts = []
        while (size := int(self.file.readline() or b"0", 16)):
            parts.append(self.file.read(size))
            self.file.readline()
        self.file.readline()
        return b"".join(parts)

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def send(port, data, address="127.0.1.1"):
    with Connection(port, address) as connection:
        return connection.send(data)


def respond(handler, body):
    """What the shop answers: (status, media type, content). It follows from the request."""
    path, _, query = handler.path.partition("?")
    rnd = random.Random(query)

    def item():
        return {"id": rnd.randrange(1, 5000), "name": rnd.choice(ITEMS), "price": rnd.randrange(100, 9999)}

    if path.startswith("/products/"):
        return 200, JSON, json.dumps(item()).encode()
    answers = {"/users": lambda: {"users": [{"id": rnd.randrange(1, 5000), "name": urllib.parse.unquote_plus(query.partition("=")[2])}]},
               "/search": lambda: {"items": [item() for _ in range(rnd.randrange(5))]},
               "/list": lambda: [item() for _ in range(3)],
               "/orders": lambda: {"id": rnd.randrange(1, 5000), "state": "new"}}
    if path == "/notes":
        return 200, "text/plain", b"kept"
    return 200, JSON, json.dumps(answers.get(path, lambda: {"ok": True})()).encode()


class ShopHandler(Handler):
    """Answers each request with something of its own kind; the server keeps what it has seen."""

    def serve(self):
        body, _ = self.read_body()  # what broke off was seen, too
        self.server.seen.append((self.command, self.path, body))
        status, media_type, content = self.server.respond(self, body)
        first = len(content)
        if self.server.together is not None:
            first //= 2
        self.send_response_only(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Date", self.date_time_string())
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:first])
            self.wfile.flush()
            if first < len(content):
                self.wait_for_others()
                self.wfile.write(content[first:])
        self.wfile.flush()

    def wait_for_others(self):
        try:
            self.server.together.wait(2)
        except threading.BrokenBarrierError:
            self.server.together.reset()  # the last ones of a test find nobody to wait for

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = serve


class Service(Server):
    """`seen` holds (method, target, body), in order."""

    def __init__(self, answer=respond):
        self.together = None  # a barrier: answers are sent in two halves, the second when as many have sent their first one
        self.respond = answer
        super().__init__(ShopHandler)
