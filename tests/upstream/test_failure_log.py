"""Failures of upstreams in the log: at once, and then counted."""

import asyncio
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from runapi.core.failed_attempts import FailedAttempt, Fault
from runapi.upstream.failure_log import MOST_CAUSES, FailureLog

EVERY_S = 0.05
SENT = b'{"messages":[{"role":"user","content":"Tell me all about the secret of the pyramids."}]}'
Lines = list[dict]


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as captured:
        yield captured


def failed(
    what: str = "500 server_error",
    *,
    upstream: str = "openai",
    message: str | None = "Oops.",
    number: int = 1,
) -> FailedAttempt:
    return FailedAttempt(
        upstream=upstream,
        model="gpt-5.5",
        upstream_model="gpt-5.5",
        request_id=f"req_{number}",
        fault=Fault(what, 500, message),
        client_told="500 upstream_error",
    )


async def test_failure_is_told_at_once_and_the_same_again_is_counted(lines: Lines):
    log = FailureLog(EVERY_S)
    for number in range(1, 6):
        log.note(failed(number=number), SENT)
    assert [(line["request_id"], "count" in line) for line in lines] == [("req_1", False)]
    await asyncio.sleep(3 * EVERY_S)
    assert [(line["request_id"], line.get("count")) for line in lines] == [("req_1", None), ("req_5", 4)]
    assert {line["message"] for line in lines} == {"Oops."}
    log.note(failed(number=9), SENT)  # after a silence, at once again
    assert lines[-1]["request_id"] == "req_9"


async def test_cause_that_does_not_come_again_has_one_line(lines: Lines):
    FailureLog(EVERY_S).note(failed(), SENT)
    await asyncio.sleep(3 * EVERY_S)
    assert len(lines) == 1


async def test_other_causes_and_upstreams_have_lines_of_their_own(lines: Lines):
    log = FailureLog(EVERY_S)
    for failure in (failed(), failed("401 invalid_api_key"), failed(upstream="azure"), failed()):
        log.note(failure, SENT)
    assert [(line["upstream"], line["error"]) for line in lines] == [
        ("openai", "500 server_error"),
        ("openai", "401 invalid_api_key"),
        ("azure", "500 server_error"),
    ]


async def test_upstream_that_makes_up_words_fills_neither_the_log_nor_the_memory(lines: Lines):
    log = FailureLog(EVERY_S)
    for number in range(10 * MOST_CAUSES):
        log.note(failed(f"500 word_{number}"), SENT)
    assert len(lines) == MOST_CAUSES + 1
    log.note(failed(upstream="azure"), SENT)
    assert lines[-1]["upstream"] == "azure"  # nobody is told nothing of another upstream for it


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "Cannot speak of 'the secret of the pyramids.' today",
            True,
        ),  # too short to be told from ordinary words
        ("No: Tell me all about the secret of the pyramids.", False),
        ("x" * 30 + "me all about the secret of the pyramids." + "y" * 30, False),
    ],
)
async def test_message_that_quotes_the_request_is_left_out(lines: Lines, message: str, *, told: bool):
    FailureLog(EVERY_S).note(failed(message=message), SENT)
    assert ("message" in lines[0]) is told


async def test_quoted_text_is_known_however_the_request_wrote_it(lines: Lines):
    prompt = "金字塔的秘密是什么请详细告诉我它的历史和建造方法以及里面藏着的一切宝物和古老的传说"
    escaped = prompt.encode("ascii", "backslashreplace")
    log = FailureLog(EVERY_S)
    log.note(failed("500 a", message=f"No: {prompt}"), escaped)
    log.note(failed("500 b", message=f"No: {prompt}"), prompt.encode())
    assert [line for line in lines if "message" in line] == []
