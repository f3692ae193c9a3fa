"""Whether it passes later, what to do, who can mend it and where it stopped follow from few facts."""

from dataclasses import replace

import pytest

from model.axes import EXPIRED_FROM, SURELY, Facts, action_of, fix_owner_of, permanence_of, stage_of
from model.reply import unwrap
from model.rules import Match, Rule
from model.taxonomy import taxonomy
from model.types import Action, FixOwner, Kind, Permanence, Prediction, Reply, Stage, Unwrapped

PERMANENT, TEMPORARY, UNSAID = Permanence.PERMANENT, Permanence.TEMPORARY, Permanence.UNKNOWN
NO_FAILURES = (Kind.SUCCESS, Kind.AUTO_REPLY, Kind.COMPLAINT, Kind.NOT_NDR)


def facts(text: str = "no", kind: Kind = Kind.BOUNCE, **changes: object) -> Facts:
    return replace(Facts(kind, "a test", unwrap(text)), **changes)  # type: ignore[arg-type]


def fired(category: str, weight: float = 0.9, text: str | None = "words", **values: object) -> Match:
    rule = Rule(f"t.{category}", category, weight, "a test", (), text=text, **values)  # type: ignore[arg-type]
    return Match(rule, weight, "a quote")


def heard(temporary: float | None) -> Prediction:
    return Prediction((), temporary=temporary)


# The digit


@pytest.mark.parametrize(
    ("chain", "status", "expected"),
    [
        ((Reply("no", 550, "4.2.2"),), "4.0.0", "5"),
        ((Reply("no", None, "4.2.2"),), "5.0.0", "4"),
        ((Reply("no"),), "5.0.0", "5"),
        ((Reply("no"),), None, ""),
        ((Reply("wrapper", 450), Reply("no", 550)), None, "5"),
        ((Reply("wrapper", 450), Reply("no")), None, ""),
        ((), "4.4.7", "4"),
        ((), None, ""),
    ],
)
def test_the_innermost_reply_gives_the_digit_else_the_status(
    chain: tuple[Reply, ...], status: str | None, expected: str
) -> None:
    assert expected == Facts(Kind.BOUNCE, "a test", Unwrapped("", chain, 0, 0), status).digit


# Permanence


@pytest.mark.parametrize("category", ["recipient_unknown", "mailbox_full", "reputation_blocked", "unknown"])
@pytest.mark.parametrize("text", ["550 no", "450 no", "no"])
def test_a_delay_is_temporary_and_what_is_no_failure_has_no_permanence(category: str, text: str) -> None:
    own = fired(category, permanence=PERMANENT)
    found = {
        kind: permanence_of(category, own, facts(text, kind, gave_up=True), prediction=heard(0.01))
        for kind in Kind
        if kind is not Kind.BOUNCE
    }

    assert {Kind.DELAY: TEMPORARY, **dict.fromkeys(NO_FAILURES, UNSAID)} == found


@pytest.mark.parametrize(
    ("category", "text", "expected"),
    [
        ("recipient_unknown", "550 no", PERMANENT),
        ("recipient_unknown", "no", PERMANENT),
        ("recipient_unknown", "450 no", TEMPORARY),
        ("mailbox_full", "450 no", TEMPORARY),
        ("mailbox_full", "no", TEMPORARY),
        ("mailbox_full", "550 no", TEMPORARY),
        ("message_expired", "no", PERMANENT),
        ("message_expired", "450 no", TEMPORARY),
        ("reputation_blocked", "550 no", PERMANENT),
        ("reputation_blocked", "421 no", TEMPORARY),
        ("reputation_blocked", "no", TEMPORARY),
        ("unknown", "550 no", PERMANENT),
        ("unknown", "450 no", TEMPORARY),
        ("unknown", "no", UNSAID),
        ("auto_reply", "550 no", UNSAID),
    ],
)
def test_a_bounce_is_as_lasting_as_its_category_and_digit_say(
    category: str, text: str, expected: Permanence
) -> None:
    assert expected is permanence_of(category, None, facts(text))


