"""Runs a program where nothing but loopback exists, and reports whom else it tried to reach.

    python sealed.py REPORT PORT PROGRAM ARGUMENT...

The program gets a network of its own (Linux namespaces) with one way out: 127.0.0.1:PORT is the same port outside. Names are
asked of a server here that knows none and notes them all; the kernel counts what had no route. REPORT is a JSON file:
{"names": [...], "unroutable": 0}. This file needs nothing but Python: it runs as a script.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

LOOPBACK = "127.0.0.1"
_NEW_MOUNTS, _NEW_USER, _NEW_NETWORK = 0x20000, 0x10000000, 0x40000000
_HERE_ALONE = 0x4000 | 0x40000  # MS_REC | MS_PRIVATE
_BIND = 0x1000
_SET_FLAGS, _UP = 0x8914, 0x1  # SIOCSIFFLAGS, IFF_UP
_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_NO_SUCH_NAME = 0x8183
_MOST_FDS = 4
_COUNTERS = ("/proc/self/net/snmp", "/proc/self/net/snmp6")


def main() -> int:
    """Run the program; its exit code is ours."""
    report, port, program = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    outside, inside = socket.socketpair()
    child = os.fork()
    if child == 0:
        outside.close()
        _enter(inside, port)
        os.execvp(program[0], program)  # noqa: S606 - the program that the test names
    inside.close()
    _, fds, _, _ = socket.recv_fds(outside, 16, _MOST_FDS)
    if len(fds) != _MOST_FDS:
        os.waitpid(child, 0)
        return 125
    names: list[str] = []
    door, resolver = socket.socket(fileno=fds[0]), socket.socket(fileno=fds[1])
    threading.Thread(target=_pass_through, args=(door, port), daemon=True).start()
    threading.Thread(target=_answer_names, args=(resolver, names), daemon=True).start()
    _, status = os.waitpid(child, 0)
    counted = sum(_unroutable(fd) for fd in fds[2:])
    report.write_text(json.dumps({"names": sorted(set(names)), "unroutable": counted}))
    return os.waitstatus_to_exitcode(status) & 0xFF


# ---- inside ----------------------------------------------------------------------------------------------


def _enter(link: socket.socket, port: int) -> None:
    """Move this process into a network of its own, and hand the sockets that are open there to the other side."""
    _call("prctl", _END_WITH_PARENT, signal.SIGKILL)
    _leave_the_network()
    _set_up_loopback()
    _ask_names_here()
    door = socket.create_server((LOOPBACK, port), backlog=128)
    resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    resolver.bind((LOOPBACK, 53))
    counters = [os.open(path, os.O_RDONLY) for path in _COUNTERS]
    socket.send_fds(link, [b"ready"], [door.fileno(), resolver.fileno(), *counters])
    link.close()


def _leave_the_network() -> None:
    user, group = os.getuid(), os.getgid()
    if _call("unshare", _NEW_NETWORK | _NEW_MOUNTS, may_fail=True):
        return
    _call("unshare", _NEW_USER | _NEW_NETWORK | _NEW_MOUNTS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _set_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, _SET_FLAGS, struct.pack("16sh", b"lo", _UP))


def _ask_names_here() -> None:
    """Put a resolv.conf of our own in the place of the machine's, for this process and its children alone."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as told:
        told.write(f"nameserver {LOOPBACK}\noptions timeout:1 attempts:1\n")
        told.flush()
        Path(told.name).chmod(0o644)
        _call("mount", b"none", b"/", None, _HERE_ALONE, None)
        _call("mount", told.name.encode(), b"/etc/resolv.conf", None, _BIND, None)


def _call(name: str, *arguments: object, may_fail: bool = False) -> bool:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) == 0:
        return True
    if may_fail:
        return False
    code = ctypes.get_errno()
    raise OSError(code, f"{name}: {os.strerror(code)}")


# ---- outside ---------------------------------------------------------------------------------------------


def _pass_through(door: socket.socket, port: int) -> None:
    """Join each connection that is made inside to the same port outside."""
    while True:
        client, _ = door.accept()
        threading.Thread(target=_join, args=(client, port), daemon=True).start()


def _join(client: socket.socket, port: int) -> None:
    with client, socket.socket() as server:
        if server.connect_ex((LOOPBACK, port)) == 0:
            answers = threading.Thread(target=_carry_answers, args=(server, client))
            answers.start()
            _carry_requests(client, server)
            answers.join()


def _carry_requests(client: socket.socket, server: socket.socket) -> None:
    """Pass on what the client says. What the server does not want to hear is taken too, as a network takes it."""
    with suppress(OSError):
        while data := client.recv(1 << 16):
            with suppress(OSError):
                server.sendall(data)
        server.shutdown(socket.SHUT_WR)


def _carry_answers(server: socket.socket, client: socket.socket) -> None:
    """Pass on what the server says; where nobody hears it any more, tell the server."""
    with suppress(OSError):
        while data := server.recv(1 << 16):
            client.sendall(data)
    with suppress(OSError):
        client.shutdown(socket.SHUT_WR)
    with suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)


def _answer_names(resolver: socket.socket, names: list[str]) -> None:
    """Say of every name that there is none such, and note it."""
    while True:
        asked, source = resolver.recvfrom(4096)
        labels, at = [], 12
        while at < len(asked) and (size := asked[at]):
            labels.append(asked[at + 1 : at + 1 + size].decode("latin-1"))
            at += 1 + size
        names.append(".".join(labels))
        header = asked[:2] + struct.pack(">5H", _NO_SUCH_NAME, 1, 0, 0, 0)
        resolver.sendto(header + asked[12 : at + 5], source)


def _unroutable(fd: int) -> int:
    """What this network's counters say of packets that had no way to go."""
    with os.fdopen(fd) as counters:
        lines = [line.split() for line in counters.read().splitlines()]
    for names, values in pairwise(lines):
        if names[0] == values[0] == "Ip:":
            return int(dict(zip(names, values, strict=True)).get("OutNoRoutes", 0))
    return sum(int(line[1]) for line in lines if line[0] == "Ip6OutNoRoutes")


def can_seal() -> bool:
    """Whether this machine lets us make such networks."""
    with tempfile.TemporaryDirectory() as folder:
        probe = [sys.executable, __file__, f"{folder}/report", "1", "true"]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
