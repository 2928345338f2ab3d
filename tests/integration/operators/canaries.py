# SPDX-License-Identifier: Apache-2.0
"""Canaries by their specification (docs/internals/canary.md), made without a line of the product."""

import hashlib
import os
import time

PATH = "/.well-known/guard-canary"
WINDOW_S = 60


def mac(key, text):
    return hashlib.blake2b(text.encode(), key=key, digest_size=32).hexdigest()


def key_of(policy):
    """Of the bytes of a policy: what two of its fields derive."""
    return hashlib.blake2b(b"canary", key=policy[64:96], digest_size=32).digest()


class Canary:
    def __init__(self, key, service="svc", age_s=0.0, nonce=None):
        nonce = nonce or os.urandom(16).hex()
        head = f"1.{int((time.time() - age_s) * 1000):016x}.{nonce}"
        self.key = key
        self.proof = f"{head}.{mac(key, f'guard canary asked{chr(10)}{service}{chr(10)}{head}')}"

    @property
    def header(self):
        return ["-H", f"Guard-Canary: {self.proof}"]

    def answered(self, body):
        """What the gate says of itself; None when it isn't an answer to this canary."""
        head, _, rest = body.decode("latin-1").partition("\n")
        if head != f"guard-canary 1 {mac(self.key, f'guard canary answered{chr(10)}{self.proof}{chr(10)}{rest}')}":
            return None
        return dict(line.split(" ", 1) for line in rest.splitlines())
