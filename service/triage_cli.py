"""``ndr triage``: the options of the command, which loads what it needs only when it is called."""

from __future__ import annotations

from pathlib import Path

import click

from model.languages import LANGUAGES
from service.triage.nouns import Kind


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The results; the name ends in .parquet, .csv or .ndjson.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page that sums them up.",
)
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes; as many as there are cores otherwise.")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Work on the cluster of this Dask scheduler; NDR_DASK_SCHEDULER otherwise.",
)
@click.option(
    "--work",
    metavar="DIR",
    help="Keep the work here; beside the results otherwise, until they are complete.",
)
@click.option("--resume", is_flag=True, help="Go on with what an earlier run left.")
@click.option(
    "--kind",
    type=click.Choice([each.value for each in Kind]),
    default=Kind.AUTO.value,
    help="What the paths are.",
)
@click.option("--column", metavar="NAME", help="The column of SMTP replies in a CSV.")
@click.option("--lang", type=click.Choice(LANGUAGES), help="Language of the report.")
@click.option("--show-addresses", is_flag=True, help="Show addresses in full in the report.")
def triage(
    paths: tuple[str, ...],
    *,
    out: Path,
    report: Path | None,
    jobs: int | None,
    scheduler: str | None,
    work: str | None,
    resume: bool,
    kind: str,
    column: str | None,
    lang: str | None,
    show_addresses: bool,
) -> int:
    """Diagnose archives of bounces: mbox, maildir, folders, zip, tar, NDJSON, CSV, logs, Outlook files.

    A path may be an address such as s3://bucket/file.mbox. The results have one row for each recipient.
    """
    from service.triage_command import Request, perform  # only this command needs pyarrow, rich and joblib

    return perform(
        Request(
            paths=paths,
            out=out,
            report=report,
            jobs=jobs,
            scheduler=scheduler,
            work=work,
            resume=resume,
            kind=Kind(kind),
            column=column,
            language=lang,
            show_addresses=show_addresses,
        )
    )
