"""The verdict: one category with an honest confidence, from rules and prediction together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model.rules import Match
from model.taxonomy import BY_CODE, UNKNOWN, taxonomy
from model.types import (
    Action,
    Candidate,
    Evidence,
    FixOwner,
    Kind,
    Permanence,
    Prediction,
    Stage,
    Unwrapped,
    Verdict,
)

UNKNOWN_BELOW = 0.3
"""Under this confidence the answer is ``unknown``, with candidates."""

NARROW_ENOUGH = 0.7
"""A narrower category wins over a broad one when it has at least this share of its weight."""

NEGLIGIBLE = 0.001
"""Under this confidence the classifier has said nothing about a category."""

CODE_AGAINST_WORDS = 0.5
"""What a code that contradicts the words counts of its weight."""

EXPIRED_FROM = 0.6
"""From this weight on, words of expiry make a bounce final."""

SURELY_UNKNOWN = 0.9
"""The confidence in ``unknown`` where no rule fires at all."""

MAX_ALTERNATIVES = 3
MAX_EVIDENCE = 8
_KIND_CATEGORIES = {
    Kind.SUCCESS: ("delivery_notice", 0.97),
    Kind.AUTO_REPLY: ("auto_reply", 0.95),
    Kind.COMPLAINT: ("complaint", 0.97),
    Kind.NOT_NDR: (UNKNOWN, 0.9),
}
_IMPOSSIBLE = {
    Kind.BOUNCE: {"delivery_delayed", "delivery_notice", "auto_reply", "complaint"},
    Kind.DELAY: {"message_expired", "delivery_notice", "auto_reply", "complaint"},
}
_BY_DIGIT = {"4": Permanence.TEMPORARY, "5": Permanence.PERMANENT}
_STAGE_BY_COMMAND = {"CONNECT": Stage.CONNECTION, "STARTTLS": Stage.CONNECTION}


@dataclass(frozen=True, slots=True)
class Facts:
    """What else bears on the verdict for one recipient."""

    kind: Kind
    kind_reason: str
    unwrapped: Unwrapped
    status: str | None = None
    original_seen: bool = False
    gave_up: bool = False

    @property
    def digit(self) -> str:
        """The first digit of the reply, else of the status; empty where there is neither."""
        reply = self.unwrapped.innermost if self.unwrapped.chain else None
        code = (str(reply.smtp or "") or reply.enhanced if reply else None) or self.status or ""
        return code[:1]


def combine(matches: Iterable[Match], facts: Facts, *, prediction: Prediction | None = None) -> Verdict:
    """The verdict on one recipient.

    Args:
        matches: the rules that fired, strongest first.
        facts: the kind of message and what else bears on the axes.
        prediction: what the classifier says, if there is one.
    """
    if facts.kind in _KIND_CATEGORIES:
        category, confidence = _KIND_CATEGORIES[facts.kind]
        return _verdict(category, confidence, (), facts, evidence=(_kind_evidence(facts, confidence),))
    possible = tuple(match for match in matches if match.rule.category not in _IMPOSSIBLE[facts.kind])
    weights = _weights(possible, prediction)
    if not weights:
        return _undecided({}, facts, possible)
    top = _top(possible, weights)
    confidence = _confidence(top, possible, weights)
    if confidence < UNKNOWN_BELOW:
        return _undecided(weights, facts, possible)
    return _verdict(top, confidence, possible, facts, weights=weights)


def _weights(matches: tuple[Match, ...], prediction: Prediction | None) -> dict[str, float]:
    """The best weight a category has, from rules and prediction."""
    weights: dict[str, float] = {}
    for candidate in prediction.candidates if prediction else ():
        if candidate.confidence >= NEGLIGIBLE:
            weights[candidate.category] = candidate.confidence
    for match in matches:
        weights[match.rule.category] = max(match.weight, weights.get(match.rule.category, 0.0))
    return weights


def _top(matches: tuple[Match, ...], weights: Mapping[str, float]) -> str:
    """The category that wins: a user's own rule, else the narrowest of the strong ones."""
    if matches and matches[0].rule.custom:
        return matches[0].rule.category
    ranked = sorted(weights, key=lambda name: weights[name], reverse=True)
    if not taxonomy()[ranked[0]].broad:
        return ranked[0]
    enough = weights[ranked[0]] * NARROW_ENOUGH
    narrow = _narrower(ranked[0], matches, weights)
    return next((name for name in ranked if narrow.get(name, 0.0) >= enough), ranked[0])


