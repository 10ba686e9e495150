import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import specification
from runapi.upstream.sandbox import routes
from runapi.upstream.sandbox.directives import (
    _FORMS,
    NONE,
    DirectedCall,
    DirectedStatus,
    DirectiveFault,
    Directives,
    read_directives,
)

CHECKS = {
    "/chat/completions": specification.check_request,
    "/responses": specification.check_response_request,
}


@pytest.mark.parametrize(
    ("text", "directives"),
    [
        ("nothing", NONE),
        ("[[sandbox:refuse]]", Directives(refuse=True)),
        ("[[sandbox:delay 2.5]]", Directives(delay_s=2.5)),
        ("[[sandbox:delay 300 ]]", Directives(delay_s=300.0)),
        ("[[sandbox:chunks 200 interval_ms=10]]", Directives(chunks=200, interval_s=0.01)),
        ("[[sandbox:chunks 3]]", Directives(chunks=3)),
        ("[[sandbox:cut_after 0]]", Directives(cut_after=0)),
        ("[[sandbox:reasoning 300]]", Directives(reasoning=300)),
        ("[[sandbox:cached 128]]", Directives(cached=128)),
        ("[[sandbox:status 429 retry_after=5]]", Directives(status=DirectedStatus(429, 5))),
        ("[[sandbox:status 500 code=oops]]", Directives(status=DirectedStatus(500, None, "oops"))),
        ("[[sandbox:reply two  words]]", Directives(reply="two  words")),
        ("[[sandbox:reply]]", Directives(reply="")),
        ('[[sandbox:reply "a]]b\\nc"]]', Directives(reply="a]]b\nc")),
        ('[[sandbox:reply "one" two]]', Directives(reply='"one" two')),
        ("[[sandbox:tool exec]]", Directives(calls=(DirectedCall("exec"),))),
        (
            '[[sandbox:tool exec {"a": [["]]"]]} ]]',
            Directives(calls=(DirectedCall("exec", '{"a": [["]]"]]}'),)),
        ),
        ('[[sandbox:tool exec "{\\"bro"]]', Directives(calls=(DirectedCall("exec", '{"bro'),))),
    ],
)
def test_directive_is_read_wherever_it_stands(text, directives):
    assert read_directives(f"[Sun 17:06 UTC] please {text} ]] and [[more]]") == directives


def test_several_directives_work_together():
    text = "[[sandbox:tool a {}]][[sandbox:tool b]] then [[sandbox:delay 1]] [[sandbox:delay 2]]"
    assert read_directives(text) == Directives(calls=(DirectedCall("a", "{}"), DirectedCall("b")), delay_s=2)


@pytest.mark.parametrize(
    "text",
    [
        "[[sandbox:",
        "[[sandbox:]]",
        "[[sandbox:dance]]",
        "[[sandbox:Refuse]]",
        "[[sandbox:refuse",
        "[[sandbox:refuse now]]",
        "[[sandbox:delay]]",
        "[[sandbox:delay 301]]",
        "[[sandbox:delay -1]]",
        "[[sandbox:delay nan]]",
        "[[sandbox:delay5]]",
        "[[sandbox:status]]",
        "[[sandbox:status 200]]",
        "[[sandbox:status 600]]",
        "[[sandbox:status 429 retry_after=soon]]",
        "[[sandbox:status 429 after=5]]",
        "[[sandbox:status 429 code=No!]]",
        "[[sandbox:chunks 0]]",
        "[[sandbox:chunks 10001]]",
        "[[sandbox:chunks 10000 interval_ms=60000]]",
        "[[sandbox:cut_after ten]]",
        "[[sandbox:reasoning 1.5]]",
        "[[sandbox:reply never closed",
        "[[sandbox:reply " + "x" * 200_001 + "]]",
        '[[sandbox:reply "\\ud800"]]',
        '[[sandbox:tool exec "\\ud800"]]',
        "[[sandbox:tool]]",
        "[[sandbox:tool exec",
        "[[sandbox:tool exec {]]",
        "[[sandbox:tool exec {} {}]]",
        "[[sandbox:tool exec [1]]]",
        '[[sandbox:tool exec {"a": NaN}]]',
        '[[sandbox:tool exec {"a": ' + "[" * 20_000 + "]]",
        "[[sandbox:tool a]]" * 129,
    ],
)
def test_malformed_directive_names_the_known_ones(text):
    with pytest.raises(DirectiveFault, match=r"The sandbox cannot follow .*directives are: .*sandbox:chunks"):
        read_directives(f"please {text}")


@given(
    st.lists(st.sampled_from([*'[]{}"\\ 1=x', "[[sandbox:", "tool ", "reply ", "status 4", "]]", "delay "]))
)
def test_any_text_is_read_or_refused(parts):
    text = "".join(parts)
    try:
        found = read_directives(text)
    except DirectiveFault:
        return
    assert (found == NONE) == ("[[sandbox:" not in text)


def test_every_directive_is_in_the_guide_and_every_example_there_works():
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "sandbox.md").read_text(encoding="utf-8")
    in_code = re.findall(r"^\| `(\[\[sandbox:.*?)` \|", guide, re.MULTILINE) + re.findall(
        r"`(\[\[sandbox:[^`]*)`", guide
    )
    assert len(in_code) > 15
    for example in in_code:
        assert read_directives(example) != NONE
    calls = re.findall(r"curl (?:-N )?http://[^/]*/v1(\S+) .*?-d '(.*?)'", guide, re.DOTALL)
    assert [path for path, _ in calls] == ["/chat/completions"] * 3 + ["/responses"]
    for path, body in calls:
        CHECKS[path](json.loads(body))
        assert routes.plan(path, body.encode(), "req_1", 1).status == 200
    named = {name for example in in_code for name in re.findall(r"sandbox:([a-z_]+)", example)}
    assert named == set(_FORMS)
