"""Makes the shipped classifier: learn, calibrate, measure, write the arrays and the card."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import click
import orjson
from sklearn.metrics import f1_score, log_loss

from model.classifier import Classifier
from model.resources import data_file
from training.calibrate import blends
from training.evaluate import diagnosers, evaluate
from training.sources import LAB, Parts, labelled_texts, shipped_items, split
from training.templates import Template
from training.train import export, fit, samples_of

SHIPPED = Path(str(data_file("artefact")))
CODE = ("normalise.py", "features.py", "classifier.py")
TEST = "test"
Tell = Callable[[str], None]


def make(parts: Parts, out: Path, *, date: str, jobs: int = 1, tell: Tell = lambda _: None) -> Classifier:
    """A classifier with its blend and its scores, written into a folder.

    Args:
        parts: what is learned and what is kept to measure on.
        out: the folder.
        date: for the card.
        jobs: processes at work.
        tell: hears of the progress.
    """
    tell(f"learning from {len(parts.learned)} texts, {len(parts.kept)} are kept to measure")
    fitted = fit(samples_of(parts.learned))
    tell("calibrating on texts that a classifier did not see")
    blend, alone = blends(parts.learned, learned, jobs=jobs)
    card = {
        "date": date,
        "texts": len(parts.learned),
        "data_digest": data_digest(parts.learned),
        "code_digest": code_digest(),
        "blend": asdict(blend),
        "blend_alone": asdict(alone),
    }
    tell("measuring")
    scores = scores_of(export(fitted, out, card=card), parts.kept)
    return export(fitted, out, card={**card, "scores": scores})


def learned(texts: Sequence[Template]) -> Classifier:
    """A classifier from some texts, without a blend and without a place."""
    with tempfile.TemporaryDirectory() as folder:
        return export(fit(samples_of(texts)), Path(folder), card={})


def scores_of(classifier: Classifier, kept: Sequence[Template]) -> dict[str, float]:
    """What the card says: shares from 0 to 1, and the mean log loss of the classifier alone."""
    samples = samples_of(kept, variants=0)
    shares = [classifier.probabilities(sample.features) for sample in samples]
    truth = [sample.category for sample in samples]
    guesses = [classifier.labels[int(each.argmax())] for each in shares]
    lab = [item for item in shipped_items(LAB) if item.split == TEST]
    by_mode = {mode: evaluate(each, lab) for mode, each in diagnosers(classifier=classifier).items()}
    return {
        "kept_texts": len(kept),
        "kept_texts_accuracy": _rounded(sum(map(str.__eq__, truth, guesses)) / len(truth)),
        "kept_texts_macro_f1": _rounded(f1_score(truth, guesses, average="macro")),
        "kept_texts_log_loss": _rounded(log_loss(truth, shares, labels=list(classifier.labels))),
        **{f"lab_test_{mode}": _rounded(each.category.share) for mode, each in by_mode.items()},
    }


def data_digest(texts: Sequence[Template]) -> str:
    """A digest of everything that is learned."""
    said = [(each.text, each.category, each.permanence) for each in texts]
    return hashlib.sha256(orjson.dumps(said)).hexdigest()


def code_digest() -> str:
    """A digest of the code that both training and service run."""
    digest = hashlib.sha256()
    for name in CODE:
        digest.update(files("model").joinpath(name).read_bytes())
    return digest.hexdigest()


@click.command("train")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=SHIPPED,
    help="Folder for the classifier; the shipped one is replaced without it.",
)
@click.option("--date", help="For the card; today without it.")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes at work.")
def train_command(out: Path, date: str | None, jobs: int) -> None:
    """Train the shipped classifier anew from the labelled texts in training/data."""
    made = make(
        split(labelled_texts()),
        out,
        date=date or datetime.now(UTC).date().isoformat(),
        jobs=jobs,
        tell=lambda text: click.echo(text, err=True),
    )
    for name, score in made.card["scores"].items():
        click.echo(f"{name:24} {score}")


def _rounded(score: float) -> float:
    return round(float(score), 4)
