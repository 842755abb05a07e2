"""The lines that Postfix's configuration needs for the hooks at hand.

Contract: pure. `fragments` turns settings into pieces of main.cf and master.cf; nothing is edited.
With contrib/postfix/mxheed.yaml they are the files of contrib/postfix, word for word (a test says
so), and those are what the live tests run with. Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from policyd.hooks.transportmap import recipient_transport
from policyd.postfix.policycheck import policy_text
from policyd.postfix.tables import merged
from policyd.serve.settings import ServeSettings
from policyd.throttle.settings.pacing import Limits, PacingSettings

__all__ = ["QUEUE_DIRECTORY", "Fragment", "fragments", "learnt_limits", "seen_from_postfix"]

QUEUE_DIRECTORY = "/var/spool/postfix"

_LIMIT = re.compile(r'^mxheed_receiver_recipient_limit\{receiver="([^"]+)"\} (\d+(?:\.0)?)$', re.M)

_GATE = """\
# The MX gate: before each delivery attempt smtp(8) shows mxheed the MX record it is about to use.
# "Not now" defers the message softly and no connection is made; anything else changes nothing.
# A unix path is relative to the queue directory: the same for chrooted and other services.
#
# When nobody answers: a missing socket defers outbound mail until Postfix's own next try; a socket
# with a hung process behind it makes each attempt wait 100 s. Nothing bounces, local mail goes on,
# and `mxheed bypass` on the same sockets lets outbound mail go at once.
#
# Of several tables ours is the last: what yours drop stays dropped, and mxheed sees what is left.
smtp_dns_reply_filter = {filters}
"""

_STATUS = """\
# The status filter: smtp(8) shows mxheed each final verdict ("5.5.3 host … said: 552 …"). A limit
# that a receiver speaks as 5yz is answered as 4yz: the message stays queued instead of bouncing.
# When the socket is missing, the verdict stands as the receiver spoke it.
smtp_delivery_status_filter = {filters}
"""

_RESOLVER = """\
# The transport map, for the queue manager alone: smtpd keeps the plain resolver. Mail is accepted
# while mxheed is away, but what is queued, local mail too, waits until it (or `mxheed bypass`)
# answers again. Replaces your qmgr line.
#
# If main.cf has transport_maps, they are named here too, before ours:
#   -o transport_maps=hash:/etc/postfix/transport,socketmap:…
# A transport that mxheed names takes precedence over relayhost and sender-dependent transports:
# leave this away where you use those. Pacing does not need it.
qmgr      unix  n       -       n       300     1       qmgr
    -o rewrite_service_name=rewrite-queue
rewrite-queue unix -    -       y       -       -       trivial-rewrite
    -o {option}
"""

_TRANSPORTS = """\
# Receivers with a transport of their own: process limit, rate delay, source address.
"""

_TRANSPORT = """\
# {receiver}
{name:<9} unix  -       -       y       -       {processes:<7} smtp
    -o syslog_name=postfix/{name}
"""

_FEWER = """\
# Transports that send to fewer recipients at once (their limits are in main.cf), for receivers that
# take fewer a message than Postfix sends. mxheed names them once it has learnt a receiver's limit.
"""

_FEWER_TRANSPORT = """\
{name:<10} unix  -       -       y       -       -       smtp
    -o syslog_name=postfix/{name}
"""

_FEWER_LIMITS = """\
# Recipients at once for the transports of that name in master.cf.
"""

_POOL = """\
# A source address with a pace of its own: the name of the map ("mx/{pool}") tells mxheed which pool
# asks, the syslog name tells it in the log. Route mail here with
# sender_dependent_default_transport_maps or the like.
{pool:<9} unix  -       -       y       -       -       smtp
    -o syslog_name=postfix/{pool}
    -o smtp_bind_address={address}
    -o smtp_dns_reply_filter=socketmap:{socketmap}:mx/{pool}
"""


class Fragment(NamedTuple):
    """A piece of Postfix's configuration."""

    name: str
    file: str  # "main.cf" or "master.cf"
    text: str


def seen_from_postfix(addresses: Sequence[str], queue_directory: str = QUEUE_DIRECTORY) -> str:
    """Our address as Postfix must write it, "" if there is none.

    Chrooted services only see what is under their queue directory: such an address goes first.
    """
    inside = f"unix:{queue_directory.rstrip('/')}/"
    for address in addresses:
        if address.startswith(inside):
            return f"unix:{address.removeprefix(inside)}"
    return addresses[0] if addresses else ""


