"""Writes a large mbox of varied bounces and some ordinary mail, the same one for the same seed.

    python tests/big_archive.py --out big.mbox --messages 400000 --size 2GB --seed 1

The layouts are those of ``tests/samples`` and of the lab, with other addresses, hosts, dates and ids; the
replies in most are templates of the training data, about one message in five with a wording of its own.
"""

# ruff: noqa: S311  # repeatable on purpose

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import random
import re
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from tests.big_archive_values import VALUES, WORDS, Layout, Slot, Values, layout_of, stamp

ROOT = Path(__file__).parents[1]
TEMPLATES = ROOT / "training" / "data" / "templates"
LAYOUTS = (ROOT / "tests" / "samples", ROOT / "training" / "data" / "lab" / "mails")
SKIPPED = frozenset({"line-ends-cr.eml"})  # an mbox of it would have other line ends

ORDINARY = 0.10
AS_THEY_ARE = 0.20
DISTINCT = 0.20
"""Shares of all messages; the rest has replies of the templates."""

POOL_BYTES = 4 << 20
SPREAD = 1.3
"""Of the sizes of returned messages: most are small, a few are hundreds of kilobytes."""

UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
BEGINNING = 1_780_000_000

TAILS = (
    "",
    "Please contact the help desk of the recipient.",
    "This is the mail gateway of the group.",
    "The request was logged.",
    "See the policy of our network.",
    "Ask your administrator for help.",
    "Reported by the filter in front.",
)

SLOT = re.compile(r"\{(\w+)\}")
FIELD = re.compile(r"^Diagnostic-Code: *smtp; *((?:[^\r\n]+|\r?\n[ \t])+)", re.I | re.M)
STATUS = re.compile(r"^Status: *\d\.\d{1,3}\.\d{1,3}", re.I | re.M)
CODE = re.compile(r"\b([245]\.\d\.\d{1,3})\b")
LEADING = re.compile(r"[45]\d\d\b")
END = re.compile(r"\n--[^\r\n]{1,80}--\s*\Z")


def framed(text: str) -> tuple[str, ...]:
    """The pieces of a report between which a reply may stand: in its words, and in its fields."""
    field = FIELD.search(text)
    if field is None or len(FIELD.findall(text)) > 1:
        return ()
    words = r"\s+".join(map(re.escape, field[1].split()))
    said = re.search(words, text[: field.start()])
    if said is None:
        return ()
    return text[: said.start()], text[said.end() : field.start(1)], text[field.end() :]


def read_messages() -> Iterator[str]:
    """The messages of the samples and of the lab, one character for each byte."""
    for folder in LAYOUTS:
        for path in sorted(folder.glob("*.eml")):
            if path.name not in SKIPPED:
                text = path.read_bytes().replace(b"\r\n", b"\n").decode("latin-1")
                text = text.partition("\n")[2] if text.startswith("From ") else text
                yield text


