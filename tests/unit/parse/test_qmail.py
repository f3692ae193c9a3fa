"""qmail-send: one event for each arrival, delivery and bounce, with what its message number is known for."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.qmail import FORMAT
from tests.unit.parse.mutated import mutated

SAMPLE = (Path(__file__).parents[2] / "samples" / "logs" / "qmail.log").read_text("utf-8").splitlines()
P = "@400000006ae0cb8f1dcd6500 "
AT = datetime(2026, 10, 27, 16, 4, 21, 500_000, tzinfo=UTC)


def told(*lines: str) -> list[Event]:
    return [event for event in FORMAT.read(lines) if event]


def only(*lines: str) -> Event:
    (event,) = told(*lines)
    return event


def part(event: Event, expected: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in expected}


def attempt(result: str, way: str = "remote") -> Event:
    return only(f"{P}starting delivery 7: msg 93 to {way} Info@example.net", f"{P}delivery 7: {result}")


def test_it_is_a_log_of_a_transport() -> None:
    assert ("qmail", Role.TRANSPORT) == FORMAT[:2]


def test_a_delivery_carries_what_earlier_lines_told() -> None:
    events = told(
        f"{P}new msg 93",
        f"{P}info msg 93: bytes 18402 from <Office@example.com> qp 2033 uid 89",
        f"{P}starting delivery 7: msg 93 to remote Info@example.net",
        f"{P}status: local 0/10 remote 1/20",
        f"{P}delivery 7: failure: 198.51.100.20_does_not_like_recipient./Remote_host_said:_550_5.1.1_No_such"
        "_user/Giving_up_on_198.51.100.20./",
    )

    assert [What.RECEIVED, What.FAILED] == [event.what for event in events]
    assert events[1] == Event(
        What.FAILED,
        5,
        at=AT,
        peer_ip="198.51.100.20",
        queue_id="93",
        sender="Office@example.com",
        recipients=("info@example.net",),
        reply="550 5.1.1 No such user",
        detail={"delivery": "7", "result": "failure", "command": "RCPT TO"},
    )


@pytest.mark.parametrize(
    ("result", "what", "peer_ip", "reply", "facts"),
    [
        (
            "success: 198.51.100.20_accepted_message./Remote_host_said:_250_Ok:_queued_as_9D1C22/",
            What.SENT,
            "198.51.100.20",
            "250 Ok: queued as 9D1C22",
            {"queued_as": "9D1C22"},
        ),
        (
            "deferral: Connected_to_203.0.113.2_but_greeting_failed./Remote_host_said:_421-mx/421_Busy/",
            What.DEFERRED,
            "203.0.113.2",
            "421-mx 421 Busy",
            {"command": "CONNECT"},
        ),
        (
            "deferral:"
            " Connected_to_203.0.113.2_but_sender_was_rejected./Remote_host_said:_451_see_https://a.examp"
            "le/b/",
            What.DEFERRED,
            "203.0.113.2",
            "451 see https://a.example/b",
            {"command": "MAIL FROM"},
        ),
        (
            "failure: 203.0.113.2_failed_after_I_sent_the_message./Remote_host_said:_554_Spam/",
            What.FAILED,
            "203.0.113.2",
            "554 Spam",
            {"command": "DATA"},
        ),
        (
            "deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/",
            What.DEFERRED,
            None,
            "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)",
            {},
        ),
        (
            "deferral: Connected_to_203.0.113.2_but_connection_died._(#4.4.2)/",
            What.DEFERRED,
            "203.0.113.2",
            "Connected to 203.0.113.2 but connection died. (#4.4.2)",
            {},
        ),
    ],
)
def test_a_remote_delivery_has_an_outcome(
    result: str, what: What, peer_ip: str | None, reply: str, facts: dict[str, str]
) -> None:
    event = attempt(result)

    assert (what, peer_ip, reply) == (event.what, event.peer_ip, event.reply)
    assert facts.items() <= event.detail.items()


@pytest.mark.parametrize(
    ("result", "what"),
    [
        ("success: did_1+0+0/", What.DELIVERED),
        ("success: did_0+0+1/", What.DELIVERED),
        ("success: did_0+2+0/qp_2077/", What.EXPANDED),
        ("failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/", What.FAILED),
    ],
)
def test_a_local_delivery_has_an_outcome(result: str, what: What) -> None:
    assert what is attempt(result, "local").what


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bounce msg 93 qp 2051", {"what": What.NOTIFIED, "queue_id": "93", "detail": {"notice_qp": "2051"}}),
        (
            "triple bounce: discarding bounce/93",
            {"what": What.DISCARDED, "queue_id": "93", "detail": {"reason": "triple bounce"}},
        ),
        (
            "info msg 93: bytes 1 from <> qp 2 uid 3",
            {"what": What.RECEIVED, "sender": "", "detail": {"size": "1", "qp": "2", "uid": "3"}},
        ),
        (
            "rblsmtpd: 203.0.113.77 pid 21: 451 https://bl.example/203.0.113.77",
            {
                "what": What.REJECTED,
                "peer_ip": "203.0.113.77",
                "reply": "451 https://bl.example/203.0.113.77",
            },
        ),
        (
            "CHKUSER rejected rcpt: from <a@b.example::> remote <b.example:mx.b.example:203.0.113.78> rcpt"
            " <Gone@example.com> : not existing recipient",
            {
                "what": What.REJECTED,
                "peer": "mx.b.example",
                "peer_ip": "203.0.113.78",
                "recipients": ("gone@example.com",),
                "reply": "not existing recipient",
                "detail": {"command": "RCPT TO"},
            },
        ),
        (
            "delivery 999: failure: Sorry,_no_such_delivery_here/",
            {
                "what": What.FAILED,
                "queue_id": None,
                "recipients": (),
                "reply": "Sorry, no such delivery here",
            },
        ),
    ],
)
def test_a_line_tells_one_thing(line: str, expected: dict[str, Any]) -> None:
    assert expected == part(only(P + line), expected)


@pytest.mark.parametrize(
    "line",
    ["new msg 93", "end msg 93", "status: local 0/10 remote 0/20", "starting delivery 7: msg 93 to local a"],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert [None] == list(FORMAT.read([P + line]))


def test_a_message_number_used_again_is_another_message() -> None:
    event = told(
        f"{P}info msg 93: bytes 1 from <old@example.com> qp 2 uid 3",
        f"{P}end msg 93",
        f"{P}starting delivery 7: msg 93 to local a@example.com",
        f"{P}delivery 7: success: did_1+0+0/",
    )[-1]

    assert event.sender is None


@pytest.mark.parametrize(
    ("prefix", "host", "at"),
    [
        (P, None, AT),
        ("2026-10-27 16:04:21.500000500 ", None, AT),
        ("1793117061.500000 ", None, AT),
        ("Oct 27 16:04:21 mx1 qmail: 1793117061.500000 ", "mx1", AT),
        ("Oct 27 16:04:21 mx1 qmail: ", "mx1", datetime(1972, 10, 27, 16, 4, 21, tzinfo=UTC)),
        ("@ffffffffffffffff00000000 ", None, None),
        ("", None, None),
    ],
)
def test_lines_begin_in_several_ways(prefix: str, host: str | None, at: datetime | None) -> None:
    event = only(f"{prefix}bounce msg 93 qp 2051")

    assert (host, at) == (event.host, event.at)


def test_queues_with_names_have_their_own_numbers() -> None:
    events = told(
        f"{P}starting delivery 1: msg 5 to local a@example.com queue1",
        f"{P}starting delivery 1: msg 5 to local b@example.com queue2",
        f"{P}delivery 1: success: did_1+0+0/ queue1",
        f"{P}delivery 1: success: did_1+0+0/ queue2",
    )

    assert [("a@example.com",), ("b@example.com",)] == [event.recipients for event in events]


@pytest.mark.parametrize(
    "head", ["\n".join(SAMPLE), "\n".join(SAMPLE)[40:], "torn\n" + SAMPLE[8], SAMPLE[-1]]
)
def test_a_log_of_qmail_is_claimed(head: str) -> None:
    assert FORMAT.claims(head)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "550 5.1.1 User unknown",
        "From: postmaster@example.com\nSubject: log\n\n" + "\n".join(SAMPLE[:9]),
        "Nov  2 10:14:07 mx1 postfix/smtpd[4]: connect from mx.example.org[203.0.113.5]",
        "Hi. This is the qmail-send program at mx1.example.com.\n<a@example.net>:\nSorry, no mailbox here.",
        "2026-11-02 10:14:05 1t7RkX-0003vJ-2K Completed",
    ],
)
def test_other_texts_are_not_claimed(head: str) -> None:
    assert not FORMAT.claims(head)


@given(mutated(SAMPLE))
@settings(max_examples=200, deadline=None)
def test_damaged_lines_never_raise_and_none_is_lost(lines: list[str]) -> None:
    assert len(lines) <= len(list(FORMAT.read(lines)))
