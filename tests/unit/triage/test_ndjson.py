"""NDJSON gives the same evidence however it is cut; a line that holds none is an error of its own."""

from base64 import b64encode
from pathlib import Path

import orjson
import pytest

from service.triage.formats import ndjson
from service.triage.guards import Limits
from service.triage.nouns import Item
from service.triage.planning import plan
from service.triage.reading import items

REPLY = "550 5.1.1 <user@example.com>: No such user"
MAIL = "From: a@example.com\nSubject: 退信\n\nbody\n"


def read(file: Path, chunk_bytes: int = 1 << 20, limits: Limits | None = None) -> list[Item]:
    chunks = plan([str(file)], chunk_bytes=chunk_bytes, limits=limits)
    return [item for chunk in chunks for item in items(chunk, limits=limits)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.ndjson"


@pytest.mark.parametrize(
    ("line", "name", "raw", "form"),
    [
        ({"id": "m1", "message": MAIL}, "m1", MAIL.encode(), "message"),
        ({"id": 7, "message": MAIL, "encoding": "plain"}, "7", MAIL.encode(), "message"),
        (
            {"message": b64encode(b"\xd0\xcf\x11\xe0").decode(), "encoding": "base64"},
            "#",
            b"\xd0\xcf\x11\xe0",
            "auto",
        ),
        ({"text": REPLY}, "#", REPLY.encode(), "text"),
        ({"raw": "caf\xe9"}, "#", b"caf\xe9", "auto"),
        ({"raw": MAIL}, "#", MAIL.encode(), "auto"),
        ({"raw": b64encode(b"\xff").decode(), "encoding": "base64"}, "#", b"\xff", "auto"),
        (REPLY, "#", REPLY.encode(), "auto"),
        ({"id": "", "text": REPLY}, "#", REPLY.encode(), "text"),
        ({"id": True, "text": REPLY}, "#", REPLY.encode(), "text"),
        ({"id": "x" * 1001, "text": REPLY}, "#", REPLY.encode(), "text"),
        ({"text": REPLY, "queue": "Q1"}, "#", REPLY.encode(), "text"),
    ],
)
def test_a_line_is_a_mail_a_reply_or_either(
    file: Path, line: object, name: str, raw: bytes, form: str
) -> None:
    file.write_bytes(orjson.dumps(line))

    assert read(file) == [Item("a.ndjson#0" if name == "#" else name, raw, form)]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"{not json", "the line is no JSON"),
        (b"[1, 2]", "the line holds none of message, text, raw as a string"),
        (b"12", "the line holds none of message, text, raw as a string"),
        (b'{"id": 1}', "the line holds none of message, text, raw as a string"),
        (b'{"text": 550}', "the line holds none of message, text, raw as a string"),
        (b'{"text": "  "}', "the evidence is empty"),
        (b'""', "the evidence is empty"),
        (b'{"message": "!!", "encoding": "base64"}', "message is not base64"),
        (b'{"message": "\xff"}', "the line is no JSON"),
        (b"[" * 400, "the line is no JSON"),
        (b'{"text": "' + b"x" * 600 + b'"}', "the message has more than 500 bytes"),
    ],
)
def test_a_line_without_evidence_is_an_error_and_the_rest_goes_on(
    file: Path, line: bytes, error: str
) -> None:
    good = orjson.dumps({"text": REPLY})
    file.write_bytes(b"\n".join((good, line, b"", good)))

    found = read(file, limits=Limits(message_bytes=500))

    assert [item.error for item in found] == [None, error, None]
    assert found[1].raw == b""
    assert error == "the message has more than 500 bytes" or line.decode("latin-1") not in str(found[1])


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\n\n \n"])
def test_chunks_of_every_size_hold_each_line_once(file: Path, line_end: bytes) -> None:
    lines = [orjson.dumps({"id": number, "text": REPLY}) for number in range(4)]
    file.write_bytes(b"\xef\xbb\xbf" + line_end.join([*lines, b"{", orjson.dumps(REPLY)]))
    expected = read(file)

    assert len(expected) == 6
    for chunk_bytes in range(1, file.stat().st_size + 1):
        assert expected == read(file, chunk_bytes)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"message": "From: a@example.com"}\n{', True),
        (b'\xef\xbb\xbf\n{"id": 1, "text": "x"}', True),
        (b'"550 5.1.1 No such user"\n', True),
        (b'{"id": "1", "message": "' + b"x" * 65536, True),
        (b'{"event": "failed", "message": {"headers": {}}}\n', False),
        (b'{"level": "info", "message": "x"}\n', False),
        (b'{"notificationType": "Bounce"}\n', False),
        (b"[1]\n", False),
        (b"550 5.1.1 No such user", False),
        (b"12\n", False),
        (b"", False),
    ],
)
def test_ndjson_is_claimed_by_its_first_line(head: bytes, expected: bool) -> None:  # noqa: FBT001
    assert ndjson.claims(head) is expected
