"""What the proofs of the gateway judge by: a calculator on fractions, and the rules for what a client may be told."""

from fractions import Fraction
from random import Random

import pytest

from prove.aftermath import Books, Row, Settle, check_books, check_charges, check_told
from prove.calculator import PriceList, Tokens, cost, nano_of
from prove.hygiene import check_rows, check_sums
from prove.kills import check_lost_answers, check_same_bytes, judge_repeat
from prove.provider import Conduct, Plan
from prove.traffic import END, Told
from prove.usages import SHAPES
from runapi.core.keys import Mode
from runapi.core.records import Outcome
from runapi.core.usage import UsageSource

GPT = PriceList.read()
HELLO = Tokens(prompt=19, completion=10)
COST_NANO = 197_500  # 19 x $2.50 and 10 x $15 per million
STREAM = b'data: {"usage":{"prompt_tokens":19,"cost":0.0001975}}\n\n' + END


# ---- the calculator ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "policy", "tokens", "tiers", "nano"),
    [
        ("gpt-5.5", "catalogue", HELLO, (None, None), COST_NANO),
        ("gpt-5.5", "1", HELLO, (None, None), 2 * COST_NANO),
        ("gpt-5.5", "catalogue", Tokens(prompt=19, completion=10, cached=15), (None, None), 163_750),
        ("gpt-5.5", "catalogue", Tokens(prompt=19, completion=10, cached=99), (None, None), 154_750),
        ("gpt-5.5", "catalogue", HELLO, ("priority", "priority"), 493_750),
        ("gpt-5.5", "catalogue", HELLO, (None, "priority"), COST_NANO),
        ("gpt-5.5", "catalogue", HELLO, ("flex", "flex"), 98_750),
        ("gpt-5.4-nano", "catalogue", HELLO, ("priority", "priority"), 8_150),
        ("gpt-5.5", "catalogue", Tokens(prompt=272_000, completion=1), (None, None), 680_015_000),
        ("gpt-5.5", "catalogue", Tokens(prompt=272_001, completion=1), (None, None), 1_360_027_500),
        (
            "gpt-5.5",
            "catalogue",
            Tokens(prompt=272_001, completion=1),
            ("priority", "priority"),
            1_360_027_500,
        ),
        ("gpt-5.4-nano", "0.333333", Tokens(prompt=1, completion=0, cached=1), (None, None), 7),
        ("gpt-5.4-mini", "catalogue", Tokens(prompt=1, completion=0, cached=1), (None, None), 38),
    ],
)
def test_request_costs_what_the_price_lists_say(model, policy, tokens, tiers, nano):
    assert cost(GPT.prices(model, policy), tokens, *tiers).nano == nano


def test_ratio_that_is_too_fine_is_rounded_up_once():
    rates = GPT.prices("gpt-5.4-nano", "0.333333").rates(HELLO, None, None)
    assert rates.cached == Fraction("0.006667")


@pytest.mark.parametrize("shape", SHAPES)
def test_report_that_is_believed_is_within_what_the_request_could_have(shape):
    for seed in range(50):
        report = SHAPES[shape](Random(seed))
        if report.tokens is not None and not report.is_beyond and not report.is_open:
            assert report.tokens.prompt <= 1_500
            assert report.tokens.completion <= 2_000


# ---- the rules -----------------------------------------------------------------------------------------------


def told(body: bytes = STREAM, *, tag: str = "t", status: int | None = 200, **more) -> Told:
    is_whole = more.pop("is_whole", body.endswith(END))
    more.setdefault("request_id", "req_1")
    return Told(
        plan=Plan(tag=tag, conduct=Conduct.FINE), key="k", status=status, body=body, is_whole=is_whole, **more
    )


def row(**fields) -> Row:
    return Row(
        **{
            "id": "req_1",
            "key_id": 1,
            "mode": Mode.LIVE,
            "status": 200,
            "outcome": Outcome.COMPLETED,
            "error_code": None,
            "client_left": False,
            "answered": "t/1",
            "service_tier": None,
            "usage_source": UsageSource.REPORTED,
            "cost_pico": COST_NANO * 1_000,
            "cost_nano": COST_NANO,
            **fields,
        }
    )


