"""The shipped classifier is made from the shipped texts, the same way each time, and says so on its card."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from model.classifier import ARRAYS, CARD, Classifier, classifier_in, shipped_classifier
from model.types import Kind, Permanence
from training.artefact import (
    SHIPPED,
    code_digest,
    data_digest,
    make,
    train_command,
)
from training.sources import labelled_texts, shipped_items, split
from training.templates import Template

STALE = "the shipped classifier was made from other texts or other code: run make train"
MAX_BYTES = 3_000_000
EVERY = 8
DATE = "2026-11-02"
WORDINGS = {
    "mailbox_full": ("mailbox {word} is full", "{word} quota exceeded", "{word} is over its quota"),
    "message_too_large": ("{word} mail too big", "size of {word} mail exceeds limit", "{word} is too large"),
    "recipient_unknown": ("no such user {word}", "{word} user unknown", "{word} does not exist"),
}
WORDS = "red green blue north south east west old new late early plain".split()
OPPOSITE = {"mailbox_full": "recipient_unknown", "recipient_unknown": "mailbox_full"}
SHARES = {
    *("kept_texts_accuracy", "kept_texts_macro_f1", "lab_test_both", "lab_test_rules", "lab_test_model"),
}
KEYS = frozenset("date texts data_digest code_digest blend blend_alone scores libraries digest".split())


def template(text: str, category: str) -> Template:
    permanence = Permanence.TEMPORARY if category == "mailbox_full" else Permanence.PERMANENT
    return Template(text, category, permanence, "generic", "en", "a test", Kind.BOUNCE, "blind")


TEXTS = tuple(
    template(f"550 {wording.format(word=word)}", category)
    for category, wordings in WORDINGS.items()
    for wording in wordings
    for word in WORDS
)
MISLABELLED = tuple(
    template(f"{text.text} {odd}", OPPOSITE[text.category])
    for odd in ("today", "again")
    for text in TEXTS[::4]
    if text.category in OPPOSITE
)
"""A few labels are wrong, as in life: no witness is always right."""

PARTS = split((*TEXTS, *MISLABELLED))


@pytest.fixture(scope="module", autouse=True)
def few_reports() -> Iterator[None]:
    """Of the lab's reports a few are enough to measure on, and fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.artefact.shipped_items", lambda *path: shipped_items(*path)[::EVERY])
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="module")
def told() -> list[str]:
    """What was told of the progress."""
    return []


@pytest.fixture(scope="module")
def made(folder: Path, told: list[str]) -> Classifier:
    return make(PARTS, folder, date=DATE, tell=told.append)


def test_it_writes_two_files_that_can_be_read(made: Classifier, folder: Path) -> None:
    assert {ARRAYS, CARD} == {path.name for path in folder.iterdir()}
    assert (made.version, made.card) == (classifier_in(folder).version, classifier_in(folder).card)


def test_the_card_says_where_it_comes_from(made: Classifier) -> None:
    card = made.card

    assert (DATE, len(PARTS.learned)) == (card["date"], card["texts"])
    assert (data_digest(PARTS.learned), code_digest()) == (card["data_digest"], card["code_digest"])
    assert {"scikit-learn", "numpy"} == set(card["libraries"])


def test_the_card_says_how_rules_and_classifier_go_together(made: Classifier) -> None:
    assert made.blend.calibration
    assert {"model"} == {name.removesuffix(" contested") for name in made.blend_alone.calibration}
    assert made.blend.unknown_below > made.blend_alone.unknown_below


def test_the_card_holds_the_scores(made: Classifier) -> None:
    scores = dict(made.card["scores"])
    count, loss = scores.pop("kept_texts"), scores.pop("kept_texts_log_loss")

    assert SHARES == set(scores)
    assert [] == [name for name, share in scores.items() if not 0 < share <= 1]
    assert scores["lab_test_model"] < min(scores["lab_test_rules"], scores["lab_test_both"])
    assert (len(PARTS.kept), True) == (count, 0 < loss < 2)


@pytest.mark.usefixtures("made")
def test_the_progress_is_told(told: list[str]) -> None:
    learned, kept = map(len, PARTS)

    assert (f"learning from {learned} texts, {kept} are kept to measure", 3) == (told[0], len(told))


def test_the_command_makes_the_same_files_from_the_same_texts(
    made: Classifier, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.artefact.labelled_texts", lambda: (*TEXTS, *MISLABELLED))
    arguments = ["--out", str(tmp_path), "--date", DATE, "--jobs", "1"]
    ended = CliRunner().invoke(train_command, arguments, catch_exceptions=False)

    assert set(made.card["scores"]) == {line.split()[0] for line in ended.stdout.splitlines()}
    assert [(folder / name).read_bytes() for name in (ARRAYS, CARD)] == [
        (tmp_path / name).read_bytes() for name in (ARRAYS, CARD)
    ]


@pytest.mark.parametrize(
    ("change", "is_other"),
    [
        ({}, False),
        ({"source": "another"}, False),
        ({"text": "550 another text"}, True),
        ({"category": "greylisted"}, True),
        ({"permanence": Permanence.UNKNOWN}, True),
    ],
)
def test_the_digest_of_the_data_changes_with_what_is_learned(
    change: dict[str, Any], *, is_other: bool
) -> None:
    changed = (replace(TEXTS[0], **change), *TEXTS[1:])

    assert is_other == (data_digest(TEXTS) != data_digest(changed))


def test_the_order_of_the_texts_is_part_of_the_digest() -> None:
    assert data_digest(TEXTS) != data_digest(TEXTS[::-1])


def test_the_shipped_classifier_was_made_from_the_shipped_texts() -> None:
    digest = data_digest(split(labelled_texts()).learned)

    assert digest == shipped_classifier().card["data_digest"], STALE


def test_the_shipped_classifier_was_made_by_the_shipped_code() -> None:
    assert code_digest() == shipped_classifier().card["code_digest"], STALE


def test_the_shipped_card_is_complete() -> None:
    card = shipped_classifier().card

    assert KEYS <= set(card)
    assert {*SHARES, "kept_texts", "kept_texts_log_loss"} == set(card["scores"])


def test_the_shipped_classifier_is_small() -> None:
    assert sum((SHIPPED / name).stat().st_size for name in (ARRAYS, CARD)) <= MAX_BYTES
