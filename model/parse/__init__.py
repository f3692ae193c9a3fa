"""Readers of evidence, one module a format: of reports, the first that claims the bytes; of logs, the one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from model.events import LogFormat
from model.parse import (
    amavis,
    barracuda,
    cisco_esa,
    exchange_connectivity,
    exchange_event,
    exchange_protocol,
    exchange_queue,
    exchange_trace,
    exchange_tracking,
    exim,
    haraka,
    headers,
    kumomta,
    mailgun,
    mimecast,
    ndr_email,
    opensmtpd,
    outlook_msg,
    pasted_text,
    postfix,
    postmark,
    powermta,
    proofpoint,
    qmail,
    rspamd,
    sendgrid,
    sendmail,
    ses_notification,
    sparkpost,
)
from model.types import Form, Report


class Parser(NamedTuple):
    """One format of reports: its name, whether it claims some bytes, and how it reads them."""

    name: str
    claims: Callable[[bytes, Form], bool]
    parse: Callable[[bytes], Report]


PARSERS = (
    Parser("outlook_msg", outlook_msg.claims, outlook_msg.parse),
    Parser("ndr_email", ndr_email.claims, ndr_email.parse),
    Parser("pasted_text", pasted_text.claims, pasted_text.parse),
)
"""All formats of reports, the pickiest first; the last one takes everything."""

LOG_FORMATS: tuple[LogFormat, ...] = (
    exchange_tracking.FORMAT,
    exchange_protocol.FORMAT,
    exchange_connectivity.FORMAT,
    exchange_trace.FORMAT,
    exchange_queue.FORMAT,
    exchange_event.FORMAT,
    headers.FORMAT,
    barracuda.FORMAT,
    cisco_esa.FORMAT,
    proofpoint.FORMAT,
    mimecast.FORMAT,
    rspamd.FORMAT,
    amavis.FORMAT,
    postfix.FORMAT,
    exim.FORMAT,
    sendmail.FORMAT,
    opensmtpd.FORMAT,
    qmail.FORMAT,
    haraka.FORMAT,
    kumomta.FORMAT,
    powermta.FORMAT,
    ses_notification.FORMAT,
    sendgrid.FORMAT,
    mailgun.FORMAT,
    postmark.FORMAT,
    sparkpost.FORMAT,
)
"""All formats of logs; a text is of at most one."""


def parse(raw: bytes, form: Form = Form.AUTO) -> Report:
    """The report in some bytes.

    Raises:
        EvidenceError: the bytes are not what ``form`` says.
    """
    parser = next(parser for parser in PARSERS if parser.claims(raw, form))
    return parser.parse(raw)


def log_format(name: str) -> LogFormat | None:
    """The format of logs that has a name."""
    return next((form for form in LOG_FORMATS if form.name == name), None)
