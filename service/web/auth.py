"""Asks for a key, when there are keys."""

from __future__ import annotations

import hashlib
import hmac

from flask import Flask, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

OPEN = frozenset(
    {
        *("operations.healthz", "operations.readyz", "page.home", "page.docs", "api-docs.openapi_json"),
        *("tickets.receive", "tickets.diagnosis"),
    }
)
"""What asks for no key: signs of life, the description, webhooks, which are signed instead, and diagnoses
with names that cannot be guessed."""


def register(app: Flask, digests: tuple[bytes, ...]) -> None:
    """Makes an application ask for one of some keys, which it knows by digest; with none it asks nobody."""

    def check_key() -> None:
        if digests and request.endpoint not in OPEN and not _is_known(_given_key(), digests):
            raise Unauthorized("A key is missing or not known.", www_authenticate=WWWAuthenticate("bearer"))

    app.before_request(check_key)


def _given_key() -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _is_known(key: str, digests: tuple[bytes, ...]) -> bool:
    """Whether a key is among the known ones; takes the same time whichever it is."""
    digest = hashlib.sha256(key.encode()).digest()
    return sum([hmac.compare_digest(digest, known) for known in digests]) > 0
