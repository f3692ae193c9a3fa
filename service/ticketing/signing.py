"""Checks that a webhook comes from the system that holds the secret."""

from __future__ import annotations

import hashlib
import hmac

from service.ticketing.errors import BadSignature
from service.ticketing.nouns import Webhook

HEADER = "x-ndr-signature"
PREFIX = "sha256="


def check_hmac(
    request: Webhook, secret: str, *, header: str = HEADER, prefix: str = PREFIX, digest: str = "sha256"
) -> None:
    """Wants the HMAC of the body, in hex, in a header.

    Args:
        request: the webhook.
        secret: what both sides know.
        header: the name of the header in lower case.
        prefix: what stands before the hex digits.
        digest: the name of the hash.

    Raises:
        BadSignature: it is missing or another one, or there is no secret to check it with.
    """
    expected = prefix + hmac.new(secret.encode(), request.body, getattr(hashlib, digest)).hexdigest()
    check_token(request.headers.get(header, "").lower(), expected if secret else "")


def check_token(given: str, expected: str) -> None:
    """Wants a word that both sides know; takes the same time whatever is given.

    Raises:
        BadSignature: it is another one, or there is none to compare with.
    """
    if not expected:
        raise BadSignature("The system takes no webhooks: its configuration holds no secret.")
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise BadSignature("The signature is missing or wrong.")
