"""What is learned, what is kept to measure on, and what neither may hold."""

import pytest

from model.types import Form, Kind, Permanence
from training.corpus import Item
from training.sources import (
    BLIND,
    LAB,
    NOT_LEARNED,
    RECOMBINED,
    Parts,
    labelled_texts,
    learnable,
    shipped_items,
    split,
)
from training.split import groups_of
from training.templates import Template, shipped_templates

FILES = frozenset({"systems-en", "terse-en", "whole-notices"})
"""Some thousand texts are enough to see how they are split, and fast."""


@pytest.fixture(scope="module")
def texts() -> tuple[Template, ...]:
    return labelled_texts()


@pytest.fixture(scope="module")
def some(texts: tuple[Template, ...]) -> tuple[Template, ...]:
    return learnable([text for text in texts if text.origin in FILES])


@pytest.fixture(scope="module")
def parts(some: tuple[Template, ...]) -> Parts:
    return split(some)


@pytest.fixture(scope="module")
def sources(texts: tuple[Template, ...]) -> frozenset[str]:
    """The ids of the lab reports that are learned."""
    return frozenset(text.source for text in texts if text.origin == LAB)


def template(text: str, category: str = "mailbox_full", origin: str = "test") -> Template:
    return Template(text, category, Permanence.UNKNOWN, "generic", "en", "a test", Kind.BOUNCE, origin)


def twins(number: int) -> tuple[Template, Template]:
    """One wording twice: as it was written, and put into a frame again."""
    text = " ".join(f"{word}{chr(97 + number)}" for word in ("red", "green", "blue", "north", "south"))
    return template(text), template(f"{text} {{addr}}", origin="whole-notices")


def test_templates_come_first_and_all_of_them(texts: tuple[Template, ...]) -> None:
    shipped = shipped_templates()

    assert shipped == texts[: len(shipped)]
    assert {"blind", LAB} == {text.origin for text in texts[len(shipped) :]}


@pytest.mark.parametrize("name", BLIND)
def test_every_text_that_was_written_blind_is_there(name: str, texts: tuple[Template, ...]) -> None:
    found = {text.source for text in texts if text.origin == "blind"}

    assert set() == {item.id for item in shipped_items("blind", name)} - found


@pytest.mark.parametrize(
    ("part", "is_hard", "is_learned"),
    [("train", False, True), ("train", True, False), ("test", False, False), ("test", True, False)],
)
def test_only_the_plain_train_part_of_the_lab_is_learned(
    sources: frozenset[str], part: str, *, is_hard: bool, is_learned: bool
) -> None:
    ids = {item.id for item in shipped_items(LAB) if (item.split, item.hard) == (part, is_hard)}

    assert ids
    assert (ids if is_learned else set()) == ids & sources


def test_a_blind_text_keeps_its_label(texts: tuple[Template, ...]) -> None:
    item = next(each for each in shipped_items("blind", "replies") if len(each.accept) > 1)
    (text,) = (each for each in texts if (each.origin, each.source) == ("blind", item.id))

    assert (item.raw.decode(), item.category, item.permanence) == (text.text, text.category, text.permanence)
    assert item.accept == {text.category, *text.also}


def test_of_a_report_its_diagnostic_is_learned(texts: tuple[Template, ...]) -> None:
    by_id: dict[str, Item] = {item.id: item for item in shipped_items(LAB)}
    reports = [text for text in texts if text.origin == LAB and by_id[text.source].form is Form.AUTO]

    assert reports
    assert [] == [text.source for text in reports if "\nReceived: " in text.text or not text.text.strip()]


def test_what_structure_decides_is_not_learned(texts: tuple[Template, ...]) -> None:
    left_out = set(texts) - set(learnable(texts))

    assert NOT_LEARNED == {text.category for text in left_out}
    assert set() == NOT_LEARNED & {text.category for text in learnable(texts)}


def test_nothing_is_doubled_and_only_recombined_templates_are_lost(
    some: tuple[Template, ...], parts: Parts
) -> None:
    lost = set(some) - set(parts.learned) - set(parts.kept)

    assert set() == set(parts.learned) & set(parts.kept)
    assert {*some} == {*parts.learned, *parts.kept, *lost}
    assert {text.origin for text in lost} <= RECOMBINED


def test_every_category_stands_on_both_sides(some: tuple[Template, ...], parts: Parts) -> None:
    categories = {text.category for text in some}

    assert len(categories) > 30
    assert [categories, categories] == [{text.category for text in part} for part in parts]


def test_no_wording_stands_on_both_sides(some: tuple[Template, ...], parts: Parts) -> None:
    group_of = dict(zip(some, groups_of([text.text for text in some]).tolist(), strict=True))
    kept = {group_of[text] for text in parts.kept}

    assert len(set(group_of.values())) < len(some)
    assert [] == [text.text for text in parts.learned if group_of[text] in kept]


def test_a_kept_wording_is_not_learned_in_another_frame() -> None:
    pairs = [twins(number) for number in range(24)]
    learned, kept = split([text for pair in pairs for text in pair])

    assert kept
    assert [] == [plain.text for plain, framed in pairs if plain in kept and framed in learned]


def test_recombined_templates_are_learned_and_never_kept(parts: Parts) -> None:
    learned, kept = ({text.origin for text in part} for part in parts)

    assert (RECOMBINED, frozenset()) == (RECOMBINED & learned, RECOMBINED & kept)


def test_the_same_texts_are_split_the_same_way() -> None:
    texts = [text for number in range(24) for text in twins(number)]

    assert split(texts) == split(texts)
