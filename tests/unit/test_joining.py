"""Events join a message by ids, else by recipient, sender and time; what belongs to others is set aside."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from model.events import Event, Role, What
from model.joining import Keys, names_nothing, related, subject_of, with_hosts
from model.path import Sighting
from model.sides import Sides

AT = datetime(2026, 11, 2, 10, 14, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SIDES = Sides(frozenset({"example.com"}), frozenset({"example.org"}))


def event(what: What = What.SENT, *, at: datetime | None = AT, **more: object) -> Event:
    return Event(what, 1, at=at, **more)  # type: ignore[arg-type]  # a table of fields


def seen(what: What, witness: str = "log", role: Role = Role.TRANSPORT, **more: object) -> Sighting:
    return Sighting(witness, role, event(what, **more))  # type: ignore[arg-type]  # a table of fields


def known(*moments: datetime, **more: object) -> Keys:
    keys = Keys(
        **{
            "message_ids": {"<1@example.com>"},
            "network_ids": {"11-22"},
            "queue_ids": {"mx1 4QxY1", "bar1 1793613731-1920756-1"},
            "recipients": {"user@example.org"},
            "sender": "sales@example.com",
            **more,
        }  # type: ignore[arg-type]  # a table of fields
    )
    for moment in moments or (AT,):
        keys.see(moment)
    return keys


US = {"recipients": ("user@example.org",), "sender": "sales@example.com"}


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        (True, {"message_id": "<1@example.com>"}),
        (True, {"message_id": "<1@example.com>", "at": AT + 30 * DAY, "recipients": ("other@example.org",)}),
        (False, {"message_id": "<2@example.com>", **US}),
        (False, {"message_id": "<2@example.com>", "queue_id": "4QxY1", "host": "mx1"}),
        (True, {"network_message_id": "11-22", "message_id": "<renamed@example.com>"}),
        (False, {"network_message_id": "33-44", **US}),
        (True, {"queue_id": "4QxY1", "host": "mx1"}),
        (True, {"queue_id": "4QxY1", "host": "MX1.example.com"}),
        (False, {"queue_id": "4QxY1", "host": "mx2"}),
        (False, {"queue_id": "4QxY1"}),
        (True, {"queue_id": "1793613731-1920756-1"}),
        (True, {"queue_id": "1793613731-1920756-1", "host": "another.example.com"}),
        (False, {"queue_id": "1793613731-1920756-2"}),
        (True, {**US}),
        (True, {"recipients": ("user@example.org",)}),
        (False, {"recipients": ("other@example.org",), "sender": "sales@example.com"}),
        (False, {"recipients": ("user@example.org",), "sender": "office@example.com"}),
        (False, {"recipients": ("user@example.org",), "sender": ""}),
        (False, {"sender": "sales@example.com"}),
        (False, {}),
    ],
)
def test_ids_go_before_recipient_and_sender(expected: bool, fields: dict[str, object]) -> None:  # noqa: FBT001
    assert expected == known().own(event(**fields))  # type: ignore[arg-type]  # a table of fields


@pytest.mark.parametrize(
    ("expected", "after", "queue_id"),
    [
        (True, -50 * MINUTE, None),
        (False, -2 * HOUR, None),
        (True, 6 * DAY, None),
        (False, 8 * DAY, None),
        (True, 50 * MINUTE, "another"),
        (False, 3 * HOUR, "another"),
        (True, 2 * DAY + 50 * MINUTE, "another"),
        (False, 2 * DAY + 3 * HOUR, "another"),
        (False, DAY, "another"),
    ],
)
def test_without_an_id_a_mail_to_the_same_recipient_must_fit_in_time(
    expected: bool,  # noqa: FBT001
    after: timedelta,
    queue_id: str | None,
) -> None:
    keys = known(AT, AT + 2 * DAY) if queue_id else known()

    assert expected == keys.own(event(at=AT + after, queue_id=queue_id, **US))


@pytest.mark.parametrize("moment", [None, AT])
def test_where_a_time_is_not_known_it_may_fit(moment: datetime | None) -> None:
    keys = Keys(recipients={"user@example.org"})

    assert keys.own(event(at=moment, **US))
    assert known().own(event(at=None, **US))


@pytest.mark.parametrize(
    ("expected", "reference"), [(True, "<1@example.com>"), (False, "<2@example.com>"), (False, None)]
)
def test_a_notice_belongs_to_the_message_that_it_refers_to(expected: bool, reference: str | None) -> None:  # noqa: FBT001
    notice = event(
        What.NOTIFIED, message_id="<dsn@example.com>", detail={"reference": reference} if reference else {}
    )

    assert expected == known().own(notice)


def test_of_a_notice_only_the_reference_is_learned() -> None:
    keys = Keys()
    keys.learn(
        event(
            What.NOTIFIED,
            message_id="<dsn@example.com>",
            recipients=("sales@example.com",),
            sender="",
            detail={"reference": "<1@example.com>"},
        )
    )

    assert ({"<1@example.com>"}, set(), None) == (keys.message_ids, keys.recipients, keys.sender)
    assert not keys.own(event(What.DELIVERED, message_id="<dsn@example.com>"))


def test_an_event_teaches_the_id_under_which_the_next_server_has_it() -> None:
    keys = Keys()
    keys.learn(
        event(host="mx1.example.com", queue_id="A1", peer="gw1.example.com", detail={"queued_as": "B2"})
    )

    assert [True, True, False, False] == [
        keys.own(event(host=host, queue_id=queue_id))
        for host, queue_id in (("mx1", "A1"), ("gw1", "B2"), ("gw1", "A1"), ("mx1", "B2"))
    ]


def test_known_times_are_kept_once_and_in_order() -> None:
    keys = known(AT, AT - HOUR, AT + HOUR, AT)

    assert [AT - HOUR, AT, AT + HOUR] == keys.moments
    assert (AT - HOUR, AT + HOUR) == (keys.first, keys.last)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (True, event(What.FAULT, message_id="<1@example.com>")),
        (True, event(What.REJECTED, peer_ip="203.0.113.9")),
        (True, event(What.DEFERRED, queue_id="EX01\\14", detail={"next_hop": "example.org"})),
        (False, event(What.DEFERRED, queue_id="4QxY1")),
        (False, event(What.REJECTED, recipients=("user@example.org",))),
        (False, event(What.NOTED, network_message_id="11-22")),
    ],
)
def test_trouble_refused_sessions_and_queues_name_no_message(expected: bool, found: Event) -> None:  # noqa: FBT001
    assert expected == names_nothing(found)


OURS = (
    seen(What.RECEIVED, host="ex1.example.com", peer="app.example.com", peer_ip="192.0.2.60"),
    seen(What.DEFERRED, host="ex1.example.com", peer="mx.example.org", peer_ip="203.0.113.9"),
)


@pytest.mark.parametrize(
    ("expected", "fault"),
    [
        (True, {"peer": "mx.example.org"}),
        (True, {"peer_ip": "203.0.113.9"}),
        (False, {"peer": "mx.example.net", "peer_ip": "198.51.100.9"}),
        (False, {"peer": "mx.example.org", "at": AT + 2 * DAY}),
        (True, {"detail": {"destination": "example.org"}}),
        (True, {"peer": "unknown.example", "detail": {"next_hop": "example.org"}}),
        (False, {"detail": {"destination": "example.net"}}),
        (True, {"host": "ex1.example.com"}),
        (True, {"host": "EX1"}),
        (True, {"host": "dc1.example.com"}),
        (False, {"host": "ex1.example.net"}),
        (False, {"host": "ex1.example.com", "peer_ip": "203.0.113.77"}),
        (False, {"host": "ex1.example.com", "detail": {"category": "tls_failure"}}),
        (True, {"host": "ex1.example.com", "detail": {"category": "connection_failed"}}),
        (True, {"peer": "mx.example.org", "detail": {"category": "tls_failure"}}),
    ],
)
def test_trouble_concerns_the_message_by_the_servers_that_it_names(
    expected: bool,  # noqa: FBT001
    fault: dict[str, object],
) -> None:
    fault_seen = seen(What.FAULT, "other log", **fault)

    assert expected == bool(related([fault_seen], OURS, known(), SIDES, frozenset({"connection_failed"})))


@pytest.mark.parametrize(("expected", "peer_ip"), [(True, "192.0.2.60"), (False, "203.0.113.9")])
def test_a_refused_session_concerns_the_message_only_of_one_who_had_it(expected: bool, peer_ip: str) -> None:  # noqa: FBT001
    refused = seen(What.REJECTED, "filter", host="gw1.example.com", peer_ip=peer_ip)

    assert expected == bool(related([refused], OURS, known(), SIDES, frozenset()))


def test_names_in_related_trouble_lead_to_more() -> None:
    first = seen(
        What.FAULT, "protocol", host="mail.example.org", peer="app.example.com", peer_ip="192.0.2.77"
    )
    second = seen(What.FAULT, "events", host="ex9.example.net", peer_ip="192.0.2.77")
    stranger = seen(What.FAULT, "events", host="ex9.example.net", peer_ip="203.0.113.114")

    assert (second, first) == related([second, stranger, first], OURS, known(), SIDES, frozenset())


@pytest.mark.parametrize(
    ("expected", "peer", "category"),
    [
        (True, None, "internal_auth_failed"),
        (True, "ex2.example.com", "internal_auth_failed"),
        (False, "mx.example.net", "internal_auth_failed"),
        (False, None, "tls_failure"),
    ],
)
def test_for_want_of_a_name_trouble_of_the_same_kind_is_taken(
    expected: bool,  # noqa: FBT001
    peer: str | None,
    category: str,
) -> None:
    fault = seen(
        What.FAULT,
        "events",
        host="ex2.example.com",
        peer=peer,
        peer_ip="192.0.2.11",
        detail={"category": category},
    )

    assert expected == bool(related([fault], OURS, known(), SIDES, frozenset({"internal_auth_failed"})))


def test_where_nothing_is_known_all_trouble_near_in_time_is_taken() -> None:
    fault = seen(What.FAULT, "events", host="ex2.example.com", peer_ip="192.0.2.11")

    assert (fault,) == related([fault], (), Keys(), SIDES, frozenset())


def told(*ids: str) -> dict[str, set[str]]:
    return {message_id: {"a", "b"} for message_id in ids}


FAILED = seen(What.FAILED, message_id="<failed@example.com>")
LATER = seen(What.FAILED, message_id="<later@example.com>", at=AT + HOUR)
WAITS = seen(What.DEFERRED, message_id="<waits@example.com>", at=AT + DAY)
REFUSED = seen(What.REJECTED, message_id="<refused@example.com>", at=AT + DAY)
AT_THE_DOOR = seen(What.REJECTED, queue_id="1793615500-1-1", recipients=("a@example.com",), at=AT + 2 * DAY)
FAULT = seen(What.FAULT, "events", detail={"category": "internal_auth_failed"})


@pytest.mark.parametrize(
    ("expected", "failing", "in_both", "faults"),
    [
        (LATER, [FAILED, LATER], [], []),
        (LATER, [LATER, FAILED], [], []),
        (FAILED, [FAILED, LATER], ["<failed@example.com>"], []),
        (FAILED, [FAILED, WAITS, REFUSED], [], []),
        (REFUSED, [WAITS, REFUSED], [], []),
        (WAITS, [WAITS, AT_THE_DOOR], [], []),
        (AT_THE_DOOR, [AT_THE_DOOR], [], []),
        (None, [AT_THE_DOOR], [], [FAULT]),
        (WAITS, [WAITS], [], [FAULT]),
        (None, [FAULT], [], []),
        (None, [], [], []),
    ],
)
def test_logs_are_handed_in_for_what_most_of_them_tell_of_or_what_failed_last(
    expected: Sighting | None, failing: list[Sighting], in_both: list[str], faults: list[Sighting]
) -> None:
    assert (expected.event if expected else None) == subject_of(failing, faults, told(*in_both))


TRAIL = (
    seen(
        What.RECEIVED, "ndr", Role.HEADERS, host="mx.example.com", peer="pc.example.com", peer_ip="192.0.2.9"
    ),
    seen(
        What.RECEIVED, "ndr", Role.HEADERS, host="gw.example.org", peer="mx.example.com", peer_ip="192.0.2.1"
    ),
)
HANDED = (seen(What.FAILED, "tracking", host="ex1.example.com", peer="pps1.example.com"),)
SELF = (seen(What.SENT, "tracking", host="ex1", peer="ex1.example.com"),)


@pytest.mark.parametrize(
    ("expected", "others", "silent"),
    [
        ("gw.example.org", TRAIL, {"what": What.RECEIVED, "peer": "mx.example.com"}),
        ("gw.example.org", TRAIL, {"what": What.REJECTED, "peer_ip": "192.0.2.1"}),
        ("mx.example.com", TRAIL, {"what": What.RECEIVED, "peer_ip": "192.0.2.9"}),
        ("gw.example.org", TRAIL, {"what": What.DEFERRED, "peer_ip": "192.0.2.1", "role": Role.GATEWAY}),
        (None, TRAIL, {"what": What.DEFERRED, "peer_ip": "192.0.2.1"}),
        (None, TRAIL, {"what": What.SENT, "peer_ip": "192.0.2.1"}),
        (None, TRAIL, {"what": What.RECEIVED, "peer_ip": "192.0.2.200"}),
        ("pps1.example.com", HANDED, {"what": What.REJECTED, "peer": "ex1.example.com"}),
        (None, HANDED, {"what": What.REJECTED, "peer": "ex2.example.com"}),
        (None, SELF, {"what": What.REJECTED, "peer": "ex1.example.com"}),
        (None, (), {"what": What.RECEIVED, "peer": "mx.example.com"}),
    ],
)
def test_a_log_that_never_names_its_server_stands_where_others_saw_the_same_hand_over(
    expected: str | None, others: Iterable[Sighting], silent: dict[str, object]
) -> None:
    log = seen(witness="filter", **silent)  # type: ignore[arg-type]  # a table of fields

    assert expected == list(with_hosts((*others, log)))[-1].event.host


def test_a_log_that_names_its_server_keeps_it() -> None:
    log = seen(What.RECEIVED, "filter", host="other.example.org", peer="mx.example.com")

    assert (*TRAIL, log) == tuple(with_hosts((*TRAIL, log)))
