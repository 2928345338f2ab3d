# SPDX-License-Identifier: Apache-2.0
"""Fixtures that all integration tests share; the tools behind them are in harness.py. And the end of tests that never end: each step
of a test has a limit, after which it fails and tells where all threads and processes stand."""

import faulthandler
import os
import signal
import sys

import pytest
import schedule

from harness import *  # noqa: F401,F403 - test files may take the tools from either
from harness import EchoServer, Nginx, describe, end_process_of, processes_below, state_of

# Seconds for each of set-up, call and tear-down. The longest takes two minutes on a machine that has nothing else to do.
LIMIT = 0 if "GUARD_SOAK" in os.environ or "GUARD_KILLS" in os.environ else int(os.environ.get("GUARD_TEST_LIMIT", "900"))


terminal = sys.__stderr__


def pytest_configure():
    """Whoever ends the tests by a signal finds nothing left of what they have started."""
    global terminal
    terminal = os.fdopen(os.dup(2), "w")  # not yet captured
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("ended by a signal", 143))


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):
        schedule.order(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return schedule.scheduler(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_sessionfinish(session):
    # With several processes side by side each sees to its own; whoever started them has none but these.
    if session.config.getoption("dist", "no") != "no" and not hasattr(session.config, "workerinput"):
        return
    for pid in processes_below(os.getpid()):
        print(f"left behind: {state_of(pid)}", file=terminal)
        end_process_of(pid)


def give_up(*_):
    faulthandler.dump_traceback(sys.__stderr__, all_threads=True)
    pytest.fail(f"not done within {LIMIT} s\n{describe()}")


def limited():
    if LIMIT > 0:
        signal.signal(signal.SIGALRM, give_up)
        signal.alarm(LIMIT)
        # Where Python's own code isn't reached any more.
        faulthandler.dump_traceback_later(LIMIT + 300, exit=True, file=terminal)
    yield
    if LIMIT > 0:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup():
    yield from limited()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call():
    yield from limited()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown():
    yield from limited()



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
