"""The few things that adapters do alike: JSON in and out, safe paths."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from service.errors import CallRefused
from service.ticketing.errors import BadEvent
from service.ticketing.nouns import Webhook

if TYPE_CHECKING:
    from service.outgoing import Caller

JSON = "application/json"
GONE = (404, 410)


def quoted(part: str) -> str:
    """An id as part of a path: it comes from outside, and must not lead elsewhere.

    >>> quoted("../7?x")
    '..%2F7%3Fx'
    """
    return quote(part, safe="") if part.strip(".") else quote(part, safe="").replace(".", "%2E")


def get_json(caller: Caller, path: str, *, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401  # any JSON value
    """What a system answers to a question."""
    return caller.call("GET", path, headers={"Accept": JSON, **(headers or {})}).json()


def send_json(
    caller: Caller,
    method: str,
    path: str,
    value: object,
    *,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Sends a value as JSON; the body of the answer."""
    typed = {"Content-Type": JSON, "Accept": JSON, **(headers or {})}
    return caller.call(method, path, body=orjson.dumps(value), headers=typed).body


def exists(caller: Caller, path: str) -> bool:
    """Whether a system has something at a path."""
    try:
        caller.call("GET", path, headers={"Accept": JSON})
    except CallRefused as refusal:
        if refusal.status in GONE:
            return False
        raise
    return True


def json_of(request: Webhook) -> dict[str, Any]:
    """The object in a webhook.

    Raises:
        BadEvent: there is none.
    """
    try:
        value = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise BadEvent("The body is no JSON.") from None
    if not isinstance(value, dict):
        raise BadEvent("The body is no JSON object.")
    return value


def word_of(value: Mapping[str, Any], *names: str) -> str:
    """A number or text at a place in nested objects, as text.

    >>> word_of({"ticket": {"id": 7}}, "ticket", "id")
    '7'

    Raises:
        BadEvent: there is none.
    """
    found: Any = value
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, bool) or not isinstance(found, int | str) or not str(found).strip():
        raise BadEvent(f"{'.'.join(names)} is missing.")
    return str(found).strip()


def moment_of(value: object) -> datetime:
    """A time of an answer, in UTC.

    Raises:
        ValueError: it is not in ISO 8601.
    """
    return datetime.fromisoformat(str(value)).astimezone(UTC)
