"""The adapter for Jira Service Management, against a small Jira of its own on loopback."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from model.pipeline import Diagnoser
from service.errors import CallRefused, SettingError
from service.outgoing import HttpCaller
from service.ticketing.desks import Desk
from service.ticketing.errors import BadEvent, BadSignature, MoreNews
from service.ticketing.handling import Handler
from service.ticketing.ledger import Ledger, State
from service.ticketing.nouns import Change, Event, Note, Origin, Original, Routing, System, Tags, Webhook
from service.ticketing.systems import jira as module
from service.ticketing.systems.jira import Jira
from tests.unit.ticketing.fake_jira import ACCOUNT, AGENT, AT, MILLIS, FakeJira, signed
from tests.unit.ticketing.fake_server import FakeServer
from tests.unit.ticketing.fakes import KEY, SHARED, FakeClock

SENT = f"<JIRA.10007.{MILLIS}.12.1795000000000@Atlassian.JIRA>"
RETURNED = f"Message-ID: {SENT}\nSubject: SUP-7 Your order\nTo: gone@example.net\n\nDear customer\n"
WORDS = (
    "This is the mail system at host mx.example.com.\n\n"
    "<[gone@example.net|mailto:gone@example.net]>: host mx.example.net said: 550 5.1.1 User unknown "
    "\\(in reply to RCPT TO command)\n"
)
SYSTEM = System(
    "desk",
    "jira",
    "https://desk.example",
    user=AGENT,
    token=KEY,
    secret=SHARED,
    merge=True,
    fields={"category": "Bounce category"},
    options={"account_id": ACCOUNT},
)
NOON = FakeClock()
JIRA = Jira(SYSTEM, NOON)
TAGS = Tags("bounce", "mailbox_full", "temporary", "retry", "recipient", "mailbox", 0.98, ("vip",))
NOTE = Note("Mailbox full", "Mailbox full {noformat}*now*\n", "0" * 32)
BOUNCE = Event("SUP-12")


@pytest.fixture
def jira() -> FakeJira:
    """Request SUP-7, from which a mail was sent, and SUP-12, which its bounce opened."""
    fake = FakeJira()
    fake.add_issue(7, updated="2026-11-24T11:00:00.000+0000")
    fake.add_issue(12, labels=("of_others", "ndr-kind-delay"), description=WORDS)
    fake.add_file("SUP-12", "returned.eml", "application/octet-stream", RETURNED.encode())
    return fake


@pytest.fixture
def server(jira: FakeJira) -> Iterator[FakeServer]:
    with jira.server() as server:
        yield server


@pytest.fixture
def caller(server: FakeServer) -> HttpCaller:
    return server.caller(JIRA.headers())


@pytest.mark.parametrize(
    ("request_", "event"),
    [
        pytest.param(FakeJira().webhook("jira:issue_created", "SUP-12"), BOUNCE, id="an issue"),
        pytest.param(
            FakeJira().webhook("comment_created", "SUP-12", "900"), Event("SUP-12", "900"), id="a comment"
        ),
        pytest.param(
            FakeJira().webhook("comment_created", "SUP-12", "901", ACCOUNT),
            Event("SUP-12", "901", is_own=True),
            id="our own",
        ),
        pytest.param(FakeJira().webhook("jira:issue_updated", "SUP-12"), None, id="an edit"),
        pytest.param(signed(b"{}"), None, id="nothing"),
    ],
)
def test_a_webhook_tells_of_a_new_issue_or_comment(request_: Webhook, event: Event | None) -> None:
    assert event == JIRA.read(request_)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(Webhook({}, b"{}"), id="unsigned"),
        pytest.param(signed(b"{}", "another"), id="another secret"),
        pytest.param(replace(signed(b"{}"), body=b"{ }"), id="another body"),
    ],
)
def test_a_webhook_without_the_secret_is_not_believed(request_: Webhook) -> None:
    with pytest.raises(BadSignature):
        JIRA.read(request_)


def test_without_a_secret_no_webhook_is_believed() -> None:
    with pytest.raises(BadSignature, match="no secret"):
        Jira(replace(SYSTEM, secret="")).read(signed(b"{}", ""))


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"webhookEvent": "jira:issue_created"}',
        b'{"webhookEvent": "comment_created", "issue": 1}',
    ],
)
def test_a_signed_webhook_that_does_not_say_which_issue_is_refused(body: bytes) -> None:
    with pytest.raises(BadEvent):
        JIRA.read(signed(body))


def test_the_mail_is_rebuilt_from_the_description_and_its_files(
    caller: HttpCaller, diagnoser: Diagnoser
) -> None:
    raw = JIRA.fetch(caller, BOUNCE)
    assert raw is not None
    assert b"<gone@example.net>: host" in raw, "without Jira's markup"
    diagnosis = diagnoser.diagnose(raw)
    assert ("recipient_unknown", SENT) == (
        diagnosis.lead.verdict.category,
        diagnosis.report.original_message_id,
    )


def test_a_comment_is_rebuilt_with_the_files_that_came_with_it(jira: FakeJira, caller: HttpCaller) -> None:
    later = {"created": "2026-11-24T13:00:00.000+0000"}
    number = jira.add_comment("SUP-12", WORDS, **later)
    jira.add_file("SUP-12", "later.eml", "message/rfc822", b"Subject: later\n\n", **later)
    raw = JIRA.fetch(caller, Event("SUP-12", number))
    assert raw is not None
    assert b"Subject: later" in raw
    assert SENT.encode() not in raw


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"name": "logo.png", "kind": "image/png"}, id="a picture"),
        pytest.param({"author": {"accountId": "somebody"}}, id="of somebody else"),
        pytest.param({"created": "2026-11-24T12:05:00.000+0000"}, id="of a later time"),
    ],
)
def test_other_files_are_not_asked_for(
    jira: FakeJira, server: FakeServer, caller: HttpCaller, given: dict[str, Any]
) -> None:
    jira.issues["SUP-12"]["fields"]["attachment"].clear()
    jira.add_file("SUP-12", **{"name": "a.txt", "kind": "text/plain", "content": b"x", **given})
    assert JIRA.fetch(caller, BOUNCE)
    assert not any("attachment" in path for _, path in server.made())


@pytest.mark.parametrize(
    ("body", "given"),
    [
        pytest.param("Look at this", {"jsdPublic": False}, id="internal"),
        pytest.param("We look at it", {"account": ACCOUNT}, id="our own"),
        pytest.param(" \n", {}, id="empty"),
    ],
)
def test_a_comment_that_is_no_mail_from_outside_has_none(
    jira: FakeJira, caller: HttpCaller, body: str, given: dict[str, Any]
) -> None:
    assert JIRA.fetch(caller, Event("SUP-12", jira.add_comment("SUP-12", body, **given))) is None


def test_an_issue_that_is_gone_is_refused_and_its_name_leads_nowhere_else(caller: HttpCaller) -> None:
    for key in ("SUP-99", "../issue/SUP-7", "SUP-7?x="):
        with pytest.raises(CallRefused) as refusal:
            JIRA.fetch(caller, Event(key))
        assert 404 == refusal.value.status


@pytest.mark.parametrize(
    ("message_id", "headers", "key"),
    [
        pytest.param(SENT, {}, "SUP-7", id="the id of a mail"),
        pytest.param(
            "<x@mailer.example>",
            {"in-reply-to": f"<JIRA.10007.{MILLIS}@Atlassian.JIRA>"},
            "SUP-7",
            id="the id that mails of an issue answer to",
        ),
        pytest.param(SENT.replace(str(MILLIS), str(MILLIS + 1)), {}, None, id="made at another moment"),
        pytest.param(SENT.replace("10007", "10099"), {}, None, id="no such issue"),
        pytest.param(
            SENT.replace("10007", "10012").replace(str(MILLIS), "1700000000000"),
            {"subject": "SUP-7 Your order"},
            None,
            id="an id that is not right, whatever the subject says",
        ),
        pytest.param(None, {"subject": "Re: SUP-7 Your order"}, "SUP-7", id="the key"),
        pytest.param("<x@y>", {"subject": "UTF-8 [JIRA] (SUP-7) Your order"}, "SUP-7", id="the second key"),
        pytest.param(None, {"subject": "SUP-99 Your order"}, None, id="a key that is not there"),
        pytest.param(None, {"subject": "XSUP-7-2 Your order"}, None, id="a part of a word"),
        pytest.param(None, {}, None, id="nothing"),
    ],
)
def test_the_origin_is_an_issue_that_jira_knows(
    caller: HttpCaller, message_id: str | None, headers: dict[str, str], key: str | None
) -> None:
    found = JIRA.origin(caller, Original(message_id, headers))
    assert key == (found and found.ticket)


def test_only_keys_of_the_configured_projects_are_asked_for(server: FakeServer) -> None:
    adapter = Jira(replace(SYSTEM, options={"projects": "HELP, OPS"}))
    subject = {"subject": "UTF-8 SUP-7 Your order"}
    assert adapter.origin(server.caller(JIRA.headers()), Original(None, subject)) is None
    assert [] == server.calls


def test_projects_that_are_no_keys_are_refused() -> None:
    with pytest.raises(SettingError, match=r"systems\.desk\.options\.projects='\"; DROP'"):
        Jira(replace(SYSTEM, options={"projects": 'SUP, "; DROP'}))


def test_labels_fields_component_priority_and_the_note_are_written(
    jira: FakeJira, caller: HttpCaller
) -> None:
    JIRA.write(caller, BOUNCE, Change(TAGS, NOTE, "Postmaster", "High"))
    fields = jira.issues["SUP-12"]["fields"]
    assert ["of_others", *TAGS.words] == fields["labels"]
    assert ("mailbox_full", [{"name": "Postmaster"}], {"name": "High"}) == (
        fields["customfield_10050"],
        fields["components"],
        fields["priority"],
    )
    (note,) = jira.notes("SUP-12")
    assert note.startswith("{noformat}\n")
    assert note.endswith("\n{noformat}")
    assert 2 == note.count("{noformat}"), "what the note quotes does not end the quotation"
    assert NOTE.marker in note


@pytest.mark.parametrize(
    ("axis", "name", "expected"),
    [
        ("category", "customfield_10050", "mailbox_full"),
        ("action", "Bounce action", {"value": "retry"}),
        ("confidence", "Confidence", 0.98),
        ("fix_owner", "Owners", [{"value": "recipient"}]),
    ],
)
def test_a_field_is_found_by_id_or_name_and_gets_the_shape_of_its_type(
    jira: FakeJira, caller: HttpCaller, axis: str, name: str, expected: object
) -> None:
    Jira(replace(SYSTEM, fields={axis: name})).write(caller, BOUNCE, Change(TAGS))
    assert expected in jira.issues["SUP-12"]["fields"].values()


@pytest.mark.parametrize("fields", [{"category": "Category"}, {"category": "Confidence"}])
def test_a_field_that_does_not_fit_is_refused_before_anything_is_written(
    server: FakeServer, fields: dict[str, str]
) -> None:
    with pytest.raises(CallRefused):
        Jira(replace(SYSTEM, fields=fields)).write(server.caller(JIRA.headers()), BOUNCE, Change(TAGS))
    assert [] == server.made("PUT", "POST")


def test_with_labels_alone_nothing_else_is_written(jira: FakeJira, server: FakeServer) -> None:
    Jira(replace(SYSTEM, fields={})).write(server.caller(JIRA.headers()), BOUNCE, Change(TAGS))
    assert [("PUT", "/rest/api/2/issue/SUP-12")] == server.made("PUT", "POST")
    assert [] == jira.notes("SUP-12")


def test_a_component_that_is_not_there_is_refused(caller: HttpCaller) -> None:
    with pytest.raises(CallRefused) as refusal:
        JIRA.write(caller, BOUNCE, Change(TAGS, queue="Nobody"))
    assert 400 == refusal.value.status


def test_a_merge_is_a_link_that_comes_last_and_is_made_once(jira: FakeJira, server: FakeServer) -> None:
    caller = server.caller(JIRA.headers())
    for note in (NOTE, None):
        JIRA.write(caller, BOUNCE, Change(TAGS, note, "Postmaster", "High", "SUP-7"))
    assert [
        ("POST", "/rest/servicedeskapi/request/SUP-12/comment"),
        ("POST", "/rest/api/2/issueLink"),
    ] == server.made("POST")
    fields = jira.issues["SUP-12"]["fields"]
    assert [{"type": {"name": "Relates"}, "outwardIssue": {"key": "SUP-7"}}] == fields["issuelinks"]
    assert (["of_others", *TAGS.words], [{"name": "Postmaster"}]) == (fields["labels"], fields["components"])


def test_an_issue_is_not_linked_with_itself(server: FakeServer) -> None:
    JIRA.write(server.caller(JIRA.headers()), BOUNCE, Change(TAGS, merge_into="SUP-12"))
    assert [] == server.made("POST")


def test_the_kind_of_link_may_be_another(jira: FakeJira, caller: HttpCaller) -> None:
    adapter = Jira(replace(SYSTEM, options={"link_type": "Duplicate"}))
    adapter.write(caller, BOUNCE, Change(TAGS, merge_into="SUP-7"))
    assert "Duplicate" == jira.issues["SUP-12"]["fields"]["issuelinks"][0]["type"]["name"]


def test_a_note_of_ours_is_found_among_many_comments(jira: FakeJira, caller: HttpCaller) -> None:
    assert not JIRA.has_note(caller, BOUNCE, NOTE.marker)
    JIRA.write(caller, BOUNCE, Change(TAGS, NOTE))
    for _ in range(120):
        jira.add_comment("SUP-12", "thanks")
    assert JIRA.has_note(caller, BOUNCE, NOTE.marker)


def test_polling_yields_what_is_new_and_public(jira: FakeJira, server: FakeServer) -> None:
    jira.issues["SUP-7"]["fields"]["created"] = "2026-11-01T12:00:00.000+0000"
    jira.add_comment("SUP-7", "old", created="2026-11-02T12:00:00.000+0000")
    first = jira.add_comment("SUP-7", WORDS)
    second = jira.add_comment("SUP-7", WORDS)
    jira.add_comment("SUP-12", "a note", jsdPublic=False)
    adapter = Jira(replace(SYSTEM, options={"projects": "SUP,OPS"}), NOON)
    since = datetime(2026, 11, 24, 11, 58, 30, tzinfo=UTC)
    found = list(adapter.poll(server.caller(JIRA.headers()), since))
    assert [Event("SUP-7", first), Event("SUP-7", second), BOUNCE] == found
    call = next(call for call in server.calls if call.path.endswith("/jql"))
    expected = 'project in ("SUP", "OPS") AND updated >= "-3m" ORDER BY updated ASC'
    assert expected == call.query["jql"]


def test_where_there_is_more_than_one_look_takes_is_said(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PAGES", 1)
    adapter = Jira(SYSTEM, NOON)
    with pytest.raises(MoreNews) as more:
        list(adapter.poll(server.caller(JIRA.headers()), datetime(2026, 11, 24, 11, 58, 30, tzinfo=UTC)))
    assert datetime(2026, 11, 24, 11, 0, tzinfo=UTC) == more.value.up_to


@pytest.mark.parametrize(
    ("message_id", "headers", "is_sent"),
    [
        pytest.param(SENT, {}, True, id="the id of a mail"),
        pytest.param(
            "<x@y>", {"in-reply-to": f"<JIRA.10007.{MILLIS}@Atlassian.JIRA>"}, False, id="an answer to one"
        ),
        pytest.param(None, {"subject": "SUP-7 Your order"}, False, id="the key alone"),
    ],
)
def test_only_an_id_of_jira_shows_that_it_sent_a_mail(
    caller: HttpCaller, message_id: str | None, headers: dict[str, str], *, is_sent: bool
) -> None:
    assert Origin("SUP-7", is_sent) == JIRA.origin(caller, Original(message_id, headers))


def test_the_token_is_sent_and_not_shown() -> None:
    assert JIRA.headers()["Authorization"].startswith("Basic ")
    assert KEY not in repr(JIRA)


@pytest.mark.parametrize(
    ("made", "action", "links"), [(AT, "suppress", 1), ("2026-01-01T00:00:00.000+0000", "review", 0)]
)
def test_a_bounce_is_labelled_noted_and_linked_from_webhook_to_issue(
    jira: FakeJira,
    server: FakeServer,
    ledger: Ledger,
    diagnoser: Diagnoser,
    made: str,
    action: str,
    links: int,
) -> None:
    jira.issues["SUP-7"]["fields"]["created"] = made
    wishes = {"recipient_unknown": Routing(("drop-address",), "Postmaster", "High")}
    adapter = Jira(replace(SYSTEM, categories=wishes), NOON)
    desk = Desk(adapter.system, adapter, server.caller(adapter.headers()))
    handler = Handler({"desk": desk}, ledger, diagnoser)
    event = adapter.read(jira.webhook("jira:issue_created", "SUP-12"))
    assert event is not None
    handler.take("desk", event)
    list(handler.work())
    assert ["noted"] == [entry.outcome for entry in ledger.letters(State.DONE)]
    fields = jira.issues["SUP-12"]["fields"]
    assert f"ndr-action-{action}" in fields["labels"]
    assert bool(links) == ("drop-address" in fields["labels"])
    assert ([{"name": "Postmaster"}], links) == (fields["components"], len(fields["issuelinks"]))
    (note,) = jira.notes("SUP-12")
    assert "gone@example.net" in note
    own = adapter.read(jira.webhook("comment_created", "SUP-12", jira.comments["SUP-12"][-1]["id"], ACCOUNT))
    assert own is not None
    assert handler.take("desk", own) is None
