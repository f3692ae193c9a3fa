"""The command line: each command of ``ndr``, and the exit code that a failure ends it with."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import click
import orjson

from model.codes import lookup
from model.errors import DataError, EvidenceError, NdrError, UnknownName
from model.languages import LANGUAGES
from model.types import Diagnosis
from service import rule_check
from service.answer import answer_of
from service.diagnose_cli import diagnose
from service.errors import (
    BadCorrection,
    CannotListen,
    NotReady,
    ServiceError,
    SettingError,
    StoreUnavailable,
    UnreadablePiece,
)
from service.feedback_cli import feedback
from service.gateway_cli import imap, lmtp, milter, pipe
from service.runner_cli import runner
from service.runner_keeper import Keeper
from service.settings import Settings
from service.startup import begin
from service.text_answer import explanation_of, text_of
from service.tickets_cli import tickets
from service.triage_cli import triage
from service.version import VERSION
from service.wiring import build

EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (click.UsageError, os.EX_USAGE),
    (EvidenceError, os.EX_DATAERR),
    (UnknownName, os.EX_USAGE),
    (BrokenPipeError, os.EX_IOERR),
    (OSError, os.EX_NOINPUT),
    (SettingError, os.EX_CONFIG),
    (DataError, os.EX_CONFIG),
    (NotReady, os.EX_UNAVAILABLE),
    (CannotListen, os.EX_UNAVAILABLE),
    (BadCorrection, os.EX_DATAERR),
    (UnreadablePiece, os.EX_DATAERR),
    (StoreUnavailable, os.EX_IOERR),
    (ServiceError, os.EX_SOFTWARE),
    (NdrError, os.EX_SOFTWARE),
)
"""Exit codes of sysexits.h; the first row that fits decides."""


def main() -> None:
    """Runs the command line; an expected failure ends with one line and its exit code."""
    try:
        ended = ndr.main(prog_name="ndr", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(exit_code_of(error))
    except tuple(kind for kind, _ in EXIT_CODES) as error:
        click.echo(f"ndr: {error}", err=True)
        sys.exit(exit_code_of(error))
    sys.exit(ended if isinstance(ended, int) else os.EX_OK)


def exit_code_of(error: Exception) -> int:
    """The exit code of a failure."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), os.EX_SOFTWARE)


_language = click.option("--lang", type=click.Choice(LANGUAGES), help="Language of the answer.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, message="%(prog)s %(version)s")
def ndr() -> None:
    """Say why a mail came back, where it stopped, who can mend it, and what to do next."""


@ndr.command()
@click.option("--host", help="Address to listen on; NDR_HOST otherwise.")
@click.option("--port", help="Port to listen on; NDR_PORT otherwise.")
@click.option("--with-runner", is_flag=True, help="Work off archives in a process of its own beside it.")
def serve(host: str | None, port: str | None, *, with_runner: bool) -> None:
    """Serve the HTTP interface until stopped."""
    given = {"NDR_HOST": host, "NDR_PORT": port}
    settings = Settings.read({**os.environ, **{name: value for name, value in given.items() if value}})
    settings.check_exposure()
    begin(settings)
    from service.server import run  # only this command needs gunicorn and Flask

    with Keeper() if with_runner else nullcontext():
        run(settings)


@ndr.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...|-")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, also on a terminal.")
@click.option("--fields", default="", help="Names of the fields to keep in JSON, separated by commas.")
@_language
def classify(files: tuple[str, ...], *, as_json: bool, fields: str, lang: str | None) -> int:
    """Diagnose mails, replies or texts; - reads standard input.

    The answer is text on a terminal, and one line of JSON for each file where it is piped.
    """
    settings = Settings.read(os.environ)
    diagnoser = build(settings).diagnoser
    show = _show_json if as_json or fields or not sys.stdout.isatty() else _show_text
    worst = os.EX_OK
    for file in files:
        try:
            diagnosis = diagnoser.diagnose(_content(file), language=lang or settings.language)
        except (EvidenceError, OSError) as error:
            click.echo(f"ndr: {file}: {_reason(error)}", err=True)
            worst = exit_code_of(error)
        else:
            show(diagnosis, file if len(files) > 1 else None, fields)
    return worst


@ndr.command()
@click.argument("code")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, also on a terminal.")
@_language
def explain(code: str, *, as_json: bool, lang: str | None) -> None:
    """Say what a code means at each who uses it, such as 5.7.1, 550 or HL:ICC."""
    entry = lookup(code, lang or Settings.read(os.environ).language)
    if as_json or not sys.stdout.isatty():
        click.echo(orjson.dumps(asdict(entry)))
    else:
        click.echo(explanation_of(entry))


for _command in (diagnose, feedback, imap, lmtp, milter, pipe, runner, tickets, triage):
    ndr.add_command(_command)


@ndr.group()
def rules() -> None:
    """Work with rule files of your own."""


@rules.command()
@click.argument("folder", type=click.Path(path_type=Path))
def check(folder: Path) -> int:
    """Check that every rule in a folder can be read and wins its own examples."""
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: no such folder")
    outcome = rule_check.check_folder(folder)
    for complaint in outcome.complaints:
        click.echo(complaint, err=True)
    click.echo(f"rules: {outcome.count}, complaints: {len(outcome.complaints)}")
    return os.EX_DATAERR if outcome.complaints else os.EX_OK


def _content(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _show_json(diagnosis: Diagnosis, file: str | None, fields: str) -> None:
    wanted = [name.strip() for name in fields.split(",") if name.strip()]
    name = {"file": file} if file else {}
    click.echo(orjson.dumps(name | answer_of(diagnosis, wanted)))


def _show_text(diagnosis: Diagnosis, file: str | None, _fields: str) -> None:
    if file:
        click.secho(file, bold=True)
    click.echo(text_of(diagnosis))
