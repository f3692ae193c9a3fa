from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from model.pipeline import Diagnoser
from service.errors import CallFailed, CallRefused
from service.ticketing.handling import MOST_NOTES_ALIKE, Handler
from service.ticketing.ledger import LEASE_S, PAUSES_S, Ledger, State
from service.ticketing.nouns import Event, Note, Origin, Original, Routing, System
from tests.unit.ticketing.fakes import ORDINARY, FakeClock, FakeDesk, bounce

UNSEEN = bounce(returned="")
STRANGE = bounce(returned="Message-ID: <never@elsewhere.example>\nSubject: hello\n")


def deliver(handler: Handler, desk: FakeDesk, raw: bytes, ticket: str | None = None) -> Event:
    event = desk.receive(raw, ticket)
    handler.take("desk", event)
    list(handler.work())
    return event


def test_a_bounce_gets_tags_and_one_note(handler: Handler, desk: FakeDesk) -> None:
    event = deliver(handler, desk, bounce())
    ticket = desk.tickets[event.ticket]
    assert ("ndr-kind-bounce", "ndr-category-recipient_unknown", "ndr-action-suppress") == ticket.tags
    (note,) = ticket.notes
    assert note.text.endswith(note.marker)
    assert "gone@example.net" in note.text


def test_the_same_event_twice_writes_once(handler: Handler, desk: FakeDesk) -> None:
    event = deliver(handler, desk, bounce())
    assert handler.take("desk", event) is None
    assert [] == list(handler.work())
    assert 1 == len(desk.changes)


def test_the_same_bounce_in_another_message_of_the_ticket_gets_no_second_note(
    handler: Handler, desk: FakeDesk
) -> None:
    event = deliver(handler, desk, bounce())
    deliver(handler, desk, bounce(), event.ticket)
    assert (2, 1) == (len(desk.changes), len(desk.notes))


def test_another_recipient_gets_a_note_of_its_own(handler: Handler, desk: FakeDesk) -> None:
    event = deliver(handler, desk, bounce())
    deliver(handler, desk, bounce("other@example.net"), event.ticket)
    assert 2 == len(desk.notes)


@pytest.mark.parametrize(
    ("raw", "action"),
    [
        pytest.param(bounce(), "suppress", id="the system sent that mail"),
        pytest.param(STRANGE, "review", id="a mail that the system never sent"),
        pytest.param(UNSEEN, "fix_recipient", id="no mail is shown"),
    ],
)
def test_an_address_is_dropped_only_for_a_mail_that_was_sent(
    handler: Handler, desk: FakeDesk, raw: bytes, action: str
) -> None:
    event = deliver(handler, desk, raw)
    assert f"ndr-action-{action}" in desk.tickets[event.ticket].tags


def test_the_users_own_tags_stay_away_from_a_bounce_of_an_unknown_mail(
    ledger: Ledger, diagnoser: Diagnoser
) -> None:
    wishes = {"recipient_unknown": Routing(("drop-address",), "Postmaster", "3")}
    desk = FakeDesk(System("desk", "fake", "https://desk.example", categories=wishes))
    handler = Handler({"desk": desk.desk()}, ledger, diagnoser)
    known, strange = deliver(handler, desk, bounce()), deliver(handler, desk, STRANGE)
    assert "drop-address" in desk.tickets[known.ticket].tags
    assert "drop-address" not in desk.tickets[strange.ticket].tags
    assert ("Postmaster", "3") == (desk.tickets[strange.ticket].queue, desk.tickets[strange.ticket].priority)


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [
        pytest.param(ORDINARY, "not_ndr", id="ordinary mail"),
        pytest.param(b" \n", "unreadable", id="nothing"),
        pytest.param(bounce(text="[ndr-triage 0123456789abcdef0123456789abcdef]"), "own_note", id="marked"),
    ],
)
def test_what_is_no_bounce_of_a_strangers_mail_changes_nothing(
    handler: Handler, desk: FakeDesk, raw: bytes, outcome: str
) -> None:
    deliver(handler, desk, raw)
    assert [] == desk.changes
    assert [outcome] == [entry.outcome for entry in handler.ledger.letters(State.DONE)]


