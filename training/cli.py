"""The console script ``ndr-train``."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from model.errors import NdrError

EX_UNAVAILABLE = 69
EX_DATAERR = 65
COMMANDS = {
    "clusters": ("training.clusters:clusters_command", "Show what stayed unknown, biggest clusters first."),
    "compare": ("training.compare:compare_command", "Compare ways to classify on the labelled texts."),
    "evaluate": ("training.scoring:evaluate_command", "Score labelled bounces."),
    "retrain": ("training.feedback:retrain_command", "Train on the shipped data and accepted corrections."),
    "train": ("training.artefact:train_command", "Train the shipped classifier anew."),
}
"""Name to place and purpose; a command is imported when called, as the learning libraries take seconds."""


class _Commands(click.Group):
    """Finds commands by the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The names with their purposes, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, purpose) for name, (_, purpose) in sorted(COMMANDS.items())])


@click.group(cls=_Commands)
@click.version_option(package_name="ndr-triage")
def cli() -> None:
    """Train the classifier, and measure how well bounces are diagnosed."""


def main() -> None:
    """Run the command line; a known failure is one line and a code of sysexits."""
    try:
        cli()
    except NdrError as error:
        click.echo(f"ndr-train: {error}", err=True)
        sys.exit(EX_DATAERR)
    except ModuleNotFoundError as error:
        click.echo(f"ndr-train: {error.name} is missing; install ndr-triage[train]", err=True)
        sys.exit(EX_UNAVAILABLE)
