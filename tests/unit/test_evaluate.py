"""An evaluation says what is right, how sure it was, and which answers are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from training.cli import cli
from training.corpus import read_corpus
from training.evaluate import Evaluation, Mode, diagnoser_of, diagnosers, evaluate, faults

LABELS = (
    {
        "id": "unknown-user",
        "text": "550 5.1.1 <user@example.com>: User unknown in local recipient table",
        "category": "recipient_unknown",
        "permanence": "permanent",
        "language": "en",
        "provider": "postfix",
        "origin": "written",
        "recipients": ["user@example.com"],
    },
    {
        "id": "accepted",
        "text": "452 4.2.2 Mailbox is full",
        "category": "insufficient_resources",
        "accept": ["insufficient_resources", "mailbox_full"],
        "permanence": "temporary",
        "language": "en",
        "system": "exim",
    },
    {
        "id": "mislabelled",
        "text": "550 5.1.1 User unknown",
        "category": "malware_detected",
        "permanence": "temporary",
        "language": "de",
    },
    {
        "id": "less-sure",
        "text": "550 5.0.0 Error",
        "category": "policy_rejected",
        "permanence": "unknown",
    },
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labelled")
    lines = (json.dumps({"kind": "bounce", **label}) for label in LABELS)
    (path / "labels.jsonl").write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def evaluation(folder: Path) -> Evaluation:
    return evaluate(diagnoser_of(Mode.RULES), read_corpus(folder))


def test_labels_may_say_more_than_the_truth(folder: Path) -> None:
    first, second, *_ = read_corpus(folder)

    assert ("en", "postfix", "written", None) == (first.language, first.provider, first.origin, first.split)
    assert ("exim", None) == (second.provider, second.origin)


def test_an_accepted_answer_is_right(evaluation: Evaluation) -> None:
    assert (2, 4) == (evaluation.category.right, evaluation.category.total)


def test_an_accepted_answer_counts_for_its_own_category(evaluation: Evaluation) -> None:
    assert "mailbox_full" in {each.category for each in evaluation.by_category if each.right}
    assert "insufficient_resources" not in {each.category for each in evaluation.by_category}


def test_the_surest_error_comes_first(evaluation: Evaluation) -> None:
    assert ["mislabelled"] == [outcome.item.id for outcome in evaluation.worst(1)]
    assert 2 == len(evaluation.worst())


def test_scores_are_grouped_by_what_the_labels_name(evaluation: Evaluation) -> None:
    groups = {value: each.category.share for value, each in evaluation.by("language").items()}

    assert {"en": 1.0, "de": 0.0} == groups
    assert {"exim", "postfix"} == set(evaluation.by("provider"))
    assert {} == evaluation.by("split")


def test_sure_answers_are_counted_apart(evaluation: Evaluation) -> None:
    sure = [outcome for outcome in evaluation.outcomes if outcome.confidence >= 0.95]

    assert 0 < len(sure) < len(evaluation.outcomes)
    assert len(sure) == evaluation.sure.total
    assert len(sure) / len(evaluation.outcomes) == evaluation.sure_share


def test_an_error_names_answer_rule_and_label(evaluation: Evaluation) -> None:
    wrong = faults(evaluation.worst(1)[0])

    assert wrong[0].startswith("category recipient_unknown 0.")
    assert wrong[0].endswith(" is malware_detected")
    assert "permanence permanent is temporary" == wrong[1]


def test_rules_alone_have_no_model() -> None:
    diagnosis = diagnoser_of(Mode.RULES).diagnose(b"550 5.1.1 User unknown")

    assert (None, "rule") == (diagnosis.model_version, diagnosis.lead.verdict.decided_by)


def test_the_model_alone_has_no_rules() -> None:
    diagnosis = diagnoser_of(Mode.MODEL).diagnose(b"550 5.1.1 User unknown")

    assert diagnosis.model_version is not None
    assert [] == [each.rule_id for each in diagnosis.lead.verdict.evidence if each.rule_id]


def test_all_three_can_be_compared() -> None:
    assert [Mode.BOTH, Mode.RULES, Mode.MODEL] == list(diagnosers())


def test_the_command_prints_scores_and_errors(folder: Path) -> None:
    result = CliRunner().invoke(cli, ["evaluate", str(folder), "--mode", "rules"])

    assert 0 == result.exit_code, result.output
    assert "mislabelled: category recipient_unknown" in result.output
    assert "category     50.00%  (2 of 4)" in result.output


def test_the_command_writes_page_and_figures(folder: Path, tmp_path: Path) -> None:
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    arguments = [
        "evaluate",
        str(folder),
        "--mode",
        "rules",
        "--quiet",
        "--html",
        str(page),
        "--json",
        str(figures),
    ]
    result = CliRunner().invoke(cli, arguments)

    assert 0 == result.exit_code, result.output
    assert "mislabelled" not in result.output
    assert "<title>Evaluation of labelled" in page.read_text("utf-8")
    assert ["rules"] == list(json.loads(figures.read_bytes())["modes"])
