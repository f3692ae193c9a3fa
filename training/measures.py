"""The arithmetic of an evaluation: precision and recall, confusion, calibration, risk against coverage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import numpy.typing as npt

BINS = 10

Claim = tuple[float, bool]
"""A confidence, and whether the answer was right."""

Pair = tuple[str, str]
"""What is true, and what was answered."""


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
class CategoryScore:
    """How well one category is found: ``true`` items have it, ``answered`` were given it, ``right`` both."""

    category: str
    true: int
    answered: int
    right: int

    @property
    def precision(self) -> float:
        """The share of its answers that is right; 1 of nothing."""
        return Score(self.right, self.answered).share

    @property
    def recall(self) -> float:
        """The share of its items that is found; 1 of nothing."""
        return Score(self.right, self.true).share

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return Score(2 * self.right, self.true + self.answered).share


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often what is answered as what.

    Args:
        labels: the categories that are true or answered anywhere.
        counts: (n_labels, n_labels), rows are true, columns answered, both as in ``labels``.
    """

    labels: tuple[str, ...]
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers whose confidence lies from ``low`` up to ``high``."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Point:
    """Answering only from ``confidence`` on covers a share of the items and is wrong in a share of those."""

    confidence: float
    coverage: float
    risk: float


def score(claims: Iterable[bool]) -> Score:
    """How many of some claims are true."""
    results = list(claims)
    return Score(sum(results), len(results))


def category_scores(pairs: Sequence[Pair]) -> tuple[CategoryScore, ...]:
    """One score a category that is true or answered anywhere, the most frequent first."""
    true = Counter(truth for truth, _ in pairs)
    answered = Counter(answer for _, answer in pairs)
    right = Counter(truth for truth, answer in pairs if truth == answer)
    order = sorted(true | answered, key=lambda label: (-true[label], label))
    return tuple(CategoryScore(label, true[label], answered[label], right[label]) for label in order)


def confusion(pairs: Sequence[Pair]) -> Confusion:
    """The confusion matrix, categories in order of frequency."""
    labels = tuple(each.category for each in category_scores(pairs))
    at = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), np.int64)
    for truth, answer in pairs:
        counts[at[truth], at[answer]] += 1
    return Confusion(labels, counts)


def reliability(claims: Sequence[Claim]) -> tuple[Bin, ...]:
    """Ten bins of equal width; those without an answer are left out."""
    members: list[list[Claim]] = [[] for _ in range(BINS)]
    for claim in claims:
        members[min(BINS - 1, int(claim[0] * BINS))].append(claim)
    return tuple(_bin(number, each) for number, each in enumerate(members) if each)


def calibration_error(claims: Sequence[Claim]) -> float:
    """Expected calibration error, 0 to 1."""
    gaps = (each.count * abs(each.confidence - each.accuracy) for each in reliability(claims))
    return sum(gaps) / (len(claims) or 1)


def brier(claims: Sequence[Claim]) -> float:
    """Mean squared distance of the confidence from what came true, 0 to 1."""
    return sum((confidence - right) ** 2 for confidence, right in claims) / (len(claims) or 1)


def risk_coverage(claims: Sequence[Claim]) -> tuple[Point, ...]:
    """One point a distinct confidence, from the surest answers alone to all of them."""
    points: list[Point] = []
    covered = wrong = 0
    for confidence, group in groupby(sorted(claims, key=itemgetter(0), reverse=True), key=itemgetter(0)):
        rights = [right for _, right in group]
        covered += len(rights)
        wrong += len(rights) - sum(rights)
        points.append(Point(confidence, covered / len(claims), wrong / covered))
    return tuple(points)


def _bin(number: int, members: list[Claim]) -> Bin:
    count = len(members)
    return Bin(
        low=number / BINS,
        high=(number + 1) / BINS,
        count=count,
        confidence=sum(confidence for confidence, _ in members) / count,
        accuracy=sum(right for _, right in members) / count,
    )
