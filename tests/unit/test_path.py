"""The way of a message: where each witness stands, where it stopped, what follows for the unseen places."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from model.events import Event, Role, What
from model.path import PLACES, Outcome, PathHop, Sighting, Stop, by_time, draw, place_of
from model.sides import Own, Sides
from model.stopping import is_resolved, owner_of, stage_of, stop_of
from model.types import Action, FixOwner, Permanence, Stage, Verdict

AT = datetime(2026, 11, 2, 10, 14, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SIDES = Sides(frozenset({"example.com"}), frozenset({"example.org"}))
INTERNAL = Sides(frozenset({"example.com"}), frozenset({"example.com"}))
THEIRS = Sides(
    SIDES.sender_domains,
    SIDES.recipient_domains,
    Own(domains=frozenset({"example.org"})),
    witness="recipient",
)
FILTERED = Sides(
    SIDES.sender_domains, SIDES.recipient_domains, filters=frozenset({"gw.example.com", "gw.example.org"})
)
TRANSPORT, GATEWAY, HEADERS, REPORT, PROVIDER, SYSTEM = (
    Role.TRANSPORT,
    Role.GATEWAY,
    Role.HEADERS,
    Role.REPORT,
    Role.PROVIDER,
    Role.SYSTEM,
)


def seen(
    what: What, role: Role = TRANSPORT, *, witness: str = "log", at: datetime | None = AT, **more: object
) -> Sighting:
    return Sighting(witness, role, Event(what, 1, at=at, **more))  # type: ignore[arg-type]  # a table of fields


def verdict(category: str, stage: Stage, owner: FixOwner = FixOwner.SENDER) -> Verdict:
    return Verdict(category, 0.9, Permanence.PERMANENT, Action.REVIEW, owner, stage, "rule")


def drawn(sightings: Sequence[Sighting], stop: Stop, sides: Sides = SIDES) -> dict[str, PathHop]:
    return {hop.place: hop for hop in draw(sightings, stop, sides)}


def outcomes(path: dict[str, PathHop]) -> list[str]:
    """Two letters a place: how it is known, and what became of the message there."""
    letters = {
        Outcome.NOT_REACHED: "-",
        Outcome.UNKNOWN: "?",
        Outcome.PASSED: "p",
        Outcome.WAITING: "w",
        Outcome.FAILED: "f",
    }
    return [hop.seen[0] + letters[hop.outcome] for hop in path.values()]


@pytest.mark.parametrize(
    ("expected", "sighting", "sides"),
    [
        ("sender_transport", seen(What.SENT, host="mx.example.com"), SIDES),
        ("recipient_transport", seen(What.RECEIVED, host="mx.example.org"), SIDES),
        ("sender_transport", seen(What.SENT, host="mx1"), SIDES),
        ("recipient_transport", seen(What.SENT, host="mx1"), THEIRS),
        ("sender_gateway", seen(What.SENT, GATEWAY, host="gw.example.com"), SIDES),
        ("recipient_gateway", seen(What.REJECTED, GATEWAY, host="gw.example.org"), SIDES),
        ("recipient_gateway", seen(What.REJECTED, GATEWAY), THEIRS),
        ("sender_gateway", seen(What.RECEIVED, HEADERS, host="gw.example.com"), FILTERED),
        ("sender_transport", seen(What.RECEIVED, HEADERS, host="gw.example.com"), SIDES),
        (
            "recipient_gateway",
            seen(What.RECEIVED, HEADERS, host="mx.example.org", detail={"software": "Barracuda"}),
            SIDES,
        ),
        (
            "recipient_transport",
            seen(What.RECEIVED, HEADERS, host="mx.example.org", detail={"software": "Postfix"}),
            SIDES,
        ),
        ("sender_gateway", seen(What.FAILED, PROVIDER), SIDES),
        ("sender_gateway", seen(What.FAILED, PROVIDER), THEIRS),
    ],
)
def test_where_a_witness_stands(expected: str, sighting: Sighting, sides: Sides) -> None:
    assert expected == place_of(sighting, sides, Stop())


def source(name: str, event: str = "FAIL", **more: object) -> Sighting:
    """A failure in a message tracking log."""
    host = {"host": "ex1.example.com", **more}
    return seen(What.FAILED, detail={"source": name, "event": event}, **host)


UNKNOWN_USER = verdict("recipient_unknown", Stage.RECIPIENT_TRANSPORT)
POLICY = verdict("policy_rejected", Stage.RULE_OR_MODERATION)
SPAM = verdict("content_rejected", Stage.RECIPIENT_GATEWAY)
LISTED = verdict("reputation_blocked", Stage.RECIPIENT_GATEWAY)
LOGIN = verdict("client_auth_required", Stage.SUBMISSION)
RELAY_LOGIN = verdict("client_auth_required", Stage.SENDER_TRANSPORT)
INTERNAL_AUTH = verdict("internal_auth_failed", Stage.SENDER_TRANSPORT)
NO_DNS = verdict("dns_failure", Stage.DNS)
FULL = verdict("mailbox_full", Stage.MAILBOX)
UNTOLD = verdict("unknown", Stage.UNKNOWN)


def refused(host: str, peer: str, what: What = What.FAILED, role: Role = TRANSPORT) -> Sighting:
    return seen(what, role, host=host, peer=peer, reply="550 no")


@pytest.mark.parametrize(
    ("expected", "sighting", "found", "sides"),
    [
        (Stage.SENDER_TRANSPORT, source("ROUTING"), UNTOLD, SIDES),
        (Stage.RECIPIENT_TRANSPORT, source("ROUTING", host="ex1.example.org"), UNTOLD, SIDES),
        (Stage.RECIPIENT_TRANSPORT, source("ROUTING"), UNKNOWN_USER, SIDES),
        (Stage.DNS, source("ROUTING"), NO_DNS, SIDES),
        (Stage.RECIPIENT_TRANSPORT, source("RESOLVER"), UNTOLD, SIDES),
        (Stage.MAILBOX, source("STOREDRIVER"), UNTOLD, SIDES),
        (Stage.SUBMISSION, source("STOREDRIVER", "SUBMITFAIL"), UNTOLD, SIDES),
        (Stage.RULE_OR_MODERATION, source("AGENT"), UNTOLD, SIDES),
        (Stage.RECIPIENT_GATEWAY, source("AGENT"), SPAM, SIDES),
        (Stage.MAILBOX, source("SMTP"), FULL, SIDES),
        (Stage.RULE_OR_MODERATION, None, POLICY, SIDES),
    ],
)
def test_a_stage_by_the_component_of_exchange(
    expected: Stage, sighting: Sighting | None, found: Verdict, sides: Sides
) -> None:
    assert expected == stage_of(sighting, found, sides)


@pytest.mark.parametrize(
    ("expected", "sighting", "found", "sides"),
    [
        (Stage.RECIPIENT_GATEWAY, refused("ex1.example.com", "mx.example.org"), SPAM, SIDES),
        (Stage.SENDER_GATEWAY, refused("ex1.example.com", "gw.example.com"), SPAM, SIDES),
        (Stage.SENDER_GATEWAY, refused("ex1.example.com", "gw.example.com"), UNKNOWN_USER, FILTERED),
        (Stage.SENDER_TRANSPORT, refused("ex1.example.com", "hub.example.com"), UNKNOWN_USER, FILTERED),
        (Stage.RECIPIENT_TRANSPORT, refused("gw.example.com", "mx.example.org"), UNKNOWN_USER, FILTERED),
        (Stage.RECIPIENT_TRANSPORT, refused("gw.example.org", "ex1.example.org"), LISTED, FILTERED),
        (Stage.RECIPIENT_GATEWAY, refused("gw.example.org", "ex1.example.org"), LISTED, SIDES),
        (Stage.RECIPIENT_TRANSPORT, refused("ex1.example.com", "ex2.example.com"), UNKNOWN_USER, INTERNAL),
        (Stage.SENDER_TRANSPORT, refused("ex1.example.com", "ex2.example.com"), INTERNAL_AUTH, SIDES),
        (Stage.RECIPIENT_TRANSPORT, refused("ex1.example.org", "ex2.example.org"), INTERNAL_AUTH, SIDES),
        (Stage.MAILBOX, refused("ex1.example.com", "mx.example.org"), FULL, SIDES),
    ],
)
def test_a_stage_by_who_refused(expected: Stage, sighting: Sighting, found: Verdict, sides: Sides) -> None:
    assert expected == stage_of(sighting, found, sides)


@pytest.mark.parametrize(
    ("expected", "peer", "found"),
    [
        (Stage.SUBMISSION, "mail.example.com", LOGIN),
        (Stage.SUBMISSION, "mail.example.com", RELAY_LOGIN),
        (Stage.RECIPIENT_TRANSPORT, "mx.example.org", LOGIN),
        (Stage.SUBMISSION, "smtp.example.net", LOGIN),
        (Stage.SENDER_TRANSPORT, "smtp.example.net", RELAY_LOGIN),
    ],
)
def test_a_login_is_refused_at_the_submission_or_by_the_other_side(
    expected: Stage, peer: str, found: Verdict
) -> None:
    assert expected == stage_of(refused("erp.example.com", peer, What.DEFERRED), found, SIDES)


@pytest.mark.parametrize(
    ("expected", "sighting", "found"),
    [
        (Stage.RECIPIENT_GATEWAY, seen(What.REJECTED, GATEWAY, host="gw.example.org"), SPAM),
        (Stage.RECIPIENT_TRANSPORT, seen(What.REJECTED, host="mx.example.org"), SPAM),
        (Stage.SENDER_GATEWAY, seen(What.QUARANTINED, GATEWAY, host="gw.example.com"), POLICY),
        (Stage.SENDER_GATEWAY, seen(What.FAILED, GATEWAY, host="gw.example.com"), POLICY),
        (Stage.DNS, seen(What.FAILED, GATEWAY, host="gw.example.com"), NO_DNS),
        (Stage.RECIPIENT_GATEWAY, refused("gw.example.com", "mx.example.org", role=GATEWAY), SPAM),
        (Stage.RECIPIENT_GATEWAY, seen(What.DEFERRED, GATEWAY, host="gw.example.com"), SPAM),
    ],
)
def test_a_stage_by_the_one_who_refused_himself(expected: Stage, sighting: Sighting, found: Verdict) -> None:
    assert expected == stage_of(sighting, found, SIDES)


@pytest.mark.parametrize(
    ("expected", "sighting", "sides"),
    [
        ("sender_transport", seen(What.FAILED, host="ex1.example.com"), SIDES),
        ("recipient_transport", seen(What.FAILED, host="ex1.example.org"), SIDES),
        ("recipient_transport", refused("ex1.example.com", "mx.example.org"), SIDES),
        ("recipient_transport", refused("ex1.example.com", "mx.example.net"), SIDES),
        ("recipient_transport", seen(What.FAILED, host="ex1.example.com"), INTERNAL),
        ("sender_transport", seen(What.FAILED), SIDES),
        ("recipient_transport", seen(What.FAILED), THEIRS),
        ("recipient_transport", None, SIDES),
    ],
)
def test_a_rule_sits_in_the_transport_of_whoever_refused(
    expected: str, sighting: Sighting | None, sides: Sides
) -> None:
    assert expected == stop_of(sighting, POLICY, sides).place


@pytest.mark.parametrize(
    ("place", "client", "sighting", "found"),
    [
        (
            "submission",
            "erp.example.com",
            refused("erp.example.com", "mail.example.com", What.DEFERRED),
            LOGIN,
        ),
        (
            "submission",
            "pc1.example.com",
            refused("mail.example.com", "pc1.example.com", What.REJECTED),
            LOGIN,
        ),
        ("submission", None, seen(What.FAILED, PROVIDER), LOGIN),
        ("mailbox", None, seen(What.FAILED, host="ex1.example.org"), FULL),
        (None, None, seen(What.DEFERRED, host="ex1.example.com"), UNTOLD),
    ],
)
def test_who_could_not_submit(
    place: str | None, client: str | None, sighting: Sighting, found: Verdict
) -> None:
    stop = stop_of(sighting, found, SIDES)

    assert (place, client) == (stop.place, stop.client)


@pytest.mark.parametrize(
    ("expected", "category", "place"),
    [
        (FixOwner.SENDER_ADMIN, "system_error", "sender_transport"),
        (FixOwner.GATEWAY_ADMIN, "system_error", "sender_gateway"),
        (FixOwner.RECIPIENT_ADMIN, "system_error", "recipient_gateway"),
        (FixOwner.RECIPIENT_ADMIN, "routing_loop", "recipient_transport"),
        (FixOwner.SENDER_ADMIN, "policy_rejected", "sender_transport"),
        (FixOwner.SENDER, "policy_rejected", "recipient_transport"),
        (FixOwner.GATEWAY_ADMIN, "content_rejected", "sender_gateway"),
        (FixOwner.SENDER, "content_rejected", "recipient_gateway"),
        (FixOwner.SENDER, "malware_detected", "sender_gateway"),
        (FixOwner.SENDER, "client_auth_required", "submission"),
        (FixOwner.RECIPIENT_ADMIN, "client_auth_required", "recipient_transport"),
        (FixOwner.SENDER, "recipient_unknown", "recipient_transport"),
        (FixOwner.SENDER, "system_error", None),
    ],
)
def test_who_can_mend_it(expected: FixOwner, category: str, place: str | None) -> None:
    assert expected == owner_of(verdict(category, Stage.UNKNOWN, FixOwner.SENDER), place)


WAITS = seen(What.DEFERRED, host="mx1.example.com", peer="mx.example.org", recipients=("user@example.org",))
LATER, EARLIER = AT + MINUTE, AT - MINUTE


@pytest.mark.parametrize(
    ("expected", "other"),
    [
        (True, seen(What.SENT, host="mx1.example.com", at=LATER)),
        (True, seen(What.SENT, host="MX1", witness="other", at=LATER, recipients=("user@example.org",))),
        (False, seen(What.SENT, host="mx1.example.com", at=LATER, recipients=("other@example.org",))),
        (False, seen(What.SENT, host="mx1.example.com", at=EARLIER)),
        (False, seen(What.SENT, host="mx1.example.com", at=None)),
        (False, seen(What.SENT, host="ex1.example.com", witness="other", at=LATER)),
        (True, seen(What.DELIVERED, host="imap.example.org", witness="other", at=LATER)),
        (False, seen(What.DEFERRED, host="mx1.example.com", at=LATER)),
        (True, seen(What.RECEIVED, HEADERS, host="mx.example.org", witness="headers", at=LATER)),
        (False, seen(What.RECEIVED, HEADERS, host="mx.example.com", witness="headers", at=LATER)),
        (False, seen(What.RECEIVED, host="mx1.example.com", at=LATER)),
    ],
)
def test_what_waited_is_resolved_when_it_went_on(expected: bool, other: Sighting) -> None:  # noqa: FBT001
    assert expected == is_resolved([WAITS, other], WAITS, SIDES)


def test_a_filter_that_put_its_client_off_took_the_message_later() -> None:
    off = seen(What.DEFERRED, GATEWAY, peer_ip="192.0.2.31")
    taken = seen(What.RECEIVED, GATEWAY, peer_ip="192.0.2.31", at=LATER)

    assert is_resolved([off, taken], off, SIDES)


@pytest.mark.parametrize(
    ("expected", "decisive"),
    [
        (False, seen(What.FAILED, host="mx1.example.com")),
        (False, seen(What.REJECTED, host="mx1.example.com")),
        (True, seen(What.HELD, host="mx1.example.com")),
        (True, seen(What.FAULT, host="mx1.example.com")),
        (False, seen(What.DEFERRED, host="mx1.example.com", at=None)),
        (False, None),
    ],
)
def test_only_what_waits_can_be_resolved(expected: bool, decisive: Sighting | None) -> None:  # noqa: FBT001
    assert expected == is_resolved([seen(What.DELIVERED, at=LATER)], decisive, SIDES)


def stop(place: str | None, outcome: Outcome = Outcome.FAILED, **more: object) -> Stop:
    return Stop(place, outcome, **more)  # type: ignore[arg-type]  # a table of fields


SENT = seen(What.SENT, host="mx.example.com", peer="mx.example.org", peer_ip="203.0.113.9")
REFUSED = refused("mx.example.com", "mx.example.org")


@pytest.mark.parametrize(
    ("expected", "sightings", "stopped", "sides"),
    [
        ("m? m? m? m? m? m? m? m? m?", [], stop(None), SIDES),
        ("ip ip ip ip ip ip if m- m-", [], stop("recipient_gateway"), SIDES),
        ("ip ip sp m? ip sp sf m- m-", [REFUSED], stop("recipient_gateway"), SIDES),
        ("ip ip sp m? ip sp ip sf m-", [REFUSED], stop("recipient_transport"), SIDES),
        (
            "ip ip ip sp ip sp sf m- m-",
            [refused("gw.example.com", "mx.example.org", role=GATEWAY)],
            stop("recipient_gateway"),
            SIDES,
        ),
        (
            "ip ip sp m? sw m- m- m- m-",
            [seen(What.DEFERRED, host="mx.example.com")],
            stop("dns", Outcome.WAITING),
            SIDES,
        ),
        ("ip ip sp m? ip sf m- m- m-", [seen(What.FAILED, host="mx.example.com")], stop("connection"), SIDES),
        (
            "ip ip sf m- m- m- m- m- m-",
            [seen(What.FAILED, host="mx.example.com")],
            stop("sender_transport"),
            SIDES,
        ),
        (
            "ip ip sp m? m? m? m? sf m-",
            [seen(What.FAILED, host="ex1.example.com")],
            stop("recipient_transport"),
            INTERNAL,
        ),
        (
            "ip ip sf m- m- m- m- m- m-",
            [seen(What.FAILED, host="ex1.example.com")],
            stop("sender_transport"),
            INTERNAL,
        ),
        ("ip ip sp m? ip sp sp m? m?", [SENT], stop(None), SIDES),
        ("ip ip sp m? ip sp sp m? m?", [REFUSED, SENT], stop("recipient_gateway", Outcome.PASSED), SIDES),
        ("ip ip ip ip ip ip ip sp sp", [seen(What.DELIVERED, host="mx.example.org")], stop(None), SIDES),
        (
            "ip ip ip ip ip ip ip sp sp",
            [seen(What.RECEIVED, HEADERS, host="mx.example.org", detail={"protocol": "LMTP"})],
            stop(None),
            SIDES,
        ),
        (
            "ip ip ip ip ip ip ip sp m?",
            [seen(What.RECEIVED, HEADERS, host="mx.example.org", detail={"protocol": "ESMTP"})],
            stop(None),
            SIDES,
        ),
        (
            "sp sp sp m? m? m? m? m? m?",
            [seen(What.RECEIVED, HEADERS, host="ex1.example.com", detail={"protocol": "MAPI"})],
            stop(None),
            SIDES,
        ),
        (
            "sp sp sp m? m? m? m? m? m?",
            [seen(What.RECEIVED, host="mx.example.com", detail={"login": "sales"})],
            stop(None),
            SIDES,
        ),
        ("ip ip sp m? m? m? m? m? m?", [seen(What.RECEIVED, host="mx.example.com")], stop(None), SIDES),
        (
            "ip ip ip ip ip ip ip sp m?",
            [seen(What.RECEIVED, HEADERS, host="ex1.example.org", detail={"protocol": "MAPI"})],
            stop(None),
            SIDES,
        ),
        (
            "ip ip sp sp m? m? m? m? m?",
            [seen(What.SENT, host="web1", peer="smtp.sendgrid.net")],
            stop(None),
            SIDES,
        ),
        (
            "ip ip sp sp m? m? m? m? m?",
            [seen(What.SENT, host="ex1", peer="gw.example.com")],
            stop(None),
            FILTERED,
        ),
        (
            "ip ip sp m? m? m? m? m? m?",
            [seen(What.SENT, host="ex1", peer="ex1.example.com")],
            stop(None),
            SIDES,
        ),
        ("ip ip sp m? m? m? m? m? m?", [seen(What.SENT, host="ex1")], stop(None), SIDES),
        (
            "m? m? m? m? m? m? m? m? m?",
            [seen(What.NOTED, host="ex1"), seen(What.NOTIFIED, host="ex1")],
            stop(None),
            SIDES,
        ),
    ],
)
def test_what_was_seen_and_what_follows(
    expected: str, sightings: list[Sighting], stopped: Stop, sides: Sides
) -> None:
    assert expected.split() == outcomes(drawn(sightings, stopped, sides))


def test_the_server_that_could_not_submit_is_the_client() -> None:
    sightings = [
        seen(What.RECEIVED, host="erp"),
        refused("erp.example.com", "mail.example.com", What.DEFERRED),
    ]
    path = drawn(sightings, stop("submission", Outcome.WAITING, client="erp.example.com"))

    assert "sp sw m- m- m- m- m- m- m-".split() == outcomes(path)
    assert ("erp.example.com", "mail.example.com") == (path["client"].host, path["submission"].host)


FAULT = {"host": "mail.example.com", "reply": "535 5.7.3 Authentication unsuccessful"}


@pytest.mark.parametrize(
    ("expected", "fault", "stopped"),
    [
        (
            ("log",),
            seen(What.FAULT, detail={"category": "tls_failure"}, peer="mx.example.org"),
            stop("connection", category="tls_failure"),
        ),
        (
            (),
            seen(What.FAULT, detail={"category": "dns_failure"}, peer="mx.example.org"),
            stop("connection", category="tls_failure"),
        ),
        (
            ("log",),
            seen(What.FAULT, host="ex1.example.com"),
            stop("sender_transport", category="internal_auth_failed"),
        ),
        (
            (),
            seen(What.FAULT, host="ex1.example.org"),
            stop("sender_transport", category="internal_auth_failed"),
        ),
        ((), seen(What.FAULT, host="ex1.example.com"), stop(None)),
    ],
)
def test_trouble_shows_only_where_the_message_stopped(
    expected: tuple[str, ...], fault: Sighting, stopped: Stop
) -> None:
    path = drawn([fault], stopped)

    assert expected == tuple(witness for hop in path.values() for witness in hop.seen_by)


@pytest.mark.parametrize(
    ("host", "ip", "sightings", "place"),
    [
        (
            "mx.example.org",
            "203.0.113.9",
            [seen(What.DEFERRED, host="mx.example.com", peer="MX.example.org", peer_ip="203.0.113.9")],
            "connection",
        ),
        (None, None, [seen(What.FAILED, host="mx.example.com")], "connection"),
        (
            "mx.example.org",
            None,
            [refused("mx.example.com", "mx.example.org"), seen(What.FAILED, host="mx.example.com")],
            "connection",
        ),
        (
            "partner.example",
            None,
            [seen(What.DEFERRED, host="mx.example.com", detail={"next_hop": "partner.example"})],
            "dns",
        ),
        (
            "mx.example.org",
            None,
            [refused("mx.example.com", "mx.example.org"), refused("mx.example.com", "mx")],
            "recipient_gateway",
        ),
        (
            "mx.example.org",
            None,
            [refused("mx.example.com", "mx.example.org"), refused("mx.example.com", "203.0.113.9")],
            "recipient_gateway",
        ),
        (
            "mx2.example.org",
            None,
            [refused("mx.example.com", "mx1.example.org"), refused("mx.example.com", "mx2.example.org")],
            "recipient_gateway",
        ),
        ("ex2.example.org", None, [seen(What.FAILED, host="ex2.example.org")], "mailbox"),
        (None, None, [seen(What.FAILED, host="mx.example.com")], "mailbox"),
    ],
)
def test_the_server_at_the_place_where_it_stopped(
    host: str | None, ip: str | None, sightings: list[Sighting], place: str
) -> None:
    hop = drawn(sightings, stop(place))[place]

    assert (host, ip) == (hop.host, hop.ip)


def test_the_server_that_the_deciding_words_name_goes_before_others() -> None:
    decides, later = (
        refused("mx.example.com", "mx1.example.org"),
        refused("mx.example.com", "mx2.example.org"),
    )

    assert (
        "mx1.example.org"
        == drawn([decides, later], stop("recipient_gateway", sighting=decides))["recipient_gateway"].host
    )


def test_a_queue_for_another_domain_shows_nothing() -> None:
    ours = seen(
        What.DEFERRED, host="ex1.example.com", detail={"next_hop": "example.org"}, peer="mx.example.org"
    )
    other = seen(
        What.DEFERRED,
        witness="other",
        host="ex1.example.com",
        detail={"next_hop": "example.net"},
        peer="mx.example.net",
    )
    hop = drawn([ours, other], stop("connection", sighting=ours))["connection"]

    assert ("mx.example.org", ("log",)) == (hop.host, hop.seen_by)


def test_a_hop_has_the_span_the_witnesses_and_the_words_that_decide() -> None:
    sightings = [
        seen(What.DEFERRED, host="mx.example.com", reply="451 later", at=AT),
        seen(What.FAILED, REPORT, witness="ndr", host="mx.example.com", reply="given up", at=AT + 3 * MINUTE),
    ]
    hop = drawn(sightings, stop("connection", words="Connection timed out"))["connection"]

    assert (AT, AT + 3 * MINUTE, ("log", "ndr")) == (hop.first, hop.last, hop.seen_by)
    assert "Connection timed out" == hop.words


@pytest.mark.parametrize(
    ("expected", "sightings"),
    [
        ("abc", [("x", "b", 1), ("y", "c", 2), ("x", "a", 0)]),
        ("abcd", [("x", "a", 0), ("x", "b", None), ("x", "c", 1), ("y", "d", 2)]),
        ("cab", [("x", "a", 1), ("x", "b", None), ("y", "c", None)]),
        ("ab", [("x", "a", 1), ("x", "b", 1)]),
    ],
)
def test_sightings_are_put_in_the_order_of_time(
    expected: str, sightings: list[tuple[str, str, int | None]]
) -> None:
    found = by_time(
        seen(What.NOTED, witness=witness, reply=name, at=None if minute is None else AT + minute * MINUTE)
        for witness, name, minute in sightings
    )

    assert expected == "".join(sighting.event.reply for sighting in found)


def test_a_path_has_every_place_once() -> None:
    assert list(PLACES) == list(drawn([SENT, REFUSED], stop("mailbox")))
