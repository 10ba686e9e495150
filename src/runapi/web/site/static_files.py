"""Style, script, icons and pictures: read once, under an address that changes with what is in them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from runapi.web.site.cache import Answer, pack

PREFIX = "/static/"
AT_THE_ROOT = {"/favicon.ico": "favicon.ico", "/favicon.svg": "favicon.svg"}
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".txt": "text/plain; charset=utf-8",
}
FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")
FOR_AN_HOUR = (b"cache-control", b"public, max-age=3600")


class StaticFiles:
    """The files of the folder `static`, the operator's before ours."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._folders = [root / "static" for root in roots]
        self._files: dict[str, tuple[str, Answer]] | None = None

    def url(self, name: str) -> str:
        """The URL of a file, which holds a digest of its bytes.

        Raises:
            KeyError: there is no such file.
        """
        return f"{PREFIX}{self._read()[name][0]}/{name}"

    def find(self, path: str) -> Answer | None:
        """The file at a path, with how long it may be kept: for ever only where the digest is the right one."""
        files = self._read()
        name = AT_THE_ROOT.get(path)
        if name is not None:
            return _lasting(files[name][1], FOR_AN_HOUR) if name in files else None
        digest, _, name = path.removeprefix(PREFIX).partition("/")
        if not path.startswith(PREFIX) or name not in files:
            return None
        right, answer = files[name]
        return _lasting(answer, FOR_EVER if digest == right else FOR_AN_HOUR)

    def _read(self) -> dict[str, tuple[str, Answer]]:
        if self._files is None:
            files: dict[str, tuple[str, Answer]] = {}
            for folder in reversed(self._folders):
                for path in sorted(folder.glob("*")):
                    if path.suffix in _TYPES:
                        body = path.read_bytes()
                        digest = hashlib.blake2b(body, digest_size=6).hexdigest()
                        files[path.name] = digest, pack(body, _TYPES[path.suffix])
            self._files = files
        return self._files


def _lasting(answer: Answer, how_long: tuple[bytes, bytes]) -> Answer:
    return Answer(
        content_type=answer.content_type,
        packed=answer.packed,
        etag=answer.etag,
        headers=(how_long,),
        vary=b"Accept-Encoding",
    )
