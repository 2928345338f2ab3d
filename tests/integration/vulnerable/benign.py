# SPDX-License-Identifier: Apache-2.0
"""Benign traffic of each victim, of all its endpoints and from many clients; all of it follows from the seed. Where users write templates,
expressions or paths they write really useful ones: what an exploit has to stand out from."""

import base64
import json
import random
import urllib.parse

from .words import AGENTS, CITIES, COUNTRIES, THINGS, Words

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
BOUNDARY = "----WebKitFormBoundary%016x"


def build(host, agent, method, target, media_type=None, body=None, headers=()):
    head = [f"{method} {target} HTTP/1.1", f"Host: {host}", f"User-Agent: {agent}", "Accept: */*", *(f"{k}: {v}" for k, v in headers)]
    data = b"" if body is None else body.encode()
    if body is not None:
        head += [f"Content-Type: {media_type}", f"Content-Length: {len(data)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + data


class Traffic(Words):
    """`kinds` are the methods that make a request: each (method, target[, media type, body[, headers]])."""
    kinds = ()

    def __init__(self, host, seed):
        super().__init__(random.Random(f"{host} {seed}"))
        self.host = host

    def one(self, agent=AGENTS[0]):
        return build(self.host, agent, *getattr(self, self.pick(self.kinds))())

    def many(self, count, clients):
        """Client and bytes of each request: each client has a program of its own."""
        return [(i % clients, self.one(AGENTS[i % clients % len(AGENTS)])) for i in range(count)]

    def get(self, path, **values):
        query = urllib.parse.urlencode(values, quote_via=self.pick([urllib.parse.quote, urllib.parse.quote_plus]))
        return "GET", f"{path}?{query}" if values else path

    @staticmethod
    def json(method, path, document):
        return method, path, JSON, json.dumps(document, ensure_ascii=False)

    @staticmethod
    def form(path, **values):
        return "POST", path, FORM, urllib.parse.urlencode(values)


class Notes(Traffic):
    kinds = ("home", "home", "profile", "search", "note", "write")

    def home(self):
        profile = json.dumps({"username": self.name(), "country": self.pick(COUNTRIES), "city": self.pick(CITIES)}, ensure_ascii=False)
        value = urllib.parse.quote(base64.b64encode(profile.encode()).decode(), safe="")
        return "GET", "/", None, None, [("Cookie", f"profile={value}")] if self.random.random() < 0.9 else []

    def profile(self):
        return self.form("/profile", username=self.name(), city=self.pick(CITIES), country=self.pick(COUNTRIES))

    def search(self):
        return self.get("/notes", q=self.pick(THINGS))

    def note(self):
        return self.get(f"/notes/{self.number(1, 5000)}")

    def write(self):
        return self.json("POST", "/notes", {"text": self.sentence(), "tags": [self.pick(THINGS) for _ in range(self.number(0, 3))]})


class Pages(Traffic):
    kinds = ("page", "page", "archive", "search", "contact")

    def page(self):
        return self.get("/page", id=self.number(1, 400), name=self.name())

    def archive(self):
        return self.get(f"/archive/{self.number(1950, 2026)}", page=self.number(1, 9))

    def search(self):
        return self.get("/search", q=self.pick(THINGS))

    def contact(self):
        return self.form("/contact", name=self.name(), mail=self.mail(), text=self.sentence())


class Settings(Traffic):
    kinds = ("store", "store", "show", "report", "message")

    def store(self):
        document = {"theme": self.pick(["light", "dark"]), "language": self.pick(["en", "de", "fr"]),
                    "mail": {"weekly": self.pick([True, False]), "digest": self.pick(["daily", "never"])}, "limits": {"rows": self.number(5, 200)}}
        for name in list(document):
            if self.random.random() < 0.3:
                del document[name]
        return self.json("PUT", f"/settings/{self.number(1, 5000)}", document)

    def show(self):
        return self.get(f"/settings/{self.number(1, 5000)}")

    def report(self):
        return self.get("/report", user=self.number(1, 5000), page=self.number(1, 30))

    def message(self):
        return self.json("POST", "/messages", {"to": self.mail(), "text": self.sentence()})


class Gallery(Traffic):
    kinds = ("home", "photo", "upload", "upload")

    def home(self):
        return self.get("/", title=self.pick(THINGS)) if self.random.random() < 0.7 else self.get("/")

    def photo(self):
        return self.get(f"/photos/{self.number(1, 5000)}")

    def upload(self):
        boundary = BOUNDARY % self.random.getrandbits(64)
        fields = {"title": self.sentence(), "album.name": self.pick(THINGS), "album.public": self.pick(["yes", "no"])}
        parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="{self.pick(["IMG_", "photo-", "scan "])}'
                     f'{self.number(1, 9999)}.svg"\r\nContent-Type: image/svg+xml\r\n\r\n<svg width="{self.number(9, 99)}"></svg>\r\n--{boundary}--\r\n')
        return "POST", "/photos", f"multipart/form-data; boundary={boundary}", "".join(parts)


