"""Runs the web application in gunicorn: loaded once, served by threads, stopped with grace."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from wsgiref.types import WSGIApplication

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from service import logs
from service.errors import CannotListen
from service.settings import Settings
from service.wiring import build
from service.wsgi import with_checked_input

if TYPE_CHECKING:
    from service.announcing import Announcer
    from service.ticketing.inbox import Inbox


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The service as one process tree."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._tickets: Inbox | None = None
        self._announcer: Announcer | None = None
        super().__init__()

    def load_config(self) -> None:
        """Hands our settings to gunicorn."""
        for name, value in gunicorn_options(self.settings).items():
            self.cfg.set(name, value)
        self.cfg.set("post_worker_init", self._begin)
        self.cfg.set("worker_exit", self._end)

    def load(self) -> WSGIApplication:
        """Builds the application, once, before the workers are forked; warms it up with the worked case."""
        from service.web.app import create_app  # Flask is loaded only where it serves

        services = build(self.settings)
        services.self_test()
        self._tickets, self._announcer = services.tickets, services.announcer
        return with_checked_input(create_app(services))

    def _begin(self, _worker: object) -> None:
        """Lets a new worker work off the tickets that an earlier one left."""
        if self._tickets:
            self._tickets.wake()

    def _end(self, _arbiter: object, _worker: object) -> None:
        """Lets a worker that ends send the events that wait."""
        if self._announcer:
            self._announcer.close()


class JsonLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's own messages in our form; its access log stays off, for ours tells more and leaks less."""

    def setup(self, cfg: Any) -> None:  # noqa: ANN401  # gunicorn's configuration
        """Routes the messages to our handler."""
        super().setup(cfg)
        self.error_log.handlers = [logs.library_handler()]
        self.error_log.propagate = False


def run(settings: Settings) -> None:
    """Serves until a signal stops it.

    Raises:
        CannotListen: the address is taken, or not ours.
        NotReady: the self-test does not come out right.
        RuleError: one of the user's own rules is wrong.
    """
    _check_address(settings)
    Server(settings).run()


def gunicorn_options(settings: Settings) -> Mapping[str, Any]:
    """Our settings in gunicorn's words."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "bind": f"{host}:{settings.port}",
        "worker_class": "service.worker.TimedWorker",
        "workers": settings.workers,
        "threads": settings.threads,
        "timeout": settings.request_timeout_s,
        "graceful_timeout": settings.graceful_timeout_s,
        "preload_app": True,
        "control_socket_disable": True,
        "logger_class": JsonLogger,
        "loglevel": settings.log_level,
        "proc_name": "ndr-triage",
    }


def _check_address(settings: Settings) -> None:
    """Says at once what gunicorn would only say after retries."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise CannotListen(
                f"cannot listen on {settings.host}:{settings.port}: {error.strerror}"
            ) from error
