from datetime import UTC, datetime
from typing import Any

import pytest

from model.pipeline import Diagnoser
from service.errors import CallRefused
from service.ticketing.errors import BadSignature, MoreNews
from service.ticketing.nouns import Change, Event, Note, Origin, Original, System, Tags, Webhook
from service.ticketing.systems import redmine
from service.ticketing.systems.redmine import Redmine
from tests.unit.ticketing.fakes import KEY, SHARED, FakeCaller, signed

SYSTEM = System(
    "redmine",
    "redmine",
    "https://redmine.example.com",
    token=KEY,
    secret=SHARED,
    fields={"category": "Bounce category"},
)
REDMINE = Redmine(SYSTEM)
TAGS = Tags("bounce", "mailbox_full", "temporary", "retry", "recipient", "mailbox", 0.98)
NOTE = Note("Mailbox full", "Mailbox full\n", "0" * 32)
ANONYMOUS, OWN = {"id": 4, "name": "Anonymous"}, {"id": 5, "name": "ndr"}
AT = "2026-11-24T12:17:37Z"
WORDS = "This is the mail system at host mx.\r\n<g@b.example>: host mx said: 550 5.1.1 User unknown"


def issue(**given: Any) -> dict[str, Any]:
    told = {
        "id": 12,
        "subject": "Undelivered Mail Returned to Sender",
        "description": WORDS,
        "author": ANONYMOUS,
        "created_on": AT,
        "custom_fields": [{"id": 2, "name": "Bounce category", "value": None}],
        "attachments": [
            {
                "id": 1,
                "filename": "sent.eml",
                "content_type": "message/rfc822",
                "author": ANONYMOUS,
                "created_on": AT,
            },
            {
                "id": 2,
                "filename": "a.png",
                "content_type": "image/png",
                "author": ANONYMOUS,
                "created_on": AT,
            },
            {"id": 3, "filename": "x.txt", "content_type": "text/plain", "author": OWN, "created_on": AT},
        ],
        "journals": [{"id": 34, "user": ANONYMOUS, "notes": WORDS, "created_on": AT, "private_notes": False}],
    }
    return {"issue": {**told, **given}}


def script(**given: Any) -> dict[tuple[str, str], Any]:
    return {
        ("GET", "/issues/12.json?include=journals,attachments"): issue(**given),
        ("GET", "/users/current.json"): {"user": OWN},
        ("GET", "/attachments/download/1/sent.eml"): b"Message-ID: <x@redmine>\n\nHi\n",
        ("PUT", "/issues/12.json"): b"",
        ("POST", "/issues/12/relations.json"): {"relation": {}},
    }


@pytest.mark.parametrize("event", [Event("12"), Event("12", "34")])
def test_the_mail_is_put_together_from_words_and_files(diagnoser: Diagnoser, event: Event) -> None:
    raw = REDMINE.fetch(FakeCaller(script()), event)
    assert raw is not None
    diagnosis = diagnoser.diagnose(raw)
    assert ("bounce", "recipient_unknown", "<x@redmine>") == (
        diagnosis.kind,
        diagnosis.lead.verdict.category,
        diagnosis.report.original_message_id,
    )


@pytest.mark.parametrize(
    ("given", "event"),
    [
        pytest.param({"author": OWN}, Event("12"), id="an issue of ours"),
        pytest.param({"description": " "}, Event("12"), id="without words"),
        pytest.param({"journals": []}, Event("12", "34"), id="a note that is gone"),
        pytest.param(
            {
                "journals": [
                    {"id": 34, "user": ANONYMOUS, "notes": "x", "private_notes": True, "created_on": AT}
                ]
            },
            Event("12", "34"),
            id="a private note",
        ),
    ],
)
def test_what_is_no_mail_from_outside_has_none(given: dict[str, Any], event: Event) -> None:
    assert REDMINE.fetch(FakeCaller(script(**given)), event) is None


def test_the_note_is_private() -> None:
    caller = FakeCaller(script())
    REDMINE.write(caller, Event("12"), Change(TAGS, NOTE, "postmaster", "5", "7"))
    (put,) = caller.made("PUT")
    assert {
        "issue": {
            "custom_fields": [{"id": 2, "value": "mailbox_full"}],
            "project_id": "postmaster",
            "priority_id": "5",
            "notes": NOTE.text,
            "private_notes": True,
        }
    } == put.json
    assert {"relation": {"issue_to_id": "7", "relation_type": "relates"}} == caller.made("POST")[0].json


