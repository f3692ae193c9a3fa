"""The data card says what the training data holds."""

from collections.abc import Callable, Sequence
from importlib.resources import files

import pytest

from training.datacard import blind_items, data_card, lab_labels, wording
from training.sources import RECOMBINED, labelled_texts, learnable
from training.templates import Template, shipped_templates


def combined() -> list[Template]:
    return [each for each in shipped_templates() if each.origin in RECOMBINED]


def learned() -> Sequence[Template]:
    return learnable(labelled_texts())


def test_the_data_card_is_current() -> None:
    """``python -m training.datacard > training/data/README.md`` makes it so."""
    assert data_card() == files("training").joinpath("data", "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        (shipped_templates, "labelled wordings"),
        (combined, "lines of `whole-notices.jsonl`"),
        (blind_items, "labelled replies, log lines and short notices"),
        (lab_labels, "reports that real mail systems made"),
        (learned, "of them, less what is kept"),
    ],
)
def test_it_counts_each_part(parts: Callable[[], Sequence[object]], what: str) -> None:
    assert f" {len(parts()):,} {what}" in " ".join(data_card().split())


def test_a_row_counts_a_category_in_each_part() -> None:
    category = "greylisted"
    templates = sum(each.category == category for each in shipped_templates())
    blind = sum(each.category == category for each in blind_items())
    lab = [each["split"] for each in lab_labels() if each["category"] == category]

    row = f"| {category} | {templates} | {blind} | {lab.count('train')} | {lab.count('test')} |"
    assert row in data_card()


def test_slots_digits_and_codes_make_no_wording() -> None:
    assert wording("550 5.1.1 <{addr}>: Mailbox full") == wording("452 <user@example.com> mailbox full")
    assert wording("Mailbox full") != wording("Mailbox nearly full")
