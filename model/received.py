"""Reads a Received field of a mail header: who took the mail over, from whom, how and when."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from ipaddress import ip_address
from typing import NamedTuple

from model.patterns import PatternSet, compiled_set
from model.resources import data_file, read_toml
from model.stamps import iso_stamp, mail_stamp

MAX_CHARS = 4096

_CLAUSES = ("from", "by", "via", "with", "id", "for")
_PROTOCOL = re.compile(
    r"(?:UTF8)?(?:E?SMTP|LMTP)S?A?|HTTPS?|MAPI|LOCAL|UUCP|BSMTP|SMTPSVC|NNFMP|QMQP|PIPE", re.I
)
_GREETING = re.compile(r"[\"(\s]?\b(?:HELO|EHLO|LHLO)[ =]\"?([^\s\")]{1,255})", re.I)
_ADDRESS = re.compile(r"\[(?:IPv6:)?([0-9a-f.:]{2,45})(?:%\w{1,20})?\](?::\d{1,5})?|([0-9a-f.:]{3,45})", re.I)
_NAMED_ADDRESS = re.compile(r"(?:\S{1,64}@)?([\w-]+(?:\.[\w-]+)*)\.? ?\[")
_ENVELOPE = re.compile(r"envelope-(?:from|sender)[ =:]<?([^\s<>()]{0,320})>?", re.I)
_TLS_VERSION = re.compile(r"\b(?:TLS ?v?|SSLv)([123])(?:[._]([0-3]))?\b", re.I)
_CIPHER = re.compile(r"\b(?:TLS_|ECDHE|AECDH|DHE|ADH|AES|RSA|CAMELLIA|CHACHA|DES|RC4)[A-Z0-9_-]{4,60}\b")
_USES_TLS = re.compile(r"\bTLS\b|\(TLS\)|\bencrypted\b|STARTTLS", re.I)
_LOOSE_STAMP = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?)(?: ([+-]\d\d)(\d\d))?")


@dataclass(frozen=True, slots=True)
class Received:
    """One hop, as the server that took the mail over tells it.

    Args:
        by: the server.
        sender: the host that handed the mail over, by the name that was looked up where both names are told.
        sender_ip: its address.
        helo: the name that it gave itself, where the field tells it apart.
        protocol: in capitals, such as ``ESMTPS``; the words as they stand where they name none.
        tls: version and cipher as far as they are told; ``TLS`` where it is only told that there was some.
        queue_id: the server's name for the mail.
        recipient: whom the mail was for, lower case, if it had one recipient.
        at: when.
        software: the program and its version.
        via: what stands after ``via``: a part of Exchange, a network.
        envelope_from: the envelope sender; empty for the null sender.
    """

    by: str | None = None
    sender: str | None = None
    sender_ip: str | None = None
    helo: str | None = None
    protocol: str | None = None
    tls: str | None = None
    queue_id: str | None = None
    recipient: str | None = None
    at: datetime | None = None
    software: str | None = None
    via: str | None = None
    envelope_from: str | None = None


def hops(received_headers: Sequence[str]) -> tuple[Received, ...]:
    """The hops of a mail, oldest first: its Received fields from the bottom up."""
    return tuple(read_received(value) for value in reversed(received_headers))


def read_received(value: str) -> Received:
    """One Received field, without its name; what it does not tell stays ``None``.

    >>> hop = read_received("from a (b.example.com [192.0.2.1]) by mx (Postfix) with ESMTP id 4F3")
    >>> hop.sender, hop.sender_ip, hop.helo, hop.by, hop.queue_id, hop.software
    ('b.example.com', '192.0.2.1', 'a', 'mx', '4F3', 'Postfix')
    """
    text = " ".join(value[:MAX_CHARS].split())
    route, at = _dated(text)
    clauses = _clauses(_tokens(route))
    protocol = _protocol(clauses["with"])
    sender = _sender(clauses["from"]) if protocol != "LOCAL" else _Peer()
    software = _software(route)
    return Received(
        by=_by(clauses["by"]),
        sender=sender.name,
        sender_ip=sender.ip,
        helo=sender.helo,
        protocol=protocol,
        tls=_tls(route, protocol or ""),
        queue_id=_queue_id(clauses["id"], software),
        recipient=_recipient(clauses["for"]),
        at=at,
        software=software,
        via=_words(clauses["via"]) or None,
        envelope_from=_envelope_from(route),
    )


class _Token(NamedTuple):
    """A word, or what stands in a pair of parentheses."""

    text: str
    is_comment: bool


class _Peer(NamedTuple):
    name: str | None = None
    ip: str | None = None
    helo: str | None = None


def _dated(text: str) -> tuple[str, datetime | None]:
    """The field without its date, and the date."""
    route, _, date = text.rpartition(";")
    at = mail_stamp(date) if route else None
    if at is not None:
        return route, at
    loose = _LOOSE_STAMP.search(text)
    if loose is None:
        return (route if route and "=" not in date else text), None
    zone = f"{loose[2]}:{loose[3]}" if loose[2] else ""
    return text[: loose.start()].rstrip("; "), iso_stamp(loose[1] + zone)


def _tokens(text: str) -> Iterator[_Token]:
    """Words and comments; an inner pair of parentheses belongs to the outer one."""
    depth = start = 0
    for position, letter in enumerate(text):
        if letter == "(":
            if depth == 0:
                yield from _split(text[start:position])
                start = position + 1
            depth += 1
        elif letter == ")" and depth:
            depth -= 1
            if depth == 0:
                yield _Token(text[start:position], is_comment=True)
                start = position + 1
    rest = text[start:]
    yield from [_Token(rest, is_comment=True)] if depth else _split(rest)


def _split(text: str) -> Iterator[_Token]:
    return (_Token(word, is_comment=False) for word in text.replace(")", " ").split())


def _clauses(tokens: Iterable[_Token]) -> dict[str, list[_Token]]:
    """The tokens after each keyword; before the first one, comments go with none."""
    found: dict[str, list[_Token]] = {name: [] for name in _CLAUSES}
    current: list[_Token] = []
    for token in tokens:
        word = token.text.lower()
        if not token.is_comment and word in found and _may_open(word, found, current):
            current = found[word]
        else:
            current.append(token)
    return found


def _may_open(word: str, found: dict[str, list[_Token]], current: list[_Token]) -> bool:
    """A keyword opens its clause once; ``from`` only at the start, and none right after another one."""
    opened = any(found.values())
    waits = any(current is clause and not clause for clause in found.values())
    return not found[word] and not waits and (word != "from" or not opened)


def _words(tokens: Iterable[_Token]) -> str:
    return " ".join(token.text for token in tokens if not token.is_comment)


def _first(tokens: Iterable[_Token]) -> str:
    return next((token.text for token in tokens if not token.is_comment), "")


def _by(tokens: list[_Token]) -> str | None:
    name = _first(tokens).strip("[]<>;,").rstrip(".")
    if any(letter.isalpha() for letter in name) or _ip(name):
        return name
    return next((ip for token in tokens if (ip := _address(token.text))), None)


def _sender(tokens: list[_Token]) -> _Peer:
    """Who handed the mail over, from a name and the comments after it."""
    name = _first(tokens).strip("<>;,").rstrip(".")
    others = [token.text for token in tokens if token.is_comment or token.text.startswith("[")]
    told = " ".join(others)
    greeting = _GREETING.search(told)
    given = _clean(greeting[1]) if greeting else None
    literal = _address(name) if name.startswith("[") or _ip(name) else None
    ip = next((found for text in others if (found := _address(text)) and found != literal), None) or literal
    looked_up = _looked_up(others)
    if literal is not None:
        return _Peer(looked_up or given, ip, given or (name.strip("[]") if ip != literal else None))
    if given is not None:
        return _Peer(_real(name) or given, ip, given)
    return _Peer(looked_up or _real(name), ip, name if looked_up else None)


def _looked_up(comments: Iterable[str]) -> str | None:
    """The name before an address in brackets: ``rdns.example.com [192.0.2.1]``."""
    hits = (_NAMED_ADDRESS.match(text[:400]) for text in comments)
    return next((name for hit in hits if hit and (name := _real(hit[1]))), None)


def _real(name: str) -> str | None:
    """A name that says something."""
    return name.strip("[]") if name and name.lower() not in ("unknown", "unverified") else None


def _clean(name: str) -> str:
    return name.strip("[]<>\"';,").rstrip(".")


def _address(text: str) -> str | None:
    """The first address in a text, without its zone."""
    hits = (_ip(hit[1] or hit[2]) for hit in _ADDRESS.finditer(text[:600]))
    return next((ip for ip in hits if ip), None)


def _ip(text: str) -> str | None:
    if not 2 <= len(text) <= 45 or not ("." in text or ":" in text):
        return None
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _protocol(tokens: list[_Token]) -> str | None:
    words = _words(tokens)[:200]
    pieces = words.replace("/", " ").split()
    named = (piece.upper().removesuffix("SVC") for piece in pieces if _PROTOCOL.fullmatch(piece))
    return next(named, words[:60]) or None


def _tls(route: str, protocol: str) -> str | None:
    """Version and cipher, wherever in the field they stand."""
    version = _TLS_VERSION.search(route)
    cipher = _CIPHER.search(route)
    parts = [f"TLS {version[1]}.{version[2] or 0}" if version else "", cipher[0] if cipher else ""]
    if any(parts):
        return " ".join(part for part in parts if part)
    implied = protocol == "HTTPS" or protocol.endswith(("TPS", "TPSA")) or _USES_TLS.search(route)
    return "TLS" if implied else None


def _queue_id(tokens: list[_Token], software: str | None) -> str | None:
    """The name of the mail; Exchange writes its version there."""
    name = _first(tokens).strip("<>;,")
    return name if name and name != (software or "").rpartition(" ")[2] else None


def _recipient(tokens: list[_Token]) -> str | None:
    address = _first(tokens).strip("<>;,").lower()
    return address if "@" in address else None


def _envelope_from(route: str) -> str | None:
    hit = _ENVELOPE.search(route)
    return hit[1] if hit else None


def _software(route: str) -> str | None:
    engine, names = _programs()
    for index in engine.hits(route):
        hit = engine.pattern(index).search(route)
        version = hit.group(1) if hit and hit.re.groups else None
        return f"{names[index]} {version}" if version else names[index]
    return None


@cache
def _programs() -> tuple[PatternSet, tuple[str, ...]]:
    entries = read_toml(data_file("logs", "received.toml"))["software"]
    return compiled_set(entry["text"] for entry in entries), tuple(entry["name"] for entry in entries)
