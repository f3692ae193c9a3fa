"""A mail becomes a report: who failed, in whose words, and what came back."""

import pytest

from model.mail import read_mail
from model.report import report_of
from model.types import Kind, Report

HEAD = "From: MAILER-DAEMON@mail.example.net\nTo: news@example.org\nSubject: Undelivered Mail\n"
ORIGINAL = "From: News <news@example.org>\nTo: info@example.net\nMessage-ID: <1@example.org>\n\nHello"
STATUS = "Final-Recipient: rfc822; info@example.net\nAction: failed\nStatus: 5.1.1\n"


def report(*parts: tuple[str, str], head: str = HEAD) -> Report:
    pieces = "".join(f"--b\nContent-Type: {kind}\n\n{text}\n" for kind, text in parts)
    return report_of(
        read_mail(f'{head}Content-Type: multipart/report; boundary="b"\n\n{pieces}--b--\n'.encode())
    )


def plain(text: str, head: str = HEAD) -> Report:
    return report_of(read_mail(f"{head}\n{text}".encode()))


def failed(found: Report) -> list[str | None]:
    return [failure.address for failure in found.failures]


def test_the_original_is_seen_when_it_is_attached_or_quoted() -> None:
    attached = report(("text/plain", "no"), ("message/delivery-status", STATUS), ("message/rfc822", ORIGINAL))
    quoted = plain(
        f"<info@example.net>:\n550 no\n\n--- Below this line is a copy of the message.\n\n{ORIGINAL}"
    )
    without = report(("text/plain", "no"), ("message/delivery-status", STATUS))

    assert [True, True, False] == [found.original_seen for found in (attached, quoted, without)]
    assert ["<1@example.org>", "<1@example.org>", None] == [
        found.original_message_id for found in (attached, quoted, without)
    ]


@pytest.mark.parametrize(
    ("parts", "addresses"),
    [
        ([("message/delivery-status", STATUS)], ["info@example.net"]),
        (
            [("text/plain", "<other@example.net>: no"), ("message/delivery-status", STATUS)],
            ["info@example.net"],
        ),
        (
            [("text/plain", "<info@example.net>: 550 no"), ("message/delivery-status", "")],
            ["info@example.net"],
        ),
        ([("text/plain", "It failed."), ("message/rfc822", ORIGINAL)], ["info@example.net"]),
        (
            [
                ("text/plain", "<info@example.net>: no"),
                ("message/delivery-status", STATUS.replace("info@example.net", "info")),
            ],
            ["info@example.net"],
        ),
    ],
    ids=["status", "status before notice", "notice", "returned message", "local part completed"],
)
def test_recipients_come_from_the_surest_place(parts: list[tuple[str, str]], addresses: list[str]) -> None:
    assert addresses == failed(report(*parts))


def test_the_header_names_the_recipients_of_a_plain_notice() -> None:
    found = plain("It failed.", HEAD + "X-Failed-Recipients: one@example.net,\n two@example.net\n")

    assert ["one@example.net", "two@example.net"] == failed(found)


def test_the_notices_words_about_a_recipient_stand_beside_its_diagnostic() -> None:
    notice = "<info@example.net>: host mx.example.net[192.0.2.7] said: 550 no (in reply to RCPT TO command)"
    status = STATUS + "Diagnostic-Code: smtp; 550 no\n"
    (failure,) = report(("text/plain", notice), ("message/delivery-status", status)).failures

    assert ("smtp; 550 no", notice) == (failure.diagnostic, failure.reason)


def test_status_fields_in_a_text_without_mime_structure_are_read() -> None:
    found = plain(f"It failed.\n\nReporting-MTA: dns; mail.example.net\n\n{STATUS}")

    assert (["info@example.net"], "mail.example.net") == (failed(found), found.reporting_mta)


def test_a_report_that_somebody_forwarded_is_read_with_a_warning() -> None:
    inner = f"{HEAD}Content-Type: message/delivery-status\n\n{STATUS}"
    found = report(
        ("text/plain", "please have a look"),
        ("message/rfc822", inner),
        head="From: Office <office@example.net>\nTo: help@example.net\nSubject: Fwd: came back\n",
    )

    assert (Kind.BOUNCE, ["info@example.net"]) == (found.kind, failed(found))
    assert ("the report was inside another message",) == found.warnings


@pytest.mark.parametrize(
    ("subject", "text"),
    [("Lunch?", "Shall we?"), ("Out of office: hello", "550 5.1.1 <info@example.net>: no such user")],
)
def test_what_is_no_report_names_nobody(subject: str, text: str) -> None:
    assert [] == failed(plain(text, f"From: Office <office@example.net>\nSubject: {subject}\n"))
