"""The page on outgoing events is right: its examples are what is sent, and its check takes that alone."""

import re
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from model.types import Form
from service.announcing import FLUSH_S, MOST_WAITING
from service.event_data import MOST_RECIPIENTS, event_data_of
from service.outgoing import AGAIN, PAUSES_S
from service.settings import SETTINGS, Settings
from service.triage.orders import Order, Standing, State, Wish
from service.webhooks import ARCHIVE_FINISHED, DIAGNOSIS_MADE, Events, signed
from service.wiring import build

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text("utf-8")
PAYLOADS = {each["type"]: each for each in map(orjson.loads, re.findall(r"```json\n(.*?)```", PAGE, re.S))}
SECRET = b"a secret of both sides, 32 bytes"
SHOWN = "whsec_" + b64encode(SECRET).decode()
BODY = b'{"type": "diagnosis.made"}'


@pytest.fixture
def is_genuine() -> Callable[..., bool]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  # the page's own example
    check: Callable[..., bool] = names["is_genuine"]
    return check


def test_the_check_takes_what_is_signed_now_and_nothing_else(is_genuine: Callable[..., bool]) -> None:
    headers = signed(SECRET, "diagnosis_1", datetime.now(UTC), BODY)
    old = signed(SECRET, "diagnosis_1", datetime.now(UTC) - timedelta(minutes=6), BODY)
    several = headers | {"webhook-signature": "v1,AAAA " + headers["webhook-signature"]}

    assert is_genuine(SHOWN, headers, BODY)
    assert is_genuine(SHOWN, several, BODY)
    assert not is_genuine(SHOWN, headers, BODY + b" ")
    assert not is_genuine(SHOWN, old, BODY)
    assert not is_genuine("whsec_" + b64encode(b"x" * 32).decode(), headers, BODY)


def test_the_shown_diagnosis_is_what_is_told() -> None:
    evidence = b"452 4.2.2 <user@example.com>: mailbox is full"
    told = event_data_of(build(Settings()).diagnoser.diagnose(evidence, form=Form.TEXT))
    shown = PAYLOADS[DIAGNOSIS_MADE]["data"]

    assert list(shown) == list(told)
    assert list(shown["recipients"][0]) == list(told["recipients"][0])
    same = (
        "kind",
        "category",
        "permanence",
        "action",
        "fix_owner",
        "stage",
        "codes",
        "title",
        "recipients_total",
    )
    assert {name: shown[name] for name in same} == {name: told[name] for name in same}


def test_the_shown_end_of_a_job_is_what_is_told() -> None:
    sent = []
    wish = Wish("a" * 32, (), "outage")
    order = Order(wish, State.SUCCEEDED, Standing(items=5, rows=7, errors=2), datetime.now(UTC))

    class Kept:
        def call(self, *_: object, body: bytes = b"", **__: object) -> None:
            sent.append(orjson.loads(body))

    Events(Kept(), "/", SECRET).archive_finished(order)  # type: ignore[arg-type]  # keeps what it is sent
    shown = PAYLOADS[ARCHIVE_FINISHED]
    assert (list(shown), list(shown["data"])) == (list(sent[0]), list(sent[0]["data"]))


def test_the_page_names_the_settings_and_limits_that_hold() -> None:
    settings = {each.name for each in SETTINGS if each.name.startswith("NDR_WEBHOOK_")}
    assert settings == set(re.findall(r"^\| `(NDR_\w+)`", PAGE, re.M))
    first, second = PAUSES_S
    statuses = [str(each) for each in sorted(AGAIN)]
    for words in (
        f"most {MOST_RECIPIENTS} recipients",
        f"most {MOST_WAITING} events",
        f"{first:g} s and {second:g} s",
        f"{', '.join(statuses[:-1])} or {statuses[-1]}",
    ):
        assert words in PAGE
    assert 3 == FLUSH_S
