"""SendGrid: one event for each event about a delivery."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.sendgrid import FORMAT
from tests.unit.parse.mutated import mutated

SAMPLE = (Path(__file__).parents[2] / "samples" / "logs" / "sendgrid.json").read_text("utf-8").splitlines()


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def part(event: Event, expected: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in expected}


BASE = {
    "email": "Info@example.net",
    "timestamp": 1793614447,
    "smtp-id": "<1@example.com>",
    "sg_event_id": "c2dFZXZlbnRfMw",
    "sg_message_id": "14c5d75ce93.dfd",
}


def event(**fields: object) -> str:
    return json.dumps(BASE | fields)


def test_it_is_a_log_of_a_provider() -> None:
    assert ("sendgrid", Role.PROVIDER) == FORMAT[:2]


def test_a_bounce_is_told_whole() -> None:
    line = event(
        event="bounce",
        type="blocked",
        reason="550 5.7.1 Blocked",
        status="5.7.1",
        bounce_classification="Reputation",
        ip="192.0.2.25",
        tls=1,
        category=["offers"],
    )

    assert only(line) == Event(
        What.FAILED,
        1,
        at=datetime(2026, 11, 2, 10, 14, 7, tzinfo=UTC),
        message_id="<1@example.com>",
        queue_id="14c5d75ce93.dfd",
        recipients=("info@example.net",),
        reply="550 5.7.1 Blocked",
        detail={
            "event": "bounce",
            "type": "blocked",
            "status": "5.7.1",
            "tls": "1",
            "source": "192.0.2.25",
            "bounce_classification": "Reputation",
            "category": "reputation_blocked",
        },
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"event": "processed"}, {"what": What.RECEIVED}),
        ({"event": "delivered", "response": "250 OK"}, {"what": What.SENT, "reply": "250 OK"}),
        ({"event": "deferred", "response": "451 Later"}, {"what": What.DEFERRED, "reply": "451 Later"}),
        (
            {"event": "dropped", "reason": "Bounced Address"},
            {
                "what": What.FAILED,
                "reply": "Bounced Address",
                "detail": {"event": "dropped", "category": "suppressed"},
            },
        ),
        ({"event": "spamreport"}, {"what": What.NOTED}),
        ({"event": "bounce", "reason": "550 \ud800"}, {"reply": "550 ?"}),
    ],
)
def test_an_event_tells_one_thing(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert expected == part(only(event(**fields)), expected)


@pytest.mark.parametrize(
    "line", [event(event="click"), "[", '{"event": "bounce"}', '{"event": {"a": 1}, "email": []}']
)
def test_other_objects_tell_nothing(line: str) -> None:
    assert [None] == list(FORMAT.read([line]))


def test_an_array_may_go_over_lines_or_not() -> None:
    array = [json.loads(event(event="delivered")), json.loads(event(event="bounce"))]

    assert [1, 1] == [each.line for each in told(json.dumps(array))]
    assert [9, 17] == [each.line for each in told(*json.dumps(array, indent=1).splitlines())]


@pytest.mark.parametrize(
    "head", ["\n".join(SAMPLE), "\n".join(SAMPLE)[200:], SAMPLE[22], "torn\n" + SAMPLE[22]]
)
def test_a_webhook_of_sendgrid_is_claimed(head: str) -> None:
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
