"""Writes a diagnosis as ``X-NDR-*`` header fields at the top of a mail, and takes forged ones away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

FIELDS = {
    "X-NDR-Kind": "kind",
    "X-NDR-Category": "category",
    "X-NDR-Action": "action",
    "X-NDR-Confidence": "confidence",
}
"""The header fields, and the field of the answer that each shows."""

MOST_VALUE_CHARS = 200

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
    as the mail's own. A text without header fields gets an empty line after the new ones.

    Args:
        raw: the mail.
        diagnosis_values: names and values, as ``headers_of`` makes them.
    """
    lines, rest = _head_and_rest(raw)
    end = _line_end(raw)
    above = [line for line in lines[:1] if line.startswith(b"From ")]
    own = list(_without(lines[len(above) :], {*FIELDS, *diagnosis_values}))
    added = [_field(name, value, end) for name, value in diagnosis_values.items()]
    gap = [] if own or rest[:1] in (b"\r", b"\n", b"") else [end]
    return b"".join([*above, *added, *own, *gap, rest])


def without_envelope_line(raw: bytes) -> bytes:
    """A mail without the line ``From `` that the pipes of Postfix and Exim set before it."""
    line = _LINE.match(raw) if raw.startswith(b"From ") else None
    return raw[line.end() :] if line else raw


def head_of(raw: bytes) -> bytes:
    """The header fields of a mail, up to its empty line."""
    return b"".join(_head_and_rest(raw)[0])


def _head_and_rest(raw: bytes) -> tuple[list[bytes], bytes]:
    """The lines before the first empty one, none where the text begins like no mail; and what follows."""
    lines: list[bytes] = []
    at = 0
    while at < len(raw) and (line := _LINE.match(raw, at)) and line[0].strip(b"\r\n"):
        lines.append(line[0])
        at = line.end()
    first = next((line for line in lines if not line.startswith(b"From ")), b"")
    if first and not _FIELD_NAME.match(first):
        lines = lines[: lines.index(first)]
        at = sum(map(len, lines))
    return lines, raw[at:]


def _without(lines: Iterable[bytes], names: set[str]) -> Iterator[bytes]:
    """Lines without the fields of some names and the lines that go on with them."""
    unwanted = {name.lower().encode() for name in names}
    dropping = False
    for line in lines:
        if line[:1] not in (b" ", b"\t"):
            dropping = line.partition(b":")[0].rstrip(b" \t").lower() in unwanted
        if not dropping:
            yield line


def _field(name: str, value: str, end: bytes) -> bytes:
    return f"{name}: {_one_line(value)}".encode("ascii") + end


def _one_line(value: str) -> str:
    """A value that cannot start another field: one line of printable ASCII."""
    return " ".join(_UNPRINTABLE.sub(" ", value).split())[:MOST_VALUE_CHARS]


def _line_end(raw: bytes) -> bytes:
    line = _LINE.match(raw)
    found = line[0][len(line[0].rstrip(b"\r\n")) :] if line else b""
    return found if found in (b"\r\n", b"\n", b"\r") else b"\n"
