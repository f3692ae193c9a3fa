from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from model.pipeline import Diagnoser
from service.errors import CallRefused
from service.outgoing import Answered
from service.ticketing.errors import BadEvent, BadSignature, MoreNews
from service.ticketing.nouns import Change, Event, Note, Origin, Original, System, Tags, Webhook
from service.ticketing.systems import rt
from service.ticketing.systems.rt import Rt
from tests.unit.ticketing.fakes import KEY, SHARED, FakeCaller, signed

R = "/REST/2.0"
SYSTEM = System(
    "helpdesk",
    "rt",
    "https://rt.example.com",
    user="ndr",
    token=KEY,
    secret=SHARED,
    fields={"category": "Bounce category"},
    options={"site": "rt.example.com", "tags_field": "Bounce tags"},
)
RT = Rt(SYSTEM)
AT = "2026-11-24T12:17:37Z"
EVENT = Event("12", "345")
TAGS = Tags("bounce", "mailbox_full", "temporary", "retry", "recipient", "mailbox", 0.98)
NOTE = Note("Mailbox full", "Mailbox full\n", "0" * 32)

ROOT = {
    "id": "1",
    "Headers": "From: MAILER-DAEMON@mx.example.com\nSubject: Undelivered Mail Returned to Sender\n"
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\nX-RT-Interface: Email\n'
    "Content-Length: 0",
    "Content": "",
}
BELOW = [
    {
        "id": "2",
        "Parent": {"id": "1"},
        "Headers": "Content-Type: text/plain",
        "Content": "<g@b.example>: gone",
    },
    {
        "id": "3",
        "Parent": {"id": "1"},
        "Headers": "Content-Type: message/delivery-status",
        "Content": "Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: rfc822; g@b.example\n"
        "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n",
    },
    {"id": "4", "Parent": {"id": "1"}, "Headers": "Content-Type: message/rfc822", "Content": ""},
    {
        "id": "5",
        "Parent": {"id": "4"},
        "Headers": "Message-ID: <rt-5-1@rt>\nSubject: Übung",
        "Content": "Grüße",
    },
]


class FakeRt(FakeCaller):
    """Answers searches by what they look for."""

    def call(self, method: str, path: str, **given: Any) -> Answered:
        answered = super().call(method, path, **given)
        if method != "POST" or "?fields=" not in path:
            return answered
        wanted = {each["field"]: (each["operator"], each["value"]) for each in orjson.loads(given["body"])}
        items = [ROOT] if wanted.get("Parent") == ("=", 0) else BELOW
        return Answered(200, {}, orjson.dumps({"items": items}))


def transaction(kind: str = "Create", creator: str = "MAILER-DAEMON@mx.example.com") -> dict[str, Any]:
    return {"Type": kind, "Creator": {"id": creator}, "Object": {"id": "12", "type": "ticket"}}


def search(what: str, fields: str) -> tuple[str, str]:
    return "POST", f"{R}/{what}?fields={fields}&per_page=100&orderby=id&page=1"


def test_a_scrip_tells_of_a_transaction() -> None:
    told = signed(b'{"ticket": 12, "transaction": 345, "creator": "MAILER-DAEMON@mx.example.com"}')
    assert EVENT == RT.read(told)


def test_what_we_wrote_ourselves_is_known_by_its_author() -> None:
    event = RT.read(signed(b'{"ticket": 12, "transaction": 346, "creator": "ndr"}'))
    assert event is not None
    assert event.is_own


def test_a_scrip_without_the_secret_is_not_believed() -> None:
    with pytest.raises(BadSignature):
        RT.read(Webhook({}, b'{"ticket": 12, "transaction": 345}'))
    with pytest.raises(BadEvent, match="transaction"):
        RT.read(signed(b'{"ticket": 12}'))


def test_the_mail_is_put_together_from_attachments(diagnoser: Diagnoser) -> None:
    caller = FakeRt(
        {
            ("GET", f"{R}/transaction/345"): transaction(),
            search("attachments", "Headers,Content"): None,
            search("attachments", "Parent,Headers,Content"): None,
        }
    )
    raw = RT.fetch(caller, EVENT)
    assert raw is not None
    diagnosis = diagnoser.diagnose(raw)
    assert ("recipient_unknown", "<rt-5-1@rt>") == (
        diagnosis.lead.verdict.category,
        diagnosis.report.original_message_id,
    )
    assert "Grüße".encode() in raw


@pytest.mark.parametrize("told", [transaction("Comment"), transaction("Status"), transaction(creator="ndr")])
def test_a_transaction_that_is_no_incoming_mail_has_none(told: dict[str, Any]) -> None:
    assert RT.fetch(FakeCaller({("GET", f"{R}/transaction/345"): told}), EVENT) is None


