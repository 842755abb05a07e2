"""The lines for Exim's own configuration: the gate in `hold_domains`, and what the log should tell.

Contract: pure; text out, which Exim expands at each delivery attempt for each address. The question
is asked only for mail that leaves the machine, and only while the daemon is alive (a file that it
touches each second): so a daemon that hangs costs nothing. Anything but the very answer `hold` lets
mail go. Failure: none; `mxheed doctor` has Exim expand the line as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["FRESH", "SELECTORS", "Wanted", "gate", "selectors"]

FRESH = 5  # seconds for which a daemon that touched the file counts as alive
SELECTORS = (
    "millisec", "pid", "deliver_time", "outgoing_port", "sender_on_delivery", "received_recipients",
)  # fmt: skip
_LOCAL = "+local_domains"
_MX = "${lookup dnsdb{>, defer_never,mx=$domain}{$value}{}}"


@dataclass(frozen=True)
class Wanted:
    """What the lines are made for."""

    socket: str  # as `${readsocket}` names it: a path, or inet:HOST:PORT
    alive: str  # the file that a daemon touches each second
    local: str = _LOCAL  # domains that never leave the machine, as Exim lists them
    own: str = ""  # the operator's own hold_domains, which stays in front
    smarthost: str = ""  # all mail goes there
    pool: str = ""  # of the source address


def gate(wanted: Wanted) -> str:
    """The setting `hold_domains`, on lines of its own."""
    words = ["hold $message_exim_id $domain from=$sender_address_domain"]
    if wanted.pool:
        words.append(f"pool={wanted.pool}")
    words.append(wanted.smarthost or _MX)
    asked = f"${{readsocket{{{wanted.socket}}}{{{' '.join(words)}\\n}}{{1s:cache=yes}}{{}}{{}}}}"
    mtime = f"${{extract{{mtime}}{{${{stat:{wanted.alive}}}}}}}"
    own = f"{wanted.own} : " if wanted.own else ""
    return (
        f"hold_domains = {own}${{if and{{ \\\n"
        f"  {{!match_domain{{$domain}}{{{wanted.local}}}}} \\\n"
        f"  {{exists{{{wanted.alive}}}}} \\\n"
        f"  {{>{{{mtime}}}{{${{eval:$tod_epoch-{FRESH}}}}}}} \\\n"
        f"  {{eq{{{asked}}}{{hold}}}} \\\n"
        "  }{*}{}}\n"
    )


def selectors(has: Sequence[str]) -> str:
    """The log selectors that are missing, as words of `log_selector`."""
    return " ".join(f"+{name}" for name in SELECTORS if name not in has)
