"""The first format that claims the evidence reads it."""

from pathlib import Path

import pytest

from model.errors import EvidenceError
from model.mail import MAX_TEXT_BYTES
from model.parse import PARSERS, parse
from model.types import Form, Kind

SAMPLES = Path(__file__).parents[1] / "samples"
MAIL = b"From: MAILER-DAEMON@example.net\nSubject: failure notice\n\n<info@example.net>:\nno such user"
REPLY = b"550 5.1.1 <info@example.net>: User unknown"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def reader(raw: bytes, form: Form = Form.AUTO) -> str:
    return next(parser.name for parser in PARSERS if parser.claims(raw, form))


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (MAIL, "ndr_email"),
        (MAIL.replace(b"\n", b"\r\n"), "ndr_email"),
        (MAIL.replace(b"\n", b"\r"), "ndr_email"),
        (b"From MAILER-DAEMON Mon Mar  2 09:00:05 2026\n" + MAIL, "ndr_email"),
        (b"\xef\xbb\xbf" + MAIL, "ndr_email"),
        (b"\n\n" + MAIL, "ndr_email"),
        (b"Received: from a\n by b\nX-Test: 1\n\nbody", "ndr_email"),
        (OLE + b"more", "outlook_msg"),
        (REPLY, "pasted_text"),
        (b"Subject: only one field\n\ntext", "pasted_text"),
        (b"info@example.net: 550 no\nother@example.net: 550 no", "pasted_text"),
        (b"", "pasted_text"),
        (b"\x00\x01\x02", "pasted_text"),
    ],
)
def test_evidence_goes_to_the_format_it_has(raw: bytes, name: str) -> None:
    assert name == reader(raw)


@pytest.mark.parametrize(
    ("form", "name"),
    [(Form.MESSAGE, "ndr_email"), (Form.MSG, "outlook_msg"), (Form.AUTO, "pasted_text")],
)
def test_the_caller_may_say_what_it_is(form: Form, name: str) -> None:
    assert name == reader(REPLY, form)


def test_a_text_is_read_as_text_even_when_it_starts_like_an_outlook_file() -> None:
    assert "pasted_text" == reader(OLE, Form.TEXT)


@pytest.mark.parametrize("raw", [OLE, OLE + b"\x00" * 5000, b"", b"plain", MAIL])
def test_a_broken_outlook_file_is_refused(raw: bytes) -> None:
    with pytest.raises(EvidenceError, match=r"Outlook \.msg"):
        parse(raw, Form.MSG)


def test_an_outlook_file_is_read() -> None:
    report = parse((SAMPLES / "outlook-ndr.msg").read_bytes())

    assert (Kind.BOUNCE, ["sales@example.net"]) == (report.kind, [each.address for each in report.failures])


def test_a_pasted_reply_is_a_bounce_with_its_recipient() -> None:
    report = parse(REPLY)

    assert (Kind.BOUNCE, ["info@example.net"]) == (report.kind, [each.address for each in report.failures])
    assert REPLY.decode() == report.failures[0].diagnostic


def test_a_pasted_text_names_each_recipient_with_its_own_words() -> None:
    report = parse(b"<one@example.net>:\n550 no such user\n\n<two@example.net>:\n552 mailbox full\n")
    told = [(failure.address, failure.diagnostic.splitlines()[-1]) for failure in report.failures]

    assert [("one@example.net", "550 no such user"), ("two@example.net", "552 mailbox full")] == told


@pytest.mark.parametrize(
    ("text", "bare"),
    [("451 4.4.0 later", True), ("hello", True), ("Your message could not be delivered", False)],
)
def test_a_text_is_bare_that_does_not_say_what_it_is(text: str, *, bare: bool) -> None:
    assert bare is parse(text.encode()).is_bare_text


@pytest.mark.parametrize("charset", ["utf-8", "gbk", "utf-16", "hz"])
def test_a_pasted_text_may_have_any_charset(charset: str) -> None:
    assert "退信原因：收件人不存在" == parse("退信原因：收件人不存在".encode(charset)).notice


@pytest.mark.parametrize(("size", "warned"), [(100, False), (MAX_TEXT_BYTES + 1, True)])
def test_a_long_text_is_cut_with_a_warning(size: int, *, warned: bool) -> None:
    assert warned is bool(parse(b"x" * size).warnings)


def test_a_pasted_notice_leaves_the_returned_message_out() -> None:
    headers = (
        "Received: from a\nFrom: News <news@example.org>\nTo: other@example.org\nSubject: x\n" + "body\n" * 10
    )
    report = parse(
        f"550 5.1.1 <info@example.net>: User unknown\n\n--- Original message ---\n{headers}".encode()
    )

    assert ["info@example.net"] == [failure.address for failure in report.failures]
    assert "other@example.org" not in report.notice


QMAIL_LINE = (
    "delivery 12: failure: 192.0.2.1_does_not_like_recipient./Remote_host_said:_550_5.1.1_{}_unknown,_see"
    "_https://example.com/a/Giving_up_on_192.0.2.1./"
)


@pytest.mark.parametrize(
    ("head", "address"),
    [
        ("", "info@example.net"),
        ("info msg 42: bytes 900 from <news@example.org> qp 7 uid 0\n", "info@example.net"),
        ("starting delivery 12: msg 42 to remote first_last@example.net\n", "first_last@example.net"),
    ],
)
def test_a_log_line_of_qmail_is_read_as_words(head: str, address: str) -> None:
    (failure,) = parse(f"{head}{QMAIL_LINE.format(address)}".encode()).failures

    assert address == failure.address
    assert failure.diagnostic.endswith(
        f"192.0.2.1 does not like recipient. Remote host said: 550 5.1.1 {address.replace('_', ' ')} unknown,"
        " see https://example.com/a Giving up on 192.0.2.1."
    )


@pytest.mark.parametrize(
    ("logged", "kind", "addresses"),
    [
        ("RECV news@example.org info@example.net 2 8 -", Kind.BOUNCE, ["info@example.net"]),
        (
            "SCAN - news@example.org info@example.net 7.5 2 31 - SZ:9 SUBJ:x",
            Kind.BOUNCE,
            ["info@example.net"],
        ),
        ("RECV news@example.org info@example.net 5 4 -", Kind.DELAY, ["info@example.net"]),
        ("SEND ENC 2 8B20 550 5.1.1 <info@example.net>: User unknown", Kind.BOUNCE, ["info@example.net"]),
        ("SEND - 3 8B20 451 <info@example.net>: later", Kind.DELAY, ["info@example.net"]),
        ("SEND ENC 1 8B20 250 2.6.0 Queued mail for delivery", Kind.SUCCESS, [None]),
    ],
)
def test_a_log_line_of_barracuda_is_read(logged: str, kind: Kind, addresses: list[str | None]) -> None:
    line = f"Jan 2 03:04:05 gw mx.example.net[192.0.2.7] 1767323045-1a-1 1767323045 1767323046 {logged}"
    report = parse(line.encode())

    assert (kind, addresses) == (report.kind, [each.address for each in report.failures])
    assert not report.is_bare_text
