"""POST /v1/classify: what may be sent, what comes back."""

import json
from base64 import b64encode
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from model.types import Form
from service.web.schemas import AnswerSchema

MAIL = b"From: mailer-daemon@example.com\r\n\r\n550 5.1.1 no"
CHINESE = "550 该用户不存在"


def classify(client: FlaskClient, **request: Any) -> Any:
    return client.post("/v1/classify", **request)


@pytest.mark.parametrize(
    ("media_type", "body", "raw", "form"),
    [
        ("message/rfc822", MAIL, MAIL, Form.MESSAGE),
        ("message/rfc822; charset=utf-8", MAIL, MAIL, Form.MESSAGE),
        ("message/global", MAIL, MAIL, Form.MESSAGE),
        ("text/plain", b"550 no", b"550 no", Form.TEXT),
        ("text/plain; charset=gb18030", CHINESE.encode("gb18030"), CHINESE.encode(), Form.TEXT),
        ("text/plain; charset=nonsense", b"550 no", b"550 no", Form.TEXT),
        ("text/plain; charset=utf-8", b"550 \xff", b"550 \xff", Form.TEXT),
        ("application/vnd.ms-outlook", b"\xd0\xcf\x11\xe0", b"\xd0\xcf\x11\xe0", Form.MSG),
        ("application/octet-stream", MAIL, MAIL, Form.AUTO),
        (None, MAIL, MAIL, Form.AUTO),
    ],
)
def test_a_raw_body_is_handed_on_in_the_form_its_type_names(
    client: FlaskClient, diagnoser: Any, media_type: str | None, body: bytes, raw: bytes, form: Form
) -> None:
    response = classify(client, data=body, content_type=media_type)

    assert 200 == response.status_code
    assert [(raw, form, "en")] == diagnoser.seen


@pytest.mark.parametrize(
    ("body", "raw", "form", "language"),
    [
        ({"text": CHINESE}, CHINESE.encode(), Form.TEXT, "en"),
        ({"message": MAIL.decode()}, MAIL, Form.MESSAGE, "en"),
        ({"message": MAIL.decode(), "encoding": "plain"}, MAIL, Form.MESSAGE, "en"),
        ({"message": b64encode(MAIL).decode(), "encoding": "base64"}, MAIL, Form.AUTO, "en"),
        ({"message": "aGVs\r\nbG8=", "encoding": "base64"}, b"hello", Form.AUTO, "en"),
        ({"text": "550 no", "language": "zh-TW"}, b"550 no", Form.TEXT, "zh"),
    ],
)
def test_json_carries_a_text_or_a_message(
    client: FlaskClient, diagnoser: Any, body: dict[str, str], raw: bytes, form: Form, language: str
) -> None:
    response = classify(client, json=body)

    assert 200 == response.status_code
    assert [(raw, form, language)] == diagnoser.seen


@pytest.mark.parametrize(
    ("media_type", "form"),
    [
        ("message/rfc822", Form.MESSAGE),
        ("application/vnd.ms-outlook", Form.MSG),
        ("text/plain", Form.AUTO),
        ("a/b", Form.AUTO),
    ],
)
def test_a_file_can_be_uploaded(client: FlaskClient, diagnoser: Any, media_type: str, form: Form) -> None:
    upload = {"file": (BytesIO(MAIL), "bounce.eml", media_type), "language": "zh"}
    response = classify(client, data=upload, content_type="multipart/form-data")

    assert 200 == response.status_code
    assert [(MAIL, form, "zh")] == diagnoser.seen


