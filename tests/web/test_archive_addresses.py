"""Archives that callers name by address: only below the places that are listed."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.archive_sources import allowed_address
from service.errors import UnreadableArchive
from service.settings import Settings
from service.web.app import create_app
from service.wiring import Services

PATH = "/v1/archives"
MBOX = b"From - Mon Nov  2 10:14:07 2026\nFrom: mailer-daemon@example.com\n\n550 5.1.1 no\n"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Files that callers may name, beside some that they may not."""
    for name in ("in/a.mbox", "in/deep/b.mbox", "out/c.mbox", "in2/d.mbox"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(MBOX)
    (tmp_path / "in" / "empty").touch()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out" / "c.mbox")
    (tmp_path / "in" / "inner").symlink_to(tmp_path / "in" / "a.mbox")
    return tmp_path


@pytest.fixture
def near(shelf: Path, diagnoser: Any, orders: Any) -> FlaskClient:
    settings = Settings(data_dir=shelf / "data", archive_sources=(str(shelf / "in"),))
    return create_app(Services(settings, diagnoser, open_orders=lambda _: orders)).test_client()


def test_archives_that_lie_in_a_named_place_are_taken(near: FlaskClient, shelf: Path, orders: Any) -> None:
    addresses = [str(shelf / "in" / name) for name in ("a.mbox", "deep/b.mbox", "inner")]
    addresses += [f"file://{shelf}/in/a.mbox"]
    response = near.post(PATH, json={"addresses": addresses, "kind": "mbox", "show_addresses": True})
    (order,) = orders.orders.values()

    assert 202 == response.status_code
    assert ["a.mbox", "deep/b.mbox"] == [
        Path(each).relative_to(shelf / "in").as_posix() for each in order.wish.archives
    ]
    assert ("mbox", True, False) == (order.wish.kind, order.wish.show_addresses, order.wish.is_uploaded)
    assert str(shelf) not in response.text


@pytest.mark.parametrize(
    "address",
    [
        "{shelf}/out/c.mbox",
        "{shelf}/in2/d.mbox",
        "{shelf}/in/../out/c.mbox",
        "{shelf}/in/%2e%2e/out/c.mbox",
        "{shelf}/in/link",
        "{shelf}/in/nobody",
        "{shelf}/in/empty",
        "{shelf}/in/a.mbox\x00",
        "{shelf}/in/a.mbox::file:///etc/passwd",
        "file://{shelf}/in/%2e%2e/out/c.mbox",
        "file://elsewhere{shelf}/in/a.mbox",
        "in/a.mbox",
        "/etc/passwd",
        "http://127.0.0.1/in/a.mbox",
        "s3://bucket/a.mbox",
        "",
    ],
)
def test_any_other_address_is_refused(near: FlaskClient, shelf: Path, orders: Any, address: str) -> None:
    good = str(shelf / "in" / "a.mbox")
    response = near.post(PATH, json={"addresses": [good, address.format(shelf=shelf)]})

    assert (422, "#/addresses/1") == (response.status_code, response.json["errors"][0]["pointer"])
    assert {} == orders.orders


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("s3://bucket/in/a.mbox", True),
        ("s3://bucket/in/deep/a%20b.mbox", True),
        ("https://example.com/in/a.mbox", True),
        ("s3://bucket/in2/a.mbox", False),
        ("s3://other/in/a.mbox", False),
        ("s3://bucket/in/../a.mbox", False),
        ("s3://bucket/in/%252e%252e/a.mbox", False),
        ("https://example.com/in/..%2fa.mbox", False),
        ("https://example.com/in/a.mbox?next=/secret", False),
        ("https://example.com/in/a.mbox#x", False),
        ("https://user@example.com/in/a.mbox", False),
        ("https://example.com:8443/in/a.mbox", False),
        ("http://example.com/in/a.mbox", False),
        ("https://example.com/in\\..\\a.mbox", False),
        ("https://example.com//in/a.mbox", False),
        ("s3://bucket/in/*.mbox", False),
    ],
)
def test_an_address_in_a_store_lies_below_a_named_one(address: str, *, is_allowed: bool) -> None:
    sources = ("s3://bucket/in/", "https://example.com/in")
    if is_allowed:
        assert address == allowed_address(address, sources)
    else:
        with pytest.raises(UnreadableArchive):
            allowed_address(address, sources)


@pytest.mark.parametrize(
    "body",
    [{}, {"addresses": []}, {"addresses": ["a"] * 101}, {"addresses": [1]}, {"addresses": ["a"], "x": 1}, []],
)
def test_a_body_without_proper_addresses_is_refused(near: FlaskClient, body: Any) -> None:
    assert 422 == near.post(PATH, json=body).status_code


def test_addresses_are_refused_where_no_place_is_named(client: FlaskClient, shelf: Path) -> None:
    response = client.post(PATH, json={"addresses": [str(shelf / "in" / "a.mbox")]})

    assert 422 == response.status_code
    assert "NDR_ARCHIVE_SOURCES" in response.json["errors"][0]["detail"]
    assert 422 == client.post(f"{PATH}?name=x", json={"addresses": ["a"]}).status_code