def books(*, charged: int | None = COST_NANO, **fields) -> Books:
    made = row(**fields)
    settle = Settle(made.id, charged or 0, made.cost_pico, made.mode, UsageSource.REPORTED)
    settles = {} if charged is None else {made.id: settle}
    return Books(faults=[], transfers=2, settles=settles, holds={made.id: 10**6}, rows={made.id: made})


def test_cost_is_read_from_the_bytes():
    assert told().cost == COST_NANO
    assert told(b'{"usage":{"cost":0.0000000005}}').cost == Fraction(1, 2)
    assert nano_of("1e-9") == 1


def test_answer_that_was_charged_as_told_is_right():
    assert check_books(books()) == []
    assert check_told(books(), [told()]) == []
    assert check_charges(books(), {"t": 1}, lambda _: COST_NANO) == []
    assert check_rows(books(), [told()]) == []
    assert check_sums(books(), [told()]) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (check_told(books(charged=None, cost_nano=0), [told()]), "was not charged"),
        (check_told(books(charged=COST_NANO + 1), [told()]), "was charged 197501"),
        (check_told(books(), [told(b"{}", status=502)]), "was told 502"),
        (check_told(books(), [told(b'data: {"error":{"code":"x"}}\n\n')]), "broke off with an error"),
        (check_told(books(), [told(is_lost=True)]), "no end ever came"),
        (check_told(books(), [told(END)]), "does not say what it cost"),
        (check_books(books(charged=COST_NANO + 1)), "does not say what it was charged"),
        (check_books(books(charged=None)), "and it was not charged"),
        (check_books(Books(faults=[], transfers=1, holds={"req_1": 5})), "nothing ended it"),
        (check_books(Books(faults=[], transfers=1, held_nano=5)), "5 is held"),
        (check_charges(books(), {}, lambda _: None), "no upstream was called"),
        (check_charges(books(answered=None), {"t": 1}, lambda _: None), "no upstream was called"),
        (check_charges(books(), {"t": 1}, lambda _: COST_NANO - 1), "costs 197499"),
        (check_rows(books(), [told(request_id="req_2")]), "have no row"),
        (check_rows(books(outcome=Outcome.FAILED), [told()]), "failed"),
        (check_sums(books(charged=COST_NANO + 1), [told()]), "were told of 197500"),
        (check_sums(books(), [told(b"", is_whole=False)]), "neither has an answer nor has left"),
        (check_lost_answers(books(charged=None), [told(b"{}", status=410)], {}), "never charged"),
        (check_same_bytes([told(), told(b"x" + STREAM)]), "different bytes"),
    ],
)
def test_what_is_wrong_is_said(found, said):
    assert any(said in text for text in found), found


def test_request_that_is_charged_twice_under_two_names_is_noticed():
    twice = books()
    twice.rows["req_2"] = row(id="req_2", answered="t/2")
    twice.settles["req_2"] = Settle("req_2", COST_NANO, COST_NANO * 1_000, Mode.LIVE, UsageSource.REPORTED)
    assert any("charged twice" in text for text in check_charges(twice, {"t": 2}, lambda _: None))


REPLAY = {"idempotent-replayed": "true"}


@pytest.mark.parametrize(
    ("now", "before", "charged", "is_new_call", "right"),
    [
        (told(headers=REPLAY), told(), row(), False, True),
        (told(headers=REPLAY), told(STREAM[:9]), row(), False, True),
        (told(), told(STREAM[:9], request_id="req_0"), None, True, True),
        (told(b"{}", status=410), told(STREAM[:9]), row(outcome=Outcome.CANCELLED), False, True),
        (told(), told(), row(), False, False),  # the same, but not as a replay
        (told(), told(), row(), True, False),  # served anew
        (told(b"y" + STREAM, headers=REPLAY), told(), row(), False, False),  # other bytes
        (told(b"y" + STREAM, headers=REPLAY), told(STREAM[:9]), row(), False, False),
        (told(headers=REPLAY), told(STREAM[:9]), row(outcome=Outcome.CANCELLED), False, False),
        (told(), told(STREAM[:9]), None, False, False),  # an answer from nowhere
        (told(is_lost=True), told(), row(), False, False),
    ],
)
def test_request_that_is_sent_again_is_judged(now, before, charged, is_new_call, right):
    fault = judge_repeat(now, [before], charged, is_new_call=is_new_call)
    assert (fault is None) == right, fault