@pytest.mark.parametrize(
    ("request_", "status", "name", "errors"),
    [
        ({"data": b"{", "content_type": "application/json"}, 400, "malformed-request", None),
        ({"data": b"", "content_type": "application/json"}, 400, "malformed-request", None),
        ({"data": b'{"text": "\xff"}', "content_type": "application/json"}, 400, "malformed-request", None),
        ({"json": []}, 422, "invalid-request", [{"pointer": "#"}]),
        ({"json": {}}, 422, "invalid-request", [{"pointer": "#"}]),
        ({"json": {"text": "a", "message": "b"}}, 422, "invalid-request", [{"pointer": "#"}]),
        ({"json": {"txt": "a"}}, 422, "invalid-request", [{"pointer": "#/txt"}]),
        ({"json": {"a/b~c": 1}}, 422, "invalid-request", [{"pointer": "#/a~1b~0c"}]),
        ({"json": {"text": 5}}, 422, "invalid-request", [{"pointer": "#/text"}]),
        ({"json": {"text": "  "}}, 422, "invalid-request", [{"pointer": "#/text"}]),
        ({"json": {"text": None}}, 422, "invalid-request", [{"pointer": "#/text"}]),
        ({"json": {"text": "a", "language": "fr"}}, 422, "invalid-request", [{"pointer": "#/language"}]),
        ({"json": {"text": "a", "encoding": "base64"}}, 422, "invalid-request", [{"pointer": "#/encoding"}]),
        (
            {"json": {"message": "a", "encoding": "rot13"}},
            422,
            "invalid-request",
            [{"pointer": "#/encoding"}],
        ),
        (
            {"json": {"message": "?", "encoding": "base64"}},
            422,
            "invalid-request",
            [{"pointer": "#/message"}],
        ),
        (
            {"data": {"x": "y"}, "content_type": "multipart/form-data"},
            422,
            "invalid-request",
            [{"pointer": "#/file"}],
        ),
        (
            {"data": b"x", "content_type": "multipart/form-data"},
            422,
            "invalid-request",
            [{"pointer": "#/file"}],
        ),
        (
            {"json": {"text": "a"}, "query_string": "field=kind"},
            422,
            "invalid-request",
            [{"parameter": "field"}],
        ),
        (
            {"json": {"text": "a"}, "query_string": "fields=knd"},
            422,
            "invalid-request",
            [{"parameter": "fields"}],
        ),
        ({"data": b"", "content_type": "text/plain"}, 422, "empty-evidence", None),
        ({"data": b" \r\n", "content_type": "message/rfc822"}, 422, "empty-evidence", None),
        ({"data": b"raise-unreadable", "content_type": "text/plain"}, 422, "unreadable-evidence", None),
        ({"data": b"raise-too-large", "content_type": "text/plain"}, 413, "too-large", None),
        ({"data": b"x" * 70000, "content_type": "text/plain"}, 413, "too-large", None),
        ({"json": {"text": "x" * 70000}}, 413, "too-large", None),
        ({"data": {"file": "x" * 70000}, "content_type": "multipart/form-data"}, 413, "too-large", None),
        (
            {"data": b"a=b", "content_type": "application/x-www-form-urlencoded"},
            415,
            "unsupported-media-type",
            None,
        ),
        ({"data": b"<a/>", "content_type": "application/xml"}, 415, "unsupported-media-type", None),
        (
            {"data": b"x", "content_type": "text/plain", "headers": {"Content-Encoding": "gzip"}},
            415,
            "unsupported-media-type",
            None,
        ),
        ({"json": {"text": "a"}, "headers": {"Accept": "text/csv"}}, 406, "not-acceptable", None),
    ],
)
def test_what_is_wrong_is_a_problem_that_says_where(
    client: FlaskClient, request_: dict[str, Any], status: int, name: str, errors: list[dict[str, str]] | None
) -> None:
    response = classify(client, **request_)
    places = [
        {key: error[key] for key in error if key != "detail"} for error in response.json.get("errors", [])
    ]

    assert (status, "application/problem+json") == (response.status_code, response.content_type)
    assert f"urn:ndr-triage:problem:{name}" == response.json["type"]
    assert (errors or []) == places


def test_the_form_type_that_curl_sends_by_itself_is_answered_with_the_right_header(
    client: FlaskClient,
) -> None:
    response = classify(client, data=b"550 no", content_type="application/x-www-form-urlencoded")

    assert "-H 'Content-Type: message/rfc822'" in response.json["detail"]


def test_the_answer_has_exactly_the_fields_of_its_schema(client: FlaskClient) -> None:
    answer = classify(client, json={"text": "550 no"}).json

    assert {} == AnswerSchema().validate(answer)
    assert AnswerSchema().fields.keys() == answer.keys()


def test_the_answer_tells_the_diagnosis(client: FlaskClient) -> None:
    answer = classify(client, json={"text": "550 no"}).json

    assert ("d1", "bounce", "internal_auth_failed", 0.9877) == tuple(
        answer[name] for name in ("id", "kind", "category", "confidence")
    )
    assert {"smtp": 454, "enhanced": "4.7.0"} == {key: answer["codes"][key] for key in ("smtp", "enhanced")}
    assert [451, 454] == [reply["smtp"] for reply in answer["codes"]["chain"]]
    assert (
        answer["text"][answer["evidence"][0]["start"] : answer["evidence"][0]["end"]]
        == answer["evidence"][0]["quote"]
    )
    assert ["w32tm /monitor"] == answer["recipients"][0]["causes"][0]["checks"]
    assert "securityerror" == answer["mappings"]["sisimai"]


def test_fields_trims_the_answer_and_keeps_its_order(client: FlaskClient) -> None:
    response = classify(client, json={"text": "550 no"}, query_string="fields=confidence,kind")

    assert b'{"kind":"bounce","confidence":0.9877}' == response.data


