"""Reads the mails of an Outlook data file (.pst) and writes each as a mail of the Internet."""

from __future__ import annotations

import re
from base64 import encodebytes
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib import import_module
from typing import Any

from service.errors import UnreadableArchive
from service.triage.formats.records import WHOLE, Part
from service.triage.guards import id_of
from service.triage.nouns import Item
from service.triage.packing import Source

_MAGIC = b"!BDN"
_DAMAGED = "the message is damaged"
_MAX_DEPTH = 64
_MAX_PARTS = 50
_MAX_RECIPIENTS = 1_000
_BOUNDARY = "=_part_of_an_outlook_item"

_CLASS, _REPORT_TEXT = 0x001A, 0x1001
_MAILBOX, _SMTP_MAILBOX, _TOLD = 0x3003, 0x39FE, 0x0C1B
_FILE_NAME = 0x3707
"""Properties by [MS-OXPROPS]: message class, report text; of recipients the address and what was said."""

_ACTIONS = {"NDR": "failed", "DELAYED": "delayed", "DR": "delivered", "IPNRN": "delivered"}
"""By the last part of the message class: [MS-OXOMSG] 2.2.3, report objects."""
_OF_THE_BODY = re.compile(r"(?:content-[\w-]+|mime-version):[^\n]*\n(?:[ \t][^\n]*\n)*", re.I)
_STATUS = re.compile(rb"(?:Reporting-MTA|Final-Recipient|Original-Recipient):", re.I)
_FIELD = re.compile(rb"\s*(?:Received|From|To|Subject|Date|Message-ID|Return-Path|MIME-Version):", re.I)


def claims(head: bytes) -> bool:
    """Whether a file begins like an Outlook data file."""
    return head.startswith(_MAGIC)


def parts(_source: Source, _chunk_bytes: int) -> Iterator[Part]:
    """One part: the file is a database."""
    yield WHOLE


def read(source: Source, _part: Part, library: Any = None) -> Iterator[Item]:  # noqa: ANN401  # it has no types
    """The mails and reports in all folders; one that cannot be read is an error.

    Args:
        source: the file.
        library: what reads such files; libpff without it.

    Raises:
        OSError: the file cannot be read.
        UnreadableArchive: it is damaged, or libpff is not installed.
    """
    library = library or _library()
    with closing(source.open()) as stream:
        file = library.file()
        try:
            file.open_file_object(stream)
            root = file.get_root_folder()
        except OSError as error:
            raise UnreadableArchive("the Outlook data file is damaged") from error
        for number, message in enumerate(_messages(root), 1):
            source.limits.check_count(number)
            yield from _item(message, f"{source.name}#{number}", source)


def _library() -> Any:  # noqa: ANN401
    try:
        return import_module("pypff")
    except ImportError as error:
        raise UnreadableArchive(
            "reading Outlook data files needs the extra pst: pip install 'ndr-triage[pst]'"
        ) from error


def _messages(root: Any) -> Iterator[Any]:  # noqa: ANN401
    """The messages of a folder and of those below it; ``None`` for one that cannot be opened."""
    waiting = [(root, 0)]
    while waiting:
        folder, depth = waiting.pop()
        for number in range(_count(folder, "sub_messages")):
            yield _got(folder, "sub_message", number)
        if depth < _MAX_DEPTH:
            found = (_got(folder, "sub_folder", number) for number in range(_count(folder, "sub_folders")))
            waiting.extend((below, depth + 1) for below in found if below is not None)


def _count(owner: Any, what: str) -> int:  # noqa: ANN401
    """How many there are; none where the file is damaged there."""
    try:
        return int(getattr(owner, f"get_number_of_{what}")())
    except (OSError, AttributeError):
        return 0


def _got(owner: Any, what: str, number: int) -> Any:  # noqa: ANN401
    try:
        return getattr(owner, f"get_{what}")(number)
    except (OSError, AttributeError):
        return None


def _item(message: Any, place: str, source: Source) -> Iterator[Item]:  # noqa: ANN401
    """The item of a message; none where it is no mail but a contact or the like."""
    name = id_of(place)
    if message is None:
        yield Item(name, b"", error=_DAMAGED)
        return
    try:
        raw = _written(message, source)
    except UnreadableArchive as refusal:
        yield Item(name, b"", error=refusal.reason)
    else:
        if raw is not None:
            yield Item(name, raw, "message")


def _written(message: Any, source: Source) -> bytes | None:  # noqa: ANN401
    """A message as RFC 5322 bytes; ``None`` where it is no mail.

    Raises:
        UnreadableArchive: it is damaged or too large.
    """
    try:
        kind = _text_of(message, _CLASS).upper()
        is_mail = not kind or kind.startswith(("IPM.NOTE", "REPORT."))
        return _mail(message, kind, source) if is_mail else None
    except UnreadableArchive:
        raise
    except Exception as error:  # the library fails in many ways on broken files
        raise UnreadableArchive(_DAMAGED) from error


