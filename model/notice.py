"""Reads notices written for people: who failed, in whose words, where the returned message starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

from model.patterns import PatternSet, compiled, compiled_set
from model.reply import codes_of
from model.resources import data_file, read_toml

MAX_LINES = 3000
MAX_LINE_CHARS = 1000
MAX_RECIPIENTS = 500
_SPACED = r"a-z0-9\xc0-\x{1fff}"
_UNSPACED = r"\x{3041}-\x{9fff}\x{ac00}-\x{d7a3}"
"""Scripts that put no space between words: their text touches the address it speaks of."""
_LOCAL = rf"[{_SPACED}.!#$%&'*+/=?^_{{|}}~-]{{1,100}}|[{_UNSPACED}]{{1,64}}|\"[^\"@]{{1,64}}\""
_DOMAIN = (
    rf"[{_SPACED}](?:[{_SPACED}._-]{{0,250}}[{_SPACED}])?|"
    rf"[{_UNSPACED}](?:[{_SPACED}{_UNSPACED}._-]{{0,250}}[{_SPACED}{_UNSPACED}])?"
)
_HOST = r"([a-z0-9](?:[a-z0-9_-]{0,62}\.){1,10}[a-z][a-z0-9-]{1,62})\b"
_ADDR = f"((?:{_LOCAL})@(?:{_DOMAIN}))"
_ANY_ADDRESS = compiled(_ADDR)
_SYSTEM = re.compile(r"^(?:mailer-?daemon|postmaster|post_master|abuse|no-?reply)@", re.I)
_LIST_OFFICE = re.compile(r"^(?:owner-[^@]*|[^@]*-(?:owner|request|bounces?))@", re.I)
"""Addresses by which mailing lists are run: seldom what failed where a notice names another."""
_HEADER_LINE = re.compile(
    r"^>?\s?(?:Received|Return-Path|Message-Id|MIME-Version|From|To|Date|Subject|X-[\w-]+|Content-Type):",
    re.I,
)
_STRONG_HEADER = re.compile(r"^>?\s?(?:Received|Return-Path|Message-Id|MIME-Version):", re.I)
_PROGRESS = re.compile(r"^\s*(?:out:|<<<|<--|s:|\d+)?\s*[23]\d\d[ -]", re.I)
_UNDERLINE = re.compile(r"\A\s*[-=_*#]{3,}[ \t]*\n")
_REPLY_LINE = re.compile(r"^\s*[45]\d\d[ -]")
_HEADERS_IN_A_ROW = 3
_REASON_LINES = 12
_SESSION_LINES = 40
_MAX_PLACES = 4
UNEXPLAINED = 3
"""The rank of an address that stands somewhere in the text, in no line that explains it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The words meant for people, and the message that came back below them."""

    text: str
    returned: str


@dataclass(frozen=True, slots=True)
class Mention:
    """A failed recipient in a notice, with the words about it.

    ``rank`` is 1 for a line of its own, 2 for a sentence, 3 for anywhere, and more where it can
    hardly have failed.
    """

    address: str
    reason: str
    rank: int


def split_returned(text: str) -> Notice:
    """Parts a notice from the message that came back, by its marker or by its header block."""
    lines = _bounded(text)
    for number, line in enumerate(lines):
        if _returned_engine().hits(line) and number > 0:
            return Notice("\n".join(lines[:number]), _UNDERLINE.sub("", "\n".join(lines[number + 1 :])))
        if number > 0 and _starts_headers(lines, number):
            return Notice("\n".join(lines[:number]), "\n".join(lines[number:]))
    return Notice("\n".join(lines), "")


def mentions(text: str, *, excluded: Iterable[str] = ()) -> tuple[Mention, ...]:
    """The failed recipients that a notice names, the surest kind of line only.

    Args:
        text: the notice without the returned message.
        excluded: addresses that cannot have failed: the sender, the reporting system.
    """
    lines = _bounded(text)
    shunned = {address.lower() for address in excluded}
    found = [hit for hit in _hits(lines, shunned) if not _SYSTEM.match(hit[1])]
    best = min((rank for _, _, rank in found), default=0)
    places: dict[str, list[tuple[int, str]]] = {}
    for number, address, rank in found:
        if rank == best:
            places.setdefault(address.lower(), []).append((number, address))
    firsts = sorted(where[0] for where in places.values())[:MAX_RECIPIENTS]
    starts = {number for number, _ in firsts if not lines[number].lstrip().startswith("(")}
    session = _session(lines)
    return tuple(
        Mention(address, _told(lines, places[address.lower()], starts, session), best)
        for _, address in firsts
    )


def addresses(text: str) -> tuple[str, ...]:
    """All addresses in a text, in order, each once.

    >>> addresses("To: <user@example.com>, ops@example.net")
    ('user@example.com', 'ops@example.net')
    """
    return tuple(dict.fromkeys(hit.group(1).strip(".'") for hit in _ANY_ADDRESS.finditer(text)))


def reporter(text: str) -> str | None:
    r"""The server that says it made the notice.

    >>> reporter("It failed.\nGenerating server: MX.example.net"), reporter("It failed.")
    ('mx.example.net', None)
    """
    return _host(text, "reporter")


def remote(text: str) -> str | None:
    """The server that a notice says refused the message."""
    return _host(text, "remote")


def _host(text: str, role: str) -> str | None:
    engine, patterns = _host_patterns(role)
    first = min(engine.hits(text), default=None)
    return str(patterns[first].search(text).group(1)).lower() if first is not None else None


def _bounded(text: str) -> list[str]:
    unix = text.replace("\r\n", "\n").replace("\r", "\n")
    return [line[:MAX_LINE_CHARS].rstrip() for line in unix.split("\n", MAX_LINES)[:MAX_LINES]]


def _starts_headers(lines: list[str], number: int) -> bool:
    if not _STRONG_HEADER.match(lines[number]):
        return False
    following = [line for line in lines[number : number + 8] if line[:1] not in (" ", "\t")]
    return sum(bool(_HEADER_LINE.match(line)) for line in following) >= _HEADERS_IN_A_ROW


def _hits(lines: list[str], shunned: set[str]) -> Iterator[tuple[int, str, int]]:
    """(line number, address, rank) of each address; a shunned one counts only for want of others."""
    for number, written in enumerate(lines):
        if "@" not in written:
            continue
        line = _not_failed_pattern().sub(" ", written)
        found, rank = _explained(line) or (addresses(line), UNEXPLAINED)
        for address in found:
            is_shunned = address.lower() in shunned or _LIST_OFFICE.match(address) is not None
            if not (is_shunned and rank == UNEXPLAINED) and "message-id" not in line.lower():
                yield number, address, rank + UNEXPLAINED * is_shunned


def _explained(line: str) -> tuple[tuple[str, ...], int] | None:
    """The address that the first fitting pattern finds in a line, and that pattern's rank."""
    engine, patterns = _recipient_patterns()
    first = min(engine.hits(line), default=None)
    if first is None:
        return None
    pattern, rank = patterns[first]
    return (pattern.search(line).group(1).strip(".'"),), rank


