"""Does what every process begins with that keeps mail: its files, its log, its settings."""

from __future__ import annotations

import os

import structlog

from service import logs
from service.settings import Settings, unknown_names


def begin(settings: Settings) -> None:
    """Keeps new files to their owner, begins the log, and warns of variables that look like settings."""
    os.umask(0o077)
    logs.configure(settings.log_level)
    for name in unknown_names(os.environ):
        structlog.get_logger().warning("unknown_setting", name=name)
