# SPDX-License-Identifier: Apache-2.0
"""Makes states/NAME.tar.xz: what a guardd of an earlier commit kept of traffic that went through the gate of that commit, and of what people
decided. Builds that commit first. Run by itself, in a clone with its history:
/usr/bin/python3 tests/integration/older/make_states.py WORK-FOLDER [NAME]...
A state that is there is left alone: bytes of the past aren't made anew."""

import json
import os
import pathlib
import subprocess
import sys
import tarfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
STATES = HERE / "states"
# What came with it: versions of the store, records, piles and policies.
COMMITS = {
    "first": "f56230a4",  # store 1, records 1, piles 1, policies 1
    "releases": "ee9fb702",  # store 2, records 5, piles 4, policies 5
}
EXCHANGES = 1500
LEFT_OUT = (".sock", ".lock", ".pid")


def build(commit, folder):
    """Its programs, without what only makes them fast."""
    if not (folder / "build" / "build.ninja").exists():
        folder.mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(["git", "-C", ROOT, "archive", commit], capture_output=True, check=True).stdout
        subprocess.run(["tar", "x", "-C", folder], input=archive, check=True)
        subprocess.run(["meson", "setup", "build", "--buildtype=plain", "-Doptimization=1"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    targets = ["guardd/guardd", "guard/guard", "hosts/nginx/ngx_http_guard_module.so"]
    subprocess.run(["ninja", "-C", "build", *targets], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    programs = folder / "build" / "bin"
    programs.mkdir(exist_ok=True)
    for name in ("guardd", "guard"):
        (programs / name).unlink(missing_ok=True)
        os.link(folder / "build" / name / name, programs / name)
    return programs, folder / "build" / targets[-1]


class Life:
    """A service in front of which the old gate stands, long enough to be known; then what people decide of it."""

    def __init__(self, programs, state):
        self.programs, self.state = programs, state
        self.did = []

    def decide(self, *words):
        """What that version knows of it is told in the state's list."""
        done = subprocess.run([self.programs / "guard", *words, "--state", self.state], capture_output=True, text=True, check=False)
        print("   ", " ".join(words), "->", done.returncode, (done.stderr or done.stdout).strip()[:100])
        if done.returncode == 0:
            self.did.append(words[0] if words[0] not in ("clients", "patch") else " ".join(words[:2]))
        return done

    def waiting(self):
        done = subprocess.run([self.programs / "guard", "review", "--service", "shop", "--format", "jsonl", "--state", self.state],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return []
        return [one["id"] for one in map(json.loads, done.stdout.splitlines()) if one.get("state") == "waiting"]

    def live(self, folder):
        from guardd.test_guardd import GATE, Guardd, drive
        from harness import Nginx, wait_for
        from traffic import Shop
        Guardd.program = self.programs / "guardd"
        guardd = Guardd(self.state).start()
        upstream = Nginx(folder / "upstream", "server { listen 127.0.0.1:{port}; keepalive_requests 100000; location / { return 200; } }",
                         module=None).start()
        nginx = Nginx(folder / "nginx", GATE.replace("{state}", str(self.state)).replace("{back}", str(upstream.port))).start()
        shop = Shop(77)
        assert set(drive(nginx.port, shop.many(EXCHANGES), clients=12)) == {200}
        guardd.wait_exchanges(EXCHANGES)
        wait_for(lambda: guardd.service().get("ready"), "readiness", 300)
        attack = shop.exchange("GET", "/users?username=tom%27%20or%20%27a%27=%27a")
        self.decide("mode", "block", "--service", "shop")
        wait_for(lambda: drive(nginx.port, [attack]) == [403], "the gate to block", 120)
        for client in range(5):
            drive(nginx.port, [shop.exchange("GET", "/users?username=tom", headers=[("x-late", "on")])] * (client + 1), clients=1)
        wait_for(lambda: (self.state / "alerts.jsonl").exists(), "the alert", 120)
        self.decide_all()
        total = guardd.service()["exchanges"]
        guardd.stop()
        nginx.stop()
        upstream.stop()
        return {**self.service(guardd), "exchanges": max(total, guardd.service()["exchanges"])}

    def decide_all(self):
        patch = self.state.parent / "patch.yaml"
        patch.write_text("id: no-dots\ntitle: t\ncve: [CVE-2026-0001]\naction: enforce\nwhen:\n  all:\n  - {field: query.username, contains: '..'}\n")
        for item in self.waiting()[:1]:
            self.decide("review", "accept", item, "--service", "shop", "--reason", "it is ours")
        self.decide("clients", "block", "shop", "203.0.113.0/24", "--for", "4h", "--reason", "by hand")
        self.decide("patch", "add", str(patch), "--service", "shop")
        time.sleep(3)  # what was decided is in the store

    def service(self, guardd):
        show = subprocess.run([self.programs / "guard", "show", "--service", "shop", "--state", self.state], capture_output=True, text=True, check=False)
        pile = subprocess.run([self.programs / "guard", "show", self.state / "piles" / "shop.pile"], capture_output=True, text=True, check=False)
        return {"mode": guardd.service().get("mode"), "generation": guardd.service()["generation"], "shown": show.stdout or pile.stdout,
                "alerts": len((self.state / "alerts.jsonl").read_text().splitlines())}


def pack(state, facts, target):
    (state / "facts.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    with tarfile.open(target, "w:xz", preset=9) as archive:
        for path in sorted(state.rglob("*")):
            if path.is_file() and not path.is_socket() and not path.name.endswith(LEFT_OUT):
                archive.add(path, str(path.relative_to(state)), filter=plain)


def plain(entry):
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def main():
    sys.path[:0] = [str(HERE.parent), str(HERE.parent / "guardd")]
    work, *names = sys.argv[1:]
    for name in names or COMMITS:
        target = STATES / f"{name}.tar.xz"
        if target.exists():
            print(f"{name}: is there")
            continue
        programs, module = build(COMMITS[name], pathlib.Path(work) / name)
        os.environ["GUARD_BIN"], os.environ["GUARD_MODULE"] = str(programs), str(module)
        folder = pathlib.Path(work) / f"{name}.life"
        state = folder / "state"
        state.mkdir(parents=True)
        life = Life(programs, state)
        facts = {**life.live(folder), "commit": COMMITS[name], "at": int(time.time()), "did": life.did}
        STATES.mkdir(exist_ok=True)
        pack(state, facts, target)
        print(f"{name}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
