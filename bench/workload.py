# SPDX-License-Identifier: Apache-2.0
"""What the benchmark sends: three workloads, deterministic, and the benign traffic from which Guard learns them."""
import base64
import json
import random
import urllib.parse

HOST = "api.example.com"
AGENT = "bench/1.0"
AGENTS = [AGENT, "bench/1.1", "okhttp/4.12.0", "python-requests/2.28.1", "curl/7.88.1",
          "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0"]
VARIANTS = 8  # different requests per workload, sent in turn; none of them is in the training
START = 1767225600  # 2026-01-01, when the training begins
WORDS = ("blue red green white black mug lamp chair table notebook pencil backpack kitchen garden office travel summer "
         "winter cotton wooden small large light classic modern simple round square folding").split()
# What the upstream says to all of it.
ANSWER = '{"status":"ok","id":48211,"items":[{"name":"blue mug","price":12.5},{"name":"desk lamp","price":40}],' \
         '"total":2,"page":1,"next":null}'
NAMES = ["get5", "json2k", "json20k"]


class Request:
    """One request; raw() is what goes over the wire."""

    def __init__(self, method, target, body=None, content_type=None, headers=(), agent=AGENT):
        self.method, self.target, self.body = method, target, body
        self.headers = [("Host", HOST), ("User-Agent", agent), ("Accept", "application/json")]
        if content_type is not None:
            self.headers.append(("Content-Type", content_type))
        if body is not None:
            self.headers.append(("Content-Length", str(len(body))))
        self.headers += list(headers)
        # What answers it in a traffic file.
        self.answer = [("Content-Type", "application/json"), ("Content-Length", str(len(ANSWER)))]
        self.answer_body = ANSWER

    def raw(self):
        head = f"{self.method} {self.target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in self.headers)
        return head.encode("latin-1") + b"\r\n" + (self.body or b"")

    def exchange(self, number, client, time):
        request = {"method": self.method, "target": self.target, "version": "1.1", "headers": self.headers}
        if self.body is not None:
            try:
                request["body"] = self.body.decode()
            except UnicodeDecodeError:
                request["body_b64"] = base64.b64encode(self.body).decode()
        response = {"status": 200, "headers": self.answer, "latency_ms": 3}
        if self.answer_body is not None:
            response["body"] = self.answer_body
        return {"id": str(number), "time": time, "client": client, "request": request,
                "response": response}


def _uuid(rng):
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20], digits[20:]))


def _text(rng, low, high):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(low, high)))


def get5(rng):
    return Request("GET", "/catalog/search?q=" + _text(rng, 1, 4).replace(" ", "+") +
                   f"&category={rng.choice(['kitchen', 'garden', 'office', 'travel'])}&page={rng.randint(1, 40)}"
                   f"&limit={rng.choice([10, 20, 50])}&session={_uuid(rng)}")


def novel5(rng):
    """get5 as nobody sends it: each value is of other characters, longer, and never the same; one reads like an attack."""
    def odd(length):
        return "".join(rng.choice("~^|{}[]ABCDEFXYZ0987654321") for _ in range(length))
    values = {name: urllib.parse.quote(odd(rng.randint(20, 60))) for name in ("q", "category", "page", "limit", "session")}
    values["q"] += "%27%20union%20select%20" + odd(3).replace("{", "a").replace("[", "b") + "%20from%20users--"
    return Request("GET", "/catalog/search?" + "&".join(f"{name}={value}" for name, value in values.items()),
                   agent=f"novel/{rng.randint(1, 10**6)}.{odd(4)}")


