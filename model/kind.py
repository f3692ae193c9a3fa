"""Says what kind of message a mail is, from headers and structure first and words last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from model.mail import Mail
from model.patterns import PatternSet, compiled_set
from model.resources import data_file, read_toml
from model.types import Kind

_LEAD_CHARS = 2000
_ACTIONS = {
    "failed": Kind.BOUNCE,
    "delayed": Kind.DELAY,
    "deferred": Kind.DELAY,
    "delivered": Kind.SUCCESS,
    "relayed": Kind.SUCCESS,
    "expanded": Kind.SUCCESS,
}
_RANKED = (Kind.BOUNCE, Kind.DELAY, Kind.SUCCESS)
_EMPTY = PatternSet(())


@dataclass(frozen=True, slots=True)
class Finding:
    """A kind, and what gave it away."""

    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class _Marks:
    sender: PatternSet = _EMPTY
    subject: PatternSet = _EMPTY
    text: PatternSet = _EMPTY
    header: PatternSet = _EMPTY


def kind_of(mail: Mail, notice: str, actions: Iterable[str | None]) -> Finding:
    """What a mail is.

    Args:
        mail: the mail.
        notice: its text without the returned message.
        actions: the ``Action`` fields of its delivery status, if it has one.
    """
    lead = notice[:_LEAD_CHARS]
    return (
        _complaint(mail, lead)
        or _by_action(actions)
        or _receipt(mail)
        or _auto_reply(mail, lead)
        or _by_words(mail, lead)
        or Finding(Kind.NOT_NDR, "neither headers nor structure are those of a report")
    )


def kind_of_text(text: str) -> Finding | None:
    """What a bare text is by its own words, ``None`` where they do not say."""
    lead = text[:_LEAD_CHARS]
    if "status=sent" in lead or _marks(Kind.SUCCESS).text.hits(lead):
        return Finding(Kind.SUCCESS, "the text says delivered")
    if "status=deferred" in lead or _marks(Kind.DELAY).text.hits(lead):
        return Finding(Kind.DELAY, "the text says deferred")
    if _marks(Kind.BOUNCE).text.hits(lead) or "status=bounced" in lead:
        return Finding(Kind.BOUNCE, "the text says not delivered")
    return None


def _complaint(mail: Mail, lead: str) -> Finding | None:
    if mail.report_type == "feedback-report" or any(mail.of_type("message/feedback-report")):
        return Finding(Kind.COMPLAINT, "report-type is feedback-report")
    marks = _marks(Kind.COMPLAINT)
    forwarded = mail.returned is not None and bool(marks.subject.hits(mail.header("Subject")))
    if forwarded or _header_hits(mail, Kind.COMPLAINT) or marks.text.hits(lead[:400]):
        return Finding(Kind.COMPLAINT, "the words of a feedback report")
    return None


def _by_action(actions: Iterable[str | None]) -> Finding | None:
    kinds = {_ACTIONS[action.lower()] for action in actions if action and action.lower() in _ACTIONS}
    kind = next((kind for kind in _RANKED if kind in kinds), None)
    return Finding(kind, "the Action field of the delivery status") if kind else None


def _receipt(mail: Mail) -> Finding | None:
    """A message disposition notification (RFC 8098): displayed, or deleted and so not delivered."""
    text = " ".join(part.text for part in mail.of_type("message/disposition-notification")).lower()
    if not text:
        return None
    failed = (
        any(word in text for word in ("failed", "denied", "/error"))
        or "reject" in mail.header("Subject").lower()
    )
    return Finding(Kind.BOUNCE if failed else Kind.SUCCESS, "a message disposition notification")


def _auto_reply(mail: Mail, lead: str) -> Finding | None:
    marks = _marks(Kind.AUTO_REPLY)
    subject = mail.header("Subject")
    if marks.subject.hits(subject):
        return Finding(Kind.AUTO_REPLY, "the subject of an automatic reply")
    if _header_hits(mail, Kind.AUTO_REPLY) and not _is_bounce_like(mail, lead):
        return Finding(Kind.AUTO_REPLY, "the headers of an automatic reply")
    return None


def _by_words(mail: Mail, lead: str) -> Finding | None:
    if not _is_bounce_like(mail, lead):
        return None
    subject = mail.header("Subject")
    delay, success = _marks(Kind.DELAY), _marks(Kind.SUCCESS)
    if delay.text.hits(lead) or (delay.subject.hits(subject) and not _marks(Kind.BOUNCE).text.hits(lead)):
        return Finding(Kind.DELAY, "the words of a delay warning")
    if success.subject.hits(subject) and not _marks(Kind.BOUNCE).text.hits(lead):
        return Finding(Kind.SUCCESS, "the words of a delivery notice")
    return Finding(Kind.BOUNCE, "sender, subject and words of a non-delivery report")


def _is_bounce_like(mail: Mail, lead: str) -> bool:
    """Two of sender, subject and words, or a header that only reports carry."""
    if _header_hits(mail, Kind.BOUNCE):
        return True
    is_null_sender = mail.header("Return-Path").strip() == "<>"
    sender = mail.header("From")
    by_system = not sender.strip("<> ") or bool(_marks(Kind.BOUNCE).sender.hits(sender))
    subject, text = _says(mail.header("Subject"), lead)
    claims = (by_system, is_null_sender, subject, text, mail.returned is not None)
    return sum(claims) >= 2


def _says(subject: str, lead: str) -> tuple[bool, bool]:
    """Whether the subject, and whether the text, speaks of a failed or a delayed delivery."""
    marks = [_marks(kind) for kind in (Kind.BOUNCE, Kind.DELAY)]
    return any(mark.subject.hits(subject) for mark in marks), any(mark.text.hits(lead) for mark in marks)


def _header_hits(mail: Mail, kind: Kind) -> bool:
    return bool(_marks(kind).header.hits(mail.header_block))


@cache
def _marks(kind: Kind) -> _Marks:
    entry = read_toml(data_file("kinds.toml"))[kind.value]
    return _Marks(**{name: compiled_set(f"(?m){text}" for text in texts) for name, texts in entry.items()})
