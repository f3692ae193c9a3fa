"""``ndr feedback``: list, review, export, import; exit codes of sysexits."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.cli import exit_code_of, ndr
from service.feedback import Draft, Status
from service.feedback_store import SqliteStore

DRAFT = Draft("parcel desk closed", ("parcel", "desk", "closed"), "recipient_restricted", "unknown", "r1")
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs ``ndr feedback`` on the corrections of a folder; its result is what a shell would see."""

    def ended(*arguments: str, given: str = "", folder: str = "here") -> Result:
        result = CliRunner(env={"NDR_DATA_DIR": str(tmp_path / folder)}).invoke(
            ndr, ["feedback", *arguments], input=given, standalone_mode=False
        )
        if isinstance(result.exception, Exception):
            result.exit_code = exit_code_of(result.exception)
        elif result.return_value:
            result.exit_code = result.return_value
        return result

    return ended


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    store = SqliteStore(tmp_path / "here")
    store.add(DRAFT)
    return store


def test_corrections_are_listed_as_lines_of_json(run: Run, store: SqliteStore) -> None:
    store.add(replace(DRAFT, correct_category="mailbox_full"))
    store.review(DRAFT.id, Status.REJECTED)
    everything, rejected = run("list"), run("list", "--status", "rejected")

    assert 2 == len(everything.stdout.splitlines())
    assert [DRAFT.id] == [json.loads(line)["id"] for line in rejected.stdout.splitlines()]


def test_nothing_is_listed_before_the_first_correction(run: Run, tmp_path: Path) -> None:
    assert (os.EX_OK, "") == ((ended := run("list")).exit_code, ended.stdout)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "status", "category"),
    [
        (["--accept"], Status.ACCEPTED, "recipient_restricted"),
        (["--reject"], Status.REJECTED, "recipient_restricted"),
        (["--category", "policy_rejected"], Status.ACCEPTED, "policy_rejected"),
        (["--accept", "--category", "policy_rejected"], Status.ACCEPTED, "policy_rejected"),
    ],
)
def test_a_correction_is_settled(
    run: Run, store: SqliteStore, arguments: list[str], status: Status, category: str
) -> None:
    ended = run("review", DRAFT.id, *arguments)
    (settled,) = store.listed()

    assert (os.EX_OK, True) == (ended.exit_code, DRAFT.id in ended.stdout)
    assert (status, category) == (settled.status, settled.correct_category)


@pytest.mark.parametrize("file", ["-", "corrections.ndjson"])
def test_corrections_travel(run: Run, store: SqliteStore, tmp_path: Path, file: str) -> None:
    store.review(DRAFT.id, Status.ACCEPTED)
    place = file if file == "-" else str(tmp_path / file)
    exported = run("export", place, "--status", "accepted")
    first = run("import", place, given=exported.stdout, folder="there")
    again = run("import", place, given=exported.stdout, folder="there")

    assert store.listed() == SqliteStore(tmp_path / "there").listed()
    assert ["corrections: 1, taken: 1\n", "corrections: 1, taken: 0\n"] == [first.stdout, again.stdout]


def test_a_wrong_line_keeps_all_others_out(run: Run, store: SqliteStore, tmp_path: Path) -> None:
    lines = run("export", "-").stdout + "{}\n"
    ended = run("import", "-", given=lines, folder="there")

    assert os.EX_DATAERR == ended.exit_code
    assert not (tmp_path / "there").exists()
    assert 1 == len(store.listed())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["review", DRAFT.id], os.EX_USAGE),
        (["review", DRAFT.id, "--accept", "--reject"], os.EX_USAGE),
        (["review", DRAFT.id, "--reject", "--category", "policy_rejected"], os.EX_USAGE),
        (["review", DRAFT.id, "--category", "no_such"], os.EX_USAGE),
        (["review", "0000", "--accept"], os.EX_USAGE),
        (["list", "--status", "odd"], os.EX_USAGE),
        (["import", "nowhere.ndjson"], os.EX_NOINPUT),
        (["export", "no/such/folder"], os.EX_CANTCREAT),
    ],
)
def test_exit_codes(run: Run, store: SqliteStore, arguments: list[str], code: int) -> None:
    assert (code, Status.PENDING) == (run(*arguments).exit_code, store.listed()[0].status)


def test_a_place_that_cannot_be_used_is_an_error_of_its_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "feedback.sqlite").mkdir()

    assert os.EX_IOERR == run("list").exit_code
