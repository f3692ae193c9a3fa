"""Sendmail: one event for each arrival, attempt, refusal and notice, with what its queue id is known for."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.sendmail import FORMAT
from tests.unit.parse.mutated import mutated

SAMPLE = (Path(__file__).parents[2] / "samples" / "logs" / "sendmail.log").read_text("utf-8").splitlines()
P = "Nov  2 10:14:07 mx1 sm-mta[9]: "
ID = "5A2AE5YF002031"
AT = datetime(1972, 11, 2, 10, 14, 7, tzinfo=UTC)
MX = "relay=mx.example.net. [198.51.100.20]"


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def part(event: Event, expected: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in expected}


def test_it_is_a_log_of_a_transport() -> None:
    assert ("sendmail", Role.TRANSPORT) == FORMAT[:2]


def test_an_attempt_carries_what_the_arrival_told() -> None:
    arrival, failure = told(
        f"{P}{ID}: from=<Office@example.com>, size=9, class=0, nrcpts=1, msgid=<1@example.com>, proto=ESMTP,"
        " daemon=MTA, relay=pc.example.com [192.0.2.10] (may be forged)",
        f"{P}{ID}: to=<Nobody@example.net>, delay=00:00:02, xdelay=00:00:01, mailer=esmtp, pri=1, {MX},"
        " dsn=5.1.1,"
        " stat=User unknown",
    )

    assert ("pc.example.com", "192.0.2.10", What.RECEIVED) == (arrival.peer, arrival.peer_ip, arrival.what)
    assert failure == Event(
        What.FAILED,
        2,
        at=AT,
        host="mx1",
        peer="mx.example.net",
        peer_ip="198.51.100.20",
        message_id="<1@example.com>",
        queue_id=ID,
        sender="Office@example.com",
        recipients=("nobody@example.net",),
        reply="5.1.1 User unknown",
        detail={
            "dsn": "5.1.1",
            "mailer": "esmtp",
            "delay": "00:00:02",
            "xdelay": "00:00:01",
            "relay": "mx.example.net. [198.51.100.20]",
        },
    )


@pytest.mark.parametrize(
    ("tail", "what", "reply", "facts"),
    [
        (
            f"mailer=esmtp, {MX}, dsn=2.0.0, stat=Sent (Ok: queued as 9D1C22A0F4)",
            What.SENT,
            "Ok: queued as 9D1C22A0F4",
            {"queued_as": "9D1C22A0F4"},
        ),
        (
            f"mailer=relay, {MX}, dsn=2.0.0, stat=Sent (5A2AFBab002051 Message accepted for delivery)",
            What.SENT,
            "5A2AFBab002051 Message accepted for delivery",
            {"queued_as": "5A2AFBab002051"},
        ),
        ("mailer=local, pri=1, dsn=2.0.0, stat=Sent", What.DELIVERED, "", {}),
        (
            f"mailer=esmtp, {MX}, dsn=4.2.0, stat=Deferred: 451 4.7.1 Later, friend",
            What.DEFERRED,
            "451 4.7.1 Later, friend",
            {"dsn": "4.2.0"},
        ),
        (
            f"mailer=esmtp, {MX}, dsn=4.0.0, stat=Deferred: Connection timed out with mx.example.net.",
            What.DEFERRED,
            "4.0.0 Connection timed out with mx.example.net.",
            {},
        ),
        (
            "mailer=esmtp, relay=x.example, dsn=4.4.3, stat=Host name lookup failure",
            What.DEFERRED,
            "4.4.3 Host name lookup failure",
            {},
        ),
        (
            f"mailer=esmtp, {MX}, dsn=5.1.1, reply=550 5.1.1 <a@example.net>, no such user, stat=User"
            " unknown",
            What.FAILED,
            "550 5.1.1 <a@example.net>, no such user",
            {"dsn": "5.1.1"},
        ),
        ("pri=1, stat=virus detected", What.REJECTED, "virus detected", {}),
        ("mailer=esmtp, stat=queued", What.NOTED, "queued", {}),
    ],
)
def test_an_attempt_has_an_outcome(tail: str, what: What, reply: str, facts: dict[str, str]) -> None:
    event = only(f"{P}{ID}: to=<a@example.net>, delay=00:00:02, {tail}")

    assert (what, reply) == (event.what, event.reply)
    assert facts.items() <= event.detail.items()


def test_each_recipient_of_an_attempt_is_an_event() -> None:
    events = told(
        f"{P}{ID}: to=<a@example.net>,<B@example.net>, mailer=esmtp, {MX}, dsn=2.0.0, stat=Sent (ok)"
    )

    assert [("a@example.net",), ("b@example.net",)] == [event.recipients for event in events]


def test_what_waited_when_a_message_was_given_up_failed_with_its_last_reason() -> None:
    deferred = f"mailer=esmtp, {MX}, dsn=4.2.0, stat=Deferred: 451"
    events = told(
        f"{P}{ID}: to=<a@example.net>,<b@example.net>, {deferred} first",
        f"{P}{ID}: to=<b@example.net>, mailer=esmtp, {MX}, dsn=2.0.0, stat=Sent (ok)",
        f"{P}{ID}: to=<a@example.net>, {deferred} second",
        f"{P}{ID}: 5A7AK0ab003101: sender notify: Warning: could not send message for past 4 hours",
        f"{P}{ID}: 5A7AK0ab003102: sender notify: Cannot send message for 5 days",
    )[4:]

    assert [
        (What.NOTIFIED, (), ""),
        (What.NOTIFIED, (), ""),
        (What.FAILED, ("a@example.net",), "451 second"),
    ] == [(event.what, event.recipients, event.reply) for event in events]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            f"{ID}: ruleset=check_rcpt, arg1=<A@example.net>, relay=[203.0.113.77], reject=550 5.7.1"
            " <A@example.net>... Relaying denied",
            {
                "what": What.REJECTED,
                "peer": None,
                "peer_ip": "203.0.113.77",
                "recipients": ("a@example.net",),
                "reply": "550 5.7.1 <A@example.net>... Relaying denied",
                "queue_id": ID,
                "detail": {"action": "reject", "command": "RCPT TO", "ruleset": "check_rcpt"},
            },
        ),
        (
            "ruleset=check_relay, arg1=x.example.org, arg2=203.0.113.78, relay=x.example.org [203.0.113.78],"
            " reject=421 4.3.2 Too many open connections.",
            {
                "what": What.REJECTED,
                "peer": "x.example.org",
                "queue_id": None,
                "reply": "421 4.3.2 Too many open connections.",
                "detail": {"action": "reject", "command": "CONNECT", "ruleset": "check_relay"},
            },
        ),
        (
            f"{ID}: Milter: data, reject=554 5.7.1 virus",
            {
                "what": What.REJECTED,
                "reply": "554 5.7.1 virus",
                "detail": {"action": "reject", "command": "DATA"},
            },
        ),
        (
            f"{ID}: Milter: to=<a@example.com>, reject=451 4.7.1 Later",
            {
                "what": What.REJECTED,
                "recipients": ("a@example.com",),
                "detail": {"action": "reject", "command": "RCPT TO"},
            },
        ),
        (
            f"{ID}: milter=spamd, quarantine=spam",
            {
                "what": What.QUARANTINED,
                "detail": {"action": "quarantined", "command": "DATA", "milter": "spamd"},
            },
        ),
        (
            f"{ID}: Milter: data, discard",
            {"what": What.DISCARDED, "detail": {"action": "discarded", "command": "DATA"}},
        ),
        (
            f"{ID}: <Gone@example.com>... User unknown",
            {"what": What.REJECTED, "recipients": ("gone@example.com",), "reply": "User unknown"},
        ),
        (
            "ruleset=tls_server, arg1=SOFTWARE, relay=old.example.org, reject=403 4.7.0 TLS handshake"
            " failed.",
            {"what": What.NOTED, "peer": "old.example.org", "reply": "403 4.7.0 TLS handshake failed."},
        ),
        (
            "AUTH failure (LOGIN): authentication failure (-13) SASL(-13): bad, relay=[203.0.113.79]",
            {
                "what": What.FAULT,
                "peer_ip": "203.0.113.79",
                "detail": {"kind": "auth", "command": "AUTH"},
            },
        ),
        (
            f"{ID}: lost input channel from x.example.org [203.0.113.5] to MTA after data",
            {"what": What.FAULT, "peer": "x.example.org", "peer_ip": "203.0.113.5"},
        ),
        (
            f"{ID}: 5A2AE9YF002034: DSN: User unknown",
            {
                "what": What.NOTIFIED,
                "queue_id": ID,
                "detail": {"notice": "DSN", "notice_id": "5A2AE9YF002034", "reason": "User unknown"},
            },
        ),
    ],
)
def test_a_line_tells_one_thing(line: str, expected: dict[str, Any]) -> None:
    assert expected == part(only(P + line), expected)


@pytest.mark.parametrize(
    "line",
    [
        f"{ID}: from=<a@spam.example>, size=0, class=0, nrcpts=0, proto=ESMTP, relay=[203.0.113.77]",
        "[203.0.113.80] did not issue MAIL/EXPN/VRFY/ETRN during connection to MTA",
        "STARTTLS=client, relay=mx.example.net., version=TLSv1.3, verify=OK, cipher=X",
        "starting daemon (8.17.1): SMTP+queueing@00:10:00",
        f"{ID}: Milter add: header: X-Virus-Status: clean",
        f"{ID}: to=<a@example.net>, delay=00:00:02",
    ],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert [None] == list(FORMAT.read([P + line]))


def test_an_attempt_knows_the_encryption_of_its_connection() -> None:
    event = only(
        f"{P}STARTTLS=client, relay=mx.example.net., version=TLSv1.3, verify=OK, cipher=X, bits=256/256",
        f"{P}{ID}: to=<a@example.net>, mailer=esmtp, {MX}, dsn=2.0.0, stat=Sent (ok)",
    )

    assert "TLSv1.3" == event.detail["tls"]


def test_the_same_queue_id_on_two_hosts_is_two_messages() -> None:
    arrival = f"{ID}: from=<a@example.com>, size=9, nrcpts=1, msgid=<1@example.com>, relay=localhost"
    event = told(f"{P}{arrival}", f"{P.replace('mx1', 'mx2')}{ID}: 5A2AE9YF002034: DSN: User unknown")[-1]

    assert ("mx2", None) == (event.host, event.message_id)


@pytest.mark.parametrize("head", ["\n".join(SAMPLE), "\n".join(SAMPLE)[40:], "torn\n" + SAMPLE[4], SAMPLE[5]])
def test_a_log_of_sendmail_is_claimed(head: str) -> None:
    assert FORMAT.claims(head)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "550 5.1.1 User unknown",
        "From: postmaster@example.com\nSubject: log\n\n" + "\n".join(SAMPLE[:9]),
        "Nov  2 10:14:07 mx1 postfix/smtp[4]: 4F2A3183E9: to=<a@example.net>, status=sent (250 OK)",
        "Nov  2 10:14:07 mx1 postfix/sendmail[4]: fatal: usage",
        "   ----- The following addresses had permanent fatal errors -----\n<a@example.net>",
    ],
)
def test_other_texts_are_not_claimed(head: str) -> None:
    assert not FORMAT.claims(head)


@given(mutated(SAMPLE))
@settings(max_examples=200, deadline=None)
def test_damaged_lines_never_raise_and_none_is_lost(lines: list[str]) -> None:
    assert len(lines) <= len(list(FORMAT.read(lines)))