@pytest.mark.parametrize(
    ("category", "text", "temporary", "expected"),
    [
        ("unknown", "no", None, UNSAID),
        ("unknown", "no", 0.5, UNSAID),
        ("unknown", "no", SURELY - 0.01, UNSAID),
        ("unknown", "no", SURELY, TEMPORARY),
        ("unknown", "no", 1 - SURELY + 0.01, UNSAID),
        ("unknown", "no", 1 - SURELY - 0.01, PERMANENT),
        ("unknown", "550 no", 0.99, PERMANENT),
        ("unknown", "450 no", 0.01, TEMPORARY),
        ("system_error", "no", None, TEMPORARY),
        ("system_error", "no", 0.5, TEMPORARY),
        ("system_error", "no", 0.49, PERMANENT),
        ("system_error", "550 no", 0.99, PERMANENT),
        ("system_error", "450 no", 0.01, TEMPORARY),
        ("recipient_unknown", "no", 0.99, PERMANENT),
        ("mailbox_full", "no", 0.01, TEMPORARY),
    ],
)
def test_the_classifier_is_asked_only_where_category_and_digit_say_nothing(
    category: str, text: str, temporary: float | None, expected: Permanence
) -> None:
    assert expected is permanence_of(category, None, facts(text), prediction=heard(temporary))


@pytest.mark.parametrize(
    ("category", "text", "expected"),
    [
        ("recipient_unknown", "450 no", PERMANENT),
        ("greylisted", "450 no", PERMANENT),
        ("greylisted", "no", PERMANENT),
        ("rate_limited", "450 no", PERMANENT),
        ("reputation_blocked", "421 no", PERMANENT),
        ("message_expired", "450 no", PERMANENT),
        ("mailbox_full", "450 no", PERMANENT),
        ("mailbox_full", "no", TEMPORARY),
        ("mailbox_full", "550 no", TEMPORARY),
        ("unknown", "no", UNSAID),
        ("unknown", "450 no", TEMPORARY),
        ("auto_reply", "no", UNSAID),
    ],
)
def test_a_queue_that_gave_up_makes_it_final(category: str, text: str, expected: Permanence) -> None:
    assert expected is permanence_of(category, None, facts(text, gave_up=True))


@pytest.mark.parametrize(
    ("category", "text", "expired", "expected"),
    [
        ("greylisted", "450 no", fired("message_expired"), PERMANENT),
        ("greylisted", "450 no", fired("message_expired", EXPIRED_FROM), PERMANENT),
        ("greylisted", "450 no", fired("message_expired", EXPIRED_FROM - 0.01), TEMPORARY),
        ("greylisted", "450 no", fired("message_expired", text=None), TEMPORARY),
        ("greylisted", "450 no", fired("connection_failed"), TEMPORARY),
        ("mailbox_full", "450 no", fired("message_expired"), PERMANENT),
        ("mailbox_full", "no", fired("message_expired"), PERMANENT),
        ("mailbox_full", "550 no", fired("message_expired"), TEMPORARY),
    ],
)
def test_words_of_expiry_make_it_final_and_a_code_alone_does_not(
    category: str, text: str, expired: Match, expected: Permanence
) -> None:
    assert expected is permanence_of(category, None, facts(text), matches=[fired("dns_failure"), expired])


@pytest.mark.parametrize(
    ("category", "own", "changes", "expected"),
    [
        ("mailbox_full", PERMANENT, {}, PERMANENT),
        ("recipient_unknown", TEMPORARY, {}, TEMPORARY),
        ("system_error", TEMPORARY, {"status": "5.0.0"}, TEMPORARY),
        ("system_error", UNSAID, {}, UNSAID),
        ("greylisted", TEMPORARY, {"gave_up": True}, PERMANENT),
        ("greylisted", None, {}, TEMPORARY),
    ],
)
def test_a_rule_says_its_own_permanence_until_the_queue_gives_up(
    category: str, own: Permanence | None, changes: dict[str, object], expected: Permanence
) -> None:
    assert expected is permanence_of(category, fired(category, permanence=own), facts(**changes))


# Action


