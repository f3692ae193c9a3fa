"""``ndr feedback``: look through corrections, settle them, and carry them as lines of JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from model.taxonomy import taxonomy
from service.feedback import Correction, FeedbackStore, Status, corrections_in, line_of
from service.feedback_store import SqliteStore
from service.settings import Settings

_status = click.option(
    "--status", type=click.Choice([str(status) for status in Status]), help="Only those of one status."
)


@click.group()
def feedback() -> None:
    """Work with corrections that callers sent; they lie in the folder of NDR_DATA_DIR."""


@feedback.command("list")
@_status
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, also on a terminal.")
def list_command(*, status: str | None, as_json: bool) -> None:
    """List corrections: as text on a terminal, and as lines of JSON where it is piped."""
    corrections = _store().listed(Status(status) if status else None)
    if as_json or not sys.stdout.isatty():
        sys.stdout.buffer.write(_lines(corrections))
        return
    for correction in corrections:
        click.echo(_shown(correction))


@feedback.command()
@click.argument("correction_id", metavar="ID")
@click.option("--accept", is_flag=True, help="It is right: let the classifier learn it.")
@click.option("--reject", is_flag=True, help="It is wrong.")
@click.option(
    "--category", type=click.Choice(taxonomy().names), metavar="NAME", help="Accept it for another category."
)
def review(correction_id: str, *, accept: bool, reject: bool, category: str | None) -> None:
    """Settle the correction ID: accept it, reject it, or accept it for another category."""
    if reject == bool(accept or category):
        raise click.UsageError("Say either --accept, --reject or --category NAME.")
    status = Status.REJECTED if reject else Status.ACCEPTED
    click.echo(_shown(_store().review(correction_id, status, category)))


@feedback.command("export")
@click.argument("file", metavar="FILE|-")
@_status
def export_command(file: str, *, status: str | None) -> int:
    """Write corrections to FILE as lines of JSON; - writes them to standard output."""
    corrections = _store().listed(Status(status) if status else None)
    if file == "-":
        sys.stdout.buffer.write(_lines(corrections))
        return os.EX_OK
    try:
        Path(file).write_bytes(_lines(corrections))
    except OSError as error:
        click.echo(f"ndr: {file}: {error.strerror}", err=True)
        return os.EX_CANTCREAT
    click.echo(f"corrections: {len(corrections)}")
    return os.EX_OK


@feedback.command("import")
@click.argument("file", metavar="FILE|-")
def import_command(file: str) -> None:
    """Take corrections from FILE, as export writes them; all of them or, when one is wrong, none.

    What is settled here stays as it is; what is pending here takes the review that the file brings.
    """
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    corrections = tuple(corrections_in(content, file))
    store = _store()
    taken = sum([store.take(correction) for correction in corrections])
    click.echo(f"corrections: {len(corrections)}, taken: {taken}")


def _store() -> FeedbackStore:
    return SqliteStore(Settings.read(os.environ).data_dir)


def _lines(corrections: Iterable[Correction]) -> bytes:
    return b"".join(map(line_of, corrections))


def _shown(correction: Correction) -> str:
    change = f"{correction.answered_category} -> {correction.correct_category}"
    line = f"{correction.id}  {correction.status:8}  {correction.count:3}x  {change}  {correction.canonical}"
    return f"{line}\n    {correction.note}" if correction.note else line
