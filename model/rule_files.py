"""Loads rules from files, and refuses a wrong one by file, rule and reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import re2

from model.errors import DataError, RuleError, UnknownName
from model.knowledge import knowledge
from model.patterns import compiled
from model.providers import providers
from model.resources import Readable, data_files, read_toml
from model.rules import Rule, When
from model.taxonomy import taxonomy
from model.types import Action, FixOwner, Permanence, Stage

MAX_PATTERN_CHARS = 1000
COMMANDS = ("CONNECT", "HELO", "EHLO", "STARTTLS", "AUTH", "MAIL FROM", "RCPT TO", "DATA", "RSET")
_REQUIRED_KEYS = {"id", "category", "strength", "source", "examples"}
_OPTIONAL_KEYS = {"text", "when", "permanence", "action", "fix_owner", "stage", "cause", "counter_examples"}
_SMTP = re.compile(r"[245](?:\d\d|xx)")
_ENHANCED = re.compile(r"[245X]\.\d{1,3}\.\d{1,3}(?:-(?:[245]\.\d{1,3}\.)?\d{1,3})?")


def shipped_rules() -> tuple[Rule, ...]:
    """The rules that come with the product."""
    return load_rules(data_files("rules"))


def load_rules(files: Iterable[Readable], *, custom: bool = False) -> tuple[Rule, ...]:
    """The rules of some files.

    A user's rules are checked in full; for the shipped ones a test does that, once for all.

    Raises:
        RuleError: one is wrong; names the file, the rule and the reason.
    """
    rules: dict[str, Rule] = {}
    for file in files:
        for rule in _rules_of(file, custom=custom):
            if rule.id in rules:
                raise RuleError(file.name, rule.id, "the id is taken already")
            rules[rule.id] = rule
    return tuple(rules.values())


def check_rule(rule: Rule) -> None:
    """Refuses a rule that could not work.

    Raises:
        ValueError: the pattern is no RE2, too long, or matches everything; a name in it is unknown.
    """
    if rule.text is not None:
        _check_pattern(rule.text)
    if unknown := rule.when.provider - set(providers().by_id):
        raise ValueError(f"provider {', '.join(sorted(unknown))} is not known")
    if rule.cause is not None:
        _check_cause(rule.cause, rule.category)


def _rules_of(file: Readable, *, custom: bool) -> Iterator[Rule]:
    content = _read(file)
    if set(content) - {"rule"} or not isinstance(content.get("rule", []), list):
        raise RuleError(file.name, "file", f"only [[rule]] tables are allowed, not {sorted(content)}")
    for number, entry in enumerate(content.get("rule", []), start=1):
        if not isinstance(entry, dict):
            raise RuleError(file.name, f"rule {number}", f"{entry!r} is not a table")
        try:
            rule = _rule(entry, stem=file.name.removesuffix(".toml"), custom=custom)
        except (ValueError, TypeError) as error:
            raise RuleError(file.name, str(entry.get("id", f"rule {number}")), str(error)) from error
        yield rule


def _read(file: Readable) -> dict[str, Any]:
    try:
        return read_toml(file)
    except DataError as error:
        raise RuleError(error.where, error.entry, error.reason) from error


def _rule(entry: dict[str, Any], *, stem: str, custom: bool) -> Rule:
    _check_keys(entry, required=_REQUIRED_KEYS, optional=_OPTIONAL_KEYS)
    _check_values(entry, stem)
    rule = Rule(
        id=entry["id"],
        category=entry["category"],
        strength=float(entry["strength"]),
        source=entry["source"],
        examples=_texts(entry, "examples"),
        counter_examples=_texts(entry, "counter_examples"),
        text=entry.get("text"),
        when=_when(entry.get("when", {})),
        permanence=Permanence(entry["permanence"]) if "permanence" in entry else None,
        action=Action(entry["action"]) if "action" in entry else None,
        fix_owner=FixOwner(entry["fix_owner"]) if "fix_owner" in entry else None,
        stage=Stage(entry["stage"]) if "stage" in entry else None,
        cause=entry.get("cause"),
        custom=custom,
    )
    if custom:
        check_rule(rule)
    return rule


def _check_keys(entry: dict[str, Any], *, required: set[str], optional: set[str]) -> None:
    if missing := required - set(entry):
        raise ValueError(f"missing {', '.join(sorted(missing))}")
    if unknown := set(entry) - required - optional:
        allowed = ", ".join(sorted(required | optional))
        raise ValueError(f"unknown key {', '.join(sorted(unknown))}; allowed are {allowed}")


def _check_values(entry: dict[str, Any], stem: str) -> None:
    if not str(entry["id"]).startswith(f"{stem}."):
        raise ValueError(f"the id must start with the name of its file, {stem!r} and a dot")
    if entry["category"] not in taxonomy().names:
        raise ValueError(f"category {entry['category']!r} is not one of {', '.join(taxonomy().names)}")
    strength = entry["strength"]
    if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 < strength <= 1:
        raise ValueError(f"strength {strength!r} is not a number above 0 and at most 1")
    if not entry["examples"]:
        raise ValueError("examples must be a list of at least one text that this rule wins")
    if "text" not in entry and not {"smtp", "enhanced"} & set(entry.get("when", {})):
        raise ValueError("there must be a text, or a when with smtp or enhanced")


def _texts(entry: dict[str, Any], key: str) -> tuple[str, ...]:
    values = entry.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{key} must be a list of texts, not {values!r}")
    return tuple(values)


def _when(entry: Any) -> When:  # noqa: ANN401  # whatever the file holds
    if not isinstance(entry, dict):
        raise TypeError(f"when must be a table, not {entry!r}")
    _check_keys(entry, required=set(), optional={"provider", "smtp", "enhanced", "command"})
    return When(
        provider=frozenset(_names(entry, "provider")),
        smtp=_shaped(entry, "smtp", _SMTP, "a reply code such as 550, or a class such as 5xx"),
        enhanced=_shaped(entry, "enhanced", _ENHANCED, "a code such as 5.1.1, X.1.1 or 5.7.606-649"),
        command=frozenset(_shaped(entry, "command", re.compile("|".join(COMMANDS)), ", ".join(COMMANDS))),
    )


def _shaped(entry: dict[str, Any], key: str, shape: re.Pattern[str], allowed: str) -> tuple[str, ...]:
    names = _names(entry, key)
    for name in names:
        if not shape.fullmatch(name):
            raise ValueError(f"when.{key} {name!r} is not {allowed}")
    return names


def _names(entry: dict[str, Any], key: str) -> tuple[str, ...]:
    value = entry.get(key, [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"when.{key} must be a text or a list of texts, not {value!r}")
    return tuple(names)


def _check_pattern(text: str) -> None:
    if len(text) > MAX_PATTERN_CHARS:
        raise ValueError(f"text has {len(text)} characters; {MAX_PATTERN_CHARS} are allowed")
    try:
        pattern = compiled(text)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        shown = reason.decode() if isinstance(reason, bytes) else reason
        raise ValueError(f"text is no RE2 pattern: {shown}") from error
    if pattern.search("") is not None:
        raise ValueError("text matches the empty text, and so everything")


def _check_cause(cause: str, category: str) -> None:
    try:
        owner, _ = knowledge().cause(cause)
    except UnknownName as error:
        raise ValueError(str(error)) from error
    if owner != category:
        raise ValueError(f"cause {cause!r} belongs to {owner}, not to {category}")
