"""The short way of a stream: a piece goes on to the client in the step of the loop in which it came.

To wake the relay for each piece costs a third of all that a stream costs (docs/operate/bench.md). So it is woken only
where there is more to do than to pass on.
"""

from runapi.flows.stream_times import StreamTimes
from runapi.flows.stream_writer import StreamWriter
from runapi.wire.endpoints.way import Stream


class StreamTap:
    """Stands between one upstream's answer and the relay's reading of it.

    What `take` refuses, the relay reads and gives to `feed`, whether the stream knows it already or not.
    """

    __slots__ = ("_error", "_last", "_stream", "_times", "_writer")

    def __init__(self, stream: Stream, writer: StreamWriter, times: StreamTimes) -> None:
        self._stream = stream
        self._writer = writer
        self._times = times
        self._last: bytes | None = None  # what the client may have of the piece that ended the stream
        self._error: Exception | None = None

    def take(self, data: bytes) -> bool:
        """Pass `data` on; False where that is not all there is to do."""
        stream, writer = self._stream, self._writer
        if not writer.is_free():
            return False
        try:
            out = stream.feed(data)
            if stream.ended or stream.fault is not None:
                self._last = out
                return False
            self._times.heard_s = self._times.now_s()
            if out:
                writer.pass_on(out)
        except Exception as error:  # noqa: BLE001 - raised where the relay can see it
            self._error = error
            return False
        return True

    def feed(self, data: bytes) -> bytes:
        """Take in what was read, and give what the client may have of it and was not sent."""
        if self._error is not None:
            raise self._error
        return self._stream.feed(data) if self._last is None else self._last
