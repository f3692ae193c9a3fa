"""One way to compile patterns: RE2, case-insensitive, linear in time whatever the text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import re2

CHUNK = 250
"""Patterns a filter: more in one, and its automaton outgrows its memory; fewer, and there are more passes."""

FRUGAL_BYTES = 256 << 10
"""What a pattern of a set may take, as long as that is enough for it: thousands of them add up."""


def compiled(text: str) -> Any:  # noqa: ANN401  # re2 has no type stubs
    """One pattern.

    Raises:
        re2.error: it is not RE2 syntax.
    """
    return re2.compile(text, _options())


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
    frugal, roomy = _options(), _options()
    frugal.max_mem = FRUGAL_BYTES
    for text in texts:
        try:
            chunk.Add(text, frugal)
        except re2.error:
            chunk.Add(text, roomy)
    chunk.Compile()
    return chunk


def _options() -> Any:  # noqa: ANN401  # re2 has no type stubs
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    return options
