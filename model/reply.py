"""Takes a diagnostic text apart: reply codes, wrappers, the innermost reply and the facts around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from model.patterns import PatternSet, compiled, compiled_set
from model.resources import data_file, read_toml
from model.types import Reply, Unwrapped

MAX_REMEMBERED = 512
MAX_REPLY_CHARS = 8192

_CODE = (
    r"(?!465|587)([245]\d\d)(?!\d| ?(?:[kmg]?b|bytes|ms|sec(?:ond)?s?|min(?:ute)?s?|hours|days|pages|per)\b)"
)
"""A reply code, and no port, size, time or number of anything."""
_ENHANCED = r"[245]\.\d{1,3}\.\d{1,3}"
_LEADING = re.compile(rf"[\s\"'“(<\[#:;*-]*([245]\d\d)(?![\d.])[ \-]*['(\[]?#?({_ENHANCED})?(?![\d.])")
_BOTH = re.compile(rf"(?<![\d.])([245]\d\d)[ \-]+[(\[]?#?({_ENHANCED})(?![\d.])")
_NAMED = re.compile(
    r"(?:\b|_)(?:smtp|error|code|status|reply|said|returned|response)[^\d\n]{1,14}"
    rf"(?<!line )(?<!port )(?<!after )(?<!message ){_CODE}(?!\.)",
    re.I,
)
_LATER = re.compile(rf"(?:^|[.:;>\])-] |\.{{3}} ?|： ?)\(?{_CODE}[ \-](?![\d.])", re.I)
_ENHANCED_ALONE = re.compile(
    r"(?<![\d.])(?<![a-z][-v])(?<![/v])(?<!version )(?<!protocol )(?<!release )([245]\.\d\.\d{1,3})(?!\.?\d)",
    re.I,
)
_FIRST_CODE = re.compile(rf"(?<![\d.])([245]\d\d)[ \-](?:({_ENHANCED})[ \-])?")
_TAIL = compiled(
    r' ?\(in reply to[^)]{0,80}\)\)?|["”]?\.? attempted failover to alternate|\} ?[;\]]|[\'"”]? ?#smtp#|'
    r" ?##(?:rfc822|$)|>? #smtp#|['\"”]\)?$|: retry timeout exceeded$| giving up on | ?\[?\{[a-z]{2,5}=|"
    r" ?(?:建议|建議)(?:解决|解決)?(?:方案|办法|辦法)? ?[:：]"
)
_LED = re.compile(r"[\s\[({]*LED=$", re.I)
_CLOSERS = "\"'”“ [({<"
_PAIRS = {")": "(", ">": "<", "]": "[", "}": "{"}
_LINK_EDGES = " \"'“”[({<>-"
_COMMAND = compiled(
    r"(?:in reply to|in response to|after|during|while sending|error at|did not like our|reply to|>>>|"
    r"rejected at|command:?) ?(?:the )?(?:\(?end of )?"
    r"(mail from|rcpt to|rcpt|mail|data|bdat|ehlo|helo|starttls|auth|rset|lhlo|"
    r"pipelined data|initial connection|message body|data body|text|connect)\b"
)
_SENDER_PROBE = compiled(r"sender address rejected: (?:undeliverable|unverified) address:? ?$")
"""What follows was said of the sender, to a server that asked before it refused the mail."""
_SAID = compiled(
    r"\b(rcpt to|mail from|data|helo|ehlo) said\b|(refused to talk to me|initial server greeting)"
)
_HOST = compiled(
    r"(?:(client |sender )?(?:host|server at|remote server|mta|connect(?:ion)? to|connection with|"
    r"conversation with|talking to):? |\bt=[a-z_]{1,40}(?: defer \(-?\d{1,3}\))? h=)"
    r"<?([a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9_-]+)+)\.?>?:?(?: ?[\[(]([0-9a-f.:]{3,45})[\])])?"
)
_FQDN = compiled(r"()\{FQDN=([^}\s]{1,255})\}(?:;\{IP=([0-9a-f.:]{3,45})\})?")
_DISLIKED = compiled(r"()([a-z0-9][a-z0-9._-]{1,253}) ?\[([0-9a-f.:]{3,45})\] did not like")
_BARE_IP = compiled(r"\b((?:\d{1,3}\.){3}\d{1,3}) (?:does not like|failed after)")
_LINK = compiled(r"https?://[^\s<>\"'()（）]{3,500}")
_QUEUED = compiled(r"(?:queued (?:mail )?(?:as|for delivery as)|queue id:?|queue-id:?) ([a-z0-9-]{5,40})\b")
_LOG_QUEUE = compiled(
    r"(?:^|\]: )([0-9a-f]{6,17}|[0-9b-df-hj-np-tv-z]{10,20}|[0-9a-z]{6}-[0-9a-z]{6,11}-[0-9a-z]{2,4}): |"
    r"\d ([0-9a-z]{6}-[0-9a-z]{6,11}-[0-9a-z]{2,4}) (?:\*\*|==|=>|->|<=|completed)"
)
_RETRY = compiled(
    r"(?:(?:try|retry|come back|again|wait|greylist(?:ed|ing)|deferred|delayed|later)"
    r"[a-z ,]{0,40}?(?:in|for|after|at least|until)? ?|retry-after: ?|等待|请在) ?"
    r"(\d{1,6}|\b(?:an?|one|two|three|four|five|six|ten|twelve|fifteen|twenty|thirty)\b) ?"
    r"((?:seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)\b|秒|分钟|小时|天)?"
)
_RETRY_AFTER = compiled(r"\bretry-after ?[:=] ?(\d{1,6})(?: ?$|[^\w.:/ -]| [^a-z\d])")
"""The number alone, in seconds as in RFC 9110, section 10.2.3."""
_RETRY_CLOCK = compiled(r"(?:try again|retry|come back|greylisted)[a-z ,]{0,40}(\d{1,2}):(\d{2}):(\d{2})\b")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "秒": 1, "分": 60, "小": 3600, "天": 86400}
_NUMBERS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "ten": 10,
    "twelve": 12,
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
}
_COMMANDS = {
    "rcpt": "RCPT TO",
    "mail": "MAIL FROM",
    "bdat": "DATA",
    "text": "DATA",
    "pipelined data": "DATA",
    "message body": "DATA",
    "data body": "DATA",
    "lhlo": "HELO",
    "initial connection": "CONNECT",
    "refused to talk to me": "CONNECT",
    "initial server greeting": "CONNECT",
}


@lru_cache(MAX_REMEMBERED)
def unwrap(diagnostic: str) -> Unwrapped:
    """A diagnostic text taken apart, down to the reply that matters; the last ones are remembered.

    Args:
        diagnostic: an SMTP reply, a ``Diagnostic-Code``, a log line's parenthesis or a notice's reason;
            only its first 8,192 characters count.
    """
    text = readable(diagnostic[:MAX_REPLY_CHARS])
    links, (start, end) = _bounds(text)
    chain = (*(_outer(text, link) for link in links), _reply(text[start:end]))
    host, address = _remote(text)
    return Unwrapped(
        text=text,
        chain=chain,
        start=start,
        end=end,
        command=_command(text),
        remote_host=host,
        remote_ip=address,
        retry_after_s=_retry_after_s(text),
        block_lists=block_lists(text),
        links=tuple(dict.fromkeys(link.rstrip(".,;:!?]") for link in _LINK.findall(text))),
        queue_ids=_queue_ids(text),
    )


def readable(text: str) -> str:
    r"""The text on one line, without the prefixes that a multi-line reply repeats.

    >>> readable("550-5.7.1 Our system\n550 5.7.1 has detected")
    '550 5.7.1 Our system has detected'
    """
    line = " ".join(text.replace("\x00", " ").split())
    first = _FIRST_CODE.search(line)
    if first is None:
        return line
    head, tail = line[: first.end()], line[first.end() :]
    smtp, enhanced = first.groups()
    if f"{smtp}-" not in line and not (enhanced and f" {smtp} {enhanced} " in tail):
        return line
    repeated = rf"(?:(?<=\s)|(?<=[.:;,]))(?:{smtp}-(?:{enhanced or 'x'}[ -]?)?|{smtp} {enhanced or ''} ?) ?"
    return re.sub(rf"({smtp})-", r"\1 ", head) + re.sub(repeated, "", tail)


def block_lists(text: str) -> tuple[str, ...]:
    """The names of the block lists a text mentions, the specific ones first and alone."""
    engine, names = _block_list_engine()
    found: list[str] = []
    for name in (names[index] for index in engine.hits(text)):
        if name not in found and not any(other.startswith(f"{name} ") for other in found):
            found.append(name)
    return tuple(found)


class _Link(NamedTuple):
    """A reply of the chain: where it starts, where the wrapper's words begin, and where those end."""

    start: int
    wrapper: int
    end: int


