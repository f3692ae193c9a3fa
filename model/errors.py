"""Every way the core can fail.

NdrError
├── DataError            a data file is wrong: names the file, the entry and the reason
│   └── RuleError        … a rule file, shipped or the user's own
├── EvidenceError        what was handed in cannot be read as what it claims to be
│   ├── EmptyEvidence    … there is nothing in it
│   └── TooLarge         … it is larger than the limit
└── UnknownName          a category, code or cause that nobody knows
"""


class NdrError(Exception):
    """The root: catch it to catch everything the core raises on purpose."""


class DataError(NdrError):
    """A data file is wrong.

    Args:
        where: the file, as the user knows it.
        entry: the id of the entry, or its number where it has none.
        reason: the value, and what was allowed.
    """

    def __init__(self, where: str, entry: str, reason: str) -> None:
        super().__init__(f"{where}: {entry}: {reason}")
        self.where = where
        self.entry = entry
        self.reason = reason


class RuleError(DataError):
    """A rule is wrong."""


class EvidenceError(NdrError):
    """What was handed in cannot be read as what it claims to be."""


class EmptyEvidence(EvidenceError):
    """There is nothing to judge."""


class TooLarge(EvidenceError):
    """The evidence is larger than the limit."""


class UnknownName(NdrError):
    """A category, code or cause that is not in the dictionary.

    Args:
        noun: what was looked up, for example ``category``.
        name: the name that nobody knows.
    """

    def __init__(self, noun: str, name: str) -> None:
        super().__init__(f"no {noun} is called {name!r}")
        self.noun = noun
        self.name = name
