"""`mxheed throttle …`, `mxheed off`, `mxheed on`: see and change what the running daemon does.

Contract: every command speaks to the daemon's control socket and prints its answer; `--json` prints
it as it came. Nothing is changed without a daemon.
Failure: `ControlError` with words: no daemon, no permission, or the daemon's refusal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from policyd.cli.running import place
from policyd.cli.throttle_text import explanation, listing
from policyd.errors import ControlError
from policyd.settings.units import duration
from policyd.web.asking import ask

__all__ = ["register"]

Receiver = Annotated[
    str, typer.Argument(help="A receiver's id, such as `google`, `mx:example.net`, `ip:192.0.2.1`.")
]
Pool = Annotated[
    str | None, typer.Option(help="Only this pool of source addresses; without it, all.")
]
Socket = Annotated[
    str, typer.Option("--socket", help="The daemon's control socket, if not in the usual place.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the daemon's answer as JSON.")]

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*(s|sec|second|m|min|minute|h|hour|d|day))?")
_PER = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        no_args_is_help=True, help="See and change how the running daemon paces each receiver."
    )
    for command in (list_, explain, pin, cancel, extend, set_):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="throttle")
    app.command()(off)
    app.command()(on)


def list_(socket: Socket = "", as_json: Json = False) -> None:
    """List every receiver that is slowed, suspended, probed, pinned or waited for."""
    _tell(_ask(socket, "GET", "/throttle"), as_json)


def explain(
    receiver: Receiver, pool: Pool = None, socket: Socket = "", as_json: Json = False
) -> None:
    """Say why a receiver is treated as it is: rules, replies, counts, times, what is next."""
    target = f"/throttle/{_quoted(receiver)}"
    target += f"?pool={_quoted(pool)}" if pool is not None else ""
    _tell(_ask(socket, "GET", target), as_json)


def pin(
    receiver: Receiver,
    state: Annotated[str, typer.Argument(help="free, slowed or suspended.")],
    length: Annotated[str, typer.Option("--for", help="How long, such as 30m or 2h.")] = "1h",
    rate: Annotated[
        str | None,
        typer.Option(
            help="For `slowed`: attempts, such as 5/s, 30/min, 200/h; else as fast as now, or 1/s."
        ),
    ] = None,
    pool: Pool = None,
    socket: Socket = "",
    as_json: Json = False,
) -> None:
    """Hold a receiver in a state for a while, whatever it says."""
    arguments = {"state": state, "seconds": _seconds(length)}
    if rate is not None:
        arguments["rate"] = _rate(rate)
    _tell(_change(socket, receiver, "pin", pool, arguments), as_json)


def cancel(
    receiver: Receiver, pool: Pool = None, socket: Socket = "", as_json: Json = False
) -> None:
    """Forget the trouble and every pin: the receiver is free again."""
    _tell(_change(socket, receiver, "cancel", pool, {}), as_json)


def extend(
    receiver: Receiver,
    by: Annotated[str, typer.Argument(help="By how much, such as 10m.")],
    pool: Pool = None,
    socket: Socket = "",
    as_json: Json = False,
) -> None:
    """Prolong a suspension or a pin."""
    _tell(_change(socket, receiver, "extend", pool, {"seconds": _seconds(by)}), as_json)


def set_(
    receiver: Receiver,
    rate: Annotated[str, typer.Argument(help="Attempts, such as 5/s, 30/min or 200/h.")],
    pool: Pool = None,
    socket: Socket = "",
    as_json: Json = False,
) -> None:
    """Go on at this rate; it is learnt further from there. Ends a pin."""
    _tell(_change(socket, receiver, "set", pool, {"rate": _rate(rate)}), as_json)


def off(socket: Socket = "", as_json: Json = False) -> None:
    """Step aside: let everything that is held go at a safe rate, and hold nothing more."""
    answer = _ask(socket, "POST", "/off", {})
    held, release = answer.get("held", 0), answer.get("release", {})
    words = f"stepped aside; {held} held messages are being let go" if held else "stepped aside"
    if release.get("trouble"):
        words = "stepped aside"
    elif held and not release.get("enabled", True):
        words = (
            f"stepped aside; {held} held messages wait for Postfix's own next attempt "
            "(release.enabled is false); postqueue -f lets them go now"
        )
    _say(words)(answer, as_json)
    if release.get("trouble") and (held or not release.get("away")):
        raise ControlError(
            f"what is held cannot be let go: {release['trouble']}\n"
            "Postfix tries them again in its own time; as root, postqueue -f lets them go now"
        )


def on(socket: Socket = "", as_json: Json = False) -> None:
    """Pace again after `mxheed off`."""
    _say("pacing again")(_ask(socket, "POST", "/on", {}), as_json)


def _ask(socket: str, method: str, target: str, arguments: Mapping[str, Any] | None = None) -> Any:
    return ask(place(socket), method, target, arguments)


def _change(
    socket: str, receiver: str, verb: str, pool: str | None, arguments: dict[str, Any]
) -> Any:
    if pool is not None:
        arguments["pool"] = pool
    return _ask(socket, "POST", f"/throttle/{_quoted(receiver)}/{verb}", arguments)


def _tell(answer: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    elif "receiver" not in answer:
        listing(answer)
    else:
        explanation(answer)


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _say(words: str) -> Any:
    def say(answer: Any, as_json: bool) -> None:
        typer.echo(json.dumps(answer, indent=2) if as_json else words)

    return say


def _seconds(text: str) -> float:
    try:
        return duration(text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None


def _rate(text: str) -> float:
    told = _RATE.fullmatch(text.strip().lower())
    if told is None or not float(told[1]):
        raise typer.BadParameter(f"{text!r} is no rate; write 5/s, 30/min or 200/h")
    return float(told[1]) / _PER[(told[2] or "s")[0]]
