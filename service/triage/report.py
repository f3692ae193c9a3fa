"""Makes the report on an archive: a self-contained page in English or Chinese, or JSON.

The page loads nothing from elsewhere; its script sorts tables and can be missed. Same rows, same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from model.errors import UnknownName
from model.knowledge import knowledge
from model.languages import LANGUAGES
from model.providers import providers
from model.resources import read_toml
from model.taxonomy import taxonomy
from model.types import Cause, Permanence
from service.svg_parts import clean
from service.text_answer import Labels, labels
from service.triage.counting import Named, Ranking, Timeline
from service.triage.folders import Folder, replaced
from service.triage.nouns import Row
from service.triage.report_charts import Bar, bars_svg, columns_svg, shown_time
from service.triage.results import Wanted, batches
from service.triage.summary import CauseLine, Summary, summarise, summary_json
from service.version import VERSION
from service.wiring import Diagnoser

SHOWN = 20
"""So many names of a ranking stand on the page; JSON has more."""

OPEN_CAUSES = 8
_TEXT, _CODE = Markup("{}"), Markup("<code>{}</code>")
_TAGS = {"zh": "zh-CN"}
_LOOKS = {
    Permanence.PERMANENT.value: "permanent",
    Permanence.TEMPORARY.value: "temporary",
    Permanence.UNKNOWN.value: "vague",
}


def _shipped() -> dict[str, str]:
    return {"product": VERSION, "taxonomy": str(taxonomy().version)}


@dataclass(frozen=True, slots=True)
class About:
    """What stands at the head of a report.

    Args:
        title: what was read; the names of the archives where it is empty.
        made_at: when, for people; nobody asks a clock here.
        versions: of ``product``, ``taxonomy``, ``rules`` and ``model``.
    """

    title: str = ""
    made_at: str = ""
    versions: Mapping[str, str] = field(default_factory=_shipped)


def versions_of(diagnoser: Diagnoser) -> dict[str, str]:
    """The versions of what made a report."""
    versions = _shipped() | {"rules": diagnoser.rules_version}
    return versions | ({"model": diagnoser.model_version} if diagnoser.model_version else {})


def rows_of_parts(folder: Folder, wanted: Wanted | None = None) -> Iterator[Row]:
    """The rows of a job in the order of its archives, a batch in memory at a time.

    Args:
        folder: of the job; chunks that are not done are left out.
        wanted: which rows; ``None``: all.

    Raises:
        OSError: a part cannot be read.
        UnreadableArchive: a part is damaged.
    """
    return (Row(**values) for batch in batches(folder, wanted) for values in batch.to_pylist())


def write_report(
    folder: Folder, file: Path, language: str, *, show_addresses: bool = False, about: About | None = None
) -> Summary:
    """Writes the report on a job's results, all of it or nothing; gives its figures.

    Args:
        folder: of the job.
        file: where to; JSON where its name ends so, else the page.
        language: of the page.
        show_addresses: whether addresses stand in full.
        about: what stands at its head.

    Raises:
        UnknownName: there is no such language.
        UnreadableArchive: a part is damaged.
        OSError: a part cannot be read, or the file not be written.
    """
    _check(language)
    summary = summarise(rows_of_parts(folder), show_addresses=show_addresses)
    is_json = file.suffix.lower() == ".json"
    content = summary_json(summary) if is_json else as_html(summary, language, about).encode()
    with replaced(file) as path:
        path.write_bytes(content)
    return summary


def as_html(summary: Summary, language: str, about: About | None = None) -> str:
    """The page: no network, light and dark, fit to print.

    Args:
        summary: what to show.
        language: of the words.
        about: what stands at its head.

    Raises:
        UnknownName: there is no such language.
    """
    _check(language)
    page = Page(summary, language, about or About())
    return _environment().get_template("report.html.j2").render(page=page, s=summary, t=page.words)


class Page:
    """What the template asks for, in one language."""

    def __init__(self, summary: Summary, language: str, about: About) -> None:
        self.summary = summary
        self.about = about
        self.language = language
        self.tag = _TAGS.get(language, language)
        self._own = _words(language)
        self._labels = labels(language)
        self._knowledge = knowledge(language)

    @property
    def title(self) -> str:
        """What was read."""
        names = (each.name for each in self.summary.archives.top[:3])
        more = " …" if len(self.summary.archives.top) > 3 or self.summary.archives.others else ""
        return clean(self.about.title or ", ".join(names) + more) or self.words("title")

    @property
    def versions(self) -> list[tuple[str, str]]:
        """What made it, with the versions."""
        return [(self._own.of("version", name), clean(each)) for name, each in self.about.versions.items()]

    def words(self, name: str, **values: object) -> str:
        """Words of the page, with values in their places."""
        return self._own.of("page", name).format(**values)

    def unit(self) -> str:
        """The time of a column of the timeline."""
        return self._own.of("unit", self.summary.timeline.unit)

    def group(self, name: str) -> str:
        """A group of categories."""
        return self._own.of("group", name)

    def category(self, name: str) -> str:
        """The title of a category."""
        return self._knowledge.title(name) if name in taxonomy().by_id else name

    def value(self, table: str, name: str) -> str:
        """The words for a value of an axis."""
        return self._own.of("kind", name) if self._own.has(table, name) else self._labels.of(table, name)

    def provider(self, name: str) -> str:
        """How people call a provider."""
        known = providers().by_id.get(name)
        return known.name if known else name

    def cause(self, line: CauseLine) -> Cause:
        """The words on a cause."""
        return self._knowledge.cause(line.cause)[1]

    def share(self, count: int, total: int) -> str:
        """A share for people."""
        return f"{count / total:.1%}" if total else "–"

    def permanence(self, name: str) -> int:
        """How many failures have a permanence."""
        return next((each.count for each in self.summary.permanences.top if each.name == name), 0)

    def first(self, ranking: Ranking, table: str = "", number: int = SHOWN) -> Ranking:
        """The beginning of a ranking, in words."""
        head = ranking.first(number)
        top = tuple(Named(self._name(table, each.name), each.count) for each in head.top)
        return Ranking(top, head.others, head.missing, head.uncertainty)

    def bars(self, ranking: Ranking, table: str, title: str) -> Markup:
        """A picture of the values of an axis."""
        rest = [(self.words("others"), ranking.others), (self.words("missing"), ranking.missing)]
        known = [
            Bar(self.value(table, each.name), each.count, _LOOKS.get(each.name, "")) for each in ranking.top
        ]
        return bars_svg([*known, *(Bar(name, count, "vague") for name, count in rest if count)], title)

    def columns(self) -> Markup:
        """A picture of the timeline."""
        timeline = self.summary.timeline
        title = self.words("timeline_by", unit=self.unit())
        return columns_svg(timeline, [self.group(each) for each in timeline.groups], title)

    def groups(self) -> list[tuple[str, int]]:
        """The groups that the timeline has, with their rows."""
        return _totals(self.summary.timeline)

    def _name(self, table: str, name: str) -> str:
        if table == "category":
            return self.category(name)
        if table == "provider":
            return self.provider(name)
        return self.value(table, name) if table else clean(name)


def _totals(timeline: Timeline) -> list[tuple[str, int]]:
    sums = (sum(each.counts[place] for each in timeline.columns) for place in range(len(timeline.groups)))
    return [(group, total) for group, total in zip(timeline.groups, sums, strict=True) if total]


def _check(language: str) -> None:
    if language not in LANGUAGES:
        raise UnknownName("language", language)


@cache
def _words(language: str) -> Labels:
    content: dict[str, Any] = read_toml(files("service.triage").joinpath("page", f"{language}.toml"))
    return Labels(content)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("service.triage", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Any] = {
        "number": _grouped,
        "line": clean,
        "time": shown_time,
        "host": _host,
        "code": _code,
    }
    environment.filters.update(filters)
    environment.globals.update(file_of=_file_of, open_causes=OPEN_CAUSES)
    return environment


def _grouped(count: int) -> str:
    return f"{count:,}"


def _code(text: str) -> Markup:
    """Words of the knowledge, with what stands between backquotes as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return _TEXT.format(text)
    marked = ((_CODE if place % 2 else _TEXT).format(each) for place, each in enumerate(parts))
    return Markup().join(marked)


def _host(link: str) -> str:
    return urlsplit(link).netloc


def _file_of(name: str) -> Markup:
    """A file of the page as it is; ours, so that there is nothing to escape."""
    return Markup(files("service.triage").joinpath("page", name).read_text("utf-8"))  # noqa: S704
