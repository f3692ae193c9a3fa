import hashlib
import hmac
from collections.abc import Iterator
from datetime import timedelta

import pytest

from model.pipeline import Diagnoser
from model.types import Kind
from service.errors import CallFailed
from service.outgoing import Answered
from service.ticketing.calls import json_of, quoted, word_of
from service.ticketing.desks import CarefulCaller
from service.ticketing.errors import BadEvent, BadSignature, MoreNews
from service.ticketing.handling import Handler
from service.ticketing.marking import marked
from service.ticketing.nouns import Event, Note, Tags, Webhook
from service.ticketing.polling import OVERLAP, Poller
from service.ticketing.rebuilding import Piece, reassembled, rebuilt
from service.ticketing.signing import check_hmac, check_token
from tests.unit.ticketing.fakes import ORDINARY, FakeCaller, FakeClock, FakeDesk, bounce

BODY = b'{"ticket": 1}'
RIGHT = "sha256=" + hmac.new(b"secret", BODY, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("given", "secret", "is_right"),
    [
        (RIGHT, "secret", True),
        (RIGHT.upper().replace("SHA256", "sha256"), "secret", True),
        (RIGHT, "another", False),
        (RIGHT.removeprefix("sha256="), "secret", False),
        ("", "secret", False),
        ("sha256=ünï", "secret", False),
        (RIGHT, "", False),
        ("", "", False),
    ],
)
def test_only_the_holder_of_the_secret_can_sign(given: str, secret: str, *, is_right: bool) -> None:
    request = Webhook({"x-ndr-signature": given}, BODY)
    if is_right:
        check_hmac(request, secret)
    else:
        with pytest.raises(BadSignature):
            check_hmac(request, secret)


def test_a_token_must_be_there_on_both_sides() -> None:
    check_token("a", "a")
    for given, expected in (("", ""), ("a", ""), ("", "a"), ("a", "b")):
        with pytest.raises(BadSignature):
            check_token(given, expected)


@pytest.mark.parametrize(
    ("part", "shown"),
    [("12", "12"), ("../7", "..%2F7"), ("..", "%2E%2E"), ("a?b#c", "a%3Fb%23c"), (".", "%2E")],
)
def test_an_id_from_outside_stays_one_part_of_a_path(part: str, shown: str) -> None:
    assert shown == quoted(part)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadEvent):
        json_of(Webhook({}, body))


@pytest.mark.parametrize("value", [{}, {"a": None}, {"a": True}, {"a": " "}, {"a": {"b": []}}, {"a": 1.5}])
def test_a_word_that_is_missing_is_named(value: dict[str, object]) -> None:
    with pytest.raises(BadEvent, match="a is missing"):
        word_of(value, "a")


def test_new_tags_take_the_place_of_our_old_ones() -> None:
    tags = Tags("bounce", "mailbox_full", "temporary", "retry", "recipient", "mailbox", 0.987, ("quota",))
    own = ("vip", "ndr-category-recipient_unknown", "quota")
    assert (
        *("vip", "ndr-kind-bounce", "ndr-category-mailbox_full", "ndr-action-retry", "quota"),
    ) == tags.among(own)
    assert {"Why": "mailbox_full", "Sure": "0.99"} == tags.fields({"category": "Why", "confidence": "Sure"})


def test_a_note_ends_with_its_mark_and_html_in_it_is_text() -> None:
    note = Note("Full", "Full <b>\n", "0" * 32, "https://ndr.example.com/x")
    mark = f"[ndr-triage {'0' * 32}]"
    assert f"{mark}\nFull <b>\n\nhttps://ndr.example.com/x\n{mark}" == note.text
    assert "&lt;b&gt;" in note.html


class Failing:
    """Fails always, and counts."""

    def __init__(self) -> None:
        self.count = 0

    def call(self, *_: object, **__: object) -> Answered:
        self.count += 1
        raise CallFailed("no route")


@pytest.mark.parametrize(("method", "counts"), [("GET", (1, 0)), ("POST", (0, 1)), ("PUT", (0, 1))])
def test_only_questions_go_to_the_caller_that_repeats(method: str, counts: tuple[int, int]) -> None:
    patient, single = Failing(), Failing()
    with pytest.raises(CallFailed):
        CarefulCaller(patient, single).call(method, "/")
    assert counts == (patient.count, single.count)


