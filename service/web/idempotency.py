"""Reads the caller's own name for a request, with which it counts once."""

from __future__ import annotations

import hashlib
import re

from flask import request

from service.answer import Answer
from service.web.errors import InvalidQuery

KEY_HEADER = "Idempotency-Key"
KEY_PARAMETER: Answer = {
    "name": KEY_HEADER,
    "in": "header",
    "description": "A name for this request: sent again with it, the same body counts once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": "ticket-4711",
}


def key_digest() -> str | None:
    """A digest of the caller's key, when the header names one.

    Raises:
        InvalidQuery: it is empty, too long, or not printable ASCII.
    """
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return None
    if not re.fullmatch(r"[\x20-\x7e]{1,255}", key):
        raise InvalidQuery({KEY_HEADER: ["1 to 255 printable ASCII characters are allowed."]})
    return hashlib.sha256(key.encode()).hexdigest()
