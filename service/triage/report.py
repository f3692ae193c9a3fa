"""Makes the report on an archive: a self-contained page in English or Chinese, or JSON.

The page loads nothing from elsewhere; its script sorts tables and can be missed. Same rows, same bytes.
"""

from __future__ import annotations

import re
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
from model.taxonomy import UNKNOWN, taxonomy
from model.types import Cause, Kind, Permanence
from service.svg_parts import clean
from service.text_answer import Labels, labels
from service.triage.counting import Column, Named, Ranking, Timeline
from service.triage.folders import Folder, replaced
from service.triage.nouns import Row
from service.triage.report_charts import Chart, chart_of, shown_time
from service.triage.results import Wanted, batches
from service.triage.summary import CauseLine, Summary, summarise, summary_json
from service.version import VERSION
from service.wiring import Diagnoser

SHOWN = 20
"""So many names of a ranking stand on the page; JSON has more."""

GLANCE = 6
"""So many lines stand in each list of the first screen; so many causes are open below."""

LISTED_CAUSES = 12
"""So many causes stand on the page; the further ones are folded away."""

_TEXT, _CODE, _BREAK = Markup("{}"), Markup("<code>{}</code>"), Markup("<wbr>")
_NAME_PARTS = re.compile(r"[^.@/_]+|[.@/_][^.@/_]*")
_TAGS = {"zh": "zh-CN"}
_PERMANENCES = (
    (Permanence.PERMANENT.value, "permanent"),
    (Permanence.TEMPORARY.value, "temporary"),
    (Permanence.UNKNOWN.value, "vague"),
)
_FAILED = (Kind.BOUNCE.value, Kind.DELAY.value, Kind.COMPLAINT.value)


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

    @property
    def sections(self) -> list[str]:
        """The names of the sections that have something to tell, in the order of the page."""
        found = self.summary
        failed = bool(found.failures)
        told = {
            "timeline": failed,
            "causes": failed,
            "categories": failed,
            "kinds": found.rows,
            "stages": failed,
            "domains": failed,
            "suppression": found.suppression.rows,
            "delays": found.delays.total,
            "clusters": found.unknown.rows,
            "errors": found.unreadable.rows,
        }
        return [name for name, has in told.items() if has]

    @property
    def unexplained(self) -> int:
        """How many failures have no reason that is known."""
        return next((each.count for each in self.summary.categories if each.category == UNKNOWN), 0)

    @property
    def failed_kinds(self) -> str:
        """How many failures there are of each kind, in words."""
        counts = {each.name: each.count for each in self.summary.kinds.top}
        told = (self.counted(f"of_{name}", counts[name]) for name in _FAILED if name in counts)
        return self.words("comma").join(told)

    def words(self, name: str, **values: object) -> str:
        """Words of the page, with values in their places."""
        return self._own.of("page", name).format(**values)

    def counted(self, name: str, count: int, **values: object) -> str:
        """The same with a count, in the singular where a language has one."""
        one = f"{name}_one"
        is_one = count == 1 and self._own.has("page", one)
        return self.words(one if is_one else name, count=_grouped(count), **values)

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
        if not total:
            return "–"
        return "<0.1%" if 0 < count / total < 0.0005 else f"{count / total:.1%}"

    def permanences(self) -> list[tuple[str, str, int]]:
        """How many failures will not pass later, or may: the words, how they look, and the number."""
        counts = {each.name: each.count for each in self.summary.permanences.top}
        told = [(name, look, counts.pop(name, 0)) for name, look in _PERMANENCES[:2]]
        rest = self.summary.failures - sum(count for _, _, count in told)
        told.append((*_PERMANENCES[2], rest))
        return [(self.value("permanence", name), look, count) for name, look, count in told if count]

    def first(self, ranking: Ranking, table: str = "", number: int = SHOWN) -> Ranking:
        """The beginning of a ranking, in words."""
        head = ranking.first(number)
        top = tuple(Named(self._name(table, each.name), each.count) for each in head.top)
        return Ranking(top, head.others, head.missing, head.uncertainty)

    def chart(self) -> Chart:
        """A picture of the timeline, which has columns."""
        timeline = self.summary.timeline
        title = self.words("timeline_by", unit=self.unit())
        return chart_of(timeline, [self.group(each) for each in timeline.groups], title)

    def peak(self) -> str:
        """When most failures were reported, in words."""
        most = max(self.summary.timeline.columns, key=_total)
        return self.words("peak", time=shown_time(most.start), count=_grouped(most.total))

    def groups(self) -> list[tuple[str, int]]:
        """The groups that the timeline has, with their rows."""
        return _totals(self.summary.timeline)

    def _name(self, table: str, name: str) -> str:
        if table == "category":
            return self.category(name)
        if table == "provider":
            return self.provider(name)
        return self.value(table, name) if table else name


def _totals(timeline: Timeline) -> list[tuple[str, int]]:
    sums = (sum(each.counts[place] for each in timeline.columns) for place in range(len(timeline.groups)))
    return [(group, total) for group, total in zip(timeline.groups, sums, strict=True) if total]


def _total(column: Column) -> int:
    return column.total


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
        "name": _breaking,
        "minute": _minute,
        "time": shown_time,
        "host": _host,
        "code": _code,
    }
    environment.filters.update(filters)
    environment.globals.update(file_of=_file_of, glance=GLANCE, listed_causes=LISTED_CAUSES)
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


def _breaking(name: str) -> Markup:
    """A name that may be broken before its dots and signs rather than anywhere."""
    return _BREAK.join(_NAME_PARTS.findall(clean(name)))


def _minute(moment: str) -> str:
    return clean(moment[:16].replace("T", " "))


def _host(link: str) -> str:
    return urlsplit(link).netloc


def _file_of(name: str) -> Markup:
    """A file of the page as it is; ours, so that there is nothing to escape."""
    return Markup(files("service.triage").joinpath("page", name).read_text("utf-8"))  # noqa: S704
