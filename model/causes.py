"""Ranks the causes of a failure anew by what logs, event entries and clocks speak for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from model.errors import UnknownName
from model.events import Event
from model.knowledge import Knowledge, knowledge
from model.path import Sighting
from model.types import Advice, Cause, RecipientDiagnosis

RAISE = 6.0
"""How much one witness raises the odds of a cause."""

LATER = 0.5
"""What the next cause that an entry speaks for counts of the one before."""

SKEWED_S = -2.0
"""From this delay between two hops on, a clock is wrong."""

CLOCK = "clock_skew"
MAX_QUOTE_CHARS = 300
_QUOTED = ("error", "connector", "mechanism", "delay_s", "offset_s", "target")

Raised = Mapping[str, tuple[float, tuple[str, ...]]]
"""Cause to the factor on its odds and the quotes behind it."""


def raised_causes(sightings: Iterable[Sighting]) -> Raised:
    """The causes that the evidence speaks for."""
    raised: dict[str, tuple[float, tuple[str, ...]]] = {}
    for sighting in sightings:
        for cause, factor in _spoken_for(sighting.event):
            known, quotes = raised.get(cause, (1.0, ()))
            quote = quote_of(sighting)
            raised[cause] = max(known, factor), quotes if quote in quotes else (*quotes, quote)
    return raised


def fitting(
    found: RecipientDiagnosis, parties: frozenset[str], raised: Raised, language: str, *, are_all: bool
) -> RecipientDiagnosis:
    """The answer with the causes that the programs on the way allow, which the words alone do not show.

    Args:
        found: the answer by the words.
        parties: providers and programs that took part where it stopped.
        raised: the causes that the evidence speaks for.
        language: of the words.
        are_all: whether these are all that took part there, so that the causes of others are left out.
    """
    book, verdict = knowledge(language), found.verdict
    known = {cause.id: cause for cause in found.advice.causes}
    allowed = {cause.id: cause for cause in book.advice(verdict, parties=parties).causes}
    spoken = {cause.id: cause for cause in _spoken_of(verdict.category, raised, book)}
    kept = {name: cause for name, cause in known.items() if not are_all or name in allowed}
    causes = tuple((kept | spoken | allowed).values())
    return replace(found, advice=replace(found.advice, causes=causes))


def ranked_by_evidence(advice: Advice, raised: Raised) -> Advice:
    """The advice with its causes ranked anew; likelihoods still add up to one."""
    odds = [(cause, cause.likelihood * raised.get(cause.id, (1.0, ()))[0]) for cause in advice.causes]
    total = sum(weight for _, weight in odds) or 1.0
    causes = [_quoted(cause, round(weight / total, 3), raised) for cause, weight in odds]
    return replace(advice, causes=tuple(sorted(causes, key=lambda cause: -cause.likelihood)))


def quote_of(sighting: Sighting) -> str:
    """What a witness says, with who and when, in facts that need no translation."""
    event, detail = sighting.event, sighting.event.detail
    source = detail.get("provider") or detail.get("source") or ""
    parts = (
        event.at.isoformat(timespec="seconds") if event.at else "",
        f"{source} {detail.get('event_id', '')}".strip(),
        event.host or "",
        *(f"{name}={detail[name]}" for name in _QUOTED if name in detail),
        event.peer_ip or event.peer or "",
        event.reply,
    )
    return f"{sighting.witness}: {' '.join(filter(None, parts))}"[:MAX_QUOTE_CHARS]


def _spoken_of(category: str, raised: Raised, book: Knowledge) -> Iterator[Cause]:
    """The causes of a category that the evidence speaks for."""
    for name in raised:
        try:
            of, cause = book.cause(name)
        except UnknownName:
            continue
        if of == category:
            yield cause


def _spoken_for(event: Event) -> Sequence[tuple[str, float]]:
    """The causes that an event names, the likeliest first, with the factor on their odds."""
    if _delay_s(event) <= SKEWED_S:
        return ((CLOCK, RAISE),)
    named = [cause.strip() for cause in event.detail.get("cause", "").split(",")]
    return tuple((cause, 1.0 + (RAISE - 1.0) * LATER**rank) for rank, cause in enumerate(named) if cause)


def _delay_s(event: Event) -> float:
    try:
        return float(event.detail.get("delay_s", "0"))
    except ValueError:
        return 0.0


def _quoted(cause: Cause, likelihood: float, raised: Raised) -> Cause:
    quotes = raised.get(cause.id, (1.0, ()))[1]
    return replace(cause, likelihood=likelihood, evidence=(*cause.evidence, *quotes))
