"""An evaluation as one self-contained page with pictures, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from training.charts import Cell, Frame, cells, path, risk_frame
from training.evaluate import ASPECTS, SURE, Evaluation, Mode, Outcome, faults
from training.measures import CategoryScore, Score
from training.pages import render

WORST = 25
MAX_CONFUSED = 12
MAX_VALUES = 40
EXCERPT_CHARS = 240
MIN_TEXT_SHADE = 0.55
"""From this shade on a field needs figures in the contrasting colour."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is reported.

    Args:
        title: what was measured, such as the name of the folder.
        evaluation: the one that is shown in full.
        mode: which halves took part in it.
        compared: all evaluations to compare, this one among them.
    """

    title: str
    evaluation: Evaluation
    mode: Mode = Mode.BOTH
    compared: Mapping[Mode, Evaluation] | None = None

    @property
    def modes(self) -> Mapping[Mode, Evaluation]:
        """The evaluations to compare."""
        return self.compared or {self.mode: self.evaluation}


def as_html(report: Report) -> str:
    """The page: no network, no script, light and dark, fit to print."""
    evaluation = report.evaluation
    curves = {mode: each.risk_coverage for mode, each in report.modes.items()}
    frame = risk_frame(tuple(curves.values()))
    return render(
        "evaluation.html",
        report=report,
        evaluation=evaluation,
        versions=_versions(evaluation),
        labels=evaluation.confusion.labels,
        cells=cells(evaluation.confusion),
        confused=_confused(evaluation),
        reliability_frame=Frame(),
        risk_frame=frame,
        curves={mode: path(frame, curve) for mode, curve in curves.items()},
        slices=_slices(evaluation),
        worst=evaluation.worst(WORST),
        excerpt=excerpt,
        faults=faults,
        sure_from=SURE,
        light_figures_from=MIN_TEXT_SHADE,
    )


def as_json(report: Report) -> bytes:
    """The same figures for programs; keys in a fixed order."""
    evaluation = report.evaluation
    content = {
        "title": report.title,
        "mode": report.mode,
        **_versions(evaluation),
        **_figures(evaluation),
        "modes": {mode.value: _figures(each) for mode, each in report.modes.items()},
        "categories": [_category(each) for each in evaluation.by_category],
        "confusion": _matrix(evaluation),
        "reliability": [asdict(each) for each in evaluation.reliability],
        "risk_coverage": [asdict(each) for each in evaluation.risk_coverage],
        "by": {
            aspect: {value: _figures(each) for value, each in groups.items()}
            for aspect, groups in _slices(evaluation).items()
        },
        "worst": [_error(outcome) for outcome in evaluation.worst(WORST)],
        "wrong": [{"id": each.item.id, "faults": faults(each)} for each in evaluation.wrong()],
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"


def excerpt(outcome: Outcome) -> str:
    """The beginning of the words that were judged."""
    text = " ".join(outcome.diagnosis.lead.unwrapped.text.split())
    return text if len(text) <= EXCERPT_CHARS else f"{text[:EXCERPT_CHARS]}…"


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "items": len(evaluation.outcomes),
        "category": _score(evaluation.category),
        "kind": _score(evaluation.kind),
        "recipients": _score(evaluation.recipients),
        "permanence": _score(evaluation.permanence),
        "macro_f1": evaluation.macro_f1,
        "calibration_error": evaluation.calibration_error,
        "brier": evaluation.brier,
        "sure": {"from": SURE, "coverage": evaluation.sure_share, **_score(evaluation.sure)},
    }


def _score(score: Score) -> dict[str, float]:
    return {"right": score.right, "total": score.total, "share": score.share}


def _category(score: CategoryScore) -> dict[str, Any]:
    return {**asdict(score), "precision": score.precision, "recall": score.recall, "f1": score.f1}


def _matrix(evaluation: Evaluation) -> dict[str, Any]:
    matrix = evaluation.confusion
    return {"labels": matrix.labels, "rows": "true", "columns": "answered", "counts": matrix.counts.tolist()}


def _confused(evaluation: Evaluation) -> tuple[Cell, ...]:
    """The most frequent confusions."""
    wrong = (cell for cell in cells(evaluation.confusion) if not cell.is_right)
    return tuple(sorted(wrong, key=lambda cell: -cell.count)[:MAX_CONFUSED])


def _slices(evaluation: Evaluation) -> dict[str, dict[str, Evaluation]]:
    """Evaluations by the aspects that labels name; the most frequent values only."""
    groups = {aspect: evaluation.by(aspect) for aspect in ASPECTS}
    return {aspect: dict(list(values.items())[:MAX_VALUES]) for aspect, values in groups.items() if values}


def _error(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.item.id,
        "confidence": outcome.confidence,
        "answered": outcome.category,
        "accepted": sorted(outcome.item.accept),
        "decided_by": outcome.decider,
        "text": excerpt(outcome),
    }


def _versions(evaluation: Evaluation) -> dict[str, Any]:
    first = evaluation.outcomes[0].diagnosis if evaluation.outcomes else None
    return {
        "taxonomy_version": first.taxonomy_version if first else None,
        "rules_version": first.rules_version if first else None,
        "model_version": first.model_version if first else None,
    }
