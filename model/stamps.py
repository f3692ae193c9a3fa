"""Reads the time stamps of logs and headers into aware datetimes in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

NO_YEAR = 1972
"""The year of a stamp that names none, until ``with_year`` gives it one: a leap year before all others."""

YEARS = range(1980, 2200)
"""Years that a stamp may name; others are none, and nobody can reckon with them."""

_MONTHS = dict(zip("jan feb mar apr may jun jul aug sep oct nov dec".split(), range(1, 13), strict=True))  # noqa: SIM905
_SYSLOG = re.compile(r"([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?")
_EPOCHS = (1e8, 1e11)


def syslog_stamp(text: str) -> datetime | None:
    """``Nov  2 10:14:07`` at the start of a text, in the year ``NO_YEAR``; ``None`` where there is none.

    Stamps of this kind carry no zone; they are taken for UTC.

    >>> syslog_stamp("Nov  2 10:14:07 mx1 postfix/smtp[421]: x")
    datetime.datetime(1972, 11, 2, 10, 14, 7, tzinfo=datetime.timezone.utc)
    """
    hit = _SYSLOG.match(text)
    if hit is None or hit[1].lower() not in _MONTHS:
        return None
    hour, minute, second = map(int, hit.group(3, 4, 5))
    fraction = int((hit[6] or "0").ljust(6, "0"))
    try:
        return datetime(
            NO_YEAR, _MONTHS[hit[1].lower()], int(hit[2]), hour, minute, second, fraction, tzinfo=UTC
        )
    except ValueError:
        return None


def iso_stamp(text: str) -> datetime | None:
    """``2026-11-02T10:14:07.123Z``, also with a blank, an offset, a comma or no zone, which is UTC.

    >>> iso_stamp("2026-11-02 10:14:07+08:00")
    datetime.datetime(2026, 11, 2, 2, 14, 7, tzinfo=datetime.timezone.utc)
    """
    try:
        moment = datetime.fromisoformat(text.strip().replace(",", ".").replace(" +", "+").replace(" -", "-"))
        return _sane(moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def mail_stamp(text: str) -> datetime | None:
    """The date of a mail header: ``Mon, 2 Nov 2026 10:14:07 +0800 (CST)``."""
    try:
        moment = parsedate_to_datetime(text.strip()[:100])
        return _sane(moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def epoch_stamp(text: str | float) -> datetime | None:
    """Seconds since 1970, or milliseconds.

    >>> epoch_stamp("1793614447")
    datetime.datetime(2026, 11, 2, 10, 14, 7, tzinfo=datetime.timezone.utc)
    """
    try:
        seconds = float(text)
        return _sane(datetime.fromtimestamp(seconds / 1000 if seconds > _EPOCHS[1] else seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return None


def with_year(moment: datetime | None, near: datetime) -> datetime | None:
    """A moment that named no year, in the year that brings it nearest to another moment.

    >>> with_year(datetime(NO_YEAR, 12, 31, 23, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)).year
    2025
    """
    if moment is None or moment.year != NO_YEAR:
        return moment
    years = (_in_year(moment, year) for year in (near.year - 1, near.year, near.year + 1))
    return min((each for each in years if each), key=lambda each: abs(each - near), default=None)


def _sane(moment: datetime) -> datetime | None:
    return moment if moment.year in YEARS else None


def _in_year(moment: datetime, year: int) -> datetime | None:
    try:
        return moment.replace(year=year)
    except ValueError:
        return None