@pytest.mark.parametrize(
    ("category", "own", "permanence", "expected"),
    [
        ("mailbox_full", None, TEMPORARY, Action.RETRY),
        ("mailbox_full", None, UNSAID, Action.RETRY),
        ("mailbox_full", None, PERMANENT, Action.REVIEW),
        ("rate_limited", None, TEMPORARY, Action.RETRY_SLOWER),
        ("rate_limited", None, PERMANENT, Action.REVIEW),
        ("content_rejected", None, PERMANENT, Action.FIX_SENDER),
        ("content_rejected", Action.RETRY, PERMANENT, Action.REVIEW),
        ("content_rejected", Action.RETRY, TEMPORARY, Action.RETRY),
        ("mailbox_full", Action.CONTACT_PROVIDER, PERMANENT, Action.CONTACT_PROVIDER),
    ],
)
def test_nothing_permanent_is_retried(
    category: str, own: Action | None, permanence: Permanence, expected: Action
) -> None:
    rule = fired(category, action=own) if own else None

    assert expected is action_of(category, rule, permanence, facts())


@pytest.mark.parametrize(
    ("category", "kind", "original_seen", "expected"),
    [
        ("recipient_unknown", Kind.BOUNCE, True, Action.SUPPRESS),
        ("recipient_unknown", Kind.BOUNCE, False, Action.FIX_RECIPIENT),
        ("mailbox_disabled", Kind.BOUNCE, False, Action.FIX_RECIPIENT),
        ("complaint", Kind.COMPLAINT, False, Action.SUPPRESS),
        ("recipient_moved", Kind.BOUNCE, False, Action.FIX_RECIPIENT),
        ("relay_denied", Kind.BOUNCE, False, Action.FIX_SENDER),
    ],
)
def test_a_bounce_drops_an_address_only_when_it_shows_the_message(
    category: str, kind: Kind, expected: Action, *, original_seen: bool
) -> None:
    assert expected is action_of(category, None, PERMANENT, facts(kind=kind, original_seen=original_seen))


def test_a_rule_that_drops_an_address_needs_the_message_too() -> None:
    own = fired("recipient_restricted", action=Action.SUPPRESS)
    found = [
        action_of("recipient_restricted", own, PERMANENT, facts(original_seen=seen)) for seen in (True, False)
    ]

    assert [Action.SUPPRESS, Action.FIX_RECIPIENT] == found


# Fix owner and stage


@pytest.mark.parametrize(
    ("category", "own", "expected"),
    [
        ("mailbox_full", None, FixOwner.RECIPIENT),
        ("mailbox_full", fired("mailbox_full"), FixOwner.RECIPIENT),
        ("mailbox_full", fired("mailbox_full", fix_owner=FixOwner.PROVIDER), FixOwner.PROVIDER),
        ("unknown", None, FixOwner.UNKNOWN),
    ],
)
def test_the_rule_says_who_can_mend_it_else_the_category(
    category: str, own: Match | None, expected: FixOwner
) -> None:
    assert expected is fix_owner_of(category, own)


@pytest.mark.parametrize(
    ("category", "own", "command", "expected"),
    [
        ("mailbox_full", None, None, Stage.MAILBOX),
        ("mailbox_full", None, "CONNECT", Stage.MAILBOX),
        ("mailbox_full", fired("mailbox_full"), None, Stage.MAILBOX),
        ("mailbox_full", fired("mailbox_full", stage=Stage.DNS), "CONNECT", Stage.DNS),
        ("unknown", None, "CONNECT", Stage.CONNECTION),
        ("unknown", None, "STARTTLS", Stage.CONNECTION),
        ("unknown", None, "RCPT TO", Stage.UNKNOWN),
        ("unknown", None, None, Stage.UNKNOWN),
        ("delivery_delayed", None, "CONNECT", Stage.CONNECTION),
        ("delivery_delayed", fired("delivery_delayed", stage=Stage.SUBMISSION), "CONNECT", Stage.SUBMISSION),
    ],
)
def test_the_rule_says_where_it_stopped_else_the_category_else_the_command(
    category: str, own: Match | None, command: str | None, expected: Stage
) -> None:
    whole = facts(unwrapped=replace(unwrap("no"), command=command))

    assert expected is stage_of(category, own, whole)


@pytest.mark.parametrize("category", taxonomy().names)
def test_every_category_has_its_defaults(category: str) -> None:
    usual = taxonomy()[category]
    whole = facts(original_seen=True)

    assert (usual.action, usual.fix_owner, usual.stage) == (
        action_of(category, None, TEMPORARY, whole),
        fix_owner_of(category, None),
        stage_of(category, None, whole),
    )
