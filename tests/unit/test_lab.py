"""The lab's own parts; no mail system takes part."""

from __future__ import annotations

import asyncio
import json
import smtplib
import ssl
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from training.corpus import read_corpus
from training.lab.account import Account, Step, attempts
from training.lab.dns import ASKER, MX, NXDOMAIN, SERVFAIL, A, answer, zone_of
from training.lab.labels import Reader, labelled
from training.lab.logs import plan
from training.lab.message import message
from training.lab.remote import listen, wire
from training.lab.scenario import Scenario, scenarios
from training.lab.watch import Call, call_of, unserved, watcher

KEPT = Path(__file__).parents[2] / "training/data/lab"
REPORT = """From: MAILER-DAEMON@mta.sender.example
Subject: {subject}
Content-Type: text/plain

Final-Recipient: rfc822; {recipient}
Action: failed
"""


def scenario(name: str) -> Scenario:
    return next(each for each in scenarios() if each.id == name)


def talk(which: Scenario, speak: Callable[[smtplib.SMTP], object], account: Account | None = None) -> object:
    """What a client learns from a scenario's remote on the loopback."""

    async def both() -> object:
        server = await listen(which, port=0, address="127.0.0.1", account=account)
        port = server.sockets[0].getsockname()[1]
        try:
            return await asyncio.to_thread(_client, port, speak)
        finally:
            server.close()

    return asyncio.run(both())


def _client(port: int, speak: Callable[[smtplib.SMTP], object]) -> object:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="desk.example.com", timeout=5) as client:
        client.ehlo()
        return speak(client)


def send(client: smtplib.SMTP) -> tuple[int, bytes]:
    """The last reply to a message for one recipient."""
    steps = (
        lambda: client.mail("office@sender.example"),
        lambda: client.rcpt("contact@example.com"),
        lambda: client.data("Subject: x\r\n\r\nx\r\n"),
    )
    reply = (0, b"")
    for step in steps:
        reply = step()
        if reply[0] >= 400:
            break
    return reply


@pytest.mark.parametrize(
    ("stage", "reply", "code"),
    [
        ("mail", "530 5.7.0 Log in first", 530),
        ("rcpt", "550 5.1.1 <{rcpt}> is nobody", 550),
        ("body", "554 5.7.1 Not this text", 554),
        ("rcpt", "250 2.1.5 Fine", 250),
    ],
)
def test_a_remote_answers_by_script_at_the_stage(stage: str, reply: str, code: int) -> None:
    which = replace(scenario("virtual_table"), replies={stage: reply})

    assert talk(which, send)[0] == code  # type: ignore[index]


def test_a_remote_fills_the_slots_of_a_reply() -> None:
    which = replace(scenario("virtual_table"), replies={"rcpt": "550 <{rcpt}> not at {host} for {ip}"})

    said = talk(which, send)

    assert said == (550, b"<contact@example.com> not at mx.alder-bridge.example for 127.0.0.1")


def test_a_remote_answers_each_recipient_for_itself() -> None:
    which = scenario("three_reasons")

    def speak(client: smtplib.SMTP) -> list[int]:
        client.mail("office@sender.example")
        return [client.rcpt(each.address)[0] for each in which.recipients]

    assert talk(which, speak) == [550, 552, 550]


def test_a_remote_refuses_what_is_larger_than_it_announced() -> None:
    which = replace(scenario("virtual_table"), replies={}, extensions=("SIZE 2000",))

    assert talk(which, lambda client: client.mail("a@sender.example", ["SIZE=2001"])[0]) == 552
    assert talk(which, lambda client: client.mail("a@sender.example", ["SIZE=2000"])[0]) == 250


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_remote_breaks_the_connection(how: str) -> None:
    which = replace(scenario("virtual_table"), replies={"rcpt": how})

    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        talk(which, send)


def answers(*steps: str) -> list[Step]:
    """Steps out of ``stage reply`` or ``rcpt@address reply``."""
    parts = (step.partition(" ") for step in steps)
    return [Step(place.partition("@")[0], reply, "now", place.partition("@")[2]) for place, _, reply in parts]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["connect 554 No"], [("a", "CONNECT", "refused", 554)]),
        (["connect reset"], [("a", "CONNECT", "broken", None)]),
        (["connect 220", "helo 250 x"], [("a", "EHLO", "left", None)]),
        (["connect 220", "helo 550 x", "helo 250 x", "mail 250"], [("a", "MAIL FROM", "left", None)]),
        (["helo 250 x", "starttls 454 No"], [("a", "STARTTLS", "refused", 454)]),
        (["mail 530 No", "rcpt@b 250 Ok", "data 354 Go"], [("b", "MAIL FROM", "refused", 530)]),
        (
            ["mail 250 Ok", "rcpt@B 250 Ok", "rcpt@c 451 Later", "data 354 Go", "body 250 Ok"],
            [("b", "DATA", "taken", 250), ("c", "RCPT TO", "refused", 451)],
        ),
        (["mail 250 Ok", "rcpt@b 250 Ok", "data 354 Go", "body stall"], [("b", "DATA", "broken", None)]),
    ],
)
def test_an_attempt_is_what_was_decisive_for_a_recipient(steps: list[str], expected: list[object]) -> None:
    found = attempts(answers(*steps), ["A"])

    assert expected == [(each.recipient, each.command, each.outcome, each.code) for each in found]


