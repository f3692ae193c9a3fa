"""The adapter for Zammad, against a small Zammad of its own on loopback."""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from model.pipeline import Diagnoser
from service.errors import CallRefused
from service.outgoing import HttpCaller
from service.ticketing.desks import Desk
from service.ticketing.errors import BadEvent, BadSignature, MoreNews
from service.ticketing.handling import Handler
from service.ticketing.ledger import Ledger, State
from service.ticketing.nouns import Change, Event, Note, Origin, Original, Routing, System, Tags, Webhook
from service.ticketing.systems import zammad as module
from service.ticketing.systems.zammad import Zammad
from tests.unit.ticketing.fake_server import FakeServer
from tests.unit.ticketing.fake_zammad import AGENT, FakeZammad
from tests.unit.ticketing.fakes import KEY, ORDINARY, SHARED, bounce, signed

SENT = "<20261124090000.7.123456789@desk.example>"
SYSTEM = System(
    "desk",
    "zammad",
    "https://desk.example",
    user=AGENT,
    token=KEY,
    secret=SHARED,
    merge=True,
    fields={"category": "bounce_category"},
)
ZAMMAD = Zammad(SYSTEM)
TAGS = Tags("bounce", "mailbox_full", "temporary", "retry", "recipient", "mailbox", 0.98, ("vip",))
NOTE = Note("Mailbox full", "Mailbox full <now>\n", "0" * 32)


@pytest.fixture
def zammad() -> FakeZammad:
    """Ticket 7, from which a mail was sent, and ticket 12, which its bounce opened."""
    fake = FakeZammad()
    fake.add_ticket(7, state="closed")
    fake.add_article(7, sender="Agent", created_by="emma@desk.example", message_id=SENT)
    fake.add_ticket(12, tags=("of others", "ndr-kind-delay"))
    fake.add_article(12, raw=bounce(returned=f"Message-ID: {SENT}\nSubject: Your order\n"))
    return fake


@pytest.fixture
def server(zammad: FakeZammad) -> Iterator[FakeServer]:
    with zammad.server() as server:
        yield server


@pytest.fixture
def caller(server: FakeServer) -> HttpCaller:
    return server.caller(ZAMMAD.headers())


BOUNCE = Event("12", "101")


def test_a_trigger_tells_of_an_article(zammad: FakeZammad) -> None:
    assert BOUNCE == ZAMMAD.read(zammad.webhook(101))


@pytest.mark.parametrize(
    ("given", "is_own"),
    [
        pytest.param({"type": "note", "sender": "Agent", "created_by": AGENT}, True, id="ours"),
        pytest.param({"type": "note", "sender": "Agent", "created_by": "emma"}, None, id="a note"),
        pytest.param({"type": "email", "sender": "Agent", "created_by": "emma"}, None, id="an answer"),
        pytest.param(
            {"type": "email", "sender": "System", "created_by": "-"}, None, id="an automatic answer"
        ),
        pytest.param({"type": "phone"}, None, id="a call"),
    ],
)
def test_what_is_no_mail_from_outside_is_left_alone(
    zammad: FakeZammad, given: dict[str, str], *, is_own: bool | None
) -> None:
    event = ZAMMAD.read(zammad.webhook(zammad.add_article(12, **given)))
    assert is_own == (event.is_own if event else None)


def test_a_webhook_without_the_secret_is_not_believed(zammad: FakeZammad) -> None:
    body = zammad.webhook(101).body
    for request in (Webhook({}, body), zammad.webhook(101, "another"), signed(body)):
        with pytest.raises(BadSignature):
            ZAMMAD.read(request)
    with pytest.raises(BadSignature, match="no secret"):
        Zammad(replace(SYSTEM, secret="")).read(zammad.webhook(101, ""))


@pytest.mark.parametrize(
    ("body", "is_refused"), [(b"{", True), (b"[]", True), (b'{"ticket": {"id": 12}}', False)]
)
def test_a_signed_webhook_that_tells_of_no_article_is_none(body: bytes, *, is_refused: bool) -> None:
    digest = hmac.new(SHARED.encode(), body, hashlib.sha1).hexdigest()
    request = Webhook({"x-hub-signature": f"sha1={digest}"}, body)
    if is_refused:
        with pytest.raises(BadEvent):
            ZAMMAD.read(request)
    else:
        assert ZAMMAD.read(request) is None


