"""The pages on ticketing systems are right: their examples can be read, and none is missing."""

import re
import textwrap
from pathlib import Path

import pytest

from service.ticketing.adapters import ADAPTERS
from service.ticketing.config import read_systems

PAGES = Path(__file__).parents[3] / "docs" / "ticketing"
_EXAMPLE = re.compile(r"^( *)```toml\n(.*?)^ *```", re.M | re.S)


@pytest.mark.parametrize("adapter", [each.name for each in ADAPTERS])
def test_each_system_has_a_page_whose_example_can_be_read(adapter: str, tmp_path: Path) -> None:
    examples = [found[2] for found in _EXAMPLE.finditer((PAGES / f"{adapter}.md").read_text("utf-8"))]
    assert examples
    for example in examples:
        file = tmp_path / "tickets.toml"
        file.write_text(re.sub(r'_file = "[^"]*"', '_env = "SHARED"', textwrap.dedent(example)), "utf-8")
        assert adapter in [system.adapter for system in read_systems(file, {"SHARED": "x"}).values()]
