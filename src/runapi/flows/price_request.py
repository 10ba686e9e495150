"""Price a request for anybody, without a key: by the arithmetic that charges real ones, and for an answer as long as they say."""

import asyncio
from collections.abc import Callable

import msgspec

from runapi.core import limit_problems
from runapi.core.admission import priced_tier, wanted
from runapi.core.catalog import Model
from runapi.core.money import usd
from runapi.core.price_book import PriceBook
from runapi.core.pricing import charge
from runapi.core.usage import Usage
from runapi.flows.estimate_request import is_exact_count
from runapi.flows.front_desk import FrontDesk
from runapi.wire.normalise import normalise
from runapi.wire.openai_chat.input_tokens import count_input
from runapi.wire.openai_chat.request import read_chat_request
from runapi.wire.openai_chat.shape import read_shape

MOST_WAITING = 8
"""More visitors than these are not kept waiting for a price."""


class TooBusyError(Exception):
    """Too many prices are being worked out."""


class PricedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a request with such an answer would cost, in USD."""

    model: str
    input_tokens: int
    is_exact: bool  # False: `input_tokens` is the most that they can be
    output_tokens: int
    price_usd: str
    official_usd: str


class RequestPricer:
    """Prices requests that are only asked about."""

    def __init__(
        self, book: Callable[[], PriceBook], desk: FrontDesk, find_model: Callable[[str], Model]
    ) -> None:
        """Take the prices in force, the bounds for unpaid work, and what finds a model by its id."""
        self._book = book
        self._desk = desk
        self._find_model = find_model
        self._waiting = 0
        self._one_at_a_time = asyncio.Lock()  # the other count of the desk is left to those with a key

    async def price(self, text: str, model_id: str | None, output_tokens: int) -> PricedRequest:
        """Price a prompt, or the JSON body of a Chat Completions request.

        Args:
            text: the prompt or body.
            model_id: the model; None leaves it to the body.
            output_tokens: the tokens of each answer.

        Raises:
            Problem: the request would be refused whoever sent it.
            TooBusyError: others are waiting already.
        """
        request = read_chat_request(_body(text, model_id))
        model = self._find_model(request.model)
        price = self._book().get(model.id)
        if price is None:
            raise limit_problems.model_not_priced(model.id)
        normalise(request, model, strict=False)
        shape = read_shape(request)
        wish = wanted(shape, model, price.ours)
        is_exact = is_exact_count(request, shape)
        counted = await self._count(lambda: count_input(request)) if is_exact else wish.input_tokens
        usage = Usage(
            input=min(counted, wish.input_tokens),
            output=min(output_tokens, model.max_output_tokens) * shape.choices,
        )
        tier = priced_tier(shape.service_tier, shape.service_tier)
        return PricedRequest(
            model=model.id,
            input_tokens=usage.input,
            is_exact=is_exact,
            output_tokens=usage.output,
            price_usd=usd(charge(price.ours, usage, tier).nano),
            official_usd=usd(charge(price.official, usage, tier).nano),
        )

    async def _count(self, count: Callable[[], int]) -> int:
        if self._waiting >= MOST_WAITING:
            raise TooBusyError
        self._waiting += 1
        try:
            async with self._one_at_a_time, self._desk.counts:
                return await asyncio.to_thread(count)
        finally:
            self._waiting -= 1


def _body(text: str, model_id: str | None) -> bytes:
    """The body that is priced; what does not begin as a JSON object does is a prompt."""
    if not text.lstrip().startswith("{"):
        asked: dict[str, object] = {"messages": [{"role": "user", "content": text}]}
        return msgspec.json.encode({"model": model_id or "", **asked})
    if model_id is None:
        return text.encode()
    try:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return text.encode()  # whose fault `read_chat_request` finds the words for
    return msgspec.json.encode({**fields, "model": model_id})
