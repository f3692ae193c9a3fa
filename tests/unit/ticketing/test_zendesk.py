"""The adapter for Zendesk, against a small Zendesk of its own on loopback."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from model.pipeline import Diagnoser
from service.errors import CallRefused, SettingError
from service.outgoing import HttpCaller
from service.ticketing.desks import Desk
from service.ticketing.errors import BadEvent, BadSignature, MoreNews
from service.ticketing.handling import Handler
from service.ticketing.ledger import Ledger, State
from service.ticketing.nouns import Change, Event, Note, Origin, Original, Routing, System, Tags, Webhook
from service.ticketing.systems import zendesk as module
from service.ticketing.systems.zendesk import ADDED, CREATED, Zendesk
from tests.unit.ticketing.fake_server import FakeServer, Reply
from tests.unit.ticketing.fake_zendesk import AGENT, AGENT_ID, FakeZendesk, signed
from tests.unit.ticketing.fakes import KEY, SHARED, FakeClock

SENT = "<1G7EOR-0Q2J_65d6828c6d51_sprut@zendesk.com>"
RETURNED = f"Message-ID: {SENT}\nSubject: [#7] Your order\nTo: gone@example.net\n\nDear customer\n"
WORDS = (
    "This is the mail system at host mx.example.com.\n\n"
    "<gone@example.net>: host mx.example.net said: 550 5.1.1 User unknown (in reply to RCPT TO command)\n"
)
SYSTEM = System(
    "desk",
    "zendesk",
    "https://desk.example",
    user=AGENT,
    token=KEY,
    secret=SHARED,
    merge=True,
    fields={"category": "360001"},
    options={"user_id": str(AGENT_ID)},
)
NOON = FakeClock()
ZENDESK = Zendesk(SYSTEM, NOON)
TAGS = Tags("bounce", "mailbox_full", "temporary", "retry", "recipient", "mailbox", 0.98, ("VIP",))
WRITTEN = [word.lower() for word in TAGS.words]
NOTE = Note("Mailbox full", "Mailbox full <now>\n", "0" * 32)
BOUNCE = Event("12", "5001")


@pytest.fixture
def zendesk() -> FakeZendesk:
    """Ticket 7, from which a mail was sent, and ticket 12, which its bounce opened."""
    fake = FakeZendesk(sent={7: [SENT]})
    fake.add_ticket(7, status="solved")
    fake.add_comment(7, body="Where is it?")
    fake.add_ticket(12, tags=("of_others", "ndr-kind-delay"))
    return fake


@pytest.fixture
def server(zendesk: FakeZendesk) -> Iterator[FakeServer]:
    with zendesk.server() as server:
        zendesk.files["returned"] = RETURNED.encode()
        address = f"{server.url}/attachments/token/returned/?name=returned.eml"
        zendesk.add_comment(12, body=WORDS, files=[("returned.eml", "message/rfc822", address)])
        yield server


@pytest.fixture
def adapter(server: FakeServer) -> Zendesk:
    return Zendesk(replace(SYSTEM, url=server.url), NOON)


@pytest.fixture
def caller(server: FakeServer) -> HttpCaller:
    return server.caller(ZENDESK.headers())


@pytest.mark.parametrize(
    ("request_", "event"),
    [
        pytest.param(FakeZendesk().webhook(ADDED, 12, 5001), BOUNCE, id="a comment"),
        pytest.param(FakeZendesk().webhook(CREATED, 12), Event("12"), id="a ticket"),
        pytest.param(signed(b'{"ticket": "12"}'), Event("12"), id="a trigger"),
        pytest.param(
            FakeZendesk().webhook(ADDED, 12, 5002, AGENT_ID), Event("12", "5002", is_own=True), id="our own"
        ),
        pytest.param(
            FakeZendesk().webhook("zen:event-type:ticket.tags_changed", 12), None, id="something else"
        ),
    ],
)
def test_a_webhook_tells_of_a_comment_or_a_ticket(request_: Webhook, event: Event | None) -> None:
    assert event == ZENDESK.read(request_)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(Webhook({}, b'{"ticket": "12"}'), id="unsigned"),
        pytest.param(signed(b'{"ticket": "12"}', shared="another"), id="another secret"),
        pytest.param(replace(signed(b'{"ticket": "12"}'), body=b'{"ticket": "7"}'), id="another body"),
        pytest.param(signed(b'{"ticket": "12"}', "2026-11-24T11:54:59Z"), id="old"),
        pytest.param(signed(b'{"ticket": "12"}', "2026-11-24T12:05:01Z"), id="of the future"),
        pytest.param(signed(b'{"ticket": "12"}', "noon"), id="no time"),
        pytest.param(
            Webhook(
                {**signed(b"{}").headers, "x-zendesk-webhook-signature-timestamp": "2026-11-24T12:01:00Z"},
                b"{}",
            ),
            id="the time changed",
        ),
    ],
)
def test_a_webhook_that_is_not_signed_just_now_is_not_believed(request_: Webhook) -> None:
    with pytest.raises(BadSignature):
        ZENDESK.read(request_)


def test_without_a_secret_no_webhook_is_believed() -> None:
    with pytest.raises(BadSignature, match="no secret"):
        Zendesk(replace(SYSTEM, secret=""), NOON).read(signed(b'{"ticket": "12"}', shared=""))


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"type": "zen:event-type:ticket.comment_added"}'])
def test_a_signed_webhook_that_does_not_say_which_ticket_is_refused(body: bytes) -> None:
    with pytest.raises(BadEvent):
        ZENDESK.read(signed(body))


@pytest.mark.parametrize("event", [BOUNCE, Event("12")])
def test_the_mail_is_rebuilt_from_a_comment_and_its_files(
    adapter: Zendesk, caller: HttpCaller, diagnoser: Diagnoser, event: Event
) -> None:
    raw = adapter.fetch(caller, event)
    assert raw is not None
    diagnosis = diagnoser.diagnose(raw)
    assert "recipient_unknown" == diagnosis.lead.verdict.category
    assert SENT == diagnosis.report.original_message_id


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        pytest.param("https://elsewhere.example/token/x", None, id="another host is never asked"),
        pytest.param("{url}.evil.example/token/x", None, id="nor one with the same beginning"),
        pytest.param(
            "{url}/attachments/token/x/", Reply(302, b"", {"Location": "https://x.example"}), id="moved"
        ),
        pytest.param("{url}/attachments/token/x/", Reply(404), id="gone"),
    ],
)
def test_a_file_that_does_not_lie_in_zendesk_is_left_out(
    zendesk: FakeZendesk,
    server: FakeServer,
    adapter: Zendesk,
    caller: HttpCaller,
    diagnoser: Diagnoser,
    address: str,
    answer: Reply | None,
) -> None:
    zendesk.files["x"] = answer or Reply(500)
    files = [("returned.eml", "message/rfc822", address.replace("{url}", server.url))]
    number = zendesk.add_comment(12, body=WORDS, files=files)
    raw = adapter.fetch(caller, Event("12", str(number)))
    assert raw is not None
    assert "recipient_unknown" == diagnoser.diagnose(raw).lead.verdict.category
    assert (answer is not None) == any("attachments" in path for _, path in server.made())


def test_pictures_are_not_asked_for(
    zendesk: FakeZendesk, server: FakeServer, adapter: Zendesk, caller: HttpCaller
) -> None:
    files = [("logo.png", "image/png", f"{server.url}/attachments/token/logo/")]
    number = zendesk.add_comment(12, body=WORDS, files=files)
    assert adapter.fetch(caller, Event("12", str(number)))
    assert not any("attachments" in path for _, path in server.made())


@pytest.mark.parametrize("channel", ["web", "api", "chat"])
def test_a_comment_that_did_not_come_by_mail_is_none(
    zendesk: FakeZendesk, adapter: Zendesk, caller: HttpCaller, channel: str
) -> None:
    number = zendesk.add_comment(12, body=WORDS, channel=channel)
    assert adapter.fetch(caller, Event("12", str(number))) is None


def test_a_comment_on_a_later_page_is_found(
    zendesk: FakeZendesk, adapter: Zendesk, caller: HttpCaller
) -> None:
    for _ in range(5):
        zendesk.add_comment(12, body="more", channel="web")
    zendesk.page = 2
    assert adapter.fetch(caller, BOUNCE)
    assert adapter.fetch(caller, Event("12", "1")) is None


def test_a_ticket_that_is_gone_is_refused_and_its_name_leads_nowhere_else(
    adapter: Zendesk, caller: HttpCaller
) -> None:
    for ticket in ("999", "../7", "7/comments?x="):
        with pytest.raises(CallRefused) as refusal:
            adapter.fetch(caller, Event(ticket, "1"))
        assert 404 == refusal.value.status


@pytest.mark.parametrize(
    ("message_id", "subject", "ticket"),
    [
        pytest.param(SENT, "[#7] Your order", "7", id="number and id"),
        pytest.param("<never@zendesk.com>", "[#7] Your order", None, id="never sent from that ticket"),
        pytest.param(SENT, "[#12] Your order", None, id="sent from another ticket"),
        pytest.param(SENT, "[#99] Your order", None, id="no such ticket"),
        pytest.param(SENT, "Your order", None, id="no number"),
        pytest.param(SENT, "Order #7-B", None, id="a number of something else"),
        pytest.param(None, "[#7] Your order", None, id="nothing but a number"),
    ],
)
def test_the_origin_is_a_ticket_that_the_mail_was_sent_from(
    caller: HttpCaller, message_id: str | None, subject: str, ticket: str | None
) -> None:
    expected = Origin(ticket, by_id=True) if ticket else None
    assert expected == ZENDESK.origin(caller, Original(message_id, {"subject": subject}))


@pytest.mark.parametrize(
    ("options", "ticket"), [({}, None), ({"subject": "[#{ticket}]"}, "7"), ({"subject": "(#{ticket})"}, None)]
)
def test_where_zendesk_does_not_tell_what_it_sent_only_the_configured_form_counts(
    zendesk: FakeZendesk, caller: HttpCaller, options: dict[str, str], ticket: str | None
) -> None:
    zendesk.sent = None
    adapter = Zendesk(replace(SYSTEM, options=options))
    expected = Origin(ticket, by_id=False) if ticket else None
    assert expected == adapter.origin(caller, Original(SENT, {"subject": "[#7] Your order"}))


def test_a_subject_without_a_place_for_the_number_is_refused() -> None:
    with pytest.raises(SettingError, match=r"systems\.desk\.options\.subject='Ticket': .*\{ticket\}"):
        Zendesk(replace(SYSTEM, options={"subject": "Ticket"}))


def test_tags_fields_group_priority_and_the_note_are_written(
    zendesk: FakeZendesk, caller: HttpCaller
) -> None:
    ZENDESK.write(caller, BOUNCE, Change(TAGS, NOTE, "42", "high"))
    ticket = zendesk.tickets[12]
    assert ["of_others", *WRITTEN] == ticket["tags"]
    assert (42, "high", "open") == (ticket["group_id"], ticket["priority"], ticket["status"])
    assert {360001: "mailbox_full", 360002: None} == zendesk.values(12)
    assert [NOTE.text] == zendesk.notes(12)


def test_tags_are_added_so_that_those_of_others_cannot_be_lost(
    zendesk: FakeZendesk, server: FakeServer
) -> None:
    ZENDESK.write(server.caller(ZENDESK.headers()), BOUNCE, Change(TAGS))
    path = "/api/v2/tickets/12"
    changes = [("DELETE", f"{path}/tags"), ("PUT", f"{path}/tags"), ("PUT", path)]
    assert changes == server.made("PUT", "DELETE", "POST")
    assert {"tags": ["ndr-kind-delay"]} == next(call for call in server.calls if call.method == "DELETE").json
    assert "open" == zendesk.tickets[12]["status"]


def test_writing_twice_changes_nothing_more(zendesk: FakeZendesk, server: FakeServer) -> None:
    caller = server.caller(ZENDESK.headers())
    for _ in range(2):
        ZENDESK.write(caller, BOUNCE, Change(TAGS, priority="low"))
    assert ["of_others", *WRITTEN] == zendesk.tickets[12]["tags"]
    assert 2 == len([1 for _, path in server.made("PUT", "DELETE") if path.endswith("/tags")])


def test_merging_comes_last_and_privately(zendesk: FakeZendesk, server: FakeServer) -> None:
    caller = server.caller(ZENDESK.headers())
    ZENDESK.write(caller, BOUNCE, Change(TAGS, NOTE, merge_into="7"))
    assert ("closed", 7) == (zendesk.tickets[12]["status"], zendesk.tickets[12]["merged_into"])
    assert "solved" == zendesk.tickets[7]["status"]
    assert ("POST", "/api/v2/tickets/7/merge") == server.made("PUT", "DELETE", "POST")[-1]
    ZENDESK.write(caller, BOUNCE, Change(TAGS, merge_into="7"))
    assert 1 == len(server.made("POST")), "a try after a try that did merge has nothing to do"


@pytest.mark.parametrize("target", ["7", "12"])
def test_into_a_closed_ticket_or_itself_nothing_is_merged(
    zendesk: FakeZendesk, server: FakeServer, target: str
) -> None:
    zendesk.tickets[7]["status"] = "closed"
    ZENDESK.write(server.caller(ZENDESK.headers()), BOUNCE, Change(TAGS, NOTE, merge_into=target))
    assert [] == server.made("POST")
    assert [NOTE.text] == zendesk.notes(12)


def test_a_closed_ticket_that_we_never_tagged_is_refused(zendesk: FakeZendesk, caller: HttpCaller) -> None:
    zendesk.tickets[12]["status"] = "closed"
    with pytest.raises(CallRefused) as refusal:
        ZENDESK.write(caller, BOUNCE, Change(TAGS))
    assert 422 == refusal.value.status


def test_a_field_that_the_ticket_lacks_is_named_before_anything_is_written(server: FakeServer) -> None:
    adapter = Zendesk(replace(SYSTEM, fields={"category": "360009"}))
    with pytest.raises(CallRefused, match="360009"):
        adapter.write(server.caller(ZENDESK.headers()), BOUNCE, Change(TAGS))
    assert [] == server.made("PUT", "DELETE", "POST")


def test_a_group_that_is_not_there_is_refused(caller: HttpCaller) -> None:
    with pytest.raises(CallRefused) as refusal:
        ZENDESK.write(caller, BOUNCE, Change(TAGS, queue="Postmaster"))
    assert 422 == refusal.value.status


def test_a_note_of_ours_is_found(zendesk: FakeZendesk, caller: HttpCaller) -> None:
    assert not ZENDESK.has_note(caller, BOUNCE, NOTE.marker)
    ZENDESK.write(caller, BOUNCE, Change(TAGS, NOTE))
    zendesk.add_comment(12, body="thanks", channel="web")
    assert ZENDESK.has_note(caller, BOUNCE, NOTE.marker)


def test_polling_yields_new_mails_oldest_first(
    zendesk: FakeZendesk, server: FakeServer, adapter: Zendesk
) -> None:
    zendesk.add_comment(12, body="a note", channel="api", public=False)
    later = zendesk.add_comment(12, body=WORDS)
    zendesk.comments[7][0]["created_at"] = "2026-11-01T12:00:00Z"
    zendesk.add_ticket(13, status="closed")
    zendesk.add_comment(13, body=WORDS)
    since = datetime(2026, 11, 24, 11, 58, tzinfo=UTC)
    caller = server.caller(ZENDESK.headers())
    assert [BOUNCE, Event("12", str(later))] == list(adapter.poll(caller, since))


def test_where_there_is_more_than_one_look_takes_is_said(
    zendesk: FakeZendesk, server: FakeServer, adapter: Zendesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PAGES", 1)
    with pytest.raises(MoreNews) as more:
        list(adapter.poll(server.caller(ZENDESK.headers()), datetime(2026, 11, 24, tzinfo=UTC)))
    first = min(each["updated_at"] for each in zendesk.tickets.values())
    assert datetime.fromisoformat(first) == more.value.up_to


def test_polling_never_asks_for_the_last_minute(server: FakeServer) -> None:
    list(ZENDESK.poll(server.caller(ZENDESK.headers()), NOON.now))
    call = next(call for call in server.calls if call.path.endswith("/cursor"))
    assert NOON.now.timestamp() - 61 == int(call.query["start_time"])


def test_the_token_is_sent_and_not_shown() -> None:
    assert ZENDESK.headers()["Authorization"].startswith("Basic ")
    assert KEY not in repr(ZENDESK)


@pytest.mark.parametrize(
    ("is_told", "action", "status"), [(True, "suppress", "closed"), (False, "review", "open")]
)
def test_a_bounce_is_tagged_noted_and_merged_from_webhook_to_ticket(
    zendesk: FakeZendesk,
    server: FakeServer,
    ledger: Ledger,
    diagnoser: Diagnoser,
    *,
    is_told: bool,
    action: str,
    status: str,
) -> None:
    if not is_told:
        zendesk.sent = {7: ["<another@zendesk.com>"]}
    wishes = {"recipient_unknown": Routing(("drop-address",), "42", "high")}
    adapter = Zendesk(replace(SYSTEM, url=server.url, categories=wishes), NOON)
    desk = Desk(adapter.system, adapter, server.caller(adapter.headers()))
    handler = Handler({"desk": desk}, ledger, diagnoser)
    event = adapter.read(zendesk.webhook(ADDED, 12, 5001))
    assert event is not None
    handler.take("desk", event)
    list(handler.work())
    assert ["noted"] == [entry.outcome for entry in ledger.letters(State.DONE)]
    ticket = zendesk.tickets[12]
    assert f"ndr-action-{action}" in ticket["tags"]
    assert is_told == ("drop-address" in ticket["tags"])
    assert (42, "high", status) == (ticket["group_id"], ticket["priority"], ticket["status"])
    (note,) = zendesk.notes(12)
    assert "gone@example.net" in note
    own = zendesk.webhook(ADDED, 12, zendesk.comments[12][-1]["id"], AGENT_ID)
    told = adapter.read(own)
    assert told is not None
    assert handler.take("desk", told) is None
