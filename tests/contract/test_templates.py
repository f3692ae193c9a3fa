"""The templates are many, varied, and of their own words."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from model.parse import parse
from model.reply import unwrap
from model.taxonomy import UNKNOWN, taxonomy
from training.corpus import Item, read_corpus
from training.datacard import wording
from training.sources import LAB, labelled_texts
from training.templates import Template, shipped_templates

PROBES = Path(__file__).parents[1] / "probes"
CORPUS = os.environ.get("NDR_CORPUS")
FOLDERS = [PROBES, *([Path(CORPUS)] if CORPUS else [])]
FREQUENT = frozenset(
    {
        "recipient_unknown",
        "mailbox_full",
        "reputation_blocked",
        "content_rejected",
        "sender_auth_failed",
        "connection_failed",
        "rate_limited",
    }
)
OTHER_LANGUAGES = frozenset("de es fr it ja ko nl pl pt ru tr".split())
FEW_WORDS = 5
"""Up to so many words anybody would write the same sentence."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\d_]+")


@pytest.fixture(scope="module")
def templates() -> tuple[Template, ...]:
    return shipped_templates()


@pytest.fixture(scope="module")
def shares(templates: tuple[Template, ...]) -> dict[str, float]:
    counts = Counter(template.language for template in templates)
    return {language: count / len(templates) for language, count in counts.items()}


@cache
def texts_of(folder: Path) -> dict[str, str]:
    """Wording to id: whole texts, diagnostics, reasons and innermost replies of an evaluation set."""
    return {
        wording(each): item.id for item in read_corpus(folder) for text in told(item) for each in parts(text)
    }


def told(item: Item) -> Iterator[str]:
    report = parse(item.raw, item.form)
    yield from (text for each in report.failures for text in (each.diagnostic, each.reason) if text.strip())
    if item.form == "text":
        yield item.raw.decode()


def parts(text: str) -> tuple[str, ...]:
    unwrapped = unwrap(text)
    return text, unwrapped.innermost.text, unwrapped.text[unwrapped.start : unwrapped.end]


def test_there_are_at_least_3000_wordings(templates: tuple[Template, ...]) -> None:
    assert len({wording(template.text) for template in templates}) >= 3000


def test_no_wording_stands_twice(templates: tuple[Template, ...]) -> None:
    counts = Counter(wording(template.text) for template in templates)

    assert [] == [words for words, count in counts.items() if count > 1]


@pytest.mark.parametrize("category", sorted(taxonomy().names))
def test_a_category_has_enough_templates(category: str, templates: tuple[Template, ...]) -> None:
    least = 150 if category in FREQUENT else 40

    assert sum(template.category == category for template in templates) >= least


def test_many_providers_speak(templates: tuple[Template, ...]) -> None:
    assert len({template.provider for template in templates}) >= 60


def test_english_is_the_main_language(shares: dict[str, float]) -> None:
    assert 0.45 <= shares["en"] <= 0.70


def test_chinese_is_the_second_language(shares: dict[str, float]) -> None:
    assert shares["zh"] >= 0.15


def test_all_other_languages_speak(shares: dict[str, float]) -> None:
    assert OTHER_LANGUAGES == set(shares) - {"en", "zh"}


def test_only_ordinary_mail_is_no_bounce(templates: tuple[Template, ...]) -> None:
    assert {UNKNOWN} == {template.category for template in templates if template.kind == "not_ndr"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_nothing_learned_equals_a_text_of_an_evaluation_set(folder: Path) -> None:
    """Otherwise the figures would measure memory."""
    texts = texts_of(folder)
    words = ((each, wording(each.text)) for each in labelled_texts() if each.origin != LAB)
    same = [
        f"{template.origin}: {template.text} is {texts[text]}"
        for template, text in words
        if text in texts and len(_WORD.findall(text)) > FEW_WORDS
    ]

    assert [] == same
