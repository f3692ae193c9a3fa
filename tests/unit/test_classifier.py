"""The served classifier says what scikit-learn says, and refuses to load what it cannot trust."""

import hashlib
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path
from string import ascii_lowercase
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.classifier import (
    ARRAYS,
    CACHE_SIZE,
    CARD,
    FEW_WORDS,
    MAX_CANDIDATES,
    MAX_WORDS,
    NOTICE_SHARE,
    Classifier,
    classifier_in,
    predictor,
    shipped_classifier,
)
from model.errors import DataError
from model.features import features_of, worded
from model.reply import unwrap
from model.resources import data_file
from model.taxonomy import taxonomy
from model.types import Candidate, Kind, Permanence, Prediction
from training.sources import NOT_LEARNED
from training.templates import Template
from training.train import Features, Fitted, export, fit, matrix_of, samples_of

MAX_SHIPPED_BYTES = 3_000_000
CODES = {"greylisted": 451, "mailbox_full": 452, "message_too_large": 552, "recipient_unknown": 550}
WORDINGS = {
    "greylisted": "greylisted please try again/new sender come back soon/deferred for some minutes/"
    "temporarily refused retry later/we meet you the first time",
    "mailbox_full": "mailbox is full/quota exceeded for this box/no space left for mail/"
    "over its storage limit/邮箱已满",
    "message_too_large": "message too large/size of mail exceeds the maximum/mail bigger than allowed/"
    "too many bytes in message/邮件太大",
    "recipient_unknown": "no such user here/user unknown/mailbox does not exist/"
    "address is not known to us/用户不存在",
}
ENDINGS = ("", " at <user@example.com>", " sorry")
FULL, UNKNOWN_USER = worded("mailbox is full"), worded("user unknown")
HEARD = (*FULL, *UNKNOWN_USER, "用户", "smtp=550", "class=5", "stage=DATA", "nowhere", "", "a=b", "_ip_")


def texts(*categories: str) -> list[Template]:
    return [
        text(f"{CODES[name]} {wording}{ending}", name)
        for name in categories
        for wording in WORDINGS[name].split("/")
        for ending in ENDINGS
    ]


def text(words: str, category: str) -> Template:
    lasting = Permanence.TEMPORARY if CODES[category] < 500 else Permanence.PERMANENT
    return Template(words, category, lasting, "generic", "en", "a test", Kind.BOUNCE, "test")


@dataclass(frozen=True)
class Small:
    """A classifier of few texts, as scikit-learn has it and as it is served."""

    fitted: Fitted
    served: Classifier
    folder: Path

    @classmethod
    def of(cls, folder: Path, *categories: str) -> "Small":
        fitted = fit(samples_of(texts(*categories), variants=0))
        return cls(fitted, export(fitted, folder, card={}), folder)

    def agrees_on(self, features: Sequence[str]) -> None:
        expected = self.fitted.categories.predict_proba(matrix_of(self.fitted, [tuple(features)]))[0]
        np.testing.assert_allclose(self.served.probabilities(features), expected, rtol=0, atol=1e-6)

    def expected_temporary(self, features: Sequence[str]) -> float:
        return float(self.fitted.permanence.predict_proba(matrix_of(self.fitted, [tuple(features)]))[0, 1])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return Small.of(tmp_path_factory.mktemp("small"), *WORDINGS)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return Small.of(tmp_path_factory.mktemp("two"), "mailbox_full", "recipient_unknown")


def told(classifier: Classifier, features: Features, notice: Features = ()) -> dict[str, float]:
    prediction = classifier.predict(features, notice)
    return {each.category: each.confidence for each in prediction.candidates} if prediction else {}


# What scikit-learn says


