"""A runner works off orders, loses none to kills, cancels and trouble, and tells of their ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import IO, Any

import orjson
import pytest

from model.errors import UnknownName
from service.errors import CallFailed, CallRefused, StoreUnavailable
from service.runner_cli import run_runner
from service.runner_keeper import Keeper
from service.settings import Settings
from service.triage import results
from service.triage.brake import Brake
from service.triage.folders import LocalFolder, folder_at
from service.triage.job_folders import archives_root, job_folder
from service.triage.lease import Halted, Lease
from service.triage.nouns import Chunk, Done, Execute, Work
from service.triage.order_store import KEEP_DAYS, LEASE_S, TELL_AGAIN_S, SqlOrderStore
from service.triage.orders import Order, Standing, State, Wish
from service.triage.run import serially, with_joblib
from service.triage.runner import QUIET_FOR, Runner, runner_name
from service.triage.work import Options
from service.webhooks import Events

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ITEMS = 60
CHUNKS = 4
REPLIES = (
    "550 5.1.1 <user@example.com>: User unknown",
    "552 5.2.2 Mailbox full",
    "451 4.7.1 Greylisting in action, please come back later",
)


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


class Store(SqlOrderStore):
    """A store that cannot be reached at some calls, and counts heartbeats."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        super().__init__(folder, clock)
        self.outages = dict.fromkeys(("beat", "finish", "release"), 0)
        self.beats = 0
        self.has_beaten = Event()

    def beat(self, order_id: str, runner: str, standing: Standing) -> bool:
        self.beats += 1
        self.has_beaten.set()
        self._fail("beat")
        return super().beat(order_id, runner, standing)

    def finish(self, order_id: str, runner: str, state: State, reason: str | None = None) -> bool:
        self._fail("finish")
        return super().finish(order_id, runner, state, reason)

    def release(self, order_id: str, runner: str) -> bool:
        self._fail("release")
        return super().release(order_id, runner)

    def _fail(self, call: str) -> None:
        if self.outages[call]:
            self.outages[call] -= 1
            raise StoreUnavailable("the store is away")


@dataclass
class Receiver:
    """A ``Caller`` that may fail, and keeps what it is sent."""

    failures: list[Exception] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)

    def call(self, _method: str, _path: str, *, body: bytes | None = None, headers: Any = None) -> Any:
        if self.failures:
            raise self.failures.pop(0)
        self.told.append(orjson.loads(body or b""))


@dataclass
class Interrupted:
    """Runs chunks; calls something after the first."""

    then: Callable[[], object]
    execute: Execute = serially

    def __call__(self, work: Work, chunks: Iterable[Chunk]) -> Iterator[Done]:
        for count, done in enumerate(self.execute(work, chunks)):
            yield done
            if count == 0:
                self.then()


@dataclass
class Place:
    """Everything that runners share."""

    folder: Path
    clock: Clock
    store: Store

    @property
    def root(self) -> str:
        return str(self.folder / "archives")

    def runner(self, execute: Execute = serially, **how: Any) -> Runner:
        how = {"pauses_s": (0.0, 0.0), "beat_s": 60.0} | how
        return Runner(self.store, self.root, Options(), execute, clock=self.clock, **how)

    def order(self, number: int = 1, *archives: Path, **how: Any) -> str:
        names = tuple(map(str, archives or (self.folder / "in.ndjson",)))
        return self.store.add(Wish(f"{number:032x}", names, "outage", **how))[0].wish.id

    def get(self, order_id: str) -> Order:
        return self.store.get(order_id)

    def rows(self, order_id: str) -> list[dict[str, Any]]:
        folder = job_folder(self.root, order_id)
        return [row for table in results.tables(folder) for row in table.to_pylist()]


