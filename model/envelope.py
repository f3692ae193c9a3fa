"""Reads addresses that stand for another: of a recipient (VERP), or of a sender, signed or rewritten.

A bounce goes to the return address of the mail that failed. Where the sender made one for each recipient,
it tells whom the mail was for, even when the bounce itself does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import re2

from model.dsn import is_address
from model.errors import DataError
from model.patterns import compiled
from model.resources import data_file, read_toml

MAX_ADDRESS_CHARS = 600
MAX_LAYERS = 3
"""So often may an address be wrapped, such as a forwarder's rewriting around a list's around a signature."""


@dataclass(frozen=True, slots=True)
class AddressForm:
    """A way to write one address within another."""

    id: str
    pattern: Any

    def meant_by(self, address: str) -> str | None:
        """The address that one in this form stands for, in lower case."""
        match = self.pattern.fullmatch(address)
        if not match:
            return None
        meant = f"{match['local']}@{match['domain']}".lower()
        return meant if is_address(meant) and "." in match["domain"] else None


def original_recipient_of(address: str) -> str | None:
    """Whom a mail was for, by the return address that was made for it alone.

    >>> original_recipient_of("news-bounces+user=example.com@lists.example.org")
    'user@example.com'
    >>> original_recipient_of("user+shop=example.com@example.org") is None
    True
    """
    return _first(_forms()["verp"], unsigned(address))


def unsigned(address: str) -> str:
    """An address without the signature (BATV) and the forwarder's rewriting (SRS) around it, if it has any.

    >>> unsigned("prvs=4321a1b2c3=user@example.com")
    'user@example.com'
    """
    for _ in range(MAX_LAYERS):
        meant = _first(_forms()["signed"], address)
        if not meant:
            break
        address = meant
    return address


def _first(forms: tuple[AddressForm, ...], address: str) -> str | None:
    if len(address) > MAX_ADDRESS_CHARS:
        return None
    return next((meant for form in forms if (meant := form.meant_by(address))), None)


@cache
def _forms() -> dict[str, tuple[AddressForm, ...]]:
    file = data_file("envelope.toml")
    read = read_toml(file)
    return {kind: tuple(_form(file.name, row) for row in read[kind]) for kind in ("signed", "verp")}


def _form(where: str, row: dict[str, Any]) -> AddressForm:
    try:
        return AddressForm(row["id"], compiled(row["text"]))
    except re2.error as error:
        raise DataError(where, row["id"], str(error)) from error
