"""Where ``ndr`` begins: the command that is started for each mail runs without loading all the others."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line."""
    if sys.argv[1:2] == ["pipe"]:
        from service.gateways import pipe

        sys.exit(pipe.main())
    from service import cli

    cli.main()
