"""What to ask for next: what is missing, the most telling first, of whoever asks before the other side."""

from datetime import UTC, datetime, timedelta

import pytest

from model.joining import Keys
from model.next_steps import MARGIN, MAX_STEPS, Heard, next_steps
from model.path import Outcome, PathHop, Seen, Stop, draw
from model.resources import data_file, read_toml
from model.sides import Own, Sides
from model.types import Action, FixOwner, Permanence, Stage, Verdict

AT = datetime(2026, 11, 2, 10, 14, tzinfo=UTC)
SENDERS, RECIPIENTS = frozenset({"example.com"}), frozenset({"example.org"})
HOME = Sides(SENDERS, RECIPIENTS)
THEIRS = Sides(SENDERS, RECIPIENTS, Own(domains=RECIPIENTS))
INTERNAL = Sides(SENDERS, SENDERS)
NDR = Heard("report", "ndr", "sender")
EVENTS = Heard("provider", "sendgrid", "sender")
TRACKING, MTA = Heard("transport", "exchange_tracking", "sender"), Heard("transport", "postfix", "sender")
PROTOCOL, QUEUE = (
    Heard("transport", "exchange_protocol", "sender"),
    Heard("transport", "exchange_queue", "sender"),
)
FILTER, WINDOWS = Heard("gateway", "barracuda", "sender"), Heard("system", "exchange_event", "sender")
HEADERS = Heard("headers", "headers", "recipient")
THEIR_FILTER, THEIR_LOG = Heard("gateway", "mimecast", "recipient"), Heard("transport", "exim", "recipient")


def verdict(category: str, stage: Stage) -> Verdict:
    return Verdict(category, 0.9, Permanence.PERMANENT, Action.REVIEW, FixOwner.SENDER, stage, "rule")


def path(stage: Stage, sides: Sides, *seen: str) -> tuple[PathHop, ...]:
    """The way to a stage; places that were seen passed, or all of them where none is named."""
    place = (
        None
        if stage is Stage.UNKNOWN
        else "recipient_transport"
        if stage is Stage.RULE_OR_MODERATION
        else str(stage)
    )
    hops = draw([], Stop(place), sides)
    if not seen:
        return hops
    return tuple(
        hop if hop.place in seen or hop.place == place else PathHop(hop.place, Seen.MISSING, Outcome.UNKNOWN)
        for hop in hops
    )


def asked(
    category: str,
    stage: Stage,
    *heard: Heard,
    sides: Sides = HOME,
    exchange: tuple[str, ...] = (),
    seen: tuple[str, ...] = (),
) -> list[str]:
    keys, way = Keys(), path(stage, sides, *seen)
    steps = next_steps(verdict(category, stage), keys, sides, heard, way, frozenset(exchange))
    return [step.id for step in steps]


LISTED = ("reputation_blocked", Stage.RECIPIENT_GATEWAY)
INTERNAL_AUTH = ("internal_auth_failed", Stage.SENDER_TRANSPORT)
SILENT = ("connection_failed", Stage.CONNECTION)
LOGIN = ("client_auth_required", Stage.SUBMISSION)
GONE = ("recipient_unknown", Stage.RECIPIENT_TRANSPORT)
FULL = ("mailbox_full", Stage.MAILBOX)


@pytest.mark.parametrize(
    ("expected", "what", "heard", "exchange"),
    [
        (["ndr", "mta_log", "gateway_log"], LISTED, (), ()),
        (["mta_log", "gateway_log", "recipient_gateway_log"], LISTED, (NDR,), ()),
        (["mta_log", "gateway_log", "recipient_gateway_log"], LISTED, (EVENTS,), ()),
        (["gateway_log", "recipient_gateway_log", "recipient_transport_log"], LISTED, (NDR, MTA), ()),
        (["recipient_gateway_log", "recipient_transport_log"], LISTED, (NDR, MTA, FILTER), ()),
        (["recipient_transport_log"], LISTED, (NDR, MTA, FILTER, THEIR_FILTER), ()),
        ([], LISTED, (NDR, MTA, FILTER, THEIR_FILTER, THEIR_LOG), ()),
        (["tracking_log", "gateway_log", "recipient_gateway_log"], LISTED, (NDR, THEIR_LOG), ("sender",)),
        (["receiver_events", "send_protocol_log", "tracking_log"], INTERNAL_AUTH, (NDR,), ("sender",)),
        (
            ["send_protocol_log", "tracking_log", "internet_headers"],
            INTERNAL_AUTH,
            (NDR, WINDOWS),
            ("sender",),
        ),
        (["tracking_log", "internet_headers"], INTERNAL_AUTH, (NDR, WINDOWS, PROTOCOL), ("sender",)),
        ([], INTERNAL_AUTH, (NDR, WINDOWS, PROTOCOL, TRACKING, HEADERS), ("sender",)),
        (["tracking_log"], SILENT, (NDR, QUEUE, PROTOCOL, FILTER), ("sender",)),
        (["mta_log", "gateway_log"], SILENT, (NDR,), ("recipient",)),
        (["receiver_events", "tracking_log"], LOGIN, (NDR,), ("sender",)),
        (["mta_log"], LOGIN, (NDR,), ()),
        (["gateway_log", "tracking_log"], ("content_rejected", Stage.SENDER_GATEWAY), (NDR,), ("sender",)),
        (["mta_log", "recipient_transport_log"], GONE, (NDR,), ("recipient",)),
        (["tracking_log"], ("policy_rejected", Stage.SENDER_TRANSPORT), (NDR,), ("sender",)),
        (
            ["tracking_log", "recipient_transport_log"],
            ("policy_rejected", Stage.RULE_OR_MODERATION),
            (NDR,),
            ("sender",),
        ),
        (
            ["tracking_log", "gateway_log", "internet_headers"],
            ("delivery_delayed", Stage.UNKNOWN),
            (NDR,),
            ("sender",),
        ),
    ],
)
def test_what_is_missing_is_asked_for(
    expected: list[str], what: tuple[str, Stage], heard: tuple[Heard, ...], exchange: tuple[str, ...]
) -> None:
    assert expected == asked(*what, *heard, exchange=exchange)


