"""New connections: a host's addresses, whichever of them answers first, and TLS."""

import asyncio
import functools
import socket
import ssl
from collections.abc import Callable

from aiohappyeyeballs import AddrInfoType, start_connection

from runapi.upstream.address import Origin
from runapi.upstream.connection import Connection
from runapi.upstream.reply import UnreachableError

NAMES_KEPT_S = 60.0
_NEXT_ADDRESS_AFTER_S = 0.25  # RFC 8305: the next one is tried beside those that have not answered yet


@functools.cache
def tls_context() -> ssl.SSLContext:
    """The system's trust store, or what SSL_CERT_FILE says; to read it takes a while, so it is read once."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Names:
    """The addresses of hosts. DNS is asked once a minute for each, by whoever comes first."""

    __slots__ = ("_lookups",)

    def __init__(self) -> None:
        self._lookups: dict[tuple[str, int], tuple[float, asyncio.Task[list[AddrInfoType]]]] = {}

    async def find(self, host: str, port: int) -> list[AddrInfoType]:
        """The addresses of a host, each time another one first.

        Raises:
            OSError: it has none, or nobody says.
        """
        if _is_address(host):
            return [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)]
        loop = asyncio.get_running_loop()
        asked_s, lookup = self._lookups.get((host, port), (0.0, None))
        if lookup is None or loop.time() - asked_s > NAMES_KEPT_S:
            lookup = loop.create_task(_look_up(host, port))
            self._lookups[host, port] = loop.time(), lookup
            lookup.add_done_callback(functools.partial(self._forget_failure, (host, port)))
        found = await asyncio.shield(lookup)  # whoever gives up does so for himself alone
        in_turn = list(found)
        found.append(found.pop(0))
        return in_turn

    def close(self) -> None:
        for _, lookup in self._lookups.values():
            lookup.cancel()

    def _forget_failure(self, name: tuple[str, int], lookup: "asyncio.Task[list[AddrInfoType]]") -> None:
        if lookup.cancelled() or lookup.exception() is not None:
            _, known = self._lookups.get(name, (0.0, None))
            if known is lookup:
                del self._lookups[name]


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdecimal()


async def _look_up(host: str, port: int) -> list[AddrInfoType]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:  # of a name that DNS cannot have
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from error
    return [*found]


class Connector:
    """Opens connections within a time."""

    __slots__ = ("_names", "_timeout_s", "_tls")

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._names = Names()
        self._tls = tls_context()

    async def connect(self, origin: Origin, make: Callable[[], Connection]) -> Connection:
        """Open a connection, with TLS where that is wanted.

        Raises:
            UnreachableError: there is none to be had; its cause has the system's words.
            TimeoutError: not within the time for connecting.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._open(origin, make)
        except (OSError, ValueError) as error:  # the latter of a host that can have no certificate
            if isinstance(error, TimeoutError) and error.errno is None:
                raise  # ours; the system's own has a number
            raise UnreachableError(type(error).__name__, was_connected=False) from error

    async def _open(self, origin: Origin, make: Callable[[], Connection]) -> Connection:
        infos = await self._names.find(origin.host, origin.port)
        connected = await start_connection(infos, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER_S)
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                make,
                sock=connected,
                ssl=self._tls if origin.is_tls else None,
                server_hostname=origin.host.rstrip(".") if origin.is_tls else None,
            )
        except BaseException:
            connected.close()
            raise
        return connection

    def close(self) -> None:
        self._names.close()
