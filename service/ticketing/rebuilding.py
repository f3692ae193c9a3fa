"""Puts a mail together again from what a ticketing system kept of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

BOUNDARY = "ndr-triage-rebuilt"
MOST_LEVELS = 8
_CODING = re.compile(r"^content-(?:transfer-encoding|length):.*\n(?:[ \t].*\n)*", re.I | re.M)
_BOUNDARY_OF = re.compile(r"\bboundary=(?:\"([^\"\n]{1,200})\"|([^\s;\"]{1,200}))", re.I)
_NAMED_TYPES = ("message/rfc822", "message/delivery-status", "text/rfc822-headers", "message/feedback-report")


def rebuilt(headers: Mapping[str, str], text: str, parts: Iterable[tuple[str, str, str]] = ()) -> bytes:
    """A mail with a text and further parts.

    Args:
        headers: of the mail; those without a value are left out.
        text: what people read.
        parts: type, file name and content of each file.
    """
    kept = [f"{name}: {' '.join(value.split())}" for name, value in headers.items() if value.strip()]
    head = [*kept, "MIME-Version: 1.0", f'Content-Type: multipart/mixed; boundary="{BOUNDARY}"', ""]
    leaves = [("text/plain", text), *((_type_of(kind, name), content) for kind, name, content in parts)]
    body = [_part(kind, content.replace(f"--{BOUNDARY}", f"- {BOUNDARY}")) for kind, content in leaves]
    return "\n".join([*head, *body, f"--{BOUNDARY}--", ""]).encode("utf-8", "surrogateescape")


def _type_of(kind: str, name: str) -> str:
    """The type of a file; systems that keep a returned mail as plain file still name it ``….eml``."""
    if kind in _NAMED_TYPES or not name.lower().endswith(".eml"):
        return kind if "\n" not in kind else "application/octet-stream"
    return "message/rfc822"


def _part(kind: str, content: str) -> str:
    charset = "; charset=utf-8" if kind.startswith("text/") else ""
    head = f"Content-Type: {kind}{charset}\nContent-Transfer-Encoding: 8bit\n"
    return f"--{BOUNDARY}\n{head}\n{content.rstrip()}\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """One node of a mail that was taken apart; ``parent`` is empty at the top, ``content`` is decoded."""

    id: str
    parent: str
    headers: str
    content: bytes


def reassembled(root: Piece, pieces: Sequence[Piece], *, depth: int = 0) -> bytes:
    """The mail that pieces were, with their own headers.

    Args:
        root: where to begin.
        pieces: all, in order.
        depth: how deep this one lies; below ``MOST_LEVELS`` nothing is looked at.
    """
    below = [piece for piece in pieces if piece.parent == root.id] if depth < MOST_LEVELS else []
    inner = [reassembled(piece, pieces, depth=depth + 1) for piece in below]
    headers = _CODING.sub("", root.headers.strip() + "\n")
    boundary = _BOUNDARY_OF.search(headers)
    if not inner:
        body = root.content
    elif boundary is None:
        body = b"\n".join(inner)
    else:
        mark = (boundary[1] or boundary[2]).encode("utf-8", "replace")
        body = b"".join(b"--" + mark + b"\n" + each + b"\n" for each in inner) + b"--" + mark + b"--\n"
    coding = "" if inner else "Content-Transfer-Encoding: 8bit\n"
    return f"{headers}{coding}\n".encode("utf-8", "surrogateescape") + body
