"""Postfix: one event for each attempt, refusal and notice, with what its queue id is known for."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.postfix import FORMAT
from tests.unit.parse.mutated import mutated

SAMPLE = (Path(__file__).parents[2] / "samples" / "logs" / "postfix.log").read_text("utf-8").splitlines()
P = "Nov  2 10:14:07 mx1 postfix/"
AT = datetime(1972, 11, 2, 10, 14, 7, tzinfo=UTC)


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def test_it_is_a_log_of_a_transport() -> None:
    assert ("postfix", Role.TRANSPORT) == FORMAT[:2]


def test_an_attempt_carries_what_earlier_lines_told_of_its_queue_id() -> None:
    event = told(
        f"{P}smtpd[1]: 4F2A3183E9: client=client.example.com[192.0.2.10]",
        f"{P}cleanup[2]: 4F2A3183E9: message-id=<1@example.com>",
        f"{P}qmgr[3]: 4F2A3183E9: from=<Office@example.com>, size=9, nrcpt=1 (queue active)",
        f"{P}smtp[4]: 4F2A3183E9: to=<Nobody@example.net>, relay=mx.example.net[198.51.100.20]:25, delay=2,"
        " delays=1/0/1/0, dsn=5.1.1, status=bounced (host mx.example.net[198.51.100.20] said: 550 5.1.1"
        " No such user (in reply to RCPT TO command))",
    )[-1]

    assert event == Event(
        What.FAILED,
        4,
        at=AT,
        host="mx1",
        peer="mx.example.net",
        peer_ip="198.51.100.20",
        message_id="<1@example.com>",
        queue_id="4F2A3183E9",
        sender="Office@example.com",
        recipients=("nobody@example.net",),
        reply="550 5.1.1 No such user",
        detail={
            "daemon": "smtp",
            "status": "bounced",
            "dsn": "5.1.1",
            "delay": "2",
            "delays": "1/0/1/0",
            "relay": "mx.example.net[198.51.100.20]:25",
            "command": "RCPT TO",
        },
    )


def test_the_queue_manager_tells_once_that_a_message_came_in() -> None:
    lines = (
        f"{P}submission/smtpd[1]: A1B2C3D4E5: client=pc.example.com[192.0.2.10], sasl_method=PLAIN,"
        " sasl_username=office",
        f"{P}cleanup[2]: A1B2C3D4E5: message-id=<1@example.com>",
        f"{P}qmgr[3]: A1B2C3D4E5: from=<office@example.com>, size=9, nrcpt=2 (queue active)",
        f"{P}qmgr[3]: A1B2C3D4E5: from=<office@example.com>, size=9, nrcpt=2 (queue active)",
    )
    event = only(*lines)

    assert (What.RECEIVED, 3, "pc.example.com", "192.0.2.10") == (
        event.what,
        event.line,
        event.peer,
        event.peer_ip,
    )
    assert {"daemon": "qmgr", "size": "9", "nrcpt": "2", "login": "office"} == event.detail


def test_a_queue_id_taken_up_again_was_not_received_now() -> None:
    assert [] == told(f"{P}qmgr[3]: A1B2C3D4E5: from=<office@example.com>, size=9, nrcpt=2 (queue active)")


@pytest.mark.parametrize(
    ("daemon", "tail", "what", "reply", "facts"),
    [
        (
            "smtp",
            "relay=mx.example.net[192.0.2.1]:25, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 9D1C)",
            What.SENT,
            "250 2.0.0 Ok: queued as 9D1C",
            {},
        ),
        (
            "smtp",
            "relay=mx.example.net[192.0.2.1]:25, dsn=2.0.0, status=sent (250 OK queued as 9D1C22)",
            What.SENT,
            "250 OK queued as 9D1C22",
            {"queued_as": "9D1C22"},
        ),
        (
            "lmtp",
            "relay=x[private/lmtp], dsn=2.0.0, status=sent (250 Saved)",
            What.DELIVERED,
            "250 Saved",
            {},
        ),
        (
            "lmtp",
            "relay=127.0.0.1[127.0.0.1]:10024, dsn=2.0.0, status=sent (250 from MTA: 250 queued as 33AA1F)",
            What.SENT,
            "250 from MTA: 250 queued as 33AA1F",
            {"queued_as": "33AA1F"},
        ),
        (
            "local",
            "relay=local, dsn=2.0.0, status=sent (delivered to maildir)",
            What.DELIVERED,
            "delivered to maildir",
            {},
        ),
        (
            "local",
            "relay=local, dsn=2.0.0, status=sent (forwarded as 33AA1F)",
            What.EXPANDED,
            "forwarded as 33AA1F",
            {"queued_as": "33AA1F"},
        ),
        ("discard", "relay=none, dsn=2.0.0, status=sent (spam)", What.DISCARDED, "spam", {}),
        (
            "smtp",
            "relay=none, dsn=4.4.1, status=deferred (connect to mx.example.net[192.0.2.1]:25: Connection"
            " refused)",
            What.DEFERRED,
            "connect to mx.example.net[192.0.2.1]:25: Connection refused",
            {},
        ),
        (
            "smtp",
            "relay=mx.example.net[192.0.2.1]:25, dsn=4.0.0, status=deferred (host mx.example.net[192.0.2.1]"
            " refused to talk to me: 554 Blocked)",
            What.DEFERRED,
            "554 Blocked",
            {"command": "CONNECT"},
        ),
        (
            "smtp",
            "relay=mx.example.net[192.0.2.1]:25, dsn=4.4.2, status=deferred (lost connection with"
            " mx.example.net[192.0.2.1] while receiving the initial server greeting)",
            What.DEFERRED,
            "lost connection with mx.example.net[192.0.2.1] while receiving the initial server greeting",
            {},
        ),
        (
            "smtp",
            "relay=mx.example.net[192.0.2.1]:25, dsn=5.7.1, status=bounced (host"
            " mx.example.net[192.0.2.1] said:"
            " 550 5.7.1 (spam) said: no (in reply to end of DATA command))",
            What.FAILED,
            "550 5.7.1 (spam) said: no",
            {"command": "DATA"},
        ),
        ("error", "relay=none, dsn=5.4.6, status=bounced (mail loop)", What.FAILED, "mail loop", {}),
        (
            "error",
            "relay=none, dsn=4.4.1, status=expired, returned to sender (gone)",
            What.FAILED,
            "gone",
            {},
        ),
        ("smtp", "relay=none, dsn=5.1.1, status=undeliverable (550 no)", What.NOTED, "550 no", {}),
    ],
)
def test_an_attempt_has_an_outcome(
    daemon: str, tail: str, what: What, reply: str, facts: dict[str, str]
) -> None:
    event = only(f"{P}{daemon}[9]: 4F2A3183E9: to=<info@example.net>, {tail}")

    assert (what, reply) == (event.what, event.reply)
    assert facts.items() <= event.detail.items()


def test_where_nothing_answered_the_reason_names_the_server() -> None:
    event = only(
        f"{P}smtp[9]: 4F2A3183E9: to=<a@example.net>, relay=none, dsn=4.4.1, status=deferred"
        " (connect to mx.example.net[192.0.2.1]:25: Connection refused)"
    )

    assert ("mx.example.net", "192.0.2.1") == (event.peer, event.peer_ip)


def test_an_attempt_knows_the_encryption_of_its_connection() -> None:
    event = only(
        f"{P}smtp[9]: Verified TLS connection established to mx.example.net[192.0.2.1]:25: TLSv1.3 with"
        " cipher X",
        f"{P}smtp[9]: 4F2A3183E9: to=<a@example.net>, relay=mx.example.net[192.0.2.1]:25, dsn=2.0.0,"
        " status=sent (250 OK)",
    )

    assert "TLSv1.3" == event.detail["tls"]


def test_what_waited_when_a_message_expired_failed_with_its_last_reason() -> None:
    tail = "relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred"
    events = told(
        f"{P}smtp[9]: 4F2A3183E9: to=<a@example.net>, {tail} (first)",
        f"{P}smtp[9]: 4F2A3183E9: to=<b@example.net>, {tail} (first)",
        f"{P}smtp[9]: 4F2A3183E9: to=<a@example.net>, {tail} (second)",
        f"{P}smtp[9]: 4F2A3183E9: to=<b@example.net>, relay=none, dsn=2.0.0, status=sent (250 OK)",
        f"{P}qmgr[3]: 4F2A3183E9: from=<office@example.com>, status=expired, returned to sender",
    )[4:]

    assert [(What.FAILED, "office@example.com", ("a@example.net",), "second")] == [
        (event.what, event.sender, event.recipients, event.reply) for event in events
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "smtpd[1]: NOQUEUE: reject: RCPT from unknown[203.0.113.77]: 554 5.7.1 Blocked; see"
            " https://bl.example;"
            " from=<> to=<Info@example.com> proto=ESMTP helo=<x.example>",
            Event(
                What.REJECTED,
                1,
                peer_ip="203.0.113.77",
                sender="",
                recipients=("info@example.com",),
                reply="554 5.7.1 Blocked; see https://bl.example",
                detail={"daemon": "smtpd", "action": "reject", "command": "RCPT TO", "helo": "x.example"},
            ),
        ),
        (
            "postscreen[1]: NOQUEUE: reject: RCPT from [2001:db8::1]:51810: 550 5.7.1 No;"
            " from=<a@example.org>,"
            " to=<b@example.com>, proto=ESMTP, helo=<y.example>",
            Event(
                What.REJECTED,
                1,
                peer_ip="2001:db8::1",
                sender="a@example.org",
                recipients=("b@example.com",),
                reply="550 5.7.1 No",
                detail={
                    "daemon": "postscreen",
                    "action": "reject",
                    "command": "RCPT TO",
                    "helo": "y.example",
                },
            ),
        ),
        (
            "smtpd[1]: NOQUEUE: reject: CONNECT from mx.example.org[203.0.113.5]: 421 4.7.0 Busy; proto=SMTP",
            Event(
                What.REJECTED,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                reply="421 4.7.0 Busy",
                detail={"daemon": "smtpd", "action": "reject", "command": "CONNECT"},
            ),
        ),
        (
            "cleanup[1]: 4F2A3183E9: milter-reject: END-OF-MESSAGE from mx.example.org[203.0.113.5]:"
            " 5.7.1 Spam;"
            " from=<a@example.org> to=<b@example.com> proto=ESMTP helo=<mx.example.org>",
            Event(
                What.REJECTED,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                queue_id="4F2A3183E9",
                sender="a@example.org",
                recipients=("b@example.com",),
                reply="5.7.1 Spam",
                detail={
                    "daemon": "cleanup",
                    "action": "milter-reject",
                    "command": "DATA",
                    "helo": "mx.example.org",
                },
            ),
        ),
        (
            "cleanup[1]: 4F2A3183E9: hold: header Subject: A from B from mx.example.org[203.0.113.5];"
            " from=<a@example.org> to=<b@example.com> proto=ESMTP helo=<mx.example.org>: looks odd",
            Event(
                What.HELD,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                queue_id="4F2A3183E9",
                sender="a@example.org",
                recipients=("b@example.com",),
                reply="looks odd",
                detail={
                    "daemon": "cleanup",
                    "action": "hold",
                    "command": "DATA",
                    "helo": "mx.example.org",
                    "content": "header Subject: A from B",
                },
            ),
        ),
        (
            "smtpd[1]: warning: unknown[203.0.113.78]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
            Event(
                What.FAULT,
                1,
                peer_ip="203.0.113.78",
                reply="unknown[203.0.113.78]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
                detail={"daemon": "smtpd", "command": "AUTH", "mechanism": "LOGIN"},
            ),
        ),
        (
            "smtpd[1]: warning: Connection rate limit exceeded: 51 from mx.example.org[203.0.113.5] for"
            " service smtp",
            Event(
                What.REJECTED,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                reply="Connection rate limit exceeded: 51 from mx.example.org[203.0.113.5] for service smtp",
                detail={"daemon": "smtpd", "category": "rate_limited", "command": "CONNECT"},
            ),
        ),
        (
            "smtpd[1]: lost connection after DATA (15 bytes) from mx.example.org[203.0.113.5]",
            Event(
                What.FAULT,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                reply="lost connection after DATA (15 bytes) from mx.example.org[203.0.113.5]",
                detail={"daemon": "smtpd", "command": "DATA"},
            ),
        ),
        (
            "smtp[1]: connect to mx.example.org[203.0.113.5]:25: No route to host",
            Event(
                What.FAULT,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                reply="connect to mx.example.org[203.0.113.5]:25: No route to host",
                detail={"daemon": "smtp", "kind": "connection"},
            ),
        ),
        (
            "smtp[1]: 4F2A3183E9: host mx.example.org[203.0.113.5] said: 450 4.7.1 Later (in reply to"
            " RCPT TO command)",
            Event(
                What.NOTED,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                queue_id="4F2A3183E9",
                reply="450 4.7.1 Later",
                detail={"daemon": "smtp", "command": "RCPT TO"},
            ),
        ),
        (
            "bounce[1]: 4F2A3183E9: sender delay notification: 60B7E18412",
            Event(
                What.NOTIFIED,
                1,
                queue_id="4F2A3183E9",
                detail={
                    "daemon": "bounce",
                    "notice": "sender delay notification",
                    "notice_id": "60B7E18412",
                },
            ),
        ),
    ],
)
def test_a_line_tells_one_thing(line: str, expected: Event) -> None:
    assert replace(expected, at=AT, host="mx1") == only(P + line)


@pytest.mark.parametrize(
    "line",
    [
        "smtpd[1]: connect from mx.example.org[203.0.113.5]",
        "smtpd[1]: disconnect from mx.example.org[203.0.113.5] ehlo=1 quit=1 commands=2",
        "smtpd[1]: lost connection after CONNECT from mx.example.org[203.0.113.5]",
        "smtpd[1]: warning: hostname x.example does not resolve to address 203.0.113.5",
        "anvil[1]: statistics: max connection rate 5/60s for (smtp:203.0.113.77) at Nov  2 10:15:02",
        "tlsproxy[1]: CONNECT from [198.51.100.81]:40112",
        "master[1]: daemon started -- version 3.7.11",
        "qmgr[1]: 4F2A3183E9: removed",
        "smtp[1]: 4F2A3183E9: to=<a@example.net>, relay=none, status=unheard-of (x)",
        "smtp[1]: 4F2A3183E9: enabling PIX workarounds: disable_esmtp for mx.example.org[203.0.113.5]:25",
    ],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert [None] == list(FORMAT.read([P + line]))


def test_the_same_queue_id_on_two_hosts_is_two_messages() -> None:
    events = {(event.host, event.message_id) for event in told(*SAMPLE) if event.queue_id == "4F2A3183E9"}

    assert {("mx1", "<20261102101405.1@example.com>"), ("mx2", "<other@example.org>")} == events


def test_a_removed_queue_id_is_forgotten() -> None:
    event = only(
        f"{P}cleanup[2]: 4F2A3183E9: message-id=<1@example.com>",
        f"{P}qmgr[3]: 4F2A3183E9: removed",
        f"{P}bounce[1]: 4F2A3183E9: sender delay notification: 60B7E18412",
    )

    assert event.message_id is None


def test_the_sample_accounts_for_every_attempt() -> None:
    outcomes = Counter(event.what for event in told(*SAMPLE) if "status" in event.detail)

    assert {What.SENT: 1, What.DELIVERED: 1, What.EXPANDED: 1, What.DEFERRED: 4, What.FAILED: 4} == outcomes


@pytest.mark.parametrize(
    "head",
    [
        "\n".join(SAMPLE),
        "\n".join(SAMPLE)[61:],
        "torn off here\n" + "\n".join(SAMPLE[8:12]),
        SAMPLE[9],
        "\ufeff" + SAMPLE[9],
        f"Nov  2 10:14:07 mx1 dovecot: imap-login: Login\n{SAMPLE[9]}",
        "<22>1 2026-11-02T10:14:07Z mx1 postfix/smtp 421 - - 4F2A3183E9: to=<a@example.net>, status=sent"
        " (250 OK)",
        "Nov  2 10:14:07 mx1 relay-out/smtp[4]: 4F2A3183E9: to=<a@example.net>, status=sent (250 OK)",
    ],
)
def test_a_log_of_postfix_is_claimed(head: str) -> None:
    assert FORMAT.claims(head)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "550 5.1.1 User unknown",
        "From: postmaster@example.com\nSubject: log\n\n" + "\n".join(SAMPLE[:9]),
        "Nov  2 10:14:07 mx1 sm-mta[12]: 3A2EABCD012345: to=<a@example.net>, stat=Sent",
        "Nov  2 10:14:07 mx1 smtpd[12]: 5df87c9b982c840c smtp connected address=192.0.2.1 host=x.example",
        "Nov  2 10:14:07 mx1 dovecot: imap-login: Login",
        "type,timeLogged,timeQueued\nd,2026-11-02 10:14:07+0000,x",
        "Nov  2 10:14:07 gw1 outbound/smtp[13266]: 127.0.0.1 1793614447-0f82-1 0 0 SEND ENC 1 8B2052296C"
        " 250 2.6.0 ok",
        "This is the mail system at host mx1.example.com.\n\n<a@example.net>: host mx[192.0.2.1] said:"
        " 550 no",
    ],
)
def test_other_texts_are_not_claimed(head: str) -> None:
    assert not FORMAT.claims(head)


@given(mutated(SAMPLE))
@settings(max_examples=200, deadline=None)
def test_damaged_lines_never_raise_and_none_is_lost(lines: list[str]) -> None:
    assert len(lines) <= len(list(FORMAT.read(lines)))
