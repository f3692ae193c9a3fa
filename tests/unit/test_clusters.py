"""What stays unknown is grouped by its words, the biggest group first."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from model.errors import DataError
from model.pipeline import Diagnoser, build_diagnoser
from training.clusters import (
    Unknowns,
    as_json,
    as_text,
    clusters_command,
    clusters_of,
    evidence_of,
    unknowns,
)

REPLIES = (
    "550 <sales@example.com>: the blue heron does not nest here",
    "554 <office@example.net>: the blue heron does not nest at our pond, 192.0.2.7",
    "550 5.0.0 <info@example.org>: the blue heron does not nest here",
    "554 purple lanterns forbid this parcel",
    "550 5.1.1 <user@example.com>: User unknown",
)


@pytest.fixture(scope="module")
def diagnoser() -> Diagnoser:
    return build_diagnoser(with_model=False)


@pytest.fixture
def replies(tmp_path: Path) -> Path:
    path = tmp_path / "replies.txt"
    path.write_text("\n".join(("", *REPLIES)))
    return path


@pytest.fixture
def found(diagnoser: Diagnoser, replies: Path) -> Unknowns:
    return unknowns(diagnoser, evidence_of(replies))


def test_only_what_stays_unknown_is_grouped(found: Unknowns) -> None:
    assert (5, 4) == (found.read, found.counts.total())


def test_the_biggest_cluster_comes_first(found: Unknowns) -> None:
    assert [(3, 2), (1, 1)] == [(each.count, each.wordings) for each in clusters_of(found)]


def test_a_cluster_names_the_words_that_all_its_texts_share(found: Unknowns) -> None:
    assert ["the blue heron does not nest", "purple lanterns forbid this parcel"] == [
        each.phrase for each in clusters_of(found)
    ]


def test_only_equal_texts_stay_together_at_full_similarity(found: Unknowns) -> None:
    assert [2, 1, 1] == [each.count for each in clusters_of(found, similar=1.0)]


def test_a_completed_rule_knows_the_texts(found: Unknowns, tmp_path: Path, diagnoser: Diagnoser) -> None:
    rule = clusters_of(found)[0].rule.replace('category = ""', 'category = "policy_rejected"')
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "own.toml").write_text(rule.replace('source = ""', 'source = "our own reading"'))

    completed = build_diagnoser(tmp_path / "rules", with_model=False)

    assert ["policy_rejected"] * 3 == [
        completed.diagnose(reply.encode()).lead.verdict.category for reply in REPLIES[:3]
    ]


def test_a_skeleton_names_nobody(found: Unknowns) -> None:
    skeletons = [skeleton for each in clusters_of(found) for skeleton in (each.rule, each.label)]

    assert [] == [each for each in skeletons if "sales@" in each or "office@" in each or "192.0.2.7" in each]


@pytest.mark.parametrize(
    "texts", [("苹果园今天不收信", "今天苹果园不收信哦"), ('zig\'s "zag" \\ zug', "zig's zag zug")]
)
def test_a_skeleton_is_valid_toml_whatever_the_words(texts: tuple[str, ...]) -> None:
    found = Unknowns()
    for text in texts:
        found.add(text)

    for cluster in clusters_of(found, similar=0.1):
        assert 1 == len(tomllib.loads(cluster.rule)["rule"])


def test_texts_beyond_the_bound_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.clusters.MAX_TEXTS", 2)
    found = Unknowns()
    for text in ("one apple", "two pears", "one apple", "three plums"):
        found.add(text)

    assert ({"one apple": 2, "two pears": 1}, 1) == (dict(found.counts), found.left_out)


def test_texts_without_words_are_clusters_of_their_own() -> None:
    found = Unknowns()
    found.add("user@example.com")
    found.add("192.0.2.1")

    assert [1, 1] == [each.count for each in clusters_of(found)]
    assert () == clusters_of(Unknowns())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("replies.ndjson", '{"text": "550 no"}\n\n"451 later"\n'),
        ("replies.txt", "550 no\n451 later\n"),
    ],
)
def test_a_file_holds_a_reply_a_line(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)

    assert [b"550 no", b"451 later"] == [raw for raw, _ in evidence_of(tmp_path / name)]


def test_a_folder_holds_mails(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "a.eml").write_bytes(b"Subject: x\n\ny")

    assert [b"Subject: x\n\ny"] == [raw for raw, _ in evidence_of(tmp_path)]


def test_a_labelled_folder_gives_its_items(tmp_path: Path) -> None:
    label = {"id": "a", "text": "550 no", "kind": "bounce", "category": "unknown", "permanence": "unknown"}
    (tmp_path / "labels.jsonl").write_text(json.dumps(label))

    assert [b"550 no"] == [raw for raw, _ in evidence_of(tmp_path)]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "replies.ndjson").write_text('{"text": "550 no"}\n{"words": 1}\n')

    with pytest.raises(DataError, match="line 2"):
        list(evidence_of(tmp_path / "replies.ndjson"))


def test_what_cannot_be_read_is_passed_over(diagnoser: Diagnoser, tmp_path: Path) -> None:
    (tmp_path / "empty.eml").write_bytes(b"")

    assert (1, 0) == (
        unknowns(diagnoser, evidence_of(tmp_path)).read,
        unknowns(diagnoser, evidence_of(tmp_path)).counts.total(),
    )


def test_people_and_programs_see_the_same_clusters(found: Unknowns) -> None:
    clusters = clusters_of(found)
    text, content = as_text(found, clusters), json.loads(as_json(found, clusters))

    assert "# 4 unknown texts in 5 read, 2 clusters." == text.splitlines()[0]
    assert [3, 1] == [each["count"] for each in content["clusters"]]
    assert content["clusters"][0]["rule"] in text
    assert 2 == len(tomllib.loads(text)["rule"])


def test_only_the_biggest_are_shown(found: Unknowns) -> None:
    clusters = clusters_of(found)

    assert 1 == as_text(found, clusters, top=1).count("[[rule]]")
    assert 1 == len(json.loads(as_json(found, clusters, top=1))["clusters"])


def test_the_command_prints_clusters(replies: Path) -> None:
    result = CliRunner().invoke(clusters_command, [str(replies), "--json"])

    assert 0 == result.exit_code, result.output
    assert 5 == json.loads(result.output)["read"]
