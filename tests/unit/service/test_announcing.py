"""Diagnoses are told beside the requests: signed, filtered, bounded, and never at the cost of an answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from queue import Queue
from threading import Event as Signal
from threading import enumerate as threads_of
from typing import Any

import orjson
import pytest

from model.exhibits import REPORT, Exhibit
from model.inquiry import Question
from model.types import Diagnosis, Form
from service import logs
from service.announcing import Announcer, announcer_of
from service.errors import SettingError
from service.event_data import MOST_ADDRESS_CHARS, MOST_RECIPIENTS, event_data_of
from service.settings import Settings
from service.webhooks import ARCHIVE_FINISHED, DIAGNOSIS_MADE, Events
from service.wiring import Services, build
from tests.receiver import SECRET, SHOWN_SECRET, WAIT_S, receiving

ROOT = Path(__file__).parents[3]
FULL = b"452 4.2.2 <user@example.com>: mailbox of marker-words is full"
GONE = b"550 5.1.1 <user@example.com>: Recipient address rejected: User unknown in marker-words"
DOWN = "http://127.0.0.1:9/"
"""Nobody listens there."""


@pytest.fixture(scope="module")
def services() -> Services:
    return build(Settings())


@pytest.fixture(scope="module")
def full(services: Services) -> Diagnosis:
    return services.diagnoser.diagnose(FULL, form=Form.TEXT)


@pytest.fixture
def log() -> Iterator[StringIO]:
    stream = StringIO()
    logs.configure("info", stream=stream)
    yield stream
    logs.configure("critical")


def settings_for(url: str, **changed: Any) -> Settings:
    given = {"webhook_events": (DIAGNOSIS_MADE,), **changed}
    return Settings(webhook_url=url, webhook_secret=SECRET, **given)


@contextmanager
def announcing(url: str, **changed: Any) -> Iterator[Announcer]:
    announcer = announcer_of(settings_for(url, **changed))
    assert announcer
    try:
        yield announcer
    finally:
        announcer.close()


def numbered(diagnosis: Diagnosis, number: int) -> Diagnosis:
    return replace(diagnosis, id=f"{number:032}")


def entries(log: StringIO, name: str) -> list[dict[str, Any]]:
    return [each for each in map(orjson.loads, log.getvalue().splitlines()) if each["event"] == name]


class SlowEvents(Events):
    """Sends nothing; says what it was to send, and ends a call only when it may."""

    __slots__ = ("begun", "may_end")

    def __init__(self) -> None:
        super().__init__(None, "/", SECRET, frozenset({DIAGNOSIS_MADE}))  # type: ignore[arg-type]  # calls nobody
        object.__setattr__(self, "begun", Queue())
        object.__setattr__(self, "may_end", Signal())

    def diagnosis_made(self, answer: Mapping[str, Any], _at: object) -> bool:
        self.begun.put(answer["id"])
        return self.may_end.wait(WAIT_S)


def test_a_diagnosis_is_told_once_signed_and_without_the_words_of_the_mail(full: Diagnosis) -> None:
    with receiving() as receiver, announcing(receiver.url) as announcer:
        announcer.announce(full)
        event_id, told = receiver.next()
        announcer.close()
    assert (0, 0) == (receiver.rest, receiver.unsigned)
    assert f"diagnosis_{full.id}" == event_id
    assert ("diagnosis.made", "mailbox_full") == (told["type"], told["data"]["category"])
    assert ["user@example.com"] == [each["address"] for each in told["data"]["recipients"]]
    assert {"smtp": 452, "enhanced": "4.2.2"} == told["data"]["codes"]
    assert b"marker-words" not in orjson.dumps(told)


def test_each_field_is_named_and_filled_as_in_the_answer(full: Diagnosis) -> None:
    from service.answer import answer_of

    told, answer = event_data_of(full), answer_of(full)
    same = told.keys() - {"codes", "recipients", "recipients_total"}
    assert {name: answer[name] for name in same} == {name: told[name] for name in same}
    assert answer["codes"].items() >= told["codes"].items()


def test_what_is_told_of_many_recipients_is_bounded(full: Diagnosis) -> None:
    endless = replace(full.lead, address="a" * (MOST_ADDRESS_CHARS + 1))
    told = event_data_of(replace(full, recipients=(endless,) * 1000))
    assert (MOST_RECIPIENTS, 1000) == (len(told["recipients"]), told["recipients_total"])
    assert {None} == {each["address"] for each in told["recipients"]}


@pytest.mark.parametrize(
    ("kinds", "categories", "is_told"),
    [
        ((), (), True),
        (("bounce",), ("mailbox_full", "user_unknown"), True),
        (("delay",), (), False),
        ((), ("user_unknown",), False),
    ],
)
def test_only_wanted_kinds_and_categories_are_told(
    full: Diagnosis, kinds: tuple[str, ...], categories: tuple[str, ...], *, is_told: bool
) -> None:
    with (
        receiving() as receiver,
        announcing(receiver.url, webhook_kinds=kinds, webhook_categories=categories) as announcer,
    ):
        announcer.announce(full)
        announcer.close()
        assert int(is_told) == receiver.rest


def test_a_refused_event_holds_up_no_other(full: Diagnosis, log: StringIO) -> None:
    with receiving(422) as receiver, announcing(receiver.url) as announcer:
        for number in range(3):
            announcer.announce(numbered(full, number))
        announcer.close()
    assert 3 == receiver.rest
    (refused,) = entries(log, "event_not_sent")
    assert "answered 422" in refused["reason"]
    assert "example.com" not in log.getvalue()


def test_trouble_of_the_receiver_is_tried_again_with_the_same_id(full: Diagnosis) -> None:
    with receiving(503) as receiver, announcing(receiver.url) as announcer:
        announcer.announce(full)
        assert receiver.next() == receiver.next()


def test_a_full_queue_drops_the_oldest_and_counts_them(full: Diagnosis, log: StringIO) -> None:
    events = SlowEvents()
    announcer = Announcer(events, most_waiting=2)
    announcer.announce(numbered(full, 0))
    assert numbered(full, 0).id == events.begun.get(timeout=WAIT_S)

    for number in range(1, 6):
        announcer.announce(numbered(full, number))
    events.may_end.set()
    announcer.close()

    assert [numbered(full, number).id for number in (4, 5)] == [events.begun.get_nowait() for _ in range(2)]
    (dropped,) = entries(log, "events_dropped")
    assert (3, 2) == (dropped["count"], dropped["most_waiting"])


def test_at_the_end_a_receiver_that_is_down_is_waited_for_no_longer(full: Diagnosis, log: StringIO) -> None:
    with announcing(DOWN) as announcer:
        for number in range(5):
            announcer.announce(numbered(full, number))
        announcer.close(WAIT_S)
    not_sent = len(entries(log, "event_not_sent"))
    (unsent,) = entries(log, "events_unsent")
    assert 5 == not_sent + unsent["count"]
    assert not [thread for thread in threads_of() if thread.name == "events"]


def test_an_end_that_cannot_wait_counts_what_is_lost(full: Diagnosis, log: StringIO) -> None:
    events = SlowEvents()
    announcer = Announcer(events)
    announcer.announce(full)
    events.begun.get(timeout=WAIT_S)
    announcer.announce(numbered(full, 2))
    announcer.close(0)
    announcer.announce(numbered(full, 3))
    assert [2, 1] == [each["count"] for each in entries(log, "events_unsent")]
    events.may_end.set()


def test_trouble_in_the_thread_ends_only_one_event(
    full: Diagnosis, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    events = SlowEvents()
    events.may_end.set()
    announcer = Announcer(events)
    announcer.announce(replace(full, id=[]))  # type: ignore[arg-type]  # breaks in a way nobody thought of
    monkeypatch.setattr(SlowEvents, "wants_diagnosis", _broken)
    announcer.announce(full)
    announcer.close()
    assert ["RuntimeError"] == [each["error"] for each in entries(log, "event_broke")]
    assert "marker" not in log.getvalue()


def _broken(*_: object) -> bool:
    raise RuntimeError("marker@example.com")


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(webhook_events=(DIAGNOSIS_MADE,)),
        Settings(webhook_url=DOWN, webhook_secret=SECRET, webhook_events=(ARCHIVE_FINISHED,)),
    ],
)
def test_where_nobody_wants_to_know_nothing_is_begun(settings: Settings) -> None:
    assert announcer_of(settings) is None
    wired = build(settings)
    assert wired.announced is wired.diagnoser


@pytest.mark.parametrize("event", [ARCHIVE_FINISHED, DIAGNOSIS_MADE])
def test_a_service_that_cannot_sign_does_not_start(event: str) -> None:
    with pytest.raises(SettingError, match="NDR_WEBHOOK_SECRET"):
        build(Settings(webhook_url=DOWN, webhook_events=(event,)))


def test_both_ways_to_diagnose_are_told_and_the_self_test_is_not(services: Services) -> None:
    with receiving() as receiver:
        wired = build(settings_for(receiver.url), diagnoser=services.diagnoser)
        wired.self_test()
        one = wired.announced.diagnose(GONE)
        case = wired.announced.investigate((Exhibit.of("reply", FULL, REPORT),), Question())
        assert wired.announcer
        wired.announcer.close()
    ids = [receiver.next()[0] for _ in range(2)]
    assert ([f"diagnosis_{one.id}", f"diagnosis_{case.diagnosis.id}"], 0) == (ids, receiver.rest)
    assert services.diagnoser.rules_version == wired.announced.rules_version
    assert services.diagnoser.model_version == wired.announced.model_version


def test_without_events_neither_a_thread_nor_urllib3_is_there(full: Diagnosis) -> None:
    program = """
