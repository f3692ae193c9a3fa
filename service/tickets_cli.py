"""``ndr tickets``: ask ticketing systems for news, replay what failed, and mark mail on its way to one."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import click
import structlog

from service import logs
from service.clock import in_iso
from service.settings import Settings

if TYPE_CHECKING:
    from service.ticketing.handling import Handler
    from service.ticketing.ledger import Entry


@click.group()
def tickets() -> None:
    """Tag tickets that bounces opened; NDR_TICKETS_FILE names the ticketing systems."""


@tickets.command()
@click.argument("system")
@click.option("--once", is_flag=True, help="Ask once and end, as cron wants it.")
@click.option(
    "--every", type=click.IntRange(1, 86400), default=60, show_default=True, help="Seconds between questions."
)
def poll(system: str, *, once: bool, every: int) -> int:
    """Ask SYSTEM for new messages, and tag the tickets of those that are bounces."""
    from service.ticketing.polling import Poller

    handler = _handler()
    handler.desk(system)
    poller = Poller(handler, system)
    while True:
        new = poller.once()
        if new is not None:
            structlog.get_logger().info("polled", system=system, new=new)
        if once:
            return os.EX_TEMPFAIL if new is None else os.EX_OK
        time.sleep(every)


@tickets.command("list")
@click.option("--all", "every_state", is_flag=True, help="Those that were handled too.")
def list_command(*, every_state: bool) -> None:
    """List events that wait or failed: system, ticket, message, state, tries, since when, why."""
    from service.ticketing.ledger import Ledger, State

    states = tuple(State) if every_state else (State.WAITING, State.CLAIMED, State.DEAD)
    for entry in Ledger(Settings.read(os.environ).data_dir).letters(*states):
        click.echo(_line(entry))


@tickets.command()
@click.argument("system", required=False)
def replay(system: str | None) -> int:
    """Try again now what failed, of SYSTEM or of all."""
    from service.ticketing.ledger import State

    handler = _handler()
    if system:
        handler.desk(system)
    count = handler.ledger.replay(system)
    keys = {entry.key for entry in handler.work(system)}
    failed = [each for each in handler.ledger.letters(State.WAITING, State.DEAD) if each.key in keys]
    click.echo(f"replayed: {count}, failed again: {len(failed)}")
    return os.EX_TEMPFAIL if failed else os.EX_OK


@tickets.command("filter")
def filter_command() -> None:
    """Mark a mail from standard input with X-NDR-* header fields, and pass it on.

    For the pipe before rt-mailgate and its like. Whatever goes wrong here, the mail passes, without
    such fields.
    """
    raw = sys.stdin.buffer.read()
    sys.stdout.buffer.write(_marked(raw))
    sys.stdout.buffer.flush()


def _marked(raw: bytes) -> bytes:
    try:
        from service.ticketing.marking import marked
        from service.wiring import build

        return marked(raw, build(Settings.read(os.environ)).diagnoser)
    except Exception as error:  # noqa: BLE001  # a mail is never lost for want of a mark
        click.echo(f"ndr: the mail passes unmarked: {type(error).__name__}", err=True)
        return _unmarked(raw)


def _unmarked(raw: bytes) -> bytes:
    """A mail without forged marks."""
    try:
        from service.gateways.headers import head_of, with_headers

        return with_headers(raw, {}) if head_of(raw) else raw
    except Exception:  # noqa: BLE001  # a mail is never lost for want of a mark
        return raw


def _handler() -> Handler:
    """What works off events, with the log on.

    Raises:
        SettingError: the file of the systems is wrong.
    """
    from service.ticketing.inbox import handler_of
    from service.wiring import build

    settings = Settings.read(os.environ)
    logs.configure(settings.log_level)
    return handler_of(settings, build(settings).announced)


def _line(entry: Entry) -> str:
    since = in_iso(entry.came_at)
    fields = (entry.system, entry.event.ticket, entry.event.message, entry.state, str(entry.tries), since)
    return "\t".join((*fields, entry.outcome))
