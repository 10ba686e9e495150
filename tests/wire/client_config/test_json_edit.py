"""Single members change; comments, order and layout of the rest stay."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.wire.client_config.fault import ConfigFault
from runapi.wire.client_config.json_edit import append, put, put_members, remove, value_at
from runapi.wire.client_config.json_reader import read_json

NAMES = st.sampled_from(["a", "b", "c", "d e", "é"])
OBJECTS = st.recursive(
    st.dictionaries(NAMES, st.integers() | st.text(max_size=3), max_size=3),
    lambda inner: st.dictionaries(NAMES, inner | st.integers(), max_size=3),
    max_leaves=8,
)
PATHS = st.lists(NAMES, min_size=1, max_size=3)


def with_value(document, path, value):
    """What `put` has to come to; None where something on the way is no object."""
    changed = copy.deepcopy(document)
    place = changed
    for name in path[:-1]:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            return None
    place[path[-1]] = value
    return changed


@given(
    OBJECTS, PATHS, st.integers() | st.lists(st.text(max_size=3)) | OBJECTS, st.sampled_from([None, 2, "\t"])
)
def test_any_member_can_be_set_and_nothing_else_changes(document, path, value, indent):
    text = json.dumps(document, indent=indent)
    expected = with_value(document, path, value)
    if expected is None:
        with pytest.raises(ConfigFault):
            put(text, path, value)
        return
    changed = put(text, path, value)
    assert json.loads(changed) == expected
    assert put(changed, path, value) == changed
    assert value_at(changed, path) == value


@given(OBJECTS, PATHS, st.sampled_from([None, 2]))
def test_any_member_can_be_removed(document, path, indent):
    text = json.dumps(document, indent=indent)
    place = expected = copy.deepcopy(document)
    for name in path[:-1]:
        place = place.get(name, {}) if isinstance(place, dict) else {}
    if isinstance(place, dict):
        place.pop(path[-1], None)
    assert json.loads(remove(text, path)) == expected


COMMENTED = """\
// my settings
{
  a: { x: 1 }, // about a
  /* about b */ b: [1, 2],
  c: {
    deep: 'text', // the last has a comma
  },
}
"""


def test_comments_and_layout_stay():
    text = put(COMMENTED, ("a", "x"), 2)
    text = put(text, ("c", "more"), {"k": True})
    text = put(text, ("d",), "new")
    text = append(text, ("b",), 3)
    assert (
        text
        == """\
// my settings
{
  a: { x: 2 }, // about a
  /* about b */ b: [1, 2, 3],
  c: {
    deep: 'text', // the last has a comma
    "more": { "k": true },
  },
  "d": "new",
}
"""
    )


def test_removed_member_takes_its_line_and_a_last_one_the_comma_before_it():
    text = remove(COMMENTED, ("b",))
    assert "  /* about b */ \n  c: {" in text  # what stands beside it stays
    assert read_json(text).value == {"a": {"x": 1}, "c": {"deep": "text"}}
    assert remove('{\n  "a": 1,\n  "b": 2\n}', ("b",)) == '{\n  "a": 1\n}'
    assert remove('{"a": 1, "b": 2}', ("a",)) == '{ "b": 2}'
    assert remove('{"a": 1}', ("b", "c")) == '{"a": 1}'


def test_line_ends_of_windows_stay():
    changed = put('{\r\n  "a": 1\r\n}\r\n', ("b", "c"), {"d": {"e": 1}})
    assert changed.count("\n") == changed.count("\r\n")
    assert json.loads(changed) == {"a": 1, "b": {"c": {"d": {"e": 1}}}}


def test_comment_behind_the_last_member_stays_beside_it():
    changed = put('{\n  "a": 1 // one\n}', ("b",), 2)
    assert changed == '{\n  "a": 1, // one\n  "b": 2\n}'


def test_object_with_nothing_but_a_comment_keeps_it():
    changed = put("{\n  // nothing yet\n}", ("a",), 1)
    assert changed == '{\n  // nothing yet\n  "a": 1\n}'


def test_null_on_the_way_counts_as_missing():
    assert json.loads(put('{"a": null}', ("a", "b"), 1)) == {"a": {"b": 1}}


def test_true_is_not_1():
    assert put('{"a": 1}', ("a",), value=True) == '{"a": true}'


def test_the_last_of_two_members_with_one_name_counts():
    assert read_json(put("{a: 1, a: 2}", ("a",), 3)).value == {"a": 3}


def test_members_are_put_one_by_one_into_an_object_that_is_there():
    assert json.loads(put_members('{"p": {"own": 1, "x": 2}}', ("p",), {"x": 3})) == {"p": {"own": 1, "x": 3}}
    assert json.loads(put_members("{}", ("p",), {"x": 3})) == {"p": {"x": 3}}


def test_what_is_no_object_is_refused_with_its_line():
    with pytest.raises(ConfigFault) as refused:
        put('{\n "a": {\n  "b": []\n }\n}', ("a", "b", "c"), 1)
    assert (refused.value.line, refused.value.what) == (3, "'a.b' is not an object")
    with pytest.raises(ConfigFault) as refused:
        put("[]", ("a",), 1)
    assert refused.value.what == "the file is not an object"
