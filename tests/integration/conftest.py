# SPDX-License-Identifier: Apache-2.0
"""Fixtures that all integration tests share; the tools behind them are in harness.py."""

import pytest

from harness import *  # noqa: F401,F403 - test files may take the tools from either
from harness import EchoServer, Nginx


@pytest.fixture
def echo():
    server = EchoServer()
    yield server
    server.close()


@pytest.fixture
def nginx(tmp_path):
    """A factory of running nginx instances, all stopped at the end: nginx(http_text, **options)."""
    started = []

    def make(http, *, name=None, **options):
        instance = Nginx(tmp_path / (name or f"nginx{len(started)}"), http, **options)
        started.append(instance)
        return instance.start()

    yield make
    for instance in reversed(started):
        instance.stop()


@pytest.fixture(scope="session")
def fast_upstream(tmp_path_factory):
    """An nginx without our module that answers 200 with a constant JSON text: for load."""
    instance = Nginx(tmp_path_factory.mktemp("upstream"), """
    keepalive_requests 10000000;
    client_body_buffer_size 128k;
    server {
        listen 127.0.0.1:{port} backlog=1024;
        location / { default_type application/json; return 200 '{"ok":true,"items":[1,2,3]}'; }
    }""", module=None)
    yield instance.start()
    instance.stop()