@pytest.mark.parametrize(
    "text",
    [
        *(each.text for each in texts(*WORDINGS)),
        "",
        "550",
        "nobody wrote these words",
        "550 5.1.1 mailbox is full is full is full, user unknown",
        "host mx.example.com said: 452 4.2.2 邮箱已满 (in reply to RCPT TO command)",
    ],
)
def test_a_text_has_the_probabilities_of_scikit_learn(small: Small, text: str) -> None:
    small.agrees_on(features_of(unwrap(text)))


@given(st.lists(st.sampled_from(HEARD), max_size=40))
def test_any_features_have_the_probabilities_of_scikit_learn(small: Small, features: list[str]) -> None:
    small.agrees_on(features)


@pytest.mark.parametrize("features", [FULL, UNKNOWN_USER, (*FULL, "smtp=550"), ("full", "nowhere")])
def test_permanence_is_that_of_scikit_learn(small: Small, features: Features) -> None:
    prediction = small.served.predict(features)

    assert prediction is not None
    assert small.expected_temporary(features) == pytest.approx(prediction.temporary, abs=1e-6)


@pytest.mark.parametrize("features", [FULL, UNKNOWN_USER, (*FULL, *UNKNOWN_USER), ("nowhere",), ()])
def test_two_categories_have_the_probabilities_of_scikit_learn(two: Small, features: Features) -> None:
    two.agrees_on(features)


@pytest.mark.parametrize(
    ("features", "category"), [(FULL, "mailbox_full"), (UNKNOWN_USER, "recipient_unknown")]
)
def test_two_categories_are_told_apart(two: Small, features: Features, category: str) -> None:
    prediction = two.served.predict(features)

    assert prediction is not None
    assert (category, 2) == (prediction.candidates[0].category, len(prediction.candidates))
    assert prediction.words


# Loading


def written(folder: Path, arrays: bytes, card: object) -> Path:
    (folder / ARRAYS).write_bytes(arrays)
    (folder / CARD).write_bytes(card if isinstance(card, bytes) else orjson.dumps(card))
    return folder


def changed(small: Small, folder: Path, arrays: bytes | None = None, **card: Any) -> Path:
    """The small classifier with other arrays, of which its card knows, or with another card."""
    raw = (small.folder / ARRAYS).read_bytes() if arrays is None else arrays
    digest = hashlib.sha256(raw).hexdigest()
    return written(folder, raw, {**small.served.card, "digest": digest, **card})


def with_arrays(raw: bytes, **arrays: npt.NDArray[Any] | None) -> bytes:
    with np.load(io.BytesIO(raw)) as stored:
        kept = {**{name: stored[name] for name in stored.files}, **arrays}
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in kept.items() if array is not None})
    return buffer.getvalue()


def flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :]


def a_pickle(_: bytes) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], dtype=object))
    return buffer.getvalue()


def refused(folder: Path, name: str, entry: str | None = None) -> None:
    with pytest.raises(DataError, match=entry) as raised:
        classifier_in(folder)
    assert str(folder / name) == raised.value.where


def test_what_was_written_is_read_again(small: Small, tmp_path: Path) -> None:
    again = classifier_in(changed(small, tmp_path))

    assert (small.served.labels, small.served.names) == (again.labels, again.names)
    np.testing.assert_array_equal(small.served.weights, again.weights)


def test_arrays_with_another_digest_are_refused(small: Small, tmp_path: Path) -> None:
    refused(changed(small, tmp_path, digest="0" * 64), ARRAYS, "digest: [0-9a-f]{64} is not the 0{64}")


@pytest.mark.parametrize(
    "card",
    [
        {"taxonomy_version": 99},
        {"labels": ["no_such_category", *sorted(CODES)[1:]]},
        {"labels": "greylisted"},
    ],
)
def test_another_taxonomy_is_refused(small: Small, tmp_path: Path, card: dict[str, Any]) -> None:
    refused(changed(small, tmp_path, **card), CARD, "labels: it was trained for another taxonomy")


