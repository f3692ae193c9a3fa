"""Splits the rows of Exchange's CSV files, and the lists that one of their fields may hold."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from model.stamps import iso_stamp

DELIMITERS = ",;\t"
MAX_ROW = 65_536
_ADDRESS_GAP = re.compile(r"[;,\s]+")
_UNUSUAL = re.compile(r"[{}',<>\s]|;;|^;|;$|System\.")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CODE = re.compile(r"[2-5]\d\d[ -]")
_STAMP = re.compile(r'"?\d{4}-\d\d-\d\d[T ]|"?\d{1,4}[./-]\d{1,2}[./-]\d{1,4} ')
_LOCAL = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4}),? {1,3}(上午|下午)? ?(\d{1,2})[:.](\d\d)(?:[:.](\d\d))?"
    r"(?:[.,]\d{1,7})? ?([AaPp])?\.?"
)
_LIST_OF_FACTS = ("{LED=", "{LRT=", "{MSG=", "{FQDN", "{IP=")


def cells(row: str, delimiter: str = ",") -> list[str]:
    """The fields of one row; of a broken row whatever can be told apart.

    >>> cells('a,"b, c",d')
    ['a', 'b, c', 'd']
    """
    if '"' not in row:
        return row.split(delimiter)
    try:
        return next(csv.reader((row,), delimiter=delimiter), [])
    except csv.Error:
        return row.split(delimiter)


def kebab(name: str) -> str:
    """A column's name in lower case, its words joined with hyphens.

    >>> kebab("InternalMessageId"), kebab("date_time_utc"), kebab("date-time")
    ('internal-message-id', 'date-time-utc', 'date-time')
    """
    name = name.strip(' "\ufeff\t')
    return _HUMP.sub("-", name).replace("_", "-").replace(" ", "-").lower()


def column_names(line: str, known: frozenset[str]) -> tuple[tuple[str, ...], str] | None:
    """The names in a header row and its delimiter; ``None`` unless three of them are known."""
    if len(line) > MAX_ROW // 16:
        return None
    for delimiter in DELIMITERS:
        names = tuple(map(kebab, cells(line, delimiter)))
        if len(known.intersection(names)) >= 3:
            return names, delimiter
    return None


def stamped_rows(head: str, fields: int, fits: Callable[[list[str]], bool]) -> bool:
    """Whether a text holds a row that starts with a time, has so many fields at least, and fits."""
    lines = (line for line in head.splitlines() if line[:4].isdigit() and line.count(",") >= fields - 1)
    return any(fits(row) for row in map(cells, lines) if len(row) >= fields and iso_stamp(row[0]))


def field_names(line: str) -> tuple[str, ...] | None:
    """The names in a ``#Fields:`` line, also where a copy lost its mark; ``None`` for any other line."""
    start = line.lstrip("\ufeff#")
    if start[:7].lower() != "fields:":
        return None
    return tuple(map(kebab, start[7:].split(",")))


