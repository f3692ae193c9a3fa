"""Connectivity logs: names and connections that were not found."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings

from model.events import Event, What
from model.parse import exchange_connectivity as connectivity
from tests.unit.parse.mutated import mutated

SAMPLE = Path(__file__).parents[2] / "samples" / "logs" / "exchange_connectivity.log"
LINES = SAMPLE.read_text(encoding="utf-8").splitlines()
FOREIGN = (
    "",
    "Subject: x\n\nFailed connection to 192.0.2.1:25\n",
    "451 4.4.0 DNS query failed",
    "#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data",
    "2026-11-02T10:14:07Z,a,b,c,d,e\n",
    "2026-11-02T10:14:07Z,Out,08DE1A2B3C4D5E7A,0,192.0.2.1:1,198.51.100.1:25,+,,\n",
)


def events(lines: Iterable[str]) -> list[Event]:
    return [event for event in connectivity.read(lines) if event is not None]


def test_claims_a_log_from_any_place_on() -> None:
    assert connectivity.claims("\n".join(LINES))
    assert connectivity.claims("cut off\n" + "\n".join(LINES[8:]))
    assert connectivity.claims(LINES[4])


@pytest.mark.parametrize("head", FOREIGN)
def test_claims_nothing_else(head: str) -> None:
    assert not connectivity.claims(head)


@pytest.mark.parametrize(
    ("line", "destination", "category", "reply"),
    [
        (
            11,
            "mx.example.org",
            "connection_failed",
            "Failed connection to 203.0.113.99:25 (TimedOut:0000274C)",
        ),
        (
            12,
            "example.org",
            "",
            "441 4.4.1 Error encountered while communicating with primary target IP address",
        ),
        (14, "no-such.example", "recipient_domain_invalid", "InfoDomainNonexistent reported by 192.0.2.53."),
        (17, "slow-dns.example", "dns_failure", "ErrorRetry reported by 0.0.0.0."),
        (
            20,
            "EX03.example.com",
            "",
            "Session Failover; previous session id = 08DE1A2B3C4D5E8F; reason = Pro",
        ),
        (21, "site hub", "", '451 4.4.0 Primary target IP address responded with: "454 4.7.0 Temporary auth'),
        (24, "61914740-3f1b-4ddb-94e0-557196870cfa", "", "Failed to connect to server EX01.example.com"),
    ],
)
def test_trouble_is_a_fault_with_its_destination(
    line: int, destination: str, category: str, reply: str
) -> None:
    (event,) = [event for event in events(LINES) if event.line == line]
    assert (event.what, event.detail["destination"]) == (What.FAULT, destination)
    assert (event.detail.get("category", ""), event.reply[: len(reply)]) == (category, reply)


def test_what_the_start_of_a_session_told_is_joined() -> None:
    (event,) = [event for event in events(LINES) if event.line == 11]
    assert (event.peer, event.peer_ip) == ("mx.example.org", "203.0.113.99")
    assert event.detail["next_hop"] == "example.org"
    assert event.detail["delivery_type"] == "DnsConnectorDelivery"
    assert event.detail["connector"] == "137c0a63-cbc7-4261-b49b-b4850e63593b"


def test_the_server_that_answered_is_joined() -> None:
    (event,) = [event for event in events(LINES) if event.line == 21]
    assert (event.peer, event.peer_ip) == ("ex02.example.com", "192.0.2.15")


@pytest.mark.parametrize("line", [6, 7, 9, 10, 18, 22, 23, 26])
def test_success_is_passed_over(line: int) -> None:
    assert list(connectivity.read([*LINES[:5], LINES[line - 1]])) == [None] * 6


def test_rows_without_their_header_read_the_same() -> None:
    assert [event.reply for event in events(LINES[5:])] == [event.reply for event in events(LINES)]


def test_every_line_yields_one_thing() -> None:
    assert len(list(connectivity.read(LINES))) == len(LINES)


@given(mutated(LINES))
@settings(max_examples=200, deadline=None)
def test_damaged_logs_never_raise(lines: list[str]) -> None:
    assert len(list(connectivity.read(lines))) >= len(lines)
    connectivity.claims("\n".join(lines))
