"""Structured logs: one JSON object a line, on standard error.

Nothing here logs what was handed in: no mail text, no address, no path or query of a request. Exceptions are
logged by their type and the places they passed, never by their message, which may quote a mail.
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import PurePath
from typing import Any, TextIO

import orjson
import structlog

_SHARED = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure(level: str, *, stream: TextIO | None = None) -> None:
    """Sets up logging for this process, also for libraries that use the standard one.

    Args:
        level: the least severe level that is logged.
        stream: where to; standard error when left out.
    """
    target = stream or sys.stderr
    structlog.configure(
        processors=[*_SHARED, structlog.processors.JSONRenderer(serializer=_json)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=level.upper(), handlers=[library_handler(target)], force=True)


def library_handler(stream: TextIO | None = None) -> logging.Handler:
    """A handler that writes the records of the standard library's logging in our form."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, _without_message_of_exception],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_json),
            ],
        )
    )
    return handler


def places_of(error: BaseException) -> list[str]:
    """Where an exception passed, innermost last: file, line and function, without any value."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


def _without_message_of_exception(_logger: Any, _name: str, event: Any) -> Any:  # noqa: ANN401  # structlog's own types
    error = event.pop("exc_info", None)
    if isinstance(error, tuple) and error[1] is not None:
        event |= {"error": type(error[1]).__name__, "places": places_of(error[1])}
    return event


def _json(event: Any, **_: Any) -> str:  # noqa: ANN401  # whatever is logged
    return orjson.dumps(event, default=str).decode()
