"""Many patterns are searched together, and answer as each would alone."""

import pytest
import re2

from model.patterns import CHUNK, compiled, compiled_set

PATTERNS = [
    "user unknown",
    r"\b55\d\b",
    "почтовый ящик",
    "收件人(不存在|已满)",
    "^start",
    "end$",
    "(a|b)c",
    "straße",
]


@pytest.mark.parametrize(
    "text",
    [
        "550 User UNKNOWN",
        "551",
        "5511",
        "ПОЧТОВЫЙ Ящик переполнен",
        "收件人已满",
        "start to end",
        "no start, end.",
        "BC",
        "STRASSE, Straße",
        "",
    ],
)
def test_a_set_finds_what_its_patterns_find(text: str) -> None:
    expected = tuple(index for index, pattern in enumerate(PATTERNS) if compiled(pattern).search(text))

    assert expected == compiled_set(PATTERNS).hits(text)


def test_hits_come_in_the_order_of_the_patterns_however_many_there_are() -> None:
    patterns = compiled_set(f"word{number}x" for number in range(3 * CHUNK))
    wanted = (2, CHUNK - 1, CHUNK, 2 * CHUNK + 5)

    assert wanted == patterns.hits(" ".join(f"word{number}x" for number in reversed(wanted)))


def test_a_pattern_is_found_by_its_position() -> None:
    patterns = compiled_set(f"word{number}x" for number in range(2 * CHUNK))

    assert "word300x" == patterns.pattern(300).search("here is WORD300X").group().lower()


def test_no_patterns_find_nothing() -> None:
    assert () == compiled_set([]).hits("anything")


@pytest.mark.parametrize("text", ["(", "(?=a)", r"(a)\1", "*"])
def test_what_is_no_linear_pattern_is_refused(text: str) -> None:
    with pytest.raises(re2.error):
        compiled(text)
