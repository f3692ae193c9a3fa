"""A receiver of events on loopback that checks signatures as a user's would, and keeps what it took."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Event as Signal
from threading import Thread
from typing import Any

import orjson

from service.webhooks import verify

SECRET = b"a secret that a receiver shares!"
SHOWN_SECRET = "whsec_" + b64encode(SECRET).decode()
WAIT_S = 20


@dataclass
class Receiver:
    """What came: each request has its id and what its body tells.

    Args:
        url: where it listens.
        statuses: of its answers, in order; then 204.
        gate: nothing is answered before it is set.
    """

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    gate: Signal = field(default_factory=Signal)
    came: Queue[tuple[str, Any]] = field(default_factory=Queue)
    asked: Signal = field(default_factory=Signal)
    unsigned: int = 0

    def next(self) -> tuple[str, Any]:
        """The event that came first of those not yet seen."""
        return self.came.get(timeout=WAIT_S)

    @property
    def rest(self) -> int:
        """How many more came."""
        return self.came.qsize()


@contextmanager
def receiving(*statuses: int, is_open: bool = True) -> Iterator[Receiver]:
    """A receiver that listens until the end of the block."""
    receiver = Receiver(statuses=list(statuses))
    if is_open:
        receiver.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.asked.set()
            receiver.gate.wait(WAIT_S)
            if verify(SECRET, dict(self.headers), body, datetime.now(UTC)):
                receiver.came.put((self.headers["webhook-id"], orjson.loads(body)))
            else:
                receiver.unsigned += 1
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/events?to=desk"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()
