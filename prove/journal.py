"""What was asked of a ledger and what it acknowledged, and whether the books that are left agree with both."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from runapi.core.ledger.books import OVER_HOLD
from runapi.core.ledger.operations import (
    Checkpoint,
    ExtendHold,
    Held,
    OpenHold,
    Operation,
    Outcome,
    Post,
    Posted,
    Released,
    Settle,
    Settled,
)
from runapi.core.ledger.recover import RECOVERED
from runapi.store.database import Database
from runapi.store.ledger.verify import verify

_ENDINGS = ("settle", "void", "expire")
_OF_NOBODY = "play money"  # the reason of the rows that opening an account writes by itself
_UNDONE = ("in doubt", "the client left")  # reasons of voids that the writer asks for by itself
_MOST_FAULTS = 20


class Entry(NamedTuple):
    """One word of a conversation with the ledger.

    Asked: `ask KIND`, where KIND is a transfer's kind or `note`. Acknowledged: the KIND alone. `amount` is what the row
    must say: nano-dollars; for `ask settle` and `ask note` the cost in pico-dollars.
    """

    word: str
    name: str  # of the request or the payment
    amount: int


class Books(NamedTuple):
    """The part of a database that journals are compared with."""

    rows: list[Any]  # kind, name, amount, cost_pico, reason
    open: set[str]
    costs: dict[str, int]  # of each request's own row
    receipts: set[str]  # requests with what a receipt needs
    answers: set[str]  # requests whose answer is kept


def asked(operation: Operation) -> Entry:
    """The entry to write before an operation is handed over."""
    match operation:
        case OpenHold():
            return Entry("ask hold", operation.request_id, operation.amount_nano)
        case ExtendHold():
            return Entry("ask extend", operation.request_id, operation.amount_nano)
        case Checkpoint():
            return Entry("ask note", operation.request_id, operation.progress_pico)
        case Settle():
            return Entry("ask settle", operation.request_id, operation.cost_pico)
        case Post():
            return Entry(f"ask {operation.kind.value}", operation.reference, abs(operation.amount_nano))
        case _:
            return Entry("ask void", operation.request_id, 0)


def acknowledged(operation: Operation, outcome: Outcome) -> Entry | None:
    """The entry to write once the outcome is there; None where nothing was done."""
    match outcome:
        case Held():
            word = "hold" if isinstance(operation, OpenHold) else "extend"
            return Entry(word, asked(operation).name, outcome.granted_nano)
        case Settled():
            return Entry("settle", asked(operation).name, outcome.charged_nano)
        case Released():
            return Entry("void", asked(operation).name, outcome.released_nano)
        case Posted():
            ask = asked(operation)
            return Entry(ask.word.removeprefix("ask "), ask.name, ask.amount)
        case _:
            return None


def write_line(entry: Entry) -> bytes:
    """The entry as a line of a file."""
    return f"{entry.amount}\t{entry.word}\t{entry.name}\n".encode()


def read_lines(data: bytes) -> list[Entry]:
    """The entries of a file; a last line that is not whole was never written."""
    whole = data[: data.rfind(b"\n") + 1].decode().splitlines()
    found = (line.split("\t") for line in whole)
    return [Entry(word, name, int(amount)) for amount, word, name in found]


def disagreements(database: Database, journal: Iterable[Entry]) -> list[str]:
    """Compare, after recovery, and verify the whole ledger. Nothing to say: they agree.

    Each acknowledged thing is there exactly once with its amount; nothing is there that was not asked for; every hold
    has ended, once; every settlement has its request's row with the same cost, and unless it was recovered, what its
    receipt is made from and its answer.
    """
    entries = list(journal)
    books = database.run_now(_read)
    faults = [f"verify: {fault.text}" for fault in database.run_now(verify).faults]
    faults += _lost(entries, books)
    faults += _made_up(entries, books)
    faults += _unended(books)
    faults += _alone(books)
    return faults[:_MOST_FAULTS]


def _lost(entries: Iterable[Entry], books: Books) -> Iterable[str]:
    there = defaultdict(list)
    for kind, name, amount, *_ in books.rows:
        there[kind, name].append(amount)
    for word, name, amount in entries:
        if not word.startswith("ask ") and there[word, name] != [amount]:
            found = there[word, name] or "nothing"
            yield f"acknowledged: {word} of {amount} for {name}; there is {found}"


def _made_up(entries: Iterable[Entry], books: Books) -> Iterable[str]:
    """What nobody asked for."""
    wanted = defaultdict(set)
    for word, name, amount in entries:
        if word.startswith("ask "):
            wanted[word.removeprefix("ask "), name].add(amount)
    for kind, name, amount, cost_pico, reason in books.rows:
        if reason in _UNDONE or reason == _OF_NOBODY:
            continue
        match kind:
            case "hold" | "extend":
                is_right = amount <= max(wanted[kind, name], default=-1)
            case "settle":
                is_right = cost_pico in wanted["note" if reason == RECOVERED else "settle", name]
            case "void":
                is_right = reason == RECOVERED or bool(wanted["void", name])
            case "write_off" if reason == OVER_HOLD:
                is_right = bool(wanted["settle", name] | wanted["note", name])
            case _:
                is_right = amount in wanted[kind, name]
        if not is_right:
            yield f"nobody asked for the {kind} of {amount} (cost {cost_pico}, {reason!r}) for {name}"


def _unended(books: Books) -> Iterable[str]:
    begun = {name for kind, name, *_ in books.rows if kind == "hold"}
    ended = Counter(name for kind, name, *_ in books.rows if kind in _ENDINGS)
    yield from (f"the hold of {name} is still open" for name in books.open)
    yield from (f"the hold of {name} never ended" for name in begun - set(ended) - books.open)
    yield from (f"{name} ended {times} times" for name, times in ended.items() if times > 1)


def _alone(books: Books) -> Iterable[str]:
    """Settlements without what is written in the same commit."""
    for kind, name, amount, _, reason in books.rows:
        if kind != "settle":
            continue
        if books.costs.get(name) != amount:
            yield f"{name} was charged {amount}, its own row says {books.costs.get(name)}"
        if reason != RECOVERED and not (name in books.receipts and name in books.answers):
            yield f"{name} was charged, and its receipt or its answer is not there"


def _read(connection: Connection) -> Books:
    transfers = "SELECT kind, request_id, reference, amount, cost_pico, reason FROM transfer ORDER BY seq"
    rows = [
        (kind, request_id or reference, *rest)
        for kind, request_id, reference, *rest in connection.execute(text(transfers))
    ]
    costs = connection.execute(text("SELECT id, cost_nano FROM request"))
    ids = (
        {row[0] for row in connection.execute(text(f"SELECT request_id FROM {table}"))}
        for table in ("hold", "receipt_source", "kept_answer")
    )
    opened, receipts, answers = ids
    return Books(rows, opened, {row[0]: row[1] for row in costs}, receipts, answers)
