from base64 import encodebytes
from quopri import encodestring

import pytest

from service.ticketing.seeing import is_about_a_note, original_of
from tests.unit.ticketing.fakes import ORDINARY, bounce

MARK = b"[ndr-triage 0123456789abcdef0123456789abcdef]"
NOTE = b"From: desk@desk.example\nSubject: a comment\nMIME-Version: 1.0\n"


def _returned(mail: bytes) -> bytes:
    return bounce(returned="PLACE", returned_text="").replace(b"PLACE\n", mail)


CODED = NOTE + b"Content-Transfer-Encoding: base64\n\n" + encodebytes(b"Mailbox full\n\n" + MARK)
QUOTED = NOTE + b"Content-Transfer-Encoding: quoted-printable\n\n" + encodestring(b"x" * 40 + MARK)

TWICE = _returned(CODED).replace(b"--b", b"--inner").replace(b'"b"', b'"inner"')


@pytest.mark.parametrize(
    ("raw", "is_ours"),
    [
        pytest.param(bounce(text=MARK.decode()), True, id="in the notice"),
        pytest.param(bounce(returned_text=MARK.decode()), True, id="in the returned mail"),
        pytest.param(_returned(CODED), True, id="in base64"),
        pytest.param(_returned(QUOTED), True, id="in quoted-printable, with a soft break"),
        pytest.param(bounce(returned=f"Subject: {MARK.decode()} Mailbox full\n"), True, id="in its subject"),
        pytest.param(_returned(TWICE), True, id="returned twice"),
        pytest.param(bounce(), False, id="another bounce"),
        pytest.param(bounce(text="[ndr-triage 0123]"), False, id="no whole mark"),
        pytest.param(ORDINARY, False, id="ordinary mail"),
        pytest.param(b"", False, id="nothing"),
    ],
)
def test_a_mail_about_one_of_our_notes_is_known_by_its_mark(raw: bytes, *, is_ours: bool) -> None:
    assert is_ours == is_about_a_note(raw)


def test_the_mail_that_came_back_is_known_by_its_headers() -> None:
    found = original_of(
        bounce(returned="Message-ID:\n <a@b.example>\nSubject: =?utf-8?q?=C3=9C?=\nX-RT-Ticket: s #7\n")
    )
    assert found is not None
    assert ("<a@b.example>", "Ü", "s #7") == (found.message_id, found.subject, found.headers["x-rt-ticket"])


@pytest.mark.parametrize("raw", [bounce(returned=""), ORDINARY, b"", b"\x00\xff" * 50])
def test_where_none_is_shown_there_is_none(raw: bytes) -> None:
    assert original_of(raw) is None


def test_a_mail_that_came_back_as_text_is_found_too() -> None:
    qmail = (
        b"From: MAILER-DAEMON@mx.example.com\nSubject: failure notice\n\nHi. This is the qmail-send program "
        b"at mx.example.com.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n"
        b"This is a permanent error; I've given up. Sorry it didn't work out.\n\n<gone@example.net>:\n"
        b"550 5.1.1 User unknown\n\n--- Below this line is a copy of the message.\n\n"
        b"Return-Path: <desk@desk.example>\nMessage-ID: <sent-1@desk.example>\nSubject: Your order\n\nHello\n"
    )
    found = original_of(qmail)
    assert found is not None
    assert "<sent-1@desk.example>" == found.message_id
