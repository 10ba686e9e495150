"""The way of a request to an upstream that speaks another dialect, or whose answer must be altered on its way."""

from collections.abc import Mapping, Sequence

import msgspec

from runapi.core.bridge import Dialect
from runapi.core.catalog import Model
from runapi.wire.anthropic.signature import is_claudes
from runapi.wire.anthropic.write_ask import betas_of, refuse_what_messages_cannot
from runapi.wire.anthropic.write_ask import left_out as left_out_in_messages
from runapi.wire.anthropic.write_ask import write_asked as write_messages_asked
from runapi.wire.dialects import (
    UPSTREAM_SIDES,
    ClientRequest,
    Naming,
    answer_writer,
    new_writer,
    shows_reasoning,
)
from runapi.wire.endpoints.sessions import apart, session_of
from runapi.wire.endpoints.way import LONG_REPLY_BYTES, Caller, Stream, Target
from runapi.wire.neutral import Asked, Reasoning
from runapi.wire.openai_responses.ask import write_asked as write_responses_asked
from runapi.wire.openai_responses.request import LEAST_CAP
from runapi.wire.reasoning_memory import Thought, put_back, readable
from runapi.wire.translate import TranslatedReply, TranslatedStream, read_translated_reply

_THINKS_ADAPTIVELY = "budget_tokens"
"""In a model's `refused`: it chooses by itself how much it thinks, as newer Claude models do."""


class TranslatedWay:
    """Puts a request in an upstream's dialect, and its answer in the client's."""

    def __init__(
        self,
        dialect: Dialect,
        asked: Asked,
        *,
        client: ClientRequest,
        model: Model,
        caller: Caller,
        dropped: tuple[str, ...] = (),
    ) -> None:
        """Begin.

        Args:
            dialect: the upstream's.
            asked: the request, with nothing in it that the model refuses.
            client: the request as the client sent it, which says how its answer is written.
            model: what it asks for.
            caller: who asks.
            dropped: what is left out whatever the upstream's dialect.

        Raises:
            Problem: 400, the upstream's dialect has no word for a parameter or a tool.
        """
        self._dialect = dialect
        self._side = UPSTREAM_SIDES[dialect]
        self._client = client
        self._model = model
        self._caller = caller
        self._stops = enforced_here(asked, dialect)
        if dialect is Dialect.ANTHROPIC:
            refuse_what_messages_cannot(asked)
        else:
            asked = msgspec.structs.replace(asked, cache_key=session_of(caller, asked.cache_key))
        self._asked = asked = _with_users_apart(asked, caller)
        if dialect is Dialect.CHAT:
            self._asked = msgspec.structs.replace(self._asked, stop=())
        self.most_reply_bytes = LONG_REPLY_BYTES if asked.logprobs else None
        self._naming = Naming(client.model, caller.request_id, caller.at_s)
        self._origin: str | None = None
        self._stream: TranslatedStream | None = None
        self._reply: TranslatedReply | None = None
        self.dropped = dropped + (left_out_in_messages(asked) if dialect is Dialect.ANTHROPIC else ())
        self.path = self._side.path
        self.answer_id = self._naming.request_id
        self.least_cap = LEAST_CAP if dialect is Dialect.RESPONSES else 0

    @property
    def headers(self) -> Mapping[str, str] | None:
        """The betas of Anthropic's that the request needs."""
        betas = betas_of(self._asked) if self._dialect is Dialect.ANTHROPIC else ()
        return {"anthropic-beta": ",".join(betas)} if betas else None

    @property
    def stream(self) -> Stream:
        """The client's stream; the same one each time."""
        if self._stream is None:
            self._stream = TranslatedStream(
                self._side.new_reader,
                new_writer(self._client, self._naming),
                stops=self._stops,
                shows_reasoning=shows_reasoning(self._client),
            )
            self._stream.origin = self._origin
        return self._stream

    @property
    def thoughts(self) -> Sequence[Thought]:
        """Of an answer that has ended: the reasoning to be kept for the next request."""
        ended = self._reply if self._stream is None else self._stream
        return () if ended is None else ended.thoughts

    def encode(self, target: Target) -> bytes:
        """Write the body of an attempt; reasoning that this upstream made before is put back into it.

        Raises:
            Problem: 400, the upstream's dialect cannot say it.
        """
        self._origin = origin = target.origin
        if self._stream is not None:
            self._stream.origin = origin
        asked = self._asked
        if self._dialect is not Dialect.CHAT:
            items = put_back(asked.items, lambda call_id: self._caller.recall(origin, call_id))
            items = readable(items, origin)
            if self._dialect is Dialect.RESPONSES:
                items = tuple(
                    item
                    for item in items
                    if not (isinstance(item, Reasoning) and is_claudes(item.encrypted or ""))
                )
            asked = msgspec.structs.replace(asked, items=items)
        match self._dialect:
            case Dialect.RESPONSES:
                return write_responses_asked(
                    asked, target.model, target.cap_to_say, keeps_reasoning=bool(self._model.efforts)
                )
            case Dialect.ANTHROPIC:
                is_adaptive = _THINKS_ADAPTIVELY in self._model.refused
                return write_messages_asked(asked, target.model, target.output_cap, is_adaptive=is_adaptive)
            case Dialect.CHAT:
                return self._side.write_asked(asked, target.model, target.cap_to_say)

    def read_reply(self, body: bytes) -> TranslatedReply:
        """Read a whole answer.

        Raises:
            BadReplyError: it is none.
        """
        self._reply = read_translated_reply(
            body,
            self._side.read_answer,
            answer_writer(self._client, self._naming),
            stops=self._stops,
            origin=self._origin,
        )
        return self._reply


def _with_users_apart(asked: Asked, caller: Caller) -> Asked:
    """Give the user the names that no other account has."""
    user, safety = asked.user, asked.safety_identifier
    if user is None and safety is None:
        return asked
    return msgspec.structs.replace(
        asked,
        user=None if user is None else apart(caller, user),
        safety_identifier=None if safety is None else apart(caller, safety),
    )


def enforced_here(asked: Asked, dialect: Dialect) -> tuple[str, ...]:
    """The stop sequences that end an answer on its way: Anthropic alone obeys them, and says which one it was."""
    if dialect is Dialect.ANTHROPIC:
        return tuple(stop for stop in asked.stop if not stop.strip())
    return asked.stop
