"""Who is behind a mail exchanger or a domain: the roll-up to a receiver.

Contract: pure; names in, a receiver's id with its reason out. A host is rolled up by an exact rule,
else by the longest suffix rule, else by its registrable domain (`mx:example.net`), else by itself;
an address is `ip:192.0.2.1`. A domain is rolled up by its best-preference hosts, which must agree.
What deliveries and look-ups teach about domains is remembered in a bounded table; nothing here asks
the network.
Failure: a name that is no name becomes `unknown`; nothing raises.
Length: what decides about hosts, and about domains by their hosts, stands side by side.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import ClassVar, Literal, NamedTuple, Protocol

from publicsuffixlist import PublicSuffixList

__all__ = [
    "UNKNOWN",
    "DomainRollup",
    "KnownReceivers",
    "Learnt",
    "Receivers",
    "Rollup",
    "canonical",
    "registrable",
]

UNKNOWN = "unknown"

# Below these names every label belongs to somebody else, though no registry says so.
_DYNAMIC = (
    "ddns.net",
    "dyndns.org",
    "duckdns.org",
    "dynu.net",
    "homeip.net",
    "myfritz.net",
    "no-ip.org",
    "selfhost.eu",
)
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\Z")

HostHow = Literal["exact", "suffix", "registrable", "host", "literal", "null", "unknown"]
DomainHow = Literal["mx", "mixed", "implicit", "literal", "null", "learnt", "consumer", "unknown"]


class KnownReceivers(Protocol):
    """The rules' table of known receivers (`rules.RuleSet.receivers`)."""

    def of_host(self, mx: str) -> str | None:
        """The receiver whose exact or longest suffix rule names this host."""

    def of_domain(self, domain: str) -> str | None:
        """The receiver of a consumer domain, where one is written down."""


class Rollup(NamedTuple):
    """One host's receiver and what decided it."""

    host: str
    receiver: str
    how: HostHow
    by: str  # the rule, registrable domain or address that decided


class DomainRollup(NamedTuple):
    """One domain's receiver, what decided it, and the hosts it was decided from."""

    domain: str
    receiver: str
    how: DomainHow
    hosts: tuple[Rollup, ...] = ()  # best preference only
    others: tuple[str, ...] = ()  # hosts of worse preference: they do not decide


class Learnt(NamedTuple):
    """What a delivery or a look-up taught about a domain."""

    receiver: str
    host: str
    time: float


def canonical(name: str) -> str:
    """Lower case, no final dot, A-labels; "" for what cannot be a host name."""
    name = name.strip().rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return name if len(name) <= 253 and _NAME.match(name) else ""


def _address(text: str) -> str | None:
    """The address in `192.0.2.1`, `[192.0.2.1]` or `[IPv6:2001:db8::1]`, else None."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
        if text[:5].lower() == "ipv6:":
            text = text[5:]
    if ":" not in text and not text[-1:].isdigit():  # a name: told without raising
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    """The list that comes with the package: only registries' own suffixes, never the network."""
    return PublicSuffixList(accept_unknown=True, only_icann=True)


def registrable(host: str) -> str | None:
    """The public suffix and one label (`mx.example.co.uk` → `example.co.uk`), or None."""
    for suffix in _DYNAMIC:
        if host.endswith("." + suffix):
            label = host[: -len(suffix) - 1].rpartition(".")[2]
            return f"{label}.{suffix}"
    found: str | None = _suffixes().privatesuffix(host)
    return found


