"""``python -m training.lab --work DIR --out DIR``: repeats it all."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

import click

from model.errors import NdrError
from training.lab.run import run_lab

EX_UNAVAILABLE = 69


@click.command()
@click.option(
    "--work", required=True, type=click.Path(file_okay=False, path_type=Path), help="Scratch folder."
)
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Labelled directory."
)
@click.argument("systems", nargs=-1)
def main(work: Path, out: Path, systems: tuple[str, ...]) -> None:
    """Make genuine reports with real mail systems (all, or SYSTEMS); needs root, Debian and the network."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EX_UNAVAILABLE))  # boxes end with their exit
    try:
        counts = run_lab(work, out, systems)
    except NdrError as error:
        click.echo(f"lab: {error}", err=True)
        sys.exit(EX_UNAVAILABLE)
    for name, count in counts.items():
        click.echo(f"{name}: {count} reports")


if __name__ == "__main__":
    main()
