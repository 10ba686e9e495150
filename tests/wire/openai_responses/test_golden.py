"""Translations, whole, as they were read and found right."""

import json

import pytest

from fakes import specification
from wire.openai_responses import answers, golden

PATHS = golden.files()


def test_there_are_files_of_each_kind():
    assert {path.name for path in PATHS} == set(golden.MADE_OF)
    assert {path.parent for path in PATHS} == set(golden.FOLDER.iterdir())


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_translation_is_as_it_was_found_right(path):
    assert golden.make(path.name, golden.source_of(path)).decode() == path.read_text("utf-8")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_file_is_right_by_the_specification(path):
    match path.name:
        case "upstream.json":
            specification.check_response_request(json.loads(path.read_bytes()))
        case "client.sse":
            for event in answers.read(path.read_bytes()):
                specification.check_response_event(event)
        case "reply.json":
            specification.check_response(json.loads(path.read_bytes()))
