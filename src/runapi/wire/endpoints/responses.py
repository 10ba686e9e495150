"""POST /v1/responses: passed on to upstreams that speak Responses, and translated for all others."""

from functools import partial

import msgspec

from runapi.core.admission import RequestShape
from runapi.core.bridge import Dialect, Wish
from runapi.core.catalog import Model
from runapi.wire.endpoints.dialect_asking import DialectAsking
from runapi.wire.endpoints.passed import PassedWay
from runapi.wire.endpoints.sessions import with_names_apart
from runapi.wire.endpoints.translated import TranslatedWay
from runapi.wire.endpoints.unsold import refuse_hidden_tools
from runapi.wire.endpoints.way import LONG_REPLY_BYTES, Caller, Way
from runapi.wire.openai_chat.request import Fields
from runapi.wire.openai_responses.ask import LOGPROBS, to_asked
from runapi.wire.openai_responses.history import echoes_of
from runapi.wire.openai_responses.input_tokens import count_input
from runapi.wire.openai_responses.normalise import normalise_responses
from runapi.wire.openai_responses.reply import read_responses_reply
from runapi.wire.openai_responses.request import LEAST_CAP, ResponsesRequest, read_responses_request
from runapi.wire.openai_responses.shape import read_shape
from runapi.wire.openai_responses.stream import ResponsesStream

_CONTINUE = b"ls/JS"
"""How Continue's requests begin to name their sender: it repeats one whose connection dropped, and takes
`response.failed` for an end (clients.md 1.5)."""


class ResponsesAsking(DialectAsking[ResponsesRequest]):
    """A Responses request."""

    dialect = Dialect.RESPONSES
    endpoint = "/v1/responses"
    _conversation = "input"
    __slots__ = ("_sold", "_upstream_request")
    _read = staticmethod(read_responses_request)

    def continue_from(self, asked_for: ResponsesRequest, request: ResponsesRequest) -> None:
        """Ask `request`, which has in it what the client only named; answers say `asked_for` again."""
        self.asked_for, self.request = asked_for, request

    @property
    def is_deaf_to_failure(self) -> bool:
        return self._caller.headers.get(b"user-agent", b"").startswith(_CONTINUE)

    def prepare(self, model: Model, caller: Caller) -> None:
        self._model, self._caller = model, caller
        request = self.request
        refuse_hidden_tools(request, caller.unsold_tools)
        self._upstream_request = upstream_request = normalise_responses(
            request, model, strict=caller.is_strict, refused_tools=caller.unsold_tools
        )
        unsold = request.tool_types & caller.unsold_tools
        self._sold = _without(unsold, request, upstream_request.fields) if unsold else request
        self._wish = Wish(Dialect.RESPONSES, upstream_request.effort, self._sold.tool_types)

    def shape(self) -> RequestShape:
        return read_shape(self._sold)

    def count_input(self) -> int:
        return count_input(self.request)

    def _passed(self) -> Way:
        model = self.request.model
        upstream_request = with_names_apart(self._upstream_request, self._caller)
        echoes = echoes_of(self.asked_for)
        return PassedWay(
            "/responses",
            encode=upstream_request.encode,
            read_reply=partial(read_responses_reply, echoes=echoes),
            new_stream=partial(ResponsesStream, model=model, request=self.asked_for, echoes=echoes),
            answer_id=f"resp_{self._caller.request_id[4:]}",
            dropped=upstream_request.dropped,
            least_cap=LEAST_CAP,
            most_reply_bytes=LONG_REPLY_BYTES if LOGPROBS in self.request.include else None,
        )

    def _translated(self, dialect: Dialect) -> Way:
        upstream_request = self._upstream_request
        asked = to_asked(msgspec.structs.replace(self._sold, fields=upstream_request.fields))
        if "logprobs" in self._model.refuses(upstream_request.effort):
            asked = msgspec.structs.replace(asked, logprobs=False, top_logprobs=None)
        return TranslatedWay(
            dialect,
            asked,
            client=self.asked_for,
            model=self._model,
            caller=self._caller,
            dropped=upstream_request.dropped,
        )


def _without(unsold: frozenset[str], request: ResponsesRequest, sent: Fields) -> ResponsesRequest:
    """The request without the tools that are not sold, as they are missing in what goes upstream."""
    fields = dict(request.fields)
    fields.pop("tools")
    kept = sent.get("tools")
    if kept is not None:
        fields["tools"] = kept
    return msgspec.structs.replace(request, fields=fields, tool_types=request.tool_types - unsold)