def test_a_mail_is_put_together_from_its_pieces(diagnoser: Diagnoser) -> None:
    pieces = [
        Piece("1", "", 'From: MAILER-DAEMON@a.example\nContent-Type: multipart/report; boundary="b"\n'
              "Content-Transfer-Encoding: base64\nSubject: Undelivered Mail Returned to Sender", b""),
        Piece("2", "1", "content-type: text/plain; charset=utf-8", b"<g@b.example>: 550 5.1.1 unknown\n"),
        Piece("3", "1", "Content-Type: message/delivery-status",
              b"Reporting-MTA: dns; a.example\n\nFinal-Recipient: rfc822; g@b.example\nAction: failed\n"
              b"Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n"),
        Piece("4", "1", "Content-Type: message/rfc822", b""),
        Piece("5", "4", "Message-ID: <x@a.example>\nContent-Type: text/plain", b"hello\n"),
    ]  # fmt: skip
    diagnosis = diagnoser.diagnose(reassembled(pieces[0], pieces))
    assert ("bounce", "recipient_unknown", "<x@a.example>") == (
        diagnosis.kind,
        diagnosis.lead.verdict.category,
        diagnosis.report.original_message_id,
    )


def test_pieces_that_contain_each_other_end() -> None:
    pieces = [Piece("1", "2", "A: b", b"x"), Piece("2", "1", "A: b", b"y")]
    assert b"A: b" in reassembled(pieces[0], pieces)


def test_a_rebuilt_mail_is_a_bounce_again(diagnoser: Diagnoser) -> None:
    raw = rebuilt(
        {"From": "<MAILER-DAEMON@a.example>", "Subject": "Undelivered Mail\nReturned to Sender", "X": ""},
        "<g@b.example>: host mx.b.example said: 550 5.1.1 User unknown",
        [("application/octet-stream", "hello.eml", "Message-ID: <x@a.example>\n\nhello\n")],
    )
    diagnosis = diagnoser.diagnose(raw)
    assert (Kind.BOUNCE, "<x@a.example>") == (diagnosis.kind, diagnosis.report.original_message_id)


def test_a_marked_mail_is_the_same_with_four_fields_more(diagnoser: Diagnoser) -> None:
    raw = bounce().replace(b"\n", b"\r\n")
    found = marked(b"X-NDR-Kind: forged\r\n\tand folded\r\n" + raw, diagnoser)
    fields, rest = found[: -len(raw)], found[-len(raw) :]
    assert raw == rest
    assert [b"X-NDR-Kind: bounce", b"X-NDR-Category: recipient_unknown", b"X-NDR-Action: review"] == (
        fields.splitlines()[:3]
    )
    assert b"X-NDR-Kind: not_ndr" in marked(ORDINARY, diagnoser)


def test_polling_takes_what_is_new_and_remembers_when(
    handler: Handler, desk: FakeDesk, clock: FakeClock
) -> None:
    desk.receive(bounce())
    poller = Poller(handler, "desk")
    assert [1, 0] == [poller.once(now=clock.now), poller.once(now=clock.now)]
    assert 1 == len(desk.changes)
    assert clock.now == handler.ledger.cursor("desk")
    assert OVERLAP.total_seconds() > 0


def test_a_system_that_is_away_is_asked_again_from_the_same_moment(
    handler: Handler, desk: FakeDesk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.receive(bounce())

    def away(*_: object) -> None:
        raise CallFailed("no route")

    with monkeypatch.context() as patch:
        patch.setattr(desk, "poll", away)
        assert Poller(handler, "desk").once(now=clock.now) is None
    assert handler.ledger.cursor("desk") is None
    assert 1 == Poller(handler, "desk").once(now=clock.now)


@pytest.mark.parametrize(
    ("error", "cursor_s"),
    [
        pytest.param(MoreNews(FakeClock().now - timedelta(minutes=9)), -540, id="it goes on where it ended"),
        pytest.param(MoreNews(FakeClock().now - timedelta(hours=2)), 0, id="it came no further"),
        pytest.param(MoreNews(None), 0, id="nobody knows where it ended"),
        pytest.param(MoreNews(FakeClock().now + timedelta(days=1)), 0, id="the system's clock is ahead"),
        pytest.param(CallFailed("no route"), None, id="it broke off"),
    ],
)
def test_what_came_before_a_look_ended_early_is_kept(
    handler: Handler,
    desk: FakeDesk,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    cursor_s: float | None,
) -> None:
    event = desk.receive(bounce())

    def some(*_: object) -> Iterator[Event]:
        yield event
        raise error

    monkeypatch.setattr(desk, "poll", some)
    assert (None if cursor_s is None else 1) == Poller(handler, "desk").once(now=clock.now)
    assert 1 == len(desk.changes)
    expected = None if cursor_s is None else clock.now + timedelta(seconds=cursor_s)
    assert expected == handler.ledger.cursor("desk")


def test_a_fake_caller_refuses_what_is_not_in_its_script() -> None:
    assert [] == FakeCaller({}).made("GET")
