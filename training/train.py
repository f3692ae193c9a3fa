"""Trains the served classifier: features, weights, permanence; writes it as arrays and a card."""

from __future__ import annotations

import hashlib
import io
import random
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import sklearn
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from model.classifier import ARRAYS, CARD, Classifier, read_classifier
from model.features import features_of
from model.providers import providers
from model.reply import unwrap
from model.taxonomy import taxonomy
from model.types import Permanence
from training.split import SEED
from training.templates import Template, filled

VARIANTS = 3
"""Rephrased copies of each template beside itself."""

MAX_FEATURES = 20_000
MIN_COUNT = 3
REGULARISATION = 20.0
MAX_ITERATIONS = 200
_CODE = re.compile(r"^\s*(?:[245]\d\d[ -])?(?:#?[245]\.\d{1,3}\.\d{1,3}[: ]?\s*)?")
_OPENINGS = (
    *("<user@example.com>: Recipient address rejected: ", "<user@example.com>... ", "user@example.com "),
    *("<user@example.com>: ", "did not like our RCPT TO: ", "Reason: ", "delivery failed: ", "Error: "),
    *("Your message to user@example.com could not be delivered. ", "Transaction failed: ", "Deferred: "),
    *("Message expired: unable to deliver in 840 minutes. ", "Delivery failed after 12 attempts: "),
    *("Retry timeout exceeded, last error: ", "The message could not be delivered: "),
    *("SMTP error from remote mail server after RCPT TO:<user@example.com>: ", "did not like our DATA: "),
    *(
        "The following recipients could not be reached: user@example.com ",
        "mx1.example.com[192.0.2.4] said: ",
    ),
)
_ENDINGS = (
    *(" I'm not going to try again; this message has been in the queue too long.", " Please try again."),
    *(" Giving up on 192.0.2.4.", " (in reply to RCPT TO command)", " (in reply to MAIL FROM command)"),
    *(" (in reply to end of DATA command)", " See https://www.example.com/help/17"),
    *(" Please contact postmaster@example.com.", " Message could not be delivered for 5 days."),
    *(" For more information visit https://www.example.com/policy and ask your administrator.",),
    *(" I've given up. Sorry it didn't work out.", " Giving up after 3 days in the queue."),
)
OPENED, ENDED = 0.6, 0.3
"""The shares of the copies that are opened and ended in other words."""

_CODES = (
    *("550 5.7.1 ", "550 ", "554 ", "550 5.1.1 ", "550 5.0.0 ", "554 5.7.1 ", "450 ", "451 4.7.1 ", "552 "),
    *("553 ", "550 5.2.1 ", "5.0.0 ", "", ""),
)

Features = tuple[str, ...]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """One text to learn from: its features, its labels, and the template it comes from."""

    features: Features
    category: str
    permanence: Permanence
    template: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """What scikit-learn learned.

    ``labels`` are the classes of ``categories``, sorted; ``permanence`` tells temporary from permanent.
    """

    vectoriser: TfidfVectorizer
    categories: LogisticRegression
    permanence: LogisticRegression

    @property
    def labels(self) -> tuple[str, ...]:
        """The categories, in the order of the columns."""
        return tuple(str(label) for label in self.categories.classes_)


def samples_of(templates: Sequence[Template], *, variants: int = VARIANTS) -> list[Sample]:
    """Each text as it stands, and some copies with other codes, openings and endings.

    The copies teach that neither a code nor "Recipient address rejected:" nor a queue that gave up is the
    reason.
    """
    return [
        _sample(_text(template, variant), template, number)
        for number, template in enumerate(templates)
        for variant in range(variants + 1)
    ]


def fit(samples: Sequence[Sample]) -> Fitted:
    """Learns categories and permanence; one thread, so that the same data gives the same numbers."""
    vectoriser = TfidfVectorizer(
        analyzer=_same, sublinear_tf=True, min_df=MIN_COUNT, max_features=MAX_FEATURES
    )
    with threadpool_limits(1):
        matrix = vectoriser.fit_transform([sample.features for sample in samples])
        categories = _regression().fit(matrix, [sample.category for sample in samples])
        told = [at for at, sample in enumerate(samples) if sample.permanence != Permanence.UNKNOWN]
        is_temporary = [samples[at].permanence == Permanence.TEMPORARY for at in told]
        permanence = _regression().fit(matrix[told], is_temporary)
    return Fitted(vectoriser, _rounded(categories), _rounded(permanence))


def matrix_of(fitted: Fitted, features: Sequence[Features]) -> csr_matrix:
    """(n_texts, n_features), TF-IDF."""
    return fitted.vectoriser.transform(features)


def export(fitted: Fitted, folder: Path, *, card: dict[str, Any]) -> Classifier:
    """Writes the arrays and the card; the same numbers give the same bytes."""
    arrays = _arrays(fitted)
    complete = {
        "labels": fitted.labels,
        "taxonomy_version": taxonomy().version,
        "digest": hashlib.sha256(arrays).hexdigest(),
        "libraries": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
        **card,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ARRAYS).write_bytes(arrays)
    (folder / CARD).write_bytes(
        orjson.dumps(complete, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    )
    return read_classifier(folder / ARRAYS, folder / CARD)


def _arrays(fitted: Fitted) -> bytes:
    names = sorted(fitted.vectoriser.vocabulary_, key=fitted.vectoriser.vocabulary_.__getitem__)
    stored = {
        "vocabulary": np.frombuffer("\n".join(names).encode(), np.uint8),
        "idf": fitted.vectoriser.idf_.astype(np.float32),
        "weights": _per_label(fitted.categories.coef_).T.astype(np.float16),
        "bias": _per_label(fitted.categories.intercept_).astype(np.float32),
        "permanence_weights": fitted.permanence.coef_[0].astype(np.float16),
        "permanence_bias": fitted.permanence.intercept_.astype(np.float32),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in stored.items():
            content = io.BytesIO()
            np.save(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _per_label(values: Floats) -> Floats:
    """One entry a label; of two labels scikit-learn keeps only what tells the second from the first."""
    return values if len(values) > 1 else np.concatenate([-values, values]) / 2


def _rounded(model: LogisticRegression) -> LogisticRegression:
    """The model with the precision that is stored, so that both give the same probabilities."""
    model.coef_ = model.coef_.astype(np.float16).astype(np.float64)
    model.intercept_ = model.intercept_.astype(np.float32).astype(np.float64)
    return model


def _regression() -> LogisticRegression:
    return LogisticRegression(C=REGULARISATION, max_iter=MAX_ITERATIONS, random_state=SEED)


def _sample(text: str, template: Template, number: int) -> Sample:
    unwrapped = unwrap(text)
    parties = providers().of_text(unwrapped.text)
    return Sample(features_of(unwrapped, parties), template.category, template.permanence, number)


def _text(template: Template, variant: int) -> str:
    text = filled(template, seed=variant)
    if variant == 0:
        return text
    dice = random.Random(f"{variant}/{template.text}")  # noqa: S311  # repeatable on purpose
    opening = dice.choice(_OPENINGS) if dice.random() < OPENED else ""
    ending = dice.choice(_ENDINGS) if dice.random() < ENDED else ""
    return dice.choice(_CODES) + opening + _CODE.sub("", text) + ending


def _same(features: Features) -> Features:
    return features
