# SPDX-License-Identifier: Apache-2.0
"""gRPC through the gate, by Debian's grpcio on both sides: all four kinds of call, and what a block does to each."""

import threading

import pytest

from gate.conftest import ATTACK, wait_generation
from harness import wait_for

from .services import need, proto
from .talkers import Messages

PATHS = ("Unary", "ServerStream", "ClientStream", "Bidi")


def servers(upstream, *directives):
    return f"""
    server {{
        listen 127.0.0.1:{{port}} http2;
        {" ".join(directives)}
        location / {{ grpc_pass grpc://127.0.0.1:{upstream.port}; }}
    }}"""


@pytest.fixture
def channel():
    grpc = need("grpc")
    opened = []

    def make(nginx):
        opened.append(grpc.insecure_channel(f"127.0.0.1:{nginx.port}"))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def test_all_kinds_of_calls(gate, grpc_service, channel):
    nginx = gate(servers(grpc_service))
    one = channel(nginx)
    assert one.unary_unary("/t.T/Unary")(proto("tom"), timeout=60) == proto("tom")
    assert list(one.unary_stream("/t.T/ServerStream")(proto("tom"), timeout=60)) == [proto("tom")] * 3
    assert one.stream_unary("/t.T/ClientStream")(iter([proto("a"), proto("b")]), timeout=60) == proto("a") + proto("b")
    assert list(one.stream_stream("/t.T/Bidi")(iter([proto("a"), proto("b")]), timeout=60)) == [proto("a"), proto("b")]
    wait_for(lambda: len(gate.state.heads()) == 4, "records")
    assert {head["decision"] for head in gate.state.heads()} == {"pass"}


def test_ping_pong(gate, grpc_service, channel):
    """Each message is answered before the next is sent: buffering would wait for ever."""
    nginx = gate(servers(grpc_service))
    sender = Messages()
    answers = channel(nginx).stream_stream("/t.T/Bidi")(sender, timeout=60)
    for i in range(50):
        sender.send(proto(f"message {i}"))
        assert next(answers) == proto(f"message {i}")
    sender.close()
    assert list(answers) == []
    assert len(grpc_service.messages) == 50
    wait_for(lambda: grpc_service.ended, "the end")


@pytest.mark.parametrize("kind", PATHS)
def test_metadata_is_judged_before_the_service_sees_anything(gate, grpc_service, channel, kind):
    grpc = need("grpc")
    nginx = gate(servers(grpc_service))
    one = channel(nginx)
    metadata = (("x-q", ATTACK),)
    call = {"Unary": one.unary_unary, "ServerStream": one.unary_stream, "ClientStream": one.stream_unary,
            "Bidi": one.stream_stream}[kind]("/t.T/" + kind)
    streams_up, streams_down = kind in ("ClientStream", "Bidi"), kind in ("ServerStream", "Bidi")
    with pytest.raises(grpc.RpcError) as caught:
        request = iter([proto("tom")]) if streams_up else proto("tom")
        answer = call(request, timeout=60, metadata=metadata)
        if streams_down:
            list(answer)
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED, caught.value
    assert grpc_service.messages == []
    wait_for(lambda: [head["decision"] for head in gate.state.heads()] == ["block"], "the record")


def test_running_stream_follows_the_policy(gate, grpc_service, channel, make_policy):
    """In mode alert it goes on, and the alert doesn't wait for its end; when the mode becomes block it is cut."""
    grpc = need("grpc")
    nginx = gate(servers(grpc_service), mode="alert")
    sender = Messages()
    answers = channel(nginx).stream_stream("/t.T/Bidi")(sender, timeout=60, metadata=(("x-q", ATTACK),))
    sender.send(proto("one"))
    assert next(answers) == proto("one")
    wait_for(lambda: [(alert["action"], alert["generation"]) for alert in gate.state.alerts()] == [("alert", 1)], "the alert")
    gate.state.publish(make_policy(generation=2, mode="block"))
    wait_generation(nginx, 2)
    sender.send(proto("two"))
    with pytest.raises(grpc.RpcError):
        next(answers)
    sender.close()
    wait_for(lambda: grpc_service.ended, "the service's side to be cut")
    assert grpc_service.messages == [proto("one")]
    wait_for(lambda: [head["decision"] for head in gate.state.heads()] == ["block"], "the record")
    assert [alert["generation"] for alert in gate.state.alerts()] == [1, 2]


def test_client_that_cancels(gate, grpc_service, channel):
    nginx = gate(servers(grpc_service))
    one = channel(nginx)
    sender = Messages()
    answers = one.stream_stream("/t.T/Bidi")(sender, timeout=60)
    sender.send(proto("one"))
    assert next(answers) == proto("one")
    answers.cancel()
    sender.close()
    wait_for(lambda: grpc_service.ended, "the service to be told")
    wait_for(lambda: [head["decision"] for head in gate.state.heads()] == ["pass"], "its record: leaving is how such calls end")


def test_long_flood(gate, grpc_service, channel):
    """Thousands of messages on one call, as fast as they go; memory and the exchange stay bounded."""
    nginx = gate(servers(grpc_service, "guard_body_limit 64k;"))
    messages = [proto(f"message {i}") for i in range(5000)]
    answers = channel(nginx).stream_stream("/t.T/Bidi")(iter(messages), timeout=120)
    assert sum(1 for _ in answers) == 5000


def test_many_calls_on_one_connection(gate, grpc_service, channel):
    """A blocked call leaves the others on its connection alone."""
    grpc = need("grpc")
    nginx = gate(servers(grpc_service))
    one = channel(nginx)
    sender = Messages()
    answers = one.stream_stream("/t.T/Bidi")(sender, timeout=60)
    sender.send(proto("one"))
    next(answers)
    failures = []

    def attack():
        try:
            one.unary_unary("/t.T/Unary")(proto("tom"), timeout=60, metadata=(("x-q", ATTACK),))
        except grpc.RpcError as error:
            failures.append(error.code())

    threads = [threading.Thread(target=attack) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [grpc.StatusCode.PERMISSION_DENIED] * 8
    sender.send(proto("two"))
    assert next(answers) == proto("two")
    sender.close()
