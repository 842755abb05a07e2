"""Are the installed systemd units able to run this mxheed, and the ones it ships?

A machine without any of our units has no finding: mxheed may be kept by something else.

Contract: pure, as `policyd.doctor`, of which it is a part. Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator

from policyd.doctor.values import Check, Facts, Finding

__all__ = ["CHECKS"]

_ENABLED = ("mxheed-socketmap.socket", "mxheed-policy.socket", "mxheed.service")


def _runnable(facts: Facts) -> Iterator[Finding]:
    for path, why in facts.units.broken.items():
        yield Finding("wrong", f"{path}: {why}", "mxheed setup systemd --write")


def _current(facts: Facts) -> Iterator[Finding]:
    for path in facts.units.stale:
        yield Finding(
            "note",
            f"{path} is not what this version ships",
            "mxheed setup systemd prints that; --write brings it up to date unless it was edited",
        )


def _enabled(facts: Facts) -> Iterator[Finding]:
    names = {path.rpartition("/")[2] for path in facts.units.paths}
    for name in _ENABLED:
        if name in names and name not in facts.units.enabled:
            yield Finding(
                "note",
                f"{name} does not start with the machine",
                f"systemctl enable --now {name}",
            )


def _configured(facts: Facts) -> Iterator[Finding]:
    configs = facts.units.configs
    if configs and facts.own_config not in configs:
        told = facts.own_config or "the embedded defaults"
        yield Finding(
            "note",
            f"the unit runs with {', '.join(sorted(configs))}; all of this is about {told}",
            f"mxheed doctor --config {min(configs)}",
        )


CHECKS = (
    Check("the units' program", _runnable, needs=(), each=False),
    Check("the units' version", _current, needs=(), each=False),
    Check("the units start with the machine", _enabled, needs=(), each=False),
    Check("the units' configuration", _configured, needs=(), each=False),
)
