"""Mimecast: receipt, processing and delivery in both editions and as pairs, joined by aCode."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.mimecast import FORMAT
from model.resources import data_file, read_toml
from model.taxonomy import taxonomy
from tests.unit.parse.mutated import mutated

SAMPLES = Path(__file__).parents[2] / "samples" / "logs"
FIRST = (SAMPLES / "mimecast.log").read_text("utf-8").splitlines()
SECOND = (SAMPLES / "mimecast_second.log").read_text("utf-8").splitlines()
PAIRS = (SAMPLES / "mimecast_pairs.log").read_text("utf-8").splitlines()
DATA = read_toml(data_file("logs", "mimecast.toml"))
AT = datetime(2026, 11, 2, 10, 13, 50, tzinfo=UTC)
BASE = {"acc": "C0A0", "aCode": "7O7I7MvGP1mj8plHRDuHEA", "datetime": "2026-11-02T11:13:50+0100"}
RECEIPT = BASE | {
    "Act": "Acc",
    "IP": "198.51.100.7",
    "Dir": "Inbound",
    "MsgId": "<offer@mail.example.net>",
    "Sender": "Sales@example.net",
    "Rcpt": "Office@example.com",
    "Subject": "secret",
}


def told(*records: dict[str, Any]) -> list[Event]:
    return [event for event in FORMAT.read(json.dumps(record) for record in records) if event]


def only(*records: dict[str, Any]) -> Event:
    (event,) = told(*records)
    return event


def test_it_is_a_log_of_a_gateway() -> None:
    assert ("mimecast", Role.GATEWAY) == FORMAT[:2]


@pytest.mark.parametrize(
    ("sample", "counts"),
    [
        (FIRST, Counter(received=3, noted=2, sent=1, failed=1, deferred=1, rejected=1, held=1)),
        (SECOND, Counter(received=1, held=1, rejected=1, sent=1)),
        (PAIRS, Counter(received=2, noted=1, sent=1, held=1, rejected=1, deferred=1)),
    ],
    ids=["first", "second", "pairs"],
)
def test_the_samples_are_claimed_and_read(sample: list[str], counts: Counter[str]) -> None:
    assert FORMAT.claims("\n".join(sample))
    assert counts == Counter(str(event.what) for event in FORMAT.read(sample) if event)


def test_a_receipt() -> None:
    assert only(RECEIPT | {"TlsVer": "TLSv1.2", "SpamScore": 3}) == Event(
        What.RECEIVED,
        1,
        at=AT,
        peer_ip="198.51.100.7",
        message_id="<offer@mail.example.net>",
        queue_id="7O7I7MvGP1mj8plHRDuHEA",
        sender="Sales@example.net",
        recipients=("office@example.com",),
        detail={"stage": "receipt", "action": "Acc", "direction": "Inbound", "tls": "TLSv1.2", "score": "3"},
    )


def test_processing_carries_what_the_receipts_told() -> None:
    more = RECEIPT | {"Rcpt": "orders@example.com"}
    events = told(RECEIPT, more, BASE | {"Act": "Hld", "Hld": "Spm", "MsgSize": 9})[2:]

    assert [
        (What.HELD, "Sales@example.net", ("office@example.com",), "content_rejected"),
        (What.HELD, "Sales@example.net", ("orders@example.com",), "content_rejected"),
    ] == [(event.what, event.sender, event.recipients, event.detail["category"]) for event in events]


def test_messages_that_are_interleaved_do_not_mix() -> None:
    other = RECEIPT | {
        "aCode": "other",
        "Sender": "<>",
        "Rcpt": ["second@example.com"],
        "MsgId": "2@example.org",
    }
    events = told(
        RECEIPT, other, BASE | {"Act": "Bnc"}, BASE | {"Act": "Acc", "aCode": "other", "MsgSize": 9}
    )[2:]

    assert [
        (What.FAILED, "Sales@example.net", "<offer@mail.example.net>"),
        (What.NOTED, "", "<2@example.org>"),
    ] == [(event.what, event.sender, event.message_id) for event in events]


@pytest.mark.parametrize(
    ("fields", "what", "reply", "category"),
    [
        ({"Delivered": True, "ReceiptAck": "250 2.6.0 Queued"}, What.SENT, "250 2.6.0 Queued", None),
        (
            {
                "Delivered": False,
                "RejType": "Address is possibly incorrect",
                "RejCode": "550",
                "RejInfo": "5.4.1 No",
            },
            What.FAILED,
            "550 5.4.1 No",
            None,
        ),
        (
            {"Delivered": False, "RejCode": 451, "RejInfo": "4.7.1 Later", "ReceiptAck": None},
            What.DEFERRED,
            "451 4.7.1 Later",
            None,
        ),
        (
            {"Delivered": "false", "Err": "Connection refused", "RejType": "Recipient server busy"},
            What.DEFERRED,
            "Connection refused",
            None,
        ),
        (
            {"Act": "Rej", "RejType": "Invalid Recipient Address", "RejCode": "550", "RejInfo": "Invalid"},
            What.REJECTED,
            "550 Invalid",
            "recipient_unknown",
        ),
        (
            {"Act": "Rej", "RejType": "IP Found in RBL", "RejInfo": "N/A"},
            What.REJECTED,
            "IP Found in RBL",
            "reputation_blocked",
        ),
        ({"Act": "Sdbx"}, What.NOTED, "", None),
        ({"Virus": "Phishing"}, What.NOTED, "", None),
    ],
)
def test_outcomes(fields: dict[str, Any], what: What, reply: str, category: str | None) -> None:
    event = only(BASE | {"Rcpt": "office@example.com"} | fields)

    assert (what, reply, category) == (event.what, event.reply, event.detail.get("category"))


def test_the_second_edition_reads_as_the_first() -> None:
    names = ("what", "peer_ip", "message_id", "sender", "recipients")
    first, second = (next(event for event in FORMAT.read(sample) if event) for sample in (FIRST, SECOND))

    assert [getattr(first, name) for name in names] == [getattr(second, name) for name in names]
    assert second.at == AT.replace(microsecond=291_000)


def test_pairs_read_as_json() -> None:
    fields = {"datetime": RECEIPT["datetime"], **RECEIPT}
    line = "|".join(f"{key}={value}" for key, value in fields.items())

    assert [only(RECEIPT)] == list(FORMAT.read([line]))


def test_a_bar_in_a_subject_overrides_nothing_before_it() -> None:
    line = "datetime=2026-11-02T11:13:50Z|aCode=7|acc=C0A0|Act=Acc|IP=192.0.2.1|Subject=x|Act=Rej|Rcpt=a"
    (event,) = FORMAT.read([line])

    assert event is not None
    assert What.RECEIVED is event.what


def test_an_answer_of_the_interface_holds_many_records() -> None:
    answer = {"type": "MTA", "data": [RECEIPT, RECEIPT | {"aCode": "other"}, None, 5]}

    assert ["7O7I7MvGP1mj8plHRDuHEA", "other"] == [event.queue_id for event in told(answer)]


def test_a_subject_is_never_kept() -> None:
    assert "secret" not in str(told(RECEIPT))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        '{"auditType": "Logon Authentication Failed", "category": "authentication_logs", "user": "a"}',
        json.dumps(BASE | {"RcptActType": "Jnl", "Rcpt": "archive@example.com"}),
        json.dumps(BASE | {"action": "Block", "url": "https://example.com"}),
        json.dumps(BASE | {"Act": "Other"}),
        json.dumps({"data": "x"}),
        "datetime=2026-11-02T11:13:50+0100|acc=C0A0|MsgId=<1@example.com>",
    ],
)
def test_other_lines_are_passed_over(line: str) -> None:
    assert [None] == list(FORMAT.read([line]))


@pytest.mark.parametrize("sample", [FIRST, SECOND, PAIRS], ids=["first", "second", "pairs"])
@pytest.mark.parametrize("start", range(0, 300, 37))
def test_a_head_that_begins_in_the_middle_of_a_line_is_claimed(sample: list[str], start: int) -> None:
    assert FORMAT.claims("\n".join(sample)[start:])


@pytest.mark.parametrize(
    "head",
    [
        "",
        "550 Administrative prohibition - envelope blocked",
        "From: postmaster@example.com\nSubject: log\n\n" + "\n".join(FIRST),
        "datetime,acc,aCode\n2026-11-02,C0A0,7",
        '{"eventType":"Bounce","mail":{"messageId":"1"}}',
        "datetime=2026-11-02T11:13:50+0100|level=info|message=started",
        *(
            (SAMPLES / f"{name}.log").read_text("utf-8")
            for name in ("barracuda", "cisco_esa", "amavis", "proofpoint", "rspamd")
        ),
    ],
)
def test_other_texts_are_not_claimed(head: str) -> None:
    assert not FORMAT.claims(head)


def test_every_category_is_one_of_the_taxonomy() -> None:
    assert {entry["category"] for kind in ("rejection", "hold") for entry in DATA[kind]} <= set(
        taxonomy().names
    )


@given(mutated(FIRST + SECOND + PAIRS))
@settings(max_examples=200, deadline=None)
def test_damaged_lines_never_raise(lines: list[str]) -> None:
    assert len(lines) <= len(list(FORMAT.read(lines)))
