"""Each diagnosis that a caller gets is told once, beside the request, and nothing else is."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.announcing import Announcer
from service.settings import Settings
from service.ticketing.handling import Handler
from service.ticketing.ledger import Ledger
from service.web.app import create_app
from service.wiring import Services, build
from tests.receiver import SECRET, WAIT_S, Receiver, receiving
from tests.unit.ticketing.fakes import FakeDesk, bounce

TEXT = {"text": "550 5.1.1 User unknown"}
PIECE = {"type": "ndr", "content": "550 5.1.1 User unknown"}
PIECES = {"evidence": [PIECE, PIECE]}
LINES = b'{"text": "550 5.1.1 User unknown"}\n{"text": "552 5.2.2 Full"}\n'
NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as open_receiver:
        yield open_receiver


@pytest.fixture
def wired(receiver: Receiver, settings: Settings, diagnoser: Any, memory_store: Any) -> Iterator[Services]:
    told = replace(
        settings, webhook_url=receiver.url, webhook_secret=SECRET, webhook_events=("diagnosis.made",)
    )
    services = build(told, diagnoser=diagnoser, feedback=memory_store)
    yield services
    _announcer(services).close()


@pytest.fixture
def told_client(wired: Services) -> FlaskClient:
    return create_app(wired).test_client()


def _announcer(services: Services) -> Announcer:
    assert services.announcer
    return services.announcer


@pytest.mark.parametrize(
    ("ask", "count"),
    [
        (lambda client: client.post("/v1/classify", json=TEXT), 1),
        (lambda client: client.post("/v1/classify", json=TEXT, headers={"Accept": "text/plain"}), 1),
        (lambda client: client.post("/v1/classify/batch", json={"items": [TEXT, {"text": ""}, TEXT]}), 2),
        (lambda client: client.post("/v1/classify/batch", data=LINES, headers=NDJSON), 2),
        (lambda client: client.post("/v1/diagnose", json=PIECES), 1),
        (lambda client: client.post("/v1/diagnose", json=PIECES, headers={"Accept": "image/svg+xml"}), 1),
        (lambda client: client.post("/v1/feedback", json=TEXT | {"category": "user_unknown"}), 0),
        (lambda client: client.post("/v1/classify", json=TEXT, headers={"Accept": "image/png"}), 0),
        (lambda client: client.post("/v1/classify", json={"text": " "}), 0),
        (lambda client: client.get("/readyz"), 0),
    ],
)
def test_each_diagnosis_is_told_once(
    told_client: FlaskClient,
    wired: Services,
    receiver: Receiver,
    ask: Callable[[FlaskClient], Any],
    count: int,
) -> None:
    assert ask(told_client).get_data()
    _announcer(wired).close()
    assert (count, 0) == (receiver.rest, receiver.unsigned)
    assert ["diagnosis_d1"] * count == [receiver.next()[0] for _ in range(count)]


def test_a_ticketing_system_has_its_diagnoses_told(
    wired: Services, receiver: Receiver, tmp_path: Path
) -> None:
    desk = FakeDesk()
    handler = Handler({"desk": desk.desk()}, Ledger(tmp_path), wired.announced)
    handler.take("desk", desk.receive(bounce()))
    list(handler.work())
    _announcer(wired).close()
    assert (1, 1) == (receiver.rest, len(desk.changes))


def test_the_service_hands_its_ticketing_the_diagnoser_that_tells(wired: Services, tmp_path: Path) -> None:
    for name in ("token", "secret"):
        (tmp_path / name).write_text("shared", "utf-8")
    file = tmp_path / "tickets.toml"
    file.write_text(
        '[systems.helpdesk]\nadapter = "rt"\nurl = "https://rt.example.com"\nuser = "ndr"\n'
        f'token_file = "{tmp_path / "token"}"\nsecret_file = "{tmp_path / "secret"}"\n',
        "utf-8",
    )
    services = build(replace(wired.settings, tickets_file=file), diagnoser=wired.diagnoser)
    assert services.tickets
    assert services.announced == services.tickets.handler.diagnoser != services.diagnoser


def test_a_receiver_that_does_not_answer_delays_no_caller(settings: Settings, diagnoser: Any) -> None:
    with receiving(is_open=False) as stuck:
        told = replace(
            settings, webhook_url=stuck.url, webhook_secret=SECRET, webhook_events=("diagnosis.made",)
        )
        services = build(told, diagnoser=diagnoser)
        client = create_app(services).test_client()
        answers = [client.post("/v1/classify", json=TEXT)]
        assert stuck.asked.wait(WAIT_S), "the receiver holds the first event"
        answers += [client.post("/v1/classify", json=TEXT) for _ in range(3)]
        assert ([200] * 4, 0) == ([answer.status_code for answer in answers], stuck.rest)
        stuck.gate.set()
        assert ["diagnosis_d1"] * 4 == [stuck.next()[0] for _ in range(4)]
        _announcer(services).close()
