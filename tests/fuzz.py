"""Sends mutated bounces to the service and fails when one is answered by a 5xx or takes too long.

    python tests/fuzz.py --count 100000 --seed 1 [--corpus DIR …]

Every mutation comes from the seed, so that a failure can be made again.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent / "samples"
CHUNK = 500
MEDIA_TYPES = (
    "message/rfc822",
    "message/rfc822",
    "text/plain",
    "application/octet-stream",
    "application/vnd.ms-outlook",
    "application/json",
    "multipart/form-data; boundary=x",
    "nonsense/type",
    "",
)
CHARSETS = (
    "utf-8",
    "gb2312",
    "big5",
    "iso-2022-jp",
    "shift_jis",
    "koi8-r",
    "utf-16",
    "utf-7",
    "idna",
    "punycode",
    "rot13",
    "x",
)


@dataclass(slots=True)
class Tally:
    """What a chunk of inputs came to."""

    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    slowest_seed: str = ""
    failures: list[str] = field(default_factory=list)


def truncated(raw: bytes, other: bytes, dice: random.Random) -> bytes:
    return raw[: dice.randrange(len(raw) + 1)]


def spliced(raw: bytes, other: bytes, dice: random.Random) -> bytes:
    return raw[: dice.randrange(len(raw) + 1)] + other[dice.randrange(len(other) + 1) :]


def scribbled(raw: bytes, other: bytes, dice: random.Random) -> bytes:
    scribble = bytearray(raw)
    for _ in range(dice.randint(1, 64)):
        if scribble:
            scribble[dice.randrange(len(scribble))] = dice.randrange(256)
    return bytes(scribble)


def noisy(raw: bytes, other: bytes, dice: random.Random) -> bytes:
    return dice.randbytes(dice.randint(1, 4096))


def relabelled(raw: bytes, other: bytes, dice: random.Random) -> bytes:
    charset, encoding = (
        dice.choice(CHARSETS),
        dice.choice(("base64", "quoted-printable", "8bit", "x-uuencode")),
    )
    media_type = dice.choice(("text/plain", "text/html", "multipart/report"))
    label = f"Content-Type: {media_type}; charset={charset}; boundary=b\n"
    return f"Content-Transfer-Encoding: {encoding}\n{label}".encode() + raw


def nested(raw: bytes, other: bytes, dice: random.Random) -> bytes:
    depth = dice.randint(2, 400)
    opening = "".join(
        f"Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n" for level in range(depth)
    )
    return opening.encode() + raw


def flooded(raw: bytes, other: bytes, dice: random.Random) -> bytes:
    header = dice.choice(
        (
            b"X-Flood: a\n",
            b"Received: from a by b\n",
            b"To: <a@b.example>,\n  ",
            b"\tfolded\n",
            b"Subject: =?",
        )
    )
    return b"From: a@example.com\n" + header * dice.randint(100, 20000) + raw


def repeated(raw: bytes, other: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(raw) + 1)
    return raw[:start] + raw[start : start + dice.randint(1, 200)] * dice.randint(2, 500) + raw[start:]


def wrapped(raw: bytes, other: bytes, dice: random.Random) -> bytes:
    wrapper = dice.choice(
        (b"host a[1.2.3.4] said: ", b"-> ", b"{LED=", b"550-", b"<<< ", b"<", b"(", b"smtp;", b"5", b"5.7.")
    )
    return wrapper * dice.randint(1, 5000) + raw[:2000]


MUTATIONS: tuple[Callable[[bytes, bytes, random.Random], bytes], ...] = (
    truncated,
    spliced,
    scribbled,
    noisy,
    relabelled,
    nested,
    flooded,
    repeated,
    wrapped,
)


@cache
def seeds_in(folders: tuple[Path, ...]) -> list[bytes]:
    """The mails to mutate."""
    return [path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]


def mutated(seed: str, mails: list[bytes]) -> tuple[bytes, str]:
    """One input and its media type, from a seed."""
    dice = random.Random(seed)  # noqa: S311  # repeatable on purpose
    raw = dice.choice(mails)
    for _ in range(dice.choice((1, 1, 2, 3))):
        raw = dice.choice(MUTATIONS)(raw, dice.choice(mails), dice)
    media_type = dice.choice(MEDIA_TYPES)
    if media_type == "application/json" and dice.random() < 0.7:
        raw = json.dumps({"text": raw.decode("latin-1")}).encode()
    return raw, media_type


def run_chunk(first: int, count: int, seed: int, folders: tuple[Path, ...]) -> Tally:
    """Sends one chunk of inputs and tallies the answers."""
    client, mails, tally = web_client(), seeds_in(folders), Tally()
    for number in range(first, first + count):
        name = f"{seed}/{number}"
        raw, media_type = mutated(name, mails)
        started = time.process_time()
        status = answered(client, raw, media_type)
        took_s = time.process_time() - started
        tally.statuses[status] += 1
        if took_s > tally.slowest_s:
            tally.slowest_s, tally.slowest_seed = took_s, name
        if status >= 500:
            tally.failures.append(name)
    return tally


def answered(client: Any, raw: bytes, media_type: str) -> int:
    """The status of one answer; an exception counts as 599."""
    try:
        answer = client.post("/v1/classify", data=raw, content_type=media_type)
    except Exception as error:  # noqa: BLE001  # what escapes the service is what this looks for
        sys.stderr.write(f"{error!r}\n")
        return 599
    return int(answer.status_code)


@cache
def web_client() -> Any:
    """A client of the real application."""
    from service import logs
    from service.settings import Settings
    from service.web.app import create_app
    from service.wiring import build

    logs.configure("error")
    services = build(Settings())
    services.self_test()
    return create_app(services).test_client()


def chunks(count: int) -> Iterator[tuple[int, int]]:
    """(first, size) of each chunk."""
    return ((first, min(CHUNK, count - first)) for first in range(0, count, CHUNK))


def main() -> int:
    """Run the chunks on two processes; 1 when anything failed."""
    parser = argparse.ArgumentParser(description="Send mutated bounces to the service.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit-s", type=float, default=2.0, help="seconds of CPU that no answer may exceed")
    parser.add_argument("--corpus", type=Path, action="append", default=[], help="more mails to mutate")
    options = parser.parse_args()
    total = Tally()
    with ProcessPoolExecutor(2) as pool:
        runs = [
            pool.submit(run_chunk, first, size, options.seed, (SAMPLES, *options.corpus))
            for first, size in chunks(options.count)
        ]
        for done, run in enumerate(runs, start=1):
            tally = run.result()
            total.statuses += tally.statuses
            total.failures += tally.failures
            if tally.slowest_s > total.slowest_s:
                total.slowest_s, total.slowest_seed = tally.slowest_s, tally.slowest_seed
            if done % 20 == 0:
                sys.stderr.write(f"{done}/{len(runs)} chunks, {dict(total.statuses)}\n")
    sys.stdout.write(f"answers {dict(sorted(total.statuses.items()))}\n")
    sys.stdout.write(f"slowest {total.slowest_s:.3f} s, seed {total.slowest_seed}\n")
    sys.stdout.write(f"failed {len(total.failures)}: {total.failures[:20]}\n")
    return int(bool(total.failures) or total.slowest_s > options.limit_s)


if __name__ == "__main__":
    sys.exit(main())
