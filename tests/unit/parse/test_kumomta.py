"""KumoMTA: one event for each record and recipient."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.kumomta import FORMAT
from tests.unit.parse.mutated import mutated

SAMPLE = (Path(__file__).parents[2] / "samples" / "logs" / "kumomta.log").read_text("utf-8").splitlines()


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def part(event: Event, expected: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in expected}


RECORD = {
    "type": "Bounce",
    "id": "1d98076abbbc11ed940250ebf67f93bd",
    "sender": "Office@example.com",
    "recipient": "Info@example.net",
    "queue": "example.net",
    "site": "source1->mx.example.net",
    "response": {
        "code": 550,
        "enhanced_code": {"class": 5, "subject": 1, "detail": 1},
        "content": "No such user",
        "command": "RCPT TO:<info@example.net>",
    },
    "peer_address": {"name": "mx.example.net.", "addr": "198.51.100.20"},
    "timestamp": 1793614447,
    "num_attempts": 2,
    "bounce_classification": "InvalidRecipient",
    "egress_source": "source1",
    "headers": {"Message-Id": "<1@example.com>"},
    "delivery_protocol": "ESMTP",
}


def record(**changes: object) -> str:
    return json.dumps(RECORD | changes)


def test_it_is_a_log_of_a_transport() -> None:
    assert ("kumomta", Role.TRANSPORT) == FORMAT[:2]


def test_a_bounce_is_told_whole() -> None:
    assert only(record()) == Event(
        What.FAILED,
        1,
        at=datetime(2026, 11, 2, 10, 14, 7, tzinfo=UTC),
        peer="mx.example.net",
        peer_ip="198.51.100.20",
        message_id="<1@example.com>",
        queue_id="1d98076abbbc11ed940250ebf67f93bd",
        sender="Office@example.com",
        recipients=("info@example.net",),
        reply="550 5.1.1 No such user",
        detail={
            "type": "Bounce",
            "command": "RCPT TO",
            "queue": "example.net",
            "site": "source1->mx.example.net",
            "attempts": "2",
            "source": "source1",
            "protocol": "ESMTP",
            "bounce_classification": "InvalidRecipient",
            "category": "recipient_unknown",
        },
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"type": "Reception"}, {"what": What.RECEIVED, "reply": ""}),
        ({"type": "Delivery"}, {"what": What.SENT}),
        ({"type": "Delivery", "delivery_protocol": "Maildir"}, {"what": What.DELIVERED}),
        ({"type": "TransientFailure"}, {"what": What.DEFERRED}),
        ({"type": "Delay"}, {"what": What.DEFERRED}),
        ({"type": "Expiration"}, {"what": What.FAILED}),
        ({"type": "AdminBounce"}, {"what": What.FAILED}),
        ({"type": "OOB"}, {"what": What.FAILED}),
        ({"type": "Rejection", "id": ""}, {"what": What.REJECTED, "queue_id": None}),
        ({"sender": ""}, {"sender": ""}),
        ({"peer_address": None}, {"peer": None, "peer_ip": None}),
        ({"response": {"code": 421, "enhanced_code": None, "content": "421 busy"}}, {"reply": "421 busy"}),
        (
            {
                "type": "Feedback",
                "feedback_report": {
                    "original_mail_from": "<a@example.com>",
                    "original_rcpto_to": ["<B@example.net>"],
                },
            },
            {"what": What.NOTED, "sender": "a@example.com", "recipients": ("b@example.net",), "reply": ""},
        ),
    ],
)
def test_a_record_tells_one_thing(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    assert expected == part(only(record(**changes)), expected)


def test_a_record_of_several_recipients_is_several_events() -> None:
    events = told(record(recipient=["a@example.net", "b@example.net"]))

    assert [("a@example.net",), ("b@example.net",)] == [event.recipients for event in events]


@pytest.mark.parametrize(
    "line",
    [record(type="Unheard"), "{", "waiting for more files", '{"type": "Bounce"}', '{"type": ["Bounce"]}'],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert [None] == list(FORMAT.read([line]))


def test_a_torn_line_does_not_take_the_next_with_it() -> None:
    assert [2] == [event.line for event in told(record()[:300], record())]


@pytest.mark.parametrize(
    "head", ["\n".join(SAMPLE), "\n".join(SAMPLE)[200:], SAMPLE[3], "torn\n" + SAMPLE[3]]
)
def test_a_log_of_kumomta_is_claimed(head: str) -> None:
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
