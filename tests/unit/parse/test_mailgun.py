"""Mailgun: one event for each event about a delivery."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.mailgun import FORMAT
from tests.unit.parse.mutated import mutated

SAMPLE = (Path(__file__).parents[2] / "samples" / "logs" / "mailgun.json").read_text("utf-8").splitlines()


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def part(event: Event, expected: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in expected}


FAILED = {
    "id": "G9Bn5sl1TC6nu79C8C0bwg",
    "timestamp": 1793614447.25,
    "event": "failed",
    "severity": "permanent",
    "reason": "bounce",
    "recipient": "Info@example.net",
    "delivery-status": {
        "tls": True,
        "mx-host": "mx.example.net",
        "attempt-no": 1,
        "code": 550,
        "message": "5.1.1 No such user",
        "description": "",
    },
    "envelope": {"sender": "Office@example.com", "sending-ip": "192.0.2.25", "targets": "info@example.net"},
    "message": {"headers": {"message-id": "1@example.com"}},
}


def event(**fields: object) -> str:
    return json.dumps({"signature": {}, "event-data": FAILED | fields})


def test_it_is_a_log_of_a_provider() -> None:
    assert ("mailgun", Role.PROVIDER) == FORMAT[:2]


def test_a_failure_is_told_whole() -> None:
    assert only(event()) == Event(
        What.FAILED,
        1,
        at=datetime(2026, 11, 2, 10, 14, 7, 250_000, tzinfo=UTC),
        peer="mx.example.net",
        message_id="<1@example.com>",
        queue_id="G9Bn5sl1TC6nu79C8C0bwg",
        sender="Office@example.com",
        recipients=("info@example.net",),
        reply="550 5.1.1 No such user",
        detail={
            "event": "failed",
            "severity": "permanent",
            "reason": "bounce",
            "code": "550",
            "attempt": "1",
            "tls": "yes",
            "source": "192.0.2.25",
        },
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"event": "accepted"}, {"what": What.RECEIVED}),
        ({"event": "delivered"}, {"what": What.SENT}),
        ({"severity": "temporary"}, {"what": What.DEFERRED}),
        ({"event": "temporary_fail"}, {"what": What.DEFERRED}),
        ({"event": "complained"}, {"what": What.NOTED}),
        (
            {"delivery-status": {"code": 450, "enhanced-code": "4.7.1", "message": "Later"}},
            {"reply": "450 4.7.1 Later"},
        ),
        (
            {
                "reason": "suppress-bounce",
                "delivery-status": {"code": 605, "message": "", "description": "Not delivering"},
            },
            {
                "reply": "Not delivering",
                "detail": {
                    "event": "failed",
                    "severity": "permanent",
                    "reason": "suppress-bounce",
                    "category": "suppressed",
                    "code": "605",
                    "description": "Not delivering",
                    "source": "192.0.2.25",
                },
            },
        ),
        (
            {
                "event": "rejected",
                "delivery-status": {},
                "reject": {"reason": "Sandbox", "description": "only"},
            },
            {"what": What.REJECTED, "reply": "Sandbox only"},
        ),
    ],
)
def test_an_event_tells_one_thing(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert expected == part(only(event(**fields)), expected)


@pytest.mark.parametrize(
    "line", [json.dumps(FAILED), json.dumps([FAILED]), json.dumps({"items": [FAILED], "paging": {}})]
)
def test_the_wrapping_does_not_matter(line: str) -> None:
    assert "550 5.1.1 No such user" == only(line).reply


@pytest.mark.parametrize("line", [event(event="opened"), "{}", '{"event-data": {"event": ["failed"]}}'])
def test_other_objects_tell_nothing(line: str) -> None:
    assert [None] == list(FORMAT.read([line]))


@pytest.mark.parametrize(
    "head", ["\n".join(SAMPLE), "\n".join(SAMPLE)[300:], SAMPLE[17], "torn\n" + SAMPLE[17]]
)
def test_a_webhook_of_mailgun_is_claimed(head: str) -> None:
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
