"""Places for orders: SQLite in a scratch folder, and PostgreSQL where it is installed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import postgresql


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    with ExitStack() as stack:
        try:
            running = stack.enter_context(postgresql.server())
        except postgresql.NotInstalled as missing:
            pytest.skip(str(missing))
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a store of orders lies: a folder, or an SQLAlchemy address."""
    if request.param == "sqlite":
        return tmp_path / "data"
    new: Callable[[], str] = request.getfixturevalue("postgresql_server").new_database
    return new()
