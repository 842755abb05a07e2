"""Settings with which mail that is held would leave by another way, bounce, or not be held at all.

Contract: pure, as `policyd.doctor`, of which it is a part: findings from facts, each that is not
fine with what to do. Only transports that ask the gate are looked at. Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from policyd.doctor.values import Check, Facts, Finding
from policyd.postfix.postconf import Service
from policyd.postfix.tables import tables

__all__ = ["CHECKS", "PROBE", "probes_are_gated"]

PROBE = "mxheed-probe"  # the transport for address probes, which asks nothing

_RESTRICTIONS = re.compile(r"smtpd_\w+_restrictions|smtpd_restriction_classes")
_PROBES = re.compile(r"\breject_unverified_(?:sender|recipient)\b")
_PROBED_BY = ("address_verify_default_transport", "address_verify_relay_transport")
_VOID = "nothing can be held"


def _says(word: str) -> Callable[[str], bool]:
    """Postfix takes these words in any case."""
    return lambda value: value.lower() == word


# name, what is harmful, why, and what is to be there instead
_HARMFUL: tuple[tuple[str, Callable[[str], bool], str, str], ...] = (
    ("smtp_fallback_relay", bool, "while mxheed is away mail leaves by it", ""),
    ("ignore_mx_lookup_error", _says("yes"), "mail bounces while mxheed is away", "no"),
    ("smtp_host_lookup", lambda value: bool(value) and "dns" not in tables(value), _VOID, "dns"),
    ("smtp_dns_support_level", _says("disabled"), _VOID, "enabled"),
    ("disable_dns_lookups", _says("yes"), _VOID, "no"),
)


def _ours(facts: Facts) -> str:
    """Our table as Postfix names it."""
    return next((f"socketmap:{hook.address}:mx" for hook in facts.hooks if hook.name == "mx"), "")


def _paced(facts: Facts) -> list[Service]:
    ours = _ours(facts)
    return [one for one in facts.services if ours and _gated(facts, one, ours)]


def _setting(facts: Facts, service: Service, name: str) -> str:
    """A parameter as this transport has it."""
    return service.options.get(name, facts.parameters.get(name, ""))


def _sends(service: Service) -> bool:
    return service.command == "smtp" and service.kind != "inet"


def _gated(facts: Facts, service: Service, ours: str) -> bool:
    """Whether this transport asks the gate, for whatever pool."""
    if not _sends(service):
        return False
    named = tables(_setting(facts, service, "smtp_dns_reply_filter"))
    return any(table == ours or table.startswith(f"{ours}/") for table in named)


def _settings(facts: Facts) -> Iterator[Finding]:
    """Each harmful setting where it stands: once in main.cf, or in a transport's own options."""
    services = _paced(facts)
    for name, harms, why, better in _HARMFUL:
        harmed = [one for one in services if harms(_setting(facts, one, name))]
        inherit = [one for one in facts.services if _sends(one) and name not in one.options]
        if harmed and all(one in services for one in inherit):
            harmed = [one for one in harmed if name in one.options]
            if (value := facts.parameters.get(name, "")) and inherit and harms(value):
                what = f"{name} = {value} in main.cf: {why}"
                yield Finding("wrong", what, f"{name} = {better}".rstrip())
        for one in harmed:
            what = f"{one.name} has {name} = {_setting(facts, one, name)}: {why}"
            yield Finding("wrong", what, f"postconf -P '{one.name}/{one.kind}/{name}={better}'")


def _order(facts: Facts) -> Iterator[Finding]:
    for service in _paced(facts):
        named = list(tables(_setting(facts, service, "smtp_dns_reply_filter")))
        behind = [table for table in named if table.startswith(_ours(facts))][-1]
        if named[-1] != behind:
            yield Finding(
                "note",
                f"{service.name} asks {named[-1]} after mxheed, which counts what that one drops",
                "put mxheed's table last in smtp_dns_reply_filter",
            )


def _relays(facts: Facts) -> Iterator[Finding]:
    relays = list(tables(facts.parameters.get("relayhost", "")))
    if len(relays) > 1 and _paced(facts):
        yield Finding(
            "wrong",
            f"relayhost names {len(relays)} hosts: while mxheed is away mail leaves by the next, "
            "and bounces where that one cannot be found",
            f"relayhost = {relays[0]}",
        )


def _probes(facts: Facts) -> Iterator[Finding]:
    if probes_are_gated(facts, _ours(facts)):
        yield Finding(
            "wrong",
            "address probes ask mxheed: while a receiver is held, smtpd refuses mail (450) from or "
            "to its domains",
            "give probes a transport of their own: mxheed setup postfix prints it",
        )


def _warnings(facts: Facts) -> Iterator[Finding]:
    after = facts.parameters.get("delay_warning_time", "0h")
    if _paced(facts) and not re.fullmatch(r"0+[smhdw]?", after):
        yield Finding(
            "note",
            f"delay_warning_time is {after}: whose mail is held for longer is told so, in the "
            'words "DNS reply filter drops all results"',
            "delay_warning_time = 0h, or longer than you let mail wait, or words of your own "
            "(docs/hooks.md)",
        )


def probes_are_gated(facts: Facts, ours: str) -> bool:
    """Whether smtpd probes addresses, and by a transport that asks the gate."""
    places = [facts.parameters, *(one.options for one in facts.services)]
    asked = (
        value
        for place in places
        for name, value in place.items()
        if _RESTRICTIONS.fullmatch(name) or name.startswith("check_")
    )
    if not any(_PROBES.search(value) for value in asked):
        return False
    names = {facts.parameters.get(name, "").partition(":")[0] for name in _PROBED_BY}
    return any(one.name in names and _gated(facts, one, ours) for one in facts.services)


CHECKS = (
    Check("where held mail could go", _settings),
    Check("a second relay host", _relays),
    Check("address probes", _probes),
    Check("warnings about delay", _warnings),
    Check("the order of the filters", _order),
)
