"""Cisco ESA: connections, messages and recipients joined by their numbers; what the tuple says counts."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.cisco_esa import FORMAT
from model.resources import data_file, read_toml
from model.taxonomy import taxonomy
from tests.unit.parse.mutated import mutated

SAMPLES = Path(__file__).parents[2] / "samples" / "logs"
SAMPLE = (SAMPLES / "cisco_esa.log").read_text("utf-8").splitlines()
BOUNCES = (SAMPLES / "cisco_esa_bounces.log").read_text("utf-8").splitlines()
DATA = read_toml(data_file("logs", "cisco_esa.toml"))
AT = datetime(2026, 11, 2, 10, 13, 50, tzinfo=UTC)
RECEIVED = [
    "New SMTP ICID 5 interface In (192.0.2.2) address 198.51.100.7"
    " reverse dns host mail.example.net verified yes",
    "Start MID 6 ICID 5",
    "MID 6 ICID 5 From: <Sales@example.net>",
    "MID 6 ICID 5 RID 0 To: <Office@example.com>",
    "MID 6 ICID 5 RID 1 To: <orders@example.com>",
    "MID 6 Message-ID '<offer@mail.example.net>'",
]
BOUNCED = "Bounced: DCID 8 MID 6 to RID 0 - 5.1.0 - Unknown address error"
CONNECTED = "New SMTP DCID 8 interface 192.0.2.20 address 192.0.2.25 port 25"


def told(*texts: str) -> list[Event]:
    return [
        event for event in FORMAT.read(f"Mon Nov  2 10:13:50 2026 Info: {text}" for text in texts) if event
    ]


def only(*texts: str) -> Event:
    (event,) = told(*texts)
    return event


def test_it_is_a_log_of_a_gateway() -> None:
    assert ("cisco_esa", Role.GATEWAY) == FORMAT[:2]


@pytest.mark.parametrize(
    ("sample", "counts"),
    [
        (
            SAMPLE,
            Counter(
                rejected=6, received=3, sent=2, noted=3, deferred=1, fault=1, failed=3, notified=1,
                quarantined=2, discarded=1,
            ),
        ),
        (BOUNCES, Counter(failed=2, deferred=1)),
    ],
    ids=["mail_logs", "bounces"],
)  # fmt: skip
def test_the_samples_are_claimed_and_read(sample: list[str], counts: Counter[str]) -> None:
    assert FORMAT.claims("\n".join(sample))
    assert counts == Counter(str(event.what) for event in FORMAT.read(sample) if event)


def test_a_delivery_carries_what_the_other_lines_told_of_each_recipient() -> None:
    sent = told(
        *RECEIVED, CONNECTED, "DCID 8 TLS success protocol TLSv1.2", "Message done DCID 8 MID 6 to RID [0, 1]"
    )

    assert sent == [
        Event(
            What.SENT,
            9,
            at=AT,
            peer_ip="192.0.2.25",
            message_id="<offer@mail.example.net>",
            queue_id="6",
            sender="Sales@example.net",
            recipients=(recipient,),
            detail={"dcid": "8", "tls": "protocol TLSv1.2", "rid": rid},
        )
        for rid, recipient in (("0", "office@example.com"), ("1", "orders@example.com"))
    ]


def test_a_message_that_is_in_names_its_client() -> None:
    events = told(*RECEIVED, "MID 6 ready 14453 bytes from <Sales@example.net>")

    assert [
        (What.RECEIVED, "mail.example.net", "198.51.100.7", ("office@example.com",)),
        (What.RECEIVED, "mail.example.net", "198.51.100.7", ("orders@example.com",)),
    ] == [(event.what, event.peer, event.peer_ip, event.recipients) for event in events]


def test_messages_that_are_interleaved_do_not_mix() -> None:
    event = only(
        *RECEIVED,
        "Start MID 7 ICID 5",
        "MID 7 ICID 5 From: <other@example.net>",
        "MID 6 Message-ID '<offer@mail.example.net>'",
        "MID 7 ICID 5 RID 0 To: <third@example.com>",
        CONNECTED,
        "MID 7 Message-ID '<other@mail.example.net>'",
        "Message done DCID 8 MID 7 to RID [0]",
    )

    assert ("<other@mail.example.net>", "other@example.net", ("third@example.com",)) == (
        event.message_id,
        event.sender,
        event.recipients,
    )


@pytest.mark.parametrize(
    ("outcome", "what", "reply"),
    [
        (
            f"{BOUNCED} ('550', ['<a@b>... Relaying denied']) []",
            What.FAILED,
            "550 <a@b>... Relaying denied",
        ),
        (
            f"{BOUNCED} ('550', [\"5.1.1 it's gone\", 'bye'])",
            What.FAILED,
            "550 5.1.1 it's gone bye",
        ),
        (
            f"{BOUNCED} ('550', ['5.1.1 it\\'s gone\\r\\nbye'])",
            What.FAILED,
            "550 5.1.1 it's gone  bye",
        ),
        (
            "Delayed: DCID 8 MID 6 to RID 0 - 4.3.2 - Not accepting messages ('421', ['4.3.2 later']) []",
            What.DEFERRED,
            "421 4.3.2 later",
        ),
        (
            "Bounced: DCID: 8 Message 6 to 0 - 5.1.0 - Unknown address error ('554', ['Too long line.']) []",
            What.FAILED,
            "554 Too long line.",
        ),
        (
            "Bounced: DCID 0 MID 6 to RID 0 - 5.1.2 - Bad destination host ('000', []) []",
            What.FAILED,
            "5.1.2 - Bad destination host ('000', [])",
        ),
        (
            "Bounced: DCID 8 MID 6 From: <sales@example.net> To: <Office@example.com> RID 0 - 5.4.7 -"
            " Delivery expired (message too old) ('000', ['timeout'])",
            What.FAILED,
            "5.4.7 - Delivery expired (message too old) ('000', ['timeout'])",
        ),
        (
            "Double bounce: MID 6 to 0 - 5.1.0 - Unknown address error 501-'5.5.4 Invalid Address'",
            What.FAILED,
            "5.1.0 - Unknown address error 501-'5.5.4 Invalid Address'",
        ),
        (
            'Bounced: 6:0 From:<sales@example.net> To:<office@example.com> Reason: "5.1.0 - Unknown address"'
            " Response: \"('550', ['There is no such active account.'])\"",
            What.FAILED,
            "550 There is no such active account.",
        ),
        (
            'Bounced: 6:0  From:<sales@example.net> To:<office@example.com> Reason:"5.1.2 - Bad destination'
            " host\" Response: \"('000', [])\" Headers: ['x: y'] Message: Id:<1@example.com>\\012subject: x",
            What.FAILED,
            "5.1.2 - Bad destination host ('000', [])",
        ),
    ],
)
def test_an_outcome_has_the_reply_of_the_other_server(outcome: str, what: What, reply: str) -> None:
    event = only(*RECEIVED, CONNECTED, outcome)

    assert (what, reply, ("office@example.com",), "<offer@mail.example.net>") == (
        event.what,
        event.reply,
        event.recipients,
        event.message_id,
    )


def test_the_response_comes_on_a_line_of_its_own() -> None:
    event = only(*RECEIVED, "MID 6 RID [1] Response '2.0.0 Ok: queued as 4Qx'")

    assert (What.NOTED, "2.0.0 Ok: queued as 4Qx", ("orders@example.com",)) == (
        event.what,
        event.reply,
        event.recipients,
    )


@pytest.mark.parametrize(
    ("text", "what", "detail"),
    [
        (
            "ICID 5 REJECT SG BLACKLIST match sbrs[-10.0:-3.0] SBRS -9.9 country Germany",
            What.REJECTED,
            {
                "action": "REJECT",
                "sender_group": "BLACKLIST",
                "match": "sbrs[-10.0:-3.0]",
                "sbrs": "-9.9",
                "category": "reputation_blocked",
            },
        ),
        (
            "ICID 5 REJECT SG None match  SBRS None",
            What.REJECTED,
            {"action": "REJECT", "sender_group": "None", "sbrs": "None"},
        ),
        (
            "ICID 5 Receiving Failed: Message loop",
            What.REJECTED,
            {"reason": "Message loop", "category": "routing_loop"},
        ),
        (
            "ICID 5 TLS was required but remote host did not initiate it",
            What.REJECTED,
            {"reason": "TLS was required but remote host did not initiate it", "category": "tls_failure"},
        ),
        (
            "ICID 5 Address: <a@gone.example> sender rejected, envelope sender domain could not be resolved",
            What.REJECTED,
            {
                "reason": "sender rejected, envelope sender domain could not be resolved",
                "category": "sender_rejected",
            },
        ),
        (
            "SMTP Auth: (ICID 5) failed for user: scanner using AUTH mechanism: LOGIN with profile: x",
            What.REJECTED,
            {"reason": "SMTP authentication failed", "category": "client_auth_required"},
        ),
        (
            "MID 6 ICID 5 To: <nobody@example.com> Rejected by LDAPACCEPT",
            What.REJECTED,
            {"reason": "Rejected by LDAPACCEPT", "category": "recipient_unknown"},
        ),
        (
            "MID 6 ICID 5 To: <nobody@example.com> Rejected by RAT",
            What.REJECTED,
            {"reason": "Rejected by RAT"},
        ),
        (
            "MID 6 ICID 5 invalid bounce, rcpt address <a@example.com> rejected by bounce verification.",
            What.REJECTED,
            {"reason": "bounce verification"},
        ),
        (
            'MID 6 quarantined to "Policy" (content filter:hold)',
            What.QUARANTINED,
            {"quarantine": "Policy", "reason": "content filter:hold"},
        ),
        ("EUQ: Quarantined MID 6", What.QUARANTINED, {"quarantine": "spam"}),
        (
            "Message aborted MID 6 Dropped by CASE",
            What.DISCARDED,
            {"reason": "Dropped by CASE", "category": "content_rejected"},
        ),
        (
            "MID 6 was dropped by content filter 'x' in the inbound table",
            What.DISCARDED,
            {"reason": "dropped by content filter 'x' in the inbound table", "category": "policy_rejected"},
        ),
        (
            "Message aborted MID 6 Bounced by filter 'x'",
            What.FAILED,
            {"reason": "Bounced by filter 'x'", "category": "policy_rejected"},
        ),
        ("Message aborted MID 6 Receiving aborted", What.FAULT, {"reason": "Receiving aborted"}),
        (
            "LDAP: Bounce query example.ldapaccept MID 6 RID 2 address nobody@example.com",
            What.FAILED,
            {"reason": "LDAP accept query", "category": "recipient_unknown"},
        ),
        ("MID 6 antivirus positive 'W32/Zafi-D'", What.NOTED, {"verdict": "antivirus positive 'W32/Zafi-D'"}),
        (
            "MID 6 DMARC: Message from domain example.net, DMARC fail (SPF aligned False)",
            What.NOTED,
            {
                "authentication": "DMARC: Message from domain example.net, DMARC fail (SPF aligned False)",
            },
        ),
        (
            "DCID 8 TLS failed: STARTTLS unexpected response",
            What.FAULT,
            {"category": "tls_failure", "dcid": "8"},
        ),
        (
            "Connection Error: connection timed out DCID: 8 IP: 192.0.2.54 details: timeout interface: x",
            What.FAULT,
            {"dcid": "8"},
        ),
        ("MID 9 was generated for bounce of MID 6", What.NOTIFIED, {"notice_mid": "9"}),
    ],
)
def test_refusals_verdicts_and_faults(text: str, what: What, detail: dict[str, str]) -> None:
    event = only(text)

    assert (what, detail) == (event.what, event.detail)


def test_a_failed_connection_names_where_it_went() -> None:
    event = only(
        "Connection Error: DCID 8 domain: Example.org IP: 192.0.2.54 port: 25 details: [Errno 61]"
        " Connection refused interface: 192.0.2.21 reason: network error"
    )

    assert ("example.org", "192.0.2.54", "[Errno 61] Connection refused") == (
        event.peer,
        event.peer_ip,
        event.reply,
    )


@pytest.mark.parametrize(
    ("line", "recipients"),
    [
        ("MID 6 rewritten to MID 9 by antispam", ("office@example.com", "orders@example.com")),
        ("MID 6 rewritten to 9 by add-footer filter 'x'", ("office@example.com", "orders@example.com")),
        ("MID 6 was split creating MID 9 due to a per-recipient policy x in the inbound table", ()),
        ("MID 9 was generated based on MID 6 by bcc filter 'x'", ()),
    ],
)
def test_a_message_made_of_another_keeps_what_is_known(line: str, recipients: tuple[str, ...]) -> None:
    events = told(*RECEIVED, line, "MID 9 ready 1 bytes from <Sales@example.net>")

    assert recipients == tuple(recipient for event in events for recipient in event.recipients)
    assert {("<offer@mail.example.net>", "Sales@example.net")} == {
        (event.message_id, event.sender) for event in events
    }


@pytest.mark.parametrize(
    ("line", "at", "host"),
    [
        ("Mon Nov  2 10:13:50 2026 Info: MID 6 ready 1 bytes", AT, None),
        ("Nov  2 10:13:50 esa1 mail_logs: Info: MID 6 ready 1 bytes", AT.replace(year=1972), "esa1"),
        ("<166>Nov  2 10:13:50 mail_logs: Info: MID 6 ready 1 bytes", AT.replace(year=1972), None),
        (
            "<94>Nov  2 10:13:50 esa1.example.com mail_logs: Info: MID 6 ready 1 bytes",
            AT.replace(year=1972),
            "esa1.example.com",
        ),
        ("2026-11-02T10:13:50Z esa1 mail_logs: Info: MID 6 ready 1 bytes", AT, "esa1"),
        ("Info: MID 6 ready 1 bytes", None, None),
    ],
)
def test_a_line_counts_with_any_prefix(line: str, at: datetime | None, host: str | None) -> None:
    (event,) = FORMAT.read([line])

    assert event is not None
    assert (at, host) == (event.at, event.host)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Mon Nov  2 10:13:50 2026 Info: MID 6 Subject 'confidential'",
        "Mon Nov  2 10:13:50 2026 Info: MID 6 queued for delivery",
        "Mon Nov  2 10:13:50 2026 Info: MID 6 using engine: CASE spam negative",
        "Mon Nov  2 10:13:50 2026 Info: ICID 5 close",
        "Mon Nov  2 10:13:50 2026 Info: Begin Logfile",
        "Mon Nov  2 10:13:50 2026 Warning: Your key will expire",
        "Mon Nov  2 10:13:50 2026 Info: Bounced: DCID",
        "Nov  2 10:14:07 mx1 postfix/smtp[421]: 4Qx: to=<user@example.com>, relay=none, status=deferred (x)",
    ],
)
def test_other_lines_are_passed_over(line: str) -> None:
    assert [None] == list(FORMAT.read([line]))


@pytest.mark.parametrize("start", range(0, 200, 11))
def test_a_head_that_begins_in_the_middle_of_a_line_is_claimed(start: int) -> None:
    assert FORMAT.claims("\n".join(SAMPLE)[start:])


@pytest.mark.parametrize(
    "head",
    [
        "",
        "550 5.1.1 <user@example.com>: No such user",
        "From: postmaster@example.com\nSubject: log\n\n" + "\n".join(SAMPLE),
        "Date,MID,Recipient\n2026-11-02,6,user@example.com",
        "INFO: MID 6 is a line of something else",
        *(
            (SAMPLES / f"{name}.log").read_text("utf-8")
            for name in ("barracuda", "proofpoint", "mimecast", "rspamd", "amavis")
        ),
    ],
)
def test_other_texts_are_not_claimed(head: str) -> None:
    assert not FORMAT.claims(head)


def test_every_category_is_one_of_the_taxonomy() -> None:
    assert {entry["category"] for table in DATA.values() for entry in table} <= set(taxonomy().names)


def test_a_message_with_very_many_recipients_is_read_up_to_a_bound() -> None:
    recipients = [f"MID 6 ICID 5 RID {rid} To: <user{rid}@example.com>" for rid in range(3000)]

    assert 500 == len(told(*RECEIVED, *recipients, "MID 6 ready 1 bytes from <a@example.net>"))


@given(mutated(SAMPLE + BOUNCES))
@settings(max_examples=200, deadline=None)
def test_damaged_lines_never_raise(lines: list[str]) -> None:
    assert len(lines) <= len(list(FORMAT.read(lines)))