def _bounds(text: str) -> tuple[list[_Link], tuple[int, int]]:
    """The outer links, outermost first, and the innermost reply, which ends before the wrapper's tail."""
    starts = [(0, 0), *_wrapper_hits(text), (len(text), len(text))]
    links = [_Link(inner, outer, end) for (_, inner), (outer, end) in pairwise(starts)]
    links = [link for link in links if any(map(str.isalnum, text[link.start : link.wrapper]))]
    start, end = links[-1][:2] if links else (0, len(text))
    tail = _TAIL.search(text, start + 3)
    if tail is not None and tail.start() > start:
        end = min(end, tail.start())
    return links[:-1], (start, _without_closing(text, start, end))


def _outer(text: str, link: _Link) -> Reply:
    """A link with its wrapper's words; its codes stand before them."""
    words = text[link.start : link.end].strip(_LINK_EDGES)
    return replace(_reply(text[link.start : link.wrapper]), text=_LED.sub("", words))


def _without_closing(text: str, start: int, end: int) -> int:
    """The end of a reply without the quotes, spaces and brackets that closed its wrapper or open the next."""
    while end > start + 1 and (text[end - 1] in _CLOSERS or _is_unopened(text, start, end)):
        end -= 1
    return end


def _is_unopened(text: str, start: int, end: int) -> bool:
    closer = text[end - 1]
    opener = _PAIRS.get(closer)
    return opener is not None and text.count(opener, start, end) < text.count(closer, start, end)


