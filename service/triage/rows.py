"""Turns an item and its diagnosis into the rows of the results, and describes their columns.

``python -m service.triage.rows`` prints the page ``docs/triage-columns.md``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from model.types import Action, Diagnosis, FixOwner, Kind, Permanence, RecipientDiagnosis, Stage
from service.triage.nouns import Row

MAX_REPLY_CHARS = 500
MAX_CHARS = 1000
"""The longest value of any column but ``reply``."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class Column(NamedTuple):
    """A column of the results.

    Args:
        name: as the field of ``Row``.
        type: ``string``, ``integer`` or ``number``; any but the first three columns may be empty.
        description: what it says.
    """

    name: str
    type: str
    description: str


def _names(kind: type[Kind | Permanence | Action | FixOwner | Stage]) -> str:
    return ", ".join(f"`{each.value}`" for each in kind)


SCHEMA: tuple[Column, ...] = (
    Column(
        "archive",
        "string",
        "The name of the archive; its address where two of one job have the same name. An upload has the "
        "name that was given with it.",
    ),
    Column("item", "string", "The message or reply within it: where it stands, or the id that it came with."),
    Column("recipient_number", "integer", "Counts the recipients of an item from 0."),
    Column("kind", "string", f"What the message is: {_names(Kind)}."),
    Column("category", "string", "Why it failed: a category of the taxonomy."),
    Column("confidence", "number", "How sure the category is, from 0 to 1."),
    Column("permanence", "string", f"Whether the same mail would pass later: {_names(Permanence)}."),
    Column("action", "string", f"What to do next: {_names(Action)}."),
    Column("fix_owner", "string", f"Who can mend it: {_names(FixOwner)}."),
    Column("stage", "string", f"Where on the way it stopped: {_names(Stage)}."),
    Column("cause", "string", "The id of the most probable cause within the category."),
    Column("recipient", "string", "The address that failed."),
    Column("recipient_domain", "string", "Its domain, in lower case."),
    Column("original_recipient", "string", "The address that the sender wrote, where the report names it."),
    Column("sender", "string", "The sender of the message that came back."),
    Column("smtp", "integer", "The code of the reply that decides, such as 550."),
    Column("enhanced", "string", "Its enhanced code, such as 5.1.1."),
    Column("reply", "string", f"The words of that reply, at most {MAX_REPLY_CHARS} characters."),
    Column("provider", "string", "Who runs or made the system that replied."),
    Column("reporting_mta", "string", "The host that wrote the report."),
    Column("remote_mta", "string", "The host that replied."),
    Column("reported_at", "string", "When the report was written: ISO 8601 in UTC."),
    Column("original_message_id", "string", "The Message-ID of the message that came back."),
    Column("decided_by", "string", "What decided: rules, the classifier, codes."),
    Column("evidence", "string", "The rule that weighed most, or the words where no rule did."),
    Column(
        "error",
        "string",
        "Why the item could not be read or diagnosed; most other columns are empty then.",
    ),
)
"""Every column in its order; names and types are not changed, new ones go to the end."""


def rows_of(archive: str, item: str, diagnosis: Diagnosis) -> tuple[Row, ...]:
    """The rows of a diagnosed item: one for each recipient, or one for the whole.

    Args:
        archive: its name.
        item: the item's id.
        diagnosis: what the core says of it.
    """
    recipients = diagnosis.recipients or (diagnosis.lead,)
    return tuple(_row(archive, item, number, each, diagnosis) for number, each in enumerate(recipients))


def failed(archive: str, item: str, error: str) -> Row:
    """The row of an item that could not be read or diagnosed.

    Args:
        archive: its name.
        item: the item's id.
        error: why, in words that hold nothing of its text.
    """
    return Row(_clean(archive) or "", _clean(item) or "", 0, error=_clean(error) or "error")


def _row(archive: str, item: str, number: int, recipient: RecipientDiagnosis, diagnosis: Diagnosis) -> Row:
    verdict, report = recipient.verdict, diagnosis.report
    innermost = recipient.unwrapped.innermost if recipient.unwrapped.chain else None
    return Row(
        archive=_clean(archive) or "",
        item=_clean(item) or "",
        recipient_number=number,
        kind=diagnosis.kind.value,
        category=verdict.category,
        confidence=round(verdict.confidence, 4),
        permanence=verdict.permanence.value,
        action=verdict.action.value,
        fix_owner=verdict.fix_owner.value,
        stage=verdict.stage.value,
        cause=_cause(recipient),
        recipient=_clean(recipient.address),
        recipient_domain=_clean(_domain(recipient.address)),
        original_recipient=_clean(recipient.original_address),
        sender=_clean(report.original_sender),
        smtp=innermost.smtp if innermost else None,
        enhanced=innermost.enhanced if innermost else None,
        reply=_clean(innermost.text, MAX_REPLY_CHARS) if innermost else None,
        provider=recipient.provider,
        reporting_mta=_clean(report.reporting_mta),
        remote_mta=_clean(recipient.remote_mta),
        reported_at=_utc(report.reported_at),
        original_message_id=_clean(report.original_message_id),
        decided_by=verdict.decided_by,
        evidence=_evidence(recipient),
    )


def _cause(recipient: RecipientDiagnosis) -> str | None:
    return next((cause.id for cause in recipient.advice.causes), recipient.verdict.cause)


def _evidence(recipient: RecipientDiagnosis) -> str | None:
    first = next(iter(recipient.verdict.evidence), None)
    return _clean(first.rule_id or first.quote, MAX_REPLY_CHARS) if first else None


def _domain(address: str | None) -> str | None:
    return address.rpartition("@")[2].lower() if address and "@" in address else None


def _utc(moment: datetime | None) -> str | None:
    """A moment in UTC, to the second; one without a zone counts as UTC."""
    if moment is None:
        return None
    try:
        in_utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (OverflowError, ValueError):  # at the ends of the calendar
        return None
    return in_utc.strftime("%Y-%m-%dT%H:%M:%SZ") if in_utc.year >= 1000 else None


def _clean(text: str | None, most: int = MAX_CHARS) -> str | None:
    r"""One bounded line that every format can hold; ``None`` for nothing.

    >>> _clean(" a\r\n b\x00 "), _clean("")
    ('a  b', None)
    """
    if not text:
        return None
    line = _UNPRINTABLE.sub(" ", text[: 2 * most]).strip()
    return (line if len(line) <= most else line[: most - 1] + "…") or None


def page() -> Iterator[str]:
    """The lines of ``docs/triage-columns.md``."""
    yield "# Columns of the results of a triage\n"
    yield "One row for each recipient of each message or reply; one row for an item without recipients, and"
    yield "one for an item that could not be read. Parquet, CSV and NDJSON have the same columns in the same"
    yield "order. What is not known is null in Parquet and NDJSON, and empty in CSV. In CSV a text that"
    yield "begins with `=`, `+`, `-` or `@` has a `'` before it, so that no spreadsheet takes it for a"
    yield "formula.\n"
    yield "| column | type | what it says |"
    yield "|---|---|---|"
    for column in SCHEMA:
        yield f"| `{column.name}` | {column.type} | {column.description} |"
    yield ""
    yield "`/v1/categories` describes the categories and their causes.\n"
    yield "This page is made from `service/triage/rows.py`."


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