def _mail(message: Any, kind: str, source: Source) -> bytes:  # noqa: ANN401
    """A mail: its headers, its bodies, its report, its attachments."""
    pieces = [_headers(message), b"MIME-Version: 1.0\n"]
    pieces.append(f'Content-Type: {_type(kind)}; boundary="{_BOUNDARY}"\n\n'.encode())
    size = 0
    for part in _parts(message, kind, source):
        size += len(part)
        source.limits.check_message(size)
        pieces += [f"--{_BOUNDARY}\n".encode(), part, b"\n"]
    return b"".join([*pieces, f"--{_BOUNDARY}--\n".encode()])


def _type(kind: str) -> str:
    is_report = kind.startswith("REPORT.")
    return "multipart/report; report-type=delivery-status" if is_report else "multipart/mixed"


def _headers(message: Any) -> bytes:  # noqa: ANN401
    """The headers it came with, without those of its body; else what the properties say."""
    told = message.get_transport_headers()
    if told:
        lines = told.replace("\r\n", "\n").replace("\r", "\n").strip("\n") + "\n"
        return _OF_THE_BODY.sub("", re.sub(r"\n\n+", "\n", lines)).encode("utf-8", "replace")
    fields = {"Subject": message.get_subject(), "From": message.get_sender_name()}
    lines = "".join(f"{name}: {' '.join(value.split())}\n" for name, value in fields.items() if value)
    when = message.get_delivery_time()
    date = f"Date: {when:%d %b %Y %H:%M:%S} +0000\n" if when else ""
    return (lines + date).encode("utf-8", "replace")


def _parts(message: Any, kind: str, source: Source) -> Iterator[bytes]:  # noqa: ANN401
    text = message.get_plain_text_body()
    html = None if text else message.get_html_body()
    report = _text_of(message, _REPORT_TEXT)
    if text or report:
        words = b"\n".join(_bytes(body) for body in (text, report) if body)
        yield b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + words
    if html:
        yield b"Content-Type: text/html\nContent-Transfer-Encoding: 8bit\n\n" + _bytes(html)
    if kind.startswith("REPORT."):
        yield from _statuses(message, _ACTIONS.get(kind.rpartition(".")[2], "failed"))
    for number in range(min(_count(message, "attachments"), _MAX_PARTS)):
        attachment = _got(message, "attachment", number)
        if attachment is not None:
            yield from _attached(attachment, source)


def _bytes(body: str | bytes) -> bytes:
    return body.encode("utf-8", "replace") if isinstance(body, str) else body


def _statuses(message: Any, action: str) -> Iterator[bytes]:  # noqa: ANN401
    """What a report object keeps of each recipient, as the delivery status it came from."""
    recipients: Any = getattr(message, "recipients", None)
    for number in range(min(_count(recipients, "record_sets"), _MAX_RECIPIENTS)):
        fields = _fields(recipients.get_record_set(number), _SMTP_MAILBOX, _MAILBOX, _TOLD)
        address = fields.get(_SMTP_MAILBOX) or fields.get(_MAILBOX)
        if address:
            told = " ".join(fields.get(_TOLD, "").split())
            yield (
                "Content-Type: message/delivery-status\n\n"
                f"Final-Recipient: rfc822;{address}\nAction: {action}\nDiagnostic-Code: {told}\n"
            ).encode("utf-8", "replace")


def _attached(attachment: Any, source: Source) -> Iterator[bytes]:  # noqa: ANN401
    """An attachment: a mail, a delivery status, or any file."""
    inner = _got(attachment, "sub_item", 0) if _count(attachment, "sub_items") else None
    if inner is not None and hasattr(inner, "get_transport_headers"):
        body = inner.get_plain_text_body() or b""
        yield b"Content-Type: message/rfc822\n\n" + _headers(inner) + b"\n" + _bytes(body)
        return
    size = 0
    with suppress(OSError):
        size = attachment.get_size()
    source.limits.check_message(size)
    raw = attachment.read_buffer(size) if size else b""
    if _STATUS.match(raw):
        yield b"Content-Type: message/delivery-status\n\n" + raw
    elif _FIELD.match(raw):
        yield b"Content-Type: message/rfc822\n\n" + raw
    elif raw:
        name = re.sub(r'["\\\r\n]', "_", _text_of(attachment, _FILE_NAME))
        head = f'Content-Type: application/octet-stream; name="{name}"\nContent-Transfer-Encoding: base64\n\n'
        yield head.encode("utf-8", "replace") + encodebytes(raw)


def _text_of(owner: Any, wanted: int) -> str:  # noqa: ANN401
    """A property as text; empty where it is not there."""
    for number in range(_count(owner, "record_sets")):
        with suppress(OSError):
            found = _fields(owner.get_record_set(number), wanted)
            if wanted in found:
                return found[wanted]
    return ""


def _fields(record_set: Any, *wanted: int) -> dict[int, str]:  # noqa: ANN401
    """Some properties of a record set as texts."""
    found: dict[int, str] = {}
    for number in range(_count(record_set, "entries")):
        entry = _got(record_set, "entry", number)
        if entry is not None and entry.get_entry_type() in wanted:
            with suppress(OSError):
                found[entry.get_entry_type()] = entry.get_data_as_string() or ""
    return found
