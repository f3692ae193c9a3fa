"""Category, provider and language in; title, summary and ranked causes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from model.errors import DataError, UnknownName
from model.languages import LANGUAGES
from model.resources import data_file, read_toml
from model.taxonomy import taxonomy
from model.types import Advice, Cause, FixOwner, Verdict

BASE_LANGUAGE = LANGUAGES[0]
PROVEN = 0.85
"""The likelihood of a cause that the text itself proves."""


@dataclass(frozen=True, slots=True)
class _Variant:
    providers: frozenset[str]
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class _Entry:
    title: str
    summary: str
    variants: tuple[_Variant, ...]
    causes: tuple[tuple[frozenset[str], Cause], ...]


class Knowledge:
    """All causes with their checks and fixes, in one language."""

    def __init__(self, language: str, entries: Mapping[str, _Entry]) -> None:
        self.language = language
        self._entries = entries
        self._causes = {
            cause.id: (category, cause) for category, entry in entries.items() for _, cause in entry.causes
        }

    def advice(self, verdict: Verdict, *, parties: frozenset[str] = frozenset()) -> Advice:
        """The words on a verdict; causes of providers that took no part are left out."""
        entry = self._entries[verdict.category]
        words = next((each for each in entry.variants if each.providers & parties), entry)
        causes = [
            cause
            for providers, cause in entry.causes
            if not providers or providers & parties or cause.id == verdict.cause
        ]
        return Advice(words.title, words.summary, _ranked(causes, verdict))

    def title(self, category: str) -> str:
        """The title of a category."""
        return self._entries[category].title

    def summary(self, category: str) -> str:
        """What a category means, in one or two sentences."""
        return self._entries[category].summary

    def cause(self, cause_id: str) -> tuple[str, Cause]:
        """A cause and the category it belongs to.

        Raises:
            UnknownName: nobody knows it.
        """
        try:
            return self._causes[cause_id]
        except KeyError:
            raise UnknownName("cause", cause_id) from None


@cache
def knowledge(language: str = BASE_LANGUAGE) -> Knowledge:
    """The shipped knowledge in one language; read once.

    Raises:
        UnknownName: there is no such language.
        DataError: the translation lacks something.
    """
    if language not in LANGUAGES:
        raise UnknownName("language", language)
    return Knowledge(language, {name: _entry(language, name) for name in taxonomy().names})


def _entry(language: str, category: str) -> _Entry:
    facts = read_toml(data_file("knowledge", BASE_LANGUAGE, f"{category}.toml"))
    words = (
        facts
        if language == BASE_LANGUAGE
        else read_toml(data_file("knowledge", language, f"{category}.toml"))
    )
    try:
        return _Entry(words["title"], words["summary"], _variants(facts, words), _causes(facts, words))
    except (KeyError, ValueError) as error:
        raise DataError(f"{language}/{category}.toml", category, f"missing or unequal: {error}") from error


def _variants(facts: dict[str, Any], words: dict[str, Any]) -> tuple[_Variant, ...]:
    pairs = zip(facts.get("variant", ()), words.get("variant", ()), strict=True)
    return tuple(
        _Variant(_providers(fact), word.get("title", words["title"]), word["summary"]) for fact, word in pairs
    )


def _causes(facts: dict[str, Any], words: dict[str, Any]) -> tuple[tuple[frozenset[str], Cause], ...]:
    by_id = {word["id"]: word for word in words.get("cause", ())}
    return tuple((_providers(fact), _cause(fact, by_id[fact["id"]])) for fact in facts.get("cause", ()))


def _cause(fact: dict[str, Any], word: dict[str, Any]) -> Cause:
    return Cause(
        id=fact["id"],
        title=word["title"],
        explanation=word["explanation"],
        likelihood=float(fact["likelihood"]),
        fix_owner=FixOwner(fact["fix_owner"]),
        evidence=(),
        checks=tuple(word["checks"]),
        fixes=tuple(word["fixes"]),
        links=tuple(fact.get("links", ())),
    )


def _providers(fact: dict[str, Any]) -> frozenset[str]:
    names = fact.get("provider", ())
    return frozenset([names] if isinstance(names, str) else names)


def _ranked(causes: list[Cause], verdict: Verdict) -> tuple[Cause, ...]:
    """The causes, likeliest first, adding up to one; one that the text proves leads."""
    proven = next((cause for cause in causes if cause.id == verdict.cause), None)
    rest = [cause for cause in causes if cause is not proven]
    left = 1.0 - PROVEN if proven else 1.0
    total = sum(cause.likelihood for cause in rest) or 1.0
    scaled = [replace(cause, likelihood=round(cause.likelihood / total * left, 3)) for cause in rest]
    ordered = sorted(scaled, key=_likelihood, reverse=True)
    if proven is None:
        return tuple(ordered)
    quotes = tuple(item.quote for item in verdict.evidence[:1])
    return (replace(proven, likelihood=PROVEN if rest else 1.0, evidence=quotes), *ordered)


def _likelihood(cause: Cause) -> float:
    return cause.likelihood
