"""SparkPost: one event for each event about a delivery."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.sparkpost import FORMAT
from tests.unit.parse.mutated import mutated

SAMPLE = (Path(__file__).parents[2] / "samples" / "logs" / "sparkpost.json").read_text("utf-8").splitlines()


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def part(event: Event, expected: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in expected}


BOUNCE = {
    "type": "bounce",
    "bounce_class": "10",
    "error_code": "550",
    "ip_address": "198.51.100.20",
    "message_id": "000443ee14578172be23",
    "msg_from": "Office@example.com",
    "rcpt_to": "info@example.net",
    "raw_rcpt_to": "Info@example.net",
    "raw_reason": "550 5.1.1 No such user",
    "reason": "550 5.1.1 No such ...",
    "timestamp": "1793614447",
    "transmission_id": "65832150921904138",
}


def event(**fields: object) -> str:
    return json.dumps([{"msys": {"message_event": BOUNCE | fields}}])


def test_it_is_a_log_of_a_provider() -> None:
    assert ("sparkpost", Role.PROVIDER) == FORMAT[:2]


def test_a_bounce_is_told_whole() -> None:
    assert only(event()) == Event(
        What.FAILED,
        1,
        at=datetime(2026, 11, 2, 10, 14, 7, tzinfo=UTC),
        peer_ip="198.51.100.20",
        queue_id="000443ee14578172be23",
        sender="Office@example.com",
        recipients=("info@example.net",),
        reply="550 5.1.1 No such user",
        detail={
            "type": "bounce",
            "bounce_class": "10",
            "category": "recipient_unknown",
            "transmission": "65832150921904138",
        },
    )


@pytest.mark.parametrize(
    ("fields", "what", "category"),
    [
        ({"type": "injection", "bounce_class": None}, What.RECEIVED, None),
        ({"type": "delivery", "bounce_class": None}, What.SENT, None),
        ({"type": "delay", "bounce_class": 22}, What.DEFERRED, "mailbox_full"),
        ({"type": "out_of_band", "bounce_class": "1"}, What.FAILED, None),
        ({"type": "policy_rejection", "bounce_class": "25"}, What.REJECTED, None),
        ({"type": "spam_complaint"}, What.NOTED, "complaint"),
    ],
)
def test_an_event_tells_one_thing(fields: dict[str, Any], what: What, category: str | None) -> None:
    told_event = only(event(**fields))

    assert (what, category) == (told_event.what, told_event.detail.get("category"))


@pytest.mark.parametrize(
    "line", [json.dumps(BOUNCE), json.dumps({"results": [BOUNCE]}), json.dumps({"msys": {"x_event": BOUNCE}})]
)
def test_the_wrapping_does_not_matter(line: str) -> None:
    assert "550 5.1.1 No such user" == only(line).reply


def test_the_code_leads_where_the_words_have_none() -> None:
    assert "554 Refused" == only(event(error_code="554", raw_reason="Refused")).reply


@pytest.mark.parametrize("line", [event(type="click"), '[{"msys": {}}]', '{"type": "bounce"}'])
def test_other_objects_tell_nothing(line: str) -> None:
    assert [None] == list(FORMAT.read([line]))


@pytest.mark.parametrize(
    "head", ["\n".join(SAMPLE), "\n".join(SAMPLE)[400:], SAMPLE[26], "torn\n" + SAMPLE[26]]
)
def test_a_webhook_of_sparkpost_is_claimed(head: str) -> None:
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
