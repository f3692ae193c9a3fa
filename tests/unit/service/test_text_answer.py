"""The short answer for people says the main things, in their language, and cannot harm a terminal."""

import pytest

from model.codes import CodeEntry, Meaning
from model.languages import LANGUAGES
from model.types import Action, FixOwner, Form, Kind, Permanence, Stage
from service.settings import Settings
from service.text_answer import explanation_of, labels, text_of
from service.wiring import WORKED_CASE, Diagnoser, build

VALUES = {"kind": Kind, "permanence": Permanence, "action": Action, "fix_owner": FixOwner, "stage": Stage}
LABELS = (
    *("action", "alternatives", "category", "causes", "checks", "evidence", "fix_owner", "fixes", "kind"),
    *("permanence", "recipients", "retry_after", "stage"),
)


@pytest.fixture(scope="module")
def diagnoser() -> Diagnoser:
    return build(Settings()).diagnoser


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_and_label_has_words(language: str) -> None:
    words = labels(language)
    wordless = [
        (table, value) for table, values in VALUES.items() for value in values if not words.has(table, value)
    ]

    assert [] == wordless
    assert [] == [label for label in LABELS if not words.has("label", label)]


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        (
            "en",
            [
                "One mail server could not authenticate to another",
                "Kind: bounce",
                "w32tm /monitor",
                "repadmin",
            ],
        ),
        ("zh", ["类型: 退信", "w32tm /monitor", "SPN", "Kerberos"]),
    ],
)
def test_the_worked_case_is_told_with_checks_and_fixes(
    diagnoser: Diagnoser, language: str, wanted: list[str]
) -> None:
    text = text_of(diagnoser.diagnose(WORKED_CASE, form=Form.TEXT, language=language))

    assert [] == [each for each in wanted if each not in text]
    assert text.endswith("\n")


def test_a_hostile_text_cannot_steer_a_terminal(diagnoser: Diagnoser) -> None:
    raw = b"550 5.1.1 <user@example.com>\x1b[2J\x9b\x07: User unknown \xe2\x80\xae"
    text = text_of(diagnoser.diagnose(raw, form=Form.TEXT))

    assert [] == [character for character in text if character != "\n" and not character.isprintable()]


def test_a_code_is_explained_line_by_line() -> None:
    meaning = Meaning("5.1.1", "RFC 3463", None, "recipient_unknown", "No such mailbox.", "RFC 3463")
    entry = CodeEntry("5.1.1", known=True, meanings=(meaning,), search_link="https://example.com/")

    assert "5.1.1\n  RFC 3463: No such mailbox." == explanation_of(entry)


def test_an_unknown_code_comes_with_a_search() -> None:
    entry = CodeEntry("9.9.9", known=False, meanings=(), search_link="https://example.com/")

    assert "9.9.9\n  https://example.com/" == explanation_of(entry)
