"""Stores what was diagnosed by sending it to a webhook, signed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from service.errors import CallFailed, CallRefused
from service.gateways.asking import Answer
from service.gateways.stores import Store
from service.outgoing import Caller
from service.settings import Settings
from service.webhooks import DIAGNOSIS_MADE, events_of

_TAKEN_OVER = (
    "NDR_WEBHOOK_SECRET",
    "NDR_WEBHOOK_SECRET_FILE",
    "NDR_WEBHOOK_KINDS",
    "NDR_WEBHOOK_CATEGORIES",
)


def sent_to(url: str, environment: Mapping[str, str], caller: Caller | None = None) -> Store:
    """Sends each diagnosis to a webhook; the same one has the same ``webhook-id`` each time.

    A mail without a diagnosis is not told of.

    Args:
        url: where to; https, or http on loopback.
        environment: holds the secret, and which kinds and categories are told of.
        caller: calls the receiver; over HTTP where it is left out.

    Raises:
        SettingError: the address or the secret is not as it must be.
    """
    given = {name: environment[name] for name in _TAKEN_OVER if environment.get(name)}
    settings = Settings.read({**given, "NDR_WEBHOOK_URL": url, "NDR_WEBHOOK_EVENTS": DIAGNOSIS_MADE})
    events = events_of(settings, caller)

    def store(_raw: bytes, answer: Answer) -> None:
        if events is None or "problem" in answer:
            return
        try:
            events.diagnosis_made(answer, datetime.now(UTC))
        except CallRefused as refusal:
            raise CallFailed(str(refusal)) from refusal  # the mail waits until somebody has mended it

    return store
