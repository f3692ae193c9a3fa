"""Stores what was diagnosed so that it lasts: appended to a file, or delivered to a maildir."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from errno import ENOSPC
from itertools import count
from pathlib import Path

from service.errors import SettingError
from service.gateways.asking import Answer
from service.gateways.headers import headers_of, with_headers, without_envelope_line

Store = Callable[[bytes, Answer], None]
"""Stores a mail and its answer; when it returns they outlast a power cut.

Raises:
    OSError: they cannot be stored now.
    CallFailed: whom they are sent to does not take them now.
"""

_numbers = count()


def line_of(answer: Answer) -> bytes:
    """An answer as one line of JSON."""
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace") + b"\n"


def appended_to(file: str) -> Store:
    """Appends the answer to a file as one line of JSON; many processes may do so at once."""

    def store(_raw: bytes, answer: Answer) -> None:
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            _append(handle, line_of(answer))
        finally:
            os.close(handle)

    return store


def _append(handle: int, line: bytes) -> None:
    """One write of a whole line; what a full disk leaves half is taken back."""
    before = os.fstat(handle).st_size
    try:
        is_whole = os.write(handle, line) == len(line)
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, before)
        raise
    if not is_whole:
        os.ftruncate(handle, before)
        raise OSError(ENOSPC, "there is no room for a whole line")


def delivered_to(folder: str) -> Store:
    """Delivers the mail, with the answer in its header fields, to a maildir."""

    def store(raw: bytes, answer: Answer) -> None:
        mail = with_headers(without_envelope_line(raw), headers_of(answer))
        for part in ("tmp", "new", "cur"):
            Path(folder, part).mkdir(mode=0o700, parents=True, exist_ok=True)
        name = _unique_name()
        draft = Path(folder, "tmp", name)
        try:
            _write(draft, mail)
            draft.rename(Path(folder, "new", name))
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(Path(folder, "new"))

    return store


def _write(file: Path, content: bytes) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unique_name() -> str:
    """A name that no other delivery on any host has, in the form that maildirs use."""
    host = socket.gethostname().replace("/", "\\057").replace(":", "\\072")
    at = time.time_ns()
    random = os.urandom(4).hex()
    return f"{at // 10**9}.M{at // 1000 % 10**6}P{os.getpid()}Q{next(_numbers)}R{random}.{host}"


def chosen(
    *, append: str | None, maildir: str | None, webhook: str | None, environment: Mapping[str, str]
) -> Store | None:
    """The way of storing that was chosen, if one was.

    Raises:
        SettingError: two were chosen, one is empty, or the webhook's address or secret is not as it must be.
    """
    targets = {"--append": append, "--maildir": maildir, "--webhook": webhook}
    given = [name for name, target in targets.items() if target is not None]
    if len(given) > 1:
        raise SettingError(", ".join(targets), "two of them", "one")
    if given and not targets[given[0]]:
        raise SettingError(given[0], "", "what is not empty")
    if webhook:
        from service.gateways.hook import sent_to  # only this way of storing needs urllib3

        return sent_to(webhook, environment)
    if maildir:
        return delivered_to(maildir)
    return appended_to(append) if append else None


def nowhere(_raw: bytes, _answer: Answer) -> None:
    """Stores nothing: the service that was asked does what is needed."""
