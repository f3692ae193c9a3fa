"""Signs of life, request ids, keys, and a log that keeps secrets."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.settings import Settings
from service.web.app import create_app
from service.wiring import Services

PATHS = ["/healthz", "/readyz", "/openapi.json", "/docs"]
MARKER_MAIL = b"From: marker@example.com\n\nmarkertext 550 5.1.1 no"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", PATHS)
def test_probes_and_pages_answer(client: FlaskClient, path: str, method: str) -> None:
    response = client.open(path, method=method)

    assert 200 == response.status_code
    assert (method == "HEAD") == (response.data == b"")


def test_the_root_leads_to_the_docs(client: FlaskClient) -> None:
    response = client.get("/")

    assert (302, "/docs") == (response.status_code, response.location)


def test_a_service_that_answers_wrong_lives_but_is_not_ready(app: Flask, diagnoser: Any) -> None:
    diagnoser.category = "unknown"
    client = app.test_client()

    assert 200 == client.get("/healthz").status_code
    assert (503, "application/problem+json") == (
        client.get("/readyz").status_code,
        client.get("/readyz").content_type,
    )


@pytest.mark.parametrize("given", ["queue-4711.a_B", "a" * 64])
def test_a_harmless_request_id_is_given_back(client: FlaskClient, given: str) -> None:
    assert given == client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"]


@pytest.mark.parametrize("given", [None, "", "a" * 65, "marker@example.com", "a b", "ü", "a\tb"])
def test_any_other_request_id_is_replaced(client: FlaskClient, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given}
    response = client.get("/healthz", headers=headers)

    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-ID"])


def test_the_log_has_one_line_on_a_request_with_what_came_out(client: FlaskClient, log: Any) -> None:
    client.post("/v1/classify", json={"text": "550 no"}, headers={"X-Request-ID": "r1"})
    (entry,) = log.entries

    assert {
        "event": "request",
        "level": "info",
        "request_id": "r1",
        "method": "POST",
        "route": "/v1/classify",
        "status": 200,
        "kind": "bounce",
        "category": "internal_auth_failed",
    } == {key: value for key, value in entry.items() if key not in {"duration_ms", "timestamp"}}
    assert entry["duration_ms"] >= 0


@pytest.mark.parametrize(
    "request_",
    [
        {"path": "/v1/classify", "data": MARKER_MAIL, "content_type": "message/rfc822"},
        {"path": "/v1/classify", "data": MARKER_MAIL + b"raise-unexpected", "content_type": "message/rfc822"},
        {"path": "/v1/classify", "data": b"{" + MARKER_MAIL, "content_type": "application/json"},
        {"path": "/v1/classify", "json": {"marker@example.com": "markertext"}},
        {
            "path": "/v1/classify/batch",
            "json": {"items": [{"id": "marker@example.com", "text": "raise-unexpected"}]},
        },
        {"path": "/v1/classify", "data": b"x", "query_string": "marker@example.com=markertext"},
        {"path": "/marker@example.com/markertext", "data": b"x"},
        {"path": "/v1/classify", "data": b"x", "headers": {"X-Request-ID": "marker@example.com"}},
    ],
)
def test_the_log_never_tells_what_was_handed_in(
    client: FlaskClient, log: Any, request_: dict[str, Any]
) -> None:
    client.post(**request_)

    assert log.entries
    assert "marker" not in log.text


def test_the_answer_to_an_unexpected_error_never_tells_what_was_handed_in(client: FlaskClient) -> None:
    response = client.post(
        "/v1/classify", data=MARKER_MAIL + b"raise-unexpected", content_type="message/rfc822"
    )

    assert 500 == response.status_code
    assert "marker" not in response.text


def test_the_text_of_a_problem_for_a_bad_batch_item_does_not_quote_it(client: FlaskClient) -> None:
    items = [{"text": "raise-unexpected markertext"}]
    response = client.post("/v1/classify/batch", json={"items": items})

    assert "marker" not in response.text


@pytest.fixture
def locked(diagnoser: Any) -> FlaskClient:
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # of "test"
    settings = Settings.read({"NDR_API_KEYS": f"plain-key, sha256:{digest}"})
    return create_app(Services(settings, diagnoser)).test_client()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer plain-key", 200),
        ("bearer test", 200),
        ("Bearer  plain-key ", 200),
        ("Bearer other", 401),
        ("Bearer ", 401),
        ("Bearer plain-ke", 401),
        ("Basic plain-key", 401),
        ("plain-key", 401),
        ("Bearer ü", 401),
        (None, 401),
    ],
)
def test_a_key_opens_the_door(locked: FlaskClient, authorization: str | None, status: int) -> None:
    response = locked.get("/v1/model", headers={"Authorization": authorization} if authorization else {})

    assert status == response.status_code


def test_a_missing_key_is_answered_with_the_scheme_wanted(locked: FlaskClient) -> None:
    response = locked.post("/v1/classify", data=b"550 no")

    assert (401, "Bearer") == (response.status_code, response.headers["WWW-Authenticate"].strip())
    assert "urn:ndr-triage:problem:unauthorized" == response.json["type"]


@pytest.mark.parametrize("path", PATHS)
def test_probes_and_pages_need_no_key(locked: FlaskClient, path: str) -> None:
    assert 200 == locked.get(path).status_code


@pytest.mark.parametrize("path", ["/nope", "/v1/nope"])
def test_without_a_key_nobody_learns_which_paths_there_are(locked: FlaskClient, path: str) -> None:
    assert 401 == locked.get(path).status_code
