"""The network in which clients are run lets nothing out but to the gateway, and tells of every attempt."""

import json
import socket
import subprocess
import sys
import threading

import pytest

from compat.sealed import can_seal
from fakes.needs import CLIENTS, missing

WANDERER = """
import socket, sys
for family, address in ((socket.AF_INET, ("192.0.2.1", 443)), (socket.AF_INET6, ("2001:db8::1", 443))):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as asked:
            print(asked.connect_ex(address) != 0)
try:
    socket.getaddrinfo("telemetry.example.com", 443)
except OSError:
    print("unknown")
"""
VISITOR = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as gateway:
    gateway.sendall(b"hello")
    print(gateway.recv(100).decode())
sys.exit(7)
"""


@pytest.fixture
def seal(tmp_path):
    """Run a Python program there: its exit code, what it printed, and the report on it."""
    if not can_seal():
        missing("this machine lets nobody make networks")
    report = tmp_path / "report.json"

    def run(program, port, *arguments):
        ended = subprocess.run(
            [
                sys.executable,
                CLIENTS / "sealed.py",
                report,
                str(port),
                sys.executable,
                "-c",
                program,
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ended.returncode, ended.stdout.split(), json.loads(report.read_text())

    return run


def test_whom_a_program_looks_for_is_told(seal):
    code, printed, report = seal(WANDERER, 1)
    assert (code, printed) == (0, ["True"] * 4 + ["unknown"])
    assert report["names"] == ["telemetry.example.com"]
    assert report["unroutable"] == 4


def test_the_gateways_port_is_there_and_the_programs_exit_code_comes_back(seal):
    with socket.create_server(("127.0.0.1", 0)) as gateway:

        def answer():
            client, _ = gateway.accept()
            with client:
                client.sendall(client.recv(100).upper())

        threading.Thread(target=answer, daemon=True).start()
        port = gateway.getsockname()[1]
        assert seal(VISITOR, port, str(port)) == (7, ["HELLO"], {"names": [], "unroutable": 0})
