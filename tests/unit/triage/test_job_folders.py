"""A folder of a job is the same on disk and in a store: files appear whole, and failures tell no secrets."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from service.triage import folders
from service.triage.addresses import READ_AHEAD_BYTES
from service.triage.folders import Folder, folder_at, replaced


@pytest.fixture(params=["path", "file", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Folder]:
    if request.param != "memory":
        yield folder_at(f"file://{tmp_path}/job" if request.param == "file" else tmp_path / "job")
        return
    place = f"/{tmp_path.name}/job"
    yield folder_at(f"memory:/{place}")
    if MemoryFileSystem().exists(place):
        MemoryFileSystem().rm(place, recursive=True)


def written(folder: Folder, name: str, content: bytes) -> None:
    with folder.writing(name) as path:
        path.write_bytes(content)


def test_what_is_written_is_there(folder: Folder) -> None:
    folder.make("parts")
    for name in ("job.json", "parts/2.done", "parts/1.done"):
        written(folder, name, name.encode())

    assert folder.names() == ["job.json"]
    assert folder.names("parts") == ["1.done", "2.done"]
    assert folder.read("parts/1.done") == b"parts/1.done"
    assert folder.exists("job.json")
    assert not folder.exists("parts")
    assert not folder.exists("none")


def test_a_folder_that_is_not_there_is_empty(folder: Folder) -> None:
    assert folder.names() == folder.names("parts") == []
    assert not folder.exists("job.json")
    folder.sweep()
    folder.remove("job.json")
    folder.remove_all()


def test_a_file_takes_the_place_of_an_earlier_one_when_it_is_whole(folder: Folder) -> None:
    folder.make()
    written(folder, "a.csv", b"old")
    with folder.writing("a.csv") as path:
        path.write_bytes(b"new")
        assert path.suffix == ".csv"
        assert folder.read("a.csv") == b"old"
        assert folder.names() == ["a.csv"]

    assert folder.read("a.csv") == b"new"
    assert not path.exists()


def test_a_failure_on_the_way_leaves_the_earlier_file(folder: Folder) -> None:
    def failing() -> None:
        with folder.writing("a") as path:
            path.write_bytes(b"half")
            raise ConnectionError

    folder.make()
    written(folder, "a", b"old")
    with pytest.raises(ConnectionError):
        failing()

    assert folder.read("a") == b"old"
    assert folder.names() == ["a"]


@pytest.mark.parametrize("size", [10, READ_AHEAD_BYTES + 10])
def test_a_file_can_be_sought_in(folder: Folder, size: int) -> None:
    folder.make()
    written(folder, "a", bytes(size - 4) + b"tail")

    with folder.opened("a") as file:
        assert file.seek(-4, 2) == size - 4
        assert file.read() == b"tail"
        assert file.seek(2) == 2
        assert file.read(1) == b"\0"
        assert file.tell() == 3


def test_many_files_are_read_in_order_without_those_that_are_missing(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "READ_AT_ONCE", 2)
    folder.make()
    for name in ("a", "b", "c", "d"):
        written(folder, name, name.encode())

    assert list(folder.read_all(iter(("d", "none", "b", "a")))) == [("d", b"d"), ("b", b"b"), ("a", b"a")]
    assert list(folder.read_all(())) == []


@pytest.mark.parametrize("call", ["read", "opened"])
def test_a_missing_file_is_an_error_of_the_system(folder: Folder, call: str) -> None:
    folder.make()
    with pytest.raises(FileNotFoundError):
        folder.read("none") if call == "read" else folder.opened("none").__enter__()


def test_removing_leaves_nothing(folder: Folder) -> None:
    folder.make("parts")
    for name in ("a", "parts/b"):
        written(folder, name, b"1")
    folder.remove("a")
    assert folder.names() == []
    folder.remove_all()

    assert folder.names("parts") == []


def test_addresses_of_files_lie_below_that_of_the_folder(folder: Folder) -> None:
    assert folder.address_of("parts/a") == f"{folder.address}/parts/a"
    assert folder_at(folder.address) == folder


def test_a_folder_can_be_pickled(folder: Folder) -> None:
    assert pickle.loads(pickle.dumps(folder)) == folder  # noqa: S301  # our own


def test_sweeping_removes_only_what_was_not_finished(tmp_path: Path) -> None:
    folder = folder_at(tmp_path)
    folder.make("parts")
    for name in ("parts/a", "b"):
        written(folder, name, b"1")
    for place in (tmp_path, tmp_path / "parts"):
        (place / f".{'0' * 31}a.job.json").write_bytes(b"half")
    (tmp_path / ".hidden").write_bytes(b"")

    folder.sweep("parts")
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["a"]
    folder.sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "b", "parts"]


def test_two_who_write_the_same_file_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with replaced(target) as first, replaced(target) as second:
        first.write_text("first")
        second.write_text("second")

    assert target.read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("call", ["names", "exists", "read", "write", "make", "remove", "remove_all"])
def test_a_store_that_fails_is_an_error_that_tells_no_secret(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def __getattr__(self, name: str) -> object:
            if name == "invalidate_cache":
                return lambda: None
            raise RuntimeError("key=secret")

    monkeypatch.setattr(folders, "file_system", lambda _: (Failing(), "/a"))
    folder = folder_at("memory://user:secret@host/a")
    calls = {
        "names": folder.names,
        "exists": lambda: folder.exists("b"),
        "read": lambda: folder.read("b"),
        "write": lambda: written(folder, "b", b"1"),
        "make": folder.make,
        "remove": lambda: folder.remove("b"),
        "remove_all": folder.remove_all,
    }
    with pytest.raises(OSError, match="cannot be reached: RuntimeError") as caught:
        calls[call]()

    assert "secret" not in str(caught.value)
