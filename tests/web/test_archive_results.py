"""What came of a job: its rows in three forms, and its report in two languages."""

import io
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from flask.testing import FlaskClient

from service.settings import Settings
from service.triage.job_folders import archives_root
from service.triage.order_store import store_of
from service.triage.orders import State
from service.triage.rows import SCHEMA
from service.triage.run import serially
from service.triage.runner import Runner
from service.triage.work import Options
from service.web.app import create_app
from service.web.results import policy_of
from service.wiring import Services

PATH = "/v1/archives"
REPLIES = (
    ("a", "550 5.1.1 <one@example.com>: User unknown"),
    ("b", "452 4.2.2 <two@example.com>: Mailbox full"),
    ("c", "550 5.1.1 <three@example.net>: User unknown"),
)
ARCHIVE = b"".join(orjson.dumps({"id": id_, "text": text}) + b"\n" for id_, text in REPLIES) + b"{broken\n"


def submit(client: FlaskClient, body: bytes = ARCHIVE, query: str = "", **how: Any) -> Any:
    given = {"content_type": "application/x-ndjson", **how}
    return client.post(f"{PATH}?{query}" if query else PATH, data=body, **given)


@pytest.fixture
def real(diagnoser: Any, tmp_path: Path) -> Iterator[tuple[FlaskClient, Callable[[], bool]]]:
    """The service with its real store, and one step of a runner."""
    settings = Settings(data_dir=tmp_path)
    runner = Runner(store_of(settings), archives_root(settings), Options(), serially)
    with create_app(Services(settings, diagnoser)).test_client() as client:
        yield client, runner.work_once


@pytest.fixture
def done(real: tuple[FlaskClient, Callable[[], bool]]) -> tuple[FlaskClient, Any]:
    """A job that has succeeded."""
    client, work_once = real
    job = submit(client, query="name=outage").json
    assert work_once()
    return client, job


@pytest.mark.parametrize("rest", ["results", "report"])
@pytest.mark.parametrize("state", [state for state in State if state is not State.SUCCEEDED])
def test_there_are_no_results_before_success(
    client: FlaskClient, orders: Any, state: State, rest: str
) -> None:
    job = submit(client).json
    orders.change(job["id"], state=state)
    response = client.get(job["links"][rest])

    assert (409, "urn:ndr-triage:problem:no-results") == (response.status_code, response.json["type"])


def test_a_queued_job_has_no_rows_for_those_who_ask_anyway(client: FlaskClient) -> None:
    job = submit(client).json
    response = client.get(job["links"]["results"] + "?partial=true")

    assert (200, b"") == (response.status_code, response.data)


def rows(client: FlaskClient, job: Any, query: str = "") -> list[Any]:
    response = client.get(f"{job['links']['results']}{query}")
    assert (200, "application/x-ndjson") == (response.status_code, response.content_type)
    return [json.loads(line) for line in response.data.splitlines()]


@pytest.mark.parametrize(
    ("query", "items"),
    [
        ("", ["a", "b", "c", None]),
        ("?category=mailbox_full", ["b"]),
        ("?category=mailbox_full,recipient_unknown", ["a", "b", "c"]),
        ("?kind=bounce&recipient_domain=example.net", ["c"]),
        ("?recipient_domain=example.com,example.net", ["a", "b", "c"]),
        ("?action=fix_recipient", ["a", "c"]),
        ("?errors=true", [None]),
        ("?errors=false", ["a", "b", "c"]),
        ("?recipient_domain=elsewhere.example", []),
    ],
)
def test_rows_are_those_that_are_wanted(
    done: tuple[FlaskClient, Any], query: str, items: list[str | None]
) -> None:
    found = [row["item"] if row["error"] is None else None for row in rows(*done, query)]

    assert items == found


@pytest.mark.parametrize("query", ["kind=letter", "category=x", "action=x", "errors=x", "x=1"])
def test_a_filter_that_is_none_is_refused(done: tuple[FlaskClient, Any], query: str) -> None:
    client, job = done

    assert 422 == client.get(f"{job['links']['results']}?{query}").status_code


def test_rows_come_in_three_forms(done: tuple[FlaskClient, Any]) -> None:
    client, job = done
    given = {
        media_type: client.get(job["links"]["results"], headers={"Accept": media_type})
        for media_type in ("application/x-ndjson", "text/csv", "application/vnd.apache.parquet")
    }
    lines, table, parquet = given.values()

    assert list(given) == [each.mimetype for each in given.values()]
    assert [column.name for column in SCHEMA] == table.text.splitlines()[0].split(",")
    assert [json.loads(line) for line in lines.data.splitlines()] == pq.read_table(
        io.BytesIO(parquet.data)
    ).to_pylist()
    assert f'attachment; filename="ndr-{job["id"]}.parquet"' == parquet.headers["Content-Disposition"]
    assert 406 == client.get(job["links"]["results"], headers={"Accept": "text/html"}).status_code
    parquet.close()


def test_a_damaged_part_has_a_status(done: tuple[FlaskClient, Any], tmp_path: Path) -> None:
    client, job = done
    for part in (tmp_path / "archives" / job["id"] / "parts").glob("*.parquet"):
        part.write_bytes(b"damaged")
    for media_type in ("application/x-ndjson", "text/csv", "application/vnd.apache.parquet"):
        response = client.get(job["links"]["results"], headers={"Accept": media_type})

        assert (422, "urn:ndr-triage:problem:unreadable-evidence") == (
            response.status_code,
            response.json["type"],
        )


@pytest.mark.parametrize(("asked", "language"), [("en", "en"), ("zh-CN", "zh"), ("fr", "en")])
def test_the_report_comes_in_the_language_asked_for(
    done: tuple[FlaskClient, Any], asked: str, language: str
) -> None:
    client, job = done
    response = client.get(job["links"]["report"], headers={"Accept-Language": asked})

    assert (200, "text/html; charset=utf-8", language) == (
        response.status_code,
        response.content_type,
        response.headers["Content-Language"],
    )
    assert f'lang="{"zh-CN" if language == "zh" else language}"' in response.text
    assert "outage" in response.text


def test_a_browser_runs_nothing_in_a_report_but_its_own_script(done: tuple[FlaskClient, Any]) -> None:
    client, job = done
    response = client.get(job["links"]["report"])
    policy = response.headers["Content-Security-Policy"]
    (script,) = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)

    assert "nosniff" == response.headers["X-Content-Type-Options"]
    assert f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert "sandbox allow-scripts;" in policy
    assert "script-src 'unsafe-inline'" not in policy


def test_only_the_last_script_of_a_page_may_run() -> None:
    own = "sha256-" + b64encode(sha256(b"own()").digest()).decode()

    assert policy_of(b"<script>evil()</script><script>own()</script>").endswith(f"script-src '{own}'")


def test_the_figures_of_a_report_are_json_where_asked(done: tuple[FlaskClient, Any]) -> None:
    client, job = done
    response = client.get(job["links"]["report"], headers={"Accept": "application/json"})

    assert ("application/json", 4) == (response.content_type, response.json["items"])


def test_a_report_that_is_gone_is_told(done: tuple[FlaskClient, Any], tmp_path: Path) -> None:
    client, job = done
    (tmp_path / "archives" / job["id"] / "report.en.html").unlink()

    assert 409 == client.get(job["links"]["report"]).status_code
