"""Every error is a problem, and none tells of the inside."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException, default_exceptions

from model.errors import EvidenceError, NdrError
from service.errors import ServiceError
from service.feedback_store import SqliteStore
from service.settings import Settings
from service.triage.orders import Wish
from service.web.app import create_app
from service.web.errors import BY_EXCEPTION, PROBLEM_TYPES, TYPE_PREFIX
from service.wiring import Services

KEY_DIGEST = hashlib.sha256(b"test").digest()
ERRORS_PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


def answer_to(app: Flask, error: Exception) -> Any:
    def view() -> None:
        raise error

    app.add_url_rule("/raise", view_func=view)
    return app.test_client().get("/raise")


@pytest.mark.parametrize("exception", default_exceptions.values(), ids=lambda exception: str(exception.code))
def test_every_error_of_http_is_a_problem(app: Flask, exception: type[HTTPException]) -> None:
    response = answer_to(app, exception())

    assert (exception.code, "application/problem+json") == (response.status_code, response.content_type)
    assert {"type", "title", "status", "detail", "request_id"} == response.json.keys()
    assert exception.code == response.json["status"]


@pytest.mark.parametrize("testing", [True, False])
def test_an_error_nobody_expected_says_nothing_of_the_inside(app: Flask, log: Any, *, testing: bool) -> None:
    app.testing = testing
    response = answer_to(app, RuntimeError("the secret of marker@example.com"))
    unhandled = next(entry for entry in log.entries if entry["event"] == "unhandled")

    assert 500 == response.status_code
    assert TYPE_PREFIX + "internal-error" == response.json["type"]
    assert "secret" not in response.text + log.text
    assert "marker@" not in response.text + log.text
    assert "RuntimeError" == unhandled["error"]
    assert response.json["request_id"] == unhandled["request_id"]
    assert any("test_errors.py" in place for place in unhandled["places"])


def test_headers_of_an_error_are_kept(client: FlaskClient) -> None:
    response = client.delete("/v1/model")

    assert 405 == response.status_code
    assert {"GET", "HEAD", "OPTIONS"} == set(response.headers["Allow"].split(", "))


@pytest.mark.parametrize("path", ["/nope", "/v1/nope", "/v1/causes/nope", "/v1/classify/nope"])
def test_what_is_not_there_is_a_404(client: FlaskClient, path: str) -> None:
    response = client.get(path)

    assert (404, TYPE_PREFIX + "not-found") == (response.status_code, response.json["type"])


def test_every_documented_problem_occurs(
    diagnoser: Any, memory_store: Any, orders: Any, tmp_path: Path
) -> None:
    def of(
        path: str,
        *,
        category: str = "internal_auth_failed",
        timeout_s: int = 30,
        store: Any = memory_store,
        **request: Any,
    ) -> Any:
        diagnoser.category = category
        settings = Settings(
            max_body_bytes=1 << 16, request_timeout_s=timeout_s, api_keys=(KEY_DIGEST,), data_dir=tmp_path
        )
        client = create_app(Services(settings, diagnoser, store, None, lambda _: orders)).test_client()
        headers = {"Authorization": "Bearer test", **request.pop("headers", {})}
        return client.open(path, headers=headers, **{"method": "POST", **request}).json

    plain = {"content_type": "text/plain"}
    wrong = {"text": "550 no", "correct_category": "mailbox_full"}
    key = {"Idempotency-Key": "ticket-1"}
    of("/v1/feedback", json=wrong, headers=key)
    job = f"/v1/archives/{orders.add(Wish('0a' * 16, ('a.mbox',), 'a'))[0].wish.id}"
    problems = [
        of("/v1/classify", data=b"{", content_type="application/json"),
        of("/v1/classify", headers={"Authorization": ""}),
        of("/v1/causes/nobody-knows", method="GET"),
        of("/v1/classify", method="PUT"),
        of("/v1/classify", headers={"Accept": "text/csv"}, data=b"550 no", **plain),
        of("/v1/classify", data=b"x" * 70000, **plain),
        of("/v1/classify", data=b"x", content_type="text/csv"),
        of("/v1/classify", json={}),
        of("/v1/classify", data=b"", **plain),
        of("/v1/classify", data=b"raise-unreadable", **plain),
        of("/v1/feedback", json={**wrong, "text": "say-nothing"}),
        of("/v1/feedback", json={**wrong, "note": "another"}, headers=key),
        of(job, method="DELETE"),
        of(f"{job}/results", method="GET"),
        of("/v1/classify", data=b"raise-unexpected", **plain),
        of("/readyz", method="GET", category="unknown"),
        of("/v1/classify/batch", json={"items": [{"text": "550 no"}]}, timeout_s=0)["results"][0],
        of("/v1/archives", data=b"x", environ_overrides={"ndr.allow_time": lambda _: False}),
        of("/v1/feedback", json=wrong, store=SqliteStore(None)),
    ]

    assert [(kind.uri, kind.status) for kind in PROBLEM_TYPES] == [
        (problem["type"], problem["status"]) for problem in problems
    ]


def test_problem_types_have_one_name_each() -> None:
    names = [kind.name for kind in PROBLEM_TYPES]

    assert len(set(names)) == len(names)


def test_the_page_on_errors_names_every_type_with_its_status() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", ERRORS_PAGE.read_text("utf-8"), re.MULTILINE)

    assert [(kind.name, str(kind.status)) for kind in PROBLEM_TYPES] == rows


def test_the_core_can_fail_in_no_way_that_callers_are_not_told_of() -> None:
    told = tuple(exception for exception, _ in BY_EXCEPTION)
    untold = {error for error in EvidenceError.__subclasses__() if not issubclass(error, told)}

    assert set() == untold


@pytest.mark.parametrize("error", [NdrError, ServiceError])
def test_other_errors_of_ours_are_internal(app: Flask, error: type[Exception]) -> None:
    assert 500 == answer_to(app, error("inside")).status_code
