"""The real service tells of what it diagnosed, also of the last before it ends."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.receiver import SHOWN_SECRET, receiving

pytestmark = pytest.mark.e2e

TEXT = {"Content_Type": "text/plain"}


def test_a_worker_that_ends_sends_what_waits(serve: Callable[..., Any]) -> None:
    with receiving(is_open=False) as receiver:
        service = serve(
            NDR_WEBHOOK_URL=receiver.url,
            NDR_WEBHOOK_SECRET=SHOWN_SECRET,
            NDR_WEBHOOK_EVENTS="diagnosis.made",
            NDR_WEBHOOK_CATEGORIES="mailbox_full",
        )
        replies = [f"452 4.2.2 mailbox {number} is full".encode() for number in range(20)]
        ids = [service.json("/v1/classify", reply, **TEXT)["id"] for reply in replies]
        service.json("/v1/classify", b"550 5.1.1 User unknown", **TEXT)
        service.process.terminate()
        while "Worker exiting" not in service.log.read_text("utf-8"):
            time.sleep(0.01)
        receiver.gate.set()
        assert 0 == service.stop()
        told = [receiver.next()[0] for _ in ids]
    assert [f"diagnosis_{each}" for each in ids] == told
    assert (0, 0) == (receiver.rest, receiver.unsigned)
    assert "unsent" not in service.log.read_text("utf-8")


def test_a_service_that_cannot_sign_does_not_start(ndr: Callable[..., Any]) -> None:
    ended = ndr("serve", NDR_PORT="0", NDR_WEBHOOK_URL="https://desk.example.com/")
    assert 78 == ended.returncode
    assert b"NDR_WEBHOOK_SECRET" in ended.stderr
