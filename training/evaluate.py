"""Measures a diagnoser on labelled bounces: what is right, how sure it was, and which ones are wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from model.classifier import Classifier
from model.pipeline import Diagnoser, build_diagnoser
from model.types import Diagnosis
from training.corpus import Item
from training.measures import (
    Bin,
    CategoryScore,
    Claim,
    Confusion,
    Pair,
    Point,
    Score,
    brier,
    calibration_error,
    category_scores,
    confusion,
    reliability,
    risk_coverage,
    score,
)

SURE = 0.95
"""From this confidence on an answer may be acted on without a look."""

ASPECTS = ("language", "provider", "origin", "split")
"""What labels may say of an item beside the truth."""

__all__ = [
    "SURE",
    "Evaluation",
    "Mode",
    "Outcome",
    "Score",
    "diagnoser_of",
    "diagnosers",
    "evaluate",
    "faults",
]


class Mode(StrEnum):
    """Which halves take part."""

    BOTH = "both"
    RULES = "rules"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One item and what the diagnoser said of it."""

    item: Item
    diagnosis: Diagnosis

    @property
    def category(self) -> str:
        """The category answered."""
        return self.diagnosis.lead.verdict.category

    @property
    def confidence(self) -> float:
        """The confidence answered."""
        return self.diagnosis.lead.verdict.confidence

    @property
    def truth(self) -> str:
        """What is true, for a score by category: the answer where it is accepted, else the label."""
        return self.category if self.is_category_right else self.item.category

    @property
    def is_category_right(self) -> bool:
        """Whether a careful administrator would accept the category of any recipient's answer that leads."""
        return self.category in self.item.accept

    @property
    def is_kind_right(self) -> bool:
        """Whether the kind is the labelled one."""
        return self.diagnosis.kind == self.item.kind

    @property
    def is_permanence_right(self) -> bool:
        """Whether the permanence is the labelled one; always where the label says unknown."""
        return self.item.permanence in ("unknown", self.diagnosis.lead.verdict.permanence)

    @property
    def found(self) -> frozenset[str]:
        """The addresses found, original ones too, in lower case."""
        pairs = ((each.address, each.original_address) for each in self.diagnosis.recipients)
        return frozenset(address.lower() for pair in pairs for address in pair if address)

    @property
    def are_recipients_found(self) -> bool:
        """Whether every labelled recipient was found."""
        return self.item.recipients <= self.found

    @property
    def decider(self) -> str:
        """What decided: the rule, else the half."""
        verdict = self.diagnosis.lead.verdict
        rule_id = verdict.evidence[0].rule_id if verdict.evidence else None
        return rule_id or verdict.decided_by


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores over a corpus and the outcomes behind them."""

    outcomes: tuple[Outcome, ...]

    @property
    def category(self) -> Score:
        """Category right."""
        return score(outcome.is_category_right for outcome in self.outcomes)

    @property
    def kind(self) -> Score:
        """Kind right."""
        return score(outcome.is_kind_right for outcome in self.outcomes)

    @property
    def permanence(self) -> Score:
        """Permanence right, of the items whose label says."""
        return score(each.is_permanence_right for each in self.outcomes if each.item.permanence != "unknown")

    @property
    def recipients(self) -> Score:
        """All labelled recipients found, of the items that have any."""
        return score(outcome.are_recipients_found for outcome in self.outcomes if outcome.item.recipients)

    @property
    def sure(self) -> Score:
        """Category right, of the answers with a confidence from 0.95 on."""
        return score(each.is_category_right for each in self.outcomes if each.confidence >= SURE)

    @property
    def sure_share(self) -> float:
        """The share of answers with a confidence from 0.95 on."""
        return self.sure.total / (len(self.outcomes) or 1)

    @property
    def calibration_error(self) -> float:
        """Expected calibration error over ten bins of equal width, 0 to 1."""
        return calibration_error(self._claims)

    @property
    def brier(self) -> float:
        """Mean squared distance of the confidence from what came true, 0 to 1."""
        return brier(self._claims)

    @property
    def reliability(self) -> tuple[Bin, ...]:
        """Confidence against accuracy, in bins."""
        return reliability(self._claims)

    @property
    def risk_coverage(self) -> tuple[Point, ...]:
        """What share is wrong where only the surest share is answered."""
        return risk_coverage(self._claims)

    @property
    def by_category(self) -> tuple[CategoryScore, ...]:
        """Precision and recall of each category, the most frequent first."""
        return category_scores(self._pairs)

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the categories."""
        scores = self.by_category
        return sum(each.f1 for each in scores) / (len(scores) or 1)

    @property
    def confusion(self) -> Confusion:
        """What is answered as what."""
        return confusion(self._pairs)

    def wrong(self) -> tuple[Outcome, ...]:
        """The outcomes with anything wrong, in corpus order."""
        return tuple(outcome for outcome in self.outcomes if faults(outcome))

    def worst(self, limit: int = 25) -> tuple[Outcome, ...]:
        """The outcomes whose category is wrong, the surest first."""
        wrong = (outcome for outcome in self.outcomes if not outcome.is_category_right)
        return tuple(sorted(wrong, key=lambda outcome: -outcome.confidence)[:limit])

    def by(self, aspect: str) -> dict[str, Evaluation]:
        """An evaluation for each value of an aspect that labels name, the most frequent first."""
        groups: dict[str, list[Outcome]] = {}
        for outcome in self.outcomes:
            if value := getattr(outcome.item, aspect):
                groups.setdefault(value, []).append(outcome)
        order = sorted(groups, key=lambda value: (-len(groups[value]), value))
        return {value: Evaluation(tuple(groups[value])) for value in order}

    @property
    def _claims(self) -> tuple[Claim, ...]:
        return tuple((outcome.confidence, outcome.is_category_right) for outcome in self.outcomes)

    @property
    def _pairs(self) -> tuple[Pair, ...]:
        return tuple((outcome.truth, outcome.category) for outcome in self.outcomes)


