"""Damages sample logs in the ways that real ones are damaged: cut, interleaved, garbled."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

GARBAGE = (
    "",
    "\ufeff",
    "\0" * 9,
    "{",
    "}",
    '"',
    ",,,,,,",
    "<>",
    "=",
    "[",
    "550 5.1.1",
    "Nov  2 10:14:07",
    "#Fields:",
)


def mutated(lines: Sequence[str]) -> st.SearchStrategy[list[str]]:
    """Some of the lines in any order, each whole, cut, or with something put into it."""
    damaged = st.sampled_from(lines).flatmap(_damaged)
    return st.lists(damaged, max_size=30)


def _damaged(line: str) -> st.SearchStrategy[str]:
    at = st.integers(0, len(line))
    cut = at.map(lambda end: line[:end])
    torn = at.map(lambda start: line[start:])
    spoiled = st.tuples(at, st.sampled_from(GARBAGE)).map(
        lambda hit: line[: hit[0]] + hit[1] + line[hit[0] :]
    )
    return st.one_of(st.just(line), cut, torn, spoiled)
