"""Stops work that has begun, in whatever process: a file in the job's folder, which all of them see."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import uuid4

from service.triage.folders import Folder
from service.triage.job_folders import JOB

LOOK_S = 2.0
"""How often those who work look whether they are to stop."""

Each = TypeVar("Each")


class Stopped(Exception):
    """The work on a chunk was stopped before its end; nothing of it is kept."""


@dataclass(frozen=True, slots=True)
class Brake:
    """What one runner stops its work with; it can be pickled. What was stopped once stays so.

    Args:
        folder: of the job.
        look_s: how often those who work look at it.
        name: of the file that is there once it is pulled; no two runs have the same.
    """

    folder: Folder
    look_s: float = LOOK_S
    name: str = field(default_factory=lambda: f"stop-{uuid4().hex}")

    def pull(self) -> None:
        """Stops the work; a job that was deleted has stopped, and stays deleted.

        Raises:
            OSError: the folder cannot be written; the work then goes on to the end of its chunks.
        """
        if not self.folder.exists(JOB):
            return
        with self.folder.writing(self.name) as path:
            path.touch()

    def watched(self, items: Iterable[Each], ticks: Callable[[], float] = time.monotonic) -> Iterator[Each]:
        """Gives items until the work is stopped; a folder that cannot be reached stops nothing.

        Raises:
            Stopped: it is.
        """
        look_at = ticks()
        for item in items:
            if ticks() >= look_at:
                if self._is_pulled():
                    raise Stopped
                look_at = ticks() + self.look_s
            yield item

    def _is_pulled(self) -> bool:
        with suppress(OSError):
            return self.folder.exists(self.name) or not self.folder.exists(JOB)
        return False