def diagnoser_of(
    mode: Mode, custom_rules: Path | None = None, *, classifier: Classifier | None = None
) -> Diagnoser:
    """A diagnoser in which only some halves take part; without a classifier the shipped one."""
    return build_diagnoser(
        custom_rules if mode is not Mode.MODEL else None,
        classifier=classifier,
        with_rules=mode is not Mode.MODEL,
        with_model=mode is not Mode.RULES,
    )


def diagnosers(
    custom_rules: Path | None = None, *, classifier: Classifier | None = None
) -> Mapping[Mode, Diagnoser]:
    """The three diagnosers to compare: both halves, the rules alone, the classifier alone."""
    return {mode: diagnoser_of(mode, custom_rules, classifier=classifier) for mode in Mode}


def evaluate(diagnoser: Diagnoser, items: Iterable[Item]) -> Evaluation:
    """What a diagnoser says of labelled items."""
    return Evaluation(tuple(Outcome(item, diagnoser.diagnose(item.raw, form=item.form)) for item in items))


def faults(outcome: Outcome) -> tuple[str, ...]:
    """What is wrong with an answer: answered, and what was labelled."""
    return tuple(text for is_right, text in _checks(outcome) if not is_right)


def _checks(outcome: Outcome) -> Iterator[tuple[bool, str]]:
    item, answer = outcome.item, f"{outcome.category} {outcome.confidence:.2f} by {outcome.decider}"
    permanence = outcome.diagnosis.lead.verdict.permanence
    yield outcome.is_kind_right, f"kind {outcome.diagnosis.kind} is {item.kind}"
    yield outcome.is_category_right, f"category {answer} is {', '.join(sorted(item.accept))}"
    yield outcome.is_permanence_right, f"permanence {permanence} is {item.permanence}"
    yield outcome.are_recipients_found, f"recipients {sorted(outcome.found)} are {sorted(item.recipients)}"
