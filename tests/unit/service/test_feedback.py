"""What is kept of a correction points to nobody, and travels as lines of JSON."""

from dataclasses import asdict, replace
from typing import Any

import orjson
import pytest

from model.pipeline import build_diagnoser
from model.providers import providers
from model.types import Diagnosis, Form, Permanence
from service.anonymise import common_words, masked, names_in, points_to_somebody, safe_note
from service.errors import BadCorrection
from service.feedback import Draft, corrections_in, draft_of, kept, line_of

DSN = """\
From: MAILER-DAEMON@relay-ab.example.net
To: office@example.org
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Sorry.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay-ab.example.net

Final-Recipient: rfc822; zoe.quince@blueheron.example.com
Action: failed
Status: 5.0.0
Remote-MTA: dns; heronbox.blueheron.example.com
Diagnostic-Code: smtp; 550 5.0.0 heronbox says that Quince, Zoe (zoe.quince) wants no parcels via 2001:db8::17
 or 192.0.2.7; ask postmaster@blueheron.example.com, quoting 4WbX1y9z2A

--b--
"""
PRIVATE = ("zoe", "quince", "blueheron", "heronbox", "2001", "192", "postmaster@", "4wbx1y9z2a", "relay-ab")


@pytest.fixture(scope="module")
def diagnosis() -> Diagnosis:
    return build_diagnoser(with_model=False).diagnose(DSN.encode(), form=Form.MESSAGE)


@pytest.fixture
def draft(diagnosis: Diagnosis) -> Draft:
    return draft_of(diagnosis, "recipient_restricted", permanence=Permanence.PERMANENT)


def test_what_is_kept_points_to_nobody(draft: Draft) -> None:
    everything = str(asdict(draft)).lower()

    assert [] == [name for name in PRIVATE if name in everything]


def test_the_words_and_facts_of_the_reply_are_kept(draft: Draft) -> None:
    assert "wants no parcels via _ip_ or _ip_ ask _addr_ quoting _id_" in draft.canonical
    assert {"smtp=550", "class=5", "enhanced=.0.0", "parcels", "no parcels"} <= set(draft.features)


def test_the_answer_is_kept_with_what_gave_it(diagnosis: Diagnosis, draft: Draft) -> None:
    assert (diagnosis.lead.verdict.category, diagnosis.rules_version, None) == (
        draft.answered_category,
        draft.rules_version,
        draft.model_version,
    )


def test_common_words_are_nobody_s_name() -> None:
    diagnosis = build_diagnoser(with_model=False).diagnose(
        b"550 5.1.1 <user@mail.example.com>: user unknown, mailbox unavailable", form=Form.TEXT
    )

    assert "_addr_ user unknown mailbox unavailable" == draft_of(diagnosis, "recipient_unknown").canonical
    assert {"user", "unknown", "mailbox"} <= common_words()


def test_the_host_of_a_public_provider_hides_none_of_its_words() -> None:
    diagnosis = build_diagnoser(with_model=False).diagnose(
        b"Remote host quincemail.mail.protection.outlook.com said: 550 5.0.0 quincemail protection says no",
        form=Form.TEXT,
    )

    assert "protection says no" in draft_of(diagnosis, "policy_rejected").canonical


@pytest.mark.parametrize("name", sorted(providers().by_id))
def test_the_name_of_a_provider_points_to_nobody(name: str) -> None:
    assert not points_to_somebody(f"party={name}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from 2001:db8::1 at 10:14:07", "from  192.0.2.1  at 10:14:07"),
        ("from [fe80::1]", "from [ 192.0.2.1 ]"),
        ("std::move failure:: 5.1.1 12:30", "std::move failure:: 5.1.1 12:30"),
    ],
)
def test_addresses_of_version_6_are_masked(text: str, expected: str) -> None:
    assert expected == masked(text)


def test_a_name_is_masked_beside_chinese_words() -> None:
    assert "收件人 user@example.com 不存在" == masked("收件人zoe不存在", (("zoe", " user@example.com "),))


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("Members only, see the list.", "Members only, see the list."),
        ("  two\n lines\x1b[31m ", "two lines[31m"),
        ("Ask Zoe", "ask _addr_"),
        ("See https://example.com/a", "see _url_"),
        ("It is mx1.example.com", "it is _host_"),
        ("From 192.0.2.1", "from _ip_"),
        ("From 2001:db8::1", "from _ip_"),
        ("From 192.0\u200b.2.1", "from _ip_"),
        ("a@b " * 120, ("_addr_ " * 120)[:500]),
    ],
)
def test_a_note_is_kept_when_it_points_to_nobody(diagnosis: Diagnosis, note: str, expected: str) -> None:
    assert expected == safe_note(note, names_in(diagnosis))
    assert not points_to_somebody(expected)


def test_a_reply_without_words_teaches_nothing(diagnosis: Diagnosis) -> None:
    wordless = replace(diagnosis.lead, unwrapped=replace(diagnosis.lead.unwrapped, start=0, end=0))

    with pytest.raises(BadCorrection, match="no words"):
        draft_of(replace(diagnosis, lead=wordless), "mailbox_full")


def test_a_correction_survives_its_line(draft: Draft) -> None:
    correction = kept(draft, at="2026-11-02T10:14:07Z")

    assert [correction, correction] == list(corrections_in(line_of(correction) * 2 + b"\n", "file"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"status": "done"}, "done"),
        ({"correct_category": "no_such"}, "is not one of recipient_unknown"),
        ({"correct_permanence": "forever"}, "forever"),
        ({"canonical": "ask user@example.com"}, "holds an address"),
        ({"features": ["mx1.example.com"]}, "holds an address"),
        ({"note": "from 192.0.2.1"}, "holds an address"),
        ({"note": "x" * 501}, "500 are allowed"),
        ({"note": "\x1b[2J"}, "printable"),
        ({"features": [5]}, "printable"),
        ({"count": 0}, "count"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_line_is_named_with_the_reason(draft: Draft, change: dict[str, Any], says: str) -> None:
    line = line_of(kept(draft, at="2026-11-02T10:14:07Z"))
    wrong = orjson.dumps(orjson.loads(line) | change)

    with pytest.raises(BadCorrection, match=rf"file: line 2: .*{says}"):
        list(corrections_in(line + wrong, "file"))


@pytest.mark.parametrize("line", [b"{", b"[]", b"5", b"{}", b"\xff"])
def test_a_line_that_is_no_correction_is_named(line: bytes) -> None:
    with pytest.raises(BadCorrection, match="file: line 1"):
        list(corrections_in(line, "file"))
