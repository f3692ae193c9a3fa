"""Near-duplicates share a group, and groups are held out whole."""

from itertools import product

import numpy as np
import pytest

from training.split import HELD_OUT_FOLDS, groups_of, held_out

COLOURS = "red green blue black white grey brown pink gold jade plum lime".split()
PLACES = "north south east west inner outer upper lower near far".split()
TEXTS = [
    f"{code} {colour} words about the {place} {colour}{place}"
    for colour, place in product(COLOURS, PLACES)
    for code in ("550", "451")
]
"""Every wording twice, with different codes."""

LABELS = [colour for colour in COLOURS for _ in range(2 * len(PLACES))]


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("550 user unknown", "550 user unknown", True),
        ("550 5.1.1 <{addr}>: User unknown", "450 4.1.1 <{addr}>: user UNKNOWN", True),
        ("mailbox of sales@example.com is full", "mailbox of info@example.net is full", True),
        ("message {id} from {ip} refused", "message 4WbX1y9z2A from 192.0.2.1 refused", False),
        ("refused: one two three four", "refused: one two three four please", True),
        ("refused: one two three", "refused: one two three please retry", False),
        ("refused", "refused refused refused", True),
        ("two words", "words two", True),
        ("user unknown", "user known", False),
        ("mailbox full", "mailbox full of air and more", False),
        ("用户不存在", "550 用户不存在", True),
        ("用户不存在", "邮箱已满", False),
        ("", "{addr}", True),
        ("", "user unknown", False),
    ],
)
def test_near_duplicates_share_a_group(first: str, second: str, *, is_same: bool) -> None:
    one, other = groups_of([first, second])

    assert is_same == (one == other)


def test_a_chain_of_near_duplicates_is_one_group() -> None:
    words = "one two three four five six seven eight nine ten".split()
    chain = [" ".join(words[start : start + 9]) for start in (0, 1)]

    assert 1 == len(set(groups_of([*chain, " ".join(words)])))


def test_the_order_of_the_texts_makes_no_group() -> None:
    forth, back = groups_of(TEXTS), groups_of(TEXTS[::-1])[::-1]

    assert len(set(forth)) == len({*zip(forth.tolist(), back.tolist(), strict=True)}) == len(set(back))


def test_a_group_is_held_out_whole() -> None:
    held = held_out(TEXTS, LABELS)

    assert [] == [
        text for text, *pair in zip(TEXTS[::2], held[::2], held[1::2], strict=True) if len({*pair}) > 1
    ]


def test_every_label_is_on_both_sides() -> None:
    held, labels = held_out(TEXTS, LABELS), np.array(LABELS)

    assert (set(COLOURS), set(COLOURS)) == (set(labels[held].tolist()), set(labels[~held].tolist()))


def test_about_one_of_so_many_folds_is_held_out() -> None:
    assert abs(held_out(TEXTS, LABELS).mean() - 1 / HELD_OUT_FOLDS) < 0.05


def test_the_same_texts_are_held_out_each_time() -> None:
    assert held_out(TEXTS, LABELS).tolist() == held_out(TEXTS, LABELS).tolist()
