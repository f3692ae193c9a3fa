"""Checks a folder of the user's own rules, also against the shipped ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model.errors import DataError
from model.providers import providers
from model.reply import unwrap
from model.resources import Readable, disk_files
from model.rule_files import load_rules, shipped_rules
from model.rules import Rule, RuleBook


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many rules could be read, and what is wrong: each with file, rule id and reason."""

    count: int
    complaints: tuple[str, ...]


def check_folder(folder: Path) -> Outcome:
    """Reads every rule in a folder, and tries each on its own examples.

    Raises:
        DataError: there is no such folder.
    """
    rules: list[Rule] = []
    complaints: list[str] = []
    for file in disk_files(folder):
        try:
            rules += _rules_of(file)
        except DataError as error:
            complaints.append(str(error))
    return Outcome(len(rules), (*complaints, *(_unproven(tuple(rules)) if rules else ())))


def _rules_of(file: Readable) -> tuple[Rule, ...]:
    return load_rules([file], custom=True)


def _unproven(rules: tuple[Rule, ...]) -> Iterator[str]:
    shipped = shipped_rules()
    taken = {rule.id for rule in shipped}
    book = RuleBook((*shipped, *rules))
    for rule in rules:
        place = f"{rule.id.partition('.')[0]}.toml: {rule.id}"
        if rule.id in taken:
            yield f"{place}: a shipped rule has this id already"
        yield from (f"{place}: {reason}" for reason in _proofs_against(rule, book))


def _proofs_against(rule: Rule, book: RuleBook) -> Iterator[str]:
    for example in rule.examples:
        winner = next(_firing_on(example, rule, book), "no rule")
        if winner != rule.id:
            yield f"loses its own example {example!r} to {winner}"
    for example in rule.counter_examples:
        if rule.id in _firing_on(example, rule, book):
            yield f"fires on its counter-example {example!r}"


def _firing_on(example: str, rule: Rule, book: RuleBook) -> Iterator[str]:
    unwrapped = unwrap(example)
    parties = rule.when.provider | providers().of_text(unwrapped.text)
    return (match.rule.id for match in book.matches(unwrapped, parties=parties))
