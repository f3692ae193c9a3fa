"""The README's commands work as written, and its answer is the real one."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CONSOLE = re.compile(r"```console\n\$ (?P<command>.+)\n(?P<answer>(?:.|\n)+?)```")
ADDRESS = "http://127.0.0.1:8080"

pytestmark = pytest.mark.e2e


CONSOLES = [(hit["command"], hit["answer"]) for hit in CONSOLE.finditer(README)]


@pytest.mark.parametrize(("command", "answer"), CONSOLES)
def test_a_command_gives_the_answer_shown(command: str, answer: str, service: Any) -> None:
    words = [word.replace(ADDRESS, service.address) for word in shlex.split(command)]
    printed = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout

    assert json.loads(answer) == json.loads(printed)


def test_there_is_a_command_with_its_answer() -> None:
    assert CONSOLES


@pytest.mark.parametrize("target", re.findall(r"^    make (\w+)", README, re.M))
def test_a_make_target_exists(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True, timeout=30)  # noqa: S607


@pytest.mark.parametrize("page", re.findall(r"\]\(((?!http)[^)#]+)", README))
def test_a_link_leads_somewhere(page: str) -> None:
    assert (ROOT / page).exists()
