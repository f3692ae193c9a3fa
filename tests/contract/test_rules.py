"""Every rule wins its own examples, and loses its counter-examples."""

import pytest

from model.providers import providers
from model.reply import unwrap
from model.rules import Match, Rule, RuleBook, check_pattern, shipped_rules

BOOK = RuleBook(shipped_rules())
CASES = [(rule, example) for rule in BOOK.rules for example in rule.examples]
COUNTER_CASES = [(rule, example) for rule in BOOK.rules for example in rule.counter_examples]


def matches(rule: Rule, example: str) -> tuple[Match, ...]:
    unwrapped = unwrap(example)
    parties = rule.when.provider | providers().of_text(unwrapped.text)
    return BOOK.matches(unwrapped, parties=parties)


@pytest.mark.parametrize(("rule", "example"), CASES, ids=lambda value: getattr(value, "id", ""))
def test_a_rule_wins_its_own_example(rule: Rule, example: str) -> None:
    found = matches(rule, example)

    assert found, f"{rule.id}: no rule at all fires on {example!r}"
    assert rule.id == found[0].rule.id, f"{rule.id} loses {example!r} to {found[0].rule.id}"


@pytest.mark.parametrize(("rule", "example"), COUNTER_CASES, ids=lambda value: getattr(value, "id", ""))
def test_a_rule_does_not_fire_on_its_counter_example(rule: Rule, example: str) -> None:
    assert rule.id not in {match.rule.id for match in matches(rule, example)}


@pytest.mark.parametrize("rule", BOOK.rules, ids=lambda rule: rule.id)
def test_a_pattern_is_sound(rule: Rule) -> None:
    check_pattern(rule.text)


def test_no_two_rules_say_the_same() -> None:
    bodies = [(rule.text, rule.when) for rule in BOOK.rules]
    twins = [rule.id for rule in BOOK.rules if bodies.count((rule.text, rule.when)) > 1]

    assert [] == twins


def test_every_provider_a_rule_names_is_known() -> None:
    named = {(rule.id, name) for rule in BOOK.rules for name in rule.when.provider}

    assert set() == {(rule_id, name) for rule_id, name in named if name not in providers().by_id}
