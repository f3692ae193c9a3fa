from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from model.pipeline import Diagnoser
from service.errors import CallFailed, CallRefused
from service.ticketing.errors import BadSignature, MoreNews
from service.ticketing.nouns import Change, Event, Note, Origin, Original, System, Tags, Webhook
from service.ticketing.systems import roundup
from service.ticketing.systems.roundup import Roundup
from tests.unit.ticketing.fakes import KEY, SHARED, FakeCaller, signed

R = "/rest/data"
SYSTEM = System("tracker", "roundup", "https://bugs.example.com/t", user="ndr", token=KEY, secret=SHARED)
ROUNDUP = Roundup(SYSTEM)
EVENT = Event("12", "34")
TAGS = Tags("bounce", "mailbox_full", "temporary", "retry", "recipient", "mailbox", 0.98)
NOTE = Note("Mailbox full", "Mailbox full\n", "0" * 32)


def one(**attributes: Any) -> dict[str, Any]:
    return {"data": {"attributes": attributes, "@etag": '"e"'}}


def many(*items: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"collection": list(items)}}


def content(text: str) -> dict[str, Any]:
    return {"data": {"data": text}}


def message(username: str = "MAILER-DAEMON", messageid: str | None = "<b@mx>") -> dict[str, Any]:
    files = [{"id": "5", "name": "Your order.eml"}, {"id": "6", "name": "unnamed"}]
    return one(author={"id": "3", "username": username}, messageid=messageid, files=files)


ISSUE = one(
    title="Undelivered Mail Returned to Sender",
    keyword=[{"id": "1", "name": "vip"}, {"id": "2", "name": "ndr-kind-delay"}],
    status={"id": "8", "name": "resolved"},
    messages=[{"id": "34"}],
    nosy=[{"id": "3"}, {"id": "4"}],
    superseder=[],
)
SCRIPT: dict[tuple[str, str], Any] = {
    ("GET", f"{R}/msg/34?@verbose=2"): message(),
    ("GET", f"{R}/issue/12?@verbose=2"): ISSUE,
    ("GET", f"{R}/msg/34/content"): content("<g@b.example>: host mx said: 550 5.1.1 User unknown"),
    ("GET", f"{R}/file/5/content"): content(
        "Message-ID: <x@t.example>\nSubject: [issue7] Your order\n\nHi\n"
    ),
    ("GET", f"{R}/file/6?@verbose=2"): one(type="text/plain"),
    ("GET", f"{R}/file/6/content"): content("more"),
    ("GET", f"{R}/keyword?@fields=name"): many(
        {"id": "1", "name": "vip"}, {"id": "9", "name": "ndr-kind-bounce"}
    ),
    ("POST", f"{R}/keyword"): {"data": {"id": "10"}},
    ("POST", f"{R}/msg"): {"data": {"id": "35"}},
    ("PUT", f"{R}/issue/12"): {"data": {}},
}


def test_a_detector_tells_of_a_message() -> None:
    assert EVENT == ROUNDUP.read(signed(b'{"issue": "12", "msg": "34", "author": "MAILER-DAEMON"}'))
    own = ROUNDUP.read(signed(b'{"issue": "12", "msg": "35", "author": "ndr"}'))
    assert own is not None
    assert own.is_own
    with pytest.raises(BadSignature):
        ROUNDUP.read(Webhook({}, b'{"issue": "12", "msg": "34"}'))


def test_the_mail_is_put_together_from_message_and_files(diagnoser: Diagnoser) -> None:
    raw = ROUNDUP.fetch(FakeCaller(SCRIPT), EVENT)
    assert raw is not None
    diagnosis = diagnoser.diagnose(raw)
    assert ("bounce", "recipient_unknown", "<x@t.example>") == (
        diagnosis.kind,
        diagnosis.lead.verdict.category,
        diagnosis.report.original_message_id,
    )


@pytest.mark.parametrize("told", [message("ndr"), message(messageid=None)])
def test_a_message_that_did_not_come_by_mail_has_none(told: dict[str, Any]) -> None:
    assert ROUNDUP.fetch(FakeCaller({("GET", f"{R}/msg/34?@verbose=2"): told}), EVENT) is None


def test_the_message_reaches_nobodys_mailbox_and_wakes_no_issue() -> None:
    caller = FakeCaller(SCRIPT)
    ROUNDUP.write(caller, EVENT, Change(TAGS, NOTE, merge_into="7"))
    (added,) = [call.json for call in caller.made("POST") if call.path == f"{R}/msg"]
    assert ["3", "4"] == added["recipients"], "the watchers count as those who have it"
    (put,) = caller.made("PUT")
    assert {
        "keyword": ["1", "9", "10", "10"],
        "status": "8",
        "superseder": ["7"],
        "messages": ["34", "35"],
    } == put.json
    assert '"e"' == put.headers["If-Match"]