@pytest.mark.parametrize("name", [ARRAYS, CARD])
def test_a_missing_file_is_named(small: Small, tmp_path: Path, name: str) -> None:
    (changed(small, tmp_path) / name).unlink()
    refused(tmp_path, name, "No such file")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", CARD, "No such file")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"words", id="no archive"),
        pytest.param(lambda raw: raw[: len(raw) // 2], id="half"),
        pytest.param(lambda raw: raw[:-10], id="no end"),
        pytest.param(lambda raw: flipped(raw, raw.index(b"weights.npy") + 40), id="a wrong byte"),
        pytest.param(lambda raw: flipped(raw, raw.index(b"vocabulary.npy") + 60), id="another wrong byte"),
        pytest.param(lambda _: b"PK\x05\x06" + bytes(18), id="an empty archive"),
        pytest.param(a_pickle, id="a pickle"),
    ],
)
def test_damaged_arrays_with_the_right_digest_are_refused(
    small: Small, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    refused(changed(small, tmp_path, damage((small.folder / ARRAYS).read_bytes())), ARRAYS)


@pytest.mark.parametrize(
    "arrays",
    [
        *(
            {name: None}
            for name in ("vocabulary", "idf", "weights", "bias", "permanence_weights", "permanence_bias")
        ),
        {"vocabulary": np.frombuffer(b"\xff\xfe", np.uint8)},
        {"vocabulary": np.frombuffer(b"one\ntwo", np.uint8)},
        {"idf": np.ones(3, np.float32)},
        {"weights": np.ones((4, 4), np.float16)},
        {"weights": np.array(["a", "b"])},
        {"bias": np.ones(3, np.float32)},
        {"permanence_weights": np.ones(3, np.float16)},
    ],
    ids=lambda arrays: " ".join(f"{name} {getattr(array, 'shape', None)}" for name, array in arrays.items()),
)
def test_arrays_that_are_missing_or_do_not_fit_are_refused(
    small: Small, tmp_path: Path, arrays: dict[str, npt.NDArray[Any] | None]
) -> None:
    raw = with_arrays((small.folder / ARRAYS).read_bytes(), **arrays)
    refused(changed(small, tmp_path, raw), ARRAYS)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"5", b"null", b'"text"', b'{"a": "\xff"}', b"{}"])
def test_a_card_that_is_none_is_refused(small: Small, tmp_path: Path, content: bytes) -> None:
    refused(written(tmp_path, (small.folder / ARRAYS).read_bytes(), content), CARD)


@pytest.mark.parametrize("name", ["digest", "labels", "taxonomy_version"])
def test_a_card_without_what_it_must_say_is_refused(small: Small, tmp_path: Path, name: str) -> None:
    changed(small, tmp_path)
    card = {key: value for key, value in orjson.loads((tmp_path / CARD).read_bytes()).items() if key != name}
    refused(written(tmp_path, (small.folder / ARRAYS).read_bytes(), card), CARD, name)


@pytest.mark.parametrize(
    "card",
    [
        {"labels": None},
        {"labels": 5},
        {"labels": [["greylisted"]]},
        {"blend": 5},
        {"blend": ["calibration"]},
        {"blend": {"calibration": {}}},
        {"blend": {"calibration": 5, "unknown_below": 0.3}},
        {"blend": {"calibration": {"model": [1.0]}, "unknown_below": 0.3}},
        {"blend": {"calibration": {"model": [1.0, 1.0]}, "unknown_below": "low"}},
        {"blend_alone": 5},
    ],
    ids=str,
)
def test_a_card_of_a_wrong_form_is_refused(small: Small, tmp_path: Path, card: dict[str, Any]) -> None:
    refused(changed(small, tmp_path, **card), CARD)


@pytest.mark.parametrize("labels", [sorted(CODES)[:3], [*sorted(CODES), "relay_denied"], []])
def test_arrays_for_other_labels_are_refused(small: Small, tmp_path: Path, labels: list[str]) -> None:
    refused(changed(small, tmp_path, labels=labels), ARRAYS)


