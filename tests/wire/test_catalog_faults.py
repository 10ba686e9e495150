"""Every fault of a catalogue file is named, with its line and the path of keys; a faulty file is never used."""

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runapi.wire import yaml_file
from runapi.wire.catalog_file import CatalogFault, package_catalog, read_catalog


def faults_of(text: str) -> list[str]:
    with pytest.raises(CatalogFault) as caught:
        read_catalog(text, "models.yaml", package_catalog())
    assert str(caught.value).splitlines() == list(caught.value.faults)
    return list(caught.value.faults)


FAULTS = [
    ("gpt-5.5: {ours: {standard: {input: 0.1234567}}}", "gpt-5.5.ours.standard.input: '0.1234567' is too fine: at most 6 decimal places"),
    ("gpt-5.5: {ours: {standard: {input: -1}}}", "gpt-5.5.ours.standard.input: '-1' is not a price: it must be zero or more"),
    ("gpt-5.5: {ours: {standard: {input: 1e3}}}", "gpt-5.5.ours.standard.input: '1e3' is not a plain decimal number such as 0.075"),
    ("gpt-5.5: {ours: {standard: {input: .inf}}}", "gpt-5.5.ours.standard.input: '.inf' is not a plain decimal number such as 0.075"),
    ("gpt-5.5: {ours: {standard: {input: 1:30}}}", "gpt-5.5.ours.standard.input: '1:30' is not a plain decimal number such as 0.075"),
    ("gpt-5.5: {ours: {standard: {input: 010}}}", "gpt-5.5.ours.standard.input: '010' is not a plain decimal number such as 0.075"),
    ("gpt-5.5: {ours: {standard: {input: 1000000}}}", "gpt-5.5.ours.standard.input: '1000000' is too much: prices are USD per 1,000,000 tokens"),
    ("gpt-5.5: {ours: {standard: {input: }}}", "gpt-5.5.ours.standard.input: expected a price in USD per 1,000,000 tokens, such as 0.075, got nothing"),
    ("gpt-5.5: {ours: {standard: {input: yes}}}", "gpt-5.5.ours.standard.input: expected a price in USD per 1,000,000 tokens, such as 0.075, got true or false ('yes')"),
    ("gpt-5.5: {ours: {standard: 5}}", "gpt-5.5.ours.standard: expected a mapping of keys to values, got a number ('5')"),
    ("gpt-5.5: {ours: {standard: null}}", "gpt-5.5.ours.standard: expected a mapping of keys to values, got nothing"),
    ("gpt-5.5: {ours: }", "gpt-5.5.ours: expected a mapping of keys to values, got nothing"),
    ("gpt-5.5: ", "gpt-5.5: expected a mapping of keys to values, got nothing"),
    ("gpt-5.5: {ours: {standrad: {input: 5}}}", "gpt-5.5.ours.standrad: unknown key: did you mean 'standard'?"),
    ("gpt-5.5: {ours: {standard: {inputs: 5}}}", "gpt-5.5.ours.standard.inputs: unknown key: did you mean 'input'?"),
    ("gpt-5.5: {ours: {standard: {zzz: 5}}}", "gpt-5.5.ours.standard.zzz: unknown key: there are input, output, cached, cache_write"),
    ("gpt-5.5: {default_efort: low}", "gpt-5.5.default_efort: unknown key: did you mean 'default_effort'?"),
    ("gpt-5.5: {id: other}", "gpt-5.5.id: unknown key"),
    ("gpt-5.5: {default_effort: hihg}", "gpt-5.5.default_effort: 'hihg' is not among the efforts of this model: did you mean 'high'?"),
    ("gpt-5.5: {efforts: [none, low]}", "gpt-5.5.default_effort: 'medium' is not among the efforts of this model: there are none, low"),
    ("gpt-5.5: {efforts: [none, meduim]}", "gpt-5.5.efforts: unknown: 'meduim': did you mean 'medium'?"),
    ("gpt-5.5: {efforts: [medium, low, low]}", "gpt-5.5.efforts: 'low' stands twice in the list"),
    ("gpt-5.5: {default_effort: null}", "gpt-5.5.default_effort: missing, and required for a model that has efforts"),
    ("gpt-5.5: {efforts: low}", "gpt-5.5.efforts: expected a list such as [low, high], got text ('low')"),
    ("gpt-5.5: {refused: [stop, 5]}", "gpt-5.5.refused: expected text (put it in quotes), got a number ('5')"),
    ("gpt-5.5: {endpoints: [/v1/chat/completion]}", "gpt-5.5.endpoints: unknown: '/v1/chat/completion': did you mean '/v1/chat/completions'?"),
    ("gpt-5.5: {endpoints: []}", "gpt-5.5.endpoints: must name at least one"),
    ("gpt-5.5: {max_output_tokens: 2_000_000}", "gpt-5.5.max_output_tokens: 2000000 is more than the context_window, 1050000"),
    ("gpt-5.5: {max_input_tokens: 1050001}", "gpt-5.5.max_input_tokens: 1050001 is more than the context_window, 1050000"),
    ("gpt-5.5: {max_output_tokens: 0}", "gpt-5.5.max_output_tokens: '0' must be from 1 to 10,000,000"),
    ("gpt-5.5: {max_output_tokens: -5}", "gpt-5.5.max_output_tokens: '-5' must be from 1 to 10,000,000"),
    ("gpt-5.5: {max_output_tokens: 0777}", "gpt-5.5.max_output_tokens: expected a whole number, got a number ('0777')"),
    ("gpt-5.5: {max_output_tokens: 1.5}", "gpt-5.5.max_output_tokens: expected a whole number, got a number ('1.5')"),
    ("gpt-5.5: {max_output_tokens: '5'}", "gpt-5.5.max_output_tokens: expected a whole number, got text ('5')"),
    ("gpt-5.5: {released: 2026-02-30}", "gpt-5.5.released: '2026-02-30' is not a day of the calendar"),
    ("gpt-5.5: {released: 2026-2-3}", "gpt-5.5.released: expected a date such as 2026-04-23, got text ('2026-2-3')"),
    ("gpt-5.5: {released: soon}", "gpt-5.5.released: expected a date such as 2026-04-23, got text ('soon')"),
    ("gpt-5.5: {released: null}", "gpt-5.5.released: expected a date such as 2026-04-23, got nothing"),
    ("gpt-5.5: {status: retierd}", "gpt-5.5.status: unknown: 'retierd': did you mean 'retired'?"),
    ("gpt-5.5: {successor: gpt-5.6}", "gpt-5.5.successor: unknown model 'gpt-5.6': did you mean 'gpt-5.5'?"),
    ("gpt-5.5: {successor: gpt-5.5}", "gpt-5.5.successor: a model cannot succeed itself"),
    ("gpt-5.5: {source: ''}", "gpt-5.5.source: must not be empty"),
    ("gpt-5.5: {note: 2026-01-01}", "gpt-5.5.note: expected text (put it in quotes), got a date ('2026-01-01')"),
    ("gpt-5.5: {note: !secret x}", "gpt-5.5.note: expected text (put it in quotes), got the tag !secret ('x')"),
    ("gpt-5.5: {note: a, note: b}", "gpt-5.5.note: given twice: first in line 2"),
    ("gpt-5.5: {note: a}\n  gpt-5.5: {note: b}", "gpt-5.5: given twice: first in line 2"),
    ("gpt-5.5: {ours: {long: null}}", "gpt-5.5.ours: 'long' and 'long_threshold' go together: give both or neither"),
    ("gpt-5.2: {ours: {long_threshold: 5, long: {input: 1, output: 1}}}", "gpt-5.2.ours: 'flex_long' is needed where both 'flex' and 'long' are given, and only there"),
    ("gpt 5: {note: a}", "'gpt 5': not a model id: letters, digits and . _ : / @ - only"),
    ("? [a]\n  : {note: a}", "a key must be plain text"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "fault"), FAULTS, ids=[fault for _, fault in FAULTS])
