"""Results are stored whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from service.errors import SettingError
from service.gateways.stores import appended_to, chosen, delivered_to, line_of

ANSWER = {"kind": "bounce", "title": "邮箱已满", "text": "line one\nline two \ud800"}


def test_an_answer_is_one_line_of_utf_8() -> None:
    line = line_of(ANSWER)

    assert (1, True) == (line.count(b"\n"), line.endswith(b"\n"))
    assert "邮箱已满" in line.decode()


@pytest.mark.parametrize("written", [5, 0])
def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    file = tmp_path / "answers.ndjson"
    appended_to(str(file))(b"", ANSWER)
    before, real = file.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda handle, line: real(handle, line[:written]))

    with pytest.raises(OSError, match="room") as failure:
        appended_to(str(file))(b"", ANSWER)

    assert failure.value.errno == errno.ENOSPC
    assert before == file.read_bytes()


def test_a_delivery_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space"):
        delivered_to(str(tmp_path))(b"A: b\n\n", ANSWER)

    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_deliveries_have_names_of_their_own(tmp_path: Path) -> None:
    store = delivered_to(str(tmp_path))
    for _ in range(50):
        store(b"A: b\n\n", ANSWER)

    assert len(list((tmp_path / "new").iterdir())) == 50


def test_one_way_is_chosen() -> None:
    nothing = {"append": None, "maildir": None, "webhook": None, "environment": {}}

    assert chosen(**nothing) is None  # type: ignore[arg-type]
    assert chosen(**{**nothing, "append": "x"})  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="two of them"):
        chosen(**{**nothing, "append": "x", "maildir": "y"})  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["append", "maildir", "webhook"])
def test_an_empty_target_is_refused(target: str) -> None:
    given = {"append": None, "maildir": None, "webhook": None, target: ""}

    with pytest.raises(SettingError, match=f"--{target}=''"):
        chosen(**given, environment={})
