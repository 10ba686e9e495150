import asyncio
import json
import subprocess
import sys

import pytest

from fakes.sandbox_calls import request, turns_of_others
from runapi.upstream.client import BrokenReplyError
from runapi.upstream.sandbox.player import SandboxReply
from runapi.upstream.sandbox.routes import CHAT, answer


async def ask(said: str, **fields: object) -> SandboxReply:
    return await answer(CHAT, json.dumps(request(said, **fields)).encode(), request_id="req_abc")


async def read_all(reply: SandboxReply) -> bytes:
    pieces = []
    while piece := await reply.read():
        pieces.append(piece)
    return b"".join(pieces)


async def test_whole_answer_is_read_to_its_end():
    reply = await ask("hi")
    assert (reply.status, reply.headers["x-request-id"]) == (200, "req_abc")
    assert json.loads(await read_all(reply))["object"] == "chat.completion"
    assert await reply.read() == b""


async def test_stream_is_read_event_by_event():
    reply = await ask("hi", stream=True)
    first = await reply.read()
    assert json.loads(first.removeprefix(b"data: "))["choices"][0]["delta"]["role"] == "assistant"
    assert (await read_all(reply)).endswith(b"data: [DONE]\n\n")


async def test_error_has_its_status_and_headers():
    reply = await ask("[[sandbox:status 429 retry_after=5]]", stream=True)
    assert (reply.status, reply.headers["retry-after"]) == (429, "5")
    assert json.loads(await read_all(reply))["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize("fields", [{}, {"stream": True}])
async def test_cut_is_a_connection_reset_after_the_first_bytes(fields):
    reply = await ask("[[sandbox:cut_after 3]]", **fields)
    assert await reply.read()
    with pytest.raises(BrokenReplyError):
        await read_all(reply)
    with pytest.raises(ConnectionResetError):
        await reply.read()


async def test_delay_holds_the_first_byte_back():
    loop = asyncio.get_running_loop()
    reply = await ask("[[sandbox:delay 0.2]]")
    began = loop.time()
    assert await reply.read()
    assert loop.time() - began >= 0.2


async def test_reader_that_gives_up_waiting_and_comes_back_waits_out_the_rest():
    loop = asyncio.get_running_loop()
    reply = await ask("[[sandbox:delay 0.3]]", stream=True)
    began = loop.time()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reply.read(), 0.1)
    assert b'"role"' in await reply.read()
    assert loop.time() - began >= 0.3
    assert (await read_all(reply)).endswith(b"data: [DONE]\n\n")


async def test_closing_ends_a_delay_at_once():
    reply = await ask("[[sandbox:delay 300]]")
    reading = asyncio.ensure_future(reply.read())
    await asyncio.sleep(0.01)
    reply.close()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reading, 10)


async def test_closed_stream_is_never_taken_for_a_complete_one():
    reply = await ask("hi", stream=True)
    await reply.read()
    reply.close()
    reply.close()
    with pytest.raises(ConnectionResetError):
        await reply.read()


async def test_long_stream_lets_others_work():
    _, turns = await turns_of_others(read_all(await ask("[[sandbox:chunks 1000]]", stream=True)))
    assert turns > 10


async def test_large_body_is_answered_too():
    reply = await ask("hi " * 50_000)
    usage = json.loads(await read_all(reply))["usage"]
    assert usage["prompt_tokens"] > 50_000


def test_first_requests_arriving_together_are_all_answered():
    code = (
        "import asyncio; from runapi.upstream.sandbox.routes import CHAT, answer; from runapi.wire import tokens\n"
        'body = b\'{"model":"m","messages":[{"role":"user","content":"hi"}]}\'\n'
        "async def main():\n"
        "    replies = await asyncio.gather(*(answer(CHAT, body, request_id=f'req_{i}') for i in range(8)))\n"
        "    return {reply.status for reply in replies}\n"
        "print(tokens.is_loaded(), asyncio.run(main()), tokens.is_loaded())"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert found == "False {200} True"
