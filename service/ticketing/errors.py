"""What can be wrong with the words of a ticketing system.

ServiceError
├── BadSignature   a request was not signed by the system that it names
├── BadEvent       a request was signed, but does not say what it should
└── MoreNews       a system has more to tell than one look takes
"""

from __future__ import annotations

from datetime import datetime

from service.errors import ServiceError


class BadSignature(ServiceError):
    """A request was not signed by the system that it names."""


class BadEvent(ServiceError):
    """A request of a ticketing system does not say what it should: names what is missing."""


class MoreNews(ServiceError):
    """A system has more news than one look takes.

    Args:
        up_to: the moment up to which it told all; ``None`` where that cannot be said.
    """

    def __init__(self, up_to: datetime | None) -> None:
        super().__init__("there is more news than one look takes")
        self.up_to = up_to
