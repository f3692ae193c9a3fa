"""The arithmetic of an evaluation, on figures that can be worked out by hand."""

import pytest

from training.charts import Frame, cells, path, risk_frame
from training.measures import (
    BINS,
    Point,
    Score,
    brier,
    calibration_error,
    category_scores,
    confusion,
    reliability,
    risk_coverage,
)

PAIRS = [("full", "full"), ("full", "full"), ("full", "gone"), ("gone", "gone"), ("spam", "gone")]
CLAIMS = [(0.9, True), (0.9, True), (0.9, False), (0.6, True), (0.2, False)]


def test_precision_counts_answers_and_recall_counts_items() -> None:
    scores = {each.category: each for each in category_scores(PAIRS)}

    assert (1 / 3, 1.0, 0.5) == (scores["gone"].precision, scores["gone"].recall, scores["gone"].f1)
    assert (1.0, 2 / 3, 0.8) == (scores["full"].precision, scores["full"].recall, scores["full"].f1)


def test_a_category_that_is_never_answered_finds_nothing() -> None:
    spam = next(each for each in category_scores(PAIRS) if each.category == "spam")

    assert (1.0, 0.0, 0.0) == (spam.precision, spam.recall, spam.f1)


def test_the_most_frequent_category_comes_first() -> None:
    assert ["full", "gone", "spam"] == [each.category for each in category_scores(PAIRS)]


def test_a_confusion_stands_in_the_row_of_the_truth() -> None:
    matrix = confusion(PAIRS)

    assert ("full", "gone", "spam") == matrix.labels
    assert [[2, 1, 0], [0, 1, 0], [0, 1, 0]] == matrix.counts.tolist()


def test_only_fields_that_are_not_zero_are_drawn() -> None:
    drawn = [(cell.truth, cell.answer, cell.count, cell.is_right) for cell in cells(confusion(PAIRS))]

    assert [("full", "full", 2, True), ("full", "gone", 1, False)] == drawn[:2]
    assert 4 == len(drawn)


def test_reliability_compares_confidence_with_accuracy_bin_by_bin() -> None:
    bins = reliability(CLAIMS)

    assert [1, 1, 3] == [each.count for each in bins]
    assert [0.0, 1.0, pytest.approx(2 / 3)] == [each.accuracy for each in bins]
    assert [0.2, 0.6, pytest.approx(0.9)] == [each.confidence for each in bins]


def test_full_confidence_falls_into_the_last_bin() -> None:
    assert [(BINS - 1) / BINS] == [each.low for each in reliability([(1.0, True)])]


def test_the_calibration_error_weighs_the_bins_by_their_answers() -> None:
    assert pytest.approx((0.2 + 0.4 + 3 * (0.9 - 2 / 3)) / 5) == calibration_error(CLAIMS)


def test_the_brier_score_is_the_mean_squared_distance() -> None:
    assert pytest.approx((0.01 + 0.01 + 0.81 + 0.16 + 0.04) / 5) == brier(CLAIMS)


def test_equal_confidences_are_covered_together() -> None:
    assert (Point(0.9, 0.6, 1 / 3), Point(0.6, 0.8, 0.25), Point(0.2, 1.0, 0.4)) == risk_coverage(CLAIMS)


def test_nothing_measured_is_nothing_wrong() -> None:
    assert (0.0, 0.0, (), (), ()) == (
        calibration_error([]),
        brier([]),
        reliability([]),
        risk_coverage([]),
        category_scores([]),
    )
    assert 1.0 == Score(0, 0).share


def test_a_frame_is_just_high_enough_for_the_risk() -> None:
    assert 0.5 == risk_frame([risk_coverage(CLAIMS)]).y_max
    assert 0.01 == risk_frame([]).y_max


def test_a_curve_starts_at_the_left_and_ends_where_all_is_answered() -> None:
    frame = Frame(left=0, top=0, width=100, height=100)

    assert "M0.0 66.7 L60.0 66.7 L80.0 75.0 L100.0 60.0" == path(frame, risk_coverage(CLAIMS))
    assert "" == path(frame, [])
