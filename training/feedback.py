"""Teaches the classifier what reviewed corrections say, and keeps the result only when it lost nothing."""

from __future__ import annotations

import hashlib
import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson

from model.classifier import ARRAYS, CARD, Classifier, classifier_in, shipped_classifier
from model.errors import DataError, NdrError
from model.pipeline import build_diagnoser
from model.taxonomy import taxonomy
from model.types import Permanence
from training.corpus import Item, read_corpus
from training.evaluate import Score, evaluate
from training.sources import NOT_LEARNED, labelled_texts, split
from training.templates import Template
from training.train import VARIANTS, Features, Sample, export, fit, samples_of

REPEATS = 20
"""How often a correction is learned, so that a few weigh against thousands of templates."""

PREVIOUS = "previous"
TEMPLATES = "held-out templates"


@dataclass(frozen=True, slots=True)
class Correction:
    """One accepted correction: the features of a text, and what it is."""

    id: str
    features: Features
    category: str
    permanence: Permanence


@dataclass(frozen=True, slots=True)
class KeptSet:
    """Something to score a classifier on that was not learned."""

    name: str
    score: Callable[[Classifier], Score]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two classifiers do on a kept set."""

    name: str
    before: Score
    after: Score

    @property
    def is_no_worse(self) -> bool:
        """Whether the new one lost no more than chance explains: one standard error of the old share."""
        return self.after.share >= self.before.share - standard_error(self.before)

    def __str__(self) -> str:
        return f"{self.name}: {self.after} after {self.before}"


class NotPromoted(NdrError):
    """The new classifier is worse on a kept set, so the old one stays."""


def accepted_corrections(file: Path) -> tuple[Correction, ...]:
    """The accepted ones among the corrections of a file of JSON lines; what cannot be learned is left out.

    Raises:
        DataError: the file or a line is wrong, or two corrections contradict each other.
    """
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise DataError(str(file), "file", error.strerror or str(error)) from error
    corrections = tuple(
        correction
        for number, line in enumerate(lines, start=1)
        if line.strip()
        for correction in _accepted(file, number, line)
    )
    _check_agreement(file, corrections)
    return tuple(correction for correction in corrections if correction.category not in NOT_LEARNED)


def samples_of_corrections(
    corrections: Iterable[Correction], *, first: int, repeats: int = REPEATS
) -> list[Sample]:
    """Each correction several times over, numbered as templates from ``first`` on."""
    return [
        Sample(correction.features, correction.category, correction.permanence, number)
        for number, correction in enumerate(corrections, start=first)
        for _ in range(repeats)
    ]


def retrain(
    corrections: Sequence[Correction],
    templates: Sequence[Template],
    out: Path,
    *,
    current: Classifier,
    kept: Sequence[KeptSet],
    variants: int = VARIANTS,
    repeats: int = REPEATS,
    date: str | None = None,
) -> tuple[Comparison, ...]:
    """Trains on templates and corrections, and promotes the result into a folder.

    Args:
        corrections: what users said.
        templates: those to learn from.
        out: the folder; what is there becomes ``previous`` in it.
        current: the classifier that must not be better.
        kept: what both are measured on.
        variants: rephrased copies of each template.
        repeats: how often each correction is learned.
        date: of the training, for the card.

    Raises:
        NotPromoted: the result is worse on a kept set; names those, and the folder stays as it was.
    """
    samples = samples_of(templates, variants=variants)
    samples += samples_of_corrections(corrections, first=len(templates), repeats=repeats)
    card = {**_inherited(current), **_card(corrections, templates), "date": date}
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".candidate-") as place:
        candidate = export(fit(samples), Path(place), card=card)
        comparisons = tuple(
            Comparison(each.name, each.score(current), each.score(candidate)) for each in kept
        )
        if worse := [str(each) for each in comparisons if not each.is_no_worse]:
            raise NotPromoted(f"the old classifier stays; the new one is worse on {'; '.join(worse)}")
        _promote(Path(place), out)
    return comparisons


def kept_templates(templates: Sequence[Template]) -> KeptSet:
    """Templates that were not learned, to score the classifier alone."""
    samples = samples_of(templates, variants=0)

    def score(classifier: Classifier) -> Score:
        answers = (classifier.predict(sample.features) for sample in samples)
        tops = (answer.candidates[0].category if answer else None for answer in answers)
        right = sum(top == sample.category for top, sample in zip(tops, samples, strict=True))
        return Score(right, len(samples))

    return KeptSet(TEMPLATES, score)


def kept_folder(folder: Path) -> KeptSet:
    """A labelled directory, to score the whole diagnosis with a classifier in it."""
    items: tuple[Item, ...] = tuple(read_corpus(folder))
    return KeptSet(
        str(folder), lambda classifier: evaluate(build_diagnoser(classifier=classifier), items).category
    )


def standard_error(score: Score) -> float:
    """The standard error of a share, 0 to 0.5.

    >>> standard_error(Score(90, 100))
    0.03
    """
    return math.sqrt(score.share * (1.0 - score.share) / score.total) if score.total else 0.0


def current_classifier(folder: Path) -> Classifier:
    """The classifier in a folder of the user's own, or the shipped one when there is none yet.

    Raises:
        DataError: it is damaged, or was trained for another taxonomy.
    """
    return classifier_in(folder) if (folder / CARD).exists() else shipped_classifier()


@click.command("retrain")
@click.argument("file", metavar="FEEDBACK.ndjson", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the classifier; NDR_MODEL_DIR then names it.",
)
@click.option(
    "--kept",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A labelled directory on which the result must be no worse; may be given several times.",
)
@click.option("--repeats", default=REPEATS, show_default=True, type=click.IntRange(3, 1000))
def retrain_command(file: Path, out: Path, folders: tuple[Path, ...], repeats: int) -> None:
    """Train on the shipped data and the accepted corrections of FEEDBACK.ndjson.

    The result goes into the folder only when it is no worse on templates held out from training and on each
    labelled directory; otherwise this ends with 65 and the folder stays as it was.
    """
    corrections = accepted_corrections(file)
    if not corrections:
        raise DataError(str(file), "corrections", "none is accepted and can be learned from words")
    learned, held = split(labelled_texts())
    comparisons = retrain(
        corrections,
        learned,
        out,
        current=current_classifier(out),
        kept=[kept_templates(held), *map(kept_folder, folders)],
        repeats=repeats,
        date=datetime.now(UTC).date().isoformat(),
    )
    for comparison in comparisons:
        click.echo(str(comparison))
    click.echo(f"corrections: {len(corrections)}; promoted")
    if (out / PREVIOUS).exists():
        click.echo(f"the classifier before is in {out / PREVIOUS}")


def _accepted(file: Path, number: int, line: bytes) -> Iterator[Correction]:
    try:
        entry = orjson.loads(line)
        if entry["status"] == "accepted":
            yield _correction(entry)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(str(file), f"line {number}", f"{type(error).__name__}: {error}") from error


def _correction(entry: dict[str, Any]) -> Correction:
    features, category = tuple(entry["features"]), entry["correct_category"]
    if not features or not all(isinstance(feature, str) for feature in features):
        raise ValueError("features is not a list of strings")
    if any("\n" in feature for feature in features):
        raise ValueError("a feature holds a line break")
    if category not in taxonomy().names:
        raise ValueError(f"category {category!r} is not in the taxonomy")
    permanence = Permanence(entry.get("correct_permanence") or Permanence.UNKNOWN)
    return Correction(str(entry["id"]), features, category, permanence)


def _check_agreement(file: Path, corrections: Iterable[Correction]) -> None:
    """Refuses two categories for one text, of which the classifier could learn neither."""
    first: dict[Features, Correction] = {}
    for correction in corrections:
        other = first.setdefault(correction.features, correction)
        if other.category != correction.category:
            reason = f"says {correction.category}, but {other.id} says {other.category} of the same text"
            raise DataError(str(file), correction.id, reason)


def _inherited(current: Classifier) -> dict[str, Any]:
    """What the card of the classifier before says of working with the rules."""
    return {name: current.card[name] for name in ("blend", "blend_alone") if name in current.card}


def _card(corrections: Sequence[Correction], templates: Sequence[Template]) -> dict[str, Any]:
    said = sorted((each.id, each.features, each.category, each.permanence) for each in corrections)
    learned = [(each.text, each.category, each.permanence) for each in templates]
    return {
        "templates": len(templates),
        "data_digest": hashlib.sha256(orjson.dumps(learned)).hexdigest(),
        "corrections": len(corrections),
        "corrections_digest": hashlib.sha256(orjson.dumps(said)).hexdigest(),
    }


def _promote(candidate: Path, out: Path) -> None:
    """Puts the candidate's files in place; copies of those before lie in ``previous``."""
    before = [out / name for name in (ARRAYS, CARD) if (out / name).exists()]
    if before:
        (out / PREVIOUS).mkdir(exist_ok=True)
    for file in before:
        shutil.copy2(file, out / PREVIOUS / file.name)
    for name in (ARRAYS, CARD):
        (candidate / name).replace(out / name)
