"""Hands several pieces of evidence to the core, and knows at which one it failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, count
from typing import IO

from model.errors import EvidenceError
from model.exhibits import CHUNK_BYTES, Exhibit
from model.inquiry import Case, Question
from model.sides import Own
from service.errors import UnreadablePiece
from service.settings import Settings
from service.wiring import Diagnoser


class Bundle:
    """Several pieces of evidence on one delivery, under names that differ.

    Args:
        exhibits: the pieces, as they were handed in.
        watch: called before each part of a piece is read; may raise to stop.
    """

    def __init__(self, exhibits: Sequence[Exhibit], watch: Callable[[], None] = lambda: None) -> None:
        self._watch = watch
        self._opened: int | None = None
        named = zip(exhibits, _apart([exhibit.name for exhibit in exhibits]), strict=True)
        self.exhibits = tuple(
            self._watched(n, replace(each, name=name)) for n, (each, name) in enumerate(named)
        )

    def investigated_by(self, diagnoser: Diagnoser, question: Question) -> Case:
        """One diagnosis of all pieces.

        Raises:
            UnreadablePiece: one of them cannot be read.
            EvidenceError: there are none, or too many.
        """
        try:
            return diagnoser.investigate(self.exhibits, question)
        except EvidenceError as error:
            if self._opened is None:
                raise
            raise UnreadablePiece(self._opened, self.exhibits[self._opened].name, error) from error

    def _watched(self, number: int, exhibit: Exhibit) -> Exhibit:
        def parts() -> Iterator[bytes]:
            self._opened = number
            for part in exhibit.open():
                self._watch()
                yield part

        return replace(exhibit, open=parts)


def question_of(
    settings: Settings,
    *,
    language: str,
    message_id: str | None = None,
    recipient: str | None = None,
    near: datetime | None = None,
) -> Question:
    """What the caller asks, with what the settings say is his own.

    Args:
        settings: name the caller's own domains and hosts.
        language: of the answer.
        message_id: the message meant, with or without its angle brackets.
        recipient: whom it was for.
        near: about when it was; now, where it is left out.
    """
    return Question(
        own=Own(frozenset(settings.own_domains), frozenset(settings.own_hosts)),
        message_id=_bracketed(message_id),
        recipient=(recipient or "").strip() or None,
        near=near or datetime.now(UTC),
        language=language,
    )


def cut(raw: bytes) -> Callable[[], Iterable[bytes]]:
    """Reads bytes in parts, as a file would be read."""
    return lambda: (raw[start : start + CHUNK_BYTES] for start in range(0, len(raw), CHUNK_BYTES))


def parts_of(stream: IO[bytes]) -> Callable[[], Iterator[bytes]]:
    """Reads an open file in parts, from its start each time."""

    def parts() -> Iterator[bytes]:
        at = 0
        while part := _part(stream, at):
            at += len(part)
            yield part

    return parts


def _part(stream: IO[bytes], at: int) -> bytes:
    stream.seek(at)
    return stream.read(CHUNK_BYTES)


def _apart(names: Sequence[str]) -> Iterator[str]:
    """The names, with a number behind one that was there before; the core tells pieces by their names."""
    taken: set[str] = set()
    for name in names:
        numbered = (f"{name} ({number})" for number in count(2))
        unique = next(each for each in chain([name], numbered) if each not in taken)
        taken.add(unique)
        yield unique


def _bracketed(message_id: str | None) -> str | None:
    """A Message-ID with its angle brackets.

    >>> _bracketed("a@example.com"), _bracketed("<a@example.com>"), _bracketed(" ")
    ('<a@example.com>', '<a@example.com>', None)
    """
    bare = (message_id or "").strip().strip("<>")
    return f"<{bare}>" if bare else None
