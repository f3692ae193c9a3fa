"""Writes the data card: what the training data holds, how it came about, and what it lacks.

``python -m training.datacard > training/data/README.md``
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from model.normalise import canonical
from model.providers import providers
from training.corpus import Item
from training.pages import percent, render
from training.sources import BLIND, RECOMBINED, TRAIN, labelled_texts, learnable, shipped_items
from training.templates import SLOT, Template, shipped_templates

TOP_PROVIDERS = 40
FEWEST = 3
GENERIC = "generic"

_VARYING = re.compile(r"_[a-z]+_|\d+")
_COMPOSED = re.compile(r"modelled|phrased|composed|locali[sz]ed|common wording|ordinary|close variant", re.I)
"""How a source says that the words were made in the manner of a system."""

_EASTERN = re.compile(r"[\u0400-\u04ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Cyrillic, and Chinese, Japanese and Korean script."""

Labels = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """Counts by a key, the largest first: name, a count a column, and the share of all."""

    title: str
    key: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...], float], ...]


def wording(text: str) -> str:
    """The words of a template without slots, digits and codes: what makes it distinct.

    >>> wording("550 5.1.1 <{addr}>: Mailbox {number} is unknown")
    'mailbox is unknown'
    """
    return " ".join(_VARYING.sub(" ", canonical(SLOT.sub(" ", text))).split())


def data_card() -> str:
    """The data card as Markdown."""
    templates, blind, lab = shipped_templates(), blind_items(), lab_labels()
    page = render(
        "datacard.md",
        **_about_all(lab),
        **_about(templates),
        **_about_blind(blind),
        tables=tuple(_tables(templates, blind, lab)),
        template_tables=tuple(_template_tables(templates)),
        lab_tables=tuple(_lab_tables(lab)),
        shown=_shown,
    )
    return re.sub(r"\n{3,}", "\n\n", page)


def blind_items() -> tuple[Item, ...]:
    """The texts that were written blind."""
    return tuple(item for name in BLIND for item in shipped_items("blind", name))


def lab_labels() -> tuple[dict[str, Any], ...]:
    """The labels of the kept lab reports."""
    path = files("training").joinpath("data", "lab", "labels.jsonl")
    return tuple(map(json.loads, path.read_text("utf-8").splitlines()))


def _about_all(lab: Labels) -> dict[str, object]:
    return {
        "learnable": f"{len(learnable(labelled_texts())):,}",
        "reports": f"{len(lab):,}",
        "lab_train": sum(_is_train(each) for each in lab),
        "lab_test": sum(not _is_train(each) for each in lab),
        "lab_hard": sum(_is_train(each) and each["hard"] for each in lab),
    }


def _about(templates: Sequence[Template]) -> dict[str, object]:
    rarest = Counter(template.category for template in templates).most_common()[-FEWEST:]
    known = {*providers().by_id, GENERIC}
    composed = sum(bool(_COMPOSED.search(template.source)) for template in templates)
    return {
        "templates": f"{len(templates):,}",
        "files": len({template.origin for template in templates}),
        "combined": f"{sum(template.origin in RECOMBINED for template in templates):,}",
        "distinct": f"{len({wording(template.text) for template in templates}):,}",
        "composed": f"{composed:,} of {len(templates):,} ({percent(composed / len(templates), 0)})",
        "ordinary": sum(template.kind == "not_ndr" for template in templates),
        "languages": len({template.language for template in templates}),
        "unlisted": len({template.provider for template in templates} - known),
        "fewest": ", ".join(f"`{category}` ({count})" for category, count in reversed(rarest)),
    }


def _about_blind(blind: Sequence[Item]) -> dict[str, object]:
    return {
        "blind": f"{len(blind):,}",
        "blind_eastern": sum(bool(_EASTERN.search(item.raw.decode())) for item in blind),
        "blind_open": sum(len(item.accept) > 1 for item in blind),
    }


def _tables(templates: Sequence[Template], blind: Sequence[Item], lab: Labels) -> Iterator[Table]:
    for key in ("category", "permanence"):
        parts = {
            "templates": _counted(templates, key),
            "blind": _counted(blind, key),
            "lab, train": Counter(each[key] for each in lab if _is_train(each)),
            "lab, test": Counter(each[key] for each in lab if not _is_train(each)),
        }
        yield _table(f"All by {key}", key, parts)


def _template_tables(templates: Sequence[Template]) -> Iterator[Table]:
    origins = Counter(f"{each.origin}.jsonl" for each in templates)
    yield _table("Templates by language", "language", {"count": _counted(templates, "language")})
    yield _table("Templates by origin", "file", {"count": origins})
    yield _table(
        "Templates by provider", "provider", {"count": _counted(templates, "provider")}, top=TOP_PROVIDERS
    )


def _lab_tables(lab: Labels) -> Iterator[Table]:
    yield _table("Reports by system", "system", {"count": Counter(each["system"] for each in lab)})


def _counted(texts: Iterable[Template | Item], key: str) -> Counter[str]:
    return Counter(str(getattr(each, key)) for each in texts)


def _is_train(label: Mapping[str, Any]) -> bool:
    return bool(label["split"] == TRAIN)


def _table(title: str, key: str, parts: Mapping[str, Counter[str]], *, top: int | None = None) -> Table:
    sums = sum(parts.values(), Counter[str]())
    ordered = sorted(sums, key=lambda name: (-sums[name], name))
    note = f"There are {len(ordered)}; these are the first {top}." if top else ""
    rows = (
        (name, tuple(part[name] for part in parts.values()), sums[name] / sums.total())
        for name in ordered[:top]
    )
    return Table(title, key, note, tuple(parts), tuple(rows))


def _shown(tables: Iterable[Table]) -> str:
    return "\n\n".join(map(_markdown, tables))


def _markdown(table: Table) -> str:
    heading = (f"### {table.title}", "", *((table.note, "") if table.note else ()))
    head = (_line(table.key, *table.columns, "share"), _line("---", *("--:" for _ in table.columns), "--:"))
    rows = (_line(name, *map(str, counts), percent(share)) for name, counts, share in table.rows)
    return "\n".join((*heading, *head, *rows))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(data_card())
