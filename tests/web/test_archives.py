"""Archives as jobs: taken, told of, stopped and deleted."""

import gzip
import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient

from service.settings import Settings
from service.triage.job_folders import archives_root
from service.triage.order_store import store_of
from service.triage.orders import Standing, State
from service.triage.run import serially
from service.triage.runner import Runner
from service.triage.work import Options
from service.web.app import create_app
from service.web.archive_schemas import JobSchema, JobsSchema
from service.wiring import Services

PATH = "/v1/archives"
REPLIES = (
    ("a", "550 5.1.1 <one@example.com>: User unknown"),
    ("b", "452 4.2.2 <two@example.com>: Mailbox full"),
    ("c", "550 5.1.1 <three@example.net>: User unknown"),
)
ARCHIVE = b"".join(orjson.dumps({"id": id_, "text": text}) + b"\n" for id_, text in REPLIES) + b"{broken\n"
MBOX = b"From - Mon Nov  2 10:14:07 2026\nFrom: mailer-daemon@example.com\n\n550 5.1.1 no\n"


def submit(client: FlaskClient, body: bytes = ARCHIVE, query: str = "", **how: Any) -> Any:
    given = {"content_type": "application/x-ndjson", **how}
    return client.post(f"{PATH}?{query}" if query else PATH, data=body, **given)


def kept(settings: Settings) -> list[str]:
    root = Path(archives_root(settings))
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*")) if root.exists() else []


def test_an_archive_is_taken_as_a_job(client: FlaskClient, orders: Any, settings: Settings) -> None:
    response = submit(client, query="name=outage&column=2&show_addresses=true")
    (order,) = orders.orders.values()

    assert (202, {}) == (response.status_code, JobSchema().validate(response.json))
    assert f"{PATH}/{order.wish.id}" == response.headers["Location"] == response.json["links"]["self"]
    assert "1" == response.headers["Retry-After"]
    assert re.fullmatch(r"[0-9a-f]{32}", order.wish.id)
    assert ("outage", "2", True, True) == (
        order.wish.name,
        order.wish.column,
        order.wish.show_addresses,
        order.wish.is_uploaded,
    )
    assert ARCHIVE == Path(order.wish.archives[0]).read_bytes()
    assert [order.wish.id, f"{order.wish.id}/archive"] == kept(settings)


@pytest.mark.parametrize(
    "media_type", ["application/octet-stream", "application/mbox", "application/zip", ""]
)
def test_any_media_type_is_an_archive(client: FlaskClient, media_type: str) -> None:
    assert 202 == submit(client, MBOX, content_type=media_type).status_code


def test_a_packed_body_is_stored_as_it_is(client: FlaskClient, orders: Any) -> None:
    packed = gzip.compress(ARCHIVE)
    response = submit(client, packed, headers={"Content-Encoding": "gzip"})

    assert 202 == response.status_code
    assert packed == Path(next(iter(orders.orders.values())).wish.archives[0]).read_bytes()


@pytest.mark.parametrize(
    ("given", "known_by"),
    [
        ("bounces.mbox", "bounces.mbox"),
        ("../../etc/passwd", "passwd"),
        ("a\x07b" * 200, ("ab" * 200)[:200]),
    ],
)
def test_a_file_of_a_form_is_an_archive_and_its_name_no_path(
    client: FlaskClient, orders: Any, settings: Settings, given: str, known_by: str
) -> None:
    response = client.post(PATH, data={"file": (io.BytesIO(MBOX), given)})
    (order,) = orders.orders.values()

    assert (202, known_by) == (response.status_code, response.json["name"])
    assert MBOX == Path(order.wish.archives[0]).read_bytes()
    assert [order.wish.id, f"{order.wish.id}/archive"] == kept(settings)


