"""SMTP protocol logs: interleaved sessions, refusals at every step, failed server authentication."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings

from model.events import Event, What
from model.parse import exchange_protocol as protocol
from tests.unit.parse.mutated import mutated

LOGS = Path(__file__).parents[2] / "samples" / "logs"
SEND, RECEIVE = (
    (LOGS / f"exchange_protocol-{side}.log").read_text(encoding="utf-8").splitlines()
    for side in ("send", "receive")
)
FIELDS = (
    "#Fields: date-time,connector-id,session-id,sequence-number,"
    "local-endpoint,remote-endpoint,event,data,context"
)
SENDING, RECEIVING = "#Log-type: SMTP Send Protocol Log", "#Log-type: SMTP Receive Protocol Log"
NOT_NOW = "<454 4.7.0 Temporary authentication failure"
A_MESSAGE = "*|sending message with RecordId 5 and InternetMessageId <a@b.example>"
INTERNAL, CLIENT = "internal_auth_failed", "client_auth_required"
FOREIGN = (
    "",
    "From: a@example.com\nSubject: log\n\n> EHLO me\n< 250 ok\n",
    "220 mx.example.net ESMTP\nEHLO me\n250 ok\n",
    "Nov  2 10:14:07 mx1 postfix/smtp[421]: connect to mx.example.net[198.51.100.25]:25: timed out",
    "#Log-type: Message Tracking Log\n#Fields: date-time,client-ip,source,event-id,internal-message-id\n",
    "2026-11-02T10:14:07Z,a,b,c,d,e,f,g,h\n",
)


def events(lines: Iterable[str]) -> list[Event]:
    return [event for event in protocol.read(lines) if event is not None]


def session(*steps: str, connector: str = "Out", name: str = "08DE1A2B3C4D5E7A") -> list[str]:
    """Lines of one session, each step an event with its data, and a context after ``|``."""
    start = f"2026-11-02T10:14:02.001Z,{connector},{name}"
    parts = [(step[0], *step[1:].partition("|")[::2]) for step in steps]
    ends = "192.0.2.11:41000,198.51.100.25:25"
    return [
        f'{start},{place},{ends},{sign},"{data}","{context}"'
        for place, (sign, data, context) in enumerate(parts)
    ]


def brief(event: Event) -> tuple[str, tuple[str, ...], str, str]:
    return event.what.value, event.recipients, event.reply, event.detail.get("step", "")


@pytest.mark.parametrize("lines", [SEND, RECEIVE], ids=["send", "receive"])
def test_claims_a_log_from_any_place_on(lines: list[str]) -> None:
    assert protocol.claims("\n".join(lines))
    assert protocol.claims("5,cut,off\n" + "\n".join(lines[20:]))
    assert protocol.claims(lines[4])


@pytest.mark.parametrize("head", FOREIGN)
def test_claims_nothing_else(head: str) -> None:
    assert not protocol.claims(head)


def test_the_send_log_tells_each_attempt() -> None:
    assert [(event.line, *brief(event)) for event in events(SEND) if event.what is not What.FAULT] == [
        (
            41,
            "failed",
            ("gone@example.net",),
            "550 5.1.1 <gone@example.net>: Recipient address rejected: User unknown in local recipient table",
            "RCPT TO",
        ),
        (44, "sent", ("sales@example.net",), "", ""),
        (
            47,
            "deferred",
            (),
            "450 4.1.8 <news@example.com>: Sender address rejected: Domain not found",
            "MAIL FROM",
        ),
        (81, "deferred", ("user@example.org",), "", "DATA"),
        (
            96,
            "failed",
            ("user@example.org",),
            "552-5.3.4 Message size exceeds 552 5.3.4 fixed maximum message size",
            "BDAT LAST",
        ),
        (
            96,
            "failed",
            ("help@example.org",),
            "552-5.3.4 Message size exceeds 552 5.3.4 fixed maximum message size",
            "BDAT LAST",
        ),
    ]


def test_a_message_carries_what_its_session_told() -> None:
    sent = next(event for event in events(SEND) if event.what is What.SENT)
    assert (sent.host, sent.peer, sent.peer_ip) == ("mail.example.com", "mx.example.net", "198.51.100.25")
    assert (sent.message_id, sent.queue_id) == ("<4f1c9a7d2b@example.com>", "25769803801")
    assert sent.sender == "accounts@example.com"
    assert sent.detail["tls"] == "SP_PROT_TLS1_2_CLIENT"


@pytest.mark.parametrize("lines", [SEND, RECEIVE], ids=["send", "receive"])
def test_failed_server_authentication_is_named(lines: list[str]) -> None:
    fault = next(event for event in events(lines) if "454 4.7.0" in event.reply)
    assert fault.what is What.FAULT
    assert fault.reply == "454 4.7.0 Temporary authentication failure"
    assert {key: fault.detail[key] for key in ("step", "category")} == {
        "step": "X-EXPS GSSAPI",
        "category": "internal_auth_failed",
    }
    assert fault.detail["connector"] in ("Intra-Organization SMTP Send Connector", "EX02\\Default EX02")
    assert fault.peer_ip in ("192.0.2.15", "192.0.2.11")
    assert {fault.peer, fault.host} == {"ex01.example.com", "ex02.example.com"}


def test_the_receiver_keeps_why_authentication_failed() -> None:
    fault = next(event for event in events(RECEIVE) if "454 4.7.0" in event.reply)
    assert fault.detail["context"] == "Inbound Negotiate failed because of IllegalMessage"


@pytest.mark.parametrize(
    ("steps", "what", "step", "category"),
    [
        (("<220 a.example x", ">X-ANONYMOUSTLS", "<454 4.7.0 TLS"), "fault", "X-ANONYMOUSTLS", INTERNAL),
        (
            (">AUTH LOGIN", "<334 x", ">dXNl", "<334 x", ">cGFz", "<535 5.7.8 no"),
            "fault",
            "AUTH LOGIN",
            CLIENT,
        ),
        (("+", ">AUTH GSSAPI", NOT_NOW), "fault", "AUTH GSSAPI", INTERNAL),
        (("+", ">STARTTLS", "<454 4.7.0 TLS not available"), "fault", "STARTTLS", "tls_failure"),
        (("+", "<421 4.3.2 Service not available"), "fault", "CONNECT", ""),
        ((A_MESSAGE, ">X-EXPS GSSAPI", NOT_NOW), "deferred", "X-EXPS GSSAPI", INTERNAL),
        (("+", ">EHLO a", "-|Remote(ConnectionReset)"), "fault", "EHLO", "connection_failed"),
    ],
)
def test_a_session_that_does_not_come_about_is_a_fault(
    steps: tuple[str, ...], what: str, step: str, category: str
) -> None:
    (event,) = events([SENDING, FIELDS, *session(*steps)])
    assert (event.what.value, event.detail["step"], event.detail.get("category", "")) == (
        what,
        step,
        category,
    )


@pytest.mark.parametrize(
    ("words", "category"),
    [
        ("Failed to connect. Winsock error code: 10060, Win32 error code: 10060", "connection_failed"),
        ("TLS negotiation failed with error SocketError", "tls_failure"),
    ],
)
def test_the_context_tells_of_connections_that_failed(words: str, category: str) -> None:
    (event,) = events([SENDING, *session(f"*|{words}")])
    assert (event.reply, event.detail["category"], event.peer_ip) == (words, category, "198.51.100.25")


@pytest.mark.parametrize(
    "steps",
    [
        (
            "+",
            "<220 a.example x",
            ">EHLO a",
            "<500 what",
            ">HELO a",
            "<250 ok",
            ">QUIT",
            "<221 bye",
            "-|Local",
        ),
        ("+", "<220 mx.example.net x", ">EHLO a", "<250 ok", ">QUIT", "-|Remote"),
        ("+", ">MAIL FROM:<a@b.example>", "<250 ok", ">RSET", "<250 ok", "-|Local"),
        ("?nothing",),
    ],
)
def test_an_uneventful_session_yields_nothing(steps: tuple[str, ...]) -> None:
    assert set(protocol.read([SENDING, FIELDS, *session(*steps)])) == {None}


def test_the_receive_log_tells_refusals_of_the_peer() -> None:
    assert [(event.line, *brief(event)) for event in events(RECEIVE) if event.what is not What.FAULT] == [
        (
            34,
            "rejected",
            ("nobody@example.com",),
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
            "RCPT TO",
        ),
        (36, "received", ("sales@example.com",), "", ""),
        (
            47,
            "rejected",
            ("user@example.net",),
            "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
            "RCPT TO",
        ),
        (71, "rejected", (), "452 4.3.1 Insufficient system resources", "MAIL FROM"),
    ]


def test_a_message_taken_carries_the_ids_of_the_reply() -> None:
    taken = next(event for event in events(RECEIVE) if event.what is What.RECEIVED)
    assert (taken.message_id, taken.queue_id) == ("<c3d4@partner.example>", "25769803902")
    assert (taken.host, taken.peer, taken.peer_ip) == (
        "ex02.example.com",
        "mail.partner.example",
        "203.0.113.40",
    )


def test_a_client_that_cannot_log_in_is_told_from_a_server() -> None:
    fault = next(event for event in events(RECEIVE) if event.reply.startswith("535"))
    assert fault.detail["category"] == "client_auth_required"


def test_a_probe_of_a_load_balancer_is_nothing() -> None:
    assert not [event for event in events(RECEIVE) if event.peer_ip == "192.0.2.250"]


def test_interleaving_changes_nothing() -> None:
    one = session(
        "+", "<220 a.example x", ">MAIL FROM:<a@b.example>", "<250 ok", ">RCPT TO:<c@d.example>", "<550 no"
    )
    two = [line.replace("08DE1A2B3C4D5E7A", "08DE1A2B3C4D5E7B").replace("c@d", "e@f") for line in one]
    mixed = [line for pair in zip(one, two, strict=True) for line in pair]
    assert [event.recipients for event in events([SENDING, *mixed])] == [("c@d.example",), ("e@f.example",)]


def test_the_side_is_told_by_the_first_reply_where_the_header_is_lost() -> None:
    lines = session("<220 a.example x", ">MAIL FROM:<a@b.example>", "<550 no")
    turned = session(
        ">220 a.example x", "<MAIL FROM:<a@b.example>", ">550 no", connector="EX01\\Default EX01"
    )
    assert [event.what for event in events(lines)] == [What.FAILED]
    assert [event.what for event in events(turned)] == [What.REJECTED]


def test_replies_that_were_not_logged_do_not_hide_that_a_message_was_taken() -> None:
    steps = ("<MAIL FROM:<a@b.example>", "<RCPT TO:<c@d.example>", "<RCPT TO:<e@f.example>", "<BDAT 20 LAST")
    lines = session(*steps, ">250 2.6.0 <m@b.example> [InternalId=7] Queued mail for delivery")
    (event,) = events([RECEIVING, *lines])
    assert (event.what, event.recipients) == (What.RECEIVED, ("c@d.example", "e@f.example"))
    assert (event.message_id, event.queue_id) == ("<m@b.example>", "7")


def test_a_login_whose_reply_was_not_logged_does_not_hide_the_message() -> None:
    steps = (
        ">X-EXPS GSSAPI",
        ">TlRM",
        ">MAIL FROM:<a@b.example>",
        "<250 ok",
        ">RCPT TO:<c@d.example>",
        "<550 no",
    )
    (event,) = events([SENDING, *session(*steps)])
    assert brief(event) == ("failed", ("c@d.example",), "550 no", "RCPT TO")


def test_a_server_that_gives_up_defers_what_was_under_way() -> None:
    steps = (">MAIL FROM:<a@b.example>", "<250 ok", ">RCPT TO:<c@d.example>", "<250 ok", "<421 4.4.2 timeout")
    (event,) = events([SENDING, *session(*steps)])
    assert brief(event)[:3] == ("deferred", ("c@d.example",), "421 4.4.2 timeout")


@pytest.mark.parametrize("lines", [SEND, RECEIVE], ids=["send", "receive"])
def test_every_line_yields_something(lines: list[str]) -> None:
    assert len(list(protocol.read(lines))) >= len(lines)


@given(mutated([*SEND, *RECEIVE]))
@settings(max_examples=200, deadline=None)
def test_damaged_logs_never_raise(lines: list[str]) -> None:
    assert len(list(protocol.read(lines))) >= len(lines)
    protocol.claims("\n".join(lines))
