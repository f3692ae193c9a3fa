"""``ndr runner``: works off archives that callers handed in as jobs, until it is stopped."""

from __future__ import annotations

import os
import signal
import time
from threading import Event
from types import FrameType

import click
import structlog

from service.orphan import when_orphaned
from service.settings import Settings
from service.startup import begin

GRACE_S = 10.0
"""How long a runner that lost its parent has to give its order back."""


@click.command()
@click.option("--once", is_flag=True, help="End when no job waits.")
@click.option(
    "--lease",
    "lease_s",
    type=click.FloatRange(1, 3600),
    default=30.0,
    show_default=True,
    help="Seconds after which others take over the job of a runner that is not heard of.",
)
@click.option("--parent", type=click.IntRange(1), hidden=True, help="End with this process.")
def runner(*, once: bool, lease_s: float, parent: int | None) -> None:
    """Work off archives that were handed in as jobs, until stopped.

    Any number of runners may share one store of jobs, on one machine or on many that see the same folders.
    A runner that is stopped gives its job back; that of a killed one goes on elsewhere.
    """
    settings = Settings.read(os.environ)
    begin(settings)
    stop = Event()
    _listen(stop)
    if parent:
        when_orphaned(parent, lambda: _end(stop))
    run_runner(settings, stop, until_idle=once, lease_s=lease_s)


def run_runner(
    settings: Settings, stop: Event, *, until_idle: bool = False, lease_s: float | None = None
) -> None:
    """Works off jobs until it is told to stop.

    Args:
        settings: of this process.
        stop: is set when to end; the job in work is given back.
        until_idle: end when no job waits.
        lease_s: after so many seconds others take over the job of a runner that is not heard of.

    Raises:
        StoreUnavailable: there is no place for jobs, or none that can be read.
        SettingError: events are to be sent, and there is no secret to sign them with.
        JobRefused: a Dask scheduler is named, and what speaks with it is not installed.
    """
    from service.triage.executors import executor  # only a runner needs all this
    from service.triage.job_folders import archives_root
    from service.triage.lease import BEAT_S
    from service.triage.order_store import LEASE_S, store_of
    from service.triage.runner import Runner
    from service.triage.work import Options
    from service.webhooks import events_of

    lease_s = lease_s or LEASE_S
    working = Runner(
        store_of(settings, lease_s=lease_s),
        archives_root(settings),
        Options(rules_dir=settings.rules_dir, model_dir=settings.model_dir),
        executor(settings.triage_jobs, settings.dask_scheduler),
        events_of(settings),
        stop=stop,
        beat_s=min(BEAT_S, lease_s / 4),
    )
    log = structlog.get_logger()
    log.info("runner_started", runner=working.name)
    working.run(until_idle=until_idle)
    log.info("runner_stopped", runner=working.name)


def _listen(stop: Event) -> None:
    """Ends with grace at the first signal, and at once at the second."""

    def take(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, take)


def _end(stop: Event) -> None:
    stop.set()
    time.sleep(GRACE_S)
    os._exit(os.EX_UNAVAILABLE)
