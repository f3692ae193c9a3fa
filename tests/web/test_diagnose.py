"""POST /v1/diagnose: several pieces of evidence on one delivery in, one diagnosis with its way out."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from marshmallow import Schema

from model.exhibits import TYPES
from model.languages import LANGUAGES
from service.settings import Settings
from service.web import case_schemas
from service.web.app import create_app
from service.web.case_schemas import CaseSchema
from service.web.schemas import AnswerSchema
from service.wiring import Services, build

CASE = Path(__file__).parents[1] / "samples" / "cases" / "exchange-internal-auth"
FILES = sorted(CASE.iterdir())
REPLY = "454 4.7.0 Temporary authentication failure"
DEFERRED = (
    "Nov  2 10:14:07 mx1 postfix/smtp[421]: 4Fz1Xq2Y: to=<user@example.com>, relay=mail.example.com"
    "[192.0.2.12]:25, delay=1, delays=0/0/1/0, dsn=4.7.0, status=deferred (host mail.example.com"
    "[192.0.2.12] said: 454 4.7.0 Temporary authentication failure)\n"
)
OWN_FIELDS = {"resolved", "path", "events", "events_total", "faults", "evidence_read", "sides", "next"}
HOPS = (
    b"Received: from mx2.example.net (mx2.example.net [192.0.2.2]) by mx3.example.net; "
    b"Mon, 2 Nov 2026 10:09:00 +0000\r\n"
    b"Received: from mx1.example.com (mx1.example.com [192.0.2.1]) by mx2.example.net; "
    b"Mon, 2 Nov 2026 10:15:00 +0000\r\n"
    b"Received: from client.example.com ([192.0.2.9]) by mx1.example.com with ESMTPA id A1; "
    b"Mon, 2 Nov 2026 10:14:00 +0000\r\n"
)
BOUNCE = (
    b"From: mailer-daemon@mx3.example.net\r\nTo: sales@example.com\r\nSubject: Undelivered\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nIt failed.\r\n"
    b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx3.example.net\r\n\r\n"
    b"Final-Recipient: rfc822; user@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    b"Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n"
    b"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    + HOPS
    + b"Message-ID: <m1@example.com>\r\n\r\n--b--\r\n"
)


@pytest.fixture(scope="module")
def wired() -> Services:
    return build(Settings())


@pytest.fixture(scope="module")
def real(wired: Services) -> FlaskClient:
    """A client of the application around the core as it is shipped."""
    return create_app(wired).test_client()


def limited(wired: Services, **settings: Any) -> FlaskClient:
    return create_app(Services(Settings(**settings), wired.diagnoser, wired.feedback)).test_client()


def diagnose(client: FlaskClient, *pieces: Any, **request: Any) -> Any:
    evidence = [{"content": piece} if isinstance(piece, str) else piece for piece in pieces]
    body = {"evidence": evidence, **request.pop("more", {})}
    return client.post("/v1/diagnose", **({"json": body} | request))


def upload(client: FlaskClient, *files: Path, **fields: str) -> Any:
    streams = [(BytesIO(file.read_bytes()), file.name) for file in files]
    return client.post("/v1/diagnose", data={"file": streams, **fields}, content_type="multipart/form-data")


def test_the_worked_case_is_one_diagnosis_of_all_its_files(real: FlaskClient) -> None:
    answer = upload(real, *FILES).json
    expected = {
        "category": "internal_auth_failed",
        "stage": "sender_transport",
        "fix_owner": "sender_admin",
        "original_message_id": "<d41d8cd9@EX1.example.com>",
        "resolved": False,
    }

    assert expected == {name: answer[name] for name in expected}
    assert "clock_skew" == answer["causes"][0]["id"]
    assert any("connector=Default EX2" in quote for quote in answer["causes"][0]["evidence"])
    assert {file.name for file in FILES} == {reading["name"] for reading in answer["evidence_read"]}


def test_the_way_has_every_place_with_who_saw_it_and_when(real: FlaskClient) -> None:
    path = upload(real, *FILES).json["path"]
    stopped = next(hop for hop in path if hop["outcome"] == "failed")
    places = (
        "client submission sender_transport sender_gateway dns connection recipient_gateway"
        " recipient_transport mailbox"
    ).split()

    assert places == [hop["place"] for hop in path]
    assert ("sender_transport", "seen") == (stopped["place"], stopped["state"])
    assert {"ndr.eml", "tracking.log"} <= set(stopped["seen_by"])
    assert stopped["first"].startswith("2026-11-02T10:")
    assert stopped["first"].endswith("Z")
    assert ("missing", None) == (path[-1]["state"], path[-1]["first"])


def test_what_is_of_other_messages_is_set_aside_and_said(real: FlaskClient) -> None:
    readings = {each["name"]: each for each in upload(real, *FILES).json["evidence_read"]}

    assert ("barracuda", "gateway") == tuple(readings["barracuda.log"][key] for key in ("format", "role"))
    assert (0, 4) == tuple(readings["barracuda.log"][key] for key in ("used", "set_aside"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_next_piece_is_named_with_its_command(real: FlaskClient, language: str) -> None:
    answer = upload(real, CASE / "ndr.eml", language=language).json
    (step,) = [each for each in answer["next"] if each["id"] == "tracking_log"]

    assert (language, "sender") == (answer["language"], step["side"])
    assert "Get-MessageTrackingLog" in step["command"]
    assert "<d41d8cd9@EX1.example.com>" in step["command"]
    assert step["since"] < "2026-11-02T10:14:02" < step["until"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_piece_alone_gives_what_it_can(real: FlaskClient, file: Path) -> None:
    answer = upload(real, file).json

    assert {} == CaseSchema().validate(answer)
    assert answer["next"]


def test_the_answer_has_exactly_the_fields_of_its_schema(real: FlaskClient) -> None:
    answer = upload(real, *FILES).json

    assert {} == CaseSchema().validate(answer)
    assert CaseSchema().fields.keys() == answer.keys()
    assert AnswerSchema().fields.keys() | OWN_FIELDS == answer.keys()


def test_json_carries_the_same_as_files(real: FlaskClient) -> None:
    pieces = [
        {"name": file.name, "content": b64encode(file.read_bytes()).decode(), "encoding": "base64"}
        for file in FILES
    ]
    sent, uploaded = diagnose(real, *pieces).json, upload(real, *FILES).json

    assert {**uploaded, "id": None} == {**sent, "id": None}


def test_stamps_without_a_year_are_of_the_last_months(real: FlaskClient) -> None:
    (event,) = diagnose(real, {"type": "postfix", "content": DEFERRED}).json["events"]

    assert event["at"][4:] == "-11-02T10:14:07.000Z"
    assert int(event["at"][:4]) > 2000


def test_names_are_given_and_made_unique(real: FlaskClient) -> None:
    log = {"type": "postfix", "content": DEFERRED}
    answer = diagnose(real, log, {**log, "name": "mail.log"}, {**log, "name": "mail.log"}).json

    assert ["#1", "mail.log", "mail.log (2)"] == [each["name"] for each in answer["evidence_read"]]


@pytest.mark.parametrize(
    ("more", "query", "header", "expected"),
    [
        ({}, "", "", "en"),
        ({}, "", "zh-CN", "zh"),
        ({}, "language=zh", "en", "zh"),
        ({"language": "zh-TW"}, "language=en", "en", "zh"),
    ],
)
def test_the_body_names_the_language_before_the_query_and_the_header(
    client: FlaskClient, more: dict[str, str], query: str, header: str, expected: str
) -> None:
    response = diagnose(client, REPLY, more=more, query_string=query, headers={"Accept-Language": header})

    assert (expected, expected) == (response.json["language"], response.headers["Content-Language"])


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, (None, None)),
        ({"message_id": "a@example.com"}, ("<a@example.com>", None)),
        (
            {"message_id": " <a@example.com> ", "recipient": " user@example.net"},
            ("<a@example.com>", "user@example.net"),
        ),
        ({"message_id": "", "recipient": ""}, (None, None)),
    ],
)
def test_the_message_and_the_recipient_are_handed_on(
    client: FlaskClient, diagnoser: Any, given: dict[str, str], asked: tuple[str | None, str | None]
) -> None:
    diagnoser.asked.clear()
    form = {"file": (BytesIO(REPLY.encode()), "reply"), **given}
    diagnose(client, REPLY, more=given)
    client.post("/v1/diagnose", data=form, content_type="multipart/form-data")

    assert [asked, asked] == [(each.message_id, each.recipient) for each in diagnoser.asked]


def test_what_is_ones_own_comes_from_the_settings(wired: Services) -> None:
    client = limited(wired, own_domains=("example.com",), own_hosts=("mx1",))
    told, untold = (diagnose(each, DEFERRED).json["sides"] for each in (client, limited(wired)))

    assert ("recipient", True, ["example.com"]) == (told["home"], told["told"], told["recipient_domains"])
    assert untold["told"] is False


def test_fields_trims_the_answer(real: FlaskClient) -> None:
    response = diagnose(real, REPLY, query_string="fields=resolved,category")

    assert b'{"category":"internal_auth_failed","resolved":false}' == response.data


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,image/avif,*/*;q=0.8", "application/json"),
        ("text/plain", "text/plain"),
        ("image/svg+xml", "image/svg+xml"),
        ("application/json;q=0.5, image/*", "image/svg+xml"),
    ],
)
def test_the_media_type_liked_best_is_given(real: FlaskClient, accept: str | None, media_type: str) -> None:
    response = diagnose(real, REPLY, headers={"Accept": accept} if accept else {})

    assert (200, media_type) == (response.status_code, response.mimetype)
    assert "Accept, Accept-Language" == response.headers["Vary"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_drawing_is_an_image_that_runs_nothing(real: FlaskClient, language: str) -> None:
    hostile = {"name": "</text><script>alert(1)</script>", "content": DEFERRED}
    response = diagnose(
        real, hostile, headers={"Accept": "image/svg+xml"}, query_string=f"language={language}"
    )
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(response.data).iter()}  # noqa: S314  # ours

    assert "script" not in tags
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(("language", "wanted"), [("en", "The way:"), ("zh", "投递路径:")])
def test_the_text_is_for_people(real: FlaskClient, language: str, wanted: str) -> None:
    headers = {"Accept": "text/plain", "Accept-Language": language}
    response = diagnose(real, DEFERRED, headers=headers)

    assert wanted in response.text
    assert "text/plain; charset=utf-8" == response.content_type


OF_TYPE = "is no type of evidence; allowed are auto, ndr, "


def piece(**fields: Any) -> dict[str, Any]:
    return {"content": "x", **fields}


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ([], ["#"]),
        ({}, ["#/evidence"]),
        ({"evidence": None}, ["#/evidence"]),
        ({"evidence": []}, ["#/evidence"]),
        ({"evidence": REPLY}, ["#/evidence"]),
        ({"evidence": [piece()] * 51}, ["#/evidence"]),
        ({"evidence": [REPLY, None]}, ["#/evidence/0", "#/evidence/1"]),
        ({"evidence": [{}]}, ["#/evidence/0/content"]),
        ({"evidence": [piece(content=5)]}, ["#/evidence/0/content"]),
        ({"evidence": [piece(content=" ")]}, ["#/evidence/0/content"]),
        ({"evidence": [piece(), piece(content="?", encoding="base64")]}, ["#/evidence/1/content"]),
        ({"evidence": [piece(encoding="hex")]}, ["#/evidence/0/encoding"]),
        ({"evidence": [piece(type="postfx")]}, ["#/evidence/0/type"]),
        ({"evidence": [piece(type=None)]}, ["#/evidence/0/type"]),
        ({"evidence": [piece(name="")]}, ["#/evidence/0/name"]),
        ({"evidence": [piece(name="n" * 201)]}, ["#/evidence/0/name"]),
        ({"evidence": [piece(text="x")]}, ["#/evidence/0/text"]),
        ({"evidence": [piece()], "language": "fr"}, ["#/language"]),
        ({"evidence": [piece()], "message_id": "x" * 999}, ["#/message_id"]),
        ({"evidence": [piece()], "recipient": ["x"]}, ["#/recipient"]),
        ({"evidence": [piece()], "near": "now"}, ["#/near"]),
    ],
)
def test_a_wrong_field_is_named(client: FlaskClient, body: object, pointers: list[str]) -> None:
    problem = client.post("/v1/diagnose", json=body).json

    assert (422, "urn:ndr-triage:problem:invalid-request") == (problem["status"], problem["type"])
    assert pointers == [error["pointer"] for error in problem["errors"]]


@pytest.mark.parametrize("query", ["fields=pth", "language=fr", "lang=en"])
def test_a_wrong_parameter_is_named(client: FlaskClient, query: str) -> None:
    problem = diagnose(client, REPLY, query_string=query).json

    assert (422, query.partition("=")[0]) == (problem["status"], problem["errors"][0]["parameter"])


@pytest.mark.parametrize(
    ("word", "status", "name"),
    [("raise-too-large", 413, "too-large"), ("raise-unreadable", 422, "unreadable-evidence")],
)
def test_the_piece_that_cannot_be_read_is_named(
    client: FlaskClient, word: str, status: int, name: str
) -> None:
    problem = diagnose(client, REPLY, word, REPLY).json

    assert (status, f"urn:ndr-triage:problem:{name}") == (problem["status"], problem["type"])
    assert [("#/evidence/1/content", problem["detail"])] == [
        (error["pointer"], error["detail"]) for error in problem["errors"]
    ]


def stream(content: bytes = b"x") -> tuple[BytesIO, str]:
    return BytesIO(content), "a"


@pytest.mark.parametrize(
    ("form", "status", "pointers"),
    [
        ({"file": [stream(), stream(b"")]}, 422, ["#/evidence/1/content"]),
        ({"file": [stream() for _ in range(51)]}, 422, ["#/evidence"]),
        ({"file": "x"}, 422, ["#/file"]),
        ({"type": "ndr", "file": stream()}, 422, ["#/type"]),
        ({"file": stream(b"x" * 70_000)}, 413, []),
        ({"language": "zh"}, 422, ["#/evidence"]),
    ],
)
def test_what_is_wrong_in_a_form_is_named(
    client: FlaskClient, form: dict[str, Any], status: int, pointers: list[str]
) -> None:
    response = client.post("/v1/diagnose", data=form, content_type="multipart/form-data")

    assert status == response.status_code
    assert pointers == [error["pointer"] for error in response.json.get("errors", [])]


AS_JSON = {"content_type": "application/json"}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"data": b"{", **AS_JSON}, 400),
        ({"data": b'{"evidence": ' + b"[" * 50_000, **AS_JSON}, 400),
        ({"data": b'{"evidence": [{"content": "\\ud800"}]}', **AS_JSON}, 400),
        ({"json": {"evidence": [piece(content="x" * 70_000)]}}, 413),
        ({"json": {"evidence": [piece(content="raise-unexpected")]}}, 500),
        ({"json": {"evidence": [piece()]}, "headers": {"Accept": "image/png"}}, 406),
        ({"json": {"evidence": [piece()]}, "headers": {"Content-Encoding": "gzip"}}, 415),
        ({"data": b"x", "content_type": "message/rfc822"}, 415),
        ({"data": b"a=b", "content_type": "application/x-www-form-urlencoded"}, 415),
        ({"data": b"x"}, 415),
        ({"data": b"--b\r\nnonsense", "content_type": "multipart/form-data; boundary=b"}, 422),
        ({"data": b"nonsense", "content_type": "multipart/form-data"}, 422),
    ],
)
def test_what_cannot_be_read_at_all_is_a_problem(
    client: FlaskClient, request_: dict[str, Any], status: int
) -> None:
    response = client.post("/v1/diagnose", **request_)

    assert (status, "application/problem+json") == (response.status_code, response.content_type)


@pytest.mark.parametrize(
    ("given", "named"),
    [("postfx", "'postfx'"), ("x" * 10_000, f"'{'x' * 40}…'"), ("", "''"), ("NDR", "'NDR'")],
)
def test_an_unknown_type_is_named_with_what_is_allowed(client: FlaskClient, given: str, named: str) -> None:
    (error,) = diagnose(client, {"type": given, "content": "x"}).json["errors"]

    assert error["detail"].startswith(f"{named} {OF_TYPE}")
    assert [] == [kind for kind in TYPES if kind not in error["detail"]]


@pytest.mark.parametrize(("lines", "status"), [(10, 200), (11, 422)])
def test_lines_are_limited_in_each_piece(wired: Services, lines: int, status: int) -> None:
    client = limited(wired, max_evidence_lines=10)
    sent = diagnose(client, REPLY, {"type": "postfix", "content": "x\n" * lines})
    form = {"file": [(BytesIO(REPLY.encode()), "a"), (BytesIO(b"x\n" * lines), "b")]}
    uploaded = client.post("/v1/diagnose", data=form, content_type="multipart/form-data")

    assert [status, status] == [sent.status_code, uploaded.status_code]
    if status == 422:
        assert {"Holds more than 10 lines; cut out the time around the mail."} == {
            error["detail"] for each in (sent, uploaded) for error in each.json["errors"]
        }
        assert "#/evidence/1/content" == sent.json["errors"][0]["pointer"]


def test_evidence_that_takes_too_long_is_a_problem_and_not_a_cut_line(wired: Services) -> None:
    response = diagnose(limited(wired, request_timeout_s=0), DEFERRED)

    assert (503, "urn:ndr-triage:problem:out-of-time") == (response.status_code, response.json["type"])


HOSTILE: dict[str, list[Any]] = {
    "fifty single characters": ["x"] * 50,
    "fifty of one name": [{"name": "a", "content": DEFERRED}] * 50,
    "nothing but NULs": ["\0" * 100_000],
    "lines of NULs": ["\0\0\n" * 10_000],
    "deep JSON": [{"type": kind, "content": "[" * 100_000} for kind in ("kumomta", "sendgrid", "auto")],
    "deep objects": [{"type": kind, "content": '{"a":' * 100_000} for kind in ("mailgun", "mimecast")],
    "bytes that are no text": [
        {"content": b64encode(bytes(range(256)) * 100).decode(), "encoding": "base64"}
    ],
    "a mark of UTF-16 alone": [{"content": b64encode(b"\xff\xfe\x0a").decode(), "encoding": "base64"}],
    "the head of an event log alone": [{"content": b64encode(b"ElfFile\0").decode(), "encoding": "base64"}],
    "the first day of all": [{"type": "postfix", "content": "0001-01-01T00:00:00Z" + DEFERRED[15:]}],
}


@pytest.mark.parametrize("pieces", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("accept", ["application/json", "text/plain", "image/svg+xml"])
def test_hostile_evidence_is_answered(real: FlaskClient, pieces: list[Any], accept: str) -> None:
    assert diagnose(real, *pieces, headers={"Accept": accept}).status_code in (200, 422)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    "content", ["a" * 5_000_000, "<a@b.example> " * 100_000], ids=["letters", "addresses"]
)
def test_one_endless_line_is_answered_in_any_format(real: FlaskClient, kind: str, content: str) -> None:
    assert 200 == diagnose(real, {"type": kind, "content": content}).status_code


@pytest.mark.parametrize("word", ["raise-unexpected", "raise-unreadable"])
def test_evidence_is_neither_logged_nor_told_in_errors(client: FlaskClient, log: Any, word: str) -> None:
    pieces = [{"name": "marker-name", "content": f"{word} marker@example.com"}]
    response = diagnose(client, *pieces, more={"recipient": "marker@example.com"})

    assert response.status_code >= 400
    assert "marker" not in response.text + log.text


def test_the_log_tells_how_many_pieces_and_what_came_of_them(real: FlaskClient, log: Any) -> None:
    diagnose(real, REPLY, DEFERRED)
    (entry,) = [entry for entry in log.entries if entry["event"] == "request"]

    assert (2, "internal_auth_failed", "/v1/diagnose") == tuple(
        entry[name] for name in ("pieces", "category", "route")
    )


def test_the_description_names_types_forms_and_problems(real: FlaskClient) -> None:
    description = real.get("/openapi.json").json
    operation = description["paths"]["/v1/diagnose"]["post"]
    piece = description["components"]["schemas"]["Piece"]["properties"]

    assert list(TYPES) == piece["type"]["enum"]
    assert {"application/json", "multipart/form-data"} == operation["requestBody"]["content"].keys()
    assert {"application/json", "text/plain", "image/svg+xml"} == operation["responses"]["200"][
        "content"
    ].keys()
    assert {"400", "401", "406", "413", "415", "422", "500", "503"} <= operation["responses"].keys()
    assert {} == CaseSchema().validate(description["components"]["examples"]["worked_way"]["value"])


def test_the_example_of_a_request_is_accepted(real: FlaskClient) -> None:
    content = real.get("/openapi.json").json["paths"]["/v1/diagnose"]["post"]["requestBody"]["content"]
    (example,) = content["application/json"]["examples"].values()

    assert "internal_auth_failed" == real.post("/v1/diagnose", json=example["value"]).json["category"]


@pytest.mark.parametrize(
    "schema",
    [
        each
        for each in vars(case_schemas).values()
        if isinstance(each, type) and issubclass(each, Schema) and each is not Schema
    ],
    ids=lambda schema: schema.__name__,
)
def test_every_field_has_a_description(schema: type[Schema]) -> None:
    bare = [name for name, field in schema().fields.items() if not field.metadata.get("description")]

    assert [] == bare


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/diagnose"])
def test_hops_of_the_returned_message_are_a_route_with_its_clock_skew(real: FlaskClient, path: str) -> None:
    if path == "/v1/classify":
        answer = real.post(path, data=BOUNCE, content_type="message/rfc822").json
    else:
        answer = diagnose(real, BOUNCE.decode()).json
    route = answer["route"]

    assert ["mx1.example.com", "mx2.example.net", "mx3.example.net"] == [hop["by"] for hop in route["hops"]]
    assert [None, 60.0, -360.0] == [hop["delay_s"] for hop in route["hops"]]
    assert (60.0, -360.0) == (route["max_delay_s"], route["clock_skew_s"])
    assert "mx1.example.com" == route["hops"][1]["from"]


def test_the_route_is_described(real: FlaskClient) -> None:
    schemas = real.get("/openapi.json").json["components"]["schemas"]

    assert {"hops", "max_delay_s", "clock_skew_s"} == schemas["Route"]["properties"].keys()
    assert {"by", "from", "protocol", "at", "delay_s"} == schemas["Hop"]["properties"].keys()
    assert "#/components/schemas/Route" in str(schemas["Answer"]["properties"]["route"])
