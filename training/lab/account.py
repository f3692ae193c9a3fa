"""Keeps who tried what and was answered what: a line for each recipient, and what was accepted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

FILE = "attempts.jsonl"
COMMANDS = {
    "connect": "CONNECT",
    "helo": "EHLO",
    "starttls": "STARTTLS",
    "mail": "MAIL FROM",
    "rcpt": "RCPT TO",
    "data": "DATA",
    "body": "DATA",
}
"""The command that each stage of a dialogue answers."""
BREAKS = ("close", "reset", "stall")
TRANSACTION = ("mail", "rcpt", "data", "body")


class Step(NamedTuple):
    """What was answered at a stage; ``address`` is a recipient's."""

    stage: str
    reply: str
    at: str
    address: str = ""

    @property
    def is_refusal(self) -> bool:
        """Whether it goes no further from here."""
        return self.reply in BREAKS or self.reply.startswith(("4", "5"))


@dataclass(frozen=True, slots=True)
class Attempt:
    """How it went for one recipient.

    Args:
        at: when it was decided, in UTC.
        recipient: lower case.
        command: the last one that was answered, or the first one that was refused.
        reply: on one line; ``close``, ``reset`` or ``stall`` where it was none, empty where nobody was.
        outcome: ``taken``, ``refused``, ``broken`` by the remote, ``left`` by the client, or ``unanswered``.
        code: the answer's, of what was taken or refused.
    """

    at: str
    recipient: str
    command: str
    reply: str
    outcome: str
    code: int | None


def now() -> str:
    """The time, in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def attempts(steps: Sequence[Step], people: Iterable[str]) -> Iterator[Attempt]:
    """How a dialogue with one transaction went.

    Args:
        steps: its answers, in order.
        people: whom the message is for; counts where the client did not come to name anybody.
    """
    named = [step for step in steps if step.stage == "rcpt"]
    for address in [step.address for step in named] or people:
        own = [step for step in steps if step.stage != "rcpt" or step.address == address]
        yield _attempt(_decisive(own), address)


def unanswered(address: str) -> Attempt:
    """An attempt to connect where nobody listens."""
    return Attempt(now(), address.lower(), COMMANDS["connect"], "", "unanswered", None)


def _decisive(steps: Sequence[Step]) -> Step:
    """The first refusal of a transaction; where none came about, the last answer."""
    return next((step for step in steps if step.stage in TRANSACTION and step.is_refusal), steps[-1])


def _attempt(step: Step, address: str) -> Attempt:
    if step.reply in BREAKS:
        outcome = "broken"
    elif step.is_refusal:
        outcome = "refused"
    else:
        outcome = "taken" if step.stage == "body" else "left"
    code = int(step.reply[:3]) if outcome in ("taken", "refused") else None
    return Attempt(
        step.at, address.lower(), COMMANDS[step.stage], " ".join(step.reply.split()), outcome, code
    )


class Account:
    """A folder with the attempts and the mail that was accepted; without one nothing is kept."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def write(self, found: Iterable[Attempt], **about: str) -> None:
        """Add attempts, and what is known about them."""
        if self._folder is None:
            return
        lines = (json.dumps({**about, **asdict(each)}, ensure_ascii=False) for each in found)
        with (self._folder / FILE).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    def store(self, name: str, mail: bytes) -> None:
        """Keep a mail; the last one of a name stays."""
        if self._folder is not None:
            (self._folder / f"{name}.eml").write_bytes(mail)


class Conversation:
    """The answers within one connection, told to the account transaction by transaction."""

    def __init__(self, account: Account, people: Sequence[str], **about: str) -> None:
        self._account = account
        self._people = people
        self._about = about
        self._steps: list[Step] = []
        self._is_told = False

    def answered(self, stage: str, reply: str, address: str = "") -> None:
        """An answer is about to be given."""
        if stage == "mail" and any(step.stage == "mail" for step in self._steps):
            self.over()
            self._steps = [step for step in self._steps if step.stage not in TRANSACTION]
        self._steps.append(Step(stage, reply, now(), address))
        self._is_told = False

    def over(self) -> None:
        """The connection has ended, or another transaction begins."""
        if self._steps and not self._is_told:
            self._account.write(attempts(self._steps, self._people), **self._about)
        self._is_told = True
