"""The verdict is honest: its confidence belongs to its category, and a tie is not certainty."""

from dataclasses import replace

import pytest

from model.axes import Facts
from model.combine import MAX_ALTERNATIVES, combine
from model.reply import unwrap
from model.rules import Match, Rule, When
from model.types import (
    Action,
    Candidate,
    FixOwner,
    Kind,
    Permanence,
    Prediction,
    Stage,
    Verdict,
)

TEXT = "550 5.1.1 some words of a server that are long enough to point into"


def facts(text: str = TEXT, **changes: object) -> Facts:
    whole = Facts(Kind.BOUNCE, "a test", unwrap(text), original_seen=True)
    return replace(whole, **changes)  # type: ignore[arg-type]


def match(category: str, weight: float, *, at: tuple[int, int] | None = None, **values: object) -> Match:
    """A rule that fired: on the words at a place, else on a code."""
    filled: dict[str, object] = {"text": "words" if at else None, **values}
    rule = Rule(
        id=f"t.{category}_{weight}", category=category, strength=weight, source="t", examples=(), **filled
    )  # type: ignore[arg-type]
    start, end = at or (None, None)
    return Match(rule, weight, TEXT[start:end] if at else "550", start, end)


def predicted(**confidences: float) -> Prediction:
    return Prediction(tuple(Candidate(name, confidence) for name, confidence in confidences.items()))


def verdict(*matches: Match, prediction: Prediction | None = None, **changes: object) -> Verdict:
    ranked = sorted(matches, key=lambda each: each.rank, reverse=True)
    return combine(ranked, facts(**changes), prediction=prediction)  # type: ignore[arg-type]


def test_the_strongest_match_names_the_category() -> None:
    found = verdict(match("mailbox_full", 0.9, at=(0, 9)), match("recipient_unknown", 0.5, at=(10, 20)))

    assert "mailbox_full" == found.category


def test_a_match_alone_gives_its_own_weight_as_confidence() -> None:
    assert 0.93 == pytest.approx(verdict(match("mailbox_full", 0.93, at=(0, 9))).confidence)


def test_a_tie_is_not_certainty() -> None:
    found = verdict(match("mailbox_full", 0.95, at=(0, 9)), match("recipient_unknown", 0.95, at=(10, 20)))

    assert found.confidence < 0.5
    assert {"mailbox_full", "recipient_unknown"} == {found.category, found.alternatives[0].category}


@pytest.mark.parametrize(("weak", "strong"), [(0.2, 0.5), (0.5, 0.8), (0.8, 0.9)])
def test_confidence_falls_as_the_rival_grows(weak: float, strong: float) -> None:
    confidences = [
        verdict(
            match("mailbox_full", 0.95, at=(0, 9)), match("recipient_unknown", rival, at=(10, 20))
        ).confidence
        for rival in (weak, strong)
    ]

    assert sorted(confidences, reverse=True) == confidences
    assert confidences[1] < 0.95


def test_confidence_belongs_to_the_category_given() -> None:
    found = verdict(match("policy_rejected", 0.9, at=(0, 9)), match("mailbox_full", 0.7, at=(10, 20)))

    assert ("mailbox_full", 0.7) == (found.category, pytest.approx(found.confidence))


@pytest.mark.parametrize(
    "codes", [(("recipient_unknown", 0.25),), (("recipient_unknown", 0.25), ("relay_denied", 0.2))]
)
def test_a_bare_550_is_far_from_certain(codes: tuple[tuple[str, float], ...]) -> None:
    assert verdict(*(match(*code) for code in codes)).confidence < 0.95


@pytest.mark.parametrize(
    ("broad", "narrow", "expected"),
    [
        (("policy_rejected", 0.9), ("reputation_blocked", 0.7), "reputation_blocked"),
        (("system_error", 0.9), ("mailbox_full", 0.9), "mailbox_full"),
        (("message_expired", 0.95), ("greylisted", 0.8), "greylisted"),
        (("connection_failed", 0.9), ("tls_failure", 0.65), "tls_failure"),
        (("policy_rejected", 0.9), ("reputation_blocked", 0.3), "policy_rejected"),
        (("recipient_unknown", 0.9), ("policy_rejected", 0.89), "recipient_unknown"),
    ],
)
def test_a_broad_category_yields_to_a_narrow_one_of_similar_strength(
    broad: tuple[str, float], narrow: tuple[str, float], expected: str
) -> None:
    assert expected == verdict(match(*broad, at=(0, 9)), match(*narrow, at=(10, 20))).category


