"""Which receiver stands behind an MX host: a table of exact names and label suffixes.

Contract: `ReceiverTable.of_host` answers from exact names first, then from the longest suffix on a
label boundary; `of_domain` knows consumer domains only and is weaker evidence. Pure look-ups, no
DNS.
Failure: a host that is in no table is None; mistakes in the file are `Problem`s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from rules.source import Mapping as MapNode
from rules.source import Node, Place, Problem, Scalar, Sequence, oneof

__all__ = ["LONGEST", "Receiver", "ReceiverTable", "indexed", "read_receivers", "read_several"]

LONGEST = 256  # of a host name; what is longer is none
RESERVED = frozenset({"generic", "unknown", "local", "any", "other"})
_ID = re.compile(r"[a-z0-9]+(?:[._\-][a-z0-9]+)*")
KEYS = ("id", "name", "mx", "domains", "per_tenant", "source")


@dataclass(frozen=True, slots=True)
class Receiver:
    """One receiver and how to recognise it."""

    id: str
    name: str
    exact: tuple[str, ...]
    suffix: tuple[str, ...]
    domains: tuple[str, ...]
    per_tenant: bool
    source: str
    place: Place


@dataclass(frozen=True, slots=True)
class ReceiverTable:
    """All receivers, indexed by host name and domain."""

    by_id: Mapping[str, Receiver] = field(default_factory=lambda: MappingProxyType({}))
    exact: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    suffix: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    domains: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def of_host(self, mx: str) -> str | None:
        """The receiver that runs the MX host `mx`."""
        host = mx.lower().rstrip(".") if len(mx) <= LONGEST else ""
        found = self.exact.get(host)
        while found is None and host:
            found = self.suffix.get(host)
            host = host.partition(".")[2]
        return found

    def of_domain(self, domain: str) -> str | None:
        """The receiver whose own consumer domain this is."""
        return self.domains.get(domain.lower().rstrip("."))


def read_receivers(root: Node | None, problems: list[Problem]) -> ReceiverTable:
    """The table written in a receivers file."""
    if not isinstance(root, MapNode):
        if root is not None:
            problems.append(root.place.problem("a receivers file is a mapping"))
        return ReceiverTable()
    for key, _ in root.entries:
        if key.text not in ("mxheed", "receivers"):
            problems.append(
                key.place.problem(
                    f"unknown key {key.text!r}; {oneof(key.text, ('mxheed', 'receivers'))}"
                )
            )
    listed = root.get("receivers")
    if listed is None:
        problems.append(root.place.problem("'receivers' must be a list"))
        return ReceiverTable()
    return indexed(read_several(listed, problems), problems)


def read_several(node: Node | None, problems: list[Problem]) -> list[Receiver]:
    """The receivers of a list."""
    if node is None:
        return []
    if not isinstance(node, Sequence):
        problems.append(node.place.problem("'receivers' must be a list"))
        return []
    found = [_receiver(item, problems) for item in node]
    return [receiver for receiver in found if receiver]


def _receiver(item: Node, problems: list[Problem]) -> Receiver | None:
    if not isinstance(item, MapNode):
        problems.append(item.place.problem("a receiver is a mapping with at least 'id' and 'mx'"))
        return None
    for key, _ in item.entries:
        if key.text not in KEYS:
            problems.append(key.place.problem(f"unknown key {key.text!r}; {oneof(key.text, KEYS)}"))
    name = item.get("id")
    if not isinstance(name, Scalar) or not _ID.fullmatch(name.text):
        place = name.place if isinstance(name, Scalar) else item.place
        problems.append(
            place.problem("a receiver needs an 'id': lower-case letters, digits, dashes")
        )
        return None
    if name.text in RESERVED:
        problems.append(
            name.place.problem(f"{name.text!r} has a meaning of its own, take another id")
        )
        return None
    mx = item.get("mx")
    exact: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()
    if isinstance(mx, MapNode):
        for key, value in mx.entries:
            if key.text == "exact":
                exact = _hosts(value, problems)
            elif key.text == "suffix":
                suffix = _hosts(value, problems)
            else:
                problems.append(
                    key.place.problem(f"unknown key {key.text!r}; allowed: exact, suffix")
                )
    elif mx is not None:
        problems.append(mx.place.problem("'mx' is a mapping of 'exact' and 'suffix'"))
    domains = item.get("domains")
    title, source, tenant = item.get("name"), item.get("source"), item.get("per_tenant")
    return Receiver(
        id=name.text,
        name=title.text if isinstance(title, Scalar) else name.text,
        exact=exact,
        suffix=suffix,
        domains=_hosts(domains, problems) if domains is not None else (),
        per_tenant=isinstance(tenant, Scalar) and tenant.value is True,
        source=source.text if isinstance(source, Scalar) else "",
        place=item.place,
    )


def _hosts(node: Node, problems: list[Problem]) -> tuple[str, ...]:
    items: Iterable[Node] = node.items if isinstance(node, Sequence) else (node,)
    names: list[str] = []
    for item in items:
        if isinstance(item, Scalar) and isinstance(item.value, str) and " " not in item.text:
            names.append(item.text.lower().strip("."))
        else:
            problems.append(item.place.problem("a host name is expected here"))
    return tuple(names)


def indexed(found: list[Receiver], problems: list[Problem]) -> ReceiverTable:
    """The look-up tables of these receivers."""
    by_id: dict[str, Receiver] = {}
    tables: dict[str, dict[str, str]] = {"exact": {}, "suffix": {}, "domains": {}}
    for receiver in found:
        if receiver.id in by_id:
            problems.append(receiver.place.problem(f"receiver {receiver.id!r} is repeated"))
            continue
        by_id[receiver.id] = receiver
        for kind, table in tables.items():
            for host in getattr(receiver, kind):
                other = table.setdefault(host, receiver.id)
                if other != receiver.id:
                    problems.append(
                        receiver.place.problem(f"{host!r} already belongs to {other!r}")
                    )
    return ReceiverTable(
        MappingProxyType(by_id),
        MappingProxyType(tables["exact"]),
        MappingProxyType(tables["suffix"]),
        MappingProxyType(tables["domains"]),
    )