def test_fault_is_named_with_its_line_and_path(body, fault):
    found = faults_of(f"models:\n  {body}\n")
    assert any(re.fullmatch(rf"models\.yaml:[23]: {re.escape(fault)}.*", line) for line in found), found


def test_all_faults_are_named_at_once_in_the_order_of_the_file():
    text = """\
models:
  gpt-5.5:
    relesed: 2026-01-01
    max_output_tokens: 9_000_000
    ours:
      standard:
        input: 0.1234567
        output: free
  new:
    owned_by: me
    default_effort: high
    official:
      standard: {input: 1}
"""
    lines = [re.match(r"models\.yaml:(\d+): ([\w.-]+):", fault) for fault in faults_of(text)]
    assert [(int(line[1]), line[2]) for line in lines if line] == [
        (3, "gpt-5.5.relesed"),
        (4, "gpt-5.5.max_output_tokens"),
        (7, "gpt-5.5.ours.standard.input"),
        (8, "gpt-5.5.ours.standard.output"),
        (9, "new.context_window"),
        (9, "new.endpoints"),
        (9, "new.max_input_tokens"),
        (9, "new.max_output_tokens"),
        (9, "new.released"),
        (9, "new.source"),
        (11, "new.default_effort"),
        (13, "new.official.standard.output"),
    ]


