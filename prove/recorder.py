"""Write down what SQLite does to a folder's files: every write, truncation, sync, birth and removal, in order.

The library that Python's own `sqlite3` uses is found in this process, and a file system (VFS) is registered in it that
passes everything on to the ordinary one. So it is the product's own driver, library and settings that are watched.
"""

import ctypes
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from prove.journal import Entry

OK = 0
_OPEN_WAL_OR_JOURNAL = 0x80000 | 0x800
_NAME = b"runapi-recorder"


class Write(NamedTuple):
    """Bytes put into a file."""

    file: str
    offset: int
    data: bytes


class Truncate(NamedTuple):
    """A file cut to a size."""

    file: str
    size: int


class Sync(NamedTuple):
    """A sync of a file that has succeeded. `with_folder`: SQLite syncs the folder with the first one of a new log."""

    file: str
    with_folder: bool


class Create(NamedTuple):
    """A file that was not there before."""

    file: str


class Delete(NamedTuple):
    """A file that was removed, and whether the folder was synced after it."""

    file: str
    with_folder: bool


Event = Write | Truncate | Sync | Create | Delete | Entry
"""An Entry is what was said meanwhile: what was acknowledged before a cut is what stands before it in the log."""


class NoLibrary(Exception):  # noqa: N818 - what is the case
    """The SQLite that Python uses cannot be reached; the text says why."""


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs` of sqlite3.h, as far as it is looked into; the ordinary one is copied with all that follows."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("file_bytes", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", ctypes.c_void_p),
        ("delete", ctypes.c_void_p),
        ("others", ctypes.c_void_p * 14),
    )


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods` of sqlite3.h, version 3."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("close", ctypes.c_void_p),
        ("read", ctypes.c_void_p),
        ("write", ctypes.c_void_p),
        ("truncate", ctypes.c_void_p),
        ("sync", ctypes.c_void_p),
        ("others", ctypes.c_void_p * 13),
    )


_p = ctypes.c_void_p
_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, _p, _p, _p, ctypes.c_int, _p)
_DELETE = ctypes.CFUNCTYPE(ctypes.c_int, _p, ctypes.c_char_p, ctypes.c_int)
_CLOSE = ctypes.CFUNCTYPE(ctypes.c_int, _p)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, _p, _p, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, _p, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, _p, ctypes.c_int)


@contextmanager
def recording(folder: Path) -> Iterator[list[Event]]:
    """Record everything that connections opened meanwhile do to files in `folder`, as long as this lasts.

    Raises:
        NoLibrary: Python's SQLite cannot be reached.
    """
    library = find_library()
    recorder = _Recorder(library, folder.absolute())
    recorder.register()
    try:
        yield recorder.log
    finally:
        recorder.unregister()


def find_library() -> ctypes.CDLL:
    """The SQLite that `sqlite3` of this process uses.

    Raises:
        NoLibrary: it cannot be reached, as where it was built into the interpreter without names.
    """
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    for path in [*sorted(name for name in mapped if "libsqlite3" in name), None]:
        library = ctypes.CDLL(path)
        try:
            library.sqlite3_sourceid.restype = ctypes.c_char_p
            found = library.sqlite3_sourceid()
        except AttributeError:
            continue
        if found == _source_id():
            library.sqlite3_vfs_find.restype = ctypes.c_void_p
            return library
    raise NoLibrary(
        "the SQLite that Python uses cannot be reached: it is not a shared library on this machine"
    )


def _source_id() -> bytes:
    connection = sqlite3.connect(":memory:")
    (found,) = connection.execute("SELECT sqlite_source_id()").fetchone()
    connection.close()
    return str(found).encode()


