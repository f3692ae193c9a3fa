"""Does what SVG leaves to whoever draws: breaks texts into lines, and rounds the corners of outlines.

How wide letters are is estimated, for the fonts are not known.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import escape

MAX_CHARS = 255
CODE, STRONG = "code", "strong"
"""Looks that make letters wider, by the names of their classes."""

CORNER = 8
"""How round the corners of outlines are, in units."""

_THIN = frozenset("iljtfrI.,:;'|!()[]1 -")
_THINNEST = 0.35
_BROAD = frozenset("mw@%—…")
_BREAKS = ".:;@/_-"
_PIECE = re.compile(
    r"\s+|[\u2e80-\ufaff\uff00-\uffef][，。、；：！？）」』”…]*|[^\s\u2e80-\ufaff\uff00-\uffef]+"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of text below others; an empty one is a gap.

    Args:
        text: what stands there.
        size: of the letters, in units.
        step: how far below the line before it stands.
        look: the names of its classes.
    """

    text: str
    size: float
    step: int
    look: str = ""


def clean(text: str, most: int = MAX_CHARS) -> str:
    r"""A text on one line, without characters that XML forbids or that hide, and no longer than allowed.

    >>> clean("a\x00b\n  c")
    'a b c'
    """
    shown = "".join(each if each.isprintable() else " " for each in text[: 4 * most])
    line = " ".join(shown.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def width_of(text: str, size: float, look: str = "") -> float:
    """About how wide a text is; rather too wide than too narrow, for fonts differ.

    Args:
        text: on one line.
        size: of its letters; the width has the same unit.
        look: the names of its classes.
    """
    return size * sum(_em(character, look) for character in text)


def wrapped(text: str, size: float, width: float, look: str = "", *, most: int) -> list[str]:
    """A text in lines of a width; what does not fit into the last line is left out.

    Args:
        text: what to break, between words, and between Chinese characters.
        size: of its letters.
        width: of the lines, in the same unit.
        look: the names of its classes.
        most: how many lines there may be.
    """
    lines = [""]
    for piece in _pieces(text, size, width, look):
        if lines[-1] and width_of(lines[-1] + piece.rstrip(), size, look) > width:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    kept = [line.rstrip() for line in lines if line.strip()]
    return kept if len(kept) <= most else [*kept[: most - 1], f"{kept[most - 1][:-1]}…"]


def balanced(text: str, size: float, width: float, look: str = "", *, most: int) -> list[str]:
    """The same in as few lines, of about the same length, so that none holds one word alone."""
    lines = wrapped(text, size, width, look, most=most)
    for share in (0.55, 0.7, 0.85):
        narrower = wrapped(text, size, share * width, look, most=most)
        if len(narrower) == len(lines) and not narrower[-1].endswith("…"):
            return narrower
    return lines


def fitting(text: str, size: float, width: float, look: str = "") -> str:
    """A text on one line; where it is too long its middle is left out.

    >>> fitting("a-long-name.example.com", 10, 80)
    'a-long-…le.com'
    """
    shown, kept = text, min(len(text), int(width / (size * _THINNEST)) + 2)
    while kept > 1 and width_of(shown, size, look) > width:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
    return shown


def fitted(text: str, size: float, step: int, width: float, look: str = "") -> Row:
    """A line of text that is shortened to fit a width."""
    return Row(fitting(text, size, width, look), size, step, look)


def paragraph(text: str, size: float, step: int, width: float, look: str = "", *, most: int) -> Iterator[Row]:
    """A text in lines of a width, at most so many."""
    return (Row(line, size, step, look) for line in wrapped(text, size, width, look, most=most))


def block(x: int, y: int, rows: Sequence[Row], *, is_centred: bool = False) -> str:
    """Lines of text below each other, as elements.

    Args:
        x: where they begin, or their middle.
        y: where the first one would stand without its step.
        rows: the lines.
        is_centred: whether their middle is at ``x``.
    """
    anchor, parts = ' text-anchor="middle"' if is_centred else "", []
    for row in rows:
        y += row.step
        if not row.text:
            continue
        look = f' class="{row.look}"' if row.look else ""
        parts.append(f'<text x="{x}" y="{y}" font-size="{row.size}"{look}{anchor}>{escape(row.text)}</text>')
    return "".join(parts)


def depth_of(rows: Sequence[Row]) -> int:
    """How far below their beginning the last of some lines stands."""
    return sum(row.step for row in rows)


def outline(*corners: tuple[int, int]) -> str:
    """The path of a closed outline of level and upright lines, with round corners."""
    parts = []
    for (x, y), before, after in zip(
        corners, corners[-1:] + corners[:-1], corners[1:] + corners[:1], strict=True
    ):
        (x1, y1), (x2, y2) = _towards(x, y, before), _towards(x, y, after)
        parts.append(f"L{x1} {y1}Q{x} {y} {x2} {y2}")
    return f"M{''.join(parts)[1:]}Z"


def _pieces(text: str, size: float, width: float, look: str) -> Iterator[str]:
    """Words, Chinese characters with the marks behind them, and parts of what is too long for a line."""
    for piece in _PIECE.findall(text):
        rest = piece
        while len(rest) > 1 and width_of(rest, size, look) > width:
            cut = _cut(rest, size, width, look)
            yield rest[:cut]
            rest = rest[cut:]
        yield rest


def _cut(word: str, size: float, width: float, look: str) -> int:
    """Where to break a word that is too long: behind a mark if it has one in a fitting place."""
    fits = next((n for n in range(len(word) - 1, 1, -1) if width_of(word[:n], size, look) <= width), 1)
    mark = max(word.rfind(each, 0, fits) for each in _BREAKS) + 1
    return mark if mark > fits // 3 else fits


def _em(character: str, look: str) -> float:
    """How wide a character is, as a share of the size of letters."""
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if CODE in look:
        return 0.61
    bold = 1.08 if STRONG in look else 1.0
    if character in _THIN:
        return _THINNEST * bold
    return (0.8 if character.isupper() or character in _BROAD else 0.6) * bold


def _towards(x: int, y: int, other: tuple[int, int]) -> tuple[int, int]:
    """A point near a corner, on its line to another one."""
    step_x, step_y = other[0] - x, other[1] - y
    return x + CORNER * _sign(step_x), y + CORNER * _sign(step_y)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
