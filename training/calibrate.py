"""Learns how rules and classifier go together, on texts that the classifier was not made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from model.classifier import Classifier
from model.pipeline import Diagnoser, build_diagnoser
from model.types import Form, Kind
from model.weigh import Blend
from training.split import SEED, groups_of
from training.templates import Template, filled

FOLDS = 3
UNKNOWN_BELOW = 0.6
"""Under this confidence ``unknown`` with candidates serves better: a wrong category costs more than none."""

ALONE_BELOW = 0.3
"""Without rules the classifier's first candidate is the best there is."""

FEWEST = 40
"""With fewer answers than this a witness is left as it is."""

TRUE_TO_LIFE = frozenset({"blind", "lab"})
"""Texts as servers send them; templates were written to be hard, and say little of how often one is right."""

TEMPLATE_SHARE = 0.1
"""What the templates weigh together, of all answers."""

HUMBLE = 0.5
"""What one right and one wrong answer of usual confidence weigh beside the others: nobody is always right."""

PRIOR = 20.0
"""What they weigh at least, in answers."""

JUDGED = (Kind.BOUNCE, Kind.DELAY)

Learn = Callable[[Sequence[Template]], Classifier]
"""Makes a classifier from some texts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A raw answer: how sure, by which witness, whether it was right, and on a text from where."""

    confidence: float
    witness: str
    is_right: bool
    is_true_to_life: bool = True


def blends(texts: Sequence[Template], learn: Learn, *, jobs: int = 1) -> tuple[Blend, Blend]:
    """How rules and classifier go together, and how sure the classifier is alone.

    Learned from raw answers on every text, by a classifier that saw neither it nor its near-duplicates.

    Args:
        texts: labelled texts.
        learn: makes a classifier; picklable, when there are several jobs.
        jobs: processes at work.
    """
    words, labels = [text.text for text in texts], [text.category for text in texts]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    work = (
        delayed(_fold)([texts[at] for at in seen], [texts[at] for at in unseen], learn)
        for seen, unseen in folds.split(words, labels, groups_of(words))
    )
    answers = Parallel(n_jobs=jobs)(work)
    together = [answer for both, _ in answers for answer in both]
    alone = [answer for _, single in answers for answer in single]
    return (
        fitted_blend(together, unknown_below=UNKNOWN_BELOW),
        fitted_blend(alone, unknown_below=ALONE_BELOW),
    )


def raw_diagnoser(classifier: Classifier, *, with_rules: bool = True) -> Diagnoser:
    """Rules and classifier together, or the classifier alone, with confidences as they come."""
    return replace(build_diagnoser(classifier=classifier, with_rules=with_rules), blend=Blend())


def fitted_blend(answers: Iterable[Answer], *, unknown_below: float) -> Blend:
    """The calibration of each witness that has answered often enough."""
    by_witness: dict[str, list[Answer]] = {}
    for answer in answers:
        by_witness.setdefault(answer.witness, []).append(answer)
    enough = {name: each for name, each in sorted(by_witness.items()) if len(each) >= FEWEST}
    return Blend({name: _line(each) for name, each in enough.items()}, unknown_below)


def _fold(
    seen: Sequence[Template], unseen: Sequence[Template], learn: Learn
) -> tuple[list[Answer], list[Answer]]:
    """Answers of rules and classifier together, and of the classifier alone."""
    classifier = learn(seen)
    both, alone = raw_diagnoser(classifier), raw_diagnoser(classifier, with_rules=False)
    return (
        [answer for text in unseen for answer in _answers(both, text)],
        [answer for text in unseen for answer in _answers(alone, text)],
    )


def _answers(diagnoser: Diagnoser, text: Template) -> Iterator[Answer]:
    """The answer, if words decided it; where the kind decides, there is nothing to calibrate."""
    diagnosis = diagnoser.diagnose(filled(text, seed=0).encode(), form=Form.TEXT)
    verdict = diagnosis.lead.verdict
    if diagnosis.kind in JUDGED and verdict.witness:
        is_right = verdict.category in {text.category, *text.also}
        yield Answer(verdict.confidence, verdict.witness, is_right, text.origin in TRUE_TO_LIFE)


def _line(answers: Sequence[Answer]) -> tuple[float, float]:
    """Offset and slope from the logit of the raw confidence to that of being right (Platt's scaling)."""
    raw = np.clip([answer.confidence for answer in answers], 1e-4, 1 - 1e-4)
    logits = np.log(raw / (1 - raw)).reshape(-1, 1)
    right = [answer.is_right for answer in answers]
    line = LogisticRegression(C=10.0, random_state=SEED)
    usual = logits.mean(axis=0)
    line.fit([*logits, usual, usual], [*right, True, False], [*_weights(answers), HUMBLE, HUMBLE])
    return round(float(line.intercept_[0]), 4), round(max(0.05, float(line.coef_[0, 0])), 4)


def _weights(answers: Sequence[Answer]) -> list[float]:
    """Templates weigh their share of all, however many there are, or as many answers as a prior."""
    living = sum(answer.is_true_to_life for answer in answers)
    drawn = len(answers) - living
    each = max(TEMPLATE_SHARE / (1.0 - TEMPLATE_SHARE) * living, PRIOR) / (drawn or 1)
    return [1.0 if answer.is_true_to_life else min(1.0, each) for answer in answers]
