"""Makes a Report of a mail: the recipients that failed, in whose words, and what kind of message it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from email.message import Message

from model.dsn import DeliveryStatus, is_address, read_delivery_status
from model.envelope import original_recipient_of
from model.kind import kind_of
from model.mail import Mail, header_of, headers_of, read_mail
from model.notice import (
    UNEXPLAINED,
    Mention,
    Notice,
    addresses,
    mentions,
    remote,
    reporter,
    split_returned,
)
from model.providers import providers
from model.ses_event import read_ses_event
from model.stamps import mail_stamp
from model.trail import trail_of
from model.types import Failure, Kind, Report

MAX_HOPS = 100
MAX_NAMED = 5
"""So many addresses of one field are looked at."""

_STATUS_TYPES = (
    "message/delivery-status",
    "message/global-delivery-status",
    "message/disposition-notification",
)
_INLINE_STATUS = re.compile(r"^Final-Recipient[ \t]*:", re.I | re.M)
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,990}>")
_DISPOSED_OF = re.compile(r"^Original-Message-ID[ \t]*:\s*(<[^<>\s]{1,990}>)", re.I | re.M)
_ABOUT_DELIVERY = (Kind.BOUNCE, Kind.DELAY, Kind.SUCCESS)
_RECIPIENT_HEADERS = ("X-Failed-Recipients", "Envelope-To", "X-Envelope-To", "To", "Cc")
_ENVELOPE_HEADERS = ("X-Original-To", "Delivered-To", "Envelope-To", "To")
_SENDERS = ("To", "Delivered-To", "Return-Path", "Envelope-To", "X-Original-To", "Sender", "From")


def report_of(mail: Mail) -> Report:
    """What a mail reports; nothing is judged yet."""
    words = _words_of(mail)
    event = read_ses_event(words)
    if event is not None:
        return event
    notice = split_returned(words)
    report = _own_report(mail, notice)
    return _inner_report(report, mail.returned_raw or notice.returned.encode()) or report


def _words_of(mail: Mail) -> str:
    return "\n\n".join(part.text for part in mail.parts if part.content_type not in _STATUS_TYPES)


def _inner_report(outer: Report, raw: bytes) -> Report | None:
    """The report that somebody forwarded, or that another system wrapped in a notice of its own."""
    if not raw or (outer.kind in _ABOUT_DELIVERY and outer.names_a_recipient):
        return None
    inner = read_mail(raw)
    report = _own_report(inner, split_returned(_words_of(inner)))
    if report.kind not in _ABOUT_DELIVERY or all(failure.address is None for failure in report.failures):
        return None
    warning = "the report was inside another message"
    return replace(report, warnings=(*outer.warnings, *report.warnings, warning))


def _own_report(mail: Mail, notice: Notice) -> Report:
    returned = mail.returned or (headers_of(notice.returned) if notice.returned else None)
    status = _delivery_status(mail, notice.text)
    named = _named(mail, notice.text)
    shows_evidence = bool(notice.returned) or any(mention.rank != UNEXPLAINED for mention in named)
    actions = (failure.action for failure in status.failures)
    finding = kind_of(mail, notice.text, actions, shows_evidence=shows_evidence)
    found = _failures(mail, status, named, returned) if finding.kind in _ABOUT_DELIVERY else ()
    return Report(
        kind=finding.kind,
        kind_reason=finding.reason,
        failures=_with_remote(found, notice.text),
        notice=notice.text,
        subject=mail.header("Subject"),
        reporting_mta=status.reporting_mta or reporter(notice.text),
        software=providers().of_headers(mail.header_block),
        original_message_id=_original_message_id(mail, returned),
        original_seen=returned is not None and len(returned) > 0,
        names_a_recipient=_names_a_recipient(mail, status, named),
        trail=trail_of(_received(returned)),
        original_sender=_original_sender(mail, returned),
        reported_at=mail_stamp(mail.header("Date")),
        warnings=mail.warnings,
    )


def _original_sender(mail: Mail, returned: Message | None) -> str | None:
    """Who sent the message that came back: by its own headers, else whoever the report was sent to."""
    fields = [header_of(returned, name) for name in ("Return-Path", "From")] if returned is not None else []
    found = (address for text in (*fields, mail.header("To")) for address in addresses(text))
    return next((address.lower() for address in found), None)


def _received(returned: Message | None) -> list[str]:
    fields = returned.get_all("Received", ()) if returned is not None else ()
    return [str(value) for value in fields][:MAX_HOPS]


def _original_message_id(mail: Mail, returned: Message | None) -> str | None:
    """The id of the returned message, else the one that a disposition notification names."""
    written = header_of(returned, "Message-Id") if returned else ""
    hits = (_DISPOSED_OF.search(part.text) for part in mail.of_type(*_STATUS_TYPES))
    named = next((hit.group(1) for hit in hits if hit), None)
    token = _MESSAGE_ID.search(written)
    return token.group() if token else next(iter(written.split()), named)


def _with_remote(failures: tuple[Failure, ...], notice: str) -> tuple[Failure, ...]:
    """The failures with the refusing server that the words about each name; of a single one, the notice's."""
    words = [failure.reason for failure in failures] if len(failures) > 1 else [notice]
    return tuple(
        failure if failure.remote_mta else replace(failure, remote_mta=remote(text))
        for failure, text in zip(failures, words, strict=False)
    )


