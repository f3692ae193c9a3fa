"""Message-tracking logs: rows of every version, exports, lists, and the fast path."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings

from model.events import Event, What
from model.parse import exchange_tracking as tracking
from tests.unit.parse.mutated import mutated

LOGS = Path(__file__).parents[2] / "samples" / "logs"
NAMES = ("exchange_tracking", "exchange_tracking-2010", "exchange_tracking-export", "exchange_tracking-list")
SAMPLES = {name: (LOGS / f"{name}.log").read_text(encoding="utf-8") for name in NAMES}
MAIN, LISTED = SAMPLES["exchange_tracking"].splitlines(), SAMPLES["exchange_tracking-list"].splitlines()
HEADER = MAIN[:5]
LINES = [line for text in SAMPLES.values() for line in text.splitlines()]
SEED = (
    '451 4.4.0 Primary target IP address responded with: "454 4.7.0 Temporary authentication failure." '
    "Attempted failover to alternate host, but that did not succeed. Either there are no alternate hosts, "
    "or delivery failed to all alternate hosts. The last endpoint attempted was 192.0.2.15:25"
)
FOREIGN = (
    "",
    "From: a@example.com\nTo: b@example.com\nSubject: Source and EventId\n\nTimestamp, EventId, Source\n",
    "550 5.1.1 User unknown",
    "Nov  2 10:14:07 mx1 postfix/smtp[421]: 4Qx: to=<user@example.com>, status=bounced (x)",
    "date,time,source,event\n2026-11-02,10:14,SMTP,FAIL\n",
    "Index     : 1\nEventID   : 1035\nSource    : MSExchangeTransport\nTimeGenerated : x\n",
    "#Fields: date-time,session,source,Destination,direction,description\n",
    "type,timeLogged,orig,rcpt\nb,2026-11-02 10:14:07+0000,a@example.com,b@example.com\n",
)


def events(lines: Iterable[str]) -> list[Event]:
    return [event for event in tracking.read(lines) if event is not None]


def at(line: int) -> list[Event]:
    """The events of one line of the sample."""
    return events([*HEADER, MAIN[line - 1]])


def brief(event: Event) -> tuple[str, tuple[str, ...], str]:
    return event.what.value, event.recipients, event.reply


@pytest.mark.parametrize("name", NAMES)
def test_claims_a_log_from_any_place_on(name: str) -> None:
    lines = SAMPLES[name].splitlines()
    assert tracking.claims(SAMPLES[name])
    assert tracking.claims("garbage, cut\n" + "\n".join(lines[1:]))


def test_claims_rows_without_their_header() -> None:
    assert tracking.claims("rest of a line,x\n" + "\n".join(MAIN[9:]))
    assert tracking.claims("Fields: " + HEADER[4].partition(": ")[2])


@pytest.mark.parametrize("head", FOREIGN)
def test_claims_nothing_else(head: str) -> None:
    assert not tracking.claims(head)


def test_a_deferral_tells_everything() -> None:
    (event,) = at(11)
    assert event == Event(
        what=What.DEFERRED,
        line=6,
        at=datetime(2026, 11, 2, 10, 14, 7, 480_000, tzinfo=UTC),
        host="ex01.example.com",
        peer="ex02.example.com",
        peer_ip="192.0.2.15",
        message_id="<4f1c9a7d2b@example.com>",
        network_message_id="11a0f3c2-5b7e-4d19-9c40-08de1a2b3c41",
        queue_id="25769803801",
        sender="accounts@example.com",
        recipients=("office@example.com",),
        reply=SEED,
        detail={
            "source": "SMTP",
            "event": "DEFER",
            "connector": "Intra-Organization SMTP Send Connector",
            "source_context": "08DE1A2B3C4D5E7A;2026-11-02T10:14:02.001Z;0",
            "directionality": "Originating",
            "total_bytes": "8564",
            "last_retry": "11/2/2026 10:14:07 AM",
        },
    )


@pytest.mark.parametrize(
    ("line", "what", "recipients"),
    [
        (7, What.RECEIVED, ("office@example.com", "sales@example.net")),
        (8, What.SENT, ("office@example.com", "sales@example.net")),
        (10, What.NOTED, ("office@example.com", "sales@example.net")),
        (12, What.SENT, ("sales@example.net",)),
        (13, What.RECEIVED, ("sales@example.com", "o'clock@example.com")),
        (14, What.DELIVERED, ("sales@example.com",)),
        (16, What.NOTIFIED, ("orders@partner.example",)),
        (17, What.EXPANDED, ("a-team@example.com", "b-team@example.com")),
        (22, What.HELD, ("board@example.com",)),
        (23, What.FAILED, ("board@example.com",)),
        (24, What.DISCARDED, ("office@example.com",)),
    ],
)
def test_each_event_id_says_what_happened(line: int, what: What, recipients: tuple[str, ...]) -> None:
    assert [(event.what, event.recipients) for event in at(line)] == [(what, recipients)]


@pytest.mark.parametrize("line", [6, 9, 27], ids=["NOTIFYMAPI", "HAREDIRECT", "HADISCARD"])
def test_other_event_ids_are_passed_over(line: int) -> None:
    assert list(tracking.read([*HEADER, MAIN[line - 1]])) == [None] * 6


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            15,
            [
                (
                    "failed",
                    ("o'clock@example.com",),
                    "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
                )
            ],
        ),
        (
            19,
            [
                (
                    "failed",
                    ("b-team@example.com",),
                    "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required",
                ),
                (
                    "failed",
                    ("c-team@example.com",),
                    "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient",
                ),
            ],
        ),
        (
            25,
            [
                (
                    "deferred",
                    ("office@example.com",),
                    "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded",
                )
            ],
        ),
    ],
)
def test_each_recipient_has_its_own_refusal(line: int, expected: list[tuple[object, ...]]) -> None:
    assert list(map(brief, at(line))) == expected


def test_a_failure_at_a_receive_connector_is_a_refusal_of_the_peer() -> None:
    (event,) = at(21)
    assert (event.what, event.peer_ip, event.queue_id) == (What.REJECTED, "203.0.113.77", None)
    assert event.reply == "550 5.7.1 Sender ID (PRA) Not Permitted"
    assert event.sender == "bounce@sender.example"


def test_a_notification_names_the_message_it_is_about() -> None:
    (event,) = at(16)
    assert event.detail["reference"] == "<c3d4@partner.example>"
    assert event.sender == ""


def test_a_moderators_no_is_a_category() -> None:
    assert at(23)[0].detail["category"] == "moderation_rejected"


def test_the_spam_verdict_is_read() -> None:
    assert at(10)[0].detail["sfv"] == "SKI"


def test_the_source_context_stands_in_for_a_missing_status() -> None:
    line = (
        "2026-11-02T10:14:07Z,,EX01,,,451 4.4.0 DNS query failed,Out,SMTP,DEFER,7,<a@b.example>,"
        "11a0f3c2-5b7e-4d19-9c40-08de1a2b3c41,u@x.example"
    )
    (event,) = events([*HEADER, line])
    assert brief(event) == ("deferred", ("u@x.example",), "451 4.4.0 DNS query failed")


def test_columns_follow_the_fields_line_in_any_order() -> None:
    lines = [
        "#Fields: event-id,recipient-address,message-id,new-column,date-time,source,recipient-status",
        "FAIL,user@example.net,<a@example.com>,?,2026-11-02T10:14:07.000Z,SMTP,550 5.1.1 no",
    ]
    (event,) = events(lines)
    assert (event.message_id, event.line, *brief(event)) == (
        "<a@example.com>",
        2,
        "failed",
        ("user@example.net",),
        "550 5.1.1 no",
    )


@pytest.mark.parametrize("name", ["exchange_tracking", "exchange_tracking-2010"])
def test_rows_without_their_header_read_the_same(name: str) -> None:
    lines = SAMPLES[name].splitlines()
    assert [brief(event) for event in events(lines[5:])] == [brief(event) for event in events(lines)]


def test_an_export_is_read_with_the_servers_clock() -> None:
    found = events(SAMPLES["exchange_tracking-export"].splitlines())
    assert [(event.line, *brief(event)) for event in found if event.reply] == [
        (5, "deferred", ("help@example.org",), "450 4.7.1 Greylisted, please try again later"),
        (7, "failed", ("gone@example.org",), "550 5.1.1 User unknown"),
        (7, "failed", ("full@example.org",), "552 5.2.2 Over quota"),
    ]
    assert found[2].at == datetime(2026, 11, 2, 13, 14, 7, tzinfo=UTC)
    assert {event.detail["clock"] for event in found} == {"local"}
    assert found[-1].recipients == ()


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_an_export_may_have_another_delimiter(delimiter: str) -> None:
    header, row = (
        "Timestamp,EventId,Source,Sender,Recipients",
        "02.11.2026 22:14:07,SEND,SMTP,a@x.example,b@x",
    )
    (event,) = events([line.replace(",", delimiter) for line in (header, row)])
    assert (event.at, event.what) == (datetime(2026, 11, 2, 22, 14, 7, tzinfo=UTC), What.SENT)


def test_a_printed_list_is_read() -> None:
    assert [(event.line, *brief(event)) for event in events(LISTED)][1:] == [
        (
            29,
            "failed",
            ("help@example.org",),
            "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy",
        ),
        (47, "failed", ("gone@example.org",), "550 5.1.1 User unknown"),
    ]


def test_a_printed_list_is_read_from_a_copy_with_blank_lines_between() -> None:
    spaced = [line for each in LISTED[2:] if each for line in (each, "")]
    assert [brief(event) for event in events(spaced)] == [brief(event) for event in events(LISTED)]


@pytest.mark.parametrize("name", NAMES)
def test_every_line_yields_something(name: str) -> None:
    lines = SAMPLES[name].splitlines()
    assert len(list(tracking.read(lines))) >= len(lines)


def test_unwanted_lines_are_not_read() -> None:
    found = list(tracking.read_wanted(MAIN, lambda line: ",FAIL," in line))
    assert [event.line for event in found if event] == [15, 19, 19, 20, 21, 26]
    assert len(found) == len(MAIN) + 1


def test_wanted_rows_may_go_on_in_the_next_line() -> None:
    lines = SAMPLES["exchange_tracking-export"].splitlines()
    found = [event for event in tracking.read_wanted(lines, lambda line: "<x2@example.com>" in line) if event]
    assert [event.line for event in found] == [7, 7, 8]


def test_a_row_cut_in_a_quoted_field_does_not_swallow_the_next() -> None:
    found = events([*HEADER, MAIN[6] + ',"cut', MAIN[13]])
    assert [(event.line, event.what) for event in found] == [(7, What.RECEIVED), (7, What.DELIVERED)]


@given(mutated(LINES))
@settings(max_examples=200, deadline=None)
def test_damaged_logs_never_raise(lines: list[str]) -> None:
    assert len(list(tracking.read(lines))) >= len(lines)
    tracking.claims("\n".join(lines))
