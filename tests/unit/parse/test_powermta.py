"""PowerMTA: one event for each record of an accounting file."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.powermta import FORMAT
from tests.unit.parse.mutated import mutated

SAMPLE = (Path(__file__).parents[2] / "samples" / "logs" / "powermta.log").read_text("utf-8").splitlines()


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def part(event: Event, expected: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in expected}


DEFAULT = (
    "b,2026-11-02 10:14:07+0100,2026-11-02"
    " 10:14:05+0100,Office@example.com,Info@example.net,,failed,5.1.1 (bad"
    ' mailbox),"smtp;550 5.1.1 No, never",mx.example.net (198.51.100.20),bad-mailbox,smtp,pc.example.com'
    " (192.0.2.10),"
    "smtp,192.0.2.25,198.51.100.20,,18402,vmta1,job1,,example.net/vmta1,pool1"
)
HEADER = "type,timeLogged,orig,rcpt,dsnDiag,dlvType,header_Message-ID"


def test_it_is_a_log_of_a_transport() -> None:
    assert ("powermta", Role.TRANSPORT) == FORMAT[:2]


def test_a_bounce_without_a_header_line_is_told_whole() -> None:
    assert only(DEFAULT) == Event(
        What.FAILED,
        1,
        at=datetime(2026, 11, 2, 9, 14, 7, tzinfo=UTC),
        peer="mx.example.net",
        peer_ip="198.51.100.20",
        sender="Office@example.com",
        recipients=("info@example.net",),
        reply="550 5.1.1 No, never",
        detail={
            "type": "b",
            "dsn": "5.1.1",
            "bounce_cat": "bad-mailbox",
            "category": "recipient_unknown",
            "source": "192.0.2.25",
            "vmta": "vmta1",
            "job": "job1",
            "queue": "example.net/vmta1",
            "queued_at": "2026-11-02 10:14:05+0100",
        },
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            "d,1793614447,,a@example.net,smtp;250 OK,smtp,",
            {"what": What.SENT, "sender": "", "reply": "250 OK"},
        ),
        (
            "d,1793614447,,a@example.net,,file,<1@b.example>",
            {"what": What.DELIVERED, "message_id": "<1@b.example>"},
        ),
        ("t,1793614447,,a@example.net,smtp;451 Later,smtp,", {"what": What.DEFERRED, "reply": "451 Later"}),
        ("tq,1793614447,,,smtp;421 Busy,,", {"what": What.FAULT, "recipients": (), "reply": "421 Busy"}),
        ("r,1793614447,a@example.com,b@example.net,,,", {"what": What.RECEIVED, "sender": "a@example.com"}),
        ("rb,1793614447,,a@example.net,smtp;550 No,,", {"what": What.FAILED}),
        ("rs,1793614447,,a@example.net,,,", {"what": What.NOTED}),
        (
            "f,1793614447,,a@example.net,,,",
            {"what": What.NOTED, "detail": {"type": "f", "category": "complaint"}},
        ),
        ("b,1793614447", {"what": What.FAILED, "sender": None, "recipients": ()}),
    ],
)
def test_a_record_tells_one_thing_by_the_columns_of_its_header(row: str, expected: dict[str, Any]) -> None:
    assert expected == part(only(HEADER, row), expected)


@pytest.mark.parametrize("line", [HEADER, "", "x,1793614447,a,b", "d", '"', "b,yesterday,a,b,c,d,e,f"])
def test_other_lines_tell_nothing(line: str) -> None:
    assert [None] == list(FORMAT.read([line]))


@pytest.mark.parametrize(
    "head",
    ["\n".join(SAMPLE), "\n".join(SAMPLE)[500:], SAMPLE[3], "\ufeff" + SAMPLE[0], "torn\n" + SAMPLE[3]],
)
def test_an_accounting_file_is_claimed(head: str) -> None:
    assert FORMAT.claims(head)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "550 5.1.1 User unknown",
        "From: postmaster@example.com\nSubject: log\n\n" + "\n".join(SAMPLE),
        "Nov  2 10:14:07 mx1 postfix/smtpd[4]: connect from mx.example.org[203.0.113.5]",
        '{"event": "start", "type": "x", "mail": 1}',
        "type,size\nd,2",
    ],
)
def test_other_texts_are_not_claimed(head: str) -> None:
    assert not FORMAT.claims(head)


@given(mutated(SAMPLE))
@settings(max_examples=200, deadline=None)
def test_damaged_lines_never_raise_and_none_is_lost(lines: list[str]) -> None:
    assert len(lines) <= len(list(FORMAT.read(lines)))