def _told(lines: list[str], places: list[tuple[int, str]], starts: set[int], session: list[str]) -> str:
    """The words about one recipient: the first that hold a code, wherever the notice names it.

    Where there is only one recipient, a paragraph with a reply is about it without naming it.
    """
    reasons = [_reason(lines, number, address, starts, session) for number, address in places[:_MAX_PLACES]]
    telling = next((reason for reason in reasons if any(_codes(reason))), None)
    if telling is not None or len(starts) > 1:
        return telling or reasons[0]
    return "\n".join([reasons[0], *_replying(lines, places[0][0])])


def _replying(lines: list[str], number: int) -> list[str]:
    """The first paragraph from here on that holds a reply code, else the first labelled as the reason."""
    paragraphs = list(_paragraphs(lines, number + 1))
    starts_at_once = number + 1 < len(lines) and bool(lines[number + 1].strip())
    labelled = (each for each in paragraphs[starts_at_once:] if _reason_engine().hits(each[0]))
    replying = (each for each in paragraphs if _codes("\n".join(each))[0])
    return next(replying, None) or next(labelled, [])


def _paragraphs(lines: list[str], number: int) -> Iterator[list[str]]:
    while number < len(lines):
        paragraph = list(_paragraph(lines, number, set()))
        yield from [paragraph] if paragraph else ()
        number += len(paragraph) + 1