def place_in(folder: Path) -> Place:
    lines = [orjson.dumps({"id": f"r{n}", "text": f"{REPLIES[n % 3]} {n}"}) for n in range(ITEMS)]
    (folder / "in.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    clock = Clock()
    return Place(folder, clock, Store(folder / "data", clock))


def wait_for_beats(store: Store, count: int) -> None:
    for _ in range(count):
        store.has_beaten.clear()
        assert store.has_beaten.wait(30)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr("service.triage.chunk_size.LEAST_CHUNK_BYTES", 1000)
    return place_in(tmp_path)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    quiet = place_in(tmp_path_factory.mktemp("undisturbed"))
    order_id = quiet.order()
    quiet.runner().work_once()
    return quiet.rows(order_id)


def test_an_order_is_worked_off_with_its_reports(place: Place, undisturbed: list[dict[str, Any]]) -> None:
    order_id = place.order()
    assert place.runner().work_once()
    assert not place.runner().work_once()

    order = place.get(order_id)
    assert (State.SUCCEEDED, None) == (order.state, order.reason)
    assert [f"r{n}" for n in range(ITEMS)] == [row["item"] for row in undisturbed]
    size = (place.folder / "in.ndjson").stat().st_size
    assert replace(order.standing, worked_s=0.0) == Standing(CHUNKS, CHUNKS, ITEMS, ITEMS, 0, size)
    assert order.standing.worked_s > 0
    folder = Path(place.root, order_id)
    assert ITEMS == orjson.loads((folder / "report.json").read_bytes())["items"]
    assert "outage" in (folder / "report.en.html").read_text("utf-8")
    assert "zh-CN" in (folder / "report.zh.html").read_text("utf-8")


@pytest.mark.parametrize(("is_uploaded", "name"), [(True, "outage"), (False, "in.ndjson")])
def test_rows_call_an_upload_what_its_sender_does(place: Place, *, is_uploaded: bool, name: str) -> None:
    order_id = place.order(is_uploaded=is_uploaded)
    place.runner().work_once()

    assert {name} == {row["archive"] for row in place.rows(order_id)}


def test_addresses_stand_in_reports_only_where_that_was_asked_for(place: Place) -> None:
    shown, masked = place.order(1, show_addresses=True), place.order(2)
    place.runner().run(until_idle=True)

    told = [orjson.loads(Path(place.root, each, "report.json").read_bytes()) for each in (shown, masked)]
    assert [True, False] == [each["show_addresses"] for each in told]


@pytest.mark.parametrize("execute", [serially, with_joblib(2)])
def test_what_a_killed_runner_left_is_taken_over(
    place: Place, undisturbed: list[dict[str, Any]], execute: Execute
) -> None:
    order_id = place.order()

    def die() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.runner(Interrupted(die)).work_once()
    assert not place.runner(execute).work_once()
    place.clock.now += timedelta(seconds=LEASE_S + 1)
    assert place.runner(execute).work_once()

    order = place.get(order_id)
    assert (State.SUCCEEDED, CHUNKS, ITEMS) == (order.state, order.standing.chunks_done, order.standing.items)
    assert undisturbed == place.rows(order_id)


def test_a_runner_whose_order_was_taken_over_does_no_harm(
    place: Place, undisturbed: list[dict[str, Any]]
) -> None:
    order_id = place.order()

    def take_over() -> None:
        place.clock.now += timedelta(seconds=LEASE_S + 1)
        assert place.runner().work_once()

    assert place.runner(Interrupted(take_over)).work_once()

    assert State.SUCCEEDED == place.get(order_id).state
    assert undisturbed == place.rows(order_id)


@pytest.mark.parametrize("execute", [serially, with_joblib(2)])
def test_a_runner_that_is_stopped_gives_its_order_back(
    place: Place, undisturbed: list[dict[str, Any]], execute: Execute
) -> None:
    order_id, stop = place.order(), Event()
    place.runner(Interrupted(stop.set, execute), stop=stop).run()

    assert State.QUEUED == place.get(order_id).state
    place.runner().run(until_idle=True)
    assert State.SUCCEEDED == place.get(order_id).state
    assert undisturbed == place.rows(order_id)


def test_a_cancelled_order_stops_within_a_heartbeat(place: Place) -> None:
    order_id = place.order()

    def cancel() -> None:
        place.store.cancel(order_id)
        wait_for_beats(place.store, 2)

    place.runner(Interrupted(cancel), beat_s=0.01).work_once()

    assert State.CANCELLED == place.get(order_id).state


@pytest.mark.parametrize("execute", [serially, with_joblib(2)])
def test_work_that_has_begun_is_stopped(place: Place, execute: Execute) -> None:
    order_id = place.order()

    def cancel_and_run(work: Any, chunks: Iterable[Chunk]) -> Iterator[Done]:
        begun = list(chunks)
        place.store.cancel(order_id)
        wait_for_beats(place.store, 3)
        return execute(replace(work, brake=replace(work.brake, look_s=0.0)), begun)

    place.runner(cancel_and_run, beat_s=0.01).work_once()

    assert State.CANCELLED == place.get(order_id).state
    assert [] == list(Path(place.root, order_id).glob("parts/*.done"))


def test_an_order_that_was_cancelled_while_nobody_had_it_ends(place: Place) -> None:
    order_id = place.order()
    place.store.claim("dead")
    place.store.cancel(order_id)
    place.clock.now += timedelta(seconds=LEASE_S + 1)
    assert place.runner().work_once()

    assert State.CANCELLED == place.get(order_id).state
    assert not Path(place.root, order_id).exists()


def test_heartbeats_come_while_a_chunk_takes_long(place: Place) -> None:
    order_id = place.order()

    place.runner(Interrupted(lambda: wait_for_beats(place.store, 3)), beat_s=0.01).work_once()

    assert place.store.beats > 3
    assert State.SUCCEEDED == place.get(order_id).state


def test_a_store_that_is_away_is_waited_for(
    place: Place, undisturbed: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.triage.runner.STORE_PAUSE_S", 0.0)
    order_id = place.order()
    place.store.outages |= {"beat": 1, "finish": 3}
    place.runner().work_once()

    assert State.SUCCEEDED == place.get(order_id).state
    assert undisturbed == place.rows(order_id)


def test_one_that_is_stopped_does_not_wait_for_a_store_that_is_away(place: Place) -> None:
    order_id, stop = place.order(), Event()
    place.store.outages["release"] = 99
    place.runner(Interrupted(stop.set), stop=stop).run()

    assert State.RUNNING == place.get(order_id).state
    assert 98 == place.store.outages["release"]


def test_an_archive_that_is_not_there_fails_with_a_reason(place: Place) -> None:
    order_id = place.order(1, place.folder / "none.mbox")
    following = place.order(2)
    place.runner().run(until_idle=True)

    order = place.get(order_id)
    assert State.FAILED == order.state
    assert "No such file" in (order.reason or "")
    assert str(place.folder) not in (order.reason or "")
    assert State.SUCCEEDED == place.get(following).state


@pytest.mark.parametrize(
    ("failure", "state", "says"),
    [
        (None, State.SUCCEEDED, ""),
        (OSError(28, "No space left on device"), State.FAILED, "No space left on device"),
        (RuntimeError("550 user@example.com"), State.FAILED, "an error in this program: RuntimeError"),
        (BrokenExecutor(), State.FAILED, "died 5 times"),
    ],
)
def test_what_fails_at_each_try_ends_with_a_reason_that_quotes_nothing(
    place: Place, failure: Exception | None, state: State, says: str
) -> None:
    def execute(work: Work, chunks: Iterable[Chunk]) -> Iterator[Done]:
        if failure:
            raise failure
        return serially(work, chunks)

    order_id = place.order()
    place.runner(execute).work_once()

    order = place.get(order_id)
    assert state == order.state
    assert says in (order.reason or "")
    assert "user@" not in (order.reason or "")


def test_trouble_with_files_may_pass(place: Place, undisturbed: list[dict[str, Any]]) -> None:
    troubles = [OSError(28, "full"), OSError(5, "away")]

    def execute(work: Work, chunks: Iterable[Chunk]) -> Iterator[Done]:
        if troubles:
            raise troubles.pop()
        return serially(work, chunks)

    order_id = place.order()
    place.runner(execute).work_once()

    assert State.SUCCEEDED == place.get(order_id).state
    assert undisturbed == place.rows(order_id)


@pytest.mark.parametrize("key", ["version", "rules", "options"])
def test_a_job_of_another_version_begins_anew(
    place: Place, undisturbed: list[dict[str, Any]], key: str
) -> None:
    order_id, stop = place.order(), Event()
    place.runner(Interrupted(stop.set), stop=stop).run()
    job = Path(place.root, order_id, "job.json")
    job.write_bytes(orjson.dumps(orjson.loads(job.read_bytes()) | {key: "another"}))
    for note in job.parent.glob("parts/*.done"):
        note.write_bytes(orjson.dumps(orjson.loads(note.read_bytes()) | {"items": 1}))
    place.runner().work_once()

    assert ITEMS == place.get(order_id).standing.items
    assert undisturbed == place.rows(order_id)


def test_expired_orders_go_with_their_folder(place: Place) -> None:
    order_id = place.order()
    runner = place.runner()
    runner.run(until_idle=True)
    folder = Path(place.root, order_id)
    place.clock.now += timedelta(days=KEEP_DAYS) - timedelta(seconds=1)
    runner.sweep()
    assert folder.exists()

    place.clock.now += timedelta(seconds=1)
    runner.sweep()
    assert not folder.exists()
    with pytest.raises(UnknownName):
        place.get(order_id)
    runner.sweep()


def test_uploads_that_never_ended_are_deleted_after_two_days(place: Place) -> None:
    order_id = place.order()
    stray = Path(place.root, "0f" * 16, f".{'0e' * 16}.archive")
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"From ")
    os.utime(stray, (place.clock.now.timestamp(),) * 2)
    runner = place.runner()
    place.clock.now += timedelta(days=2)
    runner.sweep()
    assert stray.exists()

    place.clock.now += timedelta(seconds=1)
    runner.sweep()
    assert not stray.parent.exists()
    assert State.QUEUED == place.get(order_id).state


@pytest.mark.parametrize(
    ("name", "is_ordered", "more", "is_there"),
    [
        pytest.param("0f" * 16, False, [], False, id="nobody ordered it"),
        pytest.param(f"{1:032x}", True, [], True, id="somebody did"),
        pytest.param("0f" * 16, False, ["job.json"], True, id="somebody worked on it"),
        pytest.param("letters", False, [], True, id="it is no job's"),
    ],
)
def test_an_upload_that_nobody_ordered_is_deleted_after_two_days(
    place: Place, name: str, *, is_ordered: bool, more: list[str], is_there: bool
) -> None:
    if is_ordered:
        assert name == place.order()
    folder = Path(place.root, name)
    folder.mkdir(parents=True)
    for file in ("archive", *more):
        (folder / file).write_bytes(b"From ")
        os.utime(folder / file, (place.clock.now.timestamp(),) * 2)
    place.clock.now += timedelta(days=2)
    place.runner().sweep()
    assert folder.exists()

    place.clock.now += timedelta(seconds=1)
    place.runner().sweep()
    assert is_there == folder.exists()


@pytest.mark.parametrize("is_expired", [True, False])
def test_a_folder_that_cannot_be_deleted_does_not_end_the_runner(
    place: Place, monkeypatch: pytest.MonkeyPatch, *, is_expired: bool
) -> None:
    def refuse(_folder: LocalFolder) -> None:
        raise PermissionError(13, "Permission denied")

    order_id = place.order() if is_expired else "0f" * 16
    if is_expired:
        place.store.cancel(order_id)
    folder = Path(place.root, order_id)
    folder.mkdir(parents=True)
    (folder / "archive").write_bytes(b"From ")
    os.utime(folder / "archive", (place.clock.now.timestamp(),) * 2)
    monkeypatch.setattr(LocalFolder, "remove_all", refuse)
    place.clock.now += timedelta(days=KEEP_DAYS + 1)
    place.runner().sweep()

    assert folder.exists()
    assert not is_expired or place.get(order_id)


def test_ends_are_told(place: Place) -> None:
    receiver = Receiver()
    place.order(1)
    place.order(2, place.folder / "none.mbox")
    place.runner(events=Events(receiver, "/", b"s", clock=place.clock)).run(until_idle=True)

    told = [(each["type"], each["data"]["state"], each["data"]["rows"]) for each in receiver.told]
    assert [("archive.finished", "succeeded", ITEMS), ("archive.finished", "failed", 0)] == told


@pytest.mark.parametrize("failure", [CallFailed("it is away"), CallRefused("no", 404)])
def test_what_could_not_be_told_is_told_later(place: Place, failure: Exception) -> None:
    receiver = Receiver([failure])
    place.store.cancel(place.order())
    runner = place.runner(events=Events(receiver, "/", b"s", clock=place.clock))
    runner.tell()
    runner.tell()
    assert [] == receiver.told

    place.clock.now += max(QUIET_FOR, timedelta(seconds=TELL_AGAIN_S))
    runner.tell()
    runner.tell()
    assert ["cancelled"] == [each["data"]["state"] for each in receiver.told]


def test_nothing_is_told_where_nobody_listens(place: Place) -> None:
    place.store.cancel(place.order())
    place.runner().tell()

    assert 1 == len(place.store.untold())


def test_a_lease_tells_how_long_the_work_took_in_all(place: Place) -> None:
    ticks = iter([10.0, 12.5])
    order = place.get(place.order())
    order = replace(order, standing=Standing(worked_s=5.0))
    lease = Lease(place.store, order, "a", Event(), ticks=lambda: next(ticks))

    assert 7.5 == lease.standing.worked_s


def test_work_without_a_lease_does_not_begin(place: Place) -> None:
    order = place.get(place.order())
    lease = Lease(place.store, order, "a", Event())
    lease.beat()

    with pytest.raises(Halted):
        list(lease.guarded(serially, Brake(folder_at("none")))(lambda _: pytest.fail("it began"), []))


def test_no_two_runners_have_one_name() -> None:
    assert runner_name() != runner_name()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Settings(data_dir=Path("/data")), "/data/archives"),
        (Settings(data_dir=Path("/data"), archive_dir="s3://bucket/ndr"), "s3://bucket/ndr"),
    ],
)
def test_settings_name_the_root_of_folders(given: Settings, expected: str) -> None:
    assert expected == archives_root(given)


