"""``ndr-train`` starts fast, and ends with one line and a code of sysexits."""

import os
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from training.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]
FIVE = ["clusters", "compare", "evaluate", "retrain", "train"]
USAGE = 2
LEARNING = ("sklearn", "scipy", "joblib")
RUN = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from training.cli import main
sys.argv = ["ndr-train", *{arguments!r}]
try:
    main()
finally:
    print("loaded:", *(name for name in {learning!r} if name in sys.modules), file=sys.stderr)
"""


def ndr_train(*arguments: str, missing: tuple[str, ...] = ()) -> CompletedProcess[str]:
    """The command in a process of its own, in which some libraries are not installed."""
    script = RUN.format(missing=missing, arguments=arguments, learning=LEARNING)
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture(scope="module")
def helped() -> CompletedProcess[str]:
    return ndr_train("--help")


def test_help_lists_the_five_commands(helped: CompletedProcess[str]) -> None:
    listed = [line.split()[0] for line in helped.stdout.partition("Commands:")[2].strip().splitlines()]

    assert (os.EX_OK, FIVE, FIVE) == (helped.returncode, listed, sorted(COMMANDS))


def test_help_loads_no_learning_library(helped: CompletedProcess[str]) -> None:
    assert "loaded:\n" == helped.stderr


def test_help_is_there_without_the_learning_libraries() -> None:
    ended = ndr_train("--help", missing=LEARNING)

    assert (os.EX_OK, "loaded:\n") == (ended.returncode, ended.stderr)


@pytest.mark.parametrize(
    ("command", "missing"), [("train", "sklearn"), ("compare", "joblib"), ("evaluate", "jinja2")]
)
def test_a_missing_library_is_named_with_the_extra_that_brings_it(command: str, missing: str) -> None:
    ended = ndr_train(command, "--help", missing=(missing,))

    assert os.EX_UNAVAILABLE == ended.returncode
    assert f"ndr-train: {missing} is missing; install ndr-triage[train]" == ended.stderr.splitlines()[0]


def test_a_command_runs_without_the_libraries_of_the_others() -> None:
    assert os.EX_OK == ndr_train("evaluate", "--help", missing=LEARNING).returncode


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A labelled folder whose second line is wrong."""
    right = '{"id": "a", "text": "550", "kind": "bounce", "category": "unknown", "permanence": "unknown"}'
    (tmp_path / "labels.jsonl").write_text(f"{right}\n{{}}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["bogus"], USAGE, "No such command 'bogus'"),
        (["evaluate"], USAGE, "Missing argument 'FOLDER'"),
        (["evaluate", "no/such/folder"], USAGE, "'no/such/folder' does not exist"),
        (["evaluate", __file__], USAGE, "is a file"),
        (["evaluate", "."], os.EX_DATAERR, "ndr-train: .: labels.jsonl: cannot be read\n"),
        (["evaluate", "lines"], os.EX_DATAERR, "labels.jsonl: line 2: KeyError"),
        (["clusters", "no/such/folder"], USAGE, "'no/such/folder' does not exist"),
        (
            ["retrain", "no/such/file", "--out", "out"],
            os.EX_DATAERR,
            "no/such/file: file: No such",
        ),
        (["train", "--jobs", "0"], USAGE, "0 is not in the range"),
    ],
)
def test_a_wrong_call_ends_with_its_code_and_reason(
    arguments: list[str],
    code: int,
    says: str,
    lines: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [str(lines) if each == "lines" else each for each in arguments]
    monkeypatch.setattr(sys, "argv", ["ndr-train", *given])

    with pytest.raises(SystemExit) as ended:
        main()
    assert (code, True) == (ended.value.code, says in capsys.readouterr().err)