class Files(Traffic):
    kinds = ("file", "file", "file", "chapter", "search")

    def file(self):
        folder, ending = self.pick([("css", "css"), ("img", "svg"), ("docs", "html")])
        return self.get(f"/static/{folder}/page-{self.number(0, 4)}.{ending}", v=self.number(1, 30))

    def chapter(self):
        return self.get(f"/handbook/{self.pick(['first-steps', 'payment', 'returns', 'faq', 'terms.html', 'contact'])}")

    def search(self):
        return self.get("/search", q=self.pick(THINGS))


class Recipes(Traffic):
    kinds = ("load", "load", "recipe", "search", "review")

    def load(self):
        text = f"title: {json.dumps(self.pick(THINGS) + ' of ' + self.pick(CITIES), ensure_ascii=False)}\nserves: {self.number(1, 9)}\n"
        if self.random.random() < 0.5:
            text += f"# from {self.pick(COUNTRIES)}\nauthor: {json.dumps(self.name(), ensure_ascii=False)}\n"
        text += "steps:\n" + "".join(f"  - {self.pick(['Stir', 'Cook', 'Cut', 'Wait', 'Salt'])} for {self.number(1, 60)} minutes\n"
                                     for _ in range(self.number(1, 6)))
        if self.random.random() < 0.4:
            text += "note: >\n  " + self.sentence().replace(": ", " ").replace(" #", " ") + "\n"
        return "POST", "/import", "application/x-yaml", text

    def recipe(self):
        return self.get(f"/recipes/{self.number(1, 5000)}")

    def search(self):
        return self.get("/recipes", q=self.pick(THINGS), limit=self.pick([10, 20, 50]))

    def review(self):
        return self.json("POST", "/reviews", {"stars": self.number(1, 6), "text": self.sentence()})


class Catalog(Traffic):
    kinds = ("products", "products", "product", "cart", "question")

    def products(self):
        values = {"category": self.pick(["lamps", "men's coats", "tea & coffee", "garden (all)"]), "brand": self.name(), "colour": self.pick(
            ["red", "blue/green", "\"natural\""])}
        if self.random.random() < 0.3:
            values["pretty"] = self.pick(["true", "false"])
        return self.get("/products", **values)

    def product(self):
        return self.get(f"/products/{self.number(1, 5000)}")

    def cart(self):
        return self.json("POST", "/cart", {"product": self.number(1, 5000), "quantity": self.number(1, 9), "gift": self.pick([True, False])})

    def question(self):
        return self.form("/questions", mail=self.mail(), text=self.sentence())


class Mailer(Traffic):
    kinds = ("preview", "preview", "template", "contacts", "add")
    texts = ("Dear {{name}},", "your order {{order.id}} was sent to {{order.city}}.", "{{#if gift}}It's a gift!{{else}}Thanks.{{/if}}",
             "{{#each items}}{{this}}, {{/each}}", "{{! a remark }}", "Best wishes, {{{sender}}}", "{{#unless gift}}Total: {{order.total}} EUR{{/unless}}",
             "{{#with order as |it|}}No. {{it.id}} ({{it.city}}){{/with}}", "See you in {{city}}!", "<a href=\"https://shop.example/orders/{{order.id}}\">your order</a>",
             "First: {{lookup items 0}}", "{{#each items as |item|}}\n  * {{item}}\n{{/each}}", "{{@root.name}}, it's for you: \"{{sender}}\"")

    def preview(self):
        template = "\n".join(self.pick(self.texts) for _ in range(self.number(1, 6)))
        data = {"name": self.name(), "gift": self.pick([True, False]), "items": [self.pick(THINGS) for _ in range(self.number(0, 4))],
                "sender": self.name(), "city": self.pick(CITIES), "order": {"id": self.number(1, 9999), "city": self.pick(CITIES), "total": self.number(5, 900)}}
        return self.json("POST", "/preview", {"subject": self.sentence(), "template": template, "data": data})

    def template(self):
        return self.get(f"/templates/{self.number(1, 5000)}")

    def contacts(self):
        return self.get("/contacts", name=self.name())

    def add(self):
        return self.json("POST", "/contacts", {"name": self.name(), "mail": self.mail(), "city": self.pick(CITIES)})


class Calculator(Traffic):
    kinds = ("ask", "ask", "several", "history", "feedback")

    def expression(self):
        a, b, c = (self.number(1, 500) for _ in range(3))
        return self.pick([f"{a} + {b} * {c}", f"({a} - {b})^2 / {c}", f"sqrt({a}) * {b}.5", f"sin(pi / {a}) + cos({b} deg)", f"{a} inch to cm",
                          f"x = {a}; y = {b}; x * y", f"f(x) = x^2 + {a}; f({b})", f"[{a}, {b}; {c}, 4]", f"max({a}, {b}, {c})", f"{a} > {b} ? {c} : 0",
                          f"det([{a}, {b}; {c}, 1])", f"round({a} / {b}, 2)", f"\"{a}\"", f"{a}e3 % {b}", f"abs(-{a}) == {a} and {b} < {c}"])

    def ask(self):
        return self.get("/calculate", expression=self.expression())

    def several(self):
        return self.json("POST", "/calculate", {"expressions": [self.expression() for _ in range(self.number(1, 4))]})

    def history(self):
        return self.get(f"/history/{self.number(1, 5000)}")

    def feedback(self):
        return self.form("/feedback", mail=self.mail(), text=self.sentence())


