# SPDX-License-Identifier: Apache-2.0
"""Trailers: of requests, what nginx makes of them, which no service gets to see uninspected; of responses, which are judged before
they go out."""

import socket

import pytest

from harness import wait_for

from . import test_grpc
from .services import need, proto, sink
from .test_grpc import channel  # noqa: F401 - a fixture
from .test_streams import chunk, head, servers


@pytest.mark.parametrize("directives", [(), ("guard_body streamed;", "proxy_request_buffering off;")])
def test_trailers_of_chunked_bodies_are_dropped(gate, raw_service, directives):
    upstream = raw_service(sink)
    nginx = gate(servers(upstream, *directives))
    with socket.create_connection(("127.0.0.1", nginx.port)) as sock:
        sock.sendall(head() + chunk(b'{"q":"tom"}') + b"0\r\nX-Q: needle'\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
    seen = upstream.heads[0].encode("latin-1") + bytes(upstream.bytes)
    assert b"needle" not in seen and b"tom" in seen


def test_trailers_of_http2_are_refused(gate, raw_service):
    need("h2")
    import h2.config
    import h2.connection
    import h2.events
    upstream = raw_service(sink)
    nginx = gate(servers(upstream))
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    connection.send_headers(1, [(":method", "POST"), (":path", "/a"), (":scheme", "http"), (":authority", "a"),
                                ("content-type", "application/json")])
    connection.send_data(1, b'{"q":"tom"}')
    connection.send_headers(1, [("x-q", "needle'")], end_stream=True)
    events = []
    with socket.create_connection(("127.0.0.1", nginx.ports["port2"])) as sock:
        sock.settimeout(60)
        sock.sendall(connection.data_to_send())
        while not any(isinstance(event, (h2.events.ConnectionTerminated, h2.events.StreamEnded, h2.events.StreamReset))
                      for event in events):
            data = sock.recv(65536)
            if not data:
                break
            events += connection.receive_data(data)
    assert any(isinstance(event, h2.events.ConnectionTerminated) for event in events), events
    assert not upstream.heads


def test_trailers_of_responses_are_judged(gate, grpc_service, channel):  # noqa: F811
    """gRPC's are all that nginx passes on: a call whose last word is bad doesn't end well, and its client doesn't get that word."""
    grpc = need("grpc")
    nginx = gate(test_grpc.servers(grpc_service), leaks=True)
    call = channel(nginx).unary_unary("/t.T/Unary")
    assert call(proto("tom"), timeout=60) == proto("tom")
    with pytest.raises(grpc.RpcError) as caught:
        call(proto("say bad at last"), timeout=60)
    assert not [value for _, value in caught.value.trailing_metadata() or () if "needle" in value]
    wait_for(lambda: [head["decision"] for head in gate.state.heads()] == ["pass", "block"], "the records")