@pytest.mark.parametrize("name", ["blend", "blend_alone"])
def test_the_card_says_how_sure_the_classifier_is(small: Small, tmp_path: Path, name: str) -> None:
    blend = {"calibration": {"model": [0.5, 2]}, "unknown_below": 0.4}
    read = getattr(classifier_in(changed(small, tmp_path, **{name: blend})), name)

    assert ({"model": (0.5, 2.0)}, 0.4) == (read.calibration, read.unknown_below)


# The shipped one


def test_the_shipped_classifier_knows_every_category_that_words_decide_and_no_other() -> None:
    assert sorted(set(taxonomy().names) - NOT_LEARNED) == list(shipped_classifier().labels)


def test_the_shipped_files_are_small() -> None:
    sizes = [len(data_file("artefact", name).read_bytes()) for name in (ARRAYS, CARD)]

    assert sum(sizes) <= MAX_SHIPPED_BYTES


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("550 5.1.1 <user@example.com>: Recipient address rejected: User unknown", "recipient_unknown"),
        ("552 5.2.2 Mailbox full", "mailbox_full"),
        ("550 用户不存在", "recipient_unknown"),
    ],
)
def test_the_shipped_classifier_names_few_categories_the_likeliest_first(text: str, category: str) -> None:
    prediction = shipped_classifier().predict(features_of(unwrap(text)))

    assert prediction is not None
    shares = [each.confidence for each in prediction.candidates]
    assert (category, MAX_CANDIDATES) == (prediction.candidates[0].category, len(shares))
    assert sorted(shares, reverse=True) == shares


# What it says


@pytest.mark.parametrize("features", [(), ("nowhere", "nobody"), ("smtp=550", "class=5"), ("a b",)])
@pytest.mark.parametrize("notice", [(), ("nowhere",), ("smtp=550",)])
def test_without_a_known_word_it_says_nothing(small: Small, features: Features, notice: Features) -> None:
    assert small.served.predict(features, notice) is None


@pytest.mark.parametrize("features", [(), ("nowhere",), ("smtp=552", "class=5")])
def test_where_only_the_notice_has_known_words_it_speaks_alone(small: Small, features: Features) -> None:
    assert small.served.predict(UNKNOWN_USER) == small.served.predict(features, UNKNOWN_USER)


@pytest.mark.parametrize("text", [each.text for each in texts(*WORDINGS)])
def test_the_words_that_weighed_most_are_words_of_the_text(small: Small, text: str) -> None:
    features = features_of(unwrap(text))
    prediction = small.served.predict(features)

    assert prediction is not None
    assert 0 < len(prediction.words) <= MAX_WORDS
    assert set(prediction.words) <= set(features)


def test_the_word_that_weighed_most_comes_first_and_what_speaks_against_is_left_out(small: Small) -> None:
    prediction = small.served.predict(("unknown", "sorry", "full"))

    assert prediction is not None
    column = small.served.weights[:, small.served.labels.index(prediction.candidates[0].category)]
    pulls = [float(column[small.served.rows[word]]) for word in prediction.words]
    assert {"full": "mailbox_full", "unknown": "recipient_unknown"}[prediction.words[0]] == (
        prediction.candidates[0].category
    )
    assert min(pulls) > 0


def test_a_notice_that_agrees_raises_and_one_that_does_not_lowers(small: Small) -> None:
    reply = (*worded("mailbox user sorry full"), "smtp=452")
    alone, agreed, doubted = (
        told(small.served, reply, notice)["mailbox_full"] for notice in ((), FULL, UNKNOWN_USER)
    )

    assert doubted < alone < agreed


