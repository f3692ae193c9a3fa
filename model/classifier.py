"""The served classifier: plain arrays, a few lines of arithmetic, no pickle.

Logistic regression over TF-IDF features, trained by scikit-learn and held equal to it by a test.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from model.errors import DataError
from model.features import facts_of, features_of, worded
from model.normalise import canonical
from model.resources import Readable, data_file
from model.taxonomy import taxonomy
from model.types import Candidate, Predict, Prediction, Unwrapped
from model.weigh import Blend

ARRAYS = "classifier.npz"
CARD = "card.json"
MAX_CANDIDATES = 5
MAX_WORDS = 5
CACHE_SIZE = 4096
NOTICE_SHARE = 0.5
"""What the words of the notice count beside those of the reply."""

FEW_WORDS = 15
"""A reply without a code and with fewer known words than this says no more than the notice around it."""

TINY = 1e-12
_CODES = ("smtp=", "enhanced=")

_SPOILED = (ValueError, TypeError, KeyError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error)

Floats = npt.NDArray[np.floating[Any]]
Rows = npt.NDArray[np.intp]
Features = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Classifier:
    """What was learned.

    Args:
        labels: the categories, sorted.
        names: the features, in the order of the rows.
        rows: feature to row.
        idf: (n_features,), the inverse document frequencies.
        weights: (n_features, n_labels), columns as in ``labels``.
        bias: (n_labels,), as in ``labels``.
        permanence_weights: (n_features,), towards temporary.
        permanence_bias: (1,).
        card: where it came from: digests, scores, versions.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    rows: Mapping[str, int]
    idf: Floats
    weights: Floats
    bias: Floats
    permanence_weights: Floats
    permanence_bias: Floats
    card: Mapping[str, Any]

    @property
    def blend(self) -> Blend:
        """How this classifier and the rules go together."""
        return _blend(self.card.get("blend"))

    @property
    def blend_alone(self) -> Blend:
        """How sure this classifier is without rules."""
        return _blend(self.card.get("blend_alone"))

    @property
    def version(self) -> str:
        """The digest of the arrays, shortened."""
        return str(self.card["digest"])[:12]

    def predict(self, features: Features, notice: Features = ()) -> Prediction | None:
        """The likeliest categories of a reply; ``None`` where no word is known.

        Args:
            features: of the reply.
            notice: of the notice around it, a weaker witness.
        """
        heard = [row for row in (self.row_of(features), self.row_of(notice)) if self._has_words(row[0])]
        if not heard:
            return None
        shares = self._shares(*heard[0])
        if len(heard) > 1:
            shares = _mixed(shares, self._shares(*heard[1]), share=self._notice_share(features))
        order = np.argsort(-shares, kind="stable")[:MAX_CANDIDATES]
        candidates = tuple(Candidate(self.labels[at], float(shares[at])) for at in order)
        telling = self._telling(*heard[0], label=int(order[0]))
        return Prediction(candidates, telling, self._temporary(*heard[0]))

    def probabilities(self, features: Iterable[str]) -> Floats:
        """(n_labels,), columns as in ``labels``: P(label | features)."""
        return self._shares(*self.row_of(features))

    def row_of(self, features: Iterable[str]) -> tuple[Rows, Floats]:
        """The known features and their values: (1 + log tf) · idf, scaled to length 1."""
        counts = Counter(row for name in features if (row := self.rows.get(name)) is not None)
        rows = np.fromiter(sorted(counts), np.intp, len(counts))
        frequencies = np.array([1.0 + math.log(counts[row]) for row in rows.tolist()])
        values = frequencies * self.idf[rows]
        return rows, values / (math.sqrt(float(values @ values)) or 1.0)

    def _has_words(self, rows: Rows) -> bool:
        """Whether anything but facts was heard."""
        return any("=" not in self.names[row] for row in rows.tolist())

    def _notice_share(self, features: Features) -> float:
        if any(name.startswith(_CODES) for name in features):
            return NOTICE_SHARE
        words = sum(name in self.rows for name in features if " " not in name and "=" not in name)
        return 1.0 if words < FEW_WORDS else NOTICE_SHARE

    def _shares(self, rows: Rows, values: Floats) -> Floats:
        scores = values @ self.weights[rows] + self.bias
        powers = np.exp(scores - scores.max())
        shares: Floats = powers / powers.sum()
        return shares

    def _temporary(self, rows: Rows, values: Floats) -> float:
        """P(temporary | features)."""
        score = float(values @ self.permanence_weights[rows]) + float(self.permanence_bias[0])
        return 1.0 / (1.0 + math.exp(-score))

    def _telling(self, rows: Rows, values: Floats, *, label: int) -> tuple[str, ...]:
        """The features that speak loudest for a label."""
        pulls = values * self.weights[rows, label]
        loudest = np.argsort(-pulls, kind="stable")[:MAX_WORDS]
        return tuple(self.names[int(rows[at])] for at in loudest if pulls[at] > 0)


