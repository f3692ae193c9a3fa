"""Groups the texts that stayed unknown, so that the biggest groups become rules or labels first."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import reduce
from itertools import islice
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import orjson
from scipy.sparse import csr_matrix, vstack
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import TfidfVectorizer

from model.errors import DataError, NdrError
from model.features import words_of
from model.normalise import canonical
from model.pipeline import Diagnoser, build_diagnoser
from model.reply import MAX_REPLY_CHARS
from model.taxonomy import UNKNOWN
from model.types import Diagnosis, Form, Kind, Report, Unwrapped
from training.corpus import LABELS, read_corpus

MAX_TEXTS = 20_000
SIMILAR = 0.6
"""From this cosine on two texts belong together."""

SAMPLES = 3
TOP = 20
MAX_SAMPLE_CHARS = 300
MAX_PHRASE_TEXTS = 20
MIN_PHRASE_CHARS = 4
MAX_ID_WORDS = 4
STRENGTH = 0.9
_ROWS_AT_ONCE = 500
_FAILED = frozenset({Kind.BOUNCE, Kind.DELAY})
_PLACEHOLDER = re.compile(r"_[a-z]+_")
_ADDRESS = re.compile(r"[^\s<>@\"'():;,]+@[^\s<>@\"'():;,]+")
_IP = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_LATIN_WORD = re.compile(r"[a-z][a-z']*")

Raw = tuple[bytes, Form]


@dataclass(slots=True)
class Unknowns:
    """The texts without a category: canonical text to how often it came, and to one text as it came.

    ``left_out`` counts those that came after there were too many.
    """

    counts: Counter[str] = field(default_factory=Counter)
    texts: dict[str, str] = field(default_factory=dict)
    read: int = 0
    left_out: int = 0

    def add(self, text: str) -> None:
        """Counts a text, unless it would be one too many."""
        words = canonical(text)
        if words not in self.texts and len(self.texts) >= MAX_TEXTS:
            self.left_out += 1
            return
        self.texts.setdefault(words, " ".join(text.split()))
        self.counts[words] += 1


@dataclass(frozen=True, slots=True)
class Cluster:
    """Texts that say the same; ``phrase`` is the longest run of words that all of them share."""

    count: int
    wordings: int
    samples: tuple[str, ...]
    phrase: str

    @property
    def rule(self) -> str:
        """The skeleton of a rule file's table; category, strength and source are for a person to say."""
        name = "_".join(_LATIN_WORD.findall(self.phrase)[:MAX_ID_WORDS]) or "unnamed"
        return "\n".join(
            (
                "[[rule]]",
                f"id = {_quoted(f'own.{name}')}",
                'category = ""  # of the taxonomy',
                f"text = '{pattern(self.phrase)}'"
                if self.phrase
                else "text = ''  # they share no words in a row",
                f"strength = {STRENGTH}  # the share of such texts for which the category is right",
                'source = ""  # where these words are from',
                f"examples = [{_quoted(_anonymous(self.samples[0]))}]",
            )
        )

    @property
    def label(self) -> str:
        """The skeleton of a line of labels."""
        line = {"id": "", "text": _anonymous(self.samples[0]), "kind": "bounce", "category": ""}
        return json.dumps({**line, "permanence": ""}, ensure_ascii=False)


def unknowns(diagnoser: Diagnoser, evidence: Iterable[Raw]) -> Unknowns:
    """What stays unknown of some evidence; what cannot be read counts as read only."""
    found = Unknowns()
    for raw, form in evidence:
        found.read += 1
        for text in _unknown_texts(diagnoser, raw, form):
            found.add(text)
    return found


def clusters_of(found: Unknowns, *, similar: float = SIMILAR) -> tuple[Cluster, ...]:
    """The clusters, the biggest first."""
    words = tuple(found.texts)
    groups: dict[int, list[str]] = {}
    for text, group in zip(words, _groups(words, similar).tolist(), strict=True):
        groups.setdefault(group, []).append(text)
    made = (_cluster(found, members) for members in groups.values())
    return tuple(sorted(made, key=lambda cluster: (-cluster.count, cluster.samples)))


