"""POST /v1/messages: passed on to upstreams that speak Messages, and translated for all others."""

from collections.abc import Collection
from functools import partial

import msgspec

from runapi.core import problems
from runapi.core.admission import RequestShape
from runapi.core.bridge import Dialect, Obstacle, Wish
from runapi.core.catalog import Model
from runapi.wire.anthropic.above_the_price import refuse_dear_cache, take_out_dear_betas
from runapi.wire.anthropic.ask import dropped, to_asked
from runapi.wire.anthropic.normalise import normalise_asked
from runapi.wire.anthropic.pass_on import not_passed_on, write_passed_on
from runapi.wire.anthropic.reply import read_messages_reply
from runapi.wire.anthropic.request import MessagesRequest, read_messages_request
from runapi.wire.anthropic.shape import read_shape
from runapi.wire.anthropic.stream import MessagesStream
from runapi.wire.count_asked import count_asked
from runapi.wire.endpoints.dialect_asking import DialectAsking
from runapi.wire.endpoints.passed import PassedWay
from runapi.wire.endpoints.sessions import with_user_id_apart
from runapi.wire.endpoints.translated import TranslatedWay
from runapi.wire.endpoints.unsold import refuse_anthropics_tools
from runapi.wire.endpoints.way import Caller, Way
from runapi.wire.neutral import Asked
from runapi.wire.tokens import count_text

_PASSED_HEADERS = (b"anthropic-version", b"anthropic-beta")


class MessagesAsking(DialectAsking[MessagesRequest]):
    """A Messages request."""

    dialect = Dialect.ANTHROPIC
    endpoint = "/v1/messages"
    __slots__ = ("_asked", "_dropped")
    _read = staticmethod(read_messages_request)

    def prepare(self, model: Model, caller: Caller) -> None:
        self._model, self._caller = model, caller
        self._asked: Asked | None = None
        self._dropped: tuple[str, ...] = ()

    def shape(self) -> RequestShape:
        return read_shape(self.request)

    def way(self, spoken: Collection[Dialect], *, is_lenient: bool = False) -> Way | Obstacle:
        """Pass it on where that can be; else it is put in the neutral form, which may find what that cannot say."""
        if Dialect.ANTHROPIC in spoken and (is_lenient or self.endpoint in self._model.endpoints):
            way = self._ways.get(Dialect.ANTHROPIC)
            if way is None:
                way = self._ways[Dialect.ANTHROPIC] = self._passed()
            return way
        asked = self._neutral()
        tools = frozenset("hosted" if tool.hosted is not None else str(tool.kind) for tool in asked.tools)
        self._wish = Wish(Dialect.ANTHROPIC, asked.effort or self._model.default_effort, tools)
        return super().way(spoken, is_lenient=is_lenient)

    def count_input(self) -> int:
        try:
            return count_asked(to_asked(self.request))
        except problems.Problem:  # it holds what Anthropic alone understands
            return count_text(bytes(self.request.fields["messages"]).decode())

    def _neutral(self) -> Asked:
        """What is asked, with nothing in it that the model refuses."""
        if self._asked is None:
            self._asked, left_out = normalise_asked(to_asked(self.request), self._model)
            self._dropped = dropped(self.request) + left_out
            if self._caller.is_strict and self._dropped:
                raise problems.unsupported_parameter(self._dropped[0], self._model.id)
        return self._asked

    def _passed(self) -> Way:
        request = self.request
        headers = {
            name.decode(): value.decode("latin-1")
            for name in _PASSED_HEADERS
            if (value := self._caller.headers.get(name))
        }
        refuse_anthropics_tools(request, self._caller.unsold_tools)
        refuse_dear_cache(request.fields)
        fields = with_user_id_apart(request.fields, self._caller)
        left_out = not_passed_on(request) + take_out_dear_betas(headers, self._model)
        if self._caller.is_strict and left_out:
            raise problems.unsupported_parameter(left_out[0], self._model.id)
        return PassedWay(
            "/messages",
            encode=partial(write_passed_on, msgspec.structs.replace(request, fields=fields)),
            read_reply=read_messages_reply,
            new_stream=partial(MessagesStream, model=request.model),
            answer_id=self._caller.request_id,
            dropped=left_out,
            headers=headers or None,
        )

    def _translated(self, dialect: Dialect) -> Way:
        asked = self._neutral()
        return TranslatedWay(
            dialect,
            asked,
            client=self.asked_for,
            model=self._model,
            caller=self._caller,
            dropped=self._dropped,
        )
