import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.ticketing.ledger import Ledger, State
from service.ticketing.nouns import Event
from service.tickets_cli import tickets
from tests.unit.ticketing.fakes import ORDINARY, bounce

EMPTY = '[systems.desk]\nadapter = "rt"\nurl = "http://127.0.0.1:1"\n'


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tickets.toml").write_text(EMPTY)
    return {"NDR_DATA_DIR": str(tmp_path / "data"), "NDR_TICKETS_FILE": str(tmp_path / "tickets.toml")}


@pytest.mark.parametrize(("raw", "kind"), [(bounce(), b"bounce"), (ORDINARY, b"not_ndr")])
def test_the_filter_marks_a_mail_and_changes_nothing_else(raw: bytes, kind: bytes) -> None:
    ended = CliRunner().invoke(tickets, ["filter"], input=raw)
    assert (0, raw) == (ended.exit_code, ended.stdout_bytes[-len(raw) :])
    assert ended.stdout_bytes.startswith(b"X-NDR-Kind: " + kind + b"\n")


@pytest.mark.parametrize(
    ("raw", "environment"),
    [
        pytest.param(bounce(), {"NDR_RULES_DIR": "/nowhere"}, id="a wrong setting"),
        pytest.param(b"", {}, id="nothing at all"),
        pytest.param(b" \r\n", {}, id="nothing but blanks"),
    ],
)
def test_whatever_goes_wrong_the_mail_passes_as_it_came(raw: bytes, environment: dict[str, str]) -> None:
    ended = CliRunner().invoke(tickets, ["filter"], input=raw, env=environment)
    assert (0, raw) == (ended.exit_code, ended.stdout_bytes)
    assert "passes unmarked" in ended.stderr


def test_marks_that_somebody_forged_go_whatever_goes_wrong() -> None:
    forged = b"X-NDR-Action: suppress\r\n\tand more\r\n" + bounce().replace(b"\n", b"\r\n")
    ended = CliRunner().invoke(tickets, ["filter"], input=forged, env={"NDR_RULES_DIR": "/nowhere"})
    assert (0, bounce().replace(b"\n", b"\r\n")) == (ended.exit_code, ended.stdout_bytes)


def test_a_system_that_cannot_be_asked_is_a_failure_for_cron(environment: dict[str, str]) -> None:
    ended = CliRunner().invoke(tickets, ["poll", "desk", "--once"], env=environment, standalone_mode=False)
    assert os.EX_TEMPFAIL == ended.return_value


def test_failed_events_are_listed_and_replayed(environment: dict[str, str]) -> None:
    ledger = Ledger(Path(environment["NDR_DATA_DIR"]))
    ledger.note("gone", Event("12", "345"))
    entry = ledger.claim()
    assert entry is not None
    ledger.bury(entry, "rt.example.com answered 403")
    listed = CliRunner().invoke(tickets, ["list"], env=environment).stdout.rstrip("\n").split("\t")
    assert ["gone", "12", "345", "dead", "1"] == listed[:5]
    assert "rt.example.com answered 403" == listed[-1]
    replayed = CliRunner().invoke(tickets, ["replay"], env=environment, standalone_mode=False)
    assert ("replayed: 1, failed again: 1\n", os.EX_TEMPFAIL) == (replayed.stdout, replayed.return_value)
    assert ["no ticketing system is called 'gone'"] == [each.outcome for each in ledger.letters(State.DEAD)]


def test_nothing_to_list_or_replay_is_no_failure(environment: dict[str, str]) -> None:
    assert "" == CliRunner().invoke(tickets, ["list"], env=environment).stdout
    replayed = CliRunner().invoke(tickets, ["replay"], env=environment, standalone_mode=False)
    assert ("replayed: 0, failed again: 0\n", 0) == (replayed.stdout, replayed.return_value)


@pytest.mark.parametrize("command", [["poll", "nobody", "--once"], ["replay", "nobody"]])
def test_a_system_that_nobody_configured_is_said_so(environment: dict[str, str], command: list[str]) -> None:
    ended = CliRunner().invoke(tickets, command, env=environment)
    assert "'nobody'" in str(ended.exception)
