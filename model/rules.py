"""Tells which rules fire on a reply, strongest first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import Any

from model.patterns import PatternSet, compiled_set
from model.types import Action, FixOwner, Permanence, Stage, Unwrapped

INNERMOST, OUTER, STATUS, NOTICE = 1.0, 0.9, 0.85, 0.8
"""How much a rule's strength counts by the place where it matched: the innermost reply decides."""

MAX_SEEN_CODES = 4096


@dataclass(frozen=True, slots=True)
class When:
    """The conditions of a rule; an empty one always holds.

    ``smtp`` may hold a class (``5xx``); ``enhanced`` an open class (``X.2.2``) or a range (``5.7.606-649``).
    """

    provider: frozenset[str] = frozenset()
    smtp: tuple[str, ...] = ()
    enhanced: tuple[str, ...] = ()
    command: frozenset[str] = frozenset()

    @property
    def count(self) -> int:
        """How many conditions there are."""
        return sum(map(bool, (self.provider, self.smtp, self.enhanced, self.command)))


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern with its meaning, its strength (0 to 1) and its proof."""

    id: str
    category: str
    strength: float
    source: str
    examples: tuple[str, ...]
    counter_examples: tuple[str, ...] = ()
    text: str | None = None
    when: When = When()
    permanence: Permanence | None = None
    action: Action | None = None
    fix_owner: FixOwner | None = None
    stage: Stage | None = None
    cause: str | None = None
    custom: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that fired: the words it fired on, where they stand, and how much that weighs."""

    rule: Rule
    weight: float
    quote: str
    start: int | None = None
    end: int | None = None

    @property
    def rank(self) -> tuple[bool, float, int, int, str]:
        """The sort key: a user's own rule first, then weight, conditions, length of the quote."""
        return (self.rule.custom, self.weight, self.rule.when.count, len(self.quote), self.rule.id)


