"""Functions and modules stay short, and everything public is explained and annotated."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for name in ("model", "service", "training") for path in (ROOT / name).rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """Lines of a function without its decorators and docstring."""
    docstring = function.body[0] if ast.get_docstring(function, clean=False) is not None else None
    hidden = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - hidden


TREES = {path.relative_to(ROOT): ast.parse(path.read_text()) for path in MODULES}
LENGTHS = {
    f"{path}:{function.name}": length(function)
    for path, tree in TREES.items()
    for function in functions(tree)
}
MODULE_LENGTHS = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in MODULES}


def test_functions_are_short() -> None:
    lengths = sorted(LENGTHS.values())

    assert statistics.median(lengths) <= 6
    assert lengths[int(len(lengths) * 0.9)] <= 20


def test_no_function_is_longer_than_50_lines() -> None:
    assert {} == {name: lines for name, lines in LENGTHS.items() if lines > 50}


def test_modules_are_short() -> None:
    assert statistics.median(MODULE_LENGTHS.values()) <= 150


def test_no_module_is_longer_than_400_lines() -> None:
    assert {} == {path: lines for path, lines in MODULE_LENGTHS.items() if lines > 400}


@pytest.mark.parametrize("path", TREES, ids=str)
def test_a_module_opens_with_one_sentence(path: Path) -> None:
    docstring = ast.get_docstring(TREES[path]) or ""

    assert docstring.split("\n\n")[0].rstrip().endswith((".", ":"))


@pytest.mark.parametrize("path", TREES, ids=str)
def test_everything_public_has_a_docstring(path: Path) -> None:
    public = (
        node
        for node in ast.walk(TREES[path])
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
    )
    nested = {
        inner for function in functions(TREES[path]) for inner in ast.walk(function) if inner is not function
    }

    assert [] == [node.name for node in public if node not in nested and ast.get_docstring(node) is None]


@pytest.mark.parametrize("path", TREES, ids=str)
def test_every_function_is_annotated(path: Path) -> None:
    bare = [function.name for function in functions(TREES[path]) if function.returns is None]

    assert [] == bare
