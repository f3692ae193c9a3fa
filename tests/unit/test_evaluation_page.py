"""The page and the JSON of an evaluation show its figures, and the page needs nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from training.corpus import Item, read_corpus
from training.evaluate import Evaluation, Mode, diagnoser_of, evaluate
from training.report import Report, as_html, as_json

BLIND = Path(__file__).parents[2] / "training" / "data" / "blind" / "replies"
SVG = {"svg": "http://www.w3.org/2000/svg"}


@pytest.fixture(scope="module")
def items() -> list[Item]:
    read = list(read_corpus(BLIND))[:120]
    mislabelled = replace(read[0], accept=frozenset({"complaint"}), category="complaint", language="zh")
    return [mislabelled, *(replace(each, provider="postfix", language="en") for each in read[1:])]


@pytest.fixture(scope="module")
def evaluation(items: list[Item]) -> Evaluation:
    return evaluate(diagnoser_of(Mode.RULES), items)


@pytest.fixture(scope="module")
def report(evaluation: Evaluation) -> Report:
    other = Evaluation(evaluation.outcomes[:60])
    return Report("my <bounces>", evaluation, Mode.RULES, {Mode.RULES: evaluation, Mode.MODEL: other})


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return as_html(report)


@pytest.fixture(scope="module")
def tree(page: str) -> ElementTree.Element:
    return ElementTree.fromstring(page)  # noqa: S314  # our own page


def texts(tree: ElementTree.Element, tag: str) -> list[str]:
    return ["".join(element.itertext()) for element in tree.iter(tag)]


def test_the_page_is_well_formed_and_names_what_was_measured(tree: ElementTree.Element) -> None:
    assert ["Evaluation of my <bounces>"] == texts(tree, "h1")


def test_the_page_needs_neither_network_nor_script(page: str) -> None:
    assert [] == re.findall(r"<script|<link|<img|@import|\burl\(|\bsrc=|\bhref=|\bon\w+=", page)


def test_the_page_is_light_dark_and_printable(page: str) -> None:
    assert "@media (prefers-color-scheme: dark)" in page
    assert "@media print" in page


def test_every_picture_has_a_title(tree: ElementTree.Element) -> None:
    pictures = list(tree.iter("svg"))

    assert len(pictures) > 3
    assert [] == [
        picture for picture in pictures if picture.get("role") != "img" or picture.find("title") is None
    ]


@pytest.mark.parametrize("title", ["Reliability diagram", "Risk–coverage curve", "Confusion matrix"])
def test_a_picture_is_there(title: str, tree: ElementTree.Element) -> None:
    assert title in texts(tree, "title")


def test_ids_are_unique_and_what_is_referred_to_exists(tree: ElementTree.Element) -> None:
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    labels = [(element.get("aria-labelledby") or "").split() for element in tree.iter()]

    assert sorted(set(ids)) == sorted(ids)
    assert {name for names in labels for name in names} <= set(ids)


def test_every_category_has_its_row_and_its_column(tree: ElementTree.Element, evaluation: Evaluation) -> None:
    shown = texts(tree, "text")

    assert [] == [each.category for each in evaluation.by_category if shown.count(each.category) < 2]


def test_the_cards_show_the_scores(tree: ElementTree.Element, evaluation: Evaluation) -> None:
    assert f"{evaluation.category.share:.1%}".replace("%", " %") in texts(tree, "b")
    assert f"{evaluation.calibration_error:.3f}" in texts(tree, "b")


def test_the_worst_errors_show_the_words(page: str, evaluation: Evaluation) -> None:
    assert evaluation.worst(1)[0].item.id in page
    assert "answered as recipient_unknown: 1" in page


def test_all_compared_modes_have_a_curve(tree: ElementTree.Element) -> None:
    assert ["rules", "model"] == [path.findtext("title") for path in tree.iter("path")]


def test_groups_that_labels_name_have_a_table(page: str) -> None:
    assert "By language" in page
    assert "By origin" not in page


def test_nothing_to_measure_is_still_a_page() -> None:
    empty = Report("nothing", Evaluation(()))

    assert "None: every category is right." in as_html(empty)
    assert 0 == json.loads(as_json(empty))["items"]


def test_the_figures_for_programs_are_those_of_the_evaluation(report: Report, evaluation: Evaluation) -> None:
    figures = json.loads(as_json(report))

    assert evaluation.category.right == figures["category"]["right"]
    assert evaluation.calibration_error == figures["calibration_error"]
    assert len(evaluation.outcomes) == sum(map(sum, figures["confusion"]["counts"]))
    assert {"rules", "model"} == set(figures["modes"])
    assert {"en": 119, "zh": 1} == {key: each["items"] for key, each in figures["by"]["language"].items()}
    assert len(evaluation.worst()) == len(figures["worst"])


def test_the_same_evaluation_gives_the_same_page(report: Report, page: str) -> None:
    assert page == as_html(report)
