# SPDX-License-Identifier: Apache-2.0
"""What the gate's tests share: nginx with the module and a state directory, policies made without learning, and a reader of
rings that knows only their specification."""

import json
import os
import pathlib
import struct
import subprocess

import pytest

from harness import BUILD, ROOT, settle, wait_for

HERE = pathlib.Path(__file__).resolve().parent
RING_MAGIC = 0x31474E5244524147

# The policies of these tests forbid everything but letters, digits and blanks in "q", wherever it comes.
ATTACK = "needle'"
ATTACK_QUERY = "q=needle%27"


@pytest.fixture(scope="session")
def gate_tool(tmp_path_factory):
    ready = os.environ.get("GUARD_GATE_TOOL")
    if ready:
        return pathlib.Path(ready)
    out = tmp_path_factory.mktemp("gate_tool") / "gate_tool"
    subprocess.run(
        [os.environ.get("CC", "cc"), "-std=c17", "-I", ROOT / "include", "-o", out, HERE / "gate_tool.c",
         BUILD / "lib" / "libguard.a", "-lsodium", "-lm"], check=True)
    return out


@pytest.fixture
def make_policy(gate_tool):
    def make(service="svc", generation=1, mode="block", *, padding=0, replaces=0, seed=1, leaks=False):
        return subprocess.run(
            [gate_tool, "policy", str(seed), service, str(generation), mode, str(padding), str(replaces)]
            + ["leaks"] * leaks, check=True, capture_output=True).stdout
    return make


class State:
    """A state directory as guardd and the command line would fill it."""

    def __init__(self, path, gate_tool):
        self.path = pathlib.Path(path)
        self.tool, self.known = gate_tool, {}
        for name in ("policies", "bypass", "withdrawn", "rings", "keys"):
            (self.path / name).mkdir(parents=True)
        self.key = self.path / "keys" / "policy.pub"
        self.key.write_bytes(subprocess.run([gate_tool, "key", "1"], check=True, capture_output=True).stdout)

    def policy_file(self, service="svc"):
        return self.path / "policies" / f"{service}.policy"

    def publish(self, content, service="svc"):
        """As guardd does: by rename."""
        self.replace(self.policy_file(service), content)

    def bypass(self, content, service="svc", folder="bypass"):
        file = self.path / folder / f"{service}.json"
        if content is None:
            file.unlink()
        else:
            self.replace(file, content if isinstance(content, bytes) else json.dumps(content).encode())

    def withdraw(self, content, service="svc"):
        self.bypass(content, service, "withdrawn")

    @staticmethod
    def replace(file, content):
        temporary = file.with_suffix(".tmp")
        temporary.write_bytes(content)
        temporary.rename(file)

    def rings(self, suffix=".ring"):
        return sorted((self.path / "rings").glob(f"gate-*{suffix}"))

    def records(self):
        return [record for ring in self.rings() for record in read_ring(ring)]

    def alerts(self):
        return [json.loads(record) for ring in self.rings(".alerts") for record in read_ring(ring)]

    def heads(self):
        """The heads of all records."""
        return [self.head(record) for record in self.records()]

    def head(self, record):
        """Of each record once: who waits for one looks at all again and again."""
        if record not in self.known:
            self.known[record] = subprocess.run([self.tool, "head"], input=record, check=True, capture_output=True).stdout
        return json.loads(self.known[record])


def read_ring(path):
    """All records of a ring that wasn't lapped, those of answers among them that clients have got just now."""
    settle()
    content = pathlib.Path(path).read_bytes()
    magic, version, header_bytes, capacity = struct.unpack_from("<QIIQ", content)
    if magic != RING_MAGIC:
        return []
    assert version == 1 and header_bytes == 4096 and len(content) == header_bytes + capacity
    _, committed = struct.unpack_from("<QQ", content, 128)
    data = content[header_bytes:]
    assert committed <= capacity, "lapped: this reader is too simple for that"
    records, position = [], 0
    while position < committed:
        length, _, sequence = struct.unpack_from("<IIQ", data, position)
        records.append(data[position + 16:position + 16 + length])
        assert sequence == len(records)
        position += (16 + length + 15) // 16 * 16
    return records


@pytest.fixture
def state(tmp_path, gate_tool):
    return State(tmp_path / "state", gate_tool)


GUARDED = """
    guard_state {state};
    guard_policy_key {state}/keys/policy.pub;
    guard svc;
    client_body_buffer_size 8k;
"""
# Bad answers are replaced for as long as they may be held; where they have to be, a service that stands still doesn't change it.
HELD = GUARDED + "guard_response_hold 64k 60s;"


@pytest.fixture
def gate(nginx, state, make_policy, echo):
    """A factory: gate(servers, mode=...) starts nginx with a policy in force. In `servers`, {state} and {echo} (host:port)
    are replaced; without it one server proxies everything to the echo service, by HTTP/1.1 on {port} and h2c on {port2}."""

    def make(servers=None, *, mode="block", http=GUARDED, publish=True, leaks=False, **options):
        if servers is None:
            servers = """
            server { listen 127.0.0.1:{port}; location / { proxy_pass http://{echo}; } }
            server { listen 127.0.0.1:{port2} http2; location / { proxy_pass http://{echo}; } }"""
        if publish and mode is not None:
            state.publish(make_policy(mode=mode, leaks=leaks))
        text = (http + servers).replace("{state}", str(state.path)).replace("{echo}", f"127.0.0.1:{echo.port}")
        return nginx(text, **options)

    make.state = state
    make.echo = echo
    return make


def wait_generation(instance, generation, service="svc", workers=1):
    text = f"service {service}: generation {generation} is in force"
    wait_for(lambda: instance.log_text().count(text) >= workers, text)
