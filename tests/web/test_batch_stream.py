"""POST /v1/classify/batch with lines: each is answered in its place, and nothing unbounded is held."""

import gzip
import json
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient

from model.errors import TooLarge
from service.web import incoming
from service.web.incoming import lines_of

NDJSON = "application/x-ndjson"
PATH = "/v1/classify/batch?fields=category"


def lines(*items: Any) -> bytes:
    return b"".join(orjson.dumps(item) + b"\n" for item in items)


def stream(client: FlaskClient, body: Any, **headers: str) -> Any:
    given = {"Content-Type": NDJSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return client.post(PATH, data=body, headers=given)


def answers(response: Any) -> list[Any]:
    return [json.loads(line) for line in response.data.splitlines()]


def test_lines_are_answered_in_order_under_their_ids(client: FlaskClient) -> None:
    response = stream(client, lines(*({"id": n, "text": "550 no"} for n in range(20))))

    assert (200, NDJSON) == (response.status_code, response.content_type)
    assert [(n, "internal_auth_failed") for n in range(20)] == [
        (each["id"], each["category"]) for each in answers(response)
    ]


@pytest.mark.parametrize(
    ("line", "type_", "id_"),
    [
        (b'{"id": "x", "text": ', "malformed-request", None),
        (b"\xff\xfe", "malformed-request", None),
        (b'{"id": "x"}', "invalid-request", "x"),
        (b'{"id": "x", "text": "raise-unreadable"}', "unreadable-evidence", "x"),
        (b'{"id": "x", "text": "raise-unexpected"}', "internal-error", "x"),
        (b"[]", "invalid-request", None),
        (b"null", "invalid-request", None),
        (b"[" * 10_000, "malformed-request", None),
        (b'{"text": "' + b"x" * (1 << 16) + b'"}', "too-large", None),
        (b"x" * (3 << 16), "too-large", None),
    ],
)
def test_a_bad_line_is_a_problem_in_its_place_and_reading_goes_on(
    client: FlaskClient, line: bytes, type_: str, id_: str | None
) -> None:
    good = lines({"id": "good", "text": "550 no"})
    first, bad, last = answers(stream(client, good + line + b"\r\n\n" + good))

    assert ["good", "good"] == [first["id"], last["id"]]
    assert (f"urn:ndr-triage:problem:{type_}", id_) == (bad["type"], bad["id"])
    assert "marker" not in json.dumps(bad)


def test_the_last_line_needs_no_end_and_no_body_is_no_answer(client: FlaskClient) -> None:
    assert ["a"] == [each["id"] for each in answers(stream(client, b'{"id": "a", "text": "550 no"}'))]
    assert (200, b"") == ((empty := stream(client, b"\n\n")).status_code, empty.data)


@pytest.mark.parametrize("cut", [1, 2, 3, 10])
def test_a_byte_order_mark_is_passed_over(cut: int) -> None:
    body = BOM_UTF8 + b"{}\n" + BOM_UTF8 + b"\n"

    assert [b"{}", BOM_UTF8] == list(lines_of([body[:cut], body[cut:]], 100))


def test_any_number_of_lines_is_answered(client: FlaskClient) -> None:
    body = lines({"text": "550 no"}) * 5000

    assert len(body) > 1 << 16
    assert 5000 == len(answers(stream(client, body)))


class Source:
    """A body that counts what was read of it."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.parts = parts
        self.count = 0

    def read(self, _size: int = -1) -> bytes:
        self.count += 1
        return next(self.parts, b"")


def streamed(client: FlaskClient, source: Source) -> Any:
    return client.post(PATH, content_type=NDJSON, environ_overrides={"wsgi.input": source}, buffered=False)


def test_a_line_is_answered_before_the_next_one_is_read(client: FlaskClient) -> None:
    source = Source(lines({"id": n, "text": "550 no"}) for n in range(5))
    response = streamed(client, source)
    found = []
    for chunk in response.iter_encoded():
        found.append((json.loads(chunk)["id"], source.count))

    assert [(n, n + 1) for n in range(5)] == found
    response.close()


def test_a_caller_who_leaves_stops_the_work(client: FlaskClient, diagnoser: Any, log: Any) -> None:
    source = Source(lines({"text": "550 no"}) for _ in range(1000))
    response = streamed(client, source)
    waiting = response.iter_encoded()
    next(waiting), next(waiting)
    response.close()

    assert len(diagnoser.seen) <= 3
    (entry,) = [entry for entry in log.entries if entry["event"] == "batch"]
    assert not entry["is_whole"]


def test_an_error_in_the_middle_is_the_last_line(client: FlaskClient) -> None:
    def broken() -> Iterator[bytes]:
        yield lines({"id": 1, "text": "550 no"})
        raise OSError("the body broke off")

    response = streamed(client, Source(broken()))
    first, last = answers(response)

    assert (200, 1) == (response.status_code, first["id"])
    assert ("urn:ndr-triage:problem:malformed-request", None) == (last["type"], last["id"])


def test_an_error_at_once_has_a_status(client: FlaskClient) -> None:
    assert 400 == stream(client, b"no gzip", Content_Encoding="gzip").status_code
    assert 415 == stream(client, b"", Content_Encoding="br").status_code
    assert 415 == stream(client, b"", Content_Encoding="gzip, gzip").status_code
    assert 406 == stream(client, b"", Accept="application/json").status_code
    assert 422 == client.post("/v1/classify/batch?fields=bogus", content_type=NDJSON).status_code


def test_gzip_is_unpacked_for_lines_and_for_json(client: FlaskClient) -> None:
    item = {"id": "a", "text": "550 no"}
    halves = gzip.compress(lines(item) * 2) + gzip.compress(lines(item))
    whole = gzip.compress(orjson.dumps({"items": [item]}))
    given = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    assert ["a"] * 3 == [each["id"] for each in answers(stream(client, halves, Content_Encoding="gzip"))]
    assert "a" == client.post(PATH, data=whole, headers=given).json["results"][0]["id"]
    broken = client.post(PATH, data=whole[:-9], headers=given)
    assert 400 == broken.status_code


def test_gzip_that_breaks_off_is_told_behind_the_answers(client: FlaskClient) -> None:
    packed = gzip.compress(lines({"id": "a", "text": "550 no"}))[:-8]
    first, last = answers(stream(client, packed, Content_Encoding="gzip"))

    assert ("a", 400) == (first["id"], last["status"])


def bomb(size: int, end: bytes = b"") -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"0" * (1 << 20)
    return b"".join(packer.compress(block) for _ in range(size >> 20)) + packer.compress(end) + packer.flush()


def test_a_bomb_ends_with_a_problem(client: FlaskClient) -> None:
    json_bomb = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    (problem,) = answers(stream(client, bomb(80 << 20), Content_Encoding="gzip"))
    assert (413, True) == (problem["status"], "bomb" in problem["detail"])
    assert 413 == client.post(PATH, data=bomb(4 << 20), headers=json_bomb).status_code


def test_a_json_body_is_answered_by_lines_where_asked(client: FlaskClient) -> None:
    items = [{"id": "a", "text": "550 no"}, {"id": "b"}]
    response = client.post(PATH, json={"items": items}, headers={"Accept": NDJSON})
    too_many = client.post(PATH, json={"items": items * 3}, headers={"Accept": NDJSON})

    assert NDJSON == response.content_type
    assert [("a", None), ("b", 422)] == [(each["id"], each.get("status")) for each in answers(response)]
    assert 422 == too_many.status_code


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
def test_a_json_body_is_answered_by_json_otherwise(client: FlaskClient, accept: str | None) -> None:
    headers = {"Accept": accept} if accept else {}
    response = client.post(PATH, json={"items": [{"text": "550 no"}]}, headers=headers)

    assert ("application/json", 1) == (response.content_type, len(response.json["results"]))


def test_the_language_is_the_one_asked_for(client: FlaskClient, diagnoser: Any) -> None:
    body = lines({"text": "550 no"}, {"text": "550 no", "language": "en"})
    answers(stream(client, body, Accept_Language="zh-TW"))

    assert ["zh", "en"] == [language for _, _, language in diagnoser.seen]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_lines_do_not_depend_on_how_they_arrive(size: int) -> None:
    content = b"ab\n\n" + b"x" * 9 + b"\r\n c \n" + b"y" * 30 + b"\nlast"
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    found = ["long" if isinstance(line, TooLarge) else line for line in lines_of(parts, 10)]

    assert [b"ab", b"x" * 9, b"c", "long", b"last"] == found


def test_unpacked_blocks_are_bounded() -> None:
    sizes = [len(block) for block in incoming.unpacked([bomb(40 << 20)], "gzip")]

    assert (40 << 20, incoming.BLOCK_BYTES) == (sum(sizes), max(sizes))
