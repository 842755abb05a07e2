"""Can held messages be let go? Only the daemon knows: it has its own user and its own sandbox.

Contract: `ask_release` has the running daemon try it, over its control socket. The check is pure,
as `policyd.doctor`, of which it is a part. Failure: none; a daemon that does not answer is said.
"""

from __future__ import annotations

from collections.abc import Iterator

from policyd.doctor.values import Check, Facts, Finding, HandSeen
from policyd.errors import ControlError
from policyd.serve.paths import SocketPlace
from policyd.web.asking import ask

__all__ = ["CHECKS", "ask_release"]

_PATIENCE = 3.0  # the daemon itself answers within two


def ask_release(place: SocketPlace) -> HandSeen:
    """Have the daemon behind the control socket try it now."""
    try:
        answer = ask(place, "GET", "/release", patience=_PATIENCE)
    except ControlError as wrong:
        return HandSeen(unasked=str(wrong))
    exim = answer.get("exim")
    return HandSeen(
        bool(answer.get("enabled")),
        str(answer.get("trouble", "")),
        indirect=str(answer.get("indirect", "")),
        by_message=int(answer.get("by_message", 0)),
        by_domain=int(answer.get("by_domain", 0)),
        exim=str(exim.get("trouble", "")) if isinstance(exim, dict) else None,
    )


def _let_go(facts: Facts) -> Iterator[Finding]:
    release = facts.daemon.release
    if release.unasked:
        yield Finding(
            "unchecked",
            f"whether held messages can be let go: {release.unasked}",
            "ask again when mxheed answers",
        )
    elif not release.enabled:
        yield Finding(
            "note",
            "held messages are not let go (release.enabled is false, or a sample plays)",
            "they wait for Postfix's own next attempt",
        )
    elif release.trouble:
        yield Finding(
            "wrong",
            f"the daemon cannot let held messages go: {release.trouble}",
            "until then they wait for Postfix's own next attempt; postqueue -f lets them go now",
        )
    else:
        how = f"postqueue ({release.indirect})" if release.indirect else "flush(8) itself"
        yield Finding("fine", f"the daemon can let held messages go (it tried): by {how}")


def _who_asks(facts: Facts) -> Iterator[Finding]:
    release = facts.daemon.release
    if release.by_domain > release.by_message:
        yield Finding(
            "note",
            f"which message asks the gate was not seen {release.by_domain} of "
            f"{release.by_domain + release.by_message} times",
            "promised places go by domain then; a unix: socket without proxy:, and a daemon that "
            "sees Postfix's processes and /proc/locks, would do better",
        )


CHECKS = (
    Check("held messages are let go", _let_go, needs=("process",), each=False),
    Check("which message asks", _who_asks, needs=("process",), each=False),
)
