"""Webhooks are answered at once, written down before, and believed only when they are signed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from service.settings import Settings
from service.ticketing.handling import Handler
from service.ticketing.inbox import Inbox
from service.ticketing.ledger import Ledger, State
from service.ticketing.nouns import System
from service.web.app import create_app
from service.wiring import Services, build
from tests.unit.ticketing.fakes import FakeDesk, bounce

TOLD = b'{"ticket": 100, "message": 1}'
RIGHT = {"X-Token": "right"}


@dataclass
class Background:
    """Keeps what would run beside the requests; each ``run`` is one look at the ledger."""

    begun: list[Callable[[], None]] = field(default_factory=list)

    def __call__(self, work: Callable[[], None]) -> None:
        self.begun.append(work)


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def background() -> Background:
    return Background()


@pytest.fixture
def handler(desk: FakeDesk, tmp_path: Path) -> Handler:
    return Handler({"desk": desk.desk()}, Ledger(tmp_path / "data"), build(Settings()).diagnoser)


@pytest.fixture
def tickets_client(handler: Handler, background: Background) -> FlaskClient:
    wired = Services(
        Settings.read({"NDR_API_KEYS": "key"}), handler.diagnoser, tickets=Inbox(handler, background)
    )  # type: ignore[arg-type]  # only diagnose is asked
    return create_app(wired).test_client()


def test_a_webhook_is_noted_answered_and_worked_off_later(
    tickets_client: FlaskClient, handler: Handler, desk: FakeDesk, background: Background
) -> None:
    desk.receive(bounce())
    answer = tickets_client.post("/v1/tickets/desk", data=TOLD, headers=RIGHT)
    assert (202, {"status": "noted"}) == (answer.status_code, answer.json)
    assert [] == desk.changes
    assert [State.WAITING] == [entry.state for entry in handler.ledger.letters(*State)]
    assert 1 == len(background.begun)
    list(handler.work())
    assert 1 == len(desk.notes)


def test_the_same_webhook_again_is_known(tickets_client: FlaskClient, background: Background) -> None:
    statuses = [tickets_client.post("/v1/tickets/desk", data=TOLD, headers=RIGHT).json for _ in range(3)]
    assert [{"status": "noted"}, {"status": "known"}, {"status": "known"}] == statuses
    assert 1 == len(background.begun), "one worker for each system in each process"


def test_a_change_of_our_own_is_ignored(tickets_client: FlaskClient) -> None:
    body = b'{"ticket": 100, "message": 1, "own": true}'
    answer = tickets_client.post("/v1/tickets/desk", data=body, headers=RIGHT)
    assert (202, {"status": "ignored"}) == (answer.status_code, answer.json)


@pytest.mark.parametrize(
    ("system", "body", "headers", "status", "problem"),
    [
        ("desk", TOLD, {}, 401, "unauthorized"),
        ("desk", TOLD, {"X-Token": "wrong"}, 401, "unauthorized"),
        ("desk", TOLD, {"Authorization": "Bearer key"}, 401, "unauthorized"),
        ("nobody", TOLD, RIGHT, 404, "not-found"),
        ("desk", b"{", RIGHT, 400, "malformed-request"),
        ("desk", b'{"ticket": 100}', RIGHT, 400, "malformed-request"),
    ],
)
def test_what_is_not_believed_is_a_problem(
    tickets_client: FlaskClient,
    handler: Handler,
    system: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
    problem: str,
) -> None:
    answer = tickets_client.post(f"/v1/tickets/{system}", data=body, headers=headers)
    assert (status, f"urn:ndr-triage:problem:{problem}") == (answer.status_code, answer.json["type"])
    assert () == handler.ledger.letters(*State)


def test_without_systems_there_are_none() -> None:
    client = create_app(build(Settings())).test_client()
    assert 404 == client.post("/v1/tickets/desk", data=TOLD, headers=RIGHT).status_code


def test_what_cannot_be_written_down_is_not_taken(
    tickets_client: FlaskClient, handler: Handler, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("no folder")
    answer = tickets_client.post("/v1/tickets/desk", data=TOLD, headers=RIGHT)
    assert 503 == answer.status_code, "the system sends it again"


def test_a_process_begins_with_what_an_earlier_one_left(
    handler: Handler, desk: FakeDesk, background: Background
) -> None:
    handler.take("desk", desk.receive(bounce()))
    inbox = Inbox(handler, background)
    inbox.wake()
    assert 1 == len(background.begun)
    assert inbox.work_once("desk") > 0
    assert 1 == len(desk.notes)


LINKING = System("desk", "fake", "https://desk.example", link="https://ndr.example.com/")
KINDS = ("application/json", "text/plain", "text/html")
PAGE = re.compile(r"https://ndr\.example\.com(/v1/diagnoses/[0-9a-f]{32})")


def page_linked_by(handler: Handler, desk: FakeDesk) -> str:
    handler.take("desk", desk.receive(bounce()))
    list(handler.work())
    (note,) = desk.notes
    found = PAGE.search(note.text)
    assert found
    return found[1]


@pytest.mark.parametrize("desk", [FakeDesk(LINKING)])
def test_a_note_links_to_the_whole_diagnosis(
    desk: FakeDesk, handler: Handler, tickets_client: FlaskClient
) -> None:
    path = page_linked_by(handler, desk)
    answers = {kind: tickets_client.get(path, headers={"Accept": kind}) for kind in KINDS}

    assert [200, 200, 200] == [answer.status_code for answer in answers.values()]
    assert "recipient_unknown" == answers["application/json"].get_json()["category"]
    assert "gone@example.net: recipient_unknown" in answers["text/plain"].text
    assert "gone@example.net: recipient_unknown" in answers["text/html"].text
    assert "<script" not in answers["text/html"].text
    assert "default-src 'none'" in answers["text/html"].headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["0" * 32, "x", "%2e%2e"])
def test_no_other_diagnosis_can_be_read(tickets_client: FlaskClient, name: str) -> None:
    assert 404 == tickets_client.get(f"/v1/diagnoses/{name}").status_code


def test_without_systems_there_are_no_diagnoses_to_read() -> None:
    client = create_app(build(Settings())).test_client()

    assert 404 == client.get(f"/v1/diagnoses/{'0' * 32}").status_code


def test_a_system_without_our_address_gets_no_link(desk: FakeDesk, handler: Handler) -> None:
    handler.take("desk", desk.receive(bounce()))
    list(handler.work())

    assert "/v1/diagnoses/" not in desk.notes[0].text