class RuleBook:
    """All rules, compiled into one engine that runs in linear time."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._texts = tuple(rule for rule in self.rules if rule.text is not None)
        self._codes = tuple(rule for rule in self.rules if rule.text is None)
        self._seen_codes: dict[_Codes, tuple[tuple[Rule, float, str], ...]] = {}

    def matches(
        self, unwrapped: Unwrapped, *, parties: frozenset[str] = frozenset(), status: str | None = None
    ) -> tuple[Match, ...]:
        """The rules that fire on a reply, strongest first.

        Args:
            unwrapped: the reply, taken apart.
            parties: the providers and programs that took part.
            status: the DSN ``Status`` field, a witness weaker than the words.
        """
        codes = _codes_of(unwrapped, status)
        found = [
            *self._text_matches(unwrapped, parties, codes),
            *self._code_matches(unwrapped, parties, codes),
        ]
        return strongest_first(found)

    def notice_matches(self, notice: str, *, parties: frozenset[str] = frozenset()) -> tuple[Match, ...]:
        """The rules that fire on the text meant for people; they weigh less and have no place."""
        unwrapped = Unwrapped(text=notice, chain=(), start=0, end=len(notice))
        found = (
            Match(match.rule, match.weight * NOTICE, match.quote)
            for match in self._text_matches(unwrapped, parties, ())
        )
        return strongest_first(found)

    @cached_property
    def version(self) -> str:
        """A digest of all rules: it changes when any of them does, and is the same in every process."""
        return hashlib.sha256("\n".join(map(_written, self.rules)).encode()).hexdigest()[:12]

    def _text_matches(self, unwrapped: Unwrapped, parties: frozenset[str], codes: _Codes) -> Iterator[Match]:
        for index in self._engine.hits(unwrapped.text):
            rule = self._texts[index]
            if _holds(rule.when, unwrapped.command, parties, codes):
                yield self._place(rule, self._engine.pattern(index), unwrapped)

    @staticmethod
    def _place(rule: Rule, pattern: Any, unwrapped: Unwrapped) -> Match:  # noqa: ANN401  # re2 has no type stubs
        inner = pattern.search(unwrapped.text, unwrapped.start, unwrapped.end)
        hit = inner or pattern.search(unwrapped.text)
        weight = rule.strength * (INNERMOST if inner else OUTER)
        return Match(rule, weight, hit.group(), hit.start(), hit.end())

    def _code_matches(self, unwrapped: Unwrapped, parties: frozenset[str], codes: _Codes) -> Iterator[Match]:
        for rule, weight, quote in self._by_code(codes):
            if _holds(rule.when, unwrapped.command, parties, codes):
                yield Match(rule, weight * rule.strength, quote)

    def _by_code(self, codes: _Codes) -> tuple[tuple[Rule, float, str], ...]:
        """The rules without a text that mean these codes; remembered, as archives repeat themselves."""
        if codes not in self._seen_codes:
            if len(self._seen_codes) >= MAX_SEEN_CODES:
                self._seen_codes.clear()
            placed = ((rule, *_code_place(rule.when, codes)) for rule in self._codes)
            self._seen_codes[codes] = tuple(each for each in placed if each[2])
        return self._seen_codes[codes]

    @cached_property
    def _engine(self) -> PatternSet:
        return compiled_set(rule.text or "" for rule in self._texts)


def _written(rule: Rule) -> str:
    """A rule as text; sets, which have no order of their own, are sorted."""
    when = rule.when
    ordered = (sorted(when.provider), when.smtp, when.enhanced, sorted(when.command))
    return repr((ordered, replace(rule, when=When())))


_Codes = tuple[tuple[float, str, str], ...]
"""Codes seen, decisive first: (weight of the place, reply code or '', enhanced code or '')."""


def _codes_of(unwrapped: Unwrapped, status: str | None) -> _Codes:
    places = [INNERMOST, *[OUTER] * len(unwrapped.chain)]
    replies = zip(places, reversed(unwrapped.chain), strict=False)
    codes = [(place, str(reply.smtp or ""), reply.enhanced or "") for place, reply in replies]
    return (*codes, (STATUS, "", status)) if status else tuple(codes)


def _holds(when: When, command: str | None, parties: frozenset[str], codes: _Codes) -> bool:
    if when.provider and not when.provider & parties:
        return False
    if when.command and command not in when.command:
        return False
    if when.smtp and not any(_is_smtp(pattern, smtp) for pattern in when.smtp for _, smtp, _ in codes):
        return False
    return not when.enhanced or any(
        covers_enhanced(pattern, enhanced) for pattern in when.enhanced for _, _, enhanced in codes
    )


def _code_place(when: When, codes: _Codes) -> tuple[float, str]:
    for place, smtp, enhanced in codes:
        if any(covers_enhanced(pattern, enhanced) for pattern in when.enhanced):
            return place, enhanced
        if not when.enhanced and any(_is_smtp(pattern, smtp) for pattern in when.smtp):
            return place, smtp
    return 0.0, ""


def _is_smtp(pattern: str, smtp: str) -> bool:
    """Whether a reply code is meant: ``5xx`` means any of its class.

    >>> _is_smtp("5xx", "550"), _is_smtp("421", "450")
    (True, False)
    """
    return smtp != "" and (pattern == smtp or pattern == smtp[0] + "xx")


def covers_enhanced(pattern: str, enhanced: str) -> bool:
    """Whether an enhanced code is meant: exact, an open class, or a range of details.

    >>> covers_enhanced("X.2.2", "4.2.2"), covers_enhanced("5.7.606-649", "5.7.611")
    (True, True)
    >>> covers_enhanced("5.1.1", "5.1.10")
    False
    """
    if enhanced == "":
        return False
    if pattern.startswith("X."):
        pattern = enhanced[0] + pattern[1:]
    first, dash, last = pattern.partition("-")
    if not dash:
        return pattern == enhanced
    head, _, low = first.rpartition(".")
    prefix, _, detail = enhanced.rpartition(".")
    return prefix == head and int(low) <= int(detail) <= int(last.rpartition(".")[2])


def strongest_first(matches: Iterable[Match]) -> tuple[Match, ...]:
    """Matches in falling order of rank."""
    return tuple(sorted(matches, key=attrgetter("rank"), reverse=True))