BROKEN = {
    "tab": ("models:\n\tgpt-5.5: x", 2, "not YAML"),
    "open bracket": ("models:\n  gpt-5.5: {note: [\n", 3, "not YAML"),
    "two documents": ("models: {}\n---\nmodels: {}\n", 2, "not YAML"),
    "control character": ("models:\n  gpt-5.5: \x07", 2, r"the character '\x07'"),
    "lone surrogate": ("é:\n\ud800", 2, r"the character '\ud800'"),
    "alias": ("models:\n  a: &a {note: x}\n  b: *a\n", 3, "alias *a: aliases are not accepted"),
    "deep": ("models:\n  " + "- " * 300_000, 2, "nested deeper than 16 levels"),
    "long": ("#" * 1_100_000, 1, "the file is too long"),
    "a list": ("- gpt-5.5", 1, "expected a mapping of keys to values, got a list"),
    "wrong top": ("model: {}", 1, "model: unknown key: did you mean 'models'?"),
    "merge key": ("models:\n  gpt-5.5:\n    <<: {note: x}\n", 3, "gpt-5.5.<<: unknown key"),
}


@pytest.mark.parametrize("parser", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize("name", BROKEN)
def test_file_that_is_no_catalogue_is_refused_with_its_line(name, parser, monkeypatch):
    monkeypatch.setattr(yaml_file, "_LOADER", getattr(yaml, parser))
    text, line, what = BROKEN[name]
    assert faults_of(text)[0].startswith(f"models.yaml:{line}: {what}")


def test_without_a_ground_an_empty_file_is_a_fault():
    with pytest.raises(CatalogFault, match=r"^m\.yaml:1: models: the file has no models$"):
        read_catalog("", "m.yaml")


def test_faulty_file_changes_nothing():
    before = dict(package_catalog().models)
    faults_of("models: {gpt-5.5: {note: changed}, gpt-5.4: {released: soon}}")
    assert dict(package_catalog().models) == before


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="models:gpt-5.{}[]&*!|>\"'#?%@,0 \n\t-\x00\ud800\ufeff", max_size=60))
def test_any_text_is_read_or_refused_in_our_words(text):
    try:
        read_catalog(text, "models.yaml", package_catalog())
    except CatalogFault as fault:
        lines = fault.faults
    else:
        lines = ("models.yaml:1: none",)
    assert lines
    assert all(re.match(r"models\.yaml:[1-9]", line) for line in lines)
