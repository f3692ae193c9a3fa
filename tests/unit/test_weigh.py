"""Two witnesses that agree are surer than one; who knows more wins; a confidence stays honest."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from model.rules import Match, Rule
from model.taxonomy import taxonomy
from model.types import Candidate, Prediction
from model.weigh import (
    AUDIBLE,
    CODE_AGAINST_WORDS,
    NARROW_ENOUGH,
    NO_REASON,
    SPECIFIC,
    Blend,
    Scales,
    raw_confidence,
    weighed,
    winner,
)

Told = tuple[str, float]
FULL, GONE, GREY = "mailbox_full", "recipient_unknown", "greylisted"
SHARES = st.floats(0, 1)
LINES = st.tuples(st.floats(-10, 10), st.floats(0.05, 10))


def by_words(category: str, weight: float, *, custom: bool = False) -> Match:
    return _match(category, weight, "words", custom=custom)


def by_code(category: str, weight: float, *, custom: bool = False) -> Match:
    return _match(category, weight, None, custom=custom)


def _match(category: str, weight: float, text: str | None, *, custom: bool) -> Match:
    rule = Rule(f"t.{category}", category, weight, "a test", (), text=text, custom=custom)
    return Match(rule, weight, "a quote")


def scales(*matches: Match, says: tuple[Told, ...] | None = None, impossible: tuple[str, ...] = ()) -> Scales:
    """The scales for rules that fired and for what the classifier says, if there is one."""
    prediction = None if says is None else Prediction(tuple(Candidate(*each) for each in says))
    ranked = tuple(sorted(matches, key=lambda match: match.rank, reverse=True))
    return weighed(ranked, prediction, impossible=frozenset(impossible))


# Weights


@given(SHARES, SHARES)
def test_agreement_raises(rule: float, model: float) -> None:
    together = Scales((), {FULL: rule}, {FULL: model}).weight(FULL)

    assert max(rule, model) <= together + 1e-12
    assert together <= 1.0


@pytest.mark.parametrize("rule", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("model", [0.1, 0.5, 0.99])
def test_words_and_classifier_together_are_surer_than_either(rule: float, model: float) -> None:
    together, words, alone = (
        raw_confidence(FULL, each)
        for each in (
            scales(by_words(FULL, rule), says=((FULL, model),)),
            scales(by_words(FULL, rule)),
            scales(says=((FULL, model),)),
        )
    )

    assert max(words, alone) < together < 1.0


@pytest.mark.parametrize("match", [by_words(FULL, 0.9), by_code(FULL, 0.6)])
def test_conflict_lowers_the_more_the_louder_it_is(match: Match) -> None:
    quiet, loud, louder = (raw_confidence(FULL, scales(match, says=((GONE, m),))) for m in (0.0, 0.5, 0.9))

    assert louder < loud < quiet


@given(SHARES, SHARES, SHARES, SHARES)
def test_a_confidence_is_never_more_than_what_speaks_for_it(a: float, b: float, c: float, d: float) -> None:
    both = scales(by_words(FULL, a), by_words(GONE, b), says=((FULL, c), (GONE, d)))

    assert 0.0 <= raw_confidence(FULL, both) <= both.weight(FULL) + 1e-12


@pytest.mark.parametrize(
    ("match", "says", "expected"),
    [
        (by_words(FULL, 0.6), None, 0.6),
        (by_words(FULL, 0.6), (), 0.6),
        (by_code(FULL, 0.6), None, 0.6),
        (by_code(FULL, 0.6), (), 0.6),
        (by_code(FULL, 0.6), ((GONE, 0.9),), 0.6 * CODE_AGAINST_WORDS),
        (by_code(FULL, 0.6), ((FULL, 0.5),), 0.6 * 0.75),
        (by_code(FULL, 0.6), ((FULL, 1.0),), 0.6),
        (by_code(FULL, 0.6, custom=True), (), 0.6),
    ],
)
def test_a_bare_code_counts_as_far_as_the_classifier_consents(
    match: Match, says: tuple[Told, ...] | None, expected: float
) -> None:
    assert {FULL: expected} == scales(match, says=says).rules


def test_the_strongest_rule_of_a_category_counts() -> None:
    assert {FULL: 0.9, GONE: 0.4} == scales(
        by_words(FULL, 0.9), by_code(FULL, 0.6), by_words(GONE, 0.4)
    ).rules


@pytest.mark.parametrize(
    ("impossible", "expected"),
    [
        ((), {FULL: 0.4, "auto_reply": 0.2}),
        (("auto_reply",), {FULL: 0.4}),
        (("auto_reply", FULL), {}),
    ],
)
def test_what_is_impossible_or_no_reason_is_not_heard_from_the_classifier(
    impossible: tuple[str, ...], expected: dict[str, float]
) -> None:
    says = ((FULL, 0.4), ("auto_reply", 0.2), *((name, 0.1) for name in sorted(NO_REASON)))

    assert expected == scales(says=says, impossible=impossible).model


# Who wins


@pytest.mark.parametrize(
    ("matches", "says", "expected"),
    [
        ((by_words(FULL, SPECIFIC),), ((GONE, 0.999),), FULL),
        ((by_words(FULL, SPECIFIC),), ((FULL, 0.9), (GONE, 0.1)), FULL),
        ((by_words(FULL, SPECIFIC - 0.01),), ((GONE, 0.999),), GONE),
        ((by_words(FULL, 0.6),), ((GONE, 0.5),), FULL),
        ((by_words(FULL, 0.6), by_words(GONE, 0.5)), ((GONE, 0.5),), GONE),
        ((by_words(FULL, 0.9), by_words(GONE, 0.95)), ((FULL, 0.9),), GONE),
        ((by_code(FULL, 0.6),), ((GONE, 0.4),), GONE),
        ((by_code(FULL, 0.99),), ((GONE, 0.6),), GONE),
        ((by_code(FULL, 0.6),), ((GONE, 0.2),), FULL),
        ((by_code(FULL, 0.6), by_words(GONE, 0.4)), None, FULL),
        ((by_code(FULL, 0.6), by_words(GONE, 0.4)), ((GREY, 0.1),), GONE),
        ((), ((GONE, 0.5), (FULL, 0.4)), GONE),
    ],
)
def test_a_specific_rule_beats_the_classifier_and_the_classifier_a_bare_code(
    matches: tuple[Match, ...], says: tuple[Told, ...] | None, expected: str
) -> None:
    assert expected == winner(scales(*matches, says=says))


@pytest.mark.parametrize("own", [by_words(GREY, 0.3, custom=True), by_code(GREY, 0.3, custom=True)])
@pytest.mark.parametrize(
    "rival", [by_words(FULL, 0.99), by_code(FULL, 0.99), by_words("policy_rejected", 0.99)]
)
def test_a_users_own_rule_beats_all_and_has_no_rival(own: Match, rival: Match) -> None:
    all_together = scales(rival, own, says=((GONE, 0.999),))

    assert (GREY, 0.3) == (winner(all_together), pytest.approx(raw_confidence(GREY, all_together)))


@pytest.mark.parametrize(
    ("matches", "says", "expected"),
    [
        ((by_words("policy_rejected", 0.8),), ((GONE, 0.8 * NARROW_ENOUGH + 0.01),), GONE),
        ((by_words("policy_rejected", 0.8),), ((GONE, 0.8 * NARROW_ENOUGH - 0.01),), "policy_rejected"),
        ((by_words(GONE, 0.6),), (("system_error", 0.8),), GONE),
        ((by_words(GONE, 0.5),), (("system_error", 0.8),), "system_error"),
        ((), (("connection_failed", 0.5), ("tls_failure", 0.4)), "tls_failure"),
        ((), (("connection_failed", 0.6), ("system_error", 0.4)), "connection_failed"),
        ((by_words("policy_rejected", 0.8), by_code(GONE, 0.79)), None, "policy_rejected"),
        ((by_words(GONE, 0.8), by_words(FULL, 0.79)), None, GONE),
    ],
)
def test_a_broad_category_gives_way_to_a_narrow_one_of_similar_weight(
    matches: tuple[Match, ...], says: tuple[Told, ...] | None, expected: str
) -> None:
    assert expected == winner(scales(*matches, says=says))


def test_a_broad_rival_leaves_the_confidence() -> None:
    assert 0.8 == pytest.approx(
        raw_confidence(FULL, scales(by_words(FULL, 0.8), says=(("system_error", 0.7),)))
    )


@given(st.dictionaries(st.sampled_from(taxonomy().names), SHARES, min_size=1))
def test_the_winner_is_one_that_anything_speaks_for(says: dict[str, float]) -> None:
    heard = scales(says=tuple(says.items()))
    assume(heard.weights)

    assert winner(heard) in heard.weights


# Who spoke


@pytest.mark.parametrize(
    ("rules", "model", "expected"),
    [
        ({FULL: 0.9}, {}, "rule"),
        ({}, {FULL: 0.9}, "model"),
        ({FULL: 0.9}, {FULL: 0.9}, "both"),
        ({FULL: AUDIBLE}, {FULL: AUDIBLE}, "both"),
        ({FULL: 0.9}, {FULL: AUDIBLE - 0.01}, "rule"),
        ({FULL: AUDIBLE - 0.01}, {FULL: 0.9}, "model"),
        ({FULL: 0.1}, {FULL: 0.1}, "rule"),
        ({FULL: 0.9}, {GONE: AUDIBLE}, "rule contested"),
        ({FULL: 0.9}, {GONE: AUDIBLE - 0.01}, "rule"),
        ({FULL: 0.9, GONE: 0.3}, {FULL: 0.5}, "both contested"),
        ({}, {FULL: 0.6, GONE: 0.4}, "model contested"),
        ({GONE: 0.2}, {FULL: 0.6, GONE: 0.2}, "model contested"),
        ({FULL: 0.9}, {GONE: 0.2, GREY: 0.2}, "rule"),
    ],
)
def test_the_witness_says_who_spoke_and_whether_another_was_audible(
    rules: dict[str, float], model: dict[str, float], expected: str
) -> None:
    found = Scales((), rules, model)

    assert (expected, expected.split()[0]) == (found.witness(FULL), found.decided_by(FULL))


# Honesty


@given(LINES, SHARES, SHARES)
def test_an_honest_confidence_rises_with_the_raw_one(
    line: tuple[float, float], one: float, other: float
) -> None:
    blend = Blend({"rule": line})
    low, high = (blend.honest(raw, "rule") for raw in sorted((one, other)))

    assert 0.0 <= low <= high <= 1.0


@given(st.tuples(st.floats(-2, 2), st.floats(0.1, 2)), st.floats(0.01, 0.95))
def test_an_honest_confidence_of_a_likely_line_never_stands_still(
    line: tuple[float, float], raw: float
) -> None:
    blend = Blend({"rule": line})

    assert blend.honest(raw, "rule") < blend.honest(raw + 0.04, "rule")


@pytest.mark.parametrize("raw", [0.0, 1e-9, 0.3, 0.97, 1.0])
@pytest.mark.parametrize("blend", [Blend(), Blend({"model": (3.0, 0.1), "rule contested": (-3.0, 2.0)})])
def test_a_witness_without_calibration_is_left_as_it_is(raw: float, blend: Blend) -> None:
    assert raw == blend.honest(raw, "rule")


@pytest.mark.parametrize(
    ("line", "raw", "expected"),
    [
        ((0.0, 1.0), 0.7, 0.7),
        ((0.0, 0.5), 0.9, 0.75),
        ((0.0, 2.0), 0.75, 0.9),
        ((0.0, 1.0), 1.0, 0.9999),
        ((0.0, 1.0), 0.0, 0.0001),
    ],
)
def test_offset_and_slope_act_on_the_logit(line: tuple[float, float], raw: float, expected: float) -> None:
    assert expected == pytest.approx(Blend({"model": line}).honest(raw, "model"), abs=1e-6)
