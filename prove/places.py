"""The places where the cost of a request is written, each held against what a second calculator says."""

import json
from collections.abc import Mapping
from fractions import Fraction
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from prove.aftermath import Books
from prove.calculator import Cost, Tokens, nano_of, parts
from prove.routes import Form, Route
from prove.traffic import Told
from prove.usages import Report
from runapi.core.check_receipt import check_receipt

_PICO_PER_TOKEN = 10**6  # of one dollar per million tokens


class Choice(NamedTuple):
    """What is asked for."""

    route: Route
    form: Form
    model: str
    shape: str
    asked: str | None  # the tier
    served: str


class Case(msgspec.Struct, kw_only=True):
    """One request, what must come of it, and what did."""

    choice: Choice
    report: Report
    policy: str
    told: Told
    body: bytes
    due: Cost | None = None  # what it costs by the second calculator
    charged_nano: int = 0  # ... and of that, what its hold covers

    def __str__(self) -> str:
        route, form, model, shape, asked, served = self.choice
        name = f"{route.path} {route.name}".rstrip()
        return f"{name} {form.name}, {model}, {shape}, {asked} asked and {served} served, {self.policy}: {self.report.text}"


def told_tokens(body: bytes) -> Tokens:
    """The counts that stand in an answer, which the gateway made where the upstream gave none."""
    events = [body] if body.startswith(b"{") else body.split(b"\n\n")
    for event in reversed(events):
        payload = event if event.startswith(b"{") else event.partition(b"data: ")[2]
        told = json.loads(payload) if payload.startswith(b"{") else {}
        usage = told.get("usage") or told.get("response", {}).get("usage")
        if usage is not None:
            prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
            completion = usage.get("completion_tokens", usage.get("output_tokens", 0))
            return Tokens(prompt=prompt, completion=completion)
    raise ValueError("the answer says nothing of its usage")


def faults_in_answer(case: Case) -> list[str]:
    """Compare the bytes of the answer, and its header."""
    header = case.told.headers.get("x-runapi-cost")
    wanted: dict[str, tuple[object, object]] = {"usage.cost": (case.told.cost, case.charged_nano)}
    if not case.choice.form.is_stream:
        wanted["x-runapi-cost"] = (None if header is None else nano_of(header), case.charged_nano)
    return _differences(wanted)


def faults_in_explanation(case: Case, explanation: dict[str, Any], tokens: Tokens) -> list[str]:
    """Compare GET /v1/requests/{id}: the charge, each line of it, and the transfers."""
    due, said = _due(case), explanation["cost"]
    counts = dict(parts(tokens))
    settled = [row["amount_nano"] for row in explanation["transfers"] if row["kind"] == "settle"]
    source = "estimated" if case.report.tokens is None else "reported"
    return _differences(
        {
            "the explanation's charge": (said["charged_nano"], str(case.charged_nano)),
            "... in dollars": (nano_of(said["charged_usd"]), case.charged_nano),
            "... in pico-dollars": (said["total_pico"], str(due.pico)),
            "... by rounding": (said["rounding_pico"], str(due.nano * 1_000 - due.pico)),
            "... beyond the hold": (said["written_off_nano"], str(due.nano - case.charged_nano)),
            "its lines": (
                [(line["kind"], line["tokens"], line["rate_pico"], line["pico"]) for line in said["lines"]],
                _lines(due, tokens),
            ),
            "its counts": ({kind: explanation["usage"][kind] for kind in counts}, counts),
            "their source": (explanation["usage_source"], source),
            "its settlement": (settled, [str(case.charged_nano)]),
        }
    )


def faults_in_receipt(case: Case, receipt: bytes, tokens: Tokens, public_key: bytes) -> list[str]:
    """Compare the signed receipt, which must be of these very bytes."""
    checked, due = check_receipt(receipt, public_key), _due(case)
    if checked.signed is None or checked.fault is not None:
        return [f"the receipt: {checked.fault}"]
    said = checked.signed.receipt
    return _differences(
        {
            "the receipt's charge": (said.charged_nano, str(case.charged_nano)),
            "... in dollars": (nano_of(said.charged_usd), case.charged_nano),
            "... in pico-dollars": (said.total_pico, str(due.pico)),
            "... beyond the hold": (said.written_off_nano, str(due.nano - case.charged_nano)),
            "its lines": (
                [(line.kind, line.tokens, line.rate_pico, line.pico) for line in said.lines],
                _lines(due, tokens),
            ),
            "its request": (said.request_sha256, sha256(case.body).hexdigest()),
            "its response": (said.response_sha256, sha256(case.told.body).hexdigest()),
        }
    )


def faults_in_books(case: Case, books: Books) -> list[str]:
    """Compare the request's row, the ledger's settlement, and what was written off."""
    request_id = case.told.request_id or ""
    settle, row = books.settles.get(request_id), books.rows.get(request_id)
    if case.due is None:
        return []  # it was not answered, which has been said
    if settle is None or row is None:
        return ["it was answered, and is not in the books"]
    due = case.due
    return _differences(
        {
            "the ledger's charge": (settle.amount_nano, case.charged_nano),
            "... in pico-dollars": (settle.cost_pico, due.pico),
            "... beyond the hold": (books.written_off.get(request_id, 0), due.nano - case.charged_nano),
            "the row's charge": (row.cost_nano, case.charged_nano),
            "... in pico-dollars, in the row": (row.cost_pico, due.pico),
        }
    )


def _due(case: Case) -> Cost:
    if case.due is None:
        raise AssertionError("a case is priced before it is judged")
    return case.due


def _lines(due: Cost, tokens: Tokens) -> list[tuple[str, int, str, str]]:
    """The arithmetic, line by line; none where there is nothing to pay."""
    if not due.usd:
        return []
    rates: list[tuple[str, int, Fraction]] = [
        (kind, count, getattr(due.rates, kind) * _PICO_PER_TOKEN) for kind, count in parts(tokens)
    ]
    return [(kind, count, str(rate), str(rate * count)) for kind, count, rate in rates]


def _differences(wanted: Mapping[str, tuple[object, object]]) -> list[str]:
    return [
        f"{place} is {found}, and must be {right}"
        for place, (found, right) in wanted.items()
        if found != right
    ]
