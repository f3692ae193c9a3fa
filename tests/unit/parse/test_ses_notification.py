"""Amazon SES: one event for each notification and recipient, whatever envelope it came in."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.ses_notification import FORMAT
from tests.unit.parse.mutated import mutated

SAMPLE = (
    (Path(__file__).parents[2] / "samples" / "logs" / "ses_notification.json").read_text("utf-8").splitlines()
)


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def part(event: Event, expected: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in expected}


MAIL = {
    "timestamp": "2026-11-02T10:14:05.000Z",
    "source": "Office@example.com",
    "sourceIp": "192.0.2.10",
    "messageId": "0102019-a-000000",
    "destination": ["info@example.net", "sales@example.org"],
    "headers": [{"name": "Message-ID", "value": "<1@example.com>"}],
}
BOUNCE = {
    "notificationType": "Bounce",
    "bounce": {
        "bounceType": "Permanent",
        "bounceSubType": "NoEmail",
        "bouncedRecipients": [
            {
                "emailAddress": "Info@example.net",
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 No such user",
            }
        ],
        "timestamp": "2026-11-02T10:14:07.000Z",
        "remoteMtaIp": "198.51.100.20",
        "reportingMTA": "dns; a8-1.smtp-out.eu-west-1.amazonses.com",
    },
    "mail": MAIL,
}


def event(name: str, section: str, **fields: object) -> str:
    return json.dumps({"eventType": name, section: fields, "mail": MAIL})


def test_it_is_a_log_of_a_provider() -> None:
    assert ("ses_notification", Role.PROVIDER) == FORMAT[:2]


def test_a_bounce_is_told_whole() -> None:
    assert only(json.dumps(BOUNCE)) == Event(
        What.FAILED,
        1,
        at=datetime(2026, 11, 2, 10, 14, 7, tzinfo=UTC),
        peer_ip="198.51.100.20",
        message_id="<1@example.com>",
        queue_id="0102019-a-000000",
        sender="Office@example.com",
        recipients=("info@example.net",),
        reply="550 5.1.1 No such user",
        detail={
            "type": "Bounce",
            "bounce_type": "Permanent/NoEmail",
            "category": "recipient_unknown",
            "action": "failed",
            "status": "5.1.1",
            "reporting_mta": "a8-1.smtp-out.eu-west-1.amazonses.com",
        },
    )


@pytest.mark.parametrize(
    "lines",
    [
        [json.dumps(BOUNCE)],
        json.dumps(BOUNCE, indent=2).splitlines(),
        [json.dumps([BOUNCE])],
        json.dumps([BOUNCE], indent=4).splitlines(),
        [json.dumps({"Type": "Notification", "Message": json.dumps(BOUNCE)})],
        json.dumps({"Type": "Notification", "Message": json.dumps(BOUNCE)}, indent=1).splitlines(),
        [json.dumps({"Records": [{"Sns": {"Message": json.dumps(BOUNCE)}}]})],
        [json.dumps({"Records": [{"body": json.dumps({"Message": json.dumps(BOUNCE)})}]})],
        [json.dumps({"detail-type": "Email Bounced", "detail": BOUNCE})],
    ],
)
def test_an_envelope_does_not_matter(lines: list[str]) -> None:
    assert "550 5.1.1 No such user" == only(*lines).reply


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            event(
                "Delivery", "delivery", recipients=["info@example.net"], smtpResponse="250 2.0.0 Ok; queued"
            ),
            {"what": What.SENT, "reply": "250 2.0.0 Ok; queued", "recipients": ("info@example.net",)},
        ),
        (
            event(
                "DeliveryDelay",
                "deliveryDelay",
                delayType="MailboxFull",
                delayedRecipients=[{"emailAddress": "a@b"}],
            ),
            {
                "what": What.DEFERRED,
                "recipients": ("a@b",),
                "detail": {"type": "DeliveryDelay", "delay_type": "MailboxFull", "category": "mailbox_full"},
            },
        ),
        (
            event(
                "Bounce", "bounce", bounceType="Transient", bounceSubType="General", bouncedRecipients=["a@b"]
            ),
            {"what": What.FAILED, "detail": {"type": "Bounce", "bounce_type": "Transient/General"}},
        ),
        (
            event("Complaint", "complaint", complainedRecipients=[{"emailAddress": "a@b"}]),
            {"what": What.NOTED, "detail": {"type": "Complaint", "category": "complaint"}},
        ),
    ],
)
def test_an_event_tells_one_thing(line: str, expected: dict[str, Any]) -> None:
    assert expected == part(only(line), expected)


@pytest.mark.parametrize(
    ("line", "what", "reply"),
    [
        (event("Send", "send"), What.RECEIVED, ""),
        (event("Reject", "reject", reason="Bad content"), What.REJECTED, "Bad content"),
        (event("Rendering Failure", "failure", errorMessage="no name"), What.FAILED, "no name"),
    ],
)
def test_an_event_that_names_no_recipient_is_about_all(line: str, what: What, reply: str) -> None:
    assert [(what, ("info@example.net",), reply), (what, ("sales@example.org",), reply)] == [
        (each.what, each.recipients, each.reply) for each in told(line)
    ]


@pytest.mark.parametrize(
    "line",
    [event("Open", "open"), event("Unheard", "x"), "{}", '{"Type": "Notification", "Message": "{torn"}'],
)
def test_other_objects_tell_nothing(line: str) -> None:
    assert [None] == list(FORMAT.read([line]))


def test_a_mail_that_holds_a_notification_is_a_report_and_no_log() -> None:
    path = Path(__file__).parents[2] / "samples" / "ses-bounce.eml"

    assert not FORMAT.claims(path.read_text("utf-8"))


@pytest.mark.parametrize(
    "head", ["\n".join(SAMPLE), "\n".join(SAMPLE)[150:], SAMPLE[10], "torn\n" + SAMPLE[11]]
)
def test_a_notification_of_ses_is_claimed(head: str) -> None:
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