class Library(Traffic):
    kinds = ("query", "query", "book", "books", "loan")

    def path(self):
        a, b = self.number(1, 40), self.number(100, 9000)
        return self.pick(["$.store.book[*].author", f"$.store.book[{a}]", f"$..book[?(@.price<{b})]", f"$..book[?(@.price<{b} && @.category=='amber')]",
                          "$..author", f"$.store.book[{a}:{a + 3}].title", "$..book[(@.length-1)]", f"$..book[?(@.year>={1950 + a})].title",
                          "$.store.owner['name']", f"$..book[?(@.title!='it\\'s' || @.id=={a})]", "$.store.*", "$..book[0,1]",
                          f"$..book[?(@.author === 'birch')].{self.pick(['title', 'price', 'year'])}"])

    def query(self):
        return self.json("POST", "/query", {"path": self.path()})

    def book(self):
        return self.get(f"/books/{self.number(1, 5000)}")

    def books(self):
        return self.get("/books", limit=self.pick([5, 10, 20]))

    def loan(self):
        return self.json("POST", "/loans", {"book": self.number(1, 5000), "reader": self.name(), "note": self.sentence()})


class Cards(Traffic):
    kinds = ("card", "card", "design", "order")

    def card(self):
        return self.get("/card", to=self.name(), text=self.sentence(), **{"from": self.pick([self.name(), self.login()])})

    def design(self):
        return self.get(f"/designs/{self.number(1, 5000)}")

    def order(self):
        return self.json("POST", "/orders", {"design": self.number(1, 5000), "to": self.name(), "street": f"{self.name()} St. {self.number(1, 99)}",
                                             "city": self.pick(CITIES)})


class Monitor(Traffic):
    kinds = ("services", "services", "machine", "note", "events")
    names = ("nginx", "postgresql", "cron", "ssh", "rsyslog", "php8.2-fpm", "redis-server", "apache2", "node")

    def services(self):
        if self.random.random() < 0.3:
            first = self.number(0, len(self.names))
            return "GET", "/services?" + "&".join(f"name[]={name}" for name in self.names[first:first + self.number(1, 4)])
        return self.get("/services", name=self.pick([*self.names, "nginx,postgresql", "cron, ssh", "*"]))

    def machine(self):
        return self.get(f"/hosts/{self.number(1, 400)}")

    def note(self):
        return self.json("POST", "/notes", {"host": f"web-{self.number(1, 40)}", "text": self.sentence()})

    def events(self):
        return self.get("/events", since=1_700_000_000 + self.number(0, 40_000_000))


class Orders(Traffic):
    kinds = ("order", "order", "show", "items")

    @staticmethod
    def escaped(text):
        return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")

    def order(self):
        rows = [f"<item>{self.escaped(self.pick(THINGS))}</item>", f"<quantity>{self.number(1, 9)}</quantity>",
                f"<customer id=\"{self.number(1, 999)}\"><name>{self.escaped(self.name())}</name><city>{self.pick(CITIES)}</city></customer>"]
        if self.random.random() < 0.5:
            rows.append(f"<note>{self.escaped(self.sentence())}</note>")
        blank = self.pick(["", "\n  "])
        head = self.pick(["", '<?xml version="1.0" encoding="UTF-8"?>\n'])
        return "POST", "/orders", "application/xml", head + "<order>" + blank + blank.join(rows) + "</order>"

    def show(self):
        return self.get(f"/orders/{self.number(1, 5000)}")

    def items(self):
        return self.get("/items", q=self.pick(THINGS))


class Preferences(Traffic):
    kinds = ("store", "store", "billing", "help")

    def store(self):
        every = {"theme.color": self.pick(["light", "dark"]), "theme.font": self.pick(["Fira Sans", "Noto, 11pt"]), "mail.weekly": self.pick([True, False]),
                 "mail.address": self.mail(), "display.rows": self.number(5, 200), "display.name": self.name()}
        return self.json("PATCH", f"/preferences/{self.number(1, 5000)}", {name: every[name] for name in self.random.sample(list(every), self.number(1, 6))})

    def billing(self):
        return self.get(f"/billing/{self.number(1, 5000)}")

    def help(self):
        return self.get("/help", topic=self.pick(THINGS))


KINDS = {made.__name__.lower(): made for made in (Notes, Pages, Settings, Gallery, Files, Recipes, Catalog, Mailer, Calculator, Library, Cards, Monitor,
                                                  Orders, Preferences)}


def traffic(name, seed):
    return KINDS[name](f"{name}.example", seed)
