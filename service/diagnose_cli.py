"""``ndr diagnose``: joins the evidence in several files, and says where on the way it stopped."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

import click
import orjson

from model.exhibits import AUTO, CHUNK_BYTES, TYPES, Exhibit
from model.inquiry import MAX_EXHIBITS, Case
from model.languages import LANGUAGES
from service.case_answer import case_answer_of
from service.evidence import Bundle, parts_of, question_of
from service.path_svg import svg_of
from service.settings import Settings
from service.text_answer import printable
from service.text_case import case_text_of
from service.wiring import build

STDIN = "-"
SLOW_BYTES = 50 << 20
"""From this size on a file's progress is shown."""

MOST_IN_MEMORY_BYTES = 64 << 20
"""What cannot be read twice, such as a pipe, is kept in memory up to here, then on disk."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...|-")
@click.option("--message-id", help="The message in question.")
@click.option("--recipient", help="Whom it was for.")
@click.option("--own-domain", multiple=True, metavar="DOMAIN", help="Your domain; NDR_OWN_DOMAINS otherwise.")
@click.option("--own-host", multiple=True, metavar="HOST", help="Your server; NDR_OWN_HOSTS otherwise.")
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="FILE:FORMAT",
    help="What a file is, where it is not recognised.",
)
@click.option("--language", "--lang", type=click.Choice(LANGUAGES), help="Language of the answer.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, also on a terminal.")
@click.option("--text", "as_text", is_flag=True, help="Answer in text, also in a pipe.")
@click.option("--svg", metavar="FILE|-", help="Draw the way into FILE as well; - draws it instead.")
def diagnose(
    files: tuple[str, ...],
    *,
    message_id: str | None,
    recipient: str | None,
    own_domain: tuple[str, ...],
    own_host: tuple[str, ...],
    types: tuple[str, ...],
    language: str | None,
    as_json: bool,
    as_text: bool,
    svg: str | None,
) -> int:
    """Join reports, logs, headers and events of one delivery; - reads standard input.

    Files may be of any size and in any order; each is recognised. The answer is text on a terminal, and JSON
    where it is piped.
    """
    _check(files, as_json=as_json, as_text=as_text)
    settings = _settings(own_domain, own_host)
    question = question_of(
        settings, language=language or settings.language, message_id=message_id, recipient=recipient
    )
    try:
        exhibits = [opened(file) for file in files]
    except OSError as error:
        return _complaint(error, os.EX_NOINPUT)
    case = Bundle(_typed(files, exhibits, types)).investigated_by(build(settings).diagnoser, question)
    is_text = as_text or (sys.stdout.isatty() and not as_json)
    return _show(case, svg, is_text=is_text)


def _check(files: tuple[str, ...], *, as_json: bool, as_text: bool) -> None:
    if as_json and as_text:
        raise click.UsageError("Say either --json or --text.")
    if len(files) > MAX_EXHIBITS:
        raise click.UsageError(f"1 to {MAX_EXHIBITS} files are allowed, not {len(files)}.")
    if files.count(STDIN) > 1:
        raise click.UsageError("Standard input can be read once only.")


def _settings(own_domain: tuple[str, ...], own_host: tuple[str, ...]) -> Settings:
    given = {"NDR_OWN_DOMAINS": ",".join(own_domain), "NDR_OWN_HOSTS": ",".join(own_host)}
    return Settings.read({**os.environ, **{name: value for name, value in given.items() if value}})


def _typed(files: Sequence[str], exhibits: Sequence[Exhibit], types: tuple[str, ...]) -> Sequence[Exhibit]:
    """The files, each as what the caller says that it is; he may leave out a file's folder.

    Raises:
        UsageError: there is no such file or format.
    """
    told: dict[str, str] = {}
    for entry in types:
        name, _, kind = entry.rpartition(":")
        if kind not in TYPES:
            raise click.UsageError(f"--type: {kind!r} is no format; allowed are {', '.join(TYPES)}.")
        if name not in files and name not in [exhibit.name for exhibit in exhibits]:
            raise click.UsageError(f"--type: {name!r} is none of the files.")
        told[name] = kind
    return [
        replace(exhibit, type=told.get(file) or told.get(exhibit.name, AUTO))
        for file, exhibit in zip(files, exhibits, strict=True)
    ]


def opened(file: str) -> Exhibit:
    """A file, which is read as often as it takes; a pipe is put aside first.

    Raises:
        OSError: it cannot be read.
    """
    if file == STDIN:
        return Exhibit(file, parts_of(_put_aside(sys.stdin.buffer)))
    path = Path(file)
    with path.open("rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            return Exhibit(file, parts_of(_put_aside(stream)))
    return Exhibit(path.name, _followed(path.name, status.st_size, lambda: _parts(path)))


def _put_aside(stream: IO[bytes]) -> IO[bytes]:
    aside = SpooledTemporaryFile(MOST_IN_MEMORY_BYTES)  # noqa: SIM115  # the command closes it when it ends
    kept: IO[bytes] = click.get_current_context().with_resource(aside)
    while part := stream.read(CHUNK_BYTES):
        kept.write(part)
    return kept


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while part := stream.read(CHUNK_BYTES):
            yield part


def _followed(name: str, size: int, source: Callable[[], Iterator[bytes]]) -> Callable[[], Iterable[bytes]]:
    """The same parts, with a line on a terminal that tells how far a large file has been read."""
    if size < SLOW_BYTES or not sys.stderr.isatty():
        return source

    def parts() -> Iterator[bytes]:
        done = 0
        for part in source():
            done += len(part)
            click.echo(f"\r{printable(name)}: {done / size:4.0%}", nl=False, err=True)
            yield part
        click.echo("\r\x1b[K", nl=False, err=True)

    return parts


def _show(case: Case, svg: str | None, *, is_text: bool) -> int:
    drawing = svg_of(case, case.diagnosis.language) if svg else ""
    if svg == STDIN:
        click.echo(drawing, nl=False)
        return os.EX_OK
    click.echo(case_text_of(case) if is_text else orjson.dumps(case_answer_of(case)), nl=not is_text)
    try:
        if svg:
            Path(svg).write_text(drawing, "utf-8")
    except OSError as error:
        return _complaint(error, os.EX_CANTCREAT)
    return os.EX_OK


def _complaint(error: OSError, code: int) -> int:
    click.echo(f"ndr: {error.filename}: {error.strerror}", err=True)
    return code
