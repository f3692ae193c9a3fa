import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from model.errors import UnknownName
from service.errors import StoreUnavailable
from service.ticketing.ledger import FILE, KEPT_FOR, Entry, Ledger, State, key_of
from service.ticketing.nouns import Event
from tests.unit.ticketing.fakes import FakeClock

EVENT = Event("12", "345")


@pytest.mark.parametrize(
    ("event", "other", "is_same"),
    [
        (EVENT, Event("12", "345", b"raw"), True),
        (EVENT, Event("12", "346"), False),
        (EVENT, Event("13", "345"), False),
        (Event("12", raw=b"a"), Event("12", raw=b"a"), True),
        (Event("12", raw=b"a"), Event("12", raw=b"b"), False),
        (Event("1", "2/3"), Event("1/2", "3"), False),
        (Event("12"), Event("12"), True),
    ],
)
def test_the_same_message_in_the_same_ticket_is_the_same_event(
    event: Event, other: Event, *, is_same: bool
) -> None:
    assert is_same == (key_of("desk", event) == key_of("desk", other))


def test_an_event_is_written_down_once(ledger: Ledger) -> None:
    assert "desk/12/345" == ledger.note("desk", EVENT)
    assert ledger.note("desk", EVENT) is None
    assert ledger.note("other", EVENT) is not None


def test_a_claimed_event_is_nobody_elses(ledger: Ledger) -> None:
    ledger.note("desk", EVENT)
    entry = Ledger(ledger.folder, ledger.clock).claim()
    assert (State.CLAIMED, 1, EVENT) == (entry.state, entry.tries, entry.event) if entry else False
    assert ledger.claim() is None


def test_events_of_one_system_can_be_claimed_alone(ledger: Ledger) -> None:
    ledger.note("desk", EVENT)
    assert ledger.claim("other") is None
    assert ledger.claim("desk") is not None


def test_the_mail_is_kept_until_the_event_is_handled(ledger: Ledger) -> None:
    ledger.note("desk", replace(EVENT, raw=b"From: a\n\nb\n"))
    entry = ledger.claim()
    assert entry is not None
    assert b"From: a\n\nb\n" == entry.event.raw
    ledger.finish(entry, "noted")
    (done,) = ledger.letters(State.DONE)
    assert (None, "noted") == (done.event.raw, done.outcome)


def taken_over(ledger: Ledger, clock: FakeClock) -> tuple[Entry, Entry]:
    """A try that takes too long, and the one that took its event over."""
    ledger.note("desk", EVENT)
    slow = ledger.claim()
    clock.forward(1000)
    quick = ledger.claim()
    assert slow is not None
    assert quick is not None
    return slow, quick


def test_a_try_that_was_taken_over_changes_nothing_any_more(ledger: Ledger, clock: FakeClock) -> None:
    slow, quick = taken_over(ledger, clock)
    ledger.finish(quick, "noted")
    ledger.bury(slow, "too late")
    assert [State.DONE] == [entry.state for entry in ledger.letters(*State)]


@pytest.mark.parametrize("end", [Ledger.finish, Ledger.bury])
def test_a_try_that_was_taken_over_neither_ends_the_event_nor_frees_its_note(
    ledger: Ledger, clock: FakeClock, end: Callable[[Ledger, Entry, str], None]
) -> None:
    slow, quick = taken_over(ledger, clock)
    assert ledger.may_note(quick, "x/1", recent="x", most=1, within_s=1.0)
    assert [False, True] == [ledger.renew(slow), ledger.renew(quick)]
    end(ledger, slow, "too late")
    assert [State.CLAIMED] == [entry.state for entry in ledger.letters(*State)]
    other = replace(quick, key="another")
    assert not ledger.may_note(other, "x/1", recent="y", most=1, within_s=1.0)


def test_the_id_of_the_note_stays_that_of_the_first_try(ledger: Ledger) -> None:
    ledger.note("desk", EVENT)
    entry = ledger.claim()
    assert entry is not None
    assert ["a" * 32, "a" * 32] == [ledger.bind(entry, "a" * 32), ledger.bind(entry, "b" * 32)]


def test_what_was_handled_is_forgotten_after_a_time_and_failures_never(
    ledger: Ledger, clock: FakeClock
) -> None:
    for number in ("1", "2"):
        ledger.note("desk", Event(number))
    for end in (ledger.finish, ledger.bury):
        entry = ledger.claim()
        assert entry is not None
        end(entry, "over")
    clock.now += KEPT_FOR + timedelta(days=1)
    ledger.note("desk", Event("3"))
    assert [("2", State.DEAD), ("3", State.WAITING)] == [
        (entry.event.ticket, entry.state) for entry in ledger.letters(*State)
    ]


def test_a_chain_of_tickets_has_one_root(ledger: Ledger) -> None:
    roots = [ledger.root_of("desk", *pair) for pair in (("2", "1"), ("3", "2"), ("4", "3"), ("4", None))]
    assert ["1", "1", "1", "1"] == roots
    assert "5" == ledger.root_of("desk", "5", None)


def test_the_cursor_moves(ledger: Ledger, clock: FakeClock) -> None:
    assert ledger.cursor("desk") is None
    ledger.move_cursor("desk", clock.now)
    assert clock.now == ledger.cursor("desk")
    assert ledger.cursor("other") is None


def test_nothing_is_made_where_nothing_is_written(ledger: Ledger) -> None:
    assert ((), 0, None) == (ledger.letters(*State), ledger.replay(), ledger.next_due("desk"))
    assert ledger.folder is not None
    assert not ledger.folder.exists()


def test_the_next_event_is_due_when_the_earliest_is(ledger: Ledger, clock: FakeClock) -> None:
    ledger.note("desk", EVENT)
    assert clock.now == ledger.next_due("desk")
    entry = ledger.claim()
    assert entry is not None
    ledger.postpone(entry, "no route")
    assert clock.now + timedelta(seconds=1) == ledger.next_due("desk")


def test_a_folder_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="NDR_DATA_DIR"):
        Ledger(tmp_path / "file").note("desk", EVENT)
    with pytest.raises(StoreUnavailable, match="NDR_DATA_DIR"):
        Ledger(None).note("desk", EVENT)


def test_a_ledger_of_a_newer_version_is_left_alone(ledger: Ledger) -> None:
    ledger.note("desk", EVENT)
    assert ledger.folder is not None
    with closing(sqlite3.connect(ledger.folder / FILE)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreUnavailable, match="newer version"):
        ledger.note("desk", EVENT)


def test_what_is_kept_has_its_time(ledger: Ledger, clock: FakeClock) -> None:
    with pytest.raises(UnknownName):
        ledger.kept("0" * 32)
    name = ledger.keep(b"{}")
    assert b"{}" == ledger.kept(name)
    assert name != ledger.keep(b"{}")

    clock.forward(KEPT_FOR.total_seconds() + 1)
    ledger.note("desk", Event("1", "1"))
    with pytest.raises(UnknownName):
        ledger.kept(name)
