"""Calls to upstreams are tested on the loop that serves (uvloop), and on Python's own, which the command line uses."""

import asyncio

import uvloop

ON_SOCKETS = {"test_answers.py", "test_client.py", "test_connecting.py", "test_connections.py"}


def pytest_asyncio_loop_factories(config, item):
    python_s = {"asyncio": asyncio.new_event_loop}
    return python_s | {"uvloop": uvloop.new_event_loop} if item.path.name in ON_SOCKETS else python_s
