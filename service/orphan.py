"""Notices that the process which started this one is gone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import Thread

WATCH_S = 0.5
"""How often it is looked whether the parent is there."""


def when_orphaned(parent: int, act: Callable[[], None]) -> None:
    """Watches from now on, in a thread of its own, and acts once this process has another parent.

    Args:
        parent: the id of the process that started this one.
        act: what to do then.
    """
    Thread(target=_watch, args=(parent, act), name="orphan-watch", daemon=True).start()


def _watch(parent: int, act: Callable[[], None]) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    act()
