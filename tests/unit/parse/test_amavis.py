"""amavis: an event for each recipient of a verdict, by the actions in braces, with a refusal before it."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.amavis import FORMAT
from model.resources import data_file, read_toml
from model.taxonomy import taxonomy
from tests.unit.parse.mutated import mutated

SAMPLES = Path(__file__).parents[2] / "samples" / "logs"
SAMPLE = (SAMPLES / "amavis.log").read_text("utf-8").splitlines()
DATA = read_toml(data_file("logs", "amavis.toml"))
P = "Nov  2 10:14:07 mx1 amavis[15]: (00015-01) "
AT = datetime(1972, 11, 2, 10, 14, 7, tzinfo=UTC)
ENVELOPE = "[198.51.100.7]:4000 [203.0.113.9] <sales@example.net> -> <Office@example.com>"
FWD = "(!)FWD from <a@example.com> -> <b@example.org>"
POSTFIX = "Nov  2 10:14:07 mx1 postfix/smtpd[421]: connect from unknown[192.0.2.1]"


def told(*texts: str) -> list[Event]:
    return [event for event in FORMAT.read(P + text for text in texts) if event]


def only(*texts: str) -> Event:
    (event,) = told(*texts)
    return event


def test_it_is_a_log_of_a_gateway() -> None:
    assert ("amavis", Role.GATEWAY) == FORMAT[:2]


def test_the_sample_is_claimed_and_read() -> None:
    assert FORMAT.claims("\n".join(SAMPLE))
    assert Counter(sent=4, quarantined=2, rejected=1, failed=2, deferred=2, fault=1, received=1) == Counter(
        str(event.what) for event in FORMAT.read(SAMPLE) if event
    )


def test_a_message_that_was_passed_on_names_where_it_came_from_and_its_next_queue_id() -> None:
    text = (
        f"Passed CLEAN {{RelayedInbound}}, {ENVELOPE},<orders@example.com>, Queue-ID: 4E5, "
        "Message-ID: <offer@mail.example.net>, mail_id: W, Hits: -1.899, size: 2997, queued_as: 5F1, 1093 ms"
    )

    assert told(text) == [
        Event(
            What.SENT,
            1,
            at=AT,
            host="mx1",
            message_id="<offer@mail.example.net>",
            queue_id="4E5",
            sender="sales@example.net",
            recipients=(recipient,),
            detail={
                "action": "Passed",
                "content": "CLEAN",
                "actions": "RelayedInbound",
                "score": "-1.899",
                "amavis_id": "00015-01",
                "queued_as": "5F1",
                "size": "2997",
                "origin_ip": "203.0.113.9",
                "client_ip": "198.51.100.7",
            },
        )
        for recipient in ("office@example.com", "orders@example.com")
    ]


@pytest.mark.parametrize(
    ("verdict", "what", "category", "reason"),
    [
        ("Passed CLEAN {RelayedInbound}", What.SENT, None, None),
        ("Passed SPAMMY {RelayedTaggedInbound}", What.SENT, None, None),
        ("Passed CLEAN {AcceptedInbound}", What.RECEIVED, None, None),
        ("Passed CLEAN", What.SENT, None, None),
        ("Blocked SPAM {DiscardedInbound,Quarantined}", What.QUARANTINED, "content_rejected", None),
        ("Blocked SPAM {NoBounceInbound,Quarantined}", What.QUARANTINED, "content_rejected", None),
        ("Blocked SPAM {DiscardedOpenRelay}", What.DISCARDED, "content_rejected", None),
        ("Blocked SPAM {RejectedInbound,Quarantined}", What.REJECTED, "content_rejected", None),
        ("Blocked SPAM", What.FAILED, "content_rejected", None),
        (
            "Blocked INFECTED (Eicar-Test-Signature) {DiscardedInternal,Quarantined}",
            What.QUARANTINED,
            "malware_detected",
            "Eicar-Test-Signature",
        ),
        (
            "Blocked BANNED (multipart/mixed | .zip,a (1).zip | .exe,.exe-ms,b.exe) {BouncedInternal}",
            What.FAILED,
            "attachment_blocked",
            "multipart/mixed | .zip,a (1).zip | .exe,.exe-ms,b.exe",
        ),
        ("Blocked BANNED (.exe,b.exe)", What.FAILED, "attachment_blocked", ".exe,b.exe"),
        ("Blocked BAD-HEADER-7 {RejectedInbound}", What.REJECTED, "message_malformed", None),
        ("Blocked UNCHECKED-ENCRYPTED {RejectedInbound}", What.REJECTED, "attachment_blocked", None),
        ("Blocked OVERSIZED {RejectedInbound}", What.REJECTED, "message_too_large", None),
        ("Blocked MTA-BLOCKED {TempFailedOutbound}", What.DEFERRED, None, None),
        ("Blocked MTA-BLOCKED {RejectedOutbound}", What.REJECTED, None, None),
    ],
)
def test_the_braces_say_what_happened(
    verdict: str, what: What, category: str | None, reason: str | None
) -> None:
    event = only(f"{verdict}, {ENVELOPE}, Queue-ID: 4E5, Hits: -, size: 1, 5 ms")

    assert (what, category, reason) == (event.what, event.detail.get("category"), event.detail.get("reason"))
    assert ("sales@example.net", ("office@example.com",), "4E5") == (
        event.sender,
        event.recipients,
        event.queue_id,
    )


@pytest.mark.parametrize(
    ("refusal", "verdict", "what", "reply", "peer_ip"),
    [
        (
            f"{FWD},BODY=7BIT 451 4.7.1 from MTA(smtp:[::1]:10030): 451 4.7.1 Later",
            "Blocked MTA-BLOCKED {TempFailedOutbound}",
            What.DEFERRED,
            "451 4.7.1 Later",
            "::1",
        ),
        (
            "(!)FWD via SMTP: <a@example.com> -> <b@example.org>,BODY=7BIT 501 5.1.7 Failed, id=00015-01,"
            " from MTA([127.0.0.1]:10025): 501 5.1.7 Bad sender address syntax",
            "Blocked MTA-BLOCKED",
            What.FAILED,
            "501 5.1.7 Bad sender address syntax",
            "127.0.0.1",
        ),
        (
            f"{FWD}, 451 4.5.0 From MTA() during fwd-connect (no): id=00015-01",
            "Blocked MTA-BLOCKED",
            What.DEFERRED,
            "451 4.5.0 during fwd-connect (no)",
            None,
        ),
    ],
)
def test_a_refusal_of_the_next_server_is_joined_by_id(
    refusal: str, verdict: str, what: What, reply: str, peer_ip: str | None
) -> None:
    event = only(refusal, f"{verdict}, {ENVELOPE}, Hits: -, size: 1, 5 ms")

    assert (what, reply, peer_ip) == (event.what, event.reply, event.peer_ip)


def test_refusals_that_are_interleaved_do_not_mix() -> None:
    other = "Nov  2 10:14:07 mx1 amavis[16]: (00016-01) "
    lines = [
        f"{P}{FWD},BODY=7BIT 451 4.7.1 from MTA(smtp:[::1]:10025): 451 one",
        f"{other}{FWD},BODY=7BIT 550 5.1.1 from MTA(smtp:[::1]:10025): 550 two",
        f"{P}Blocked MTA-BLOCKED {{TempFailedInbound}}, {ENVELOPE}, 5 ms",
        f"{other}Blocked MTA-BLOCKED {{RejectedInbound}}, {ENVELOPE}, 5 ms",
        f"{other}Blocked MTA-BLOCKED {{RejectedInbound}}, {ENVELOPE}, 5 ms",
    ]

    assert ["451 4.7.1 451 one", "550 5.1.1 550 two", ""] == [
        event.reply for event in FORMAT.read(lines) if event
    ]


@pytest.mark.parametrize(
    ("envelope", "sender", "recipients", "client_ip"),
    [
        (
            "LOCAL [192.0.2.11]:51841 <a@example.com> -> <b@example.org>",
            "a@example.com",
            ("b@example.org",),
            "192.0.2.11",
        ),
        ("MYNETS LOCAL [2001:db8::7]:5 <> -> <b@example.org>", "", ("b@example.org",), "2001:db8::7"),
        ("<a@example.com> -> <b@example.org>", "a@example.com", ("b@example.org",), None),
        ("[192.0.2.11] [192.0.2.12] <a@example.com> -> ", "a@example.com", (), "192.0.2.11"),
        ("cut", None, (), None),
    ],
)
def test_the_envelope(
    envelope: str, sender: str | None, recipients: tuple[str, ...], client_ip: str | None
) -> None:
    event = only(f"Blocked SPAM {{RejectedInbound}}, {envelope}, Hits: 9, 5 ms")

    assert (sender, recipients, client_ip) == (event.sender, event.recipients, event.peer_ip)


def test_a_subject_of_an_own_template_is_not_kept() -> None:
    assert "confidential" not in str(
        only(f'Blocked SPAM, {ENVELOPE}, Hits: 9, Subject: "confidential", 5 ms')
    )


@pytest.mark.parametrize(
    ("line", "at", "host"),
    [
        (f"{P}Passed CLEAN, {ENVELOPE}, 5 ms", AT, "mx1"),
        (f"(00015-01) Passed CLEAN, {ENVELOPE}, 5 ms", None, None),
        (
            f"2026-11-02T10:14:07+08:00 mx1 amavis[1]: (00015-01-3) Passed CLEAN, {ENVELOPE}",
            datetime(2026, 11, 2, 2, 14, 7, tzinfo=UTC),
            "mx1",
        ),
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
        "Nov  2 10:16:00 mx1 amavis[15006]: starting. /usr/sbin/amavisd-new at mx1.example.com",
        f"{P}(!)ClamAV-clamd: Can't connect to UNIX socket /run/clamd.ctl: No such file, retrying (2)",
        f"{P}{FWD[3:]},BODY=7BIT 250 2.0.0 from MTA(smtp:[::1]:10025): 250 Ok",
        f"{P}Checking: W [198.51.100.7] <a@example.com> -> <b@example.org>",
        POSTFIX,
    ],
)
def test_other_lines_are_passed_over(line: str) -> None:
    assert [None] == list(FORMAT.read([line]))


def test_trouble_is_a_fault() -> None:
    event = only("(!!)AV: ALL VIRUS SCANNERS FAILED")

    assert (What.FAULT, "AV: ALL VIRUS SCANNERS FAILED") == (event.what, event.reply)


@pytest.mark.parametrize("start", range(0, 300, 13))
def test_a_head_that_begins_in_the_middle_of_a_line_is_claimed(start: int) -> None:
    assert FORMAT.claims("\n".join(SAMPLE)[start:])


@pytest.mark.parametrize(
    "head",
    [
        "",
        "550 5.7.0 Reject, id=00015-01 - SPAM",
        "From: postmaster@example.com\nSubject: log\n\n" + "\n".join(SAMPLE),
        "Date,Verdict\n2026-11-02,Passed CLEAN",
        "\n".join([POSTFIX] * 20 + SAMPLE),
        *(
            (SAMPLES / f"{name}.log").read_text("utf-8")
            for name in ("barracuda", "cisco_esa", "proofpoint", "mimecast", "rspamd")
        ),
    ],
)
def test_other_texts_are_not_claimed(head: str) -> None:
    assert not FORMAT.claims(head)


def test_every_category_is_one_of_the_taxonomy() -> None:
    assert {entry["category"] for entry in DATA["content"]} <= set(taxonomy().names)


@given(mutated(SAMPLE))
@settings(max_examples=200, deadline=None)
def test_damaged_lines_never_raise(lines: list[str]) -> None:
    assert len(lines) <= len(list(FORMAT.read(lines)))