@pytest.mark.parametrize(("status", "is_raised"), [(422, False), (403, True)])
def test_a_relation_that_is_there_already_is_no_failure(status: int, *, is_raised: bool) -> None:
    refusal = CallRefused(f"answered {status}", status)
    caller = FakeCaller({**script(), ("POST", "/issues/12/relations.json"): refusal})
    change = Change(TAGS, merge_into="7")
    if is_raised:
        with pytest.raises(CallRefused):
            REDMINE.write(caller, Event("12"), change)
    else:
        REDMINE.write(caller, Event("12"), change)


def test_a_field_that_the_issue_lacks_is_named() -> None:
    with pytest.raises(CallRefused, match="Bounce category"):
        REDMINE.write(FakeCaller(script(custom_fields=[])), Event("12"), Change(TAGS))


@pytest.mark.parametrize(
    ("message_id", "headers", "ticket"),
    [
        ("<redmine.issue-12.20261124121737@redmine.example.com>", {}, "12"),
        ("<redmine.issue-12.20261124121737.5@redmine.example.com>", {}, "12"),
        ("<redmine.issue-12.20260101000000@redmine.example.com>", {}, None),
        ("<redmine.issue-13.20261124121737@redmine.example.com>", {}, None),
        ("<redmine.journal-34.20261124121737@redmine>", {"x-redmine-issue-id": "12"}, "12"),
        ("<redmine.journal-35.20261124121737@redmine>", {"x-redmine-issue-id": "12"}, None),
        (None, {"subject": "[Helpdesk - Bug #12] Your order"}, "12"),
        (None, {"subject": "[Helpdesk - Bug #13] Your order"}, None),
        (None, {"x-redmine-issue-id": "../12"}, None),
        ("<x@y>", {"subject": "Your order"}, None),
    ],
)
def test_the_origin_is_an_issue_whose_mail_it_can_be(
    message_id: str | None, headers: dict[str, str], ticket: str | None
) -> None:
    found = REDMINE.origin(FakeCaller(script()), Original(message_id, headers))
    assert ticket == (found and found.ticket)


def test_a_note_of_ours_is_found() -> None:
    told = [{"id": 35, "user": OWN, "notes": NOTE.text, "created_on": AT}]
    assert REDMINE.has_note(FakeCaller(script(journals=told)), Event("12"), NOTE.marker)
    assert not REDMINE.has_note(FakeCaller(script()), Event("12"), NOTE.marker)


def test_polling_yields_what_is_new_in_issues_that_changed() -> None:
    query = "updated_on=%3E%3D2026-11-24T00%3A00%3A00Z&status_id=%2A&sort=updated_on&limit=100&offset=0"
    caller = FakeCaller({**script(), ("GET", f"/issues.json?{query}"): {"issues": [{"id": 12}]}})
    since = datetime(2026, 11, 24, tzinfo=UTC)
    assert [Event("12"), Event("12", "34")] == list(REDMINE.poll(caller, since))


def test_where_there_is_more_than_one_look_takes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redmine, "MOST_PAGES", 1)
    query = "updated_on=%3E%3D2026-11-24T00%3A00%3A00Z&status_id=%2A&sort=updated_on&limit=100&offset=0"
    issues = [{"id": 12, "updated_on": "2026-11-24T12:00:00Z"}] * redmine.PER_PAGE
    caller = FakeCaller({**script(), ("GET", f"/issues.json?{query}"): {"issues": issues}})
    with pytest.raises(MoreNews) as more:
        list(REDMINE.poll(caller, datetime(2026, 11, 24, tzinfo=UTC)))
    assert datetime(2026, 11, 24, 12, tzinfo=UTC) == more.value.up_to


@pytest.mark.parametrize(
    ("message_id", "is_sent"),
    [("<redmine.issue-12.20261124121737@redmine.example.com>", True), ("<x@y>", False), (None, False)],
)
def test_only_an_id_of_redmine_shows_that_it_sent_a_mail(message_id: str | None, *, is_sent: bool) -> None:
    original = Original(message_id, {"subject": "[Helpdesk - Bug #12] x", "x-redmine-issue-id": "12"})
    assert Origin("12", is_sent) == REDMINE.origin(FakeCaller(script()), original)


def test_a_call_of_ones_own_tells_of_an_issue_or_a_note() -> None:
    assert Event("12") == REDMINE.read(signed(b'{"issue": 12}'))
    assert Event("12", "34") == REDMINE.read(signed(b'{"issue": 12, "journal": 34}'))
    with pytest.raises(BadSignature):
        REDMINE.read(Webhook({}, b'{"issue": 12}'))
