"""A row says what the diagnosis says, in one bounded line that every format can hold."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache

import pytest

from model.pipeline import Diagnoser, build_diagnoser
from model.types import Diagnosis, Form
from service.triage.nouns import Row
from service.triage.rows import MAX_CHARS, MAX_REPLY_CHARS, SCHEMA, failed, page, rows_of

REPLY = b"550 5.1.1 <user@Example.COM>: Recipient address rejected: User unknown in local recipient table"
TWO = b"""From: MAILER-DAEMON@mx.example.net
To: sender@example.org
Subject: Undelivered Mail Returned to Sender
Date: Mon, 2 Nov 2026 12:14:23 +0200
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

It failed.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; one@example.com
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

Final-Recipient: rfc822; two@example.com
Action: failed
Status: 5.2.2
Diagnostic-Code: smtp; 552 5.2.2 Mailbox full

--b
Content-Type: message/rfc822

From: sender@example.org
Message-ID: <1@example.org>
Subject: x

x
--b--
"""


@cache
def core() -> Diagnoser:
    return build_diagnoser(with_model=False)


def diagnosed(raw: bytes, form: Form = Form.AUTO) -> Diagnosis:
    return core().diagnose(raw, form=form)


def test_the_schema_is_the_fields_of_a_row_in_their_order() -> None:
    assert [column.name for column in SCHEMA] == [field.name for field in fields(Row)]


def test_each_recipient_of_a_report_is_a_row() -> None:
    rows = rows_of("a.mbox", "a.mbox#0", diagnosed(TWO))

    assert [(row.recipient_number, row.recipient, row.category, row.smtp) for row in rows] == [
        (0, "one@example.com", "recipient_unknown", 550),
        (1, "two@example.com", "mailbox_full", 552),
    ]
    assert {(row.sender, row.reported_at, row.reporting_mta, row.original_message_id) for row in rows} == {
        ("sender@example.org", "2026-11-02T10:14:23Z", "mx.example.net", rows[0].original_message_id)
    }


def test_a_reply_is_one_row_with_its_words_its_domain_and_the_rule_that_decided() -> None:
    (row,) = rows_of("a", "1", diagnosed(REPLY, Form.TEXT))

    assert (row.kind, row.permanence, row.enhanced, row.error) == ("bounce", "permanent", "5.1.1", None)
    assert row.recipient_domain in (None, "example.com")
    assert "User unknown" in (row.reply or "")
    assert "." in (row.evidence or "")


def test_an_item_without_recipients_is_one_row() -> None:
    (row,) = rows_of("a", "1", diagnosed(b"Subject: lunch\nFrom: user@example.com\n\nAt noon?\n"))

    assert (row.recipient_number, row.recipient, row.kind) == (0, None, "not_ndr")


def test_a_long_reply_is_cut_and_other_values_too() -> None:
    (row,) = rows_of("a", "i" * 5000, diagnosed(b"550 " + b"no such user " * 500, Form.TEXT))

    assert len(row.reply or "") == MAX_REPLY_CHARS
    assert len(row.item) == MAX_CHARS


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\r\nb", "a b"), ("a\x00b\ud800", "a b"), ("=1+1", "=1+1"), ("é 中", "é 中"), ("", "error")],
)
def test_what_no_format_can_hold_becomes_a_space(text: str, shown: str) -> None:
    assert failed("a", "1", text).error == shown


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (datetime(2026, 11, 2, 1, 0, tzinfo=timezone(timedelta(hours=2))), "2026-11-01T23:00:00Z"),
        (datetime(2026, 11, 2, 1, 0), "2026-11-02T01:00:00Z"),  # one without a zone
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))), None),
        (datetime(1, 1, 1, tzinfo=UTC), None),
        (None, None),
    ],
)
def test_times_are_in_utc_and_absurd_ones_are_left_out(moment: datetime | None, shown: str | None) -> None:
    diagnosis = diagnosed(REPLY, Form.TEXT)
    dated = replace(diagnosis, report=replace(diagnosis.report, reported_at=moment))

    assert rows_of("a", "1", dated)[0].reported_at == shown


def test_an_error_row_has_nothing_but_its_place_and_the_error() -> None:
    assert failed("a", "1", "it is empty") == Row("a", "1", 0, error="it is empty")


def test_the_page_names_every_column() -> None:
    text = "\n".join(page())

    assert [column.name for column in SCHEMA if f"| `{column.name}` |" not in text] == []
