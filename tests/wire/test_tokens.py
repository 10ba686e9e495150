import base64
import hashlib
import struct
import subprocess
import sys
import threading
import zlib
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runapi.wire import image_tokens, tokens

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
                "unit": {
                    "type": "string",
                    "description": "The unit of temperature to return",
                    "enum": ["celsius", "fahrenheit"],
                },
            },
            "required": ["location"],
        },
    },
}


def in_fresh_python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def png(width: int, height: int) -> str:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return "data:image/png;base64," + base64.b64encode(head).decode()


def test_ranks_are_the_published_ones():
    data = resources.files("runapi.data").joinpath("o200k_base.tiktoken").read_bytes()
    assert (
        hashlib.sha256(data).hexdigest() == "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
    )


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("hello world", 2),
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
        ("お誕生日おめでとう", 8),
    ],
)
def test_counts_that_openai_published(text, count):
    assert tokens.count_text(text) == count


def test_names_of_special_tokens_are_ordinary_text():
    assert tokens.count_text("<|endoftext|>") > 1


def test_importing_the_counter_loads_nothing():
    code = "import sys; from runapi.wire import tokens; print(tokens.is_loaded(), 'tiktoken' in sys.modules)"
    assert in_fresh_python(code) == "False False"


def test_loaded_encoding_stays_small():
    code = (
        "import psutil; from runapi.wire import tokens; rss = lambda: psutil.Process().memory_info().rss;"
        "before = rss(); tokens.load(); print(tokens.is_loaded(), rss() - before < 75_000_000)"
    )
    assert in_fresh_python(code) == "True True"


def test_threads_that_count_first_build_one_encoding():
    code = (
        "import threading, tiktoken; from runapi.wire import tokens; built = [];\n"
        "class Spy(tiktoken.Encoding):\n"
        "    def __init__(self, *a, **k): built.append(1); super().__init__(*a, **k)\n"
        "tiktoken.Encoding = Spy\n"
        "ts = [threading.Thread(target=tokens.count_text, args=('x',)) for _ in range(8)]\n"
        "[t.start() for t in ts]; [t.join() for t in ts]; print(len(built))"
    )
    assert in_fresh_python(code) == "1"


@pytest.mark.parametrize("letter", ["a", " ", "\t", "\n", "\u3000", "^", "日", "a ", "'s"])
def test_a_million_equal_characters_can_be_counted(letter):
    counts: list[int] = []
    thread = threading.Thread(
        target=lambda: counts.append(tokens.count_text(letter * (1_000_000 // len(letter))))
    )
    thread.start()
    thread.join()
    assert counts[0] > 1_000


def test_long_text_counts_as_its_sentences_do():
    sentence = "The quick brown fox jumped over 12,345 lazy dogs; didn't it?\n"
    once = tokens.count_text(sentence)
    assert tokens.count_text(sentence * 2_000) == once * 2_000


@settings(deadline=None)
@given(st.text(max_size=200))
def test_tokens_put_together_are_the_text(text):
    pieces = tokens.split_text(text)
    assert b"".join(pieces).decode() == text
    assert len(pieces) == tokens.count_text(text)


def test_messages_cost_three_tokens_each_and_three_for_the_answer():
    assert tokens.count_chat_input([{"role": "user", "content": "Hello!"}]) == 3 + 1 + 2 + 3
    named = [{"role": "user", "name": "Ann", "content": "Hello!"}]
    assert tokens.count_chat_input(named) == 9 + 1 + tokens.count_text("Ann")


def test_tools_count_as_in_openais_own_example():
    messages = [
        {
            "role": "system",
            "content": "You are a helpful assistant that can answer to questions about the weather.",
        },
        {"role": "user", "content": "What's the weather like in San Francisco?"},
    ]
    assert tokens.count_chat_input(messages, [WEATHER]) == 101
    assert tokens.count_chat_input(messages, []) == tokens.count_chat_input(messages)


def test_parts_calls_and_results_are_counted():
    call = {"id": "call_1", "type": "function", "function": {"name": "exec", "arguments": '{"command":"ls"}'}}
    conversation = [
        {"role": "user", "content": [{"type": "text", "text": "Hello!"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a.txt"},
    ]
    texts = ("user", "Hello!", "assistant", "exec", '{"command":"ls"}', "tool", "a.txt")
    assert tokens.count_chat_input(conversation) == 3 + 3 * 3 + sum(map(tokens.count_text, texts))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.one_of(
            JSON, st.fixed_dictionaries({}, optional=dict.fromkeys(("role", "content", "tool_calls"), JSON))
        )
    ),
    st.one_of(st.none(), st.lists(st.one_of(JSON, st.fixed_dictionaries({"function": JSON})), max_size=3)),
)
def test_any_json_can_be_counted(messages, tools):
    assert tokens.count_chat_input(messages, tools) >= 3


@pytest.mark.parametrize(
    ("width", "height", "detail", "count"),
    [
        (1024, 1024, "high", 1229),  # 32 x 32 patches
        (32, 32, "high", 2),
        (33, 1, "auto", 3),
        (1024, 1024, "low", 308),  # fitted into 512: 16 x 16
        (4096, 2048, "high", 2458),  # fitted into 2048: 64 x 32 patches
        (6000, 6000, "original", 12_000),
    ],
)
def test_image_costs_its_patches(width, height, detail, count):
    image = {"type": "image_url", "image_url": {"url": png(width, height), "detail": detail}}
    with_image = tokens.count_chat_input([{"role": "user", "content": [image]}])
    without = tokens.count_chat_input([{"role": "user", "content": []}])
    assert with_image - without == count


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (b"GIF89a" + struct.pack("<HH", 3, 5), (3, 5)),
        (b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + b"\x02\0\0\x04\0\0", (3, 5)),
        (b"RIFF\0\0\0\0WEBPVP8L" + bytes(5) + struct.pack("<I", 2 | 4 << 14) + bytes(5), (3, 5)),
        (b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + struct.pack("<HH", 3, 5), (3, 5)),
        (b"\xff\xd8\xff\xe0\0\x04ab\xff\xc2\0\x11\x08\0\x05\0\x03", (3, 5)),
        (b"\xff\xd8\xff\xe0\xff\xff", None),
        (b"BM", None),
        (b"", None),
    ],
)
def test_size_is_read_from_the_first_bytes(head, size):
    assert image_tokens.read_size(head) == size


@pytest.mark.parametrize(
    "url", ["https://example.com/a.png", "data:image/png;base64,!!!", "data:,", "", None, 7]
)
def test_image_that_cannot_be_read_counts_as_the_documented_constant(url):
    assert image_tokens.count_image(url, "high") == image_tokens.UNKNOWN_IMAGE


@given(st.binary(max_size=64))
def test_any_bytes_have_a_size_or_none(data):
    for head in (b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF0000WEBPVP8X", b"RIFF0000WEBPVP8L"):
        url = "data:image/x;base64," + base64.b64encode(head + data).decode()
        assert image_tokens.count_image(url, "high") >= 2
