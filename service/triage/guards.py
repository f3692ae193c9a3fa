"""Says what of an archive is refused: bombs, tricks with paths, archives within archives, overlong parts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from service.errors import UnreadableArchive

HEAD_BYTES = 64 << 10
"""How much of a content tells what it is."""

NESTED = "an archive within an archive is not read; hand it in by itself"
LINKED = "a link is not followed"
SPECIAL = "neither a file nor a folder"
EMPTY = "there is nothing in it"
CUT_OFF = "it ends before its end: it is cut off"

_MAGICS: tuple[tuple[int, bytes], ...] = (
    (0, b"PK\x03\x04"),
    (0, b"PK\x05\x06"),
    (0, b"\x1f\x8b"),
    (0, b"\x28\xb5\x2f\xfd"),
    (0, b"\xfd7zXZ\x00"),
    (4, b"1AY&SY"),  # bzip2, after BZh and a digit
    (0, b"7z\xbc\xaf\x27\x1c"),
    (0, b"Rar!\x1a\x07"),
    (0, b"!BDN"),
    (0, b"MSCF"),
    (0, b"\x04\x22\x4d\x18"),
    (257, b"ustar"),
)
"""What archives and compressed files begin with, those too that are not read here."""

_CLUTTER = re.compile(r"(?:^|/)(?:__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)", re.I)
_DRIVE = re.compile(r"[A-Za-z]:(?:[\\/]|$)")
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_SHOWN_CHARS = 250


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold.

    Args:
        message_bytes: of one message or line.
        content_bytes: of all that is unpacked.
        ratio: how many bytes of content one packed byte may give …
        ratio_from_bytes: … once this much was unpacked.
        members: how many files.
        depth: how many folders may stand above a file.
        name_chars: of a path within the archive.
    """

    message_bytes: int = 64 << 20
    content_bytes: int = 256 << 30
    ratio: int = 200
    ratio_from_bytes: int = 64 << 20
    members: int = 10_000_000
    depth: int = 32
    name_chars: int = 1_000

    def check_message(self, size: int) -> None:
        """Refuses a message that is too large.

        Raises:
            UnreadableArchive: it is.
        """
        if size > self.message_bytes:
            raise UnreadableArchive(too_large(self))

    def check_count(self, members: int) -> None:
        """Refuses more members than are allowed.

        Raises:
            UnreadableArchive: there are more.
        """
        if members > self.members:
            raise UnreadableArchive(f"more than {self.members} members are not read; split it")


@dataclass(slots=True)
class Meter:
    """Counts what was unpacked, against what it was packed in."""

    limits: Limits
    packed: int = 0
    content: int = 0

    def add(self, packed: int, content: int) -> None:
        """Counts some bytes.

        Raises:
            UnreadableArchive: it unpacks to too much.
        """
        self.packed += packed
        self.content += content
        limits = self.limits
        if self.content > limits.content_bytes:
            raise UnreadableArchive(f"it unpacks to more than {limits.content_bytes} bytes")
        if self.content > max(limits.ratio_from_bytes, limits.ratio * self.packed):
            raise UnreadableArchive(f"it unpacks to more than {limits.ratio} times its size: an archive bomb")


def check_name(name: str, limits: Limits) -> None:
    r"""Refuses the path of a member that leads out of the archive, or is absurd.

    Args:
        name: the path, with slashes or backslashes.
        limits: how long and how deep it may be.

    Raises:
        UnreadableArchive: it is one.
    """
    parts = name.replace("\\", "/").split("/")
    if len(name) > limits.name_chars:
        raise UnreadableArchive(f"the path has {len(name)} characters; {limits.name_chars} are allowed")
    if parts[0] == "" or _DRIVE.match(name):
        raise UnreadableArchive("the path is absolute")
    if ".." in parts:
        raise UnreadableArchive("the path leads out of the archive")
    if len(parts) - 1 > limits.depth:
        raise UnreadableArchive(f"the path is {len(parts) - 1} folders deep; {limits.depth} are allowed")


def id_of(name: str) -> str:
    r"""The path of a member as an id: printable, and of bounded length.

    >>> id_of("in/a\x00b.eml")
    'in/a\\x00b.eml'
    """
    shown = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), name[: 4 * _SHOWN_CHARS])
    return shown if len(shown) <= 4 * _SHOWN_CHARS else shown[: 4 * _SHOWN_CHARS - 1] + "…"


def is_clutter(name: str) -> bool:
    """Whether a file is what systems leave behind, and nobody means.

    >>> is_clutter("__MACOSX/._a.eml"), is_clutter("in/a.eml")
    (True, False)
    """
    return _CLUTTER.search(name) is not None


def is_packed(head: bytes) -> bool:
    """Whether a content begins like an archive or a compressed file, of any kind that is common."""
    return any(head.startswith(magic, at) for at, magic in _MAGICS)


def too_large(limits: Limits) -> str:
    """Why a message above the limit is not read."""
    return f"the message has more than {limits.message_bytes} bytes"
