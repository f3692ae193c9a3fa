"""Walks through a log whose lines are joined: what each one tells, with what earlier ones told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from model.events import Event

T = TypeVar("T")


def events_by_line(
    lines: Iterable[str], parsed: Callable[[int, str], T | None], events: Callable[[T], Sequence[Event]]
) -> Iterator[Event | None]:
    """The events of each line; ``None`` for one that is of another program, or only adds to what is known.

    Args:
        lines: the log's.
        parsed: a line by its number, from 1, and its words; ``None`` for one of another program.
        events: what a line tells.
    """
    for number, words in enumerate(lines, 1):
        line = parsed(number, words)
        yield from (events(line) if line else ()) or (None,)
