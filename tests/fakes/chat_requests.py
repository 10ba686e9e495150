"""Chat requests by chance, each written in the one form in which the gateway would write it too."""

from hypothesis import strategies as st

TEXT = st.text(min_size=1, max_size=12)
NAME = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
URL = st.sampled_from(["https://example.org/a.png", "data:image/png;base64,AAAA"])
SCHEMA = st.sampled_from(
    [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"type": "object", "patternProperties": {"^.*$": {"type": "number", "maximum": 1.5e300}}},
    ]
)
NUMBER = st.floats(0, 1, allow_nan=False)


def objects(**fields):
    """Objects with all of these fields, in this order."""
    return st.fixed_dictionaries(
        {
            name: field if isinstance(field, st.SearchStrategy) else st.just(field)
            for name, field in fields.items()
        }
    )


def optional(required, **fields):
    """Objects with the fields of `required` and any of the others."""
    return st.fixed_dictionaries(required, optional=fields)


text_part = objects(type="text", text=TEXT)
image_part = objects(
    type="image_url",
    image_url=optional({"url": URL}, detail=st.sampled_from(["auto", "low", "high"])),
)
file_part = objects(
    type="file",
    file=st.one_of(
        objects(filename=NAME, file_data=st.just("data:application/pdf;base64,AAAA")), objects(file_id=NAME)
    ),
)
refusal_part = objects(type="refusal", refusal=TEXT)
parts = st.lists(st.one_of(text_part, image_part, file_part), min_size=1, max_size=3)
function_call = objects(type="function", function=objects(name=NAME, arguments=st.text(max_size=20)))
custom_call = objects(type="custom", custom=objects(name=NAME, input=st.text(max_size=20)))


@st.composite
def exchanges(draw):
    """What the user said, and what came of it: an answer, or calls with their results and an answer."""
    role = draw(st.sampled_from(["user", "user", "system", "developer"]))
    content = parts if role == "user" else st.lists(text_part, min_size=1, max_size=2)
    messages = [{"role": role, "content": draw(st.one_of(st.text(max_size=12), content))}]
    if draw(st.booleans()):
        messages[0]["name"] = draw(NAME)
    calls = draw(st.lists(st.one_of(function_call, custom_call), max_size=3))
    if calls:
        said = draw(
            st.one_of(st.none(), TEXT, st.lists(st.one_of(text_part, refusal_part), min_size=2, max_size=2))
        )
        calls = [{"id": f"call_{draw(NAME)}_{index}", **call} for index, call in enumerate(calls)]
        messages.append({"role": "assistant", "content": said, "tool_calls": calls})
        given = st.one_of(st.text(max_size=12), st.lists(text_part, min_size=2, max_size=2))
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": draw(given)} for call in calls]
    if draw(st.booleans()):
        answer = {
            "role": "assistant",
            "content": draw(st.one_of(st.text(max_size=12), st.lists(text_part, min_size=1))),
        }
        if draw(st.booleans()):
            answer |= {"content": draw(st.one_of(st.none(), TEXT)), "refusal": draw(TEXT)}
        messages.append(answer)
    return messages


grammar = objects(type="grammar", grammar=objects(definition=TEXT, syntax=st.sampled_from(["lark", "regex"])))
tool = st.one_of(
    objects(
        type="function",
        function=optional({"name": NAME}, description=TEXT, parameters=SCHEMA, strict=st.just(value=True)),
    ),
    objects(
        type="custom",
        custom=optional({"name": NAME}, description=TEXT, format=st.one_of(objects(type="text"), grammar)),
    ),
)
chosen = st.one_of(
    objects(type="function", function=objects(name=NAME)), objects(type="custom", custom=objects(name=NAME))
)
choice = st.one_of(
    st.sampled_from(["auto", "none", "required"]),
    chosen,
    objects(
        type="allowed_tools",
        allowed_tools=objects(mode=st.sampled_from(["auto", "required"]), tools=st.lists(chosen, max_size=2)),
    ),
)
response_format = st.one_of(
    objects(type=st.sampled_from(["text", "json_object"])),
    objects(
        type="json_schema",
        json_schema=optional({"name": NAME}, description=TEXT, schema=SCHEMA, strict=st.booleans()),
    ),
)


@st.composite
def chat_requests(draw):
    """A whole request."""
    messages = draw(st.lists(exchanges(), min_size=1, max_size=3))
    request = draw(
        optional(
            {"model": st.just("gpt-5.5")},
            max_completion_tokens=st.integers(1, 128_000),
            reasoning_effort=st.sampled_from(["none", "low", "xhigh"]),
            verbosity=st.sampled_from(["low", "high"]),
            response_format=response_format,
            temperature=NUMBER,
            top_p=NUMBER,
            stop=st.lists(TEXT, min_size=1, max_size=4),
            service_tier=st.sampled_from(["auto", "flex"]),
            metadata=st.dictionaries(NAME, TEXT, max_size=2),
            user=TEXT,
            safety_identifier=TEXT,
            prompt_cache_key=TEXT,
            prompt_cache_retention=st.just("24h"),
        )
    )
    request["messages"] = [message for exchange in messages for message in exchange]
    if draw(st.booleans()):
        request |= draw(optional({"logprobs": st.just(value=True)}, top_logprobs=st.integers(0, 20)))
    if tools := draw(st.lists(tool, max_size=2)):
        request["tools"] = tools
        request |= draw(optional({}, tool_choice=choice, parallel_tool_calls=st.booleans()))
    if draw(st.booleans()):
        request |= {"stream": True, "stream_options": {"include_usage": True}}
    return request