def _codes(text: str) -> tuple[int | None, str | None]:
    return codes_of(" ".join(text.split()))


def _reason(lines: list[str], number: int, address: str, starts: set[int], session: list[str]) -> str:
    """The words about one recipient: its line, its paragraph or else the next, and the transcript."""
    own = lines[number]
    paragraph = list(_paragraph(lines, number + 1, starts))
    if not paragraph and not _has_words(own, address):
        following = next((n for n in range(number + 1, len(lines)) if lines[n].strip()), len(lines))
        paragraph = list(_paragraph(lines, following, starts))
    told = _of_recipient(session, address) if len(starts) > 1 else session
    return "\n".join([*_introduction(lines, number, starts), own, *paragraph, *told])


def _introduction(lines: list[str], number: int, starts: set[int]) -> list[str]:
    """The line before a reply that says whose reply it is, and to what."""
    before = lines[number - 1] if number > 0 and number - 1 not in starts else ""
    return [before] if before.endswith(":") and _REPLY_LINE.match(lines[number]) else []


def _has_words(line: str, address: str) -> bool:
    return len(line.replace(address, "").strip(" <>:;,.\t\"'()[]-*")) > 3


def _paragraph(lines: list[str], number: int, starts: set[int]) -> Iterator[str]:
    for line_number in range(number, min(number + _REASON_LINES, len(lines))):
        line = lines[line_number]
        if not line.strip() or line_number in starts or _transcript_engine().hits(line):
            return
        yield line


def _session(lines: list[str]) -> list[str]:
    """The session's lines below a transcript heading, without those that only say that all is well."""
    start = next((n for n, line in enumerate(lines) if _transcript_engine().hits(line)), len(lines))
    telling = (line for line in lines[start + 1 :] if line.strip() and not _PROGRESS.match(line))
    return list(islice(telling, _SESSION_LINES))


def _of_recipient(session: list[str], address: str) -> list[str]:
    """The session's lines about one recipient: its own commands, and what was answered to them."""
    kept: list[str] = []
    own = False
    for line in session:
        mentioned = address.lower() in line.lower()
        own = mentioned or (own and line.startswith("<<<"))
        if own:
            kept.append(line)
    return kept


@cache
def _layouts() -> dict[str, Any]:
    return read_toml(data_file("layouts.toml"))


@cache
def _recipient_patterns() -> tuple[PatternSet, tuple[tuple[Any, int], ...]]:
    entries = _layouts()["recipient"]
    texts = [entry["text"].replace("{addr}", _ADDR) for entry in entries]
    ranked = tuple((compiled(text), entry["rank"]) for text, entry in zip(texts, entries, strict=True))
    return compiled_set(texts), ranked


@cache
def _host_patterns(role: str) -> tuple[PatternSet, tuple[Any, ...]]:
    entries = _layouts()[role]
    texts = [f"(?m){entry['text'].replace('{host}', _HOST)}" for entry in entries]
    return compiled_set(texts), tuple(map(compiled, texts))


@cache
def _not_failed_pattern() -> Any:  # noqa: ANN401  # re2 has no type stubs
    entries = _layouts()["not_failed"]
    return compiled("|".join(entry["text"].replace("{addr}", f"(?:{_ADDR})") for entry in entries))


@cache
def _returned_engine() -> PatternSet:
    return compiled_set(entry["text"] for entry in _layouts()["returned"])


@cache
def _reason_engine() -> PatternSet:
    return compiled_set(entry["text"] for entry in _layouts()["reason"])


@cache
def _transcript_engine() -> PatternSet:
    return compiled_set(entry["text"] for entry in _layouts()["transcript"])
