"""Orders are taken once, worked on by one runner at a time, told of and forgotten, wherever they are kept."""

import multiprocessing
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, update

from model.errors import UnknownName
from service.errors import KeyReused, StillRunning, StoreUnavailable
from service.once import Once
from service.settings import Settings
from service.triage.nouns import Kind
from service.triage.order_database import FILE
from service.triage.order_store import (
    KEYS_KEPT_FOR,
    LEASE_S,
    MOST_DEATHS,
    TELL_AGAIN_S,
    TELL_FOR,
    TELLING,
    SqlOrderStore,
    store_of,
)
from service.triage.order_tables import UPGRADES, VERSION
from service.triage.orders import Order, OrderStore, Standing, State, Wish

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HALF = Standing(chunks=4, chunks_done=2, items=2**33, rows=2**34, errors=1, read_bytes=2**40, worked_s=1.5)
SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=LEASE_S)


@dataclass
class Clock:
    """A clock that goes when it is told to; its zone is not UTC."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now.astimezone(timezone(timedelta(hours=8)))

    def go(self, time: timedelta) -> None:
        self.now += time


def wish(number: int = 1) -> Wish:
    return Wish(id=f"{number:032x}", archives=(f"/in/{number}.mbox",), name=f"archive {number}")


def ids(orders: tuple[Order, ...]) -> list[int]:
    return [int(order.wish.id, 16) for order in orders]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(place: Path | str, clock: Clock) -> OrderStore:
    return SqlOrderStore(place, clock)


@pytest.fixture
def claimed(store: OrderStore) -> Order:
    store.add(wish())
    order = store.claim("a")
    assert order
    return order


def ended(store: OrderStore, number: int, state: State = State.SUCCEEDED) -> str:
    order, _ = store.add(wish(number))
    assert store.claim("a")
    assert store.finish(order.wish.id, "a", state)
    return order.wish.id


def test_a_new_store_is_empty(store: OrderStore) -> None:
    assert ((), (), ()) == (store.listed(10), store.expired(), store.untold())
    assert store.claim("a") is None
    assert not store.beat("0" * 32, "a", HALF)
    assert not store.finish("0" * 32, "a", State.FAILED)
    assert not store.release("0" * 32, "a")
    store.told("0" * 32, arrived=True)


@pytest.mark.parametrize("call", ["get", "cancel", "remove"])
@pytest.mark.parametrize("others", [0, 1])
def test_an_order_that_nobody_knows_is_named(store: OrderStore, call: str, others: int) -> None:
    for number in range(others):
        store.add(wish(number))
    with pytest.raises(UnknownName, match="job"):
        getattr(store, call)("f" * 32)


def test_an_order_is_queued_and_complete(store: OrderStore, clock: Clock) -> None:
    asked = Wish(
        id="a" * 32,
        archives=("s3://bucket/ä.mbox", "/in/b.csv"),
        name="邮件 \u2028 %s",
        kind=Kind.TABLE,
        column="Antwort",
        show_addresses=True,
        is_uploaded=True,
    )
    order, is_new = store.add(asked)

    assert is_new
    assert Order(asked, State.QUEUED, Standing(), NOON) == order == store.get(asked.id)


def test_a_wish_with_a_known_id_is_not_taken_again(store: OrderStore) -> None:
    first, _ = store.add(wish())

    assert (first, False) == store.add(wish())
    assert 1 == len(store.listed(9))


def test_a_request_with_a_key_counts_once(store: OrderStore) -> None:
    first, _ = store.add(wish(1), Once("key", "body"))
    store.cancel(first.wish.id)

    again, is_new = store.add(wish(2), Once("key", "body"))
    assert (False, first.wish, State.CANCELLED) == (is_new, again.wish, again.state)
    assert store.add(wish(3), Once("other key", "body"))[1]


def test_a_key_stands_for_one_body(store: OrderStore) -> None:
    store.add(wish(1), Once("key", "body"))

    with pytest.raises(KeyReused):
        store.add(wish(2), Once("key", "other body"))
    assert [1] == ids(store.listed(9))


def test_keys_are_forgotten_after_a_while_and_with_their_order(store: OrderStore, clock: Clock) -> None:
    store.add(wish(1), Once("old", "body"))
    clock.go(KEYS_KEPT_FOR + SECOND)

    assert store.add(wish(2), Once("old", "other body"))[1]
    store.cancel(wish(2).id)
    store.remove(wish(2).id)
    assert store.add(wish(3), Once("old", "body"))[1]


def test_the_newest_orders_are_listed_first_up_to_a_limit(store: OrderStore, clock: Clock) -> None:
    for number in (1, 2, 3):
        store.add(wish(number))
        clock.go(SECOND)

    assert [3, 2] == ids(store.listed(2))


def test_the_oldest_order_is_claimed_by_one_runner(store: OrderStore, clock: Clock) -> None:
    for number in (1, 2):
        store.add(wish(number))
        clock.go(SECOND)
    first, second = store.claim("a"), store.claim("b")

    assert first
    assert second
    assert [1, 2] == ids((first, second))
    assert (State.RUNNING, clock.now) == (first.state, first.started_at)
    assert store.claim("c") is None


def test_a_heartbeat_renews_the_lease_and_tells_how_far_it_is(
    store: OrderStore, clock: Clock, claimed: Order
) -> None:
    for _ in range(3):
        clock.go(LEASE)
        assert store.beat(claimed.wish.id, "a", HALF)

    assert store.claim("b") is None
    assert HALF == store.get(claimed.wish.id).standing


def test_the_order_of_a_silent_runner_is_taken_over_and_the_old_one_told(
    store: OrderStore, clock: Clock, claimed: Order
) -> None:
    store.beat(claimed.wish.id, "a", HALF)
    clock.go(LEASE + SECOND)
    taken = store.claim("b")

    assert taken
    assert (claimed.wish, claimed.started_at, HALF) == (taken.wish, taken.started_at, taken.standing)
    assert not store.beat(claimed.wish.id, "a", Standing())
    assert not store.finish(claimed.wish.id, "a", State.FAILED, "late")
    assert not store.release(claimed.wish.id, "a")
    assert store.beat(claimed.wish.id, "b", HALF)


def test_a_late_heartbeat_keeps_what_nobody_took(store: OrderStore, clock: Clock, claimed: Order) -> None:
    clock.go(LEASE * 10)

    assert store.beat(claimed.wish.id, "a", HALF)
    assert store.claim("b") is None


def test_an_order_that_kills_its_runners_fails(store: OrderStore, clock: Clock, claimed: Order) -> None:
    store.add(wish(2))
    for number in range(1, MOST_DEATHS):
        clock.go(LEASE + SECOND)
        taken = store.claim(str(number))
        assert taken
        assert [1] == ids((taken,))
    clock.go(LEASE + SECOND)
    following = store.claim("last")

    assert following
    assert [2] == ids((following,))
    failed = store.get(claimed.wish.id)
    assert State.FAILED == failed.state
    assert str(MOST_DEATHS) in (failed.reason or "")


def test_an_order_that_gets_on_may_lose_many_runners(store: OrderStore, clock: Clock, claimed: Order) -> None:
    for number in range(3 * MOST_DEATHS):
        clock.go(LEASE + SECOND)
        assert store.claim(str(number))
        assert store.beat(claimed.wish.id, str(number), replace(HALF, chunks_done=number + 1))

    assert State.RUNNING == store.get(claimed.wish.id).state


def test_an_order_that_is_given_back_is_queued_in_its_place(store: OrderStore, claimed: Order) -> None:
    store.add(wish(2))
    assert store.release(claimed.wish.id, "a")

    assert State.QUEUED == store.get(claimed.wish.id).state
    assert claimed == store.claim("b")


@pytest.mark.parametrize(
    ("state", "reason"), [(State.SUCCEEDED, None), (State.FAILED, "it is cut off"), (State.CANCELLED, None)]
)
def test_an_end_is_noted_with_its_time_and_that_of_its_expiry(
    store: OrderStore, clock: Clock, claimed: Order, state: State, reason: str | None
) -> None:
    clock.go(SECOND)
    assert store.finish(claimed.wish.id, "a", state, reason)

    order = store.get(claimed.wish.id)
    assert (state, reason, clock.now) == (order.state, order.reason, order.finished_at)
    assert clock.now + timedelta(days=7) == order.expires_at
    assert not store.finish(claimed.wish.id, "a", State.FAILED)
    assert not store.beat(claimed.wish.id, "a", HALF)


def test_a_queued_order_is_cancelled_at_once(store: OrderStore) -> None:
    store.add(wish())

    assert State.CANCELLED == store.cancel(wish().id).state
    assert store.claim("a") is None


def test_the_runner_of_a_cancelled_order_is_asked_to_stop(store: OrderStore, claimed: Order) -> None:
    asked = store.cancel(claimed.wish.id)

    assert (State.RUNNING, True) == (asked.state, asked.is_cancelling)
    assert not store.beat(claimed.wish.id, "a", HALF)
    assert store.release(claimed.wish.id, "a")
    assert State.CANCELLED == store.get(claimed.wish.id).state


def test_a_cancelled_order_without_a_runner_ends_at_once(
    store: OrderStore, clock: Clock, claimed: Order
) -> None:
    clock.go(LEASE + SECOND)

    assert State.CANCELLED == store.cancel(claimed.wish.id).state


def test_one_that_was_cancelled_before_its_runner_died_says_so(
    store: OrderStore, clock: Clock, claimed: Order
) -> None:
    store.cancel(claimed.wish.id)
    clock.go(LEASE + SECOND)
    taken = store.claim("b")

    assert taken
    assert taken.is_cancelling


def test_an_end_stays_what_it_is(store: OrderStore) -> None:
    order_id = ended(store, 1)

    assert State.SUCCEEDED == store.cancel(order_id).state


def test_only_what_has_ended_is_forgotten(store: OrderStore, claimed: Order) -> None:
    with pytest.raises(StillRunning):
        store.remove(claimed.wish.id)
    store.finish(claimed.wish.id, "a", State.FAILED, "no")
    store.remove(claimed.wish.id)

    with pytest.raises(UnknownName):
        store.get(claimed.wish.id)


def test_orders_expire_after_the_days_that_they_are_kept(place: Path | str, clock: Clock) -> None:
    store = SqlOrderStore(place, clock, keep_days=2)
    ended(store, 1)
    clock.go(timedelta(days=1))
    ended(store, 2)
    store.add(wish(3))
    assert () == store.expired()

    clock.go(timedelta(days=1))
    assert [1] == ids(store.expired())
    clock.go(timedelta(days=1))
    assert [1, 2] == ids(store.expired())


def test_each_end_is_told_once(store: OrderStore, clock: Clock) -> None:
    first = ended(store, 1)
    clock.go(SECOND)
    ended(store, 2, State.FAILED)
    store.add(wish(3))

    assert [1, 2] == ids(store.untold())
    assert () == store.untold()
    store.told(first, arrived=True)
    clock.go(TELLING)
    assert [2] == ids(store.untold())


def test_what_was_told_in_vain_is_told_ever_more_rarely_for_a_day(store: OrderStore, clock: Clock) -> None:
    order_id = ended(store, 1)
    waits = []
    while True:
        assert store.untold()
        store.told(order_id, arrived=False)
        assert () == store.untold()
        wait = timedelta(seconds=TELL_AGAIN_S * 2 ** len(waits))
        clock.go(wait)
        if clock.now >= NOON + TELL_FOR:
            break
        waits.append(wait)

    assert () == store.untold()
    assert 11 == len(waits)


def test_old_ends_are_not_told(store: OrderStore, clock: Clock) -> None:
    ended(store, 1)
    clock.go(TELL_FOR)

    assert () == store.untold()


def test_many_threads_and_stores_share_orders_without_loss(place: Path | str, clock: Clock) -> None:
    stores = [SqlOrderStore(place, clock) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda n: stores[n % 4].add(wish(n), Once(f"key {n % 8}", "body")), range(24)))
        claims = list(pool.map(lambda n: stores[n % 4].claim(str(n)), range(12)))

    assert 8 == sum(is_new for _, is_new in added)
    taken = [order.wish.id for order in claims if order]
    assert 8 == len(taken) == len(set(taken))


def _claimed_by(place: Path | str, number: int) -> str | None:
    order = SqlOrderStore(place).claim(f"{os.getpid()} {number}")
    return order.wish.id if order else None


def test_processes_that_were_forked_share_orders(place: Path | str) -> None:
    store = SqlOrderStore(place)
    for number in range(6):
        store.add(wish(number))
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        taken = [each for each in pool.map(partial(_claimed_by, place), range(8)) if each]

    assert 6 == len(taken) == len(set(taken))
    assert store.claim("here") is None


def test_a_newer_form_is_refused(place: Path | str) -> None:
    SqlOrderStore(place).add(wish())
    url = place if isinstance(place, str) else f"sqlite:///{place / FILE}"
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(update(VERSION).values(version=len(UPGRADES) + 1))

    with pytest.raises(StoreUnavailable, match="a newer version"):
        SqlOrderStore(place).listed(1)


def test_nothing_is_made_before_the_first_order(tmp_path: Path) -> None:
    store = SqlOrderStore(tmp_path / "new" / "data")
    test_a_new_store_is_empty(store)
    assert not (tmp_path / "new").exists()

    store.add(wish())
    assert 0o700 == (tmp_path / "new" / "data").stat().st_mode & 0o777
    with closing(sqlite3.connect(tmp_path / "new" / "data" / FILE)) as database:
        assert ("wal",) == database.execute("PRAGMA journal_mode").fetchone()


def test_a_store_whose_file_was_removed_begins_anew(tmp_path: Path) -> None:
    store = SqlOrderStore(tmp_path)
    store.add(wish(1))
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(StoreUnavailable):
        store.add(wish(2))
    store.add(wish(2))

    assert [2] == ids(store.listed(9))


def make_a_file(folder: Path) -> None:
    folder.write_bytes(b"")


def make_damaged(folder: Path) -> None:
    folder.mkdir()
    (folder / FILE).write_bytes(b"this is no database, and long enough to be seen as none" * 20)


@pytest.mark.parametrize(
    ("spoil", "says"), [(make_a_file, "File exists|directory"), (make_damaged, "not a database")]
)
def test_a_place_that_cannot_be_used_is_told_without_its_path(
    tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(tmp_path / "data")

    with pytest.raises(StoreUnavailable, match=says) as raised:
        SqlOrderStore(tmp_path / "data").add(wish())
    assert str(tmp_path) not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ndr:s%C3%A9cret@127.0.0.1:1/ndr",
        "postgresql+psycopg://ndr@127.0.0.1:1/ndr?password=s%C3%A9cret",
        "postgresql+psycopg://ndr@127.0.0.1:1/ndr?passwrod=sécret&password=sécret",
    ],
)
def test_no_error_tells_a_password(url: str) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'ndr-triage[postgresql]'")
    with pytest.raises(StoreUnavailable) as raised:
        SqlOrderStore(url).add(wish())

    assert "cret" not in str(raised.value).replace("passwrod", "")


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "postgresql://[", "postgresql+none://x/y"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(StoreUnavailable):
        SqlOrderStore(url).add(wish())


def test_without_a_place_nothing_is_kept() -> None:
    with pytest.raises(StoreUnavailable, match="NDR_DATA_DIR"):
        SqlOrderStore(None).add(wish())
    assert () == SqlOrderStore(None).listed(9)


@pytest.fixture
def lost(postgresql_server: object) -> Iterator[tuple[SqlOrderStore, Callable[[], None]]]:
    server = postgresql_server
    store = SqlOrderStore(server.new_database())  # type: ignore[attr-defined]
    store.add(wish())
    server.stop()  # type: ignore[attr-defined]
    back: list[None] = []

    def come_back() -> None:
        back.append(None)
        server.start()  # type: ignore[attr-defined]

    yield store, come_back
    if not back:
        come_back()


def test_a_server_that_crashed_is_told_of_and_found_again(
    lost: tuple[SqlOrderStore, Callable[[], None]],
) -> None:
    store, come_back = lost
    with pytest.raises(StoreUnavailable):
        store.claim("a")
    come_back()

    assert [1] == ids(store.listed(9))


@pytest.mark.parametrize(
    ("given", "file"),
    [
        ({"data_dir": True}, f"data/{FILE}"),
        ({"database_url": "sqlite:///{}/own.sqlite", "data_dir": True}, "own.sqlite"),
    ],
)
def test_settings_name_the_place(tmp_path: Path, given: dict[str, object], file: str) -> None:
    url = str(given.get("database_url", "")).format(tmp_path)
    store_of(Settings(data_dir=tmp_path / "data", database_url=url, archive_days=3)).add(wish())

    assert (tmp_path / file).is_file()
