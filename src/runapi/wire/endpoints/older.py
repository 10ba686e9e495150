"""POST /v1/embeddings, /v1/completions and /v1/moderations: passed on to upstreams that speak as OpenAI does."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol

from runapi.core.admission import RequestShape
from runapi.core.bridge import Dialect, Obstacle
from runapi.wire.endpoints.asking import ReadAsking
from runapi.wire.endpoints.passed import PassedWay
from runapi.wire.endpoints.sessions import with_names_apart
from runapi.wire.endpoints.way import Reply, Stream, Way
from runapi.wire.older_request import OlderRequest
from runapi.wire.openai_completions import (
    CompletionStream,
    read_completion_reply,
    read_completion_request,
)
from runapi.wire.openai_embeddings import read_embeddings_reply, read_embeddings_request
from runapi.wire.openai_moderations import read_moderations_reply, read_moderations_request

_OPENAIS = frozenset((Dialect.CHAT, Dialect.RESPONSES))


class _NewStream(Protocol):
    def __call__(self, *, model: str, wants_usage: bool) -> Stream: ...


def _no_stream(*, model: str, wants_usage: bool) -> Stream:  # noqa: ARG001 - as those make one that have streams
    raise RuntimeError("this endpoint has no streams")


class OlderAsking(ReadAsking[OlderRequest]):
    """A request to an endpoint that has one way alone: to a model that is one for it, at an upstream as OpenAI's."""

    __slots__ = ("_new_stream", "_path", "_read_reply", "_way", "endpoint")

    def __init__(
        self,
        path: str,
        body: bytes,
        *,
        read: Callable[[bytes], OlderRequest],
        read_reply: Callable[[bytes], Reply],
        new_stream: _NewStream = _no_stream,
    ) -> None:
        """Read a request.

        Args:
            path: behind an upstream's base URL, and behind our /v1.
            body: what the client sent.
            read: reads it.
            read_reply: reads a whole answer.
            new_stream: makes the client's stream, given our name for the model.

        Raises:
            Problem: 400, naming the parameter and what was expected.
        """
        self.request = read(body)
        self.endpoint = f"/v1{path}"
        self._path = path
        self._read_reply = read_reply
        self._new_stream = new_stream
        self._way: Way | None = None

    @property
    def input_bytes(self) -> int:
        return self.request.shape.text_bytes

    def shape(self) -> RequestShape:
        return self.request.shape

    def way(self, spoken: Collection[Dialect], *, is_lenient: bool = False) -> Way | Obstacle:  # noqa: ARG002 - the operator's word does not make a model one for embeddings
        if _OPENAIS.isdisjoint(spoken) or self.endpoint not in self._model.endpoints:
            return Obstacle.NOT_SERVED
        if self._way is None:
            request = with_names_apart(self.request, self._caller)
            self._way = PassedWay(
                self._path,
                encode=request.encode,
                read_reply=self._read_reply,
                new_stream=partial(self._new_stream, model=request.model, wants_usage=request.wants_usage),
                answer_id=f"cmpl-{self._caller.request_id[4:]}",
                most_reply_bytes=request.most_reply_bytes,
            )
        return self._way

    def count_input(self) -> int:
        return self.request.input.count_tokens()


ask_embeddings = partial(
    OlderAsking, "/embeddings", read=read_embeddings_request, read_reply=read_embeddings_reply
)
ask_moderations = partial(
    OlderAsking, "/moderations", read=read_moderations_request, read_reply=read_moderations_reply
)
ask_completion = partial(
    OlderAsking,
    "/completions",
    read=read_completion_request,
    read_reply=read_completion_reply,
    new_stream=CompletionStream,
)
