"""POST /v1/embeddings, /v1/completions and /v1/moderations: passed on to upstreams that speak as OpenAI does."""

from collections.abc import Callable, Collection
from functools import partial
from typing import ClassVar, Protocol

from runapi.core.admission import RequestShape
from runapi.core.bridge import Dialect, Obstacle
from runapi.core.catalog import Model
from runapi.wire.endpoints.passed import PassedWay
from runapi.wire.endpoints.way import Caller, Reply, Stream, Way
from runapi.wire.openai_chat.request import Fields
from runapi.wire.openai_completions import (
    CompletionRequest,
    CompletionStream,
    read_completion_reply,
    read_completion_request,
)
from runapi.wire.openai_embeddings import (
    EmbeddingsRequest,
    most_reply_bytes,
    read_embeddings_reply,
    read_embeddings_request,
)
from runapi.wire.openai_moderations import read_moderations_reply, read_moderations_request
from runapi.wire.text_input import TextInput

_OPENAIS = frozenset((Dialect.CHAT, Dialect.RESPONSES))


class _Request(Protocol):
    @property
    def fields(self) -> Fields: ...
    @property
    def model(self) -> str: ...
    @property
    def shape(self) -> RequestShape: ...


class OlderAsking:
    """A request to an endpoint that has one way alone: to a model that is one for it, at an upstream as OpenAI's."""

    is_deaf_to_failure: ClassVar[bool] = False

    def __init__(
        self,
        path: str,
        request: _Request,
        given: TextInput,
        *,
        encode: Callable[[str, int | None], bytes],
        read_reply: Callable[[bytes], Reply],
        new_stream: Callable[[str], Stream] | None = None,
        is_stream: bool = False,
        most_reply_bytes: int | None = None,
    ) -> None:
        """Join what an endpoint needs.

        Args:
            path: behind an upstream's base URL, and behind our /v1.
            request: as it was read.
            given: the text in it, for counting.
            encode: writes the body, given the upstream's name for the model and the output limit to say.
            read_reply: reads a whole answer.
            new_stream: makes the client's stream, given our name for the model.
            is_stream: the client asked for one.
            most_reply_bytes: how long an answer may be, where that is longer than others.
        """
        self.endpoint = f"/v1{path}"
        self.stream = is_stream
        self._path = path
        self._request = request
        self._given = given
        self._encode = encode
        self._read_reply = read_reply
        self._new_stream = new_stream or _no_stream
        self._most_reply_bytes = most_reply_bytes
        self._way: Way | None = None

    @property
    def model(self) -> str:
        return self._request.model

    @property
    def fields(self) -> Fields:
        return self._request.fields

    @property
    def input_bytes(self) -> int:
        return self._request.shape.text_bytes

    def prepare(self, model: Model, caller: Caller) -> None:
        self._model = model
        self._caller = caller

    def shape(self) -> RequestShape:
        return self._request.shape

    def way(self, spoken: Collection[Dialect], *, is_lenient: bool = False) -> Way | Obstacle:  # noqa: ARG002 - the operator's word does not make a model one for embeddings
        if _OPENAIS.isdisjoint(spoken) or self.endpoint not in self._model.endpoints:
            return Obstacle.NOT_SERVED
        if self._way is None:
            self._way = PassedWay(
                self._path,
                encode=self._encode,
                read_reply=self._read_reply,
                new_stream=partial(self._new_stream, self._model.id),
                answer_id=f"cmpl-{self._caller.request_id[4:]}",
                most_reply_bytes=self._most_reply_bytes,
            )
        return self._way

    def count_input(self) -> int:
        return self._given.count_tokens()


def _no_stream(_model: str) -> Stream:
    raise RuntimeError("this endpoint has no streams")


def ask_embeddings(body: bytes) -> OlderAsking:
    """Read a request for embeddings.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
    request: EmbeddingsRequest = read_embeddings_request(body)
    return OlderAsking(
        "/embeddings",
        request,
        request.input,
        encode=lambda model, _cap: request.encode(model),
        read_reply=read_embeddings_reply,
        most_reply_bytes=most_reply_bytes(len(request.input)),
    )


def ask_moderations(body: bytes) -> OlderAsking:
    """Read a request for moderations.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
    request = read_moderations_request(body)
    return OlderAsking(
        "/moderations",
        request,
        request.input,
        encode=lambda model, _cap: request.encode(model),
        read_reply=read_moderations_reply,
    )


def ask_completion(body: bytes) -> OlderAsking:
    """Read a request for completions, of which a stream is one of Chat's with other chunks.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
    request: CompletionRequest = read_completion_request(body)
    return OlderAsking(
        "/completions",
        request,
        request.prompt,
        encode=request.encode,
        read_reply=read_completion_reply,
        new_stream=lambda model: CompletionStream(model=model, wants_usage=request.wants_usage),
        is_stream=request.stream,
    )
