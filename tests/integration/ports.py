# SPDX-License-Identifier: Apache-2.0
"""Ports for servers that are told their port before they listen. They lie outside the range that the kernel takes ports of outgoing
connections from, and in a block that this process alone has: whoever holds its first port. So none is taken between asking and
listening, whatever else runs beside."""

import socket
import threading

FIRST, LAST, BLOCK = 10000, 65000, 250


def outgoing_range():
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            low, high = file.read().split()
        return int(low), int(high)
    except (OSError, ValueError):
        return 32768, 60999


def blocks():
    """First ports of all blocks; those in the range of outgoing connections come last."""
    low, high = outgoing_range()
    begins = range(FIRST, LAST - BLOCK, BLOCK)
    outside = [begin for begin in begins if begin + BLOCK <= low or begin > high]
    return outside + [begin for begin in begins if begin not in outside]


def can_listen(port):
    """As nginx would: what is left of closed connections doesn't count."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
            sock.listen(1)
        except OSError:
            return False
    return True


class Ports:
    """Hands out the ports of a block in turn, so that a port comes again late."""

    def __init__(self):
        self.lock = threading.Lock()
        self.holder = None  # bound, never listening: it ends with the process
        self.begin = self.next = 0

    def claim(self):
        for begin in blocks():
            holder = socket.socket()
            try:
                holder.bind(("127.0.0.1", begin))
            except OSError:
                holder.close()
                continue
            self.holder, self.begin, self.next = holder, begin, 1
            return
        raise OSError("every block of ports is taken")

    def take(self):
        with self.lock:
            if self.holder is None:
                self.claim()
            for _ in range(BLOCK - 1):
                port = self.begin + self.next
                self.next = self.next % (BLOCK - 1) + 1
                if can_listen(port):
                    return port
        raise OSError(f"all ports from {self.begin} on are taken")


_ports = Ports()


def free_port():
    return _ports.take()
