"""One way to compile patterns: RE2, case-insensitive, linear in time whatever the text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import re2

CHUNK = 250
"""Patterns a filter: more in one, and its automaton outgrows its memory; fewer, and there are more passes."""

BUDGETS = tuple(kib << 10 for kib in (16, 32, 64, 128, 256, 512, 1024))
"""What a pattern may take, the least that suffices for it: thousands of them fill what they may."""

ALONE = BUDGETS[2:]
"""The same for a pattern that is searched for by itself, over longer texts."""

Made = TypeVar("Made")


def compiled(text: str) -> Any:  # noqa: ANN401  # re2 has no type stubs
    """One pattern.

    Raises:
        re2.error: it is not RE2 syntax.
    """
    return _made_with_least(ALONE, lambda options: re2.compile(text, options))


def compiled_set(texts: Iterable[str]) -> PatternSet:
    """Many patterns that are searched together."""
    return PatternSet(tuple(texts))


class PatternSet:
    """Tells which of many patterns a text holds.

    One pass finds the literal pieces that the patterns need, and only patterns with all their pieces run.
    """

    def __init__(self, texts: tuple[str, ...]) -> None:
        chunks = (texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK))
        self._filters = tuple(_filter(chunk) for chunk in chunks)

    def hits(self, text: str) -> tuple[int, ...]:
        """The positions of the patterns that occur, in the order they were given."""
        encoded = text.encode()
        found = ((number, chunk.Match(encoded)) for number, chunk in enumerate(self._filters))
        return tuple(number * CHUNK + index for number, hits in found if hits for index in sorted(hits))

    def pattern(self, index: int) -> Any:  # noqa: ANN401  # re2 has no type stubs
        """The pattern at a position, compiled."""
        number, rest = divmod(index, CHUNK)
        return self._filters[number].re(rest)


def _filter(texts: tuple[str, ...]) -> Any:  # noqa: ANN401  # re2 has no type stubs
    chunk = re2.Filter()
    for text in texts:
        _made_with_least(BUDGETS, partial(chunk.Add, text))
    chunk.Compile()
    return chunk


def _made_with_least(budgets: Iterable[int], make: Callable[[Any], Made]) -> Made:
    """What a maker makes with the first of some budgets that suffices, or else with re2's own.

    Raises:
        re2.error: none does, or what is made is not RE2 syntax.
    """
    for budget in budgets:
        with suppress(re2.error):
            return make(_options(budget))
    return make(_options())


def _options(most_bytes: int | None = None) -> Any:  # noqa: ANN401  # re2 has no type stubs
    options = re2.Options()
    if most_bytes:
        options.max_mem = most_bytes
    options.case_sensitive = False
    options.log_errors = False
    return options
