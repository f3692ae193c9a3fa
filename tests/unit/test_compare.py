"""Ways to classify are compared on the same folds, the best first."""

from collections.abc import Sequence

import pytest
from click.testing import CliRunner
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline

from model.types import Kind, Permanence
from training.compare import HEAD, WAYS, Result, compare, compare_command
from training.templates import Template

WORDINGS = {
    "mailbox_full": ("mailbox {word} is full", "{word} quota is exceeded", "mailbox of {word} over quota"),
    "recipient_unknown": ("no such user {word}", "{word} user unknown", "user {word} does not exist"),
    "greylisted": ("greylisted {word} try later", "{word} greylisted for now", "come again later {word}"),
}
WORDS = "red green blue north south east west old new late early plain".split()
TEXTS = tuple(
    Template(
        f"550 {wording.format(word=word)}", category, Permanence.UNKNOWN, "", "en", "", Kind.BOUNCE, "test"
    )
    for category, wordings in WORDINGS.items()
    for wording in wordings
    for word in WORDS
)
FAST = ("words, naive Bayes", "words, regression")


def same(features: Sequence[str]) -> Sequence[str]:
    return features


def guess() -> Pipeline:
    """A way that listens to nothing."""
    return make_pipeline(TfidfVectorizer(analyzer=same), DummyClassifier(strategy="prior"))


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return compare(TEXTS, {"a guess": guess, **{name: WAYS[name] for name in FAST}})


def test_every_way_is_compared_once(results: list[Result]) -> None:
    assert sorted(["a guess", *FAST]) == sorted(result.name for result in results)


def test_the_best_macro_f1_comes_first(results: list[Result]) -> None:
    scores = [result.macro_f1 for result in results]

    assert (sorted(scores, reverse=True), "a guess") == (scores, results[-1].name)


def test_a_way_that_listens_is_better_than_a_guess(results: list[Result]) -> None:
    *listening, guessed = results

    assert guessed.accuracy < 0.5
    assert [] == [each for each in listening if each.accuracy < 0.8 or each.loss > guessed.loss]


def test_the_figures_are_shares_and_times(results: list[Result]) -> None:
    assert [] == [
        result
        for result in results
        if not (0 <= result.macro_f1 <= 1 and 0 <= result.accuracy <= 1)
        or min(result.loss, result.fit_s, result.predict_ms) <= 0
    ]


def test_a_figure_stands_under_its_head() -> None:
    line = str(Result("words, regression", 0.5, 0.25, 1.5, 12.0, 0.125))

    assert (len(HEAD), ["0.5000", "0.2500", "1.5000", "12.0", "0.125"]) == (len(line), line.split()[2:])


def test_the_command_prints_a_line_a_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.compare.labelled_texts", lambda: TEXTS)
    monkeypatch.setattr("training.compare.WAYS", {name: WAYS[name] for name in FAST})
    ended = CliRunner().invoke(compare_command, ["--jobs", "1"], catch_exceptions=False)
    head, *lines = ended.stdout.splitlines()

    assert HEAD == head
    assert sorted(FAST) == sorted(line[:26].strip() for line in lines)


@pytest.mark.parametrize("name", WAYS)
def test_a_way_tells_probabilities(name: str) -> None:
    way = WAYS[name]()
    rows = [text.text.split() for text in TEXTS]
    way.fit(rows, [text.category for text in TEXTS])

    assert (1, len(WORDINGS)) == way.predict_proba(rows[:1]).shape
    assert 1.0 == pytest.approx(way.predict_proba(rows[:1]).sum())
