"""What an administrator adds to Exim's configuration: Debian's, split or not, or a plain file.

Contract: pure; from what Exim says of itself to text. `fragment` is what is to be added, and where;
`commands` does the same in a shell, once: what an earlier one added is replaced. An operator's own
`hold_domains` stays, in front of ours. Failure: none; nothing is written here.
"""

from __future__ import annotations

import shlex
from typing import NamedTuple

from policyd.exim.config import EximConfig
from policyd.exim.lines import SELECTORS, Wanted, gate

__all__ = ["EximLines", "commands", "fragment", "has_gate", "own_list", "wanted"]

_SPLIT = "/etc/exim4/conf.d/main/000_mxheed"
_UNSPLIT = "/etc/exim4/exim4.conf.localmacros"
_USUAL = "+smtp_protocol_error +smtp_syntax_error +tls_certificate_verified +tls_peerdn"
_BEGIN, _END = "# mxheed: begin", "# mxheed: end"
_GATE = "${if and{"
_SIGN = "{hold $message_exim_id"


class EximLines(NamedTuple):
    """Lines, and where they belong."""

    file: str
    text: str
    how: str  # "to be added to", …
    then: str  # the command that puts them in force


def has_gate(value: str) -> bool:
    """Whether this `hold_domains` asks us."""
    return _SIGN in value


def own_list(value: str) -> str:
    """An operator's own part of `hold_domains`."""
    if not has_gate(value):
        return value.strip()
    return value[: value.rfind(_GATE, 0, value.find(_SIGN))].strip().removesuffix(":").strip()


def wanted(config: EximConfig, socket: str, alive: str, pool: str = "") -> Wanted:
    """What the lines are made for, on this machine."""
    return Wanted(
        socket,
        alive,
        "+local_domains" if config.local else "@",
        own_list(config.options.get("hold_domains", "")),
        ",".join(config.smarthosts),
        pool,
    )


def fragment(config: EximConfig, asked: Wanted) -> EximLines:
    """What is to be added, and where."""
    text = f"{_BEGIN}\n{gate(asked)}{_selectors(config)}{_END}\n"
    if config.layout == "plain":
        how = "to be put into the first section (above the first `begin`) of"
        return EximLines(config.file, text, how, "exim -bV && kill -HUP $(cat PIDFILE)")
    file = _SPLIT if config.layout == "split" else _UNSPLIT
    return EximLines(file, text, "to be added to", "update-exim4.conf && service exim4 reload")


def _selectors(config: EximConfig) -> str:
    """The log's words that pacing reads, and those that tell a story better."""
    has = config.options.get("log_selector", "").split()
    if config.layout == "plain":
        missing = [f"+{one}" for one in SELECTORS if f"+{one}" not in has]
        return f"log_selector = {' '.join(has + missing)}\n" if missing else ""
    ours = " ".join(f"+{one}" for one in SELECTORS)  # all: what is there may be from us
    return (
        ".ifndef MAIN_LOG_SELECTOR\n"
        f"MAIN_LOG_SELECTOR = {_USUAL}\n"
        ".endif\n"
        f"MAIN_LOG_SELECTOR == MAIN_LOG_SELECTOR {ours}\n"
    )


def commands(piece: EximLines, layout: str) -> str:
    """The same as a shell's work."""
    if layout == "plain":
        return f"# put this into {piece.file} yourself: nothing there says where\nexit 1\n"
    file = shlex.quote(piece.file)
    old = "" if layout == "split" else f"sed -i '/^{_BEGIN}$/,/^{_END}$/d' {file}\n"
    return (
        f"set -e\ntouch {file}\n{old}"
        f"cat {'>' if layout == 'split' else '>>'}{file} <<'MXHEED'\n{piece.text}MXHEED\n"
    )