def test_the_mail_comes_as_it_came_in(zammad: FakeZammad, caller: HttpCaller) -> None:
    assert zammad.mails[101] == ZAMMAD.fetch(caller, BOUNCE)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"sender": "Agent", "raw": b"x"}, id="an answer"),
        pytest.param({"type": "note", "raw": b"x"}, id="a note"),
        pytest.param({"created_by": AGENT.upper(), "raw": b"x"}, id="ours"),
        pytest.param({}, id="nothing was kept"),
    ],
)
def test_what_is_no_mail_from_outside_has_none(
    zammad: FakeZammad, caller: HttpCaller, given: dict[str, object]
) -> None:
    number = zammad.add_article(12, **given)
    assert ZAMMAD.fetch(caller, Event("12", str(number))) is None


def test_an_article_that_is_gone_is_refused_and_its_name_leads_nowhere_else(caller: HttpCaller) -> None:
    for message in ("999", "../tickets/12"):
        with pytest.raises(CallRefused) as refusal:
            ZAMMAD.fetch(caller, Event("12", message))
        assert 404 == refusal.value.status


@pytest.mark.parametrize(
    ("message_id", "subject", "ticket"),
    [
        pytest.param(SENT, "", "7", id="the id of a mail"),
        pytest.param("<20261124090000.7.1@desk.example>", "", None, id="an id that the ticket lacks"),
        pytest.param("<20261124090000.99.1@desk.example>", "", None, id="a ticket that is not there"),
        pytest.param("<other@desk.example>", "Re: Your order [Ticket#10007]", "7", id="the number"),
        pytest.param(None, "[ticket# 10007] Your order", "7", id="the number, with a space"),
        pytest.param(None, "Your order [Ticket#1000]", None, id="a part of a number"),
        pytest.param(None, "Your order [Ticket#20007]", None, id="a number that is not there"),
        pytest.param(None, "Your order 10007", None, id="a number of something else"),
        pytest.param(None, "", None, id="nothing"),
    ],
)
def test_the_origin_is_a_ticket_that_zammad_knows(
    caller: HttpCaller, message_id: str | None, subject: str, ticket: str | None
) -> None:
    found = ZAMMAD.origin(caller, Original(message_id, {"subject": subject}))
    assert ticket == (found and found.ticket)


def test_a_mail_that_came_in_is_no_origin(zammad: FakeZammad, caller: HttpCaller) -> None:
    forged = "<20261124090000.12.5@desk.example>"
    zammad.add_article(12, message_id=forged)
    assert ZAMMAD.origin(caller, Original(forged)) is None


@pytest.mark.parametrize(
    ("message_id", "is_sent"),
    [
        pytest.param(SENT, True, id="the id of a mail"),
        pytest.param("<forged@elsewhere.example>", False, id="no id of Zammad"),
        pytest.param(None, False, id="no id, as notes have none"),
    ],
)
def test_only_the_id_of_an_outgoing_mail_shows_that_zammad_sent_it(
    zammad: FakeZammad, caller: HttpCaller, message_id: str | None, *, is_sent: bool
) -> None:
    zammad.add_article(7, type="note", sender="Agent", created_by=AGENT, message_id=None)
    original = Original(message_id, {"subject": "[Ticket#10007] x"})
    assert Origin("7", is_sent) == ZAMMAD.origin(caller, original)


def test_the_hook_may_be_another(caller: HttpCaller) -> None:
    adapter = Zammad(replace(SYSTEM, options={"hook": "Case:"}))
    assert Origin("7", by_id=False) == adapter.origin(caller, Original(None, {"subject": "[Case:10007] x"}))
    assert adapter.origin(caller, Original(None, {"subject": "[Ticket#10007] x"})) is None


