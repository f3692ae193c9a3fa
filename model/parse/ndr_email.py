"""Reads a non-delivery report that came as a mail (RFC 5322 bytes)."""

from __future__ import annotations

import re

from model.mail import read_mail
from model.report import report_of
from model.types import Form, Report

_LEAD_BYTES = 4096
_FIELD = re.compile(
    rb"^(?:received|return-path|from|to|subject|date|message-id|mime-version|content-type|delivered-to|x-[\w-]+|"
    rb"auto-submitted|reply-to|envelope-to|arc-[\w-]+|dkim-signature|authentication-results)[ \t]*:",
    re.I | re.M,
)
_ANY_FIELD = re.compile(rb"[!-9;-~]{1,76}:")
_MIN_FIELDS = 2


def claims(raw: bytes, form: Form) -> bool:
    """Whether these bytes are a mail: said so, or opened by header fields."""
    if form is Form.MESSAGE:
        return True
    lead = raw.lstrip(b"\xef\xbb\xbf\r\n\t ")[:_LEAD_BYTES].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    head = lead.partition(b"\n\n")[0]
    opens = head.startswith((b"From ", b">From ")) or _ANY_FIELD.match(head) is not None
    return form is not Form.MSG and opens and len(_FIELD.findall(head)) >= _MIN_FIELDS


def parse(raw: bytes) -> Report:
    """The report in a mail; any bytes make one."""
    return report_of(read_mail(raw))
