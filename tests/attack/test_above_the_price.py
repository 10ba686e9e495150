"""What costs more at Anthropic than any price here: it does not go there, or only where the operator sells it."""

import pytest

from dialects.town import CLAUDE, HELLO, MESSAGES, RESPONSES
from fakes import anthropic_replies

ONE_HOUR = {"type": "ephemeral", "ttl": "1h"}
FIVE_MINUTES = {"type": "ephemeral", "ttl": "5m"}
FUNCTION = {"name": "look_up", "input_schema": {"type": "object", "properties": {}}}


def said(control):
    return [{"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": control}]}]


def hear(raided, rogue, *, headers=None, body=None, **fields):
    rogue.default = anthropic_replies.plain_reply()
    customer = raided.customer()
    return customer.hear(
        MESSAGES, body, headers=headers, **({"model": CLAUDE, **fields} if body is None else {})
    )


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("context-1m-2025-08-07", None),
        ("Context-1M-2025-08-07", None),
        ("a-beta-2025-01-01, context-1m-2025-08-07,context-1m-2027-01-01,b", "a-beta-2025-01-01,b"),
    ],
)
def test_beta_for_long_inputs_does_not_go_upstream(raided, rogue, asked, sent):
    heard = hear(raided, rogue, headers={"anthropic-beta": asked})
    assert heard.status == 200
    assert heard.headers["x-runapi-dropped"] == "anthropic-beta"
    assert rogue.calls[-1].headers.get("anthropic-beta") == sent


def test_other_betas_go_upstream_as_they_are(raided, rogue):
    heard = hear(raided, rogue, headers={"anthropic-beta": "a, context-management-2025-06-27"})
    assert "x-runapi-dropped" not in heard.headers
    assert rogue.calls[-1].headers["anthropic-beta"] == "a, context-management-2025-06-27"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": said(ONE_HOUR)}, "messages[0].content[0].cache_control.ttl"),
        ({"messages": said({**ONE_HOUR, "ttl": "24h"})}, "messages[0].content[0].cache_control.ttl"),
        (
            {"system": [{"type": "text", "text": "Be brief.", "cache_control": ONE_HOUR}]},
            "system[0].cache_control.ttl",
        ),
        ({"tools": [FUNCTION | {"cache_control": ONE_HOUR}]}, "tools[0].cache_control.ttl"),
        ({"cache_control": ONE_HOUR}, "cache_control.ttl"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "tool_result",
                                "tool_use_id": "t",
                                "content": [{"type": "text", "text": "a", "cache_control": ONE_HOUR}],
                            }
                        ],
                    }
                ]
            },
            "messages[0].content[0].content[0].cache_control.ttl",
        ),
    ],
)
def test_cache_that_is_kept_for_an_hour_is_refused_by_its_place(raided, rogue, fields, param):
    heard = hear(raided, rogue, **fields)
    assert heard.status == 400
    assert f"'{param}'" in heard.error["message"]
    assert rogue.calls == []


def test_cache_that_is_kept_for_an_hour_is_refused_however_it_is_spelt(raided, rogue):
    body = (
        rb'{"model":"%b","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"Hi",'
        rb'"cache_contro\u006c":{"type":"ephemeral","\u0074tl":"\u0031h"}}]}]}' % CLAUDE.encode()
    )
    assert hear(raided, rogue, body=body).status == 400
    assert rogue.calls == []


def test_cache_beside_a_number_that_nobody_can_read_is_refused(raided, rogue):
    body = b'{"model":"%b","max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"x":{"ttl":%b}}' % (
        CLAUDE.encode(),
        b"9" * 5_000,
    )
    assert hear(raided, rogue, body=body).status == 400
    assert rogue.calls == []


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": said(FIVE_MINUTES)},
        {"messages": said({"type": "ephemeral"})},
        {"messages": [{"role": "user", "content": 'Is "cache_control": {"ttl": "1h"} dear?'}]},
        {"tools": [FUNCTION | {"input_schema": {"type": "object", "cache_control": ONE_HOUR}}]},
    ],
    ids=["5m", "no ttl", "a text", "a schema"],
)
def test_cache_of_a_known_price_and_talk_of_others_go_upstream(raided, rogue, fields):
    assert hear(raided, rogue, **fields).status == 200
    assert all(rogue.calls[-1].json[name] == value for name, value in fields.items())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        *(
            ({"tools": [{"type": kind, "name": "t"}]}, "tools")
            for kind in (
                *("web_search", "web_search_20250305", "web_fetch", "web_fetch_20250910"),
                *("code_execution", "code_execution_20250825", "advisor", "advisor_20260301"),
                *("mcp_toolset", "mcp_toolset_20270101"),
            )
        ),
        ({"mcp_servers": [{"type": "url", "url": "https://example.com", "name": "x"}]}, "mcp_servers"),
        (
            {"container": {"skills": [{"type": "anthropic", "skill_id": "pptx"}]}},
            "container.skills",
        ),
    ],
)
def test_tool_with_which_anthropic_goes_round_by_itself_is_refused(raided, rogue, fields, param):
    heard = hear(raided, rogue, **fields)
    assert heard.status == 400
    assert f"'{param}'" in heard.error["message"]
    assert rogue.calls == []


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "text_editor_20250728", "name": "t"}]},
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        {"tools": [FUNCTION | {"name": "web_search_fast"}]},
        {"container": "container_1"},
        {"container": {"id": "container_1", "skills": []}},
        {"mcp_servers": []},
    ],
)
def test_tool_that_the_client_runs_goes_to_anthropic(raided, rogue, fields):
    assert hear(raided, rogue, **fields).status == 200
    assert all(rogue.calls[-1].json[name] == value for name, value in fields.items())


def test_servers_that_openai_calls_in_a_loop_are_left_out(raided, rogue):
    tool = {"type": "mcp", "server_label": "x", "server_url": "https://example.com"}
    heard = raided.customer().hear(RESPONSES, tools=[tool])
    assert "tools" not in rogue.calls[-1].json
    assert heard.headers["x-runapi-dropped"] == "tools"


@pytest.mark.parametrize(
    "tool", [{"type": "web_search_2027_01_31"}, {"type": "mcp", "server_label": "x"}], ids=["newer", "mcp"]
)
def test_tool_inside_the_conversation_is_refused_under_every_name(raided, rogue, tool):
    asked = [
        *({"role": "user", "content": "Hi"},),
        {"type": "additional_tools", "role": "developer", "tools": [1, tool]},
    ]
    heard = raided.customer().hear(RESPONSES, {**HELLO[RESPONSES], "input": asked})
    assert (heard.status, heard.error["param"]) == (400, "input[1].tools")
    assert rogue.calls == []
