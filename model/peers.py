"""Takes apart how logs write servers, mailboxes, message ids and SMTP commands."""

from __future__ import annotations

import re
from typing import NamedTuple

_ADDRESS = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f.:]{2,45}(?:%\w{1,20})?)\]")
_NAME_END = re.compile(r"[\s\[(,]")
_NO_NAMES = frozenset({"unknown", "none", "local", "undefined", "-"})
_CODE_DIGITS = 3
_DIAGNOSTIC_TYPES = frozenset({"smtp", "x-unix", "x-postfix", "x400", "dns", "x-local"})
_COMMANDS = (
    ("RCPT", "RCPT TO"),
    ("MAIL", "MAIL FROM"),
    ("INITIAL", "CONNECT"),
    ("CONN", "CONNECT"),
    ("END", "DATA"),
    ("EOM", "DATA"),
    ("PIPELINED", "DATA"),
    ("MESSAGE", "DATA"),
    ("DATA", "DATA"),
    ("BDAT", "DATA"),
    ("BODY", "DATA"),
    (".", "DATA"),
    ("LHLO", "HELO"),
    ("HELO", "HELO"),
    ("EHLO", "EHLO"),
    ("STARTTLS", "STARTTLS"),
    ("AUTH", "AUTH"),
)


class Peer(NamedTuple):
    """A server by name and address; either may be unknown."""

    name: str | None
    ip: str | None


NOBODY = Peer(None, None)


def peer(words: str) -> Peer:
    """A server as logs write it.

    >>> peer("mx.example.net[192.0.2.1]:25")
    Peer(name='mx.example.net', ip='192.0.2.1')
    >>> peer("client.example.org. (helo.example) [2001:db8::1]")
    Peer(name='client.example.org', ip='2001:db8::1')
    >>> peer("unknown[192.0.2.1]"), peer("dovecot")
    (Peer(name=None, ip='192.0.2.1'), Peer(name=None, ip=None))
    """
    addresses = _ADDRESS.findall(words)
    ip = str(addresses[-1]) if addresses else None
    name = _NAME_END.split(words.strip(), maxsplit=1)[0].rpartition("@")[2].rstrip(".:").lower()
    named = name not in _NO_NAMES and "/" not in name and ("." in name or (ip and name))
    return Peer(name if named and name != ip else None, ip)


def mailbox(words: str) -> str:
    """An address without brackets and blanks.

    >>> mailbox(" <User@example.com>"), mailbox("<>")
    ('User@example.com', '')
    """
    return words.strip().removeprefix("<").removesuffix(">").strip()


def recipient(words: str) -> str:
    """An address of the other side: without brackets, in lower case."""
    return mailbox(words).lower()


def message_id(words: str) -> str | None:
    """A Message-ID with its brackets; ``None`` where there is none.

    >>> message_id("1@example.com"), message_id("<1@example.com>"), message_id("")
    ('<1@example.com>', '<1@example.com>', None)
    """
    bare = mailbox(words)
    return f"<{bare}>" if bare else None


def smtp_command(words: str) -> str | None:
    """The command that was being answered, by its name in this project's words.

    >>> smtp_command("end of DATA"), smtp_command("RCPT TO:<user@example.com>"), smtp_command("QUIT")
    ('DATA', 'RCPT TO', None)
    """
    upper = words.strip().upper()
    return next((name for start, name in _COMMANDS if upper.startswith(start)), None)


def diagnostic(words: str) -> str:
    """A ``Diagnostic-Code`` without its type.

    >>> diagnostic("smtp; 550 5.1.1 No; really"), diagnostic("450 Later; busy")
    ('550 5.1.1 No; really', '450 Later; busy')
    """
    kind, found, rest = words.partition(";")
    return (rest if found and kind.strip().lower() in _DIAGNOSTIC_TYPES else words).strip()


def coded(code: str, enhanced: str, words: str) -> str:
    """A reply out of parts that a format keeps apart; what the words begin with is not said twice.

    >>> coded("550", "5.1.1", "No such user"), coded("550", "5.1.1", "550 5.1.1 No"), coded("605", "", "No")
    ('550 5.1.1 No such user', '550 5.1.1 No', 'No')
    """
    words = " ".join(words.split())
    if words[:3] == code and code:
        return words
    code = code if len(code) == _CODE_DIGITS and code.isdigit() and "2" <= code[0] <= "5" else ""
    enhanced = "" if words.startswith(enhanced) else enhanced
    return " ".join(filter(None, (code, enhanced, words)))


def detail(**facts: str | None) -> dict[str, str]:
    """What is known of some facts.

    >>> detail(tls="TLSv1.3", delay=None, reason="")
    {'tls': 'TLSv1.3'}
    """
    return {name: fact for name, fact in facts.items() if fact}
