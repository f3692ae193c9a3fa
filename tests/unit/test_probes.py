"""Replies and mails that were written without a look at the rules stay right."""

from pathlib import Path

import pytest

from model.pipeline import build_diagnoser
from training.corpus import read_corpus
from training.evaluate import Evaluation, evaluate, faults

PROBES = Path(__file__).parents[1] / "probes"
FLOOR = 0.96
"""A few are a matter of opinion, and some log lines wait for a parser of their own."""


@pytest.fixture(scope="module", params=sorted(path.name for path in PROBES.iterdir()))
def evaluation(request: pytest.FixtureRequest) -> Evaluation:
    return evaluate(build_diagnoser(), read_corpus(PROBES / request.param))


@pytest.mark.parametrize("aspect", ["kind", "category", "permanence", "recipients"])
def test_an_aspect_stays_above_its_floor(evaluation: Evaluation, aspect: str) -> None:
    wrong = [f"{outcome.item.id}: {'; '.join(faults(outcome))}" for outcome in evaluation.wrong()]

    assert getattr(evaluation, aspect).share >= FLOOR, "\n".join(wrong)