def test_without_a_place_no_runner_starts() -> None:
    with pytest.raises(StoreUnavailable, match="NDR_DATA_DIR"):
        run_runner(Settings(), Event(), until_idle=True)


def test_a_job_of_many_stores_lies_in_a_folder_of_its_name() -> None:
    assert "s3://bucket/ndr/abc" == job_folder("s3://bucket/ndr/", "abc").address


COMMAND = (sys.executable, "-c", "from service.runner_cli import runner; runner()")


def environment(place: Place) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NDR_")}
    return kept | {"NDR_DATA_DIR": str(place.folder / "data"), "NDR_TRIAGE_JOBS": "1"}


def events_in(lines: Iterable[bytes]) -> list[str]:
    return [orjson.loads(line)["event"] for line in lines]


def test_the_command_works_off_what_waits_and_logs_no_address(place: Place) -> None:
    asked = Wish("c" * 32, (str(place.folder / "in.ndjson"),), "user@example.com")
    SqlOrderStore(place.folder / "data").add(asked)
    ended = subprocess.run([*COMMAND, "--once"], env=environment(place), capture_output=True, timeout=120)

    lines = ended.stderr.splitlines()
    assert ["runner_started", "order_claimed", "order_finished", "runner_stopped"] == events_in(lines)
    finished = orjson.loads(lines[2])
    assert (0, asked.id, ITEMS) == (ended.returncode, finished["order"], finished["items"])
    assert b"@" not in ended.stderr
    assert State.SUCCEEDED == place.get(asked.id).state


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_ends_with_grace_at_a_signal(place: Place, number: int) -> None:
    with subprocess.Popen(COMMAND, env=environment(place), stderr=subprocess.PIPE) as process:
        assert process.stderr
        assert ["runner_started"] == events_in([process.stderr.readline()])
        process.send_signal(number)

        assert ["runner_stopped"] == events_in(process.stderr)
    assert 0 == process.returncode


