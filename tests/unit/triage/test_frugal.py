"""A worker's diagnoser answers as any other, and what it remembers is bounded."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from model.classifier import shipped_classifier
from model.errors import RuleError
from model.pipeline import build_diagnoser
from model.reply import unwrap
from service.triage import frugal
from service.triage.frugal import Forgetful, Seen, forget, frugal_diagnoser, give_back

REPLIES = (
    "550 5.1.1 <user@example.com>: User unknown",
    "550 Only colleagues may write to this group",
    "421 4.4.2 the weather is bad",
)


def test_the_answers_are_those_of_any_other() -> None:
    other, diagnoser = build_diagnoser(), frugal_diagnoser(None, None)

    for reply in REPLIES:
        assert diagnoser.diagnose(reply.encode()) == other.diagnose(reply.encode())
    assert (diagnoser.rules_version, diagnoser.model_version) == (other.rules_version, other.model_version)


def test_what_was_remembered_is_dropped_after_some_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frugal, "MOST_CALLS", 2)
    predict = Forgetful(shipped_classifier())
    unwrapped = unwrap(REPLIES[1])
    first = predict(unwrapped, frozenset(), "")
    assert predict(unwrapped, frozenset(), "") is first

    again = predict(unwrapped, frozenset(), "")
    assert again == first
    assert again is not first


def test_rules_of_ones_own_take_part_and_wrong_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[[rule]]\nid = 1\n", "utf-8")

    with pytest.raises(RuleError, match=r"own\.toml"):
        frugal_diagnoser(tmp_path, None)


def test_memory_is_given_back_where_the_system_can(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    for library in (SimpleNamespace(malloc_trim=asked.append), SimpleNamespace()):
        monkeypatch.setattr(frugal, "_library", lambda library=library: library)
        give_back()

    assert asked == [0]


def test_after_so_many_items_it_is_time_to_forget() -> None:
    seen = Seen(10)
    assert not seen.taken()

    assert [False, False, True, False, True] == [seen.is_enough_with(items) for items in (4, 5, 1, 9, 20)]


def test_a_diagnoser_built_after_forgetting_answers_as_the_one_before() -> None:
    before = frugal_diagnoser(None, None)
    answers = [before.diagnose(reply.encode()) for reply in REPLIES]
    forget()
    after = frugal_diagnoser(None, None)

    assert answers == [after.diagnose(reply.encode()) for reply in REPLIES]
    assert answers == [before.diagnose(reply.encode()) for reply in REPLIES]
    assert (before.rules_version, before.model_version) == (after.rules_version, after.model_version)