def test_a_remote_accounts_for_each_transaction_once_and_keeps_what_it_takes(tmp_path: Path) -> None:
    which = replace(scenario("virtual_table"), replies={}, once={"rcpt": "451 4.7.1 Later"})

    def speak(client: smtplib.SMTP) -> None:
        send(client)
        client.rset()
        send(client)

    talk(which, speak, Account(tmp_path))

    lines = [json.loads(line) for line in (tmp_path / "attempts.jsonl").read_text("utf-8").splitlines()]
    assert [("RCPT TO", 451), ("DATA", 250)] == [(each["command"], each["code"]) for each in lines]
    assert {(which.host, which.address, which.id)} == {
        (each["peer"], each["peer_ip"], each["scenario"]) for each in lines
    }
    mail = (tmp_path / f"{which.id}.eml").read_text("utf-8")
    assert mail.startswith(
        "Return-Path: <office@sender.example>\nReceived: from desk.example.com ([127.0.0.1])"
    )
    assert mail.endswith("Subject: x\n\nx\n")


def test_a_remote_takes_mail_over_tls(tmp_path: Path) -> None:
    which = scenario("taken_over_tls")

    def speak(client: smtplib.SMTP) -> tuple[int, bytes]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.starttls(context=context)
        return send(client)

    assert (250, b"2.0.0 Ok: queued as 4F2A91C0") == talk(which, speak, Account(tmp_path))
    assert "with ESMTPS\n" in (tmp_path / "taken_over_tls.eml").read_text("utf-8")


def packet(flags: int, port: int = 40_000, protocol: int = 6) -> bytes:
    """An IPv4 packet from 203.0.113.2 to 198.51.100.1."""
    head = bytes([0x45, *[0] * 8, protocol, 0, 0, 203, 0, 113, 2, 198, 51, 100, 1])
    return head + struct.pack("!HHIIBBHHH", port, 25, 0, 0, 0x50, flags, 0, 0, 0)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (packet(0x02), Call("203.0.113.2", 40_000, "198.51.100.1")),
        (packet(0xC2), Call("203.0.113.2", 40_000, "198.51.100.1")),
        (packet(0x12), None),
        (packet(0x10), None),
        (packet(0x02, protocol=17), None),
        (packet(0x02)[:22], None),
    ],
)
def test_a_call_is_the_first_packet_of_a_connection(raw: bytes, expected: Call | None) -> None:
    assert expected == call_of(raw)


def test_a_call_where_nobody_answers_is_written_once(tmp_path: Path) -> None:
    which = scenario("refused")
    see = watcher(Account(tmp_path), {"198.51.100.1": (which, "mx.example")})

    for raw in (packet(0x02), packet(0x02), packet(0x02, port=40_001)):
        see(raw)

    lines = [json.loads(line) for line in (tmp_path / "attempts.jsonl").read_text("utf-8").splitlines()]
    assert ["unanswered", "unanswered"] == [each["outcome"] for each in lines]


def test_the_hosts_where_nobody_answers_are_watched() -> None:
    found = unserved(scenarios())

    assert {"refused", "timeout", "unreachable", "taken_by_second_host"} == {
        each.id for each, _ in found.values()
    }
    assert "old.pine-harbour.example" == found[scenario("taken_by_second_host").dead_mx][1]


def test_the_runs_whose_logs_are_kept_name_scenarios_that_their_system_takes_part_in() -> None:
    for each in plan().runs:
        known = {which.id for which in scenarios() if not which.systems or each.system in which.systems}
        assert {*each.scenarios, *each.headers} <= known
        assert set(each.headers) <= set(each.scenarios)


