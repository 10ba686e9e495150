"""A wire to PostgreSQL that can break in the one moment in which nobody can know: after a commit, before its reply."""

import contextlib
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

SOCKET_NAME = ".s.PGSQL.5432"
READ_BYTES = 65_536
READY = b"Z\x00\x00\x00\x05I"  # the server's ReadyForQuery, idle: the transaction is over


class LossyWire:
    """Forwards between a Unix socket in `folder` and the server's in `server_folder`. Use it in a `with` statement."""

    def __init__(self, folder: Path, server_folder: Path) -> None:
        """Nothing listens before the `with` statement."""
        self._server_path = str(server_folder / SOCKET_NAME)
        self._listener = socket.socket(socket.AF_UNIX)
        self._path = str(folder / SOCKET_NAME)
        self._folder = folder
        self.lose_next_commit = False
        self.lost = 0

    def __enter__(self) -> Self:
        self._listener.bind(self._path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def url(self, server_url: str) -> str:
        """The server's URL, by way of this wire."""
        return f"{server_url.partition('?')[0]}?host={self._folder}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server_path)
            armed = threading.Event()
            threading.Thread(target=self._to_server, args=(client, server, armed), daemon=True).start()
            threading.Thread(target=self._to_client, args=(client, server, armed), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, armed: threading.Event) -> None:
        while data := _read(client):
            if self.lose_next_commit and b"COMMIT" in data:
                self.lose_next_commit = False
                armed.set()
            server.sendall(data)
        _shut(server)

    def _to_client(self, client: socket.socket, server: socket.socket, armed: threading.Event) -> None:
        while data := _read(server):
            if armed.is_set() and data.endswith(READY):
                self.lost += 1
                _shut(client)
                _shut(server)
                return
            client.sendall(data)
        _shut(client)


def _read(end: socket.socket) -> bytes:
    try:
        return end.recv(READ_BYTES)
    except OSError:
        return b""


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
