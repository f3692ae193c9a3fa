"""Gathers what the classifier learns from: templates, texts written blind, the lab's training part."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from typing import NamedTuple

from model.parse import parse
from model.types import Form
from training.corpus import Item, read_corpus
from training.split import held_out
from training.templates import Template, shipped_templates

BLIND = ("replies", "more")
LAB = "lab"
TRAIN = "train"
RECOMBINED = frozenset({"whole-notices"})
"""Templates that put the same reasons into several frames; never kept to measure on."""

NOT_LEARNED = frozenset({"delivery_notice", "auto_reply", "complaint"})
"""What headers and structure decide, and not the words of a reply."""


class Parts(NamedTuple):
    """What is learned, and what is kept to measure on; no wording stands on both sides."""

    learned: tuple[Template, ...]
    kept: tuple[Template, ...]


def labelled_texts() -> tuple[Template, ...]:
    """All of them: templates with slots, then texts as they stand.

    Raises:
        DataError: one is wrong; names the file, the line and the reason.
    """
    blind = (item for name in BLIND for item in shipped_items("blind", name))
    lab = (item for item in shipped_items(LAB) if item.split == TRAIN and not item.hard)
    return (
        *shipped_templates(),
        *(_text(item, "blind") for item in blind),
        *(_text(item, LAB) for item in lab),
    )


def shipped_items(*path: str) -> tuple[Item, ...]:
    """The labelled bounces in a folder below ``training/data``."""
    with as_file(files("training").joinpath("data", *path)) as folder:
        return tuple(read_corpus(folder))


def learnable(texts: Sequence[Template]) -> tuple[Template, ...]:
    """The texts whose category the words decide; ordinary mail teaches what ``unknown`` sounds like."""
    return tuple(text for text in texts if text.category not in NOT_LEARNED)


def split(texts: Sequence[Template]) -> Parts:
    """One of six groups of near-duplicates is kept, of every category."""
    usable = learnable(texts)
    held = held_out([each.text for each in usable], [each.category for each in usable])
    pairs = list(zip(usable, held, strict=True))
    return Parts(
        tuple(each for each, is_held in pairs if not is_held),
        tuple(each for each, is_held in pairs if is_held and each.origin not in RECOMBINED),
    )


def _text(item: Item, origin: str) -> Template:
    """The decisive words of a bounce: the text itself, or what its first failure says."""
    if item.form is Form.TEXT:
        text = item.raw.decode()
    else:
        report = parse(item.raw, item.form)
        failure = report.failures[0] if report.failures else None
        text = (failure.diagnostic or failure.reason if failure else "") or report.notice
    return Template(
        text=text,
        category=item.category,
        permanence=item.permanence,
        provider=item.provider or "generic",
        language=item.language or "en",
        source=item.id,
        kind=item.kind,
        origin=origin,
        also=item.accept - {item.category},
    )
