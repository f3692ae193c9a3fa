"""Takes apart the fields and the reasons in the lines of Exim's logs."""

from __future__ import annotations

import re
from typing import NamedTuple

from model.charsets import decode
from model.peers import NOBODY, Peer, mailbox, peer, recipient, smtp_command

_PAIR = re.compile(r'(?:^| )([A-Za-z]{1,5})=("[^"\\]*(?:\\.[^"\\]*)*"?|\S{0,2000})')
_HOST = re.compile(r"(?:^| )H=(\S{1,300}(?: \(\S{1,300}\))?(?: \[[^\]]{1,60}\])?(?::\d{1,5})?)")
_HOST_LAST = re.compile(r" H=\S{1,300}(?: \[[^\]]{1,60}\])?(?::\d{1,5})?$")
_SAID = (
    "SMTP error from remote mail server after ",
    "SMTP error from remote mailer after ",
    "LMTP error after ",
)
_HOST_AMID = re.compile(r"([^:=]{1,200}) H=(\S{1,300}(?: \[[^\]]{1,60}\])?(?::\d{1,5})?): ")
_BROKEN = re.compile(r"(?:SMTP timeout after|closed connection in response to) (?:pipelined )?(?=\S)")
_ESCAPED = re.compile(rb"\\([23][0-7]{2})")
_WITHIN = re.compile(
    r"((?:[\w-]{1,63}(?:\.[\w-]{1,63}){1,20}\.? )?(?:\([^()\s]{1,255}\) )?\[[0-9A-Fa-f.:]{2,45}\])"
)
_BEFORE_REFUSAL = ("rejected ", "temporarily ", "H=", "F=", "I=", "U=")
_MAX_CHARS = 8_000


class Delivery(NamedTuple):
    """A delivery, a deferral or a failure.

    ``place`` is what stands after the mark: an address, a local part, a file, a pipe; ``original`` is the
    address that was rewritten to ``to``.
    """

    place: str
    to: str
    original: str
    fields: dict[str, str]
    other: Peer
    reply: str
    command: str | None


class Refusal(NamedTuple):
    """What Exim refused its client."""

    action: str
    to: str
    fields: dict[str, str]
    client: Peer
    reply: str
    command: str | None


def fields_of(words: str) -> dict[str, str]:
    """The fields of a line by their letters; the first of a name counts.

    >>> fields_of('R=dnslookup T=smtp H=mx.example.net [192.0.2.1] C="250 OK"')["C"]
    '250 OK'
    """
    fields: dict[str, str] = {}
    for name, value in _PAIR.findall(words[:_MAX_CHARS]):
        fields.setdefault(name, value.strip('"').replace('\\"', '"'))
    host = _HOST.search(words[:_MAX_CHARS])
    if host:
        fields["H"] = host[1]
    return fields


def delivery(words: str, *, failed: bool) -> Delivery:
    """What stands after a delivery's mark: the address, fields, and the reason if it failed.

    >>> told = "a@example.net R=r T=t defer (110): Timed out H=mx [192.0.2.1]: SMTP timeout after end of data"
    >>> delivery(told, failed=True)[4:]
    (Peer(name='mx', ip='192.0.2.1'), 'Timed out: SMTP timeout after end of data', 'DATA')
    """
    head, _, reason = words.partition(": ") if failed else (words, "", "")
    pairs = _PAIR.search(head)
    before, bracket, original = (head[: pairs.start()] if pairs else head).rpartition(" <")
    place = (before if bracket else original).split(" ")[0]
    place = place.removesuffix(":") if "@" in place else place
    to, whole = recipient(place), recipient(original) if bracket else ""
    if "@" not in to and whole:
        to, whole = whole, ""
    fields = fields_of(head)
    last, amid = _HOST_LAST.search(reason[-_MAX_CHARS:]), _HOST_AMID.match(reason)
    if last:
        fields.setdefault("H", last[0][3:])
        reason = reason[: -len(last[0])]
    elif amid:
        fields.setdefault("H", amid[2])
        reason = f"{amid[1]}: {reason[amid.end() :]}"
    said, other, command = said_by(reason)
    other = peer(fields["H"]) if "H" in fields else other
    return Delivery(
        place, to, whole if whole != to else "", fields, other, said or fields.get("C", ""), command
    )


def said_by(reason: str) -> tuple[str, Peer, str | None]:
    """The other side's reply, who said it, and the command it answered; else Exim's own words.

    >>> said_by("SMTP error from remote mail server after RCPT TO:<a@example.net>: 550 No")[::2]
    ('550 No', 'RCPT TO')
    """
    start = next((start for start in _SAID if reason.startswith(start)), "")
    if not start:
        broken = _BROKEN.search(reason[:_MAX_CHARS])
        command = smtp_command(reason[broken.end() :]) if broken else None
        return _on_one_line(reason), host_in(reason), command
    place, _, reply = reason.removeprefix(start).partition(": ")
    other = NOBODY
    if reply.startswith("host "):
        host, _, reply = reply[5:].partition(": ")
        other = peer(host)
    return _on_one_line(reply), other, smtp_command(place.removeprefix("pipelined "))


def host_in(words: str) -> Peer:
    """The first server that some words name with its address.

    >>> host_in("TLS error on connection from client.example.org (pc) [192.0.2.1] (recv)")
    Peer(name='client.example.org', ip='192.0.2.1')
    """
    within = _WITHIN.search(words[:_MAX_CHARS])
    return peer(within[1]) if within else NOBODY


def refusal(words: str) -> Refusal | None:
    """``H=client [ip] F=<a> rejected RCPT <b>: words``; ``None`` for other lines."""
    head, verb, rest = words.partition("rejected ")
    if not verb or ": " in head or not words.startswith(_BEFORE_REFUSAL):
        return None
    temporarily = "temporarily " if head.endswith("temporarily ") else ""
    place, _, reply = rest.partition(": ")
    fields = fields_of(head)
    client = fields.get("H") or place.partition(" from ")[2].removeprefix("H=")
    command = smtp_command(place.removeprefix("after "))
    to = recipient(place[5:]) if place.startswith("RCPT ") else ""
    if command == "MAIL FROM":
        fields.setdefault("F", mailbox(place[5:]))
    return Refusal(f"{temporarily}rejected", to, fields, peer(client), _on_one_line(reply), command)


def recipients_of(words: str) -> tuple[str, ...]:
    """The recipients at the end of an arrival: ``... id=1@example.com for a@example.com b@example.com``."""
    addresses = words[-_MAX_CHARS:].rpartition(" for ")[2].split(" ")
    is_list = " for " in words[-_MAX_CHARS:] and all("@" in each and '"' not in each for each in addresses)
    return tuple(map(recipient, addresses)) if is_list else ()


def _on_one_line(reply: str) -> str:
    r"""A reply as it was before Exim wrote its line ends and its bytes beyond ASCII with backslashes.

    >>> _on_one_line(r"550-No\n550 \346\224\266")
    '550-No 550 收'
    """
    reply = reply.replace("\\n", " ")
    if "\\" not in reply:
        return reply
    raw = reply.encode("utf-8", "replace")
    plain = _ESCAPED.sub(lambda escaped: bytes([int(escaped[1], 8)]), raw)
    return decode(plain) if plain != raw else reply
