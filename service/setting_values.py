"""Reads the text of a setting as a value: one small parser for each kind of value that settings have."""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit


class Refused(ValueError):
    """A parser's way to say what would be allowed."""


def whole(low: int, high: int) -> Callable[[str], int]:
    """Whole numbers from one bound to another."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", value) or not low <= int(value) <= high:
            raise Refused(f"a whole number from {low} to {high}")
        return int(value)

    return parse


def one_of(*allowed: str) -> Callable[[str], str]:
    """One of some words."""

    def parse(value: str) -> str:
        if value not in allowed:
            raise Refused(f"one of {', '.join(allowed)}")
        return value

    return parse


def host(value: str) -> str:
    """A host name or an IP address.

    Raises:
        Refused: it is none.
    """
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", value):
        raise Refused("a host name or an IP address, without brackets and port")
    return value


def flag(value: str) -> bool:
    """Yes or no.

    Raises:
        Refused: it is none.
    """
    meanings = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if value.lower() not in meanings:
        raise Refused("1, true, yes, 0, false or no")
    return meanings[value.lower()]


def folder(value: str) -> Path:
    """A folder that is there.

    Raises:
        Refused: it is none.
    """
    if not Path(value).is_dir():
        raise Refused("an existing folder")
    return Path(value)


def place(value: str) -> Path:
    """A folder that may come.

    Raises:
        Refused: it is none.
    """
    if Path(value).exists() and not Path(value).is_dir():
        raise Refused("a folder; it need not exist yet")
    return Path(value)


def file(value: str) -> Path:
    """A file that is there.

    Raises:
        Refused: it is none.
    """
    if not Path(value).is_file():
        raise Refused("an existing file")
    return Path(value)


def database(value: str) -> str:
    """An address of a database, as SQLAlchemy has it.

    Raises:
        Refused: it is none.
    """
    if not re.fullmatch(r"(sqlite|postgresql)(\+[a-z0-9]+)?://\S*", value):
        raise Refused("an address that begins with sqlite:// or postgresql://")
    return value


def address(value: str) -> str:
    """A path or an fsspec address.

    Raises:
        Refused: it is none.
    """
    if not re.fullmatch(r"[^\0\s,]+", value):
        raise Refused("a path or an address, without spaces and commas")
    return value


def addresses(value: str) -> tuple[str, ...]:
    """Several of them, separated by commas.

    Raises:
        Refused: it is none.
    """
    return tuple(address(each.strip()) for each in value.split(",") if each.strip())


LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ODD_IN_ADDRESS = re.compile(r"[\s\\\x00-\x1f\x7f]")


def web_address(value: str) -> str:
    """Where an event may be sent to: nowhere that others could listen.

    Raises:
        Refused: it is none.
    """
    if not _is_private(value):
        raise Refused("an https address without credentials, or http on loopback")
    return value


def _is_private(address: str) -> bool:
    try:
        url = urlsplit(address)
        is_whole = bool(url.hostname) and url.port != 0  # a port that is none is a ValueError
    except ValueError:
        return False
    is_safe = url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK)
    return is_whole and is_safe and "@" not in url.netloc and _ODD_IN_ADDRESS.search(address) is None


def webhook_secret(value: str) -> bytes:
    """A secret as Standard Webhooks has it.

    Raises:
        Refused: it is none.
    """
    try:
        secret = b64decode(value.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        secret = b""
    if not 24 <= len(secret) <= 64:
        raise Refused("whsec_ and the base64 of 24 to 64 bytes")
    return secret


def keys(value: str) -> tuple[bytes, ...]:
    """The digests of keys.

    Raises:
        Refused: it is none.
    """
    return tuple(_key_digest(key.strip()) for key in value.split(",") if key.strip())


def _key_digest(key: str) -> bytes:
    """The SHA-256 digest of a key, which may be given as ``sha256:`` and 64 hex digits."""
    if not key.startswith("sha256:"):
        return hashlib.sha256(key.encode()).digest()
    if not re.fullmatch(r"[0-9a-fA-F]{64}", key.removeprefix("sha256:")):
        raise Refused("keys separated by commas, each plain or sha256: with 64 hex digits")
    return bytes.fromhex(key.removeprefix("sha256:"))


def names(pattern: str, allowed: str) -> Callable[[str], tuple[str, ...]]:
    """Names of a form, separated by commas, in lower case."""

    def parse(value: str) -> tuple[str, ...]:
        names = tuple(name.strip().lower() for name in value.split(",") if name.strip())
        if not all(re.fullmatch(pattern, name) and len(name) <= 253 for name in names):
            raise Refused(allowed)
        return names

    return parse
