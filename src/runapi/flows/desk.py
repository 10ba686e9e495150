"""Carry out one operator command, for the server's admin API and for the command line alike."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from runapi.flows.add_upstream import UpstreamProbe
from runapi.flows.commands import COMMANDS, Command
from runapi.flows.office import Change, CommandRefused, Office
from runapi.flows.operator_input import did_you_mean, quoted
from runapi.store.database import Database
from runapi.store.faults import AlreadyExists, Ambiguous, NotFound

Changed = Callable[[Change], Awaitable[None]]
"""Awaited after the commit and before the answer, so that who sees the answer sees its effect."""


class UnknownCommand(CommandRefused):
    """There is no such command."""


Written = Callable[[], Awaitable[None]]
"""Awaited before a command reads: returns when the rows of all requests that have ended are in the database."""


async def change_nothing(_change: Change) -> None:
    """For a desk without a server: nobody holds anything in memory."""


async def nothing_waits() -> None:
    """For a desk without a server: no request has a row still to be written."""


class CommandDesk:
    """Where commands are handed in. Commands that change something are carried out one at a time."""

    def __init__(
        self,
        database: Database,
        office: Office,
        probe: UpstreamProbe,
        changed: Changed = change_nothing,
        written: Written = nothing_waits,
    ) -> None:
        self._database = database
        self._office = office
        self._probe = probe
        self._changed = changed
        self._written = written
        self._changing = asyncio.Lock()  # so that no older state is read into memory after a newer one
        self._running: set[asyncio.Task[bytes]] = set()

    async def perform(self, name: str, parameters: bytes) -> bytes:
        """Carry out the command `name` with a JSON object of parameters; give its result as JSON.

        A command that has begun is carried to its end even when the caller goes away, so that memory follows
        the database.

        Raises:
            UnknownCommand: there is none of this name.
            CommandRefused: it was not carried out, and nothing was changed.
            StoreFault: the store failed.
        """
        command = COMMANDS.get(name)
        if command is None:
            raise UnknownCommand(f"There is no command {quoted(name)}.{did_you_mean(name, COMMANDS)}")
        asked = _read_parameters(command, parameters)
        task = asyncio.create_task(self._carry_out(command, asked))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _carry_out(self, command: Command, asked: msgspec.Struct) -> bytes:
        if not command.changes:
            await self._written()
            result = await self._commit(command, asked)
        else:
            async with self._changing:
                result = await self._commit(command, asked)
                for change in sorted(command.changes):
                    await self._changed(change)
        if command.finish is not None:
            result = await command.finish(result, self._probe)
        return msgspec.json.encode(result)

    async def _commit(self, command: Command, asked: msgspec.Struct) -> Any:
        try:
            if command.in_steps:
                return await command.perform(self._database, self._office, asked)
            return await self._database.run(command.perform, self._office, asked)
        except (AlreadyExists, NotFound, Ambiguous) as fault:
            raise CommandRefused(str(fault)) from None


def _read_parameters(command: Command, parameters: bytes) -> msgspec.Struct:
    try:
        return msgspec.json.decode(parameters or b"{}", type=command.parameters)
    except msgspec.ValidationError as fault:
        raise CommandRefused(f"The parameters of {command.name} do not fit: {fault}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CommandRefused(f"The parameters of {command.name} must be one JSON object in UTF-8.") from None