def test_tags_fields_group_priority_and_the_note_are_written(zammad: FakeZammad, caller: HttpCaller) -> None:
    ZAMMAD.write(caller, BOUNCE, Change(TAGS, NOTE, "Postmaster", "3 high"))
    ticket = zammad.tickets[12]
    assert ["of others", *TAGS.words] == zammad.tags[12]
    assert ("mailbox_full", "Postmaster", "3 high") == (
        ticket["bounce_category"],
        ticket["group"],
        ticket["priority"],
    )
    assert [NOTE.html] == zammad.notes(12)
    assert ("open", "closed") == (ticket["state"], zammad.tickets[7]["state"])


def test_a_priority_may_be_a_number(zammad: FakeZammad, caller: HttpCaller) -> None:
    ZAMMAD.write(caller, BOUNCE, Change(TAGS, priority="1"))
    assert "1 low" == zammad.tickets[12]["priority"]


def test_with_tags_alone_nothing_else_is_written(zammad: FakeZammad, server: FakeServer) -> None:
    plain = Zammad(replace(SYSTEM, fields={}))
    plain.write(server.caller(plain.headers()), BOUNCE, Change(TAGS))
    assert {"/api/v1/tags/add", "/api/v1/tags/remove"} == {
        path for _, path in server.made("POST", "PUT", "DELETE")
    }
    assert [] == zammad.notes(12)


def test_merging_comes_last_and_marks_the_other_ticket_too(zammad: FakeZammad, server: FakeServer) -> None:
    ZAMMAD.write(server.caller(ZAMMAD.headers()), BOUNCE, Change(TAGS, NOTE, merge_into="7"))
    assert ("merged", "closed") == (zammad.tickets[12]["state"], zammad.tickets[7]["state"])
    assert [NOTE.html] == zammad.notes(7)
    assert list(TAGS.words) == zammad.tags[7]
    assert "mailbox_full" == zammad.tickets[7]["bounce_category"]
    paths = [path for _, path in server.made("POST", "PUT")]
    assert paths.index("/api/v1/ticket_articles") < paths.index("/api/v1/ticket_merge/12/10007")


def test_writing_again_does_no_harm(zammad: FakeZammad, caller: HttpCaller) -> None:
    ZAMMAD.write(caller, BOUNCE, Change(TAGS, NOTE, "Postmaster", "3 high", "7"))
    assert ZAMMAD.has_note(caller, BOUNCE, NOTE.marker)
    before = (dict(zammad.tags), zammad.tickets, list(zammad.articles))
    ZAMMAD.write(caller, BOUNCE, Change(TAGS, None, "Postmaster", "3 high", "7"))
    assert before == (zammad.tags, zammad.tickets, list(zammad.articles))


@pytest.mark.parametrize("parent", ["12", "8"])
def test_a_ticket_is_not_merged_with_itself_or_into_a_merged_one(
    zammad: FakeZammad, caller: HttpCaller, parent: str
) -> None:
    zammad.add_ticket(8, state="merged")
    ZAMMAD.write(caller, BOUNCE, Change(TAGS, merge_into=parent))
    assert "open" == zammad.tickets[12]["state"]


def test_a_merge_that_did_not_happen_is_told(zammad: FakeZammad, caller: HttpCaller) -> None:
    zammad.is_unwilling = True
    with pytest.raises(CallRefused, match="not merged"):
        ZAMMAD.write(caller, BOUNCE, Change(TAGS, merge_into="7"))
    assert [] == zammad.tags[7]


def test_a_field_that_the_ticket_lacks_is_named(caller: HttpCaller) -> None:
    with pytest.raises(CallRefused, match="bounced"):
        Zammad(replace(SYSTEM, fields={"kind": "bounced"})).write(caller, BOUNCE, Change(TAGS))


def test_a_group_that_is_not_there_is_refused(caller: HttpCaller) -> None:
    with pytest.raises(CallRefused):
        ZAMMAD.write(caller, BOUNCE, Change(TAGS, queue="Nobody"))


