"""``ndr pipe``: one mail from standard input is diagnosed and stored, or left to the mail system for later.

It is started once for each mail, so it loads little: not click, and no rules unless it works alone.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NoReturn

from service.errors import CallFailed, ServiceError
from service.gateways.asking import Answer, Diagnose, asker
from service.gateways.headers import FIELDS, headers_of, with_headers

MOST_MAIL_BYTES = 128 << 20
DESCRIPTION = "Diagnose the mail on standard input; for the pipes of Postfix, Exim, procmail and others."
EPILOG = (
    "Exit code 0: the mail is diagnosed and the result stored, or the mail holds nothing to diagnose and the"
    " result says so. 75: not now, so the mail system keeps the mail and tries again; a wrong option has this"
    " code too, so that it costs no mail."
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]  # it does not return
        """Ends with the code that makes mail systems keep the mail."""
        self.exit(os.EX_TEMPFAIL, f"ndr pipe: {message}\n")


def run() -> NoReturn:
    """Runs the command as the process was started, and ends with 0 or 75 whatever happens."""
    code = os.EX_TEMPFAIL
    try:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(os.EX_TEMPFAIL))
        code = main()
    except SystemExit as ending:  # of the parser
        code = os.EX_TEMPFAIL if ending.code else os.EX_OK
    except BaseException as error:  # noqa: BLE001  # any other exit code makes mail systems give the mail up
        _complain(type(error).__name__)
    finally:
        _end(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; its exit code.

    Args:
        arguments: what stands after ``ndr pipe``; by default what the process was started with.
    """
    options = _parser().parse_args(sys.argv[2:] if arguments is None else arguments)
    try:
        _handle(options)
    except (OSError, ServiceError, ValueError) as error:
        _complain((error.strerror if isinstance(error, OSError) else None) or str(error))
        return os.EX_TEMPFAIL
    except BaseException as error:  # noqa: BLE001  # any other exit code makes mail systems give the mail up
        _complain(type(error).__name__)
        return os.EX_TEMPFAIL
    return os.EX_OK


def _complain(text: str) -> None:
    """Says what is wrong, where anything listens."""
    with suppress(Exception):
        sys.stderr.write(f"ndr pipe: {text}\n")


def _end(code: int) -> NoReturn:
    """Ends at once: a stream that cannot be flushed would make Python end with a code of its own."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(code)


def _handle(options: argparse.Namespace) -> None:
    """Diagnoses the mail and stores the result.

    Raises:
        OSError: something cannot be read or written.
        ServiceError: the service cannot be reached, or a setting is wrong.
        ValueError: an option has a value that is not allowed.
    """
    raw = sys.stdin.buffer.read(MOST_MAIL_BYTES + 1)
    if len(raw) > MOST_MAIL_BYTES:
        raise CallFailed(f"the mail has more than {MOST_MAIL_BYTES} bytes")
    answer = _asker(options)(raw)
    if any(target is not None for target in (options.append, options.maildir, options.webhook)):
        _store(options, raw, answer)
        return
    sys.stdout.buffer.write(with_headers(raw, headers_of(answer)) if options.headers else _line(answer))
    sys.stdout.buffer.flush()


def _asker(options: argparse.Namespace) -> Diagnose:
    fields: Iterable[str] = filter(None, options.fields.split(","))
    if options.headers or options.maildir is not None:
        fields = FIELDS.values()
    elif options.webhook is not None:
        fields = ()
    return asker(
        local=options.local,
        url=options.url,
        key_file=options.key_file,
        timeout_s=options.timeout,
        language=options.lang,
        fields=fields,
    )


def _store(options: argparse.Namespace, raw: bytes, answer: Answer) -> None:
    from service.gateways.stores import chosen

    store = chosen(
        append=options.append, maildir=options.maildir, webhook=options.webhook, environment=os.environ
    )
    if store:
        store(raw, answer)


def _line(answer: Answer) -> bytes:
    from service.gateways.stores import line_of

    return line_of(answer)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ndr pipe", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False)
    parser.add_argument("--url", help="Address of the service; NDR_URL, or http://127.0.0.1:8080 otherwise.")
    parser.add_argument(
        "--key-file", metavar="FILE", help="File with the key; NDR_KEY_FILE, NDR_KEY otherwise."
    )
    parser.add_argument("--local", action="store_true", help="Diagnose here, without the service; slower.")
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="S", help="Seconds to wait for an answer."
    )
    parser.add_argument("--fields", default="", help="Names of the fields to print or append, by commas.")
    parser.add_argument("--lang", choices=("en", "zh"), help="Language of the answer.")
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "--json", action="store_true", help="Print the answer as a line of JSON; the default."
    )
    target.add_argument("--headers", action="store_true", help="Print the mail with X-NDR-* header fields.")
    target.add_argument("--append", metavar="FILE", help="Append the answer to FILE as a line of JSON.")
    target.add_argument(
        "--maildir", metavar="DIR", help="Deliver the mail with X-NDR-* header fields to DIR."
    )
    target.add_argument(
        "--webhook",
        metavar="URL",
        help="Send the answer to URL, signed with NDR_WEBHOOK_SECRET (or the file NDR_WEBHOOK_SECRET_FILE).",
    )
    return parser


if __name__ == "__main__":
    sys.argv.insert(1, "pipe")
    run()
