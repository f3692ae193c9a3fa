"""Puts the way of a message, and how to get evidence that is missing, into words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from model.errors import UnknownName
from model.languages import LANGUAGES
from model.next_steps import Step
from model.resources import data_file, read_toml
from model.sides import SENDER
from model.stamps import NO_YEAR

BASE_LANGUAGE = LANGUAGES[0]
MAX_VALUE_CHARS = 998
"""Longer than a line of a mail, so no id or address."""

MAX_REPLY_CHARS = 300
_OPTION = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_NAME = re.compile(r"\{([a-z_]+)\}")
_POWERSHELL_QUOTES = re.compile("(['\u2018\u2019\u201a\u201b])")
"""All that PowerShell takes for a single quote."""

_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_MINUTE = timedelta(minutes=1)
_LAST = datetime.max.replace(second=0, microsecond=0, tzinfo=UTC)

Values = Mapping[str, str]
Quote = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class StepWords:
    """A piece of evidence to ask for, in words.

    Args:
        title: what it is.
        text: how to get it, and what it would show.
        command: what to paste into a shell, where to look, or what to write to the other side.
    """

    title: str
    text: str
    command: str


def words_of(step: Step, language: str, *, home: str = SENDER, reply: str = "") -> StepWords:
    """The words on a piece of evidence.

    Args:
        step: what to ask for.
        language: of the words.
        home: the side of whoever asks; what the other side has is asked for in a letter.
        reply: what the server said against the message, to be quoted there.

    Raises:
        UnknownName: there is no such language or step.
    """
    words = _entry("step", step.id, language)
    values = _values(step, reply)
    told = {name: _filled(words[name], values) for name in ("text", "why", "hint", "what") if name in words}
    is_own = step.side == home
    text = _filled(_entry("form", "own" if is_own else step.side, language), {**values, **told})
    letter = "" if is_own else _entry("letter", step.side, language)
    command = _filled(letter, {**values, **told}) if letter else _own_command(step.id, values, language)
    return StepWords(words["title"], text, command.strip())


def place_title(place: str, language: str) -> str:
    """What one of ``PLACES`` is called.

    Raises:
        UnknownName: there is no such language or place.
    """
    return _title("place", place, language)


def outcome_title(outcome: str, language: str) -> str:
    """What an ``Outcome`` is called.

    Raises:
        UnknownName: there is no such language or outcome.
    """
    return _title("outcome", outcome, language)


def state_title(state: str, language: str) -> str:
    """What a state of knowledge, ``Seen``, is called.

    Raises:
        UnknownName: there is no such language or state.
    """
    return _title("state", state, language)


def label(name: str, language: str) -> str:
    """A word that a drawing needs.

    Raises:
        UnknownName: there is no such language or label.
    """
    return _title("label", name, language)


def powershell_quoted(value: str) -> str:
    """A value as PowerShell takes it literally.

    >>> powershell_quoted("<it's@example.com>")
    "'<it''s@example.com>'"
    """
    return "'" + _POWERSHELL_QUOTES.sub(r"\1\1", value) + "'"


def _own_command(step_id: str, values: Values, language: str) -> str:
    """The commands for each shell, or the places to look."""
    facts = _entry("step", step_id, BASE_LANGUAGE)
    quotes: tuple[tuple[str, Quote], ...] = (("powershell", powershell_quoted), ("sh", shlex.quote))
    parts = [_filled(facts[shell], values, quote).strip() for shell, quote in quotes if shell in facts]
    if "where" in facts:
        parts.append(_filled(_entry("where", facts["where"], language), values))
    return "\n".join(filter(None, parts))


def _filled(template: str, values: Values, quote: Quote = str) -> str:
    """A template with its values; empty where one that it cannot do without is not known."""
    chosen = _OPTION.sub(lambda option: _variant(option[1], values), template)
    if not _is_known(chosen, values):
        return ""
    return _NAME.sub(lambda name: quote(values[name[1]]), chosen)


def _variant(option: str, values: Values) -> str:
    return next((each for each in option.split("||") if _is_known(each, values)), "")


def _is_known(template: str, values: Values) -> bool:
    return all(name in values for name in _NAME.findall(template))


def _values(step: Step, reply: str) -> Values:
    """All that is known, by the names of the templates."""
    named = {"message_id": step.message_id, "recipient": step.recipient, "sender": step.sender}
    known = {name: value for name, each in named.items() if (value := _cleaned(each))}
    address = known.get(step.side, "")
    domain = address.rpartition("@")[2]
    derived = {
        "key": next(iter(known.values()), ""),
        "postmaster": f"postmaster@{domain}" if "@" in address and _DOMAIN.fullmatch(domain) else "",
        "reply": _quoted(reply),
    }
    spans = _span(step.since, step.until)
    return {**known, **{name: value for name, value in derived.items() if value}, **dict(spans)}


def _span(since: datetime | None, until: datetime | None) -> Iterator[tuple[str, str]]:
    """A span for people, in whole minutes, and for commands, which need its year."""
    if since is None or until is None:
        return
    first, last = since.astimezone(UTC), _next_minute(until.astimezone(UTC))
    is_dated = NO_YEAR not in (first.year, last.year)
    day = "%Y-%m-%d" if is_dated else "%m-%d"
    yield "day", f"{first:{day}}"
    yield "since", f"{first:%H:%M}"
    yield "until", f"{last:%H:%M}" if last.date() == first.date() else f"{last:{day} %H:%M}"
    if is_dated:
        yield "start", f"{first:%Y-%m-%dT%H:%M:%SZ}"
        yield "end", f"{last:%Y-%m-%dT%H:%M:%SZ}"


def _next_minute(moment: datetime) -> datetime:
    minute = moment.replace(second=0, microsecond=0)
    return minute if minute in (moment, _LAST) else minute + _MINUTE


def _cleaned(value: str | None) -> str:
    """A value without characters that steer a terminal or hide; none where it is too long for one."""
    printable = "".join(filter(str.isprintable, value or "")).strip()
    return printable if len(printable) <= MAX_VALUE_CHARS else ""


def _quoted(reply: str) -> str:
    """The first words of a reply on one line."""
    shown = "".join(each if each.isprintable() else " " for each in reply[: 4 * MAX_REPLY_CHARS])
    text = " ".join(shown.split())
    return text if len(text) <= MAX_REPLY_CHARS else text[: MAX_REPLY_CHARS - 1] + "…"


def _title(table: str, name: str, language: str) -> str:
    return str(_entry(table, name, language))


def _entry(table: str, name: str, language: str) -> Any:  # noqa: ANN401 - a title, or a table of them
    entries = _words(language)[table]
    if name not in entries:
        raise UnknownName(table, name)
    return entries[name]


@cache
def _words(language: str) -> dict[str, Any]:
    if language not in LANGUAGES:
        raise UnknownName("language", language)
    return read_toml(data_file("path", f"{language}.toml"))
