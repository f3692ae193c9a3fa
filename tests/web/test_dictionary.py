"""The dictionary: categories, codes, causes and what answers."""

import pytest
from flask.testing import FlaskClient

from model.taxonomy import taxonomy
from service.web.schemas import CategoriesSchema, CodeSchema, KnownCauseSchema, ModelSchema


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_category_is_listed_with_its_titles(client: FlaskClient, language: str) -> None:
    listed = client.get("/v1/categories", headers={"Accept-Language": language}).json

    assert {} == CategoriesSchema().validate(listed)
    assert list(taxonomy().names) == [category["id"] for category in listed["categories"]]
    assert {("en", "zh")} == {tuple(category["titles"]) for category in listed["categories"]}
    assert all(category["title"] == category["titles"][language] for category in listed["categories"])


@pytest.mark.parametrize(
    ("code", "known"), [("550", True), ("5.1.1", True), ("9.9.9", False), ("a b;ü", False)]
)
def test_a_code_is_explained_or_comes_with_a_search(client: FlaskClient, code: str, *, known: bool) -> None:
    entry = client.get(f"/v1/codes/{code}").json

    assert {} == CodeSchema().validate(entry)
    assert (code, known) == (entry["code"], entry["known"])
    assert entry["search_link"].startswith("https://")


def test_a_code_is_explained_in_the_language_asked_for(client: FlaskClient) -> None:
    english, chinese = (
        client.get("/v1/codes/5.1.1", headers={"Accept-Language": language}).json for language in ("en", "zh")
    )

    assert english["meanings"][0]["text"].isascii()
    assert not chinese["meanings"][0]["text"].isascii()


def test_a_cause_is_explained_with_its_category(client: FlaskClient) -> None:
    cause = client.get("/v1/causes/clock_skew").json

    assert {} == KnownCauseSchema().validate(cause)
    assert ("clock_skew", "internal_auth_failed") == (cause["id"], cause["category"])


def test_what_answers_is_told(client: FlaskClient) -> None:
    told = client.get("/v1/model").json

    assert {} == ModelSchema().validate(told)
    assert ("rules-1", None, False) == (told["rules_version"], told["model_version"], told["custom_rules"])
    assert ({"digest": "card-1"}, False) == (told["model_card"], told["custom_model"])
