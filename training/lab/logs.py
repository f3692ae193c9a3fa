"""``python -m training.lab.logs --work DIR --out DIR``: real logs, beside what was really tried."""

from __future__ import annotations

import json
import logging
import signal
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from model.errors import NdrError
from training.lab.account import FILE
from training.lab.box import Box, make_base, need_root, run
from training.lab.network import REMOTES, Network
from training.lab.run import (
    HERE,
    TOP,
    System,
    install,
    remotes,
    scenarios_of,
    started,
    submit_all,
    systems,
    wait,
)

ACCOUNT = "account"
EX_UNAVAILABLE = 69
log = logging.getLogger("lab.logs")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a system, and what is kept of it."""

    name: str
    system: str
    logs: dict[str, str]
    scenarios: Sequence[str]
    headers: Sequence[str] = ()
    start: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All runs, the visits that each gets, and what is kept of the filters that all send to."""

    runs: tuple[Run, ...]
    visits: Sequence[dict[str, Any]]
    logs: dict[str, str]
    mailbox: str
    mailbox_of: str


def plan() -> Plan:
    """What ``logs.toml`` says."""
    content = tomllib.loads((HERE / "logs.toml").read_text("utf-8"))
    return Plan(
        tuple(Run(**{"scenarios": content["scenarios"], **each}) for each in content["run"]),
        content["visit"],
        **content["receiving"],
    )


def run_logs(work: Path, out: Path) -> dict[str, int]:
    """Run all systems of the plan, one after the other.

    Returns:
        How many attempts each run made.

    Raises:
        LabError: something could not be installed or started.
    """
    need_root()
    work.mkdir(parents=True, exist_ok=True)
    make_base(work)
    senders, filters = systems()
    by_name = {each.name: each for each in senders}
    wanted = plan()
    for name in {each.system for each in wanted.runs}:
        install(work, by_name[name])
    install(work, filters)
    account = _emptied(work / ACCOUNT)
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        network = stack.enter_context(Network(tuple(by_name), filters.name))
        receiving = stack.enter_context(started(work, filters, network))
        lab = _Lab(work, out, account, network, receiving, wanted)
        found = {each.name: lab.run(each, by_name[each.system]) for each in wanted.runs}
        _keep(receiving, wanted.logs, out)
    lines = (_line({"run": name, **each}) for name in found for each in found[name])
    (out / FILE).write_text("".join(lines), "utf-8")
    return {name: len(each) for name, each in found.items()}


@dataclass(slots=True)
class _Lab:
    """What all runs share."""

    work: Path
    out: Path
    account: Path
    network: Network
    receiving: Box
    plan: Plan

    def run(self, wanted: Run, system: System) -> Sequence[dict[str, Any]]:
        """Run a system, keep what it wrote, and tell what it tried."""
        _emptied(self.account)
        mailbox = self.receiving.root / self.plan.mailbox
        before = set(mailbox.glob("*"))
        system = replace(system, start=(*wanted.start, *system.start))
        with remotes(self.account), started(self.work, system, self.network) as box:
            submit_all(box, system, [each for each in scenarios_of(system) if each.id in wanted.scenarios])
            self._visit(system)
            wait(box.root / system.mailbox, system.quiet_s)
            _keep(box, wanted.logs, self.out)
        for each in set(mailbox.glob("*")) - before:
            (self.account / f"{self.plan.mailbox_of}.eml").write_bytes(each.read_bytes())
        for name in wanted.headers:
            header = (self.account / f"{name}.eml").read_bytes().partition(b"\n\n")[0]
            (self.out / f"headers-{wanted.name}-{name.replace('_', '-')}.txt").write_bytes(header + b"\n")
        return sorted(self._attempts(), key=lambda each: str(each["at"]))

    def _visit(self, system: System) -> None:
        job = {
            "server": self.network.address(system.name),
            "visits": self.plan.visits,
            "folder": str(self.account),
        }
        inside = ("ip", "netns", "exec", REMOTES, "env", "-C", str(TOP))
        run(*inside, sys.executable, "-m", "training.lab.visit", text=json.dumps(job))

    def _attempts(self) -> Iterator[dict[str, Any]]:
        names = {each["id"] for each in self.plan.visits}
        for line in (self.account / FILE).read_text("utf-8").splitlines():
            each = json.loads(line)
            yield {"way": "in" if each["scenario"] in names else "out", **each}


def _line(entry: dict[str, Any]) -> str:
    return f"{json.dumps(entry, ensure_ascii=False, separators=(',', ':'))}\n"


def _emptied(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for each in folder.iterdir():
        each.unlink()
    return folder.resolve()


def _keep(box: Box, logs: dict[str, str], out: Path) -> None:
    for name, path in logs.items():
        (out / name).write_bytes((box.root / path).read_bytes())


@click.command()
@click.option(
    "--work", required=True, type=click.Path(file_okay=False, path_type=Path), help="Scratch folder."
)
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where all is kept."
)
def main(work: Path, out: Path) -> None:
    """Keep the logs of real mail systems, with the remotes' account; needs root, Debian and the network."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EX_UNAVAILABLE))  # boxes end with their exit
    try:
        counts = run_logs(work, out)
    except NdrError as error:
        click.echo(f"lab: {error}", err=True)
        sys.exit(EX_UNAVAILABLE)
    for name, count in counts.items():
        click.echo(f"{name}: {count} attempts")


if __name__ == "__main__":
    main()
