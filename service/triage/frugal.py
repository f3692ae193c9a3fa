"""Keeps the memory of a worker small, however many messages it diagnoses."""

from __future__ import annotations

import ctypes
import gc
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from model.classifier import Classifier, classifier_in, predictor, shipped_classifier
from model.pipeline import build_diagnoser
from model.types import Prediction, Unwrapped
from service.wiring import Core, Diagnoser

MOST_CALLS = 500
"""After so many calls what was remembered of a classifier's answers is dropped: full, it takes 60 MB."""

MOST_ITEMS = 2_000
"""After so many items all that the core has compiled is dropped."""


def frugal_diagnoser(rules_dir: Path | None, model_dir: Path | None) -> Diagnoser:
    """A diagnoser that answers as any other, and remembers less.

    Args:
        rules_dir: a folder of the user's own rules.
        model_dir: a folder with a classifier in place of the shipped one.

    Raises:
        RuleError: one of the user's own rules is wrong.
        DataError: the classifier is damaged, or was trained for another taxonomy.
    """
    classifier = classifier_in(model_dir) if model_dir else shipped_classifier()
    diagnoser = build_diagnoser(rules_dir, classifier=classifier)
    return Core(replace(diagnoser, predict=Forgetful(classifier)))


class Forgetful:
    """A classifier that remembers its answers for some time only.

    Args:
        classifier: gives the answers.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._predict = predictor(classifier)
        self._calls = 0

    def __call__(self, unwrapped: Unwrapped, parties: frozenset[str], notice: str) -> Prediction | None:
        """The classifier's answer."""
        self._calls += 1
        if self._calls > MOST_CALLS:
            self._predict, self._calls = predictor(self._classifier), 1
        return self._predict(unwrapped, parties, notice)


class Seen:
    """Counts what a process has worked on, and says when it should forget.

    Args:
        most: so many items may be remembered.
    """

    def __init__(self, most: int = MOST_ITEMS) -> None:
        self._most = most
        self._items = 0

    def is_enough_with(self, items: int) -> bool:
        """Whether it is enough with some items more; then the count begins anew."""
        self._items += items
        if self._items < self._most:
            return False
        self._items = 0
        return True

    def taken(self) -> bool:
        """Whether there were any; then the count begins anew."""
        were_any, self._items = self._items > 0, 0
        return were_any


def forget() -> None:
    """Drops all that the core has read and compiled: patterns fill with the texts that they have seen.

    Whoever holds a diagnoser may keep it; the next one is built anew, which takes some tenths of a second.
    """
    for module in [each for name, each in sys.modules.items() if name.startswith("model.")]:
        for value in vars(module).values():
            getattr(value, "cache_clear", _nothing)()
    gc.collect()


def _nothing() -> None:
    pass


def give_back() -> None:
    """Gives free memory back to the system, where its library can."""
    pa.default_memory_pool().release_unused()
    trim = getattr(_library(), "malloc_trim", None)
    if trim:
        trim(0)


@cache
def _library() -> Any:  # noqa: ANN401  # whatever the system has
    return ctypes.CDLL(None)
