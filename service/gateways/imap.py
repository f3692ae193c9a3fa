"""Polls an IMAP mailbox: unread mails are diagnosed and stored, then marked as read or moved."""

from __future__ import annotations

import hashlib
import imaplib
import os
import re
import signal
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from service.errors import CallFailed, ServiceError, SettingError, StoreUnavailable
from service.gateways.asking import Diagnose
from service.gateways.stores import Store
from service.setting_values import LOOPBACK
from service.sqlite_file import SqliteFile

TIMEOUT_S = 60.0
MOST_MAIL_BYTES = 36 << 20
"""How much of one mail is fetched."""

MOST_FAILURES = 3
_FORMS = (
    "CREATE TABLE IF NOT EXISTS done (mailbox TEXT, validity INTEGER, uid INTEGER, "
    "PRIMARY KEY (mailbox, validity, uid)) WITHOUT ROWID",
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where the mails are, and how to get there.

    Args:
        host, port: the server.
        user, password: who asks; the password is asked for at each login, for a token may be a new one.
        oauth: whether it is an OAuth 2 access token.
        folder: of the mailbox, in the server's own spelling.
        move: the folder for what is done; marked as read when left out.
        starttls: changes to TLS after connecting; else TLS comes first.
        no_tls: does without, which is for loopback only.
        ca_file: whom to trust; the system's authorities when left out.

    Raises:
        SettingError: a folder's name is not ASCII, or no TLS is asked for elsewhere than on loopback.
    """

    host: str
    port: int
    user: str
    password: Callable[[], str] = field(repr=False)
    folder: str = "INBOX"
    move: str | None = None
    starttls: bool = False
    no_tls: bool = False
    ca_file: str | None = None
    oauth: bool = False

    def __post_init__(self) -> None:
        if self.no_tls and self.host not in LOOPBACK:
            raise SettingError("--no-tls", self.host, f"one of {', '.join(LOOPBACK)}")
        for name in (self.folder, self.move or "x"):
            if not re.fullmatch(r"[ -~]+", name):
                raise SettingError("--folder or --move", name, "printable ASCII, as the server spells it")

    @property
    def key(self) -> str:
        """A name for the folder of this mailbox that tells nothing about it."""
        return hashlib.sha256(f"{self.user}\0{self.host}\0{self.port}\0{self.folder}".encode()).hexdigest()

    @contextmanager
    def opened(self) -> Iterator[imaplib.IMAP4]:
        """A connection that is logged in.

        Raises:
            OSError: the server cannot be reached.
            imaplib.IMAP4.error: it refuses.
        """
        with self._connected() as server:
            self._log_in(server)
            # servers tell more after the login than before
            server.capabilities = tuple(_asked(server, "capability")[0].decode().upper().split())
            yield server

    def _log_in(self, server: imaplib.IMAP4) -> None:
        password = self.password()
        if not self.oauth:
            server.login(self.user, password)
            return
        # a server that refuses tells why, and wants an empty line before it says so
        words = iter((f"user={self.user}\1auth=Bearer {password}\1\1".encode(),))
        server.authenticate("XOAUTH2", lambda _: next(words, b""))

    def _connected(self) -> imaplib.IMAP4:
        if self.no_tls:
            return imaplib.IMAP4(self.host, self.port, TIMEOUT_S)
        context = ssl.create_default_context(cafile=self.ca_file)
        if not self.starttls:
            return imaplib.IMAP4_SSL(self.host, self.port, ssl_context=context, timeout=TIMEOUT_S)
        server = imaplib.IMAP4(self.host, self.port, TIMEOUT_S)
        server.starttls(context)
        return server


class Done:
    """Remembers which mails are done, by UIDVALIDITY and UID.

    Args:
        file: where to, made when it is not there.

    Raises:
        StoreUnavailable: it cannot be used; each method raises that, too.
    """

    def __init__(self, file: Path) -> None:
        self._file = SqliteFile(file.parent, file.name, _FORMS, is_durable=True, place=f"the file {file}")
        with self._file.opened():
            pass

    def has(self, mailbox: str, validity: int, uid: int) -> bool:
        """Whether a mail is done."""
        with self._file.opened() as database:
            found = database.execute(
                "SELECT 1 FROM done WHERE mailbox = ? AND validity = ? AND uid = ?", (mailbox, validity, uid)
            )
            return found.fetchone() is not None

    def add(self, mailbox: str, validity: int, uid: int) -> None:
        """Remembers that a mail is done; numbers of an earlier UIDVALIDITY mean nothing any more and go."""
        with self._file.opened() as database:
            database.execute("DELETE FROM done WHERE mailbox = ? AND validity <> ?", (mailbox, validity))
            database.execute("INSERT OR IGNORE INTO done VALUES (?, ?, ?)", (mailbox, validity, uid))


@dataclass(frozen=True, slots=True)
class Poller:
    """What is polled, and what becomes of the mails."""

    mailbox: Mailbox
    diagnose: Diagnose
    store: Store
    done: Done

    def look(self, stopped: threading.Event) -> int:
        """Handles the unread mails; how many were stored.

        Raises:
            OSError: the server cannot be reached, or the result cannot be stored.
            imaplib.IMAP4.error: the server refuses.
            CallFailed: a mail was left, for example because the service cannot be reached.
            StoreUnavailable: what is done cannot be remembered.
        """
        stored, failures = 0, list[CallFailed]()
        with self.mailbox.opened() as server:
            _asked(server, "select", _quoted(self.mailbox.folder))
            validity = int(server.response("UIDVALIDITY")[1][0] or 0)
            for uid in _numbers(_asked(server, "uid", "SEARCH", "UNSEEN")):
                if stopped.is_set():
                    break
                try:
                    stored += self._handle(server, validity, uid)
                except CallFailed as failure:  # one mail may have trouble of its own, three hardly
                    failures.append(failure)
                    if len(failures) == MOST_FAILURES:
                        break
        if failures:
            raise failures[-1]
        return stored

    def _handle(self, server: imaplib.IMAP4, validity: int, uid: int) -> bool:
        """Stores a mail unless that was done before, and then settles it; whether it was stored now."""
        is_known = self.done.has(self.mailbox.key, validity, uid)
        if not is_known:
            raw = _mail_in(_asked(server, "uid", "FETCH", str(uid), f"(BODY.PEEK[]<0.{MOST_MAIL_BYTES}>)"))
            if raw is None:
                return False  # somebody else took it away meanwhile
            mail = raw.replace(b"\r\n", b"\n")
            self.store(mail, self.diagnose(mail))
            self.done.add(self.mailbox.key, validity, uid)
        self._settle(server, str(uid))
        return not is_known

    def _settle(self, server: imaplib.IMAP4, uid: str) -> None:
        _asked(server, "uid", "STORE", uid, "+FLAGS.SILENT", r"(\Seen)")
        if not self.mailbox.move:
            return
        target = _quoted(self.mailbox.move)
        if "MOVE" in server.capabilities:
            _asked(server, "uid", "MOVE", uid, target)
            return
        _asked(server, "uid", "COPY", uid, target)
        _asked(server, "uid", "STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
        if "UIDPLUS" in server.capabilities:
            _asked(server, "uid", "EXPUNGE", uid)


def run(poller: Poller, *, every_s: float | None) -> int:
    """Looks again and again until a signal stops it, or once; the exit code.

    Args:
        poller: what looks.
        every_s: the pause between two looks; ``None`` looks once.
    """
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    while True:
        went_well = _looked(poller, stopped)
        if every_s is None:
            return os.EX_OK if went_well else os.EX_TEMPFAIL
        if stopped.wait(every_s):
            return os.EX_OK


def _looked(poller: Poller, stopped: threading.Event) -> bool:
    """Whether everything unread was handled; what was not is tried again at the next look."""
    try:
        stored = poller.look(stopped)
    except (OSError, imaplib.IMAP4.error, ServiceError, ValueError) as error:
        reason = str(error) if isinstance(error, CallFailed | StoreUnavailable) else type(error).__name__
        log.warning("mailbox_left", reason=reason)
        return False
    log.info("mailbox_looked", stored=stored)
    return True


def _asked(server: imaplib.IMAP4, command: str, *arguments: str) -> list[Any]:
    """What a server answers.

    Raises:
        imaplib.IMAP4.error: it refuses.
    """
    status, answer = getattr(server, command)(*arguments)
    if status != "OK":
        raise imaplib.IMAP4.error(f"{command} was refused")
    return list(answer)


def _numbers(answer: list[Any]) -> list[int]:
    return sorted(int(number) for line in answer if line for number in line.split())


def _mail_in(answer: list[Any]) -> bytes | None:
    return next((bytes(part[1]) for part in answer if isinstance(part, tuple)), None)


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