def test_the_command_ends_with_its_parent(place: Place) -> None:
    parent = "import os, subprocess, sys; subprocess.run([*sys.argv[1:], '--parent', str(os.getpid())])"
    command = [sys.executable, "-c", parent, *COMMAND]
    with subprocess.Popen(command, env=environment(place), stderr=subprocess.PIPE) as process:
        assert process.stderr
        assert ["runner_started"] == events_in([process.stderr.readline()])
        process.kill()

        assert ["runner_stopped"] == events_in(process.stderr)


RUNNER = """
import os, signal, sys
line = os.open(sys.argv[1], os.O_WRONLY)
os.write(line, b"%d\\n" % os.getpid())
signal.pause()
"""


def test_a_keeper_starts_its_runner_again_and_ends_it(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    command = [sys.executable, "-c", RUNNER, str(fifo)]
    with os.fdopen(os.open(fifo, os.O_RDWR), "rb") as lines, Keeper(command, pause_s=0.0):
        first, second = (int(_told(lines, kill=kill)) for kill in (True, False))

    assert first != second
    for process in (first, second):
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def _told(lines: IO[bytes], *, kill: bool) -> bytes:
    """The process that a runner tells of itself; perhaps it is killed then."""
    line = lines.readline()
    if kill:
        os.kill(int(line), signal.SIGKILL)
    return line
