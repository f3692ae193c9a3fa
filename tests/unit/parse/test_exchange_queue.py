"""Queues as lists, tables and CSV: what is stuck, what is held, and why."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings

from model.events import Event, What
from model.parse import exchange_queue as queue
from tests.unit.parse.mutated import mutated

LOGS = Path(__file__).parents[2] / "samples" / "logs"
SHOWN, EXPORTED = (
    (LOGS / f"{name}.log").read_text(encoding="utf-8").splitlines()
    for name in ("exchange_queue", "exchange_queue-export")
)
FOREIGN = (
    "",
    "Subject: Identity\n\nStatus: Retry\nNextHopDomain: none\n",
    "mail queue is empty",
    "Identity : EX01\\Default EX01\nAuthMechanism : Tls\nBindings : {0.0.0.0:25}\n",
    "Name  Identity\n----  --------\na     b\n",
    '"Identity","Name"\n"a","b"\n',
)


def events(lines: Iterable[str]) -> list[Event]:
    return [event for event in queue.read(lines) if event is not None]


@pytest.mark.parametrize(
    "lines", [SHOWN[:8], SHOWN[14:], SHOWN[51:], EXPORTED], ids=["table", "list", "digest", "csv"]
)
def test_claims_each_form(lines: list[str]) -> None:
    assert queue.claims("\n".join(["PS C:\\>", *lines]))


@pytest.mark.parametrize("head", FOREIGN)
def test_claims_nothing_else(head: str) -> None:
    assert not queue.claims(head)


def test_a_stuck_queue_tells_everything() -> None:
    (event,) = [event for event in events(SHOWN) if event.line == 39]
    assert (event.what, event.host, event.queue_id) == (What.DEFERRED, "ex01", "EX01\\3")
    assert (event.peer, event.peer_ip) == ("ex02.example.com", "192.0.2.15")
    assert event.at == datetime(2026, 11, 2, 10, 14, 7, tzinfo=UTC)
    assert event.reply.startswith('451 4.4.0 Primary target IP address responded with: "454 4.7.0 Temporary')
    assert event.detail == {
        "next_hop": "branch office",
        "count": "12",
        "delivery_type": "SmtpRelayToRemoteAdSite",
        "status": "Retry",
        "connector": "137c0a63-cbc7-4261-b49b-b4850e63593b",
        "category_of_hop": "Internal",
        "retries": "17",
        "next_retry": "11/2/2026 10:19:07 AM",
        "first_retry": "11/2/2026 9:04:02 AM",
        "deferred_count": "0",
        "locked_count": "0",
        "clock": "local",
    }


def test_every_form_tells_which_queues_do_not_move() -> None:
    told = [(event.line, event.what, event.queue_id, event.detail["count"]) for event in events(SHOWN)]
    assert told == [
        (5, What.DEFERRED, "EX01\\3", "12"),
        (7, What.HELD, "EX01\\9", "4"),
        (9, What.DEFERRED, "EX01\\Unreachable", "2"),
        (39, What.DEFERRED, "EX01\\3", "12"),
        (49, What.FAULT, "EX01\\12", "0"),
        (55, What.DEFERRED, None, "23"),
    ]


def test_a_digest_is_grouped_by_an_error() -> None:
    assert events(SHOWN)[-1].reply == "421 4.2.1 Unable to connect -> SocketError: Failed to connect. Wi"


def test_an_export_is_read() -> None:
    assert [(event.line, event.what, event.peer_ip, event.reply[:20]) for event in events(EXPORTED)] == [
        (3, What.DEFERRED, None, "451 4.4.0 Primary ta"),
        (5, What.DEFERRED, "192.0.2.16", "441 4.4.1 Error enco"),
        (6, What.HELD, None, ""),
    ]


def test_a_wrapped_cell_of_a_table_goes_on() -> None:
    lines = [
        "Identity Status Count LastError",
        "-------- ------ ----- ---------",
        "EX01\\3   Retry  12    451 4.4.0 DNS",
        "                      query failed",
        "EX01\\4   Active 1",
    ]
    assert [(event.line, event.reply) for event in events(lines)] == [(4, "451 4.4.0 DNS query failed")]


def test_a_copied_list_with_blank_lines_between_is_read() -> None:
    spaced = [part for line in SHOWN[16:51] if line.strip() for part in (line, "")]
    assert [event.queue_id for event in events(spaced)] == ["EX01\\3", "EX01\\12"]


@pytest.mark.parametrize("lines", [SHOWN, EXPORTED], ids=["shown", "exported"])
def test_every_line_yields_something(lines: list[str]) -> None:
    assert len(list(queue.read(lines))) >= len(lines)


@given(mutated([*SHOWN, *EXPORTED]))
@settings(max_examples=200, deadline=None)
def test_damaged_output_never_raises(lines: list[str]) -> None:
    assert len(list(queue.read(lines))) >= len(lines)
    queue.claims("\n".join(lines))
