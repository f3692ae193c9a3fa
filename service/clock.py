"""Tells the time in UTC, and shows it: as ISO 8601 for programs, in short for people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def in_iso(moment: datetime) -> str:
    """A time for programs.

    >>> in_iso(datetime(2026, 11, 2, 10, 14, 23, tzinfo=UTC))
    '2026-11-02T10:14:23Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def in_short(moment: datetime) -> str:
    """A time for people.

    >>> in_short(datetime(2026, 11, 2, 10, 14, 23, tzinfo=UTC))
    '2026-11-02 10:14 UTC'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
