"""The adapter for Znuny, against a small Znuny of its own on loopback."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from model.pipeline import Diagnoser
from service.errors import CallFailed, CallRefused
from service.outgoing import Answered, HttpCaller
from service.ticketing.desks import Desk
from service.ticketing.errors import BadEvent, BadSignature, MoreNews
from service.ticketing.handling import Handler
from service.ticketing.ledger import Ledger, State
from service.ticketing.nouns import Change, Event, Note, Origin, Original, Routing, System, Tags, Webhook
from service.ticketing.systems import znuny as module
from service.ticketing.systems.znuny import Znuny
from tests.unit.ticketing.fake_server import FakeServer
from tests.unit.ticketing.fake_znuny import AGENT, NOW, SESSION, FakeZnuny
from tests.unit.ticketing.fakes import KEY, ORDINARY, SHARED, bounce, signed

NUMBER = "2026112400000007"
SYSTEM = System(
    "desk",
    "znuny",
    "https://desk.example/znuny",
    user=AGENT,
    token=KEY,
    secret=SHARED,
    merge=True,
    fields={"category": "BounceCategory"},
    options={"tags_field": "BounceTags"},
)
ZNUNY = Znuny(SYSTEM)
TAGS = Tags("bounce", "mailbox_full", "temporary", "retry", "recipient", "mailbox", 0.98, ("vip",))
NOTE = Note("Mailbox full", "Mailbox full <now>\n", "0" * 32)
RETURNED = f"Message-ID: <sent-1@desk.example>\nSubject: Re: [Ticket#{NUMBER}] Your order\n"
BOUNCE = Event("12", "101")


@pytest.fixture
def znuny() -> FakeZnuny:
    """Ticket 7, from which a mail was sent, and ticket 12, which its bounce opened."""
    fake = FakeZnuny()
    fake.add_ticket(7)
    fake.add_article(7, SenderType="agent", MessageID="<sent-1@desk.example>")
    fake.add_ticket(12, BounceTags="of others, ndr-kind-delay")
    fake.add_article(12, bounce(returned=RETURNED))
    return fake


@pytest.fixture
def server(znuny: FakeZnuny) -> Iterator[FakeServer]:
    with znuny.server() as server:
        yield server


@pytest.fixture
def caller(server: FakeServer) -> HttpCaller:
    return server.caller(ZNUNY.headers())


def test_an_invoker_tells_of_an_article(znuny: FakeZnuny) -> None:
    assert BOUNCE == ZNUNY.read(znuny.webhook(101))
    assert BOUNCE == ZNUNY.read(znuny.webhook(101, with_ticket=False))


def test_a_call_of_ones_own_tells_of_an_article() -> None:
    assert BOUNCE == ZNUNY.read(signed(b'{"TicketID": 12, "ArticleID": "101"}'))


@pytest.mark.parametrize("kind", ["agent", "system"])
def test_what_an_agent_or_znuny_wrote_is_left_alone(znuny: FakeZnuny, kind: str) -> None:
    assert ZNUNY.read(znuny.webhook(znuny.add_article(12, SenderType=kind))) is None


@pytest.mark.parametrize(
    "body", [b'{"Event": {"Event": "TicketQueueUpdate", "TicketID": "12"}}', b'{"TicketID": 12}', b"{}"]
)
def test_a_change_without_an_article_is_none(body: bytes) -> None:
    assert ZNUNY.read(signed(body)) is None


def test_a_webhook_that_does_not_say_which_ticket_is_refused() -> None:
    for body in (b'{"ArticleID": 101}', b"[]", b"{"):
        with pytest.raises(BadEvent):
            ZNUNY.read(signed(body))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Basic !"},
        {"authorization": "Basic bmRy"},
        {"authorization": f"Bearer {SHARED}"},
        {"authorization": "Bearer bmRyOnNoYXJlZCBieSBib3RoIHNpZGVz"},
        {"x-ndr-signature": "sha256=00"},
        {"x-ndr-signature": "", "authorization": "Basic bmRyOnNoYXJlZCBieSBib3RoIHNpZGVz"},
    ],
)
def test_a_webhook_without_the_secret_is_not_believed(headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        ZNUNY.read(Webhook(headers, b'{"TicketID": 12, "ArticleID": 101}'))


def test_a_wrong_password_or_none_to_compare_with_is_refused(znuny: FakeZnuny) -> None:
    with pytest.raises(BadSignature, match="wrong"):
        ZNUNY.read(znuny.webhook(101, "another"))
    with pytest.raises(BadSignature, match="no secret"):
        Znuny(replace(SYSTEM, secret="")).read(znuny.webhook(101, ""))


def test_the_mail_is_put_together_from_an_article(caller: HttpCaller, diagnoser: Diagnoser) -> None:
    raw = ZNUNY.fetch(caller, BOUNCE)
    assert raw is not None
    diagnosis = diagnoser.diagnose(raw)
    assert ("bounce", "recipient_unknown", "<sent-1@desk.example>") == (
        diagnosis.kind,
        diagnosis.lead.verdict.category,
        diagnosis.report.original_message_id,
    )


def test_only_the_newest_articles_are_fetched_with_their_files(znuny: FakeZnuny, server: FakeServer) -> None:
    znuny.add_article(12, SenderType="agent", Body="an answer")
    newest = znuny.add_article(12, bounce("other@example.net"))
    raw = ZNUNY.fetch(server.caller(ZNUNY.headers()), Event("12", str(newest)))
    assert raw is not None
    assert b"other@example.net" in raw
    assert "1" == server.calls[-1].query["ArticleLimit"]


def test_pictures_are_left_out_and_nested_mails_are_known_by_their_names(
    znuny: FakeZnuny, caller: HttpCaller
) -> None:
    files = [
        {"Filename": "a.png", "ContentType": "image/png", "Content": "AAAA"},
        {"Filename": "x.eml", "ContentType": "application/octet-stream", "Content": "U3ViamVjdDogeAoKeAo="},
    ]
    number = znuny.add_article(12, Body="hello", Attachment=files, MessageID="<report@mx.example.com>")
    raw = ZNUNY.fetch(caller, Event("12", str(number)))
    assert raw is not None
    assert b"Message-ID: <report@mx.example.com>" in raw
    assert b"image/png" not in raw
    assert b"Content-Type: message/rfc822" in raw


@pytest.mark.parametrize("kind", ["agent", "system", None])
def test_what_is_no_mail_from_outside_has_none(
    znuny: FakeZnuny, caller: HttpCaller, kind: str | None
) -> None:
    number = znuny.add_article(12, ORDINARY, SenderType=kind) if kind else 999
    assert ZNUNY.fetch(caller, Event("12", str(number))) is None


def test_an_article_that_moved_meanwhile_is_tried_again(znuny: FakeZnuny, caller: HttpCaller) -> None:
    class Late:
        """A caller before whose second call another article comes."""

        def call(self, method: str, path: str, **given: object) -> Answered:
            if "Attachments" in path:
                znuny.add_article(12, ORDINARY)
            return caller.call(method, path, **given)  # type: ignore[arg-type]

    with pytest.raises(CallFailed, match="meanwhile"):
        ZNUNY.fetch(Late(), BOUNCE)


@pytest.mark.parametrize("ticket", ["99", "../7"])
def test_a_ticket_that_we_may_not_see_is_refused(caller: HttpCaller, ticket: str) -> None:
    with pytest.raises(CallRefused, match="AccessDenied"):
        ZNUNY.fetch(caller, Event(ticket, "1"))


@pytest.mark.parametrize(
    ("subject", "ticket"),
    [
        (f"Re: [Ticket#{NUMBER}] Your order", "7"),
        (f"[ticket#: {NUMBER}] Your order", "7"),
        ("[Ticket#2026112400000099] a number that is not there", None),
        (f"[Ticket#{NUMBER}1] a longer one", None),
        (f"Your order {NUMBER}", None),
        ("", None),
    ],
)
def test_the_origin_is_a_ticket_that_znuny_knows(
    caller: HttpCaller, subject: str, ticket: str | None
) -> None:
    expected = Origin(ticket, by_id=False) if ticket else None
    assert expected == ZNUNY.origin(caller, Original("<sent-1@desk.example>", {"subject": subject}))


def test_the_hook_may_be_another(caller: HttpCaller) -> None:
    adapter = Znuny(replace(SYSTEM, options={"hook": "Case-"}))
    assert Origin("7", by_id=False) == adapter.origin(
        caller, Original(None, {"subject": f"[Case-{NUMBER}] x"})
    )
    assert adapter.origin(caller, Original(None, {"subject": f"[Ticket#{NUMBER}] x"})) is None


def test_fields_queue_priority_and_the_note_are_written(znuny: FakeZnuny, caller: HttpCaller) -> None:
    ZNUNY.write(caller, BOUNCE, Change(TAGS, NOTE, "Postmaster", "5 very high", "7"))
    ticket = znuny.tickets[12]
    assert {
        "BounceCategory": "mailbox_full",
        "BounceTags": ", ".join(["of others", *TAGS.words]),
    } == ticket["fields"]
    assert ("Postmaster", "5 very high", "open") == (ticket["Queue"], ticket["Priority"], ticket["State"])
    assert [NOTE.text] == znuny.notes(12)
    assert [] == znuny.notes(7)


def test_queue_and_priority_may_be_numbers(znuny: FakeZnuny, caller: HttpCaller) -> None:
    ZNUNY.write(caller, BOUNCE, Change(TAGS, queue="4", priority="5"))
    assert ("4", "5") == (znuny.tickets[12]["QueueID"], znuny.tickets[12]["PriorityID"])


def test_with_nothing_to_write_nothing_is_called(server: FakeServer) -> None:
    plain = Znuny(replace(SYSTEM, fields={}, options={}))
    plain.write(server.caller(plain.headers()), BOUNCE, Change(TAGS, merge_into="7"))
    assert [] == server.calls


def test_writing_again_does_no_harm(znuny: FakeZnuny, caller: HttpCaller) -> None:
    ZNUNY.write(caller, BOUNCE, Change(TAGS, NOTE, "Postmaster", "5 very high", "7"))
    before = (dict(znuny.tickets[12]["fields"]), list(znuny.articles))
    ZNUNY.write(caller, BOUNCE, Change(TAGS, None, "Postmaster", "5 very high", "7"))
    assert before == (znuny.tickets[12]["fields"], list(znuny.articles))


@pytest.mark.parametrize(
    ("given", "change"),
    [({"fields": {"kind": "Nothing"}}, Change(TAGS)), ({}, Change(TAGS, queue="Nobody"))],
)
def test_what_znuny_does_not_know_is_refused_before_there_is_a_note(
    znuny: FakeZnuny, caller: HttpCaller, given: dict[str, dict[str, str]], change: Change
) -> None:
    with pytest.raises(CallRefused, match="InvalidParameter") as refusal:
        Znuny(replace(SYSTEM, **given)).write(caller, BOUNCE, replace(change, note=NOTE))  # type: ignore[arg-type]
    assert "not for you" not in str(refusal.value)
    assert [] == znuny.notes(12)


def test_a_note_is_found_by_its_mark(caller: HttpCaller) -> None:
    assert not ZNUNY.has_note(caller, BOUNCE, NOTE.marker)
    ZNUNY.write(caller, BOUNCE, Change(TAGS, NOTE))
    assert ZNUNY.has_note(caller, BOUNCE, NOTE.marker)
    assert not ZNUNY.has_note(caller, BOUNCE, NOTE.marker.replace("0", "1"))


def test_polling_yields_new_articles_of_customers(znuny: FakeZnuny, caller: HttpCaller) -> None:
    znuny.add_article(12, IncomingTime=str(NOW - 7200))
    znuny.add_article(12, SenderType="agent")
    znuny.add_ticket(13)
    znuny.add_article(13, IncomingTime=str(NOW - 7200))
    since = datetime.fromtimestamp(NOW, UTC) - timedelta(hours=1)
    assert [BOUNCE] == list(ZNUNY.poll(caller, since))


def test_where_there_is_more_than_one_look_takes_is_said(
    caller: HttpCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT", 1)
    with pytest.raises(MoreNews) as more:
        list(ZNUNY.poll(caller, datetime.fromtimestamp(NOW, UTC) - timedelta(hours=1)))
    assert more.value.up_to is None


def test_a_session_may_stand_for_name_and_password(server: FakeServer) -> None:
    adapter = Znuny(replace(SYSTEM, user="", token=SESSION))
    assert adapter.fetch(server.caller(adapter.headers()), BOUNCE)


def test_a_wrong_password_is_refused(server: FakeServer) -> None:
    adapter = Znuny(replace(SYSTEM, token=KEY[::-1]))
    with pytest.raises(CallRefused, match="AuthFail") as refusal:
        adapter.fetch(server.caller(adapter.headers()), BOUNCE)
    assert 401 == refusal.value.status


def test_another_web_service_with_another_route_may_be_named(znuny: FakeZnuny) -> None:
    znuny.webservice, znuny.update_route = "Bounces", ("POST", "/TicketUpdate")
    options = {"webservice": "Bounces", "update": "POST /TicketUpdate"}
    adapter = Znuny(replace(SYSTEM, options=options))
    with znuny.server() as server:
        adapter.write(server.caller(adapter.headers()), BOUNCE, Change(TAGS, NOTE))
    assert [NOTE.text] == znuny.notes(12)


def test_the_password_is_not_shown() -> None:
    assert KEY not in repr(ZNUNY)


def work(server: FakeServer, ledger: Ledger, diagnoser: Diagnoser, request: Webhook) -> list[str]:
    wishes = {"recipient_unknown": Routing(("drop",), "Postmaster", "5 very high")}
    system = replace(SYSTEM, categories=wishes)
    adapter = Znuny(system)
    handler = Handler({"desk": Desk(system, adapter, server.caller(adapter.headers()))}, ledger, diagnoser)
    event = adapter.read(request)
    assert event is not None
    handler.take("desk", event)
    list(handler.work())
    return [entry.outcome for entry in ledger.letters(*State)]


def test_a_bounce_goes_all_the_way(
    znuny: FakeZnuny, server: FakeServer, ledger: Ledger, diagnoser: Diagnoser
) -> None:
    assert ["noted"] == work(server, ledger, diagnoser, znuny.webhook(101))
    (note,) = znuny.notes(12)
    assert "gone@example.net" in note
    ticket = znuny.tickets[12]
    assert "recipient_unknown" == ticket["fields"]["BounceCategory"]
    assert {"of others", "ndr-action-review"} <= set(ticket["fields"]["BounceTags"].split(", "))
    assert ("Postmaster", "open") == (ticket["Queue"], ticket["State"])


def test_a_bounce_of_a_mail_that_znuny_never_sent_advises_to_look(
    znuny: FakeZnuny, server: FakeServer, ledger: Ledger, diagnoser: Diagnoser
) -> None:
    strange = bounce(returned="Message-ID: <never@elsewhere.example>\nSubject: hello\n")
    number = znuny.add_article(12, strange)
    assert ["noted"] == work(server, ledger, diagnoser, znuny.webhook(number))
    fields = znuny.tickets[12]["fields"]
    assert "ndr-action-review" in fields["BounceTags"]


def test_ordinary_mail_changes_nothing(
    znuny: FakeZnuny, server: FakeServer, ledger: Ledger, diagnoser: Diagnoser
) -> None:
    number = znuny.add_article(12, ORDINARY)
    assert ["not_ndr"] == work(server, ledger, diagnoser, znuny.webhook(number))
    assert [] == server.made("POST", "PATCH")
