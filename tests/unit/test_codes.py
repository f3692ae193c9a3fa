"""The dictionary knows what each code means to whom."""

import pytest

from model.codes import MAX_CODE_CHARS, lookup
from model.languages import LANGUAGES
from model.providers import providers
from model.resources import data_files, read_toml
from model.taxonomy import taxonomy

ENTRIES = [entry for file in data_files("codes") for entry in read_toml(file).get("meaning", ())]


@pytest.mark.parametrize(
    "code", ["550", "421", "5.1.1", "4.4.7", "5.7.26", "RESOLVER.ADR.RecipNotFound", "HL:ICC"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_common_codes_are_known_in_every_language(code: str, language: str) -> None:
    entry = lookup(code, language)

    assert entry.known
    assert all(meaning.text and meaning.source for meaning in entry.meanings)


@pytest.mark.parametrize("code", ["5.1.8", "5.2.2", "5.7.1"])
def test_a_code_that_vendors_use_otherwise_has_several_meanings(code: str) -> None:
    assert len({meaning.category for meaning in lookup(code).meanings}) > 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hl:icc", "HL:ICC"),
        (" 5.1.1 ", "5.1.1"),
        ("resolver.adr.recipnotfound", "RESOLVER.ADR.RecipNotFound"),
    ],
)
def test_case_and_spaces_do_not_matter(one: str, other: str) -> None:
    assert lookup(one).meanings == lookup(other).meanings


def test_a_code_within_a_range_is_known() -> None:
    assert {"reputation_blocked"} <= {meaning.category for meaning in lookup("5.7.611").meanings}


@pytest.mark.parametrize("code", ["9.9.9", "999", "no such code", "5.1.1.1", ""])
def test_a_code_nobody_knows_comes_with_a_search(code: str) -> None:
    entry = lookup(code)

    assert (False, ()) == (entry.known, entry.meanings)
    assert entry.search_link.startswith("https://")


def test_a_search_link_is_escaped_and_short() -> None:
    entry = lookup('"><script>&' + "x" * 500)

    assert MAX_CODE_CHARS == len(entry.code)
    assert not set('"<> ') & set(entry.search_link)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry['code']} {entry['by']}")
def test_a_meaning_is_whole(entry: dict[str, str]) -> None:
    assert entry["category"] in taxonomy().names
    assert entry["source"]
    assert all(entry[language].strip() for language in LANGUAGES)
    assert entry.get("provider") is None or entry["provider"] in providers().by_id
