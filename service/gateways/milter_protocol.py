"""The milter protocol, as far as marking bounces needs it: packets in, replies out; no network.

Written here because what others offer is a C library without wheels, or one early release. It is version 6 of
Sendmail's protocol as Sendmail and Postfix speak it: a length of 4 bytes, a letter, and what belongs to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from struct import Struct

from service.gateways.asking import MOST_EVIDENCE_BYTES
from service.gateways.headers import FIELDS

VERSION = 6
MOST_PACKET_BYTES = (1 << 20) + 1
"""What MTAs that were asked for nothing else never go beyond."""

ADD_HEADERS, CHANGE_HEADERS = 0x01, 0x10
NO_CONNECT, NO_HELO, NO_RCPT, NO_UNKNOWN, NO_DATA = 0x01, 0x02, 0x08, 0x100, 0x200
SILENT_HEADERS, CAN_SKIP, LEADING_SPACE = 0x80, 0x400, 0x100000
ACTIONS = ADD_HEADERS | CHANGE_HEADERS
STEPS = NO_CONNECT | NO_HELO | NO_RCPT | NO_UNKNOWN | NO_DATA | SILENT_HEADERS | CAN_SKIP | LEADING_SPACE
"""What is not sent to us, what we do not reply to, and that header values come as they are."""

_LENGTH, _NEGOTIATION, _INDEX = Struct(">I"), Struct(">III"), Struct(">I")
_OURS = {name.lower().encode() for name in FIELDS}


class ProtocolError(Exception):
    """The other side does not speak the protocol."""


@dataclass(slots=True)
class Message:
    """A message on its way: what is looked at, and which fields of ours it brought along."""

    is_from_nobody: bool
    is_report: bool = False
    head: bytearray = field(default_factory=bytearray)
    body: bytearray = field(default_factory=bytearray)
    forged: Counter[bytes] = field(default_factory=Counter)

    @property
    def is_wanted(self) -> bool:
        """Whether it may be a bounce."""
        return self.is_from_nobody or self.is_report

    @property
    def raw(self) -> bytes:
        """The mail, with the sender that its envelope had."""
        sender = b"Return-Path: <>\r\n" if self.is_from_nobody else b""
        return b"".join((sender, self.head, b"\r\n", self.body))

    @property
    def room(self) -> int:
        """How many more bytes of it would be looked at."""
        return max(0, MOST_EVIDENCE_BYTES - len(self.head) - len(self.body))


CONTINUE, ACCEPT, SKIP = (_LENGTH.pack(1) + letter for letter in (b"c", b"a", b"s"))


class Conversation:
    """One connection of an MTA: hears a packet, knows the reply."""

    def __init__(self) -> None:
        self.actions = 0
        self.steps = 0
        self.message: Message | None = None

    def heard(self, letter: bytes, payload: bytes) -> bytes | Message:
        """The reply to a packet, which may be empty; at the end of a message that message.

        Raises:
            ProtocolError: the packet is not as it must be.
        """
        if letter == b"O":
            return self._negotiated(payload)
        if letter in (b"D", b"A", b"K"):  # macros, and the end of a message or of an SMTP session
            self.message = self.message if letter == b"D" else None
            return b""
        if letter == b"M":
            return self._sender(payload)
        if self.message is None:
            return ACCEPT if letter in (b"R", b"T", b"L", b"N", b"B", b"E") else CONTINUE
        return self._content(self.message, letter, payload)

    def _negotiated(self, payload: bytes) -> bytes:
        if len(payload) < _NEGOTIATION.size:
            raise ProtocolError("the negotiation is too short")
        version, actions, steps = _NEGOTIATION.unpack_from(payload)
        if version < 2:
            raise ProtocolError(f"version {version} is not spoken here")
        self.actions, self.steps = ACTIONS & actions, STEPS & steps
        return packet(b"O", _NEGOTIATION.pack(min(VERSION, version), self.actions, self.steps))

    def _sender(self, payload: bytes) -> bytes:
        sender = payload.partition(b"\0")[0].strip()
        self.message = Message(sender in (b"<>", b""))
        return CONTINUE

    def _content(self, message: Message, letter: bytes, payload: bytes) -> bytes | Message:
        if letter == b"L":
            self._header(message, payload)
            return b"" if self.steps & SILENT_HEADERS else CONTINUE
        if letter == b"N":
            return CONTINUE if message.is_wanted or message.forged else self.accepted()
        if letter in (b"B", b"E"):
            if message.is_wanted:
                message.body += payload[: message.room]
            return self._more(message) if letter == b"B" else message
        return CONTINUE

    def _header(self, message: Message, payload: bytes) -> None:
        name, _, value = payload.partition(b"\0")
        value = value.partition(b"\0")[0]
        if name.strip().lower() in _OURS:
            message.forged[bytes(name)] += 1
            return
        if name.strip().lower() == b"content-type":
            message.is_report |= value.strip().lower().startswith(b"multipart/report")
        if message.room > len(payload):
            space = b"" if self.steps & LEADING_SPACE or value[:1] in (b" ", b"\t") else b" "
            folded = value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            message.head += b"".join((name, b":", space, folded, b"\r\n"))

    def _more(self, message: Message) -> bytes:
        wants_more = message.is_wanted and message.room > 0
        return SKIP if self.steps & CAN_SKIP and not wants_more else CONTINUE

    def accepted(self) -> bytes:
        """The reply that lets a message pass as it is; nothing of it is kept."""
        self.message = None
        return ACCEPT

    def marked(self, message: Message, values: Mapping[str, str]) -> bytes:
        """The reply at the end of a message: takes forged fields away, sets new ones at the top, accepts."""
        edits = [*self._removed(message), *self._added(values)]
        return b"".join(edits) + self.accepted()

    def _removed(self, message: Message) -> Iterator[bytes]:
        """Forged fields go from the last to the first, so that their numbers stay true."""
        if self.actions & CHANGE_HEADERS:
            for name, count in message.forged.items():
                for number in range(count, 0, -1):
                    yield packet(b"m", _INDEX.pack(number) + name + b"\0\0")

    def _added(self, values: Mapping[str, str]) -> Iterator[bytes]:
        """Each new field goes to the top, so the first comes last."""
        if self.actions & ADD_HEADERS:
            for name, value in reversed(list(values.items())):
                yield packet(b"i", _INDEX.pack(0) + f"{name}\0 {value}\0".encode("ascii"))


def packet(letter: bytes, payload: bytes = b"") -> bytes:
    r"""A packet.

    >>> packet(b"c")
    b'\x00\x00\x00\x01c'
    """
    return _LENGTH.pack(1 + len(payload)) + letter + payload


def length_of(prefix: bytes) -> int:
    """How many bytes follow the first four of a packet.

    Raises:
        ProtocolError: no packet has so many, or none.
    """
    length: int = _LENGTH.unpack(prefix)[0]
    if not 0 < length <= MOST_PACKET_BYTES:
        raise ProtocolError(f"a packet of {length} bytes")
    return length
