"""Somebody who runs `runapi connect` on a machine of their own."""

import os
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from fakes.server import Gateway

Ended = subprocess.CompletedProcess[str]
OURS = ("RUNAPI_", "OPENAI_", "OPENCLAW_", "OPENCODE_", "CODEX_", "CLAUDE_", "XDG_")


class Customer:
    """A home folder, a key, and the address of a server."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self.gateway = gateway
        self.home = folder / "home"
        self.folder = self.home / "work"
        self.folder.mkdir(parents=True)
        self.key = gateway.test_key
        self.name = f"customer-{uuid.uuid4().hex[:12]}"

    def connect(self, client: str, *options: str, stdin: str = "", **environment: str) -> Ended:
        """Run the command; later options go before the address that stands in the environment."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        known = {"HOME": str(self.home), "RUNAPI_BASE_URL": self.gateway.base_url, "RUNAPI_KEY": self.key}
        return subprocess.run(
            [sys.executable, "-m", "runapi", "connect", client, *options],
            env={**kept, **known, **environment},
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """Put a file into the home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def files(self) -> dict[Path, str]:
        """Every file of the home with its text."""
        return {path: path.read_text() for path in self.home.rglob("*") if path.is_file()}

    def shown(self, path: Path) -> str:
        """A file of the home as it is told to somebody who works in `folder`."""
        if path.is_relative_to(self.folder):
            return str(path.relative_to(self.folder))
        return f"~/{path.relative_to(self.home)}"

    def assert_no_key(self, ended: Ended) -> None:
        """Nothing that was printed has the key in it."""
        assert self.key not in ended.stdout + ended.stderr


class RedirectingServer:
    """A server that sends everybody elsewhere, and notes what it was asked."""

    def __init__(self) -> None:
        seen: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(f"{self.command} {self.path}")
                self.send_response(307)
                self.send_header("location", "http://127.0.0.1:9/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            do_POST = do_GET  # noqa: N815 - the library's name

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.seen = seen
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
