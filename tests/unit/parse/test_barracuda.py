"""Barracuda: RECV, SCAN and SEND lines by the right tables, joined by message id, in UTC, no subjects."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.barracuda import FORMAT
from model.resources import data_file, read_toml
from model.taxonomy import taxonomy
from tests.unit.parse.mutated import mutated

SAMPLES = Path(__file__).parents[2] / "samples" / "logs"
SAMPLE = (SAMPLES / "barracuda.log").read_text("utf-8").splitlines()
DATA = read_toml(data_file("logs", "barracuda.toml"))
FROM = "mail.example.net[198.51.100.7]"
TIMES = "1793614458 1793614460"
ID = "1793614458-0f8286471280001-6AQV5q"
AT = datetime(2026, 11, 2, 10, 14, 20, tzinfo=UTC)


def recv(rest: str, message_id: str = ID) -> str:
    return f"Nov  2 18:14:20 gw1 inbound/pass1[25]: {FROM} {message_id} {TIMES} RECV {rest}"


def scan(rest: str, message_id: str = ID) -> str:
    return f"Nov  2 18:14:20 gw1 scan[9]: {FROM} {message_id} {TIMES} SCAN {rest}"


def send(rest: str, message_id: str = ID) -> str:
    return f"Nov  2 18:14:21 gw1 outbound/smtp[13]: 127.0.0.1 {message_id} 0 0 SEND {rest}"


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def test_it_is_a_log_of_a_gateway() -> None:
    assert ("barracuda", Role.GATEWAY) == FORMAT[:2]


def test_the_sample_is_claimed_and_every_line_of_mail_is_an_event() -> None:
    events = list(FORMAT.read(SAMPLE))

    assert FORMAT.claims("\n".join(SAMPLE))
    assert Counter(received=4, rejected=5, failed=3, deferred=2, sent=1, quarantined=1, fault=1) == Counter(
        str(event.what) for event in events if event
    )
    assert [None, None] == events[-2:]


def test_a_refused_recipient_carries_who_what_and_why() -> None:
    assert only(recv("sales@example.net Nobody@Example.com 2 8 No such user (nobody@example.com)")) == Event(
        What.REJECTED,
        1,
        at=AT,
        host="gw1",
        peer="mail.example.net",
        peer_ip="198.51.100.7",
        queue_id=ID,
        sender="sales@example.net",
        recipients=("nobody@example.com",),
        reply="No such user (nobody@example.com)",
        detail={
            "service": "recv",
            "action": "blocked",
            "reason": "no such user",
            "reason_code": "8",
            "category": "recipient_unknown",
        },
    )


def test_a_delivery_carries_what_the_scan_told() -> None:
    _, sent = told(
        scan("- sales@example.net office@example.com 0.62 0 0 - SZ:18402 SUBJ:Offer"),
        send(
            "- 1 8B2052296C 250 2.6.0 <offer@mail.example.net> [InternalId=15]"
            " Queued mail for delivery #to#ex1.example.com[192.0.2.25]:25"
        ),
    )

    assert sent == Event(
        What.SENT,
        2,
        at=AT.replace(second=21),
        host="gw1",
        peer="ex1.example.com",
        peer_ip="192.0.2.25",
        message_id="<offer@mail.example.net>",
        queue_id=ID,
        sender="sales@example.net",
        recipients=("office@example.com",),
        reply="250 2.6.0 <offer@mail.example.net> [InternalId=15] Queued mail for delivery",
        detail={
            "service": "send",
            "action": "delivered",
            "outbound_queue_id": "8B2052296C",
            "client_ip": "198.51.100.7",
        },
    )


def test_messages_that_are_interleaved_do_not_mix() -> None:
    other = "1793614459-0f8286471290001-tt5Gh8"
    events = told(
        scan("- a@example.net first@example.com 0 0 0 - SZ:1 SUBJ:x"),
        scan("- b@example.net second@example.com 0 0 0 - SZ:1 SUBJ:y", other),
        send("- 1 8B2052296C 250 ok"),
        send("- 3 8B2052296D 451 later", other),
    )

    assert [("a@example.net", ("first@example.com",)), ("b@example.net", ("second@example.com",))] == [
        (event.sender, event.recipients) for event in events[2:]
    ]


@pytest.mark.parametrize(
    ("action", "what"),
    [
        (0, What.RECEIVED),
        (1, What.FAULT),
        (2, What.REJECTED),
        (3, What.QUARANTINED),
        (4, What.RECEIVED),
        (5, What.DEFERRED),
        (6, What.QUARANTINED),
        (7, What.RECEIVED),
        (8, What.RECEIVED),
        (9, What.RECEIVED),
        (10, What.RECEIVED),
    ],
)
def test_the_actions_of_recv_and_scan(action: int, what: What) -> None:
    lines = (
        recv(f"a@example.net b@example.com {action} 31 -"),
        scan(f"- a@example.net b@example.com 9 {action} 31 - SZ:1"),
    )

    assert [what, what] == [only(line).what for line in lines]


@pytest.mark.parametrize(
    ("action", "what"), [(1, What.SENT), (2, What.FAILED), (3, What.DEFERRED), (4, What.FAILED)]
)
def test_the_actions_of_send_are_another_table(action: int, what: What) -> None:
    assert what == only(send(f"- {action} 8B2052296C words")).what


@pytest.mark.parametrize(
    ("reason", "category"),
    [
        (1, "malware_detected"),
        (30, "message_malformed"),  # "score" in the table that is shifted by one
        (31, "content_rejected"),  # "header filter" there
        (39, "content_rejected"),  # "SPF" there
        (40, "sender_auth_failed"),
        (45, "message_too_large"),
        (46, "rate_limited"),
        (49, "system_error"),
        (50, "routing_loop"),
        (59, "tls_failure"),
        (83, "client_auth_required"),
        (38, None),
        (26, None),
    ],
)
def test_reasons_count_by_the_table_with_the_gaps_of_the_vendor(reason: int, category: str | None) -> None:
    assert category == only(recv(f"a@example.net b@example.com 2 {reason} -")).detail.get("category")


def test_a_message_that_was_let_through_has_a_reason_but_no_category() -> None:
    detail = only(scan("- a@example.net b@example.com 3.70 4 31 - SZ:9032 SUBJ:[BULK]")).detail

    assert ("tagged", "spam score", None) == (detail["action"], detail["reason"], detail.get("category"))


@pytest.mark.parametrize(
    ("response", "reply", "peer", "peer_ip"),
    [
        (
            "host mx.example.org[192.0.2.53] said: 550 5.1.1 No such user (in reply to RCPT TO command)",
            "550 5.1.1 No such user (in reply to RCPT TO command)",
            "mx.example.org",
            "192.0.2.53",
        ),
        (
            "host mx.example.org[192.0.2.53]:25 refused to talk to me: 554 Blocked",
            "554 Blocked",
            "mx.example.org",
            "192.0.2.53",
        ),
        (
            "connect to mx.example.org[2001:db8::5]: Connection timed out",
            "connect to mx.example.org[2001:db8::5]: Connection timed out",
            "mx.example.org",
            "2001:db8::5",
        ),
        (
            "conversation with mx.example.org[192.0.2.53] timed out #to#mx.example.org[192.0.2.53]:25",
            "conversation with mx.example.org[192.0.2.53] timed out",
            "mx.example.org",
            "192.0.2.53",
        ),
        ("550 5.7.1 no #to#mx.example.org[192.0.2.53]:25", "550 5.7.1 no", "mx.example.org", "192.0.2.53"),
        ("451 later #to#example.org", "451 later", "example.org", None),
        ("550 5.7.1 no", "550 5.7.1 no", None, None),
        ("", "", None, None),
    ],
)
def test_the_response_is_split_into_words_and_server(
    response: str, reply: str, peer: str | None, peer_ip: str | None
) -> None:
    event = only(send(f"- 2 8B2052296C {response}"))

    assert (reply, peer, peer_ip) == (event.reply, event.peer, event.peer_ip)


@pytest.mark.parametrize(
    "rest",
    [
        "- a@example.net b@example.com - 2 70 example.org SZ:3117 SUBJ:confidential offer",
        "- a@example.net b@example.com - 2 70 example.org SZ:3117 Subj: confidential offer",
        "- a@example.net b@example.com - 2 70 example.org SUBJ:confidential offer",
        "- a@example.net b@example.com - 2 70 example.org confidential offer",
        "ENC a@example.net b@example.com - 2 70 - SZ:3117 SUBJ:confidential 250 ok",
    ],
)
def test_a_subject_is_never_kept(rest: str) -> None:
    assert "confidential" not in str(only(scan(rest)))


@pytest.mark.parametrize(
    ("field", "sender"), [("-", None), ("<>", ""), ("Sales@Example.net", "Sales@Example.net")]
)
def test_an_unknown_sender_is_not_the_null_sender(field: str, sender: str | None) -> None:
    assert sender == only(recv(f"{field} b@example.com 2 8 -")).sender


@pytest.mark.parametrize(
    ("prefix", "at", "host"),
    [
        ("Nov  2 18:14:20 gw1 ", AT, "gw1"),
        ("<23>Nov  2 18:14:20 gw1.example.com ", AT, "gw1.example.com"),
        ("Nov  2 18:14:20 2026 gw1.example.com ", AT, "gw1.example.com"),
        ("<23>2026-11-02T18:14:20+08:00 gw1 ", AT, "gw1"),
        ("<23>", AT, None),
        ("", AT, None),
    ],
)
def test_a_line_counts_with_any_prefix_and_by_its_own_clock(
    prefix: str, at: datetime, host: str | None
) -> None:
    event = only(prefix + recv("a@example.net b@example.com 2 8 -").removeprefix("Nov  2 18:14:20 gw1 "))

    assert (at, host) == (event.at, event.host)


@pytest.mark.parametrize(
    ("before", "at"),
    [
        ([], AT.replace(hour=18, second=21)),  # the year by the message id, the zone unknown
        ([recv("a@example.net b@example.com 0 0 -")], AT.replace(second=21)),
        ([scan("- a@example.net b@example.com 0 0 0 - SZ:1 SUBJ:x")], AT.replace(second=21)),
    ],
)
def test_the_time_of_a_delivery_is_local_and_the_other_lines_tell_the_zone(
    before: list[str], at: datetime
) -> None:
    assert at == told(*before, send("- 1 8B2052296C 250 ok"))[-1].at


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Nov  7 18:25:00 gw1 web: [192.0.2.10] global CHANGE scana_quarantine_host (gw1.example.com)",
        "Nov  7 18:25:02 gw1 reports: REPORTS (summary.exe) queued as 41",
        recv("a@example.net b@example.com 2"),
        recv("a@example.net b@example.com 77 8 -"),
        scan("- a@example.net b@example.com"),
        send("- 9 8B2052296C words"),
        send("-"),
        "Nov  2 10:14:07 mx1 postfix/smtp[421]: 4Qx: to=<user@example.com>, relay=none, status=deferred (x)",
    ],
)
def test_other_lines_are_passed_over(line: str) -> None:
    assert [None] == list(FORMAT.read([line]))


@pytest.mark.parametrize("start", range(0, 200, 7))
def test_a_head_that_begins_in_the_middle_of_a_line_is_claimed(start: int) -> None:
    assert FORMAT.claims("\n".join(SAMPLE)[start:])


@pytest.mark.parametrize(
    "head",
    [
        "",
        "550 5.1.1 <user@example.com>: No such user",
        "From: postmaster@example.com\nSubject: log\n\n" + "\n".join(SAMPLE),
        "Date,Recipient,Action\n2026-11-02,user@example.com,RECV",
        "Nov  2 10:14:07 mx1 postfix/smtpd[421]: connect from unknown[192.0.2.1]",
        *(
            (SAMPLES / f"{name}.log").read_text("utf-8")
            for name in ("cisco_esa", "proofpoint", "mimecast", "rspamd", "amavis")
        ),
    ],
)
def test_other_texts_are_not_claimed(head: str) -> None:
    assert not FORMAT.claims(head)


def test_every_category_is_one_of_the_taxonomy() -> None:
    assert {entry.get("category", "unknown") for entry in DATA["reason"]} <= set(taxonomy().names)


@given(mutated(SAMPLE))
@settings(max_examples=200, deadline=None)
def test_damaged_lines_never_raise(lines: list[str]) -> None:
    assert len(lines) <= len(list(FORMAT.read(lines)))
