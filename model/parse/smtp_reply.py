"""Takes a diagnostic text apart: codes, wrappers, the innermost reply."""

from __future__ import annotations

import re

from model.types import Reply, Unwrapped

_CODE = re.compile(r"(?<![\d.:])([245]\d\d)(?![\d.])[ -]*#?([245]\.\d{1,3}\.\d{1,3})?")
_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")


def unwrap(diagnostic: str) -> Unwrapped:
    """The diagnostic taken apart (first version)."""
    text = " ".join(diagnostic.split())
    code = _CODE.search(text)
    enhanced = _ENHANCED.search(text)
    reply = Reply(text, int(code.group(1)) if code else None, enhanced.group(1) if enhanced else None)
    command = re.search(r"in reply to (?:end of )?(MAIL FROM|RCPT TO|DATA|HELO|EHLO|STARTTLS|AUTH)", text)
    return Unwrapped(text, (reply,), 0, len(text), command=command.group(1) if command else None)