def evidence_of(path: Path) -> Iterator[Raw]:
    """Each piece of evidence below a path.

    A labelled directory gives its items, another folder its files, a file its lines: a reply each, or a JSON
    string or object with ``text``.

    Raises:
        DataError: a line of JSON is wrong.
    """
    if path.is_file():
        yield from _lines(path)
    elif (path / LABELS).is_file():
        yield from ((item.raw, item.form) for item in read_corpus(path))
    else:
        yield from ((file.read_bytes(), Form.AUTO) for file in sorted(path.rglob("*")) if file.is_file())


def pattern(phrase: str) -> str:
    """A rule's pattern for a canonical phrase: whatever stood between the words may stand there again.

    >>> pattern("mailbox can't be found")
    'mailbox[^a-z0-9]{1,4}can.t[^a-z0-9]{1,4}be[^a-z0-9]{1,4}found'
    """
    return "[^a-z0-9]{1,4}".join(phrase.replace("'", ".").split())


def as_text(found: Unknowns, clusters: Sequence[Cluster], *, top: int = TOP) -> str:
    """The biggest clusters for people: count, samples, and a rule to complete."""
    left_out = f" {found.left_out} more were left out." if found.left_out else ""
    head = f"{found.counts.total()} unknown texts in {found.read} read, {len(clusters)} clusters.{left_out}"
    blocks = (_block(number, each) for number, each in enumerate(clusters[:top], start=1))
    return "\n\n".join((f"# {head}", *blocks))


def as_json(found: Unknowns, clusters: Sequence[Cluster], *, top: int = TOP) -> bytes:
    """The biggest clusters for programs."""
    content = {
        "read": found.read,
        "unknown": found.counts.total(),
        "left_out": found.left_out,
        "number": len(clusters),
        "clusters": [_plain(each) for each in clusters[:top]],
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"


@click.command("clusters")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--rules", "rules_dir", type=click.Path(path_type=Path), help="A folder of your own rules to add."
)
@click.option(
    "--similar",
    type=click.FloatRange(0.1, 1.0),
    default=SIMILAR,
    show_default=True,
    help="The similarity from which on two texts belong together.",
)
@click.option("--top", type=click.IntRange(1), default=TOP, show_default=True, help="How many to show.")
@click.option("--json", "to_json", is_flag=True, help="JSON instead of text.")
def clusters_command(path: Path, rules_dir: Path | None, similar: float, top: int, to_json: bool) -> None:  # noqa: FBT001  # click's way
    """Group what stays unknown in PATH: a labelled folder, a folder of mails, a file with a reply a line."""
    found = unknowns(build_diagnoser(rules_dir), evidence_of(path))
    clusters = clusters_of(found, similar=similar)
    shown = as_json(found, clusters, top=top).decode() if to_json else as_text(found, clusters, top=top)
    click.echo(shown, nl=not to_json)


def _unknown_texts(diagnoser: Diagnoser, raw: bytes, form: Form) -> Iterator[str]:
    try:
        diagnosis = diagnoser.diagnose(raw, form=form)
    except NdrError:
        return
    if not _tells_of_failure(diagnosis):
        return
    for recipient in diagnosis.recipients or (diagnosis.lead,):
        if recipient.verdict.category == UNKNOWN:
            yield _telling(recipient.unwrapped, diagnosis.report)


def _telling(unwrapped: Unwrapped, report: Report) -> str:
    """The innermost reply; the notice where that is no more than an address."""
    inner = unwrapped.text[unwrapped.start : unwrapped.end]
    return inner if _features(canonical(inner)) else report.notice[:MAX_REPLY_CHARS]


def _tells_of_failure(diagnosis: Diagnosis) -> bool:
    """Whether a rule could help; a bare text may be a reply in words that nobody knows yet."""
    bare = diagnosis.report.is_bare_text and diagnosis.kind is Kind.NOT_NDR
    return bare or diagnosis.kind in _FAILED


def _lines(path: Path) -> Iterator[Raw]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if text := _text(path, number, line.strip()):
                yield text.encode(), Form.TEXT


