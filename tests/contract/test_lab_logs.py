"""Logs that real Postfix and Exim wrote in the lab, against what was tried: one event for each attempt.

``attempts.jsonl`` is the account of the scripted remotes and of those who came from outside;
``training/lab/logs.py`` makes all of it.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from model.events import Event, What
from model.parse import LOG_FORMATS, log_format

KEPT = Path(__file__).parents[2] / "training/data/lab/logs"
LOGS = {"postfix": "postfix.log", "exim": "exim-main.log", "exim-default": "exim-default-main.log"}
ADDRESSES = {"postfix": "203.0.113.2", "exim": "203.0.113.6", "exim-default": "203.0.113.6"}
OUTCOMES = (What.SENT, What.DELIVERED, What.DEFERRED, What.FAILED)
FILTERS, NO_ROUTE, STRANGER = "203.0.113.254", "192.0.2.200", "198.51.100.240"
OWN_DOMAINS = ("sender.example", "mta.sender.example", "spoofed.example", "strict.example")
PASSED_OVER = "old."
"""How a host is called that is tried first: what its failure leaves in a log names no recipient."""
TOLERANCE = timedelta(seconds=10)
Attempt = dict[str, Any]


@cache
def attempts() -> tuple[Attempt, ...]:
    return tuple(map(json.loads, (KEPT / "attempts.jsonl").read_text("utf-8").splitlines()))


def tried(run: str, way: str = "out") -> list[Attempt]:
    return [each for each in attempts() if (each["run"], each["way"]) == (run, way)]


@cache
def events(name: str) -> tuple[Event, ...]:
    form = log_format("exim" if name.startswith("exim") else "postfix")
    assert form is not None
    lines = (KEPT / name).read_text("utf-8", "replace").split("\n")
    return tuple(event for event in form.read(lines) if event)


def outcomes(run: str) -> list[Event]:
    return [event for event in events(LOGS[run]) if event.what in OUTCOMES]


def code(reply: str) -> int | None:
    hit = re.match(r"([245]\d\d)[ -]", reply)
    return int(hit[1]) if hit else None


def code_in_the_log(attempt: Attempt) -> int | None:
    """Exim keeps to itself what was said to STARTTLS."""
    is_hidden = attempt["run"].startswith("exim") and attempt["command"] == "STARTTLS"
    return None if is_hidden else attempt["code"]


Key = tuple[str, str, str]


def by_peer_and_recipient(run: str) -> tuple[dict[Key, list[Attempt]], dict[Key, list[Event]]]:
    """The attempts and the outcomes, each list in order of time."""
    asked: dict[Key, list[Attempt]] = defaultdict(list)
    told: dict[Key, list[Event]] = defaultdict(list)
    for each in tried(run):
        if not each["peer"].startswith(PASSED_OVER):
            asked[each["peer"], each["peer_ip"], each["recipient"]].append(each)
    for event in outcomes(run):
        key = (event.peer or "", event.peer_ip or "", "".join(event.recipients))
        if key in asked:
            told[key].append(event)
    return asked, told


def pairs(run: str) -> list[tuple[Attempt, Event]]:
    asked, told = by_peer_and_recipient(run)
    return [pair for key in asked for pair in zip(asked[key], told[key], strict=True)]


@pytest.mark.parametrize("run", LOGS)
def test_the_account_holds_each_way_of_going_wrong(run: str) -> None:
    ways = {(each["command"], each["outcome"]) for each in tried(run)}

    assert ways >= {
        ("CONNECT", "unanswered"),
        ("CONNECT", "refused"),
        ("CONNECT", "broken"),
        ("EHLO", "refused"),
        ("EHLO", "left"),
        ("MAIL FROM", "refused"),
        ("RCPT TO", "refused"),
        ("RCPT TO", "broken"),
        ("DATA", "refused"),
        ("DATA", "taken"),
    }


@pytest.mark.parametrize("run", LOGS)
def test_each_attempt_is_one_event_with_its_peer_its_recipient_and_its_code(run: str) -> None:
    asked, told = by_peer_and_recipient(run)

    expected = {key: [code_in_the_log(each) for each in asked[key]] for key in asked}

    assert expected == {key: [code(event.reply) for event in told[key]] for key in asked}


@pytest.mark.parametrize("run", LOGS)
def test_a_host_that_is_passed_over_is_one_event(run: str) -> None:
    (attempt,) = (each for each in tried(run) if each["peer"].startswith(PASSED_OVER))

    (event,) = (event for event in events(LOGS[run]) if event.peer_ip == attempt["peer_ip"])

    assert attempt["peer"] == event.peer
    assert event.what in (What.NOTED, What.FAULT)
    assert event.reply.endswith("Connection refused")


@pytest.mark.parametrize("run", LOGS)
def test_what_was_taken_is_sent_and_nothing_else(run: str) -> None:
    for attempt, event in pairs(run):
        assert (attempt["outcome"] == "taken") == (event.what is What.SENT), (attempt, event)
        if attempt["code"] and event.what is not What.SENT:
            assert (attempt["code"] >= 500) == (event.what is What.FAILED) or attempt["command"] in (
                "CONNECT",
                "STARTTLS",
            )


@pytest.mark.parametrize("run", LOGS)
def test_the_words_of_an_answer_come_out_as_they_were_said(run: str) -> None:
    """Postfix writes a question mark for a byte that is not UTF-8."""
    for attempt, event in pairs(run):
        if code_in_the_log(attempt) and not (
            run == "postfix" and attempt["scenario"] == "chinese_no_user_gbk"
        ):
            assert attempt["reply"] == " ".join(event.reply.split())


@pytest.mark.parametrize("run", LOGS)
def test_the_command_of_an_event_is_the_one_that_was_answered(run: str) -> None:
    """A refused greeting and a refused EHLO are one to Postfix; after a refused EHLO comes HELO."""
    alike = {("EHLO", "HELO"), ("EHLO", "CONNECT")}
    found = {
        (attempt["command"], event.detail["command"])
        for attempt, event in pairs(run)
        if "command" in event.detail
    }

    assert {pair for pair in found - alike if pair[0] != pair[1]} == set()
    assert {pair[0] for pair in found} >= {"CONNECT", "MAIL FROM", "RCPT TO", "DATA"}


@pytest.mark.parametrize("run", LOGS)
def test_an_event_is_when_its_attempt_was(run: str) -> None:
    for attempt, event in pairs(run):
        at = datetime.fromisoformat(attempt["at"]).astimezone(UTC)
        assert event.at is not None
        assert abs(event.at.replace(year=at.year) - at) <= TOLERANCE


@pytest.mark.parametrize("run", LOGS)
def test_the_attempts_of_a_message_share_its_message_id_and_its_sender(run: str) -> None:
    names = defaultdict(set)
    for attempt, event in pairs(run):
        names[attempt["scenario"]].add((event.message_id, event.sender))

    assert all(len(found) == 1 for found in names.values())
    assert len(names) == len(set.union(*names.values()))


KINDS: dict[str, Callable[[Event], bool]] = {
    "expiry": lambda event: (
        "retry timeout exceeded" in (event.detail.get("reason"), event.reply)
        or event.detail.get("status", "").startswith("expired")
    ),
    "not tried": lambda event: event.reply.startswith("retry time not reached"),
    "local": lambda event: event.peer_ip is None and event.recipients[0].rpartition("@")[2] in OWN_DOMAINS,
    "no address": lambda event: (
        event.peer_ip is None
        and re.search(
            r"Host not found|\(nullMX\)|Unrouteable|no SMTP service|non-existent hosts|host lookup did not",
            event.reply,
        )
        is not None
    ),
    "loop": lambda event: (
        event.peer_ip is None
        and re.search(r'loops back|too many hops|points to local host|Too many "Received"', event.reply)
        is not None
    ),
    "no route": lambda event: event.peer_ip == NO_ROUTE,
    "filters": lambda event: event.peer_ip == FILTERS,
}
"""Outcomes that no scripted remote can account for: nobody was asked, or a real filter was."""


@pytest.mark.parametrize("run", LOGS)
def test_each_outcome_has_its_attempt_or_is_of_a_named_kind(run: str) -> None:
    with_attempt = {id(event) for _, event in pairs(run)}
    others = [event for event in outcomes(run) if id(event) not in with_attempt]

    kinds = [[name for name, is_kind in KINDS.items() if is_kind(event)] for event in others]

    assert [event for event, names in zip(others, kinds, strict=True) if not names] == []
    assert {"expiry", "local", "no address", "filters"} <= {name for names in kinds for name in names}


@pytest.mark.parametrize("run", LOGS)
def test_each_line_about_a_host_alone_belongs_to_an_attempt(run: str) -> None:
    known = {each["peer_ip"] for each in tried(run)} | {NO_ROUTE, STRANGER, None}
    alone = [event for event in events(LOGS[run]) if event.what in (What.NOTED, What.FAULT)]

    assert alone
    assert [event for event in alone if event.peer_ip not in known] == []


@pytest.mark.parametrize("run", LOGS)
def test_an_expiry_tells_the_reason_of_the_last_attempt(run: str) -> None:
    last = {each["recipient"]: code_in_the_log(each) for each in tried(run)}
    expired = [event for event in outcomes(run) if KINDS["expiry"](event) and event.peer_ip is None]

    told = {event.recipients[0]: code(event.reply) for event in expired if event.recipients[0] in last}

    assert {address: last[address] for address in told} == told
    assert len(told) == len([event for event in expired if event.recipients[0] in last]) >= 5


@pytest.mark.parametrize("run", LOGS)
def test_each_refusal_of_a_client_is_one_event(run: str) -> None:
    refused = [each for each in tried(run, "in") if each["outcome"] == "refused"]
    told = [event for event in events(LOGS[run]) if event.what is What.REJECTED]

    assert len(refused) == len(told) == 4
    for each, event in zip(refused, told, strict=True):
        assert each["peer_ip"] == event.peer_ip
        assert each["command"] == event.detail["command"]
        assert event.reply
        assert each["reply"].endswith(event.reply)
        assert event.recipients in ((each["recipient"],), ())
        assert (each["code"] < 500) == (
            event.reply.startswith("4") or event.detail["action"].startswith("temp")
        )


@pytest.mark.parametrize("run", LOGS)
def test_mail_from_a_client_is_received_once_and_under_the_name_that_the_client_was_told(run: str) -> None:
    (taken,) = (each for each in tried(run, "in") if each["outcome"] == "taken")

    (event,) = (
        event
        for event in events(LOGS[run])
        if event.what is What.RECEIVED and event.peer_ip == taken["peer_ip"]
    )

    assert taken["reply"].endswith(event.queue_id or "-")
    assert "<stranger_is_heard@mail.example.net>" == event.message_id


@pytest.mark.parametrize("name", ["exim", "exim-default"])
def test_the_reject_log_tells_what_the_main_log_tells(name: str) -> None:
    def refusals(log: str) -> list[tuple[object, ...]]:
        return [
            (event.at, event.peer_ip, event.sender, event.recipients, event.reply, event.detail)
            for event in events(log)
            if event.what is What.REJECTED
        ]

    assert refusals(LOGS[name]) == refusals(f"{name}-reject.log")


def test_what_real_filters_answered_is_in_the_logs_of_both_sides() -> None:
    """Dovecot speaks LMTP and keeps another log; what the sender itself found too large was never sent."""
    sent, said = set(), Counter[tuple[str, str]]()
    for run, address in ADDRESSES.items():
        at_filters = [event for event in outcomes(run) if event.peer_ip == FILTERS]
        sent |= {event.detail["queued_as"] for event in at_filters if event.what is What.SENT}
        said.update(
            (address, event.reply[4:])
            for event in at_filters
            if event.what is not What.SENT and code(event.reply) and ".lmtp." not in event.recipients[0]
        )
    received = events("postfix-receiving.log")

    assert said == Counter(
        (event.peer_ip, re.sub(r"^[45]\d\d ", "", event.reply))
        for event in received
        if event.what is What.REJECTED
    )
    assert sent == {event.queue_id for event in received if event.what is What.RECEIVED and event.peer_ip}
    assert len(sent) == len(LOGS)


HOPS = {
    "taken-over-tls": ["mta.sender.example", "mx.linden-court.example"],
    "taken-later": ["mta.sender.example", "mx.maple-field.example"],
    "taken-through-filters": ["mta.sender.example", "mx.recv.example", "mx.recv.example"],
}


@pytest.mark.parametrize("name", HOPS)
@pytest.mark.parametrize("run", ["postfix", "exim"])
def test_the_hops_of_a_header_come_out_in_order_with_delays(run: str, name: str) -> None:
    text = (KEPT / f"headers-{run}-{name}.txt").read_text("utf-8")
    (form,) = (form for form in LOG_FORMATS if form.claims(text))

    hops = [event for event in form.read(text.splitlines()) if event and event.what is What.RECEIVED]

    assert "headers" == form.name
    assert HOPS[name] == [hop.host for hop in hops]
    assert hops == sorted(hops, key=lambda hop: hop.at or datetime.max.replace(tzinfo=UTC))
    assert [False] + [True] * (len(hops) - 1) == ["delay_s" in hop.detail for hop in hops]
    assert all(0 <= float(hop.detail["delay_s"]) < 60 for hop in hops[1:])


@pytest.mark.parametrize("run", ["postfix", "exim"])
def test_the_delay_in_a_header_is_the_time_between_the_first_attempt_and_the_last(run: str) -> None:
    first, last = (
        datetime.fromisoformat(each["at"]) for each in tried(run) if each["scenario"] == "taken_later"
    )
    text = (KEPT / f"headers-{run}-taken-later.txt").read_text("utf-8")
    form = log_format("headers")
    assert form is not None

    newest = [event for event in form.read(text.splitlines()) if event and event.what is What.RECEIVED][-1]

    assert abs(float(newest.detail["delay_s"]) - (last - first).total_seconds()) <= 2


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.log")), ids=lambda path: path.name)
def test_a_log_is_claimed_by_its_own_format_alone(path: Path) -> None:
    head = path.read_text("utf-8", "replace")[: 64 << 10]

    assert [path.name.partition("-")[0].partition(".")[0]] == [
        form.name for form in LOG_FORMATS if form.claims(head)
    ]
