"""Writes the report on several pieces of evidence for people, in their language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from model.inquiry import Case, Reading
from model.path import Outcome, PathHop, Seen
from model.stamps import NO_YEAR
from model.step_words import outcome_title, place_title, state_title
from model.types import Cause
from service.case_answer import words_on
from service.text_answer import (
    MOST_CAUSES,
    Labels,
    axis_lines,
    labels,
    printable,
    quoted,
    recipient_lines,
)

MARKS: Mapping[Outcome, str] = {
    Outcome.PASSED: "✓",
    Outcome.WAITING: "…",
    Outcome.FAILED: "✗",
    Outcome.NOT_REACHED: "·",
    Outcome.UNKNOWN: "?",
}
MOST_QUOTES = 3
MOST_CHARS = 300


def case_text_of(case: Case) -> str:
    """The report as plain text, safe for a terminal."""
    language = case.diagnosis.language
    lines = _lines(case, labels(language), language)
    return "\n".join(map(printable, lines)) + "\n"


def _lines(case: Case, words: Labels, language: str) -> Iterator[str]:
    diagnosis = case.diagnosis
    yield diagnosis.lead.advice.title
    yield diagnosis.lead.advice.summary
    if case.is_resolved:
        yield words.of("case", "resolved")
    yield ""
    yield from axis_lines(diagnosis, words)
    yield from recipient_lines(diagnosis, words)
    yield from _path(case, words, language)
    yield from _causes(diagnosis.lead.advice.causes[:MOST_CAUSES], words)
    yield from _readings(case, words)
    yield from _steps(case, words)


def _path(case: Case, words: Labels, language: str) -> Iterator[str]:
    yield from _heading("way", words)
    for hop in case.path:
        yield from _hop(hop, words, language)


def _hop(hop: PathHop, words: Labels, language: str) -> Iterator[str]:
    line = words.of("case", "hop").format(
        place=place_title(hop.place, language), outcome=outcome_title(hop.outcome, language)
    )
    known = [_server(hop), _span(hop.first, hop.last, words), _witnesses(hop, words, language)]
    yield ", ".join([f"  {MARKS[hop.outcome]} {line}", *filter(None, known)])
    if hop.words:
        yield f"      {quoted(hop.words[:MOST_CHARS])}"


def _server(hop: PathHop) -> str:
    """The host with its address in brackets, as far as they are known."""
    return " ".join(filter(None, [hop.host, f"[{hop.ip}]" if hop.ip else ""]))


def _span(first: datetime | None, last: datetime | None, words: Labels) -> str:
    if first is None or last is None or first.year == NO_YEAR:
        return ""
    form = "{:%Y-%m-%d %H:%M:%S}".format
    if first.replace(microsecond=0) == last.replace(microsecond=0):
        return words.of("case", "moment").format(first=form(first))
    end = f"{last:%H:%M:%S}" if first.date() == last.date() else form(last)
    return words.of("case", "span").format(first=form(first), last=end)


def _witnesses(hop: PathHop, words: Labels, language: str) -> str:
    if hop.seen is Seen.INFERRED:
        return state_title(hop.seen, language)
    return words.of("case", "seen_by").format(names=", ".join(hop.seen_by)) if hop.seen_by else ""


def _causes(causes: tuple[Cause, ...], words: Labels) -> Iterator[str]:
    shown: dict[str, int] = {}
    if causes:
        yield ""
        yield words.line("causes", "")
    for number, cause in enumerate(causes, start=1):
        yield f"{number}. {cause.title} ({cause.likelihood:.0%})"
        for quote in cause.evidence[:MOST_QUOTES]:
            yield f"   {words.line('evidence', _once(quote, shown))}"
        yield from (f"   {words.line('checks', check)}" for check in cause.checks)
        yield from (f"   {words.line('fixes', fix)}" for fix in cause.fixes)


def _once(quote: str, shown: dict[str, int]) -> str:
    """A quote with a number, and the number alone where it stands above already."""
    if quote in shown:
        return f"[{shown[quote]}]"
    shown[quote] = len(shown) + 1
    return f"[{shown[quote]}] {quote}"


def _readings(case: Case, words: Labels) -> Iterator[str]:
    yield from _heading("read", words)
    yield from (f"  {_reading(reading, words)}" for reading in case.readings)
    side = words.of("case", case.sides.home)
    told = side if case.sides.is_told else words.of("case", "side_inferred").format(side=side)
    yield f"  {words.of('case', 'side')}: {told}"


def _reading(reading: Reading, words: Labels) -> str:
    return words.of("case", "reading").format(
        name=reading.name,
        format=reading.format,
        events=reading.events,
        used=reading.used,
        set_aside=reading.set_aside,
    )


def _steps(case: Case, words: Labels) -> Iterator[str]:
    if case.steps:
        yield from _heading("next", words)
    for number, step in enumerate(case.steps, start=1):
        told = words_on(step, case)
        yield f"{number}. {told.title}"
        yield from (f"   {line}".rstrip() for line in told.text.splitlines())
        yield from (f"     {line}".rstrip() for line in told.command.splitlines())


def _heading(name: str, words: Labels) -> Iterator[str]:
    yield ""
    yield f"{words.of('case', name)}:"
