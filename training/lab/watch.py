"""Sees who tries to connect to addresses of the lab where nobody answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from typing import NamedTuple

from training.lab.account import Account, unanswered
from training.lab.dns import DEAD_MX
from training.lab.scenario import DEAD_ROUTES, Scenario

ETHERTYPE_IPV4 = 0x0800
TCP = 6
SYN, SYN_OR_ACK = 0x02, 0x12
MAX_PACKET = 2048


class Call(NamedTuple):
    """The first packet of a connection; repeated ones are equal."""

    source: str
    port: int
    target: str


def call_of(packet: bytes) -> Call | None:
    """The attempt to connect that an IPv4 packet is; ``None`` for any other packet."""
    start = (packet[0] & 15) * 4
    if packet[9] != TCP or len(packet) < start + 14 or packet[start + 13] & SYN_OR_ACK != SYN:
        return None
    source, target = (str(IPv4Address(packet[at : at + 4])) for at in (12, 16))
    return Call(source, int.from_bytes(packet[start : start + 2], "big"), target)


def unserved(all_scenarios: tuple[Scenario, ...]) -> dict[str, tuple[Scenario, str]]:
    """The addresses where nobody answers, each with its scenario and its host's name."""
    found = {each.address: (each, each.host) for each in all_scenarios if each.route in DEAD_ROUTES}
    return found | {
        each.dead_mx: (each, f"{DEAD_MX}.{each.domain}") for each in all_scenarios if each.dead_mx
    }


def watcher(account: Account, targets: Mapping[str, tuple[Scenario, str]]) -> Callable[[bytes], None]:
    """Writes each attempt to connect to one of the targets, once."""
    seen: set[Call] = set()

    def see(packet: bytes) -> None:
        call = call_of(packet)
        if call is None or call in seen or call.target not in targets:
            return
        seen.add(call)
        scenario, host = targets[call.target]
        about = {"scenario": scenario.id, "peer": host, "peer_ip": call.target}
        account.write((unanswered(each.address) for each in scenario.recipients), **about)

    return see


def watch(account: Account, all_scenarios: tuple[Scenario, ...]) -> socket.socket:
    """Watch all links of this network; the socket must be kept."""
    link = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETHERTYPE_IPV4))
    link.settimeout(0)
    see = watcher(account, unserved(all_scenarios))
    asyncio.get_running_loop().add_reader(link, lambda: see(link.recv(MAX_PACKET)))
    return link
