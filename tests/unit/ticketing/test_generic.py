"""The adapter for any other system, against one on loopback that only its configuration knows."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from model.pipeline import Diagnoser
from service.errors import CallFailed, CallRefused
from service.outgoing import HttpCaller
from service.setting_values import webhook_secret
from service.ticketing.desks import Desk
from service.ticketing.errors import BadEvent, BadSignature
from service.ticketing.handling import Handler
from service.ticketing.ledger import PAUSES_S, Ledger, State
from service.ticketing.nouns import Change, Event, Note, Origin, Original, Routing, Tags, Webhook
from service.ticketing.systems.generic import Generic
from service.webhooks import signed as standard
from tests.unit.ticketing.fake_generic import GENERIC, NOON, SENT, SYSTEM, WHSEC, FakeGeneric, configured
from tests.unit.ticketing.fake_server import FakeServer
from tests.unit.ticketing.fakes import SHARED, FakeClock, bounce, signed

TAGS = Tags("bounce", "mailbox_full", "temporary", "retry", "recipient", "mailbox", 0.98, ("vip",))
NOTE = Note("Mailbox full", 'Mailbox full "now", {tags}\n\\ \u2028', "0" * 32)
BOUNCE = Event("T12", "m1")
TOLD = orjson.dumps({"what": "mail_came", "ticket": {"name": "T12"}, "mails": [{"id": "m1"}], "by": "x"})


@pytest.fixture
def desk() -> FakeGeneric:
    """Ticket T7, from which a mail was sent, and ticket T12, which its bounce opened."""
    fake = FakeGeneric()
    fake.add_ticket("T7")
    fake.add_ticket("T12", labels=("of others", "ndr-kind-delay"))
    fake.mails["T12", "m1"] = bounce(returned=f"Message-ID: {SENT}\nSubject: Your order\n")
    return fake


@pytest.fixture
def server(desk: FakeGeneric) -> Iterator[FakeServer]:
    with desk.server() as server:
        yield server


@pytest.fixture
def caller(server: FakeServer) -> HttpCaller:
    return server.caller(GENERIC.headers())


def test_a_webhook_tells_what_lies_at_the_configured_places() -> None:
    assert BOUNCE == GENERIC.read(signed(TOLD))


@pytest.mark.parametrize(
    ("told", "event"),
    [
        pytest.param({"by": "ndr"}, replace(BOUNCE, is_own=True), id="our own"),
        pytest.param({"ticket": {"name": 12}, "mails": []}, Event("12"), id="a number, and no message"),
        pytest.param({"mails": {"0": {"id": "m2"}}}, Event("T12", "m2"), id="an object with numbers"),
        pytest.param({"what": "mail_moved"}, BOUNCE, id="the other event"),
        pytest.param({"what": "state_changed"}, None, id="an event that is not wanted"),
        pytest.param({"what": None}, None, id="no event"),
    ],
)
def test_other_webhooks_tell_something_else(told: dict[str, object], event: Event | None) -> None:
    assert event == GENERIC.read(signed(orjson.dumps({**orjson.loads(TOLD), **told})))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b'{"what": "mail_came"}', id="no ticket"),
        pytest.param(b'{"what": "mail_came", "ticket": {"name": true}}', id="no name"),
        pytest.param(b'{"what": "mail_came", "ticket": "T12"}', id="nothing below it"),
    ],
)
def test_a_signed_webhook_that_does_not_say_which_ticket_is_refused(body: bytes) -> None:
    with pytest.raises(BadEvent):
        GENERIC.read(signed(body))


@pytest.mark.parametrize(
    ("encoding", "shown"), [("text", bounce().decode()), ("base64", b64encode(bounce()).decode())]
)
def test_a_webhook_may_hold_the_mail(encoding: str, shown: str) -> None:
    adapter = configured(raw_at="mails.0.source", raw_encoding=encoding)
    event = adapter.read(
        signed(orjson.dumps({**orjson.loads(TOLD), "mails": [{"id": "m1", "source": shown}]}))
    )
    assert event is not None
    assert event.raw is not None
    assert bounce().strip() == event.raw.strip()


@pytest.mark.parametrize(("source", "what"), [(None, "missing"), ("=", "base64")])
def test_without_a_call_to_fetch_it_the_mail_has_to_be_there(source: str | None, what: str) -> None:
    adapter = configured(drop=("fetch",), raw_at="source", raw_encoding="base64")
    with pytest.raises(BadEvent, match=what):
        adapter.read(signed(orjson.dumps({**orjson.loads(TOLD), "source": source})))


def digest(kind: str = "sha256", body: bytes = TOLD, secret: str = SHARED) -> bytes:
    return hmac.new(secret.encode(), body, getattr(hashlib, kind)).digest()


WAYS: Mapping[str, tuple[dict[str, str], dict[str, str]]] = {
    "hmac": ({}, {"x-ndr-signature": "sha256=" + digest().hex()}),
    "hmac in capitals": ({}, {"x-ndr-signature": "SHA256=" + digest().hex().upper()}),
    "hmac of another kind": (
        {"signature_digest": "sha1", "signature_header": "X-Desk"},
        {"x-desk": digest("sha1").hex()},
    ),
    "hmac with a prefix": (
        {"signature_header": "X-Desk", "signature_prefix": "v0="},
        {"x-desk": "v0=" + digest().hex()},
    ),
    "hmac in base64": (
        {"signature": "hmac-base64", "signature_header": "X-Desk"},
        {"x-desk": b64encode(digest()).decode()},
    ),
    "token": (
        {"signature": "token", "signature_header": "Authorization", "signature_prefix": "Bearer "},
        {"authorization": f"Bearer {SHARED}"},
    ),
    "standard": (
        {"signature": "standard-webhooks"},
        standard(webhook_secret(WHSEC), "msg_1", NOON.now, TOLD),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_webhooks_are_signed_in_the_configured_way(way: str) -> None:
    options, headers = WAYS[way]
    adapter = configured(WHSEC if way == "standard" else SHARED, **options)
    assert BOUNCE == adapter.read(Webhook(headers, TOLD))


@pytest.mark.parametrize("way", WAYS)
def test_webhooks_that_are_signed_otherwise_are_not_believed(way: str) -> None:
    options, headers = WAYS[way]
    secret = WHSEC if way == "standard" else SHARED
    adapter = configured(secret, **options)
    others = [Webhook({}, TOLD), *(Webhook(given, TOLD) for _, given in WAYS.values() if given != headers)]
    if "token" not in way:
        others.append(Webhook(headers, TOLD + b" "))
    for request in others:
        if "hmac" in way and request.headers.keys() == headers.keys() == {"x-ndr-signature"}:
            continue  # the same in capitals
        with pytest.raises(BadSignature):
            adapter.read(request)
    with pytest.raises(BadSignature, match="no secret"):
        configured("", **options).read(Webhook(headers, TOLD))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_standard_webhook_of_another_time_is_not_believed(seconds: int) -> None:
    adapter = configured(WHSEC, signature="standard-webhooks")
    at = NOON.now + timedelta(seconds=seconds)
    with pytest.raises(BadSignature, match="old"):
        adapter.read(Webhook(standard(webhook_secret(WHSEC), "msg_1", at, TOLD), TOLD))


@pytest.mark.parametrize("options", [{}, {"fetch_at": "mail.source"}])
def test_the_mail_is_the_answer_or_at_a_place_in_it(
    desk: FakeGeneric, caller: HttpCaller, options: dict[str, str]
) -> None:
    raw = configured(**options).fetch(caller, BOUNCE)
    assert raw is not None
    assert desk.mails["T12", "m1"].strip() == raw.strip()


def test_an_answer_without_a_mail_is_none(desk: FakeGeneric, caller: HttpCaller) -> None:
    desk.mails["T12", "m2"] = b"\n"
    assert GENERIC.fetch(caller, Event("T12", "m2")) is None
    assert configured(fetch_at="mail.other").fetch(caller, BOUNCE) is None


@pytest.mark.parametrize("name", ["../T7", "T7/notes?x=", "..", "//evil.example/x", "T7#", "\\evil", "T 7"])
def test_a_name_from_outside_leads_nowhere_else(server: FakeServer, name: str) -> None:
    with pytest.raises(CallRefused) as refusal:
        GENERIC.fetch(server.caller(GENERIC.headers()), Event("T12", name))
    assert 404 == refusal.value.status
    ((_, path),) = server.made()
    assert path.startswith("/api/tickets/T12/mails/")
    assert "/" not in path.removeprefix("/api/tickets/T12/mails/")


T7 = Origin("T7", by_id=False)


@pytest.mark.parametrize(
    ("message_id", "subject", "origin"),
    [
        pytest.param(SENT, "", Origin("T7", by_id=True), id="the id of a mail"),
        pytest.param("<x@desk.example>", "Re: [Desk T7] Your order", T7, id="the subject"),
        pytest.param("<desk-T9-abc@desk.example>", "[Desk T7]", T7, id="the id is of no ticket"),
        pytest.param(None, "[Desk T9] Your order", None, id="no such ticket"),
        pytest.param(None, "[Desk ../T7] Your order", None, id="no name"),
        pytest.param(None, "Your order T7", None, id="another form"),
    ],
)
def test_the_origin_is_a_ticket_that_can_be_read(
    caller: HttpCaller, message_id: str | None, subject: str, origin: Origin | None
) -> None:
    assert origin == GENERIC.origin(caller, Original(message_id, {"subject": subject}))


def test_without_a_form_there_is_no_origin(server: FakeServer) -> None:
    adapter = configured(drop=("subject", "message_id"))
    found = adapter.origin(server.caller(GENERIC.headers()), Original(SENT, {"subject": "[Desk T7]"}))
    assert (None, []) == (found, server.calls)


def test_everything_is_written_in_order(desk: FakeGeneric, caller: HttpCaller) -> None:
    GENERIC.write(caller, BOUNCE, Change(TAGS, NOTE, "42", "high", "T7"))
    assert ["tags", "queue", "priority", "note", "merge"] == desk.done
    ticket = desk.tickets["T12"]
    assert ["of others", *TAGS.words] == ticket["labels"]
    assert ({"bounce": "mailbox_full"}, {"id": 42}, "high", "T7", "open") == (
        ticket["fields"],
        ticket["queue"],
        ticket["priority"],
        ticket["into"],
        ticket["state"],
    )
    assert [f"{NOTE.title}\n{NOTE.text}"] == [note["text"] for note in desk.notes["T12"]]
    assert GENERIC.has_note(caller, BOUNCE, NOTE.marker)
    assert not GENERIC.has_note(caller, Event("T7"), NOTE.marker)


def test_writing_twice_changes_nothing_more(desk: FakeGeneric, caller: HttpCaller) -> None:
    change = Change(TAGS, None, "42", "high", "T7")
    GENERIC.write(caller, BOUNCE, change)
    before = orjson.dumps(desk.tickets)
    GENERIC.write(caller, BOUNCE, change)
    assert before == orjson.dumps(desk.tickets)


def test_what_has_nothing_to_do_is_not_called(desk: FakeGeneric, caller: HttpCaller) -> None:
    GENERIC.write(caller, BOUNCE, Change(TAGS, merge_into="T12"))
    assert ["tags"] == desk.done


def test_a_value_that_has_to_be_a_number_and_is_none_is_refused(caller: HttpCaller) -> None:
    with pytest.raises(CallRefused, match="number"):
        GENERIC.write(caller, BOUNCE, Change(TAGS, queue="Postmaster"))


def test_polling_reads_each_item_as_a_webhook(desk: FakeGeneric, caller: HttpCaller) -> None:
    told = orjson.loads(TOLD)
    desk.news = [
        {**told, "at": "2026-11-23T12:00:00Z"},
        {**told, "at": "2026-11-24T12:00:00Z"},
        {**told, "what": "state_changed", "at": "2026-11-24T12:00:00Z"},
    ]
    assert [BOUNCE] == list(GENERIC.poll(caller, datetime(2026, 11, 24, tzinfo=UTC)))
    assert [] == list(configured(drop=("poll", "poll_at")).poll(caller, NOON.now))


@pytest.mark.parametrize(
    ("message_id", "action"), [(SENT, "suppress"), ("<desk-T9-a@desk.example>", "review")]
)
def test_a_bounce_is_tagged_noted_and_merged_from_webhook_to_ticket(
    desk: FakeGeneric,
    server: FakeServer,
    ledger: Ledger,
    diagnoser: Diagnoser,
    clock: FakeClock,
    message_id: str,
    action: str,
) -> None:
    desk.mails["T12", "m1"] = bounce(returned=f"Message-ID: {message_id}\nSubject: Your order\n")
    wishes = {"recipient_unknown": Routing(("drop-address",), "42", "high")}
    adapter = Generic(replace(SYSTEM, categories=wishes, merge=True), NOON)
    handler = Handler(
        {"desk": Desk(adapter.system, adapter, server.caller(adapter.headers()))}, ledger, diagnoser
    )
    event = adapter.read(signed(TOLD))
    assert event is not None
    handler.take("desk", event)
    list(handler.work())
    assert ["noted"] == [entry.outcome for entry in ledger.letters(State.DONE)]
    is_known = action == "suppress"
    ticket = desk.tickets["T12"]
    assert f"ndr-action-{action}" in ticket["labels"]
    assert "of others" in ticket["labels"]
    assert (is_known, is_known) == ("drop-address" in ticket["labels"], ticket.get("into") == "T7")
    (note,) = desk.notes["T12"]
    assert "gone@example.net" in note["text"]


def test_a_try_that_broke_off_after_the_note_writes_no_second_one(
    desk: FakeGeneric, server: FakeServer, ledger: Ledger, diagnoser: Diagnoser, clock: FakeClock
) -> None:
    adapter = Generic(replace(SYSTEM, merge=True), NOON)
    working = server.caller(adapter.headers())

    class Breaking:
        """Loses the answer to the first note."""

        is_broken = False

        def call(self, method: str, path: str, **given: object) -> object:
            answered = working.call(method, path, **given)  # type: ignore[arg-type]  # handed through
            if path.endswith("/note") and not self.is_broken:
                self.is_broken = True
                raise CallFailed("desk.example cannot be reached: ReadTimeoutError")
            return answered

    handler = Handler({"desk": Desk(adapter.system, adapter, Breaking())}, ledger, diagnoser)  # type: ignore[arg-type]  # a fake
    handler.take("desk", BOUNCE)
    list(handler.work())
    clock.forward(PAUSES_S[0])
    list(handler.work())
    assert (1, "T7") == (len(desk.notes["T12"]), desk.tickets["T12"]["into"])
