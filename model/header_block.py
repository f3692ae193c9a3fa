"""Finds the fields of a mail header in lines as people paste them: quoted, indented, spaced out, cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, islice
from typing import NamedTuple

from model.resources import data_file, read_toml

MAX_VALUE_CHARS = 8192

_QUOTE_MARKS = re.compile(r"(?:[ \t]{0,8}>){1,20}")
_NAME = re.compile(r"([A-Za-z][A-Za-z0-9_-]{1,75})[ \t]{0,3}:")
_TAB = 8
_SIGNATURES = ("dkim-signature", "domainkey-signature", "x-google-dkim-signature", "arc-message-signature")
"""Fields that list names of fields, each with a colon after it."""
_PROBE_LINES = 40
_MIN_SPACED = 5


class Field(NamedTuple):
    """One header field, unfolded, with single blanks, and the number of its last line."""

    name: str
    value: str
    line: int
    is_after_blank: bool = False


class Foreign(NamedTuple):
    """A line that is of no field; ``is_body`` from the first one after the header's end on."""

    text: str
    is_body: bool
    is_after_blank: bool


class _Line(NamedTuple):
    text: str
    indent: int


def fields(lines: Iterable[str]) -> Iterator[Field | Foreign]:
    """The fields of the first header block, and whatever else stands around it, in order.

    Blank lines are passed over in silence.
    """
    cleaned = (_line(raw) for raw in lines)
    probe = list(islice(cleaned, _PROBE_LINES))
    reader = _Reader(is_spaced=_is_spaced(probe))
    for number, line in enumerate(chain(probe, cleaned), 1):
        yield from reader.take(line, number)
    yield from reader.finish()


def is_usual(text: str) -> bool:
    """Whether a line is one that clients put before a header block."""
    return text.lower().startswith(_words().preamble)


class _Reader:
    """What is known while the lines go by: the open field, and how the block is indented.

    Where every line is followed by a blank one, blank lines say nothing.
    """

    def __init__(self, *, is_spaced: bool) -> None:
        self._is_spaced = is_spaced
        self._name = ""
        self._name_after_blank = False
        self._pieces: list[str] = []
        self._chars = 0
        self._last_line = 0
        self._indent: int | None = None
        self._after_blank = False
        self._ended = False

    def take(self, line: _Line, number: int) -> Iterator[Field | Foreign]:
        """What a line completes."""
        if not line.text:
            self._after_blank = not self._is_spaced
            return
        if self._ended:
            yield Foreign(line.text, is_body=True, is_after_blank=self._after_blank)
        elif (name := self._opens(line)) is not None:
            yield from self.finish()
            self._open(name, line, number)
        elif self._name and not self._after_blank and not is_usual(line.text):
            self._append(line.text, number)
        else:
            yield from self._foreign(line)
        self._after_blank = False

    def finish(self) -> Iterator[Field]:
        """The open field, if there is one."""
        if self._name:
            value = " ".join(" ".join(self._pieces).split())
            yield Field(self._name, value, self._last_line, self._name_after_blank)
        self._name = ""

    def _opens(self, line: _Line) -> str | None:
        """The name of the field that a line starts."""
        hit = _NAME.match(line.text)
        if hit is None or not is_name(hit[1], is_sure=self._after_blank):
            return None
        at_margin = self._indent is None or line.indent <= self._indent
        told_apart = line.text[hit.end() : hit.end() + 1] in (" ", "\t", "") and not hit[0][-2:-1].isspace()
        return hit[1] if at_margin or (told_apart and self._name.lower() not in _SIGNATURES) else None

    def _open(self, name: str, line: _Line, number: int) -> None:
        self._indent = line.indent if self._indent is None else min(self._indent, line.indent)
        self._name, self._pieces, self._chars = name, [], 0
        self._name_after_blank = self._after_blank
        self._append(line.text.partition(":")[2], number)

    def _append(self, text: str, number: int) -> None:
        if self._chars < MAX_VALUE_CHARS:
            self._pieces.append(text[:MAX_VALUE_CHARS])
            self._chars += len(text)
        self._last_line = number

    def _foreign(self, line: _Line) -> Iterator[Field | Foreign]:
        """Before the first field it is a preamble, after a blank line the mail's body."""
        yield from self.finish()
        self._ended = self._indent is not None and self._after_blank and not is_usual(line.text)
        yield Foreign(line.text, self._ended, self._after_blank)


def is_name(name: str, *, is_sure: bool = False) -> bool:
    """Whether this may be the name of a header field: a standard one, or one with a hyphen.

    Args:
        name: what stands before the colon.
        is_sure: take only those that hardly any text has at the start of a line.
    """
    lower = name.lower()
    words = _words()
    return lower in words.plain_names or (lower.startswith(words.prefixes) if is_sure else "-" in lower[1:-1])


class _Words(NamedTuple):
    plain_names: frozenset[str]
    prefixes: tuple[str, ...]
    preamble: tuple[str, ...]


@cache
def _words() -> _Words:
    data = read_toml(data_file("logs", "headers.toml"))
    return _Words(frozenset(data["plain_names"]), tuple(data["prefixes"]), tuple(data["preamble"]))


def _is_spaced(lines: list[_Line]) -> bool:
    """Whether a blank line stands after each other one."""
    told = [index for index, line in enumerate(lines) if line.text]
    followed = sum(index + 1 in range(len(lines)) and not lines[index + 1].text for index in told)
    return followed >= _MIN_SPACED and followed >= len(told) - 1


def _line(raw: str) -> _Line:
    line = raw.replace("\0", "").lstrip("\ufeff").rstrip()
    marks = _QUOTE_MARKS.match(line)
    rest = (line[marks.end() :] if marks else line).replace("\t", " " * _TAB).replace("\u00a0", " ")
    text = rest.lstrip(" ")
    return _Line(text, len(rest) - len(text))