class Rows:
    """Joins the lines of a row whose quoted field goes on in the next line."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0

    @property
    def is_open(self) -> bool:
        """Whether a row waits for its end."""
        return bool(self._parts)

    def push(self, line: str) -> list[str]:
        """The rows that a line completes; one that goes on is given up when the next line starts a row."""
        is_odd = line.count('"') % 2 == 1
        if not self._parts and not is_odd:
            return [line]
        if self._parts and (_starts_row(line) or self._size > MAX_ROW):
            return [*self.close(), *self.push(line)]
        ends = is_odd and bool(self._parts)
        self._parts.append(line)
        self._size += len(line) + 1
        return self.close() if ends else []

    def close(self) -> list[str]:
        """The row that waited, as far as it came."""
        parts, self._parts, self._size = self._parts, [], 0
        return [" ".join(parts)] if parts else []


def _starts_row(line: str) -> bool:
    return _STAMP.match(line) is not None or (line[:1] == '"' and line.count('","') > 1)


def addresses(text: str) -> tuple[str, ...]:
    """The addresses in a field, lower case.

    >>> addresses("A@example.com;'o''b@example.com'"), addresses("{a@example.com, b@example.com}")
    (('a@example.com', "o'b@example.com"), ('a@example.com', 'b@example.com'))
    """
    if text.isascii() and not _UNUSUAL.search(text):
        return tuple(text.lower().split(";")) if text else ()
    text = _without_braces(text)
    values = _quoted_members(text) if "'" in text else (text,)
    found = (part for value in values for part in _ADDRESS_GAP.split(value))
    return tuple(part.strip("<>").lower() for part in found if part and not part.startswith("System."))


def statuses(text: str) -> tuple[str, ...]:
    """The recipients' statuses in a field, in the order of the recipients.

    >>> statuses("'550 5.1.1 RESOLVER.ADR.RecipNotFound; not found';250 2.1.5 Recipient OK")
    ('550 5.1.1 RESOLVER.ADR.RecipNotFound; not found', '250 2.1.5 Recipient OK')
    """
    text = _without_braces(text)
    if not text or text.startswith("System."):
        return ()
    if text[0] == "'":
        return tuple(_quoted_members(text))
    if "[{" in text:
        return tuple(f"[{{{part.rstrip(' ;,')}" for part in text.split("[{")[1:])
    parts = text.split(";")
    return tuple(parts) if all(map(_CODE.match, parts)) else (text,)


def _quoted_members(text: str) -> Sequence[str]:
    """The values of a list with ``;``, each in ``'`` where it holds one."""
    try:
        return next(csv.reader((text,), delimiter=";", quotechar="'"), [])
    except csv.Error:
        return text.split(";")


def _without_braces(text: str) -> str:
    """A list without the braces that PowerShell puts around it."""
    text = text.strip()
    is_list = text[:1] == "{" and not text.startswith(_LIST_OF_FACTS)
    return text[1:].removesuffix("}").removesuffix("...").removesuffix("…") if is_list else text


def message_id(text: str) -> str | None:
    """A Message-ID with its angle brackets."""
    text = text.replace(" ", "")
    if "@" not in text:
        return None
    return text if text[0] == "<" else f"<{text}>"


def host_and_port(endpoint: str) -> tuple[str | None, str]:
    """The address and the port of an endpoint.

    >>> host_and_port("192.0.2.1:25"), host_and_port("[2001:db8::1]:25"), host_and_port("2001:db8::1")
    (('192.0.2.1', '25'), ('2001:db8::1', '25'), ('2001:db8::1', ''))
    """
    if endpoint[:1] == "[":
        host, _, port = endpoint[1:].partition("]")
        return host or None, port.lstrip(":")
    if endpoint.count(":") > 1:
        return endpoint, ""
    host, _, port = endpoint.partition(":")
    return host or None, port


def moment(text: str) -> tuple[datetime | None, bool]:
    """A time, and whether it is one of a server's own clock, with neither zone nor fixed order.

    Such a time is taken for UTC. With AM or PM the month comes first, else the day, unless it cannot.

    >>> moment("11/2/2026 10:14:07 PM")
    (datetime.datetime(2026, 11, 2, 22, 14, 7, tzinfo=datetime.timezone.utc), True)
    """
    if text[4:5] == "-" and text[7:8] == "-":
        return iso_stamp(text), False
    hit = _LOCAL.match(text.strip())
    if hit is None:
        return None, False
    half = {"上午": "a", "下午": "p"}.get(hit[5] or "", (hit[9] or "").lower())
    year, month, day = _date(int(hit[1]), int(hit[3]), int(hit[4]), month_first=bool(hit[9]))
    hour = int(hit[6]) % 12 + 12 * (half == "p") if half else int(hit[6])
    try:
        return datetime(year, month, day, hour, int(hit[7]), int(hit[8] or 0), tzinfo=UTC), True
    except ValueError:
        return None, False


def _date(first: int, second: int, third: int, *, month_first: bool) -> tuple[int, int, int]:
    if first > 31:
        return first, second, third
    year = third if third > 99 else third + 2000
    month_first = (month_first and first <= 12) or second > 12
    return (year, first, second) if month_first else (year, second, first)