@pytest.mark.parametrize(
    ("accept_language", "language"),
    [
        ("zh-CN", "zh"),
        ("zh-TW,en;q=0.5", "zh"),
        ("fr,zh;q=0.3,en;q=0.2", "zh"),
        ("en;q=0.2,zh-Hant-HK;q=0.9", "zh"),
        ("zh;q=0,en;q=0.1", "en"),
        ("zh;q=0", "en"),
        ("fr", "en"),
        ("*", "en"),
        ("\xff;;q=,", "en"),
        ("", "en"),
    ],
)
def test_the_language_liked_best_is_spoken(client: FlaskClient, accept_language: str, language: str) -> None:
    response = classify(client, json={"text": "550 no"}, headers={"Accept-Language": accept_language})

    assert (language, language) == (response.json["language"], response.headers["Content-Language"])


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("text/plain", "text/plain"),
        ("application/json;q=0.5, text/plain", "text/plain"),
    ],
)
def test_the_media_type_liked_best_is_given(client: FlaskClient, accept: str | None, media_type: str) -> None:
    response = classify(client, json={"text": "550 no"}, headers={"Accept": accept} if accept else {})

    assert media_type == response.mimetype


def test_headers_name_the_result_and_what_it_depends_on(client: FlaskClient) -> None:
    response = classify(client, json={"text": "550 no"})

    assert '"d1"' == response.headers["ETag"]
    assert "Accept, Accept-Language" == response.headers["Vary"]


def test_a_batch_keeps_order_and_ids_and_puts_problems_in_place(client: FlaskClient) -> None:
    items = [
        {"id": "a", "text": "550 no"},
        {"id": 7, "message": "!", "encoding": "base64"},
        {"text": "raise-unexpected"},
        "nonsense",
        {"id": "e", "text": "550 no", "language": "zh"},
    ]
    results = client.post("/v1/classify/batch", json={"items": items}).json["results"]

    assert ["a", 7, None, None, "e"] == [result["id"] for result in results]
    assert [None, 422, 500, 422, None] == [result.get("status") for result in results]
    assert ["d1", None, None, None, "d1"] == [result.get("result_id") for result in results]
    assert ["#/items/1/message"] == [error["pointer"] for error in results[1]["errors"]]
    assert ["#/items/3"] == [error["pointer"] for error in results[3]["errors"]]
    assert "zh" == results[4]["language"]


def test_a_batch_takes_null_for_a_bad_item(client: FlaskClient) -> None:
    results = client.post("/v1/classify/batch", json={"items": [None, {"text": "550 no"}]}).json["results"]

    assert [422, None] == [result.get("status") for result in results]


def test_a_batch_is_trimmed_to_fields_and_keeps_names_and_problems(client: FlaskClient) -> None:
    items = [{"id": "a", "text": "550 no"}, {"id": "b", "text": ""}]
    results = client.post("/v1/classify/batch?fields=category", json={"items": items}).json["results"]

    assert {"id", "result_id", "category"} == results[0].keys()
    assert ("b", 422) == (results[1]["id"], results[1]["status"])


def test_a_batch_refuses_a_field_that_is_not_there(client: FlaskClient) -> None:
    response = client.post("/v1/classify/batch?fields=bogus", json={"items": [{"text": "550 no"}]})

    assert 422 == response.status_code


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/items"),
        ({"items": []}, "#/items"),
        ({"items": "a"}, "#/items"),
        ({"items": [{"text": "a"}] * 6}, "#/items"),
        ({"items": [{"text": "a"}], "more": 1}, "#/more"),
        ([], "#"),
    ],
)
def test_a_batch_without_a_proper_list_is_refused(client: FlaskClient, body: object, pointer: str) -> None:
    response = client.post("/v1/classify/batch", json=body)

    assert (422, [pointer]) == (response.status_code, [error["pointer"] for error in response.json["errors"]])


def test_a_batch_is_json(client: FlaskClient) -> None:
    response = client.post("/v1/classify/batch", data=json.dumps({"items": []}), content_type="text/plain")

    assert 415 == response.status_code


@pytest.mark.parametrize(("size", "status"), [((1 << 16) - 1, 200), ((1 << 16) + 1, 413), (1 << 20, 413)])
def test_a_body_of_unknown_length_is_limited_all_the_same(
    client: FlaskClient, size: int, status: int
) -> None:
    environment = {"wsgi.input": BytesIO(b"x" * size), "wsgi.input_terminated": True, "CONTENT_LENGTH": None}
    response = classify(client, content_type="text/plain", environ_overrides=environment)

    assert status == response.status_code
