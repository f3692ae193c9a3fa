"""Reads the fields of message/delivery-status and message/global-delivery-status (RFC 3464, RFC 6533)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from model.types import Failure

MAX_RECIPIENTS = 500
_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9-]{1,60})[ \t]*:[ \t]?(.*)$")
_RECIPIENT_FIELDS = ("final-recipient", "original-recipient", "x-actual-recipient", "action", "status")
_ADDRESS = re.compile(r"<?((?:\"[^\"]{1,64}\"|[^\s<>;,@]{1,256})@[^\s<>;,()@]{1,255}|[^\s<>;,]{1,256})>?")
_WHOLE_ADDRESS = re.compile(r"(?:\"[^\"@]{1,64}\"|[^\s<>;,:/|@]{1,128})@[^\s<>;,:/|@]{1,255}")
_SOURCE_ROUTE = re.compile(r"^@[^:\s]{1,255}:")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_ESCAPED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")

Fields = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """The fields of one delivery status: who reports, and one failure a recipient."""

    reporting_mta: str | None
    failures: tuple[Failure, ...]


def read_delivery_status(text: str) -> DeliveryStatus:
    """The report that a delivery-status part tells; fields it lacks are ``None``."""
    blocks = list(_blocks(text.splitlines()))
    recipients = [block for block in blocks if any(name in block for name in _RECIPIENT_FIELDS)]
    mta = next((block["reporting-mta"][0] for block in blocks if "reporting-mta" in block), None)
    failures = tuple(_failure(block) for block in recipients[:MAX_RECIPIENTS])
    return DeliveryStatus(_after_type(mta), failures)


def clean_address(value: str) -> str | None:
    """The address in a typed or bracketed field value, as it is written in mail.

    >>> clean_address("rfc822; <user+2Bnews@example.com>"), clean_address("rfc822;")
    ('user+news@example.com', None)
    """
    kind, semicolon, rest = value.partition(";")
    plain = _ESCAPED.sub(_unescaped, rest if semicolon else kind).strip().strip("<>")
    hit = _ADDRESS.search(_SOURCE_ROUTE.sub("", plain))
    if hit is None:
        return None
    address = _XTEXT.sub(_from_xtext, hit.group(1))
    return address if '"@' in address else address.strip("\"'")


def is_address(text: str | None) -> bool:
    """Whether a text is one mail address and nothing else.

    >>> is_address("user@example.com"), is_address("|/usr/bin/filter"), is_address("@relay.example")
    (True, False, False)
    """
    return text is not None and _WHOLE_ADDRESS.fullmatch(text) is not None


def _blocks(lines: Iterable[str]) -> Iterator[Fields]:
    """Groups of fields: a blank line ends one, and so does a second Final-Recipient."""
    block: Fields = {}
    last: list[str] | None = None
    for line in lines:
        field = _FIELD.match(line)
        if field is None and line[:1] in " \t" and line.strip() and last is not None:
            last[-1] += " " + line.strip()
            continue
        name = field.group(1).lower() if field else ""
        if not line.strip() or (name == "final-recipient" and name in block):
            if block:
                yield block
            block, last = {}, None
        if field is not None:
            last = block.setdefault(name, [])
            last.append(field.group(2).strip())
    if block:
        yield block


def _failure(block: Fields) -> Failure:
    fields = ("x-actual-recipient", "final-recipient", "original-recipient")
    actual, final, original = (clean_address(_first(block, name) or "") for name in fields)
    address = next((each for each in (actual, final, original) if is_address(each)), final or original)
    named = [each for each in (original, final) if is_address(each) and not _is_same(each, address)]
    status = _STATUS.search(_first(block, "status") or "")
    return Failure(
        address=address,
        original_address=next(iter(named), None),
        action=next(iter((_first(block, "action") or "").lower().split()), None),
        status=status.group() if status else None,
        diagnostic=" ".join(block.get("diagnostic-code", [])),
        remote_mta=_after_type(_first(block, "remote-mta")),
    )


def _is_same(one: str | None, other: str | None) -> bool:
    return (one or "").lower() == (other or "").lower()


def _first(block: Fields, name: str) -> str | None:
    return next(iter(block.get(name, [])), None)


def _after_type(value: str | None) -> str | None:
    """The name in ``dns; mx.example.com (192.0.2.1)``."""
    name = (value or "").rpartition(";")[2].split()
    return name[0].strip("[]<>().").lower() or None if name else None


def _unescaped(hit: re.Match[str]) -> str:
    value = int(hit.group(1), 16)
    return chr(value) if value <= 0x10FFFF else hit.group()


def _from_xtext(hit: re.Match[str]) -> str:
    char = chr(int(hit.group(1), 16))
    return char if char.isprintable() and char not in '"<> ' else hit.group()
