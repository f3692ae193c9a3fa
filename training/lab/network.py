"""The lab's own network: one namespace for all remotes, one for each system; nothing leaves the machine."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from training.lab.box import run

PREFIX = "ndrlab"
REMOTES = f"{PREFIX}-net"
SYSTEM_NET = "203.0.113"
FILTERS_LAST_BYTE = 254
_REMOTES_READY = (
    ("ip", "link", "set", "lo", "up"),
    ("ip", "route", "add", "local", "198.51.100.0/24", "dev", "lo"),
    ("ip", "route", "add", "blackhole", "192.0.2.0/24"),
    ("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"),
)


class Network:
    """Namespaces for the remotes, the systems and the filters; use it as a context manager."""

    def __init__(self, systems: tuple[str, ...], filters: str) -> None:
        self.last_bytes = {name: 4 * number + 2 for number, name in enumerate(systems)}
        self.last_bytes[filters] = FILTERS_LAST_BYTE

    def __enter__(self) -> Self:
        self._remove()
        run("ip", "netns", "add", REMOTES)
        for command in _REMOTES_READY:
            run("ip", "netns", "exec", REMOTES, *command)
        for name, last in self.last_bytes.items():
            self._attach(namespace(name), last)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def address(self, name: str) -> str:
        """A system's address."""
        return f"{SYSTEM_NET}.{self.last_bytes[name]}"

    def _attach(self, name: str, last: int) -> None:
        outer, inner, here = f"lab{last}r", f"lab{last}s", f"{SYSTEM_NET}.{last}"
        gateway = f"{SYSTEM_NET}.{last - 1}"
        run("ip", "netns", "add", name)
        run(
            "ip", "link", "add", outer, "netns", REMOTES, "type", "veth", "peer", "name", inner, "netns", name
        )
        for space, link, address in ((REMOTES, outer, gateway), (name, inner, here)):
            run("ip", "-n", space, "addr", "add", f"{address}/30", "dev", link)
            run("ip", "-n", space, "link", "set", link, "up")
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", name, "route", "add", "default", "via", gateway)
        run("ip", "-n", name, "route", "add", "unreachable", "192.0.2.128/25")

    def _remove(self) -> None:
        for name in (*map(namespace, self.last_bytes), REMOTES):
            run("ip", "netns", "delete", name, check=False)


def namespace(name: str) -> str:
    """The network namespace of a system."""
    return f"{PREFIX}-{name}"
