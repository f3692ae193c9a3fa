"""The only place that knows the categories: what each implies, and its names elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from model.errors import UnknownName
from model.resources import data_file, read_toml
from model.types import Action, FixOwner, Stage

UNKNOWN = "unknown"
BY_CODE = "by_code"


@dataclass(frozen=True, slots=True)
class Category:
    """One category with its defaults.

    ``permanence`` is a value of ``Permanence`` or ``by_code``: the first digit of the reply decides.
    ``severity`` runs from 0 to 100; the most severe recipient speaks for the message.
    A ``broad`` category yields to any narrower one of similar strength. ``base_rate`` (0 to 1) is its share
    among real bounces, given for the commonest only.
    """

    id: str
    permanence: str
    action: Action
    fix_owner: FixOwner
    stage: Stage
    severity: int
    broad: bool
    base_rate: float
    mappings: MappingProxyType[str, str | int]


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """All categories by name, in the order of the file."""

    version: int
    by_id: MappingProxyType[str, Category]

    def __getitem__(self, category: str) -> Category:
        """The category of that name.

        Raises:
            UnknownName: nobody knows it.
        """
        try:
            return self.by_id[category]
        except KeyError:
            raise UnknownName("category", category) from None

    @property
    def base_rates(self) -> dict[str, float]:
        """How often the commonest categories are the reason, for a report that gives none."""
        return {name: category.base_rate for name, category in self.by_id.items() if category.base_rate}

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order of the file."""
        return tuple(self.by_id)


@cache
def taxonomy() -> Taxonomy:
    """The shipped taxonomy; read once."""
    content = read_toml(data_file("taxonomy.toml"))
    categories = (_category(entry) for entry in content["category"])
    return Taxonomy(content["version"], MappingProxyType({each.id: each for each in categories}))


def _category(entry: dict[str, object]) -> Category:
    mappings = entry["mappings"]
    assert isinstance(mappings, dict)  # noqa: S101
    return Category(
        id=str(entry["id"]),
        permanence=str(entry["permanence"]),
        action=Action(str(entry["action"])),
        fix_owner=FixOwner(str(entry["fix_owner"])),
        stage=Stage(str(entry["stage"])),
        severity=int(str(entry["severity"])),
        broad=bool(entry.get("broad", False)),
        base_rate=float(str(entry.get("base_rate", 0))),
        mappings=MappingProxyType(mappings),
    )
