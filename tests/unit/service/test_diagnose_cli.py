"""``ndr diagnose``: files of any size in, one report out; exit codes of sysexits."""

import json
import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from model.exhibits import CHUNK_BYTES, TYPES
from service import diagnose_cli
from service.cli import exit_code_of, ndr
from service.settings import Settings
from service.wiring import Services, build

CASE = Path(__file__).parents[2] / "samples" / "cases" / "exchange-internal-auth"
FILES = [str(path) for path in sorted(CASE.iterdir())]
NDR = str(CASE / "ndr.eml")
REPLY = b"454 4.7.0 Temporary authentication failure"
DEFERRED = (
    b"2026-11-02T10:14:07Z mx1 postfix/smtp[421]: 4Fz1Xq2Y: to=<user@example.com>, "
    b"relay=mail.example.com[192.0.2.12]:25, delay=1, delays=0/0/1/0, dsn=4.7.0, status=deferred "
    b"(host mail.example.com[192.0.2.12] said: 454 4.7.0 Temporary authentication failure)\n"
)
NOISE = b"2026-11-02T10:14:08Z mx1 postfix/qmgr[422]: 5Fz1Xq2Z: removed\n"
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def wired() -> Services:
    return build(Settings())


@pytest.fixture
def run(wired: Services, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``ndr diagnose``; its result is what a shell would see."""
    monkeypatch.setattr(diagnose_cli, "build", lambda _settings: wired)  # built once

    def ended(*arguments: str, given: bytes = b"", **settings: str) -> Result:
        result = CliRunner(env=settings).invoke(
            ndr, ["diagnose", *arguments], input=given, standalone_mode=False
        )
        if isinstance(result.exception, Exception):
            result.exit_code = exit_code_of(result.exception)
        elif result.return_value:
            result.exit_code = result.return_value
        return result

    return ended


def answer(result: Result) -> Any:
    assert (os.EX_OK, 1) == (result.exit_code, result.stdout.count("\n"))
    return json.loads(result.stdout)


def test_the_files_of_a_case_are_one_diagnosis(run: Run) -> None:
    told = answer(run(*FILES))

    assert ("internal_auth_failed", "sender_transport", "sender_admin") == tuple(
        told[name] for name in ("category", "stage", "fix_owner")
    )
    assert {Path(file).name for file in FILES} == {each["name"] for each in told["evidence_read"]}


def test_the_order_of_the_files_does_not_matter(run: Run) -> None:
    there, back = answer(run(*FILES)), answer(run(*reversed(FILES)))
    same = ("id", "category", "stage", "causes", "next", "resolved")

    assert {name: there[name] for name in same} == {name: back[name] for name in same}


@pytest.mark.parametrize(("language", "wanted"), [("en", "The way:"), ("zh", "投递路径:")])
@pytest.mark.parametrize("option", ["--language", "--lang"])
def test_the_report_is_in_the_language_asked_for(run: Run, option: str, language: str, wanted: str) -> None:
    assert wanted in run(NDR, "--text", option, language).stdout.splitlines()


def test_the_language_comes_from_the_settings_otherwise(run: Run) -> None:
    assert "投递路径:" in run(NDR, "--text", NDR_LANGUAGE="zh").stdout.splitlines()


def test_standard_input_is_a_piece(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mail.log").write_bytes(DEFERRED)
    told = answer(run("-", str(tmp_path / "mail.log"), given=REPLY))

    assert ["-", "mail.log"] == [each["name"] for each in told["evidence_read"]]
    assert "internal_auth_failed" == told["category"]


def test_a_pipe_is_a_piece_although_it_can_be_read_once_only(run: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(DEFERRED * 10_000,))
    writer.start()
    told = answer(run(str(pipe)))
    writer.join()

    assert ("internal_auth_failed", 10_000) == (told["category"], told["evidence_read"][0]["lines"])


def test_files_of_one_name_are_told_apart(run: Run, tmp_path: Path) -> None:
    for folder in ("mx1", "mx2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mail.log").write_bytes(DEFERRED)
    told = answer(run(*(str(tmp_path / folder / "mail.log") for folder in ("mx1", "mx2"))))

    assert ["mail.log", "mail.log (2)"] == [each["name"] for each in told["evidence_read"]]


@pytest.mark.parametrize(
    ("arguments", "settings", "told", "home"),
    [
        ([], {}, False, "sender"),
        (["--own-domain", "example.net"], {}, True, "sender"),
        (["--own-domain", "example.org", "--own-domain", "Example.COM"], {}, True, "recipient"),
        (["--own-host", "mx1"], {}, True, "sender"),
        ([], {"NDR_OWN_DOMAINS": "example.org,example.com"}, True, "recipient"),
        (["--own-domain", "example.net"], {"NDR_OWN_DOMAINS": "example.com"}, True, "sender"),
    ],
)
def test_ones_own_is_told_by_options_before_settings(
    run: Run,
    arguments: list[str],
    settings: dict[str, str],
    told: bool,  # noqa: FBT001
    home: str,
) -> None:
    sides = answer(run("-", *arguments, given=DEFERRED, **settings))["sides"]

    assert (told, home) == (sides["told"], sides["home"])


def test_the_message_and_the_recipient_in_question_are_named(run: Run) -> None:
    tracking = str(CASE / "tracking.log")
    deferred = answer(run(tracking))
    another = answer(run(tracking, "--message-id", "other@example.net", "--recipient", "sales@example.com"))

    assert ("internal_auth_failed", "unknown") == (deferred["category"], another["category"])
    assert {"<other@example.net>"} == {each["message_id"] for each in another["events"]}


@pytest.mark.parametrize("name", ["notes.txt", "{folder}/notes.txt"])
def test_a_file_is_what_the_caller_says(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_bytes(b"nothing that is recognised\n" + DEFERRED)
    file = str(tmp_path / "notes.txt")
    told = answer(run(file, "--type", f"{name.format(folder=tmp_path)}:postfix"))

    assert ["postfix"] == [each["format"] for each in told["evidence_read"]]


@pytest.mark.parametrize("given", [b"The meeting is on Friday.\n", NOISE * 3, b"\0" * 1000])
def test_where_there_is_nothing_to_find_there_is_an_answer(run: Run, given: bytes) -> None:
    told = answer(run("-", given=given))

    assert (["unknown"], "not_ndr") == ([told["category"]], told["kind"])


def test_the_way_is_drawn_beside_the_answer(run: Run, tmp_path: Path) -> None:
    drawing = tmp_path / "way.svg"
    told = answer(run(NDR, "--svg", str(drawing), "--language", "zh"))

    assert "zh" == told["language"]
    assert drawing.read_text("utf-8").startswith("<svg ")


def test_the_way_is_drawn_in_place_of_the_answer(run: Run) -> None:
    printed = run(NDR, "--svg", "-").stdout

    assert (True, True) == (printed.startswith("<svg "), printed.endswith("</svg>\n"))


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], os.EX_USAGE, "FILE"),
        (["-", "--json", "--text"], os.EX_USAGE, "either"),
        (["-", "-"], os.EX_USAGE, "once"),
        (["-", "--language", "fr"], os.EX_USAGE, "fr"),
        (["-", "--type", "-:postfx"], os.EX_USAGE, "'postfx' is no format; allowed are auto, ndr, "),
        (["-", "--type", "postfix"], os.EX_USAGE, "'' is none of the files"),
        (["-", "--type", "mail.log:postfix"], os.EX_USAGE, "'mail.log' is none of the files"),
        ([NDR] * 51, os.EX_USAGE, "50"),
        (["-", "--own-domain", "a b"], os.EX_CONFIG, "NDR_OWN_DOMAINS='a b'"),
        (["-", os.devnull], os.EX_DATAERR, f"{os.devnull}: the evidence is empty"),
        ([NDR, "nowhere/mail.log"], os.EX_NOINPUT, "nowhere/mail.log: No such file or directory"),
        ([NDR, "/"], os.EX_NOINPUT, "/: Is a directory"),
        ([NDR, "--svg", "nowhere/way.svg"], os.EX_CANTCREAT, "nowhere/way.svg: No such file or directory"),
    ],
)
def test_exit_codes(run: Run, arguments: list[str], code: int, says: str) -> None:
    ended = run(*arguments, given=REPLY)
    shown = ended.exception.format_message() if isinstance(ended.exception, click.ClickException) else None

    assert code == ended.exit_code
    assert says in (shown or str(ended.exception or "") or ended.stderr)
    assert ended.stderr.count("\n") <= 1


def test_every_format_can_be_named(run: Run) -> None:
    codes = {kind: run("-", "--type", f"-:{kind}", given=DEFERRED).exit_code for kind in TYPES}

    assert dict.fromkeys(TYPES, os.EX_OK) == codes


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Path]:
    """A log of some MB with one failure at its end."""
    file = tmp_path / "mail.log"
    file.write_bytes(NOISE * 200_000 + DEFERRED)
    yield file
    file.unlink()


def test_a_large_file_is_read_in_parts(run: Run, large: Path) -> None:
    tracemalloc.start()
    told = answer(run(str(large)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert ("internal_auth_failed", 200_001) == (told["category"], told["evidence_read"][0]["lines"])
    assert peak < large.stat().st_size / 2


@pytest.mark.parametrize(
    ("is_terminal", "slow", "wanted"), [(True, 1, True), (True, 1 << 40, False), (False, 1, False)]
)
def test_progress_is_shown_for_large_files_on_a_terminal(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_terminal: bool,  # noqa: FBT001
    slow: int,
    wanted: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(diagnose_cli, "SLOW_BYTES", slow)
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    file = tmp_path / "mail.log"
    file.write_bytes(b"x" * (2 * CHUNK_BYTES))
    parts = list(diagnose_cli.opened(str(file)).open())

    assert [CHUNK_BYTES, CHUNK_BYTES] == [len(part) for part in parts]
    assert ("\rmail.log:  50%\rmail.log: 100%\r\x1b[K" if wanted else "") == capsys.readouterr().err