def predictor(classifier: Classifier) -> Predict:
    """The classifier as the pipeline calls it; remembers what it said, because archives repeat themselves."""
    remembered = lru_cache(CACHE_SIZE)(classifier.predict)

    def predict(unwrapped: Unwrapped, parties: frozenset[str], notice: str) -> Prediction | None:
        facts = tuple(facts_of(unwrapped, parties))
        around = (*worded(canonical(notice)), *facts) if notice else ()
        return remembered(features_of(unwrapped, parties), around)

    return predict


def _mixed(reply: Floats, notice: Floats, *, share: float) -> Floats:
    """Both witnesses as one, the notice with its share of the logarithms."""
    logs = (np.log(reply + TINY) + share * np.log(notice + TINY)) / (1.0 + share)
    powers = np.exp(logs - logs.max())
    shares: Floats = powers / powers.sum()
    return shares


def shipped_classifier() -> Classifier:
    """The classifier that comes with the product.

    Raises:
        DataError: its files are missing or damaged.
    """
    return read_classifier(data_file("artefact", ARRAYS), data_file("artefact", CARD))


def classifier_in(folder: Path) -> Classifier:
    """The user's own classifier.

    Raises:
        DataError: a file is missing, damaged, or made for another taxonomy; names its path and the reason.
    """
    try:
        return read_classifier(folder / ARRAYS, folder / CARD)
    except DataError as error:
        raise DataError(str(folder / error.where), error.entry, error.reason) from error


def read_classifier(arrays: Readable, card: Readable) -> Classifier:
    """A classifier from its two files.

    Raises:
        DataError: a file is missing, damaged, or made for another taxonomy.
    """
    content = _card(card)
    try:
        raw = arrays.read_bytes()
    except OSError as error:
        raise DataError(arrays.name, "file", error.strerror or str(error)) from error
    try:
        _check(raw, content, arrays.name, card.name)
        _blend(content.get("blend"))
        _blend(content.get("blend_alone"))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(card.name, "form", f"{type(error).__name__}: {error}") from error
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
            return _classifier({name: stored[name] for name in stored.files}, content)
    except _SPOILED as error:
        raise DataError(arrays.name, "form", f"{type(error).__name__}: {error}") from error


def _check(raw: bytes, card: Mapping[str, Any], arrays_name: str, card_name: str) -> None:
    digest = hashlib.sha256(raw).hexdigest()
    if digest != card["digest"]:
        raise DataError(arrays_name, "digest", f"{digest} is not the {card['digest']} of {card_name}")
    unknown = set(card["labels"]) - set(taxonomy().names)
    if unknown or card["taxonomy_version"] != taxonomy().version:
        raise DataError(card_name, "labels", "it was trained for another taxonomy")


def _card(card: Readable) -> dict[str, Any]:
    try:
        content = orjson.loads(card.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise DataError(card.name, "card", str(error)) from error
    if not isinstance(content, dict):
        raise DataError(card.name, "form", "it is no object")
    return content


def _blend(stored: Mapping[str, Any] | None) -> Blend:
    if not stored:
        return Blend()
    lines = {name: (float(offset), float(slope)) for name, (offset, slope) in stored["calibration"].items()}
    return Blend(lines, float(stored["unknown_below"]))


def _classifier(stored: Mapping[str, npt.NDArray[Any]], card: Mapping[str, Any]) -> Classifier:
    names = tuple(stored["vocabulary"].tobytes().decode().split("\n"))
    _check_shapes(stored, len(names), len(card["labels"]))
    return Classifier(
        labels=tuple(card["labels"]),
        names=names,
        rows={name: row for row, name in enumerate(names)},
        idf=stored["idf"].astype(np.float64),
        weights=stored["weights"].astype(np.float32),
        bias=stored["bias"].astype(np.float64),
        permanence_weights=stored["permanence_weights"].astype(np.float64),
        permanence_bias=stored["permanence_bias"].astype(np.float64),
        card=card,
    )


def _check_shapes(stored: Mapping[str, npt.NDArray[Any]], features: int, labels: int) -> None:
    expected = {
        "idf": (features,),
        "weights": (features, labels),
        "bias": (labels,),
        "permanence_weights": (features,),
        "permanence_bias": (1,),
    }
    for name, shape in expected.items():
        if stored[name].shape != shape:
            raise ValueError(f"{name} has the shape {stored[name].shape}, not {shape}")
