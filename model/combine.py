"""The verdict: one category with an honest confidence, from rules and prediction together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from model.axes import Facts, action_of, fix_owner_of, permanence_of, stage_of
from model.rules import Match
from model.taxonomy import UNKNOWN, taxonomy
from model.types import Candidate, Evidence, Kind, Prediction, Verdict
from model.weigh import Blend, raw_confidence, weighed, winner

SURELY_UNKNOWN = 0.9
"""The confidence in ``unknown`` where nothing speaks at all."""

MAX_ALTERNATIVES = 3
MAX_EVIDENCE = 8
NO_BLEND = Blend()
_KIND_CATEGORIES = {
    Kind.SUCCESS: ("delivery_notice", 0.97),
    Kind.AUTO_REPLY: ("auto_reply", 0.95),
    Kind.COMPLAINT: ("complaint", 0.97),
    Kind.NOT_NDR: (UNKNOWN, 0.9),
}
_IMPOSSIBLE = {
    Kind.BOUNCE: frozenset({"delivery_delayed", "delivery_notice", "auto_reply", "complaint"}),
    Kind.DELAY: frozenset({"message_expired", "delivery_notice", "auto_reply", "complaint"}),
}


def combine(
    matches: Iterable[Match],
    facts: Facts,
    *,
    prediction: Prediction | None = None,
    blend: Blend = NO_BLEND,
) -> Verdict:
    """The verdict on one recipient.

    Args:
        matches: the rules that fired, strongest first.
        facts: the kind of message and what else bears on the axes.
        prediction: what the classifier says, if there is one.
        blend: how rules and classifier go together.
    """
    if facts.kind in _KIND_CATEGORIES:
        category, confidence = _KIND_CATEGORIES[facts.kind]
        return _verdict(category, confidence, (), facts, evidence=(_kind_evidence(facts, confidence),))
    impossible = _IMPOSSIBLE[facts.kind]
    possible = tuple(match for match in matches if match.rule.category not in impossible)
    scales = weighed(possible, prediction, impossible=impossible)
    if not scales.weights:
        return _undecided({}, facts, possible)
    top = winner(scales)
    witness = scales.witness(top)
    confidence = blend.honest(raw_confidence(top, scales), witness)
    is_custom = bool(possible) and possible[0].rule.custom
    is_unsaid = confidence < blend.unknown_below or (top == UNKNOWN and facts.kind is Kind.DELAY)
    if is_unsaid and not is_custom:
        return _undecided(scales.weights, facts, possible)
    return _verdict(
        top,
        confidence,
        possible,
        facts,
        weights=scales.weights,
        decided_by=scales.decided_by(top),
        witness=witness,
        prediction=prediction,
        evidence=_evidence(top, possible, prediction),
    )


def _undecided(weights: Mapping[str, float], facts: Facts, matches: tuple[Match, ...]) -> Verdict:
    """No honest category: a delay stays a delay, anything else is unknown with its candidates."""
    if facts.kind is Kind.DELAY:
        return _verdict("delivery_delayed", 0.85, (), facts, evidence=(_kind_evidence(facts, 0.85),))
    confidence = SURELY_UNKNOWN * (1.0 - max(weights.values(), default=0.0))
    nothing = Evidence("none", "no rule knows the words of this report", 0.0)
    evidence = _evidence(UNKNOWN, matches, None) or (nothing,)
    candidates = weights or taxonomy().base_rates
    return _verdict(
        UNKNOWN, confidence, matches, facts, weights=candidates, evidence=evidence, decided_by="none"
    )


def _verdict(
    category: str,
    confidence: float,
    matches: tuple[Match, ...],
    facts: Facts,
    *,
    evidence: tuple[Evidence, ...],
    weights: Mapping[str, float] | None = None,
    decided_by: str = "rule",
    witness: str | None = None,
    prediction: Prediction | None = None,
) -> Verdict:
    own = next((match for match in matches if match.rule.category == category), None)
    permanence = permanence_of(category, own, facts, matches=matches, prediction=prediction)
    return Verdict(
        category=category,
        confidence=round(confidence, 4),
        permanence=permanence,
        action=action_of(category, own, permanence, facts),
        fix_owner=fix_owner_of(category, own),
        stage=stage_of(category, own, facts),
        decided_by=decided_by,
        witness=witness,
        evidence=evidence,
        alternatives=_alternatives(category, confidence, weights or {}),
        cause=own.rule.cause if own else None,
    )


def _evidence(
    category: str, matches: tuple[Match, ...], prediction: Prediction | None
) -> tuple[Evidence, ...]:
    """The matches that speak for the category, the classifier's words, then what speaks against it."""
    ordered = sorted(matches, key=lambda match: (match.rule.category != category, -match.weight))
    ruled = [
        Evidence("rule", match.quote, round(match.weight, 4), match.rule.id, match.start, match.end)
        for match in ordered
    ]
    own = sum(match.rule.category == category for match in matches)
    return tuple([*ruled[:own], *_learned(category, prediction), *ruled[own:]][:MAX_EVIDENCE])


def _learned(category: str, prediction: Prediction | None) -> list[Evidence]:
    """The words that weighed most, where the classifier's first choice is the category."""
    if prediction is None or not prediction.candidates or prediction.candidates[0].category != category:
        return []
    return [Evidence("model", ", ".join(prediction.words), round(prediction.candidates[0].confidence, 4))]


def _kind_evidence(facts: Facts, weight: float) -> Evidence:
    return Evidence("kind", facts.kind_reason, weight)


def _alternatives(category: str, confidence: float, weights: Mapping[str, float]) -> tuple[Candidate, ...]:
    """The other categories, sharing what confidence the winner leaves."""
    ranked = sorted(((weight, name) for name, weight in weights.items() if name != category), reverse=True)
    ranked = ranked[:MAX_ALTERNATIVES]
    total = sum(weight for weight, _ in ranked)
    share = min(1.0, (1.0 - confidence) / total) if total else 0.0
    return tuple(Candidate(name, round(weight * share, 4)) for weight, name in ranked)