def read_templates() -> Iterator[Layout]:
    """The wordings of the templates, each with its slots."""
    seen: set[str] = set()
    for path in sorted(TEMPLATES.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            text = json.loads(line)["text"]
            if text not in seen:
                seen.add(text)
                yield _wording(text.encode().decode("latin-1"))


def _wording(text: str) -> Layout:
    parts = SLOT.split(text)
    return tuple(
        Slot(part) if number % 2 and part in VALUES else (f"{{{part}}}" if number % 2 else part)
        for number, part in enumerate(parts)
    )


@dataclass(frozen=True, slots=True)
class Stock:
    """All that messages are made of."""

    whole: Sequence[Layout]
    frames: Sequence[tuple[Layout, ...]]
    wordings: Sequence[Layout]
    lines: str
    packed: str

    @classmethod
    def read(cls, seed: int) -> Stock:
        """Reads the layouts and templates."""
        dice = random.Random(f"{seed}/stock")
        messages = list(read_messages())
        frames = [cut for text in messages if (cut := framed(text))]
        wordings = list(read_templates())
        dice.shuffle(wordings)
        text = "\n".join(" ".join(dice.choices(WORDS, k=11)) for _ in range(POOL_BYTES // 60))
        packed = base64.encodebytes(dice.randbytes(POOL_BYTES)).decode()
        return cls(
            [layout_of(text) for text in messages], [_frame(cut) for cut in frames], wordings, text, packed
        )


def _frame(pieces: tuple[str, ...]) -> tuple[Layout, ...]:
    """The pieces with slots whose numbers run through all of them."""
    layout = layout_of("\0".join(pieces))
    cuts: list[list[str | Slot]] = [[]]
    for part in layout:
        if isinstance(part, Slot):
            cuts[-1].append(part)
            continue
        first, *rest = part.split("\0")
        cuts[-1].append(first)
        cuts += [[each] for each in rest]
    return tuple(map(tuple, cuts))


class Writer:
    """Makes messages one after the other."""

    def __init__(self, stock: Stock, seed: int, mean: float) -> None:
        self._stock = stock
        self._dice = random.Random(f"{seed}/messages")
        self._mean = mean
        self._bare = 0.0
        self.messages = self.bytes = self.wordings = self.ordinary = 0

    def message(self) -> bytes:
        """The next message with its ``From `` line."""
        moment = BEGINNING + self.messages * 7.0
        values = Values(self._dice, moment)
        share = self._dice.random()
        if share < ORDINARY:
            self.ordinary += 1
            text = self._ordinary(values)
        elif share < ORDINARY + AS_THEY_ARE:
            text = values.fill(self._dice.choice(self._stock.whole))
        else:
            text = self._reported(values)
        raw = self._sized(text, moment).encode("latin-1")
        self.messages += 1
        self.bytes += len(raw)
        return raw

    def _reported(self, values: Values) -> str:
        """A report with a reply of the templates in a real layout; a notice of several lines stands alone."""
        stock, number = self._stock, self._wording_number()
        turn, place = divmod(number, len(stock.wordings))
        reply = f"{values.fill(stock.wordings[place])} {tail(turn)}".strip()
        if "\n" in reply:
            return values.fill(NOTICE) + reply + "\n"
        before, between, after = map(values.fill, self._dice.choice(stock.frames))
        status = f"Status: {status_of(reply)}"
        folded = textwrap.fill(
            reply, 72, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
        )
        return STATUS.sub(status, f"{before}{folded}{between}{folded}{after}", count=1)

    def _wording_number(self) -> int:
        """A wording that was not there yet for some messages, one of the earlier ones for the others."""
        if not self.wordings or self._dice.random() < DISTINCT / (1 - ORDINARY - AS_THEY_ARE):
            self.wordings += 1
            return self.wordings - 1
        return int(self.wordings * self._dice.random() ** 3)

    def _ordinary(self, values: Values) -> str:
        head = values.fill(MAIL)
        if self._dice.random() < 0.5:
            return f"{head}Content-Type: text/plain; charset=utf-8\n\n{self._lines(600)}\n"
        html = "".join(f"<p>{line}</p>\n" for line in self._lines(600).splitlines())
        opening, between, end = ALTERNATIVE
        return f"{head}{opening}{self._lines(600)}{between}{html}{end}"

    def _sized(self, text: str, moment: float) -> str:
        """A message with its ``From `` line, and more of the message that it returns."""
        self._bare += (len(text) + 60 - self._bare) / min(self.messages + 1, 2000)
        behind = (self.messages + 1) * self._mean - self.bytes
        room = max(0.0, self._mean - self._bare + (behind - self._mean) / 500)
        more = int(room * self._dice.lognormvariate(-SPREAD * SPREAD / 2, SPREAD))
        end = END.search(text)
        at = end.start() if end else len(text)
        body = self._body(more)
        opening = f"From MAILER-DAEMON {stamp(moment, '%a %b %d %H:%M:%S %Y')}\n"
        whole = f"{text[:at].rstrip()}\n{body}{text[at:].rstrip()}\n\n"
        return opening + whole.replace("\nFrom ", "\n>From ")

    def _body(self, size: int) -> str:
        if size < 100:
            return ""
        packed = size > 3000 and self._dice.random() < 0.5
        return f"\n{self._lines(size, self._stock.packed if packed else self._stock.lines)}\n"

    def _lines(self, size: int, pool: str = "") -> str:
        """So many characters of whole lines."""
        pool = pool or self._stock.lines
        size = min(size, len(pool) // 2)
        start = pool.find("\n", self._dice.randrange(len(pool) - size - 200)) + 1
        return pool[start : pool.find("\n", start + max(1, size - 76))]


COMMON = (
    "Date: Mon, 02 Nov 2026 10:00:00 +0000\nTo: bo@two.example\nMessage-ID: <0D9222544B8@one.example>\n"
    "MIME-Version: 1.0\n"
)
MAIL: Layout = (
    *layout_of(
        "Return-Path: <anna@one.example>\nReceived: from mx.one.example (mx.one.example [192.0.2.1])\n"
        "\tby mail.two.example (Postfix) with ESMTPS id 0D9222544B7; Mon, 02 Nov 2026 10:00:00 +0000\n"
        f"{COMMON}From: anna@one.example\nSubject: "
    ),
    Slot("subject"),
    "\n",
)
ALTERNATIVE = (
    'Content-Type: multipart/alternative; boundary="=_b"\n\n--=_b\nContent-Type: text/plain\n\n',
    "\n\n--=_b\nContent-Type: text/html\n\n<html><body>\n",
    "</body></html>\n\n--=_b--\n",
)
NOTICE = layout_of(
    f"Return-Path: <>\n{COMMON}From: Mail Delivery System <postmaster@one.example>\n"
    "Subject: Undeliverable mail\nAuto-Submitted: auto-replied\nContent-Type: text/plain; charset=utf-8\n"
    "Content-Transfer-Encoding: 8bit\n\n"
)


@cache
def tail(turn: int) -> str:
    """What makes another wording of a template that was used before."""
    found: list[str] = []
    while turn:
        turn, place = divmod(turn, len(TAILS))
        found.append(TAILS[place])
    return " ".join(found)


def status_of(reply: str) -> str:
    """The status that goes with a reply."""
    if found := CODE.search(reply):
        return found[1]
    leading = LEADING.search(reply)
    return f"{leading[0][0] if leading else 5}.0.0"


def write(file: BinaryIO, writer: Writer, count: int) -> str:
    """Writes the messages, tells how far it is, and gives the SHA-256 of the file."""
    digest, step = hashlib.sha256(), max(1, count // 50)
    for number in range(1, count + 1):
        raw = writer.message()
        digest.update(raw)
        file.write(raw)
        if number % step == 0:
            sys.stderr.write(f"\r{100 * number // count:3} %  {number} messages, {writer.bytes / 1e6:.0f} MB")
    sys.stderr.write("\n")
    return digest.hexdigest()


def bytes_of(text: str) -> int:
    """A number of bytes such as 2GB or 200MB."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMG]B)?", text)
    if not found:
        raise argparse.ArgumentTypeError("a number with KB, MB or GB")
    return int(float(found[1]) * UNITS[found[2] or ""])


def main() -> None:
    """Runs the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--messages", type=int, default=400_000)
    parser.add_argument("--size", type=bytes_of, default="2GB")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.perf_counter()
    writer = Writer(Stock.read(given.seed), given.seed, given.size / given.messages)
    with given.out.open("wb", buffering=1 << 20) as file:
        digest = write(file, writer, given.messages)
    told = {
        "messages": writer.messages,
        "bytes": writer.bytes,
        "wordings": writer.wordings,
        "ordinary": writer.ordinary,
        "seconds": round(time.perf_counter() - began, 1),
        "sha256": digest,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
