"""One way to compile patterns: RE2, case-insensitive, linear in time whatever the text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import re2

SET_MEMORY_BYTES = 256 << 20


def compiled(text: str) -> Any:  # noqa: ANN401  # re2 has no type stubs
    """One pattern.

    Raises:
        re2.error: it is not RE2 syntax.
    """
    return re2.compile(text, _options())


def compiled_set(texts: Iterable[str]) -> PatternSet:
    """Many patterns that are searched in one pass."""
    return PatternSet(tuple(texts))


class PatternSet:
    """Tells which of many patterns a text holds, in one pass."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._engine = _engine(texts) if texts else None

    def hits(self, text: str) -> tuple[int, ...]:
        """The positions of the patterns that occur, in the order they were given."""
        return tuple(self._engine.Match(text) or ()) if self._engine is not None else ()


def _engine(texts: tuple[str, ...]) -> Any:  # noqa: ANN401  # re2 has no type stubs
    engine = re2.Set.SearchSet(_options(SET_MEMORY_BYTES))
    for text in texts:
        engine.Add(text)
    engine.Compile()
    return engine


def _options(max_mem: int = 8 << 20) -> Any:  # noqa: ANN401  # re2 has no type stubs
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = max_mem
    return options
