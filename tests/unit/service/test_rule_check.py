"""Rules of the user's own are refused with file, rule and reason."""

from pathlib import Path

import pytest

from service.rule_check import Outcome, check_folder

GOOD = """
[[rule]]
id = "own.quarantine"
category = "policy_rejected"
text = 'kept in our zebra quarantine'
strength = 0.9
source = "our own gateway"
examples = ["550 5.7.1 kept in our zebra quarantine"]
"""


def outcome_of(folder: Path, content: str) -> Outcome:
    (folder / "own.toml").write_text(content, "utf-8")
    return check_folder(folder)


def test_good_rules_pass(tmp_path: Path) -> None:
    assert Outcome(1, ()) == outcome_of(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            '"policy_rejected"',
            '"policy_regected"',
            "own.toml: own.quarantine: category 'policy_regected' is not one of",
        ),
        ("0.9", "1.9", "own.toml: own.quarantine: strength 1.9 is not a number above 0 and at most 1"),
        ("zebra quarantine'", "(zebra'", "own.toml: own.quarantine: "),
        ('"own.quarantine"', '"other.quarantine"', "own.toml: other.quarantine: the id must start with"),
        ("[[rule]]", "[[rule]", "own.toml: syntax: "),
        ('zebra quarantine"]', 'lion quarantine"]', "own.toml: own.quarantine: loses its own example"),
    ],
)
def test_a_wrong_rule_is_named_with_its_reason(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    (found,) = outcome_of(tmp_path, GOOD.replace(old, new)).complaints

    assert found.startswith(complaint)


def test_a_rule_that_fires_against_its_word_is_named(tmp_path: Path) -> None:
    counter = 'counter_examples = ["250 nothing is kept in our zebra quarantine"]\n'
    (found,) = outcome_of(tmp_path, GOOD + counter).complaints

    assert found.startswith("own.toml: own.quarantine: fires on its counter-example")


def test_one_wrong_file_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("[", "utf-8")
    outcome = outcome_of(tmp_path, GOOD)

    assert 1 == outcome.count
    assert ["broken.toml"] == [complaint.partition(":")[0] for complaint in outcome.complaints]
