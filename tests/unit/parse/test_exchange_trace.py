"""Message traces of Exchange Online: lists, steps, the extended report and the summary."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings

from model.events import Event, What
from model.parse import exchange_trace as trace
from tests.unit.parse.mutated import mutated

LOGS = Path(__file__).parents[2] / "samples" / "logs"
NAMES = ("exchange_trace", "exchange_trace-list", "exchange_trace-report", "exchange_trace-summary")
SAMPLES = {name: (LOGS / f"{name}.log").read_text(encoding="utf-8").splitlines() for name in NAMES}
SHOWN, LISTED, REPORT, SUMMARY = SAMPLES.values()
FOREIGN = (
    "",
    "Subject: Detail\n\nMessageTraceId and SenderAddress, Status, Received\n",
    "Status: Failed\nDetail: 550 5.1.1 no\n",
    "Received,Status\na,b\n",
    "#Fields: date-time,sender-address,recipient-address,event-id\n",
    "event,email,timestamp,Detail\nbounce,a@example.com,1,x\n",
)


def events(lines: Iterable[str]) -> list[Event]:
    return [event for event in trace.read(lines) if event is not None]


def brief(event: Event) -> tuple[int, str, tuple[str, ...], str]:
    return event.line, event.what.value, event.recipients, event.reply


@pytest.mark.parametrize("name", NAMES)
def test_claims_each_form(name: str) -> None:
    assert trace.claims("\n".join(["x", *SAMPLES[name]]))


def test_claims_steps_alone() -> None:
    assert trace.claims("\n".join(SHOWN[32:]))
    assert trace.claims('"Date","Event","Action","Detail"\n"a","b","c","d"\n')


@pytest.mark.parametrize("head", FOREIGN)
def test_claims_nothing_else(head: str) -> None:
    assert not trace.claims(head)


def test_steps_are_read_and_joined_with_what_the_list_told() -> None:
    assert [brief(event) for event in events(SHOWN)] == [
        (15, "failed", ("gone@example.net",), ""),
        (28, "deferred", ("user@example.org",), ""),
        (38, "received", ("gone@example.net",), ""),
        (
            48,
            "failed",
            ("gone@example.net",),
            "550 5.1.1 <gone@example.net>: Recipient address rejected: User unknown in local recipient table",
        ),
        (57, "noted", ("user@example.org",), ""),
        (
            65,
            "deferred",
            ("user@example.org",),
            "450 4.4.316 Connection refused [Message=Socket error code 10061] "
            "[LastAttemptedServerName=mx.example.org] [LastAttemptedIP=198.51.100.30:25] "
            "[SmtpSecurity=-2;-2]",
        ),
    ]


def test_a_refused_step_names_the_server_that_refused() -> None:
    (failed, deferred) = (event for event in events(SHOWN) if event.reply)
    assert (failed.peer, failed.peer_ip) == ("mx.example.net", "198.51.100.25")
    assert (deferred.peer, deferred.peer_ip) == ("mx.example.org", "198.51.100.30")
    assert failed.at == datetime(2026, 11, 2, 10, 14, 9, tzinfo=UTC)
    assert failed.sender == "accounts@example.com"
    assert failed.message_id == "<e1@example.com>"
    assert failed.network_message_id == "4451a062-48cb-4c0d-e8c0-196330437ae6"


def test_a_received_step_names_its_server() -> None:
    received = next(event for event in events(SHOWN) if event.what is What.RECEIVED)
    assert received.host == "am0pr00mb0001.eurprd00.prod.outlook.com"
    assert received.detail["tls"] == "TLS1.3"


def test_each_status_says_what_happened() -> None:
    assert [(event.line, event.what, event.detail.get("category", "")) for event in events(LISTED)] == [
        (2, What.DELIVERED, ""),
        (3, What.QUARANTINED, ""),
        (4, What.FAILED, "content_rejected"),
        (5, What.EXPANDED, ""),
    ]


def test_the_extended_report_is_read_like_a_tracking_log() -> None:
    assert [brief(event) for event in events(REPORT)] == [
        (2, "received", ("sales@example.com",), ""),
        (3, "noted", ("sales@example.com",), ""),
        (
            4,
            "failed",
            ("sales@example.com",),
            "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy",
        ),
        (5, "sent", ("user@example.net",), ""),
    ]
    assert events(REPORT)[1].detail["scl"] == "6"


def test_the_summary_tells_each_recipients_fate() -> None:
    assert [brief(event)[:3] for event in events(SUMMARY)] == [
        (2, "delivered", ("sales@example.com",)),
        (2, "failed", ("gone@example.com",)),
        (3, "sent", ("user@example.net",)),
    ]


@pytest.mark.parametrize("row", ['"GettingStatus"', '"None"', '""'])
def test_an_unknown_status_is_passed_over(row: str) -> None:
    lines = [
        "Received,SenderAddress,RecipientAddress,Status",
        f"2026-11-02 10:14:07,a@x.example,b@x.example,{row}",
    ]
    assert list(trace.read(lines)) == [None, None]


def test_a_trace_of_one_message_after_another_is_read() -> None:
    lines = [
        *LISTED[:2],
        "MessageTraceId,Date,Event,Detail",
        "11111111-48cb-4c0d-e8c0-196330437ae6,,Deliver,ok",
    ]
    assert [(event.what, event.recipients) for event in events(lines)][1:] == [
        (What.DELIVERED, ("sales@example.com",)),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_line_yields_something(name: str) -> None:
    assert len(list(trace.read(SAMPLES[name]))) >= len(SAMPLES[name])


@given(mutated([line for lines in SAMPLES.values() for line in lines]))
@settings(max_examples=200, deadline=None)
def test_damaged_traces_never_raise(lines: list[str]) -> None:
    assert len(list(trace.read(lines))) >= len(lines)
    trace.claims("\n".join(lines))