@pytest.mark.parametrize(
    ("kind", "by_id"), [("EmailRecord", True), ("CommentEmailRecord", True), ("Create", False)]
)
def test_only_the_id_of_a_mail_that_rt_sent_shows_that(kind: str, *, by_id: bool) -> None:
    caller = FakeCaller(
        {
            search("attachments", "TransactionId"): {"items": [{"id": "9", "TransactionId": "50"}]},
            ("GET", f"{R}/transaction/50"): transaction(kind),
            ("GET", f"{R}/ticket/12"): {"id": 12},
        }
    )
    original = Original("<rt-5-1@rt>", {"subject": "[rt.example.com #12] Your order"})
    assert Origin("12", by_id) == RT.origin(caller, original)


@pytest.mark.parametrize(
    ("headers", "ticket"),
    [
        ({"subject": "Re: [rt.example.com #7] Your order"}, "7"),
        ({"x-rt-ticket": "rt.example.com #7"}, "7"),
        ({"rt-ticket": "rt.example.com #7"}, "7"),
        ({"subject": "[rt.example.com #8] a ticket that is not there"}, None),
        ({"subject": "[other.example.com #7] Your order"}, None),
        ({"subject": "Your order #7"}, None),
        ({}, None),
    ],
)
def test_a_number_counts_where_the_ticket_exists(headers: dict[str, str], ticket: str | None) -> None:
    caller = FakeCaller({("GET", f"{R}/ticket/7"): {"id": 7}})
    expected = Origin(ticket, by_id=False) if ticket else None
    assert expected == RT.origin(caller, Original(None, headers))


WRITABLE = {
    ("GET", f"{R}/ticket/12"): {
        "CustomFields": [
            {"name": "Bounce category"},
            {"name": "Bounce tags", "values": ["vip", "ndr-kind-delay"]},
        ]
    },
    ("PUT", f"{R}/ticket/12"): ["done"],
    ("PUT", f"{R}/ticket/7"): ["done"],
    ("POST", f"{R}/ticket/12/comment"): ["Comments added"],
}


def test_fields_queue_and_comment_are_written_and_nobody_is_answered() -> None:
    caller = FakeCaller(WRITABLE)
    RT.write(caller, EVENT, Change(TAGS, NOTE, "Postmaster", "20"))
    assert {
        "CustomFields": {"Bounce category": "mailbox_full", "Bounce tags": ["vip", *TAGS.words]},
        "Queue": "Postmaster",
        "Priority": "20",
    } == caller.made("PUT")[0].json
    (comment,) = caller.made("POST")
    assert f"{R}/ticket/12/comment" == comment.path
    assert NOTE.marker in comment.json["Subject"]
    assert not any("correspond" in call.path or b"Status" in call.body for call in caller.calls)


def test_merging_comes_last_and_the_fields_follow_it() -> None:
    caller = FakeCaller(WRITABLE)
    RT.write(caller, EVENT, Change(TAGS, NOTE, merge_into="7"))
    assert [f"{R}/ticket/12", f"{R}/ticket/12", f"{R}/ticket/7"] == [call.path for call in caller.made("PUT")]
    assert {"MergeInto": "7"} == caller.made("PUT")[1].json


def test_a_field_that_the_queue_lacks_is_named() -> None:
    caller = FakeCaller({("GET", f"{R}/ticket/12"): {"CustomFields": []}})
    with pytest.raises(CallRefused, match="Bounce category"):
        RT.write(caller, EVENT, Change(TAGS))


def test_a_note_of_ours_is_found_by_its_subject() -> None:
    caller = FakeCaller(
        {
            search("attachments", "TransactionId"): {"items": [{"id": "9", "TransactionId": "50"}]},
            ("GET", f"{R}/transaction/50"): transaction("Comment", "ndr"),
        }
    )
    assert RT.has_note(caller, EVENT, NOTE.marker)
    assert not RT.has_note(caller, Event("13", "1"), NOTE.marker)


def test_polling_leaves_out_what_we_wrote() -> None:
    items = [
        {"id": "345", "ObjectId": "12", "Creator": {"id": "MAILER-DAEMON"}, "Created": AT},
        {"id": "346", "ObjectId": "12", "Creator": {"id": "ndr"}, "Created": AT},
    ]
    caller = FakeCaller({search("transactions", "ObjectId,Creator,Created"): {"items": items}})
    assert [EVENT] == list(RT.poll(caller, datetime(2026, 11, 24, tzinfo=UTC)))
    assert b'"2026-11-24 00:00:00"' in caller.calls[0].body


def test_where_there_is_more_than_one_look_takes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rt, "MOST_PAGES", 1)
    items = [{"id": "345", "ObjectId": "12", "Creator": {"id": "a"}, "Created": AT}] * rt.PER_PAGE
    caller = FakeCaller({search("transactions", "ObjectId,Creator,Created"): {"items": items}})
    events = RT.poll(caller, datetime(2026, 11, 24, tzinfo=UTC))
    assert [EVENT] * rt.PER_PAGE == [next(events) for _ in items]
    with pytest.raises(MoreNews) as more:
        next(events)
    assert datetime(2026, 11, 24, 12, 17, 37, tzinfo=UTC) == more.value.up_to


def test_the_token_is_sent_and_not_shown() -> None:
    assert {"Authorization": "token 1-2-abc"} == RT.headers()
    assert "1-2-abc" not in repr(RT)
