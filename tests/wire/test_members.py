"""Members of a JSON object are changed, and every other byte stays."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.wire.members import replace_members

TEXT = rb'{ "a" : 1.50 ,"b\"c":{"a":[2]},' + '"é":"ü\\u00e9"'.encode() + b', "d":null\n}'


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, TEXT),
        ({"a": b"2"}, TEXT.replace(b"1.50", b"2")),
        ({"d": b'{"x":1}', "a": b"[]"}, TEXT.replace(b"1.50", b"[]").replace(b"null", b'{"x":1}')),
        ({'b"c': b"0"}, TEXT.replace(b'{"a":[2]}', b"0")),
        ({"é": b"0"}, TEXT.replace('"ü\\u00e9"'.encode(), b"0")),
    ],
)
def test_only_what_is_named_changes(changes, expected):
    assert replace_members(TEXT, changes) == expected


def test_missing_member_is_added_and_the_values_of_all_others_stay():
    changed = replace_members(TEXT, {"new": b"7"})
    assert json.loads(changed) == json.loads(TEXT) | {"new": 7}
    assert b"1.50" in changed
    assert rb"\u00e9" in changed


def test_of_a_key_that_stands_twice_the_last_value_counts():
    assert json.loads(replace_members(b'{"a":1,"b":2,"a":3}', {"b": b"5"})) == {"a": 3, "b": 5}


@pytest.mark.parametrize("bad", [b"", b"[]", b'"a"', b"{", b'{"a":1}x'])
def test_what_is_no_object_is_refused(bad):
    with pytest.raises(ValueError, match=r"JSON|Expected|Input"):
        replace_members(bad, {"a": b"1"})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.text(), VALUES, max_size=5),
    st.data(),
    st.sampled_from([None, (",", ":"), (" , ", " : ")]),
)
def test_any_object_is_changed_as_json_would_be(fields, data, separators):
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(fields) or ["a"]), VALUES))
    text = json.dumps(fields, separators=separators).encode()
    changed = replace_members(text, {name: json.dumps(value).encode() for name, value in changes.items()})
    assert json.loads(changed) == fields | changes
