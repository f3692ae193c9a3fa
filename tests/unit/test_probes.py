"""Replies and mails that were written without a look at the rules stay right."""

from pathlib import Path

import pytest

from model.pipeline import build_diagnoser
from training.corpus import read_corpus
from training.evaluate import Evaluation, evaluate, faults

ROOT = Path(__file__).parents[2]
SETS = ("tests/probes", "training/data/blind/replies", "training/data/blind/more")
FLOOR = 0.96
"""A few are a matter of opinion, and some log lines wait for a parser of their own."""


@pytest.fixture(scope="module", params=SETS)
def evaluation(request: pytest.FixtureRequest) -> Evaluation:
    """The rules alone: the classifier has learned some of these texts."""
    return evaluate(build_diagnoser(with_model=False), read_corpus(ROOT / request.param))


@pytest.mark.parametrize("aspect", ["kind", "category", "permanence", "recipients"])
def test_an_aspect_stays_above_its_floor(evaluation: Evaluation, aspect: str) -> None:
    wrong = [f"{outcome.item.id}: {'; '.join(faults(outcome))}" for outcome in evaluation.wrong()]

    assert getattr(evaluation, aspect).share >= FLOOR, "\n".join(wrong)
