"""The command ``ndr-train evaluate``: scores on the screen, as a page, as JSON."""

from __future__ import annotations

from pathlib import Path

import click

from training.corpus import read_corpus
from training.evaluate import SURE, Evaluation, Mode, diagnoser_of, evaluate, faults
from training.report import Report, as_html, as_json

OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.command("evaluate")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--rules", "rules_dir", type=click.Path(path_type=Path), help="A folder of your own rules to add."
)
@click.option("--mode", type=click.Choice([*map(str, Mode)]), default="both", help="Which halves take part.")
@click.option("--html", "html_file", type=OUTPUT, help="Write a page with pictures; compares the halves.")
@click.option("--json", "json_file", type=OUTPUT, help="Write all figures as JSON; compares the halves.")
@click.option("--quiet", is_flag=True, help="Only the scores, not the list of wrong answers.")
def evaluate_command(
    folder: Path,
    rules_dir: Path | None,
    mode: str,
    html_file: Path | None,
    json_file: Path | None,
    quiet: bool,  # noqa: FBT001  # click's way
) -> None:
    """Score the labelled bounces in FOLDER (labels.jsonl and the files it names)."""
    report = _report(folder, rules_dir, Mode(mode), compare=bool(html_file or json_file))
    if html_file:
        html_file.write_text(as_html(report), "utf-8")
    if json_file:
        json_file.write_bytes(as_json(report))
    if not quiet:
        for outcome in report.evaluation.wrong():
            click.echo(f"{outcome.item.id}: {'; '.join(faults(outcome))}")
    click.echo(summary(report.evaluation))


def _report(folder: Path, rules_dir: Path | None, mode: Mode, *, compare: bool) -> Report:
    items = tuple(read_corpus(folder))
    modes = tuple(Mode) if compare and mode is Mode.BOTH else (mode,)
    evaluations = {each: evaluate(diagnoser_of(each, rules_dir), items) for each in modes}
    return Report(folder.resolve().name, evaluations[mode], mode, evaluations)


def summary(evaluation: Evaluation) -> str:
    """The scores, a line each."""
    return "\n".join(
        (
            f"category    {evaluation.category}",
            f"kind        {evaluation.kind}",
            f"recipients  {evaluation.recipients}",
            f"permanence  {evaluation.permanence}",
            f"sure ({SURE}) {evaluation.sure}, {evaluation.sure_share:.2%} of all",
            f"expected calibration error {evaluation.calibration_error:.3f}",
            f"Brier score {evaluation.brier:.3f}",
            f"macro F1    {evaluation.macro_f1:.3f}",
        )
    )
