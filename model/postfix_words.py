"""Takes apart what the daemons of Postfix say about a delivery or a refusal."""

from __future__ import annotations

import re
from typing import NamedTuple

from model.peers import NOBODY, Peer, mailbox, peer, smtp_command

_FIELD = re.compile(r"([a-z_]{2,20})=(<[^>]{0,1000}>|[^,]{0,1000})(?:, |$)")
_ENVELOPE = re.compile(r"\b(from|to|proto|helo|sasl_username)=(<[^>]{0,1000}>|[^ ,;>]{0,300})")
_SAID = (
    ("host ", " said: ", None),
    ("host ", " refused to talk to me: ", "CONNECT"),
    ("TLS is required, but host ", " refused to start TLS: ", "STARTTLS"),
)
"""How the other side's words are introduced, and the command that they answer where no tail tells it."""
_BROKEN = re.compile(r" while (?:sending|receiving|performing) (?:the )?(?=\S)")
_CONTENT = ("header ", "body ", "mime-error ", "nested header ")
_MAX_CHARS = 4_000


class Said(NamedTuple):
    """Words of the other side, or Postfix's own where nothing was said."""

    reply: str
    other: Peer = NOBODY
    command: str | None = None


class Act(NamedTuple):
    """What a rule acted on: in which command of which client, with which words."""

    stage: str
    client: Peer
    reply: str
    envelope: dict[str, str]
    content: str = ""


def fields_of(words: str) -> dict[str, str]:
    """The equations of a line.

    >>> fields_of("to=<user@example.com>, relay=none, delay=5")
    {'to': '<user@example.com>', 'relay': 'none', 'delay': '5'}
    """
    return dict(_FIELD.findall(words[:_MAX_CHARS]))


def said(words: str) -> Said:
    """The other side's reply out of what surrounds it.

    >>> said("host mx.example.net[192.0.2.1] said: 550 5.1.1 Unknown (in reply to RCPT TO command)")[::2]
    ('550 5.1.1 Unknown', 'RCPT TO')
    >>> said("TLS is required, but host mx.example.net[192.0.2.1] refused to start TLS: 454 4.7.0 No")[::2]
    ('454 4.7.0 No', 'STARTTLS')
    >>> said("lost connection with mx.example.net[192.0.2.1] while sending end of data")[1:]
    (Peer(name='mx.example.net', ip='192.0.2.1'), 'DATA')
    """
    for start, verb, command in _SAID:
        head, found, reply = words.partition(verb)
        host = head.removeprefix(start)
        if found and host != head and " " not in host:
            bare, command_words = _without_tail(reply)
            return Said(bare, peer(host), smtp_command(command_words) or command)
    broken = _BROKEN.search(words[:_MAX_CHARS])
    return Said(words, host_in(words), smtp_command(words[broken.end() :]) if broken else None)


def host_in(words: str) -> Peer:
    """The server in Postfix's own words, such as ``connect to mx[ip]:25: Connection refused``."""
    hosts = (word for word in words[:_MAX_CHARS].split(" ") if "[" in word and "]" in word)
    return peer(next(hosts, ""))


def is_about_content(words: str) -> bool:
    """Whether a rule acted on what a message holds, and not on a command."""
    return words.startswith(_CONTENT)


def acted(words: str) -> Act | None:
    """What stands after the action of a rule; ``None`` where it says nothing of a client."""
    return _on_content(words) if is_about_content(words) else _on_command(words)


def _on_command(words: str) -> Act | None:
    """``RCPT from client[ip]: 550 5.1.1 words; from=<a> to=<b> proto=ESMTP helo=<c>``."""
    place, colon, rest = words.partition(": ")
    if not colon:
        return None
    stage, _, client = place.partition(" from ")
    for start in ("; from=<", "; proto="):
        reply, found, envelope = rest.rpartition(start)
        if found:
            return Act(stage, peer(client), reply, _envelope(found + envelope))
    return Act(stage, peer(client), rest, {})


def _on_content(words: str) -> Act:
    """``header Subject: x from client[ip]; from=<a> to=<b> proto=ESMTP helo=<c>: 5.7.1 words``."""
    place, found, rest = words.rpartition("; from=<")
    content, _, client = (place if found else words).rpartition(" from ")
    before, helo, after = rest.partition(" helo=<")
    host, _, reply = after.partition(">: ")
    return Act("DATA", peer(client), reply, _envelope(f"from=<{before}{helo}{host}>"), content)


def _envelope(words: str) -> dict[str, str]:
    return {name: mailbox(value) for name, value in _ENVELOPE.findall(words[:_MAX_CHARS])}


def _without_tail(reply: str) -> tuple[str, str]:
    bare, tail, command = reply.rpartition(" (in reply to ")
    return (bare, command) if tail and len(command) < 60 else (reply, "")
