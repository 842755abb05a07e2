"""The hosts of one receiver: whose trouble is whose, and which of them to leave out.

Contract: pure and bounded; the host unheard of for longest is forgotten first, those in trouble
last. A host's trouble is its own while another one answers: what a message outlived at the next
host in the same attempt, connections and greetings that fail, attempts without any word. IPv6 as a
whole is kept like a host: what is said about our IPv6 address concerns no IPv4.
Failure: none; a host nobody knows is well, but does not count as one that answers.
Length: all that makes a host somebody to leave out, or to use, is read side by side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from policyd.throttle.evidence import AcceptedMail, Evidence
from policyd.throttle.lane.host import Host
from policyd.throttle.lane.ownlimits import OwnLimits, flow, limited, share
from policyd.throttle.lane.silence import Silence
from policyd.throttle.lane.window import Attempt, Window
from policyd.throttle.settings.hosts import HostSettings
from policyd.throttle.settings.pacing import PacingSettings, Reaction

__all__ = ["GREETING", "SIX", "Hosts"]

SIX = "IPv6"
GREETING = frozenset({"connect", "helo"})

_LATELY = 600.0  # seconds for which a host that answered counts as one that does
_QUICKER = 4.0  # times: so much quicker must another one be
_CLIPPED = 2.0  # times `slow`: one message that takes longer does not make a host slow
_SLOWER = 2.0  # times: the next wait of a slow host
_REST = 60.0
_SHORT = 1.0  # the others take mail meanwhile, so a refused probe costs little


class Hosts:
    """See the module."""

    __slots__ = ("_hosts", "_own", "_rests", "_settings", "_silence", "aside", "six")

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        self._hosts: dict[str, Host] = {}
        self._own = OwnLimits()
        self._silence = Silence()
        self._rests = 0.0  # until then nobody is left out
        self.six: Host | None = None  # all IPv6 addresses, where they are refused as such
        self.aside = 0  # hosts that are to be looked at: nearly always none

    def use(self, settings: HostSettings) -> None:
        """Judge by these settings from now on."""
        self._settings = settings

    def __iter__(self) -> Iterator[Host]:
        yield from self._hosts.values()
        if self.six is not None:
            yield self.six

    def of(self, address: str, name: str, now: float) -> Host:
        """A host, made if it is new; where its address is not logged, its name stands for it."""
        key = address or name
        found = self._hosts.get(key)
        if found is None:
            if len(self._hosts) >= self._settings.most:
                least = min(self._hosts.values(), key=lambda one: (bool(one.why), one.seen))
                del self._hosts[least.address]
            found = self._hosts[key] = Host(key, name, now)
        found.name = name or found.name
        return found

    def put(self, host: Host) -> None:
        """Take one back after a restart."""
        if host.address == SIX:
            self.six = host
        elif len(self._hosts) < self._settings.most:
            self._hosts[host.address] = host
        self._count()

    @property
    def apart(self) -> bool:
        """Whether they are known to have limits of their own."""
        return self._own.apart

    # what is seen -------------------------------------------------------------------------------

    def offered(self, attempt: Attempt, now: float) -> None:
        """An attempt may go to one more host.

        Only hosts of one family are compared: Postfix may be told to prefer one of them.
        """
        if self._own.apart:
            share(self._hosts, attempt.offered, now)
        if len(attempt.offered) == 2:
            self._silence.offered(attempt)
        six = ":" in attempt.offered[-1]
        alike = [one for one in attempt.offered if (":" in one) == six]
        if (count := len(alike)) < 2:
            return
        before = 1 / (count - 1) if count > 2 else 0.0
        for address in alike:
            part = 1 / count - (before if address != alike[-1] else 0.0)
            if self.of(address, "", now).offers(part, now):
                self.aside = max(1, self.aside)  # it is to be looked at

    def ended(self, line: Evidence, attempt: Attempt | None, now: float) -> None:
        """A host ended an attempt: who says something after the greeting is there."""
        if line.host and line.origin == "remote":
            host = self.of(line.address, line.host, now)
            if line.outcome == "sent":
                self._accepted(host, line.domain, attempt, now)
            elif line.stage not in GREETING:
                host.speaks(now)

    def accepted(self, mail: AcceptedMail, attempt: Attempt | None, now: float) -> None:
        """The same for accepted mail."""
        address = mail.group[0] if mail.group else None
        host = self.of(str(address or ""), mail.host, now)
        self._accepted(host, mail.domain, attempt, now)

    def _accepted(self, host: Host, domain: str, attempt: Attempt | None, now: float) -> None:
        took, longest = None, _CLIPPED * self._settings.slow
        if attempt is not None and not (self.aside and self._shared(attempt)):
            took = min(now - attempt.began, longest)
        slow = took is not None and self._is_slow(host, host.lasts(took), now)
        host.accepts(now, took, clears=not slow)
        if slow:
            self._slow(host, f"took {host.latency:.1f} s a message", now)
        if self.six is not None and ":" in host.address:
            self.six.accepts(now, None)
        if self.apart and attempt is not None and self._refuses(attempt.began, now):
            self._own.confirmed()
        if self.aside:
            if host.why:
                self._silence.over(domain)
            self._count()

    def _refuses(self, began: float, now: float) -> bool:
        """Whether another host was stopped when an attempt began that this one took."""
        return any(one.failed < began and now < one.until for one in self._hosts.values())

    def _shared(self, attempt: Attempt) -> bool:
        """Whether another host may have had a part in an attempt: one failed meanwhile."""
        return any(one.why and one.seen >= attempt.began for one in self._hosts.values())

    def _is_slow(self, host: Host, latency: float, now: float) -> bool:
        return latency >= self._settings.slow and any(
            one is not host and 0 < one.latency * _QUICKER < latency and not one.why
            for one in self._answering(now)
        )

    def _answering(self, now: float) -> Iterator[Host]:
        return (one for one in self._hosts.values() if now - one.answered < _LATELY)

    def _slow(self, host: Host, reply: str, now: float) -> None:
        settings = self._settings
        host.fails("slow", reply, settings.again, _SLOWER, settings.longest, now)
        self._count()

    def stuck(self, now: float) -> Collection[str]:
        """The domains of which an attempt waits at a slow host."""
        return self._silence.stuck(now)

    def look(self, window: Window, now: float) -> bool:
        """Find hosts that keep silent; True: places of those who wait there are free again."""
        self._own.expire(now)
        if self.aside:
            awaited = self._silence.awaited()
            for host in self._hosts.values():
                if host.asked and host.address not in awaited:
                    host.asked = 0.0  # those attempts all went to other hosts
            self._count()
        late = self._silence.late(now - self._settings.silent)
        if not late:
            return False
        if address := self._silence.silent(late, self._hosts.values()):
            self._slow(self.of(address, "", now), f"no word for {now - late[0].began:.1f} s", now)
        slow = {one.address for one in self._hosts.values() if one.why == "slow"}
        return self._silence.set_aside(late, slow, window)

    # what is said -------------------------------------------------------------------------------

    def outlived(
        self, evidence: Evidence, reaction: Reaction, hint: float | None,
        settings: PacingSettings, now: float,
    ) -> None:  # fmt: skip
        """A refusal at one host that did not keep the message from being delivered."""
        if reaction.act != "slow" or self._own.seen(settings, now):
            self._refused(evidence, reaction, hint, settings, now)

    def refused(
        self, evidence: Evidence, reaction: Reaction, hint: float | None,
        settings: PacingSettings, now: float,
    ) -> bool:  # fmt: skip
        """A rate was refused; True: it is this host's own, for they are known to have their own."""
        if not self._own.apart or reaction.act != "slow" or not evidence.address:
            return False
        host = self.of(evidence.address, evidence.host, now)
        others = (one for one in self._answering(now) if one is not host)
        if not host.why and self._own.doubted(host, others, now):
            return False
        self._refused(evidence, reaction, hint, settings, now)
        return True

    def _refused(
        self, evidence: Evidence, reaction: Reaction, hint: float | None,
        settings: PacingSettings, now: float,
    ) -> None:  # fmt: skip
        slow = reaction.act == "slow"
        pause = min(reaction.pause, _SHORT) if slow else reaction.pause
        host = self._fails(evidence, reaction, pause if hint is None else hint, now)
        if slow and host is not None:
            limited(host, settings, now)
        self._count()

    def _fails(
        self, evidence: Evidence, reaction: Reaction, first: float, now: float
    ) -> Host | None:
        """The host that is in trouble; None: it was aside before."""
        host = self.of(evidence.address, evidence.host, now)
        why, factor, longest = evidence.category or "net", reaction.factor, reaction.longest
        fresh = host.fails(why, evidence.reply, first, factor, longest, now)
        return host if fresh else None

    def troubled(self, evidence: Evidence, reaction: Reaction, now: float) -> bool:
        """It could not be spoken with; True: another one answers, so it is its own trouble."""
        self._fails(evidence, reaction, reaction.pause, now)
        self._count()
        key = evidence.address or evidence.host
        return any(one.address != key and one.answered > one.failed for one in self._answering(now))

    def refused_six(
        self, evidence: Evidence, reaction: Reaction, attempt: Attempt | None, now: float
    ) -> bool:
        """A block of our IPv6 address; True: there is IPv4, and only IPv6 waits."""
        if ":" not in evidence.address:
            return False
        four = attempt is not None and self.has_four(attempt)
        if not four and all(":" in one.address for one in self._answering(now)):
            return False
        if self.six is None:
            self.six = Host(SIX, SIX, now)
        again = max(reaction.pause, self._settings.again)
        longest = max(reaction.longest, self._settings.longest)
        self.six.fails(evidence.category, evidence.reply, again, _SLOWER, longest, now)
        self._count()
        return True

    def has_four(self, attempt: Attempt) -> bool:
        """Whether it might have gone by IPv4, as far as is known."""
        known = ((one, self._hosts.get(one)) for one in attempt.offered)
        return any(":" not in one and (host is None or not host.why) for one, host in known)

    # what follows -------------------------------------------------------------------------------

    def flow(self, now: float) -> tuple[float | None, float]:
        """What all of them take a second; until when none takes anything."""
        return flow(self._answering(now), now)

    def left_out(self, address: str, now: float) -> Host | None:
        """Whose trouble speaks against an address; None: use it."""
        if not self._settings.enabled or now < self._rests:
            return None
        host = self._hosts.get(address)
        if host is not None and not host.is_well(now):
            return host
        six = self.six
        return six if six is not None and ":" in address and not six.is_well(now) else None

    def is_aside(self, address: str, now: float) -> bool:
        """Whether this host's trouble is its own just now."""
        host = self._hosts.get(address)
        six = self.six if ":" in address else None
        return any(one is not None and one.why and now < one.until for one in (host, six))

    def answers(self, address: str, now: float) -> bool:
        """Whether this host is known to answer."""
        host = self._hosts.get(address)
        return host is not None and host.is_well(now) and now - host.answered < _LATELY

    def spares_six(self, attempt: Attempt) -> bool:
        """Whether a block of our IPv6 address need not end a message: IPv4 is next."""
        return self._settings.enabled and self.has_four(attempt)

    def any_well(self, name: str, now: float) -> bool:
        """Whether a host of this name answers; by IPv4, for not everybody has IPv6."""
        return any(
            one.name == name and one.is_well(now) and ":" not in one.address
            for one in self._answering(now)
        )

    def rest(self, now: float) -> None:
        """Nobody is left out for a while: something else than hosts is in the way."""
        self._rests = now + _REST

    def _count(self) -> None:
        """How many are to be looked at."""
        if self.six is not None and not self.six.why:
            self.six = None
        self.aside = (self.six is not None) + sum(
            1 for one in self._hosts.values() if one.why or one.pace is not None or one.was_asked
        )
