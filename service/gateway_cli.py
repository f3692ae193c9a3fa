"""``ndr pipe``, ``milter``, ``lmtp``, ``imap``: the options of what mail systems hand over bounces to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from model.languages import LANGUAGES
from service import logs
from service.settings import LOG_LEVELS, Settings

if TYPE_CHECKING:
    from service.gateways.asking import Diagnose
    from service.gateways.stores import Store

Command = TypeVar("Command", bound=Callable[..., object])

_ASKING = (
    click.option("--url", help="Address of the service; NDR_URL, or http://127.0.0.1:8080 otherwise."),
    click.option("--key-file", metavar="FILE", help="File with the key; NDR_KEY_FILE or NDR_KEY otherwise."),
    click.option("--local", is_flag=True, help="Diagnose in this process, without the service."),
    click.option("--lang", type=click.Choice(LANGUAGES), help="Language of the answers."),
    click.option("--log-level", type=click.Choice(LOG_LEVELS), default="info", help="Least severe to log."),
)
_STORING = (
    click.option("--append", metavar="FILE", help="Append each answer to FILE as a line of JSON."),
    click.option("--maildir", metavar="DIR", help="Deliver each mail with X-NDR-* header fields to DIR."),
    click.option("--webhook", metavar="URL", help="Send each answer to URL, signed with NDR_WEBHOOK_SECRET."),
    click.option(
        "--post", is_flag=True, help="Only ask the service, which stores or sends what is set there."
    ),
)


def _with(options: Iterable[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    def add(command: Command) -> Command:
        for option in reversed(tuple(options)):
            command = option(command)
        return command

    return add


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def pipe(arguments: tuple[str, ...]) -> int:
    """Diagnose one mail from standard input for a mail system; --help tells more."""
    from service.gateways.pipe import main  # it reads its arguments itself, so as to start fast without click

    return main(arguments)


@click.command()
@_with(_ASKING)
@click.option("--listen", default="127.0.0.1:8894", help="HOST:PORT or unix:/PATH.", show_default=True)
@click.option("--threads", type=click.IntRange(1, 64), default=4, help="Diagnoses at a time.")
@click.option("--patience", type=click.FloatRange(0.1, 300), default=10.0, help="Seconds for one diagnosis.")
def milter(*, listen: str, threads: int, patience: float, **asking: Any) -> None:
    """Mark the bounces that pass an MTA with X-NDR-* header fields, as a milter; all mail passes."""
    from service.gateways.listening import address_of
    from service.gateways.milter import Milter, run

    diagnose = _diagnose(asking, in_headers=True, timeout_s=patience, retries=0)
    run(Milter(diagnose, threads, patience), address_of(listen))


@click.command()
@_with(_ASKING)
@_with(_STORING)
@click.option("--listen", default="127.0.0.1:8024", help="HOST:PORT or unix:/PATH.", show_default=True)
@click.option("--smtp", is_flag=True, help="Speak SMTP in place of LMTP.")
@click.option("--threads", type=click.IntRange(1, 64), default=4, help="Mails worked on at a time.")
@click.option("--max-bytes", type=click.IntRange(1024, 1 << 30), default=36 << 20, help="The largest mail.")
def lmtp(*, listen: str, smtp: bool, threads: int, max_bytes: int, **given: Any) -> None:
    """Take mail over LMTP, and say that it is here only when the result is stored; needs the extra lmtp."""
    from service.gateways.listening import address_of

    try:
        from service.gateways.lmtp import Receiver, run  # only this command needs aiosmtpd
    except ModuleNotFoundError as error:
        raise click.UsageError("this command needs the extra lmtp: pip install 'ndr-triage[lmtp]'") from error
    store, diagnose = _store(given), _diagnose(given, in_headers=bool(given["maildir"] or given["post"]))
    run(Receiver(diagnose, store, threads, max_bytes, smtp), address_of(listen))


@click.command()
@_with(_ASKING)
@_with(_STORING)
@click.option("--host", required=True, help="The IMAP server.")
@click.option("--port", type=click.IntRange(1, 65535), default=993, show_default=True)
@click.option("--user", required=True, help="Whose mailbox.")
@click.option("--password-file", metavar="FILE", help="File with the password; NDR_IMAP_PASSWORD otherwise.")
@click.option("--oauth", is_flag=True, help="The password is an OAuth 2 access token, read at each look.")
@click.option("--folder", default="INBOX", show_default=True, help="Where the bounces are.")
@click.option("--move", metavar="FOLDER", help="Move what is done there; it is marked as read otherwise.")
@click.option("--starttls", is_flag=True, help="Begin without TLS and change to it, as on port 143.")
@click.option("--no-tls", is_flag=True, help="Do without TLS; on loopback only.")
@click.option("--ca-file", metavar="FILE", help="Whom to trust; the system's authorities otherwise.")
@click.option("--state", metavar="FILE", help="Where it is kept what is done; in NDR_DATA_DIR otherwise.")
@click.option("--every", type=click.FloatRange(1, 86400), default=60.0, show_default=True, metavar="S")
@click.option("--once", is_flag=True, help="Look once and end, with exit code 75 where something is left.")
def imap(*, every: float, once: bool, state: str | None, **given: Any) -> int:
    """Diagnose the unread mails of an IMAP mailbox, store the results, and mark or move the mails."""
    from service.gateways.imap import Done, Mailbox, Poller
    from service.gateways.imap import run as poll

    store, diagnose = _store(given), _diagnose(given, in_headers=bool(given["maildir"] or given["post"]))
    names = ("host", "port", "user", "folder", "move", "starttls", "no_tls", "ca_file", "oauth")
    password = partial(_password, given["password_file"])
    password()
    mailbox = Mailbox(**{name: given[name] for name in names}, password=password)
    done = Done(_state_file(state))
    return poll(Poller(mailbox, diagnose, store, done), every_s=None if once else every)


def _diagnose(given: Mapping[str, Any], *, in_headers: bool, **client: Any) -> Diagnose:
    from service.gateways.asking import asker
    from service.gateways.headers import FIELDS

    logs.configure(given["log_level"])
    return asker(
        local=given["local"],
        url=given["url"],
        key_file=given["key_file"],
        language=given["lang"],
        fields=FIELDS.values() if in_headers else (),
        **client,
    )


def _store(given: Mapping[str, Any]) -> Store:
    from service.gateways.stores import chosen, nowhere

    names = ("append", "maildir", "webhook")
    store = chosen(**{name: given[name] for name in names}, environment=os.environ)
    if (store is None) != given["post"]:
        raise click.UsageError("Say one of --append, --maildir, --webhook, --post.")
    return store or nowhere


def _password(file: str | None) -> str:
    if file:
        return Path(file).read_text("utf-8").rstrip("\r\n")
    if not (password := os.environ.get("NDR_IMAP_PASSWORD")):
        raise click.UsageError("Say --password-file, or set NDR_IMAP_PASSWORD.")
    return password


def _state_file(given: str | None) -> Path:
    folder = None if given else Settings.read(os.environ).data_dir
    if not (given or folder):
        raise click.UsageError("Say --state, or set NDR_DATA_DIR.")
    return Path(given) if given else Path(str(folder), "imap.sqlite")