def fragments(
    serve: ServeSettings,
    pacing: PacingSettings,
    pools: Mapping[str, str],
    queue_directory: str = QUEUE_DIRECTORY,
    learnt: Mapping[str, int] | None = None,
    restrictions: str = "",
    theirs: Mapping[str, str] | None = None,
) -> Iterator[Fragment]:
    """Everything this configuration needs, in the order it is best read.

    `learnt`: recipients per message a receiver was seen to take, where nothing is configured;
    `restrictions`: what smtpd_recipient_restrictions is today; `theirs`: what the parameters hold
    that name our tables.
    """
    here = theirs or {}
    socketmap = seen_from_postfix(serve.socketmap, queue_directory)
    policy = seen_from_postfix(serve.policy, queue_directory)
    if socketmap:
        filters = merged(here.get("smtp_dns_reply_filter", ""), f"socketmap:{socketmap}:mx")
        yield Fragment("gate", "main.cf", _GATE.format(filters=filters))
    if socketmap and serve.status.enabled:
        now = here.get("smtp_delivery_status_filter", "")
        filters = merged(now, f"socketmap:{socketmap}:status")
        yield Fragment("status", "main.cf", _STATUS.format(filters=filters))
    if policy:
        yield Fragment("policy", "main.cf", policy_text(policy, restrictions))
    if socketmap and (serve.transports or serve.recipient_limits):
        maps = merged(here.get("transport_maps", ""), f"socketmap:{socketmap}:transport")
        yield Fragment("resolver", "master.cf", _RESOLVER.format(option=_option(maps)))
    if socketmap and serve.transports:
        text = _TRANSPORTS
        for receiver, name in serve.transports.items():
            text += _transport(receiver, name, pacing.receivers.get(receiver, Limits()))
        yield Fragment("transport", "master.cf", text)
    if limits := _recipient_limits(serve, pacing, learnt or {}):
        yield Fragment("transport", "main.cf", limits)
    if socketmap and serve.recipient_limits:
        names = {size: recipient_transport(size) for size in sorted(serve.recipient_limits)}
        fewer = "".join(_FEWER_TRANSPORT.format(name=name) for name in names.values())
        limits = "".join(
            f"{name}_destination_recipient_limit = {size}\n" for size, name in names.items()
        )
        yield Fragment("recipients", "master.cf", _FEWER + fewer)
        yield Fragment("recipients", "main.cf", _FEWER_LIMITS + limits)
    for number, pool in enumerate(sorted(set(pools.values()) - {""}), 2):
        address = f"192.0.2.{number}"
        text = _POOL.format(pool=pool, address=address, socketmap=socketmap)
        yield Fragment("pools", "master.cf", text)


def _option(maps: str) -> str:
    """The maps as an option of a service; with blanks only in braces."""
    tight = maps.replace(", ", ",")
    return f"{{ transport_maps = {maps} }}" if " " in tight else f"transport_maps={tight}"


def _transport(receiver: str, name: str, limits: Limits) -> str:
    processes = limits.connections or "-"
    text = _TRANSPORT.format(receiver=receiver, name=name, processes=processes)
    if limits.messages_per_connection:
        text += f"    -o smtp_connection_reuse_count_limit={limits.messages_per_connection}\n"
    return text


def _recipient_limits(
    serve: ServeSettings, pacing: PacingSettings, learnt: Mapping[str, int]
) -> str:
    known = dict(learnt)
    known |= {name: one.recipients for name, one in pacing.receivers.items() if one.recipients}
    lines = [
        f"{serve.transports[receiver]}_destination_recipient_limit = {count}\n"
        for receiver, count in sorted(known.items())
        if receiver in serve.transports
    ]
    lines += [
        f"# {receiver} takes {count}: see serve.recipient_limits\n"
        for receiver, count in sorted(known.items())
        if receiver not in serve.transports and not serve.recipient_limits
    ]
    head = "# Recipients per message, for the receivers whose maximum is known.\n"
    return head + "".join(lines) if lines else ""


def learnt_limits(metrics: str) -> dict[str, int]:
    """The recipient limits among a running daemon's metrics."""
    return {found[1]: int(float(found[2])) for found in _LIMIT.finditer(metrics)}