def test_a_change_of_our_own_is_not_even_written_down(handler: Handler) -> None:
    assert handler.take("desk", Event("1", "2", is_own=True)) is None
    assert () == handler.ledger.letters(*State)


def test_a_message_that_is_no_mail_changes_nothing(handler: Handler, desk: FakeDesk) -> None:
    handler.take("desk", Event("1", "2"))
    assert ["no_mail"] == [
        entry.outcome for _ in handler.work() for entry in handler.ledger.letters(State.DONE)
    ]
    assert [] == desk.changes


def test_a_delay_is_tagged_and_nothing_else(ledger: Ledger, diagnoser: Diagnoser) -> None:
    wishes = {"greylisted": Routing((), "Postmaster", "3")}
    desk = FakeDesk(System("desk", "fake", "https://desk.example", categories=wishes, merge=True))
    handler = Handler({"desk": desk.desk()}, ledger, diagnoser)
    late = bounce(action="delayed", status="4.7.1", reply="450 4.7.1 Greylisted, please try again later")
    deliver(handler, desk, late)
    ((_, change),) = desk.changes
    assert (None, "", "", "") == (change.note, change.queue, change.priority, change.merge_into)
    assert "ndr-kind-delay" in change.tags.words


@pytest.mark.parametrize(("wanted", "target"), [(True, "7"), (False, "")])
def test_merging_is_a_choice(ledger: Ledger, diagnoser: Diagnoser, *, wanted: bool, target: str) -> None:
    desk = FakeDesk(System("desk", "fake", "https://desk.example", merge=wanted))
    event = deliver(Handler({"desk": desk.desk()}, ledger, diagnoser), desk, bounce())
    assert target == desk.tickets[event.ticket].merged_into


def test_kinds_that_are_not_wanted_are_left_alone(ledger: Ledger, diagnoser: Diagnoser) -> None:
    system = System("desk", "fake", "https://desk.example", tag_kinds=frozenset({"delay"}))
    desk = FakeDesk(system)
    deliver(Handler({"desk": desk.desk()}, ledger, diagnoser), desk, bounce())
    assert [] == desk.changes


def _whole(note: Note) -> bytes:
    return bounce("staff@desk.example", returned_text=note.text)


def _headers_only(note: Note) -> bytes:
    return bounce("staff@desk.example", returned="Message-ID: <note@desk.example>\nSubject: a note\n")


def _without_original(note: Note) -> bytes:
    return bounce("staff@desk.example", returned="")


@pytest.mark.parametrize(
    ("returned", "most_more"),
    [
        pytest.param(_whole, 0, id="the note comes back whole"),
        pytest.param(_headers_only, 1, id="its headers come back"),
        pytest.param(_without_original, 1, id="nothing of it comes back"),
    ],
)
@pytest.mark.parametrize("into_new_tickets", [True, False])
def test_a_notification_that_bounces_ten_times_does_not_loop(
    handler: Handler,
    desk: FakeDesk,
    returned: Callable[[Note], bytes],
    *,
    most_more: int,
    into_new_tickets: bool,
) -> None:
    """Each note is mailed to staff whose mailbox is gone; that bounces into the system again."""

    def notify(ticket: str, note: Note) -> None:
        handler.take("desk", desk.receive(returned(note), None if into_new_tickets else ticket))

    desk.notify = notify
    for number in range(10):
        handler.take("desk", desk.receive(bounce(f"gone-{number}@example.net")))
    list(handler.work())
    assert 10 <= len(desk.notes) <= 10 + most_more
    assert len(desk.notes) == len({note.marker for note in desk.notes}) or into_new_tickets
    assert () == handler.ledger.letters(State.WAITING, State.CLAIMED, State.DEAD)


def test_the_same_note_bouncing_ten_times_into_new_tickets_makes_one_note(
    handler: Handler, desk: FakeDesk
) -> None:
    """The chain of tickets is followed to the first one, by the mail that came back."""
    ticket = deliver(handler, desk, bounce("staff@desk.example")).ticket
    for number in range(10):
        desk.known_ids[f"<note-{number}@desk.example>"] = ticket
        raw = bounce("staff@desk.example", returned=f"Message-ID: <note-{number}@desk.example>\n")
        ticket = deliver(handler, desk, raw).ticket
    assert (1, 11) == (len(desk.notes), len(desk.changes))


