"""Where ``ndr`` begins: the command that is started for each mail runs without loading all the others."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def main() -> None:
    """Runs the command line."""
    if sys.argv[1:2] == ["pipe"]:
        _pipe()
    from service import cli

    cli.main()


def _pipe() -> None:
    """Ends the process, also when a module is missing or broken, so that the mail system keeps the mail."""
    try:
        from service.gateways import pipe
    except BaseException as error:  # noqa: BLE001  # any other exit code makes mail systems give the mail up
        with suppress(Exception):
            sys.stderr.write(f"ndr pipe: {type(error).__name__}: {error}\n")
        os._exit(os.EX_TEMPFAIL)
    pipe.run()
