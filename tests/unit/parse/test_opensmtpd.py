"""OpenSMTPD, old and new: one event for each arrival, attempt and refusal."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.opensmtpd import FORMAT
from tests.unit.parse.mutated import mutated

SAMPLE = (Path(__file__).parents[2] / "samples" / "logs" / "opensmtpd.log").read_text("utf-8").splitlines()
P = "Nov  2 10:14:07 mx1 smtpd[812]: "
AT = datetime(1972, 11, 2, 10, 14, 7, tzinfo=UTC)
S = "5df87c9ffd0e785d"
WHO = "from=<Office@example.com> to=<Info@example.net>"


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def part(event: Event, expected: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in expected}


def test_it_is_a_log_of_a_transport() -> None:
    assert ("opensmtpd", Role.TRANSPORT) == FORMAT[:2]


def test_an_attempt_is_told_whole() -> None:
    event = only(
        f"{P}{S} mta connecting address=smtp://198.51.100.20:25 host=mx.example.net",
        f"{P}{S} mta tls ciphers=TLSv1.3:AES:256",
        f'{P}{S} mta delivery evpid=c405e39a1a2b3c4d {WHO} rcpt=<-> source="192.0.2.25"'
        ' relay="198.51.100.20 (mx.example.net)" delay=1s result="PermFail" stat="550 5.1.1 No'
        ' \\"such\\" user"',
    )

    assert event == Event(
        What.FAILED,
        3,
        at=AT,
        host="mx1",
        peer="mx.example.net",
        peer_ip="198.51.100.20",
        queue_id="c405e39a1a2b3c4d",
        sender="Office@example.com",
        recipients=("info@example.net",),
        reply='550 5.1.1 No "such" user',
        detail={
            "session": S,
            "result": "PermFail",
            "relay": "198.51.100.20 (mx.example.net)",
            "source": "192.0.2.25",
            "delay": "1s",
            "tls": "TLSv1.3:AES:256",
        },
    )


def test_an_arrival_knows_its_client() -> None:
    event = only(
        f"{P}{S} smtp connected address=[2001:db8::1] host=pc.example.com",
        f"{P}{S} smtp tls ciphers=TLSv1.3:AES:256",
        f"{P}{S} smtp authentication user=office result=ok",
        f"{P}{S} smtp message msgid=c405e39a size=9 nrcpt=1 proto=ESMTP",
        f"{P}{S} smtp envelope evpid=c405e39a1a2b3c4d {WHO}",
    )

    assert (What.RECEIVED, "pc.example.com", "2001:db8::1", "c405e39a1a2b3c4d") == (
        event.what,
        event.peer,
        event.peer_ip,
        event.queue_id,
    )
    assert {"session": S, "tls": "TLSv1.3:AES:256", "login": "office"} == event.detail


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            f'{S} mta delivery evpid=aa05e39a1a2b3c4d {WHO} rcpt=<-> source="-" relay="mx.example.net"'
            " delay=0s"
            ' result="Ok" stat="250 2.0.0 Ok: queued as 9D1C22A0F4"',
            {"what": What.SENT, "peer": None, "reply": "250 2.0.0 Ok: queued as 9D1C22A0F4"},
        ),
        (
            f'{S} mta event=delivery evpid=aa05e39a1a2b3c4d {WHO} relay="192.0.2.1 (192.0.2.1)" delay=1s'
            ' result="TempFail" stat="421 Busy"',
            {"what": What.DEFERRED, "peer": None, "peer_ip": "192.0.2.1", "reply": "421 Busy"},
        ),
        (
            f"{S} mda delivery evpid=aa05e39a1a2b3c4d {WHO} rcpt=<box@example.net> user=box delay=0s"
            " result=Ok"
            " stat=Delivered",
            {
                "what": What.DELIVERED,
                "sender": "Office@example.com",
                "recipients": ("info@example.net",),
                "detail": {
                    "session": S,
                    "result": "Ok",
                    "rcpt": "box@example.net",
                    "user": "box",
                    "delay": "0s",
                },
            },
        ),
        (
            f"{S} mda delivery evpid=aa05e39a1a2b3c4d {WHO} user=box delay=0s result=TempFail stat=Error"
            ' ("no space")',
            {"what": What.DEFERRED, "reply": 'Error ("no space")'},
        ),
        (
            f'{S} smtp failed-command command="RCPT TO:<Other@example.net> NOTIFY=NEVER" result="550 No <x>"',
            {
                "what": What.REJECTED,
                "recipients": ("other@example.net",),
                "reply": "550 No <x>",
                "detail": {"session": S, "command": "RCPT TO"},
            },
        ),
        (
            f'{S} smtp failed-command command="MAIL FROM:<>" result="421 Later"',
            {"what": What.REJECTED, "sender": "", "detail": {"session": S, "command": "MAIL FROM"}},
        ),
        (
            f'{S} smtp failed-command command="" result="550 no rDNS"',
            {"what": What.REJECTED, "detail": {"session": S, "command": "CONNECT"}},
        ),
        (
            f'{S} smtp bad-input result="500 5.5.1 Invalid"',
            {"what": What.REJECTED, "reply": "500 5.5.1 Invalid", "detail": {"session": S}},
        ),
        (
            f"{S} mta error reason=IO Error: Connection refused",
            {"what": What.FAULT, "reply": "IO Error: Connection refused"},
        ),
        (
            f"relay: PermFail for 6430369adcce4408: session={S}, from=<a@example.com>,"
            " to=<B@example.net>, rcpt=<->,"
            " source=192.0.2.25, relay=198.51.100.20 (mx.example.net), delay=0s, stat=550 no, never",
            {
                "what": What.FAILED,
                "peer": "mx.example.net",
                "peer_ip": "198.51.100.20",
                "queue_id": "6430369adcce4408",
                "sender": "a@example.com",
                "recipients": ("b@example.net",),
                "reply": "550 no, never",
            },
        ),
        (
            "delivery: Ok for f23a96c23e2500b8: from=<a@example.com>, to=<b@example.net>, user=b,"
            " method=lmtp,"
            " delay=1s, stat=Delivered",
            {"what": What.DELIVERED, "queue_id": "f23a96c23e2500b8", "recipients": ("b@example.net",)},
        ),
        (
            f'smtp-in: Failed command on session {S}: "RCPT TO:<b@example.net>" => 451 Temporary failure',
            {"what": What.REJECTED, "recipients": ("b@example.net",), "reply": "451 Temporary failure"},
        ),
        (
            f"smtp-in: Accepted message 4296f490 on session {S}: from=<a@example.com>,"
            " to=<b@example.net>, size=9,"
            " ndest=1, proto=ESMTP",
            {"what": What.RECEIVED, "queue_id": "4296f490", "sender": "a@example.com"},
        ),
        (
            f"smtp-out: Error on session {S}: Connection closed unexpectedly",
            {"what": What.FAULT, "reply": "Connection closed unexpectedly"},
        ),
    ],
)
def test_a_line_tells_one_thing(line: str, expected: dict[str, Any]) -> None:
    assert expected == part(only(P + line), expected)


@pytest.mark.parametrize(
    "line",
    [
        "info: OpenSMTPD 7.4.0p1 starting",
        f"{S} smtp disconnected reason=quit",
        f"{S} smtp message msgid=c405e39a size=9 nrcpt=1 proto=ESMTP",
        f'{S} mta delivery evpid=aa05e39a1a2b3c4d {WHO} result="Odd" stat="x"',
        f"smtp-in: Closing session {S}",
    ],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert [None] == list(FORMAT.read([P + line]))


def test_interleaved_sessions_keep_their_own_clients() -> None:
    other = "5df87c9ffd0e785e"
    events = told(
        f"{P}{S} smtp connected address=192.0.2.1 host=a.example.com",
        f"{P}{other} smtp connected address=192.0.2.2 host=<unknown>",
        f'{P}{S} smtp failed-command command="DATA" result="451 Later"',
        f'{P}{other} smtp failed-command command="DATA" result="451 Later"',
    )

    assert [("a.example.com", "192.0.2.1"), (None, "192.0.2.2")] == [(e.peer, e.peer_ip) for e in events]


@pytest.mark.parametrize(
    "head", ["\n".join(SAMPLE), "\n".join(SAMPLE)[40:], "torn\n" + SAMPLE[12], SAMPLE[-3]]
)
def test_a_log_of_opensmtpd_is_claimed(head: str) -> None:
    assert FORMAT.claims(head)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "550 5.1.1 User unknown",
        "From: postmaster@example.com\nSubject: log\n\n" + "\n".join(SAMPLE[:9]),
        "Nov  2 10:14:07 mx1 postfix/smtpd[4]: connect from mx.example.org[203.0.113.5]",
        "Nov  2 10:14:07 mx1 smtpd[4]: connect from mx.example.org[203.0.113.5]",
        "    Hi!\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.",
    ],
)
def test_other_texts_are_not_claimed(head: str) -> None:
    assert not FORMAT.claims(head)


@given(mutated(SAMPLE))
@settings(max_examples=200, deadline=None)
def test_damaged_lines_never_raise_and_none_is_lost(lines: list[str]) -> None:
    assert len(lines) <= len(list(FORMAT.read(lines)))