@pytest.mark.parametrize(
    ("expected", "what", "heard"),
    [
        (["ndr", "recipient_gateway_log", "recipient_transport_log"], LISTED, ()),
        (["recipient_gateway_log", "recipient_transport_log", "mta_log"], LISTED, (NDR,)),
        (["mta_log", "gateway_log"], LISTED, (NDR, THEIR_FILTER, THEIR_LOG)),
        (["recipient_transport_log"], FULL, (NDR,)),
        ([], FULL, (NDR, THEIR_LOG)),
        (["recipient_transport_log"], FULL, (NDR, MTA)),
        (["mta_log", "gateway_log"], SILENT, (NDR,)),
    ],
)
def test_who_asks_looks_at_his_own_side_first(
    expected: list[str], what: tuple[str, Stage], heard: tuple[Heard, ...]
) -> None:
    assert expected == asked(*what, *heard, sides=THEIRS)


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        (["gateway_log"], ()),
        (["gateway_log"], ("sender_transport", "sender_gateway")),
        ([], ("sender_transport", "dns")),
    ],
)
def test_a_gateway_that_the_message_did_not_go_through_is_not_asked(
    expected: list[str], seen: tuple[str, ...]
) -> None:
    assert expected == asked(*SILENT, NDR, MTA, seen=seen)


def test_mail_within_one_organisation_goes_through_no_gateway() -> None:
    assert ["tracking_log", "recipient_transport_log"] == asked(
        *GONE, NDR, sides=INTERNAL, exchange=("sender",)
    )


def test_a_step_names_the_message_and_the_span_to_look_at() -> None:
    keys = Keys(message_ids={"<1@example.com>"}, recipients={"user@example.org"}, sender="sales@example.com")
    keys.see(AT)
    keys.see(AT + timedelta(hours=1))
    way = path(Stage.CONNECTION, HOME)
    step = next_steps(verdict(*SILENT), keys, HOME, [NDR], way, frozenset())[0]

    assert ("mta_log", "sender") == (step.id, step.side)
    assert (AT - MARGIN, AT + timedelta(hours=1) + MARGIN) == (step.since, step.until)
    assert ("<1@example.com>", "user@example.org", "sales@example.com") == (
        step.message_id,
        step.recipient,
        step.sender,
    )


def test_a_span_that_is_not_known_is_left_out() -> None:
    step = next_steps(verdict(*SILENT), Keys(), HOME, [], path(Stage.CONNECTION, HOME), frozenset())[0]

    assert (None, None, None, None, None) == (
        step.since,
        step.until,
        step.message_id,
        step.recipient,
        step.sender,
    )


def test_few_steps_are_named_and_each_once() -> None:
    found = asked("unknown", Stage.UNKNOWN, exchange=("sender",))

    assert (MAX_STEPS, MAX_STEPS) == (len(found), len(set(found)))


def test_every_entry_asks_for_a_kind_of_witness_of_one_side() -> None:
    entries = read_toml(data_file("path.toml"))["step"]

    assert {entry["needs"] for entry in entries} <= {
        *("report", "transport", "protocol", "gateway", "system", "headers")
    }
    assert {entry["side"] for entry in entries} == {"sender", "recipient"}
    assert [] == [
        stage
        for entry in entries
        for stage in (*entry.get("stages", ()), *entry.get("far_stages", ()))
        if stage not in set(Stage)
    ]
