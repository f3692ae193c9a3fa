"""The README's commands work as written, and its answer is the real one."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest

from service.cli import ndr
from training.cli import cli as ndr_train

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CONSOLE = re.compile(r"```console\n\$ (?P<command>.+)\n(?P<answer>(?:.|\n)+?)```")
SHELL = re.compile(r"```sh\n((?:.|\n)+?)```")
TOOL = re.compile(r"(?:^|[^\w-])(ndr(?:-train)?) ([^#\n]+)")
ADDRESS = "http://127.0.0.1:8080"
TOLERANCE = 0.1
"""A confidence moves a little when the classifier is trained anew."""

pytestmark = pytest.mark.e2e


CONSOLES = [(hit["command"], hit["answer"]) for hit in CONSOLE.finditer(README)]
TOOLS = [hit.groups() for block in SHELL.findall(README) for hit in TOOL.finditer(block)]
COMMANDS: dict[str, click.Command] = {"ndr": ndr, "ndr-train": ndr_train}


def unknown_words(tool: str, arguments: str) -> list[str]:
    """Commands and options that the tool does not have."""
    command, words = COMMANDS[tool], shlex.split(arguments)
    context = click.Context(command)
    while isinstance(command, click.Group):
        name = words.pop(0)
        found = command.get_command(context, name)
        if found is None:
            return [name]
        command = found
    options = {option for parameter in command.params for option in parameter.opts}
    return [word for word in words if word.startswith("--") and word not in options]


@pytest.mark.parametrize(("command", "answer"), CONSOLES)
def test_a_command_gives_the_answer_shown(command: str, answer: str, service: Any) -> None:
    words = [word.replace(ADDRESS, service.address) for word in shlex.split(command)]
    printed = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout

    assert pytest.approx(json.loads(answer), abs=TOLERANCE) == json.loads(printed)


def test_there_is_a_command_with_its_answer() -> None:
    assert CONSOLES


@pytest.mark.parametrize(("tool", "arguments"), TOOLS)
def test_a_tool_has_the_command_and_the_options_shown(tool: str, arguments: str) -> None:
    assert [] == unknown_words(tool, arguments)


@pytest.mark.parametrize(
    ("tool", "arguments", "unknown"),
    [
        ("ndr", "feedback teach ID", ["teach"]),
        ("ndr-train", "retrain FILE --into my-model", ["--into"]),
        ("ndr-train", "retrain FILE --out my-model", []),
    ],
)
def test_a_word_that_a_tool_does_not_have_is_found(tool: str, arguments: str, unknown: list[str]) -> None:
    assert unknown == unknown_words(tool, arguments)


def test_the_readme_shows_both_tools() -> None:
    assert set(COMMANDS) == {tool for tool, _ in TOOLS}


@pytest.mark.parametrize("target", re.findall(r"^    make (\w+)", README, re.M))
def test_a_make_target_exists(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True, timeout=30)  # noqa: S607


@pytest.mark.parametrize("page", re.findall(r"\]\(((?!http)[^)#]+)", README))
def test_a_link_leads_somewhere(page: str) -> None:
    assert (ROOT / page).exists()
