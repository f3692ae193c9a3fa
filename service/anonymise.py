"""Takes out of a diagnosed text what points to somebody: addresses, hosts, IP addresses and their parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from ipaddress import ip_address

from model.normalise import canonical
from model.providers import providers
from model.rule_files import shipped_rules
from model.types import Diagnosis, RecipientDiagnosis, Unwrapped

SOMEBODY = " user@example.com "
SOME_HOST = " mail.example.com "
SOME_IP = " 192.0.2.1 "
MAX_NOTE_CHARS = 500
MAX_RECIPIENTS = 20
"""So many recipients' names are looked for in the reply of the one that leads."""

MARKS = frozenset({"_addr_", "_host_", "_ip_", "_url_"})
"""What the normaliser puts in the place of an address, a host, an IP address or a link."""

SOME_LINK = " https://www.example.com/ "

_TELLING = r"""
    (?P<link>https?://[^\s<>"')]+)
  | (?P<address>[^\s<>@"'(){}\[\],;:]+@[^\s<>@"'(){}\[\],;:]+)
  | (?P<ip>(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\.\d{1,3}){0,3}(?![\w:]))
  | (?P<host>\b[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.[a-z]{2,24}\b)
"""
_STAND_INS = {"link": SOME_LINK, "address": SOMEBODY, "host": SOME_HOST}
_NAMELESS = re.compile(_TELLING, re.I | re.X)
_PART = re.compile(r"[^\W_]+")

Names = tuple[tuple[str, str], ...]
"""Each name with its stand-in, longest first."""


def names_in(diagnosis: Diagnosis) -> Names:
    """The addresses and hosts that a diagnosis knows, and those of their parts that are no common words."""
    stand_ins: dict[str, str] = {}
    for host in _hosts(diagnosis):
        stand_ins |= {name.lower(): SOME_HOST for name in (host, *_host_parts(host))}
    for address in _addresses(diagnosis):
        local = address.rpartition("@")[0] or address
        stand_ins |= {name.lower(): SOMEBODY for name in (address, *_telling_parts(local))}
    return tuple(sorted(stand_ins.items(), key=_longest_first))


def masked(text: str, names: Names = ()) -> str:
    """A text with stand-ins for links, addresses, hosts, IP addresses of version 6, and the names given."""
    known = dict(names)
    telling = _telling(names)

    def stand_in(hit: re.Match[str]) -> str:
        kind = str(hit.lastgroup)
        if kind == "ip":
            return _without_ip(hit.group())
        return _STAND_INS.get(kind) or known.get(hit.group().lower(), SOMEBODY)

    return telling.sub(stand_in, text)


def _telling(names: Names) -> re.Pattern[str]:
    if not names:
        return _NAMELESS
    either = "|".join(re.escape(name) for name, _ in names)
    return re.compile(f"{_TELLING} | (?P<name>(?<![a-z0-9_])(?:{either})(?![a-z0-9_]))", re.I | re.X)


def masked_reply(diagnosis: Diagnosis) -> Unwrapped:
    """The innermost reply of the recipient that leads, alone and with stand-ins for every name."""
    unwrapped = diagnosis.lead.unwrapped
    text = masked(unwrapped.text[unwrapped.start : unwrapped.end], names_in(diagnosis))
    return replace(unwrapped, text=text, start=0, end=len(text))


def points_to_somebody(text: str) -> bool:
    """Whether a text holds an address, a host, an IP address or a link.

    >>> points_to_somebody("the mailbox of user@example.com"), points_to_somebody("the mailbox of a user")
    (True, False)
    """
    return not MARKS.isdisjoint(canonical(masked(text)).split())


def safe_note(note: str, names: Names) -> str:
    """A note in one printable line, or its canonical text when it points to somebody.

    >>> safe_note("The list  is closed.", ()), safe_note("Ask user@example.com.", ())
    ('The list is closed.', 'ask _addr_')
    """
    line = "".join(filter(str.isprintable, " ".join(note.split())))
    text = masked(line, names)
    return canonical(text)[:MAX_NOTE_CHARS] if points_to_somebody(text) else line


@cache
def common_words() -> frozenset[str]:
    """The words of the shipped rules' examples, which are nobody's name."""
    texts = (example for rule in shipped_rules() for example in rule.examples)
    return frozenset(word for text in texts for word in canonical(text).split())


def _hosts(diagnosis: Diagnosis) -> Iterator[str]:
    domains = (address.rpartition("@")[2] for address in _addresses(diagnosis) if "@" in address)
    told = (each for one in _recipients(diagnosis) for each in (one.remote_mta, one.unwrapped.remote_host))
    yield from filter(None, (*told, diagnosis.report.reporting_mta, *domains))


def _addresses(diagnosis: Diagnosis) -> Iterator[str]:
    for one in _recipients(diagnosis):
        yield from filter(None, (one.address, one.original_address))


def _recipients(diagnosis: Diagnosis) -> tuple[RecipientDiagnosis, ...]:
    return diagnosis.lead, *diagnosis.recipients[:MAX_RECIPIENTS]


def _host_parts(host: str) -> Iterable[str]:
    """The parts of a host without its last label; those of a public provider's host tell nothing."""
    return () if providers().of_host(host) else _telling_parts(host.rpartition(".")[0] or host)


def _telling_parts(name: str) -> Iterable[str]:
    """A name and each of its parts, unless that is a common word."""
    parts = {name, *_PART.findall(name)}
    return (part for part in parts if len(part) > 1 and part.lower() not in common_words())


def _without_ip(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        return text
    return SOME_IP


def _longest_first(entry: tuple[str, str]) -> tuple[int, str]:
    return -len(entry[0]), entry[0]
