"""What can be wrong with the words of a ticketing system.

ServiceError
├── BadSignature   a request was not signed by the system that it names
└── BadEvent       a request was signed, but does not say what it should
"""

from __future__ import annotations

from service.errors import ServiceError


class BadSignature(ServiceError):
    """A request was not signed by the system that it names."""


class BadEvent(ServiceError):
    """A request of a ticketing system does not say what it should: names what is missing."""
