"""A Debian system in an overlay, with its own processes, mounts and network; the host stays untouched.

Everything lies below one work directory. A box ends with its first process, and its mounts with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from model.errors import NdrError

BASE_PACKAGES = "iproute2,procps,netbase,ca-certificates"
RELEASE = "bookworm"
DENY_SERVICES = "#!/bin/sh\nexit 101\n"
SETUP = """set -e
mount -t overlay overlay -o "lowerdir=$3,upperdir=$2/$4,workdir=$2/work" "$2/root"
mount -t proc proc "$2/root/proc"
mount --rbind /dev "$2/root/dev"
hostname mta.sender.example
exec chroot "$2/root" /bin/sh -c 'echo ready; while :; do sleep 600 & wait $!; done'
"""


class LabError(NdrError):
    """A real system could not be installed or started."""


class Box:
    """One system: an overlay over the common base; use it as a context manager."""

    def __init__(self, work: Path, name: str, netns: str | None = None) -> None:
        self.work = work.resolve()
        self.folder = self.work / name
        self.name = name
        self._netns = netns
        self._first: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        layers, upper = self._layers()
        for part in (upper, "work", "root"):
            Path(self.folder, part).mkdir(parents=True, exist_ok=True)
        inside = ["ip", "netns", "exec", self._netns] if self._netns else []
        command = [
            "unshare",
            "--mount",
            "--uts",
            "--pid",
            "--fork",
            "--kill-child",
            "sh",
            "-c",
            SETUP,
            "setup",
        ]
        self._first = subprocess.Popen(  # noqa: S603  # the lab's own commands
            [*inside, *command, str(self.work), str(self.folder), layers, upper],
            stdout=subprocess.PIPE,
            text=True,
        )
        if not self._first.stdout or self._first.stdout.readline() != "ready\n":
            raise LabError(f"{self.name}: the overlay could not be mounted")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._first:
            self._first.kill()
            self._first.wait()

    def _layers(self) -> tuple[str, str]:
        """What lies below, and what is written to; with a network it starts afresh over what is installed."""
        base = str(self.work / "base")
        if not self._netns:
            return base, "upper"
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        return f"{self.folder / 'upper'}:{base}", "run"

    @property
    def pid(self) -> int:
        """The box's first process, as the host counts."""
        first = self._first.pid if self._first else 0
        return int(Path(f"/proc/{first}/task/{first}/children").read_text().split()[0])

    @property
    def root(self) -> Path:
        """The box's file system, seen from the host.

        Raises:
            LabError: the first process is not in the box, so this would be the host's own.
        """
        root = Path(f"/proc/{self.pid}/root")
        if root.samefile("/"):
            raise LabError(f"{self.name}: not in its box")
        return root

    def run(self, *command: str, check: bool = True, text: str = "") -> str:
        """Run a command in the box; what it printed."""
        _ = self.root
        enter = [
            "nsenter",
            "--target",
            str(self.pid),
            "--mount",
            "--uts",
            "--pid",
            "--net",
            "--root",
            "env",
            "-C",
            "/",
        ]
        return run(*enter, *command, check=check, text=text)

    def install(self, packages: Sequence[str]) -> None:
        """Install packages, once."""
        mark = self.folder / "installed"
        if mark.exists() and mark.read_text().split() == list(packages):
            return
        apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
        self.run(*apt, "update")
        self.run(*apt, "install", "-y", "--no-install-recommends", *packages)
        mark.write_text(" ".join(packages))

    def copy(self, source: Path) -> None:
        """Lay a folder's files over the root of the box; keeps the executable bit."""
        for file in sorted(source.rglob("*")):
            if file.is_file():
                self.write(str(file.relative_to(source)), file.read_bytes(), file.stat().st_mode & 0o777)

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Write a file in the box."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes(content)
        target.chmod(mode)


def run(*command: str, check: bool = True, text: str = "") -> str:
    """Run a command to its end; what it printed.

    Raises:
        LabError: it failed and ``check`` is set; holds the end of what it printed.
    """
    done = subprocess.run(  # noqa: S603  # the lab's own commands
        command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    if check and done.returncode:
        raise LabError(f"{' '.join(command)}: exit {done.returncode}: {done.stdout[-800:]}")
    return done.stdout


def make_base(work: Path) -> None:
    """The file system that all boxes lie over; made once, with the host's package sources."""
    base = work / "base"
    if base.exists():
        return
    draft = work / "base.part"
    run("debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", RELEASE, str(draft))
    for name in ("sources.list", "sources.list.d", "apt.conf.d"):
        _copy_apt(Path("/etc/apt", name), Path(draft, "etc/apt", name))
    deny = draft / "usr/sbin/policy-rc.d"
    deny.write_text(DENY_SERVICES)
    deny.chmod(0o755)
    draft.rename(base)


def _copy_apt(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.exists():
        shutil.copyfile(source, target)


def need_root() -> None:
    """Say early what is missing.

    Raises:
        LabError: not root, or a tool is missing.
    """
    missing = [tool for tool in ("debootstrap", "ip", "unshare", "nsenter") if not shutil.which(tool)]
    if os.geteuid() or missing:
        raise LabError(f"the lab needs root and the tools {', '.join(missing) or 'it has'}")
