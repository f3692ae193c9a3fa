"""The kind of a mail is told by headers and structure first, by words last."""

import pytest

from model.kind import kind_of, kind_of_text
from model.mail import read_mail
from model.types import Kind

DAEMON = "From: Mail Delivery System <MAILER-DAEMON@mail.example.net>"
PERSON = "From: Office <office@example.net>"
NULL = "Return-Path: <>"
FAILED = "Your message could not be delivered. 550 5.1.1 User unknown"
PLAIN = "Hello, see you on Monday."


def kind(headers: str, text: str = "", *actions: str | None) -> Kind:
    mail = read_mail(f"{headers}\n\n{text}".encode())
    return kind_of(mail, text, actions).kind


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("failed", Kind.BOUNCE),
        ("Failed", Kind.BOUNCE),
        ("delayed", Kind.DELAY),
        ("deferred", Kind.DELAY),
        ("delivered", Kind.SUCCESS),
        ("relayed", Kind.SUCCESS),
        ("expanded", Kind.SUCCESS),
    ],
)
def test_the_action_of_the_delivery_status_decides(action: str, expected: Kind) -> None:
    assert expected == kind(f"{DAEMON}\nSubject: Delivery Status Notification (Failure)", FAILED, action)


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (("delayed", "failed"), Kind.BOUNCE),
        (("delivered", "delayed"), Kind.DELAY),
        (("expanded", "failed"), Kind.BOUNCE),
        ((None, "delayed"), Kind.DELAY),
    ],
)
def test_the_worst_of_several_actions_names_the_message(
    actions: tuple[str | None, ...], expected: Kind
) -> None:
    assert expected == kind(DAEMON, "", *actions)


@pytest.mark.parametrize(
    "headers",
    [
        f"{DAEMON}\nSubject: Undelivered Mail Returned to Sender",
        f"{NULL}\nFrom: MAILER-DAEMON@mail.example.net\nSubject: failure notice",
        f"{DAEMON}\nSubject: =?GBK?B?z7XNs83L0MU=?=",
        f"{DAEMON}\nSubject: Unzustellbar: Plan",
        f"{NULL}\n{PERSON}\nSubject: Undeliverable: plan",
        f"{PERSON}\nX-Failed-Recipients: info@example.net",
        f"{PERSON}\nX-MS-Exchange-Message-Is-Ndr:",
        "From: <>\nSubject: Delivery failure",
    ],
)
def test_a_report_is_told_by_two_of_its_marks_or_by_its_own_headers(headers: str) -> None:
    assert Kind.BOUNCE == kind(headers, FAILED)


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (f"{PERSON}\nSubject: Which address should I use?", f"I got this back: {FAILED}"),
        (f"{PERSON}\nSubject: Undeliverable mail: how we fixed it", PLAIN),
        (f"{PERSON}\nSubject: Fwd: your mail", PLAIN),
        (f"{DAEMON}\nSubject: Weekly statistics", PLAIN),
        (f"{NULL}\n{PERSON}\nSubject: minutes", PLAIN),
        (f"{PERSON}\nSubject: Spring news\nList-Id: <news.example.net>", "550 new tools, delivered to you"),
        ("", ""),
    ],
)
def test_one_mark_alone_makes_no_report(headers: str, text: str) -> None:
    assert Kind.NOT_NDR == kind(headers, text)


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (
            f"{DAEMON}\nSubject: Delayed Mail (still being retried)",
            "It will be retried until it is 5 day(s) old.",
        ),
        (f"{DAEMON}\nSubject: Warning: message 1pAbCd-0001Ef-2F delayed 24 hours", "not yet been delivered"),
        (f"{NULL}\n{DAEMON}\nSubject: Delivery Status Notification (Delay)", "We will keep trying."),
    ],
)
def test_a_warning_is_a_delay(headers: str, text: str) -> None:
    assert Kind.DELAY == kind(headers, text)


def test_a_delivery_notice_is_a_success() -> None:
    headers = f"{DAEMON}\nSubject: Successful Mail Delivery Report"

    assert Kind.SUCCESS == kind(headers, "Your message was successfully delivered.")


@pytest.mark.parametrize(
    "headers",
    [
        f"{PERSON}\nSubject: Out of office: plan",
        f"{PERSON}\nSubject: Automatic reply: plan",
        f"{PERSON}\nSubject: 自动回复: 安排",
        f"{PERSON}\nSubject: Abwesenheitsnotiz",
        f"{PERSON}\nSubject: Re: plan\nAuto-Submitted: auto-replied (vacation)",
        f"{PERSON}\nSubject: Re: plan\nAuto-Submitted:\n auto-replied",
        f"{PERSON}\nSubject: Re: plan\nX-Autoreply: yes",
        f"{PERSON}\nSubject: [#1] Your request has been received",
        f"{NULL}\n{PERSON}\nSubject: Out of office: plan",
    ],
)
def test_an_automatic_reply_that_quotes_a_code_is_no_bounce(headers: str) -> None:
    assert Kind.AUTO_REPLY == kind(headers, f"I am away. My colleague's mail bounced: {FAILED}")


@pytest.mark.parametrize(
    "headers",
    [
        f"{DAEMON}\nSubject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied",
        f"{NULL}\n{DAEMON}\nSubject: Mail delivery failed\nAuto-Submitted: auto-replied",
    ],
)
def test_a_report_that_calls_itself_an_automatic_reply_is_a_bounce(headers: str) -> None:
    assert Kind.BOUNCE == kind(headers, FAILED)


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ("Content-Type: multipart/report; report-type=feedback-report; boundary=b", ""),
        ('Content-Type: multipart/report; boundary=b; report-type="Feedback-Report"', ""),
        ("Content-Type: message/feedback-report", "Feedback-Type: abuse"),
        (f"{PERSON}\nSubject: abuse", "This is an email abuse report for a message"),
    ],
)
def test_a_feedback_report_is_a_complaint(headers: str, text: str) -> None:
    assert Kind.COMPLAINT == kind(headers, text)


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        ("manual-action/MDN-sent-manually; displayed", Kind.SUCCESS),
        ("automatic-action/MDN-sent-automatically; deleted", Kind.SUCCESS),
        ("automatic-action/MDN-sent-automatically; displayed/error", Kind.BOUNCE),
        ("automatic-action/MDN-sent-automatically; failed", Kind.BOUNCE),
    ],
)
def test_a_disposition_notification_is_a_receipt_or_a_failure(disposition: str, expected: Kind) -> None:
    headers = f"{PERSON}\nSubject: Read: plan\nContent-Type: message/disposition-notification"

    assert expected == kind(headers, f"Disposition: {disposition}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("to=<info@example.net>, dsn=5.1.1, status=bounced (no)", Kind.BOUNCE),
        ("to=<info@example.net>, dsn=4.4.1, status=deferred (no)", Kind.DELAY),
        ("to=<info@example.net>, dsn=2.0.0, status=sent (250 ok)", Kind.SUCCESS),
        ("Your message could not be delivered", Kind.BOUNCE),
        ("THIS IS A WARNING MESSAGE ONLY. It will be retried.", Kind.DELAY),
        ("hello", None),
        ("451 4.4.0 later", None),
        ("", None),
    ],
)
def test_a_bare_text_says_what_it_is_or_nothing(text: str, expected: Kind | None) -> None:
    finding = kind_of_text(text)

    assert expected == (finding.kind if finding else None)
