"""The options of the adapter for any system: their names, and whether they fit together."""

from __future__ import annotations

import re
from collections.abc import Mapping

from service.errors import SettingError
from service.setting_values import Refused, webhook_secret
from service.ticketing.nouns import AXES, System
from service.ticketing.templates import CallTemplate, WrongTemplate, call_template, option_refusal

SIGNATURES = ("hmac", "hmac-base64", "token", "standard-webhooks")
HMAC, HMAC_BASE64, TOKEN, STANDARD = SIGNATURES
DIGESTS = ("sha256", "sha1", "sha512")
ENCODINGS = ("text", "base64")
TEXT, BASE64 = ENCODINGS
_WRITTEN = frozenset({"ticket", "message", "tags", "new_tags", "fields", *AXES})
BLANKS: Mapping[str, frozenset[str]] = {
    "read": frozenset({"ticket"}),
    "fetch": frozenset({"ticket", "message"}),
    "notes": frozenset({"ticket"}),
    "poll": frozenset({"since"}),
    "tags": _WRITTEN,
    "queue": _WRITTEN | {"queue"},
    "priority": _WRITTEN | {"priority"},
    "note": _WRITTEN | {"note", "note_html", "title"},
    "merge": _WRITTEN | {"target"},
}
"""The calls, and what may be filled into each."""

OPTIONS = (
    *("signature", "signature_header", "signature_prefix", "signature_digest", "authorization"),
    *("ticket_at", "message_at", "author_at", "event_at", "events", "raw_at", "raw_encoding"),
    *("fetch_at", "fetch_encoding", "tags_at", "poll_at", "subject", "message_id"),
    *BLANKS,
    *(f"{name}_body" for name in BLANKS),
)
_CHOICES = {
    "signature": SIGNATURES,
    "signature_digest": DIGESTS,
    "raw_encoding": ENCODINGS,
    "fetch_encoding": ENCODINGS,
}
_NEEDS = {
    **{f"{name}_body": name for name in BLANKS},
    "note": "notes",
    "events": "event_at",
    "fetch_at": "fetch",
    "poll_at": "poll",
    "tags_at": "read",
    "subject": "read",
    "message_id": "read",
}
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}: [ -~]{1,1000}")


def check(system: System) -> None:
    """Wants options that fit together and to the rest of the system's configuration.

    Raises:
        SettingError: they do not; names the option.
    """
    given = system.options
    for name, allowed in _CHOICES.items():
        if given.get(name, allowed[0]) not in allowed:
            raise option_refusal(system, name, f"one of {', '.join(allowed)}")
    for name, needed in _NEEDS.items():
        if name in given and needed not in given:
            raise option_refusal(system, needed, f"a text: {name} needs it")
    if "authorization" in given and not _HEADER.fullmatch(given["authorization"]):
        raise option_refusal(system, "authorization", "the name of a header, a colon, a blank and its value")
    written = "".join(given.get(f"{name}_body", "") + given.get(name, "") for name in BLANKS)
    if "{tags}" in written and "tags_at" not in given:
        raise option_refusal(system, "tags_at", "the place of the tags: {tags} needs it, {new_tags} does not")
    for name, why in _missing(system):
        raise option_refusal(system, name, f"a call: {why}")
    if given.get("signature") == STANDARD and system.secret:
        _check_standard(system)


def calls_of(system: System) -> dict[str, CallTemplate]:
    """The calls that are configured, by their names.

    Raises:
        SettingError: one cannot be used.
    """
    return {name: _call(system, name) for name in BLANKS if name in system.options}


def _call(system: System, name: str) -> CallTemplate:
    place = name
    try:
        line = call_template(system.options[name], "", BLANKS[name])
        place = f"{name}_body"
        return call_template(f"{line.method} {line.path}", system.options.get(place, ""), BLANKS[name])
    except WrongTemplate as wrong:
        raise option_refusal(system, place, str(wrong)) from None


def _missing(system: System) -> list[tuple[str, str]]:
    """Calls that are needed and left out, each with the reason."""
    given = system.options
    bodies = [given.get(f"{name}_body", "") for name in BLANKS]
    wishes = system.categories.values()
    needed = (
        ("fetch", "raw_at says nowhere that a webhook holds the mail", "raw_at" not in given),
        ("tags", "without it and note nothing would be written", "note" not in given),
        ("queue", "a category has a queue", any(each.queue for each in wishes)),
        ("priority", "a category has a priority", any(each.priority for each in wishes)),
        ("merge", "merging is wanted", system.merge),
        ("tags_body", "with {fields}, for there are fields", bool(system.fields)),
    )
    has = {*given} - {"tags_body"} | ({"tags_body"} if any("{fields}" in each for each in bodies) else set())
    return [(name, why) for name, why, is_needed in needed if is_needed and name not in has]


def _check_standard(system: System) -> None:
    try:
        webhook_secret(system.secret)
    except Refused as refused:
        raise SettingError(f"systems.{system.name}.secret", "…", str(refused)) from None