def browse(rng):
    """What a browser sends: much head, no body. For learning only: with its client, time and answer a line of 1 kB."""
    request = Request("GET", get5(rng).target, agent=AGENTS[-1])
    request.headers = [("Host", HOST), ("User-Agent", AGENTS[-1]), ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
                       ("Accept-Language", rng.choice(["en-GB,en;q=0.5", "de-DE,de;q=0.8,en;q=0.5", "fr,en;q=0.3"])),
                       ("Accept-Encoding", "gzip, deflate, br"), ("Connection", "keep-alive"),
                       ("Referer", f"https://{HOST}/catalog/{rng.choice(WORDS)}-{rng.choice(WORDS)}/{rng.randint(1, 9000)}"),
                       ("Cookie", f"session={_uuid(rng)}; theme={rng.choice(['dark', 'light'])}; basket={rng.randint(0, 30)}"),
                       ("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "same-origin")]
    request.answer_body = None
    request.answer = [("Content-Type", "application/json"), ("Server", "nginx"), ("Date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("Content-Length", "4821"),
                      ("Cache-Control", "private, max-age=0, no-store"), ("Vary", "Accept-Encoding, Cookie")]
    return request


def _body(document):
    return json.dumps(document, separators=(",", ":")).encode()


def _filled(document, size):
    """The document, its note filled up so that the body has the size."""
    missing = size - len(_body(document))
    if missing > 1:
        filler = (" ".join(WORDS) + " ") * (size // 100 + 1)
        document["note"] = (document["note"] + " " + filler)[:len(document["note"]) + missing - 1] + "."
    return document


def order_document(rng, lines=24):
    """103 leaves with 24 lines."""
    lines = [{"sku": f"A{rng.randint(1000, 9999)}", "count": rng.randint(1, 9), "price": round(rng.uniform(1, 90), 2),
              "gift": rng.random() < 0.2} for _ in range(lines)]
    return {"id": _uuid(rng), "email": f"{rng.choice(WORDS)}.{rng.choice(WORDS)}@example.com",
            "currency": rng.choice(["EUR", "USD", "GBP"]), "express": rng.random() < 0.5,
            "total": round(rng.uniform(10, 900), 2), "country": rng.choice(["DE", "FR", "GB", "IT"]), "lines": lines,
            "note": "Thanks"}


def import_document(rng, products=46):
    """466 leaves with 46 products."""
    products = [{"id": _uuid(rng), "name": _text(rng, 2, 4), "description": _text(rng, 35, 41),
                 "price": round(rng.uniform(1, 500), 2), "stock": rng.randint(0, 5000), "active": rng.random() < 0.9,
                 "colour": rng.choice(["blue", "red", "green"]), "weight": round(rng.uniform(0.1, 40), 3),
                 "added": f"20{rng.randint(10, 24)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
                 "tags": [rng.choice(WORDS)]} for _ in range(products)]
    return {"batch": _uuid(rng), "source": rng.choice(["shop", "store", "partner"]), "dry": rng.random() < 0.1,
            "sequence": rng.randint(1, 99999), "products": products, "note": "Nightly import", "version": 2}


def json2k(rng):
    return Request("POST", "/orders", _body(_filled(order_document(rng), 2048)), "application/json")


def json20k(rng):
    return Request("POST", "/import/products", _body(_filled(import_document(rng), 20700)), "application/json")


MAKERS = {"get5": get5, "json2k": json2k, "json20k": json20k, "browse": browse, "novel5": novel5}


def requests(name):
    """The measured requests of a workload."""
    rng = random.Random("measure " + name)
    return [MAKERS[name](rng) for _ in range(VARIANTS)]


def leaves(document):
    if isinstance(document, dict):
        return sum(leaves(value) for value in document.values())
    if isinstance(document, list):
        return sum(leaves(value) for value in document)
    return 1


def _varied(name, rng):
    """A workload's request as real clients send it: lists, notes and bodies of any length, several programs."""
    agent = rng.choice(AGENTS)
    if name == "browse":
        return browse(rng)
    if name == "get5":
        request = get5(rng)
        return Request("GET", request.target, agent=agent)
    if name == "json2k":
        path, document, most = "/orders", order_document(rng, rng.randint(1, 30)), 1100
    else:
        path, document, most = "/import/products", import_document(rng, rng.randint(1, 60)), 2200
    if rng.random() < 0.7:
        document = _filled(document, len(_body(document)) + rng.randint(2, most))
    return Request("POST", path, _body(document), "application/json", agent=agent)


def training(count, clients=200, seed="train", names=None):
    """Benign exchanges of all workloads, each as often as the others: many clients over two days; one of them is the one
    that is measured."""
    rng = random.Random(seed)
    names = names or NAMES
    addresses = ["127.0.0.1"] + [f"{rng.randint(11, 99)}.{rng.randrange(256)}.{i}.7" for i in range(clients - 1)]
    for number in range(count):
        time = START + number * 2 * 86400 / count
        yield _varied(names[number % len(names)], rng).exchange(number, rng.choice(addresses), round(time, 3))


def write_lua(list_of_requests, path):
    """A wrk script that sends the requests in turn, byte by byte as they are."""
    quoted = ["".join(chr(b) if b < 128 and chr(b).isalnum() else f"\\{b:03d}" for b in r.raw()) for r in list_of_requests]
    with open(path, "w", encoding="ascii") as out:
        out.write("local list = {" + ",".join(f'"{text}"' for text in quoted) + "}\nlocal next = 0\n"
                  "function request()\n  next = next % #list + 1\n  return list[next]\nend\n")


def write_training(path, count, seed="train", names=None):
    """Bytes written."""
    size = 0
    with open(path, "w", encoding="utf-8") as out:
        for exchange in training(count, seed=seed, names=names):
            size += out.write(json.dumps(exchange, separators=(",", ":")) + "\n")
    return size