def _narrower(broad: str, matches: tuple[Match, ...], weights: Mapping[str, float]) -> Mapping[str, float]:
    """The narrow categories that may win over a broad one, with what counts of their weight.

    A looser reading of the broad rule's own words does not count; neither does a code against its words.
    """
    best = next((match for match in matches if match.rule.category == broad), None)
    by_rule = {match.rule.category for match in matches}
    counted = {name: weight for name, weight in weights.items() if name not in by_rule}
    for match in matches:
        name = match.rule.category
        counted[name] = max(counted.get(name, 0.0), _contradiction(match, best))
    return {name: weight for name, weight in counted.items() if not taxonomy()[name].broad}


def _confidence(top: str, matches: tuple[Match, ...], weights: Mapping[str, float]) -> float:
    """The weight, lowered by the strongest rival: a tie is not certainty. A user's own rule has no rival."""
    own = weights[top]
    best = next((match for match in matches if match.rule.category == top), None)
    if best is not None and best.rule.custom:
        return best.weight
    by_rule = {match.rule.category for match in matches}
    predicted = [weight for name, weight in weights.items() if name != top and name not in by_rule]
    rivals = [_contradiction(match, best) for match in matches if match.rule.category != top]
    rival = max([*predicted, *rivals], default=0.0)
    return own * own**4 / (own**4 + rival**4)


def _contradiction(rival: Match, best: Match | None) -> float:
    """How much a match speaks against the best one.

    A broad category says less but does not contradict; a match on part of the same words only reads them
    more loosely; a code is half a witness against words.
    """
    if taxonomy()[rival.rule.category].broad or (best is not None and _is_within(rival, best)):
        return 0.0
    return rival.weight * (CODE_AGAINST_WORDS if rival.rule.text is None and best and best.rule.text else 1.0)


def _is_within(inner: Match, outer: Match) -> bool:
    if inner.start is None or inner.end is None or outer.start is None or outer.end is None:
        return False
    return outer.start <= inner.start and inner.end <= outer.end


def _undecided(weights: Mapping[str, float], facts: Facts, matches: tuple[Match, ...]) -> Verdict:
    """No honest category: a delay stays a delay, anything else is unknown with its candidates."""
    if facts.kind is Kind.DELAY:
        return _verdict("delivery_delayed", 0.85, (), facts, evidence=(_kind_evidence(facts, 0.85),))
    confidence = SURELY_UNKNOWN * (1.0 - max(weights.values(), default=0.0))
    evidence = _evidence(UNKNOWN, matches) or (
        Evidence("none", "no rule knows the words of this report", 0.0),
    )
    candidates = weights or taxonomy().base_rates
    return _verdict(UNKNOWN, confidence, matches, facts, weights=candidates, evidence=evidence)


def _verdict(
    category: str,
    confidence: float,
    matches: tuple[Match, ...],
    facts: Facts,
    *,
    weights: Mapping[str, float] | None = None,
    evidence: tuple[Evidence, ...] | None = None,
) -> Verdict:
    own = next((match for match in matches if match.rule.category == category), None)
    permanence = _permanence(category, own, facts, gave_up=_gave_up(category, facts, matches))
    return Verdict(
        category=category,
        confidence=round(confidence, 4),
        permanence=permanence,
        action=_action(category, own, permanence, facts),
        fix_owner=_fix_owner(category, own),
        stage=_stage(category, own, facts),
        decided_by=_decided_by(category, own, weights or {}),
        evidence=evidence if evidence is not None else _evidence(category, matches),
        alternatives=_alternatives(category, confidence, weights or {}),
        cause=own.rule.cause if own else None,
    )


