"""Every rule wins its own examples, and loses its counter-examples."""

import pytest

from model.axes import Facts
from model.combine import combine
from model.providers import providers
from model.reply import unwrap
from model.resources import data_file, read_toml
from model.rule_files import check_rule, shipped_rules
from model.rules import Match, Rule, RuleBook
from model.taxonomy import taxonomy
from model.types import Kind

BOOK = RuleBook(shipped_rules())
CASES = [(rule, example) for rule in BOOK.rules for example in rule.examples]
STRONG = 0.6
NOT_FOR_BOUNCES = {"delivery_notice", "delivery_delayed", "auto_reply", "complaint"}
COUNTER_CASES = [(rule, example) for rule in BOOK.rules for example in rule.counter_examples]
CAUSES = {
    cause["id"]: (category, frozenset(cause.get("provider", ())))
    for category in taxonomy().names
    for cause in read_toml(data_file("knowledge", "en", f"{category}.toml"))["cause"]
}


def matches(rule: Rule, example: str) -> tuple[Match, ...]:
    unwrapped = unwrap(example)
    parties = rule.when.provider | providers().of_text(unwrapped.text)
    return BOOK.matches(unwrapped, parties=parties)


@pytest.mark.parametrize(("rule", "example"), CASES, ids=lambda value: getattr(value, "id", ""))
def test_a_rule_wins_its_own_example(rule: Rule, example: str) -> None:
    found = matches(rule, example)

    assert found, f"{rule.id}: no rule at all fires on {example!r}"
    assert rule.id == found[0].rule.id, f"{rule.id} loses {example!r} to {found[0].rule.id}"


@pytest.mark.parametrize(
    ("rule", "example"),
    [case for case in CASES if case[0].strength >= STRONG and case[0].category not in NOT_FOR_BOUNCES],
    ids=lambda value: getattr(value, "id", ""),
)
def test_a_strong_rule_wins_its_example_as_verdict_too(rule: Rule, example: str) -> None:
    facts = Facts(Kind.BOUNCE, "", unwrap(example))

    assert rule.category == combine(matches(rule, example), facts).category


@pytest.mark.parametrize(("rule", "example"), COUNTER_CASES, ids=lambda value: getattr(value, "id", ""))
def test_a_rule_does_not_fire_on_its_counter_example(rule: Rule, example: str) -> None:
    assert rule.id not in {match.rule.id for match in matches(rule, example)}


@pytest.mark.parametrize("rule", BOOK.rules, ids=lambda rule: rule.id)
def test_a_rule_is_sound(rule: Rule) -> None:
    check_rule(rule)


def test_no_two_rules_say_the_same() -> None:
    bodies = [(rule.text, rule.when) for rule in BOOK.rules]
    twins = [rule.id for rule in BOOK.rules if bodies.count((rule.text, rule.when)) > 1]

    assert [] == twins


def test_every_provider_a_rule_names_is_known() -> None:
    named = {(rule.id, name) for rule in BOOK.rules for name in rule.when.provider}

    assert set() == {(rule_id, name) for rule_id, name in named if name not in providers().by_id}


def speaks_for(rule: Rule) -> frozenset[str]:
    """The providers whose words a rule holds: its file is theirs, or every example names them."""
    named = (providers().of_text(unwrap(example).text) for example in rule.examples)
    return frozenset.intersection(*named) | {rule.id.partition(".")[0]}


def test_every_cause_a_rule_names_belongs_to_its_category() -> None:
    named = {rule.id: (rule.cause, rule.category) for rule in BOOK.rules if rule.cause}

    assert {} == {
        rule: (cause, category)
        for rule, (cause, category) in named.items()
        if CAUSES.get(cause, ("unknown cause",))[0] != category
    }


def test_a_cause_of_some_providers_is_named_only_by_their_words() -> None:
    limited = [(rule, CAUSES[rule.cause][1]) for rule in BOOK.rules if rule.cause in CAUSES]

    assert [] == [
        rule.id
        for rule, allowed in limited
        if allowed and not allowed & speaks_for(rule) and not set() < rule.when.provider <= allowed
    ]