def _named(mail: Mail, notice: str) -> tuple[Mention, ...]:
    """The recipients that the notice names, or for want of them the subject."""
    excluded = _excluded(mail)
    named = mentions(notice, excluded=excluded)
    if named:
        return named
    in_subject = mentions(mail.header("Subject"), excluded=excluded)
    return tuple(mention for mention in in_subject if mention.rank < UNEXPLAINED)


def _names_a_recipient(mail: Mail, status: DeliveryStatus, named: tuple[Mention, ...]) -> bool:
    """Whether the report itself says who failed, so that nothing inside it needs to."""
    is_explained = any(mention.rank < UNEXPLAINED for mention in named)
    return bool(is_explained or status.failures or mail.header("X-Failed-Recipients"))


def _delivery_status(mail: Mail, notice: str) -> DeliveryStatus:
    """The status parts; where a mail lost its MIME structure, the same fields within its text."""
    parts = [part.text for part in mail.of_type(*_STATUS_TYPES)]
    inline = [notice] if not parts and _INLINE_STATUS.search(notice) else []
    read = [read_delivery_status(text) for text in parts or inline]
    mta = next((status.reporting_mta for status in read if status.reporting_mta), None)
    return DeliveryStatus(mta, tuple(failure for status in read for failure in status.failures))


def _excluded(mail: Mail) -> set[str]:
    """The addresses of the report's own sender and reader."""
    own = {address.lower() for name in _SENDERS for address in addresses(mail.header(name))}
    returned = mail.returned
    if returned is not None:
        own |= {address.lower() for address in addresses(header_of(returned, "From"))}
        own -= {address.lower() for address in addresses(header_of(returned, "To"))}
    return own - {address.lower() for address in addresses(mail.header("X-Failed-Recipients"))}


def _failures(
    mail: Mail, status: DeliveryStatus, named: tuple[Mention, ...], returned: Message | None
) -> tuple[Failure, ...]:
    """By the delivery status, else the header, notice or envelope, else the returned message's recipients."""
    reasons = {mention.address.lower(): mention.reason for mention in named}
    if len(named) == 1 and len(status.failures) == 1 and not is_address(status.failures[0].address):
        status = replace(status, failures=(replace(status.failures[0], address=named[0].address),))
    if status.failures and any(failure.address for failure in status.failures):
        return tuple(_with_reason(failure, reasons, named) for failure in status.failures)
    listed = addresses(mail.header("X-Failed-Recipients")) or tuple(mention.address for mention in named)
    listed = listed or _enveloped(mail) or _returned_recipients(returned)
    template = status.failures[0] if status.failures else Failure(None)
    found = (replace(template, address=address) for address in listed)
    return tuple(_with_reason(failure, reasons, named) for failure in found) or (template,)


def _with_reason(failure: Failure, reasons: dict[str, str], named: tuple[Mention, ...]) -> Failure:
    """The failure with the notice's words about it; a full address where the status has only a local part."""
    names = [name.lower() for name in (failure.address, failure.original_address) if name]
    reason = next((reasons[name] for name in names if name in reasons), "")
    if not reason and len(named) == 1:
        reason = named[0].reason
    if failure.address and "@" not in failure.address:
        failure = replace(failure, address=_completed(failure.address, named))
    return replace(failure, reason=reason)


def _completed(local_part: str, named: Iterable[Mention]) -> str:
    prefix = f"{local_part.lower()}@"
    return next(
        (mention.address for mention in named if mention.address.lower().startswith(prefix)), local_part
    )


def _enveloped(mail: Mail) -> tuple[str, ...]:
    """Where the report names nobody, whom the address that it was sent to was made for."""
    read = (addresses(mail.header(name)) for name in _ENVELOPE_HEADERS)
    meant = (original_recipient_of(address) for found in read for address in found[:MAX_NAMED])
    return next(((address,) for address in meant if address), ())


def _returned_recipients(returned: Message | None) -> tuple[str, ...]:
    """Where the report names nobody, the addresses that the returned message was sent to."""
    if returned is None:
        return ()
    fields = (header_of(returned, name) for name in _RECIPIENT_HEADERS)
    found = next((addresses(field) for field in fields if addresses(field)), ())
    return tuple(address for address in found if is_address(address))