@pytest.mark.parametrize(
    ("features", "share"),
    [
        (FULL, 1.0),
        ((*FULL, "stage=DATA", "party=exim"), 1.0),
        (worded("size of mail exceeds the maximum"), 1.0),
        ((*FULL, "smtp=452"), NOTICE_SHARE),
        ((*FULL, "smtp=999"), NOTICE_SHARE),
        ((*FULL, "enhanced=.2.2"), NOTICE_SHARE),
        (("full",) * (FEW_WORDS - 1), 1.0),
        (("full",) * FEW_WORDS, NOTICE_SHARE),
        ((*("full",) * (FEW_WORDS - 1), *("nowhere",) * 20), 1.0),
    ],
)
def test_a_reply_of_few_words_without_a_code_listens_to_the_notice_as_to_itself(
    small: Small, features: Features, share: float
) -> None:
    own, other = small.served.probabilities(features), small.served.probabilities(UNKNOWN_USER)
    both = np.exp((np.log(own) + share * np.log(other)) / (1 + share))

    assert dict(zip(small.served.labels, both / both.sum(), strict=True)) == pytest.approx(
        told(small.served, features, UNKNOWN_USER), abs=1e-6
    )


@pytest.mark.parametrize(
    ("text", "is_temporary"),
    [("greylisted please try again", True), ("mailbox is full", True), ("user unknown", False)],
)
def test_words_tell_whether_it_will_pass(small: Small, text: str, *, is_temporary: bool) -> None:
    prediction = small.served.predict(worded(text))

    assert prediction is not None
    assert prediction.temporary is not None
    assert is_temporary == (prediction.temporary > 0.5)


def test_candidates_are_shares_of_one(small: Small) -> None:
    assert math.isclose(1.0, sum(told(small.served, FULL, UNKNOWN_USER).values()))


# What it remembers


@dataclass
class Recorder:
    """Answers anything, and keeps what it was asked."""

    asked: list[tuple[Features, Features]] = field(default_factory=list)

    def predict(self, features: Features, notice: Features = ()) -> Prediction:
        self.asked.append((features, notice))
        return Prediction((Candidate("greylisted", 0.5),))


def ask(recorder: Recorder) -> Callable[..., Prediction | None]:
    predict = predictor(cast(Classifier, recorder))
    return lambda text, *parties, notice="": predict(unwrap(text), frozenset(parties), notice)


def test_the_same_words_with_other_addresses_and_ids_are_answered_once() -> None:
    asked = ask(recorder := Recorder())
    first = asked("550 <a@example.com> unknown (id 4WbX1y9z2A)", "exim", notice="Sorry, a@example.com")
    again = asked("550 <b@example.net> unknown (id 9F3C1A77B0)", "exim", notice="sorry b@example.net")

    assert (1, True) == (len(recorder.asked), first is again)


@pytest.mark.parametrize(
    ("text", "parties", "notice"),
    [
        ("550 user unknown", (), ""),
        ("554 unknown", (), ""),
        ("550 unknown", ("exim",), ""),
        ("550 unknown", (), "sorry"),
    ],
)
def test_other_words_codes_parties_and_notices_are_other_questions(
    text: str, parties: tuple[str, ...], notice: str
) -> None:
    asked = ask(recorder := Recorder())
    asked("550 unknown")
    asked(text, *parties, notice=notice)

    assert 2 == len(set(recorder.asked))


@pytest.mark.parametrize(
    ("notice", "expected"), [("", ()), ("Sorry!", ("sorry", "smtp=550", "class=5", "party=exim"))]
)
def test_a_notice_is_heard_with_the_facts_of_its_reply(notice: str, expected: Features) -> None:
    ask(recorder := Recorder())("550 unknown", "exim", notice=notice)

    assert [(("unknown", "smtp=550", "class=5", "party=exim"), expected)] == recorder.asked


def test_what_it_remembers_is_bounded() -> None:
    asked = ask(recorder := Recorder())
    words = ["".join(letters) for letters in islice(product(ascii_lowercase, repeat=3), CACHE_SIZE + 1)]
    for word in (*words, words[-1], words[1], words[0]):
        asked(word)

    assert CACHE_SIZE + 2 == len(recorder.asked)
    assert ((words[0],), ()) == recorder.asked[-1]
