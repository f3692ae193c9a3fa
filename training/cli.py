"""The console script ``ndr-train``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from model.errors import NdrError
from model.pipeline import build_diagnoser
from training.corpus import read_corpus
from training.evaluate import Evaluation, evaluate, faults

EX_DATAERR = 65


@click.group()
@click.version_option(package_name="ndr-triage")
def cli() -> None:
    """Measure how well bounces are diagnosed."""


@cli.command("evaluate")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--rules", "rules_dir", type=click.Path(path_type=Path), help="A folder of your own rules to add."
)
@click.option("--quiet", is_flag=True, help="Only the scores, not the list of wrong answers.")
def evaluate_command(folder: Path, rules_dir: Path | None, quiet: bool) -> None:  # noqa: FBT001  # click's way
    """Score the labelled bounces in FOLDER (labels.jsonl and the files it names)."""
    evaluation = evaluate(build_diagnoser(rules_dir), read_corpus(folder))
    if not quiet:
        for outcome in evaluation.wrong():
            click.echo(f"{outcome.item.id}: {'; '.join(faults(outcome))}")
    click.echo(summary(evaluation))


def summary(evaluation: Evaluation) -> str:
    """The scores, a line each."""
    return "\n".join(
        (
            f"category    {evaluation.category}",
            f"kind        {evaluation.kind}",
            f"recipients  {evaluation.recipients}",
            f"permanence  {evaluation.permanence}",
            f"expected calibration error {evaluation.calibration_error:.3f}",
        )
    )


def main() -> None:
    """Run the command line; a known failure is one line and exit code 65."""
    try:
        cli()
    except NdrError as error:
        click.echo(f"ndr-train: {error}", err=True)
        sys.exit(EX_DATAERR)
