"""The calculator on the price list: a form that works without a script, for anybody, within bounds."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from runapi.core.account_problems import too_many_forms
from runapi.core.problems import Problem
from runapi.core.tries import Tries
from runapi.flows.deadlines import Within
from runapi.flows.front_desk import ticks_us
from runapi.flows.price_request import RequestPricer, TooBusyError
from runapi.web.call import Call

MOST_CHARACTERS = 100_000
MOST_OUTPUT = 1_000_000
MOST_BODY_BYTES = 1024 * 1024  # every character of a long text in another script takes nine
_FORM = b"application/x-www-form-urlencoded"
_FIELDS = 4
_DIGITS = 9
_FORMS_PER_PRICE = 3  # so many may be sent, wrong or too early, for each that may be priced


class Calculation(msgspec.Struct, frozen=True, kw_only=True):
    """What the form says after it was sent: a price, or why there is none."""

    request: str = ""
    chosen: str = ""  # the model in the form; empty: as the request says
    asked_output: int = 0
    problem: str = ""  # the key of its text
    values: dict[str, Any] = {}
    model: str = ""
    input_tokens: int = 0
    is_exact: bool = True
    output_tokens: int = 0
    price_usd: str = "0"
    official_usd: str = "0"


class Calculator:
    """Reads the form and prices what is in it."""

    def __init__(
        self,
        pricer: RequestPricer,
        tries: Tries,
        deadline: Callable[[], Within],
        trusted_proxies: int,
    ) -> None:
        """Take what prices, how often an address may ask, and how long a body may take to arrive."""
        self._pricer = pricer
        self._tries = tries
        self._forms = Tries(tries.most * _FORMS_PER_PRICE)  # each answer is a page that is made for it
        self._deadline = deadline
        self._trusted_proxies = trusted_proxies

    async def calculate(self, call: Call, default_model: str) -> tuple[int, Calculation]:
        """Give the HTTP status and what the form is to say.

        Raises:
            Problem: 400, 408 or 413, its body does not arrive or is too long; 429, its sender does not stop.
        """
        address = hash(call.client_address(self._trusted_proxies))
        wait_us = self._forms.begin(address, ticks_us())
        if wait_us:
            raise too_many_forms(self._forms.most, -(-wait_us // 1_000_000))
        form = await self._read(call)
        asked = Calculation(
            request=form.get("request", "").strip().replace("\r\n", "\n"),
            chosen=form.get("model", ""),
            asked_output=_read_count(form.get("output", "")),
        )
        if not asked.request:
            return 400, _with(asked, problem="calculated_empty")
        if len(asked.request) > MOST_CHARACTERS:
            cut = asked.request[:MOST_CHARACTERS]
            return 413, _with(asked, request=cut, problem="calculated_long", values={"most": MOST_CHARACTERS})
        if self._tries.begin(address, ticks_us()):
            return 429, _with(asked, problem="calculated_busy")
        is_prompt = not asked.request.startswith("{")
        model = asked.chosen or (default_model if is_prompt else None)
        try:
            priced = await self._pricer.price(asked.request, model, asked.asked_output)
        except Problem as problem:
            return 400, _with(asked, problem="calculated_wrong", values={"reason": problem.message})
        except TooBusyError:
            return 503, _with(asked, problem="calculated_busy")
        return 200, _with(asked, **msgspec.structs.asdict(priced))

    async def _read(self, call: Call) -> dict[str, str]:
        body = await call.read_body(MOST_BODY_BYTES, self._deadline())
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
        except ValueError:
            return {}  # no browser wrote it
        return dict(pairs)


def is_form(call: Call) -> bool:
    """Whether a browser sends a form."""
    return call.headers.get(b"content-type", b"").lower().partition(b";")[0].strip() == _FORM


def _read_count(text: str) -> int:
    """The number in the form, within bounds; 0 where there is none."""
    return min(int(text), MOST_OUTPUT) if text.isdecimal() and text.isascii() and len(text) <= _DIGITS else 0


def _with(asked: Calculation, **more: Any) -> Calculation:
    return msgspec.structs.replace(asked, **more)
