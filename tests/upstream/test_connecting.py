"""How a connection comes about: names, addresses, the time that it may take, and TLS."""

import asyncio
import contextlib
import socket

import pytest

from runapi.upstream.address import Address
from runapi.upstream.client import UnreachableError, UpstreamClient, read_whole
from upstream.raw_server import HEADERS, repeating, serving


@pytest.fixture
async def client():
    made = UpstreamClient(connect_timeout_s=0.5)
    yield made
    await made.close()


class Names(dict[str, list[str]]):
    """A DNS: the addresses of each name, and which names it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def look_up(self, host: str, port: int, **_how: object):
        self.asked.append(host)
        await asyncio.sleep(0.05)
        if host not in self:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))
            for ip in self[host]
        ]


class Loop:
    """The running loop, with another DNS: uvloop's own cannot be exchanged."""

    def __init__(self, loop: asyncio.AbstractEventLoop, dns: Names) -> None:
        self._loop = loop
        self.getaddrinfo = dns.look_up

    def __getattr__(self, name: str) -> object:
        return getattr(self._loop, name)


@pytest.fixture
def names(monkeypatch) -> Names:
    dns, running = Names(), asyncio.get_running_loop
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: Loop(running(), dns))
    return dns


async def ask(client, host: str, port: int) -> bytes:
    url = Address.of(f"http://{host}:{port}/")
    return await read_whole(await client.post(url, HEADERS, b"{}", afresh=True))


async def test_name_is_looked_up_once_for_all_who_ask_at_a_time_and_for_a_while(client, names):
    names["upstream.test"] = ["127.0.0.1"]
    async with serving(repeating) as server:
        await asyncio.gather(*(ask(client, "upstream.test", server.port) for _ in range(5)))
        await ask(client, "upstream.test", server.port)
    assert names.asked == ["upstream.test"]


async def test_name_is_looked_up_again_after_a_while(client, names, monkeypatch):
    monkeypatch.setattr("runapi.upstream.connect.NAMES_KEPT_S", 0.1)
    names["upstream.test"] = ["127.0.0.1"]
    async with serving(repeating) as server:
        for _ in range(2):
            await ask(client, "upstream.test", server.port)
            await asyncio.sleep(0.2)
    assert names.asked == ["upstream.test"] * 2


async def test_lookup_that_failed_is_made_again(client, names):
    async with serving(repeating) as server:
        with pytest.raises(UnreachableError, match="gaierror") as raised:
            await ask(client, "upstream.test", server.port)
        assert not raised.value.was_connected
        names["upstream.test"] = ["127.0.0.1"]
        assert await ask(client, "upstream.test", server.port) == b"{}"


async def test_lookup_goes_on_for_the_others_when_one_gives_up(client, names):
    names["upstream.test"] = ["127.0.0.1"]
    async with serving(repeating) as server:
        hasty = asyncio.create_task(ask(client, "upstream.test", server.port))
        await asyncio.sleep(0.01)
        patient = asyncio.create_task(ask(client, "upstream.test", server.port))
        await asyncio.sleep(0.01)
        hasty.cancel()
        assert await patient == b"{}"
    assert names.asked == ["upstream.test"]


async def test_all_addresses_of_a_name_are_tried(client, names):
    names["upstream.test"] = ["::1", "127.0.0.2", "127.0.0.1"]  # nobody listens at the first ones
    async with serving(repeating) as server:
        assert await ask(client, "upstream.test", server.port) == b"{}"


async def test_ipv6_address_is_connected_to(client):
    try:
        listening = await asyncio.start_server(lambda *_: None, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    port = listening.sockets[0].getsockname()[1]
    listening.close()
    with pytest.raises(UnreachableError, match="ConnectionRefusedError"):
        await ask(client, "[::1]", port)


async def test_port_where_nobody_listens_is_unreachable(client):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(UnreachableError, match="ConnectionRefusedError") as raised:
            await ask(client, "127.0.0.1", unused.getsockname()[1])
    assert not raised.value.was_connected
    assert "Connect call failed" in str(raised.value.__cause__)


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
async def test_name_that_dns_cannot_have_is_unreachable(client, host):
    with pytest.raises(UnreachableError, match="gaierror"):
        await ask(client, host, 1)


async def test_tls_that_is_never_agreed_upon_takes_no_longer_than_connecting_may(client):
    async def say_nothing(visit):
        await visit.end()

    async with serving(say_nothing) as server:
        with pytest.raises(TimeoutError):
            await client.post(Address.of(f"https://127.0.0.1:{server.port}/"), HEADERS, b"{}")
        await server.visits[0].ended.wait()


async def test_connecting_that_is_cancelled_leaves_no_socket(client):
    async def say_nothing(visit):
        await visit.end()

    async with serving(say_nothing) as server:
        url = Address.of(f"https://127.0.0.1:{server.port}/")
        connecting = asyncio.create_task(client.post(url, HEADERS, b"{}"))
        while not server.visits:
            await asyncio.sleep(0.01)
        connecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await connecting
        await server.visits[0].ended.wait()
