"""The description is complete, and the page shows it without help from elsewhere."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import Schema

from service.web import archive_requests, archive_schemas, bodies, case_schemas, errors, requests, schemas

UNDESCRIBED = {"/", "/docs", "/openapi.json"}
"""Pages for people, and the description itself."""


@pytest.fixture
def description(client: FlaskClient) -> dict[str, Any]:
    content: dict[str, Any] = client.get("/openapi.json").json
    return content


def operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, dict):
                yield path, method, operation


def references(content: object) -> Iterator[str]:
    if isinstance(content, dict):
        if isinstance(content.get("$ref"), str):
            yield content["$ref"]
        for inner in content.values():
            yield from references(inner)
    if isinstance(content, list):
        for inner in content:
            yield from references(inner)


def test_it_is_openapi_3_1(description: dict[str, Any]) -> None:
    assert "3.1.0" == description["openapi"]


def test_every_route_is_described(app: Flask, description: dict[str, Any]) -> None:
    rules = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}

    assert rules - UNDESCRIBED == set(description["paths"])


def test_every_operation_has_a_summary_and_an_answer(description: dict[str, Any]) -> None:
    bare = [
        (method, path)
        for path, method, operation in operations(description)
        if not operation.get("summary") or not {"200", "201", "202", "204"} & set(operation["responses"])
    ]

    assert [] == bare


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    lost = []
    for reference in set(references(description)):
        place: Any = description
        for name in reference.removeprefix("#/").split("/"):
            place = place.get(name, {})
        if not place:
            lost.append(reference)

    assert [] == lost


def test_every_body_type_that_is_read_is_described(description: dict[str, Any]) -> None:
    described = description["paths"]["/v1/classify"]["post"]["requestBody"]["content"]

    assert set(filter(None, bodies.READERS)) == set(described)


def test_every_problem_type_is_the_answer_of_some_operation(description: dict[str, Any]) -> None:
    told = {
        name
        for _, _, operation in operations(description)
        for answer in operation["responses"].values()
        for name in answer.get("content", {}).get(errors.MEDIA_TYPE, {}).get("examples", {})
    }
    of_any_path = {errors.METHOD_NOT_ALLOWED.name}
    of_items_in_a_batch = {errors.OUT_OF_TIME.name}

    assert {kind.name for kind in errors.PROBLEM_TYPES} == told | of_any_path | of_items_in_a_batch


def test_problems_are_problem_json(description: dict[str, Any]) -> None:
    wrong = [
        (path, status)
        for path, _, operation in operations(description)
        for status, answer in operation["responses"].items()
        if status >= "400" and list(answer["content"]) != [errors.MEDIA_TYPE]
    ]

    assert [] == wrong


def test_the_query_and_the_language_are_described(description: dict[str, Any]) -> None:
    path = description["paths"]["/v1/classify"]
    names = {parameter["name"] for parameter in [*path.get("parameters", []), *path["post"]["parameters"]]}

    assert {"fields", "Accept-Language"} == names


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/v1/classify", {"a reply": 200, "a mail": 200}), ("/v1/feedback", {"a reply": 201})],
)
def test_examples_of_requests_are_accepted(
    client: FlaskClient, description: dict[str, Any], path: str, expected: dict[str, int]
) -> None:
    content = description["paths"][path]["post"]["requestBody"]["content"]
    statuses = {
        name: client.post(path, json=example["value"]).status_code
        for name, example in content["application/json"]["examples"].items()
    }

    assert expected == statuses


def test_the_example_of_an_answer_is_one(description: dict[str, Any]) -> None:
    example = description["components"]["examples"]["worked_case"]["value"]

    assert {} == schemas.AnswerSchema().validate(example)


@pytest.mark.parametrize(
    "schema",
    [
        each
        for module in (schemas, case_schemas, archive_schemas, requests, archive_requests)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Schema) and each is not Schema
    ],
    ids=lambda schema: schema.__name__,
)
def test_every_field_has_a_description(schema: type[Schema]) -> None:
    bare = [name for name, field in schema().fields.items() if not field.metadata.get("description")]

    assert [] == bare


def test_the_page_shows_every_path_schema_and_problem(
    client: FlaskClient, description: dict[str, Any]
) -> None:
    page = client.get("/docs").text
    wanted = [
        *description["paths"],
        *(f'id="schema-{name}"' for name in description["components"]["schemas"]),
        *(kind.uri for kind in errors.PROBLEM_TYPES),
    ]

    assert [] == [each for each in wanted if each not in page]


def test_the_page_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    response = client.get("/docs")

    assert [] == re.findall(r"(?:src|@import|url\(|<link|<script)", response.text)
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
