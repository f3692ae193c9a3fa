"""A brake stops work between items, wherever it is done, and nothing else does."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.triage.brake import Brake, Stopped
from service.triage.folders import folder_at

LOOK_S = 2.0


@pytest.fixture
def brake(tmp_path: Path) -> Brake:
    return Brake(folder_at(tmp_path), LOOK_S)


def test_work_goes_on_while_nobody_pulls(brake: Brake) -> None:
    assert [1, 2, 3] == list(brake.watched([1, 2, 3], iter(range(0, 100, 10)).__next__))


def test_it_is_looked_at_now_and_then(brake: Brake) -> None:
    ticks = iter([0.0, 1.9, 2.0, 2.1])
    brake.pull()
    seen: list[int] = []

    with pytest.raises(Stopped):
        seen.extend(brake.watched([1, 2, 3], lambda: next(ticks)))
    assert [1] == seen


def test_another_process_sees_it_too(brake: Brake) -> None:
    there = pickle.loads(pickle.dumps(brake))  # noqa: S301  # our own
    brake.pull()

    with pytest.raises(Stopped):
        list(there.watched([1], iter([0.0, LOOK_S]).__next__))


def test_that_of_another_run_stops_nothing(brake: Brake) -> None:
    Brake(brake.folder, LOOK_S).pull()

    assert [1] == list(brake.watched([1], iter(range(0, 100, 10)).__next__))


def test_a_folder_that_cannot_be_reached_stops_nothing() -> None:
    class Away:
        def exists(self, _name: str) -> bool:
            raise OSError("it is away")

    brake = Brake(Away(), LOOK_S)  # type: ignore[arg-type]

    def ticks() -> Iterator[float]:
        yield from (0.0, 9.0, 9.0)

    assert [1] == list(brake.watched([1], ticks().__next__))
