# SPDX-License-Identifier: Apache-2.0
"""Made traffic: a small shop with users, search, orders and ids in paths, from many clients, with some mess. Seeded."""

import json
import random

NAMES = ["tom", "anna", "j.smith", "marie-claire", "user42", "li", "olga_k", "bob", "zoe9", "max.power"]
ITEMS = ["hat", "blue shirt", "socks", "coat", "umbrella", "scarf"]


class Shop:
    def __init__(self, seed, clients=40, start=1_750_000_000.0, service="shop"):
        self.random = random.Random(seed)
        self.clients = [f"10.{i // 250}.{i % 250}.7" for i in range(clients)]
        self.time = start
        self.number = 0
        self.service = service

    def exchange(self, method, target, headers=(), body=None, client=None, status=200):
        self.number += 1
        self.time += self.random.expovariate(1 / 20.0)
        request = {"method": method, "target": target, "version": "HTTP/1.1",
                   "headers": [["host", "shop.example"], ["user-agent", "shop-app/1.4"], *headers]}
        if body is not None:
            request["body"] = body
        return {"id": f"x{self.number}", "time": round(self.time, 3), "service": self.service,
                "client": client or self.random.choice(self.clients), "request": request,
                "response": {"status": status, "latency_ms": 3.5}}

    def name(self):
        return self.random.choice(NAMES) + (str(self.random.randrange(100)) if self.random.random() < 0.3 else "")

    def benign(self):
        kind = self.random.randrange(4)
        if kind == 0:
            return self.exchange("GET", f"/users?username={self.name()}")
        if kind == 1:
            return self.exchange("GET", f"/products/{self.random.randrange(1, 5000)}?page={self.random.randrange(1, 9)}")
        if kind == 2:
            word = self.random.choice(ITEMS).replace(" ", "+")
            return self.exchange("GET", f"/search?q={word}&limit={self.random.choice([10, 20, 50])}")
        order = {"item": self.random.choice(ITEMS), "quantity": self.random.randrange(1, 9),
                 "address": {"city": self.random.choice(["Bern", "Oslo", "Rome"]), "zip": f"{self.random.randrange(1000, 9999)}"},
                 "tags": [self.random.choice(["new", "gift", "sale"]) for _ in range(self.random.randrange(3))]}
        return self.exchange("POST", "/orders", [["content-type", "application/json"]], json.dumps(order))

    def many(self, count):
        return [self.benign() for _ in range(count)]


def write(path, exchanges):
    path.write_text("".join(json.dumps(exchange) + "\n" for exchange in exchanges))
    return path
