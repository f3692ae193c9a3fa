"""Header blocks are read as clients show and people paste them: hops oldest first, then notes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.events import Event, Role, What
from model.parse.headers import FORMAT
from tests.unit.parse.mutated import mutated

SAMPLES = {
    path.stem: path.read_text("utf-8")
    for path in sorted((Path(__file__).parents[2] / "samples" / "logs").glob("headers*.txt"))
}
LINES = [line for text in SAMPLES.values() for line in text.splitlines()]
BLOCK = """\
Received: from b.example.com (192.0.2.2) by c.example.com (192.0.2.3) with
 Microsoft SMTP Server id 15.1.2507.39; Mon, 2 Nov 2026 10:14:09 +0800
Received: from a.example.com (a.example.com [192.0.2.1])
\tby b.example.com (Postfix) with ESMTP id 4Qx
\tfor <Info@example.com>; Mon,  2 Nov 2026 02:14:07 +0000 (UTC)
Message-ID: <1@a.example.com>
Subject: hello
Authentication-Results: c.example.com; spf=pass
 smtp.mailfrom=example.com; dmarc=fail"""


def told(text: str) -> list[Event]:
    return [event for event in FORMAT.read(text.splitlines()) if event]


def hops(text: str) -> list[Event]:
    return [event for event in told(text) if event.what is What.RECEIVED]


def notes(text: str) -> list[tuple[str, str, str]]:
    return [
        (event.detail["field"], event.detail["value"], event.detail["note"])
        for event in told(text)
        if event.what is What.NOTED
    ]


def test_it_is_a_witness_of_headers() -> None:
    assert ("headers", Role.HEADERS) == FORMAT[:2]


def test_each_hop_carries_what_the_block_tells_of_the_mail() -> None:
    older, newer = hops(BLOCK)

    assert older == Event(
        What.RECEIVED,
        5,
        at=datetime(2026, 11, 2, 2, 14, 7, tzinfo=UTC),
        host="b.example.com",
        peer="a.example.com",
        peer_ip="192.0.2.1",
        message_id="<1@a.example.com>",
        queue_id="4Qx",
        recipients=("info@example.com",),
        detail={"protocol": "ESMTP", "software": "Postfix", "helo": "a.example.com"},
    )
    assert ("c.example.com", "b.example.com", "2", "<1@a.example.com>") == (
        newer.host,
        newer.peer,
        newer.detail["delay_s"],
        newer.message_id,
    )


def test_a_note_names_its_entry_and_its_cause() -> None:
    *_, note = told(BLOCK)

    assert note == Event(
        What.NOTED,
        9,
        host="c.example.com",
        message_id="<1@a.example.com>",
        detail={
            "header": "Authentication-Results",
            "field": "dmarc",
            "value": "fail",
            "note": "dmarc.fail",
            "cause": "dmarc_not_aligned",
        },
    )


PASTED = {
    "as it is": BLOCK,
    "windows line ends": BLOCK.replace("\n", "\r\n"),
    "quoted": "\n".join(f"> {line}" for line in BLOCK.splitlines()),
    "quoted twice": "\n".join(f">> {line}" for line in BLOCK.splitlines()),
    "quoted twice with blanks": "\n".join(f"> > {line}" for line in BLOCK.splitlines()),
    "indented": "\n".join(f"    {line}" for line in BLOCK.splitlines()),
    "indented but for the first line": BLOCK.replace("\n", "\n    "),
    "folds lost": "\n".join(line.lstrip() for line in BLOCK.splitlines()),
    "spaced out": BLOCK.replace("\n", "\n\n"),
    "blank lines in front and behind": f"\n\n{BLOCK}\n\n",
    "byte order mark": f"\ufeff{BLOCK}",
    "with a title": f"Internet headers\n\n{BLOCK}",
    "after a cut field": f" by x.example.com; Mon, 2 Nov 2026\n{BLOCK}",
    "a word at the start": f"See here:\n{BLOCK}",
    "broken by a blank line": BLOCK.replace("Message-ID", "\nMessage-ID"),
}


@pytest.mark.parametrize("form", PASTED)
def test_a_block_is_read_in_any_form(form: str) -> None:
    expected = [(event.host, event.peer_ip, event.queue_id, event.at) for event in hops(BLOCK)]

    assert FORMAT.claims(PASTED[form])
    assert expected == [(event.host, event.peer_ip, event.queue_id, event.at) for event in hops(PASTED[form])]
    assert notes(BLOCK) == notes(PASTED[form])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "550 5.1.1 <user@example.com>: Recipient address rejected: User unknown",
        f"{BLOCK}\n\nHello,\nthe list is attached.\n",
        f"{BLOCK}\n\n--b1\nContent-Type: text/plain\n\nHello\n",
        "From: a@example.com\nTo: b@example.com\nSubject: hello\n",
        f"550 5.1.1 User unknown\n\nOriginal message headers:\n\n{BLOCK}",
        f"Your message could not be delivered.\nIt was for\ninfo@example.com.\n\n{BLOCK}",
        f"Reporting-MTA: dns; mx.example.com\nFinal-Recipient: rfc822; a@example.com\n\n{BLOCK}",
        "date-time,client-ip,client-hostname\n2026-11-02T02:14:07.000Z,192.0.2.1,a\n",
        "Nov  2 10:14:07 mx1 postfix/smtp[421]: 4Qx: to=<user@example.com>, status=sent",
        '{"Received": "from a by b"}',
    ],
)
def test_other_texts_are_not_claimed(text: str) -> None:
    assert not FORMAT.claims(text)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_are_claimed(name: str) -> None:
    assert FORMAT.claims(SAMPLES[name])


def test_a_part_of_a_block_is_claimed_by_what_is_explained() -> None:
    assert FORMAT.claims("X-Forefront-Antispam-Report: CIP:192.0.2.1;SCL:5;\nX-Microsoft-Antispam: BCL:0;\n")


def test_no_mail_with_a_body_is_claimed() -> None:
    mails = (Path(__file__).parents[2] / "samples").glob("*.eml")

    assert [] == [mail.name for mail in mails if FORMAT.claims(mail.read_bytes().decode("latin-1"))]


def test_clocks_that_differ_give_a_negative_delay() -> None:
    submitted, handed_over, stored = hops(SAMPLES["headers-exchange-internal"])

    assert [None, "-437", "1"] == [event.detail.get("delay_s") for event in (submitted, handed_over, stored)]
    assert ("EX1.example.com", "EX2.example.com") == (submitted.host, handed_over.host)
    assert "00112233-4455-6677-8899-aabbccddeeff" == submitted.network_message_id
    assert "Exchange 15.1.2507.39" == handed_over.detail["software"]


def test_gmail_shows_a_summary_before_and_the_body_behind() -> None:
    events = hops(SAMPLES["headers-gmail"])

    assert ["mail.example.org", "mx.google.com"] == [event.host for event in events[:2]]
    assert ("news@example.org", ("info@example.net",)) == (events[-1].sender, events[-1].recipients)
    assert ("spf", "softfail", "spf.softfail") in notes(SAMPLES["headers-gmail"])


def test_chinese_providers_leave_their_ids() -> None:
    found = {note: value for _, value, note in notes(SAMPLES["headers-coremail-qq"])}

    assert ["QQ Mail", "Coremail"] == [e.detail["software"] for e in hops(SAMPLES["headers-coremail-qq"])]
    assert "AbCdCgA0000000Example00A--.12345S2" == found["coremail.transid"]
    assert "xmsmtpt1793585647abcdefgh1" == found["qq.mid"]


def test_a_barracuda_is_known_by_the_field_above_its_hop() -> None:
    text = SAMPLES["headers-barracuda-exchange"]
    connect = next(event for event in told(text) if event.detail.get("note") == "barracuda.connect")
    start = next(event for event in told(text) if event.detail.get("note") == "barracuda.start_time")

    assert ["Exim 4.96", "Barracuda", "Exchange 15.1.2507.39"] == [
        event.detail["software"] for event in hops(text)
    ]
    assert ("mx.example.net", "198.51.100.99") == (connect.peer, connect.peer_ip)
    assert datetime(2026, 11, 2, 10, 20, 57, tzinfo=UTC) == start.at
    assert "bounce@example.net" == hops(text)[-1].sender


def test_the_null_sender_is_no_unknown_sender() -> None:
    assert ["", None] == [
        event.sender
        for lead in ("Return-Path: <>\n", "")
        for event in hops(f"{lead}Received: by a.example.com; Mon, 2 Nov 2026 10:14:09 +0800\n")
    ]


def test_the_failed_recipients_of_a_report_are_named() -> None:
    (event,) = told("X-Failed-Recipients: A@example.com, b@example.com\n")

    assert ("a@example.com", "b@example.com") == event.recipients


def test_headers_that_are_not_explained_are_passed_over() -> None:
    assert [None, None] == list(FORMAT.read(["X-Unheard-Of: 1", "Subject: hello"]))


def test_names_in_a_signature_start_no_field() -> None:
    text = (
        "DKIM-Signature: v=1; h=from:to\n :cc\n date:message-id: subject; b=x\nReceived: by a.example.com\n"
    )

    assert 1 == len(hops(text))
    assert [] == [event for event in told(text) if event.message_id]


@given(mutated(LINES))
@settings(max_examples=200, deadline=None)
def test_damage_never_raises(lines: list[str]) -> None:
    assert all(event is None or event.line <= len(lines) for event in FORMAT.read(lines))
    assert FORMAT.claims("\n".join(lines)) in (True, False)


@given(st.integers(0, 400), st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_a_cut_block_keeps_its_whole_hops(start: int, length: int) -> None:
    cut = BLOCK[start : start + length]

    assert len(hops(cut)) <= 2


def test_a_huge_block_is_bounded() -> None:
    lines = ["Received: from a by b with SMTP; Mon, 2 Nov 2026 10:14:09 +0800", " ; x" * 9] * 20_000
    events = [event for event in FORMAT.read(lines) if event]

    assert 200 == len(events)
