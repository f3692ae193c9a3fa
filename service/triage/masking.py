"""Hides the persons in what a report shows: addresses keep their first letter and their domain."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "***"
_AT = r"(?:@|＠|﹫|%40|=40)"
_MARK = r"""\s<>"'(){}\[\],;:|@＠﹫"""
_ADDRESS = re.compile(
    rf"""(?P<local>"[^"\n]{{1,64}}"(?={_AT})|[^{_MARK}%=]{{1,512}}+(?:[%=](?!40)[^{_MARK}%=]{{0,512}}+){{0,16}}+)
    (?P<rest>{_AT}[^{_MARK}]*)""",
    re.I | re.X,
)
_MIN_NAME_CHARS = 3
_MAX_DOMAIN_CHARS = 255


def masked(text: str, people: Iterable[str | None] = (), stand_in: str = "") -> str:
    """A text in which no address stands in full, nor the local part of an address that is known.

    Args:
        text: any.
        people: addresses whose local parts are hidden, too.
        stand_in: stands for each person instead of the first letter.

    >>> masked("550 <user@example.com>: no mailbox 'user' here", ["user@example.com"])
    "550 <u***@example.com>: no mailbox 'u***' here"
    """
    hidden = _ADDRESS.sub(stand_in or _hidden, text)
    for local in sorted({_local(each) for each in people if each}, key=_longest_first):
        if len(local) >= _MIN_NAME_CHARS and local.lower() in hidden.lower():
            known = re.compile(rf"(?<![^\W_]){re.escape(local)}(?![^\W_])(?!\*)", re.I)
            hidden = known.sub(stand_in or _shown(local), hidden)
    return hidden


def address(name: str) -> str:
    """An address for people that need not know it.

    >>> address("user@example.com"), address("postmaster")
    ('u***@example.com', 'p***')
    """
    local, at, domain = name.rpartition("@")
    return f"{(local or domain)[:1]}{HIDDEN}{at and at + domain[:_MAX_DOMAIN_CHARS]}"


def _hidden(hit: re.Match[str]) -> str:
    return f"{hit['local'].lstrip(chr(34))[:1]}{HIDDEN}{hit['rest']}"


def _shown(local: str) -> str:
    return (local[0] + HIDDEN).replace("\\", "/")


def _local(name: str) -> str:
    return name.rpartition("@")[0] or name


def _longest_first(name: str) -> tuple[int, str]:
    return -len(name), name
