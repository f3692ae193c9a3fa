"""A body that is not whole is an error, whole ones pass unchanged."""

from io import BytesIO

import pytest
from gunicorn.http.errors import InvalidChunkSize

from service.wsgi import CheckedInput


class BrokenChunks:
    def read(self, size: int) -> bytes:
        raise InvalidChunkSize(b"zz")


@pytest.mark.parametrize(("body", "announced"), [(b"", 0), (b"abc", 3), (b"abc", 0)])
def test_a_whole_body_passes(body: bytes, announced: int) -> None:
    checked = CheckedInput(BytesIO(body), announced)

    assert [body, b""] == [checked.read(10), checked.read(10)]


def test_a_body_that_broke_off_is_an_error() -> None:
    checked = CheckedInput(BytesIO(b"abc"), 5)

    assert b"abc" == checked.read(10)
    with pytest.raises(OSError, match="broke off"):
        checked.read(10)


def test_wrong_chunks_are_an_error() -> None:
    with pytest.raises(OSError, match="chunks"):
        CheckedInput(BrokenChunks(), 0).read(10)
