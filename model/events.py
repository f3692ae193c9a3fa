"""The nouns of the way: what logs, headers and event entries tell, whatever their format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class What(StrEnum):
    """What happened to a message, or to a server."""

    RECEIVED = "received"  # this server took it over from its peer
    SENT = "sent"  # the next server (the peer) took it over
    DELIVERED = "delivered"  # it is in a mailbox, or a local program has it
    DEFERRED = "deferred"  # tried in vain; it will be tried again
    FAILED = "failed"  # given up, by the peer's refusal or of its own
    REJECTED = "rejected"  # this server refused its peer, before it took the message over
    QUARANTINED = "quarantined"
    DISCARDED = "discarded"
    HELD = "held"  # waits for a moderator or an administrator
    EXPANDED = "expanded"  # a list or a forwarding gave it other recipients
    NOTIFIED = "notified"  # this server made a delivery status notification about it
    NOTED = "noted"  # something worth knowing of the message, such as a score or a header
    FAULT = "fault"  # trouble of a server, or of a session, that names no message


STOPPED_HERE = frozenset({What.REJECTED, What.QUARANTINED, What.DISCARDED, What.HELD})
"""What happens to a message at the server that tells of it."""

STOPPING = STOPPED_HERE | {What.FAILED, What.DEFERRED}
"""What keeps a message from going on."""

FINAL = STOPPING - {What.DEFERRED, What.HELD}
"""What ends the way of a message."""


class Role(StrEnum):
    """What kind of witness wrote a piece of evidence."""

    REPORT = "report"
    TRANSPORT = "transport"
    GATEWAY = "gateway"
    HEADERS = "headers"
    SYSTEM = "system"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a log or a header tells.

    Args:
        what: what happened.
        line: the line of the evidence, from 1; the last one, where several were joined.
        at: when, aware and in UTC; ``None`` where it does not say.
        host: the server that saw it.
        peer: the server on the other side: who handed it over (received, rejected), or to whom it went.
        peer_ip: its address.
        message_id: the Message-ID, with its angle brackets.
        network_message_id: Exchange's.
        queue_id: the server's own name for it.
        sender: the envelope sender; empty for the null sender, ``None`` where it does not say.
        recipients: lower case.
        reply: the words of whoever refused, codes first, as they stand.
        detail: what else bears on it, by names of the format (``source``, ``connector``, ``action``).
    """

    what: What
    line: int
    at: datetime | None = None
    host: str | None = None
    peer: str | None = None
    peer_ip: str | None = None
    message_id: str | None = None
    network_message_id: str | None = None
    queue_id: str | None = None
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    reply: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)


class LogFormat(NamedTuple):
    """One format of logs.

    Args:
        name: as the interface calls it.
        role: what kind of witness it is.
        claims: whether the head of a text (its first 64 KiB, decoded) is of this format; of any text at
            most one format may say so.
        read: the events of some lines, without line ends, in order; ``None`` for each line that is passed
            over. Never raises, holds bounded memory, and takes linear time.
        read_wanted: the same, for a caller that wants only lines which pass a cheap test; the others may
            be passed over unread.
    """

    name: str
    role: Role
    claims: Callable[[str], bool]
    read: Callable[[Iterable[str]], Iterator[Event | None]]
    read_wanted: Callable[[Iterable[str], Callable[[str], bool]], Iterator[Event | None]] | None = None
