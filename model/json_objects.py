"""Finds the JSON objects in the lines of a text: one a line, one over many lines, or many in an array."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from model.events import Event

MAX_CHARS = 1 << 20
"""A larger object is passed over."""

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*("?)|[{}\[\],:]')
_OPENERS = {"}": "{", "]": "["}
_BEFORE = {"{": ":", "[": "[,"}

Fields = dict[str, Any]
"""A JSON object; what its values are is anybody's guess."""


def events_of_objects(
    lines: Iterable[str], events_of: Callable[[Fields, int], Iterable[Event]]
) -> Iterator[Event | None]:
    """The events of all objects in some lines; ``None`` for each line that ends no object with events."""
    scanner = _Scanner()
    for number, line in enumerate(lines, 1):
        events = [event for fields in scanner.take(line) for event in events_of(fields, number)]
        yield from events or (None,)


def text(value: object) -> str:
    r"""A string or a number as text, always one that can be encoded; empty for anything else.

    >>> text(550), text(None), text("\ud800")
    ('550', '', '?')
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    words = str(value)
    return words if words.isascii() else words.encode("utf-8", "replace").decode("utf-8")


def table(value: object) -> Fields:
    """An object, empty where there is none."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """A list, empty where there is none; a single object or string counts as a list of one."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict | str) and value else []


class _Scanner:
    """Keeps the part of an object that earlier lines began."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._parts: list[str] = []
        self._chars = 0
        self._open: list[str] = []
        self._last = ""

    def take(self, line: str) -> list[Fields]:
        """The objects that end in a line."""
        if not self._open and len(line) <= MAX_CHARS and line.startswith("{") and line.endswith("}"):
            whole = _loaded(line)
            if whole:
                return whole
        found: list[Fields] = []
        start = 0
        for token in _TOKEN.finditer(line):
            kind = token[0][0]
            if kind == '"' and self._open and not token[1]:
                self._forget()  # no string goes over the end of a line: the object is torn
                return found
            if kind == "{" and self._starts_anew():
                self._forget()
                start = token.start()
            self._step(kind)
            if kind == "}" and self._parts_end():
                found += self._whole(line[start : token.end()])
        self._keep(line[start:])
        return found

    def _starts_anew(self) -> bool:
        """Whether no object can stand here, so that what came before was torn off."""
        return not self._open or self._last not in _BEFORE[self._open[-1]]

    def _step(self, kind: str) -> None:
        if kind == "{" or (kind == "[" and self._open):
            self._open.append(kind)
        elif kind in _OPENERS and self._open and self._open[-1] != _OPENERS[kind]:
            self._forget()
        elif kind in _OPENERS and self._open:
            self._open.pop()
            self._last = kind if self._open else "end"
            return
        self._last = kind

    def _parts_end(self) -> bool:
        return self._last == "end"

    def _whole(self, end: str) -> list[Fields]:
        whole = "\n".join([*self._parts, end])
        self._forget()
        return _loaded(whole)

    def _keep(self, rest: str) -> None:
        if not self._open:
            return
        self._parts.append(rest)
        self._chars += len(rest) + 1
        if self._chars > MAX_CHARS:
            self._forget()


def _loaded(words: str) -> list[Fields]:
    """The object that some words are, if they are one."""
    try:
        value = json.loads(words)
    except (ValueError, RecursionError):
        return []
    return [value] if isinstance(value, dict) else []
