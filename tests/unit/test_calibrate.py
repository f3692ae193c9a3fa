"""A confidence is made honest by what came true of answers that were as sure."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from model.classifier import Classifier
from model.types import Kind, Permanence
from model.weigh import Blend
from training.calibrate import (
    ALONE_BELOW,
    FEWEST,
    FOLDS,
    PRIOR,
    TEMPLATE_SHARE,
    UNKNOWN_BELOW,
    Answer,
    blends,
    fitted_blend,
    raw_diagnoser,
)
from training.templates import Template
from training.train import export, fit, samples_of

EVEN = 0.5
"""A raw confidence from which a calibrated one tells the weighed share that was right."""

WORDINGS = {
    "mailbox_full": (
        "mailbox {word} is full",
        "{word} quota exceeded",
        "{word} is over its quota",
        "{word} box has no space left",
    ),
    "recipient_unknown": (
        "no such user {word}",
        "{word} user unknown",
        "{word} does not exist",
        "no mailbox {word} here",
    ),
}
WORDS = ("red", "green", "blue", "north", "south", "east", "west", "old", "new", "late", "dark", "tall")


def template(text: str, category: str, kind: Kind = Kind.BOUNCE) -> Template:
    permanence = Permanence.TEMPORARY if category == "mailbox_full" else Permanence.PERMANENT
    return Template(text, category, permanence, "generic", "en", "a test", kind, "test")


RIGHT = tuple(
    template(f"550 {wording.format(word=word)}", category)
    for category, wordings in WORDINGS.items()
    for wording in wordings
    for word in WORDS
)
OPPOSITE = {"mailbox_full": "recipient_unknown", "recipient_unknown": "mailbox_full"}
WRONG = tuple(
    template(f"{text.text} {odd}", OPPOSITE[text.category])
    for odd in ("today", "again")
    for text in RIGHT[::4]
)
"""A few labels are wrong, as in life: no witness is always right."""

ORDINARY = tuple(
    template(f"Dear all, lunch is at {word} o'clock; bring what you like", "unknown", Kind.NOT_NDR)
    for word in WORDS
)
TEXTS = (*RIGHT, *WRONG, *ORDINARY)


def answers(
    right: int, total: int, *, living: bool = True, witness: str = "rule", raw: float = EVEN
) -> list[Answer]:
    """So many answers, the first of them right."""
    return [Answer(raw, witness, at < right, living) for at in range(total)]


def honest(given: Sequence[Answer], *, raw: float = EVEN, witness: str = "rule") -> float:
    return fitted_blend(given, unknown_below=0.5).honest(raw, witness)


class Learner:
    """Learns as the product does, and remembers which texts each classifier saw."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[set[str]] = []

    def __call__(self, texts: Sequence[Template]) -> Classifier:
        self.seen.append({text.text for text in texts})
        return export(fit(samples_of(texts, variants=0)), self.folder, card={})


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return Learner(tmp_path_factory.mktemp("learned"))


@pytest.fixture(scope="module")
def learned(learner: Learner) -> tuple[Blend, Blend]:
    return blends(TEXTS, learner)


@pytest.mark.parametrize("raw", [0.4, 0.7, 0.95])
def test_a_witness_is_believed_as_often_as_it_is_right(raw: float) -> None:
    given = [
        *answers(59, 60, witness="rule", raw=raw),
        *answers(30, 60, witness="model", raw=raw),
        *answers(1, 60, witness="both", raw=raw),
    ]
    right, half, wrong = (honest(given, raw=raw, witness=name) for name in ("rule", "model", "both"))

    assert [0.98, 0.5, 0.02] == pytest.approx([right, half, wrong], abs=0.05)


@pytest.mark.parametrize("raw", [0.4, 0.7, 0.95])
def test_a_witness_that_is_always_right_is_believed_more_than_one_that_is_half_right(raw: float) -> None:
    given = [*answers(60, 60, raw=raw), *answers(30, 60, witness="model", raw=raw)]

    assert honest(given, raw=raw) > 0.9 > 0.6 > honest(given, raw=raw, witness="model")


def test_a_surer_answer_stays_surer() -> None:
    given = [*answers(40, 80, raw=0.3), *answers(76, 80, raw=0.9)]

    assert honest(given, raw=0.3) < honest(given, raw=0.6) < honest(given, raw=0.9)


def test_where_sure_answers_are_worse_the_order_is_kept() -> None:
    given = [*answers(76, 80, raw=0.3), *answers(40, 80, raw=0.9)]

    assert honest(given, raw=0.3) < honest(given, raw=0.9)


@pytest.mark.parametrize(("count", "is_calibrated"), [(FEWEST - 1, False), (FEWEST, True)])
def test_a_witness_with_few_answers_is_left_alone(count: int, *, is_calibrated: bool) -> None:
    blend = fitted_blend([*answers(1, count), *answers(89, 90, witness="both")], unknown_below=0.5)

    assert is_calibrated == ("rule" in blend.calibration)
    assert is_calibrated == (blend.honest(0.8, "rule") != 0.8)
    assert "both" in blend.calibration


@pytest.mark.parametrize("living", [True, False])
def test_no_witness_has_answered_nothing(*, living: bool) -> None:
    blend = fitted_blend(answers(0, 0, living=living), unknown_below=0.42)

    assert Blend({}, 0.42) == blend


@pytest.mark.parametrize(
    ("living", "drawn", "share"),
    [
        (900, 50, 1 - 50 / 950),
        (900, 1000, 1 - TEMPLATE_SHARE),
        (900, 9000, 1 - TEMPLATE_SHARE),
        (30, 1000, 30 / (30 + PRIOR)),
        (10, 9000, 10 / (10 + PRIOR)),
        (30, 20, 30 / 50),
    ],
)
def test_templates_weigh_their_share_or_the_prior(living: int, drawn: int, share: float) -> None:
    """Answers true to life are all right here, and those on templates all wrong."""
    given = [*answers(living, living), *answers(0, drawn, living=False)]

    assert share == pytest.approx(honest(given), abs=0.02)


@pytest.mark.usefixtures("learned")
def test_each_text_is_answered_by_the_one_classifier_that_did_not_see_it(learner: Learner) -> None:
    seen = Counter(text for texts in learner.seen for text in texts)

    assert FOLDS == len(learner.seen)
    assert {text.text: FOLDS - 1 for text in TEXTS} == seen


def test_alone_only_the_classifier_is_a_witness(learned: tuple[Blend, Blend]) -> None:
    together, alone = learned

    assert {"model"} == {name.removesuffix(" contested") for name in alone.calibration}
    assert {"both", "rule"} & {name.removesuffix(" contested") for name in together.calibration}
    assert (UNKNOWN_BELOW, ALONE_BELOW) == (together.unknown_below, alone.unknown_below)


def test_raw_confidences_are_not_calibrated(tmp_path: Path) -> None:
    blend = raw_diagnoser(Learner(tmp_path)(TEXTS), with_rules=False).blend

    assert Blend() == blend