def test_a_broad_rival_does_not_contradict() -> None:
    found = verdict(match("mailbox_full", 0.9, at=(0, 9)), match("policy_rejected", 0.85, at=(10, 20)))

    assert 0.9 == pytest.approx(found.confidence)


def test_a_looser_reading_of_the_same_words_does_not_contradict() -> None:
    found = verdict(match("mailbox_full", 0.9, at=(0, 20)), match("recipient_unknown", 0.85, at=(5, 15)))

    assert 0.9 == pytest.approx(found.confidence)


def test_a_code_contradicts_words_less_than_other_words_do() -> None:
    own = match("mailbox_full", 0.9, at=(0, 9))
    by_code = verdict(own, match("recipient_unknown", 0.7))
    by_words = verdict(own, match("recipient_unknown", 0.7, at=(10, 20)))

    assert by_words.confidence < by_code.confidence < 0.9


def test_nothing_decided_is_unknown_with_candidates() -> None:
    found = verdict(match("mailbox_full", 0.25), match("recipient_unknown", 0.2))

    assert ("unknown", "none") == (found.category, found.decided_by)
    assert ["mailbox_full", "recipient_unknown"] == [each.category for each in found.alternatives]


def test_no_match_at_all_is_unknown_with_candidates_and_a_reason() -> None:
    found = verdict()

    assert "unknown" == found.category
    assert 0 < len(found.alternatives) <= MAX_ALTERNATIVES
    assert found.evidence


def test_two_that_contradict_each_other_weakly_are_unknown() -> None:
    found = verdict(match("mailbox_full", 0.45, at=(0, 9)), match("recipient_unknown", 0.45, at=(10, 20)))

    assert "unknown" == found.category


@pytest.mark.parametrize("seed", range(6))
def test_candidates_share_no_more_than_is_left(seed: int) -> None:
    names = ("mailbox_full", "recipient_unknown", "greylisted", "rate_limited", "relay_denied")
    found = verdict(
        *(
            match(name, (0.9 - 0.13 * place * seed) % 1, at=(9 * place, 9 * place + 5))
            for place, name in enumerate(names)
        )
    )
    total = sum(each.confidence for each in found.alternatives)

    assert len(found.alternatives) <= MAX_ALTERNATIVES
    assert found.category not in {each.category for each in found.alternatives}
    assert found.category == "unknown" or found.confidence + total <= 1.001


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        (Kind.SUCCESS, "delivery_notice"),
        (Kind.AUTO_REPLY, "auto_reply"),
        (Kind.COMPLAINT, "complaint"),
        (Kind.NOT_NDR, "unknown"),
    ],
)
def test_what_is_no_failure_is_named_by_its_kind_whatever_words_it_quotes(kind: Kind, category: str) -> None:
    found = verdict(match("recipient_unknown", 0.98, at=(0, 9)), kind=kind)

    assert (category, Permanence.UNKNOWN) == (found.category, found.permanence)
    assert ["kind"] == [each.source for each in found.evidence]


def test_a_delay_without_a_reason_is_delivery_delayed() -> None:
    found = verdict(kind=Kind.DELAY)

    assert ("delivery_delayed", Permanence.TEMPORARY) == (found.category, found.permanence)


def test_a_delay_with_a_reason_has_its_category_and_is_temporary() -> None:
    found = verdict(match("recipient_unknown", 0.9, at=(0, 9)), kind=Kind.DELAY)

    assert ("recipient_unknown", Permanence.TEMPORARY) == (found.category, found.permanence)


@pytest.mark.parametrize(
    ("kind", "category"),
    [(Kind.DELAY, "message_expired"), (Kind.BOUNCE, "delivery_delayed"), (Kind.BOUNCE, "auto_reply")],
)
def test_a_category_that_the_kind_rules_out_is_passed_over(kind: Kind, category: str) -> None:
    assert category != verdict(match(category, 0.98, at=(0, 9)), kind=kind).category


@pytest.mark.parametrize(("seen", "action"), [(True, Action.SUPPRESS), (False, Action.FIX_RECIPIENT)])
def test_an_address_is_dropped_only_when_the_original_is_seen(seen: bool, action: Action) -> None:  # noqa: FBT001  # a case of the table
    assert action is verdict(match("recipient_unknown", 0.9, at=(0, 9)), original_seen=seen).action


def test_nothing_permanent_is_retried() -> None:
    by_rule = match("mailbox_full", 0.9, at=(0, 9), permanence=Permanence.PERMANENT)

    assert Action.REVIEW is verdict(by_rule).action
    assert Action.RETRY is verdict(match("mailbox_full", 0.9, at=(0, 9))).action


