"""Runs the systems, one after the other, and collects what they report."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.lab.box import Box, LabError, make_base, need_root, run
from training.lab.labels import Reader, labelled, read_reports, write
from training.lab.message import message, sender
from training.lab.network import REMOTES, Network, namespace
from training.lab.remote import DNS_ADDRESS
from training.lab.scenario import Scenario, scenarios

HERE = Path(__file__).parent
TOP = HERE.parent.parent
HOME = "sender.example"
SETTLE_SECONDS, MAX_SECONDS = 30, 150
log = logging.getLogger("lab")


@dataclass(frozen=True, slots=True)
class System:
    """A mail system, or the filters."""

    name: str
    packages: tuple[str, ...]
    start: tuple[str, ...]
    mailbox: str = ""
    warning: str = ""
    quiet_s: int = 15
    hidden: tuple[dict[str, str], ...] = ()


def systems() -> tuple[tuple[System, ...], System]:
    """The sending systems, and the filters that some scenarios send to."""
    content = tomllib.loads((HERE / "systems.toml").read_text("utf-8"))
    return tuple(_system(entry) for entry in content["system"]), _system(content["filters"])


def _system(entry: dict[str, Any]) -> System:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()
    }
    return System(**values)


def run_lab(work: Path, out: Path, only: Sequence[str] = ()) -> dict[str, int]:
    """Run all systems, or those named; writes each one's reports as soon as it is done.

    Returns:
        How many reports each system made.

    Raises:
        LabError: the base, the network or the filters could not be made. A system that fails is left out.
    """
    need_root()
    work.mkdir(parents=True, exist_ok=True)
    make_base(work)
    senders, filters = systems()
    wanted = [each for each in senders if not only or each.name in only]
    for each in (*wanted, filters):
        install(work, each)
    with ExitStack() as stack:
        network = stack.enter_context(Network(tuple(each.name for each in senders), filters.name))
        stack.enter_context(remotes())
        stack.enter_context(started(work, filters, network))
        return {each.name: _reports(work, out, each, network) for each in wanted}


def install(work: Path, system: System) -> None:
    """Install a system's packages, over the host's network."""
    with Box(work, system.name) as box:
        box.write("etc/resolv.conf", Path("/etc/resolv.conf").read_bytes())
        box.install(system.packages)


@contextmanager
def remotes(account: Path | None = None) -> Iterator[None]:
    """The scripted remotes and the DNS, in their own network; their account goes to a folder, if any."""
    command = ["ip", "netns", "exec", REMOTES, sys.executable, "-m", "training.lab.remote"]
    command += [str(account.resolve())] if account else []
    process = subprocess.Popen(  # noqa: S603  # the lab's own command
        command, stdout=subprocess.PIPE, text=True, cwd=TOP, env={**os.environ, "PYTHONPATH": str(TOP)}
    )
    try:
        if not process.stdout or process.stdout.readline() != "ready\n":
            raise LabError("the scripted remotes did not start")
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def started(work: Path, system: System, network: Network) -> Iterator[Box]:
    """A system that is configured and running."""
    with Box(work, system.name, namespace(system.name)) as box:
        box.write("etc/resolv.conf", f"nameserver {DNS_ADDRESS}\n".encode())
        host = "mx.recv.example" if not system.mailbox else f"mta.{HOME}"
        box.run("hostname", host)
        box.write("etc/hosts", f"127.0.0.1 localhost\n{network.address(system.name)} {host}\n".encode())
        tls = "".join(f"{each.domain} encrypt\n" for each in scenarios() if each.require_tls)
        box.write("etc/lab/tls", tls.encode())
        box.copy(HERE / "systems" / system.name)
        box.run("sh", "-c", "id office || useradd -m office; rm -rf /home/office/Maildir")
        for command in system.start:
            log.info("%s: %s", system.name, command)
            box.run(
                "sh",
                "-c",
                f"( {command} ) </dev/null >/tmp/start.log 2>&1 || {{ cat /tmp/start.log; false; }}",
            )
        yield box


def scenarios_of(system: System) -> list[Scenario]:
    """The scenarios that a system takes part in."""
    return [each for each in scenarios() if not each.systems or system.name in each.systems]


def submit_all(box: Box, system: System, chosen: Iterable[Scenario]) -> None:
    """Hand over a message for each scenario."""
    numbers = {each.id: number for number, each in enumerate(scenarios())}
    for each in chosen:
        submit(box, system, each, message(each, numbers[each.id]))


def _reports(work: Path, out: Path, system: System, network: Network) -> int:
    mine = scenarios_of(system)
    try:
        with started(work, system, network) as box:
            submit_all(box, system, mine)
            raws = wait(box.root / system.mailbox, system.quiet_s)
    except LabError:
        log.exception("%s is left out", system.name)
        return 0
    found = list(labelled(raws, mine, Reader(system.name, system.warning, system.hidden)))
    write(out, system.name, found)
    missing = {each.id for each in mine} - {each.label["scenario"] for each in found}
    log.info("%s: %d reports; none for %s", system.name, len(found), " ".join(sorted(missing)))
    return len(found)


def submit(box: Box, system: System, scenario: Scenario, text: str) -> None:
    """Hand over a message: by SMTP where an extension is asked for, else by the sendmail command."""
    people = [each.address for each in scenario.recipients]
    if scenario.notify or scenario.smtputf8:
        job: dict[str, Any] = {"sender": sender(scenario), "recipients": people, "message": text}
        job |= {"notify": scenario.notify, "smtputf8": scenario.smtputf8}
        command = ("ip", "netns", "exec", namespace(system.name), sys.executable, str(HERE / "submit.py"))
        refused = run(*command, text=json.dumps(job), check=False)
    else:
        refused = box.run("sendmail", "-i", "-f", sender(scenario), *people, text=text, check=False)
    if refused.strip():
        log.info("%s: %s at submission: %s", system.name, scenario.id, refused.strip().splitlines()[-1])


def wait(path: Path, quiet_s: int) -> list[bytes]:
    """The reports, once no more come."""
    begun, changed, count = time.monotonic(), time.monotonic(), 0
    while time.monotonic() - begun < MAX_SECONDS:
        now = len(list(read_reports(path)))
        if now != count:
            count, changed = now, time.monotonic()
        if time.monotonic() - begun > SETTLE_SECONDS and time.monotonic() - changed > quiet_s:
            break
        time.sleep(1)
    return list(read_reports(path))
