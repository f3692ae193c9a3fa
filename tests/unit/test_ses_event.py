"""The JSON notifications of Amazon SES are reports, and other JSON is none."""

import json

import pytest

from model.ses_event import read_ses_event
from model.types import Failure, Kind

MAIL = {"messageId": "0001", "destination": ["info@example.net"]}
BOUNCE = {
    "bounceType": "Permanent",
    "bounceSubType": "General",
    "reportingMTA": "dsn; a8-1.smtp-out.eu-west-1.amazonses.com",
    "bouncedRecipients": [
        {
            "emailAddress": "info@example.net",
            "action": "failed",
            "status": "5.1.1",
            "diagnosticCode": "smtp; 550 5.1.1 user unknown",
        }
    ],
}


def event(name: str, key: str = "notificationType", **sections: object) -> str:
    return json.dumps({key: name, "mail": MAIL, **sections})


def test_a_bounce_is_read() -> None:
    report = read_ses_event(event("Bounce", bounce=BOUNCE))
    expected = Failure(
        address="info@example.net",
        action="failed",
        status="5.1.1",
        diagnostic="smtp; 550 5.1.1 user unknown",
        reason="Amazon SES says Permanent/General",
    )

    assert report is not None
    assert ((expected,), "ses", "0001") == (report.failures, report.software, report.original_message_id)
    assert "a8-1.smtp-out.eu-west-1.amazonses.com" == report.reporting_mta


@pytest.mark.parametrize(
    ("name", "sections", "kind", "recipients"),
    [
        ("Bounce", {"bounce": BOUNCE}, Kind.BOUNCE, ["info@example.net"]),
        (
            "Complaint",
            {"complaint": {"complainedRecipients": [{"emailAddress": "info@example.net"}]}},
            Kind.COMPLAINT,
            [],
        ),
        ("Delivery", {"delivery": {"recipients": ["info@example.net"]}}, Kind.SUCCESS, ["info@example.net"]),
        (
            "DeliveryDelay",
            {
                "deliveryDelay": {
                    "delayType": "MailboxFull",
                    "delayedRecipients": [{"emailAddress": "info@example.net"}],
                }
            },
            Kind.DELAY,
            ["info@example.net"],
        ),
        ("Reject", {"reject": {"reason": "Bad content"}}, Kind.BOUNCE, []),
    ],
)
@pytest.mark.parametrize("key", ["notificationType", "eventType"])
def test_each_type_is_a_kind(
    name: str, sections: dict[str, object], kind: Kind, recipients: list[str], key: str
) -> None:
    report = read_ses_event(event(name, key, **sections))

    assert report is not None
    assert (kind, recipients) == (report.kind, [failure.address for failure in report.failures])


def test_text_around_the_event_does_not_matter() -> None:
    assert read_ses_event(f"Hello,\n{event('Bounce', bounce=BOUNCE)}\n\n--\nTo stop receiving …") is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "{}",
        '{"notificationType":"Weather"}',
        '{"type":"Bounce"}',
        '{"notificationType":"Bounce", cut off',
        '{"notificationType":"Bounce",' + "[" * 100_000,
    ],
)
def test_other_texts_are_none(text: str) -> None:
    assert read_ses_event(text) is None


@pytest.mark.parametrize(
    "bounce", [None, [], "x", 1, {"bouncedRecipients": None}, {"bouncedRecipients": [1, None]}]
)
def test_an_event_of_odd_shape_is_read(bounce: object) -> None:
    report = read_ses_event(event("Bounce", bounce=bounce))

    assert report is not None
    assert Kind.BOUNCE is report.kind
