"""Corrections are learned, and the result is kept only when it lost nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from model.classifier import ARRAYS, CARD, Classifier
from model.errors import DataError
from model.types import Kind, Permanence
from training.evaluate import Score
from training.feedback import (
    PREVIOUS,
    Comparison,
    Correction,
    KeptSet,
    NotPromoted,
    accepted_corrections,
    current_classifier,
    kept_templates,
    retrain,
    retrain_command,
)
from training.sources import split
from training.templates import Template
from training.train import export, fit, samples_of

WORDINGS = {
    "mailbox_full": (
        "mailbox {n} is full",
        "{n} quota exceeded",
        "no space in {n} box",
        "{n} over its limit",
    ),
    "message_too_large": ("{n} mail too big", "size of {n} mail", "{n} is larger than allowed", "large {n}"),
    "recipient_unknown": ("no such user {n}", "{n} user unknown", "{n} does not exist", "who is {n} here"),
}
WORDS = ("red", "green", "blue", "north", "south", "east", "west", "old", "new", "late", "early", "plain")
TEMPLATES = tuple(
    Template(
        f"550 {wording.format(n=word)}", category, permanence, "generic", "en", "a test", Kind.BOUNCE, "test"
    )
    for (category, wordings), permanence in zip(
        WORDINGS.items(), (Permanence.TEMPORARY, Permanence.PERMANENT, Permanence.PERMANENT), strict=True
    )
    for wording in wordings
    for word in WORDS
)
ODD = ("parcel", "desk", "closed", "parcel desk", "desk closed", "smtp=550")
CORRECTION = Correction("c1", ODD, "recipient_restricted", Permanence.PERMANENT)
LINE = {
    "id": "c1",
    "status": "accepted",
    "features": ODD,
    "correct_category": "recipient_restricted",
    "correct_permanence": "permanent",
}


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    fitted = fit(samples_of(TEMPLATES, variants=0))
    return export(fitted, tmp_path_factory.mktemp("current"), card={"blend": {}})


def told(*scores: Score) -> KeptSet:
    """A kept set on which the classifiers score what is told, the one before first."""
    left = iter(scores)
    return KeptSet("told", lambda _: next(left))


def retrained(out: Path, current: Classifier, *kept: KeptSet, **changes: Any) -> tuple[Comparison, ...]:
    return retrain([CORRECTION], TEMPLATES, out, current=current, kept=kept, variants=0, **changes)


def top(classifier: Classifier, features: tuple[str, ...]) -> str | None:
    prediction = classifier.predict(features)
    return prediction.candidates[0].category if prediction else None


def test_a_correction_is_learned_and_the_rest_is_kept(tmp_path: Path, current: Classifier) -> None:
    (comparison,) = retrained(tmp_path, current, kept_templates(TEMPLATES))
    after = current_classifier(tmp_path)

    assert ("recipient_restricted", False) == (top(after, ODD), "recipient_restricted" in current.labels)
    assert (Score(144, 144), Score(144, 144)) == (comparison.before, comparison.after)
    assert (1, 144) == (after.card["corrections"], after.card["templates"])


def test_the_same_data_gives_the_same_files(tmp_path: Path, current: Classifier) -> None:
    for name in "ab":
        retrained(tmp_path / name, current)

    assert [(tmp_path / "a" / name).read_bytes() for name in (ARRAYS, CARD)] == [
        (tmp_path / "b" / name).read_bytes() for name in (ARRAYS, CARD)
    ]


def test_the_classifier_before_lies_in_previous(tmp_path: Path, current: Classifier) -> None:
    retrained(tmp_path, current, date="2026-11-01")
    first = {name: (tmp_path / name).read_bytes() for name in (ARRAYS, CARD)}
    retrained(tmp_path, current, date="2026-11-02")

    assert first == {name: (tmp_path / PREVIOUS / name).read_bytes() for name in (ARRAYS, CARD)}
    assert "2026-11-02" == current_classifier(tmp_path).card["date"]
    assert {ARRAYS, CARD, PREVIOUS} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("before", "after", "is_no_worse"),
    [
        (Score(90, 100), Score(90, 100), True),
        (Score(90, 100), Score(87, 100), True),
        (Score(90, 100), Score(86, 100), False),
        (Score(10, 10), Score(9, 10), False),
        (Score(0, 0), Score(0, 0), True),
    ],
)
def test_one_standard_error_may_be_lost(before: Score, after: Score, *, is_no_worse: bool) -> None:
    assert is_no_worse == Comparison("a set", before, after).is_no_worse


def test_a_worse_result_leaves_the_folder_as_it_was(tmp_path: Path, current: Classifier) -> None:
    retrained(tmp_path, current)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(NotPromoted, match=r"worse on told: .*80 of 100.*90 of 100"):
        retrained(tmp_path, current, told(Score(90, 100), Score(80, 100)), repeats=5)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_only_accepted_corrections_that_words_decide_are_read(tmp_path: Path) -> None:
    lines = [
        LINE,
        {**LINE, "status": "pending"},
        {**LINE, "status": "rejected"},
        {**LINE, "features": ["away"], "correct_category": "auto_reply"},
        {**LINE, "id": "c2", "features": ["x"], "correct_permanence": None},
    ]
    (tmp_path / "f").write_bytes(b"\n".join(map(orjson.dumps, lines)) + b"\n\n")

    assert (CORRECTION, Correction("c2", ("x",), "recipient_restricted", Permanence.UNKNOWN)) == (
        accepted_corrections(tmp_path / "f")
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"correct_category": "no_such"}, "no_such"),
        ({"correct_permanence": "forever"}, "forever"),
        ({"features": []}, "features"),
        ({"features": [5]}, "features"),
        ({"features": ["a\nb"]}, "line break"),
        ({"id": "c2", "correct_category": "mailbox_full"}, "c1 says recipient_restricted of the same text"),
    ],
)
def test_a_wrong_correction_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    (tmp_path / "f").write_bytes(orjson.dumps(LINE) + b"\n" + orjson.dumps({**LINE, **change}))

    with pytest.raises(DataError, match=rf"f: (line 2|c2): .*{says}"):
        accepted_corrections(tmp_path / "f")


@pytest.mark.parametrize("content", [b"{", b"[]", b"5", b"{}", None])
def test_a_file_that_holds_no_corrections_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "f").write_bytes(content)

    with pytest.raises(DataError, match=r"f: (line 1|file)"):
        accepted_corrections(tmp_path / "f")


def test_what_is_kept_to_measure_is_not_learned() -> None:
    learned, kept = split(TEMPLATES)

    assert not set(learned) & set(kept)
    assert set(TEMPLATES) == {*learned, *kept}
    assert {each.category for each in TEMPLATES} == {each.category for each in kept}


def spoil_arrays(folder: Path) -> None:
    (folder / ARRAYS).write_bytes(b"")


def lose_arrays(folder: Path) -> None:
    (folder / ARRAYS).unlink()


@pytest.mark.parametrize(("spoil", "says"), [(spoil_arrays, "digest"), (lose_arrays, "No such file")])
def test_a_damaged_classifier_is_not_trained_over(
    tmp_path: Path, current: Classifier, spoil: Callable[[Path], None], says: str
) -> None:
    retrained(tmp_path, current)
    spoil(tmp_path)

    with pytest.raises(DataError, match=says):
        current_classifier(tmp_path)


def test_the_command_wants_an_accepted_correction(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(orjson.dumps({**LINE, "status": "pending"}))
    ended = CliRunner().invoke(retrain_command, [str(tmp_path / "f"), "--out", str(tmp_path / "out")])

    assert isinstance(ended.exception, DataError)
    assert not (tmp_path / "out").exists()
