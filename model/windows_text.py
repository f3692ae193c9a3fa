"""Reads what Windows shows to people: dates in local order, texts wrapped at the edge of the screen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

MAX_LINE_CHARS = 4000

_LOCAL = re.compile(
    r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})\.?,? {0,3}(?:(AM|PM|上午|下午) ?)?(\d{1,2}):(\d\d)(?::(\d\d))?"
    r"(?:[.,]\d{1,7})? ?(AM|PM|上午|下午)?",
    re.I,
)


class Piece(NamedTuple):
    """A line of a description, and how wide the whole line was on the screen."""

    text: str
    width: int


def local_stamp(text: str) -> datetime | None:
    """A date and time as Windows shows it, in the order that its marks suggest.

    The month stands first where ``AM`` or ``PM`` follows, else the day, unless it cannot.

    >>> local_stamp("11/2/2026 10:14:07 AM")
    datetime.datetime(2026, 11, 2, 10, 14, 7, tzinfo=datetime.timezone.utc)
    """
    hit = _LOCAL.match(text.replace("\u200e", "").replace("\u202f", " ").strip())
    if hit is None:
        return None
    half = (hit[4] or hit[8] or "").upper()
    year, month, day = _date(int(hit[1]), int(hit[2]), int(hit[3]), month_first=half in ("AM", "PM"))
    hour = int(hit[5]) % 12 + 12 * (half in ("PM", "下午")) if half else int(hit[5])
    try:
        return datetime(year, month, day, hour, int(hit[6]), int(hit[7] or 0), tzinfo=UTC)
    except ValueError:
        return None


def joined(pieces: Sequence[Piece], *, is_cut: bool) -> str:
    """The lines of a text as one.

    PowerShell wraps a list between words only in some western languages; in others it cuts at the edge of the
    screen, and so through words.

    Args:
        pieces: the lines.
        is_cut: whether they are cut at the edge; those that reach it are joined without a blank.
    """
    edge = max((piece.width for piece in pieces[:-1]), default=0)
    text = ""
    for index, piece in enumerate(pieces[:-1]):
        around = piece.text[-1:] + pieces[index + 1].text[:1]
        at_edge = piece.width == edge or (piece.width == edge - 1 and width(around) > len(around))
        text += piece.text + ("" if is_cut and at_edge else " ")
    return text + (pieces[-1].text if pieces else "")


def width(text: str) -> int:
    """How many columns a text takes on a screen."""
    short = text[:MAX_LINE_CHARS]
    return len(short) + sum(unicodedata.east_asian_width(letter) in "WF" for letter in short)


def _date(first: int, second: int, third: int, *, month_first: bool) -> tuple[int, int, int]:
    """Year, month and day."""
    if first > 31:
        return first, second, third
    month, day = (first, second) if month_first else (second, first)
    return (third, day, month) if month > 12 else (third, month, day)
