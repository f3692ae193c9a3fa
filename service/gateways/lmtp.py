"""Takes mail over LMTP or SMTP, says that it has it only when the result is stored, and never relays."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from service.errors import ServiceError
from service.gateways.asking import Diagnose
from service.gateways.listening import Address, serve
from service.gateways.stores import Store

MOST_CONNECTIONS = 100
MOST_RECIPIENTS = 100
MOST_LINE_BYTES = 1 << 20
"""Lines of real bounces are longer than the standard allows, and refusing them would lose the mail."""

IDLE_S = 300.0

STORED = "250 2.0.0 Diagnosed and stored"
LATER = "451 4.3.0 Not now; please try again"
BUSY = "452 4.5.3 Too many recipients"

log = structlog.get_logger()


@dataclass  # aiosmtpd looks at all its members, which slots break on early Python 3.11
class Receiver:
    """Diagnoses and stores what comes in.

    Args:
        diagnose: says what a mail means.
        store: keeps mail and answer.
        threads: mails worked on at a time.
        most_bytes: the largest mail.
        is_smtp: speaks SMTP in place of LMTP.
    """

    diagnose: Diagnose
    store: Store
    threads: int = 4
    most_bytes: int = 36 << 20
    is_smtp: bool = False
    connections: int = 0
    _under_way: int = 0
    _host: str = field(default_factory=socket.gethostname)
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.threads, "lmtp")

    async def handle_RCPT(  # noqa: N802  # aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Takes any recipient: where the mail goes was decided by whoever sends it here."""
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return BUSY
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Stores a mail; LMTP has one reply for each recipient."""
        self._under_way += 1
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._pool, self._keep, mail_of(envelope))
            reply = STORED
        except Exception as error:  # noqa: BLE001  # whatever it is, whoever sent the mail keeps it
            log.warning("mail_left", reason=_reason(error))
            reply = LATER
        finally:
            self._under_way -= 1
        return reply if self.is_smtp else "\r\n".join([reply] * len(envelope.rcpt_tos))

    def _keep(self, raw: bytes) -> None:
        self.store(raw, self.diagnose(raw))

    @property
    def is_busy(self) -> bool:
        """Whether a mail is being worked on."""
        return self._under_way > 0

    def protocol(self) -> SMTP:
        """What serves the next connection."""
        speaker: Callable[..., SMTP] = _Smtp if self.is_smtp else _Lmtp
        return speaker(
            self,
            data_size_limit=self.most_bytes,
            enable_SMTPUTF8=True,
            hostname=self._host,
            ident="ndr-triage",
            timeout=IDLE_S,
        )

    def close(self) -> None:
        """Starts no further mail."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Counted:
    """Serves no more connections at once than are allowed."""

    event_handler: Receiver

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401  # a transport of asyncio
        """Counts a connection; sends one too many away."""
        self.event_handler.connections += 1
        if self.event_handler.connections > MOST_CONNECTIONS:
            transport.write(b"421 4.3.2 Too many connections\r\n")
            transport.close()
        else:
            super().connection_made(transport)  # type: ignore[misc]  # of the class beside this one

    def connection_lost(self, error: Exception | None) -> None:
        """Counts a connection no longer."""
        self.event_handler.connections -= 1
        super().connection_lost(error)  # type: ignore[misc]  # of the class beside this one


class _Lmtp(_Counted, LMTP):
    line_length_limit = MOST_LINE_BYTES


class _Smtp(_Counted, SMTP):
    line_length_limit = MOST_LINE_BYTES


def _reason(error: Exception) -> str:
    """What happened, without anything that a message of an unknown exception might quote."""
    said = str(error) if isinstance(error, ServiceError) else getattr(error, "strerror", None)
    return said or type(error).__name__


def mail_of(envelope: Envelope) -> bytes:
    """The mail with lines that end as those of files do, and the sender of its envelope."""
    content = envelope.content or b""
    raw = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    sender = "".join(letter for letter in envelope.mail_from or "" if "!" <= letter <= "~").strip("<>")
    return f"Return-Path: <{sender}>\n".encode("ascii") + raw.replace(b"\r\n", b"\n")


def run(receiver: Receiver, address: Address) -> None:
    """Serves until a signal stops it.

    Raises:
        CannotListen: the address is taken, or not ours.
    """
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # below that it tells addresses
    try:
        asyncio.run(serve(receiver.protocol, address, is_busy=lambda: receiver.is_busy))
    finally:
        receiver.close()
