"""Takes a mail apart within fixed bounds: headers, the readable parts, the returned message.

The standard library reads the header blocks; the parts are split here, because its parser has no
bounds on size and depth.
"""

from __future__ import annotations

import binascii
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser

from model.charsets import decode, decode_words
from model.html import to_text

MAX_TEXT_BYTES = 256 << 10
MAX_HEADER_BYTES = 128 << 10
MAX_PARTS = 64
MAX_DEPTH = 6
_TEXT_TYPES = ("text/", "message/", "multipart/")
_RETURNED_TYPES = (
    "message/rfc822",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global",
    "message/global-headers",
)
_PARSER = BytesHeaderParser()
_NO_HEADER = re.compile(rb"^(?!\Z|From |[!-9;-~]*:|[ \t])", re.M)
"""The start of a line that ends the headers though no blank line came before it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf of a mail: its content type in lower case, and its text."""

    content_type: str
    text: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail within bounds.

    ``returned`` holds the headers of the message that came back, ``None`` where none can be seen, and
    ``returned_raw`` its first 256 kB;
    ``parts`` are the readable leaves in order, the returned message left out.
    """

    headers: Message
    parts: tuple[Part, ...]
    returned: Message | None = None
    returned_raw: bytes = b""
    warnings: tuple[str, ...] = ()

    def header(self, name: str) -> str:
        """A header decoded and unfolded, or the empty string."""
        return header_of(self.headers, name)

    @property
    def header_block(self) -> str:
        """All headers, unfolded, a line each."""
        return "\n".join(
            f"{name}: {' '.join(_plain(value).split())}" for name, value in self.headers.raw_items()
        )

    @property
    def content_type(self) -> str:
        """The type of the whole, in lower case."""
        return self.headers.get_content_type()

    @property
    def report_type(self) -> str:
        """The ``report-type`` parameter, in lower case, or the empty string."""
        return _param(self.headers, "report-type").lower()

    def of_type(self, *content_types: str) -> Iterator[Part]:
        """The parts of these types, in order."""
        return (part for part in self.parts if part.content_type in content_types)


@dataclass(slots=True)
class _Walk:
    """What has been seen so far while the parts of one mail are visited."""

    parts: list[Part] = field(default_factory=list)
    returned: Message | None = None
    returned_raw: bytes = b""
    warnings: list[str] = field(default_factory=list)
    visited: int = 0
    text_bytes: int = 0


def read_mail(raw: bytes) -> Mail:
    """A mail from any bytes: CR, LF or CRLF, with or without an mbox ``From `` line.

    Never fails; what lies beyond the bounds is left out and named in ``warnings``.
    """
    unix = _unix(raw)
    headers, body = _split_headers(unix)
    walk = _Walk()
    _visit(headers, body, walk, depth=0)
    return Mail(
        headers, tuple(walk.parts), walk.returned, walk.returned_raw, tuple(dict.fromkeys(walk.warnings))
    )


def headers_of(text: str) -> Message:
    """The header block that a text starts with."""
    return _split_headers(text.lstrip("\n").encode("utf-8", "surrogateescape"))[0]


def header_of(headers: Message, name: str) -> str:
    """A header decoded and unfolded, or the empty string; bytes never encoded are read as they are."""
    wanted = name.lower()
    value = next((value for key, value in headers.raw_items() if key.lower() == wanted), "")
    return decode_words(_plain(value))


def _plain(value: str) -> str:
    """A header value whose raw bytes, if it has any, are read by the most plausible charset."""
    return value if value.isascii() else decode(value.encode("utf-8", "surrogateescape"))


def _unix(raw: bytes) -> bytes:
    unix = raw.lstrip(b"\r\n\t \xef\xbb\xbf") if raw[:1] in b"\r\n\t \xef" else raw
    if b"\r" in unix[:MAX_HEADER_BYTES]:
        unix = unix.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    while unix.startswith((b"From ", b">From ")):
        unix = unix.partition(b"\n")[2]
    return unix


def _split_headers(unix: bytes) -> tuple[Message, bytes]:
    end = unix.find(b"\n\n", 0, MAX_HEADER_BYTES)
    if unix.startswith(b"\n"):
        return _PARSER.parsebytes(b""), unix[1:]
    head = unix[:MAX_HEADER_BYTES] if end < 0 else unix[: end + 1]
    stray = _NO_HEADER.search(head)
    if stray is not None:
        return _PARSER.parsebytes(head[: stray.start()]), unix[stray.start() :]
    return _PARSER.parsebytes(head), unix[len(head) :].removeprefix(b"\n")


def _visit(headers: Message, body: bytes, walk: _Walk, *, depth: int) -> None:
    walk.visited += 1
    if walk.visited > MAX_PARTS or depth > MAX_DEPTH:
        walk.warnings.append(f"only {MAX_PARTS} parts and {MAX_DEPTH} levels of a message are read")
        return
    content_type = headers.get_content_type()
    boundary = _param(headers, "boundary") if content_type.startswith("multipart/") else ""
    if boundary:
        for piece in _pieces(body, boundary.encode("utf-8", "surrogateescape")):
            _visit(*_split_headers(piece), walk, depth=depth + 1)
    elif content_type in _RETURNED_TYPES and depth > 0:
        _keep_returned(headers, body, walk, depth=depth)
    else:
        _keep_leaf(content_type, headers, body, walk)


def _pieces(body: bytes, boundary: bytes) -> Iterator[bytes]:
    delimiter = b"\n--" + boundary
    start = 0 if body.startswith(delimiter[1:]) else body.find(delimiter) + 1
    if start == 0 and not body.startswith(delimiter[1:]):
        yield b"\n" + body
        return
    for _ in range(MAX_PARTS + 1):
        line_end = body.find(b"\n", start)
        if line_end < 0 or body[start + len(delimiter) - 1 : start + len(delimiter) + 1] == b"--":
            return
        following = body.find(delimiter, line_end)
        yield body[line_end + 1 : following if following >= 0 else len(body)]
        if following < 0:
            return
        start = following + 1


def _keep_returned(headers: Message, body: bytes, walk: _Walk, *, depth: int) -> None:
    raw = _transfer_decoded(headers, body[:MAX_TEXT_BYTES])
    inner, rest = _split_headers(raw)
    if walk.returned is None:
        walk.returned, walk.returned_raw = inner, raw
    if inner.get_content_type() == "multipart/report":
        _visit(inner, rest, walk, depth=depth + 1)


def _keep_leaf(content_type: str, headers: Message, body: bytes, walk: _Walk) -> None:
    if not content_type.startswith(_TEXT_TYPES):
        return
    room = MAX_TEXT_BYTES - walk.text_bytes
    if len(body) > room:
        walk.warnings.append(f"only the first {MAX_TEXT_BYTES >> 10} kB of text are read")
    decoded = _transfer_decoded(headers, body[:room])
    walk.text_bytes += len(decoded)
    text = decode(decoded, _charset(headers))
    walk.parts.append(Part(content_type, to_text(text) if _is_html(content_type, text) else text))


def _is_html(content_type: str, text: str) -> bool:
    return content_type == "text/html" or text.lstrip()[:15].lower().startswith(("<html", "<!doctype html"))


def _transfer_decoded(headers: Message, body: bytes) -> bytes:
    encoding = str(headers.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding == "quoted-printable":
        return quopri.decodestring(body)
    if encoding == "base64":
        return _base64(body)
    return body


def _base64(body: bytes) -> bytes:
    """The decoded bytes; text that is no base64 stays as it is."""
    compact = body.translate(None, b" \t\n\r")
    try:
        return binascii.a2b_base64(compact[: len(compact) // 4 * 4])
    except binascii.Error:
        return body


def _charset(headers: Message) -> str | None:
    return _param(headers, "charset") or None


def _param(headers: Message, name: str) -> str:
    """A parameter of ``Content-Type``; the empty string where it cannot be read."""
    try:
        value = headers.get_param(name, "")
    except (ValueError, TypeError, IndexError, UnicodeError, AttributeError):
        return ""
    return (value[2] if isinstance(value, tuple) else str(value or "")).strip()
