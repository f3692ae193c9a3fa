"""Corrections are kept, counted, settled and carried, whichever store keeps them; and the file is sound."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from model.errors import UnknownName
from model.types import Permanence
from service.errors import KeyReused, StoreUnavailable
from service.feedback import Draft, FeedbackStore, Status, kept
from service.feedback_store import FILE, MIGRATIONS, SqliteStore
from service.once import KEYS_KEPT_FOR, Once

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
DRAFT = Draft("parcel desk closed", ("parcel", "desk", "closed"), "recipient_restricted", "unknown", "r1")
OTHER = replace(DRAFT, correct_category="policy_rejected")


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, memory_store: Any) -> FeedbackStore:
    stores: dict[str, FeedbackStore] = {"memory": memory_store, "sqlite": SqliteStore(tmp_path)}
    return stores[request.param]


def test_a_new_store_is_empty(store: FeedbackStore) -> None:
    assert () == store.listed()


def test_a_correction_is_pending_and_complete(store: FeedbackStore) -> None:
    draft = replace(
        DRAFT, correct_permanence=Permanence.PERMANENT, note="a list", result_id="0" * 32, model_version="m1"
    )
    correction = store.add(draft)

    assert kept(draft, at=correction.created_at) == correction
    assert (correction,) == store.listed()


def test_the_same_correction_counts_up(store: FeedbackStore) -> None:
    counts = [store.add(draft).count for draft in (DRAFT, replace(DRAFT, note="again"), OTHER)]

    assert [1, 2, 1] == counts
    assert {(DRAFT.id, 2), (OTHER.id, 1)} == {(each.id, each.count) for each in store.listed()}


def test_a_request_with_a_key_counts_once(store: FeedbackStore) -> None:
    first = store.add(DRAFT, Once("key", "body"))
    store.review(DRAFT.id, Status.ACCEPTED)

    assert first == store.add(DRAFT, Once("key", "body"))
    assert 2 == store.add(DRAFT, Once("other key", "body")).count


def test_a_key_stands_for_one_body(store: FeedbackStore) -> None:
    store.add(DRAFT, Once("key", "body"))

    with pytest.raises(KeyReused):
        store.add(OTHER, Once("key", "other body"))
    assert [DRAFT.id] == [each.id for each in store.listed()]


@pytest.mark.parametrize(
    ("status", "category", "expected"),
    [
        (Status.ACCEPTED, None, "recipient_restricted"),
        (Status.REJECTED, None, "recipient_restricted"),
        (Status.ACCEPTED, "moderation_rejected", "moderation_rejected"),
    ],
)
def test_a_review_settles_a_correction(
    store: FeedbackStore, status: Status, category: str | None, expected: str
) -> None:
    store.add(DRAFT)
    settled = store.review(DRAFT.id, status, category)

    assert (DRAFT.id, status, expected) == (settled.id, settled.status, settled.correct_category)
    assert ((settled,), ()) == (store.listed(status), store.listed(Status.PENDING))


@pytest.mark.parametrize("drafts", [(), (DRAFT,)])
def test_only_what_is_there_can_be_settled(store: FeedbackStore, drafts: tuple[Draft, ...]) -> None:
    for draft in drafts:
        store.add(draft)

    with pytest.raises(UnknownName, match="correction"):
        store.review("0000", Status.ACCEPTED)


@pytest.mark.parametrize(
    ("here", "given", "expected", "is_taken"),
    [
        (None, Status.PENDING, Status.PENDING, True),
        (None, Status.REJECTED, Status.REJECTED, True),
        (Status.PENDING, Status.PENDING, Status.PENDING, False),
        (Status.PENDING, Status.ACCEPTED, Status.ACCEPTED, True),
        (Status.REJECTED, Status.ACCEPTED, Status.REJECTED, False),
        (Status.ACCEPTED, Status.PENDING, Status.ACCEPTED, False),
    ],
)
def test_what_comes_from_elsewhere_settles_only_what_is_pending(
    store: FeedbackStore, here: Status | None, given: Status, expected: Status, *, is_taken: bool
) -> None:
    if here:
        store.add(DRAFT)
        store.review(DRAFT.id, here)
    taken = store.take(replace(kept(DRAFT, at="2026-11-02T12:00:00Z"), status=given))

    assert (is_taken, [expected]) == (taken, [each.status for each in store.listed()])


def test_nothing_is_made_before_the_first_correction(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    store = SqliteStore(folder)
    store.listed()

    assert not folder.exists()
    store.add(DRAFT)
    assert (folder / FILE).is_file()
    assert 0o700 == folder.stat().st_mode & 0o777


def test_corrections_outlive_the_store_in_the_order_they_came(tmp_path: Path) -> None:
    times = iter([NOON, NOON + timedelta(hours=1)])
    for draft in (OTHER, DRAFT):
        SqliteStore(tmp_path, clock=lambda: next(times)).add(draft)

    assert [(OTHER.id, "2026-11-02T12:00:00Z"), (DRAFT.id, "2026-11-02T13:00:00Z")] == [
        (each.id, each.created_at) for each in SqliteStore(tmp_path).listed()
    ]


def test_many_threads_lose_no_correction(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        counts = sorted(each.count for each in pool.map(store.add, [DRAFT] * 24))

    assert list(range(1, 25)) == counts


def test_keys_are_forgotten_after_a_while(tmp_path: Path) -> None:
    times = iter([NOON, NOON + KEYS_KEPT_FOR + timedelta(hours=1), NOON + KEYS_KEPT_FOR + timedelta(hours=2)])
    store = SqliteStore(tmp_path, clock=lambda: next(times))
    store.add(DRAFT, Once("old", "body"))
    store.add(DRAFT, Once("new", "body"))

    assert 3 == store.add(DRAFT, Once("old", "body")).count


def test_the_file_knows_its_form(tmp_path: Path) -> None:
    SqliteStore(tmp_path).add(DRAFT)
    database = sqlite3.connect(tmp_path / FILE)
    facts = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "user_version")]
    database.close()

    assert ["wal", len(MIGRATIONS)] == facts


def make_a_file(folder: Path) -> None:
    folder.write_bytes(b"")


def make_damaged(folder: Path) -> None:
    folder.mkdir()
    (folder / FILE).write_bytes(b"this is no database, and long enough to be seen as none" * 20)


def make_newer(folder: Path) -> None:
    folder.mkdir()
    database = sqlite3.connect(folder / FILE)
    database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    database.close()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(make_a_file, "File exists"), (make_damaged, "not a database"), (make_newer, "a newer version")],
)
def test_a_place_that_cannot_be_used_is_told_without_its_path(
    tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(tmp_path / "data")

    with pytest.raises(StoreUnavailable, match=says) as raised:
        SqliteStore(tmp_path / "data").add(DRAFT)
    assert str(tmp_path) not in str(raised.value)


def test_without_a_folder_nothing_is_kept() -> None:
    with pytest.raises(StoreUnavailable, match="NDR_DATA_DIR"):
        SqliteStore(None).add(DRAFT)
    assert () == SqliteStore(None).listed()
