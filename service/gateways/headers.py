"""Writes a diagnosis as ``X-NDR-*`` header fields at the top of a mail, and takes forged ones away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

FIELDS = {
    "X-NDR-Kind": "kind",
    "X-NDR-Category": "category",
    "X-NDR-Action": "action",
    "X-NDR-Confidence": "confidence",
}
"""The header fields, and the field of the answer that each shows."""

MOST_VALUE_CHARS = 200
MOST_HEAD_BYTES = 1 << 20
"""Where header fields are no longer looked for."""

_LINE = re.compile(rb"[^\r\n]*(?:\r{0,3}\n|\r|\Z)")
_FIELD_NAME = re.compile(rb"[!-9;-~]+[ \t]*:")
_UNPRINTABLE = re.compile(r"[^ -~]+")


def headers_of(answer: Mapping[str, Any]) -> Mapping[str, str]:
    """The header fields that show an answer; what it does not tell is left out.

    >>> headers_of({"kind": "bounce", "category": "mailbox_full", "confidence": 0.98})
    {'X-NDR-Kind': 'bounce', 'X-NDR-Category': 'mailbox_full', 'X-NDR-Confidence': '0.98'}
    """
    shown = {name: answer.get(field) for name, field in FIELDS.items()}
    return {name: _one_line(str(value)) for name, value in shown.items() if value not in (None, "")}


def with_headers(raw: bytes, diagnosis_values: Mapping[str, str]) -> bytes:
    """A mail with header fields at its top; a line of an mbox stays above them.

    Fields of these names that came with the mail are taken away. All other bytes stay, and the new lines end
    as the mail's own. A text without header fields gets an empty line after the new ones. What
    follows the first MiB is left as it is.

    Args:
        raw: the mail.
        diagnosis_values: names and values, as ``headers_of`` makes them.
    """
    end = _line_end(raw)
    above, rest = _head(raw)
    own = list(_without(raw, above, rest, {*FIELDS, *diagnosis_values}))
    added = [_field(name, value, end) for name, value in diagnosis_values.items()]
    gap = [] if own or raw[rest : rest + 1] in (b"\r", b"\n", b"") else [end]
    return b"".join([raw[:above], *added, *own, *gap, raw[rest:]])


def without_envelope_line(raw: bytes) -> bytes:
    """A mail without the line ``From `` that the pipes of Postfix and Exim set before it."""
    line = _LINE.match(raw) if raw.startswith(b"From ") else None
    return raw[line.end() :] if line else raw


def head_of(raw: bytes) -> bytes:
    """The header fields of a mail, up to its empty line, or as far as they are looked for."""
    return raw[: _head(raw)[1]]


def _head(raw: bytes) -> tuple[int, int]:
    """Where a line of an mbox ends, and where the header fields do: at once in a text that is no mail."""
    above = rest = 0
    has_field = False
    for line in _lines(raw, 0, MOST_HEAD_BYTES):
        if not has_field and raw.startswith(b"From ", line.start()):
            above = above or line.end()
        elif not has_field and not _FIELD_NAME.match(raw, line.start()):
            break
        else:
            has_field = True
        rest = line.end()
    return above, rest


def _lines(raw: bytes, at: int, before: int) -> Iterator[re.Match[bytes]]:
    """The lines that begin before a place and before the first empty one."""
    while at < min(before, len(raw)) and raw[at] not in b"\r\n" and (line := _LINE.match(raw, at)):
        yield line
        at = line.end()


def _without(raw: bytes, at: int, end: int, names: set[str]) -> Iterator[bytes]:
    """What stands between two places without the fields of some names and the lines that go on with them."""
    unwanted = {name.lower().encode() for name in names}
    kept_from: int | None = at
    for line in _lines(raw, at, end):
        if raw[line.start()] in b" \t":
            continue
        name = _FIELD_NAME.match(raw, line.start())
        if name and name[0][:-1].rstrip(b" \t").lower() in unwanted:
            if kept_from is not None and kept_from < line.start():
                yield raw[kept_from : line.start()]
            kept_from = None
        elif kept_from is None:
            kept_from = line.start()
    if kept_from is not None and kept_from < end:
        yield raw[kept_from:end]


def _field(name: str, value: str, end: bytes) -> bytes:
    return f"{name}: {_one_line(value)}".encode("ascii") + end


def _one_line(value: str) -> str:
    """A value that cannot start another field: one line of printable ASCII."""
    return " ".join(_UNPRINTABLE.sub(" ", value).split())[:MOST_VALUE_CHARS]


def _line_end(raw: bytes) -> bytes:
    line = _LINE.match(raw)
    found = line[0][len(line[0].rstrip(b"\r\n")) :] if line else b""
    return found if found in (b"\r\n", b"\n", b"\r") else b"\n"
