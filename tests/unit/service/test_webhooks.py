"""Events are signed after Standard Webhooks, sent where they are wanted, and hold nothing of a mail."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from service.errors import SettingError
from service.outgoing import Answered, HttpCaller
from service.settings import Settings
from service.triage.orders import Order, Standing, State, Wish
from service.webhooks import (
    ARCHIVE_FINISHED,
    DIAGNOSIS_MADE,
    MOST_SIGNATURES,
    TOLERANCE_S,
    Events,
    events_of,
    signed,
    verify,
)

SECRET = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
OTHER = b"another secret of enough bytes"
BODY = b'{"test": 2432232314}'
AT = datetime.fromtimestamp(1614265330, UTC)
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
KNOWN = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
"""The example of the reference libraries."""

HEADERS = {"webhook-id": ID, "webhook-timestamp": "1614265330", "webhook-signature": KNOWN}
ORDER = Order(
    wish=Wish("a" * 32, ("/in/secret@example.com.mbox",), "outage"),
    state=State.SUCCEEDED,
    standing=Standing(chunks=1, chunks_done=1, items=5, rows=7, errors=2),
    created_at=AT,
    finished_at=AT + timedelta(seconds=9, microseconds=5),
    expires_at=AT + timedelta(days=7),
)
ANSWER = {"id": "b" * 32, "kind": "bounce", "category": "mailbox_full"}


@dataclass
class Receiver:
    """A ``Caller`` that keeps what it is sent."""

    calls: list[tuple[str, str, bytes, Mapping[str, str]]] = field(default_factory=list)

    def call(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        self.calls.append((method, path, body or b"", headers or {}))
        return Answered(204, {}, b"")


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def events(receiver: Receiver) -> Events:
    types = frozenset({ARCHIVE_FINISHED, DIAGNOSIS_MADE})
    return Events(receiver, "/ndr?to=desk", SECRET, types, clock=lambda: AT)


def test_the_signature_is_that_of_the_reference_libraries() -> None:
    assert HEADERS == signed(SECRET, ID, AT, BODY)


@pytest.mark.parametrize(
    ("changed", "is_right"),
    [
        ({}, True),
        ({"webhook-signature": f"v1,AAAA v1a,BBBB {KNOWN}"}, True),
        ({"webhook-signature": KNOWN.replace("v1,", "v2,")}, False),
        ({"webhook-signature": KNOWN[:-4]}, False),
        ({"webhook-signature": "v1,é"}, False),
        ({"webhook-signature": ""}, False),
        ({"webhook-signature": "v1, " * MOST_SIGNATURES + KNOWN}, False),
        ({"webhook-id": "msg_other"}, False),
        ({"webhook-id": ""}, False),
        ({"webhook-timestamp": "1614265331"}, False),
        ({"webhook-timestamp": ""}, False),
        ({"webhook-timestamp": "+1614265330"}, False),
        ({"webhook-timestamp": "１６１４２６５３３０"}, False),
        ({"webhook-timestamp": "9" * 5000}, False),
    ],
)
def test_only_what_was_signed_is_taken(changed: dict[str, str], *, is_right: bool) -> None:
    assert is_right == verify(SECRET, HEADERS | changed, BODY, AT)


@pytest.mark.parametrize("name", HEADERS)
def test_each_header_is_needed(name: str) -> None:
    assert not verify(SECRET, {key: value for key, value in HEADERS.items() if key != name}, BODY, AT)


def test_names_of_headers_have_no_case() -> None:
    assert verify(SECRET, {name.title(): value for name, value in HEADERS.items()}, BODY, AT)


@pytest.mark.parametrize(
    ("later_s", "is_right"),
    [(TOLERANCE_S, True), (-TOLERANCE_S, True), (TOLERANCE_S + 1, False), (-TOLERANCE_S - 1, False)],
)
def test_what_is_old_or_of_the_future_is_refused(later_s: int, *, is_right: bool) -> None:
    assert is_right == verify(SECRET, HEADERS, BODY, AT + timedelta(seconds=later_s))


@pytest.mark.parametrize(
    ("secrets", "is_right"),
    [((OTHER, SECRET), True), ([SECRET], True), ((OTHER,), False), ((), False), (OTHER, False)],
)
def test_any_secret_that_holds_now_will_do(secrets: bytes | tuple[bytes, ...], *, is_right: bool) -> None:
    assert is_right == verify(secrets, HEADERS, BODY, AT)


def test_a_changed_body_is_refused() -> None:
    assert not verify(SECRET, HEADERS, BODY + b" ", AT)


def test_the_end_of_a_job_is_told_with_counts_only(events: Events, receiver: Receiver) -> None:
    assert events.archive_finished(ORDER)

    ((method, path, body, headers),) = receiver.calls
    assert ("POST", "/ndr?to=desk", "application/json") == (method, path, headers["Content-Type"])
    assert verify(SECRET, headers, body, AT)
    assert "archive_" + "a" * 32 == headers["webhook-id"]
    assert {
        "type": "archive.finished",
        "timestamp": "2021-02-25T15:02:19Z",
        "data": {
            "id": "a" * 32,
            "name": "outage",
            "state": "succeeded",
            "reason": None,
            "items": 5,
            "rows": 7,
            "errors": 2,
            "created_at": "2021-02-25T15:02:10Z",
            "finished_at": "2021-02-25T15:02:19Z",
            "expires_at": "2021-03-04T15:02:10Z",
        },
    } == orjson.loads(body)


def test_a_further_try_has_the_same_id_and_body_and_the_time_of_now(
    events: Events, receiver: Receiver
) -> None:
    later = AT + timedelta(hours=1)
    events.archive_finished(ORDER)
    replace(events, clock=lambda: later).archive_finished(ORDER)

    (*_, first_body, first), (*_, body, headers) = receiver.calls
    assert (first_body, first["webhook-id"]) == (body, headers["webhook-id"])
    assert verify(SECRET, headers, body, later)


@pytest.mark.parametrize(
    ("kinds", "categories", "is_wanted"),
    [
        ((), (), True),
        (("bounce",), (), True),
        (("delay", "bounce"), ("mailbox_full",), True),
        (("delay",), (), False),
        ((), ("user_unknown",), False),
        (("bounce",), ("user_unknown",), False),
    ],
)
def test_diagnoses_are_told_by_kind_and_category(
    events: Events,
    receiver: Receiver,
    kinds: tuple[str, ...],
    categories: tuple[str, ...],
    *,
    is_wanted: bool,
) -> None:
    narrow = replace(events, kinds=frozenset(kinds), categories=frozenset(categories))

    assert is_wanted == narrow.diagnosis_made(ANSWER, AT)
    assert int(is_wanted) == len(receiver.calls)


@pytest.mark.parametrize("types", [(), (ARCHIVE_FINISHED,), (DIAGNOSIS_MADE,)])
def test_only_wanted_types_are_sent(events: Events, receiver: Receiver, types: tuple[str, ...]) -> None:
    narrow = replace(events, types=frozenset(types))
    told = (narrow.archive_finished(ORDER), narrow.diagnosis_made(ANSWER, AT))

    assert (ARCHIVE_FINISHED in types, DIAGNOSIS_MADE in types) == told
    assert len(types) == len(receiver.calls)


@pytest.mark.parametrize(
    ("url", "base", "path"),
    [
        ("https://desk.example.com", "https://desk.example.com", "/"),
        ("https://desk.example.com/in/ndr?to=a&key=b", "https://desk.example.com", "/in/ndr?to=a&key=b"),
        ("http://127.0.0.1:9/x", "http://127.0.0.1:9", "/x"),
    ],
)
def test_settings_name_the_receiver(url: str, base: str, path: str) -> None:
    settings = Settings(webhook_url=url, webhook_secret=SECRET, webhook_kinds=("bounce",))
    events = events_of(settings)

    assert events
    assert isinstance(events.caller, HttpCaller)
    assert (base, path, frozenset({"bounce"})) == (events.caller.base, events.path, events.kinds)
    assert "secret" not in repr(events)


def test_without_a_receiver_nothing_is_sent() -> None:
    assert events_of(Settings(webhook_secret=SECRET)) is None


def test_nothing_is_sent_unsigned() -> None:
    with pytest.raises(SettingError, match="NDR_WEBHOOK_SECRET"):
        events_of(Settings(webhook_url="https://desk.example.com"))