def _permanence(category: str, own: Match | None, facts: Facts, *, gave_up: bool) -> Permanence:
    """By what the mail system did, else by the rule, else by category and the first digit of the reply."""
    usual = taxonomy()[category].permanence
    if facts.kind is Kind.DELAY:
        return Permanence.TEMPORARY
    if facts.kind in _KIND_CATEGORIES:
        return Permanence.UNKNOWN
    if category == UNKNOWN:
        return _BY_DIGIT.get(facts.digit, Permanence.UNKNOWN)
    if gave_up and usual != Permanence.UNKNOWN:
        return Permanence.PERMANENT
    if own is not None and own.rule.permanence is not None:
        return own.rule.permanence
    if usual == BY_CODE:
        return Permanence.PERMANENT if facts.digit == "5" else Permanence.TEMPORARY
    if usual == Permanence.PERMANENT and facts.digit == "4":
        return Permanence.TEMPORARY
    return Permanence(usual)


def _says_expired(matches: Iterable[Match]) -> bool:
    """Whether the words say that the queue gave up, whatever it was waiting for."""
    expired = (match for match in matches if match.rule.category == "message_expired")
    return any(match.weight >= EXPIRED_FROM and match.rule.text is not None for match in expired)


def _gave_up(category: str, facts: Facts, matches: Iterable[Match]) -> bool:
    """Whether the queue gave up; that it waited for a full mailbox, its words or a 4xx reply must show."""
    says_expired = _says_expired(matches)
    if category == "mailbox_full":
        return (facts.gave_up and facts.digit == "4") or (says_expired and facts.digit != "5")
    return facts.gave_up or says_expired


def _action(category: str, own: Match | None, permanence: Permanence, facts: Facts) -> Action:
    """The rule's or the category's, within two limits.

    An address is only dropped when the report shows the message that was sent; nothing permanent is retried.
    """
    action = own.rule.action if own and own.rule.action else taxonomy()[category].action
    if action is Action.SUPPRESS and facts.kind is Kind.BOUNCE and not facts.original_seen:
        return Action.FIX_RECIPIENT
    if action in (Action.RETRY, Action.RETRY_SLOWER) and permanence is Permanence.PERMANENT:
        return Action.REVIEW
    return action


def _fix_owner(category: str, own: Match | None) -> FixOwner:
    return own.rule.fix_owner if own and own.rule.fix_owner else taxonomy()[category].fix_owner


def _stage(category: str, own: Match | None, facts: Facts) -> Stage:
    if own and own.rule.stage:
        return own.rule.stage
    usual = taxonomy()[category].stage
    by_command = _STAGE_BY_COMMAND.get(facts.unwrapped.command or "")
    return by_command or Stage.UNKNOWN if usual is Stage.UNKNOWN else usual


def _decided_by(category: str, own: Match | None, weights: Mapping[str, float]) -> str:
    """Who decided: ``rule``, ``model``, ``both`` or ``none``."""
    if category == UNKNOWN and own is None:
        return "none"
    if own is None:
        return "model" if category in weights else "rule"
    return "rule"


def _evidence(category: str, matches: tuple[Match, ...]) -> tuple[Evidence, ...]:
    """The matches that speak for the category first, then those against it."""
    ordered = sorted(matches, key=lambda match: (match.rule.category != category, -match.weight))
    return tuple(
        Evidence("rule", match.quote, round(match.weight, 4), match.rule.id, match.start, match.end)
        for match in ordered[:MAX_EVIDENCE]
    )


def _kind_evidence(facts: Facts, weight: float) -> Evidence:
    return Evidence("kind", facts.kind_reason, weight)


def _alternatives(category: str, confidence: float, weights: Mapping[str, float]) -> tuple[Candidate, ...]:
    """The other categories, sharing what confidence the winner leaves."""
    ranked = sorted(((weight, name) for name, weight in weights.items() if name != category), reverse=True)
    ranked = ranked[:MAX_ALTERNATIVES]
    total = sum(weight for weight, _ in ranked)
    share = min(1.0, (1.0 - confidence) / total) if total else 0.0
    return tuple(Candidate(name, round(weight * share, 4)) for weight, name in ranked)
