"""POST /v1/responses: passed on to upstreams that speak Responses, and translated for all others."""

from collections.abc import Collection
from functools import partial
from typing import ClassVar

import msgspec
from msgspec import Raw

from runapi.core.admission import RequestShape
from runapi.core.bridge import Dialect, Obstacle, Wish, choose_dialect
from runapi.core.catalog import Model
from runapi.wire.endpoints.passed import PassedWay
from runapi.wire.endpoints.sessions import apart
from runapi.wire.endpoints.translated import TranslatedWay
from runapi.wire.endpoints.unsold import refuse_hidden_tools
from runapi.wire.endpoints.way import Caller, Way
from runapi.wire.normalise import UpstreamRequest
from runapi.wire.openai_chat.request import NULL, Fields, read_text
from runapi.wire.openai_responses.ask import to_asked
from runapi.wire.openai_responses.history import echoes_of
from runapi.wire.openai_responses.input_tokens import count_input
from runapi.wire.openai_responses.normalise import normalise_responses
from runapi.wire.openai_responses.reply import read_responses_reply
from runapi.wire.openai_responses.request import LEAST_CAP, ResponsesRequest, read_responses_request
from runapi.wire.openai_responses.shape import read_shape
from runapi.wire.openai_responses.stream import ResponsesStream

_CACHE_KEY = "prompt_cache_key"
_CONTINUE = b"ls/JS"
"""How Continue's requests begin to name their sender: it repeats one whose connection dropped, and takes
`response.failed` for an end (clients.md 1.5)."""


class ResponsesAsking:
    """A Responses request."""

    endpoint: ClassVar[str] = "/v1/responses"
    __slots__ = ("_caller", "_model", "_upstream_request", "_ways", "asked_for", "request")

    def __init__(self, body: bytes) -> None:
        """Read a request.

        Raises:
            Problem: 400, naming the parameter and what was expected.
        """
        self.asked_for = self.request = read_responses_request(body)
        self._ways: dict[Dialect, Way] = {}

    def continue_from(self, asked_for: ResponsesRequest, request: ResponsesRequest) -> None:
        """Ask `request`, which has in it what the client only named; answers say `asked_for` again."""
        self.asked_for, self.request = asked_for, request

    @property
    def model(self) -> str:
        return self.request.model

    @property
    def stream(self) -> bool:
        return self.request.stream

    @property
    def fields(self) -> Fields:
        return self.request.fields

    @property
    def is_deaf_to_failure(self) -> bool:
        return self._caller.headers.get(b"user-agent", b"").startswith(_CONTINUE)

    @property
    def input_bytes(self) -> int:
        return len(self.request.fields.get("input", NULL))

    def prepare(self, model: Model, caller: Caller) -> None:
        self._model: Model = model
        self._caller: Caller = caller
        refuse_hidden_tools(self.request, caller.unsold_tools)
        self._upstream_request: UpstreamRequest = normalise_responses(
            self.request, model, strict=caller.is_strict, refused_tools=caller.unsold_tools
        )

    def shape(self) -> RequestShape:
        return read_shape(self._sold())

    def way(self, spoken: Collection[Dialect], *, is_lenient: bool = False) -> Way | Obstacle:
        wish = Wish(Dialect.RESPONSES, self._upstream_request.effort, self._sold().tool_types)
        dialect = choose_dialect(self._model, wish, spoken, is_lenient=is_lenient)
        if isinstance(dialect, Obstacle):
            return dialect
        way = self._ways.get(dialect)
        if way is None:
            is_passed = dialect is Dialect.RESPONSES
            way = self._ways[dialect] = self._passed() if is_passed else self._translated(dialect)
        return way

    def count_input(self) -> int:
        return count_input(self.request)

    def _sold(self) -> ResponsesRequest:
        """The request without the tools that are not sold."""
        request = self.request
        unsold = request.tool_types & self._caller.unsold_tools
        if not unsold:
            return request
        fields = dict(request.fields)
        fields.pop("tools")
        kept = self._upstream_request.fields.get("tools")
        if kept is not None:
            fields["tools"] = kept
        return msgspec.structs.replace(request, fields=fields, tool_types=request.tool_types - unsold)

    def _passed(self) -> Way:
        model, upstream_request = self._model.id, self._upstream_request
        echoes = echoes_of(self.asked_for)
        key = read_text(upstream_request.fields, _CACHE_KEY)
        if key is not None:
            apart_key = Raw(msgspec.json.encode(apart(self._caller, key)))
            fields = upstream_request.fields | {_CACHE_KEY: apart_key}
            upstream_request = msgspec.structs.replace(upstream_request, fields=fields)
        return PassedWay(
            "/responses",
            encode=upstream_request.encode,
            read_reply=partial(read_responses_reply, echoes=echoes),
            new_stream=partial(ResponsesStream, model=model, request=self.asked_for, echoes=echoes),
            answer_id=f"resp_{self._caller.request_id[4:]}",
            dropped=upstream_request.dropped,
            least_cap=LEAST_CAP,
        )

    def _translated(self, dialect: Dialect) -> Way:
        upstream_request = self._upstream_request
        asked = to_asked(msgspec.structs.replace(self._sold(), fields=upstream_request.fields))
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
