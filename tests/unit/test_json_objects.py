"""JSON objects are found however they are laid out in lines, and a torn one takes no other with it."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.events import Event, What
from model.json_objects import MAX_CHARS, Fields, events_of_objects, items, table, text

ONE: Fields = {"a": 'quo"te \\ {', "b": {"c": [1, {"d": []}]}, "e": "]["}
TWO: Fields = {"z": []}


def found(*lines: str) -> list[tuple[int, str]]:
    """The line and the content of each object."""

    def events(fields: Fields, line: int) -> Iterator[Event]:
        yield Event(What.NOTED, line, reply=json.dumps(fields))

    return [(event.line, event.reply) for event in events_of_objects(lines, events) if event]


def contents(*lines: str) -> list[Fields]:
    return [json.loads(reply) for _, reply in found(*lines)]


@pytest.mark.parametrize(
    "lines",
    [
        [json.dumps(ONE), json.dumps(TWO)],
        [json.dumps([ONE, TWO])],
        [json.dumps(ONE) + json.dumps(TWO)],
        [f"  {json.dumps(ONE)},", f"{json.dumps(TWO)}]"],
        [*json.dumps(ONE, indent=4).splitlines(), "", *json.dumps(TWO, indent=0).splitlines()],
        json.dumps([ONE, TWO], indent=0).splitlines(),
        ["\ufeffsaid:", json.dumps(ONE), "}}]]", "and", json.dumps(TWO)],
    ],
)
def test_objects_are_found_in_any_layout(lines: list[str]) -> None:
    assert [ONE, TWO] == contents(*lines)


@pytest.mark.parametrize(
    "torn",
    [
        '{"a": "never clo',
        '{"a": 1,',
        '{"a": [',
        '{"a": {"b": 1}',
        '{"a": ["x", ',
        "{",
        '{"a": [1}',
        '{"a": tru}',
    ],
)
def test_a_torn_object_takes_no_other_with_it(torn: str) -> None:
    assert TWO in contents(torn, json.dumps(ONE), json.dumps(TWO))


def test_the_line_is_the_last_one() -> None:
    assert [(3, '{"a": 1}')] == found("{", '"a": 1', "}")


def test_a_line_that_ends_no_object_gives_none() -> None:
    assert [None, None] == list(events_of_objects(["{", '"a": 1'], lambda _, __: ()))


def test_a_huge_object_is_passed_over() -> None:
    lines = ['{"a": [', *["1," * 1000] * (MAX_CHARS // 2000 + 1), "1]}", json.dumps(TWO)]

    assert [TWO] == contents(*lines)


def test_nesting_is_no_trouble() -> None:
    assert [] == contents('{"a":' * 100_000 + "1" + "}" * 100_000)


@given(st.lists(st.text('{}[]",:\\a1 ', max_size=30), max_size=10))
def test_anything_can_be_read(lines: list[str]) -> None:
    assert len(lines) <= len(list(events_of_objects(lines, lambda _, __: ())))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("é", "é"), ("\ud800", "?"), (550, "550"), (1.5, "1.5"), (True, ""), (None, ""), ([], ""), ({}, "")],
)
def test_a_value_as_text(value: object, expected: str) -> None:
    assert expected == text(value)


def test_a_value_as_table_or_list() -> None:
    assert ({}, {"a": 1}) == (table("a"), table({"a": 1}))
    assert ([], ["a"], [{"b": 1}], []) == (items(None), items("a"), items({"b": 1}), items(""))
