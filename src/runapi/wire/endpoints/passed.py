"""The way of a request to an upstream that speaks the client's own dialect: both pass, nearly untouched."""

from collections.abc import Callable, Mapping, Sequence

from runapi.wire.endpoints.way import Reply, Stream, Target
from runapi.wire.reasoning_memory import Thought


class PassedWay:
    """Passes a request and its answer on."""

    __slots__ = (
        "_encode",
        "_new_stream",
        "_stream",
        "answer_id",
        "dropped",
        "headers",
        "least_cap",
        "most_reply_bytes",
        "path",
        "read_reply",
    )

    def __init__(
        self,
        path: str,
        *,
        encode: Callable[[str, int | None], bytes],
        read_reply: Callable[[bytes], Reply],
        new_stream: Callable[[], Stream],
        answer_id: str,
        dropped: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        least_cap: int = 0,
        most_reply_bytes: int | None = None,
    ) -> None:
        """Join what one endpoint's request needs.

        Args:
            path: behind the upstream's base URL.
            encode: writes the body, given the upstream's name for the model and the output limit to say.
            read_reply: reads a whole answer.
            new_stream: makes the client's stream.
            answer_id: of an answer that begins before an upstream's has.
            dropped: what was asked and does not go upstream.
            headers: of the call, beside those of every call.
            least_cap: the least output limit that the upstream takes.
            most_reply_bytes: how long an answer may be, where that is longer than others.
        """
        self.path = path
        self._encode = encode
        self.read_reply = read_reply
        self._new_stream = new_stream
        self._stream: Stream | None = None
        self.answer_id = answer_id
        self.dropped = dropped
        self.headers = headers
        self.least_cap = least_cap
        self.most_reply_bytes = most_reply_bytes

    @property
    def stream(self) -> Stream:
        """The client's stream; the same one each time."""
        if self._stream is None:
            self._stream = self._new_stream()
        return self._stream

    @property
    def thoughts(self) -> Sequence[Thought]:
        """Nothing: clients of an upstream's own dialect carry its reasoning themselves."""
        return ()

    def encode(self, target: Target) -> bytes:
        """Write the body of an attempt."""
        return self._encode(target.model, target.cap_to_say)
