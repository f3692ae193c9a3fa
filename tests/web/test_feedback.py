"""POST /v1/feedback: a correction in, what is kept of it out."""

from base64 import b64encode
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from model.taxonomy import taxonomy
from model.types import Form
from service.feedback import Status
from service.web.schemas import CorrectionSchema

CORRECTION = {"text": "550 no", "correct_category": "mailbox_full"}
MAIL = b"From: mailer-daemon@example.com\r\n\r\n550 5.1.1 no"


def correct(client: FlaskClient, key: str | None = None, **changes: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {name: value for name, value in {**CORRECTION, **changes}.items() if value is not None}
    return client.post("/v1/feedback", json=body, headers=headers)


def test_a_correction_is_kept_for_review(client: FlaskClient, memory_store: Any) -> None:
    response = correct(client, correct_permanence="temporary", note="It is full.", result_id="0a" * 16)
    (kept,) = memory_store.listed()

    assert (201, {}) == (response.status_code, CorrectionSchema().validate(response.json))
    assert {
        "id": kept.id,
        "status": "pending",
        "canonical": "temporary authentication failure",
        "correct_category": "mailbox_full",
        "count": 1,
        "created_at": kept.created_at,
    } == response.json
    assert ("internal_auth_failed", "rules-1", "temporary", "It is full.", "0a" * 16) == (
        kept.answered_category,
        kept.rules_version,
        kept.correct_permanence,
        kept.note,
        kept.result_id,
    )


@pytest.mark.parametrize(
    ("evidence", "raw", "form"),
    [
        ({"text": "550 no"}, b"550 no", Form.TEXT),
        ({"message": MAIL.decode()}, MAIL, Form.MESSAGE),
        ({"message": b64encode(MAIL).decode(), "encoding": "base64"}, MAIL, Form.AUTO),
    ],
)
def test_the_evidence_comes_as_in_a_diagnosis(
    client: FlaskClient, diagnoser: Any, evidence: dict[str, str], raw: bytes, form: Form
) -> None:
    response = correct(client, **{"text": None, **evidence})

    assert 201 == response.status_code
    assert [(raw, form, "en")] == diagnoser.seen


def test_the_same_correction_counts_up(client: FlaskClient, memory_store: Any) -> None:
    first, second = correct(client).json, correct(client).json

    assert [(first["id"], 1), (first["id"], 2)] == [(each["id"], each["count"]) for each in (first, second)]
    assert 1 == len(memory_store.listed())


def test_a_key_makes_a_request_count_once(client: FlaskClient, memory_store: Any) -> None:
    first, second = correct(client, "ticket-1"), correct(client, "ticket-1")
    memory_store.review(first.json["id"], Status.REJECTED)
    third = correct(client, "ticket-1")

    assert [(201, first.json)] * 2 == [(each.status_code, each.json) for each in (second, third)]


def test_the_order_and_space_of_a_body_do_not_make_it_another(client: FlaskClient) -> None:
    bodies = (
        b'{"text": "550 no", "correct_category": "mailbox_full"}',
        b'{"correct_category":"mailbox_full","text":"550 no"}',
    )
    counts = [
        client.post(
            "/v1/feedback", data=body, content_type="application/json", headers={"Idempotency-Key": "k"}
        ).json["count"]
        for body in bodies
    ]

    assert [1, 1] == counts


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel"])
def test_a_key_is_short_and_printable(client: FlaskClient, key: str) -> None:
    response = correct(client, key)

    assert (422, "Idempotency-Key") == (response.status_code, response.json["errors"][0]["parameter"])


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"text": None}, "#"),
        ({"message": "a"}, "#"),
        ({"text": " "}, "#/text"),
        ({"encoding": "base64"}, "#/encoding"),
        ({"correct_category": None}, "#/correct_category"),
        ({"correct_category": "no_such"}, "#/correct_category"),
        ({"correct_permanence": "forever"}, "#/correct_permanence"),
        ({"note": "x" * 501}, "#/note"),
        ({"result_id": "user@example.com"}, "#/result_id"),
        ({"language": "en"}, "#/language"),
    ],
)
def test_a_wrong_field_is_named(
    client: FlaskClient, memory_store: Any, changes: dict[str, Any], pointer: str
) -> None:
    response = correct(client, **changes)

    assert (422, [pointer]) == (response.status_code, [each["pointer"] for each in response.json["errors"]])
    assert () == memory_store.listed()


def test_a_wrong_category_is_told_the_right_ones(client: FlaskClient) -> None:
    detail = correct(client, correct_category="no_such").json["errors"][0]["detail"]

    assert [] == [name for name in taxonomy().names if name not in detail]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"data": b"550 no", "content_type": "text/plain"}, 415),
        ({"data": b"{", "content_type": "application/json"}, 400),
        ({"json": [CORRECTION]}, 422),
        ({"json": {**CORRECTION, "text": "raise-unreadable"}}, 422),
        ({"json": CORRECTION, "headers": {"Accept": "text/csv"}}, 406),
    ],
)
def test_other_bodies_are_refused(client: FlaskClient, request_: dict[str, Any], status: int) -> None:
    assert status == client.post("/v1/feedback", **request_).status_code


def test_the_log_holds_no_words_of_a_correction(app: Flask, log: Any) -> None:
    correct(app.test_client(), text="550 <marker@example.com> secret", note="secret")

    assert "secret" not in log.text
    assert "marker" not in log.text