def test_a_note_is_found_by_its_mark(zammad: FakeZammad, caller: HttpCaller) -> None:
    assert not ZAMMAD.has_note(caller, BOUNCE, NOTE.marker)
    ZAMMAD.write(caller, BOUNCE, Change(TAGS, NOTE))
    assert ZAMMAD.has_note(caller, BOUNCE, NOTE.marker)
    assert not ZAMMAD.has_note(caller, BOUNCE, NOTE.marker.replace("0", "1"))


def test_polling_yields_new_mails_of_tickets_that_changed(zammad: FakeZammad, caller: HttpCaller) -> None:
    zammad.add_article(12, created_at="2026-11-20T12:00:00.000Z")
    zammad.add_article(12, type="note", sender="Agent", created_by=AGENT)
    zammad.tickets[7]["updated_at"] = "2026-11-20T12:00:00.000Z"
    since = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
    assert [BOUNCE] == list(ZAMMAD.poll(caller, since))


def test_polling_turns_pages(zammad: FakeZammad, caller: HttpCaller) -> None:
    for number in range(1000, 1120):
        zammad.add_ticket(number)
        zammad.add_article(number)
    events = list(ZAMMAD.poll(caller, datetime(2026, 11, 24, tzinfo=UTC)))
    assert 121 == len({event.ticket for event in events}) == len(events)


def test_where_there_is_more_than_one_look_takes_is_said(
    zammad: FakeZammad, caller: HttpCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PAGES", 1)
    for number in range(1000, 1120):
        zammad.add_ticket(number)
    with pytest.raises(MoreNews) as more:
        list(ZAMMAD.poll(caller, datetime(2026, 11, 24, tzinfo=UTC)))
    assert datetime(2026, 11, 24, 12, tzinfo=UTC) == more.value.up_to


def test_the_token_is_not_shown() -> None:
    assert KEY not in repr(ZAMMAD)


def work(
    server: FakeServer, ledger: Ledger, diagnoser: Diagnoser, request: Webhook, system: System
) -> list[str]:
    adapter = Zammad(system)
    handler = Handler({"desk": Desk(system, adapter, server.caller(adapter.headers()))}, ledger, diagnoser)
    event = adapter.read(request)
    assert event is not None
    handler.take("desk", event)
    list(handler.work())
    return [entry.outcome for entry in ledger.letters(*State)]


def test_a_bounce_goes_all_the_way(
    zammad: FakeZammad, server: FakeServer, ledger: Ledger, diagnoser: Diagnoser
) -> None:
    wishes = {"recipient_unknown": Routing(("drop",), "Postmaster", "3 high")}
    system = replace(SYSTEM, categories=wishes)
    assert ["noted"] == work(server, ledger, diagnoser, zammad.webhook(101), system)
    (note,) = zammad.notes(7)
    assert "gone@example.net" in note
    assert "ndr-action-suppress" in zammad.tags[7]
    assert {"drop", "of others", "ndr-category-recipient_unknown"} <= set(zammad.tags[12])
    assert ("Postmaster", "merged", "recipient_unknown") == (
        zammad.tickets[12]["group"],
        zammad.tickets[12]["state"],
        zammad.tickets[7]["bounce_category"],
    )


def test_a_bounce_of_a_mail_that_zammad_never_sent_advises_to_look(
    zammad: FakeZammad, server: FakeServer, ledger: Ledger, diagnoser: Diagnoser
) -> None:
    number = zammad.add_article(
        12, raw=bounce(returned="Message-ID: <never@elsewhere.example>\nSubject: hi\n")
    )
    assert ["noted"] == work(server, ledger, diagnoser, zammad.webhook(number), SYSTEM)
    assert "ndr-action-review" in zammad.tags[12]
    assert "open" == zammad.tickets[12]["state"]


def test_ordinary_mail_changes_nothing(
    zammad: FakeZammad, server: FakeServer, ledger: Ledger, diagnoser: Diagnoser
) -> None:
    number = zammad.add_article(12, raw=ORDINARY)
    assert ["not_ndr"] == work(server, ledger, diagnoser, zammad.webhook(number), SYSTEM)
    assert [] == server.made("POST", "PUT", "DELETE")
