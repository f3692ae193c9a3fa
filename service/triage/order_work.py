"""Does what an order asks for: triages its archives in its folder, and writes the reports there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from model.languages import LANGUAGES
from service.clock import in_short
from service.errors import JobRefused
from service.triage import parts
from service.triage.brake import Brake
from service.triage.chunk_size import chunk_bytes_for
from service.triage.folders import Folder
from service.triage.job_folders import JOB
from service.triage.lease import Lease
from service.triage.nouns import Execute
from service.triage.orders import Wish
from service.triage.report import About, as_html, rows_of_parts, versions_of
from service.triage.run import Job, prepare, run
from service.triage.summary import summarise, summary_json
from service.triage.work import Options, make_room

REPORT_JSON = "report.json"
REPORT_PAGE = "report.{language}.html"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OrderWork:
    """The work on an order; done again, it goes on with what is there.

    Args:
        wish: what was asked for.
        folder: of the job.
        options: what decides on the rows, beside what the wish says.
        execute: how chunks are run.
    """

    wish: Wish
    folder: Folder
    options: Options
    execute: Execute

    def perform(self, lease: Lease, clock: Callable[[], datetime]) -> None:
        """Triages the archives as long as the lease is held, then writes the reports.

        Raises:
            Halted: the lease was lost, or the runner is to end.
            JobRefused: workers died over and over.
            UnreadableArchive: a part of the results is damaged.
            OSError: an archive is not there or cannot be reached, or the folder cannot be written.
        """
        lease.check()
        wish = self.wish
        size = chunk_bytes_for(wish.archives)
        options = replace(self.options, kind=wish.kind, column=wish.column, chunk_bytes=size)
        brake = Brake(self.folder)
        job = replace(prepared(self.folder, wish.archives, options), brake=brake)
        if wish.is_uploaded:
            job = replace(job, names=dict.fromkeys(wish.archives, wish.name))
        lease.count(job.chunks, parts.finished(self.folder))
        lease.count(job.chunks, run(job, lease.guarded(self.execute, brake), lease.add))
        lease.check()
        self._report(job, clock())

    def _report(self, job: Job, now: datetime) -> None:
        """Writes a page in each language, and their figures as JSON."""
        about = About(self.wish.name, in_short(now), versions_of(job.options.diagnoser()))
        make_room()
        summary = summarise(rows_of_parts(job.folder), show_addresses=self.wish.show_addresses)
        self._write(REPORT_JSON, summary_json(summary))
        for language in LANGUAGES:
            page = as_html(summary, language, about)
            self._write(REPORT_PAGE.format(language=language), page.encode())

    def _write(self, name: str, content: bytes) -> None:
        with self.folder.writing(name) as path:
            path.write_bytes(content)


def prepared(folder: Folder, archives: tuple[str, ...], options: Options) -> Job:
    """A job, planned in its folder; what was begun there goes on, or begins anew where it cannot.

    It cannot after an upgrade, or where the rules or the archives changed since.

    Raises:
        JobRefused: somebody else begins another job there at the same time.
        OSError: an archive is not there, or the folder cannot be written.
    """
    try:
        return prepare(folder, archives, options)
    except JobRefused as refusal:
        _log.info("job_begun_anew", reason=str(refusal))
    for name in folder.names(parts.PARTS):
        folder.remove(f"{parts.PARTS}/{name}")
    folder.remove(JOB)  # the last, so that after a kill in between it is refused again
    return prepare(folder, archives, options)
