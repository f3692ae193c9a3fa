"""Every category has its words in every language, and no language adds or loses a fact."""

import re
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import Any

import pytest

from model.providers import providers
from model.resources import data_file, data_files, read_toml
from model.taxonomy import taxonomy
from model.types import Action, FixOwner, Kind, Permanence, Stage

FACTS = "en"
"""The language whose files hold facts beside the words; all others hold words only."""

LANGUAGES = sorted(
    folder.name for folder in files("model").joinpath("data", "knowledge").iterdir() if folder.is_dir()
)
TEXT_LANGUAGES = sorted(file.name.removesuffix(".toml") for file in data_files("texts"))
CATEGORIES = taxonomy().names
ENUMS = {"kind": Kind, "permanence": Permanence, "action": Action, "fix_owner": FixOwner, "stage": Stage}
CHINESE = re.compile(r"[\u4e00-\u9fff]")

each_category = pytest.mark.parametrize("category", CATEGORIES)
each_file = pytest.mark.parametrize(
    ("language", "category"), [(language, category) for language in LANGUAGES for category in CATEGORIES]
)
each_translation = pytest.mark.parametrize(
    ("language", "category"),
    [(language, category) for language in LANGUAGES if language != FACTS for category in CATEGORIES],
)
each_text_language = pytest.mark.parametrize("language", TEXT_LANGUAGES)


@cache
def knowledge(language: str, category: str) -> dict[str, Any]:
    return read_toml(data_file("knowledge", language, f"{category}.toml"))


def causes(language: str, category: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = knowledge(language, category).get("cause", [])
    return found


def variants(language: str, category: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = knowledge(language, category).get("variant", [])
    return found


def shape(language: str, category: str) -> list[tuple[str, int, int]]:
    return [(cause["id"], len(cause["checks"]), len(cause["fixes"])) for cause in causes(language, category)]


def strings(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for each in value for text in strings(each)]
        case dict():
            return [text for each in value.values() for text in strings(each)]
    return []


def sentences(language: str, category: str) -> list[str]:
    content = knowledge(language, category)
    heads = [content, *variants(language, category), *causes(language, category)]
    return [head[key] for head in heads for key in ("title", "summary", "explanation") if key in head]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_one_file_for_each_category_and_no_other(language: str) -> None:
    named = {file.name.removesuffix(".toml") for file in data_files("knowledge", language)}

    assert set(CATEGORIES) == named


@each_file
def test_a_category_has_title_summary_and_causes(language: str, category: str) -> None:
    assert {"title", "summary", "cause"} <= set(knowledge(language, category))


@each_file
def test_a_cause_says_what_why_how_to_tell_and_how_to_mend(language: str, category: str) -> None:
    needed = {"id", "title", "explanation", "checks", "fixes"}
    short = {cause["id"] for cause in causes(language, category) if not needed <= set(cause)}

    assert set() == short


@each_file
def test_every_cause_has_a_check_and_a_fix(language: str, category: str) -> None:
    bare = {cause["id"] for cause in causes(language, category) if not (cause["checks"] and cause["fixes"])}

    assert set() == bare


@each_file
def test_no_text_is_empty(language: str, category: str) -> None:
    assert [] == [text for text in strings(knowledge(language, category)) if not text.strip()]


@each_file
def test_backticks_around_commands_are_closed(language: str, category: str) -> None:
    assert [] == [text for text in strings(knowledge(language, category)) if text.count("`") % 2]


@each_translation
def test_a_translation_has_the_same_causes_checks_and_fixes_in_the_same_order(
    language: str, category: str
) -> None:
    assert shape(FACTS, category) == shape(language, category)


@each_translation
def test_a_translation_has_the_same_variants_in_the_same_order(language: str, category: str) -> None:
    titled = [("title" in variant, "summary" in variant) for variant in variants(FACTS, category)]

    assert titled == [("title" in variant, "summary" in variant) for variant in variants(language, category)]


@each_translation
def test_a_translation_holds_words_only(language: str, category: str) -> None:
    facts = {"provider", "likelihood", "fix_owner", "links"}
    parts = [*variants(language, category), *causes(language, category)]

    assert set() == facts & {key for part in parts for key in part}


@each_translation
def test_a_translation_keeps_every_link_that_the_checks_and_fixes_name(language: str, category: str) -> None:
    def links(spoken: str) -> Counter[str]:
        texts = strings([[cause["checks"], cause["fixes"]] for cause in causes(spoken, category)])
        return Counter(link for text in texts for link in re.findall(r"https://[\w./-]+\w", text))

    assert set(links(FACTS)) == set(links(language))


@pytest.mark.parametrize("category", CATEGORIES if "zh" in LANGUAGES else ())
def test_chinese_titles_summaries_and_explanations_are_chinese(category: str) -> None:
    assert [] == [text for text in sentences("zh", category) if not CHINESE.search(text)]


@each_category
def test_the_likelihoods_of_the_causes_for_everybody_add_up_to_one(category: str) -> None:
    total = sum(cause["likelihood"] for cause in causes(FACTS, category) if not cause.get("provider"))

    assert 0.9 <= total <= 1.05


@each_category
def test_every_likelihood_is_a_share(category: str) -> None:
    assert [] == [cause["id"] for cause in causes(FACTS, category) if not 0 < cause["likelihood"] <= 1]


@each_category
def test_every_fix_owner_is_known(category: str) -> None:
    assert set() == {cause["fix_owner"] for cause in causes(FACTS, category)} - set(FixOwner)


@each_category
def test_every_provider_named_is_known(category: str) -> None:
    parts = [*variants(FACTS, category), *causes(FACTS, category)]
    named = {name for part in parts for name in part.get("provider", [])}

    assert set() == named - set(providers().by_id)


@each_category
def test_every_variant_is_for_a_provider_that_no_earlier_one_took(category: str) -> None:
    named = [name for variant in variants(FACTS, category) for name in variant["provider"]]

    assert sorted(set(named)) == sorted(named)


@each_category
def test_every_link_is_a_web_address(category: str) -> None:
    links = [link for cause in causes(FACTS, category) for link in cause["links"]]

    assert [] == [link for link in links if not re.fullmatch(r"https?://\S+", link)]


def test_cause_ids_are_unique_over_all_categories() -> None:
    named = Counter(cause["id"] for category in CATEGORIES for cause in causes(FACTS, category))

    assert {} == {cause: count for cause, count in named.items() if count > 1}


def test_cause_ids_are_snake_case() -> None:
    named = {cause["id"] for category in CATEGORIES for cause in causes(FACTS, category)}

    assert set() == {cause for cause in named if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", cause)}


def test_the_short_texts_exist_in_every_language() -> None:
    assert LANGUAGES == TEXT_LANGUAGES


@each_text_language
@pytest.mark.parametrize("table", ENUMS)
def test_every_value_has_a_label(language: str, table: str) -> None:
    labels = read_toml(data_file("texts", f"{language}.toml"))[table]

    assert {value.value for value in ENUMS[table]} == set(labels)


@each_text_language
def test_a_language_has_the_same_labels_as_the_others(language: str) -> None:
    expected = read_toml(data_file("texts", f"{FACTS}.toml"))["label"]

    assert set(expected) == set(read_toml(data_file("texts", f"{language}.toml"))["label"])


@each_text_language
def test_no_label_is_empty(language: str) -> None:
    content = read_toml(data_file("texts", f"{language}.toml"))

    assert [] == [text for text in strings(content) if not text.strip()]
