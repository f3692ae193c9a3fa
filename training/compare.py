"""Compares ways to classify by grouped cross-validation: accuracy, macro F1, log loss, time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.svm import LinearSVC

from training.sources import labelled_texts, learnable
from training.split import SEED, groups_of
from training.templates import Template
from training.train import MAX_FEATURES, MAX_ITERATIONS, MIN_COUNT, REGULARISATION, Sample, samples_of

FOLDS = 3
CHARACTERS = (2, 5)
CHARACTER_FEATURES = 60_000

Make = Callable[[], Pipeline]


@dataclass(frozen=True, slots=True)
class Result:
    """How one way did on the unseen folds together; shares from 0 to 1, times in seconds and milliseconds."""

    name: str
    accuracy: float
    macro_f1: float
    loss: float
    fit_s: float
    predict_ms: float

    def __str__(self) -> str:
        return (
            f"{self.name:26} {self.accuracy:8.4f} {self.macro_f1:8.4f} {self.loss:8.4f}"
            f" {self.fit_s:7.1f} {self.predict_ms:10.3f}"
        )


HEAD = f"{'way':26} {'accuracy':>8} {'macro F1':>8} {'log loss':>8} {'fit s':>7} {'ms a text':>10}"


def compare(texts: Sequence[Template], ways: Mapping[str, Make], *, jobs: int = 1) -> list[Result]:
    """All ways on the same folds, the best macro F1 first; no wording stands on both sides of a fold."""
    words, labels = [text.text for text in texts], [text.category for text in texts]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    parts = [
        (samples_of([texts[at] for at in seen]), samples_of([texts[at] for at in unseen], variants=0))
        for seen, unseen in folds.split(words, labels, groups_of(words))
    ]
    results = Parallel(n_jobs=jobs)(delayed(_result)(name, make, parts) for name, make in ways.items())
    return sorted(results, key=lambda result: -result.macro_f1)


def _result(name: str, make: Make, parts: Sequence[tuple[list[Sample], list[Sample]]]) -> Result:
    runs = [_run(make(), seen, unseen) for seen, unseen in parts]
    truth = [label for run in runs for label in run[0]]
    guesses = [label for run in runs for label in run[1]]
    losses, fits, predictions = zip(*(run[2:] for run in runs), strict=True)
    return Result(
        name,
        float(np.mean([told == guess for told, guess in zip(truth, guesses, strict=True)])),
        float(f1_score(truth, guesses, average="macro")),
        float(np.mean(losses)),
        sum(fits) / len(runs),
        1000 * sum(predictions) / len(truth),
    )


def _run(
    way: Pipeline, seen: list[Sample], unseen: list[Sample]
) -> tuple[list[str], list[str], float, float, float]:
    """Truth, guesses, log loss, seconds to fit and to predict on one fold."""
    begun = time.perf_counter()
    way.fit([sample.features for sample in seen], [sample.category for sample in seen])
    fitted = time.perf_counter()
    shares: npt.NDArray[Any] = way.predict_proba([sample.features for sample in unseen])
    told = time.perf_counter()
    truth = [sample.category for sample in unseen]
    guesses = [str(way.classes_[at]) for at in shares.argmax(axis=1)]
    loss = log_loss(truth, shares, labels=list(way.classes_))
    return truth, guesses, float(loss), fitted - begun, told - fitted


def _words() -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=_same, sublinear_tf=True, min_df=MIN_COUNT, max_features=MAX_FEATURES)


def _characters() -> TfidfVectorizer:
    return TfidfVectorizer(
        analyzer="char_wb",
        preprocessor=_joined,
        ngram_range=CHARACTERS,
        sublinear_tf=True,
        min_df=MIN_COUNT,
        max_features=CHARACTER_FEATURES,
    )


def _regression() -> LogisticRegression:
    return LogisticRegression(C=REGULARISATION, max_iter=MAX_ITERATIONS, random_state=SEED)


def _machine() -> CalibratedClassifierCV:
    return CalibratedClassifierCV(LinearSVC(random_state=SEED), method="sigmoid", cv=FOLDS)


def _together() -> VotingClassifier:
    return VotingClassifier([("regression", _regression()), ("machine", _machine())], voting="soft")


def _same(features: Iterable[str]) -> Iterable[str]:
    return features


def _joined(features: Iterable[str]) -> str:
    """The words and facts as one text; pairs of words are left out, characters see them anyway."""
    return " ".join(feature for feature in features if " " not in feature)


WAYS: Mapping[str, Make] = {
    "words, regression": lambda: make_pipeline(_words(), _regression()),
    "characters, regression": lambda: make_pipeline(_characters(), _regression()),
    "both, regression": lambda: make_pipeline(make_union(_words(), _characters()), _regression()),
    "words, linear SVM": lambda: make_pipeline(_words(), _machine()),
    "words, naive Bayes": lambda: make_pipeline(_words(), ComplementNB()),
    "words, regression and SVM": lambda: make_pipeline(_words(), _together()),
}


@click.command("compare")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes at work.")
def compare_command(jobs: int) -> None:
    """Compare ways to classify on the labelled texts in training/data."""
    click.echo(HEAD)
    for result in compare(learnable(labelled_texts()), WAYS, jobs=jobs):
        click.echo(str(result))
