"""Reads mbox files: messages behind lines that begin with ``From `` and follow an empty line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from service.triage.formats.records import Cut, Part, ranges, records
from service.triage.nouns import Item
from service.triage.packing import Source

_FROM = re.compile(
    rb"From (?:[^\r\n]{0,900}?\d:\d\d|[^\r\n]{0,900}\r?\n(?:[!-9;-~]{1,76}:|>?From ))",
)
"""A line that opens a message: it names a time, or a header field follows. A sentence does neither."""
_AHEAD = 1000
_CR, _LF = b"\r\n"

parts = ranges


def claims(head: bytes) -> bool:
    r"""Whether a content opens with a line of an mbox.

    >>> claims(b"\r\nFrom MAILER-DAEMON Mon Nov  2 10:14:23 2026\r\n"), claims(b"From then on, all failed.")
    (True, False)
    """
    return _FROM.match(head.lstrip(b"\r\n")) is not None


def holds_several(raw: bytes) -> bool:
    """Whether some bytes are an mbox of more than one message."""
    first = len(raw) - len(raw.lstrip(b"\r\n"))
    return _FROM.match(raw, first) is not None and _find(raw, max(first + 1, CUT.before), len(raw)) >= 0


def read(source: Source, part: Part) -> Iterator[Item]:
    """The messages whose ``From `` lines begin in a range, without these lines."""
    if part.start == 0 and not claims(source.head()):
        yield Item(f"{source.name}#0", b"", error="what stands before the first From line is no message")
    for record in records(source, CUT, part):
        raw = record.raw.partition(b"\n")[2]
        yield Item(f"{source.name}#{record.offset}", raw, "message", record.error or _fault(raw))


def _fault(raw: bytes) -> str | None:
    return None if raw.strip() else "the message is empty"


def _find(window: bytes, start: int, stop: int) -> int:
    at = start - 1
    while (at := window.find(b"\nFrom ", at, stop + 5)) >= 0:
        follows_empty = window[at - 1] == _LF or (window[at - 1] == _CR and window[at - 2] == _LF)
        if follows_empty and _FROM.match(window, at + 1):
            return at + 1
        at += 1
    return -1


CUT = Cut(_find, before=3, ahead=_AHEAD)
