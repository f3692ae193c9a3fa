"""Postmark: one event for each record about a delivery."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.postmark import FORMAT
from tests.unit.parse.mutated import mutated

SAMPLE = (Path(__file__).parents[2] / "samples" / "logs" / "postmark.json").read_text("utf-8").splitlines()


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def part(event: Event, expected: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in expected}


BOUNCE = {
    "RecordType": "Bounce",
    "Type": "HardBounce",
    "TypeCode": 1,
    "Name": "Hard bounce",
    "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
    "MessageStream": "outbound",
    "Description": "gone",
    "Details": "smtp;550 5.1.1 No such user",
    "Email": "Info@example.net",
    "From": "Office@example.com",
    "BouncedAt": "2026-11-02T05:14:07.9070259-05:00",
    "Inactive": True,
}


def record(**fields: object) -> str:
    return json.dumps(BOUNCE | fields)


def test_it_is_a_log_of_a_provider() -> None:
    assert ("postmark", Role.PROVIDER) == FORMAT[:2]


def test_a_bounce_is_told_whole() -> None:
    assert only(record()) == Event(
        What.FAILED,
        1,
        at=datetime(2026, 11, 2, 10, 14, 7, 907_025, tzinfo=UTC),
        queue_id="883953f4-6105-42a2-a16a-77a8eac79483",
        sender="Office@example.com",
        recipients=("info@example.net",),
        reply="550 5.1.1 No such user",
        detail={
            "record_type": "Bounce",
            "type": "HardBounce",
            "name": "Hard bounce",
            "description": "gone",
            "inactive": "yes",
            "stream": "outbound",
        },
    )


@pytest.mark.parametrize(
    ("fields", "what", "category"),
    [
        ({"Type": "SoftBounce"}, What.FAILED, None),
        ({"Type": "Transient"}, What.DEFERRED, None),
        ({"Type": "VirusNotification"}, What.FAILED, "malware_detected"),
        ({"Type": "AutoResponder"}, What.NOTED, "auto_reply"),
        ({"RecordType": "SpamComplaint", "Type": "SpamComplaint"}, What.NOTED, "complaint"),
        ({"RecordType": "Delivery", "Type": ""}, What.SENT, None),
    ],
)
def test_a_record_tells_one_thing(fields: dict[str, Any], what: What, category: str | None) -> None:
    event = only(record(**fields))

    assert (what, category) == (event.what, event.detail.get("category"))


def test_an_answer_of_the_bounce_interface_is_read_too() -> None:
    bounce = {name: value for name, value in BOUNCE.items() if name != "RecordType"}

    assert "550 5.1.1 No such user" == only(json.dumps({"TotalCount": 1, "Bounces": [bounce]})).reply


@pytest.mark.parametrize("line", [record(RecordType="Open"), "{}", '{"RecordType": null}'])
def test_other_objects_tell_nothing(line: str) -> None:
    assert [None] == list(FORMAT.read([line]))


@pytest.mark.parametrize(
    "head", ["\n".join(SAMPLE), "\n".join(SAMPLE)[60:], SAMPLE[21], "torn\n" + SAMPLE[22]]
)
def test_a_webhook_of_postmark_is_claimed(head: str) -> None:
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
