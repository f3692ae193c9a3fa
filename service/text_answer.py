"""Writes the short answer for people, in their language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from model.codes import CodeEntry
from model.resources import data_file, read_toml
from model.types import Candidate, Cause, Diagnosis, RecipientDiagnosis

MOST_CAUSES = 4
MOST_RECIPIENTS = 20


class Labels:
    """The words around an answer in one language."""

    def __init__(self, tables: Mapping[str, Mapping[str, str]]) -> None:
        self._tables = tables

    def of(self, table: str, name: str) -> str:
        """The words for one value; the value itself when there are none."""
        return self._tables.get(table, {}).get(name, name)

    def has(self, table: str, name: str) -> bool:
        """Whether there are words for a value."""
        return name in self._tables.get(table, {})

    def line(self, label: str, value: str) -> str:
        """One labelled line; a heading when there is no value."""
        return f"{self.of('label', label)}: {value}".rstrip()


@cache
def labels(language: str) -> Labels:
    """The shipped words of one language; read once."""
    content: dict[str, Any] = read_toml(data_file("texts", f"{language}.toml"))
    return Labels(content)


def text_of(diagnosis: Diagnosis) -> str:
    """The answer as some twenty lines of plain text, safe for a terminal."""
    lines = _lines(diagnosis, labels(diagnosis.language))
    return "\n".join(map(printable, lines)) + "\n"


def explanation_of(entry: CodeEntry) -> str:
    """What a code means, as plain text; for an unknown one the link that searches for it."""
    lines = [entry.code, *(f"  {each.by}: {each.text}" for each in entry.meanings)]
    return "\n".join(map(printable, lines if entry.known else [*lines, f"  {entry.search_link}"]))


def _lines(diagnosis: Diagnosis, words: Labels) -> Iterator[str]:
    lead = diagnosis.lead
    yield lead.advice.title
    yield lead.advice.summary
    yield ""
    yield from axis_lines(diagnosis, words)
    yield from recipient_lines(diagnosis, words)
    yield from _causes(lead.advice.causes[:MOST_CAUSES], words)


def axis_lines(diagnosis: Diagnosis, words: Labels) -> Iterator[str]:
    """What it is, where it stopped, who can mend it, and what speaks for it."""
    lead, verdict = diagnosis.lead, diagnosis.lead.verdict
    yield words.line("kind", words.of("kind", diagnosis.kind))
    yield words.line("category", f"{verdict.category} ({verdict.confidence:.0%})")
    for axis in ("permanence", "stage", "fix_owner", "action"):
        yield words.line(axis, words.of(axis, getattr(verdict, axis)))
    if lead.unwrapped.retry_after_s is not None:
        yield words.line("retry_after", f"{lead.unwrapped.retry_after_s} s")
    if verdict.evidence:
        yield words.line("evidence", quoted(verdict.evidence[0].quote))
    if verdict.alternatives:
        yield words.line("alternatives", ", ".join(map(_candidate, verdict.alternatives)))


def recipient_lines(diagnosis: Diagnosis, words: Labels) -> Iterator[str]:
    """The recipients, each with its category."""
    named = [each for each in diagnosis.recipients if each.address]
    if named:
        yield words.line("recipients", "")
    for recipient in named[:MOST_RECIPIENTS]:
        yield f"  {_recipient(recipient)}"
    if len(named) > MOST_RECIPIENTS:
        yield f"  … +{len(named) - MOST_RECIPIENTS}"


def _causes(causes: tuple[Cause, ...], words: Labels) -> Iterator[str]:
    if causes:
        yield ""
        yield words.line("causes", "")
    for number, cause in enumerate(causes, start=1):
        yield f"{number}. {cause.title} ({cause.likelihood:.0%})"
        yield from (f"   {words.line('checks', check)}" for check in cause.checks)
        yield from (f"   {words.line('fixes', fix)}" for fix in cause.fixes)


def _recipient(recipient: RecipientDiagnosis) -> str:
    return f"{recipient.address}: {recipient.verdict.category} ({recipient.verdict.confidence:.0%})"


def _candidate(candidate: Candidate) -> str:
    return f"{candidate.category} ({candidate.confidence:.0%})"


def quoted(quote: str) -> str:
    """Words of others, set apart."""
    return f"“{quote}”"


def printable(line: str) -> str:
    r"""A line without control characters, which a hostile mail could use to steer a terminal.

    >>> printable("a\x1b[2Jb")
    'a [2Jb'
    """
    return "".join(character if character.isprintable() else " " for character in line)
