"""The command line as a process: answers, languages and exit codes."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from service.settings import Settings
from service.version import VERSION

pytestmark = pytest.mark.e2e

Run = Callable[..., CompletedProcess[bytes]]
REPLY = b"454 4.7.0 Temporary authentication failure"
FOUR_CAUSES = ["clock_skew", "dc_replication", "spn_missing_or_duplicate", "kerberos_ports_blocked"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_standard_input_is_diagnosed_in_the_language_asked_for(ndr: Run, language: str) -> None:
    ended = ndr("classify", "-", "--lang", language, given=REPLY)
    answer = json.loads(ended.stdout)

    assert os.EX_OK == ended.returncode
    assert ("internal_auth_failed", language) == (answer["category"], answer["language"])
    assert FOUR_CAUSES == [cause["id"] for cause in answer["causes"][:4]]


def test_fields_trims_and_several_files_are_named(ndr: Run, tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("a", "b")]
    for file in files:
        Path(file).write_bytes(REPLY)
    ended = ndr("classify", *files, "--fields", "category,kind")

    assert [{"file": file, "kind": "bounce", "category": "internal_auth_failed"} for file in files] == [
        json.loads(line) for line in ended.stdout.splitlines()
    ]


def test_one_bad_file_does_not_stop_the_others(ndr: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(REPLY)
    ended = ndr("classify", str(tmp_path / "none"), str(tmp_path / "a"))

    assert (os.EX_NOINPUT, 1) == (ended.returncode, len(ended.stdout.splitlines()))
    assert b"none: No such file or directory" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "says"),
    [
        (["--version"], {}, os.EX_OK, ""),
        (["--help"], {}, os.EX_OK, ""),
        (["explain", "5.1.1"], {}, os.EX_OK, ""),
        (["explain", "nobody-knows"], {}, os.EX_OK, ""),
        ([], {}, os.EX_USAGE, "Usage"),
        (["bogus"], {}, os.EX_USAGE, "bogus"),
        (["classify"], {}, os.EX_USAGE, "FILE"),
        (["classify", "-", "--lang", "fr"], {}, os.EX_USAGE, "fr"),
        (["classify", "-", "--fields", "knd"], {}, os.EX_USAGE, "knd"),
        (["classify", os.devnull], {}, os.EX_DATAERR, os.devnull),
        (["classify", "nowhere.eml"], {}, os.EX_NOINPUT, "nowhere.eml"),
        (["rules", "check", "nowhere"], {}, os.EX_NOINPUT, "nowhere"),
        (["classify", "-"], {"NDR_LANGUAGE": "fr"}, os.EX_CONFIG, "NDR_LANGUAGE='fr'"),
        (["serve", "--host", "0.0.0.0"], {}, os.EX_CONFIG, "NDR_API_KEYS"),
        (["serve"], {"NDR_HOST": "::"}, os.EX_CONFIG, "NDR_ALLOW_OPEN"),
        (["serve", "--port", "x"], {}, os.EX_CONFIG, "NDR_PORT='x'"),
        (
            ["serve", "--host", "192.0.2.1"],
            {"NDR_ALLOW_OPEN": "1"},
            os.EX_UNAVAILABLE,
            "cannot listen on 192.0.2.1",
        ),
    ],
)
def test_exit_codes_are_those_of_sysexits(
    ndr: Run, arguments: list[str], settings: dict[str, str], code: int, says: str
) -> None:
    ended = ndr(*arguments, given=REPLY, **settings)

    assert (code, True) == (ended.returncode, says in ended.stderr.decode())
    assert b"Traceback" not in ended.stderr


def test_the_version_is_told(ndr: Run) -> None:
    assert f"ndr {VERSION}\n".encode() == ndr("--version").stdout


def test_a_port_in_use_is_told_at_once(ndr: Run) -> None:
    with socket.socket() as taken:
        taken.bind((Settings().host, 0))
        taken.listen()
        ended = ndr("serve", "--port", str(taken.getsockname()[1]))

    assert os.EX_UNAVAILABLE == ended.returncode


def test_wrong_rules_of_the_users_own_are_named(ndr: Run, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[[rule]]\nid = "own.x"\n', "utf-8")
    checked, served = ndr("rules", "check", str(tmp_path)), ndr("serve", NDR_RULES_DIR=str(tmp_path))

    assert (os.EX_DATAERR, os.EX_CONFIG) == (checked.returncode, served.returncode)
    assert b"own.toml: own.x: missing category" in checked.stderr
    assert b"own.toml: own.x: missing category" in served.stderr


def test_the_command_line_starts_without_the_web(ndr: Run) -> None:
    ended = ndr("explain", "5.1.1", PYTHONPROFILEIMPORTTIME="1")

    assert b"model.codes" in ended.stderr
    assert b"flask" not in ended.stderr
    assert b"gunicorn" not in ended.stderr