def test_a_file_of_a_form_may_be_larger_than_what_is_held(
    diagnoser: Any, orders: Any, tmp_path: Path
) -> None:
    wired = Services(Settings(data_dir=tmp_path), diagnoser, open_orders=lambda _: orders)
    file = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + MBOX * 80_000
    form = {"data": file + b"\r\n--x--\r\n", "content_type": "multipart/form-data; boundary=x"}
    response = create_app(wired).test_client().post(PATH, **form)
    (order,) = orders.orders.values()

    assert 202 == response.status_code
    assert len(MBOX) * 80_000 == Path(order.wish.archives[0]).stat().st_size > 5 << 20


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"data": b"", "content_type": "application/mbox"}, 422),
        ({"data": b" \r\n", "content_type": "application/mbox"}, 422),
        ({"data": b"GIF89a no archive", "content_type": "application/mbox"}, 422),
        ({"data": b"", "query_string": "kind=mbox"}, 422),
        ({"data": MBOX, "query_string": "kind=letter"}, 422),
        ({"data": MBOX, "query_string": "kind=zip"}, 422),
        ({"data": ARCHIVE, "query_string": "kind=mbox"}, 422),
        ({"data": MBOX, "query_string": "kind=folder"}, 422),
        ({"data": MBOX, "query_string": "colour=red"}, 422),
        ({"data": MBOX, "query_string": f"name={'x' * 201}"}, 422),
        ({"data": MBOX * 20_000, "content_type": "application/mbox"}, 413),
        ({"data": MBOX, "headers": {"Content-Encoding": "br"}}, 415),
        ({"data": MBOX, "headers": {"Idempotency-Key": ""}}, 422),
        ({"data": MBOX, "headers": {"Accept": "text/csv"}}, 406),
        ({"data": {"file": (io.BytesIO(b""), "empty")}}, 422),
        ({"data": {"note": "no file"}}, 422),
        ({"data": {"file": [(io.BytesIO(MBOX), "a"), (io.BytesIO(MBOX), "b")]}}, 422),
        ({"data": {"file": (io.BytesIO(MBOX), "a"), "kind": "mbox"}}, 422),
        ({"data": b"--x\r\nbroken", "content_type": "multipart/form-data; boundary=x"}, 400),
        ({"data": MBOX, "content_type": "multipart/form-data"}, 400),
    ],
)
def test_what_is_refused_leaves_nothing(
    client: FlaskClient, orders: Any, settings: Settings, request_: dict[str, Any], status: int
) -> None:
    response = client.post(PATH, **request_)

    assert (status, "application/problem+json") == (response.status_code, response.content_type)
    assert ({}, []) == (orders.orders, kept(settings))
    assert str(settings.data_dir) not in response.text


def test_an_upload_that_breaks_off_leaves_nothing(
    client: FlaskClient, orders: Any, settings: Settings
) -> None:
    class Broken:
        parts = iter((ARCHIVE,))

        def read(self, _size: int = -1) -> bytes:
            if part := next(self.parts, b""):
                return part
            raise OSError("the body broke off")

    response = client.post(
        PATH, environ_overrides={"wsgi.input": Broken(), "CONTENT_LENGTH": "1000"}, content_type="a/b"
    )

    assert 400 == response.status_code
    assert ({}, []) == (orders.orders, kept(settings))


def test_a_key_makes_an_upload_count_once(client: FlaskClient, orders: Any, settings: Settings) -> None:
    key = {"Idempotency-Key": "ticket-1"}
    first, again = submit(client, headers=key), submit(client, headers=key)
    other, otherwise = submit(client, MBOX, headers=key), submit(client, query="name=b", headers=key)

    assert (202, first.json["id"]) == (again.status_code, again.json["id"])
    assert [422, 422] == [other.status_code, otherwise.status_code]
    assert [first.json["id"], f"{first.json['id']}/archive"] == kept(settings)


