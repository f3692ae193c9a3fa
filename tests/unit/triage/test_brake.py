"""A brake stops work between items, wherever it is done, and nothing else does."""

import pickle
from itertools import count
from pathlib import Path

import pytest

from service.triage.brake import Brake, Stopped
from service.triage.folders import folder_at
from service.triage.job_folders import JOB

LOOK_S = 2.0


@pytest.fixture
def brake(tmp_path: Path) -> Brake:
    (tmp_path / JOB).touch()
    return Brake(folder_at(tmp_path), LOOK_S)


def test_work_goes_on_while_nobody_pulls(brake: Brake) -> None:
    assert [1, 2, 3] == list(brake.watched([1, 2, 3], count(0, 10).__next__))


def test_work_is_stopped_when_it_is_looked_again(brake: Brake) -> None:
    ticks = iter([0.0, 0.0, 0.0, 1.9, 2.0])
    watched = brake.watched([1, 2, 3], lambda: next(ticks))
    assert 1 == next(watched)
    brake.pull()

    assert 2 == next(watched)
    with pytest.raises(Stopped):
        next(watched)


def test_work_that_comes_after_the_end_does_not_begin(brake: Brake) -> None:
    brake.pull()

    with pytest.raises(Stopped):
        next(brake.watched([1]))


def test_another_process_sees_it_too(brake: Brake) -> None:
    there = pickle.loads(pickle.dumps(brake))  # noqa: S301  # our own
    brake.pull()

    with pytest.raises(Stopped):
        next(there.watched([1]))


def test_that_of_another_run_stops_nothing(brake: Brake) -> None:
    Brake(brake.folder, LOOK_S).pull()

    assert [1] == list(brake.watched([1]))


def test_a_job_that_was_deleted_is_stopped_and_stays_deleted(brake: Brake, tmp_path: Path) -> None:
    brake.folder.remove_all()
    brake.pull()

    assert not tmp_path.exists()
    with pytest.raises(Stopped):
        next(brake.watched([1]))


def test_a_folder_that_cannot_be_reached_stops_nothing() -> None:
    class Away:
        def exists(self, _name: str) -> bool:
            raise OSError("it is away")

    brake = Brake(Away(), LOOK_S)  # type: ignore[arg-type]

    assert [1] == list(brake.watched([1]))
