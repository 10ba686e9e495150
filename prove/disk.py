"""What may be left on a disk after a power cut, given everything that was done to its files before.

What was synced is there. Of what was not, each piece of a sector is there, or is not, or only its beginning; so are cuts,
births and removals of files. Room that a file had gained may hold anything.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from random import Random

from prove.recorder import Create, Delete, Event, Sync, Truncate, Write

SECTORS = (512, 4096)


class Luck(StrEnum):
    """What becomes of things that were not synced."""

    NOTHING = "nothing kept"
    ALL = "all kept"
    IN_ORDER = "kept up to a moment"
    ANY = "any of them kept"
    TORN = "any of them kept, some torn"
    GARBAGE = "any of them kept, new room filled with anything"


class _File:
    """A file under whatever name: what of it is durable, and what was done since."""

    def __init__(self, data: bytes = b"") -> None:
        self.durable = bytearray(data)
        self.waiting: list[tuple[int, Write | Truncate]] = []

    def sync(self) -> None:
        for _, done in self.waiting:
            _carry_out(self.durable, done)
        self.waiting.clear()


class Disk:
    """A folder on a disk. Everything that happens is numbered, so that a cut can keep things up to a moment."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Begin with durable files."""
        self._named = {name: _File(data) for name, data in files.items()}  # what the folder says durably
        self._seen = dict(self._named)  # ... and what programs see
        self._entries: list[tuple[int, Create | Delete, _File]] = []
        self._number = 0

    def do(self, events: Iterable[Event]) -> None:
        """Let all of it happen."""
        for event in events:
            self._number += 1
            match event:
                case Write() | Truncate():
                    self._seen[event.file].waiting.append((self._number, event))
                case Sync():
                    self._seen[event.file].sync()
                    if event.with_folder:
                        self._sync_folder()
                case Create():
                    self._seen[event.file] = _File()
                    self._entries.append((self._number, event, self._seen[event.file]))
                case Delete():
                    self._entries.append((self._number, event, self._seen.pop(event.file)))
                    if event.with_folder:
                        self._sync_folder()

    def read(self) -> dict[str, bytes]:
        """The files as programs see them."""
        fate = _Fate(Random(0), Luck.ALL, [])
        return {name: _survive(file, fate) for name, file in self._seen.items()}

    def cut(self, chance: Random, luck: Luck) -> dict[str, bytes]:
        """One of the folders that may be left if power fails now."""
        files = {*self._named.values(), *self._seen.values(), *(file for _, _, file in self._entries)}
        numbers = [number for number, _, _ in self._entries]
        numbers += [number for file in files for number, _ in file.waiting]
        fate = _Fate(chance, luck, numbers)
        named = dict(self._named)
        for number, entry, file in self._entries:
            if fate.keeps(number):
                _rename(named, entry, file)
        return {name: _survive(file, fate) for name, file in named.items()}

    def _sync_folder(self) -> None:
        for _, entry, file in self._entries:
            _rename(self._named, entry, file)
        self._entries.clear()


class _Fate:
    """Decides about each thing that was not synced."""

    def __init__(self, chance: Random, luck: Luck, numbers: list[int]) -> None:
        self._chance = chance
        self._luck = luck
        self._moment = chance.choice([0, *sorted(numbers)])
        self._share = chance.random()
        self.sector = chance.choice(SECTORS)

    def keeps(self, number: int) -> bool:
        match self._luck:
            case Luck.NOTHING:
                return False
            case Luck.ALL:
                return True
            case Luck.IN_ORDER:
                return number <= self._moment
            case _:
                return self._chance.random() < self._share

    def tear(self, piece: Write) -> Write:
        """The piece, or the beginning of it."""
        if self._luck is Luck.TORN and self._chance.random() < 0.3:
            return piece._replace(data=piece.data[: self._chance.randrange(len(piece.data))])
        return piece

    def fill(self, size: int) -> bytes:
        """What stands in new room into which nothing was written."""
        if self._luck is Luck.GARBAGE and self._chance.random() < 0.5:
            return self._chance.randbytes(size)
        return bytes(size)


def _survive(file: _File, fate: _Fate) -> bytes:
    data = bytearray(file.durable)
    for number, done in file.waiting:
        if isinstance(done, Truncate):
            if fate.keeps(number):
                _carry_out(data, done)
            continue
        for piece in _pieces(done, fate.sector):
            if fate.keeps(number):
                _carry_out(data, fate.tear(piece))
            elif fate.keeps(number):  # the file has grown, but what was written is not there
                gained = piece.offset + len(piece.data) - len(data)
                data += fate.fill(max(0, gained))
    return bytes(data)


def _pieces(write: Write, sector: int) -> Iterator[Write]:
    """Cut a write where the disk's sectors begin."""
    begin, end = write.offset, write.offset + len(write.data)
    while begin < end:
        stop = min(end, begin - begin % sector + sector)
        yield Write(write.file, begin, write.data[begin - write.offset : stop - write.offset])
        begin = stop


def _carry_out(data: bytearray, done: Write | Truncate) -> None:
    """Do to the bytes what was done to the file; a gap is filled with zeros."""
    end = done.size if isinstance(done, Truncate) else done.offset
    if len(data) < end:
        data += bytes(end - len(data))
    if isinstance(done, Truncate):
        del data[end:]
    else:
        data[end : end + len(done.data)] = done.data


def _rename(named: dict[str, _File], entry: Create | Delete, file: _File) -> None:
    if isinstance(entry, Create):
        named[entry.file] = file
    else:
        named.pop(entry.file, None)