@pytest.mark.parametrize(
    ("text", "charset", "expected"),
    [
        ("550 one", "utf-8", b"550 one\r\n"),
        ("550 one\n550 two", "utf-8", b"550-one\r\n550 two\r\n"),
        ("550-5.1.1 one\n550 5.1.1 two", "utf-8", b"550-5.1.1 one\r\n550 5.1.1 two\r\n"),
        ("550 邮箱", "gbk", b"550 \xd3\xca\xcf\xe4\r\n"),
    ],
)
def test_a_reply_goes_over_the_wire_as_one(text: str, charset: str, expected: bytes) -> None:
    assert wire(text, charset) == expected


def ask(name: str, kind: int) -> tuple[int, int, bytes]:
    """The return code, the number of records and the bytes after the question."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = (
        b"\x12\x34" + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)
    )
    said = answer(query, zone_of(scenarios()), "203.0.113.2")
    flags, _, count = struct.unpack("!HHH", said[2:8])
    return flags & 15, count, said[len(query) :]


def test_the_names_lead_to_the_remotes() -> None:
    which = scenario("virtual_table")

    assert ask(which.domain, MX)[:2] == (0, 1)
    assert ask(which.host, A)[2].endswith(bytes([198, 51, 100, 1]))


@pytest.mark.parametrize(
    ("name", "code", "count"),
    [("nxdomain", NXDOMAIN, 0), ("servfail", SERVFAIL, 0), ("null_mx", 0, 1), ("mx_nowhere", 0, 1)],
)
def test_the_names_fail_by_script(name: str, code: int, count: int) -> None:
    assert ask(scenario(name).domain, MX)[:2] == (code, count)


def test_a_loop_leads_back_to_whoever_asks() -> None:
    assert zone_of(scenarios())[scenario("mx_is_sender").host] == {A: [ASKER]}
    assert ask(scenario("mx_is_sender").host, A)[2].endswith(bytes([203, 0, 113, 2]))


def test_a_domain_gives_its_label_away_nowhere() -> None:
    for each in scenarios():
        assert not set(each.domain.split(".")[0].split("-")) & set(each.id.split("_")), each.id


def test_no_wording_is_on_both_sides() -> None:
    sides: dict[str, set[str]] = {"train": set(), "test": set()}
    for each in scenarios():
        own = (recipient.reply for recipient in each.recipients)
        sides[each.split] |= {reply for reply in (*each.replies.values(), *own) if reply and len(reply) > 5}

    common = {reply for reply in sides["train"] & sides["test"] if not reply.startswith("2")}

    assert set() == common


def test_a_message_names_no_recipient() -> None:
    for number, each in enumerate(scenarios()):
        text = message(each, number)
        assert not any(recipient.address in text for recipient in each.recipients)


def label_of(subject: str, recipient: str, reader: Reader) -> dict[str, object]:
    raw = REPORT.format(subject=subject, recipient=recipient).encode()
    return next(labelled([raw], scenarios(), reader)).label


def test_the_truth_about_a_report_is_the_scenarios() -> None:
    address = scenario("full_for_now").recipients[0].address
    reader = Reader("some", "(?m)^Subject: Warning")

    final, warning = (label_of(subject, address, reader) for subject in ("Returned", "Warning: delayed"))

    assert ("bounce", "mailbox_full", "permanent") == (final["kind"], final["category"], final["permanence"])
    assert ("delay", "mailbox_full", "temporary") == (
        warning["kind"],
        warning["category"],
        warning["permanence"],
    )


def test_a_report_is_about_those_it_names() -> None:
    which = scenario("three_reasons")

    label = label_of("Returned", which.recipients[1].address, Reader("some", "never"))

    assert ["mailbox_full"] == label["accept"]
    assert [which.recipients[1].address] == label["recipients"]


def test_a_hidden_reason_lets_the_honest_answer_count() -> None:
    reader = Reader("some", "never", ({"text": "Action: failed", "category": "message_expired"},))

    label = label_of("Returned", scenario("refused").recipients[0].address, reader)

    assert ["connection_failed", "message_expired"] == label["accept"]


def test_the_kept_reports_are_split_by_scenario() -> None:
    labels = [json.loads(line) for line in (KEPT / "labels.jsonl").read_text("utf-8").splitlines()]
    sides = {
        split: {each["scenario"] for each in labels if each["split"] == split} for split in ("train", "test")
    }

    assert set() == sides["train"] & sides["test"]
    assert len([each for each in labels if each["split"] == "test"]) >= 120
    assert len(list(read_corpus(KEPT))) == len(labels) >= 250


def test_the_kept_reports_hold_no_test_string_of_a_scanner() -> None:
    marks = (b"X5O!P%@AP", b"XJS*C4JDBQADN1")

    assert [] == [
        file.name for file in (KEPT / "mails").iterdir() if any(mark in file.read_bytes() for mark in marks)
    ]
