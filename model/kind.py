"""Says what kind of message a mail is, from headers and structure first and words last."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from model.mail import Mail
from model.patterns import PatternSet, compiled_set
from model.reply import codes_of
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
_QUOTED_LINE = re.compile(r"^>(?!>).*\n?", re.M)
_DAEMON = re.compile(r"mailer-?daemon", re.I)
_ANSWER = re.compile(r"(?:re|aw|sv|vs|odp|ynt|ref|antw|回复|答复|回覆|返信)(?:\[\d+\])?\s?[:：]", re.I)
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


@dataclass(frozen=True, slots=True)
class _Claims:
    """What speaks for a report: where it comes from, its words, and what it shows."""

    by_daemon: bool
    by_system: bool
    is_null_sender: bool
    returns_message: bool
    has_code: bool
    shows_evidence: bool
    by_subject: bool
    by_text: bool
    is_bulk: bool

    @property
    def is_from_machine(self) -> bool:
        """Whether more than words says that a mail system wrote it."""
        return self.by_system or self.is_null_sender or self.returns_message

    @property
    def is_report(self) -> bool:
        """Two of sender, subject and words, with something to show for it.

        Ordinary mail may speak of failed deliveries; a report shows who failed, a code, or the message.
        """
        shows = self.shows_evidence or self.returns_message or self.has_code
        says = min(self.by_subject + self.by_text, 1 if self.is_bulk else 2)
        proves = (self.by_daemon and shows) or (self.by_system and self.has_code and self.shows_evidence)
        claims = self.by_system + self.is_null_sender + self.returns_message + says + proves
        return claims >= 2 and (shows or self.is_null_sender or self.by_daemon)


def kind_of(
    mail: Mail, notice: str, actions: Iterable[str | None], *, shows_evidence: bool = False
) -> Finding:
    """What a mail is.

    Args:
        mail: the mail.
        notice: its text without the returned message.
        actions: the ``Action`` fields of its delivery status, if it has one.
        shows_evidence: whether the notice says of an address that it failed, or holds the message.
    """
    lead = _QUOTED_LINE.sub("", notice[:_LEAD_CHARS])
    claims = _claims(mail, lead, shows_evidence=shows_evidence)
    is_bounce = _header_hits(mail, Kind.BOUNCE)
    return (
        _complaint(mail, lead)
        or _by_action(actions)
        or _receipt(mail)
        or _other_report(mail)
        or _auto_reply(mail, is_report=is_bounce or (claims.is_report and claims.is_from_machine))
        or (_by_words(mail, lead) if is_bounce or claims.is_report else None)
        or Finding(Kind.NOT_NDR, "neither headers nor structure are those of a report")
    )


def kind_of_text(text: str) -> Finding | None:
    """What a bare text is by its own words, ``None`` where they do not say."""
    lead = text[:_LEAD_CHARS]
    if _marks(Kind.SUCCESS).text.hits(lead):
        return Finding(Kind.SUCCESS, "the text says delivered")
    if _marks(Kind.DELAY).text.hits(lead):
        return Finding(Kind.DELAY, "the text says deferred")
    if _marks(Kind.BOUNCE).text.hits(lead):
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


def _other_report(mail: Mail) -> Finding | None:
    if _header_hits(mail, Kind.NOT_NDR):
        return Finding(Kind.NOT_NDR, "the headers of a report on something else")
    return None


def _auto_reply(mail: Mail, *, is_report: bool) -> Finding | None:
    marks = _marks(Kind.AUTO_REPLY)
    subject = mail.header("Subject")
    if marks.subject.hits(subject):
        return Finding(Kind.AUTO_REPLY, "the subject of an automatic reply")
    if _header_hits(mail, Kind.AUTO_REPLY) and not is_report:
        return Finding(Kind.AUTO_REPLY, "the headers of an automatic reply")
    return None


def _by_words(mail: Mail, lead: str) -> Finding:
    subject = mail.header("Subject")
    delay, success = _marks(Kind.DELAY), _marks(Kind.SUCCESS)
    if delay.text.hits(lead) or (delay.subject.hits(subject) and not _marks(Kind.BOUNCE).text.hits(lead)):
        return Finding(Kind.DELAY, "the words of a delay warning")
    if success.subject.hits(subject) and not _marks(Kind.BOUNCE).text.hits(lead):
        return Finding(Kind.SUCCESS, "the words of a delivery notice")
    return Finding(Kind.BOUNCE, "sender, subject and words of a non-delivery report")


def _claims(mail: Mail, lead: str, *, shows_evidence: bool) -> _Claims:
    sender, subject = mail.header("From"), mail.header("Subject")
    by_daemon = sender.endswith("<>") or bool(_DAEMON.search(sender))
    by_system = by_daemon or not sender.strip() or bool(_marks(Kind.BOUNCE).sender.hits(sender))
    by_subject, by_text = _says(subject, lead)
    return _Claims(
        by_daemon=by_daemon,
        by_system=by_system,
        is_null_sender=mail.header("Return-Path").strip() == "<>",
        returns_message=mail.returned is not None,
        has_code=any(codes_of(lead)),
        shows_evidence=shows_evidence,
        by_subject=by_subject and (by_system or not _is_answer(mail)),
        by_text=by_text,
        is_bulk=bool(mail.header("List-Unsubscribe")),
    )


def _is_answer(mail: Mail) -> bool:
    """Whether a person answers, and so the subject is another mail's."""
    refers = mail.header("In-Reply-To") or mail.header("References")
    return bool(refers) and _ANSWER.match(mail.header("Subject")) is not None


def _says(subject: str, lead: str) -> tuple[bool, bool]:
    """Whether the subject, and whether the text, speaks of a failed or a delayed delivery."""
    marks = [_marks(kind) for kind in (Kind.BOUNCE, Kind.DELAY)]
    return any(mark.subject.hits(subject) for mark in marks), any(mark.text.hits(lead) for mark in marks)


def _header_hits(mail: Mail, kind: Kind) -> bool:
    return bool(_marks(kind).header.hits(mail.header_block))


@cache
def _kinds() -> dict[str, Any]:
    return read_toml(data_file("kinds.toml"))


@cache
def _marks(kind: Kind) -> _Marks:
    entry = _kinds()[kind.value]
    return _Marks(**{name: compiled_set(f"(?m){text}" for text in texts) for name, texts in entry.items()})