@pytest.mark.parametrize(("status", "error"), [(412, CallFailed), (403, CallRefused)])
def test_an_issue_that_was_changed_meanwhile_is_tried_again(status: int, error: type[Exception]) -> None:
    refusal = CallRefused(f"answered {status}", status)
    with pytest.raises(error):
        ROUNDUP.write(FakeCaller({**SCRIPT, ("PUT", f"{R}/issue/12"): refusal}), EVENT, Change(TAGS))


def by_id(message_id: str) -> tuple[str, str]:
    return "GET", f"{R}/msg?messageid={quote(message_id, safe='')}&%40fields=messageid"


@pytest.mark.parametrize(
    ("original", "origin"),
    [
        (Original("<x@t.example>"), Origin("7", by_id=False)),
        (Original("<y@t.example>"), None),
        (Original(None, {"subject": "Re: [issue12] Your order"}), Origin("12", by_id=False)),
        (Original(None, {"subject": "Re: [issue13] Your order"}), None),
        (Original(None, {"subject": "issue12"}), None),
    ],
)
def test_the_origin_is_an_issue_that_exists(original: Original, origin: Origin | None) -> None:
    caller = FakeCaller(
        {
            by_id("<x@t.example>"): many({"id": "2", "messageid": "<x@t.example>"}),
            by_id("<y@t.example>"): many({"id": "2", "messageid": "<xy@t.example>"}),
            ("GET", f"{R}/issue?messages=2"): many({"id": "7"}),
            ("GET", f"{R}/issue/12"): one(),
        }
    )
    assert origin == ROUNDUP.origin(caller, original)


def test_a_note_of_ours_is_found() -> None:
    caller = FakeCaller({**SCRIPT, ("GET", f"{R}/msg/34/content"): content(f"x\n{NOTE.marker}")})
    assert ROUNDUP.has_note(caller, EVENT, NOTE.marker)
    assert not ROUNDUP.has_note(FakeCaller(SCRIPT), EVENT, NOTE.marker)


def test_polling_yields_mails_with_their_issues() -> None:
    query = (
        "date=2026-11-24.00%3A00%3A00%3B&%40sort=date&%40fields=messageid%2Cdate&@page_size=100&@page_index=1"
    )
    caller = FakeCaller(
        {
            ("GET", f"{R}/msg?{query}"): many(
                {"id": "34", "messageid": "<b@mx>"}, {"id": "35", "messageid": None}
            ),
            ("GET", f"{R}/issue?messages=34"): many({"id": "12"}),
        }
    )
    assert [EVENT] == list(ROUNDUP.poll(caller, datetime(2026, 11, 24, tzinfo=UTC)))


def test_where_there_is_more_than_one_look_takes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roundup, "MOST_PAGES", 1)
    monkeypatch.setattr(roundup, "PER_PAGE", 1)
    query = (
        "date=2026-11-24.00%3A00%3A00%3B&%40sort=date&%40fields=messageid%2Cdate&@page_size=1&@page_index=1"
    )
    told = many({"id": "34", "messageid": None, "date": "2026-11-24.12:00:00"})
    with pytest.raises(MoreNews) as more:
        list(
            ROUNDUP.poll(FakeCaller({("GET", f"{R}/msg?{query}"): told}), datetime(2026, 11, 24, tzinfo=UTC))
        )
    assert datetime(2026, 11, 24, 12, tzinfo=UTC) == more.value.up_to


@pytest.mark.parametrize(
    ("message_id", "is_sent"),
    [
        pytest.param("<1795521600.5.0.25.issue7@t.example>", True, id="Roundup made it"),
        pytest.param("<1795521600.5.0.25.issue8@t.example>", False, id="for another issue"),
        pytest.param("<customer@elsewhere.example>", False, id="of a mail that came in"),
        pytest.param(None, False, id="none"),
    ],
)
def test_only_an_id_that_roundup_made_shows_that_it_sent_a_mail(
    message_id: str | None, *, is_sent: bool
) -> None:
    caller = FakeCaller(
        {
            by_id(message_id or ""): many({"id": "2", "messageid": message_id}),
            ("GET", f"{R}/issue?messages=2"): many({"id": "7"}),
            ("GET", f"{R}/issue/7"): one(),
        }
    )
    found = ROUNDUP.origin(caller, Original(message_id, {"subject": "[issue7] x"}))
    assert Origin("7", is_sent) == found


def test_requests_prove_that_nobody_forged_them() -> None:
    headers = ROUNDUP.headers()
    assert ("Basic bmRyOjEtMi1hYmM=", "https://bugs.example.com") == (
        headers["Authorization"],
        headers["Origin"],
    )
