"""A diagnoser with the shipped rules alone, and a ledger in a folder of its own."""

from pathlib import Path

import pytest

from model.pipeline import Diagnoser, build_diagnoser
from service.ticketing.handling import Handler
from service.ticketing.ledger import Ledger
from tests.unit.ticketing.fakes import FakeClock, FakeDesk


@pytest.fixture(scope="session")
def diagnoser() -> Diagnoser:
    return build_diagnoser(with_model=False)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: FakeClock) -> Ledger:
    return Ledger(tmp_path / "data", clock)


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def handler(desk: FakeDesk, ledger: Ledger, diagnoser: Diagnoser) -> Handler:
    return Handler({"desk": desk.desk()}, ledger, diagnoser)
