"""RUNAPI_HOME/server.json: where the running server is reached, and the token that lets its owner in."""

import os
import secrets
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import msgspec

NAME = "server.json"
TOKEN_BYTES = 32


class RunningServer(msgspec.Struct, frozen=True):
    """A server as a command on the same machine reaches it."""

    url: str
    token: str
    pid: int
    public_url: str = ""  # as customers reach it, where the operator has said so


def describe_server(host: str, port: int, public_url: str = "") -> RunningServer:
    """This process, under a new random token."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return RunningServer(reachable_url(host, port), token, os.getpid(), public_url)


def write_server_file(home: Path, server: RunningServer) -> None:
    """Write the file with mode 0600, whole or not at all."""
    unfinished = home / f"{NAME}.new"
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
        file.write(msgspec.json.encode(server) + b"\n")
    unfinished.replace(home / NAME)


def read_server_file(home: Path) -> RunningServer | None:
    """Read the file; None when it is missing or no such file."""
    try:
        return msgspec.json.decode((home / NAME).read_bytes(), type=RunningServer)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def remove_server_file(home: Path) -> None:
    """Remove the file, if it is there."""
    (home / NAME).unlink(missing_ok=True)


def reachable_url(host: str, port: int) -> str:
    """The URL under which this machine reaches a server that listens on `host`."""
    try:
        address: IPv4Address | IPv6Address | None = ip_address(host)
    except ValueError:
        address = None
    if isinstance(address, IPv6Address):
        return f"http://[{'::1' if address.is_unspecified else host}]:{port}"
    if address is not None and address.is_unspecified:
        return f"http://127.0.0.1:{port}"
    return f"http://{host}:{port}"
