"""Reads the labelled templates, and fills their slots with values that look real."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from model.errors import DataError
from model.taxonomy import taxonomy
from model.types import Kind, Permanence

SLOT = re.compile(r"\{(\w+)\}")
_HEX = "0123456789ABCDEF"
_LOCALS = ("sales", "info", "office", "support", "billing", "hr", "it.desk", "first.last", "order+7", "u4711")
_DOMAINS = ("example.com", "example.net", "example.org", "mail.example.com", "corp.example.net")
_HOSTS = (
    "mx1.example.com",
    "mail.example.net",
    "smtp-in.example.org",
    "gw02.example.com",
    "relay.example.net",
)
_NAMES = ("Postmaster", "Service Desk", "Sales Office", "Helpdesk")
_SUBJECTS = ("Quarterly figures", "Your order", "Minutes of the meeting", "Invoice 4711")
_DATES = ("2026-11-02 10:14:07", "Mon, 2 Nov 2026 10:14:07 +0000", "Nov  2 10:14:07", "2026/11/02")


@dataclass(frozen=True, slots=True)
class Template:
    """One labelled wording.

    ``text`` may hold slots such as ``{addr}``; ``also`` are categories that would be right too.
    """

    text: str
    category: str
    permanence: Permanence
    provider: str
    language: str
    source: str
    kind: Kind
    origin: str
    also: frozenset[str] = frozenset()


def shipped_templates() -> tuple[Template, ...]:
    """All templates below ``training/data/templates``, in file and line order.

    Raises:
        DataError: one is wrong; names the file, the line and the reason.
    """
    folder = files("training").joinpath("data", "templates")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".jsonl"))
    return tuple(
        template
        for name in names
        for template in read_templates(name, folder.joinpath(name).read_text("utf-8"))
    )


def read_templates(name: str, content: str) -> Iterator[Template]:
    """The templates of one file.

    Raises:
        DataError: one is wrong.
    """
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            yield _template(json.loads(line), origin=Path(name).stem)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(name, f"line {number}", f"{type(error).__name__}: {error}") from error


def filled(template: Template, *, seed: int) -> str:
    """The text with its slots filled; the same seed gives the same text."""
    dice = random.Random(f"{seed}/{template.text}")  # noqa: S311  # repeatable on purpose
    return SLOT.sub(lambda slot: _value(slot, dice), template.text)


def _template(entry: dict[str, Any], *, origin: str) -> Template:
    if unknown := set(SLOT.findall(entry["text"])) - set(_VALUES):
        raise ValueError(f"slot {sorted(unknown)} is not one of {', '.join(_VALUES)}")
    if entry["category"] not in taxonomy().names:
        raise ValueError(f"category {entry['category']!r} is not in the taxonomy")
    return Template(
        text=entry["text"],
        category=entry["category"],
        permanence=Permanence(entry["permanence"]),
        provider=entry["provider"],
        language=entry["language"],
        source=entry["source"],
        kind=Kind(entry.get("kind", "bounce")),
        origin=origin,
    )


def _value(slot: re.Match[str], dice: random.Random) -> str:
    """A value for a slot; braces that are part of a text stay."""
    name = slot.group(1)
    return _VALUES[name](dice) if name in _VALUES else slot.group()


def _ip(dice: random.Random) -> str:
    return f"{dice.choice(('192.0.2', '198.51.100', '203.0.113'))}.{dice.randint(1, 254)}"


def _ip6(dice: random.Random) -> str:
    return "2001:db8:" + ":".join(f"{dice.randrange(65536):x}" for _ in range(6))


def _id(dice: random.Random) -> str:
    return "".join(dice.choice(_HEX) for _ in range(dice.randint(9, 14)))


def _addr(dice: random.Random) -> str:
    return f"{dice.choice(_LOCALS)}@{dice.choice(_DOMAINS)}"


def _url(dice: random.Random) -> str:
    return f"https://www.example.com/help/{dice.randint(1, 999)}"


_VALUES: dict[str, Callable[[random.Random], str]] = {
    "addr": _addr,
    "local": lambda dice: dice.choice(_LOCALS),
    "domain": lambda dice: dice.choice(_DOMAINS),
    "host": lambda dice: dice.choice(_HOSTS),
    "ip": _ip,
    "ip6": _ip6,
    "id": _id,
    "number": lambda dice: str(dice.randint(2, 9999)),
    "size": lambda dice: str(dice.randint(11, 99) * 1024 * 1024),
    "limit": lambda dice: str(dice.choice((10, 20, 25, 10240000, 26214400))),
    "seconds": lambda dice: str(dice.choice((30, 60, 120, 300, 900))),
    "minutes": lambda dice: str(dice.choice((1, 5, 10, 15, 30))),
    "hours": lambda dice: str(dice.choice((1, 4, 24, 48))),
    "days": lambda dice: str(dice.choice((1, 2, 3, 4, 5))),
    "date": lambda dice: dice.choice(_DATES),
    "url": _url,
    "name": lambda dice: dice.choice(_NAMES),
    "subject": lambda dice: dice.choice(_SUBJECTS),
}
