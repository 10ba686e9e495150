"""The HTTP client towards providers, against a real socket: its connections, its short way, and what it refuses to send."""

import asyncio
import contextlib
import os
import re
import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fakes import replies, steps
from fakes.upstream import ScriptedUpstream
from runapi.upstream.address import Address
from runapi.upstream.client import BrokenReplyError, UnreachableError, UpstreamClient, read_whole

HEADERS = {"Authorization": "Bearer sk-canary", "Content-Type": "application/json"}
FIRST, SECOND = b"data: first\n\n", b"data: second\n\n"


@pytest.fixture
def upstream():
    with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture
async def client():
    made = UpstreamClient(connect_timeout_s=1)
    yield made
    await made.close()


def address(upstream: ScriptedUpstream) -> Address:
    return Address.of(f"{upstream.base_url}/chat/completions")


async def post(client, upstream, body=b"{}", **how):
    return await client.post(address(upstream), HEADERS, body, **how)


async def test_request_is_sent_as_it_was_given(client, upstream):
    reply = await client.post(Address.of(f"{upstream.base_url}/x?api-version=1%2B"), HEADERS, b'{"a": 1}')
    reply.close()
    (call,) = upstream.wait_for_calls()
    assert (call.path, call.body) == ("/v1/x?api-version=1%2B", b'{"a": 1}')
    sent = {name.lower(): value for name, value in call.headers.items()}
    assert sent == {
        "host": f"127.0.0.1:{upstream.port}",
        "authorization": "Bearer sk-canary",
        "content-type": "application/json",
        "content-length": "8",
    }


@pytest.mark.parametrize("value", ["a\r\nx-more: b", "a\nb", "a\rb"])
async def test_line_break_in_a_header_is_never_sent(client, upstream, value):
    with pytest.raises(BrokenReplyError):
        await client.post(address(upstream), HEADERS | {"x-odd": value}, b"{}")
    assert upstream.requests == []
    assert upstream.open_connections == 0


async def test_connection_serves_one_request_after_the_other(client, upstream):
    for _ in range(3):
        await read_whole(await post(client, upstream))
    assert len({call.connection for call in upstream.calls}) == 1


async def test_connection_of_its_own_is_not_kept(client, upstream):
    for _ in range(2):
        await read_whole(await post(client, upstream, afresh=True))
    first, second = upstream.calls
    assert first.connection != second.connection
    assert {name.lower(): value for name, value in first.headers.items()}["connection"] == "close"


async def test_connection_is_closed_where_the_answer_came_before_the_request_had_left(client):
    opened = []

    async def answer_at_once(reader, writer):
        opened.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\n{}")  # and it reads no more

    async with (
        asyncio.timeout(20),
        await asyncio.start_server(answer_at_once, "127.0.0.1", 0) as server,
    ):
        url = Address.of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        for body in (b" " * 50_000_000, b"{}"):
            assert await read_whole(await client.post(url, HEADERS, body)) == b"{}"
        assert len(opened) == 2
        for writer in opened:
            writer.close()


# ---- the tap ---------------------------------------------------------------------------------------------


class Taken:
    """A tap that takes everything but what it is told to refuse."""

    def __init__(self, refuse: bytes = b"") -> None:
        self.pieces: list[bytes] = []
        self.refuse = refuse

    def __call__(self, data: bytes) -> bool:
        if data == self.refuse:
            return False
        self.pieces.append(data)
        return True


def slowly(*pieces: bytes):
    """A stream with a rest before each piece and before its end."""
    parts = [[steps.sleep(0.1), steps.body(piece)] for piece in pieces]
    return [steps.headers(200), *parts, steps.sleep(0.1)]


async def test_tap_is_offered_what_comes_while_somebody_reads(client, upstream):
    upstream.then(slowly(FIRST, SECOND))
    reply = await post(client, upstream)
    taken = Taken()
    reply.tap(taken)
    assert await reply.read() == b""
    assert taken.pieces == [FIRST, SECOND]


async def test_what_the_tap_refuses_is_read(client, upstream):
    upstream.then(slowly(FIRST, SECOND, FIRST))
    reply = await post(client, upstream)
    taken = Taken(refuse=SECOND)
    reply.tap(taken)
    assert [await reply.read(), await reply.read()] == [SECOND, b""]
    assert taken.pieces == [FIRST, FIRST]