def _wrapper_hits(text: str) -> Iterator[tuple[int, int]]:
    certain, possible = _wrapper_engines()
    hits = [hit.span() for hit in certain.finditer(text)]
    hits += [hit.span() for hit in possible.finditer(text) if _LEADING.match(text, hit.end())]
    last_end = 0
    for start, end in sorted(hits):
        if start < last_end or text[end : end + 1] == "}":
            continue
        last_end = end
        if not _SENDER_PROBE.search(text[max(0, start - 80) : start]):
            yield start, end


def _reply(segment: str) -> Reply:
    text = segment.strip(" \"'“”")
    smtp, enhanced = codes_of(text)
    return Reply(text, smtp, enhanced)


def codes_of(text: str) -> tuple[int | None, str | None]:
    """The reply code and the enhanced code that a reply carries; never invented.

    >>> codes_of("552 user over quota (#5.1.1)"), codes_of("Connection timed out")
    ((552, '5.1.1'), (None, None))
    """
    for pattern in (_LEADING, _BOTH, _NAMED, _LATER):
        hit = pattern.match(text) if pattern is _LEADING else pattern.search(text)
        if hit is not None:
            enhanced = hit.group(2) if pattern.groups > 1 else None
            return int(hit.group(1)), enhanced or _enhanced_alone(text)
    return None, _enhanced_alone(text)


def _enhanced_alone(text: str) -> str | None:
    hit = _ENHANCED_ALONE.search(text)
    return str(hit.group(1)) if hit else None


def _command(text: str) -> str | None:
    hit = _SAID.search(text)
    hits = list(_COMMAND.finditer(text)) if hit is None else []
    if hit is None and not hits:
        return None
    word = str(next(group for group in (hit or hits[-1]).groups() if group)).lower()
    return _COMMANDS.get(word, word.upper())


def _remote(text: str) -> tuple[str | None, str | None]:
    """The host that spoke last, and its address."""
    patterns = (_FQDN, _HOST, _DISLIKED)
    hits = [hit for pattern in patterns for hit in pattern.finditer(text) if not hit.group(1)]
    named = [hit for hit in hits if hit.group(3)] or [hit for hit in hits if _is_host(hit.group(2))]
    if named:
        return named[-1].group(2).lower(), named[-1].group(3)
    bare = _BARE_IP.search(text)
    return None, bare.group(1) if bare else None


def _is_host(name: str) -> bool:
    return not name.replace(".", "").isdigit() and name.rpartition(".")[2].isalpha()


def _retry_after_s(text: str) -> int | None:
    clock = _RETRY_CLOCK.search(text)
    if clock is not None:
        hours, minutes, seconds = map(int, clock.groups())
        return hours * 3600 + minutes * 60 + seconds
    for hit in _RETRY.finditer(text):
        number, unit = hit.group(1).lower(), (hit.group(2) or "").lower()[:1]
        if unit:
            return (_NUMBERS.get(number) or int(number)) * _UNITS[unit]
    bare = _RETRY_AFTER.search(text)
    return int(bare.group(1)) if bare else None


def _queue_ids(text: str) -> tuple[str, ...]:
    logged = (first or second for first, second in _LOG_QUEUE.findall(text))
    return tuple(dict.fromkeys([*_QUEUED.findall(text), *logged]))


@cache
def _wrapper_engines() -> tuple[Any, Any]:
    """Wrappers that are certain, and those after which a reply code must follow."""
    entries = read_toml(data_file("wrappers.toml"))["wrapper"]
    certain = (entry["text"] for entry in entries if not entry.get("needs_code"))
    possible = (entry["text"] for entry in entries if entry.get("needs_code"))
    return compiled("|".join(certain)), compiled("|".join(possible))


@cache
def _block_list_engine() -> tuple[PatternSet, tuple[str, ...]]:
    entries = read_toml(data_file("blocklists.toml"))["block_list"]
    return compiled_set(entry["text"] for entry in entries), tuple(entry["name"] for entry in entries)
