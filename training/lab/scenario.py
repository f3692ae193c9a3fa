"""What remotes answer, and what that means: read from ``scenarios.toml``.

A scenario has a domain of its own, which takes no word from its label, and an address per remote host.
The file's head explains the fields.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from model.errors import DataError
from model.taxonomy import taxonomy

FILE = Path(__file__).with_name("scenarios.toml")
STAGES = ("connect", "helo", "starttls", "mail", "rcpt", "data", "body")
ROUTES = (
    "remote",
    "refused",
    "timeout",
    "unreachable",
    "nxdomain",
    "servfail",
    "null_mx",
    "mx_nowhere",
    "self",
    "local",
    "filters",
)
DEAD_ROUTES = ("refused", "timeout", "unreachable")
FIRST_ADDRESS = IPv4Address("198.51.100.1")
DEAD_ADDRESS = {"timeout": "192.0.2.10", "unreachable": "192.0.2.200", "filters": "203.0.113.254"}
_TREES = tuple("alder birch cedar elm hazel larch linden maple oak pine rowan spruce willow yew".split())  # noqa: SIM905
_PLACES = tuple("bridge court field gate harbour hill lane mill park quay road row yard".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient and its truth."""

    address: str
    category: str
    accept: frozenset[str]
    permanence: str
    reply: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One message, what happens to it, and its truth."""

    id: str
    split: str
    domain: str
    host: str
    address: str
    route: str
    replies: dict[str, str]
    recipients: tuple[Recipient, ...]
    once: dict[str, str] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    charset: str = "utf-8"
    warn: bool = False
    deferred: bool = False
    require_tls: bool = False
    speaks_tls: bool = False
    dead_mx: str = ""
    notify: str = ""
    smtputf8: bool = False
    body_size: int = 0
    received: int = 0
    subject: str = ""
    body_text: str = ""
    sender: str = ""
    systems: tuple[str, ...] = ()
    accept_by: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_remote(self) -> bool:
        """Whether a scripted remote listens for it."""
        return self.route == "remote"

    @property
    def is_deferred(self) -> bool:
        """Whether a queue keeps it for a while; an estimate, used for warnings only."""
        return (
            self.deferred
            or self.route in (*DEAD_ROUTES, "servfail")
            or any(reply.startswith(("4", "close", "reset", "stall")) for reply in self.replies.values())
        )


@cache
def scenarios(path: Path = FILE) -> tuple[Scenario, ...]:
    """All scenarios, in the order of the file.

    Raises:
        DataError: one is wrong; names it and the reason.
    """
    entries = tomllib.loads(path.read_text("utf-8"))["scenario"]
    found = tuple(_scenario(number, entry) for number, entry in enumerate(entries))
    for name in ("id", "host"):
        values = [getattr(each, name) for each in found]
        twice = {value for value in values if values.count(value) > 1}
        if twice:
            raise DataError(path.name, ", ".join(sorted(twice)), f"{name} is given twice")
    return found


def _scenario(number: int, entry: dict[str, Any]) -> Scenario:
    left = dict(entry)
    try:
        return _built(number, left)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            FILE.name, str(entry.get("id", number)), f"{type(error).__name__}: {error}"
        ) from error


def _built(number: int, left: dict[str, Any]) -> Scenario:
    route = left.pop("route", "remote")
    domain = (
        left.pop("domain", None) or f"{_TREES[number % len(_TREES)]}-{_PLACES[number % len(_PLACES)]}.example"
    )
    truth: dict[str, Any] = {
        name: left.pop(name) for name in ("category", "accept", "permanence") if name in left
    }
    people = left.pop("recipients", [{"name": left.pop("name", "contact")}])
    if route not in ROUTES or left.get("split") not in ("train", "test"):
        raise ValueError(f"route {route!r}, split {left.get('split')!r}")
    return Scenario(
        domain=domain,
        host=left.pop("mx", f"mx.{domain}"),
        address=DEAD_ADDRESS.get(route, str(FIRST_ADDRESS + number)),
        route=route,
        replies={stage: left.pop(stage) for stage in STAGES if stage in left},
        recipients=tuple(_recipient(domain, {**truth, **each}) for each in people),
        extensions=tuple(left.pop("extensions", ())),
        systems=tuple(left.pop("systems", ())),
        **left,
    )


def _recipient(domain: str, each: dict[str, Any]) -> Recipient:
    name, category = each["name"], taxonomy().by_id[each["category"]]
    return Recipient(
        address=name if "@" in name else f"{name}@{domain}",
        category=category.id,
        accept=frozenset(each.get("accept", ())) | {category.id},
        permanence=each.get("permanence", str(category.permanence)),
        reply=each.get("reply"),
    )
