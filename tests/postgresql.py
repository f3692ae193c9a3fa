"""Starts a private PostgreSQL on a socket in a scratch folder, as a plain user, where it is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

HINT = "apt-get install --no-install-recommends postgresql"
USERS = ("postgres", "nobody")
"""Whose rights it gets where root starts it, which it refuses."""

OPTIONS = "-c listen_addresses='' -c fsync=off -k {folder}"


class NotInstalled(Exception):
    """PostgreSQL, or what speaks with it, is not installed: says which."""


class Server:
    """A running server.

    Args:
        folder: with its files and its socket.
        programs: of PostgreSQL.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._whose = _whose()

    def new_database(self) -> str:
        """The SQLAlchemy address of an empty database of its own."""
        import psycopg

        name = f"ndr_{uuid4().hex}"
        with psycopg.connect(
            host=str(self._folder), user="ndr", dbname="postgres", autocommit=True
        ) as database:
            database.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://ndr@/{name}?host={self._folder}"

    def start(self) -> None:
        """Makes its files, where there are none, and starts it."""
        if not self._files.exists():
            self._run("initdb", "-U", "ndr", "--auth=trust", "--no-sync", "-E", "UTF8", "--no-locale")
        options = OPTIONS.format(folder=self._folder)
        self._run("pg_ctl", "start", "-w", "-l", str(self._folder / "log"), "-o", options)

    def stop(self) -> None:
        """Stops it as a crash would."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate")

    @property
    def _files(self) -> Path:
        return self._folder / "files"

    def _run(self, program: str, *arguments: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        command = [str(self._programs / program), *arguments, "-D", str(self._files)]
        ended = subprocess.run(
            command,
            cwd=self._folder,
            env={**kept, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=120,
            **self._whose,
        )
        if ended.returncode:
            raise RuntimeError(f"{program} failed: {ended.stderr.decode(errors='replace')}")


@contextmanager
def server() -> Iterator[Server]:
    """A server that ends with the block.

    Raises:
        NotInstalled: something is missing.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="ndr-pg-", dir="/tmp"))  # a socket's path is short
    try:
        whose = _whose()
        if whose:
            os.chown(folder, whose["user"], whose["group"])
        running = Server(folder, programs)
        running.start()
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise NotInstalled("psycopg is not installed: pip install 'ndr-triage[postgresql]'") from None
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    named = shutil.which("initdb")
    if not found and not named:
        raise NotInstalled(f"PostgreSQL is not installed: {HINT}")
    return (found[-1] if found else Path(named or "")).parent


def _whose() -> Mapping[str, Any]:
    """The user that it runs as: this one, but not root."""
    if os.geteuid() != 0:
        return {}
    known = {each.pw_name: each for each in pwd.getpwall()}
    user = next(known[name] for name in USERS if name in known)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
