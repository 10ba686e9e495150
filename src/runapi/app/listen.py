"""Listen until a signal says stop; then end running requests in peace, within the shutdown timeout."""

import asyncio
import ctypes
import gc
import resource
import signal
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress

from runapi.settings import Settings
from runapi.web.edge import Edge
from runapi.web.server import Server
from runapi.web.services import Services

_LAST_WORDS_S = 0.05  # for the error events of streams that are cut
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_MOST_FREE_BYTES = 16 * 1024 * 1024
_LEAST_MAPPED_BYTES = 1024 * 1024


class AddressInUse(OSError):  # noqa: N818 - what is the case
    """Somebody else listens on our address."""


def check_address(host: str, port: int) -> str:
    """Make sure that nobody listens there, before anything is opened; give the IP address of `host`.

    Raises:
        AddressInUse: naming the setting to change.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            trial.listen(1)
            return str(trial.getsockname()[0])
        except OSError as error:
            raise _in_use(host, port, error) from None


def _in_use(host: str, port: int, error: OSError) -> AddressInUse:
    return AddressInUse(
        f"Cannot listen on {host}:{port}: {error.strerror}. Stop what listens there, or set RUNAPI_PORT or RUNAPI_HOST "
        "to another address."
    )


async def listen(address: str, settings: Settings, edge: Edge, services: Services) -> None:
    """Serve until a signal has stopped it; `address` is what `check_address` gave.

    Raises:
        AddressInUse: somebody has come to listen there since.
    """
    server = Server(
        edge,
        services.deadlines,
        idle=edge.idle,
        header_timeout_s=settings.header_timeout_s,
        stall_timeout_s=settings.stalled_reader_timeout_s,
    )

    async def stop_in_peace() -> None:
        await _drain(edge, services, settings.shutdown_timeout_s)
        server.stop()

    def stop_at_once() -> None:
        services.relay.stop_streams()
        server.stop()

    _allow_many_files()
    try:
        await server.open(address, settings.port)
    except OSError as error:
        raise _in_use(address, settings.port, error) from None
    forget_signals = _on_signal(stop_in_peace, stop_at_once)
    _tame_collector()
    _keep_freed_memory()
    services.ready = True
    try:
        await server.serve()
    finally:
        forget_signals()


def _on_signal(
    in_peace: Callable[[], Coroutine[None, None, None]], at_once: Callable[[], None]
) -> Callable[[], None]:
    """Stop in peace on the first signal and at once on the second; gives what takes the handlers back."""
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[None]] = []

    def stop() -> None:
        if stopping:
            at_once()
        else:
            stopping.append(loop.create_task(in_peace()))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)

    def forget() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    return forget


async def _drain(edge: Edge, services: Services, most_s: float) -> None:
    """Refuse new requests, let running ones end, cut what is left when the time is over."""
    services.stopping = True
    with suppress(TimeoutError):
        async with asyncio.timeout(most_s):
            await edge.idle.wait()
    services.relay.stop_streams()
    await asyncio.sleep(_LAST_WORDS_S)


def _allow_many_files() -> None:
    """Raise the limit on open files as far as we may: a request that is being answered takes two."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _tame_collector() -> None:
    """Keep the garbage collector off what lives for ever, and call it less often for what does not.

    Measured: at the default thresholds it took a tenth of a request's time, walking modules and tables.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _keep_freed_memory() -> None:
    """Have the C library keep what is freed for the next request, instead of giving it back to the system at once.

    Measured with bodies of 50 KB: the heap was cut and grown for each, and a request took 20 microseconds more.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):  # the GNU C library's
        library.mallopt(_M_TRIM_THRESHOLD, _MOST_FREE_BYTES)
        library.mallopt(_M_MMAP_THRESHOLD, _LEAST_MAPPED_BYTES)  # its own adaptation ends with the line above