def test_without_a_place_for_archives_nothing_is_taken(diagnoser: Any, orders: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for data_dir in (None, tmp_path / "file"):
        wired = Services(Settings(data_dir=data_dir), diagnoser, open_orders=lambda _: orders)
        assert 503 == submit(create_app(wired).test_client()).status_code
        assert {} == orders.orders


def test_jobs_are_listed_newest_first(client: FlaskClient) -> None:
    ids = [submit(client).json["id"] for _ in range(3)]
    response = client.get(f"{PATH}?limit=2")

    assert {} == JobsSchema().validate(response.json)
    assert [ids[2], ids[1]] == [job["id"] for job in response.json["jobs"]]
    assert [422] * 3 == [
        client.get(f"{PATH}?{query}").status_code for query in ("limit=0", "limit=101", "x=1")
    ]


def test_a_running_job_tells_how_far_it_is(client: FlaskClient, orders: Any) -> None:
    job = submit(client).json
    standing = Standing(
        chunks=8, chunks_done=2, items=100, rows=110, errors=3, read_bytes=5000, worked_s=20.0
    )
    orders.change(job["id"], state=State.RUNNING, standing=standing)
    response = client.get(job["links"]["self"])

    assert ("running", 0.25, 5.0, 60.0) == (
        response.json["state"],
        *(response.json["progress"][name] for name in ("share", "items_per_s", "seconds_left")),
    )
    assert ("15", {}) == (response.headers["Retry-After"], JobSchema().validate(response.json))


@pytest.mark.parametrize("state", [state for state in State if state.is_end])
def test_an_end_is_told_without_a_call_to_come_back(client: FlaskClient, orders: Any, state: State) -> None:
    job = submit(client).json
    at = orders.get(job["id"]).created_at
    orders.change(job["id"], state=state, finished_at=at, expires_at=at + timedelta(days=7), reason="why")
    response = client.get(job["links"]["self"])

    assert (state, "why", "2026-11-09T10:14:07Z") == tuple(
        response.json[name] for name in ("state", "reason", "expires_at")
    )
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize("job_id", ["0" * 32, "0" * 31, "A" * 32, "..", "%2e%2e", "x" * 500, "0" * 31 + "g"])
@pytest.mark.parametrize(
    ("method", "rest"),
    [("GET", ""), ("DELETE", ""), ("GET", "/results"), ("GET", "/report"), ("POST", "/cancel")],
)
def test_a_job_nobody_knows_is_a_404(client: FlaskClient, method: str, rest: str, job_id: str) -> None:
    assert 404 == client.open(f"{PATH}/{job_id}{rest}", method=method).status_code


def test_a_job_is_stopped_and_then_deleted(client: FlaskClient, settings: Settings) -> None:
    job = submit(client).json
    early = client.delete(job["links"]["self"])
    stopped = client.post(job["links"]["cancel"])
    deleted = client.delete(job["links"]["self"])

    assert (409, "urn:ndr-triage:problem:still-running") == (early.status_code, early.json["type"])
    assert (200, "cancelled") == (stopped.status_code, stopped.json["state"])
    assert (204, b"", []) == (deleted.status_code, deleted.data, kept(settings))
    assert 404 == client.get(job["links"]["self"]).status_code


@pytest.fixture
def real(diagnoser: Any, tmp_path: Path) -> Iterator[tuple[FlaskClient, Callable[[], bool]]]:
    """The service with its real store, and one step of a runner."""
    settings = Settings(data_dir=tmp_path)
    runner = Runner(store_of(settings), archives_root(settings), Options(), serially)
    with create_app(Services(settings, diagnoser)).test_client() as client:
        yield client, runner.work_once


def test_a_job_goes_from_its_upload_to_its_end(
    real: tuple[FlaskClient, Callable[[], bool]], tmp_path: Path
) -> None:
    client, work_once = real
    job = submit(client).json
    assert "queued" == client.get(job["links"]["self"]).json["state"]
    assert work_once()
    ended = client.get(job["links"]["self"]).json

    assert ("succeeded", 1.0, 4, 1) == (
        ended["state"],
        *(ended["progress"][name] for name in ("share", "items", "errors")),
    )
    assert {} == JobSchema().validate(ended)
    assert 204 == client.delete(job["links"]["self"]).status_code
    assert [] == list((tmp_path / "archives").iterdir())
    assert [] == client.get(PATH).json["jobs"]


def test_a_stopped_job_is_not_worked_on(real: tuple[FlaskClient, Callable[[], bool]]) -> None:
    client, work_once = real
    job = submit(client).json
    client.post(job["links"]["cancel"])

    assert not work_once()


def test_the_log_tells_no_name_of_an_archive(client: FlaskClient, log: Any) -> None:
    client.post(f"{PATH}?name=markername", data={"file": (io.BytesIO(MBOX), "marker.mbox")})
    client.post(PATH, json={"addresses": ["/marker/a.mbox"]})

    assert log.entries
    assert "marker" not in log.text


def test_a_job_whose_order_fails_keeps_no_upload(
    settings: Settings, orders: Any, client: FlaskClient
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError

    orders.add = fail

    assert 500 == submit(client).status_code
    assert [] == kept(settings)
