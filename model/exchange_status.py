"""Reads the words in which Exchange says why a message did not go on: ``[{LED=…};{FQDN=…};{IP=…}]``."""

from __future__ import annotations

import re
from typing import NamedTuple

from model.exchange_csv import host_and_port

_CODE = re.compile(r"(?<![\d.])[45]\d\d[ -]")
_ENDPOINT = "last endpoint attempted was "
_AFTER_LED = ("};{", "}]", ". OutboundProxyTarget")


class Status(NamedTuple):
    """Why a message did not go on, and at which server; ``last_retry`` as the server writes it."""

    reply: str = ""
    peer: str | None = None
    peer_ip: str | None = None
    last_retry: str = ""


def read_status(text: str) -> Status:
    """A recipient's status, a queue's last error or the detail of a trace.

    >>> read_status("[{LED=550 5.1.1 no; such};{MSG=};{FQDN=mx.example.net};{IP=192.0.2.1};{LRT=}]")[:3]
    ('550 5.1.1 no; such', 'mx.example.net', '192.0.2.1')
    """
    peer = _fact(text, "{FQDN=", "}") or _fact(text, "[LastAttemptedServerName=", "]")
    peer = peer or _fact(text, "OutboundProxyTargetHostName: ", " ")
    return Status(_reply(text), _unwrapped(peer.lower()) or None, _address(text), _fact(text, "{LRT=", "}"))


def _unwrapped(name: str) -> str:
    """A name that a list broke in two."""
    return name.replace(" ", "")


def _reply(text: str) -> str:
    if "{LED=" in text:
        return _up_to(text.partition("{LED=")[2], _AFTER_LED).strip(" []{}") or _fact(text, "{MSG=", "}")
    code = _CODE.search(text)
    return text[code.start() :].strip() if code else text.strip()


def _up_to(text: str, ends: tuple[str, ...]) -> str:
    found = [place for place in (text.find(end) for end in ends) if place >= 0]
    return text[: min(found)] if found else text


def _address(text: str) -> str | None:
    places = (
        _fact(text, "{IP=", "}"),
        _fact(text, "[LastAttemptedIP=", "]"),
        _fact(text, "[LastAttemptedServerIP=", "]"),
        _fact(text, "OutboundProxyTargetIP: ", " "),
        _up_to(text.partition(_ENDPOINT)[2], (" ", "'", '"', "}")),
    )
    place = _unwrapped(next(filter(None, places), ""))
    return host_and_port(place.rstrip("."))[0]


def _fact(text: str, start: str, end: str) -> str:
    """What stands between two marks; without the dot that ends a sentence."""
    return text.partition(start)[2].partition(end)[0].strip().rstrip(".")