def test_so_many_notes_on_the_same_bounce_are_enough(
    handler: Handler, desk: FakeDesk, clock: FakeClock
) -> None:
    def deliver_from(number: int) -> None:
        desk.known_ids[f"<sent-{number}@desk.example>"] = str(number)
        deliver(handler, desk, bounce(returned=f"Message-ID: <sent-{number}@desk.example>\n"))

    for number in range(MOST_NOTES_ALIKE + 5):
        deliver_from(number)
    assert MOST_NOTES_ALIKE == len(desk.notes)
    clock.forward(3601)
    deliver_from(99)
    assert MOST_NOTES_ALIKE + 1 == len(desk.notes)


@pytest.mark.parametrize("raw", [UNSEEN, STRANGE])
def test_bounces_of_unknown_mails_get_one_note_wherever_they_come_in(
    handler: Handler, desk: FakeDesk, clock: FakeClock, raw: bytes
) -> None:
    for _ in range(12):
        deliver(handler, desk, raw)
        clock.forward(3601)
    assert (12, 1) == (len(desk.changes), len(desk.notes))


def test_a_number_in_the_subject_alone_drops_no_address_and_merges_nothing(
    ledger: Ledger, diagnoser: Diagnoser
) -> None:
    class ByNumber(FakeDesk):
        def origin(self, caller: Any, original: Original) -> Origin | None:
            return Origin("7", by_id=False) if "#7" in original.subject else None

    desk = ByNumber(System("desk", "fake", "https://desk.example", merge=True))
    handler = Handler({"desk": desk.desk()}, ledger, diagnoser)
    forged = bounce(returned="Message-ID: <forged@elsewhere.example>\nSubject: [desk #7] x\n")
    event = deliver(handler, desk, forged)
    assert "ndr-action-review" in desk.tickets[event.ticket].tags
    assert "" == desk.tickets[event.ticket].merged_into
    assert desk.notes[0].body.startswith("The report does not refer to a mail that this system knows")


def test_what_nobody_expected_waits_and_the_next_event_is_handled(
    handler: Handler, desk: FakeDesk, clock: FakeClock
) -> None:
    desk.failures = [RecursionError("550 secret@example.com")]
    first, second = (desk.receive(bounce(f"{name}@example.net")) for name in "ab")
    handler.take("desk", first)
    handler.take("desk", second)
    list(handler.work())
    (entry,) = handler.ledger.letters(State.WAITING)
    assert "an error in this program: RecursionError" == entry.outcome
    assert 1 == len(desk.notes)


def test_a_refused_event_leaves_the_note_to_the_next_one(handler: Handler, desk: FakeDesk) -> None:
    desk.failures = [CallRefused("desk.example answered 422", 422)]
    deliver(handler, desk, bounce())
    assert [] == desk.notes
    deliver(handler, desk, bounce())
    assert 1 == len(desk.notes)


def test_who_lost_an_event_writes_nothing(handler: Handler, desk: FakeDesk, clock: FakeClock) -> None:
    class Slow(FakeDesk):
        def fetch(self, caller: Any, event: Event) -> bytes | None:
            clock.forward(LEASE_S + 1)
            assert handler.ledger.claim("desk")
            return super().fetch(caller, event)

    slow = Slow()
    handler = Handler({"desk": slow.desk()}, handler.ledger, handler.diagnoser)
    deliver(handler, slow, bounce())
    assert [] == slow.changes


def test_what_fails_waits_and_is_tried_again(handler: Handler, desk: FakeDesk, clock: FakeClock) -> None:
    desk.failures = [CallFailed("desk.example answered 503"), CallFailed("desk.example answered 503")]
    deliver(handler, desk, bounce())
    (entry,) = handler.ledger.letters(State.WAITING)
    assert ("desk.example answered 503", 1) == (entry.outcome, entry.tries)
    assert [] == list(handler.work())
    clock.forward(PAUSES_S[0])
    list(handler.work())
    clock.forward(PAUSES_S[1])
    list(handler.work())
    assert 1 == len(desk.notes)


