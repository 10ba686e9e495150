"""The golden files of Chat say what the code does, and what they say is valid."""

import json

import pytest

from fakes import chat_golden, specification


def golden(case, name):
    return (chat_golden.FOLDER / case / name).read_text("utf-8")


def test_there_are_golden_files():
    assert len(chat_golden.cases("request.json")) >= 5
    assert len(chat_golden.cases("upstream.sse")) >= 5


@pytest.mark.parametrize("case", chat_golden.cases("request.json"))
def test_a_request_becomes_what_its_golden_files_say(case):
    assert dict(chat_golden.files_of_request(case)) == {
        name: golden(case, name) for name in ("asked.json", "upstream.json")
    }
    specification.check_request(json.loads(golden(case, "upstream.json")))


@pytest.mark.parametrize("case", chat_golden.cases("upstream.sse"))
def test_an_answer_becomes_what_its_golden_files_say(case):
    made = dict(chat_golden.files_of_answer(case))
    assert made == {name: golden(case, name) for name in made}
    if "client.json" in made:
        specification.check_reply(json.loads(made["client.json"]))