async def test_nothing_is_offered_before_what_waits_to_be_read(client, upstream):
    upstream.then(slowly(FIRST, SECOND))
    reply = await post(client, upstream)
    taken = Taken()
    reply.tap(taken)
    await asyncio.sleep(0.5)  # both come, and nobody reads
    assert [await reply.read(), await reply.read()] == [FIRST + SECOND, b""]
    assert taken.pieces == []


async def test_nothing_is_offered_to_a_tap_that_was_taken_away(client, upstream):
    upstream.then(slowly(FIRST))
    reply = await post(client, upstream)
    taken = Taken()
    reply.tap(taken)
    reply.tap(None)
    assert await reply.read() == FIRST
    assert taken.pieces == []


@pytest.mark.parametrize("is_tapped", [False, True], ids=["the next is read", "the next is tapped too"])
async def test_answer_is_never_offered_to_the_tap_of_the_one_before_on_its_connection(
    client, upstream, is_tapped
):
    upstream.then([steps.headers(200), steps.body(FIRST)], slowly(SECOND))
    before = await post(client, upstream)
    theirs, ours = Taken(), Taken()
    before.tap(theirs)  # its reader is slow, and asks for nothing; the upstream is done with it
    await asyncio.sleep(0.3)
    after = await post(client, upstream)
    assert [call.connection for call in upstream.calls] == [1, 1], "the connection was not used again"
    if is_tapped:
        after.tap(ours)
        before.tap(None)  # the slow one is over now; that is no affair of the next one's
    read = [piece async for piece in pieces_of(after)]
    assert theirs.pieces == []
    assert (b"".join(read), ours.pieces) == ((b"", [SECOND]) if is_tapped else (SECOND, []))
    assert [piece async for piece in pieces_of(before)] == [FIRST]


async def pieces_of(reply):
    while piece := await reply.read():
        yield piece


async def test_body_that_breaks_off_is_told_to_who_reads_behind_a_tap(client, upstream):
    upstream.then([steps.headers(200), steps.sleep(0.1), steps.body(FIRST), steps.rst()])
    reply = await post(client, upstream)
    taken = Taken()
    reply.tap(taken)
    with pytest.raises(BrokenReplyError):
        await reply.read()
    assert taken.pieces == [FIRST]
    reply.close()


async def test_interim_replies_are_passed_over(client, upstream):
    upstream.then([steps.send(b"HTTP/1.1 103 Early Hints\r\n\r\n"), *replies.plain_reply()])
    reply = await post(client, upstream)
    assert reply.status == 200
    reply.close()


# ---- TLS -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody knows, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(pem) + secret)
    return file


@pytest.fixture
async def tls_port(certificate: Path):
    """Where a TLS server gives back each request's body."""

    async def echo(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                (length,) = re.findall(rb"Content-Length: (\d+)", head)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %b\r\n\r\n" % length)
                writer.write(await reader.readexactly(int(length)))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def test_upstream_whose_certificate_nobody_vouches_for_is_told_nothing(client, tls_port):
    with pytest.raises(UnreachableError, match="SSLCertVerificationError") as raised:
        await client.post(Address.of(f"https://localhost:{tls_port}/"), HEADERS, b"{}")
    assert not raised.value.was_connected


CALLS = """
import asyncio, sys, uvloop
from runapi.upstream.address import Address
from runapi.upstream.client import UpstreamClient, read_whole

async def main():
    client = UpstreamClient(connect_timeout_s=5)
    for size in (2, 5_000_000, 2):
        body = b"x" * size
        assert await read_whole(await client.post(Address.of(sys.argv[1]), {}, body)) == body
    await client.close()

uvloop.run(main())
"""


async def test_requests_of_all_lengths_go_through_tls(certificate, tls_port):
    calling = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", CALLS, f"https://localhost:{tls_port}/"),
        env={**os.environ, "SSL_CERT_FILE": str(certificate)},  # read when the client is made
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(calling.communicate(), 30)
    assert calling.returncode == 0, said.decode()


async def test_certificate_of_another_name_is_refused_though_somebody_vouches_for_it(certificate, tls_port):
    calling = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", CALLS, f"https://127.0.0.1:{tls_port}/"),
        env={**os.environ, "SSL_CERT_FILE": str(certificate)},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(calling.communicate(), 30)
    assert calling.returncode == 1
    assert b"certificate is not valid for '127.0.0.1'" in said
