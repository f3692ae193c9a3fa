"""Chooses where chunks are worked on: in this process, in several on this machine, or on a Dask cluster."""

from __future__ import annotations

import joblib

from service.errors import JobRefused
from service.triage.nouns import Execute
from service.triage.run import serially, with_joblib


def executor(jobs: int | None, scheduler: str = "", *, patience_s: float = 30.0) -> Execute:
    """What runs the chunks of a job.

    Args:
        jobs: processes on this machine; 0 or ``None``: as many as there are cores.
        scheduler: the address of a Dask scheduler, whose workers are used instead.
        patience_s: how long the scheduler may be silent, or have no workers.

    Raises:
        JobRefused: a scheduler is named, and what speaks with it is not installed.
    """
    if scheduler:
        return _on_cluster(scheduler, patience_s)
    count = jobs or joblib.cpu_count()
    return serially if count == 1 else with_joblib(count)


def _on_cluster(scheduler: str, patience_s: float) -> Execute:
    try:
        from service.triage.cluster import with_dask  # an extra
    except ModuleNotFoundError as error:
        raise JobRefused(
            "a Dask scheduler needs the extra cluster: pip install 'ndr-triage[cluster]'"
        ) from error
    return with_dask(scheduler, patience_s=patience_s)
