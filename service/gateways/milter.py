"""Serves MTAs as a milter: bounces get ``X-NDR-*`` header fields, all other mail passes at once.

Whatever goes wrong, the mail passes: a mark that is missing harms nobody, a mail that is missing does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import BoundedSemaphore

import structlog

from service.gateways.asking import Diagnose
from service.gateways.headers import headers_of
from service.gateways.listening import Address, serve
from service.gateways.milter_protocol import ACCEPT, Conversation, Message, ProtocolError, length_of

IDLE_S = 7200.0
"""How long an MTA may keep a connection without a word, as its SMTP client may take its time."""

WRITE_S = 60.0
MOST_MESSAGES = 256
"""How many messages are looked at at once; more of them pass without a mark."""

log = structlog.get_logger()


@dataclass(slots=True)
class Milter:
    """Marks bounces.

    Args:
        diagnose: says what a mail means.
        threads: diagnoses at a time.
        patience_s: how long one may take.
    """

    diagnose: Diagnose
    threads: int = 4
    patience_s: float = 10.0
    _open: int = 0
    _pool: ThreadPoolExecutor = field(init=False)
    _slots: BoundedSemaphore = field(init=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.threads, "milter")
        self._slots = BoundedSemaphore(2 * self.threads)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection until either side ends it."""
        conversation = Conversation()
        try:
            while await self._exchange(conversation, reader, writer):
                pass
        except (OSError, EOFError, TimeoutError):
            pass  # the MTA is gone, and with it what it asked for
        except ProtocolError as error:
            log.warning("milter_protocol", reason=str(error))
        finally:
            self._forget(conversation)
            writer.close()

    async def _exchange(
        self, conversation: Conversation, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Hears one packet and replies; whether the conversation goes on."""
        async with asyncio.timeout(IDLE_S):
            content = await reader.readexactly(length_of(await reader.readexactly(4)))
        letter, payload = content[:1], content[1:]
        if letter == b"Q":
            return False
        writer.write(await self._reply(conversation, letter, payload))
        async with asyncio.timeout(WRITE_S):
            await writer.drain()
        return True

    async def _reply(self, conversation: Conversation, letter: bytes, payload: bytes) -> bytes:
        was_open = conversation.message is not None
        heard = conversation.heard(letter, payload)
        if isinstance(heard, Message):
            values = await self._values(heard) if heard.is_wanted else {}
            heard = conversation.marked(heard, values)
        is_open = conversation.message is not None
        self._open += is_open - was_open
        if is_open and not was_open and self._open > MOST_MESSAGES:
            self._forget(conversation)
            return ACCEPT
        return heard

    def _forget(self, conversation: Conversation) -> None:
        self._open -= conversation.message is not None
        conversation.message = None

    async def _values(self, message: Message) -> Mapping[str, str]:
        """The header fields for a message; none when it cannot be diagnosed in time."""
        if not self._slots.acquire(blocking=False):
            log.warning("milter_unmarked", reason="busy")
            return {}
        asked = self._pool.submit(self.diagnose, message.raw)
        asked.add_done_callback(lambda _: self._slots.release())
        try:
            return headers_of(await asyncio.wait_for(asyncio.wrap_future(asked), self.patience_s))
        except Exception as error:  # noqa: BLE001  # the mail passes whatever happens
            log.warning("milter_unmarked", reason=type(error).__name__)
            return {}

    @property
    def is_busy(self) -> bool:
        """Whether a message is being looked at."""
        return self._open > 0

    def protocol(self) -> asyncio.StreamReaderProtocol:
        """What serves the next connection."""
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), self.talk)

    def close(self) -> None:
        """Starts no further diagnosis."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def run(milter: Milter, address: Address) -> None:
    """Serves until a signal stops it.

    Raises:
        CannotListen: the address is taken, or not ours.
    """
    try:
        asyncio.run(serve(milter.protocol, address, is_busy=lambda: milter.is_busy))
    finally:
        milter.close()