def test_the_other_side_says_how_long_to_wait(handler: Handler, desk: FakeDesk, clock: FakeClock) -> None:
    desk.failures = [CallFailed("desk.example answered 429", 40.0)]
    deliver(handler, desk, bounce())
    clock.forward(39)
    assert [] == list(handler.work())
    clock.forward(1)
    assert 1 == len(list(handler.work()))


def test_an_event_that_always_fails_is_kept_and_replayed(
    handler: Handler, desk: FakeDesk, clock: FakeClock
) -> None:
    desk.failures = [CallFailed("no route")] * (len(PAUSES_S) + 1)
    deliver(handler, desk, bounce())
    for pause in PAUSES_S:
        clock.forward(pause)
        list(handler.work())
    (dead,) = handler.ledger.letters(State.DEAD)
    assert "no route" == dead.outcome
    clock.forward(1e6)
    assert [] == list(handler.work())
    assert 1 == handler.ledger.replay()
    list(handler.work())
    assert ([], 1) == (list(handler.ledger.letters(State.DEAD)), len(desk.notes))


def test_a_refusal_is_kept_at_once(handler: Handler, desk: FakeDesk) -> None:
    desk.failures = [CallRefused("desk.example answered 403", 403)]
    deliver(handler, desk, bounce())
    assert ["desk.example answered 403"] == [entry.outcome for entry in handler.ledger.letters(State.DEAD)]


def test_what_is_not_there_yet_is_asked_for_again(handler: Handler, desk: FakeDesk, clock: FakeClock) -> None:
    desk.failures = [CallRefused("desk.example answered 404", 404)]
    deliver(handler, desk, bounce())
    clock.forward(PAUSES_S[0])
    list(handler.work())
    assert 1 == len(desk.notes)


@pytest.mark.parametrize("odd", [KeyError("data"), TypeError("NoneType"), ValueError("no number")])
def test_an_answer_that_is_not_understood_is_a_dead_letter(
    handler: Handler, desk: FakeDesk, odd: Exception
) -> None:
    desk.failures = [odd]
    deliver(handler, desk, bounce())
    (dead,) = handler.ledger.letters(State.DEAD)
    assert f"the system's answer is not understood: {type(odd).__name__}" == dead.outcome


def test_a_try_that_broke_off_after_the_note_writes_no_second_one(
    handler: Handler, desk: FakeDesk, clock: FakeClock
) -> None:
    desk.late = [CallFailed("desk.example cannot be reached: ReadTimeoutError")]
    deliver(handler, desk, bounce())
    clock.forward(PAUSES_S[0])
    list(handler.work())
    assert (2, 1) == (len(desk.changes), len(desk.notes))


def test_an_event_of_a_process_that_died_is_taken_over(
    handler: Handler, desk: FakeDesk, clock: FakeClock
) -> None:
    handler.take("desk", desk.receive(bounce()))
    assert handler.ledger.claim() is not None  # and the process dies here
    assert [] == list(handler.work())
    clock.forward(LEASE_S)
    list(handler.work())
    assert 1 == len(desk.notes)


def test_an_event_that_kills_every_process_is_given_up(
    handler: Handler, desk: FakeDesk, clock: FakeClock
) -> None:
    handler.take("desk", desk.receive(bounce()))
    for _ in range(len(PAUSES_S) + 1):
        assert handler.ledger.claim() is not None
        clock.forward(LEASE_S)
    list(handler.work())
    assert 1 == len(handler.ledger.letters(State.DEAD))


def test_many_at_once_write_once(handler: Handler, desk: FakeDesk) -> None:
    event = desk.receive(bounce())

    def both(_: int) -> int:
        handler.take("desk", event)
        return len(list(handler.work()))

    with ThreadPoolExecutor(8) as pool:
        assert 1 == sum(pool.map(both, range(16)))
    assert 1 == len(desk.changes)


def test_events_of_a_system_that_is_no_longer_configured_are_kept(handler: Handler, ledger: Ledger) -> None:
    gone = replace(handler, desks={})
    ledger.note("desk", Event("1", "2"))
    list(gone.work())
    (dead,) = ledger.letters(State.DEAD)
    assert "'desk'" in dead.outcome