def _text(path: Path, number: int, line: str) -> str:
    if not line.startswith(("{", '"')):
        return line
    try:
        value = json.loads(line)
        return str(value["text"] if isinstance(value, dict) else value).strip()
    except (ValueError, KeyError) as error:
        raise DataError(path.name, f"line {number}", f"{type(error).__name__}: {error}") from error


def _groups(texts: Sequence[str], similar: float) -> npt.NDArray[np.int32]:
    """(n_texts,), the group of each text: connected by a similarity from ``similar`` on."""
    vectors = _vectors(texts)
    if vectors is None:
        return np.arange(len(texts), dtype=np.int32)
    blocks = (
        _close(vectors[at : at + _ROWS_AT_ONCE], vectors, similar)
        for at in range(0, len(texts), _ROWS_AT_ONCE)
    )
    labels: npt.NDArray[np.int32] = connected_components(vstack(list(blocks)), directed=False)[1]
    return labels


def _vectors(texts: Sequence[str]) -> csr_matrix | None:
    """(n_texts, n_words), rows of length 1; ``None`` where there are no words."""
    if not any(_features(text) for text in texts):
        return None
    vectoriser = TfidfVectorizer(analyzer=_features, sublinear_tf=True)
    return csr_matrix(vectoriser.fit_transform(texts), dtype=np.float32)


def _features(text: str) -> tuple[str, ...]:
    return words_of(" ".join(_PLACEHOLDER.sub(" ", text).split()))


def _close(rows: csr_matrix, vectors: csr_matrix, similar: float) -> csr_matrix:
    """(n_rows, n_texts), not zero where two texts are similar."""
    cosines = (rows @ vectors.T).tocsr()
    cosines.data[cosines.data < similar] = 0
    cosines.eliminate_zeros()
    return cosines


def _cluster(found: Unknowns, members: Sequence[str]) -> Cluster:
    ordered = sorted(members, key=lambda text: (-found.counts[text], text))
    return Cluster(
        count=sum(found.counts[text] for text in members),
        wordings=len(members),
        samples=tuple(_shortened(found.texts[text]) for text in islice(ordered, SAMPLES)),
        phrase=_phrase(ordered[:MAX_PHRASE_TEXTS]),
    )


def _phrase(texts: Sequence[str]) -> str:
    """The longest run of whole words that all texts share; empty where it says too little."""
    phrase = reduce(_common, texts)
    longest = max(_PLACEHOLDER.split(phrase), key=len).strip()
    return longest if len(longest) >= MIN_PHRASE_CHARS else ""


def _common(first: str, second: str) -> str:
    match = SequenceMatcher(None, first, second, autojunk=False).find_longest_match()
    shift, start, end = match.b - match.a, match.a, match.a + match.size
    while start < end and (_cuts_word(first, start) or _cuts_word(second, start + shift)):
        start += 1
    while start < end and (_cuts_word(first, end) or _cuts_word(second, end + shift)):
        end -= 1
    return first[start:end].strip()


def _cuts_word(text: str, at: int) -> bool:
    """Whether a cut before a character would halve a word; Chinese and Japanese have no such words."""
    return 0 < at < len(text) and all(each.isascii() and not each.isspace() for each in text[at - 1 : at + 1])


def _anonymous(text: str) -> str:
    return _IP.sub("192.0.2.1", _ADDRESS.sub("user@example.com", text))


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_SAMPLE_CHARS else f"{text[:MAX_SAMPLE_CHARS]}…"


def _block(number: int, cluster: Cluster) -> str:
    head = f"# {number}. texts: {cluster.count}, wordings: {cluster.wordings}"
    return "\n".join((head, *(f"#    {sample}" for sample in cluster.samples), cluster.rule))


def _plain(cluster: Cluster) -> dict[str, Any]:
    return {
        "count": cluster.count,
        "wordings": cluster.wordings,
        "samples": cluster.samples,
        "phrase": cluster.phrase,
        "rule": cluster.rule,
        "label": cluster.label,
    }


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are valid in it."""
    return json.dumps(text, ensure_ascii=False)
