"""Keeps a runner beside the service: starts it as a process, starts it again when it dies, and ends it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Self

import structlog

PAUSE_S = 1.0
"""How long after its death a runner is started again."""

GRACE_S = 30.0


class Keeper:
    """A runner that lives as long as this process.

    Args:
        command: the runner's; it ends by itself where its parent is killed.
        pause_s: how long after its death it is started again.
    """

    def __init__(self, command: Sequence[str] = (), *, pause_s: float = PAUSE_S) -> None:
        self._command = tuple(command) or (
            *(sys.executable, "-m", "service", "runner"),
            *("--parent", str(os.getpid())),
        )
        self._pause_s = pause_s
        self._owner = os.getpid()
        self._over = Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._keep, name="runner-keeper", daemon=True)

    def __enter__(self) -> Self:
        """Starts the runner."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the runner; does nothing in a process that was forked meanwhile."""
        if os.getpid() != self._owner:
            return
        self._over.set()
        self._end(subprocess.Popen.terminate)
        self._thread.join(GRACE_S)
        if self._thread.is_alive():
            self._end(subprocess.Popen.kill)
            self._thread.join()

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        if self._process is not None:
            how(self._process)

    def _keep(self) -> None:
        while not self._over.is_set():
            self._process = subprocess.Popen(self._command)  # noqa: S603  # our own
            if self._over.is_set():
                self._process.terminate()
            self._process.wait()
            if not self._over.wait(self._pause_s):
                structlog.get_logger().warning("runner_died")
