# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of protocols: the gate's, and the services behind it."""

import pytest

from gate.conftest import *  # noqa: F401,F403
from gate.conftest import gate, gate_tool, make_policy, state  # noqa: F401

from .services import GrpcService, RawService, WebsocketService


@pytest.fixture
def service():
    """service(kind, ...) starts one that is closed at the end."""
    started = []

    def make(kind, *args):
        started.append(kind(*args))
        return started[-1]

    yield make
    for one in started:
        one.close()


@pytest.fixture
def grpc_service(service):
    return service(GrpcService)


@pytest.fixture
def websocket_service(service):
    return service(WebsocketService)


@pytest.fixture
def raw_service(service):
    return lambda handler: service(RawService, handler)
