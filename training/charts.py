"""Where things stand in the pictures of a report: scales, curves and shades; the page draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from training.measures import Confusion, Point

RISK_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Frame:
    """A plotting area inside an SVG; shares run to the right and up, to ``x_max`` and ``y_max``."""

    left: int = 52
    top: int = 14
    width: int = 430
    height: int = 290
    x_max: float = 1.0
    y_max: float = 1.0

    @property
    def right(self) -> int:
        """The right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The lower edge."""
        return self.top + self.height

    def x(self, share: float) -> float:
        """How far right a share stands."""
        return round(self.left + self.width * share / self.x_max, 1)

    def y(self, share: float) -> float:
        """How far down a share stands; what is above the scale stands at its end."""
        return round(self.bottom - self.height * min(share / self.y_max, 1.0), 1)

    def y_ticks(self, count: int = 5) -> tuple[float, ...]:
        """Evenly spaced values from 0 to the end of the scale."""
        return tuple(self.y_max * number / count for number in range(count + 1))


@dataclass(frozen=True, slots=True)
class Cell:
    """A field of the confusion matrix that is not zero; ``share`` is of its row."""

    row: int
    column: int
    truth: str
    answer: str
    count: int
    share: float

    @property
    def is_right(self) -> bool:
        """Whether it lies on the diagonal."""
        return self.row == self.column

    @property
    def shade(self) -> float:
        """How strong its colour is, 0.15 to 1: the square root, so that rare confusions can be seen."""
        return round(0.15 + 0.85 * math.sqrt(self.share), 3)


def cells(matrix: Confusion) -> tuple[Cell, ...]:
    """The fields of a confusion matrix that are not zero, row by row."""
    rows, columns = matrix.counts.nonzero()
    totals = matrix.counts.sum(axis=1)
    return tuple(
        Cell(
            row=row,
            column=column,
            truth=matrix.labels[row],
            answer=matrix.labels[column],
            count=int(matrix.counts[row, column]),
            share=float(matrix.counts[row, column] / totals[row]),
        )
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    )


def risk_frame(curves: Sequence[Sequence[Point]]) -> Frame:
    """A frame that is just high enough for the risk of every curve."""
    highest = max((point.risk for curve in curves for point in curve), default=0.0)
    return Frame(y_max=next(step for step in RISK_STEPS if step >= highest))


def path(frame: Frame, curve: Sequence[Point]) -> str:
    """A risk-coverage curve as the ``d`` of an SVG path: risk holds until more is covered."""
    if not curve:
        return ""
    points = [(0.0, curve[0].risk), *((point.coverage, point.risk) for point in curve)]
    return "M" + " L".join(f"{frame.x(coverage)} {frame.y(risk)}" for coverage, risk in points)
