"""Measures a diagnoser on labelled bounces: what is right, and which ones are wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from model.pipeline import Diagnoser
from model.types import Diagnosis
from training.corpus import Item

BINS = 10


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


@dataclass(frozen=True, slots=True)
class Score:
    """How many of how many are right."""

    right: int
    total: int

    @property
    def share(self) -> float:
        """The share that is right, 0 to 1; 1 of nothing."""
        return self.right / self.total if self.total else 1.0

    def __str__(self) -> str:
        return f"{self.share:7.2%}  ({self.right} of {self.total})"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores over a corpus and the outcomes behind them."""

    outcomes: tuple[Outcome, ...]

    @property
    def category(self) -> Score:
        """Category right."""
        return _score(outcome.is_category_right for outcome in self.outcomes)

    @property
    def kind(self) -> Score:
        """Kind right."""
        return _score(outcome.is_kind_right for outcome in self.outcomes)

    @property
    def permanence(self) -> Score:
        """Permanence right, of the items whose label says."""
        return _score(each.is_permanence_right for each in self.outcomes if each.item.permanence != "unknown")

    @property
    def recipients(self) -> Score:
        """All labelled recipients found, of the items that have any."""
        return _score(outcome.are_recipients_found for outcome in self.outcomes if outcome.item.recipients)

    @property
    def calibration_error(self) -> float:
        """Expected calibration error over ten bins of equal width, 0 to 1."""
        bins: list[list[Outcome]] = [[] for _ in range(BINS)]
        for outcome in self.outcomes:
            bins[min(BINS - 1, int(outcome.confidence * BINS))].append(outcome)
        return sum(_gap(members) * len(members) for members in bins if members) / (len(self.outcomes) or 1)

    def wrong(self) -> tuple[Outcome, ...]:
        """The outcomes with anything wrong, in corpus order."""
        return tuple(outcome for outcome in self.outcomes if faults(outcome))


def evaluate(diagnoser: Diagnoser, items: Iterable[Item]) -> Evaluation:
    """What a diagnoser says of labelled items."""
    return Evaluation(tuple(Outcome(item, diagnoser.diagnose(item.raw, form=item.form)) for item in items))


def faults(outcome: Outcome) -> tuple[str, ...]:
    """What is wrong with an answer: answered, and what was labelled."""
    item, verdict = outcome.item, outcome.diagnosis.lead.verdict
    rule_id = verdict.evidence[0].rule_id if verdict.evidence else None
    checks = (
        (outcome.is_kind_right, f"kind {outcome.diagnosis.kind} is {item.kind}"),
        (
            outcome.is_category_right,
            f"category {outcome.category} {outcome.confidence:.2f} by {rule_id} is {', '.join(item.accept)}",
        ),
        (outcome.is_permanence_right, f"permanence {verdict.permanence} is {item.permanence}"),
        (outcome.are_recipients_found, f"recipients {sorted(outcome.found)} are {sorted(item.recipients)}"),
    )
    return tuple(text for is_right, text in checks if not is_right)


def _score(claims: Iterable[bool]) -> Score:
    results = list(claims)
    return Score(sum(results), len(results))


def _gap(members: list[Outcome]) -> float:
    confidence = sum(outcome.confidence for outcome in members) / len(members)
    accuracy = sum(outcome.is_category_right for outcome in members) / len(members)
    return abs(confidence - accuracy)
