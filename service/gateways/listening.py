"""Listens for connections on a port or a socket file until a signal stops it."""

from __future__ import annotations

import asyncio
import re
import signal
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from service.errors import CannotListen, SettingError

GRACE_S = 10.0
LOOK_S = 0.05
SOCKET_MODE = 0o660
_ALLOWED = "HOST:PORT such as 127.0.0.1:8894, [ADDRESS]:PORT, or unix:/PATH"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a host and a port, or the path of a socket file."""

    host: str = ""
    port: int = 0
    path: str = ""


def address_of(text: str) -> Address:
    """An address as people write it.

    >>> address_of("127.0.0.1:8894")
    Address(host='127.0.0.1', port=8894, path='')

    Raises:
        SettingError: it is none.
    """
    if text.startswith("unix:/"):
        return Address(path=text.removeprefix("unix:"))
    match = re.fullmatch(r"\[?([A-Za-z0-9.:_-]{1,253})\]?:([0-9]{1,5})", text)
    if not match or int(match[2]) > 65535:
        raise SettingError("--listen", text, _ALLOWED)
    return Address(match[1], int(match[2]))


async def serve(
    protocol: Callable[[], asyncio.BaseProtocol], address: Address, *, is_busy: Callable[[], bool]
) -> None:
    """Serves connections until SIGTERM or SIGINT, then lets what is under way come to its end.

    Args:
        protocol: makes what serves a connection.
        address: where to listen.
        is_busy: whether something is under way.

    Raises:
        CannotListen: the address is taken, or not ours.
    """
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await listen(protocol, address)
    log.info("listening", address=shown(server))
    await stopped.wait()
    server.close()
    ends_at = loop.time() + GRACE_S
    while is_busy() and loop.time() < ends_at:
        await asyncio.sleep(LOOK_S)
    if address.path:
        Path(address.path).unlink(missing_ok=True)


async def listen(protocol: Callable[[], asyncio.BaseProtocol], address: Address) -> asyncio.Server:
    """Begins to listen.

    Raises:
        CannotListen: the address is taken, or not ours.
    """
    loop = asyncio.get_running_loop()
    try:
        if not address.path:
            return await loop.create_server(protocol, address.host, address.port)
        _clear(Path(address.path))
        server = await loop.create_unix_server(protocol, address.path)
        Path(address.path).chmod(SOCKET_MODE)
    except OSError as error:
        where = address.path or f"{address.host}:{address.port}"
        raise CannotListen(f"cannot listen on {where}: {error.strerror}") from error
    return server


def shown(server: asyncio.Server) -> str:
    """Where a server listens, as people write it."""
    name = server.sockets[0].getsockname()
    return f"unix:{name}" if isinstance(name, str) else f"{name[0]}:{name[1]}"


def _clear(path: Path) -> None:
    """Takes away the socket file that an earlier run left; nothing else."""
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()
