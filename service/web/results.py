"""``/v1/archives/{id}/results`` and ``/report``: what came of a job, in the form that is asked for."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import orjson
from flask import Response, request

from service.allowance import allow_time
from service.archive_jobs import check_id
from service.errors import NoResults
from service.triage.folders import Folder
from service.web import errors
from service.web.archive_requests import ReportQuerySchema, ResultsQuerySchema
from service.web.archives import jobs
from service.web.description import LANGUAGE_PARAMETER, Blueprint
from service.web.negotiation import (
    CSV,
    HTML,
    JSON,
    NDJSON,
    PARQUET,
    asked_language,
    asked_media_type,
    services,
)

if TYPE_CHECKING:
    from service.triage.results import Wanted

blueprint = Blueprint("results", __name__, url_prefix="/v1", description="Fetch what came of a job.")

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-scripts; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""A report shows its styles, and nothing but its own script runs."""

BLOCK_BYTES = 1 << 18
_PROBLEMS = (
    *(errors.UNAUTHORIZED, errors.NOT_FOUND, errors.NOT_ACCEPTABLE, errors.NO_RESULTS),
    *(errors.INTERNAL, errors.STORE_UNAVAILABLE),
)
_DISPOSITION = {"Content-Disposition": {"description": "A name to save it by.", "schema": {"type": "string"}}}
_LANGUAGE = {"Content-Language": {"description": "`en` or `zh`.", "schema": {"type": "string"}}}


@blueprint.operation(
    "/archives/<job_id>/results",
    query=ResultsQuerySchema,
    answer=None,
    media_type=NDJSON,
    alternatives=(CSV, PARQUET),
    headers=_DISPOSITION,
    problems=(*_PROBLEMS, errors.INVALID, errors.UNREADABLE, errors.BUSY),
)
def results(query: Mapping[str, Any], job_id: str) -> Response:
    """Fetch the rows of a job, one for each recipient; `docs/triage-columns.md` tells the columns.

    They come as lines of JSON, or as `text/csv` or `application/vnd.apache.parquet` where `Accept` says so.
    A failure in the middle is the last line of NDJSON; otherwise the answer breaks off.
    """
    media_type = asked_media_type(*WRITERS)
    suffix, write = WRITERS[media_type]
    allow_time(request.environ, services().settings.upload_timeout_s)
    folder = jobs().with_results(check_id(job_id), partial=query["partial_"])
    response = write(folder, _wanted(query))
    response.content_type = media_type
    response.headers["Content-Disposition"] = f'attachment; filename="ndr-{job_id}.{suffix}"'
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept")
    return response


@blueprint.operation(
    "/archives/<job_id>/report",
    answer=None,
    media_type=HTML,
    alternatives=(JSON,),
    headers=_LANGUAGE,
    problems=(*_PROBLEMS, errors.INVALID),
    parameters=[LANGUAGE_PARAMETER],
    query=ReportQuerySchema,
)
def report(query: Mapping[str, Any], job_id: str) -> Response:
    """Fetch the page that sums a job up, or its figures as JSON."""
    from service.triage.order_work import REPORT_JSON, REPORT_PAGE  # pyarrow only where there are jobs

    media_type, language = asked_media_type(HTML, JSON), query.get("lang") or asked_language()
    name = REPORT_JSON if media_type == JSON else REPORT_PAGE.format(language=language)
    try:
        content = jobs().with_results(check_id(job_id), partial=False).read(name)
    except FileNotFoundError:
        raise NoResults("The job has no report any more.") from None
    response = Response(content, content_type=media_type)
    if media_type == HTML:
        response.content_type = f"{HTML}; charset=utf-8"
        response.headers["Content-Security-Policy"] = policy_of(content)
        response.content_language.add(language)
    response.headers["Cache-Control"] = "no-store"
    response.vary.update(("Accept", "Accept-Language"))
    return response


def policy_of(page: bytes) -> str:
    """What a report may do in a browser: show its styles and run its own script, and nothing else.

    The script is the last one: whatever came into the page before it does not run.
    """
    script = page.rpartition(b"<script>")[2].partition(b"</script>")[0]
    digest = b64encode(sha256(re.sub(rb"\r\n?", b"\n", script)).digest()).decode()
    return f"{POLICY}; script-src 'sha256-{digest}'"


def _wanted(query: Mapping[str, Any]) -> Wanted:
    from service.triage.results import Wanted

    columns = ("kind", "category", "action", "recipient_domain")
    return Wanted(**{name: tuple(query.get(name, ())) for name in columns}, has_error=query.get("errors"))


def _as_ndjson(folder: Folder, wanted: Wanted) -> Response:
    from service.triage.results import rows_as_ndjson

    rows = _begun(rows_as_ndjson(folder, wanted))
    return Response(_with_last_line(rows))


def _as_csv(folder: Folder, wanted: Wanted) -> Response:
    from service.triage.results import rows_as_csv

    return Response(_begun(rows_as_csv(folder, wanted)))


def _as_parquet(folder: Folder, wanted: Wanted) -> Response:
    """Parquet ends with its table of contents, so it is written before it is sent."""
    from service.triage.results import write_rows

    held = TemporaryDirectory(prefix="ndr-")
    try:
        file = Path(held.name, "rows.parquet")
        write_rows(folder, file, wanted)
        response = Response(_blocks_of(file))
        response.content_length = file.stat().st_size
    except BaseException:
        held.cleanup()
        raise
    response.call_on_close(held.cleanup)
    return response


WRITERS: Mapping[str, tuple[str, Callable[[Folder, Wanted], Response]]] = {
    NDJSON: ("ndjson", _as_ndjson),
    CSV: ("csv", _as_csv),
    PARQUET: ("parquet", _as_parquet),
}
"""The forms that rows are given in; the first where the caller does not say."""


def _begun(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks, the first two of them at hand, so that what fails at once still has a status.

    The first block of CSV is its header, which nothing can fail.
    """
    first = list(islice(blocks, 2))
    return chain(first, blocks)


def _with_last_line(blocks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from blocks
    except Exception as error:  # noqa: BLE001  # the status is sent; what is left is a line
        yield orjson.dumps(errors.problem_of(error), option=orjson.OPT_APPEND_NEWLINE)


def _blocks_of(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block
