"""Haraka: one event for each arrival, attempt and refusal, with what its transaction is known for."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.haraka import FORMAT
from tests.unit.parse.mutated import mutated

SAMPLE = (Path(__file__).parents[2] / "samples" / "logs" / "haraka.log").read_text("utf-8").splitlines()
T = "2026-11-02T10:14:07.000Z "
U = "D33D6290-C923-4DAC-A4B4-D0E7B8FAF010"
AT = datetime(2026, 11, 2, 10, 14, 7, tzinfo=UTC)
ARRIVAL = (
    f"{T}[NOTICE] [{U}] [core] connect ip=192.0.2.10 port=59300 local_ip=:: local_port=587",
    f'{T}[NOTICE] [{U}.1] [core] sender <Office@example.com> code=CONT msg=""',
    f'{T}[NOTICE] [{U}.1] [core] recipient <A@example.net> code=OK msg="" sender=Office@example.com',
    f'{T}[NOTICE] [{U}.1] [core] recipient <c@example.org> code=OK msg="" sender=Office@example.com',
    f'{T}[NOTICE] [{U}.1] [core] recipient <b@example.net> code=OK msg="" sender=Office@example.com',
    f'{T}[NOTICE] [{U}.1] [core] message mid="<1@example.com>" size=9 rcpts=3/0/0 delay=0.009 code=CONT'
    ' msg=""',
    f'{T}[NOTICE] [{U}.1] [core] queue code=OK msg="Message Queued ({U}.1)"',
)
OUT = f"{T}[NOTICE] [{U}.1.1] [outbound] "


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def part(event: Event, expected: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in expected}


def outcomes(*lines: str) -> list[tuple[What, tuple[str, ...], str]]:
    return [(event.what, event.recipients, event.reply) for event in told(*ARRIVAL, *lines)[1:]]


def test_it_is_a_log_of_a_transport() -> None:
    assert ("haraka", Role.TRANSPORT) == FORMAT[:2]


def test_a_queued_message_has_come_in() -> None:
    assert only(*ARRIVAL) == Event(
        What.RECEIVED,
        7,
        at=AT,
        peer_ip="192.0.2.10",
        message_id="<1@example.com>",
        queue_id=f"{U}.1",
        sender="Office@example.com",
        recipients=("a@example.net", "c@example.org", "b@example.net"),
        detail={"code": "OK"},
    )


def test_a_refusal_carries_what_the_arrival_told() -> None:
    event = told(
        *ARRIVAL,
        f"{OUT}Looking up A records for: mx.example.net",
        f"{OUT}Attempting to deliver to: 198.51.100.20:25 (0) (0)",
        f"{OUT}recipient <B@example.net> rejected: 550 5.1.1 No such user",
    )[-1]

    assert event == Event(
        What.FAILED,
        10,
        at=AT,
        peer="mx.example.net",
        peer_ip="198.51.100.20",
        message_id="<1@example.com>",
        queue_id=f"{U}.1",
        sender="Office@example.com",
        recipients=("b@example.net",),
        reply="550 5.1.1 No such user",
        detail={"delivery": f"{U}.1.1", "command": "RCPT TO"},
    )


def test_a_delivery_is_for_the_recipients_of_its_domain_that_were_not_refused() -> None:
    assert [
        (What.FAILED, ("b@example.net",), "550 No"),
        (What.SENT, ("a@example.net",), "Queued as BA5AF7A207E"),
    ] == outcomes(
        f"{OUT}recipient <b@example.net> rejected: 550 No",
        f"{OUT} delivered file=x domain=example.net host=mx.example.net ip=198.51.100.20 port=25"
        " mode=SMTP tls=Y"
        ' auth=N response="Queued as BA5AF7A207E" delay=4.565 fails=0 rcpts=1/0/1',
        f"{OUT}bouncing mail: Some recipients failed: <b@example.net>",
    )


def test_what_waits_is_tried_again_without_what_was_delivered() -> None:
    delivered = (
        f"{OUT} delivered file=x domain=example.net host=mx.example.net ip=198.51.100.20 port=25"
        " mode=SMTP tls=Y"
        ' response="ok"'
    )

    assert [
        (What.DEFERRED, ("b@example.net",), "451 Later"),
        (What.SENT, ("a@example.net",), "ok"),
        (What.SENT, ("b@example.net",), "ok"),
    ] == outcomes(
        f"{OUT}recipient <b@example.net> deferred: 451 Later",
        delivered,
        f"{OUT}Temp failing x for 64 seconds: Some recipients temp failed: <b@example.net>",
        delivered,
    )


def test_a_delivery_that_was_given_up_failed_for_the_last_error() -> None:
    second = OUT.replace(".1.1]", ".1.2]")

    assert [
        (What.DEFERRED, ("c@example.org",), "socket timeout waiting on rcpt"),
        (What.FAILED, ("c@example.org",), "Too many failures (x)"),
    ] == outcomes(
        f"{second}Ongoing connection failed to 203.0.113.9:25 : socket timeout waiting on rcpt",
        f"{second}Temp failing x for 64 seconds: Tried all MXs",
        f"{second}bouncing mail: Too many failures (x)",
    )


def test_the_dialogue_tells_the_recipients_if_it_is_logged() -> None:
    event = told(
        f"{T}[PROTOCOL] [{U}.1.1] [outbound] C: RCPT TO:<Z@example.net>",
        f"{OUT} delivered file=x domain=example.net host=127.0.0.1 ip=/run/lmtp port=24 mode=LMTP"
        " response=ok",
    )[-1]

    assert (What.DELIVERED, ("z@example.net",)) == (event.what, event.recipients)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            f'[{U}.1] [core] recipient <Gone@example.com> code=DENY msg="no such user" sender=a@b.example',
            {
                "what": What.REJECTED,
                "recipients": ("gone@example.com",),
                "reply": "no such user",
                "detail": {"code": "DENY", "command": "RCPT TO"},
            },
        ),
        (
            f'[{U}.1] [core] sender <a@b.example> code=DENYSOFT msg="no MX, come back"',
            {"what": What.REJECTED, "sender": "a@b.example", "reply": "no MX, come back"},
        ),
        (
            f'[{U}.1] [core] message mid=<2@b.example> size=1 rcpts=1/0/0 delay=1 code=DENY msg="spam"',
            {
                "what": What.REJECTED,
                "message_id": "<2@b.example>",
                "reply": "spam",
                "detail": {"code": "DENY", "command": "DATA"},
            },
        ),
        (
            f"[{U}] [core]  hook=connect plugin=dnsbl function=first params= retval=DENY"
            ' msg="host [203.0.113.78] is listed"',
            {
                "what": What.NOTED,
                "queue_id": None,
                "reply": "host [203.0.113.78] is listed",
                "detail": {"code": "DENY", "command": "CONNECT", "hook": "connect", "plugin": "dnsbl"},
            },
        ),
        (
            f"[{U}] [core] disconnect ip=203.0.113.78 rdns=x.example.org helo=pc relay=N errors=1 txns=0"
            ' rcpts=0/0/0 lr="554 listed" time=1',
            {
                "what": What.REJECTED,
                "peer": "x.example.org",
                "peer_ip": "203.0.113.78",
                "reply": "554 listed",
                "detail": {"helo": "pc"},
            },
        ),
        (
            f"[{U}.1.1] [outbound] Double bounce: Mail was already a bounce",
            {"what": What.DISCARDED, "detail": {"reason": "Mail was already a bounce"}},
        ),
        (
            f"[{U}.1.1] [outbound] recipient domain <example.net> rejected: 521 No service",
            {"what": What.FAILED, "recipients": (), "reply": "521 No service"},
        ),
    ],
)
def test_a_line_tells_one_thing(line: str, expected: dict[str, Any]) -> None:
    assert expected == part(only(f"{T}[NOTICE] {line}"), expected)


@pytest.mark.parametrize(
    "line",
    [
        "[-] [core] [outbound] Processing delivery for domain: example.net",
        f'[{U}] [core]  hook=rcpt plugin=x function=y params=z retval=OK msg=""',
        f"[{U}.1] [dkim_sign] signed for example.com",
        f'[{U}] [core] disconnect ip=192.0.2.1 rdns=x txns=1 rcpts=1/0/0 lr="550 later than it seems" time=1',
        f"[{U}.1.1] [outbound] secured verified=true cipher=X",
    ],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert [None] == list(FORMAT.read([f"{T}[INFO] {line}"]))


@pytest.mark.parametrize(
    ("prefix", "host", "at"),
    [
        (T, None, AT),
        ("2026-11-02 10:14:07.000000500  ", None, AT),
        ("Nov  2 10:14:07 mx1 haraka[90]: ", "mx1", AT.replace(year=1972)),
        ("", None, None),
    ],
)
def test_lines_begin_in_several_ways(prefix: str, host: str | None, at: datetime | None) -> None:
    event = only(f"{prefix}[NOTICE] [{U}.1.1] [outbound] recipient <a@example.net> rejected: 550 No")

    assert (host, at) == (event.host, event.at)


@pytest.mark.parametrize(
    "head", ["\n".join(SAMPLE), "\n".join(SAMPLE)[40:], "torn\n" + SAMPLE[8], SAMPLE[-1]]
)
def test_a_log_of_haraka_is_claimed(head: str) -> None:
    assert FORMAT.claims(head)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "550 5.1.1 User unknown",
        "From: postmaster@example.com\nSubject: log\n\n" + "\n".join(SAMPLE[:9]),
        "Nov  2 10:14:07 mx1 postfix/smtpd[4]: connect from mx.example.org[203.0.113.5]",
        "[INFO] [main] [worker] started",
        "Hi. This is the Haraka Mailer program at mx1.example.com.",
    ],
)
def test_other_texts_are_not_claimed(head: str) -> None:
    assert not FORMAT.claims(head)


@given(mutated(SAMPLE))
@settings(max_examples=200, deadline=None)
def test_damaged_lines_never_raise_and_none_is_lost(lines: list[str]) -> None:
    assert len(lines) <= len(list(FORMAT.read(lines)))
