"""Values that make one message of an archive differ from the next: addresses, hosts, dates and ids."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

FIRST = (
    "amber birch cedar delta ember fjord grove harbor iris juniper kestrel linden maple north olive".split()
)
SECOND = "mill works trade bank school labs press foods lines tools cars health media parts rail".split()
PEOPLE = (
    "anna bo chen dora emil fatima george hana ivan julia kofi lena marco nina omar petra quinn rosa sven"
    " tara umar vera wei xenia yusuf zoe info sales office support billing orders hr it.desk news service"
).split()
WORDS = (
    "the of and to in is for that on with as are this be at we have from not you will our or which can new"
    " all has meeting order invoice delivery report figures Monday week please thank regards attached offer"
).split()
VARIABLE = re.compile(
    r"(?P<local>[\w.+-]{1,64})@(?=[\w-]{1,64}\.)"
    r"|(?P<domain>\b[\w-]{1,64}\.example\b|\bexample\.(?:com|net|org)\b)"
    r"|(?P<ip>\b(?:192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}\b)"
    r"|(?P<date>\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), +\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d)"
    r"|(?P<id>\b[0-9A-F]{10,12}\b)"
)
NUMBERED = re.compile(r"\d{5}")
DAEMONS = frozenset({"mailer-daemon", "postmaster", "mailerdaemon", "double-bounce"})


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a layout that gets a value, the same one wherever the name and number are the same."""

    name: str
    number: int = 0


Layout = tuple["str | Slot", ...]
Value = Callable[[random.Random, float], str]


class Values:
    """Chooses the values of one message."""

    def __init__(self, dice: random.Random, moment: float) -> None:
        self._dice = dice
        self._moment = moment
        self._chosen: dict[Slot, str] = {}

    def of(self, slot: Slot) -> str:
        """The value of a slot."""
        if slot not in self._chosen:
            self._chosen[slot] = VALUES[slot.name](self._dice, self._moment)
        return self._chosen[slot]

    def fill(self, layout: Layout) -> str:
        """A layout with its values."""
        return "".join(part if isinstance(part, str) else self.of(part) for part in layout)


def stamp(moment: float, form: str = "%a, %d %b %Y %H:%M:%S") -> str:
    """A time as mail writes it."""
    return time.strftime(form, time.gmtime(moment))


def _domain(dice: random.Random) -> str:
    return f"{dice.choice(FIRST)}-{dice.choice(SECOND)}{dice.randrange(40)}.example"


def _ip(dice: random.Random) -> str:
    return f"{dice.choice(('192.0.2', '198.51.100', '203.0.113'))}.{dice.randint(1, 254)}"


def _local(dice: random.Random) -> str:
    ends = ("", "", f".{dice.choice(FIRST)}", str(dice.randrange(100)))
    return dice.choice(PEOPLE) + dice.choice(ends)


def _text(dice: random.Random) -> str:
    return " ".join(dice.choices(WORDS, k=dice.randint(2, 6))).capitalize()


def _whole(least: int, most: int) -> Value:
    return lambda dice, _: str(dice.randint(least, most))


VALUES: dict[str, Value] = {
    "local": lambda dice, _: _local(dice),
    "domain": lambda dice, _: _domain(dice),
    "ip": lambda dice, _: _ip(dice),
    "date": lambda _, moment: stamp(moment),
    "id": lambda dice, _: f"{dice.getrandbits(44):011X}",
    "addr": lambda dice, _: f"{_local(dice)}@{_domain(dice)}",
    "host": lambda dice, _: f"{dice.choice(('mx', 'mail', 'smtp', 'gw2'))}.{_domain(dice)}",
    "ip6": lambda dice, _: f"2001:db8::{dice.getrandbits(16):x}",
    "name": lambda dice, _: dice.choice(PEOPLE).title(),
    "subject": lambda dice, _: _text(dice),
    "url": lambda dice, _: f"https://www.{_domain(dice)}/help/{dice.randint(1, 999)}",
    "number": _whole(2, 9999),
    "size": _whole(10**7, 10**8),
    "limit": _whole(10, 99),
    "seconds": _whole(30, 900),
    "minutes": _whole(1, 59),
    "hours": _whole(1, 48),
    "days": _whole(1, 5),
}


def layout_of(text: str) -> Layout:
    """A message with slots for what differs from one to the next."""
    numbers: dict[tuple[str, str], int] = {}
    parts: list[str | Slot] = []
    at = 0
    for found in VARIABLE.finditer(text):
        name = found.lastgroup or ""
        if found[name].lower() in DAEMONS:
            continue
        start, end = found.span(name)
        number = numbers.setdefault((name, found[name]), len(numbers))
        kind = "id" if name == "local" and NUMBERED.search(found[name]) else name
        parts += text[at:start], Slot(kind, 0 if name == "date" else number)
        at = end
    return (*parts, text[at:])
