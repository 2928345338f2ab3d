# SPDX-License-Identifier: Apache-2.0
"""Many streams of HTTP/2 at once, over several connections, with the digest of each body. (curl 7.88 fails when it multiplexes
without TLS.)"""

import asyncio
import hashlib

import h2.config
import h2.connection
import h2.events

STREAMS = 8


class Connection:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, validate_inbound_headers=False))
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(1 << 24)

    async def fetch_all(self, targets, headers):
        """(status, digest, clean end?) for each target."""
        waiting = list(enumerate(targets))
        open_streams, answers = {}, [None] * len(targets)
        while waiting or open_streams:
            while waiting and len(open_streams) < STREAMS:
                index, target = waiting.pop(0)
                stream = self.h2.get_next_available_stream_id()
                self.h2.send_headers(stream, [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", target),
                                              *headers], end_stream=True)
                open_streams[stream] = [index, 0, hashlib.sha256()]
            self.writer.write(self.h2.data_to_send())
            await self.writer.drain()
            data = await self.reader.read(1 << 18)
            if not data:
                break
            for event in self.h2.receive_data(data):
                self.take(event, open_streams, answers)
        self.writer.close()
        for index, status, digest in open_streams.values():
            answers[index] = (status, digest.hexdigest(), False)
        return answers

    def take(self, event, open_streams, answers):
        stream = open_streams.get(getattr(event, "stream_id", None))
        if stream is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            stream[1] = int(dict(event.headers)[b":status"])
        elif isinstance(event, h2.events.DataReceived):
            stream[2].update(event.data)
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
            index, status, digest = open_streams.pop(event.stream_id)
            answers[index] = (status, digest.hexdigest(), isinstance(event, h2.events.StreamEnded))


def fetch_all(port, targets, connections, headers=()):
    async def one(part):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        return await Connection(reader, writer).fetch_all(part, headers)

    async def run():
        parts = [targets[i::connections] for i in range(connections)]
        return await asyncio.wait_for(asyncio.gather(*(one(part) for part in parts if part)), 300)

    answers = [None] * len(targets)
    for i, part in enumerate(asyncio.run(run())):
        answers[i::connections] = part
    return answers
