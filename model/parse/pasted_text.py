"""Reads a pasted text: an SMTP reply, a log line, the words of a notice."""

from __future__ import annotations

import re

from model.charsets import decode
from model.kind import kind_of_text
from model.mail import MAX_TEXT_BYTES
from model.notice import MAX_LINES, UNEXPLAINED, mentions, split_returned
from model.reply import MAX_REPLY_CHARS
from model.types import Failure, Form, Kind, Report

_MANY_LINES = 12
_QMAIL_LOG = re.compile(r"(\bdelivery \d{1,9}: (?:failure|deferral|success): )(\S+)")
_QMAIL_LINE_END = re.compile(r"(?<![/:])/(?=$|[A-Z(]|[245]\d\d)")


def claims(raw: bytes, form: Form) -> bool:
    """Whatever is not something else is text."""
    return form is not Form.MSG


def parse(raw: bytes) -> Report:
    """The report in a text; one recipient each where it names several."""
    text = _QMAIL_LOG.sub(_in_words, decode(raw[:MAX_TEXT_BYTES]))
    notice = split_returned(text).text if text.count("\n") >= _MANY_LINES else text
    finding = kind_of_text(notice)
    failures = _failures(notice)
    return Report(
        kind=finding.kind if finding else Kind.BOUNCE,
        kind_reason=finding.reason if finding else "a bare text",
        is_bare_text=finding is None,
        failures=failures,
        notice=notice,
        warnings=_warnings(raw, notice),
    )


def _in_words(line: re.Match[str]) -> str:
    """What qmail-send logs of a delivery: it writes spaces as underscores and line ends as slashes."""
    told = line.group(2).replace("_", " ")
    return line.group(1) + _QMAIL_LINE_END.sub(" ", told).rstrip()


def _failures(notice: str) -> tuple[Failure, ...]:
    """Who failed: in a reply or a notice, the only address is the recipient's even where nothing says so."""
    named = mentions(notice)
    if len(notice) <= MAX_REPLY_CHARS and len(named) <= 1:
        return (Failure(named[0].address if named else None, diagnostic=notice),)
    found = tuple(
        Failure(mention.address, diagnostic=mention.reason) for mention in named if mention.rank < UNEXPLAINED
    )
    return found or (Failure(None, diagnostic=notice[:MAX_REPLY_CHARS]),)


def _warnings(raw: bytes, notice: str) -> tuple[str, ...]:
    cut = len(raw) > MAX_TEXT_BYTES or notice.count("\n") >= MAX_LINES
    return (
        (f"only the first {MAX_TEXT_BYTES >> 10} kB and {MAX_LINES} lines of the text are read",)
        if cut
        else ()
    )
