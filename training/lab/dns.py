"""A DNS answerer for the scenarios' zone: A, MX, TXT and PTR; everything else is empty."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import TypeAlias

from training.lab.scenario import Scenario

A, PTR, MX, TXT, ANY = 1, 12, 15, 16, 255
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
ASKER = "asker"
"""The address of whoever asks: a host that is the asker itself."""
TTL = 60
HOME = "sender.example"
DEAD_MX = "old"
"""How a host is called that is asked first and does not answer."""
BLOCK_LIST = "bl.example"
LISTED = range(1, 64)
"""The last bytes of the addresses in 203.0.113.0/24 that the block list knows: all sending systems."""

Zone: TypeAlias = dict[str, dict[int, list[str]] | int]
"""By lower-case name: the records by type, or the return code that the name gets."""


def zone_of(scenarios: Iterable[Scenario]) -> Zone:
    """The names that lead to the scenarios' remotes."""
    zone: Zone = {
        HOME: {MX: [f"10 mta.{HOME}"], TXT: ["v=spf1 ip4:203.0.113.0/24 -all"]},
        f"mta.{HOME}": {A: [ASKER]},
        "spoofed.example": {
            A: ["198.51.100.250"],
            MX: ["10 spoofed.example"],
            TXT: ["v=spf1 ip4:198.51.100.250 -all"],
        },
        "strict.example": {
            A: ["198.51.100.251"],
            MX: ["10 strict.example"],
            TXT: ["v=spf1 ip4:198.51.100.251 -all"],
        },
        "_dmarc.strict.example": {TXT: ["v=DMARC1; p=reject; rua=mailto:reports@strict.example"]},
    }
    for last in LISTED:
        zone[f"{last}.113.0.203.{BLOCK_LIST}"] = {A: ["127.0.0.2"], TXT: ["address is listed"]}
    for scenario in scenarios:
        zone.update(_names(scenario))
    return zone


def _names(scenario: Scenario) -> Zone:
    domain, host = scenario.domain.encode("idna").decode().lower(), scenario.host.lower()
    match scenario.route:
        case "nxdomain" | "local":
            return {}
        case "servfail":
            return {domain: SERVFAIL}
        case "null_mx":
            return {domain: {MX: ["0 ."]}}
        case "mx_nowhere":
            return {domain: {MX: [f"10 {host}"]}}
        case "self":
            return {domain: {MX: [f"10 {host}"]}, host: {A: [ASKER]}}
    found: Zone = {domain: {MX: [f"10 {host}"]}, host: {A: [scenario.address]}}
    if scenario.dead_mx:
        old = f"{DEAD_MX}.{domain}"
        found |= {domain: {MX: [f"5 {old}", f"10 {host}"]}, old: {A: [scenario.dead_mx]}}
    return found


def answer(query: bytes, zone: Zone, asker: str) -> bytes:
    """The answer to a query, as bytes."""
    name, end = _question(query)
    kind = struct.unpack("!H", query[end : end + 2])[0]
    entry = zone.get(name, NOERROR if any(each.endswith(f".{name}") for each in zone) else NXDOMAIN)
    code = entry if isinstance(entry, int) else NOERROR
    values = [] if isinstance(entry, int) else entry.get(kind, [])
    records = b"".join(_record(kind, asker if value == ASKER else value) for value in values)
    header = query[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(values), 0, 0)
    return header + query[12 : end + 4] + records


def _question(query: bytes) -> tuple[str, int]:
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1").lower())
        at += 1 + query[at]
    return ".".join(labels), at + 1


def _record(kind: int, value: str) -> bytes:
    data = _data(kind, value)
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, TTL, len(data)) + data


def _data(kind: int, value: str) -> bytes:
    match kind:
        case 1:
            return IPv4Address(value).packed
        case 15:
            preference, _, host = value.partition(" ")
            return struct.pack("!H", int(preference)) + _name(host)
        case 16:
            return bytes([len(value)]) + value.encode()
    return _name(value)


def _name(host: str) -> bytes:
    labels = [label.encode() for label in host.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
