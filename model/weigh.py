"""Weighs what rules and classifier say: which category wins, and how surely."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from model.rules import Match
from model.taxonomy import UNKNOWN, taxonomy
from model.types import Prediction

NARROW_ENOUGH = 0.7
"""A narrower category wins over a broad one when it has at least this share of its weight."""

CODE_AGAINST_WORDS = 0.5
"""What a code that contradicts the words counts of its weight."""

SPECIFIC = 0.85
"""From this weight on, a rule is specific enough to outrank the classifier."""

NO_REASON = frozenset({UNKNOWN, "delivery_delayed"})
"""What the classifier says where it hears no reason: never an answer, but less for all others."""

AUDIBLE = 0.3
"""From this weight on, rules or classifier count as having spoken for a category."""


@dataclass(frozen=True, slots=True)
class Blend:
    """How rules and classifier go together; learned on texts that the classifier was not made from.

    Args:
        calibration: by witness (see ``Scales.witness``), the offset and slope that turn the logit of a raw
            confidence into that of an honest one; none leaves it as it is.
        unknown_below: under this confidence the answer is ``unknown``, with candidates.
    """

    calibration: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    unknown_below: float = 0.3

    def honest(self, raw: float, witness: str) -> float:
        """The calibrated confidence.

        >>> Blend(calibration={"model": (0.0, 0.5)}).honest(0.9, "model")
        0.75
        """
        if witness not in self.calibration:
            return raw
        offset, slope = self.calibration[witness]
        bounded = min(max(raw, 1e-4), 1 - 1e-4)
        logit = offset + slope * math.log(bounded / (1 - bounded))
        return round(1 / (1 + math.exp(-logit)), 6)


@dataclass(frozen=True, slots=True)
class Scales:
    """The weights of all categories: by the rules that fired, and by the classifier."""

    matches: tuple[Match, ...]
    rules: Mapping[str, float]
    model: Mapping[str, float]

    def weight(self, category: str) -> float:
        """Both together: two witnesses that agree are surer than one.

        >>> round(Scales((), {"greylisted": 0.6}, {"greylisted": 0.5}).weight("greylisted"), 2)
        0.8
        """
        return 1 - (1 - self.rules.get(category, 0.0)) * (1 - self.model.get(category, 0.0))

    @property
    def weights(self) -> dict[str, float]:
        """Every category that anything speaks for."""
        return {name: self.weight(name) for name in {**self.rules, **self.model}}

    def decided_by(self, category: str) -> str:
        """Who speaks for a category: ``rule``, ``model`` or ``both``."""
        rule, model = self.rules.get(category, 0.0), self.model.get(category, 0.0)
        if min(rule, model) >= AUDIBLE:
            return "both"
        return "rule" if rule >= model else "model"

    def witness(self, category: str) -> str:
        """Who speaks for a category, with ``contested`` where another one is audible."""
        rivals = (self.weight(name) for name in self.weights if name != category)
        return self.decided_by(category) + (" contested" if max(rivals, default=0.0) >= AUDIBLE else "")


def weighed(
    matches: tuple[Match, ...], prediction: Prediction | None, *, impossible: frozenset[str]
) -> Scales:
    """The scales for one reply.

    Args:
        matches: the rules that fired, strongest first.
        prediction: what the classifier says, if there is one.
        impossible: categories that the kind of message rules out.
    """
    candidates = prediction.candidates if prediction else ()
    model = {
        candidate.category: candidate.confidence
        for candidate in candidates
        if candidate.category not in impossible and candidate.category not in NO_REASON
    }
    rules: dict[str, float] = {}
    for match in matches:
        rules[match.rule.category] = max(rules.get(match.rule.category, 0.0), _told(match, model))
    return Scales(matches, rules, model)


def _told(match: Match, model: Mapping[str, float]) -> float:
    """A match's weight; of a bare code, which the classifier has heard too, half stands with its consent."""
    is_heard = bool(model) and match.rule.text is None and not match.rule.custom
    consent = model.get(match.rule.category, 0.0) if is_heard else 1.0
    return match.weight * (CODE_AGAINST_WORDS + (1 - CODE_AGAINST_WORDS) * consent)


def winner(scales: Scales) -> str:
    """The category that wins: a user's own rule, a specific rule, else the narrowest of the strong ones.

    A specific rule beats the classifier; the classifier beats a bare generic code.
    """
    if scales.matches and scales.matches[0].rule.custom:
        return scales.matches[0].rule.category
    if scales.model and max(scales.rules.values(), default=0.0) >= SPECIFIC:
        return winner(Scales(scales.matches, scales.rules, {}))
    weights = scales.weights
    ranked = sorted(weights, key=weights.__getitem__, reverse=True)
    if not taxonomy()[ranked[0]].broad:
        return ranked[0]
    best = _best(scales, ranked[0])
    enough = weights[ranked[0]] * NARROW_ENOUGH
    narrow = (name for name in ranked if not taxonomy()[name].broad)
    return next((name for name in narrow if _against(name, scales, best) >= enough), ranked[0])


def raw_confidence(category: str, scales: Scales) -> float:
    """The weight, lowered by the strongest rival: a tie is not certainty. A user's own rule has no rival."""
    own, best = scales.weight(category), _best(scales, category)
    if best is not None and best.rule.custom:
        return own
    rivals = (_against(name, scales, best) for name in scales.weights if name != category)
    rival = max(rivals, default=0.0)
    return own * own**4 / (own**4 + rival**4) if own else 0.0


def _against(category: str, scales: Scales, best: Match | None) -> float:
    """How much speaks for a category against the best match of another; a broad one contradicts nothing."""
    if taxonomy()[category].broad:
        return 0.0
    ruled = (_contradiction(match, best) for match in scales.matches if match.rule.category == category)
    return 1 - (1 - max(ruled, default=0.0)) * (1 - scales.model.get(category, 0.0))


def _contradiction(rival: Match, best: Match | None) -> float:
    """A match on part of the same words only reads them more loosely; a code is half a witness."""
    if best is not None and _is_within(rival, best):
        return 0.0
    is_code_against_words = rival.rule.text is None and best is not None and best.rule.text is not None
    return rival.weight * (CODE_AGAINST_WORDS if is_code_against_words else 1.0)


def _is_within(inner: Match, outer: Match) -> bool:
    if inner.start is None or inner.end is None or outer.start is None or outer.end is None:
        return False
    return outer.start <= inner.start and inner.end <= outer.end


def _best(scales: Scales, category: str) -> Match | None:
    return next((match for match in scales.matches if match.rule.category == category), None)