class Receivers:
    """Rolls hosts and domains up; remembers, within bounds, what was rolled up and learnt."""

    SAVED: ClassVar = [(str, str, str, float)]  # domain, receiver, host, time

    def __init__(
        self, table: KnownReceivers, *, cache: int = 65_536, learnt: int = 200_000
    ) -> None:
        self._table = table
        self._cache_size = cache
        self._learnt_size = learnt
        self._hosts: dict[str, str] = {}
        self._raw: dict[bytes, str] = {}
        self._learnt: dict[str, Learnt] = {}
        self._former: dict[str, Learnt] = {}  # learnt under other rules, and not asked for since

    # hosts -------------------------------------------------------------------------------------

    def of_host(self, host: str) -> str:
        """The receiver's id of one mail exchanger."""
        found = self._hosts.get(host)
        if found is None:
            found = self.explain_host(host).receiver
            _bounded(self._hosts, self._cache_size)
            self._hosts[host] = found
        return found

    def of_raw_host(self, host: bytes) -> str:
        """The same for the bytes of a DNS record (any case, final dot): the gate's fast way."""
        found = self._raw.get(host)
        if found is None:
            found = self.of_host(host.decode("ascii", "replace").rstrip(".").lower())
            _bounded(self._raw, self._cache_size)
            self._raw[host] = found
        return found

    def explain_host(self, host: str) -> Rollup:
        """The receiver of one host and the rule that decided it."""
        if host.strip() in (".", ""):
            return Rollup(host, UNKNOWN, "null" if host.strip() == "." else "unknown", host)
        if address := _address(host):
            return Rollup(host, f"ip:{address}", "literal", address)
        name = canonical(host)
        if not name:
            return Rollup(host, UNKNOWN, "unknown", "not a host name")
        if receiver := self._table.of_host(name):
            return Rollup(name, receiver, *self._rule_for(name, receiver))
        if owner := registrable(name):
            return Rollup(name, f"mx:{owner}", "registrable", owner)
        return Rollup(name, f"mx:{name}", "host", name)

    def _rule_for(self, name: str, receiver: str) -> tuple[Literal["exact", "suffix"], str]:
        """Find out which rule spoke, by asking the table for the name's parents."""
        if self._table.of_host(f"x.{name}") != receiver:
            return "exact", name
        rule = name
        while (parent := rule.partition(".")[2]) and self._table.of_host(parent) == receiver:
            rule = parent
        return "suffix", f".{rule}"

    # domains -----------------------------------------------------------------------------------

    def of_mx(self, domain: str, records: Iterable[tuple[int, str]]) -> DomainRollup:
        """Roll a domain up by its MX records (preference, host); none at all: implicit MX."""
        if address := _address(domain):
            rollup = self.explain_host(address)
            return DomainRollup(domain, rollup.receiver, "literal", (rollup,))
        listed = sorted((preference, host.lower()) for preference, host in records)
        real = [(preference, host) for preference, host in listed if host.rstrip(".")]
        if listed and not real:
            return DomainRollup(domain, UNKNOWN, "null")
        if not real:
            rollup = self.explain_host(domain)
            return DomainRollup(domain, rollup.receiver, "implicit", (rollup,))
        best = real[0][0]
        hosts = tuple(self.explain_host(host) for preference, host in real if preference == best)
        others = tuple(host for preference, host in real if preference != best)
        if len({rollup.receiver for rollup in hosts}) == 1:
            return DomainRollup(domain, hosts[0].receiver, "mx", hosts, others)
        first = registrable(hosts[0].host) or hosts[0].host
        return DomainRollup(domain, f"mx:{first}", "mixed", hosts, others)

    def of_domain(self, domain: str) -> DomainRollup:
        """What is known of a domain without asking anybody: learnt, written down, or unknown."""
        if known := self._known(domain):
            return DomainRollup(domain, known.receiver, "learnt", (self.explain_host(known.host),))
        if address := _address(domain):
            return DomainRollup(domain, f"ip:{address}", "literal", (self.explain_host(address),))
        if receiver := self._table.of_domain(canonical(domain)):
            return DomainRollup(domain, receiver, "consumer")
        return DomainRollup(domain, UNKNOWN, "unknown")

    def quick_of_domain(self, domain: str) -> str:
        """`of_domain(domain).receiver` for a plain name in lower case, without its reasons."""
        known = self._learnt.get(domain) or (self._former and self._known(domain))
        return known.receiver if known else self._table.of_domain(domain) or UNKNOWN

    def learn(self, domain: str, host: str, now: float) -> str:
        """Remember that mail to `domain` goes to `host`; returns the receiver."""
        receiver = self.of_host(host)
        old = self._known(domain)
        if old is None:
            _bounded(self._learnt, self._learnt_size)
        elif old.receiver == receiver and now - old.time < 3600:
            return receiver  # nothing new: spare the hot path
        else:
            del self._learnt[domain]  # to the young end
        self._learnt[domain] = Learnt(receiver, host, now)
        return receiver

    def remember(self, rollup: DomainRollup, now: float) -> None:
        """Take a look-up's answer over, unless deliveries have shown better."""
        if rollup.hosts and not self._known(rollup.domain):
            _bounded(self._learnt, self._learnt_size)
            self._learnt[rollup.domain] = Learnt(rollup.receiver, rollup.hosts[0].host, now)

    def domains(self) -> dict[str, list[str]]:
        """Receiver → the domains known to sit behind it."""
        found: dict[str, list[str]] = {}
        for domain in list(self._former):
            self._known(domain)
        for domain, known in self._learnt.items():
            found.setdefault(known.receiver, []).append(domain)
        return {receiver: sorted(names) for receiver, names in sorted(found.items())}

    def rows(self) -> Iterator[list[str | float]]:
        """What was learnt until now, oldest first, as plain values; made one by one."""
        learnt = [*self._former.items(), *self._learnt.items()]
        return ([domain, *known] for domain, known in learnt)

    def snapshot(self) -> list[list[str | float]]:
        """The same at once."""
        return list(self.rows())

    def succeed(self, former: Receivers) -> None:
        """Take over what was learnt under other rules; each host is rolled up anew when asked for.

        So a reload takes no longer with many domains than with few.
        """
        self._former = {**former._former, **former._learnt} if former._former else former._learnt

    def _known(self, domain: str) -> Learnt | None:
        known = self._learnt.get(domain)
        if known is None and (old := self._former.pop(domain, None)):
            known = self._learnt[domain] = old._replace(receiver=self.of_host(old.host))
        return known

    def restore(self, saved: Sequence[tuple[str, str, str, float]], shift: float = 0.0) -> None:
        """Take a snapshot back, its times moved; the rules may have changed: hosts are rolled up
        anew.
        """
        for domain, _, host, time in saved[-self._learnt_size :]:
            self._learnt[domain] = Learnt(self.of_host(host), host, time + shift)


def _bounded(table: dict[str, str] | dict[bytes, str] | dict[str, Learnt], size: int) -> None:
    """Make room by forgetting the oldest eighth: cheap on average, never unbounded."""
    if len(table) < size:
        return
    old: list[str] | list[bytes] = list(table)[: max(1, size // 8)]  # type: ignore[assignment]
    for key in old:
        del table[key]  # type: ignore[arg-type]
