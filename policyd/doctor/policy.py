"""Is the policy service asked, about whom, and is mail safe when nobody answers it?

Contract: pure, as `policyd.doctor`, of which it is a part. Each smtpd service is looked at with the
lists that it really has (main.cf, or its own -o). Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from policyd.doctor.postfix import seconds
from policyd.doctor.values import Check, Facts, Finding
from policyd.postfix.restrictions import Reach, asked, items, service_of

__all__ = ["CHECKS"]

_RESTRICTIONS = re.compile(r"smtpd_\w+_restrictions")
_USUAL = "smtpd_recipient_restrictions"


class _Asked(NamedTuple):
    """A list of restrictions, and which services go through it."""

    parameter: str
    services: tuple[str, ...]
    restrictions: tuple[str, ...]


def _named(facts: Facts) -> Iterator[Finding]:
    """Does each smtpd ask, and which do not?"""
    for address in _addresses(facts):
        lists = [one for one in _lists(facts) if asked(one.restrictions, address)]
        if not lists and not _smtpds(facts):
            continue
        if not lists:
            yield _unnamed(facts, address)
            continue
        for one in lists:
            yield Finding("fine", f"{one.parameter} names {address}")
        asking = {service for one in lists for service in one.services}
        for service in _smtpds(facts):
            if service not in asking:
                yield Finding(
                    "note",
                    f"the service {service} does not ask {address}",
                    "mail that comes in there is never asked to wait: its own restrictions (-o) "
                    "take the place of those in main.cf",
                )


def _unnamed(facts: Facts, address: str) -> Finding:
    classes = [name for name, text in _classes(facts).items() if asked(tuple(items(text)), address)]
    if classes:
        return Finding(
            "unchecked",
            f"{address} is named in {', '.join(classes)} only: which access table leads there "
            "is not in the configuration",
        )
    return Finding(
        "note",
        f"{_USUAL} does not name {address}",
        "submission is not asked to wait for receivers that are suspended; "
        "mxheed setup postfix prints the line",
    )


def _reached(facts: Facts) -> Iterator[Finding]:
    """Is the check asked about any mail that is accepted?"""
    for address in _addresses(facts):
        for one in _lists(facts):
            if reach := asked(one.restrictions, address):
                yield from _judged(one, reach, _mail_from_own_networks(facts))


def _judged(one: _Asked, reach: Reach, own: bool) -> Iterator[Finding]:
    where = f"{one.parameter} ({', '.join(one.services)})"
    remedy = "mxheed setup postfix prints the list with the check in its place"
    if reach.barred:
        yield Finding("wrong", f"{where}: the policy check stands behind {reach.barred!r} and is "
                      "never asked", remedy)  # fmt: skip
    elif reach.refused:
        yield Finding("wrong", f"{where}: the policy check is only asked about mail that "
                      f"{reach.refused!r} refuses right after", remedy)  # fmt: skip
    elif {"permit_mynetworks", "permit_sasl_authenticated"} <= set(reach.spared):
        yield Finding("wrong", f"{where}: the policy check stands behind permit_mynetworks and "
                      "permit_sasl_authenticated and is only asked about mail for your own "
                      "domains", remedy)  # fmt: skip
    elif own and "permit_mynetworks" not in reach.spared:
        yield Finding(
            "note",
            f"{where}: programs in your own networks are told 450, too; one that never tries "
            "again loses the mail",
            "put permit_mynetworks before the check, unless all of them queue and try again",
        )


def _fails_open(facts: Facts) -> Iterator[Finding]:
    """Without an answer mail must be accepted, and soon."""
    for address in _addresses(facts):
        for one in _lists(facts):
            for check in one.restrictions:
                if service_of(check) == address:
                    yield from _safe(facts, check, address)


def _safe(facts: Facts, check: str, address: str) -> Iterator[Finding]:
    given = dict(re.findall(r"(\w+)\s*=\s*([^,\s}]+)", check))

    def in_force(name: str) -> str:  # what the check does not say, main.cf says for all
        return str(given.get(name) or facts.parameters.get(f"smtpd_policy_service_{name}", ""))

    if in_force("default_action").upper() != "DUNNO":
        yield Finding(
            "wrong",
            "without mxheed, smtpd refuses mail (451)",
            f"write check_policy_service {{ {address}, timeout=2s, try_limit=1, "
            "default_action=DUNNO }",
        )
    if seconds(in_force("timeout") or "100s") > 5:
        yield Finding(
            "wrong",
            "a hung mxheed delays each recipient at submission by more than 5 s",
            "add timeout=2s to check_policy_service",
        )


def _addresses(facts: Facts) -> Iterator[str]:
    return (hook.address for hook in facts.hooks if hook.name == "policy")


def _smtpds(facts: Facts) -> list[str]:
    return [f"{one.name}/{one.kind}" for one in facts.services if one.command == "smtpd"]


def _classes(facts: Facts) -> Mapping[str, str]:
    names = items(facts.parameters.get("smtpd_restriction_classes", ""))
    return {name: facts.parameters.get(name, "") for name in names}


def _lists(facts: Facts) -> list[_Asked]:
    """Every list of restrictions that some smtpd goes through."""
    classes = _classes(facts)
    users: dict[tuple[str, str], list[str]] = {}
    mains = {name: text for name, text in facts.parameters.items() if _RESTRICTIONS.fullmatch(name)}
    for service in facts.services:
        if service.command == "smtpd":
            for name, text in (mains | dict(service.options)).items():
                if _RESTRICTIONS.fullmatch(name):
                    users.setdefault((name, text), []).append(f"{service.name}/{service.kind}")
    return [
        _Asked(name, tuple(services), tuple(items(text, classes)))
        for (name, text), services in users.items()
    ]


def _mail_from_own_networks(facts: Facts) -> bool:
    return bool(facts.parameters.get("mynetworks", "127.0.0.0/8").strip())


CHECKS = (
    Check("the policy service is named", _named),
    Check("the policy service is asked", _reached),
    Check("the policy service fails open", _fails_open),
)