import sys, threading
from service.settings import Settings
from service.web.app import create_app
from service.wiring import build
create_app(build(Settings(webhook_url="http://127.0.0.1:9/", webhook_secret=b"s" * 32)))
print(threading.active_count(), "urllib3" in sys.modules)
"""
    assert "1 False" == _printed(program)


def test_a_forked_worker_begins_a_thread_of_its_own_and_the_parent_has_none() -> None:
    program = f"""
import os, sys, threading
from service.settings import Settings
from service.wiring import build
given = {{"WEBHOOK_URL": sys.argv[1], "WEBHOOK_SECRET": "{SHOWN_SECRET}", "WEBHOOK_EVENTS": "diagnosis.made"}}
wired = build(Settings.read({{"NDR_" + name: value for name, value in given.items()}}))
before = threading.active_count()
def worker(raw):
    child = os.fork()
    if child == 0:
        wired.announced.diagnose(raw)
        wired.announcer.close(20)
        os._exit(0)
    return os.waitpid(child, 0)[1]
print(worker(b"550 5.1.1 first"), worker(b"550 5.1.1 second"), before, threading.active_count())
wired.announced.diagnose(b"550 5.1.1 third")
"""
    with receiving() as receiver:
        assert "0 0 1 1" == _printed(program, receiver.url)
        ids = [receiver.next()[0] for _ in range(3)]
    assert (3, 0) == (len(set(ids)), receiver.rest)


def _printed(program: str, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert 0 == ran.returncode, ran.stderr
    return ran.stdout.strip()


def test_to_import_and_to_wire_begins_no_thread() -> None:
    program = """
import threading
from service.announcing import announcer_of
from service.settings import Settings
assert announcer_of(Settings(webhook_url="http://127.0.0.1:9/", webhook_secret=b"s" * 32,
    webhook_events=("diagnosis.made",)))
print(threading.active_count())
"""
    assert "1" == _printed(program)
