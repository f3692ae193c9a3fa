"""Proofpoint: dispositions with what the session told before, and the sendmail lines of the same queue id."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.proofpoint import FORMAT
from model.resources import data_file, read_toml
from model.taxonomy import taxonomy
from tests.unit.parse.mutated import mutated

SAMPLES = Path(__file__).parents[2] / "samples" / "logs"
SAMPLE = (SAMPLES / "proofpoint.log").read_text("utf-8").splitlines()
SYSLOG = (SAMPLES / "proofpoint_syslog.log").read_text("utf-8").splitlines()
DATA = read_toml(data_file("logs", "proofpoint.toml"))
AT = datetime(2026, 11, 2, 10, 14, 7, tzinfo=UTC)
P = "[2026-11-02 18:14:07.000000 +0800] rprt s=1v3jen000d "
X = "m=1 x=1v3jen000d-1 "
KNOWN = [
    "mod=session cmd=connect ip=198.51.100.7 country=de",
    f"{X}mod=mail cmd=env_from value=Sales@example.net qid=3hABCD012345 host=mail.example.net ip=",
    f"{X}mod=mail cmd=env_rcpt r=1 value=Office@example.com verified= routes=in",
    f"{X}mod=mail cmd=env_rcpt r=2 value=orders@example.com verified= routes=in",
]
QUEUED = "Nov  2 10:14:07 pps1 sendmail[5]: 3hABCD012345: "


def message(disposition: str) -> str:
    return f"{X}mod=mail cmd=msg {disposition} hdr_mid=<1@example.net> qid=3hABCD012345 subject=secret"


def told(*texts: str) -> list[Event]:
    return [event for event in FORMAT.read(P + text for text in texts) if event]


def test_it_is_a_log_of_a_gateway() -> None:
    assert ("proofpoint", Role.GATEWAY) == FORMAT[:2]


@pytest.mark.parametrize(
    ("sample", "counts"),
    [
        (SAMPLE, Counter(received=2, rejected=2, quarantined=1, deferred=1)),
        (SYSLOG, Counter(received=2, quarantined=1, sent=1, deferred=1, failed=1)),
    ],
    ids=["own", "syslog"],
)
def test_the_samples_are_claimed_and_read(sample: list[str], counts: Counter[str]) -> None:
    assert FORMAT.claims("\n".join(sample))
    assert counts == Counter(str(event.what) for event in FORMAT.read(sample) if event)


def test_a_disposition_carries_what_the_session_told_for_each_recipient() -> None:
    assert told(*KNOWN, message("module=av rule=virus action=reject virusname=Eicar")) == [
        Event(
            What.REJECTED,
            5,
            at=AT,
            peer="mail.example.net",
            peer_ip="198.51.100.7",
            message_id="<1@example.net>",
            queue_id="3hABCD012345",
            sender="Sales@example.net",
            recipients=(recipient,),
            detail={
                "action": "reject",
                "module": "av",
                "rule": "virus",
                "virus": "Eicar",
                "session": "1v3jen000d",
                "category": "malware_detected",
            },
        )
        for recipient in ("office@example.com", "orders@example.com")
    ]


@pytest.mark.parametrize(
    ("disposition", "what", "category"),
    [
        ("module= rule= action=continue", What.RECEIVED, None),
        ("module=spam rule=tag action=continue", What.RECEIVED, None),
        ("module=spam rule=spam action=discard", What.DISCARDED, "content_rejected"),
        ("module=spam rule=spam action=quarantine,discard", What.QUARANTINED, "content_rejected"),
        ("module=dmarc rule=fail action=reject", What.REJECTED, "sender_auth_failed"),
        ("module=access rule=own action=retry", What.DEFERRED, None),
    ],
)
def test_the_action_says_what_happened(disposition: str, what: What, category: str | None) -> None:
    events = told(*KNOWN, message(disposition))

    assert [(what, category)] * 2 == [(event.what, event.detail.get("category")) for event in events]


def test_what_was_stored_in_a_folder_is_quarantined_and_not_lost() -> None:
    events = told(
        *KNOWN, f"{X}mod=session cmd=store rule=spam folder=Bulk", message("module=spam action=discard")
    )

    assert {(What.QUARANTINED, "Bulk")} == {(event.what, event.detail["folder"]) for event in events}


@pytest.mark.parametrize(
    ("lines", "what", "category", "client"),
    [
        (
            [
                KNOWN[0],
                "mod=session cmd=disconnect module=pdr rule=bad action=reject helo=mail.bulk.example msgs=0",
            ],
            What.REJECTED,
            "reputation_blocked",
            ("mail.bulk.example", "198.51.100.7"),
        ),
        (
            ["mod=session cmd=throttle rule=x ip=203.0.113.80 rate=120 crate=100 limit=60"],
            What.DEFERRED,
            "rate_limited",
            (None, "203.0.113.80"),
        ),
    ],
)
def test_a_session_that_ended_before_its_message(
    lines: list[str], what: What, category: str, client: tuple[str | None, str]
) -> None:
    (event,) = told(*lines)

    assert (what, category, client) == (event.what, event.detail["category"], (event.peer, event.peer_ip))


@pytest.mark.parametrize(
    "lines",
    [
        [
            *KNOWN,
            message("module=av action=other"),
            "mod=session cmd=disconnect module=av rule=x action=reject",
        ],
        [*KNOWN, "mod=session cmd=disconnect module= rule= action= helo=mail.example.net msgs=1"],
        [f"{X}mod=spam cmd=run rule=spam action=reject"],
        ["mod=session cmd=judge module=access rule=x"],
    ],
)
def test_what_says_nothing_new_is_no_event(lines: list[str]) -> None:
    assert [] == told(*lines)


@pytest.mark.parametrize(
    ("rest", "what", "reply"),
    [
        ("dsn=2.0.0, stat=Sent (Ok: queued as 4Qx)", What.SENT, "Ok: queued as 4Qx"),
        ("dsn=4.7.1, stat=Deferred: 451 4.7.1 Greylisted", What.DEFERRED, "451 4.7.1 Greylisted"),
        (
            "dsn=4.0.0, stat=Deferred: Connection timed out with mx.example.org.",
            What.DEFERRED,
            "4.0.0 Connection timed out with mx.example.org.",
        ),
        ("dsn=5.1.1, stat=User unknown", What.FAILED, "5.1.1 User unknown"),
        ("dsn=5.1.1, reply=550 5.1.1 No such user, stat=User unknown", What.FAILED, "550 5.1.1 No such user"),
        ("stat=Service unavailable", What.FAILED, "Service unavailable"),
    ],
)
def test_a_line_of_sendmail_is_joined_by_queue_id(rest: str, what: What, reply: str) -> None:
    lines = [P + text for text in (*KNOWN, message("action=continue"))]
    to = f"{QUEUED}to=<Office@example.com>,<b@example.com>, relay=mx.example.org. [192.0.2.53], "

    events = [event for event in FORMAT.read([*lines, to + rest]) if event][2:]

    assert ["office@example.com", "b@example.com"] == [event.recipients[0] for event in events]
    assert {(what, reply, "mx.example.org", "192.0.2.53", "<1@example.net>", "Sales@example.net")} == {
        (event.what, event.reply, event.peer, event.peer_ip, event.message_id, event.sender)
        for event in events
    }


def test_sendmail_alone_tells_sender_and_message_id() -> None:
    lines = [
        f"{QUEUED}from=<>, size=9, nrcpts=1, msgid=<2@example.net>, relay=ex1.example.com [192.0.2.25]",
        f"{QUEUED}to=<office@example.com>, relay=[192.0.2.26] [192.0.2.26], dsn=2.0.0, stat=Sent (ok)",
    ]

    passed, event = FORMAT.read(lines)

    assert passed is None
    assert event is not None
    assert ("", "<2@example.net>", None, "192.0.2.26") == (
        event.sender,
        event.message_id,
        event.peer,
        event.peer_ip,
    )


def test_sessions_that_are_interleaved_do_not_mix() -> None:
    other = P.replace("1v3jen000d", "1v3jen001e")
    about = X.replace("1v3jen000d", "1v3jen001e")
    lines = [
        P + KNOWN[1],
        f"{other}{about}mod=mail cmd=env_from value=b@example.org ip=192.0.2.9",
        P + KNOWN[2],
        f"{other}{about}mod=mail cmd=env_rcpt r=1 value=second@example.com",
        f"{other}{about}mod=mail cmd=msg action=continue hdr_mid=2@example.org",
        P + message("action=continue"),
    ]

    assert [("b@example.org", "<2@example.org>"), ("Sales@example.net", "<1@example.net>")] == [
        (event.sender, event.message_id) for event in FORMAT.read(lines) if event
    ]


def test_a_subject_is_never_kept() -> None:
    assert "secret" not in str(told(*KNOWN, message("action=reject")))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[2026-11-02 18:14:31.354586 +0800] info mod=spam type=rules cmd=refresh id=1 engine=8.12.0",
        f"{P}{X}mod=mail cmd=attachment id=0 file=text.txt",
        f"{P}{X}mod=mail cmd=msg action=unheard_of",
        f"{QUEUED}STARTTLS=client, relay=mx.example.org., version=TLSv1.3",
        f"{QUEUED}to=<office@example.com>, relay=mx",
        "Nov  2 10:14:07 mx1 postfix/smtp[421]: 4Qx: to=<user@example.com>, relay=none, status=deferred (x)",
    ],
)
def test_other_lines_are_passed_over(line: str) -> None:
    assert [None] == list(FORMAT.read([line]))


@pytest.mark.parametrize("start", range(0, 300, 17))
def test_a_head_that_begins_in_the_middle_of_a_line_is_claimed(start: int) -> None:
    assert FORMAT.claims("\n".join(SAMPLE)[start:])


@pytest.mark.parametrize(
    "head",
    [
        "",
        "550 5.7.0 Local Policy Violation",
        "From: postmaster@example.com\nSubject: log\n\n" + "\n".join(SAMPLE),
        "s=1,m=2,mod=mail\n1,2,3",
        "\n".join([f"{QUEUED}to=<office@example.com>, dsn=2.0.0, stat=Sent (ok)"] * 20),
        *(
            (SAMPLES / f"{name}.log").read_text("utf-8")
            for name in ("barracuda", "cisco_esa", "amavis", "mimecast", "rspamd")
        ),
    ],
)
def test_other_texts_are_not_claimed(head: str) -> None:
    assert not FORMAT.claims(head)


def test_every_category_is_one_of_the_taxonomy() -> None:
    assert {entry["category"] for entry in DATA["module"]} <= set(taxonomy().names)


@given(mutated(SAMPLE + SYSLOG))
@settings(max_examples=200, deadline=None)
def test_damaged_lines_never_raise(lines: list[str]) -> None:
    assert len(lines) <= len(list(FORMAT.read(lines)))
