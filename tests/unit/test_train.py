"""Texts become samples, samples become a classifier, and the same data gives the same bytes."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.classifier import ARRAYS, CARD, Classifier
from model.types import Kind, Permanence
from training.templates import Template, filled
from training.train import Fitted, Sample, export, fit, matrix_of, samples_of

ROOT = Path(__file__).parents[2]
WORDINGS = {
    "mailbox_full": ("mailbox {word} is full", "{word} quota exceeded", "no space left in {word} box"),
    "message_too_large": ("{word} mail too big", "size of {word} mail", "{word} is larger than allowed"),
    "recipient_unknown": ("no such user {word}", "{word} user unknown", "{word} does not exist"),
    "unknown": ("see {word} later", "hello {word}", "the {word} minutes"),
}
PERMANENCES = (Permanence.TEMPORARY, Permanence.PERMANENT, Permanence.PERMANENT, Permanence.UNKNOWN)
WORDS = ("red", "green", "blue", "north", "south", "east", "west", "old", "new", "late")
COPIES = 8

TRAIN = """
import sys
from pathlib import Path
from training.templates import shipped_templates
from training.train import export, fit, samples_of
export(fit(samples_of(shipped_templates()[::150])), Path(sys.argv[1]), card={"date": "2026-11-02"})
"""


def template(text: str, category: str = "mailbox_full", permanence: str = "temporary") -> Template:
    return Template(
        text,
        category,
        Permanence(permanence),
        "generic",
        "en",
        "a test",
        Kind.BOUNCE,
        "test",
        frozenset("ab"),
    )


TEMPLATES = tuple(
    template(f"550 5.1.1 <{{addr}}>: {wording.format(word=word)}", category, permanence)
    for (category, wordings), permanence in zip(WORDINGS.items(), PERMANENCES, strict=True)
    for wording in wordings
    for word in WORDS
)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return samples_of(TEMPLATES, variants=COPIES)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(samples_of(TEMPLATES))


@pytest.fixture(scope="module")
def classifier(fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return export(fitted, tmp_path_factory.mktemp("classifier"), card={"date": "2026-11-02"})


def firsts(samples: list[Sample]) -> list[Sample]:
    """The texts as they stand."""
    return samples[:: COPIES + 1]


def copies(samples: list[Sample]) -> list[tuple[Sample, Sample]]:
    """Every copy with the text that it was made from."""
    return [(firsts(samples)[each.template], each) for at, each in enumerate(samples) if at % (COPIES + 1)]


def words(sample: Sample) -> set[str]:
    return {name for name in sample.features if " " not in name and "=" not in name}


def codes(samples: list[Sample]) -> set[str]:
    return {name for each in samples for name in each.features if name.startswith(("smtp=", "enhanced="))}


def test_each_text_stands_beside_its_copies(samples: list[Sample]) -> None:
    assert [number for number in range(len(TEMPLATES)) for _ in range(COPIES + 1)] == [
        sample.template for sample in samples
    ]
    assert samples_of(TEMPLATES, variants=0) == firsts(samples)


def test_copies_keep_label_and_words(samples: list[Sample]) -> None:
    changed = [
        (original, copy)
        for original, copy in copies(samples)
        if (original.category, original.permanence) != (copy.category, copy.permanence)
        or not words(original) <= words(copy)
    ]

    assert [] == changed


def test_copies_carry_other_codes(samples: list[Sample]) -> None:
    assert {"smtp=550", "enhanced=.1.1"} == codes(firsts(samples))
    assert {"smtp=450", "smtp=554", "enhanced=.7.1", "enhanced=.1.1"} <= codes(
        [copy for _, copy in copies(samples)]
    )


@pytest.mark.parametrize("word", ["reason", "transaction", "giving", "contact", "please"])
def test_copies_carry_other_openings_and_endings(samples: list[Sample], word: str) -> None:
    added = [word in words(copy) - words(original) for original, copy in copies(samples)]

    assert 0 < sum(added) < len(added) / 2


def test_some_copies_are_neither_opened_nor_ended(samples: list[Sample]) -> None:
    assert 0.1 < np.mean([words(copy) == words(original) for original, copy in copies(samples)]) < 0.6


def test_the_same_texts_give_the_same_samples(samples: list[Sample]) -> None:
    assert samples == samples_of(TEMPLATES, variants=COPIES)


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("500 {curly} braces", "{curly}"),
        ("500 {addr} and {curly}", "{curly}"),
        ("500 {} empty", "{}"),
        ("500 {two words}", "{two words}"),
        ("500 {unclosed", "{unclosed"),
        ("500 {Addr}", "{Addr}"),
    ],
)
def test_braces_that_are_no_slot_survive(text: str, stays: str) -> None:
    assert stays in filled(template(text), seed=1)


@pytest.mark.parametrize("slot", ["addr", "host", "ip", "ip6", "id", "number", "date", "url", "name"])
def test_a_slot_is_filled(slot: str) -> None:
    values = {filled(template(f"to {{{slot}}}!"), seed=seed) for seed in range(20)}

    assert len(values) > 1
    assert [] == [value for value in values if "{" in value or value == "to !"]


def test_the_same_seed_fills_the_same_values() -> None:
    one, same, other = (filled(template("to {addr} at {id}"), seed=seed) for seed in (1, 1, 2))

    assert (True, False) == (one == same, one == other)


def test_what_was_taught_is_known(classifier: Classifier) -> None:
    wrong = [
        sample
        for sample in samples_of(TEMPLATES, variants=0)
        if sample.category != classifier.labels[int(classifier.probabilities(sample.features).argmax())]
    ]

    assert [] == wrong


def test_served_probabilities_are_those_of_scikit_learn(fitted: Fitted, classifier: Classifier) -> None:
    samples = samples_of(TEMPLATES)
    expected = fitted.categories.predict_proba(matrix_of(fitted, [each.features for each in samples]))
    actual = np.array([classifier.probabilities(each.features) for each in samples])

    assert fitted.labels == classifier.labels
    assert np.abs(expected - actual).max() < 1e-6


def test_permanence_is_learned_where_it_is_known(classifier: Classifier) -> None:
    full, absent = (
        classifier.predict(samples_of([template(text)], variants=0)[0].features)
        for text in ("452 red quota exceeded", "452 no such user red")
    )

    assert full is not None
    assert absent is not None
    assert (full.temporary or 0) > 0.5 > (absent.temporary or 1)


def test_the_card_holds_what_the_file_was_made_with(classifier: Classifier) -> None:
    card = classifier.card

    assert {"scikit-learn", "numpy"} == set(card["libraries"])
    assert (list(classifier.labels), "2026-11-02") == (card["labels"], card["date"])


def digests(folder: Path, hash_seed: str) -> list[str]:
    """The digests of both files, made by a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    subprocess.run(
        [sys.executable, "-c", TRAIN, str(folder)], cwd=ROOT, env=environment, check=True, timeout=120
    )
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (ARRAYS, CARD)]


def test_the_same_data_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    assert digests(tmp_path / "one", "1") == digests(tmp_path / "two", "2")
