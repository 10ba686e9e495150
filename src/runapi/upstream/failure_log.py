"""Tells the operator of upstreams that fail: a line for each cause at once, and then one a minute with their number."""

import asyncio

import msgspec
import structlog

from runapi.core.failed_attempts import FailedAttempt, without_the_request

EVERY_S = 60.0
MOST_CAUSES = 200  # words of upstreams are among them: no upstream may fill the memory with new ones
_log = structlog.get_logger("runapi.upstream")
_Cause = tuple[str, str, str]


class _Told(msgspec.Struct):
    """A cause that stands in the log."""

    message: str | None
    again: int = 0  # how often it came since
    newest: FailedAttempt | None = None


class FailureLog:
    """Writes `upstream_failed` warnings. A cause is an upstream, a model and what went wrong."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._told: dict[_Cause, _Told] = {}

    def note(self, failed: FailedAttempt, sent: bytes) -> None:
        """Write a line, or count the failure where its cause has a line that is not old. Call it on the event loop.

        Args:
            failed: the attempt.
            sent: the request, none of which may be quoted.
        """
        cause = failed.upstream, failed.model, failed.fault.what
        if cause not in self._told and len(self._told) >= MOST_CAUSES:
            cause = failed.upstream, "", ""
        told = self._told.get(cause)
        if told is None:
            self._tell(cause, failed, without_the_request(failed.fault.message, sent))
        else:
            told.again, told.newest = told.again + 1, failed

    def _tell(self, cause: _Cause, failed: FailedAttempt, message: str | None, count: int = 1) -> None:
        self._told[cause] = _Told(message)
        asyncio.get_running_loop().call_later(self._every_s, self._look_again, cause)
        said = {name: value for name, value in msgspec.structs.asdict(failed).items() if value}
        fault = said.pop("fault")
        said |= {"error": fault.what} | ({"message": message} if message else {})
        _log.warning("upstream_failed", **said, **({"count": count} if count > 1 else {}))

    def _look_again(self, cause: _Cause) -> None:
        told = self._told.pop(cause)
        if told.newest is not None:
            self._tell(cause, told.newest, told.message, told.again)
