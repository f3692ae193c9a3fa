"""A Debian system with a mail server, the product installed and its service, in a network of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from training.lab.box import Box, LabError, make_base, run

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
NETWORK = "ndr-gateways"
NDR = "/opt/ndr/bin/ndr"
WAIT_S = 600.0
LOOK_S = 0.2
ACCOUNTS = (
    "useradd --system --create-home --home-dir /var/lib/ndr ndr 2>/dev/null || true",
    "useradd --create-home office 2>/dev/null || true",
    "install -d -o ndr -g ndr /var/lib/ndr",
    "install -d -o nobody -g nogroup /var/lib/ndr-alias",
)


class House:
    """One system; use it as a context manager.

    Args:
        work: scratch folder, kept for the next run.
        name: of the box.
        packages: what Debian installs in it.
        source: the checkout that the product is built from.
    """

    def __init__(self, work: Path, name: str, packages: Sequence[str], source: Path = ROOT) -> None:
        self.work, self.name, self.packages = work.resolve(), name, packages
        self.source = source
        self.box = Box(self.work, name, NETWORK)
        self.background: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        self._installed()
        run("ip", "netns", "delete", NETWORK, check=False)
        run("ip", "netns", "add", NETWORK)
        run("ip", "-n", NETWORK, "link", "set", "lo", "up")
        self.box.__enter__()
        for command in ACCOUNTS:
            self.sh(command)
        self.box.write("etc/hosts", b"127.0.0.1 localhost mail.example\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.box.__exit__(kind, error, trace)
        run("ip", "netns", "delete", NETWORK, check=False)

    def _installed(self) -> None:
        """Installs packages and the product, while the box still has the host's network."""
        self.work.mkdir(parents=True, exist_ok=True)
        make_base(self.work)
        wheels = self.work / "wheels"
        make = [sys.executable, "-m", "pip", "wheel", "-q", "-w", str(wheels), "--find-links", str(wheels)]
        run(*make, f"{self.source}[lmtp]")
        with Box(self.work, self.name) as box:
            box.install((*self.packages, "curl", "python3-venv"))
            for wheel in wheels.iterdir():
                box.write(f"root/wheels/{wheel.name}", wheel.read_bytes())
            pip = "/opt/ndr/bin/pip install -q --no-index --find-links /root/wheels"
            box.run("sh", "-ec", f"[ -x {NDR} ] || python3 -m venv /opt/ndr; {pip} 'ndr-triage[lmtp]'")
            box.run("sh", "-ec", f"{pip} --no-deps --force-reinstall ndr-triage; rm -rf /root/wheels")

    def sh(self, command: str, *, check: bool = True, text: str = "") -> str:
        """Runs a shell command in the box; what it printed."""
        return self.box.run("sh", "-c", command, check=check, text=text)

    def start(self, name: str, command: str, user: str = "ndr") -> None:
        """Starts a command in the background; its log and process id lie in /var/log/trial."""
        into = f"/var/log/trial/{name}"
        as_user = f"setpriv --reuid={user} --regid={user} --init-groups env HOME=/var/lib/ndr"
        self.sh("mkdir -p /var/log/trial")
        self.sh(f"{as_user} {command} >>{into}.log 2>&1 </dev/null & echo $! >{into}.pid")

    def stop(self, name: str) -> None:
        """Ends what was started, and waits until it has."""
        file = f"/var/log/trial/{name}.pid"
        self.sh(f"kill $(cat {file})")
        gone = f"! grep -qs 'State:.[RSDT]' /proc/$(cat {file})/status && echo gone"  # nobody buries it here
        self.until(f"{name} ends", lambda: "gone" in self.sh(gone, check=False))

    def kill(self, name: str) -> None:
        """Ends what was started at once, with its children, as a crash would."""
        self.sh(f"p=$(cat /var/log/trial/{name}.pid); kill -9 $p $(ps -o pid= --ppid $p)")

    def serve(self) -> None:
        """Starts the service and waits until it answers."""
        self.start("service", f"{NDR} serve")
        self.until(
            "the service answers", lambda: "ready" in self.sh("curl -s localhost:8080/readyz", check=False)
        )

    def send(self, recipient: str, count: int, *, port: int = 25, first: int = 0, at_once: int = 1) -> None:
        """Hands bounces to the mail server."""
        script = Path(__file__).with_name("bounces.py").read_text("utf-8")
        self.box.run("python3", "-", str(port), recipient, str(first), str(count), str(at_once), text=script)

    def until(self, claim: str, is_so: Callable[[], bool], wait_s: float = WAIT_S) -> None:
        """Waits for something.

        Raises:
            LabError: it does not come.
        """
        ends_at = time.monotonic() + wait_s
        while not is_so():
            if time.monotonic() > ends_at:
                raise LabError(f"not within {wait_s:.0f} s: {claim}")
            time.sleep(LOOK_S)

    def read(self, path: str) -> bytes:
        """A file in the box; empty where there is none."""
        file = self.box.root / path.lstrip("/")
        return file.read_bytes() if file.exists() else b""

    def answers(self, path: str) -> Counter[str]:
        """The returned mails that the answers in a file are about, and how often."""
        found = Counter[str]()
        for answer in objects_in(self.read(path).decode()):
            assert answer["kind"] == "bounce", answer
            found[answer["original_message_id"]] += 1
        return found

    def mails(self, folder: str) -> list[bytes]:
        """The mails of a maildir."""
        new = self.box.root / folder.lstrip("/") / "new"
        return [file.read_bytes() for file in new.iterdir()] if new.exists() else []


def objects_in(text: str) -> list[dict[str, object]]:
    """JSON objects that follow each other, on lines of their own or not."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while match := re.compile(r"\s*(?=\S)").match(text, at):
        value, at = decoder.raw_decode(text, match.end())
        found.append(value)
    return found


def example(path: str) -> str:
    """An example of the documentation, to be used as it is."""
    return (EXAMPLES / path).read_text("utf-8")
