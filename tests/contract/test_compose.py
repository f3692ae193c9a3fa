"""The compose file starts what there is, with settings that there are."""

import re
from pathlib import Path
from typing import Any

import pytest

from service.cli import ndr
from service.settings import unknown_names

yaml = pytest.importorskip("yaml", reason="needs the package pyyaml")

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
IGNORED = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
OURS = {name: each for name, each in SERVICES.items() if each["image"] == "ndr-triage"}


def test_the_service_and_runners_run_apart() -> None:
    assert {"web": ["serve"], "runner": ["runner"]} == {name: each["command"] for name, each in OURS.items()}
    assert {"serve", "runner"} <= set(ndr.commands)


def test_it_names_settings_that_there_are() -> None:
    names = {name: "" for each in OURS.values() for name in each["environment"]}

    assert names
    assert () == unknown_names(names)


def test_what_the_image_copies_is_not_ignored() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.M)
    kept = {line[1:].strip("/") for line in IGNORED if line.startswith("!")}

    assert {"requirements-image.lock", "model", "service"} <= set(copied)
    assert set(copied) <= kept