@pytest.mark.parametrize(
    ("text", "category", "changes", "expected"),
    [
        ("550 no", "recipient_unknown", {}, Permanence.PERMANENT),
        ("450 no", "recipient_unknown", {}, Permanence.TEMPORARY),
        ("552 no", "mailbox_full", {}, Permanence.TEMPORARY),
        ("550 no", "rate_limited", {}, Permanence.TEMPORARY),
        ("550 no", "reputation_blocked", {}, Permanence.PERMANENT),
        ("450 no", "reputation_blocked", {}, Permanence.TEMPORARY),
        ("no", "reputation_blocked", {"status": "5.7.1"}, Permanence.PERMANENT),
        ("450 no", "greylisted", {"gave_up": True}, Permanence.PERMANENT),
        ("no", "mailbox_full", {"gave_up": True}, Permanence.TEMPORARY),
        ("450 no", "mailbox_full", {"gave_up": True}, Permanence.PERMANENT),
    ],
)
def test_permanence_comes_from_category_digit_and_what_the_queue_did(
    text: str, category: str, changes: dict[str, object], expected: Permanence
) -> None:
    assert expected is verdict(match(category, 0.9, at=(0, 2)), text=text, **changes).permanence


def test_a_rule_says_its_own_permanence_action_owner_stage_and_cause() -> None:
    told = match(
        "rate_limited",
        0.9,
        at=(0, 9),
        permanence=Permanence.PERMANENT,
        action=Action.CONTACT_PROVIDER,
        fix_owner=FixOwner.PROVIDER,
        stage=Stage.SUBMISSION,
        cause="some_cause",
    )
    found = verdict(told)

    assert (Permanence.PERMANENT, Action.CONTACT_PROVIDER) == (found.permanence, found.action)
    assert (FixOwner.PROVIDER, Stage.SUBMISSION, "some_cause") == (found.fix_owner, found.stage, found.cause)


@pytest.mark.parametrize("strength", [0.5, 0.9])
def test_a_users_own_rule_wins_over_stronger_ones_with_its_own_confidence(strength: float) -> None:
    own = match("moderation_rejected", strength, at=(0, 9), custom=True)
    found = verdict(own, match("mailbox_full", 0.99, at=(10, 20), when=When(smtp=("550",))))

    assert ("moderation_rejected", strength) == (found.category, pytest.approx(found.confidence))


def test_evidence_for_the_category_comes_before_evidence_against_it() -> None:
    found = verdict(
        match("policy_rejected", 0.9, at=(0, 9)),
        match("mailbox_full", 0.8, at=(10, 20)),
        match("mailbox_full", 0.3),
    )

    assert ["t.mailbox_full_0.8", "t.mailbox_full_0.3", "t.policy_rejected_0.9"] == [
        each.rule_id for each in found.evidence
    ]


def test_evidence_points_at_its_words() -> None:
    (evidence,) = verdict(match("mailbox_full", 0.9, at=(10, 20))).evidence

    assert ("rule", TEXT[10:20], 10, 20) == (evidence.source, evidence.quote, evidence.start, evidence.end)


def test_the_classifier_decides_where_no_rule_fires() -> None:
    found = verdict(prediction=predicted(mailbox_full=0.8, recipient_unknown=0.1))

    assert ("mailbox_full", "model") == (found.category, found.decided_by)
    assert ["recipient_unknown"] == [each.category for each in found.alternatives]


def test_a_specific_rule_wins_over_the_classifier() -> None:
    found = verdict(match("recipient_unknown", 0.97, at=(0, 9)), prediction=predicted(mailbox_full=0.8))

    assert ("recipient_unknown", "rule") == (found.category, found.decided_by)


def test_the_classifier_that_disagrees_lowers_the_confidence() -> None:
    alone = verdict(match("recipient_unknown", 0.9, at=(0, 9)))
    doubted = verdict(match("recipient_unknown", 0.9, at=(0, 9)), prediction=predicted(mailbox_full=0.8))

    assert doubted.confidence < alone.confidence


@pytest.mark.parametrize("confidence", [0.0, 1e-100, 0.29])
def test_a_classifier_without_an_opinion_leaves_it_unknown(confidence: float) -> None:
    assert "unknown" == verdict(prediction=predicted(mailbox_full=confidence)).category


def test_a_refusal_to_connect_stops_at_the_connection() -> None:
    text = "host mx.example.net[192.0.2.7] refused to talk to me: 421 words"
    found = verdict(match("unknown", 0.9, at=(0, 9)), text=text)

    assert Stage.CONNECTION is found.stage
