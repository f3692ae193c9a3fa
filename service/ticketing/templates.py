"""Calls and subjects that a configuration describes, with named blanks that values cannot break out of."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from service.errors import CallRefused, SettingError
from service.ticketing.calls import JSON, quoted
from service.ticketing.nouns import System

if TYPE_CHECKING:
    from service.outgoing import Answered, Caller

Value = str | tuple[str, ...] | Mapping[str, str]
Values = Mapping[str, Value]

NO_NUMBER = 0
MOST_LEVELS = 16
TICKET = "{ticket}"
_BLANK = re.compile(r"\{([a-z_]+)(\|number)?\}")
_LINE = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/(?![/\\])[!-\"$-\[\]-~]*)")
_TICKET_NAME = "([A-Za-z0-9_-]{1,64}%s)"


class WrongTemplate(ValueError):
    """A template cannot be used; says what is allowed instead."""


@dataclass(frozen=True, slots=True)
class CallTemplate:
    """A call below the base address of a system.

    Values come into the path percent-encoded, and into the body as values of its parsed JSON: they can
    lead neither to another path or host, nor to another body.

    Args:
        method: of HTTP.
        path: with its query.
        body: JSON; empty for none.
    """

    method: str
    path: str
    body: str = ""

    def made(self, caller: Caller, values: Values, *, accept: str = JSON) -> Answered:
        """Makes the call.

        Raises:
            CallFailed, CallRefused: as any call; and where a value has to be a number and is none.
        """
        path = _BLANK.sub(lambda blank: quoted(_as_text(values[blank[1]])), self.path)
        body = orjson.dumps(_filled(orjson.loads(self.body), values)) if self.body else None
        typed = {"Content-Type": JSON} if self.body else {}
        return caller.call(self.method, path, body=body, headers={"Accept": accept, **typed})


def call_template(line: str, body: str, blanks: Collection[str]) -> CallTemplate:
    """A call as a configuration describes it.

    >>> call_template("PUT /tickets/{ticket}", '{"tags": "{tags}"}', {"ticket", "tags"}).path
    '/tickets/{ticket}'

    Args:
        line: method and path, such as ``PUT /tickets/{ticket}``.
        body: JSON whose texts may hold blanks; a text that is nothing but one becomes its value, which may
            be a list, an object, or with ``{ticket|number}`` a number; empty for none.
        blanks: the names that are known.

    Raises:
        WrongTemplate: it cannot be used.
    """
    found = _LINE.fullmatch(line)
    if not found:
        raise WrongTemplate("a method of HTTP, a blank and a path that begins with one slash")
    _check_text(found[2], blanks)
    if _BLANK.sub("", found[2]).count("{") or "|number}" in found[2]:
        raise WrongTemplate(f"a path with no other blanks than {_shown(blanks)}")
    if body:
        try:
            _check(orjson.loads(body), blanks)
        except orjson.JSONDecodeError:
            raise WrongTemplate("JSON; texts in it may hold blanks") from None
    return CallTemplate(found[1], found[2], body)


def ticket_pattern(template: str) -> re.Pattern[str]:
    """What finds a ticket's number or name in a subject or the id of a mail.

    >>> ticket_pattern("[Desk #{ticket}]").search("Re: [Desk #12] Your order")[1]
    '12'

    Raises:
        WrongTemplate: it does not say where the number stands.
    """
    before, blank, after = template.partition(TICKET)
    if not blank or not before.strip() or TICKET in after:
        raise WrongTemplate(f"a text with something before one {TICKET}")
    name = _TICKET_NAME % ("?" if after else "")
    return re.compile(re.escape(before) + name + re.escape(after))


def pattern_of(system: System, name: str, default: str = "") -> re.Pattern[str] | None:
    """What finds a ticket in a subject or the id of a mail; ``None`` where there is nothing to look for.

    Args:
        system: has the template among its options.
        name: of the option.
        default: the template where the option is left out.

    Raises:
        SettingError: it cannot be used.
    """
    template = system.options.get(name, default)
    try:
        return ticket_pattern(template) if template else None
    except WrongTemplate as wrong:
        raise option_refusal(system, name, str(wrong)) from None


def option_refusal(system: System, name: str, allowed: str) -> SettingError:
    """Says what is wrong with an option, and where."""
    value = "…" if name == "authorization" else system.options.get(name, "")
    return SettingError(f"systems.{system.name}.options.{name}", value[:80], allowed)


def _check(value: Any, blanks: Collection[str], depth: int = 0) -> None:  # noqa: ANN401  # any JSON value
    if depth > MOST_LEVELS:
        raise WrongTemplate(f"JSON of at most {MOST_LEVELS} levels")
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            _check(each, blanks, depth + 1)
    elif isinstance(value, str):
        _check_text(value, blanks)


def _check_text(text: str, blanks: Collection[str]) -> None:
    for blank in _BLANK.finditer(text):
        if blank[1] not in blanks:
            raise WrongTemplate(f"one of the blanks {_shown(blanks)}, not {blank[0]}")
        if (blank[2] or blank[1] == "fields") and blank[0] != text:
            raise WrongTemplate(f"{blank[0]} as the whole of a text")


def _filled(value: Any, values: Values) -> Any:  # noqa: ANN401  # any JSON value
    if isinstance(value, dict):
        return {key: _filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    if not isinstance(value, str):
        return value
    alone = _BLANK.fullmatch(value)
    if alone is None:
        return _BLANK.sub(lambda blank: _as_text(values[blank[1]]), value)
    return _as_number(values[alone[1]]) if alone[2] else values[alone[1]]


def _as_text(value: Value) -> str:
    return value if isinstance(value, str) else ",".join(value)


def _as_number(value: Value) -> int:
    word = _as_text(value)
    if not word.isascii() or not word.isdecimal() or len(word) > 18:
        raise CallRefused("a value has to be a number and is none", NO_NUMBER)
    return int(word)


def _shown(blanks: Collection[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(blanks))
