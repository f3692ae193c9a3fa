"""Notes on header fields are well formed, told in both languages, and found by what headers say."""

import pytest

from model.header_notes import explanation, header_notes, is_explained
from model.resources import data_file, data_files, read_toml

DATA = read_toml(data_file("logs", "headers.toml"))
CAUSES = {cause["id"] for file in data_files("knowledge", "en") for cause in read_toml(file).get("cause", [])}
HEADERS = {header["name"] for header in DATA["header"]}


def test_ids_are_unique() -> None:
    ids = [note["id"] for note in DATA["note"]]

    assert sorted(set(ids)) == sorted(ids)


def test_names_are_unique() -> None:
    names = [
        name.lower() for header in DATA["header"] for name in (header["name"], *header.get("aliases", ()))
    ]

    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("note", DATA["note"], ids=lambda note: note["id"])
def test_a_note_is_complete(note: dict[str, str]) -> None:
    assert note["header"] in HEADERS
    assert all(note[key] for key in ("value", "en", "zh", "source"))
    assert note.get("cause") is None or note["cause"] in CAUSES
    assert note["en"].endswith(".")
    assert note["zh"].endswith("。")


@pytest.mark.parametrize("header", DATA["header"], ids=lambda header: header["name"])
def test_a_header_has_notes(header: dict[str, str]) -> None:
    told = header.get("notes_of", header["name"]).partition("/")[0]

    assert any(note["header"] == told for note in DATA["note"])


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "Authentication-Results",
            "spf=fail (sender IP is 192.0.2.5; helo=x) smtp.mailfrom=example.com; dkim=none (message not"
            " signed) header.d=none;dmarc=fail action=oreject header.from=x.example;compauth=fail reason=001",
            ["spf.fail", "dkim.none", "dmarc.fail", "dmarc.action_override", "compauth.fail",
             "compauth.reason_001"],
        ),
        (
            "authentication-results",
            'mx.example.com; dkim=fail reason="signature verification failed" header.d=example.com; spf=pass',
            ["dkim.fail", "spf.pass"],
        ),
        ("ARC-Authentication-Results", "i=1; mx.google.com; dmarc=pass (p=NONE)", ["dmarc.pass"]),
        ("Received-SPF", "SoftFail (mx: domain of x) client-ip=192.0.2.1;", ["spf.softfail"]),
        ("X-Forefront-Antispam-Report", "CIP:255.255.255.255;CTRY:;SCL:-1;SFV:SKN;CAT:HPHISH;DIR:INT;",
         ["forefront.cip_internal", "forefront.scl_bypass", "forefront.sfv_skn", "forefront.cat_high_phish",
          "forefront.dir_internal"]),
        ("X-MS-Exchange-Organization-SCL", "9", ["forefront.scl_high"]),
        ("X-Microsoft-Antispam", "BCL:7;ARA:1;", ["antispam.bcl_mixed"]),
        ("X-MS-Exchange-Message-Is-Ndr", "", ["exchange.is_ndr"]),
        ("X-Barracuda-Spam-Status", "No, SCORE=0.00 using global scores of", ["barracuda.status_clean"]),
        ("X-Spam-Status", "Yes, score=9.1 required=5.0 tests=A,B", ["spamassassin.spam"]),
        ("X-Proofpoint-Spam-Details", "rule=notspam policy=default score=0",
         ["proofpoint.clean", "proofpoint.score"]),
        ("X-Proofpoint-Spam-Details", "rule=inbound_spam_definite score=100",
         ["proofpoint.spam", "proofpoint.score"]),
        ("ARC-Seal", "i=2; a=rsa-sha256; cv=fail; d=example.com", ["arc.chain_fail"]),
        ("Return-Path", "<>", ["envelope.null_sender"]),
        ("Return-Path", "<a@example.com>", []),
        ("Auto-Submitted", "auto-replied (vacation)", ["automatic.replied"]),
        ("X-SBRS", "-7.4", ["ironport.reputation_bad"]),
        ("Subject", "spf=fail", []),
        ("X-Spam-Status", "", []),
    ],
)  # fmt: skip
def test_what_a_field_says_is_explained(name: str, value: str, expected: list[str]) -> None:
    assert expected == [note.id for note in header_notes(name, value)]


def test_an_explanation_is_found_by_its_id() -> None:
    entry = explanation("spf.fail")

    assert entry is not None
    assert "SPF" in entry.en
    assert "SPF" in entry.zh
    assert explanation("no.such") is None


def test_only_known_headers_are_explained() -> None:
    assert (True, False) == (is_explained("x-cm-transid"), is_explained("Subject"))
