"""The questions of one delivery attempt: which exchanger each address belongs to.

Postfix asks for all MX records in the order in which DNS gave them, then for the addresses host by
host, best preference first, A before AAAA. An exchanger that is an alias is asked for by the name
it stands for; one without any address is not asked for at all.

Contract: pure. `exchanger` and `address` take one question in and tell whether it can be of this
attempt; an MX record behind an address cannot, nor can an address beyond the last exchanger.
What is remembered is bounded by what fits into one DNS answer, the time for each question is
constant on average (but for an alias that is listed twice). Failure: an alias behind an exchanger
without addresses is taken for that one, an alias of another exchanger's name for that other; from
then on, or once the order tells, `vague` is true. Of names that stand for
several exchangers, or for one twice, it can be lost whose they are: then `unplaced` tells whether
an address can still be of this attempt; the attempt may be taken for two, and take two tokens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

__all__ = ["Questions", "preference_of"]

_MOST = 4096  # records: a DNS answer of 64 KiB has room for fewer
_NUMERIC = frozenset(b"0123456789.:")
_USUAL = {b"%d" % number: number for number in range(101)}  # preferences; to read one takes longer


def preference_of(raw: bytes) -> int | None:
    """The preference in an MX record; None: it is none."""
    known = _USUAL.get(raw)
    return int(raw) if known is None and raw.isdigit() and len(raw) <= 5 else known


class Questions:
    """What one attempt has asked so far."""

    __slots__ = (
        "_asked", "_equals", "_given", "_host", "_left", "_level", "_lookups", "_name", "_order",
        "_records", "_stands", "_values", "bare", "domain", "hosts", "vague",
    )  # fmt: skip

    def __init__(self, domain: bytes) -> None:
        self.domain = domain
        self.bare = False  # no exchanger was asked for: it began with an address
        self.hosts: dict[bytes, int] = {}  # exchanger → its best preference
        self._equals: dict[int, list[bytes]] = {}  # those of each preference
        self._records: set[tuple[int, bytes]] = set()
        self._given: list[bytes] = []  # their exchangers, twins and all
        self._left: dict[bytes, int] = {}  # how often each may still be asked for
        self._stands: dict[bytes, list[bytes]] = {}  # alias's real name → itself, for each look-up
        self._asked: set[bytes] = set()  # exchangers whose addresses were asked for
        self._order: deque[bytes] | None = None  # those that were not, best preference first
        self.vague = False  # whether any of them may be another one than it is taken for
        self._lookups = 0
        self._level = -1  # preference of the exchanger asked for last
        self._name = b""  # the name whose addresses are being asked for,
        self._host = b""  # the exchanger it is of,
        self._values: set[bytes] = set()  # and those that were seen

    @classmethod
    def of_host(cls, name: bytes) -> Questions:
        """An attempt without MX records: a next-hop in brackets, or a domain that has none."""
        made = cls(name)
        made.exchanger(name, 0, name)
        made.bare = True
        return made

    def exchanger(self, domain: bytes, preference: int, host: bytes) -> bool:
        """An MX record; False: it cannot be of this attempt."""
        record = (preference, host)
        if domain != self.domain or self._lookups or len(self._given) >= _MOST:
            return False
        self._given.append(host)
        self._left[host] = self._left.get(host, 0) + 1
        if record in self._records:
            return True
        self._records.add(record)
        self._equals.setdefault(preference, []).append(host)
        best = self.hosts.get(host)
        if best is None or preference < best:
            self.hosts[host] = preference
        return True

    def address(self, name: bytes, value: bytes) -> bytes | None:
        """The exchanger this address belongs to; None: it cannot be of this attempt."""
        if name == self._name and value not in self._values:
            if self._host:
                self._values.add(value)
            return self._host or None
        if self._lookups >= len(self._given):
            return None
        host = name if name in self.hosts else self._again(name) or self._alias()
        if host is None and name in self._stands:
            host = self._stands[name][0]  # taken for another one's name before
        if host is None:
            return None
        if host == name and (self.hosts[name] < self._level or self._left[name] <= 0):
            self.vague = True  # this or one before was asked for on behalf of an alias
        self._left[host] -= 1
        if host != name:
            self._stands.setdefault(name, []).append(host)
        self._asked.add(host)
        if (preference := self.hosts[host]) > self._level:
            self._level = preference
        self._looked_up(name, host, value)
        return host

    def unplaced(self, name: bytes, value: bytes) -> bool:
        """Whether an address of no exchanger that is known can be of this attempt all the same."""
        if name == self._name and not self._host and value not in self._values:
            self._values.add(value)
            return True
        if self._lookups >= len(self._given):
            return False
        self._looked_up(name, b"", value)
        return True

    def _looked_up(self, name: bytes, host: bytes, value: bytes) -> None:
        self._lookups += 1
        self._name, self._host, self._values = name, host, {value}

    def equals(self, host: bytes) -> Sequence[bytes]:
        """The exchangers of the same preference, itself among them."""
        return self._equals[self.hosts[host]]

    def to_come(self, host: bytes) -> list[bytes]:
        """The exchangers of its preference behind it whose addresses were not asked for yet."""
        equals = self._equals[self.hosts[host]]
        return [one for one in equals[equals.index(host) + 1 :] if one not in self._asked]

    def _again(self, name: bytes) -> bytes | None:
        """The exchanger that this was the real name of, if it was given more often than asked."""
        stood = self._stands.get(name)
        return stood[0] if stood and len(stood) < self._given.count(stood[0]) else None

    def _alias(self) -> bytes | None:
        """The first exchanger whose turn may still come."""
        order = self._order
        if order is None:
            named = (host for host in self.hosts if not _NUMERIC.issuperset(host))
            order = self._order = deque(sorted(named, key=self.hosts.__getitem__))
        while order and (order[0] in self._asked or self.hosts[order[0]] < self._level):
            order.popleft()
        while order and order[-1] in self._asked:
            order.pop()
        if not order:
            return None
        self.vague = self.vague or len(order) > 1
        return order.popleft()