class _Recorder:
    """A copy of the ordinary VFS with a few of its functions exchanged for ones that note and pass on."""

    def __init__(self, library: ctypes.CDLL, folder: Path) -> None:
        self.log: list[Event] = []
        self._library = library
        self._folder = folder
        self._address = library.sqlite3_vfs_find(None)
        self._ordinary = _Vfs.from_address(self._address)
        self._vfs = _Vfs.from_buffer_copy(self._ordinary)
        self._open = _OPEN(self._ordinary.open)
        self._delete = _DELETE(self._ordinary.delete)
        self._files: dict[int, tuple[str, bool, int]] = {}  # name, is it a log, its methods; by address
        self._new: set[str] = set()  # logs that were not synced yet
        self._methods: dict[int, _Methods] = {}  # by the address of the ordinary ones
        self._kept: list[Any] = [_OPEN(self._on_open), _DELETE(self._on_delete)]
        self._vfs.name = _NAME
        self._vfs.open = _address(self._kept[0])
        self._vfs.delete = _address(self._kept[1])

    def register(self) -> None:
        """Become the file system of every connection that is opened from now on."""
        self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)

    def unregister(self) -> None:
        """Give its place back to the ordinary one."""
        self._library.sqlite3_vfs_register(_p(self._address), 1)
        self._library.sqlite3_vfs_unregister(ctypes.byref(self._vfs))
        # A connection that is still open, as after a failure, must not call into what is gone.
        for file, (_, _, ordinary) in self._files.items():
            _methods_of(file)[0] = ordinary
        self._vfs.open, self._vfs.delete = self._ordinary.open, self._ordinary.delete
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._vfs))

    def _name(self, path: bytes | None) -> str | None:
        """A file's name, if it is in the folder."""
        found = None if path is None else Path(path.decode())
        return None if found is None or found.parent != self._folder else found.name

    def _on_open(self, _vfs: int, path: int | None, file: int, flags: int, out: int | None) -> int:
        # `path` stays an address: what follows the text there are the parameters of a URI, which are passed on.
        text = None if path is None else ctypes.string_at(path)
        name = self._name(text)
        is_new = name is not None and not (self._folder / name).exists()
        code = int(self._open(self._address, path, file, flags, out))
        if code == OK and name is not None:
            if is_new:
                self.log.append(Create(name))
            is_log = bool(flags & _OPEN_WAL_OR_JOURNAL)
            if is_log:
                self._new.add(name)
            self._files[file] = name, is_log, self._exchange_methods(file)
        return code

    def _on_delete(self, _vfs: int, path: bytes, sync_folder: int) -> int:
        code = int(self._delete(self._address, path, sync_folder))
        name = self._name(path)
        if code == OK and name is not None:
            self.log.append(Delete(name, bool(sync_folder)))
        return code

    def _exchange_methods(self, file: int) -> int:
        """Let the file be written through us; give the address of what it had."""
        pointer = _methods_of(file)
        ordinary: int | None = pointer[0]
        if ordinary is None:
            raise NoLibrary("SQLite opened a file without methods")
        if ordinary not in self._methods:
            self._methods[ordinary] = self._copy_methods(_Methods.from_address(ordinary))
        pointer[0] = ctypes.addressof(self._methods[ordinary])
        return ordinary

    def _copy_methods(self, ordinary: _Methods) -> _Methods:
        close, write = _CLOSE(ordinary.close), _WRITE(ordinary.write)
        truncate, sync = _TRUNCATE(ordinary.truncate), _SYNC(ordinary.sync)

        def on_close(file: int) -> int:
            _methods_of(file)[0] = self._files.pop(file)[2]
            return int(close(file))

        def on_write(file: int, data: int, length: int, offset: int) -> int:
            self.log.append(Write(self._files[file][0], offset, ctypes.string_at(data, length)))
            return int(write(file, data, length, offset))

        def on_truncate(file: int, size: int) -> int:
            self.log.append(Truncate(self._files[file][0], size))
            return int(truncate(file, size))

        def on_sync(file: int, flags: int) -> int:
            name, is_log, _ = self._files[file]
            code = int(sync(file, flags))
            if code == OK:
                self.log.append(Sync(name, is_log and name in self._new))
                self._new.discard(name)
            return code

        copy = _Methods.from_buffer_copy(ordinary)
        callbacks = _CLOSE(on_close), _WRITE(on_write), _TRUNCATE(on_truncate), _SYNC(on_sync)
        copy.close, copy.write, copy.truncate, copy.sync = map(_address, callbacks)
        self._kept += callbacks
        return copy


def _methods_of(file: int) -> Any:
    """Where a `sqlite3_file` names its methods."""
    return ctypes.cast(file, ctypes.POINTER(ctypes.c_void_p))


def _address(callback: Callable[..., Any]) -> int | None:
    return ctypes.cast(callback, ctypes.c_void_p).value  # type: ignore[arg-type]  # a function pointer, too
