"""Exim: one event for each arrival, attempt, refusal and notice, with what its message id is known for."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.exim import FORMAT
from tests.unit.parse.mutated import mutated

LOGS = Path(__file__).parents[2] / "samples" / "logs"
SAMPLE = (LOGS / "exim.log").read_text("utf-8").splitlines()
REJECTS = (LOGS / "exim-reject.log").read_text("utf-8").splitlines()
D = "2026-11-02 10:14:07 "
ID = "1t7RkX-0003vJ-2K"
AT = datetime(2026, 11, 2, 10, 14, 7, tzinfo=UTC)
SAID = "SMTP error from remote mail server after"


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def test_it_is_a_log_of_a_transport() -> None:
    assert ("exim", Role.TRANSPORT) == FORMAT[:2]


def test_a_failure_carries_what_the_arrival_told() -> None:
    arrival, failure = told(
        f"{D}{ID} <= Office@example.com H=pc.example.com (pc) [192.0.2.10]:4711 P=esmtpsa A=plain:office S=9"
        " id=1@example.com for Nobody@example.net",
        f"{D}{ID} ** Nobody@example.net R=dnslookup T=remote_smtp H=mx.example.net [198.51.100.20]"
        " X=TLS1.3:AES:256"
        f" CV=yes: {SAID} RCPT TO:<nobody@example.net>: 550 5.1.1 No such user: nobody",
    )

    assert arrival == Event(
        What.RECEIVED,
        1,
        at=AT,
        peer="pc.example.com",
        peer_ip="192.0.2.10",
        message_id="<1@example.com>",
        queue_id=ID,
        sender="Office@example.com",
        recipients=("nobody@example.net",),
        detail={"size": "9", "protocol": "esmtpsa", "login": "plain:office"},
    )
    assert failure == Event(
        What.FAILED,
        2,
        at=AT,
        peer="mx.example.net",
        peer_ip="198.51.100.20",
        message_id="<1@example.com>",
        queue_id=ID,
        sender="Office@example.com",
        recipients=("nobody@example.net",),
        reply="550 5.1.1 No such user: nobody",
        detail={
            "router": "dnslookup",
            "transport": "remote_smtp",
            "command": "RCPT TO",
            "tls": "TLS1.3:AES:256",
        },
    )


@pytest.mark.parametrize(
    ("line", "what", "to", "peer_ip", "reply", "facts"),
    [
        (
            '=> a@example.net R=d T=smtp H=mx.example.net [192.0.2.1]:25 C="250 Ok: queued as 9D1C22A0F4"',
            What.SENT,
            "a@example.net",
            "192.0.2.1",
            "250 Ok: queued as 9D1C22A0F4",
            {"queued_as": "9D1C22A0F4"},
        ),
        (
            "-> b@example.net <alias@example.com> R=d T=smtp H=mx.example.net [192.0.2.1]",
            What.SENT,
            "b@example.net",
            "192.0.2.1",
            "",
            {"original": "alias@example.com"},
        ),
        ("=> user <User@example.com> R=local T=maildir", What.DELIVERED, "user@example.com", None, "", {}),
        (
            "=> |/usr/bin/filter -x <user@example.com> R=forward T=address_pipe",
            What.DELIVERED,
            "user@example.com",
            None,
            "",
            {"transport": "address_pipe"},
        ),
        (
            "=> user@example.com R=l T=dovecot_lmtp H=127.0.0.1 [127.0.0.1]",
            What.DELIVERED,
            "user@example.com",
            "127.0.0.1",
            "",
            {},
        ),
        ("=> :blackhole: <user@example.com> R=drop", What.DISCARDED, "user@example.com", None, "", {}),
        (
            f"== a@example.net R=d T=smtp defer (-44): {SAID} RCPT TO:<a@example.net>: host mx.example.net"
            " [192.0.2.1]: 450 Later",
            What.DEFERRED,
            "a@example.net",
            "192.0.2.1",
            "450 Later",
            {"command": "RCPT TO"},
        ),
        (
            f"== a@example.net R=d T=smtp defer (-46) H=mx.example.net [2001:db8::1]: {SAID} initial"
            " connection: 421 No",
            What.DEFERRED,
            "a@example.net",
            "2001:db8::1",
            "421 No",
            {"command": "CONNECT"},
        ),
        (
            "== a@example.net R=d T=smtp defer (111): Connection refused H=mx.example.net [192.0.2.1]",
            What.DEFERRED,
            "a@example.net",
            "192.0.2.1",
            "Connection refused",
            {},
        ),
        (
            "== a@example.net R=d defer (-36): host lookup did not complete (DNS timeout?)",
            What.DEFERRED,
            "a@example.net",
            None,
            "host lookup did not complete (DNS timeout?)",
            {"router": "d"},
        ),
        (
            "== a@example.net R=d T=smtp defer (110): Connection timed out: SMTP timeout while connected to"
            " mx.example.net [192.0.2.1] after RCPT TO:<a@example.net>",
            What.DEFERRED,
            "a@example.net",
            "192.0.2.1",
            "Connection timed out: SMTP timeout while connected to mx.example.net [192.0.2.1] after RCPT"
            " TO:<a@example.net>",
            {},
        ),
        (
            "** a@bad.example: Unrouteable address",
            What.FAILED,
            "a@bad.example",
            None,
            "Unrouteable address",
            {},
        ),
        (
            r"** a@example.net R=d T=lmtp: LMTP error after DATA: 550-No such\n550 user",
            What.FAILED,
            "a@example.net",
            None,
            "550-No such 550 user",
            {"command": "DATA"},
        ),
        (
            f"** a@example.net F=<b@example.com> P=<b@example.com> R=d T=smtp H=mx.example.net"
            f" [192.0.2.1]: {SAID}"
            " pipelined MAIL FROM:<b@example.com> SIZE=12345: 552 5.3.4 Too large",
            What.FAILED,
            "a@example.net",
            "192.0.2.1",
            "552 5.3.4 Too large",
            {"command": "MAIL FROM"},
        ),
    ],
)
def test_an_attempt_has_an_outcome(
    line: str, what: What, to: str, peer_ip: str | None, reply: str, facts: dict[str, str]
) -> None:
    event = only(f"{D}{ID} {line}")

    assert (what, (to,), peer_ip, reply) == (event.what, event.recipients, event.peer_ip, event.reply)
    assert facts.items() <= event.detail.items()


def test_what_was_given_up_failed_for_the_reason_it_waited_for() -> None:
    event = told(
        f"{D}{ID} == a@example.net R=d T=smtp defer (111): Connection refused",
        f"{D}{ID} ** a@example.net: retry timeout exceeded",
    )[-1]

    assert ("Connection refused", "retry timeout exceeded") == (event.reply, event.detail["reason"])


def test_a_bounce_is_a_notice_about_another_message() -> None:
    bounce, notice = told(
        f"{D}{ID} <= office@example.com U=office P=local S=9 id=1@example.com",
        f"{D}1t7RmB-0003w0-1A <= <> R={ID} U=Debian-exim P=local S=9 for office@example.com",
    )[1:]

    assert (What.RECEIVED, "1t7RmB-0003w0-1A", "", ("office@example.com",)) == (
        bounce.what,
        bounce.queue_id,
        bounce.sender,
        bounce.recipients,
    )
    assert (What.NOTIFIED, ID, "<1@example.com>", {"notice_id": "1t7RmB-0003w0-1A"}) == (
        notice.what,
        notice.queue_id,
        notice.message_id,
        notice.detail,
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "H=(spam.example) [203.0.113.77] F=<> rejected RCPT <Info@example.com>: found in bl.example",
            Event(
                What.REJECTED,
                1,
                peer_ip="203.0.113.77",
                sender="",
                recipients=("info@example.com",),
                reply="found in bl.example",
                detail={"action": "rejected", "command": "RCPT TO"},
            ),
        ),
        (
            "H=mx.example.org [203.0.113.5]:4711 X=TLS1.2:AES:128 CV=no F=<a@example.org> temporarily"
            " rejected RCPT"
            " <info@example.com>",
            Event(
                What.REJECTED,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                sender="a@example.org",
                recipients=("info@example.com",),
                detail={"action": "temporarily rejected", "command": "RCPT TO"},
            ),
        ),
        (
            f"{ID} H=mx.example.org [203.0.113.5] F=<a@example.org> A=plain:a rejected after DATA: spam:"
            " 12 points",
            Event(
                What.REJECTED,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                queue_id=ID,
                sender="a@example.org",
                reply="spam: 12 points",
                detail={"action": "rejected", "command": "DATA", "login": "plain:a"},
            ),
        ),
        (
            "H=mx.example.org [203.0.113.5] rejected MAIL <a@bad.example>: no such domain",
            Event(
                What.REJECTED,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                sender="a@bad.example",
                reply="no such domain",
                detail={"action": "rejected", "command": "MAIL FROM"},
            ),
        ),
        (
            "rejected EHLO from mx.example.org [203.0.113.5]: syntactically invalid argument(s): @",
            Event(
                What.REJECTED,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                reply="syntactically invalid argument(s): @",
                detail={"action": "rejected", "command": "EHLO"},
            ),
        ),
        (
            "Connection from [198.51.100.81] refused: too many connections",
            Event(
                What.REJECTED,
                1,
                peer_ip="198.51.100.81",
                reply="too many connections",
                detail={"category": "rate_limited", "command": "CONNECT"},
            ),
        ),
        (
            "login authenticator failed for (pc) [203.0.113.79]: 535 Incorrect authentication data",
            Event(
                What.FAULT,
                1,
                peer_ip="203.0.113.79",
                reply="535 Incorrect authentication data",
                detail={"kind": "auth", "command": "AUTH", "mechanism": "login"},
            ),
        ),
        (
            "H=mx.example.org [203.0.113.5] sender verify fail for <a@b.example>: response to RCPT was:"
            " 550 No",
            Event(
                What.NOTED,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                sender="a@b.example",
                reply="response to RCPT was: 550 No",
                detail={"reason": "sender verify"},
            ),
        ),
        (
            f"{ID} H=mx.example.org [203.0.113.5]: {SAID} RCPT TO:<a@example.org>: 451 Later",
            Event(
                What.NOTED,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                queue_id=ID,
                reply="451 Later",
                detail={"command": "RCPT TO"},
            ),
        ),
        (
            f"{ID} TLS session failure: in clear to mx.example.org [203.0.113.5]",
            Event(
                What.NOTED,
                1,
                peer="mx.example.org",
                peer_ip="203.0.113.5",
                queue_id=ID,
                reply="TLS session failure: in clear to mx.example.org [203.0.113.5]",
                detail={"command": "STARTTLS"},
            ),
        ),
        (
            f"{ID} Frozen (delivery error message)",
            Event(What.HELD, 1, queue_id=ID, detail={"reason": "Frozen (delivery error message)"}),
        ),
    ],
)
def test_a_line_tells_one_thing(line: str, expected: Event) -> None:
    assert replace(expected, at=AT) == only(D + line)


@pytest.mark.parametrize(
    "line",
    [
        "Start queue run: pid=900",
        "exim 4.96 daemon started: pid=811",
        "no host name found for IP address 198.51.100.82",
        f"{ID} Message is frozen",
        f"{ID} Completed",
        f"{ID} no immediate delivery: queued by ACL",
        "H=mx.example.org [203.0.113.5] Warning: ACL said the client was rejected elsewhere",
    ],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert [None] == list(FORMAT.read([D + line]))


@pytest.mark.parametrize(
    ("prefix", "host", "at"),
    [
        ("2026-11-02 10:14:07.250 [4711] ", None, AT.replace(microsecond=250_000)),
        ("2026-11-02 11:14:07 +0100 ", None, AT),
        ("Nov  2 10:14:07 mx1 exim[4711]: ", "mx1", AT.replace(year=1972)),
        ("Nov  2 10:14:08 mx1 exim[4711]: 2026-11-02 10:14:07 ", "mx1", AT),
    ],
)
def test_lines_begin_in_several_ways(prefix: str, host: str | None, at: datetime) -> None:
    event = only(f"{prefix}{ID} ** a@bad.example: Unrouteable address")

    assert (host, at, ID) == (event.host, event.at, event.queue_id)


def test_new_message_ids_are_longer() -> None:
    assert (
        "1sDcEe-000000004BC-0oYZ"
        == only(f"{D}1sDcEe-000000004BC-0oYZ ** a@bad.example: Unrouteable").queue_id
    )


def test_the_sample_accounts_for_every_attempt() -> None:
    marks = Counter(line.split(" ")[3] for line in SAMPLE if line[20:21] == "1")
    events = Counter(event.what for event in told(*SAMPLE))

    assert marks["=>"] + marks["->"] == events[What.SENT] + events[What.DELIVERED] + events[What.DISCARDED]
    assert (marks["=="], marks["**"] + 1, 5) == (
        events[What.DEFERRED],
        events[What.FAILED],
        events[What.RECEIVED],
    )


def test_headers_of_refused_messages_tell_nothing() -> None:
    assert [What.REJECTED, What.REJECTED, What.FAULT, What.REJECTED] == [e.what for e in told(*REJECTS)]


@pytest.mark.parametrize(
    "head",
    [
        "\n".join(SAMPLE),
        "\n".join(SAMPLE)[300:],
        "\n".join(REJECTS),
        "torn off here\n" + "\n".join(SAMPLE[8:10]),
        SAMPLE[3],
        "Nov  2 10:14:07 mx1 exim[4711]: 1t7RkX-0003vJ-2K ** a@bad.example: Unrouteable address",
    ],
)
def test_a_log_of_exim_is_claimed(head: str) -> None:
    assert FORMAT.claims(head)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "550 5.1.1 User unknown",
        "From: postmaster@example.com\nSubject: log\n\n" + "\n".join(SAMPLE[:9]),
        "Nov  2 10:14:07 mx1 postfix/smtp[4]: 4F2A3183E9: to=<a@example.net>, status=sent (250 OK)",
        "2026-11-02 10:14:07 starting delivery 1: msg 5 to remote a@example.net",
        "2026-11-02 10:14:07 #812(normal) <abc123>; task; accepted connection",
        "This message was created automatically by mail delivery software.\n\n  a@example.net\n   "
        " Unrouteable address",
    ],
)
def test_other_texts_are_not_claimed(head: str) -> None:
    assert not FORMAT.claims(head)


@given(mutated([*SAMPLE, *REJECTS]))
@settings(max_examples=200, deadline=None)
def test_damaged_lines_never_raise_and_none_is_lost(lines: list[str]) -> None:
    assert len(lines) <= len(list(FORMAT.read(lines)))
